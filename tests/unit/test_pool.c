/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG  POOL_TAG('T', 'e', 's', 't')
#define TAG2 POOL_TAG('T', 's', 't', '2')

static EMU_POOL_SNAPSHOT snapshot(void)
{
    EMU_POOL_SNAPSHOT s;
    assert_status(EmuPoolTakeSnapshot(&s), STATUS_SUCCESS);
    return s;
}

static EMU_POOL_SNAPSHOT changes_since(EMU_POOL_SNAPSHOT *before)
{
    EMU_POOL_SNAPSHOT after = snapshot(), difference;
    assert_status(EmuPoolCompare(before, &after, &difference), STATUS_SUCCESS);
    EmuPoolFreeSnapshot(before);
    EmuPoolFreeSnapshot(&after);
    return difference;
}

static void test_a_kept_block_is_told_by_tag_and_line(void **state)
{
    EMU_POOL_SNAPSHOT before = snapshot(), d;
    void *kept = ExAllocatePoolWithTag(PagedPool, 328, TAG);
    ULONG line = __LINE__ - 1;

    ExFreePoolWithTag(ExAllocatePoolWithTag(PagedPool, 40, TAG2), TAG2);
    d = changes_since(&before);
    assert_int_equal(d.Count, 2);
    assert_int_equal(d.Uses[0].Tag, TAG);
    assert_int_equal(d.Uses[0].LiveBlocks, 1);
    assert_int_equal(d.Uses[0].LiveBytes, 328);
    assert_int_equal(d.Uses[0].Site->Line, line);
    assert_non_null(strstr(EmuPoolSiteFile(d.Uses[0].Site), "test_pool.c"));
    assert_int_equal(d.Uses[1].Tag, TAG2);
    assert_int_equal(d.Uses[1].Allocations, 1);
    assert_int_equal(d.Uses[1].Frees, 1);
    assert_int_equal(d.Uses[1].LiveBlocks, 0);
    EmuPoolFreeSnapshot(&d);
    ExFreePoolWithTag(kept, TAG);
}

static void test_one_line_with_two_tags_is_two_rows(void **state)
{
    EMU_POOL_SNAPSHOT before = snapshot(), d;
    void *blocks[2];

    for (int i = 0; i < 2; i++)
        blocks[i] = ExAllocatePoolWithTag(i ? PagedPool : NonPagedPool, 100, i ? TAG : TAG2);
    d = changes_since(&before);
    assert_int_equal(d.Count, 2);
    assert_int_not_equal(d.Uses[0].Tag, d.Uses[1].Tag);
    assert_ptr_equal(d.Uses[0].Site, d.Uses[1].Site);
    EmuPoolFreeSnapshot(&d);
    ExFreePool(blocks[0]);
    ExFreePool(blocks[1]);
}

static void test_the_exported_function_knows_its_caller(void **state)
{
    EMU_POOL_SNAPSHOT before = snapshot(), d;
    void *p = (ExAllocatePoolWithTag)(PagedPool, 24, TAG);

    d = changes_since(&before);
    assert_int_equal(d.Count, 1);
    assert_non_null(d.Uses[0].Site->Function);
    EmuPoolFreeSnapshot(&d);
    ExFreePoolWithTag(p, TAG);
}

static void test_alignment_is_16_bytes_and_a_page_for_a_page(void **state)
{
    for (SIZE_T size = 1; size < 3 * PAGE_SIZE; size += size < 64 ? 1 : 61) {
        UCHAR *p = ExAllocatePoolWithTag(NonPagedPool, size, TAG);
        assert_non_null(p);
        assert_int_equal((ULONG_PTR)p % (size >= PAGE_SIZE ? PAGE_SIZE : 16), 0);
        memset(p, 0xa5, size);
        ExFreePoolWithTag(p, TAG);
    }
}

