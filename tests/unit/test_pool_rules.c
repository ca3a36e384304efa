/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool's rules one by one: quota, limits, tags, kinds of blocks, what is kept of each, and what comes back. */
#include "lab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TAG  POOL_TAG('R', 'u', 'l', 'e')
#define TAG2 POOL_TAG('R', 'u', 'l', '2')

static EMU_POOL_COUNTS paged_counts(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
    return paged;
}

static EMU_POOL_COUNTS nonpaged_counts(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
    return nonpaged;
}

/* What the pool keeps of a block, or a failed test. */
static EMU_POOL_BLOCK found(void *address)
{
    EMU_POOL_BLOCK block;

    assert_true(EmuPoolFind(address, &block));
    return block;
}

/* The sum of the rows of a tag since boot. */
static EMU_POOL_USE use_of(ULONG tag)
{
    EMU_POOL_SNAPSHOT s;
    EMU_POOL_USE sum = {.Tag = tag};

    assert_status(EmuPoolTakeSnapshot(&s), STATUS_SUCCESS);
    for (ULONG i = 0; i < s.Count; i++) {
        const EMU_POOL_USE *u = &s.Uses[i];
        if (u->Tag != tag)
            continue;
        sum.Allocations += u->Allocations;
        sum.Frees += u->Frees;
        sum.LiveBlocks += u->LiveBlocks;
        sum.LiveBytes += u->LiveBytes;
        sum.LiveBlockBytes += u->LiveBlockBytes;
        sum.PeakBytes += u->PeakBytes;
        sum.PeakIsExact = u->PeakIsExact;
    }
    EmuPoolFreeSnapshot(&s);
    return sum;
}

/* ---- quota ---- */

static PEPROCESS enter_new_process(ULONG64 paged_quota)
{
    PEPROCESS process = EmuCreateProcess(1);

    assert_non_null(process);
    EmuSetProcessQuota(process, PagedPool, paged_quota);
    EmuEnterProcess(process);
    return process;
}

static void leave_process(PEPROCESS process)
{
    EmuEnterProcess(EmuSystemProcess());
    EmuDeleteProcess(process);
}

static void test_quota_is_charged_until_the_block_is_freed(void **state)
{
    PEPROCESS process = enter_new_process(EMU_NO_QUOTA);
    void *small = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG);
    void *large = ExAllocatePoolWithQuotaTag(PagedPool, 3 * PAGE_SIZE, TAG);
    void *nonpaged = ExAllocatePoolWithQuotaTag(NonPagedPool, 60, TAG);
    void *uncharged = ExAllocatePoolWithTag(PagedPool, 500, TAG);

    assert_int_equal(EmuProcessQuotaUsed(process, PagedPool), 100 + 3 * PAGE_SIZE);
    assert_int_equal(EmuProcessQuotaUsed(process, NonPagedPool), 60);
    assert_int_equal(found(small).NumberOfBytes, 100);
    ExFreePoolWithTag(uncharged, TAG);
    ExFreePool(large);
    assert_int_equal(EmuProcessQuotaUsed(process, PagedPool), 100);
    EmuEnterProcess(EmuSystemProcess()); /* whoever frees: the one who was charged gets it back */
    ExFreePoolWithTag(small, TAG);
    ExFreePoolWithTag(nonpaged, TAG);
    assert_int_equal(EmuProcessQuotaUsed(process, PagedPool), 0);
    assert_int_equal(EmuProcessQuotaUsed(process, NonPagedPool), 0);
    leave_process(process);
}

static void test_over_quota_is_null_or_an_exception_as_asked(void **state)
{
    PEPROCESS process = enter_new_process(1000);
    void *first = ExAllocatePoolWithQuotaTag(PagedPool, 600, TAG), *second;
    EMU_POOL_COUNTS before = paged_counts(), after;

    assert_non_null(first);
    assert_null(ExAllocatePoolWithQuotaTag(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, 401, TAG));
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_QUOTA_EXCEEDED,
                     ExAllocatePoolWithQuotaTag(PagedPool, 401, TAG));
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_QUOTA_EXCEEDED,
                     ExAllocatePoolWithQuota(PagedPool, 401));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 401, TAG));
    assert_int_equal(EmuProcessQuotaUsed(process, PagedPool), 600);
    after = paged_counts();
    assert_int_equal(after.LiveBlocks, before.LiveBlocks);
    second = ExAllocatePoolWithQuotaTag(PagedPool, 400, TAG); /* just what is left */
    assert_non_null(second);
    assert_non_null(ExAllocatePoolWithTag(PagedPool, 401, TAG2)); /* nobody's account */
    ExFreePool(first);
    ExFreePool(second);
    leave_process(process);
    assert_int_equal(use_of(TAG2).LiveBlocks, 1);
}

