/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.h - what the provider has to tell a person: a line on standard error, past its own hooks.
 */
#ifndef RDRLAB_REPORT_H
#define RDRLAB_REPORT_H

/*
 * report - one line, "rdrlabnp: " before it and a line end after it; cut at 500 bytes. Keeps LastError.
 * Silent in a program that has no standard error.
 */
void report(const char *format, ...) __attribute__((format(ms_printf, 1, 2)));

#endif
