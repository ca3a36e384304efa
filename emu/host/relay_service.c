/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a relay does with a request: it passes it on. Tokens differ on the two sides: here they have files, and what
 * NtClose would be given is the machine's token. As in the machine, what was closed before a request that could notice
 * is closed before it.
 */
#include "handout.h"
#include "process.h"
#include "relay.h"
#include "service.h"

#include <stddef.h>
#include <string.h>

enum passing {
    NOT_PASSED,
    AS_IT_IS,
    WITH_TOKEN,  /* the fixed part begins with one, or with 0 */
    WAITING,     /* ... and the machine may take its time, until the token is closed at the latest */
    WITH_RENAME, /* ... and a structure for a rename may hold another */
    CREATING,
    MAPPING,
    CLOSING,
    CHANGING_LETTERS,
    LOSING_HANDLES, /* of programs that are here */
    REPORTING
};

static const struct operation {
    uint32_t fixed; /* bytes of the request's fixed part */
    enum passing passing;
} operations[WIRE_OP_LIMIT] = {
    [WIRE_CREATE] = {sizeof(struct wire_create), CREATING},
    [WIRE_CLOSE] = {sizeof(struct wire_token), CLOSING},
    [WIRE_QUERY_ATTRIBUTES] = {sizeof(struct wire_query_attributes), WITH_TOKEN},
    [WIRE_READ] = {sizeof(struct wire_io), WITH_TOKEN},
    [WIRE_WRITE] = {sizeof(struct wire_io), WITH_TOKEN},
    [WIRE_FLUSH] = {sizeof(struct wire_token), WITH_TOKEN},
    [WIRE_QUERY_FILE] = {sizeof(struct wire_information), WITH_TOKEN},
    [WIRE_SET_FILE] = {sizeof(struct wire_information), WITH_RENAME},
    [WIRE_QUERY_VOLUME] = {sizeof(struct wire_information), WITH_TOKEN},
    [WIRE_QUERY_DIRECTORY] = {sizeof(struct wire_query_directory), WITH_TOKEN},
    [WIRE_QUERY_SYSTEM] = {sizeof(struct wire_query_system), REPORTING},
    [WIRE_ADD_CONNECTION] = {sizeof(struct wire_add_connection), CHANGING_LETTERS},
    [WIRE_CANCEL_CONNECTION] = {sizeof(struct wire_cancel_connection), CHANGING_LETTERS},
    [WIRE_GET_CONNECTION] = {sizeof(struct wire_letter), AS_IT_IS},
    [WIRE_MACHINE] = {0, REPORTING},
    [WIRE_POOL_SITES] = {sizeof(struct wire_pool_key), REPORTING},
    [WIRE_POOL_STACKS] = {sizeof(struct wire_pool_stacks), REPORTING},
    [WIRE_EVENTS] = {0, AS_IT_IS},
    [WIRE_VERIFIER] = {sizeof(struct wire_verifier), AS_IT_IS},
    [WIRE_CRASH] = {sizeof(struct wire_crash), AS_IT_IS},
    [WIRE_CLOCK] = {sizeof(struct wire_clock), AS_IT_IS},
    [WIRE_FOLLOW] = {sizeof(struct wire_follow), AS_IT_IS},
    [WIRE_LIST_CONNECTIONS] = {sizeof(struct wire_list_connections), REPORTING},
    [WIRE_LOCK] = {sizeof(struct wire_range), WAITING},
    [WIRE_UNLOCK] = {sizeof(struct wire_range), WITH_TOKEN},
    [WIRE_CANCEL] = {sizeof(struct wire_cancel), AS_IT_IS},
    [WIRE_CONTROL] = {sizeof(struct wire_control), WITH_TOKEN},
    [WIRE_QUERY_EA] = {sizeof(struct wire_query_ea), WITH_TOKEN},
    [WIRE_SET_EA] = {sizeof(struct wire_information), WITH_TOKEN},
    [WIRE_QUERY_SECURITY] = {sizeof(struct wire_security), WITH_TOKEN},
    [WIRE_SET_SECURITY] = {sizeof(struct wire_security), WITH_TOKEN},
    [WIRE_SET_VOLUME] = {sizeof(struct wire_information), WITH_TOKEN},
    [WIRE_NOTIFY] = {sizeof(struct wire_notify), WAITING},
    [WIRE_LOST_HANDLES] = {0, LOSING_HANDLES},
    [WIRE_READ_PAGES] = {sizeof(struct wire_io), WITH_TOKEN},
    [WIRE_WRITE_PAGES] = {sizeof(struct wire_io), WITH_TOKEN},
    [WIRE_PUT_PART] = {sizeof(struct wire_part), AS_IT_IS},
    [WIRE_GET_PART] = {sizeof(struct wire_part), AS_IT_IS},
    [WIRE_CREATE_SECTION] = {sizeof(struct wire_create_section), MAPPING},
    [WIRE_END_SECTIONS] = {0, AS_IT_IS},
};

