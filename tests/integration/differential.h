/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * differential.h - what the files of test_create_differential share.
 *
 * A sequence of steps is played twice, each time on a share that begins the same: on the machine, with NT's services on
 * X:, and on smbd, with a client that hides nothing. Every step has two outcomes then, and where they differ there must
 * be an explanation.
 */
#ifndef TESTS_DIFFERENTIAL_H
#define TESTS_DIFFERENTIAL_H

#include <stdbool.h>

#include <ntemu/nt.h>

#define MAX_STEPS 64

/* ---- steps ---- */

enum step_kind { STEP_CREATE, STEP_CLOSE, STEP_DISPOSITION, STEP_RENAME, STEP_KINDS };

/* What is special about a name; 0: nothing. */
enum name_kind {
    NAME_ROOT = 1,
    NAME_ILLEGAL = 2,   /* a character that no name has, an empty component, or one too long */
    NAME_DOTS = 4,      /* a component "." or ".." */
    NAME_STREAM = 8,    /* a colon */
    NAME_TRAILING = 16, /* a backslash at the end */
    NAME_STRIPPED = 32, /* a dot or a space at the end, which NT takes off and smbd does not */
    NAME_DEVICE = 64,   /* CON and its like */
    NAME_BELOW_FILE = 128,
    NAME_UNPAIRED = 256, /* half a surrogate pair */
    NAME_EMPTY = 512,    /* an empty component; also NAME_ILLEGAL */
    NAME_SPECIAL = 1024  /* any of them */
};

struct step {
    enum step_kind kind;
    unsigned number; /* in the sequence as it was made: what names a create's handle */
    unsigned handle; /* of which create, for the other kinds */
    unsigned name;   /* of the create, or where the rename leads; an index for step_name */
    ACCESS_MASK access;
    ULONG share, disposition, options, attributes;
    BOOLEAN flag; /* delete, or replace */
};

/* Fill steps with what seed gives, the last ones looking at what is left; returns how many. */
unsigned make_steps(ULONGLONG seed, struct step steps[MAX_STEPS]);
UNICODE_STRING step_name(const struct step *step);
unsigned step_name_kind(const struct step *step); /* enum name_kind's bits */
void print_step(const struct step *step);         /* one line for a person, without its end */

/* ---- players ---- */

struct outcome {
    bool played; /* false: there is no such handle, and nothing was done */
    NTSTATUS status;
    ULONG_PTR information; /* of a create that succeeded: what it did */
};

/*
 * Bring up what is played on.
 *   peer     "mem", "NT1" or "SMB3_11": what is behind the machine. smbd is there in any case, for the other side
 *   worker   the worker program; NULL: the build's
 *   Returns  0, or what to exit with, after saying why.
 */
int players_start(const char *peer, const char *worker);
void players_stop(void);

/* Make both shares new, boot a machine of this build, and connect. Fails the test if that does not go. */
void players_begin(const char *build);
/* The same for a machine that nobody is compared with: its share is in memory, and there need be no smbd. */
void players_begin_alone(const char *build);
struct outcome play_on_machine(const struct step *step);
/* On the machine with handles of one's own, NULL at first: for threads. */
struct outcome play_with(HANDLE handles[MAX_STEPS], const struct step *step);
struct outcome play_on_server(const struct step *step);
/* Let the handle of a create go on both sides, where it is still there. */
void players_forget(unsigned number);
/*
 * Close everything, shut the machine down. Returns the pool blocks that were left, and prints them if they are not
 * `expected`. Fails the test if anything but pool was left.
 */
unsigned players_end(unsigned expected);

/* Whether a step that ended so leaves a pool block behind, on a build with Q235425. */
bool leaves_a_block(const struct step *step, const struct outcome *machine);

/* ---- explanations ---- */

enum peer { PEER_MEM = 1, PEER_LIBSMBCLIENT = 2 };

/* Why the outcomes of this step may differ; NULL: there is no reason. Counts what it explains. */
const char *explain(enum peer peer, const struct step *step, const struct outcome *machine,
                    const struct outcome *server);
/* Whether this step, if it succeeds, changes whether or where a file is deleted that is to be: it makes one read only,
 * or renames it. */
bool disturbs_deleting(const struct step *step);
/* How often which reason served, one line each, after this prefix. */
void print_explanations(const char *prefix);
/* How many explanations that this peer should need served not once; prints them. For a long run. */
unsigned count_dead_explanations(enum peer peer);
/* The reasons, one after the other, some more than once; NULL: no more. */
const char *explanation(size_t index);

#endif
