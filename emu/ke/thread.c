/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System threads over the host's. */
#include "thread.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "futex.h"
#include "kip.h"

/* What is left of a thread until it is joined: its KI_THREAD may be gone before. */
struct host_thread {
    struct host_thread *next;
    pthread_t handle;
    KI_THREAD *thread;
    BOOLEAN done, worker;   /* lock; done: all that it still does is to tell of it */
    const LONG *waiting_on; /* atomic: the word it sleeps on. Only ever woken, not read */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct host_thread *all; /* lock */
static BOOLEAN stopping;        /* atomic */
static _Thread_local struct host_thread *mine;

KI_THREAD *KiCurrentThread(void)
{
    return mine ? mine->thread : NULL;
}

static void *run_thread(void *argument)
{
    struct host_thread *host = argument;
    KI_THREAD *thread = host->thread;

    mine = host;
    KiAdoptThread();
    if (!setjmp(thread->Start))
        thread->Routine(thread->Context);
    /* Before anybody can know that it has ended: who then shuts the machine down has left no thread behind. */
    pthread_mutex_lock(&lock);
    host->done = TRUE;
    pthread_mutex_unlock(&lock);
    __atomic_store_n(&thread->Header.SignalState, 1, __ATOMIC_SEQ_CST);
    KiSignalled(&thread->Header, INT_MAX);
    thread->Ended(thread);
    KiUncountThread();
    return NULL;
}

/* Joins those that are done, or all. */
static void reap(BOOLEAN everyone)
{
    struct host_thread **link = &all, *gone = NULL;

    pthread_mutex_lock(&lock);
    while (*link) {
        struct host_thread *host = *link;
        if (!everyone && !host->done) {
            link = &host->next;
            continue;
        }
        *link = host->next;
        host->next = gone;
        gone = host;
    }
    pthread_mutex_unlock(&lock);
    while (gone) {
        struct host_thread *next = gone->next;
        pthread_join(gone->handle, NULL);
        free(gone);
        gone = next;
    }
}

NTSTATUS KiStartThread(KI_THREAD *Thread)
{
    struct host_thread *host = calloc(1, sizeof *host);
    int error;

    if (!host)
        return STATUS_INSUFFICIENT_RESOURCES;
    reap(FALSE);
    Thread->Header.Type = ThreadObject;
    Thread->Header.SignalState = 0;
    Thread->ExitStatus = STATUS_SUCCESS;
    InitializeListHead(&Thread->Header.WaitListHead);
    host->thread = Thread;
    host->worker = Thread->Worker;
    KiHoldClock();
    pthread_mutex_lock(&lock);
    error = pthread_create(&host->handle, NULL, run_thread, host);
    if (!error) {
        host->next = all;
        all = host;
    }
    pthread_mutex_unlock(&lock);
    if (!error)
        return STATUS_SUCCESS;
    KiReleaseClock();
    free(host);
    return STATUS_INSUFFICIENT_RESOURCES;
}

DECLSPEC_NORETURN void KiExitThread(NTSTATUS Status)
{
    mine->thread->ExitStatus = Status;
    longjmp(mine->thread->Start, 1);
}

void KiStopIfTold(const LONG *Word)
{
    if (!mine)
        return;
    __atomic_store_n(&mine->waiting_on, Word, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&stopping, __ATOMIC_SEQ_CST))
        return;
    if (KiIsVirtual()) {
        BOOLEAN entered = KiLockDispatcher();
        KiForgetInterrupted();
        KiUnlockDispatcher(entered);
    }
    KiExitThread(STATUS_SYSTEM_SHUTDOWN);
}

BOOLEAN KiIsWaiting(const KI_THREAD *Thread)
{
    BOOLEAN waiting = FALSE;

    pthread_mutex_lock(&lock);
    for (struct host_thread *host = all; host; host = host->next)
        if (host->thread == Thread && !host->done)
            waiting = __atomic_load_n(&host->waiting_on, __ATOMIC_SEQ_CST) != NULL;
    pthread_mutex_unlock(&lock);
    return waiting;
}

/* Wakes those who sleep. One that was just about to may miss it: the next round wakes it. */
static ULONG rouse_all(ULONG *workers)
{
    ULONG left = 0;

    *workers = 0;

    pthread_mutex_lock(&lock);
    for (struct host_thread *host = all; host; host = host->next) {
        const LONG *word = __atomic_load_n(&host->waiting_on, __ATOMIC_SEQ_CST);
        if (host->done)
            continue;
        left++;
        *workers += host->worker;
        if (word)
            KiFutexWake(word, INT_MAX);
    }
    pthread_mutex_unlock(&lock);
    return left;
}

ULONG KiStopThreads(void)
{
    static const struct timespec round = {.tv_nsec = 1000000};
    ULONG count, workers, own;

    reap(FALSE);
    __atomic_store_n(&stopping, TRUE, __ATOMIC_SEQ_CST);
    count = rouse_all(&own);
    if (count)
        while (rouse_all(&workers))
            nanosleep(&round, NULL);
    reap(TRUE);
    __atomic_store_n(&stopping, FALSE, __ATOMIC_SEQ_CST);
    return count - own;
}
