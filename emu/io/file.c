/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File objects: how an open becomes one (IRP_MJ_CREATE), and how it ends (IRP_MJ_CLEANUP with the last handle,
 * IRP_MJ_CLOSE with the last reference). An open that fails never gets either: what the driver took for it, the driver
 * gave back before it completed the create. Q235425 is a driver that did not.
 */
#include "iop.h"

#include <string.h>

/* A file's name is its device's and its own. */
static PVOID name_base(PVOID object, UNICODE_STRING *tail)
{
    PFILE_OBJECT file = object;

    *tail = file->FileName;
    return file->DeviceObject;
}

OBJECT_TYPE IopFileType = {
    .Name = "File",
    .PoolType = NonPagedPool,
    .Tag = IOP_TAG_FILE,
    .GenericMapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS},
    .Parse = IopParseFile,
    .Close = IopCloseFile,
    .Delete = IopDeleteFile,
    .Base = name_base,
};

static POBJECT_TYPE file_type = &IopFileType;
POBJECT_TYPE *IoFileObjectType = &file_type;

NTSTATUS IopCreateFileObject(PDEVICE_OBJECT Device, const UNICODE_STRING *Name, PFILE_OBJECT Related,
                             PFILE_OBJECT *FileObject)
{
    PFILE_OBJECT file;
    PVOID object;
    NTSTATUS status = ObpCreateObject(&IopFileType, sizeof *file, &object);

    if (!NT_SUCCESS(status))
        return status;
    file = object;
    file->Type = IO_TYPE_FILE;
    file->Size = sizeof *file;
    file->RelatedFileObject = Related;
    KeInitializeEvent(&file->Lock, SynchronizationEvent, TRUE);
    KeInitializeEvent(&file->Event, NotificationEvent, FALSE);
    InitializeListHead(&file->IrpList);
    if (Name->Length) {
        /* NT adds room for a terminator that it does not write (observed: ReactOS IopParseDevice). */
        file->FileName.Buffer = ExAllocatePoolWithTag(PagedPool, Name->Length + sizeof(WCHAR), IOP_TAG_NAME);
        if (!file->FileName.Buffer) {
            ObDereferenceObject(file);
            return EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no pool for the file object's name");
        }
        memcpy(file->FileName.Buffer, Name->Buffer, Name->Length);
        file->FileName.Length = Name->Length;
        file->FileName.MaximumLength = (USHORT)(Name->Length + sizeof(WCHAR));
    }
    /* Only now: with a device, deleting the object would send IRP_MJ_CLOSE. */
    ObReferenceObject(Device);
    file->DeviceObject = Device;
    *FileObject = file;
    return STATUS_SUCCESS;
}

/*
 * The driver has put another name, from the root of the namespace, into the file object: the object manager looks that
 * one up, and this file object ends like one that was refused (documented: WDK, IRP_MJ_CREATE and STATUS_REPARSE).
 * There are no volumes to mount again and no reparse points here: IO_REPARSE only.
 */
static NTSTATUS take_reparse(PFILE_OBJECT file, const OPEN_PACKET *packet, OBP_PARSE *parse)
{
    if (packet->IoStatus.Information != IO_REPARSE)
        return EMU_DECIDE("Io", STATUS_IO_REPARSE_TAG_NOT_HANDLED, "STATUS_REPARSE with information %lu",
                          (unsigned long)packet->IoStatus.Information);
    parse->Reparse = file->FileName;
    RtlZeroMemory(&file->FileName, sizeof file->FileName);
    return STATUS_REPARSE;
}

static void fill_create(PIRP irp, PFILE_OBJECT file, const OBP_PARSE *parse, const OPEN_PACKET *packet,
                        PIO_SECURITY_CONTEXT security)
{
    PIO_STACK_LOCATION stack = IoGetNextIrpStackLocation(irp);

    irp->Flags = IRP_CREATE_OPERATION | IRP_SYNCHRONOUS_API | IRP_DEFER_IO_COMPLETION;
    irp->AssociatedIrp.SystemBuffer = packet->EaBuffer;
    irp->Overlay.AllocationSize = packet->AllocationSize;
    irp->Tail.Overlay.OriginalFileObject = file;
    stack->MajorFunction = IRP_MJ_CREATE;
    stack->Flags = (UCHAR)(packet->StackFlags | (parse->Attributes & OBJ_CASE_INSENSITIVE ? 0 : SL_CASE_SENSITIVE));
    stack->FileObject = file;
    stack->Parameters.Create.SecurityContext = security;
    stack->Parameters.Create.Options = packet->Disposition << 24 | (packet->Options & 0x00ffffff);
    stack->Parameters.Create.FileAttributes = (USHORT)packet->FileAttributes;
    stack->Parameters.Create.ShareAccess = (USHORT)packet->ShareAccess;
    stack->Parameters.Create.EaLength = packet->EaLength;
}

