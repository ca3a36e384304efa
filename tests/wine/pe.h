/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pe.h - what a Windows program's file says about itself: machine, versions, imports. Both word sizes. */
#ifndef RDRLAB_TESTS_PE_H
#define RDRLAB_TESTS_PE_H

#include <stddef.h>
#include <stdint.h>

#define PE_MACHINE_I386  0x014c
#define PE_MACHINE_AMD64 0x8664
#define PE_CONSOLE       3

struct pe {
    unsigned char *bytes; /* owned */
    size_t size;
    uint16_t machine;
    uint16_t subsystem;
    uint16_t subsystem_major, subsystem_minor, system_major, system_minor;
    uint32_t imports, imports_size; /* address and size of the import directory */
    uint32_t sections;              /* offset of the section table in the file */
    uint16_t section_count;
    int wide; /* 64-bit thunks */
};

/* Returns 0; -errno of reading the file; -ENOEXEC for one that is no Windows program. pe_free after 0. */
int pe_read(const char *path, struct pe *ret_pe);
void pe_free(struct pe *pe);

/*
 * pe_each_import - calls found for every imported function; function is NULL for one by ordinal.
 *   Returns  0, -ENOEXEC for a table that leads out of the file, or found's first value that is not 0.
 */
int pe_each_import(const struct pe *pe, int (*found)(void *context, const char *dll, const char *function),
                   void *context);

#endif
