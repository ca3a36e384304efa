/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FileRenameInformation (MS-FSA 2.1.5.15.11). libsmbclient renames by name and shares no deleting, so the file object's
 * open at the server is closed, the file renamed, and opened again. If it cannot be opened again, the file object has
 * lost it, and says so of everything that is asked of it. Other file objects that have the file open stay as they are;
 * a server that does not rename beside them says so.
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

static void reopen(PIRP irp, PFCB fcb, PFOBX fobx, const UNICODE_STRING *path)
{
    const FILE_OBJECT *file = IoGetCurrentIrpStackLocation(irp)->FileObject;
    struct smb_request create = {.op = SMB_CREATE, .path = *path};

    create.in.create.access = fobx->GrantedAccess;
    create.in.create.share_access = (file->SharedRead ? FILE_SHARE_READ : 0) |
                                    (file->SharedWrite ? FILE_SHARE_WRITE : 0) |
                                    (file->SharedDelete ? FILE_SHARE_DELETE : 0);
    create.in.create.disposition = FILE_OPEN;
    create.in.create.options = fobx->Directory ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE;
    if (NT_SUCCESS(RdrPerform(irp, fcb->NetRoot->Connection, &create))) {
        fobx->SrvOpen->File = create.out.create.file;
    } else {
        EMU_STEP("Rdr", "\"%wZ\" could not be opened again: the file object has lost it", path);
        __atomic_store_n(&fobx->SrvOpen->Closed, TRUE, __ATOMIC_RELAXED);
    }
}

/* The server's part; the file object is open again afterwards, if it can be. */
static NTSTATUS rename_at_server(PIRP irp, PFCB fcb, PFOBX fobx, const UNICODE_STRING *target)
{
    struct smb_connection *connection = fcb->NetRoot->Connection;
    struct smb_request close = {.op = SMB_CLOSE, .file = fobx->SrvOpen->File},
                       rename = {.op = SMB_RENAME, .path = RdrPathOf(fcb)};

    rename.in.rename.target = *target;
    rename.in.rename.replace = IoGetCurrentIrpStackLocation(irp)->Parameters.SetFile.ReplaceIfExists;
    RdrPerform(irp, connection, &close);
    RdrPerform(irp, connection, &rename);
    reopen(irp, fcb, fobx, NT_SUCCESS(rename.status) ? target : &rename.path);
    return rename.status;
}

NTSTATUS RdrRename(PIRP Irp, PFCB Fcb, PFOBX Fobx)
{
    PRDR_PATH target = NULL;
    NTSTATUS status;

    if (!RdrPathOf(Fcb).Length)
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "the root of a share");
    status = make_target(Irp, Fcb, Fobx, &target);
    if (!NT_SUCCESS(status))
        return status;
    if (Fobx->Directory && RdrIsOpenBelow(Fcb))
        status = EMU_DECIDE("Rdr", STATUS_ACCESS_DENIED, "something in the directory is open");
    else if (IoGetCurrentIrpStackLocation(Irp)->Parameters.SetFile.ReplaceIfExists && RdrIsOpenAt(Fcb, &target->Name))
        status = EMU_DECIDE("Rdr", STATUS_ACCESS_DENIED, "\"%wZ\", to be replaced, is open", &target->Name);
    else
        status = rename_at_server(Irp, Fcb, Fobx, &target->Name);
    if (NT_SUCCESS(status))
        RdrSetPath(Fcb, target);
    else
        RdrFreePath(target);
    return status;
}