#define BODY(message) ((message) + sizeof(struct wire_header))

struct request {
    struct peer *peer;
    struct service_buffers *buffers;
    size_t length;
};

static size_t refuse(const struct request *request, uint16_t op, NTSTATUS status)
{
    return service_reply_header(request->buffers->reply, op, status, 0);
}

static size_t pass(const struct request *request)
{
    return relay_exchange(request->buffers->request, request->length, request->buffers->reply);
}

static NTSTATUS status_of(const struct request *request)
{
    struct wire_header header;

    memcpy(&header, request->buffers->reply, sizeof(header));
    return (NTSTATUS)header.status;
}

/* ---- tokens ---- */

static uint64_t every_scope(const void *context)
{
    return 0;
}

static void drain(const struct request *request)
{
    token_drain(request->peer->host->tokens, every_scope, NULL, &request->peer->stopping);
}

/*
 * The client's token at `place` becomes the machine's, until release; 0 stays 0. One that is not known here becomes one
 * that is not known there: what is wrong with a request, and what of it is to be said, is the machine's to judge.
 */
static void translate(const struct request *request, unsigned char *place, struct token_use *use)
{
    uint64_t token;

    *use = (struct token_use){0};
    memcpy(&token, place, sizeof(token));
    if (token == 0)
        return;
    if (token_use(request->peer->host->tokens, token, request->peer->owner, use) == STATUS_SUCCESS)
        token = (uint64_t)(uintptr_t)use->handle;
    else
        token = UINT64_MAX;
    memcpy(place, &token, sizeof(token));
}

static void release(const struct request *request, struct token_use *use)
{
    token_release(request->peer->host->tokens, use);
}

static size_t pass_with_token(const struct request *request)
{
    struct token_use use;
    size_t length;

    translate(request, BODY(request->buffers->request), &use);
    drain(request);
    length = pass(request);
    release(request, &use);
    return length;
}

/* The machine ends the request when it hears of the close, for which it therefore must not wait. */
static bool let_close(void *context)
{
    return true;
}

static size_t pass_waiting(const struct request *request)
{
    struct token_use use;
    size_t length;

    translate(request, BODY(request->buffers->request), &use);
    token_use_waits(request->peer->host->tokens, &use, let_close, NULL);
    drain(request);
    length = pass(request);
    release(request, &use);
    return length;
}

/* FILE_RENAME_INFORMATION and FILE_LINK_INFORMATION, x64's: RootDirectory is at 8. */
static size_t pass_with_rename(const struct request *request)
{
    const size_t root_at = sizeof(struct wire_header) + sizeof(struct wire_information) + 8;
    struct token_use root = {0};
    struct wire_information information;
    size_t length;

    memcpy(&information, BODY(request->buffers->request), sizeof(information));
    if ((information.information_class == FileRenameInformation ||
         information.information_class == FileLinkInformation) &&
        request->length >= root_at + sizeof(uint64_t))
        translate(request, request->buffers->request + root_at, &root);
    length = pass_with_token(request);
    release(request, &root);
    return length;
}

/* ---- creates ---- */

/* The machine's reply becomes the client's. */
static size_t hand_out(const struct request *request, const struct wire_create *asked, size_t length)
{
    NTSTATUS status = status_of(request);
    struct wire_created created;
    HANDLE handle;

    if (length != sizeof(struct wire_header) + sizeof(created))
        return 0;
    memcpy(&created, BODY(request->buffers->reply), sizeof(created));
    handle = (HANDLE)(uintptr_t)created.token;
    if (NT_SUCCESS(status)) {
        NTSTATUS given =
            handle ? handout_token(request->peer, asked, handle, 0, &created.token) : STATUS_INTERNAL_ERROR;
        if (given != STATUS_SUCCESS) {
            process_close_handle(handle);
            created.token = 0;
            status = given;
        }
    }
    if (asked->want_spare == 1)
        handout_spare(request->peer, &created.spare_token);
    memcpy(BODY(request->buffers->reply), &created, sizeof(created));
    return service_reply_header(request->buffers->reply, WIRE_CREATE, status, sizeof(created));
}