/* What the options say of the file object for all its life (documented: WDK, FILE_OBJECT). */
static ULONG flags_of(const OBP_PARSE *parse, const OPEN_PACKET *packet)
{
    static const struct {
        ULONG option, flag;
    } rows[] = {
        {FILE_SYNCHRONOUS_IO_ALERT, FO_SYNCHRONOUS_IO | FO_ALERTABLE_IO},
        {FILE_SYNCHRONOUS_IO_NONALERT, FO_SYNCHRONOUS_IO},
        {FILE_NO_INTERMEDIATE_BUFFERING, FO_NO_INTERMEDIATE_BUFFERING},
        {FILE_WRITE_THROUGH, FO_WRITE_THROUGH},
        {FILE_SEQUENTIAL_ONLY, FO_SEQUENTIAL_ONLY},
        {FILE_RANDOM_ACCESS, FO_RANDOM_ACCESS},
        {FILE_DELETE_ON_CLOSE, FO_DELETE_ON_CLOSE},
    };
    ULONG flags = parse->Attributes & OBJ_CASE_INSENSITIVE ? 0 : FO_OPENED_CASE_SENSITIVE;

    for (ULONG i = 0; i < sizeof rows / sizeof *rows; i++)
        if (packet->Options & rows[i].option)
            flags |= rows[i].flag;
    return flags;
}

#define DIRECT_ACCESS                                                                                                  \
    (SYNCHRONIZE | FILE_READ_ATTRIBUTES | READ_CONTROL | ACCESS_SYSTEM_SECURITY | WRITE_OWNER | WRITE_DAC)

/* The device itself, to be asked and not to be read or written (observed: ReactOS IopParseDevice). */
static BOOLEAN is_direct(const UNICODE_STRING *name, const FILE_OBJECT *related, const OBP_PARSE *parse)
{
    return !name->Length && !related && !(parse->DesiredAccess & ~(ACCESS_MASK)DIRECT_ACCESS);
}

/*
 * Whether the device may be opened: an exclusive one only by name while nothing is open on it, or relative to what is
 * (observed: ReactOS). Files are counted for exclusive devices only, which are few: every create would have to touch
 * the count.
 */
static NTSTATUS claim_device(PDEVICE_OBJECT device, const FILE_OBJECT *related)
{
    LONG none = 0;

    if (device->Flags & DO_DEVICE_INITIALIZING)
        return EMU_DECIDE("Io", STATUS_NO_SUCH_DEVICE, "the device is still being initialized");
    if (!(device->Flags & DO_EXCLUSIVE))
        return STATUS_SUCCESS;
    if (related)
        __atomic_fetch_add(&device->ReferenceCount, 1, __ATOMIC_ACQ_REL);
    else if (!__atomic_compare_exchange_n(&device->ReferenceCount, &none, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return EMU_DECIDE("Io", STATUS_ACCESS_DENIED, "the device is exclusive, and somebody has it open");
    return STATUS_SUCCESS;
}

static void release_device(PDEVICE_OBJECT device)
{
    if (device->Flags & DO_EXCLUSIVE)
        __atomic_fetch_sub(&device->ReferenceCount, 1, __ATOMIC_ACQ_REL);
}

/* An open that the driver refused: nothing is sent to the driver any more. */
static void abandon(PFILE_OBJECT file)
{
    PDEVICE_OBJECT device = file->DeviceObject;

    release_device(device);
    file->DeviceObject = NULL;
    file->RelatedFileObject = NULL;
    ObDereferenceObject(file);
    ObDereferenceObject(device);
}

/*
 * What a handle gets: what was asked for. What MAXIMUM_ALLOWED comes to, a driver that checks access says in the access
 * state (documented: WDK, ACCESS_STATE); where none does, everything is allowed.
 */
static ACCESS_MASK granted_access(const ACCESS_STATE *access)
{
    ACCESS_MASK granted = access->RemainingDesiredAccess | access->PreviouslyGrantedAccess;

    if (granted & MAXIMUM_ALLOWED)
        granted |= IopFileType.GenericMapping.GenericAll;
    return granted & ~(ACCESS_MASK)MAXIMUM_ALLOWED;
}

static NTSTATUS open_on(PDEVICE_OBJECT device, const UNICODE_STRING *name, PFILE_OBJECT related, OBP_PARSE *parse,
                        PVOID *ret_file)
{
    OPEN_PACKET *packet = parse->Packet;
    ACCESS_STATE access = {parse->DesiredAccess, 0, parse->DesiredAccess};
    IO_SECURITY_CONTEXT security = {NULL, &access, parse->DesiredAccess, packet->Options};
    PDEVICE_OBJECT top = IopTopOfStack(device);
    PFILE_OBJECT file;
    PIRP irp;
    NTSTATUS status = claim_device(device, related);

    if (!NT_SUCCESS(status))
        return status;
    status = IopCreateFileObject(device, name, related, &file);
    if (!NT_SUCCESS(status)) {
        release_device(device);
        return status;
    }
    file->Flags = flags_of(parse, packet) | (is_direct(name, related, parse) ? FO_DIRECT_DEVICE_OPEN : 0);
    irp = IoAllocateIrp(top->StackSize, FALSE);
    if (!irp) {
        abandon(file);
        return EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no pool for the IRP");
    }
    fill_create(irp, file, parse, packet, &security);
    status = IopCallAndWait(top, irp, &packet->IoStatus, TRUE);
    IoFreeIrp(irp);
    if (status == STATUS_REPARSE)
        status = take_reparse(file, packet, parse);
    if (!NT_SUCCESS(status) || status == STATUS_REPARSE) {
        abandon(file);
        return status;
    }
    packet->GrantedAccess = granted_access(&access);
    file->RelatedFileObject = NULL; /* valid during the create only (documented: WDK, FILE_OBJECT) */
    *ret_file = file;
    return status;
}

NTSTATUS IopParseDevice(PVOID Object, const UNICODE_STRING *RemainingName, OBP_PARSE *Parse, PVOID *FileObject)
{
    if (!Parse->Packet || (Parse->WantedType && Parse->WantedType != &IopFileType))
        return EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH, "the object is a Device");
    return open_on(Object, RemainingName, NULL, Parse, FileObject);
}

NTSTATUS IopParseFile(PVOID Object, const UNICODE_STRING *RemainingName, OBP_PARSE *Parse, PVOID *FileObject)
{
    PFILE_OBJECT related = Object;

    if (!Parse->Packet || (Parse->WantedType && Parse->WantedType != &IopFileType))
        return EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH, "the object is a File");
    return open_on(related->DeviceObject, RemainingName, related, Parse, FileObject);
}

