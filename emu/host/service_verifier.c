/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verifier of a running machine, and the crash on purpose. */
#include "service.h"

#include <ntemu/ntifs.h>

#include <stdio.h>
#include <string.h>

/* The client's text is not terminated. */
static NTSTATUS set_options(const unsigned char *text, uint32_t length, char *error, size_t error_size)
{
    EMU_VERIFIER_OPTIONS options;
    char copy[EMU_VERIFIER_TEXT];
    NTSTATUS status;

    if (length >= sizeof(copy) || memchr(text, '\0', length)) {
        snprintf(error, error_size, "more than %d characters of options", EMU_VERIFIER_TEXT - 1);
        return STATUS_INVALID_PARAMETER;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (!EmuVerifierParse(copy, &options, error, error_size))
        return STATUS_INVALID_PARAMETER;
    status = EmuVerifierSet(&options);
    if (!NT_SUCCESS(status))
        snprintf(error, error_size, "the machine refuses with status 0x%08X", (unsigned)status);
    return status;
}

NTSTATUS service_verifier(struct call *call)
{
    const struct wire_verifier *request = call->fixed;
    EMU_VERIFIER_STATISTICS statistics;
    EMU_VERIFIER_OPTIONS options;
    struct wire_verified reply = {0};
    char text[EMU_VERIFIER_TEXT];

    if (call->data_length != request->length)
        return STATUS_INVALID_PARAMETER;
    if (request->length)
        reply.refused = (uint32_t)set_options(call->data, request->length, text, sizeof(text));
    EmuVerifierQuery(&options, &statistics);
    if (!reply.refused)
        EmuVerifierFormat(&options, text, sizeof(text));
    reply.raise_irqls = statistics.RaiseIrqls;
    reply.acquire_spin_locks = statistics.AcquireSpinLocks;
    reply.trim_requests = statistics.TrimRequests;
    reply.allocations_attempted = statistics.AllocationsAttempted;
    reply.allocations_succeeded = statistics.AllocationsSucceeded;
    reply.allocations_failed = statistics.AllocationsFailed;
    reply.allocations_succeeded_special_pool = statistics.AllocationsSucceededSpecialPool;
    reply.allocations_failed_deliberately = statistics.AllocationsFailedDeliberately;
    reply.sites_failed = statistics.SitesFailed;
    reply.guard_pages = statistics.GuardPages;
    reply.length = (uint32_t)strlen(text);
    memcpy(call->reply, &reply, sizeof(reply));
    memcpy(call->reply + sizeof(reply), text, reply.length);
    call->reply_length = (uint32_t)sizeof(reply) + reply.length;
    return STATUS_SUCCESS;
}

NTSTATUS service_crash(struct call *call)
{
    const struct wire_crash *request = call->fixed;

    if (call->data_length || request->code != MANUALLY_INITIATED_CRASH || request->pad)
        return STATUS_INVALID_PARAMETER;
    KeBugCheckEx(MANUALLY_INITIATED_CRASH, 0, 0, 0, 0);
}
