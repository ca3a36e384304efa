/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.c - NtNotifyChangeDirectoryFile. Wine's own is pending whatever the handle, and its kernelbase relies on that:
 * ReadDirectoryChangesW waits itself, and FindFirstChangeNotification must not.
 */
#include <string.h>

#include "guard.h"
#include "handle.h"
#include "request.h"

/* First for what there is by now: then the server watches, and what changes after the service has returned is told. */
static NTSTATUS send_notify(struct request *request)
{
    struct wire_notify notify = {
        request->token, request->of.notify.length, request->of.notify.filter,
        (request->of.notify.tree ? WIRE_WATCH_TREE : 0) | (request->prompt ? WIRE_WATCH_NOW : 0), 0};
    NTSTATUS status = request_call(request, WIRE_NOTIFY);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(request->call.body, &notify, sizeof(notify));
    call_send(&request->call, sizeof(notify));
    return STATUS_SUCCESS;
}

static NTSTATUS take_notify(struct request *request, NTSTATUS status, bool *ret_more)
{
    const struct call *call = &request->call;
    struct wire_done done;

    if (request->prompt && status == STATUS_CANCELLED) {
        request->prompt = false;
        *ret_more = true;
    }
    if (NT_ERROR(status))
        return status;
    if (call->reply_bytes < sizeof(done))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    memcpy(&done, call->body, sizeof(done));
    if (done.information > request->of.notify.length || done.information > call->reply_bytes - sizeof(done))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    if (!guarded_copy(request->of.notify.buffer, call->body + sizeof(done), (size_t)done.information))
        return STATUS_ACCESS_VIOLATION;
    request->information = done.information;
    return status;
}

static const struct request_kind notify_kind = {send_notify, take_notify, NULL};

NTSTATUS NTAPI hooked_NtNotifyChangeDirectoryFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context,
                                                  PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG filter,
                                                  BOOLEAN tree)
{
    struct request request = {.kind = &notify_kind,
                              .file = file,
                              .event = event,
                              .apc = apc,
                              .context = context,
                              .io = io,
                              .may_last = true,
                              .never_blocks = true,
                              .prompt = true};

    request.token = handle_token(file);
    if (!request.token)
        return wine.NtNotifyChangeDirectoryFile(file, event, apc, context, io, buffer, length, filter, tree);
    request.of.notify.buffer = buffer;
    request.of.notify.length = length < WIRE_DATA_MAX ? length : WIRE_DATA_MAX;
    request.of.notify.filter = filter;
    request.of.notify.tree = tree;
    return request_perform(&request);
}
