/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * differ.h - what the files of ntdiffer.exe share, and its native test with them.
 *
 * A sequence of random Win32 calls is played in two folders at once, call by call: left, a local one, and right, the
 * one that is tested. Every call has two results then, and where they differ there must be an explanation
 * (differ_explained.c). A sequence begins with two empty folders and ends with a look at all that is in them, so what
 * one of them does to the other's disadvantage stays within one sequence.
 *
 * Calls come from the seed alone and never from results: a sequence can be replayed, and shortened.
 */
#ifndef TESTS_DIFFER_H
#define TESTS_DIFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIFFER_CALLS_MAX 96 /* of a sequence */
#define DIFFER_SLOTS     6  /* handles at once */

/* ---- calls ---- */

#define DIFFER_KINDS(X)                                                                                                \
    X(CREATE, "CreateFile")                                                                                            \
    X(CLOSE, "CloseHandle")                                                                                            \
    X(READ, "ReadFile")                                                                                                \
    X(READ_AT, "ReadFile with an offset")                                                                              \
    X(WRITE, "WriteFile")                                                                                              \
    X(WRITE_AT, "WriteFile with an offset")                                                                            \
    X(SEEK, "SetFilePointerEx")                                                                                        \
    X(SET_END, "SetEndOfFile")                                                                                         \
    X(FLUSH, "FlushFileBuffers")                                                                                       \
    X(SIZE, "GetFileSizeEx")                                                                                           \
    X(INFORMATION, "GetFileInformationByHandle")                                                                       \
    X(TYPE, "GetFileType")                                                                                             \
    X(FINAL_NAME, "GetFinalPathNameByHandle")                                                                          \
    X(SET_TIME, "SetFileTime")                                                                                         \
    X(GET_TIME, "GetFileTime")                                                                                         \
    X(DUPLICATE, "DuplicateHandle")                                                                                    \
    X(LOCK, "LockFileEx")                                                                                              \
    X(UNLOCK, "UnlockFileEx")                                                                                          \
    X(ATTRIBUTES, "GetFileAttributesEx")                                                                               \
    X(SET_ATTRIBUTES, "SetFileAttributes")                                                                             \
    X(MOVE, "MoveFileEx")                                                                                              \
    X(COPY, "CopyFile")                                                                                                \
    X(DELETE, "DeleteFile")                                                                                            \
    X(MAKE_FOLDER, "CreateDirectory")                                                                                  \
    X(REMOVE_FOLDER, "RemoveDirectory")                                                                                \
    X(FIND, "FindFirstFile")                                                                                           \
    X(CURRENT, "SetCurrentDirectory")                                                                                  \
    X(FULL_NAME, "GetFullPathName")                                                                                    \
    X(TREE, "the whole tree")                                                                                          \
    X(CLEAN, "cleaning up")

enum call_kind {
#define X(kind, name) CALL_##kind,
    DIFFER_KINDS(X)
#undef X
        CALL_KINDS
};

/* A name below the folder: one of few directories, or a name in one. */
struct place {
    uint8_t folder, leaf;
};

struct call {
    enum call_kind kind;
    unsigned number; /* in the sequence as it was made */
    unsigned slot, slot2;
    struct place place, place2;
    bool relative; /* the name is given relative to the current directory, which is the place's folder */
    uint32_t access, share, disposition, flags; /* flags: CreateFile's, MoveFileEx's, LockFileEx's; attributes to set */
    uint64_t offset;
    uint32_t size, how; /* how: SetFilePointerEx's method, FindFirstFile's pattern, a time */
};

/* What is special about a name. */
enum place_trait {
    PLACE_ILLEGAL = 1,  /* a character that no name has */
    PLACE_STREAM = 2,   /* a colon */
    PLACE_LONG = 4,     /* longer than a component can be */
    PLACE_BELOW = 8,    /* below what is a file, or nothing at all */
    PLACE_STRIPPED = 16 /* a dot or a space at the end, which Win32 takes off */
};

/* Fill calls with what the seed gives; returns how many. */
unsigned calls_make(uint64_t seed, struct call calls[DIFFER_CALLS_MAX]);
const char *call_name(enum call_kind kind);
/* One line for a person, without its end. */
void call_print(const struct call *call, char *text, size_t size);
unsigned place_traits(struct place place);
/* In UTF-8, with backslashes; "" for the folder itself. */
void place_name(struct place place, char *text, size_t size);
uint8_t place_parent(uint8_t folder); /* the folder that a folder is in */
const char *find_pattern(unsigned index);

/* ---- results ---- */

#define DIFFER_VALUES(X)                                                                                               \
    X(TEXT, "names")                                                                                                   \
    X(CASE, "names' upper and lower case")                                                                             \
    X(COUNT, "bytes moved")                                                                                            \
    X(POSITION, "position")                                                                                            \
    X(SIZE, "size")                                                                                                    \
    X(ATTRIBUTES, "attributes")                                                                                        \
    X(LINKS, "links")                                                                                                  \
    X(TIME, "time")                                                                                                    \
    X(EXISTED, "error code of a success")                                                                              \
    X(DATA, "data")

enum value {
#define X(value, name) VALUE_##value,
    DIFFER_VALUES(X)
#undef X
        VALUES
};

#define RESULT_ENTERING 100000

struct result {
    bool played;            /* false: there is no such handle, and nothing was done */
    uint32_t error;         /* 0: success; with RESULT_ENTERING: the current directory could not be set for it */
    uint64_t value[VALUES]; /* 0 where the call has no such value */
};

/* What the left folder holds by the call's names once it is done: what explanations may ask for. */
enum state {
    STATE_FILE = 1,
    STATE_FOLDER = 2,
    STATE_ABSENT = 4,
    STATE_READ_ONLY = 8,
    /* One of the slots is a handle to it ... */
    STATE_OPEN = 16,
    STATE_MAXIMUM = 32,  /* ... with MAXIMUM_ALLOWED */
    STATE_DOOMED = 64,   /* ... and it goes with the last handle */
    STATE_WEAK = 128,    /* ... with access to neither data nor DELETE */
    STATE_HIDDEN = 256,  /* hidden or of the system */
    STATE_RENAMED = 512, /* ... and it has been renamed since */
    /* The handle that the call is made with was not opened for ... */
    STATE_NO_DATA = 2048,       /* ... reading or writing */
    STATE_NO_WRITE = 4096,      /* ... writing */
    STATE_NO_ATTRIBUTES = 8192, /* ... writing attributes */
    STATE_PARENT_OPEN = 1024,   /* one of the slots is a handle to the folder that the name is in */
    /* The same of the call's second name. */
    STATE_SECOND = 65536
};

/* ---- explanations ---- */

/*
 * Why results may differ: in whether the call succeeds and with which error (value VALUES), or in one value.
 * Returns the reason's index, or -1. Counts what it explains; may be called by several threads.
 */
int explain(const struct call *call, unsigned state, const struct result *left, const struct result *right,
            enum value value);
/* Whether the two folders are not alike any more after such a difference. */
bool explanation_ends(int reason);
/* One line for each that served, or only for those that should have and did not; returns how many lines. */
unsigned explanations_print(bool dead, char *text, size_t size);

/* The document: what is written to docs/win32-differences.md, 0-terminated; returns its length. */
size_t explanations_document(char *text, size_t size);

#endif
