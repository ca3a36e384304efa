/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sections of files: what can be made of what, and what is not done to a file meanwhile. */
#include "lab.h"
#include "rdr/rdr.h"

#include <string.h>

#define F      u"\\??\\X:\\f.txt"
#define LENGTH ((LONGLONG)sizeof LAB_TEXT - 1)
#define SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define BOTH   (FILE_READ_DATA | FILE_WRITE_DATA)

static HANDLE open_for(ACCESS_MASK access)
{
    HANDLE handle;

    assert_status(lab_create(F, access | SYNCHRONIZE, SHARED, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &handle),
                  STATUS_SUCCESS);
    return handle;
}

static void close_it(HANDLE handle)
{
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static NTSTATUS make_section(HANDLE file, LONGLONG size, ULONG protection, ULONG attributes, HANDLE *section)
{
    LARGE_INTEGER maximum = {.QuadPart = size};

    return NtCreateSection(section, SECTION_ALL_ACCESS, NULL, size ? &maximum : NULL, protection, attributes, file);
}

/* The file's handle is closed: the section alone has it. */
static HANDLE map(LONGLONG size, ULONG protection, ULONG attributes)
{
    HANDLE file = open_for(BOTH), section;

    assert_status(make_section(file, size, protection, attributes, &section), STATUS_SUCCESS);
    close_it(file);
    return section;
}

static NTSTATUS set_end(HANDLE file, LONGLONG size)
{
    FILE_END_OF_FILE_INFORMATION information = {.EndOfFile.QuadPart = size};
    IO_STATUS_BLOCK io_status;

    return NtSetInformationFile(file, &io_status, &information, sizeof information, FileEndOfFileInformation);
}

static NTSTATUS set_allocation(HANDLE file, LONGLONG size)
{
    FILE_ALLOCATION_INFORMATION information = {.AllocationSize.QuadPart = size};
    IO_STATUS_BLOCK io_status;

    return NtSetInformationFile(file, &io_status, &information, sizeof information, FileAllocationInformation);
}

static NTSTATUS mark(HANDLE file)
{
    FILE_DISPOSITION_INFORMATION information = {TRUE};
    IO_STATUS_BLOCK io_status;

    return NtSetInformationFile(file, &io_status, &information, sizeof information, FileDispositionInformation);
}

static NTSTATUS try_create(ACCESS_MASK access, ULONG disposition, ULONG options)
{
    HANDLE handle;
    NTSTATUS status = lab_create(F, access, SHARED, disposition, options, &handle);

    if (NT_SUCCESS(status))
        close_it(handle);
    return status;
}

static LONGLONG size_of(HANDLE file)
{
    FILE_STANDARD_INFORMATION standard;
    IO_STATUS_BLOCK io_status;

    assert_status(NtQueryInformationFile(file, &io_status, &standard, sizeof standard, FileStandardInformation),
                  STATUS_SUCCESS);
    return standard.EndOfFile.QuadPart;
}

static void test_what_can_be_mapped(void **state)
{
    static const struct {
        ACCESS_MASK access;
        LONGLONG size;
        ULONG protection, attributes;
        NTSTATUS expected;
    } rows[] = {
        {FILE_READ_DATA, 0, PAGE_READONLY, SEC_COMMIT, STATUS_SUCCESS},
        {FILE_READ_DATA, 5, PAGE_WRITECOPY, SEC_COMMIT, STATUS_SUCCESS},
        {FILE_READ_DATA, 0, PAGE_READWRITE, SEC_COMMIT, STATUS_ACCESS_DENIED},
        {FILE_WRITE_DATA, 0, PAGE_READONLY, SEC_COMMIT, STATUS_ACCESS_DENIED},
        {FILE_READ_DATA, 0, PAGE_EXECUTE_READ, SEC_IMAGE, STATUS_ACCESS_DENIED},
        {FILE_READ_DATA | FILE_EXECUTE, 0, PAGE_EXECUTE_READ, SEC_IMAGE, STATUS_SUCCESS},
        {FILE_READ_DATA, LENGTH + 1, PAGE_READONLY, SEC_COMMIT, STATUS_SECTION_TOO_BIG},
        {FILE_READ_DATA, -1, PAGE_READONLY, SEC_COMMIT, STATUS_SECTION_TOO_BIG},
        {FILE_READ_DATA, 0, PAGE_GUARD, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION},
    };
    HANDLE file, section;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        NTSTATUS status;
        file = open_for(rows[i].access);
        section = NULL;
        status = make_section(file, rows[i].size, rows[i].protection, rows[i].attributes, &section);
        if (status != rows[i].expected)
            print_error("row %zu\n", i);
        assert_status(status, rows[i].expected);
        if (NT_SUCCESS(status))
            close_it(section);
        assert_true(NT_SUCCESS(status) || !section);
        close_it(file);
    }
    assert_status(make_section(NULL, 5, PAGE_READONLY, SEC_COMMIT, &section), STATUS_NOT_SUPPORTED);
    assert_status(make_section((HANDLE)0x1234, 5, PAGE_READONLY, SEC_COMMIT, &section), STATUS_INVALID_HANDLE);
    assert_status(lab_create(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY, SHARED, FILE_OPEN, FILE_DIRECTORY_FILE, &file),
                  STATUS_SUCCESS);
    assert_status(make_section(file, 5, PAGE_READONLY, SEC_COMMIT, &section), STATUS_INVALID_FILE_FOR_SECTION);
    close_it(file);
}

