/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* differ_tree.c - what a folder holds. */
#include "differ_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define ENTRIES_MAX 64
#define PATH_UNITS  1024

struct entry {
    WCHAR name[MAX_PATH];
    DWORD attributes;
    uint64_t size;
};

struct listing {
    struct entry entries[ENTRIES_MAX];
    unsigned count;
};

static int by_name(const void *a, const void *b)
{
    return _wcsicmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* 0, or why not. Sorted, as no order is promised. */
static DWORD list(const WCHAR *pattern, struct listing *listing)
{
    WIN32_FIND_DATAW found;
    HANDLE find = FindFirstFileW(pattern, &found);
    DWORD error;

    listing->count = 0;
    if (find == INVALID_HANDLE_VALUE)
        return GetLastError();
    do {
        struct entry *entry = &listing->entries[listing->count];

        if (listing->count++ == ENTRIES_MAX) {
            FindClose(find);
            return ERROR_TOO_MANY_NAMES;
        }
        wcscpy(entry->name, found.cFileName);
        entry->attributes = found.dwFileAttributes;
        entry->size = (uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow;
    } while (FindNextFileW(find, &found));
    error = GetLastError();
    FindClose(find);
    qsort(listing->entries, listing->count, sizeof(*listing->entries), by_name);
    return error == ERROR_NO_MORE_FILES ? 0 : error;
}

static void note(struct side *side, const struct entry *entry, struct result *result)
{
    const bool folder = entry->attributes & FILE_ATTRIBUTE_DIRECTORY;
    size_t used = strlen(side->text);
    char line[MAX_PATH * 3 + 64], name[MAX_PATH * 3];

    WideCharToMultiByte(CP_UTF8, 0, entry->name, -1, name, sizeof(name), NULL, NULL);
    snprintf(line, sizeof(line), "%s %llu%s\n", name, folder ? 0ull : (unsigned long long)entry->size,
             folder ? " folder" : "");
    if (used + strlen(line) < SIDE_TEXT_MAX)
        strcpy(side->text + used, line);
    result->value[VALUE_ATTRIBUTES] += pack_attributes(entry->attributes);
    result->value[VALUE_CASE] = hash_bytes(result->value[VALUE_CASE], line, strlen(line));
    result->value[VALUE_TEXT] = hash_bytes(result->value[VALUE_TEXT], _strupr(line), strlen(line));
}

static bool is_dots(const WCHAR *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

void side_find(struct side *side, const WCHAR *pattern, struct result *result)
{
    struct listing *listing = malloc(sizeof(*listing));

    result->error = listing ? list(pattern, listing) : ERROR_OUTOFMEMORY;
    for (unsigned i = 0; !result->error && i < listing->count; i++)
        note(side, &listing->entries[i], result);
    free(listing);
}

/* ---- everything below ---- */

typedef void visit_entry(struct side *side, const WCHAR *path, const struct entry *entry, struct result *result);

/* Files first, a folder after what it holds. */
static void walk(struct side *side, const WCHAR *folder, visit_entry *visit, struct result *result)
{
    struct listing *listing = malloc(sizeof(*listing));
    WCHAR path[PATH_UNITS];
    DWORD error;

    _snwprintf(path, PATH_UNITS, L"%ls\\*", folder);
    error = listing ? list(path, listing) : ERROR_OUTOFMEMORY;
    if (error && !result->error)
        result->error = error;
    for (unsigned i = 0; !error && i < listing->count; i++) {
        const struct entry *entry = &listing->entries[i];

        if (is_dots(entry->name))
            continue;
        _snwprintf(path, PATH_UNITS, L"%ls\\%ls", folder, entry->name);
        if (entry->attributes & FILE_ATTRIBUTE_DIRECTORY)
            walk(side, path, visit, result);
        visit(side, path, entry, result);
    }
    free(listing);
}

static void look_at(struct side *side, const WCHAR *path, const struct entry *entry, struct result *result)
{
    DWORD done = 0;
    HANDLE file;

    note(side, entry, result);
    if (entry->attributes & FILE_ATTRIBUTE_DIRECTORY)
        return;
    file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        result->error = GetLastError();
        return;
    }
    do {
        if (!ReadFile(file, side->buffer, SIDE_TRANSFER_MAX, &done, NULL))
            result->error = GetLastError();
        result->value[VALUE_DATA] = hash_bytes(result->value[VALUE_DATA], side->buffer, done);
    } while (done == SIDE_TRANSFER_MAX && !result->error);
    CloseHandle(file);
}

void side_tree(struct side *side, struct result *result)
{
    walk(side, side->root, look_at, result);
}

static void remove_entry(struct side *side, const WCHAR *path, const struct entry *entry, struct result *result)
{
    const bool folder = entry->attributes & FILE_ATTRIBUTE_DIRECTORY;

    if (entry->attributes & FILE_ATTRIBUTE_READONLY && !SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL))
        result->error = GetLastError();
    if (!(folder ? RemoveDirectoryW(path) : DeleteFileW(path))) {
        result->error = GetLastError();
        WideCharToMultiByte(CP_UTF8, 0, path, -1, side->text, SIDE_TEXT_MAX, NULL, NULL);
    }
}

void side_clean(struct side *side, struct result *result)
{
    walk(side, side->root, remove_entry, result);
    if (!SetFileAttributesW(side->root, FILE_ATTRIBUTE_NORMAL))
        result->error = GetLastError();
}
