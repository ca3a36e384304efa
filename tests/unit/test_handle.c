/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handles between processes: inherited, duplicated, protected. */
#include "lab.h"

#include "ob/obp.h"

static NTSTATUS open_file(ULONG flags, HANDLE *handle)
{
    static UNICODE_STRING path = NT_STRING(u"\\??\\X:\\f.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;

    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | flags, NULL, NULL);
    return NtOpenFile(handle, FILE_READ_DATA | SYNCHRONIZE, &attributes, &io_status, 7, FILE_SYNCHRONOUS_IO_NONALERT);
}

static NTSTATUS read_from(HANDLE handle)
{
    IO_STATUS_BLOCK io_status;
    LARGE_INTEGER start = {.QuadPart = 0};
    char buffer[4];

    return NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &start, NULL);
}

static HANDLE handle_of(PEPROCESS process)
{
    HANDLE handle;

    assert_status(ObOpenObjectByPointer(process, 0, NULL, PROCESS_DUP_HANDLE, *PsProcessType, KernelMode, &handle),
                  STATUS_SUCCESS);
    return handle;
}

static void test_a_child_inherits_what_is_marked_by_the_same_value(void **state)
{
    PEPROCESS parent = EmuCreateProcess(0), child, stranger, before = EmuEnterProcess(parent);
    HANDLE plain, inherited, more;

    assert_status(open_file(0, &plain), STATUS_SUCCESS);
    assert_status(open_file(OBJ_INHERIT, &inherited), STATUS_SUCCESS);
    child = EmuCreateChildProcess(parent, TRUE);
    stranger = EmuCreateChildProcess(parent, FALSE);
    assert_int_equal(EmuHandleCount(child), 1);
    assert_int_equal(EmuHandleCount(stranger), 0);
    /* The parent closes its own; the child's keeps the file open. */
    assert_status(NtClose(inherited), STATUS_SUCCESS);
    EmuEnterProcess(child);
    assert_status(NtClose(plain), STATUS_INVALID_HANDLE);
    assert_status(read_from(inherited), STATUS_SUCCESS);
    assert_status(open_file(0, &more), STATUS_SUCCESS);
    assert_ptr_not_equal(more, inherited);
    assert_status(NtClose(more), STATUS_SUCCESS);
    EmuEnterProcess(before);
    EmuDeleteProcess(parent);
    EmuDeleteProcess(child);
    EmuDeleteProcess(stranger);
}

static void test_a_full_table_is_inherited_and_grows_on(void **state)
{
    PEPROCESS parent = EmuCreateProcess(0), child, before = EmuEnterProcess(parent);
    HANDLE handles[64], more;

    for (int i = 0; i < 64; i++)
        assert_status(open_file(OBJ_INHERIT, &handles[i]), STATUS_SUCCESS);
    child = EmuCreateChildProcess(parent, TRUE);
    EmuEnterProcess(child);
    assert_int_equal(EmuHandleCount(child), 64);
    assert_status(open_file(0, &more), STATUS_SUCCESS);
    for (int i = 0; i < 64; i++)
        assert_status(NtClose(handles[i]), STATUS_SUCCESS);
    assert_status(NtClose(more), STATUS_SUCCESS);
    EmuEnterProcess(before);
    EmuDeleteProcess(child);
    EmuDeleteProcess(parent);
}

