/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - rdrlab: which command, and how it complains. */
#include "process.h"
#include "rdrlab.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"repro", command_repro, "reproduce Q235425, or any case of the catalogue, on a machine per build"},
    {"cases", command_cases, "the catalogue of documented defects, or one of them whole"},
    {"run", command_run, "run a Win32 program on a machine, with a drive letter on a share"},
    {"use", command_use, "drive letters of a live machine: list them, map one to a share, unmap it"},
    {"trace", command_trace, "open a name, and see which layer decides what and why, and what it keeps of the pool"},
    {"poolmon", command_poolmon, "pool use of a live machine, by tag and call site"},
    {"events", command_events, "event log of a live machine"},
    {"verifier", command_verifier, "Driver Verifier of a live machine: what it does and has done, and to set it"},
    {"clock", command_clock, "clock of a live machine, and to advance a virtual one"},
    {"registry", command_registry, "documented registry parameters, or what a file of settings says"},
    {"crash", command_crash, "stop a live machine with a bug check"},
    {"stop", command_stop, "end what --keep left running"},
    {"wineprefix", command_wineprefix, "make the Wine prefix that labs start from, and print its path"},
};

int complain(int status, const char *format, ...)
{
    va_list arguments;

    if (process_interrupted())
        return EXIT_INTERRUPTED;
    fflush(stdout);
    fputs("rdrlab: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

static void print_help(FILE *file)
{
    fputs("usage: rdrlab COMMAND [OPTION]...\n\n", file);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(file, "  %-12s%s\n", commands[i].name, commands[i].help);
    fputs("\n\"rdrlab COMMAND --help\" says more.\n\n"
          "exit status: 0 done, and as expected; 1 an expectation failed; 2 wrong usage; 3 the environment is at\n"
          "fault; 130 interrupted. \"run\" gives the program's own.\n",
          file);
}

int main(int argc, char **argv)
{
    process_watch_interrupts();
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("rdrlab " RDRLAB_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return complain(EXIT_USAGE, "no command \"%s\"; \"rdrlab --help\" lists them", argv[1]);
}
