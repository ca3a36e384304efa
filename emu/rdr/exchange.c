/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One IRP, one SMB request. Three parties may hold an exchange: who starts it, the completion, and an armed cancel
 * routine. The last to let go finishes it, so none of them ever touches what another has freed.
 * A virtual clock stands still while the server is asked.
 */
#include "rdr.h"

#include <ntemu/clock.h>
#include <ntemu/createtext.h>
#include <ntemu/trace.h>
#include <sched.h>
#include <string.h>

PRDR_EXCHANGE RdrAllocateExchange(PIRP Irp, PNET_ROOT NetRoot, enum smb_op Op, void (*Finish)(PRDR_EXCHANGE Exchange))
{
    PRDR_EXCHANGE exchange = ExAllocatePoolWithTag(NonPagedPool, sizeof *exchange, RDR_TAG_EXCHANGE);

    if (!exchange)
        return NULL;
    memset(exchange, 0, sizeof *exchange);
    exchange->Irp = Irp;
    exchange->NetRoot = NetRoot;
    exchange->Finish = Finish;
    exchange->Request.op = Op;
    return exchange;
}

void RdrFreeExchange(PRDR_EXCHANGE Exchange)
{
    if (Exchange->Appended)
        RdrEndAppend(Exchange->Appended);
    if (Exchange->Transferred)
        RdrEndTransfer(Exchange->Transferred);
    if (Exchange->Message)
        ExFreePoolWithTag(Exchange->Message, RDR_TAG_SMB);
    ExFreePoolWithTag(Exchange, RDR_TAG_EXCHANGE);
}

NTSTATUS RdrCompleteIrp(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static const char *name_of(enum smb_op op)
{
    static const char *const names[SMB_OP_COUNT] = {
        [SMB_TREE_CONNECT] = "tree connect",
        [SMB_CREATE] = "create",
        [SMB_CLOSE] = "close",
        [SMB_READ] = "read",
        [SMB_WRITE] = "write",
        [SMB_FLUSH] = "flush",
        [SMB_QUERY_PATH] = "query of a path",
        [SMB_QUERY_FILE] = "query of a file",
        [SMB_QUERY_VOLUME] = "query of the volume",
        [SMB_QUERY_DIRECTORY] = "query of a directory",
        [SMB_DELETE] = "delete",
        [SMB_RENAME] = "rename",
        [SMB_TREE_DISCONNECT] = "tree disconnect",
        [SMB_NOTIFY] = "watch of a directory",
        [SMB_SET_SIZE] = "new size",
        [SMB_SET_BASIC] = "new times and attributes",
    };

    return names[op] ? names[op] : "request";
}

static void trace_create(const struct smb_request *request)
{
    char access[EMU_CREATE_TEXT], share[EMU_CREATE_TEXT], disposition[EMU_CREATE_TEXT], options[EMU_CREATE_TEXT];

    EMU_STEP("Rdr", "create \"%wZ\" to the server: access %s  share %s  %s  options %s", &request->path,
             EmuCreateText(EmuCreateAccess, request->in.create.access, access),
             EmuCreateText(EmuCreateShare, request->in.create.share_access, share),
             EmuCreateText(EmuCreateDisposition, request->in.create.disposition, disposition),
             EmuCreateText(EmuCreateOptions, request->in.create.options, options));
}

static void trace_request(PRDR_EXCHANGE exchange)
{
    const struct smb_request *request = &exchange->Request;

    if (request->op == SMB_CREATE)
        trace_create(request);
    else
        EMU_STEP("Rdr", "%s \"%wZ\" to the server", name_of(request->op), &request->path);
    EmuTraceCarry(exchange);
}

/* Who serves the connection: "in memory", "SMB3_11 by libsmbclient 4.17.12". */
static const char *describe(struct smb_connection *connection, char text[128])
{
    smb_describe(connection, text, 128);
    return text;
}

static void trace_answer(PRDR_EXCHANGE exchange)
{
    const struct smb_request *request = &exchange->Request;
    char server[128];

    if (!NT_SUCCESS(request->status))
        (void)EMU_DECIDE("Smb", request->status, "%s, %s: %s", name_of(request->op),
                         describe(exchange->NetRoot->Connection, server), smb_origin_name(request->origin));
    else
        EMU_STEP("Smb", "%s: the server says success", name_of(exchange->Request.op));
}

/* The call that the exchange is for may be traced, on another thread. */
static void finish(PRDR_EXCHANGE exchange)
{
    EMU_TRACE_TURN turn = EmuTraceResume(exchange);

    if (EMU_TRACING())
        trace_answer(exchange);
    exchange->Finish(exchange);
    EmuTraceLeave(turn);
}

static void let_go(PRDR_EXCHANGE exchange)
{
    if (!__atomic_sub_fetch(&exchange->References, 1, __ATOMIC_ACQ_REL))
        finish(exchange);
}

static void disarm(PRDR_EXCHANGE exchange)
{
    /* NULL: a cancel has taken the routine away, and the hold that goes with it. */
    if (IoSetCancelRoutine(exchange->Irp, NULL))
        let_go(exchange);
}

/* What was open at the server may be no more, whoever had it open. */
static void note_loss(PRDR_EXCHANGE exchange)
{
    switch (exchange->Request.status) {
    case STATUS_CONNECTION_DISCONNECTED:
    case STATUS_UNEXPECTED_NETWORK_ERROR:
    case STATUS_BAD_NETWORK_PATH:
    case STATUS_IO_TIMEOUT:
        __atomic_add_fetch(&exchange->NetRoot->Losses, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&exchange->NetRoot->Lost, TRUE, __ATOMIC_RELAXED);
        break;
    case STATUS_CANCELLED:
        break;
    default:
        if (__atomic_load_n(&exchange->NetRoot->Lost, __ATOMIC_RELAXED))
            __atomic_store_n(&exchange->NetRoot->Lost, FALSE, __ATOMIC_RELAXED);
        break;
    }
}

static void completed(struct smb_request *request)
{
    PRDR_EXCHANGE exchange = CONTAINING_RECORD(request, RDR_EXCHANGE, Request);

    note_loss(exchange);
    __atomic_store_n(&exchange->Done, 1, __ATOMIC_SEQ_CST);
    disarm(exchange);
    let_go(exchange);
    EmuClockRelease();
}

static void NTAPI cancel(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PRDR_EXCHANGE exchange = Irp->Tail.Overlay.DriverContext[0];

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    /* A thread that waits for the answer itself arms this before the backend has the request: until then, once more. */
    for (;;) {
        smb_cancel(exchange->NetRoot->Connection, &exchange->Request);
        if (__atomic_load_n(&exchange->Done, __ATOMIC_SEQ_CST))
            break;
        sched_yield();
    }
    let_go(exchange);
}

static void arm(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;

    __atomic_add_fetch(&exchange->References, 1, __ATOMIC_ACQ_REL);
    IoSetCancelRoutine(irp, cancel);
    /* Completed or cancelled before it was armed: nobody else would look again. */
    if (__atomic_load_n(&exchange->Done, __ATOMIC_SEQ_CST)) {
        disarm(exchange);
    } else if (__atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) && IoSetCancelRoutine(irp, NULL)) {
        smb_cancel(exchange->NetRoot->Connection, &exchange->Request);
        let_go(exchange);
    }
}

