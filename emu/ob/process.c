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

PHANDLE_TABLE ObpHandleTableOf(ULONG Attributes)
{
    return Attributes & OBJ_KERNEL_HANDLE ? PsInitialSystemProcess->Handles : PsGetCurrentProcess()->Handles;
}

PEPROCESS EmuCreateProcess(ULONG SessionId)
{
    PEPROCESS process = ExAllocatePoolWithTag(NonPagedPool, sizeof *process, TAG_PROCESS);

    if (!process)
        return NULL;
    memset(process, 0, sizeof *process);
    process->SessionId = EmuBuildHasSessions(EmuMachineBuild()) ? SessionId : 0;
    process->References = 1;
    process->QuotaLimit[NonPagedPool] = process->QuotaLimit[PagedPool] = EMU_NO_QUOTA;
    ExInitializeFastMutex(&process->IrpMutex);
    InitializeListHead(&process->IrpList);
    process->Handles = ObpCreateHandleTable();
    if (!process->Handles || !NT_SUCCESS(ObpEnterSession(process))) {
        ObpDeleteHandleTable(process->Handles);
        ExFreePoolWithTag(process, TAG_PROCESS);
        return NULL;
    }
    ExAcquireFastMutex(&list_mutex);
    InsertTailList(&process_list, &process->ProcessLinks);
    ExReleaseFastMutex(&list_mutex);
    return process;
}

/* The structure stays as long as pool is charged to it. */
static void dereference(PEPROCESS process)
{
    if (!__atomic_sub_fetch(&process->References, 1, __ATOMIC_ACQ_REL))
        ExFreePoolWithTag(process, TAG_PROCESS);
}

void EmuDeleteProcess(PEPROCESS Process)
{
    PEPROCESS before;

    if (!Process)
        return;
    before = EmuEnterProcess(Process);
    ObpDeleteHandleTable(Process->Handles);
    EmuEnterProcess(before == Process ? NULL : before);
    ObpLeaveSession(Process);
    ExAcquireFastMutex(&list_mutex);
    RemoveEntryList(&Process->ProcessLinks);
    ExReleaseFastMutex(&list_mutex);
    dereference(Process);
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
        __atomic_fetch_add(&Process->References, 1, __ATOMIC_RELAXED);
    return STATUS_SUCCESS;
}

void NTAPI PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    ULONG64 before = __atomic_fetch_sub(&Process->QuotaUsed[PoolType & 1], Amount, __ATOMIC_RELAXED);

    if (before < Amount)
        KeBugCheckEx(QUOTA_UNDERFLOW, (ULONG_PTR)Process, (ULONG_PTR)PoolType, before, Amount);
    if (Amount && before == Amount)
        dereference(Process);
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

ULONG ObpAllHandles(void)
{
    ULONG count = 0;

    ExAcquireFastMutex(&list_mutex);
    for (PLIST_ENTRY e = process_list.Flink; e != &process_list; e = e->Flink)
        count += ObpHandleCountOf(CONTAINING_RECORD(e, EPROCESS, ProcessLinks)->Handles);
    ExReleaseFastMutex(&list_mutex);
    return count;
}

NTSTATUS ObpInitializeProcesses(void)
{
    ExInitializeFastMutex(&list_mutex);
    InitializeListHead(&process_list);
    PsInitialSystemProcess = EmuCreateProcess(0);
    return PsInitialSystemProcess ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void ObpShutdownProcesses(void)
{
    /* What others left: their owners are gone with the machine. */
    while (PsInitialSystemProcess && PsInitialSystemProcess->ProcessLinks.Flink != &process_list)
        EmuDeleteProcess(CONTAINING_RECORD(PsInitialSystemProcess->ProcessLinks.Flink, EPROCESS, ProcessLinks));
    EmuDeleteProcess(PsInitialSystemProcess);
    PsInitialSystemProcess = NULL;
    current_process = NULL;
}
