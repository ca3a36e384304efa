/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IRP_MJ_QUERY_VOLUME_INFORMATION, IRP_MJ_SET_VOLUME_INFORMATION. Structures: MS-FSCC 2.5. */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

static const UNICODE_STRING file_system_name = NT_STRING(u"NTFS"); /* what smbd says of itself (observed) */

static NTSTATUS with_name(ULONG fixed, PVOID name_at, ULONG length, const UNICODE_STRING *name, ULONG_PTR *used)
{
    ULONG room = length - fixed, n = name->Length < room ? name->Length : room & ~1u;

    memcpy(name_at, name->Buffer, n);
    *used = fixed + n;
    return n < name->Length ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static ULONG least_length(FS_INFORMATION_CLASS class)
{
    switch (class) {
    case FileFsVolumeInformation:
        return offsetof(FILE_FS_VOLUME_INFORMATION, VolumeLabel);
    case FileFsSizeInformation:
        return sizeof(FILE_FS_SIZE_INFORMATION);
    case FileFsFullSizeInformation:
        return sizeof(FILE_FS_FULL_SIZE_INFORMATION);
    case FileFsDeviceInformation:
        return sizeof(FILE_FS_DEVICE_INFORMATION);
    case FileFsAttributeInformation:
        return offsetof(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName);
    default:
        return 0;
    }
}

static NTSTATUS fill(FS_INFORMATION_CLASS class, PVOID buffer, ULONG length, const FCB *fcb,
                     const struct smb_volume *volume, ULONG_PTR *used)
{
    *used = least_length(class);
    switch (class) {
    case FileFsVolumeInformation: {
        FILE_FS_VOLUME_INFORMATION *v = buffer;
        const UNICODE_STRING *label = &fcb->NetRoot->Name;
        v->VolumeSerialNumber = volume->serial;
        v->VolumeLabelLength = label->Length;
        v->SupportsObjects = FALSE;
        return with_name((ULONG)*used, v->VolumeLabel, length, label, used);
    }
    case FileFsSizeInformation: {
        FILE_FS_SIZE_INFORMATION *s = buffer;
        s->TotalAllocationUnits.QuadPart = (LONGLONG)volume->total_units;
        s->AvailableAllocationUnits.QuadPart = (LONGLONG)volume->free_units;
        s->SectorsPerAllocationUnit = volume->sectors_per_unit;
        s->BytesPerSector = volume->bytes_per_sector;
        return STATUS_SUCCESS;
    }
    case FileFsFullSizeInformation: {
        FILE_FS_FULL_SIZE_INFORMATION *s = buffer;
        s->TotalAllocationUnits.QuadPart = (LONGLONG)volume->total_units;
        s->CallerAvailableAllocationUnits.QuadPart = (LONGLONG)volume->free_units;
        s->ActualAvailableAllocationUnits.QuadPart = (LONGLONG)volume->free_units;
        s->SectorsPerAllocationUnit = volume->sectors_per_unit;
        s->BytesPerSector = volume->bytes_per_sector;
        return STATUS_SUCCESS;
    }
    default: {
        FILE_FS_ATTRIBUTE_INFORMATION *a = buffer;
        a->FileSystemAttributes = FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK;
        a->MaximumComponentNameLength = (LONG)volume->max_component;
        a->FileSystemNameLength = file_system_name.Length;
        return with_name((ULONG)*used, a->FileSystemName, length, &file_system_name, used);
    }
    }
}

static void finish_query(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    NTSTATUS status = exchange->Request.status;
    ULONG_PTR used = 0;

    if (NT_SUCCESS(status))
        status = fill(stack->Parameters.QueryVolume.FsInformationClass, irp->AssociatedIrp.SystemBuffer,
                      stack->Parameters.QueryVolume.Length, stack->FileObject->FsContext, &exchange->Request.out.volume,
                      &used);
    RdrFreeExchange(exchange);
    RdrCompleteIrp(irp, status, used);
}

NTSTATUS NTAPI RdrFsdQueryVolumeInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    FS_INFORMATION_CLASS class = stack->Parameters.QueryVolume.FsInformationClass;
    PRDR_EXCHANGE exchange;
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (!NT_SUCCESS(status))
        return RdrCompleteIrp(Irp, status, 0);
    if (!least_length(class))
        return RdrCompleteIrp(Irp, STATUS_INVALID_PARAMETER, 0);
    if (stack->Parameters.QueryVolume.Length < least_length(class))
        return RdrCompleteIrp(Irp, STATUS_INFO_LENGTH_MISMATCH, 0);
    if (class == FileFsDeviceInformation) {
        FILE_FS_DEVICE_INFORMATION *device = Irp->AssociatedIrp.SystemBuffer;
        device->DeviceType = FILE_DEVICE_NETWORK_FILE_SYSTEM;
        device->Characteristics = FILE_REMOTE_DEVICE;
        return RdrCompleteIrp(Irp, STATUS_SUCCESS, sizeof *device);
    }
    exchange = RdrAllocateExchange(Irp, fcb->NetRoot, SMB_QUERY_VOLUME, finish_query);
    if (!exchange)
        return RdrCompleteIrp(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    return RdrStartExchange(exchange);
}

/* A share's label is its name, and is not changed by who uses it. Our guess which status. */
NTSTATUS NTAPI RdrFsdSetVolumeInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(Irp);
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (NT_SUCCESS(status))
        status = EMU_DECIDE("Rdr", STATUS_NOT_SUPPORTED, "class %d of a share's volume is not set",
                            (int)stack->Parameters.SetVolume.FsInformationClass);
    return RdrCompleteIrp(Irp, status, 0);
}
