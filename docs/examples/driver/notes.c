/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notes.h"

#include <ntemu/trace.h>
#include <string.h>

#define MAX_NAME 64 /* bytes */

/* FsContext of an open file. Paged pool. */
typedef struct _NOTE {
    USHORT Length;
    WCHAR Name[MAX_NAME / sizeof(WCHAR)];
} NOTE, *PNOTE;

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI NotesCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PNOTE Note = ExAllocatePoolWithTag(PagedPool, sizeof(NOTE), NOTES_TAG);

    if (!Note)
        return Complete(Irp, STATUS_INSUFFICIENT_RESOURCES);
    if (File->FileName.Length > MAX_NAME) {
        /* A create that fails gets no cleanup and no close: what was taken for it goes back here. Without this line
         * the tests say "kept 1: 66 bytes paged Note notes.c:26", and what came before. */
        ExFreePoolWithTag(Note, NOTES_TAG);
        return Complete(Irp, EMU_DECIDE("Nts", STATUS_OBJECT_NAME_INVALID, "a name of %u bytes, %d are the most",
                                        File->FileName.Length, MAX_NAME));
    }
    Note->Length = File->FileName.Length;
    memcpy(Note->Name, File->FileName.Buffer, Note->Length);
    File->FsContext = Note;
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS NTAPI NotesCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS NTAPI NotesClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    ExFreePoolWithTag(IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext, NOTES_TAG);
    return Complete(Irp, STATUS_SUCCESS);
}

static void NTAPI NotesUnload(PDRIVER_OBJECT DriverObject)
{
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS NTAPI NotesDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    static UNICODE_STRING Name = NT_STRING(u"\\Device\\Notes");
    PDEVICE_OBJECT Device;

    DriverObject->MajorFunction[IRP_MJ_CREATE] = NotesCreate;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = NotesCleanup;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = NotesClose;
    DriverObject->DriverUnload = NotesUnload;
    return IoCreateDevice(DriverObject, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
}
