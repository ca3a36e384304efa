/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * casejudge.c - what a case says must be observed, beside what was. Its oracle names what differs from a quiet run:
 * every other step succeeds, nothing is kept, nothing stops the machine, and shutdown finds nothing left.
 */
#include "caserun.h"
#include "catalogue.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* So often a step must be done for blocks that stay behind it to be its own: less is lists that have grown. */
#define OFTEN 10

/* Another part of a summary, of a step by its name or of none (""): those of one step stand together behind it. */
static void tell(char text[CASE_SUMMARY], const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(char text[CASE_SUMMARY], const char *name, const char *format, ...)
{
    const char *last = strrchr(text, ';');
    size_t length = strlen(name), used = strlen(text);
    bool again;
    va_list arguments;

    last = last != NULL ? last + 2 : text;
    again = length > 0 && strncmp(last, name, length) == 0 && last[length] == ':';
    used += (size_t)snprintf(text + used, CASE_SUMMARY - used, "%s%s%s",
                             again      ? ", "
                             : used > 0 ? "; "
                                        : "",
                             again ? "" : name, again || length == 0 ? "" : ": ");
    va_start(arguments, format);
    if (used < CASE_SUMMARY)
        vsnprintf(text + used, CASE_SUMMARY - used, format, arguments);
    va_end(arguments);
}

static struct json_object *expected(struct json_object *oracle, const char *kind, const char *id)
{
    struct json_object *entries = catalogue_member(oracle, kind), *entry = NULL;

    return entries != NULL && id[0] != '\0' && json_object_object_get_ex(entries, id, &entry) ? entry : NULL;
}

/* ---- amounts ---- */

static bool within(struct json_object *amount, double number)
{
    struct json_object *least, *most;

    if (!json_object_is_type(amount, json_type_object))
        return number == (double)json_object_get_int64(amount);
    least = catalogue_member(amount, "min");
    most = catalogue_member(amount, "max");
    return (least == NULL || number >= (double)json_object_get_int64(least)) &&
           (most == NULL || number <= (double)json_object_get_int64(most));
}

static const char *amount_text(struct json_object *amount, char text[64])
{
    struct json_object *least, *most;

    if (!json_object_is_type(amount, json_type_object)) {
        snprintf(text, 64, "%" PRId64, json_object_get_int64(amount));
        return text;
    }
    least = catalogue_member(amount, "min");
    most = catalogue_member(amount, "max");
    if (least != NULL && most != NULL)
        snprintf(text, 64, "%" PRId64 " to %" PRId64, json_object_get_int64(least), json_object_get_int64(most));
    else if (least != NULL)
        snprintf(text, 64, "at least %" PRId64, json_object_get_int64(least));
    else
        snprintf(text, 64, "at most %" PRId64, json_object_get_int64(most));
    return text;
}

/* ---- the bug check ---- */

/* The report has the innermost function first; the case names the outermost first. */
static bool has_stack(const char *report, struct json_object *names)
{
    const char *at = report;

    for (size_t i = json_object_array_length(names); at != NULL && i > 0; i--) {
        char frame[80];
        snprintf(frame, sizeof(frame), "!%s+", json_object_get_string(json_object_array_get_idx(names, i - 1)));
        at = strstr(at, frame);
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL;
}

static void describe_stop(struct json_object *stop, char text[CASE_SUMMARY])
{
    struct json_object *parameters = catalogue_member(stop, "parameters"), *stack = catalogue_member(stop, "stack");
    char list[128] = "";

    for (size_t i = 0; parameters != NULL && i < json_object_array_length(parameters); i++) {
        struct json_object *parameter = json_object_array_get_idx(parameters, i);
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "",
                 parameter != NULL ? json_object_get_string(parameter) : "any");
    }
    tell(text, "", "STOP %s%s%s%s", catalogue_text(stop, "code"), list[0] != '\0' ? " (" : "", list,
         list[0] != '\0' ? ")" : "");
    for (size_t i = 0; stack != NULL && i < json_object_array_length(stack); i++) {
        size_t used = strlen(text);
        snprintf(text + used, CASE_SUMMARY - used, "%s%s", i > 0 ? " > " : " in ",
                 json_object_get_string(json_object_array_get_idx(stack, i)));
    }
}

static void judge_stop(struct json_object *stop, struct case_side *side)
{
    struct json_object *parameters = catalogue_member(stop, "parameters"), *stack = catalogue_member(stop, "stack");

    if (stop != NULL)
        describe_stop(stop, side->expected);
    if (side->stopped)
        tell(side->observed, "", "STOP 0x%X (0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ")", side->code,
             side->parameters[0], side->parameters[1], side->parameters[2], side->parameters[3]);
    if (side->stopped && stop == NULL)
        results_problem(side->problems, "a bug check");
    else if (!side->stopped && stop != NULL)
        results_problem(side->problems, "no bug check");
    if (!side->stopped || stop == NULL)
        return;
    if (side->code != strtoul(catalogue_text(stop, "code"), NULL, 0))
        results_problem(side->problems, "bug check 0x%X", side->code);
    for (size_t i = 0; parameters != NULL && i < 4; i++) {
        struct json_object *parameter =
            i < json_object_array_length(parameters) ? json_object_array_get_idx(parameters, i) : NULL;
        if (parameter != NULL && side->parameters[i] != strtoull(json_object_get_string(parameter), NULL, 0))
            results_problem(side->problems, "parameter %zu is 0x%" PRIx64, i + 1, side->parameters[i]);
    }
    if (stack != NULL && !has_stack(side->report, stack))
        results_problem(side->problems, "another stack");
}

