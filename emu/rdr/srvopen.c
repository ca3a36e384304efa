/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SRV_OPENs, and which creates share one.
 *
 * A create is collapsed onto an open that the server already knows, if to the server and to its other clients nothing
 * would be different: the same data access and share access, the same options that change what a write means, and no
 * more of the rights that exclude nobody. (Observed: ReactOS's rdbss asks for the same access and share access;
 * documented: MRxShouldTryToCollapseThisOpen leaves the rest to the mini-redirector.) The open must be as good as a new
 * one: not if the server was found lost since. A directory is not shared: its place in the listing is the open's.
 */
#include "rdr.h"

#include <ntemu/clock.h>
#include <ntemu/trace.h>
#include <string.h>

#define WRITES    (FILE_WRITE_DATA | FILE_APPEND_DATA)
#define EXCLUDING (RDR_DATA | DELETE) /* what share access is about */
#define BINDING                                                                                                        \
    (FILE_WRITE_THROUGH | FILE_NO_INTERMEDIATE_BUFFERING | FILE_OPEN_REPARSE_POINT | FILE_OPEN_FOR_BACKUP_INTENT)

PSRV_OPEN RdrAllocateSrvOpen(void)
{
    PSRV_OPEN open = ExAllocatePoolWithTag(NonPagedPool, sizeof *open, RDR_TAG_SRV_OPEN);

    if (!open)
        return NULL;
    memset(open, 0, sizeof *open);
    open->References = 1;
    open->Users = 1;
    return open;
}

void RdrDereferenceSrvOpen(PSRV_OPEN SrvOpen)
{
    if (!__atomic_sub_fetch(&SrvOpen->References, 1, __ATOMIC_ACQ_REL))
        ExFreePoolWithTag(SrvOpen, RDR_TAG_SRV_OPEN);
}

static BOOLEAN serves(const SRV_OPEN *open, const NET_ROOT *root, ACCESS_MASK access, ULONG share_access, ULONG options)
{
    return !open->Directory && !open->Away && !open->Lost &&
           open->Losses == __atomic_load_n(&root->Losses, __ATOMIC_RELAXED) &&
           (open->Access & EXCLUDING) == (access & EXCLUDING) && !(access & ~open->Access) &&
           open->ShareAccess == share_access && (open->Options & BINDING) == (options & BINDING);
}

PSRV_OPEN RdrShareSrvOpen(PFCB Fcb, ACCESS_MASK Access, ULONG ShareAccess, ULONG Options, BOOLEAN *WasDormant)
{
    *WasDormant = FALSE;
    if (!(Access & RDR_DATA) || (Fcb->MadeReadOnly && (Access & WRITES)))
        return NULL;
    for (PLIST_ENTRY e = Fcb->SrvOpens.Flink; e != &Fcb->SrvOpens; e = e->Flink) {
        PSRV_OPEN open = CONTAINING_RECORD(e, SRV_OPEN, Links);
        if (!serves(open, Fcb->NetRoot, Access, ShareAccess, Options))
            continue;
        if (open->Users)
            __atomic_add_fetch(&open->References, 1, __ATOMIC_RELAXED);
        else if (!(*WasDormant = RdrWakeDormant(open)))
            continue;
        open->Users++;
        return open;
    }
    return NULL;
}

/* ---- closing ---- */

static void close_answered(struct smb_request *request)
{
    RdrReportClose(request->status);
    RdrDereferenceSrvOpen(CONTAINING_RECORD(request, SRV_OPEN, Close));
    EmuClockRelease();
}

/* Nobody waits for the server's answer: requests of a connection are served in order, so whoever opens the file next
 * comes behind this close. */
static void send_close(PFCB fcb, PSRV_OPEN open)
{
    __atomic_add_fetch(&open->References, 1, __ATOMIC_RELAXED);
    open->Close.op = SMB_CLOSE;
    open->Close.file = open->File;
    open->Close.complete = close_answered;
    EmuClockHold();
    smb_submit(fcb->NetRoot->Connection, &open->Close);
}

/*
 * Who wants no data holds nothing open at the server: with libsmbclient nobody could rename or delete the file beside
 * it. What the create had to find out or to do, it has by then.
 */
void RdrEnterSrvOpen(PFCB Fcb, PSRV_OPEN SrvOpen, smb_file File)
{
    InsertTailList(&Fcb->SrvOpens, &SrvOpen->Links);
    SrvOpen->File = File;
    if (!(SrvOpen->Access & RDR_DATA)) {
        send_close(Fcb, SrvOpen);
        SrvOpen->File = 0;
    }
}

void RdrAskForFile(PFCB Fcb, PFOBX Fobx, struct smb_request *Request)
{
    Request->file = Fobx->SrvOpen->File;
    Request->path = RdrPathOf(Fcb);
    Request->op = Request->file ? SMB_QUERY_FILE : SMB_QUERY_PATH;
}