static void test_a_refused_allocation_gives_its_quota_back(void **state)
{
    PEPROCESS process = enter_new_process(EMU_NO_QUOTA);

    assert_null(ExAllocatePoolWithQuotaTag(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, (SIZE_T)1 << 30, TAG));
    assert_int_equal(EmuProcessQuotaUsed(process, PagedPool), 0);
    EmuPoolFailAllocations(1, 1);
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_INSUFFICIENT_RESOURCES,
                     ExAllocatePoolWithQuotaTag(PagedPool, 8, TAG));
    EmuPoolFailAllocations(0, 0);
    assert_int_equal(EmuProcessQuotaUsed(process, PagedPool), 0);
    leave_process(process);
}

static void test_a_charged_block_may_outlive_its_process(void **state)
{
    PEPROCESS process = enter_new_process(EMU_NO_QUOTA);
    ULONG64 live = lab_live_blocks();
    void *block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG);

    leave_process(process);
    ExFreePoolWithTag(block, TAG);
    assert_true(lab_live_blocks() < live); /* the process's own is gone too */
}

static void test_the_system_process_is_never_charged(void **state)
{
    void *block;

    EmuSetProcessQuota(EmuSystemProcess(), PagedPool, 0);
    block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG);
    assert_non_null(block);
    assert_int_equal(EmuProcessQuotaUsed(EmuSystemProcess(), PagedPool), 0);
    ExFreePool(block);
}

static void test_quota_is_charged_and_returned_in_any_portions(void **state)
{
    PEPROCESS process = enter_new_process(1000);

    assert_status(PsChargeProcessPoolQuota(process, PagedPool, 700), STATUS_SUCCESS);
    assert_status(PsChargeProcessPoolQuota(process, PagedPool, 301), STATUS_QUOTA_EXCEEDED);
    assert_status(PsChargeProcessPoolQuota(process, PagedPool, 300), STATUS_SUCCESS);
    for (int i = 0; i < 10; i++)
        PsReturnPoolQuota(process, PagedPool, 100);
    assert_int_equal(EmuProcessQuotaUsed(process, PagedPool), 0);
    assert_int_equal(EmuHandleCount(process), 0); /* it is still there */
    assert_true(found(process).NumberOfBytes > 0);
    assert_bug_check(QUOTA_UNDERFLOW, (ULONG_PTR)process, PsReturnPoolQuota(process, PagedPool, 1));
    EmuEnterProcess(EmuSystemProcess());
}

/* ---- limits ---- */

struct chain {
    struct chain *next;
};

static struct chain *fill(POOL_TYPE type, SIZE_T bytes, unsigned most)
{
    struct chain *first = NULL, *c;

    while (most-- && (c = ExAllocatePoolWithTag(type, bytes, TAG))) {
        c->next = first;
        first = c;
    }
    return first;
}

static void release(struct chain *first)
{
    while (first) {
        struct chain *next = first->next;
        ExFreePoolWithTag(first, TAG);
        first = next;
    }
}

static BOOLEAN has_event(ULONG id)
{
    EMU_EVENT events[64];
    ULONG count = EmuReadEvents(0, events, 64);

    for (ULONG i = 0; i < count && i < 64; i++)
        if (events[i].Id == id)
            return !strcmp(events[i].Source, "Srv");
    return FALSE;
}

