/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uses.h - a live machine's connections: list, make, delete, and what is said of it. For "rdrlab use". */
#ifndef RDRLAB_USES_H
#define RDRLAB_USES_H

#include <stdio.h>

#include <ntemu/nt.h>

#include "password.h"
#include "wire/client.h"

struct uses_row {
    char letter; /* 'X'; 0: connected without one */
    uint32_t status, open_files;
    bool remembered;
    char *remote, *user; /* UTF-8, malloc'ed; user "": anonymous */
};

struct uses {
    struct uses_row *rows;
    size_t count;
};

/* All of the client's session. Free with uses_free. Returns 0, or an exit status having complained. */
int uses_list(struct wire_client *client, struct uses *ret_uses);
void uses_free(struct uses *uses);

/* "OK", "Disconnected" ..., as NT's "net use" has it. */
const char *uses_status(uint32_t status);

/* A table for people; an object for programs. letter 0: all rows. */
void uses_print(const struct uses *uses, char letter, FILE *file);
void uses_print_json(const struct uses *uses, char letter, FILE *file);

/*
 * uses_add - maps a letter; 0: connects without one.
 *   remote      \\server\share, UTF-8.  user  NULL: the machine's own account.
 *   remember    beyond the machine's end.
 *   ret_status  out: what the machine says, STATUS_SUCCESS or not.
 *   Returns     0, or an exit status having complained: the machine does not answer, or an argument is no UTF-8.
 */
int uses_add(struct wire_client *client, char letter, const char *remote, const char *user,
             const struct password *password, bool remember, NTSTATUS *ret_status);
/* A remembered letter is forgotten, too. letter 0: what is connected to `remote` without one. */
int uses_delete(struct wire_client *client, char letter, const char *remote, bool force, NTSTATUS *ret_status);

/* Says why that did not succeed: number, name, and what to do. letter 0: none. remote, user  NULL: not told. Returns
 * EXIT_NOT_AS_EXPECTED. */
int uses_refused(char letter, const char *remote, const char *user, NTSTATUS status);

#endif
