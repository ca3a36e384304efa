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
#include "writable.h"

#define CLASS_STANDARD    5
#define CLASS_NAME        9
#define CLASS_END_OF_FILE 20

#define OBJECT_CLASS_FLAGS 4

#define PAGE         4096u
#define LOCK_OFFSET  INT64_C(0x4000000000000000)
#define LAST_TRIES   100 /* to get the lock when the process ends: whoever had it may be gone */
#define MOST_HANDLES 64
#define MOST_ALIASES 16

struct view {
    struct view *next;
    char *base;
    SIZE_T size;
    int64_t offset;
};

struct writable {
    struct writable *next;
    WCHAR path[COPY_PATH_MAX]; /* the shared copy's, which is the file's in disguise */
    bool read_only;            /* its copy is its own; the next four are not there */
    HANDLE seen;               /* what this process knows to be in the file */
    HANDLE file;               /* keeps the token */
    HANDLE claim;              /* keeps the machine's section: the last, which is the longest */
    uint64_t token;
    HANDLE copy; /* what is mapped */
    HANDLE sections[MOST_HANDLES];
    unsigned section_count;
    struct view *views;
};

static struct {
    SRWLOCK lock; /* all of it */
    DWORD owner;  /* the thread that has the lock, 0: none */
    LONG count;   /* of the list; read without the lock */
    struct writable *list;
    struct alias { /* whose file a token is that is written to */
        uint64_t token;
        WCHAR path[COPY_PATH_MAX];
    } aliases[MOST_ALIASES];
    unsigned next_alias;
} all;

static void enter(void)
{
    AcquireSRWLockExclusive(&all.lock);
    all.owner = GetCurrentThreadId();
}

static void leave(void)
{
    all.owner = 0;
    ReleaseSRWLockExclusive(&all.lock);
}

/* Whether there is anything to look after, and it is not we who are at it: the way to the machine closes handles, too.
 */
static bool is_watching(void)
{
    return all.count && all.owner != GetCurrentThreadId();
}

/* ---- the copy's name ---- */

static uint64_t mix(uint64_t hash, WCHAR c)
{
    return (hash ^ (c >= 'a' && c <= 'z' ? (WCHAR)(c - 32) : c)) * UINT64_C(0x100000001b3);
}

/* Two processes that map a file find each other by it. 128 bits of FNV-1a; a file's name can be longer than any. */
static NTSTATUS name_copy(uint64_t token, WCHAR path[COPY_PATH_MAX])
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
static NTSTATUS lock_copy(HANDLE copy)
{
    LARGE_INTEGER offset = {.QuadPart = LOCK_OFFSET}, length = {.QuadPart = 1};

    return wine.NtLockFile(copy, NULL, NULL, NULL, NULL, &offset, &length, NULL, FALSE, TRUE);
}

static void unlock_copy(HANDLE copy)
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

static NTSTATUS write_back(const struct writable *writable, int64_t from, int64_t to)
{
    struct buffers *buffers;
    NTSTATUS status;

    if (writable->read_only)
        return STATUS_SUCCESS;
    buffers = VirtualAlloc(NULL, sizeof(*buffers), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!buffers)
        return STATUS_NO_MEMORY;
    status = lock_copy(writable->copy);
    if (NT_SUCCESS(status)) {
        status = write_range(writable, buffers, from, to);
        unlock_copy(writable->copy);
    }
    VirtualFree(buffers, 0, MEM_RELEASE);
    return status;
}

/* Where there is nobody to be told. */
static void write_back_or_say(const struct writable *writable, int64_t from, int64_t to)
{
    NTSTATUS status = write_back(writable, from, to);

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
    writable->next = all.list;
    all.list = writable;
    InterlockedIncrement(&all.count);
}

