/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * irql.h - force IRQL checking, the part that belongs to the IRQL.
 *
 * NT protects by processor, a Linux process as a whole. So with this option the machine has one processor: who raises
 * to DISPATCH_LEVEL takes it, and everything paged is out of reach until it is lowered again. Others run on meanwhile
 * until they touch paged memory or raise too: then they are parked.
 */
#ifndef NTEMU_KE_IRQL_H
#define NTEMU_KE_IRQL_H

#include <ntemu/wdm.h>

/* Puts all paged memory out of reach, or back. Called with the processor taken; may not fail. */
typedef void KI_PROTECT_ROUTINE(BOOLEAN OutOfReach);

/* KiSetIrqlChecking - from now on; NULL ends it. At PASSIVE_LEVEL: waits until nobody is at DISPATCH_LEVEL with the
 * option on. */
void KiSetIrqlChecking(KI_PROTECT_ROUTINE *Routine);

/*
 * KiEnterProcessor - for code below DISPATCH_LEVEL that must not be parked, since it holds what a thread at
 * DISPATCH_LEVEL may need: takes the processor, without the protection. Nests. Nothing without the option.
 *   Returns  what KiLeaveProcessor is to be told.
 */
BOOLEAN KiEnterProcessor(void);
void KiLeaveProcessor(BOOLEAN Entered);

/* Whether it is the calling thread that put paged memory out of reach. In a signal handler, too. */
BOOLEAN KiPagedIsOutOfReach(void);
/* KiPark - sleeps while another thread has the processor. In a signal handler. Returns FALSE if none has. */
BOOLEAN KiPark(void);

/* A bug check is described with paged memory in reach, the processor still held. */
BOOLEAN KiSuspendIrqlChecking(void);
void KiResumeIrqlChecking(BOOLEAN Suspended);

/* Counters for the verifier: calls of KfRaiseIrql, of KeAcquireSpinLock, times that paged memory was put out of reach.
 * Counting begins at zero. */
void KiCountIrqls(BOOLEAN Count);
void KiIrqlCounts(ULONG64 *Raises, ULONG64 *SpinLocks, ULONG64 *Protections);

#endif
