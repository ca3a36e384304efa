/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the machine tells about itself: NT's own way (NtQuerySystemInformation), and rdrlab's. */
#include "link.h"
#include "service.h"

#include <stdio.h>
#include <string.h>

/* ---- NtQuerySystemInformation ---- */

#define CLASS_PERFORMANCE 2
#define CLASS_POOL_TAGS   22

/* Class 22 as it looks to programs of either word size; documented nowhere by Microsoft, well known. */
struct tag64 {
    uint32_t tag, paged_allocations, paged_frees, pad;
    uint64_t paged_used;
    uint32_t nonpaged_allocations, nonpaged_frees;
    uint64_t nonpaged_used;
};
struct tag32 {
    uint32_t tag, paged_allocations, paged_frees, paged_used;
    uint32_t nonpaged_allocations, nonpaged_frees, nonpaged_used;
};
_Static_assert(sizeof(struct tag64) == 40 && sizeof(struct tag32) == 28, "class 22, x64 and i386");
#define TAGS64_AT 8
#define TAGS32_AT 4

static uint32_t saturate(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* x64's array into i386's, in place: what is written never overtakes what is read. */
static uint32_t narrow_tags(unsigned char *bytes, uint32_t count)
{
    struct tag64 wide;
    struct tag32 narrow;

    for (uint32_t i = 0; i < count; i++) {
        memcpy(&wide, bytes + TAGS64_AT + i * sizeof(wide), sizeof(wide));
        narrow = (struct tag32){wide.tag,
                                wide.paged_allocations,
                                wide.paged_frees,
                                saturate(wide.paged_used),
                                wide.nonpaged_allocations,
                                wide.nonpaged_frees,
                                saturate(wide.nonpaged_used)};
        memcpy(bytes + TAGS32_AT + i * sizeof(narrow), &narrow, sizeof(narrow));
    }
    return TAGS32_AT + count * (uint32_t)sizeof(narrow);
}

/* `needed` of x64's bytes in i386's. */
static uint32_t narrow_size(uint32_t needed)
{
    uint32_t count = needed > TAGS64_AT ? (needed - TAGS64_AT) / (uint32_t)sizeof(struct tag64) : 0;

    return TAGS32_AT + count * (uint32_t)sizeof(struct tag32);
}

/* STATUS_INFO_LENGTH_MISMATCH is an error with a fixed part. */
static NTSTATUS mismatch(struct call *call, uint32_t needed)
{
    struct wire_done done = {needed};

    memcpy(call->reply, &done, sizeof(done));
    call->reply_length = sizeof(done);
    return STATUS_INFO_LENGTH_MISMATCH;
}

static NTSTATUS query_narrow_tags(struct call *call, const struct wire_query_system *request)
{
    unsigned char *bytes = call->reply + sizeof(struct wire_done);
    ULONG needed = 0;
    NTSTATUS status;
    uint32_t count;

    status = NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)CLASS_POOL_TAGS, bytes, WIRE_DATA_MAX, &needed);
    if (status == STATUS_INFO_LENGTH_MISMATCH || (NT_SUCCESS(status) && narrow_size(needed) > request->length))
        return mismatch(call, narrow_size(needed));
    if (!NT_SUCCESS(status))
        return status;
    memcpy(&count, bytes, sizeof(count));
    if (count > (needed - TAGS64_AT) / sizeof(struct tag64))
        return STATUS_INTERNAL_ERROR;
    return service_done(call, status, narrow_tags(bytes, count));
}

NTSTATUS service_query_system(struct call *call)
{
    const struct wire_query_system *request = call->fixed;
    ULONG needed = 0;
    NTSTATUS status;

    if (call->data_length || request->length > WIRE_DATA_MAX ||
        (request->pointer_size != 4 && request->pointer_size != 8))
        return STATUS_INVALID_PARAMETER;
    if (request->information_class != CLASS_PERFORMANCE && request->information_class != CLASS_POOL_TAGS)
        return STATUS_INVALID_INFO_CLASS;
    token_drain_all(call->peer->host->tokens);
    if (request->information_class == CLASS_POOL_TAGS && request->pointer_size == 4)
        return query_narrow_tags(call, request);
    /* Class 2 holds no SIZE_T: one layout for both. */
    status = NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)request->information_class,
                                      call->reply + sizeof(struct wire_done), request->length, &needed);
    if (status == STATUS_INFO_LENGTH_MISMATCH)
        return mismatch(call, needed);
    return service_done(call, status, needed < request->length ? needed : request->length);
}

/* ---- rdrlab's own ---- */

static struct wire_pool_counts counts_of(const EMU_POOL_COUNTS *counts)
{
    return (struct wire_pool_counts){
        .allocations = counts->Allocations,
        .frees = counts->Frees,
        .live_blocks = counts->LiveBlocks,
        .live_bytes = counts->LiveBytes,
        .block_bytes = counts->LiveBlockBytes,
        .peak_bytes = counts->PeakBytes,
        .pages = counts->Pages,
        .peak_pages = counts->PeakPages,
        .limit_pages = counts->LimitPages,
        .failures = counts->Failures,
    };
}

NTSTATUS service_machine(struct call *call)
{
    struct wire_machine *machine = (struct wire_machine *)call->reply;
    struct host *host = call->peer->host;
    EMU_POOL_COUNTS paged, nonpaged;
    ULONG64 creates, failed;

    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    token_drain_all(host->tokens);
    *machine = (struct wire_machine){0};
    snprintf(machine->build, sizeof(machine->build), "%s", EmuMachineBuild());
    EmuRdrDescribeTransport(machine->transport, sizeof(machine->transport));
    EmuPoolCounts(&paged, &nonpaged);
    machine->paged = counts_of(&paged);
    machine->nonpaged = counts_of(&nonpaged);
    EmuRdrCreateCounts(&creates, &failed);
    machine->creates = creates;
    machine->failed_creates = failed;
    machine->connects = (uint32_t)EmuRdrConnectCount();
    machine->clients = peer_count_clients(host) + link_count_processes(host);
    machine->open_tokens = token_count(host->tokens);
    machine->handles = EmuHandleCount(EmuSystemProcess());
    machine->events = EmuReadEvents(0, NULL, 0);
    call->reply_length = sizeof(*machine);
    return STATUS_SUCCESS;
}

/* The last ones that fit a message, oldest of them first. */
NTSTATUS service_events(struct call *call)
{
    enum { AT_ONCE = 16, MOST = WIRE_DATA_MAX / sizeof(struct wire_event) };
    unsigned char *place = call->reply + sizeof(struct wire_done);
    EMU_EVENT events[AT_ONCE] = {0};
    ULONG total, first, count = 0, got;

    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    total = EmuReadEvents(0, NULL, 0);
    first = total > MOST ? total - MOST : 0;
    while (first + count < total) {
        got = total - first - count < AT_ONCE ? total - first - count : AT_ONCE;
        EmuReadEvents(first + count, events, got);
        for (ULONG i = 0; i < got; i++, count++) {
            struct wire_event event = {events[i].Time, events[i].Id, events[i].Severity, "", ""};
            memcpy(event.source, events[i].Source, sizeof(event.source));
            memcpy(event.text, events[i].Text, sizeof(event.text));
            memcpy(place + count * sizeof(event), &event, sizeof(event));
        }
    }
    return service_done(call, STATUS_SUCCESS, count * sizeof(struct wire_event));
}
