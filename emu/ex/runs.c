/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs of whole pages, for blocks of a page and more. A free run is known by its first and its last page, so that
 * neighbours grow together at once; free runs hang in bins by their length.
 */
#include "exp.h"

#include <sys/mman.h>

/* A run of up to so many pages keeps its memory when it is freed. */
#define RESIDENT_RUN_PAGES 16u

/* Up to 32 pages a bin holds one length; above, lengths up to twice the first. */
static ULONG bin_of(ULONG pages)
{
    return pages <= 32 ? pages - 1 : 62 - (ULONG)__builtin_clz((pages - 1) >> 4);
}

static void link_free(EXP_ARENA *arena, ULONG first, ULONG pages)
{
    ULONG bin = bin_of(pages);
    EXP_RUN *run = &arena->Runs[first], *last = &arena->Runs[first + pages - 1];

    run->State = last->State = EXP_RUN_FREE;
    run->Pages = last->Pages = pages;
    run->Prev = EXP_NONE;
    run->Next = arena->RunBins[bin];
    if (run->Next != EXP_NONE)
        arena->Runs[run->Next].Prev = first;
    arena->RunBins[bin] = first;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a run has a page at least */
    arena->RunBinMap |= 1ull << bin;
}

static void unlink_free(EXP_ARENA *arena, ULONG first)
{
    EXP_RUN *run = &arena->Runs[first];
    ULONG bin = bin_of(run->Pages);

    if (run->Prev != EXP_NONE)
        arena->Runs[run->Prev].Next = run->Next;
    else
        arena->RunBins[bin] = run->Next;
    if (run->Next != EXP_NONE)
        arena->Runs[run->Next].Prev = run->Prev;
    if (arena->RunBins[bin] == EXP_NONE)
        arena->RunBinMap &= ~(1ull << bin);
}

/* The first free run of its bin that is long enough, or any of a bin whose runs all are. */
static ULONG find_free(const EXP_ARENA *arena, ULONG pages)
{
    ULONG bin = bin_of(pages), first = arena->RunBins[bin];
    ULONG64 longer;

    while (first != EXP_NONE && arena->Runs[first].Pages < pages)
        first = arena->Runs[first].Next;
    if (first != EXP_NONE)
        return first;
    longer = arena->RunBinMap & ~((2ull << bin) - 1);
    return longer ? arena->RunBins[__builtin_ctzll(longer)] : EXP_NONE;
}

static ULONG take_pages(EXP_ARENA *arena, ULONG pages)
{
    ULONG first = find_free(arena, pages), rest;

    if (first != EXP_NONE) {
        unlink_free(arena, first);
        rest = arena->Runs[first].Pages - pages;
        if (rest)
            link_free(arena, first + pages, rest);
        return first;
    }
    if (pages > EXP_RUN_PAGES - arena->RunFrontier)
        return EXP_NONE;
    first = arena->RunFrontier;
    arena->RunFrontier += pages;
    return first;
}

PVOID ExpAllocateRun(EXP_ARENA *Arena, SIZE_T Bytes, ULONG Use)
{
    ULONG64 wanted = Bytes / PAGE_SIZE + (Bytes % PAGE_SIZE != 0);
    ULONG pages = (ULONG)wanted, first = EXP_NONE;

    pthread_mutex_lock(&Arena->Lock);
    if (wanted < EXP_RUN_PAGES && ExpChargePages(Arena, pages)) {
        first = take_pages(Arena, pages);
        if (first == EXP_NONE)
            ExpReturnPages(Arena, pages);
    }
    if (first != EXP_NONE) {
        EXP_RUN *run = &Arena->Runs[first];
        *run =
            (EXP_RUN){.Pages = pages, .Use = Use, .State = EXP_RUN_LIVE, .Bytes = Bytes, .Stamp = EMU_POOL_AGE_UNKNOWN};
        for (ULONG i = 1; i < pages; i++)
            Arena->Runs[first + i].State = EXP_RUN_TAIL;
    }
    pthread_mutex_unlock(&Arena->Lock);
    return first == EXP_NONE ? NULL : (PVOID)(ExpRunsBase(Arena) + (ULONG_PTR)first * PAGE_SIZE);
}

EXP_RUN *ExpRunOf(EXP_ARENA *Arena, PVOID P)
{
    return &Arena->Runs[((ULONG_PTR)P - ExpRunsBase(Arena)) / PAGE_SIZE];
}

void ExpFreeRun(EXP_ARENA *Arena, PVOID P)
{
    ULONG first, pages;

    pthread_mutex_lock(&Arena->Lock);
    first = (ULONG)(ExpRunOf(Arena, P) - Arena->Runs);
    pages = Arena->Runs[first].Pages;
    ExpReturnPages(Arena, pages);
    if (pages > RESIDENT_RUN_PAGES)
        madvise(P, (SIZE_T)pages * PAGE_SIZE, MADV_DONTNEED);
    /* Each page says that it is free: a second free may name any of them. */
    for (ULONG i = 0; i < pages; i++)
        Arena->Runs[first + i].State = EXP_RUN_FREE;
    if (first + pages < Arena->RunFrontier && Arena->Runs[first + pages].State == EXP_RUN_FREE) {
        ULONG next = first + pages;
        pages += Arena->Runs[next].Pages;
        unlink_free(Arena, next);
    }
    if (first && Arena->Runs[first - 1].State == EXP_RUN_FREE) {
        ULONG before = first - Arena->Runs[first - 1].Pages;
        pages += Arena->Runs[before].Pages;
        unlink_free(Arena, before);
        first = before;
    }
    link_free(Arena, first, pages);
    pthread_mutex_unlock(&Arena->Lock);
}
