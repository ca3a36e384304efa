/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_set.c - a file's times and attributes in libsmbclient's words. See smb.h for the contract.
 *
 * What libsmbclient 4.17 does (observed, the same in every dialect):
 *   utimes      sets access and write time, in microseconds, and takes all attributes away
 *   chmod       sets the attributes and leaves the times
 *   setxattr    sets all of "system.dos_attr.*" at once, the only way to a creation time, in whole seconds. What is not
 *               named there it takes from a query that gives it mode bits for attributes, so all are named; no
 *               attributes at all leaves those that there are
 * When the server refuses a time, libsmbclient takes it for one of Windows 98, and from then on opens the file to write
 * in order to set its times, in seconds. Nothing brings it back, so such a connection is not used for this any more: a
 * second one is, which is given up when it fails in turn.
 */
#include "session_private.h"

#include <stdio.h>
#include <string.h>

#define KEPT (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE)

/* ---- which connection ---- */

void session_free_setter(struct session *session)
{
    if (session->setter != NULL)
        smbc_free_context(session->setter, 1);
    session->setter = NULL;
}

static SMBCCTX *find_context(struct session *session)
{
    if (!session->spoiled)
        return session->context;
    if (session->setter == NULL)
        session->setter = session_new_context(session);
    return session->setter;
}

/* What a call has come to; a failure spoils the connection. */
static NTSTATUS finish(struct session *session, int rc)
{
    NTSTATUS status;

    if (rc == 0)
        return STATUS_SUCCESS;
    status = session_failed_call(session);
    if (session->spoiled) /* it was the second way's, and says nothing of the first */
        session->lost = FALSE;
    session->spoiled = TRUE;
    session_free_setter(session);
    return status;
}

/* ---- the calls ---- */

