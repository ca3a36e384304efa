/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The redirector's create path against the in-memory server, also on a build with Q235425 (tests/cases has that). */
#include "lab.h"

#include <pthread.h>
#include <string.h>

#define SP5 "nt4-sp5"
#define SP6 "nt4-sp6"

static void test_sp5_keeps_nothing_of_creates_that_succeed_or_fail_otherwise(void **state)
{
    static const struct {
        const WCHAR *name;
        NTSTATUS status;
    } rows[] = {
        {u"\\??\\X:\\f.txt", STATUS_SUCCESS},
        {u"\\??\\X:\\dir\\g.txt", STATUS_SUCCESS},
        {u"\\??\\X:\\missing", STATUS_OBJECT_NAME_NOT_FOUND},
        {u"\\??\\X:\\missing\\f", STATUS_OBJECT_PATH_NOT_FOUND},
        {u"\\??\\X:\\dir", STATUS_FILE_IS_A_DIRECTORY},
        {u"\\??\\X:", STATUS_FILE_IS_A_DIRECTORY},
        {u"\\??\\X:\\.", STATUS_OBJECT_PATH_SYNTAX_BAD}, /* error 161: not the article's */
        {u"\\??\\Q:\\f", STATUS_OBJECT_PATH_NOT_FOUND},
        {u"\\Device\\LanmanRedirector\\Q:\\mem\\lab\\f", STATUS_BAD_NETWORK_PATH},
    };
    EMU_POOL_USE row;
    struct lab lab;

    lab_boot(&lab, SP5, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int n = 0; n < 3; n++) {
            HANDLE handle;
            NTSTATUS status = lab_open(rows[i].name, &handle);
            if (status != rows[i].status)
                fail_msg("row %zu: %s, expected %s", i, status_name(status), status_name(rows[i].status));
            if (NT_SUCCESS(status))
                assert_status(NtClose(handle), STATUS_SUCCESS);
        }
    /* The System process's handle table, once grown, stays. */
    if (lab_kept_since(&lab.start, &row))
        assert_int_equal(row.Tag, POOL_TAG('O', 'b', 't', 'b'));
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

static void test_an_invalid_name_never_reaches_the_server(void **state)
{
    struct lab lab;
    HANDLE handle;
    uint64_t before;

    lab_boot(&lab, SP6, 0);
    before = smb_backend_count(lab.smb, SMB_CREATE);
    assert_status(lab_open(u"\\??\\X:\\", &handle), STATUS_OBJECT_NAME_INVALID);
    assert_status(lab_open(u"\\??\\X:\\a*b", &handle), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(smb_backend_count(lab.smb, SMB_CREATE), before);
    assert_status(lab_open(u"\\??\\X:\\missing", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(smb_backend_count(lab.smb, SMB_CREATE), before + 1);
    lab_shut_down(&lab, 0);
}

static void test_a_trailing_backslash_without_the_option_opens_the_directory(void **state)
{
    struct lab lab;
    HANDLE handle;

    lab_boot(&lab, SP6, 0);
    assert_status(lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\f.txt\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, 0, &handle),
                  STATUS_NOT_A_DIRECTORY);
    lab_shut_down(&lab, 0);
}

static void test_extended_attributes_are_refused_and_make_no_file(void **state)
{
    union {
        FILE_FULL_EA_INFORMATION ea;
        UCHAR room[32];
    } list = {.ea = {.EaNameLength = 1, .EaValueLength = 1}};
    UNICODE_STRING path = NT_STRING(u"\\??\\X:\\new");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    struct lab lab;
    HANDLE handle;

    list.ea.EaName[0] = 'N'; /* its NUL and a value of NUL follow */
    lab_boot(&lab, SP6, 0);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtCreateFile(&handle, GENERIC_WRITE, &attributes, &io_status, NULL, FILE_ATTRIBUTE_NORMAL, 0,
                               FILE_CREATE, 0, &list, sizeof list),
                  STATUS_EAS_NOT_SUPPORTED);
    assert_status(lab_open(u"\\??\\X:\\new", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    lab_shut_down(&lab, 0);
}

/* ---- failures on purpose ---- */

/* The nth allocation fails, once or from then on for ever. */
static void run_with_every_allocation_failing(const char *build, const WCHAR *name, NTSTATUS otherwise,
                                              unsigned leak_on_invalid, ULONG64 times)
{
    unsigned leaked = 0, n;
    struct lab lab;
    HANDLE handle;

    lab_boot(&lab, build, 0);
    for (n = 1; n < 200; n++) {
        ULONG64 before = lab_live_blocks();
        NTSTATUS status;
        ULONG64 failures;
        EmuPoolFailAllocations(n, times);
        status = lab_open(name, &handle);
        failures = EmuPoolFailedAllocations();
        EmuPoolFailAllocations(0, 0);
        if (NT_SUCCESS(status))
            assert_status(NtClose(handle), STATUS_SUCCESS);
        if (status == STATUS_OBJECT_NAME_INVALID)
            leaked += leak_on_invalid;
        if (!failures) {
            assert_status(status, otherwise);
            break;
        }
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        if (lab_live_blocks() != before)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - before));
    }
    assert_in_range(n, 4, 199);
    lab_shut_down(&lab, leaked);
}

static void test_every_failing_allocation_leaves_nothing(void **state)
{
    static const ULONG64 times[] = {1, UINT64_MAX};

    for (int i = 0; i < 2; i++) {
        run_with_every_allocation_failing(SP6, u"\\??\\X:\\f.txt", STATUS_SUCCESS, 0, times[i]);
        run_with_every_allocation_failing(SP6, u"\\??\\X:\\", STATUS_OBJECT_NAME_INVALID, 0, times[i]);
        run_with_every_allocation_failing(SP6, u"\\??\\X:\\missing", STATUS_OBJECT_NAME_NOT_FOUND, 0, times[i]);
        run_with_every_allocation_failing(SP5, u"\\??\\X:\\f.txt", STATUS_SUCCESS, 0, times[i]);
        run_with_every_allocation_failing(SP5, u"\\??\\X:\\", STATUS_OBJECT_NAME_INVALID, 1, times[i]);
    }
}

static void test_a_failing_server_leaves_nothing(void **state)
{
    static const NTSTATUS statuses[] = {STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT, STATUS_ACCESS_DENIED,
                                        STATUS_OBJECT_NAME_INVALID};
    struct lab lab;
    HANDLE handle;

    lab_boot(&lab, SP5, 0); /* a name that the *server* finds invalid is none that Q235425 is about */
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        smb_fault_fail(lab.smb, SMB_CREATE, 1, 1, statuses[i]);
        assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), statuses[i]);
        assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
        assert_status(NtClose(handle), STATUS_SUCCESS);
    }
    smb_fault_fail(lab.smb, SMB_CLOSE, 1, 1, STATUS_CONNECTION_DISCONNECTED);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
}

