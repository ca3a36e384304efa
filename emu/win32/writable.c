/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <wchar.h>

#include "client.h"
#include "copy.h"
#include "guard.h"
#include "handle.h"
#include "info.h"
#include "report.h"
#include "rw.h"
#include "writable_private.h"

#define CLASS_STANDARD    5
#define CLASS_NAME        9
#define CLASS_END_OF_FILE 20

#define PAGE        4096u
#define LOCK_OFFSET INT64_C(0x4000000000000000)
#define LAST_TRIES  100 /* to get the lock when the process ends: whoever had it may be gone */

struct writables writables;

void writable_enter(void)
{
    AcquireSRWLockExclusive(&writables.lock);
    writables.owner = GetCurrentThreadId();
}

void writable_leave(void)
{
    writables.owner = 0;
    ReleaseSRWLockExclusive(&writables.lock);
}

bool writable_is_watching(void)
{
    return writables.count && writables.owner != GetCurrentThreadId();
}

/* ---- the copy's name ---- */

static uint64_t mix(uint64_t hash, WCHAR c)
{
    return (hash ^ (c >= 'a' && c <= 'z' ? (WCHAR)(c - 32) : c)) * UINT64_C(0x100000001b3);
}

/* Two processes that map a file find each other by it. 128 bits of FNV-1a; a file's name can be longer than any. */
NTSTATUS writable_name_copy(uint64_t token, WCHAR path[COPY_PATH_MAX])
{
    uint64_t first = UINT64_C(0xcbf29ce484222325), second = UINT64_C(0x84222325cbf29ce4), done;
    struct {
        ULONG length;
        WCHAR text[32768];
    } *name = VirtualAlloc(NULL, sizeof(*name), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    NTSTATUS status;

    if (!name)
        return STATUS_NO_MEMORY;
    status = info_query(token, CLASS_NAME, name, sizeof(*name), &done);
    if (status == STATUS_SUCCESS) {
        for (ULONG i = 0; i < name->length / sizeof(WCHAR); i++) {
            first = mix(first, name->text[i]);
            second = mix(second, (WCHAR)(name->text[i] + 1));
        }
        _snwprintf(path, COPY_PATH_MAX, L"%.*ls\\%016I64x%016I64x.w",
                   (int)(client_image_folder()->Length / sizeof(WCHAR)), client_image_folder()->Buffer, first, second);
    }
    VirtualFree(name, 0, MEM_RELEASE);
    return status;
}

/* ---- Wine's files ---- */

static int64_t length_of(HANDLE file)
{
    struct {
        int64_t allocation, end;
        ULONG links, flags;
    } standard = {0};
    IO_STATUS_BLOCK io;

    wine.NtQueryInformationFile(file, &io, &standard, sizeof(standard), CLASS_STANDARD);
    return standard.end;
}

static ULONG read_at(HANDLE file, void *buffer, int64_t offset)
{
    LARGE_INTEGER at = {.QuadPart = offset};
    IO_STATUS_BLOCK io = {.Information = 0};

    if (!NT_SUCCESS(wine.NtReadFile(file, NULL, NULL, NULL, &io, buffer, WIRE_DATA_MAX, &at, NULL)))
        return 0;
    return (ULONG)io.Information;
}

/* Against other processes, and between this one's threads. Freed if its owner dies. Wine takes no status block here. */
NTSTATUS writable_lock_copy(HANDLE copy)
{
    LARGE_INTEGER offset = {.QuadPart = LOCK_OFFSET}, length = {.QuadPart = 1};

    return wine.NtLockFile(copy, NULL, NULL, NULL, NULL, &offset, &length, NULL, FALSE, TRUE);
}

void writable_unlock_copy(HANDLE copy)
{
    LARGE_INTEGER offset = {.QuadPart = LOCK_OFFSET}, length = {.QuadPart = 1};

    wine.NtUnlockFile(copy, NULL, &offset, &length, NULL);
}

/* ---- writing back ---- */

struct buffers {
    unsigned char now[WIRE_DATA_MAX], seen[WIRE_DATA_MAX];
};

/* One run of changed pages. */
static NTSTATUS write_run(const struct writable *writable, const unsigned char *bytes, ULONG length, int64_t offset)
{
    NTSTATUS status = rw_write_pages(writable->token, bytes, offset, length);

    return NT_SUCCESS(status) ? copy_write(writable->seen, bytes, length, offset) : status;
}

static NTSTATUS write_changes(const struct writable *writable, const struct buffers *buffers, ULONG length,
                              int64_t offset)
{
    NTSTATUS status = STATUS_SUCCESS;
    ULONG start = 0, end;

    while (start < length && NT_SUCCESS(status)) {
        for (end = start; end < length; end += PAGE) {
            ULONG part = length - end < PAGE ? length - end : PAGE;

            if (memcmp(buffers->now + end, buffers->seen + end, part) == 0)
                break;
        }
        if (end > length)
            end = length;
        if (end > start)
            status = write_run(writable, buffers->now + start, end - start, offset + start);
        start = end < length ? (end == start ? start + PAGE : end) : length;
    }
    return status;
}

static NTSTATUS write_range(const struct writable *writable, struct buffers *buffers, int64_t from, int64_t to)
{
    NTSTATUS status = STATUS_SUCCESS;

    for (int64_t offset = from - from % PAGE; offset < to && NT_SUCCESS(status); offset += WIRE_DATA_MAX) {
        ULONG length = read_at(writable->copy, buffers->now, offset);
        ULONG seen = read_at(writable->seen, buffers->seen, offset);

        if (!length)
            break;
        if (seen < length)
            memset(buffers->seen + seen, 0, length - seen);
        status = write_changes(writable, buffers, length, offset);
    }
    return status;
}

NTSTATUS writable_write_back(const struct writable *writable, int64_t from, int64_t to)
{
    struct buffers *buffers;
    NTSTATUS status;

    if (writable->read_only)
        return STATUS_SUCCESS;
    buffers = VirtualAlloc(NULL, sizeof(*buffers), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!buffers)
        return STATUS_NO_MEMORY;
    status = writable_lock_copy(writable->copy);
    if (NT_SUCCESS(status)) {
        status = write_range(writable, buffers, from, to);
        writable_unlock_copy(writable->copy);
    }
    VirtualFree(buffers, 0, MEM_RELEASE);
    return status;
}

void writable_write_back_or_say(const struct writable *writable, int64_t from, int64_t to)
{
    NTSTATUS status = writable_write_back(writable, from, to);

    if (!NT_SUCCESS(status))
        report("changes that were made to a mapped file are lost: it cannot be written (%08lx)", status);
}

/* ---- opening ---- */

/* What the copy lacks comes from the file; what this process has not seen of the copy is taken for seen. */
static NTSTATUS catch_up(const struct writable *writable, uint64_t token)
{
    int64_t size, offset;
    unsigned char *buffer;
    NTSTATUS status = copy_size(token, &size);

    if (NT_SUCCESS(status) && length_of(writable->copy) < size)
        status = copy_fill(token, writable->copy, length_of(writable->copy));
    if (NT_SUCCESS(status) && length_of(writable->copy) < size) {
        IO_STATUS_BLOCK io;

        status = wine.NtSetInformationFile(writable->copy, &io, &size, sizeof(size), CLASS_END_OF_FILE);
    }
    if (!NT_SUCCESS(status))
        return status;
    buffer = VirtualAlloc(NULL, WIRE_DATA_MAX, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!buffer)
        return STATUS_NO_MEMORY;
    for (offset = length_of(writable->seen); NT_SUCCESS(status) && offset < size;) {
        ULONG got = read_at(writable->copy, buffer, offset);

        if (!got)
            break;
        status = copy_write(writable->seen, buffer, got, offset);
        offset += got;
    }
    VirtualFree(buffer, 0, MEM_RELEASE);
    return status;
}

static void close_files(const struct writable *writable)
{
    if (writable->file)
        wine.NtClose(writable->file);
    if (writable->seen)
        wine.NtClose(writable->seen);
    if (writable->copy)
        wine.NtClose(writable->copy);
    if (writable->claim)
        wine.NtClose(writable->claim);
}

static NTSTATUS open_files(struct writable *writable, uint64_t token, HANDLE file)
{
    WCHAR path[COPY_PATH_MAX];
    NTSTATUS status = wine.NtDuplicateObject(GetCurrentProcess(), file, GetCurrentProcess(), &writable->file, 0, 0,
                                             DUPLICATE_SAME_ACCESS);

    if (NT_SUCCESS(status))
        status = copy_new(token, path, &writable->seen);
    if (NT_SUCCESS(status))
        status = copy_open(writable->path, GENERIC_READ | GENERIC_WRITE, FILE_OPEN_IF, &writable->copy);
    return status;
}

static void list(struct writable *writable)
{
    writable->next = writables.list;
    writables.list = writable;
    InterlockedIncrement(&writables.count);
}

static NTSTATUS find_or_make(uint64_t token, HANDLE file, struct writable **ret_writable)
{
    struct writable *writable;
    WCHAR path[COPY_PATH_MAX];
    NTSTATUS status = writable_name_copy(token, path);

    if (!NT_SUCCESS(status))
        return status;
    for (writable = writables.list; writable; writable = writable->next)
        if (!writable->read_only && wcscmp(writable->path, path) == 0)
            break;
    if (!writable) {
        writable = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*writable));
        if (!writable)
            return STATUS_NO_MEMORY;
        wcscpy(writable->path, path);
        writable->token = token;
        status = open_files(writable, token, file);
        if (!NT_SUCCESS(status)) {
            close_files(writable);
            HeapFree(GetProcessHeap(), 0, writable);
            return status;
        }
        list(writable);
    }
    *ret_writable = writable;
    return STATUS_SUCCESS;
}

