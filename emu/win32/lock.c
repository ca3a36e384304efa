/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - NtLockFile, NtUnlockFile. */
#include <string.h>

#include "client.h"
#include "guard.h"
#include "handle.h"
#include "rw.h"

static NTSTATUS fill_range(struct wire_range *range, const LARGE_INTEGER *offset, const LARGE_INTEGER *length,
                           const ULONG *key)
{
    if (!guarded_copy(&range->offset, offset, sizeof(range->offset)) ||
        !guarded_copy(&range->length, length, sizeof(range->length)) ||
        (key && !guarded_copy(&range->key, key, sizeof(range->key))))
        return STATUS_ACCESS_VIOLATION;
    return STATUS_SUCCESS;
}

static NTSTATUS exchange(enum wire_op op, const struct wire_range *range)
{
    struct call call;
    NTSTATUS status = call_begin(&call, op);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, range, sizeof(*range));
    status = call_exchange(&call, sizeof(*range), 0);
    call_end(&call);
    return status;
}

NTSTATUS NTAPI hooked_NtLockFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                 PLARGE_INTEGER offset, PLARGE_INTEGER length, PULONG key, BOOLEAN fail_immediately,
                                 BOOLEAN exclusive)
{
    struct wire_range range = {.token = handle_token(file),
                               .flags = (fail_immediately ? WIRE_LOCK_FAIL_IMMEDIATELY : 0) |
                                        (exclusive ? WIRE_LOCK_EXCLUSIVE : 0)};
    NTSTATUS status;

    if (!range.token)
        return wine.NtLockFile(file, event, apc, context, io, offset, length, key, fail_immediately, exclusive);
    status = fill_range(&range, offset, length, key);
    if (status == STATUS_SUCCESS)
        status = io_begin(event, apc);
    if (status != STATUS_SUCCESS)
        return status;
    return io_complete(event, io, exchange(WIRE_LOCK, &range), 0);
}

NTSTATUS NTAPI hooked_NtUnlockFile(HANDLE file, PIO_STATUS_BLOCK io, PLARGE_INTEGER offset, PLARGE_INTEGER length,
                                   PULONG key)
{
    struct wire_range range = {.token = handle_token(file)};
    NTSTATUS status;

    if (!range.token)
        return wine.NtUnlockFile(file, io, offset, length, key);
    status = fill_range(&range, offset, length, key);
    if (status != STATUS_SUCCESS)
        return status;
    return io_complete(NULL, io, exchange(WIRE_UNLOCK, &range), 0);
}
