/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listener.h - the door for relays on other systems. Who knocks has to have the secret (remote.h) and to say JOIN
 * (wire.h) at once; of those who have not yet, only so many are let in at a time, and each for so long.
 */
#ifndef RDRLAB_HOST_LISTENER_H
#define RDRLAB_HOST_LISTENER_H

#include "host.h"
#include "wire/remote.h"

/* A handshake takes a millisecond or two, and the network's way there and back. */
#define LISTENER_STRANGERS_MAX 16

/*
 * listener_open - listen. Once in a process.
 *   secret      copied.
 *   patience_ms for a handshake, for the rest of a message, and between signs of life of a link.
 *   Returns     the socket; a negative errno with one sentence in error.
 */
int listener_open(const char *address, const struct remote_secret *secret, int patience_ms, char *bound,
                  size_t bound_size, char *error, size_t error_size);

/* For server.h's door. */
void listener_accept(struct host *host, int listener);

#endif
