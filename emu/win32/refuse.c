/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refuse.c - services that the machine does not have. On a redirected handle they say so: left to Wine they would be
 * done to the token file, and nobody would notice.
 */
#include "handle.h"
#include "target.h"

NTSTATUS NTAPI hooked_NtQueryInformationByName(POBJECT_ATTRIBUTES attributes, PIO_STATUS_BLOCK io, PVOID buffer,
                                               ULONG length, ULONG class)
{
    struct target target;

    if (target_redirected(attributes, &target))
        return STATUS_NOT_SUPPORTED;
    return wine.NtQueryInformationByName(attributes, io, buffer, length, class);
}
