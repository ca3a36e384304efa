/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ring.h - what a connection (smbc.c) and its worker process (smbworker.c) share. Internal to emu/smb/.
 *
 * Two channels. A memory file mapped by both carries requests and results; a SOCK_SEQPACKET pair carries the hello
 * once, then single bytes as doorbells for the connection's thread, and tells each side by its end that the other is
 * gone. (The worker sleeps on a futex, which is cheaper; a second thread of its own watches the socket.)
 *
 * The ring has one producer (the connection, under its lock) and one consumer (the worker's main thread). Slot
 * n % RING_SLOTS is filled, then `submitted` goes to n + 1; the worker carries it out in place, then `completed` goes
 * to n + 1; the connection takes the result out, and the slot is free again. Both counters only grow and wrap.
 *
 * A side that finds nothing to do announces it in its `sleeps` flag, looks once more, and sleeps; the other side
 * stores its counter, then takes the flag, and wakes it only if it was set. All four are sequentially consistent:
 * with anything weaker both could miss each other.
 *
 * A slot with `waited` has a thread of its own waiting for it (smb_perform), which looks at `finished`, at last sleeps
 * on it, and takes the result out itself: the worker wakes that thread if it sleeps and does not ring, unless the
 * request was cancelled meanwhile. Nor does it ring for a CLOSE with another request behind it: results are taken out
 * in order, so the next one's bell is its too, and a wake-up is saved where it costs most.
 *
 * The connection believes nothing that it reads here without checking it: the worker parses what servers send.
 */
#ifndef NTEMU_SMB_RING_H
#define NTEMU_SMB_RING_H

#include "smb_backend.h"

#define RING_VERSION 4u
#define RING_SLOTS   16u
#define RING_PAYLOAD 131072u

_Static_assert(RING_PAYLOAD >= SMB_MAX_IO && RING_PAYLOAD >= 2 * 65535, "a buffer or two paths fit a slot");
_Static_assert((RING_SLOTS & (RING_SLOTS - 1)) == 0, "the counters wrap");

/* The descriptors that a worker starts with. */
#define RING_SOCKET_FD 3
#define RING_MEMORY_FD 4

#define HELLO_STRING 256

/* The first message: whom to ask, as whom. Wiped by both sides as soon as it has been copied. */
struct ring_hello {
    uint32_t version;
    uint32_t timeout_ms;
    uint16_t port;
    char host[HELLO_STRING], share[HELLO_STRING], user[HELLO_STRING], domain[HELLO_STRING], password[HELLO_STRING];
    char dialect[16]; /* "": negotiate */
};

/* Who owns a slot's contents. The worker takes READY slots; a cancel turns READY or TAKEN over. */
enum ring_state {
    RING_READY,
    RING_TAKEN,     /* the worker is at it */
    RING_CANCELLED, /* before the worker took it: not to be done */
    RING_ABANDONED, /* while the worker was at it: to be undone */
    RING_DONE
};

struct ring_slot {
    _Atomic uint32_t state;

    /* the request */
    uint32_t op; /* enum smb_op */
    uint64_t file;
    uint32_t access, share_access, disposition, options, attributes;
    uint32_t length; /* bytes: of the path in payload, of the data in payload, or the room for a result there */
    uint64_t offset; /* or a file's new size */
    struct smb_basic basic;
    uint32_t target_length; /* bytes: of a rename's target, behind the path in payload */
    uint32_t restart, directory, replace;
    uint32_t filter, tree, room; /* room: bytes for changes */
    uint32_t waited;

    /* the result */
    _Atomic uint32_t finished; /* n + 1 once the request of number n has been completed here or has been given up */
    _Atomic uint32_t sleeps;   /* the waiting thread does, on finished */
    int32_t status;
    uint32_t origin; /* enum smb_origin */
    uint64_t result_file;
    uint32_t action;
    uint32_t done;
    struct smb_info info;
    struct smb_volume volume;

    _Alignas(64) unsigned char payload[RING_PAYLOAD];
};

struct ring {
    /* written by the connection */
    _Alignas(64) _Atomic uint32_t submitted;
    _Atomic uint32_t connection_sleeps;
    _Atomic uint32_t stop; /* 1: close everything and end */

    /* written by the worker */
    _Alignas(64) _Atomic uint32_t completed;
    _Atomic uint32_t worker_sleeps;
    _Alignas(64) char description[128]; /* written before the first completion */

    struct ring_slot slots[RING_SLOTS];
};

/* Whether it pays to look again before sleeping; see ring.c. All zero to begin with. */
struct ring_patience {
    uint32_t penalty; /* waits to let pass after the next spin in vain */
    uint32_t skip;    /* waits still to let pass */
};

/* Whether counter has moved away from seen. Spins for a short while if that has paid lately. */
BOOLEAN ring_spin(struct ring_patience *patience, _Atomic uint32_t *counter, uint32_t seen);

uint64_t ring_clock(void); /* nanoseconds, monotonic */

/* Wake the other side if it sleeps: the connection's thread by a bell, the worker by its flag. */
void ring_wake_connection(struct ring *ring, int socket);
void ring_wake_worker(struct ring *ring);

/* Say that request number - 1 is finished, in its slot, and wake who sleeps for that. */
void ring_finish(struct ring_slot *slot, uint32_t number);

/* Wait until that has been said of request number - 1 or a later one. */
void ring_wait_finished(struct ring_slot *slot, uint32_t number);

#endif
