/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - this process as a client of its machine: one connection, and calls through slots of shared memory.
 *
 * Nothing here takes the loader lock after client_configure, so it may be called from anywhere, also by a thread
 * that holds that lock.
 */
#ifndef RDRLAB_CLIENT_H
#define RDRLAB_CLIENT_H

#include "channel.h"
#include "services.h"

/*
 * client_configure - reads RDRLAB_MACHINE (the machine's folder, a Linux path), RDRLAB_TRANSPORT ("raw", "mapped" or
 * unset) and RDRLAB_SESSION (Terminal Server session, 0 if unset). Once, from DllMain.
 *   Returns  false: this process belongs to no machine.
 */
bool client_configure(void);

/* client_environment - these variables with their values here, as an environment block. Valid once configured. */
const WCHAR *client_environment(void);

/*
 * client_connect - connects to the machine, once; later calls give the first one's result.
 *   retry    true: after a failure, tries again.
 *   Returns  STATUS_SUCCESS, STATUS_REVISION_MISMATCH (reported), STATUS_BAD_NETWORK_PATH (nobody answers there),
 *            STATUS_INSUFFICIENT_RESOURCES, STATUS_UNEXPECTED_NETWORK_ERROR.
 */
NTSTATUS client_connect(bool retry);

/* client_connected - whether there is a connection, without making one. True also for a machine that has died. */
bool client_connected(void);

/*
 * client_redirects - whether the machine redirects this drive letter now, in either case. Connects if need be;
 * false if that fails. False for what is no letter.
 */
bool client_redirects(WCHAR letter);

/* client_letters - the letters that it redirects now, bit 0 for A:. Connects if need be; none if that fails. */
uint32_t client_letters(void);

/* client_lost_handles - counts how often some process may have closed handles of this one. 0 while not connected. */
uint32_t client_lost_handles(void);

/* client_token_folder - the folder of token files as an NT name, \??\unix\..., without a last backslash. Valid while
 * connected. */
const UNICODE_STRING *client_token_folder(void);

/* client_image_folder - the same for images/, beside it. */
const UNICODE_STRING *client_image_folder(void);

/* client_transport - "raw" or "mapped"; "none" while not connected. */
const char *client_transport(void);

/* A call of the machine. The request is built, and the reply read, in the slot itself. */
struct call {
    struct wire_slot *slot;
    unsigned char *body;  /* after the header: the fixed part, then bytes */
    uint32_t reply_bytes; /* of body, after call_reply */
    uint32_t number;      /* for WIRE_CANCEL; 0: call_send gives it one, if it may be cancelled */
    uint16_t op;
    void (*meanwhile)(void); /* NULL, or called once if the reply lets itself be waited for */
};

/*
 * call_begin - takes a slot. Pair with call_end, after success only.
 *   Returns  STATUS_SUCCESS, client_connect's, STATUS_UNEXPECTED_NETWORK_ERROR for a machine that has died.
 */
NTSTATUS call_begin(struct call *call, enum wire_op op);

/*
 * call_exchange - sends what was put into body and waits for the reply.
 *   bytes        of body, at most WIRE_MESSAGE_MAX less the header.
 *   reply_fixed  a successful reply has at least so many bytes of body, or is refused.
 *   Returns      the machine's status, or STATUS_UNEXPECTED_NETWORK_ERROR.
 */
NTSTATUS call_exchange(struct call *call, size_t bytes, size_t reply_fixed);

/*
 * The same in steps, for what may take its time.
 *   call_send   sends it.
 *   call_wait   waits until call_reply will say what came of it, or for about so long (0: no longer than the machine
 * alone takes; CALL_FOREVER). Returns whether it will. call_reply  as call_exchange, once. call_give   the call is
 * another thread's from now on: it waits, and ends it.
 */
#define CALL_FOREVER UINT32_MAX
void call_send(struct call *call, size_t bytes);
bool call_wait(struct call *call, uint32_t milliseconds);
NTSTATUS call_reply(struct call *call, size_t reply_fixed);
void call_give(struct call *call, uint32_t thread);

void call_end(struct call *call);

/* call_new_number - for WIRE_CANCEL. */
uint32_t call_new_number(void);

/* call_awaited - the number of the call whose reply the thread waits for by itself; 0: none. */
uint32_t call_awaited(uint32_t thread);

/* For the transports: writes the HELLO message, returns its length. */
uint32_t client_hello(void *message, bool wants_region);

/* For the transports: checks a reply to HELLO, reports a machine of another version.
 *   Returns  STATUS_SUCCESS, STATUS_REVISION_MISMATCH, STATUS_UNEXPECTED_NETWORK_ERROR, the machine's own. */
NTSTATUS client_check_welcome(const void *message, size_t length, struct wire_welcome *ret_welcome);

#endif
