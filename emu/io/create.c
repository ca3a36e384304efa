/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NtCreateFile, NtOpenFile and the services that open, ask and close: parameters are checked before anything is looked
 * up. Which combination is refused with what: WDK reference of ZwCreateFile and IoCreateFile; MS-FSA 2.1.5.1.
 */
#include "iop.h"

#include <ntemu/trace.h>
#include <string.h>

#define VALID_OPTIONS    0x00ffffffu
#define VALID_ATTRIBUTES 0x00007fb7u
#define VALID_SHARES     (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define SYNCHRONOUS      (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)
/* What may go with FILE_DIRECTORY_FILE. */
#define DIRECTORY_OPTIONS                                                                                              \
    (FILE_DIRECTORY_FILE | SYNCHRONOUS | FILE_WRITE_THROUGH | FILE_COMPLETE_IF_OPLOCKED | FILE_DELETE_ON_CLOSE |       \
     FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_BY_FILE_ID | FILE_OPEN_REPARSE_POINT | FILE_CREATE_TREE_CONNECTION |      \
     FILE_NO_EA_KNOWLEDGE | FILE_OPEN_FOR_FREE_SPACE_QUERY)

static NTSTATUS bad_parameter(const char *why, ULONG value)
{
    return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "%s (0x%x)", why, value);
}

static NTSTATUS check_directory_parameters(const OPEN_PACKET *p)
{
    if (p->Options & ~(ULONG)DIRECTORY_OPTIONS)
        return bad_parameter("options that do not go with FILE_DIRECTORY_FILE", p->Options & ~(ULONG)DIRECTORY_OPTIONS);
    if (p->Disposition != FILE_OPEN && p->Disposition != FILE_CREATE && p->Disposition != FILE_OPEN_IF)
        return bad_parameter("a disposition that does not go with FILE_DIRECTORY_FILE", p->Disposition);
    return STATUS_SUCCESS;
}

static NTSTATUS check_options(ACCESS_MASK access, const OPEN_PACKET *p)
{
    ULONG sync = p->Options & SYNCHRONOUS;

    if (p->Options & ~VALID_OPTIONS)
        return bad_parameter("options that there are not", p->Options & ~VALID_OPTIONS);
    /* The flags themselves: a generic right that contains them does not count (documented: WDK, ZwCreateFile). */
    if (sync == SYNCHRONOUS)
        return bad_parameter("both kinds of synchronous I/O", sync);
    if (sync && !(access & SYNCHRONIZE))
        return bad_parameter("synchronous I/O without SYNCHRONIZE", access);
    if ((p->Options & FILE_DELETE_ON_CLOSE) && !(access & DELETE))
        return bad_parameter("FILE_DELETE_ON_CLOSE without DELETE", access);
    if ((p->Options & FILE_COMPLETE_IF_OPLOCKED) && (p->Options & FILE_RESERVE_OPFILTER))
        return bad_parameter("FILE_COMPLETE_IF_OPLOCKED with FILE_RESERVE_OPFILTER", p->Options);
    if ((p->Options & FILE_NO_INTERMEDIATE_BUFFERING) && (access & FILE_APPEND_DATA) && !(access & FILE_WRITE_DATA))
        return bad_parameter("FILE_NO_INTERMEDIATE_BUFFERING to append only", access);
    return p->Options & FILE_DIRECTORY_FILE ? check_directory_parameters(p) : STATUS_SUCCESS;
}

static NTSTATUS check_create_parameters(ACCESS_MASK access, const OPEN_PACKET *p)
{
    if (p->Disposition > FILE_MAXIMUM_DISPOSITION)
        return bad_parameter("a disposition that there is not", p->Disposition);
    if (p->ShareAccess & ~(ULONG)VALID_SHARES)
        return bad_parameter("share access that there is not", p->ShareAccess);
    if (p->FileAttributes & ~VALID_ATTRIBUTES)
        return bad_parameter("attributes that there are not", p->FileAttributes);
    if (p->AllocationSize.QuadPart < 0)
        return bad_parameter("a negative allocation size", (ULONG)p->AllocationSize.u.HighPart);
    return check_options(access, p);
}

NTSTATUS NTAPI IoCheckEaBufferValidity(PFILE_FULL_EA_INFORMATION EaBuffer, ULONG EaLength, PULONG ErrorOffset)
{
    const ULONG fixed = (ULONG)offsetof(FILE_FULL_EA_INFORMATION, EaName);
    const UCHAR *p = (const UCHAR *)EaBuffer;
    ULONG length = EaLength;

    for (;;) {
        const FILE_FULL_EA_INFORMATION *ea = (const void *)p;
        ULONG need = fixed;
        if (length < fixed || length - fixed < (ULONG)ea->EaNameLength + 1 + ea->EaValueLength ||
            ea->EaName[ea->EaNameLength])
            break;
        if (!ea->NextEntryOffset)
            return STATUS_SUCCESS;
        need += (ULONG)ea->EaNameLength + 1 + ea->EaValueLength;
        if (ea->NextEntryOffset % 4 || ea->NextEntryOffset < need || ea->NextEntryOffset > length)
            break;
        p += ea->NextEntryOffset;
        length -= ea->NextEntryOffset;
    }
    *ErrorOffset = EaLength - length;
    return EMU_DECIDE("Io", STATUS_EA_LIST_INCONSISTENT, "the extended attribute at offset %u", *ErrorOffset);
}

