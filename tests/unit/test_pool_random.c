/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random traffic of several threads over the pool, beside a record of every block that is out. Whenever the threads are
 * at rest, what the pool reports must be that record and nothing else: row by row, and block by block.
 *
 * usage: test_pool_random [SEED]   RDRLAB_SOAK: with 10 million operations
 * The seed fixes what each thread does. How the threads interleave decides who frees a block, and no more.
 */
#include "lab.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS     4
#define GENERATIONS 8 /* sets of threads that come, work and exit, one after the other */
#define SLOTS       512
#define MAILBOXES   256

static unsigned long first_seed = 20031;

/* ---- places: where blocks come from, each on a line of its own ---- */

#define TAG_A       POOL_TAG('P', 'r', 'o', 'A')
#define TAG_B       POOL_TAG('P', 'r', 'o', 'B')
#define TAG_C       POOL_TAG('P', 'r', 'o', 'C')
#define NO_LINE     0 /* the exported function's site has no line of the source */
#define PLACE_LINES 6

struct block {
    UCHAR *address;
    SIZE_T bytes;
    ULONG tag, line;
    POOL_TYPE type;
    UCHAR fill;
    BOOLEAN seen; /* by the visit */
};

static void allocate_at_a_place(struct block *b, unsigned place)
{
    switch (place) {
    case 0:
        b->tag = TAG_A;
        b->address = ExAllocatePoolWithTag(b->type, b->bytes, TAG_A), b->line = __LINE__;
        break;
    case 1:
        b->tag = TAG_B;
        b->address = ExAllocatePoolWithTag(b->type, b->bytes, TAG_B), b->line = __LINE__;
        break;
    case 2: /* one size, as most places have */
        b->tag = TAG_A;
        b->bytes = 128;
        b->address = ExAllocatePoolWithTag(b->type, 128, TAG_A), b->line = __LINE__;
        break;
    case 3: /* one place, many tags and both pools */
        b->address = ExAllocatePoolWithTag(b->type, b->bytes, b->tag), b->line = __LINE__;
        break;
    case 4:
        b->tag = TAG_C;
        b->type = PagedPool;
        b->address = ExAllocatePoolWithTag(PagedPool, b->bytes, TAG_C), b->line = __LINE__;
        break;
    default:
        b->tag = TAG_C;
        b->line = NO_LINE;
        b->address = (ExAllocatePoolWithTag)(b->type, b->bytes, TAG_C);
        break;
    }
}

/* ---- what every row must say ---- */

#define KEYS 64

struct key {
    ULONG tag, line;
    BOOLEAN paged, used;
    LONG64 allocations, frees, bytes;
};

/* Few keys, each set looked at by one thread at a time. */
static struct key *key_of(struct key *keys, ULONG tag, ULONG line, BOOLEAN paged)
{
    for (unsigned i = 0; i < KEYS; i++) {
        struct key *k = &keys[i];
        if (!k->used)
            *k = (struct key){.tag = tag, .line = line, .paged = paged, .used = TRUE};
        if (k->tag == tag && k->line == line && k->paged == paged)
            return k;
    }
    abort(); /* more places and tags than there are in this file */
}

/* ---- the threads ---- */

struct worker {
    ULONG64 seed;
    unsigned operations;
    unsigned corrupted, unexpected; /* blocks overwritten by somebody else; misaligned or refused without need */
    ULONG64 refused[2];
    struct key keys[KEYS];
    struct block *slots[SLOTS];
};

static struct worker workers[THREADS];
static pthread_barrier_t all_started;                /* or the first thread would be done before the last begins */
static _Atomic(struct block *) mailboxes[MAILBOXES]; /* blocks on their way to another thread */

