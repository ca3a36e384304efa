/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service.h - from a message to an NT service and back.
 *
 * A handler gets the private copy of a request whose length is at least its operation's fixed part. It checks the
 * rest itself, and sets reply_length to what follows the header, which is nothing unless wire.h says so.
 */
#ifndef RDRLAB_HOST_SERVICE_H
#define RDRLAB_HOST_SERVICE_H

#include "parts.h"
#include "peer.h"
#include "token.h"

struct service_buffers {
    _Alignas(16) unsigned char request[WIRE_MESSAGE_MAX];
    _Alignas(16) unsigned char reply[WIRE_MESSAGE_MAX];
    /* NULL, or the message where the client sees it, 8-byte aligned: a file's bytes are written from and read to there,
     * as from and to a caller's memory in NT, which may change at any moment, too. Nothing else is taken from it. */
    unsigned char *shared;
    bool in_place;      /* out: the reply is in shared, and not in reply */
    struct parts parts; /* begins empty; who ends the buffers ends it */
};

struct call {
    struct peer *peer;
    EMU_REQUEST request; /* begun */
    const void *fixed;   /* the request's fixed part, 16-byte aligned */
    unsigned char *data; /* what follows it, 8-byte aligned; the handler may scribble on it */
    uint32_t data_length;
    struct parts *parts;
    unsigned char *reply; /* the reply's body, 16-byte aligned: WIRE_MESSAGE_MAX less the header */
    uint32_t reply_length;
};

/*
 * service_serve - one request of a greeted client, on a thread of its emulated process.
 *   buffers  request: the copy, `length` bytes of it, or with shared as many as service_private_bytes says. reply: out,
 *            a whole message.
 *   Returns  the reply's length, 0: the message makes no sense and its sender is to be hung up on.
 */
size_t service_serve(struct peer *peer, struct service_buffers *buffers, size_t length);

/* How much of a request with this header must be copied before it is served, if its message is shared. */
size_t service_private_bytes(const struct wire_header *header);

/* Makes the header of a reply with `body` bytes; returns the whole length. */
size_t service_reply_header(unsigned char *reply, uint16_t op, NTSTATUS status, size_t body);

/* 0xC0000000 and up: only then does wire.h's reply lack its fixed part. Warnings have one. */
static inline bool service_is_error(NTSTATUS status)
{
    return (ULONG)status >> 30 == 3;
}

/* Completes a reply that is wire_done and the bytes already at call->reply + sizeof(struct wire_done). */
NTSTATUS service_done(struct call *call, NTSTATUS status, ULONG_PTR information);

/* The request may take its time: the close of the token cancels it. */
void service_waits(struct call *call, struct token_use *use);

/* Whether bytes are a counted UTF-16 name that NT can hold. */
bool service_is_name(uint32_t bytes);

/* The scope (token.h) of an NT path, as the calling process sees its letters; 0 for one that names no server. */
uint64_t service_scope(const UNICODE_STRING *name);

/* service_file.c */
NTSTATUS service_create(struct call *call);
NTSTATUS service_close(struct call *call);
NTSTATUS service_query_attributes(struct call *call);
NTSTATUS service_flush(struct call *call);
/* service_transfer.c */
NTSTATUS service_read(struct call *call);
NTSTATUS service_write(struct call *call);
NTSTATUS service_put_part(struct call *call);
NTSTATUS service_get_part(struct call *call);
NTSTATUS service_read_pages(struct call *call);
NTSTATUS service_write_pages(struct call *call);
/* service_section.c */
NTSTATUS service_create_section(struct call *call);
NTSTATUS service_end_sections(struct call *call);
/* service_lock.c */
NTSTATUS service_lock(struct call *call);
NTSTATUS service_unlock(struct call *call);
/* service_handles.c */
NTSTATUS service_lost_handles(struct call *call);

/* service_cancel.c */
NTSTATUS service_cancel(struct call *call);
/* service_notify.c */
NTSTATUS service_notify(struct call *call);
/* service_information.c */
NTSTATUS service_query_file(struct call *call);
NTSTATUS service_set_file(struct call *call);
NTSTATUS service_query_volume(struct call *call);
NTSTATUS service_query_directory(struct call *call);
NTSTATUS service_set_volume(struct call *call);
/* service_control.c */
NTSTATUS service_control(struct call *call);
NTSTATUS service_query_ea(struct call *call);
NTSTATUS service_set_ea(struct call *call);
NTSTATUS service_query_security(struct call *call);
NTSTATUS service_set_security(struct call *call);
/* service_use.c */
NTSTATUS service_add_connection(struct call *call);
NTSTATUS service_cancel_connection(struct call *call);
NTSTATUS service_get_connection(struct call *call);
NTSTATUS service_watch_letters(struct call *call);
NTSTATUS service_list_connections(struct call *call);
/* service_report.c */
NTSTATUS service_query_system(struct call *call);
NTSTATUS service_machine(struct call *call);
NTSTATUS service_events(struct call *call);
/* traces.c */
NTSTATUS service_follow(struct call *call);
/* service_clock.c */
NTSTATUS service_clock(struct call *call);
/* service_verifier.c */
NTSTATUS service_verifier(struct call *call);
NTSTATUS service_crash(struct call *call);
/* service_pool.c */
NTSTATUS service_pool_sites(struct call *call);
NTSTATUS service_pool_stacks(struct call *call);

#endif
