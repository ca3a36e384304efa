/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Information classes: of files, of volumes, of directories. */
#include "service.h"

#include <string.h>

static uint64_t scope_of_use(const void *context)
{
    return ((const struct token_use *)context)->scope;
}

/* Finds the token and closes what was closed before: names, links and listings depend on it. */
static NTSTATUS prepare(struct call *call, uint64_t token, struct token_use *use)
{
    struct peer *peer = call->peer;
    NTSTATUS status = token_use(peer->host->tokens, token, peer->owner, use);

    if (status == STATUS_SUCCESS)
        token_drain(peer->host->tokens, scope_of_use, use, &peer->stopping);
    return status;
}

static unsigned char *reply_bytes(struct call *call)
{
    return call->reply + sizeof(struct wire_done);
}

static NTSTATUS query(struct call *call, bool volume)
{
    const struct wire_information *request = call->fixed;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (call->data_length || request->length > WIRE_DATA_MAX)
        return STATUS_INVALID_PARAMETER;
    status = prepare(call, request->token, &use);
    if (status != STATUS_SUCCESS)
        return status;
    if (volume)
        status = NtQueryVolumeInformationFile(use.handle, &done, reply_bytes(call), request->length,
                                              (FS_INFORMATION_CLASS)request->information_class);
    else
        status = NtQueryInformationFile(use.handle, &done, reply_bytes(call), request->length,
                                        (FILE_INFORMATION_CLASS)request->information_class);
    token_release(call->peer->host->tokens, &use);
    return service_done(call, status, done.Information < request->length ? done.Information : request->length);
}

NTSTATUS service_query_file(struct call *call)
{
    return query(call, false);
}

NTSTATUS service_query_volume(struct call *call)
{
    return query(call, true);
}

/*
 * A rename or a link may be relative to an open directory: its handle is a token here, and a kernel handle below. The
 * structure is x64's, with the handle at offset 8. A completion port's handle means nothing on this side.
 */
static NTSTATUS translate_handle(struct call *call, uint32_t information_class, struct token_use *root)
{
    uint64_t token;

    if (information_class == FileCompletionInformation)
        return STATUS_INVALID_INFO_CLASS;
    if ((information_class != FileRenameInformation && information_class != FileLinkInformation) ||
        call->data_length < offsetof(FILE_RENAME_INFORMATION, FileName))
        return STATUS_SUCCESS;
    memcpy(&token, call->data + offsetof(FILE_RENAME_INFORMATION, RootDirectory), sizeof(token));
    if (token == 0)
        return STATUS_SUCCESS;
    if (token_use(call->peer->host->tokens, token, call->peer->owner, root) != STATUS_SUCCESS)
        return STATUS_INVALID_HANDLE;
    memcpy(call->data + offsetof(FILE_RENAME_INFORMATION, RootDirectory), &root->handle, sizeof(root->handle));
    return STATUS_SUCCESS;
}

NTSTATUS service_set_file(struct call *call)
{
    const struct wire_information *request = call->fixed;
    struct token_table *tokens = call->peer->host->tokens;
    struct token_use use, root = {0};
    IO_STATUS_BLOCK done = {0};
    NTSTATUS status;

    if (request->length > WIRE_DATA_MAX || call->data_length != request->length)
        return STATUS_INVALID_PARAMETER;
    status = prepare(call, request->token, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status = translate_handle(call, request->information_class, &root);
    if (status == STATUS_SUCCESS)
        status = NtSetInformationFile(use.handle, &done, call->data, request->length,
                                      (FILE_INFORMATION_CLASS)request->information_class);
    token_release(tokens, &root);
    token_release(tokens, &use);
    return service_done(call, status, 0);
}

NTSTATUS service_set_volume(struct call *call)
{
    const struct wire_information *request = call->fixed;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (request->length > WIRE_DATA_MAX || call->data_length != request->length)
        return STATUS_INVALID_PARAMETER;
    status = prepare(call, request->token, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status = NtSetVolumeInformationFile(use.handle, &done, call->data, request->length,
                                        (FS_INFORMATION_CLASS)request->information_class);
    token_release(call->peer->host->tokens, &use);
    return service_done(call, status, 0);
}

NTSTATUS service_query_directory(struct call *call)
{
    const struct wire_query_directory *request = call->fixed;
    UNICODE_STRING pattern = {(USHORT)request->pattern_length, (USHORT)request->pattern_length, (WCHAR *)call->data};
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (request->length > WIRE_DATA_MAX || request->pattern_length != call->data_length ||
        !service_is_name(request->pattern_length) || (request->flags & ~(WIRE_RESTART_SCAN | WIRE_SINGLE_ENTRY)))
        return STATUS_INVALID_PARAMETER;
    status = prepare(call, request->token, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status = NtQueryDirectoryFile(use.handle, NULL, NULL, NULL, &done, reply_bytes(call), request->length,
                                  (FILE_INFORMATION_CLASS)request->information_class,
                                  (request->flags & WIRE_SINGLE_ENTRY) != 0, pattern.Length ? &pattern : NULL,
                                  (request->flags & WIRE_RESTART_SCAN) != 0);
    token_release(call->peer->host->tokens, &use);
    return service_done(call, status, done.Information < request->length ? done.Information : request->length);
}
