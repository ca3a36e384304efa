/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Semaphores and mutexes: what adds to SignalState. Waiting takes from it (wait.c). */
#include "kip.h"

#include <limits.h>
#include <string.h>

static void initialize(DISPATCHER_HEADER *header, UCHAR type, SIZE_T size, LONG state)
{
    memset(header, 0, size);
    header->Type = type;
    header->Size = (UCHAR)(size / sizeof(LONG));
    __atomic_store_n(&header->SignalState, state, __ATOMIC_RELEASE);
    InitializeListHead(&header->WaitListHead);
}

/* ---- semaphores ---- */

void NTAPI KeInitializeSemaphore(PKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    initialize(&Semaphore->Header, SemaphoreObject, sizeof *Semaphore, Count);
    Semaphore->Limit = Limit;
}

NTSTATUS EmuReleaseSemaphore(PKSEMAPHORE Semaphore, LONG Adjustment, LONG *Count)
{
    LONG limit = Semaphore->Limit, old = __atomic_load_n(&Semaphore->Header.SignalState, __ATOMIC_SEQ_CST), sum;

    do {
        if (__builtin_add_overflow(old, Adjustment, &sum) || sum > limit || sum < old)
            return STATUS_SEMAPHORE_LIMIT_EXCEEDED;
    } while (
        !__atomic_compare_exchange_n(&Semaphore->Header.SignalState, &old, sum, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    KiSignalled(&Semaphore->Header, Adjustment);
    if (Count)
        *Count = old;
    return STATUS_SUCCESS;
}

LONG NTAPI KeReleaseSemaphore(PKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    LONG old;
    NTSTATUS status = EmuReleaseSemaphore(Semaphore, Adjustment, &old);

    if (!NT_SUCCESS(status))
        KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)status, (ULONG_PTR)__builtin_return_address(0), 0, 0);
    return old;
}

LONG NTAPI KeReadStateSemaphore(PKSEMAPHORE Semaphore)
{
    return __atomic_load_n(&Semaphore->Header.SignalState, __ATOMIC_SEQ_CST);
}

/* ---- mutexes ---- */

void NTAPI KeInitializeMutex(PKMUTEX Mutex, ULONG Level)
{
    initialize(&Mutex->Header, MutantObject, sizeof *Mutex, 1);
    Mutex->ApcDisable = 1;
}

LONG NTAPI KeReleaseMutex(PKMUTEX Mutex, BOOLEAN Wait)
{
    LONG old;

    if (__atomic_load_n(&Mutex->OwnerThread, __ATOMIC_RELAXED) != KiThreadIdentity())
        KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_MUTANT_NOT_OWNED,
                     (ULONG_PTR)__builtin_return_address(0), 0, 0);
    /* Only the owner changes the count while it is owned. The owner goes first: the next one sets it. */
    old = __atomic_load_n(&Mutex->Header.SignalState, __ATOMIC_RELAXED);
    if (!old)
        __atomic_store_n(&Mutex->OwnerThread, NULL, __ATOMIC_RELAXED);
    __atomic_store_n(&Mutex->Header.SignalState, old + 1, __ATOMIC_SEQ_CST);
    if (!old)
        KiSignalled(&Mutex->Header, 1);
    return old;
}

LONG NTAPI KeReadStateMutex(PKMUTEX Mutex)
{
    return __atomic_load_n(&Mutex->Header.SignalState, __ATOMIC_SEQ_CST);
}
