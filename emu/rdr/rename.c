/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FileRenameInformation (MS-FSA 2.1.5.15.11). libsmbclient renames by name and shares no deleting, so all that this
 * machine has open of the file is closed at the server, the file renamed, and opened again: by its old name, if the
 * server would not rename it. What cannot be opened again is lost to its file objects, which say so of everything that
 * is asked of them; so a file that would surely be lost is not renamed. Creates of the old name wait for the end of
 * that, and creates of the new one: the rename takes a turn among them (RdrBeginCreate), so that whoever opens the file
 * by its new name meets its share access.
 */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

/* "a\b\c" gives "a\b" and "c"; "c" gives "" and "c". */
static void split_last(UNICODE_STRING name, UNICODE_STRING *parent, UNICODE_STRING *last)
{
    USHORT n = name.Length / sizeof(WCHAR), start = n;

    while (start && name.Buffer[start - 1] != '\\')
        start--;
    *last = (UNICODE_STRING){(USHORT)((n - start) * sizeof(WCHAR)), 0, name.Buffer + start};
    *parent = (UNICODE_STRING){(USHORT)(start ? (start - 1) * sizeof(WCHAR) : 0), 0, name.Buffer};
}

/* The directory that the file is to be in, as a path on the share. */
static NTSTATUS find_parent(PFCB fcb, const FILE_OBJECT *directory, UNICODE_STRING *parent)
{
    UNICODE_STRING last;
    PFCB other;

    if (!directory) {
        split_last(RdrPathOf(fcb), parent, &last);
        return STATUS_SUCCESS;
    }
    other = directory->FsContext;
    if (!other)
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "the new name leads to the redirector itself");
    if (other->NetRoot != fcb->NetRoot)
        return EMU_DECIDE("Rdr", STATUS_NOT_SAME_DEVICE, "the new name is on another share");
    *parent = RdrPathOf(other);
    return STATUS_SUCCESS;
}

static NTSTATUS make_target(PIRP irp, PFCB fcb, PFOBX fobx, PRDR_PATH *target)
{
    const FILE_RENAME_INFORMATION *information = irp->AssociatedIrp.SystemBuffer;
    const FILE_OBJECT *directory = IoGetCurrentIrpStackLocation(irp)->Parameters.SetFile.FileObject;
    UNICODE_STRING name = {(USHORT)information->FileNameLength, 0, (PWSTR)information->FileName}, parent, last, above;
    NTSTATUS status;
    PRDR_PATH path;

    if (fobx->Directory && name.Buffer[name.Length / sizeof(WCHAR) - 1] == '\\')
        name.Length -= sizeof(WCHAR);
    split_last(name, &above, &last);
    if (above.Length && !directory)
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "\"%wZ\" is no name in the file's own directory", &name);
    status = RdrCheckComponent(&last);
    if (NT_SUCCESS(status))
        status = find_parent(fcb, directory, &parent);
    if (!NT_SUCCESS(status))
        return status;
    if ((ULONG)parent.Length + sizeof(WCHAR) + last.Length > 0xfffc)
        return EMU_DECIDE("Rdr", STATUS_NAME_TOO_LONG, "\"%wZ\" in \"%wZ\"", &last, &parent);
    path = RdrAllocatePath((ULONG)(parent.Length + sizeof(WCHAR) + last.Length));
    if (!path)
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for the new name");
    if (parent.Length) {
        RtlAppendUnicodeStringToString(&path->Name, &parent);
        RtlAppendUnicodeStringToString(&path->Name, &(const UNICODE_STRING){sizeof(WCHAR), 0, (PWSTR)u"\\"});
    }
    RtlAppendUnicodeStringToString(&path->Name, &last);
    *target = path;
    return STATUS_SUCCESS;
}

/* Who may write a file that has become read-only since could not have it opened again, and would lose it for a name. */
static NTSTATUS check_reopening(PIRP irp, PFCB fcb)
{
    struct smb_request query = {.op = SMB_QUERY_PATH, .path = RdrPathOf(fcb)};
    NTSTATUS status = STATUS_SUCCESS;

    if (!RdrIsOpenToWrite(fcb))
        return status;
    status = RdrPerform(irp, fcb->NetRoot, &query);
    if (NT_SUCCESS(status) && (query.out.info.attributes & FILE_ATTRIBUTE_READONLY))
        status = EMU_DECIDE("Rdr", STATUS_ACCESS_DENIED,
                            "\"%wZ\" is open to be written, and could not be opened so again: it is read-only now",
                            &query.path);
    return status;
}

/* ---- both names ---- */

static void end_create(PFCB fcb)
{
    ExAcquireFastMutex(&fcb->Mutex);
    RdrEndCreate(fcb);
    ExReleaseFastMutex(&fcb->Mutex);
}

