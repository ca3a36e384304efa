/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chart.h - paged pool over opens, a line per build and shape, as SVG and PNG; drawn by gnuplot. */
#ifndef RDRLAB_CHART_H
#define RDRLAB_CHART_H

#include "results.h"

/*
 * chart_draw - write BASENAME.svg and BASENAME.png. Several shapes: a panel each.
 *   Returns 0, or an exit status having complained (no gnuplot, a folder that cannot be written to).
 */
int chart_draw(const char *basename, const struct results *results);

#endif
