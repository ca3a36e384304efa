/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.c - aligned columns. See table.h. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

/* Columns of a terminal that UTF-8 text takes, one per character. */
static size_t width(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static void *enough(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

void table_row(struct table *table, const char *const *cells)
{
    if (table->rows == table->capacity) {
        table->capacity = table->capacity * 2 + 16;
        table->cells = enough(realloc(table->cells, table->capacity * sizeof(*table->cells)));
    }
    for (size_t i = 0; i < table->columns; i++)
        table->cells[table->rows][i] = enough(strdup(cells[i]));
    table->rows++;
}

static void print_cell(FILE *file, const char *text, size_t column_width, int right, int last)
{
    int pad = (int)(column_width - width(text));

    if (right)
        fprintf(file, "%*s%s", pad, "", text);
    else
        fprintf(file, "%s%*s", text, last ? 0 : pad, "");
    fputs(last ? "\n" : "  ", file);
}

void table_print(struct table *table, FILE *file)
{
    size_t widths[TABLE_COLUMNS] = {0}, right = table->right != NULL ? strlen(table->right) : 0;

    for (size_t row = 0; row < table->rows; row++) {
        for (size_t i = 0; i < table->columns; i++) {
            if (width(table->cells[row][i]) > widths[i])
                widths[i] = width(table->cells[row][i]);
        }
    }
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t i = 0; i < table->columns; i++) {
            print_cell(file, table->cells[row][i], widths[i], i < right && table->right[i] == 'r',
                       i + 1 == table->columns);
            free(table->cells[row][i]);
        }
    }
    free(table->cells);
    *table = (struct table){0};
}