static void fill_until_refused(POOL_TYPE type, ULONG event)
{
    struct chain *pages = fill(type, PAGE_SIZE, ~0u), *blocks = fill(type, 40, ~0u);
    EMU_POOL_COUNTS full = type == PagedPool ? paged_counts() : nonpaged_counts();

    assert_true(full.Pages <= full.LimitPages);
    assert_true(full.LimitPages - full.Pages < 4); /* less than a slab */
    assert_true(full.Failures >= 2);
    assert_null(ExAllocatePoolWithTag(type, 40, TAG));
    assert_true(has_event(event));
    release(pages);
    release(blocks);
    EmuPoolTrim();
    blocks = fill(type, 40, 1);
    assert_non_null(blocks);
    release(blocks);
}

static void test_a_full_paged_pool_refuses_and_writes_event_2020(void **state)
{
    fill_until_refused(PagedPool, 2020);
}

static void test_a_full_nonpaged_pool_refuses_and_writes_event_2019(void **state)
{
    fill_until_refused(NonPagedPool, 2019);
}

static void test_must_succeed_stops_the_machine_when_the_pool_is_full(void **state)
{
    struct chain *pages = fill(NonPagedPool, PAGE_SIZE, ~0u), *blocks = fill(NonPagedPool, 2000, ~0u);

    assert_bug_check(MUST_SUCCEED_POOL_EMPTY, 2000, ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 2000, TAG));
    assert_bug_check(MUST_SUCCEED_POOL_EMPTY, 2000, ExAllocatePoolWithTag(NonPagedPoolCacheAlignedMustS, 2000, TAG));
    release(pages);
    release(blocks);
}

static void test_trimming_begins_at_80_percent_each_time_it_is_passed(void **state)
{
    EMU_POOL_COUNTS start = paged_counts(), now;
    struct chain *pages;

    assert_int_equal(start.TrimPages, start.LimitPages * 80 / 100);
    assert_int_equal(start.Trims, 0);
    pages = fill(PagedPool, PAGE_SIZE, (unsigned)(start.TrimPages - start.Pages - 8));
    assert_int_equal(paged_counts().Trims, 0);
    for (unsigned times = 1; times <= 3; times++) {
        struct chain *more = fill(PagedPool, PAGE_SIZE, 16);
        now = paged_counts();
        assert_int_equal(now.Trims, times);
        assert_true(now.Pages > now.TrimPages);
        release(more);
        EmuPoolTrim();
        assert_true(paged_counts().Pages <= start.TrimPages);
    }
    release(pages);
    assert_int_equal(nonpaged_counts().Trims, 0);
}

/* ---- tags ---- */

static void *allocate_tagged(ULONG tag)
{
    return (ExAllocatePoolWithTag)(PagedPool, 32, tag);
}

static void test_a_tag_must_say_something(void **state)
{
    static const ULONG good[] = {POOL_TAG('a', ' ', ' ', ' '), POOL_TAG(' ', ' ', ' ', '9'),
                                 POOL_TAG('.', 'Z', '.', '.'), POOL_TAG('b', 'i', 'g', ' '),
                                 POOL_TAG('B', 'I', 'G', 'S')};
    void *block;

    assert_bug_check(BAD_POOL_CALLER, 0x9B, ExAllocatePoolWithTag(PagedPool, 32, 0));
    assert_bug_check(BAD_POOL_CALLER, 0x9B, allocate_tagged(0));
    assert_bug_check(BAD_POOL_CALLER, 0x9C, ExAllocatePoolWithTag(PagedPool, 32, POOL_TAG('B', 'I', 'G', ' ')));
    assert_bug_check(BAD_POOL_CALLER, 0x9C, allocate_tagged(POOL_TAG('B', 'I', 'G', ' ')));
    assert_bug_check(BAD_POOL_CALLER, 0x9D, ExAllocatePoolWithTag(PagedPool, 32, POOL_TAG(' ', '.', '-', 0x7f)));
    assert_bug_check(BAD_POOL_CALLER, 0x9D, allocate_tagged(POOL_TAG(0xc0, 0xff, 0x80, 1)));
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        block = allocate_tagged(good[i]);
        assert_non_null(block);
        assert_int_equal(found(block).Tag, good[i]);
        ExFreePoolWithTag(block, good[i]);
    }
}

