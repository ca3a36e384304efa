/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See reprocases.h. */
#include "reprocases.h"
#include "arguments.h"
#include "casereport.h"
#include "catalogue.h"
#include "process.h"
#include "rdrlab.h"
#include "repro.h"

#include <ntemu/builds.h>

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: rdrlab repro Qnnnnnn... [OPTION]...\n"
    "       rdrlab repro --all [OPTION]...\n\n"
    "Do what the cases of the catalogue say (\"rdrlab cases\"), on a machine with the defect and on one with the fix, "
    "and\n"
    "compare what the pool, the verifier, the clock and the statuses tell with what is documented.\n\n"
    "  --build NAME   repeatable: on these, whether they have the defect or not; default: the two that the case names\n"
    "  --json FILE    write the results for programs; -: standard output, and the table to standard error\n"
    "  --html FILE    write them as a page\n"
    "  --no-wine      this program does the calls itself, even if Wine is there\n"
    "  --no-samba     the server is in memory, even if smbd is there; cases that want a real one are left out\n"
    "  -v, --verbose  let the machines keep logs\n";

struct cases_options {
    const char *numbers[EMU_DEFECT_COUNT];
    const char *builds[CASE_SIDES / 2];
    size_t number_count, build_count;
    const char *json, *html;
    bool all, no_wine, no_samba, verbose;
};

enum { OPTION_BUILD = 256, OPTION_JSON, OPTION_HTML, OPTION_ALL, OPTION_NO_WINE, OPTION_NO_SAMBA };

static const struct option names[] = {{"build", required_argument, NULL, OPTION_BUILD},
                                      {"json", required_argument, NULL, OPTION_JSON},
                                      {"html", required_argument, NULL, OPTION_HTML},
                                      {"all", no_argument, NULL, OPTION_ALL},
                                      {"no-wine", no_argument, NULL, OPTION_NO_WINE},
                                      {"no-samba", no_argument, NULL, OPTION_NO_SAMBA},
                                      {"verbose", no_argument, NULL, 'v'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

bool repro_cases_wanted(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0 || catalogue_is_number(argv[i]))
            return true;
    }
    return false;
}

/* ---- options ---- */

static int add_build(struct cases_options *options, const char *build)
{
    int rc = argument_build(build);

    if (rc == 0 && options->build_count == sizeof(options->builds) / sizeof(options->builds[0]))
        return complain(EXIT_USAGE, "--build %s: more than %zu of them", build, options->build_count);
    if (rc == 0)
        options->builds[options->build_count++] = build;
    return rc;
}

static int take_option(int found, struct cases_options *options, char **argv)
{
    switch (found) {
    case OPTION_BUILD:
        return add_build(options, optarg);
    case OPTION_JSON:
        options->json = optarg;
        return argument_output("--json", optarg);
    case OPTION_HTML:
        options->html = optarg;
        return argument_output("--html", optarg);
    case OPTION_ALL:
        options->all = true;
        return 0;
    case OPTION_NO_WINE:
        options->no_wine = true;
        return 0;
    case OPTION_NO_SAMBA:
        options->no_samba = true;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    default:
        return argument_refuse("repro", found, argv);
    }
}

static int take_number(struct cases_options *options, const char *number)
{
    if (catalogue_find(number) == NULL)
        return complain(EXIT_USAGE, "no case %s; \"rdrlab cases\" lists them", number);
    for (size_t i = 0; i < options->number_count; i++) {
        if (strcmp(options->numbers[i], number) == 0)
            return complain(EXIT_USAGE, "%s: given twice", number);
    }
    options->numbers[options->number_count++] = number;
    return 0;
}

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, struct cases_options *options)
{
    int found, rc = 0;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":vh", names, NULL)) != -1) {
        if (found == 'h')
            return fputs(help, stdout), -1;
        rc = take_option(found, options, argv);
        if (rc != 0)
            return rc;
    }
    if (options->all && optind < argc)
        return complain(EXIT_USAGE, "repro: --all, or numbers");
    for (; optind < argc && rc == 0; optind++)
        rc = take_number(options, argv[optind]);
    for (size_t i = 0; options->all && i < EMU_DEFECT_COUNT; i++)
        options->numbers[options->number_count++] = EmuDefects[i].Article;
    return rc;
}

/* ---- the work ---- */

static bool wants_samba(struct json_object *a_case)
{
    const char *server = catalogue_text(a_case, "reproduction.server");

    return server[0] == '\0' || strcmp(server, "samba") == 0;
}

/* Sessions and trees are a real server's; the rest does as well with one in memory. */
static bool needs_samba(struct json_object *a_case)
{
    struct json_object *steps = catalogue_member(a_case, "reproduction.steps");

    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        if (strcmp(catalogue_text(json_object_array_get_idx(steps, i), "do"), "server") == 0)
            return true;
    }
    return false;
}

