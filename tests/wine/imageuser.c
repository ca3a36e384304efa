/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* imageuser.dll - a DLL that imports another one of ours. */
__declspec(dllimport) int image_used(int number);
__declspec(dllexport) int image_user(int number);

int image_user(int number)
{
    return image_used(number) + 1;
}
