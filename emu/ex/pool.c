/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pool. Simple and exact: one lock, a page holds blocks of one size, a block of a page and more takes whole pages.
 *
 *   page     | header | block ........ | header | block ........ | ... |   blocks of one size, 16 bytes finer each
 *   header   bytes asked for, tag, index of the use (tag, pool, call site), state     16 bytes, as NT's POOL_HEADER on
 * x64
 *
 * A free block's header holds the offset of the next free one in its page. Live and free are told apart by the state,
 * which is checked on every free.
 */
#include "exp.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "ke/irql.h"
#include "special.h"
#include "verifierp.h"

typedef struct _EXP_HEADER {
    ULONG Bytes; /* asked for */
    ULONG Tag;
    ULONG Use;
    USHORT State;
    USHORT NextFree;
} EXP_HEADER;
_Static_assert(sizeof(EXP_HEADER) == 16, "a block keeps the alignment of the page");

#define STATE_LIVE 0xA11Cu
#define STATE_FREE 0xF4EEu
#define NO_BLOCK   0xffffu

#define GRANULE       16u
#define LARGEST_BLOCK (PAGE_SIZE - sizeof(EXP_HEADER)) /* anything larger takes whole pages */
#define CACHE_LINE    64u

typedef struct _EXP_POOL {
    EXP_ARENA Arena;
    EMU_POOL_COUNTS Counts;
    ULONG Partial[PAGE_SIZE / GRANULE + 1]; /* by block size in granules: first page with a free block */
} EXP_POOL;

static EXP_POOL pools[2]; /* nonpaged, paged */
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*refused_routine)(BOOLEAN paged);
static ULONG64 fail_countdown, fail_times, failed; /* EmuPoolFailAllocations */

void ExpLockPool(void)
{
    pthread_mutex_lock(&pool_lock);
}

void ExpUnlockPool(void)
{
    pthread_mutex_unlock(&pool_lock);
}

static BOOLEAN initialize(EXP_POOL *pool, SIZE_T limit)
{
    memset(pool, 0, sizeof *pool);
    for (ULONG i = 0; i < sizeof pool->Partial / sizeof pool->Partial[0]; i++)
        pool->Partial[i] = EXP_NO_PAGE;
    pool->Counts.LimitPages = limit / PAGE_SIZE;
    return ExpCreateArena(&pool->Arena, limit);
}

NTSTATUS ExpInitializePool(SIZE_T PagedLimit, SIZE_T NonPagedLimit, void (*Refused)(BOOLEAN Paged))
{
    BOOLEAN ok = initialize(&pools[NonPagedPool], NonPagedLimit);

    ok = initialize(&pools[PagedPool], PagedLimit) && ok;
    if (!ok) {
        ExpShutdownPool();
        return STATUS_NO_MEMORY;
    }
    refused_routine = Refused;
    return STATUS_SUCCESS;
}

void ExpShutdownPool(void)
{
    ExpDeleteArena(&pools[NonPagedPool].Arena);
    ExpDeleteArena(&pools[PagedPool].Arena);
    ExpForgetUses();
    refused_routine = NULL;
}

/* ---- pages of blocks ---- */

static EXP_HEADER *header_at(EXP_POOL *pool, ULONG page, USHORT offset)
{
    return (EXP_HEADER *)(pool->Arena.Base + (SIZE_T)page * PAGE_SIZE + offset);
}

static void link_partial(EXP_POOL *pool, ULONG page)
{
    EXP_PAGE *p = &pool->Arena.Pages[page];
    ULONG *head = &pool->Partial[p->BlockBytes / GRANULE];

    p->Prev = EXP_NO_PAGE;
    p->Next = *head;
    if (*head != EXP_NO_PAGE)
        pool->Arena.Pages[*head].Prev = page;
    *head = page;
}

static void unlink_partial(EXP_POOL *pool, ULONG page)
{
    EXP_PAGE *p = &pool->Arena.Pages[page];

    if (p->Prev != EXP_NO_PAGE)
        pool->Arena.Pages[p->Prev].Next = p->Next;
    else
        pool->Partial[p->BlockBytes / GRANULE] = p->Next;
    if (p->Next != EXP_NO_PAGE)
        pool->Arena.Pages[p->Next].Prev = p->Prev;
}

