/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots of threads: whatever every create does in every thread, it does on a cache line of few. */
#include "obp.h"

#include <string.h>

static ULONG threads_seen;          /* atomic */
static _Thread_local ULONG my_slot; /* from 1; 0: none yet */

ULONG ObpOwnSlot(void)
{
    if (!my_slot)
        my_slot = 1 + __atomic_fetch_add(&threads_seen, 1, __ATOMIC_RELAXED) % OBP_SLOTS;
    return my_slot - 1;
}

void ObpCount(OBP_COUNTER *Counter, LONG Change)
{
    __atomic_fetch_add(&Counter->Slots[ObpOwnSlot()].Value, Change, __ATOMIC_RELAXED);
}

LONG64 ObpSum(const OBP_COUNTER *Counter)
{
    LONG64 sum = 0;

    for (ULONG i = 0; i < OBP_SLOTS; i++)
        sum += __atomic_load_n(&Counter->Slots[i].Value, __ATOMIC_RELAXED);
    return sum;
}

void ObpResetCount(OBP_COUNTER *Counter)
{
    memset(Counter, 0, sizeof *Counter);
}
