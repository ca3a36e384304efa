/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder.h - the machine's folder: private, and one live machine's at most.
 *
 * What lives in it: machine.lock (held while the machine lives), socket, tokens/, attach/ (wire.h), held/ (second names
 * of the files in tokens/, see token.c), images/ (clients' copies of what they map), samba/ (whatever libsmbclient
 * writes); and what outlives it: bugcheck.txt, and
 * mappings (mappings.h), with which the folder stays. Nothing else in it is ever touched.
 */
#ifndef RDRLAB_HOST_FOLDER_H
#define RDRLAB_HOST_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct folder {
    char path[PATH_MAX]; /* absolute */
    int fd;              /* the folder; -1 unless open */
    int lock;            /* machine.lock */
    int tokens, held, attach;
    bool created; /* it did not exist: goes away with the machine */
};

/*
 * folder_open - make or take over a folder, and clear away what a machine that was killed has left in it.
 *   error    out on failure: one sentence with the folder's name in it.
 *   Returns  true, or false with error set and nothing held: no such parent, not a folder, another user's, a mode
 *            other than 0700, a live machine in it, a path too long for clients (wire_welcome.token_folder).
 */
bool folder_open(struct folder *folder, const char *path, char *error, size_t error_size);

/* folder_write_bug_check - bugcheck.txt; folder_remove leaves it, and so the folder. The next machine removes it. */
bool folder_write_bug_check(const struct folder *folder, const char *text);

/* Removes what the machine put there, and the folder if folder_open made it and nothing outlives the machine. */
void folder_remove(struct folder *folder);

#endif