static ULONG grant(EXP_POOL *pool, ULONG count)
{
    ULONG page;

    if (pool->Counts.Pages + count > pool->Counts.LimitPages)
        return EXP_NO_PAGE;
    page = ExpGrantPages(&pool->Arena, count);
    if (page == EXP_NO_PAGE)
        return EXP_NO_PAGE;
    pool->Counts.Pages += count;
    if (pool->Counts.Pages > pool->Counts.PeakPages)
        pool->Counts.PeakPages = pool->Counts.Pages;
    return page;
}

static ULONG new_page_of_blocks(EXP_POOL *pool, USHORT block_bytes)
{
    ULONG page = grant(pool, 1);
    USHORT count = (USHORT)(PAGE_SIZE / block_bytes);
    EXP_PAGE *p;

    if (page == EXP_NO_PAGE)
        return EXP_NO_PAGE;
    p = &pool->Arena.Pages[page];
    p->Kind = EXP_PAGE_BLOCKS;
    p->BlockBytes = block_bytes;
    p->FreeBlocks = count;
    p->FirstFree = 0;
    for (USHORT i = 0; i < count; i++) {
        EXP_HEADER *h = header_at(pool, page, (USHORT)(i * block_bytes));
        h->State = STATE_FREE;
        h->NextFree = i + 1 < count ? (USHORT)((i + 1) * block_bytes) : NO_BLOCK;
    }
    link_partial(pool, page);
    return page;
}

static void *allocate_block(EXP_POOL *pool, ULONG bytes, ULONG tag, ULONG use)
{
    USHORT block_bytes = (USHORT)((bytes + sizeof(EXP_HEADER) + GRANULE - 1) / GRANULE * GRANULE);
    ULONG page = pool->Partial[block_bytes / GRANULE];
    EXP_PAGE *p;
    EXP_HEADER *h;

    if (page == EXP_NO_PAGE)
        page = new_page_of_blocks(pool, block_bytes);
    if (page == EXP_NO_PAGE)
        return NULL;
    p = &pool->Arena.Pages[page];
    h = header_at(pool, page, p->FirstFree);
    p->FirstFree = h->NextFree;
    if (!--p->FreeBlocks)
        unlink_partial(pool, page);
    h->Bytes = bytes;
    h->Tag = tag;
    h->Use = use;
    h->State = STATE_LIVE;
    h->NextFree = NO_BLOCK;
    return h + 1;
}

static void free_block(EXP_POOL *pool, ULONG page, EXP_HEADER *h)
{
    EXP_PAGE *p = &pool->Arena.Pages[page];

    h->State = STATE_FREE;
    h->NextFree = p->FirstFree;
    p->FirstFree = (USHORT)((ULONG_PTR)h % PAGE_SIZE);
    if (!p->FreeBlocks++)
        link_partial(pool, page);
    if (p->FreeBlocks == PAGE_SIZE / p->BlockBytes) {
        unlink_partial(pool, page);
        ExpReturnPages(&pool->Arena, page, 1);
        pool->Counts.Pages--;
    }
}

static void *allocate_run(EXP_POOL *pool, SIZE_T bytes, ULONG use)
{
    SIZE_T pages = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    ULONG first = pages > pool->Counts.LimitPages ? EXP_NO_PAGE : grant(pool, (ULONG)pages);
    EXP_PAGE *p;

    if (first == EXP_NO_PAGE)
        return NULL;
    p = &pool->Arena.Pages[first];
    p->Kind = EXP_PAGE_RUN;
    p->Run = (ULONG)pages;
    p->Bytes = bytes;
    p->Use = use;
    for (ULONG i = 1; i < pages; i++)
        pool->Arena.Pages[first + i].Kind = EXP_PAGE_RUN_TAIL;
    return pool->Arena.Base + (SIZE_T)first * PAGE_SIZE;
}

static void free_run(EXP_POOL *pool, ULONG first)
{
    ULONG pages = pool->Arena.Pages[first].Run;

    ExpReturnPages(&pool->Arena, first, pages);
    pool->Counts.Pages -= pages;
}

