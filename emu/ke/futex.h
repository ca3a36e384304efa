/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one Linux primitive that waits in the kernel's name: sleep while a 32-bit word has a value. */
#ifndef NTEMU_KE_FUTEX_H
#define NTEMU_KE_FUTEX_H

#include <ntemu/nt.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Returns when woken, when *Word is not Value, on a signal, or at the absolute CLOCK_MONOTONIC time; NULL: no limit. */
static inline long KiFutexWait(const LONG *Word, LONG Value, const struct timespec *Deadline)
{
    return syscall(SYS_futex, Word, FUTEX_WAIT_BITSET_PRIVATE, Value, Deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

static inline void KiFutexWake(const LONG *Word, int Threads)
{
    syscall(SYS_futex, Word, FUTEX_WAKE_PRIVATE, Threads, NULL, NULL, 0);
}

#endif
