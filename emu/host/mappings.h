/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mappings.h - letters that outlive the machine: the file `mappings` in its folder, a line for each,
 *
 *   X: <tab> \\server\share <tab> user
 *
 * in UTF-8. There is no password in it: who it was mapped as is remembered, and the next machine connects what its own
 * account may. What needs somebody else's password waits for him, and is "Unavailable" until then, as net use calls it.
 *
 * They are those of session 0: on Terminal Server a letter belongs to who is logged on, and there is no logon.
 */
#ifndef RDRLAB_HOST_MAPPINGS_H
#define RDRLAB_HOST_MAPPINGS_H

#include <stdbool.h>

#include <ntemu/nt.h>

struct host;
struct mappings;

/*
 * mappings_open - reads the file, if there is one, and connects what is in it, on a thread of its own.
 *   folder    descriptor of the machine's folder; stays the caller's, and open until mappings_close.
 *   Returns   NULL: no memory, or no thread. A line that makes no sense is told of and left out.
 */
struct mappings *mappings_open(struct host *host, int folder);
/* Ends the connecting, which may take its time. The file stays. Accepts NULL. */
void mappings_close(struct mappings *mappings);

/*
 * mappings_remember - from now on the letter is in the file. user "": the machine's own account.
 *   Returns   STATUS_SUCCESS; _NOT_SUPPORTED: there is no file, or the caller's session is another than 0;
 *             _INVALID_PARAMETER: a control character in a name; _DISK_FULL: it cannot be written;
 *             _INSUFFICIENT_RESOURCES.
 */
NTSTATUS mappings_remember(struct mappings *mappings, ULONG letter, const UNICODE_STRING *remote,
                           const UNICODE_STRING *user);
/* False: it was not remembered. Accepts NULL. */
bool mappings_forget(struct mappings *mappings, ULONG letter);

/* Whether the caller's session remembers the letter. Accepts NULL, and what is no letter. */
bool mappings_has(struct mappings *mappings, ULONG letter);

/*
 * mappings_find - the first remembered letter of the caller's session from `first` on and before `end`.
 *   connecting    out: it is being connected again.
 *   remote, user  caller's buffers, Length set. One that does not fit is passed over.
 *   Returns       `end` if there is none.
 */
ULONG mappings_find(struct mappings *mappings, ULONG first, ULONG end, bool *connecting, UNICODE_STRING *remote,
                    UNICODE_STRING *user);

#endif
