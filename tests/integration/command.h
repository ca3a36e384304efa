/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.h - run a command to its end and keep what it said. */
#ifndef RDRLAB_TESTS_COMMAND_H
#define RDRLAB_TESTS_COMMAND_H

#include <stddef.h>
#include <sys/types.h>

#define COMMAND_TEXT_MAX 131072

struct command {
    int status; /* exit status, or 128 + the signal */
    double seconds;
    char out[COMMAND_TEXT_MAX], err[COMMAND_TEXT_MAX]; /* terminated, cut to size */
};

/*
 * run_command - run it without standard input, at most so long; fails the test if it does not end.
 *   argv         NULL-terminated; argv[0] with a path, or looked up in PATH.
 *   environment  "NAME=value" sets, "NAME" unsets; NULL-terminated; may be NULL.
 */
void run_command(struct command *command, const char *const argv[], const char *const environment[], int seconds);

/* The same in two steps. */
pid_t start_command(const char *const argv[], const char *const environment[], int out, int err);
void finish_command(struct command *command, pid_t pid, int out, int err, int seconds);

/* A new folder below TMPDIR, to be removed with tree_remove (files.h). */
void make_folder(char path[64]);

/* Exit status for main when a peer is missing: 77, or 1 where RDRLAB_REQUIRE_ALL demands that none is. */
int skip_or_fail(const char *reason);

#endif
