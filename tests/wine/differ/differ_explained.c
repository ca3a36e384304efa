/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * differ_explained.c - the differences that there may be between a local directory of Wine's and X:, why, and who is
 * right. A row explains a difference if everything that it names is as it says; what it leaves out (0) may be anything.
 * The first row that does is counted.
 *
 * docs/win32-differences.md is made of this: test_ntdiffer document >docs/win32-differences.md
 */
#include "differ.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ANY     UINT32_MAX /* an error that nobody gives */
#define K(kind) (UINT64_C(1) << CALL_##kind)

#define BY_NAME                                                                                                        \
    (K(CREATE) | K(ATTRIBUTES) | K(SET_ATTRIBUTES) | K(MOVE) | K(COPY) | K(DELETE) | K(MAKE_FOLDER) |                  \
     K(REMOVE_FOLDER) | K(FIND) | K(CURRENT) | K(FULL_NAME))
#define EITHER(state) ((state) | (state)*STATE_SECOND)

enum win32_error {
    SUCCESS = 0,
    FILE_NOT_FOUND = 2,
    PATH_NOT_FOUND = 3,
    ACCESS_DENIED = 5,
    INVALID_HANDLE = 6,
    INVALID_FUNCTION = 1,
    SHARING_VIOLATION = 32,
    LOCK_VIOLATION = 33,
    HANDLE_EOF = 38,
    FILE_EXISTS = 80,
    INVALID_PARAMETER = 87,
    INVALID_NAME = 123,
    DIR_NOT_EMPTY = 145,
    NOT_LOCKED = 158,
    ALREADY_EXISTS = 183,
    DIRECTORY = 267,
};

#define READ_ONLY_FILE                                                                                                 \
    "a read-only file is not opened to be written or deleted, and not replaced (MS-FSA 2.1.5.1.2); Wine's is by its "  \
    "mode, which does not bind root"
#define PATTERNS                                                                                                       \
    "FindFirstFile means by ? and by a dot at the end what DOS meant: ? is nothing before a dot or the end, and *. "   \
    "has no dot (WDK: FsRtlIsNameInExpression, DOS_QM, DOS_STAR); to Wine ? is one character"

