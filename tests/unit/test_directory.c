/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories and symbolic links as services, and what each OBJ_ attribute does. */
#include "lab.h"

#include <string.h>

#include "ob/obp.h"

/* Attributes of the last call live here. */
static OBJECT_ATTRIBUTES *attributes(const WCHAR *name, ULONG flags, HANDLE root)
{
    static UNICODE_STRING string;
    static OBJECT_ATTRIBUTES result;

    RtlInitUnicodeString(&string, name);
    InitializeObjectAttributes(&result, &string, flags, root, NULL);
    return &result;
}

static NTSTATUS make_directory(const WCHAR *name, ULONG flags, HANDLE root, HANDLE *handle)
{
    return NtCreateDirectoryObject(handle, DIRECTORY_ALL_ACCESS, attributes(name, flags, root));
}

static NTSTATUS open_directory(const WCHAR *name, ULONG flags, HANDLE *handle)
{
    return NtOpenDirectoryObject(handle, DIRECTORY_QUERY, attributes(name, flags, NULL));
}

static NTSTATUS make_link(const WCHAR *name, ULONG flags, HANDLE root, const WCHAR *target, HANDLE *handle)
{
    UNICODE_STRING string;

    RtlInitUnicodeString(&string, target);
    return NtCreateSymbolicLinkObject(handle, SYMBOLIC_LINK_ALL_ACCESS, attributes(name, flags, root), &string);
}