static void test_an_empty_file_and_one_that_is_too_short(void **state)
{
    HANDLE file, section;

    assert_status(lab_create(u"\\??\\X:\\new", BOTH, SHARED, FILE_CREATE, 0, &file), STATUS_SUCCESS);
    assert_status(make_section(file, 0, PAGE_READWRITE, SEC_COMMIT, &section), STATUS_MAPPED_FILE_SIZE_ZERO);
    assert_status(make_section(file, 0, PAGE_READONLY, SEC_IMAGE, &section), STATUS_INVALID_FILE_FOR_SECTION);
    assert_status(make_section(file, 5000, PAGE_READWRITE, SEC_COMMIT, &section), STATUS_SUCCESS);
    assert_int_equal(size_of(file), 5000);
    assert_status(set_end(file, 4999), STATUS_USER_MAPPED_FILE);
    close_it(section);
    close_it(file);
}

static void test_a_mapped_file_is_not_cut_off(void **state)
{
    HANDLE section = map(0, PAGE_READONLY, SEC_COMMIT), second = map(0, PAGE_READWRITE, SEC_COMMIT),
           file = open_for(BOTH);

    assert_status(set_end(file, LENGTH - 1), STATUS_USER_MAPPED_FILE);
    assert_status(set_allocation(file, 0), STATUS_USER_MAPPED_FILE);
    assert_status(set_allocation(file, LENGTH), STATUS_SUCCESS);
    assert_status(set_end(file, LENGTH), STATUS_SUCCESS);
    assert_status(set_end(file, LENGTH + 10), STATUS_SUCCESS); /* what no section reaches */
    assert_status(set_end(file, LENGTH), STATUS_SUCCESS);
    assert_status(try_create(FILE_WRITE_DATA, FILE_OVERWRITE, 0), STATUS_USER_MAPPED_FILE);
    assert_status(try_create(FILE_WRITE_DATA, FILE_OVERWRITE_IF, 0), STATUS_USER_MAPPED_FILE);
    assert_status(try_create(FILE_WRITE_DATA, FILE_SUPERSEDE, 0), STATUS_USER_MAPPED_FILE);
    assert_status(try_create(FILE_WRITE_DATA, FILE_OPEN_IF, 0), STATUS_SUCCESS);
    assert_status(try_create(FILE_WRITE_DATA, FILE_CREATE, 0), STATUS_OBJECT_NAME_COLLISION);
    close_it(section);
    assert_status(set_end(file, 3), STATUS_USER_MAPPED_FILE);
    close_it(second);
    assert_status(set_end(file, 3), STATUS_SUCCESS);
    close_it(file);
    assert_status(try_create(FILE_WRITE_DATA, FILE_OVERWRITE, 0), STATUS_SUCCESS);
}

