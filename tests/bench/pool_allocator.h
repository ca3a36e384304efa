/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_allocator.h - what pool.c allocates from, chosen when it is compiled, so that each allocator is a program of its
 * own with nothing between a workload and its calls:
 *   POOL_BENCH_MACRO     the pool as drivers use it: the macros, with their call sites
 *   POOL_BENCH_EXPORTED  the pool's exported functions, called as malloc is: out of a shared library, through the GOT
 *   POOL_BENCH_MALLOC    malloc and free, glibc's or those of a preloaded library
 *   POOL_BENCH_NULL      nothing: the cost of the workloads themselves
 */
#ifndef RDRLAB_TESTS_BENCH_POOL_ALLOCATOR_H
#define RDRLAB_TESTS_BENCH_POOL_ALLOCATOR_H

#include <stddef.h>

#if defined(POOL_BENCH_MACRO) || defined(POOL_BENCH_EXPORTED)
#include <ntemu/pool.h>
#define POOL_BENCH_OURS 1
#ifdef POOL_BENCH_MACRO
#define ALLOCATE(bytes, tag) ExAllocatePoolWithTag(PagedPool, bytes, tag)
#define FREE(block, tag)     ExFreePoolWithTag(block, tag)
#else
#define ALLOCATE(bytes, tag) (ExAllocatePoolWithTag)(PagedPool, bytes, tag)
#define FREE(block, tag)     (ExFreePoolWithTag)(block, tag)
#endif
#else
#define POOL_BENCH_OURS 0
#define POOL_TAG(a, b, c, d)
#ifdef POOL_BENCH_MALLOC
#include <stdlib.h>
#define ALLOCATE(bytes, tag) malloc(bytes)
#define FREE(block, tag)     free(block)
#else
static inline void *allocate_nothing(size_t bytes)
{
    static char nothing[64];
    void *block = nothing;

    __asm__ volatile("" : "+r"(block) : "r"(bytes));
    return block;
}
#define ALLOCATE(bytes, tag) allocate_nothing(bytes)
#define FREE(block, tag)     __asm__ volatile("" : : "r"(block) : "memory")
#endif
#endif

/*
 * What only the pool has, in pool_ours.c.
 *   ours_boot      a machine with room for every workload; exits when it does not boot.
 *   ours_option    "stacks" or "special": switches it on. Returns 0 if this build of the pool has no such option.
 *   ours_live      blocks allocated since boot and live.
 *   ours_pages     pages granted to both pools.
 *   ours_look      seconds for a grouped report and for a visit of every block, the best of a few, and how many live
 *                  blocks of the tag each of them told.
 */
struct ours_look {
    double report, walk;
    unsigned long long reported, walked;
};
void ours_boot(void);
int ours_option(const char *name);
unsigned long long ours_live(void);
unsigned long long ours_pages(void);
struct ours_look ours_look(unsigned tag);

double now(void);

#endif
