/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q241392: MUP looks for a character in a name as if it were terminated. A name in special pool is read beyond. */
#include "lab.h"

#include "io/iop.h"

static struct lab lab;

static void boot(const char *build, const EMU_VERIFIER_OPTIONS *verifier)
{
    lab_boot_options(&lab, &(EMU_MACHINE_OPTIONS){.Build = build, .Verifier = verifier});
    lab_map(&lab);
}

static const EMU_VERIFIER_OPTIONS nt4 = {.PoolTag = '*', .PoolTagOverruns = 1},
                                  verifier = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING};

/* Names of every length that a block's alignment can round up, and with a colon that is not a drive's. */
static const WCHAR *const names[] = {
    u"\\??\\UNC\\mem\\lab\\f.txt", u"\\??\\UNC\\mem\\lab\\dir\\g.txt", u"\\??\\UNC\\mem\\lab", u"\\??\\UNC\\mem\\la",
    u"\\??\\UNC\\mem\\l",
};
#define NAMES (sizeof names / sizeof *names)

struct open {
    const char *build;
    const EMU_VERIFIER_OPTIONS *verifier;
    const WCHAR *name;
};

static void boot_and_open(void *context)
{
    const struct open *open = context;
    HANDLE handle;

    boot(open->build, open->verifier);
    lab_open(open->name, &handle);
}

/* The first byte that the block's page does not have. */
static ULONG_PTR end_of_block(void)
{
    return ((ULONG_PTR)lab_bug_check.Block + lab_bug_check.NumberOfBytes + 7) & ~(ULONG_PTR)7;
}

static void test_the_articles_bug_check(void **state)
{
    for (size_t i = 0; i < NAMES; i++) {
        struct open open = {"tse-sp4", &nt4, names[i]};
        lab_run_to_bug_check(boot_and_open, &open);
        assert_int_equal(lab_bug_check.Code, PAGE_FAULT_IN_NONPAGED_AREA);
        assert_int_equal(lab_bug_check.Parameters[0] % PAGE_SIZE, 0); /* 0xaa575000 in the article */
        assert_int_equal(lab_bug_check.Parameters[0], end_of_block());
        assert_int_equal(lab_bug_check.Parameters[1], 0);
        assert_int_equal(lab_bug_check.Parameters[2], 0);
        assert_int_equal(lab_bug_check.Parameters[3], 0);
        assert_int_equal(lab_bug_check.Tag, IOP_TAG_NAME);
    }
}

static void test_driver_verifier_says_more(void **state)
{
    struct open open = {"tse-sp4", &verifier, names[0]};

    lab_run_to_bug_check(boot_and_open, &open);
    assert_int_equal(lab_bug_check.Code, PAGE_FAULT_BEYOND_END_OF_ALLOCATION);
    assert_int_equal(lab_bug_check.Parameters[0], end_of_block());
    assert_int_equal(lab_bug_check.Parameters[1], 0);
    assert_int_equal(lab_bug_check.Tag, IOP_TAG_NAME);
}

static void assert_opens(const char *build, const EMU_VERIFIER_OPTIONS *options)
{
    HANDLE handle;

    boot(build, options);
    for (size_t i = 0; i < NAMES; i++)
        if (NT_SUCCESS(lab_open(names[i], &handle)))
            NtClose(handle);
    assert_status(lab_open(names[0], &handle), STATUS_SUCCESS);
    NtClose(handle);
    lab_shut_down(&lab, 0);
}

static void test_the_fixed_build_reads_no_further_than_the_name(void **state)
{
    static const EMU_VERIFIER_OPTIONS exact = {.PoolTag = IOP_TAG_NAME, .PoolTagOverruns = 1, .Exact = TRUE};

    assert_opens("tse-sp5", &nt4);
    assert_opens("tse-sp5", &verifier);
    assert_opens("tse-sp5", &exact);
}

static void test_without_sessions_no_name_is_translated(void **state)
{
    assert_opens("nt4-sp4", &nt4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_articles_bug_check),
        cmocka_unit_test(test_driver_verifier_says_more),
        cmocka_unit_test(test_the_fixed_build_reads_no_further_than_the_name),
        cmocka_unit_test(test_without_sessions_no_name_is_translated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
