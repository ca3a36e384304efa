/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ke.h - the kernel's dispatcher objects beside events, DPCs, and system threads. Part of wdm.h, which includes it.
 *
 * Ours, from public documentation (WDK reference; sizes of x64). The caller owns the memory of each object; it must be
 * nonpaged. All times are 100 ns units; a due time below zero is relative, zero or above is system time.
 * Which clock they run on, real or virtual, is the machine's: <ntemu/clock.h>.
 */
#ifndef NTEMU_KE_H
#define NTEMU_KE_H

#ifndef NTEMU_WDM_H
#error "include <ntemu/wdm.h>"
#endif

/* DISPATCHER_HEADER.Type; an event has its EVENT_TYPE. Published by debuggers. */
enum {
    MutantObject = 2,
    SemaphoreObject = 5,
    ThreadObject = 6,
    TimerNotificationObject = 8,
    TimerSynchronizationObject = 9
};

/* ---- time ---- */

/* 100 ns units since the machine booted; does not follow changes of the system time. Any IRQL. */
ULONGLONG NTAPI KeQueryInterruptTime(void);
/* Ticks since boot, and what a tick is: 100,000 units (10 ms; our choice, NT's depends on the hardware). Any IRQL. */
void NTAPI KeQueryTickCount(PLARGE_INTEGER TickCount);
ULONG NTAPI KeQueryTimeIncrement(void);

/*
 * KeDelayExecutionThread - waits for Interval; zero gives the processor to others. Alertable is accepted: there are no
 * APCs. IRQL < DISPATCH_LEVEL, else bug check 0xA. Returns STATUS_SUCCESS.
 */
NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval);

/* ---- DPCs ---- */

struct _KDPC;
typedef void(NTAPI *PKDEFERRED_ROUTINE)(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1,
                                        PVOID SystemArgument2);

typedef struct _KDPC {
    UCHAR Type;
    UCHAR Importance;
    USHORT Number;
    LIST_ENTRY DpcListEntry;
    PKDEFERRED_ROUTINE DeferredRoutine;
    PVOID DeferredContext;
    PVOID SystemArgument1;
    PVOID SystemArgument2;
    PVOID DpcData; /* the processor (here: the thread) in whose queue it is; NULL: in none */
} KDPC, *PKDPC;
_Static_assert(sizeof(KDPC) == 0x40, "KDPC of x64");

/*
 * A DPC runs once for each time it was queued, at DISPATCH_LEVEL, on the processor that queued it: as every thread is
 * one, on the calling thread, before KeInsertQueueDpc returns if the IRQL is below DISPATCH_LEVEL, else when it is
 * lowered. It is out of the queue while it runs and may be queued or freed then.
 *   KeInsertQueueDpc  any IRQL. FALSE: it is in a queue already, and stays with the arguments it has.
 *   KeRemoveQueueDpc  any IRQL. FALSE: it was in none.
 */
void NTAPI KeInitializeDpc(PKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);
BOOLEAN NTAPI KeInsertQueueDpc(PKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2);
BOOLEAN NTAPI KeRemoveQueueDpc(PKDPC Dpc);

/* ---- timers ---- */

typedef struct _KTIMER {
    DISPATCHER_HEADER Header;
    ULARGE_INTEGER DueTime; /* of KeQueryInterruptTime */
    LIST_ENTRY TimerListEntry;
    PKDPC Dpc;
    LONG Period; /* milliseconds; 0: once */
} KTIMER, *PKTIMER;
_Static_assert(sizeof(KTIMER) == 0x40 && offsetof(KTIMER, Dpc) == 0x30, "KTIMER of x64");

/*
 * Timers. A notification timer stays signalled, a synchronization timer lets one waiter through. Timers of one due time
 * expire in the order in which they were set. A due time that has come is no error: the timer expires at once.
 *   KeSetTimerEx      IRQL <= DISPATCH_LEVEL. Not signalled from now on; then signalled, and Dpc (may be NULL) queued,
 *                     at DueTime and every Period milliseconds after it. Its system arguments are NULL (documented:
 *                     a driver must not use them). TRUE: it was set already, and that is cancelled.
 *   KeCancelTimer     IRQL <= DISPATCH_LEVEL. TRUE: it was set. A DPC of it that runs is not waited for; the state
 *                     stays as it is.
 *   KeReadStateTimer  whether it is signalled.
 * The DPC runs on the clock's thread, or on the thread that drives a virtual clock.
 */
void NTAPI KeInitializeTimer(PKTIMER Timer); /* a notification timer */
void NTAPI KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type);
BOOLEAN NTAPI KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc);
BOOLEAN NTAPI KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc);
BOOLEAN NTAPI KeCancelTimer(PKTIMER Timer);
BOOLEAN NTAPI KeReadStateTimer(PKTIMER Timer);

/* ---- semaphores ---- */

typedef struct _KSEMAPHORE {
    DISPATCHER_HEADER Header; /* SignalState: the count */
    LONG Limit;
} KSEMAPHORE, *PKSEMAPHORE;
_Static_assert(sizeof(KSEMAPHORE) == 0x20, "KSEMAPHORE of x64");

/*
 * Semaphores. 0 <= Count <= Limit, Limit > 0.
 *   KeReleaseSemaphore   IRQL <= DISPATCH_LEVEL. Adds Adjustment (> 0) and returns the count before. Over the limit NT
 *                        raises STATUS_SEMAPHORE_LIMIT_EXCEEDED (documented); here nobody could handle that, so it is
 *                        what becomes of it then: bug check 0x1E with that status.
 *   EmuReleaseSemaphore  for code that handles the exception on NT: returns that status, and leaves the count alone.
 *                        Count, out, may be NULL: the count before.
 */
void NTAPI KeInitializeSemaphore(PKSEMAPHORE Semaphore, LONG Count, LONG Limit);
LONG NTAPI KeReleaseSemaphore(PKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait);
LONG NTAPI KeReadStateSemaphore(PKSEMAPHORE Semaphore);
NTSTATUS EmuReleaseSemaphore(PKSEMAPHORE Semaphore, LONG Adjustment, LONG *Count);

/* ---- mutexes ---- */

typedef struct _KMUTANT {
    DISPATCHER_HEADER Header; /* SignalState: 1 free; 0, -1, ...: owned once, twice, ... */
    LIST_ENTRY MutantListEntry;
    PVOID OwnerThread;
    BOOLEAN Abandoned;
    UCHAR ApcDisable;
} KMUTEX, *PKMUTEX;
_Static_assert(sizeof(KMUTEX) == 0x38, "KMUTANT of x64");

/*
 * Mutexes, recursive; acquired by KeWaitForSingleObject. Level is accepted, as documented. KeReleaseMutex by a thread
 * that is not the owner raises STATUS_MUTANT_NOT_OWNED on NT (documented): bug check 0x1E with it. Returns the state
 * before.
 */
void NTAPI KeInitializeMutex(PKMUTEX Mutex, ULONG Level);
LONG NTAPI KeReleaseMutex(PKMUTEX Mutex, BOOLEAN Wait);
LONG NTAPI KeReadStateMutex(PKMUTEX Mutex);

/* ---- spin locks at DISPATCH_LEVEL ---- */

/* As KeAcquireSpinLock for who is at DISPATCH_LEVEL already; below it: bug check 0xC4/0x40 and 0xC4/0x41 (documented:
 * Driver Verifier). The IRQL stays. */
void NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
void NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);

#endif
