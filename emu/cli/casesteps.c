/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* casesteps.c - the kinds of steps that a reproduction is made of: a small function each. See caserun.h. */
#include "caserun.h"
#include "catalogue.h"
#include "rdrlab.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include <ntemu/nt.h>

#define NAME_MAX_BYTES 40000
#define LINE_MAX_BYTES (NAME_MAX_BYTES + 256)
#define UNITS          10000000 /* of 100 ns in a second */

/* ---- words of the data ---- */

static uint32_t value_of(const char *word, const char *const *words, const uint32_t *values, uint32_t otherwise)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0)
            return values[i];
    }
    return otherwise;
}

static uint32_t access_of(const char *word)
{
    static const char *const words[] = {"read", "write", "read-write", "attributes", NULL};
    static const uint32_t values[] = {GENERIC_READ, GENERIC_WRITE, GENERIC_READ | GENERIC_WRITE, FILE_READ_ATTRIBUTES};

    return value_of(word, words, values, GENERIC_READ);
}

static uint32_t share_of(const char *word)
{
    static const char *const words[] = {"read", "write", "all", "none", NULL};
    static const uint32_t values[] = {FILE_SHARE_READ, FILE_SHARE_WRITE,
                                      FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, 0};

    return value_of(word, words, values, FILE_SHARE_READ);
}

/* CreateFile's own numbers. */
static uint32_t disposition_of(const char *word)
{
    static const char *const words[] = {"create", "create-always", "open", "open-always", "truncate", NULL};
    static const uint32_t values[] = {1, 2, 3, 4, 5};

    return value_of(word, words, values, 3);
}

/* "{share}" and "{200 a}" in a name. */
static void expand(const struct lab *lab, const char *name, char text[NAME_MAX_BYTES])
{
    size_t used = 0;

    while (*name != '\0' && used < NAME_MAX_BYTES - 300) {
        int count, length = 0;
        char letter;
        if (strncmp(name, "{share}", 7) == 0) {
            used += (size_t)snprintf(text + used, NAME_MAX_BYTES - used, "%s", lab->share_name);
            name += 7;
        } else if (sscanf(name, "{%3d %c}%n", &count, &letter, &length) == 2 && length > 0) {
            for (; count > 0 && used < NAME_MAX_BYTES - 300; count--)
                text[used++] = letter;
            name += length;
        } else {
            text[used++] = *name++;
        }
    }
    text[used] = '\0';
}

/* ---- the kinds ---- */

struct doing {
    struct case_run *run;
    struct json_object *step;
    struct case_step *result;
    char name[NAME_MAX_BYTES]; /* the step's, expanded; "" without one */
    char line[LINE_MAX_BYTES];
};

static int call(struct doing *doing)
{
    return case_call(doing->run->caller, doing->line, &doing->result->answer);
}

static int do_map(struct doing *doing)
{
    char share[NAME_MAX_BYTES];
    const char *named = catalogue_text(doing->step, "share");

    expand(doing->run->lab, named[0] != '\0' ? named : "{share}", share);
    snprintf(doing->line, sizeof(doing->line), "map\t%s\t%s", catalogue_text(doing->step, "letter"), share);
    return call(doing);
}

static int do_unmap(struct doing *doing)
{
    snprintf(doing->line, sizeof(doing->line), "unmap\t%s\t%d", catalogue_text(doing->step, "letter"),
             json_object_get_boolean(catalogue_member(doing->step, "force")));
    return call(doing);
}

