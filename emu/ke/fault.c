/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#define RED_ZONE       128u /* System V ABI: below the stack pointer, and a leaf function's own */
#define PAGE_FAULT     14   /* the processor's exception number */
#define ERROR_WRITE    2    /* bit of its error code */
#define HANDLER_FRAMES 8    /* of the handler itself and of whatever calls it (a sanitizer), at most */

static KI_FAULT_FILTER *filter; /* atomic */
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static const int signals[] = {SIGSEGV, SIGBUS};
#define SIGNALS (sizeof signals / sizeof *signals)
static struct sigaction previous[SIGNALS];

/* ---- in the signal handler ---- */

/*
 * The callers, by unwind tables: a fault is mostly met inside memcpy and its like, which have no frame pointer. Safe
 * here because the unwinder has been loaded before and finds tables without a lock (glibc 2.35), and because a filter
 * has already said that the address is one of the machine's: no allocator or loader was interrupted.
 */
static void capture_callers(KI_FAULT *fault)
{
    PVOID frames[HANDLER_FRAMES + EMU_BUG_CHECK_FRAMES];
    int depth = backtrace(frames, (int)(sizeof frames / sizeof *frames)), first = 0;

    while (first < depth && frames[first] != fault->InstructionPointer)
        first++;
    fault->Frames[0] = fault->InstructionPointer;
    fault->Depth = 1;
    for (int i = first + 1; i < depth && fault->Depth < EMU_BUG_CHECK_FRAMES; i++)
        fault->Frames[fault->Depth++] = frames[i];
}

/* Where a thread goes on whose access was a bug check. */
static DECLSPEC_NORETURN void stop_here(const KI_FAULT *fault)
{
    KI_FAULT copy = *fault;

    KiBugCheck(copy.Code, copy.Parameters, copy.Frames, copy.Depth);
}

/* As if the faulting instruction had called stop_here with a copy of the fault on its stack. */
static void resume_in_stop(ucontext_t *context, const KI_FAULT *fault)
{
    greg_t *registers = context->uc_mcontext.gregs;
    ULONG_PTR stack = (ULONG_PTR)registers[REG_RSP] - RED_ZONE - sizeof *fault;

    stack &= ~(ULONG_PTR)63;
    memcpy((void *)stack, fault, sizeof *fault);
    registers[REG_RDI] = (greg_t)stack;
    stack -= sizeof(PVOID);
    memcpy((void *)stack, &fault->InstructionPointer, sizeof(PVOID));
    registers[REG_RSP] = (greg_t)stack;
    registers[REG_RIP] = (greg_t)(ULONG_PTR)stop_here;
}

static void pass_on(int which, int signal, siginfo_t *info, void *context)
{
    struct sigaction *old = &previous[which];

    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(signal, info, context);
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(signal);
    } else {
        struct sigaction end = {.sa_handler = SIG_DFL};
        sigaction(signal, &end, NULL); /* the access is repeated, and ends the process as it would have without us */
    }
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    KI_FAULT_FILTER *judge = __atomic_load_n(&filter, __ATOMIC_ACQUIRE);
    KI_FAULT fault = {
        .Address = info->si_addr,
        .Write = registers[REG_TRAPNO] == PAGE_FAULT && registers[REG_ERR] & ERROR_WRITE,
        .InstructionPointer = (PVOID)registers[REG_RIP],
    };
    KI_FAULT_VERDICT verdict = judge && info->si_code > 0 ? judge(&fault) : KiFaultNotOurs;
    int error = errno;

    if (verdict == KiFaultStop) {
        capture_callers(&fault);
        resume_in_stop(context, &fault);
    } else if (verdict == KiFaultNotOurs) {
        pass_on(signal == SIGBUS, signal, info, context);
    }
    errno = error;
}

/* ---- installing ---- */

/* Also where signal() has saved and restored this handler, and lost its flags. */
static BOOLEAN is_mine(const struct sigaction *action)
{
    return action->sa_sigaction == on_fault;
}

/* A handler uses the alternate stack if the thread has one; a fault of ours is never for want of stack. */
static void take_signal(size_t which)
{
    struct sigaction mine = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, now;

    if (sigaction(signals[which], NULL, &now) != 0)
        return;
    if (!is_mine(&now))
        previous[which] = now;
    sigemptyset(&mine.sa_mask);
    sigaction(signals[which], &mine, NULL);
}

static void give_signal_back(size_t which)
{
    struct sigaction now;

    if (sigaction(signals[which], NULL, &now) == 0 && is_mine(&now))
        sigaction(signals[which], &previous[which], NULL);
}

void KiWatchFaults(KI_FAULT_FILTER *Filter)
{
    PVOID load_unwinder[1];

    backtrace(load_unwinder, 1);
    pthread_mutex_lock(&watch_lock);
    __atomic_store_n(&filter, Filter, __ATOMIC_RELEASE);
    for (size_t i = 0; i < SIGNALS; i++) {
        if (Filter)
            take_signal(i);
        else
            give_signal_back(i);
    }
    pthread_mutex_unlock(&watch_lock);
}

void KiKeepWatch(void)
{
    struct sigaction now;

    if (!__atomic_load_n(&filter, __ATOMIC_RELAXED))
        return;
    if (sigaction(SIGSEGV, NULL, &now) == 0 && is_mine(&now) && now.sa_flags & SA_SIGINFO)
        return;
    pthread_mutex_lock(&watch_lock);
    for (size_t i = 0; i < SIGNALS; i++)
        take_signal(i);
    pthread_mutex_unlock(&watch_lock);
}
