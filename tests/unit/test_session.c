/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions of Terminal Server, and that there are none elsewhere. */
#include "lab.h"

#include <string.h>

#include "ob/obp.h"

static int boot_as(void **state, const char *build)
{
    static struct lab lab;

    lab_boot_unmapped(&lab, build, 0);
    assert_status(smb_mem_add_share(lab.mem, "mem", 445, "other", FALSE), STATUS_SUCCESS);
    *state = &lab;
    return 0;
}

static int boot_terminal_server(void **state)
{
    return boot_as(state, "tse-sp5");
}

static int boot_workstation(void **state)
{
    return boot_as(state, "nt4-sp6");
}

static int shut_down(void **state)
{
    lab_shut_down(*state, 0);
    return 0;
}

static NTSTATUS use(char letter, const WCHAR *remote)
{
    UNICODE_STRING r, user = NT_STRING(u"lab"), password = NT_STRING(u"secret");

    RtlInitUnicodeString(&r, remote);
    return EmuUseAdd((ULONG)(letter - 'A'), &r, &user, &password);
}

static NTSTATUS link_to(const WCHAR *name, const WCHAR *target)
{
    UNICODE_STRING n, t;

    RtlInitUnicodeString(&n, name);
    RtlInitUnicodeString(&t, target);
    return IoCreateSymbolicLink(&n, &t);
}

/* Opens and closes. */
static NTSTATUS try_open(const WCHAR *name)
{
    HANDLE handle;
    NTSTATUS status = lab_open(name, &handle);

    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static void test_each_session_has_its_own_letters(void **state)
{
    PEPROCESS one = EmuCreateProcess(1), also_one = EmuCreateProcess(1), two = EmuCreateProcess(2);
    PEPROCESS before = EmuEnterProcess(one);

    assert_status(use('X', u"\\\\mem\\lab"), STATUS_SUCCESS);
    assert_status(use('X', u"\\\\mem\\lab"), STATUS_OBJECT_NAME_COLLISION);
    EmuEnterProcess(two);
    assert_int_equal(EmuUseLetters(), 0);
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(EmuUseDelete('X' - 'A', TRUE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(use('X', u"\\\\mem\\other"), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_OBJECT_NAME_NOT_FOUND); /* of the other share */
    EmuEnterProcess(also_one);
    assert_int_equal(EmuUseLetters(), 1u << ('X' - 'A'));
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
    assert_status(try_open(u"\\DosDevices\\x:\\f.txt"), STATUS_SUCCESS);
    EmuEnterProcess(before);
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(try_open(u"\\Sessions\\1\\DosDevices\\X:\\f.txt"), STATUS_SUCCESS);
    EmuEnterProcess(one);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_OBJECT_PATH_NOT_FOUND);
    EmuEnterProcess(two);
    assert_int_equal(EmuUseLetters(), 1u << ('X' - 'A'));
    EmuEnterProcess(before);
    EmuDeleteProcess(one);
    EmuDeleteProcess(also_one);
    EmuDeleteProcess(two);
}

static void test_the_machines_names_are_seen_behind_a_sessions(void **state)
{
    PEPROCESS one, before;

    assert_status(use('X', u"\\\\mem\\lab"), STATUS_SUCCESS); /* session 0's */
    assert_status(link_to(u"\\??\\Rdr", u"\\Device\\LanmanRedirector"), STATUS_SUCCESS);
    one = EmuCreateProcess(1);
    before = EmuEnterProcess(one);
    assert_status(try_open(u"\\??\\Rdr"), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\Global\\Rdr"), STATUS_SUCCESS);
    /* Its own name stands in front of the machine's, which Global leads to. */
    assert_status(link_to(u"\\??\\Rdr", u"\\Device\\None"), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\Rdr"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(try_open(u"\\??\\Global\\Rdr"), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\Global\\X:\\f.txt"), STATUS_OBJECT_PATH_NOT_FOUND);
    EmuEnterProcess(before);
    assert_status(try_open(u"\\??\\Rdr"), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
    EmuDeleteProcess(one);
}

static void test_a_session_ends_with_its_last_process_unless_it_has_a_letter(void **state)
{
    PEPROCESS one, two, mine;
    ULONG64 before;

    assert_status(use('Y', u"\\\\mem\\lab"), STATUS_SUCCESS); /* the System process gets its handle table */
    assert_status(EmuUseDelete('Y' - 'A', FALSE), STATUS_SUCCESS);
    before = lab_live_blocks();
    one = EmuCreateProcess(7);
    two = EmuCreateProcess(7);
    mine = EmuEnterProcess(one);
    assert_true(lab_live_blocks() > before);
    assert_status(try_open(u"\\Sessions\\7\\DosDevices\\Global\\X:"), STATUS_OBJECT_NAME_NOT_FOUND);
    EmuEnterProcess(mine);
    EmuDeleteProcess(one);
    assert_status(try_open(u"\\Sessions\\7\\DosDevices"), STATUS_OBJECT_TYPE_MISMATCH);
    EmuDeleteProcess(two);
    assert_status(try_open(u"\\Sessions\\7\\DosDevices"), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_int_equal(lab_live_blocks(), before);

    one = EmuCreateProcess(7);
    EmuEnterProcess(one);
    assert_status(use('Y', u"\\\\mem\\lab"), STATUS_SUCCESS);
    EmuEnterProcess(mine);
    EmuDeleteProcess(one);
    one = EmuCreateProcess(7);
    EmuEnterProcess(one);
    assert_status(try_open(u"\\??\\Y:\\f.txt"), STATUS_SUCCESS);
    assert_status(EmuUseDelete('Y' - 'A', FALSE), STATUS_SUCCESS);
    EmuEnterProcess(mine);
    EmuDeleteProcess(one);
    assert_int_equal(lab_live_blocks(), before);
}

static void test_a_permanent_name_keeps_a_session_until_the_machine_goes_down(void **state)
{
    UNICODE_STRING name = NT_STRING(u"\\Sessions\\7\\Kept");
    OBJECT_ATTRIBUTES attributes;
    PEPROCESS one = EmuCreateProcess(7), before = EmuEnterProcess(one);
    HANDLE handle;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_PERMANENT, NULL, NULL);
    assert_status(NtCreateDirectoryObject(&handle, DIRECTORY_ALL_ACCESS, &attributes), STATUS_SUCCESS);
    EmuEnterProcess(before);
    EmuDeleteProcess(one);
    attributes.Attributes = OBJ_CASE_INSENSITIVE;
    assert_status(NtOpenDirectoryObject(&handle, DIRECTORY_QUERY, &attributes), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS); /* that nothing is left behind, the shutdown's audit says */
}

/* In one session a server is used as one user; another session is another client to it. */
static void test_sessions_use_one_server_as_different_users(void **state)
{
    UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), other = NT_STRING(u"\\\\mem\\other"), user = NT_STRING(u"lab"),
                   guest = NT_STRING(u"guest"), password = NT_STRING(u"secret");
    PEPROCESS one = EmuCreateProcess(1), two = EmuCreateProcess(2), before = EmuEnterProcess(one);

    assert_status(EmuUseAdd('X' - 'A', &remote, &user, &password), STATUS_SUCCESS);
    assert_status(EmuUseAdd('Y' - 'A', &other, &guest, &password), STATUS_NETWORK_CREDENTIAL_CONFLICT);
    EmuEnterProcess(two);
    assert_status(EmuUseAdd('X' - 'A', &other, &guest, &password), STATUS_LOGON_FAILURE); /* asked the server */
    assert_status(EmuUseAdd('X' - 'A', &other, &user, &password), STATUS_SUCCESS);
    EmuEnterProcess(one);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    EmuEnterProcess(two);
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    EmuEnterProcess(before);
    EmuDeleteProcess(one);
    EmuDeleteProcess(two);
}

static void test_every_failing_allocation_of_a_first_process_leaves_no_session(void **state)
{
    ULONG64 before = lab_live_blocks();
    unsigned n;

    for (n = 1; n < 100; n++) {
        PEPROCESS process;
        EmuPoolFailAllocations(n, 1);
        process = EmuCreateProcess(3);
        EmuPoolFailAllocations(0, 0);
        if (process) {
            EmuDeleteProcess(process);
            break;
        }
        if (lab_live_blocks() != before)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - before));
    }
    assert_in_range(n, 8, 99);
    assert_int_equal(lab_live_blocks(), before);
}

