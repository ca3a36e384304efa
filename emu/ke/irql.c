/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRQL, spin locks. Every thread of the machine counts as a processor of its own, so its IRQL is a thread's; with force
 * IRQL checking there is one processor for all of them (irql.h).
 */
#include "irql.h"

#include <limits.h>
#include <sched.h>

#include "futex.h"
#include "kip.h"

/* Read in signal handlers: never allocated on first use. */
#define SIGNAL_SAFE __attribute__((tls_model("initial-exec")))

static _Thread_local SIGNAL_SAFE KIRQL current_irql;
static _Thread_local SIGNAL_SAFE ULONG processor_depth; /* how often this thread has taken the processor */
static _Thread_local SIGNAL_SAFE BOOLEAN has_protected; /* and has put paged memory out of reach */

static KI_PROTECT_ROUTINE *protect;             /* atomic; NULL: no checking */
static LONG processor;                          /* atomic: 0 free, 1 taken, 2 taken and waited for */
static ULONG64 raises, spin_locks, protections; /* atomic; counted while the verifier is on */
static BOOLEAN counting;                        /* atomic */

/* ---- the one processor ---- */

static void take_processor(void)
{
    LONG state = 0;

    if (processor_depth++)
        return;
    if (!__atomic_compare_exchange_n(&processor, &state, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        while (__atomic_exchange_n(&processor, 2, __ATOMIC_ACQUIRE))
            KiFutexWait(&processor, 2, NULL);
}

/* The parked repeat their access; of the raisers one gets it, and the others sleep again. */
static void give_processor(void)
{
    if (--processor_depth)
        return;
    if (__atomic_exchange_n(&processor, 0, __ATOMIC_RELEASE) == 2)
        KiFutexWake(&processor, INT_MAX);
}

static inline KI_PROTECT_ROUTINE *protect_routine(void)
{
    return __atomic_load_n(&protect, __ATOMIC_ACQUIRE);
}

static void protect_paged(KI_PROTECT_ROUTINE *routine, BOOLEAN out_of_reach)
{
    routine(out_of_reach);
    has_protected = out_of_reach;
}

/* From below DISPATCH_LEVEL to it, or above. */
static void enter_dispatch_level(void)
{
    KI_PROTECT_ROUTINE *routine = protect_routine();

    if (!routine)
        return;
    take_processor();
    protect_paged(routine, TRUE);
    __atomic_fetch_add(&protections, 1, __ATOMIC_RELAXED);
}

static void leave_dispatch_level(void)
{
    if (!has_protected)
        return;
    protect_paged(protect_routine(), FALSE);
    give_processor();
}

void KiSetIrqlChecking(KI_PROTECT_ROUTINE *Routine)
{
    /* With the processor taken nobody has anything protected. */
    take_processor();
    __atomic_store_n(&protect, Routine, __ATOMIC_RELEASE);
    give_processor();
}

BOOLEAN KiEnterProcessor(void)
{
    if (!protect_routine())
        return FALSE;
    take_processor();
    return TRUE;
}

void KiLeaveProcessor(BOOLEAN Entered)
{
    if (Entered)
        give_processor();
}

BOOLEAN KiPagedIsOutOfReach(void)
{
    return has_protected;
}

BOOLEAN KiPark(void)
{
    LONG state = __atomic_load_n(&processor, __ATOMIC_ACQUIRE);

    if (!state || processor_depth)
        return FALSE;
    if (state == 1)
        __atomic_compare_exchange_n(&processor, &state, 2, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    KiFutexWait(&processor, 2, NULL);
    return TRUE;
}

BOOLEAN KiSuspendIrqlChecking(void)
{
    if (!has_protected)
        return FALSE;
    protect_paged(protect_routine(), FALSE);
    return TRUE;
}

void KiResumeIrqlChecking(BOOLEAN Suspended)
{
    if (Suspended)
        protect_paged(protect_routine(), TRUE);
}

void KiCountIrqls(BOOLEAN Count)
{
    __atomic_store_n(&counting, Count, __ATOMIC_RELAXED);
    if (!Count)
        return;
    __atomic_store_n(&raises, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&spin_locks, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&protections, 0, __ATOMIC_RELAXED);
}

void KiIrqlCounts(ULONG64 *Raises, ULONG64 *SpinLocks, ULONG64 *Protections)
{
    *Raises = __atomic_load_n(&raises, __ATOMIC_RELAXED);
    *SpinLocks = __atomic_load_n(&spin_locks, __ATOMIC_RELAXED);
    *Protections = __atomic_load_n(&protections, __ATOMIC_RELAXED);
}

static inline void count(ULONG64 *counter)
{
    if (__atomic_load_n(&counting, __ATOMIC_RELAXED))
        __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- IRQL ---- */

KIRQL NTAPI KeGetCurrentIrql(void)
{
    return current_irql;
}

KIRQL NTAPI KfRaiseIrql(KIRQL NewIrql)
{
    KIRQL old = current_irql;

    if (NewIrql < old)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x30, old, NewIrql, 0);
    count(&raises);
    current_irql = NewIrql;
    /* From here on the pool has rules to look at. It finds back by itself when the IRQL is low again. */
    if (NewIrql > APC_LEVEL) {
        EMU_POOL_PUT_(EmuPoolThread_, (EMU_POOL_THREAD_ *)(ULONG_PTR)EmuPoolSlow_);
        EMU_POOL_PUT_(EmuPoolFreer_, (EMU_POOL_THREAD_ *)(ULONG_PTR)EmuPoolSlow_);
    }
    if (old < DISPATCH_LEVEL && NewIrql >= DISPATCH_LEVEL)
        enter_dispatch_level();
    return old;
}

void NTAPI KeLowerIrql(KIRQL NewIrql)
{
    if (NewIrql > current_irql)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31, current_irql, NewIrql, 0);
    if (NewIrql < DISPATCH_LEVEL)
        leave_dispatch_level();
    current_irql = NewIrql;
    if (KiDpcsQueued && NewIrql < DISPATCH_LEVEL)
        KiRunDpcs();
}

/* ---- spin locks ---- */

void NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
}

static void spin(PKSPIN_LOCK lock)
{
    count(&spin_locks);
    for (unsigned tries = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); tries++) {
        /* The holder may be a Linux thread that is not running: a real processor would be. */
        if (tries % 64 == 63)
            sched_yield();
        else
            __builtin_ia32_pause();
    }
}

KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    KIRQL old;

    if (current_irql > DISPATCH_LEVEL)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x42, current_irql, (ULONG_PTR)SpinLock, 0);
    old = KfRaiseIrql(DISPATCH_LEVEL);
    spin(SpinLock);
    return old;
}

void NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (current_irql < DISPATCH_LEVEL)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x40, current_irql, (ULONG_PTR)SpinLock, 0);
    spin(SpinLock);
}

void NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (current_irql < DISPATCH_LEVEL)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x41, current_irql, (ULONG_PTR)SpinLock, 0);
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
}

void NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    if (current_irql != DISPATCH_LEVEL)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x32, current_irql, (ULONG_PTR)SpinLock, 0);
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
    KeLowerIrql(NewIrql);
}
