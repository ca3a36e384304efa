/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q228538 in process: DormantFileLimit = 0, and a file that is closed. */
#include "lab.h"

static void open_and_close(struct lab *lab, const char *build)
{
    static const char *const registry[] = {"LanmanWorkstation\\Parameters\\DormantFileLimit=dword:0", NULL};
    HANDLE handle;

    lab_boot_options(lab, &(EMU_MACHINE_OPTIONS){.Build = build, .Registry = registry});
    lab_map(lab);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void stop(void *build)
{
    struct lab lab;

    open_and_close(&lab, build);
}

static void test_before_sp6_it_stops_with_the_articles_parameters(void **state)
{
    static char *const builds[] = {"nt4-sp4", "nt4-sp5", "tse-sp4", "tse-sp5"};

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        lab_run_to_bug_check(stop, builds[i]);
        assert_int_equal(lab_bug_check.Code, KMODE_EXCEPTION_NOT_HANDLED);
        assert_int_equal(lab_bug_check.Parameters[0], 0xc0000005);
        assert_int_equal(lab_bug_check.Parameters[1], lab_bug_check.Stack.Frames[0]);
        assert_int_equal(lab_bug_check.Parameters[2], 0);
        assert_int_equal(lab_bug_check.Parameters[3], 8);
    }
}

static void test_sp6_keeps_no_file_open(void **state)
{
    static const char *const builds[] = {"nt4-sp6", "tse-sp6"};

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        struct lab lab;
        open_and_close(&lab, builds[i]);
        assert_int_equal(smb_mem_open_files(lab.mem), 0);
        lab_shut_down(&lab, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_sp6_it_stops_with_the_articles_parameters),
        cmocka_unit_test(test_sp6_keeps_no_file_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
