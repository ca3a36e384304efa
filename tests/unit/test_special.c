/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Special pool: every way to get it wrong, in both dialects, with the kernel's guard pages and without. */
#include "lab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ex/special.h"

#define TAG   POOL_TAG('T', 'e', 's', 't')
#define OTHER POOL_TAG('O', 't', 'h', 'r')

static struct lab lab;

static void set(EMU_VERIFIER_OPTIONS options)
{
    assert_status(EmuVerifierSet(&options), STATUS_SUCCESS);
}

static void verifier_dialect(BOOLEAN underruns)
{
    set((EMU_VERIFIER_OPTIONS){.Flags = DRIVER_VERIFIER_SPECIAL_POOLING, .Underruns = underruns});
}

static void nt4_dialect(ULONG tag, ULONG overruns)
{
    set((EMU_VERIFIER_OPTIONS){.PoolTag = tag, .PoolTagOverruns = overruns});
}

static int boot(void **state)
{
    *state = "with guards";
    lab_boot_unmapped(&lab, "nt4-sp6", 0);
    return 0;
}

static int boot_without_guards(void **state)
{
    boot(state);
    *state = "without guards";
    assert_true(ExpInitializeSpecial(TRUE));
    return 0;
}

static int shut_down(void **state)
{
    lab_restore_irql(PASSIVE_LEVEL); /* of a test that failed half way */
    lab_shut_down(&lab, 0);
    return 0;
}

static void assert_parameters(ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    assert_int_equal(lab_bug_check.Parameters[1], p2);
    assert_int_equal(lab_bug_check.Parameters[2], p3);
    assert_int_equal(lab_bug_check.Parameters[3], p4);
}

/* Not inlined: a bug check must name an instruction of theirs. */
static __attribute__((noinline)) char read_byte(volatile char *p)
{
    return *p;
}

static __attribute__((noinline)) void write_byte(volatile char *p)
{
    *p = 1;
}

static void assert_within(ULONG_PTR instruction, void *function)
{
    assert_in_range(instruction, (ULONG_PTR)function, (ULONG_PTR)function + 256);
}

#define assert_fault(code, address, is_write, parameter, statement)                                                    \
    do {                                                                                                               \
        assert_bug_check(code, (ULONG_PTR)(address), statement);                                                       \
        assert_within(lab_bug_check.Parameters[parameter], (is_write) ? (void *)write_byte : (void *)read_byte);       \
        assert_ptr_equal((void *)lab_bug_check.Parameters[parameter], lab_bug_check.Stack.Frames[0]);                  \
    } while (0)

static void test_a_block_ends_where_its_page_ends(void **state)
{
    verifier_dialect(FALSE);
    for (SIZE_T size = 1; size <= EXP_SPECIAL_LARGEST; size += size < 40 ? 1 : 97) {
        char *p = ExAllocatePoolWithTag(size & 1 ? PagedPool : NonPagedPool, size, TAG);
        assert_true(ExpIsSpecial(p));
        assert_int_equal((ULONG_PTR)(p + ((size + 7) & ~(SIZE_T)7)) % PAGE_SIZE, 0);
        memset(p, 0x5a, size);
        assert_fault(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p + ((size + 7) & ~(SIZE_T)7), TRUE, 2,
                     write_byte(p + ((size + 7) & ~(SIZE_T)7)));
        ExFreePoolWithTag(p, TAG);
    }
}

static void test_larger_blocks_are_left_to_the_pool(void **state)
{
    void *p;

    verifier_dialect(FALSE);
    p = ExAllocatePoolWithTag(PagedPool, EXP_SPECIAL_LARGEST + 1, TAG);
    assert_non_null(p);
    assert_false(ExpIsSpecial(p));
    ExFreePoolWithTag(p, TAG);
}

