/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.h - system threads, the part below objects and handles: host threads that the machine can end.
 */
#ifndef NTEMU_KE_THREAD_H
#define NTEMU_KE_THREAD_H

#include <ntemu/wdm.h>

#include <setjmp.h>

/* The owner's memory, until Ended has been called. */
typedef struct _KI_THREAD {
    DISPATCHER_HEADER Header; /* signalled when the thread has ended */
    PKSTART_ROUTINE Routine;
    PVOID Context;
    /* Called by the thread as the last that it does; frees or dereferences this. */
    void (*Ended)(struct _KI_THREAD *Thread);
    NTSTATUS ExitStatus;
    BOOLEAN Worker; /* the machine's own: not counted as left behind */
    jmp_buf Start;  /* where the thread goes to end */
} KI_THREAD;

/*
 * KiStartThread - starts a system thread at PASSIVE_LEVEL. It counts for a virtual clock.
 *   Thread   Routine, Context and Ended are set; the rest is initialized here.
 *   Returns  STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES (Ended is not called).
 */
NTSTATUS KiStartThread(KI_THREAD *Thread);
/* The calling thread's; NULL: not a system thread. */
KI_THREAD *KiCurrentThread(void);
DECLSPEC_NORETURN void KiExitThread(NTSTATUS Status);

/*
 * KiStopThreads - ends every system thread: at once where it waits for a dispatcher object or the next time it does,
 * and waits until they are gone. Returns how many there were, workers not counted.
 */
ULONG KiStopThreads(void);
/* Whether it sleeps in a wait for a dispatcher object, at this moment. The thread must not be able to end. */
BOOLEAN KiIsWaiting(const KI_THREAD *Thread);
/* For a wait: Word, what the thread is about to sleep on; NULL: it is awake again. Does not return once the machine
 * stops its threads. Without the dispatcher lock. */
void KiStopIfTold(const LONG *Word);

#endif
