/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.h - rdrlabd's command line, read and checked before anything is started. */
#ifndef RDRLAB_HOST_OPTIONS_H
#define RDRLAB_HOST_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include <ntemu/machine.h>

#define OPTION_REPEATS_MAX   64
#define OPTIONS_PASSWORD_MAX 1024 /* bytes */

enum backend_kind { BACKEND_SMBC, BACKEND_MEM, BACKEND_LOCKED };

struct options {
    bool help;
    bool verbose;
    bool die_with_parent;
    const char *build;
    const char *defects[OPTION_REPEATS_MAX + 1]; /* NULL-terminated */
    unsigned defect_count;
    const char *folder;
    EMU_SERVER_ADDRESS servers[OPTION_REPEATS_MAX]; /* names are the structure's own copies */
    char *server_text[OPTION_REPEATS_MAX];
    unsigned server_count;
    const char *dialect;
    ULONG timeout_ms;
    SIZE_T paged_limit;
    EMU_VERIFIER_OPTIONS verifier;
    const char *registry; /* a file; NULL: none */
    EMU_CLOCK clock;
    bool stacks;
    bool netware;
    enum backend_kind backend;
    const char *worker;
    char *user;         /* UTF-8 */
    char *password;     /* UTF-8, from --password-file; OPTIONS_PASSWORD_MAX + 2 bytes of secret.h's memory */
    int ready_fd;       /* -1: none */
    int report_fd;      /* -1: none */
    const char *listen; /* NULL: no relays */
    const char *secret_file;
    ULONG peer_timeout_ms;
};

/*
 * options_read - fill options from the command line.
 *   error    out on failure: one line naming the option that is wrong.
 *   Returns  true; false with error set. Either way options_free is due.
 */
bool options_read(struct options *options, int argc, char **argv, char *error, size_t error_size);

/* Wipes the password. Accepts a zeroed structure. */
void options_free(struct options *options);

void options_print_help(FILE *file);

#endif
