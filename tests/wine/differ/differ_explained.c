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
    HANDLE_EOF = 38,
    FILE_EXISTS = 80,
    INVALID_PARAMETER = 87,
    INVALID_NAME = 123,
    ALREADY_EXISTS = 183,
    DIRECTORY = 267,
};

#define PATTERNS                                                                                                       \
    "FindFirstFile means by ? and by a dot at the end what DOS meant: ? is nothing before a dot or the end, and *. "   \
    "has "                                                                                                             \
    "no dot (WDK: FsRtlIsNameInExpression, DOS_QM, DOS_STAR); to Wine ? is one character"
#define MAXIMUM 0x02000000u

static struct explanation {
    const char *reason;
    const char *right;                    /* who is */
    uint64_t kinds;                       /* one of these, as K(READ) */
    unsigned names;                       /* the first or the second has one of these traits */
    unsigned state;                       /* one of these is so */
    uint32_t flags, access, dispositions; /* one of these; dispositions as 1 << disposition */
    enum value value;                     /* what differs; VALUES: the outcome */
    uint32_t left, here;                  /* the errors, ANY included; of a value both calls have the one in left */
    uint64_t bits;                        /* of a value: only these may differ; 0: all */
    bool dos_pattern;                     /* it has ?, or a dot at its end */
    bool ends;                            /* the folders are not alike any more */
    bool rare;                            /* may not serve once in a long run */
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
    {.reason = "NT's redirector knows a file by the name that it was opened by; Wine by the one that it has",
     .right = "both",
     .kinds = K(FINAL_NAME),
     .value = VALUE_CASE,
     .left = SUCCESS},
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
    {.reason = "kernel32 hands < to the file system, where it is a wildcard (WDK: FsRtlIsNameInExpression); to Wine's "
               "it is a character",
     .right = "X:",
     .kinds = K(FIND),
     .value = VALUES,
     .left = FILE_NOT_FOUND,
     .here = SUCCESS},
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
    {.reason = "who asks for the maximum asks for what there is (MS-FSA 2.1.5.1.2.1), which others must share; Wine "
               "asks for nothing then",
     .right = "X:",
     .kinds = K(CREATE),
     .access = MAXIMUM,
     .value = VALUES,
     .left = SUCCESS,
     .here = SHARING_VIOLATION},
    {.reason = "a directory is shared like a file (MS-FSA 2.1.5.1.2.2); Wine enters it whoever has it",
     .right = "X:",
     .kinds = K(CURRENT),
     .state = STATE_FOLDER,
     .value = VALUES,
     .left = SUCCESS,
     .here = SHARING_VIOLATION},
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
     .kinds = K(READ_AT) | K(WRITE_AT),
     .value = VALUE_POSITION,
     .left = SUCCESS},
    {.reason = "an overwrite gives the file the attributes that it is opened with (MS-FSA 2.1.5.1.2.1); Wine leaves "
               "those that it had",
     .right = "X:",
     .kinds = K(ATTRIBUTES) | K(INFORMATION) | K(FIND) | K(TREE),
     .value = VALUE_ATTRIBUTES,
     .left = SUCCESS,
     .bits = 0xffff00},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

/* Where both could not even enter the folder, as where neither had to. */
static bool matches_errors(const struct explanation *row, uint32_t left, uint32_t here)
{
    if (left >= RESULT_ENTERING && here >= RESULT_ENTERING) {
        left -= RESULT_ENTERING;
        here -= RESULT_ENTERING;
    }
    return (row->left == ANY || row->left == left) && (row->here == ANY || row->here == here);
}

static bool matches(const struct explanation *row, const struct call *call, unsigned state, const struct result *left,
                    const struct result *right, enum value value)
{
    const unsigned traits = place_traits(call->place) | place_traits(call->place2);

    if (row->value != value || !(row->kinds >> call->kind & 1))
        return false;
    if ((row->names && !(row->names & traits)) || (row->state && !(row->state & state)) ||
        (row->flags && !(row->flags & call->flags)) || (row->access && !(row->access & call->access)) ||
        (row->dispositions && !(row->dispositions >> call->disposition & 1)))
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
#define X(value, name) [VALUE_##value] = name,
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
               "be deleted on close is not compared further: Wine then deletes by the old name, X: by handle.\n"
               "\n"
               "| call | in Wine's folder | on X: | right | why |\n"
               "|-|-|-|-|-|\n");

    for (size_t i = 0; i < ROWS; i++)
        used = append_row(text, size, used, &rows[i]);
    return used;
}
