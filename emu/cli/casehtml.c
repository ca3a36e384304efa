/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* casehtml.c - results as one page that needs nothing beside it. See casereport.h. */
#include "casereport.h"
#include "catalogue.h"
#include "rdrlab.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Documented defects of the NT redirector</title>\n<style>\n"
    "body { font: 16px/1.5 sans-serif; max-width: 80em; margin: 2em auto; padding: 0 1em; color: #222; }\n"
    "h1 { margin-bottom: 0; }\n"
    "h2 { border-top: 2px solid #222; padding-top: .6em; margin-top: 2.5em; }\n"
    "h2 a { color: inherit; }\n"
    "h3 { margin: 0 0 .4em; font-size: 1em; }\n"
    "table { border-collapse: collapse; width: 100%; }\n"
    "td, th { text-align: left; vertical-align: top; padding: .3em .8em .3em 0; border-bottom: 1px solid #ddd; }\n"
    "td.number { text-align: right; white-space: nowrap; }\n"
    "td.name, .good { white-space: nowrap; }\n"
    "pre { overflow-x: auto; padding: .8em 1em; font: 13px/1.45 monospace; margin: .4em 0 1em; }\n"
    "pre.code { background: #f4f2ec; }\n"
    "pre.stop { background: #0000a8; color: #fff; white-space: pre-wrap; overflow-wrap: anywhere; }\n"
    ".sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(26em, 1fr)); gap: 1.5em; }\n"
    ".side { border-top: 4px solid #0072B2; padding-top: .5em; min-width: 0; }\n"
    ".side.defect { border-color: #D55E00; }\n"
    ".good { color: #00684a; } .bad { color: #b00020; font-weight: bold; }\n"
    ".quiet { color: #666; }\n"
    "svg { max-width: 44em; width: 100%; display: block; margin: 1em 0; }\n"
    "@media print { h2 { break-before: page; border: 0; } pre { white-space: pre-wrap; } }\n"
    "</style>\n</head>\n<body>\n";

void case_print_escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            fputc(*text, file);
        }
    }
}

static void print_element(FILE *file, const char *begin, const char *text, const char *end)
{
    fputs(begin, file);
    case_print_escaped(file, text);
    fputs(end, file);
}

static void print_verdict(FILE *file, const struct case_side *side)
{
    if (side->problems[0] == '\0')
        fputs("<span class=\"good\">as documented</span>", file);
    else
        print_element(file, "<span class=\"bad\">not as documented: ", side->problems, "</span>");
}

static void print_overview(FILE *file, const struct case_results *results)
{
    fputs("<table>\n<tr><th>Article</th><th>Defect</th><th>Class</th><th>Builds with it</th><th>Run as</th>"
          "<th>Observed</th><th></th><th>Time</th></tr>\n",
          file);
    for (size_t i = 0; i < results->count; i++) {
        const struct case_result *result = &results->cases[i];
        const char *number = catalogue_text(result->a_case, "number");
        char builds[128];
        catalogue_builds(result->a_case, builds, sizeof(builds));
        for (size_t j = 0; j < result->side_count; j++) {
            fputs("<tr>", file);
            if (j == 0) {
                fprintf(file, "<td rowspan=\"%zu\"><a href=\"#%s\">%s</a></td><td rowspan=\"%zu\">", result->side_count,
                        number, number, result->side_count);
                case_print_escaped(file, catalogue_text(result->a_case, "title"));
                fprintf(file, "</td><td rowspan=\"%zu\">%s</td><td rowspan=\"%zu\">%s</td>", result->side_count,
                        catalogue_text(result->a_case, "class"), result->side_count, builds);
            }
            print_element(file, "<td class=\"name\">", result->sides[j].build, "</td>");
            print_element(file, "<td>", result->sides[j].observed, "</td><td>");
            print_verdict(file, &result->sides[j]);
            fprintf(file, "</td><td class=\"number\">%.1f s</td></tr>\n", result->sides[j].took);
        }
    }
    fputs("</table>\n", file);
}

static void print_list(FILE *file, const char *title, struct json_object *sentences)
{
    if (sentences == NULL || json_object_array_length(sentences) == 0)
        return;
    fprintf(file, "<b>%s</b>: ", title);
    for (size_t i = 0; i < json_object_array_length(sentences); i++) {
        fputs(i > 0 ? "; " : "", file);
        case_print_escaped(file, json_object_get_string(json_object_array_get_idx(sentences, i)));
    }
    fputs(".<br>\n", file);
}

static void print_switches(FILE *file, struct json_object *a_case)
{
    struct json_object *switches = catalogue_member(a_case, "switches");

    fputs("<h3>The switch</h3>\n", file);
    for (size_t i = 0; i < json_object_array_length(switches); i++) {
        struct json_object *place = json_object_array_get_idx(switches, i);
        fprintf(file, "<div class=\"quiet\">%s, line %d</div>\n", catalogue_text(place, "file"),
                json_object_get_int(catalogue_member(place, "line")));
        print_element(file, "<pre class=\"code\">", catalogue_text(place, "text"), "</pre>\n");
    }
}