/* One line for so many times, their answer added to the step's. */
static int open_times(struct doing *doing, uint64_t times, bool first)
{
    const char *handle = catalogue_text(doing->step, "handle");
    struct case_answer *sum = &doing->result->answer, answer = {0};
    int rc;

    snprintf(doing->line, sizeof(doing->line), "open\t%s\t%u\t%u\t%u\t%u\t%" PRIu64 "\t%s",
             handle[0] != '\0' ? handle : "-", access_of(catalogue_text(doing->step, "access")),
             share_of(catalogue_text(doing->step, "share")), disposition_of(catalogue_text(doing->step, "disposition")),
             json_object_get_boolean(catalogue_member(doing->step, "directory")) ? 0x02000000u : 0u, times,
             doing->name);
    rc = case_call(doing->run->caller, doing->line, &answer);
    if (first)
        sum->error = answer.error;
    if (answer.error != sum->error) {
        sum->others += times - answer.others;
        sum->other = answer.error;
    } else if (answer.others > 0) {
        sum->others += answer.others;
        sum->other = answer.other;
    }
    return rc;
}

static int sample(struct doing *doing, uint64_t calls)
{
    struct case_step *result = doing->result;
    struct inspection inspection;
    char error[256];

    if (inspect_quietly(doing->run->look, &inspection, error, sizeof(error)) != 0)
        return -ECONNRESET;
    result->samples[result->sample_count].calls = calls;
    result->samples[result->sample_count++].paged_bytes = inspection.machine.paged.live_bytes;
    inspection_free(&inspection);
    return 0;
}

static int do_open(struct doing *doing)
{
    uint64_t times = doing->result->times, done = 0;
    int rc = times > 1 ? sample(doing, 0) : 0;

    for (uint64_t part = 1; rc == 0 && done < times; part++) {
        uint64_t until = times > CASE_SAMPLES ? times * part / CASE_SAMPLES : times;
        rc = open_times(doing, until - done, done == 0);
        done = until;
        if (rc == 0 && times > 1)
            rc = sample(doing, done);
    }
    return rc;
}

static int do_read(struct doing *doing)
{
    struct json_object *bytes = catalogue_member(doing->step, "bytes");

    snprintf(doing->line, sizeof(doing->line), "read\t%s\t%d", catalogue_text(doing->step, "handle"),
             bytes != NULL ? json_object_get_int(bytes) : 16);
    return call(doing);
}

static int do_write(struct doing *doing)
{
    const char *text = catalogue_text(doing->step, "text");

    snprintf(doing->line, sizeof(doing->line), "write\t%s\t%s", catalogue_text(doing->step, "handle"),
             text[0] != '\0' ? text : "written");
    return call(doing);
}

static int do_close(struct doing *doing)
{
    snprintf(doing->line, sizeof(doing->line), "close\t%s", catalogue_text(doing->step, "handle"));
    return call(doing);
}

/* CreateDirectory, GetFileAttributes, DeleteFile */
static int do_name(struct doing *doing)
{
    snprintf(doing->line, sizeof(doing->line), "%s\t%s", doing->result->kind, doing->name);
    return call(doing);
}

static int do_advance(struct doing *doing)
{
    struct wire_clock request = {.what = WIRE_CLOCK_ADVANCE,
                                 .time = json_object_get_int64(catalogue_member(doing->step, "seconds")) * UNITS};
    struct wire_reply *reply = malloc(sizeof(*reply));
    int rc =
        reply == NULL ? -ENOMEM : wire_call(doing->run->look, WIRE_CLOCK, &request, sizeof(request), NULL, 0, reply);

    if (rc != 0 && rc != -ECONNRESET)
        rc = complain(EXIT_ENVIRONMENT, "the machine's clock does not answer: %s", strerror(-rc));
    free(reply);
    return rc;
}

static int do_server(struct doing *doing)
{
    case_ask_smbd(doing->run->lab, doing->result);
    return 0;
}

static const struct {
    const char *name;
    int (*perform)(struct doing *doing); /* returns as case_step_run */
} kinds[] = {
    {"map", do_map},     {"unmap", do_unmap},     {"open", do_open},           {"read", do_read},
    {"write", do_write}, {"close", do_close},     {"make-directory", do_name}, {"attributes", do_name},
    {"delete", do_name}, {"advance", do_advance}, {"server", do_server},
};

/* ---- what it took ---- */

struct look {
    struct inspection inspection;
    int64_t time;
};

