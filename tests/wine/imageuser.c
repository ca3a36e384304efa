/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* imageuser.dll - a DLL that imports another one of ours, and notes its own name when it is attached. */
#include <windows.h>

__declspec(dllimport) int image_used(int number);
__declspec(dllexport) int image_user(int number);
__declspec(dllexport) const WCHAR *image_user_name(void);

static WCHAR name[MAX_PATH];

int image_user(int number)
{
    return image_used(number) + 1;
}

const WCHAR *image_user_name(void)
{
    return name;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved);

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved)
{
    if (reason == DLL_PROCESS_ATTACH)
        GetModuleFileNameW(instance, name, MAX_PATH);
    return TRUE;
}
