/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * traces.h - the creates of all clients, told layer by layer, while somebody asks for them (WIRE_FOLLOW).
 *
 * Whoever asks keeps it going for some seconds; when nobody has asked for so long, creates are not traced any more. The
 * latest traces are kept, a bounded number of bounded texts: a client never waits for somebody who reads slowly.
 */
#ifndef RDRLAB_HOST_TRACES_H
#define RDRLAB_HOST_TRACES_H

#include <ntemu/trace.h>

struct call;
struct peer;

/* traces_begin - before a service that opens. NULL: nobody follows. */
PEMU_TRACE traces_begin(void);

/* traces_end - behind it; accepts NULL. Frees the trace. */
void traces_end(PEMU_TRACE trace, NTSTATUS status, const struct peer *peer);

#endif