static void test_the_verifiers_touches_name_address_access_and_instruction(void **state)
{
    char *p;

    verifier_dialect(FALSE);
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    assert_fault(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p + 40, TRUE, 2, write_byte(p + 40));
    assert_parameters(1, lab_bug_check.Parameters[2], 0);
    assert_fault(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p + 47, FALSE, 2, read_byte(p + 47));
    assert_parameters(0, lab_bug_check.Parameters[2], 0);
    ExFreePoolWithTag(p, TAG);
    assert_fault(PAGE_FAULT_IN_FREED_SPECIAL_POOL, p + 8, FALSE, 2, read_byte(p + 8));
    assert_parameters(0, lab_bug_check.Parameters[2], 0);
    assert_fault(PAGE_FAULT_IN_FREED_SPECIAL_POOL, p, TRUE, 2, write_byte(p));
    assert_parameters(1, lab_bug_check.Parameters[2], 0);
}

static void test_nt4s_touches_are_page_faults_in_nonpaged_area(void **state)
{
    char *p;

    nt4_dialect('*', 1);
    p = ExAllocatePoolWithTag(NonPagedPool, 36, TAG);
    assert_true(ExpIsSpecial(p));
    assert_fault(PAGE_FAULT_IN_NONPAGED_AREA, p + 40, TRUE, 3, write_byte(p + 40));
    assert_parameters(1, 0, lab_bug_check.Parameters[3]);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_fault(IRQL_NOT_LESS_OR_EQUAL, p + 40, FALSE, 3, read_byte(p + 40));
    assert_parameters(DISPATCH_LEVEL, 0, lab_bug_check.Parameters[3]);
    KeLowerIrql(PASSIVE_LEVEL);
    ExFreePoolWithTag(p, TAG);
    assert_fault(PAGE_FAULT_IN_NONPAGED_AREA, p, FALSE, 3, read_byte(p));
    assert_parameters(0, 0, lab_bug_check.Parameters[3]);
}

static void assert_last_two(const char *build, ULONG_PTR third, BOOLEAN instruction)
{
    char *p;

    lab_shut_down(&lab, 0);
    lab_boot_unmapped(&lab, build, 0);
    nt4_dialect('*', 1);
    p = ExAllocatePoolWithTag(NonPagedPool, 40, TAG);
    assert_bug_check(PAGE_FAULT_IN_NONPAGED_AREA, (ULONG_PTR)p + 40, write_byte(p + 40));
    assert_parameters(1, third, instruction ? (ULONG_PTR)lab_bug_check.Stack.Frames[0] : 0);
    ExFreePoolWithTag(p, TAG);
}

/* Documented: Q163620, Q241392, Q244922; that it goes by service packs is our guess. */
static void test_nt4s_last_two_parameters_are_the_service_packs(void **state)
{
    assert_last_two("nt4-sp2", 1, FALSE);
    assert_last_two("nt4-sp3", 1, FALSE);
    assert_last_two("nt4-sp4", 0, FALSE);
    assert_last_two("tse-sp4", 0, FALSE);
    assert_last_two("tse-sp5", 0, TRUE);
    assert_last_two("nt4-sp6a", 0, TRUE);
}

static void assert_exact(const EMU_VERIFIER_OPTIONS *options, ULONG code, ULONG instruction, SIZE_T bytes)
{
    char *p;

    set(*options);
    p = ExAllocatePoolWithTag(bytes & 1 ? PagedPool : NonPagedPool, bytes, TAG);
    assert_int_equal((ULONG_PTR)(p + bytes) % PAGE_SIZE, 0);
    assert_fault(code, p + bytes, FALSE, instruction, read_byte(p + bytes));
    assert_ptr_equal(lab_bug_check.Block, p);
    ExFreePoolWithTag(p, TAG);
}

static void test_an_exact_block_ends_with_its_page_to_the_byte(void **state)
{
    static const EMU_VERIFIER_OPTIONS verifier = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING, .Exact = TRUE},
                                      nt4 = {.PoolTag = '*', .PoolTagOverruns = 1, .Exact = TRUE};

    for (SIZE_T bytes = 1; bytes <= 42; bytes++) {
        assert_exact(&verifier, PAGE_FAULT_BEYOND_END_OF_ALLOCATION, 2, bytes);
        assert_exact(&nt4, PAGE_FAULT_IN_NONPAGED_AREA, 3, bytes);
    }
}

