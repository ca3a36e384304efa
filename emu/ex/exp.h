/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exp.h - inside the pool. From the ground up:
 *   arena.c     one range of address space per pool, pages charged against its limit
 *   runs.c      whole pages, for blocks of a page and more
 *   slabs.c     16 KiB cut into blocks of one size; chains of free blocks on their way between threads
 *   uses.c      who allocates: one number per (tag, pool, call site, stack), and the sums for each
 *   snapshot.c  the sums, looked at
 *   stacks.c    who called, by frame pointers
 *   threads.c   a thread's lists and sums from its first call to its end; the way to the slow path and back
 *   allocate.c  NT's entry points with their rules,
 *   free.c      where the fast path ends
 *   pool.c      the pool's life and its options
 *   visit.c     live blocks, one by one
 *   tracep.h    the trace of a call
 *   special.c   special pool
 *   verifier.c  Driver Verifier; its options as text in verifiertext.c, bug checks as text in bugreport.c
 *   checkers.c  what AddressSanitizer and memcheck are told
 *
 * Locks, in the order they are taken: the list of threads; then a class of slabs, or the uses; then an arena. A thread
 * at DISPATCH_LEVEL takes none that somebody holds who may touch paged pool, but for the paged pool's own.
 */
#ifndef NTEMU_EX_EXP_H
#define NTEMU_EX_EXP_H

#include <ntemu/wdm.h>
#include <pthread.h>

typedef struct _EXP_THREAD EXP_THREAD;

/* ---- arena.c ---- */

/*
 * The pools share 8 GiB of addresses, beginning at a multiple of 4, so that the low 32 bits of an address tell a block:
 *   0  nonpaged, header inside    4  nonpaged, header outside    5  nonpaged, runs of pages
 *   2  paged, header inside       6  paged, header outside       7  paged, runs of pages
 * An offset counts from there.
 */
#define EXP_HALF          ((ULONG_PTR)1 << 32) /* where headers begin to lie outside */
#define EXP_SPAN          (2 * EXP_HALF)
#define EXP_SLAB_SHIFT    14
#define EXP_SLAB_BYTES    (1u << EXP_SLAB_SHIFT)
#define EXP_SLAB_PAGES    (EXP_SLAB_BYTES / PAGE_SIZE)
#define EXP_RUNS_BYTES    ((ULONG_PTR)1 << 30)
#define EXP_RUN_PAGES     ((ULONG)(EXP_RUNS_BYTES / PAGE_SIZE))
#define EXP_NONE          0xffffffffu
#define EXP_LARGEST_LIMIT (EXP_HALF / 2) /* of a pool; each of its three regions may end before that */

typedef struct _EXP_SLAB {
    ULONG Free;        /* low half of the first free block's address; 0: none */
    ULONG Next, Prev;  /* slabs of the class that have a free block; free slabs: Next */
    USHORT FreeBlocks; /* free ones: those on Free, and those never used */
    USHORT Fresh;      /* blocks from this one on were never used */
    UCHAR Class;       /* 0: the slab is free */
} EXP_SLAB;

typedef struct _EXP_RUN { /* of a page in the region of runs; a run's first and last page */
    ULONG Pages;          /* in the run */
    ULONG Next, Prev;     /* free runs of like length; indices into Runs */
    ULONG Use;            /* live runs */
    UCHAR State;          /* EXP_RUN_* */
    SIZE_T Bytes;         /* live runs: asked for */
    ULONG64 Stamp;        /* live runs: EXP_TRAILER.Stamp */
    PEPROCESS Charged;    /* live runs: EXP_TRAILER.Charged */
} EXP_RUN;

enum { EXP_RUN_NEVER, EXP_RUN_FREE, EXP_RUN_LIVE, EXP_RUN_TAIL };
#define EXP_RUN_BINS 64

