/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q163899: deleting one of two letters that lead to one share disturbs who works on the other. */
#include "lab.h"

static NTSTATUS use(WCHAR letter)
{
    UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), user = NT_STRING(u"lab"), password = NT_STRING(u"secret");

    return EmuUseAdd(letter - 'A', &remote, &user, &password);
}

static NTSTATUS write_it(HANDLE file)
{
    char text[] = "TWELVE";
    IO_STATUS_BLOCK io_status;
    LARGE_INTEGER offset = {.QuadPart = 0};

    return NtWriteFile(file, NULL, NULL, NULL, &io_status, text, sizeof text - 1, &offset, NULL);
}

/* What a file on S: is good for when Y: has gone. */
static NTSTATUS write_beside(const char *build, unsigned *left_open)
{
    struct lab lab;
    HANDLE z, other;
    NTSTATUS status;

    lab_boot_unmapped(&lab, build, 0);
    assert_status(use('Y'), STATUS_SUCCESS);
    assert_status(use('S'), STATUS_SUCCESS);
    assert_status(lab_open_to_write(u"\\??\\S:\\f.txt", &z), STATUS_SUCCESS);
    assert_status(EmuUseDelete('Y' - 'A', FALSE), STATUS_SUCCESS);
    *left_open = smb_mem_open_files(lab.mem);
    status = write_it(z);
    assert_status(NtClose(z), STATUS_SUCCESS);
    assert_status(lab_open_to_write(u"\\??\\S:\\f.txt", &other), STATUS_SUCCESS);
    assert_status(write_it(other), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
    return status;
}

static void test_the_other_letters_file_is_closed(void **state)
{
    unsigned left;

    assert_status(write_beside("nt3.51-sp5", &left), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(left, 0);
}

static void test_no_other_build_has_it(void **state)
{
    static const char *const builds[] = {"nt4-sp2", "nt4-sp3", "nt4-sp4", "nt4-sp5", "nt4-sp6", "tse-sp6"};
    unsigned left;

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        assert_status(write_beside(builds[i], &left), STATUS_SUCCESS);
        assert_int_equal(left, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_other_letters_file_is_closed),
        cmocka_unit_test(test_no_other_build_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