/* ---- the end ---- */

PIRP IopBuildRequest(PFILE_OBJECT FileObject, UCHAR MajorFunction, PIO_STACK_LOCATION *Stack)
{
    PIRP irp = IoAllocateIrp(IopTopOfStack(FileObject->DeviceObject)->StackSize, FALSE);

    if (!irp)
        return NULL;
    irp->Flags = IRP_SYNCHRONOUS_API; /* every service here waits */
    irp->Tail.Overlay.OriginalFileObject = FileObject;
    *Stack = IoGetNextIrpStackLocation(irp);
    (*Stack)->MajorFunction = MajorFunction;
    (*Stack)->FileObject = FileObject;
    return irp;
}

/* Cleanup and close cannot fail for want of memory: their IRPs come from the must-succeed pool, as on NT. */
static void tell_driver(PFILE_OBJECT file, UCHAR major)
{
    PDEVICE_OBJECT top = IopTopOfStack(file->DeviceObject);
    PIRP irp = IopAllocateIrpMustSucceed(top->StackSize);
    PIO_STACK_LOCATION stack = IoGetNextIrpStackLocation(irp);
    IO_STATUS_BLOCK io_status;

    irp->Flags = IRP_SYNCHRONOUS_API | (major == IRP_MJ_CLOSE ? IRP_CLOSE_OPERATION : 0);
    irp->Tail.Overlay.OriginalFileObject = file;
    stack->MajorFunction = major;
    stack->FileObject = file;
    IopCallAndWait(top, irp, &io_status, FALSE);
    IoFreeIrp(irp);
}

void IopCloseFile(PVOID Object, LONG HandlesLeft)
{
    PFILE_OBJECT file = Object;

    if (HandlesLeft || !file->DeviceObject)
        return;
    tell_driver(file, IRP_MJ_CLEANUP);
    IopChangeFileFlags(file, 0, FO_CLEANUP_COMPLETE);
}

void IopDeleteFile(PVOID Object)
{
    PFILE_OBJECT file = Object;

    if (file->DeviceObject) {
        /* An open that succeeded but never got its handle still owes the driver a cleanup. */
        if (!(IopFileFlags(file) & FO_CLEANUP_COMPLETE))
            tell_driver(file, IRP_MJ_CLEANUP);
        tell_driver(file, IRP_MJ_CLOSE);
        release_device(file->DeviceObject);
        ObDereferenceObject(file->DeviceObject);
    }
    if (file->FileName.Buffer)
        ExFreePool(file->FileName.Buffer); /* a driver may have put its own there, with a tag of its own */
}

void IopChangeFileFlags(PFILE_OBJECT FileObject, ULONG Clear, ULONG Set)
{
    ULONG flags = IopFileFlags(FileObject);

    while (!__atomic_compare_exchange_n(&FileObject->Flags, &flags, (flags & ~Clear) | Set, TRUE, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        ;
}

BOOLEAN IopLockFileObject(PFILE_OBJECT FileObject, BOOLEAN Always)
{
    if (!Always && !(IopFileFlags(FileObject) & FO_SYNCHRONOUS_IO))
        return FALSE;
    KeWaitForSingleObject(&FileObject->Lock, Executive, KernelMode, FALSE, NULL);
    return TRUE;
}

void IopUnlockFileObject(PFILE_OBJECT FileObject, BOOLEAN Locked)
{
    if (Locked)
        KeSetEvent(&FileObject->Lock, IO_NO_INCREMENT, FALSE);
}
