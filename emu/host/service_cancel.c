/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ending what other threads of the client wait for. */
#include "service.h"

#include <ntemu/ntifs.h>

NTSTATUS service_cancel(struct call *call)
{
    const struct wire_cancel *request = call->fixed;

    if (call->data_length || !request->number || request->pad)
        return STATUS_INVALID_PARAMETER;
    return EmuCancelRequestByNumber(PsGetCurrentProcess(), request->number);
}
