/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests that wait for another one's answer from the server. Cancelling the IRP ends the wait. */
#include "rdr.h"

#include <ntemu/trace.h>

static ULONG waiting; /* atomic */

typedef struct _CANCELLABLE {
    PKEVENT Event;
    KEVENT Cancelled; /* the cancel routine's last word: the structure is on the waiter's stack */
} CANCELLABLE;

static void NTAPI cancel_wait(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    CANCELLABLE *wait = Irp->Tail.Overlay.DriverContext[0];

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeSetEvent(wait->Event, IO_NO_INCREMENT, FALSE);
    KeSetEvent(&wait->Cancelled, IO_NO_INCREMENT, FALSE);
}

/* Returns when the event is set, which a cancel of the IRP does too. */
static void wait_for(PIRP irp, PKEVENT event)
{
    CANCELLABLE wait = {.Event = event};

    KeInitializeEvent(&wait.Cancelled, NotificationEvent, FALSE);
    irp->Tail.Overlay.DriverContext[0] = &wait;
    IoSetCancelRoutine(irp, cancel_wait);
    if (__atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) && IoSetCancelRoutine(irp, NULL))
        return;
    KeWaitForSingleObject(event, Executive, KernelMode, FALSE, NULL);
    if (!IoSetCancelRoutine(irp, NULL))
        KeWaitForSingleObject(&wait.Cancelled, Executive, KernelMode, FALSE, NULL);
}

NTSTATUS RdrWait(PIRP Irp, PLIST_ENTRY Waiters, PFAST_MUTEX Mutex)
{
    RDR_WAITER waiter = {.Status = STATUS_PENDING};

    KeInitializeEvent(&waiter.Event, NotificationEvent, FALSE);
    InsertTailList(Waiters, &waiter.Links);
    ExReleaseFastMutex(Mutex);
    __atomic_add_fetch(&waiting, 1, __ATOMIC_RELAXED);
    wait_for(Irp, &waiter.Event);
    __atomic_sub_fetch(&waiting, 1, __ATOMIC_RELAXED);
    ExAcquireFastMutex(Mutex);
    if (waiter.Status != STATUS_PENDING)
        return waiter.Status;
    RemoveEntryList(&waiter.Links);
    return EMU_DECIDE("Rdr", STATUS_CANCELLED, "cancelled while it waited for another one's answer");
}

ULONG RdrCountWaiting(void)
{
    return __atomic_load_n(&waiting, __ATOMIC_RELAXED);
}

BOOLEAN RdrWakeFirst(PLIST_ENTRY Waiters, NTSTATUS Status)
{
    PRDR_WAITER waiter;

    if (IsListEmpty(Waiters))
        return FALSE;
    waiter = CONTAINING_RECORD(RemoveHeadList(Waiters), RDR_WAITER, Links);
    waiter->Status = Status;
    KeSetEvent(&waiter->Event, IO_NO_INCREMENT, FALSE); /* under the mutex: it is on the waiter's stack */
    return TRUE;
}
