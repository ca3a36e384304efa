/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.h - the table of creates: what NT answers to one NtCreateFile, as data (*.table; README.md there explains the
 * columns), and what reads it. Needs nothing of the machine: the tests of several peers share it.
 */
#ifndef RDRLAB_TESTS_CREATE_TABLE_H
#define RDRLAB_TESTS_CREATE_TABLE_H

#include <ntemu/nt.h>
#include <stdbool.h>
#include <stddef.h>

/* A status of statuses.table. */
struct create_status {
    char name[40]; /* without STATUS_ */
    NTSTATUS value;
    int error; /* what RtlNtStatusToDosError makes of it */
};

/* What one peer answers instead, and why. */
struct create_difference {
    char reason[32]; /* of reasons.table; "": there is none */
    NTSTATUS status;
    ULONG information;
    bool then; /* the answer is NT's, what t is afterwards is not */
    int error; /* wine only */
};

struct create_row {
    char id[16];
    const char *file; /* "names.table", for messages */
    int line;
    char state[64]; /* what there is before: words of README.md, joined by ',' */
    char name[256]; /* as in the table, with its {escapes} */
    char root[32];  /* the directory that the name is relative to; "": none */
    char dos[128];  /* what a Win32 program says; "": \\?\ and the name */
    ACCESS_MASK access;
    ULONG share, disposition, options, attributes;
    char by[8];                    /* who answers: "Ob", "Io", "Mup"; "": the redirector or the server */
    ULONG object;                  /* OBJ_* */
    bool bare;                     /* without the SYNCHRONIZE and FILE_SYNCHRONOUS_IO_NONALERT that all others get */
    LONGLONG allocation;           /* -1: none given */
    char ea[16];                   /* "": none */
    NTSTATUS status;               /* expected */
    ULONG information;             /* expected; of a success */
    int kept;                      /* pool blocks that nt4-sp5 keeps */
    char then[16];                 /* what is there afterwards; "": not looked at */
    int error;                     /* expected of CreateFileW; CREATE_NOT_WIN32, CREATE_BY_STATUS */
    struct create_difference smbd; /* smbd itself, asked by a client that gives NTSTATUS */
    struct create_difference smbc; /* a machine, through libsmbclient and smbd */
    struct create_difference nt1;  /* ... in NT1, where that is not the same */
    struct create_difference wine; /* a Win32 program under Wine */
    char source[320];
};

#define CREATE_NOT_WIN32 (-1) /* no Win32 call says it */
#define CREATE_BY_STATUS (-2) /* what CreateFileW makes of the status, with nothing peculiar */

struct create_table {
    struct create_row *rows;
    size_t count;
    struct create_status *statuses;
    size_t status_count;
};

/* Reads every *.table of a folder, in the order of names. Returns false, having said where it is wrong. */
bool create_table_read(struct create_table *table, const char *folder);
void create_table_free(struct create_table *table);

/* "OBJECT_NAME_INVALID", or the number if it is not in statuses.table. One of four buffers, used in turn. */
const char *create_status_name(const struct create_table *table, NTSTATUS status);
/* "OPENED"; "-" for an information that means nothing. */
const char *create_information_name(ULONG information);

/*
 * create_name_expand - a name's {escapes} made UTF-16: {0001} a unit, {d83d.de00} two, {a*255} a repetition.
 *   Returns  the length in bytes; the name is terminated. -1: it does not fit, or an escape is none.
 */
int create_name_expand(const char *name, WCHAR *buffer, size_t units);

#endif
