/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rw.c - NtReadFile, NtWriteFile, NtFlushBuffersFile.
 *
 * Every transfer is complete when the service returns, also on an overlapped handle: its event is set and its status
 * block filled then. There is no queue, so an APC has nobody to deliver it and is refused.
 */
#include <string.h>

#include "client.h"
#include "guard.h"
#include "handle.h"
#include "rw.h"

NTSTATUS io_begin(HANDLE event, apc_routine apc)
{
    if (apc)
        return STATUS_NOT_SUPPORTED;
    return event ? wine.NtResetEvent(event, NULL) : STATUS_SUCCESS;
}

NTSTATUS io_complete(HANDLE event, PIO_STATUS_BLOCK io, NTSTATUS status, uint64_t information)
{
    if (NT_ERROR(status))
        return status;
    status = guarded_status(io, status, (ULONG_PTR)information);
    if (event && !NT_ERROR(status))
        wine.NtSetEvent(event, NULL);
    return status;
}

static NTSTATUS read_part(uint64_t token, unsigned char *buffer, int64_t offset, uint32_t length, uint32_t key,
                          uint64_t *ret_done)
{
    struct wire_io request = {token, offset, length, key};
    struct wire_done done;
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_READ);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = call_exchange(&call, sizeof(request), sizeof(done));
    if (!NT_SUCCESS(status))
        goto exit;
    memcpy(&done, call.body, sizeof(done));
    if (done.information > length || done.information > call.reply_bytes - sizeof(done))
        status = STATUS_UNEXPECTED_NETWORK_ERROR;
    else if (!guarded_copy(buffer, call.body + sizeof(done), (size_t)done.information))
        status = STATUS_ACCESS_VIOLATION;
    else
        *ret_done = done.information;
exit:
    call_end(&call);
    return status;
}

static NTSTATUS write_part(uint64_t token, const unsigned char *buffer, int64_t offset, uint32_t length, uint32_t key,
                           uint64_t *ret_done)
{
    struct wire_io request = {token, offset, length, key};
    struct wire_done done;
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_WRITE);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = STATUS_ACCESS_VIOLATION;
    if (!guarded_copy(call.body + sizeof(request), buffer, length))
        goto exit;
    status = call_exchange(&call, sizeof(request) + length, sizeof(done));
    if (!NT_SUCCESS(status))
        goto exit;
    memcpy(&done, call.body, sizeof(done));
    if (done.information > length)
        status = STATUS_UNEXPECTED_NETWORK_ERROR;
    else
        *ret_done = done.information;
exit:
    call_end(&call);
    return status;
}

/*
 * A message holds WIRE_DATA_MAX bytes, a transfer any number. Once a part was moved the rest's failure is the next
 * call's: the program is told how much was.
 */
static NTSTATUS transfer(uint64_t token, bool writing, unsigned char *buffer, int64_t offset, uint32_t length,
                         uint32_t key, uint64_t *ret_done)
{
    uint64_t total = 0;
    NTSTATUS status;

    do {
        uint32_t part = length - total < WIRE_DATA_MAX ? (uint32_t)(length - total) : WIRE_DATA_MAX;
        int64_t at = offset < 0 ? offset : offset + (int64_t)total;
        uint64_t done = 0;

        status = writing ? write_part(token, buffer + total, at, part, key, &done)
                         : read_part(token, buffer + total, at, part, key, &done);
        if (!NT_SUCCESS(status))
            break;
        total += done;
        if (done < part)
            break;
    } while (total < length);
    *ret_done = total;
    return total && NT_ERROR(status) ? STATUS_SUCCESS : status;
}

NTSTATUS rw_read(uint64_t token, void *buffer, int64_t offset, uint32_t length, uint64_t *ret_done)
{
    return transfer(token, false, buffer, offset, length, 0, ret_done);
}

static NTSTATUS transfer_service(uint64_t token, bool writing, HANDLE event, apc_routine apc, PIO_STATUS_BLOCK io,
                                 void *buffer, ULONG length, const LARGE_INTEGER *offset, const ULONG *key)
{
    LARGE_INTEGER at = {.QuadPart = WIRE_OFFSET_CURRENT};
    uint64_t done = 0;
    uint32_t lock_key = 0;
    NTSTATUS status = io_begin(event, apc);

    if (status != STATUS_SUCCESS)
        return status;
    if ((offset && !guarded_copy(&at, offset, sizeof(at))) || (key && !guarded_copy(&lock_key, key, sizeof(lock_key))))
        return STATUS_ACCESS_VIOLATION;
    status = transfer(token, writing, buffer, at.QuadPart, length, lock_key, &done);
    return io_complete(event, io, status, done);
}

NTSTATUS NTAPI hooked_NtReadFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                 PVOID buffer, ULONG length, PLARGE_INTEGER offset, PULONG key)
{
    uint64_t token = handle_token(file);

    if (!token)
        return wine.NtReadFile(file, event, apc, context, io, buffer, length, offset, key);
    return transfer_service(token, false, event, apc, io, buffer, length, offset, key);
}

NTSTATUS NTAPI hooked_NtWriteFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                  const void *buffer, ULONG length, PLARGE_INTEGER offset, PULONG key)
{
    uint64_t token = handle_token(file);

    if (!token)
        return wine.NtWriteFile(file, event, apc, context, io, buffer, length, offset, key);
    return transfer_service(token, true, event, apc, io, (void *)buffer, length, offset, key);
}

static NTSTATUS flush(uint64_t token, PIO_STATUS_BLOCK io)
{
    struct wire_token request = {token};
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_FLUSH);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = call_exchange(&call, sizeof(request), 0);
    call_end(&call);
    return io_complete(NULL, io, status, 0);
}

NTSTATUS NTAPI hooked_NtFlushBuffersFile(HANDLE file, PIO_STATUS_BLOCK io)
{
    uint64_t token = handle_token(file);

    return token ? flush(token, io) : wine.NtFlushBuffersFile(file, io);
}

NTSTATUS NTAPI hooked_NtFlushBuffersFileEx(HANDLE file, ULONG flags, PVOID parameters, ULONG size, PIO_STATUS_BLOCK io)
{
    uint64_t token = handle_token(file);

    return token ? flush(token, io) : wine.NtFlushBuffersFileEx(file, flags, parameters, size, io);
}
