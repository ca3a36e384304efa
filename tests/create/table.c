/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.c - reading the table of creates. See table.h. */
#include "table.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ntemu/wdm.h>

#define MAX_COLUMNS 24

/* A place in a file: every complaint names it. */
struct reader {
    struct create_table *table;
    const char *file; /* lives as long as the table */
    int line;
    char columns[MAX_COLUMNS][16];
    int column_count;
    struct create_row given; /* what "with:" lines say */
    bool wrong;
};

struct word {
    const char *name;
    ULONG value;
};

static const struct word accesses[] = {
    {"0", 0},
    {"R", FILE_READ_DATA},
    {"W", FILE_WRITE_DATA},
    {"A", FILE_APPEND_DATA},
    {"REA", FILE_READ_EA},
    {"WEA", FILE_WRITE_EA},
    {"X", FILE_EXECUTE},
    {"DC", FILE_DELETE_CHILD},
    {"RA", FILE_READ_ATTRIBUTES},
    {"WA", FILE_WRITE_ATTRIBUTES},
    {"D", DELETE},
    {"RC", READ_CONTROL},
    {"WDAC", WRITE_DAC},
    {"WO", WRITE_OWNER},
    {"S", SYNCHRONIZE},
    {"SEC", ACCESS_SYSTEM_SECURITY},
    {"MAX", MAXIMUM_ALLOWED},
    {"GR", GENERIC_READ},
    {"GW", GENERIC_WRITE},
    {"GX", GENERIC_EXECUTE},
    {"GA", GENERIC_ALL},
    {NULL, 0},
};

static const struct word shares[] = {
    {"0", 0},
    {"r", FILE_SHARE_READ},
    {"w", FILE_SHARE_WRITE},
    {"d", FILE_SHARE_DELETE},
    {"rw", FILE_SHARE_READ | FILE_SHARE_WRITE},
    {"rd", FILE_SHARE_READ | FILE_SHARE_DELETE},
    {"wd", FILE_SHARE_WRITE | FILE_SHARE_DELETE},
    {"rwd", FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE},
    {NULL, 0},
};

static const struct word dispositions[] = {
    {"SUPERSEDE", FILE_SUPERSEDE},
    {"OPEN", FILE_OPEN},
    {"CREATE", FILE_CREATE},
    {"OPEN_IF", FILE_OPEN_IF},
    {"OVERWRITE", FILE_OVERWRITE},
    {"OVERWRITE_IF", FILE_OVERWRITE_IF},
    {NULL, 0},
};

static const struct word options[] = {
    {"-", 0},
    {"directory", FILE_DIRECTORY_FILE},
    {"file", FILE_NON_DIRECTORY_FILE},
    {"through", FILE_WRITE_THROUGH},
    {"sequential", FILE_SEQUENTIAL_ONLY},
    {"random", FILE_RANDOM_ACCESS},
    {"unbuffered", FILE_NO_INTERMEDIATE_BUFFERING},
    {"alert", FILE_SYNCHRONOUS_IO_ALERT},
    {"nonalert", FILE_SYNCHRONOUS_IO_NONALERT},
    {"tree", FILE_CREATE_TREE_CONNECTION},
    {"oplocked", FILE_COMPLETE_IF_OPLOCKED},
    {"no-ea", FILE_NO_EA_KNOWLEDGE},
    {"on-close", FILE_DELETE_ON_CLOSE},
    {"by-id", FILE_OPEN_BY_FILE_ID},
    {"backup", FILE_OPEN_FOR_BACKUP_INTENT},
    {"no-compression", FILE_NO_COMPRESSION},
    {"reparse", FILE_OPEN_REPARSE_POINT},
    {"no-recall", 0x00400000},
    {"free-space", FILE_OPEN_FOR_FREE_SPACE_QUERY},
    {NULL, 0},
};

static const struct word attributes[] = {
    {"-", 0},
    {"R", FILE_ATTRIBUTE_READONLY},
    {"H", FILE_ATTRIBUTE_HIDDEN},
    {"S", FILE_ATTRIBUTE_SYSTEM},
    {"D", FILE_ATTRIBUTE_DIRECTORY},
    {"A", FILE_ATTRIBUTE_ARCHIVE},
    {"N", FILE_ATTRIBUTE_NORMAL},
    {"T", FILE_ATTRIBUTE_TEMPORARY},
    {"C", FILE_ATTRIBUTE_COMPRESSED},
    {"O", FILE_ATTRIBUTE_OFFLINE},
    {"E", FILE_ATTRIBUTE_ENCRYPTED},
    {NULL, 0},
};

static const struct word objects[] = {
    {"-", 0},
    {"nocase", OBJ_CASE_INSENSITIVE},
    {"inherit", OBJ_INHERIT},
    {"exclusive", OBJ_EXCLUSIVE},
    {"openlink", OBJ_OPENLINK},
    {NULL, 0},
};

