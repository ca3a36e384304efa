/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRQL, spin locks. Every thread of the machine counts as a processor of its own, so its IRQL is a thread's.
 */
#include <ntemu/wdm.h>

#include <sched.h>

static _Thread_local KIRQL current_irql;

KIRQL NTAPI KeGetCurrentIrql(void)
{
    return current_irql;
}

KIRQL NTAPI KfRaiseIrql(KIRQL NewIrql)
{
    KIRQL old = current_irql;

    if (NewIrql < old)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x30, old, NewIrql, 0);
    current_irql = NewIrql;
    /* From here on the pool has rules to look at. It finds back by itself when the IRQL is low again. */
    if (NewIrql > APC_LEVEL) {
        EMU_POOL_PUT_(EmuPoolThread_, (EMU_POOL_THREAD_ *)(ULONG_PTR)EmuPoolSlow_);
        EMU_POOL_PUT_(EmuPoolFreer_, (EMU_POOL_THREAD_ *)(ULONG_PTR)EmuPoolSlow_);
    }
    return old;
}

void NTAPI KeLowerIrql(KIRQL NewIrql)
{
    if (NewIrql > current_irql)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31, current_irql, NewIrql, 0);
    current_irql = NewIrql;
}

void NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
}

KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    KIRQL old = KfRaiseIrql(DISPATCH_LEVEL);

    for (unsigned tries = 0; __atomic_exchange_n(SpinLock, 1, __ATOMIC_ACQUIRE); tries++) {
        /* The holder may be a Linux thread that is not running: a real processor would be. */
        if (tries % 64 == 63)
            sched_yield();
        else
            __builtin_ia32_pause();
    }
    return old;
}

void NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    if (current_irql != DISPATCH_LEVEL)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x32, current_irql, (ULONG_PTR)SpinLock, 0);
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
    KeLowerIrql(NewIrql);
}
