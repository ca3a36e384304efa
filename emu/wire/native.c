/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patience is measured once per process: a pause takes 5 ns on some processors and 50 on others. */
#include "native.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NANOSECONDS 25000
#define MEASURED_ROUNDS  2000
#define LEAST_ROUNDS     64u

static pthread_once_t measured = PTHREAD_ONCE_INIT;
static uint32_t spin_limit;

static int64_t nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void measure(void)
{
    struct wire_patience probe = {MEASURED_ROUNDS, MEASURED_ROUNDS};
    uint32_t word = 0;
    int64_t start, spent;
    cpu_set_t allowed;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) < 2)
        return;
    start = nanoseconds();
    wire_spin(&probe, &word, 0);
    spent = nanoseconds() - start;
    spin_limit = (uint32_t)((int64_t)SPIN_NANOSECONDS * MEASURED_ROUNDS / (spent > 0 ? spent : 1));
    if (spin_limit < LEAST_ROUNDS)
        spin_limit = LEAST_ROUNDS;
}

struct wire_patience wire_patience_new(void)
{
    pthread_once(&measured, measure);
    return (struct wire_patience){spin_limit, spin_limit};
}

int wire_sleep(const uint32_t *word, uint32_t value, int milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};

    return syscall(SYS_futex, word, FUTEX_WAIT, value, milliseconds < 0 ? NULL : &time, NULL, 0) != 0 &&
           errno == ETIMEDOUT;
}

void wire_wake(const uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}
