/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - the emulated process that a client is, and the handles of the machine: all that the host's clients, slots
 * and tokens know of what stands behind them. In rdrlabd that is the machine in the same process (process_machine.c),
 * in rdrlab-relay one at the other end of a TCP connection (process_relay.c).
 */
#ifndef RDRLAB_HOST_PROCESS_H
#define RDRLAB_HOST_PROCESS_H

#include "peer.h"

struct process;

/*
 * process_open - a process for a client that has said hello, in a session.
 *   Returns  STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES, or STATUS_NOT_SUPPORTED: a session other than 0 on a build
 *            that has none, or behind a relay, which is a session itself.
 */
NTSTATUS process_open(struct peer *peer, ULONG session, struct process **ret_process);

/* The client is gone, and no thread acts as the process any more. Accepts NULL. */
void process_close(struct peer *peer, struct process *process);

/* The calling thread acts as this process from now on; NULL: as the System process. */
void process_enter(struct process *process);

/* Has the services that threads of it are in end soon. host->lock is held; never waits; may come again and again. */
void process_cancel(struct process *process);

/* The letters that are redirected for it, bit 0 for A:. host->lock is held. */
uint32_t process_letters(struct process *process);

/* NtClose of a token's handle. From any thread. */
void process_close_handle(HANDLE handle);

#endif
