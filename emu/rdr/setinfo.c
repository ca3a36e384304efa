/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_SET_INFORMATION: deleting. A file is marked, no create gets it from then on, and the cleanup of the last file
 * object deletes it at the server (documented: MS-FSA 2.1.5.15.3, 2.1.5.5). There it is deleted by name, with nothing
 * of ours open on it: libsmbclient shares no deleting.
 */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

void RdrDelete(PIRP Irp, PFCB Fcb, BOOLEAN Directory)
{
    struct smb_request delete = {.op = SMB_DELETE, .path = RdrPathOf(Fcb), .in.remove.directory = Directory};

    RdrCloseDormantFiles(Fcb->NetRoot, NULL);
    RdrPerform(Irp, Fcb->NetRoot, &delete);
    /* Another file may come to have the name now; or, if the server would not, it is there still. */
    ExAcquireFastMutex(&Fcb->Mutex);
    Fcb->DeletePending = FALSE;
    ExReleaseFastMutex(&Fcb->Mutex);
}

#define LISTING_SIZE 1024 /* room for the longest entry */

/* Asked by an open of its own: that for deleting need not be one for listing. */
NTSTATUS RdrCheckEmpty(PIRP Irp, PFCB Fcb)
{
    struct smb_request create = {.op = SMB_CREATE, .path = RdrPathOf(Fcb)}, list = {.op = SMB_QUERY_DIRECTORY},
                       close = {.op = SMB_CLOSE};
    NTSTATUS status;

    list.in.io.buffer = ExAllocatePoolWithTag(NonPagedPool, LISTING_SIZE, RDR_TAG_LISTING);
    if (!list.in.io.buffer)
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for a listing");
    create.in.create.access = FILE_LIST_DIRECTORY;
    create.in.create.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    create.in.create.disposition = FILE_OPEN;
    create.in.create.options = FILE_DIRECTORY_FILE;
    status = RdrPerform(Irp, Fcb->NetRoot, &create);
    if (NT_SUCCESS(status)) {
        list.file = close.file = create.out.create.file;
        list.in.io.length = LISTING_SIZE;
        list.in.io.restart = TRUE;
        status = RdrPerform(Irp, Fcb->NetRoot, &list);
        if (status == STATUS_NO_MORE_FILES)
            status = STATUS_SUCCESS;
        else if (NT_SUCCESS(status))
            status = EMU_DECIDE("Rdr", STATUS_DIRECTORY_NOT_EMPTY, "there is something in \"%wZ\"", &create.path);
        RdrPerform(Irp, Fcb->NetRoot, &close);
    } else if (status == STATUS_SHARING_VIOLATION) {
        status = STATUS_SUCCESS; /* who has it open lets nobody list it: the server finds out when it is deleted */
    }
    ExFreePoolWithTag(list.in.io.buffer, RDR_TAG_LISTING);
    return status;
}

static NTSTATUS check_deletable(PIRP irp, PFCB fcb, PFOBX fobx)
{
    struct smb_request query = {0};
    NTSTATUS status;

    RdrAskForFile(fcb, fobx, &query);
    if (!query.path.Length)
        return EMU_DECIDE("Rdr", STATUS_CANNOT_DELETE, "the root of a share");
    status = RdrPerform(irp, fcb->NetRoot, &query);
    if (!NT_SUCCESS(status))
        return status;
    if (query.out.info.attributes & FILE_ATTRIBUTE_READONLY)
        return EMU_DECIDE("Rdr", STATUS_CANNOT_DELETE, "\"%wZ\" is read-only", &query.path);
    return fobx->Directory ? RdrCheckEmpty(irp, fcb) : STATUS_SUCCESS;
}

static NTSTATUS set_disposition(PIRP irp, PFCB fcb, PFOBX fobx)
{
    BOOLEAN delete = ((const FILE_DISPOSITION_INFORMATION *)irp->AssociatedIrp.SystemBuffer)->DoDeleteFile;
    NTSTATUS status = delete ? check_deletable(irp, fcb, fobx) : STATUS_SUCCESS;

    if (!NT_SUCCESS(status))
        return status;
    ExAcquireFastMutex(&fcb->Mutex);
    fcb->DeletePending = delete;
    ExReleaseFastMutex(&fcb->Mutex);
    return status;
}

NTSTATUS NTAPI RdrFsdSetInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(Irp);
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (!NT_SUCCESS(status))
        return RdrCompleteIrp(Irp, status, 0);
    switch ((int)stack->Parameters.SetFile.FileInformationClass) {
    case FileDispositionInformation:
        status = set_disposition(Irp, fcb, fobx);
        break;
    case FileRenameInformation:
        status = RdrRename(Irp, fcb, fobx);
        break;
    default:
        status = EMU_DECIDE("Rdr", STATUS_INVALID_DEVICE_REQUEST, "class %d is not set here",
                            (int)stack->Parameters.SetFile.FileInformationClass);
    }
    return RdrCompleteIrp(Irp, status, 0);
}
