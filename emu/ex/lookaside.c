/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lookaside lists: a stack of free blocks under a lock of its own, which is held for two moves. */
#include <ntemu/lookaside.h>
#include <ntemu/wdm.h>

#include <sched.h>
#include <string.h>

static void lock(PGENERAL_LOOKASIDE list)
{
    /* The holder may be a thread that does not run. */
    while (__atomic_exchange_n(&list->ListHead.Lock, 1, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void unlock(PGENERAL_LOOKASIDE list)
{
    __atomic_store_n(&list->ListHead.Lock, 0, __ATOMIC_RELEASE);
}

static void initialize(PGENERAL_LOOKASIDE list, POOL_TYPE type, PALLOCATE_FUNCTION allocate, PFREE_FUNCTION release,
                       ULONG flags, SIZE_T size, ULONG tag)
{
    memset(list, 0, sizeof *list);
    list->Type = type | (POOL_TYPE)(flags & POOL_RAISE_IF_ALLOCATION_FAILURE);
    list->Depth = list->MaximumDepth = EMU_LOOKASIDE_DEPTH;
    list->Size = (ULONG)(size < sizeof(PVOID) ? sizeof(PVOID) : size);
    list->Tag = tag;
    list->Allocate = allocate;
    list->Free = release;
    InitializeListHead(&list->ListEntry);
}

void NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                           PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    initialize(&Lookaside->L, NonPagedPool, Allocate, Free, Flags, Size, Tag);
}

void NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                          PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    initialize(&Lookaside->L, PagedPool, Allocate, Free, Flags, Size, Tag);
}

/* NULL: the list is empty. */
static PVOID pop(PGENERAL_LOOKASIDE list)
{
    PVOID entry;

    lock(list);
    list->TotalAllocates++;
    entry = list->ListHead.First;
    if (entry) {
        memcpy(&list->ListHead.First, entry, sizeof(PVOID));
        list->Blocks--;
    } else {
        list->AllocateMisses++;
    }
    unlock(list);
    return entry;
}

static BOOLEAN push(PGENERAL_LOOKASIDE list, PVOID entry)
{
    BOOLEAN room;

    lock(list);
    list->TotalFrees++;
    room = list->Blocks < list->Depth;
    if (room) {
        memcpy(entry, &list->ListHead.First, sizeof(PVOID));
        list->ListHead.First = entry;
        list->Blocks++;
    } else {
        list->FreeMisses++;
    }
    unlock(list);
    return room;
}

static void release(PGENERAL_LOOKASIDE list, PVOID entry)
{
    if (list->Free)
        list->Free(entry);
    else
        ExFreePoolWithTag(entry, list->Tag);
}

static void empty(PGENERAL_LOOKASIDE list)
{
    PVOID entry;

    while ((entry = pop(list)))
        release(list, entry);
}

void NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    empty(&Lookaside->L);
}

void NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    empty(&Lookaside->L);
}

PVOID NTAPI EmuAllocateFromLookasideList(PGENERAL_LOOKASIDE Lookaside, EMU_POOL_SITE *Site)
{
    POOL_TYPE type = Lookaside->Type & ~(POOL_TYPE)POOL_RAISE_IF_ALLOCATION_FAILURE;
    PVOID entry = pop(Lookaside);

    if (!entry && Lookaside->Allocate)
        entry = Lookaside->Allocate(type, Lookaside->Size, Lookaside->Tag);
    else if (!entry)
        entry = EmuPoolAllocateAt_(type, Lookaside->Size, Lookaside->Tag, Site);
    if (!entry && Lookaside->Type & POOL_RAISE_IF_ALLOCATION_FAILURE)
        KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_INSUFFICIENT_RESOURCES, (ULONG_PTR)Site, 0, 0);
    return entry;
}

void NTAPI EmuFreeToLookasideList(PGENERAL_LOOKASIDE Lookaside, PVOID Entry)
{
    if (!push(Lookaside, Entry))
        release(Lookaside, Entry);
}
