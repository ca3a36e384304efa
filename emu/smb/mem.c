/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem.c - SMB servers in memory. See mem.h.
 *
 * One lock guards everything of a backend. A request is carried out under it and completed after it, on the thread
 * that submitted it. Files live in a tree of nodes; every open is in two lists: its connection's, so that it can be
 * found and freed, and its node's, so that sharing can be checked. A server that stops takes its opens off the nodes
 * and leaves them to their connections, dead.
 */
#include "mem.h"
#include "name.h"
#include "smb_backend.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READS  (FILE_READ_DATA | FILE_EXECUTE)
#define WRITES (FILE_WRITE_DATA | FILE_APPEND_DATA)

#define UNIT_SIZE     4096u
#define MAX_COMPONENT 255u
#define MAX_FILE_SIZE (64u << 20)

struct mem_node {
    struct mem_node *parent, *children, *sibling;
    struct mem_open *opens;
    WCHAR *name;
    ULONG name_length; /* bytes */
    BOOLEAN directory;
    BOOLEAN delete_pending; /* the last close takes it away */
    ULONG attributes;
    LONGLONG creation_time, last_write_time;
    ULONGLONG index;
    unsigned char *data;
    size_t size;
};

struct mem_share {
    struct mem_share *next;
    char *name;
    BOOLEAN read_only;
    struct mem_node root;
};

struct mem_server {
    struct mem_server *next;
    char *host;
    uint16_t port;
    BOOLEAN running;
    unsigned session; /* goes up with every stop: older connections are lost */
    struct mem_share *shares;
};

struct mem_open {
    struct mem_open *next; /* of the connection */
    struct mem_open *next_of_node;
    struct mem_node *node; /* NULL: the server has lost it */
    smb_file id;
    ACCESS_MASK access;
    ULONG share_access;
    ULONG listed; /* entries of a directory given out so far */
};

struct mem_connection {
    struct smb_connection base;
    struct mem_connection *next;
    char *host, *share_name, *user, *password;
    uint16_t port;
    struct mem_server *server; /* NULL: not connected */
    struct mem_share *share;
    unsigned session;
    struct mem_open *opens;
    smb_file last_id;
};

struct mem_backend {
    struct smb_backend base;
    pthread_mutex_t lock;
    struct mem_server *servers;
    struct mem_connection *connections;
    char *user, *password; /* NULL: nobody is asked */
    ULONGLONG last_index;
};

/* ---- names ---- */

static BOOLEAN is_forbidden(WCHAR c)
{
    return c < 0x20 || c == '"' || c == '*' || c == '/' || c == ':' || c == '<' || c == '>' || c == '?' || c == '|';
}

/* Syntax is checked before existence, all of it: smbd says NAME_INVALID of a bad leaf in a missing directory, too. */
static NTSTATUS check_path(const UNICODE_STRING *path)
{
    ULONG count = path->Length / sizeof(WCHAR), component = 0;

    for (ULONG i = 0; i < count; i++) {
        WCHAR c = path->Buffer[i];

        if (c == '\\') {
            component = 0;
            continue;
        }
        if (is_forbidden(c) || ++component > MAX_COMPONENT)
            return STATUS_OBJECT_NAME_INVALID;
        if (c >= 0xD800 && c <= 0xDFFF) {
            if (c >= 0xDC00 || i + 1 == count || path->Buffer[i + 1] < 0xDC00 || path->Buffer[i + 1] > 0xDFFF)
                return STATUS_OBJECT_NAME_INVALID;
            i++;
            component++;
        }
    }
    return STATUS_SUCCESS;
}

/* ---- nodes ---- */

/* Where a path leads: an existing node, or the directory and the name a new one would have. */
struct mem_place {
    struct mem_node *node;   /* NULL: does not exist */
    struct mem_node *parent; /* NULL for the root */
    const WCHAR *name;
    ULONG name_length;
};

