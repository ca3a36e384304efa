/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What memory management does for a section of a file: IoPageRead and IoSynchronousPageWrite, with a buffer in the
 * place of their MDL, and a handle in that of the file object that a section keeps.
 */
#include "iop.h"

#include <ntemu/machine.h>

/* It waits for no other request of the file object, as it is nobody's who has a handle of it. */
static NTSTATUS send_pages(HANDLE handle, ACCESS_MASK needed, UCHAR major, PIO_STATUS_BLOCK io_status, PVOID buffer,
                           ULONG length, LONGLONG offset)
{
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PIRP irp;
    NTSTATUS status;

    if (offset < 0 || offset > MAXLONGLONG - (LONGLONG)length)
        return STATUS_INVALID_PARAMETER;
    status = IopReferenceFileForAll(handle, needed, &file);
    if (!NT_SUCCESS(status))
        return status;
    irp = IopBuildRequest(file, major, &stack);
    if (!irp) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    irp->Flags |= IRP_PAGING_IO | IRP_NOCACHE | IRP_SYNCHRONOUS_PAGING_IO;
    irp->UserBuffer = buffer;
    stack->Parameters.Read.Length = length;
    stack->Parameters.Read.ByteOffset.QuadPart = offset;
    status = IopSend(file, irp, io_status);
exit:
    ObDereferenceObject(file);
    return status;
}

NTSTATUS EmuReadPages(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, LONGLONG Offset)
{
    return send_pages(FileHandle, FILE_READ_DATA, IRP_MJ_READ, IoStatusBlock, Buffer, Length, Offset);
}

NTSTATUS EmuWritePages(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, const void *Buffer, ULONG Length,
                       LONGLONG Offset)
{
    return send_pages(FileHandle, FILE_READ_DATA | FILE_WRITE_DATA, IRP_MJ_WRITE, IoStatusBlock, (PVOID)Buffer, Length,
                      Offset);
}
