/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* writable_views.c - sections of redirected files, and views of them. */
#include "guard.h"
#include "handle.h"
#include "writable_private.h"

#define OBJECT_CLASS_FLAGS 4

static struct writable *of_section(HANDLE handle, unsigned *ret_index)
{
    for (struct writable *writable = writables.list; writable; writable = writable->next)
        for (unsigned i = 0; i < writable->section_count; i++)
            if (writable->sections[i] == handle) {
                *ret_index = i;
                return writable;
            }
    return NULL;
}

static struct writable *of_view(const void *base, struct view ***ret_at)
{
    for (struct writable *writable = writables.list; writable; writable = writable->next)
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
    writable_drop_if_unused(writable);
}

void writable_closing(HANDLE handle)
{
    if (!writable_is_watching())
        return;
    writable_enter();
    forget_section(handle);
    writable_leave();
}

bool writable_duplicating(HANDLE source)
{
    unsigned index;

    if (!writable_is_watching())
        return false;
    writable_enter();
    if (of_section(source, &index))
        return true; /* until writable_duplicated */
    writable_leave();
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
    writable_leave();
}

static void add_view(HANDLE section, void *base, SIZE_T size, int64_t offset)
{
    struct view *view = HeapAlloc(GetProcessHeap(), 0, sizeof(*view));
    struct writable *writable;
    unsigned index;

    writable_enter();
    writable = of_section(section, &index);
    if (writable && view) {
        *view = (struct view){writable->views, base, size, offset};
        writable->views = view;
        view = NULL;
    }
    writable_leave();
    HeapFree(GetProcessHeap(), 0, view);
}

static NTSTATUS note_view(NTSTATUS status, HANDLE section, HANDLE process, PVOID *base, const LARGE_INTEGER *offset,
                          const SIZE_T *size)
{
    if (writable_is_watching() && NT_SUCCESS(status) && handle_is_this_process(process))
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

    if (!writable_is_watching() || !handle_is_this_process(process))
        return NULL;
    writable_enter();
    *ret_writable = of_view(base, &at);
    if (*ret_writable) {
        writable_write_back_or_say(*ret_writable, (*at)->offset, (*at)->offset + (int64_t)(*at)->size);
        return at;
    }
    writable_leave();
    return NULL;
}

static NTSTATUS end_unmap(NTSTATUS status, struct view **at, struct writable *writable)
{
    struct view *view = *at;

    if (NT_SUCCESS(status)) {
        *at = view->next;
        HeapFree(GetProcessHeap(), 0, view);
        writable_drop_if_unused(writable);
    }
    writable_leave();
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

    if (!writable_is_watching() || !NT_SUCCESS(status) || !handle_is_this_process(process))
        return status;
    writable_enter();
    writable = of_view(*base, &at);
    if (writable)
        status = writable_write_back(writable, (*at)->offset, (*at)->offset + (int64_t)(*at)->size);
    writable_leave();
    return status;
}
