/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A random program that leaks: two threads allocate at six places, free most of it, and forget the rest. Which blocks
 * it forgets depends on the seed and on nothing else, so that it is the same whoever serves it: the pool, or with
 * USE_MALLOC the C library. It prints what it knows to be out, and with the pool what the pool reports:
 *   known place_3 BLOCKS BYTES
 *   pool place_3 BLOCKS BYTES
 * pool_outstanding.sh compares both with what memcheck and LSan find.
 *
 * usage: pool_outstanding [SEED [OPERATIONS]]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef USE_MALLOC
#define ALLOCATE(bytes) malloc(bytes)
#define FREE(block)     free(block)
#else
#include <ntemu/machine.h>
#define ALLOCATE(bytes) ExAllocatePoolWithTag(PagedPool, bytes, POOL_TAG('L', 'o', 's', 't'))
#define FREE(block)     ExFreePoolWithTag(block, POOL_TAG('L', 'o', 's', 't'))
#endif

#define PLACES  6
#define THREADS 2
#define SLOTS   300

/* A frame of its own for each, for the tools to name. */
#define PLACE(n)                                                                                                       \
    static __attribute__((noinline)) void *place_##n(size_t bytes)                                                     \
    {                                                                                                                  \
        void *block = ALLOCATE(bytes);                                                                                 \
        __asm__ volatile("" : "+r"(block)); /* no tail call */                                                         \
        return block;                                                                                                  \
    }
/* NOLINTBEGIN(clang-analyzer-unix.Malloc): what these take is left behind on purpose */
PLACE(0)
PLACE(1)
PLACE(2)
PLACE(3)
PLACE(4)
PLACE(5)
/* NOLINTEND(clang-analyzer-unix.Malloc) */

static void *(*const places[PLACES])(size_t bytes) = {place_0, place_1, place_2, place_3, place_4, place_5};

/* Pointers are kept inverted: a tool that looks for them in memory must not find any. */
struct slot {
    uintptr_t inverted;
    size_t bytes;
    unsigned place;
};

struct worker {
    uint64_t seed;
    unsigned operations;
    struct slot slots[SLOTS];
};

static struct worker workers[THREADS];

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 8;
}

static void replace(struct slot *slot, uint64_t *seed)
{
    void *block;

    if (slot->inverted) {
        FREE((void *)~slot->inverted);
        slot->inverted = 0;
        if (draw(seed) & 1)
            return;
    }
    slot->bytes = draw(seed) % 16 ? 1 + draw(seed) % 600 : 4000 + draw(seed) % 9000;
    slot->place = (unsigned)(draw(seed) % PLACES);
    block = places[slot->place](slot->bytes);
    if (!block)
        abort();
    memset(block, 0x5a, slot->bytes);
    slot->inverted = ~(uintptr_t)block;
}

static void *work(void *argument)
{
    struct worker *w = argument;

    for (unsigned i = 0; i < w->operations; i++)
        replace(&w->slots[draw(&w->seed) % SLOTS], &w->seed);
    return NULL;
}

struct sum {
    unsigned long long blocks, bytes;
};

static void print(const char *who, const struct sum *sums)
{
    for (unsigned p = 0; p < PLACES; p++)
        printf("%s place_%u %llu %llu\n", who, p, sums[p].blocks, sums[p].bytes);
}

static void print_known(void)
{
    struct sum known[PLACES] = {0};

    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < SLOTS; i++)
            if (workers[t].slots[i].inverted) {
                known[workers[t].slots[i].place].blocks++;
                known[workers[t].slots[i].place].bytes += workers[t].slots[i].bytes;
            }
    print("known", known);
}

#ifndef USE_MALLOC
static void print_pool(void)
{
    struct sum reported[PLACES] = {0};
    EMU_POOL_SNAPSHOT snapshot;
    unsigned place;

    if (EmuPoolTakeSnapshot(&snapshot) != STATUS_SUCCESS)
        abort();
    for (ULONG i = 0; i < snapshot.Count; i++)
        if (sscanf(snapshot.Uses[i].Site->Function, "place_%u", &place) == 1 && place < PLACES) {
            reported[place].blocks += (unsigned long long)snapshot.Uses[i].LiveBlocks;
            reported[place].bytes += (unsigned long long)snapshot.Uses[i].LiveBytes;
        }
    EmuPoolFreeSnapshot(&snapshot);
    print("pool", reported);
}

static void boot(void)
{
    char error[256];

    if (EmuMachineBoot(NULL, error, sizeof error) != STATUS_SUCCESS) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}
#endif

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20031;
    unsigned operations = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 20000;
    pthread_t threads[THREADS];

#ifndef USE_MALLOC
    boot();
#endif
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t].seed = (seed + t) * 0x9e3779b97f4a7c15u;
        workers[t].operations = operations;
        if (pthread_create(&threads[t], NULL, work, &workers[t]))
            abort();
    }
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    print_known();
#ifndef USE_MALLOC
    print_pool();
#endif
    return 0;
}
