/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* server.h - the socket and the main loop. */
#ifndef RDRLAB_HOST_SERVER_H
#define RDRLAB_HOST_SERVER_H

#include "folder.h"
#include "host.h"

/*
 * server_listen - make the socket, mode 0600, in the machine's folder.
 *   error    out on failure: one sentence.
 *   Returns  the listening socket, or -1.
 */
int server_listen(const struct folder *folder, char *error, size_t error_size);

/*
 * server_run - accept and reap clients until `signals` (a signalfd) or `bug_check` (an eventfd) is readable.
 * Afterwards no new client gets in; those there are still served. Returns true for a signal.
 */
bool server_run(struct host *host, int listener, int signals, int bug_check);

/* Hangs up on every client and waits until the last has been undone. */
void server_disconnect_all(struct host *host);

#endif
