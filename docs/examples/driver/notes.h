/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* notes.h - \Device\Notes: each open has a name of its own, which the driver keeps until the file is closed. */
#ifndef NOTES_H
#define NOTES_H

#include <ntemu/ntifs.h>

#define NOTES_TAG POOL_TAG('N', 'o', 't', 'e')

NTSTATUS NTAPI NotesDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);

#endif
