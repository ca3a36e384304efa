/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.c - requests that fail or hang on demand. See fault.h.
 *
 * A held request is in its connection's queue and unknown to the inner backend. On its way from here to there it is
 * in `moving`: a cancel that comes in between waits until it has arrived, then asks the inner backend. It cannot
 * be asked with our lock held, as a completion routine may run inside it and may submit.
 */
#include "fault.h"
#include "smb_backend.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

struct fault_connection {
    struct smb_connection base;
    struct fault_connection *next;
    struct smb_connection *inner;
    BOOLEAN unreachable;
    struct smb_queue held;
    unsigned held_count;
    struct smb_request *moving;
    pthread_t mover; /* valid while moving is set */
};

struct fault_backend {
    struct smb_backend base;
    struct smb_backend *inner;
    _Atomic BOOLEAN quiet; /* nothing fails and nothing is held: requests pass without the lock. Written under it */
    pthread_mutex_t lock;  /* guards everything below, and every connection */
    pthread_cond_t moved;
    struct fault_connection *connections;
    unsigned held_ops; /* a bit for every kind that is held */
    enum smb_op fail_op;
    unsigned fail_skip, fail_times, failed;
    NTSTATUS fail_status;
    const char *unreachable; /* this and elapse: written while nobody else is there */
    void (*elapse)(void);
};

static struct fault_backend *backend_of(struct smb_connection *connection)
{
    return (struct fault_backend *)connection->backend;
}

/* Lock held. After every change of a rule, and when something held has gone. */
static void update_quiet(struct fault_backend *backend)
{
    BOOLEAN quiet = backend->fail_times == 0 && backend->held_ops == 0;

    for (struct fault_connection *c = backend->connections; c != NULL && quiet; c = c->next)
        quiet = c->held.first == NULL && c->moving == NULL;
    atomic_store(&backend->quiet, quiet);
}

/* Lock held. TRUE if the rule in force wants this request to fail; counts it. */
static BOOLEAN must_fail(struct fault_backend *backend, enum smb_op op, NTSTATUS *status)
{
    if (backend->fail_times == 0 || (backend->fail_op != SMB_ANY_OP && backend->fail_op != op))
        return FALSE;
    if (backend->fail_skip > 0) {
        backend->fail_skip--;
        return FALSE;
    }
    if (backend->fail_times != UINT32_MAX)
        backend->fail_times--;
    backend->failed++;
    *status = backend->fail_status;
    return TRUE;
}

static NTSTATUS fault_connect(struct smb_backend *base, const struct smb_target *target,
                              struct smb_connection **ret_connection)
{
    struct fault_backend *backend = (struct fault_backend *)base;
    struct fault_connection *connection = calloc(1, sizeof(*connection));
    struct smb_target inner = *target;
    NTSTATUS status;

    if (connection == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (target->like != NULL)
        inner.like = ((const struct fault_connection *)target->like)->inner;
    status = smb_connect(backend->inner, &inner, &connection->inner);
    if (status != STATUS_SUCCESS) {
        free(connection);
        return status;
    }
    connection->base.backend = base;
    connection->unreachable = backend->unreachable != NULL && strcasecmp(backend->unreachable, target->host) == 0;
    pthread_mutex_lock(&backend->lock);
    connection->next = backend->connections;
    backend->connections = connection;
    pthread_mutex_unlock(&backend->lock);
    *ret_connection = &connection->base;
    return STATUS_SUCCESS;
}

static void fault_submit(struct smb_connection *base, struct smb_request *request)
{
    struct fault_connection *connection = (struct fault_connection *)base;
    struct fault_backend *backend = backend_of(base);
    NTSTATUS status = STATUS_SUCCESS;
    BOOLEAN fail, hold = FALSE;

    if (connection->unreachable) {
        backend->elapse();
        smb_complete(request, STATUS_BAD_NETWORK_PATH);
        return;
    }
    if (atomic_load_explicit(&backend->quiet, memory_order_acquire)) {
        smb_submit(connection->inner, request);
        return;
    }
    pthread_mutex_lock(&backend->lock);
    fail = must_fail(backend, request->op, &status);
    if (!fail) {
        hold = (backend->held_ops & 1u << request->op) != 0 || connection->held.first != NULL ||
               connection->moving != NULL;
        if (hold) {
            smb_queue_put(&connection->held, request);
            connection->held_count++;
        }
    }
    pthread_mutex_unlock(&backend->lock);
    if (fail)
        smb_complete(request, status);
    else if (!hold)
        smb_submit(connection->inner, request);
}

static void fault_cancel(struct smb_connection *base, struct smb_request *request)
{
    struct fault_connection *connection = (struct fault_connection *)base;
    struct fault_backend *backend = backend_of(base);
    BOOLEAN was_held;

    pthread_mutex_lock(&backend->lock);
    was_held = smb_queue_remove(&connection->held, request);
    if (was_held)
        connection->held_count--;
    while (connection->moving == request && !pthread_equal(connection->mover, pthread_self()))
        pthread_cond_wait(&backend->moved, &backend->lock);
    pthread_mutex_unlock(&backend->lock);
    if (was_held)
        smb_complete(request, STATUS_CANCELLED);
    else
        smb_cancel(connection->inner, request);
}

/* Pass on what a connection holds. Lock held on entry and exit, not in between. */
static void release_connection(struct fault_backend *backend, struct fault_connection *connection)
{
    struct smb_request *request;

    /* One at a time even if two threads release, or the order would be lost. */
    while (connection->moving == NULL && (request = smb_queue_take(&connection->held)) != NULL) {
        connection->held_count--;
        connection->moving = request;
        connection->mover = pthread_self();
        pthread_mutex_unlock(&backend->lock);
        smb_submit(connection->inner, request);
        pthread_mutex_lock(&backend->lock);
        connection->moving = NULL;
        pthread_cond_broadcast(&backend->moved);
        if (backend->held_ops != 0)
            break;
    }
}

static void fault_disconnect(struct smb_connection *base)
{
    struct fault_connection *connection = (struct fault_connection *)base;
    struct fault_backend *backend = backend_of(base);
    struct fault_connection **link = &backend->connections;
    struct smb_request *request;

    pthread_mutex_lock(&backend->lock);
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    while (connection->moving != NULL)
        pthread_cond_wait(&backend->moved, &backend->lock);
    while ((request = smb_queue_take(&connection->held)) != NULL) {
        pthread_mutex_unlock(&backend->lock);
        smb_complete(request, STATUS_CONNECTION_DISCONNECTED);
        pthread_mutex_lock(&backend->lock);
    }
    pthread_mutex_unlock(&backend->lock);
    smb_disconnect(connection->inner);
    free(connection);
}

static void fault_describe(struct smb_connection *base, char *text, size_t size)
{
    smb_describe(((struct fault_connection *)base)->inner, text, size);
}

static void fault_free(struct smb_backend *base)
{
    struct fault_backend *backend = (struct fault_backend *)base;

    smb_backend_free(backend->inner);
    pthread_cond_destroy(&backend->moved);
    pthread_mutex_destroy(&backend->lock);
    free(backend);
}

static const struct smb_backend_ops fault_ops = {
    .connect = fault_connect,
    .submit = fault_submit,
    .cancel = fault_cancel,
    .disconnect = fault_disconnect,
    .describe = fault_describe,
    .free = fault_free,
};

struct smb_backend *smb_fault_backend(struct smb_backend *inner)
{
    struct fault_backend *backend = smb_new_aligned(sizeof(*backend));

