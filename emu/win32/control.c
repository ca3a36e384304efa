/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - control codes, extended attributes and security descriptors of redirected files: the machine's to answer.
 */
#include <string.h>

#include "client.h"
#include "control.h"
#include "guard.h"
#include "handle.h"
#include "info.h"
#include "rw.h"

#define CODE_GET_OBJECT_ID 0x9009Cu /* FSCTL_GET_OBJECT_ID */

/* A request with bytes behind its fixed part, and a reply of wire_done and bytes. */
static NTSTATUS ask(enum wire_op op, const void *fixed, size_t fixed_size, const void *input, ULONG input_length,
                    void *output, ULONG output_length, uint64_t *ret_done)
{
    struct call call;
    NTSTATUS status = call_begin(&call, op);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, fixed, fixed_size);
    if (guarded_copy(call.body + fixed_size, input, input_length)) {
        status = call_exchange(&call, fixed_size + input_length, sizeof(struct wire_done));
        status = info_take_bytes(&call, status, output, output_length, ret_done);
    } else {
        status = STATUS_ACCESS_VIOLATION;
    }
    call_end(&call);
    return status;
}

/* ---- control codes ---- */

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

NTSTATUS control_file(struct request *request, ULONG code, PVOID input, ULONG input_length, PVOID output,
                      ULONG output_length, uint32_t flags)
{
    struct wire_control control = {request->token, code, input_length, output_length, flags};
    NTSTATUS status;

    if (input_length > WIRE_DATA_MAX)
        return STATUS_INVALID_PARAMETER;
    if (control.output_length > WIRE_DATA_MAX)
        control.output_length = WIRE_DATA_MAX; /* no answer is longer */
    status = request_begin(request);
    if (status != STATUS_SUCCESS)
        return status;
    status =
        ask(WIRE_CONTROL, &control, sizeof(control), input, input_length, output, output_length, &request->information);
    return request_tell(request, status, true, GetCurrentThread());
}

NTSTATUS NTAPI hooked_NtFsControlFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io,
                                      ULONG code, PVOID input, ULONG input_length, PVOID output, ULONG output_length)
{
    struct request request = {
        .file = file, .token = handle_token(file), .event = event, .apc = apc, .context = context, .io = io};

    if (!request.token)
        return wine.NtFsControlFile(file, event, apc, context, io, code, input, input_length, output, output_length);
    if (code == CODE_GET_OBJECT_ID)
        return get_object_id(request.token, io, output, output_length);
    return control_file(&request, code, input, input_length, output, output_length, 0);
}

/* ---- extended attributes ---- */

NTSTATUS NTAPI hooked_NtQueryEaFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, BOOLEAN single,
                                    PVOID list, ULONG list_length, PULONG index, BOOLEAN restart)
{
    struct wire_query_ea request = {.token = handle_token(file), .length = length};
    uint64_t done = 0;
    NTSTATUS status;

    if (!request.token)
        return wine.NtQueryEaFile(file, io, buffer, length, single, list, list_length, index, restart);
    if (list && list_length > WIRE_DATA_MAX)
        return STATUS_EA_LIST_INCONSISTENT;
    if (index && !guarded_copy(&request.index, index, sizeof(request.index)))
        return STATUS_ACCESS_VIOLATION;
    if (request.length > WIRE_DATA_MAX)
        request.length = WIRE_DATA_MAX;
    request.list_length = list ? list_length : 0;
    request.flags =
        (restart ? WIRE_RESTART_SCAN : 0) | (single ? WIRE_SINGLE_ENTRY : 0) | (index ? WIRE_INDEX_SPECIFIED : 0);
    status = ask(WIRE_QUERY_EA, &request, sizeof(request), list, request.list_length, buffer, length, &done);
    return io_complete(io, status, done);
}

NTSTATUS NTAPI hooked_NtSetEaFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length)
{
    struct wire_information request = {handle_token(file), 0, length};
    uint64_t done = 0;

    if (!request.token)
        return wine.NtSetEaFile(file, io, buffer, length);
    if (length > WIRE_DATA_MAX)
        return STATUS_EA_LIST_INCONSISTENT;
    return io_complete(io, ask(WIRE_SET_EA, &request, sizeof(request), buffer, length, NULL, 0, &done), 0);
}

/* ---- security ---- */

static NTSTATUS query_security(const struct wire_security *request, void *descriptor, ULONG length, ULONG *ret_length)
{
    struct wire_done needed = {0};
    struct call call;
    uint64_t done = 0;
    NTSTATUS status = call_begin(&call, WIRE_QUERY_SECURITY);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, request, sizeof(*request));
    status = call_exchange(&call, sizeof(*request), sizeof(needed));
    if (call.reply_bytes >= sizeof(needed) && (status == STATUS_BUFFER_TOO_SMALL || !NT_ERROR(status)))
        memcpy(&needed, call.body, sizeof(needed));
    status = info_take_bytes(&call, status, descriptor, length, &done);
    call_end(&call);
    *ret_length = (ULONG)needed.information;
    return status;
}

NTSTATUS NTAPI hooked_NtQuerySecurityObject(HANDLE handle, ULONG which, PVOID descriptor, ULONG length,
                                            PULONG ret_length)
{
    struct wire_security request = {handle_token(handle), which, length};
    ULONG needed = 0;
    NTSTATUS status;

    if (!request.token)
        return wine.NtQuerySecurityObject(handle, which, descriptor, length, ret_length);
    if (request.length > WIRE_DATA_MAX)
        request.length = WIRE_DATA_MAX;
    status = query_security(&request, descriptor, length, &needed);
    if (ret_length && !guarded_copy(ret_length, &needed, sizeof(needed)))
        return STATUS_ACCESS_VIOLATION;
    return status;
}

NTSTATUS NTAPI hooked_NtSetSecurityObject(HANDLE handle, ULONG which, PVOID descriptor)
{
    struct wire_security request = {handle_token(handle), which, 0};
    unsigned char relative[4096]; /* a descriptor with the largest list that fits is refused */
    ULONG length = sizeof(relative);
    uint64_t done = 0;
    NTSTATUS status;

    if (!request.token)
        return wine.NtSetSecurityObject(handle, which, descriptor);
    status = wine.RtlMakeSelfRelativeSD(descriptor, relative, &length);
    if (status != STATUS_SUCCESS)
        return status;
    request.length = length;
    return ask(WIRE_SET_SECURITY, &request, sizeof(request), relative, length, NULL, 0, &done);
}
