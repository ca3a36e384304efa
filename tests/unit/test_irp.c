/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The I/O manager against a driver of the test's own, that counts what it is sent. */
#include "lab.h"

#include <pthread.h>
#include <string.h>

#include "io/iop.h"

static struct {
    unsigned calls[IRP_MJ_MAXIMUM_FUNCTION + 1];
    NTSTATUS create_status;
    BOOLEAN pend;
    PIRP pending;
    ULONG options;
    USHORT share;
    WCHAR name[16]; /* of the last create */
    PFILE_OBJECT target;
    BOOLEAN replace;
    KEVENT arrived;
} seen;

static PDEVICE_OBJECT device;
static PDRIVER_OBJECT driver;

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 7;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static void NTAPI cancel_pending(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    complete(Irp, STATUS_CANCELLED);
}

static NTSTATUS NTAPI dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    seen.calls[stack->MajorFunction]++;
    if (stack->MajorFunction == IRP_MJ_SET_INFORMATION) {
        seen.target = stack->Parameters.SetFile.FileObject;
        seen.replace = stack->Parameters.SetFile.ReplaceIfExists;
    }
    if (stack->MajorFunction != IRP_MJ_CREATE)
        return complete(Irp, STATUS_SUCCESS);
    seen.options = stack->Parameters.Create.Options;
    seen.share = stack->Parameters.Create.ShareAccess;
    memset(seen.name, 0, sizeof seen.name);
    memcpy(seen.name, stack->FileObject->FileName.Buffer,
           min(stack->FileObject->FileName.Length, sizeof seen.name - sizeof(WCHAR)));
    if (!seen.pend)
        return complete(Irp, seen.create_status);
    IoMarkIrpPending(Irp);
    seen.pending = Irp;
    IoSetCancelRoutine(Irp, cancel_pending);
    KeSetEvent(&seen.arrived, 0, FALSE);
    return STATUS_PENDING;
}

static NTSTATUS NTAPI entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    static UNICODE_STRING name = NT_STRING(u"\\Device\\Test");

    driver = DriverObject;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        DriverObject->MajorFunction[i] = dispatch;
    return IoCreateDevice(DriverObject, 16, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}

static int boot(void **state)
{
    static UNICODE_STRING name = NT_STRING(u"\\Driver\\Test");
    static struct lab lab;

    lab_boot_unmapped(&lab, "nt4-sp6", 0);
    memset(&seen, 0, sizeof seen);
    KeInitializeEvent(&seen.arrived, SynchronizationEvent, FALSE);
    assert_status(IoCreateDriver(&name, entry), STATUS_SUCCESS);
    *state = &lab;
    return 0;
}

static int shut_down(void **state)
{
    IoDeleteDevice(device);
    IoDeleteDriver(driver);
    lab_shut_down(*state, 0);
    return 0;
}

