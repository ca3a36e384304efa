/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes in a directory. The calling thread waits for them; the close of the directory, or a cancel, ends that. */
#include "service.h"

#include <ntemu/ntifs.h>

NTSTATUS service_notify(struct call *call)
{
    const struct wire_notify *request = call->fixed;
    struct token_table *tokens = call->peer->host->tokens;
    IO_STATUS_BLOCK done = {0};
    struct token_use directory;
    NTSTATUS status;

    if (call->data_length || request->length > WIRE_DATA_MAX ||
        (request->flags & ~(WIRE_WATCH_TREE | WIRE_WATCH_NOW)) || request->pad)
        return STATUS_INVALID_PARAMETER;
    status = token_use(tokens, request->token, call->peer->owner, &directory);
    if (status != STATUS_SUCCESS)
        return status;
    service_waits(call, &directory);
    if (request->flags & WIRE_WATCH_NOW)
        EmuCancelRequest(&call->request); /* which then does everything but wait */
    status =
        NtNotifyChangeDirectoryFile(directory.handle, NULL, NULL, NULL, &done, call->reply + sizeof(struct wire_done),
                                    request->length, request->filter, (request->flags & WIRE_WATCH_TREE) != 0);
    token_release(tokens, &directory);
    return service_done(call, status, done.Information < request->length ? done.Information : request->length);
}