/* ---- steps ---- */

static const char *name_of(const struct case_step *step)
{
    return step->id[0] != '\0' ? step->id : step->kind;
}

static void judge_error(struct json_object *wanted, const struct case_step *step, struct case_side *side)
{
    uint32_t error = wanted != NULL ? (uint32_t)json_object_get_int(wanted) : 0;

    if (wanted != NULL)
        tell(side->expected, name_of(step), "error %u", error);
    if (wanted != NULL || step->answer.error != 0)
        tell(side->observed, name_of(step), "error %u", step->answer.error);
    if (step->answer.error != error)
        results_problem(side->problems, "%s: error %u, not %u", name_of(step), step->answer.error, error);
    else if (step->answer.others > 0)
        results_problem(side->problems, "%s: %" PRIu64 " times error %u, not %u", name_of(step), step->answer.others,
                        step->answer.other, error);
}

/* Live blocks of one pool and tag behind a step; *bytes too. tag "": any. */
static int64_t kept_of(const struct case_step *step, bool paged, const char *tag, int64_t *bytes)
{
    int64_t blocks = 0;

    *bytes = 0;
    for (size_t i = 0; i < step->kept_count; i++) {
        if (step->kept[i].paged != paged || (tag[0] != '\0' && strcmp(step->kept[i].tag, tag) != 0))
            continue;
        blocks += step->kept[i].blocks;
        *bytes += step->kept[i].bytes;
    }
    return blocks;
}

static void judge_kept(struct json_object *wanted, const struct case_step *step, struct case_side *side)
{
    bool paged = strcmp(catalogue_text(wanted, "pool"), "paged") == 0;
    const char *tag = catalogue_text(wanted, "tag");
    int64_t bytes, blocks = kept_of(step, paged, tag, &bytes);
    double each = (double)blocks / (double)step->times;
    char text[64];

    tell(side->expected, name_of(step), "keeps %s %s %s", amount_text(catalogue_member(wanted, "blocks"), text),
         catalogue_text(wanted, "pool"), tag);
    tell(side->observed, name_of(step), "keeps %.4g %s %s (%" PRId64 " bytes)", each, catalogue_text(wanted, "pool"),
         tag, bytes / (int64_t)step->times);
    if (!within(catalogue_member(wanted, "blocks"), each))
        results_problem(side->problems, "%s: %" PRId64 " blocks kept in %" PRIu64 " times", name_of(step), blocks,
                        step->times);
}