static void test_a_create_carries_its_parameters_and_its_information_comes_back(void **state)
{
    UNICODE_STRING path = NT_STRING(u"\\Device\\Test\\name");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtCreateFile(&handle, FILE_READ_DATA, &attributes, &io_status, NULL, 0, FILE_SHARE_WRITE,
                               FILE_OVERWRITE_IF, FILE_NON_DIRECTORY_FILE, NULL, 0),
                  STATUS_SUCCESS);
    assert_int_equal(seen.options, (ULONG)FILE_OVERWRITE_IF << 24 | FILE_NON_DIRECTORY_FILE);
    assert_int_equal(seen.share, FILE_SHARE_WRITE);
    assert_int_equal(io_status.Information, 7);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_bad_create_parameters_never_reach_a_driver(void **state)
{
    static const struct {
        ACCESS_MASK access;
        ULONG attributes, share, disposition, options;
    } rows[] = {
        {FILE_READ_DATA, 0, 0, 6, 0},                                 /* disposition */
        {FILE_READ_DATA, 0, 8, FILE_OPEN, 0},                         /* share bits */
        {FILE_READ_DATA, 0, 0, FILE_OPEN, 0x01000000},                /* option bits */
        {FILE_READ_DATA, 0x10000, 0, FILE_OPEN, 0},                   /* attribute bits */
        {FILE_READ_DATA, 0, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_ALERT}, /* without SYNCHRONIZE */
        {SYNCHRONIZE, 0, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT},
        {GENERIC_READ, 0, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_ALERT}, /* a generic right is not the flag */
        {FILE_READ_DATA, 0, 0, FILE_OPEN, FILE_DELETE_ON_CLOSE},    /* without DELETE */
        {FILE_READ_DATA, 0, 0, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE},
        {FILE_READ_DATA, 0, 0, FILE_OVERWRITE, FILE_DIRECTORY_FILE},
        {FILE_APPEND_DATA, 0, 0, FILE_OPEN, FILE_NO_INTERMEDIATE_BUFFERING},
    };
    UNICODE_STRING path = NT_STRING(u"\\Device\\Test\\name");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        NTSTATUS status = NtCreateFile(&handle, rows[i].access, &attributes, &io_status, NULL, rows[i].attributes,
                                       rows[i].share, rows[i].disposition, rows[i].options, NULL, 0);
        if (status != STATUS_INVALID_PARAMETER)
            fail_msg("row %zu: %s", i, status_name(status));
    }
    assert_int_equal(seen.calls[IRP_MJ_CREATE], 0);
}

static void test_malformed_extended_attributes_never_reach_a_driver(void **state)
{
    UNICODE_STRING path = NT_STRING(u"\\Device\\Test\\name");
    __attribute__((aligned(8))) UCHAR buffer[64] = {0};
    FILE_FULL_EA_INFORMATION *ea = (FILE_FULL_EA_INFORMATION *)buffer;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    ea->EaNameLength = 3;
    memcpy(ea->EaName, "abc", 4);
    assert_status(
        NtCreateFile(&handle, FILE_READ_DATA, &attributes, &io_status, NULL, 0, 0, FILE_OPEN, 0, buffer, sizeof buffer),
        STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    memset(seen.calls, 0, sizeof seen.calls);
    for (int row = 0; row < 5; row++) {
        ULONG length = sizeof buffer;
        ea->NextEntryOffset = row == 0 ? 14 : row == 1 ? 8 : row == 2 ? 128 : 0; /* odd, overlapping, beyond */
        ea->EaValueLength = row == 3 ? 60 : 0;
        ea->EaName[3] = row == 4;
        assert_status(
            NtCreateFile(&handle, FILE_READ_DATA, &attributes, &io_status, NULL, 0, 0, FILE_OPEN, 0, buffer, length),
            STATUS_EA_LIST_INCONSISTENT);
    }
    assert_int_equal(seen.calls[IRP_MJ_CREATE], 0);
}

static void test_a_failed_create_gets_neither_cleanup_nor_close(void **state)
{
    HANDLE handle;

    seen.create_status = STATUS_OBJECT_NAME_INVALID;
    assert_status(lab_open(u"\\Device\\Test\\name", &handle), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(seen.calls[IRP_MJ_CREATE], 1);
    assert_int_equal(seen.calls[IRP_MJ_CLEANUP], 0);
    assert_int_equal(seen.calls[IRP_MJ_CLOSE], 0);
}

static void test_cleanup_comes_with_the_last_handle_and_close_with_the_last_reference(void **state)
{
    HANDLE first, second;
    PVOID file;

    assert_status(lab_open(u"\\Device\\Test\\name", &first), STATUS_SUCCESS);
    assert_status(ObReferenceObjectByHandle(first, 0, *IoFileObjectType, KernelMode, &file, NULL), STATUS_SUCCESS);
    assert_status(ObpCreateHandle(file, FILE_READ_DATA, 0, &second), STATUS_SUCCESS);
    assert_status(NtClose(first), STATUS_SUCCESS);
    assert_int_equal(seen.calls[IRP_MJ_CLEANUP], 0);
    assert_status(NtClose(second), STATUS_SUCCESS);
    assert_int_equal(seen.calls[IRP_MJ_CLEANUP], 1);
    assert_int_equal(seen.calls[IRP_MJ_CLOSE], 0);
    ObDereferenceObject(file);
    assert_int_equal(seen.calls[IRP_MJ_CLEANUP], 1);
    assert_int_equal(seen.calls[IRP_MJ_CLOSE], 1);
}

/* Fails the nth allocation, once or from then on for ever, until an open meets no fault. */
static void fault_loop(ULONG64 times)
{
    ULONG64 before = lab_live_blocks();
    unsigned n;

    for (n = 1; n < 100; n++) {
        HANDLE handle = NULL;
        NTSTATUS status;
        memset(seen.calls, 0, sizeof seen.calls);
        EmuPoolFailAllocations(n, times);
        status = lab_open(u"\\Device\\Test\\name", &handle);
        if (!EmuPoolFailedAllocations()) {
            assert_status(status, STATUS_SUCCESS);
            EmuPoolFailAllocations(0, 0);
            assert_status(NtClose(handle), STATUS_SUCCESS);
            break;
        }
        EmuPoolFailAllocations(0, 0);
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        assert_null(handle);
        /* What succeeded in the driver is taken back in the driver. */
        assert_int_equal(seen.calls[IRP_MJ_CREATE], seen.calls[IRP_MJ_CLOSE]);
        assert_int_equal(seen.calls[IRP_MJ_CREATE], seen.calls[IRP_MJ_CLEANUP]);
        if (lab_live_blocks() != before)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - before));
    }
    assert_in_range(n, 4, 99); /* a file object, its name, an IRP, the expanded name */
}

