/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem.c - SMB servers in memory: servers, sessions, and the way of a request. See mem.h, and mem_private.h for the
 * locks.
 *
 * A request is carried out and completed on the thread that submitted it. A server that stops takes its opens off the
 * nodes and leaves them to their connections, dead.
 */
#include "mem_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ID_LANE_BITS  4
#define ID_INDEX_BITS 20

_Static_assert(SMB_LANES == 1u << ID_LANE_BITS, "a lane has its place in an id");

/* ---- alone, or not ---- */

static void lock_all(struct mem_backend *backend)
{
    for (unsigned i = 0; i < SMB_LANES; i++)
        pthread_mutex_lock(&backend->lanes[i].lock);
}

static void unlock_all(struct mem_backend *backend)
{
    for (unsigned i = SMB_LANES; i-- > 0;)
        pthread_mutex_unlock(&backend->lanes[i].lock);
}

/* ---- a connection's opens ---- */

NTSTATUS mem_table_add(struct mem_table *table, unsigned lane, struct mem_open *open)
{
    ULONG index = table->hint;

    while (index < table->size && table->opens[index] != NULL)
        index++;
    if (index == table->size) {
        ULONG size = table->size != 0 ? table->size * 2 : 16;
        struct mem_open **opens = size <= 1u << ID_INDEX_BITS ? realloc(table->opens, size * sizeof(*opens)) : NULL;

        if (opens == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        memset(opens + table->size, 0, (size - table->size) * sizeof(*opens));
        table->opens = opens;
        table->size = size;
    }
    table->opens[index] = open;
    table->hint = index + 1;
    open->id = (++table->serial << ID_INDEX_BITS | index) << ID_LANE_BITS | lane;
    return STATUS_SUCCESS;
}

void mem_table_remove(struct mem_table *table, const struct mem_open *open)
{
    ULONG index = (ULONG)(open->id >> ID_LANE_BITS) & ((1u << ID_INDEX_BITS) - 1);

    table->opens[index] = NULL;
    if (index < table->hint)
        table->hint = index;
}

static struct mem_open *find_open(const struct mem_table *table, smb_file id)
{
    ULONG index = (ULONG)(id >> ID_LANE_BITS) & ((1u << ID_INDEX_BITS) - 1);

    if (index >= table->size || table->opens[index] == NULL || table->opens[index]->id != id)
        return NULL;
    return table->opens[index];
}

/* Do something to every open of a connection. Alone. */
static void for_each_open(struct mem_connection *connection, void (*action)(struct mem_open *open, void *context),
                          void *context)
{
    for (unsigned i = 0; i < SMB_LANES; i++) {
        for (ULONG j = 0; j < connection->tables[i].size; j++) {
            if (connection->tables[i].opens[j] != NULL)
                action(connection->tables[i].opens[j], context);
        }
    }
}

/* What is left of a session: its files are closed. The open itself stays. */
static void end_open(struct mem_open *open, void *context)
{
    const struct mem_call call = {.backend = context, .alone = TRUE};

    (void)mem_close(&call, open);
}

/* ---- sessions ---- */

static char *copy_string(const char *text)
{
    return strdup(text != NULL ? text : "");
}

static struct mem_server *find_server(struct mem_backend *backend, const char *host, uint16_t port)
{
    struct mem_server *server = backend->servers;

    while (server != NULL && (server->port != (port != 0 ? port : 445) || strcasecmp(server->host, host) != 0))
        server = server->next;
    return server;
}

static struct mem_share *find_share(struct mem_server *server, const char *name)
{
    struct mem_share *share = server->shares;

    while (share != NULL && strcasecmp(share->name, name) != 0)
        share = share->next;
    return share;
}

static BOOLEAN stands(const struct mem_connection *connection)
{
    return connection->server != NULL && connection->server->running &&
           connection->session == connection->server->session;
}

/* Alone. */
static NTSTATUS ensure_connected(struct mem_backend *backend, struct mem_connection *connection)
{
    struct mem_server *server;

    if (stands(connection))
        return STATUS_SUCCESS;
    connection->server = NULL;
    server = find_server(backend, connection->host, connection->port);
    if (server == NULL || !server->running)
        return STATUS_BAD_NETWORK_PATH;
    if (backend->user != NULL &&
        (strcmp(backend->user, connection->user) != 0 || strcmp(backend->password, connection->password) != 0))
        return STATUS_LOGON_FAILURE;
    connection->share = find_share(server, connection->share_name);
    if (connection->share == NULL)
        return STATUS_BAD_NETWORK_NAME;
    connection->server = server;
    connection->session = server->session;
    return STATUS_SUCCESS;
}

/* ---- the way of a request ---- */

/* Requests by path connect if need be; requests by file do not. */
static NTSTATUS serve_by_path(const struct mem_call *call)
{
    NTSTATUS status;

    if (!stands(call->connection)) {
        status = call->alone ? ensure_connected(call->backend, call->connection) : STATUS_RETRY;
        if (status != STATUS_SUCCESS)
            return status;
    }
    if (call->request->op == SMB_NOTIFY)
        return call->alone ? mem_watch_begin(call) : STATUS_RETRY;
    return call->request->op == SMB_CREATE ? mem_create(call) : mem_by_path(call);
}

static NTSTATUS serve_open(const struct mem_call *call, struct mem_table *table)
{
    struct mem_open *open = find_open(table, call->request->file);
    NTSTATUS status = STATUS_SUCCESS;
    BOOLEAN lost;

    if (open == NULL)
        return STATUS_INVALID_HANDLE;
    lost = open->node == NULL;
    if (call->request->op == SMB_CLOSE) {
        status = mem_close(call, open);
        if (status == STATUS_SUCCESS) {
            mem_table_remove(table, open);
            free(open);
        }
    } else if (!lost) {
        status = mem_by_file(call, open);
    }
    return lost ? STATUS_CONNECTION_DISCONNECTED : status;
}

static NTSTATUS serve_by_file(const struct mem_call *call)
{
    struct mem_table *table = &call->connection->tables[call->request->file & (SMB_LANES - 1)];
    NTSTATUS status;

    pthread_mutex_lock(&table->lock);
    status = serve_open(call, table);
    pthread_mutex_unlock(&table->lock);
    return status;
}

static NTSTATUS leave_tree(const struct mem_call *call)
{
    if (!call->alone)
        return STATUS_RETRY;
    for_each_open(call->connection, end_open, call->backend);
    call->connection->server = NULL;
    return STATUS_SUCCESS;
}

static NTSTATUS serve(const struct mem_call *call)
{
    switch (call->request->op) {
    case SMB_TREE_DISCONNECT:
        return leave_tree(call);
    case SMB_TREE_CONNECT:
    case SMB_CREATE:
    case SMB_QUERY_PATH:
    case SMB_QUERY_VOLUME:
    case SMB_DELETE:
    case SMB_RENAME:
    case SMB_SET_BASIC:
    case SMB_NOTIFY:
        return serve_by_path(call);
    default:
        return serve_by_file(call);
    }
}

static NTSTATUS check_notify(const struct smb_request *request)
{
    if (request->op != SMB_NOTIFY)
        return STATUS_SUCCESS;
    return request->in.notify.length > SMB_MAX_IO || request->in.notify.filter == 0 ? STATUS_INVALID_PARAMETER
                                                                                    : STATUS_SUCCESS;
}

static void mem_submit(struct smb_connection *base, struct smb_request *request)
{
    struct mem_call call = {(struct mem_backend *)base->backend, (struct mem_connection *)base, request, FALSE};
    pthread_mutex_t *lane = &call.backend->lanes[smb_lane()].lock;
    NTSTATUS status;

    if (call.connection->watch != NULL) {
        status = mem_watch_next(call.backend, call.connection, request);
        if (status != STATUS_PENDING)
            smb_complete(request, status);
        mem_tell_watches(call.backend);
        return;
    }
    pthread_mutex_lock(lane);
    status = check_notify(request);
    if (status == STATUS_SUCCESS)
        status = serve(&call);
    pthread_mutex_unlock(lane);
    if (status == STATUS_RETRY) {
        call.alone = TRUE;
        lock_all(call.backend);
        status = serve(&call);
        unlock_all(call.backend);
    }
    smb_complete(request, status);
    mem_tell_watches(call.backend);
}

/* Nothing else is ever outstanding: the request has completed, or completes while we look. */
static void mem_cancel(struct smb_connection *base, struct smb_request *request)
{
    if (mem_watch_cancel((struct mem_backend *)base->backend, (struct mem_connection *)base, request))
        smb_complete(request, STATUS_CANCELLED);
}

/* ---- life ---- */

static void free_connection(struct mem_connection *connection)
{
    for (unsigned i = 0; i < SMB_LANES; i++) {
        for (ULONG j = 0; j < connection->tables[i].size; j++)
            free(connection->tables[i].opens[j]);
        free(connection->tables[i].opens);
        pthread_mutex_destroy(&connection->tables[i].lock);
    }
    free(connection->host);
    free(connection->share_name);
    free(connection->user);
    if (connection->password != NULL)
        explicit_bzero(connection->password, strlen(connection->password));
    free(connection->password);
    free(connection);
}

static NTSTATUS mem_connect(struct smb_backend *base, const struct smb_target *target,
                            struct smb_connection **ret_connection)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    struct mem_connection *connection = smb_new_aligned(sizeof(*connection));
    const struct mem_connection *like = (const struct mem_connection *)target->like;

    if (connection == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    connection->base.backend = base;
    for (unsigned i = 0; i < SMB_LANES; i++)
        pthread_mutex_init(&connection->tables[i].lock, NULL);
    connection->host = copy_string(target->host);
    connection->share_name = copy_string(target->share);
    connection->user = copy_string(like != NULL ? like->user : target->user);
    connection->password = copy_string(like != NULL ? like->password : target->password);
    connection->port = target->port;
    if (connection->host == NULL || connection->share_name == NULL || connection->user == NULL ||
        connection->password == NULL) {
        free_connection(connection);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    lock_all(backend);
    connection->next = backend->connections;
    backend->connections = connection;
    unlock_all(backend);
    *ret_connection = &connection->base;
    return STATUS_SUCCESS;
}

static void mem_disconnect(struct smb_connection *base)
{
    struct mem_connection *connection = (struct mem_connection *)base;
    struct mem_backend *backend = (struct mem_backend *)base->backend;
    struct mem_connection **link = &backend->connections;

    mem_watch_end(backend, connection);
    lock_all(backend);
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    for_each_open(connection, end_open, backend);
    unlock_all(backend);
    mem_tell_watches(backend); /* of what went with its files */
    free_connection(connection);
}

static void mem_describe(struct smb_connection *connection, char *text, size_t size)
{
    (void)connection;
    snprintf(text, size, "in memory");
}

static void free_share(struct mem_share *share)
{
    if (share->root != NULL)
        mem_node_free(share->root);
    free(share->name);
    free(share);
}

static void mem_free(struct smb_backend *base)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    struct mem_server *server;
    struct mem_share *share;

    while ((server = backend->servers) != NULL) {
        backend->servers = server->next;
        while ((share = server->shares) != NULL) {
            server->shares = share->next;
            free_share(share);
        }
        free(server->host);
        free(server);
    }
    free(backend->user);
    free(backend->password);
    pthread_cond_destroy(&backend->told);
    pthread_mutex_destroy(&backend->watch_lock);
    for (unsigned i = 0; i < SMB_LANES; i++)
        pthread_mutex_destroy(&backend->lanes[i].lock);
    free(backend);
}

static const struct smb_backend_ops mem_ops = {
    .connect = mem_connect,
    .submit = mem_submit,
    .cancel = mem_cancel,
    .disconnect = mem_disconnect,
    .describe = mem_describe,
    .free = mem_free,
};

struct smb_backend *smb_mem_backend(void)
{
    struct mem_backend *backend = smb_new_aligned(sizeof(*backend));

    if (backend == NULL)
        return NULL;
    backend->base.ops = &mem_ops;
    pthread_mutex_init(&backend->watch_lock, NULL);
    pthread_cond_init(&backend->told, NULL);
    for (unsigned i = 0; i < SMB_LANES; i++)
        pthread_mutex_init(&backend->lanes[i].lock, NULL);
    return &backend->base;
}

/* ---- mem.h ---- */

NTSTATUS smb_mem_set_user(struct smb_backend *base, const char *user, const char *password)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    char *new_user = copy_string(user), *new_password = copy_string(password);

    if (new_user == NULL || new_password == NULL) {
        free(new_user);
        free(new_password);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    lock_all(backend);
    free(backend->user);
    free(backend->password);
    backend->user = new_user;
    backend->password = new_password;
    unlock_all(backend);
    return STATUS_SUCCESS;
}

/* Alone. */
static struct mem_server *make_server(struct mem_backend *backend, const char *host, uint16_t port)
{
    struct mem_server *server = calloc(1, sizeof(*server));

    if (server == NULL)
        return NULL;
    server->host = copy_string(host);
    if (server->host == NULL) {
        free(server);
        return NULL;
    }
    server->port = port != 0 ? port : 445;
    server->running = TRUE;
    server->next = backend->servers;
    backend->servers = server;
    return server;
}

NTSTATUS smb_mem_add_share(struct smb_backend *base, const char *host, uint16_t port, const char *name,
                           BOOLEAN read_only)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    struct mem_share *share = calloc(1, sizeof(*share));
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    const struct mem_place no_name = {0};
    struct mem_server *server;

    if (share == NULL)
        return status;
    lock_all(backend);
    server = find_server(backend, host, port);
    if (server == NULL)
        server = make_server(backend, host, port);
    share->name = copy_string(name);
    share->root = mem_node_new(backend, &no_name, TRUE, 0);
    if (server != NULL && share->name != NULL && share->root != NULL)
        status = find_share(server, name) != NULL ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS;
    if (status == STATUS_SUCCESS) {
        share->read_only = read_only;
        share->next = server->shares;
        server->shares = share;
    } else {
        free_share(share);
    }
    unlock_all(backend);
    return status;
}