static void free_ea(OPEN_PACKET *packet)
{
    if (!packet->EaBuffer)
        return;
    explicit_bzero(packet->EaBuffer, packet->EaLength); /* a tree connection's password may stand in it */
    ExFreePoolWithTag(packet->EaBuffer, IOP_TAG_BUFFER);
    packet->EaBuffer = NULL;
}

/* The driver reads a checked copy that no caller can change any more. */
static NTSTATUS capture_ea(OPEN_PACKET *packet, const void *buffer, ULONG length, PIO_STATUS_BLOCK io_status)
{
    ULONG offset = 0;
    NTSTATUS status;

    if (!buffer || !length)
        return STATUS_SUCCESS;
    packet->EaBuffer = ExAllocatePoolWithTag(NonPagedPool, length, IOP_TAG_BUFFER);
    if (!packet->EaBuffer)
        return EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no pool for %u bytes of extended attributes", length);
    memcpy(packet->EaBuffer, buffer, length);
    packet->EaLength = length;
    status = IoCheckEaBufferValidity(packet->EaBuffer, length, &offset);
    if (!NT_SUCCESS(status)) {
        io_status->Status = status;
        io_status->Information = offset; /* documented: WDK, ZwCreateFile */
        free_ea(packet);
    }
    return status;
}

NTSTATUS IopOpenFileObject(const OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access, OPEN_PACKET *Packet,
                           PFILE_OBJECT *FileObject)
{
    OBP_PARSE parse = {
        .Attributes = Attributes->Attributes, .DesiredAccess = Access, .WantedType = &IopFileType, .Packet = Packet};
    PVOID object;
    NTSTATUS status = ObpLookupName(Attributes, &parse, &object);

    if (NT_SUCCESS(status))
        *FileObject = object;
    return status;
}

/* A create that fails leaves the caller's status block as it was. */
static NTSTATUS open_handle(const OBJECT_ATTRIBUTES *attributes, ACCESS_MASK access, OPEN_PACKET *packet,
                            PIO_STATUS_BLOCK io_status, HANDLE *handle)
{
    PFILE_OBJECT file;
    NTSTATUS status = IopOpenFileObject(attributes, access, packet, &file);

    if (!NT_SUCCESS(status))
        return status;
    status = ObpCreateHandle(file, packet->GrantedAccess, attributes->Attributes, handle);
    if (NT_SUCCESS(status)) {
        IopChangeFileFlags(file, 0, FO_HANDLE_CREATED);
        *io_status = packet->IoStatus;
        status = io_status->Status;
    }
    ObDereferenceObject(file); /* without a handle: the driver's cleanup and close */
    return status;
}

NTSTATUS NTAPI IoCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                            ULONG ShareAccess, ULONG Disposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength,
                            CREATE_FILE_TYPE CreateFileType, PVOID ExtraCreateParameters, ULONG Options)
{
    OPEN_PACKET packet = {.Disposition = Disposition,
                          .Options = CreateOptions,
                          .FileAttributes = FileAttributes,
                          .ShareAccess = ShareAccess};
    /* What the maximum is, the file's driver decides. */
    ACCESS_MASK access =
        ObpMapAccess(&IopFileType, DesiredAccess & ~(ACCESS_MASK)MAXIMUM_ALLOWED) | (DesiredAccess & MAXIMUM_ALLOWED);
    NTSTATUS status = STATUS_SUCCESS;
    HANDLE handle;

    if (EMU_TRACING())
        IopTraceCreate(IOP_SERVICE("NtCreateFile"), ObjectAttributes, DesiredAccess, &packet);
    if (!FileHandle || !IoStatusBlock)
        return EMU_DECIDE("Io", STATUS_ACCESS_VIOLATION, "nowhere to put the handle or the I/O status");
    if (!ObjectAttributes || ObjectAttributes->Length != sizeof *ObjectAttributes)
        return bad_parameter("no object attributes, or of another length",
                             ObjectAttributes ? ObjectAttributes->Length : 0);
    if (CreateFileType != CreateFileTypeNone)
        return bad_parameter("a named pipe or a mailslot", (ULONG)CreateFileType);
    if (AllocationSize)
        packet.AllocationSize = *AllocationSize;
    if (!(Options & IO_NO_PARAMETER_CHECKING))
        status = check_create_parameters(DesiredAccess, &packet);
    if (!NT_SUCCESS(status))
        return status;
    if (!access)
        return EMU_DECIDE("Io", STATUS_ACCESS_DENIED, "no access is asked for"); /* documented: MS-FSA 2.1.5.1 */
    packet.StackFlags = (UCHAR)((Options & IO_FORCE_ACCESS_CHECK ? SL_FORCE_ACCESS_CHECK : 0) |
                                (Options & IO_OPEN_TARGET_DIRECTORY ? SL_OPEN_TARGET_DIRECTORY : 0));
    status = capture_ea(&packet, EaBuffer, EaLength, IoStatusBlock);
    if (!NT_SUCCESS(status))
        return status;
    status = open_handle(ObjectAttributes, access, &packet, IoStatusBlock, &handle);
    if (NT_SUCCESS(status))
        *FileHandle = handle;
    free_ea(&packet);
    return status;
}

