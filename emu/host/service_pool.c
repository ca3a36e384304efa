/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the machine tells about its pool, part by part. */
#include "service.h"

#include "pooluse.h"

#include <string.h>

NTSTATUS service_pool_sites(struct call *call)
{
    struct wire_pool_site *sites = (struct wire_pool_site *)(call->reply + sizeof(struct wire_done));
    size_t count = 0;
    NTSTATUS status;

    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    token_drain_all(call->peer->host->tokens);
    status = pooluse_sites(call->fixed, sites, WIRE_DATA_MAX / sizeof(*sites), &count);
    return service_done(call, status, count * sizeof(*sites));
}

NTSTATUS service_pool_stacks(struct call *call)
{
    struct wire_pool_stack *stacks = (struct wire_pool_stack *)(call->reply + sizeof(struct wire_done));
    size_t count = 0;
    NTSTATUS status;

    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    status = pooluse_stacks(call->fixed, stacks, WIRE_DATA_MAX / sizeof(*stacks), &count);
    return service_done(call, status, count * sizeof(*stacks));
}
