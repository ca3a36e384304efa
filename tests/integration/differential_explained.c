/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * differential_explained.c - the differences that there may be, and why. A row explains a step if everything that it
 * names is as it says; what it leaves out (0) may be anything. The first row that does is counted.
 */
#include "differential.h"

#include "lab.h"

#define BOTH (PEER_MEM | PEER_LIBSMBCLIENT)
#define ANY  ((NTSTATUS)0x7fffffff) /* a status that nobody gives; STATUS_SUCCESS is 0 and means itself */

#define OVERWRITES (1u << FILE_SUPERSEDE | 1u << FILE_OVERWRITE | 1u << FILE_OVERWRITE_IF)

static struct explanation {
    const char *reason;
    unsigned peers;
    enum step_kind kind;
    unsigned names;     /* one of these kinds */
    ULONG options;      /* one of these */
    ULONG dispositions; /* one of these, as 1 << FILE_OPEN */
    ACCESS_MASK access; /* one of these */
    bool no_access;     /* nothing was asked for */
    NTSTATUS machine, server;
    bool rare; /* may not serve once in a long run */
    unsigned long long times;
} rows[] = {
    /* NT decides before anything goes to a server. */
    {.reason = "NT's I/O manager refuses these parameters whatever the name is (WDK: ZwCreateFile)",
     .peers = BOTH,
     .options = FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE | FILE_NO_INTERMEDIATE_BUFFERING,
     .machine = STATUS_INVALID_PARAMETER,
     .server = ANY},
    {.reason = "there are six dispositions (WDK: ZwCreateFile)",
     .peers = BOTH,
     .dispositions = 1u << 6,
     .machine = STATUS_INVALID_PARAMETER,
     .server = ANY},
    {.reason = "who asks for no access gets none from NT (MS-FSA 2.1.5.1), and a handle from smbd",
     .peers = BOTH,
     .no_access = true,
     .machine = STATUS_ACCESS_DENIED,
     .server = ANY},
    {.reason = "NT's redirector looks at the characters before it asks the server",
     .peers = BOTH,
     .names = NAME_ILLEGAL,
     .machine = STATUS_OBJECT_NAME_INVALID,
     .server = ANY},
    {.reason = "half a surrogate pair is refused here with one status, and by smbd's conversion with another",
     .peers = BOTH,
     .names = NAME_UNPAIRED,
     .machine = STATUS_OBJECT_NAME_INVALID,
     .server = ANY},
    {.reason = "NT's redirector takes no component \".\" or \"..\"",
     .peers = BOTH,
     .names = NAME_DOTS,
     .machine = STATUS_OBJECT_PATH_SYNTAX_BAD,
     .server = ANY},
    {.reason = "a trailing backslash is no file's (MS-FSA 2.1.5.1); smbd drops it",
     .peers = BOTH,
     .names = NAME_TRAILING | NAME_ROOT,
     .machine = STATUS_OBJECT_NAME_INVALID,
     .server = ANY},
    {.reason = "what is named with a trailing backslash is a directory; smbd drops the backslash",
     .peers = BOTH,
     .names = NAME_TRAILING,
     .machine = STATUS_NOT_A_DIRECTORY,
     .server = ANY},
    {.reason =
         "NT wants DELETE of the handle that a file is renamed by (WDK: ZwSetInformationFile), and this machine that "
         "who may write it could open it again; smbd neither",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_ACCESS_DENIED,
     .server = ANY},
    {.reason = "NT wants DELETE of the handle by which a file is kept, too; smbd only of that by which it is deleted",
     .peers = BOTH,
     .kind = STEP_DISPOSITION,
     .machine = STATUS_ACCESS_DENIED,
     .server = STATUS_SUCCESS},
    {.reason = "NT wants DELETE of the handle before anybody sees that the file is read only",
     .peers = BOTH,
     .kind = STEP_DISPOSITION,
     .machine = STATUS_ACCESS_DENIED,
     .server = STATUS_CANNOT_DELETE},
    {.reason = "NT's redirector looks at the characters of a new name before it asks the server",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .names = NAME_ILLEGAL,
     .machine = STATUS_OBJECT_NAME_INVALID,
     .server = ANY},
    {.reason = "a rename looks for the directory that a new name is to be in before it looks at the name",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .names = NAME_ILLEGAL,
     .machine = STATUS_OBJECT_PATH_NOT_FOUND,
     .server = STATUS_OBJECT_NAME_INVALID},
    {.reason = "NT's redirector takes no component \".\" or \"..\" in a new name",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .names = NAME_DOTS,
     .machine = STATUS_OBJECT_PATH_SYNTAX_BAD,
     .server = ANY},
    {.reason = "a new name that is the root's, or ends with a backslash, is no name; smbd drops the backslash",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .names = NAME_TRAILING | NAME_ROOT,
     .machine = STATUS_OBJECT_NAME_INVALID,
     .server = ANY},
    {.reason = "half a surrogate pair in a new name is refused here with one status, and by smbd with another",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .names = NAME_UNPAIRED,
     .machine = STATUS_OBJECT_NAME_INVALID,
     .server = ANY},
    {.reason = "a rename opens the directory that a new name is to be in, and to write, which others may not share; "
               "smbd does not",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_SHARING_VIOLATION,
     .server = ANY},
    /* The order in which things are looked at. */
    {.reason = "the redirector checks sharing on this machine before the server says that it is a file",
     .peers = BOTH,
     .machine = STATUS_SHARING_VIOLATION,
     .server = STATUS_NOT_A_DIRECTORY},
    {.reason = "the redirector checks sharing on this machine before the server says that it is a directory",
     .peers = BOTH,
     .machine = STATUS_SHARING_VIOLATION,
     .server = STATUS_FILE_IS_A_DIRECTORY},
    {.reason = "the redirector checks sharing on this machine before the server says that it denies access",
     .peers = BOTH,
     .machine = STATUS_SHARING_VIOLATION,
     .server = STATUS_ACCESS_DENIED},
    {.reason = "to supersede a read-only file takes DELETE only (MS-FSA 2.1.5.1.2, fastfat); smbd writes to it",
     .peers = PEER_MEM,
     .dispositions = 1u << FILE_SUPERSEDE,
     .machine = STATUS_SUCCESS,
     .server = STATUS_ACCESS_DENIED},
    {.reason = "what this machine has open exists, so it is not created; smbd looks at the kind first",
     .peers = BOTH,
     .options = FILE_NON_DIRECTORY_FILE,
     .dispositions = 1u << FILE_CREATE,
     .machine = STATUS_OBJECT_NAME_COLLISION,
     .server = STATUS_FILE_IS_A_DIRECTORY,
     .rare = true},
    {.reason = "what goes with its last handle is refused on this machine before the server says what it is",
     .peers = BOTH,
     .machine = STATUS_DELETE_PENDING,
     .server = STATUS_ACCESS_DENIED,
     .rare = true},
    {.reason = "what goes with its last handle is refused on this machine before the server says what it is",
     .peers = BOTH,
     .machine = STATUS_DELETE_PENDING,
     .server = STATUS_NOT_A_DIRECTORY,
     .rare = true},
    {.reason = "what goes with its last handle is refused on this machine before the server says what it is",
     .peers = BOTH,
     .machine = STATUS_DELETE_PENDING,
     .server = STATUS_FILE_IS_A_DIRECTORY,
     .rare = true},
    {.reason = "the root of a share is not deleted; smbd calls that a matter of access",
     .peers = BOTH,
     .kind = STEP_DISPOSITION,
     .machine = STATUS_CANNOT_DELETE,
     .server = STATUS_ACCESS_DENIED,
     .rare = true},
    {.reason = "nobody is told what becomes of a close: smbd says that the directory to be deleted is not empty",
     .peers = BOTH,
     .kind = STEP_CLOSE,
     .machine = STATUS_SUCCESS,
     .server = STATUS_DIRECTORY_NOT_EMPTY,
     .rare = true},
    {.reason =
         "what goes with its last handle is refused on this machine before smbd finds it a directory to overwrite",
     .peers = BOTH,
     .dispositions = OVERWRITES,
     .machine = STATUS_DELETE_PENDING,
     .server = STATUS_INVALID_PARAMETER,
     .rare = true},
    /* smbd is no NT. */
    {.reason = "a read-only directory is not deleted (MS-FSA 2.1.5.15.3); smbd's mode bits make no directory read only",
     .peers = PEER_MEM,
     .kind = STEP_DISPOSITION,
     .machine = STATUS_CANNOT_DELETE,
     .server = STATUS_SUCCESS,
     .rare = true},
    {.reason =
         "a read-only file is not opened to be deleted on close (MS-FSA 2.1.5.1.2); smbd may, if its mode lets it",
     .peers = BOTH,
     .options = FILE_DELETE_ON_CLOSE,
     .machine = STATUS_CANNOT_DELETE,
     .server = STATUS_SUCCESS},
    {.reason = "the root of a share is not deleted; smbd calls that a matter of access",
     .peers = BOTH,
     .names = NAME_ROOT,
     .options = FILE_DELETE_ON_CLOSE,
     .machine = STATUS_CANNOT_DELETE,
     .server = STATUS_ACCESS_DENIED},
    {.reason = "smbd calls it a parameter error to overwrite a directory",
     .peers = BOTH,
     .dispositions = OVERWRITES,
     .machine = STATUS_FILE_IS_A_DIRECTORY,
     .server = STATUS_INVALID_PARAMETER,
     .rare = true},
    {.reason = "the redirector checks sharing on this machine before smbd finds it a directory to overwrite",
     .peers = BOTH,
     .dispositions = OVERWRITES,
     .machine = STATUS_SHARING_VIOLATION,
     .server = STATUS_INVALID_PARAMETER},
    {.reason = "smbd wants the x bit of a file's mode for all access",
     .peers = BOTH,
     .access = GENERIC_ALL,
     .machine = STATUS_SUCCESS,
     .server = STATUS_ACCESS_DENIED},
    {.reason =
         "a hidden or system file is overwritten only with the same attributes (MS-FSA 2.1.5.1.2); smbd does not mind",
     .peers = PEER_MEM,
     .dispositions = OVERWRITES,
     .machine = STATUS_ACCESS_DENIED,
     .server = STATUS_SUCCESS},
    {.reason = "an overwrite writes, and is checked against others' sharing as that (MS-FSA 2.1.5.1.2); not by smbd",
     .peers = BOTH,
     .dispositions = OVERWRITES,
     .machine = STATUS_SHARING_VIOLATION,
     .server = STATUS_SUCCESS},
    {.reason =
         "a directory may take a file's place (MS-FSA 2.1.5.15.11 forbids to replace a directory); smbd's may not",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_SUCCESS,
     .server = STATUS_OBJECT_NAME_COLLISION,
     .rare = true},
    {.reason =
         "smbd renames nothing into a directory that somebody has open to delete it, even where the name is taken",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_OBJECT_NAME_COLLISION,
     .server = STATUS_SHARING_VIOLATION,
     .rare = true},
    {.reason =
         "smbd renames nothing into a directory that somebody has open to delete it, even where the name is taken",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_SUCCESS,
     .server = STATUS_SHARING_VIOLATION,
     .rare = true},
    {.reason = "a directory that is about to go takes no new names; smbd finds it no path, as what is renamed is that "
               "directory",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_DELETE_PENDING,
     .server = STATUS_OBJECT_PATH_NOT_FOUND,
     .rare = true},
    {.reason = "the root of a share has no other name, whoever has it open (MS-FSA 2.1.5.15.11)",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_INVALID_PARAMETER,
     .server = STATUS_SHARING_VIOLATION,
     .rare = true},
    {.reason = "what goes with its last handle is not made anew before (fastfat: FatCommonCreate); smbd looks at the "
               "disposition first",
     .peers = BOTH,
     .dispositions = 1u << FILE_CREATE,
     .machine = STATUS_DELETE_PENDING,
     .server = STATUS_OBJECT_NAME_COLLISION,
     .rare = true},
    {.reason =
         "who asks for the maximum gets what there is (MS-FSA 2.1.5.1.2.1), and nothing from smbd if that lacks a "
         "right that the file's attributes, x bit or deletion forbid",
     .peers = BOTH,
     .access = MAXIMUM_ALLOWED,
     .machine = ANY,
     .server = STATUS_ACCESS_DENIED,
     .rare = true},
    /* What the machine does not do yet. */
    {.reason = "a directory that is open to somebody who lets nobody list it is not looked into before it is marked",
     .peers = BOTH,
     .kind = STEP_DISPOSITION,
     .machine = STATUS_SUCCESS,
     .server = STATUS_DIRECTORY_NOT_EMPTY,
     .rare = true},
    {.reason = "a directory that is open to somebody who lets nobody list it is not looked into before it is marked",
     .peers = BOTH,
     .kind = STEP_RENAME,
     .machine = STATUS_DELETE_PENDING,
     .server = STATUS_SUCCESS,
     .rare = true},
};
#define ROWS (sizeof rows / sizeof *rows)