void RdrContinueExchange(PRDR_EXCHANGE Exchange)
{
    Exchange->References = 2;
    Exchange->Done = 0;
    Exchange->Request.complete = completed;
    Exchange->Irp->Tail.Overlay.DriverContext[0] = Exchange;
    if (EMU_TRACING())
        trace_request(Exchange);
    EmuClockHold();
    smb_submit(Exchange->NetRoot->Connection, &Exchange->Request);
    arm(Exchange);
    let_go(Exchange);
}

/* On the thread of a caller that would wait anyway: the answer wakes it without a completion's thread in between. */
static void perform(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;

    exchange->References = 2;
    exchange->Done = 0;
    irp->Tail.Overlay.DriverContext[0] = exchange;
    if (EMU_TRACING())
        trace_request(exchange);
    IoSetCancelRoutine(irp, cancel);
    if (__atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) && IoSetCancelRoutine(irp, NULL)) {
        exchange->Request.status = STATUS_CANCELLED;
        let_go(exchange);
    } else {
        EmuClockHold();
        smb_perform(exchange->NetRoot->Connection, &exchange->Request);
        EmuClockRelease();
        note_loss(exchange);
    }
    __atomic_store_n(&exchange->Done, 1, __ATOMIC_SEQ_CST);
    disarm(exchange);
    let_go(exchange);
}

typedef struct _STEP {
    RDR_EXCHANGE Exchange;
    KEVENT Finished; /* a cancel may be the last to let go of the exchange, which is on this stack */
} STEP;

static void finish_step(PRDR_EXCHANGE exchange)
{
    KeSetEvent(&CONTAINING_RECORD(exchange, STEP, Exchange)->Finished, IO_NO_INCREMENT, FALSE);
}

NTSTATUS RdrPerform(PIRP Irp, PNET_ROOT NetRoot, struct smb_request *Request)
{
    STEP step = {.Exchange = {.Request = *Request, .Irp = Irp, .NetRoot = NetRoot, .Finish = finish_step}};

    KeInitializeEvent(&step.Finished, NotificationEvent, FALSE);
    perform(&step.Exchange);
    KeWaitForSingleObject(&step.Finished, Executive, KernelMode, FALSE, NULL);
    *Request = step.Exchange.Request;
    return Request->status;
}

NTSTATUS RdrPerformToTheEnd(PNET_ROOT NetRoot, struct smb_request *Request)
{
    RDR_EXCHANGE exchange = {.NetRoot = NetRoot, .Request = *Request};

    EMU_STEP("Rdr", "%s \"%wZ\" to the server", name_of(Request->op), &Request->path);
    EmuClockHold();
    smb_perform(NetRoot->Connection, &exchange.Request);
    EmuClockRelease();
    note_loss(&exchange);
    *Request = exchange.Request;
    return Request->status;
}

NTSTATUS RdrStartExchange(PRDR_EXCHANGE Exchange)
{
    IoMarkIrpPending(Exchange->Irp);
    if (Exchange->Irp->Flags & IRP_SYNCHRONOUS_API)
        perform(Exchange);
    else
        RdrContinueExchange(Exchange);
    return STATUS_PENDING;
}