typedef struct _EXP_ARENA {
    pthread_mutex_t Lock; /* guards all below, but for what is in a live run */
    BOOLEAN Paged;
    ULONG64 Pages, PeakPages, LimitPages, TrimPages, Trims;
    EXP_RUN *Runs;           /* EXP_RUN_PAGES of them */
    ULONG FreeSlabs[2];      /* with the header inside, outside */
    ULONG SlabFrontier[2];   /* slabs from here on were never used; a slab's number is its offset by its size */
    ULONG SlabPopulated[2];  /* slabs from here on have no memory yet */
    ULONG ResidentFreeSlabs; /* free slabs that still have memory */
    ULONG RunFrontier;
    ULONG RunBins[EXP_RUN_BINS];
    ULONG64 RunBinMap; /* which bins have a run */
} EXP_ARENA;

extern EXP_ARENA ExpArenas[2]; /* nonpaged, paged */
extern ULONG_PTR ExpBase;      /* of both, kept as long as the process lives; 0 before */
extern ULONG_PTR ExpShadow;
extern EXP_SLAB *ExpSlabs; /* of both, by number */

static inline ULONG ExpFirstSlab(const EXP_ARENA *Arena, BOOLEAN Outside)
{
    return (ULONG)((Outside ? EXP_HALF : 0) >> EXP_SLAB_SHIFT) + (Arena->Paged ? 0x80000000u >> EXP_SLAB_SHIFT : 0);
}

static inline ULONG ExpEndOfSlabs(const EXP_ARENA *Arena, BOOLEAN Outside)
{
    return ExpFirstSlab(Arena, Outside) + (ULONG)((Outside ? EXP_RUNS_BYTES : EXP_HALF / 2) >> EXP_SLAB_SHIFT);
}

static inline PVOID ExpSlabAddress(ULONG Slab)
{
    return (PVOID)(ExpBase + ((ULONG_PTR)Slab << EXP_SLAB_SHIFT));
}

static inline ULONG_PTR ExpRunsBase(const EXP_ARENA *Arena)
{
    return ExpBase + EXP_HALF + EXP_RUNS_BYTES + (Arena->Paged ? EXP_HALF / 2 : 0);
}

NTSTATUS ExpOpenArenas(SIZE_T PagedLimit, SIZE_T NonPagedLimit); /* STATUS_NO_MEMORY, STATUS_INVALID_PARAMETER */
void ExpCloseArenas(void);
/* With the arena's lock. FALSE: over the limit. */
BOOLEAN ExpChargePages(EXP_ARENA *Arena, ULONG64 Pages);
void ExpReturnPages(EXP_ARENA *Arena, ULONG64 Pages);
/* A free slab, charged, its memory there; EXP_NONE: the limit, or the region is used up. */
ULONG ExpTakeSlab(EXP_ARENA *Arena, BOOLEAN Outside);
void ExpReturnSlab(EXP_ARENA *Arena, ULONG Slab);
/* All of paged pool's addresses, but for the headers outside: out of reach, or back. */
void ExpProtectPagedPool(BOOLEAN OutOfReach);

/* ---- runs.c ---- */

PVOID ExpAllocateRun(EXP_ARENA *Arena, SIZE_T Bytes, ULONG Use);
EXP_RUN *ExpRunOf(EXP_ARENA *Arena, PVOID P); /* the entry of the page that P is in */
void ExpFreeRun(EXP_ARENA *Arena, PVOID P);

/* ---- slabs.c ---- */

/* Sizes of blocks. Index: a list's, without the pool. */
typedef struct _EXP_CLASS {
    ULONG BlockBytes; /* 0: no class has this number */
    ULONG Capacity;   /* blocks in a slab */
    ULONG Batch;      /* blocks in a chain */
    BOOLEAN Outside;
} EXP_CLASS;

extern EXP_CLASS ExpClasses[EMU_POOL_LISTS_];
extern ULONG ExpClassEnd;     /* no class from here on; 0 before ExpMakeClasses */
extern UCHAR ExpClassOf[256]; /* as EMU_POOL_THREAD_.Class */

typedef struct _EXP_CHAIN {
    ULONG Head;
    ULONG Blocks;
} EXP_CHAIN;

void ExpMakeClasses(void);
void ExpForgetSlabs(void); /* of both arenas, when they are closed */
/* A chain of at most Batch free blocks; Blocks 0: the limit is reached. */
EXP_CHAIN ExpTakeChain(EXP_ARENA *Arena, ULONG Class);
void ExpGiveChain(EXP_ARENA *Arena, ULONG Class, EXP_CHAIN Chain, BOOLEAN ToSlabs);
void ExpTrimChains(EXP_ARENA *Arena);

