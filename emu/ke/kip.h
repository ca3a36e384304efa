/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kip.h - the kernel's own: the dispatcher's lock, timers, waits in virtual time, DPCs.
 *
 * On the real clock a waiter sleeps on the object's SignalState, and whoever signals needs no lock. On a virtual clock
 * every wait is an entry in one list and every signal looks there, because the clock has to know who is about to run
 * before that thread itself does. The clock is chosen at boot and stays.
 *
 * One lock guards timers, DPC queues and the virtual clock. It is taken at any IRQL and never held while a routine of
 * somebody else runs.
 */
#ifndef NTEMU_KE_KIP_H
#define NTEMU_KE_KIP_H

#include <ntemu/clock.h>
#include <ntemu/wdm.h>

/* Returns what KiUnlockDispatcher is to be told. */
BOOLEAN KiLockDispatcher(void);
void KiUnlockDispatcher(BOOLEAN Entered);

/* ---- clock.c ---- */

extern EMU_CLOCK KiClockKind; /* written while the machine boots */

static inline BOOLEAN KiIsVirtual(void)
{
    return __atomic_load_n(&KiClockKind, __ATOMIC_RELAXED) != EmuClockReal;
}

void KiStartClock(EMU_CLOCK Kind, LONGLONG SystemTime); /* SystemTime: a virtual clock's first */

/* What shutdown finds; all of it is forgotten. Nobody may set a timer any more. */
typedef struct _KI_CLOCK_LEFT {
    ULONG Timers, Dpcs;
} KI_CLOCK_LEFT;
void KiStopClock(KI_CLOCK_LEFT *Left);

LONGLONG KiInterruptTime(void);
void KiSetVirtualTime(LONGLONG InterruptTime); /* dispatcher lock */
LONGLONG KiDueTime(LONGLONG Time);             /* in interrupt time; of the documented form */

/* ---- timer.c; all with the dispatcher lock ---- */

#define KI_WAIT_TIMER 0xff /* Header.Type of the timer inside a KI_WAITER */

void KiInsertTimer(PKTIMER Timer, LONGLONG Due);
void KiRemoveTimer(PKTIMER Timer);
PKTIMER KiFirstTimer(void); /* NULL: none is set */
/* Takes the timer from the queue, signals it, queues its DPC for the calling thread, sets it again if it is periodic.
 */
void KiExpireTimer(PKTIMER Timer);
void KiCountTimers(ULONG *Timers, ULONG *TimedWaits, ULONG64 *Expirations);
void KiStopTimers(void); /* without the lock: ends the real clock's thread */
ULONG KiForgetTimers(void);

/* ---- dpc.c ---- */

extern _Thread_local ULONG KiDpcsQueued __attribute__((tls_model("initial-exec"))); /* for the calling thread */
void KiQueueDpc(PKDPC Dpc, PVOID Argument1, PVOID Argument2); /* dispatcher lock; Dpc is in no queue */
void KiRunDpcs(void);                                         /* below DISPATCH_LEVEL */
ULONG KiForgetDpcs(void);                                     /* dispatcher lock */

/* ---- wait.c ---- */

/* Whether the object is signalled for the thread; if so, takes of it what one satisfied wait takes. */
BOOLEAN KiTakeSignal(DISPATCHER_HEADER *Object, PVOID Thread);
/* The calling thread, as the owner of a mutex. */
PVOID KiThreadIdentity(void);
/* Lets go who waits for the object, which has just been signalled with room for Threads of them. */
void KiSignalled(DISPATCHER_HEADER *Object, int Threads);        /* on either clock, without the lock */
void KiSatisfyWaiters(DISPATCHER_HEADER *Object);                /* virtual clock, with the lock */
NTSTATUS KiWait(DISPATCHER_HEADER *Object, PLARGE_INTEGER Time); /* Object NULL: a delay. Time NULL: for ever */
void KiEndTimedWait(PKTIMER Timer);                              /* with the lock */

/* ---- virtual.c; all with the dispatcher lock ---- */

typedef struct _KI_WAITER {
    LIST_ENTRY Links;
    DISPATCHER_HEADER *Object;
    PVOID Thread;
    KTIMER Timer;
    BOOLEAN Counted;  /* its thread counts as soon as the wait ends */
    BOOLEAN MayDrive; /* its thread may advance the clock meanwhile */
    BOOLEAN Listed;
    LONG Word; /* KI_WAIT_DONE, and a number that changes when the thread should look again */
    NTSTATUS Status;
} KI_WAITER;
#define KI_WAIT_DONE 1

/* Removes what the calling thread left behind when it jumped out of a bug check. */
void KiForgetInterrupted(void);
/* The calling thread's waiter. Not on its stack: it may jump out of a bug check. */
KI_WAITER *KiPrepareVirtualWait(DISPATCHER_HEADER *Object);
void KiBeginVirtualWait(void);
void KiFinishVirtualWait(KI_WAITER *Waiter, NTSTATUS Status);
void KiEndVirtualWait(void);
/* The list of waiters, first come first. NULL: no more. The next is found before the one is finished. */
KI_WAITER *KiNextWaiter(KI_WAITER *Waiter);
/* If nobody runs: makes what is due next happen. Unlocks meanwhile. FALSE: nothing to do. */
BOOLEAN KiDriveClock(LONGLONG Limit, BOOLEAN *Entered);
void KiForgetVirtualClock(void);
ULONG KiBusy(void);
/* Without the lock: something more, or less, is busy. */
void KiHoldClock(void);
void KiReleaseClock(void);
/* Without the lock: the calling thread is a system thread, for which its maker took a hold; and it ends. */
void KiAdoptThread(void);
void KiUncountThread(void);
/* Waits until nobody who counts runs. Unlocks meanwhile. */
void KiWaitUntilIdle(BOOLEAN *Entered);
/* Without the lock: the same for the calling thread, which does not count meanwhile. */
void KiLetOthersRun(void);

#endif