/* The builds to run: those asked for, or the case's two; by number, a build is run twice. */
static void plan(const struct cases_options *options, struct case_result *result)
{
    struct json_object *twins = catalogue_member(result->a_case, "reproduction.twins");
    const char *number = catalogue_text(result->a_case, "number");
    bool by_number = strcmp(catalogue_text(result->a_case, "switched"), "number") == 0;

    for (size_t i = 0; i < options->build_count; i++) {
        if (by_number)
            result->sides[result->side_count++] = (struct case_side){.build = options->builds[i], .defect = true};
        result->sides[result->side_count++] = (struct case_side){
            .build = options->builds[i], .defect = !by_number && EmuBuildHasDefect(options->builds[i], number)};
    }
    for (size_t i = 0; i < 2 && options->build_count == 0; i++)
        result->sides[result->side_count++] =
            (struct case_side){.build = json_object_get_string(json_object_array_get_idx(twins, i)), .defect = i == 0};
}

/* A session of a machine whose build has none cannot be: such a side is left out. */
static bool can_run(struct json_object *a_case, const char *build)
{
    return catalogue_member(a_case, "reproduction.session") == NULL || EmuBuildHasSessions(build);
}

static int run_case(struct lab *lab, struct case_result *result)
{
    size_t kept = 0;
    int rc = 0;

    for (size_t i = 0; i < result->side_count && rc == 0; i++) {
        struct case_side *side = &result->sides[i];
        if (!can_run(result->a_case, side->build))
            continue;
        progress("%s  %s", catalogue_text(result->a_case, "number"), side->build);
        rc = case_run(lab, result->a_case, side);
        if (kept != i)
            result->sides[kept] = *side;
        kept++;
    }
    result->side_count = kept;
    return rc;
}

/* All cases over one kind of server: they share a lab, and so Wine and smbd. */
static int run_over(const struct cases_options *options, bool samba, struct case_results *results)
{
    struct lab lab = {.owner = -1, .log = -1};
    struct lab_options lab_options = {
        .no_wine = options->no_wine, .no_server = !samba, .verbose = options->verbose, .dialect = "SMB3_11"};
    bool open = false;
    int rc = 0;

    for (size_t i = 0; i < results->count && rc == 0; i++) {
        struct case_result *result = &results->cases[i];
        if ((wants_samba(result->a_case) && (!options->no_samba || needs_samba(result->a_case))) != samba)
            continue;
        if (samba && options->no_samba) {
            progress("%s  left out: it wants a real server", catalogue_text(result->a_case, "number"));
            continue;
        }
        if (!open)
            rc = lab_open(&lab, &lab_options);
        open = true;
        plan(options, result);
        if (rc == 0)
            rc = run_case(&lab, result);
    }
    if (lab.prefix.wine.version[0] != '\0')
        snprintf(results->client, sizeof(results->client), "casesteps.exe under %s", lab.prefix.wine.version);
    if (lab.smbd != NULL) {
        char version[64];
        lab_samba_version(&lab, version, sizeof(version));
        snprintf(results->server, sizeof(results->server), "smbd %s", version);
    }
    if (open)
        lab_close(&lab);
    progress_end();
    return rc;
}

/* Without Wine, or without what runs there, the calls are done here. */
static void look_around(struct cases_options *options)
{
    char program[PATH_MAX];
    struct places places;

    if (places_find(&places) != 0 || access(places.casesteps, R_OK) != 0 ||
        process_find_program("wine", program, sizeof(program)) != 0)
        options->no_wine = true;
    if (process_find_program("smbd", program, sizeof(program)) != 0)
        options->no_samba = true;
}

static int report(const struct cases_options *options, const struct case_results *results)
{
    FILE *text = options->json != NULL && strcmp(options->json, "-") == 0 ? stderr : stdout;
    int rc = 0, error;

    case_report_text(text, results, results->count == 1);
    if (options->json != NULL)
        rc = case_report_json(options->json, results);
    if (options->html != NULL && (error = case_report_html(options->html, results)) != 0)
        rc = error;
    return rc != 0 ? rc : case_results_pass(results) ? 0 : EXIT_NOT_AS_EXPECTED;
}

int repro_cases(int argc, char **argv)
{
    struct cases_options options = {.json = NULL};
    struct case_results results = {.client = "calls by rdrlab", .server = "a server in memory"};
    int rc = read_options(argc, argv, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    look_around(&options);
    results.cases = calloc(options.number_count, sizeof(*results.cases));
    if (results.cases == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    results.count = options.number_count;
    for (size_t i = 0; i < results.count; i++)
        results.cases[i].a_case = catalogue_find(options.numbers[i]);
    rc = run_over(&options, true, &results);
    if (rc == 0)
        rc = run_over(&options, false, &results);
    if (rc == 0)
        rc = report(&options, &results);
    for (size_t i = 0; i < results.count; i++) {
        for (size_t j = 0; j < results.cases[i].side_count; j++)
            case_side_free(&results.cases[i].sides[j]);
    }
    free(results.cases);
    return rc;
}
