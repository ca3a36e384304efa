/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every class that can be asked of a file, a directory and their volume: status, length, what a short buffer gets. */
#include "lab.h"

#include <string.h>

#define FILE_NAME u"\\??\\X:\\f.txt"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define NOBODY    0x5a

struct row {
    int class;
    ULONG least;                 /* bytes that the buffer must have */
    NTSTATUS file, directory;    /* of a large one */
    ULONG of_file, of_directory; /* bytes returned */
};

static HANDLE open_file(const WCHAR *name, ACCESS_MASK access, ULONG options)
{
    HANDLE handle = NULL;

    assert_status(lab_create(name, access, SHARE_ALL, FILE_OPEN, options, &handle), STATUS_SUCCESS);
    return handle;
}

typedef NTSTATUS NTAPI query_fn(HANDLE handle, PIO_STATUS_BLOCK io_status, PVOID buffer, ULONG length, int class);

static NTSTATUS NTAPI query_file(HANDLE handle, PIO_STATUS_BLOCK io_status, PVOID buffer, ULONG length, int class)
{
    return NtQueryInformationFile(handle, io_status, buffer, length, (FILE_INFORMATION_CLASS) class);
}

static NTSTATUS NTAPI query_volume(HANDLE handle, PIO_STATUS_BLOCK io_status, PVOID buffer, ULONG length, int class)
{
    return NtQueryVolumeInformationFile(handle, io_status, buffer, length, (FS_INFORMATION_CLASS) class);
}

static void check(query_fn *query, HANDLE handle, const struct row *row, NTSTATUS expected, ULONG bytes)
{
    _Alignas(8) UCHAR buffer[1024];
    IO_STATUS_BLOCK io_status = {{NOBODY}, NOBODY};
    NTSTATUS status = query(handle, &io_status, buffer, sizeof buffer, row->class);

    if (status != expected || (NT_SUCCESS(status) && io_status.Information != bytes))
        fail_msg("class %d: %s, %lu bytes; not %s, %u", row->class, status_name(status),
                 (unsigned long)io_status.Information, status_name(expected), bytes);
    if (!NT_SUCCESS(status))
        assert_int_equal(io_status.Information, NOBODY);
    if (!row->least)
        return;
    memset(buffer, NOBODY, sizeof buffer);
    assert_status(query(handle, &io_status, buffer, row->least - 1, row->class), STATUS_INFO_LENGTH_MISMATCH);
    for (ULONG i = 0; i < sizeof buffer; i++)
        assert_int_equal(buffer[i], NOBODY);
}

