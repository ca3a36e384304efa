/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow.h - traces of a live machine. */
#ifndef RDRLAB_FOLLOW_H
#define RDRLAB_FOLLOW_H

#include <stdint.h>
#include <stdio.h>

#include "inspect.h"

/*
 * follow - print every create of the machine's clients as it happens, until interrupted. flags: WIRE_FOLLOW_*.
 * Returns 0, or an exit status having complained.
 */
int follow(const char *machine, uint32_t flags);

/*
 * follow_create - open a name on the machine as this client, close it again, and write the trace.
 *   request     all but name_length and no_token_file.
 *   name        UTF-16, length bytes of it.
 *   text, json  where to; NULL: not that.
 * Returns 0, or an exit status having complained.
 */
int follow_create(struct wire_client *client, const struct wire_create *request, const void *name, uint32_t length,
                  FILE *text, FILE *json);

#endif