/* NULL target: the file's own name, in other case. Who renames one file to another's name and who does the opposite
 * take their turns in one order. */
static NTSTATUS begin_turns(PIRP irp, PFCB fcb, PFCB target)
{
    NTSTATUS status;

    if (!target)
        return RdrBeginRename(irp, fcb);
    if (fcb < target) {
        status = RdrBeginRename(irp, fcb);
        if (!NT_SUCCESS(status))
            return status;
        status = RdrBeginCreate(irp, target);
        if (!NT_SUCCESS(status))
            RdrEndRename(fcb);
        return status;
    }
    status = RdrBeginCreate(irp, target);
    if (!NT_SUCCESS(status))
        return status;
    status = RdrBeginRename(irp, fcb);
    if (!NT_SUCCESS(status))
        end_create(target);
    return status;
}

static void end_turns(PFCB fcb, PFCB target)
{
    RdrEndRename(fcb);
    if (target)
        end_create(target);
}

/* Somebody has it open or mapped, or is about to delete it by its name, so it exists (documented: MS-FSA 2.1.5.15.11,
 * for what is said of it). */
static NTSTATUS check_target(PFCB target, BOOLEAN replace)
{
    BOOLEAN open;

    ExAcquireFastMutex(&target->Mutex);
    open = target->OpenFiles || target->DeletePending || !MmFlushImageSection(&target->Sections, MmFlushForDelete);
    ExReleaseFastMutex(&target->Mutex);
    if (!open)
        return STATUS_SUCCESS;
    return replace ? EMU_DECIDE("Rdr", STATUS_ACCESS_DENIED, "what has the new name, and is to be replaced, is open")
                   : EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_COLLISION, "what has the new name is open: it exists");
}

/* ---- at the server ---- */

/* What was open is open again afterwards, if it can be, and the FCB owns the path. It comes to its end also for a
 * program that is killed meanwhile: others have the file open. */
static NTSTATUS rename_at_server(PIRP irp, PFCB fcb, PRDR_PATH path, PFCB target)
{
    struct smb_request rename = {.op = SMB_RENAME, .path = RdrPathOf(fcb)};
    PSRV_OPEN away = RdrCloseSrvOpens(fcb);

    rename.in.rename.target = path->Name;
    rename.in.rename.replace = IoGetCurrentIrpStackLocation(irp)->Parameters.SetFile.ReplaceIfExists;
    RdrPerformToTheEnd(fcb->NetRoot, &rename);
    RdrReopenSrvOpens(fcb, away, NT_SUCCESS(rename.status) ? &path->Name : &rename.path);
    if (NT_SUCCESS(rename.status))
        RdrSetPath(fcb, path, target);
    return rename.status;
}

/* It is the caller's turn on both; while it waited, the file may have been closed. */
static NTSTATUS rename_to(PIRP irp, PFCB fcb, PFOBX fobx, PRDR_PATH path, PFCB target)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (!NT_SUCCESS(status))
        return status;
    RdrCloseDormantFiles(fcb->NetRoot, NULL);
    if (fobx->Directory && RdrIsOpenBelow(fcb, target))
        status = EMU_DECIDE("Rdr", STATUS_ACCESS_DENIED, "something in the directory is open");
    if (NT_SUCCESS(status) && target)
        status = check_target(target, stack->Parameters.SetFile.ReplaceIfExists);
    if (NT_SUCCESS(status))
        status = check_reopening(irp, fcb);
    return NT_SUCCESS(status) ? rename_at_server(irp, fcb, path, target) : status;
}

/* Takes the path in any case. */
static NTSTATUS rename_in_turn(PIRP irp, PFCB fcb, PFOBX fobx, PRDR_PATH path)
{
    PFCB target = RdrReferenceFcb(fcb->NetRoot, &path->Name);
    NTSTATUS status;

    if (!target) {
        RdrFreePath(path);
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for an FCB");
    }
    status = begin_turns(irp, fcb, target == fcb ? NULL : target);
    if (NT_SUCCESS(status)) {
        status = rename_to(irp, fcb, fobx, path, target == fcb ? NULL : target);
        end_turns(fcb, target == fcb ? NULL : target);
    }
    if (!NT_SUCCESS(status))
        RdrFreePath(path);
    RdrDereferenceFcb(target);
    return status;
}

NTSTATUS RdrRename(PIRP Irp, PFCB Fcb, PFOBX Fobx)
{
    PRDR_PATH path = NULL;
    NTSTATUS status;

    if (!RdrPathOf(Fcb).Length)
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "the root of a share");
    status = make_target(Irp, Fcb, Fobx, &path);
    return NT_SUCCESS(status) ? rename_in_turn(Irp, Fcb, Fobx, path) : status;
}
