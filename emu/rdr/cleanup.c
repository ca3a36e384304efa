/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_CLEANUP: the last handle of a file object is gone; nothing new is started on it, others may open the file.
 * IRP_MJ_CLOSE: the last reference is gone; what the redirector had for the file object is freed.
 */
#include "rdr.h"

/*
 * FILE_DELETE_ON_CLOSE. A directory that others have open is looked into first: one that is not empty stays
 * (documented: MS-FSA 2.1.5.5). For the last one the server looks. The file object counts until it has marked: one
 * deletes, once. FCB.Mutex is held, but not while the server is asked.
 */
static void mark_deleted(PIRP irp, PFCB fcb, const FOBX *fobx)
{
    BOOLEAN mark = TRUE;

    if (fobx->Directory && fcb->OpenFiles > 1) {
        ExReleaseFastMutex(&fcb->Mutex);
        mark = RdrCheckEmpty(irp, fcb) != STATUS_DIRECTORY_NOT_EMPTY;
        ExAcquireFastMutex(&fcb->Mutex);
    }
    if (mark)
        fcb->DeletePending = TRUE;
}

NTSTATUS NTAPI RdrFsdCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PFCB fcb = file->FsContext;
    PFOBX fobx = file->FsContext2;
    BOOLEAN delete, may_stay, stays, closed;

    if (fcb) {
        /* A request that has the file object still must not lock or mark what nobody would unlock or delete. */
        __atomic_fetch_or(&file->Flags, FO_CLEANUP_COMPLETE, __ATOMIC_SEQ_CST);
        EmuFileLockCleanup(&fcb->FileLock, file, NULL);
        RdrEndWatch(fobx);
        may_stay = RdrMakeRoomForDormant(fcb, fobx->SrvOpen);
        ExAcquireFastMutex(&fcb->Mutex);
        stays = may_stay && RdrLeaveDormant(fcb, fobx->SrvOpen);
        if (!stays)
            RdrLeaveSrvOpen(fcb, fobx->SrvOpen);
        closed = !stays && !fobx->SrvOpen->Users;
        IoRemoveShareAccess(file, &fcb->ShareAccess);
        if (fobx->Options & FILE_DELETE_ON_CLOSE)
            mark_deleted(Irp, fcb, fobx);
        delete = !--fcb->OpenFiles && fcb->DeletePending;
        ExReleaseFastMutex(&fcb->Mutex);
        if (may_stay && !stays)
            RdrDereferenceFcb(fcb);
        if (delete)
            RdrDelete(Irp, fcb, fobx->Directory);
        else if (closed)
            RdrKeepWriteTime(Irp, fcb, fobx->SrvOpen);
        RdrEndFile(fobx->VNetRoot, fobx->GrantedAccess);
    }
    return RdrCompleteIrp(Irp, STATUS_SUCCESS, 0);
}

static void free_fobx(PFCB fcb, PFOBX fobx)
{
    RdrDereferenceSrvOpen(fobx->SrvOpen);
    RdrDereferenceFcb(fcb);
    RdrDereferenceVNetRoot(fobx->VNetRoot);
    RdrFreeListing(fobx->Listing);
    RdrFreeWatch(fobx);
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