static void test_underruns_are_found_in_both_dialects(void **state)
{
    char *p;

    verifier_dialect(TRUE);
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    assert_int_equal((ULONG_PTR)p % PAGE_SIZE, 0);
    assert_fault(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, p - 1, TRUE, 2, write_byte(p - 1));
    assert_ptr_equal(lab_bug_check.Block, p);
    ExFreePoolWithTag(p, TAG);
    nt4_dialect('*', 0);
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    assert_int_equal((ULONG_PTR)p % PAGE_SIZE, 0);
    assert_fault(PAGE_FAULT_IN_NONPAGED_AREA, p - 1, FALSE, 3, read_byte(p - 1));
    assert_ptr_equal(lab_bug_check.Block, p);
    ExFreePoolWithTag(p, TAG);
}

static __attribute__((noinline)) void copy_here(char *p, SIZE_T length)
{
    static char source[64];

    memcpy(p, source, length);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static BOOLEAN is_in(const EMU_CALL_STACK *stack, void *function)
{
    for (ULONG i = 0; i < stack->Depth; i++)
        if ((char *)stack->Frames[i] > (char *)function && (char *)stack->Frames[i] < (char *)function + 256)
            return TRUE;
    return FALSE;
}

static void test_an_overrun_inside_memcpy_names_the_caller(void **state)
{
    char *p;

    verifier_dialect(FALSE);
    p = ExAllocatePoolWithTag(NonPagedPool, 40, TAG);
    assert_bug_check(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, (ULONG_PTR)p + 40, copy_here(p, 48));
    assert_true(is_in(&lab_bug_check.Stack, copy_here));
    ExFreePoolWithTag(p, TAG);
}

static void test_slop_is_looked_at_when_a_block_is_freed(void **state)
{
    char *p, saved;

    verifier_dialect(FALSE);
    p = ExAllocatePoolWithTag(PagedPool, 37, TAG);
    saved = p[39];
    p[39] = (char)~saved;
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p, ExFreePoolWithTag(p, TAG));
    assert_parameters((ULONG_PTR)p + 39, 0, 0x24);
    p[39] = saved;
    saved = p[-3];
    p[-3] = (char)~saved;
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p, ExFreePoolWithTag(p, TAG));
    assert_parameters((ULONG_PTR)p - 3, 0, 0x23);
    p[-3] = (char)(saved ^ 4);
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p, ExFreePoolWithTag(p, TAG));
    assert_parameters((ULONG_PTR)p - 3, 0, 0x32);
    p[-3] = saved;
    ExFreePoolWithTag(p, TAG);

    nt4_dialect('*', 1);
    p = ExAllocatePoolWithTag(PagedPool, 37, TAG);
    saved = p[37];
    p[37] = (char)~saved;
    assert_bug_check(MEMORY_MANAGEMENT, (ULONG_PTR)p, ExFreePoolWithTag(p, TAG));
    assert_parameters((ULONG_PTR)p + 37, 37, TAG);
    p[37] = saved;
    ExFreePoolWithTag(p, TAG);
}

static void test_bad_frees_in_the_verifiers_words(void **state)
{
    char *p;

    verifier_dialect(FALSE);
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    assert_bug_check(BAD_POOL_CALLER, 0xA, ExFreePoolWithTag(p, OTHER));
    assert_parameters((ULONG_PTR)p, TAG, OTHER);
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p + 8, ExFreePoolWithTag(p + 8, TAG));
    assert_parameters(40, 32, 0x21);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, DISPATCH_LEVEL, ExFreePoolWithTag(p, TAG));
    assert_parameters(PagedPool, (ULONG_PTR)p, 0x31);
    KeLowerIrql(PASSIVE_LEVEL);
    ExFreePoolWithTag(p, TAG);
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p, ExFreePoolWithTag(p, TAG));
    assert_parameters(0, 0, 0x20);
}

static void test_a_bad_address_in_a_block_at_the_start_of_its_page(void **state)
{
    char *q;

    verifier_dialect(TRUE);
    q = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)q + 8, ExFreePoolWithTag(q + 8, TAG));
    assert_parameters(40, PAGE_SIZE - 8, 0x22);
    ExFreePoolWithTag(q, TAG);
}

