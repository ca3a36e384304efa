/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * token.h - open files of clients, by token: who has them, and when they are closed.
 *
 * A token stands for one kernel handle of the machine's System process. It has a file in tokens/ that clients open:
 * their handles on that file are the client's handles on the emulated one, with inheritance, duplication and the
 * client's death settled by Linux. When nobody has the file open any longer, NtClose of the token's handle follows.
 *
 * How that moment is told, exactly: inotify reports each close of a file in tokens/. It merges equal reports and says
 * nothing of how many opens remain, so it only prompts the question, which a write lease answers: Linux grants one on a
 * file that nobody else has open. To ask without causing reports of its own, the table opens the file by its second
 * name, in held/.
 *
 * Tokens of one client on one server are closed one after the other, in the client's order.
 *
 * A token without a file belongs to its client alone and ends with WIRE_CLOSE or with it.
 *
 * Scope: a number for the server that a file is on; 0 for unknown, which counts as every server. Closing waits for a
 * server, and must not keep clients of other servers waiting.
 */
#ifndef RDRLAB_HOST_TOKEN_H
#define RDRLAB_HOST_TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>

#include <ntemu/nt.h>

struct token_table;

/*
 * token_table_create - watches the two folders and starts the thread that closes what no request closes first.
 *   error    out on failure: one sentence.
 *   Returns  the table; NULL: the folders' file system lacks leases or inotify, or the system its means.
 */
struct token_table *token_table_create(int tokens_folder, int held_folder, char *error, size_t error_size);

/* Closes every token left and frees the table. No thread may use it any longer. */
void token_table_destroy(struct token_table *table);

/* How many tokens are open, spares not counted. */
unsigned token_count(struct token_table *table);

/*
 * token_add - a token for a handle, with or without a file for it.
 *   owner      in: the client it is given to; only compared.
 *   ret_token  out on success: never zero, never the same again while the machine lives.
 *   Returns    STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES, STATUS_TOO_MANY_OPENED_FILES, STATUS_DISK_FULL: the
 *              handle is still the caller's.
 */
NTSTATUS token_add(struct token_table *table, HANDLE handle, const void *owner, uint64_t scope, bool with_file,
                   uint64_t *ret_token);

/*
 * token_offer - a spare: a token with a file and no handle yet, for the owner's later use. Statuses as token_add.
 * token_bind  - puts a handle behind it. STATUS_INVALID_HANDLE: no such spare of this owner's; the handle is still the
 *               caller's.
 */
NTSTATUS token_offer(struct token_table *table, const void *owner, uint64_t *ret_token);
NTSTATUS token_bind(struct token_table *table, uint64_t token, HANDLE handle, const void *owner, uint64_t scope);

/* A token in use: its handle stays open until token_release. The caller's, at one place meanwhile. */
struct token_use {
    HANDLE handle;
    uint64_t scope;
    struct token *token; /* NULL: none */
    /* token_use_waits */
    bool (*end)(void *context);
    void *context;
    struct token_use *next_waiting;
};

/* STATUS_SUCCESS, or STATUS_INVALID_HANDLE: no such token, or another client's without a file. */
NTSTATUS token_use(struct token_table *table, uint64_t token, const void *user, struct token_use *use);
void token_release(struct token_table *table, struct token_use *use);

/*
 * token_use_waits - the use may last: when the token is closed meanwhile, `end` is called, at once if it has been
 * closed already. Accepts a use of no token. end  on any thread, with the table's lock held: it must not wait. Returns
 * whether the use is over with that, so that the handle is closed at once; otherwise that waits for token_release, as
 * ever.
 */
void token_use_waits(struct token_table *table, struct token_use *use, bool (*end)(void *context), void *context);

/*
 * token_close - WIRE_CLOSE: NtClose of the token's handle, before it returns unless a service still uses the handle.
 *   Returns  STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such token, or given to another client),
 *            STATUS_HANDLE_NOT_CLOSABLE (its file is open: that close will do it).
 */
NTSTATUS token_close(struct token_table *table, uint64_t token, const void *user);

/* The client has died: closes, soon, its tokens without files and those whose file nobody has opened. */
void token_owner_gone(struct token_table *table, const void *owner);

/*
 * token_drain - closes by every last close until now, in one scope, also what is still in use by those who wait
 * (token_use_waits). After CloseHandle has returned in a client, a request that is preceded by this sees the file
 * closed.
 *   scope_of  in: called only when something is to be closed.
 *   give_up   in: stops waiting for another thread's close when it turns true; may be NULL.
 */
typedef uint64_t token_scope_routine(const void *context);
void token_drain(struct token_table *table, token_scope_routine *scope_of, const void *context,
                 const atomic_bool *give_up);

/* The same for all scopes, waiting half a second at most: before reports. */
void token_drain_all(struct token_table *table);

#endif