static NTSTATUS find_place(struct mem_share *share, const UNICODE_STRING *path, struct mem_place *place)
{
    const WCHAR *at = path->Buffer, *end = path->Buffer + path->Length / sizeof(WCHAR);
    NTSTATUS status = check_path(path);

    if (status != STATUS_SUCCESS)
        return status;
    memset(place, 0, sizeof(*place));
    place->node = &share->root;
    for (;;) {
        const WCHAR *start;
        struct mem_node *child;

        while (at < end && *at == '\\')
            at++;
        if (at == end)
            return STATUS_SUCCESS;
        if (place->node == NULL || !place->node->directory)
            return STATUS_OBJECT_PATH_NOT_FOUND;
        for (start = at; at < end && *at != '\\'; at++)
            ;
        place->parent = place->node;
        place->name = start;
        place->name_length = (ULONG)((char *)at - (char *)start);
        for (child = place->parent->children; child != NULL; child = child->sibling) {
            if (smb_name_equal(child->name, child->name_length, place->name, place->name_length))
                break;
        }
        place->node = child;
    }
}

static void link_node(struct mem_node *node, struct mem_node *parent)
{
    struct mem_node **link = &parent->children;

    while (*link != NULL)
        link = &(*link)->sibling;
    *link = node;
    node->parent = parent;
    node->sibling = NULL;
}

static void unlink_node(struct mem_node *node)
{
    struct mem_node **link = &node->parent->children;

    while (*link != node)
        link = &(*link)->sibling;
    *link = node->sibling;
}

