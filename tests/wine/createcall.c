/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createcall.c - rows of the table of creates as Win32 calls. See createcall.h. */
#include "createcall.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <ntemu/wdm.h>

#define FLAG_WRITE_THROUGH   0x80000000
#define FLAG_OVERLAPPED      0x40000000
#define FLAG_NO_BUFFERING    0x20000000
#define FLAG_RANDOM_ACCESS   0x10000000
#define FLAG_SEQUENTIAL_SCAN 0x08000000
#define FLAG_POSIX_SEMANTICS 0x01000000
#define FLAG_REPARSE_POINT   0x00200000

/* Attributes that CreateFileW passes on; it drops the rest. */
#define PASSED_ATTRIBUTES                                                                                              \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE |                \
     FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_OFFLINE)

enum { WIN32_CREATE_NEW = 1, WIN32_CREATE_ALWAYS, WIN32_OPEN_EXISTING, WIN32_OPEN_ALWAYS, WIN32_TRUNCATE_EXISTING };
enum { WIN32_ERROR_FILE_EXISTS = 80, WIN32_ERROR_ALREADY_EXISTS = 183 };

/* ---- the call without its name ---- */

static const struct {
    ULONG option, flag;
} flags[] = {
    {FILE_WRITE_THROUGH, FLAG_WRITE_THROUGH},     {FILE_NO_INTERMEDIATE_BUFFERING, FLAG_NO_BUFFERING},
    {FILE_RANDOM_ACCESS, FLAG_RANDOM_ACCESS},     {FILE_SEQUENTIAL_ONLY, FLAG_SEQUENTIAL_SCAN},
    {FILE_DELETE_ON_CLOSE, FLAG_DELETE_ON_CLOSE}, {FILE_OPEN_REPARSE_POINT, FLAG_REPARSE_POINT},
};

/* FILE_NON_DIRECTORY_FILE is what CreateFileW asks for without FILE_FLAG_BACKUP_SEMANTICS, which means no harm. */
static const char *set_flags(const struct create_row *row, struct create_call *call)
{
    ULONG options = row->options & ~(ULONG)FILE_NON_DIRECTORY_FILE;
    bool file = (row->options & FILE_NON_DIRECTORY_FILE) != 0;

    if (file && (options & FILE_OPEN_FOR_BACKUP_INTENT))
        return "options that CreateFileW does not set together";
    options &= ~(ULONG)FILE_OPEN_FOR_BACKUP_INTENT;
    if (!file)
        call->flags |= FLAG_BACKUP_SEMANTICS;
    if (row->bare && !(options & FILE_SYNCHRONOUS_IO_NONALERT))
        call->flags |= FLAG_OVERLAPPED;
    options &= ~(ULONG)FILE_SYNCHRONOUS_IO_NONALERT;
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        if (options & flags[i].option)
            call->flags |= flags[i].flag;
        options &= ~flags[i].option;
    }
    if (options & FILE_DIRECTORY_FILE)
        return "FILE_DIRECTORY_FILE, but for CreateDirectoryW's create";
    return options ? "options that CreateFileW has no flag for" : NULL;
}

static const char *set_creation(const struct create_row *row, struct create_call *call)
{
    switch (row->disposition) {
    case FILE_SUPERSEDE:
        return "FILE_SUPERSEDE";
    case FILE_OPEN:
        call->creation = WIN32_OPEN_EXISTING;
        break;
    case FILE_CREATE:
        call->creation = WIN32_CREATE_NEW;
        break;
    case FILE_OPEN_IF:
        call->creation = WIN32_OPEN_ALWAYS;
        break;
    case FILE_OVERWRITE:
        call->creation = WIN32_TRUNCATE_EXISTING;
        break;
    case FILE_OVERWRITE_IF:
        call->creation = WIN32_CREATE_ALWAYS;
        break;
    default:
        call->creation = row->disposition; /* none of Win32's either */
    }
    return NULL;
}

/* CreateFileW adds SYNCHRONIZE and FILE_READ_ATTRIBUTES always, and DELETE for FILE_FLAG_DELETE_ON_CLOSE. */
static const char *set_access(const struct create_row *row, struct create_call *call)
{
    if ((row->options & FILE_DELETE_ON_CLOSE) && !(row->access & DELETE))
        return "a right missing that CreateFileW adds";
    if (row->bare && (!row->access || ((row->options & FILE_SYNCHRONOUS_IO_NONALERT) && !(row->access & SYNCHRONIZE))))
        return "a right missing that CreateFileW adds";
    call->access = row->access;
    call->share = row->share;
    return NULL;
}

static const char *set_attributes(const struct create_row *row, struct create_call *call)
{
    if (row->attributes & ~(ULONG)PASSED_ATTRIBUTES)
        return "attributes that CreateFileW drops";
    if (row->object & ~(ULONG)(OBJ_CASE_INSENSITIVE | OBJ_INHERIT))
        return "OBJ_ flags that CreateFileW does not set";
    call->flags |= row->attributes;
    if (!(row->object & OBJ_CASE_INSENSITIVE))
        call->flags |= FLAG_POSIX_SEMANTICS;
    call->inherit = (row->object & OBJ_INHERIT) != 0;
    return NULL;
}

/* FILE_CREATE of a FILE_DIRECTORY_FILE, and nothing else about it. */
static bool is_for_create_directory(const struct create_row *row)
{
    return row->disposition == FILE_CREATE && row->options == FILE_DIRECTORY_FILE && !row->attributes && !row->bare &&
           row->object == OBJ_CASE_INSENSITIVE;
}

