/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nwrdr.h"

#include <ntemu/trace.h>

PDEVICE_OBJECT NwrDevice;

static UNICODE_STRING device_name = NT_STRING(u"\\Device\\NwRdr");
static HANDLE provider; /* the registration with MUP */

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS no_server(const UNICODE_STRING *name)
{
    return EMU_DECIDE("NwRdr", STATUS_BAD_NETWORK_NAME, "no server has %wZ", name);
}

/* MUP opens the device itself. */
static NTSTATUS NTAPI create(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    const FILE_OBJECT *file = IoGetCurrentIrpStackLocation(Irp)->FileObject;

    return complete(Irp, file->FileName.Length ? no_server(&file->FileName) : STATUS_SUCCESS);
}

static NTSTATUS NTAPI device_control(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(Irp);
    const QUERY_PATH_REQUEST *request = stack->Parameters.DeviceIoControl.Type3InputBuffer;
    UNICODE_STRING name;

    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_REDIR_QUERY_PATH || Irp->RequestorMode != KernelMode)
        return complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    name = (UNICODE_STRING){(USHORT)request->PathNameLength, 0, (PWSTR)request->FilePathName};
    return complete(Irp, no_server(&name));
}

static NTSTATUS NTAPI cleanup_or_close(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return complete(Irp, STATUS_SUCCESS);
}

NTSTATUS NwrStart(void)
{
    return FsRtlRegisterUncProvider(&provider, &device_name, FALSE);
}

void NwrStop(void)
{
    if (provider)
        FsRtlDeregisterUncProvider(provider);
    provider = NULL;
}

static void NTAPI unload(PDRIVER_OBJECT DriverObject)
{
    IoDeleteDevice(NwrDevice);
    NwrDevice = NULL;
}

NTSTATUS NTAPI NwrDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    DriverObject->DriverUnload = unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = create;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = DriverObject->MajorFunction[IRP_MJ_CLOSE] = cleanup_or_close;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = device_control;
    status = IoCreateDevice(DriverObject, 0, &device_name, FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE, FALSE,
                            &NwrDevice);
    if (NT_SUCCESS(status))
        NwrDevice->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return status;
}
