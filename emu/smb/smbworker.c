/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * smbworker.c - rdrlab-smbworker: carries out one connection's requests with libsmbclient. See ring.h.
 *
 * Started by smbc.c only, with the socket and the ring as descriptors 3 and 4. Ends when the other side says so, when
 * the other side is gone, or when libsmbclient does not come back: the last two are seen by a second thread, as the
 * first may be waiting for a server. That thread never touches libsmbclient.
 */
#include "ring.h"
#include "session.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* When the request in hand was begun, in ring_clock's time; 0: none. */
static _Atomic uint64_t busy_since;
static uint64_t patience_ns; /* for one request, whatever it is */

static void *watch(void *context)
{
    struct pollfd p = {.fd = RING_SOCKET_FD, .events = 0};

    (void)context;
    for (;;) {
        uint64_t since;

        if (poll(&p, 1, 5000) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0)
            _exit(0);
        since = atomic_load(&busy_since);
        if (since != 0 && ring_clock() - since > patience_ns)
            _exit(3);
    }
    return NULL;
}

static BOOLEAN start_watching(const struct ring_hello *hello)
{
    pthread_t thread;

    /* libsmbclient's own limit is two exchanges for a request and more to connect: this is for when that fails. */
    patience_ns = (uint64_t)hello->timeout_ms * 6 * 1000000 + 30 * 1000000000ull;
    return pthread_create(&thread, NULL, watch, NULL) == 0 && pthread_detach(thread) == 0;
}

static BOOLEAN receive_hello(struct ring_hello *hello)
{
    ssize_t length = recv(RING_SOCKET_FD, hello, sizeof(*hello), 0);

    return length == (ssize_t)sizeof(*hello) && hello->version == RING_VERSION;
}

/* Wait for a request. FALSE: stop. If the other side is gone, the watching thread ends us here. */
static BOOLEAN wait_for_request(struct ring *ring, struct ring_patience *patience, uint32_t completed)
{
    while (atomic_load(&ring->submitted) == completed) {
        if (atomic_load(&ring->stop))
            return FALSE;
        if (ring_spin(patience, &ring->submitted, completed))
            break;
        atomic_store(&ring->worker_sleeps, 1);
        if (atomic_load(&ring->submitted) == completed && !atomic_load(&ring->stop))
            smb_futex_wait(&ring->worker_sleeps, 1, TRUE);
        atomic_store_explicit(&ring->worker_sleeps, 0, memory_order_relaxed);
    }
    return !atomic_load(&ring->stop);
}

/* FALSE: the request was cancelled, before or meanwhile. */
static BOOLEAN perform(struct session *session, struct ring_slot *slot)
{
    uint32_t expected = RING_READY;
    BOOLEAN kept;

    if (!atomic_compare_exchange_strong(&slot->state, &expected, RING_TAKEN)) {
        slot->status = STATUS_CANCELLED;
        return FALSE;
    }
    atomic_store_explicit(&busy_since, ring_clock(), memory_order_relaxed);
    session_perform(session, slot);
    expected = RING_TAKEN;
    kept = atomic_compare_exchange_strong(&slot->state, &expected, RING_DONE);
    if (!kept)
        session_undo(session, slot);
    atomic_store_explicit(&busy_since, 0, memory_order_relaxed);
    return kept;
}

static void serve(struct ring *ring, struct session *session)
{
    struct ring_patience patience = {0};
    BOOLEAN described = FALSE;
    uint32_t completed = 0;

    while (wait_for_request(ring, &patience, completed)) {
        struct ring_slot *slot = &ring->slots[completed % RING_SLOTS];
        BOOLEAN kept = perform(session, slot);
        BOOLEAN waited = kept && slot->waited;
        BOOLEAN urgent = slot->op != SMB_CLOSE || atomic_load(&ring->submitted) == completed + 1;

        if (!described)
            described = session_describe(session, ring->description, sizeof(ring->description));
        /* From here on the slot may be another request's. */
        atomic_store(&ring->completed, ++completed);
        ring_finish(slot, completed);
        if (!waited && urgent)
            ring_wake_connection(ring, RING_SOCKET_FD);
    }
}

int main(void)
{
    static struct ring_hello hello;
    const struct rlimit no_core = {0};
    struct session *session;
    struct ring *ring;

    /* Whatever else the starting process had open is not ours to keep alive. */
    (void)close_range(RING_MEMORY_FD + 1, ~0u, 0);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)mlock(&hello, sizeof(hello));
    ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, RING_MEMORY_FD, 0);
    if (ring == MAP_FAILED || !receive_hello(&hello)) {
        fputs("rdrlab-smbworker: it is started by the emulated machine, not by hand\n", stderr);
        return 2;
    }
    close(RING_MEMORY_FD);
    if (!start_watching(&hello))
        return 1;
    session = session_new(&hello);
    explicit_bzero(&hello, sizeof(hello));
    if (session == NULL) {
        fputs("rdrlab-smbworker: libsmbclient refuses the dialect, or memory is short\n", stderr);
        return 1;
    }
    serve(ring, session);
    session_free(session);
    _exit(0);
}
