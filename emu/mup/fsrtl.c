/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel offers redirectors for registering with MUP. */
#include "mup.h"

#include <string.h>

static NTSTATUS open_mup(HANDLE *mup)
{
    static UNICODE_STRING name = NT_STRING(u"\\Device\\Mup");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return NtOpenFile(mup, GENERIC_WRITE | SYNCHRONIZE, &attributes, &io_status, FILE_SHARE_READ | FILE_SHARE_WRITE,
                      FILE_SYNCHRONOUS_IO_NONALERT);
}

NTSTATUS NTAPI FsRtlRegisterUncProvider(PHANDLE MupHandle, PUNICODE_STRING RedirectorDeviceName,
                                        BOOLEAN MailslotsSupported)
{
    ULONG length = (ULONG)sizeof(MUP_REGISTRATION) + RedirectorDeviceName->Length;
    MUP_REGISTRATION *registration = ExAllocatePoolWithTag(PagedPool, length, MUP_TAG);
    IO_STATUS_BLOCK io_status;
    HANDLE mup;
    NTSTATUS status;

    if (!registration)
        return STATUS_INSUFFICIENT_RESOURCES;
    registration->MailslotsSupported = MailslotsSupported;
    memcpy(registration->DeviceName, RedirectorDeviceName->Buffer, RedirectorDeviceName->Length);
    status = open_mup(&mup);
    if (!NT_SUCCESS(status))
        goto exit;
    status = NtFsControlFile(mup, NULL, NULL, NULL, &io_status, FSCTL_MUP_REGISTER_UNC_PROVIDER, registration, length,
                             NULL, 0);
    if (NT_SUCCESS(status))
        *MupHandle = mup;
    else
        NtClose(mup);
exit:
    ExFreePoolWithTag(registration, MUP_TAG);
    return status;
}

void NTAPI FsRtlDeregisterUncProvider(HANDLE Handle)
{
    NtClose(Handle);
}