/* ---- MAXIMUM_ALLOWED ---- */

#define MAXIMUM FILE_ALL_ACCESS
#define OF_READ_ONLY                                                                                                   \
    (FILE_ALL_ACCESS & ~(ULONG)(FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD)) /* MS-FSA 2.1.5.1.2.1 */

/* What a handle may, as the object manager and the redirector say it. */
static ACCESS_MASK granted(HANDLE handle)
{
    FILE_ACCESS_INFORMATION access = {0};
    OBJECT_BASIC_INFORMATION basic = {0};
    IO_STATUS_BLOCK io_status;

    assert_status(NtQueryObject(handle, ObjectBasicInformation, &basic, sizeof basic, NULL), STATUS_SUCCESS);
    assert_status(NtQueryInformationFile(handle, &io_status, &access, sizeof access, FileAccessInformation),
                  STATUS_SUCCESS);
    assert_int_equal(access.AccessFlags, basic.GrantedAccess);
    return basic.GrantedAccess;
}

static NTSTATUS write_it(HANDLE handle)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;

    return NtWriteFile(handle, NULL, NULL, NULL, &io_status, "T", 1, &start, NULL);
}

static void test_a_handle_may_what_the_maximum_came_to(void **state)
{
    UNICODE_STRING name = NT_STRING(u"\\??\\X:\\locked");
    OBJECT_ATTRIBUTES attributes = {sizeof attributes, NULL, &name, OBJ_CASE_INSENSITIVE, NULL, NULL};
    IO_STATUS_BLOCK io_status;
    struct lab lab;
    HANDLE handle;

    lab_boot(&lab, SP6, 0);
    assert_status(NtCreateFile(&handle, MAXIMUM_ALLOWED, &attributes, &io_status, NULL, FILE_ATTRIBUTE_READONLY, 7,
                               FILE_CREATE, 0, NULL, 0),
                  STATUS_SUCCESS);
    assert_int_equal(granted(handle), MAXIMUM); /* who makes it may fill it */
    assert_status(write_it(handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_create(name.Buffer, MAXIMUM_ALLOWED, 7, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_int_equal(granted(handle), OF_READ_ONLY);
    assert_status(write_it(handle), STATUS_ACCESS_DENIED);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\f.txt", MAXIMUM_ALLOWED, 7, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_int_equal(granted(handle), MAXIMUM);
    assert_status(write_it(handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\dir", MAXIMUM_ALLOWED, 7, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    assert_int_equal(granted(handle), MAXIMUM);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
}

/* What it came to counts: others may not do what who has the maximum does not share, and the server is left nothing of
 * an open that this machine refuses. */
static void test_the_maximum_counts_for_share_access_as_what_it_came_to(void **state)
{
    const WCHAR *name = u"\\??\\X:\\f.txt";
    HANDLE first, second;
    struct lab lab;

    lab_boot(&lab, SP6, 0);
    assert_status(lab_create(name, MAXIMUM_ALLOWED, FILE_SHARE_READ, FILE_OPEN, 0, &first), STATUS_SUCCESS);
    assert_status(lab_create(name, FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, 0, &second), STATUS_SHARING_VIOLATION);
    assert_status(lab_create(name, FILE_WRITE_DATA, 7, FILE_OPEN, 0, &second), STATUS_SHARING_VIOLATION);
    assert_status(lab_create(name, FILE_READ_DATA, 7, FILE_OPEN, 0, &second), STATUS_SUCCESS);
    assert_status(NtClose(first), STATUS_SUCCESS);
    assert_status(NtClose(second), STATUS_SUCCESS);
    /* DELETE alone holds nothing open at the server: only this machine knows of it. */
    assert_status(lab_create(name, DELETE, FILE_SHARE_READ, FILE_OPEN, 0, &first), STATUS_SUCCESS);
    assert_status(lab_create(name, MAXIMUM_ALLOWED, 7, FILE_OPEN, 0, &second), STATUS_SHARING_VIOLATION);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    assert_status(NtClose(first), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
}

/* ---- pending creates ---- */

struct opener {
    PEPROCESS process;
    const WCHAR *name;
    NTSTATUS status;
};

static void *open_and_close(void *argument)
{
    struct opener *o = argument;
    HANDLE handle;

    EmuEnterProcess(o->process);
    o->status = lab_open(o->name, &handle);
    if (NT_SUCCESS(o->status))
        NtClose(handle);
    EmuEnterProcess(NULL);
    return NULL;
}

static void wait_until_held(struct lab *lab, unsigned count)
{
    LARGE_INTEGER a_millisecond = {.QuadPart = -10000};
    KEVENT never;

    KeInitializeEvent(&never, NotificationEvent, FALSE);
    for (int tries = 0; smb_fault_held(lab->smb) < count; tries++) {
        assert_true(tries < 10000);
        KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &a_millisecond);
    }
}

static void test_a_create_that_waits_for_the_server_is_cancelled_with_its_process(void **state)
{
    struct opener o = {.name = u"\\??\\X:\\f.txt"};
    struct lab lab;
    pthread_t thread;
    HANDLE handle;

    lab_boot(&lab, SP6, 0);
    smb_fault_hold(lab.smb, SMB_CREATE);
    o.process = EmuCreateProcess(0);
    assert_int_equal(pthread_create(&thread, NULL, open_and_close, &o), 0);
    wait_until_held(&lab, 1);
    EmuCancelProcessIo(o.process);
    pthread_join(thread, NULL);
    assert_status(o.status, STATUS_CANCELLED);
    EmuDeleteProcess(o.process);
    smb_fault_release(lab.smb);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
}

static void test_a_process_that_is_dying_starts_nothing_new(void **state)
{
    struct opener o = {.name = u"\\??\\X:\\f.txt"};
    struct lab lab;
    pthread_t thread;

    lab_boot(&lab, SP6, 0);
    smb_fault_hold(lab.smb, SMB_CREATE);
    o.process = EmuCreateProcess(0);
    EmuCancelProcessIo(o.process);
    assert_int_equal(pthread_create(&thread, NULL, open_and_close, &o), 0);
    pthread_join(thread, NULL);
    assert_status(o.status, STATUS_CANCELLED);
    EmuDeleteProcess(o.process);
    smb_fault_release(lab.smb);
    lab_shut_down(&lab, 0);
}

#define OPENERS 4

struct releaser {
    struct lab *lab;
    int stop; /* atomic */
};

/* Lets held creates go all the time, from a thread of its own: completions race with cancels. */
static void *hold_and_release(void *argument)
{
    struct releaser *r = argument;

    while (!__atomic_load_n(&r->stop, __ATOMIC_SEQ_CST)) {
        smb_fault_hold(r->lab->smb, SMB_CREATE);
        for (int i = 0; i < 1000 && !smb_fault_held(r->lab->smb); i++)
            ;
        smb_fault_release(r->lab->smb);
    }
    smb_fault_release(r->lab->smb);
    return NULL;
}

static void open_and_cancel_at_once(BOOLEAN asynchronous)
{
    struct opener openers[OPENERS];
    pthread_t threads[OPENERS], releasing;
    struct lab lab;
    struct releaser releaser = {&lab, 0};
    unsigned cancelled = 0;

    lab_boot(&lab, SP6, 0);
    if (asynchronous)
        lab_hide_waiting();
    assert_int_equal(pthread_create(&releasing, NULL, hold_and_release, &releaser), 0);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < OPENERS; i++) {
            openers[i] = (struct opener){EmuCreateProcess(0), i % 2 ? u"\\??\\X:\\f.txt" : u"\\??\\X:\\", 0};
            assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &openers[i]), 0);
        }
        EmuCancelProcessIo(openers[round % OPENERS].process);
        for (int i = 0; i < OPENERS; i++) {
            NTSTATUS expected = i % 2 ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
            pthread_join(threads[i], NULL);
            EmuDeleteProcess(openers[i].process);
            if (openers[i].status == STATUS_CANCELLED && i == round % OPENERS)
                cancelled++;
            else
                assert_status(openers[i].status, expected);
        }
    }
    __atomic_store_n(&releaser.stop, 1, __ATOMIC_SEQ_CST);
    pthread_join(releasing, NULL);
    print_message("%u of 150 creates were cancelled\n", cancelled);
    if (asynchronous)
        lab_show_waiting();
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

static void test_creates_from_many_threads_and_cancels_leave_nothing(void **state)
{
    open_and_cancel_at_once(FALSE);
    open_and_cancel_at_once(TRUE);
}

static void test_a_create_that_nobody_waits_for_is_completed_and_cancelled_alike(void **state)
{
    struct opener o = {.name = u"\\??\\X:\\f.txt"};
    struct lab lab;
    pthread_t thread;
    HANDLE handle;

    lab_boot(&lab, SP6, 0);
    lab_hide_waiting();
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\X:\\missing", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    smb_fault_hold(lab.smb, SMB_CREATE);
    o.process = EmuCreateProcess(0);
    assert_int_equal(pthread_create(&thread, NULL, open_and_close, &o), 0);
    wait_until_held(&lab, 1);
    EmuCancelProcessIo(o.process);
    pthread_join(thread, NULL);
    assert_status(o.status, STATUS_CANCELLED);
    EmuDeleteProcess(o.process);
    smb_fault_release(lab.smb);
    lab_show_waiting();
    lab_shut_down(&lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sp5_keeps_nothing_of_creates_that_succeed_or_fail_otherwise),
        cmocka_unit_test(test_an_invalid_name_never_reaches_the_server),
        cmocka_unit_test(test_a_trailing_backslash_without_the_option_opens_the_directory),
        cmocka_unit_test(test_extended_attributes_are_refused_and_make_no_file),
        cmocka_unit_test(test_every_failing_allocation_leaves_nothing),
        cmocka_unit_test(test_a_failing_server_leaves_nothing),
        cmocka_unit_test(test_a_handle_may_what_the_maximum_came_to),
        cmocka_unit_test(test_the_maximum_counts_for_share_access_as_what_it_came_to),
        cmocka_unit_test(test_a_create_that_waits_for_the_server_is_cancelled_with_its_process),
        cmocka_unit_test(test_a_process_that_is_dying_starts_nothing_new),
        cmocka_unit_test(test_a_create_that_nobody_waits_for_is_completed_and_cancelled_alike),
        cmocka_unit_test(test_creates_from_many_threads_and_cancels_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
