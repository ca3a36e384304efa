/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fast mutexes: a futex word with three states, so that taking a free one is one atomic operation. A virtual clock must
 * know who waits: there a waiter sleeps on the event, as on NT.
 */
#include <ntemu/wdm.h>

#include <string.h>

#include "ke/futex.h"
#include "ke/kip.h"

enum { FREE = 0, HELD = 1, HELD_WITH_WAITERS = 2 };

void NTAPI ExInitializeFastMutex(PFAST_MUTEX FastMutex)
{
    memset(FastMutex, 0, sizeof *FastMutex);
    KeInitializeEvent(&FastMutex->Event, SynchronizationEvent, FALSE);
}

static void wait_for(PFAST_MUTEX mutex)
{
    if (KiIsVirtual())
        KiWait(&mutex->Event.Header, NULL);
    else
        KiFutexWait(&mutex->Count, HELD_WITH_WAITERS, NULL);
}

static void wake_one(PFAST_MUTEX mutex)
{
    if (KiIsVirtual())
        KeSetEvent(&mutex->Event, 0, FALSE);
    else
        KiFutexWake(&mutex->Count, 1);
}

void NTAPI ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL old;
    LONG state = FREE;

    if (KeGetCurrentIrql() > APC_LEVEL)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x33, KeGetCurrentIrql(), (ULONG_PTR)FastMutex, 0);
    old = KfRaiseIrql(APC_LEVEL);
    if (!__atomic_compare_exchange_n(&FastMutex->Count, &state, HELD, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&FastMutex->Contention, 1, __ATOMIC_RELAXED);
        while (__atomic_exchange_n(&FastMutex->Count, HELD_WITH_WAITERS, __ATOMIC_ACQUIRE) != FREE)
            wait_for(FastMutex);
    }
    FastMutex->OldIrql = old;
}

void NTAPI ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL old = (KIRQL)FastMutex->OldIrql;

    if (KeGetCurrentIrql() != APC_LEVEL)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x34, KeGetCurrentIrql(), (ULONG_PTR)FastMutex, 0);
    if (__atomic_exchange_n(&FastMutex->Count, FREE, __ATOMIC_RELEASE) == HELD_WITH_WAITERS)
        wake_one(FastMutex);
    KeLowerIrql(old);
}