static ULONG64 draw(ULONG64 *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static SIZE_T draw_size(ULONG64 *seed)
{
    ULONG64 r = draw(seed) >> 8;

    switch (draw(seed) % 16) {
    case 0: /* whole pages, and just below one */
        return PAGE_SIZE - 40 + r % (4 * PAGE_SIZE);
    case 1:
    case 2:
        return 1 + r % 4000;
    default:
        return 1 + r % 600;
    }
}

static POOL_TYPE draw_type(ULONG64 *seed)
{
    static const POOL_TYPE types[] = {PagedPool,
                                      PagedPool,
                                      NonPagedPool,
                                      NonPagedPool,
                                      NonPagedPoolMustSucceed,
                                      NonPagedPoolCacheAligned,
                                      PagedPoolCacheAligned,
                                      NonPagedPoolCacheAlignedMustS};
    return types[draw(seed) % (sizeof types / sizeof *types)];
}

/* Both ends, and all of what is small. */
static void fill(struct block *b)
{
    SIZE_T part = b->bytes < 256 ? b->bytes : 64;

    memset(b->address, b->fill, part);
    memset(b->address + b->bytes - part, b->fill, part);
}

static BOOLEAN is_filled(const struct block *b)
{
    SIZE_T part = b->bytes < 256 ? b->bytes : 64;

    for (SIZE_T i = 0; i < part; i++)
        if (b->address[i] != b->fill || b->address[b->bytes - 1 - i] != b->fill)
            return FALSE;
    return TRUE;
}

static SIZE_T alignment(const struct block *b)
{
    if (b->bytes >= PAGE_SIZE)
        return PAGE_SIZE;
    return b->type & 4 ? 64 : 16;
}

static struct block *new_block(struct worker *w)
{
    struct block *b = calloc(1, sizeof *b);

    if (!b)
        abort();
    b->tag = draw(&w->seed) & 1 ? TAG_A : TAG_B;
    b->type = draw_type(&w->seed);
    b->bytes = draw_size(&w->seed);
    b->fill = (UCHAR)draw(&w->seed);
    allocate_at_a_place(b, (unsigned)(draw(&w->seed) % PLACE_LINES));
    if (!b->address) {
        w->refused[b->type & 1]++;
        free(b);
        return NULL;
    }
    if ((ULONG_PTR)b->address % alignment(b))
        w->unexpected++;
    fill(b);
    struct key *key = key_of(w->keys, b->tag, b->line, b->type & 1);
    key->allocations++;
    key->bytes += (LONG64)b->bytes;
    return b;
}

/* The key of a block is counted where it is freed: keys are summed over the threads. */
static void free_block(struct worker *w, struct block *b)
{
    struct key *key;

    if (!b)
        return;
    if (!is_filled(b))
        w->corrupted++;
    key = key_of(w->keys, b->tag, b->line, b->type & 1);
    key->frees++;
    key->bytes -= (LONG64)b->bytes;
    if (b->fill % 4)
        ExFreePoolWithTag(b->address, b->tag);
    else
        ExFreePool(b->address);
    free(b);
}

static void *work(void *argument)
{
    struct worker *w = argument;

    pthread_barrier_wait(&all_started);
    for (unsigned i = 0; i < w->operations; i++) {
        struct block **slot = &w->slots[draw(&w->seed) % SLOTS];
        switch (draw(&w->seed) % 4) {
        case 0: /* give it away, and take what another thread gave */
            *slot = atomic_exchange(&mailboxes[draw(&w->seed) % MAILBOXES], *slot);
            break;
        case 1:
            free_block(w, *slot);
            *slot = NULL;
            break;
        default:
            free_block(w, *slot);
            *slot = new_block(w);
            break;
        }
    }
    return NULL;
}

/* ---- somebody who looks at the pool and turns its options on and off, all the while ---- */

static BOOLEAN meddle;       /* in this test */
static atomic_bool meddling; /* until the threads are done */

static BOOLEAN look_at(PVOID Context, const EMU_POOL_BLOCK *Block)
{
    *(SIZE_T *)Context += Block->NumberOfBytes + Block->Tag + Block->Site->Line;
    return TRUE;
}

/* Not exact while others allocate and free, and sanitizers rightly see that; but it must find its way. */
static void visit_anyway(void)
{
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    SIZE_T sum = 0;
    EmuPoolVisit(look_at, &sum);
#else
    (void)look_at;
#endif
}

static void *do_meddle(void *argument)
{
    ULONG64 *draws = argument;
    EMU_POOL_COUNTS paged, nonpaged;
    EMU_POOL_SNAPSHOT s;

    while (atomic_load(&meddling)) {
        switch (draw(draws) % 6) {
        case 0:
            EmuPoolTrack((ULONG)(draw(draws) % 4));
            break;
        case 1:
            EmuPoolFailAllocations(1 + draw(draws) % 50, draw(draws) % 3);
            break;
        case 2:
            EmuPoolTrim();
            break;
        case 3:
            visit_anyway();
            break;
        case 4:
            EmuPoolCounts(&paged, &nonpaged);
            break;
        default:
            if (NT_SUCCESS(EmuPoolTakeSnapshot(&s)))
                EmuPoolFreeSnapshot(&s);
            break;
        }
        usleep((useconds_t)(draw(draws) % 200));
    }
    EmuPoolTrack(0);
    EmuPoolFailAllocations(0, 0);
    return NULL;
}

/* ---- comparing ---- */

struct census {
    struct block **table; /* by address, open addressing */
    SIZE_T mask, expected, met;
    unsigned unknown, different, twice;
};

static SIZE_T bucket_of(const struct census *c, const void *address)
{
    return (SIZE_T)((ULONG_PTR)address / 16 * 0x9e3779b97f4a7c15u >> 20) & c->mask;
}

static void expect(struct census *c, struct block *b)
{
    SIZE_T i;

    if (!b)
        return;
    b->seen = FALSE;
    c->expected++;
    for (i = bucket_of(c, b->address); c->table[i]; i = (i + 1) & c->mask)
        ;
    c->table[i] = b;
}

static struct census begin_census(void)
{
    struct census c = {.mask = 8191};

    _Static_assert(THREADS * SLOTS + MAILBOXES < 8192 / 2, "the table stays sparse");
    c.table = calloc(c.mask + 1, sizeof *c.table);
    assert_non_null(c.table);
    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < SLOTS; i++)
            expect(&c, workers[t].slots[i]);
    for (unsigned i = 0; i < MAILBOXES; i++)
        expect(&c, mailboxes[i]);
    return c;
}

