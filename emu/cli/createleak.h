/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createleak.h - what createleak.exe prints (tests/wine/createleak.c describes it), understood for one name. */
#ifndef RDRLAB_CREATELEAK_H
#define RDRLAB_CREATELEAK_H

#include "results.h"

struct createleak {
    bool version_known, connected, file_equal, disconnected, before, after;
    bool pages_known; /* in both of before and after */
    char source[32];  /* where the pages come from: "performance_info" */
    unsigned reopen;  /* error of the valid open after the calls */
    bool reopened;    /* that open was tried */
    int done;         /* exit status it announced; -1: none yet */
    uint64_t opens, time_us;
    uint64_t page_size;
};

/*
 * createleak_line - take one line of its output into a run (errors, pages, samples, opens) and into output (the rest).
 * Unknown lines are passed over.
 */
void createleak_line(struct createleak *output, struct results_run *run, const char *line);

/* What an exit status of createleak.exe means, for a person. */
const char *createleak_status(int status);

#endif
