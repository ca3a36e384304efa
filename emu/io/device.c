/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver and device objects, and device stacks. */
#include "iop.h"

#include <ntemu/trace.h>

#include "ex/verifierp.h"

#include <string.h>

static void delete_driver(PVOID object);

OBJECT_TYPE IopDeviceType = {
    .Name = "Device", .PoolType = NonPagedPool, .Tag = IOP_TAG_DEVICE, .Parse = IopParseDevice};
OBJECT_TYPE IopDriverType = {
    .Name = "Driver", .PoolType = NonPagedPool, .Tag = IOP_TAG_DRIVER, .Delete = delete_driver};

static POBJECT_TYPE device_type = &IopDeviceType;
POBJECT_TYPE *IoDeviceObjectType = &device_type;

static NTSTATUS NTAPI invalid_request(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    NTSTATUS status = EMU_DECIDE("Io", STATUS_INVALID_DEVICE_REQUEST, "%wZ has no routine for this request",
                                 &DeviceObject->DriverObject->DriverName);

    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

static void delete_driver(PVOID object)
{
    PDRIVER_OBJECT driver = object;

    if (driver->DriverName.Buffer)
        ExFreePoolWithTag(driver->DriverName.Buffer, IOP_TAG_DRIVER);
}

NTSTATUS NTAPI IoCreateDriver(PUNICODE_STRING DriverName, PDRIVER_INITIALIZE Init)
{
    PDRIVER_OBJECT driver;
    PVOID object;
    NTSTATUS status = ObpCreateObject(&IopDriverType, sizeof *driver, &object);

    if (!NT_SUCCESS(status))
        return status;
    driver = object;
    driver->Type = IO_TYPE_DRIVER;
    driver->Size = sizeof *driver;
    driver->DriverInit = Init;
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->MajorFunction[i] = invalid_request;
    driver->DriverName.Buffer = ExAllocatePoolWithTag(PagedPool, DriverName->Length, IOP_TAG_DRIVER);
    if (!driver->DriverName.Buffer) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto fail;
    }
    driver->DriverName.MaximumLength = DriverName->Length;
    RtlCopyUnicodeString(&driver->DriverName, DriverName);
    status = ObpEnterName(DriverName, driver);
    if (!NT_SUCCESS(status))
        goto fail;
    status = Init(driver, NULL);
    if (NT_SUCCESS(status)) {
        for (PDEVICE_OBJECT d = driver->DeviceObject; d; d = d->NextDevice)
            d->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
        return status; /* the first reference is the loader's: IoDeleteDriver */
    }
    while (driver->DeviceObject) /* what Init had made before it failed */
        IoDeleteDevice(driver->DeviceObject);
    ObpRemoveName(driver);
fail:
    ObDereferenceObject(driver);
    return status;
}

void NTAPI IoDeleteDriver(PDRIVER_OBJECT DriverObject)
{
    if (DriverObject->DriverUnload)
        DriverObject->DriverUnload(DriverObject);
    ExpVerifyUnload(DriverObject);
    ObpRemoveName(DriverObject);
    ObDereferenceObject(DriverObject);
}

NTSTATUS NTAPI IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                              ULONG DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                              PDEVICE_OBJECT *DeviceObject)
{
    PDEVICE_OBJECT device;
    PVOID object;
    NTSTATUS status = ObpCreateObject(&IopDeviceType, sizeof *device + DeviceExtensionSize, &object);

    if (!NT_SUCCESS(status))
        return status;
    device = object;
    status = ObpSpreadReferences(device);
    if (!NT_SUCCESS(status)) {
        ObDereferenceObject(device);
        return status;
    }
    device->Type = IO_TYPE_DEVICE;
    device->Size = (USHORT)(sizeof *device + DeviceExtensionSize);
    device->DriverObject = DriverObject;
    device->DeviceExtension = DeviceExtensionSize ? device + 1 : NULL;
    device->DeviceType = DeviceType;
    device->Characteristics = DeviceCharacteristics;
    device->StackSize = 1;
    device->Flags = DO_DEVICE_INITIALIZING | (Exclusive ? DO_EXCLUSIVE : 0);
    KeInitializeEvent(&device->DeviceLock, SynchronizationEvent, TRUE);
    if (DeviceName) {
        status = ObpEnterName(DeviceName, device);
        if (!NT_SUCCESS(status)) {
            ObpGatherReferences(device);
            ObDereferenceObject(device);
            return status;
        }
    }
    device->NextDevice = DriverObject->DeviceObject;
    DriverObject->DeviceObject = device;
    *DeviceObject = device;
    return STATUS_SUCCESS;
}

void NTAPI IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_OBJECT *link = &DeviceObject->DriverObject->DeviceObject;

    while (*link && *link != DeviceObject)
        link = &(*link)->NextDevice;
    if (*link)
        *link = DeviceObject->NextDevice;
    ObpRemoveName(DeviceObject);
    ObpGatherReferences(DeviceObject);
    ObDereferenceObject(DeviceObject);
}

PDEVICE_OBJECT IopTopOfStack(PDEVICE_OBJECT Device)
{
    while (Device->AttachedDevice)
        Device = Device->AttachedDevice;
    return Device;
}

PDEVICE_OBJECT NTAPI IoAttachDeviceToDeviceStack(PDEVICE_OBJECT Source, PDEVICE_OBJECT Target)
{
    PDEVICE_OBJECT top = IopTopOfStack(Target);

    if (top->Flags & DO_DEVICE_INITIALIZING)
        return NULL;
    Source->AlignmentRequirement = top->AlignmentRequirement;
    Source->SectorSize = top->SectorSize;
    Source->StackSize = (CCHAR)(top->StackSize + 1);
    top->AttachedDevice = Source;
    return top;
}

PDEVICE_OBJECT NTAPI IoGetAttachedDevice(PDEVICE_OBJECT DeviceObject)
{
    return IopTopOfStack(DeviceObject);
}

NTSTATUS NTAPI IoAttachDevice(PDEVICE_OBJECT SourceDevice, PUNICODE_STRING TargetDevice, PDEVICE_OBJECT *AttachedDevice)
{
    PDEVICE_OBJECT target, top;
    PFILE_OBJECT file;
    NTSTATUS status = IoGetDeviceObjectPointer(TargetDevice, FILE_READ_ATTRIBUTES, &file, &target);

    if (!NT_SUCCESS(status))
        return status;
    top = IoAttachDeviceToDeviceStack(SourceDevice, target);
    if (top)
        *AttachedDevice = top; /* the close below goes through the source already (observed: ReactOS) */
    else
        status = EMU_DECIDE("Io", STATUS_NO_SUCH_DEVICE, "the top of the device's stack is still being initialized");
    ObDereferenceObject(file);
    return status;
}

void NTAPI IoDetachDevice(PDEVICE_OBJECT Target)
{
    Target->AttachedDevice = NULL;
}
