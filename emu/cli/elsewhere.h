/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* elsewhere.h - what a command has to ask for that has neither booted the machine nor started the server. */
#ifndef RDRLAB_ELSEWHERE_H
#define RDRLAB_ELSEWHERE_H

#include "inspect.h"

#include <stddef.h>

/*
 * elsewhere_write - make a file on a share, through the machine: connect a letter, write, disconnect.
 *   share, name, text  ASCII; share as in \\server\share, name without a folder.
 *   Returns  0, or an exit status having complained.
 */
int elsewhere_write(struct wire_client *client, char letter, const char *share, const char *name, const char *text);

#endif
