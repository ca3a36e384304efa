/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What clients have to know of each other's handles. */
#include "service.h"

NTSTATUS service_lost_handles(struct call *call)
{
    if (call->data_length)
        return STATUS_INVALID_PARAMETER;
    peer_publish_loss(call->peer->host);
    return STATUS_SUCCESS;
}
