/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exhaust.c - "rdrlab repro --exhaust": the article's symptom, no paged pool left. See repro.h. */
#include "process.h"
#include "rdrlab.h"
#include "report_text.h"
#include "repro.h"

#include <ntemu/builds.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_INVALID_NAME        123
#define ERROR_NO_SYSTEM_RESOURCES 1450
#define EVENT_POOL_EMPTY          2020 /* SRV_NONPAGED is 2019 */
#define DEFAULT_LIMIT_MB          192

/* No create keeps less than the smallest block. */
#define SMALLEST_BLOCK 16

/* Fill in the event's text; "" if the log has none. */
static int find_event(struct subject *subject, char *text, size_t size)
{
    struct wire_event *events = NULL;
    size_t count = 0;
    int rc = inspect_events(subject->client, &events, &count);

    text[0] = '\0';
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (events[i].id == EVENT_POOL_EMPTY && strncmp(events[i].source, "Srv", sizeof(events[i].source)) == 0)
            snprintf(text, size, "%.168s", events[i].text);
    }
    free(events);
    return rc;
}

static void judge_exhausted(struct results_run *run, const struct createleak *output, const char *event)
{
    uint64_t refused = results_errors(run, ERROR_NO_SYSTEM_RESOURCES);

    run->verdict = VERDICT_LEAKS;
    if (refused != 1 || results_errors(run, ERROR_INVALID_NAME) + refused != run->opens)
        results_problem(run->problems, "the calls were to fail with %d and the last one with %d", ERROR_INVALID_NAME,
                        ERROR_NO_SYSTEM_RESOURCES);
    if (!output->file_equal)
        results_problem(run->problems, "the file on the share was not read as it is beforehand");
    if (!output->reopened || output->reopen != ERROR_NO_SYSTEM_RESOURCES)
        results_problem(run->problems, "the valid file was to fail with %d afterwards, and gave %u",
                        ERROR_NO_SYSTEM_RESOURCES, output->reopen);
    if (event[0] == '\0')
        results_problem(run->problems, "there is no event %d of source Srv in the machine's log", EVENT_POOL_EMPTY);
    if (run->pages_after <= run->pages_before)
        results_problem(run->problems, "the program saw no more pages than before");
}

static void print_exhausted(const struct results_run *run, const struct createleak *output, const char *event,
                            const struct repro_options *options, const struct probe *probe, FILE *text)
{
    char opens[32], bytes[32], pages[32], call[CALL_SIZE];

    fprintf(text, "%s: after %s opens and %.1f s, %s fails with %d (ERROR_NO_SYSTEM_RESOURCES)\n", run->build,
            thousands(run->opens, opens), run->seconds, results_call(run, call), ERROR_NO_SYSTEM_RESOURCES);
    fprintf(text, "  paged pool: %s B in the machine, %s pages for the program, of %" PRIu64 " MB\n",
            thousands(run->paged_after, bytes), thousands(run->pages_after, pages), options->paged_limit_mb);
    fprintf(text, "  event log: %d Srv: %s\n", EVENT_POOL_EMPTY, event[0] != '\0' ? event : "(none)");
    fprintf(text, "  CreateFile(\"%c:\\%s\"), a valid file: error %u\n", run->letter, probe->name, output->reopen);
}

static void print_spared(const struct results_run *run, FILE *text)
{
    char opens[32], before[32], after[32], pages_before[32], pages_after[32];

    fprintf(text, "%s: %s opens in %.1f s, paged pool %s -> %s B, %s -> %s pages: %s\n", run->build,
            thousands(run->opens, opens), run->seconds, thousands(run->paged_before, before),
            thousands(run->paged_after, after), thousands(run->pages_before, pages_before),
            thousands(run->pages_after, pages_after), verdict_name(run->verdict));
}

static int exhaust_build(struct lab *lab, const struct repro_options *options, const struct call_plan *plan,
                         struct results *results, struct results_run *run, struct subject *subject, FILE *text)
{
    struct machine_options machine = {.build = run->build,
                                      .paged_limit_mb = options->paged_limit_mb,
                                      .verifier = options->verifier,
                                      .registry = options->registry};
    struct createleak output;
    char event[176], call[CALL_SIZE];
    int rc;

    progress("%s  %s until the paged pool is used up", run->build, results_call(run, call));
    rc = repro_boot(lab, &machine, subject);
    if (rc == 0)
        rc = repro_warm_up(lab, subject, plan->probe, run->letter, results);
    if (rc == 0)
        rc = repro_calls(lab, subject, plan, run, &output);
    if (rc == 0)
        rc = find_event(subject, event, sizeof(event));
    progress_end();
    if (rc != 0)
        return rc;
    if (results->run_count == 1)
        report_text_head(text, results);
    if (run->has_defect) {
        judge_exhausted(run, &output, event);
        print_exhausted(run, &output, event, options, plan->probe, text);
    } else {
        results_judge(run);
        if (event[0] != '\0')
            results_problem(run->problems, "event %d is in the machine's log", EVENT_POOL_EMPTY);
        print_spared(run, text);
    }
    if (run->problems[0] != '\0')
        fprintf(text, "NOT AS EXPECTED: %s: %s\n", run->build, run->problems);
    return 0;
}

int repro_exhaust(struct lab *lab, const struct repro_options *given, const struct probe *probe,
                  struct results *results, struct subject *subjects, FILE *text)
{
    struct repro_options options = *given;
    struct call_plan plan = {.probe = probe, .until = ERROR_NO_SYSTEM_RESOURCES};
    int rc = 0;

    if (options.paged_limit_mb == 0)
        options.paged_limit_mb = DEFAULT_LIMIT_MB;
    plan.opens = options.opens != 0 ? options.opens : (options.paged_limit_mb << 20) / SMALLEST_BLOCK;
    repro_describe(lab, results);
    /* Those that leak first: the others are then called as often as the pool lasted there. */
    for (int leaking = 1; leaking >= 0; leaking--) {
        for (size_t i = 0; i < options.build_count && rc == 0; i++) {
            struct results_run *run = &results->runs[results->run_count];

            if (EmuBuildHasDefect(options.builds[i], "Q235425") != (leaking != 0))
                continue;
            snprintf(run->build, sizeof(run->build), "%s", options.builds[i]);
            run->shape = options.names[0];
            run->letter = run->shape[0];
            run->has_defect = leaking != 0;
            results->run_count++;
            rc = exhaust_build(lab, &options, &plan, results, run, &subjects[i], text);
            if (rc == 0 && !options.keep)
                rc = repro_shut_down(&subjects[i], results->problems);
            if (rc == 0 && leaking && run->opens > 1)
                plan.opens = run->opens;
        }
        plan.until = 0;
    }
    if (rc != 0)
        return rc;
    fprintf(text,
            "\nStructures here are 64-bit and which of them leaks is our guess: the number of opens is not NT's.\n");
    return repro_report(lab, &options, results, text);
}
