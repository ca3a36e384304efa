/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deleting: marking, delete on close, who is still let in, and when the file goes. */
#include "lab.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define F         u"\\??\\X:\\f.txt"

static struct lab lab;

static int boot(void **state)
{
    lab_boot(&lab, "nt4-sp6", 0);
    return 0;
}

static int shut_down(void **state)
{
    lab_shut_down(&lab, 0);
    return 0;
}

static HANDLE open_for(const WCHAR *name, ACCESS_MASK access, ULONG options)
{
    HANDLE handle = NULL;

    assert_status(lab_create(name, access, SHARE_ALL, FILE_OPEN, options, &handle), STATUS_SUCCESS);
    return handle;
}

static HANDLE make(const WCHAR *name, ULONG attributes, ULONG options)
{
    OBJECT_ATTRIBUTES object;
    IO_STATUS_BLOCK io_status;
    UNICODE_STRING path;
    HANDLE handle = NULL;

    RtlInitUnicodeString(&path, name);
    InitializeObjectAttributes(&object, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtCreateFile(&handle, GENERIC_WRITE | DELETE | SYNCHRONIZE, &object, &io_status, NULL, attributes,
                               SHARE_ALL, FILE_CREATE, options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0),
                  STATUS_SUCCESS);
    return handle;
}

static NTSTATUS mark(HANDLE handle, BOOLEAN delete)
{
    FILE_DISPOSITION_INFORMATION information = {delete};
    IO_STATUS_BLOCK io_status;

    return NtSetInformationFile(handle, &io_status, &information, sizeof information, FileDispositionInformation);
}

/* Of what is about to go, no name is left to be counted. */
static BOOLEAN is_pending(HANDLE handle)
{
    FILE_STANDARD_INFORMATION standard;
    IO_STATUS_BLOCK io_status;

    assert_status(NtQueryInformationFile(handle, &io_status, &standard, sizeof standard, FileStandardInformation),
                  STATUS_SUCCESS);
    assert_int_equal(standard.NumberOfLinks, standard.DeletePending ? 0 : 1);
    return standard.DeletePending;
}

