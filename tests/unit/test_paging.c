/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paging I/O, which is what a mapping does to a file: past locks and positions, within the file's end, whole or not. */
#include "lab.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define FILE_NAME u"\\??\\X:\\f.txt"
#define BOTH      (FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE)
#define SHARED    (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define LENGTH    (sizeof LAB_TEXT - 1)

static HANDLE open_file(ACCESS_MASK access)
{
    HANDLE handle;

    assert_status(lab_create(FILE_NAME, access, SHARED, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &handle),
                  STATUS_SUCCESS);
    return handle;
}

static void lock_all(HANDLE file)
{
    LARGE_INTEGER start = {.QuadPart = 0}, count = {.QuadPart = 1 << 20};
    IO_STATUS_BLOCK io_status;

    assert_status(NtLockFile(file, NULL, NULL, NULL, &io_status, &start, &count, NULL, TRUE, TRUE), STATUS_SUCCESS);
}

static void expect_content(HANDLE file, const char *text)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[64];

    assert_status(NtReadFile(file, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &start, NULL), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, strlen(text));
    assert_memory_equal(buffer, text, strlen(text));
}

static LONGLONG position_of(HANDLE file)
{
    FILE_POSITION_INFORMATION position;
    IO_STATUS_BLOCK io_status;

    assert_status(NtQueryInformationFile(file, &io_status, &position, sizeof position, FilePositionInformation),
                  STATUS_SUCCESS);
    return position.CurrentByteOffset.QuadPart;
}

