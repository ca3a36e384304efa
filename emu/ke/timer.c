/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers: a queue by due time, and on the real clock a thread that waits for the first of them. */
#include "kip.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "futex.h"

#define UNITS_PER_MS 10000

/* All of it: the dispatcher lock. */
static LIST_ENTRY queue = {&queue, &queue}; /* KTIMER.TimerListEntry; of one due time, first set first */
static ULONG64 expirations;
static BOOLEAN clock_runs, clock_ends;
static pthread_t clock_thread;
static LONG clock_word; /* changes when the clock's thread should look again; slept on */

/* ---- the queue ---- */

void KiInsertTimer(PKTIMER Timer, LONGLONG Due)
{
    PLIST_ENTRY before = queue.Blink;

    while (before != &queue && (LONGLONG)CONTAINING_RECORD(before, KTIMER, TimerListEntry)->DueTime.QuadPart > Due)
        before = before->Blink;
    Timer->DueTime.QuadPart = (ULONGLONG)Due;
    Timer->Header.Inserted = TRUE;
    Timer->TimerListEntry.Blink = before;
    Timer->TimerListEntry.Flink = before->Flink;
    before->Flink->Blink = &Timer->TimerListEntry;
    before->Flink = &Timer->TimerListEntry;
}

void KiRemoveTimer(PKTIMER Timer)
{
    RemoveEntryList(&Timer->TimerListEntry); /* NOLINT(clang-analyzer-core.NullDereference): it is set */
    Timer->Header.Inserted = FALSE;
}

PKTIMER KiFirstTimer(void)
{
    return queue.Flink == &queue ? NULL : CONTAINING_RECORD(queue.Flink, KTIMER, TimerListEntry);
}

static void signal_timer(PKTIMER timer)
{
    BOOLEAN synchronization = timer->Header.Type == TimerSynchronizationObject;

    if (timer->Dpc && !timer->Dpc->DpcData)
        KiQueueDpc(timer->Dpc, NULL, NULL);
    __atomic_store_n(&timer->Header.SignalState, 1, __ATOMIC_SEQ_CST);
    if (KiIsVirtual())
        KiSatisfyWaiters(&timer->Header);
    else
        KiFutexWake(&timer->Header.SignalState, synchronization ? 1 : INT_MAX);
}

void KiExpireTimer(PKTIMER Timer)
{
    KiRemoveTimer(Timer);
    expirations++;
    if (Timer->Header.Type == KI_WAIT_TIMER) {
        KiEndTimedWait(Timer);
        return;
    }
    if (Timer->Period)
        KiInsertTimer(Timer, (LONGLONG)Timer->DueTime.QuadPart + (LONGLONG)Timer->Period * UNITS_PER_MS);
    signal_timer(Timer);
}

void KiCountTimers(ULONG *Timers, ULONG *TimedWaits, ULONG64 *Expirations)
{
    *Timers = *TimedWaits = 0;
    for (PLIST_ENTRY e = queue.Flink; e != &queue; e = e->Flink)
        ++*(CONTAINING_RECORD(e, KTIMER, TimerListEntry)->Header.Type == KI_WAIT_TIMER ? TimedWaits : Timers);
    *Expirations = expirations;
}

ULONG KiForgetTimers(void)
{
    ULONG timers, waits;
    ULONG64 all;

    KiCountTimers(&timers, &waits, &all);
    while (queue.Flink != &queue)
        KiRemoveTimer(KiFirstTimer());
    expirations = 0;
    return timers;
}

/* ---- the real clock's thread ---- */

static struct timespec after(LONGLONG units)
{
    struct timespec t;
    LONGLONG ns;

    clock_gettime(CLOCK_MONOTONIC, &t);
    if (units > 0) {
        ns = t.tv_nsec + units % 10000000 * 100;
        t.tv_sec += units / 10000000 + ns / 1000000000;
        t.tv_nsec = ns % 1000000000;
    }
    return t;
}

