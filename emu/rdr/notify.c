/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MN_NOTIFY_CHANGE_DIRECTORY. A file object that asks has from then on, until its cleanup, a watch: a connection of
 * its own to the server, as libsmbclient does nothing else on one that it watches on. Whatever the server tells is kept
 * for who asks next; more than is kept, or than he has room for, becomes STATUS_NOTIFY_ENUM_DIR.
 *
 * Requests that wait are completed by whoever takes their cancel routine away, under the watch's spin lock.
 */
#include "rdr.h"

#include <ntemu/clock.h>
#include <ntemu/trace.h>
#include <string.h>

#define WATCHES_MOST 16u /* of the machine: each is a connection */
#define INCOMING     16384u

typedef struct _RDR_WATCH {
    /* The three are made by who begins the watch, before Begun is set, and are NULL if that failed. */
    struct smb_connection *Connection;
    PUCHAR Kept;
    PUCHAR Incoming; /* lies behind Kept */
    KEVENT Begun;
    struct smb_request Request; /* outstanding as long as the watch stands */
    KSPIN_LOCK SpinLock;        /* guards the rest */
    LIST_ENTRY Waiting;         /* IRPs, by Tail.Overlay.ListEntry */
    NTSTATUS End;               /* not STATUS_SUCCESS: there will be nothing more, and why */
    BOOLEAN Failed;             /* ... as it could not begin: whoever asks next tries again */
    BOOLEAN Overflow;
    ULONG Size, Used, Last; /* of Kept; where its last entry is */
} RDR_WATCH;

static ULONG watches, waiting; /* atomic */

/* The watch of a file object that has been cleaned up before it asked for one. */
static RDR_WATCH never = {.End = STATUS_NOTIFY_CLEANUP};

/* ---- requests that wait; the spin lock is held ---- */

/* The first that no cancel has; NULL: none. */
static PIRP take_waiter(PRDR_WATCH watch)
{
    for (PLIST_ENTRY e = watch->Waiting.Flink; e != &watch->Waiting; e = e->Flink) {
        PIRP irp = CONTAINING_RECORD(e, IRP, Tail.Overlay.ListEntry);
        if (!IoSetCancelRoutine(irp, NULL))
            continue;
        RemoveEntryList(e);
        __atomic_sub_fetch(&waiting, 1, __ATOMIC_RELAXED);
        return irp;
    }
    return NULL;
}

static BOOLEAN has_news(const RDR_WATCH *watch)
{
    return watch->Used || watch->Overflow || watch->End;
}

/* What the IRP gets, in its IoStatus. */
static void take_news(PRDR_WATCH watch, PIRP irp)
{
    BOOLEAN fits =
        !watch->Overflow && watch->Used <= IoGetCurrentIrpStackLocation(irp)->Parameters.NotifyDirectory.Length;

    irp->IoStatus.Information = 0;
    if (!watch->Used && !watch->Overflow) {
        irp->IoStatus.Status = watch->End;
        return;
    }
    if (fits) {
        memcpy(irp->UserBuffer, watch->Kept, watch->Used);
        irp->IoStatus.Information = watch->Used;
    }
    irp->IoStatus.Status = fits ? STATUS_SUCCESS : STATUS_NOTIFY_ENUM_DIR;
    watch->Used = watch->Last = 0;
    watch->Overflow = FALSE;
}

static void NTAPI cancel_waiter(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PRDR_WATCH watch = Irp->Tail.Overlay.DriverContext[0];
    KIRQL irql;

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&watch->SpinLock, &irql);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    __atomic_sub_fetch(&waiting, 1, __ATOMIC_RELAXED);
    KeReleaseSpinLock(&watch->SpinLock, irql);
    RdrCompleteIrp(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS wait(PRDR_WATCH watch, PIRP irp)
{
    irp->Tail.Overlay.DriverContext[0] = watch;
    InsertTailList(&watch->Waiting, &irp->Tail.Overlay.ListEntry);
    IoSetCancelRoutine(irp, cancel_waiter);
    /* Cancelled before: nobody else would look again. */
    if (__atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) && IoSetCancelRoutine(irp, NULL)) {
        RemoveEntryList(&irp->Tail.Overlay.ListEntry);
        return STATUS_CANCELLED;
    }
    __atomic_add_fetch(&waiting, 1, __ATOMIC_RELAXED);
    IoMarkIrpPending(irp);
    return STATUS_PENDING;
}

/* ---- what the server says ---- */

/* Behind what is kept already. The spin lock is held. */
static void keep(PRDR_WATCH watch, ULONG bytes)
{
    ULONG at = (watch->Used + 3) & ~3u, last = at, next, offset = at - watch->Last;

    if (watch->Overflow || at > watch->Size || bytes > watch->Size - at) {
        watch->Overflow = TRUE;
        return;
    }
    memset(watch->Kept + watch->Used, 0, at - watch->Used);
    memcpy(watch->Kept + at, watch->Incoming, bytes);
    if (watch->Used)
        memcpy(watch->Kept + watch->Last, &offset, sizeof offset);
    /* NextEntryOffset comes first. */
    for (memcpy(&next, watch->Kept + last, sizeof next); next; memcpy(&next, watch->Kept + last, sizeof next))
        last += next;
    watch->Last = last;
    watch->Used = at + bytes;
}

