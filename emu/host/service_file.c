/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening, closing and flushing. */
#include "handout.h"
#include "service.h"
#include "traces.h"

#include <ntemu/ntifs.h>

/* A name to be opened, with what it is relative to. */
struct path {
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    struct token_use root;
};

static uint64_t scope_of_path(const void *context)
{
    const struct path *path = context;

    return path->root.token ? path->root.scope : service_scope(&path->name);
}

/*
 * Checks and prepares what CREATE and QUERY_ATTRIBUTES share; on success release_path is due. Kernel handles outlive
 * the client that opened them, as tokens do. OBJ_INHERIT is a matter of the token's file; of the other flags a file's
 * name only knows the case.
 */
static NTSTATUS prepare_path(struct call *call, struct path *path, uint32_t name_length, uint32_t flags,
                             uint64_t root_token)
{
    struct peer *peer = call->peer;
    NTSTATUS status;

    if (name_length != call->data_length || !service_is_name(name_length) || (flags & ~OBJ_VALID_ATTRIBUTES))
        return STATUS_INVALID_PARAMETER;
    path->name = (UNICODE_STRING){(USHORT)name_length, (USHORT)name_length, (WCHAR *)call->data};
    path->root = (struct token_use){0};
    if (root_token) {
        status = token_use(peer->host->tokens, root_token, peer->owner, &path->root);
        if (status != STATUS_SUCCESS)
            return status;
    }
    token_drain(peer->host->tokens, scope_of_path, path, &peer->stopping);
    InitializeObjectAttributes(&path->attributes, &path->name, (flags & OBJ_CASE_INSENSITIVE) | OBJ_KERNEL_HANDLE,
                               path->root.handle, NULL);
    return STATUS_SUCCESS;
}

static void release_path(struct call *call, struct path *path)
{
    token_release(call->peer->host->tokens, &path->root);
}

NTSTATUS service_create(struct call *call)
{
    const struct wire_create *request = call->fixed;
    struct wire_created *created = (struct wire_created *)call->reply;
    LARGE_INTEGER allocation = {.QuadPart = (LONGLONG)request->allocation_size};
    IO_STATUS_BLOCK done = {0};
    struct path path;
    PEMU_TRACE trace;
    HANDLE handle = NULL;
    NTSTATUS status;

    *created = (struct wire_created){0};
    call->reply_length = sizeof(*created);
    if (allocation.QuadPart < 0 || request->no_token_file > 1 || request->want_spare > 1)
        return STATUS_INVALID_PARAMETER;
    if (call->peer->remote && (!request->no_token_file || request->spare_token || request->want_spare))
        return STATUS_INVALID_PARAMETER;
    status = prepare_path(call, &path, request->name_length, request->object_flags, request->root_token);
    if (status != STATUS_SUCCESS)
        return status;
    trace = traces_begin();
    status = NtCreateFile(&handle, request->desired_access, &path.attributes, &done,
                          allocation.QuadPart ? &allocation : NULL, request->file_attributes, request->share_access,
                          request->disposition, request->options, NULL, 0);
    traces_end(trace, status, call->peer);
    if (NT_SUCCESS(status)) {
        NTSTATUS added = handout_token(call->peer, request, handle, scope_of_path(&path), &created->token);
        if (added != STATUS_SUCCESS) {
            NtClose(handle);
            status = added;
        }
    }
    created->information = done.Information;
    if (request->want_spare)
        handout_spare(call->peer, &created->spare_token);
    release_path(call, &path);
    return status;
}

NTSTATUS service_close(struct call *call)
{
    const struct wire_token *request = call->fixed;

    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    return token_close(call->peer->host->tokens, request->token, call->peer->owner);
}

NTSTATUS service_query_attributes(struct call *call)
{
    const struct wire_query_attributes *request = call->fixed;
    struct wire_attributes *attributes = (struct wire_attributes *)call->reply;
    FILE_NETWORK_OPEN_INFORMATION found = {0};
    struct path path;
    PEMU_TRACE trace;
    NTSTATUS status;

    status = prepare_path(call, &path, request->name_length, request->object_flags, request->root_token);
    if (status != STATUS_SUCCESS)
        return status;
    trace = traces_begin();
    status = NtQueryFullAttributesFile(&path.attributes, &found);
    traces_end(trace, status, call->peer);
    release_path(call, &path);
    if (service_is_error(status))
        return status;
    *attributes = (struct wire_attributes){
        .creation_time = found.CreationTime.QuadPart,
        .last_access_time = found.LastAccessTime.QuadPart,
        .last_write_time = found.LastWriteTime.QuadPart,
        .change_time = found.ChangeTime.QuadPart,
        .allocation_size = found.AllocationSize.QuadPart,
        .end_of_file = found.EndOfFile.QuadPart,
        .attributes = found.FileAttributes,
    };
    call->reply_length = sizeof(*attributes);
    return status;
}

NTSTATUS service_flush(struct call *call)
{
    const struct wire_token *request = call->fixed;
    struct token_table *tokens = call->peer->host->tokens;
    IO_STATUS_BLOCK done = {0};
    struct token_use use;
    NTSTATUS status;

    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens, request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    status = NtFlushBuffersFile(use.handle, &done);
    token_release(tokens, &use);
    return status;
}
