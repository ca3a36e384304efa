/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon_print.c - text, CSV, JSON, counters. See poolmon_print.h. */
#include "poolmon_print.h"
#include "rdrlab.h"
#include "report_text.h"
#include "table.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_SIZE 4096

struct moment {
    struct tm parts;
    unsigned milliseconds;
};

static struct moment now(bool utc)
{
    struct moment moment = {0};
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    if (utc)
        gmtime_r(&time.tv_sec, &moment.parts);
    else
        localtime_r(&time.tv_sec, &moment.parts);
    moment.milliseconds = (unsigned)(time.tv_nsec / 1000000);
    return moment;
}

/* "2026-11-28T17:04:22.123Z" */
static void print_time(char *text, size_t size)
{
    struct moment moment = now(true);
    size_t length = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &moment.parts);

    snprintf(text + length, size - length, ".%03uZ", moment.milliseconds);
}

static const char *pool_name(uint32_t paged)
{
    return paged ? "Paged" : "Nonp";
}

/* ---- text ---- */

static void print_pool(FILE *file, const char *name, const struct wire_pool_counts *counts)
{
    char bytes[32], blocks[32], taken[32], pages[32], limit[32], peak[32], peak_pages[32], refused[32];

    fprintf(file, "%-9s %s bytes in %s blocks that take %s, most %s bytes; %s of %s pages, most %s; %s refused\n", name,
            thousands(counts->live_bytes, bytes), thousands(counts->live_blocks, blocks),
            thousands(counts->block_bytes, taken), thousands(counts->peak_bytes, peak), thousands(counts->pages, pages),
            thousands(counts->limit_pages, limit), thousands(counts->peak_pages, peak_pages),
            thousands(counts->failures, refused));
}

static void print_head(FILE *file, const struct pool_printer *printer, const struct wire_machine *machine)
{
    char time[32];

    if (printer->changes) {
        print_time(time, sizeof(time));
        fprintf(file, "%s\n", time);
    }
    fprintf(file, "%.32s%s%.96s   %u clients, %u open files\n", machine->build,
            machine->transport[0] != '\0' ? "   " : "", machine->transport, machine->clients, machine->open_tokens);
    if (machine->stopped != 0)
        fprintf(file, "STOPPED by bug check 0x%08X\n", machine->stopped);
    print_pool(file, "paged", &machine->paged);
    print_pool(file, "nonpaged", &machine->nonpaged);
    fputc('\n', file);
}

static struct table text_table(const struct pool_printer *printer, const char *last)
{
    if (!printer->changes) {
        struct table table = {.columns = 10, .right = "llrrrrrrr"};

        table_row(&table, (const char *const[]){"Tag", "Type", "Allocs", "Frees", "Diff", "Bytes", "Block Bytes",
                                                "Peak", "Per Alloc", last});
        return table;
    }
    struct table table = {.columns = 13, .right = "llrrrrrrrrrr"};

    table_row(&table, (const char *const[]){"Tag", "Type", "Allocs", "(delta)", "Frees", "(delta)", "Diff", "Bytes",
                                            "(delta)", "Block Bytes", "Peak", "Per Alloc", last});
    return table;
}

static const char *delta(int64_t change, char text[32])
{
    snprintf(text, 32, "(%" PRId64 ")", change);
    return text;
}

static void add_text_row(struct table *table, const struct pool_printer *printer, const char tag[4], uint32_t paged,
                         const struct wire_pool_use *use, const struct pool_change *change, const char *last)
{
    char name[5], allocs[32], frees[32], diff[32], bytes[32], taken[32], peak[32], each[32];
    char more_allocs[32], more_frees[32], more_bytes[32];

    inspect_tag(tag, name);
    thousands(use->allocations, allocs);
    thousands(use->frees, frees);
    thousands(use->live_blocks, diff);
    thousands(use->live_bytes, bytes);
    thousands(use->block_bytes, taken);
    thousands(use->peak_bytes, peak);
    thousands(pool_each(use), each);
    if (printer->changes)
        table_row(table, (const char *const[]){name, pool_name(paged), allocs, delta(change->allocations, more_allocs),
                                               frees, delta(change->frees, more_frees), diff, bytes,
                                               delta(change->bytes, more_bytes), taken, peak, each, last});
    else
        table_row(table,
                  (const char *const[]){name, pool_name(paged), allocs, frees, diff, bytes, taken, peak, each, last});
}

