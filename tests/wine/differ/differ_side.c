/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* differ_side.c - one call in one folder. */
#include "differ_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define PATH_UNITS 1024

/* The current directory is the process's, and there may be two threads. */
static CRITICAL_SECTION current_lock;
static INIT_ONCE current_once = INIT_ONCE_STATIC_INIT;

static BOOL CALLBACK make_lock(PINIT_ONCE once, PVOID parameter, PVOID *context)
{
    InitializeCriticalSection(&current_lock);
    return TRUE;
}

bool side_open(struct side *side, const WCHAR *parent, unsigned number)
{
    InitOnceExecuteOnce(&current_once, make_lock, NULL, NULL);
    memset(side, 0, sizeof(*side));
    for (unsigned i = 0; i < DIFFER_SLOTS; i++)
        side->slots[i] = INVALID_HANDLE_VALUE;
    side->buffer = malloc(SIDE_TRANSFER_MAX);
    _snwprintf(side->root, ARRAYSIZE(side->root) - 1, L"%ls\\%u", parent, number);
    return side->buffer && (CreateDirectoryW(side->root, NULL) || GetLastError() == ERROR_ALREADY_EXISTS);
}

void side_close(struct side *side)
{
    for (unsigned i = 0; i < DIFFER_SLOTS; i++)
        side_drop(side, i);
    RemoveDirectoryW(side->root);
    free(side->buffer);
    side->buffer = NULL;
}

/* ---- names ---- */

static void widen(const char *text, WCHAR *wide)
{
    MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, PATH_UNITS);
}

static void full_name(const struct side *side, struct place place, WCHAR *path)
{
    char name[512];
    WCHAR wide[PATH_UNITS];

    place_name(place, name, sizeof(name));
    widen(name, wide);
    _snwprintf(path, PATH_UNITS, *wide ? L"%ls\\%ls" : L"%ls", side->root, wide);
}

static bool same_place(const struct side *side, struct place a, struct place b)
{
    WCHAR paths[2][PATH_UNITS];

    full_name(side, a, paths[0]);
    full_name(side, b, paths[1]);
    for (int i = 0; i < 2; i++)
        for (size_t end = wcslen(paths[i]); wcschr(L". ", paths[i][end - 1]); end--)
            paths[i][end - 1] = '\0';
    return _wcsicmp(paths[0], paths[1]) == 0;
}

/* ---- handles ---- */

bool side_has(const struct side *side, unsigned slot)
{
    return side->slots[slot] != INVALID_HANDLE_VALUE;
}

static void doom(struct side *side, struct place place)
{
    for (unsigned i = 0; i < DIFFER_SLOTS; i++)
        if (side_has(side, i) && same_place(side, side->opened[i].place, place))
            side->opened[i].doomed = true;
}

static void rename_slots(struct side *side, struct place from, struct place to)
{
    for (unsigned i = 0; i < DIFFER_SLOTS; i++)
        if (side_has(side, i) && same_place(side, side->opened[i].place, from)) {
            side->opened[i].place = to;
            side->opened[i].renamed = true;
            /* Wine then deletes by the old name, X: by the handle. */
            side->incomparable |= side->opened[i].doomed || side->opened[i].flags & FILE_FLAG_DELETE_ON_CLOSE;
        }
}

static BOOL close_slot(struct side *side, unsigned slot)
{
    HANDLE file = side->slots[slot];

    side->slots[slot] = INVALID_HANDLE_VALUE;
    if (side->opened[slot].flags & FILE_FLAG_DELETE_ON_CLOSE)
        doom(side, side->opened[slot].place);
    return CloseHandle(file);
}

void side_drop(struct side *side, unsigned slot)
{
    if (side_has(side, slot))
        close_slot(side, slot);
}

void side_follow(struct side *side, const struct side *first, unsigned slot)
{
    LARGE_INTEGER position = {.QuadPart = 0};

    if (side_has(side, slot) && side_has(first, slot) &&
        SetFilePointerEx(first->slots[slot], position, &position, FILE_CURRENT))
        SetFilePointerEx(side->slots[slot], position, NULL, FILE_BEGIN);
}

