/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookaside.h - lists of free blocks of one size, in front of the pool. Documented: WDK (wdm.h, ExInitialize-
 * NPagedLookasideList and its siblings); layout of x64.
 *
 * A block on a list is live in the pool's eyes, as on NT: it is counted for the call site that allocated it, until the
 * list is deleted. NT tunes a list's depth between 4 and 256 as time goes by; here it is EMU_LOOKASIDE_DEPTH.
 */
#ifndef NTEMU_LOOKASIDE_H
#define NTEMU_LOOKASIDE_H

#include <ntemu/pool.h>

#define EMU_LOOKASIDE_DEPTH 32

typedef PVOID(NTAPI *PALLOCATE_FUNCTION)(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef void(NTAPI *PFREE_FUNCTION)(PVOID Buffer);

typedef struct DECLSPEC_ALIGN(64) _GENERAL_LOOKASIDE {
    struct {
        PVOID First; /* each free block begins with the address of the next */
        LONG Lock;
        ULONG Pad;
    } ListHead;
    USHORT Depth;
    USHORT MaximumDepth;
    ULONG TotalAllocates;
    ULONG AllocateMisses;
    ULONG TotalFrees;
    ULONG FreeMisses;
    POOL_TYPE Type;
    ULONG Tag;
    ULONG Size;
    PALLOCATE_FUNCTION Allocate;
    PFREE_FUNCTION Free;
    LIST_ENTRY ListEntry;
    ULONG LastTotalAllocates;
    ULONG LastAllocateMisses;
    ULONG Blocks; /* on the list */
    ULONG Future;
} GENERAL_LOOKASIDE, *PGENERAL_LOOKASIDE;
_Static_assert(sizeof(GENERAL_LOOKASIDE) == 128, "GENERAL_LOOKASIDE of x64");

typedef struct _NPAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} NPAGED_LOOKASIDE_LIST, *PNPAGED_LOOKASIDE_LIST;

typedef struct _PAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} PAGED_LOOKASIDE_LIST, *PPAGED_LOOKASIDE_LIST;

/*
 * ExInitializeNPagedLookasideList - an empty list. The structure is the caller's, nonpaged, until ExDelete...
 *   Allocate, Free  the caller's own routines, or NULL for the pool's
 *   Flags    POOL_RAISE_IF_ALLOCATION_FAILURE (16): a failure is bug check 0x1E, as nobody can handle the exception
 *   Size     bytes of a block, at least that of a pointer; less is made that
 *   Depth    reserved: 0
 *   IRQL     <= DISPATCH_LEVEL; <= APC_LEVEL for a paged list
 */
#define POOL_RAISE_IF_ALLOCATION_FAILURE 16
void NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                           PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth);
void NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                          PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth);
/* Frees what is on the list. What its user has out stays the user's to free, with ExFreePool or Free. IRQL as above. */
void NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside);
void NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside);

/* From the list, or else from the pool; NULL when that is empty. IRQL as above. */
PVOID NTAPI EmuAllocateFromLookasideList(PGENERAL_LOOKASIDE Lookaside, EMU_POOL_SITE *Site);
/* To the list, or to the pool if the list is as long as it may be. */
void NTAPI EmuFreeToLookasideList(PGENERAL_LOOKASIDE Lookaside, PVOID Entry);

#define ExAllocateFromNPagedLookasideList(Lookaside)  EmuAllocateFromLookasideList(&(Lookaside)->L, EMU_POOL_SITE_HERE)
#define ExAllocateFromPagedLookasideList(Lookaside)   EmuAllocateFromLookasideList(&(Lookaside)->L, EMU_POOL_SITE_HERE)
#define ExFreeToNPagedLookasideList(Lookaside, Entry) EmuFreeToLookasideList(&(Lookaside)->L, Entry)
#define ExFreeToPagedLookasideList(Lookaside, Entry)  EmuFreeToLookasideList(&(Lookaside)->L, Entry)

#endif
