/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mem_request.c - what else than opens is asked of the server in memory. See mem_private.h. */
#include "mem_private.h"

#include <string.h>

/* ---- by file ---- */

static NTSTATUS do_read(struct mem_node *node, struct smb_request *request)
{
    ULONGLONG offset = request->in.io.offset;
    size_t length = request->in.io.length;

    if (length != 0 && offset >= node->size)
        return STATUS_END_OF_FILE;
    if (length != 0 && length > node->size - offset)
        length = (size_t)(node->size - offset);
    if (length != 0)
        memcpy(request->in.io.buffer, node->data + offset, length);
    request->out.io.done = (ULONG)length;
    return STATUS_SUCCESS;
}

static NTSTATUS do_write(struct mem_node *node, struct smb_request *request)
{
    ULONGLONG offset = request->in.io.offset, end = offset + request->in.io.length;
    NTSTATUS status = STATUS_SUCCESS;

    if (end < offset)
        return STATUS_INVALID_PARAMETER;
    if (end > node->size && request->in.io.length != 0)
        status = mem_node_resize(node, end);
    if (status != STATUS_SUCCESS)
        return status;
    if (request->in.io.length != 0)
        memcpy(node->data + offset, request->in.io.buffer, request->in.io.length);
    mem_node_written(node);
    request->out.io.done = request->in.io.length;
    return STATUS_SUCCESS;
}

