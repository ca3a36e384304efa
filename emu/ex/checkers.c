/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What AddressSanitizer and memcheck are told of blocks, when one of them watches. The headers stay theirs to see: the
 * pool reads them.
 */
#include "exp.h"

#ifdef EXP_HAVE_MEMCHECK
#include <valgrind/memcheck.h>
#else
#define VALGRIND_GET_VBITS(p, bits, size)              0
#define VALGRIND_CREATE_MEMPOOL(pool, redzone, zeroed) (void)(pool)
#define VALGRIND_DESTROY_MEMPOOL(pool)                 (void)(pool)
#define VALGRIND_MEMPOOL_ALLOC(pool, p, size)          (void)(pool)
#define VALGRIND_MEMPOOL_FREE(pool, p)                 (void)(pool)
#define VALGRIND_MAKE_MEM_NOACCESS(p, size)            (void)(p)
#define VALGRIND_MAKE_MEM_DEFINED(p, size)             (void)(p)
#endif

/* There in a program that AddressSanitizer was linked to, whether or not this library was compiled for it. */
extern void __asan_poison_memory_region(void const volatile *, size_t) __attribute__((weak));
extern void __asan_unpoison_memory_region(void const volatile *, size_t) __attribute__((weak));

static BOOLEAN pool_made;

BOOLEAN ExpIsWatched(void)
{
    UCHAR byte = 0, bits = 0;

    /* Only memcheck answers: callgrind and the like are to see the pool as it is. */
    return __asan_poison_memory_region || VALGRIND_GET_VBITS(&byte, &bits, 1) == 1;
}

static PVOID pool(void)
{
    if (!pool_made)
        VALGRIND_CREATE_MEMPOOL(ExpBase, 0, 0);
    pool_made = TRUE;
    return (PVOID)ExpBase;
}

void ExpTellReserved(void)
{
    VALGRIND_MAKE_MEM_NOACCESS((PVOID)ExpBase, EXP_SPAN);
}

void ExpTellGranted(PVOID P, SIZE_T Bytes)
{
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(P, Bytes);
    VALGRIND_MAKE_MEM_DEFINED(P, Bytes);
}

void ExpTellAllocated(PVOID P, SIZE_T Bytes, SIZE_T BlockBytes)
{
    if (__asan_unpoison_memory_region) {
        /* All of it first: the last bytes of 8 stay open if they were. */
        __asan_poison_memory_region(P, BlockBytes);
        __asan_unpoison_memory_region(P, Bytes);
    }
    VALGRIND_MEMPOOL_ALLOC(pool(), P, Bytes);
    if (BlockBytes > Bytes)
        VALGRIND_MAKE_MEM_NOACCESS((char *)P + Bytes, BlockBytes - Bytes);
}

void ExpTellTrailer(PVOID Trailer, SIZE_T Bytes)
{
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(Trailer, Bytes);
    VALGRIND_MAKE_MEM_DEFINED(Trailer, Bytes);
}

void ExpTellFreed(PVOID P, SIZE_T Bytes, SIZE_T BlockBytes)
{
    if (__asan_poison_memory_region)
        __asan_poison_memory_region(P, BlockBytes);
    VALGRIND_MEMPOOL_FREE(pool(), P);
    VALGRIND_MAKE_MEM_NOACCESS(P, BlockBytes);
}

static void forget(const EXP_ARENA *arena)
{
    for (ULONG i = 0; i < 2; i++) {
        ULONG first = ExpFirstSlab(arena, (BOOLEAN)i);
        __asan_unpoison_memory_region(ExpSlabAddress(first), (SIZE_T)(arena->SlabFrontier[i] - first)
                                                                 << EXP_SLAB_SHIFT);
    }
    __asan_unpoison_memory_region((void *)ExpRunsBase(arena), (SIZE_T)arena->RunFrontier * PAGE_SIZE);
}

/* The machine is gone, and so are its blocks, whatever they were. Before the arenas are closed. */
void ExpTellClosed(void)
{
    if (__asan_unpoison_memory_region && ExpBase) {
        forget(&ExpArenas[NonPagedPool]);
        forget(&ExpArenas[PagedPool]);
    }
    if (pool_made)
        VALGRIND_DESTROY_MEMPOOL(ExpBase);
    pool_made = FALSE;
}
