/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_private.h - what the parts of a session share. One part has one subject, and session.c hands each of them
 * its requests; the parts at the end serve the others:
 *
 *   session_open.c     opening and creating         session_call.c     calls of libsmbclient's, statuses, URLs
 *   session_data.c     reading, writing, size       session_connect.c  the connection
 *   session_query.c    queries of all kinds         session_context.c  libsmbclient's contexts
 *   session_list.c     listings                     session_files.c    the table of open files
 *   session_set.c      times and attributes
 *   session_change.c   deleting and renaming
 *   session_watch.c    changes in a directory
 */
#ifndef NTEMU_SMB_SESSION_PRIVATE_H
#define NTEMU_SMB_SESSION_PRIVATE_H

#include "session.h"
#include "status.h"

#include <libsmbclient.h>

#include <sys/stat.h>

#define SESSION_READS  (FILE_READ_DATA | FILE_EXECUTE)
#define SESSION_WRITES (FILE_WRITE_DATA | FILE_APPEND_DATA)

struct session {
    SMBCCTX *context;
    struct ring_hello hello;
    char *root;       /* the share's URL, with the final '/' */
    char *url;        /* room for root and any path */
    char *target_url; /* as much, for a rename's target */
    struct smb_log log;
    NTSTATUS mapped; /* the last status that errno alone told, in this request */
    BOOLEAN lost;    /* a call of this request's found that its connection is of no use any more */

    /* session_connect.c */
    int socket;         /* libsmbclient's own, only looked at; -1: not connected or not found */
    ino_t socket_inode; /* as the number may be used again */
    BOOLEAN connected;
    BOOLEAN stale;       /* the last connection was lost, and libsmbclient may not know yet */
    uint64_t looked;     /* when the socket was last looked at, in ring_clock's time */
    unsigned connection; /* counts connections: a file of an older one is lost */
    BOOLEAN tested, statuses_logged;

    /* session_open.c; by disposition: whether the last open of data made its file */
    BOOLEAN made[FILE_MAXIMUM_DISPOSITION + 1];

    /* session_set.c: a second way to the share, as the first one may set no attributes properly any more */
    SMBCCTX *setter; /* NULL: there is none */
    BOOLEAN spoiled; /* the first one is so */
    /* What the file at a path has since its times were set, which is not asked for again at once. */
    char *set_url; /* "": nothing is known */
    struct smb_basic set;
    BOOLEAN set_directory;
    uint64_t set_at; /* in ring_clock's time */

    /* session_files.c; by place in the table */
    struct open_file **files; /* NULL: free */
    uint32_t *uses;           /* how often it has been taken */
    uint32_t file_count;      /* places */
    uint32_t free_hint;       /* no place below is free */
};

/* An entry of a listing that did not fit the last buffer. */
struct pending_entry {
    BOOLEAN valid;
    ULONG length;
    WCHAR name[1024];
    struct smb_info info;
};

struct open_file {
    uint32_t id;
    unsigned connection; /* the one it was opened on; see session.connection */
    BOOLEAN directory;
    ACCESS_MASK access;
    SMBCFILE *handle;  /* NULL: nothing is open at the server */
    SMBCFILE *listing; /* NULL: not begun */
    BOOLEAN at_end;
    struct pending_entry *pending; /* has room from the first listing on */
    char url[];
};

/* ---- session_call.c ---- */

/* Before and after a call of libsmbclient's: what the log said in between is the failed call's status. */
void session_begin_call(struct session *session);
NTSTATUS session_failed_call(struct session *session);

NTSTATUS session_stat(struct session *session, const char *url, struct stat *st);
NTSTATUS session_stat_open(struct session *session, SMBCFILE *handle, struct stat *st);
/* What comes of listing url: STATUS_SUCCESS for a directory, STATUS_NOT_A_DIRECTORY for a file. For a file that is one
 * exchange in SMB 2 and 3, and a query three; for a large directory it is much more. */
NTSTATUS session_try_to_list(struct session *session, const char *url);
NTSTATUS session_open_url(struct session *session, const char *url, int flags, SMBCFILE **ret_handle);
NTSTATUS session_close_handle(struct session *session, SMBCFILE *handle);

/* The URL of a path of length bytes in UTF-16, into session->url or session->target_url. */
NTSTATUS session_make_url(struct session *session, const void *path, uint32_t length, char *url);
BOOLEAN session_is_root(const struct session *session, const char *url);

/* ---- session_connect.c ---- */

/* Have a connection, or why there is none. */
NTSTATUS session_connect(struct session *session);
/* Whether there is one that still stands, as far as its socket tells. */
BOOLEAN session_is_alive(struct session *session);
/* Whether a status says that the connection is of no use any more. */
BOOLEAN session_is_loss(NTSTATUS status);
/* Make sure that everybody sees that. */
void session_drop_connection(struct session *session);

/* ---- session_context.c ---- */

/* A context for the session's share, as its user; for smbc_free_context. NULL: out of memory, or an unknown dialect. */
SMBCCTX *session_new_context(struct session *session);

/* ---- session_files.c ---- */

/* Take a place for what is to be opened at url. It is in the table at once: session_remove_file, also after a failure.
 */
NTSTATUS session_add_file(struct session *session, const char *url, struct open_file **ret_file);
/* NULL: there is no such file. */
struct open_file *session_find_file(const struct session *session, uint64_t id);
/* Close what is open for it at the server, and free it. Returns what the server said. */
NTSTATUS session_remove_file(struct session *session, struct open_file *file);
/* What is open to read at the server as file, if url is its path; NULL: nothing. */
SMBCFILE *session_readable_handle(const struct session *session, uint64_t file, const char *url);

/* ---- session_query.c ---- */

/* The mode bits that libsmbclient takes for attributes. */
mode_t session_mode_of_attributes(ULONG attributes);
ULONG session_attributes_of_mode(mode_t mode);
void session_info_from_stat(const struct session *session, const struct stat *st, struct smb_info *info);

/* ---- requests, as smb.h has them: those by path on a connection, those by file on the file's own one ---- */

NTSTATUS session_create(struct session *session, struct ring_slot *slot);

NTSTATUS session_read(struct session *session, struct open_file *file, struct ring_slot *slot);
NTSTATUS session_write(struct session *session, struct open_file *file, struct ring_slot *slot);
NTSTATUS session_set_size(struct session *session, struct open_file *file, const struct ring_slot *slot);

NTSTATUS session_query_directory(struct session *session, struct open_file *file, struct ring_slot *slot);

NTSTATUS session_query_file(struct session *session, struct open_file *file, struct ring_slot *slot);
NTSTATUS session_query_path(struct session *session, struct ring_slot *slot);
NTSTATUS session_query_volume(struct session *session, struct ring_slot *slot);

NTSTATUS session_delete(struct session *session, const struct ring_slot *slot);
NTSTATUS session_rename(struct session *session, const struct ring_slot *slot);

NTSTATUS session_set_basic(struct session *session, const struct ring_slot *slot);

/* ---- session_set.c, for the others ---- */

/* Forget the second way. Accepts none. */
void session_free_setter(struct session *session);
/* A request of another kind is next: what was set may be so no more. */
void session_forget_set(struct session *session);
/* Whether the times of a file at url, which is no directory, have just been set. */
BOOLEAN session_has_set_file(const struct session *session, const char *url);

#endif
