/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.c - recovering NTSTATUS from libsmbclient. See status.h. */
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct errno_row {
    int error;
    NTSTATUS status;
};

/*
 * The inverse of libsmbclient's own table where it has one; where several statuses share an errno, the one that a
 * create meets most. EINVAL is its answer to everything it does not know.
 */
static const struct errno_row call_rows[] = {
    {ENOENT, STATUS_OBJECT_NAME_NOT_FOUND},
    {ENOTDIR, STATUS_NOT_A_DIRECTORY},
    {EISDIR, STATUS_FILE_IS_A_DIRECTORY},
    {EEXIST, STATUS_OBJECT_NAME_COLLISION},
    {EACCES, STATUS_ACCESS_DENIED},
    {EPERM, STATUS_ACCESS_DENIED},
    {EBUSY, STATUS_SHARING_VIOLATION},
    {EINVAL, STATUS_INVALID_PARAMETER},
    {ENAMETOOLONG, STATUS_NAME_TOO_LONG},
    {ENOSPC, STATUS_DISK_FULL},
    {EDQUOT, STATUS_QUOTA_EXCEEDED},
    {EROFS, STATUS_MEDIA_WRITE_PROTECTED},
    {EMFILE, STATUS_TOO_MANY_OPENED_FILES},
    {ENFILE, STATUS_TOO_MANY_OPENED_FILES},
    {ENOMEM, STATUS_INSUFFICIENT_RESOURCES},
    {ENOTEMPTY, STATUS_DIRECTORY_NOT_EMPTY},
    {ENOSYS, STATUS_NOT_SUPPORTED},
    {ENOTSUP, STATUS_NOT_SUPPORTED},
    {EBADF, STATUS_INVALID_HANDLE},
    {ETIMEDOUT, STATUS_IO_TIMEOUT},
    {ECONNABORTED, STATUS_CONNECTION_DISCONNECTED},
    {ECONNRESET, STATUS_CONNECTION_DISCONNECTED},
    {ENETRESET, STATUS_CONNECTION_DISCONNECTED},
    {ENOTCONN, STATUS_CONNECTION_DISCONNECTED},
    {EPIPE, STATUS_CONNECTION_DISCONNECTED},
};

static const struct errno_row connect_rows[] = {
    {ENOENT, STATUS_BAD_NETWORK_NAME},
    {EACCES, STATUS_LOGON_FAILURE},
    {EPERM, STATUS_LOGON_FAILURE},
    {ECONNREFUSED, STATUS_BAD_NETWORK_PATH},
    {EHOSTUNREACH, STATUS_BAD_NETWORK_PATH},
    {ENETUNREACH, STATUS_BAD_NETWORK_PATH},
    {EHOSTDOWN, STATUS_BAD_NETWORK_PATH},
    {EINVAL, STATUS_BAD_NETWORK_PATH},
    {ENOMEM, STATUS_INSUFFICIENT_RESOURCES},
    {EMFILE, STATUS_INSUFFICIENT_RESOURCES},
    {ETIMEDOUT, STATUS_IO_TIMEOUT},
    {ECONNABORTED, STATUS_CONNECTION_DISCONNECTED},
    {ECONNRESET, STATUS_CONNECTION_DISCONNECTED},
    {ENETRESET, STATUS_CONNECTION_DISCONNECTED},
};

static NTSTATUS look_up(const struct errno_row *rows, size_t count, int error, NTSTATUS otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].error == error)
            return rows[i].status;
    }
    return otherwise;
}

/* Read the hexadecimal number after mark. Only errors count: a success here would be a misunderstanding. */
static BOOLEAN read_code(const char *message, const char *mark, NTSTATUS *status)
{
    const char *at = strstr(message, mark);
    unsigned long code;

    if (at == NULL)
        return FALSE;
    code = strtoul(at + strlen(mark), NULL, 16);
    if (code <= 0x80000000ul || code > 0xFFFFFFFFul)
        return FALSE;
    *status = (NTSTATUS)code;
    return TRUE;
}

