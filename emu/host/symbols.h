/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* symbols.h - names for addresses in this process. */
#ifndef RDRLAB_HOST_SYMBOLS_H
#define RDRLAB_HOST_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbols;

/* The modules that are mapped now. NULL: they cannot be read, and symbols_describe knows no names. */
struct symbols *symbols_open(void);
void symbols_close(struct symbols *symbols);

/*
 * symbols_describe - where a return address leads: "RdrFsdCreate+0x5f rdr/create.c:82 (rdrlabd)". What is not known is
 * left out; if nothing is, the address in hexadecimal digits remains.
 */
void symbols_describe(struct symbols *symbols, uint64_t address, char *text, size_t size);

#endif
