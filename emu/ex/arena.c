/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arenas: address space for both pools, reserved once, and pages charged against each pool's limit. */
#include "exp.h"

#include <sys/mman.h>

#include "tracep.h"

/* Memory of new slabs comes in pieces that grow with the pool: a page fault costs more than the 36 blocks of a page. */
#define POPULATE_SLABS 32u
/* Slabs that come and go must not cost page faults each time: so many free ones keep their memory. */
#define RESIDENT_FREE_SLABS 64u

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

EXP_ARENA ExpArenas[2] = {{.Lock = PTHREAD_MUTEX_INITIALIZER}, {.Lock = PTHREAD_MUTEX_INITIALIZER, .Paged = TRUE}};
ULONG_PTR ExpBase, ExpShadow;
EXP_SLAB *ExpSlabs;

static void *reserve(SIZE_T bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* A multiple of 4 GiB that is nobody's: AddressSanitizer and memcheck leave this place free as well. */
static ULONG_PTR reserve_arenas(void)
{
    void *wanted = (void *)0x400000000000;
    void *p = mmap(wanted, EXP_SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == wanted)
        return (ULONG_PTR)p;
    if (p != MAP_FAILED)
        munmap(p, EXP_SPAN);
    p = reserve(EXP_SPAN + EXP_HALF);
    return p ? ((ULONG_PTR)p + 0xffffffff) & ~(ULONG_PTR)0xffffffff : 0;
}

static BOOLEAN reserve_all(void)
{
    if (!ExpBase)
        ExpBase = reserve_arenas();
    if (!ExpShadow)
        ExpShadow = (ULONG_PTR)reserve(EXP_HALF / 256 * 8);
    if (!ExpSlabs)
        ExpSlabs = reserve((EXP_SPAN >> EXP_SLAB_SHIFT) * sizeof(EXP_SLAB));
    for (ULONG i = 0; i < 2; i++)
        if (!ExpArenas[i].Runs)
            ExpArenas[i].Runs = reserve(EXP_RUN_PAGES * sizeof(EXP_RUN));
    return ExpBase && ExpShadow && ExpSlabs && ExpArenas[0].Runs && ExpArenas[1].Runs;
}

static void open_arena(EXP_ARENA *arena, SIZE_T limit)
{
    arena->LimitPages = limit / PAGE_SIZE;
    arena->TrimPages = arena->LimitPages * 80 / 100;
    arena->Pages = arena->PeakPages = arena->Trims = 0;
    for (ULONG i = 0; i < 2; i++) {
        arena->FreeSlabs[i] = EXP_NONE;
        /* The first slab stays out: no block has an address whose lower half is 0. */
        arena->SlabFrontier[i] = arena->SlabPopulated[i] = ExpFirstSlab(arena, (BOOLEAN)i) + 1;
    }
    arena->ResidentFreeSlabs = 0;
    arena->RunFrontier = 0;
    arena->RunBinMap = 0;
    for (ULONG i = 0; i < EXP_RUN_BINS; i++)
        arena->RunBins[i] = EXP_NONE;
}

NTSTATUS ExpOpenArenas(SIZE_T PagedLimit, SIZE_T NonPagedLimit)
{
    if (PagedLimit > EXP_LARGEST_LIMIT || NonPagedLimit > EXP_LARGEST_LIMIT)
        return STATUS_INVALID_PARAMETER;
    if (!reserve_all())
        return STATUS_NO_MEMORY;
    open_arena(&ExpArenas[NonPagedPool], NonPagedLimit);
    open_arena(&ExpArenas[PagedPool], PagedLimit);
    return STATUS_SUCCESS;
}

static void discard(const volatile void *p, SIZE_T bytes)
{
    if (bytes)
        madvise((void *)(ULONG_PTR)p, bytes, MADV_DONTNEED);
}

static void close_arena(EXP_ARENA *arena)
{
    for (ULONG i = 0; i < 2; i++) {
        ULONG first = ExpFirstSlab(arena, (BOOLEAN)i);
        discard(ExpSlabAddress(first), (SIZE_T)(arena->SlabPopulated[i] - first) << EXP_SLAB_SHIFT);
        RtlZeroMemory(&ExpSlabs[first], (arena->SlabFrontier[i] - first) * sizeof(EXP_SLAB));
    }
    discard((void *)ExpRunsBase(arena), (SIZE_T)arena->RunFrontier * PAGE_SIZE);
    discard((void *)(ExpShadow + (arena->Paged ? EXP_HALF / 512 * 8 : 0)), EXP_HALF / 512 * 8);
    RtlZeroMemory(arena->Runs, arena->RunFrontier * sizeof(EXP_RUN));
    open_arena(arena, 0);
}

void ExpCloseArenas(void)
{
    if (!ExpBase)
        return;
    close_arena(&ExpArenas[NonPagedPool]);
    close_arena(&ExpArenas[PagedPool]);
}

BOOLEAN ExpChargePages(EXP_ARENA *Arena, ULONG64 Pages)
{
    ULONG64 before = Arena->Pages;

    if (before + Pages > Arena->LimitPages)
        return FALSE;
    Arena->Pages = before + Pages;
    if (Arena->Pages > Arena->PeakPages)
        __atomic_store_n(&Arena->PeakPages, Arena->Pages, __ATOMIC_RELAXED);
    if (before <= Arena->TrimPages && Arena->Pages > Arena->TrimPages)
        Arena->Trims++;
    if (EmuTrace_)
        ExpTracePages(Arena->Paged, (LONG64)Pages);
    return TRUE;
}

void ExpReturnPages(EXP_ARENA *Arena, ULONG64 Pages)
{
    Arena->Pages -= Pages;
    if (EmuTrace_)
        ExpTracePages(Arena->Paged, -(LONG64)Pages);
}

static void populate(EXP_ARENA *arena, ULONG slab, BOOLEAN outside)
{
    ULONG count = (slab - ExpFirstSlab(arena, outside)) / 8, left = ExpEndOfSlabs(arena, outside) - slab;

    if (slab < arena->SlabPopulated[outside])
        return;
    count = count < 1 ? 1 : count > POPULATE_SLABS ? POPULATE_SLABS : count;
    if (count > left)
        count = left;
    /* A kernel that cannot will fault the pages in as they are used. */
    madvise(ExpSlabAddress(slab), (SIZE_T)count << EXP_SLAB_SHIFT, MADV_POPULATE_WRITE);
    arena->SlabPopulated[outside] = slab + count;
}

void ExpProtectPagedPool(BOOLEAN OutOfReach)
{
    int protection = OutOfReach ? PROT_NONE : PROT_READ | PROT_WRITE;

    mprotect((void *)(ExpBase + EXP_HALF / 2), EXP_HALF / 2, protection);
    mprotect((void *)(ExpBase + EXP_HALF + EXP_HALF / 2), EXP_HALF / 2, protection);
}

ULONG ExpTakeSlab(EXP_ARENA *Arena, BOOLEAN Outside)
{
    ULONG slab = EXP_NONE;

    pthread_mutex_lock(&Arena->Lock);
    if ((Arena->FreeSlabs[Outside] == EXP_NONE && Arena->SlabFrontier[Outside] == ExpEndOfSlabs(Arena, Outside)) ||
        !ExpChargePages(Arena, EXP_SLAB_PAGES))
        goto exit;
    slab = Arena->FreeSlabs[Outside];
    if (slab != EXP_NONE) {
        Arena->FreeSlabs[Outside] = ExpSlabs[slab].Next;
        if (Arena->ResidentFreeSlabs)
            Arena->ResidentFreeSlabs--;
    } else {
        slab = Arena->SlabFrontier[Outside];
        __atomic_store_n(&Arena->SlabFrontier[Outside], slab + 1, __ATOMIC_RELAXED);
        populate(Arena, slab, Outside);
    }
    if (ExpSlowReasons() & EXP_SLOW_CHECKER)
        ExpTellGranted(ExpSlabAddress(slab), EXP_SLAB_BYTES);
exit:
    pthread_mutex_unlock(&Arena->Lock);
    return slab;
}

void ExpReturnSlab(EXP_ARENA *Arena, ULONG Slab)
{
    BOOLEAN outside = Slab >= EXP_HALF >> EXP_SLAB_SHIFT;

    pthread_mutex_lock(&Arena->Lock);
    if (Arena->ResidentFreeSlabs < RESIDENT_FREE_SLABS)
        Arena->ResidentFreeSlabs++;
    else
        discard(ExpSlabAddress(Slab), EXP_SLAB_BYTES);
    ExpSlabs[Slab].Next = Arena->FreeSlabs[outside];
    Arena->FreeSlabs[outside] = Slab;
    ExpReturnPages(Arena, EXP_SLAB_PAGES);
    pthread_mutex_unlock(&Arena->Lock);
}
