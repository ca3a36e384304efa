/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Byte-range locks. A lock that has to wait keeps the calling thread until it is granted or cancelled; the close of its
 * file cancels it.
 */
#include "service.h"

#include <ntemu/ntifs.h>

static NTSTATUS use(struct call *call, uint32_t allowed, struct token_use *use)
{
    const struct wire_range *request = call->fixed;

    if (call->data_length || (request->flags & ~allowed))
        return STATUS_INVALID_PARAMETER;
    return token_use(call->peer->host->tokens, request->token, call->peer->owner, use);
}

NTSTATUS service_lock(struct call *call)
{
    const struct wire_range *request = call->fixed;
    LARGE_INTEGER offset = {.QuadPart = (LONGLONG)request->offset}, length = {.QuadPart = (LONGLONG)request->length};
    ULONG key = request->key;
    IO_STATUS_BLOCK done;
    struct token_use file;
    NTSTATUS status = use(call, WIRE_LOCK_EXCLUSIVE | WIRE_LOCK_FAIL_IMMEDIATELY, &file);

    if (status != STATUS_SUCCESS)
        return status;
    service_waits(call, &file);
    status =
        NtLockFile(file.handle, NULL, NULL, NULL, &done, &offset, &length, &key,
                   (request->flags & WIRE_LOCK_FAIL_IMMEDIATELY) != 0, (request->flags & WIRE_LOCK_EXCLUSIVE) != 0);
    token_release(call->peer->host->tokens, &file);
    return status;
}

NTSTATUS service_unlock(struct call *call)
{
    const struct wire_range *request = call->fixed;
    LARGE_INTEGER offset = {.QuadPart = (LONGLONG)request->offset}, length = {.QuadPart = (LONGLONG)request->length};
    ULONG key = request->key;
    IO_STATUS_BLOCK done;
    struct token_use file;
    NTSTATUS status = use(call, 0, &file);

    if (status != STATUS_SUCCESS)
        return status;
    status = NtUnlockFile(file.handle, &done, &offset, &length, &key);
    token_release(call->peer->host->tokens, &file);
    return status;
}
