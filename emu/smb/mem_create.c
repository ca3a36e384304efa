/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_create.c - NT's rules for an open, as the server in memory has them.
 *
 * The order of the checks is that of MS-FSA 2.1.5.1 (parameters, place, kind of file), 2.1.5.1.1 (a new file) and
 * 2.1.5.1.2 (an existing one: access, then sharing); the whole world may do everything, but for what a read-only share
 * and FILE_ATTRIBUTE_READONLY forbid. Where the text leaves a question open, a comment says whose answer this is.
 */
#include "mem_private.h"

#include <stdlib.h>
#include <string.h>

/* Bits of an access mask that mean nothing (MS-FSA 2.1.5.1, phase 1). */
#define NO_ACCESS_BITS 0x0CE0FE00u

#define SHARE_BITS (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* What a read-only share takes from everybody. */
#define CHANGES                                                                                                        \
    (MEM_WRITES | DELETE | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES | FILE_DELETE_CHILD | WRITE_DAC | WRITE_OWNER)

static BOOLEAN overwrites(ULONG disposition)
{
    return disposition == FILE_SUPERSEDE || disposition == FILE_OVERWRITE || disposition == FILE_OVERWRITE_IF;
}

static ACCESS_MASK map_generic(ACCESS_MASK access)
{
    static const struct {
        ACCESS_MASK generic, specific;
    } rows[] = {
        {GENERIC_READ, FILE_GENERIC_READ},
        {GENERIC_WRITE, FILE_GENERIC_WRITE},
        {GENERIC_EXECUTE, FILE_GENERIC_EXECUTE},
        {GENERIC_ALL, FILE_ALL_ACCESS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((access & rows[i].generic) != 0)
            access = (access & ~rows[i].generic) | rows[i].specific;
    }
    return access;
}

/* Phase 1: what is wrong whatever there is. */
static NTSTATUS check_parameters(const struct smb_request *request)
{
    ULONG options = request->in.create.options, disposition = request->in.create.disposition;
    ACCESS_MASK access = request->in.create.access;

    if (access == 0 || (access & NO_ACCESS_BITS) != 0)
        return STATUS_ACCESS_DENIED;
    if (disposition > FILE_MAXIMUM_DISPOSITION || (request->in.create.share_access & ~SHARE_BITS) != 0)
        return STATUS_INVALID_PARAMETER;
    if ((options & FILE_DIRECTORY_FILE) != 0 && ((options & FILE_NON_DIRECTORY_FILE) != 0 || overwrites(disposition)))
        return STATUS_INVALID_PARAMETER;
    if ((options & FILE_DELETE_ON_CLOSE) != 0 && (access & DELETE) == 0)
        return STATUS_INVALID_PARAMETER;
    if ((options & FILE_OPEN_BY_FILE_ID) != 0)
        return STATUS_NOT_SUPPORTED; /* smbd, observed; MS-SMB2 3.3.5.9 */
    if ((options & FILE_RESERVE_OPFILTER) != 0)
        return STATUS_INVALID_PARAMETER; /* smbd, observed */
    return STATUS_SUCCESS;
}

BOOLEAN mem_may_share(const struct mem_call *call, const struct mem_node *node, ACCESS_MASK access, ULONG share_access)
{
    static const struct {
        ACCESS_MASK access;
        ULONG share;
    } kinds[] = {{MEM_READS, FILE_SHARE_READ}, {MEM_WRITES, FILE_SHARE_WRITE}, {DELETE, FILE_SHARE_DELETE}};
    const ACCESS_MASK matters = MEM_READS | MEM_WRITES | DELETE;

    /* Who wants nothing that is shared is asked nothing, and asks nothing of others (MS-FSA 2.1.5.1.2.2). */
    if ((access & matters) == 0 || call->backend->shares_all)
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

/* ---- a new file ---- */

static NTSTATUS check_new(const struct mem_share *share, const struct smb_request *request)
{
    ULONG options = request->in.create.options, attributes = request->in.create.attributes;

    if (request->in.create.disposition == FILE_OPEN || request->in.create.disposition == FILE_OVERWRITE)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if ((options & FILE_DIRECTORY_FILE) != 0 && (attributes & FILE_ATTRIBUTE_TEMPORARY) != 0)
        return STATUS_INVALID_PARAMETER;
    if ((options & FILE_DELETE_ON_CLOSE) != 0 && (attributes & FILE_ATTRIBUTE_READONLY) != 0)
        return STATUS_CANNOT_DELETE;
    if ((request->in.create.access & ACCESS_SYSTEM_SECURITY) != 0)
        return STATUS_PRIVILEGE_NOT_HELD;
    if (share->read_only)
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

/* Who creates a file may do with it what was asked for, FILE_ATTRIBUTE_READONLY or not. */
static NTSTATUS create_new(const struct mem_call *call, const struct mem_place *place, struct mem_open *open)
{
    const struct smb_request *request = call->request;
    NTSTATUS status = check_new(call->connection->share, request);
    struct mem_node *node;

    if (status != STATUS_SUCCESS)
        return status;
    node = mem_node_new(call->backend, place, (request->in.create.options & FILE_DIRECTORY_FILE) != 0,
                        request->in.create.attributes);
    if (node == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    open->access = map_generic(request->in.create.access);
    if ((open->access & MAXIMUM_ALLOWED) != 0)
        open->access = (open->access & ~(ACCESS_MASK)MAXIMUM_ALLOWED) | FILE_ALL_ACCESS;
    open->node = node;
    node->opens = open;
    status = mem_node_add(call, node, place->parent);
    if (status != STATUS_SUCCESS) {
        open->node = NULL;
        mem_node_free(node);
    } else {
        mem_report(call->backend, node, MEM_NAME_FILTER(node), FILE_ACTION_ADDED);
    }
    return status;
}

/* ---- an existing file; node locked ---- */

static NTSTATUS check_kind(const struct mem_node *node, const struct smb_request *request)
{
    ULONG options = request->in.create.options;

    /* Before everything else in NT; smbd has STATUS_OBJECT_NAME_COLLISION for a FILE_CREATE. */
    if (node->delete_pending)
        return STATUS_DELETE_PENDING;
    if (node->directory && (options & FILE_NON_DIRECTORY_FILE) != 0)
        return STATUS_FILE_IS_A_DIRECTORY;
    if (request->in.create.disposition == FILE_CREATE)
        return STATUS_OBJECT_NAME_COLLISION;
    if (!node->directory)
        return (options & FILE_DIRECTORY_FILE) != 0 ? STATUS_NOT_A_DIRECTORY : STATUS_SUCCESS;
    return overwrites(request->in.create.disposition) ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

/* What an open is granted; MAXIMUM_ALLOWED is whatever is not forbidden, and does not make what was asked for by name
 * any less so. */
static ACCESS_MASK get_granted(const struct mem_share *share, const struct mem_node *node, ACCESS_MASK access)
{
    ACCESS_MASK allowed = FILE_ALL_ACCESS;

    access = map_generic(access);
    if ((access & MAXIMUM_ALLOWED) == 0)
        return access;
    if ((node->attributes & FILE_ATTRIBUTE_READONLY) != 0)
        allowed &= ~(ACCESS_MASK)(MEM_WRITES | FILE_DELETE_CHILD);
    if (share->read_only)
        allowed &= ~(ACCESS_MASK)CHANGES;
    return (access & ~(ACCESS_MASK)MAXIMUM_ALLOWED) | allowed;
}

/* access: what is granted, and what the disposition needs besides. */
static NTSTATUS check_access(const struct mem_share *share, const struct mem_node *node,
                             const struct smb_request *request, ACCESS_MASK access)
{
    ULONG options = request->in.create.options;
    BOOLEAN read_only = (node->attributes & FILE_ATTRIBUTE_READONLY) != 0;

    if ((access & ACCESS_SYSTEM_SECURITY) != 0)
        return STATUS_PRIVILEGE_NOT_HELD;
    if (share->read_only && (access & CHANGES) != 0)
        return STATUS_ACCESS_DENIED;
    /* To supersede needs DELETE only, so that a read-only file can be: MS-FSA, fastfat and smbd 4.17 agree. smbd even
     * overwrites it for who does not ask to write. */
    if (!node->directory && read_only && (access & MEM_WRITES) != 0)
        return STATUS_ACCESS_DENIED;
    if ((options & FILE_DELETE_ON_CLOSE) != 0 && (read_only || node->parent == NULL))
        return STATUS_CANNOT_DELETE;
    return STATUS_SUCCESS;
}

/* A hidden or a system file is overwritten only by who gives it the same attributes again. */
static NTSTATUS check_overwritten(const struct mem_node *node, ULONG attributes)
{
    const ULONG kept = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM;

    return (node->attributes & kept & ~attributes) != 0 ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

/* A superseded file is a new one in the old one's place; an overwritten one keeps what it was besides its data. */
static void overwrite(struct mem_backend *backend, struct mem_node *node, const struct smb_request *request)
{
    const ULONG given = (request->in.create.attributes & (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
                                                          FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_TEMPORARY)) |
                        FILE_ATTRIBUTE_ARCHIVE;

    (void)mem_node_resize(node, 0);
    mem_report(backend, node, FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE,
               FILE_ACTION_MODIFIED);
    if (request->in.create.disposition != FILE_SUPERSEDE) {
        node->attributes |= given;
        return;
    }
    node->attributes = given;
    node->creation_time = node->last_write_time;
    node->index = atomic_fetch_add_explicit(&backend->last_index, 1, memory_order_relaxed) + 1;
}

static NTSTATUS open_existing(const struct mem_call *call, struct mem_node *node, struct mem_open *open, ULONG *action)
{
    const struct smb_request *request = call->request;
    ULONG disposition = request->in.create.disposition;
    NTSTATUS status = check_kind(node, request);
    ACCESS_MASK granted, needed;

    if (status != STATUS_SUCCESS)
        return status;
    granted = needed = get_granted(call->connection->share, node, request->in.create.access);
    if (overwrites(disposition))
        needed |= disposition == FILE_SUPERSEDE ? DELETE : FILE_WRITE_DATA;
    status = check_access(call->connection->share, node, request, needed);
    if (status == STATUS_SUCCESS && overwrites(disposition))
        status = check_overwritten(node, request->in.create.attributes);
    if (status == STATUS_SUCCESS && !mem_may_share(call, node, needed, request->in.create.share_access))
        status = STATUS_SHARING_VIOLATION;
    if (status != STATUS_SUCCESS)
        return status;
    *action = FILE_OPENED;
    if (overwrites(disposition)) {
        *action = disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED : FILE_OVERWRITTEN;
        overwrite(call->backend, node, request);
    }
    open->access = granted;
    open->node = node;
    open->next_of_node = node->opens;
    node->opens = open;
    return STATUS_SUCCESS;
}

/* ---- both ---- */

static NTSTATUS reach(const struct mem_call *call, struct mem_open *open, ULONG *action)
{
    struct mem_place place;
    NTSTATUS status;

    /* Once more if somebody else was faster in creating it. */
    for (;;) {
        status = mem_find(call->connection->share, &call->request->path, &place);
        if (status != STATUS_SUCCESS)
            return status;
        if (place.node != NULL) {
            pthread_mutex_lock(&place.node->lock);
            status = open_existing(call, place.node, open, action);
            pthread_mutex_unlock(&place.node->lock);
            return status;
        }
        status = create_new(call, &place, open);
        if (status == STATUS_SUCCESS)
            *action = FILE_CREATED;
        if (status != STATUS_OBJECT_NAME_COLLISION)
            return status;
    }
}

static NTSTATUS create_in(const struct mem_call *call, struct mem_table *table, unsigned lane)
{
    struct smb_request *request = call->request;
    struct mem_open *open = calloc(1, sizeof(*open));
    NTSTATUS status;

    if (open == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    open->share_access = request->in.create.share_access;
    open->delete_on_close = (request->in.create.options & FILE_DELETE_ON_CLOSE) != 0;
    status = mem_table_add(table, lane, open);
    if (status != STATUS_SUCCESS) {
        free(open);
        return status;
    }
    status = reach(call, open, &request->out.create.action);
    if (status != STATUS_SUCCESS) {
        mem_table_remove(table, open);
        free(open);
        return status;
    }
    request->out.create.file = open->id;
    request->out.create.access = open->access;
    /* No more than a real client would know without a second exchange. */
    memset(&request->out.create.info, 0, sizeof(request->out.create.info));
    request->out.create.info.attributes = open->node->directory ? FILE_ATTRIBUTE_DIRECTORY : 0;
    return STATUS_SUCCESS;
}

NTSTATUS mem_create(const struct mem_call *call)
{
    unsigned lane = smb_lane();
    struct mem_table *table = &call->connection->tables[lane];
    NTSTATUS status = check_parameters(call->request);

    if (status != STATUS_SUCCESS)
        return status;
    pthread_mutex_lock(&table->lock);
    status = create_in(call, table, lane);
    pthread_mutex_unlock(&table->lock);
    return status;
}

/* The last one goes, and nothing is in a directory: what was to be deleted can be. Node locked. */
static BOOLEAN is_end_of(const struct mem_node *node, const struct mem_open *open)
{
    return node->opens == open && open->next_of_node == NULL &&
           (node->delete_pending || (open->delete_on_close && node->child_count == 0));
}

NTSTATUS mem_close(const struct mem_call *call, struct mem_open *open)
{
    struct mem_node *node = open->node;
    struct mem_open **link;
    BOOLEAN end;

    if (node == NULL)
        return STATUS_SUCCESS;
    pthread_mutex_lock(&node->lock);
    end = is_end_of(node, open);
    if (!end || call->alone) {
        for (link = &node->opens; *link != open; link = &(*link)->next_of_node)
            ;
        *link = open->next_of_node;
        if (open->delete_on_close && node->child_count == 0)
            node->delete_pending = TRUE;
        open->node = NULL;
    }
    pthread_mutex_unlock(&node->lock);
    if (end && call->alone) {
        mem_report(call->backend, node, MEM_NAME_FILTER(node), FILE_ACTION_REMOVED);
        mem_node_remove(node);
        mem_node_free(node);
    }
    return end && !call->alone ? STATUS_RETRY : STATUS_SUCCESS;
}
