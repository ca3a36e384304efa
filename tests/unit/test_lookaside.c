/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <ntemu/lookaside.h>

#define TAG POOL_TAG('L', 'o', 'o', 'k')

static ULONG64 live_blocks(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
    return paged.LiveBlocks + nonpaged.LiveBlocks;
}

static void test_a_freed_block_comes_back_first(void **state)
{
    NPAGED_LOOKASIDE_LIST list;
    PVOID first, second;

    ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, 100, TAG, 0);
    first = ExAllocateFromNPagedLookasideList(&list);
    ExFreeToNPagedLookasideList(&list, first);
    second = ExAllocateFromNPagedLookasideList(&list);
    assert_ptr_equal(first, second);
    assert_int_equal(list.L.TotalAllocates, 2);
    assert_int_equal(list.L.AllocateMisses, 1);
    ExFreeToNPagedLookasideList(&list, second);
    ExDeleteNPagedLookasideList(&list);
}

static void test_what_is_on_the_list_is_live_until_it_is_deleted(void **state)
{
    ULONG64 before = live_blocks();
    PAGED_LOOKASIDE_LIST list;
    PVOID blocks[EMU_LOOKASIDE_DEPTH + 8];
    EMU_POOL_BLOCK block;

    ExInitializePagedLookasideList(&list, NULL, NULL, 0, 40, TAG, 0);
    for (ULONG i = 0; i < EMU_LOOKASIDE_DEPTH + 8; i++)
        blocks[i] = ExAllocateFromPagedLookasideList(&list);
    ULONG line = __LINE__ - 1;
    assert_true(EmuPoolFind(blocks[0], &block));
    assert_int_equal(block.Tag, TAG);
    assert_int_equal(block.NumberOfBytes, 40);
    assert_true(block.Paged);
    assert_int_equal(block.Site->Line, line);
    for (ULONG i = 0; i < EMU_LOOKASIDE_DEPTH + 8; i++)
        ExFreeToPagedLookasideList(&list, blocks[i]);
    assert_int_equal(live_blocks() - before, EMU_LOOKASIDE_DEPTH);
    assert_int_equal(list.L.FreeMisses, 8);
    ExDeletePagedLookasideList(&list);
    assert_int_equal(live_blocks(), before);
}

static ULONG own_allocations, own_frees;

static PVOID NTAPI own_allocate(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    own_allocations++;
    assert_int_equal(PoolType, NonPagedPool);
    assert_int_equal(NumberOfBytes, sizeof(PVOID)); /* a link has to fit */
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}

static void NTAPI own_free(PVOID Buffer)
{
    own_frees++;
    ExFreePool(Buffer);
}

static void test_own_routines_are_called_where_the_list_cannot(void **state)
{
    NPAGED_LOOKASIDE_LIST list;
    PVOID block;

    ExInitializeNPagedLookasideList(&list, own_allocate, own_free, 0, 1, TAG, 0);
    block = ExAllocateFromNPagedLookasideList(&list);
    ExFreeToNPagedLookasideList(&list, block);
    block = ExAllocateFromNPagedLookasideList(&list);
    assert_int_equal(own_allocations, 1);
    ExFreeToNPagedLookasideList(&list, block);
    assert_int_equal(own_frees, 0);
    ExDeleteNPagedLookasideList(&list);
    assert_int_equal(own_frees, 1);
}

static void test_a_failure_is_null_or_the_exception_that_nobody_handles(void **state)
{
    NPAGED_LOOKASIDE_LIST list;

    ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, 100, TAG, 0);
    EmuPoolFailAllocations(1, 1);
    assert_null(ExAllocateFromNPagedLookasideList(&list));
    ExDeleteNPagedLookasideList(&list);
    ExInitializeNPagedLookasideList(&list, NULL, NULL, POOL_RAISE_IF_ALLOCATION_FAILURE, 100, TAG, 0);
    EmuPoolFailAllocations(1, 1);
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_INSUFFICIENT_RESOURCES,
                     ExAllocateFromNPagedLookasideList(&list));
    EmuPoolFailAllocations(0, 0);
    ExDeleteNPagedLookasideList(&list);
}

#define LOOKASIDE_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up_pool, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOKASIDE_TEST(test_a_freed_block_comes_back_first),
        LOOKASIDE_TEST(test_what_is_on_the_list_is_live_until_it_is_deleted),
        LOOKASIDE_TEST(test_own_routines_are_called_where_the_list_cannot),
        LOOKASIDE_TEST(test_a_failure_is_null_or_the_exception_that_nobody_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
