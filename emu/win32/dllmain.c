/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client.h"
#include "hook.h"
#include "provider.h"
#include "wait.h"

/* What a second copy of the DLL knows the first one by; see hook.c. */
__declspec(dllexport) extern const char RdrlabProvider[];
const char RdrlabProvider[] = "rdrlab network provider";

static WCHAR own_path[MAX_PATH];
static bool available;
static HMODULE other_copy;

bool provider_available(void)
{
    return available;
}

HMODULE provider_other_copy(void)
{
    return other_copy;
}

const WCHAR *provider_path(void)
{
    return own_path;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved);

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved)
{
    HMODULE pinned;

    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    DisableThreadLibraryCalls(instance);
    if (!hook_resolve() || !client_configure())
        return TRUE;
    GetModuleFileNameW(instance, own_path, MAX_PATH);
    /* mpr frees its providers when it goes; the hooks must not go with it. */
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (void *)DllMain,
                            &pinned))
        return TRUE;
    available = hook_install(&other_copy) == HOOK_DONE;
    if (available)
        wait_hook_messages();
    return TRUE;
}
