/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How one driver comes to another one's device: by name, through a file object. */
#include "iop.h"

PDEVICE_OBJECT NTAPI IoGetRelatedDeviceObject(PFILE_OBJECT FileObject)
{
    return IopTopOfStack(FileObject->DeviceObject);
}

NTSTATUS NTAPI IoGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess, PFILE_OBJECT *FileObject,
                                        PDEVICE_OBJECT *DeviceObject)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    PVOID object;
    HANDLE handle;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, ObjectName, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    status = NtOpenFile(&handle, DesiredAccess, &attributes, &io_status, 0, FILE_NON_DIRECTORY_FILE);
    if (!NT_SUCCESS(status))
        return status;
    status = ObReferenceObjectByHandle(handle, 0, &IopFileType, KernelMode, &object, NULL);
    NtClose(handle);
    if (!NT_SUCCESS(status))
        return status;
    *FileObject = object;
    *DeviceObject = IoGetRelatedDeviceObject(object);
    return STATUS_SUCCESS;
}
