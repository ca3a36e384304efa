/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The redirector as a driver: \FileSystem\Rdr with its device, \Device\LanmanRedirector. */
#include "rdr.h"

#include "ob/obp.h"

PDEVICE_OBJECT RdrDevice;

static UNICODE_STRING device_name = NT_STRING(u"\\Device\\LanmanRedirector");

static OBP_COUNTER creates, failed_creates, connects;

void RdrCountCreate(NTSTATUS Status)
{
    ObpCount(&creates, 1);
    if (!NT_SUCCESS(Status))
        ObpCount(&failed_creates, 1);
}

void EmuRdrCreateCounts(ULONG64 *Creates, ULONG64 *Failed)
{
    *Creates = (ULONG64)ObpSum(&creates);
    *Failed = (ULONG64)ObpSum(&failed_creates);
}

void RdrCountConnect(void)
{
    ObpCount(&connects, 1);
}

ULONG64 EmuRdrConnectCount(void)
{
    return (ULONG64)ObpSum(&connects);
}

static HANDLE provider; /* the registration with MUP */

NTSTATUS RdrStart(void)
{
    return FsRtlRegisterUncProvider(&provider, &device_name, FALSE);
}

void RdrStop(void)
{
    if (provider)
        FsRtlDeregisterUncProvider(provider);
    provider = NULL;
}

static void NTAPI unload(PDRIVER_OBJECT DriverObject)
{
    RdrShutdownConnections();
    IoDeleteDevice(RdrDevice);
    RdrDevice = NULL;
}

NTSTATUS NTAPI RdrDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    ObpResetCount(&creates);
    ObpResetCount(&failed_creates);
    ObpResetCount(&connects);
    DriverObject->DriverUnload = unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = RdrFsdCreate;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = RdrFsdCleanup;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = RdrFsdClose;
    DriverObject->MajorFunction[IRP_MJ_READ] = RdrFsdRead;
    DriverObject->MajorFunction[IRP_MJ_WRITE] = RdrFsdWrite;
    DriverObject->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = RdrFsdFlushBuffers;
    DriverObject->MajorFunction[IRP_MJ_QUERY_INFORMATION] = RdrFsdQueryInformation;
    DriverObject->MajorFunction[IRP_MJ_SET_INFORMATION] = RdrFsdSetInformation;
    DriverObject->MajorFunction[IRP_MJ_QUERY_VOLUME_INFORMATION] = RdrFsdQueryVolumeInformation;
    DriverObject->MajorFunction[IRP_MJ_DIRECTORY_CONTROL] = RdrFsdDirectoryControl;
    DriverObject->MajorFunction[IRP_MJ_LOCK_CONTROL] = RdrFsdLockControl;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = RdrFsdDeviceControl;
    DriverObject->MajorFunction[IRP_MJ_FILE_SYSTEM_CONTROL] = RdrFsdFileSystemControl;
    DriverObject->MajorFunction[IRP_MJ_QUERY_EA] = RdrFsdQueryEa;
    DriverObject->MajorFunction[IRP_MJ_SET_EA] = RdrFsdSetEa;
    DriverObject->MajorFunction[IRP_MJ_SET_VOLUME_INFORMATION] = RdrFsdSetVolumeInformation;
    status = RdrInitializeTimer();
    if (!NT_SUCCESS(status))
        return status;
    status = IoCreateDevice(DriverObject, 0, &device_name, FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE, FALSE,
                            &RdrDevice);
    if (!NT_SUCCESS(status))
        RdrForgetTimer();
    else
        RdrDevice->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return status;
}
