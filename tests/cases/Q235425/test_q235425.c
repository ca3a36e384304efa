/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q235425 in process: creates that fail for their name, and what the pool says of them. */
#include "lab.h"

#include <string.h>

#define SP5 "nt4-sp5"
#define SP6 "nt4-sp6"

#define RDR_TAG POOL_TAG('R', 'd', 'C', 'c')

static void test_sp5_keeps_one_paged_block_for_each_invalid_name(void **state)
{
    static const WCHAR *const names[] = {u"\\??\\X:\\", u"\\??\\X:\\a|b", u"\\??\\X:\\dir\\", u"\\??\\X:\\a\x01z"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EMU_POOL_USE row;
        struct lab lab;
        HANDLE handle = (HANDLE)(ULONG_PTR)0x5a;
        lab_boot(&lab, SP5, 0);
        for (int n = 0; n < 100; n++)
            assert_status(lab_open(names[i], &handle), STATUS_OBJECT_NAME_INVALID);
        assert_ptr_equal(handle, (HANDLE)(ULONG_PTR)0x5a);
        assert_int_equal(lab_kept_since(&lab.start, &row), 1);
        assert_int_equal(row.Tag, RDR_TAG);
        assert_true(row.Paged);
        assert_int_equal(row.LiveBlocks, 100);
        assert_int_equal(row.LiveBytes % 100, 0);
        assert_string_equal(EmuPoolSiteFile(row.Site), "rdr/create.c");
        lab_shut_down(&lab, 100);
    }
}

static void test_sp6_keeps_nothing(void **state)
{
    static const WCHAR *const names[] = {u"\\??\\X:\\", u"\\??\\X:\\a|b", u"\\??\\X:\\dir\\", u"\\??\\X:\\a\x01z"};
    EMU_POOL_USE row;
    struct lab lab;
    HANDLE handle;

    lab_boot(&lab, SP6, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int n = 0; n < 100; n++)
            assert_status(lab_open(names[i], &handle), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(lab_kept_since(&lab.start, &row), 0);
    lab_shut_down(&lab, 0);
}

static void test_only_the_switch_tells_the_builds_apart(void **state)
{
    const char *overrides[] = {"Q235425=off", NULL};
    EMU_MACHINE_OPTIONS options = {.Build = SP5, .Defects = overrides};
    EMU_MACHINE_AUDIT audit;
    char error[128];

    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
    for (int n = 0; n < 10; n++) {
        HANDLE handle;
        /* Needs no connection: the name is refused before anybody is looked up. */
        assert_status(lab_open(u"\\Device\\LanmanRedirector\\X:\\mem\\lab\\", &handle), STATUS_OBJECT_NAME_INVALID);
    }
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);

    options.Build = SP6;
    overrides[0] = "Q235425=on";
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
    for (int n = 0; n < 10; n++) {
        HANDLE handle;
        assert_status(lab_open(u"\\Device\\LanmanRedirector\\X:\\mem\\lab\\", &handle), STATUS_OBJECT_NAME_INVALID);
    }
    assert_status(EmuMachineShutdown(&audit), STATUS_MEMORY_NOT_ALLOCATED);
    assert_int_equal(audit.Pool.Paged.LiveBlocks, 10);
    EmuPoolFreeSnapshot(&audit.Pool);
}

static void test_sp5_runs_out_of_paged_pool_and_then_a_valid_open_fails_too(void **state)
{
    struct lab lab;
    EMU_EVENT event;
    HANDLE handle;
    NTSTATUS status;
    unsigned opens = 0;

    lab_boot(&lab, SP5, (SIZE_T)4 << 20);
    while ((status = lab_open(u"\\??\\X:\\", &handle)) == STATUS_OBJECT_NAME_INVALID)
        opens++;
    assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
    assert_true(opens > 1000);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(EmuReadEvents(0, &event, 1), 1);
    assert_int_equal(event.Id, 2020);
    lab_shut_down(&lab, opens);
}

static void test_sp6_takes_as_many_opens_in_the_same_pool(void **state)
{
    EMU_POOL_COUNTS before, after, nonpaged;
    struct lab lab;
    EMU_EVENT event;
    HANDLE handle;

    lab_boot(&lab, SP6, (SIZE_T)4 << 20);
    EmuPoolCounts(&before, &nonpaged);
    for (unsigned i = 0; i < 20000; i++)
        assert_status(lab_open(u"\\??\\X:\\", &handle), STATUS_OBJECT_NAME_INVALID);
    EmuPoolCounts(&after, &nonpaged);
    assert_int_equal(after.LiveBytes, before.LiveBytes);
    assert_int_equal(after.Pages, before.Pages);
    assert_int_equal(EmuReadEvents(0, &event, 1), 0);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sp5_keeps_one_paged_block_for_each_invalid_name),
        cmocka_unit_test(test_sp6_keeps_nothing),
        cmocka_unit_test(test_only_the_switch_tells_the_builds_apart),
        cmocka_unit_test(test_sp5_runs_out_of_paged_pool_and_then_a_valid_open_fails_too),
        cmocka_unit_test(test_sp6_takes_as_many_opens_in_the_same_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