static size_t pass_create(const struct request *request)
{
    unsigned char *body = BODY(request->buffers->request);
    struct wire_create asked, passed;
    struct token_use root;
    size_t length;

    memcpy(&asked, body, sizeof(asked));
    translate(request, body + offsetof(struct wire_create, root_token), &root);
    memcpy(&passed, body, sizeof(passed));
    passed.no_token_file = asked.no_token_file > 1 ? asked.no_token_file : 1;
    passed.spare_token = 0;
    passed.want_spare = asked.want_spare > 1 ? asked.want_spare : 0;
    memcpy(body, &passed, sizeof(passed));
    drain(request);
    length = pass(request);
    release(request, &root);
    return length ? hand_out(request, &asked, length) : 0;
}

/* The machine's section becomes the client's. */
static size_t hand_out_section(const struct request *request, bool with_file, size_t length)
{
    struct wire_token section;
    HANDLE handle;
    NTSTATUS status;

    if (!NT_SUCCESS(status_of(request)))
        return length;
    if (length != sizeof(struct wire_header) + sizeof(section))
        return 0;
    memcpy(&section, BODY(request->buffers->reply), sizeof(section));
    handle = (HANDLE)(uintptr_t)section.token;
    status = handle ? token_add(request->peer->host->tokens, handle, request->peer->owner, 0, with_file, &section.token)
                    : STATUS_INTERNAL_ERROR;
    if (status == STATUS_SUCCESS) {
        memcpy(BODY(request->buffers->reply), &section, sizeof(section));
        return length;
    }
    process_close_handle(handle);
    return refuse(request, WIRE_CREATE_SECTION, status);
}

static size_t pass_section(const struct request *request)
{
    unsigned char *body = BODY(request->buffers->request);
    struct wire_create_section asked;
    struct token_use use;
    bool with_file;
    size_t length;

    translate(request, body, &use);
    memcpy(&asked, body, sizeof(asked));
    with_file = !asked.no_token_file;
    if (with_file)
        asked.no_token_file = 1;
    memcpy(body, &asked, sizeof(asked));
    drain(request);
    length = pass(request);
    release(request, &use);
    return length ? hand_out_section(request, with_file, length) : 0;
}

static size_t close_here(const struct request *request)
{
    struct wire_token token;
    NTSTATUS status = STATUS_INVALID_PARAMETER;

    memcpy(&token, BODY(request->buffers->request), sizeof(token));
    if (request->length == sizeof(struct wire_header) + sizeof(token))
        status = token_close(request->peer->host->tokens, token.token, request->peer->owner);
    return refuse(request, WIRE_CLOSE, status);
}

/* ---- the rest ---- */

static size_t pass_letters(const struct request *request)
{
    size_t length;

    drain(request);
    length = pass(request);
    explicit_bzero(BODY(request->buffers->request), request->length - sizeof(struct wire_header)); /* passwords */
    if (length && NT_SUCCESS(status_of(request)))
        relay_learn_letters(request->peer->host);
    return length;
}

static size_t publish_loss(const struct request *request)
{
    if (request->length != sizeof(struct wire_header))
        return refuse(request, WIRE_LOST_HANDLES, STATUS_INVALID_PARAMETER);
    peer_publish_loss(request->peer->host);
    return refuse(request, WIRE_LOST_HANDLES, STATUS_SUCCESS);
}

static size_t dispatch(const struct request *request, enum passing passing)
{
    switch (passing) {
    case WITH_TOKEN:
        return pass_with_token(request);
    case WAITING:
        return pass_waiting(request);
    case WITH_RENAME:
        return pass_with_rename(request);
    case CREATING:
        return pass_create(request);
    case MAPPING:
        return pass_section(request);
    case CLOSING:
        return close_here(request);
    case CHANGING_LETTERS:
        return pass_letters(request);
    case LOSING_HANDLES:
        return publish_loss(request);
    case REPORTING:
        token_drain_all(request->peer->host->tokens);
        return pass(request);
    default:
        return pass(request);
    }
}

size_t service_private_bytes(const struct wire_header *header)
{
    return header->length; /* it goes on as it is */
}

size_t service_serve(struct peer *peer, struct service_buffers *buffers, size_t length)
{
    const struct request request = {peer, buffers, length};
    const struct operation *operation;
    struct wire_header header;

    if (length < sizeof(header))
        return 0;
    memcpy(&header, buffers->request, sizeof(header));
    if (header.magic != WIRE_MAGIC || header.version != WIRE_VERSION || header.length != length)
        return 0;
    operation = header.op < WIRE_OP_LIMIT ? &operations[header.op] : NULL;
    if (!operation || operation->passing == NOT_PASSED)
        return refuse(&request, header.op, STATUS_INVALID_DEVICE_REQUEST);
    if (length - sizeof(header) < operation->fixed)
        return refuse(&request, header.op, STATUS_INVALID_PARAMETER);
    return dispatch(&request, operation->passing);
}
