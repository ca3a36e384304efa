/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sections of files: a client's own mapping, as far as the machine has to know of it. */
#include "service.h"

#include <ntemu/ntifs.h>

/* A token of the section's own: clients keep its file open as long as they map by it. */
NTSTATUS service_create_section(struct call *call)
{
    const struct wire_create_section *request = call->fixed;
    const LARGE_INTEGER size = {.QuadPart = request->size};
    struct token_table *tokens = call->peer->host->tokens;
    struct wire_token *created = (struct wire_token *)call->reply;
    OBJECT_ATTRIBUTES attributes;
    struct token_use use;
    HANDLE section;
    NTSTATUS status;

    if (call->data_length || request->no_token_file > 1 || request->pad ||
        (call->peer->remote && !request->no_token_file))
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens, request->token, call->peer->owner, &use);
    if (status != STATUS_SUCCESS)
        return status;
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    status = NtCreateSection(&section, SECTION_ALL_ACCESS, &attributes, size.QuadPart ? &size : NULL,
                             request->protection, request->attributes, use.handle);
    if (NT_SUCCESS(status)) {
        status = token_add(tokens, section, call->peer->owner, use.scope, !request->no_token_file, &created->token);
        if (status == STATUS_SUCCESS)
            call->reply_length = sizeof(*created);
        else
            NtClose(section);
    }
    token_release(tokens, &use);
    return status;
}

NTSTATUS service_end_sections(struct call *call)
{
    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    EmuEndSections();
    return STATUS_SUCCESS;
}