NTSTATUS NTAPI NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                            ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer,
                            ULONG EaLength)
{
    return IoCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                        ShareAccess, CreateDisposition, CreateOptions, EaBuffer, EaLength, CreateFileTypeNone, NULL, 0);
}

NTSTATUS NTAPI NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                          PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions)
{
    return IoCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN,
                        OpenOptions, NULL, 0, CreateFileTypeNone, NULL, 0);
}

/* ---- services that open for one question or order, without a handle ---- */

/* The file object goes, and with it a file that was opened to be deleted: cleanup, close. */
NTSTATUS NTAPI NtDeleteFile(POBJECT_ATTRIBUTES ObjectAttributes)
{
    OPEN_PACKET packet = {.Disposition = FILE_OPEN, .Options = FILE_DELETE_ON_CLOSE, .ShareAccess = VALID_SHARES};
    PFILE_OBJECT file;
    NTSTATUS status;

    if (EMU_TRACING())
        IopTraceCreate(IOP_SERVICE("NtDeleteFile"), ObjectAttributes, DELETE, &packet);
    if (!ObjectAttributes)
        return bad_parameter("no object attributes", 0);
    status = IopOpenFileObject(ObjectAttributes, DELETE, &packet, &file);
    if (NT_SUCCESS(status))
        ObDereferenceObject(file);
    return status;
}

/* NT opens for attributes, asks, and closes inside the parse: three requests for the driver, no handle. */
static NTSTATUS query_attributes(const OBJECT_ATTRIBUTES *attributes, PFILE_NETWORK_OPEN_INFORMATION information)
{
    OPEN_PACKET packet = {.Disposition = FILE_OPEN, .Options = FILE_OPEN_REPARSE_POINT, .ShareAccess = VALID_SHARES};
    FILE_NETWORK_OPEN_INFORMATION *buffer;
    IO_STATUS_BLOCK io_status;
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PIRP irp = NULL;
    NTSTATUS status;

    if (EMU_TRACING())
        IopTraceCreate(IOP_SERVICE("NtQueryAttributesFile"), attributes, FILE_READ_ATTRIBUTES, &packet);
    if (!attributes)
        return bad_parameter("no object attributes", 0);
    status = IopOpenFileObject(attributes, FILE_READ_ATTRIBUTES, &packet, &file);
    if (!NT_SUCCESS(status))
        return status;
    buffer = ExAllocatePoolWithTag(NonPagedPool, sizeof *buffer, IOP_TAG_BUFFER);
    if (buffer)
        irp = IopBuildRequest(file, IRP_MJ_QUERY_INFORMATION, &stack);
    if (!irp) {
        status = EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no pool for the question");
        goto exit;
    }
    irp->AssociatedIrp.SystemBuffer = buffer;
    stack->Parameters.QueryFile.Length = sizeof *buffer;
    stack->Parameters.QueryFile.FileInformationClass = FileNetworkOpenInformation;
    status = IopCallAndWait(IopTopOfStack(file->DeviceObject), irp, &io_status, TRUE);
    IoFreeIrp(irp);
    if (NT_SUCCESS(status))
        *information = *buffer;
exit:
    if (buffer)
        ExFreePoolWithTag(buffer, IOP_TAG_BUFFER);
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtQueryFullAttributesFile(const OBJECT_ATTRIBUTES *ObjectAttributes,
                                         FILE_NETWORK_OPEN_INFORMATION *FileInformation)
{
    return query_attributes(ObjectAttributes, FileInformation);
}

NTSTATUS NTAPI NtQueryAttributesFile(const OBJECT_ATTRIBUTES *ObjectAttributes, FILE_BASIC_INFORMATION *FileInformation)
{
    FILE_NETWORK_OPEN_INFORMATION information;
    NTSTATUS status = query_attributes(ObjectAttributes, &information);

    if (!NT_SUCCESS(status))
        return status;
    FileInformation->CreationTime = information.CreationTime;
    FileInformation->LastAccessTime = information.LastAccessTime;
    FileInformation->LastWriteTime = information.LastWriteTime;
    FileInformation->ChangeTime = information.ChangeTime;
    FileInformation->FileAttributes = information.FileAttributes;
    return status;
}
