/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mem_tree.c - names and files of the server in memory. See mem_private.h for who may do what when. */
#include "mem_private.h"
#include "name.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE_SIZE (64u << 20)
#define MIN_BUCKETS   16u
#define CROWDED       4u /* children for every bucket before there are more of them */

/* FILE_ATTRIBUTE_NORMAL is none of them, and FILE_ATTRIBUTE_DIRECTORY follows from what it is. */
#define KEPT_ATTRIBUTES                                                                                                \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE |                \
     FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_OFFLINE)

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
        if (is_forbidden(c) || ++component > MEM_MAX_COMPONENT)
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

/* What smbd says of "." (NT's own server: unknown; no redirector asks). */
static NTSTATUS check_dot(const WCHAR *name, ULONG length, BOOLEAN last)
{
    if (length != sizeof(WCHAR) || name[0] != '.')
        return STATUS_SUCCESS;
    return last ? STATUS_OBJECT_NAME_INVALID : STATUS_OBJECT_PATH_NOT_FOUND;
}

static BOOLEAN is_dot_dot(const WCHAR *name, ULONG length)
{
    return length == 2 * sizeof(WCHAR) && name[0] == '.' && name[1] == '.';
}

static struct mem_node *find_child(const struct mem_node *directory, const WCHAR *name, ULONG length)
{
    ULONG hash = smb_name_hash(name, length);
    struct mem_node *child =
        atomic_load_explicit(&directory->buckets[hash & (directory->bucket_count - 1)], memory_order_acquire);

    while (child != NULL && (child->hash != hash || !smb_name_equal(child->name, child->name_length, name, length)))
        child = atomic_load_explicit(&child->same_bucket, memory_order_acquire);
    return child;
}

static NTSTATUS enter(struct mem_place *place, const WCHAR *name, ULONG length, BOOLEAN last)
{
    NTSTATUS status = check_dot(name, length, last);

    if (status != STATUS_SUCCESS)
        return status;
    if (is_dot_dot(name, length)) {
        if (place->parent == NULL)
            return STATUS_OBJECT_PATH_SYNTAX_BAD;
        place->node = place->parent;
        place->parent = place->node->parent;
        place->name = place->node->name;
        place->name_length = place->node->name_length;
        return STATUS_SUCCESS;
    }
    if (place->node == NULL || !place->node->directory)
        return STATUS_OBJECT_PATH_NOT_FOUND;
    place->parent = place->node;
    place->name = name;
    place->name_length = length;
    place->node = find_child(place->parent, name, length);
    return STATUS_SUCCESS;
}

NTSTATUS mem_find(struct mem_share *share, const UNICODE_STRING *path, struct mem_place *place)
{
    const WCHAR *at = path->Buffer, *end = path->Buffer + path->Length / sizeof(WCHAR), *start;
    NTSTATUS status = check_path(path);

    *place = (struct mem_place){.node = share->root};
    while (status == STATUS_SUCCESS) {
        while (at < end && *at == '\\')
            at++;
        if (at == end)
            break;
        for (start = at; at < end && *at != '\\'; at++)
            ;
        status = enter(place, start, (ULONG)((const char *)at - (const char *)start), at == end);
    }
    return status;
}

/* ---- nodes ---- */

static struct mem_node *_Atomic *new_buckets(ULONG count)
{
    return calloc(count, sizeof(struct mem_node * _Atomic));
}

static WCHAR *copy_name(const struct mem_place *place)
{
    WCHAR *name = malloc(place->name_length != 0 ? place->name_length : 1);

    if (name != NULL && place->name_length != 0)
        memcpy(name, place->name, place->name_length);
    return name;
}

struct mem_node *mem_node_new(struct mem_backend *backend, const struct mem_place *place, BOOLEAN directory,
                              ULONG attributes)
{
    /* Lines of its own, or two threads' files would share one. */
    struct mem_node *node = smb_new_aligned(sizeof(*node));

    if (node == NULL)
        return NULL;
    node->name = copy_name(place);
    node->buckets = directory ? new_buckets(MIN_BUCKETS) : NULL;
    if (node->name == NULL || (directory && node->buckets == NULL)) {
        free(node->buckets);
        free(node->name);
        free(node);
        return NULL;
    }
    pthread_mutex_init(&node->lock, NULL);
    node->bucket_count = MIN_BUCKETS;
    node->name_length = place->name_length;
    node->hash = smb_name_hash(node->name, node->name_length);
    node->directory = directory;
    node->attributes = attributes & KEPT_ATTRIBUTES;
    node->attributes |= directory ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_ARCHIVE;
    mem_node_written(node);
    node->creation_time = node->last_access_time = node->last_write_time;
    node->index = atomic_fetch_add_explicit(&backend->last_index, 1, memory_order_relaxed) + 1;
    return node;
}