static NTSTATUS call_chmod(struct session *session, ULONG attributes)
{
    SMBCCTX *context = find_context(session);

    if (context == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    session_begin_call(session);
    return finish(session,
                  smbc_getFunctionChmod(context)(context, session->url, session_mode_of_attributes(attributes)));
}

static NTSTATUS call_utimes(struct session *session, const struct smb_basic *basic)
{
    SMBCCTX *context = find_context(session);
    struct timeval times[2];

    if (context == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    smb_timeval(basic->last_access_time, &times[0]);
    smb_timeval(basic->last_write_time, &times[1]);
    session_begin_call(session);
    return finish(session, smbc_getFunctionUtimes(context)(context, session->url, times));
}

static NTSTATUS call_set_all(struct session *session, const struct smb_basic *basic)
{
    SMBCCTX *context = find_context(session);
    struct timeval created, accessed, written;
    char text[200];

    if (context == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    smb_timeval(basic->creation_time, &created);
    smb_timeval(basic->last_access_time, &accessed);
    smb_timeval(basic->last_write_time, &written);
    snprintf(text, sizeof(text), "MODE:0x%x,CREATE_TIME:%lld,ACCESS_TIME:%lld,WRITE_TIME:%lld,CHANGE_TIME:%lld",
             (unsigned)basic->attributes, (long long)created.tv_sec, (long long)accessed.tv_sec,
             (long long)written.tv_sec, (long long)written.tv_sec);
    session_begin_call(session);
    return finish(session,
                  smbc_getFunctionSetxattr(context)(context, session->url, "system.dos_attr.*", text, strlen(text), 0));
}

/* If there is no such file, libsmbclient tells of what it tried last, and not of the first answer. */
static NTSTATUS set_attributes(struct session *session, ULONG attributes)
{
    NTSTATUS status = call_chmod(session, attributes), found;
    const struct smb_log log = session->log;
    struct stat st;

    if (status == STATUS_SUCCESS)
        return status;
    found = session_stat(session, session->url, &st);
    if (found != STATUS_SUCCESS)
        return found;
    session->log = log;
    return status;
}

/* ---- what has just been set ---- */

void session_forget_set(struct session *session)
{
    session->set_url[0] = '\0';
}

static void remember(struct session *session, const struct smb_basic *basic, BOOLEAN directory)
{
    strcpy(session->set_url, session->url);
    session->set = *basic;
    session->set_directory = directory;
    session->set_at = ring_clock();
}

static BOOLEAN has_set(const struct session *session, const char *url)
{
    return strcmp(session->set_url, url) == 0 && ring_clock() - session->set_at < (uint64_t)SMB_LEFT_ALONE_MS * 1000000;
}

BOOLEAN session_has_set_file(const struct session *session, const char *url)
{
    return !session->set_directory && has_set(session, url);
}

/* ---- times ---- */

/* What the file has. Whoever closes a file sets its times a second time, just behind the first: see RdrKeepWriteTime.
 */
static NTSTATUS find(struct session *session, uint64_t file, struct smb_basic *basic, BOOLEAN *directory)
{
    SMBCFILE *handle = session_readable_handle(session, file, session->url);
    NTSTATUS status;
    struct stat st;

    if (has_set(session, session->url)) {
        *basic = session->set;
        *directory = session->set_directory;
        return STATUS_SUCCESS;
    }
    /* One exchange instead of three. */
    status = handle != NULL ? session_stat_open(session, handle, &st) : session_stat(session, session->url, &st);
    if (status != STATUS_SUCCESS)
        return status;
    basic->last_access_time = smb_time(st.st_atim.tv_sec, st.st_atim.tv_nsec);
    basic->last_write_time = smb_time(st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    basic->attributes = session_attributes_of_mode(st.st_mode);
    *directory = S_ISDIR(st.st_mode) != 0;
    return STATUS_SUCCESS;
}

static void change(struct smb_basic *basic, const struct smb_basic *wanted)
{
    basic->creation_time = wanted->creation_time;
    if (wanted->last_access_time != 0)
        basic->last_access_time = wanted->last_access_time;
    if (wanted->last_write_time != 0)
        basic->last_write_time = wanted->last_write_time;
    if (wanted->attributes != 0)
        basic->attributes = wanted->attributes;
    basic->attributes &= KEPT;
}

static BOOLEAN in_whole_seconds(LONGLONG time)
{
    return time % 10000000 == 0;
}

/* Everything that is to be, and what there is already where nothing else is wanted. */
static NTSTATUS set_all(struct session *session, const struct smb_basic *basic, BOOLEAN directory)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (basic->creation_time != 0)
        status = call_set_all(session, basic);
    if (status == STATUS_SUCCESS && basic->creation_time != 0 && basic->attributes != 0 && !directory &&
        in_whole_seconds(basic->last_access_time) && in_whole_seconds(basic->last_write_time))
        return status;
    if (status == STATUS_SUCCESS)
        status = call_utimes(session, basic);
    if (status == STATUS_SUCCESS && basic->attributes != 0)
        status = call_chmod(session, basic->attributes);
    return status;
}

static NTSTATUS set_times(struct session *session, uint64_t file, const struct smb_basic *wanted)
{
    struct smb_basic basic;
    BOOLEAN directory;
    NTSTATUS status = find(session, file, &basic, &directory);

    session_forget_set(session);
    if (status != STATUS_SUCCESS)
        return status;
    change(&basic, wanted);
    status = set_all(session, &basic, directory);
    if (status == STATUS_SUCCESS)
        remember(session, &basic, directory);
    return status;
}

NTSTATUS session_set_basic(struct session *session, const struct ring_slot *slot)
{
    const struct smb_basic *wanted = &slot->basic;
    NTSTATUS status = session_make_url(session, slot->payload, slot->length, session->url);

    if (status != STATUS_SUCCESS)
        return status;
    if (wanted->creation_time != 0 || wanted->last_access_time != 0 || wanted->last_write_time != 0)
        return set_times(session, slot->file, wanted);
    session_forget_set(session);
    return wanted->attributes != 0 ? set_attributes(session, wanted->attributes) : STATUS_SUCCESS;
}
