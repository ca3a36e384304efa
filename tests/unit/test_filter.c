/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter on the redirector: it sees creates, passes them, answers them, holds them, sends them elsewhere. */
#include "lab.h"

#include <pthread.h>
#include <string.h>

enum action {
    PASS,            /* down, without a trace */
    PASS_AND_SEE,    /* with a completion routine */
    PASS_AND_REFUSE, /* the completion routine turns success into failure, and closes what is open below */
    COMPLETE,        /* open here, nothing below knows */
    FAIL,
    PEND,      /* until somebody completes it */
    PEND_DEAF, /* the same, and no cancel routine */
    PEND_THEN_PASS,
    REPARSE,
};

static struct {
    enum action action;
    unsigned seen[IRP_MJ_MAXIMUM_FUNCTION + 1];
    unsigned completions;
    NTSTATUS completed_with;
    PIRP pending;
    KEVENT arrived;
    IO_STACK_LOCATION last; /* of the last create */
    ACCESS_MASK access;
    LONGLONG allocation;
    UCHAR ea[64];
    ULONG file_flags;
    BOOLEAN cancelled_on_arrival;
    int owned; /* FsContext2 of a file that the filter opened by itself */
} filter;

static PDEVICE_OBJECT device, below;

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS NTAPI see_completion(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    filter.completions++;
    filter.completed_with = Irp->IoStatus.Status;
    if (Irp->PendingReturned)
        IoMarkIrpPending(Irp);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI stop_completion(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    filter.completions++;
    filter.completed_with = Irp->IoStatus.Status;
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Cleanup and close of a file object, sent below as the I/O manager would have. */
static void undo_below(PFILE_OBJECT file)
{
    static const UCHAR majors[] = {IRP_MJ_CLEANUP, IRP_MJ_CLOSE};

    for (size_t i = 0; i < 2; i++) {
        PIRP irp = IoAllocateIrp(below->StackSize, FALSE);
        IoGetNextIrpStackLocation(irp)->MajorFunction = majors[i];
        IoGetNextIrpStackLocation(irp)->FileObject = file;
        IoCallDriver(below, irp);
        IoFreeIrp(irp);
    }
}

static NTSTATUS pass_and_refuse(PIRP irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
    KEVENT done;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, stop_completion, &done, TRUE, TRUE, TRUE);
    IoCallDriver(below, irp);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    if (!NT_SUCCESS(irp->IoStatus.Status))
        return complete(irp, irp->IoStatus.Status, irp->IoStatus.Information);
    undo_below(file);
    return complete(irp, STATUS_ACCESS_DENIED, 0);
}

static void NTAPI cancel_create(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    complete(Irp, STATUS_CANCELLED, 0);
}

/* As the WDK says: arm the routine, then look whether the cancel came before. */
static NTSTATUS pend(PIRP irp)
{
    IoMarkIrpPending(irp);
    filter.pending = irp;
    if (filter.action == PEND) {
        IoSetCancelRoutine(irp, cancel_create);
        filter.cancelled_on_arrival = irp->Cancel;
        if (irp->Cancel && IoSetCancelRoutine(irp, NULL)) {
            complete(irp, STATUS_CANCELLED, 0);
            return STATUS_PENDING;
        }
    }
    KeSetEvent(&filter.arrived, IO_NO_INCREMENT, FALSE);
    return STATUS_PENDING;
}

static NTSTATUS reparse(PIRP irp)
{
    static const UNICODE_STRING target = NT_STRING(u"\\??\\Z:\\g.txt");
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;

    ExFreePool(file->FileName.Buffer);
    file->FileName.Buffer = ExAllocatePoolWithTag(PagedPool, target.Length, POOL_TAG('F', 'l', 't', 'r'));
    file->FileName.Length = file->FileName.MaximumLength = target.Length;
    memcpy(file->FileName.Buffer, target.Buffer, target.Length);
    filter.action = PASS;
    return complete(irp, STATUS_REPARSE, IO_REPARSE);
}

static NTSTATUS pass(PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(below, irp);
}

static void note_create(PIRP irp, PIO_STACK_LOCATION stack)
{
    filter.last = *stack;
    filter.access = stack->Parameters.Create.SecurityContext->DesiredAccess;
    filter.allocation = irp->Overlay.AllocationSize.QuadPart;
    filter.file_flags = stack->FileObject->Flags;
    if (irp->AssociatedIrp.SystemBuffer)
        memcpy(filter.ea, irp->AssociatedIrp.SystemBuffer,
               stack->Parameters.Create.EaLength < 64 ? stack->Parameters.Create.EaLength : 64);
}

static NTSTATUS filter_create(PIRP irp, PIO_STACK_LOCATION stack)
{
    note_create(irp, stack);
    switch (filter.action) {
    case PASS_AND_SEE:
        IoCopyCurrentIrpStackLocationToNext(irp);
        IoSetCompletionRoutine(irp, see_completion, NULL, TRUE, TRUE, TRUE);
        return IoCallDriver(below, irp);
    case PASS_AND_REFUSE:
        return pass_and_refuse(irp);
    case COMPLETE:
        stack->FileObject->FsContext2 = &filter.owned;
        return complete(irp, STATUS_SUCCESS, FILE_CREATED);
    case FAIL:
        return complete(irp, STATUS_SHARING_VIOLATION, 0);
    case PEND:
    case PEND_DEAF:
    case PEND_THEN_PASS:
        return pend(irp);
    case REPARSE:
        return reparse(irp);
    default:
        return pass(irp);
    }
}

static NTSTATUS NTAPI dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    filter.seen[stack->MajorFunction]++;
    if (stack->MajorFunction == IRP_MJ_CREATE)
        return filter_create(Irp, stack);
    if (stack->FileObject->FsContext2 == &filter.owned)
        return complete(Irp, STATUS_SUCCESS, 0);
    return pass(Irp);
}

