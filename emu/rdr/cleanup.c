/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_CLEANUP: the last handle of a file object is gone; nothing new is started on it, others may open the file.
 * IRP_MJ_CLOSE: the last reference is gone; what the redirector had for the file object is freed.
 */
#include "rdr.h"

/* FILE_DELETE_ON_CLOSE of a directory: it is to go, unless it is not empty now (documented: MS-FSA 2.1.5.4). */
static BOOLEAN mark_directory(PIRP irp, PFCB fcb)
{
    BOOLEAN delete;

    if (RdrCheckEmpty(irp, fcb) == STATUS_DIRECTORY_NOT_EMPTY)
        return FALSE;
    ExAcquireFastMutex(&fcb->Mutex);
    fcb->DeletePending = TRUE;
    delete = !fcb->OpenFiles; /* others may have left meanwhile */
    ExReleaseFastMutex(&fcb->Mutex);
    return delete;
}

NTSTATUS NTAPI RdrFsdCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PFCB fcb = file->FsContext;
    PFOBX fobx = file->FsContext2;
    BOOLEAN last, on_close, delete;

    if (fcb) {
        on_close = (fobx->Options & FILE_DELETE_ON_CLOSE) != 0;
        ExAcquireFastMutex(&fcb->Mutex);
        RdrLeaveSrvOpen(fcb, fobx->SrvOpen);
        IoRemoveShareAccess(file, &fcb->ShareAccess);
        last = !--fcb->OpenFiles;
        if (on_close && (last || !fobx->Directory)) /* of the last one, the server looks whether it is empty */
            fcb->DeletePending = TRUE;
        delete = last && fcb->DeletePending;
        ExReleaseFastMutex(&fcb->Mutex);
        if (on_close && fobx->Directory && !last)
            delete = mark_directory(Irp, fcb);
        if (delete)
            RdrDelete(Irp, fcb, fobx->Directory);
        RdrEndOpen(fobx->VNetRoot);
    }
    return RdrCompleteIrp(Irp, STATUS_SUCCESS, 0);
}

static void free_fobx(PFCB fcb, PFOBX fobx)
{
    RdrDereferenceSrvOpen(fobx->SrvOpen);
    RdrDereferenceFcb(fcb);
    RdrDereferenceVNetRoot(fobx->VNetRoot);
    RdrFreeListing(fobx->Listing);
    ExFreePoolWithTag(fobx, RDR_TAG_FOBX);
}

NTSTATUS NTAPI RdrFsdClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;

    if (RdrIsTreeConnection(file))
        RdrCloseTreeConnect(file);
    else if (file->FsContext)
        free_fobx(file->FsContext, file->FsContext2);
    file->FsContext = file->FsContext2 = NULL;
    RdrReapConnections();
    return RdrCompleteIrp(Irp, STATUS_SUCCESS, 0);
}