/* The call's name as it is given to Win32. Relative: enters the folder, too; *ret_error is why it could not. */
static void enter(const struct side *side, const struct call *call, WCHAR *path, uint32_t *ret_error)
{
    struct place folder = {.folder = call->place.folder}, leaf = {.leaf = call->place.leaf};
    char name[512];

    *ret_error = 0;
    full_name(side, call->place, path);
    if (!call->relative)
        return;
    EnterCriticalSection(&current_lock);
    full_name(side, folder, path);
    if (!SetCurrentDirectoryW(path))
        *ret_error = RESULT_ENTERING + GetLastError();
    place_name(leaf, name, sizeof(name));
    widen(*name ? name : ".", path);
}

static void leave(const struct call *call)
{
    DWORD error = GetLastError();

    if (!call->relative)
        return;
    SetCurrentDirectoryW(L"C:\\");
    LeaveCriticalSection(&current_lock);
    SetLastError(error);
}

/* ---- values ---- */

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    hash ^= 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3;
    return hash;
}

uint64_t pack_attributes(DWORD attributes)
{
    static const DWORD bits[] = {FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM,
                                 FILE_ATTRIBUTE_ARCHIVE,  FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_DIRECTORY};
    uint64_t packed = 0, rest = attributes;

    for (size_t i = 0; i < ARRAYSIZE(bits); i++) {
        packed |= (uint64_t)((attributes & bits[i]) != 0) << 8 * i;
        rest &= ~(uint64_t)bits[i];
    }
    return packed | (uint64_t)(rest != 0) << 48;
}

/* Success, or the error that the call left. */
static void take(struct result *result, BOOL success)
{
    result->error = success ? 0 : GetLastError();
}

static void take_position(struct result *result, HANDLE file)
{
    LARGE_INTEGER zero = {.QuadPart = 0}, position;

    if (SetFilePointerEx(file, zero, &position, FILE_CURRENT))
        result->value[VALUE_POSITION] = (uint64_t)position.QuadPart;
}

/* A name below the folder's own, in whatever way it begins. */
static void take_name(struct side *side, const WCHAR *name, struct result *result)
{
    const WCHAR *found = wcsstr(name, side->root + 2); /* behind the letter */
    WCHAR tail[PATH_UNITS];

    wcscpy(tail, found ? found + wcslen(side->root + 2) : name);
    result->value[VALUE_CASE] = hash_bytes(0, tail, wcslen(tail) * sizeof(WCHAR));
    CharUpperW(tail);
    result->value[VALUE_TEXT] = hash_bytes(0, tail, wcslen(tail) * sizeof(WCHAR));
    WideCharToMultiByte(CP_UTF8, 0, name, -1, side->text, SIDE_TEXT_MAX, NULL, NULL);
}

/* ---- calls by name ---- */

static void play_create(struct side *side, const struct call *call, const WCHAR *path, struct result *result)
{
    HANDLE file;
    DWORD error;

    side_drop(side, call->slot);
    SetLastError(0xdead);
    file = CreateFileW(path, call->access, call->share, NULL, call->disposition, call->flags, NULL);
    error = GetLastError();
    side->slots[call->slot] = file;
    side->opened[call->slot] = (struct opened){call->place, call->access, call->flags, false, false};
    if (file == INVALID_HANDLE_VALUE)
        result->error = error;
    else if (call->disposition == CREATE_ALWAYS || call->disposition == OPEN_ALWAYS)
        result->value[VALUE_EXISTED] = error;
}

