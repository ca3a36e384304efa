/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait.c - waiting for a redirected file: for its event, which NT keeps in the file object. To Wine a token file is
 * always signalled.
 */
#include "wait.h"

#include "fileobject.h"
#include "guard.h"
#include "handle.h"
#include "hook.h"

static HANDLE waitable(HANDLE handle)
{
    uint64_t token = fileobject_any() ? handle_known_token(handle) : 0;
    HANDLE event = token ? fileobject_event(token) : NULL;

    return event ? event : handle;
}

const HANDLE *wait_objects(ULONG count, const HANDLE *handles, HANDLE objects[MAXIMUM_WAIT_OBJECTS])
{
    if (!fileobject_any() || count > MAXIMUM_WAIT_OBJECTS || !guarded_copy(objects, handles, count * sizeof(*objects)))
        return handles;
    for (ULONG i = 0; i < count; i++)
        objects[i] = waitable(objects[i]);
    return objects;
}

NTSTATUS NTAPI hooked_NtWaitForSingleObject(HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout)
{
    return wine.NtWaitForSingleObject(waitable(handle), alertable, timeout);
}

NTSTATUS NTAPI hooked_NtSignalAndWaitForSingleObject(HANDLE signal, HANDLE handle, BOOLEAN alertable,
                                                     const LARGE_INTEGER *timeout)
{
    return wine.NtSignalAndWaitForSingleObject(signal, waitable(handle), alertable, timeout);
}

NTSTATUS NTAPI hooked_NtWaitForMultipleObjects(ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable,
                                               const LARGE_INTEGER *timeout)
{
    HANDLE objects[MAXIMUM_WAIT_OBJECTS];

    return wine.NtWaitForMultipleObjects(count, wait_objects(count, handles, objects), any, alertable, timeout);
}

/* ---- with messages ---- */

#define MODULE_LOADED 1 /* LDR_DLL_NOTIFICATION_REASON_LOADED */

struct module_notification {
    ULONG flags;
    const UNICODE_STRING *path, *name;
    HMODULE module;
    ULONG size;
};
typedef VOID(NTAPI *module_routine)(ULONG reason, const struct module_notification *notification, PVOID context);

NTSTATUS NTAPI LdrRegisterDllNotification(ULONG flags, module_routine routine, PVOID context, PVOID *ret_cookie);

static DWORD(WINAPI *wait_for_messages)(DWORD count, const HANDLE *handles, DWORD timeout, DWORD mask, DWORD flags);

static DWORD WINAPI hooked_wait_for_messages(DWORD count, const HANDLE *handles, DWORD timeout, DWORD mask, DWORD flags)
{
    HANDLE objects[MAXIMUM_WAIT_OBJECTS];

    return wait_for_messages(count, wait_objects(count, handles, objects), timeout, mask, flags);
}

static void hook_win32u(HMODULE win32u)
{
    void *function = (void *)GetProcAddress(win32u, "NtUserMsgWaitForMultipleObjectsEx");

    if (function)
        hook_stub(function, (void *)hooked_wait_for_messages, (void **)&wait_for_messages);
}

static VOID NTAPI note_module(ULONG reason, const struct module_notification *notification, PVOID context)
{
    static const WCHAR name[] = L"win32u.dll";

    if (reason == MODULE_LOADED &&
        CompareStringOrdinal(notification->name->Buffer, (int)(notification->name->Length / sizeof(WCHAR)), name,
                             ARRAYSIZE(name) - 1, TRUE) == CSTR_EQUAL)
        hook_win32u(notification->module);
}

void wait_hook_messages(void)
{
    HMODULE win32u = GetModuleHandleW(L"win32u.dll");
    PVOID cookie;

    if (win32u)
        hook_win32u(win32u);
    else
        LdrRegisterDllNotification(0, note_module, NULL, &cookie);
}
