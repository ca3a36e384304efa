/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * opener.h - creates in threads and processes of their own, which meet while the server has not answered the first.
 */
#ifndef RDRLAB_TESTS_OPENER_H
#define RDRLAB_TESTS_OPENER_H

#include "lab.h"

#include <pthread.h>

#define FILE_NAME  u"\\??\\X:\\f.txt"
#define READ       (FILE_READ_DATA | SYNCHRONIZE)
#define ALL_SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* The test's machine. */
extern struct lab lab;

struct opener {
    const WCHAR *name;
    ACCESS_MASK access;
    ULONG share, disposition;
    PEPROCESS process;
    pthread_t thread;
    NTSTATUS status;
    HANDLE handle; /* stays open */
};

#define TO(n, a, s) ((struct opener){.name = (n), .access = (a), .share = (s), .disposition = FILE_OPEN})

/* Begins it in a thread ... */
void opener_begin(struct opener *opener);

/* ... which must have got so far that the server has it, but for an answer. */
void opener_begin_held(struct opener *opener, enum smb_op op);

/* ... which must wait for another one. */
void opener_begin_waiting(struct opener *opener);

/* Waits for its end, which must be this. */
void opener_end(struct opener *opener, NTSTATUS expected);

/* Closes what it has open, and ends its process. */
void opener_leave(struct opener *opener);

/* A teardown: nobody waits, nothing is open, nothing is left. */
int shut_down(void **state);

#endif
