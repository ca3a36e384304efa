/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon_screen.h - poolmon's window: Microsoft's picture and keys, and a way down to call sites and stacks. */
#ifndef RDRLAB_POOLMON_SCREEN_H
#define RDRLAB_POOLMON_SCREEN_H

#include "poolmon_model.h"

/*
 * poolmon_screen - show a machine on the terminal until a key or a signal ends it, or the machine goes away.
 *   view     in: what to show at first.
 *   Returns  0, EXIT_INTERRUPTED, or an exit status having complained. The terminal is as it was.
 */
int poolmon_screen(struct wire_client *client, const struct pool_view *view, int interval_ms);

#endif
