/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IRP_MJ_QUERY_INFORMATION. Structures and which fields a short buffer still gets: MS-FSCC 2.4, MS-FSA 2.1.5.12. */
#include "rdr.h"

#include <string.h>

/* The create options that FileModeInformation tells (documented: MS-FSCC 2.4.29). */
#define MODE_OPTIONS                                                                                                   \
    (FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY | FILE_NO_INTERMEDIATE_BUFFERING | FILE_SYNCHRONOUS_IO_ALERT |          \
     FILE_SYNCHRONOUS_IO_NONALERT | FILE_DELETE_ON_CLOSE)

static void fill_standard(FILE_STANDARD_INFORMATION *to, const struct smb_info *from, const FCB *fcb)
{
    to->AllocationSize.QuadPart = (LONGLONG)from->allocation_size;
    to->EndOfFile.QuadPart = (LONGLONG)from->end_of_file;
    to->NumberOfLinks = from->links;
    to->DeletePending = fcb->DeletePending;
    to->Directory = (from->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

static void fill_network_open(FILE_NETWORK_OPEN_INFORMATION *to, const struct smb_info *from,
                              const FILE_BASIC_INFORMATION *basic)
{
    to->CreationTime = basic->CreationTime;
    to->LastAccessTime = basic->LastAccessTime;
    to->LastWriteTime = basic->LastWriteTime;
    to->ChangeTime = basic->ChangeTime;
    to->AllocationSize.QuadPart = (LONGLONG)from->allocation_size;
    to->EndOfFile.QuadPart = (LONGLONG)from->end_of_file;
    to->FileAttributes = basic->FileAttributes;
}

static void put(PUCHAR *at, PUCHAR end, const void *from, ULONG length)
{
    ULONG room = (ULONG)(end - *at);

    memcpy(*at, from, length < room ? length : room);
    *at += length < room ? length : room;
}

/* \server\share\path, as much of it as fits; the length says all of it. */
static NTSTATUS fill_name(FILE_NAME_INFORMATION *to, ULONG length, const FCB *fcb, ULONG_PTR *used)
{
    const UNICODE_STRING *server = &fcb->NetRoot->SrvCall->Name, *share = &fcb->NetRoot->Name;
    const UNICODE_STRING path = RdrPathOf(fcb);
    PUCHAR at = (PUCHAR)to->FileName, end = (PUCHAR)to + length;
    ULONG whole = 2 * sizeof(WCHAR) + server->Length + share->Length + (path.Length ? sizeof(WCHAR) : 0) + path.Length;

    to->FileNameLength = whole;
    put(&at, end, u"\\", sizeof(WCHAR));
    put(&at, end, server->Buffer, server->Length);
    put(&at, end, u"\\", sizeof(WCHAR));
    put(&at, end, share->Buffer, share->Length);
    if (path.Length) {
        put(&at, end, u"\\", sizeof(WCHAR));
        put(&at, end, path.Buffer, path.Length);
    }
    *used = (ULONG_PTR)(at - (PUCHAR)to);
    return (ULONG_PTR)(at - (PUCHAR)to->FileName) < whole ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS fill_all(FILE_ALL_INFORMATION *to, ULONG length, const FILE_OBJECT *file, const struct smb_info *info,
                         const FILE_BASIC_INFORMATION *basic, ULONG_PTR *used)
{
    const FOBX *fobx = file->FsContext2;
    ULONG name_at = (ULONG)offsetof(FILE_ALL_INFORMATION, NameInformation);
    NTSTATUS status;

    to->BasicInformation = *basic;
    fill_standard(&to->StandardInformation, info, file->FsContext);
    to->InternalInformation.IndexNumber.QuadPart = (LONGLONG)info->index_number;
    to->EaInformation.EaSize = 0;
    to->AccessInformation.AccessFlags = fobx->GrantedAccess;
    to->PositionInformation.CurrentByteOffset = file->CurrentByteOffset;
    to->ModeInformation.Mode = fobx->Options & MODE_OPTIONS;
    to->AlignmentInformation.AlignmentRequirement = 0;
    status = fill_name(&to->NameInformation, length - name_at, file->FsContext, used);
    *used += name_at;
    return status;
}

/* What can be said without the server: 0 if the class needs it, otherwise its length. */
static ULONG fill_locally(FILE_INFORMATION_CLASS class, PVOID buffer, const FOBX *fobx)
{
    switch (class) {
    case FileEaInformation:
        ((FILE_EA_INFORMATION *)buffer)->EaSize = 0;
        return sizeof(FILE_EA_INFORMATION);
    case FileAccessInformation:
        ((FILE_ACCESS_INFORMATION *)buffer)->AccessFlags = fobx->GrantedAccess;
        return sizeof(FILE_ACCESS_INFORMATION);
    case FileModeInformation:
        ((FILE_MODE_INFORMATION *)buffer)->Mode = fobx->Options & MODE_OPTIONS;
        return sizeof(FILE_MODE_INFORMATION);
    case FileAlignmentInformation:
        ((FILE_ALIGNMENT_INFORMATION *)buffer)->AlignmentRequirement = 0;
        return sizeof(FILE_ALIGNMENT_INFORMATION);
    default:
        return 0;
    }
}

static ULONG least_length(FILE_INFORMATION_CLASS class)
{
    switch (class) {
    case FileBasicInformation:
        return sizeof(FILE_BASIC_INFORMATION);
    case FileStandardInformation:
        return sizeof(FILE_STANDARD_INFORMATION);
    case FileInternalInformation:
        return sizeof(FILE_INTERNAL_INFORMATION);
    case FileEaInformation:
    case FileAccessInformation:
    case FileModeInformation:
    case FileAlignmentInformation:
        return sizeof(ULONG);
    case FileNameInformation:
        return offsetof(FILE_NAME_INFORMATION, FileName);
    case FileAllInformation:
        return sizeof(FILE_ALL_INFORMATION);
    case FileNetworkOpenInformation:
        return sizeof(FILE_NETWORK_OPEN_INFORMATION);
    case FileAttributeTagInformation:
        return sizeof(FILE_ATTRIBUTE_TAG_INFORMATION);
    default:
        return 0;
    }
}

static NTSTATUS fill_from_server(FILE_INFORMATION_CLASS class, PVOID buffer, ULONG length, const FILE_OBJECT *file,
                                 const struct smb_info *info, ULONG_PTR *used)
{
    FILE_BASIC_INFORMATION basic;
    NTSTATUS status = RdrTakeBasicInformation(info, &basic);

    if (!NT_SUCCESS(status))
        return status;
    *used = least_length(class);
    switch (class) {
    case FileBasicInformation:
        *(FILE_BASIC_INFORMATION *)buffer = basic;
        return STATUS_SUCCESS;
    case FileStandardInformation:
        fill_standard(buffer, info, file->FsContext);
        return STATUS_SUCCESS;
    case FileInternalInformation:
        ((FILE_INTERNAL_INFORMATION *)buffer)->IndexNumber.QuadPart = (LONGLONG)info->index_number;
        return STATUS_SUCCESS;
    case FileNetworkOpenInformation:
        fill_network_open(buffer, info, &basic);
        return STATUS_SUCCESS;
    case FileAttributeTagInformation:
        ((FILE_ATTRIBUTE_TAG_INFORMATION *)buffer)->FileAttributes = RdrAttributes(info);
        ((FILE_ATTRIBUTE_TAG_INFORMATION *)buffer)->ReparseTag = 0;
        return STATUS_SUCCESS;
    default:
        return fill_all(buffer, length, file, info, &basic, used);
    }
}

static void finish_query(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    NTSTATUS status = exchange->Request.status;
    ULONG_PTR used = 0;

    if (NT_SUCCESS(status))
        status =
            fill_from_server(stack->Parameters.QueryFile.FileInformationClass, irp->AssociatedIrp.SystemBuffer,
                             stack->Parameters.QueryFile.Length, stack->FileObject, &exchange->Request.out.info, &used);
    RdrFreeExchange(exchange);
    RdrCompleteIrp(irp, status, used);
}

NTSTATUS NTAPI RdrFsdQueryInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    FILE_INFORMATION_CLASS class = stack->Parameters.QueryFile.FileInformationClass;
    ULONG length = stack->Parameters.QueryFile.Length, local;
    PVOID buffer = Irp->AssociatedIrp.SystemBuffer;
    ULONG_PTR used = 0;
    PRDR_EXCHANGE exchange;
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (!NT_SUCCESS(status))
        return RdrCompleteIrp(Irp, status, 0);
    if (!least_length(class))
        return RdrCompleteIrp(Irp, STATUS_INVALID_PARAMETER, 0); /* documented: MS-FSA, a class it does not support */
    if (length < least_length(class))
        return RdrCompleteIrp(Irp, STATUS_INFO_LENGTH_MISMATCH, 0);
    local = fill_locally(class, buffer, fobx);
    if (local)
        return RdrCompleteIrp(Irp, STATUS_SUCCESS, local);
    if (class == FileNameInformation) {
        status = fill_name(buffer, length, fcb, &used);
        return RdrCompleteIrp(Irp, status, used);
    }
    exchange = RdrAllocateExchange(Irp, fcb->NetRoot, SMB_QUERY_FILE, finish_query);
    if (!exchange)
        return RdrCompleteIrp(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    RdrAskForFile(fcb, fobx, &exchange->Request);
    status = exchange->Request.op == SMB_QUERY_PATH ? RdrBuildQueryInformation(exchange) : STATUS_SUCCESS;
    if (!NT_SUCCESS(status)) {
        RdrFreeExchange(exchange);
        return RdrCompleteIrp(Irp, status, 0);
    }
    return RdrStartExchange(exchange);
}
