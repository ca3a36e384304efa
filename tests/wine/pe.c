/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pe.c - a reader of Windows program files. Offsets are those of Microsoft's PE format document. */
#include "pe.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTOR_SIZE 20
#define SECTION_SIZE    40

static bool take(const struct pe *pe, size_t offset, void *to, size_t size)
{
    if (offset > pe->size || size > pe->size - offset)
        return false;
    memcpy(to, pe->bytes + offset, size);
    return true;
}

static bool take16(const struct pe *pe, size_t offset, uint16_t *ret)
{
    return take(pe, offset, ret, sizeof(*ret));
}

static bool take32(const struct pe *pe, size_t offset, uint32_t *ret)
{
    return take(pe, offset, ret, sizeof(*ret));
}

/* Address in memory to offset in the file. */
static bool locate(const struct pe *pe, uint32_t address, size_t *ret_offset)
{
    for (uint16_t i = 0; i < pe->section_count; i++) {
        size_t section = pe->sections + (size_t)i * SECTION_SIZE;
        uint32_t start, size, raw;

        if (!take32(pe, section + 12, &start) || !take32(pe, section + 16, &size) || !take32(pe, section + 20, &raw))
            return false;
        if (address < start || address - start >= size)
            continue;
        *ret_offset = (size_t)raw + (address - start);
        return *ret_offset < pe->size;
    }
    return false;
}

static const char *text_at(const struct pe *pe, uint32_t address)
{
    size_t offset;

    if (!locate(pe, address, &offset) || !memchr(pe->bytes + offset, '\0', pe->size - offset))
        return NULL;
    return (const char *)pe->bytes + offset;
}

static bool read_headers(struct pe *pe)
{
    uint16_t magic, optional_size, kind;
    uint32_t header, signature;
    size_t optional, directories;

    if (!take16(pe, 0, &magic) || magic != 0x5A4D || !take32(pe, 0x3c, &header) || !take32(pe, header, &signature) ||
        signature != 0x4550)
        return false;
    optional = (size_t)header + 24;
    if (!take16(pe, header + 4, &pe->machine) || !take16(pe, header + 6, &pe->section_count) ||
        !take16(pe, header + 20, &optional_size) || !take16(pe, optional, &kind) || (kind != 0x10b && kind != 0x20b))
        return false;
    pe->wide = kind == 0x20b;
    pe->sections = (uint32_t)(optional + optional_size);
    directories = optional + (pe->wide ? 112 : 96);
    return take16(pe, optional + 40, &pe->system_major) && take16(pe, optional + 42, &pe->system_minor) &&
           take16(pe, optional + 48, &pe->subsystem_major) && take16(pe, optional + 50, &pe->subsystem_minor) &&
           take16(pe, optional + 68, &pe->subsystem) && take32(pe, directories + 8, &pe->imports) &&
           take32(pe, directories + 12, &pe->imports_size);
}

static int read_whole(const char *path, struct pe *pe)
{
    FILE *file = fopen(path, "rbe");
    long size;
    int rc = 0;

    if (!file)
        return -errno;
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) {
        rc = -errno;
        goto exit;
    }
    pe->size = (size_t)size;
    pe->bytes = malloc(pe->size ? pe->size : 1);
    if (!pe->bytes || fread(pe->bytes, 1, pe->size, file) != pe->size)
        rc = pe->bytes ? -EIO : -ENOMEM;
exit:
    fclose(file);
    return rc;
}

int pe_read(const char *path, struct pe *ret_pe)
{
    struct pe pe = {0};
    int rc = read_whole(path, &pe);

    if (rc == 0 && !read_headers(&pe))
        rc = -ENOEXEC;
    if (rc != 0)
        free(pe.bytes);
    else
        *ret_pe = pe;
    return rc;
}

void pe_free(struct pe *pe)
{
    free(pe->bytes);
    pe->bytes = NULL;
}

static int each_function(const struct pe *pe, uint32_t thunks, const char *dll,
                         int (*found)(void *context, const char *dll, const char *function), void *context)
{
    size_t size = pe->wide ? 8 : 4;

    for (uint32_t address = thunks;; address += (uint32_t)size) {
        const char *function = NULL;
        uint64_t thunk = 0;
        size_t offset;
        int rc;

        if (!locate(pe, address, &offset) || !take(pe, offset, &thunk, size))
            return -ENOEXEC;
        if (!thunk)
            return 0;
        if (!(thunk >> (size * 8 - 1))) {
            function = text_at(pe, (uint32_t)thunk + 2); /* after the hint */
            if (!function)
                return -ENOEXEC;
        }
        rc = found(context, dll, function);
        if (rc != 0)
            return rc;
    }
}

int pe_each_import(const struct pe *pe, int (*found)(void *context, const char *dll, const char *function),
                   void *context)
{
    if (!pe->imports)
        return 0;
    for (uint32_t address = pe->imports;; address += DESCRIPTOR_SIZE) {
        uint32_t lookup, name, thunks;
        const char *dll;
        size_t offset;
        int rc;

        if (!locate(pe, address, &offset) || !take32(pe, offset, &lookup) || !take32(pe, offset + 12, &name) ||
            !take32(pe, offset + 16, &thunks))
            return -ENOEXEC;
        if (!name)
            return 0;
        dll = text_at(pe, name);
        if (!dll)
            return -ENOEXEC;
        rc = each_function(pe, lookup ? lookup : thunks, dll, found, context);
        if (rc != 0)
            return rc;
    }
}
