/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session.c - a session's life, and which of its parts carries a request out. See session.h.
 */
#include "session_private.h"
#include "name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static NTSTATUS perform_by_path(struct session *session, struct ring_slot *slot)
{
    NTSTATUS status = session_connect(session);

    if (status != STATUS_SUCCESS)
        return status;
    switch (slot->op) {
    case SMB_CREATE:
        return session_create(session, slot);
    case SMB_QUERY_PATH:
        return session_query_path(session, slot);
    case SMB_QUERY_VOLUME:
        return session_query_volume(session, slot);
    case SMB_DELETE:
        return session_delete(session, slot);
    case SMB_RENAME:
        return session_rename(session, slot);
    case SMB_SET_BASIC:
        return session_set_basic(session, slot);
    default:
        return STATUS_SUCCESS;
    }
}

static NTSTATUS close_file(struct session *session, struct open_file *file)
{
    const BOOLEAN old = file->connection != session->connection, alive = session_is_alive(session);
    NTSTATUS status = session_remove_file(session, file);

    if (old) /* only the one that it was opened on is lost */
        session->lost = FALSE;
    return old || !alive ? STATUS_CONNECTION_DISCONNECTED : status;
}

static NTSTATUS perform_by_file(struct session *session, struct ring_slot *slot)
{
    struct open_file *file = session_find_file(session, slot->file);

    if (file == NULL)
        return STATUS_INVALID_HANDLE;
    if (slot->op == SMB_CLOSE)
        return close_file(session, file);
    if (file->connection != session->connection || !session_is_alive(session))
        return STATUS_CONNECTION_DISCONNECTED;
    switch (slot->op) {
    case SMB_READ:
        return session_read(session, file, slot);
    case SMB_WRITE:
        return session_write(session, file, slot);
    case SMB_QUERY_FILE:
        return session_query_file(session, file, slot);
    case SMB_QUERY_DIRECTORY:
        return session_query_directory(session, file, slot);
    case SMB_SET_SIZE:
        return session_set_size(session, file, slot);
    default:
        return STATUS_SUCCESS;
    }
}

static enum smb_origin origin_of(const struct session *session, NTSTATUS status)
{
    if (status == session->log.status || status == session->log.connect)
        return SMB_ORIGIN_LOG;
    return status == session->mapped ? SMB_ORIGIN_ERRNO : SMB_ORIGIN_WORKER;
}

void session_perform(struct session *session, struct ring_slot *slot)
{
    session->mapped = STATUS_SUCCESS;
    session->lost = FALSE;
    memset(&session->log, 0, sizeof(session->log));
    slot->origin = SMB_ORIGIN_ANSWER;
    slot->done = 0;
    slot->result_file = 0;
    if (slot->length > RING_PAYLOAD || slot->target_length > RING_PAYLOAD - slot->length) {
        slot->status = STATUS_INVALID_PARAMETER;
        return;
    }
    if (slot->op != SMB_SET_BASIC && slot->op != SMB_CLOSE &&
        (slot->op != SMB_CREATE || slot->disposition != FILE_OPEN))
        session_forget_set(session);
    switch (slot->op) {
    case SMB_TREE_CONNECT:
    case SMB_CREATE:
    case SMB_QUERY_PATH:
    case SMB_QUERY_VOLUME:
    case SMB_DELETE:
    case SMB_RENAME:
    case SMB_SET_BASIC:
        slot->status = perform_by_path(session, slot);
        break;
    case SMB_TREE_DISCONNECT:
        slot->status = STATUS_SUCCESS;
        session_free_setter(session);
        session_drop_connection(session);
        break;
    default:
        slot->status = perform_by_file(session, slot);
        break;
    }
    if (slot->status != STATUS_SUCCESS)
        slot->origin = origin_of(session, slot->status);
    if (session->lost)
        session_drop_connection(session);
    if (session->lost || session_is_loss(slot->status) || slot->op == SMB_TREE_DISCONNECT)
        session->looked = 0;
}

void session_undo(struct session *session, const struct ring_slot *slot)
{
    struct open_file *file;

    if (slot->op != SMB_CREATE || slot->status != STATUS_SUCCESS)
        return;
    file = session_find_file(session, slot->result_file);
    if (file != NULL)
        (void)session_remove_file(session, file);
}

BOOLEAN session_describe(const struct session *session, char *text, size_t size)
{
    if (!session->tested)
        return FALSE;
    snprintf(text, size, "%s by libsmbclient %s%s", session->hello.dialect[0] != '\0' ? session->hello.dialect : "SMB",
             smbc_version(), !session->statuses_logged ? ", statuses from errno only" : "");
    return TRUE;
}

static BOOLEAN make_root(struct session *session)
{
    const struct ring_hello *hello = &session->hello;
    size_t size = 32 + strlen(hello->host) * 3 + strlen(hello->share) * 3;
    BOOLEAN numeric6 = strchr(hello->host, ':') != NULL;
    char share[3 * HELLO_STRING];

    session->root = malloc(size);
    if (session->root == NULL)
        return FALSE;
    smb_name_escape(hello->share, share);
    snprintf(session->root, size, "smb://%s%s%s:%u/%s/", numeric6 ? "[" : "", hello->host, numeric6 ? "]" : "",
             hello->port, share);
    session->url = malloc(strlen(session->root) + smb_name_url_size(UINT16_MAX));
    session->target_url = malloc(strlen(session->root) + smb_name_url_size(UINT16_MAX));
    session->set_url = calloc(1, strlen(session->root) + smb_name_url_size(UINT16_MAX));
    return session->url != NULL && session->target_url != NULL && session->set_url != NULL;
}

struct session *session_new(const struct ring_hello *hello)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return NULL;
    session->hello = *hello;
    session->socket = -1;
    if (make_root(session))
        session->context = session_new_context(session);
    if (session->context != NULL)
        return session;
    session_free(session);
    return NULL;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    for (uint32_t i = 0; i < session->file_count; i++) {
        if (session->files[i] != NULL)
            (void)session_remove_file(session, session->files[i]);
    }
    session_free_setter(session);
    if (session->context != NULL)
        smbc_free_context(session->context, 1);
    explicit_bzero(&session->hello, sizeof(session->hello));
    free(session->files);
    free(session->uses);
    free(session->root);
    free(session->url);
    free(session->target_url);
    free(session->set_url);
    free(session);
}
