/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_SET_INFORMATION.
 *
 * Deleting: a file is marked, no create gets it from then on, and the cleanup of the last file object deletes it at the
 * server (documented: MS-FSA 2.1.5.15.3, 2.1.5.5). There it is deleted by name, with nothing of ours open on it:
 * libsmbclient shares no deleting.
 *
 * Times and attributes are set by name, too. A size is set by what is open to write.
 */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

static BOOLEAN make_writable(PIRP irp, PFCB fcb)
{
    struct smb_request query = {.op = SMB_QUERY_PATH, .path = RdrPathOf(fcb)},
                       set = {.op = SMB_SET_BASIC, .path = query.path};

    if (!NT_SUCCESS(RdrPerform(irp, fcb->NetRoot, &query)))
        return FALSE;
    set.in.basic.attributes = query.out.info.attributes & ~(ULONG)FILE_ATTRIBUTE_READONLY;
    if (!set.in.basic.attributes)
        set.in.basic.attributes = FILE_ATTRIBUTE_NORMAL;
    return NT_SUCCESS(RdrPerform(irp, fcb->NetRoot, &set));
}

static void delete_by_name(PIRP irp, PFCB fcb, BOOLEAN directory)
{
    struct smb_request delete = {.op = SMB_DELETE, .path = RdrPathOf(fcb), .in.remove.directory = directory};

    RdrCloseDormantFiles(fcb->NetRoot, NULL);
    RdrPerform(irp, fcb->NetRoot, &delete);
    /* It has become read-only since it was marked, which keeps no file (documented: MS-FSA 2.1.5.5). */
    if (delete.status == STATUS_CANNOT_DELETE && delete.path.Length && make_writable(irp, fcb))
        RdrPerform(irp, fcb->NetRoot, &delete);
    RdrReportDelete(&delete.path, delete.status);
}

/* A create that was at the server when the mark was made may have the file open by now: then it goes with that. */
void RdrDelete(PIRP Irp, PFCB Fcb, BOOLEAN Directory)
{
    BOOLEAN goes;

    (void)RdrBeginCreate(Irp, Fcb); /* nobody cancels a cleanup */
    ExAcquireFastMutex(&Fcb->Mutex);
    goes = !Fcb->OpenFiles && Fcb->DeletePending;
    ExReleaseFastMutex(&Fcb->Mutex);
    if (goes)
        delete_by_name(Irp, Fcb, Directory);
    ExAcquireFastMutex(&Fcb->Mutex);
    if (goes) /* another file may come to have the name now; or, if the server would not, it is there still */
        Fcb->DeletePending = FALSE;
    RdrEndCreate(Fcb);
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
        RdrPerformToTheEnd(Fcb->NetRoot, &close); /* also if the IRP has been cancelled meanwhile */
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
    if (!MmFlushImageSection(&fcb->Sections, MmFlushForDelete)) /* documented: WDK */
        return EMU_DECIDE("Rdr", STATUS_CANNOT_DELETE, "\"%wZ\" is mapped", &query.path);
    status = RdrPerform(irp, fcb->NetRoot, &query);
    if (!NT_SUCCESS(status))
        return status;
    if (query.out.info.attributes & FILE_ATTRIBUTE_READONLY)
        return EMU_DECIDE("Rdr", STATUS_CANNOT_DELETE, "\"%wZ\" is read-only", &query.path);
    return fobx->Directory ? RdrCheckEmpty(irp, fcb) : STATUS_SUCCESS;
}

static NTSTATUS set_disposition(PIRP irp, PFCB fcb, PFOBX fobx)
{
    const FILE_OBJECT *file = IoGetCurrentIrpStackLocation(irp)->FileObject;
    BOOLEAN delete = ((const FILE_DISPOSITION_INFORMATION *)irp->AssociatedIrp.SystemBuffer)->DoDeleteFile;
    NTSTATUS status = delete ? check_deletable(irp, fcb, fobx) : STATUS_SUCCESS;

    if (!NT_SUCCESS(status))
        return status;
    ExAcquireFastMutex(&fcb->Mutex);
    if (RdrIsCleanedUp(file)) /* who has opened the file since would delete it */
        status = EMU_DECIDE("Rdr", STATUS_FILE_CLOSED, "the file's last handle is gone");
    else
        fcb->DeletePending = delete;
    ExReleaseFastMutex(&fcb->Mutex);
    return status;
}

/* ---- times and attributes ---- */

/* 0 leaves a time, -1 and -2 say whether later requests of the handle change it, which no backend can tell a server. */
static NTSTATUS take_time(const LARGE_INTEGER *wanted, LONGLONG *time)
{
    if (wanted->QuadPart < -2)
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "a time before 1601");
    *time = wanted->QuadPart > 0 ? wanted->QuadPart : 0;
    return STATUS_SUCCESS;
}

/* Documented: MS-FSA 2.1.5.15.2. The change time is the server's own. */
static NTSTATUS take_basic(const FILE_BASIC_INFORMATION *wanted, BOOLEAN directory, struct smb_basic *basic)
{
    LONGLONG change_time;
    NTSTATUS status = take_time(&wanted->CreationTime, &basic->creation_time);

    if (NT_SUCCESS(status))
        status = take_time(&wanted->LastAccessTime, &basic->last_access_time);
    if (NT_SUCCESS(status))
        status = take_time(&wanted->LastWriteTime, &basic->last_write_time);
    if (NT_SUCCESS(status))
        status = take_time(&wanted->ChangeTime, &change_time);
    if (!NT_SUCCESS(status))
        return status;
    if (wanted->FileAttributes & (directory ? FILE_ATTRIBUTE_TEMPORARY : FILE_ATTRIBUTE_DIRECTORY))
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "attributes 0x%x are not for this kind of file",
                          wanted->FileAttributes);
    basic->attributes = wanted->FileAttributes;
    return STATUS_SUCCESS;
}