static NTSTATUS NTAPI entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        DriverObject->MajorFunction[i] = dispatch;
    return IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_NETWORK_FILE_SYSTEM, 0, FALSE, &device);
}

static int boot(void **state)
{
    static UNICODE_STRING name = NT_STRING(u"\\Driver\\Filter"), target = NT_STRING(u"\\Device\\LanmanRedirector");
    static struct lab lab;

    lab_boot(&lab, "nt4-sp6", 0);
    memset(&filter, 0, sizeof filter);
    KeInitializeEvent(&filter.arrived, SynchronizationEvent, FALSE);
    assert_status(IoCreateDriver(&name, entry), STATUS_SUCCESS);
    assert_status(IoAttachDevice(device, &target, &below), STATUS_SUCCESS);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1); /* of the open by name */
    memset(filter.seen, 0, sizeof filter.seen);
    *state = &lab;
    return 0;
}

static int shut_down(void **state)
{
    PDRIVER_OBJECT driver = device->DriverObject;

    filter.action = PASS;
    IoDetachDevice(below);
    IoDeleteDevice(device);
    IoDeleteDriver(driver);
    lab_shut_down(*state, 0);
    return 0;
}

static void test_an_attached_filter_is_the_top_of_the_stack(void **state)
{
    UNICODE_STRING none = NT_STRING(u"\\Device\\None"), link = NT_STRING(u"\\??");
    PDEVICE_OBJECT top = NULL;
    HANDLE handle;

    assert_ptr_equal(IoGetAttachedDevice(below), device);
    assert_int_equal(device->StackSize, below->StackSize + 1);
    assert_status(IoAttachDevice(device, &none, &top), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(IoAttachDevice(device, &link, &top), STATUS_OBJECT_TYPE_MISMATCH);
    assert_null(top);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(filter.seen[IRP_MJ_CREATE], 1);
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP], 1);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
}

