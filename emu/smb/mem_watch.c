/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_watch.c - SMB_NOTIFY of the server in memory. Who changes something reports it, with whatever locks he holds; who
 * waits for it is told when the reporter's request has let go of them all.
 */
#include "mem_private.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES 16384u /* of changes that nobody has asked for yet */

struct mem_watch {
    struct mem_watch *next;
    struct mem_node *node; /* NULL: it is gone, and status says how */
    NTSTATUS status;
    ULONG filter;
    BOOLEAN tree, overflow;
    ULONG used, last;
    struct smb_request *request; /* that waits; NULL: none */
    unsigned telling;            /* completion routines that run */
    BOOLEAN ending;
    _Alignas(4) unsigned char changes[KEPT_BYTES];
};

/* ---- watches; the backend's watch_lock is held ---- */

static BOOLEAN is_watched(const struct mem_watch *watch, const struct mem_node *node)
{
    const struct mem_node *parent = node->parent;

    while (watch->tree && parent != NULL && parent != watch->node)
        parent = parent->parent;
    return watch->node != NULL && parent == watch->node;
}

/* The node's path from the watched directory. Returns its length in bytes, 0: it is too long. */
static ULONG relative_name(const struct mem_watch *watch, const struct mem_node *node, WCHAR name[32768])
{
    ULONG at = 32767 * sizeof(WCHAR), end = at;

    for (; node != watch->node; node = node->parent) {
        if (at < node->name_length + sizeof(WCHAR))
            return 0;
        if (at != end)
            name[(at -= sizeof(WCHAR)) / sizeof(WCHAR)] = '\\';
        at -= node->name_length;
        memcpy((unsigned char *)name + at, node->name, node->name_length);
    }
    memmove(name, (unsigned char *)name + at, end - at);
    return end - at;
}

static void note(struct mem_watch *watch, const struct mem_node *node, ULONG action)
{
    static WCHAR name[32768]; /* watch_lock */
    ULONG length = relative_name(watch, node, name);

    if (length == 0 || !smb_put_change(watch->changes, KEPT_BYTES, &watch->used, &watch->last, action, name, length))
        watch->overflow = TRUE;
}

void mem_report(struct mem_backend *backend, const struct mem_node *node, ULONG filter, ULONG action)
{
    if (atomic_load_explicit(&backend->watch_count, memory_order_acquire) == 0)
        return;
    pthread_mutex_lock(&backend->watch_lock);
    for (struct mem_watch *watch = backend->watches; watch != NULL; watch = watch->next) {
        if (watch->node == node && action == FILE_ACTION_REMOVED) {
            watch->node = NULL;
            watch->status = STATUS_DELETE_PENDING;
        } else if ((watch->filter & filter) != 0 && is_watched(watch, node)) {
            note(watch, node, action);
        }
    }
    pthread_mutex_unlock(&backend->watch_lock);
}

static BOOLEAN has_news(const struct mem_watch *watch)
{
    return watch->used != 0 || watch->overflow || watch->node == NULL;
}

static NTSTATUS take_news(struct mem_watch *watch, struct smb_request *request)
{
    BOOLEAN fits = !watch->overflow && watch->used <= request->in.notify.length;

    if (watch->node == NULL && watch->used == 0)
        return watch->status;
    request->out.io.done = fits ? watch->used : 0;
    if (fits)
        memcpy(request->in.notify.buffer, watch->changes, watch->used);
    watch->used = watch->last = 0;
    watch->overflow = FALSE;
    return fits ? STATUS_SUCCESS : STATUS_NOTIFY_ENUM_DIR;
}

/* ---- without locks ---- */

static void end_telling(struct mem_backend *backend, struct mem_watch *watch)
{
    pthread_mutex_lock(&backend->watch_lock);
    if (--watch->telling == 0)
        pthread_cond_broadcast(&backend->told);
    pthread_mutex_unlock(&backend->watch_lock);
}

