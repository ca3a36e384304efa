/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slots.h - serving the slots of a client's region: one runner, a thread of the client's emulated process, for each. */
#ifndef RDRLAB_HOST_SLOTS_H
#define RDRLAB_HOST_SLOTS_H

#include "peer.h"

/*
 * slots_attach - serve a slot from now on; nothing if it is served already. On the peer's own thread.
 *   polling  the client cannot wake the runner: it looks by itself, less and less often while nothing comes.
 *   Returns  false: no such slot, no region, or no thread to be had. The client is then to be hung up on.
 */
bool slots_attach(struct peer *peer, uint32_t slot, bool polling);

/* Wakes every runner so that it sees that the peer is stopping. With host->lock held. */
void slots_wake(struct peer *peer);

/* Waits for the runners to end. On the peer's own thread, once the peer is stopping. */
void slots_join(struct peer *peer);

/* Tells clients that still map the region that nobody serves it any longer. */
void slots_mark_dead(struct wire_region *region);

#endif
