/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* imageused.dll - what imageuser.dll needs, and finds beside it. */
__declspec(dllexport) int image_used(int number);

int image_used(int number)
{
    return number * 3;
}