static void test_a_completion_routine_sees_every_end(void **state)
{
    HANDLE handle;

    filter.action = PASS_AND_SEE;
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_int_equal(filter.completions, 1);
    assert_status(filter.completed_with, STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\X:\\a|b", &handle), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(filter.completions, 2);
    assert_status(filter.completed_with, STATUS_OBJECT_NAME_INVALID);
}

static void test_a_filter_refuses_what_the_redirector_has_opened(void **state)
{
    HANDLE handle;

    filter.action = PASS_AND_REFUSE;
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_ACCESS_DENIED);
    assert_int_equal(filter.completions, 1);
    assert_status(lab_open(u"\\??\\X:\\missing", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    /* To the I/O manager neither was ever open. */
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP] + filter.seen[IRP_MJ_CLOSE], 0);
    assert_int_equal(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
}

static void test_a_filter_answers_by_itself(void **state)
{
    HANDLE handle;

    filter.action = COMPLETE;
    assert_status(lab_open(u"\\??\\X:\\nowhere", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP], 1);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
    filter.action = FAIL;
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SHARING_VIOLATION);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
}

static void test_a_filter_sends_a_create_to_another_place(void **state)
{
    UNICODE_STRING link = NT_STRING(u"\\??\\Z:"), target = NT_STRING(u"\\??\\X:\\dir");
    HANDLE handle;

    assert_status(IoCreateSymbolicLink(&link, &target), STATUS_SUCCESS);
    filter.action = REPARSE;
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_int_equal(filter.seen[IRP_MJ_CREATE], 2);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
    assert_status(IoDeleteSymbolicLink(&link), STATUS_SUCCESS);
}

/* ---- pending ---- */

struct opener {
    pthread_t thread;
    PEPROCESS process;
    NTSTATUS status;
};

static void *open_there(void *argument)
{
    struct opener *o = argument;
    HANDLE handle;

    EmuEnterProcess(o->process);
    o->status = lab_open(u"\\??\\X:\\f.txt", &handle);
    if (NT_SUCCESS(o->status))
        NtClose(handle);
    EmuEnterProcess(NULL);
    return NULL;
}

static void start(struct opener *o, enum action action)
{
    LARGE_INTEGER timeout = {.QuadPart = -300000000};

    filter.action = action;
    o->process = EmuCreateProcess(0);
    assert_int_equal(pthread_create(&o->thread, NULL, open_there, o), 0);
    assert_status(KeWaitForSingleObject(&filter.arrived, Executive, KernelMode, FALSE, &timeout), STATUS_SUCCESS);
}

static void finish(struct opener *o, NTSTATUS status)
{
    pthread_join(o->thread, NULL);
    assert_status(o->status, status);
    EmuDeleteProcess(o->process);
}

static void test_a_held_create_goes_on_below_later(void **state)
{
    struct opener o;

    start(&o, PEND_THEN_PASS);
    filter.action = PASS;
    IoCopyCurrentIrpStackLocationToNext(filter.pending);
    IoSetCompletionRoutine(filter.pending, see_completion, NULL, TRUE, TRUE, TRUE);
    IoCallDriver(below, filter.pending);
    finish(&o, STATUS_SUCCESS);
    assert_int_equal(filter.completions, 1);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
}

static void test_a_held_create_is_cancelled(void **state)
{
    struct opener o;

    start(&o, PEND);
    assert_true(IoCancelIrp(filter.pending));
    finish(&o, STATUS_CANCELLED);
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP] + filter.seen[IRP_MJ_CLOSE], 0);
}

static void test_a_create_without_a_cancel_routine_learns_of_the_cancel_only(void **state)
{
    struct opener o;

    start(&o, PEND_DEAF);
    assert_false(IoCancelIrp(filter.pending));
    assert_true(filter.pending->Cancel);
    complete(filter.pending, STATUS_OBJECT_NAME_NOT_FOUND, 0);
    finish(&o, STATUS_OBJECT_NAME_NOT_FOUND); /* the driver's own answer stands */
}

static void test_a_cancel_after_the_driver_took_its_routine_back_changes_nothing(void **state)
{
    struct opener o;

    start(&o, PEND);
    assert_ptr_equal(IoSetCancelRoutine(filter.pending, NULL), cancel_create);
    assert_false(IoCancelIrp(filter.pending));
    complete(filter.pending, STATUS_SHARING_VIOLATION, 0);
    finish(&o, STATUS_SHARING_VIOLATION);
}