/* ---- counting ---- */

static void count_allocation(EXP_POOL *pool, ULONG use, SIZE_T bytes)
{
    EMU_POOL_USE *u = &ExpUse(use)->Public;

    u->Allocations++;
    u->LiveBlocks++;
    u->LiveBytes += (LONG64)bytes;
    pool->Counts.Allocations++;
    pool->Counts.LiveBlocks++;
    pool->Counts.LiveBytes += bytes;
    if (pool->Counts.LiveBytes > pool->Counts.PeakBytes)
        pool->Counts.PeakBytes = pool->Counts.LiveBytes;
}

static void count_free(EXP_POOL *pool, ULONG use, SIZE_T bytes)
{
    EMU_POOL_USE *u = &ExpUse(use)->Public;

    u->Frees++;
    u->LiveBlocks--;
    u->LiveBytes -= (LONG64)bytes;
    pool->Counts.Frees++;
    pool->Counts.LiveBlocks--;
    pool->Counts.LiveBytes -= bytes;
}

/* ---- NT's entry points ---- */

static BOOLEAN must_succeed(POOL_TYPE type)
{
    return type == NonPagedPoolMustSucceed || type == NonPagedPoolCacheAlignedMustS;
}

void EmuPoolFailAllocations(ULONG64 Nth, ULONG64 Times)
{
    ExpLockPool();
    fail_countdown = Nth;
    fail_times = Times;
    failed = 0;
    ExpUnlockPool();
}

ULONG64 EmuPoolFailedAllocations(void)
{
    ULONG64 n;

    ExpLockPool();
    n = failed;
    ExpUnlockPool();
    return n;
}

static BOOLEAN fails_on_demand(void)
{
    if (!fail_times || (fail_countdown > 1 && fail_countdown--))
        return FALSE;
    fail_times--;
    failed++;
    return TRUE;
}

static PVOID allocate(POOL_TYPE type, SIZE_T bytes, ULONG tag, EMU_POOL_SITE *site)
{
    BOOLEAN paged = type & 1;
    EXP_POOL *pool = &pools[paged];
    SIZE_T size = type & 4 && bytes < PAGE_SIZE ? (bytes + CACHE_LINE - 1) & ~(SIZE_T)(CACHE_LINE - 1) : bytes;
    ULONG use = site ? ExpFindUse(tag, paged, site) : EXP_NO_PAGE;
    PVOID block = NULL;

    if (use != EXP_NO_PAGE && pool->Arena.Base && (must_succeed(type) || !fails_on_demand()))
        block = size > LARGEST_BLOCK ? allocate_run(pool, size, use) : allocate_block(pool, (ULONG)size, tag, use);
    if (block)
        count_allocation(pool, use, size);
    else
        pool->Counts.Failures++;
    return block;
}

static PVOID allocate_or_refuse(POOL_TYPE type, SIZE_T bytes, ULONG tag, EMU_POOL_SITE *site, const void *caller)
{
    BOOLEAN processor;
    PVOID block;

    ExpCheckAllocation(type, bytes);
    processor = type & 1 && KiEnterProcessor();
    ExpLockPool();
    if (!site)
        site = ExpSiteOfAddress(caller);
    ExpUnlockPool();
    if (!site || !ExpVerifyAllocation(type, bytes, tag, site, &block)) {
        ExpLockPool();
        block = allocate(type, bytes, tag, site);
        ExpUnlockPool();
    }
    KiLeaveProcessor(processor);
    ExpVerifierSawAllocation(block != NULL);
    if (block)
        return block;
    if (must_succeed(type))
        KeBugCheckEx(MUST_SUCCEED_POOL_EMPTY, bytes, pools[NonPagedPool].Counts.Pages, 0, 0);
    if (refused_routine)
        refused_routine(type & 1);
    return NULL;
}

PVOID NTAPI EmuAllocatePoolWithTagSite(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EMU_POOL_SITE *Site)
{
    return allocate_or_refuse(PoolType, NumberOfBytes, Tag, Site, NULL);
}

PVOID NTAPI(ExAllocatePoolWithTag)(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate_or_refuse(PoolType, NumberOfBytes, Tag, NULL, __builtin_return_address(0));
}

