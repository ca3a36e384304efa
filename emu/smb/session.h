/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session.h - NT's requests in libsmbclient's words. The worker's other half; linked to libsmbclient, hence the
 * licence.
 *
 * One session is one share of one server. It connects by itself when a request by path needs it, and notices a server
 * that went away while idle before it sends anything: libsmbclient would fail one request to find out.
 * libsmbclient is not thread safe: everything here is called from one thread.
 */
#ifndef NTEMU_SMB_SESSION_H
#define NTEMU_SMB_SESSION_H

#include "ring.h"

struct session;

/* NULL: out of memory, or libsmbclient refuses the settings (an unknown dialect). The hello is copied. */
struct session *session_new(const struct ring_hello *hello);

/* Carry a slot's request out, in place. Blocks for as long as libsmbclient does. */
void session_perform(struct session *session, struct ring_slot *slot);

/* Close what a create opened that was abandoned meanwhile. */
void session_undo(struct session *session, const struct ring_slot *slot);

/* What serves here; see smb_describe. FALSE: it has never been connected, so nothing is known yet. */
BOOLEAN session_describe(const struct session *session, char *text, size_t size);

/* Who watches: the worker. */
struct session_watcher {
    /* The slot in hand is answered with its `done` bytes of changes. Returns the next one to be; NULL: stop. */
    struct ring_slot *(*answer)(struct session_watcher *watcher, NTSTATUS status);
    /* Whether the slot in hand is still wanted. */
    BOOLEAN (*goes_on)(struct session_watcher *watcher);
};

/*
 * SMB_NOTIFY: watches what the slot says, answering slot after slot, until the watcher wants no more or the server
 * fails. Returns  the status for the slot that is in hand then.
 */
NTSTATUS session_watch(struct session *session, struct ring_slot *slot, struct session_watcher *watcher);

/* Close every file and the connection. */
void session_free(struct session *session);

#endif
