/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * together.h - commands on several systems that use one machine at once, and take each step together. They meet in a
 * folder that all of them see, by files; it must be empty when the first one comes.
 */
#ifndef RDRLAB_TOGETHER_H
#define RDRLAB_TOGETHER_H

#include <stddef.h>

#define TOGETHER_MAX 20 /* each needs a drive letter of its own */

struct together {
    const char *dir; /* NULL: alone; every meeting then is over at once */
    unsigned count;
    char name[72]; /* of this one: the host's name, and its process */
    unsigned meetings;
};

/*
 * together_begin - wait for the others.
 *   ret_index  out on success: which of them this is, from 0; no two are the same.
 *   Returns    0, or an exit status having complained: they did not come in time, or are too many.
 */
int together_begin(struct together *together, const char *dir, unsigned count, unsigned *ret_index);

/* Called for each of them, in the same order everywhere, with what it has said. */
typedef void together_listener(const char *name, const char *said, void *context);

/*
 * together_meet - say something, wait until all have, and hear it.
 *   said, listener  may be NULL.
 *   Returns  as together_begin.
 */
int together_meet(struct together *together, const char *said, together_listener *listener, void *context);

#endif
