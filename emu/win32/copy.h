/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h - copies of redirected files: in the machine's images/ folder, or in the file of a section's token.
 *
 * Wine maps files of its own only. What a program maps or runs from the machine is therefore a copy of the file as it
 * is then. A copy goes with its last close, which is Wine's: also that of a section or view, and of a process that is
 * killed.
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
 *   path      out: its NT name.
 *   ret_file  out on success: reads and writes. The caller's.
 *   Returns   Wine's status.
 */
NTSTATUS copy_new(uint64_t token, WCHAR path[COPY_PATH_MAX], HANDLE *ret_file);

/* copy_make_program - a copy of a redirected file, whose handle can only keep it: Wine runs no file that somebody may
 * write. Returns as copy_fill. */
NTSTATUS copy_make_program(uint64_t token, WCHAR path[COPY_PATH_MAX], HANDLE *ret_file);

/*
 * copy_section       - the machine's section of a redirected file, as a token's file that is empty: nobody cuts the
 *                      redirected one off, overwrites or deletes it until Wine has closed this one for good.
 * copy_make_section  - the same, and the file has the redirected one's content.
 *   size, protection, attributes  NtCreateSection's.
 *   ret_file  out on success: reads and writes. The caller's.
 *   Returns   STATUS_SUCCESS, NtCreateSection's, as copy_fill.
 * copy_end_sections  - those that this process has made end: it is about to.
 */
NTSTATUS copy_section(uint64_t token, int64_t size, ULONG protection, ULONG attributes, HANDLE *ret_file);
NTSTATUS copy_make_section(uint64_t token, int64_t size, ULONG protection, ULONG attributes, HANDLE *ret_file);
void copy_end_sections(void);

#endif
