/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NtQuerySystemInformation: the two classes that tell of the pool. Layouts: public headers (x64). */
#include "exp.h"

#include <stdlib.h>
#include <string.h>

/* SystemPoolTagInformation, class 22. */
typedef struct _SYSTEM_POOLTAG {
    ULONG Tag, PagedAllocs, PagedFrees, Pad1;
    SIZE_T PagedUsed;
    ULONG NonPagedAllocs, NonPagedFrees;
    SIZE_T NonPagedUsed;
} SYSTEM_POOLTAG;
_Static_assert(sizeof(SYSTEM_POOLTAG) == 40, "x64 layout");

typedef struct _SYSTEM_POOLTAG_INFORMATION {
    ULONG Count, Pad;
    SYSTEM_POOLTAG Tags[];
} SYSTEM_POOLTAG_INFORMATION;

static NTSTATUS query_performance(PVOID buffer, ULONG length, PULONG ret_length)
{
    SYSTEM_PERFORMANCE_INFORMATION *info = buffer;
    EMU_POOL_COUNTS paged, nonpaged;

    if (ret_length)
        *ret_length = sizeof *info;
    if (length < sizeof *info)
        return STATUS_INFO_LENGTH_MISMATCH;
    EmuPoolCounts(&paged, &nonpaged);
    memset(info, 0, sizeof *info);
    info->PagedPoolUsage = (ULONG)paged.Pages;
    info->NonPagedPoolUsage = (ULONG)nonpaged.Pages;
    info->PagedPoolAllocs = (ULONG)paged.Allocations;
    info->PagedPoolFrees = (ULONG)paged.Frees;
    info->NonPagedPoolAllocs = (ULONG)nonpaged.Allocations;
    info->NonPagedPoolFrees = (ULONG)nonpaged.Frees;
    return STATUS_SUCCESS;
}

static SYSTEM_POOLTAG *find_tag(SYSTEM_POOLTAG *tags, ULONG *count, ULONG tag)
{
    for (ULONG i = 0; i < *count; i++)
        if (tags[i].Tag == tag)
            return &tags[i];
    memset(&tags[*count], 0, sizeof *tags);
    tags[*count].Tag = tag;
    return &tags[(*count)++];
}

static NTSTATUS query_tags(PVOID buffer, ULONG length, PULONG ret_length)
{
    SYSTEM_POOLTAG_INFORMATION *info = buffer;
    EMU_POOL_SNAPSHOT s;
    SYSTEM_POOLTAG *tags;
    ULONG count = 0;
    SIZE_T need;
    NTSTATUS status = EmuPoolTakeSnapshot(&s);

    if (!NT_SUCCESS(status))
        return status;
    tags = calloc(s.Count + 1, sizeof *tags);
    if (!tags) {
        EmuPoolFreeSnapshot(&s);
        return STATUS_NO_MEMORY;
    }
    for (ULONG i = 0; i < s.Count; i++) {
        SYSTEM_POOLTAG *t = find_tag(tags, &count, s.Uses[i].Tag);
        if (s.Uses[i].Paged) {
            t->PagedAllocs += (ULONG)s.Uses[i].Allocations;
            t->PagedFrees += (ULONG)s.Uses[i].Frees;
            t->PagedUsed += (SIZE_T)s.Uses[i].LiveBytes;
        } else {
            t->NonPagedAllocs += (ULONG)s.Uses[i].Allocations;
            t->NonPagedFrees += (ULONG)s.Uses[i].Frees;
            t->NonPagedUsed += (SIZE_T)s.Uses[i].LiveBytes;
        }
    }
    need = sizeof *info + count * sizeof *tags;
    if (ret_length)
        *ret_length = (ULONG)need;
    if (length < need) {
        status = STATUS_INFO_LENGTH_MISMATCH;
    } else {
        info->Count = count;
        info->Pad = 0;
        memcpy(info->Tags, tags, count * sizeof *tags);
    }
    free(tags);
    EmuPoolFreeSnapshot(&s);
    return status;
}

NTSTATUS NTAPI NtQuerySystemInformation(SYSTEM_INFORMATION_CLASS SystemInformationClass, PVOID SystemInformation,
                                        ULONG SystemInformationLength, PULONG ReturnLength)
{
    switch (SystemInformationClass) {
    case SystemPerformanceInformation:
        return query_performance(SystemInformation, SystemInformationLength, ReturnLength);
    case SystemPoolTagInformation:
        return query_tags(SystemInformation, SystemInformationLength, ReturnLength);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}