static struct explanation {
    const char *reason;
    const char *right;     /* who is */
    uint64_t kinds;        /* one of these, as K(READ) */
    unsigned names;        /* the first or the second has one of these traits */
    unsigned state;        /* one of these is so */
    uint32_t dispositions; /* one of these, as 1 << disposition */
    enum value value;      /* what differs; VALUES: the outcome */
    uint32_t left, here;   /* the errors, ANY included; of a value both calls have the one in left */
    uint64_t bits;         /* of a value: only these may differ; 0: all */
    bool large;            /* the transfer is of more than 64 KB */
    bool no_bytes;         /* the transfer is of none */
    bool dos_pattern;      /* it has ?, or a dot at its end */
    bool ends;             /* the folders are not alike any more */
    bool rare;             /* may not serve once in a long run */
    volatile long times;
} rows[] = {
    /* Names. */
    {.reason = "a component of more than 255 units is no name to NT (MS-FSCC 2.1.5), whatever there is",
     .right = "X:",
     .kinds = BY_NAME,
     .names = PLACE_LONG,
     .value = VALUES,
     .left = ANY,
     .here = INVALID_NAME},
    {.reason = "a colon is a file's stream (MS-FSCC 2.1.5), and smbd has none without a module for it; on Wine's disk "
               "it is a character",
     .right = "X:",
     .kinds = BY_NAME,
     .names = PLACE_STREAM,
     .value = VALUES,
     .left = ANY,
     .here = INVALID_NAME},
    {.reason = "a file that another handle has renamed has its new name for all (MS-FSA 2.1.5.15.11); in Wine this "
               "handle's old one",
     .right = "X:",
     .kinds = K(FINAL_NAME),
     .state = STATE_RENAMED,
     .value = VALUE_TEXT,
     .left = SUCCESS},
    {.reason = "a file that another handle has renamed has its new name for all (MS-FSA 2.1.5.15.11); in Wine this "
               "handle's old one",
     .right = "X:",
     .kinds = K(FINAL_NAME),
     .state = STATE_RENAMED,
     .value = VALUE_CASE,
     .left = SUCCESS},
    {.reason = "NT's redirector knows a file by the name that it was opened by; Wine by the one that it has",
     .right = "both",
     .kinds = K(FINAL_NAME),
     .value = VALUE_CASE,
     .left = SUCCESS},
    {.reason = PATTERNS, .right = "X:", .kinds = K(FIND), .dos_pattern = true, .value = VALUE_TEXT, .left = SUCCESS},
    {.reason = PATTERNS,
     .right = "X:",
     .kinds = K(FIND),
     .dos_pattern = true,
     .value = VALUES,
     .left = SUCCESS,
     .here = FILE_NOT_FOUND},
    {.reason = PATTERNS,
     .right = "X:",
     .kinds = K(FIND),
     .dos_pattern = true,
     .value = VALUES,
     .left = FILE_NOT_FOUND,
     .here = SUCCESS},
    {.reason = "FindFirstFile below a file is ERROR_DIRECTORY, as opening the file as a directory is (MS-FSA 2.1.5.1)",
     .right = "X:",
     .kinds = K(FIND),
     .value = VALUES,
     .left = INVALID_NAME,
     .here = DIRECTORY},
    /* What goes with its last handle. */
    {.reason = "what goes with its last handle is opened by nobody (MS-FSA 2.1.5.1.2: DELETE_PENDING); Wine lets it be "
               "opened, or looks at sharing first",
     .right = "X:",
     .kinds = BY_NAME,
     .state = EITHER(STATE_DOOMED),
     .value = VALUES,
     .left = ANY,
     .here = ACCESS_DENIED},
    /* Sharing. */
    {.reason = "the redirector checks sharing on this machine before the server says what the name is",
     .right = "both",
     .kinds = BY_NAME,
     .value = VALUES,
     .left = DIRECTORY,
     .here = SHARING_VIOLATION},
    {.reason = "the redirector checks sharing on this machine before the server says that it is a directory",
     .right = "both",
     .kinds = K(CREATE) | K(COPY) | K(DELETE),
     .state = EITHER(STATE_FOLDER),
     .value = VALUES,
     .left = ACCESS_DENIED,
     .here = SHARING_VIOLATION},
    {.reason = "FindFirstFile below a file that nobody else may open is a sharing violation; Wine sees from the name "
               "that it cannot be",
     .right = "X:",
     .kinds = K(FIND),
     .value = VALUES,
     .left = INVALID_NAME,
     .here = SHARING_VIOLATION},
    {.reason = "who was granted the maximum is checked against others' sharing by that, and others against it (MS-FSA "
               "2.1.5.1.2.2); not by Wine",
     .right = "X:",
     .kinds = BY_NAME,
     .state = EITHER(STATE_MAXIMUM),
     .value = VALUES,
     .left = ANY,
     .here = SHARING_VIOLATION},
    {.reason = "the redirector checks sharing on this machine before the server says what the name is",
     .right = "both",
     .kinds = K(MOVE),
     .value = VALUES,
     .left = PATH_NOT_FOUND,
     .here = SHARING_VIOLATION,
     .rare = true},
    {.reason = "an overwrite writes, and is checked against others' sharing as that (MS-FSA 2.1.5.1.2); not by Wine",
     .right = "X:",
     .kinds = K(CREATE),
     .dispositions = 1u << 2 | 1u << 5,
     .value = VALUES,
     .left = SUCCESS,
     .here = SHARING_VIOLATION},
    {.reason = "a directory is shared like a file (MS-FSA 2.1.5.1.2.2); Wine enters it whoever has it",
     .right = "X:",
     .kinds = K(CURRENT),
     .state = STATE_FOLDER,
     .value = VALUES,
     .left = SUCCESS,
     .here = SHARING_VIOLATION,
     .rare = true},
    {.reason = "a directory is shared like a file (MS-FSA 2.1.5.1.2.2); Wine enters it whoever has it",
     .right = "X:",
     .kinds = BY_NAME,
     .value = VALUES,
     .left = ANY,
     .here = RESULT_ENTERING + SHARING_VIOLATION,
     .rare = true},
    {.reason =
         "a rename opens the directory that the new name is to be in, and to write (WDK: IRP_MJ_SET_INFORMATION), "
         "which others may not share; Wine does not",
     .right = "X:",
     .kinds = K(MOVE),
     .state = STATE_PARENT_OPEN * STATE_SECOND,
     .value = VALUES,
     .left = ANY,
     .here = SHARING_VIOLATION,
     .rare = true},
    {.reason = "the redirector checks sharing on this machine before the server says that it is a directory",
     .right = "both",
     .kinds = K(CREATE) | K(COPY),
     .state = EITHER(STATE_FOLDER),
     .value = VALUES,
     .left = FILE_EXISTS,
     .here = SHARING_VIOLATION,
     .rare = true},
    /* Directories. */
    {.reason = "a directory is nothing to create or overwrite as a file (MS-FSA 2.1.5.1, phase 7); Wine calls it a "
               "collision",
     .right = "X:",
     .kinds = K(CREATE) | K(COPY),
     .state = EITHER(STATE_FOLDER),
     .value = VALUES,
     .left = FILE_EXISTS,
     .here = ACCESS_DENIED},
    {.reason = "a directory is not renamed while files in it are open (MS-FSA 2.1.5.15.11); Wine does it",
     .right = "X:",
     .kinds = K(MOVE),
     .value = VALUES,
     .left = SUCCESS,
     .here = ACCESS_DENIED},
    {.reason = "a directory is not renamed while files in it are open (MS-FSA 2.1.5.15.11), which is seen before the "
               "name is found to be taken",
     .right = "X:",
     .kinds = K(MOVE),
     .value = VALUES,
     .left = ALREADY_EXISTS,
     .here = ACCESS_DENIED},
    {.reason = "the directory that is to be renamed is open, when the one of the new name is: its own, or one in it; "
               "Wine says that the parameter is wrong",
     .right = "X:",
     .kinds = K(MOVE),
     .value = VALUES,
     .left = INVALID_PARAMETER,
     .here = SHARING_VIOLATION},
    {.reason = "what is not a file's handle, a write cannot be for (observed: fastfat, INVALID_DEVICE_REQUEST); Wine "
               "says that it is no handle",
     .right = "X:",
     .kinds = K(WRITE) | K(WRITE_AT),
     .state = STATE_FOLDER,
     .value = VALUES,
     .left = INVALID_HANDLE,
     .here = INVALID_FUNCTION},
    {.reason = "the maximum includes writing, if the file can be written (MS-FSA 2.1.5.1.2.1); Wine lets nobody write "
               "who did not ask for it",
     .right = "X:",
     .kinds = K(WRITE) | K(WRITE_AT),
     .state = STATE_MAXIMUM,
     .value = VALUES,
     .left = INVALID_HANDLE,
     .here = SUCCESS},
    {.reason = "the maximum includes writing, if the file can be written (MS-FSA 2.1.5.1.2.1), and then what is locked "
               "is in the way; Wine lets nobody write who did not ask for it",
     .right = "X:",
     .kinds = K(WRITE) | K(WRITE_AT),
     .state = STATE_MAXIMUM,
     .value = VALUES,
     .left = INVALID_HANDLE,
     .here = LOCK_VIOLATION,
     .rare = true},
    {.reason = "a directory is not renamed while files in it are open (MS-FSA 2.1.5.15.11), which is seen before the "
               "directory of the new name is missed",
     .right = "X:",
     .kinds = K(MOVE),
     .value = VALUES,
     .left = PATH_NOT_FOUND,
     .here = ACCESS_DENIED,
     .rare = true},
    {.reason = "a directory is not renamed while files in it are open (MS-FSA 2.1.5.15.11), which is seen before it is "
               "found to be above the new name",
     .right = "X:",
     .kinds = K(MOVE),
     .value = VALUES,
     .left = INVALID_PARAMETER,
     .here = ACCESS_DENIED,
     .rare = true},
    {.reason = "a rename to the same name in other letters changes them (MS-FSA 2.1.5.15.11); Wine leaves them",
     .right = "X:",
     .kinds = K(FIND) | K(TREE),
     .value = VALUE_CASE,
     .left = SUCCESS},
    /* Positions and attributes. */
    {.reason = "a hidden or system file is overwritten only with the same attributes (MS-FSA 2.1.5.1.2); not by Wine",
     .right = "X:",
     .kinds = K(CREATE) | K(COPY),
     .state = EITHER(STATE_HIDDEN),
     .value = VALUES,
     .left = SUCCESS,
     .here = ACCESS_DENIED},
    {.reason = "a read that found the end leaves the position (observed: fastfat); Wine moves it to where it was to "
               "begin",
     .right = "X:",
     .kinds = K(READ_AT),
     .value = VALUE_POSITION,
     .left = HANDLE_EOF},
    {.reason =
         "a transfer of no bytes is done before anything moves (MS-FSA, reads and writes); Wine moves the position",
     .right = "X:",
     .kinds = K(READ) | K(READ_AT) | K(WRITE) | K(WRITE_AT),
     .no_bytes = true,
     .value = VALUE_POSITION,
     .left = SUCCESS},
    {.reason = "a directory may have attributes, too (MS-FSCC 2.6); Wine's has none",
     .right = "X:",
     .kinds = K(ATTRIBUTES) | K(INFORMATION),
     .state = STATE_FOLDER,
     .value = VALUE_ATTRIBUTES,
     .left = SUCCESS,
     .bits = 0xffffffffff},
    {.reason = "a file that goes with its last handle has one link less (observed: smbd); Wine's until it has gone",
     .right = "X:",
     .kinds = K(INFORMATION),
     .state = STATE_DOOMED,
     .value = VALUE_LINKS,
     .left = SUCCESS},
    {.reason = "an overwrite gives the file the attributes that it is opened with (MS-FSA 2.1.5.1.2.1); Wine leaves "
               "those that it had",
     .right = "X:",
     .kinds = K(ATTRIBUTES) | K(INFORMATION) | K(FIND) | K(TREE),
     .value = VALUE_ATTRIBUTES,
     .left = SUCCESS,
     .bits = 0xffffff},
    {.reason = "a file that is written to is to be archived, and one that was set to be normal is normal until then "
               "(MS-FSA, writes and FileBasicInformation); Wine's is what it was set to, or else to be archived",
     .right = "X:",
     .kinds = K(ATTRIBUTES) | K(INFORMATION) | K(FIND) | K(TREE),
     .value = VALUE_ATTRIBUTES,
     .left = SUCCESS,
     .bits = 0xffff000000},
    {.reason = "an overwrite's attributes and that of a write, both together, as above",
     .right = "X:",
     .kinds = K(ATTRIBUTES) | K(INFORMATION) | K(FIND) | K(TREE),
     .value = VALUE_ATTRIBUTES,
     .left = SUCCESS,
     .bits = 0xffffffffff,
     .rare = true},
    {.reason = READ_ONLY_FILE,
     .right = "X:",
     .kinds = BY_NAME,
     .state = EITHER(STATE_READ_ONLY),
     .value = VALUES,
     .left = SUCCESS,
     .here = ACCESS_DENIED,
     .rare = true},
    {.reason = "a read-only directory is not removed (MS-FSA 2.1.5.15.3), which is seen before it is found to hold "
               "something; Wine's are not read-only",
     .right = "X:",
     .kinds = K(REMOVE_FOLDER),
     .state = STATE_READ_ONLY,
     .value = VALUES,
     .left = DIR_NOT_EMPTY,
     .here = ACCESS_DENIED,
     .rare = true},
    {.reason = "an overwrite gives the file the attributes that it is opened with, and so it is not read-only any more "
               "(MS-FSA 2.1.5.1.2.1); Wine leaves those that it had",
     .right = "X:",
     .kinds = BY_NAME,
     .state = EITHER(STATE_READ_ONLY),
     .value = VALUES,
     .left = ACCESS_DENIED,
     .here = SUCCESS,
     .rare = true},
    {.reason =
         "a directory has no end: INVALID_PARAMETER (MS-FSA, FileEndOfFileInformation); Wine says that it is no handle",
     .right = "X:",
     .kinds = K(SET_END),
     .state = STATE_FOLDER,
     .value = VALUES,
     .left = INVALID_HANDLE,
     .here = INVALID_PARAMETER,
     .rare = true},
    {.reason = "the maximum does not include writing to a read-only file (MS-FSA 2.1.5.1.2.1)",
     .right = "X:",
     .kinds = K(SET_END) | K(WRITE) | K(WRITE_AT),
     .state = STATE_MAXIMUM,
     .value = VALUES,
     .left = ANY,
     .here = ACCESS_DENIED,
     .rare = true},
    {.reason = "a flush takes the right to write (WDK: ZwFlushBuffersFile), which the maximum of what is read-only "
               "does not include; Wine flushes",
     .right = "X:",
     .kinds = K(FLUSH),
     .state = STATE_READ_ONLY,
     .value = VALUES,
     .left = SUCCESS,
     .here = ACCESS_DENIED,
     .rare = true},
    {.reason =
         "a flush takes the right to write (WDK: ZwFlushBuffersFile), which the maximum did not include if it was "
         "read-only when it was opened; Wine flushes",
     .right = "X:",
     .kinds = K(FLUSH),
     .state = STATE_MAXIMUM,
     .value = VALUES,
     .left = SUCCESS,
     .here = ACCESS_DENIED,
     .rare = true},
    {.reason = "a range of no bytes has nothing in common with one that ends in front of it or begins behind it "
               "(observed: FsRtl in ReactOS); to Wine it reaches to the end of the file",
     .right = "X:",
     .kinds = K(LOCK) | K(UNLOCK),
     .no_bytes = true,
     .value = VALUES,
     .left = LOCK_VIOLATION,
     .here = SUCCESS,
     .rare = true},
    {.reason = "what goes with its last handle is entered by nobody",
     .right = "X:",
     .kinds = BY_NAME,
     .value = VALUES,
     .left = ANY,
     .here = RESULT_ENTERING + ACCESS_DENIED,
     .rare = true},
    /* What a handle is for. */
    {.reason = "who has a file open for neither reading nor writing locks nothing (observed: ReactOS, NtLockFile); "
               "Wine locks, or says that it is no handle",
     .right = "X:",
     .kinds = K(LOCK) | K(UNLOCK),
     .state = STATE_NO_DATA,
     .value = VALUES,
     .left = ANY,
     .here = ACCESS_DENIED},
    {.reason =
         "a directory has no bytes to lock: INVALID_PARAMETER (observed: fastfat); Wine says that it is no handle",
     .right = "X:",
     .kinds = K(LOCK) | K(UNLOCK),
     .state = STATE_FOLDER,
     .value = VALUES,
     .left = INVALID_HANDLE,
     .here = INVALID_PARAMETER},
    {.reason =
         "what nobody has locked cannot be unlocked: RANGE_NOT_LOCKED (MS-FSA, unlocks); Wine calls it a conflict",
     .right = "X:",
     .kinds = K(UNLOCK),
     .value = VALUES,
     .left = LOCK_VIOLATION,
     .here = NOT_LOCKED},
    {.reason = "what somebody else has locked is not read or written (MS-FSA, reads and writes); Wine's locks are in "
               "the way of other locks only",
     .right = "X:",
     .kinds = K(READ) | K(READ_AT) | K(WRITE) | K(WRITE_AT),
     .value = VALUES,
     .left = SUCCESS,
     .here = LOCK_VIOLATION},
    {.reason = "what somebody else has locked is not read (MS-FSA, reads), which is seen before it is found to be "
               "behind the end",
     .right = "X:",
     .kinds = K(READ) | K(READ_AT),
     .value = VALUES,
     .left = HANDLE_EOF,
     .here = LOCK_VIOLATION,
     .rare = true},
    {.reason = "a transfer goes to the machine in parts of 64 KB, and ends in front of one that is locked, with what "
               "has been done; NT does nothing then (MS-FSA, reads and writes), and Wine all",
     .right = "neither",
     .kinds = K(READ) | K(READ_AT) | K(WRITE) | K(WRITE_AT),
     .large = true,
     .value = VALUE_COUNT,
     .left = SUCCESS,
     .ends = true,
     .rare = true},
    {.reason = "a file's end takes FILE_WRITE_DATA (WDK: ZwSetInformationFile); Wine sets it, or says that it is no "
               "handle or parameter",
     .right = "X:",
     .kinds = K(SET_END),
     .state = STATE_NO_WRITE,
     .value = VALUES,
     .left = ANY,
     .here = ACCESS_DENIED},
    {.reason = "a file's times take FILE_WRITE_ATTRIBUTES (WDK: ZwSetInformationFile); Wine sets them",
     .right = "X:",
     .kinds = K(SET_TIME),
     .state = STATE_NO_ATTRIBUTES,
     .value = VALUES,
     .left = SUCCESS,
     .here = ACCESS_DENIED},
    {.reason = "a rename looks for the directory that a new name is to be in before it looks at the name",
     .right = "both",
     .kinds = K(MOVE),
     .names = PLACE_ILLEGAL,
     .value = VALUES,
     .left = INVALID_NAME,
     .here = PATH_NOT_FOUND,
     .rare = true},
    {.reason = "the maximum includes writing, if the file can be written (MS-FSA 2.1.5.1.2.1); Wine lets nobody write "
               "who did not ask for it",
     .right = "X:",
     .kinds = K(SET_END),
     .state = STATE_MAXIMUM,
     .value = VALUES,
     .left = ANY,
     .here = SUCCESS},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static bool are_errors(const struct explanation *row, uint32_t left, uint32_t here)
{
    return (row->left == ANY || row->left == left) && (row->here == ANY || row->here == here);
}

/* Where both could not even enter the folder, as where neither had to. */
static bool matches_errors(const struct explanation *row, uint32_t left, uint32_t here)
{
    return are_errors(row, left, here) || (left >= RESULT_ENTERING && here >= RESULT_ENTERING &&
                                           are_errors(row, left - RESULT_ENTERING, here - RESULT_ENTERING));
}

static bool matches(const struct explanation *row, const struct call *call, unsigned state, const struct result *left,
                    const struct result *right, enum value value)
{
    const unsigned traits = place_traits(call->place) | place_traits(call->place2);

    if (row->value != value || !(row->kinds >> call->kind & 1))
        return false;
    if ((row->names && !(row->names & traits)) || (row->state && !(row->state & state)) ||
        (row->dispositions && !(row->dispositions >> call->disposition & 1)))
        return false;
    if (row->large && call->size <= 65536)
        return false;
    if (row->no_bytes && call->size)
        return false;
    if (row->dos_pattern && !strpbrk(find_pattern(call->how), "?") && strcmp(find_pattern(call->how), "*.") != 0)
        return false;
    if (value == VALUES)
        return matches_errors(row, left->error, right->error);
    if (row->left != left->error)
        return false;
    return !row->bits || !((left->value[value] ^ right->value[value]) & ~row->bits);
}

int explain(const struct call *call, unsigned state, const struct result *left, const struct result *right,
            enum value value)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (matches(&rows[i], call, state, left, right, value)) {
            __atomic_fetch_add(&rows[i].times, 1, __ATOMIC_RELAXED);
            return (int)i;
        }
    }
    return -1;
}

