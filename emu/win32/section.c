/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * section.c - NtCreateSection of a redirected file: a section of a copy, as the file is then.
 *
 * A section that writes to the file is refused: what is written to a copy would not reach it.
 */
#include "copy.h"
#include "guard.h"
#include "handle.h"

#define PROTECTION_MASK 0xff
#define WRITES_FILE     (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)

/* What can be said without the content. */
static NTSTATUS check(uint64_t token, const LARGE_INTEGER *size, ULONG protect, ULONG flags)
{
    LARGE_INTEGER wanted = {.QuadPart = 0};
    int64_t length = 0;
    NTSTATUS status;

    if (size && !guarded_copy(&wanted, size, sizeof(wanted)))
        return STATUS_ACCESS_VIOLATION;
    if (!(flags & SEC_IMAGE) && protect & WRITES_FILE)
        return STATUS_NOT_SUPPORTED;
    status = copy_size(token, &length);
    if (!NT_SUCCESS(status))
        return status;
    if (flags & SEC_IMAGE)
        return length ? STATUS_SUCCESS : STATUS_INVALID_FILE_FOR_SECTION;
    if (length == 0 && wanted.QuadPart == 0)
        return STATUS_MAPPED_FILE_SIZE_ZERO;
    return wanted.QuadPart > length ? STATUS_SECTION_TOO_BIG : STATUS_SUCCESS;
}

static NTSTATUS copy_checked(uint64_t token, const LARGE_INTEGER *size, ULONG protect, ULONG flags, HANDLE *ret_copy)
{
    WCHAR path[COPY_PATH_MAX];
    NTSTATUS status = check(token, size, protect & PROTECTION_MASK, flags);

    return NT_SUCCESS(status) ? copy_make(token, path, ret_copy) : status;
}

/* Wine's loader takes what has no MZ for a Linux library, which it looks for by itself: to it, nothing is there. Both
 * statuses are ERROR_BAD_EXE_FORMAT. */
static NTSTATUS finish(HANDLE copy, NTSTATUS status)
{
    wine.NtClose(copy);
    return status == STATUS_INVALID_IMAGE_NOT_MZ ? STATUS_INVALID_IMAGE_FORMAT : status;
}

NTSTATUS NTAPI hooked_NtCreateSection(PHANDLE ret_section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes,
                                      const LARGE_INTEGER *size, ULONG protect, ULONG flags, HANDLE file)
{
    uint64_t token = handle_token(file);
    HANDLE copy;
    NTSTATUS status;

    if (!token)
        return wine.NtCreateSection(ret_section, access, attributes, size, protect, flags, file);
    status = copy_checked(token, size, protect, flags, &copy);
    if (!NT_SUCCESS(status))
        return status;
    return finish(copy, wine.NtCreateSection(ret_section, access, attributes, size, protect, flags, copy));
}

NTSTATUS NTAPI hooked_NtCreateSectionEx(PHANDLE ret_section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes,
                                        const LARGE_INTEGER *size, ULONG protect, ULONG flags, HANDLE file, PVOID extra,
                                        ULONG extra_count)
{
    uint64_t token = handle_token(file);
    HANDLE copy;
    NTSTATUS status;

    if (!token)
        return wine.NtCreateSectionEx(ret_section, access, attributes, size, protect, flags, file, extra, extra_count);
    status = copy_checked(token, size, protect, flags, &copy);
    if (!NT_SUCCESS(status))
        return status;
    return finish(
        copy, wine.NtCreateSectionEx(ret_section, access, attributes, size, protect, flags, copy, extra, extra_count));
}
