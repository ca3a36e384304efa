/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q214563: once a file on it was read, a letter counts as in use. Service Pack 4's fix of Q179873 brought it. */
#include "lab.h"

static NTSTATUS delete_x(BOOLEAN force)
{
    return EmuUseDelete('X' - 'A', force);
}

static void open_and_close(ACCESS_MASK access)
{
    HANDLE handle;

    assert_status(lab_create(u"\\??\\X:\\f.txt", access, FILE_SHARE_READ, FILE_OPEN, FILE_NON_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_sp4_says_that_the_letter_is_in_use(void **state)
{
    static const char *const builds[] = {"nt4-sp4", "tse-sp4"};
    struct lab lab;

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        lab_boot(&lab, builds[i], 0);
        open_and_close(FILE_READ_DATA);
        assert_status(delete_x(FALSE), STATUS_CONNECTION_IN_USE);
        assert_int_equal(RtlNtStatusToDosError(STATUS_CONNECTION_IN_USE), 2404);
        assert_status(delete_x(TRUE), STATUS_SUCCESS);
        lab_shut_down(&lab, 0);
    }
}

static void test_sp4_lets_a_letter_go_that_was_not_used(void **state)
{
    struct lab lab;

    lab_boot(&lab, "nt4-sp4", 0);
    open_and_close(FILE_READ_ATTRIBUTES);
    assert_status(delete_x(FALSE), STATUS_SUCCESS);
    EmuPoolFreeSnapshot(&lab.start);
    lab_map(&lab); /* takes another one */
    assert_status(delete_x(FALSE), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
}

static void test_before_and_after_only_open_files_count(void **state)
{
    static const char *const builds[] = {"nt4-sp3", "nt4-sp5", "tse-sp5", "nt3.51-sp5"};
    struct lab lab;
    HANDLE handle;

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        lab_boot(&lab, builds[i], 0);
        open_and_close(FILE_READ_DATA);
        assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
        assert_status(delete_x(FALSE), STATUS_FILES_OPEN);
        assert_status(NtClose(handle), STATUS_SUCCESS);
        assert_status(delete_x(FALSE), STATUS_SUCCESS);
        lab_shut_down(&lab, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sp4_says_that_the_letter_is_in_use),
        cmocka_unit_test(test_sp4_lets_a_letter_go_that_was_not_used),
        cmocka_unit_test(test_before_and_after_only_open_files_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
