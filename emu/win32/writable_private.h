/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* writable_private.h - what the files of writable.h share: writable.c has the copies, writable_views.c the sections and
 * views of them, writable_io.c the reads and writes that are no view's. */
#ifndef RDRLAB_WRITABLE_PRIVATE_H
#define RDRLAB_WRITABLE_PRIVATE_H

#include "copy.h"
#include "writable.h"

#define MOST_HANDLES 64
#define MOST_ALIASES 16

struct view {
    struct view *next;
    char *base;
    SIZE_T size;
    int64_t offset;
};

struct writable {
    struct writable *next;
    WCHAR path[COPY_PATH_MAX]; /* the shared copy's, which is the file's in disguise */
    bool read_only;            /* its copy is its own; the next four are not there */
    HANDLE seen;               /* what this process knows to be in the file */
    HANDLE file;               /* keeps the token */
    HANDLE claim;              /* keeps the machine's section: the last, which is the longest */
    uint64_t token;
    HANDLE copy; /* what is mapped */
    HANDLE sections[MOST_HANDLES];
    unsigned section_count;
    struct view *views;
};

struct writables {
    SRWLOCK lock; /* all of it */
    DWORD owner;  /* the thread that has the lock, 0: none */
    LONG count;   /* of the list; read without the lock */
    struct writable *list;
    struct alias { /* whose file a token is that is written to */
        uint64_t token;
        WCHAR path[COPY_PATH_MAX];
    } aliases[MOST_ALIASES];
    unsigned next_alias;
};
extern struct writables writables;

/* Takes the lock, and gives it back. */
void writable_enter(void);
void writable_leave(void);

/* Whether there is anything to look after, and it is not we who are at it: the way to the machine closes handles, too.
 */
bool writable_is_watching(void);

/* ---- with the lock ---- */

/* Two processes that map a file find each other by it. Returns STATUS_SUCCESS, STATUS_NO_MEMORY, the machine's. */
NTSTATUS writable_name_copy(uint64_t token, WCHAR path[COPY_PATH_MAX]);

/* Against other processes, and between this one's threads. Freed if its owner dies. */
NTSTATUS writable_lock_copy(HANDLE copy);
void writable_unlock_copy(HANDLE copy);

/* What this process has changed in the range goes to the file. Returns STATUS_SUCCESS, STATUS_NO_MEMORY, the machine's,
 * Wine's. _or_say: where there is nobody to be told. */
NTSTATUS writable_write_back(const struct writable *writable, int64_t from, int64_t to);
void writable_write_back_or_say(const struct writable *writable, int64_t from, int64_t to);

/* Nobody may be able to change it any more: then all of it goes back, and it is freed. */
void writable_drop_if_unused(struct writable *writable);

#endif
