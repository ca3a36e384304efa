/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Links of relays. The list, and all in it, is guarded by host->lock. */
#include "link.h"

#include "process_machine.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SESSION (WIRE_SESSION_MOST + 1)

struct link_share { /* connected without a letter */
    struct link_share *next;
    UNICODE_STRING remote; /* follows the structure */
};

struct link {
    unsigned char id[sizeof(((struct wire_join *)0)->link)];
    uint32_t session; /* FIRST_SESSION and up: those of the machine's own system are below */
    uint32_t letters; /* that it has connected, bit 0 for A: */
    struct link_share *shares;
    unsigned peers;
    bool ended;
    struct process *processes;
    struct link *next;
};

/* ---- joining (with the lock held) ---- */

static struct link *find(const struct host *host, const unsigned char *id)
{
    struct link *link = host->links;

    while (link && memcmp(link->id, id, sizeof(link->id)) != 0)
        link = link->next;
    return link;
}

static uint32_t free_session(const struct host *host)
{
    uint32_t session = FIRST_SESSION - 1;
    const struct link *link;

    do
        for (session++, link = host->links; link && link->session != session;)
            link = link->next;
    while (link);
    return session;
}

static struct link *begin(struct host *host, const struct wire_join *join)
{
    struct link *link = calloc(1, sizeof(*link));

    if (!link)
        return NULL;
    memcpy(link->id, join->link, sizeof(link->id));
    link->session = free_session(host);
    link->next = host->links;
    host->links = link;
    return link;
}

static void remove_link(struct host *host, struct link *link)
{
    struct link **place = &host->links;

    while (*place != link)
        place = &(*place)->next;
    *place = link->next;
}

static struct process *share_process(struct link *link, uint32_t number)
{
    struct process *process = link->processes;

    while (process && process->number != number)
        process = process->next;
    if (!process) {
        process = process_create(link->session);
        if (!process)
            return NULL;
        process->number = number;
        process->next = link->processes;
        link->processes = process;
    }
    process->users++;
    return process;
}

/* Whether it was the last one. */
static bool let_go(struct link *link, struct process *process)
{
    struct process **place = &link->processes;

    if (--process->users > 0)
        return false;
    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
    return true;
}

static NTSTATUS join_locked(struct peer *peer, const struct wire_join *join, struct process **ret_process)
{
    struct link *link = find(peer->host, join->link);
    struct process *process;

    if (join->keeper ? link != NULL : !link || link->ended)
        return STATUS_CONNECTION_INVALID;
    if (!link)
        link = begin(peer->host, join);
    process = link ? share_process(link, join->process_id) : NULL;
    if (!process) {
        if (link && link->peers == 0) {
            remove_link(peer->host, link);
            free(link);
        }
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    link->peers++;
    peer->owner = link;
    peer->keeper = join->keeper != 0;
    *ret_process = process;
    return STATUS_SUCCESS;
}

/* ---- the functions of link.h ---- */

NTSTATUS link_join(struct peer *peer, const struct wire_join *join, struct process **ret_process)
{
    NTSTATUS status;

    if (join->keeper > 1)
        return STATUS_INVALID_PARAMETER;
    peer_name(peer, join->program);
    pthread_mutex_lock(&peer->host->lock);
    status = join_locked(peer, join, ret_process);
    pthread_mutex_unlock(&peer->host->lock);
    if (status == STATUS_SUCCESS)
        host_log(peer->host, "client %llu: \"%s\", process %u of session %u", (unsigned long long)peer->number,
                 peer->program, join->process_id, ((const struct link *)peer->owner)->session);
    return status;
}

static void disconnect_shares(struct link *link)
{
    for (struct link_share *share = link->shares, *next; share; share = next) {
        next = share->next;
        EmuUseDeleteUnlettered(&share->remote, TRUE);
        free(share);
    }
}

/* The last connection is gone: nobody else can reach the link. Letters are those of its processes' session. */
static void end(struct host *host, struct link *link, struct process *process)
{
    token_owner_gone(host->tokens, link);
    process_enter(process);
    for (ULONG letter = 0; letter < WIRE_LETTERS; letter++)
        if (link->letters >> letter & 1)
            EmuUseDelete(letter, TRUE);
    disconnect_shares(link);
    process_enter(NULL);
    if (link->letters)
        peer_publish_letters(host);
    host_log(host, "session %u: over", link->session);
    free(link);
}

void link_leave(struct peer *peer, struct process *process)
{
    struct link *link = (struct link *)peer->owner;
    struct host *host = peer->host;
    bool last_of_process, last_of_link;

    pthread_mutex_lock(&host->lock);
    link->ended |= peer->keeper;
    last_of_process = let_go(link, process);
    last_of_link = --link->peers == 0;
    if (last_of_link)
        remove_link(host, link);
    pthread_mutex_unlock(&host->lock);
    if (last_of_link)
        end(host, link, process);
    else if (peer->keeper)
        peer_hang_up(host, link);
    if (last_of_process)
        process_delete(process);
}

unsigned link_count_processes(struct host *host)
{
    unsigned count = 0;

    pthread_mutex_lock(&host->lock);
    for (const struct link *link = host->links; link; link = link->next)
        for (const struct process *process = link->processes; process; process = process->next)
            count++;
    pthread_mutex_unlock(&host->lock);
    return count;
}

/* Whether what is noted of `link` may be what the peer has connected or disconnected: with sessions, nobody else's is.
 */
static bool is_meant(const struct link *link, const struct peer *peer)
{
    return !EmuBuildHasSessions(EmuMachineBuild()) || link == peer->owner;
}

void link_note_letter(struct peer *peer, uint32_t letter, bool connected)
{
    pthread_mutex_lock(&peer->host->lock);
    for (struct link *link = peer->host->links; link; link = link->next)
        if (is_meant(link, peer))
            link->letters &= ~(1u << letter);
    if (connected && peer->owner != peer)
        ((struct link *)peer->owner)->letters |= 1u << letter;
    pthread_mutex_unlock(&peer->host->lock);
}

/* With the lock held. */
static void forget_share(struct link *link, const UNICODE_STRING *remote)
{
    for (struct link_share **place = &link->shares, *share = *place; share; share = *place) {
        if (RtlEqualUnicodeString(&share->remote, remote, TRUE)) {
            *place = share->next;
            free(share);
        } else {
            place = &share->next;
        }
    }
}

bool link_note_share(struct peer *peer, const UNICODE_STRING *remote, bool connected)
{
    struct link *owner = connected && peer->owner != peer ? (struct link *)peer->owner : NULL;
    struct link_share *share = owner ? malloc(sizeof(*share) + remote->Length) : NULL;

    if (owner && !share)
        return false;
    pthread_mutex_lock(&peer->host->lock);
    for (struct link *link = peer->host->links; link; link = link->next)
        if (is_meant(link, peer))
            forget_share(link, remote);
    if (share) {
        share->remote = (UNICODE_STRING){remote->Length, remote->Length, (WCHAR *)(void *)(share + 1)};
        memcpy(share->remote.Buffer, remote->Buffer, remote->Length);
        share->next = owner->shares;
        owner->shares = share;
    }
    pthread_mutex_unlock(&peer->host->lock);
    return true;
}
