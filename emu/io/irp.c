/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IRPs: from allocation through the drivers of a stack and back up through their completion routines. */
#include "iop.h"

#include <ntemu/trace.h>

#include <ntemu/machine.h>
#include <string.h>

static OBP_COUNTER irp_count; /* allocated and not freed */
static KSPIN_LOCK cancel_lock;

ULONG IopIrpCount(void)
{
    return (ULONG)ObpSum(&irp_count);
}

void IopForgetIrps(void)
{
    ObpResetCount(&irp_count);
}

static USHORT irp_size(CCHAR stack_size)
{
    return (USHORT)(sizeof(IRP) + (USHORT)stack_size * sizeof(IO_STACK_LOCATION));
}

static PIRP initialize_irp(PIRP irp, CCHAR StackSize)
{
    USHORT size = irp_size(StackSize);

    memset(irp, 0, size);
    irp->Type = IO_TYPE_IRP;
    irp->Size = size;
    irp->StackCount = StackSize;
    irp->CurrentLocation = (CHAR)(StackSize + 1);
    irp->Tail.Overlay.CurrentStackLocation = (PIO_STACK_LOCATION)(irp + 1) + StackSize;
    InitializeListHead(&irp->ThreadListEntry);
    ObpCount(&irp_count, 1);
    return irp;
}

PIRP NTAPI IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota)
{
    PIRP irp = ExAllocatePoolWithTag(NonPagedPool, irp_size(StackSize), IOP_TAG_IRP);

    return irp ? initialize_irp(irp, StackSize) : NULL;
}

PIRP IopAllocateIrpMustSucceed(CCHAR StackSize)
{
    return initialize_irp(ExAllocatePoolWithTag(NonPagedPoolMustSucceed, irp_size(StackSize), IOP_TAG_IRP), StackSize);
}

void NTAPI IoFreeIrp(PIRP Irp)
{
    ObpCount(&irp_count, -1);
    ExFreePoolWithTag(Irp, IOP_TAG_IRP);
}

NTSTATUS NTAPI IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack;

    if (--Irp->CurrentLocation <= 0)
        KeBugCheckEx(NO_MORE_IRP_STACK_LOCATIONS, (ULONG_PTR)Irp, 0, 0, 0);
    stack = --Irp->Tail.Overlay.CurrentStackLocation;
    stack->DeviceObject = DeviceObject;
    if (EMU_TRACING())
        IopTraceIrp(DeviceObject, stack);
    return DeviceObject->DriverObject->MajorFunction[stack->MajorFunction](DeviceObject, Irp);
}

static BOOLEAN wants_completion(const IRP *irp, UCHAR control)
{
    if (irp->Cancel && (control & SL_INVOKE_ON_CANCEL))
        return TRUE;
    return (control & (NT_SUCCESS(irp->IoStatus.Status) ? SL_INVOKE_ON_SUCCESS : SL_INVOKE_ON_ERROR)) != 0;
}

/*
 * Each location's routine belongs to the driver above it: it is called with the device of the location above, NULL at
 * the top. STATUS_MORE_PROCESSING_REQUIRED hands the IRP back to that driver, who completes it again.
 */
void NTAPI IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost)
{
    if (Irp->CurrentLocation > Irp->StackCount + 1 || Irp->Type != IO_TYPE_IRP)
        KeBugCheckEx(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)Irp, 0, 0, 0);

    while (Irp->CurrentLocation <= Irp->StackCount) {
        PIO_STACK_LOCATION stack = Irp->Tail.Overlay.CurrentStackLocation;
        PIO_COMPLETION_ROUTINE routine = stack->CompletionRoutine;
        PDEVICE_OBJECT above;
        Irp->PendingReturned = (stack->Control & SL_PENDING_RETURNED) != 0;
        Irp->CurrentLocation++;
        Irp->Tail.Overlay.CurrentStackLocation++;
        above = Irp->CurrentLocation <= Irp->StackCount ? Irp->Tail.Overlay.CurrentStackLocation->DeviceObject : NULL;
        if (routine && wants_completion(Irp, stack->Control)) {
            if (routine(above, Irp, stack->Context) == STATUS_MORE_PROCESSING_REQUIRED)
                return;
        } else if (Irp->PendingReturned && Irp->CurrentLocation <= Irp->StackCount) {
            IoMarkIrpPending(Irp);
        }
    }
    /* One beyond the end from here on: a second completion is recognized. */
    Irp->CurrentLocation++;
    if (Irp->UserIosb)
        *Irp->UserIosb = Irp->IoStatus;
    if (Irp->PendingReturned && Irp->UserEvent)
        KeSetEvent(Irp->UserEvent, IO_NO_INCREMENT, FALSE);
}

/* ---- cancelling ---- */

void NTAPI IoAcquireCancelSpinLock(PKIRQL Irql)
{
    KeAcquireSpinLock(&cancel_lock, Irql);
}

void NTAPI IoReleaseCancelSpinLock(KIRQL Irql)
{
    KeReleaseSpinLock(&cancel_lock, Irql);
}

PDRIVER_CANCEL NTAPI IoSetCancelRoutine(PIRP Irp, PDRIVER_CANCEL CancelRoutine)
{
    return __atomic_exchange_n(&Irp->CancelRoutine, CancelRoutine, __ATOMIC_SEQ_CST);
}

BOOLEAN NTAPI IoCancelIrp(PIRP Irp)
{
    PDRIVER_CANCEL routine;
    KIRQL irql;

    IoAcquireCancelSpinLock(&irql);
    __atomic_store_n(&Irp->Cancel, TRUE, __ATOMIC_SEQ_CST);
    routine = IoSetCancelRoutine(Irp, NULL);
    if (!routine) {
        IoReleaseCancelSpinLock(irql);
        return FALSE;
    }
    Irp->CancelIrql = irql;
    routine(IoGetCurrentIrpStackLocation(Irp)->DeviceObject, Irp);
    return TRUE;
}

