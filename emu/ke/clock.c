/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What time it is: the host's, or a number that somebody advances. */
#include "kip.h"

#include <pthread.h>
#include <time.h>

#include "irql.h"

#define UNITS_PER_SECOND 10000000
#define TICK             100000 /* our choice, 10 ms */
#define UNIX_EPOCH       116444736000000000LL

EMU_CLOCK KiClockKind;

static LONGLONG booted_at;    /* atomic; real: monotonic time of boot. Virtual: system time of boot */
static LONGLONG virtual_time; /* atomic; written with the dispatcher lock */
static pthread_mutex_t dispatcher_lock = PTHREAD_MUTEX_INITIALIZER;

/* Who holds the lock must not be parked by force IRQL checking: a thread at DISPATCH_LEVEL may need it. */
BOOLEAN KiLockDispatcher(void)
{
    BOOLEAN entered = KiEnterProcessor();

    pthread_mutex_lock(&dispatcher_lock);
    return entered;
}

void KiUnlockDispatcher(BOOLEAN Entered)
{
    pthread_mutex_unlock(&dispatcher_lock);
    KiLeaveProcessor(Entered);
}

static LONGLONG host_time(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (LONGLONG)now.tv_sec * UNITS_PER_SECOND + now.tv_nsec / 100;
}

void KiStartClock(EMU_CLOCK Kind, LONGLONG SystemTime)
{
    __atomic_store_n(&virtual_time, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&booted_at, Kind == EmuClockReal ? host_time(CLOCK_MONOTONIC) : SystemTime, __ATOMIC_RELAXED);
    __atomic_store_n(&KiClockKind, Kind, __ATOMIC_RELEASE);
}

void KiStopClock(KI_CLOCK_LEFT *Left)
{
    BOOLEAN entered;

    KiStopTimers();
    entered = KiLockDispatcher();
    Left->Timers = KiForgetTimers();
    Left->Dpcs = KiForgetDpcs();
    KiForgetVirtualClock();
    __atomic_store_n(&KiClockKind, EmuClockReal, __ATOMIC_RELEASE);
    KiUnlockDispatcher(entered);
}

LONGLONG KiInterruptTime(void)
{
    if (KiIsVirtual())
        return __atomic_load_n(&virtual_time, __ATOMIC_RELAXED);
    return host_time(CLOCK_MONOTONIC) - __atomic_load_n(&booted_at, __ATOMIC_RELAXED);
}

void KiSetVirtualTime(LONGLONG InterruptTime)
{
    __atomic_store_n(&virtual_time, InterruptTime, __ATOMIC_RELAXED);
}

static LONGLONG system_time(void)
{
    if (KiIsVirtual())
        return __atomic_load_n(&booted_at, __ATOMIC_RELAXED) + __atomic_load_n(&virtual_time, __ATOMIC_RELAXED);
    return host_time(CLOCK_REALTIME) + UNIX_EPOCH;
}

LONGLONG KiDueTime(LONGLONG Time)
{
    LONGLONG now = KiInterruptTime(), due;

    if (Time >= 0) /* absolute */
        Time = system_time() - Time;
    if (Time >= 0) /* come already */
        return now;
    if (Time == INT64_MIN || __builtin_sub_overflow(now, Time, &due))
        return INT64_MAX;
    return due;
}

void NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    CurrentTime->QuadPart = system_time();
}

ULONGLONG NTAPI KeQueryInterruptTime(void)
{
    return (ULONGLONG)KiInterruptTime();
}

void NTAPI KeQueryTickCount(PLARGE_INTEGER TickCount)
{
    TickCount->QuadPart = KiInterruptTime() / TICK;
}

ULONG NTAPI KeQueryTimeIncrement(void)
{
    return TICK;
}

void EmuClockQuery(EMU_CLOCK_STATE *State)
{
    BOOLEAN entered = KiLockDispatcher();
    PKTIMER first = KiFirstTimer();

    *State = (EMU_CLOCK_STATE){
        .Kind = KiClockKind,
        .SystemTime = system_time(),
        .InterruptTime = KiInterruptTime(),
        .NextDue = first ? (LONGLONG)first->DueTime.QuadPart : -1,
        .Busy = KiBusy(),
    };
    KiCountTimers(&State->Timers, &State->TimedWaits, &State->Expirations);
    KiUnlockDispatcher(entered);
}