static int look(struct wire_client *client, struct look *ret_look)
{
    struct wire_clock ask = {.what = WIRE_CLOCK_ASK};
    struct wire_clock_state state;
    struct wire_reply *reply = malloc(sizeof(*reply));
    char error[256];
    int rc = -ECONNRESET;

    if (reply != NULL && wire_call(client, WIRE_CLOCK, &ask, sizeof(ask), NULL, 0, reply) == 0 &&
        reply->length == sizeof(state)) {
        memcpy(&state, reply->body, sizeof(state));
        ret_look->time = state.interrupt_time;
        rc = inspect_quietly(client, &ret_look->inspection, error, sizeof(error)) == 0 ? 0 : -ECONNRESET;
    }
    free(reply);
    return rc;
}

static int64_t blocks_before(const struct look *before, const struct wire_pool_site *site, int64_t *bytes)
{
    for (size_t i = 0; i < before->inspection.site_count; i++) {
        const struct wire_pool_site *other = &before->inspection.sites[i];
        if (memcmp(&other->key, &site->key, sizeof(site->key)) != 0)
            continue;
        *bytes = (int64_t)other->use.live_bytes;
        return (int64_t)other->use.live_blocks;
    }
    *bytes = 0;
    return 0;
}

static void compare(const struct look *before, const struct look *after, struct case_step *step)
{
    step->seconds = (double)(after->time - before->time) / UNITS;
    step->connects = (int64_t)after->inspection.machine.connects - (int64_t)before->inspection.machine.connects;
    for (size_t i = 0; i < after->inspection.site_count && step->kept_count < CASE_SITES; i++) {
        const struct wire_pool_site *site = &after->inspection.sites[i];
        int64_t bytes, blocks = (int64_t)site->use.live_blocks - blocks_before(before, site, &bytes);
        if (blocks <= 0)
            continue;
        inspect_tag(site->key.tag, step->kept[step->kept_count].tag);
        step->kept[step->kept_count].paged = site->key.paged != 0;
        step->kept[step->kept_count].blocks = blocks;
        step->kept[step->kept_count].bytes = (int64_t)site->use.live_bytes - bytes;
        snprintf(step->kept[step->kept_count].file, sizeof(step->kept[0].file), "%s", site->file);
        step->kept[step->kept_count++].line = site->line;
    }
}

static const char *about(struct json_object *step)
{
    static const char *const keys[] = {"name", "letter", "handle"};
    const char *text = "";

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && text[0] == '\0'; i++)
        text = catalogue_text(step, keys[i]);
    if (text[0] == '\0' && catalogue_member(step, "seconds") != NULL)
        text = json_object_get_string(catalogue_member(step, "seconds"));
    return text;
}

int case_step_run(struct case_run *run, struct json_object *step, struct case_step *ret_step)
{
    struct json_object *times = catalogue_member(step, "times");
    struct doing *doing = calloc(1, sizeof(*doing));
    struct look before = {0}, after = {0};
    int rc;

    *ret_step = (struct case_step){.kind = catalogue_text(step, "do"),
                                   .id = catalogue_text(step, "id"),
                                   .about = about(step),
                                   .times = times != NULL ? (uint64_t)json_object_get_int64(times) : 1,
                                   .sessions = -1,
                                   .trees = -1,
                                   .files = -1};
    if (doing == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    rc = look(run->look, &before);
    if (rc == 0) {
        doing->run = run;
        doing->step = step;
        doing->result = ret_step;
        expand(run->lab, catalogue_text(step, "name"), doing->name);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            if (strcmp(kinds[i].name, ret_step->kind) == 0)
                rc = kinds[i].perform(doing);
        }
    }
    if (rc == 0)
        rc = look(run->look, &after);
    if (rc == 0)
        compare(&before, &after, ret_step);
    ret_step->done = rc == 0;
    inspection_free(&before.inspection);
    inspection_free(&after.inspection);
    free(doing);
    return rc;
}