static void test_pages_are_granted_and_returned_apart_from_bytes(void **state)
{
    EMU_POOL_COUNTS before, after, nonpaged;
    void *blocks[100];

    EmuPoolTrim();
    EmuPoolCounts(&before, &nonpaged);
    for (int i = 0; i < 100; i++)
        blocks[i] = ExAllocatePoolWithTag(PagedPool, 1000, TAG);
    EmuPoolCounts(&after, &nonpaged);
    assert_int_equal(after.LiveBytes - before.LiveBytes, 100 * 1000);
    assert_int_equal(after.LiveBlockBytes - before.LiveBlockBytes, 100 * 1008);
    assert_int_equal(after.Pages - before.Pages, 7 * 4); /* slabs of four pages, 16 blocks in each */
    for (int i = 0; i < 100; i++)
        ExFreePoolWithTag(blocks[(i * 37) % 100], TAG);
    EmuPoolTrim();
    EmuPoolCounts(&after, &nonpaged);
    assert_int_equal(after.Pages, before.Pages);
    assert_int_equal(after.LiveBytes, before.LiveBytes);
}

static void test_the_limit_refuses_pages_and_one_event_2020_tells(void **state)
{
    EMU_POOL_COUNTS paged, nonpaged;
    EMU_EVENT event;
    void **first = NULL;
    unsigned n = 0;

    for (;;) {
        void **p = ExAllocatePoolWithTag(PagedPool, 2 * PAGE_SIZE, TAG);
        if (!p)
            break;
        *p = first;
        first = p;
        n++;
    }
    assert_null(ExAllocatePoolWithTag(PagedPool, 64 * PAGE_SIZE, TAG));
    EmuPoolCounts(&paged, &nonpaged);
    assert_true(paged.Pages <= paged.LimitPages);
    assert_true(paged.LimitPages - paged.Pages < 2);
    assert_int_equal(paged.LimitPages, (8 << 20) / PAGE_SIZE);
    assert_true(paged.Failures >= 2);
    assert_true(n > 900);
    while (first) {
        void **next = *first;
        ExFreePoolWithTag(first, TAG);
        first = next;
    }
    /* At most a page was left, and the server's probe takes just that: fill it too. */
    if (!EmuReadEvents(0, &event, 1)) {
        first = NULL;
        for (;;) {
            void **p = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, TAG);
            if (!p)
                break;
            *p = first;
            first = p;
        }
        while (first) {
            void **next = *first;
            ExFreePoolWithTag(first, TAG);
            first = next;
        }
    }
    assert_int_equal(EmuReadEvents(0, &event, 1), 1);
    assert_int_equal(event.Id, 2020);
    assert_string_equal(event.Source, "Srv");
}

static void test_bad_allocations_bug_check(void **state)
{
    assert_bug_check(BAD_POOL_CALLER, 0x0, ExAllocatePoolWithTag(PagedPool, 0, TAG));
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_bug_check(BAD_POOL_CALLER, 0x8, ExAllocatePoolWithTag(PagedPool, 8, TAG));
    void *p = ExAllocatePoolWithTag(NonPagedPool, 8, TAG);
    assert_non_null(p);
    ExFreePoolWithTag(p, TAG);
    KeLowerIrql(PASSIVE_LEVEL);
}

static void test_bad_frees_bug_check(void **state)
{
    char *small = ExAllocatePoolWithTag(PagedPool, 100, TAG), *large = ExAllocatePoolWithTag(PagedPool, 9000, TAG);
    char *other = ExAllocatePoolWithTag(PagedPool, 100, TAG); /* keeps the page of small */
    int on_stack;

    assert_bug_check(BAD_POOL_CALLER, 0xA, ExFreePoolWithTag(small, TAG2));
    assert_int_equal(lab_bug_check.Parameters[2], TAG);
    assert_int_equal(lab_bug_check.Parameters[3], TAG2);
    assert_bug_check(BAD_POOL_CALLER, 0xA, ExFreePoolWithTag(large, TAG2));
    assert_bug_check(BAD_POOL_CALLER, 0x41286, ExFreePoolWithTag(small + 16, TAG));
    assert_bug_check(BAD_POOL_CALLER, 0x41286, ExFreePoolWithTag(large + 4096, TAG));
    assert_bug_check(BAD_POOL_CALLER, 0x46, ExFreePoolWithTag(&on_stack, TAG));
    assert_bug_check(BAD_POOL_CALLER, 0x46, ExFreePoolWithTag(NULL, TAG));
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_bug_check(BAD_POOL_CALLER, 0x9, ExFreePoolWithTag(small, TAG));
    KeLowerIrql(PASSIVE_LEVEL);
    ExFreePoolWithTag(small, TAG);
    assert_bug_check(BAD_POOL_CALLER, 0x7, ExFreePoolWithTag(small, TAG));
    ExFreePoolWithTag(large, TAG);
    assert_bug_check(BAD_POOL_CALLER, 0x7, ExFreePoolWithTag(large, TAG));
    ExFreePoolWithTag(other, TAG);
}

