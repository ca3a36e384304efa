/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writable.h - data sections of redirected files: those by which a file is written, and those that show what is written
 * to it by other means.
 *
 * All processes of the machine that map a file for writing map one copy of it, so they see each other's changes at
 * once, as on NT. Each writes back what has changed since it saw it last: when a view is flushed or unmapped, when the
 * section goes, and when the process ends. A process that is killed loses what it has not flushed.
 *
 * A section for reading has a copy of its own. What this process writes to the file is written to all copies that it
 * has mapped, as NT's views and writes meet in the cache.
 */
#ifndef RDRLAB_WRITABLE_H
#define RDRLAB_WRITABLE_H

#include "services.h"

struct writable;

/*
 * writable_open - the copy that a file is mapped by for writing; made, or brought up to the file's end.
 *   file      the redirected handle, which may read and write: else STATUS_ACCESS_DENIED.
 *   size      of the section, 0: the file's. A file that is shorter is made longer.
 *   ret_copy  out: Wine's file for the section; stays ours.
 *   Returns   STATUS_SUCCESS, NtCreateSection's, the machine's, Wine's.
 */
NTSTATUS writable_open(uint64_t token, HANDLE file, int64_t size, struct writable **ret_writable, HANDLE *ret_copy);

/* writable_open_to_read - the same for a section for reading. Returns as copy_make_section. */
NTSTATUS writable_open_to_read(uint64_t token, int64_t size, struct writable **ret_writable, HANDLE *ret_copy);

/* writable_opened - a section was made of it; NULL: it was not. */
void writable_opened(struct writable *writable, HANDLE section);

/* A handle is about to be closed. Cheap while nothing is mapped for writing. */
void writable_closing(HANDLE handle);

/*
 * writable_duplicating - a handle is about to be duplicated. True: it is such a section's, and writable_duplicated must
 *                        follow; until then no handle becomes one that was not, whatever values are free by then.
 * writable_duplicated  - target: in this process, or NULL; closed: the source is no more, unless it is protected.
 */
bool writable_duplicating(HANDLE source);
void writable_duplicated(HANDLE source, HANDLE target, bool closed);

/*
 * A write to the file that is no view's.
 *   writable_begin_write  True: this process has the file mapped, and writable_end_write must follow, in this thread.
 *                         Until then nobody writes back what views have changed.
 *   writable_written      between the two: what was written where.
 */
bool writable_begin_write(uint64_t token);
void writable_written(uint64_t token, const unsigned char *bytes, ULONG length, int64_t offset);
void writable_end_write(uint64_t token);

/* writable_begin_read - a read of the file that is no view's: what views have changed is in the file afterwards.
 * offset  negative: anywhere. */
void writable_begin_read(uint64_t token, int64_t offset, ULONG length);

/* writable_end - writes everything back: the process ends. */
void writable_end(void);

#endif