void smb_log_read(struct smb_log *log, const char *message)
{
    if (read_code(message, "cli_status_to_errno: 0x", &log->status))
        return;
    if (read_code(message, "map_errno_from_nt_status: 32 bit codes: code=", &log->connect))
        return;
    if (strstr(message, "Connecting to ") != NULL)
        log->dialled = TRUE;
    else if (strstr(message, "SPNEGO login failed: ") != NULL)
        log->logon_failed = TRUE;
    else if (strstr(message, "session setup ok") != NULL)
        log->logged_on = TRUE;
    else if (strstr(message, "tconx ok") != NULL)
        log->tree = TRUE;
}

/* The server hung up after TCP's connection and before the negotiation: libsmbclient has no request to fail yet, and
 * says that it had no memory for one (observed in 4.17, when smbd ends at that moment). */
static BOOLEAN was_hung_up_on(const struct smb_log *log, int error)
{
    return log->dialled && !log->logon_failed && !log->logged_on && error == ENOMEM;
}

NTSTATUS smb_status_of_call(const struct smb_log *log, int error)
{
    NTSTATUS status = log->status;

    if (was_hung_up_on(log, error))
        return STATUS_CONNECTION_DISCONNECTED;
    if (status == STATUS_SUCCESS)
        status = look_up(call_rows, sizeof(call_rows) / sizeof(call_rows[0]), error, STATUS_UNSUCCESSFUL);
    switch (status) {
    case STATUS_CONNECTION_RESET:
    case STATUS_CONNECTION_ABORTED:
        /* Which end's TCP noticed first is of no use to a redirector. */
    case STATUS_NETWORK_NAME_DELETED:
    case STATUS_USER_SESSION_DELETED:
        /* Nor is which layer of the connection the server ended. */
        return STATUS_CONNECTION_DISCONNECTED;
    default:
        return status;
    }
}

/* Where errno alone would mislead: EACCES comes of a wrong password and of a share that is not for this user; EINVAL of
 * a host without an address, and of a logon that libsmbclient itself gives up, as without a password (4.22). */
static NTSTATUS status_of_stage(const struct smb_log *log, int error)
{
    if (log->logged_on && (error == EACCES || error == EPERM))
        return STATUS_ACCESS_DENIED;
    if (log->logon_failed && !log->logged_on && error == EINVAL)
        return STATUS_LOGON_FAILURE;
    return look_up(connect_rows, sizeof(connect_rows) / sizeof(connect_rows[0]), error, STATUS_BAD_NETWORK_PATH);
}

NTSTATUS smb_status_of_connect(const struct smb_log *log, int error)
{
    NTSTATUS status = log->connect != STATUS_SUCCESS ? log->connect : log->status;

    if (was_hung_up_on(log, error))
        return STATUS_CONNECTION_DISCONNECTED;
    if (status == STATUS_SUCCESS)
        status = status_of_stage(log, error);
    switch (status) {
    case STATUS_CONNECTION_REFUSED:
    case STATUS_NETWORK_UNREACHABLE:
    case STATUS_HOST_UNREACHABLE:
    case STATUS_PORT_UNREACHABLE:
        return STATUS_BAD_NETWORK_PATH;
    case STATUS_CONNECTION_RESET:
    case STATUS_CONNECTION_ABORTED:
        return STATUS_CONNECTION_DISCONNECTED;
    case STATUS_WRONG_CREDENTIAL_HANDLE:
        /* libsmbclient's own word for "no password given, and that was wrong". */
        return STATUS_LOGON_FAILURE;
    case STATUS_BAD_NETWORK_NAME:
    case STATUS_UNSUCCESSFUL:
        /* libsmbclient says these of a host whose name it cannot resolve. */
        return log->connect == STATUS_SUCCESS || log->dialled ? status : STATUS_BAD_NETWORK_PATH;
    default:
        return status;
    }
}