static void note_basic(PFCB fcb, PSRV_OPEN open, const struct smb_basic *basic)
{
    ExAcquireFastMutex(&fcb->Mutex);
    if (basic->attributes)
        fcb->MadeReadOnly = (basic->attributes & FILE_ATTRIBUTE_READONLY) != 0;
    if (basic->last_write_time && open->File)
        open->WriteTime = basic->last_write_time;
    ExReleaseFastMutex(&fcb->Mutex);
}

static NTSTATUS set_basic(PIRP irp, PFCB fcb, PFOBX fobx)
{
    struct smb_request set = {.op = SMB_SET_BASIC, .path = RdrPathOf(fcb), .file = fobx->SrvOpen->File};
    NTSTATUS status = take_basic(irp->AssociatedIrp.SystemBuffer, fobx->Directory, &set.in.basic);

    if (!NT_SUCCESS(status))
        return status;
    status = RdrPerform(irp, fcb->NetRoot, &set);
    if (NT_SUCCESS(status))
        note_basic(fcb, fobx->SrvOpen, &set.in.basic);
    return status;
}

/* ---- size ---- */

/* A section that is longer than the file is to be reaches to its present end at most, so this cuts it off (documented:
 * WDK, MmCanFileBeTruncated). */
static NTSTATUS set_size(PIRP irp, PFCB fcb, PFOBX fobx, LONGLONG size)
{
    struct smb_request set = {.op = SMB_SET_SIZE, .file = fobx->SrvOpen->File};

    if (!MmCanFileBeTruncated(&fcb->Sections, &(LARGE_INTEGER){.QuadPart = size}))
        return EMU_DECIDE("Rdr", STATUS_USER_MAPPED_FILE, "a section reaches beyond %lld bytes", (long long)size);
    set.in.size = (ULONGLONG)size;
    return RdrPerform(irp, fcb->NetRoot, &set);
}

/* Documented: MS-FSA 2.1.5.15.1, 2.1.5.15.4. */
static NTSTATUS check_size(const FOBX *fobx, LONGLONG size)
{
    if (fobx->Directory)
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "a directory has no end to be set");
    if (size < 0)
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "a negative size");
    return STATUS_SUCCESS;
}

static NTSTATUS set_end_of_file(PIRP irp, PFCB fcb, PFOBX fobx)
{
    LONGLONG size = ((const FILE_END_OF_FILE_INFORMATION *)irp->AssociatedIrp.SystemBuffer)->EndOfFile.QuadPart;
    NTSTATUS status = check_size(fobx, size);

    return NT_SUCCESS(status) ? set_size(irp, fcb, fobx, size) : status;
}

/* Less than there is in the file cuts it off (documented: MS-FSA 2.1.5.15.1). More would reserve room, which no backend
 * can ask for: that it succeeds all the same is what a server without allocations of its own says (observed: smbd). */
static NTSTATUS set_allocation(PIRP irp, PFCB fcb, PFOBX fobx)
{
    LONGLONG size = ((const FILE_ALLOCATION_INFORMATION *)irp->AssociatedIrp.SystemBuffer)->AllocationSize.QuadPart;
    struct smb_request query = {0};
    NTSTATUS status = check_size(fobx, size);

    if (!NT_SUCCESS(status))
        return status;
    RdrAskForFile(fcb, fobx, &query);
    status = RdrPerform(irp, fcb->NetRoot, &query);
    if (NT_SUCCESS(status) && query.out.info.end_of_file > (ULONGLONG)size)
        status = set_size(irp, fcb, fobx, size);
    return status;
}

static NTSTATUS set(PIRP irp, PFCB fcb, PFOBX fobx, FILE_INFORMATION_CLASS class)
{
    switch ((int)class) {
    case FileDispositionInformation:
        return set_disposition(irp, fcb, fobx);
    case FileBasicInformation:
        return set_basic(irp, fcb, fobx);
    case FileEndOfFileInformation:
        return set_end_of_file(irp, fcb, fobx);
    case FileAllocationInformation:
        return set_allocation(irp, fcb, fobx);
    case FileLinkInformation:
        return EMU_DECIDE("Rdr", STATUS_NOT_SUPPORTED, "libsmbclient makes no hard links");
    default:
        return EMU_DECIDE("Rdr", STATUS_INVALID_DEVICE_REQUEST, "class %d is not set here", (int)class);
    }
}

/* By the file's name and by what is open of it, neither of which a rename changes meanwhile. */
static NTSTATUS set_between_renames(PIRP irp, PFCB fcb, FILE_INFORMATION_CLASS class)
{
    PFOBX fobx;
    NTSTATUS status = RdrBeginTransfer(irp, fcb);

    if (!NT_SUCCESS(status))
        return status;
    status = RdrDecodeFile(IoGetCurrentIrpStackLocation(irp)->FileObject, &fcb, &fobx);
    if (NT_SUCCESS(status))
        status = set(irp, fcb, fobx, class);
    RdrEndTransfer(fcb);
    return status;
}

NTSTATUS NTAPI RdrFsdSetInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(Irp);
    FILE_INFORMATION_CLASS class = stack->Parameters.SetFile.FileInformationClass;
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (NT_SUCCESS(status))
        status = class == FileRenameInformation ? RdrRename(Irp, fcb, fobx) : set_between_renames(Irp, fcb, class);
    return RdrCompleteIrp(Irp, status, 0);
}
