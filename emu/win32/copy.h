/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h - copies of redirected files, in the machine's images/ folder.
 *
 * Wine maps files of its own only. What a program maps or runs from the machine is therefore a copy of the file as it
 * is then. A copy is deleted on its last close, which is Wine's: also that of a section or view, and of a process that
 * is killed.
 */
#ifndef RDRLAB_COPY_H
#define RDRLAB_COPY_H

#include "services.h"

/*
 * copy_size - how long a redirected file is.
 *   Returns  STATUS_SUCCESS, STATUS_INVALID_FILE_FOR_SECTION for a directory, the machine's.
 */
NTSTATUS copy_size(uint64_t token, int64_t *ret_size);

/*
 * copy_fill - writes a redirected file's content to one of Wine's, from an offset to the end. Its position stays.
 *   Returns  STATUS_SUCCESS, STATUS_NO_MEMORY, Wine's (STATUS_DISK_FULL), or the machine's: STATUS_ACCESS_DENIED if
 *            the redirected handle may not read.
 */
NTSTATUS copy_fill(uint64_t token, HANDLE file, int64_t offset);

/* copy_write - writes all of it to one of Wine's files. Returns Wine's status, STATUS_DISK_FULL. */
NTSTATUS copy_write(HANDLE file, const unsigned char *buffer, ULONG length, int64_t offset);

#define COPY_PATH_MAX 256

/* copy_open - opens a file in images/ by its NT name, to share all; synchronous, deletes on close. Wine's status. */
NTSTATUS copy_open(const WCHAR *path, ACCESS_MASK access, ULONG disposition, HANDLE *ret_file);

/*
 * copy_new  - an empty file in images/.
 * copy_make - one with the content of a redirected file.
 *   path      out: its NT name.
 *   ret_file  out on success: reads and writes. The caller's.
 *   Returns   as copy_fill.
 */
NTSTATUS copy_new(uint64_t token, WCHAR path[COPY_PATH_MAX], HANDLE *ret_file);
NTSTATUS copy_make(uint64_t token, WCHAR path[COPY_PATH_MAX], HANDLE *ret_file);

/* copy_make_program - the same, but the handle can only keep the copy: Wine runs no file that somebody may write. */
NTSTATUS copy_make_program(uint64_t token, WCHAR path[COPY_PATH_MAX], HANDLE *ret_file);

#endif