static void test_a_create_of_a_dying_process_is_cancelled_when_it_arrives(void **state)
{
    struct opener o = {.process = EmuCreateProcess(0)};

    EmuCancelProcessIo(o.process);
    filter.action = PEND;
    assert_int_equal(pthread_create(&o.thread, NULL, open_there, &o), 0);
    finish(&o, STATUS_CANCELLED);
    assert_true(filter.cancelled_on_arrival);
}

/* ---- what a create carries ---- */

static NTSTATUS create(ACCESS_MASK access, ULONG flags, ULONG disposition, ULONG options, HANDLE *handle)
{
    static UNICODE_STRING path = NT_STRING(u"\\??\\X:\\anything");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;

    filter.action = COMPLETE;
    InitializeObjectAttributes(&attributes, &path, flags, NULL, NULL);
    return NtCreateFile(handle, access, &attributes, &io_status, NULL, 0, 0, disposition, options, NULL, 0);
}

static void test_a_create_carries_all_that_was_asked(void **state)
{
    UNICODE_STRING path = NT_STRING(u"\\??\\X:\\anything");
    __attribute__((aligned(8))) UCHAR buffer[20] = {0};
    FILE_FULL_EA_INFORMATION *ea = (FILE_FULL_EA_INFORMATION *)buffer;
    LARGE_INTEGER allocation = {.QuadPart = 0x123456789};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    ea->EaNameLength = 1;
    ea->EaValueLength = 2;
    memcpy(ea->EaName, "n\0va", 4);
    filter.action = COMPLETE;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtCreateFile(&handle, GENERIC_WRITE | DELETE, &attributes, &io_status, &allocation,
                               FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_TEMPORARY, FILE_SHARE_READ | FILE_SHARE_DELETE,
                               FILE_SUPERSEDE, FILE_DELETE_ON_CLOSE | FILE_NON_DIRECTORY_FILE, buffer, sizeof buffer),
                  STATUS_SUCCESS);
    assert_int_equal(io_status.Information, FILE_CREATED);
    assert_int_equal(filter.access, FILE_GENERIC_WRITE | DELETE);
    assert_int_equal(filter.last.Parameters.Create.Options,
                     (ULONG)FILE_SUPERSEDE << 24 | FILE_DELETE_ON_CLOSE | FILE_NON_DIRECTORY_FILE);
    assert_int_equal(filter.last.Parameters.Create.FileAttributes, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_TEMPORARY);
    assert_int_equal(filter.last.Parameters.Create.ShareAccess, FILE_SHARE_READ | FILE_SHARE_DELETE);
    assert_int_equal(filter.last.Parameters.Create.EaLength, sizeof buffer);
    assert_memory_equal(filter.ea, buffer, sizeof buffer);
    assert_true(filter.allocation == allocation.QuadPart);
    assert_int_equal(filter.last.Flags, 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    allocation.QuadPart = -1;
    assert_status(
        NtCreateFile(&handle, GENERIC_WRITE, &attributes, &io_status, &allocation, 0, 0, FILE_OPEN, 0, NULL, 0),
        STATUS_INVALID_PARAMETER);
    ea->NextEntryOffset = 12;
    assert_status(
        NtCreateFile(&handle, GENERIC_WRITE, &attributes, &io_status, NULL, 0, 0, FILE_OPEN, 0, buffer, sizeof buffer),
        STATUS_EA_LIST_INCONSISTENT);
    assert_int_equal(io_status.Information, 12); /* the second entry, which does not fit */
    assert_status(NtCreateFile(NULL, GENERIC_WRITE, &attributes, &io_status, NULL, 0, 0, FILE_OPEN, 0, NULL, 0),
                  STATUS_ACCESS_VIOLATION);
    assert_status(NtCreateFile(&handle, GENERIC_WRITE, &attributes, NULL, NULL, 0, 0, FILE_OPEN, 0, NULL, 0),
                  STATUS_ACCESS_VIOLATION);
    assert_status(NtCreateFile(&handle, GENERIC_WRITE, NULL, &io_status, NULL, 0, 0, FILE_OPEN, 0, NULL, 0),
                  STATUS_INVALID_PARAMETER);
}

