/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_open.c - opening and creating in libsmbclient's words.
 *
 * What libsmbclient sends for an open (observed in 4.17, the same in every dialect): exactly one Create, with
 * FILE_NON_DIRECTORY_FILE always set, the disposition from O_CREAT, O_EXCL and O_TRUNC, the access from the mode, the
 * share access from an option. A disposition that POSIX flags cannot say with a truthful answer (opened or created?)
 * is made of two that can. Directories are never open at the server: they are a path that was looked at.
 */
#include "session_private.h"

#include <fcntl.h>
#include <string.h>

#define SETTABLE (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM)

/* How often two halves of a disposition may miss each other because another client creates and deletes the file. */
#define RACE_RETRIES 8

static void set_share_mode(struct session *session, ULONG share_access)
{
    static const smbc_share_mode modes[] = {
        SMBC_SHAREMODE_DENY_ALL,   /* nothing */
        SMBC_SHAREMODE_DENY_WRITE, /* FILE_SHARE_READ */
        SMBC_SHAREMODE_DENY_READ,  /* FILE_SHARE_WRITE */
        SMBC_SHAREMODE_DENY_NONE,  /* both */
    };

    smbc_setOptionOpenShareMode(session->context, modes[share_access & (FILE_SHARE_READ | FILE_SHARE_WRITE)]);
}

static int open_mode(ACCESS_MASK access)
{
    if ((access & SESSION_WRITES) == 0)
        return O_RDONLY;
    return (access & SESSION_READS) != 0 ? O_RDWR : O_WRONLY;
}

static BOOLEAN overwrites(ULONG disposition)
{
    return disposition == FILE_SUPERSEDE || disposition == FILE_OVERWRITE || disposition == FILE_OVERWRITE_IF;
}

static BOOLEAN may_create(ULONG disposition)
{
    return disposition != FILE_OPEN && disposition != FILE_OVERWRITE;
}

/*
 * Open a file's data. FILE_OPEN_IF and the overwriting dispositions with "or create" are tried on what exists first,
 * then with O_EXCL, so that the action is the truth and not a guess.
 */
static NTSTATUS open_or_create(struct session *session, const struct ring_slot *slot, SMBCFILE **ret_handle,
                               ULONG *ret_action)
{
    ULONG disposition = slot->disposition;
    int mode = open_mode(slot->access);
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;

    for (int i = 0; i < RACE_RETRIES; i++) {
        if (disposition != FILE_CREATE) {
            status =
                session_open_url(session, session->url, mode | (overwrites(disposition) ? O_TRUNC : 0), ret_handle);
            if (status == STATUS_SUCCESS)
                *ret_action = !overwrites(disposition)        ? FILE_OPENED
                              : disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED
                                                              : FILE_OVERWRITTEN;
            if (status != STATUS_OBJECT_NAME_NOT_FOUND || !may_create(disposition))
                return status;
        }
        status = session_open_url(session, session->url, mode | O_CREAT | O_EXCL, ret_handle);
        if (status == STATUS_SUCCESS)
            *ret_action = FILE_CREATED;
        /* smbd's answer to a FILE_NON_DIRECTORY_FILE that only libsmbclient has added; the name is taken. */
        if (status == STATUS_FILE_IS_A_DIRECTORY && (slot->options & FILE_NON_DIRECTORY_FILE) == 0)
            status = STATUS_OBJECT_NAME_COLLISION;
        if (status != STATUS_OBJECT_NAME_COLLISION || disposition == FILE_CREATE)
            return status;
    }
    return status;
}

/* Who makes files makes many: then O_EXCL alone does it. Whatever else comes of that is found out in the usual order.
 */
