/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - the tracked pool: NT's Ex* pool routines, and what the emulation adds to look into it.
 *
 * Exact, never sampled: every live block has its tag, size, type and call site. Two counts that are never mixed:
 *   bytes   what callers asked for (NumberOfBytes), by tag and by call site
 *   pages   what the pool itself has been granted, 4,096 bytes each: this is Pool Paged Bytes, and this is what a
 *           limit refuses
 *
 * The routines are macros over *Site functions so that the call site is captured statically; &ExAllocatePoolWithTag
 * and a parenthesised call still reach the function, whose call site is its caller's return address.
 */
#ifndef NTEMU_POOL_H
#define NTEMU_POOL_H

#include <ntemu/nt.h>

/* Documented values (wdm.h of the DDK; NonPagedPoolMustSucceed exists on NT 4.0). */
typedef enum _POOL_TYPE {
    NonPagedPool = 0,
    PagedPool = 1,
    NonPagedPoolMustSucceed = 2,
    DontUseThisType = 3,
    NonPagedPoolCacheAligned = 4,
    PagedPoolCacheAligned = 5,
    NonPagedPoolCacheAlignedMustS = 6,
    MaxPoolType = 7
} POOL_TYPE;

/* A tag as it reads in poolmon: POOL_TAG('R','d','C','n') is the DDK's 'nCdR'. */
#define POOL_TAG(a, b, c, d)                                                                                           \
    ((ULONG)(UCHAR)(a) | (ULONG)(UCHAR)(b) << 8 | (ULONG)(UCHAR)(c) << 16 | (ULONG)(UCHAR)(d) << 24)

#define POOL_TAG_NONE POOL_TAG('N', 'o', 'n', 'e') /* what ExAllocatePool gives; documented: pooltag.txt */

/* A place in the source that allocates. Static storage, one per place; Id is the pool's own (0: not met yet). */
typedef struct _EMU_POOL_SITE {
    const char *File;
    const char *Function;
    ULONG Line;
    ULONG Id;
} EMU_POOL_SITE;

#define EMU_POOL_SITE_HERE                                                                                             \
    __extension__({                                                                                                    \
        static EMU_POOL_SITE Site_ = {__FILE__, __func__, __LINE__, 0};                                                \
        &Site_;                                                                                                        \
    })

/*
 * ExAllocatePoolWithTag - a block of at least NumberOfBytes.
 *   IRQL     <= DISPATCH_LEVEL for nonpaged, <= APC_LEVEL for paged pool (documented: DDK); otherwise bug check
 *            0xC2/0x8.
 *   Aligned  16 bytes; a page if NumberOfBytes >= PAGE_SIZE (documented: DDK, sizes of x64).
 *   Returns  NULL when the pool's limit is reached (an event 2019 or 2020 is then written, our guess of when) or the
 *            host is out of memory; a must-succeed type bug checks 0x41 instead. NumberOfBytes 0 bug checks 0xC2/0x0.
 *   Owned    by the caller: ExFreePoolWithTag, at any IRQL that may allocate.
 */
PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes);

/*
 * ExFreePoolWithTag - gives a block back. A second free bug checks 0xC2/0x7, a wrong tag 0xC2/0xA, an address that no
 * pool handed out 0xC2/0x46 (0x41286 inside a live block). Tag 0 accepts any tag, as ExFreePool does.
 */
void NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag);
void NTAPI ExFreePool(PVOID P);

PVOID NTAPI EmuAllocatePoolWithTagSite(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EMU_POOL_SITE *Site);

#define ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag)                                                            \
    EmuAllocatePoolWithTagSite(PoolType, NumberOfBytes, Tag, EMU_POOL_SITE_HERE)
#define ExAllocatePool(PoolType, NumberOfBytes)                                                                        \
    EmuAllocatePoolWithTagSite(PoolType, NumberOfBytes, POOL_TAG_NONE, EMU_POOL_SITE_HERE)

/* Use of one pool, exact whenever no other thread is inside the pool. */
typedef struct _EMU_POOL_COUNTS {
    ULONG64 Allocations, Frees; /* since boot, successful ones */
    ULONG64 Failures;           /* allocations refused */
    ULONG64 LiveBlocks, LiveBytes, PeakBytes;
    ULONG64 Pages, PeakPages, LimitPages;
} EMU_POOL_COUNTS;

/* Use by one (tag, call site) of one pool. */
typedef struct _EMU_POOL_USE {
    ULONG Tag;
    BOOLEAN Paged;
    const EMU_POOL_SITE *Site;
    ULONG64 Allocations, Frees;
    LONG64 LiveBlocks, LiveBytes; /* signed: a difference of snapshots may be negative */
} EMU_POOL_USE;

typedef struct _EMU_POOL_SNAPSHOT {
    EMU_POOL_COUNTS Paged, NonPaged;
    EMU_POOL_USE *Uses; /* Count of them, host memory; NULL if Count is 0 */
    ULONG Count;
} EMU_POOL_SNAPSHOT;

/* The two pools' totals. Cheap: no block is visited. */
void EmuPoolCounts(EMU_POOL_COUNTS *Paged, EMU_POOL_COUNTS *NonPaged);

/*
 * EmuPoolTakeSnapshot - use by (tag, site), for all that ever allocated. Free with EmuPoolFreeSnapshot.
 *   Returns STATUS_SUCCESS, STATUS_NO_MEMORY (of the host).
 */
NTSTATUS EmuPoolTakeSnapshot(EMU_POOL_SNAPSHOT *Snapshot);

/*
 * EmuPoolCompare - what changed from Before to After, rows without any change left out, largest LiveBytes first:
 * "this call kept 328 bytes at rdr/create.c:212".
 */
NTSTATUS EmuPoolCompare(const EMU_POOL_SNAPSHOT *Before, const EMU_POOL_SNAPSHOT *After, EMU_POOL_SNAPSHOT *Difference);
void EmuPoolFreeSnapshot(EMU_POOL_SNAPSHOT *Snapshot);

/*
 * EmuPoolVisit - calls Visitor for every live block, in no particular order, with the pool locked: the visitor must
 * not use the pool. Stops when it returns FALSE.
 */
typedef BOOLEAN EMU_POOL_VISITOR(PVOID Context, PVOID Block, SIZE_T NumberOfBytes, ULONG Tag, BOOLEAN Paged,
                                 const EMU_POOL_SITE *Site);
void EmuPoolVisit(EMU_POOL_VISITOR *Visitor, PVOID Context);

/*
 * EmuPoolFailAllocations - let the Nth allocation from now on (1 is the next), and Times - 1 after it, be refused as if
 * the pool were empty. Must-succeed types are spared. Times 0 ends it. For fault loops: N = 1, 2, 3, ... until
 * EmuPoolFailedAllocations says that none was reached.
 */
void EmuPoolFailAllocations(ULONG64 Nth, ULONG64 Times);
ULONG64 EmuPoolFailedAllocations(void);

/* "rdr/create.c" out of a compiler's idea of the path: relative to the source tree of the emulator. */
const char *EmuPoolSiteFile(const EMU_POOL_SITE *Site);

#endif