static void test_an_overwritten_header_bug_checks(void **state)
{
    ULONG *p = ExAllocatePoolWithTag(PagedPool, 64, TAG), saved = p[-1];

    p[-1] = 0xffffffff; /* state and link of the header before the block */
    assert_bug_check(BAD_POOL_HEADER, 0x20, ExFreePoolWithTag(p, TAG));
    p[-1] = saved;
    ExFreePoolWithTag(p, TAG);
}

static void test_a_must_succeed_allocation_stops_the_machine_when_it_cannot(void **state)
{
    assert_bug_check(MUST_SUCCEED_POOL_EMPTY, (SIZE_T)1 << 40,
                     ExAllocatePoolWithTag(NonPagedPoolMustSucceed, (SIZE_T)1 << 40, TAG));
}

static void test_the_nth_allocation_fails_on_demand(void **state)
{
    void *p;

    EmuPoolFailAllocations(2, 1);
    p = ExAllocatePoolWithTag(PagedPool, 8, TAG);
    assert_non_null(p);
    ExFreePool(p);
    assert_null(ExAllocatePoolWithTag(PagedPool, 8, TAG));
    p = ExAllocatePoolWithTag(PagedPool, 8, TAG);
    assert_non_null(p);
    ExFreePool(p);
    assert_int_equal(EmuPoolFailedAllocations(), 1);
    EmuPoolFailAllocations(0, 0);
}

/* ---- the set of blocks that is known to be out is what the pool says is out, block by block ---- */

#define SLOTS 512

struct worker {
    unsigned seed, rounds;
    struct {
        UCHAR *block;
        ULONG size;
        BOOLEAN paged;
    } slots[SLOTS];
    BOOLEAN ok;
};

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

static void replace_slot(struct worker *w, unsigned i)
{
    ULONG size = next(&w->seed) % 16 ? 1 + next(&w->seed) % 2048 : 4000 + next(&w->seed) % 9000;
    BOOLEAN paged = next(&w->seed) & 1;

    if (w->slots[i].block) {
        w->ok = w->ok && w->slots[i].block[0] == (UCHAR)i && w->slots[i].block[w->slots[i].size - 1] == (UCHAR)i;
        ExFreePoolWithTag(w->slots[i].block, w->slots[i].size % 2 ? TAG : TAG2);
        w->slots[i].block = NULL;
        if (next(&w->seed) & 1)
            return;
    }
    w->slots[i].block = ExAllocatePoolWithTag(paged ? PagedPool : NonPagedPool, size, size % 2 ? TAG : TAG2);
    w->slots[i].size = size;
    w->slots[i].paged = paged;
    if (w->slots[i].block)
        memset(w->slots[i].block, (int)i, size);
}

static void *work(void *argument)
{
    struct worker *w = argument;

    w->ok = TRUE;
    for (unsigned r = 0; r < w->rounds; r++)
        replace_slot(w, next(&w->seed) % SLOTS);
    return NULL;
}

struct census {
    struct worker *workers;
    ULONG64 blocks[2], bytes[2];
    unsigned unknown;
};

static BOOLEAN count_block(PVOID Context, const EMU_POOL_BLOCK *Block)
{
    struct census *c = Context;

    if (Block->Tag != TAG && Block->Tag != TAG2)
        return TRUE;
    c->blocks[Block->Paged]++;
    c->bytes[Block->Paged] += Block->NumberOfBytes;
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < SLOTS; i++)
            if (c->workers[t].slots[i].block == Block->Address)
                return c->workers[t].slots[i].size == Block->NumberOfBytes &&
                               c->workers[t].slots[i].paged == Block->Paged
                           ? TRUE
                           : (c->unknown++, TRUE);
    c->unknown++;
    return TRUE;
}

