/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock.c - "rdrlab clock": what time it is on a live machine, and to let time pass on one with a virtual clock. */
#include "arguments.h"
#include "inspect.h"
#include "rdrlab.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <ntemu/nt.h>

#define UNITS      INT64_C(10000000) /* 100 ns units in a second */
#define UNIX_EPOCH INT64_C(116444736000000000)

static const char help[] =
    "usage: rdrlab clock [--advance TIME | --next] [--machine DIR]\n\n"
    "What time it is on a live machine, and what is due next. A machine that was started with --clock virtual\n"
    "(docs/clock.md) stands still until time is let pass:\n\n"
    "  --advance TIME  this much: 500ms, 45s, 10m, 2h; at most 30 days\n"
    "  --next          as far as the next thing that is due\n"
    "  --machine DIR   the machine's folder; default: RDRLAB_MACHINE\n";

struct clock_options {
    const char *machine;
    struct wire_clock request;
};

static int read_time(const char *text, int64_t *ret_units)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};
    char *end;
    double number = strtod(text, &end);

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        double seconds = number * units[i].seconds;
        if (end == text || strcmp(end, units[i].name) != 0)
            continue;
        if (!isfinite(seconds) || seconds < 0 || seconds * UNITS > (double)WIRE_CLOCK_MOST)
            break;
        *ret_units = (int64_t)(seconds * UNITS + 0.5);
        return 0;
    }
    return complain(EXIT_USAGE, "--advance %s: a time is wanted, at most 30 days: 500ms, 45s, 10m, 2h", text);
}

static int take_option(int found, struct clock_options *options, char **argv)
{
    switch (found) {
    case 'a':
    case 'n':
        if (options->request.what != WIRE_CLOCK_ASK)
            return complain(EXIT_USAGE, "clock: --advance and --next exclude each other, and are given once");
        options->request.what = found == 'a' ? WIRE_CLOCK_ADVANCE : WIRE_CLOCK_NEXT;
        return found == 'a' ? read_time(optarg, &options->request.time) : 0;
    case 'm':
        options->machine = optarg;
        return 0;
    case 'h':
        fputs(help, stdout);
        return -1;
    default:
        return argument_refuse("clock", found, argv);
    }
}

static int read_options(int argc, char **argv, struct clock_options *options)
{
    static const struct option names[] = {{"advance", required_argument, NULL, 'a'},
                                          {"next", no_argument, NULL, 'n'},
                                          {"machine", required_argument, NULL, 'm'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int found, rc = 0;

    opterr = 0;
    while (rc == 0 && (found = getopt_long(argc, argv, ":h", names, NULL)) != -1)
        rc = take_option(found, options, argv);
    if (rc == 0 && optind < argc)
        return complain(EXIT_USAGE, "clock takes no argument %s", argv[optind]);
    return rc;
}

static void print_state(const struct wire_clock_state *state)
{
    time_t seconds = (time_t)((state->system_time - UNIX_EPOCH) / UNITS);
    char when[32] = "";
    struct tm parts;

    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &parts);
    printf("clock        %s\n", state->is_virtual ? "virtual" : "real");
    printf("time         %s.%03d UTC\n", when, (int)(state->system_time % UNITS / 10000));
    printf("since boot   %.3f s\n", (double)state->interrupt_time / UNITS);
    if (state->next_due < 0)
        printf("next due     nothing\n");
    else
        printf("next due     in %.3f s\n", (double)(state->next_due - state->interrupt_time) / UNITS);
    printf("timers       %u\n", state->timers);
    printf("timed waits  %u\n", state->timed_waits);
    printf("expired      %" PRIu64 "\n", state->expirations);
}

static int ask(struct wire_client *client, const struct wire_clock *request, struct wire_reply *reply)
{
    struct wire_clock_state state;
    int rc = wire_call(client, WIRE_CLOCK, request, sizeof(*request), NULL, 0, reply);

    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "the machine does not answer: %s", strerror(-rc));
    if (reply->status != 0 || reply->length != sizeof(state))
        return complain(EXIT_ENVIRONMENT, "the machine refuses with status 0x%08X", reply->status);
    memcpy(&state, reply->body, sizeof(state));
    if (state.refused == (uint32_t)STATUS_INVALID_DEVICE_STATE)
        return complain(EXIT_NOT_AS_EXPECTED, "the machine's clock is the real one: nobody can advance it");
    if (state.refused == (uint32_t)STATUS_NO_MORE_ENTRIES)
        return complain(EXIT_NOT_AS_EXPECTED, "nothing is due on the machine");
    if (state.refused != 0)
        return complain(EXIT_ENVIRONMENT, "the machine refuses with status 0x%08X", state.refused);
    print_state(&state);
    return 0;
}

int command_clock(int argc, char **argv)
{
    struct clock_options options = {.machine = NULL};
    struct wire_reply *reply;
    struct wire_client *client;
    int rc = read_options(argc, argv, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect(options.machine, &client);
    if (rc != 0)
        return rc;
    reply = malloc(sizeof(*reply));
    rc = reply != NULL ? ask(client, &options.request, reply) : complain(EXIT_ENVIRONMENT, "out of memory");
    free(reply);
    wire_disconnect(client);
    return rc;
}