void mem_tell_watches(struct mem_backend *backend)
{
    struct smb_request *request;
    struct mem_watch *watch;
    NTSTATUS status = STATUS_SUCCESS;

    do {
        if (atomic_load_explicit(&backend->watch_count, memory_order_acquire) == 0)
            return;
        pthread_mutex_lock(&backend->watch_lock);
        watch = backend->watches;
        while (watch != NULL && (watch->request == NULL || !has_news(watch)))
            watch = watch->next;
        request = watch != NULL ? watch->request : NULL;
        if (request != NULL) {
            watch->request = NULL;
            watch->telling++;
            status = take_news(watch, request);
        }
        pthread_mutex_unlock(&backend->watch_lock);
        if (request != NULL) {
            smb_complete(request, status);
            end_telling(backend, watch);
        }
    } while (request != NULL);
}

NTSTATUS mem_watch_begin(const struct mem_call *call)
{
    const struct smb_request *request = call->request;
    struct mem_backend *backend = call->backend;
    struct mem_place place;
    struct mem_watch *watch;
    NTSTATUS status = mem_find(call->connection->share, &request->path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (!place.node->directory)
        return STATUS_NOT_A_DIRECTORY;
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    watch->node = place.node;
    watch->filter = request->in.notify.filter;
    watch->tree = request->in.notify.tree;
    pthread_mutex_lock(&backend->watch_lock);
    watch->next = backend->watches;
    backend->watches = watch;
    atomic_fetch_add(&backend->watch_count, 1);
    call->connection->watch = watch;
    pthread_mutex_unlock(&backend->watch_lock);
    call->request->out.io.done = 0;
    return STATUS_SUCCESS;
}

NTSTATUS mem_watch_next(struct mem_backend *backend, struct mem_connection *connection, struct smb_request *request)
{
    NTSTATUS status = STATUS_PENDING;

    pthread_mutex_lock(&backend->watch_lock);
    if (connection->watch->ending)
        status = STATUS_CONNECTION_DISCONNECTED;
    else if (request->op != SMB_NOTIFY || connection->watch->request != NULL)
        status = STATUS_INVALID_DEVICE_REQUEST;
    else
        connection->watch->request = request;
    pthread_mutex_unlock(&backend->watch_lock);
    return status;
}

BOOLEAN mem_watch_cancel(struct mem_backend *backend, struct mem_connection *connection, struct smb_request *request)
{
    BOOLEAN found;

    pthread_mutex_lock(&backend->watch_lock);
    found = connection->watch != NULL && connection->watch->request == request;
    if (found) {
        connection->watch->request = NULL;
        connection->watch->node = NULL; /* and that is its end */
        connection->watch->status = STATUS_CANCELLED;
        connection->watch->used = 0;
    }
    pthread_mutex_unlock(&backend->watch_lock);
    return found;
}

void mem_watch_lose(struct mem_backend *backend, struct mem_connection *connection)
{
    pthread_mutex_lock(&backend->watch_lock);
    if (connection->watch != NULL) {
        connection->watch->node = NULL;
        connection->watch->status = STATUS_CONNECTION_DISCONNECTED;
        connection->watch->used = 0;
    }
    pthread_mutex_unlock(&backend->watch_lock);
}

void mem_watch_end(struct mem_backend *backend, struct mem_connection *connection)
{
    struct mem_watch *watch = connection->watch, **link = &backend->watches;
    struct smb_request *request;

    if (watch == NULL)
        return;
    pthread_mutex_lock(&backend->watch_lock);
    watch->ending = TRUE;
    while (watch->telling != 0)
        pthread_cond_wait(&backend->told, &backend->watch_lock);
    request = watch->request;
    watch->request = NULL;
    pthread_mutex_unlock(&backend->watch_lock);
    if (request != NULL)
        smb_complete(request, STATUS_CONNECTION_DISCONNECTED);
    pthread_mutex_lock(&backend->watch_lock);
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    atomic_fetch_sub(&backend->watch_count, 1);
    pthread_mutex_unlock(&backend->watch_lock);
    free(watch);
}
