/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_INFO_H
#define RDRLAB_INFO_H

#include <stddef.h>

#include "client.h"
#include "services.h"

/*
 * info_connection - what a letter is connected to, `\\server\share`, without terminator.
 *   letter   0 for A:.
 *   bytes    room in buffer; ret_bytes: written.
 *   Returns  STATUS_SUCCESS, the machine's status, STATUS_BUFFER_TOO_SMALL.
 */
NTSTATUS info_connection(ULONG letter, WCHAR *buffer, size_t bytes, size_t *ret_bytes);

/* info_query, info_set - what NtQueryInformationFile and NtSetInformationFile ask of the machine and tell it, with its
 * statuses. ret_done: bytes written to buffer, 0 after an error. */
NTSTATUS info_query(uint64_t token, ULONG class, void *buffer, ULONG length, uint64_t *ret_done);
NTSTATUS info_query_volume(uint64_t token, ULONG class, void *buffer, ULONG length, uint64_t *ret_done);
NTSTATUS info_set(uint64_t token, ULONG class, void *buffer, ULONG length);

/*
 * info_object_id - 16 bytes that two handles have in common if, and only if, they are the same file's.
 *   Returns  STATUS_SUCCESS, or the machine's status.
 */
NTSTATUS info_object_id(uint64_t token, unsigned char id[16]);

/*
 * info_take_bytes - a reply of wire_done and bytes, for the statuses that have one; for others writes nothing.
 *   Returns  the status; STATUS_ACCESS_VIOLATION, or STATUS_UNEXPECTED_NETWORK_ERROR for more than was asked for.
 */
NTSTATUS info_take_bytes(const struct call *call, NTSTATUS status, void *buffer, ULONG length, uint64_t *ret_done);

#endif
