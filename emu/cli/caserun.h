/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * caserun.h - a case's reproduction on one build: the machine its data asks for, its steps, and what the general
 * machinery says of them. Nothing here knows a case.
 */
#ifndef RDRLAB_CASERUN_H
#define RDRLAB_CASERUN_H

#include "audit.h"
#include "casecalls.h"
#include "inspect.h"
#include "results.h"

struct json_object;

#define CASE_STEPS   64
#define CASE_SUMMARY 512
#define CASE_SITES   8
#define CASE_SAMPLES 25 /* of a step that is done many times */

/* What a step's id is asked for. -1: not known. */
struct case_step {
    const char *kind, *id, *about; /* borrowed; "" without one. about: letter, name, handle or seconds */
    bool done;                     /* and the machine lived on */
    uint64_t times;
    struct case_answer answer;
    struct {
        char tag[5];
        bool paged;
        int64_t blocks, bytes;
        char file[96];
        unsigned line;
    } kept[CASE_SITES]; /* call sites with more live blocks behind it than before */
    size_t kept_count;
    double seconds; /* of the machine's clock */
    int64_t connects, sessions, trees, files;
    struct {
        uint64_t calls, paged_bytes;
    } samples[CASE_SAMPLES + 1];
    size_t sample_count;
};

struct case_side {
    const char *build;
    bool defect; /* it is expected to have it */
    struct case_step steps[CASE_STEPS];
    size_t step_count;
    bool stopped; /* by a bug check: */
    uint32_t code;
    uint64_t parameters[4];
    char *report; /* from malloc */
    struct machine_audit audit;
    double took; /* seconds of real time, boot and shutdown included */
    char observed[CASE_SUMMARY], expected[CASE_SUMMARY];
    char problems[PROBLEMS_SIZE]; /* what is not as the case says, "" if all is */
};

/* What the steps work on. */
struct case_run {
    struct lab *lab;
    struct json_object *a_case;
    struct case_side *side;
    struct machine machine;
    struct wire_client *look;
    struct case_caller *caller;
};

/*
 * case_run - boot, do the steps, shut down, judge.
 *   side     in: build, defect. out: the rest; case_side_free in every case.
 *   Returns  0, also if it is not as the case says; otherwise an exit status having complained.
 */
int case_run(struct lab *lab, struct json_object *a_case, struct case_side *side);
void case_side_free(struct case_side *side);

/* One step of the case, measured. Returns 0, -ECONNRESET (the machine has gone), or an exit status having complained.
 */
int case_step_run(struct case_run *run, struct json_object *step, struct case_step *ret_step);

/* What must be observed on this side, from the case; what was; what differs. */
void case_judge(struct json_object *a_case, struct case_side *side);

/* What the lab's smbd has open. Returns false where smbstatus cannot say so (before Samba 4.17). */
bool case_ask_smbd(const struct lab *lab, struct case_step *step);

#endif
