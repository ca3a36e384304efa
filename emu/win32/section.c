/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* section.c - NtCreateSection of a redirected file: a section of a copy. See writable.h for those that are no image. */
#include "copy.h"
#include "guard.h"
#include "handle.h"
#include "writable.h"

#define PROTECTION_MASK 0xff
#define WRITES_FILE     (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)

/* Wine's file that a section is made of. */
struct backing {
    HANDLE file;
    struct writable *writable; /* NULL: an image, whose file is the section's alone */
};

/* Where this or what follows fails there is no section: kernelbase returns the handle without a look at the status. */
static NTSTATUS open_backing(uint64_t token, HANDLE file, PHANDLE ret_section, const LARGE_INTEGER *size, ULONG protect,
                             ULONG flags, struct backing *backing)
{
    const HANDLE none = NULL;
    LARGE_INTEGER wanted = {.QuadPart = 0};
    bool image = flags & SEC_IMAGE;

    backing->writable = NULL;
    if (!guarded_copy(ret_section, &none, sizeof(none)) || (size && !guarded_copy(&wanted, size, sizeof(wanted))))
        return STATUS_ACCESS_VIOLATION;
    if (!image && protect & PROTECTION_MASK & WRITES_FILE)
        return writable_open(token, file, wanted.QuadPart, &backing->writable, &backing->file);
    /* What is executed is read, too: it is a copy. */
    if (flags & SEC_IMAGE)
        return copy_make_section(token, wanted.QuadPart, PAGE_READONLY, SEC_IMAGE, &backing->file);
    return writable_open_to_read(token, wanted.QuadPart, &backing->writable, &backing->file);
}

/* Wine's loader takes what has no MZ for a Linux library, which it looks for by itself: to it, nothing is there. Both
 * statuses are ERROR_BAD_EXE_FORMAT. */
static NTSTATUS close_backing(const struct backing *backing, NTSTATUS status, const HANDLE *section)
{
    if (backing->writable)
        writable_opened(backing->writable, NT_SUCCESS(status) ? *section : NULL);
    else
        wine.NtClose(backing->file);
    return status == STATUS_INVALID_IMAGE_NOT_MZ ? STATUS_INVALID_IMAGE_FORMAT : status;
}

NTSTATUS NTAPI hooked_NtCreateSection(PHANDLE ret_section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes,
                                      const LARGE_INTEGER *size, ULONG protect, ULONG flags, HANDLE file)
{
    uint64_t token = handle_token(file);
    struct backing backing;
    NTSTATUS status;

    if (!token)
        return wine.NtCreateSection(ret_section, access, attributes, size, protect, flags, file);
    status = open_backing(token, file, ret_section, size, protect, flags, &backing);
    if (!NT_SUCCESS(status))
        return status;
    status = wine.NtCreateSection(ret_section, access, attributes, size, protect, flags, backing.file);
    return close_backing(&backing, status, ret_section);
}

NTSTATUS NTAPI hooked_NtCreateSectionEx(PHANDLE ret_section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes,
                                        const LARGE_INTEGER *size, ULONG protect, ULONG flags, HANDLE file, PVOID extra,
                                        ULONG extra_count)
{
    uint64_t token = handle_token(file);
    struct backing backing;
    NTSTATUS status;

    if (!token)
        return wine.NtCreateSectionEx(ret_section, access, attributes, size, protect, flags, file, extra, extra_count);
    status = open_backing(token, file, ret_section, size, protect, flags, &backing);
    if (!NT_SUCCESS(status))
        return status;
    status =
        wine.NtCreateSectionEx(ret_section, access, attributes, size, protect, flags, backing.file, extra, extra_count);
    return close_backing(&backing, status, ret_section);
}