static void test_options_become_flags_of_the_file_object(void **state)
{
    static const struct {
        ACCESS_MASK access;
        ULONG attributes, options, flags;
    } rows[] = {
        {FILE_READ_DATA, OBJ_CASE_INSENSITIVE, 0, 0},
        {FILE_READ_DATA, 0, 0, FO_OPENED_CASE_SENSITIVE},
        {FILE_READ_DATA | SYNCHRONIZE, OBJ_CASE_INSENSITIVE, FILE_SYNCHRONOUS_IO_NONALERT, FO_SYNCHRONOUS_IO},
        {FILE_READ_DATA | SYNCHRONIZE, OBJ_CASE_INSENSITIVE, FILE_SYNCHRONOUS_IO_ALERT,
         FO_SYNCHRONOUS_IO | FO_ALERTABLE_IO},
        {FILE_READ_DATA, OBJ_CASE_INSENSITIVE, FILE_NO_INTERMEDIATE_BUFFERING, FO_NO_INTERMEDIATE_BUFFERING},
        {FILE_READ_DATA, OBJ_CASE_INSENSITIVE, FILE_WRITE_THROUGH, FO_WRITE_THROUGH},
        {FILE_READ_DATA, OBJ_CASE_INSENSITIVE, FILE_SEQUENTIAL_ONLY, FO_SEQUENTIAL_ONLY},
        {FILE_READ_DATA, OBJ_CASE_INSENSITIVE, FILE_RANDOM_ACCESS, FO_RANDOM_ACCESS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        UCHAR stack_flags = rows[i].attributes & OBJ_CASE_INSENSITIVE ? 0 : SL_CASE_SENSITIVE;
        HANDLE handle;
        PVOID file;
        assert_status(create(rows[i].access, rows[i].attributes, FILE_OPEN, rows[i].options, &handle), STATUS_SUCCESS);
        if (filter.file_flags != rows[i].flags || filter.last.Flags != stack_flags)
            fail_msg("row %zu: flags 0x%x, of the location 0x%x", i, filter.file_flags, filter.last.Flags);
        assert_status(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &file, NULL), STATUS_SUCCESS);
        assert_int_equal(((PFILE_OBJECT)file)->Flags, rows[i].flags | FO_HANDLE_CREATED);
        assert_status(NtClose(handle), STATUS_SUCCESS);
        assert_int_equal(((PFILE_OBJECT)file)->Flags, rows[i].flags | FO_HANDLE_CREATED | FO_CLEANUP_COMPLETE);
        ObDereferenceObject(file);
    }
}