static void test_every_failing_allocation_of_an_open_leaves_nothing(void **state)
{
    fault_loop(1);
    fault_loop(UINT64_MAX);
}

static void test_an_open_without_room_for_its_handle_is_cleaned_up_in_the_driver(void **state)
{
    HANDLE handles[64], last;
    PEPROCESS process = EmuCreateProcess(0), before = EmuEnterProcess(process);

    for (int i = 0; i < 64; i++)
        assert_status(lab_open(u"\\Device\\Test\\name", &handles[i]), STATUS_SUCCESS);
    /* The table must grow for the next: whatever fails from then on, the driver gets its cleanup and close. */
    for (unsigned n = 1; n < 20; n++) {
        NTSTATUS status;
        memset(seen.calls, 0, sizeof seen.calls);
        EmuPoolFailAllocations(n, UINT64_MAX);
        status = lab_open(u"\\Device\\Test\\name", &last);
        EmuPoolFailAllocations(0, 0);
        if (NT_SUCCESS(status))
            break;
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        assert_int_equal(seen.calls[IRP_MJ_CREATE], seen.calls[IRP_MJ_CLEANUP]);
        assert_int_equal(seen.calls[IRP_MJ_CREATE], seen.calls[IRP_MJ_CLOSE]);
    }
    EmuEnterProcess(before);
    EmuDeleteProcess(process);
}

/* ---- pending and cancelling ---- */

struct opener {
    PEPROCESS process;
    NTSTATUS status;
    HANDLE handle;
};

static void *open_in_process(void *argument)
{
    struct opener *o = argument;

    EmuEnterProcess(o->process);
    o->status = lab_open(u"\\Device\\Test\\name", &o->handle);
    if (NT_SUCCESS(o->status))
        NtClose(o->handle);
    EmuEnterProcess(NULL);
    return NULL;
}

static void start_pending(struct opener *o, pthread_t *thread)
{
    LARGE_INTEGER timeout = {.QuadPart = -100000000};

    seen.pend = TRUE;
    o->process = EmuCreateProcess(0);
    assert_int_equal(pthread_create(thread, NULL, open_in_process, o), 0);
    assert_status(KeWaitForSingleObject(&seen.arrived, Executive, KernelMode, FALSE, &timeout), STATUS_SUCCESS);
}

