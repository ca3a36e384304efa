/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The virtual clock: who waits, who runs, and what happens next.
 *
 * A thread that counts is busy from its first moment, and not busy while it waits. Who ends its wait makes it busy, not
 * the thread itself: so between a signal and the moment the host lets the thread run the clock cannot move on.
 */
#include "kip.h"

#include <limits.h>

#include "futex.h"

#define SIGNAL_SAFE __attribute__((tls_model("initial-exec")))

/* All of it: the dispatcher lock. */
static LIST_ENTRY waiters = {&waiters, &waiters}; /* KI_WAITER.Links, first come first */
static ULONG busy;                                /* counted threads that run, holds, and who drives */
static LONG idle_word;                            /* changes when nobody is busy any more; slept on */
static ULONG generation = 1;                      /* of the machine: what a thread knows of an older one is void */

static _Thread_local SIGNAL_SAFE struct {
    ULONG Generation;
    BOOLEAN Counts; /* entered, or a system thread */
    BOOLEAN System; /* never drives */
    BOOLEAN Waits;  /* counts, but is not busy now */
    BOOLEAN Drives; /* is busy once more, since it runs what was due */
} self;
static _Thread_local KI_WAITER own_waiter;

static void know_the_machine(void)
{
    if (self.Generation == generation)
        return;
    self.Generation = generation;
    self.Counts = self.System = self.Waits = self.Drives = FALSE;
    own_waiter.Listed = FALSE;
}

ULONG KiBusy(void)
{
    return busy;
}

static void look_again(KI_WAITER *waiter)
{
    __atomic_fetch_add(&waiter->Word, 2, __ATOMIC_RELEASE);
    KiFutexWake(&waiter->Word, 1);
}

/* Nobody runs: who waits for that may go on, and one who may drives. */
static void became_idle(void)
{
    __atomic_fetch_add(&idle_word, 1, __ATOMIC_RELEASE);
    KiFutexWake(&idle_word, INT_MAX);
    for (PLIST_ENTRY e = waiters.Flink; e != &waiters; e = e->Flink) {
        KI_WAITER *waiter = CONTAINING_RECORD(e, KI_WAITER, Links);
        if (waiter->MayDrive)
            return look_again(waiter);
    }
}

static void no_longer_busy(void)
{
    if (!--busy)
        became_idle();
}

static void begin_to_wait(void)
{
    if (!self.Counts || self.Waits)
        return;
    self.Waits = TRUE;
    no_longer_busy();
}

void KiForgetInterrupted(void)
{
    know_the_machine();
    if (own_waiter.Listed)
        KiFinishVirtualWait(&own_waiter, STATUS_SUCCESS); /* makes the thread busy, if it counts */
    else if (self.Waits && own_waiter.Word == 0)
        busy++; /* it was to advance the clock */
    if (self.Drives)
        no_longer_busy();
    self.Waits = self.Drives = FALSE;
    own_waiter.Word = 0;
}

KI_WAITER *KiPrepareVirtualWait(DISPATCHER_HEADER *Object)
{
    KiForgetInterrupted();
    own_waiter = (KI_WAITER){
        .Object = Object,
        .Thread = KiThreadIdentity(),
        .Timer.Header.Type = KI_WAIT_TIMER,
        .Counted = self.Counts,
        .MayDrive = KiClockKind == EmuClockVirtualIdle && !self.System,
    };
    return &own_waiter;
}

void KiBeginVirtualWait(void)
{
    InsertTailList(&waiters, &own_waiter.Links);
    own_waiter.Listed = TRUE;
    begin_to_wait();
}

void KiFinishVirtualWait(KI_WAITER *Waiter, NTSTATUS Status)
{
    RemoveEntryList(&Waiter->Links);
    Waiter->Listed = FALSE;
    if (Waiter->Timer.Header.Inserted)
        KiRemoveTimer(&Waiter->Timer);
    if (Waiter->Counted)
        busy++;
    Waiter->Status = Status;
    __atomic_fetch_or(&Waiter->Word, KI_WAIT_DONE, __ATOMIC_RELEASE);
    KiFutexWake(&Waiter->Word, 1);
}

void KiEndVirtualWait(void)
{
    own_waiter.Word = 0;
    self.Waits = FALSE;
}

KI_WAITER *KiNextWaiter(KI_WAITER *Waiter)
{
    PLIST_ENTRY next = Waiter ? Waiter->Links.Flink : waiters.Flink;

    return next == &waiters ? NULL : CONTAINING_RECORD(next, KI_WAITER, Links);
}

