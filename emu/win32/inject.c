/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "inject.h"

#define LOAD_PATIENCE 30000 /* ms; 30 to 130 were seen, the first thread initialises the process */

bool inject_possible(HANDLE process)
{
    BOOL wow64 = FALSE;

    return !IsWow64Process(process, &wow64) || !wow64;
}

DWORD inject_call(HANDLE process, void *routine, void *parameter)
{
    HANDLE thread = CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)routine, parameter, 0, NULL);
    DWORD status = 0;

    if (!thread)
        return 0;
    if (WaitForSingleObject(thread, LOAD_PATIENCE) != WAIT_OBJECT_0 || !GetExitCodeThread(thread, &status))
        status = 0;
    CloseHandle(thread);
    return status;
}

/* For LoadLibraryW: kernel32 has one address in all processes of a prefix. */
static void *put_path(HANDLE process, const WCHAR *path)
{
    SIZE_T bytes = (lstrlenW(path) + 1) * sizeof(WCHAR);
    void *remote = VirtualAllocEx(process, NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);

    if (remote && !WriteProcessMemory(process, remote, path, bytes, NULL)) {
        VirtualFreeEx(process, remote, 0, MEM_RELEASE);
        remote = NULL;
    }
    return remote;
}

/* APCs that are there when a thread begins run before anything else of it, in their order. */
bool inject_at_start(HANDLE process, HANDLE thread, const WCHAR *path, const WCHAR *directory)
{
    void *remote = put_path(process, path);

    return remote && QueueUserAPC((PAPCFUNC)(void *)LoadLibraryW, thread, (ULONG_PTR)remote) &&
           (!directory || QueueUserAPC((PAPCFUNC)(void *)SetCurrentDirectoryW, thread, (ULONG_PTR)directory));
}

DWORD inject_library(HANDLE process, const WCHAR *path)
{
    void *remote = put_path(process, path);
    DWORD loaded;

    if (!remote)
        return 0;
    loaded = inject_call(process, (void *)LoadLibraryW, remote);
    /* A thread that is still at it needs its path. */
    if (loaded)
        VirtualFreeEx(process, remote, 0, MEM_RELEASE);
    return loaded;
}