static void close(HANDLE handle)
{
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_a_temporary_directory_goes_with_its_last_handle(void **state)
{
    HANDLE a, b;

    assert_status(make_directory(u"\\Temp", 0, NULL, &a), STATUS_SUCCESS);
    assert_status(open_directory(u"\\Temp", 0, &b), STATUS_SUCCESS);
    close(a);
    assert_status(open_directory(u"\\Temp", 0, &a), STATUS_SUCCESS);
    close(a);
    close(b);
    assert_status(open_directory(u"\\Temp", 0, &a), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_permanent_directory_stays_until_it_is_made_temporary(void **state)
{
    HANDLE handle;

    assert_status(make_directory(u"\\Kept", OBJ_PERMANENT, NULL, &handle), STATUS_SUCCESS);
    close(handle);
    assert_status(open_directory(u"\\Kept", 0, &handle), STATUS_SUCCESS);
    assert_status(NtMakeTemporaryObject(handle), STATUS_ACCESS_DENIED); /* it takes DELETE */
    close(handle);
    assert_status(NtOpenDirectoryObject(&handle, DELETE, attributes(u"\\Kept", 0, NULL)), STATUS_SUCCESS);
    assert_status(NtMakeTemporaryObject(handle), STATUS_SUCCESS);
    close(handle);
    assert_status(open_directory(u"\\Kept", 0, &handle), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_name_that_is_there_collides_unless_openif_opens_it(void **state)
{
    HANDLE a, b = NULL;

    assert_status(make_directory(u"\\One", 0, NULL, &a), STATUS_SUCCESS);
    assert_status(make_directory(u"\\One", 0, NULL, &b), STATUS_OBJECT_NAME_COLLISION);
    assert_status(make_directory(u"\\ONE", OBJ_CASE_INSENSITIVE, NULL, &b), STATUS_OBJECT_NAME_COLLISION);
    assert_null(b);
    assert_status(make_link(u"\\One", OBJ_OPENIF, NULL, u"\\Device", &b), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(make_directory(u"\\one", OBJ_OPENIF | OBJ_CASE_INSENSITIVE, NULL, &b), STATUS_OBJECT_NAME_EXISTS);
    close(b);
    assert_status(make_directory(u"\\ONE", 0, NULL, &b), STATUS_SUCCESS); /* with case it is another name */
    close(b);
    assert_status(make_directory(u"\\", OBJ_OPENIF, NULL, &b), STATUS_OBJECT_NAME_EXISTS);
    close(b);
    close(a);
}

static void test_bits_that_no_attribute_has_are_refused(void **state)
{
    OBJECT_ATTRIBUTES *a = attributes(u"\\Device", 0x00000400, NULL);
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    assert_status(NtOpenDirectoryObject(&handle, DIRECTORY_QUERY, a), STATUS_INVALID_PARAMETER);
    a->Attributes = 1; /* OBJ_PROTECT_CLOSE is a handle's, not an attribute to open with */
    assert_status(NtOpenDirectoryObject(&handle, DIRECTORY_QUERY, a), STATUS_INVALID_PARAMETER);
    a->Attributes = 0;
    a->Length--;
    assert_status(NtOpenDirectoryObject(&handle, DIRECTORY_QUERY, a), STATUS_INVALID_PARAMETER);
    assert_status(NtOpenDirectoryObject(&handle, DIRECTORY_QUERY, NULL), STATUS_INVALID_PARAMETER);
    a = attributes(u"\\??\\X:\\f.txt", 0x00001000, NULL);
    assert_status(NtOpenFile(&handle, FILE_READ_DATA, a, &io_status, 7, 0), STATUS_INVALID_PARAMETER);
}

static void test_names_go_into_the_root_directory_that_is_given(void **state)
{
    HANDLE root, below, link, file;
    IO_STATUS_BLOCK io_status;

    assert_status(make_directory(u"\\Root", 0, NULL, &root), STATUS_SUCCESS);
    assert_status(make_directory(u"below", 0, root, &below), STATUS_SUCCESS);
    assert_status(make_link(u"below\\share", 0, root, u"\\??\\X:", &link), STATUS_SUCCESS);
    assert_status(
        NtOpenFile(&file, FILE_READ_DATA, attributes(u"\\Root\\below\\share\\f.txt", 0, NULL), &io_status, 7, 0),
        STATUS_SUCCESS);
    close(file);
    assert_status(NtOpenFile(&file, FILE_READ_DATA, attributes(u"share\\f.txt", 0, below), &io_status, 7, 0),
                  STATUS_SUCCESS);
    close(file);
    assert_status(make_directory(u"\\below2", 0, root, &file), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_status(make_directory(u"none\\x", 0, root, &file), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(make_directory(u"below\\\\x", 0, root, &file), STATUS_OBJECT_NAME_INVALID);
    assert_status(make_directory(u"\\Device\\LanmanRedirector\\x", 0, NULL, &file), STATUS_OBJECT_TYPE_MISMATCH);
    /* In any order: what is named keeps what names it. */
    close(root);
    close(below);
    close(link);
}

static void test_a_link_is_followed_or_is_what_is_opened(void **state)
{
    WCHAR buffer[8];
    UNICODE_STRING target = {0, sizeof buffer, buffer}, want = NT_STRING(u"\\Device");
    HANDLE link, directory, again;
    ULONG length = 0;

    assert_status(make_link(u"\\Link", 0, NULL, u"\\Device", &link), STATUS_SUCCESS);
    assert_status(open_directory(u"\\Link", 0, &directory), STATUS_SUCCESS);
    close(directory);
    assert_status(open_directory(u"\\Link", OBJ_OPENLINK, &directory), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(NtOpenSymbolicLinkObject(&again, GENERIC_READ, attributes(u"\\Link", 0, NULL)), STATUS_SUCCESS);
    assert_status(NtQuerySymbolicLinkObject(again, &target, &length), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&target, &want, FALSE));
    assert_int_equal(length, want.Length);
    target.MaximumLength = 4;
    assert_status(NtQuerySymbolicLinkObject(again, &target, &length), STATUS_BUFFER_TOO_SMALL);
    close(again);
    assert_status(NtOpenSymbolicLinkObject(&again, 0, attributes(u"\\Device", 0, NULL)), STATUS_OBJECT_TYPE_MISMATCH);
    /* What is made behind a link is made where it leads. */
    assert_status(make_directory(u"\\Link\\New", 0, NULL, &directory), STATUS_SUCCESS);
    assert_status(open_directory(u"\\Device\\New", 0, &again), STATUS_SUCCESS);
    close(again);
    close(directory);
    close(link);
    assert_status(open_directory(u"\\Link", 0, &directory), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(make_link(u"\\Link", 0, NULL, u"", &link), STATUS_INVALID_PARAMETER);
    assert_status(make_link(u"\\Link", 0, NULL, u"nowhere", &link), STATUS_OBJECT_PATH_SYNTAX_BAD);
}

static void test_an_exclusive_object_is_one_processs(void **state)
{
    PEPROCESS other = EmuCreateProcess(0), before;
    HANDLE handle, second, theirs;

    assert_status(make_directory(u"\\Mine", OBJ_EXCLUSIVE | OBJ_PERMANENT, NULL, &handle), STATUS_SUCCESS);
    assert_status(open_directory(u"\\Mine", 0, &second), STATUS_SUCCESS);
    before = EmuEnterProcess(other);
    assert_status(open_directory(u"\\Mine", 0, &theirs), STATUS_ACCESS_DENIED);
    EmuEnterProcess(before);
    close(second);
    close(handle);
    EmuEnterProcess(other); /* it is nobody's now */
    assert_status(open_directory(u"\\Mine", OBJ_EXCLUSIVE, &theirs), STATUS_SUCCESS);
    close(theirs);
    EmuEnterProcess(before);
    /* An object that was not made so cannot be opened so. */
    assert_status(open_directory(u"\\Device", OBJ_EXCLUSIVE, &handle), STATUS_INVALID_PARAMETER);
    EmuDeleteProcess(other);
}

static void test_a_directory_lists_its_names_and_types(void **state)
{
    __attribute__((aligned(8))) UCHAR buffer[512];
    PDIRECTORY_BASIC_INFORMATION info = (PDIRECTORY_BASIC_INFORMATION)buffer;
    UNICODE_STRING directory_type = NT_STRING(u"Directory"), link_type = NT_STRING(u"SymbolicLink");
    HANDLE handle, a, b;
    ULONG context = 0, length, links = 0;

    assert_status(make_directory(u"\\List", 0, NULL, &handle), STATUS_SUCCESS);
    assert_status(NtQueryDirectoryObject(handle, info, sizeof buffer, FALSE, TRUE, &context, &length),
                  STATUS_NO_MORE_ENTRIES);
    assert_status(make_directory(u"a", 0, handle, &a), STATUS_SUCCESS);
    assert_status(make_link(u"b", 0, handle, u"\\Device", &b), STATUS_SUCCESS);
    assert_status(NtQueryDirectoryObject(handle, info, sizeof buffer, FALSE, TRUE, &context, &length), STATUS_SUCCESS);
    assert_int_equal(context, 2);
    assert_null(info[2].ObjectName.Buffer);
    for (int i = 0; i < 2; i++)
        links += RtlEqualUnicodeString(&info[i].ObjectTypeName, &link_type, FALSE);
    assert_int_equal(links, 1);
    assert_status(NtQueryDirectoryObject(handle, info, sizeof buffer, FALSE, FALSE, &context, &length),
                  STATUS_NO_MORE_ENTRIES);
    /* One by one, and in buffers that hold one only. */
    for (ULONG i = 0; i < 2; i++)
        assert_status(NtQueryDirectoryObject(handle, info, sizeof buffer, TRUE, !i, &context, &length), STATUS_SUCCESS);
    assert_int_equal(context, 2);
    assert_status(NtQueryDirectoryObject(handle, info, 100, FALSE, TRUE, &context, &length), STATUS_MORE_ENTRIES);
    assert_int_equal(context, 1);
    assert_true(RtlEqualUnicodeString(&info->ObjectTypeName, &directory_type, FALSE) ||
                RtlEqualUnicodeString(&info->ObjectTypeName, &link_type, FALSE));
    assert_status(NtQueryDirectoryObject(handle, info, 32, TRUE, TRUE, &context, &length), STATUS_BUFFER_TOO_SMALL);
    assert_true(length > 32 && length <= sizeof buffer);
    assert_status(NtQueryDirectoryObject(handle, info, length, TRUE, TRUE, &context, &length), STATUS_SUCCESS);
    close(a);
    close(b);
    close(handle);
}

static void test_objects_say_what_they_are(void **state)
{
    union {
        OBJECT_BASIC_INFORMATION basic;
        OBJECT_NAME_INFORMATION name;
        OBJECT_TYPE_INFORMATION type;
        WCHAR room[200];
    } u;
    UNICODE_STRING file_name = NT_STRING(u"\\Device\\LanmanRedirector\\X:\\mem\\lab\\f.txt"),
                   type_name = NT_STRING(u"File");
    UNICODE_STRING root_name = NT_STRING(u"\\");
    HANDLE handle, kept;
    ULONG length;

    assert_status(lab_open(u"\\??\\x:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtQueryObject(handle, ObjectNameInformation, &u, sizeof u, &length), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&u.name.Name, &file_name, FALSE));
    assert_status(NtQueryObject(handle, ObjectNameInformation, &u, sizeof u.name, &length), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(length, sizeof u.name + file_name.Length + 2);
    assert_status(NtQueryObject(handle, ObjectTypeInformation, &u, sizeof u, &length), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&u.type.TypeName, &type_name, FALSE));
    assert_status(NtQueryObject(handle, ObjectBasicInformation, &u, sizeof u.basic, &length), STATUS_SUCCESS);
    assert_int_equal(u.basic.HandleCount, 1);
    assert_int_equal(u.basic.PointerCount, 1);
    assert_int_equal(u.basic.GrantedAccess, FILE_GENERIC_READ);
    assert_status(NtQueryObject(handle, ObjectBasicInformation, &u, 4, &length), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(NtQueryObject(handle, (OBJECT_INFORMATION_CLASS)99, &u, sizeof u, &length),
                  STATUS_INVALID_INFO_CLASS);
    close(handle);
    assert_status(open_directory(u"\\", 0, &handle), STATUS_SUCCESS);
    assert_status(NtQueryObject(handle, ObjectNameInformation, &u, sizeof u, &length), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&u.name.Name, &root_name, FALSE));
    close(handle);
    assert_status(make_directory(u"\\Kept", OBJ_PERMANENT, NULL, &kept), STATUS_SUCCESS);
    assert_status(NtQueryObject(kept, ObjectBasicInformation, &u, sizeof u.basic, NULL), STATUS_SUCCESS);
    assert_int_equal(u.basic.Attributes, OBJ_PERMANENT);
    assert_int_equal(u.basic.PointerCount, 2); /* its name, and the handle */
    close(kept);
}

static void test_a_file_object_is_opened_again_by_pointer(void **state)
{
    HANDLE handle, second;
    PVOID file;

    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, KernelMode, &file, NULL), STATUS_SUCCESS);
    assert_status(ObReferenceObjectByPointer(file, 0, *IoDeviceObjectType, KernelMode), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(ObReferenceObjectByPointer(file, 0, NULL, UserMode), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(ObReferenceObjectByPointer(file, 0, NULL, KernelMode), STATUS_SUCCESS);
    ObDereferenceObject(file);
    assert_status(ObOpenObjectByPointer(file, 0, NULL, FILE_READ_DATA, *IoDeviceObjectType, KernelMode, &second),
                  STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(ObOpenObjectByPointer(file, 0, NULL, FILE_READ_DATA, *IoFileObjectType, KernelMode, &second),
                  STATUS_SUCCESS);
    ObDereferenceObject(file);
    close(handle);
    close(second);
}

static void test_every_failing_allocation_of_a_new_name_leaves_nothing(void **state)
{
    ULONG64 before;
    HANDLE handle;
    unsigned n;

    assert_status(make_link(u"\\Link", 0, NULL, u"\\Device", &handle), STATUS_SUCCESS);
    close(handle);
    before = lab_live_blocks();
    for (n = 1; n < 50; n++) {
        NTSTATUS status;
        EmuPoolFailAllocations(n, 1);
        status = make_link(u"\\DosDevices\\Link", 0, NULL, u"\\Device", &handle);
        EmuPoolFailAllocations(0, 0);
        if (NT_SUCCESS(status)) {
            close(handle);
            break;
        }
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        if (lab_live_blocks() != before)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - before));
    }
    assert_in_range(n, 4, 49); /* the link, its target, the expanded name, its name */
    assert_int_equal(lab_live_blocks(), before);
}

#define OB_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OB_TEST(test_a_temporary_directory_goes_with_its_last_handle),
        OB_TEST(test_a_permanent_directory_stays_until_it_is_made_temporary),
        OB_TEST(test_a_name_that_is_there_collides_unless_openif_opens_it),
        OB_TEST(test_bits_that_no_attribute_has_are_refused),
        OB_TEST(test_names_go_into_the_root_directory_that_is_given),
        OB_TEST(test_a_link_is_followed_or_is_what_is_opened),
        OB_TEST(test_an_exclusive_object_is_one_processs),
        OB_TEST(test_a_directory_lists_its_names_and_types),
        OB_TEST(test_objects_say_what_they_are),
        OB_TEST(test_a_file_object_is_opened_again_by_pointer),
        OB_TEST(test_every_failing_allocation_of_a_new_name_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