static void test_a_mapped_file_is_not_deleted(void **state)
{
    HANDLE section = map(0, PAGE_READONLY, SEC_COMMIT), file = open_for(DELETE);

    assert_status(mark(file), STATUS_CANNOT_DELETE);
    close_it(section);
    assert_status(mark(file), STATUS_SUCCESS);
    close_it(file);
    assert_status(try_create(FILE_READ_DATA, FILE_OPEN, 0), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_an_image_is_not_written_and_not_deleted(void **state)
{
    HANDLE file = open_for(BOTH | DELETE), section = map(0, PAGE_READONLY, SEC_IMAGE);

    assert_status(try_create(FILE_WRITE_DATA, FILE_OPEN, 0), STATUS_SHARING_VIOLATION);
    assert_status(try_create(DELETE, FILE_OPEN, FILE_DELETE_ON_CLOSE), STATUS_CANNOT_DELETE);
    assert_status(try_create(FILE_READ_DATA | DELETE, FILE_OPEN, 0), STATUS_SUCCESS);
    assert_status(set_end(file, 3), STATUS_USER_MAPPED_FILE);
    assert_status(mark(file), STATUS_CANNOT_DELETE);
    close_it(section);
    assert_status(try_create(FILE_WRITE_DATA, FILE_OPEN, 0), STATUS_SUCCESS);
    close_it(file);
}

static void test_nothing_takes_the_place_of_a_mapped_file(void **state)
{
    struct {
        FILE_RENAME_INFORMATION information;
        WCHAR more[16];
    } buffer = {.information = {.ReplaceIfExists = TRUE, .FileNameLength = 5 * sizeof(WCHAR)}};
    HANDLE section = map(0, PAGE_READONLY, SEC_COMMIT), other;
    IO_STATUS_BLOCK io_status;

    memcpy((char *)&buffer + offsetof(FILE_RENAME_INFORMATION, FileName), u"f.txt", 5 * sizeof(WCHAR));
    assert_status(lab_create(u"\\??\\X:\\other", DELETE, SHARED, FILE_CREATE, 0, &other), STATUS_SUCCESS);
    assert_status(NtSetInformationFile(other, &io_status, &buffer, sizeof buffer, FileRenameInformation),
                  STATUS_ACCESS_DENIED);
    close_it(section);
    assert_status(NtSetInformationFile(other, &io_status, &buffer, sizeof buffer, FileRenameInformation),
                  STATUS_SUCCESS);
    close_it(other);
}

static void test_a_process_ends_its_own_sections(void **state)
{
    PEPROCESS process = EmuCreateProcess(0);
    HANDLE file = open_for(BOTH), mine = map(0, PAGE_READONLY, SEC_COMMIT);
    OBJECT_ATTRIBUTES attributes;
    HANDLE others;

    EmuEnterProcess(process);
    EmuEndSections();
    EmuEnterProcess(NULL);
    assert_status(set_end(file, 3), STATUS_USER_MAPPED_FILE);
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    EmuEnterProcess(process);
    assert_status(lab_create(F, FILE_READ_DATA, SHARED, FILE_OPEN, 0, &others), STATUS_SUCCESS);
    assert_status(NtCreateSection(&others, SECTION_ALL_ACCESS, &attributes, NULL, PAGE_READONLY, SEC_COMMIT, others),
                  STATUS_SUCCESS);
    EmuEnterProcess(NULL);
    EmuEndSections();
    assert_status(set_end(file, 3), STATUS_USER_MAPPED_FILE); /* the other process's */
    EmuEnterProcess(process);
    EmuEndSections();
    EmuEnterProcess(NULL);
    assert_status(set_end(file, 3), STATUS_SUCCESS);
    close_it(others);
    close_it(mine);
    close_it(file);
    EmuDeleteProcess(process);
}

static void test_every_failing_allocation_leaves_nothing(void **state)
{
    HANDLE file = open_for(BOTH), section = NULL;
    const ULONG64 before = lab_live_blocks();

    for (unsigned n = 1; !section; n++) {
        NTSTATUS status;
        EmuPoolFailAllocations(n, UINT64_MAX);
        status = make_section(file, 0, PAGE_READONLY, SEC_COMMIT, &section);
        EmuPoolFailAllocations(0, 0);
        assert_status(status, section ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
        assert_true(section || lab_live_blocks() == before);
    }
    close_it(section);
    close_it(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_can_be_mapped),
        TEST(test_an_empty_file_and_one_that_is_too_short),
        TEST(test_a_mapped_file_is_not_cut_off),
        TEST(test_a_mapped_file_is_not_deleted),
        TEST(test_an_image_is_not_written_and_not_deleted),
        TEST(test_nothing_takes_the_place_of_a_mapped_file),
        TEST(test_a_process_ends_its_own_sections),
        TEST(test_every_failing_allocation_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