static void test_two_threads_of_random_traffic_are_counted_exactly(void **state)
{
    const char *soak = getenv("RDRLAB_SOAK");
    unsigned rounds = soak && *soak ? 5000000 : 100000, seed = 20031;
    static struct worker workers[2];
    struct census census = {.workers = workers};
    ULONG64 blocks[2] = {0}, bytes[2] = {0};
    EMU_POOL_SNAPSHOT before = snapshot(), d;
    pthread_t threads[2];

    print_message("seed %u, %u rounds in each of 2 threads\n", seed, rounds);
    for (unsigned t = 0; t < 2; t++) {
        workers[t] = (struct worker){.seed = seed + t, .rounds = rounds};
        assert_int_equal(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
    }
    for (unsigned t = 0; t < 2; t++) {
        pthread_join(threads[t], NULL);
        assert_true(workers[t].ok);
        for (int i = 0; i < SLOTS; i++)
            if (workers[t].slots[i].block) {
                blocks[workers[t].slots[i].paged]++;
                bytes[workers[t].slots[i].paged] += workers[t].slots[i].size;
            }
    }
    EmuPoolVisit(count_block, &census);
    assert_int_equal(census.unknown, 0);
    d = changes_since(&before);
    for (ULONG i = 0; i < d.Count; i++) {
        assert_int_equal(d.Uses[i].Allocations - d.Uses[i].Frees, d.Uses[i].LiveBlocks);
        census.blocks[d.Uses[i].Paged] -= (ULONG64)d.Uses[i].LiveBlocks;
        census.bytes[d.Uses[i].Paged] -= (ULONG64)d.Uses[i].LiveBytes;
        blocks[d.Uses[i].Paged] -= (ULONG64)d.Uses[i].LiveBlocks;
        bytes[d.Uses[i].Paged] -= (ULONG64)d.Uses[i].LiveBytes;
    }
    for (int paged = 0; paged < 2; paged++) {
        assert_int_equal(census.blocks[paged], 0);
        assert_int_equal(census.bytes[paged], 0);
        assert_int_equal(blocks[paged], 0);
        assert_int_equal(bytes[paged], 0);
    }
    EmuPoolFreeSnapshot(&d);
    for (unsigned t = 0; t < 2; t++)
        for (int i = 0; i < SLOTS; i++)
            if (workers[t].slots[i].block)
                ExFreePool(workers[t].slots[i].block);
}

static void test_shutdown_tells_what_was_left(void **state)
{
    EMU_MACHINE_AUDIT audit;
    struct lab lab;

    lab_boot_unmapped(&lab, "nt4-sp6", 0);
    ExAllocatePoolWithTag(PagedPool, 77, TAG);
    assert_status(EmuMachineShutdown(&audit), STATUS_MEMORY_NOT_ALLOCATED);
    assert_int_equal(audit.Pool.Count, 1);
    assert_int_equal(audit.Pool.Uses[0].Tag, TAG);
    assert_int_equal(audit.Pool.Uses[0].LiveBytes, 77);
    EmuPoolFreeSnapshot(&audit.Pool);
    smb_backend_free(lab.smb);
}

#define POOL_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up_pool, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_a_kept_block_is_told_by_tag_and_line),
        POOL_TEST(test_one_line_with_two_tags_is_two_rows),
        POOL_TEST(test_the_exported_function_knows_its_caller),
        POOL_TEST(test_alignment_is_16_bytes_and_a_page_for_a_page),
        POOL_TEST(test_pages_are_granted_and_returned_apart_from_bytes),
        POOL_TEST(test_the_limit_refuses_pages_and_one_event_2020_tells),
        POOL_TEST(test_bad_allocations_bug_check),
        POOL_TEST(test_bad_frees_bug_check),
        POOL_TEST(test_an_overwritten_header_bug_checks),
        POOL_TEST(test_a_must_succeed_allocation_stops_the_machine_when_it_cannot),
        POOL_TEST(test_the_nth_allocation_fails_on_demand),
        POOL_TEST(test_two_threads_of_random_traffic_are_counted_exactly),
        cmocka_unit_test(test_shutdown_tells_what_was_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