static void test_locks_of_others_do_not_hold(void **state)
{
    HANDLE owner = open_file(BOTH), other = open_file(BOTH);
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[64];

    lock_all(owner);
    assert_status(NtReadFile(other, NULL, NULL, NULL, &io_status, buffer, 6, &start, NULL), STATUS_FILE_LOCK_CONFLICT);
    assert_status(EmuReadPages(other, &io_status, buffer, sizeof buffer, 0), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, LENGTH);
    assert_memory_equal(buffer, LAB_TEXT, LENGTH);
    assert_status(NtWriteFile(other, NULL, NULL, NULL, &io_status, "eleven", 6, &start, NULL),
                  STATUS_FILE_LOCK_CONFLICT);
    assert_status(EmuWritePages(other, &io_status, "eleven", 6, 0), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, 6);
    expect_content(owner, "eleven bytes");
    assert_status(NtClose(owner), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
}

static void test_the_position_stays_where_it_is(void **state)
{
    HANDLE file = open_file(BOTH);
    IO_STATUS_BLOCK io_status;
    char buffer[8];

    assert_status(NtReadFile(file, NULL, NULL, NULL, &io_status, buffer, 3, NULL, NULL), STATUS_SUCCESS);
    assert_status(EmuReadPages(file, &io_status, buffer, 8, 0), STATUS_SUCCESS);
    assert_status(EmuWritePages(file, &io_status, "T", 1, 0), STATUS_SUCCESS);
    assert_int_equal(position_of(file), 3);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_no_file_becomes_longer(void **state)
{
    HANDLE file = open_file(BOTH);
    IO_STATUS_BLOCK io_status;
    char buffer[8];

    assert_status(EmuWritePages(file, &io_status, "notes and more", 14, 7), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, LENGTH - 7);
    expect_content(file, "twelve notes");
    assert_status(EmuWritePages(file, &io_status, "x", 1, LENGTH), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, 0);
    assert_status(EmuWritePages(file, &io_status, "x", 1, MAXLONGLONG - 1), STATUS_SUCCESS);
    assert_status(EmuWritePages(file, &io_status, "x", 1, MAXLONGLONG), STATUS_INVALID_PARAMETER);
    assert_status(EmuWritePages(file, &io_status, "x", 1, -1), STATUS_INVALID_PARAMETER);
    expect_content(file, "twelve notes");
    assert_status(EmuReadPages(file, &io_status, buffer, 8, LENGTH), STATUS_END_OF_FILE);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_it_takes_what_a_section_takes(void **state)
{
    static const struct {
        ACCESS_MASK access;
        NTSTATUS read, write;
    } table[] = {
        {FILE_READ_DATA, STATUS_SUCCESS, STATUS_ACCESS_DENIED},
        {FILE_WRITE_DATA, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED},
        {FILE_READ_DATA | FILE_APPEND_DATA, STATUS_SUCCESS, STATUS_ACCESS_DENIED},
        {FILE_READ_ATTRIBUTES, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED},
        {FILE_READ_DATA | FILE_WRITE_DATA, STATUS_SUCCESS, STATUS_SUCCESS},
    };
    HANDLE file, directory;
    IO_STATUS_BLOCK io_status;
    char buffer[8];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        file = open_file(table[i].access | SYNCHRONIZE);
        assert_status(EmuReadPages(file, &io_status, buffer, 8, 0), table[i].read);
        assert_status(EmuWritePages(file, &io_status, "T", 1, 0), table[i].write);
        assert_status(NtClose(file), STATUS_SUCCESS);
    }
    assert_status(lab_create(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY, SHARED, FILE_OPEN, FILE_DIRECTORY_FILE, &directory),
                  STATUS_SUCCESS);
    assert_status(EmuReadPages(directory, &io_status, buffer, 8, 0), STATUS_INVALID_DEVICE_REQUEST);
    assert_status(NtClose(directory), STATUS_SUCCESS);
    assert_status(EmuReadPages(directory, &io_status, buffer, 8, 0), STATUS_INVALID_HANDLE);
}

static void test_a_failure_is_no_partial_success(void **state)
{
    static UCHAR pages[2 * SMB_MAX_IO];
    LARGE_INTEGER start = {.QuadPart = 0};
    struct lab *lab = *state;
    IO_STATUS_BLOCK io_status;
    HANDLE file;

    assert_status(lab_create(u"\\??\\X:\\big", BOTH, SHARED, FILE_CREATE, FILE_SYNCHRONOUS_IO_NONALERT, &file),
                  STATUS_SUCCESS);
    assert_status(NtWriteFile(file, NULL, NULL, NULL, &io_status, pages, sizeof pages, &start, NULL), STATUS_SUCCESS);
    smb_fault_fail(lab->smb, SMB_WRITE, 2, 1, STATUS_DISK_FULL);
    assert_status(NtWriteFile(file, NULL, NULL, NULL, &io_status, pages, sizeof pages, &start, NULL), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, SMB_MAX_IO);
    smb_fault_fail(lab->smb, SMB_WRITE, 2, 1, STATUS_DISK_FULL);
    assert_status(EmuWritePages(file, &io_status, pages, sizeof pages, 0), STATUS_DISK_FULL);
    assert_status(EmuWritePages(file, &io_status, pages, sizeof pages, 0), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, sizeof pages);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

/* ---- beside a request of the same handle ---- */

static void *read_with_the_handle(void *file)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[4];

    assert_status(NtReadFile(file, NULL, NULL, NULL, &io_status, buffer, 4, &start, NULL), STATUS_SUCCESS);
    return NULL;
}

static void *read_pages(void *file)
{
    IO_STATUS_BLOCK io_status;
    char buffer[4];

    assert_status(EmuReadPages(file, &io_status, buffer, 4, 0), STATUS_SUCCESS);
    return NULL;
}

/* The server has both requests, where a second one of a synchronous handle would wait for the first. */
static void test_it_waits_for_no_request_of_the_handle(void **state)
{
    HANDLE file = open_file(BOTH);
    struct lab *lab = *state;
    pthread_t first, second;

    smb_fault_hold(lab->smb, SMB_READ);
    assert_int_equal(pthread_create(&first, NULL, read_with_the_handle, file), 0);
    while (smb_fault_held(lab->smb) < 1)
        sched_yield();
    assert_int_equal(pthread_create(&second, NULL, read_pages, file), 0);
    while (smb_fault_held(lab->smb) < 2)
        sched_yield();
    smb_fault_release(lab->smb);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_locks_of_others_do_not_hold),     TEST(test_the_position_stays_where_it_is),
        TEST(test_no_file_becomes_longer),          TEST(test_it_takes_what_a_section_takes),
        TEST(test_a_failure_is_no_partial_success), TEST(test_it_waits_for_no_request_of_the_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