static void print_tags(FILE *file, const struct pool_printer *printer, const struct pool_model *model)
{
    struct table table = text_table(printer, "Sites");
    char sites[16];

    for (size_t i = 0; i < model->shown_count; i++) {
        const struct pool_row *row = model->shown[i];

        snprintf(sites, sizeof(sites), "%u", row->sites);
        add_text_row(&table, printer, row->tag, row->paged, &row->use, &row->change, sites);
    }
    for (uint32_t paged = 0; paged < 2 && printer->view->totals; paged++) {
        struct pool_row total = pool_model_total(model, paged);

        if (!pool_view_has_pool(printer->view, paged))
            continue;
        snprintf(sites, sizeof(sites), "%u", total.sites);
        add_text_row(&table, printer, "all ", paged, &total.use, &total.change, sites);
    }
    table_print(&table, file);
}

static bool shows(const struct pool_printer *printer, const struct wire_pool_site *site)
{
    return pool_view_has(printer->view, site->key.tag, site->key.paged);
}

static void print_sites(FILE *file, const struct pool_printer *printer, const struct pool_model *model)
{
    struct table table = text_table(printer, "Site");
    char where[200];

    for (size_t i = 0; i < model->look.site_count; i++) {
        const struct wire_pool_site *site = &model->look.sites[i];

        if (!shows(printer, site))
            continue;
        snprintf(where, sizeof(where), "%.96s:%u %.64s", site->file, site->line, site->function);
        add_text_row(&table, printer, site->key.tag, site->key.paged, &site->use, &model->site_changes[i], where);
    }
    table_print(&table, file);
}

static int get_stacks(const struct pool_printer *printer, const struct wire_pool_site *site,
                      struct wire_pool_stack **ret_stacks, size_t *ret_count)
{
    char error[256];
    int rc = inspect_stacks(printer->client, &site->key, ret_stacks, ret_count, error, sizeof(error));

    return rc != 0 ? complain(rc, "%s", error) : 0;
}

static void print_stack(FILE *file, const struct wire_pool_site *site, const struct wire_pool_stack *stack)
{
    char tag[5], blocks[32], bytes[32];

    inspect_tag(site->key.tag, tag);
    fprintf(file, "\n%s %s %.96s:%u: %s blocks, %s bytes from\n", tag, pool_name(site->key.paged), site->file,
            site->line, thousands(stack->use.live_blocks, blocks), thousands(stack->use.live_bytes, bytes));
    for (uint32_t i = 0; i < stack->depth && i < WIRE_STACK_FRAMES; i++)
        fprintf(file, "  %.120s\n", stack->frames[i].text);
}

static int print_stacks(FILE *file, const struct pool_printer *printer, const struct pool_model *model)
{
    int rc = 0;

    for (size_t i = 0; i < model->look.site_count && rc == 0; i++) {
        const struct wire_pool_site *site = &model->look.sites[i];
        struct wire_pool_stack *stacks = NULL;
        size_t count = 0;

        if (site->stacks == 0 || !shows(printer, site))
            continue;
        rc = get_stacks(printer, site, &stacks, &count);
        for (size_t j = 0; j < count; j++)
            print_stack(file, site, &stacks[j]);
        free(stacks);
    }
    return rc;
}

static int print_text(FILE *file, const struct pool_printer *printer, const struct pool_model *model)
{
    if (model->looks > 1)
        fputc('\n', file);
    print_head(file, printer, &model->look.machine);
    if (!printer->sites) {
        print_tags(file, printer, model);
        fputc('\n', file);
    }
    print_sites(file, printer, model);
    return printer->sites ? print_stacks(file, printer, model) : 0;
}

/* ---- CSV (RFC 4180) ---- */

