/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* writable_io.c - reads and writes of mapped files that are no view's. */
#include <wchar.h>

#include "writable_private.h"

static const WCHAR *path_of(uint64_t token)
{
    struct alias *alias;

    for (unsigned i = 0; i < MOST_ALIASES; i++)
        if (writables.aliases[i].token == token)
            return writables.aliases[i].path;
    alias = &writables.aliases[writables.next_alias++ % MOST_ALIASES];
    alias->token = NT_SUCCESS(writable_name_copy(token, alias->path)) ? token : 0;
    return alias->token ? alias->path : NULL;
}

/* The next one of the file's, behind `after` or from the first on. */
static struct writable *next_of(const WCHAR *path, const struct writable *after)
{
    struct writable *writable = after ? after->next : writables.list;

    while (writable && wcscmp(writable->path, path) != 0)
        writable = writable->next;
    return writable;
}

static bool has_writing(void)
{
    const struct writable *writable = writables.list;

    while (writable && writable->read_only)
        writable = writable->next;
    return writable != NULL;
}

/* Only those by which is written have somebody to be locked out. */
static void lock_all(const WCHAR *path, bool lock)
{
    for (struct writable *writable = next_of(path, NULL); writable; writable = next_of(path, writable))
        if (!writable->read_only && lock)
            writable_lock_copy(writable->copy);
        else if (!writable->read_only)
            writable_unlock_copy(writable->copy);
}

bool writable_begin_write(uint64_t token)
{
    const WCHAR *path;

    if (!writable_is_watching())
        return false;
    writable_enter();
    path = path_of(token);
    if (path && next_of(path, NULL)) {
        lock_all(path, true);
        return true;
    }
    writable_leave();
    return false;
}

void writable_written(uint64_t token, const unsigned char *bytes, ULONG length, int64_t offset)
{
    const WCHAR *path = path_of(token);

    for (struct writable *writable = next_of(path, NULL); writable; writable = next_of(path, writable)) {
        copy_write(writable->copy, bytes, length, offset);
        if (!writable->read_only)
            copy_write(writable->seen, bytes, length, offset);
    }
}

void writable_end_write(uint64_t token)
{
    lock_all(path_of(token), false);
    writable_leave();
}

void writable_begin_read(uint64_t token, int64_t offset, ULONG length)
{
    const WCHAR *path;

    if (!writable_is_watching())
        return;
    writable_enter();
    path = has_writing() ? path_of(token) : NULL;
    for (struct writable *writable = path ? next_of(path, NULL) : NULL; writable; writable = next_of(path, writable))
        writable_write_back_or_say(writable, offset < 0 ? 0 : offset, offset < 0 ? INT64_MAX : offset + length);
    writable_leave();
}