static const struct word classes[] = {
    {"SUPERSEDED", FILE_SUPERSEDED},
    {"OPENED", FILE_OPENED},
    {"CREATED", FILE_CREATED},
    {"OVERWRITTEN", FILE_OVERWRITTEN},
    {NULL, 0},
};

static void __attribute__((format(printf, 2, 3))) wrong(struct reader *reader, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s:%d: ", reader->file, reader->line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    reader->wrong = true;
}

/* ---- one value ---- */

static ULONG one_word(struct reader *reader, const struct word *words, const char *text)
{
    char *end;
    unsigned long number;

    for (; words->name; words++)
        if (strcmp(words->name, text) == 0)
            return words->value;
    number = strtoul(text, &end, 0);
    if (*end || end == text)
        wrong(reader, "no word \"%s\"", text);
    return (ULONG)number;
}

/* "GR+D+0x800000" */
static ULONG sum_of_words(struct reader *reader, const struct word *words, const char *text)
{
    char copy[128], *rest = copy, *part;
    ULONG sum = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    while ((part = strsep(&rest, "+")) != NULL)
        sum |= one_word(reader, words, part);
    return sum;
}

static NTSTATUS status_of(struct reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->table->status_count; i++)
        if (strcmp(reader->table->statuses[i].name, name) == 0)
            return reader->table->statuses[i].value;
    wrong(reader, "no status %s in statuses.table", name);
    return STATUS_UNSUCCESSFUL;
}

static void copy_text(struct reader *reader, char *to, size_t size, const char *text)
{
    if (snprintf(to, size, "%s", strcmp(text, "-") == 0 ? "" : text) >= (int)size)
        wrong(reader, "too long: %s", text);
}

static int error_of(const char *text)
{
    if (strcmp(text, "-") == 0)
        return CREATE_NOT_WIN32;
    if (strcmp(text, "*") == 0)
        return CREATE_BY_STATUS;
    return atoi(text);
}

/* "reason:SHARING_VIOLATION", "reason:OVERWRITTEN" (a success all the same), and for Wine "reason:32". */
static void set_difference(struct reader *reader, struct create_difference *difference, const char *text)
{
    const char *colon = strchr(text, ':');

    memset(difference, 0, sizeof(*difference));
    if (strcmp(text, "-") == 0)
        return;
    if (!colon || colon - text >= (int)sizeof(difference->reason)) {
        wrong(reader, "a difference is REASON:ANSWER, not \"%s\"", text);
        return;
    }
    memcpy(difference->reason, text, (size_t)(colon - text));
    colon++;
    if (difference == &reader->given.wine || (*colon >= '0' && *colon <= '9')) {
        difference->error = atoi(colon);
        return;
    }
    if (strcmp(colon, "then") == 0) {
        difference->then = true;
        return;
    }
    difference->status = STATUS_SUCCESS;
    for (const struct word *w = classes; w->name; w++)
        if (strcmp(w->name, colon) == 0) {
            difference->information = w->value;
            return;
        }
    difference->status = status_of(reader, colon);
}

static void set_column(struct reader *reader, struct create_row *row, const char *column, const char *text)
{
    if (strcmp(column, "id") == 0)
        copy_text(reader, row->id, sizeof(row->id), text);
    else if (strcmp(column, "state") == 0)
        copy_text(reader, row->state, sizeof(row->state), text);
    else if (strcmp(column, "name") == 0)
        copy_text(reader, row->name, sizeof(row->name), text);
    else if (strcmp(column, "root") == 0)
        copy_text(reader, row->root, sizeof(row->root), text);
    else if (strcmp(column, "dos") == 0)
        copy_text(reader, row->dos, sizeof(row->dos), text);
    else if (strcmp(column, "access") == 0)
        row->access = sum_of_words(reader, accesses, text);
    else if (strcmp(column, "share") == 0)
        row->share = one_word(reader, shares, text);
    else if (strcmp(column, "disposition") == 0)
        row->disposition = one_word(reader, dispositions, text);
    else if (strcmp(column, "options") == 0)
        row->options = sum_of_words(reader, options, text);
    else if (strcmp(column, "attributes") == 0)
        row->attributes = sum_of_words(reader, attributes, text);
    else if (strcmp(column, "object") == 0)
        row->object = sum_of_words(reader, objects, text);
    else if (strcmp(column, "by") == 0)
        copy_text(reader, row->by, sizeof(row->by), text);
    else if (strcmp(column, "bare") == 0)
        row->bare = atoi(text) != 0;
    else if (strcmp(column, "allocation") == 0)
        row->allocation = strcmp(text, "-") == 0 ? -1 : atoll(text);
    else if (strcmp(column, "ea") == 0)
        copy_text(reader, row->ea, sizeof(row->ea), text);
    else if (strcmp(column, "status") == 0)
        row->status = status_of(reader, text);
    else if (strcmp(column, "information") == 0)
        row->information = strcmp(text, "-") == 0 ? 0 : one_word(reader, classes, text);
    else if (strcmp(column, "kept") == 0)
        row->kept = atoi(text);
    else if (strcmp(column, "then") == 0)
        copy_text(reader, row->then, sizeof(row->then), text);
    else if (strcmp(column, "win32") == 0)
        row->error = error_of(text);
    else if (strcmp(column, "smbd") == 0)
        set_difference(reader, &row->smbd, text);
    else if (strcmp(column, "smbc") == 0)
        set_difference(reader, &row->smbc, text);
    else if (strcmp(column, "nt1") == 0)
        set_difference(reader, &row->nt1, text);
    else if (strcmp(column, "wine") == 0)
        set_difference(reader, &row->wine, text);
    else if (strcmp(column, "source") == 0)
        copy_text(reader, row->source, sizeof(row->source), text);
    else
        wrong(reader, "no column \"%s\"", column);
}

