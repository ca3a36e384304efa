/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MJ_QUERY_EA, IRP_MJ_SET_EA: what a share can do besides. libsmbclient carries none of
 * it, so the redirector says what a server would that has none of it either.
 */
#include "rdr.h"

#include <ntemu/trace.h>

#define FILE_SYSTEM_CODE(Function, Method, Access)                                                                     \
    ((ULONG)(FILE_DEVICE_FILE_SYSTEM << 16 | (Access) << 14 | (Function) << 2 | (Method)))

/* Documented: MS-FSCC 2.3. */
enum {
    SET_OBJECT_ID = FILE_SYSTEM_CODE(38, METHOD_BUFFERED, 0),
    GET_OBJECT_ID = FILE_SYSTEM_CODE(39, METHOD_BUFFERED, 0),
    DELETE_OBJECT_ID = FILE_SYSTEM_CODE(40, METHOD_BUFFERED, 0),
    SET_REPARSE_POINT = FILE_SYSTEM_CODE(41, METHOD_BUFFERED, 0),
    GET_REPARSE_POINT = FILE_SYSTEM_CODE(42, METHOD_BUFFERED, 0),
    DELETE_REPARSE_POINT = FILE_SYSTEM_CODE(43, METHOD_BUFFERED, 0),
    SET_OBJECT_ID_EXTENDED = FILE_SYSTEM_CODE(47, METHOD_BUFFERED, 0),
    CREATE_OR_GET_OBJECT_ID = FILE_SYSTEM_CODE(48, METHOD_BUFFERED, 0),
};
C_ASSERT(GET_REPARSE_POINT == 0x900a8 && CREATE_OR_GET_OBJECT_ID == 0x900c0);

static NTSTATUS status_of(ULONG code)
{
    switch (code) {
    case GET_REPARSE_POINT: /* observed: smbd */
    case SET_REPARSE_POINT:
    case DELETE_REPARSE_POINT:
        return EMU_DECIDE("Rdr", STATUS_NOT_A_REPARSE_POINT, "a share has no reparse points");
    case GET_OBJECT_ID: /* documented: MS-FSA 2.1.5.10, a volume without object ids */
    case SET_OBJECT_ID:
    case DELETE_OBJECT_ID:
    case SET_OBJECT_ID_EXTENDED:
    case CREATE_OR_GET_OBJECT_ID:
        return EMU_DECIDE("Rdr", STATUS_VOLUME_NOT_UPGRADED, "a share has no object ids");
    default: /* documented: MS-FSA 2.1.5.10, whatever is not implemented; MS-SMB2 3.3.5.15 */
        return EMU_DECIDE("Rdr", STATUS_INVALID_DEVICE_REQUEST, "code 0x%x is not for a share", code);
    }
}

NTSTATUS NTAPI RdrFsdFileSystemControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(Irp);
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);

    if (NT_SUCCESS(status))
        status = status_of(stack->Parameters.DeviceIoControl.IoControlCode);
    return RdrCompleteIrp(Irp, status, 0);
}

NTSTATUS NTAPI RdrFsdQueryEa(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(IoGetCurrentIrpStackLocation(Irp)->FileObject, &fcb, &fobx);

    if (NT_SUCCESS(status)) /* observed: smbd without "ea support" */
        status = EMU_DECIDE("Rdr", STATUS_NO_EAS_ON_FILE, "a share has no extended attributes");
    return RdrCompleteIrp(Irp, status, 0);
}

NTSTATUS NTAPI RdrFsdSetEa(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(IoGetCurrentIrpStackLocation(Irp)->FileObject, &fcb, &fobx);

    if (NT_SUCCESS(status)) /* as to a create that brings some */
        status = EMU_DECIDE("Rdr", STATUS_EAS_NOT_SUPPORTED, "extended attributes on a share");
    return RdrCompleteIrp(Irp, status, 0);
}