static void print_quoted(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void print_csv_use(FILE *file, const char *time, const char tag[4], uint32_t paged,
                          const struct wire_pool_use *use, const struct pool_change *change)
{
    char name[5];

    inspect_tag(tag, name);
    fprintf(file, "%s,", time);
    print_quoted(file, name);
    fprintf(file,
            ",%s,%" PRIu64 ",%" PRId64 ",%" PRIu64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%" PRIu64
            ",%" PRIu64 ",",
            pool_name(paged), use->allocations, change->allocations, use->frees, change->frees, use->live_blocks,
            use->live_bytes, change->bytes, use->block_bytes, use->peak_bytes);
}

static void print_csv(FILE *file, const struct pool_printer *printer, const struct pool_model *model)
{
    char time[32];

    print_time(time, sizeof(time));
    if (model->looks == 1)
        fprintf(
            file,
            "Time,Tag,Type,Allocs,Allocs Delta,Frees,Frees Delta,Diff,Bytes,Bytes Delta,Block Bytes,Peak Bytes,%s\n",
            printer->sites ? "File,Line,Function" : "Sites");
    for (size_t i = 0; i < model->shown_count && !printer->sites; i++) {
        const struct pool_row *row = model->shown[i];

        print_csv_use(file, time, row->tag, row->paged, &row->use, &row->change);
        fprintf(file, "%u\n", row->sites);
    }
    for (size_t i = 0; i < model->look.site_count && printer->sites; i++) {
        const struct wire_pool_site *site = &model->look.sites[i];

        if (!shows(printer, site))
            continue;
        print_csv_use(file, time, site->key.tag, site->key.paged, &site->use, &model->site_changes[i]);
        print_quoted(file, site->file);
        fprintf(file, ",%u,", site->line);
        print_quoted(file, site->function);
        fputc('\n', file);
    }
}

/* ---- JSON: an object a line ---- */

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
    json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

static struct json_object *pool_object(const struct wire_pool_counts *counts)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "allocs", counts->allocations);
    add_number(object, "frees", counts->frees);
    add_number(object, "diff", counts->live_blocks);
    add_number(object, "bytes", counts->live_bytes);
    add_number(object, "block_bytes", counts->block_bytes);
    add_number(object, "peak_bytes", counts->peak_bytes);
    add_number(object, "pages", counts->pages);
    add_number(object, "peak_pages", counts->peak_pages);
    add_number(object, "limit_pages", counts->limit_pages);
    add_number(object, "refused", counts->failures);
    return object;
}

static void add_use(struct json_object *object, const struct wire_pool_use *use)
{
    add_number(object, "allocs", use->allocations);
    add_number(object, "frees", use->frees);
    add_number(object, "diff", use->live_blocks);
    add_number(object, "bytes", use->live_bytes);
    add_number(object, "block_bytes", use->block_bytes);
    add_number(object, "peak_bytes", use->peak_bytes);
}

static struct json_object *use_object(const char tag[4], uint32_t paged, const struct wire_pool_use *use,
                                      const struct pool_change *change)
{
    struct json_object *object = json_object_new_object();
    char name[5];

    inspect_tag(tag, name);
    add_text(object, "tag", name);
    add_text(object, "pool", paged ? "paged" : "nonpaged");
    add_use(object, use);
    add_number(object, "allocs_delta", (uint64_t)change->allocations);
    add_number(object, "frees_delta", (uint64_t)change->frees);
    add_number(object, "bytes_delta", (uint64_t)change->bytes);
    return object;
}

static struct json_object *stack_object(const struct wire_pool_stack *stack)
{
    struct json_object *object = json_object_new_object(), *frames = json_object_new_array();

    add_use(object, &stack->use);
    for (uint32_t i = 0; i < stack->depth && i < WIRE_STACK_FRAMES; i++)
        json_object_array_add(frames, json_object_new_string(stack->frames[i].text));
    json_object_object_add(object, "frames", frames);
    return object;
}