/* Alone. */
static NTSTATUS add_to_share(struct mem_backend *backend, struct mem_share *share, const UNICODE_STRING *path,
                             const void *data, size_t size)
{
    const struct mem_call call = {.backend = backend, .alone = TRUE};
    struct mem_node *node;
    struct mem_place place;
    NTSTATUS status = mem_find(share, path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node != NULL)
        return STATUS_OBJECT_NAME_COLLISION;
    node = mem_node_new(backend, &place, data == NULL, 0);
    if (node == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (data != NULL)
        status = mem_node_resize(node, size);
    if (status == STATUS_SUCCESS && data != NULL && size != 0)
        memcpy(node->data, data, size);
    if (status == STATUS_SUCCESS)
        status = mem_node_add(&call, node, place.parent);
    if (status != STATUS_SUCCESS)
        mem_node_free(node);
    else
        mem_report(backend, node, MEM_NAME_FILTER(node), FILE_ACTION_ADDED);
    return status;
}

NTSTATUS smb_mem_add(struct smb_backend *base, const char *share_name, const UNICODE_STRING *path, const void *data,
                     size_t size)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    NTSTATUS status = STATUS_BAD_NETWORK_NAME;

    lock_all(backend);
    for (struct mem_server *server = backend->servers; server != NULL; server = server->next) {
        struct mem_share *share = find_share(server, share_name);

        if (share != NULL) {
            status = add_to_share(backend, share, path, data, size);
            break;
        }
    }
    unlock_all(backend);
    mem_tell_watches(backend);
    return status;
}