static NTSTATUS do_data(struct mem_open *open, struct smb_request *request)
{
    BOOLEAN write = request->op == SMB_WRITE;
    NTSTATUS status;

    if (request->in.io.length > SMB_MAX_IO)
        return STATUS_INVALID_PARAMETER;
    if (open->node->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if ((open->access & (write ? MEM_WRITES : MEM_READS)) == 0)
        return STATUS_ACCESS_DENIED;
    pthread_mutex_lock(&open->node->lock);
    status = write ? do_write(open->node, request) : do_read(open->node, request);
    pthread_mutex_unlock(&open->node->lock);
    return status;
}

static NTSTATUS do_set_size(struct mem_open *open, ULONGLONG size)
{
    NTSTATUS status;

    if (open->node->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if ((open->access & MEM_WRITES) == 0)
        return STATUS_ACCESS_DENIED;
    if (size > INT64_MAX)
        return STATUS_INVALID_PARAMETER;
    pthread_mutex_lock(&open->node->lock);
    status = mem_node_resize(open->node, size);
    pthread_mutex_unlock(&open->node->lock);
    return status;
}

static NTSTATUS do_query_directory(struct mem_open *open, struct smb_request *request)
{
    struct mem_node *child;
    ULONG used = 0, last = 0;
    struct smb_info info;

    if (!open->node->directory || request->in.io.length > SMB_MAX_IO)
        return STATUS_INVALID_PARAMETER;
    if (request->in.io.restart)
        open->listed = 0;
    for (child = open->node->children; child != NULL && child->order <= open->listed; child = child->sibling)
        ;
    if (child == NULL)
        return STATUS_NO_MORE_FILES;
    for (; child != NULL; child = child->sibling) {
        mem_node_info(child, &info);
        if (!smb_put_dirent(request->in.io.buffer, request->in.io.length, &used, &last, child->name, child->name_length,
                            &info))
            break;
        open->listed = child->order;
    }
    if (used == 0)
        return STATUS_BUFFER_TOO_SMALL;
    request->out.io.done = used;
    return STATUS_SUCCESS;
}

static void answer(const struct mem_call *call, struct mem_node *node)
{
    mem_node_info(node, &call->request->out.info);
    call->request->out.info.left_out = call->connection->server->left_out;
}

static NTSTATUS report_size(const struct mem_call *call, const struct mem_open *open, NTSTATUS status)
{
    if (status == STATUS_SUCCESS && call->request->op != SMB_READ)
        mem_report(call->backend, open->node, FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE,
                   FILE_ACTION_MODIFIED);
    return status;
}

NTSTATUS mem_by_file(const struct mem_call *call, struct mem_open *open)
{
    switch (call->request->op) {
    case SMB_READ:
    case SMB_WRITE:
        return report_size(call, open, do_data(open, call->request));
    case SMB_QUERY_DIRECTORY:
        return do_query_directory(open, call->request);
    case SMB_SET_SIZE:
        return report_size(call, open, do_set_size(open, call->request->in.size));
    case SMB_QUERY_FILE:
        answer(call, open->node);
        return STATUS_SUCCESS;
    default:
        return STATUS_SUCCESS;
    }
}

/* ---- queries by path ---- */

static NTSTATUS do_query_path(const struct mem_call *call)
{
    struct mem_place place;
    NTSTATUS status = mem_find(call->connection->share, &call->request->path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    answer(call, place.node);
    return STATUS_SUCCESS;
}

/* ---- changes by path that leave the tree as it is ---- */

static ULONG filter_of(const struct smb_basic *basic)
{
    return (ULONG)((basic->creation_time != 0 ? FILE_NOTIFY_CHANGE_CREATION : 0) |
                   (basic->last_access_time != 0 ? FILE_NOTIFY_CHANGE_LAST_ACCESS : 0) |
                   (basic->last_write_time != 0 ? FILE_NOTIFY_CHANGE_LAST_WRITE : 0) |
                   (basic->attributes != 0 ? FILE_NOTIFY_CHANGE_ATTRIBUTES : 0));
}

static NTSTATUS do_set_basic(const struct mem_call *call)
{
    struct mem_place place;
    BOOLEAN going;
    NTSTATUS status = mem_find(call->connection->share, &call->request->path, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    pthread_mutex_lock(&place.node->lock);
    going = place.node->delete_pending;
    pthread_mutex_unlock(&place.node->lock);
    if (going)
        return STATUS_DELETE_PENDING;
    if (call->connection->share->read_only)
        return STATUS_ACCESS_DENIED;
    mem_node_set(place.node, &call->request->in.basic);
    mem_report(call->backend, place.node, filter_of(&call->request->in.basic), FILE_ACTION_MODIFIED);
    return STATUS_SUCCESS;
}

static NTSTATUS do_query_volume(struct smb_request *request)
{
    request->out.volume = (struct smb_volume){
        .total_units = 1u << 20,
        .free_units = 1u << 19,
        .sectors_per_unit = MEM_UNIT_SIZE / 512,
        .bytes_per_sector = 512,
        .max_component = MEM_MAX_COMPONENT,
    };
    return STATUS_SUCCESS;
}

/* ---- changes by path; alone ---- */

/* Find what an open for DELETE, sharing everything, would open. */
static NTSTATUS find_to_change(const struct mem_call *call, struct mem_place *place)
{
    NTSTATUS status = mem_find(call->connection->share, &call->request->path, place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place->node == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    return place->node->delete_pending ? STATUS_DELETE_PENDING : STATUS_SUCCESS;
}

static NTSTATUS check_change(const struct mem_call *call, const struct mem_node *node)
{
    if (call->connection->share->read_only)
        return STATUS_ACCESS_DENIED;
    if (!mem_may_share(call, node, DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE))
        return STATUS_SHARING_VIOLATION;
    return STATUS_SUCCESS;
}

static NTSTATUS do_delete(const struct mem_call *call)
{
    struct mem_place place;
    NTSTATUS status = find_to_change(call, &place);

    if (status != STATUS_SUCCESS)
        return status;
    if (place.node->directory != call->request->in.remove.directory)
        return place.node->directory ? STATUS_FILE_IS_A_DIRECTORY : STATUS_NOT_A_DIRECTORY;
    status = check_change(call, place.node);
    if (status != STATUS_SUCCESS)
        return status;
    if (place.parent == NULL || (place.node->attributes & FILE_ATTRIBUTE_READONLY) != 0)
        return STATUS_CANNOT_DELETE;
    if (place.node->child_count != 0)
        return STATUS_DIRECTORY_NOT_EMPTY;
    if (place.node->opens != NULL) {
        place.node->delete_pending = TRUE;
        return STATUS_SUCCESS;
    }
    mem_report(call->backend, place.node, MEM_NAME_FILTER(place.node), FILE_ACTION_REMOVED);
    mem_node_remove(place.node);
    mem_node_free(place.node);
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
    return node != NULL;
}

/* Whether node may go where place is; what is there already is in the way, or can be taken away. */
static NTSTATUS check_target(const struct mem_node *node, const struct mem_place *place, BOOLEAN replace)
{
    const struct mem_node *there = place->node;

    if (there == node)
        return STATUS_SUCCESS;
    /* smbd's word, and the one that Win32 programs see as ERROR_SHARING_VIOLATION. */
    if (is_below(place->parent, node))
        return STATUS_SHARING_VIOLATION;
    if (there == NULL)
        return place->parent->delete_pending ? STATUS_DELETE_PENDING : STATUS_SUCCESS;
    if (!replace)
        return STATUS_OBJECT_NAME_COLLISION;
    if (there->directory || there->opens != NULL || (there->attributes & FILE_ATTRIBUTE_READONLY) != 0)
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

/* Within a directory it has another name; elsewhere it is another file (observed: smbd, notify_rename). */
static NTSTATUS move(const struct mem_call *call, const struct mem_place *from, const struct mem_place *to)
{
    const BOOLEAN stays = from->parent == to->parent;
    const ULONG filter = MEM_NAME_FILTER(from->node);
    NTSTATUS status;

    if (to->node != NULL && to->node != from->node)
        mem_report(call->backend, to->node, filter, FILE_ACTION_REMOVED);
    mem_report(call->backend, from->node, filter, stays ? FILE_ACTION_RENAMED_OLD_NAME : FILE_ACTION_REMOVED);
    status = mem_node_move(from->node, to);
    if (status == STATUS_SUCCESS)
        mem_report(call->backend, from->node, filter, stays ? FILE_ACTION_RENAMED_NEW_NAME : FILE_ACTION_ADDED);
    return status;
}

static NTSTATUS do_rename(const struct mem_call *call)
{
    struct mem_place from, to;
    NTSTATUS status = find_to_change(call, &from);

    if (status == STATUS_SUCCESS)
        status = check_change(call, from.node);
    if (status == STATUS_SUCCESS && from.parent == NULL)
        status = STATUS_INVALID_PARAMETER;
    if (status == STATUS_SUCCESS)
        status = mem_find(call->connection->share, &call->request->in.rename.target, &to);
    if (status == STATUS_SUCCESS)
        status = check_target(from.node, &to, call->request->in.rename.replace);
    if (status == STATUS_SUCCESS && is_open_below(from.node))
        status = STATUS_ACCESS_DENIED;
    if (status == STATUS_SUCCESS)
        status = move(call, &from, &to);
    if (status == STATUS_SUCCESS && to.node != NULL && to.node != from.node) {
        mem_node_remove(to.node);
        mem_node_free(to.node);
    }
    return status;
}

NTSTATUS mem_by_path(const struct mem_call *call)
{
    switch (call->request->op) {
    case SMB_QUERY_PATH:
        return do_query_path(call);
    case SMB_QUERY_VOLUME:
        return do_query_volume(call->request);
    case SMB_SET_BASIC:
        return do_set_basic(call);
    case SMB_DELETE:
        return call->alone ? do_delete(call) : STATUS_RETRY;
    case SMB_RENAME:
        return call->alone ? do_rename(call) : STATUS_RETRY;
    default:
        return STATUS_SUCCESS;
    }
}
