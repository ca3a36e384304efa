/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * letter.h - a program with claims about a mapped letter. It maps the letter, runs one claim, and takes the letter away
 * again, which nothing may have open by then.
 *
 * A claim may have a child: the same program, which runs the claim's other half by the letter as it is.
 */
#ifndef RDRLAB_TESTS_LETTER_H
#define RDRLAB_TESTS_LETTER_H

#include <stddef.h>

#define UNICODE
#include "claim.h"

#define PATIENCE 50000 /* ms, for what must come; the claim as a whole is given two minutes (claims.c) */

/* From the command line. */
extern WCHAR letter[]; /* L"X:" */
extern const WCHAR *remote;
extern const WCHAR *argument; /* a child's, NULL otherwise */

/* X:\name. One of 8 buffers, used in turn. */
const WCHAR *on_share(const WCHAR *name);

struct letter_claim {
    const WCHAR *name;
    void (*run)(void);
    void (*child)(void); /* NULL: has none */
};

/*
 * letter_main - wmain's work, for the command line CLAIM LETTER: \\server\share [ARGUMENT].
 *   Returns  0: the claim holds; 1: it does not, and standard error says what; 2: there is no such claim.
 */
int letter_main(int argc, WCHAR **argv, const struct letter_claim *claims, size_t count);

/*
 * start_child - starts the child of the claim that runs; it inherits handles.
 *   environment  a block of Unicode characters, NULL: this process's.
 *   Returns      its process, or NULL: that it could not be started is counted.
 */
HANDLE start_child(const WCHAR *its_argument, void *environment);

/* Waits for its end and closes the handle. Returns its exit status, MAXDWORD if it does not end. */
DWORD end_child(HANDLE process);

#endif
