/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rdrlab.h - what every part of the program agrees on: how it says that something is wrong, and what it exits with. */
#ifndef RDRLAB_H
#define RDRLAB_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses. Functions that complain return one of them: 0 is success. */
enum {
    EXIT_AS_EXPECTED = 0,
    EXIT_NOT_AS_EXPECTED = 1, /* an expectation failed */
    EXIT_USAGE = 2,
    EXIT_ENVIRONMENT = 3,   /* a program, a folder, a port ... is not as it must be */
    EXIT_INTERRUPTED = 130, /* SIGINT, SIGTERM, SIGHUP */
};

/* Print "rdrlab: ..." on standard error, one line; returns status. After an interrupt it prints nothing more. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The commands: argv[0] is the command's name. Each returns an exit status. */
int command_repro(int argc, char **argv);
int command_cases(int argc, char **argv);
int command_run(int argc, char **argv);
int command_use(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_poolmon(int argc, char **argv);
int command_events(int argc, char **argv);
int command_verifier(int argc, char **argv);
int command_clock(int argc, char **argv);
int command_registry(int argc, char **argv);
int command_crash(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_wineprefix(int argc, char **argv);

#endif
