/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a rename or a link leads. A driver cannot follow symbolic links of the object manager: the I/O manager opens
 * the directory and hands it over with the request (documented: WDK, IRP_MJ_SET_INFORMATION). NT opens it by the new
 * name itself, with SL_OPEN_TARGET_DIRECTORY; here the last component is cut off first, and left to the driver in the
 * information.
 */
#include "iop.h"

#include <ntemu/trace.h>

_Static_assert(offsetof(FILE_RENAME_INFORMATION, FileName) == offsetof(FILE_LINK_INFORMATION, FileName) &&
                   offsetof(FILE_RENAME_INFORMATION, RootDirectory) == offsetof(FILE_LINK_INFORMATION, RootDirectory),
               "one layout (documented: MS-FSCC)");

/* Documented: MS-FSA 2.1.5.15.11. */
static NTSTATUS find_name(const FILE_RENAME_INFORMATION *information, ULONG length, UNICODE_STRING *name)
{
    const ULONG fixed = offsetof(FILE_RENAME_INFORMATION, FileName);

    if (length < fixed)
        return EMU_DECIDE("Io", STATUS_INFO_LENGTH_MISMATCH, "no room for a name");
    if (!information->FileNameLength || information->FileNameLength % sizeof(WCHAR) ||
        information->FileNameLength > length - fixed || information->FileNameLength > 0xfffe)
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "the new name does not lie in the buffer");
    name->Buffer = (PWSTR)information->FileName;
    name->Length = name->MaximumLength = (USHORT)information->FileNameLength;
    return STATUS_SUCCESS;
}

/* All before the last component, with the backslash behind it: a directory's name. */
static void cut_last(UNICODE_STRING *name)
{
    USHORT n = name->Length / sizeof(WCHAR);

    if (n > 1 && name->Buffer[n - 1] == '\\')
        n--;
    while (n && name->Buffer[n - 1] != '\\')
        n--;
    name->Length = (USHORT)(n * sizeof(WCHAR));
}

static NTSTATUS open_directory(UNICODE_STRING *name, HANDLE root, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, root, NULL);
    status = NtOpenFile(handle, FILE_ADD_FILE | SYNCHRONIZE, &attributes, &io_status,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        FILE_DIRECTORY_FILE | FILE_OPEN_FOR_BACKUP_INTENT | FILE_SYNCHRONOUS_IO_NONALERT);
    /* Of the new name it is a part of the path that is missing. */
    if (status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_NOT_A_DIRECTORY)
        return EMU_DECIDE("Io", STATUS_OBJECT_PATH_NOT_FOUND, "%wZ, where the new name leads, is no directory", name);
    return status;
}

NTSTATUS IopOpenTarget(PFILE_OBJECT FileObject, const void *Information, ULONG Length, IOP_TARGET *Target)
{
    const FILE_RENAME_INFORMATION *information = Information;
    UNICODE_STRING name;
    PVOID directory;
    NTSTATUS status = find_name(information, Length, &name);

    *Target = (IOP_TARGET){0};
    if (!NT_SUCCESS(status) || (!information->RootDirectory && name.Buffer[0] != '\\'))
        return status;
    cut_last(&name);
    status = open_directory(&name, information->RootDirectory, &Target->Handle);
    if (!NT_SUCCESS(status))
        return status;
    status = ObReferenceObjectByHandle(Target->Handle, 0, &IopFileType, KernelMode, &directory, NULL);
    if (NT_SUCCESS(status)) {
        Target->Directory = directory;
        if (IoGetRelatedDeviceObject(directory) == IoGetRelatedDeviceObject(FileObject))
            return STATUS_SUCCESS;
        status = EMU_DECIDE("Io", STATUS_NOT_SAME_DEVICE, "%wZ is on another device", &name);
    }
    IopCloseTarget(Target);
    return status;
}

void IopCloseTarget(IOP_TARGET *Target)
{
    if (Target->Directory)
        ObDereferenceObject(Target->Directory);
    if (Target->Handle)
        NtClose(Target->Handle);
    *Target = (IOP_TARGET){0};
}
