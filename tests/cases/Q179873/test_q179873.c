/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q179873: deleting a letter disconnects the tree, and with it files that are open by UNC names. */
#include "lab.h"

static NTSTATUS use(WCHAR letter, const WCHAR *share)
{
    UNICODE_STRING remote, user = NT_STRING(u"lab"), password = NT_STRING(u"secret");

    RtlInitUnicodeString(&remote, share);
    return EmuUseAdd(letter - 'A', &remote, &user, &password);
}

static NTSTATUS read_it(HANDLE file)
{
    char text[16];
    IO_STATUS_BLOCK io_status;
    LARGE_INTEGER offset = {.QuadPart = 0};

    return NtReadFile(file, NULL, NULL, NULL, &io_status, text, sizeof text, &offset, NULL);
}

/* In the article's order: a file by its UNC name, a letter, no letter. Returns what the file is good for then. */
static NTSTATUS read_without_the_letter(const char *build, unsigned *left_open)
{
    struct lab lab;
    HANDLE unc, other;
    NTSTATUS status;

    lab_boot_unmapped(&lab, build, 0);
    /* The server knows the session by another share: a name without a letter has no password with it. */
    assert_status(smb_mem_add_share(lab.mem, "mem", 0, "other", FALSE), STATUS_SUCCESS);
    assert_status(use('W', u"\\\\mem\\other"), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &unc), STATUS_SUCCESS);
    assert_status(use('X', u"\\\\mem\\lab"), STATUS_SUCCESS);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    *left_open = smb_mem_open_files(lab.mem);
    status = read_it(unc);
    assert_status(NtClose(unc), STATUS_SUCCESS);
    /* The share is there for the next one in any case. */
    assert_status(lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &other), STATUS_SUCCESS);
    assert_status(read_it(other), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
    return status;
}

static void test_the_servers_files_go_with_the_letter(void **state)
{
    static const char *const builds[] = {"nt4-sp2", "nt4-sp3"};
    unsigned left;

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        assert_status(read_without_the_letter(builds[i], &left), STATUS_CONNECTION_DISCONNECTED);
        assert_int_equal(left, 0);
    }
}

static void test_the_fixed_build_leaves_the_tree_to_who_uses_it(void **state)
{
    static const char *const builds[] = {"nt4-sp4", "nt4-sp5", "tse-sp4", "nt3.51-sp5"};
    unsigned left;

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        assert_status(read_without_the_letter(builds[i], &left), STATUS_SUCCESS);
        assert_int_equal(left, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_servers_files_go_with_the_letter),
        cmocka_unit_test(test_the_fixed_build_leaves_the_tree_to_who_uses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
