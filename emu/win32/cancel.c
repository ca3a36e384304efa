/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cancel.c - NtCancelIoFile, NtCancelIoFileEx, NtCancelSynchronousIoFile. */
#include "guard.h"
#include "handle.h"
#include "request.h"

/* The calling thread's requests; returns when they have completed (documented: CancelIo). */
NTSTATUS NTAPI hooked_NtCancelIoFile(HANDLE file, PIO_STATUS_BLOCK io)
{
    uint64_t token = handle_token(file);

    if (!token)
        return wine.NtCancelIoFile(file, io);
    request_cancel(token, GetCurrentThreadId(), NULL, true);
    return guarded_status(io, STATUS_SUCCESS, 0);
}

NTSTATUS NTAPI hooked_NtCancelIoFileEx(HANDLE file, PIO_STATUS_BLOCK which, PIO_STATUS_BLOCK io)
{
    uint64_t token = handle_token(file);

    if (!token)
        return wine.NtCancelIoFileEx(file, which, io);
    return guarded_status(io, request_cancel(token, 0, which, false) ? STATUS_SUCCESS : STATUS_NOT_FOUND, 0);
}

/* Whatever the thread waits for: a request of ours, or of Wine's. By its status block only what has been handed over is
 * found. */
NTSTATUS NTAPI hooked_NtCancelSynchronousIoFile(HANDLE thread, PIO_STATUS_BLOCK which, PIO_STATUS_BLOCK io)
{
    DWORD id = GetThreadId(thread);

    /* What the thread waited for itself may be a helper's by now. */
    if (id && (request_cancel(0, id, which, false) || (!which && request_cancel_call(id)) ||
               request_cancel(0, id, which, false)))
        return guarded_status(io, STATUS_SUCCESS, 0);
    return wine.NtCancelSynchronousIoFile(thread, which, io);
}
