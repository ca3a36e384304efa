/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createleak.c - what createleak.exe prints, understood. See createleak.h. */
#include "createleak.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What stands behind a word and a blank; NULL if the line does not begin with it. */
static const char *after(const char *line, const char *word)
{
    size_t length = strlen(word);

    return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\0') ? line + length : NULL;
}

/* The number of " name=123"; false if it is not there or "-". */
static bool field(const char *line, const char *name, uint64_t *ret_number)
{
    const char *at = strstr(line, name);

    return at != NULL && sscanf(at + strlen(name), "%" SCNu64, ret_number) == 1;
}

static void take_pool(struct createleak *output, const char *line, uint64_t *pages)
{
    const char *source = strstr(line, " source=");

    if (!field(line, " pages=", pages))
        output->pages_known = false;
    field(line, " page_size=", &output->page_size);
    if (source != NULL)
        sscanf(source + 8, "%31s", output->source);
}

static void take_sample(struct results_run *run, const char *text)
{
    struct results_sample sample;

    if (run->sample_count < SAMPLES_MAX && sscanf(text, "%" SCNu64 " %" SCNu64, &sample.opens, &sample.pages) == 2)
        run->samples[run->sample_count++] = sample;
}

void createleak_line(struct createleak *output, struct results_run *run, const char *line)
{
    uint32_t code;
    uint64_t count;
    const char *rest;

    if ((rest = after(line, "createleak")) != NULL)
        output->version_known = atoi(rest) == 1;
    else if (after(line, "connected") != NULL)
        output->connected = true;
    else if (after(line, "file") != NULL)
        output->file_equal = strlen(line) > 6 && strcmp(line + strlen(line) - 6, " equal") == 0;
    else if ((rest = after(line, "before")) != NULL) {
        output->before = output->pages_known = true;
        take_pool(output, rest, &run->pages_before);
        run->samples[0] = (struct results_sample){0, run->pages_before};
        run->sample_count = 1;
    } else if ((rest = after(line, "sample")) != NULL)
        take_sample(run, rest);
    else if ((rest = after(line, "error")) != NULL) {
        if (sscanf(rest, "%" SCNu32 " %" SCNu64, &code, &count) == 2)
            results_count_error(run, code, count);
    } else if ((rest = after(line, "opens")) != NULL)
        output->opens = strtoull(rest, NULL, 10);
    else if ((rest = after(line, "time_us")) != NULL)
        output->time_us = strtoull(rest, NULL, 10);
    else if ((rest = after(line, "after")) != NULL) {
        output->after = true;
        take_pool(output, rest, &run->pages_after);
    } else if ((rest = after(line, "reopen")) != NULL) {
        output->reopened = true;
        output->reopen = (unsigned)strtoul(rest, NULL, 10);
    } else if (after(line, "disconnected") != NULL)
        output->disconnected = true;
    else if ((rest = after(line, "done")) != NULL)
        output->done = atoi(rest);
}

const char *createleak_status(int status)
{
    static const char *const texts[] = {
        "is done",
        "was called wrongly",
        "could not connect the letter",
        "did not read the file on the share as it is",
        "could open the name",
        "could not read the paged pool",
        "could not open the file on the share any more",
        "could not disconnect the letter",
    };

    return status >= 0 && (size_t)status < sizeof(texts) / sizeof(texts[0]) ? texts[status]
                                                                            : "was not started, or ended";
}
