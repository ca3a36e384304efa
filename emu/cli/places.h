/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.h - where this program finds the others: beside itself in the build folder, or as installed.
 *
 * In a build folder, RDRLAB_BUILD_ROOT and RDRLAB_WIN64_DIR were compiled in; installed, programs lie beside this
 * one and the Windows half in ../lib/rdrlab. RDRLAB_DAEMON and RDRLAB_WIN64 in the environment override.
 */
#ifndef RDRLAB_PLACES_H
#define RDRLAB_PLACES_H

#include <limits.h>
#include <stddef.h>

struct places {
    char daemon[PATH_MAX];       /* rdrlabd */
    char provider[PATH_MAX];     /* rdrlabnp.dll, x86_64 */
    char launcher[PATH_MAX];     /* rdrlabrun.exe, x86_64 */
    char createleak[PATH_MAX];   /* createleak.exe, x86_64 */
    char casesteps[PATH_MAX];    /* casesteps.exe, x86_64 */
    char wineprefixes[PATH_MAX]; /* folder for the prefix that labs start from; may not exist yet */
    char results[PATH_MAX];      /* folder for charts */
};

/* Fill in every place. Returns 0, or an exit status having complained. */
int places_find(struct places *ret_places);

/*
 * Check for the programs for Wine, and for rdrlabd: whoever uses a machine that is elsewhere has no need of it. Each
 * returns 0, or an exit status having complained of the first thing that is missing.
 */
int places_want_windows(const struct places *places);
int places_want_daemon(const struct places *places);

#endif
