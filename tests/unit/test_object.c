/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <pthread.h>
#include <string.h>

#include "ob/obp.h"

static UNICODE_STRING s(const WCHAR *text)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, text);
    return string;
}

static NTSTATUS link_to(const WCHAR *name, const WCHAR *target)
{
    UNICODE_STRING n = s(name), t = s(target);
    return IoCreateSymbolicLink(&n, &t);
}

static void unlink_name(const WCHAR *name)
{
    UNICODE_STRING n = s(name);
    assert_status(IoDeleteSymbolicLink(&n), STATUS_SUCCESS);
}

static void test_malformed_and_missing_names_get_their_status(void **state)
{
    static const struct {
        const WCHAR *name;
        NTSTATUS status;
    } rows[] = {
        {u"", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {u"X:\\f.txt", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {u"\\??\\Q:\\f.txt", STATUS_OBJECT_PATH_NOT_FOUND},
        {u"\\??\\Q:", STATUS_OBJECT_NAME_NOT_FOUND},
        {u"\\nosuch\\x", STATUS_OBJECT_PATH_NOT_FOUND},
        {u"\\nosuch", STATUS_OBJECT_NAME_NOT_FOUND},
        {u"\\\\X:", STATUS_OBJECT_NAME_INVALID},
        {u"\\??\\\\X:", STATUS_OBJECT_NAME_INVALID},
        {u"\\Device", STATUS_OBJECT_TYPE_MISMATCH},
        {u"\\", STATUS_OBJECT_TYPE_MISMATCH},
        {u"\\DosDevices\\X:\\f.txt", STATUS_SUCCESS},
        {u"\\dosdevices\\x:\\F.TXT", STATUS_SUCCESS},
        {u"\\Device\\LanmanRedirector\\X:\\mem\\lab\\f.txt", STATUS_SUCCESS},
        {u"\\Device\\LanmanRedirector", STATUS_SUCCESS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        HANDLE handle = NULL;
        NTSTATUS status = lab_open(rows[i].name, &handle);
        if (status != rows[i].status)
            fail_msg("row %zu: %s, expected %s", i, status_name(status), status_name(rows[i].status));
        if (NT_SUCCESS(status))
            assert_status(NtClose(handle), STATUS_SUCCESS);
        else if (handle)
            fail_msg("row %zu: a failing call wrote its handle", i);
    }
}

static void test_names_have_case_unless_the_caller_does_not_care(void **state)
{
    UNICODE_STRING path = s(u"\\??\\x:\\f.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    InitializeObjectAttributes(&attributes, &path, 0, NULL, NULL);
    assert_status(NtOpenFile(&handle, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_OBJECT_PATH_NOT_FOUND);
    attributes.Attributes = OBJ_CASE_INSENSITIVE;
    assert_status(NtOpenFile(&handle, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_links_are_followed_through_links_and_a_loop_ends(void **state)
{
    HANDLE handle;

    assert_status(link_to(u"\\??\\Y:", u"\\??\\X:\\dir"), STATUS_SUCCESS);
    assert_status(link_to(u"\\??\\Z:", u"\\??\\Y:"), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\Z:\\g.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(link_to(u"\\??\\Z:", u"\\??\\X:"), STATUS_OBJECT_NAME_COLLISION);
    assert_status(link_to(u"\\??\\L:", u"\\??\\M:"), STATUS_SUCCESS);
    assert_status(link_to(u"\\??\\M:", u"\\??\\L:"), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\L:\\f", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(link_to(u"\\??\\N:", u"relative"), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_status(link_to(u"\\nosuch\\N:", u"\\Device"), STATUS_OBJECT_PATH_NOT_FOUND);
    unlink_name(u"\\??\\Y:");
    assert_status(lab_open(u"\\??\\Z:\\g.txt", &handle), STATUS_OBJECT_PATH_NOT_FOUND);
}

static void test_a_name_that_grows_beyond_a_counted_string_is_refused(void **state)
{
    static WCHAR name[32760];
    HANDLE handle;

    for (size_t i = 0; i < 32759; i++)
        name[i] = 'a';
    memcpy(name, u"\\??\\X:\\", 7 * sizeof(WCHAR));
    assert_status(lab_open(name, &handle), STATUS_NAME_TOO_LONG);
    name[32000] = 0;
    assert_status(lab_open(name, &handle), STATUS_OBJECT_NAME_INVALID); /* fits; one component of 31,993 units */
}

static void test_an_odd_length_is_invalid(void **state)
{
    UNICODE_STRING path = s(u"\\??\\X:\\f.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    path.Length--;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtOpenFile(&handle, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_OBJECT_NAME_INVALID);
}

static void test_a_file_opens_relative_to_a_directory_handle(void **state)
{
    UNICODE_STRING name = s(u"g.txt"), bad = s(u"a|b");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE directory, file;

    assert_status(lab_create(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY, 7, FILE_OPEN, FILE_DIRECTORY_FILE, &directory),
                  STATUS_SUCCESS);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, directory, NULL);
    assert_status(NtOpenFile(&file, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
    attributes.ObjectName = &bad;
    assert_status(NtOpenFile(&file, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_OBJECT_NAME_INVALID);
    assert_status(NtClose(directory), STATUS_SUCCESS);
    assert_status(NtOpenFile(&file, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_INVALID_HANDLE);
}

static void test_relative_opens_go_on_from_relative_opens(void **state)
{
    UNICODE_STRING dir = s(u"dir"), file_name = s(u"g.txt"), none = s(u"");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE root, directory, file, same, redirector;

    assert_status(lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, 0, &root), STATUS_SUCCESS);
    InitializeObjectAttributes(&attributes, &dir, OBJ_CASE_INSENSITIVE, root, NULL);
    assert_status(NtOpenFile(&directory, FILE_LIST_DIRECTORY, &attributes, &io_status, 7, 0), STATUS_SUCCESS);
    InitializeObjectAttributes(&attributes, &file_name, OBJ_CASE_INSENSITIVE, directory, NULL);
    assert_status(NtOpenFile(&file, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_SUCCESS);
    attributes.ObjectName = &none;
    assert_status(NtOpenFile(&same, FILE_LIST_DIRECTORY, &attributes, &io_status, 7, 0), STATUS_SUCCESS);
    assert_status(lab_open(u"\\Device\\LanmanRedirector", &redirector), STATUS_SUCCESS);
    attributes.RootDirectory = redirector;
    attributes.ObjectName = &file_name;
    assert_status(NtOpenFile(&file, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(redirector), STATUS_SUCCESS);
    assert_status(NtClose(same), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(NtClose(directory), STATUS_SUCCESS);
    assert_status(NtClose(root), STATUS_SUCCESS);
}

static void test_handles_are_good_once_in_their_own_process_and_with_their_access(void **state)
{
    PEPROCESS other = EmuCreateProcess(0), third = EmuCreateProcess(0), before;
    IO_STATUS_BLOCK io_status;
    HANDLE handle, kernel;
    char buffer[4];
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING path = s(u"\\??\\X:\\f.txt");

    assert_non_null(other);
    assert_non_null(third);
    before = EmuEnterProcess(other);
    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_READ_ATTRIBUTES, 7, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, 4, NULL, NULL), STATUS_ACCESS_DENIED);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    assert_status(
        NtOpenFile(&kernel, FILE_READ_DATA | SYNCHRONIZE, &attributes, &io_status, 7, FILE_SYNCHRONOUS_IO_NONALERT),
        STATUS_SUCCESS);
    assert_int_equal(EmuHandleCount(other), 1);
    EmuEnterProcess(third);
    assert_status(NtClose(handle), STATUS_INVALID_HANDLE);
    EmuDeleteProcess(other); /* closes what it left */
    assert_status(NtReadFile(kernel, NULL, NULL, NULL, &io_status, buffer, 4, NULL, NULL), STATUS_SUCCESS);
    assert_memory_equal(buffer, LAB_TEXT, 4);
    assert_status(NtClose(kernel), STATUS_SUCCESS);
    assert_status(NtClose(kernel), STATUS_INVALID_HANDLE);
    assert_status(NtClose(NULL), STATUS_INVALID_HANDLE);
    assert_status(NtClose((HANDLE)(ULONG_PTR)3), STATUS_INVALID_HANDLE);
    EmuEnterProcess(before);
    EmuDeleteProcess(third);
}

static void test_a_handle_table_grows(void **state)
{
    HANDLE handles[1000];

    for (int i = 0; i < 1000; i++)
        assert_status(lab_open(u"\\??\\X:\\f.txt", &handles[i]), STATUS_SUCCESS);
    for (int i = 0; i < 1000; i++)
        assert_status(NtClose(handles[(i * 7) % 1000]), STATUS_SUCCESS);
    /* Nothing is open any more, but for what the cache holds where Q214563 counts that. */
    assert_int_equal(EmuUseDelete('X' - 'A', EmuHasDefect(EMU_Q214563)), STATUS_SUCCESS);
}

static void test_a_reference_too_few_stops_the_machine(void **state)
{
    static OBJECT_TYPE type = {.Name = "Test", .PoolType = NonPagedPool, .Tag = POOL_TAG('T', 'e', 's', 't')};
    PVOID object;

    assert_status(ObpCreateObject(&type, 16, &object), STATUS_SUCCESS);
    ObpHeader(object)->PointerCount = 0;
    assert_bug_check(REFERENCE_BY_POINTER, (ULONG_PTR)&type, ObDereferenceObject(object));
    ObpHeader(object)->PointerCount = 1;
    ObDereferenceObject(object);
    assert_int_equal(ObpSum(&type.Count), 0);
}

static OBJECT_TYPE spread_type = {.Name = "Test", .PoolType = NonPagedPool, .Tag = POOL_TAG('T', 'e', 's', 't')};

/* Takes references in one thread, gives back another's in the other. */
static void *pass_references(void *argument)
{
    PVOID *objects = argument;

    for (int i = 0; i < 20000; i++) {
        ObReferenceObject(objects[0]);
        ObReferenceObject(objects[0]);
        ObDereferenceObject(objects[0]);
    }
    for (int i = 0; i < 20000; i++)
        ObDereferenceObject(objects[0]);
    ObDereferenceObject(objects[0]); /* the one that it was given */
    return NULL;
}

static void test_an_object_with_spread_references_goes_with_the_last_after_they_are_gathered(void **state)
{
    pthread_t threads[3];
    PVOID object;

    for (int round = 0; round < 20; round++) {
        assert_status(ObpCreateObject(&spread_type, 16, &object), STATUS_SUCCESS);
        assert_status(ObpSpreadReferences(object), STATUS_SUCCESS);
        for (int i = 0; i < 3; i++) {
            ObReferenceObject(object);
            assert_int_equal(pthread_create(&threads[i], NULL, pass_references, &object), 0);
        }
        ObpGatherReferences(object); /* in the middle of it */
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(ObpSum(&spread_type.Count), 1);
        ObDereferenceObject(object);
        assert_int_equal(ObpSum(&spread_type.Count), 0);
    }
}

#define OB_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OB_TEST(test_malformed_and_missing_names_get_their_status),
        OB_TEST(test_names_have_case_unless_the_caller_does_not_care),
        OB_TEST(test_links_are_followed_through_links_and_a_loop_ends),
        OB_TEST(test_a_name_that_grows_beyond_a_counted_string_is_refused),
        OB_TEST(test_an_odd_length_is_invalid),
        OB_TEST(test_a_file_opens_relative_to_a_directory_handle),
        OB_TEST(test_relative_opens_go_on_from_relative_opens),
        OB_TEST(test_handles_are_good_once_in_their_own_process_and_with_their_access),
        OB_TEST(test_a_handle_table_grows),
        OB_TEST(test_a_reference_too_few_stops_the_machine),
        OB_TEST(test_an_object_with_spread_references_goes_with_the_last_after_they_are_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
