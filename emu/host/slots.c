/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runners. A request is copied once, header first, since the length in the copy is what the rest is judged by; the
 * client may change the shared memory at any moment and gains nothing by it. The bytes of reads and writes are not
 * copied: nothing is judged by them.
 */
#include "slots.h"

#include "process.h"
#include "service.h"
#include "wire/native.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define POLL_FIRST_NS 20000
#define POLL_LAST_NS  2000000

struct runner {
    struct peer *peer;
    struct wire_slot *slot;
    pthread_t thread;
    bool polling;
    long rest; /* nanoseconds, when polling */
    struct wire_patience patience;
    struct service_buffers buffers;
};

/* ---- waiting ---- */

static void rest(struct runner *runner)
{
    struct timespec time = {.tv_nsec = runner->rest};

    nanosleep(&time, NULL);
    runner->rest = runner->rest * 5 / 4 < POLL_LAST_NS ? runner->rest * 5 / 4 : POLL_LAST_NS;
}

/* Sleeps until the state changes. Whoever stops the peer wakes again and again, so a lost race costs a moment. */
static void sleep_for_change(struct wire_slot *slot, uint32_t state)
{
    wire_store(&slot->machine_waits, 1);
    if (wire_load(&slot->state) == state)
        wire_sleep(&slot->state, state, -1);
    wire_store(&slot->machine_waits, 0);
}

/* False: the client is gone, or says so. */
static bool await_request(struct runner *runner)
{
    uint32_t state;

    runner->rest = POLL_FIRST_NS;
    for (;;) {
        state = wire_load(&runner->slot->state);
        if (state == WIRE_DEAD || atomic_load(&runner->peer->stopping))
            return false;
        if (state == WIRE_REQUEST || wire_spin_for(&runner->patience, &runner->slot->state, WIRE_REQUEST))
            return true;
        if (runner->polling)
            rest(runner);
        else
            sleep_for_change(runner->slot, state);
    }
}

/* ---- serving ---- */

/* Returns the request's length, 0 for one that cannot be. */
static size_t copy_request(struct runner *runner)
{
    struct wire_header header;

    memcpy(&header, runner->slot->message, sizeof(header));
    if (header.length < sizeof(header) || header.length > WIRE_MESSAGE_MAX)
        return 0;
    memcpy(runner->buffers.request, &header, sizeof(header));
    memcpy(runner->buffers.request + sizeof(header), runner->slot->message + sizeof(header),
           service_private_bytes(&header) - sizeof(header));
    return header.length;
}

static bool serve_one(struct runner *runner)
{
    struct wire_slot *slot = runner->slot;
    size_t length = copy_request(runner);

    length = length ? service_serve(runner->peer, &runner->buffers, length) : 0;
    if (length == 0 || atomic_load(&runner->peer->stopping))
        return false;
    if (!runner->buffers.in_place)
        memcpy(slot->message, runner->buffers.reply, length);
    wire_store(&slot->state, WIRE_REPLY);
    if (wire_load(&slot->client_waits))
        wire_wake(&slot->state);
    return true;
}

static void *runner_thread(void *argument)
{
    struct runner *runner = argument;

    if (runner->polling)
        prctl(PR_SET_TIMERSLACK, 1);
    process_enter(runner->peer->process);
    while (await_request(runner) && serve_one(runner))
        ;
    process_enter(NULL);
    wire_store(&runner->slot->state, WIRE_DEAD);
    wire_wake(&runner->slot->state);
    /* A slot dies with its client only: one that broke the rules is hung up on as a whole. */
    peer_stop(runner->peer);
    return NULL;
}

bool slots_attach(struct peer *peer, uint32_t slot, bool polling)
{
    struct runner *runner;

    if (slot >= WIRE_SLOT_COUNT || !peer->region.map || !peer->process)
        return false;
    if (peer->runners[slot])
        return true;
    runner = calloc(1, sizeof(*runner));
    if (!runner)
        return false;
    runner->peer = peer;
    runner->slot = &peer->region.map->slots[slot];
    runner->buffers.shared = runner->slot->message;
    runner->polling = polling;
    runner->patience = wire_patience_new();
    if (pthread_create(&runner->thread, NULL, runner_thread, runner) != 0) {
        free(runner);
        return false;
    }
    pthread_mutex_lock(&peer->host->lock);
    peer->runners[slot] = runner;
    pthread_mutex_unlock(&peer->host->lock);
    return true;
}

void slots_wake(struct peer *peer)
{
    for (unsigned i = 0; i < WIRE_SLOT_COUNT; i++) {
        if (!peer->runners[i])
            continue;
        wire_store(&peer->region.map->slots[i].state, WIRE_DEAD);
        wire_wake(&peer->region.map->slots[i].state);
    }
}

void slots_join(struct peer *peer)
{
    struct runner *runner;

    for (unsigned i = 0; i < WIRE_SLOT_COUNT; i++) {
        runner = peer->runners[i];
        if (!runner)
            continue;
        pthread_join(runner->thread, NULL);
        pthread_mutex_lock(&peer->host->lock);
        peer->runners[i] = NULL;
        pthread_mutex_unlock(&peer->host->lock);
        parts_end(&runner->buffers.parts);
        free(runner);
    }
}

void slots_mark_dead(struct wire_region *region)
{
    for (unsigned i = 0; i < WIRE_SLOT_COUNT; i++) {
        wire_store(&region->slots[i].state, WIRE_DEAD);
        wire_wake(&region->slots[i].state);
    }
    wire_store(&region->state, WIRE_REGION_DEAD);
}