static void print_kept(FILE *file, const struct case_step *step)
{
    for (size_t i = 0; step->times > 1 && i < step->kept_count; i++) {
        if ((uint64_t)step->kept[i].blocks >= step->times) /* fewer: lists that have grown */
            fprintf(file, "%lld blocks, %s, %lld bytes, %s:%u<br>", (long long)step->kept[i].blocks, step->kept[i].tag,
                    (long long)step->kept[i].bytes, step->kept[i].file, step->kept[i].line);
    }
}

/* So many steps from here on that were for preparation alone and went alike. */
static size_t alike(const struct case_side *side, size_t from)
{
    const struct case_step *step = &side->steps[from];
    size_t count = 1;

    while (step->id[0] == '\0' && step->done && step->answer.error == 0 && from + count < side->step_count) {
        const struct case_step *next = &side->steps[from + count];
        if (next->id[0] != '\0' || !next->done || next->answer.error != 0 || strcmp(next->kind, step->kind) != 0)
            break;
        count++;
    }
    return count;
}

static void print_steps(FILE *file, const struct case_side *side)
{
    fputs("<table>\n<tr><th>Step</th><th>Error</th><th>Kept of the pool</th></tr>\n", file);
    for (size_t i = 0; i < side->step_count; i += alike(side, i)) {
        const struct case_step *step = &side->steps[i];
        uint64_t times = step->times * alike(side, i);
        char what[80];
        snprintf(what, sizeof(what), "%s %.50s%s", step->kind, step->about, strlen(step->about) > 50 ? "..." : "");
        print_element(file, "<tr><td>", what, "");
        if (times > 1)
            fprintf(file, ", %llu times", (unsigned long long)times);
        if (step->done)
            fprintf(file, "</td><td>%u</td><td>", step->answer.error);
        else
            fputs("</td><td colspan=\"2\">the machine stops", file);
        print_kept(file, step);
        fputs("</td></tr>\n", file);
    }
    fputs("</table>\n", file);
}

static void print_side(FILE *file, const struct case_side *side)
{
    fprintf(file, "<div class=\"side%s\">\n<h3>", side->defect ? " defect" : "");
    case_print_escaped(file, side->build);
    fprintf(file, ", %s</h3>\n<p>", side->defect ? "with the defect" : "fixed");
    print_verdict(file, side);
    print_element(file, "<br>expected: ", side->expected, "");
    print_element(file, "<br>observed: ", side->observed, "</p>\n");
    if (side->stopped) /* a blank line comes first */
        print_element(file, "<pre class=\"stop\">", side->report + (side->report[0] == '\n'), "</pre>\n");
    print_steps(file, side);
    fputs("</div>\n", file);
}

static void print_case(FILE *file, const struct case_result *result)
{
    struct json_object *a_case = result->a_case;

    fprintf(file, "<h2 id=\"%s\">%s: ", catalogue_text(a_case, "number"), catalogue_text(a_case, "number"));
    case_print_escaped(file, catalogue_text(a_case, "title"));
    print_element(file, "</h2>\n<p>", catalogue_text(a_case, "symptom"), "</p>\n");
    print_element(file, "<p><b>Cause</b>, as the article states it: ", catalogue_text(a_case, "cause"), "</p>\n");
    print_switches(file, a_case);
    fprintf(file, "<h3>What the detector says (%s)</h3>\n", catalogue_text(a_case, "oracle.detector"));
    case_picture(file, result);
    fputs("<div class=\"sides\">\n", file);
    for (size_t i = 0; i < result->side_count; i++)
        print_side(file, &result->sides[i]);
    fputs("</div>\n<p class=\"quiet\">", file);
    print_list(file, "Documented", catalogue_member(a_case, "documented"));
    print_list(file, "Observed elsewhere", catalogue_member(a_case, "observed"));
    print_list(file, "Our guess", catalogue_member(a_case, "guess"));
    fputs("</p>\n", file);
}

int case_report_html(const char *path, const struct case_results *results)
{
    FILE *file = fopen(path, "we");
    bool bad;

    if (file == NULL)
        return complain(EXIT_ENVIRONMENT, "--html %s: %s", path, strerror(errno));
    fputs(head, file);
    fputs(
        "<h1>Documented defects of the NT redirector</h1>\n<p>Each with the build that has it and the one that has the "
        "fix, run side by side on emulated machines: ",
        file);
    case_print_escaped(file, results->client);
    fputs(", ", file);
    case_print_escaped(file, results->server);
    fputs(". What finds a defect is the pool, the verifier, IRQL, the clock or a status; no check knows a case.</p>\n",
          file);
    print_overview(file, results);
    for (size_t i = 0; i < results->count; i++)
        print_case(file, &results->cases[i]);
    fputs("</body>\n</html>\n", file);
    bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return complain(EXIT_ENVIRONMENT, "--html %s: %s", path, strerror(errno));
    return 0;
}
