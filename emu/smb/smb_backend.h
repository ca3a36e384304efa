/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smb_backend.h - what a backend implements. Internal to emu/smb/.
 *
 * A backend puts these structures first in its own. smb.c dispatches and counts; everything else is the backend's.
 */
#ifndef NTEMU_SMB_BACKEND_H
#define NTEMU_SMB_BACKEND_H

#include "smb.h"

#include <stdatomic.h>

typedef NTSTATUS smb_connect_fn(struct smb_backend *backend, const struct smb_target *target,
                                struct smb_connection **ret_connection);

struct smb_backend_ops {
    smb_connect_fn *connect;
    void (*submit)(struct smb_connection *connection, struct smb_request *request);
    /* Submit and wait; may be NULL. The request's complete routine is set already and ends smb_waiter_wait. */
    void (*perform)(struct smb_connection *connection, struct smb_request *request);
    void (*cancel)(struct smb_connection *connection, struct smb_request *request);
    void (*disconnect)(struct smb_connection *connection);
    void (*describe)(struct smb_connection *connection, char *text, size_t size);
    void (*free)(struct smb_backend *backend);
};

/* What many threads would fight for is there this many times. */
#define SMB_LANES 16u

/* This thread's lane, below SMB_LANES: the same one whenever it asks, and mostly another one than the next thread's. */
unsigned smb_lane(void);

/* Memory of whole cache lines, zeroed, for what has parts in lines of their own; for free. NULL: there is none. */
void *smb_new_aligned(size_t size);

struct smb_backend {
    const struct smb_backend_ops *ops;
    struct {
        _Alignas(64) _Atomic uint64_t counts[SMB_OP_COUNT]; /* requests submitted, by kind; a statistic, so relaxed */
    } lanes[SMB_LANES];
};

struct smb_connection {
    struct smb_backend *backend;
};

/* A first-in first-out list of requests, linked through backend.next. All zero is empty. */
struct smb_queue {
    struct smb_request *first, *last;
};

void smb_queue_put(struct smb_queue *queue, struct smb_request *request);
struct smb_request *smb_queue_take(struct smb_queue *queue);                    /* NULL: empty */
BOOLEAN smb_queue_remove(struct smb_queue *queue, struct smb_request *request); /* FALSE: was not in it */

/* Somebody who waits for one request: its completion routine and context while smb_perform runs. */
struct smb_waiter {
    _Atomic uint32_t state; /* SMB_WAITER_*. DONE: completed, and the request is not touched any more */
};

enum { SMB_WAITER_BUSY, SMB_WAITER_SLEEPS, SMB_WAITER_DONE };

void smb_waiter_wait(struct smb_waiter *waiter);

/* Wait while *word is value, and wake who does so; shared: the word is in memory of two processes. May return early. */
void smb_futex_wait(_Atomic uint32_t *word, uint32_t value, BOOLEAN shared);
void smb_futex_wake(_Atomic uint32_t *word, BOOLEAN shared);

/* Set the status and call the completion routine. The request may be gone when this returns. */
void smb_complete(struct smb_request *request, NTSTATUS status);

/* Current time, and a time of the Unix kind, in NT's units. smb_time gives 0 for 1970: "unknown" in libsmbclient. */
LONGLONG smb_time_now(void);
LONGLONG smb_time(int64_t seconds, long nanoseconds);
/* The way back, rounded down; an unknown time is 1970. */
struct timeval;
void smb_timeval(LONGLONG time, struct timeval *ret_time);

/*
 * smb_put_dirent - append an entry to a listing.
 *   used, last  in and out: bytes used so far and the offset of the entry before; start both at 0.
 *   Returns     FALSE if it does not fit; nothing is changed then.
 */
BOOLEAN smb_put_dirent(void *buffer, ULONG size, ULONG *used, ULONG *last, const WCHAR *name, ULONG name_length,
                       const struct smb_info *info);

/*
 * smb_put_change - append one to a list of FILE_NOTIFY_INFORMATION. As smb_put_dirent.
 */
BOOLEAN smb_put_change(void *buffer, ULONG size, ULONG *used, ULONG *last, ULONG action, const WCHAR *name,
                       ULONG name_length);

#endif
