/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* work.h - worker threads, when the machine goes down. */
#ifndef NTEMU_EX_WORK_H
#define NTEMU_EX_WORK_H

#include <ntemu/wdm.h>

/* ExpStopWorkers - before the system threads are stopped, the workers among them. Returns how many items were queued or
 * being done; those that only needed a processor have had it. */
ULONG ExpStopWorkers(void);
void ExpForgetWorkers(void); /* afterwards */

#endif
