/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arenas: one range of address space per pool, granted page by page. */
#include "exp.h"

#include <sys/mman.h>

/* A block that comes and goes must not cost a page fault each time: so many free pages stay resident. */
#define RESIDENT_FREE_PAGES 256

static void *reserve(SIZE_T bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

BOOLEAN ExpCreateArena(EXP_ARENA *Arena, SIZE_T Limit)
{
    /* Twice the limit: runs of pages find room although single pages are scattered. */
    SIZE_T pages = Limit / PAGE_SIZE * 2 + 1024;

    if (pages >= EXP_NO_PAGE)
        return FALSE;
    Arena->Base = reserve(pages * PAGE_SIZE);
    Arena->Pages = reserve(pages * sizeof(EXP_PAGE));
    if (!Arena->Base || !Arena->Pages) {
        Arena->Reserved = (ULONG)pages;
        ExpDeleteArena(Arena);
        return FALSE;
    }
    Arena->Reserved = (ULONG)pages;
    Arena->Touched = 0;
    Arena->FreeList = EXP_NO_PAGE;
    Arena->FreePages = 0;
    Arena->CleanLimit = RESIDENT_FREE_PAGES;
    return TRUE;
}

void ExpDeleteArena(EXP_ARENA *Arena)
{
    if (Arena->Base)
        munmap(Arena->Base, (SIZE_T)Arena->Reserved * PAGE_SIZE);
    if (Arena->Pages)
        munmap(Arena->Pages, (SIZE_T)Arena->Reserved * sizeof(EXP_PAGE));
    RtlZeroMemory(Arena, sizeof *Arena);
}

/* The free list is in no order; a run out of used ground is rare (blocks of a page and more) and may search. */
static ULONG find_free_run(EXP_ARENA *arena, ULONG count)
{
    ULONG run = 0;

    if (arena->FreePages < count)
        return EXP_NO_PAGE;
    for (ULONG i = 0; i < arena->Touched; i++) {
        run = arena->Pages[i].Kind == EXP_PAGE_FREE ? run + 1 : 0;
        if (run == count)
            return i + 1 - count;
    }
    return EXP_NO_PAGE;
}

static void unlink_free_pages(EXP_ARENA *arena, ULONG first, ULONG count)
{
    ULONG *link = &arena->FreeList;

    while (*link != EXP_NO_PAGE) {
        if (*link >= first && *link < first + count)
            *link = arena->Pages[*link].Next;
        else
            link = &arena->Pages[*link].Next;
    }
    arena->FreePages -= count;
}

ULONG ExpGrantPages(EXP_ARENA *Arena, ULONG Count)
{
    ULONG first;

    if (Count == 1 && Arena->FreeList != EXP_NO_PAGE) {
        first = Arena->FreeList;
        Arena->FreeList = Arena->Pages[first].Next;
        Arena->FreePages--;
        return first;
    }
    if (Count > 1) {
        first = find_free_run(Arena, Count);
        if (first != EXP_NO_PAGE) {
            unlink_free_pages(Arena, first, Count);
            return first;
        }
    }
    if (Count > Arena->Reserved - Arena->Touched)
        return EXP_NO_PAGE;
    first = Arena->Touched;
    Arena->Touched += Count;
    return first;
}

void ExpReturnPages(EXP_ARENA *Arena, ULONG First, ULONG Count)
{
    if (Arena->FreePages + Count > Arena->CleanLimit)
        madvise(Arena->Base + (SIZE_T)First * PAGE_SIZE, (SIZE_T)Count * PAGE_SIZE, MADV_DONTNEED);
    for (ULONG i = First; i < First + Count; i++) {
        Arena->Pages[i].Kind = EXP_PAGE_FREE;
        Arena->Pages[i].Next = Arena->FreeList;
        Arena->FreeList = i;
    }
    Arena->FreePages += Count;
}
