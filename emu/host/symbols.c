/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses looked up by libdw, which also knows static functions and lines. See symbols.h. */
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ntemu/pool.h>

/* The module's own file has to do: a look at the pool must not search this system, let alone the network. */
static int find_nothing(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *file,
                        const char *link, GElf_Word checksum, char **ret_file)
{
    return -1;
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = find_nothing};

struct symbols *symbols_open(void)
{
    Dwfl *dwfl = dwfl_begin(&callbacks);

    if (dwfl && (dwfl_linux_proc_report(dwfl, getpid()) != 0 || dwfl_report_end(dwfl, NULL, NULL) != 0)) {
        dwfl_end(dwfl);
        dwfl = NULL;
    }
    return (struct symbols *)dwfl;
}

void symbols_close(struct symbols *symbols)
{
    if (symbols)
        dwfl_end((Dwfl *)symbols);
}

static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
}

struct line {
    const char *file;
    int number;
};

static bool is_header(const struct line *line)
{
    return line->file && strstr(line->file, "/ntemu/") != NULL;
}

/* Where an inlined function is called. */
static void calling_line(Dwarf_Die *unit, Dwarf_Die *inlined, struct line *line)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file, number;
    Dwarf_Files *files;

    if (dwarf_tag(inlined) != DW_TAG_inlined_subroutine || dwarf_getsrcfiles(unit, &files, NULL) != 0 ||
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) != 0 ||
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) != 0)
        return;
    *line = (struct line){dwarf_filesrc(files, file, NULL, NULL), (int)number};
}

/* The allocation routines are inline functions of a header: who calls them is of interest. */
static void leave_headers(Dwfl_Module *module, Dwarf_Addr address, struct line *line)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias), *scopes = NULL;
    int count = unit ? dwarf_getscopes(unit, address - bias, &scopes) : 0;

    for (int i = 0; i < count && is_header(line); i++)
        calling_line(unit, &scopes[i], line);
    free(scopes);
}

static void append_line(Dwfl_Module *module, Dwarf_Addr address, char *text, size_t size)
{
    Dwfl_Line *found = dwfl_module_getsrc(module, address);
    EMU_POOL_SITE site = {.Function = ""};
    struct line line = {NULL, 0};

    line.file = found ? dwfl_lineinfo(found, NULL, &line.number, NULL, NULL, NULL) : NULL;
    if (is_header(&line))
        leave_headers(module, address, &line);
    site.File = line.file;
    if (line.file)
        append(text, size, " %s:%d", EmuPoolSiteFile(&site), line.number);
}

void symbols_describe(struct symbols *symbols, uint64_t address, char *text, size_t size)
{
    /* The call is before its return address, which may be the next line's, or the next function's. */
    Dwarf_Addr call = address - 1;
    Dwfl_Module *module = symbols ? dwfl_addrmodule((Dwfl *)symbols, call) : NULL;
    const char *name, *path;
    GElf_Off offset = 0;
    GElf_Sym symbol;

    text[0] = '\0';
    name = module ? dwfl_module_addrinfo(module, call, &offset, &symbol, NULL, NULL, NULL) : NULL;
    if (name)
        append(text, size, "%s+0x%" PRIx64, name, (uint64_t)offset + 1);
    else
        append(text, size, "0x%" PRIx64, address);
    if (!module)
        return;
    append_line(module, call, text, size);
    path = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    if (path)
        append(text, size, " (%s)", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
}
