/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cases.c - "rdrlab cases": the catalogue, or one case whole. */
#include "arguments.h"
#include "catalogue.h"
#include "rdrlab.h"
#include "table.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include <ntemu/builds.h>

static const char help[] =
    "usage: rdrlab cases [--json] [Qnnnnnn]\n\n"
    "The documented defects that builds have: number, title, class, builds, and which general detector finds each.\n"
    "With a number, all that is known of it. \"rdrlab repro Qnnnnnn\" runs it.\n\n"
    "  --json  for programs\n";

/* The builds with the defect, as the library itself says. */
static struct json_object *builds_array(const char *number)
{
    struct json_object *array = json_object_new_array();

    for (const char *const *name = EmuBuildNames(); *name != NULL; name++) {
        if (EmuBuildHasDefect(*name, number))
            json_object_array_add(array, json_object_new_string(*name));
    }
    return array;
}

static void print_json(const char *number)
{
    struct json_object *all = json_object_new_array();

    for (size_t i = 0; i < catalogue_count(); i++) {
        struct json_object *a_case = json_tokener_parse(catalogue_texts[i]);
        const char *name = catalogue_text(a_case, "number");
        if (number != NULL && strcmp(number, name) != 0) {
            json_object_put(a_case);
            continue;
        }
        json_object_object_add(a_case, "builds_with_it", builds_array(name));
        json_object_array_add(all, a_case);
    }
    puts(json_object_to_json_string_ext(number != NULL ? json_object_array_get_idx(all, 0) : all,
                                        JSON_C_TO_STRING_PRETTY));
    json_object_put(all);
}

static void print_all(void)
{
    struct table table = {.columns = 5};

    table_row(&table, (const char *const[]){"case", "title", "class", "builds with it", "found by"});
    for (size_t i = 0; i < catalogue_count(); i++) {
        struct json_object *a_case = catalogue_at(i);
        char builds[128];
        catalogue_builds(a_case, builds, sizeof(builds));
        table_row(&table, (const char *const[]){catalogue_text(a_case, "number"), catalogue_text(a_case, "title"),
                                                catalogue_text(a_case, "class"), builds,
                                                catalogue_text(a_case, "oracle.detector")});
    }
    table_print(&table, stdout);
}

static void print_sentences(const char *title, struct json_object *sentences)
{
    for (size_t i = 0; sentences != NULL && i < json_object_array_length(sentences); i++)
        printf("%-12s%s\n", i == 0 ? title : "", json_object_get_string(json_object_array_get_idx(sentences, i)));
}

static void print_one(struct json_object *a_case)
{
    struct json_object *switches = catalogue_member(a_case, "switches");
    char builds[128];

    catalogue_builds(a_case, builds, sizeof(builds));
    printf("%s  %s\n\n", catalogue_text(a_case, "number"), catalogue_text(a_case, "title"));
    print_sentences("products", catalogue_member(a_case, "products"));
    printf("%-12s%s\n%-12s%s\n%-12s%s\n%-12s%s\n%-12s%s\n", "class", catalogue_text(a_case, "class"), "symptom",
           catalogue_text(a_case, "symptom"), "cause", catalogue_text(a_case, "cause"), "builds", builds, "found by",
           catalogue_text(a_case, "oracle.detector"));
    print_sentences("documented", catalogue_member(a_case, "documented"));
    print_sentences("observed", catalogue_member(a_case, "observed"));
    print_sentences("our guess", catalogue_member(a_case, "guess"));
    print_sentences("see also", catalogue_member(a_case, "see"));
    printf("%-12s%s\n%-12s%s\n", "defect",
           json_object_to_json_string_ext(catalogue_member(a_case, "oracle.defect"), JSON_C_TO_STRING_SPACED), "fixed",
           json_object_to_json_string_ext(catalogue_member(a_case, "oracle.fixed"), JSON_C_TO_STRING_SPACED));
    for (size_t i = 0; i < json_object_array_length(switches); i++) {
        struct json_object *place = json_object_array_get_idx(switches, i);
        printf("\n%s:%d\n%s\n", catalogue_text(place, "file"), json_object_get_int(catalogue_member(place, "line")),
               catalogue_text(place, "text"));
    }
}

int command_cases(int argc, char **argv)
{
    static const struct option names[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *number;
    bool json = false;
    int found;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        if (found == 'h')
            return fputs(help, stdout), 0;
        if (found != 'j')
            return argument_refuse("cases", found, argv);
        json = true;
    }
    if (optind + 1 < argc)
        return complain(EXIT_USAGE, "cases takes no argument %s", argv[optind + 1]);
    number = optind < argc ? argv[optind] : NULL;
    if (number != NULL && catalogue_find(number) == NULL)
        return complain(EXIT_USAGE, "no case %s; \"rdrlab cases\" lists them", number);
    if (json)
        print_json(number);
    else if (number != NULL)
        print_one(catalogue_find(number));
    else
        print_all();
    return 0;
}
