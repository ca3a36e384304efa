/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysinfo.c - NtQuerySystemInformation: the machine's pool where Windows' own is read.
 *
 * Wine keeps the rest of class 2 (SystemPerformanceInformation); it has no pool and says 0 there. It does not know
 * class 22 (SystemPoolTagInformation) at all.
 */
#include <string.h>

#include "client.h"
#include "guard.h"

#define CLASS_PERFORMANCE 2
#define CLASS_POOL_TAG    22

/* SYSTEM_PERFORMANCE_INFORMATION as ULONGs: paged and nonpaged pages, then allocations and frees of both. */
#define FIRST_POOL_WORD 28
#define POOL_WORDS      6

static NTSTATUS query_machine(ULONG class, void *buffer, ULONG length, uint64_t *ret_done)
{
    struct wire_query_system request = {class, length < WIRE_DATA_MAX ? length : WIRE_DATA_MAX, sizeof(void *), 0};
    struct wire_done done;
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_QUERY_SYSTEM);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = call_exchange(&call, sizeof(request), sizeof(done));
    if ((!NT_SUCCESS(status) && status != STATUS_INFO_LENGTH_MISMATCH) || call.reply_bytes < sizeof(done))
        goto exit;
    memcpy(&done, call.body, sizeof(done));
    *ret_done = done.information;
    if (!NT_SUCCESS(status))
        goto exit;
    if (done.information > length || done.information > call.reply_bytes - sizeof(done))
        status = STATUS_UNEXPECTED_NETWORK_ERROR;
    else if (!guarded_copy(buffer, call.body + sizeof(done), (size_t)done.information))
        status = STATUS_ACCESS_VIOLATION;
exit:
    call_end(&call);
    return status;
}

/* A machine that cannot tell leaves Wine's answer as it is. */
static void patch_performance(unsigned char *buffer, ULONG length)
{
    ULONG answer[128];
    uint64_t done;
    ULONG end = (FIRST_POOL_WORD + POOL_WORDS) * sizeof(ULONG);

    if (length < end || query_machine(CLASS_PERFORMANCE, answer, sizeof(answer), &done) != STATUS_SUCCESS || done < end)
        return;
    guarded_copy(buffer + FIRST_POOL_WORD * sizeof(ULONG), answer + FIRST_POOL_WORD, POOL_WORDS * sizeof(ULONG));
}

NTSTATUS NTAPI hooked_NtQuerySystemInformation(ULONG class, PVOID buffer, ULONG length, PULONG ret_length)
{
    NTSTATUS status;
    uint64_t done = 0;
    ULONG needed;

    if (!client_connected() || (class != CLASS_PERFORMANCE && class != CLASS_POOL_TAG))
        return wine.NtQuerySystemInformation(class, buffer, length, ret_length);
    if (class == CLASS_PERFORMANCE) {
        status = wine.NtQuerySystemInformation(class, buffer, length, ret_length);
        if (NT_SUCCESS(status))
            patch_performance(buffer, length);
        return status;
    }
    status = query_machine(class, buffer, length, &done);
    needed = (ULONG)done;
    if (ret_length && !guarded_copy(ret_length, &needed, sizeof(needed)))
        return STATUS_ACCESS_VIOLATION;
    return status;
}
