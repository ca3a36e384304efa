/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_private.h - what the parts of the server in memory share: mem.c (servers, sessions, the backend), mem_tree.c
 * (names and files), mem_create.c (NT's rules for an open), mem_watch.c (changes), mem_request.c (everything else that
 * is asked).
 *
 * Threads that open files of their own meet nowhere, and that is what the locks are made for:
 *   - A request holds its thread's lane of the backend. What rearranges the tree, the servers or a connection's state
 *     holds all lanes, and is alone. A request that finds out on its way that it has to be alone says STATUS_RETRY,
 *     having changed nothing, and is carried out once more, alone.
 *   - A connection's opens are in a table for every lane; the table of the lane that opened a file guards the open.
 *   - A node's lock guards its opens, attributes, times and data; a directory's also the adding of children. Children
 *     are only ever added while others look on: a reader needs no lock for the tree.
 * In this order: lanes, one table, one node, the watches' lock.
 */
#ifndef NTEMU_SMB_MEM_PRIVATE_H
#define NTEMU_SMB_MEM_PRIVATE_H

#include "mem.h"
#include "smb_backend.h"

#include <pthread.h>

#define MEM_READS  (FILE_READ_DATA | FILE_EXECUTE)
#define MEM_WRITES (FILE_WRITE_DATA | FILE_APPEND_DATA)

#define MEM_UNIT_SIZE     4096u
#define MEM_MAX_COMPONENT 255u

struct mem_node {
    /* change only when alone */
    struct mem_node *parent;
    WCHAR *name;
    ULONG name_length; /* bytes */
    ULONG hash;
    BOOLEAN directory;
    ULONG bucket_count; /* of a directory */
    ULONGLONG order;    /* in which it came to its parent: goes up along siblings */
    struct mem_node *_Atomic *buckets;

    /* grow under the directory's lock, read without; shrink only when alone */
    struct mem_node *_Atomic same_bucket; /* next in the parent's bucket */
    struct mem_node *_Atomic sibling;     /* next in the parent's order of creation */
    struct mem_node *_Atomic children;

    pthread_mutex_t lock; /* guards the rest */
    struct mem_node *last_child;
    ULONG child_count;
    ULONGLONG last_order; /* of any child's so far */
    struct mem_open *opens;
    BOOLEAN delete_pending; /* the last close takes it away */
    ULONG attributes;
    LONGLONG creation_time, last_access_time, last_write_time, change_time;
    ULONGLONG index;
    unsigned char *data;
    size_t size;
};

struct mem_share {
    struct mem_share *next;
    char *name;
    BOOLEAN read_only;
    struct mem_node *root;
};

struct mem_server {
    struct mem_server *next;
    char *host;
    uint16_t port;
    BOOLEAN running;
    ULONG left_out;   /* of basic information */
    unsigned session; /* goes up with every stop: older connections are lost */
    struct mem_share *shares;
};

struct mem_open {
    struct mem_open *next_of_node;
    struct mem_node *node; /* NULL: the server has lost it */
    smb_file id;
    ACCESS_MASK access; /* granted */
    ULONG share_access;
    BOOLEAN delete_on_close;
    ULONGLONG listed; /* the order of the last entry of a directory that was given out */
};

/* The files that threads of one lane have opened on a connection. An id says where: serial, index, lane. */
struct mem_table {
    _Alignas(64) pthread_mutex_t lock;
    struct mem_open **opens;
    ULONG size, hint;
    uint64_t serial;
};

struct mem_connection {
    struct smb_connection base;
    struct mem_connection *next;
    char *host, *share_name, *user, *password;
    uint16_t port;
    struct mem_server *server; /* NULL: not connected */
    struct mem_share *share;
    unsigned session;
    struct mem_watch *watch; /* NULL: it serves other requests */
    struct mem_table tables[SMB_LANES];
};

struct mem_backend {
    struct smb_backend base;
    struct mem_server *servers;
    struct mem_connection *connections;
    char *user, *password; /* NULL: nobody is asked */
    BOOLEAN shares_all;
    pthread_mutex_t watch_lock; /* guards watches, and what is in them */
    pthread_cond_t told;        /* a completion routine of a watch's has returned */
    struct mem_watch *watches;
    _Atomic unsigned watch_count;
    _Alignas(64) _Atomic ULONGLONG last_index;
    struct mem_lane {
        _Alignas(64) pthread_mutex_t lock;
    } lanes[SMB_LANES];
};

