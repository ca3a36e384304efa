/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File objects: how an open becomes one (IRP_MJ_CREATE), and how it ends (IRP_MJ_CLEANUP with the last handle,
 * IRP_MJ_CLOSE with the last reference). An open that fails never gets either: what the driver took for it, the driver
 * gave back before it completed the create. Q235425 is a driver that did not.
 */
#include "iop.h"

#include <ntemu/trace.h>
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
            return EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no paged pool for the file object's name");
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

/* An open that the driver refused: nothing is sent to the driver any more. */
static void abandon(PFILE_OBJECT file)
{
    PDEVICE_OBJECT device = file->DeviceObject;

    file->DeviceObject = NULL;
    file->RelatedFileObject = NULL;
    ObDereferenceObject(file);
    ObDereferenceObject(device);
}

/*
 * The driver has put another name, from the root of the namespace, into the file object: the object manager looks that
 * one up, and this file object ends like one that was refused (documented: WDK, IRP_MJ_CREATE and STATUS_REPARSE).
 * There are no volumes to mount again and no reparse points here: IO_REPARSE only.
 */
static NTSTATUS take_reparse(PFILE_OBJECT file, const OPEN_PACKET *packet, OBP_PARSE *parse)
{
    if (packet->IoStatus.Information != IO_REPARSE)
        return EMU_DECIDE("Io", STATUS_IO_REPARSE_TAG_NOT_HANDLED, "the driver reparses with tag %08x",
                          (ULONG)packet->IoStatus.Information);
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
    stack->Flags = parse->Attributes & OBJ_CASE_INSENSITIVE ? 0 : SL_CASE_SENSITIVE;
    stack->FileObject = file;
    stack->Parameters.Create.SecurityContext = security;
    stack->Parameters.Create.Options = packet->Disposition << 24 | (packet->Options & 0x00ffffff);
    stack->Parameters.Create.FileAttributes = (USHORT)packet->FileAttributes;
    stack->Parameters.Create.ShareAccess = (USHORT)packet->ShareAccess;
    stack->Parameters.Create.EaLength = packet->EaLength;
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
    NTSTATUS status = IopCreateFileObject(device, name, related, &file);

    if (!NT_SUCCESS(status))
        return status;
    if (packet->Options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT))
        file->Flags |= FO_SYNCHRONOUS_IO | (packet->Options & FILE_SYNCHRONOUS_IO_ALERT ? FO_ALERTABLE_IO : 0);
    irp = IoAllocateIrp(top->StackSize, FALSE);
    if (!irp) {
        abandon(file);
        return EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for the IRP");
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
    file->RelatedFileObject = NULL; /* valid during the create only (documented: WDK, FILE_OBJECT) */
    *ret_file = file;
    return status;
}

NTSTATUS IopParseDevice(PVOID Object, const UNICODE_STRING *RemainingName, OBP_PARSE *Parse, PVOID *FileObject)
{
    if (!Parse->Packet || (Parse->WantedType && Parse->WantedType != &IopFileType))
        return EMU_DECIDE("Io", STATUS_OBJECT_TYPE_MISMATCH, "only a file can be opened here");
    return open_on(Object, RemainingName, NULL, Parse, FileObject);
}

NTSTATUS IopParseFile(PVOID Object, const UNICODE_STRING *RemainingName, OBP_PARSE *Parse, PVOID *FileObject)
{
    PFILE_OBJECT related = Object;

    if (!Parse->Packet || (Parse->WantedType && Parse->WantedType != &IopFileType))
        return EMU_DECIDE("Io", STATUS_OBJECT_TYPE_MISMATCH, "only a file can be opened here");
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
    file->Flags |= FO_CLEANUP_COMPLETE;
}

void IopDeleteFile(PVOID Object)
{
    PFILE_OBJECT file = Object;

    if (file->DeviceObject) {
        /* An open that succeeded but never got its handle still owes the driver a cleanup. */
        if (!(file->Flags & FO_CLEANUP_COMPLETE))
            tell_driver(file, IRP_MJ_CLEANUP);
        tell_driver(file, IRP_MJ_CLOSE);
        ObDereferenceObject(file->DeviceObject);
    }
    if (file->FileName.Buffer)
        ExFreePool(file->FileName.Buffer); /* a driver may have put its own there, with a tag of its own */
}

BOOLEAN IopLockFileObject(PFILE_OBJECT FileObject, BOOLEAN Always)
{
    if (!Always && !(FileObject->Flags & FO_SYNCHRONOUS_IO))
        return FALSE;
    KeWaitForSingleObject(&FileObject->Lock, Executive, KernelMode, FALSE, NULL);
    return TRUE;
}

void IopUnlockFileObject(PFILE_OBJECT FileObject, BOOLEAN Locked)
{
    if (Locked)
        KeSetEvent(&FileObject->Lock, IO_NO_INCREMENT, FALSE);
}
