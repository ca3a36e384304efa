/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.h - what the parts of rdrlabd share: the one machine's clients, tokens and own account. */
#ifndef RDRLAB_HOST_HOST_H
#define RDRLAB_HOST_HOST_H

#include <pthread.h>
#include <stdbool.h>

#include <ntemu/machine.h>

#include "wire/wire.h"

struct link;
struct mappings;
struct peer;
struct token_table;

#define HOST_PEERS_MAX 128

struct host {
    struct wire_welcome welcome; /* what every client is told; set before the first one */
    struct token_table *tokens;
    struct mappings *mappings;     /* NULL: letters are not remembered */
    UNICODE_STRING user, password; /* for connections whose client names nobody; empty: anonymous. secret.h has it */
    int kick;                      /* eventfd: the main loop has something to look at */
    bool verbose;

    pthread_mutex_t lock; /* peers, count, and what peer.h says it guards */
    struct peer *peers;
    unsigned peer_count;
    uint64_t peers_ever;
    uint32_t letters_serial;        /* host->lock: counts changes of drive letters */
    pthread_cond_t letters_changed; /* host->lock */
    struct link *links;             /* host->lock: of relays (link.h) */
};

/* Before anything else is done with it. */
void host_prepare(struct host *host);

/* Has the main loop look at its peers. From any thread. */
void host_kick(struct host *host);

/* Milliseconds of a clock that never jumps. */
long long host_milliseconds(void);

/* A line to stderr with --verbose. */
void host_log(const struct host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line to stderr, always. */
void host_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
