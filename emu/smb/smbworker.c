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

/* FALSE: the request was cancelled before. */
static BOOLEAN take(struct ring_slot *slot)
{
    uint32_t expected = RING_READY;

    if (atomic_compare_exchange_strong(&slot->state, &expected, RING_TAKEN))
        return TRUE;
    slot->status = STATUS_CANCELLED;
    return FALSE;
}

/* FALSE: it has been cancelled meanwhile. */
static BOOLEAN keep(struct ring_slot *slot)
{
    uint32_t expected = RING_TAKEN;

    return atomic_compare_exchange_strong(&slot->state, &expected, RING_DONE);
}

/* FALSE: the request was cancelled, before or meanwhile. */
static BOOLEAN perform(struct session *session, struct ring_slot *slot)
{
    BOOLEAN kept;

    if (!take(slot))
        return FALSE;
    atomic_store_explicit(&busy_since, ring_clock(), memory_order_relaxed);
    session_perform(session, slot);
    kept = keep(slot);
    if (!kept)
        session_undo(session, slot);
    atomic_store_explicit(&busy_since, 0, memory_order_relaxed);
    return kept;
}

/* Where the worker is in the ring. */
struct place {
    struct ring *ring;
    struct session *session;
    struct ring_patience patience;
    uint32_t completed;
    BOOLEAN described;
};

static struct ring_slot *slot_in_hand(const struct place *place)
{
    return &place->ring->slots[place->completed % RING_SLOTS];
}

static BOOLEAN next_request(struct place *place)
{
    return wait_for_request(place->ring, &place->patience, place->completed);
}

static void finish(struct place *place, BOOLEAN kept)
{
    struct ring_slot *slot = slot_in_hand(place);
    BOOLEAN waited = kept && slot->waited;
    BOOLEAN urgent = slot->op != SMB_CLOSE || atomic_load(&place->ring->submitted) == place->completed + 1;

    if (!place->described)
        place->described = session_describe(place->session, place->ring->description, sizeof(place->ring->description));
    /* From here on the slot may be another request's. */
    atomic_store(&place->ring->completed, ++place->completed);
    ring_finish(slot, place->completed);
    if (!waited && urgent)
        ring_wake_connection(place->ring, RING_SOCKET_FD);
}

/* ---- watching: libsmbclient has the thread, and calls us ---- */

struct watcher {
    struct session_watcher base;
    struct place *place;
};

static void finish_with(struct place *place, NTSTATUS status)
{
    struct ring_slot *slot = slot_in_hand(place);

    slot->status = status;
    slot->origin = SMB_ORIGIN_ANSWER;
    finish(place, keep(slot));
}

static struct ring_slot *answer_watch(struct session_watcher *base, NTSTATUS status)
{
    struct place *place = ((struct watcher *)base)->place;

    finish_with(place, status);
    while (next_request(place)) {
        struct ring_slot *slot = slot_in_hand(place);

        slot->done = 0;
        if (!take(slot))
            finish(place, FALSE);
        else if (slot->op != SMB_NOTIFY)
            finish_with(place, STATUS_INVALID_DEVICE_REQUEST);
        else
            return slot;
    }
    return NULL;
}

static BOOLEAN watch_goes_on(struct session_watcher *base)
{
    const struct place *place = ((struct watcher *)base)->place;

    return !atomic_load(&place->ring->stop) && atomic_load(&slot_in_hand(place)->state) == RING_TAKEN;
}

static void watch_changes(struct place *place)
{
    struct watcher watcher = {{answer_watch, watch_goes_on}, place};
    NTSTATUS status;

    if (!take(slot_in_hand(place))) {
        finish(place, FALSE);
        return;
    }
    status = session_watch(place->session, slot_in_hand(place), &watcher.base);
    /* Told to stop while nothing was asked: there is no slot in hand. */
    if (atomic_load(&place->ring->submitted) != place->completed)
        finish_with(place, status);
}

static void serve(struct ring *ring, struct session *session)
{
    struct place place = {.ring = ring, .session = session};

    while (next_request(&place)) {
        if (slot_in_hand(&place)->op == SMB_NOTIFY)
            watch_changes(&place);
        else
            finish(&place, perform(session, slot_in_hand(&place)));
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