PVOID NTAPI(ExAllocatePool)(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return allocate_or_refuse(PoolType, NumberOfBytes, POOL_TAG_NONE, NULL, __builtin_return_address(0));
}

static EXP_POOL *pool_of(PVOID p)
{
    for (ULONG i = 0; i < 2; i++)
        if (pools[i].Arena.Base && (PUCHAR)p >= pools[i].Arena.Base &&
            (PUCHAR)p < pools[i].Arena.Base + (SIZE_T)pools[i].Arena.Touched * PAGE_SIZE)
            return &pools[i];
    return NULL;
}

/* What a free of this address means. The bug check is raised by the caller, after the lock is gone. */
static EXP_STOP take_back(PVOID p, ULONG tag)
{
    EXP_POOL *pool = pool_of(p);
    ULONG page;
    SIZE_T offset;
    EXP_PAGE *info;
    EXP_HEADER *h;

    if (!pool)
        return (EXP_STOP){BAD_POOL_CALLER, 0x46, (ULONG_PTR)p, 0, 0};
    if (KeGetCurrentIrql() > (pool == &pools[PagedPool] ? APC_LEVEL : DISPATCH_LEVEL))
        return (EXP_STOP){BAD_POOL_CALLER, 0x9, KeGetCurrentIrql(), pool == &pools[PagedPool], (ULONG_PTR)p};
    page = (ULONG)((SIZE_T)((PUCHAR)p - pool->Arena.Base) / PAGE_SIZE);
    offset = (ULONG_PTR)p % PAGE_SIZE;
    info = &pool->Arena.Pages[page];
    switch (info->Kind) {
    case EXP_PAGE_RUN:
        if (offset)
            return (EXP_STOP){BAD_POOL_CALLER, 0x41286, (ULONG_PTR)p, 0, 0};
        if (tag && ExpUse(info->Use)->Public.Tag != tag)
            return (EXP_STOP){BAD_POOL_CALLER, 0xA, (ULONG_PTR)p, ExpUse(info->Use)->Public.Tag, tag};
        count_free(pool, info->Use, info->Bytes);
        free_run(pool, page);
        return (EXP_STOP){0};
    case EXP_PAGE_RUN_TAIL:
        return (EXP_STOP){BAD_POOL_CALLER, 0x41286, (ULONG_PTR)p, 0, 0};
    case EXP_PAGE_FREE:
        return (EXP_STOP){BAD_POOL_CALLER, 0x7, 0, 0, (ULONG_PTR)p};
    default:
        break;
    }
    h = (EXP_HEADER *)p - 1;
    if (offset < sizeof *h || (offset - sizeof *h) % info->BlockBytes)
        return (EXP_STOP){BAD_POOL_CALLER, 0x41286, (ULONG_PTR)p, 0, 0};
    if (h->State == STATE_FREE)
        return (EXP_STOP){BAD_POOL_CALLER, 0x7, 0, h->Tag, (ULONG_PTR)p};
    if (h->State != STATE_LIVE || h->Use >= ExpUseCount() || h->Bytes > info->BlockBytes - sizeof *h)
        return (EXP_STOP){BAD_POOL_HEADER, 0x20, (ULONG_PTR)h, (ULONG_PTR)h + info->BlockBytes, info->BlockBytes};
    if (tag && h->Tag != tag)
        return (EXP_STOP){BAD_POOL_CALLER, 0xA, (ULONG_PTR)p, h->Tag, tag};
    count_free(pool, h->Use, h->Bytes);
    free_block(pool, page, h);
    return (EXP_STOP){0};
}

void NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    BOOLEAN processor = KeGetCurrentIrql() < DISPATCH_LEVEL && KiEnterProcessor();
    EXP_STOP stop;

    if (ExpIsSpecial(P)) {
        stop = ExpFreeSpecial(P, Tag);
    } else {
        ExpLockPool();
        stop = take_back(P, Tag);
        ExpUnlockPool();
    }
    KiLeaveProcessor(processor);
    if (stop.Code)
        stop = ExpVerifierStop(stop);
    if (stop.Code)
        KeBugCheckEx(stop.Code, stop.P1, stop.P2, stop.P3, stop.P4);
}

