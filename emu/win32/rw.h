/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rw.h - how a service with a status block and without an event ends; and paging I/O.
 */
#ifndef RDRLAB_RW_H
#define RDRLAB_RW_H

#include "services.h"

/*
 * io_complete - fills the status block, unless the status is an error.
 *   Returns  the status, or STATUS_ACCESS_VIOLATION for a bad status block.
 */
NTSTATUS io_complete(PIO_STATUS_BLOCK io, NTSTATUS status, uint64_t information);

/*
 * Paging I/O, for sections: no byte-range locks hold for it, and it waits for no other request of the handle.
 *   rw_read_pages   into our own memory. Returns the machine's status; STATUS_END_OF_FILE behind the end.
 *   rw_write_pages  from our own memory, WIRE_DATA_MAX bytes at most; what lies behind the file's end stays unwritten.
 *                   Returns the machine's status.
 */
NTSTATUS rw_read_pages(uint64_t token, void *buffer, int64_t offset, uint32_t length, uint64_t *ret_done);
NTSTATUS rw_write_pages(uint64_t token, const void *buffer, int64_t offset, uint32_t length);

#endif
