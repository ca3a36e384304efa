/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exp.h - inside the pool. Three parts, one lock:
 *   pages.c  the arenas: grants and takes back pages, knows of every page what it is used for
 *   uses.c   who allocates: one EXP_USE per (tag, paged or not, call site), counted as blocks come and go
 *   pool.c   blocks in pages, and NT's entry points with their rules
 */
#ifndef NTEMU_EX_EXP_H
#define NTEMU_EX_EXP_H

#include <ntemu/wdm.h>

/* What a page of an arena is used for. Kept outside the arena: no overrun reaches it. */
typedef struct _EXP_PAGE {
    USHORT Kind;       /* EXP_PAGE_* */
    USHORT BlockBytes; /* EXP_PAGE_BLOCKS: bytes a block takes, header included */
    USHORT FreeBlocks; /* ditto: how many of them are free */
    USHORT FirstFree;  /* ditto: offset of the first free block in the page, 0xffff for none */
    ULONG Next, Prev;  /* ditto: pages of this size with a free block; EXP_NO_PAGE ends. Free pages: Next */
    ULONG Run;         /* EXP_PAGE_RUN: pages in it */
    ULONG Use;         /* ditto: index of its EXP_USE */
    SIZE_T Bytes;      /* ditto: bytes asked for */
} EXP_PAGE;

enum { EXP_PAGE_FREE, EXP_PAGE_BLOCKS, EXP_PAGE_RUN, EXP_PAGE_RUN_TAIL };

#define EXP_NO_PAGE 0xffffffffu

typedef struct _EXP_ARENA {
    PUCHAR Base;
    EXP_PAGE *Pages;
    ULONG Reserved; /* pages of address space */
    ULONG Touched;  /* pages below this have been used at least once */
    ULONG FreeList; /* single free pages below Touched */
    ULONG FreePages;
    ULONG CleanLimit; /* free pages that may stay resident; further ones go back to the system */
} EXP_ARENA;

/* Pages enough for Limit bytes. Returns FALSE when the host refuses. */
BOOLEAN ExpCreateArena(EXP_ARENA *Arena, SIZE_T Limit);
void ExpDeleteArena(EXP_ARENA *Arena);
/* Index of the first of Count contiguous free pages, or EXP_NO_PAGE. */
ULONG ExpGrantPages(EXP_ARENA *Arena, ULONG Count);
void ExpReturnPages(EXP_ARENA *Arena, ULONG First, ULONG Count);

typedef struct _EXP_USE {
    EMU_POOL_USE Public;
    ULONG HashNext;
} EXP_USE;

/* Index of the use, made on first sight; Site->Id remembers it. EXP_NO_PAGE: the host is out of memory. */
ULONG ExpFindUse(ULONG Tag, BOOLEAN Paged, EMU_POOL_SITE *Site);
EXP_USE *ExpUse(ULONG Index);
ULONG ExpUseCount(void);
void ExpForgetUses(void);
#define EXP_NO_USE EXP_NO_PAGE
/* A site for a caller that came through the exported function: one per return address. */
EMU_POOL_SITE *ExpSiteOfAddress(const void *ReturnAddress);

/*
 * ExpInitializePool / ExpShutdownPool - around the life of a machine. Shutdown discards what is left.
 *   Refused  called after an allocation was refused, without locks, on the refused thread; may use the pool. May be
 *            NULL.
 */
NTSTATUS ExpInitializePool(SIZE_T PagedLimit, SIZE_T NonPagedLimit, void (*Refused)(BOOLEAN Paged));
void ExpShutdownPool(void);
void ExpLockPool(void);
void ExpUnlockPool(void);

/* A bug check to raise; Code 0 is none. */
typedef struct _EXP_STOP {
    ULONG Code;
    ULONG_PTR P1, P2, P3, P4;
} EXP_STOP;

/*
 * For blocks that lie elsewhere (special.c): pages and blocks counted as any other of that pool.
 *   ExpChargePages       FALSE: the pool's limit.
 *   ExpCountAllocation   the use to give to ExpCountFree; EXP_NO_USE: the host is out of memory.
 */
BOOLEAN ExpChargePages(BOOLEAN Paged, ULONG Pages);
void ExpUnchargePages(BOOLEAN Paged, ULONG Pages);
ULONG ExpCountAllocation(ULONG Tag, BOOLEAN Paged, EMU_POOL_SITE *Site, SIZE_T Bytes);
void ExpCountFree(BOOLEAN Paged, ULONG Use, SIZE_T Bytes);

/* The verifier's hold on the pool: whether an address is in ordinary paged pool (signal handlers too), and to put all
 * of that out of reach; whether every allocation has to ask the verifier. */
BOOLEAN ExpIsPagedPool(const void *Address);
void ExpProtectPagedPool(BOOLEAN OutOfReach);

#endif
