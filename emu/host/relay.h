/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay.h - rdrlab-relay's side of a link (wire.h, JOIN): a machine elsewhere, offered to programs here as if it were
 * in a folder of theirs.
 *
 * Connections: the keeper's, which learns of letters and shows that both ends live; one that closes files, for whoever
 * was their last holder; and one for each thread that serves a client. If any breaks, the link is lost as a whole, and
 * every file with it, like those of a machine that has crashed.
 */
#ifndef RDRLAB_HOST_RELAY_H
#define RDRLAB_HOST_RELAY_H

#include "host.h"
#include "wire/remote.h"

struct relay_options {
    const char *address; /* HOST:PORT of the machine */
    struct remote_secret secret;
    int patience_ms; /* to connect, and between the machine's signs of life */
};

/*
 * relay_open - begin the link, and fill in what clients are told of the machine. Once in a process.
 *   lost     an eventfd that rings when the link is lost.
 *   Returns  0, or a negative errno with one sentence in error. relay_close in every case.
 */
int relay_open(struct host *host, const struct relay_options *options, int lost, char *error, size_t error_size);

/* After a loss: wakes every thread that waits for the machine. */
void relay_give_up(struct host *host);

/* Hangs up, once no client is there any longer. */
void relay_close(void);

/*
 * relay_exchange - one request, on the calling thread's connection as the process it acts as (process_enter).
 *   request, reply  whole messages; reply has room for WIRE_MESSAGE_MAX bytes.
 *   Returns         the reply's length, at least a header's; 0: the client is gone, or the link.
 */
size_t relay_exchange(const void *request, size_t length, void *reply);

/* Has the letters known here, after a reply that may have changed them. Before that reply is passed on. */
void relay_learn_letters(struct host *host);

#endif
