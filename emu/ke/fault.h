/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.h - memory accesses that the host refuses: what they mean to the machine.
 *
 * NT learns of such an access through a page fault, this process through SIGSEGV or SIGBUS. Whoever protects memory
 * (emu/ex/) installs a filter that judges the address. A bug check is raised outside of the signal: the thread
 * resumes in a function that calls KeBugCheckEx on the thread's own stack, so that a bug check routine may do what it
 * may do elsewhere (a test's does longjmp).
 */
#ifndef NTEMU_KE_FAULT_H
#define NTEMU_KE_FAULT_H

#include <ntemu/ntifs.h>

typedef enum _KI_FAULT_VERDICT {
    KiFaultNotOurs, /* the handler that was there before gets it */
    KiFaultRetry,   /* the access is repeated */
    KiFaultStop     /* Code and Parameters are set: a bug check */
} KI_FAULT_VERDICT;

typedef struct _KI_FAULT {
    PVOID Address;
    BOOLEAN Write;
    PVOID InstructionPointer;
    ULONG Code; /* this and Parameters: the filter's */
    ULONG_PTR Parameters[4];
    ULONG Depth; /* Frames begins with InstructionPointer */
    PVOID Frames[EMU_BUG_CHECK_FRAMES];
} KI_FAULT;

/* Called in a signal handler, at any time on any thread: may only do what is safe there. May sleep on a futex. */
typedef KI_FAULT_VERDICT KI_FAULT_FILTER(KI_FAULT *Fault);

/*
 * KiWatchFaults - have Filter judge faults from now on; NULL ends it and gives the signals back.
 * KiKeepWatch   - cheap; to be called wherever memory is about to be protected: a test framework may have put its own
 *                 handlers in place of these meanwhile. Does nothing without a filter.
 */
void KiWatchFaults(KI_FAULT_FILTER *Filter);
void KiKeepWatch(void);

/* KeBugCheckEx with a stack that is known already. */
DECLSPEC_NORETURN void KiBugCheck(ULONG Code, const ULONG_PTR Parameters[4], const PVOID *Frames, ULONG Depth);

/* Adds to a bug check what the layers above know of it; on the thread that met it, which may hold anything but the
 * pool's locks. NULL: nobody. */
typedef void KI_DESCRIBE_ROUTINE(EMU_BUG_CHECK *BugCheck);
void KiSetDescribeRoutine(KI_DESCRIBE_ROUTINE *Routine);

#endif
