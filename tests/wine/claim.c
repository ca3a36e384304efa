/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* claim.c - checks of claims that fail. */
#include <stdio.h>

#include "claim.h"

int failures;

void failed(const char *file, int line, const char *what, DWORD error)
{
    fprintf(stderr, "%s:%d: %s (error %lu)\n", file, line, what, error);
    failures++;
}
