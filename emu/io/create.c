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

static NTSTATUS check_create_parameters(ACCESS_MASK access, const OPEN_PACKET *p)
{
    ULONG sync = p->Options & SYNCHRONOUS;

    if ((p->Options & ~VALID_OPTIONS) || p->Disposition > FILE_MAXIMUM_DISPOSITION ||
        (p->ShareAccess & ~(ULONG)VALID_SHARES) || (p->FileAttributes & ~VALID_ATTRIBUTES))
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER,
                          "unknown bits: options %08x, disposition %u, share access %x, attributes %x", p->Options,
                          p->Disposition, p->ShareAccess, p->FileAttributes);
    /* The flags themselves: a generic right that contains them does not count (documented: WDK, ZwCreateFile). */
    if (sync == SYNCHRONOUS)
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "both kinds of synchronous I/O");
    if (sync && !(access & SYNCHRONIZE))
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "synchronous I/O without SYNCHRONIZE access");
    if ((p->Options & FILE_DELETE_ON_CLOSE) && !(access & DELETE))
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "FILE_DELETE_ON_CLOSE without DELETE access");
    if (p->Options & FILE_DIRECTORY_FILE) {
        if (p->Options & ~(ULONG)DIRECTORY_OPTIONS)
            return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "options %08x are none for FILE_DIRECTORY_FILE",
                              p->Options & ~(ULONG)DIRECTORY_OPTIONS);
        if (p->Disposition != FILE_OPEN && p->Disposition != FILE_CREATE && p->Disposition != FILE_OPEN_IF)
            return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "a directory cannot be superseded or overwritten");
    }
    if ((p->Options & FILE_NO_INTERMEDIATE_BUFFERING) && (access & FILE_APPEND_DATA) && !(access & FILE_WRITE_DATA))
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER,
                          "FILE_NO_INTERMEDIATE_BUFFERING with access to append and not to write");
    return STATUS_SUCCESS;
}

/* Entries must lie in the buffer, end their names with a NUL, and be aligned. (Documented: IoCheckEaBufferValidity.) */
static NTSTATUS check_ea_buffer(const void *buffer, ULONG length)
{
    const UCHAR *p = buffer;

    for (;;) {
        const FILE_FULL_EA_INFORMATION *ea = (const void *)p;
        ULONG need = (ULONG)offsetof(FILE_FULL_EA_INFORMATION, EaName);
        if (length < need || length - need < (ULONG)ea->EaNameLength + 1 + ea->EaValueLength ||
            ea->EaName[ea->EaNameLength])
            return EMU_DECIDE("Io", STATUS_EA_LIST_INCONSISTENT, "an extended attribute ends outside the buffer");
        if (!ea->NextEntryOffset)
            return STATUS_SUCCESS;
        need += (ULONG)ea->EaNameLength + 1 + ea->EaValueLength;
        if (ea->NextEntryOffset % 4 || ea->NextEntryOffset < need || ea->NextEntryOffset > length)
            return EMU_DECIDE("Io", STATUS_EA_LIST_INCONSISTENT, "the next extended attribute is not where one can be");
        p += ea->NextEntryOffset;
        length -= ea->NextEntryOffset;
    }
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
static NTSTATUS capture_ea(OPEN_PACKET *packet, const void *buffer, ULONG length)
{
    NTSTATUS status;

    if (!buffer || !length)
        return STATUS_SUCCESS;
    packet->EaBuffer = ExAllocatePoolWithTag(NonPagedPool, length, IOP_TAG_BUFFER);
    if (!packet->EaBuffer)
        return EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no pool for %u bytes of extended attributes", length);
    memcpy(packet->EaBuffer, buffer, length);
    packet->EaLength = length;
    status = check_ea_buffer(packet->EaBuffer, length);
    if (!NT_SUCCESS(status))
        free_ea(packet);
    return status;
}

/* *File: with a reference, and no handle. */
static NTSTATUS open_file_object(const OBJECT_ATTRIBUTES *attributes, ACCESS_MASK access, OPEN_PACKET *packet,
                                 PFILE_OBJECT *file)
{
    OBP_PARSE parse = {
        .Attributes = attributes->Attributes, .DesiredAccess = access, .WantedType = &IopFileType, .Packet = packet};
    PVOID object;
    NTSTATUS status = ObpLookupName(attributes, &parse, &object);

    if (NT_SUCCESS(status))
        *file = object;
    return status;
}

NTSTATUS NTAPI NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                            ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer,
                            ULONG EaLength)
{
    OPEN_PACKET packet = {CreateDisposition, CreateOptions, FileAttributes, ShareAccess, {.QuadPart = 0}, NULL, 0,
                          {{0}, 0}};
    ACCESS_MASK access = ObpMapAccess(&IopFileType, DesiredAccess);
    PFILE_OBJECT file;
    HANDLE handle;
    NTSTATUS status;

    if (EMU_TRACING())
        IopTraceCreate("NtCreateFile", ObjectAttributes, DesiredAccess, &packet);
    if (!FileHandle || !IoStatusBlock || !ObjectAttributes || ObjectAttributes->Length != sizeof *ObjectAttributes)
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "no handle, status block or object attributes to use");
    status = check_create_parameters(DesiredAccess, &packet);
    if (!NT_SUCCESS(status))
        return status;
    if (!access) /* documented: MS-FSA 2.1.5.1 */
        return EMU_DECIDE("Io", STATUS_ACCESS_DENIED, "no access at all is asked for");
    if (AllocationSize)
        packet.AllocationSize = *AllocationSize;
    status = capture_ea(&packet, EaBuffer, EaLength);
    if (!NT_SUCCESS(status))
        return status;

    status = open_file_object(ObjectAttributes, access, &packet, &file);
    free_ea(&packet);
    IoStatusBlock->Information = packet.IoStatus.Information;
    IoStatusBlock->Status = status;
    if (!NT_SUCCESS(status))
        return status;
    status = ObpCreateHandle(file, access, ObjectAttributes->Attributes, &handle);
    if (NT_SUCCESS(status)) {
        *FileHandle = handle;
        status = packet.IoStatus.Status;
    }
    IoStatusBlock->Status = status;
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                          PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions)
{
    return NtCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN,
                        OpenOptions, NULL, 0);
}

/* NT opens for attributes, asks, and closes inside the parse: three requests for the driver, no handle. */
static NTSTATUS query_attributes(const OBJECT_ATTRIBUTES *attributes, PFILE_NETWORK_OPEN_INFORMATION information)
{
    OPEN_PACKET packet = {FILE_OPEN, FILE_OPEN_REPARSE_POINT, 0, VALID_SHARES, {.QuadPart = 0}, NULL, 0, {{0}, 0}};
    FILE_NETWORK_OPEN_INFORMATION *buffer;
    IO_STATUS_BLOCK io_status;
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PIRP irp = NULL;
    NTSTATUS status;

    if (EMU_TRACING())
        IopTraceCreate("NtQueryAttributesFile", attributes, FILE_READ_ATTRIBUTES, &packet);
    if (!attributes || attributes->Length != sizeof *attributes)
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "no object attributes to use");
    status = open_file_object(attributes, FILE_READ_ATTRIBUTES, &packet, &file);
    if (!NT_SUCCESS(status))
        return status;
    buffer = ExAllocatePoolWithTag(NonPagedPool, sizeof *buffer, IOP_TAG_BUFFER);
    if (buffer)
        irp = IopBuildRequest(file, IRP_MJ_QUERY_INFORMATION, &stack);
    if (!irp) {
        status = EMU_DECIDE("Io", STATUS_INSUFFICIENT_RESOURCES, "no pool for the question after attributes");
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