static void test_a_pending_create_completes_from_another_thread(void **state)
{
    struct opener o;
    pthread_t thread;

    start_pending(&o, &thread);
    assert_ptr_equal(IoSetCancelRoutine(seen.pending, NULL), cancel_pending);
    complete(seen.pending, STATUS_SUCCESS);
    pthread_join(thread, NULL);
    assert_status(o.status, STATUS_SUCCESS);
    assert_int_equal(seen.calls[IRP_MJ_CLOSE], 1);
    EmuDeleteProcess(o.process);
}

static void test_a_dying_process_gets_its_pending_create_cancelled(void **state)
{
    struct opener o;
    pthread_t thread;

    start_pending(&o, &thread);
    EmuCancelProcessIo(o.process);
    pthread_join(thread, NULL);
    assert_status(o.status, STATUS_CANCELLED);
    assert_int_equal(seen.calls[IRP_MJ_CLOSE], 0);
    EmuDeleteProcess(o.process);
}

/* ---- stacks ---- */

static PDEVICE_OBJECT filter, below;
static unsigned completions;
static NTSTATUS completion_result;

static NTSTATUS NTAPI on_completion(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    completions++;
    assert_ptr_equal(DeviceObject, filter);
    assert_ptr_equal(Context, &completions);
    return completion_result;
}

static NTSTATUS NTAPI filter_dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    NTSTATUS status;

    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, on_completion, &completions, TRUE, TRUE, TRUE);
    status = IoCallDriver(below, Irp);
    if (completion_result != STATUS_MORE_PROCESSING_REQUIRED)
        return status;
    /* The filter owns it again and gives its own answer. */
    return complete(Irp, STATUS_ACCESS_DENIED);
}

static NTSTATUS NTAPI filter_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        DriverObject->MajorFunction[i] = filter_dispatch;
    return IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &filter);
}

