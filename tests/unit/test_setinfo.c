/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file's times, attributes and size, set through its handle, against the in-memory server. */
#include "lab.h"

#include <string.h>

#define FILE_NAME u"\\??\\X:\\f.txt"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

#define AT_1998 125444736000000001LL
#define AT_2001 126444736001234567LL
#define AT_2004 127444736006543219LL

static HANDLE open_file(const WCHAR *name, ACCESS_MASK access)
{
    HANDLE handle = NULL;

    assert_status(lab_create(name, access, SHARE_ALL, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    return handle;
}

static FILE_BASIC_INFORMATION query_basic(const WCHAR *name)
{
    HANDLE handle = open_file(name, FILE_READ_ATTRIBUTES);
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK io_status;

    assert_status(NtQueryInformationFile(handle, &io_status, &basic, sizeof basic, FileBasicInformation),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return basic;
}

static LONGLONG query_size(HANDLE handle)
{
    FILE_STANDARD_INFORMATION standard;
    IO_STATUS_BLOCK io_status;

    assert_status(NtQueryInformationFile(handle, &io_status, &standard, sizeof standard, FileStandardInformation),
                  STATUS_SUCCESS);
    return standard.EndOfFile.QuadPart;
}

static NTSTATUS set(HANDLE handle, void *information, ULONG length, FILE_INFORMATION_CLASS class)
{
    IO_STATUS_BLOCK io_status = {{0x5a}, 0x5a};
    NTSTATUS status = NtSetInformationFile(handle, &io_status, information, length, class);

    if (NT_SUCCESS(status))
        assert_int_equal(io_status.Information, 0);
    return status;
}

static NTSTATUS set_basic(HANDLE handle, LONGLONG creation, LONGLONG access, LONGLONG write, LONGLONG change,
                          ULONG attributes)
{
    FILE_BASIC_INFORMATION basic = {
        {.QuadPart = creation}, {.QuadPart = access}, {.QuadPart = write}, {.QuadPart = change}, attributes};

    return set(handle, &basic, sizeof basic, FileBasicInformation);
}

static NTSTATUS set_size(HANDLE handle, LONGLONG size, FILE_INFORMATION_CLASS class)
{
    FILE_END_OF_FILE_INFORMATION end = {{.QuadPart = size}};

    return set(handle, &end, sizeof end, class);
}

static void test_times_are_set_exactly_and_one_by_one(void **state)
{
    HANDLE handle = open_file(FILE_NAME, FILE_WRITE_ATTRIBUTES);
    FILE_BASIC_INFORMATION basic, before = query_basic(FILE_NAME);

    assert_status(set_basic(handle, 0, 0, AT_2001, 0, 0), STATUS_SUCCESS);
    assert_status(set_basic(handle, AT_1998, 0, 0, 0, 0), STATUS_SUCCESS);
    assert_status(set_basic(handle, 0, AT_2004, -1, AT_1998, 0), STATUS_SUCCESS);
    assert_status(set_basic(handle, -1, -2, -1, -2, 0), STATUS_SUCCESS);
    basic = query_basic(FILE_NAME);
    assert_int_equal(basic.CreationTime.QuadPart, AT_1998);
    assert_int_equal(basic.LastAccessTime.QuadPart, AT_2004);
    assert_int_equal(basic.LastWriteTime.QuadPart, AT_2001);
    assert_true(basic.ChangeTime.QuadPart >= before.ChangeTime.QuadPart); /* the server's own */
    assert_int_equal(basic.FileAttributes, before.FileAttributes);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* A server gives a file that was written the time of its close; ours was set by another open than that. */
static void test_a_time_that_was_set_is_set_again_behind_the_close(void **state)
{
    HANDLE writer = open_file(FILE_NAME, FILE_READ_DATA | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES), other;
    struct lab *lab = *state;

    other = open_file(FILE_NAME, FILE_READ_DATA | FILE_WRITE_DATA); /* by the same open at the server */
    assert_status(set_basic(writer, 0, 0, AT_2001, 0, 0), STATUS_SUCCESS);
    assert_status(NtClose(writer), STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab->smb, SMB_SET_BASIC), 1);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab->smb, SMB_SET_BASIC), 2);
    assert_int_equal(query_basic(FILE_NAME).LastWriteTime.QuadPart, AT_2001);

    writer = open_file(FILE_NAME, FILE_WRITE_ATTRIBUTES);
    assert_status(set_basic(writer, 0, 0, AT_2004, 0, 0), STATUS_SUCCESS);
    assert_status(NtClose(writer), STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab->smb, SMB_SET_BASIC), 3); /* nothing was open to write */
}

