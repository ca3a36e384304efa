/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon_options.h - poolmon's command line: Microsoft's options, as -x and as /x, and our own. */
#ifndef RDRLAB_POOLMON_OPTIONS_H
#define RDRLAB_POOLMON_OPTIONS_H

#include "poolmon_print.h"

struct poolmon_options {
    const char *machine; /* NULL: RDRLAB_MACHINE */
    struct pool_view view;
    enum pool_form form;
    bool once, sites;
    bool interval_given;
    unsigned interval_ms;
    uint64_t count;   /* 0: not given */
    const char *file; /* of -n; NULL: none */
};

/* Returns 0, -1 after help has been printed, or an exit status having complained. */
int poolmon_options_read(struct poolmon_options *options, int argc, char **argv);

#endif