static void test_a_device_is_opened_directly_to_be_asked_only(void **state)
{
    UNICODE_STRING path = NT_STRING(u"\\Device\\LanmanRedirector"),
                   below_it = NT_STRING(u"\\Device\\LanmanRedirector\\a");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    filter.action = COMPLETE;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtOpenFile(&handle, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attributes, &io_status, 0, 0),
                  STATUS_SUCCESS);
    assert_int_equal(filter.file_flags, FO_DIRECT_DEVICE_OPEN);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtOpenFile(&handle, FILE_READ_DATA, &attributes, &io_status, 0, 0), STATUS_SUCCESS);
    assert_int_equal(filter.file_flags, 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    attributes.ObjectName = &below_it;
    assert_status(NtOpenFile(&handle, FILE_READ_ATTRIBUTES, &attributes, &io_status, 0, 0), STATUS_SUCCESS);
    assert_int_equal(filter.file_flags, 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_a_driver_creates_with_options_of_its_own(void **state)
{
    UNICODE_STRING path = NT_STRING(u"\\??\\X:\\anything");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    filter.action = COMPLETE;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(IoCreateFile(&handle, FILE_READ_DATA, &attributes, &io_status, NULL, 0, 0, FILE_OPEN,
                               FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0, CreateFileTypeNone, NULL,
                               IO_NO_PARAMETER_CHECKING | IO_FORCE_ACCESS_CHECK | IO_OPEN_TARGET_DIRECTORY),
                  STATUS_SUCCESS);
    assert_int_equal(filter.last.Flags, SL_FORCE_ACCESS_CHECK | SL_OPEN_TARGET_DIRECTORY);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(IoCreateFile(&handle, FILE_READ_DATA, &attributes, &io_status, NULL, 0, 0, FILE_OPEN,
                               FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0, CreateFileTypeNone, NULL, 0),
                  STATUS_INVALID_PARAMETER);
    assert_status(IoCreateFile(&handle, FILE_READ_DATA, &attributes, &io_status, NULL, 0, 0, FILE_OPEN, 0, NULL, 0,
                               CreateFileTypeNamedPipe, NULL, 0),
                  STATUS_INVALID_PARAMETER);
}

static void test_deleting_by_name_opens_to_delete_and_closes(void **state)
{
    UNICODE_STRING path = NT_STRING(u"\\??\\X:\\anything");
    OBJECT_ATTRIBUTES attributes;

    filter.action = COMPLETE;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtDeleteFile(&attributes), STATUS_SUCCESS);
    assert_int_equal(filter.last.Parameters.Create.Options, (ULONG)FILE_OPEN << 24 | FILE_DELETE_ON_CLOSE);
    assert_int_equal(filter.last.Parameters.Create.ShareAccess, 7);
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP], 1);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
    filter.action = FAIL;
    assert_status(NtDeleteFile(&attributes), STATUS_SHARING_VIOLATION);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
    assert_status(NtDeleteFile(NULL), STATUS_INVALID_PARAMETER);
}

/* ---- the end of a file object ---- */

static void test_cleanup_waits_for_the_last_handle_of_any_process(void **state)
{
    PEPROCESS parent = EmuCreateProcess(0), child, before = EmuEnterProcess(parent);
    HANDLE handle, second;

    assert_status(create(FILE_READ_DATA, OBJ_INHERIT, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_status(NtDuplicateObject(NtCurrentProcess(), handle, NtCurrentProcess(), &second, 0, 0, 2), STATUS_SUCCESS);
    child = EmuCreateChildProcess(parent, TRUE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(second), STATUS_SUCCESS);
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP], 0);
    EmuEnterProcess(before);
    EmuDeleteProcess(child);
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP], 1);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
    EmuDeleteProcess(parent);
}

static void test_an_open_whose_handle_is_refused_is_cleaned_up_and_closed(void **state)
{
    HANDLE handle = NULL;

    assert_status(create(FILE_READ_DATA, OBJ_EXCLUSIVE, FILE_OPEN, 0, &handle), STATUS_INVALID_PARAMETER);
    assert_null(handle);
    assert_int_equal(filter.seen[IRP_MJ_CREATE], 1);
    assert_int_equal(filter.seen[IRP_MJ_CLEANUP], 1);
    assert_int_equal(filter.seen[IRP_MJ_CLOSE], 1);
}

/* ---- devices ---- */