bool explanation_ends(int reason)
{
    return rows[reason].ends;
}

static size_t append(char *text, size_t size, size_t used, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
    return length < 0 || (size_t)length >= size - used ? used : used + (size_t)length;
}

unsigned explanations_print(bool dead, char *text, size_t size)
{
    unsigned count = 0;
    size_t used = 0;

    *text = '\0';
    for (size_t i = 0; i < ROWS; i++) {
        if (dead ? rows[i].times != 0 || rows[i].rare : rows[i].times == 0)
            continue;
        used = append(text, size, used, dead ? "explained nothing (row %d): %s\n" : "%8d  %s\n",
                      dead ? (int)i : (int)rows[i].times, rows[i].reason);
        count++;
    }
    return count;
}

/* ---- the document ---- */

static size_t append_error(char *text, size_t size, size_t used, uint32_t error)
{
    static const struct {
        uint32_t error;
        const char *name;
    } names[] = {
        {SUCCESS, "success"},
        {ANY, "anything"},
        {INVALID_FUNCTION, "ERROR_INVALID_FUNCTION (1)"},
        {FILE_NOT_FOUND, "ERROR_FILE_NOT_FOUND (2)"},
        {PATH_NOT_FOUND, "ERROR_PATH_NOT_FOUND (3)"},
        {ACCESS_DENIED, "ERROR_ACCESS_DENIED (5)"},
        {INVALID_HANDLE, "ERROR_INVALID_HANDLE (6)"},
        {SHARING_VIOLATION, "ERROR_SHARING_VIOLATION (32)"},
        {LOCK_VIOLATION, "ERROR_LOCK_VIOLATION (33)"},
        {DIR_NOT_EMPTY, "ERROR_DIR_NOT_EMPTY (145)"},
        {NOT_LOCKED, "ERROR_NOT_LOCKED (158)"},
        {HANDLE_EOF, "ERROR_HANDLE_EOF (38)"},
        {FILE_EXISTS, "ERROR_FILE_EXISTS (80)"},
        {INVALID_PARAMETER, "ERROR_INVALID_PARAMETER (87)"},
        {INVALID_NAME, "ERROR_INVALID_NAME (123)"},
        {ALREADY_EXISTS, "ERROR_ALREADY_EXISTS (183)"},
        {DIRECTORY, "ERROR_DIRECTORY (267)"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (names[i].error == error)
            return append(text, size, used, "%s", names[i].name);
    return append(text, size, used, "error %u", error);
}

static size_t append_row(char *text, size_t size, size_t used, const struct explanation *row)
{
    static const char *const values[] = {
#define X(value, name) [VALUE_##value] = (name),
        DIFFER_VALUES(X)
#undef X
    };
    bool first = true;

    used = append(text, size, used, "| ");
    if (row->kinds == BY_NAME)
        used = append(text, size, used, "any call by name");
    for (int kind = 0; row->kinds != BY_NAME && kind < CALL_KINDS; kind++) {
        if (!(row->kinds >> kind & 1))
            continue;
        used = append(text, size, used, "%s%s", first ? "" : ", ", call_name((enum call_kind)kind));
        first = false;
    }
    used = append(text, size, used, " | ");
    if (row->value < VALUES) {
        used = append(text, size, used, "%s | |", values[row->value]);
    } else {
        used = append_error(text, size, used, row->left);
        used = append(text, size, used, " | ");
        used = append_error(text, size, used, row->here % RESULT_ENTERING);
        used = append(text, size, used, " |");
    }
    return append(text, size, used, " %s | %s |\n", row->right, row->reason);
}

size_t explanations_document(char *text, size_t size)
{
    size_t used =
        append(text, size, 0, "%s",
               "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n"
               "<!-- Made by test_ntdiffer document from tests/wine/differ/differ_explained.c: change that. -->\n"
               "# Win32 calls on X: and in a local folder of Wine's\n"
               "\n"
               "`ntdiffer.exe` plays the same random Win32 calls in a local folder under Wine and on X:, with smbd "
               "behind it, and\n"
               "compares results, errors, contents, listings, sizes, attributes and positions (`meson test \"win32 "
               "differential\"`;\n"
               "`--soak`: a million calls). These are the differences that there may be. Wine's local folder is no "
               "file system of\n"
               "NT's: where the specifications decide, the fourth column says who follows them. A row is tied to more "
               "than it\n"
               "shows (what the name is, who has it open how); each must have served in a long run. What was renamed "
               "while it is to\n"
               "be deleted on close is not compared further: Wine then deletes by the old name, X: by handle. Nor is a "
               "file that was\n"
               "copied while something is locked: Wine's CopyFile takes a read that fails for the end, and succeeds. "
               "Nor is what was\n"
               "to be replaced by a directory above it: Wine has deleted it when it finds that this cannot be.\n"
               "\n"
               "| call | in Wine's folder | on X: | right | why |\n"
               "|-|-|-|-|-|\n");

    for (size_t i = 0; i < ROWS; i++)
        used = append_row(text, size, used, &rows[i]);
    return used;
}
