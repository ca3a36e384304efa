/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nwrdr.h - a second redirector, as Client Services for NetWare is one (nwrdr.sys): for what only happens where several
 * are installed. It is on a network on which there is no server, and has no files.
 *
 * To every name it says STATUS_BAD_NETWORK_NAME, which is what Q281312 tells of a second provider.
 */
#ifndef NTEMU_NWRDR_NWRDR_H
#define NTEMU_NWRDR_NWRDR_H

#include <ntemu/ntifs.h>

extern PDEVICE_OBJECT NwrDevice; /* \Device\NwRdr; NULL: not loaded */

NTSTATUS NTAPI NwrDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);

/* Registers with MUP, behind those that have, and takes that back. What FsRtlRegisterUncProvider returns. NwrStop does
 * nothing if it is not registered. */
NTSTATUS NwrStart(void);
void NwrStop(void);

#endif