/* A request being carried out. */
struct mem_call {
    struct mem_backend *backend;
    struct mem_connection *connection;
    struct smb_request *request;
    BOOLEAN alone; /* all lanes are held */
};

/* ---- mem_tree.c ---- */

/* Where a path leads: an existing node, or the directory and the name a new one would have. */
struct mem_place {
    struct mem_node *node;   /* NULL: does not exist */
    struct mem_node *parent; /* NULL for the root */
    const WCHAR *name;
    ULONG name_length;
};

/* Returns STATUS_SUCCESS, whether or not there is a node; _OBJECT_NAME_INVALID, _OBJECT_PATH_NOT_FOUND,
 * _OBJECT_PATH_SYNTAX_BAD. */
NTSTATUS mem_find(struct mem_share *share, const UNICODE_STRING *path, struct mem_place *place);

/* A node that is in no tree yet, with place's name (a root has none). NULL: out of memory. */
struct mem_node *mem_node_new(struct mem_backend *backend, const struct mem_place *place, BOOLEAN directory,
                              ULONG attributes);
void mem_node_free(struct mem_node *node); /* and everything below it */

/*
 * Put a new node into place->parent. Returns STATUS_SUCCESS; STATUS_OBJECT_NAME_COLLISION: somebody was faster;
 * STATUS_DELETE_PENDING: the directory is about to go; STATUS_RETRY.
 */
NTSTATUS mem_node_add(const struct mem_call *call, struct mem_node *node, struct mem_node *parent);

/* Take a node out of its directory; give it another place there or elsewhere. Alone. */
void mem_node_remove(struct mem_node *node);
NTSTATUS mem_node_move(struct mem_node *node, const struct mem_place *place);

/* Give a file a size; what is added is 0. Node locked. Returns _SUCCESS, _DISK_FULL, _INSUFFICIENT_RESOURCES. */
NTSTATUS mem_node_resize(struct mem_node *node, ULONGLONG size);

/* Its data have changed, now. Node locked. */
void mem_node_written(struct mem_node *node);

/* Give a node other times and attributes, where they are not 0; locks it. */
void mem_node_set(struct mem_node *node, const struct smb_basic *basic);

void mem_node_info(struct mem_node *node, struct smb_info *info); /* locks it */

/* ---- mem_watch.c ---- */

/* Something has changed, or is about to be removed or renamed, as FILE_NOTIFY_CHANGE_* and FILE_ACTION_* say. With any
 * locks but the watches'. mem_tell_watches is to follow, without any. */
void mem_report(struct mem_backend *backend, const struct mem_node *node, ULONG filter, ULONG action);
void mem_tell_watches(struct mem_backend *backend);

/* The first SMB_NOTIFY of a connection, which is connected; alone. Another one: STATUS_PENDING, or why not. */
NTSTATUS mem_watch_begin(const struct mem_call *call);
NTSTATUS mem_watch_next(struct mem_backend *backend, struct mem_connection *connection, struct smb_request *request);
BOOLEAN mem_watch_cancel(struct mem_backend *backend, struct mem_connection *connection, struct smb_request *request);
/* The server is gone; the connection is. Both accept connections without a watch. */
void mem_watch_lose(struct mem_backend *backend, struct mem_connection *connection);
void mem_watch_end(struct mem_backend *backend, struct mem_connection *connection);

#define MEM_NAME_FILTER(node) ((ULONG)((node)->directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME))

/* ---- mem_create.c ---- */

NTSTATUS mem_create(const struct mem_call *call);

/* Whether an open like this may be beside those that there are. Node locked, or alone. */
BOOLEAN mem_may_share(const struct mem_call *call, const struct mem_node *node, ACCESS_MASK access, ULONG share_access);

/* Take an open off its node. STATUS_RETRY: the node goes with it, so be alone. */
NTSTATUS mem_close(const struct mem_call *call, struct mem_open *open);

/* ---- mem_request.c ---- */

/* What a request by path or by file, other than a create, comes to. */
NTSTATUS mem_by_path(const struct mem_call *call);
NTSTATUS mem_by_file(const struct mem_call *call, struct mem_open *open);

/* ---- mem.c ---- */

/* Give an open an id and keep it in the lane's table, or forget it. The table is locked. */
NTSTATUS mem_table_add(struct mem_table *table, unsigned lane, struct mem_open *open);
void mem_table_remove(struct mem_table *table, const struct mem_open *open);

#endif