static NTSTATUS open_data(struct session *session, const struct ring_slot *slot, SMBCFILE **ret_handle,
                          ULONG *ret_action)
{
    const BOOLEAN may_be_made = may_create(slot->disposition) && slot->disposition != FILE_CREATE;
    NTSTATUS status = STATUS_OBJECT_NAME_COLLISION;

    *ret_action = FILE_CREATED;
    if (may_be_made && session->made[slot->disposition])
        status = session_open_url(session, session->url, open_mode(slot->access) | O_CREAT | O_EXCL, ret_handle);
    if (status != STATUS_SUCCESS && !session_is_loss(status))
        status = open_or_create(session, slot, ret_handle, ret_action);
    if (may_be_made)
        session->made[slot->disposition] = status == STATUS_SUCCESS && *ret_action == FILE_CREATED;
    return status;
}

static NTSTATUS open_file(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    NTSTATUS status;

    set_share_mode(session, slot->share_access);
    status = open_data(session, slot, &file->handle, &slot->action);
    if (status == STATUS_FILE_IS_A_DIRECTORY && (slot->options & FILE_NON_DIRECTORY_FILE) == 0 &&
        (slot->disposition == FILE_OPEN || slot->disposition == FILE_OPEN_IF)) {
        file->directory = TRUE;
        slot->action = FILE_OPENED;
        status = STATUS_SUCCESS;
    }
    /* Best effort: the file is there, and failing a create that created would be the greater lie. */
    if (status == STATUS_SUCCESS && slot->action != FILE_OPENED && (slot->attributes & SETTABLE) != 0)
        (void)smbc_getFunctionChmod(session->context)(
            session->context, session->url, session_mode_of_attributes(slot->attributes | FILE_ATTRIBUTE_ARCHIVE));
    return status;
}

/* Whether url is still the file whose times have just been set, for who does not ask for more than that. */
static BOOLEAN is_that_file(struct session *session)
{
    return session_has_set_file(session, session->url) && strcmp(session->hello.dialect, "NT1") != 0 &&
           session_try_to_list(session, session->url) == STATUS_NOT_A_DIRECTORY;
}

/* An open for neither reading nor writing data: look at the path, keep nothing open. */
static NTSTATUS open_attributes(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    SMBCFILE *handle;
    struct stat st;

    if (slot->disposition == FILE_OPEN || slot->disposition == FILE_OPEN_IF) {
        if ((slot->access & FILE_READ_ATTRIBUTES) == 0 && is_that_file(session)) {
            slot->action = FILE_OPENED;
            return STATUS_SUCCESS;
        }
        status = session_stat(session, session->url, &st);
        if (status == STATUS_SUCCESS) {
            file->directory = S_ISDIR(st.st_mode) != 0;
            slot->action = FILE_OPENED;
            if (file->directory && (slot->options & FILE_NON_DIRECTORY_FILE) != 0)
                return STATUS_FILE_IS_A_DIRECTORY;
            session_info_from_stat(session, &st, &slot->info);
            return STATUS_SUCCESS;
        }
        if (status != STATUS_OBJECT_NAME_NOT_FOUND || slot->disposition == FILE_OPEN)
            return status;
    }
    status = open_file(session, slot, file);
    if (status == STATUS_SUCCESS && file->handle != NULL) {
        handle = file->handle;
        file->handle = NULL;
        (void)session_close_handle(session, handle);
    }
    return status;
}

/* MAXIMUM_ALLOWED: whatever the server does not deny to somebody who asks for less. */
static NTSTATUS open_most(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    const ACCESS_MASK asked = slot->access & ~(ACCESS_MASK)MAXIMUM_ALLOWED;
    const BOOLEAN opens = slot->disposition == FILE_OPEN || slot->disposition == FILE_OPEN_IF;
    NTSTATUS status;

    slot->access = asked | FILE_ALL_ACCESS;
    status = open_file(session, slot, file);
    if (status == STATUS_ACCESS_DENIED && opens && (asked & SESSION_WRITES) == 0) {
        slot->access = asked | (FILE_ALL_ACCESS & ~(ACCESS_MASK)(SESSION_WRITES | FILE_DELETE_CHILD));
        status = open_file(session, slot, file);
    }
    if (status == STATUS_ACCESS_DENIED && opens && (asked & (SESSION_READS | SESSION_WRITES)) == 0) {
        slot->access = asked | FILE_READ_ATTRIBUTES | SYNCHRONIZE;
        status = open_attributes(session, slot, file);
    }
    return status;
}