static void play_attributes(const WCHAR *path, struct result *result)
{
    WIN32_FILE_ATTRIBUTE_DATA data = {0};

    take(result, GetFileAttributesExW(path, GetFileExInfoStandard, &data));
    if (result->error)
        return;
    result->value[VALUE_ATTRIBUTES] = pack_attributes(data.dwFileAttributes);
    if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        result->value[VALUE_SIZE] = (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow;
}

static void play_current(struct side *side, const WCHAR *path, struct result *result)
{
    WCHAR name[PATH_UNITS] = L"";

    EnterCriticalSection(&current_lock);
    take(result, SetCurrentDirectoryW(path));
    if (!result->error && GetCurrentDirectoryW(PATH_UNITS, name))
        take_name(side, name, result);
    SetCurrentDirectoryW(L"C:\\");
    LeaveCriticalSection(&current_lock);
}

static void play_full_name(struct side *side, const WCHAR *path, struct result *result)
{
    WCHAR name[PATH_UNITS] = L"";

    take(result, GetFullPathNameW(path, PATH_UNITS, name, NULL) != 0);
    if (!result->error)
        take_name(side, name, result);
}

static void play_by_name(struct side *side, const struct call *call, struct result *result)
{
    WCHAR path[PATH_UNITS], path2[PATH_UNITS];

    enter(side, call, path, &result->error);
    full_name(side, call->place2, path2);
    SetLastError(0xdead);
    if (result->error) {
        leave(call);
        return;
    }
    switch (call->kind) {
    case CALL_CREATE:
        play_create(side, call, path, result);
        break;
    case CALL_ATTRIBUTES:
        play_attributes(path, result);
        break;
    case CALL_SET_ATTRIBUTES:
        take(result, SetFileAttributesW(path, call->flags));
        break;
    case CALL_MOVE:
        take(result, MoveFileExW(path, path2, call->flags));
        if (!result->error)
            rename_slots(side, call->place, call->place2);
        /* Wine has deleted what was to be replaced when it finds that a directory would be put into itself. */
        side->incomparable |= result->error == ERROR_INVALID_PARAMETER && call->flags & MOVEFILE_REPLACE_EXISTING;
        break;
    case CALL_COPY:
        take(result, CopyFileW(path, path2, call->flags != 0));
        /* Wine's takes a read that fails, as one of a locked range does, for the end. */
        side->incomparable |= side->locked;
        break;
    case CALL_DELETE:
        take(result, DeleteFileW(path));
        if (!result->error)
            doom(side, call->place);
        break;
    case CALL_MAKE_FOLDER:
        take(result, CreateDirectoryW(path, NULL));
        break;
    case CALL_REMOVE_FOLDER:
        take(result, RemoveDirectoryW(path));
        if (!result->error)
            doom(side, call->place);
        break;
    case CALL_FULL_NAME:
        play_full_name(side, path, result);
        break;
    default:
        break;
    }
    leave(call);
}

/* ---- calls by handle ---- */

static OVERLAPPED at_offset(uint64_t offset)
{
    return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
}

static void play_read(struct side *side, const struct call *call, HANDLE file, struct result *result)
{
    OVERLAPPED at = at_offset(call->offset);
    DWORD done = 0;

    take(result, ReadFile(file, side->buffer, call->size, &done, call->kind == CALL_READ_AT ? &at : NULL));
    result->value[VALUE_COUNT] = done;
    result->value[VALUE_DATA] = hash_bytes(0, side->buffer, done < SIDE_TRANSFER_MAX ? done : 0);
    take_position(result, file);
}

static void play_write(struct side *side, const struct call *call, HANDLE file, struct result *result)
{
    OVERLAPPED at = at_offset(call->offset);
    uint32_t noise = call->number * 2654435761u + 1;
    DWORD done = 0;

    for (uint32_t i = 0; i < call->size; i++) {
        noise = noise * 1664525 + 1013904223;
        side->buffer[i] = (unsigned char)(noise >> 24);
    }
    take(result, WriteFile(file, side->buffer, call->size, &done, call->kind == CALL_WRITE_AT ? &at : NULL));
    result->value[VALUE_COUNT] = done;
    take_position(result, file);
}

static void play_seek(const struct call *call, HANDLE file, struct result *result)
{
    LARGE_INTEGER distance = {.QuadPart = (LONGLONG)call->offset}, position = {.QuadPart = 0};

    take(result, SetFilePointerEx(file, distance, &position, call->how));
    if (!result->error)
        result->value[VALUE_POSITION] = (uint64_t)position.QuadPart;
}

static void play_information(HANDLE file, struct result *result)
{
    BY_HANDLE_FILE_INFORMATION data = {0};

    take(result, GetFileInformationByHandle(file, &data));
    if (result->error)
        return;
    result->value[VALUE_ATTRIBUTES] = pack_attributes(data.dwFileAttributes);
    result->value[VALUE_LINKS] = data.nNumberOfLinks;
    if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        result->value[VALUE_SIZE] = (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow;
}

static void play_final_name(struct side *side, HANDLE file, struct result *result)
{
    WCHAR name[PATH_UNITS] = L"";

    take(result, GetFinalPathNameByHandleW(file, name, PATH_UNITS, 0) != 0);
    if (!result->error)
        take_name(side, name, result);
}

/* 2020-09-13 and up to twelve days later, in whole seconds. */
static void play_set_time(const struct call *call, HANDLE file, struct result *result)
{
    const uint64_t time = (132444288000000000 / 10000000 + call->how) * 10000000;
    FILETIME written = {.dwLowDateTime = (DWORD)time, .dwHighDateTime = (DWORD)(time >> 32)};

    take(result, SetFileTime(file, NULL, NULL, &written));
    if (!result->error && GetFileTime(file, NULL, NULL, &written))
        result->value[VALUE_TIME] = (uint64_t)written.dwHighDateTime << 32 | written.dwLowDateTime;
}

static void play_duplicate(struct side *side, const struct call *call, HANDLE file, struct result *result)
{
    HANDLE copy = INVALID_HANDLE_VALUE;

    take(result,
         DuplicateHandle(GetCurrentProcess(), file, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    if (result->error || call->slot == call->slot2) {
        if (!result->error)
            CloseHandle(copy);
        return;
    }
    side_drop(side, call->slot2);
    side->slots[call->slot2] = copy;
    side->opened[call->slot2] = side->opened[call->slot];
    side->opened[call->slot2].flags &= ~(DWORD)FILE_FLAG_DELETE_ON_CLOSE; /* one of the two marks it */
}

static void play_by_handle(struct side *side, const struct call *call, struct result *result)
{
    HANDLE file = side->slots[call->slot];
    OVERLAPPED at = at_offset(call->offset);
    LARGE_INTEGER size = {.QuadPart = 0};
    FILETIME written;

    SetLastError(0xdead);
    switch (call->kind) {
    case CALL_CLOSE:
        take(result, close_slot(side, call->slot));
        break;
    case CALL_READ:
    case CALL_READ_AT:
        play_read(side, call, file, result);
        break;
    case CALL_WRITE:
    case CALL_WRITE_AT:
        play_write(side, call, file, result);
        break;
    case CALL_SEEK:
        play_seek(call, file, result);
        break;
    case CALL_SET_END:
        take(result, SetEndOfFile(file));
        break;
    case CALL_FLUSH:
        take(result, FlushFileBuffers(file));
        break;
    case CALL_SIZE:
        take(result, GetFileSizeEx(file, &size));
        result->value[VALUE_SIZE] = (uint64_t)size.QuadPart;
        break;
    case CALL_INFORMATION:
        play_information(file, result);
        break;
    case CALL_TYPE:
        result->value[VALUE_COUNT] = GetFileType(file);
        break;
    case CALL_FINAL_NAME:
        play_final_name(side, file, result);
        break;
    case CALL_SET_TIME:
        play_set_time(call, file, result);
        break;
    case CALL_GET_TIME:
        take(result, GetFileTime(file, NULL, NULL, &written));
        break;
    case CALL_DUPLICATE:
        play_duplicate(side, call, file, result);
        break;
    case CALL_LOCK:
        take(result, LockFileEx(file, call->flags, 0, call->size, 0, &at));
        side->locked |= !result->error;
        /* To Wine a range of no bytes reaches to the end of the file. */
        side->incomparable |= !result->error && call->size == 0;
        break;
    case CALL_UNLOCK:
        take(result, UnlockFileEx(file, 0, call->size, 0, &at));
        break;
    default:
        break;
    }
}

struct result side_play(struct side *side, const struct call *call)
{
    struct result result = {.played = true};
    WCHAR path[PATH_UNITS], pattern[64];

    side->text[0] = '\0';
    switch (call->kind) {
    case CALL_CREATE:
    case CALL_ATTRIBUTES:
    case CALL_SET_ATTRIBUTES:
    case CALL_MOVE:
    case CALL_COPY:
    case CALL_DELETE:
    case CALL_MAKE_FOLDER:
    case CALL_REMOVE_FOLDER:
    case CALL_FULL_NAME:
        play_by_name(side, call, &result);
        break;
    case CALL_CURRENT:
        full_name(side, call->place, path);
        play_current(side, path, &result);
        break;
    case CALL_FIND:
        full_name(side, call->place, path);
        widen(find_pattern(call->how), pattern);
        wcscat(wcscat(path, L"\\"), pattern);
        side_find(side, path, &result);
        break;
    case CALL_TREE:
        for (unsigned i = 0; i < DIFFER_SLOTS; i++)
            side_drop(side, i);
        side_tree(side, &result);
        break;
    case CALL_CLEAN:
        side->locked = side->incomparable = false;
        side_clean(side, &result);
        break;
    default:
        result.played = side_has(side, call->slot);
        if (result.played)
            play_by_handle(side, call, &result);
        break;
    }
    return result;
}

/* ---- the state that explanations ask for ---- */

#define DATA_ACCESS                                                                                                    \
    (GENERIC_READ | GENERIC_WRITE | GENERIC_ALL | MAXIMUM_ALLOWED | DELETE | FILE_READ_DATA | FILE_WRITE_DATA |        \
     FILE_APPEND_DATA | FILE_EXECUTE)

static unsigned state_of(const struct side *side, struct place place)
{
    WCHAR path[PATH_UNITS];
    DWORD attributes;
    unsigned state;

    full_name(side, place, path);
    attributes = GetFileAttributesW(path);
    state = attributes == INVALID_FILE_ATTRIBUTES   ? STATE_ABSENT
            : attributes & FILE_ATTRIBUTE_DIRECTORY ? STATE_FOLDER
                                                    : STATE_FILE;
    if (state != STATE_ABSENT && attributes & FILE_ATTRIBUTE_READONLY)
        state |= STATE_READ_ONLY;
    if (state != STATE_ABSENT && attributes & (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM))
        state |= STATE_HIDDEN;
    for (unsigned i = 0; i < DIFFER_SLOTS; i++) {
        const struct opened *opened = &side->opened[i];

        if (!side_has(side, i) || !same_place(side, opened->place, place))
            continue;
        state |= STATE_OPEN | (opened->access & MAXIMUM_ALLOWED ? STATE_MAXIMUM : 0) |
                 (opened->doomed ? STATE_DOOMED : 0) | (opened->renamed ? STATE_RENAMED : 0) |
                 (opened->access & DATA_ACCESS ? 0 : STATE_WEAK);
    }
    return state;
}

static unsigned handle_state(const struct opened *opened)
{
    const DWORD write = GENERIC_WRITE | GENERIC_ALL | MAXIMUM_ALLOWED;

    return (opened->access & (write | GENERIC_READ) ? 0 : STATE_NO_DATA) |
           (opened->access & write ? 0 : STATE_NO_WRITE) |
           (opened->access & (write | FILE_WRITE_ATTRIBUTES) ? 0 : STATE_NO_ATTRIBUTES);
}

/* A slot has the folder of a name open. */
static unsigned parent_state(const struct side *side, struct place place)
{
    const struct place parent = {.folder = place.leaf == 0 ? place_parent(place.folder) : place.folder};

    return state_of(side, parent) & STATE_OPEN ? STATE_PARENT_OPEN : 0;
}

unsigned side_state(struct side *side, const struct call *call)
{
    const bool by_handle = call->kind >= CALL_CLOSE && call->kind <= CALL_UNLOCK;
    const struct place first = by_handle ? side->opened[call->slot].place : call->place;

    return state_of(side, first) | (by_handle ? handle_state(&side->opened[call->slot]) : 0) |
           (state_of(side, call->place2) | parent_state(side, call->place2)) * STATE_SECOND;
}
