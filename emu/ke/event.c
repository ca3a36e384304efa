/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events. A waiter sleeps on Header.SignalState itself: 0 not signalled, 1 signalled.
 */
#include <ntemu/wdm.h>

#include <errno.h>
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

LONG NTAPI KeSetEvent(PKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    /* Read before the store: the moment the state is set, a waiter may return and take the event's memory with it. */
    BOOLEAN synchronization = Event->Header.Type == SynchronizationEvent;
    LONG old;

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

static BOOLEAN take_signal(PKEVENT event)
{
    LONG signalled = 1;

    if (event->Header.Type == NotificationEvent)
        return __atomic_load_n(&event->Header.SignalState, __ATOMIC_SEQ_CST) != 0;
    return __atomic_compare_exchange_n(&event->Header.SignalState, &signalled, 0, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static struct timespec deadline_of(LONGLONG timeout)
{
    struct timespec t;
    LONGLONG ns;
    LARGE_INTEGER now;

    if (timeout == INT64_MIN)
        timeout++;
    if (timeout > 0) { /* absolute system time */
        KeQuerySystemTime(&now);
        timeout = timeout > now.QuadPart ? now.QuadPart - timeout : 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    ns = t.tv_nsec - timeout % 10000000 * 100;
    t.tv_sec += -timeout / 10000000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                     PLARGE_INTEGER Timeout)
{
    PKEVENT event = Object;
    struct timespec deadline;

    BOOLEAN poll = Timeout && !Timeout->QuadPart;

    if (!poll && KeGetCurrentIrql() >= DISPATCH_LEVEL)
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)Object, KeGetCurrentIrql(), 0,
                     (ULONG_PTR)__builtin_return_address(0));
    if (take_signal(event))
        return STATUS_SUCCESS;
    if (poll)
        return STATUS_TIMEOUT;
    if (Timeout)
        deadline = deadline_of(Timeout->QuadPart);
    for (;;) {
        long rc = KiFutexWait(&event->Header.SignalState, 0, Timeout ? &deadline : NULL);
        int error = rc < 0 ? errno : 0;
        if (take_signal(event))
            return STATUS_SUCCESS;
        if (error == ETIMEDOUT)
            return STATUS_TIMEOUT;
    }
}

void NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    CurrentTime->QuadPart = ((LONGLONG)now.tv_sec + 11644473600LL) * 10000000 + now.tv_nsec / 100;
}