void NTAPI ExFreePool(PVOID P)
{
    ExFreePoolWithTag(P, 0);
}

/* ---- for blocks that lie elsewhere, and for the verifier ---- */

BOOLEAN ExpChargePages(BOOLEAN Paged, ULONG Pages)
{
    EMU_POOL_COUNTS *counts = &pools[Paged].Counts;
    BOOLEAN room;

    ExpLockPool();
    room = counts->Pages + Pages <= counts->LimitPages;
    if (room)
        counts->Pages += Pages;
    if (counts->Pages > counts->PeakPages)
        counts->PeakPages = counts->Pages;
    ExpUnlockPool();
    return room;
}

void ExpUnchargePages(BOOLEAN Paged, ULONG Pages)
{
    ExpLockPool();
    pools[Paged].Counts.Pages -= Pages;
    ExpUnlockPool();
}

ULONG ExpCountAllocation(ULONG Tag, BOOLEAN Paged, EMU_POOL_SITE *Site, SIZE_T Bytes)
{
    ULONG use;

    ExpLockPool();
    use = ExpFindUse(Tag, Paged, Site);
    if (use != EXP_NO_USE)
        count_allocation(&pools[Paged], use, Bytes);
    ExpUnlockPool();
    return use;
}

void ExpCountFree(BOOLEAN Paged, ULONG Use, SIZE_T Bytes)
{
    ExpLockPool();
    count_free(&pools[Paged], Use, Bytes);
    ExpUnlockPool();
}

BOOLEAN ExpIsPagedPool(const void *Address)
{
    const EXP_ARENA *arena = &pools[PagedPool].Arena;

    return arena->Base && (PUCHAR)Address >= arena->Base &&
           (PUCHAR)Address < arena->Base + (SIZE_T)arena->Reserved * PAGE_SIZE;
}

void ExpProtectPagedPool(BOOLEAN OutOfReach)
{
    const EXP_ARENA *arena = &pools[PagedPool].Arena;

    mprotect(arena->Base, (SIZE_T)arena->Reserved * PAGE_SIZE, OutOfReach ? PROT_NONE : PROT_READ | PROT_WRITE);
}

/* ---- looking in ---- */

void EmuPoolCounts(EMU_POOL_COUNTS *Paged, EMU_POOL_COUNTS *NonPaged)
{
    ExpLockPool();
    *Paged = pools[PagedPool].Counts;
    *NonPaged = pools[NonPagedPool].Counts;
    ExpUnlockPool();
}

static BOOLEAN visit_page(EXP_POOL *pool, ULONG page, EMU_POOL_VISITOR *visitor, PVOID context)
{
    const EXP_PAGE *p = &pool->Arena.Pages[page];
    BOOLEAN paged = pool == &pools[PagedPool];

    if (p->Kind == EXP_PAGE_RUN)
        return visitor(context, pool->Arena.Base + (SIZE_T)page * PAGE_SIZE, p->Bytes, ExpUse(p->Use)->Public.Tag,
                       paged, ExpUse(p->Use)->Public.Site);
    if (p->Kind != EXP_PAGE_BLOCKS)
        return TRUE;
    for (ULONG offset = 0; offset + p->BlockBytes <= PAGE_SIZE; offset += p->BlockBytes) {
        EXP_HEADER *h = header_at(pool, page, (USHORT)offset);
        if (h->State == STATE_LIVE && !visitor(context, h + 1, h->Bytes, h->Tag, paged, ExpUse(h->Use)->Public.Site))
            return FALSE;
    }
    return TRUE;
}

void EmuPoolVisit(EMU_POOL_VISITOR *Visitor, PVOID Context)
{
    BOOLEAN processor = KiEnterProcessor();

    ExpLockPool();
    for (ULONG i = 0; i < 2; i++)
        for (ULONG page = 0; page < pools[i].Arena.Touched; page++)
            if (!visit_page(&pools[i], page, Visitor, Context))
                goto exit;
    ExpVisitSpecial(Visitor, Context);
exit:
    ExpUnlockPool();
    KiLeaveProcessor(processor);
}
