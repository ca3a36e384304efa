/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes of an open file. Both lists go to the driver in buffers of the system's. */
#include "iop.h"

#include <ntemu/trace.h>
#include <string.h>

/* The caller's list of names, for a driver to look at; it checks that. */
static NTSTATUS copy_list(const void *list, ULONG length, PVOID *copy)
{
    *copy = NULL;
    if (!list || !length)
        return STATUS_SUCCESS;
    if (length > IOP_LARGEST_QUERY)
        return STATUS_EA_LIST_INCONSISTENT;
    *copy = ExAllocatePoolWithTag(NonPagedPool, length, IOP_TAG_BUFFER);
    if (!*copy)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(*copy, list, length);
    return STATUS_SUCCESS;
}

static NTSTATUS query_ea(PFILE_OBJECT file, PIO_STATUS_BLOCK io_status, PVOID buffer, ULONG length, UCHAR flags,
                         PVOID list, ULONG list_length, ULONG index)
{
    IO_STATUS_BLOCK result = {{0}, 0};
    PVOID system = ExAllocatePoolWithTag(NonPagedPool, length ? length : 1, IOP_TAG_BUFFER);
    PIO_STACK_LOCATION stack;
    PIRP irp = system ? IopBuildRequest(file, IRP_MJ_QUERY_EA, &stack) : NULL;
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

    if (irp) {
        RtlZeroMemory(system, length);
        irp->AssociatedIrp.SystemBuffer = system;
        stack->Flags = flags;
        stack->Parameters.QueryEa.Length = length;
        stack->Parameters.QueryEa.EaList = list;
        stack->Parameters.QueryEa.EaListLength = list ? list_length : 0;
        stack->Parameters.QueryEa.EaIndex = index;
        status = IopSend(file, irp, &result);
    }
    if (irp && !NT_ERROR(status)) {
        memcpy(buffer, system, min(result.Information, length));
        *io_status = result;
    }
    if (system)
        ExFreePoolWithTag(system, IOP_TAG_BUFFER);
    return status;
}

NTSTATUS NTAPI NtQueryEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                             BOOLEAN ReturnSingleEntry, PVOID EaList, ULONG EaListLength, PULONG EaIndex,
                             BOOLEAN RestartScan)
{
    const UCHAR flags = (UCHAR)((RestartScan ? SL_RESTART_SCAN : 0) | (ReturnSingleEntry ? SL_RETURN_SINGLE_ENTRY : 0) |
                                (EaIndex ? SL_INDEX_SPECIFIED : 0));
    PFILE_OBJECT file;
    PVOID list;
    NTSTATUS status = IopReferenceFile(FileHandle, FILE_READ_EA, &file, NULL);

    if (!NT_SUCCESS(status))
        return status;
    status = copy_list(EaList, EaListLength, &list);
    if (NT_SUCCESS(status))
        status = query_ea(file, IoStatusBlock, Buffer, min(Length, IOP_LARGEST_QUERY), flags, list, EaListLength,
                          EaIndex ? *EaIndex : 0);
    if (list)
        ExFreePoolWithTag(list, IOP_TAG_BUFFER);
    ObDereferenceObject(file);
    return status;
}

static NTSTATUS set_ea(PFILE_OBJECT file, PIO_STATUS_BLOCK io_status, PVOID system, ULONG length)
{
    PIO_STACK_LOCATION stack;
    ULONG offset;
    PIRP irp;
    NTSTATUS status = IoCheckEaBufferValidity(system, length, &offset);

    if (!NT_SUCCESS(status)) {
        io_status->Status = status;
        io_status->Information = offset; /* of the entry that is wrong (documented: WDK, ZwSetEaFile) */
        return status;
    }
    irp = IopBuildRequest(file, IRP_MJ_SET_EA, &stack);
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    irp->AssociatedIrp.SystemBuffer = system;
    stack->Parameters.SetEa.Length = length;
    return IopSend(file, irp, io_status);
}

NTSTATUS NTAPI NtSetEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length)
{
    PFILE_OBJECT file;
    PVOID system;
    NTSTATUS status;

    if (!Length || Length > IOP_LARGEST_QUERY)
        return EMU_DECIDE("Io", STATUS_EA_LIST_INCONSISTENT, "%u bytes of extended attributes", Length);
    status = IopReferenceFile(FileHandle, FILE_WRITE_EA, &file, NULL);
    if (!NT_SUCCESS(status))
        return status;
    system = ExAllocatePoolWithTag(NonPagedPool, Length, IOP_TAG_BUFFER);
    status = STATUS_INSUFFICIENT_RESOURCES;
    if (system) {
        memcpy(system, Buffer, Length);
        status = set_ea(file, IoStatusBlock, system, Length);
        ExFreePoolWithTag(system, IOP_TAG_BUFFER);
    }
    ObDereferenceObject(file);
    return status;
}
