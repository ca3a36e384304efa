/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * winelab.h - a Wine prefix of a test's own, and Win32 programs in it.
 *
 * The prefix is a copy of one that is made once per build folder (emu/cli/wineprefix.c). Everything ends with
 * winelab_close: the prefix's wineserver ends its processes, and the folder is removed.
 *
 * Environment: RDRLAB_WIN64_DIR, RDRLAB_WIN32_DIR (build folders of the Windows half), RDRLAB_WINEPREFIXES (folder for
 * the prefix that all tests start from).
 */
#ifndef RDRLAB_TESTS_WINELAB_H
#define RDRLAB_TESTS_WINELAB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "wineprefix.h"

#define OUTPUT_MAX 65536

struct winelab {
    char folder[64];        /* mkdtemp */
    char windows[PATH_MAX]; /* build folder of the x86_64 Windows half */
    struct wineprefix prefix;
    int log; /* what Wine's services say */
};

struct program {
    const char *argv[16];  /* argv[0]: a Linux path, or a name that Wine finds; NULL-terminated */
    const char *machine;   /* RDRLAB_MACHINE; NULL: unset */
    const char *transport; /* RDRLAB_TRANSPORT; NULL: unset */
    const char *password_file;
    const char *input;                          /* standard input; NULL: none */
    pid_t pid;                                  /* while it runs */
    int status;                                 /* exit status, or 128 + the signal */
    char output[OUTPUT_MAX], error[OUTPUT_MAX]; /* terminated, without carriage returns */
};

/* winelab_try - 0 if there is all that a lab takes; otherwise what main returns, having said what is missing. */
int winelab_try(void);

/* Opens a prefix, or complains and returns false; winelab_close in both cases. */
bool winelab_open(struct winelab *lab);
void winelab_close(struct winelab *lab);

/* Full path of a program of the Windows half: "tests/wine/probe.exe". One of 8 buffers, used in turn. */
const char *winelab_program(const struct winelab *lab, const char *name);

/* winelab_run - runs it to its end, at most so long. Returns false, having complained, if it cannot be started or does
 * not end; it is killed then. */
bool winelab_run(struct winelab *lab, struct program *program, int seconds);

/* winelab_start - starts it and waits until it has printed a line. winelab_finish then waits for its end. */
bool winelab_start(struct winelab *lab, struct program *program, int seconds);
bool winelab_finish(struct winelab *lab, struct program *program, int seconds);

/* winelab_talk - starts it with pipes for its streams: *to to write its input to, *from to read its output from, both
 * the caller's to close. It ends when *to is closed, and winelab_finish waits for that. */
bool winelab_talk(struct winelab *lab, struct program *program, int *to, int *from);

/* Removes a folder and what is in it. */
void remove_folder(const char *path);

#endif
