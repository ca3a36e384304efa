/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock of a running machine, and to advance it. */
#include "service.h"

#include <ntemu/clock.h>

#include <string.h>

static NTSTATUS advance(const struct wire_clock *request)
{
    switch (request->what) {
    case WIRE_CLOCK_ASK:
        return STATUS_SUCCESS;
    case WIRE_CLOCK_ADVANCE:
        return EmuClockAdvance(request->time);
    default:
        return EmuClockAdvanceToNext(NULL);
    }
}

NTSTATUS service_clock(struct call *call)
{
    const struct wire_clock *request = call->fixed;
    struct wire_clock_state reply = {0};
    EMU_CLOCK_STATE state;

    if (call->data_length || request->what > WIRE_CLOCK_NEXT || request->pad || request->time < 0 ||
        request->time > WIRE_CLOCK_MOST || (request->time && request->what != WIRE_CLOCK_ADVANCE))
        return STATUS_INVALID_PARAMETER;
    reply.refused = (uint32_t)advance(request);
    EmuClockQuery(&state);
    reply.is_virtual = state.Kind != EmuClockReal;
    reply.system_time = state.SystemTime;
    reply.interrupt_time = state.InterruptTime;
    reply.next_due = state.NextDue;
    reply.timers = state.Timers;
    reply.timed_waits = state.TimedWaits;
    reply.expirations = state.Expirations;
    memcpy(call->reply, &reply, sizeof(reply));
    call->reply_length = sizeof(reply);
    return STATUS_SUCCESS;
}
