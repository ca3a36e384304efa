/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - NtLockFile, NtUnlockFile. */
#include <string.h>

#include "guard.h"
#include "handle.h"
#include "request.h"
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

static NTSTATUS send_lock(struct request *request)
{
    NTSTATUS status = request_call(request, WIRE_LOCK);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(request->call.body, &request->of.range, sizeof(request->of.range));
    call_send(&request->call, sizeof(request->of.range));
    return STATUS_SUCCESS;
}

static NTSTATUS take_lock(struct request *request, NTSTATUS status, bool *ret_more)
{
    return status;
}

static NTSTATUS unlock(const struct wire_range *range)
{
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_UNLOCK);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, range, sizeof(*range));
    status = call_exchange(&call, sizeof(*range), 0);
    call_end(&call);
    return status;
}

static void undo_lock(const struct request *request)
{
    struct wire_range range = request->of.range;

    range.flags = 0;
    unlock(&range);
}

static const struct request_kind lock_kind = {send_lock, take_lock, undo_lock};

/* Wine's LockFileEx gives no status block, but its OVERLAPPED as the context, which begins with one. NT's gives both.
 */
static PIO_STATUS_BLOCK block_of(apc_routine apc, PVOID context, PIO_STATUS_BLOCK io)
{
    return io || apc ? io : context;
}

NTSTATUS NTAPI hooked_NtLockFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                 PLARGE_INTEGER offset, PLARGE_INTEGER length, PULONG key, BOOLEAN fail_immediately,
                                 BOOLEAN exclusive)
{
    struct request request = {.kind = &lock_kind,
                              .file = file,
                              .event = event,
                              .apc = apc,
                              .context = context,
                              .io = block_of(apc, context, io),
                              .may_last = !fail_immediately};
    NTSTATUS status;

    request.token = handle_token(file);
    if (!request.token)
        return wine.NtLockFile(file, event, apc, context, io, offset, length, key, fail_immediately, exclusive);
    request.of.range.token = request.token;
    request.of.range.flags =
        (fail_immediately ? WIRE_LOCK_FAIL_IMMEDIATELY : 0) | (exclusive ? WIRE_LOCK_EXCLUSIVE : 0);
    status = fill_range(&request.of.range, offset, length, key);
    return status == STATUS_SUCCESS ? request_perform(&request) : status;
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
    return io_complete(io, unlock(&range), 0);
}