/* The header of the block at an offset: what the fast path calls Word, and the link or address. */
static inline ULONG *ExpHeaderOf(ULONG_PTR Offset)
{
    return (ULONG *)(Offset >= EXP_HALF ? ExpShadow + (ULONG_PTR)((ULONG)Offset >> 8) * 8 : ExpBase + Offset - 8);
}

static inline ULONG_PTR ExpOffsetOf(ULONG Low, BOOLEAN Outside)
{
    return (Outside ? EXP_HALF : 0) | Low;
}

/* Of a slab's first block. */
static inline ULONG_PTR ExpFirstBlock(ULONG Slab)
{
    ULONG_PTR offset = (ULONG_PTR)Slab << EXP_SLAB_SHIFT;
    return offset + (offset < EXP_HALF ? 16 : 0);
}

/* ---- uses.c ---- */

#define EXP_USES EMU_POOL_USES_

typedef struct _EXP_SUMS {
    ULONG64 Blocks, BlockBytes, Bytes;
} EXP_SUMS;

typedef struct _EXP_USE {
    ULONG Tag;
    BOOLEAN Paged;
    const EMU_POOL_SITE *Site; /* a copy, strings too: the module may be unloaded */
    const EMU_POOL_STACK *Stack;
    ULONG HashNext;
    /* Since boot; guarded by the lock of the uses. What living threads did is not in here. */
    EXP_SUMS Allocated, Freed;
    EXP_SUMS PeakOfGone; /* the most that a thread which ended had live */
    EXP_SUMS PeakSeen;   /* the most that was live at a look */
    ULONG GoneThreads;   /* threads that took part and ended */
} EXP_USE;

/*
 * The number of the use, made on first sight. Identity tells sites apart: the EMU_POOL_SITE, or a return address, for
 * which Site is NULL. 0 is never one; when numbers run out all the rest is one use, 'Ovfl', as NT names it.
 */
ULONG ExpFindUse(ULONG Tag, BOOLEAN Paged, const void *Identity, const EMU_POOL_SITE *Site,
                 const EMU_POOL_STACK *Stack);
EXP_USE *ExpUse(ULONG Number);
ULONG ExpUseCount(void); /* numbers below this are in use, from 1 on */
void ExpForgetSums(void);
void ExpLockUses(void);
void ExpUnlockUses(void);

/* Allocated[0]: negative, so that the first allocation of a place is noticed. */
#define EXP_NEVER_ALLOCATED ((ULONG64)1 << 63)

/* What a word of Allocated says. */
static inline EXP_SUMS ExpUnpack(ULONG64 Word)
{
    return (EXP_SUMS){Word >> 24 & 0xfffff, (Word >> 44) * 16, Word & 0xffffff};
}

/* Brings the words of a use to its own sums, and begins again. */
void ExpSpill(EXP_THREAD *Thread, ULONG Use);
/* Counts one block for the thread. */
void ExpCount(EXP_THREAD *Thread, ULONG Use, SIZE_T Bytes, SIZE_T BlockBytes, BOOLEAN Freed);
/* What one thread did for one use since boot, its spilled sums included. With the lock of the uses. */
typedef struct _EXP_PART {
    EXP_SUMS Allocated, Freed, Peak;
    BOOLEAN TookPart;
} EXP_PART;
EXP_PART ExpPartOf(const EXP_THREAD *Thread, ULONG Use);
/* With the lock of the uses: a thread that ends leaves its part to the uses. */
void ExpInheritParts(EXP_THREAD *Thread);

/* ---- snapshot.c ---- */

void ExpNotePeaks(void); /* more pages are granted than at any time before; no locks held */
void ExpCountFailure(BOOLEAN Paged);
void ExpForgetPeaks(void);

/* ---- stacks.c ---- */

/*
 * The return addresses from Frame on, by the chain of frame pointers. Frames lie between Frame and StackEnd; the walk
 * ends where the chain does. The same stack and Hash have the same address, as long as the process lives. NULL: the
 * host is out of memory.
 */