static void answered(struct smb_request *request);

static void ask(PRDR_WATCH watch)
{
    watch->Request = (struct smb_request){.op = SMB_NOTIFY, .complete = answered};
    watch->Request.in.notify = (struct smb_notify){watch->Incoming, INCOMING, FILE_NOTIFY_CHANGE_FILE_NAME, FALSE};
    smb_submit(watch->Connection, &watch->Request);
}

/* All that it is the end for. */
static void tell_waiters(PRDR_WATCH watch)
{
    PIRP irp;
    KIRQL irql;

    do {
        KeAcquireSpinLock(&watch->SpinLock, &irql);
        irp = has_news(watch) ? take_waiter(watch) : NULL;
        if (irp)
            take_news(watch, irp);
        KeReleaseSpinLock(&watch->SpinLock, irql);
        if (irp)
            RdrCompleteIrp(irp, irp->IoStatus.Status, irp->IoStatus.Information);
    } while (irp);
}

/* The first reason stays, unless another try could have followed it. */
static void end(PRDR_WATCH watch, NTSTATUS why, BOOLEAN failed)
{
    KIRQL irql;

    KeAcquireSpinLock(&watch->SpinLock, &irql);
    if (!watch->End || watch->Failed) {
        watch->End = why;
        watch->Failed = failed;
    }
    KeReleaseSpinLock(&watch->SpinLock, irql);
    tell_waiters(watch);
}

static void answered(struct smb_request *request)
{
    PRDR_WATCH watch = CONTAINING_RECORD(request, RDR_WATCH, Request);
    NTSTATUS status = request->status;
    KIRQL irql;

    if (!NT_SUCCESS(status)) {
        end(watch, status, FALSE);
        return;
    }
    KeAcquireSpinLock(&watch->SpinLock, &irql);
    if (watch->End)
        status = watch->End;
    else if (status == STATUS_NOTIFY_ENUM_DIR)
        watch->Overflow = TRUE;
    else if (request->out.io.done)
        keep(watch, request->out.io.done);
    KeReleaseSpinLock(&watch->SpinLock, irql);
    tell_waiters(watch);
    if (status == STATUS_SUCCESS || status == STATUS_NOTIFY_ENUM_DIR)
        ask(watch); /* at the end: it may be answered in here */
}

/* ---- life ---- */

static PRDR_WATCH make_watch(void)
{
    PRDR_WATCH watch = ExAllocatePoolWithTag(NonPagedPool, sizeof *watch, RDR_TAG_WATCH);

    if (!watch)
        return NULL;
    memset(watch, 0, sizeof *watch);
    KeInitializeSpinLock(&watch->SpinLock);
    InitializeListHead(&watch->Waiting);
    KeInitializeEvent(&watch->Begun, NotificationEvent, FALSE);
    return watch;
}

/* How much is kept is what the first request has room for (documented: ReadDirectoryChangesW). */
static NTSTATUS allocate_buffers(PRDR_WATCH watch, ULONG length)
{
    ULONG size = length < SMB_MAX_IO ? (length + 3) & ~3u : SMB_MAX_IO;

    if (__atomic_add_fetch(&watches, 1, __ATOMIC_RELAXED) <= WATCHES_MOST)
        watch->Kept = ExAllocatePoolWithTag(NonPagedPool, size + INCOMING, RDR_TAG_WATCH);
    if (!watch->Kept) {
        __atomic_sub_fetch(&watches, 1, __ATOMIC_RELAXED);
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no pool, or %u watches already", WATCHES_MOST);
    }
    watch->Size = size;
    watch->Incoming = watch->Kept + size;
    return STATUS_SUCCESS;
}

static void free_buffers(PRDR_WATCH watch)
{
    if (!watch->Kept)
        return;
    ExFreePoolWithTag(watch->Kept, RDR_TAG_WATCH);
    watch->Kept = watch->Incoming = NULL;
    __atomic_sub_fetch(&watches, 1, __ATOMIC_RELAXED);
}

static void free_watch(PRDR_WATCH watch)
{
    free_buffers(watch);
    ExFreePoolWithTag(watch, RDR_TAG_WATCH);
}

