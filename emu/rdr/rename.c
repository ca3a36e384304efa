/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FileRenameInformation (MS-FSA 2.1.5.15.11). libsmbclient renames by name and shares no deleting, so all that this
 * machine has open of the file is closed at the server, the file renamed, and opened again: by its old name, if the
 * server would not rename it. What cannot be opened again is lost to its file objects, which say so of everything that
 * is asked of them; so a file that would surely be lost is not renamed. Creates of the old name wait for the end of
 * that. A create of the new one that comes in between is the server's to answer; it may be why the file is not renamed.
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

/* The server's part; what was open is open again afterwards, if it can be, and the FCB owns the target. It comes to its
 * end also for a program that is killed meanwhile: others have the file open. */
static NTSTATUS rename_at_server(PIRP irp, PFCB fcb, PRDR_PATH target)
{
    struct smb_request rename = {.op = SMB_RENAME};
    PSRV_OPEN away;
    NTSTATUS status = RdrBeginRename(irp, fcb);

    if (!NT_SUCCESS(status))
        return status;
    rename.path = RdrPathOf(fcb);
    away = RdrCloseSrvOpens(fcb);
    rename.in.rename.target = target->Name;
    rename.in.rename.replace = IoGetCurrentIrpStackLocation(irp)->Parameters.SetFile.ReplaceIfExists;
    RdrPerformToTheEnd(fcb->NetRoot, &rename);
    RdrReopenSrvOpens(fcb, away, NT_SUCCESS(rename.status) ? &target->Name : &rename.path);
    if (NT_SUCCESS(rename.status))
        RdrSetPath(fcb, target);
    RdrEndRename(fcb);
    return rename.status;
}

NTSTATUS RdrRename(PIRP Irp, PFCB Fcb, PFOBX Fobx)
{
    PRDR_PATH target = NULL;
    NTSTATUS status;

    if (!RdrPathOf(Fcb).Length)
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "the root of a share");
    status = make_target(Irp, Fcb, Fobx, &target);
    RdrCloseDormantFiles(Fcb->NetRoot, NULL);
    if (!NT_SUCCESS(status))
        return status;
    if (Fobx->Directory && RdrIsOpenBelow(Fcb))
        status = EMU_DECIDE("Rdr", STATUS_ACCESS_DENIED, "something in the directory is open");
    else if (IoGetCurrentIrpStackLocation(Irp)->Parameters.SetFile.ReplaceIfExists && RdrIsOpenAt(Fcb, &target->Name))
        status = EMU_DECIDE("Rdr", STATUS_ACCESS_DENIED, "\"%wZ\", to be replaced, is open", &target->Name);
    else
        status = check_reopening(Irp, Fcb);
    if (NT_SUCCESS(status))
        status = rename_at_server(Irp, Fcb, target);
    if (!NT_SUCCESS(status))
        RdrFreePath(target);
    return status;
}
