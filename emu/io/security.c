/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security descriptors of files, which are their driver's (documented: WDK, IRP_MJ_QUERY_SECURITY). Of a driver that
 * has none, the I/O manager says that everything is everybody's, and takes whatever is set (observed: ReactOS,
 * IopGetSetSecurityObject and SeSetWorldSecurityDescriptor). No other objects of this machine have any.
 */
#include "iop.h"

#include <string.h>

typedef struct _RELATIVE_DESCRIPTOR { /* SECURITY_DESCRIPTOR_RELATIVE (documented: MS-DTYP 2.4.6) */
    UCHAR Revision, Sbz1;
    USHORT Control;
    ULONG Owner, Group, Sacl, Dacl; /* offsets; 0: there is none */
} RELATIVE_DESCRIPTOR;
C_ASSERT(sizeof(RELATIVE_DESCRIPTOR) == 20);

static const UCHAR everybody[12] = {1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}; /* S-1-1-0 */

static ULONG append_everybody(PUCHAR descriptor, ULONG *used)
{
    ULONG at = *used;

    memcpy(descriptor + at, everybody, sizeof everybody);
    *used += sizeof everybody;
    return at;
}

/* No DACL keeps nobody out. */
static NTSTATUS make_world_descriptor(SECURITY_INFORMATION which, PVOID descriptor, ULONG length, ULONG *needed)
{
    RELATIVE_DESCRIPTOR header = {.Revision = SECURITY_DESCRIPTOR_REVISION, .Control = SE_SELF_RELATIVE};
    ULONG used = sizeof header, sids = !!(which & OWNER_SECURITY_INFORMATION) + !!(which & GROUP_SECURITY_INFORMATION);

    *needed = used + sids * (ULONG)sizeof everybody;
    if (length < *needed)
        return STATUS_BUFFER_TOO_SMALL;
    if (which & OWNER_SECURITY_INFORMATION)
        header.Owner = append_everybody(descriptor, &used);
    if (which & GROUP_SECURITY_INFORMATION)
        header.Group = append_everybody(descriptor, &used);
    if (which & DACL_SECURITY_INFORMATION)
        header.Control |= SE_DACL_PRESENT;
    if (which & SACL_SECURITY_INFORMATION)
        header.Control |= SE_SACL_PRESENT;
    memcpy(descriptor, &header, sizeof header);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQuerySecurityObject(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                     PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Length, PULONG LengthNeeded)
{
    ACCESS_MASK access = SecurityInformation & SACL_SECURITY_INFORMATION ? ACCESS_SYSTEM_SECURITY : 0;
    IO_STATUS_BLOCK result = {{0}, 0};
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PIRP irp;
    NTSTATUS status;

    if (SecurityInformation & ~(SECURITY_INFORMATION)SACL_SECURITY_INFORMATION)
        access |= READ_CONTROL;
    status = IopReferenceFileForAll(Handle, access, &file);
    if (!NT_SUCCESS(status))
        return status;
    irp = IopBuildRequest(file, IRP_MJ_QUERY_SECURITY, &stack);
    status = STATUS_INSUFFICIENT_RESOURCES;
    if (irp) {
        irp->UserBuffer = SecurityDescriptor;
        stack->Parameters.QuerySecurity.SecurityInformation = SecurityInformation;
        stack->Parameters.QuerySecurity.Length = Length;
        status = IopSend(file, irp, &result);
        *LengthNeeded = (ULONG)result.Information;
    }
    if (status == STATUS_INVALID_DEVICE_REQUEST)
        status = make_world_descriptor(SecurityInformation, SecurityDescriptor, Length, LengthNeeded);
    else if (status == STATUS_BUFFER_OVERFLOW)
        status = STATUS_BUFFER_TOO_SMALL;
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                   PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    ACCESS_MASK access = SecurityInformation & SACL_SECURITY_INFORMATION ? ACCESS_SYSTEM_SECURITY : 0;
    IO_STATUS_BLOCK result = {{0}, 0};
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PIRP irp;
    NTSTATUS status;

    if (SecurityInformation & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION))
        access |= WRITE_OWNER;
    if (SecurityInformation & DACL_SECURITY_INFORMATION)
        access |= WRITE_DAC;
    status = IopReferenceFileForAll(Handle, access, &file);
    if (!NT_SUCCESS(status))
        return status;
    irp = IopBuildRequest(file, IRP_MJ_SET_SECURITY, &stack);
    status = STATUS_INSUFFICIENT_RESOURCES;
    if (irp) {
        stack->Parameters.SetSecurity.SecurityInformation = SecurityInformation;
        stack->Parameters.SetSecurity.SecurityDescriptor = SecurityDescriptor;
        status = IopSend(file, irp, &result);
    }
    if (status == STATUS_INVALID_DEVICE_REQUEST)
        status = STATUS_SUCCESS;
    ObDereferenceObject(file);
    return status;
}