static void test_a_bad_tag_is_seen_at_a_place_that_used_a_good_one(void **state)
{
    static const ULONG tags[] = {TAG, TAG, 0};

    for (unsigned i = 0; i < 2; i++)
        ExFreePool(allocate_tagged(tags[i]));
    assert_bug_check(BAD_POOL_CALLER, 0x9B, allocate_tagged(tags[2]));
}

static void test_without_a_tag_it_is_none(void **state)
{
    void *blocks[] = {ExAllocatePool(PagedPool, 20), (ExAllocatePool)(NonPagedPool, 20)};

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(found(blocks[i]).Tag, POOL_TAG_NONE);
        ExFreePoolWithTag(blocks[i], POOL_TAG_NONE);
    }
}

/* ---- kinds of blocks ---- */

static void test_cache_aligned_blocks_begin_a_line(void **state)
{
    static const POOL_TYPE types[] = {NonPagedPoolCacheAligned, PagedPoolCacheAligned, NonPagedPoolCacheAlignedMustS};

    for (unsigned t = 0; t < 3; t++)
        for (SIZE_T bytes = 1; bytes < 2 * PAGE_SIZE; bytes += bytes < 300 ? 1 : 97) {
            UCHAR *block = ExAllocatePoolWithTag(types[t], bytes, TAG);
            assert_non_null(block);
            assert_int_equal((ULONG_PTR)block % 64, 0);
            assert_int_equal(found(block).NumberOfBytes, bytes);
            assert_int_equal(found(block).Paged, types[t] & 1);
            memset(block, 0x5a, bytes);
            ExFreePoolWithTag(block, TAG);
        }
    assert_int_equal(use_of(TAG).LiveBlocks, 0);
}

static void test_a_block_of_a_page_begins_one(void **state)
{
    for (SIZE_T bytes = PAGE_SIZE - 40; bytes < PAGE_SIZE + 40; bytes++)
        for (unsigned paged = 0; paged < 2; paged++) {
            UCHAR *block = ExAllocatePoolWithTag((POOL_TYPE)paged, bytes, TAG);
            assert_non_null(block);
            assert_int_equal((ULONG_PTR)block % (bytes >= PAGE_SIZE ? PAGE_SIZE : 16), 0);
            assert_true(found(block).BlockBytes >= bytes);
            memset(block, 0x5a, bytes);
            ExFreePoolWithTag(block, TAG);
        }
}

static void test_pool2_zeroes_unless_told_not_to(void **state)
{
    for (SIZE_T bytes = 1; bytes < 3 * PAGE_SIZE; bytes = bytes * 2 + 5)
        for (unsigned round = 0; round < 3; round++) { /* over what was there before, too */
            UCHAR *block = ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG);
            assert_non_null(block);
            for (SIZE_T i = 0; i < bytes; i++)
                assert_int_equal(block[i], 0);
            memset(block, 0xff, bytes);
            ExFreePoolWithTag(block, TAG);
        }
    for (unsigned aligned = 0; aligned < 2; aligned++) {
        UCHAR *block = ExAllocatePool2(
            POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED | (aligned ? POOL_FLAG_CACHE_ALIGNED : 0), 200, TAG);
        assert_non_null(block);
        assert_int_equal((ULONG_PTR)block % (aligned ? 64 : 16), 0);
        assert_false(found(block).Paged);
        ExFreePoolWithTag(block, TAG);
    }
}

static void test_pool2_takes_exactly_one_pool_and_known_flags(void **state)
{
    static const POOL_FLAGS bad[] = {0,
                                     POOL_FLAG_UNINITIALIZED,
                                     POOL_FLAG_PAGED | POOL_FLAG_NON_PAGED,
                                     POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE,
                                     POOL_FLAG_PAGED | 0x4,
                                     POOL_FLAG_PAGED | 0x8000000000000000ull};

    for (volatile unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(ExAllocatePool2(bad[i], 16, TAG));
        assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_INVALID_PARAMETER,
                         ExAllocatePool2(bad[i] | POOL_FLAG_RAISE_ON_FAILURE, 16, TAG));
    }
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED, (SIZE_T)1 << 40, TAG));
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_INSUFFICIENT_RESOURCES,
                     ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, (SIZE_T)1 << 40, TAG));
    assert_int_equal(use_of(TAG).LiveBlocks, 0);
}

