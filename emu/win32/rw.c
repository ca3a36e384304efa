/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rw.c - NtReadFile, NtWriteFile, NtReadFileScatter, NtWriteFileGather, NtFlushBuffersFile. */
#include <string.h>

#include "client.h"
#include "copy.h"
#include "guard.h"
#include "handle.h"
#include "info.h"
#include "request.h"
#include "rw.h"
#include "writable.h"

#define CLASS_ACCESS   8
#define CLASS_POSITION 14

NTSTATUS io_complete(PIO_STATUS_BLOCK io, NTSTATUS status, uint64_t information)
{
    return NT_ERROR(status) ? status : guarded_status(io, status, (ULONG_PTR)information);
}

/* ---- transfers ---- */

#define PAGE       4096u
#define UNFINISHED UINT32_MAX

/* Copies between a message and the program's buffer at `at`, which may be one of pages that lie anywhere. */
static bool copy(const struct request *request, uint64_t at, unsigned char *message, uint32_t bytes)
{
    const FILE_SEGMENT_ELEMENT *segments = request->of.transfer.segments;
    unsigned char *buffer = request->of.transfer.buffer + at;
    uint32_t part = bytes;

    for (uint32_t done = 0; done < bytes; done += part, buffer += part) {
        bool good;

        if (segments) {
            uint32_t within = (uint32_t)((at + done) % PAGE);

            buffer = (unsigned char *)segments[(at + done) / PAGE].Buffer + within;
            part = bytes - done < PAGE - within ? bytes - done : PAGE - within;
        }
        good = request->of.transfer.writing ? guarded_copy(message + done, buffer, part)
                                            : guarded_copy(buffer, message + done, part);
        if (!good)
            return false;
    }
    return true;
}

/*
 * The machine does up to WIRE_TRANSFER_MAX bytes as one request. A message holds WIRE_DATA_MAX of them: what is to be
 * written goes ahead of it in parts, what has been read follows it. information is what whole requests have done.
 */
