/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a client: start, greeting, stop, and what is undone after it. */
#include "peer.h"

#include "process.h"
#include "slots.h"
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct start {
    struct peer *peer;
    void (*serve)(struct peer *peer);
};

/* ---- the peer's thread ---- */

static void undo(struct peer *peer)
{
    struct host *host = peer->host;
    struct process *process;
    struct region region;

    peer_stop(peer);
    slots_join(peer);
    if (peer->owner == peer)
        token_owner_gone(host->tokens, peer);

    pthread_mutex_lock(&host->lock);
    process = peer->process;
    region = peer->region;
    peer->process = NULL;
    peer->region = (struct region){.fd = -1};
    pthread_mutex_unlock(&host->lock);

    process_enter(NULL);
    process_close(peer, process);
    if (region.map) {
        slots_mark_dead(region.map);
        region_destroy(&region);
    }
}

static void *peer_thread(void *argument)
{
    struct start start = *(struct start *)argument;
    struct host *host = start.peer->host;

    free(argument);
    start.serve(start.peer);
    undo(start.peer);
    atomic_store(&start.peer->finished, true); /* from here on it may be freed */
    host_kick(host);
    return NULL;
}

/* ---- start and greeting ---- */

bool peer_add(struct host *host, int socket, const struct region *region, const char *from,
              void (*serve)(struct peer *peer))
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct start *start = malloc(sizeof(*start));
    bool good = false;

    if (!peer || !start)
        goto exit;
    peer->host = host;
    peer->socket = socket;
    peer->owner = peer;
    peer->region = region ? *region : (struct region){.fd = -1};
    snprintf(peer->from, sizeof(peer->from), "%s", from ? from : "");
    *start = (struct start){peer, serve};

    pthread_mutex_lock(&host->lock);
    peer->number = host->peers_ever + 1;
    if (host->peer_count < HOST_PEERS_MAX && pthread_create(&peer->thread, NULL, peer_thread, start) == 0) {
        host->peers_ever++;
        peer->next = host->peers;
        host->peers = peer;
        host->peer_count++;
        good = true;
    }
    pthread_mutex_unlock(&host->lock);

exit:
    if (!good) {
        free(start);
        free(peer);
    }
    return good;
}

void peer_name(struct peer *peer, const char program[64])
{
    memcpy(peer->program, program, sizeof(peer->program));
    peer->program[sizeof(peer->program) - 1] = '\0';
    for (char *c = peer->program; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?'; /* it goes to a terminal with --verbose */
}

void peer_run_as(struct peer *peer, struct process *process)
{
    process_enter(process);
    pthread_mutex_lock(&peer->host->lock);
    peer->process = process;
    pthread_mutex_unlock(&peer->host->lock);
}

NTSTATUS peer_greet(struct peer *peer, const struct wire_hello *hello)
{
    struct process *process;
    NTSTATUS status;

    if (hello->wants_region > 1 || hello->pad != 0 || hello->session > WIRE_SESSION_MOST)
        return STATUS_INVALID_PARAMETER;
    peer_name(peer, hello->program);
    status = process_open(peer, hello->session, &process);
    if (status != STATUS_SUCCESS)
        return status;
    peer_run_as(peer, process);
    host_log(peer->host, "client %llu: pid %d, \"%s\", process %u, session %u", (unsigned long long)peer->number,
             (int)peer->pid, peer->program, hello->process_id, hello->session);
    return STATUS_SUCCESS;
}

/* ---- from other threads ---- */

/*
 * A remote peer that goes has the reply to its last request sent first: its relay has to know of a file that was opened
 * all the same. Where there is nobody left to read it, it is hung up on.
 */
static void stop_locked(struct peer *peer)
{
    atomic_store(&peer->stopping, true);
    if (peer->socket >= 0)
        shutdown(peer->socket, peer->remote ? SHUT_RD : SHUT_RDWR);
    if (peer->process)
        process_cancel(peer->process);
    if (peer->region.map)
        slots_wake(peer);
    pthread_cond_broadcast(&peer->host->letters_changed);
}

void peer_stop(struct peer *peer)
{
    pthread_mutex_lock(&peer->host->lock);
    stop_locked(peer);
    pthread_mutex_unlock(&peer->host->lock);
    host_kick(peer->host);
}

static void hang_up_locked(struct peer *peer)
{
    stop_locked(peer);
    if (peer->socket >= 0)
        shutdown(peer->socket, SHUT_RDWR);
}

void peer_stop_all(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    for (struct peer *peer = host->peers; peer; peer = peer->next)
        hang_up_locked(peer);
    pthread_mutex_unlock(&host->lock);
}

void peer_hang_up(struct host *host, const void *owner)
{
    pthread_mutex_lock(&host->lock);
    for (struct peer *peer = host->peers; peer; peer = peer->next)
        if (peer->owner == owner)
            hang_up_locked(peer);
    pthread_mutex_unlock(&host->lock);
    host_kick(host);
}

void peer_abandon_all(struct host *host)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec++;
    if (pthread_mutex_timedlock(&host->lock, &deadline) != 0)
        return;
    for (struct peer *peer = host->peers; peer; peer = peer->next)
        if (peer->region.map)
            slots_mark_dead(peer->region.map);
    pthread_mutex_unlock(&host->lock);
}

static void dispose(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    host_log(peer->host, "client %llu: gone", (unsigned long long)peer->number);
    if (peer->socket >= 0)
        close(peer->socket);
    free(peer);
}

unsigned peer_reap(struct host *host)
{
    struct peer **link = &host->peers, *peer, *finished = NULL;
    unsigned stopping = 0;

    pthread_mutex_lock(&host->lock);
    while ((peer = *link) != NULL) {
        if (atomic_load(&peer->finished)) {
            *link = peer->next;
            peer->next = finished;
            finished = peer;
            host->peer_count--;
            continue;
        }
        if (atomic_load(&peer->stopping)) {
            stop_locked(peer);
            stopping++;
        }
        link = &peer->next;
    }
    pthread_mutex_unlock(&host->lock);
    while ((peer = finished) != NULL) {
        finished = peer->next;
        dispose(peer);
    }
    return stopping;
}

unsigned peer_count_clients(struct host *host)
{
    unsigned count = 0;

    pthread_mutex_lock(&host->lock);
    for (const struct peer *peer = host->peers; peer; peer = peer->next)
        count += peer->owner == peer && !peer->from[0];
    pthread_mutex_unlock(&host->lock);
    return count;
}

void peer_publish_letters(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    for (struct peer *peer = host->peers; peer; peer = peer->next)
        if (peer->process && peer->region.map)
            wire_store(&peer->region.map->letters, process_letters(peer->process));
    host->letters_serial++;
    pthread_cond_broadcast(&host->letters_changed);
    pthread_mutex_unlock(&host->lock);
}

void peer_publish_loss(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    for (struct peer *peer = host->peers; peer; peer = peer->next)
        if (peer->region.map)
            __atomic_add_fetch(&peer->region.map->lost_handles, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&host->lock);
}
