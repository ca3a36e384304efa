/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "net use": letters, and who connects. */
#include "link.h"
#include "mappings.h"
#include "process.h"
#include "service.h"

#include <string.h>
#include <time.h>

static UNICODE_STRING cut(unsigned char **place, uint32_t length)
{
    UNICODE_STRING text = {(USHORT)length, (USHORT)length, (WCHAR *)*place};

    *place += length;
    return text;
}

static bool same(const UNICODE_STRING *left, const UNICODE_STRING *right)
{
    return left->Length == right->Length && memcmp(left->Buffer, right->Buffer, left->Length) == 0;
}

/*
 * Where a client leaves something out, the machine's own account stands in, as the logged-on user's does in NT: for no
 * user at all, and for the password of that same user.
 */
static NTSTATUS add(struct call *call, const struct wire_add_connection *request)
{
    const struct host *host = call->peer->host;
    unsigned char *place = call->data;
    UNICODE_STRING remote = cut(&place, request->remote_length), user = cut(&place, request->user_length),
                   password = cut(&place, request->password_length);
    const UNICODE_STRING *used_password = request->has_password ? &password : NULL, named = user; /* by the client */
    NTSTATUS status;

    if (request->remember && call->peer->remote)
        return STATUS_NOT_SUPPORTED;
    if (user.Length == 0)
        user = host->user;
    if (!used_password && host->user.Length && same(&user, &host->user))
        used_password = &host->password;
    status = EmuUseAdd(request->letter, &remote, user.Length ? &user : NULL, used_password);
    if (!NT_SUCCESS(status) || !request->remember)
        return status;
    status = mappings_remember(host->mappings, request->letter, &remote, &named);
    if (!NT_SUCCESS(status))
        EmuUseDelete(request->letter, TRUE);
    return status;
}

/* A letter, or a connection without one, has come or gone by this client. False: no memory to note it. */
static bool note(struct peer *peer, uint32_t letter, const UNICODE_STRING *remote, bool connected)
{
    if (letter == WIRE_NO_LETTER)
        return link_note_share(peer, remote, connected);
    link_note_letter(peer, letter, connected);
    peer_publish_letters(peer->host);
    return true;
}