BOOLEAN KiDriveClock(LONGLONG Limit, BOOLEAN *Entered)
{
    PKTIMER next = busy ? NULL : KiFirstTimer();

    if (!next || (LONGLONG)next->DueTime.QuadPart > Limit)
        return FALSE;
    if ((LONGLONG)next->DueTime.QuadPart > KiInterruptTime())
        KiSetVirtualTime((LONGLONG)next->DueTime.QuadPart);
    self.Drives = TRUE;
    busy++;
    KiExpireTimer(next);
    KiUnlockDispatcher(*Entered);
    if (KiDpcsQueued)
        KiRunDpcs();
    *Entered = KiLockDispatcher();
    self.Drives = FALSE;
    no_longer_busy();
    return TRUE;
}

void KiWaitUntilIdle(BOOLEAN *Entered)
{
    while (busy) {
        LONG word = __atomic_load_n(&idle_word, __ATOMIC_RELAXED);
        KiUnlockDispatcher(*Entered);
        KiFutexWait(&idle_word, word, NULL);
        *Entered = KiLockDispatcher();
    }
}

void KiForgetVirtualClock(void)
{
    InitializeListHead(&waiters);
    busy = 0;
    generation++;
}

/* ---- threads ---- */

void KiHoldClock(void)
{
    BOOLEAN entered = KiLockDispatcher();

    busy++;
    KiUnlockDispatcher(entered);
}

void KiReleaseClock(void)
{
    BOOLEAN entered = KiLockDispatcher();

    no_longer_busy();
    KiUnlockDispatcher(entered);
}

void KiAdoptThread(void)
{
    BOOLEAN entered = KiLockDispatcher();

    know_the_machine();
    self.Counts = self.System = TRUE;
    KiUnlockDispatcher(entered);
}

void KiUncountThread(void)
{
    BOOLEAN entered = KiLockDispatcher();

    if (self.Generation == generation && self.Counts) {
        self.Counts = FALSE;
        no_longer_busy();
    }
    KiUnlockDispatcher(entered);
}

void EmuClockEnterThread(void)
{
    BOOLEAN entered;

    if (!KiIsVirtual())
        return;
    entered = KiLockDispatcher();
    know_the_machine();
    if (!self.Counts) {
        self.Counts = TRUE;
        busy++;
    }
    KiUnlockDispatcher(entered);
}

void EmuClockLeaveThread(void)
{
    if (KiIsVirtual())
        KiUncountThread();
}

void EmuClockHold(void)
{
    if (KiIsVirtual())
        KiHoldClock();
}

void EmuClockRelease(void)
{
    if (KiIsVirtual())
        KiReleaseClock();
}

/* ---- to advance ---- */

static NTSTATUS check_caller(LONGLONG time)
{
    if (KeGetCurrentIrql() >= DISPATCH_LEVEL)
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, 0, KeGetCurrentIrql(), 0, (ULONG_PTR)__builtin_return_address(0));
    if (!KiIsVirtual())
        return STATUS_INVALID_DEVICE_STATE;
    return time < 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

/* Like a wait, but nobody ends it. */
static BOOLEAN step_aside(void)
{
    BOOLEAN entered = KiLockDispatcher();

    KiForgetInterrupted();
    begin_to_wait();
    KiWaitUntilIdle(&entered);
    return entered;
}

static void step_back(BOOLEAN entered)
{
    if (self.Waits)
        busy++;
    self.Waits = FALSE;
    KiUnlockDispatcher(entered);
}

void KiLetOthersRun(void)
{
    step_back(step_aside());
}

static void run_until(LONGLONG time, BOOLEAN *entered)
{
    while (KiDriveClock(time, entered))
        KiWaitUntilIdle(entered);
    if (time > KiInterruptTime())
        KiSetVirtualTime(time);
}

NTSTATUS EmuClockAdvance(LONGLONG Time)
{
    NTSTATUS status = check_caller(Time);
    BOOLEAN entered;
    LONGLONG end;

    if (!NT_SUCCESS(status))
        return status;
    entered = step_aside();
    if (__builtin_add_overflow(KiInterruptTime(), Time, &end))
        status = STATUS_INVALID_PARAMETER;
    else
        run_until(end, &entered);
    step_back(entered);
    return status;
}

NTSTATUS EmuClockAdvanceToNext(LONGLONG *Passed)
{
    NTSTATUS status = check_caller(0);
    BOOLEAN entered;
    LONGLONG before;
    PKTIMER next;

    if (!NT_SUCCESS(status))
        return status;
    entered = step_aside();
    before = KiInterruptTime();
    next = KiFirstTimer();
    if (!next)
        status = STATUS_NO_MORE_ENTRIES;
    else {
        LONGLONG due = (LONGLONG)next->DueTime.QuadPart;
        run_until(due, &entered);
        if (Passed)
            *Passed = KiInterruptTime() - before;
    }
    step_back(entered);
    return status;
}
