/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IRP_MJ_READ, IRP_MJ_WRITE, IRP_MJ_FLUSH_BUFFERS. Nothing is cached: every request goes to the server. */
#include "rdr.h"

#include <ntemu/trace.h>

NTSTATUS RdrDecodeFile(const FILE_OBJECT *FileObject, PFCB *Fcb, PFOBX *Fobx)
{
    PFOBX fobx = FileObject->FsContext2;

    if (!FileObject->FsContext)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (__atomic_load_n(&fobx->VNetRoot->Deleted, __ATOMIC_RELAXED) ||
        __atomic_load_n(&fobx->SrvOpen->Lost, __ATOMIC_RELAXED))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    if (RdrIsCleanedUp(FileObject))
        return EMU_DECIDE("Rdr", STATUS_FILE_CLOSED, "the file's last handle is gone");
    *Fcb = FileObject->FsContext;
    *Fobx = fobx;
    return STATUS_SUCCESS;
}

/* A request longer than the protocol carries goes out in pieces; what is done so far stands in IoStatus.Information. */
static void set_piece(PRDR_EXCHANGE exchange, ULONG total, LONGLONG offset)
{
    ULONG done = (ULONG)exchange->Irp->IoStatus.Information, left = total - done;

    exchange->Request.in.io.buffer = (PUCHAR)exchange->Irp->UserBuffer + done;
    exchange->Request.in.io.length = left < SMB_MAX_IO ? left : SMB_MAX_IO;
    exchange->Request.in.io.offset = (ULONGLONG)offset + done;
}

static BOOLEAN is_paging(const IRP *irp)
{
    return (irp->Flags & IRP_PAGING_IO) != 0;
}

/*
 * Some bytes and then an end or an error: the bytes are reported, the rest comes with the next request. Of pages nobody
 * asks for the rest: they were written, or they were not.
 */
static NTSTATUS result_of(PIRP irp, NTSTATUS status)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);

    if (!irp->IoStatus.Information)
        return status;
    if (!is_paging(irp) || stack->MajorFunction != IRP_MJ_WRITE)
        return STATUS_SUCCESS;
    if (NT_SUCCESS(status) && irp->IoStatus.Information < stack->Parameters.Write.Length)
        return STATUS_DISK_FULL;
    return status;
}

static void finish_transfer(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    PFILE_OBJECT file = stack->FileObject;
    NTSTATUS status = exchange->Request.status;
    LONGLONG offset = stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG asked = exchange->Request.in.io.length, done = NT_SUCCESS(status) ? exchange->Request.out.io.done : 0;

    irp->IoStatus.Information += done;
    if (NT_SUCCESS(status) && done == asked && irp->IoStatus.Information < stack->Parameters.Read.Length) {
        set_piece(exchange, stack->Parameters.Read.Length, offset);
        RdrContinueExchange(exchange);
        return;
    }
    status = result_of(irp, status);
    if (NT_SUCCESS(status) && !is_paging(irp) && (__atomic_load_n(&file->Flags, __ATOMIC_RELAXED) & FO_SYNCHRONOUS_IO))
        __atomic_store_n(&file->CurrentByteOffset.QuadPart, offset + (LONGLONG)irp->IoStatus.Information,
                         __ATOMIC_RELAXED); /* a query does not wait for the file object's lock */
    RdrFreeExchange(exchange);
    RdrCompleteIrp(irp, status, irp->IoStatus.Information);
}

/* The offset is known. What goes through a mapping meets no locks (observed: fastfat). */
static BOOLEAN locks_allow(PIRP irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    PFCB fcb = stack->FileObject->FsContext;

    if (is_paging(irp))
        return TRUE;
    return stack->MajorFunction == IRP_MJ_WRITE ? FsRtlCheckLockForWriteAccess(&fcb->FileLock, irp)
                                                : FsRtlCheckLockForReadAccess(&fcb->FileLock, irp);
}

/* Where a write begins that goes to the end, and where one of pages ends, as they make no file longer. */
static void place_write(PIO_STACK_LOCATION stack, LONGLONG end, BOOLEAN paging)
{
    LONGLONG offset = stack->Parameters.Write.ByteOffset.QuadPart;

    if (!paging)
        stack->Parameters.Write.ByteOffset.QuadPart = end;
    else if (offset >= end)
        stack->Parameters.Write.Length = 0;
    else if (end - offset < (LONGLONG)stack->Parameters.Write.Length)
        stack->Parameters.Write.Length = (ULONG)(end - offset);
}