static void test_bad_frees_in_nt4s_words(void **state)
{
    char *p;

    nt4_dialect('*', 1);
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    assert_bug_check(BAD_POOL_CALLER, 0xA, ExFreePoolWithTag(p, OTHER));
    assert_parameters((ULONG_PTR)p, TAG, OTHER);
    assert_bug_check(BAD_POOL_CALLER, 0x41286, ExFreePoolWithTag(p + 16, TAG));
    assert_parameters((ULONG_PTR)p + 16, 0, 0);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_bug_check(BAD_POOL_CALLER, 0x9, ExFreePoolWithTag(p, TAG));
    assert_parameters(DISPATCH_LEVEL, PagedPool, (ULONG_PTR)p);
    KeLowerIrql(PASSIVE_LEVEL);
    ExFreePoolWithTag(p, TAG);
    assert_bug_check(BAD_POOL_CALLER, 0x7, ExFreePoolWithTag(p, TAG));
    assert_parameters(0, TAG, (ULONG_PTR)p);
}

static BOOLEAN goes_special(SIZE_T size, ULONG tag)
{
    void *p = ExAllocatePoolWithTag(PagedPool, size, tag);
    BOOLEAN special = ExpIsSpecial(p);

    ExFreePoolWithTag(p, tag);
    return special;
}

static void test_the_registry_value_is_a_tag_mask_or_a_size(void **state)
{
    nt4_dialect('*', 1);
    assert_true(goes_special(40, TAG));
    nt4_dialect(POOL_TAG('T', 'e', '*', 0), 1); /* "Te*", 0x2A6554 */
    assert_true(goes_special(40, TAG));
    assert_false(goes_special(40, OTHER));
    nt4_dialect(0x733F3F4E, 1); /* the article's own example: N??s */
    assert_true(goes_special(40, POOL_TAG('N', 'x', 'y', 's')));
    assert_false(goes_special(40, POOL_TAG('N', 'x', 'y', 't')));
    nt4_dialect(0x20, 1); /* likewise: blocks of 32 bytes */
    assert_true(goes_special(32, TAG));
    assert_false(goes_special(33, TAG));
    nt4_dialect(0, 1);
    assert_false(goes_special(32, TAG));
}

static void test_the_verifier_takes_tags_by_pattern(void **state)
{
    set((EMU_VERIFIER_OPTIONS){.Flags = DRIVER_VERIFIER_SPECIAL_POOLING, .SpecialTags = "O?hr T*"});
    assert_true(goes_special(40, TAG));
    assert_true(goes_special(40, OTHER));
    assert_false(goes_special(40, POOL_TAG('R', 'd', 'C', 'c')));
}

static __attribute__((noinline)) char *allocate_here(void)
{
    char *p = ExAllocatePoolWithTag(PagedPool, 40, TAG);

    __asm__ volatile("" ::: "memory"); /* no tail call */
    return p;
}

