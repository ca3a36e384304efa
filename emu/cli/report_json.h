/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_json.h - results for programs. The keys are a promise: new ones may come, none goes or changes its meaning. */
#ifndef RDRLAB_REPORT_JSON_H
#define RDRLAB_REPORT_JSON_H

#include "results.h"

/* Write the file, whole or not at all. "-" is standard output. Returns 0 or a negative errno. */
int report_json(const char *path, const struct results *results);

#endif
