/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the I/O manager tells a trace: a create's parameters, and where a request goes. */
#include "iop.h"

#include <ntemu/createtext.h>
#include <ntemu/trace.h>

void IopTraceCreate(const EMU_TRACE_PLACE *Service, const OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access,
                    const OPEN_PACKET *Packet)
{
    char access[EMU_CREATE_TEXT], share[EMU_CREATE_TEXT], disposition[EMU_CREATE_TEXT], options[EMU_CREATE_TEXT];

    EmuTraceSay_(EmuTraceCall, Service, "%s \"%wZ\"%s  access %s  share %s  %s  options %s", Service->Function,
                 Attributes ? Attributes->ObjectName : NULL,
                 Attributes && Attributes->RootDirectory ? " relative to a handle" : "",
                 EmuCreateText(EmuCreateAccess, Access, access),
                 EmuCreateText(EmuCreateShare, Packet->ShareAccess, share),
                 EmuCreateText(EmuCreateDisposition, Packet->Disposition, disposition),
                 EmuCreateText(EmuCreateOptions, Packet->Options, options));
}

static const char *major_name(UCHAR major)
{
    static const char *const names[] = {
        [IRP_MJ_CREATE] = "IRP_MJ_CREATE",
        [IRP_MJ_CLOSE] = "IRP_MJ_CLOSE",
        [IRP_MJ_READ] = "IRP_MJ_READ",
        [IRP_MJ_WRITE] = "IRP_MJ_WRITE",
        [IRP_MJ_QUERY_INFORMATION] = "IRP_MJ_QUERY_INFORMATION",
        [IRP_MJ_SET_INFORMATION] = "IRP_MJ_SET_INFORMATION",
        [IRP_MJ_QUERY_EA] = "IRP_MJ_QUERY_EA",
        [IRP_MJ_SET_EA] = "IRP_MJ_SET_EA",
        [IRP_MJ_FLUSH_BUFFERS] = "IRP_MJ_FLUSH_BUFFERS",
        [IRP_MJ_QUERY_VOLUME_INFORMATION] = "IRP_MJ_QUERY_VOLUME_INFORMATION",
        [IRP_MJ_DIRECTORY_CONTROL] = "IRP_MJ_DIRECTORY_CONTROL",
        [IRP_MJ_FILE_SYSTEM_CONTROL] = "IRP_MJ_FILE_SYSTEM_CONTROL",
        [IRP_MJ_DEVICE_CONTROL] = "IRP_MJ_DEVICE_CONTROL",
        [IRP_MJ_INTERNAL_DEVICE_CONTROL] = "IRP_MJ_INTERNAL_DEVICE_CONTROL",
        [IRP_MJ_CLEANUP] = "IRP_MJ_CLEANUP",
    };

    return major < sizeof names / sizeof *names && names[major] ? names[major] : "an IRP";
}

void IopTraceIrp(const DEVICE_OBJECT *Device, const IO_STACK_LOCATION *Stack)
{
    const FILE_OBJECT *file = Stack->FileObject;

    if (Stack->MajorFunction == IRP_MJ_CREATE && file)
        EMU_STEP("Io", "IRP_MJ_CREATE to %wZ, file name \"%wZ\"", &Device->DriverObject->DriverName, &file->FileName);
    else
        EMU_STEP("Io", "%s to %wZ", major_name(Stack->MajorFunction), &Device->DriverObject->DriverName);
}
