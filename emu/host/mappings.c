/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See mappings.h. The table in memory is what counts; the file is written anew with each change. */
#include "mappings.h"

#include "host.h"
#include "peer.h"
#include "smb/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ntemu/ntifs.h>

#define FILE_NAME "mappings"
#define NEW_NAME  "mappings.new"
#define LINE_MOST 8192 /* bytes, and so units of a name */

struct mapping {
    UNICODE_STRING remote, user; /* one block, remote.Buffer; NULL: the letter is not remembered */
    bool connecting;
};

struct mappings {
    struct host *host;
    int folder;
    PEPROCESS process; /* who connects them */
    pthread_t thread;
    pthread_mutex_t lock; /* guards the table and the file */
    bool stopping;        /* lock */
    struct mapping table[WIRE_LETTERS];
};

/* ---- the table; lock is held ---- */

static void clear(struct mapping *mapping)
{
    free(mapping->remote.Buffer);
    *mapping = (struct mapping){0};
}

static bool set(struct mapping *mapping, const UNICODE_STRING *remote, const UNICODE_STRING *user)
{
    struct mapping made = {.remote = {remote->Length, remote->Length, NULL},
                           .user = {user->Length, user->Length, NULL}};

    made.remote.Buffer = malloc((size_t)remote->Length + user->Length + sizeof(WCHAR));
    if (!made.remote.Buffer)
        return false;
    made.user.Buffer = made.remote.Buffer + remote->Length / sizeof(WCHAR);
    memcpy(made.remote.Buffer, remote->Buffer, remote->Length);
    if (user->Length)
        memcpy(made.user.Buffer, user->Buffer, user->Length);
    clear(mapping);
    *mapping = made;
    return true;
}

/* ---- the file; lock is held ---- */

static bool write_text(FILE *file, const UNICODE_STRING *text)
{
    char narrow[3 * LINE_MOST / 2];
    DWORD length;

    return RtlUnicodeToUTF8N(narrow, sizeof(narrow), &length, text->Buffer, text->Length) == STATUS_SUCCESS &&
           fwrite(narrow, 1, length, file) == length;
}

static bool write_lines(FILE *file, const struct mappings *mappings)
{
    for (ULONG letter = 0; letter < WIRE_LETTERS; letter++) {
        const struct mapping *mapping = &mappings->table[letter];
        if (mapping->remote.Buffer &&
            (fprintf(file, "%c:\t", (int)('A' + letter)) < 0 || !write_text(file, &mapping->remote) ||
             fputc('\t', file) == EOF || !write_text(file, &mapping->user) || fputc('\n', file) == EOF))
            return false;
    }
    return fflush(file) == 0 && fsync(fileno(file)) == 0;
}

static bool is_empty(const struct mappings *mappings)
{
    for (ULONG letter = 0; letter < WIRE_LETTERS; letter++)
        if (mappings->table[letter].remote.Buffer)
            return false;
    return true;
}

/* The old file or the new one is there, whatever happens; none if there is nothing to remember. */
static bool save(const struct mappings *mappings)
{
    int fd;
    FILE *file;
    bool good;

    if (is_empty(mappings))
        return unlinkat(mappings->folder, FILE_NAME, 0) == 0 || errno == ENOENT;
    fd = openat(mappings->folder, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    good = file && write_lines(file, mappings);
    if (file)
        good = fclose(file) == 0 && good;
    else if (fd >= 0)
        close(fd);
    good = good && renameat(mappings->folder, NEW_NAME, mappings->folder, FILE_NAME) == 0;
    if (!good)
        unlinkat(mappings->folder, NEW_NAME, 0);
    return good;
}

/* "X: <tab> remote <tab> user"; the line is taken apart. */
static bool take_line(struct mappings *mappings, char *line)
{
    static WCHAR remote_buffer[LINE_MOST], user_buffer[LINE_MOST]; /* one thread, at the start */
    char *remote = line + 3, *user = strlen(line) > 3 ? strchr(line + 3, '\t') : NULL;
    UNICODE_STRING wide_remote = {.Buffer = remote_buffer}, wide_user = {.Buffer = user_buffer};
    struct mapping *mapping;

    if (!user || line[0] < 'A' || line[0] > 'Z' || line[1] != ':' || line[2] != '\t')
        return false;
    *user++ = '\0';
    wide_remote.Length = (USHORT)smb_name_from_utf8(remote, remote_buffer);
    wide_user.Length = (USHORT)smb_name_from_utf8(user, user_buffer);
    if (wide_remote.Length == 0 || (wide_user.Length == 0 && user[0]))
        return false;
    mapping = &mappings->table[line[0] - 'A'];
    if (!set(mapping, &wide_remote, &wide_user))
        return false;
    mapping->connecting = true;
    return true;
}

static void load(struct mappings *mappings)
{
    int fd = openat(mappings->folder, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), number = 0;
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    char line[LINE_MOST];

    if (!file) {
        if (fd >= 0)
            close(fd);
        else if (errno != ENOENT)
            host_error(FILE_NAME ": %s", strerror(errno));
        return;
    }
    while (fgets(line, sizeof(line), file)) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (!take_line(mappings, line))
            host_error(FILE_NAME ":%d: X:, a tab, \\\\server\\share, a tab and a user are expected", number);
    }
    fclose(file);
}

/* ---- connecting them again ---- */

static bool same(const UNICODE_STRING *left, const UNICODE_STRING *right)
{
    return left->Length == right->Length && memcmp(left->Buffer, right->Buffer, left->Length) == 0;
}