/* ---- what is kept of a block ---- */

static void test_a_block_is_found_by_any_address_in_it(void **state)
{
    static const SIZE_T sizes[] = {1, 100, 248, 249, 1000, 4072, 4073, PAGE_SIZE, 3 * PAGE_SIZE + 1};
    EMU_POOL_BLOCK block;
    int on_stack;

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        UCHAR *p = ExAllocatePoolWithTag(PagedPool, sizes[i], TAG);
        ULONG line = __LINE__ - 1;
        const SIZE_T offsets[] = {0, sizes[i] / 2, sizes[i] - 1};
        for (unsigned o = 0; o < 3; o++) {
            block = found(p + offsets[o]);
            assert_ptr_equal(block.Address, p);
            assert_int_equal(block.NumberOfBytes, sizes[i]);
            assert_true(block.BlockBytes >= sizes[i]);
            assert_int_equal(block.Tag, TAG);
            assert_true(block.Paged);
            assert_int_equal(block.Site->Line, line);
            assert_null(block.Stack);
            assert_true(block.Age == EMU_POOL_AGE_UNKNOWN);
        }
        assert_false(EmuPoolFind(p + sizes[i], &block));
        ExFreePoolWithTag(p, TAG);
        assert_false(EmuPoolFind(p, &block));
    }
    assert_false(EmuPoolFind(NULL, &block));
    assert_false(EmuPoolFind(&on_stack, &block));
    assert_false(EmuPoolFind((void *)(ULONG_PTR)0xffffffffffffffff, &block));
}

static void test_ages_are_in_allocations(void **state)
{
    void *before = ExAllocatePoolWithTag(PagedPool, 50, TAG), *small, *large, *after;

    assert_int_equal(EmuPoolTrack(EMU_POOL_TRACK_AGES), 0);
    small = ExAllocatePoolWithTag(PagedPool, 50, TAG);
    large = ExAllocatePoolWithTag(NonPagedPool, 2 * PAGE_SIZE, TAG);
    for (unsigned i = 0; i < 10; i++)
        ExFreePool(ExAllocatePoolWithTag(PagedPool, 20, TAG2));
    assert_int_equal(found(small).Age - found(large).Age, 1);
    assert_in_range(found(large).Age, 10, 11);
    assert_int_equal(EmuPoolTrack(0), EMU_POOL_TRACK_AGES);
    after = ExAllocatePoolWithTag(PagedPool, 50, TAG);
    assert_true(found(before).Age == EMU_POOL_AGE_UNKNOWN);
    assert_true(found(after).Age == EMU_POOL_AGE_UNKNOWN);
    assert_in_range(found(small).Age, 11, 13);
    assert_int_equal(found(small).NumberOfBytes, 50);
    ExFreePoolWithTag(small, TAG);
    ExFreePoolWithTag(before, TAG);
    ExFreePoolWithTag(large, TAG);
    ExFreePoolWithTag(after, TAG);
    assert_int_equal(use_of(TAG).LiveBlocks, 0);
    assert_int_equal(use_of(TAG).LiveBytes, 0);
}

static __attribute__((noinline)) void *allocate_below(void)
{
    void *p = ExAllocatePoolWithTag(PagedPool, 30, TAG);
    __asm__ volatile("" : "+r"(p)); /* no tail call */
    return p;
}

static __attribute__((noinline)) void *through_one(void)
{
    void *p = allocate_below();
    __asm__ volatile("" : "+r"(p));
    return p;
}

static __attribute__((noinline)) void *through_another(void)
{
    void *p = allocate_below();
    __asm__ volatile("" : "+r"(p));
    __asm__ volatile("nop"); /* not the same function under another name */
    return p;
}

/* Of the functions here, frame is in the one that begins last before it. */
static BOOLEAN is_in(void *frame, void *(*function)(void))
{
    void *(*const all[])(void) = {allocate_below, through_one, through_another};
    ULONG_PTR best = 0;

    for (unsigned i = 0; i < 3; i++)
        if ((ULONG_PTR)all[i] < (ULONG_PTR)frame && (ULONG_PTR)all[i] > best)
            best = (ULONG_PTR)all[i];
    return best == (ULONG_PTR)function && (ULONG_PTR)frame - best < 200;
}

