/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.h - requests that fail or hang on demand, over any backend. For tests: deterministic, no thread, no clock.
 *
 * A request is first counted, then failed if a rule says so, else held if its kind is held, else passed on.
 * While one request of a connection is held, the later ones wait behind it, as they would behind a real server.
 */
#ifndef NTEMU_SMB_FAULT_H
#define NTEMU_SMB_FAULT_H

#include "smb.h"

#define SMB_ANY_OP SMB_OP_COUNT

/* smb_fault_backend - wrap a backend and own it: smb_backend_free frees both. NULL: out of memory; inner is kept. */
struct smb_backend *smb_fault_backend(struct smb_backend *inner);

/*
 * smb_fault_fail - let requests of a kind fail without reaching the inner backend. One rule at a time; a new one
 * replaces it.
 *   op      a kind, or SMB_ANY_OP
 *   nth     the first to fail, counted from now; 1 is the next one
 *   times   how many fail in a row; 0 ends the rule at once, UINT_MAX never
 *   status  what they fail with
 */
void smb_fault_fail(struct smb_backend *backend, enum smb_op op, unsigned nth, unsigned times, NTSTATUS status);

/* How many requests the rules have failed. */
unsigned smb_fault_failed(struct smb_backend *backend);

/* smb_fault_hold - keep the requests of a kind (or SMB_ANY_OP) from now on, until smb_fault_release. */
void smb_fault_hold(struct smb_backend *backend, enum smb_op op);

/* How many requests are held, those that wait behind a held one included. */
unsigned smb_fault_held(struct smb_backend *backend);

/* Hold nothing more, and pass on what was held, in order, on the calling thread. */
void smb_fault_release(struct smb_backend *backend);

/*
 * smb_fault_unreachable - let a server be one that nobody answers for: what is asked of a connection made from now on
 * takes as long as `elapse` takes, on the thread that asks, and is STATUS_BAD_NETWORK_PATH then. Not to be called while
 * others use the backend.
 *   host    as smb_target gives it, compared without case; borrowed. NULL: none.
 *   elapse  the caller's, who knows what time is: one time-out. May wait.
 */
void smb_fault_unreachable(struct smb_backend *backend, const char *host, void (*elapse)(void));

#endif
