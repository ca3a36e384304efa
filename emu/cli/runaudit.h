/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* runaudit.h - what programs have left on a machine that "rdrlab run" booted. */
#ifndef RDRLAB_RUNAUDIT_H
#define RDRLAB_RUNAUDIT_H

struct machine;

/*
 * run_audit - shut a machine down, and complain of everything that is left of its programs: processes and open files
 * that are still there some seconds after the last one's end, and whatever the machine finds when it goes.
 *   Returns  0, or an exit status having complained. The machine is shut down in both cases; accepts one that is
 * zeroed.
 */
int run_audit(struct machine *machine);

#endif
