/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MUP as a driver: \FileSystem\Mup with its device, \Device\Mup, to which \??\UNC is a link. */
#include "mup.h"

PDEVICE_OBJECT MupDevice;

static UNICODE_STRING device_name = NT_STRING(u"\\Device\\Mup"), link_name = NT_STRING(u"\\??\\UNC");

NTSTATUS MupCompleteIrp(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* FSCTL_MUP_REGISTER_UNC_PROVIDER: the redirector is registered as long as this file is open. */
static NTSTATUS register_through(PFILE_OBJECT file, const MUP_REGISTRATION *registration, ULONG length)
{
    UNICODE_STRING name;
    PMUP_PROVIDER provider;
    NTSTATUS status;

    if (length <= sizeof *registration || (length - sizeof *registration) % sizeof(WCHAR) || length > 0x7fff ||
        file->FsContext)
        return STATUS_INVALID_PARAMETER;
    name.Buffer = (PWSTR)registration->DeviceName;
    name.Length = name.MaximumLength = (USHORT)(length - sizeof *registration);
    status = MupRegister(&name, registration->MailslotsSupported != 0, &provider);
    if (NT_SUCCESS(status))
        file->FsContext = provider;
    return status;
}

static NTSTATUS NTAPI file_system_control(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    if (stack->Parameters.DeviceIoControl.IoControlCode != FSCTL_MUP_REGISTER_UNC_PROVIDER)
        return MupCompleteIrp(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    return MupCompleteIrp(Irp,
                          register_through(stack->FileObject, Irp->AssociatedIrp.SystemBuffer,
                                           stack->Parameters.DeviceIoControl.InputBufferLength),
                          0);
}

static NTSTATUS NTAPI cleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;

    if (file->FsContext)
        MupDeregister(file->FsContext);
    file->FsContext = NULL;
    return MupCompleteIrp(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI close(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return MupCompleteIrp(Irp, STATUS_SUCCESS, 0);
}

static void NTAPI unload(PDRIVER_OBJECT DriverObject)
{
    IoDeleteSymbolicLink(&link_name);
    MupForgetPrefixes();
    IoDeleteDevice(MupDevice);
    MupDevice = NULL;
}

NTSTATUS NTAPI MupDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    MupInitializeProviders();
    MupInitializePrefixes();
    MupInitializeClientNames();
    DriverObject->DriverUnload = unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = MupFsdCreate;
    DriverObject->MajorFunction[IRP_MJ_FILE_SYSTEM_CONTROL] = file_system_control;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = cleanup;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = close;
    status = IoCreateDevice(DriverObject, 0, &device_name, FILE_DEVICE_MULTI_UNC_PROVIDER, 0, FALSE, &MupDevice);
    if (!NT_SUCCESS(status))
        return status;
    MupDevice->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return IoCreateSymbolicLink(&link_name, &device_name); /* IoCreateDriver deletes the device if this fails */
}
