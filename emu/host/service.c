/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages: the header, the table of operations, and what their handlers have in common. */
#include "service.h"

#include <string.h>

static const struct operation {
    uint32_t fixed; /* bytes of the request's fixed part */
    NTSTATUS (*handler)(struct call *call);
} operations[WIRE_OP_LIMIT] = {
    [WIRE_CREATE] = {sizeof(struct wire_create), service_create},
    [WIRE_CLOSE] = {sizeof(struct wire_token), service_close},
    [WIRE_QUERY_ATTRIBUTES] = {sizeof(struct wire_query_attributes), service_query_attributes},
    [WIRE_READ] = {sizeof(struct wire_io), service_read},
    [WIRE_WRITE] = {sizeof(struct wire_io), service_write},
    [WIRE_FLUSH] = {sizeof(struct wire_token), service_flush},
    [WIRE_QUERY_FILE] = {sizeof(struct wire_information), service_query_file},
    [WIRE_SET_FILE] = {sizeof(struct wire_information), service_set_file},
    [WIRE_QUERY_VOLUME] = {sizeof(struct wire_information), service_query_volume},
    [WIRE_QUERY_DIRECTORY] = {sizeof(struct wire_query_directory), service_query_directory},
    [WIRE_QUERY_SYSTEM] = {sizeof(struct wire_query_system), service_query_system},
    [WIRE_ADD_CONNECTION] = {sizeof(struct wire_add_connection), service_add_connection},
    [WIRE_CANCEL_CONNECTION] = {sizeof(struct wire_cancel_connection), service_cancel_connection},
    [WIRE_GET_CONNECTION] = {sizeof(struct wire_letter), service_get_connection},
    [WIRE_MACHINE] = {0, service_machine},
    [WIRE_POOL_SITES] = {sizeof(struct wire_pool_key), service_pool_sites},
    [WIRE_POOL_STACKS] = {sizeof(struct wire_pool_stacks), service_pool_stacks},
    [WIRE_EVENTS] = {0, service_events},
    [WIRE_WATCH_LETTERS] = {sizeof(struct wire_watch), service_watch_letters},
    [WIRE_VERIFIER] = {sizeof(struct wire_verifier), service_verifier},
    [WIRE_CRASH] = {sizeof(struct wire_crash), service_crash},
    [WIRE_CLOCK] = {sizeof(struct wire_clock), service_clock},
    [WIRE_FOLLOW] = {sizeof(struct wire_follow), service_follow},
    [WIRE_LIST_CONNECTIONS] = {sizeof(struct wire_list_connections), service_list_connections},
    [WIRE_LOCK] = {sizeof(struct wire_range), service_lock},
    [WIRE_UNLOCK] = {sizeof(struct wire_range), service_unlock},
    [WIRE_CANCEL] = {sizeof(struct wire_cancel), service_cancel},
    [WIRE_CONTROL] = {sizeof(struct wire_control), service_control},
    [WIRE_QUERY_EA] = {sizeof(struct wire_query_ea), service_query_ea},
    [WIRE_SET_EA] = {sizeof(struct wire_information), service_set_ea},
    [WIRE_QUERY_SECURITY] = {sizeof(struct wire_security), service_query_security},
    [WIRE_SET_SECURITY] = {sizeof(struct wire_security), service_set_security},
    [WIRE_SET_VOLUME] = {sizeof(struct wire_information), service_set_volume},
    [WIRE_NOTIFY] = {sizeof(struct wire_notify), service_notify},
    [WIRE_LOST_HANDLES] = {0, service_lost_handles},
    [WIRE_READ_PAGES] = {sizeof(struct wire_io), service_read_pages},
    [WIRE_WRITE_PAGES] = {sizeof(struct wire_io), service_write_pages},
    [WIRE_PUT_PART] = {sizeof(struct wire_part), service_put_part},
    [WIRE_GET_PART] = {sizeof(struct wire_part), service_get_part},
    [WIRE_CREATE_SECTION] = {sizeof(struct wire_create_section), service_create_section},
    [WIRE_END_SECTIONS] = {0, service_end_sections},
};

/* Whether a request's data or a reply's are a file's bytes, which may stay where the client sees them. */
static bool shares_data(uint16_t op, const unsigned char *shared)
{
    return shared && (op == WIRE_WRITE || op == WIRE_PUT_PART);
}

static bool shares_reply(uint16_t op, const unsigned char *shared)
{
    return shared && (op == WIRE_READ || op == WIRE_GET_PART);
}

/* A transfer in parts is a matter of messages that follow one another. */
static bool keeps_parts(uint16_t op)
{
    return op == WIRE_PUT_PART || op == WIRE_WRITE || op == WIRE_GET_PART;
}

