/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refuse.c - services that the machine does not have. On a redirected handle they say so: left to Wine they would be
 * done to the token file, and nobody would notice.
 */
#include "guard.h"
#include "handle.h"
#include "info.h"
#include "target.h"

#define FSCTL_OBJECT_ID 0x9009Cu /* FSCTL_GET_OBJECT_ID */

NTSTATUS NTAPI hooked_NtSetVolumeInformationFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                                 ULONG class)
{
    if (handle_token(file))
        return STATUS_NOT_SUPPORTED;
    return wine.NtSetVolumeInformationFile(file, io, buffer, length, class);
}

NTSTATUS NTAPI hooked_NtNotifyChangeDirectoryFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context,
                                                  PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG filter,
                                                  BOOLEAN tree)
{
    if (handle_token(file))
        return STATUS_NOT_SUPPORTED;
    return wine.NtNotifyChangeDirectoryFile(file, event, apc, context, io, buffer, length, filter, tree);
}

NTSTATUS NTAPI hooked_NtQueryEaFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, BOOLEAN single,
                                    PVOID list, ULONG list_length, PULONG index, BOOLEAN restart)
{
    if (handle_token(file))
        return STATUS_EAS_NOT_SUPPORTED;
    return wine.NtQueryEaFile(file, io, buffer, length, single, list, list_length, index, restart);
}

NTSTATUS NTAPI hooked_NtSetEaFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length)
{
    if (handle_token(file))
        return STATUS_EAS_NOT_SUPPORTED;
    return wine.NtSetEaFile(file, io, buffer, length);
}

/*
 * Wine's CopyFile and ReplaceFile learn by this whether two names are one file's, and take a refusal for no: CopyFile
 * would then empty a file that is copied onto itself. NT 4.0 knows no object ids, and its CopyFile needs none, as the
 * source shares no writing.
 */
static NTSTATUS get_object_id(uint64_t token, PIO_STATUS_BLOCK io, void *output, ULONG length)
{
    unsigned char answer[64] = {0}; /* FILE_OBJECTID_BUFFER */
    NTSTATUS status = length < sizeof(answer) ? STATUS_INVALID_PARAMETER : info_object_id(token, answer);

    if (status != STATUS_SUCCESS)
        return status;
    if (!guarded_copy(output, answer, sizeof(answer)))
        return STATUS_ACCESS_VIOLATION;
    return guarded_status(io, status, sizeof(answer));
}

NTSTATUS NTAPI hooked_NtFsControlFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                      ULONG code, PVOID input, ULONG input_length, PVOID output, ULONG output_length)
{
    uint64_t token = handle_token(file);

    if (token && code == FSCTL_OBJECT_ID)
        return get_object_id(token, io, output, output_length);
    if (token)
        return STATUS_INVALID_DEVICE_REQUEST;
    return wine.NtFsControlFile(file, event, apc, context, io, code, input, input_length, output, output_length);
}

NTSTATUS NTAPI hooked_NtQuerySecurityObject(HANDLE handle, ULONG which, PVOID descriptor, ULONG length,
                                            PULONG ret_length)
{
    if (handle_token(handle))
        return STATUS_NOT_SUPPORTED;
    return wine.NtQuerySecurityObject(handle, which, descriptor, length, ret_length);
}

NTSTATUS NTAPI hooked_NtSetSecurityObject(HANDLE handle, ULONG which, PVOID descriptor)
{
    if (handle_token(handle))
        return STATUS_NOT_SUPPORTED;
    return wine.NtSetSecurityObject(handle, which, descriptor);
}

NTSTATUS NTAPI hooked_NtQueryInformationByName(POBJECT_ATTRIBUTES attributes, PIO_STATUS_BLOCK io, PVOID buffer,
                                               ULONG length, ULONG class)
{
    struct target target;

    if (target_redirected(attributes, &target))
        return STATUS_NOT_SUPPORTED;
    return wine.NtQueryInformationByName(attributes, io, buffer, length, class);
}
