/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work items and the threads that do them. */
#include "work.h"

#include <limits.h>
#include <string.h>

#include "ke/futex.h"
#include "ke/kip.h"
#include "ke/thread.h"

#define MOST_WORKERS 5
#define STUCK_LOOKS  50 /* a millisecond apart */

struct worker {
    KI_THREAD thread;
    struct queue *queue;
    BOOLEAN has_item; /* the queue's lock */
};

struct queue {
    KSPIN_LOCK lock;
    LIST_ENTRY items;   /* WORK_QUEUE_ITEM.List */
    KSEMAPHORE waiting; /* how many items there are that no worker was told of */
    ULONG count;        /* of items */
    ULONG started, idle, most;
    struct worker workers[MOST_WORKERS];
};

#define QUEUE(type, number)                                                                                            \
    [type] = {.items = {&queues[type].items, &queues[type].items},                                                     \
              .waiting = {{.Type = SemaphoreObject}, INT_MAX},                                                         \
              .most = (number)}

static struct queue queues[MaximumWorkQueue] = {QUEUE(CriticalWorkQueue, 5), QUEUE(DelayedWorkQueue, 3),
                                                QUEUE(HyperCriticalWorkQueue, 1)};
static LONG unfinished; /* atomic: items queued or being done; slept on */

/* ---- a worker ---- */

static PWORK_QUEUE_ITEM take_item(struct worker *worker)
{
    struct queue *queue = worker->queue;
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&queue->lock);
    PLIST_ENTRY first = queue->items.Flink;

    RemoveEntryList(first);
    first->Flink = NULL;
    queue->count--;
    queue->idle--;
    worker->has_item = TRUE;
    KeReleaseSpinLock(&queue->lock, old);
    return CONTAINING_RECORD(first, WORK_QUEUE_ITEM, List);
}

static void finish_item(struct worker *worker)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&worker->queue->lock);

    __atomic_fetch_sub(&unfinished, 1, __ATOMIC_SEQ_CST); /* first: nobody is to take a finished item for a stuck one */
    worker->has_item = FALSE;
    worker->queue->idle++;
    KeReleaseSpinLock(&worker->queue->lock, old);
    KiFutexWake(&unfinished, INT_MAX);
}

static void do_item(PWORK_QUEUE_ITEM item)
{
    PWORKER_THREAD_ROUTINE routine = item->WorkerRoutine;
    PVOID parameter = item->Parameter;

    routine(parameter);
    if (KeGetCurrentIrql() != PASSIVE_LEVEL)
        KeBugCheckEx(WORKER_THREAD_RETURNED_AT_BAD_IRQL, (ULONG_PTR)routine, KeGetCurrentIrql(), (ULONG_PTR)parameter,
                     (ULONG_PTR)item);
}

static void NTAPI ExpWorkerThread(PVOID context)
{
    struct worker *worker = context;

    for (;;) {
        KeWaitForSingleObject(&worker->queue->waiting, Executive, KernelMode, FALSE, NULL);
        do_item(take_item(worker));
        finish_item(worker);
    }
}

static void worker_ended(KI_THREAD *thread)
{
    /* When the machine goes down, or a bug check has stopped it; its memory is ours. */
}

/* Once a machine has a worker it keeps it. */
static void start_worker(struct queue *queue, ULONG number)
{
    struct worker *worker = &queue->workers[number];

    worker->queue = queue;
    worker->thread.Routine = ExpWorkerThread;
    worker->thread.Context = worker;
    worker->thread.Ended = worker_ended;
    worker->thread.Worker = TRUE;
    /* Nobody could be told: an item cannot fail to be queued. */
    if (!NT_SUCCESS(KiStartThread(&worker->thread)))
        KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_INSUFFICIENT_RESOURCES, (ULONG_PTR)start_worker, 0, 0);
}

/* ---- to queue ---- */

/* Returns the number of the worker to start, or MOST_WORKERS. */
static ULONG append(struct queue *queue, PWORK_QUEUE_ITEM item)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&queue->lock);
    ULONG most = KiIsVirtual() ? 1 : queue->most, number = MOST_WORKERS;

    InsertTailList(&queue->items, &item->List);
    queue->count++;
    if (queue->count > queue->idle && queue->started < most) {
        number = queue->started++;
        queue->idle++;
    }
    KeReleaseSpinLock(&queue->lock, old);
    return number;
}

void NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    struct queue *queue = &queues[QueueType];
    ULONG number;

    if (WorkItem->List.Flink)
        KeBugCheckEx(WORKER_INVALID, 1, (ULONG_PTR)WorkItem, 0, 0);
    __atomic_fetch_add(&unfinished, 1, __ATOMIC_SEQ_CST);
    number = append(queue, WorkItem);
    if (number < MOST_WORKERS)
        start_worker(queue, number);
    KeReleaseSemaphore(&queue->waiting, 0, 1, FALSE);
}

/* ---- to wait for ---- */

/* In the middle of an item: a bug check routine did so. */
static BOOLEAN has_ended(const struct worker *worker)
{
    return __atomic_load_n(&worker->thread.Header.SignalState, __ATOMIC_SEQ_CST) != 0;
}

/* Whether nothing will be done until somebody signals something. */
static BOOLEAN is_stuck(struct queue *queue)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&queue->lock);
    BOOLEAN stuck = !queue->count || !queue->idle;
    struct worker *running[MOST_WORKERS];
    ULONG count = 0;

    for (ULONG i = 0; i < queue->started; i++)
        if (queue->workers[i].has_item)
            running[count++] = &queue->workers[i];
    KeReleaseSpinLock(&queue->lock, old);
    for (ULONG i = 0; i < count; i++)
        stuck = stuck && (has_ended(running[i]) || KiIsWaiting(&running[i]->thread));
    return stuck;
}

static BOOLEAN all_stuck(void)
{
    BOOLEAN stuck = TRUE;

    for (ULONG i = 0; i < MaximumWorkQueue; i++)
        stuck = is_stuck(&queues[i]) && stuck;
    return stuck;
}

/* A worker that was just let go may look as if it waited still: it is believed when it stays so. */
static BOOLEAN drain_really(void)
{
    LONG left;

    for (ULONG looks = 0; (left = __atomic_load_n(&unfinished, __ATOMIC_SEQ_CST)) != 0;) {
        struct timespec soon;
        looks = all_stuck() ? looks + 1 : 0;
        if (looks == STUCK_LOOKS)
            return FALSE;
        clock_gettime(CLOCK_MONOTONIC, &soon);
        soon.tv_nsec += 1000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        KiFutexWait(&unfinished, left, &soon);
    }
    return TRUE;
}

BOOLEAN EmuDrainWorkers(void)
{
    if (!KiIsVirtual())
        return drain_really();
    KiLetOthersRun();
    return !__atomic_load_n(&unfinished, __ATOMIC_SEQ_CST);
}

ULONG ExpStopWorkers(void)
{
    drain_really();
    return (ULONG)__atomic_load_n(&unfinished, __ATOMIC_SEQ_CST);
}

void ExpForgetWorkers(void)
{
    for (ULONG i = 0; i < MaximumWorkQueue; i++) {
        struct queue *queue = &queues[i];
        queue->lock = 0;
        queue->count = queue->started = queue->idle = 0;
        memset(queue->workers, 0, sizeof queue->workers); /* a bug check may have ended one amid its item */
        InitializeListHead(&queue->items);
        KeInitializeSemaphore(&queue->waiting, 0, INT_MAX);
    }
    unfinished = 0;
}
