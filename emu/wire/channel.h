/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h - the same messages through shared memory: a region per client process, a slot per call.
 *
 * Why: an exchange over a socket costs two system calls and a wake-up on each side; a slot costs a store and, only
 * when the other side has gone to sleep, one wake-up. A failing create is a microsecond of work in the machine.
 *
 * A slot is attached once in a process's life, by the first thread that takes it (WIRE_ATTACH_SLOT; a mapped region
 * is watched instead). From then on the machine serves it, by a thread of its own, until the process is gone. A
 * client thread claims a slot for the length of one call (owner 0 -> its thread id) and gives it back (owner 0); a
 * thread keeps to one slot while nobody else holds that. The machine does not look at owner. For each call
 *     client                                    machine
 *     owner = its thread id
 *     message[] = request; state = REQUEST
 *     wake the machine if machine_waits         copies the request, validates the copy, calls the NT service
 *                                               message[] = reply; state = REPLY; wake the client if client_waits
 *     reads the reply; state = IDLE; owner = 0
 * Both sides wait on the word `state` itself. Nothing here is trusted by the machine: a client that writes
 * nonsense gets an error status or is hung up on.
 */
#ifndef RDRLAB_CHANNEL_H
#define RDRLAB_CHANNEL_H

#include "wire.h"

enum wire_slot_state { WIRE_IDLE = 0, WIRE_REQUEST = 1, WIRE_REPLY = 2, WIRE_DEAD = 3 };

struct wire_slot {
    uint32_t state;         /* enum wire_slot_state; atomic; the word that both sides wait on */
    uint32_t owner;         /* client thread id, 0 free; atomic, claimed by compare and exchange, per call */
    uint32_t machine_waits; /* atomic: 1 while the machine sleeps on state */
    uint32_t client_waits;  /* atomic: 1 while the client sleeps on state */
    uint32_t pad[12];       /* the message starts on a cache line of its own */
    unsigned char message[WIRE_MESSAGE_MAX];
    unsigned char tail[4096 - (64 + WIRE_MESSAGE_MAX) % 4096]; /* slots start on pages */
};
WIRE_ASSERT(sizeof(struct wire_slot) % 4096 == 0);

/*
 * A region from attach/: the client takes OPEN to CLAIMED by compare and exchange, so that two clients cannot both have
 * it, writes its hello, and stores HELLO; the machine answers with WELCOME or DEAD. The client keeps the file open or
 * mapped: when nobody does any longer, the client is gone.
 */
enum wire_region_state {
    WIRE_REGION_OPEN = 0,
    WIRE_REGION_HELLO = 1,
    WIRE_REGION_WELCOME = 2,
    WIRE_REGION_DEAD = 3,
    WIRE_REGION_CLAIMED = 4
};

struct wire_region {
    uint32_t magic;
    uint16_t version;
    uint16_t pad;
    uint32_t slot_count;
    uint32_t letters;   /* atomic, written by the machine: bit n set while letter 'A' + n is redirected */
    uint32_t state;     /* atomic, enum wire_region_state: regions from attach/ say HELLO and WELCOME below */
    uint32_t heartbeat; /* atomic: regions from attach/: the machine counts it up at least every 100 ms */
    /* atomic, counted up by the machine: somebody has closed handles of another process (WIRE_LOST_HANDLES) */
    uint32_t lost_handles;
    uint32_t pad2[9];
    unsigned char handshake[1024]; /* regions from attach/: a HELLO message, overwritten by the reply */
    unsigned char tail[4096 - 64 - 1024];
    struct wire_slot slots[WIRE_SLOT_COUNT];
};
WIRE_ASSERT(sizeof(struct wire_region) == 4096 + WIRE_SLOT_COUNT * sizeof(struct wire_slot));

static inline uint32_t wire_load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void wire_store(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline int wire_claim(uint32_t *word, uint32_t expected, uint32_t value)
{
    return __atomic_compare_exchange_n(word, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/*
 * Waiting is adaptive: a side spins as long as spinning has lately paid, at most `limit` times, before it sleeps. One
 * of these per slot and side; {limit, limit} to begin with.
 *
 * After failures a side hardly spins at all: where both have come to lie on one processor, every moment of it is lost.
 * But then it would never learn that things have changed, so after some failures in that state it tries in full once.
 */
struct wire_patience {
    uint32_t rounds; /* to spin; from WIRE_SPIN_LOW down to WIRE_SPIN_RETRY it counts failures instead */
    uint32_t limit;
};

#define WIRE_SPIN_LOW   96u
#define WIRE_SPIN_RETRY 32u
#define WIRE_SPIN_LEAST 4u

static inline uint32_t wire_spin_rounds(const struct wire_patience *patience)
{
    uint32_t rounds = patience->rounds > WIRE_SPIN_LOW ? patience->rounds : WIRE_SPIN_LEAST;

    return rounds < patience->limit ? rounds : patience->limit;
}

static inline void wire_spin_paid(struct wire_patience *patience)
{
    patience->rounds = patience->rounds * 2 < patience->limit ? patience->rounds * 2 : patience->limit;
}

static inline void wire_spin_failed(struct wire_patience *patience)
{
    if (patience->rounds > WIRE_SPIN_LOW)
        patience->rounds = patience->rounds / 2 > WIRE_SPIN_LOW ? patience->rounds / 2 : WIRE_SPIN_LOW;
    else if (patience->rounds > WIRE_SPIN_RETRY)
        patience->rounds--;
    else
        patience->rounds = patience->limit;
}

/* Spins until *word differs from `unwanted`. Returns 1 if it did, 0 if the caller should sleep now. */
static inline int wire_spin(struct wire_patience *patience, const uint32_t *word, uint32_t unwanted)
{
    for (uint32_t i = wire_spin_rounds(patience); i > 0; i--) {
        if (wire_load(word) != unwanted) {
            wire_spin_paid(patience);
            return 1;
        }
        __builtin_ia32_pause();
    }
    wire_spin_failed(patience);
    return 0;
}

/* Spins until *word is `wanted`: for the machine, that sees the client take a reply before the next request. */
static inline int wire_spin_for(struct wire_patience *patience, const uint32_t *word, uint32_t wanted)
{
    for (uint32_t i = wire_spin_rounds(patience); i > 0; i--) {
        if (wire_load(word) == wanted) {
            wire_spin_paid(patience);
            return 1;
        }
        __builtin_ia32_pause();
    }
    wire_spin_failed(patience);
    return 0;
}

#endif
