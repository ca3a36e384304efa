/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.h - what the connections of one relay have in common (wire.h, JOIN): one session, its processes, its open files
 * and drive letters, and connections without one. The link begins with its keeper's connection and ends with it: then
 * all the others are hung up on, and the last to go closes the files and disconnects all that, as a logoff does.
 */
#ifndef RDRLAB_HOST_LINK_H
#define RDRLAB_HOST_LINK_H

#include "process.h"

/*
 * link_join - make the peer part of a link, before anybody else knows of a process of its.
 *   ret_process  out on success: what its thread is to run as. The peer's owner is the link from now on.
 *   Returns      STATUS_SUCCESS, STATUS_CONNECTION_INVALID, STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS link_join(struct peer *peer, const struct wire_join *join, struct process **ret_process);

/* The peer is gone. May close files and wait for a server over it. */
void link_leave(struct peer *peer, struct process *process);

/* Processes of all links, each relay's own among them. */
unsigned link_count_processes(struct host *host);

/* A letter, or a share without one, was connected or disconnected by the peer. */
void link_note_letter(struct peer *peer, uint32_t letter, bool connected);
/* False: no memory to note it. */
bool link_note_share(struct peer *peer, const UNICODE_STRING *remote, bool connected);

#endif
