/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* casereport.h - what came of running cases: for people, for programs, and as a page. */
#ifndef RDRLAB_CASEREPORT_H
#define RDRLAB_CASEREPORT_H

#include "caserun.h"

#define CASE_SIDES 24

struct case_result {
    struct json_object *a_case;
    struct case_side sides[CASE_SIDES];
    size_t side_count;
};

struct case_results {
    struct case_result *cases;
    size_t count;
    char client[96], server[96]; /* "casesteps.exe under wine-8.0", "smbd 4.17.12" */
};

bool case_results_pass(const struct case_results *results);

/* A table with a row for each side; whole: also the blue screens. */
void case_report_text(FILE *file, const struct case_results *results, bool whole);

/* Each returns 0, or an exit status having complained. */
int case_report_json(const char *path, const struct case_results *results);
int case_report_html(const char *path, const struct case_results *results);

/* An SVG of the pool over the calls, or of how long the steps took, where the case has something of it; else nothing.
 */
void case_picture(FILE *file, const struct case_result *result);

/* Text in HTML. */
void case_print_escaped(FILE *file, const char *text);

#endif
