/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arguments.h - values of options, checked. Each function returns 0, or EXIT_USAGE having complained. */
#ifndef RDRLAB_ARGUMENTS_H
#define RDRLAB_ARGUMENTS_H

#include <getopt.h>
#include <stdint.h>

/* A decimal number from minimum to maximum; option is the name to complain of, "--opens". */
int argument_number(const char *option, const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number);

/* A build that machines can boot as; the complaint lists them all. */
int argument_build(const char *text);

/* NT1, SMB2_02 ... SMB3_11. */
int argument_dialect(const char *text);

/* "X", "x:" ... as 'X'; not one of Wine's own drives. */
int argument_letter(const char *option, const char *text, char *ret_letter);

/* A file of registry settings (docs/registry.md), for --registry. */
int argument_registry(const char *path);

/*
 * The name of a file to write, NULL or "-": that its folder is there, so that a mistake shows before the work and not
 * after it. Also EXIT_ENVIRONMENT.
 */
int argument_output(const char *option, const char *path);

/* What getopt_long found wrong with argv[optind - 1]: called for '?' and ':'. command is "repro" ... */
int argument_refuse(const char *command, int found, char **argv);

#endif
