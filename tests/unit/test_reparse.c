/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* STATUS_REPARSE: a driver answers a create with another name, and the lookup begins again there. */
#include "lab.h"

#include <string.h>

#define TAG_OURS POOL_TAG('T', 's', 't', 'R')

static struct {
    const WCHAR *target; /* what the create is sent on to; NULL: it is opened */
    ULONG_PTR information;
    unsigned creates, cleanups, closes;
    WCHAR last[64]; /* the name of the last create */
} driver;

static PDEVICE_OBJECT device;

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static BOOLEAN rename_file(PFILE_OBJECT file, const WCHAR *target)
{
    UNICODE_STRING name;

    if (file->FileName.Buffer)
        ExFreePool(file->FileName.Buffer);
    RtlInitUnicodeString(&name, target);
    file->FileName = (UNICODE_STRING){0};
    if (!name.Length)
        return TRUE;
    file->FileName.Buffer = ExAllocatePoolWithTag(PagedPool, name.Length, TAG_OURS);
    if (!file->FileName.Buffer)
        return FALSE;
    memcpy(file->FileName.Buffer, name.Buffer, name.Length);
    file->FileName.Length = file->FileName.MaximumLength = name.Length;
    return TRUE;
}

static NTSTATUS NTAPI create(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    USHORT n = file->FileName.Length / sizeof(WCHAR);

    driver.creates++;
    memset(driver.last, 0, sizeof driver.last);
    for (USHORT i = 0; i < n && i < 63; i++)
        driver.last[i] = file->FileName.Buffer[i];
    if (!driver.target)
        return complete(Irp, STATUS_SUCCESS, FILE_OPENED);
    if (!rename_file(file, driver.target))
        return complete(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    return complete(Irp, STATUS_REPARSE, driver.information);
}

static NTSTATUS NTAPI cleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    driver.cleanups++;
    return complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI close(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    driver.closes++;
    return complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    static UNICODE_STRING name = NT_STRING(u"\\Device\\Signpost");

    DriverObject->MajorFunction[IRP_MJ_CREATE] = create;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = cleanup;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = close;
    return IoCreateDevice(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}

static int boot(void **state)
{
    static UNICODE_STRING name = NT_STRING(u"\\Driver\\Signpost");
    static struct lab lab;

    lab_boot(&lab, "nt4-sp6", 0);
    memset(&driver, 0, sizeof driver);
    assert_status(IoCreateDriver(&name, entry), STATUS_SUCCESS);
    *state = &lab;
    return 0;
}

static int shut_down(void **state)
{
    PDRIVER_OBJECT object = device->DriverObject;

    IoDeleteDevice(device);
    IoDeleteDriver(object);
    lab_shut_down(*state, 0);
    return 0;
}

static void test_a_create_goes_on_at_the_name_that_the_driver_gives(void **state)
{
    char buffer[sizeof LAB_TEXT - 1];
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    driver.target = u"\\??\\X:\\f.txt";
    assert_status(lab_open(u"\\Device\\Signpost\\there", &handle), STATUS_SUCCESS);
    assert_memory_equal(driver.last, u"\\there", 7 * sizeof(WCHAR));
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, NULL, NULL), STATUS_SUCCESS);
    assert_memory_equal(buffer, LAB_TEXT, sizeof buffer);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    driver.target = u"\\??\\X:\\missing";
    assert_status(lab_open(u"\\Device\\Signpost\\there", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    driver.target = u"\\??\\X:\\a|b";
    assert_status(lab_open(u"\\Device\\Signpost\\there", &handle), STATUS_OBJECT_NAME_INVALID);
    /* The file object that carried the question was never open. */
    assert_int_equal(driver.creates, 3);
    assert_int_equal(driver.cleanups + driver.closes, 0);
}

static void test_a_driver_that_sends_to_itself_is_asked_a_bounded_number_of_times(void **state)
{
    HANDLE handle = NULL;

    driver.target = u"\\Device\\Signpost\\again";
    assert_status(lab_open(u"\\Device\\Signpost", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(driver.creates, 33); /* the first, and 32 reparses */
    assert_null(handle);
    assert_int_equal(driver.cleanups + driver.closes, 0);
}

static void test_a_link_and_a_driver_that_send_to_each_other_end_too(void **state)
{
    UNICODE_STRING link = NT_STRING(u"\\??\\Loop"), target = NT_STRING(u"\\Device\\Signpost\\a");
    HANDLE handle;

    assert_status(IoCreateSymbolicLink(&link, &target), STATUS_SUCCESS);
    driver.target = u"\\??\\Loop\\b";
    assert_status(lab_open(u"\\??\\Loop", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_in_range(driver.creates, 16, 17); /* every other step is a link's */
    assert_status(IoDeleteSymbolicLink(&link), STATUS_SUCCESS);
}

static void test_a_new_name_that_begins_nowhere_is_refused(void **state)
{
    HANDLE handle;

    driver.target = u"there";
    assert_status(lab_open(u"\\Device\\Signpost\\x", &handle), STATUS_OBJECT_PATH_SYNTAX_BAD);
    driver.target = u"";
    assert_status(lab_open(u"\\Device\\Signpost\\x", &handle), STATUS_OBJECT_PATH_SYNTAX_BAD);
    driver.target = u"\\??\\X:\\f.txt";
    driver.information = 1;
    assert_status(lab_open(u"\\Device\\Signpost\\x", &handle), STATUS_IO_REPARSE_TAG_NOT_HANDLED);
    assert_int_equal(driver.creates, 3);
    assert_int_equal(driver.cleanups + driver.closes, 0);
}

static void test_a_relative_open_is_sent_on_from_the_root(void **state)
{
    UNICODE_STRING name = NT_STRING(u"below");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE base, handle;

    assert_status(lab_open(u"\\Device\\Signpost\\base", &base), STATUS_SUCCESS);
    driver.target = u"\\??\\X:\\f.txt";
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, base, NULL);
    assert_status(NtOpenFile(&handle, FILE_READ_DATA, &attributes, &io_status, 7, 0), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(driver.closes, 0);
    assert_status(NtClose(base), STATUS_SUCCESS);
    assert_int_equal(driver.closes, 1);
}

static void test_a_name_that_the_driver_put_there_goes_with_the_file_object(void **state)
{
    HANDLE handle;
    PVOID file;

    assert_status(lab_open(u"\\Device\\Signpost\\x", &handle), STATUS_SUCCESS);
    assert_status(ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, KernelMode, &file, NULL), STATUS_SUCCESS);
    assert_true(rename_file(file, u"\\of another tag"));
    ObDereferenceObject(file);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_every_failing_allocation_on_the_way_leaves_nothing(void **state)
{
    ULONG64 before;
    unsigned n;

    driver.target = u"\\??\\X:\\f.txt";
    before = lab_live_blocks();
    for (n = 1; n < 100; n++) {
        HANDLE handle;
        ULONG64 failures;
        NTSTATUS status;
        EmuPoolFailAllocations(n, 1);
        status = lab_open(u"\\Device\\Signpost\\x", &handle);
        failures = EmuPoolFailedAllocations();
        EmuPoolFailAllocations(0, 0);
        if (!failures) {
            assert_status(status, STATUS_SUCCESS);
            assert_status(NtClose(handle), STATUS_SUCCESS);
            break;
        }
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        if (lab_live_blocks() != before)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - before));
    }
    assert_in_range(n, 8, 99);
}

#define REPARSE_TEST(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPARSE_TEST(test_a_create_goes_on_at_the_name_that_the_driver_gives),
        REPARSE_TEST(test_a_driver_that_sends_to_itself_is_asked_a_bounded_number_of_times),
        REPARSE_TEST(test_a_link_and_a_driver_that_send_to_each_other_end_too),
        REPARSE_TEST(test_a_new_name_that_begins_nowhere_is_refused),
        REPARSE_TEST(test_a_relative_open_is_sent_on_from_the_root),
        REPARSE_TEST(test_a_name_that_the_driver_put_there_goes_with_the_file_object),
        REPARSE_TEST(test_every_failing_allocation_on_the_way_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
