/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring.c - waiting and waking at both ends of the ring. See ring.h. */
#include "ring.h"

#include <sched.h>
#include <sys/socket.h>
#include <time.h>

/*
 * Sleeping costs two system calls and, on an idle machine, tens of microseconds until a processor is awake again; an
 * open at a local server takes one or two hundred. But a side that spins takes the processor from the others on a
 * small or a busy machine. So it yields in between, spins no longer than such an open takes, and after every time in
 * vain lets twice as many waits pass before it tries again: where spinning does not pay it costs next to nothing.
 */
#define SPIN_NS     250000u
#define SPIN_LOOKS  32u /* between two readings of the clock */
#define PENALTY_MAX 4095u

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

uint64_t ring_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

BOOLEAN ring_spin(struct ring_patience *patience, _Atomic uint32_t *counter, uint32_t seen)
{
    uint64_t end;

    if (atomic_load(counter) != seen)
        return TRUE;
    if (patience->skip > 0) {
        patience->skip--;
        return FALSE;
    }
    end = ring_clock() + SPIN_NS;
    do {
        for (unsigned i = 0; i < SPIN_LOOKS; i++) {
            if (atomic_load_explicit(counter, memory_order_acquire) != seen) {
                patience->penalty /= 2;
                return TRUE;
            }
            relax();
        }
        sched_yield();
    } while (ring_clock() < end);
    patience->penalty = patience->penalty < PENALTY_MAX ? patience->penalty * 2 + 1 : PENALTY_MAX;
    patience->skip = patience->penalty;
    return FALSE;
}

void ring_wake_connection(struct ring *ring, int socket)
{
    static const char bell = 1;

    /* A full socket buffer means that unheard bells are waiting already. */
    if (atomic_exchange(&ring->connection_sleeps, 0) != 0)
        (void)!send(socket, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void ring_wake_worker(struct ring *ring)
{
    if (atomic_exchange(&ring->worker_sleeps, 0) != 0)
        smb_futex_wake(&ring->worker_sleeps, TRUE);
}
