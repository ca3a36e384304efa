/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * casecalls.h - who does the calls of a case's steps: casesteps.exe under Wine, or this program as the same NT
 * services. Both take casesteps.exe's lines (tests/wine/casesteps.c).
 */
#ifndef RDRLAB_CASECALLS_H
#define RDRLAB_CASECALLS_H

#include "lab.h"

struct case_caller;

struct case_answer {
    uint32_t error; /* GetLastError of the first time */
    uint32_t other; /* ... and of the last that had another */
    uint64_t others;
};

/* Start it, in a session of the machine. Returns 0, or an exit status having complained. */
int case_caller_open(const struct lab *lab, struct machine *machine, uint32_t session, struct case_caller **ret_caller);

/* End it; what it has open is closed. Accepts NULL. */
void case_caller_close(struct case_caller *caller);

/*
 * case_call - do one line.
 *   Returns  0, -ECONNRESET if the machine or the program has gone, or an exit status having complained.
 */
int case_call(struct case_caller *caller, const char *line, struct case_answer *ret_answer);

#endif
