/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handle.h - which of this process's handles are files of the machine.
 *
 * A redirected file's handle is Wine's handle of a token file, named by the token. What is known about a handle is
 * kept per handle value: unknown, local, or its token. Unknown ones (inherited, duplicated into this process) are
 * asked for their name, once; and once more after another process has closed handles of this one (DuplicateHandle).
 */
#ifndef RDRLAB_HANDLE_H
#define RDRLAB_HANDLE_H

#include "services.h"

/*
 * handle_token - the token of a redirected file's handle.
 *   Returns  0 for every other handle, also for an invalid one. May connect to the machine.
 */
uint64_t handle_token(HANDLE handle);

/* handle_known_token - the same without asking anybody: 0 also for a handle that nobody has asked about. */
uint64_t handle_known_token(HANDLE handle);

/* handle_is_synchronous - whether a redirected file was opened with FILE_SYNCHRONOUS_IO_*. Asks the machine where it is
 * not known; if that cannot tell, it was. */
bool handle_is_synchronous(HANDLE handle, uint64_t token);

/* handle_mark_local - a file opened by Wine itself: nobody needs to ask. */
void handle_mark_local(HANDLE handle);

/* handle_is_this_process - whether a process's handle is this one's. No if that may not be asked. */
bool handle_is_this_process(HANDLE process);

/*
 * handle_close_all - closes this process's redirected files, as it ends. Wine says that a process has ended a moment
 * before Linux closes its files, and who waited for it may want them then. Standard handles are looked at, too: the C
 * runtime has used them before this DLL was there.
 */
void handle_close_all(void);

/*
 * handle_open_token - makes a handle of a token, by opening its file.
 *   object_flags  OBJ_INHERIT is passed on.
 *   options       FILE_SYNCHRONOUS_IO_* are passed on.
 *   Returns       STATUS_SUCCESS, else Wine's own; the token is then the caller's to close (WIRE_CLOSE).
 */
NTSTATUS handle_open_token(uint64_t token, ULONG object_flags, ULONG options, HANDLE *ret_handle);

#endif
