/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_data.c - a file's data and size in libsmbclient's words. Every open file has one place at libsmbclient, which
 * goes to where the request says first.
 */
#include "session_private.h"

static NTSTATUS seek(struct session *session, struct open_file *file, uint64_t offset)
{
    if (offset > INT64_MAX - SMB_MAX_IO)
        return STATUS_INVALID_PARAMETER;
    session_begin_call(session);
    if (smbc_getFunctionLseek(session->context)(session->context, file->handle, (off_t)offset, SEEK_SET) < 0)
        return session_failed_call(session);
    return STATUS_SUCCESS;
}

NTSTATUS session_read(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status;
    ssize_t done;

    if (file->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (file->handle == NULL || (file->access & SESSION_READS) == 0)
        return STATUS_ACCESS_DENIED;
    status = seek(session, file, slot->offset);
    if (status != STATUS_SUCCESS || slot->length == 0)
        return status;
    session_begin_call(session);
    done = smbc_getFunctionRead(session->context)(session->context, file->handle, slot->payload, slot->length);
    if (done < 0)
        return session_failed_call(session);
    if (done == 0)
        return STATUS_END_OF_FILE;
    slot->done = (uint32_t)done;
    return STATUS_SUCCESS;
}

NTSTATUS session_write(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status;
    ssize_t done;

    if (file->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (file->handle == NULL || (file->access & SESSION_WRITES) == 0)
        return STATUS_ACCESS_DENIED;
    status = seek(session, file, slot->offset);
    if (status != STATUS_SUCCESS || slot->length == 0)
        return status;
    session_begin_call(session);
    done = smbc_getFunctionWrite(session->context)(session->context, file->handle, slot->payload, slot->length);
    if (done < 0)
        return session_failed_call(session);
    slot->done = (uint32_t)done;
    return STATUS_SUCCESS;
}

NTSTATUS session_set_size(struct session *session, struct open_file *file, const struct ring_slot *slot)
{
    if (file->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (file->handle == NULL || (file->access & SESSION_WRITES) == 0)
        return STATUS_ACCESS_DENIED;
    if (slot->offset > INT64_MAX)
        return STATUS_INVALID_PARAMETER;
    session_begin_call(session);
    return smbc_getFunctionFtruncate(session->context)(session->context, file->handle, (off_t)slot->offset) == 0
               ? STATUS_SUCCESS
               : session_failed_call(session);
}
