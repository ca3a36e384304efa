/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_text.h - results for a person, as a table. */
#ifndef RDRLAB_REPORT_TEXT_H
#define RDRLAB_REPORT_TEXT_H

#include "results.h"

/* "3,321,216"; the text lives in the caller's buffer, which holds at least 32. */
const char *thousands(uint64_t number, char text[32]);

/* What the case is and what it ran on: two lines and an empty one. */
void report_text_head(FILE *file, const struct results *results);

/* The table of runs, then a line for every expectation that did not hold. */
void report_text(FILE *file, const struct results *results);

#endif
