/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing. Bytes go between the message buffers and the NT service directly, as far as they fit there. */
#include "service.h"

#include <string.h>

static uint32_t part_of(uint32_t left)
{
    return left < WIRE_DATA_MAX ? left : WIRE_DATA_MAX;
}

static NTSTATUS transferred(struct call *call, NTSTATUS status, const IO_STATUS_BLOCK *done, bool writing)
{
    const struct wire_io *request = call->fixed;

    status = service_done(call, status, done->Information < request->length ? done->Information : request->length);
    if (writing && call->reply_length)
        call->reply_length = sizeof(struct wire_done);
    return status;
}

/* ---- NtReadFile, NtWriteFile ---- */

static bool is_transfer(const struct call *call)
{
    const struct wire_io *request = call->fixed;

    return request->length <= WIRE_TRANSFER_MAX && request->offset >= WIRE_OFFSET_CURRENT &&
           call->data_length <= WIRE_DATA_MAX;
}

/* Of a large one the first bytes are the reply's, the rest is kept. */
static NTSTATUS hand_out(struct call *call, NTSTATUS status, uint32_t information)
{
    struct wire_done done = {information};
    struct parts *parts = call->parts;

    parts->length = information;
    parts->done = part_of(information);
    memcpy(call->reply, &done, sizeof(done));
    memcpy(call->reply + sizeof(done), parts->bytes, parts->done);
    call->reply_length = (uint32_t)sizeof(done) + parts->done;
    if (parts->done == information)
        parts_end(parts);
    return status;
}

static NTSTATUS read_to(struct call *call, unsigned char *buffer, IO_STATUS_BLOCK *done)
{
    const struct wire_io *request = call->fixed;
    struct token_table *tokens = call->peer->host->tokens;
    LARGE_INTEGER offset = {.QuadPart = request->offset};
    ULONG key = request->key;
    struct token_use use;
    NTSTATUS status = token_use(tokens, request->token, call->peer->owner, &use);

    if (status != STATUS_SUCCESS)
        return status;
    status = NtReadFile(use.handle, NULL, NULL, NULL, done, buffer, request->length, &offset, &key);
    token_release(tokens, &use);
    return status;
}

NTSTATUS service_read(struct call *call)
{
    const struct wire_io *request = call->fixed;
    IO_STATUS_BLOCK done = {0};
    NTSTATUS status;

    if (!is_transfer(call) || request->offset == WIRE_OFFSET_APPEND || call->data_length)
        return STATUS_INVALID_PARAMETER;
    if (request->length <= WIRE_DATA_MAX) {
        status = read_to(call, call->reply + sizeof(struct wire_done), &done);
        return transferred(call, status, &done, false);
    }
    if (!parts_begin(call->parts, request->length))
        return STATUS_INSUFFICIENT_RESOURCES;
    status = read_to(call, call->parts->bytes, &done);
    if (!service_is_error(status))
        return hand_out(call, status, (uint32_t)done.Information);
    parts_end(call->parts);
    return status;
}

/* What is to be written: the message's, or behind what has been collected. NULL: they do not belong together. */
static const unsigned char *bytes_to_write(struct call *call)
{
    const struct wire_io *request = call->fixed;
    struct parts *parts = call->parts;

    if (call->data_length == request->length)
        return call->data;
    if (!parts->bytes || parts->length != request->length || parts->length - parts->done != call->data_length)
        return NULL;
    memcpy(parts->bytes + parts->done, call->data, call->data_length);
    return parts->bytes;
}

static NTSTATUS write_from(struct call *call, const unsigned char *buffer)
{
    const struct wire_io *request = call->fixed;
    struct token_table *tokens = call->peer->host->tokens;
    LARGE_INTEGER offset = {.QuadPart = request->offset};
    ULONG key = request->key;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status = token_use(tokens, request->token, call->peer->owner, &use);

    if (status != STATUS_SUCCESS)
        return status;
    status = NtWriteFile(use.handle, NULL, NULL, NULL, &done, buffer, request->length, &offset, &key);
    token_release(tokens, &use);
    if (service_is_error(status))
        return status;
    *(struct wire_done *)call->reply = (struct wire_done){done.Information};
    call->reply_length = sizeof(struct wire_done);
    return status;
}

NTSTATUS service_write(struct call *call)
{
    const unsigned char *buffer = is_transfer(call) ? bytes_to_write(call) : NULL;
    NTSTATUS status = buffer ? write_from(call, buffer) : STATUS_INVALID_PARAMETER;

    parts_end(call->parts);
    return status;
}

/* ---- what a message does not hold ---- */

NTSTATUS service_put_part(struct call *call)
{
    const struct wire_part *request = call->fixed;
    struct parts *parts = call->parts;

    if (request->length <= WIRE_DATA_MAX || request->length > WIRE_TRANSFER_MAX || call->data_length > WIRE_DATA_MAX)
        return STATUS_INVALID_PARAMETER;
    if (request->offset == 0 && !parts_begin(parts, request->length))
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!parts->bytes || parts->length != request->length || parts->done != request->offset ||
        parts->length - parts->done < call->data_length) {
        parts_end(parts);
        return STATUS_INVALID_PARAMETER;
    }
    memcpy(parts->bytes + parts->done, call->data, call->data_length);
    parts->done += call->data_length;
    return STATUS_SUCCESS;
}

NTSTATUS service_get_part(struct call *call)
{
    const struct wire_part *request = call->fixed;
    struct parts *parts = call->parts;
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    uint32_t part;

    if (!call->data_length && parts->bytes && parts->length == request->length && parts->done == request->offset) {
        part = part_of(parts->length - parts->done);
        memcpy(call->reply + sizeof(struct wire_done), parts->bytes + parts->done, part);
        parts->done += part;
        status = service_done(call, STATUS_SUCCESS, part);
        if (parts->done < parts->length)
            return status;
    }
    parts_end(parts);
    return status;
}

/* ---- paging I/O ---- */

static bool are_pages(const struct wire_io *request)
{
    return request->length <= WIRE_DATA_MAX && request->offset >= 0 && !request->key;
}

NTSTATUS service_read_pages(struct call *call)
{
    const struct wire_io *request = call->fixed;
    struct token_table *tokens = call->peer->host->tokens;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (!are_pages(request) || call->data_length)
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens, request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status = EmuReadPages(use.handle, &done, call->reply + sizeof(struct wire_done), request->length, request->offset);
    token_release(tokens, &use);
    return transferred(call, status, &done, false);
}

NTSTATUS service_write_pages(struct call *call)
{
    const struct wire_io *request = call->fixed;
    struct token_table *tokens = call->peer->host->tokens;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (!are_pages(request) || call->data_length != request->length)
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens, request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status = EmuWritePages(use.handle, &done, call->data, request->length, request->offset);
    token_release(tokens, &use);
    return transferred(call, status, &done, true);
}