/* What IRP.Tail.Overlay.Thread points to: threads of clients are no objects here. On the stack of who waits. */
typedef struct _REQUESTOR {
    PEPROCESS Process;
    const EMU_REQUEST *Request; /* NULL: none is begun */
} REQUESTOR;

static _Thread_local EMU_REQUEST *current_request;

PEPROCESS NTAPI IoGetRequestorProcess(PIRP Irp)
{
    const REQUESTOR *requestor = (const REQUESTOR *)Irp->Tail.Overlay.Thread;

    return requestor ? requestor->Process : NULL;
}

static BOOLEAN is_of(const IRP *irp, const EMU_REQUEST *request)
{
    return !request || ((const REQUESTOR *)irp->Tail.Overlay.Thread)->Request == request;
}

/* An IRP leaves its list, under the mutex, before its owner frees it: whoever finds it here may touch it. */
static void cancel_irps(PEPROCESS process, const EMU_REQUEST *request)
{
    for (ULONG i = 0; i < OBP_SLOTS; i++) {
        OBP_IRP_LIST *irps = &process->Irps[i];
        ExAcquireFastMutex(&irps->Mutex);
        for (PLIST_ENTRY e = irps->List.Flink; e != &irps->List; e = e->Flink) {
            PIRP irp = CONTAINING_RECORD(e, IRP, ThreadListEntry);
            if (is_of(irp, request))
                IoCancelIrp(irp);
        }
        ExReleaseFastMutex(&irps->Mutex);
    }
}

void EmuCancelProcessIo(PEPROCESS Process)
{
    __atomic_store_n(&Process->ExitStarted, TRUE, __ATOMIC_SEQ_CST);
    cancel_irps(Process, NULL);
}

void EmuBeginRequest(EMU_REQUEST *Request, ULONG Number)
{
    *Request = (EMU_REQUEST){.Process = PsGetCurrentProcess(), .Number = Number};
    current_request = Request;
    if (!Number)
        return;
    ExAcquireFastMutex(&Request->Process->RequestMutex);
    InsertTailList(&Request->Process->Requests, &Request->Links);
    ExReleaseFastMutex(&Request->Process->RequestMutex);
}

void EmuEndRequest(EMU_REQUEST *Request)
{
    current_request = NULL;
    if (!Request->Number)
        return;
    ExAcquireFastMutex(&Request->Process->RequestMutex);
    RemoveEntryList(&Request->Links);
    ExReleaseFastMutex(&Request->Process->RequestMutex);
}

void EmuCancelRequest(EMU_REQUEST *Request)
{
    __atomic_store_n(&Request->Cancelled, TRUE, __ATOMIC_SEQ_CST);
    cancel_irps(Request->Process, Request);
}

NTSTATUS EmuCancelRequestByNumber(PEPROCESS Process, ULONG Number)
{
    NTSTATUS status = STATUS_NOT_FOUND;

    ExAcquireFastMutex(&Process->RequestMutex);
    for (PLIST_ENTRY e = Process->Requests.Flink; e != &Process->Requests && status != STATUS_SUCCESS; e = e->Flink) {
        EMU_REQUEST *request = CONTAINING_RECORD(e, EMU_REQUEST, Links);
        if (request->Number != Number)
            continue;
        EmuCancelRequest(request);
        status = STATUS_SUCCESS;
    }
    ExReleaseFastMutex(&Process->RequestMutex);
    return status;
}

static BOOLEAN is_cancelled(PEPROCESS process, const REQUESTOR *requestor)
{
    return __atomic_load_n(&process->ExitStarted, __ATOMIC_SEQ_CST) ||
           (requestor->Request && __atomic_load_n(&requestor->Request->Cancelled, __ATOMIC_SEQ_CST));
}

static void queue_irp(PEPROCESS process, PIRP irp)
{
    OBP_IRP_LIST *irps = &process->Irps[ObpOwnSlot()];

    ExAcquireFastMutex(&irps->Mutex);
    InsertTailList(&irps->List, &irp->ThreadListEntry);
    if (is_cancelled(process, (const REQUESTOR *)irp->Tail.Overlay.Thread))
        __atomic_store_n(&irp->Cancel, TRUE, __ATOMIC_SEQ_CST);
    ExReleaseFastMutex(&irps->Mutex);
}

/* By the thread that queued it. */
static void dequeue_irp(PEPROCESS process, PIRP irp)
{
    OBP_IRP_LIST *irps = &process->Irps[ObpOwnSlot()];

    ExAcquireFastMutex(&irps->Mutex);
    RemoveEntryList(&irp->ThreadListEntry);
    ExReleaseFastMutex(&irps->Mutex);
}

/*
 * Sends the request and waits for it. The caller owns the IRP again afterwards, whatever came out.
 * Cleanup and close are not cancellable: a dying process still runs them.
 */
NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK IoStatus, BOOLEAN Cancellable)
{
    PEPROCESS process = PsGetCurrentProcess();
    REQUESTOR requestor = {process, current_request};
    KEVENT done;
    NTSTATUS status;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    Irp->Tail.Overlay.Thread = (PETHREAD)&requestor;
    Irp->UserEvent = &done;
    Irp->UserIosb = IoStatus;
    Irp->RequestorMode = UserMode;
    if (Cancellable)
        queue_irp(process, Irp);
    status = IoCallDriver(Device, Irp);
    if (status == STATUS_PENDING) {
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
        status = IoStatus->Status;
    }
    if (Cancellable)
        dequeue_irp(process, Irp);
    return status;
}
