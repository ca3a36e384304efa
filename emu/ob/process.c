/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes: a handle table, a session, and the requests their threads have in progress. */
#include "obp.h"

#include <ntemu/builds.h>
#include <ntemu/machine.h>
#include <string.h>

#define TAG_PROCESS POOL_TAG('P', 'r', 'o', 'c')

static _Thread_local PEPROCESS current_process;

PEPROCESS PsInitialSystemProcess;
static FAST_MUTEX list_mutex; /* guards process_list */
static LIST_ENTRY process_list;
static ULONG next_id; /* under list_mutex: of the process created last */

/* A thread that never entered a process (a backend's completion thread) acts as one of the System process. */
PEPROCESS NTAPI PsGetCurrentProcess(void)
{
    return current_process ? current_process : PsInitialSystemProcess;
}

PEPROCESS EmuEnterProcess(PEPROCESS Process)
{
    PEPROCESS before = current_process;
    current_process = Process;
    return before;
}

ULONG NTAPI PsGetProcessSessionId(PEPROCESS Process)
{
    return Process->SessionId;
}

PEPROCESS EmuSystemProcess(void)
{
    return PsInitialSystemProcess;
}

static void delete_process(PVOID object)
{
    PEPROCESS process = object;

    ObpDeleteHandleTable(process->Handles);
    if (process->Irps)
        ExFreePoolWithTag(process->Irps, TAG_PROCESS);
}

OBJECT_TYPE ObpProcessType = {
    .Name = "Process",
    .PoolType = NonPagedPool,
    .Tag = TAG_PROCESS,
    .GenericMapping = {PROCESS_ALL_ACCESS, PROCESS_ALL_ACCESS, PROCESS_ALL_ACCESS, PROCESS_ALL_ACCESS},
    .Delete = delete_process,
};

static POBJECT_TYPE process_type = &ObpProcessType;
POBJECT_TYPE *PsProcessType = &process_type;

HANDLE NTAPI PsGetProcessId(PEPROCESS Process)
{
    return (HANDLE)(ULONG_PTR)Process->Id;
}

/* Each list on cache lines of its own, which the pool gives to a block and not to a part of one. */
static OBP_IRP_LIST *create_irp_lists(void)
{
    OBP_IRP_LIST *irps = ExAllocatePoolWithTag(NonPagedPoolCacheAligned, OBP_SLOTS * sizeof *irps, TAG_PROCESS);

    for (ULONG i = 0; irps && i < OBP_SLOTS; i++) {
        ExInitializeFastMutex(&irps[i].Mutex);
        InitializeListHead(&irps[i].List);
    }
    return irps;
}

static PEPROCESS create_process(ULONG session, PEPROCESS parent)
{
    PEPROCESS process;
    PVOID object;

    if (!NT_SUCCESS(ObpCreateObject(&ObpProcessType, sizeof *process, &object)))
        return NULL;
    process = object;
    process->SessionId = EmuBuildHasSessions(EmuMachineBuild()) ? session : 0;
    process->QuotaLimit[NonPagedPool] = process->QuotaLimit[PagedPool] = EMU_NO_QUOTA;
    ExInitializeFastMutex(&process->RequestMutex);
    InitializeListHead(&process->Requests);
    process->Irps = create_irp_lists();
    process->Handles = ObpCreateHandleTable();
    if (!process->Irps || !process->Handles ||
        (parent && !NT_SUCCESS(ObpInheritHandles(process->Handles, parent->Handles))))
        goto fail;
    if (!NT_SUCCESS(ObpEnterSession(process)))
        goto fail;
    ExAcquireFastMutex(&list_mutex);
    process->Id = next_id += 4;
    InsertTailList(&process_list, &process->ProcessLinks);
    ExReleaseFastMutex(&list_mutex);
    return process;
fail:
    if (process->Handles)
        ObpCloseHandles(process->Handles);
    ObDereferenceObject(process);
    return NULL;
}

PEPROCESS EmuCreateProcess(ULONG SessionId)
{
    return create_process(SessionId, NULL);
}

PEPROCESS EmuCreateChildProcess(PEPROCESS Parent, BOOLEAN InheritHandles)
{
    return create_process(Parent->SessionId, InheritHandles ? Parent : NULL);
}