size_t service_private_bytes(const struct wire_header *header)
{
    size_t fixed;

    if (header->op != WIRE_WRITE && header->op != WIRE_PUT_PART)
        return header->length;
    fixed = sizeof(*header) + operations[header->op].fixed;
    return header->length > fixed ? fixed : header->length;
}

static NTSTATUS dispatch(struct call *call, const struct wire_header *header, unsigned char *body,
                         unsigned char *shared)
{
    const struct operation *operation;
    uint32_t size = header->length - (uint32_t)sizeof(*header);

    /* HELLO and ATTACH_SLOT come here only where they do not belong. */
    operation = header->op < WIRE_OP_LIMIT ? &operations[header->op] : NULL;
    if (!operation || !operation->handler)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (size < operation->fixed)
        return STATUS_INVALID_PARAMETER;
    call->fixed = body;
    call->data = (shares_data(header->op, shared) ? shared + sizeof(*header) : body) + operation->fixed;
    call->data_length = size - operation->fixed;
    return operation->handler(call);
}

size_t service_serve(struct peer *peer, struct service_buffers *buffers, size_t length)
{
    struct wire_header header;
    struct call call = {.peer = peer, .parts = &buffers->parts};
    unsigned char *reply;
    NTSTATUS status;

    if (length < sizeof(header))
        return 0;
    memcpy(&header, buffers->request, sizeof(header));
    if (header.magic != WIRE_MAGIC || header.version != WIRE_VERSION || header.length != length)
        return 0;
    if (!keeps_parts(header.op))
        parts_end(&buffers->parts);
    buffers->in_place = shares_reply(header.op, buffers->shared);
    reply = buffers->in_place ? buffers->shared : buffers->reply;
    call.reply = reply + sizeof(header);
    EmuBeginRequest(&call.request, header.status);
    status = dispatch(&call, &header, buffers->request + sizeof(header), buffers->shared);
    EmuEndRequest(&call.request);
    return service_reply_header(reply, header.op, status, call.reply_length);
}

NTSTATUS service_done(struct call *call, NTSTATUS status, ULONG_PTR information)
{
    struct wire_done done = {information};

    if (service_is_error(status))
        return status;
    if (done.information > WIRE_DATA_MAX)
        done.information = WIRE_DATA_MAX;
    memcpy(call->reply, &done, sizeof(done));
    call->reply_length = (uint32_t)(sizeof(done) + done.information);
    return status;
}

static bool cancel(void *context)
{
    EmuCancelRequest(context);
    return false;
}

void service_waits(struct call *call, struct token_use *use)
{
    token_use_waits(call->peer->host->tokens, use, cancel, &call->request);
}

bool service_is_name(uint32_t bytes)
{
    return bytes % sizeof(WCHAR) == 0 && bytes <= 65534;
}

/* ---- scopes ---- */

static WCHAR fold(WCHAR c)
{
    return c >= 'a' && c <= 'z' ? (WCHAR)(c - 'a' + 'A') : c;
}

/* The length of the prefix in characters if name begins with it, otherwise 0. */
static USHORT skip_prefix(const UNICODE_STRING *name, const char *prefix)
{
    USHORT length = (USHORT)strlen(prefix);

    if (name->Length / sizeof(WCHAR) < length)
        return 0;
    for (USHORT i = 0; i < length; i++)
        if (fold(name->Buffer[i]) != (WCHAR)prefix[i])
            return 0;
    return length;
}

/* FNV-1a over the server's name, which ends at a backslash. Never 0. */
static uint64_t hash_server(const WCHAR *name, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < length && name[i] != '\\'; i++)
        hash = (hash ^ fold(name[i])) * 0x100000001b3u;
    return hash | 1;
}

static uint64_t scope_of_letter(ULONG letter)
{
    WCHAR buffer[256];
    UNICODE_STRING remote = {0, sizeof(buffer), buffer};

    if (letter >= WIRE_LETTERS || EmuUseQuery(letter, &remote) != STATUS_SUCCESS || remote.Length < 3 * sizeof(WCHAR))
        return 0;
    return hash_server(buffer + 2, remote.Length / sizeof(WCHAR) - 2);
}

uint64_t service_scope(const UNICODE_STRING *name)
{
    USHORT at = skip_prefix(name, "\\??\\"), length = name->Length / sizeof(WCHAR);
    UNICODE_STRING rest;

    if (at == 0)
        at = skip_prefix(name, "\\DOSDEVICES\\");
    if (at == 0 || length < at + 2)
        return 0;
    if (name->Buffer[at + 1] == ':')
        return scope_of_letter((ULONG)(fold(name->Buffer[at]) - 'A'));
    rest = (UNICODE_STRING){(USHORT)(name->Length - at * sizeof(WCHAR)), 0, name->Buffer + at};
    at = skip_prefix(&rest, "UNC\\");
    return at ? hash_server(rest.Buffer + at, rest.Length / sizeof(WCHAR) - at) : 0;
}
