/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One question to one redirector. */
#include "mup.h"

#include <string.h>

/* A question under way; on the stack of the thread that waits for its answer. */
typedef struct _MUP_QUESTION {
    PIRP Irp;
    KEVENT Answered;
    KEVENT Cancelled; /* the create's cancel routine is through with the question */
} MUP_QUESTION, *PMUP_QUESTION;

static NTSTATUS NTAPI answered(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    KeSetEvent(&((PMUP_QUESTION)context)->Answered, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED; /* it is ours, and freed by who waits */
}

static void NTAPI cancel_question(PDEVICE_OBJECT device, PIRP create)
{
    PMUP_QUESTION question = create->Tail.Overlay.DriverContext[0];

    IoReleaseCancelSpinLock(create->CancelIrql);
    IoCancelIrp(question->Irp);
    KeSetEvent(&question->Cancelled, IO_NO_INCREMENT, FALSE);
}

/* FALSE: the create was cancelled before. */
static BOOLEAN let_cancel(PIRP create, PMUP_QUESTION question)
{
    create->Tail.Overlay.DriverContext[0] = question;
    IoSetCancelRoutine(create, cancel_question);
    return !__atomic_load_n(&create->Cancel, __ATOMIC_SEQ_CST) || !IoSetCancelRoutine(create, NULL);
}

/* Afterwards nobody but the caller knows the question. Returns whether the create was cancelled. */
static BOOLEAN stop_cancel(PIRP create, PMUP_QUESTION question)
{
    if (IoSetCancelRoutine(create, NULL))
        return FALSE;
    KeWaitForSingleObject(&question->Cancelled, Executive, KernelMode, FALSE, NULL);
    return TRUE;
}

static PIRP build(PMUP_PROVIDER provider, QUERY_PATH_REQUEST *request, ULONG length, QUERY_PATH_RESPONSE *response,
                  PMUP_QUESTION question)
{
    PDEVICE_OBJECT device = IoGetRelatedDeviceObject(provider->FileObject);
    PIRP irp = IoAllocateIrp(device->StackSize, FALSE);
    PIO_STACK_LOCATION stack;

    if (!irp)
        return NULL;
    irp->Flags = IRP_SYNCHRONOUS_API;
    irp->RequestorMode = KernelMode;
    irp->UserBuffer = response;
    irp->Tail.Overlay.OriginalFileObject = provider->FileObject;
    stack = IoGetNextIrpStackLocation(irp);
    stack->MajorFunction = IRP_MJ_DEVICE_CONTROL;
    stack->FileObject = provider->FileObject;
    stack->Parameters.DeviceIoControl.IoControlCode = IOCTL_REDIR_QUERY_PATH;
    stack->Parameters.DeviceIoControl.Type3InputBuffer = request;
    stack->Parameters.DeviceIoControl.InputBufferLength = length;
    stack->Parameters.DeviceIoControl.OutputBufferLength = sizeof *response;
    IoSetCompletionRoutine(irp, answered, question, TRUE, TRUE, TRUE);
    return irp;
}

static NTSTATUS send(PIRP create, PMUP_PROVIDER provider, PMUP_QUESTION question)
{
    NTSTATUS status;

    if (!let_cancel(create, question))
        return STATUS_CANCELLED;
    IoCallDriver(IoGetRelatedDeviceObject(provider->FileObject), question->Irp);
    KeWaitForSingleObject(&question->Answered, Executive, KernelMode, FALSE, NULL);
    status = question->Irp->IoStatus.Status;
    return stop_cancel(create, question) ? STATUS_CANCELLED : status;
}

/* Before a question can be cancelled, it can not be told that it was: the driver finds Irp->Cancel set. */
static NTSTATUS exchange(PIRP create, PMUP_PROVIDER provider, QUERY_PATH_REQUEST *request, ULONG length,
                         ULONG *accepted)
{
    QUERY_PATH_RESPONSE response = {0};
    MUP_QUESTION question;
    NTSTATUS status;

    KeInitializeEvent(&question.Answered, NotificationEvent, FALSE);
    KeInitializeEvent(&question.Cancelled, NotificationEvent, FALSE);
    question.Irp = build(provider, request, length, &response, &question);
    if (!question.Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = send(create, provider, &question);
    IoFreeIrp(question.Irp);
    *accepted = response.LengthAccepted;
    return status;
}

static BOOLEAN is_prefix(const UNICODE_STRING *name, ULONG accepted)
{
    return accepted > sizeof(WCHAR) && accepted % sizeof(WCHAR) == 0 && accepted <= name->Length &&
           (accepted == name->Length || name->Buffer[accepted / sizeof(WCHAR)] == '\\');
}

NTSTATUS MupAsk(PIRP Create, PMUP_PROVIDER Provider, const UNICODE_STRING *Name, USHORT *Accepted)
{
    ULONG length = (ULONG)offsetof(QUERY_PATH_REQUEST, FilePathName) + Name->Length;
    QUERY_PATH_REQUEST *request = ExAllocatePoolWithTag(PagedPool, length, MUP_TAG);
    ULONG accepted;
    NTSTATUS status;

    if (!request)
        return STATUS_INSUFFICIENT_RESOURCES;
    request->PathNameLength = Name->Length;
    request->SecurityContext = IoGetCurrentIrpStackLocation(Create)->Parameters.Create.SecurityContext;
    memcpy(request->FilePathName, Name->Buffer, Name->Length);
    status = exchange(Create, Provider, request, length, &accepted);
    ExFreePoolWithTag(request, MUP_TAG);
    if (!NT_SUCCESS(status))
        return status;
    if (!is_prefix(Name, accepted))
        return STATUS_BAD_NETWORK_PATH;
    *Accepted = (USHORT)accepted;
    return STATUS_SUCCESS;
}
