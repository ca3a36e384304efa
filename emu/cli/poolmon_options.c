/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon_options.c - see poolmon_options.h. */
#include "poolmon_options.h"
#include "arguments.h"
#include "rdrlab.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FILE "poolsnap.log" /* Microsoft's */

static const char help[] =
    "usage: rdrlab poolmon [OPTION]...\n\n"
    "Pool use of a live machine by tag, with the columns, keys and options of Microsoft's poolmon, and by call site.\n"
    "h in the window lists the keys. Without a terminal, or with one of --once --csv --json --sites --counters "
    "--count:\n"
    "no window, but text.\n\n"
    "  --machine DIR       the machine's folder; default: RDRLAB_MACHINE\n"
    "  -iTAG, -xTAG        only, or all but, tags that match; * and ? stand for characters; repeatable\n"
    "  -p, -p -p           nonpaged pool only; paged pool only\n"
    "  -t -a -f -d -b -m   sort by tag, allocs, frees, diff, bytes, bytes per alloc\n"
    "  -(                  sort by the change of allocs, frees or bytes instead\n"
    "  -e                  totals below\n"
    "  -l                  highlight what changed\n"
    "  -n [FILE]           write one look into FILE, default " DEFAULT_FILE ", and end\n"
    "  --once              one look as text: tags, then call sites\n"
    "  --sites             call sites only, with their stacks if the machine keeps them\n"
    "  --csv, --json       for programs, exact; JSON has one object a line\n"
    "  --counters          the counters \\Memory\\Pool Paged Bytes ..., in typeperf's form\n"
    "  --interval SECONDS  between looks; default 5. Without a window: look until interrupted\n"
    "  --count N           so many looks\n\n"
    "The options of one letter may also be written /b.\n";

enum {
    OPTION_MACHINE = 256,
    OPTION_ONCE,
    OPTION_SITES,
    OPTION_CSV,
    OPTION_JSON,
    OPTION_COUNTERS,
    OPTION_INTERVAL,
    OPTION_COUNT,
    OPTION_HELP
};

static const struct option names[] = {{"machine", required_argument, NULL, OPTION_MACHINE},
                                      {"once", no_argument, NULL, OPTION_ONCE},
                                      {"sites", no_argument, NULL, OPTION_SITES},
                                      {"csv", no_argument, NULL, OPTION_CSV},
                                      {"json", no_argument, NULL, OPTION_JSON},
                                      {"counters", no_argument, NULL, OPTION_COUNTERS},
                                      {"interval", required_argument, NULL, OPTION_INTERVAL},
                                      {"count", required_argument, NULL, OPTION_COUNT},
                                      {"help", no_argument, NULL, OPTION_HELP},
                                      {NULL, 0, NULL, 0}};

/* Options that are keys. */
static const char flags[] = "ptafdbmel()";

static int take_pattern(struct pool_view *view, int option, const char *pattern)
{
    const char **patterns = option == 'i' ? view->only : view->never;
    size_t *count = option == 'i' ? &view->only_count : &view->never_count;

    if (pattern == NULL || *pattern == '\0')
        return complain(EXIT_USAGE, "poolmon: -%c needs a tag, as in -%cRdCc", option, option);
    if (*count == POOL_PATTERNS_MAX)
        return complain(EXIT_USAGE, "poolmon: -%c%s: more than %d of them", option, pattern, POOL_PATTERNS_MAX);
    patterns[(*count)++] = pattern;
    return 0;
}

static int take_form(struct poolmon_options *options, enum pool_form form)
{
    if (options->form != POOL_TEXT && options->form != form)
        return complain(EXIT_USAGE, "poolmon: --csv, --json and --counters exclude each other");
    options->form = form;
    return 0;
}

static int take_interval(struct poolmon_options *options, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (!isdigit((unsigned char)text[0]) || *end != '\0' || !isfinite(seconds) || seconds < 0.1 || seconds > 86400)
        return complain(EXIT_USAGE, "--interval %s: seconds from 0.1 to 86400 are wanted", text);
    options->interval_ms = (unsigned)(seconds * 1000 + 0.5);
    options->interval_given = true;
    return 0;
}

static int take_option(struct poolmon_options *options, int found, char **argv)
{
    switch (found) {
    case OPTION_MACHINE:
        options->machine = optarg;
        return 0;
    case OPTION_ONCE:
        options->once = true;
        return 0;
    case OPTION_SITES:
        options->sites = true;
        return 0;
    case OPTION_CSV:
        return take_form(options, POOL_CSV);
    case OPTION_JSON:
        return take_form(options, POOL_JSON);
    case OPTION_COUNTERS:
        return take_form(options, POOL_COUNTERS);
    case OPTION_INTERVAL:
        return take_interval(options, optarg);
    case OPTION_COUNT:
        return argument_number("--count", optarg, 1, UINT32_MAX, &options->count);
    case 'i':
    case 'x':
        return take_pattern(&options->view, found, optarg);
    case 'n':
        options->file = optarg != NULL ? optarg : DEFAULT_FILE;
        return 0;
    case ':':
        return argument_refuse("poolmon", found, argv);
    case '?':
        if (optopt != '?')
            return argument_refuse("poolmon", found, argv);
        /* fall through */
    case 'h':
    case OPTION_HELP:
        return fputs(help, stdout), -1;
    default:
        pool_view_key(&options->view, found);
        return 0;
    }
}

/* "/b", "/iRdCc": as if it began with '-'. A path is none. */
static bool is_slashed(const char *text)
{
    if (text == NULL || text[0] != '/' || text[1] == '\0')
        return false;
    return strchr("ixn", text[1]) != NULL ||
           ((strchr(flags, text[1]) != NULL || text[1] == '?' || text[1] == 'h') && text[2] == '\0');
}

static int take_slashed(struct poolmon_options *options, char *text, char **argv)
{
    optarg = text[2] != '\0' ? text + 2 : NULL;
    optopt = (unsigned char)text[1];
    if (strchr("ix", text[1]) != NULL)
        return take_pattern(&options->view, text[1], text + 2);
    return take_option(options, text[1], argv);
}

int poolmon_options_read(struct poolmon_options *options, int argc, char **argv)
{
    bool file_may_follow = false;
    int found, rc = 0;

    *options = (struct poolmon_options){.interval_ms = 5000};
    opterr = 0;
    /* '-': what is no option comes in its place, as 1. */
    while (rc == 0 && (found = getopt_long(argc, argv, "-:ptafdbmel()n::i:x:h", names, NULL)) != -1) {
        bool is_file = found == 1 && file_may_follow && !(is_slashed(optarg) && optarg[2] == '\0');

        file_may_follow = found == 'n' && optarg == NULL;
        if (is_file)
            options->file = optarg;
        else if (found != 1)
            rc = take_option(options, found, argv);
        else if (is_slashed(optarg))
            rc = take_slashed(options, optarg, argv);
        else
            rc = complain(EXIT_USAGE, "poolmon takes no argument %s", optarg);
    }
    if (rc == 0 && optind < argc)
        return complain(EXIT_USAGE, "poolmon takes no argument %s", argv[optind]);
    return rc;
}