/* Such a write asks for the end first. Other machines may write meanwhile: SMB has no atomic append either. */
static void finish_size(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    NTSTATUS status = exchange->Request.status;
    smb_file file = exchange->Request.file;

    if (!NT_SUCCESS(status)) {
        RdrFreeExchange(exchange);
        RdrCompleteIrp(irp, status, 0);
        return;
    }
    place_write(stack, (LONGLONG)exchange->Request.out.info.end_of_file, is_paging(irp));
    if (!locks_allow(irp))
        status = STATUS_FILE_LOCK_CONFLICT;
    if (!NT_SUCCESS(status) || !stack->Parameters.Write.Length) {
        RdrFreeExchange(exchange);
        RdrCompleteIrp(irp, status, 0);
        return;
    }
    exchange->Request = (struct smb_request){.op = SMB_WRITE, .file = file};
    exchange->Finish = finish_transfer;
    set_piece(exchange, stack->Parameters.Write.Length, stack->Parameters.Write.ByteOffset.QuadPart);
    RdrContinueExchange(exchange);
}

NTSTATUS RdrBeginTransferBy(PRDR_EXCHANGE Exchange, PFCB Fcb)
{
    PFOBX fobx;
    NTSTATUS status = RdrBeginTransfer(Exchange->Irp, Fcb);

    if (!NT_SUCCESS(status))
        return status;
    Exchange->Transferred = Fcb;
    return RdrDecodeFile(IoGetCurrentIrpStackLocation(Exchange->Irp)->FileObject, &Fcb, &fobx);
}

static NTSTATUS start_transfer(PIRP irp, enum smb_op op)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    LONGLONG offset = stack->Parameters.Read.ByteOffset.QuadPart;
    PRDR_EXCHANGE exchange;
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (NT_SUCCESS(status) && fobx->Directory)
        status = STATUS_INVALID_DEVICE_REQUEST;
    if (!NT_SUCCESS(status) || !stack->Parameters.Read.Length)
        return RdrCompleteIrp(irp, status, 0);
    if (offset != -1 && !locks_allow(irp))
        return RdrCompleteIrp(irp, EMU_DECIDE("Rdr", STATUS_FILE_LOCK_CONFLICT, "others have locked a part of it"), 0);
    exchange = RdrAllocateExchange(irp, fcb->NetRoot, op, finish_transfer);
    if (!exchange)
        return RdrCompleteIrp(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    status = RdrBeginTransferBy(exchange, fcb);
    if (!NT_SUCCESS(status)) {
        RdrFreeExchange(exchange);
        return RdrCompleteIrp(irp, status, 0);
    }
    irp->IoStatus.Information = 0;
    exchange->Request.file = fobx->SrvOpen->File;
    if (offset == -1) {
        status = RdrBeginAppend(irp, fcb);
        if (!NT_SUCCESS(status)) {
            RdrFreeExchange(exchange);
            return RdrCompleteIrp(irp, status, 0);
        }
        exchange->Appended = fcb;
    }
    if (offset == -1 || (op == SMB_WRITE && is_paging(irp))) {
        exchange->Request.op = SMB_QUERY_FILE;
        exchange->Finish = finish_size;
    } else {
        set_piece(exchange, stack->Parameters.Read.Length, offset);
    }
    return RdrStartExchange(exchange);
}

NTSTATUS NTAPI RdrFsdRead(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return start_transfer(Irp, SMB_READ);
}

NTSTATUS NTAPI RdrFsdWrite(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return start_transfer(Irp, SMB_WRITE);
}

static void finish_flush(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;
    NTSTATUS status = exchange->Request.status;

    RdrFreeExchange(exchange);
    RdrCompleteIrp(irp, status, 0);
}

NTSTATUS NTAPI RdrFsdFlushBuffers(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PRDR_EXCHANGE exchange;
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(IoGetCurrentIrpStackLocation(Irp)->FileObject, &fcb, &fobx);

    if (!NT_SUCCESS(status) || fobx->Directory)
        return RdrCompleteIrp(Irp, status, 0);
    exchange = RdrAllocateExchange(Irp, fcb->NetRoot, SMB_FLUSH, finish_flush);
    if (!exchange)
        return RdrCompleteIrp(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    status = RdrBeginTransferBy(exchange, fcb);
    if (!NT_SUCCESS(status)) {
        RdrFreeExchange(exchange);
        return RdrCompleteIrp(Irp, status, 0);
    }
    exchange->Request.file = fobx->SrvOpen->File;
    return RdrStartExchange(exchange);
}
