/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * claim.h - what a Win32 program checks its claims with. A check that fails says so on standard error; the program
 * ends with status 1 if `failures` is not zero.
 */
#ifndef RDRLAB_TESTS_CLAIM_H
#define RDRLAB_TESTS_CLAIM_H

#include <windows.h>

extern int failures;

/* Prints it, and counts it. */
void failed(const char *file, int line, const char *what, DWORD error);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        SetLastError(0xdead);                                                                                          \
        if (!(condition))                                                                                              \
            failed(__FILE__, __LINE__, #condition, GetLastError());                                                    \
    } while (0)

/* That a call fails, and with which error. */
#define CHECK_ERROR(call, expected)                                                                                    \
    do {                                                                                                               \
        DWORD error_;                                                                                                  \
        SetLastError(0xdead);                                                                                          \
        if (call)                                                                                                      \
            failed(__FILE__, __LINE__, #call " succeeded", 0);                                                         \
        else if ((error_ = GetLastError()) != (DWORD)(expected))                                                       \
            failed(__FILE__, __LINE__, #call " fails, not with " #expected, error_);                                   \
    } while (0)

/* Which NT status a call returns. */
#define CHECK_STATUS(call, expected)                                                                                   \
    do {                                                                                                               \
        LONG status_ = (call);                                                                                         \
        if (status_ != (LONG)(expected))                                                                               \
            failed(__FILE__, __LINE__, #call " is not " #expected, (DWORD)status_);                                    \
    } while (0)

#endif