static NTSTATUS call_mkdir(struct session *session)
{
    session_begin_call(session);
    return smbc_getFunctionMkdir(session->context)(session->context, session->url, 0777) == 0
               ? STATUS_SUCCESS
               : session_failed_call(session);
}

static NTSTATUS open_directory(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    struct stat st;

    file->directory = TRUE;
    for (int i = 0; i < RACE_RETRIES; i++) {
        if (slot->disposition != FILE_CREATE) {
            status = session_stat(session, session->url, &st);
            if (status == STATUS_SUCCESS && !S_ISDIR(st.st_mode))
                return STATUS_NOT_A_DIRECTORY;
            if (status == STATUS_SUCCESS) {
                slot->action = FILE_OPENED;
                session_info_from_stat(session, &st, &slot->info);
            }
            if (status != STATUS_OBJECT_NAME_NOT_FOUND || slot->disposition == FILE_OPEN)
                return status;
        }
        status = call_mkdir(session);
        if (status == STATUS_SUCCESS)
            slot->action = FILE_CREATED;
        if (status != STATUS_OBJECT_NAME_COLLISION || slot->disposition == FILE_CREATE)
            return status;
    }
    return status;
}

static NTSTATUS check_create(const struct ring_slot *slot)
{
    if (slot->disposition > FILE_MAXIMUM_DISPOSITION)
        return STATUS_INVALID_PARAMETER;
    if ((slot->options & FILE_DIRECTORY_FILE) == 0)
        return STATUS_SUCCESS;
    if ((slot->options & FILE_NON_DIRECTORY_FILE) != 0 || overwrites(slot->disposition))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static NTSTATUS open_root(struct ring_slot *slot, struct open_file *file)
{
    if ((slot->options & FILE_NON_DIRECTORY_FILE) != 0 || overwrites(slot->disposition))
        return STATUS_FILE_IS_A_DIRECTORY;
    if (slot->disposition == FILE_CREATE)
        return STATUS_OBJECT_NAME_COLLISION;
    file->directory = TRUE;
    slot->action = FILE_OPENED;
    return STATUS_SUCCESS;
}

NTSTATUS session_create(struct session *session, struct ring_slot *slot)
{
    struct open_file *file;
    NTSTATUS status = check_create(slot);

    if (status == STATUS_SUCCESS)
        status = session_make_url(session, slot->payload, slot->length, session->url);
    if (status == STATUS_SUCCESS)
        status = session_add_file(session, session->url, &file);
    if (status != STATUS_SUCCESS)
        return status;
    memset(&slot->info, 0, sizeof(slot->info));
    if (session_is_root(session, session->url))
        status = open_root(slot, file);
    else if ((slot->options & FILE_DIRECTORY_FILE) != 0)
        status = open_directory(session, slot, file);
    else if ((slot->access & MAXIMUM_ALLOWED) != 0)
        status = open_most(session, slot, file);
    else if ((slot->access & (SESSION_READS | SESSION_WRITES)) == 0)
        status = open_attributes(session, slot, file);
    else
        status = open_file(session, slot, file);
    if (status != STATUS_SUCCESS) {
        (void)session_remove_file(session, file);
        return status;
    }
    if (file->directory)
        slot->info.attributes |= FILE_ATTRIBUTE_DIRECTORY;
    if ((slot->access & MAXIMUM_ALLOWED) != 0) /* a directory: nothing is open at the server */
        slot->access = (slot->access & ~(ACCESS_MASK)MAXIMUM_ALLOWED) | FILE_ALL_ACCESS;
    file->access = slot->access;
    slot->result_file = file->id;
    return STATUS_SUCCESS;
}
