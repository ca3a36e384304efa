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

/* The longest that yielding may take. More, and the machine is busy: a process that gives its processor away there gets
 * it back a time slice later, where one that sleeps is woken when there is something to do. */
#define AWAY_NS 100000u

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

/* Whether this process may run on one processor only, as it was when it first asked. Then the other side can do nothing
 * while this one spins, and to sleep is the quickest way to let it (measured: yielding is no quicker). */
static BOOLEAN is_alone(void)
{
    static _Atomic int known;
    int count = atomic_load_explicit(&known, memory_order_relaxed);
    cpu_set_t set;

    if (count == 0) {
        count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 2;
        atomic_store_explicit(&known, count, memory_order_relaxed);
    }
    return count == 1;
}

/* Look for a while. FALSE: in vain; or somebody else had the processor meanwhile, so that sleeping had been better. */
static BOOLEAN look(_Atomic uint32_t *counter, uint32_t seen)
{
    uint64_t before = ring_clock(), end = before + SPIN_NS, now;

    for (;;) {
        for (unsigned i = 0; i < SPIN_LOOKS; i++) {
            if (atomic_load_explicit(counter, memory_order_acquire) != seen)
                return TRUE;
            relax();
        }
        sched_yield();
        now = ring_clock();
        if (now - before > AWAY_NS || now > end)
            return FALSE;
        before = now;
    }
}

BOOLEAN ring_spin(struct ring_patience *patience, _Atomic uint32_t *counter, uint32_t seen)
{
    if (atomic_load(counter) != seen)
        return TRUE;
    if (is_alone())
        return FALSE;
    if (patience->skip > 0) {
        patience->skip--;
        return FALSE;
    }
    if (look(counter, seen)) {
        patience->penalty /= 2;
        return TRUE;
    }
    patience->penalty = patience->penalty < PENALTY_MAX ? patience->penalty * 2 + 1 : PENALTY_MAX;
    patience->skip = patience->penalty;
    return atomic_load(counter) != seen;
}

void ring_wake_connection(struct ring *ring, int socket)
{
    static const char bell = 1;

    /* A full socket buffer means that unheard bells are waiting already. */
    if (atomic_exchange(&ring->connection_sleeps, 0) != 0)
        (void)!send(socket, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void ring_finish(struct ring_slot *slot, uint32_t number)
{
    uint32_t finished = atomic_load(&slot->finished);

    /* The worker comes late: everybody has been there, and its slot's next request has been given up already. */
    while ((int32_t)(finished - number) < 0 && !atomic_compare_exchange_weak(&slot->finished, &finished, number))
        ;
    if (atomic_exchange(&slot->sleeps, 0) != 0)
        smb_futex_wake(&slot->finished, TRUE);
}

void ring_wait_finished(struct ring_slot *slot, uint32_t number)
{
    static _Thread_local struct ring_patience patience;
    uint32_t finished = atomic_load(&slot->finished);

    /* The slot's number may have gone further: somebody else took our result out, and the slot was used again. */
    while ((int32_t)(finished - number) < 0) {
        if (!ring_spin(&patience, &slot->finished, finished)) {
            atomic_store(&slot->sleeps, 1);
            smb_futex_wait(&slot->finished, finished, TRUE);
        }
        finished = atomic_load(&slot->finished);
    }
}

void ring_wake_worker(struct ring *ring)
{
    if (atomic_exchange(&ring->worker_sleeps, 0) != 0)
        smb_futex_wake(&ring->worker_sleeps, TRUE);
}
