/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.h - recovering NTSTATUS from libsmbclient. Internal to emu/smb/.
 *
 * libsmbclient gives errno, and errno is not enough: STATUS_OBJECT_NAME_INVALID and STATUS_INSUFFICIENT_RESOURCES are
 * both EINVAL. But at log level 3 it logs every failed call's NTSTATUS, and at level 10 that of a failed connection
 * too (observed in 4.17; the texts are not a promise, so the worker tests them once and falls back to errno). 4.22 has
 * stopped to log the latter: there, errno and how far the attempt got have to do.
 */
#ifndef NTEMU_SMB_STATUS_H
#define NTEMU_SMB_STATUS_H

#include <ntemu/nt.h>

/* Levels at which libsmbclient logs what smb_log_read understands. */
#define SMB_LOG_LEVEL_CALLS      3
#define SMB_LOG_LEVEL_CONNECTING 10

/* What a stretch of libsmbclient's log said. Clear it before the call. */
struct smb_log {
    NTSTATUS status;      /* of the last call that failed; STATUS_SUCCESS: none was logged */
    NTSTATUS connect;     /* of the connection attempt that failed; STATUS_SUCCESS: none was logged */
    BOOLEAN dialled;      /* a TCP connection was tried, so the host's name was good */
    BOOLEAN logon_failed; /* the session setup did not succeed */
    BOOLEAN logged_on;    /* it did */
    BOOLEAN tree;         /* the tree connect succeeded */
};

/* Take in one message of the log. Messages of no interest change nothing. */
void smb_log_read(struct smb_log *log, const char *message);

/* The status of a failed call on a standing connection: what was logged, or else what errno can tell. */
NTSTATUS smb_status_of_call(const struct smb_log *log, int error);

/*
 * The status of a failed connection attempt, in the words of smb.h: a host that cannot be reached or found is
 * STATUS_BAD_NETWORK_PATH whatever the reason.
 */
NTSTATUS smb_status_of_connect(const struct smb_log *log, int error);

#endif
