/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events. SignalState is 0 or 1.
 */
#include "kip.h"

#include <limits.h>

#include "futex.h"

void NTAPI KeInitializeEvent(PKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    Event->Header.Type = (UCHAR)Type;
    Event->Header.Absolute = 0;
    Event->Header.Size = sizeof(KEVENT) / sizeof(LONG);
    Event->Header.Inserted = 0;
    __atomic_store_n(&Event->Header.SignalState, State ? 1 : 0, __ATOMIC_RELEASE);
    InitializeListHead(&Event->Header.WaitListHead);
}

/* On a virtual clock the state is set with the lock held: the waiters of this moment are let go, whatever comes next.
 */
static LONG set_virtually(PKEVENT event)
{
    BOOLEAN entered = KiLockDispatcher();
    LONG old = __atomic_exchange_n(&event->Header.SignalState, 1, __ATOMIC_SEQ_CST);

    if (!old)
        KiSatisfyWaiters(&event->Header);
    KiUnlockDispatcher(entered);
    return old;
}

LONG NTAPI KeSetEvent(PKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    /* Read before the store: the moment the state is set, a waiter may return and take the event's memory with it. */
    BOOLEAN synchronization = Event->Header.Type == SynchronizationEvent;
    LONG old;

    if (KiIsVirtual())
        return set_virtually(Event);
    old = __atomic_exchange_n(&Event->Header.SignalState, 1, __ATOMIC_SEQ_CST);
    if (!old)
        KiFutexWake(&Event->Header.SignalState, synchronization ? 1 : INT_MAX);
    return old;
}

LONG NTAPI KeResetEvent(PKEVENT Event)
{
    return __atomic_exchange_n(&Event->Header.SignalState, 0, __ATOMIC_SEQ_CST);
}

LONG NTAPI KeReadStateEvent(PKEVENT Event)
{
    return __atomic_load_n(&Event->Header.SignalState, __ATOMIC_SEQ_CST);
}
