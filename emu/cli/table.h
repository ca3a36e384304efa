/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.h - aligned columns out of cells that are not known beforehand. */
#ifndef RDRLAB_TABLE_H
#define RDRLAB_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS 16

struct table {
    size_t columns, rows, capacity;
    char *(*cells)[TABLE_COLUMNS]; /* rows of them */
    const char *right;             /* for each column, 'r' right-aligned, otherwise left; may be shorter */
};

/* Append a row of table->columns texts, which are copied. Out of memory ends the program. */
void table_row(struct table *table, const char *const *cells);

/* Print the rows, two spaces between columns, none at a line's end; then free them. */
void table_print(struct table *table, FILE *file);

#endif
