/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repro.h - "rdrlab repro": its options, and the steps that its two ways share. */
#ifndef RDRLAB_REPRO_H
#define RDRLAB_REPRO_H

#include "createleak.h"
#include "inspect.h"
#include "lab.h"
#include "results.h"
#include "together.h"

#define NAMES_MAX 16

struct repro_options {
    struct lab_options lab;
    const char *builds[RUNS_MAX / NAMES_MAX];
    size_t build_count;
    const char *names[NAMES_MAX]; /* what CreateFile is called with */
    size_t name_count;
    uint64_t opens;
    uint64_t paged_limit_mb; /* 0: NT 4.0's own */
    const char *json, *chart, *verifier, *registry;
    bool keep, exhaust;
    const char *together; /* --together and --of: where and how many */
    uint64_t together_count;
    struct together meeting; /* what came of them */
};

struct probe {
    char name[32]; /* of the file; on a share of one's own always the same */
    char text[65]; /* its only line */
};

/*
 * Put a file with a random line on the share; letter: through which, where only a machine has access to it. Returns 0,
 * or an exit status having complained.
 */
int repro_write_probe(const struct lab *lab, char letter, struct probe *probe);

/* A machine, and a connection that looks into it. */
struct subject {
    struct machine machine;
    struct wire_client *client;
    uint64_t kept_blocks, kept_bytes; /* paged, by the runs so far: the audit must find just these */
    struct together together;         /* the other commands on it */
};

/*
 * repro_boot - a machine of the build, with Q235425 if that has it, and with none of its other defects.
 *   Returns 0, or an exit status having complained. repro_shut_down in every case.
 */
int repro_boot(struct lab *lab, const struct machine_options *options, struct subject *subject);

/*
 * repro_shut_down - shut the machine down; problems (NULL: do not look) gets what its audit finds and the runs have
 * not kept. Returns 0, or an exit status having complained.
 */
int repro_shut_down(struct subject *subject, char *problems);

/*
 * repro_warm_up - connect, read the file, one call with a valid name that does not exist, disconnect. The first
 * connection of a machine's life leaves things behind that later ones use again, as on NT: after this, the figures of a
 * run show its calls alone. What went wrong is added to results' problems.
 *   Returns 0, or an exit status having complained.
 */
int repro_warm_up(const struct lab *lab, struct subject *subject, const struct probe *probe, char letter,
                  struct results *results);

struct call_plan {
    const struct probe *probe;
    uint64_t opens;
    unsigned until; /* stop once GetLastError is this; 0: never */
};

/*
 * repro_calls - run createleak.exe on the machine. run->shape and run->letter say what is called; the program's
 * figures, the machine's and problems of the run itself are filled in. The machine is looked at while no program runs
 * on it and the letter is not connected. With others on it, all of them call at once, and the figures are those of all.
 *   Returns 0, or an exit status having complained.
 */
int repro_calls(const struct lab *lab, struct subject *subject, const struct call_plan *plan, struct results_run *run,
                struct createleak *output);

/*
 * repro_trace - one call more, by this command instead of createleak.exe: run's trace_text and trace_json. Only for a
 * run whose calls all failed: what is kept counts as left behind. Returns 0, or an exit status having complained.
 */
int repro_trace(const struct lab *lab, struct subject *subject, struct results_run *run);

/* What the lab is, into the head of results. */
void repro_describe(const struct lab *lab, struct results *results);

/* Chart, JSON, and the exit status that follows from the results. */
int repro_report(const struct lab *lab, const struct repro_options *options, const struct results *results, FILE *text);

/*
 * The other way: --exhaust. Fills in results and subjects (as options->builds has them), prints its own report.
 * Returns an exit status.
 */
int repro_exhaust(struct lab *lab, const struct repro_options *options, const struct probe *probe,
                  struct results *results, struct subject *subjects, FILE *text);

/* One line of what goes on: over the last one on a terminal, else of its own. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_end(void);

#endif