static void test_a_duplicate_has_the_access_that_is_asked_for_or_the_same(void **state)
{
    OBJECT_BASIC_INFORMATION basic;
    HANDLE handle, same, other;

    assert_status(open_file(OBJ_INHERIT, &handle), STATUS_SUCCESS);
    assert_status(NtDuplicateObject(NtCurrentProcess(), handle, NtCurrentProcess(), &same, 0, 0,
                                    DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES),
                  STATUS_SUCCESS);
    assert_status(NtQueryObject(same, ObjectBasicInformation, &basic, sizeof basic, NULL), STATUS_SUCCESS);
    assert_int_equal(basic.GrantedAccess, FILE_READ_DATA | SYNCHRONIZE);
    assert_int_equal(basic.Attributes, OBJ_INHERIT);
    assert_int_equal(basic.HandleCount, 2);
    assert_status(NtDuplicateObject(NtCurrentProcess(), handle, NtCurrentProcess(), &other, FILE_READ_ATTRIBUTES, 0, 0),
                  STATUS_SUCCESS);
    assert_status(read_from(other), STATUS_ACCESS_DENIED);
    assert_status(read_from(same), STATUS_SUCCESS);
    assert_status(NtDuplicateObject(NtCurrentProcess(), handle, NtCurrentProcess(), &same, 0, 0, 8),
                  STATUS_INVALID_PARAMETER);
    assert_status(NtDuplicateObject(NtCurrentProcess(), NULL, NtCurrentProcess(), &same, 0, 0, 0),
                  STATUS_INVALID_HANDLE);
    assert_status(NtDuplicateObject(handle, handle, NtCurrentProcess(), &same, 0, 0, 0), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(same), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
}

static void test_a_handle_moves_from_one_process_to_another(void **state)
{
    PEPROCESS from = EmuCreateProcess(0), to = EmuCreateProcess(0), before = EmuEnterProcess(from);
    HANDLE handle, moved = NULL, source, target;

    assert_status(open_file(0, &handle), STATUS_SUCCESS);
    EmuEnterProcess(before);
    source = handle_of(from);
    target = handle_of(to);
    assert_status(
        NtDuplicateObject(source, handle, target, &moved, 0, 0, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE),
        STATUS_SUCCESS);
    assert_int_equal(EmuHandleCount(from), 0);
    EmuEnterProcess(to);
    assert_status(read_from(moved), STATUS_SUCCESS);
    EmuEnterProcess(before);
    /* Closed in the other process, and nothing made; and closed although the target is none. */
    assert_status(NtDuplicateObject(target, moved, NULL, NULL, 0, 0, DUPLICATE_CLOSE_SOURCE), STATUS_SUCCESS);
    assert_int_equal(EmuHandleCount(to), 0);
    EmuEnterProcess(from);
    assert_status(open_file(0, &handle), STATUS_SUCCESS);
    EmuEnterProcess(before);
    assert_status(NtDuplicateObject(source, handle, (HANDLE)(ULONG_PTR)0x4000, &moved, 0, 0, DUPLICATE_CLOSE_SOURCE),
                  STATUS_INVALID_HANDLE);
    assert_int_equal(EmuHandleCount(from), 0);
    /* A process that has ended takes no handle, although there is one to it. */
    EmuDeleteProcess(to);
    assert_status(open_file(0, &handle), STATUS_SUCCESS);
    assert_status(NtDuplicateObject(NtCurrentProcess(), handle, target, &moved, 0, 0, DUPLICATE_SAME_ACCESS),
                  STATUS_PROCESS_IS_TERMINATING);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    EmuDeleteProcess(from);
    assert_status(NtClose(source), STATUS_SUCCESS);
    assert_status(NtClose(target), STATUS_SUCCESS);
}

static void test_a_process_names_itself_by_a_pseudo_handle(void **state)
{
    HANDLE real;
    PVOID process;

    assert_status(ObReferenceObjectByHandle(NtCurrentProcess(), 0, *PsProcessType, UserMode, &process, NULL),
                  STATUS_SUCCESS);
    assert_ptr_equal(process, PsGetCurrentProcess());
    ObDereferenceObject(process);
    assert_status(NtDuplicateObject(NtCurrentProcess(), NtCurrentProcess(), NtCurrentProcess(), &real, 0, 0,
                                    DUPLICATE_SAME_ACCESS),
                  STATUS_SUCCESS);
    assert_status(ObReferenceObjectByHandle(real, PROCESS_DUP_HANDLE, *PsProcessType, UserMode, &process, NULL),
                  STATUS_SUCCESS);
    ObDereferenceObject(process);
    assert_status(NtClose(real), STATUS_SUCCESS);
    assert_status(NtClose(NtCurrentProcess()), STATUS_SUCCESS);
    assert_status(read_from(NtCurrentProcess()), STATUS_OBJECT_TYPE_MISMATCH);
}

static void test_a_protected_handle_is_closed_by_its_processs_end_only(void **state)
{
    PEPROCESS process = EmuCreateProcess(0), before = EmuEnterProcess(process);
    EMU_HANDLE_FLAGS data = {.ProtectFromClose = TRUE};
    HANDLE handle;

    assert_status(open_file(OBJ_INHERIT, &handle), STATUS_SUCCESS);
    assert_status(NtSetInformationObject(handle, EMU_OBJECT_HANDLE_FLAG_INFORMATION, &data, sizeof data),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_HANDLE_NOT_CLOSABLE);
    assert_status(read_from(handle), STATUS_SUCCESS);
    assert_status(NtQueryObject(handle, EMU_OBJECT_HANDLE_FLAG_INFORMATION, &data, sizeof data, NULL), STATUS_SUCCESS);
    assert_true(data.ProtectFromClose);
    assert_false(data.Inherit); /* both are set together */
    data = (EMU_HANDLE_FLAGS){.Inherit = TRUE};
    assert_status(NtSetInformationObject(handle, EMU_OBJECT_HANDLE_FLAG_INFORMATION, &data, sizeof data),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtSetInformationObject(handle, EMU_OBJECT_HANDLE_FLAG_INFORMATION, &data, sizeof data),
                  STATUS_INVALID_HANDLE);
    assert_status(NtSetInformationObject(handle, EMU_OBJECT_HANDLE_FLAG_INFORMATION, &data, 1),
                  STATUS_INFO_LENGTH_MISMATCH);
    assert_status(NtSetInformationObject(handle, ObjectNameInformation, &data, 2), STATUS_INVALID_INFO_CLASS);
    assert_status(open_file(0, &handle), STATUS_SUCCESS);
    data = (EMU_HANDLE_FLAGS){.ProtectFromClose = TRUE};
    assert_status(NtSetInformationObject(handle, EMU_OBJECT_HANDLE_FLAG_INFORMATION, &data, sizeof data),
                  STATUS_SUCCESS);
    EmuEnterProcess(before);
    EmuDeleteProcess(process);
}

static void test_every_failing_allocation_of_a_child_leaves_nothing(void **state)
{
    PEPROCESS parent = EmuCreateProcess(0), before = EmuEnterProcess(parent);
    HANDLE handle;
    ULONG64 blocks;
    unsigned n;

    assert_status(open_file(OBJ_INHERIT, &handle), STATUS_SUCCESS);
    EmuEnterProcess(before);
    blocks = lab_live_blocks();
    for (n = 1; n < 20; n++) {
        PEPROCESS child;
        EmuPoolFailAllocations(n, 1);
        child = EmuCreateChildProcess(parent, TRUE);
        EmuPoolFailAllocations(0, 0);
        EmuDeleteProcess(child);
        if (lab_live_blocks() != blocks)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - blocks));
        if (child)
            break;
    }
    assert_in_range(n, 4, 19); /* the process, its table, its entries */
    EmuDeleteProcess(parent);
}

#define OB_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OB_TEST(test_a_child_inherits_what_is_marked_by_the_same_value),
        OB_TEST(test_a_full_table_is_inherited_and_grows_on),
        OB_TEST(test_a_duplicate_has_the_access_that_is_asked_for_or_the_same),
        OB_TEST(test_a_handle_moves_from_one_process_to_another),
        OB_TEST(test_a_process_names_itself_by_a_pseudo_handle),
        OB_TEST(test_a_protected_handle_is_closed_by_its_processs_end_only),
        OB_TEST(test_every_failing_allocation_of_a_child_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