/* Nobody can change it any more: all of it goes back, what other processes did with an inherited section too. */
void writable_drop_if_unused(struct writable *writable)
{
    struct writable **at = &writables.list;

    if (writable->section_count || writable->views)
        return;
    writable_write_back_or_say(writable, 0, INT64_MAX);
    while (*at != writable)
        at = &(*at)->next;
    *at = writable->next;
    if (InterlockedDecrement(&writables.count) == 0)
        memset(writables.aliases, 0,
               sizeof(writables.aliases)); /* names are not kept for long: a file may get another */
    close_files(writable);
    HeapFree(GetProcessHeap(), 0, writable);
}

NTSTATUS writable_open(uint64_t token, HANDLE file, int64_t size, struct writable **ret_writable, HANDLE *ret_copy)
{
    struct writable *writable;
    HANDLE claim;
    NTSTATUS status = copy_section(token, size, PAGE_READWRITE, 0, &claim);

    if (!NT_SUCCESS(status))
        return status;
    writable_enter();
    status = find_or_make(token, file, &writable);
    if (NT_SUCCESS(status)) {
        status =
            writable->section_count < MOST_HANDLES ? writable_lock_copy(writable->copy) : STATUS_INSUFFICIENT_RESOURCES;
        if (NT_SUCCESS(status)) {
            status = catch_up(writable, token);
            writable_unlock_copy(writable->copy);
        }
        if (NT_SUCCESS(status)) {
            if (writable->claim)
                wine.NtClose(writable->claim);
            writable->claim = claim;
            *ret_writable = writable;
            *ret_copy = writable->copy;
            return STATUS_SUCCESS; /* until writable_opened */
        }
        writable_drop_if_unused(writable);
    }
    writable_leave();
    wine.NtClose(claim);
    return status;
}

