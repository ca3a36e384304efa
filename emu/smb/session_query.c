/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_query.c - what libsmbclient knows of a file, of a path and of the volume.
 */
#include "session_private.h"
#include "smb_backend.h"

#include <string.h>
#include <sys/statvfs.h>

ULONG session_attributes_of_mode(mode_t mode)
{
    ULONG attributes = 0;

    /* libsmbclient puts the attributes into the execute bits, but a directory has all of those anyway. */
    if (S_ISDIR(mode))
        return FILE_ATTRIBUTE_DIRECTORY | (mode & S_IWUSR ? 0 : FILE_ATTRIBUTE_READONLY);
    if (!(mode & S_IWUSR))
        attributes |= FILE_ATTRIBUTE_READONLY;
    if (mode & S_IXUSR)
        attributes |= FILE_ATTRIBUTE_ARCHIVE;
    if (mode & S_IXGRP)
        attributes |= FILE_ATTRIBUTE_SYSTEM;
    if (mode & S_IXOTH)
        attributes |= FILE_ATTRIBUTE_HIDDEN;
    return attributes != 0 ? attributes : FILE_ATTRIBUTE_NORMAL;
}

mode_t session_mode_of_attributes(ULONG attributes)
{
    mode_t mode = S_IRUSR;

    if (!(attributes & FILE_ATTRIBUTE_READONLY))
        mode |= S_IWUSR;
    if (attributes & FILE_ATTRIBUTE_ARCHIVE)
        mode |= S_IXUSR;
    if (attributes & FILE_ATTRIBUTE_SYSTEM)
        mode |= S_IXGRP;
    if (attributes & FILE_ATTRIBUTE_HIDDEN)
        mode |= S_IXOTH;
    return mode;
}

void session_info_from_stat(const struct session *session, const struct stat *st, struct smb_info *info)
{
    memset(info, 0, sizeof(*info));
    info->last_access_time = smb_time(st->st_atim.tv_sec, st->st_atim.tv_nsec);
    info->last_write_time = smb_time(st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    info->change_time = smb_time(st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
    info->end_of_file = S_ISDIR(st->st_mode) ? 0 : (ULONGLONG)st->st_size;
    info->allocation_size = (ULONGLONG)st->st_blocks * 512;
    info->attributes = session_attributes_of_mode(st->st_mode);
    info->links = 1;
    /* In NT1 the number is a hash of the name, and another one in a listing. */
    if (strncmp(session->hello.dialect, "SMB", 3) == 0)
        info->index_number = st->st_ino;
    info->complete = TRUE;
}

NTSTATUS session_query_file(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status;
    struct stat st;

    /* libsmbclient's open for writing alone has no right to the attributes. */
    if (file->handle != NULL && (file->access & SESSION_READS) != 0)
        status = session_stat_open(session, file->handle, &st);
    else
        status = session_stat(session, file->url, &st);
    if (status == STATUS_SUCCESS)
        session_info_from_stat(session, &st, &slot->info);
    return status;
}

NTSTATUS session_query_path(struct session *session, struct ring_slot *slot)
{
    NTSTATUS status = session_make_url(session, slot->payload, slot->length, session->url);
    struct stat st;

    if (status == STATUS_SUCCESS)
        status = session_stat(session, session->url, &st);
    if (status == STATUS_SUCCESS)
        session_info_from_stat(session, &st, &slot->info);
    return status;
}

NTSTATUS session_query_volume(struct session *session, struct ring_slot *slot)
{
    struct statvfs vfs = {0};

    session_begin_call(session);
    if (smbc_getFunctionStatVFS(session->context)(session->context, session->root, &vfs) != 0)
        return session_failed_call(session);
    /* libsmbclient uses f_bsize for bytes in a sector and f_frsize for sectors in a unit; with Unix extensions,
     * f_bsize is the unit and f_frsize 0. */
    slot->volume = (struct smb_volume){
        .total_units = vfs.f_blocks,
        .free_units = vfs.f_bavail,
        .sectors_per_unit = vfs.f_frsize != 0 ? (ULONG)vfs.f_frsize : (ULONG)(vfs.f_bsize / 512),
        .bytes_per_sector = vfs.f_frsize != 0 ? (ULONG)vfs.f_bsize : 512,
        .max_component = vfs.f_namemax != 0 ? (ULONG)vfs.f_namemax : 255,
    };
    return STATUS_SUCCESS;
}
