/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine_fixture.h - a machine to which a test does what it wants, and a client that looks on: whatever happened, the
 * machine then still serves, has kept no client, token or handle, and shuts down clean.
 */
#ifndef RDRLAB_TESTS_MACHINE_FIXTURE_H
#define RDRLAB_TESTS_MACHINE_FIXTURE_H

#include "daemon.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    struct daemon daemon;
    struct way way; /* an observer over the socket */
    struct wire_machine before;
};

/* X: -> \\mem\lab. arguments: as daemon_start. */
void fixture_begin(struct fixture *fixture, const char *const *arguments);

/* The last assertion of each test: nothing left, in the machine and of it. */
void fixture_end(struct fixture *fixture);

/* ---- a client that is none of ours ---- */

/* The machine's socket, before the hello. */
int raw_connect(const struct daemon *daemon);

struct hello_message {
    struct wire_header header;
    struct wire_hello hello;
};

struct hello_message good_hello(void);

#endif
