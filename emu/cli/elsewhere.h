/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* elsewhere.h - letters and files of a machine's, for a command that is no Win32 program. */
#ifndef RDRLAB_ELSEWHERE_H
#define RDRLAB_ELSEWHERE_H

#include "inspect.h"

#include <stddef.h>

/*
 * elsewhere_connect, elsewhere_disconnect - a letter ('A' to 'Z') to a share, ASCII, as nobody in particular; and no
 * more, whatever is open there. Both return 0, or an exit status having complained.
 */
int elsewhere_connect(struct wire_client *client, char letter, const char *share);
int elsewhere_disconnect(struct wire_client *client, char letter);

/*
 * elsewhere_write - make a file on a share, through the machine: connect a letter, write, disconnect.
 *   share, name, text  ASCII; share as in \\server\share, name without a folder.
 *   Returns  0, or an exit status having complained.
 */
int elsewhere_write(struct wire_client *client, char letter, const char *share, const char *name, const char *text);

#endif