static bool is_about(const struct explanation *row, const struct step *step)
{
    return row->kind == step->kind && (row->names == 0 || (row->names & step_name_kind(step)) != 0) &&
           (row->options == 0 || (row->options & step->options) != 0) &&
           (row->dispositions == 0 || (row->dispositions & 1u << step->disposition) != 0) &&
           (row->access == 0 || (row->access & step->access) != 0) && (!row->no_access || step->access == 0);
}

const char *explain(enum peer peer, const struct step *step, const struct outcome *machine,
                    const struct outcome *server)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!is_about(&rows[i], step) || (rows[i].peers & peer) == 0 ||
            (rows[i].machine != ANY && rows[i].machine != machine->status) ||
            (rows[i].server != ANY && rows[i].server != server->status))
            continue;
        rows[i].times++;
        return rows[i].reason;
    }
    return NULL;
}

bool disturbs_deleting(const struct step *step)
{
    return step->kind == STEP_RENAME || (step->kind == STEP_CREATE && (OVERWRITES & 1u << step->disposition) != 0 &&
                                         (step->attributes & FILE_ATTRIBUTE_READONLY) != 0);
}

void print_explanations(const char *prefix)
{
    for (size_t i = 0; i < ROWS; i++)
        print_message("%s%8llu  %s\n", prefix, rows[i].times, rows[i].reason);
}

unsigned count_dead_explanations(enum peer peer)
{
    unsigned dead = 0;

    for (size_t i = 0; i < ROWS; i++) {
        if ((rows[i].peers & peer) == 0 || rows[i].rare || rows[i].times > 0)
            continue;
        print_message("explains nothing any more: %s\n", rows[i].reason);
        dead++;
    }
    return dead;
}

const char *explanation(size_t index)
{
    return index < ROWS ? rows[index].reason : NULL;
}
