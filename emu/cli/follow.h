/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow.h - traces of a live machine. */
#ifndef RDRLAB_FOLLOW_H
#define RDRLAB_FOLLOW_H

#include <stdint.h>

#include "wire/wire.h"

/*
 * follow - print every create of the machine's clients as it happens, until interrupted. flags: WIRE_FOLLOW_*.
 * Returns 0, or an exit status having complained.
 */
int follow(const char *machine, uint32_t flags);

/*
 * follow_one - open a name on the machine as a client of its own, close it again, and print the trace.
 *   request  all but name_length and no_token_file.
 *   name     UTF-16, length bytes of it.
 * Returns 0, or an exit status having complained.
 */
int follow_one(const char *machine, const struct wire_create *request, const void *name, uint32_t length,
               uint32_t flags);

#endif
