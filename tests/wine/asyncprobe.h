/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asyncprobe.h - what the claims of asyncprobe.exe share, and the claims. */
#ifndef RDRLAB_TESTS_ASYNCPROBE_H
#define RDRLAB_TESTS_ASYNCPROBE_H

#include <stdbool.h>

#define WIN32_NO_STATUS
#include "letter.h"
#undef WIN32_NO_STATUS
#include <ntstatus.h>

/* probe.txt, to read and write, by whoever else does. */
HANDLE open_probe(DWORD flags);

/* The folder dir, to be listed. */
HANDLE open_directory(DWORD flags);

/* X:\dir\name. One of 8 buffers, used in turn. */
const WCHAR *in_directory(const WCHAR *name);

bool lock_at(HANDLE file, DWORD flags, DWORD offset, DWORD length);
bool read_at(HANDLE file, DWORD offset, DWORD length);

/* What is there already. */
bool write_at(HANDLE file, DWORD offset, DWORD length);

/* A lock that is in the way of every other at its place, until it is closed or unlocked. */
HANDLE hold_lock(void);

/* Whether a request for such a lock is pending. */
bool begin_lock(HANDLE file, OVERLAPPED *overlapped);

/* Of the name that this run's children know. */
HANDLE named_event(const WCHAR *name);

bool await(HANDLE object);

/* Already: nobody waits for it. */
bool has_ended(const OVERLAPPED *overlapped);

void kill_child(HANDLE child);

/* asyncprobe_locks.c */
void claim_locks(void);
void claim_lock_waits(void);
void claim_lock_of_the_killed(void);
void claim_killed_while_it_waits(void);
void claim_overlapped_lock(void);
void claim_reuse(void);
void claim_cancel(void);
void claim_synchronous_cancel(void);
void claim_many_wait(void);
void claim_end_while_pending(void);
void claim_cancel_while_it_ends(void);
void child_holds(void);
void child_waits(void);
void child_ends(void);
void child_cancels_at_its_end(void);

/* asyncprobe_large.c */
void claim_large(void);
void claim_pages(void);

/* asyncprobe_completion.c */
void claim_completion_routines(void);
void claim_completion_port(void);
void claim_listing(void);

/* asyncprobe_changes.c */
void claim_directory_changes(void);
void claim_changes_and_messages(void);
void claim_synchronous_changes(void);
void claim_killed_while_it_watches(void);
void child_watches(void);

/* asyncprobe_slow.c */
void claim_slow_machine(void);
void claim_slow_server(void);

#endif