static void test_an_exclusive_device_has_one_file_at_a_time(void **state)
{
    UNICODE_STRING name = NT_STRING(u"\\Device\\Alone"), below_it = NT_STRING(u"below");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE first, second;
    PDEVICE_OBJECT alone;

    assert_status(IoCreateDevice(device->DriverObject, 0, &name, FILE_DEVICE_UNKNOWN, 0, TRUE, &alone), STATUS_SUCCESS);
    filter.action = COMPLETE;
    assert_status(lab_open(u"\\Device\\Alone", &first), STATUS_NO_SUCH_DEVICE); /* still being initialized */
    assert_null(IoAttachDeviceToDeviceStack(device, alone));
    alone->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    assert_status(lab_open(u"\\Device\\Alone", &first), STATUS_SUCCESS);
    assert_status(lab_open(u"\\Device\\Alone\\x", &second), STATUS_ACCESS_DENIED);
    InitializeObjectAttributes(&attributes, &below_it, 0, first, NULL);
    assert_status(NtOpenFile(&second, FILE_READ_DATA, &attributes, &io_status, 0, 0), STATUS_SUCCESS);
    assert_status(NtClose(first), STATUS_SUCCESS);
    assert_status(lab_open(u"\\Device\\Alone", &first), STATUS_ACCESS_DENIED);
    assert_status(NtClose(second), STATUS_SUCCESS);
    filter.action = FAIL;
    assert_status(lab_open(u"\\Device\\Alone", &first), STATUS_SHARING_VIOLATION);
    filter.action = COMPLETE;
    assert_status(lab_open(u"\\Device\\Alone", &first), STATUS_SUCCESS);
    assert_status(NtClose(first), STATUS_SUCCESS);
    IoDeleteDevice(alone);
}

static void test_what_somebody_still_references_at_the_end_is_named(void **state)
{
    EMU_MACHINE_AUDIT audit;
    PDRIVER_OBJECT driver;
    struct lab *lab;
    HANDLE handle;
    PVOID file;

    boot((void **)&lab);
    driver = device->DriverObject;
    assert_status(create(FILE_READ_DATA, 0, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_status(ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, KernelMode, &file, NULL), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    IoDetachDevice(below);
    IoDeleteDevice(device);
    IoDeleteDriver(driver);
    EmuPoolFreeSnapshot(&lab->start);
    assert_status(EmuMachineShutdown(&audit), STATUS_MEMORY_NOT_ALLOCATED);
    assert_int_equal(audit.Handles, 0);
    assert_int_equal(audit.Objects, 2); /* the file, and its device for it */
    for (ULONG i = 0; i < 2; i++) {
        assert_int_equal(audit.LeftObjects[i].References, 1);
        if (!strcmp(audit.LeftObjects[i].Type, "File"))
            assert_string_equal(audit.LeftObjects[i].Name, "\\X:\\mem\\lab\\anything");
        else
            assert_string_equal(audit.LeftObjects[i].Type, "Device");
    }
    assert_int_equal(audit.LeftObjects[2].References, 0);
    EmuPoolFreeSnapshot(&audit.Pool);
    smb_backend_free(lab->smb);
}

#define FILTER_TEST(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILTER_TEST(test_an_attached_filter_is_the_top_of_the_stack),
        FILTER_TEST(test_a_completion_routine_sees_every_end),
        FILTER_TEST(test_a_filter_refuses_what_the_redirector_has_opened),
        FILTER_TEST(test_a_filter_answers_by_itself),
        FILTER_TEST(test_a_filter_sends_a_create_to_another_place),
        FILTER_TEST(test_a_held_create_goes_on_below_later),
        FILTER_TEST(test_a_held_create_is_cancelled),
        FILTER_TEST(test_a_create_without_a_cancel_routine_learns_of_the_cancel_only),
        FILTER_TEST(test_a_cancel_after_the_driver_took_its_routine_back_changes_nothing),
        FILTER_TEST(test_a_create_of_a_dying_process_is_cancelled_when_it_arrives),
        FILTER_TEST(test_a_create_carries_all_that_was_asked),
        FILTER_TEST(test_options_become_flags_of_the_file_object),
        FILTER_TEST(test_a_device_is_opened_directly_to_be_asked_only),
        FILTER_TEST(test_a_driver_creates_with_options_of_its_own),
        FILTER_TEST(test_deleting_by_name_opens_to_delete_and_closes),
        FILTER_TEST(test_cleanup_waits_for_the_last_handle_of_any_process),
        FILTER_TEST(test_an_open_whose_handle_is_refused_is_cleaned_up_and_closed),
        FILTER_TEST(test_an_exclusive_device_has_one_file_at_a_time),
        cmocka_unit_test(test_what_somebody_still_references_at_the_end_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