void RdrLeaveSrvOpen(PFCB Fcb, PSRV_OPEN SrvOpen)
{
    if (!--SrvOpen->Users)
        RdrCloseSrvOpen(Fcb, SrvOpen);
}

void RdrCloseSrvOpen(PFCB Fcb, PSRV_OPEN SrvOpen)
{
    RemoveEntryList(&SrvOpen->Links);
    if (SrvOpen->File && !SrvOpen->Away && !SrvOpen->Lost)
        send_close(Fcb, SrvOpen);
}

/*
 * A time that is set through a handle is not changed any more by what that writes, before or after (observed: fastfat,
 * CCB_FLAG_USER_SET_LAST_WRITE). To a server ours was set by another open, so closing this one, if something was
 * written, gives the file the time of that (observed: smbd, update_write_time_on_close).
 */
void RdrKeepWriteTime(PIRP Irp, PFCB Fcb, const SRV_OPEN *SrvOpen)
{
    struct smb_request set = {.op = SMB_SET_BASIC};

    if (!SrvOpen->WriteTime || SrvOpen->Losses != __atomic_load_n(&Fcb->NetRoot->Losses, __ATOMIC_RELAXED))
        return;
    (void)RdrBeginTransfer(Irp, Fcb); /* nobody cancels a cleanup */
    set.path = RdrPathOf(Fcb);
    set.in.basic.last_write_time = SrvOpen->WriteTime;
    RdrPerform(Irp, Fcb->NetRoot, &set);
    RdrEndTransfer(Fcb);
}

BOOLEAN RdrIsOpenToWrite(PFCB Fcb)
{
    BOOLEAN found = FALSE;

    ExAcquireFastMutex(&Fcb->Mutex);
    for (PLIST_ENTRY e = Fcb->SrvOpens.Flink; e != &Fcb->SrvOpens && !found; e = e->Flink) {
        const SRV_OPEN *open = CONTAINING_RECORD(e, SRV_OPEN, Links);
        found = open->Users && open->File && !open->Directory && !open->Lost && (open->Access & WRITES);
    }
    ExReleaseFastMutex(&Fcb->Mutex);
    return found;
}

/* ---- a rename ---- */

PSRV_OPEN RdrCloseSrvOpens(PFCB Fcb)
{
    PSRV_OPEN first = NULL;

    ExAcquireFastMutex(&Fcb->Mutex);
    for (PLIST_ENTRY e = Fcb->SrvOpens.Flink; e != &Fcb->SrvOpens; e = e->Flink) {
        PSRV_OPEN open = CONTAINING_RECORD(e, SRV_OPEN, Links);
        if (!open->Users || !open->File || open->Lost) /* dormant: who woke it closes it */
            continue;
        open->Away = TRUE;
        __atomic_add_fetch(&open->References, 1, __ATOMIC_RELAXED);
        open->Next = first;
        first = open;
    }
    ExReleaseFastMutex(&Fcb->Mutex);
    for (PSRV_OPEN open = first; open; open = open->Next) {
        struct smb_request close = {.op = SMB_CLOSE, .file = open->File};
        RdrPerformToTheEnd(Fcb->NetRoot, &close);
    }
    return first;
}

static void reopen(PFCB fcb, PSRV_OPEN open, const UNICODE_STRING *path)
{
    const LONG losses = __atomic_load_n(&fcb->NetRoot->Losses, __ATOMIC_RELAXED);
    struct smb_request create = {.op = SMB_CREATE, .path = *path};
    BOOLEAN opened;

    create.in.create.access = open->Access;
    create.in.create.share_access = open->ShareAccess;
    create.in.create.disposition = FILE_OPEN;
    create.in.create.options = open->Directory ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE;
    opened = NT_SUCCESS(RdrPerformToTheEnd(fcb->NetRoot, &create));
    if (!opened)
        EMU_STEP("Rdr", "\"%wZ\" could not be opened again: its file objects have lost it", path);
    ExAcquireFastMutex(&fcb->Mutex);
    open->Away = FALSE;
    open->File = create.out.create.file;
    open->Losses = losses;
    open->Reopened++;
    __atomic_store_n(&open->Lost, !opened, __ATOMIC_RELAXED);
    if (opened && !open->Users)
        send_close(fcb, open); /* its last user left meanwhile */
    ExReleaseFastMutex(&fcb->Mutex);
}

void RdrReopenSrvOpens(PFCB Fcb, PSRV_OPEN First, const UNICODE_STRING *Path)
{
    PSRV_OPEN next;

    for (PSRV_OPEN open = First; open; open = next) {
        next = open->Next;
        reopen(Fcb, open, Path);
        RdrDereferenceSrvOpen(open);
    }
}
