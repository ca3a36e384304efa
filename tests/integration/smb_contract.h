/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smb_contract.h - what the parts of test_smb_contract.c share: the peer, and its tests by subject.
 */
#ifndef RDRLAB_TESTS_SMB_CONTRACT_H
#define RDRLAB_TESTS_SMB_CONTRACT_H

#include "smb_fixture.h"

#include <stddef.h>
#include <sys/types.h>

#define READ_WRITE (FILE_READ_DATA | FILE_WRITE_DATA)
#define SHARE_BOTH (FILE_SHARE_READ | FILE_SHARE_WRITE)
#define SHARE_ALL  (SHARE_BOTH | FILE_SHARE_DELETE)
#define NO_FILE    0xDEADu

struct CMUnitTest;

struct contract_group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
};

extern const struct contract_group contract_open, contract_files, contract_set, contract_waiting, contract_notify,
    contract_loss;

extern struct smb_fixture fixture;

void assert_status_row(size_t row, NTSTATUS actual, NTSTATUS expected);
bool on_mem(void);
/* Connect, and find the worker that came with it among those that were there. */
struct smb_connection *connect_with_worker(pid_t *ret_worker);
bool is_running(pid_t worker);

/* Wait until the backend has got count requests of a kind over its whole life, and the one in memory holds one; fails
 * the test after 30 s. */
void await_submitted(enum smb_op op, uint64_t count);

/* A connection of the fixture's on whose way to the server a relay counts; on mem there is no relay. */
struct wired {
    struct smb_connection *connection;
    struct smb_wire *wire;
    unsigned seen; /* by await_request */
};

void connect_wired(struct wired *wired);
/* Wait until something has been asked of the server since the connect or the last wait; fails the test after 30 s. */
void await_request(struct wired *wired);
void disconnect_wired(struct wired *wired);

/* A request that a thread of its own performs. */
struct performer {
    struct smb_connection *connection;
    struct smb_request request;
    _Atomic bool returned;
};

/* The thread; its context is a struct performer. */
void *perform_in_thread(void *context);

#endif
