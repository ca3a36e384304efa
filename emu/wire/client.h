/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - the native side of wire.h: what rdrlab, the tests and the measurements use to talk to a machine.
 *
 * Functions return 0 or a negative errno; what the machine thinks of a request is the reply's NTSTATUS. -ECONNRESET
 * is the machine having hung up or died, at any moment, and is final for that client.
 */
#ifndef RDRLAB_WIRE_CLIENT_H
#define RDRLAB_WIRE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct wire_client;
struct wire_region;
struct wire_line; /* one slot of the shared region, for one thread at a time */

/* A reply without its header. The caller's memory: large, so not for small stacks. */
struct wire_reply {
    uint32_t status; /* NTSTATUS */
    uint32_t length; /* bytes of body that count */
    _Alignas(16) unsigned char body[WIRE_MESSAGE_MAX];
};

struct wire_options {
    const char *program; /* how reports name this client; may be NULL */
    uint32_t session;    /* Terminal Server session */
    int region;          /* 1: ask for a shared region, so that wire_line_open works */
};

/*
 * wire_connect - say hello to the machine of a folder.
 *   folder      in. NULL: the environment variable RDRLAB_MACHINE.
 *   ret_client  out, on success only. Owned by the caller: wire_disconnect.
 *   error       out on failure: one sentence with the folder's name in it. May be NULL.
 *   Returns     0; -ENOENT (no folder given, or no machine has ever lived there), -ECONNREFUSED (its machine has
 *               died), -EPROTO (another wire version, or no machine at all), -EACCES (the folder or the machine is
 *               another user's), -EUSERS (too many clients), -EOPNOTSUPP (it has no such session),
 *               -ETIMEDOUT (no answer within 10 s), -ENOMEM, or what the system calls say.
 */
int wire_connect(const char *folder, const struct wire_options *options, struct wire_client **ret_client, char *error,
                 size_t error_size);

/* Hangs up and frees; closes no line's memory before the last one is gone, so close lines first. Accepts NULL. */
void wire_disconnect(struct wire_client *client);

/* What the machine said on being greeted. Valid as long as the client. */
const struct wire_welcome *wire_welcome_of(const struct wire_client *client);

/* The connection, for tests that misuse it. Still owned by the client. */
int wire_socket_of(const struct wire_client *client);

/* The mapped region, NULL without one: for tests that misuse it. Still the client's. */
struct wire_region *wire_region_of(const struct wire_client *client);

/* Letters that are redirected for this client, bit 0 for A:. Needs a region, otherwise 0. */
uint32_t wire_letters(const struct wire_client *client);

/*
 * wire_call - one request over the socket, and its reply. Threads may call at once and are served one by one.
 *   fixed, data  in: the request's fixed part and the bytes that follow it; both may be NULL with size 0.
 *   reply        out, unchanged on failure.
 *   Returns      0, -EMSGSIZE (more than a message holds), -ECONNRESET, -EPROTO (the reply is nonsense).
 */
int wire_call(struct wire_client *client, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
              size_t data_size, struct wire_reply *reply);

/*
 * wire_line_open - claim a slot of the region and have the machine serve it.
 *   Returns  0, -ENOTSUP (no region), -EBUSY (all slots taken), -ENOMEM, -ECONNRESET.
 */
int wire_line_open(struct wire_client *client, struct wire_line **ret_line);
void wire_line_close(struct wire_line *line);

/* wire_call through a slot. Not for two threads at once on one line. */
int wire_line_call(struct wire_line *line, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
                   size_t data_size, struct wire_reply *reply);

#endif