static BOOLEAN is_ours(ULONG tag)
{
    return tag == TAG_A || tag == TAG_B || tag == TAG_C;
}

static ULONG line_of(const EMU_POOL_SITE *site)
{
    return strstr(EmuPoolSiteFile(site), "test_pool_random.c") ? site->Line : NO_LINE;
}

static BOOLEAN meet(PVOID Context, const EMU_POOL_BLOCK *Block)
{
    struct census *c = Context;
    struct block *b;
    SIZE_T i;

    if (!is_ours(Block->Tag))
        return TRUE;
    for (i = bucket_of(c, Block->Address); (b = c->table[i]) && b->address != Block->Address; i = (i + 1) & c->mask)
        ;
    if (!b) {
        c->unknown++;
        return TRUE;
    }
    c->met++;
    c->twice += b->seen;
    b->seen = TRUE;
    if (b->bytes != Block->NumberOfBytes || b->tag != Block->Tag || (b->type & 1) != Block->Paged ||
        b->line != line_of(Block->Site) || Block->BlockBytes < b->bytes)
        c->different++;
    return TRUE;
}

static void compare_blocks(void)
{
    struct census c = begin_census();

    EmuPoolVisit(meet, &c);
    free(c.table);
    assert_int_equal(c.unknown, 0);
    assert_int_equal(c.different, 0);
    assert_int_equal(c.twice, 0);
    assert_int_equal(c.met, c.expected);
}

static void compare_rows(const EMU_POOL_SNAPSHOT *before)
{
    struct key expected[KEYS] = {0}, reported[KEYS] = {0};
    EMU_POOL_SNAPSHOT after, d;

    for (unsigned t = 0; t < THREADS; t++)
        for (const struct key *k = workers[t].keys; k < workers[t].keys + KEYS && k->used; k++) {
            struct key *sum = key_of(expected, k->tag, k->line, k->paged);
            sum->allocations += k->allocations;
            sum->frees += k->frees;
            sum->bytes += k->bytes;
        }
    assert_status(EmuPoolTakeSnapshot(&after), STATUS_SUCCESS);
    assert_status(EmuPoolCompare(before, &after, &d), STATUS_SUCCESS);
    for (ULONG i = 0; i < d.Count; i++) {
        const EMU_POOL_USE *u = &d.Uses[i];
        struct key *k;
        if (!is_ours(u->Tag))
            continue;
        assert_int_equal(u->LiveBlocks, (LONG64)(u->Allocations - u->Frees));
        /* Which of two exported calls it was is not told by a line: rows of one key are summed. */
        k = key_of(reported, u->Tag, line_of(u->Site), u->Paged);
        k->allocations += (LONG64)u->Allocations;
        k->frees += (LONG64)u->Frees;
        k->bytes += u->LiveBytes;
    }
    for (const struct key *k = expected; k < expected + KEYS && k->used; k++) {
        const struct key *r = key_of(reported, k->tag, k->line, k->paged);
        if (r->allocations != k->allocations || r->frees != k->frees || r->bytes != k->bytes)
            fail_msg("%.4s line %u %s: reported %lld allocations %lld frees %lld bytes, known %lld %lld %lld",
                     (const char *)&k->tag, k->line, k->paged ? "paged" : "nonpaged", (long long)r->allocations,
                     (long long)r->frees, (long long)r->bytes, (long long)k->allocations, (long long)k->frees,
                     (long long)k->bytes);
    }
    for (const struct key *r = reported; r < reported + KEYS && r->used; r++)
        assert_true(key_of(expected, r->tag, r->line, r->paged)->allocations);
    EmuPoolFreeSnapshot(&after);
    EmuPoolFreeSnapshot(&d);
}

