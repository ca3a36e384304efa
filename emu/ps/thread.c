/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System threads as objects. */
#include "psp.h"

#include "ke/thread.h"

#define TAG_THREAD POOL_TAG('T', 'h', 'r', 'e')

typedef struct _ETHREAD {
    KI_THREAD Thread; /* first: what is waited for */
} ETHREAD;

OBJECT_TYPE PspThreadType = {.Name = "Thread", .PoolType = NonPagedPool, .Tag = TAG_THREAD};
static POBJECT_TYPE thread_type = &PspThreadType;
POBJECT_TYPE *PsThreadType = &thread_type;

static void thread_ended(KI_THREAD *thread)
{
    ObDereferenceObject(CONTAINING_RECORD(thread, ETHREAD, Thread));
}

static NTSTATUS start(PETHREAD thread, PKSTART_ROUTINE routine, PVOID context)
{
    NTSTATUS status;

    thread->Thread.Routine = routine;
    thread->Thread.Context = context;
    thread->Thread.Ended = thread_ended;
    ObReferenceObject(thread); /* its own */
    status = KiStartThread(&thread->Thread);
    if (!NT_SUCCESS(status))
        ObDereferenceObject(thread);
    return status;
}

NTSTATUS NTAPI PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    HANDLE ProcessHandle, PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine,
                                    PVOID StartContext)
{
    HANDLE handle;
    NTSTATUS status;
    PVOID object;

    if (ProcessHandle)
        return STATUS_NOT_SUPPORTED;
    status = ObpCreateObject(&PspThreadType, sizeof(ETHREAD), &object);
    if (!NT_SUCCESS(status))
        return status;
    status = ObpCreateHandle(object, DesiredAccess, ObjectAttributes ? ObjectAttributes->Attributes : 0, &handle);
    if (NT_SUCCESS(status)) {
        status = start(object, StartRoutine, StartContext);
        if (!NT_SUCCESS(status))
            NtClose(handle);
    }
    ObDereferenceObject(object);
    if (!NT_SUCCESS(status))
        return status;
    *ThreadHandle = handle;
    if (ClientId)
        *ClientId = (CLIENT_ID){0};
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsTerminateSystemThread(NTSTATUS ExitStatus)
{
    if (!KiCurrentThread())
        return STATUS_INVALID_PARAMETER;
    KiExitThread(ExitStatus);
}