static BOOLEAN passes(const EMU_POOL_STACK *stack, void *(*function)(void))
{
    for (ULONG i = 0; i < stack->Depth; i++)
        if (is_in(stack->Frames[i], function))
            return TRUE;
    return FALSE;
}

static void test_stacks_tell_by_which_way_a_place_was_reached(void **state)
{
    void *blocks[4], *(*const ways[4])(void) = {through_one, through_another, through_one, through_another};
    EMU_POOL_BLOCK b[4];
    EMU_POOL_SNAPSHOT s;
    unsigned rows = 0;

    EmuPoolTrack(EMU_POOL_TRACK_STACKS);
    for (unsigned i = 0; i < 4; i++) { /* one place in the source calls all of them */
        blocks[i] = ways[i]();
        b[i] = found(blocks[i]);
        assert_non_null(b[i].Stack);
        assert_in_range(b[i].Stack->Depth, 3, EMU_POOL_STACK_FRAMES);
        assert_true(passes(b[i].Stack, ways[i]));
        assert_false(passes(b[i].Stack, ways[(i + 1) % 4]));
        assert_ptr_equal(b[i].Site, b[0].Site);
    }
    EmuPoolTrack(0);
    assert_ptr_equal(b[0].Stack, b[2].Stack);
    assert_ptr_equal(b[1].Stack, b[3].Stack);
    assert_ptr_not_equal(b[0].Stack, b[1].Stack);
    assert_status(EmuPoolTakeSnapshot(&s), STATUS_SUCCESS);
    for (ULONG i = 0; i < s.Count; i++)
        if (s.Uses[i].Tag == TAG && s.Uses[i].LiveBlocks) {
            rows++;
            assert_int_equal(s.Uses[i].LiveBlocks, 2);
            assert_true(s.Uses[i].Stack == b[0].Stack || s.Uses[i].Stack == b[1].Stack);
        }
    EmuPoolFreeSnapshot(&s);
    assert_int_equal(rows, 2);
    for (unsigned i = 0; i < 4; i++)
        ExFreePoolWithTag(blocks[i], TAG);
    blocks[0] = through_one();
    assert_null(found(blocks[0]).Stack);
    ExFreePoolWithTag(blocks[0], TAG);
}

static __attribute__((noinline)) void *at_depth(unsigned frames)
{
    void *p = frames ? at_depth(frames - 1) : allocate_below();
    __asm__ volatile("" : "+r"(p));
    return p;
}

static void test_a_deep_stack_is_cut_and_not_lost(void **state)
{
    void *p;

    EmuPoolTrack(EMU_POOL_TRACK_STACKS | EMU_POOL_TRACK_AGES);
    p = at_depth(100);
    EmuPoolTrack(0);
    assert_int_equal(found(p).Stack->Depth, EMU_POOL_STACK_FRAMES);
    assert_int_equal(found(p).NumberOfBytes, 30);
    ExFreePoolWithTag(p, TAG);
}

/* ---- counters ---- */

static void *allocate_in_a_thread(void *argument)
{
    return ExAllocatePoolWithTag(PagedPool, *(SIZE_T *)argument, TAG);
}

static void test_peaks_stay_when_the_blocks_are_gone(void **state)
{
    void *blocks[10];
    EMU_POOL_USE use;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 10 - round; i++)
            blocks[i] = ExAllocatePoolWithTag(PagedPool, 100, TAG);
        for (unsigned i = 0; i < 10 - round; i++)
            ExFreePoolWithTag(blocks[i], TAG);
    }
    use = use_of(TAG);
    assert_int_equal(use.LiveBytes, 0);
    assert_int_equal(use.Allocations, 27);
    assert_int_equal(use.PeakBytes, 1000);
    assert_true(use.PeakIsExact);
    assert_true(paged_counts().PeakBytes >= paged_counts().LiveBytes);
}

