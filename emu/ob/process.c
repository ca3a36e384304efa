/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes: a handle table, a session, and the requests their threads have in progress. */
#include "obp.h"

#include <ntemu/machine.h>
#include <string.h>

#define TAG_PROCESS POOL_TAG('P', 'r', 'o', 'c')

static _Thread_local PEPROCESS current_process;

static PEPROCESS system_process;
static FAST_MUTEX list_mutex; /* guards process_list */
static LIST_ENTRY process_list;

/* A thread that never entered a process (a backend's completion thread) acts as one of the System process. */
PEPROCESS NTAPI PsGetCurrentProcess(void)
{
    return current_process ? current_process : system_process;
}

PEPROCESS EmuEnterProcess(PEPROCESS Process)
{
    PEPROCESS before = current_process;
    current_process = Process;
    return before;
}

PEPROCESS EmuSystemProcess(void)
{
    return system_process;
}

PHANDLE_TABLE ObpHandleTableOf(ULONG Attributes)
{
    return Attributes & OBJ_KERNEL_HANDLE ? system_process->Handles : PsGetCurrentProcess()->Handles;
}

PEPROCESS EmuCreateProcess(ULONG SessionId)
{
    PEPROCESS process = ExAllocatePoolWithTag(NonPagedPool, sizeof *process, TAG_PROCESS);

    if (!process)
        return NULL;
    memset(process, 0, sizeof *process);
    process->SessionId = SessionId;
    ExInitializeFastMutex(&process->IrpMutex);
    InitializeListHead(&process->IrpList);
    process->Handles = ObpCreateHandleTable();
    if (!process->Handles) {
        ExFreePoolWithTag(process, TAG_PROCESS);
        return NULL;
    }
    ExAcquireFastMutex(&list_mutex);
    InsertTailList(&process_list, &process->ProcessLinks);
    ExReleaseFastMutex(&list_mutex);
    return process;
}

void EmuDeleteProcess(PEPROCESS Process)
{
    PEPROCESS before;

    if (!Process)
        return;
    before = EmuEnterProcess(Process);
    ObpDeleteHandleTable(Process->Handles);
    EmuEnterProcess(before == Process ? NULL : before);
    ExAcquireFastMutex(&list_mutex);
    RemoveEntryList(&Process->ProcessLinks);
    ExReleaseFastMutex(&list_mutex);
    ExFreePoolWithTag(Process, TAG_PROCESS);
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
    system_process = EmuCreateProcess(0);
    return system_process ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void ObpShutdownProcesses(void)
{
    /* What others left: their owners are gone with the machine. */
    while (system_process && system_process->ProcessLinks.Flink != &process_list)
        EmuDeleteProcess(CONTAINING_RECORD(system_process->ProcessLinks.Flink, EPROCESS, ProcessLinks));
    EmuDeleteProcess(system_process);
    system_process = NULL;
    current_process = NULL;
}
