/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.h - the messages of wire.h over TCP, between rdrlabd and an rdrlab-relay elsewhere.
 *
 * The connection is TLS 1.3 with a pre-shared key (RFC 8446, 2.2): each side proves that it has the secret, over a
 * fresh nonce of each side, and what follows, passwords of shares among it, can neither be read nor changed nor said
 * again. GnuTLS does all of that. What is left for here: where messages begin and end, how long they may be, and how
 * long to wait.
 *
 * A connection belongs to one thread at a time; only remote_socket may be shut down from another. Functions return 0 or
 * a negative errno: -ETIMEDOUT, -ECONNRESET (hung up, at any moment), -EPROTO (what came is no message, or was
 * tampered with), -EKEYREJECTED (the other side has not the same secret, or speaks no TLS).
 */
#ifndef RDRLAB_WIRE_REMOTE_H
#define RDRLAB_WIRE_REMOTE_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define REMOTE_SECRET_LEAST 32 /* bytes in the file: a key that short can still not be guessed offline */

struct remote_secret {
    unsigned char key[32];
};

struct remote;

/*
 * remote_read_secret - make the key out of a file: all its bytes but one line end count.
 *   error    out on failure: one sentence with the file's name in it.
 *   Returns  0; -EINVAL (shorter than REMOTE_SECRET_LEAST, or longer than a page), or what opening it said.
 */
int remote_read_secret(const char *path, struct remote_secret *ret_secret, char *error, size_t error_size);

/*
 * remote_listen - listen on "HOST:PORT", "[v6 address]:PORT" or ":PORT" (all addresses); port 0: a free one.
 *   bound    out on success: the address as numbers, at least 64 bytes.
 *   Returns  the socket, or a negative errno with one sentence in error.
 */
int remote_listen(const char *address, char *bound, size_t bound_size, char *error, size_t error_size);

/*
 * remote_accept - the server's half of a handshake, on a socket that stays the caller's.
 *   limit_ms  for the whole handshake; from then on, for a message once begun and for sending one.
 *   ret       out, on success only: remote_free.
 */
int remote_accept(int socket, const struct remote_secret *secret, int limit_ms, struct remote **ret);

/*
 * remote_connect - the client's half; name lookup, connection and handshake, each within limit_ms.
 *   error  out on failure: one sentence with the address in it.
 */
int remote_connect(const char *address, const struct remote_secret *secret, int limit_ms, struct remote **ret,
                   char *error, size_t error_size);

/* Closes the socket if remote_connect made it. Says no goodbye: the end of the connection is one. Accepts NULL. */
void remote_free(struct remote *remote);

int remote_socket(const struct remote *remote);

/*
 * remote_receive - one message, its header's magic and length checked, and nothing else.
 *   wait_ms     for its first byte; negative: for ever.
 *   ret_length  out, on success only.
 */
int remote_receive(struct remote *remote, void *message, size_t size, int wait_ms, size_t *ret_length);

int remote_send(struct remote *remote, const void *message, size_t length);

/* "172.18.0.3:1234" */
struct sockaddr;
void remote_name(const struct sockaddr *address, unsigned length, char *text, size_t size);

/* What has gone wrong, for a person. */
const char *remote_error(int code);

#endif
