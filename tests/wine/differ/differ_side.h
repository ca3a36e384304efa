/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* differ_side.h - a folder that calls are played in. */
#ifndef TESTS_DIFFER_SIDE_H
#define TESTS_DIFFER_SIDE_H

#include "differ.h"

#include <windows.h>

#define SIDE_TEXT_MAX 32768

struct side {
    WCHAR root[64]; /* of both sides as long; without a backslash at its end */
    HANDLE slots[DIFFER_SLOTS];
    struct opened {
        struct place place;
        DWORD access, flags;
        bool doomed, renamed; /* goes with its last handle; has got another name */
    } opened[DIFFER_SLOTS];
    bool locked;              /* something, at some time */
    bool incomparable;        /* the two folders may differ from now on, and it is not X:'s doing */
    unsigned char *buffer;    /* for one transfer */
    char text[SIDE_TEXT_MAX]; /* names that the last call gave, a line each */
};

#define SIDE_TRANSFER_MAX 262144

/* Make the folder. False: it cannot be, and GetLastError says why. */
bool side_open(struct side *side, const WCHAR *parent, unsigned number);
void side_close(struct side *side);

struct result side_play(struct side *side, const struct call *call);
unsigned side_state(struct side *side, const struct call *call); /* enum state's bits */
/* Where the two folders' handles are at different positions, put the second one's where the first one's is. */
void side_follow(struct side *side, const struct side *first, unsigned slot);
bool side_has(const struct side *side, unsigned slot);
void side_drop(struct side *side, unsigned slot);

/* differ_tree.c: */

/* Names, sizes and attributes that a pattern finds: values TEXT and ATTRIBUTES. */
void side_find(struct side *side, const WCHAR *pattern, struct result *result);
/* The same for everything below the folder, and value DATA. */
void side_tree(struct side *side, struct result *result);
/* Remove everything below the folder. */
void side_clean(struct side *side, struct result *result);

/* FNV-1a; begin with 0. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);
/* How many of what was found have which attribute: a byte each, in the order of pack_attributes. */
uint64_t pack_attributes(DWORD attributes);

#endif