static void test_a_filter_sees_what_passes_and_may_change_the_answer(void **state)
{
    static UNICODE_STRING name = NT_STRING(u"\\Driver\\Filter");
    HANDLE handle;
    PDRIVER_OBJECT filter_driver;

    completions = 0;
    completion_result = STATUS_SUCCESS;
    assert_status(IoCreateDriver(&name, filter_entry), STATUS_SUCCESS);
    filter_driver = filter->DriverObject;
    below = IoAttachDeviceToDeviceStack(filter, device);
    assert_ptr_equal(below, device);
    assert_int_equal(filter->StackSize, 2);
    assert_status(lab_open(u"\\Device\\Test\\name", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(completions, 3); /* create, cleanup, close */
    completion_result = STATUS_MORE_PROCESSING_REQUIRED;
    assert_status(lab_open(u"\\Device\\Test\\name", &handle), STATUS_ACCESS_DENIED);
    IoDetachDevice(device);
    IoDeleteDevice(filter);
    IoDeleteDriver(filter_driver);
}

static void test_completing_twice_stops_the_machine(void **state)
{
    PIRP irp = IoAllocateIrp(1, FALSE);

    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
    assert_status(IoCallDriver(device, irp), STATUS_SUCCESS);
    assert_bug_check(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)irp, IoCompleteRequest(irp, 0));
    IoFreeIrp(irp);
}

static void test_an_irp_with_too_few_locations_stops_the_machine(void **state)
{
    PIRP irp = IoAllocateIrp(0, FALSE);

    assert_bug_check(NO_MORE_IRP_STACK_LOCATIONS, (ULONG_PTR)irp, IoCallDriver(device, irp));
    IoFreeIrp(irp);
}

static void test_share_access_follows_the_algorithm(void **state)
{
    static const struct {
        ACCESS_MASK access1, access2;
        ULONG share1, share2;
        BOOLEAN ok;
    } rows[] = {
        {FILE_READ_DATA, FILE_READ_DATA, FILE_SHARE_READ, FILE_SHARE_READ, TRUE},
        {FILE_READ_DATA, FILE_READ_DATA, 0, FILE_SHARE_READ, FALSE},
        {FILE_READ_DATA, FILE_READ_DATA, FILE_SHARE_READ, 0, FALSE},
        {FILE_WRITE_DATA, FILE_READ_DATA, FILE_SHARE_READ, FILE_SHARE_READ, FALSE},
        {FILE_WRITE_DATA, FILE_READ_DATA, FILE_SHARE_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, TRUE},
        {FILE_APPEND_DATA, FILE_EXECUTE, FILE_SHARE_READ, FILE_SHARE_WRITE, TRUE},
        {DELETE, FILE_READ_DATA, FILE_SHARE_READ, FILE_SHARE_READ, FALSE},
        {DELETE, FILE_READ_DATA, FILE_SHARE_READ, FILE_SHARE_DELETE, TRUE},
        {FILE_READ_DATA, FILE_READ_ATTRIBUTES, 0, 0, TRUE}, /* attributes never conflict */
        {FILE_READ_ATTRIBUTES, FILE_WRITE_DATA, 0, 0, TRUE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SHARE_ACCESS share = {0};
        FILE_OBJECT a = {0}, b = {0};
        NTSTATUS status;
        assert_status(IoCheckShareAccess(rows[i].access1, rows[i].share1, &a, &share, TRUE), STATUS_SUCCESS);
        status = IoCheckShareAccess(rows[i].access2, rows[i].share2, &b, &share, TRUE);
        if (status != (rows[i].ok ? STATUS_SUCCESS : STATUS_SHARING_VIOLATION))
            fail_msg("row %zu: %s", i, status_name(status));
        if (rows[i].ok)
            IoRemoveShareAccess(&b, &share);
        IoRemoveShareAccess(&a, &share);
        for (size_t word = 0; word < sizeof share / sizeof(ULONG); word++)
            assert_int_equal(((ULONG *)&share)[word], 0);
    }
}

/* ---- renames ---- */

static NTSTATUS rename_to(HANDLE file, HANDLE root, const WCHAR *name, ULONG cut)
{
    struct {
        FILE_RENAME_INFORMATION information;
        WCHAR more[64];
    } buffer = {.information = {.RootDirectory = root}};
    IO_STATUS_BLOCK io_status;
    UNICODE_STRING text;

    buffer.information.ReplaceIfExists = TRUE;
    RtlInitUnicodeString(&text, name);
    buffer.information.FileNameLength = text.Length;
    memcpy((char *)&buffer + offsetof(FILE_RENAME_INFORMATION, FileName), text.Buffer, text.Length);
    return NtSetInformationFile(file, &io_status, &buffer,
                                (ULONG)offsetof(FILE_RENAME_INFORMATION, FileName) + text.Length - cut,
                                FileRenameInformation);
}

/* The driver gets the directory, which the object manager has found, and which is open no longer than that. */
static void test_a_rename_comes_with_the_directory_that_it_leads_to(void **state)
{
    HANDLE file, directory;
    ULONG64 before;

    assert_status(lab_create(u"\\Device\\Test\\a", DELETE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_status(lab_create(u"\\Device\\Test\\d", FILE_READ_DATA, 0, FILE_OPEN, 0, &directory), STATUS_SUCCESS);
    before = lab_live_blocks();
    assert_status(rename_to(file, NULL, u"simple", 0), STATUS_SUCCESS);
    assert_null(seen.target);
    assert_true(seen.replace);
    assert_status(rename_to(file, NULL, u"\\device\\test\\dir\\b", 0), STATUS_SUCCESS);
    assert_non_null(seen.target);
    assert_memory_equal(seen.name, u"\\dir\\", sizeof u"\\dir\\");
    assert_true(seen.options & FILE_DIRECTORY_FILE);
    assert_status(rename_to(file, directory, u"sub\\b", 0), STATUS_SUCCESS);
    assert_memory_equal(seen.name, u"sub\\", sizeof u"sub\\");
    assert_int_equal(seen.calls[IRP_MJ_SET_INFORMATION], 3);
    assert_int_equal(seen.calls[IRP_MJ_CLOSE], 2);

    assert_status(rename_to(file, NULL, u"\\Device\\Mup\\a", 0), STATUS_BAD_NETWORK_PATH);
    assert_status(rename_to(file, NULL, u"\\Device\\Nothing\\a", 0), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(rename_to(file, NULL, u"simple", 2), STATUS_INVALID_PARAMETER);
    assert_status(rename_to(file, NULL, u"simple", 13), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(rename_to(file, NULL, u"", 0), STATUS_INVALID_PARAMETER);
    assert_status(rename_to(directory, NULL, u"simple", 0), STATUS_ACCESS_DENIED); /* not opened for DELETE */
    for (unsigned n = 1;; n++) {
        NTSTATUS status;
        EmuPoolFailAllocations(n, UINT64_MAX);
        status = rename_to(file, NULL, u"\\Device\\Test\\dir\\b", 0);
        EmuPoolFailAllocations(0, 0);
        if (NT_SUCCESS(status))
            break;
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
    }
    assert_int_equal(seen.calls[IRP_MJ_SET_INFORMATION], 4);
    assert_int_equal(lab_live_blocks(), before);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(NtClose(directory), STATUS_SUCCESS);
}

static void test_what_cannot_be_set_never_reaches_a_driver(void **state)
{
    static const struct {
        int class;
        ULONG length;
        NTSTATUS read_only, expected; /* of a handle for reading, and for everything */
    } rows[] = {
        {FileStandardInformation, 24, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS},
        {0, 8, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS},
        {FileMaximumInformation, 8, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_INFO_CLASS},
        {FileDispositionInformation, 0, STATUS_INFO_LENGTH_MISMATCH, STATUS_INFO_LENGTH_MISMATCH},
        {FileDispositionInformation, 1, STATUS_ACCESS_DENIED, STATUS_SUCCESS},
        {FileBasicInformation, 39, STATUS_INFO_LENGTH_MISMATCH, STATUS_INFO_LENGTH_MISMATCH},
        {FileBasicInformation, 40, STATUS_ACCESS_DENIED, STATUS_SUCCESS},
        {FileEndOfFileInformation, 8, STATUS_ACCESS_DENIED, STATUS_SUCCESS},
        {FileAllocationInformation, 8, STATUS_ACCESS_DENIED, STATUS_SUCCESS},
    };
    UCHAR buffer[64] = {0};
    IO_STATUS_BLOCK io_status;
    HANDLE reader, all;
    unsigned sent = 0;

    assert_status(lab_create(u"\\Device\\Test\\a", FILE_READ_DATA, 0, FILE_OPEN, 0, &reader), STATUS_SUCCESS);
    assert_status(lab_create(u"\\Device\\Test\\a", FILE_ALL_ACCESS, 0, FILE_OPEN, 0, &all), STATUS_SUCCESS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FILE_INFORMATION_CLASS class = (FILE_INFORMATION_CLASS)rows[i].class;
        assert_status(NtSetInformationFile(reader, &io_status, buffer, rows[i].length, class), rows[i].read_only);
        assert_status(NtSetInformationFile(all, &io_status, buffer, rows[i].length, class), rows[i].expected);
        sent += NT_SUCCESS(rows[i].expected);
        assert_int_equal(seen.calls[IRP_MJ_SET_INFORMATION], sent);
    }
    assert_status(NtClose(reader), STATUS_SUCCESS);
    assert_status(NtClose(all), STATUS_SUCCESS);
}

static void test_a_rename_does_not_leave_its_device(void **state)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), user = NT_STRING(u"lab"),
                                password = NT_STRING(u"secret");
    HANDLE file;

    assert_status(EmuUseAdd('X' - 'A', &remote, &user, &password), STATUS_SUCCESS);
    assert_status(lab_create(u"\\Device\\Test\\a", DELETE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_status(rename_to(file, NULL, u"\\??\\X:\\b", 0), STATUS_NOT_SAME_DEVICE);
    assert_status(rename_to(file, NULL, u"\\??\\X:\\missing\\b", 0), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(rename_to(file, NULL, u"\\??\\X:\\f.txt\\b", 0), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_int_equal(seen.calls[IRP_MJ_SET_INFORMATION], 0);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

/* Read, write, delete as bits: what an open wants and what it lets others do. */
static ACCESS_MASK access_of(unsigned bits)
{
    static const ACCESS_MASK rights[2][3] = {{FILE_READ_DATA, FILE_WRITE_DATA, DELETE},
                                             {FILE_EXECUTE, FILE_APPEND_DATA, DELETE}};
    ACCESS_MASK access = FILE_READ_ATTRIBUTES;

    for (unsigned i = 0; i < 3; i++)
        if (bits >> i & 1)
            access |= rights[bits & 1][i];
    return access;
}

/* One of three opens at a time: two that are there, by all that they can be, and each third beside them. */
static void test_every_open_is_let_in_beside_those_that_allow_it_and_that_it_allows(void **state)
{
    for (unsigned n = 0; n < 64 * 64; n++) {
        const unsigned wants[2] = {n & 7, n >> 6 & 7}, lets[2] = {n >> 3 & 7, n >> 9 & 7};
        SHARE_ACCESS share, before;
        FILE_OBJECT files[2] = {{0}};
        /* MS-FSA 2.1.5.1.2.2 of two opens: neither wants what the other does not let it. */
        if ((wants[1] & ~(wants[0] ? lets[0] : 7)) || (wants[1] && (wants[0] & ~lets[1])))
            continue;
        IoSetShareAccess(access_of(wants[0]), lets[0], &files[0], &share);
        assert_status(IoCheckShareAccess(access_of(wants[1]), lets[1], &files[1], &share, TRUE), STATUS_SUCCESS);
        before = share;
        for (unsigned m = 0; m < 64; m++) {
            const unsigned want = m & 7, let = m >> 3;
            FILE_OBJECT file = {0};
            BOOLEAN refused = FALSE;
            NTSTATUS status;
            for (unsigned i = 0; i < 2 && want; i++)
                refused |= wants[i] && ((want & ~lets[i]) || (wants[i] & ~let));
            status = IoCheckShareAccess(access_of(want), let, &file, &share, FALSE);
            if (status != (refused ? STATUS_SHARING_VIOLATION : STATUS_SUCCESS))
                fail_msg("opens %u, third %u: %s", n, m, status_name(status));
            assert_memory_equal(&share, &before, sizeof share);
            if (refused)
                continue;
            IoUpdateShareAccess(&file, &share);
            assert_int_equal(share.OpenCount, before.OpenCount + (want != 0));
            IoRemoveShareAccess(&file, &share);
            assert_memory_equal(&share, &before, sizeof share);
        }
    }
}

#define IO_TEST(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(test_a_create_carries_its_parameters_and_its_information_comes_back),
        IO_TEST(test_bad_create_parameters_never_reach_a_driver),
        IO_TEST(test_malformed_extended_attributes_never_reach_a_driver),
        IO_TEST(test_a_failed_create_gets_neither_cleanup_nor_close),
        IO_TEST(test_cleanup_comes_with_the_last_handle_and_close_with_the_last_reference),
        IO_TEST(test_every_failing_allocation_of_an_open_leaves_nothing),
        IO_TEST(test_an_open_without_room_for_its_handle_is_cleaned_up_in_the_driver),
        IO_TEST(test_a_pending_create_completes_from_another_thread),
        IO_TEST(test_a_dying_process_gets_its_pending_create_cancelled),
        IO_TEST(test_a_filter_sees_what_passes_and_may_change_the_answer),
        IO_TEST(test_completing_twice_stops_the_machine),
        IO_TEST(test_an_irp_with_too_few_locations_stops_the_machine),
        IO_TEST(test_share_access_follows_the_algorithm),
        cmocka_unit_test(test_every_open_is_let_in_beside_those_that_allow_it_and_that_it_allows),
        IO_TEST(test_a_rename_comes_with_the_directory_that_it_leads_to),
        IO_TEST(test_what_cannot_be_set_never_reaches_a_driver),
        IO_TEST(test_a_rename_does_not_leave_its_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
