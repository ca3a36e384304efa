/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a dispatcher object, and being let go, on either clock (kip.h). */
#include "kip.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>

#include "futex.h"
#include "thread.h"

PVOID KiThreadIdentity(void)
{
    static _Thread_local char identity;

    return &identity;
}

static BOOLEAN take_one(LONG *state)
{
    LONG count = __atomic_load_n(state, __ATOMIC_SEQ_CST);

    while (count > 0)
        if (__atomic_compare_exchange_n(state, &count, count - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return TRUE;
    return FALSE;
}

static BOOLEAN take_mutex(PKMUTEX mutex, PVOID thread)
{
    if (__atomic_load_n(&mutex->OwnerThread, __ATOMIC_RELAXED) == thread) {
        __atomic_fetch_sub(&mutex->Header.SignalState, 1, __ATOMIC_SEQ_CST);
        return TRUE;
    }
    if (!take_one(&mutex->Header.SignalState))
        return FALSE;
    __atomic_store_n(&mutex->OwnerThread, thread, __ATOMIC_RELAXED);
    return TRUE;
}

BOOLEAN KiTakeSignal(DISPATCHER_HEADER *Object, PVOID Thread)
{
    switch (Object->Type) {
    case MutantObject:
        return take_mutex(CONTAINING_RECORD(Object, KMUTEX, Header), Thread);
    case SynchronizationEvent:
    case TimerSynchronizationObject:
    case SemaphoreObject:
        return take_one(&Object->SignalState);
    default:
        return __atomic_load_n(&Object->SignalState, __ATOMIC_SEQ_CST) > 0;
    }
}

/* ---- the real clock ---- */

static struct timespec deadline_of(LONGLONG time)
{
    LONGLONG wait = KiDueTime(time) - KiInterruptTime(), ns;
    struct timespec t;

    if (wait < 0)
        wait = 0;
    clock_gettime(CLOCK_MONOTONIC, &t);
    ns = t.tv_nsec + wait % 10000000 * 100;
    t.tv_sec += wait / 10000000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

static NTSTATUS wait_for_real(DISPATCHER_HEADER *object, PLARGE_INTEGER time)
{
    const LONG nothing = 0, *word = object ? &object->SignalState : &nothing;
    struct timespec deadline;

    if (time)
        deadline = deadline_of(time->QuadPart);
    for (;;) {
        LONG state = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        int error = 0;
        KiStopIfTold(word);
        if (state <= 0 && KiFutexWait(word, state, time ? &deadline : NULL) < 0)
            error = errno;
        KiStopIfTold(NULL);
        if (object && KiTakeSignal(object, KiThreadIdentity()))
            return STATUS_SUCCESS;
        if (error == ETIMEDOUT)
            return object ? STATUS_TIMEOUT : STATUS_SUCCESS;
    }
}

/* ---- the virtual clock ---- */

void KiSatisfyWaiters(DISPATCHER_HEADER *Object)
{
    KI_WAITER *waiter = KiNextWaiter(NULL);

    while (waiter) {
        KI_WAITER *next = KiNextWaiter(waiter);
        if (waiter->Object == Object) {
            if (!KiTakeSignal(Object, waiter->Thread))
                return;
            KiFinishVirtualWait(waiter, STATUS_SUCCESS);
        }
        waiter = next;
    }
}

void KiEndTimedWait(PKTIMER Timer)
{
    KI_WAITER *waiter = CONTAINING_RECORD(Timer, KI_WAITER, Timer);

    KiFinishVirtualWait(waiter, waiter->Object ? STATUS_TIMEOUT : STATUS_SUCCESS);
}

static void sleep_until_done(KI_WAITER *waiter, BOOLEAN *entered)
{
    for (;;) {
        LONG word = __atomic_load_n(&waiter->Word, __ATOMIC_ACQUIRE);
        if (word & KI_WAIT_DONE)
            return;
        if (waiter->MayDrive && KiDriveClock(INT64_MAX - 1, entered))
            continue;
        KiUnlockDispatcher(*entered);
        KiStopIfTold(&waiter->Word);
        KiFutexWait(&waiter->Word, word, NULL);
        KiStopIfTold(NULL);
        *entered = KiLockDispatcher();
    }
}

static NTSTATUS wait_for_virtual(DISPATCHER_HEADER *object, PLARGE_INTEGER time)
{
    BOOLEAN entered = KiLockDispatcher();
    KI_WAITER *waiter = KiPrepareVirtualWait(object);
    NTSTATUS status;
    LONGLONG due;

    if (object && KiTakeSignal(object, waiter->Thread)) {
        KiUnlockDispatcher(entered);
        return STATUS_SUCCESS;
    }
    due = time ? KiDueTime(time->QuadPart) : INT64_MAX;
    if (due <= KiInterruptTime()) {
        KiUnlockDispatcher(entered);
        return object ? STATUS_TIMEOUT : STATUS_SUCCESS;
    }
    if (due < INT64_MAX)
        KiInsertTimer(&waiter->Timer, due);
    KiBeginVirtualWait();
    sleep_until_done(waiter, &entered);
    status = waiter->Status;
    KiEndVirtualWait();
    KiUnlockDispatcher(entered);
    return status;
}

/* ---- both ---- */

void KiSignalled(DISPATCHER_HEADER *Object, int Threads)
{
    BOOLEAN entered;

    if (!KiIsVirtual()) {
        KiFutexWake(&Object->SignalState, Threads);
        return;
    }
    entered = KiLockDispatcher();
    KiSatisfyWaiters(Object);
    KiUnlockDispatcher(entered);
}

NTSTATUS KiWait(DISPATCHER_HEADER *Object, PLARGE_INTEGER Time)
{
    return KiIsVirtual() ? wait_for_virtual(Object, Time) : wait_for_real(Object, Time);
}

NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                     PLARGE_INTEGER Timeout)
{
    BOOLEAN poll = Timeout && !Timeout->QuadPart;

    if (!poll && KeGetCurrentIrql() >= DISPATCH_LEVEL)
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)Object, KeGetCurrentIrql(), 0,
                     (ULONG_PTR)__builtin_return_address(0));
    if (KiTakeSignal(Object, KiThreadIdentity()))
        return STATUS_SUCCESS;
    return poll ? STATUS_TIMEOUT : KiWait(Object, Timeout);
}

NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    if (KeGetCurrentIrql() >= DISPATCH_LEVEL)
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)Interval, KeGetCurrentIrql(), 0,
                     (ULONG_PTR)__builtin_return_address(0));
    if (Interval->QuadPart)
        return KiWait(NULL, Interval);
    sched_yield();
    return STATUS_SUCCESS;
}