static NTSTATUS find_or_make(uint64_t token, HANDLE file, struct writable **ret_writable)
{
    struct writable *writable;
    WCHAR path[COPY_PATH_MAX];
    NTSTATUS status = name_copy(token, path);

    if (!NT_SUCCESS(status))
        return status;
    for (writable = all.list; writable; writable = writable->next)
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
static void drop_if_unused(struct writable *writable)
{
    struct writable **at = &all.list;

    if (writable->section_count || writable->views)
        return;
    write_back_or_say(writable, 0, INT64_MAX);
    while (*at != writable)
        at = &(*at)->next;
    *at = writable->next;
    if (InterlockedDecrement(&all.count) == 0)
        memset(all.aliases, 0, sizeof(all.aliases)); /* names are not kept for long: a file may get another */
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
    enter();
    status = find_or_make(token, file, &writable);
    if (NT_SUCCESS(status)) {
        status = writable->section_count < MOST_HANDLES ? lock_copy(writable->copy) : STATUS_INSUFFICIENT_RESOURCES;
        if (NT_SUCCESS(status)) {
            status = catch_up(writable, token);
            unlock_copy(writable->copy);
        }
        if (NT_SUCCESS(status)) {
            if (writable->claim)
                wine.NtClose(writable->claim);
            writable->claim = claim;
            *ret_writable = writable;
            *ret_copy = writable->copy;
            return STATUS_SUCCESS; /* until writable_opened */
        }
        drop_if_unused(writable);
    }
    leave();
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
    status = name_copy(token, writable->path);
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

    enter(); /* before the file is read: no write of this process is to come in between */
    status = make_to_read(token, size, ret_writable);
    if (!NT_SUCCESS(status)) {
        leave();
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
    drop_if_unused(writable);
    leave();
}

/* ---- sections and views ---- */

static struct writable *of_section(HANDLE handle, unsigned *ret_index)
{
    for (struct writable *writable = all.list; writable; writable = writable->next)
        for (unsigned i = 0; i < writable->section_count; i++)
            if (writable->sections[i] == handle) {
                *ret_index = i;
                return writable;
            }
    return NULL;
}

static struct writable *of_view(const void *base, struct view ***ret_at)
{
    for (struct writable *writable = all.list; writable; writable = writable->next)
        for (struct view **at = &writable->views; *at; at = &(*at)->next)
            if ((const char *)base >= (*at)->base && (const char *)base < (*at)->base + (*at)->size) {
                *ret_at = at;
                return writable;
            }
    return NULL;
}

static bool is_protected(HANDLE handle)
{
    struct {
        BOOLEAN inherit, protect_from_close;
    } flags;

    return wine.NtQueryObject(handle, OBJECT_CLASS_FLAGS, &flags, sizeof(flags), NULL) == STATUS_SUCCESS &&
           flags.protect_from_close;
}

static void forget_section(HANDLE handle)
{
    unsigned index;
    struct writable *writable = of_section(handle, &index);

    if (!writable || is_protected(handle))
        return;
    writable->sections[index] = writable->sections[--writable->section_count];
    drop_if_unused(writable);
}

void writable_closing(HANDLE handle)
{
    if (!is_watching())
        return;
    enter();
    forget_section(handle);
    leave();
}

bool writable_duplicating(HANDLE source)
{
    unsigned index;

    if (!is_watching())
        return false;
    enter();
    if (of_section(source, &index))
        return true; /* until writable_duplicated */
    leave();
    return false;
}

void writable_duplicated(HANDLE source, HANDLE target, bool closed)
{
    unsigned index;
    struct writable *writable = of_section(source, &index);

    if (target && writable->section_count < MOST_HANDLES)
        writable->sections[writable->section_count++] = target;
    if (closed)
        forget_section(source);
    leave();
}

static void add_view(HANDLE section, void *base, SIZE_T size, int64_t offset)
{
    struct view *view = HeapAlloc(GetProcessHeap(), 0, sizeof(*view));
    struct writable *writable;
    unsigned index;

    enter();
    writable = of_section(section, &index);
    if (writable && view) {
        *view = (struct view){writable->views, base, size, offset};
        writable->views = view;
        view = NULL;
    }
    leave();
    HeapFree(GetProcessHeap(), 0, view);
}

static NTSTATUS note_view(NTSTATUS status, HANDLE section, HANDLE process, PVOID *base, const LARGE_INTEGER *offset,
                          const SIZE_T *size)
{
    if (is_watching() && NT_SUCCESS(status) && handle_is_this_process(process))
        add_view(section, *base, *size, offset ? offset->QuadPart : 0);
    return status;
}

NTSTATUS NTAPI hooked_NtMapViewOfSection(HANDLE section, HANDLE process, PVOID *ret_base, ULONG_PTR zero_bits,
                                         SIZE_T commit, LARGE_INTEGER *offset, SIZE_T *size, ULONG inherit, ULONG type,
                                         ULONG protect)
{
    NTSTATUS status =
        wine.NtMapViewOfSection(section, process, ret_base, zero_bits, commit, offset, size, inherit, type, protect);

    return note_view(status, section, process, ret_base, offset, size);
}

NTSTATUS NTAPI hooked_NtMapViewOfSectionEx(HANDLE section, HANDLE process, PVOID *ret_base, const LARGE_INTEGER *offset,
                                           SIZE_T *size, ULONG type, ULONG protect, PVOID extra, ULONG extra_count)
{
    NTSTATUS status =
        wine.NtMapViewOfSectionEx(section, process, ret_base, offset, size, type, protect, extra, extra_count);

    return note_view(status, section, process, ret_base, offset, size);
}

/* The view that is about to go, written back. With the lock, until end_unmap: the addresses may be another view's
 * afterwards. NULL: it is none of ours, and there is no lock. */
static struct view **begin_unmap(HANDLE process, const void *base, struct writable **ret_writable)
{
    struct view **at;

    if (!is_watching() || !handle_is_this_process(process))
        return NULL;
    enter();
    *ret_writable = of_view(base, &at);
    if (*ret_writable) {
        write_back_or_say(*ret_writable, (*at)->offset, (*at)->offset + (int64_t)(*at)->size);
        return at;
    }
    leave();
    return NULL;
}

static NTSTATUS end_unmap(NTSTATUS status, struct view **at, struct writable *writable)
{
    struct view *view = *at;

    if (NT_SUCCESS(status)) {
        *at = view->next;
        HeapFree(GetProcessHeap(), 0, view);
        drop_if_unused(writable);
    }
    leave();
    return status;
}

NTSTATUS NTAPI hooked_NtUnmapViewOfSection(HANDLE process, PVOID base)
{
    struct writable *writable;
    struct view **at = begin_unmap(process, base, &writable);
    NTSTATUS status = wine.NtUnmapViewOfSection(process, base);

    return at ? end_unmap(status, at, writable) : status;
}

NTSTATUS NTAPI hooked_NtUnmapViewOfSectionEx(HANDLE process, PVOID base, ULONG flags)
{
    struct writable *writable;
    struct view **at = begin_unmap(process, base, &writable);
    NTSTATUS status = wine.NtUnmapViewOfSectionEx(process, base, flags);

    return at ? end_unmap(status, at, writable) : status;
}

NTSTATUS NTAPI hooked_NtFlushVirtualMemory(HANDLE process, const void **base, SIZE_T *size, IO_STATUS_BLOCK *io)
{
    NTSTATUS status = wine.NtFlushVirtualMemory(process, base, size, io);
    struct writable *writable;
    struct view **at;

    if (!is_watching() || !NT_SUCCESS(status) || !handle_is_this_process(process))
        return status;
    enter();
    writable = of_view(*base, &at);
    if (writable)
        status = write_back(writable, (*at)->offset, (*at)->offset + (int64_t)(*at)->size);
    leave();
    return status;
}

/* ---- writes that are no view's ---- */

static const WCHAR *path_of(uint64_t token)
{
    struct alias *alias;

    for (unsigned i = 0; i < MOST_ALIASES; i++)
        if (all.aliases[i].token == token)
            return all.aliases[i].path;
    alias = &all.aliases[all.next_alias++ % MOST_ALIASES];
    alias->token = NT_SUCCESS(name_copy(token, alias->path)) ? token : 0;
    return alias->token ? alias->path : NULL;
}

/* The next one of the file's, behind `after` or from the first on. */
static struct writable *next_of(const WCHAR *path, const struct writable *after)
{
    struct writable *writable = after ? after->next : all.list;

    while (writable && wcscmp(writable->path, path) != 0)
        writable = writable->next;
    return writable;
}

static bool has_writing(void)
{
    const struct writable *writable = all.list;

    while (writable && writable->read_only)
        writable = writable->next;
    return writable != NULL;
}

/* Only those by which is written have somebody to be locked out. */
static void lock_all(const WCHAR *path, bool lock)
{
    for (struct writable *writable = next_of(path, NULL); writable; writable = next_of(path, writable))
        if (!writable->read_only && lock)
            lock_copy(writable->copy);
        else if (!writable->read_only)
            unlock_copy(writable->copy);
}

bool writable_begin_write(uint64_t token)
{
    const WCHAR *path;

    if (!is_watching())
        return false;
    enter();
    path = path_of(token);
    if (path && next_of(path, NULL)) {
        lock_all(path, true);
        return true;
    }
    leave();
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
    leave();
}

void writable_begin_read(uint64_t token, int64_t offset, ULONG length)
{
    const WCHAR *path;

    if (!is_watching())
        return;
    enter();
    path = has_writing() ? path_of(token) : NULL;
    for (struct writable *writable = path ? next_of(path, NULL) : NULL; writable; writable = next_of(path, writable))
        write_back_or_say(writable, offset < 0 ? 0 : offset, offset < 0 ? INT64_MAX : offset + length);
    leave();
}

void writable_end(void)
{
    for (int tries = 0; tries < LAST_TRIES && !TryAcquireSRWLockExclusive(&all.lock); tries++)
        wine.NtYieldExecution();
    all.owner = GetCurrentThreadId();
    for (struct writable *writable = all.list; writable; writable = writable->next) {
        write_back_or_say(writable, 0, INT64_MAX);
        if (writable->file)
            wine.NtClose(writable->file);
    }
    all.list = NULL;
}
