/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* results.c - what follows from what was measured. See results.h. */
#include "results.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define ERROR_INVALID_NAME 123
/* Free blocks wait in lists of the pool, which it has pages for: the pages may move by so many less or more than the
 * bytes. */
#define PAGES_SLACK 16
#define PAGE_SIZE   4096

const char *verdict_name(enum verdict verdict)
{
    return verdict == VERDICT_LEAKS ? "leaks" : verdict == VERDICT_CLEAN ? "clean" : "unclear";
}

void results_problem(char *problems, const char *format, ...)
{
    size_t length = strlen(problems);
    va_list arguments;

    if (length > 0 && length + 2 < PROBLEMS_SIZE)
        length += (size_t)snprintf(problems + length, PROBLEMS_SIZE - length, "; ");
    va_start(arguments, format);
    vsnprintf(problems + length, PROBLEMS_SIZE - length, format, arguments);
    va_end(arguments);
}

const char *results_call(const struct results_run *run, char text[CALL_SIZE])
{
    size_t length = strlen(run->shape), shown = 48;

    if (length <= shown) {
        snprintf(text, CALL_SIZE, "CreateFile(\"%s\")", run->shape);
    } else {
        while (shown > 0 && (run->shape[shown] & 0xC0) == 0x80)
            shown--; /* not inside a character */
        snprintf(text, CALL_SIZE, "CreateFile(\"%.*s...\" %zu bytes)", (int)shown, run->shape, length);
    }
    return text;
}

uint64_t results_errors(const struct results_run *run, uint32_t code)
{
    for (size_t i = 0; i < run->error_count; i++) {
        if (run->errors[i].code == code)
            return run->errors[i].count;
    }
    return 0;
}

void results_count_error(struct results_run *run, uint32_t code, uint64_t count)
{
    for (size_t i = 0; i < run->error_count; i++) {
        if (run->errors[i].code == code) {
            run->errors[i].count += count;
            return;
        }
    }
    if (run->error_count < ERROR_KINDS) {
        run->errors[run->error_count].code = code;
        run->errors[run->error_count++].count = count;
    }
}

/* The site that kept most, if it kept a block for every open. */
static const struct results_site *leaking_site(const struct results_run *run)
{
    const struct results_site *largest = NULL;

    for (size_t i = 0; i < run->site_count; i++) {
        if (largest == NULL || run->sites[i].bytes > largest->bytes)
            largest = &run->sites[i];
    }
    if (largest == NULL || run->opens == 0 || largest->blocks != (int64_t)run->opens || largest->bytes <= 0)
        return NULL;
    return largest;
}

static enum verdict verdict_of(const struct results_run *run)
{
    const struct results_site *site = leaking_site(run);
    uint64_t grown = run->paged_after - run->paged_before;

    if (run->paged_after == run->paged_before && run->blocks_after == run->blocks_before &&
        run->pages_after <= run->pages_before + PAGES_SLACK)
        return VERDICT_CLEAN;
    if (site != NULL && run->paged_after > run->paged_before && grown == (uint64_t)site->bytes &&
        run->blocks_after - run->blocks_before == (uint64_t)site->blocks &&
        (run->pages_after > run->pages_before || grown < (uint64_t)PAGES_SLACK * PAGE_SIZE))
        return VERDICT_LEAKS;
    return VERDICT_UNCLEAR;
}

void results_judge(struct results_run *run)
{
    enum verdict expected = run->has_defect ? VERDICT_LEAKS : VERDICT_CLEAN;
    uint64_t invalid = results_errors(run, ERROR_INVALID_NAME);

    run->verdict = verdict_of(run);
    if (invalid != run->opens)
        results_problem(run->problems, "%" PRIu64 " of %" PRIu64 " calls failed with error %d", invalid, run->opens,
                        ERROR_INVALID_NAME);
    if (!run->probe_ok)
        results_problem(run->problems, "the file on the share was not read as it is");
    if (run->verdict == VERDICT_UNCLEAR)
        results_problem(run->problems,
                        "the figures agree on neither: paged pool %+" PRId64 " B in %+" PRId64
                        " blocks by the machine, %+" PRId64 " pages by the program, for %" PRIu64 " opens",
                        (int64_t)(run->paged_after - run->paged_before),
                        (int64_t)(run->blocks_after - run->blocks_before),
                        (int64_t)(run->pages_after - run->pages_before), run->opens);
    else if (run->verdict != expected)
        results_problem(run->problems, "it %s, and is a build that %s",
                        run->verdict == VERDICT_LEAKS ? "leaks" : "is clean",
                        run->has_defect ? "has the defect" : "has the fix");
}

bool results_pass(const struct results *results)
{
    for (size_t i = 0; i < results->run_count; i++) {
        if (results->runs[i].problems[0] != '\0')
            return false;
    }
    return results->run_count > 0 && results->problems[0] == '\0';
}
