/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem.h - servers, shares and files for smb_mem_backend.
 *
 * The model is an NT server with one account that may do everything: an open is decided as MS-FSA 2.1.5.1 says,
 * delete-on-close, FILE_SHARE_DELETE, FILE_SUPERSEDE and MAXIMUM_ALLOWED included. Where NT's answer is not known it
 * is smbd 4.17's, as observed, and where that is silent too it is our guess; mem_create.c and mem_request.c say which.
 * It has no streams, no extended attributes, no security descriptors and no oplocks, and it takes
 * FILE_OPEN_REPARSE_POINT and the rest of the options for granted: they change nothing here. It answers inside
 * smb_submit, so nothing but a watch is ever outstanding: wrap it in smb_fault_backend to have requests that hang.
 * Names compare case-insensitively, as NT does it. Threads that ask for files of their own do not wait for each other.
 *
 * Every function here takes the backend that smb_mem_backend returned, not a wrapper, and may be called at any time.
 * The statuses are STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES, and what the function's comment names.
 */
#ifndef NTEMU_SMB_MEM_H
#define NTEMU_SMB_MEM_H

#include "smb.h"

/* smb_mem_set_user - the one account of every server here; before that, any credentials will do. Strings are copied. */
NTSTATUS smb_mem_set_user(struct smb_backend *backend, const char *user, const char *password);

/*
 * smb_mem_add_share - let a server have a share; the server comes to be with its first one.
 *   host, port  as smb_target gives them; port 0 is 445
 *   Returns     also STATUS_OBJECT_NAME_COLLISION.
 */
NTSTATUS smb_mem_add_share(struct smb_backend *backend, const char *host, uint16_t port, const char *share,
                           BOOLEAN read_only);

/*
 * smb_mem_add - make a file (or a directory: data NULL) on a share of any server with that name, read only or not.
 *   path     relative to the share's root; its parent must exist
 *   Returns  also what SMB_CREATE says of the path.
 */
NTSTATUS smb_mem_add(struct smb_backend *backend, const char *share, const UNICODE_STRING *path, const void *data,
                     size_t size);

/*
 * smb_mem_set_running - stop or start a server. Stopped, it loses every session and open file, keeps its files and
 * answers nobody: STATUS_BAD_NETWORK_PATH.
 */
void smb_mem_set_running(struct smb_backend *backend, const char *host, uint16_t port, BOOLEAN running);

/*
 * smb_mem_set_left_out - have a server leave so many bytes away at the end of a file's basic information, as servers
 * that are not Microsoft's do (documented: Q244922, 4).
 */
void smb_mem_set_left_out(struct smb_backend *backend, const char *host, uint16_t port, ULONG bytes);

/* From now on servers here let everybody share everything, as some do that are not NT: a client is left to itself. */
void smb_mem_share_all(struct smb_backend *backend);

/* Files and directories that clients have open on all servers. */
unsigned smb_mem_open_files(struct smb_backend *backend);

/* Connections of clients that stand, with all servers. */
unsigned smb_mem_sessions(struct smb_backend *backend);

#endif
