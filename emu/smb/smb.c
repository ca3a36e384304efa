/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb.c - the common half of every backend: dispatch, counting, queues. See smb.h and smb_backend.h. */
#include "smb_backend.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define UNIX_EPOCH_IN_NT 116444736000000000LL /* 1970 in units of 100 ns since 1601 */

static BOOLEAN is_dialect(const char *dialect)
{
    static const char *const known[] = {"NT1", "SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], dialect) == 0)
            return TRUE;
    }
    return FALSE;
}

NTSTATUS smb_connect(struct smb_backend *backend, const struct smb_target *target,
                     struct smb_connection **ret_connection)
{
    if (target->host == NULL || target->host[0] == '\0' || target->share == NULL || target->share[0] == '\0')
        return STATUS_INVALID_PARAMETER;
    if (target->dialect != NULL && !is_dialect(target->dialect))
        return STATUS_INVALID_PARAMETER;
    return backend->ops->connect(backend, target, ret_connection);
}

unsigned smb_lane(void)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned mine; /* 1 + the lane; 0: none yet */

    if (mine == 0)
        mine = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SMB_LANES;
    return mine - 1;
}

void *smb_new_aligned(size_t size)
{
    size_t whole = (size + 63) / 64 * 64;
    void *memory = aligned_alloc(64, whole);

    if (memory != NULL)
        memset(memory, 0, whole);
    return memory;
}

static void count_request(struct smb_backend *backend, enum smb_op op)
{
    atomic_fetch_add_explicit(&backend->lanes[smb_lane()].counts[op], 1, memory_order_relaxed);
}

const char *smb_origin_name(enum smb_origin origin)
{
    switch (origin) {
    case SMB_ORIGIN_LOG:
        return "the server's answer, from libsmbclient's log";
    case SMB_ORIGIN_ERRNO:
        return "mapped from libsmbclient's errno";
    case SMB_ORIGIN_WORKER:
        return "concluded by the worker";
    default:
        return "the server's answer";
    }
}

void smb_submit(struct smb_connection *connection, struct smb_request *request)
{
    request->origin = SMB_ORIGIN_ANSWER;
    if ((unsigned)request->op >= SMB_OP_COUNT) {
        smb_complete(request, STATUS_INVALID_PARAMETER);
        return;
    }
    count_request(connection->backend, request->op);
    connection->backend->ops->submit(connection, request);
}

static void on_waited(struct smb_request *request)
{
    struct smb_waiter *waiter = request->context;

    /* The waiter is on its thread's stack, and may be gone as soon as it sees this: wake by address only. */
    if (atomic_exchange(&waiter->state, SMB_WAITER_DONE) == SMB_WAITER_SLEEPS)
        smb_futex_wake(&waiter->state, FALSE);
}

NTSTATUS smb_perform(struct smb_connection *connection, struct smb_request *request)
{
    struct smb_waiter waiter = {0};

    request->origin = SMB_ORIGIN_ANSWER;
    request->complete = on_waited;
    request->context = &waiter;
    if ((unsigned)request->op < SMB_OP_COUNT && connection->backend->ops->perform != NULL) {
        count_request(connection->backend, request->op);
        connection->backend->ops->perform(connection, request);
    } else {
        smb_submit(connection, request);
    }
    smb_waiter_wait(&waiter);
    request->complete = NULL;
    request->context = NULL;
    return request->status;
}

void smb_cancel(struct smb_connection *connection, struct smb_request *request)
{
    connection->backend->ops->cancel(connection, request);
}

void smb_disconnect(struct smb_connection *connection)
{
    if (connection != NULL)
        connection->backend->ops->disconnect(connection);
}

void smb_describe(struct smb_connection *connection, char *text, size_t size)
{
    connection->backend->ops->describe(connection, text, size);
}

uint64_t smb_backend_count(const struct smb_backend *backend, enum smb_op op)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < SMB_LANES && (unsigned)op < SMB_OP_COUNT; i++)
        count += atomic_load_explicit(&backend->lanes[i].counts[op], memory_order_relaxed);
    return count;
}

void smb_backend_free(struct smb_backend *backend)
{
    if (backend != NULL)
        backend->ops->free(backend);
}

/* ---- for backends ---- */

