/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* skip.h - a test whose peer is not there. */
#ifndef RDRLAB_TESTS_SKIP_H
#define RDRLAB_TESTS_SKIP_H

#include <stdio.h>
#include <stdlib.h>

/* Exit status for main: 77, which Meson calls skipped; 1 where the environment demands that nothing is. */
static inline int skip_or_fail(const char *reason)
{
    const char *all = getenv("RDRLAB_REQUIRE_ALL");

    fprintf(stderr, "%s: %s\n", all && *all ? "not to be skipped" : "skipped", reason);
    return all && *all ? 1 : 77;
}

#endif