static void compare_pool(const EMU_POOL_COUNTS *before, const EMU_POOL_COUNTS *now, BOOLEAN paged)
{
    LONG64 allocations = 0, frees = 0, bytes = 0, refused = 0;

    for (unsigned t = 0; t < THREADS; t++) {
        refused += (LONG64)workers[t].refused[paged];
        for (const struct key *k = workers[t].keys; k < workers[t].keys + KEYS && k->used; k++)
            if (k->paged == paged) {
                allocations += k->allocations;
                frees += k->frees;
                bytes += k->bytes;
            }
    }
    /* A refusal asks the server to allocate as well, which it may or may not be able to: not ours to count. */
    if (!refused) {
        assert_int_equal(now->Allocations - before->Allocations, allocations);
        assert_int_equal(now->Frees - before->Frees, frees);
    }
    assert_int_equal(now->LiveBlocks - before->LiveBlocks, allocations - frees);
    assert_int_equal(now->LiveBytes - before->LiveBytes, bytes);
    assert_true(now->Failures - before->Failures >= (ULONG64)refused);
    assert_true(now->Pages * PAGE_SIZE >= now->LiveBytes);
    assert_true(now->Pages <= now->PeakPages);
    assert_true(now->PeakPages <= now->LimitPages);
    assert_true(now->LiveBytes <= now->PeakBytes);
}

static void run_generation(ULONG64 seed, unsigned operations)
{
    pthread_t threads[THREADS], meddler;
    ULONG64 meddler_seed = seed * 0x9e3779b97f4a7c15u;

    pthread_barrier_init(&all_started, NULL, THREADS);
    atomic_store(&meddling, meddle);
    if (meddle)
        assert_int_equal(pthread_create(&meddler, NULL, do_meddle, &meddler_seed), 0);
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t].seed = (seed + t + 1) * 0x9e3779b97f4a7c15u;
        workers[t].operations = operations;
        assert_int_equal(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    if (atomic_exchange(&meddling, FALSE))
        pthread_join(meddler, NULL);
    pthread_barrier_destroy(&all_started);
    for (unsigned t = 0; t < THREADS; t++) {
        assert_int_equal(workers[t].corrupted, 0);
        assert_int_equal(workers[t].unexpected, 0);
    }
}

static void free_all(void)
{
    for (unsigned i = 0; i < MAILBOXES; i++)
        free_block(&workers[0], atomic_exchange(&mailboxes[i], NULL));
    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < SLOTS; i++) {
            free_block(&workers[0], workers[t].slots[i]);
            workers[t].slots[i] = NULL;
        }
}

static void run_traffic(SIZE_T paged_limit)
{
    const char *soak = getenv("RDRLAB_SOAK");
    unsigned operations = (soak && *soak ? 10000000 : 200000) / THREADS / GENERATIONS;
    EMU_POOL_COUNTS paged_before, nonpaged_before, paged, nonpaged;
    EMU_POOL_SNAPSHOT before;
    struct lab lab;

    print_message("seed %lu, %u generations of %u threads of %u operations\n", first_seed, GENERATIONS, THREADS,
                  operations);
    lab_boot_unmapped(&lab, "nt4-sp6", paged_limit);
    memset(workers, 0, sizeof workers);
    EmuPoolCounts(&paged_before, &nonpaged_before);
    assert_status(EmuPoolTakeSnapshot(&before), STATUS_SUCCESS);
    for (unsigned g = 0; g <= GENERATIONS; g++) {
        if (g < GENERATIONS)
            run_generation(first_seed + g * THREADS, operations);
        else
            free_all();
        compare_blocks();
        compare_rows(&before);
        EmuPoolCounts(&paged, &nonpaged);
        compare_pool(&paged_before, &paged, TRUE);
        compare_pool(&nonpaged_before, &nonpaged, FALSE);
    }
    assert_int_equal(workers[0].corrupted, 0);
    assert_int_equal(paged.LiveBlocks, paged_before.LiveBlocks);
    assert_int_equal(nonpaged.LiveBlocks, nonpaged_before.LiveBlocks);
    EmuPoolFreeSnapshot(&before);
    lab_shut_down(&lab, 0);
}

static void test_random_traffic_is_reported_exactly(void **state)
{
    run_traffic(0);
    for (unsigned t = 0; t < THREADS; t++)
        assert_int_equal(workers[t].refused[0] + workers[t].refused[1], 0);
}

static void test_random_traffic_is_reported_exactly_while_the_pool_is_full(void **state)
{
    ULONG64 refused = 0;

    run_traffic((SIZE_T)512 << 10);
    for (unsigned t = 0; t < THREADS; t++) {
        assert_int_equal(workers[t].refused[0], 0);
        refused += workers[t].refused[1];
    }
    assert_true(refused > 100);
}

static void test_random_traffic_is_reported_exactly_whatever_is_switched_on_meanwhile(void **state)
{
    meddle = TRUE;
    run_traffic(0);
    meddle = FALSE;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_traffic_is_reported_exactly),
        cmocka_unit_test(test_random_traffic_is_reported_exactly_while_the_pool_is_full),
        cmocka_unit_test(test_random_traffic_is_reported_exactly_whatever_is_switched_on_meanwhile),
    };

    if (argc > 1)
        first_seed = strtoul(argv[1], NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
