/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * password.h - one password on its way from a person or a file to the machine.
 *
 * It comes by a file, a descriptor or a terminal, never by an argument or the environment, which others can read. From
 * password_read on this process leaves no core file and lets nobody look into it.
 */
#ifndef RDRLAB_PASSWORD_H
#define RDRLAB_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_MAX 1024 /* bytes of UTF-8 */

struct password {
    bool given; /* otherwise none, which is not the empty one */
    size_t length;
    char text[PASSWORD_MAX + 2]; /* terminated */
};

/* Where from; at most one of them. */
struct password_source {
    const char *file; /* its content, less one line end */
    int fd;           /* -1, or the same from a descriptor, up to a line end or its end */
    bool ask;         /* from the terminal, which shows nothing of it */
};

/*
 * password_read - the password, if there is a source for it.
 *   prompt        what the terminal says.
 *   ret_password  out; ends with password_wipe, also after failure.
 *   Returns       0, or an exit status having complained: no terminal, no such file, no text, too long, interrupted.
 */
int password_read(const struct password_source *source, const char *prompt, struct password *ret_password);

/* Whether there is a terminal to ask at, and somebody to type who is not a script: standard input is one. */
bool password_can_ask(void);

void password_wipe(struct password *password);

#endif