/* A copy of the first letter that waits. False: there is none, or the machine goes down. */
static bool next_waiting(struct mappings *mappings, ULONG *ret_letter, struct mapping *copy)
{
    bool found = false;

    pthread_mutex_lock(&mappings->lock);
    for (ULONG letter = 0; letter < WIRE_LETTERS && !found && !mappings->stopping; letter++) {
        const struct mapping *mapping = &mappings->table[letter];
        found = mapping->connecting && set(copy, &mapping->remote, &mapping->user);
        *ret_letter = letter;
    }
    pthread_mutex_unlock(&mappings->lock);
    return found;
}

static void connect_one(struct mappings *mappings, ULONG letter, const struct mapping *mapping)
{
    const struct host *host = mappings->host;
    NTSTATUS status = STATUS_LOGON_FAILURE;

    if (mapping->user.Length == 0 || same(&mapping->user, &host->user))
        status = EmuUseAdd(letter, &mapping->remote, host->user.Length ? &host->user : NULL,
                           host->user.Length ? &host->password : NULL);
    if (NT_SUCCESS(status))
        peer_publish_letters(mappings->host);
    else
        host_log(host, "%c: is not connected again: status 0x%08X", (int)('A' + letter), (unsigned)status);
    pthread_mutex_lock(&mappings->lock);
    mappings->table[letter].connecting = false;
    pthread_mutex_unlock(&mappings->lock);
}

static void *connect_all(void *argument)
{
    struct mappings *mappings = argument;
    struct mapping mapping = {0};
    ULONG letter;

    EmuEnterProcess(mappings->process);
    while (next_waiting(mappings, &letter, &mapping)) {
        connect_one(mappings, letter, &mapping);
        clear(&mapping);
    }
    EmuEnterProcess(NULL);
    return NULL;
}

struct mappings *mappings_open(struct host *host, int folder)
{
    struct mappings *mappings = calloc(1, sizeof(*mappings));

    if (!mappings)
        return NULL;
    mappings->host = host;
    mappings->folder = folder;
    pthread_mutex_init(&mappings->lock, NULL);
    load(mappings);
    mappings->process = EmuCreateProcess(0);
    if (mappings->process && pthread_create(&mappings->thread, NULL, connect_all, mappings) == 0)
        return mappings;
    if (mappings->process)
        EmuDeleteProcess(mappings->process);
    mappings->process = NULL;
    mappings_close(mappings);
    return NULL;
}

void mappings_close(struct mappings *mappings)
{
    if (!mappings)
        return;
    pthread_mutex_lock(&mappings->lock);
    mappings->stopping = true;
    pthread_mutex_unlock(&mappings->lock);
    if (mappings->process) {
        EmuCancelProcessIo(mappings->process);
        pthread_join(mappings->thread, NULL);
        EmuDeleteProcess(mappings->process);
    }
    for (ULONG letter = 0; letter < WIRE_LETTERS; letter++)
        clear(&mappings->table[letter]);
    pthread_mutex_destroy(&mappings->lock);
    free(mappings);
}

/* ---- for clients ---- */

static bool is_theirs(const struct mappings *mappings)
{
    return mappings && PsGetProcessSessionId(PsGetCurrentProcess()) == 0;
}

/* What would end a field of the file. */
static bool has_controls(const UNICODE_STRING *text)
{
    for (ULONG i = 0; i < text->Length / sizeof(WCHAR); i++)
        if (text->Buffer[i] < 32)
            return true;
    return false;
}

NTSTATUS mappings_remember(struct mappings *mappings, ULONG letter, const UNICODE_STRING *remote,
                           const UNICODE_STRING *user)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (!is_theirs(mappings))
        return STATUS_NOT_SUPPORTED;
    if (has_controls(remote) || has_controls(user) || remote->Length + user->Length > LINE_MOST / 2)
        return STATUS_INVALID_PARAMETER;
    pthread_mutex_lock(&mappings->lock);
    if (!set(&mappings->table[letter], remote, user)) {
        status = STATUS_INSUFFICIENT_RESOURCES;
    } else if (!save(mappings)) {
        clear(&mappings->table[letter]);
        status = STATUS_DISK_FULL;
    }
    pthread_mutex_unlock(&mappings->lock);
    return status;
}

bool mappings_forget(struct mappings *mappings, ULONG letter)
{
    bool there;

    if (!is_theirs(mappings))
        return false;
    pthread_mutex_lock(&mappings->lock);
    there = mappings->table[letter].remote.Buffer != NULL;
    if (there) {
        clear(&mappings->table[letter]);
        if (!save(mappings))
            host_error(FILE_NAME ": %s", strerror(errno));
    }
    pthread_mutex_unlock(&mappings->lock);
    return there;
}

bool mappings_has(struct mappings *mappings, ULONG letter)
{
    bool there;

    if (!is_theirs(mappings) || letter >= WIRE_LETTERS)
        return false;
    pthread_mutex_lock(&mappings->lock);
    there = mappings->table[letter].remote.Buffer != NULL;
    pthread_mutex_unlock(&mappings->lock);
    return there;
}

ULONG mappings_find(struct mappings *mappings, ULONG first, ULONG end, bool *connecting, UNICODE_STRING *remote,
                    UNICODE_STRING *user)
{
    ULONG found = end;

    if (!is_theirs(mappings))
        return end;
    pthread_mutex_lock(&mappings->lock);
    for (ULONG letter = first; letter < end && letter < WIRE_LETTERS && found == end; letter++) {
        const struct mapping *mapping = &mappings->table[letter];
        if (!mapping->remote.Buffer || mapping->remote.Length > remote->MaximumLength ||
            mapping->user.Length > user->MaximumLength)
            continue;
        RtlCopyUnicodeString(remote, &mapping->remote);
        RtlCopyUnicodeString(user, &mapping->user);
        *connecting = mapping->connecting;
        found = letter;
    }
    pthread_mutex_unlock(&mappings->lock);
    return found;
}
