/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool's life, and the options that send allocations to the slow path. */
#include "exp.h"

static ULONG64 fail_countdown, fail_times, failed; /* EmuPoolFailAllocations */
static pthread_mutex_t fail_lock = PTHREAD_MUTEX_INITIALIZER;
static ULONG tracked; /* EmuPoolTrack; atomic */

/* ---- life ---- */

NTSTATUS ExpInitializePool(SIZE_T PagedLimit, SIZE_T NonPagedLimit, void (*Refused)(BOOLEAN Paged))
{
    NTSTATUS status;

    if (!ExpClassEnd)
        ExpMakeClasses();
    status = ExpOpenArenas(PagedLimit, NonPagedLimit);
    if (!NT_SUCCESS(status))
        return status;
    ExpSetRefusedRoutine(Refused);
    if (ExpIsWatched()) {
        ExpTellReserved();
        ExpSetSlow(EXP_SLOW_CHECKER, TRUE);
    }
    ExpSetSlow(EXP_SLOW_CLOSED, FALSE);
    return STATUS_SUCCESS;
}

void ExpShutdownPool(void)
{
    ExpSetSlow(EXP_SLOW_CLOSED, TRUE);
    ExpTellClosed();
    ExpForgetSlabs();
    ExpForgetThreads();
    ExpForgetSums();
    ExpForgetPeaks();
    ExpCloseArenas();
    ExpSetRefusedRoutine(NULL);
}

/* ---- options ---- */

void EmuPoolFailAllocations(ULONG64 Nth, ULONG64 Times)
{
    pthread_mutex_lock(&fail_lock);
    fail_countdown = Nth;
    fail_times = Times;
    failed = 0;
    pthread_mutex_unlock(&fail_lock);
    ExpSetSlow(EXP_SLOW_FAILURES, Times != 0);
}

ULONG64 EmuPoolFailedAllocations(void)
{
    ULONG64 n;

    pthread_mutex_lock(&fail_lock);
    n = failed;
    pthread_mutex_unlock(&fail_lock);
    return n;
}

BOOLEAN ExpFailsOnDemand(void)
{
    BOOLEAN fails = FALSE;

    pthread_mutex_lock(&fail_lock);
    if (fail_times && (fail_countdown <= 1 || !fail_countdown--)) {
        fail_times--;
        failed++;
        fails = TRUE;
    }
    pthread_mutex_unlock(&fail_lock);
    return fails;
}

ULONG EmuPoolTrack(ULONG Flags)
{
    ULONG before = __atomic_exchange_n(&tracked, Flags, __ATOMIC_SEQ_CST);

    ExpSetSlow(EXP_SLOW_STACKS, (Flags & EMU_POOL_TRACK_STACKS) != 0);
    ExpSetSlow(EXP_SLOW_AGES, (Flags & EMU_POOL_TRACK_AGES) != 0);
    return before;
}

void EmuPoolTrim(void)
{
    EXP_THREAD *thread = ExpKnownThread();

    if (ExpSlowReasons() & EXP_SLOW_CLOSED)
        return;
    if (thread)
        ExpEmptyLists(thread);
    ExpTrimChains(&ExpArenas[NonPagedPool]);
    if (KeGetCurrentIrql() <= APC_LEVEL)
        ExpTrimChains(&ExpArenas[PagedPool]);
}