static void expire_all(BOOLEAN *entered)
{
    PKTIMER first;

    while (!clock_ends && (first = KiFirstTimer()) != NULL && (LONGLONG)first->DueTime.QuadPart <= KiInterruptTime()) {
        KiExpireTimer(first);
        KiUnlockDispatcher(*entered);
        if (KiDpcsQueued)
            KiRunDpcs();
        *entered = KiLockDispatcher();
    }
}

static void *run_clock(void *argument)
{
    BOOLEAN entered = KiLockDispatcher();

    while (!clock_ends) {
        LONG word = __atomic_load_n(&clock_word, __ATOMIC_RELAXED);
        struct timespec deadline;
        PKTIMER first;
        expire_all(&entered);
        first = KiFirstTimer();
        if (first)
            deadline = after((LONGLONG)first->DueTime.QuadPart - KiInterruptTime());
        KiUnlockDispatcher(entered);
        KiFutexWait(&clock_word, word, first ? &deadline : NULL);
        entered = KiLockDispatcher();
    }
    KiUnlockDispatcher(entered);
    return NULL;
}

/* A machine that sets no timer has no such thread. */
static void rouse_clock(void)
{
    if (!clock_runs) {
        clock_ends = FALSE;
        /* Nobody could be told: a timer cannot fail to be set. */
        if (pthread_create(&clock_thread, NULL, run_clock, NULL) != 0)
            KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, (ULONG_PTR)STATUS_INSUFFICIENT_RESOURCES, (ULONG_PTR)rouse_clock,
                         0, 0);
        clock_runs = TRUE;
        return;
    }
    __atomic_fetch_add(&clock_word, 1, __ATOMIC_RELEASE);
    KiFutexWake(&clock_word, 1);
}

void KiStopTimers(void)
{
    BOOLEAN entered = KiLockDispatcher(), ran = clock_runs;

    clock_ends = TRUE;
    if (ran)
        rouse_clock();
    KiUnlockDispatcher(entered);
    if (ran)
        pthread_join(clock_thread, NULL);
    clock_runs = FALSE;
}

/* ---- what drivers call ---- */

void NTAPI KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    memset(Timer, 0, sizeof *Timer);
    Timer->Header.Type = Type == SynchronizationTimer ? TimerSynchronizationObject : TimerNotificationObject;
    Timer->Header.Size = sizeof(KTIMER) / sizeof(LONG);
    InitializeListHead(&Timer->Header.WaitListHead);
}

void NTAPI KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}

BOOLEAN NTAPI KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    BOOLEAN entered = KiLockDispatcher(), was_set = Timer->Header.Inserted;
    LONGLONG due = KiDueTime(DueTime.QuadPart);

    if (was_set)
        KiRemoveTimer(Timer);
    __atomic_store_n(&Timer->Header.SignalState, 0, __ATOMIC_SEQ_CST);
    Timer->Dpc = Dpc;
    Timer->Period = Period;
    KiInsertTimer(Timer, due);
    if (due <= KiInterruptTime())
        KiExpireTimer(Timer);
    if (!KiIsVirtual() && KiFirstTimer() == Timer)
        rouse_clock();
    KiUnlockDispatcher(entered);
    if (KiDpcsQueued && KeGetCurrentIrql() < DISPATCH_LEVEL)
        KiRunDpcs();
    return was_set;
}

BOOLEAN NTAPI KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}

BOOLEAN NTAPI KeCancelTimer(PKTIMER Timer)
{
    BOOLEAN entered = KiLockDispatcher(), was_set = Timer->Header.Inserted;

    if (was_set)
        KiRemoveTimer(Timer);
    KiUnlockDispatcher(entered);
    return was_set;
}

BOOLEAN NTAPI KeReadStateTimer(PKTIMER Timer)
{
    return __atomic_load_n(&Timer->Header.SignalState, __ATOMIC_SEQ_CST) > 0;
}
