/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createcall.h - a row of the table of creates as a Win32 call, and the error that the call then gives. Needs nothing
 * of Windows: constants by their public values (WDK, Platform SDK).
 */
#ifndef RDRLAB_TESTS_CREATECALL_H
#define RDRLAB_TESTS_CREATECALL_H

#include "table.h"

#define CALL_NAME_UNITS 32768

#define FLAG_BACKUP_SEMANTICS 0x02000000
#define FLAG_DELETE_ON_CLOSE  0x04000000

struct create_call {
    bool folder; /* CreateDirectoryW: only the name counts. Otherwise CreateFileW */
    ULONG access, share, creation, flags;
    bool inherit;
    WCHAR name[CALL_NAME_UNITS]; /* terminated */
};

struct create_answer {
    bool success;
    int error; /* GetLastError; of a success too */
};

/* Fills in *call. Returns NULL, or what in the row no Win32 call says, as words that rows share. */
const char *create_call_of(const struct create_row *row, struct create_call *call);

/*
 * create_call_answer - what the call answers.
 *   smbc  over libsmbclient, whose differences then count
 *   wine  whether Wine's differences count
 */
struct create_answer create_call_answer(const struct create_table *table, const struct create_row *row, bool smbc,
                                        bool wine);

#endif
