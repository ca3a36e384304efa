/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ioctl.c - NtDeviceIoControlFile: the machine's on redirected handles, and two that Wine's own DLLs send elsewhere.
 *
 * TransmitFile goes to the socket, with the file's handle inside: that would be the token file, which is empty.
 *
 * Wine's WNetGetConnectionW does not ask the network provider. It asks the mount manager where a drive leads on the
 * Linux side, and takes "unc/server/share" for a network drive.
 */
#include <string.h>

#include "client.h"
#include "control.h"
#include "guard.h"
#include "handle.h"
#include "info.h"

#ifndef CP_UNIXCP
#define CP_UNIXCP 65010
#endif

#define IOCTL_QUERY_UNIX_DRIVE 0x6D4084u /* CTL_CODE('m', 33, METHOD_BUFFERED, FILE_READ_ACCESS) */

#define IOCTL_TRANSMIT       0x12033Cu /* CTL_CODE(FILE_DEVICE_NETWORK, 207, METHOD_BUFFERED, FILE_ANY_ACCESS) */
#define TRANSMIT_SIZE        48u       /* of its structure in Wine 8 to 10, and where the file's handle is in it */
#define TRANSMIT_FILE_OFFSET 32u

/* Wine's struct mountmgr_unix_drive. */
struct unix_drive {
    ULONG size, type, fs_type, serial;
    uint64_t unix_device;
    WCHAR letter;
    USHORT mount_point_offset, device_offset, label_offset;
};

static NTSTATUS answer_unix_drive(WCHAR letter, PIO_STATUS_BLOCK io, void *output, ULONG length)
{
    struct {
        struct unix_drive drive;
        char mount_point[3 * MAX_PATH];
    } answer;
    char *at = answer.mount_point;
    WCHAR remote[MAX_PATH];
    size_t bytes;
    int count;
    NTSTATUS status = info_connection((letter & ~0x20) - 'A', remote, sizeof(remote), &bytes);

    if (status != STATUS_SUCCESS)
        return status;
    memset(&answer, 0, sizeof(answer));
    memcpy(at, "unc", 3);
    count = WideCharToMultiByte(CP_UNIXCP, 0, remote + 1, (int)(bytes / sizeof(WCHAR)) - 1, at + 3,
                                sizeof(answer.mount_point) - 4, NULL, NULL);
    for (; *at; at++)
        if (*at == '\\')
            *at = '/';
    answer.drive.size = (ULONG)(sizeof(answer.drive) + 3 + count + 1);
    answer.drive.type = DRIVE_REMOTE;
    answer.drive.letter = letter;
    answer.drive.mount_point_offset = sizeof(answer.drive);
    if (length < sizeof(answer.drive.size))
        return STATUS_BUFFER_TOO_SMALL;
    status = length < answer.drive.size ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
    if (length > answer.drive.size)
        length = answer.drive.size;
    if (!guarded_copy(output, &answer, status == STATUS_SUCCESS ? length : sizeof(answer.drive.size)))
        return STATUS_ACCESS_VIOLATION;
    return guarded_status(io, status, length);
}

static bool transmits_redirected_file(const void *input, ULONG length)
{
    ULONG file;

    return length >= TRANSMIT_SIZE && guarded_copy(&file, (const char *)input + TRANSMIT_FILE_OFFSET, sizeof(file)) &&
           handle_token((HANDLE)(ULONG_PTR)file) != 0;
}

NTSTATUS NTAPI hooked_NtDeviceIoControlFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context,
                                            PIO_STATUS_BLOCK io, ULONG code, PVOID input, ULONG input_length,
                                            PVOID output, ULONG output_length)
{
    struct request request = {.file = file, .event = event, .apc = apc, .context = context, .io = io};
    struct unix_drive drive;

    if (code == IOCTL_QUERY_UNIX_DRIVE && input_length >= sizeof(drive) && guarded_copy(&drive, input, sizeof(drive)) &&
        client_redirects(drive.letter))
        return answer_unix_drive(drive.letter, io, output, output_length);
    if (code == IOCTL_TRANSMIT && transmits_redirected_file(input, input_length))
        return STATUS_NOT_SUPPORTED;
    request.token = handle_token(file);
    if (request.token)
        return control_file(&request, code, input, input_length, output, output_length, WIRE_CONTROL_DEVICE);
    return wine.NtDeviceIoControlFile(file, event, apc, context, io, code, input, input_length, output, output_length);
}
