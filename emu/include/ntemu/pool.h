/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - the tracked pool: NT's Ex* pool routines, and what the emulation adds to look into it.
 *
 * Exact, never sampled: every live block has its tag, size, pool and call site. Two counts that are never mixed:
 *   bytes   what callers asked for (NumberOfBytes), by tag and by call site; beside them the bytes that blocks take
 *   pages   what the pool itself has been granted, 4,096 bytes each: this is Pool Paged Bytes, and this is what a
 *           limit refuses
 *
 * The routines are macros over inline functions so that the call site is captured statically; &ExAllocatePoolWithTag
 * and a parenthesised call still reach the function, whose call site is its caller's return address. A block may be
 * freed by any thread. docs/pool.md explains the inside.
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

/* A place in the source that allocates. Static storage, one per place. */
typedef struct _EMU_POOL_SITE {
    const char *File;
    const char *Function;
    ULONG Line;
    ULONG64 Word_; /* the pool's own: tag << 32 | use << 13 | paged << 12 of the last allocation from here */
    ULONG64 Use_;  /* ditto: the use; written after Word_, read before it */
} EMU_POOL_SITE;

#define EMU_POOL_SITE_HERE                                                                                             \
    __extension__({                                                                                                    \
        static EMU_POOL_SITE Site_ = {__FILE__, __func__, __LINE__, 0, 0};                                             \
        &Site_;                                                                                                        \
    })

/*
 * ExAllocatePoolWithTag - a block of at least NumberOfBytes.
 *   Tag      four characters, at least one of them a letter or a digit. Bug check 0xC2 otherwise: 0x9B for tag 0, 0x9C
 *            for 'BIG ', 0x9D for the rest (documented: Bug Check 0xC2; later than NT 4.0). Looked at where a call site
 *            is met first.
 *   IRQL     <= DISPATCH_LEVEL for nonpaged, <= APC_LEVEL for paged pool (documented: DDK); otherwise bug check
 *            0xC2/0x8.
 *   Aligned  16 bytes; a page if NumberOfBytes >= PAGE_SIZE (documented: DDK, sizes of x64); 64 bytes for a cache
 *            aligned type. A smaller block may cross a page boundary, which NT's never do.
 *   Returns  NULL when the pool's limit is reached (an event 2019 or 2020 is then written, our guess of when) or the
 *            host is out of memory; a must-succeed type bug checks 0x41 instead. NumberOfBytes 0 bug checks 0xC2/0x0.
 *   Owned    by the caller: ExFreePoolWithTag, at any IRQL that may allocate.
 * ExAllocatePool gives the tag 'None' (documented: pooltag.txt).
 */
PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes);

/*
 * ExAllocatePoolWithQuotaTag - the same, charged to the current process's pool quota until it is freed.
 *   PoolType with POOL_QUOTA_FAIL_INSTEAD_OF_RAISE: NULL when the quota (STATUS_QUOTA_EXCEEDED) or the pool
 *   (STATUS_INSUFFICIENT_RESOURCES) does not allow it. Without it NT raises that status; as nobody can handle an
 *   exception here, it is what an unhandled one is in kernel mode: bug check 0x1E (status, caller, 0, 0).
 *   The System process is never charged (documented: DDK, of system threads).
 */
#define POOL_QUOTA_FAIL_INSTEAD_OF_RAISE 8
PVOID NTAPI ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
PVOID NTAPI ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes);

/*
 * ExAllocatePool2 - the form of Windows 10: zeroed unless POOL_FLAG_UNINITIALIZED; NULL on failure unless
 * POOL_FLAG_RAISE_ON_FAILURE (bug check 0x1E as above). Exactly one of the pool flags; otherwise, or with a flag that
 * is not listed here, NULL (documented: STATUS_INVALID_PARAMETER where it raises). Documented: ExAllocatePool2.
 */
typedef ULONG64 POOL_FLAGS;
#define POOL_FLAG_USE_QUOTA         0x01ull
#define POOL_FLAG_UNINITIALIZED     0x02ull
#define POOL_FLAG_CACHE_ALIGNED     0x08ull
#define POOL_FLAG_RAISE_ON_FAILURE  0x20ull
#define POOL_FLAG_NON_PAGED         0x40ull
#define POOL_FLAG_NON_PAGED_EXECUTE 0x80ull
#define POOL_FLAG_PAGED             0x100ull
PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

/*
 * ExFreePoolWithTag - gives a block back. Bug checks: 0xC2/0x7 a second free, 0xC2/0xA a wrong tag, 0xC2/0x46 an
 * address that no pool handed out, 0xC2/0x41286 one inside a block, 0xC2/0x9 the IRQL is too high, 0x19/0x20 a header
 * that was written over. Tag 0 accepts any tag, as ExFreePool does.
 */
void NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag);
void NTAPI ExFreePool(PVOID P);

#include <ntemu/poolfast.h>

/* A sanitizer is to see each call of the pool as a call; so is whoever defines EMU_POOL_NO_INLINE. */
#if !defined(EMU_POOL_ADDRESS_SANITIZED_) && !defined(EMU_POOL_THREAD_SANITIZED_) && !defined(EMU_POOL_NO_INLINE)
#define EMU_POOL_ALLOCATE_(PoolType, NumberOfBytes, Tag)                                                               \
    EmuPoolAllocate_(PoolType, NumberOfBytes, Tag, EMU_POOL_SITE_HERE, EMU_POOL_SETTLED_(PoolType, Tag))
