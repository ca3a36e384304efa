/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_CLEANUP: the last handle of a file object is gone; nothing new is started on it, others may open the file.
 * IRP_MJ_CLOSE: the last reference is gone; what the redirector had for the file object is freed.
 */
#include "rdr.h"

NTSTATUS NTAPI RdrFsdCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PFCB fcb = file->FsContext;
    PFOBX fobx = file->FsContext2;
    BOOLEAN pending, last;

    if (fcb) {
        ExAcquireFastMutex(&fcb->Mutex);
        IoRemoveShareAccess(file, &fcb->ShareAccess);
        if (fobx->Options & FILE_DELETE_ON_CLOSE)
            fcb->DeletePending = TRUE;
        pending = fcb->DeletePending;
        last = !--fcb->OpenFiles;
        ExReleaseFastMutex(&fcb->Mutex);
        if (pending)
            RdrCloseForDelete(Irp, fcb, fobx, last);
        RdrEndOpen(fobx->VNetRoot);
    }
    return RdrCompleteIrp(Irp, STATUS_SUCCESS, 0);
}

static void close_answered(struct smb_request *request)
{
    ExFreePoolWithTag(CONTAINING_RECORD(request, SRV_OPEN, Close), RDR_TAG_SRV_OPEN);
}

/* Nobody waits for the server's answer: requests of a connection are served in order, so whoever opens the file next
 * comes behind this close. */
static void send_close(PFCB fcb, PSRV_OPEN open)
{
    open->Close.op = SMB_CLOSE;
    open->Close.file = open->File;
    open->Close.complete = close_answered;
    smb_submit(fcb->NetRoot->Connection, &open->Close);
}

void RdrFreeFobx(PFCB Fcb, PFOBX Fobx)
{
    if (Fobx->SrvOpen->Closed)
        ExFreePoolWithTag(Fobx->SrvOpen, RDR_TAG_SRV_OPEN);
    else
        send_close(Fcb, Fobx->SrvOpen);
    RdrDereferenceVNetRoot(Fobx->VNetRoot);
    RdrFreeListing(Fobx->Listing);
    ExFreePoolWithTag(Fobx, RDR_TAG_FOBX);
    RdrDereferenceFcb(Fcb);
}

NTSTATUS NTAPI RdrFsdClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;

    if (RdrIsTreeConnection(file))
        RdrCloseTreeConnect(file);
    else if (file->FsContext)
        RdrFreeFobx(file->FsContext, file->FsContext2);
    file->FsContext = file->FsContext2 = NULL;
    RdrReapConnections();
    return RdrCompleteIrp(Irp, STATUS_SUCCESS, 0);
}
