/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.h - code run in another process before its own. For the provider (children) and rdrlabrun.
 */
#ifndef RDRLAB_INJECT_H
#define RDRLAB_INJECT_H

#include <stdbool.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

/*
 * inject_call - runs a thread in a suspended, or running, process of this word size, and waits for it.
 *   process  PROCESS_CREATE_THREAD, _VM_OPERATION, _VM_WRITE, _QUERY_INFORMATION.
 *   routine  a LPTHREAD_START_ROUTINE's address there.
 *   Returns  the thread's exit status; 0: there was no thread, or it is still at it. LastError is not kept.
 */
DWORD inject_call(HANDLE process, void *routine, void *parameter);

/*
 * inject_library - runs LoadLibraryW(path) there.
 *   Returns  the lower half of the HMODULE, which is not 0 once the DLL is loaded there; else 0.
 */
DWORD inject_library(HANDLE process, const WCHAR *path);

/*
 * inject_at_start - has a process that was created suspended load a DLL before its own code runs, in its first thread.
 * Until then nothing is in it that its parent would not find there otherwise: some reserve memory in their children at
 * addresses of their own (PostgreSQL).
 *   thread     THREAD_SET_CONTEXT.
 *   directory  NULL, or an address there: the working directory's name, for which the DLL is needed.
 *   Returns    false: it will not.
 */
bool inject_at_start(HANDLE process, HANDLE thread, const WCHAR *path, const WCHAR *directory);

/* inject_possible - whether the process has this one's word size. */
bool inject_possible(HANDLE process);

#endif