static int add_sites(const struct pool_printer *printer, const struct pool_model *model, struct json_object *sites)
{
    int rc = 0;

    for (size_t i = 0; i < model->look.site_count && rc == 0; i++) {
        const struct wire_pool_site *site = &model->look.sites[i];
        struct json_object *object, *array;
        struct wire_pool_stack *stacks = NULL;
        size_t count = 0;

        if (!shows(printer, site))
            continue;
        object = use_object(site->key.tag, site->key.paged, &site->use, &model->site_changes[i]);
        array = json_object_new_array();
        add_text(object, "file", site->file);
        add_number(object, "line", site->line);
        add_text(object, "function", site->function);
        if (site->stacks != 0)
            rc = get_stacks(printer, site, &stacks, &count);
        for (size_t j = 0; j < count; j++)
            json_object_array_add(array, stack_object(&stacks[j]));
        free(stacks);
        json_object_object_add(object, "stacks", array);
        json_object_array_add(sites, object);
    }
    return rc;
}

static int print_json(FILE *file, const struct pool_printer *printer, const struct pool_model *model)
{
    struct json_object *object = json_object_new_object(), *tags = json_object_new_array();
    const struct wire_machine *machine = &model->look.machine;
    char time[32];
    int rc = 0;

    print_time(time, sizeof(time));
    add_text(object, "time", time);
    add_text(object, "build", machine->build);
    add_text(object, "transport", machine->transport);
    add_number(object, "clients", machine->clients);
    add_number(object, "open_files", machine->open_tokens);
    add_number(object, "stopped", machine->stopped);
    json_object_object_add(object, "paged", pool_object(&machine->paged));
    json_object_object_add(object, "nonpaged", pool_object(&machine->nonpaged));
    for (size_t i = 0; i < model->shown_count; i++) {
        const struct pool_row *row = model->shown[i];
        struct json_object *tag = use_object(row->tag, row->paged, &row->use, &row->change);

        add_number(tag, "sites", row->sites);
        json_object_array_add(tags, tag);
    }
    json_object_object_add(object, "tags", tags);
    if (printer->sites) {
        struct json_object *sites = json_object_new_array();

        rc = add_sites(printer, model, sites);
        json_object_object_add(object, "sites", sites);
    }
    if (rc == 0)
        fprintf(file, "%s\n",
                json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
    return rc;
}

/* ---- counters, as typeperf writes them ---- */

static void print_counters(FILE *file, const struct pool_model *model)
{
    const struct wire_pool_counts *paged = &model->look.machine.paged, *nonpaged = &model->look.machine.nonpaged;
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"Pool Paged Bytes", paged->pages * PAGE_SIZE},
        {"Pool Nonpaged Bytes", nonpaged->pages * PAGE_SIZE},
        {"Pool Paged Allocs", paged->allocations},
        {"Pool Nonpaged Allocs", nonpaged->allocations},
        {"Pool Paged Resident Bytes", paged->pages * PAGE_SIZE}, /* nothing is ever paged out */
    };
    const size_t count = sizeof(counters) / sizeof(counters[0]);
    struct moment moment = now(false);
    char time[32];

    if (model->looks == 1) {
        fputs("\"(PDH-CSV 4.0)\"", file);
        for (size_t i = 0; i < count; i++)
            fprintf(file, ",\"\\Memory\\%s\"", counters[i].name);
        fputc('\n', file);
    }
    strftime(time, sizeof(time), "%m/%d/%Y %H:%M:%S", &moment.parts);
    fprintf(file, "\"%s.%03u\"", time, moment.milliseconds);
    for (size_t i = 0; i < count; i++)
        fprintf(file, ",\"%" PRIu64 ".000000\"", counters[i].value);
    fputc('\n', file);
}

int pool_print(const struct pool_printer *printer, const struct pool_model *model, FILE *file)
{
    int rc = 0;

    switch (printer->form) {
    case POOL_TEXT:
        rc = print_text(file, printer, model);
        break;
    case POOL_CSV:
        print_csv(file, printer, model);
        break;
    case POOL_JSON:
        rc = print_json(file, printer, model);
        break;
    case POOL_COUNTERS:
        print_counters(file, model);
        break;
    }
    if (fflush(file) != 0 && rc == 0)
        rc = complain(EXIT_ENVIRONMENT, "what was seen cannot be written");
    return rc;
}
