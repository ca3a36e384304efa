/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.c - requests within their service: begin, wait, complete. */
#include "request.h"

#include "fileobject.h"
#include "guard.h"
#include "handle.h"

#define PATIENCE 2 /* ms, before an overlapped request is handed over: far more than a server nearby takes */

NTSTATUS request_call(struct request *request, enum wire_op op)
{
    NTSTATUS status = request->begun ? STATUS_SUCCESS : call_begin(&request->call, op);

    if (status != STATUS_SUCCESS)
        return status;
    request->begun = true;
    request->call.op = op;
    request->call.number = request->number;
    return STATUS_SUCCESS;
}

static void end_call(struct request *request)
{
    if (request->begun)
        call_end(&request->call);
    request->begun = false;
}

static bool send_next(struct request *request, NTSTATUS *ret_status)
{
    if (request->number && wire_load(&request->cancelled) == request->number)
        *ret_status = STATUS_CANCELLED;
    else
        *ret_status = request->kind->send(request);
    request->sent = *ret_status == STATUS_SUCCESS;
    return request->sent;
}

NTSTATUS request_run(struct request *request, uint32_t milliseconds)
{
    NTSTATUS status;
    bool more;

    do {
        more = false;
        if (!request->sent && !send_next(request, &status)) {
            end_call(request);
            /* What has been done until then is the result (rw.c). */
            return request->information ? STATUS_SUCCESS : status;
        }
        if (!call_wait(&request->call, request->prompt ? CALL_FOREVER : milliseconds))
            return STATUS_PENDING;
        request->sent = false;
        status = request->kind->take(request, call_reply(&request->call, 0), &more);
        if (!more)
            end_call(request);
    } while (more);
    return status;
}

NTSTATUS request_tell(const struct request *request, NTSTATUS status, bool at_once, HANDLE thread)
{
    /* An error that the service returns is all that the program gets. */
    if (at_once && NT_ERROR(status))
        return status;
    if (guarded_status(request->io, status, (ULONG_PTR)request->information) == STATUS_ACCESS_VIOLATION && at_once)
        return STATUS_ACCESS_VIOLATION;
    if (request->event)
        wine.NtSetEvent(request->event, NULL);
    if (request->apc)
        wine.NtQueueApcThread(thread, request->apc, request->context, request->io, 0);
    fileobject_complete(request->token, request->apc ? NULL : request->context, status, request->information, at_once,
                        request->event != NULL);
    return status;
}

NTSTATUS request_begin(struct request *request)
{
    request->number = 0;
    request->cancelled = 0;
    request->begun = request->sent = false;
    request->information = 0;
    if (request->apc && fileobject_has_port(request->token))
        return STATUS_INVALID_PARAMETER;
    pending_settle(request->io);
    return request->event ? wine.NtResetEvent(request->event, NULL) : STATUS_SUCCESS;
}

static NTSTATUS perform(struct request *request)
{
    bool synchronous = !request->never_blocks && handle_is_synchronous(request->file, request->token);
    NTSTATUS status;

    if (synchronous && !request->may_last)
        return request_run(request, REQUEST_FOREVER);
    request->number = call_new_number();
    status = request_run(request, request->may_last && !synchronous ? 0 : PATIENCE);
    if (status != STATUS_PENDING || pending_hand_over(request, synchronous, &status))
        return status;
    return request_run(request, REQUEST_FOREVER);
}

NTSTATUS request_perform(struct request *request)
{
    NTSTATUS status = request_begin(request);

    if (status == STATUS_SUCCESS)
        status = perform(request);
    if (status == STATUS_PENDING)
        return status;
    if (request->memory)
        VirtualFree(request->memory, 0, MEM_RELEASE);
    return request_tell(request, status, true, GetCurrentThread());
}