/* ---- the name ---- */

static bool is_dos_device(const char *component, size_t length)
{
    static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CLOCK$"};
    size_t stem = strcspn(component, ".: \\");

    if (stem > length)
        stem = length;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (stem == strlen(names[i]) && strncasecmp(component, names[i], stem) == 0)
            return true;
    return stem == 4 && (strncasecmp(component, "COM", 3) == 0 || strncasecmp(component, "LPT", 3) == 0);
}

/* Whether Win32 takes a path below a letter or a server as it is. Whatever has an escape in it may not be. */
static bool is_normal(const char *path)
{
    if (strpbrk(path, "/{") || strstr(path, "\\\\") || *path == '\\' || strlen(path) > 200)
        return false;
    while (*path) {
        size_t length = strcspn(path, "\\");

        if (path[length - 1] == '.' || path[length - 1] == ' ' || is_dos_device(path, length))
            return false;
        path += length;
        path += *path == '\\';
    }
    return true;
}

/* The Win32 name of an NT name: "X:\path" or "\\server\share" where Win32 leaves it alone, otherwise by "\\?\". */
static const char *name_for_win32(const struct create_row *row, char *buffer, size_t size)
{
    const char *name = row->name;

    if (row->root[0])
        return "a relative name";
    if (row->dos[0]) {
        snprintf(buffer, size, "%s", strcmp(row->dos, "{}") == 0 ? "" : row->dos);
        return NULL;
    }
    if (strstr(name, "{0000}"))
        return "a name with a NUL in it";
    if (*name != '\\') {
        snprintf(buffer, size, "%sX:\\%s", is_normal(name) ? "" : "\\\\?\\", name);
        return NULL;
    }
    if (strncmp(name, "\\??\\", 4) != 0)
        return "a name outside \\??";
    name += 4;
    if (strncmp(name, "UNC\\", 4) == 0 && is_normal(name + 4))
        snprintf(buffer, size, "\\\\%s", name + 4);
    else if (name[0] && name[1] == ':' && name[2] == '\\' && is_normal(name + 3))
        snprintf(buffer, size, "%s", name);
    else if (name[0] && name[1] == ':' && !name[2])
        snprintf(buffer, size, "\\\\.\\%s", name);
    else
        snprintf(buffer, size, "\\\\?\\%s", name);
    return NULL;
}

static const char *set_name(const struct create_row *row, struct create_call *call)
{
    char name[sizeof(row->name) + 16];
    const char *missing = name_for_win32(row, name, sizeof(name));

    if (!missing && create_name_expand(name, call->name, CALL_NAME_UNITS) < 0)
        return "a name that is too long";
    return missing;
}

/* ---- both ---- */

const char *create_call_of(const struct create_row *row, struct create_call *call)
{
    static const char *(*const parts[])(const struct create_row *, struct create_call *) = {set_creation, set_flags,
                                                                                            set_access, set_attributes};
    const char *missing;

    memset(call, 0, offsetof(struct create_call, name));
    if (row->error == CREATE_NOT_WIN32)
        return "what the row says no call says";
    if (row->allocation != -1 || row->ea[0])
        return "an allocation size, or extended attributes";
    missing = set_name(row, call);
    call->folder = is_for_create_directory(row);
    for (size_t i = 0; !missing && !call->folder && i < sizeof(parts) / sizeof(*parts); i++)
        missing = parts[i](row, call);
    return missing;
}

static int error_of_status(const struct create_table *table, NTSTATUS status)
{
    for (size_t i = 0; i < table->status_count; i++)
        if (table->statuses[i].value == status)
            return table->statuses[i].error;
    return -1;
}

/* CreateFileW tells a file that was there before by the error of a success, and calls a collision by another name. */
static struct create_answer file_answer(const struct create_table *table, const struct create_row *row, NTSTATUS status,
                                        ULONG information)
{
    bool existed = (row->disposition == FILE_OPEN_IF && information == FILE_OPENED) ||
                   (row->disposition == FILE_OVERWRITE_IF && information == FILE_OVERWRITTEN);

    if (NT_SUCCESS(status))
        return (struct create_answer){true, existed ? WIN32_ERROR_ALREADY_EXISTS : 0};
    if (status == STATUS_OBJECT_NAME_COLLISION)
        return (struct create_answer){false, WIN32_ERROR_FILE_EXISTS};
    return (struct create_answer){false, error_of_status(table, status)};
}

struct create_answer create_call_answer(const struct create_table *table, const struct create_row *row, bool smbc,
                                        bool wine)
{
    bool other = smbc && row->smbc.reason[0] && !row->smbc.then;
    NTSTATUS status = other ? row->smbc.status : row->status;
    ULONG information = other ? row->smbc.information : row->information;
    struct create_answer answer;

    if (is_for_create_directory(row))
        answer = (struct create_answer){NT_SUCCESS(status), error_of_status(table, status)};
    else
        answer = file_answer(table, row, status, information);
    if (!other && row->error >= 0)
        answer.error = row->error;
    if (wine && row->wine.reason[0]) {
        answer.error = row->wine.error;
        answer.success =
            answer.error == 0 || (!is_for_create_directory(row) && answer.error == WIN32_ERROR_ALREADY_EXISTS);
    }
    return answer;
}