static void judge_not_kept(const struct case_step *step, struct case_side *side)
{
    for (size_t i = 0; i < step->kept_count && step->times >= OFTEN; i++) {
        if ((uint64_t)step->kept[i].blocks >= step->times)
            results_problem(side->problems, "%s: %" PRId64 " blocks kept at %s:%u", name_of(step), step->kept[i].blocks,
                            step->kept[i].file, step->kept[i].line);
    }
}

static void judge_amount(const char *what, struct json_object *wanted, double number, const struct case_step *step,
                         struct case_side *side)
{
    char text[64];

    if (wanted == NULL)
        return;
    tell(side->expected, name_of(step), "%s %s", amount_text(wanted, text), what);
    if (number < 0) {
        tell(side->observed, name_of(step), "%s not known", what);
        results_problem(side->problems, "%s: nobody says how many %s", name_of(step), what);
        return;
    }
    tell(side->observed, name_of(step), "%.4g %s", number, what);
    if (!within(wanted, number))
        results_problem(side->problems, "%s: %.4g %s, not %s", name_of(step), number, what, text);
}

static void judge_step(struct json_object *oracle, const struct case_step *step, struct case_side *side)
{
    struct json_object *kept = expected(oracle, "kept", step->id);

    judge_error(expected(oracle, "errors", step->id), step, side);
    if (kept != NULL)
        judge_kept(kept, step, side);
    else
        judge_not_kept(step, side);
    judge_amount("s", expected(oracle, "seconds", step->id), step->seconds, step, side);
    judge_amount("connects", expected(oracle, "connects", step->id), (double)step->connects, step, side);
    judge_amount("sessions", expected(oracle, "sessions", step->id), (double)step->sessions, step, side);
    judge_amount("trees", expected(oracle, "trees", step->id), (double)step->trees, step, side);
    judge_amount("files", expected(oracle, "files", step->id), (double)step->files, step, side);
}

/* ---- shutdown ---- */

static uint64_t kept_by_steps(struct json_object *oracle, const struct case_side *side, bool paged)
{
    uint64_t blocks = 0;

    for (size_t i = 0; i < side->step_count; i++) {
        struct json_object *kept = expected(oracle, "kept", side->steps[i].id);
        int64_t bytes;
        if (kept != NULL && (strcmp(catalogue_text(kept, "pool"), "paged") == 0) == paged)
            blocks += (uint64_t)kept_of(&side->steps[i], paged, catalogue_text(kept, "tag"), &bytes);
    }
    return blocks;
}

static void judge_audit(struct json_object *oracle, struct case_side *side)
{
    const struct machine_audit *audit = &side->audit;
    uint64_t paged = kept_by_steps(oracle, side, true), nonpaged = kept_by_steps(oracle, side, false);

    if (audit->paged_blocks != paged || audit->nonpaged_blocks != nonpaged)
        results_problem(side->problems,
                        "shutdown finds %" PRIu64 " paged and %" PRIu64 " nonpaged blocks, not %" PRIu64
                        " and %" PRIu64,
                        audit->paged_blocks, audit->nonpaged_blocks, paged, nonpaged);
    if (audit->handles + audit->irps > 0)
        results_problem(side->problems, "shutdown finds %" PRIu64 " handles, %" PRIu64 " IRPs", audit->handles,
                        audit->irps);
}

void case_judge(struct json_object *a_case, struct case_side *side)
{
    struct json_object *oracle = catalogue_member(a_case, side->defect ? "oracle.defect" : "oracle.fixed");

    judge_stop(catalogue_member(oracle, "bugcheck"), side);
    for (size_t i = 0; i < side->step_count; i++) {
        if (side->steps[i].done)
            judge_step(oracle, &side->steps[i], side);
    }
    if (!side->stopped)
        judge_audit(oracle, side);
    if (side->expected[0] == '\0')
        snprintf(side->expected, sizeof(side->expected), "every call succeeds, nothing is kept");
    if (side->observed[0] == '\0')
        snprintf(side->observed, sizeof(side->observed), "every call succeeds, nothing is kept");
}
