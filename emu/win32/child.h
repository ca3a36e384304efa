/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.h - a child process between its creation and its first instruction.
 *
 * Wine starts a program before this DLL is in it: it finds the program's file, its working directory and its DLLs by
 * itself, and none of these on the machine. So the parent takes out of the suspended process what it could not find,
 * has the provider loaded there, and then the provider puts it in (child_begin).
 */
#ifndef RDRLAB_CHILD_H
#define RDRLAB_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "services.h"

/* RTL_USER_PROCESS_PARAMETERS on x64, as far as it matters here. */
struct process_parameters {
    ULONG sizes[2], flags[2];
    HANDLE console;
    ULONG_PTR console_flags;
    HANDLE input, output, error;
    UNICODE_STRING directory;
    HANDLE directory_handle;
    UNICODE_STRING dll_path, image, command_line;
    WCHAR *environment;
    unsigned char window[0x3f0 - 0x88];
    SIZE_T environment_bytes;
};
_Static_assert(offsetof(struct process_parameters, environment) == 0x80, "x64's");
_Static_assert(offsetof(struct process_parameters, environment_bytes) == 0x3f0, "x64's");

/*
 * child_check_directory - the working directory on the machine, if it is there, is a directory.
 *   Returns  STATUS_SUCCESS; STATUS_NOT_A_DIRECTORY, as CreateProcess says it (ERROR_DIRECTORY) whatever is wrong.
 */
NTSTATUS child_check_directory(const struct process_parameters *parameters);

/* child_begins_there - whether its working directory is one on the machine. */
bool child_begins_there(const struct process_parameters *parameters);

/*
 * child_prepare - takes the machine's parts out of a process that has not run yet.
 *   parameters  what it was created with, in this process's memory.
 *   image       its program is a copy of a file on the machine.
 *   input       its standard input has been kept from it.
 *   ret_begin   out: memory in the child for child_finish; NULL: nothing was taken out.
 *   Returns     false: it cannot be done, and the process should not run.
 */
bool child_prepare(HANDLE process, const struct process_parameters *parameters, bool image, bool input,
                   void **ret_begin);

/* child_directory - where in the child's memory its working directory's name is, of what child_prepare returned. */
const WCHAR *child_directory(const void *begin);

/*
 * child_finish - puts them in again.
 *   provider  what inject_library returned.
 *   Returns   false: the process has ended meanwhile, or will not be a whole one.
 */
bool child_finish(HANDLE process, DWORD provider, void *begin);

#endif