static void test_a_workstation_has_one_set_of_letters(void **state)
{
    PEPROCESS one = EmuCreateProcess(1), two = EmuCreateProcess(2), before = EmuEnterProcess(one);
    WCHAR buffer[32];
    UNICODE_STRING path = {0, sizeof buffer, buffer}, want = NT_STRING(u"\\??");

    assert_int_equal(one->SessionId, 0);
    assert_status(use('X', u"\\\\mem\\lab"), STATUS_SUCCESS);
    EmuEnterProcess(two);
    assert_status(use('X', u"\\\\mem\\other"), STATUS_OBJECT_NAME_COLLISION);
    assert_status(try_open(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\Global\\X:\\f.txt"), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(try_open(u"\\Sessions\\0\\DosDevices\\X:"), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(EmuSessionDosDevices(2, &path), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&path, &want, FALSE));
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    EmuEnterProcess(before);
    EmuDeleteProcess(one);
    EmuDeleteProcess(two);
}

static void test_which_builds_have_sessions(void **state)
{
    for (const char *const *name = EmuBuildNames(); *name; name++)
        assert_int_equal(EmuBuildHasSessions(*name), !strncmp(*name, "tse-", 4));
    assert_false(EmuBuildHasSessions("tse-sp9"));
}

#define TSE_TEST(f) cmocka_unit_test_setup_teardown(f, boot_terminal_server, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TSE_TEST(test_each_session_has_its_own_letters),
        TSE_TEST(test_the_machines_names_are_seen_behind_a_sessions),
        TSE_TEST(test_a_session_ends_with_its_last_process_unless_it_has_a_letter),
        TSE_TEST(test_a_permanent_name_keeps_a_session_until_the_machine_goes_down),
        TSE_TEST(test_sessions_use_one_server_as_different_users),
        TSE_TEST(test_every_failing_allocation_of_a_first_process_leaves_no_session),
        cmocka_unit_test_setup_teardown(test_a_workstation_has_one_set_of_letters, boot_workstation, shut_down),
        cmocka_unit_test(test_which_builds_have_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