static __attribute__((noinline)) void free_here(char *p)
{
    ExFreePoolWithTag(p, TAG);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static void test_a_bug_check_tells_the_block_and_both_stacks(void **state)
{
    char *p, text[EMU_BUG_CHECK_TEXT];

    verifier_dialect(FALSE);
    p = allocate_here();
    assert_bug_check(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, (ULONG_PTR)p + 40, write_byte(p + 40));
    assert_ptr_equal(lab_bug_check.Block, p);
    assert_int_equal(lab_bug_check.NumberOfBytes, 40);
    assert_int_equal(lab_bug_check.Tag, TAG);
    assert_true(lab_bug_check.Paged);
    assert_false(lab_bug_check.Freed);
    assert_string_equal(lab_bug_check.Site->Function, "allocate_here");
    assert_string_equal(lab_bug_check.Build, "nt4-sp6");
    assert_true(is_in(&lab_bug_check.Allocated, allocate_here));
    assert_int_equal(lab_bug_check.FreedBy.Depth, 0);
    free_here(p);
    assert_bug_check(PAGE_FAULT_IN_FREED_SPECIAL_POOL, (ULONG_PTR)p, write_byte(p));
    assert_true(lab_bug_check.Freed);
    assert_true(is_in(&lab_bug_check.Allocated, allocate_here));
    assert_true(is_in(&lab_bug_check.FreedBy, free_here));
    EmuFormatBugCheck(&lab_bug_check, text, sizeof text);
    assert_non_null(strstr(text, "*** STOP: 0x000000CC (0x"));
    assert_non_null(strstr(text, "PAGE_FAULT_IN_FREED_SPECIAL_POOL"));
    assert_non_null(strstr(text, "build nt4-sp6  irql 0"));
    assert_non_null(strstr(text, "40 bytes  tag \"Test\"  paged pool  freed"));
    assert_non_null(strstr(text, "allocate_here"));
    assert_non_null(strstr(text, "the block's free"));
    EmuFormatBugCheck(&lab_bug_check, text, 20);
    assert_int_equal(strlen(text), 19);
}

static void test_blocks_are_counted_and_charged_as_any_other(void **state)
{
    EMU_POOL_COUNTS before, with, after, nonpaged;
    void *p;

    verifier_dialect(FALSE);
    EmuPoolCounts(&before, &nonpaged);
    p = ExAllocatePoolWithTag(PagedPool, 100, TAG);
    EmuPoolCounts(&with, &nonpaged);
    assert_int_equal(with.LiveBlocks - before.LiveBlocks, 1);
    assert_int_equal(with.LiveBytes - before.LiveBytes, 100);
    assert_int_equal(with.Pages - before.Pages, 1);
    ExFreePoolWithTag(p, TAG);
    EmuPoolCounts(&after, &nonpaged);
    assert_int_equal(after.LiveBlocks, before.LiveBlocks);
    assert_int_equal(after.LiveBytes, before.LiveBytes);
    assert_int_equal(after.Pages, before.Pages);
}

/* So small that protecting page by page has mappings enough for all of it. */
static void test_the_limit_holds_for_special_pool(void **state)
{
    EMU_POOL_COUNTS paged, nonpaged;
    void **first = NULL;

    shut_down(state);
    lab_boot_unmapped(&lab, "nt4-sp6", (SIZE_T)8 << 20);
    if (!strcmp(*state, "without guards"))
        assert_true(ExpInitializeSpecial(TRUE));
    verifier_dialect(FALSE);
    for (void **p; (p = ExAllocatePoolWithTag(PagedPool, 2048, TAG)) != NULL; first = p)
        *p = first;
    EmuPoolCounts(&paged, &nonpaged);
    assert_in_range(paged.LimitPages - paged.Pages, 0, 4); /* less than a slab, which ordinary blocks would take */
    while (first) {
        void **next = *first;
        ExFreePoolWithTag(first, TAG);
        first = next;
    }
}

static void test_a_freed_page_stays_out_of_reach_for_thousands_of_frees(void **state)
{
    char *p;

    verifier_dialect(FALSE);
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    ExFreePoolWithTag(p, TAG);
    for (int i = 0; i < 5000; i++)
        ExFreePoolWithTag(ExAllocatePoolWithTag(PagedPool, 40, TAG), TAG);
    assert_bug_check(PAGE_FAULT_IN_FREED_SPECIAL_POOL, (ULONG_PTR)p, read_byte(p));
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p, ExFreePoolWithTag(p, TAG));
}

static void test_pages_are_used_again_in_the_order_they_were_freed(void **state)
{
    void *first, *second, *p = NULL;

    verifier_dialect(FALSE);
    first = ExAllocatePoolWithTag(NonPagedPool, 40, TAG);
    ExFreePoolWithTag(first, TAG);
    second = ExAllocatePoolWithTag(NonPagedPool, 40, TAG);
    ExFreePoolWithTag(second, TAG);
    for (int i = 0; p != first && i < 20000; i++) {
        p = ExAllocatePoolWithTag(NonPagedPool, 40, TAG);
        assert_ptr_not_equal(p, second);
        ExFreePoolWithTag(p, TAG);
    }
    assert_ptr_equal(p, first);
    p = ExAllocatePoolWithTag(NonPagedPool, 40, TAG);
    assert_ptr_equal(p, second);
    ExFreePoolWithTag(p, TAG);
}

#define THREAD_ROUNDS 3000

