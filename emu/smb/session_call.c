/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_call.c - a call of libsmbclient's and what came of it: statuses, URLs, and the calls that more than one
 * subject makes.
 */
#include "session_private.h"
#include "name.h"

#include <errno.h>
#include <string.h>

void session_begin_call(struct session *session)
{
    memset(&session->log, 0, sizeof(session->log));
    errno = 0;
}

NTSTATUS session_failed_call(struct session *session)
{
    NTSTATUS status = smb_status_of_call(&session->log, errno);

    if (session->log.status == STATUS_SUCCESS)
        session->mapped = status;
    if (session_is_loss(status))
        session->lost = TRUE;
    return status;
}

NTSTATUS session_stat(struct session *session, const char *url, struct stat *st)
{
    session_begin_call(session);
    if (smbc_getFunctionStat(session->context)(session->context, url, st) == 0)
        return STATUS_SUCCESS;
    return session_failed_call(session);
}

NTSTATUS session_stat_open(struct session *session, SMBCFILE *handle, struct stat *st)
{
    session_begin_call(session);
    if (smbc_getFunctionFstat(session->context)(session->context, handle, st) == 0)
        return STATUS_SUCCESS;
    return session_failed_call(session);
}

NTSTATUS session_make_url(struct session *session, const void *path, uint32_t length, char *url)
{
    size_t root_length = strlen(session->root);

    if (length > UINT16_MAX) /* a slot holds more, but no name is longer, and url has no room for one */
        return STATUS_NAME_TOO_LONG;
    memcpy(url, session->root, root_length);
    return smb_name_to_url(path, length, url + root_length);
}

BOOLEAN session_is_root(const struct session *session, const char *url)
{
    return url[strlen(session->root)] == '\0';
}

NTSTATUS session_try_to_list(struct session *session, const char *url)
{
    SMBCFILE *listing;

    session_begin_call(session);
    listing = smbc_getFunctionOpendir(session->context)(session->context, url);
    if (listing == NULL)
        return session_failed_call(session);
    smbc_getFunctionClosedir(session->context)(session->context, listing);
    return STATUS_SUCCESS;
}

NTSTATUS session_open_url(struct session *session, const char *url, int flags, SMBCFILE **ret_handle)
{
    SMBCFILE *handle;

    session_begin_call(session);
    handle = smbc_getFunctionOpen(session->context)(session->context, url, flags, 0666);
    if (handle == NULL)
        return session_failed_call(session);
    *ret_handle = handle;
    return STATUS_SUCCESS;
}

NTSTATUS session_close_handle(struct session *session, SMBCFILE *handle)
{
    session_begin_call(session);
    return smbc_getFunctionClose(session->context)(session->context, handle) == 0 ? STATUS_SUCCESS
                                                                                  : session_failed_call(session);
}