static uint32_t smaller(uint64_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

static uint32_t next_whole(const struct request *request)
{
    return smaller(request->of.transfer.length - request->information, WIRE_TRANSFER_MAX);
}

/* Of the bytes that are under way, what the next message moves. */
static uint32_t next_part(const struct request *request)
{
    return smaller(request->of.transfer.whole - request->of.transfer.moved, WIRE_DATA_MAX);
}

/* Whether that message is the one that does it: the last one of a write, the first one of a read. */
static bool does_it(const struct request *request)
{
    if (request->of.transfer.writing)
        return request->of.transfer.moved + next_part(request) == request->of.transfer.whole;
    return request->of.transfer.moved == 0;
}

static uint32_t fill_fixed(struct request *request)
{
    int64_t offset = request->of.transfer.offset;
    struct wire_io whole = {request->token, offset < 0 ? offset : offset + (int64_t)request->information,
                            request->of.transfer.whole, request->of.transfer.key};
    struct wire_part part = {request->of.transfer.moved, request->of.transfer.whole};

    if (does_it(request)) {
        memcpy(request->call.body, &whole, sizeof(whole));
        return sizeof(whole);
    }
    memcpy(request->call.body, &part, sizeof(part));
    return sizeof(part);
}

static NTSTATUS send_part(struct request *request)
{
    const bool writing = request->of.transfer.writing;
    uint32_t fixed, bytes;
    NTSTATUS status;

    if (request->of.transfer.moved == 0)
        request->of.transfer.whole = next_whole(request);
    status = request_call(request, does_it(request) ? request->of.transfer.op
                                   : writing        ? WIRE_PUT_PART
                                                    : WIRE_GET_PART);
    if (status != STATUS_SUCCESS)
        return status;
    fixed = fill_fixed(request);
    bytes = writing ? next_part(request) : 0;
    if (!copy(request, request->information + request->of.transfer.moved, request->call.body + fixed, bytes))
        return STATUS_ACCESS_VIOLATION;
    call_send(&request->call, fixed + bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS take_done(const struct request *request, uint32_t *ret_done)
{
    struct wire_done done;

    if (request->call.reply_bytes < sizeof(done))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    memcpy(&done, request->call.body, sizeof(done));
    if (done.information > request->of.transfer.whole)
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    *ret_done = (uint32_t)done.information;
    return STATUS_SUCCESS;
}

/* Both: *ret_done is set if the request of the machine's has come to its end, and is what it has done. */
static NTSTATUS take_written(struct request *request, uint32_t *ret_done)
{
    if (does_it(request))
        return take_done(request, ret_done);
    request->of.transfer.moved += next_part(request);
    return STATUS_SUCCESS;
}

static NTSTATUS take_read(struct request *request, uint32_t *ret_done)
{
    unsigned char *bytes = request->call.body + sizeof(struct wire_done);
    NTSTATUS status = STATUS_SUCCESS;
    uint32_t part;

    if (does_it(request))
        status = take_done(request, &request->of.transfer.whole);
    part = next_part(request);
    if (status == STATUS_SUCCESS && request->call.reply_bytes < sizeof(struct wire_done) + part)
        status = STATUS_UNEXPECTED_NETWORK_ERROR;
    if (status != STATUS_SUCCESS)
        return status;
    if (!copy(request, request->information + request->of.transfer.moved, bytes, part))
        return STATUS_ACCESS_VIOLATION;
    request->of.transfer.moved += part;
    if (request->of.transfer.moved == request->of.transfer.whole)
        *ret_done = request->of.transfer.whole;
    return STATUS_SUCCESS;
}

/* ---- writes to a file that is mapped ---- */

/* Where what has just been written begins: at its offset, or it ends at the handle's position or the file's end. */
static NTSTATUS find_written(const struct request *request, uint32_t done, int64_t *ret_offset)
{
    ACCESS_MASK access = 0;
    uint64_t ignored;
    NTSTATUS status = info_query(request->token, CLASS_ACCESS, &access, sizeof(access), &ignored);

    if (!NT_SUCCESS(status))
        return status;
    if (access & FILE_WRITE_DATA && request->of.transfer.offset >= 0) {
        *ret_offset = request->of.transfer.offset + (int64_t)request->information;
        return STATUS_SUCCESS;
    }
    if (access & FILE_WRITE_DATA && request->of.transfer.offset == WIRE_OFFSET_CURRENT)
        status = info_query(request->token, CLASS_POSITION, ret_offset, sizeof(*ret_offset), &ignored);
    else
        status = copy_size(request->token, ret_offset);
    *ret_offset -= done;
    return status;
}

/* Of the program's buffer, behind what was written before. */
static void show_in_views(const struct request *request, uint32_t done)
{
    unsigned char *buffer = VirtualAlloc(NULL, WIRE_DATA_MAX, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    int64_t offset;

    if (buffer && NT_SUCCESS(find_written(request, done, &offset)))
        for (uint32_t at = 0, part; at < done; at += part) {
            part = smaller(done - at, WIRE_DATA_MAX);
            if (!copy(request, request->information + at, buffer, part))
                break;
            writable_written(request->token, buffer, part, offset + at);
        }
    VirtualFree(buffer, 0, MEM_RELEASE);
}

/* Once something was moved the rest's failure is the next call's: the program is told how much was. */
static NTSTATUS take_part(struct request *request, NTSTATUS status, bool *ret_more)
{
    uint32_t asked = next_whole(request), done = UNFINISHED;

    if (NT_SUCCESS(status))
        status = request->of.transfer.writing ? take_written(request, &done) : take_read(request, &done);
    if (NT_SUCCESS(status) && done == UNFINISHED) {
        *ret_more = true;
        return status;
    }
    request->of.transfer.moved = 0;
    if (NT_SUCCESS(status)) {
        if (request->of.transfer.mapped)
            show_in_views(request, done);
        request->information += done;
        *ret_more = done == asked && request->information < request->of.transfer.length;
    }
    return request->information && NT_ERROR(status) ? STATUS_SUCCESS : status;
}

static const struct request_kind transfer_kind = {send_part, take_part, NULL};

static NTSTATUS transfer_pages(uint64_t token, enum wire_op op, void *buffer, int64_t offset, uint32_t length,
                               uint64_t *ret_done)
{
    struct request request = {
        .kind = &transfer_kind,
        .token = token,
        .of.transfer = {
            .op = op, .writing = op == WIRE_WRITE_PAGES, .buffer = buffer, .offset = offset, .length = length}};
    NTSTATUS status = request_run(&request, CALL_FOREVER);

    *ret_done = request.information;
    return status;
}

NTSTATUS rw_read_pages(uint64_t token, void *buffer, int64_t offset, uint32_t length, uint64_t *ret_done)
{
    return transfer_pages(token, WIRE_READ_PAGES, buffer, offset, length, ret_done);
}

NTSTATUS rw_write_pages(uint64_t token, const void *buffer, int64_t offset, uint32_t length)
{
    uint64_t done;

    return transfer_pages(token, WIRE_WRITE_PAGES, (void *)buffer, offset, length, &done);
}

static NTSTATUS perform(struct request *request, const LARGE_INTEGER *offset, const ULONG *key)
{
    NTSTATUS status;

    request->kind = &transfer_kind;
    request->of.transfer.op = request->of.transfer.writing ? WIRE_WRITE : WIRE_READ;
    request->of.transfer.offset = WIRE_OFFSET_CURRENT;
    request->of.transfer.key = 0;
    if ((offset && !guarded_copy(&request->of.transfer.offset, offset, sizeof(*offset))) ||
        (key && !guarded_copy(&request->of.transfer.key, key, sizeof(*key)))) {
        if (request->memory)
            VirtualFree(request->memory, 0, MEM_RELEASE);
        return STATUS_ACCESS_VIOLATION;
    }
    if (!request->of.transfer.writing)
        writable_begin_read(request->token, request->of.transfer.offset, request->of.transfer.length);
    /* Within its service: nothing that others write back is to come in between. */
    request->of.transfer.mapped = request->prompt =
        request->of.transfer.writing && writable_begin_write(request->token);
    status = request_perform(request);
    if (request->of.transfer.mapped)
        writable_end_write(request->token);
    return status;
}

NTSTATUS NTAPI hooked_NtReadFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                 PVOID buffer, ULONG length, PLARGE_INTEGER offset, PULONG key)
{
    struct request request = {.file = file, .event = event, .apc = apc, .context = context, .io = io};

    request.token = handle_token(file);
    if (!request.token)
        return wine.NtReadFile(file, event, apc, context, io, buffer, length, offset, key);
    request.of.transfer.buffer = buffer;
    request.of.transfer.length = length;
    return perform(&request, offset, key);
}

NTSTATUS NTAPI hooked_NtWriteFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                  const void *buffer, ULONG length, PLARGE_INTEGER offset, PULONG key)
{
    struct request request = {.file = file, .event = event, .apc = apc, .context = context, .io = io};

    request.token = handle_token(file);
    if (!request.token)
        return wine.NtWriteFile(file, event, apc, context, io, buffer, length, offset, key);
    request.of.transfer.buffer = (unsigned char *)buffer;
    request.of.transfer.length = length;
    request.of.transfer.writing = true;
    return perform(&request, offset, key);
}

/* The list is the service's to copy; the pages are the program's, as buffers are (documented: ReadFileScatter). */
static NTSTATUS perform_pages(struct request *request, const FILE_SEGMENT_ELEMENT *segments, ULONG length,
                              const LARGE_INTEGER *offset, const ULONG *key)
{
    SIZE_T size = ((SIZE_T)length + PAGE - 1) / PAGE * sizeof(*segments);

    if (handle_is_synchronous(request->file, request->token))
        return STATUS_INVALID_PARAMETER;
    request->memory = VirtualAlloc(NULL, size ? size : 1, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!request->memory)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!guarded_copy(request->memory, segments, size)) {
        VirtualFree(request->memory, 0, MEM_RELEASE);
        return STATUS_ACCESS_VIOLATION;
    }
    request->of.transfer.segments = request->memory;
    request->of.transfer.length = length;
    return perform(request, offset, key);
}

NTSTATUS NTAPI hooked_NtReadFileScatter(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                        PVOID segments, ULONG length, PLARGE_INTEGER offset, PULONG key)
{
    struct request request = {.file = file, .event = event, .apc = apc, .context = context, .io = io};

    request.token = handle_token(file);
    if (!request.token)
        return wine.NtReadFileScatter(file, event, apc, context, io, segments, length, offset, key);
    return perform_pages(&request, segments, length, offset, key);
}

NTSTATUS NTAPI hooked_NtWriteFileGather(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                        PVOID segments, ULONG length, PLARGE_INTEGER offset, PULONG key)
{
    struct request request = {.file = file, .event = event, .apc = apc, .context = context, .io = io};

    request.token = handle_token(file);
    if (!request.token)
        return wine.NtWriteFileGather(file, event, apc, context, io, segments, length, offset, key);
    request.of.transfer.writing = true;
    return perform_pages(&request, segments, length, offset, key);
}

/* ---- flushing ---- */

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
    return io_complete(io, status, 0);
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
