/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Letters on one share, and a connection to it without one: one connection to the server, one FCB a file, one set of
 * share accesses; opens are each letter's own. */
#include "lab.h"

#include <ntemu/trace.h>
#include <pthread.h>

static struct lab lab;

static NTSTATUS use(char letter, const WCHAR *remote, const WCHAR *user, const WCHAR *password)
{
    UNICODE_STRING r, u, p;

    RtlInitUnicodeString(&r, remote);
    RtlInitUnicodeString(&u, user);
    RtlInitUnicodeString(&p, password);
    return EmuUseAdd((ULONG)(letter - 'A'), &r, &u, &p);
}

static NTSTATUS unuse(char letter, BOOLEAN force)
{
    return EmuUseDelete((ULONG)(letter - 'A'), force);
}

/* Without a letter. */
static NTSTATUS connect_to(const WCHAR *remote, const WCHAR *user, const WCHAR *password)
{
    return use('A' + EMU_NO_LETTER, remote, user, password);
}

static NTSTATUS disconnect_from(const WCHAR *remote, BOOLEAN force)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, remote);
    return EmuUseDeleteUnlettered(&name, force);
}

static int boot(void **state)
{
    lab_boot(&lab, "nt4-sp6", 0);
    assert_status(smb_mem_add_share(lab.mem, "mem", 445, "other", FALSE), STATUS_SUCCESS);
    assert_status(use('Y', u"\\\\MEM\\LAB", u"LAB", u"secret"), STATUS_LOGON_FAILURE); /* the server minds the case */
    assert_status(use('Y', u"\\\\MEM\\LAB", u"lab", u"secret"), STATUS_SUCCESS);
    return 0;
}

static int shut_down(void **state)
{
    lab_shut_down(&lab, 0);
    return 0;
}

static NTSTATUS read_it(HANDLE handle)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[4];

    return NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &start, NULL);
}