static void test_every_class_of_a_file(void **state)
{
    static const struct row rows[] = {
        {0, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
        {FileDirectoryInformation, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
        {FileBasicInformation, 40, STATUS_SUCCESS, STATUS_SUCCESS, 40, 40},
        {FileStandardInformation, 24, STATUS_SUCCESS, STATUS_SUCCESS, 24, 24},
        {FileInternalInformation, 8, STATUS_SUCCESS, STATUS_SUCCESS, 8, 8},
        {FileEaInformation, 4, STATUS_SUCCESS, STATUS_SUCCESS, 4, 4},
        {FileAccessInformation, 4, STATUS_SUCCESS, STATUS_SUCCESS, 4, 4},
        {FileNameInformation, 8, STATUS_SUCCESS, STATUS_SUCCESS, 4 + 28, 4 + 24},
        {FileRenameInformation, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
        {FilePositionInformation, 8, STATUS_SUCCESS, STATUS_SUCCESS, 8, 8},
        {FileModeInformation, 4, STATUS_SUCCESS, STATUS_SUCCESS, 4, 4},
        {FileAlignmentInformation, 4, STATUS_SUCCESS, STATUS_SUCCESS, 4, 4},
        {FileAllInformation, 104, STATUS_SUCCESS, STATUS_SUCCESS, 100 + 28, 100 + 24},
        {FileEndOfFileInformation, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
        {FileAlternateNameInformation, 8, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND, 0, 0},
        {FileStreamInformation, 32, STATUS_SUCCESS, STATUS_SUCCESS, 24 + 14, 0},
        {FilePipeInformation, 8, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, 0, 0},
        {FileCompressionInformation, 16, STATUS_SUCCESS, STATUS_SUCCESS, 16, 16},
        {FileCompletionInformation, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
        {FileNetworkOpenInformation, 56, STATUS_SUCCESS, STATUS_SUCCESS, 56, 56},
        {FileAttributeTagInformation, 8, STATUS_SUCCESS, STATUS_SUCCESS, 8, 8},
        {59 /* FileIdInformation, of a later NT */, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
        {-1, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
    };
    HANDLE file = open_file(FILE_NAME, FILE_ALL_ACCESS, 0), directory = open_file(u"\\??\\X:\\dir", FILE_ALL_ACCESS, 0);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(query_file, file, &rows[i], rows[i].file, rows[i].of_file);
        check(query_file, directory, &rows[i], rows[i].directory, rows[i].of_directory);
    }
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(NtClose(directory), STATUS_SUCCESS);
}

static void test_every_class_of_a_volume(void **state)
{
    static const struct row rows[] = {
        {FileFsVolumeInformation, 24, STATUS_SUCCESS, STATUS_SUCCESS, 18 + 6, 18 + 6},
        {FileFsLabelInformation, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
        {FileFsSizeInformation, 24, STATUS_SUCCESS, STATUS_SUCCESS, 24, 24},
        {FileFsDeviceInformation, 8, STATUS_SUCCESS, STATUS_SUCCESS, 8, 8},
        {FileFsAttributeInformation, 16, STATUS_SUCCESS, STATUS_SUCCESS, 12 + 8, 12 + 8},
        {FileFsControlInformation, 48, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, 0, 0},
        {FileFsFullSizeInformation, 32, STATUS_SUCCESS, STATUS_SUCCESS, 32, 32},
        {FileFsObjectIdInformation, 64, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, 0, 0},
        {99, 0, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS, 0, 0},
    };
    HANDLE file = open_file(FILE_NAME, FILE_READ_DATA, 0), directory = open_file(u"\\??\\X:\\dir", FILE_ALL_ACCESS, 0);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(query_volume, file, &rows[i], rows[i].file, rows[i].of_file);
        check(query_volume, directory, &rows[i], rows[i].directory, rows[i].of_directory);
    }
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(NtClose(directory), STATUS_SUCCESS);
}

static void test_what_does_not_fit_is_cut_and_told(void **state)
{
    HANDLE handle = open_file(FILE_NAME, FILE_ALL_ACCESS, 0);
    union {
        FILE_STREAM_INFORMATION stream;
        FILE_ALL_INFORMATION all;
        UCHAR room[256];
    } buffer;
    IO_STATUS_BLOCK io_status;

    assert_status(query_file(handle, &io_status, &buffer, 32, FileStreamInformation), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(io_status.Information, 32);
    assert_int_equal(buffer.stream.StreamNameLength, 14);
    assert_memory_equal(buffer.stream.StreamName, u"::$D", 8);
    assert_status(query_file(handle, &io_status, &buffer, 38, FileStreamInformation), STATUS_SUCCESS);
    assert_int_equal(buffer.stream.NextEntryOffset, 0);
    assert_int_equal(buffer.stream.StreamSize.QuadPart, strlen(LAB_TEXT));
    assert_memory_equal(buffer.stream.StreamName, u"::$DATA", 14);
    assert_status(query_file(handle, &io_status, &buffer, 110, FileAllInformation), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(io_status.Information, 110);
    assert_int_equal(buffer.all.NameInformation.FileNameLength, 28);
    assert_status(query_file(handle, &io_status, &buffer, 111, FileAllInformation), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(io_status.Information, 110); /* no half a character */
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* The handle's access is told, and not the one that the file was opened with. */
static void test_a_handle_tells_its_own_access(void **state)
{
    HANDLE handle = open_file(FILE_NAME, FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES, 0), less;
    union {
        FILE_ALL_INFORMATION all;
        UCHAR room[256];
    } buffer;
    FILE_ACCESS_INFORMATION access;
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK io_status;

    assert_status(NtDuplicateObject(NtCurrentProcess(), handle, NtCurrentProcess(), &less, FILE_READ_DATA, 0, 0),
                  STATUS_SUCCESS);
    assert_status(query_file(less, &io_status, &access, sizeof access, FileAccessInformation), STATUS_SUCCESS);
    assert_int_equal(access.AccessFlags, FILE_READ_DATA);
    assert_status(query_file(less, &io_status, &basic, sizeof basic, FileBasicInformation), STATUS_ACCESS_DENIED);
    assert_status(query_file(handle, &io_status, &buffer, sizeof buffer, FileAllInformation), STATUS_SUCCESS);
    assert_int_equal(buffer.all.AccessInformation.AccessFlags & FILE_ALL_ACCESS & ~(ULONG)SYNCHRONIZE,
                     FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES);
    assert_status(NtClose(less), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static ULONG mode_of(HANDLE handle)
{
    FILE_MODE_INFORMATION mode;
    IO_STATUS_BLOCK io_status;

    assert_status(query_file(handle, &io_status, &mode, sizeof mode, FileModeInformation), STATUS_SUCCESS);
    return mode.Mode;
}

static NTSTATUS set_mode(HANDLE handle, ULONG mode)
{
    FILE_MODE_INFORMATION information = {mode};
    IO_STATUS_BLOCK io_status;

    return NtSetInformationFile(handle, &io_status, &information, sizeof information, FileModeInformation);
}

static void test_a_mode_is_told_and_changed_where_it_can_be(void **state)
{
    HANDLE handle =
        open_file(FILE_NAME, FILE_READ_DATA | SYNCHRONIZE, FILE_NO_INTERMEDIATE_BUFFERING | FILE_WRITE_THROUGH);
    UNICODE_STRING name = NT_STRING(FILE_NAME);
    OBJECT_ATTRIBUTES attributes = {sizeof attributes, NULL, &name, OBJ_CASE_INSENSITIVE, NULL, NULL};
    IO_STATUS_BLOCK io_status;

    assert_int_equal(mode_of(handle),
                     FILE_SYNCHRONOUS_IO_NONALERT | FILE_NO_INTERMEDIATE_BUFFERING | FILE_WRITE_THROUGH);
    assert_status(set_mode(handle, FILE_SYNCHRONOUS_IO_ALERT | FILE_SEQUENTIAL_ONLY), STATUS_SUCCESS);
    assert_int_equal(mode_of(handle),
                     FILE_SYNCHRONOUS_IO_ALERT | FILE_NO_INTERMEDIATE_BUFFERING | FILE_SEQUENTIAL_ONLY);
    assert_status(set_mode(handle, 0), STATUS_INVALID_PARAMETER);
    assert_status(set_mode(handle, FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT), STATUS_INVALID_PARAMETER);
    assert_status(set_mode(handle, FILE_SYNCHRONOUS_IO_ALERT | FILE_DELETE_ON_CLOSE), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtOpenFile(&handle, FILE_READ_DATA, &attributes, &io_status, SHARE_ALL, 0), STATUS_SUCCESS);
    assert_int_equal(mode_of(handle), 0);
    assert_status(set_mode(handle, FILE_SYNCHRONOUS_IO_NONALERT), STATUS_INVALID_PARAMETER);
    assert_status(set_mode(handle, FILE_WRITE_THROUGH), STATUS_SUCCESS);
    assert_int_equal(mode_of(handle), FILE_WRITE_THROUGH);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* ---- what a share has none of ---- */

static void test_control_codes_are_answered_as_by_a_server(void **state)
{
    static const struct {
        ULONG code;
        NTSTATUS status;
    } rows[] = {
        {0x900a8, STATUS_NOT_A_REPARSE_POINT},     /* FSCTL_GET_REPARSE_POINT */
        {0x900ac, STATUS_NOT_A_REPARSE_POINT},     /* FSCTL_DELETE_REPARSE_POINT */
        {0x9009c, STATUS_VOLUME_NOT_UPGRADED},     /* FSCTL_GET_OBJECT_ID */
        {0x900c0, STATUS_VOLUME_NOT_UPGRADED},     /* FSCTL_CREATE_OR_GET_OBJECT_ID */
        {0x900c4, STATUS_INVALID_DEVICE_REQUEST},  /* FSCTL_SET_SPARSE */
        {0x9003c, STATUS_INVALID_DEVICE_REQUEST},  /* FSCTL_GET_COMPRESSION */
        {0x940cf, STATUS_INVALID_DEVICE_REQUEST},  /* FSCTL_QUERY_ALLOCATED_RANGES */
        {0x90000, STATUS_INVALID_DEVICE_REQUEST},  /* FSCTL_REQUEST_OPLOCK_LEVEL_1 */
        {0x11400c, STATUS_INVALID_DEVICE_REQUEST}, /* FSCTL_PIPE_PEEK */
        {0x9c040, STATUS_ACCESS_DENIED},           /* FSCTL_SET_COMPRESSION, which asks for reading and writing */
    };
    HANDLE file = open_file(FILE_NAME, FILE_READ_DATA, 0), tree;
    IO_STATUS_BLOCK io_status;
    UCHAR buffer[64] = {0};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_status(NtFsControlFile(file, NULL, NULL, NULL, &io_status, rows[i].code, buffer, 8, buffer, 64),
                      rows[i].status);
    assert_status(NtDeviceIoControlFile(file, NULL, NULL, NULL, &io_status, 0x7405c, NULL, 0, buffer, 8),
                  STATUS_INVALID_DEVICE_REQUEST); /* IOCTL_DISK_GET_LENGTH_INFO */
    assert_status(lab_create(u"\\Device\\LanmanRedirector", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &tree),
                  STATUS_SUCCESS);
    assert_status(NtFsControlFile(tree, NULL, NULL, NULL, &io_status, 0x900a8, NULL, 0, buffer, 64),
                  STATUS_INVALID_DEVICE_REQUEST);
    assert_status(NtClose(tree), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_no_file_has_extended_attributes(void **state)
{
    static UCHAR one[12] = {0, 0, 0, 0, 0, 1, 1, 0, 'A', 0, 'v', 0}, bad[12] = {0, 0, 0, 0, 0, 90, 1, 0, 'A', 0};
    HANDLE file = open_file(FILE_NAME, FILE_READ_EA | FILE_WRITE_EA, 0),
           other = open_file(FILE_NAME, FILE_READ_DATA, 0);
    IO_STATUS_BLOCK io_status;
    UCHAR buffer[64];
    ULONG index = 1;

    assert_status(NtQueryEaFile(file, &io_status, buffer, 64, FALSE, NULL, 0, NULL, TRUE), STATUS_NO_EAS_ON_FILE);
    assert_status(NtQueryEaFile(file, &io_status, buffer, 64, TRUE, one, sizeof one, &index, FALSE),
                  STATUS_NO_EAS_ON_FILE);
    assert_status(NtQueryEaFile(other, &io_status, buffer, 64, FALSE, NULL, 0, NULL, TRUE), STATUS_ACCESS_DENIED);
    assert_status(NtSetEaFile(file, &io_status, one, sizeof one), STATUS_EAS_NOT_SUPPORTED);
    assert_status(NtSetEaFile(file, &io_status, bad, sizeof bad), STATUS_EA_LIST_INCONSISTENT);
    assert_status(NtSetEaFile(file, &io_status, one, 0), STATUS_EA_LIST_INCONSISTENT);
    assert_status(NtSetEaFile(other, &io_status, one, sizeof one), STATUS_ACCESS_DENIED);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

#define OWNER (OWNER_SECURITY_INFORMATION)
#define ALL   (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)

static void test_a_share_without_security_is_everybodys(void **state)
{
    static const UCHAR expected[44] = {1, 0, 4, 0x80, 20, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
                                       0, 0, 0, 0,    0,  1, 0, 0, 0,  0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    HANDLE file = open_file(FILE_NAME, READ_CONTROL | WRITE_DAC, 0), other = open_file(FILE_NAME, FILE_READ_DATA, 0);
    UCHAR buffer[64];
    ULONG needed = 0;

    memset(buffer, NOBODY, sizeof buffer);
    assert_status(NtQuerySecurityObject(file, ALL, buffer, 43, &needed), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(needed, 44);
    assert_int_equal(buffer[0], NOBODY);
    assert_status(NtQuerySecurityObject(file, ALL, buffer, sizeof buffer, &needed), STATUS_SUCCESS);
    assert_memory_equal(buffer, expected, sizeof expected);
    assert_status(NtQuerySecurityObject(file, OWNER, buffer, sizeof buffer, &needed), STATUS_SUCCESS);
    assert_int_equal(needed, 32);
    assert_status(NtQuerySecurityObject(file, SACL_SECURITY_INFORMATION, buffer, sizeof buffer, &needed),
                  STATUS_ACCESS_DENIED);
    assert_status(NtQuerySecurityObject(other, OWNER, buffer, sizeof buffer, &needed), STATUS_ACCESS_DENIED);
    assert_status(NtSetSecurityObject(file, DACL_SECURITY_INFORMATION, buffer), STATUS_SUCCESS);
    assert_status(NtSetSecurityObject(file, OWNER, buffer), STATUS_ACCESS_DENIED);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_a_volumes_label_is_not_set(void **state)
{
    ULONG label[3] = {4, 'a' | 'b' << 16, 0};
    HANDLE file = open_file(FILE_NAME, FILE_WRITE_DATA, 0), other = open_file(FILE_NAME, FILE_READ_DATA, 0);
    IO_STATUS_BLOCK io_status;

    assert_status(NtSetVolumeInformationFile(file, &io_status, label, sizeof label, FileFsLabelInformation),
                  STATUS_NOT_SUPPORTED);
    assert_status(NtSetVolumeInformationFile(file, &io_status, label, 3, FileFsLabelInformation),
                  STATUS_INFO_LENGTH_MISMATCH);
    assert_status(NtSetVolumeInformationFile(file, &io_status, label, sizeof label, FileFsSizeInformation),
                  STATUS_INVALID_INFO_CLASS);
    assert_status(NtSetVolumeInformationFile(other, &io_status, label, sizeof label, FileFsLabelInformation),
                  STATUS_ACCESS_DENIED);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

#define QUERY_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

static ULONGLONG index_number(const WCHAR *name)
{
    FILE_INTERNAL_INFORMATION information;
    _Alignas(8) UCHAR all[1024];
    IO_STATUS_BLOCK io_status;
    HANDLE handle = open_file(name, FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_SYNCHRONOUS_IO_NONALERT);

    assert_status(NtQueryInformationFile(handle, &io_status, &information, sizeof information, FileInternalInformation),
                  STATUS_SUCCESS);
    assert_status(NtQueryInformationFile(handle, &io_status, all, sizeof all, FileAllInformation), STATUS_SUCCESS);
    assert_true(((FILE_ALL_INFORMATION *)all)->InternalInformation.IndexNumber.QuadPart ==
                information.IndexNumber.QuadPart);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_not_equal(information.IndexNumber.QuadPart, 0);
    return (ULONGLONG)information.IndexNumber.QuadPart;
}

static ULONGLONG listed_number(const WCHAR *directory, const WCHAR *name)
{
    _Alignas(8) UCHAR buffer[256];
    const FILE_ID_BOTH_DIRECTORY_INFORMATION *entry = (const FILE_ID_BOTH_DIRECTORY_INFORMATION *)buffer;
    IO_STATUS_BLOCK io_status;
    UNICODE_STRING pattern;
    HANDLE handle =
        open_file(directory, FILE_LIST_DIRECTORY | SYNCHRONIZE, FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT);

    RtlInitUnicodeString(&pattern, name);
    assert_status(NtQueryDirectoryFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer,
                                       FileIdBothDirectoryInformation, TRUE, &pattern, TRUE),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return (ULONGLONG)entry->FileId.QuadPart;
}

/* Programs take two handles with one number for one file, and do not copy it to itself. */
static void test_index_numbers_tell_files_apart(void **state)
{
    const ULONGLONG f = index_number(u"\\??\\X:\\f.txt"), g = index_number(u"\\??\\X:\\dir\\g.txt");

    (void)state;
    assert_int_not_equal(f, g);
    assert_true(f == index_number(u"\\??\\X:\\F.TXT"));
    assert_true(f == listed_number(u"\\??\\X:\\", u"f.txt"));
    assert_true(g == listed_number(u"\\??\\X:\\dir", u"g.txt"));
    assert_int_not_equal(index_number(u"\\??\\X:\\dir"), index_number(u"\\??\\X:\\"));
    assert_int_equal(listed_number(u"\\??\\X:\\dir", u".."), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUERY_TEST(test_every_class_of_a_file),
        QUERY_TEST(test_every_class_of_a_volume),
        QUERY_TEST(test_what_does_not_fit_is_cut_and_told),
        QUERY_TEST(test_a_handle_tells_its_own_access),
        QUERY_TEST(test_index_numbers_tell_files_apart),
        QUERY_TEST(test_a_mode_is_told_and_changed_where_it_can_be),
        QUERY_TEST(test_control_codes_are_answered_as_by_a_server),
        QUERY_TEST(test_no_file_has_extended_attributes),
        QUERY_TEST(test_a_share_without_security_is_everybodys),
        QUERY_TEST(test_a_volumes_label_is_not_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
