/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_change.c - deleting and renaming in libsmbclient's words. See smb.h for the contract.
 *
 * libsmbclient's unlink is an SMBdelete in NT1 and an open for DELETE with FILE_DELETE_ON_CLOSE later. Its rename
 * never asks the server to replace, and when that says that the target exists, unlinks the target and renames again
 * (observed with 4.17). So whether to replace is decided here, and the deleting done here, where its status is seen.
 */
#include "name.h"
#include "session_private.h"

#include <string.h>

static NTSTATUS call_unlink(struct session *session, const char *url)
{
    session_begin_call(session);
    return smbc_getFunctionUnlink(session->context)(session->context, url) == 0 ? STATUS_SUCCESS
                                                                                : session_failed_call(session);
}

static NTSTATUS call_rmdir(struct session *session, const char *url)
{
    session_begin_call(session);
    return smbc_getFunctionRmdir(session->context)(session->context, url) == 0 ? STATUS_SUCCESS
                                                                               : session_failed_call(session);
}

static NTSTATUS call_rename(struct session *session)
{
    session_begin_call(session);
    return smbc_getFunctionRename(session->context)(session->context, session->url, session->context,
                                                    session->target_url) == 0
               ? STATUS_SUCCESS
               : session_failed_call(session);
}

/* In SMB 2 and 3, libsmbclient's unlink deletes an empty directory, and says that it deleted one that is not empty. */
static NTSTATUS check_is_file(struct session *session, const char *url)
{
    struct stat st;
    NTSTATUS status;

    if (strcmp(session->hello.dialect, "NT1") == 0)
        return STATUS_SUCCESS;
    status = session_try_to_list(session, url);
    if (status == STATUS_NOT_A_DIRECTORY)
        return STATUS_SUCCESS;
    if (session_is_loss(status))
        return status;
    /* Whatever else is wrong, a query says in NT's words. */
    status = session_stat(session, url, &st);
    if (status == STATUS_SUCCESS && S_ISDIR(st.st_mode))
        return STATUS_FILE_IS_A_DIRECTORY;
    return status;
}

NTSTATUS session_delete(struct session *session, const struct ring_slot *slot)
{
    NTSTATUS status = session_make_url(session, slot->payload, slot->length, session->url);

    if (status != STATUS_SUCCESS)
        return status;
    if (session_is_root(session, session->url))
        return slot->directory ? STATUS_CANNOT_DELETE : STATUS_FILE_IS_A_DIRECTORY;
    if (slot->directory)
        return call_rmdir(session, session->url);
    status = check_is_file(session, session->url);
    return status == STATUS_SUCCESS ? call_unlink(session, session->url) : status;
}

/* The target exists, and is not the same file by another name. The source comes first: NT has opened it by now. */
static NTSTATUS make_room(struct session *session, const struct stat *target, BOOLEAN replace)
{
    struct stat source;
    NTSTATUS status = session_stat(session, session->url, &source);

    if (status != STATUS_SUCCESS)
        return status;
    if (!replace)
        return STATUS_OBJECT_NAME_COLLISION;
    if (S_ISDIR(target->st_mode))
        return STATUS_ACCESS_DENIED;
    status = call_unlink(session, session->target_url);
    if (status == STATUS_CANNOT_DELETE || status == STATUS_SHARING_VIOLATION || status == STATUS_DELETE_PENDING)
        return STATUS_ACCESS_DENIED;
    return status;
}

static const WCHAR *skip_separator(const WCHAR *path, uint32_t *length)
{
    if (*length == 0 || path[0] != '\\')
        return path;
    *length -= sizeof(WCHAR);
    return path + 1;
}

/* Only of these is it sure that a rename, which never fails for what is there, destroys nothing: a server that is lost
 * at this question may be back for the next. */
static BOOLEAN is_absent(NTSTATUS status)
{
    return status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND;
}

NTSTATUS session_rename(struct session *session, const struct ring_slot *slot)
{
    NTSTATUS status = session_make_url(session, slot->payload, slot->length, session->url);
    const WCHAR *path = (const WCHAR *)slot->payload, *target = path + slot->length / sizeof(WCHAR);
    uint32_t length = slot->length, target_length = slot->target_length;
    struct stat st;

    if (status == STATUS_SUCCESS)
        status = session_make_url(session, target, target_length, session->target_url);
    if (status != STATUS_SUCCESS)
        return status;
    if (session_is_root(session, session->url))
        return STATUS_INVALID_PARAMETER;
    if (session_is_root(session, session->target_url))
        return slot->replace ? STATUS_ACCESS_DENIED : STATUS_OBJECT_NAME_COLLISION;
    path = skip_separator(path, &length);
    target = skip_separator(target, &target_length);
    if (!smb_name_equal(path, length, target, target_length)) {
        status = session_stat(session, session->target_url, &st);
        if (status == STATUS_SUCCESS)
            status = make_room(session, &st, slot->replace != 0);
        else if (is_absent(status))
            status = STATUS_SUCCESS;
    }
    return status == STATUS_SUCCESS ? call_rename(session) : status;
}
