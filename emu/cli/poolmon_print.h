/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * poolmon_print.h - one look at a machine, printed: for a person, and exact for programs. Column names and keys are a
 * promise: new ones may come, none goes or changes its meaning.
 */
#ifndef RDRLAB_POOLMON_PRINT_H
#define RDRLAB_POOLMON_PRINT_H

#include <stdio.h>

#include "poolmon_model.h"

enum pool_form { POOL_TEXT, POOL_CSV, POOL_JSON, POOL_COUNTERS };

struct pool_printer {
    enum pool_form form;
    bool sites;   /* by call site instead of by tag; JSON: besides; with stacks where they are kept */
    bool changes; /* text: also what changed since the look before */
    const struct pool_view *view;
    struct wire_client *client; /* stacks are asked for */
};

/* Print the model's look. Returns 0, or an exit status having complained. */
int pool_print(const struct pool_printer *printer, const struct pool_model *model, FILE *file);

#endif