NTSTATUS service_add_connection(struct call *call)
{
    const struct wire_add_connection *request = call->fixed;
    UNICODE_STRING remote = {(USHORT)request->remote_length, 0, (WCHAR *)call->data};
    NTSTATUS status = STATUS_INVALID_PARAMETER;

    if (request->letter <= WIRE_NO_LETTER && service_is_name(request->remote_length) &&
        service_is_name(request->user_length) && service_is_name(request->password_length) &&
        request->remote_length + request->user_length + request->password_length == call->data_length &&
        request->has_password <= 1 && request->remember <= (request->letter < WIRE_LETTERS) &&
        (request->has_password || request->password_length == 0))
        status = add(call, request);
    if (NT_SUCCESS(status) && !note(call->peer, request->letter, &remote, true)) {
        EmuUseDeleteUnlettered(&remote, TRUE);
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    explicit_bzero(call->data, call->data_length);
    return status;
}

static uint64_t every_scope(const void *context)
{
    return 0;
}

static bool is_sound(const struct wire_cancel_connection *request, uint32_t data_length)
{
    if (request->pad || request->remote_length != data_length ||
        request->force > (WIRE_CANCEL_FORCE | WIRE_CANCEL_FORGET))
        return false;
    return request->letter < WIRE_LETTERS ? data_length == 0
                                          : request->letter == WIRE_NO_LETTER && service_is_name(data_length);
}

NTSTATUS service_cancel_connection(struct call *call)
{
    const struct wire_cancel_connection *request = call->fixed;
    UNICODE_STRING remote = {(USHORT)request->remote_length, 0, (WCHAR *)call->data};
    const bool force = (request->force & WIRE_CANCEL_FORCE) != 0;
    struct peer *peer = call->peer;
    NTSTATUS status;

    if (!is_sound(request, call->data_length))
        return STATUS_INVALID_PARAMETER;
    token_drain(peer->host->tokens, every_scope, NULL, &peer->stopping);
    status = request->letter == WIRE_NO_LETTER ? EmuUseDeleteUnlettered(&remote, force)
                                               : EmuUseDelete(request->letter, force);
    if (request->force & WIRE_CANCEL_FORGET && request->letter < WIRE_LETTERS &&
        (NT_SUCCESS(status) || status == STATUS_OBJECT_NAME_NOT_FOUND) &&
        mappings_forget(peer->host->mappings, request->letter) && !NT_SUCCESS(status))
        return STATUS_SUCCESS;
    if (NT_SUCCESS(status))
        note(peer, request->letter, &remote, false);
    return status;
}

NTSTATUS service_get_connection(struct call *call)
{
    const struct wire_letter *request = call->fixed;
    UNICODE_STRING remote = {0, 65534, (WCHAR *)(call->reply + sizeof(struct wire_done))};
    NTSTATUS status;

    if (request->letter >= WIRE_LETTERS || request->pad || call->data_length)
        return STATUS_INVALID_PARAMETER;
    status = EmuUseQuery(request->letter, &remote);
    return service_done(call, status, remote.Length);
}

#define REMOTE_MOST 32768
#define USER_MOST   512

struct row {
    struct wire_connection fixed;
    UNICODE_STRING remote, user;
    WCHAR remote_buffer[REMOTE_MOST / sizeof(WCHAR)], user_buffer[USER_MOST / sizeof(WCHAR)];
};

/* The first with this number or a greater one; a letter that is connected stands for what is remembered of it. False:
 * there is none. */
static bool next_row(struct mappings *mappings, ULONG first, struct row *row)
{
    EMU_USE use = {0};
    bool there, connecting;
    ULONG end = WIRE_LETTERS, letter;

    row->remote = (UNICODE_STRING){0, sizeof(row->remote_buffer) - sizeof(WCHAR), row->remote_buffer};
    row->user = (UNICODE_STRING){0, sizeof(row->user_buffer), row->user_buffer};
    there = EmuUseEnumerate(first, &use, &row->remote, &row->user) == STATUS_SUCCESS;
    if (there && use.Letter < WIRE_LETTERS)
        end = use.Letter + (use.Status == EmuUseConnecting && mappings_has(mappings, use.Letter));
    row->fixed = (struct wire_connection){.number = use.Number,
                                          .letter = use.Letter,
                                          .status = use.Status,
                                          .open_files = use.OpenFiles,
                                          .remembered = mappings_has(mappings, use.Letter)};
    letter = mappings_find(mappings, first, end, &connecting, &row->remote, &row->user);
    if (letter == end)
        return there;
    row->fixed = (struct wire_connection){.number = letter,
                                          .letter = letter,
                                          .status = connecting ? WIRE_USE_RECONNECTING : WIRE_USE_UNAVAILABLE,
                                          .remembered = 1};
    return true;
}

/* To `place`, which has `room` bytes; its length, 0 if it does not fit. */
static uint32_t put_row(unsigned char *place, uint32_t room, struct row *row)
{
    struct wire_connection *fixed = &row->fixed;

    fixed->remote_length = row->remote.Length;
    fixed->user_length = row->user.Length;
    fixed->length = ((uint32_t)sizeof(*fixed) + fixed->remote_length + fixed->user_length + 7) & ~7u;
    if (fixed->length > room)
        return 0;
    memset(place, 0, fixed->length);
    memcpy(place, fixed, sizeof(*fixed));
    memcpy(place + sizeof(*fixed), row->remote.Buffer, fixed->remote_length);
    memcpy(place + sizeof(*fixed) + fixed->remote_length, row->user.Buffer, fixed->user_length);
    return fixed->length;
}

/* What was closed before this was asked is closed before it is counted. */
NTSTATUS service_list_connections(struct call *call)
{
    const struct wire_list_connections *request = call->fixed;
    struct host *host = call->peer->host;
    unsigned char *rows = call->reply + sizeof(struct wire_done);
    uint32_t length = 0, more = 1, next = request->first;
    struct row row;

    if (call->data_length || request->pad)
        return STATUS_INVALID_PARAMETER;
    token_drain_all(host->tokens);
    for (; more && next_row(host->mappings, next, &row); next = row.fixed.number + 1) {
        more = put_row(rows + length, WIRE_DATA_MAX - length, &row);
        length += more;
    }
    return service_done(call, STATUS_SUCCESS, length);
}

/* A thread of the keeper's own: letters change seldom, and the relay has to ask anyway, to show that it lives. */
NTSTATUS service_watch_letters(struct call *call)
{
    const struct wire_watch *request = call->fixed;
    struct wire_letters *letters = (struct wire_letters *)call->reply;
    struct peer *peer = call->peer;
    struct host *host = peer->host;
    struct timespec until;

    if (call->data_length || request->patience > WIRE_WATCH_MOST)
        return STATUS_INVALID_PARAMETER;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(request->patience % 1000) * 1000000;
    until.tv_sec += request->patience / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&host->lock);
    while (host->letters_serial == request->serial && !atomic_load(&peer->stopping) &&
           pthread_cond_timedwait(&host->letters_changed, &host->lock, &until) == 0)
        ;
    *letters = (struct wire_letters){process_letters(peer->process), host->letters_serial};
    pthread_mutex_unlock(&host->lock);
    call->reply_length = sizeof(*letters);
    return STATUS_SUCCESS;
}
