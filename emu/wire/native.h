/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* native.h - what the two native ends of a channel share: how long to spin, and how to sleep. */
#ifndef RDRLAB_WIRE_NATIVE_H
#define RDRLAB_WIRE_NATIVE_H

#include <stdint.h>

#include "channel.h"

/*
 * wire_patience_new - patience for one end of one slot. The limit is 25 us worth of spinning, our measure of when
 * sleeping and being woken is cheaper; none at all where the process may use one processor only, since the other end
 * then cannot run while this one spins.
 */
struct wire_patience wire_patience_new(void);

/* Sleeps while *word is `value`, at most `milliseconds` (negative: for ever). 1 if that time passed, otherwise 0. */
int wire_sleep(const uint32_t *word, uint32_t value, int milliseconds);

/* Wakes what sleeps on word. */
void wire_wake(const uint32_t *word);

#endif