static NTSTATUS make_to_read(uint64_t token, int64_t size, struct writable **ret_writable)
{
    struct writable *writable = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*writable));
    NTSTATUS status;

    if (!writable)
        return STATUS_NO_MEMORY;
    writable->read_only = true;
    status = writable_name_copy(token, writable->path);
    if (NT_SUCCESS(status))
        status = copy_make_section(token, size, PAGE_READONLY, 0, &writable->copy);
    if (!NT_SUCCESS(status)) {
        HeapFree(GetProcessHeap(), 0, writable);
        return status;
    }
    *ret_writable = writable;
    return status;
}

NTSTATUS writable_open_to_read(uint64_t token, int64_t size, struct writable **ret_writable, HANDLE *ret_copy)
{
    NTSTATUS status;

    writable_enter(); /* before the file is read: no write of this process is to come in between */
    status = make_to_read(token, size, ret_writable);
    if (!NT_SUCCESS(status)) {
        writable_leave();
        return status;
    }
    list(*ret_writable);
    *ret_copy = (*ret_writable)->copy;
    return status; /* until writable_opened */
}

void writable_opened(struct writable *writable, HANDLE section)
{
    if (section)
        writable->sections[writable->section_count++] = section;
    writable_drop_if_unused(writable);
    writable_leave();
}

void writable_end(void)
{
    for (int tries = 0; tries < LAST_TRIES && !TryAcquireSRWLockExclusive(&writables.lock); tries++)
        wine.NtYieldExecution();
    writables.owner = GetCurrentThreadId();
    for (struct writable *writable = writables.list; writable; writable = writable->next) {
        writable_write_back_or_say(writable, 0, INT64_MAX);
        if (writable->file)
            wine.NtClose(writable->file);
    }
    writables.list = NULL;
}
