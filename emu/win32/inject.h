/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.h - loads a DLL into another process before its own code runs. For the provider (children) and rdrlabrun.
 */
#ifndef RDRLAB_INJECT_H
#define RDRLAB_INJECT_H

#include <stdbool.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

/*
 * inject_library - runs LoadLibraryW(path) in a suspended, or running, process of this word size.
 *   process  PROCESS_CREATE_THREAD, _VM_OPERATION, _VM_WRITE, _QUERY_INFORMATION.
 *   Returns  true once the DLL is loaded there. LastError is not kept.
 */
bool inject_library(HANDLE process, const WCHAR *path);

/* inject_possible - whether the process has this one's word size. */
bool inject_possible(HANDLE process);

#endif
