/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ex.h - the executive's work items and resources, and system threads. Part of wdm.h, which includes it. Ours, from
 * public documentation (WDK reference).
 */
#ifndef NTEMU_EX_H
#define NTEMU_EX_H

#ifndef NTEMU_WDM_H
#error "include <ntemu/wdm.h>"
#endif

/* ---- system threads ---- */

typedef void(NTAPI *PKSTART_ROUTINE)(PVOID StartContext);

extern POBJECT_TYPE *PsThreadType;

/*
 * PsCreateSystemThread - starts a thread of the System process at PASSIVE_LEVEL. PASSIVE_LEVEL.
 *   ThreadHandle      out: of the calling process, or with OBJ_KERNEL_HANDLE of the System process. The object behind
 *                     it (*PsThreadType) is signalled when the thread has ended.
 *   DesiredAccess     of the handle. ObjectAttributes may be NULL.
 *   ProcessHandle     NULL: the System process. Another: STATUS_NOT_SUPPORTED.
 *   ClientId          out, may be NULL: zeroed, there are no thread ids.
 *   Returns           STATUS_SUCCESS, _INSUFFICIENT_RESOURCES, _NOT_SUPPORTED.
 * PsTerminateSystemThread - ends the calling thread, as returning from StartRoutine does. Returns only to a thread that
 * is no system thread: STATUS_INVALID_PARAMETER (documented).
 */
NTSTATUS NTAPI PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    HANDLE ProcessHandle, PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine,
                                    PVOID StartContext);
NTSTATUS NTAPI PsTerminateSystemThread(NTSTATUS ExitStatus);

/* ---- work items ---- */

typedef enum _WORK_QUEUE_TYPE {
    CriticalWorkQueue,
    DelayedWorkQueue,
    HyperCriticalWorkQueue,
    MaximumWorkQueue
} WORK_QUEUE_TYPE;

typedef void(NTAPI *PWORKER_THREAD_ROUTINE)(PVOID Parameter);

typedef struct _WORK_QUEUE_ITEM {
    LIST_ENTRY List; /* Flink NULL: in no queue */
    PWORKER_THREAD_ROUTINE WorkerRoutine;
    PVOID Parameter;
} WORK_QUEUE_ITEM, *PWORK_QUEUE_ITEM;

#define ExInitializeWorkItem(Item, Routine, Context)                                                                   \
    ((Item)->List.Flink = NULL, (Item)->WorkerRoutine = (Routine), (Item)->Parameter = (Context))

/*
 * ExQueueWorkItem - has the routine called by a worker thread of the System process at PASSIVE_LEVEL. IRQL <=
 * DISPATCH_LEVEL. The item is nonpaged; it is out of its queue when the routine is called, which may queue or free it.
 * Items of one queue begin in the order in which they were queued. A queue has up to 5 (critical), 3 (delayed) or 1
 * (hypercritical) workers, made when they are needed (observed of small systems in public; NT makes them at boot); on a
 * virtual clock one each, so that the order is always the same.
 * An item that is queued already is bug check 0xE4 (documented), and a routine that returns at a raised IRQL 0xE1
 * (documented: routine, IRQL, parameter, item); both are later than NT 4.0.
 */
void NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType);

/*
 * EmuDrainWorkers - waits until all work items are done. IRQL < DISPATCH_LEVEL, not on a worker.
 *   Returns  TRUE; FALSE: what is left waits itself, for a dispatcher object or for time to pass (on the real clock:
 * has been seen waiting for 50 ms).
 */
BOOLEAN EmuDrainWorkers(void);

#define WORKER_THREAD_RETURNED_AT_BAD_IRQL 0x000000E1
#define RESOURCE_NOT_OWNED                 0x000000E3
#define WORKER_INVALID                     0x000000E4

/* ---- resources: many readers, or one writer ---- */

typedef ULONG_PTR ERESOURCE_THREAD;

typedef struct _OWNER_ENTRY {
    ERESOURCE_THREAD OwnerThread;
    ULONG OwnerCount; /* how often that thread has it; 0: the entry is free */
} OWNER_ENTRY, *POWNER_ENTRY;

/* Opaque, as documented; laid out here in our way. Nonpaged. */
typedef struct _ERESOURCE {
    KSPIN_LOCK SpinLock; /* guards the rest */
    POWNER_ENTRY Owners; /* nonpaged pool; NULL until somebody has it */
    ULONG OwnerCapacity;
    ULONG ActiveThreads; /* that have it, or have been let in and are about to say so */
    BOOLEAN Exclusive;
    ULONG NumberOfSharedWaiters, NumberOfExclusiveWaiters;
    ULONG ContentionCount;
    KSEMAPHORE SharedWaiters;
    KEVENT ExclusiveWaiters;
} ERESOURCE, *PERESOURCE;

/*
 * Resources. Acquiring: IRQL < DISPATCH_LEVEL; FALSE only if Wait is FALSE and it cannot be had at once. Recursive:
 * each acquisition is released once. Who has it exclusively may acquire it shared, too; who has it shared and wants it
 * exclusively waits for ever (documented). New readers wait while a writer waits. When a writer is done, waiting
 * readers come before waiting writers (observed: ReactOS).
 *   ExInitializeResourceLite  STATUS_SUCCESS. ExDeleteResourceLite: nobody has it or waits; STATUS_SUCCESS.
 *   ExReleaseResourceLite     IRQL <= DISPATCH_LEVEL. Not the caller's: bug check 0xE3 (documented: resource, thread).
 *   ExReleaseResourceForThreadLite  in the name of the thread that ExGetCurrentResourceThread told.
 *   ExConvertExclusiveToSharedLite  lets waiting readers in.
 *   ExIsResourceAcquiredSharedLite  how often the caller has it, in any way.
 */
NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource);
NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource);
BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait);
BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait);
void NTAPI ExReleaseResourceLite(PERESOURCE Resource);
void NTAPI ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId);
void NTAPI ExConvertExclusiveToSharedLite(PERESOURCE Resource);
BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource);
ULONG NTAPI ExIsResourceAcquiredSharedLite(PERESOURCE Resource);
ERESOURCE_THREAD NTAPI ExGetCurrentResourceThread(void);

#endif