static void *allocate_and_free(void *argument)
{
    static char failed;
    char *blocks[16] = {0};

    for (int i = 0; i < THREAD_ROUNDS; i++) {
        if (blocks[i % 16]) {
            if (blocks[i % 16][0] != (char)(i - 16))
                return &failed;
            ExFreePoolWithTag(blocks[i % 16], TAG);
        }
        blocks[i % 16] = ExAllocatePoolWithTag(i & 1 ? PagedPool : NonPagedPool, (SIZE_T)(1 + i * 7 % 4000), TAG);
        if (!blocks[i % 16])
            return &failed;
        blocks[i % 16][0] = (char)i;
    }
    for (int i = 0; i < 16; i++)
        ExFreePoolWithTag(blocks[i], TAG);
    return NULL;
}

static void test_threads_share_special_pool(void **state)
{
    pthread_t threads[4];
    void *failed;

    verifier_dialect(FALSE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_and_free, NULL), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

static ULONG fill(char **blocks, ULONG count)
{
    ULONG n = 0;

    for (; n < count; n++) {
        blocks[n] = ExAllocatePoolWithTag(PagedPool, 64, TAG);
        if (!blocks[n] || !ExpIsSpecial(blocks[n]))
            break;
    }
    return n;
}

static void assert_guarded(char *p)
{
    assert_bug_check(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, (ULONG_PTR)p + 64, read_byte(p + 64));
}

/* Half a million at once where the kernel has guard pages; otherwise what 65,530 mappings allow. */
static void test_as_many_guarded_blocks_as_memory_has(void **state)
{
    const char *soak = getenv("RDRLAB_SOAK");
    EMU_MACHINE_OPTIONS options = {.PagedPoolLimit = (SIZE_T)2 << 30};
    ULONG count = soak && *soak ? 500000 : 40000;
    EMU_VERIFIER_STATISTICS statistics;
    char **blocks = malloc(count * sizeof *blocks), error[256];

    assert_non_null(blocks);
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
    verifier_dialect(FALSE);
    EmuVerifierQuery(NULL, &statistics);
    if (!statistics.GuardPages)
        count = 20000;
    assert_int_equal(fill(blocks, count), count);
    assert_guarded(blocks[0]);
    assert_guarded(blocks[count / 2]);
    assert_guarded(blocks[count - 1]);
    for (ULONG n = 0; n < count; n++)
        ExFreePoolWithTag(blocks[n], TAG);
    free(blocks);
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
}

#define EACH_WAY(f)                                                                                                    \
    cmocka_unit_test_setup_teardown(f, boot, shut_down),                                                               \
    {                                                                                                                  \
#f " without guards", f, boot_without_guards, shut_down, NULL                                                  \
    }
#define SPECIAL_TEST(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_WAY(test_a_block_ends_where_its_page_ends),
        SPECIAL_TEST(test_larger_blocks_are_left_to_the_pool),
        EACH_WAY(test_the_verifiers_touches_name_address_access_and_instruction),
        EACH_WAY(test_nt4s_touches_are_page_faults_in_nonpaged_area),
        SPECIAL_TEST(test_nt4s_last_two_parameters_are_the_service_packs),
        EACH_WAY(test_an_exact_block_ends_with_its_page_to_the_byte),
        EACH_WAY(test_underruns_are_found_in_both_dialects),
        SPECIAL_TEST(test_an_overrun_inside_memcpy_names_the_caller),
        SPECIAL_TEST(test_slop_is_looked_at_when_a_block_is_freed),
        SPECIAL_TEST(test_bad_frees_in_the_verifiers_words),
        SPECIAL_TEST(test_a_bad_address_in_a_block_at_the_start_of_its_page),
        SPECIAL_TEST(test_bad_frees_in_nt4s_words),
        SPECIAL_TEST(test_the_registry_value_is_a_tag_mask_or_a_size),
        SPECIAL_TEST(test_the_verifier_takes_tags_by_pattern),
        SPECIAL_TEST(test_a_bug_check_tells_the_block_and_both_stacks),
        SPECIAL_TEST(test_blocks_are_counted_and_charged_as_any_other),
        EACH_WAY(test_the_limit_holds_for_special_pool),
        EACH_WAY(test_a_freed_page_stays_out_of_reach_for_thousands_of_frees),
        SPECIAL_TEST(test_pages_are_used_again_in_the_order_they_were_freed),
        EACH_WAY(test_threads_share_special_pool),
        cmocka_unit_test(test_as_many_guarded_blocks_as_memory_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
