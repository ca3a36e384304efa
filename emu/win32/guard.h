/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.h - reading and writing the program's memory as a kernel does: a bad pointer is a status, not a crash.
 */
#ifndef RDRLAB_GUARD_H
#define RDRLAB_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "services.h"

/*
 * guarded_copy - copies bytes between our memory and the program's.
 *   Returns  true; false after an access violation, `to` then holding a part of it.
 */
bool guarded_copy(void *to, const void *from, size_t bytes);

/*
 * guarded_status - writes an IO_STATUS_BLOCK of the program's, if it gave one: the status last and at once, as another
 * thread may be looking at it (HasOverlappedIoCompleted).
 *   Returns  the status it was given, or STATUS_ACCESS_VIOLATION.
 */
NTSTATUS guarded_status(PIO_STATUS_BLOCK io, NTSTATUS status, ULONG_PTR information);

#endif