static NTSTATUS try_open(const WCHAR *name)
{
    HANDLE handle;
    NTSTATUS status = lab_create(name, FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static void close_all(HANDLE first, HANDLE second)
{
    assert_status(NtClose(first), STATUS_SUCCESS);
    if (second)
        assert_status(NtClose(second), STATUS_SUCCESS);
}

static void test_a_marked_file_goes_with_its_last_handle(void **state)
{
    HANDLE first = open_for(F, DELETE | FILE_READ_ATTRIBUTES, 0), second = open_for(F, GENERIC_READ, 0);

    assert_false(is_pending(second));
    assert_status(mark(first, TRUE), STATUS_SUCCESS);
    assert_true(is_pending(second));
    assert_status(try_open(F), STATUS_DELETE_PENDING);
    close_all(first, NULL);
    assert_status(try_open(F), STATUS_DELETE_PENDING);
    close_all(second, NULL);
    assert_status(try_open(F), STATUS_OBJECT_NAME_NOT_FOUND);
    close_all(make(F, 0, 0), NULL); /* the name is free */
}

static void test_a_mark_can_be_taken_back(void **state)
{
    HANDLE handle = open_for(F, DELETE | FILE_READ_ATTRIBUTES, 0);

    assert_status(mark(handle, TRUE), STATUS_SUCCESS);
    assert_status(mark(handle, FALSE), STATUS_SUCCESS);
    assert_false(is_pending(handle));
    assert_status(try_open(F), STATUS_SUCCESS);
    close_all(handle, NULL);
    assert_status(try_open(F), STATUS_SUCCESS);
}

static void test_delete_on_close_marks_when_it_is_closed(void **state)
{
    HANDLE first = open_for(F, DELETE, FILE_DELETE_ON_CLOSE), second = open_for(F, GENERIC_READ, 0);

    assert_status(try_open(F), STATUS_SUCCESS);
    close_all(first, NULL);
    assert_status(try_open(F), STATUS_DELETE_PENDING);
    assert_true(is_pending(second));
    close_all(second, NULL);
    assert_status(try_open(F), STATUS_OBJECT_NAME_NOT_FOUND);
    close_all(make(u"\\??\\X:\\new", 0, FILE_DELETE_ON_CLOSE), NULL);
    assert_status(try_open(u"\\??\\X:\\new"), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_what_can_not_be_deleted(void **state)
{
    HANDLE handle;

    handle = open_for(u"\\??\\X:\\dir", DELETE, FILE_DIRECTORY_FILE);
    assert_status(mark(handle, TRUE), STATUS_DIRECTORY_NOT_EMPTY);
    close_all(handle, NULL);
    handle = open_for(u"\\??\\X:\\", DELETE, FILE_DIRECTORY_FILE);
    assert_status(mark(handle, TRUE), STATUS_CANNOT_DELETE);
    close_all(handle, NULL);
    assert_status(lab_create(u"\\??\\X:\\", DELETE, SHARE_ALL, FILE_OPEN, FILE_DELETE_ON_CLOSE, &handle),
                  STATUS_CANNOT_DELETE);
    close_all(make(u"\\??\\X:\\fixed", FILE_ATTRIBUTE_READONLY, 0), NULL);
    handle = open_for(u"\\??\\X:\\fixed", DELETE, 0);
    assert_status(mark(handle, TRUE), STATUS_CANNOT_DELETE);
    close_all(handle, NULL);
    assert_status(lab_create(u"\\??\\X:\\fixed", DELETE, SHARE_ALL, FILE_OPEN, FILE_DELETE_ON_CLOSE, &handle),
                  STATUS_CANNOT_DELETE);
    handle = open_for(F, GENERIC_READ, 0);
    assert_status(mark(handle, TRUE), STATUS_ACCESS_DENIED);
    assert_status(lab_create(F, DELETE, 0, FILE_OPEN, 0, &handle), STATUS_SHARING_VIOLATION);
    close_all(handle, NULL);
    assert_status(try_open(u"\\??\\X:\\fixed"), STATUS_SUCCESS);
}

/* Nobody can be told any more, but whoever looks. */
static void test_what_a_close_could_not_do_is_in_the_event_log(void **state)
{
    HANDLE doomed = open_for(F, DELETE | FILE_READ_DATA, FILE_DELETE_ON_CLOSE);
    EMU_EVENT events[2] = {0};

    smb_fault_fail(lab.smb, SMB_DELETE, 1, 1, STATUS_SHARING_VIOLATION);
    close_all(doomed, NULL);
    assert_int_equal(EmuReadEvents(0, events, 2), 1);
    assert_int_equal(events[0].Id, 3031);
    assert_string_equal(events[0].Source, "Rdr");
    assert_non_null(strstr(events[0].Text, "\"f.txt\""));
    assert_non_null(strstr(events[0].Text, "c0000043"));
    doomed = open_for(F, FILE_READ_DATA, 0);
    smb_fault_fail(lab.smb, SMB_CLOSE, 1, 1, STATUS_DISK_FULL);
    close_all(doomed, NULL);
    assert_int_equal(EmuReadEvents(0, events, 2), 2);
    assert_int_equal(events[1].Id, 3011);
    assert_non_null(strstr(events[1].Text, "c000007f"));
    smb_fault_fail(lab.smb, SMB_CLOSE, 1, 0, STATUS_SUCCESS);
    close_all(open_for(F, DELETE | FILE_READ_DATA, FILE_DELETE_ON_CLOSE), NULL);
    assert_int_equal(EmuReadEvents(0, events, 2), 2);
}

static void test_an_empty_directory_goes(void **state)
{
    HANDLE file = open_for(u"\\??\\X:\\dir\\g.txt", DELETE, FILE_DELETE_ON_CLOSE),
           directory = open_for(u"\\??\\X:\\dir", DELETE, FILE_DIRECTORY_FILE);

    assert_status(mark(directory, TRUE), STATUS_DIRECTORY_NOT_EMPTY);
    close_all(file, NULL);
    assert_status(mark(directory, TRUE), STATUS_SUCCESS);
    close_all(directory, NULL);
    assert_status(try_open(u"\\??\\X:\\dir"), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_directory_is_looked_into_when_it_is_to_go_with_a_handle(void **state)
{
    HANDLE doomed =
        open_for(u"\\??\\X:\\dir", DELETE | FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE);
    HANDLE other = open_for(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE);

    /* There is g.txt in it. */
    assert_status(NtClose(doomed), STATUS_SUCCESS);
    assert_false(is_pending(other));
    assert_status(try_open(u"\\??\\X:\\dir"), STATUS_SUCCESS);
    doomed = open_for(u"\\??\\X:\\dir\\g.txt", DELETE, FILE_DELETE_ON_CLOSE);
    assert_status(NtClose(doomed), STATUS_SUCCESS);
    doomed = open_for(u"\\??\\X:\\dir", DELETE | FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE);
    assert_status(NtClose(doomed), STATUS_SUCCESS);
    assert_true(is_pending(other));
    assert_status(try_open(u"\\??\\X:\\dir"), STATUS_DELETE_PENDING);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\dir"), STATUS_OBJECT_NAME_NOT_FOUND);
}

struct marker {
    PEPROCESS process;
    HANDLE directory;
    NTSTATUS status;
};

static void *mark_in_process(void *argument)
{
    struct marker *marker = argument;

    EmuEnterProcess(marker->process);
    marker->status = mark(marker->directory, TRUE);
    EmuEnterProcess(NULL);
    return NULL;
}

/* What it was opened for to be looked into is closed all the same. */
static void test_a_look_into_a_directory_that_is_cancelled_leaves_nothing_open(void **state)
{
    struct marker marker = {.process = EmuCreateProcess(0)};
    pthread_t thread;

    EmuEnterProcess(marker.process);
    marker.directory = open_for(u"\\??\\X:\\dir", DELETE, FILE_DIRECTORY_FILE);
    EmuEnterProcess(NULL);
    smb_fault_hold(lab.smb, SMB_QUERY_DIRECTORY);
    assert_int_equal(pthread_create(&thread, NULL, mark_in_process, &marker), 0);
    while (!smb_fault_held(lab.smb))
        sched_yield();
    EmuCancelProcessIo(marker.process);
    smb_fault_release(lab.smb);
    pthread_join(thread, NULL);
    assert_status(marker.status, STATUS_CANCELLED);
    EmuEnterProcess(marker.process);
    close_all(marker.directory, NULL);
    EmuEnterProcess(NULL);
    EmuDeleteProcess(marker.process);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
}

/* A handle goes even if nobody can look: it is marked then, and the server keeps what is not empty. */
static void test_a_directory_that_nobody_can_look_into(void **state)
{
    HANDLE other = open_for(u"\\??\\X:\\dir", GENERIC_READ, FILE_DIRECTORY_FILE),
           doomed = open_for(u"\\??\\X:\\dir", DELETE, FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE);

    EmuPoolFailAllocations(1, UINT64_MAX);
    close_all(doomed, NULL);
    EmuPoolFailAllocations(0, 0);
    assert_true(is_pending(other));
    close_all(other, NULL);
    assert_status(try_open(u"\\??\\X:\\dir"), STATUS_SUCCESS);
}

/* By a letter and by a UNC name it is one file. */
static void test_a_mark_holds_for_every_name(void **state)
{
    HANDLE first = open_for(F, DELETE, 0), second = open_for(u"\\??\\UNC\\mem\\lab\\f.txt", GENERIC_READ, 0);

    assert_status(mark(first, TRUE), STATUS_SUCCESS);
    assert_true(is_pending(second));
    assert_status(try_open(u"\\??\\UNC\\mem\\lab\\f.txt"), STATUS_DELETE_PENDING);
    close_all(first, second);
    assert_status(try_open(F), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* A cleanup cannot fail: nobody is told, and the file is there for the next one. */
static void test_a_server_that_does_not_delete(void **state)
{
    HANDLE handle = open_for(F, DELETE, FILE_DELETE_ON_CLOSE);

    smb_fault_fail(lab.smb, SMB_DELETE, 1, 1, STATUS_ACCESS_DENIED);
    close_all(handle, NULL);
    assert_int_equal(smb_fault_failed(lab.smb), 1);
    assert_status(try_open(F), STATUS_SUCCESS);
}

static void test_every_failing_allocation_leaves_nothing(void **state)
{
    HANDLE file = open_for(u"\\??\\X:\\dir\\g.txt", DELETE, FILE_DELETE_ON_CLOSE), directory;
    ULONG64 before;

    close_all(file, NULL);
    directory = open_for(u"\\??\\X:\\dir", DELETE, FILE_DIRECTORY_FILE);
    before = lab_live_blocks();
    for (unsigned n = 1;; n++) {
        NTSTATUS status;
        EmuPoolFailAllocations(n, UINT64_MAX);
        status = mark(directory, TRUE);
        EmuPoolFailAllocations(0, 0);
        assert_int_equal(lab_live_blocks(), before);
        if (NT_SUCCESS(status))
            break;
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
    }
    EmuPoolFailAllocations(1, UINT64_MAX); /* deleting takes no memory */
    close_all(directory, NULL);
    EmuPoolFailAllocations(0, 0);
    assert_status(try_open(u"\\??\\X:\\dir"), STATUS_OBJECT_NAME_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, shut_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_marked_file_goes_with_its_last_handle),
        TEST(test_a_mark_can_be_taken_back),
        TEST(test_delete_on_close_marks_when_it_is_closed),
        TEST(test_what_can_not_be_deleted),
        TEST(test_what_a_close_could_not_do_is_in_the_event_log),
        TEST(test_an_empty_directory_goes),
        TEST(test_a_directory_is_looked_into_when_it_is_to_go_with_a_handle),
        TEST(test_a_look_into_a_directory_that_is_cancelled_leaves_nothing_open),
        TEST(test_a_directory_that_nobody_can_look_into),
        TEST(test_a_mark_holds_for_every_name),
        TEST(test_a_server_that_does_not_delete),
        TEST(test_every_failing_allocation_leaves_nothing),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