/* ---- one line ---- */

static void read_columns(struct reader *reader, char *rest)
{
    char *word;

    snprintf(reader->columns[0], sizeof(reader->columns[0]), "id"); /* "columns:" stands over the ids */
    reader->column_count = 1;
    while ((word = strsep(&rest, " ")) != NULL) {
        if (!*word)
            continue;
        if (reader->column_count == MAX_COLUMNS || strlen(word) >= sizeof(reader->columns[0])) {
            wrong(reader, "too many columns, or too long a name: %s", word);
            return;
        }
        snprintf(reader->columns[reader->column_count++], sizeof(reader->columns[0]), "%s", word);
    }
}

/* "with: access=R share=r": the columns that the rows below do not have. */
static void read_given(struct reader *reader, char *rest)
{
    char *word;

    reader->given = (struct create_row){.object = OBJ_CASE_INSENSITIVE,
                                        .allocation = -1,
                                        .error = CREATE_BY_STATUS,
                                        .access = FILE_READ_DATA,
                                        .disposition = FILE_OPEN,
                                        .information = FILE_OPENED};
    while ((word = strsep(&rest, " ")) != NULL) {
        char *equals = strchr(word, '=');

        if (!*word)
            continue;
        if (!equals) {
            wrong(reader, "\"with:\" wants COLUMN=VALUE, not \"%s\"", word);
            continue;
        }
        *equals = '\0';
        set_column(reader, &reader->given, word, equals + 1);
    }
}

static bool is_known(const struct reader *reader, const char *id)
{
    for (size_t i = 0; i < reader->table->count; i++)
        if (strcmp(reader->table->rows[i].id, id) == 0)
            return true;
    return false;
}

static void read_row(struct reader *reader, char *rest)
{
    struct create_table *table = reader->table;
    struct create_row row = reader->given, *rows;

    row.file = reader->file;
    row.line = reader->line;
    for (int i = 0; i < reader->column_count; i++) {
        char *word;

        rest += strspn(rest, " ");
        word = i == reader->column_count - 1 ? rest : strsep(&rest, " ");
        if (!word || !*word) {
            wrong(reader, "no value for %s", reader->columns[i]);
            return;
        }
        set_column(reader, &row, reader->columns[i], word);
        if (!rest)
            rest = word + strlen(word);
    }
    if (!row.id[0] || is_known(reader, row.id))
        wrong(reader, "the id \"%s\" is there twice, or missing", row.id);
    if (!row.source[0])
        wrong(reader, "row %s has no source", row.id);
    rows = realloc(table->rows, (table->count + 1) * sizeof(*rows));
    if (!rows) {
        wrong(reader, "out of memory");
        return;
    }
    table->rows = rows;
    table->rows[table->count++] = row;
}

static void read_status(struct reader *reader, char *rest)
{
    struct create_table *table = reader->table;
    struct create_status status = {0}, *statuses;
    unsigned value;

    if (sscanf(rest, "%39s %x %d", status.name, &value, &status.error) != 3) {
        wrong(reader, "a status is NAME VALUE ERROR");
        return;
    }
    status.value = (NTSTATUS)value;
    statuses = realloc(table->statuses, (table->status_count + 1) * sizeof(*statuses));
    if (!statuses) {
        wrong(reader, "out of memory");
        return;
    }
    table->statuses = statuses;
    table->statuses[table->status_count++] = status;
}