const EMU_POOL_STACK *ExpInternStack(const ULONG_PTR *Frame, ULONG_PTR StackEnd, ULONG64 Hash);

/* ---- threads.c ---- */

typedef struct _EXP_STACK_CACHE {
    ULONG64 Key;
    ULONG64 Word;
} EXP_STACK_CACHE;
#define EXP_STACK_CACHE_SIZE 4096u

/* What a thread did for a use before its words were last brought here; with the lock of the uses. */
typedef struct _EXP_SPILLED {
    EXP_SUMS Allocated, Freed, Peak;
} EXP_SPILLED;

struct _EXP_THREAD {
    EXP_THREAD *Next, *Prev;              /* the list of threads */
    EMU_POOL_THREAD_ **Pointer, **Freer;  /* the thread's EmuPoolThread_ and EmuPoolFreer_ */
    ULONG_PTR StackEnd;                   /* frames lie below */
    EXP_CHAIN Spare[2 * EMU_POOL_LISTS_]; /* a second list of each size, full */
    EXP_STACK_CACHE *Stacks;              /* EXP_STACK_CACHE_SIZE of them, made when stacks are kept */
    EMU_POOL_THREAD_ Fast;
    EXP_SPILLED Spilled[EMU_POOL_USES_];
};

/* Why threads are to come to the slow path. */
enum {
    EXP_SLOW_FAILURES = 1, /* EmuPoolFailAllocations */
    EXP_SLOW_STACKS = 2,
    EXP_SLOW_AGES = 4,
    EXP_SLOW_CHECKER = 8, /* a memory checker watches */
    EXP_SLOW_VERIFIER = 16,
    EXP_SLOW_CLOSED = 32, /* no machine runs */
};
extern ULONG ExpSlow_;
static inline ULONG ExpSlowReasons(void)
{
    return __atomic_load_n(&ExpSlow_, __ATOMIC_RELAXED);
}
void ExpSetSlow(ULONG Reason, BOOLEAN On);
void ExpGoSlow(void);                   /* the calling thread alone: it traces */
EXP_THREAD *ExpKnownThread(void);       /* NULL: not met before */
EXP_THREAD *ExpCurrentThread(void);     /* NULL: the host is out of memory */
void ExpBackToFast(EXP_THREAD *Thread); /* if nothing speaks against it */
/* Fills the list, whose Head is 0. FALSE: the limit is reached. */
BOOLEAN ExpFillList(EXP_THREAD *Thread, EMU_POOL_LIST_ *List);
static inline EMU_POOL_LIST_ *ExpListOf(EXP_THREAD *Thread, BOOLEAN Paged, ULONG Class)
{
    return &Thread->Fast.Lists[Paged * EMU_POOL_LISTS_ + Class];
}
void ExpEmptyLists(EXP_THREAD *Thread); /* above APC_LEVEL only those of nonpaged pool */
void ExpLockThreads(void);
void ExpUnlockThreads(void);
/* Calls Visit for each living thread; with the list's lock. */
void ExpForEachThread(void (*Visit)(EXP_THREAD *Thread, void *Context), void *Context);
EXP_STACK_CACHE *ExpMakeStackCache(void);
void ExpForgetThreads(void); /* their lists and counters, when the arenas are closed */

/* ---- checkers.c ---- */

BOOLEAN ExpIsWatched(void);
/* What no slab or run has been made of is nobody's: memcheck would look for pointers in all 8 GiB of it. */
void ExpTellReserved(void);
void ExpTellGranted(PVOID P, SIZE_T Bytes);
void ExpTellAllocated(PVOID P, SIZE_T Bytes, SIZE_T BlockBytes);
void ExpTellTrailer(PVOID Trailer, SIZE_T Bytes); /* the pool is going to write it */
void ExpTellFreed(PVOID P, SIZE_T Bytes, SIZE_T BlockBytes);
void ExpTellClosed(void);

/* ---- allocate.c, free.c, pool.c ---- */