#define EMU_POOL_RELEASE_ EmuPoolFree_
#else
#define EMU_POOL_ALLOCATE_(PoolType, NumberOfBytes, Tag)                                                               \
    EmuPoolAllocateAt_(PoolType, NumberOfBytes, Tag, EMU_POOL_SITE_HERE)
#define EMU_POOL_RELEASE_ EmuPoolFreeAt_
#endif

#define ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag) EMU_POOL_ALLOCATE_(PoolType, NumberOfBytes, Tag)
#define ExAllocatePool(PoolType, NumberOfBytes)             EMU_POOL_ALLOCATE_(PoolType, NumberOfBytes, POOL_TAG_NONE)
#define ExFreePoolWithTag(P, Tag)                           EMU_POOL_RELEASE_(P, Tag)
#define ExFreePool(P)                                       EMU_POOL_RELEASE_(P, 0)

/*
 * Use of one pool. Exact whenever no other thread is inside the pool; while others work, each thread's part is.
 */
typedef struct _EMU_POOL_COUNTS {
    ULONG64 Allocations, Frees; /* since boot, successful ones */
    ULONG64 Failures;           /* allocations refused */
    ULONG64 LiveBlocks;
    ULONG64 LiveBytes;      /* asked for */
    ULONG64 LiveBlockBytes; /* taken by the blocks, rounding and headers inside them included */
    ULONG64 PeakBytes; /* the most LiveBytes there was whenever pages were granted beyond any before, or one looked */
    ULONG64 Pages, PeakPages, LimitPages; /* free blocks' pages are granted as well: EmuPoolTrim */
    ULONG64 TrimPages; /* NT begins to trim at 80 % of the limit (documented for paged pool: Q304101) */
    ULONG64 Trims;     /* how often Pages went above that */
} EMU_POOL_COUNTS;

#define EMU_POOL_STACK_FRAMES 8

/* Return addresses, the innermost first. Lives as long as the process. */
typedef struct _EMU_POOL_STACK {
    ULONG Depth;
    PVOID Frames[EMU_POOL_STACK_FRAMES];
} EMU_POOL_STACK;

/* Use by one (tag, call site, stack) of one pool. */
typedef struct _EMU_POOL_USE {
    ULONG Number; /* of this use, as long as the process lives */
    ULONG Tag;
    BOOLEAN Paged;
    BOOLEAN PeakIsExact;         /* FALSE: several threads took part, and PeakBytes was looked at now and then only */
    const EMU_POOL_SITE *Site;   /* lives as long as the process, also if the module that allocated does not */
    const EMU_POOL_STACK *Stack; /* NULL unless stacks are kept: EmuPoolTrack */
    ULONG64 Allocations, Frees;
    LONG64 LiveBlocks, LiveBytes, LiveBlockBytes; /* signed: a difference of snapshots may be negative */
    ULONG64 PeakBlocks, PeakBytes;                /* when LiveBlockBytes was the most since boot */
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

#define EMU_POOL_AGE_UNKNOWN (~(ULONG64)0)

/* A live block. */
typedef struct _EMU_POOL_BLOCK {
    PVOID Address;
    SIZE_T NumberOfBytes; /* asked for */
    SIZE_T BlockBytes;    /* taken */
    ULONG Tag;
    BOOLEAN Paged;
    const EMU_POOL_SITE *Site;
    const EMU_POOL_STACK *Stack; /* as in EMU_POOL_USE */
    ULONG64 Age;                 /* allocations there were since; EMU_POOL_AGE_UNKNOWN unless ages are kept */
} EMU_POOL_BLOCK;

/*
 * EmuPoolVisit - calls Visitor for every live block, in no particular order. The visitor must not use the pool, and
 * Block is its only for the call. Stops when it returns FALSE. Exact whenever no other thread is inside the pool.
 *   IRQL     <= APC_LEVEL: it reads paged pool.
 */
typedef BOOLEAN EMU_POOL_VISITOR(PVOID Context, const EMU_POOL_BLOCK *Block);
void EmuPoolVisit(EMU_POOL_VISITOR *Visitor, PVOID Context);

/* EmuPoolFind - the live block that contains Address. FALSE: there is none. IRQL as for EmuPoolVisit. */
BOOLEAN EmuPoolFind(PVOID Address, EMU_POOL_BLOCK *Block);

/*
 * EmuPoolTrim - brings the free blocks of the calling thread's lists, and those that threads passed on, back to their
 * slabs, and the pages of empty slabs back to the pool. Other threads' lists stay: at most 64 blocks of each size,
 * twice.
 */
void EmuPoolTrim(void);

/*
 * EmuPoolTrack - what is kept of each allocation from now on besides the call site. Returns the flags before.
 *   EMU_POOL_TRACK_STACKS  who called, by frame pointers (build with -fno-omit-frame-pointer); a use is then one stack
 *   EMU_POOL_TRACK_AGES    when, in allocations; takes 24 bytes more a block
 */
#define EMU_POOL_TRACK_STACKS 1u
#define EMU_POOL_TRACK_AGES   2u
ULONG EmuPoolTrack(ULONG Flags);

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
