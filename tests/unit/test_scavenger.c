/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The redirector's timer: connections that nobody uses are given up at the server, and come back when they are used. */
#include "lab.h"

#define SECOND 10000000LL

static void pass(LONGLONG seconds)
{
    assert_status(EmuClockAdvance(seconds * SECOND), STATUS_SUCCESS);
}

static void boot(struct lab *lab, const char *setting)
{
    const char *const registry[] = {setting, NULL};

    lab_boot_options(lab, &(EMU_MACHINE_OPTIONS){.Build = "nt4-sp6", .Clock = EmuClockVirtual, .Registry = registry});
}

static void open_and_close(const WCHAR *name)
{
    HANDLE handle;

    assert_status(lab_open(name, &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_a_letter_goes_dormant_and_comes_back(void **state)
{
    struct lab lab;

    boot(&lab, NULL);
    lab_map(&lab);
    assert_int_equal(smb_mem_sessions(lab.mem), 1);
    pass(590);
    assert_int_equal(smb_mem_sessions(lab.mem), 1);
    pass(30);
    assert_int_equal(smb_mem_sessions(lab.mem), 0);
    assert_int_equal(EmuUseLetters(), 1u << ('X' - 'A'));
    open_and_close(u"\\??\\X:\\f.txt");
    assert_int_equal(smb_mem_sessions(lab.mem), 1);
    pass(630);
    assert_int_equal(smb_mem_sessions(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

static void test_what_is_used_or_has_a_file_open_does_not(void **state)
{
    struct lab lab;
    HANDLE handle;

    boot(&lab, NULL);
    lab_map(&lab);
    for (int i = 0; i < 10; i++) {
        pass(400);
        open_and_close(u"\\??\\X:\\f.txt");
        assert_int_equal(smb_backend_count(lab.smb, SMB_TREE_CONNECT), 1);
    }
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    pass(2000);
    assert_int_equal(smb_mem_sessions(lab.mem), 1);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    pass(630);
    assert_int_equal(smb_mem_sessions(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

static void test_a_connection_without_a_letter_goes(void **state)
{
    EMU_CLOCK_STATE clock;
    struct lab lab;

    boot(&lab, NULL);
    assert_status(smb_mem_set_user(lab.mem, "", ""), STATUS_SUCCESS);
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    pass(590);
    assert_int_equal(smb_mem_sessions(lab.mem), 1);
    pass(30);
    assert_int_equal(smb_mem_sessions(lab.mem), 0);
    EmuClockQuery(&clock);
    assert_int_equal(clock.Timers, 0); /* and the timer with the last server */
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    lab_shut_down(&lab, 0);
}

static void test_the_registry_says_when(void **state)
{
    struct lab lab;

    boot(&lab, "LanmanWorkstation\\Parameters\\KeepConn=dword:60");
    lab_map(&lab);
    pass(50);
    assert_int_equal(smb_mem_sessions(lab.mem), 1);
    pass(30);
    assert_int_equal(smb_mem_sessions(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_letter_goes_dormant_and_comes_back),
        cmocka_unit_test(test_what_is_used_or_has_a_file_open_does_not),
        cmocka_unit_test(test_a_connection_without_a_letter_goes),
        cmocka_unit_test(test_the_registry_says_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
