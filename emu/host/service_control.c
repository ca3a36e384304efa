/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control codes, extended attributes, security descriptors. */
#include "service.h"

#include <string.h>

#define DEVICE_OF(Code)           ((Code) >> 16)
#define DEVICE_MULTI_UNC_PROVIDER 0x10u /* wdm.h's FILE_DEVICE_MULTI_UNC_PROVIDER */

static struct token_table *tokens_of(const struct call *call)
{
    return call->peer->host->tokens;
}

static unsigned char *reply_bytes(struct call *call)
{
    return call->reply + sizeof(struct wire_done);
}

static NTSTATUS finish(struct call *call, struct token_use *use, NTSTATUS status, ULONG_PTR done, uint32_t length)
{
    token_release(tokens_of(call), use);
    return service_done(call, status, done < length ? done : length);
}

NTSTATUS service_control(struct call *call)
{
    const struct wire_control *request = call->fixed;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (request->input_length != call->data_length || request->input_length > WIRE_DATA_MAX ||
        request->output_length > WIRE_DATA_MAX || (request->flags & ~WIRE_CONTROL_DEVICE))
        return STATUS_INVALID_PARAMETER;
    /* Redirectors register with MUP by these, from inside the machine. */
    if (DEVICE_OF(request->code) == DEVICE_MULTI_UNC_PROVIDER)
        return STATUS_INVALID_DEVICE_REQUEST;
    status = token_use(tokens_of(call), request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    memset(reply_bytes(call), 0, request->output_length);
    status = (request->flags & WIRE_CONTROL_DEVICE ? NtDeviceIoControlFile : NtFsControlFile)(
        use.handle, NULL, NULL, NULL, &done, request->code, call->data, request->input_length, reply_bytes(call),
        request->output_length);
    return finish(call, &use, status, done.Information, request->output_length);
}

NTSTATUS service_query_ea(struct call *call)
{
    const struct wire_query_ea *request = call->fixed;
    ULONG index = request->index;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (request->list_length != call->data_length || request->list_length > WIRE_DATA_MAX ||
        request->length > WIRE_DATA_MAX ||
        (request->flags & ~(WIRE_RESTART_SCAN | WIRE_SINGLE_ENTRY | WIRE_INDEX_SPECIFIED)))
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens_of(call), request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status =
        NtQueryEaFile(use.handle, &done, reply_bytes(call), request->length, (request->flags & WIRE_SINGLE_ENTRY) != 0,
                      request->list_length ? call->data : NULL, request->list_length,
                      request->flags & WIRE_INDEX_SPECIFIED ? &index : NULL, (request->flags & WIRE_RESTART_SCAN) != 0);
    return finish(call, &use, status, done.Information, request->length);
}

NTSTATUS service_set_ea(struct call *call)
{
    const struct wire_information *request = call->fixed;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (request->information_class || request->length > WIRE_DATA_MAX || call->data_length != request->length)
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens_of(call), request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    return finish(call, &use, NtSetEaFile(use.handle, &done, call->data, request->length), 0, 0);
}

NTSTATUS service_query_security(struct call *call)
{
    const struct wire_security *request = call->fixed;
    struct wire_done needed;
    struct token_use use;
    ULONG length = 0;
    NTSTATUS status;

    if (call->data_length || request->length > WIRE_DATA_MAX)
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens_of(call), request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status = NtQuerySecurityObject(use.handle, request->which, reply_bytes(call), request->length, &length);
    status = finish(call, &use, status, length, request->length);
    if (status == STATUS_BUFFER_TOO_SMALL) { /* an error with a fixed part */
        needed.information = length;
        memcpy(call->reply, &needed, sizeof(needed));
        call->reply_length = sizeof(needed);
    }
    return status;
}

/* The descriptor's offsets are its driver's to check. */
NTSTATUS service_set_security(struct call *call)
{
    const struct wire_security *request = call->fixed;
    struct token_use use;
    NTSTATUS status;

    if (request->length > WIRE_DATA_MAX || call->data_length != request->length)
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens_of(call), request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    return finish(call, &use, NtSetSecurityObject(use.handle, request->which, call->data), 0, 0);
}