static void read_line(struct reader *reader, char *line)
{
    bool statuses = strcmp(reader->file, "statuses.table") == 0;
    size_t length = strcspn(line, "\r\n");

    while (length && line[length - 1] == ' ')
        length--;
    line[length] = '\0';
    if (!length || line[0] == '#')
        return;
    if (statuses)
        read_status(reader, line);
    else if (strncmp(line, "columns:", 8) == 0)
        read_columns(reader, line + 8);
    else if (strncmp(line, "with:", 5) == 0)
        read_given(reader, line + 5);
    else
        read_row(reader, line);
}

/* ---- the folder ---- */

static bool read_file(struct create_table *table, const char *folder, const char *name)
{
    struct reader reader = {.table = table, .file = strdup(name)};
    const size_t rows = table->count;
    char path[4096], line[1024];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "re");
    if (!file || !reader.file) {
        perror(path);
        free((char *)reader.file);
        if (file)
            fclose(file);
        return false;
    }
    read_given(&reader, (char[]){""});
    while (fgets(line, sizeof(line), file)) {
        reader.line++;
        if (!strchr(line, '\n') && !feof(file))
            wrong(&reader, "a line of more than %zu bytes", sizeof(line) - 2);
        read_line(&reader, line);
    }
    fclose(file);
    if (table->count == rows) /* no row has the name */
        free((char *)reader.file);
    return !reader.wrong;
}

static int is_table(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && strcmp(dot, ".table") == 0 && strcmp(entry->d_name, "statuses.table") != 0 &&
           strcmp(entry->d_name, "reasons.table") != 0;
}

bool create_table_read(struct create_table *table, const char *folder)
{
    struct dirent **entries;
    int count;
    bool ok;

    memset(table, 0, sizeof(*table));
    ok = read_file(table, folder, "statuses.table");
    count = scandir(folder, &entries, is_table, alphasort);
    for (int i = 0; i < count; i++) {
        ok = read_file(table, folder, entries[i]->d_name) && ok;
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return ok && count > 0;
}

void create_table_free(struct create_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (i == 0 || table->rows[i].file != table->rows[i - 1].file)
            free((char *)table->rows[i].file);
    free(table->rows);
    free(table->statuses);
}

const char *create_status_name(const struct create_table *table, NTSTATUS status)
{
    static char numbers[4][16];
    static unsigned next;
    char *number;

    for (size_t i = 0; i < table->status_count; i++)
        if (table->statuses[i].value == status)
            return table->statuses[i].name;
    number = numbers[next++ % 4];
    snprintf(number, sizeof(numbers[0]), "0x%08x", (unsigned)status);
    return number;
}

const char *create_information_name(ULONG information)
{
    for (const struct word *w = classes; w->name; w++)
        if (w->value == information)
            return w->name;
    return "-";
}

/* ---- names ---- */

/* One unit of an escape: "d83d" is a number if all of it is, else each character is itself. */
static size_t put_units(const char *text, size_t length, WCHAR *to, size_t room)
{
    char copy[5] = "", *end;
    size_t used = 0;

    if (length == 4 || (length > 4 && text[4] == '.')) {
        memcpy(copy, text, 4);
        to[0] = (WCHAR)strtoul(copy, &end, 16);
        if (!*end)
            return length == 4 ? 1 : 1 + put_units(text + 5, length - 5, to + 1, room - 1);
    }
    for (; used < length && used < room; used++)
        to[used] = (unsigned char)text[used];
    return used;
}

/* What stands between braces: "d83d", "d83d.de00", and either of them or plain text with "*255" behind it. Returns how
 * many units it makes, 0 if it is nothing. */
static size_t expand_escape(const char *text, size_t length, WCHAR *buffer, size_t units)
{
    const char *star = memrchr(text, '*', length);
    size_t part = star ? (size_t)(star - text) : length, count = star ? strtoul(star + 1, NULL, 10) : 1, one, used;
    WCHAR piece[16];

    if (!part || part > sizeof(piece) / sizeof(*piece))
        return 0;
    one = put_units(text, part, piece, sizeof(piece) / sizeof(*piece));
    if (count > units / one)
        return 0;
    for (used = 0; used < count * one; used++)
        buffer[used] = piece[used % one];
    return used;
}

int create_name_expand(const char *name, WCHAR *buffer, size_t units)
{
    size_t used = 0, added;

    while (*name) {
        const char *close = *name == '{' ? strchr(name, '}') : NULL;

        if (used + 1 >= units)
            return -1;
        added = 1;
        if (close) {
            added = expand_escape(name + 1, (size_t)(close - name - 1), buffer + used, units - used - 1);
            name = close;
        } else {
            buffer[used] = (unsigned char)*name;
        }
        if (!added)
            return -1;
        used += added;
        name++;
    }
    buffer[used] = 0;
    return (int)(used * sizeof(WCHAR));
}
