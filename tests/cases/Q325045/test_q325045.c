/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q325045: a fixed length is read of a string that may be shorter. Its block in special pool is read beyond. */
#include "lab.h"

#include "io/iop.h"

static struct lab lab;

static const EMU_VERIFIER_OPTIONS nt4 = {.PoolTag = '*', .PoolTagOverruns = 1},
                                  verifier = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING},
                                  exact = {.PoolTag = IOP_TAG_BUFFER, .PoolTagOverruns = 1, .Exact = TRUE};

static void boot(const char *build, const EMU_VERIFIER_OPTIONS *options)
{
    lab_boot_options(&lab, &(EMU_MACHINE_OPTIONS){.Build = build, .Verifier = options});
}

/* "net use x: \\mem\lab secret /user:lab": the create of a tree connection has both in extended attributes. */
static void boot_and_map(void *options)
{
    boot("nt4-sp6a", options);
    lab_map(&lab);
}

/* Which of the bytes beyond is met first is memcpy's choice: they are all of the guard page. */
static void assert_read_beyond(void)
{
    const ULONG_PTR end = ((ULONG_PTR)lab_bug_check.Block + lab_bug_check.NumberOfBytes + 7) & ~(ULONG_PTR)7;

    assert_int_equal(end % PAGE_SIZE, 0);
    assert_in_range(lab_bug_check.Parameters[0], end, end + PAGE_SIZE - 1);
    assert_int_equal(lab_bug_check.Parameters[1], 0);
    assert_int_equal(lab_bug_check.Tag, IOP_TAG_BUFFER);
}

static void test_the_articles_bug_check(void **state)
{
    lab_run_to_bug_check(boot_and_map, (void *)&nt4);
    assert_int_equal(lab_bug_check.Code, PAGE_FAULT_IN_NONPAGED_AREA);
    assert_read_beyond();
    assert_int_equal(lab_bug_check.Parameters[2], 0);
}

static void test_driver_verifier_says_more(void **state)
{
    lab_run_to_bug_check(boot_and_map, (void *)&verifier);
    assert_int_equal(lab_bug_check.Code, PAGE_FAULT_BEYOND_END_OF_ALLOCATION);
    assert_read_beyond();
}

static void test_a_build_without_it_reads_what_there_is(void **state)
{
    const EMU_VERIFIER_OPTIONS *const options[] = {&nt4, &verifier, &exact};
    static const char *const fixed[] = {"nt4-sp6a+Q325045", "nt4-sp6"};
    HANDLE handle;

    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < 3; i++) {
            boot(fixed[n], options[i]);
            lab_map(&lab);
            assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
            NtClose(handle);
            lab_shut_down(&lab, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_articles_bug_check),
        cmocka_unit_test(test_driver_verifier_says_more),
        cmocka_unit_test(test_a_build_without_it_reads_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