static void test_a_peak_of_several_threads_does_not_claim_to_be_exact(void **state)
{
    SIZE_T bytes = 100;
    void *block, *mine = allocate_in_a_thread(&bytes);
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, allocate_in_a_thread, &bytes), 0);
    pthread_join(thread, &block);
    assert_int_equal(use_of(TAG).LiveBytes, 200);
    assert_true(use_of(TAG).PeakBytes >= 200);
    assert_false(use_of(TAG).PeakIsExact);
    ExFreePool(block);
    ExFreePool(mine);
}

static BOOLEAN sum_block(PVOID Context, const EMU_POOL_BLOCK *Block)
{
    EMU_POOL_COUNTS *sums = Context;

    sums[Block->Paged].LiveBlocks++;
    sums[Block->Paged].LiveBytes += Block->NumberOfBytes;
    sums[Block->Paged].LiveBlockBytes += Block->BlockBytes;
    return TRUE;
}

static void test_block_bytes_are_what_visits_sum(void **state)
{
    EMU_POOL_COUNTS sums[2] = {0}, told[2];
    struct chain *all = NULL;

    EmuPoolTrack(EMU_POOL_TRACK_AGES); /* odd blocks too */
    for (SIZE_T bytes = 8; bytes < 5 * PAGE_SIZE; bytes += bytes / 7 + 1) {
        for (POOL_TYPE type = NonPagedPool; type < MaxPoolType; type++) {
            struct chain *c;
            if (type == DontUseThisType)
                continue;
            c = ExAllocatePoolWithTag(type, bytes, TAG);
            assert_non_null(c);
            c->next = all;
            all = c;
        }
        EmuPoolTrack(bytes % 3 ? 0 : EMU_POOL_TRACK_AGES);
    }
    EmuPoolTrack(0);
    EmuPoolVisit(sum_block, sums);
    EmuPoolCounts(&told[PagedPool], &told[NonPagedPool]);
    for (unsigned pool = 0; pool < 2; pool++) {
        assert_int_equal(sums[pool].LiveBlocks, told[pool].LiveBlocks);
        assert_int_equal(sums[pool].LiveBytes, told[pool].LiveBytes);
        assert_int_equal(sums[pool].LiveBlockBytes, told[pool].LiveBlockBytes);
        assert_true(told[pool].LiveBlockBytes <= told[pool].Pages * PAGE_SIZE);
    }
    release(all);
    assert_int_equal(use_of(TAG).LiveBlockBytes, 0);
}

static void test_counters_do_not_overflow(void **state)
{
    EMU_POOL_USE use;

    /* Beyond 20 bits of blocks, and beyond 24 bits of bytes many times. */
    for (unsigned i = 0; i < 3000000; i++)
        ExFreePoolWithTag(ExAllocatePoolWithTag(PagedPool, 64, TAG), TAG);
    for (unsigned i = 0; i < 200000; i++)
        ExFreePoolWithTag(ExAllocatePoolWithTag(PagedPool, 4072, TAG2), TAG2);
    use = use_of(TAG);
    assert_int_equal(use.Allocations, 3000000);
    assert_int_equal(use.Frees, 3000000);
    assert_int_equal(use.LiveBytes, 0);
    assert_int_equal(use.PeakBytes, 64);
    use = use_of(TAG2);
    assert_int_equal(use.Allocations, 200000);
    assert_int_equal(use.Frees, 200000);
    assert_int_equal(use.LiveBytes, 0);
    assert_int_equal(use.PeakBytes, 4072);
}

/* ---- what comes back ---- */

/* What free blocks that wait to be used again may take, more or less. */
#define SLACK_PAGES 16

static void *come_and_go(void *argument)
{
    struct chain *all = fill(PagedPool, 200, 500), *large = fill(NonPagedPool, 1500, 100);

    release(all);
    release(large);
    return argument;
}