void smb_queue_put(struct smb_queue *queue, struct smb_request *request)
{
    request->backend.next = NULL;
    if (queue->last != NULL)
        queue->last->backend.next = request;
    else
        queue->first = request;
    queue->last = request;
}

struct smb_request *smb_queue_take(struct smb_queue *queue)
{
    struct smb_request *request = queue->first;

    if (request == NULL)
        return NULL;
    queue->first = request->backend.next;
    if (queue->first == NULL)
        queue->last = NULL;
    request->backend.next = NULL;
    return request;
}

BOOLEAN smb_queue_remove(struct smb_queue *queue, struct smb_request *request)
{
    struct smb_request **link = &queue->first, *before = NULL;

    while (*link != NULL && *link != request) {
        before = *link;
        link = &(*link)->backend.next;
    }
    if (*link == NULL)
        return FALSE;
    *link = request->backend.next;
    if (queue->last == request)
        queue->last = before;
    request->backend.next = NULL;
    return TRUE;
}

void smb_futex_wait(_Atomic uint32_t *word, uint32_t value, BOOLEAN shared)
{
    syscall(SYS_futex, word, shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void smb_futex_wake(_Atomic uint32_t *word, BOOLEAN shared)
{
    syscall(SYS_futex, word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void smb_waiter_wait(struct smb_waiter *waiter)
{
    uint32_t state = SMB_WAITER_BUSY;

    if (!atomic_compare_exchange_strong(&waiter->state, &state, SMB_WAITER_SLEEPS) && state == SMB_WAITER_DONE)
        return;
    while (atomic_load(&waiter->state) != SMB_WAITER_DONE)
        smb_futex_wait(&waiter->state, SMB_WAITER_SLEEPS, FALSE);
}

void smb_complete(struct smb_request *request, NTSTATUS status)
{
    request->status = status;
    request->complete(request);
}

LONGLONG smb_time(int64_t seconds, long nanoseconds)
{
    if (seconds == 0 && nanoseconds == 0)
        return 0;
    return UNIX_EPOCH_IN_NT + seconds * 10000000 + nanoseconds / 100;
}

void smb_timeval(LONGLONG time, struct timeval *ret_time)
{
    LONGLONG since_1970 = time != 0 ? time - UNIX_EPOCH_IN_NT : 0, fraction = since_1970 % 10000000;

    if (fraction < 0)
        fraction += 10000000;
    ret_time->tv_sec = (time_t)((since_1970 - fraction) / 10000000);
    ret_time->tv_usec = (suseconds_t)(fraction / 10);
}

LONGLONG smb_time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return smb_time(now.tv_sec, now.tv_nsec);
}

BOOLEAN smb_put_dirent(void *buffer, ULONG size, ULONG *used, ULONG *last, const WCHAR *name, ULONG name_length,
                       const struct smb_info *info)
{
    ULONG start = (*used + 7) & ~(ULONG)7;
    struct smb_dirent *entry = (struct smb_dirent *)((char *)buffer + start);

    if (start > size || size - start < sizeof(*entry) || size - start - sizeof(*entry) < name_length)
        return FALSE;
    if (*used != 0)
        ((struct smb_dirent *)((char *)buffer + *last))->next_offset = start - *last;
    entry->next_offset = 0;
    entry->name_length = name_length;
    entry->info = *info;
    memcpy(entry + 1, name, name_length);
    *used = start + (ULONG)sizeof(*entry) + name_length;
    *last = start;
    return TRUE;
}

BOOLEAN smb_put_change(void *buffer, ULONG size, ULONG *used, ULONG *last, ULONG action, const WCHAR *name,
                       ULONG name_length)
{
    const ULONG fixed = offsetof(FILE_NOTIFY_INFORMATION, FileName), at = (*used + 3) & ~3u;
    FILE_NOTIFY_INFORMATION entry = {.Action = action, .FileNameLength = name_length};
    ULONG offset = at - *last;

    if (at > size || size - at < fixed || size - at - fixed < name_length)
        return FALSE;
    memset((unsigned char *)buffer + *used, 0, at - *used);
    memcpy((unsigned char *)buffer + at, &entry, fixed);
    memcpy((unsigned char *)buffer + at + fixed, name, name_length);
    if (*used != 0)
        memcpy((unsigned char *)buffer + *last, &offset, sizeof(offset));
    *last = at;
    *used = at + fixed + name_length;
    return TRUE;
}