/* A bug check to raise; Code 0 is none. */
typedef struct _EXP_STOP {
    ULONG Code;
    ULONG_PTR P1, P2, P3, P4;
} EXP_STOP;

/* A block whose mark is EXP_LIVE_SLOW has this behind it; its free comes to the slow path. */
typedef struct _EXP_TRAILER {
    ULONG64 Stamp;     /* allocations before it; EMU_POOL_AGE_UNKNOWN */
    PEPROCESS Charged; /* whose quota; NULL: nobody's */
    ULONG64 Check;     /* ExpTrailerCheck */
} EXP_TRAILER;

#define EXP_LIVE_SLOW 6u /* in place of EMU_POOL_LIVE_ */

/* The trailer of a live block of so many bytes. */
static inline EXP_TRAILER *ExpTrailerOf(ULONG_PTR Address, SIZE_T Bytes)
{
    return (EXP_TRAILER *)(Address + ((Bytes + 7) & ~(SIZE_T)7));
}

/* Reads of a block that its thread may just be giving back, and has told AddressSanitizer so already. */
#define EXP_PEEKS __attribute__((no_sanitize("address")))

EXP_PEEKS static inline ULONG64 ExpTrailerCheck(ULONG_PTR Address, const EXP_TRAILER *Trailer)
{
    return (Trailer->Stamp ^ (ULONG_PTR)Trailer->Charged ^ Address) * 0x9e3779b97f4a7c15u + 1;
}

/* The class of blocks for so many bytes, 1 .. EMU_POOL_LARGEST_. */
static inline ULONG ExpClassFor(SIZE_T Bytes)
{
    return Bytes <= EMU_POOL_INSIDE_ ? (ULONG)(Bytes + EMU_POOL_INSIDE_BIAS_) >> 4
                                     : ExpClassOf[(Bytes + EMU_POOL_OUTSIDE_BIAS_) >> 4];
}

/* Bytes for the caller in a block of the class. */
static inline SIZE_T ExpRoomOf(ULONG Class)
{
    return ExpClasses[Class].BlockBytes - (ExpClasses[Class].Outside ? 0 : 8);
}

void ExpSetRefusedRoutine(void (*Routine)(BOOLEAN Paged));
ULONG64 ExpStamp(void); /* allocations so far, while ages are kept */
BOOLEAN ExpFailsOnDemand(void);

/*
 * ExpInitializePool / ExpShutdownPool - around the life of a machine. Shutdown discards what is left; no other thread
 * may be inside the pool. Refused  called after an allocation was refused, without locks, on the refused thread; may
 * use the pool. May be NULL. Returns  STATUS_SUCCESS, STATUS_NO_MEMORY, STATUS_INVALID_PARAMETER (a limit above
 * EXP_LARGEST_LIMIT).
 */
NTSTATUS ExpInitializePool(SIZE_T PagedLimit, SIZE_T NonPagedLimit, void (*Refused)(BOOLEAN Paged));
void ExpShutdownPool(void);

/* ---- visit.c ---- */

/* What an address in an arena is. */
typedef enum _EXP_PLACE {
    ExpNowhere, /* no pool ever handed it out */
    ExpFree,    /* a free block, or the page of one */
    ExpLive,
    ExpInside, /* of a block or of what lies between blocks */
    ExpCorrupt /* where a header should be there is none */
} EXP_PLACE;

typedef struct _EXP_FOUND {
    EXP_ARENA *Arena;
    EXP_RUN *Run;  /* NULL: a block of a slab */
    ULONG *Header; /* ditto, else NULL */
    ULONG Class;   /* ditto */
    ULONG Use;     /* live blocks */
    SIZE_T Bytes;  /* live blocks */
    SIZE_T BlockBytes;
    ULONG_PTR Address;    /* of the block that the address is in */
    EXP_TRAILER *Trailer; /* live blocks that have one, else NULL */
} EXP_FOUND;

/* Address lies in an arena. */
EXP_PLACE ExpFind(PVOID Address, EXP_FOUND *Found);
static inline BOOLEAN ExpIsInArena(const void *Address)
{
    return ExpBase && (ULONG_PTR)Address - ExpBase < EXP_SPAN;
}

#endif
