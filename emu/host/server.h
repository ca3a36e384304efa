/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* server.h - the socket and the main loop. */
#ifndef RDRLAB_HOST_SERVER_H
#define RDRLAB_HOST_SERVER_H

#include "folder.h"
#include "host.h"

#define SERVER_DOORS 2

/*
 * server_listen - make the socket, mode 0600, in the machine's folder.
 *   error    out on failure: one sentence.
 *   Returns  the listening socket, or -1.
 */
int server_listen(const struct folder *folder, char *error, size_t error_size);

/* A way in: a listening socket, and what is done with a client that knocks. */
struct server_door {
    int listener; /* -1: closed */
    void (*accept)(struct host *host, int listener);
};

/* The machine's folder's own door, for programs of this user. */
void server_accept(struct host *host, int listener);

/*
 * server_run - accept and reap clients until `signals` (a signalfd) or `failure` (an eventfd) is readable.
 * Afterwards no new client gets in; those there are still served. Returns true for a signal.
 */
bool server_run(struct host *host, const struct server_door doors[SERVER_DOORS], int signals, int failure);

/* One message of a greeted client and its reply; false: hang up. On the peer's thread. */
struct peer;
struct service_buffers;
bool server_serve_message(struct peer *peer, struct service_buffers *buffers);

/* Hangs up on every client and waits until the last has been undone. */
void server_disconnect_all(struct host *host);

#endif
