/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IRP_MJ_DEVICE_CONTROL: MUP asks whose a UNC name is. */
#include "rdr.h"

#include <ntemu/trace.h>

/* What a name without a share is: to MUP, a path that is not ours. */
static NTSTATUS split(const UNICODE_STRING *path, RDR_NAME *name)
{
    UNICODE_STRING rest = *path;

    *name = (RDR_NAME){0};
    if (!rest.Length || rest.Buffer[0] != '\\')
        return EMU_DECIDE("Rdr", STATUS_BAD_NETWORK_PATH, "no UNC name: %wZ", path);
    FsRtlDissectName(rest, &name->Server, &rest);
    FsRtlDissectName(rest, &name->Share, &rest);
    if (!name->Server.Length || !name->Share.Length)
        return EMU_DECIDE("Rdr", STATUS_BAD_NETWORK_PATH, "no share in %wZ", path);
    return STATUS_SUCCESS;
}

/* Named pipes, mailslots and what carries them: not files, and not there yet. */
static BOOLEAN is_interprocess(const UNICODE_STRING *share)
{
    static const UNICODE_STRING names[] = {NT_STRING(u"IPC$"), NT_STRING(u"PIPE"), NT_STRING(u"MAILSLOT")};

    for (ULONG i = 0; i < sizeof names / sizeof *names; i++)
        if (RtlEqualUnicodeString(share, &names[i], TRUE))
            return TRUE;
    return FALSE;
}

static NTSTATUS query_path(PIRP irp, const QUERY_PATH_REQUEST *request, ULONG length, QUERY_PATH_RESPONSE *response)
{
    UNICODE_STRING path;
    PV_NET_ROOT found;
    RDR_NAME name;
    NTSTATUS status;

    if (length < offsetof(QUERY_PATH_REQUEST, FilePathName) || request->PathNameLength > 0xfffe ||
        request->PathNameLength % sizeof(WCHAR) ||
        request->PathNameLength > length - offsetof(QUERY_PATH_REQUEST, FilePathName))
        return EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "the request does not hold its name");
    path = (UNICODE_STRING){(USHORT)request->PathNameLength, 0, (PWSTR)request->FilePathName};
    status = split(&path, &name);
    if (!NT_SUCCESS(status))
        return status;
    if (is_interprocess(&name.Share))
        return EMU_DECIDE("Rdr", STATUS_NOT_SUPPORTED, "%wZ is no share of files", &name.Share);
    status = RdrConnectShare(irp, &name, &found);
    if (!NT_SUCCESS(status))
        return status;
    RdrEndOpen(found);
    RdrDereferenceVNetRoot(found);
    response->LengthAccepted = (ULONG)((char *)name.Share.Buffer + name.Share.Length - (char *)path.Buffer);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RdrFsdDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(Irp);

    /* A program's buffers would be its own to change meanwhile (documented: the code is for kernel mode). */
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_REDIR_QUERY_PATH || Irp->RequestorMode != KernelMode)
        return RdrCompleteIrp(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    if (stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(QUERY_PATH_RESPONSE))
        return RdrCompleteIrp(Irp, STATUS_INVALID_PARAMETER, 0);
    return RdrCompleteIrp(Irp,
                          query_path(Irp, stack->Parameters.DeviceIoControl.Type3InputBuffer,
                                     stack->Parameters.DeviceIoControl.InputBufferLength, Irp->UserBuffer),
                          0);
}
