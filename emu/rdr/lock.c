/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_LOCK_CONTROL. The server is not asked: libsmbclient has no byte-range lock. So locks are between the programs
 * of this machine, per FCB: of one file on one connection.
 */
#include "rdr.h"

#include <ntemu/trace.h>

NTSTATUS NTAPI RdrFsdLockControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status = RdrDecodeFile(IoGetCurrentIrpStackLocation(Irp)->FileObject, &fcb, &fobx);

    if (NT_SUCCESS(status) && fobx->Directory)
        status = EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "a directory has no bytes to be locked");
    if (!NT_SUCCESS(status))
        return RdrCompleteIrp(Irp, status, 0);
    return FsRtlProcessFileLock(&fcb->FileLock, Irp, NULL);
}