/* The object stays as long as pool is charged to it, or another process has a handle to it. */
void EmuDeleteProcess(PEPROCESS Process)
{
    PEPROCESS before;

    if (!Process)
        return;
    before = EmuEnterProcess(Process);
    ObpCloseHandles(Process->Handles);
    EmuEnterProcess(before == Process ? NULL : before);
    ObpLeaveSession(Process);
    ExAcquireFastMutex(&list_mutex);
    RemoveEntryList(&Process->ProcessLinks);
    ExReleaseFastMutex(&list_mutex);
    ObDereferenceObject(Process);
}

void EmuSetProcessQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG64 Limit)
{
    __atomic_store_n(&Process->QuotaLimit[PoolType & 1], Limit, __ATOMIC_RELAXED);
}

ULONG64 EmuProcessQuotaUsed(PEPROCESS Process, POOL_TYPE PoolType)
{
    return __atomic_load_n(&Process->QuotaUsed[PoolType & 1], __ATOMIC_RELAXED);
}

NTSTATUS NTAPI PsChargeProcessPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    ULONG64 *used = &Process->QuotaUsed[PoolType & 1], before = __atomic_load_n(used, __ATOMIC_RELAXED);
    ULONG64 limit = __atomic_load_n(&Process->QuotaLimit[PoolType & 1], __ATOMIC_RELAXED);

    do {
        if (before > limit || Amount > limit - before)
            return STATUS_QUOTA_EXCEEDED;
    } while (!__atomic_compare_exchange_n(used, &before, before + Amount, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    if (!before && Amount)
        ObReferenceObject(Process);
    return STATUS_SUCCESS;
}

void NTAPI PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    ULONG64 before = __atomic_fetch_sub(&Process->QuotaUsed[PoolType & 1], Amount, __ATOMIC_RELAXED);

    if (before < Amount)
        KeBugCheckEx(QUOTA_UNDERFLOW, (ULONG_PTR)Process, (ULONG_PTR)PoolType, before, Amount);
    if (Amount && before == Amount)
        ObDereferenceObject(Process);
}

ULONG EmuHandleCount(PEPROCESS Process)
{
    return ObpHandleCountOf(Process->Handles);
}

ULONG ObpProcessCount(void)
{
    ULONG count = 0;

    ExAcquireFastMutex(&list_mutex);
    for (PLIST_ENTRY e = process_list.Flink; e != &process_list; e = e->Flink)
        count++;
    ExReleaseFastMutex(&list_mutex);
    return count - 1;
}

void ObpVisitHandles(void (*Visit)(PEPROCESS Process, HANDLE Handle, PVOID Object, ACCESS_MASK Access, PVOID Context),
                     PVOID Context)
{
    ExAcquireFastMutex(&list_mutex);
    for (PLIST_ENTRY e = process_list.Flink; e != &process_list; e = e->Flink) {
        PEPROCESS process = CONTAINING_RECORD(e, EPROCESS, ProcessLinks);
        ACCESS_MASK access;
        ULONG index = 0;
        HANDLE handle;
        PVOID object;
        while ((object = ObpNextHandle(process->Handles, &index, &handle, &access)) != NULL) {
            Visit(process, handle, object, access, Context);
            ObDereferenceObject(object);
        }
    }
    ExReleaseFastMutex(&list_mutex);
}

NTSTATUS ObpInitializeProcesses(void)
{
    ExInitializeFastMutex(&list_mutex);
    InitializeListHead(&process_list);
    next_id = 0;
    ObpInitializeHandles();
    PsInitialSystemProcess = EmuCreateProcess(0);
    return PsInitialSystemProcess ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void ObpShutdownProcesses(void)
{
    /* What others left: their owners are gone with the machine. */
    while (PsInitialSystemProcess && PsInitialSystemProcess->ProcessLinks.Flink != &process_list)
        EmuDeleteProcess(CONTAINING_RECORD(PsInitialSystemProcess->ProcessLinks.Flink, EPROCESS, ProcessLinks));
    if (PsInitialSystemProcess)
        ObpCloseHandles(PsInitialSystemProcess->Handles);
}

void ObpDeleteSystemProcess(void)
{
    EmuDeleteProcess(PsInitialSystemProcess);
    PsInitialSystemProcess = NULL;
    current_process = NULL;
}