static NTSTATUS make_node(struct mem_backend *backend, const struct mem_place *place, BOOLEAN directory,
                          ULONG attributes, struct mem_node **ret_node)
{
    struct mem_node *node = calloc(1, sizeof(*node));

    if (node != NULL)
        node->name = malloc(place->name_length);
    if (node == NULL || node->name == NULL) {
        free(node);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    memcpy(node->name, place->name, place->name_length);
    node->name_length = place->name_length;
    node->directory = directory;
    node->attributes = attributes & (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM);
    node->attributes |= directory ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_ARCHIVE;
    node->creation_time = node->last_write_time = smb_time_now();
    node->index = ++backend->last_index;
    link_node(node, place->parent);
    *ret_node = node;
    return STATUS_SUCCESS;
}

static void free_node(struct mem_node *node)
{
    free(node->name);
    free(node->data);
    free(node);
}

static void free_children(struct mem_node *node)
{
    struct mem_node *child, *next;

    for (child = node->children; child != NULL; child = next) {
        next = child->sibling;
        free_children(child);
        free_node(child);
    }
}

static NTSTATUS resize(struct mem_node *node, ULONGLONG size)
{
    unsigned char *data;

    if (size > MAX_FILE_SIZE)
        return STATUS_DISK_FULL;
    if (size > node->size) {
        data = realloc(node->data, (size_t)size);
        if (data == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        memset(data + node->size, 0, (size_t)size - node->size);
        node->data = data;
    }
    node->size = (size_t)size;
    node->last_write_time = smb_time_now();
    return STATUS_SUCCESS;
}

static void get_info(const struct mem_node *node, struct smb_info *info)
{
    memset(info, 0, sizeof(*info));
    info->creation_time = node->creation_time;
    info->last_access_time = info->last_write_time = info->change_time = node->last_write_time;
    info->end_of_file = node->size;
    info->allocation_size = (node->size + UNIT_SIZE - 1) / UNIT_SIZE * UNIT_SIZE;
    info->index_number = node->index;
    info->attributes = node->attributes;
    info->links = 1;
    info->complete = TRUE;
}

/* ---- opens ---- */

static struct mem_open *find_open(struct mem_connection *connection, smb_file id)
{
    struct mem_open *open = connection->opens;

    while (open != NULL && open->id != id)
        open = open->next;
    return open;
}

static void detach_from_node(struct mem_open *open)
{
    struct mem_open **link;

    if (open->node == NULL)
        return;
    for (link = &open->node->opens; *link != open; link = &(*link)->next_of_node)
        ;
    *link = open->next_of_node;
    if (open->node->opens == NULL && open->node->delete_pending) {
        unlink_node(open->node);
        free_node(open->node);
    }
    open->node = NULL;
}

static void free_open(struct mem_connection *connection, struct mem_open *open)
{
    struct mem_open **link = &connection->opens;

    detach_from_node(open);
    while (*link != open)
        link = &(*link)->next;
    *link = open->next;
    free(open);
}

/* NT's sharing rule: neither may want what the other does not share. Who wants nothing shared is asked nothing. */
static BOOLEAN may_share(const struct mem_node *node, ACCESS_MASK access, ULONG share_access)
{
    static const struct {
        ACCESS_MASK access;
        ULONG share;
    } kinds[] = {{READS, FILE_SHARE_READ}, {WRITES, FILE_SHARE_WRITE}, {DELETE, FILE_SHARE_DELETE}};
    const ACCESS_MASK matters = READS | WRITES | DELETE;

    if ((access & matters) == 0)
        return TRUE;
    for (const struct mem_open *open = node->opens; open != NULL; open = open->next_of_node) {
        if ((open->access & matters) == 0)
            continue;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            if (((access & kinds[i].access) != 0 && (open->share_access & kinds[i].share) == 0) ||
                ((open->access & kinds[i].access) != 0 && (share_access & kinds[i].share) == 0))
                return FALSE;
        }
    }
    return TRUE;
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

/* ---- the requests; each with the lock held ---- */

static NTSTATUS check_create(const struct smb_request *request)
{
    ULONG options = request->in.create.options, disposition = request->in.create.disposition;

    if (disposition > FILE_MAXIMUM_DISPOSITION)
        return STATUS_INVALID_PARAMETER;
    if ((options & FILE_DIRECTORY_FILE) == 0)
        return STATUS_SUCCESS;
    if ((options & FILE_NON_DIRECTORY_FILE) != 0 ||
        (disposition != FILE_OPEN && disposition != FILE_CREATE && disposition != FILE_OPEN_IF))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static BOOLEAN overwrites(ULONG disposition)
{
    return disposition == FILE_SUPERSEDE || disposition == FILE_OVERWRITE || disposition == FILE_OVERWRITE_IF;
}

/* Whether an existing node may be opened as asked. */
static NTSTATUS check_existing(const struct mem_share *share, const struct mem_node *node,
                               const struct smb_request *request)
{
    ACCESS_MASK access = request->in.create.access;
    ULONG disposition = request->in.create.disposition;

    if (disposition == FILE_CREATE)
        return STATUS_OBJECT_NAME_COLLISION;
    if (node->delete_pending)
        return STATUS_DELETE_PENDING;
    if (node->directory && ((request->in.create.options & FILE_NON_DIRECTORY_FILE) != 0 || overwrites(disposition)))
        return STATUS_FILE_IS_A_DIRECTORY;
    if (!node->directory && (request->in.create.options & FILE_DIRECTORY_FILE) != 0)
        return STATUS_NOT_A_DIRECTORY;
    if (overwrites(disposition))
        access |= disposition == FILE_SUPERSEDE ? DELETE : FILE_WRITE_DATA;
    if (!node->directory && (access & (WRITES | DELETE)) != 0 &&
        (share->read_only || (node->attributes & FILE_ATTRIBUTE_READONLY) != 0))
        return STATUS_ACCESS_DENIED;
    if (!may_share(node, access, request->in.create.share_access))
        return STATUS_SHARING_VIOLATION;
    return STATUS_SUCCESS;
}

static NTSTATUS reach_node(struct mem_backend *backend, struct mem_connection *connection, struct smb_request *request,
                           struct mem_node **ret_node, ULONG *ret_action)
{
    ULONG disposition = request->in.create.disposition;
    struct mem_place place;
    NTSTATUS status = find_place(connection->share, &request->path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node == NULL) {
        if (disposition == FILE_OPEN || disposition == FILE_OVERWRITE)
            return STATUS_OBJECT_NAME_NOT_FOUND;
        if (connection->share->read_only)
            return STATUS_ACCESS_DENIED;
        status = make_node(backend, &place, (request->in.create.options & FILE_DIRECTORY_FILE) != 0,
                           request->in.create.attributes, ret_node);
        if (status == STATUS_SUCCESS)
            *ret_action = FILE_CREATED;
        return status;
    }
    status = check_existing(connection->share, place.node, request);
    if (status != STATUS_SUCCESS)
        return status;
    *ret_action = FILE_OPENED;
    if (overwrites(disposition)) {
        *ret_action = disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED : FILE_OVERWRITTEN;
        resize(place.node, 0);
    }
    *ret_node = place.node;
    return STATUS_SUCCESS;
}

static NTSTATUS do_create(struct mem_backend *backend, struct mem_connection *connection, struct smb_request *request)
{
    struct mem_open *open;
    NTSTATUS status = check_create(request);

    if (status != STATUS_SUCCESS)
        return status;
    open = calloc(1, sizeof(*open));
    if (open == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = reach_node(backend, connection, request, &open->node, &request->out.create.action);
    if (status != STATUS_SUCCESS) {
        free(open);
        return status;
    }
    open->id = ++connection->last_id;
    open->access = request->in.create.access;
    open->share_access = request->in.create.share_access;
    open->next = connection->opens;
    connection->opens = open;
    open->next_of_node = open->node->opens;
    open->node->opens = open;
    request->out.create.file = open->id;
    /* No more than a real client would know without a second exchange. */
    memset(&request->out.create.info, 0, sizeof(request->out.create.info));
    request->out.create.info.attributes = open->node->attributes & FILE_ATTRIBUTE_DIRECTORY;
    return STATUS_SUCCESS;
}

static NTSTATUS do_read(struct mem_open *open, struct smb_request *request)
{
    ULONGLONG offset = request->in.io.offset;
    size_t size = open->node->size, length = request->in.io.length;

    if (length > SMB_MAX_IO)
        return STATUS_INVALID_PARAMETER;
    if (open->node->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if ((open->access & READS) == 0)
        return STATUS_ACCESS_DENIED;
    if (length != 0 && offset >= size)
        return STATUS_END_OF_FILE;
    if (length > size - offset)
        length = (size_t)(size - offset);
    if (length != 0)
        memcpy(request->in.io.buffer, open->node->data + offset, length);
    request->out.io.done = (ULONG)length;
    return STATUS_SUCCESS;
}

static NTSTATUS do_write(struct mem_open *open, struct smb_request *request)
{
    ULONGLONG offset = request->in.io.offset, end = offset + request->in.io.length;
    NTSTATUS status = STATUS_SUCCESS;

    if (request->in.io.length > SMB_MAX_IO || end < offset)
        return STATUS_INVALID_PARAMETER;
    if (open->node->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if ((open->access & WRITES) == 0)
        return STATUS_ACCESS_DENIED;
    if (end > open->node->size && request->in.io.length != 0)
        status = resize(open->node, end);
    if (status != STATUS_SUCCESS)
        return status;
    if (request->in.io.length != 0)
        memcpy(open->node->data + offset, request->in.io.buffer, request->in.io.length);
    open->node->last_write_time = smb_time_now();
    request->out.io.done = request->in.io.length;
    return STATUS_SUCCESS;
}

static NTSTATUS do_query_directory(struct mem_open *open, struct smb_request *request)
{
    struct mem_node *child = open->node->children;
    ULONG used = 0, last = 0, index = 0;
    struct smb_info info;

    if (!open->node->directory || request->in.io.length > SMB_MAX_IO)
        return STATUS_INVALID_PARAMETER;
    if (request->in.io.restart)
        open->listed = 0;
    for (; child != NULL && index < open->listed; child = child->sibling)
        index++;
    if (child == NULL)
        return STATUS_NO_MORE_FILES;
    for (; child != NULL; child = child->sibling) {
        get_info(child, &info);
        if (!smb_put_dirent(request->in.io.buffer, request->in.io.length, &used, &last, child->name, child->name_length,
                            &info))
            break;
        open->listed++;
    }
    if (used == 0)
        return STATUS_BUFFER_TOO_SMALL;
    request->out.io.done = used;
    return STATUS_SUCCESS;
}

static NTSTATUS do_query_path(struct mem_connection *connection, struct smb_request *request)
{
    struct mem_place place;
    NTSTATUS status = find_place(connection->share, &request->path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    get_info(place.node, &request->out.info);
    return STATUS_SUCCESS;
}

/* Find what an open for DELETE would open, sharing everything. */
static NTSTATUS find_to_change(struct mem_share *share, const UNICODE_STRING *path, struct mem_place *place)
{
    NTSTATUS status = find_place(share, path, place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place->node == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (place->node->delete_pending)
        return STATUS_DELETE_PENDING;
    if (share->read_only)
        return STATUS_ACCESS_DENIED;
    if (!may_share(place->node, DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE))
        return STATUS_SHARING_VIOLATION;
    return STATUS_SUCCESS;
}

static NTSTATUS do_delete(struct mem_connection *connection, struct smb_request *request)
{
    struct mem_place place;
    NTSTATUS status = find_to_change(connection->share, &request->path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node->directory != request->in.remove.directory)
        return place.node->directory ? STATUS_FILE_IS_A_DIRECTORY : STATUS_NOT_A_DIRECTORY;
    if (place.parent == NULL || (place.node->attributes & FILE_ATTRIBUTE_READONLY) != 0)
        return STATUS_CANNOT_DELETE;
    if (place.node->children != NULL)
        return STATUS_DIRECTORY_NOT_EMPTY;
    if (place.node->opens != NULL) {
        place.node->delete_pending = TRUE;
        return STATUS_SUCCESS;
    }
    unlink_node(place.node);
    free_node(place.node);
    return STATUS_SUCCESS;
}

static BOOLEAN is_open_below(const struct mem_node *node)
{
    for (const struct mem_node *child = node->children; child != NULL; child = child->sibling) {
        if (child->opens != NULL || is_open_below(child))
            return TRUE;
    }
    return FALSE;
}

static BOOLEAN is_below(const struct mem_node *node, const struct mem_node *top)
{
    while (node != NULL && node != top)
        node = node->parent;
    return node == top;
}

/* Whether node may go where place is; what is there already is in the way, or can be taken away. */
static NTSTATUS check_target(const struct mem_node *node, const struct mem_place *place, BOOLEAN replace)
{
    const struct mem_node *there = place->node;

    if (there != node && place->parent != NULL && is_below(place->parent, node))
        return STATUS_SHARING_VIOLATION;
    if (there == NULL || there == node)
        return STATUS_SUCCESS;
    if (!replace)
        return STATUS_OBJECT_NAME_COLLISION;
    if (there->directory || there->opens != NULL || (there->attributes & FILE_ATTRIBUTE_READONLY) != 0)
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

static NTSTATUS do_rename(struct mem_connection *connection, struct smb_request *request)
{
    struct mem_place from, to;
    NTSTATUS status = find_to_change(connection->share, &request->path, &from);
    WCHAR *name;

    if (status == STATUS_SUCCESS && from.parent == NULL)
        status = STATUS_INVALID_PARAMETER;
    if (status == STATUS_SUCCESS)
        status = find_place(connection->share, &request->in.rename.target, &to);
    if (status == STATUS_SUCCESS)
        status = check_target(from.node, &to, request->in.rename.replace);
    if (status != STATUS_SUCCESS)
        return status;
    if (is_open_below(from.node))
        return STATUS_ACCESS_DENIED;
    name = malloc(to.name_length);
    if (name == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(name, to.name, to.name_length);
    if (to.node != NULL && to.node != from.node) {
        unlink_node(to.node);
        free_node(to.node);
    }
    unlink_node(from.node);
    free(from.node->name);
    from.node->name = name;
    from.node->name_length = to.name_length;
    link_node(from.node, to.parent);
    return STATUS_SUCCESS;
}

static NTSTATUS do_query_volume(struct smb_request *request)
{
    request->out.volume = (struct smb_volume){
        .total_units = 1u << 20,
        .free_units = 1u << 19,
        .sectors_per_unit = UNIT_SIZE / 512,
        .bytes_per_sector = 512,
        .max_component = MAX_COMPONENT,
    };
    return STATUS_SUCCESS;
}

/* Requests by path connect if need be; requests by file do not. */
static NTSTATUS do_by_path(struct mem_backend *backend, struct mem_connection *connection, struct smb_request *request)
{
    NTSTATUS status = ensure_connected(backend, connection);

    if (status != STATUS_SUCCESS)
        return status;
    switch (request->op) {
    case SMB_CREATE:
        return do_create(backend, connection, request);
    case SMB_QUERY_PATH:
        return do_query_path(connection, request);
    case SMB_QUERY_VOLUME:
        return do_query_volume(request);
    case SMB_DELETE:
        return do_delete(connection, request);
    case SMB_RENAME:
        return do_rename(connection, request);
    default:
        return STATUS_SUCCESS;
    }
}

static NTSTATUS do_by_file(struct mem_connection *connection, struct smb_request *request)
{
    struct mem_open *open = find_open(connection, request->file);
    BOOLEAN lost;

    if (open == NULL)
        return STATUS_INVALID_HANDLE;
    lost = open->node == NULL;
    if (request->op == SMB_CLOSE)
        free_open(connection, open);
    if (lost)
        return STATUS_CONNECTION_DISCONNECTED;
    switch (request->op) {
    case SMB_READ:
        return do_read(open, request);
    case SMB_WRITE:
        return do_write(open, request);
    case SMB_QUERY_DIRECTORY:
        return do_query_directory(open, request);
    case SMB_QUERY_FILE:
        get_info(open->node, &request->out.info);
        return STATUS_SUCCESS;
    default:
        return STATUS_SUCCESS;
    }
}

static void mem_submit(struct smb_connection *base, struct smb_request *request)
{
    struct mem_connection *connection = (struct mem_connection *)base;
    struct mem_backend *backend = (struct mem_backend *)base->backend;
    NTSTATUS status;

    pthread_mutex_lock(&backend->lock);
    switch (request->op) {
    case SMB_TREE_CONNECT:
    case SMB_CREATE:
    case SMB_QUERY_PATH:
    case SMB_QUERY_VOLUME:
    case SMB_DELETE:
    case SMB_RENAME:
        status = do_by_path(backend, connection, request);
        break;
    default:
        status = do_by_file(connection, request);
        break;
    }
    pthread_mutex_unlock(&backend->lock);
    smb_complete(request, status);
}

static void mem_cancel(struct smb_connection *connection, struct smb_request *request)
{
    /* Nothing is ever outstanding: the request has completed, or completes while we look. */
    (void)connection;
    (void)request;
}

/* ---- life ---- */

static void free_connection(struct mem_connection *connection)
{
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
    struct mem_connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    connection->base.backend = base;
    connection->host = copy_string(target->host);
    connection->share_name = copy_string(target->share);
    connection->user = copy_string(target->user);
    connection->password = copy_string(target->password);
    connection->port = target->port;
    if (connection->host == NULL || connection->share_name == NULL || connection->user == NULL ||
        connection->password == NULL) {
        free_connection(connection);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    pthread_mutex_lock(&backend->lock);
    connection->next = backend->connections;
    backend->connections = connection;
    pthread_mutex_unlock(&backend->lock);
    *ret_connection = &connection->base;
    return STATUS_SUCCESS;
}

static void mem_disconnect(struct smb_connection *base)
{
    struct mem_connection *connection = (struct mem_connection *)base;
    struct mem_backend *backend = (struct mem_backend *)base->backend;
    struct mem_connection **link = &backend->connections;

    pthread_mutex_lock(&backend->lock);
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    while (connection->opens != NULL)
        free_open(connection, connection->opens);
    pthread_mutex_unlock(&backend->lock);
    free_connection(connection);
}

static void mem_describe(struct smb_connection *connection, char *text, size_t size)
{
    (void)connection;
    snprintf(text, size, "in memory");
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
            free_children(&share->root);
            free(share->name);
            free(share);
        }
        free(server->host);
        free(server);
    }
    free(backend->user);
    free(backend->password);
    pthread_mutex_destroy(&backend->lock);
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
    struct mem_backend *backend = calloc(1, sizeof(*backend));

    if (backend == NULL)
        return NULL;
    backend->base.ops = &mem_ops;
    pthread_mutex_init(&backend->lock, NULL);
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
    pthread_mutex_lock(&backend->lock);
    free(backend->user);
    free(backend->password);
    backend->user = new_user;
    backend->password = new_password;
    pthread_mutex_unlock(&backend->lock);
    return STATUS_SUCCESS;
}

/* Lock held. */
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
    struct mem_server *server;

    if (share == NULL)
        return status;
    pthread_mutex_lock(&backend->lock);
    server = find_server(backend, host, port);
    if (server == NULL)
        server = make_server(backend, host, port);
    share->name = copy_string(name);
    if (server != NULL && share->name != NULL)
        status = find_share(server, name) != NULL ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS;
    if (status == STATUS_SUCCESS) {
        share->read_only = read_only;
        share->root.directory = TRUE;
        share->root.attributes = FILE_ATTRIBUTE_DIRECTORY;
        share->root.creation_time = share->root.last_write_time = smb_time_now();
        share->root.index = ++backend->last_index;
        share->next = server->shares;
        server->shares = share;
    } else {
        free(share->name);
        free(share);
    }
    pthread_mutex_unlock(&backend->lock);
    return status;
}

/* Lock held. */
static NTSTATUS add_to_share(struct mem_backend *backend, struct mem_share *share, const UNICODE_STRING *path,
                             const void *data, size_t size)
{
    struct mem_node *node;
    struct mem_place place;
    NTSTATUS status = find_place(share, path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node != NULL)
        return STATUS_OBJECT_NAME_COLLISION;
    status = make_node(backend, &place, data == NULL, 0, &node);
    if (status == STATUS_SUCCESS && data != NULL)
        status = resize(node, size);
    if (status == STATUS_SUCCESS && size != 0 && data != NULL)
        memcpy(node->data, data, size);
    return status;
}

NTSTATUS smb_mem_add(struct smb_backend *base, const char *share_name, const UNICODE_STRING *path, const void *data,
                     size_t size)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    NTSTATUS status = STATUS_BAD_NETWORK_NAME;

    pthread_mutex_lock(&backend->lock);
    for (struct mem_server *server = backend->servers; server != NULL; server = server->next) {
        struct mem_share *share = find_share(server, share_name);

        if (share != NULL) {
            status = add_to_share(backend, share, path, data, size);
            break;
        }
    }
    pthread_mutex_unlock(&backend->lock);
    return status;
}

void smb_mem_set_running(struct smb_backend *base, const char *host, uint16_t port, BOOLEAN running)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    struct mem_server *server;

    pthread_mutex_lock(&backend->lock);
    server = find_server(backend, host, port);
    if (server != NULL && server->running && !running) {
        server->session++;
        for (struct mem_connection *c = backend->connections; c != NULL; c = c->next) {
            for (struct mem_open *open = c->opens; open != NULL && c->server == server; open = open->next)
                detach_from_node(open);
        }
    }
    if (server != NULL)
        server->running = running;
    pthread_mutex_unlock(&backend->lock);
}

unsigned smb_mem_open_files(struct smb_backend *base)
{
    struct mem_backend *backend = (struct mem_backend *)base;
    unsigned count = 0;

    pthread_mutex_lock(&backend->lock);
    for (struct mem_connection *c = backend->connections; c != NULL; c = c->next) {
        for (struct mem_open *open = c->opens; open != NULL; open = open->next)
            count += open->node != NULL;
    }
    pthread_mutex_unlock(&backend->lock);
    return count;
}