static void test_a_thread_that_ends_leaves_nothing(void **state)
{
    ULONG64 pages[2], before;
    pthread_t thread;

    EmuPoolTrim();
    before = paged_counts().Pages;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(pthread_create(&thread, NULL, come_and_go, NULL), 0);
        pthread_join(thread, NULL);
        if (i == 0) {
            pages[NonPagedPool] = nonpaged_counts().Pages;
            pages[PagedPool] = paged_counts().Pages;
        }
    }
    assert_true(paged_counts().Pages <= pages[PagedPool] + SLACK_PAGES);
    assert_true(nonpaged_counts().Pages <= pages[NonPagedPool] + SLACK_PAGES);
    assert_int_equal(use_of(TAG).Allocations, 50 * 600);
    assert_int_equal(use_of(TAG).LiveBlocks, 0);
    EmuPoolTrim();
    assert_true((paged_counts().Pages - before) * PAGE_SIZE < 500 * 200);
}

static void test_empty_pages_go_back(void **state)
{
    EMU_POOL_COUNTS before, full, after;
    struct chain *all;

    EmuPoolTrim();
    before = paged_counts();
    for (unsigned round = 0; round < 3; round++) {
        all = fill(PagedPool, round == 2 ? 3000 : 100, 2000);
        full = paged_counts();
        assert_true(full.Pages - before.Pages >= 2000 * 100 / PAGE_SIZE);
        release(all);
        EmuPoolTrim();
        after = paged_counts();
        assert_int_equal(after.Pages, before.Pages);
        assert_true(after.PeakPages >= full.Pages);
    }
}

static void test_a_large_block_takes_its_pages_with_it(void **state)
{
    EMU_POOL_COUNTS before = paged_counts();
    void *block = ExAllocatePoolWithTag(PagedPool, 100 * PAGE_SIZE, TAG);

    assert_int_equal(paged_counts().Pages, before.Pages + 100);
    ExFreePoolWithTag(block, TAG);
    assert_int_equal(paged_counts().Pages, before.Pages);
}

static int boot(void **state)
{
    const EMU_MACHINE_OPTIONS options = {.PagedPoolLimit = (SIZE_T)16 << 20, .NonPagedPoolLimit = (SIZE_T)8 << 20};
    char error[256];

    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
    return 0;
}

/* Tests of bug checks may leave blocks: what they allocated is a part of what they stopped. */
static int shut_down(void **state)
{
    EMU_MACHINE_AUDIT audit;

    EmuPoolFailAllocations(0, 0);
    EmuPoolTrack(0);
    EmuMachineShutdown(&audit);
    EmuPoolFreeSnapshot(&audit.Pool);
    return 0;
}

#define RULE(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(test_quota_is_charged_until_the_block_is_freed),
        RULE(test_over_quota_is_null_or_an_exception_as_asked),
        RULE(test_a_refused_allocation_gives_its_quota_back),
        RULE(test_a_charged_block_may_outlive_its_process),
        RULE(test_the_system_process_is_never_charged),
        RULE(test_quota_is_charged_and_returned_in_any_portions),
        RULE(test_a_full_paged_pool_refuses_and_writes_event_2020),
        RULE(test_a_full_nonpaged_pool_refuses_and_writes_event_2019),
        RULE(test_must_succeed_stops_the_machine_when_the_pool_is_full),
        RULE(test_trimming_begins_at_80_percent_each_time_it_is_passed),
        RULE(test_a_tag_must_say_something),
        RULE(test_a_bad_tag_is_seen_at_a_place_that_used_a_good_one),
        RULE(test_without_a_tag_it_is_none),
        RULE(test_cache_aligned_blocks_begin_a_line),
        RULE(test_a_block_of_a_page_begins_one),
        RULE(test_pool2_zeroes_unless_told_not_to),
        RULE(test_pool2_takes_exactly_one_pool_and_known_flags),
        RULE(test_a_block_is_found_by_any_address_in_it),
        RULE(test_ages_are_in_allocations),
        RULE(test_stacks_tell_by_which_way_a_place_was_reached),
        RULE(test_a_deep_stack_is_cut_and_not_lost),
        RULE(test_peaks_stay_when_the_blocks_are_gone),
        RULE(test_a_peak_of_several_threads_does_not_claim_to_be_exact),
        RULE(test_block_bytes_are_what_visits_sum),
        RULE(test_counters_do_not_overflow),
        RULE(test_a_thread_that_ends_leaves_nothing),
        RULE(test_empty_pages_go_back),
        RULE(test_a_large_block_takes_its_pages_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
