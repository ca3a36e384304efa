/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_LATER_H
#define RDRLAB_LATER_H

#include "services.h"

/*
 * later_query - NtQueryInformationFile for a class that the machine does not have.
 *   Returns  whether it is one of those that are answered here. ret_status: the machine's statuses, and
 *            STATUS_INFO_LENGTH_MISMATCH; ret_done: bytes written to buffer.
 */
bool later_query(uint64_t token, ULONG class, void *buffer, ULONG length, NTSTATUS *ret_status, uint64_t *ret_done);

#endif
