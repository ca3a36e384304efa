/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_list.c - listing a directory in libsmbclient's words.
 */
#include "session_private.h"
#include "name.h"
#include "smb_backend.h"

#include <stdlib.h>
#include <string.h>

static NTSTATUS begin_listing(struct session *session, struct open_file *file)
{
    if (file->pending == NULL)
        file->pending = calloc(1, sizeof(*file->pending));
    if (file->pending == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (file->listing != NULL)
        smbc_getFunctionClosedir(session->context)(session->context, file->listing);
    file->pending->valid = FALSE;
    file->at_end = FALSE;
    session_begin_call(session);
    file->listing = smbc_getFunctionOpendir(session->context)(session->context, file->url);
    return file->listing != NULL ? STATUS_SUCCESS : session_failed_call(session);
}

/* Make the next entry pending. FALSE: there is none. */
static BOOLEAN next_entry(struct session *session, struct open_file *file)
{
    const struct libsmb_file_info *found;
    struct smb_info *info = &file->pending->info;
    struct stat st;

    while (!file->pending->valid && !file->at_end) {
        memset(&st, 0, sizeof(st));
        found = smbc_getFunctionReaddirPlus2(session->context)(session->context, file->listing, &st);
        if (found == NULL) {
            file->at_end = TRUE;
            break;
        }
        if (strcmp(found->name, ".") == 0 || strcmp(found->name, "..") == 0 ||
            strlen(found->name) > sizeof(file->pending->name) / sizeof(WCHAR))
            continue;
        file->pending->length = smb_name_from_utf8(found->name, file->pending->name);
        if (file->pending->length == 0)
            continue;
        session_info_from_stat(session, &st, info);
        info->creation_time = smb_time(found->btime_ts.tv_sec, found->btime_ts.tv_nsec);
        info->attributes = found->attrs != 0 ? found->attrs : FILE_ATTRIBUTE_NORMAL;
        file->pending->valid = TRUE;
    }
    return file->pending->valid;
}

NTSTATUS session_query_directory(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status = STATUS_SUCCESS;
    ULONG used = 0, last = 0;

    if (!file->directory)
        return STATUS_INVALID_PARAMETER;
    if (file->listing == NULL || slot->restart)
        status = begin_listing(session, file);
    if (status != STATUS_SUCCESS)
        return status;
    while (next_entry(session, file)) {
        if (!smb_put_dirent(slot->payload, slot->length, &used, &last, file->pending->name, file->pending->length,
                            &file->pending->info))
            break;
        file->pending->valid = FALSE;
    }
    if (used == 0)
        return file->pending->valid ? STATUS_BUFFER_TOO_SMALL : STATUS_NO_MORE_FILES;
    slot->done = used;
    return STATUS_SUCCESS;
}
