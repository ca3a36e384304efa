/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * later.c - information classes that are younger than the machine. Wine's kernelbase asks for some of them where
 * NT 4.0's asks for others; the answers are made of what NT 4.0's classes tell.
 */
#include <string.h>

#include "guard.h"
#include "info.h"
#include "later.h"

enum {
    CLASS_INTERNAL = 6,
    CLASS_NAME = 9,
    CLASS_ALL = 18,
    CLASS_NORMALIZED_NAME = 48,
    CLASS_ID = 59,
    CLASS_STAT = 68,
    CLASS_CASE_SENSITIVE = 71,
};
#define VOLUME_CLASS_VOLUME 1

static NTSTATUS give(const void *answer, ULONG size, void *buffer, uint64_t *ret_done)
{
    if (!guarded_copy(buffer, answer, size))
        return STATUS_ACCESS_VIOLATION;
    *ret_done = size;
    return STATUS_SUCCESS;
}

/* FILE_STAT_INFORMATION, GetFileInformationByHandle of Wine 10. */
static NTSTATUS query_stat(uint64_t token, void *buffer, ULONG length, uint64_t *ret_done)
{
    struct {
        int64_t times[4];
        ULONG attributes, pad;
        int64_t allocation, end;
        ULONG links;
        UCHAR delete_pending, directory, pad2[2];
        int64_t id;
        ULONG ea_size;
        ACCESS_MASK access;
        int64_t position;
        ULONG mode, alignment, name_length;
        WCHAR name[1024];
    } all;
    struct {
        int64_t id, times[4], allocation, end;
        ULONG attributes, reparse_tag, links;
        ACCESS_MASK access;
    } stat;
    uint64_t done;
    NTSTATUS status;

    if (length < sizeof(stat))
        return STATUS_INFO_LENGTH_MISMATCH;
    memset(&all, 0, sizeof(all));
    status = info_query(token, CLASS_ALL, &all, sizeof(all), &done);
    if (NT_ERROR(status))
        return status;
    memset(&stat, 0, sizeof(stat));
    stat.id = all.id;
    memcpy(stat.times, all.times, sizeof(stat.times));
    stat.allocation = all.allocation;
    stat.end = all.end;
    stat.attributes = all.attributes;
    stat.links = all.links;
    stat.access = all.access;
    return give(&stat, sizeof(stat), buffer, ret_done);
}

/* FILE_ID_INFORMATION: the file's number in 16 bytes, behind the volume's. */
static NTSTATUS query_id(uint64_t token, void *buffer, ULONG length, uint64_t *ret_done)
{
    struct {
        uint64_t serial, id, high;
    } answer = {0};
    struct {
        int64_t created;
        ULONG serial, label_length;
        WCHAR rest[256];
    } volume = {0};
    uint64_t done;
    NTSTATUS status;

    if (length < sizeof(answer))
        return STATUS_INFO_LENGTH_MISMATCH;
    status = info_query(token, CLASS_INTERNAL, &answer.id, sizeof(answer.id), &done);
    if (!NT_ERROR(status))
        status = info_query_volume(token, VOLUME_CLASS_VOLUME, &volume, sizeof(volume), &done);
    if (NT_ERROR(status))
        return status;
    answer.serial = volume.serial;
    return give(&answer, sizeof(answer), buffer, ret_done);
}

bool later_query(uint64_t token, ULONG class, void *buffer, ULONG length, NTSTATUS *ret_status, uint64_t *ret_done)
{
    static const ULONG insensitive = 0;

    switch (class) {
    case CLASS_STAT:
        *ret_status = query_stat(token, buffer, length, ret_done);
        return true;
    case CLASS_ID:
        *ret_status = query_id(token, buffer, length, ret_done);
        return true;
    case CLASS_NORMALIZED_NAME: /* long and short names are one here */
        *ret_status = info_query(token, CLASS_NAME, buffer, length, ret_done);
        return true;
    case CLASS_CASE_SENSITIVE:
        *ret_status = length < sizeof(insensitive) ? STATUS_INFO_LENGTH_MISMATCH
                                                   : give(&insensitive, sizeof(insensitive), buffer, ret_done);
        return true;
    default:
        return false;
    }
}
