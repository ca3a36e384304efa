/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.h - a service on a redirected handle that may take its time.
 *
 * What answers soon completes within the service, also on an overlapped handle, which is legal on NT and cheapest. What
 * does not is handed over to a helper thread of this process, which takes the reply: on an overlapped handle the
 * service then returns STATUS_PENDING, and status block, event, APC and completion port are the helper's to fill; on a
 * synchronous one the calling thread waits for the helper, so that a thread that is terminated meanwhile has its
 * request cancelled. Each request that is so handed over occupies one of the slots (channel.h); so that there are some
 * left for everything else, no more than PENDING_MOST are, and those beyond wait within their service.
 */
#ifndef RDRLAB_REQUEST_H
#define RDRLAB_REQUEST_H

#include "client.h"

#define PENDING_MOST 40

struct request;

/* What kinds of request differ in. */
struct request_kind {
    /* Begins request->call, by request_call, with what is to be asked next, and sends it.
     * STATUS_SUCCESS; otherwise nothing has been sent. */
    NTSTATUS (*send)(struct request *request);
    /* Takes a reply.
     *   ret_more  out: true if `send` is to be called again, and the status is no result yet. False when called. */
    NTSTATUS (*take)(struct request *request, NTSTATUS status, bool *ret_more);
    /* Gives back what a synchronous request has got whose thread has ended; NULL: nothing is to be given back. */
    void (*undo)(const struct request *request);
};

struct request {
    /* set by who performs it */
    const struct request_kind *kind;
    HANDLE file;
    uint64_t token;
    HANDLE event;    /* NULL: the file's */
    apc_routine apc; /* NULL: none */
    PVOID context;   /* the APC's, or the completion port's */
    PIO_STATUS_BLOCK io;
    bool may_last;     /* it waits for other programs, and not only for the server */
    bool never_blocks; /* also on a handle for synchronous I/O */
    bool prompt;  /* the next reply waits for nobody else, and is waited for in the service. The kind's to change */
    void *memory; /* NULL, or from VirtualAlloc: freed when the request has ended */
    uint64_t information;
    union {
        struct { /* rw.c */
            unsigned char *buffer;
            const FILE_SEGMENT_ELEMENT *segments; /* in memory; NULL: it is one buffer */
            int64_t offset;
            uint32_t length, key;
            uint32_t whole; /* of the transfer that is under way, which is all unless that is too large */
            uint32_t moved; /* of its bytes, in messages */
            enum wire_op op;
            bool writing;
            bool mapped; /* written to a file that this process has mapped */
        } transfer;
        struct wire_range range; /* lock.c */
        struct {                 /* notify.c */
            void *buffer;
            uint32_t length, filter;
            bool tree;
        } notify;
    } of;

    /* request.c's */
    uint32_t number;    /* for WIRE_CANCEL */
    uint32_t cancelled; /* atomic: its number, if it has been */
    bool begun, sent;
    struct call call;
};

/* request_call - for `send`: begins the call, or goes on in the slot that it has. Returns call_begin's status. */
NTSTATUS request_call(struct request *request, enum wire_op op);

/*
 * request_perform - does it, and what NT's I/O manager does when it completes.
 *   request  the caller's; copied if it is handed over.
 *   Returns  STATUS_PENDING, or the result: the status block, event, APC and port have been told of it unless it is an
 *            error. STATUS_INVALID_PARAMETER: an APC on a file with a port; NtResetEvent's for a bad event.
 */
NTSTATUS request_perform(struct request *request);

/*
 * The same for a service that has its answer before it returns, by whatever way it asks.
 *   request_begin  before it asks; STATUS_SUCCESS, or what request_perform says of APC and event.
 *   request_tell   afterwards: the program, of information and the result, which it returns, or
 *                  STATUS_ACCESS_VIOLATION for a bad status block. at_once: true. thread: for the APC, the caller's.
 */
NTSTATUS request_begin(struct request *request);
NTSTATUS request_tell(const struct request *request, NTSTATUS status, bool at_once, HANDLE thread);

/*
 * request_cancel - NtCancelIoFile, NtCancelIoFileEx, NtCancelSynchronousIoFile: what has been handed over and fits.
 *   token    0: of any file.
 *   thread   0: of any thread.
 *   io       NULL: any.
 *   wait     returns when they have completed.
 *   Returns  how many there were.
 */
unsigned request_cancel(uint64_t token, uint32_t thread, PIO_STATUS_BLOCK io, bool wait);

/* The same for what the thread waits for within its service, whatever that is. False: there is nothing, or it has been
 * answered or handed over before the machine knew of it. */
bool request_cancel_call(uint32_t thread);

/*
 * What waits for other programs ends with the token.
 *   request_waits      whether anything that has been handed over does.
 *   request_await_end  returns when that has completed. Only for a token that is closed.
 */
bool request_waits(uint64_t token);
void request_await_end(uint64_t token);

/* ---- between request.c and pending.c ---- */

/* Goes on until it has a result, or for about so long: STATUS_PENDING. */
NTSTATUS request_run(struct request *request, uint32_t milliseconds);
#define REQUEST_FOREVER UINT32_MAX

/*
 * pending_hand_over - gives a request that has been sent to a helper.
 *   ret_status  out: STATUS_PENDING, or of a synchronous one the result; request->information is filled in then.
 *   Returns     false: there are PENDING_MOST, or no thread for it. Nothing has changed then.
 */
bool pending_hand_over(struct request *request, bool synchronous, NTSTATUS *ret_status);

/*
 * pending_settle - before a status block is used again: returns once its program has been told all of the result that
 * stands in it. A helper fills it first, and then sets event and file; in NT nothing of the thread that asked runs
 * between the two, and here it may have seen the status already, and ask anew.
 */
void pending_settle(const IO_STATUS_BLOCK *io);

#endif
