/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_rename_read_only.c - a machine renames by closing and opening again, which nobody could who may write a file
 * that is read-only by now: such a rename is refused, and nothing is lost. Arguments: a peer (smb_fixture.h), the
 * worker.
 */
#include "world.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static struct world world;
static WCHAR name_text[] = u"\\??\\X:\\t0"; /* each test has one of its own; renamed, only its digit is left */
#define DIGIT (sizeof name_text / sizeof *name_text - 2)

static HANDLE make(ACCESS_MASK access, ULONG disposition, ULONG attributes)
{
    UNICODE_STRING name = NT_STRING(name_text);
    OBJECT_ATTRIBUTES object = {sizeof object, NULL, &name, OBJ_CASE_INSENSITIVE, NULL, NULL};
    IO_STATUS_BLOCK io;
    HANDLE file = NULL;

    assert_int_equal(NtCreateFile(&file, access | SYNCHRONIZE, &object, &io, NULL, attributes,
                                  FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, disposition,
                                  FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0),
                     STATUS_SUCCESS);
    return file;
}

static NTSTATUS write_it(HANDLE file)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io;
    char text[] = "text";

    return NtWriteFile(file, NULL, NULL, NULL, &io, text, sizeof text, &start, NULL);
}

static NTSTATUS read_it(HANDLE file)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io;
    char text[4];

    return NtReadFile(file, NULL, NULL, NULL, &io, text, sizeof text, &start, NULL);
}

static NTSTATUS rename_it(HANDLE file)
{
    struct {
        FILE_RENAME_INFORMATION information;
        WCHAR more[8];
    } to = {.information.FileNameLength = sizeof(WCHAR)};
    IO_STATUS_BLOCK io;

    to.information.FileName[0] = name_text[DIGIT];
    return NtSetInformationFile(file, &io, &to, sizeof to, FileRenameInformation);
}

static void close_it(HANDLE file)
{
    assert_int_equal(NtClose(file), STATUS_SUCCESS);
}

static int begin(void **state)
{
    name_text[DIGIT]++;
    return 0;
}

static void test_a_writer_of_a_read_only_file_keeps_it(void **state)
{
    HANDLE file = make(FILE_READ_DATA | FILE_WRITE_DATA | DELETE, FILE_CREATE, FILE_ATTRIBUTE_READONLY);

    assert_int_equal(write_it(file), STATUS_SUCCESS);
    assert_int_equal(rename_it(file), STATUS_ACCESS_DENIED);
    assert_int_equal(write_it(file), STATUS_SUCCESS);
    assert_int_equal(read_it(file), STATUS_SUCCESS);
    close_it(file);
    file = make(FILE_READ_DATA | DELETE, FILE_OPEN, 0);
    assert_int_equal(read_it(file), STATUS_SUCCESS);
    close_it(file);
}

/* Nor may somebody else rename it, whose own handle could be opened again. */
static void test_others_are_refused_for_the_writers_sake(void **state)
{
    HANDLE writer = make(FILE_WRITE_DATA, FILE_CREATE, FILE_ATTRIBUTE_READONLY), renamer = make(DELETE, FILE_OPEN, 0);

    assert_int_equal(rename_it(renamer), STATUS_ACCESS_DENIED);
    assert_int_equal(write_it(writer), STATUS_SUCCESS);
    close_it(writer);
    assert_int_equal(rename_it(renamer), STATUS_SUCCESS); /* read-only or not */
    close_it(renamer);
}

static void test_a_reader_takes_a_read_only_file_along(void **state)
{
    HANDLE file = make(FILE_WRITE_DATA, FILE_CREATE, FILE_ATTRIBUTE_READONLY);

    assert_int_equal(write_it(file), STATUS_SUCCESS);
    close_it(file);
    file = make(FILE_READ_DATA | DELETE, FILE_OPEN, 0);
    assert_int_equal(rename_it(file), STATUS_SUCCESS);
    assert_int_equal(read_it(file), STATUS_SUCCESS);
    close_it(file);
}

static void test_a_writer_of_another_file_is_renamed_as_ever(void **state)
{
    HANDLE file = make(FILE_READ_DATA | FILE_WRITE_DATA | DELETE, FILE_CREATE, 0);

    assert_int_equal(rename_it(file), STATUS_SUCCESS);
    assert_int_equal(write_it(file), STATUS_SUCCESS);
    close_it(file);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(test_a_writer_of_a_read_only_file_keeps_it),
        TEST(test_others_are_refused_for_the_writers_sake),
        TEST(test_a_reader_takes_a_read_only_file_along),
        TEST(test_a_writer_of_another_file_is_renamed_as_ever),
    };
    int rc = argc < 2 ? 2 : world_start(&world, argv[1], argc > 2 ? argv[2] : NULL, "nt4-sp6");

    if (rc != 0)
        return rc;
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop(&world, 0);
    return rc;
}
