/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_text.c - results for a person. See report_text.h. */
#include "report_text.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>

const char *thousands(uint64_t number, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, number), at = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

void report_text_head(FILE *file, const struct results *results)
{
    char letter = results->run_count > 0 ? results->runs[0].letter : 'X';

    fprintf(file, "Q235425  CreateFile() can cause leak in paged pool memory\n");
    fprintf(file, "%c: -> %s   %s%s%s%s   %s under %s\n\n", letter, results->share,
            results->samba[0] != '\0' ? "smbd " : "", results->samba,
            results->samba[0] != '\0' && results->dialect[0] != '\0' ? " " : "", results->dialect, results->client,
            results->wine);
}

static void describe_kept(const struct results_run *run, char *text, size_t size)
{
    int64_t kept = (int64_t)(run->paged_after - run->paged_before);

    if (run->opens == 0 || kept % (int64_t)run->opens == 0)
        snprintf(text, size, "%" PRId64 " B", run->opens != 0 ? kept / (int64_t)run->opens : 0);
    else
        snprintf(text, size, "%.2f B", (double)kept / (double)run->opens);
}

static void describe_verdict(const struct results_run *run, char *text, size_t size)
{
    const struct results_site *site = NULL;
    char blocks[32];

    for (size_t i = 0; i < run->site_count; i++) {
        if (site == NULL || run->sites[i].bytes > site->bytes)
            site = &run->sites[i];
    }
    if (run->verdict == VERDICT_LEAKS && site != NULL)
        snprintf(text, size, "LEAKS  tag %s  %s blocks  %s:%u", site->tag, thousands((uint64_t)site->blocks, blocks),
                 site->file, site->line);
    else
        snprintf(text, size, "%s", run->verdict == VERDICT_LEAKS ? "LEAKS" : verdict_name(run->verdict));
}

static void add_run(struct table *table, const struct results_run *run)
{
    char call[CALL_SIZE], opens[32], errors[32], paged[96], pages[96], kept[48], verdict[192];
    char before[32], after[32];

    thousands(run->opens, opens);
    thousands(results_errors(run, 123), errors);
    snprintf(paged, sizeof(paged), "%s -> %s B", thousands(run->paged_before, before),
             thousands(run->paged_after, after));
    snprintf(pages, sizeof(pages), "%s -> %s", thousands(run->pages_before, before),
             thousands(run->pages_after, after));
    describe_kept(run, kept, sizeof(kept));
    describe_verdict(run, verdict, sizeof(verdict));
    table_row(table,
              (const char *const[]){run->build, results_call(run, call), opens, errors, paged, pages, kept, verdict});
}

/* Each one's rate is over its own time: together they are what the machine gave at once. */
static void print_clients(FILE *file, const struct results_run *run)
{
    double rate, all = 0, least = 0, most = 0;
    char call[CALL_SIZE], opens[32], sum[32], low[32], high[32];

    if (run->client_count == 0)
        return;
    for (size_t i = 0; i < run->client_count; i++) {
        rate = run->clients[i].seconds > 0 ? (double)run->clients[i].opens / run->clients[i].seconds : 0;
        least = i == 0 || rate < least ? rate : least;
        most = rate > most ? rate : most;
        all += rate;
    }
    fprintf(file, "%s: %zu client%s at once, %s opens, %s opens/s (%s to %s each)\n", results_call(run, call),
            run->client_count, run->client_count == 1 ? "" : "s", thousands(run->opens, opens),
            thousands((uint64_t)all, sum), thousands((uint64_t)least, low), thousands((uint64_t)most, high));
}

/* The first call of each build: the others are decided alike, and the JSON has them all. */
static void print_traces(FILE *file, const struct results *results)
{
    const char *shape = results->run_count > 0 ? results->runs[0].shape : NULL;

    for (size_t i = 0; i < results->run_count; i++) {
        const struct results_run *run = &results->runs[i];

        if (run->trace_text != NULL && run->shape == shape)
            fprintf(file, "\n%s, one call more:\n%s", run->build, run->trace_text);
    }
}

void report_text(FILE *file, const struct results *results)
{
    struct table table = {.columns = 8};
    char call[CALL_SIZE];

    table_row(&table, (const char *const[]){"build", "call", "opens", "error 123", "paged pool, exact (machine)",
                                            "pages (program)", "kept per open", "verdict"});
    for (size_t i = 0; i < results->run_count; i++)
        add_run(&table, &results->runs[i]);
    table_print(&table, file);
    for (size_t i = 0; i < results->run_count; i++)
        print_clients(file, &results->runs[i]);
    for (size_t i = 0; i < results->run_count; i++) {
        if (results->runs[i].problems[0] != '\0')
            fprintf(file, "NOT AS EXPECTED: %s %s: %s\n", results->runs[i].build, results_call(&results->runs[i], call),
                    results->runs[i].problems);
    }
    if (results->problems[0] != '\0')
        fprintf(file, "NOT AS EXPECTED: %s\n", results->problems);
    print_traces(file, results);
}
