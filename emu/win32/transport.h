/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport.h - two ways to share a region with the machine and to wait for each other.
 *
 *   raw     transport.c  Linux system calls from PE code: a socket, a descriptor, mmap, futex
 *   mapped  mapped.c     Wine's own services only: a mapped file, polling
 */
#ifndef RDRLAB_TRANSPORT_H
#define RDRLAB_TRANSPORT_H

#include "channel.h"
#include "services.h"

struct transport {
    const char *name;
    /* Whether it can work in this process at all. Sends nothing. */
    bool (*usable)(void);
    /* Says HELLO and maps the region. folder: the machine's, UTF-16 Linux path. Statuses as client_connect's. */
    NTSTATUS (*open)(const WCHAR *folder, struct wire_region **ret_region, struct wire_welcome *ret_welcome);
    /* Tells the machine to serve a slot from now on. */
    NTSTATUS (*attach)(uint32_t slot);
    /* After a change of a word on which the machine sleeps. */
    void (*wake)(uint32_t *word);
    /* Returns when *word may no longer be `value`, or after at most so many, or about 100, ms. An error: the machine is
     * gone. */
    NTSTATUS (*sleep)(uint32_t *word, uint32_t value, uint32_t milliseconds);
};

extern const struct transport raw_transport;
extern const struct transport mapped_transport;

#endif
