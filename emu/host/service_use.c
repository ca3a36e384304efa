/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "net use": letters, and who connects. */
#include "link.h"
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
    const UNICODE_STRING *used_password = request->has_password ? &password : NULL;

    if (user.Length == 0)
        user = host->user;
    if (!used_password && host->user.Length && same(&user, &host->user))
        used_password = &host->password;
    return EmuUseAdd(request->letter, &remote, user.Length ? &user : NULL, used_password);
}

NTSTATUS service_add_connection(struct call *call)
{
    const struct wire_add_connection *request = call->fixed;
    NTSTATUS status = STATUS_INVALID_PARAMETER;

    if (request->letter < WIRE_LETTERS && service_is_name(request->remote_length) &&
        service_is_name(request->user_length) && service_is_name(request->password_length) &&
        request->remote_length + request->user_length + request->password_length == call->data_length &&
        request->has_password <= 1 && (request->has_password || request->password_length == 0))
        status = add(call, request);
    explicit_bzero(call->data, call->data_length);
    if (NT_SUCCESS(status)) {
        link_note_letter(call->peer, request->letter, true);
        peer_publish_letters(call->peer->host);
    }
    return status;
}

static uint64_t every_scope(const void *context)
{
    return 0;
}

NTSTATUS service_cancel_connection(struct call *call)
{
    const struct wire_letter *request = call->fixed;
    struct peer *peer = call->peer;
    NTSTATUS status;

    if (request->letter >= WIRE_LETTERS || request->force > 1 || call->data_length)
        return STATUS_INVALID_PARAMETER;
    token_drain(peer->host->tokens, every_scope, NULL, &peer->stopping);
    status = EmuUseDelete(request->letter, request->force != 0);
    if (NT_SUCCESS(status)) {
        link_note_letter(peer, request->letter, false);
        peer_publish_letters(peer->host);
    }
    return status;
}

NTSTATUS service_get_connection(struct call *call)
{
    const struct wire_letter *request = call->fixed;
    UNICODE_STRING remote = {0, 65534, (WCHAR *)(call->reply + sizeof(struct wire_done))};
    NTSTATUS status;

    if (request->letter >= WIRE_LETTERS || call->data_length)
        return STATUS_INVALID_PARAMETER;
    status = EmuUseQuery(request->letter, &remote);
    return service_done(call, status, remote.Length);
}

#define REMOTE_MOST 32768
#define USER_MOST   512

/* The row at `place`, which has `room` bytes; 0 if it does not fit, or there is none. */
static uint32_t put_row(unsigned char *place, uint32_t room, const struct wire_connection *row,
                        const UNICODE_STRING *remote, const UNICODE_STRING *user)
{
    struct wire_connection whole = *row;

    whole.remote_length = remote->Length;
    whole.user_length = user->Length;
    whole.length = ((uint32_t)sizeof(whole) + whole.remote_length + whole.user_length + 7) & ~7u;
    if (whole.length > room)
        return 0;
    memset(place, 0, whole.length);
    memcpy(place, &whole, sizeof(whole));
    memcpy(place + sizeof(whole), remote->Buffer, whole.remote_length);
    memcpy(place + sizeof(whole) + whole.remote_length, user->Buffer, whole.user_length);
    return whole.length;
}

/* What was closed before this was asked is closed before it is counted. */
NTSTATUS service_list_connections(struct call *call)
{
    const struct wire_list_connections *request = call->fixed;
    unsigned char *rows = call->reply + sizeof(struct wire_done);
    uint32_t length = 0, more = 1, next = request->first;
    WCHAR remote_buffer[REMOTE_MOST / sizeof(WCHAR)], user_buffer[USER_MOST / sizeof(WCHAR)];
    UNICODE_STRING remote = {0, sizeof(remote_buffer) - 2, remote_buffer}, user = {0, sizeof(user_buffer), user_buffer};
    EMU_USE use = {0};

    if (call->data_length || request->pad)
        return STATUS_INVALID_PARAMETER;
    token_drain_all(call->peer->host->tokens);
    for (; more && EmuUseEnumerate(next, &use, &remote, &user) == STATUS_SUCCESS; next = use.Number + 1) {
        const struct wire_connection row = {
            .number = use.Number, .letter = use.Letter, .status = use.Status, .open_files = use.OpenFiles};
        more = put_row(rows + length, WIRE_DATA_MAX - length, &row, &remote, &user);
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
