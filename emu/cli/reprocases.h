/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reprocases.h - "rdrlab repro Qnnnnnn" and "rdrlab repro --all": cases of the catalogue on live machines. */
#ifndef RDRLAB_REPROCASES_H
#define RDRLAB_REPROCASES_H

#include <stdbool.h>

/* Whether a command line of repro is this one's; the other is Q235425's own. */
bool repro_cases_wanted(int argc, char **argv);

/* Returns an exit status. */
int repro_cases(int argc, char **argv);

#endif
