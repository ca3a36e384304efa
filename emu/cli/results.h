/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* results.h - what a reproduction measured, and what follows from it. The reports are made from this alone. */
#ifndef RDRLAB_RESULTS_H
#define RDRLAB_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ERROR_KINDS   16
#define SITES_MAX     16
#define CLIENTS_MAX   20
#define SAMPLES_MAX   256
#define RUNS_MAX      128
#define PROBLEMS_SIZE 768
#define CALL_SIZE     96

struct results_site { /* a call site whose live blocks changed during a run */
    char tag[5];      /* unprintable characters as '.' */
    char file[96];
    unsigned line;
    int64_t blocks, bytes;
};

struct results_sample { /* as the program read it between its calls */
    uint64_t opens, pages;
};

enum verdict { VERDICT_UNCLEAR, VERDICT_CLEAN, VERDICT_LEAKS };

struct results_run {
    char build[32];
    const char *shape; /* the name given to CreateFile, UTF-8; borrowed */
    char letter;
    bool has_defect; /* by the builds' data: it is expected to leak */
    uint64_t opens;
    struct {
        uint32_t code;
        uint64_t count;
    } errors[ERROR_KINDS]; /* of GetLastError */
    size_t error_count;
    uint64_t paged_before, paged_after; /* bytes, the machine's exact count */
    uint64_t blocks_before, blocks_after;
    uint64_t pages_before, pages_after; /* as the program read them through Windows' API */
    struct results_site sites[SITES_MAX];
    size_t site_count;
    struct results_sample samples[SAMPLES_MAX];
    size_t sample_count;
    bool probe_ok;  /* the file on the share was read correctly, before and after */
    double seconds; /* for the failing calls; with several clients, the longest of theirs */
    struct {
        char name[72];
        uint64_t opens;
        double seconds;
    } clients[CLIENTS_MAX]; /* those that called at once; none: only this one did */
    size_t client_count;
    char *trace_text, *trace_json; /* of one call more; from malloc, NULL: none. The latter as WIRE_FOLLOW has it */
    enum verdict verdict;
    char problems[PROBLEMS_SIZE]; /* the expectations that did not hold, "; " between them; "" if all did */
};

struct results {
    char client[64], wine[64], samba[64], dialect[64]; /* dialect: as negotiated */
    char share[64];
    struct results_run *runs;
    size_t run_count;
    char problems[PROBLEMS_SIZE]; /* expectations that belong to no run */
};

/* "leaks", "clean", "unclear" */
const char *verdict_name(enum verdict verdict);

/* Append a sentence to a list of problems. */
void results_problem(char *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The call as reports show it, CreateFile("X:"); a long name is cut. Returns text. */
const char *results_call(const struct results_run *run, char text[CALL_SIZE]);

/* How often a run got this error. */
uint64_t results_errors(const struct results_run *run, uint32_t code);
void results_count_error(struct results_run *run, uint32_t code, uint64_t count);

/*
 * results_judge - set verdict from the figures, and add to problems what differs from what the build should do.
 *   leaks: one site kept a block per open, the machine's bytes grew by that, and the program saw more pages.
 *   clean: blocks and bytes are what they were, and the program saw no more pages than before.
 *   Anything else is unclear: the two ways of looking contradict each other, or the count is not one per open.
 */
void results_judge(struct results_run *run);

/* Did every expectation hold? */
bool results_pass(const struct results *results);

#endif
