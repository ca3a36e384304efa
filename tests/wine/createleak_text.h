/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createleak_text.h - text without a C runtime: a line is put together, then printed. */
#ifndef RDRLAB_TESTS_CREATELEAK_TEXT_H
#define RDRLAB_TESTS_CREATELEAK_TEXT_H

#define WIN32_LEAN_AND_MEAN
#define UNICODE
#include <windows.h>

/* What the compiler may call. */
void *memset(void *to, int value, size_t count);
void *memcpy(void *to, const void *from, size_t count);

size_t length_of(const WCHAR *text);
WCHAR lower(WCHAR c);

/* What stands behind a prefix, in either case; NULL if the text does not begin with it. */
const WCHAR *after_prefix(const WCHAR *text, const char *prefix);

void put_char(char c);
void put(const char *text);
void put_number(ULONGLONG number);
/* The name, and the number or "-". */
void put_field(const char *name, BOOL known, ULONGLONG number);
void put_wide(const WCHAR *text);

/* Ends the line, to standard output. */
void print_line(void);

/* To standard error as it is; then, when the answer has been typed unseen, the line's end. */
void print_prompt(void);
void end_prompt(void);

/* "createleak: WHAT SUBJECT" on standard error, and an error's number and text unless it is 0. */
void complain(const char *what, const WCHAR *subject, DWORD error);

#endif
