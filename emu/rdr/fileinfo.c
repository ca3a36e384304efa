/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IRP_MJ_QUERY_INFORMATION. Structures and which fields a short buffer still gets: MS-FSCC 2.4, MS-FSA 2.1.5.12. */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

/* FILE_COMPRESSION_INFORMATION (documented: MS-FSCC 2.4.9), which Wine's headers lack. */
typedef struct _COMPRESSION_INFORMATION {
    LARGE_INTEGER CompressedFileSize;
    USHORT CompressionFormat; /* 0: not compressed */
    UCHAR CompressionUnitShift, ChunkShift, ClusterShift;
    UCHAR Reserved[3];
} COMPRESSION_INFORMATION;
C_ASSERT(sizeof(COMPRESSION_INFORMATION) == 16);

static const UNICODE_STRING data_stream = NT_STRING(u"::$DATA");

/* The name that is about to go counts no more (observed: smbd). The server is told when it goes. */
static void fill_standard(FILE_STANDARD_INFORMATION *to, const struct smb_info *from, PFCB fcb)
{
    to->AllocationSize.QuadPart = (LONGLONG)from->allocation_size;
    to->EndOfFile.QuadPart = (LONGLONG)from->end_of_file;
    to->Directory = (from->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    ExAcquireFastMutex(&fcb->Mutex);
    to->DeletePending = fcb->DeletePending;
    ExReleaseFastMutex(&fcb->Mutex);
    to->NumberOfLinks = from->links - (to->DeletePending && from->links);
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

/* \server\share\path, as many units of it as fit; the length says all of it. */
static NTSTATUS fill_name(FILE_NAME_INFORMATION *to, ULONG length, const FCB *fcb, ULONG_PTR *used)
{
    const UNICODE_STRING *server = &fcb->NetRoot->SrvCall->Name, *share = &fcb->NetRoot->Name;
    const UNICODE_STRING path = RdrPathOf(fcb);
    PUCHAR at = (PUCHAR)to->FileName, end = (PUCHAR)to + (length & ~1u);
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

/* A file has one stream, and a directory none (observed: smbd without a streams module). */
static NTSTATUS fill_streams(FILE_STREAM_INFORMATION *to, ULONG length, const struct smb_info *info, ULONG_PTR *used)
{
    const ULONG fixed = offsetof(FILE_STREAM_INFORMATION, StreamName);
    ULONG n = data_stream.Length;

    *used = 0;
    if (info->attributes & FILE_ATTRIBUTE_DIRECTORY)
        return STATUS_SUCCESS;
    if (n > length - fixed)
        n = (length - fixed) & ~1u;
    to->StreamNameLength = data_stream.Length;
    to->StreamSize.QuadPart = (LONGLONG)info->end_of_file;
    to->StreamAllocationSize.QuadPart = (LONGLONG)info->allocation_size;
    memcpy(to->StreamName, data_stream.Buffer, n);
    *used = fixed + n;
    return n < data_stream.Length ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS fill_all(FILE_ALL_INFORMATION *to, ULONG length, const FILE_OBJECT *file, const struct smb_info *info,
                         const FILE_BASIC_INFORMATION *basic, ULONG_PTR *used)
{
    ULONG name_at = (ULONG)offsetof(FILE_ALL_INFORMATION, NameInformation);
    NTSTATUS status;

    to->BasicInformation = *basic;
    fill_standard(&to->StandardInformation, info, file->FsContext);
    to->InternalInformation.IndexNumber.QuadPart = (LONGLONG)RdrIndexNumber(file->FsContext, NULL);
    to->EaInformation.EaSize = 0;
    to->PositionInformation.CurrentByteOffset.QuadPart =
        __atomic_load_n(&file->CurrentByteOffset.QuadPart, __ATOMIC_RELAXED);
    /* Access, mode and alignment are the I/O manager's. */
    status = fill_name(&to->NameInformation, length - name_at, file->FsContext, used);
    *used += name_at;
    return status;
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
        return sizeof(FILE_EA_INFORMATION);
    case FileAlternateNameInformation:
    case FileNameInformation:
        return offsetof(FILE_NAME_INFORMATION, FileName);
    case FileStreamInformation:
        return offsetof(FILE_STREAM_INFORMATION, StreamName);
    case FileCompressionInformation:
        return sizeof(COMPRESSION_INFORMATION);
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
    case FileNetworkOpenInformation:
        fill_network_open(buffer, info, &basic);
        return STATUS_SUCCESS;
    case FileAttributeTagInformation:
        ((FILE_ATTRIBUTE_TAG_INFORMATION *)buffer)->FileAttributes = RdrAttributes(info);
        ((FILE_ATTRIBUTE_TAG_INFORMATION *)buffer)->ReparseTag = 0;
        return STATUS_SUCCESS;
    case FileStreamInformation:
        return fill_streams(buffer, length, info, used);
    case FileCompressionInformation:
        ((COMPRESSION_INFORMATION *)buffer)->CompressedFileSize.QuadPart = (LONGLONG)info->end_of_file;
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

/* What can be said without the server. STATUS_PENDING: nothing can. */
static NTSTATUS fill_locally(FILE_INFORMATION_CLASS class, PVOID buffer, ULONG length, const FCB *fcb, ULONG_PTR *used)
{
    switch (class) {
    case FileEaInformation:
        ((FILE_EA_INFORMATION *)buffer)->EaSize = 0;
        *used = sizeof(FILE_EA_INFORMATION);
        return STATUS_SUCCESS;
    case FileInternalInformation:
        ((FILE_INTERNAL_INFORMATION *)buffer)->IndexNumber.QuadPart = (LONGLONG)RdrIndexNumber(fcb, NULL);
        *used = sizeof(FILE_INTERNAL_INFORMATION);
        return STATUS_SUCCESS;
    case FileNameInformation:
        return fill_name(buffer, length, fcb, used);
    case FileAlternateNameInformation: /* documented: MS-FSA 2.1.5.12.3, a file without a short name */
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_NOT_FOUND, "no server here tells short names");
    default:
        return STATUS_PENDING;
    }
}

static NTSTATUS start_query(PIRP irp, PFCB fcb, PFOBX fobx)
{
    PRDR_EXCHANGE exchange = RdrAllocateExchange(irp, fcb->NetRoot, SMB_QUERY_FILE, finish_query);
    NTSTATUS status;

    if (!exchange)
        return RdrCompleteIrp(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    status = RdrBeginTransferBy(exchange, fcb);
    RdrAskForFile(fcb, fobx, &exchange->Request);
    if (NT_SUCCESS(status) && exchange->Request.op == SMB_QUERY_PATH)
        status = RdrBuildQueryInformation(exchange);
    if (NT_SUCCESS(status))
        return RdrStartExchange(exchange);
    RdrFreeExchange(exchange);
    return RdrCompleteIrp(irp, status, 0);
}

NTSTATUS NTAPI RdrFsdQueryInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    FILE_INFORMATION_CLASS class = stack->Parameters.QueryFile.FileInformationClass;
    ULONG length = stack->Parameters.QueryFile.Length;
    ULONG_PTR used = 0;
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (!NT_SUCCESS(status))
        return RdrCompleteIrp(Irp, status, 0);
    if (!least_length(class))
        return RdrCompleteIrp(Irp, STATUS_INVALID_PARAMETER, 0); /* documented: MS-FSA, a class it does not support */
    if (length < least_length(class))
        return RdrCompleteIrp(Irp, STATUS_INFO_LENGTH_MISMATCH, 0);
    status = fill_locally(class, Irp->AssociatedIrp.SystemBuffer, length, fcb, &used);
    return status == STATUS_PENDING ? start_query(Irp, fcb, fobx) : RdrCompleteIrp(Irp, status, used);
}