/* Returns when the server watches. It is waited for even if the IRP is cancelled meanwhile. */
static NTSTATUS begin(PRDR_WATCH watch, const FCB *fcb, const IO_STACK_LOCATION *stack)
{
    struct smb_request request = {.op = SMB_NOTIFY, .path = RdrPathOf(fcb)};
    NTSTATUS status = allocate_buffers(watch, stack->Parameters.NotifyDirectory.Length);

    if (NT_SUCCESS(status))
        status = RdrConnectLike(fcb->NetRoot, &watch->Connection);
    if (!NT_SUCCESS(status))
        return status;
    request.in.notify =
        (struct smb_notify){watch->Incoming, INCOMING, stack->Parameters.NotifyDirectory.CompletionFilter,
                            (stack->Flags & SL_WATCH_TREE) != 0};
    EmuClockHold();
    status = smb_perform(watch->Connection, &request);
    EmuClockRelease();
    return status;
}

/* The watch is everybody's already: who asks meanwhile waits for what comes of this. */
static void begin_watch(PRDR_WATCH watch, const FCB *fcb, const IO_STACK_LOCATION *stack)
{
    NTSTATUS status = begin(watch, fcb, stack);

    if (NT_SUCCESS(status)) {
        EMU_STEP("Rdr", "the server watches");
        ask(watch);
        KeSetEvent(&watch->Begun, IO_NO_INCREMENT, FALSE);
        return;
    }
    smb_disconnect(watch->Connection);
    watch->Connection = NULL;
    free_buffers(watch);
    KeSetEvent(&watch->Begun, IO_NO_INCREMENT, FALSE);
    end(watch, status, TRUE); /* at the end: from then on another one begins */
}

/* TRUE: it is the caller's to begin the watch once more. A cleanup waits for that. */
static BOOLEAN try_again(PRDR_WATCH watch)
{
    BOOLEAN failed;
    KIRQL irql;

    KeAcquireSpinLock(&watch->SpinLock, &irql);
    failed = watch->Failed;
    if (failed) {
        watch->Failed = FALSE;
        watch->End = STATUS_SUCCESS;
        KeResetEvent(&watch->Begun);
    }
    KeReleaseSpinLock(&watch->SpinLock, irql);
    return failed;
}

/* The file object's, made if need be, and begun if it has not been. NULL: no pool. */
static PRDR_WATCH find_watch(PFCB fcb, PFOBX fobx, const IO_STACK_LOCATION *stack)
{
    PRDR_WATCH watch = __atomic_load_n(&fobx->Watch, __ATOMIC_ACQUIRE), none = NULL;

    if (watch) {
        if (watch != &never && try_again(watch))
            begin_watch(watch, fcb, stack);
        return watch;
    }
    watch = make_watch();
    if (!watch)
        return NULL;
    if (!__atomic_compare_exchange_n(&fobx->Watch, &none, watch, FALSE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        free_watch(watch);
        return none;
    }
    begin_watch(watch, fcb, stack);
    return watch;
}

void RdrEndWatch(PFOBX Fobx)
{
    PRDR_WATCH watch = NULL;

    /* Whoever still has the file object, and asks now, must not make one that nobody ends. */
    if (__atomic_compare_exchange_n(&Fobx->Watch, &watch, &never, FALSE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return;
    end(watch, STATUS_NOTIFY_CLEANUP, FALSE);
    KeWaitForSingleObject(&watch->Begun, Executive, KernelMode, FALSE, NULL);
    smb_disconnect(watch->Connection); /* and with it what is outstanding */
}

void RdrFreeWatch(PFOBX Fobx)
{
    if (Fobx->Watch && Fobx->Watch != &never)
        free_watch(Fobx->Watch);
}

NTSTATUS RdrNotifyChangeDirectory(PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    PRDR_WATCH watch;
    NTSTATUS status;
    PFOBX fobx;
    PFCB fcb;
    KIRQL irql;

    status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);
    if (status == STATUS_FILE_CLOSED) /* documented: WDK, FsRtlNotifyFullChangeDirectory */
        return RdrCompleteIrp(Irp, STATUS_NOTIFY_CLEANUP, 0);
    if (NT_SUCCESS(status) && !fobx->Directory)
        status = EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "changes are told of directories only");
    if (!NT_SUCCESS(status))
        return RdrCompleteIrp(Irp, status, 0);
    watch = find_watch(fcb, fobx, stack);
    if (!watch)
        return RdrCompleteIrp(Irp, EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for a watch"), 0);
    if (watch == &never) /* cleaned up meanwhile */
        return RdrCompleteIrp(Irp, never.End, 0);
    KeAcquireSpinLock(&watch->SpinLock, &irql);
    if (has_news(watch)) {
        take_news(watch, Irp);
        status = Irp->IoStatus.Status;
    } else {
        status = wait(watch, Irp);
    }
    KeReleaseSpinLock(&watch->SpinLock, irql);
    if (status == STATUS_PENDING)
        return status;
    return RdrCompleteIrp(Irp, status, status == STATUS_CANCELLED ? 0 : Irp->IoStatus.Information);
}

ULONG RdrCountNotifyWaiting(void)
{
    return __atomic_load_n(&waiting, __ATOMIC_RELAXED);
}