void smb_mem_share_all(struct smb_backend *base)
{
    struct mem_backend *backend = (struct mem_backend *)base;

    lock_all(backend);
    backend->shares_all = TRUE;
    unlock_all(backend);
}

void smb_mem_set_running(struct smb_backend *base, const char *host, uint16_t port, BOOLEAN running)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    struct mem_server *server;

    lock_all(backend);
    server = find_server(backend, host, port);
    if (server != NULL && server->running && !running) {
        server->session++;
        for (struct mem_connection *c = backend->connections; c != NULL; c = c->next) {
            if (c->server == server) {
                for_each_open(c, end_open, backend);
                mem_watch_lose(backend, c);
            }
        }
    }
    if (server != NULL)
        server->running = running;
    unlock_all(backend);
    mem_tell_watches(backend);
}

void smb_mem_set_left_out(struct smb_backend *base, const char *host, uint16_t port, ULONG bytes)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    struct mem_server *server;

    lock_all(backend);
    server = find_server(backend, host, port);
    if (server != NULL)
        server->left_out = bytes;
    unlock_all(backend);
}

static void count_open(struct mem_open *open, void *context)
{
    *(unsigned *)context += open->node != NULL;
}

unsigned smb_mem_open_files(struct smb_backend *base)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    unsigned count = 0;

    lock_all(backend);
    for (struct mem_connection *c = backend->connections; c != NULL; c = c->next)
        for_each_open(c, count_open, &count);
    unlock_all(backend);
    return count;
}

unsigned smb_mem_sessions(struct smb_backend *base)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    unsigned count = 0;

    lock_all(backend);
    for (struct mem_connection *c = backend->connections; c != NULL; c = c->next)
        count += stands(c);
    unlock_all(backend);
    return count;
}
