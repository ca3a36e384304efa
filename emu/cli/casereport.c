/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* casereport.c - results as a table and as JSON. See casereport.h. */
#include "casereport.h"
#include "catalogue.h"
#include "rdrlab.h"
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

bool case_results_pass(const struct case_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        for (size_t j = 0; j < results->cases[i].side_count; j++) {
            if (results->cases[i].sides[j].problems[0] != '\0')
                return false;
        }
    }
    return true;
}

void case_report_text(FILE *file, const struct case_results *results, bool whole)
{
    static const char *const head[] = {"case", "build", "", "observed", "expected", "verdict", "time"};
    struct table table = {.columns = 7, .right = "llllllr"};

    fprintf(file, "%s, %s\n\n", results->client, results->server);
    table_row(&table, head);
    for (size_t i = 0; i < results->count; i++) {
        for (size_t j = 0; j < results->cases[i].side_count; j++) {
            const struct case_side *side = &results->cases[i].sides[j];
            char verdict[PROBLEMS_SIZE + 16], took[32];
            snprintf(verdict, sizeof(verdict), side->problems[0] != '\0' ? "WRONG: %s" : "as documented",
                     side->problems);
            snprintf(took, sizeof(took), "%.1f s", side->took);
            table_row(&table, (const char *const[]){catalogue_text(results->cases[i].a_case, "number"), side->build,
                                                    side->defect ? "defect" : "fixed", side->observed, side->expected,
                                                    verdict, took});
        }
    }
    table_print(&table, file);
    for (size_t i = 0; whole && i < results->count; i++) {
        for (size_t j = 0; j < results->cases[i].side_count; j++) {
            if (results->cases[i].sides[j].stopped)
                fputs(results->cases[i].sides[j].report, file);
        }
    }
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *key, int64_t number)
{
    json_object_object_add(object, key, json_object_new_int64(number));
}

static struct json_object *step_object(const struct case_step *step)
{
    struct json_object *object = json_object_new_object(), *kept = json_object_new_array();

    add_text(object, "do", step->kind);
    add_text(object, "id", step->id);
    json_object_object_add(object, "done", json_object_new_boolean(step->done));
    if (step->done) {
        add_number(object, "times", (int64_t)step->times);
        add_number(object, "error", step->answer.error);
        add_number(object, "other_errors", (int64_t)step->answer.others);
        json_object_object_add(object, "seconds", json_object_new_double(step->seconds));
        add_number(object, "connects", step->connects);
        if (step->sessions >= 0) {
            add_number(object, "sessions", step->sessions);
            add_number(object, "trees", step->trees);
            add_number(object, "files", step->files);
        }
    }
    for (size_t i = 0; i < step->kept_count; i++) {
        struct json_object *site = json_object_new_object();
        add_text(site, "pool", step->kept[i].paged ? "paged" : "nonpaged");
        add_text(site, "tag", step->kept[i].tag);
        add_text(site, "file", step->kept[i].file);
        add_number(site, "line", step->kept[i].line);
        add_number(site, "blocks", step->kept[i].blocks);
        add_number(site, "bytes", step->kept[i].bytes);
        json_object_array_add(kept, site);
    }
    json_object_object_add(object, "kept", kept);
    return object;
}

static struct json_object *side_object(const struct case_side *side)
{
    struct json_object *object = json_object_new_object(), *steps = json_object_new_array();

    add_text(object, "build", side->build);
    json_object_object_add(object, "defect", json_object_new_boolean(side->defect));
    add_text(object, "observed", side->observed);
    add_text(object, "expected", side->expected);
    json_object_object_add(object, "as_documented", json_object_new_boolean(side->problems[0] == '\0'));
    add_text(object, "problems", side->problems);
    json_object_object_add(object, "took", json_object_new_double(side->took));
    if (side->stopped)
        add_text(object, "bug_check", side->report);
    for (size_t i = 0; i < side->step_count; i++)
        json_object_array_add(steps, step_object(&side->steps[i]));
    json_object_object_add(object, "steps", steps);
    return object;
}

int case_report_json(const char *path, const struct case_results *results)
{
    struct json_object *all = json_object_new_object(), *cases = json_object_new_array();
    int rc = 0;

    add_text(all, "client", results->client);
    add_text(all, "server", results->server);
    json_object_object_add(all, "as_documented", json_object_new_boolean(case_results_pass(results)));
    for (size_t i = 0; i < results->count; i++) {
        struct json_object *object = json_object_new_object(), *sides = json_object_new_array();
        add_text(object, "number", catalogue_text(results->cases[i].a_case, "number"));
        for (size_t j = 0; j < results->cases[i].side_count; j++)
            json_object_array_add(sides, side_object(&results->cases[i].sides[j]));
        json_object_object_add(object, "sides", sides);
        json_object_array_add(cases, object);
    }
    json_object_object_add(all, "cases", cases);
    if (strcmp(path, "-") == 0)
        puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
    else if (json_object_to_file_ext(path, all, JSON_C_TO_STRING_PRETTY) != 0)
        rc = complain(EXIT_ENVIRONMENT, "--json %s: %s", path, strerror(errno));
    json_object_put(all);
    return rc;
}
