/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon.c - "rdrlab poolmon" and "rdrlab events": a live machine, looked into. */
#include "arguments.h"
#include "inspect.h"
#include "process.h"
#include "rdrlab.h"
#include "report_text.h"
#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* 100 ns units between 1601 and 1970. */
#define UNIX_EPOCH INT64_C(116444736000000000)

struct looking_options {
    const char *machine;
    bool once;
};

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, const char *help, struct looking_options *options)
{
    static const struct option names[] = {{"machine", required_argument, NULL, 'm'},
                                          {"once", no_argument, NULL, '1'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int found;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        if (found == 'm')
            options->machine = optarg;
        else if (found == '1')
            options->once = true;
        else if (found == 'h')
            return fputs(help, stdout), -1;
        else
            return argument_refuse(argv[0], found, argv);
    }
    if (optind < argc)
        return complain(EXIT_USAGE, "%s takes no argument %s", argv[0], argv[optind]);
    return 0;
}

static void print_pool(const char *name, const struct wire_pool_counts *counts)
{
    char bytes[32], blocks[32], pages[32], limit[32], peak[32];

    printf("%-9s %s bytes in %s blocks, %s of %s pages, most %s bytes, %" PRIu64 " refused\n", name,
           thousands(counts->live_bytes, bytes), thousands(counts->live_blocks, blocks),
           thousands(counts->pages, pages), thousands(counts->limit_pages, limit), thousands(counts->peak_bytes, peak),
           counts->failures);
}

static void add_row(struct table *table, const struct wire_pool_site *site, const char *where)
{
    char tag[5], allocations[32], frees[32], blocks[32], bytes[32], each[32];

    inspect_tag(site->key.tag, tag);
    table_row(table, (const char *const[]){
                         tag, site->key.paged ? "Paged" : "Nonp", thousands(site->use.allocations, allocations),
                         thousands(site->use.frees, frees), thousands(site->use.live_blocks, blocks),
                         thousands(site->use.live_bytes, bytes),
                         thousands(site->use.live_blocks != 0 ? site->use.live_bytes / site->use.live_blocks : 0, each),
                         where});
}

/* Sum over the sites of each tag, in poolmon's columns. */
static void print_tags(const struct inspection *look)
{
    struct table table = {.columns = 8, .right = "llrrrrr"};
    char sites[32];

    table_row(&table, (const char *const[]){"Tag", "Type", "Allocs", "Frees", "Diff", "Bytes", "Per Alloc", "Sites"});
    for (size_t i = 0; i < look->site_count; i++) {
        struct wire_pool_site sum = look->sites[i];
        unsigned count = 1;
        bool seen = false;

        for (size_t j = 0; j < i && !seen; j++)
            seen = memcmp(look->sites[j].key.tag, sum.key.tag, 4) == 0 && look->sites[j].key.paged == sum.key.paged;
        if (seen)
            continue;
        for (size_t j = i + 1; j < look->site_count; j++) {
            const struct wire_pool_site *site = &look->sites[j];

            if (memcmp(site->key.tag, sum.key.tag, 4) != 0 || site->key.paged != sum.key.paged)
                continue;
            sum.use.allocations += site->use.allocations;
            sum.use.frees += site->use.frees;
            sum.use.live_blocks += site->use.live_blocks;
            sum.use.live_bytes += site->use.live_bytes;
            count++;
        }
        snprintf(sites, sizeof(sites), "%u", count);
        add_row(&table, &sum, sites);
    }
    table_print(&table, stdout);
}

static void print_sites(const struct inspection *look)
{
    struct table table = {.columns = 8, .right = "llrrrrr"};
    char where[160];

    table_row(&table, (const char *const[]){"Tag", "Type", "Allocs", "Frees", "Diff", "Bytes", "Per Alloc", "Site"});
    for (size_t i = 0; i < look->site_count; i++) {
        const struct wire_pool_site *site = &look->sites[i];

        snprintf(where, sizeof(where), "%.64s:%u %.48s", site->file, site->line, site->function);
        add_row(&table, site, where);
    }
    table_print(&table, stdout);
}

static int print_look(struct wire_client *client)
{
    struct inspection look;
    int rc = inspect(client, &look);

    if (rc != 0)
        return rc;
    printf("%.32s%s%.96s   %u clients, %u open files\n", look.machine.build,
           look.machine.transport[0] != '\0' ? "   " : "", look.machine.transport, look.machine.clients,
           look.machine.open_tokens);
    if (look.machine.stopped != 0)
        printf("STOPPED by bug check 0x%08X\n", look.machine.stopped);
    print_pool("paged", &look.machine.paged);
    print_pool("nonpaged", &look.machine.nonpaged);
    putchar('\n');
    print_tags(&look);
    putchar('\n');
    print_sites(&look);
    inspection_free(&look);
    fflush(stdout);
    return 0;
}

int command_poolmon(int argc, char **argv)
{
    static const char help[] =
        "usage: rdrlab poolmon [--once] [--machine DIR]\n\n"
        "Pool use of a live machine by tag and by call site, largest first; again every second,\n"
        "until interrupted, unless --once is given or the output is no terminal.\n\n"
        "  --machine DIR   the machine's folder; default: RDRLAB_MACHINE\n"
        "  --once          look once\n";
    struct looking_options options = {0};
    struct wire_client *client;
    int rc = read_options(argc, argv, help, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect(options.machine, &client);
    if (rc != 0)
        return rc;
    if (!isatty(1))
        options.once = true;
    do {
        if (!options.once)
            fputs("\033[H\033[2J", stdout);
        rc = print_look(client);
    } while (rc == 0 && !options.once && process_pause(1000) == 0);
    wire_disconnect(client);
    return rc;
}

static void print_events(const struct wire_event *events, size_t count)
{
    static const char *const severities[] = {"Success", "Information", "Warning", "Error"};
    struct table table = {.columns = 5};

    table_row(&table, (const char *const[]){"Time (UTC)", "Severity", "Source", "Event", "Description"});
    for (size_t i = 0; i < count; i++) {
        time_t seconds = (time_t)((events[i].time - UNIX_EPOCH) / 10000000);
        char when[32] = "", id[16], source[17], text[169];
        struct tm parts;

        if (gmtime_r(&seconds, &parts) != NULL)
            strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &parts);
        snprintf(id, sizeof(id), "%u", events[i].id);
        snprintf(source, sizeof(source), "%.16s", events[i].source);
        snprintf(text, sizeof(text), "%.168s", events[i].text);
        table_row(&table, (const char *const[]){when, severities[events[i].severity & 3], source, id, text});
    }
    table_print(&table, stdout);
}

int command_events(int argc, char **argv)
{
    static const char help[] = "usage: rdrlab events [--machine DIR]\n\n"
                               "The event log of a live machine, oldest first.\n\n"
                               "  --machine DIR   the machine's folder; default: RDRLAB_MACHINE\n";
    struct looking_options options = {0};
    struct wire_event *events = NULL;
    struct wire_client *client;
    size_t count = 0;
    int rc = read_options(argc, argv, help, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect(options.machine, &client);
    if (rc != 0)
        return rc;
    rc = inspect_events(client, &events, &count);
    if (rc == 0)
        print_events(events, count);
    free(events);
    wire_disconnect(client);
    return rc;
}
