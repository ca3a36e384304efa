/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_files.c - the table of a session's open files.
 */
#include "session_private.h"

#include <stdlib.h>
#include <string.h>

/* A file's id: its place in the table, and how often that place has been used, so that an old id is noticed. */
#define ID_INDEX_BITS 20
#define MAX_FILES     (1u << ID_INDEX_BITS)

NTSTATUS session_add_file(struct session *session, const char *url, struct open_file **ret_file)
{
    uint32_t index = session->free_hint;
    struct open_file *file;

    while (index < session->file_count && session->files[index] != NULL)
        index++;
    if (index == session->file_count) {
        uint32_t count = session->file_count != 0 ? session->file_count * 2 : 64;
        struct open_file **files = count <= MAX_FILES ? realloc(session->files, count * sizeof(*files)) : NULL;
        uint32_t *uses;

        if (files == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        session->files = files;
        uses = realloc(session->uses, count * sizeof(*uses));
        if (uses == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        session->uses = uses;
        memset(files + session->file_count, 0, (count - session->file_count) * sizeof(*files));
        memset(uses + session->file_count, 0, (count - session->file_count) * sizeof(*uses));
        session->file_count = count;
    }
    file = calloc(1, sizeof(*file) + strlen(url) + 1);
    if (file == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    strcpy(file->url, url);
    file->connection = session->connection;
    file->id = (++session->uses[index] << ID_INDEX_BITS) | index;
    session->files[index] = file;
    session->free_hint = index + 1;
    *ret_file = file;
    return STATUS_SUCCESS;
}

struct open_file *session_find_file(const struct session *session, uint64_t id)
{
    uint32_t index = (uint32_t)id & (MAX_FILES - 1);

    if (index >= session->file_count || session->files[index] == NULL || session->files[index]->id != id)
        return NULL;
    return session->files[index];
}

NTSTATUS session_remove_file(struct session *session, struct open_file *file)
{
    uint32_t index = file->id & (MAX_FILES - 1);
    NTSTATUS status = STATUS_SUCCESS;

    if (file->listing != NULL)
        smbc_getFunctionClosedir(session->context)(session->context, file->listing);
    if (file->handle != NULL)
        status = session_close_handle(session, file->handle);
    session->files[index] = NULL;
    if (index < session->free_hint)
        session->free_hint = index;
    free(file->pending);
    free(file);
    return status;
}

SMBCFILE *session_readable_handle(const struct session *session, uint64_t id, const char *url)
{
    const struct open_file *file = session_find_file(session, id);

    return file != NULL && file->connection == session->connection && (file->access & SESSION_READS) != 0 &&
                   strcmp(file->url, url) == 0
               ? file->handle
               : NULL;
}
