/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_private.h - what the parts of a session share: session.c (opens, data, queries), change.c (delete, rename),
 * set.c (size, times, attributes), watch.c (changes in a directory).
 */
#ifndef NTEMU_SMB_SESSION_PRIVATE_H
#define NTEMU_SMB_SESSION_PRIVATE_H

#include "session.h"
#include "status.h"

#include <libsmbclient.h>

#include <sys/stat.h>

struct open_file;

struct session {
    SMBCCTX *context;
    struct ring_hello hello;
    char *root;       /* the share's URL, with the final '/' */
    char *url;        /* room for root and any path */
    char *target_url; /* as much, for a rename's target */
    struct smb_log log;
    NTSTATUS mapped; /* the last status that errno alone told, in this request */

    int socket;         /* libsmbclient's own, only looked at; -1: not connected or not found */
    ino_t socket_inode; /* as the number may be used again */
    BOOLEAN connected;
    BOOLEAN stale;                              /* the last connection was lost, and libsmbclient may not know yet */
    uint64_t looked;                            /* when the socket was last looked at, in ring_clock's time */
    SMBCCTX *setter;                            /* set.c's second way to the share; NULL: there is none */
    BOOLEAN spoiled;                            /* set.c: the first one sets no attributes properly any more */
    unsigned connection;                        /* counts connections: a file of an older one is lost */
    BOOLEAN made[FILE_MAXIMUM_DISPOSITION + 1]; /* by disposition: whether the last open of data made its file */
    BOOLEAN tested, statuses_logged;

    /* set.c: what the file at a path has since its times were set, which is not asked for again at once */
    char *set_url; /* "": nothing is known */
    struct smb_basic set;
    BOOLEAN set_directory;
    uint64_t set_at; /* in ring_clock's time */

    struct open_file **files;
    uint32_t *uses;
    uint32_t file_count, free_hint;
};

/* Before and after a call of libsmbclient's: what the log said in between is the failed call's status. */
void session_begin_call(struct session *session);
NTSTATUS session_failed_call(struct session *session);

NTSTATUS session_stat(struct session *session, const char *url, struct stat *st);
NTSTATUS session_stat_open(struct session *session, SMBCFILE *handle, struct stat *st);

/* The URL of a path of length bytes in UTF-16, into session->url or session->target_url. */
NTSTATUS session_make_url(struct session *session, const void *path, uint32_t length, char *url);
BOOLEAN session_is_root(const struct session *session, const char *url);

/* Another context for the same share, as the same user; for smbc_free_context. NULL: out of memory. */
SMBCCTX *session_new_context(struct session *session);

/* The mode bits that libsmbclient takes for attributes. */
mode_t session_mode_of_attributes(ULONG attributes);
ULONG session_attributes_of_mode(mode_t mode);

/* SMB_SET_SIZE of a file that is open to write; SMB_SET_BASIC, connected. */
NTSTATUS session_set_size(struct session *session, SMBCFILE *handle, const struct ring_slot *slot);
NTSTATUS session_set_basic(struct session *session, const struct ring_slot *slot);
/* Forget the second way. Accepts none. */
void session_free_setter(struct session *session);
/* A request of another kind is next: what was set may be so no more. */
void session_forget_set(struct session *session);
/* Whether the times of a file at url, which is no directory, have just been set. */
BOOLEAN session_has_set_file(const struct session *session, const char *url);

/* What is open to read at the server as file, if url is its path; NULL: nothing. */
SMBCFILE *session_readable_handle(const struct session *session, uint64_t file, const char *url);

/* Have a connection, or why there is none. */
NTSTATUS session_connect(struct session *session);

/* SMB_DELETE and SMB_RENAME; connected. */
NTSTATUS session_delete(struct session *session, const struct ring_slot *slot);
NTSTATUS session_rename(struct session *session, const struct ring_slot *slot);

#endif