    if (backend == NULL)
        return NULL;
    backend->base.ops = &fault_ops;
    backend->inner = inner;
    backend->quiet = TRUE;
    pthread_mutex_init(&backend->lock, NULL);
    pthread_cond_init(&backend->moved, NULL);
    return &backend->base;
}

void smb_fault_fail(struct smb_backend *base, enum smb_op op, unsigned nth, unsigned times, NTSTATUS status)
{
    struct fault_backend *backend = (struct fault_backend *)base;

    pthread_mutex_lock(&backend->lock);
    backend->fail_op = op;
    backend->fail_skip = nth > 0 ? nth - 1 : 0;
    backend->fail_times = times;
    backend->fail_status = status;
    update_quiet(backend);
    pthread_mutex_unlock(&backend->lock);
}

unsigned smb_fault_failed(struct smb_backend *base)
{
    struct fault_backend *backend = (struct fault_backend *)base;
    unsigned failed;

    pthread_mutex_lock(&backend->lock);
    failed = backend->failed;
    pthread_mutex_unlock(&backend->lock);
    return failed;
}

void smb_fault_hold(struct smb_backend *base, enum smb_op op)
{
    struct fault_backend *backend = (struct fault_backend *)base;

    pthread_mutex_lock(&backend->lock);
    backend->held_ops |= op == SMB_ANY_OP ? (1u << SMB_OP_COUNT) - 1 : 1u << op;
    update_quiet(backend);
    pthread_mutex_unlock(&backend->lock);
}

unsigned smb_fault_held(struct smb_backend *base)
{
    struct fault_backend *backend = (struct fault_backend *)base;
    unsigned held = 0;

    pthread_mutex_lock(&backend->lock);
    for (struct fault_connection *c = backend->connections; c != NULL; c = c->next)
        held += c->held_count;
    pthread_mutex_unlock(&backend->lock);
    return held;
}

void smb_fault_release(struct smb_backend *base)
{
    struct fault_backend *backend = (struct fault_backend *)base;
    struct fault_connection *connection;

    pthread_mutex_lock(&backend->lock);
    backend->held_ops = 0;
    do {
        /* The list may change while the lock is dropped: look again from its start until nothing is held. */
        for (connection = backend->connections; connection != NULL; connection = connection->next) {
            if (connection->held.first != NULL && connection->moving == NULL)
                break;
        }
        if (connection != NULL)
            release_connection(backend, connection);
    } while (connection != NULL && backend->held_ops == 0);
    update_quiet(backend);
    pthread_mutex_unlock(&backend->lock);
}

void smb_fault_unreachable(struct smb_backend *base, const char *host, void (*elapse)(void))
{
    struct fault_backend *backend = (struct fault_backend *)base;

    backend->unreachable = host;
    backend->elapse = elapse;
}

_Static_assert(SMB_OP_COUNT < 32, "a bit for every kind in held_ops");