void mem_node_free(struct mem_node *node)
{
    struct mem_node *child, *next;

    for (child = node->children; child != NULL; child = next) {
        next = child->sibling;
        mem_node_free(child);
    }
    pthread_mutex_destroy(&node->lock);
    free(node->buckets);
    free(node->name);
    free(node->data);
    free(node);
}

/* ---- the tree ---- */

/* Both links are there before anybody can see the node. Directory locked, or alone. */
static void link_node(struct mem_node *node, struct mem_node *parent)
{
    struct mem_node *_Atomic *bucket = &parent->buckets[node->hash & (parent->bucket_count - 1)];

    node->parent = parent;
    node->order = ++parent->last_order;
    atomic_store_explicit(&node->sibling, NULL, memory_order_relaxed);
    atomic_store_explicit(&node->same_bucket, atomic_load_explicit(bucket, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(bucket, node, memory_order_release);
    atomic_store_explicit(parent->last_child != NULL ? &parent->last_child->sibling : &parent->children, node,
                          memory_order_release);
    parent->last_child = node;
    parent->child_count++;
}

void mem_node_remove(struct mem_node *node)
{
    struct mem_node *parent = node->parent, *before = NULL;
    struct mem_node *_Atomic *link = &parent->buckets[node->hash & (parent->bucket_count - 1)];

    while (*link != node)
        link = &(*link)->same_bucket;
    *link = node->same_bucket;
    for (link = &parent->children; *link != node; link = &before->sibling)
        before = *link;
    *link = node->sibling;
    if (parent->last_child == node)
        parent->last_child = before;
    parent->child_count--;
}

/* Short of memory, the directory is slower: nothing worse. Alone. */
static void spread_children(struct mem_node *directory)
{
    ULONG count = directory->bucket_count * CROWDED;
    struct mem_node *_Atomic *buckets = new_buckets(count);

    if (buckets == NULL)
        return;
    for (struct mem_node *child = directory->children; child != NULL; child = child->sibling) {
        child->same_bucket = buckets[child->hash & (count - 1)];
        buckets[child->hash & (count - 1)] = child;
    }
    free(directory->buckets);
    directory->buckets = buckets;
    directory->bucket_count = count;
}

NTSTATUS mem_node_add(const struct mem_call *call, struct mem_node *node, struct mem_node *parent)
{
    NTSTATUS status = STATUS_SUCCESS;

    pthread_mutex_lock(&parent->lock);
    if (parent->delete_pending)
        status = STATUS_DELETE_PENDING;
    else if (find_child(parent, node->name, node->name_length) != NULL)
        status = STATUS_OBJECT_NAME_COLLISION;
    else if (parent->child_count >= parent->bucket_count * CROWDED && !call->alone)
        status = STATUS_RETRY;
    if (status == STATUS_SUCCESS) {
        if (parent->child_count >= parent->bucket_count * CROWDED)
            spread_children(parent);
        link_node(node, parent);
    }
    pthread_mutex_unlock(&parent->lock);
    return status;
}

NTSTATUS mem_node_move(struct mem_node *node, const struct mem_place *place)
{
    WCHAR *name = copy_name(place);

    if (name == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    mem_node_remove(node);
    free(node->name);
    node->name = name;
    node->name_length = place->name_length;
    node->hash = smb_name_hash(name, place->name_length);
    link_node(node, place->parent);
    return STATUS_SUCCESS;
}

/* ---- what is in a file ---- */

NTSTATUS mem_node_resize(struct mem_node *node, ULONGLONG size)
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
    mem_node_written(node);
    return STATUS_SUCCESS;
}

void mem_node_written(struct mem_node *node)
{
    node->last_write_time = node->change_time = smb_time_now();
}

void mem_node_set(struct mem_node *node, const struct smb_basic *basic)
{
    pthread_mutex_lock(&node->lock);
    if (basic->creation_time != 0)
        node->creation_time = basic->creation_time;
    if (basic->last_access_time != 0)
        node->last_access_time = basic->last_access_time;
    if (basic->last_write_time != 0)
        node->last_write_time = basic->last_write_time;
    if (basic->attributes != 0)
        node->attributes = (basic->attributes & KEPT_ATTRIBUTES) | (node->attributes & FILE_ATTRIBUTE_DIRECTORY);
    node->change_time = smb_time_now();
    pthread_mutex_unlock(&node->lock);
}

void mem_node_info(struct mem_node *node, struct smb_info *info)
{
    memset(info, 0, sizeof(*info));
    pthread_mutex_lock(&node->lock);
    info->creation_time = node->creation_time;
    info->last_access_time = node->last_access_time;
    info->last_write_time = node->last_write_time;
    info->change_time = node->change_time;
    info->end_of_file = node->size;
    info->allocation_size = (node->size + MEM_UNIT_SIZE - 1) / MEM_UNIT_SIZE * MEM_UNIT_SIZE;
    info->index_number = node->index;
    info->attributes = node->attributes;
    pthread_mutex_unlock(&node->lock);
    info->links = 1;
    info->complete = TRUE;
}
