/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h - a client process as the machine sees it: an emulated process, a thread that listens to it, a runner per
 * slot it uses.
 *
 * Life: peer_add links it into the host's list and starts its thread. That thread makes the emulated process once the
 * client has said hello, and undoes everything when the client is gone: joins runners, lets go of tokens, deletes the
 * emulated process. It sets `finished` last; the main loop then reaps. Only the main loop frees a peer.
 *
 * peer_stop may come from any thread at any time, also repeatedly, and never waits.
 */
#ifndef RDRLAB_HOST_PEER_H
#define RDRLAB_HOST_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host.h"
#include "region.h"

struct process;
struct remote;
struct runner;

struct peer {
    struct host *host;
    uint64_t number;       /* counts up; for the log */
    int socket;            /* -1: came through attach/ */
    struct remote *remote; /* the connection on that socket, if it is TCP; used by the peer's thread only */
    int patience_ms;       /* remote: how long it may say nothing; negative: for ever */
    const void *owner;     /* of the tokens that it gets: itself, or the link that it is part of (link.h) */
    bool keeper;           /* of that link */
    pid_t pid;             /* Linux process, 0 if not known */
    char program[64];
    char from[64];         /* remote: its address, for the log */
    atomic_llong deadline; /* remote: when it must have joined a link, in host_milliseconds; 0: it has */
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool finished;
    atomic_uint spares; /* offered to it and not bound: see SPARES_MAX */

    /* Written by the peer's thread under host->lock; others read them under it. */
    struct process *process;
    struct region region;
    struct runner *runners[WIRE_SLOT_COUNT];

    struct peer *next; /* host->lock */
};

/*
 * peer_add - a new client, served by `serve` on a thread of its own.
 *   socket, region  become the peer's, unless it fails.
 *   from            the address of a remote one, otherwise NULL.
 *   Returns  true; false: HOST_PEERS_MAX clients, or no memory.
 */
bool peer_add(struct host *host, int socket, const struct region *region, const char *from,
              void (*serve)(struct peer *peer));

/* A client's name for itself, made fit to print. */
void peer_name(struct peer *peer, const char program[64]);

/* From now on the peer's thread, which calls this, and its runners act as this process. */
void peer_run_as(struct peer *peer, struct process *process);

/* What the two kinds of hello have in common: validates, makes the emulated process, enters it. */
NTSTATUS peer_greet(struct peer *peer, const struct wire_hello *hello);

void peer_stop(struct peer *peer);

/* The main loop's part: stops again what is stopping, so that no wake-up or cancellation is lost to a race; joins and
 * frees what has finished. Returns how many peers are stopping and not yet finished. */
unsigned peer_reap(struct host *host);

/* Clients of this system that are there, greeted or not. */
unsigned peer_count_clients(struct host *host);

void peer_stop_all(struct host *host);

/* Stops the peers of a link, and has none of them wait for a connection that nobody is at the other end of. */
void peer_hang_up(struct host *host, const void *owner);
/* The machine has stopped for good: whoever waits in a slot is told so. Takes no lock of the machine's, and does
 * without the host's if the thread that stopped holds it. */
void peer_abandon_all(struct host *host);

/* Counts up every region's lost_handles. */
void peer_publish_loss(struct host *host);

/* Writes the letters that each client's process now sees into its region. The caller's process is kept. */
void peer_publish_letters(struct host *host);

#endif