static void test_share_access_holds_between_two_letters(void **state)
{
    HANDLE a, b;

    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
    /* Its own answer: the server is not asked. */
    smb_fault_fail(lab.smb, SMB_CREATE, 1, UINT32_MAX, STATUS_ACCESS_DENIED);
    assert_status(lab_open(u"\\??\\Y:\\f.txt", &b), STATUS_SHARING_VIOLATION);
    assert_status(lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &b), STATUS_SHARING_VIOLATION);
    smb_fault_fail(lab.smb, SMB_CREATE, 1, 0, STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\Y:\\f.txt", &b), STATUS_SUCCESS);
    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &a), STATUS_SHARING_VIOLATION);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_a_pending_delete_holds_between_two_letters(void **state)
{
    HANDLE a, b;

    assert_status(lab_create(u"\\??\\X:\\f.txt", DELETE, 7, FILE_OPEN, FILE_DELETE_ON_CLOSE, &a), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\Y:\\f.txt", FILE_READ_ATTRIBUTES, 7, FILE_OPEN, 0, &b), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_READ_ATTRIBUTES, 7, FILE_OPEN, 0, &a), STATUS_DELETE_PENDING);
    assert_status(NtClose(b), STATUS_SUCCESS); /* the last one, through the other letter, deletes it */
    assert_status(lab_open(u"\\??\\X:\\f.txt", &a), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_rename_through_one_letter_is_seen_through_the_other(void **state)
{
    union {
        FILE_NAME_INFORMATION name;
        UCHAR room[256];
    } information;
    union {
        FILE_RENAME_INFORMATION rename;
        WCHAR name[32];
    } to = {0};
    UNICODE_STRING want = NT_STRING(u"\\mem\\lab\\new"), got;
    IO_STATUS_BLOCK io_status;
    HANDLE a, b;

    assert_status(lab_create(u"\\??\\X:\\f.txt", DELETE, 7, FILE_OPEN, 0, &a), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\Y:\\f.txt", FILE_READ_ATTRIBUTES, 7, FILE_OPEN, 0, &b), STATUS_SUCCESS);
    to.rename.FileNameLength = 6;
    for (int i = 0; i < 3; i++)
        to.name[offsetof(FILE_RENAME_INFORMATION, FileName) / sizeof(WCHAR) + (size_t)i] = u"new"[i];
    assert_status(NtSetInformationFile(a, &io_status, &to, sizeof to, FileRenameInformation), STATUS_SUCCESS);
    assert_status(NtQueryInformationFile(b, &io_status, &information, sizeof information, FileNameInformation),
                  STATUS_SUCCESS);
    got = (UNICODE_STRING){(USHORT)information.name.FileNameLength, 0, information.name.FileName};
    assert_true(RtlEqualUnicodeString(&got, &want, TRUE));
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_opens_are_each_letters_own(void **state)
{
    HANDLE a, b;

    assert_status(lab_open(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
    assert_status(unuse('X', FALSE), STATUS_FILES_OPEN);
    assert_status(unuse('Y', FALSE), STATUS_SUCCESS);
    assert_status(use('Y', u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\Y:\\f.txt", &b), STATUS_SUCCESS);
    assert_status(unuse('X', TRUE), STATUS_SUCCESS);
    assert_status(read_it(a), STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(read_it(b), STATUS_SUCCESS); /* the connection lives as long as a letter */
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(read_it(b), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
    assert_status(use('X', u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
}

/* One tree at the server, and who used the share first is not the last to go. */
static void test_a_file_without_a_letter_outlives_one(void **state)
{
    HANDLE file;

    assert_status(unuse('X', FALSE), STATUS_SUCCESS);
    assert_status(unuse('Y', FALSE), STATUS_SUCCESS);
    /* By another share: a name without a letter brings no password. */
    assert_status(use('Y', u"\\\\mem\\other", u"lab", u"secret"), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &file), STATUS_SUCCESS);
    assert_status(use('X', u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);
    assert_status(unuse('X', FALSE), STATUS_SUCCESS);
    assert_status(read_it(file), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

/* A create through Y: that is held goes on when the letter that made the connection is gone. */
static void *open_y(void *status)
{
    HANDLE handle;

    *(NTSTATUS *)status = lab_open(u"\\??\\Y:\\f.txt", &handle);
    if (NT_SUCCESS(*(NTSTATUS *)status))
        NtClose(handle);
    return NULL;
}

static void test_the_first_letter_goes_while_the_second_one_creates(void **state)
{
    LARGE_INTEGER a_millisecond = {.QuadPart = -10000};
    NTSTATUS status = STATUS_PENDING;
    pthread_t thread;
    KEVENT never;

    KeInitializeEvent(&never, NotificationEvent, FALSE);
    smb_fault_hold(lab.smb, SMB_CREATE);
    assert_int_equal(pthread_create(&thread, NULL, open_y, &status), 0);
    for (int tries = 0; !smb_fault_held(lab.smb) && tries < 10000; tries++)
        KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &a_millisecond);
    assert_status(unuse('X', FALSE), STATUS_SUCCESS);
    smb_fault_release(lab.smb);
    pthread_join(thread, NULL);
    assert_status(status, STATUS_SUCCESS);
}

static void test_a_trace_says_who_refused_another_user(void **state)
{
    PEMU_TRACE trace = NULL;

    assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
    EmuTraceEnd(trace, use('Z', u"\\\\mem\\lab", u"other", u"secret"));
    assert_status(trace->Status, STATUS_NETWORK_CREDENTIAL_CONFLICT);
    assert_non_null(EmuTraceDecider(trace));
    assert_string_equal(EmuTraceDecider(trace)->Place->Layer, "Rdr");
    EmuTraceFree(trace);
}

static void test_a_second_letter_proves_its_credentials_all_the_same(void **state)
{
    assert_status(use('Z', u"\\\\mem\\lab", u"lab", u"wrong"), STATUS_LOGON_FAILURE);
    assert_status(use('Z', u"\\\\mem\\lab", u"other", u"secret"), STATUS_NETWORK_CREDENTIAL_CONFLICT);
    assert_status(use('Z', u"\\\\mem\\none", u"lab", u"secret"), STATUS_BAD_NETWORK_NAME);
    assert_status(use('Z', u"\\\\mem\\other", u"lab", u"secret"), STATUS_SUCCESS);
}

static void test_another_share_is_another_file(void **state)
{
    HANDLE a, b;

    assert_status(use('Z', u"\\\\mem\\other", u"lab", u"secret"), STATUS_SUCCESS);
    assert_status(lab_open_to_write(u"\\??\\X:\\same", &a), STATUS_SUCCESS);
    assert_status(lab_open_to_write(u"\\??\\Z:\\same", &b), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void fail_allocations(char letter)
{
    unsigned n;

    for (n = 1; n < 100; n++) {
        ULONG64 before = lab_live_blocks(), failures;
        NTSTATUS status;
        EmuPoolFailAllocations(n, 1);
        status = use(letter, u"\\\\mem\\lab", u"lab", u"secret");
        failures = EmuPoolFailedAllocations();
        EmuPoolFailAllocations(0, 0);
        if (!failures) {
            assert_status(status, STATUS_SUCCESS);
            break;
        }
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        if (lab_live_blocks() != before)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - before));
    }
    assert_in_range(n, 8, 99);
}

static void test_every_failing_allocation_of_a_second_letter_leaves_nothing(void **state)
{
    assert_status(unuse('Y', FALSE), STATUS_SUCCESS);
    fail_allocations('Y');
}

/* ---- without a letter ---- */

static void test_every_failing_allocation_without_a_letter_leaves_nothing(void **state)
{
    fail_allocations('A' + EMU_NO_LETTER);
    fail_allocations('A' + EMU_NO_LETTER); /* a second one is none, and leaves nothing either */
    assert_status(disconnect_from(u"\\\\MEM\\Lab", FALSE), STATUS_SUCCESS);
}

/* The open files of each row, in the order of the list; the letter of those without one is 26. */
static void expect_uses(const ULONG rows[][2], size_t count)
{
    WCHAR remote_buffer[32], user_buffer[16];
    UNICODE_STRING remote = {0, sizeof remote_buffer, remote_buffer}, user = {0, sizeof user_buffer, user_buffer};
    EMU_USE it = {.Number = ~0u};

    for (size_t i = 0; i < count; i++) {
        assert_status(EmuUseEnumerate(it.Number + 1, &it, &remote, &user), STATUS_SUCCESS);
        assert_int_equal(it.Letter, rows[i][0]);
        assert_int_equal(it.OpenFiles, rows[i][1]);
    }
    assert_status(EmuUseEnumerate(it.Number + 1, &it, &remote, &user), STATUS_NO_MORE_ENTRIES);
}

/* What a letter's name opens is the letter's, and what another name opens is not. */
static void test_names_use_the_connection_without_a_letter(void **state)
{
    static const ULONG rows[][2] = {{'X' - 'A', 1}, {'Y' - 'A', 0}, {EMU_NO_LETTER, 1}};
    HANDLE file, other;

    assert_status(connect_to(u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);
    assert_int_equal(EmuUseLetters(), 1u << ('X' - 'A') | 1u << ('Y' - 'A'));
    assert_status(lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &file), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &other), STATUS_SUCCESS);
    expect_uses(rows, 3);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_status(unuse('X', FALSE), STATUS_SUCCESS);
    assert_status(unuse('Y', FALSE), STATUS_SUCCESS);
    assert_status(disconnect_from(u"\\\\mem\\lab", FALSE), STATUS_FILES_OPEN);
    assert_status(read_it(file), STATUS_SUCCESS);
    assert_status(disconnect_from(u"\\\\mem\\lab", TRUE), STATUS_SUCCESS);
    assert_status(read_it(file), STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(disconnect_from(u"\\\\mem\\lab", FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    /* A name has no password of its own. */
    assert_status(lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &file), STATUS_LOGON_FAILURE);
    assert_status(use('X', u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);
}

static void test_a_share_has_one_connection_without_a_letter(void **state)
{
    static const ULONG rows[][2] = {{'X' - 'A', 0}, {'Y' - 'A', 0}, {EMU_NO_LETTER, 0}};

    for (int i = 0; i < 2; i++)
        assert_status(connect_to(i ? u"\\\\MEM\\LAB" : u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);
    expect_uses(rows, 3);
    assert_status(connect_to(u"\\\\mem\\lab", u"lab", u"wrong"), STATUS_LOGON_FAILURE);
    assert_status(connect_to(u"\\\\mem\\lab", u"other", u"secret"), STATUS_NETWORK_CREDENTIAL_CONFLICT);
    assert_status(connect_to(u"\\\\mem\\none", u"lab", u"secret"), STATUS_BAD_NETWORK_NAME);
    assert_status(connect_to(u"\\\\mem\\lab\\dir", u"lab", u"secret"), STATUS_OBJECT_NAME_INVALID);
    assert_status(connect_to(u"mem\\lab", u"lab", u"secret"), STATUS_BAD_NETWORK_PATH);
    assert_status(disconnect_from(u"\\\\mem\\lab\\dir", FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(disconnect_from(u"\\\\mem", FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(disconnect_from(u"\\\\mem\\lab", FALSE), STATUS_SUCCESS);
    expect_uses(rows, 2);
}

/* With the files that are open on it. */
static void test_what_a_name_connected_is_taken_over(void **state)
{
    static const ULONG rows[][2] = {{'X' - 'A', 0}, {'Y' - 'A', 0}, {EMU_NO_LETTER, 1}};
    HANDLE file;

    assert_status(lab_create(u"\\??\\UNC\\mem\\other\\new", GENERIC_READ, 7, FILE_CREATE, 0, &file), STATUS_SUCCESS);
    expect_uses(rows, 3);
    assert_status(connect_to(u"\\\\mem\\other", u"lab", u"secret"), STATUS_SUCCESS);
    expect_uses(rows, 3);
    assert_status(disconnect_from(u"\\\\mem\\other", FALSE), STATUS_FILES_OPEN);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(disconnect_from(u"\\\\mem\\other", FALSE), STATUS_SUCCESS);
    expect_uses(rows, 2);
}

static void test_what_a_name_connected_is_deleted(void **state)
{
    HANDLE file;

    assert_status(lab_create(u"\\??\\UNC\\mem\\other\\new", GENERIC_READ, 7, FILE_CREATE, 0, &file), STATUS_SUCCESS);
    assert_status(disconnect_from(u"\\\\mem\\other", FALSE), STATUS_FILES_OPEN);
    assert_status(disconnect_from(u"\\\\mem\\other", TRUE), STATUS_SUCCESS);
    assert_status(read_it(file), STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(disconnect_from(u"\\\\mem\\other", FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* Letters in their order, then what names without one made; a row that does not fit is not lost. */
static void test_uses_are_enumerated(void **state)
{
    WCHAR remote_buffer[32], user_buffer[16];
    UNICODE_STRING remote = {0, sizeof remote_buffer, remote_buffer}, user = {0, sizeof user_buffer, user_buffer};
    UNICODE_STRING x = NT_STRING(u"\\\\mem\\lab"), other = NT_STRING(u"\\\\mem\\other"), lab_user = NT_STRING(u"lab");
    HANDLE file;
    EMU_USE it;

    assert_status(lab_open(u"\\??\\X:\\f.txt", &file), STATUS_SUCCESS);
    assert_status(EmuUseEnumerate(0, &it, &remote, &user), STATUS_SUCCESS);
    assert_int_equal(it.Letter, 'X' - 'A');
    assert_int_equal(it.Status, EmuUseOk);
    assert_int_equal(it.OpenFiles, 1);
    assert_true(RtlEqualUnicodeString(&remote, &x, FALSE));
    assert_true(RtlEqualUnicodeString(&user, &lab_user, FALSE));
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(EmuUseEnumerate(it.Number + 1, &it, &remote, &user), STATUS_SUCCESS);
    assert_int_equal(it.Letter, 'Y' - 'A');
    assert_int_equal(it.OpenFiles, 0);
    assert_status(EmuUseEnumerate(it.Number + 1, &it, &remote, &user), STATUS_NO_MORE_ENTRIES);
    assert_status(lab_open(u"\\??\\UNC\\mem\\other\\f.txt", &file), STATUS_OBJECT_NAME_NOT_FOUND);
    remote.MaximumLength = 20;
    assert_status(EmuUseEnumerate('Y' - 'A' + 1, &it, &remote, &user), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(it.Letter, EMU_NO_LETTER);
    remote.MaximumLength = sizeof remote_buffer;
    assert_status(EmuUseEnumerate(it.Number, &it, &remote, &user), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&remote, &other, FALSE));
    assert_true(RtlEqualUnicodeString(&user, &lab_user, FALSE));
    assert_status(EmuUseEnumerate(it.Number + 1, &it, &remote, &user), STATUS_NO_MORE_ENTRIES);
    assert_status(EmuUseEnumerate(~0u, &it, &remote, &user), STATUS_NO_MORE_ENTRIES);
    assert_status(unuse('Y', FALSE), STATUS_SUCCESS);
}

#define CONNECTION_TEST(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTION_TEST(test_share_access_holds_between_two_letters),
        CONNECTION_TEST(test_a_pending_delete_holds_between_two_letters),
        CONNECTION_TEST(test_a_rename_through_one_letter_is_seen_through_the_other),
        CONNECTION_TEST(test_opens_are_each_letters_own),
        CONNECTION_TEST(test_a_file_without_a_letter_outlives_one),
        CONNECTION_TEST(test_the_first_letter_goes_while_the_second_one_creates),
        CONNECTION_TEST(test_a_trace_says_who_refused_another_user),
        CONNECTION_TEST(test_a_second_letter_proves_its_credentials_all_the_same),
        CONNECTION_TEST(test_another_share_is_another_file),
        CONNECTION_TEST(test_uses_are_enumerated),
        CONNECTION_TEST(test_every_failing_allocation_of_a_second_letter_leaves_nothing),
        CONNECTION_TEST(test_every_failing_allocation_without_a_letter_leaves_nothing),
        CONNECTION_TEST(test_names_use_the_connection_without_a_letter),
        CONNECTION_TEST(test_a_share_has_one_connection_without_a_letter),
        CONNECTION_TEST(test_what_a_name_connected_is_taken_over),
        CONNECTION_TEST(test_what_a_name_connected_is_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