static void test_times_and_attributes_that_there_are_not_are_refused(void **state)
{
    HANDLE file = open_file(FILE_NAME, FILE_WRITE_ATTRIBUTES), directory = open_file(u"\\??\\X:\\dir", FILE_ALL_ACCESS);
    FILE_BASIC_INFORMATION before = query_basic(FILE_NAME), after;

    assert_status(set_basic(file, -3, 0, 0, 0, 0), STATUS_INVALID_PARAMETER);
    assert_status(set_basic(file, 0, -3, 0, 0, 0), STATUS_INVALID_PARAMETER);
    assert_status(set_basic(file, 0, 0, MINLONGLONG, 0, 0), STATUS_INVALID_PARAMETER);
    assert_status(set_basic(file, 0, 0, AT_1998, -3, 0), STATUS_INVALID_PARAMETER);
    assert_status(set_basic(file, 0, 0, AT_1998, 0, FILE_ATTRIBUTE_DIRECTORY), STATUS_INVALID_PARAMETER);
    assert_status(set_basic(directory, 0, 0, 0, 0, FILE_ATTRIBUTE_TEMPORARY), STATUS_INVALID_PARAMETER);
    after = query_basic(FILE_NAME);
    assert_memory_equal(&after, &before, sizeof after);
    assert_status(set_basic(directory, 0, 0, AT_2001, 0, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN),
                  STATUS_SUCCESS);
    after = query_basic(u"\\??\\X:\\dir");
    assert_int_equal(after.FileAttributes, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN);
    assert_int_equal(after.LastWriteTime.QuadPart, AT_2001);
    assert_status(NtClose(directory), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_attributes_are_all_that_is_named(void **state)
{
    HANDLE handle = open_file(FILE_NAME, FILE_WRITE_ATTRIBUTES);

    assert_status(set_basic(handle, 0, 0, 0, 0, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
    assert_int_equal(query_basic(FILE_NAME).FileAttributes, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_READONLY);
    assert_status(set_basic(handle, 0, 0, 0, 0, FILE_ATTRIBUTE_SYSTEM), STATUS_SUCCESS);
    assert_int_equal(query_basic(FILE_NAME).FileAttributes, FILE_ATTRIBUTE_SYSTEM);
    assert_status(set_basic(handle, 0, 0, 0, 0, FILE_ATTRIBUTE_NORMAL), STATUS_SUCCESS);
    assert_int_equal(query_basic(FILE_NAME).FileAttributes, FILE_ATTRIBUTE_NORMAL);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_the_handle_must_have_been_opened_for_it(void **state)
{
    HANDLE reader = open_file(FILE_NAME, FILE_READ_DATA | FILE_READ_ATTRIBUTES | FILE_APPEND_DATA);

    assert_status(set_basic(reader, 0, 0, AT_1998, 0, 0), STATUS_ACCESS_DENIED);
    assert_status(set_size(reader, 3, FileEndOfFileInformation), STATUS_ACCESS_DENIED);
    assert_status(set_size(reader, 3, FileAllocationInformation), STATUS_ACCESS_DENIED);
    assert_int_equal(query_size(reader), strlen(LAB_TEXT));
    assert_status(NtClose(reader), STATUS_SUCCESS);
}

/* Who may write already still may; nobody else is let in to write, not even by an open that this machine has. */
static void test_a_file_made_read_only_lets_no_new_writer_in(void **state)
{
    HANDLE writer = open_file(FILE_NAME, FILE_READ_DATA | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES), other;
    IO_STATUS_BLOCK io_status;
    LARGE_INTEGER start = {.QuadPart = 0};

    assert_status(set_basic(writer, 0, 0, 0, 0, FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
    assert_status(NtWriteFile(writer, NULL, NULL, NULL, &io_status, "T", 1, &start, NULL), STATUS_SUCCESS);
    assert_status(lab_create(FILE_NAME, FILE_READ_DATA | FILE_WRITE_DATA, SHARE_ALL, FILE_OPEN, 0, &other),
                  STATUS_ACCESS_DENIED);
    assert_status(set_basic(writer, 0, 0, 0, 0, FILE_ATTRIBUTE_ARCHIVE), STATUS_SUCCESS);
    assert_status(lab_create(FILE_NAME, FILE_READ_DATA | FILE_WRITE_DATA, SHARE_ALL, FILE_OPEN, 0, &other),
                  STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_status(NtClose(writer), STATUS_SUCCESS);
}

static void test_a_file_made_read_only_while_it_is_marked_goes_all_the_same(void **state)
{
    HANDLE handle = open_file(FILE_NAME, DELETE | FILE_WRITE_ATTRIBUTES), other;
    FILE_DISPOSITION_INFORMATION disposition = {TRUE};

    assert_status(set(handle, &disposition, sizeof disposition, FileDispositionInformation), STATUS_SUCCESS);
    assert_status(set_basic(handle, 0, 0, 0, 0, FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_create(FILE_NAME, FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &other),
                  STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_size_is_set_and_what_is_added_is_zero(void **state)
{
    HANDLE handle = open_file(FILE_NAME, FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES);
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[32];

    assert_status(set_size(handle, 6, FileEndOfFileInformation), STATUS_SUCCESS);
    assert_int_equal(query_size(handle), 6);
    assert_status(set_size(handle, 9, FileEndOfFileInformation), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &start, NULL),
                  STATUS_SUCCESS);
    assert_int_equal(io_status.Information, 9);
    assert_memory_equal(buffer, "twelve\0\0\0", 9);
    assert_status(set_size(handle, -1, FileEndOfFileInformation), STATUS_INVALID_PARAMETER);
    assert_status(set_size(handle, -1, FileAllocationInformation), STATUS_INVALID_PARAMETER);
    assert_status(set_size(handle, MAXLONGLONG, FileEndOfFileInformation), STATUS_DISK_FULL);
    assert_int_equal(query_size(handle), 9);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_an_allocation_cuts_off_and_adds_nothing(void **state)
{
    HANDLE handle = open_file(FILE_NAME, FILE_WRITE_DATA | FILE_READ_ATTRIBUTES);

    assert_status(set_size(handle, 1 << 20, FileAllocationInformation), STATUS_SUCCESS);
    assert_int_equal(query_size(handle), strlen(LAB_TEXT));
    assert_status(set_size(handle, 5, FileAllocationInformation), STATUS_SUCCESS);
    assert_int_equal(query_size(handle), 5);
    assert_status(set_size(handle, 0, FileAllocationInformation), STATUS_SUCCESS);
    assert_int_equal(query_size(handle), 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_a_directory_has_no_size(void **state)
{
    HANDLE handle = open_file(u"\\??\\X:\\dir", FILE_ALL_ACCESS);

    assert_status(set_size(handle, 0, FileEndOfFileInformation), STATUS_INVALID_PARAMETER);
    assert_status(set_size(handle, 0, FileAllocationInformation), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_what_the_server_refuses_is_told(void **state)
{
    HANDLE handle = open_file(FILE_NAME, FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES);
    struct lab *lab = *state;

    smb_fault_fail(lab->smb, SMB_SET_BASIC, 1, 1, STATUS_MEDIA_WRITE_PROTECTED);
    assert_status(set_basic(handle, 0, 0, 0, 0, FILE_ATTRIBUTE_READONLY), STATUS_MEDIA_WRITE_PROTECTED);
    smb_fault_fail(lab->smb, SMB_SET_SIZE, 1, 1, STATUS_DISK_FULL);
    assert_status(set_size(handle, 99, FileEndOfFileInformation), STATUS_DISK_FULL);
    assert_status(set_size(handle, 3, FileEndOfFileInformation), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_no_link_is_made(void **state)
{
    struct {
        FILE_LINK_INFORMATION link;
        WCHAR rest[8];
    } to = {.link.FileNameLength = sizeof(WCHAR), .link.FileName = {'l'}};
    HANDLE handle = open_file(FILE_NAME, FILE_ALL_ACCESS);

    assert_status(set(handle, &to, sizeof to, FileLinkInformation), STATUS_NOT_SUPPORTED);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

#define SET_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SET_TEST(test_times_are_set_exactly_and_one_by_one),
        SET_TEST(test_a_time_that_was_set_is_set_again_behind_the_close),
        SET_TEST(test_times_and_attributes_that_there_are_not_are_refused),
        SET_TEST(test_attributes_are_all_that_is_named),
        SET_TEST(test_the_handle_must_have_been_opened_for_it),
        SET_TEST(test_a_file_made_read_only_lets_no_new_writer_in),
        SET_TEST(test_a_file_made_read_only_while_it_is_marked_goes_all_the_same),
        SET_TEST(test_a_size_is_set_and_what_is_added_is_zero),
        SET_TEST(test_an_allocation_cuts_off_and_adds_nothing),
        SET_TEST(test_a_directory_has_no_size),
        SET_TEST(test_what_the_server_refuses_is_told),
        SET_TEST(test_no_link_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
