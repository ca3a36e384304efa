/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* events.c - "rdrlab events": the event log of a live machine. */
#include "arguments.h"
#include "inspect.h"
#include "rdrlab.h"
#include "table.h"

#include <stdlib.h>
#include <time.h>

/* 100 ns units between 1601 and 1970. */
#define UNIX_EPOCH INT64_C(116444736000000000)

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, const char *help, const char **ret_machine)
{
    static const struct option names[] = {
        {"machine", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int found;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        if (found == 'm')
            *ret_machine = optarg;
        else if (found == 'h')
            return fputs(help, stdout), -1;
        else
            return argument_refuse(argv[0], found, argv);
    }
    if (optind < argc)
        return complain(EXIT_USAGE, "%s takes no argument %s", argv[0], argv[optind]);
    return 0;
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
    const char *machine = NULL;
    struct wire_event *events = NULL;
    struct wire_client *client;
    size_t count = 0;
    int rc = read_options(argc, argv, help, &machine);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect(machine, &client);
    if (rc != 0)
        return rc;
    rc = inspect_events(client, &events, &count);
    if (rc == 0)
        print_events(events, count);
    free(events);
    wire_disconnect(client);
    return rc;
}
