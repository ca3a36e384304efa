/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inspect.c - a live machine's own numbers. See inspect.h. */
#include "inspect.h"
#include "process.h"
#include "rdrlab.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A machine that a bug check stopped has left its report. Returns whether there is one, having said so. */
static bool tell_bug_check(const char *folder)
{
    char path[PATH_MAX], line[128] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/bugcheck.txt", folder);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL && strncmp(line, "*** STOP", 8) != 0)
        ;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    complain(EXIT_ENVIRONMENT, "the machine in %s was stopped by a bug check, %s; %s says more", folder, line, path);
    return true;
}

int inspect_connect(const char *folder, struct wire_client **ret_client)
{
    return inspect_connect_session(folder, 0, ret_client);
}

int inspect_connect_session(const char *folder, uint32_t session, struct wire_client **ret_client)
{
    const struct wire_options options = {.program = "rdrlab", .session = session};
    char error[512] = "";

    if (folder == NULL && getenv("RDRLAB_MACHINE") == NULL)
        return complain(EXIT_USAGE, "which machine? --machine DIR, or RDRLAB_MACHINE in the environment, says");
    if (wire_connect(folder, &options, ret_client, error, sizeof(error)) == 0)
        return 0;
    if (tell_bug_check(folder != NULL ? folder : getenv("RDRLAB_MACHINE")))
        return EXIT_ENVIRONMENT;
    return complain(EXIT_ENVIRONMENT, "%s", error);
}

static int explain(char *error, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int explain(char *error, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
    return EXIT_ENVIRONMENT;
}

/* One request, and where its reply goes. */
struct question {
    uint16_t op;
    const void *request;
    size_t request_size;
    size_t fixed_size; /* of the reply's fixed part */
    void *fixed;       /* NULL: not wanted */
    size_t entry_size; /* 0: no array follows */
    void *entries;     /* out, malloc'ed, appended to */
    size_t count;
};

static int take_entries(struct question *question, const struct wire_reply *reply)
{
    size_t more = (reply->length - question->fixed_size) / question->entry_size;
    unsigned char *entries = realloc(question->entries, (question->count + more) * question->entry_size + 1);

    if (entries == NULL)
        return -ENOMEM;
    memcpy(entries + question->count * question->entry_size, reply->body + question->fixed_size,
           more * question->entry_size);
    question->entries = entries;
    question->count += more;
    return 0;
}

static int ask(struct wire_client *client, struct question *question, char *error, size_t size)
{
    struct wire_reply *reply = malloc(sizeof(*reply));
    int rc = reply == NULL ? -ENOMEM : 0;

    if (rc == 0)
        rc = wire_call(client, question->op, question->request, question->request_size, NULL, 0, reply);
    if (rc == 0 && (reply->status != 0 || reply->length < question->fixed_size)) {
        rc = explain(error, size, "the machine refuses request %u with status 0x%08X (%u bytes)", question->op,
                     reply->status, reply->length);
        goto exit;
    }
    if (rc == 0 && question->fixed != NULL)
        memcpy(question->fixed, reply->body, question->fixed_size);
    if (rc == 0 && question->entry_size != 0)
        rc = take_entries(question, reply);
    if (rc == -ECONNRESET)
        rc = explain(error, size, "the machine is gone");
    else if (rc == -EAGAIN)
        rc = explain(error, size, "the machine does not answer in time");
    else if (rc != 0)
        rc = explain(error, size, "the machine does not answer: %s", strerror(-rc));
exit:
    free(reply);
    return rc;
}

/* Complains of what a question came to. */
static int ask_aloud(struct wire_client *client, struct question *question)
{
    char error[256];
    int rc = ask(client, question, error, sizeof(error));

    return rc != 0 ? complain(rc, "%s", error) : 0;
}

static int larger_site_first(const void *left, const void *right)
{
    const struct wire_pool_site *a = left, *b = right;

    if (a->use.live_bytes != b->use.live_bytes)
        return a->use.live_bytes < b->use.live_bytes ? 1 : -1;
    return memcmp(&a->key, &b->key, sizeof(a->key));
}

static int larger_stack_first(const void *left, const void *right)
{
    const struct wire_pool_stack *a = left, *b = right;

    if (a->use.live_bytes != b->use.live_bytes)
        return a->use.live_bytes < b->use.live_bytes ? 1 : -1;
    return (a->stack > b->stack) - (a->stack < b->stack);
}

static int ask_sites(struct wire_client *client, struct question *question, char *error, size_t size)
{
    struct wire_pool_key after = {0};
    size_t before;
    int rc;

    question->op = WIRE_POOL_SITES;
    question->request = &after;
    question->request_size = sizeof(after);
    question->fixed_size = sizeof(struct wire_done);
    question->entry_size = sizeof(struct wire_pool_site);
    do {
        before = question->count;
        rc = ask(client, question, error, size);
        if (rc == 0 && question->count > before)
            after = ((struct wire_pool_site *)question->entries)[question->count - 1].key;
    } while (rc == 0 && question->count > before);
    question->request = NULL; /* it was ours */
    return rc;
}

int inspect_quietly(struct wire_client *client, struct inspection *ret_inspection, char *error, size_t size)
{
    struct inspection look = {0};
    struct question machine = {.op = WIRE_MACHINE, .fixed_size = sizeof(look.machine), .fixed = &look.machine};
    struct question sites = {0};
    int rc = ask(client, &machine, error, size);

    if (rc == 0)
        rc = ask_sites(client, &sites, error, size);
    if (rc != 0) {
        free(sites.entries);
        return rc;
    }
    look.sites = sites.entries;
    look.site_count = sites.count;
    if (look.site_count > 1)
        qsort(look.sites, look.site_count, sizeof(*look.sites), larger_site_first);
    *ret_inspection = look;
    return 0;
}

int inspect(struct wire_client *client, struct inspection *ret_inspection)
{
    char error[256];
    int rc = inspect_quietly(client, ret_inspection, error, sizeof(error));

    return rc != 0 ? complain(rc, "%s", error) : 0;
}

int inspect_stacks(struct wire_client *client, const struct wire_pool_key *key, struct wire_pool_stack **ret_stacks,
                   size_t *ret_count, char *error, size_t size)
{
    struct wire_pool_stacks after = {.key = *key};
    struct question question = {.op = WIRE_POOL_STACKS,
                                .request = &after,
                                .request_size = sizeof(after),
                                .fixed_size = sizeof(struct wire_done),
                                .entry_size = sizeof(struct wire_pool_stack)};
    struct wire_pool_stack *stacks;
    size_t before;
    int rc;

    do {
        before = question.count;
        rc = ask(client, &question, error, size);
        stacks = question.entries;
        if (rc == 0 && question.count > before)
            after.stack = stacks[question.count - 1].stack;
    } while (rc == 0 && question.count > before);
    if (rc != 0) {
        free(question.entries);
        return rc;
    }
    if (question.count > 1)
        qsort(stacks, question.count, sizeof(*stacks), larger_stack_first);
    *ret_stacks = stacks;
    *ret_count = question.count;
    return 0;
}

int inspect_events(struct wire_client *client, struct wire_event **ret_events, size_t *ret_count)
{
    struct question question = {
        .op = WIRE_EVENTS, .fixed_size = sizeof(struct wire_done), .entry_size = sizeof(struct wire_event)};
    int rc = ask_aloud(client, &question);

    if (rc != 0)
        return rc;
    *ret_events = question.entries;
    *ret_count = question.count;
    return 0;
}

int inspect_letter(struct wire_client *client, char letter, char *remote, size_t size)
{
    struct wire_letter request = {.letter = (uint32_t)(letter - 'A')};
    struct wire_reply *reply = malloc(sizeof(*reply));
    size_t length = 0;
    int rc;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    rc = wire_call(client, WIRE_GET_CONNECTION, &request, sizeof(request), NULL, 0, reply);
    if (rc != 0)
        complain(EXIT_ENVIRONMENT, "the machine does not answer: %s", strerror(-rc));
    if (rc == 0 && reply->status == 0) {
        /* UTF-16; what is not ASCII only has to differ from our own share's name. */
        for (size_t at = sizeof(struct wire_done); at + 1 < reply->length && length + 1 < size; at += 2)
            remote[length++] = reply->body[at + 1] == 0 && reply->body[at] < 128 ? (char)reply->body[at] : '?';
    }
    if (rc == 0)
        remote[length] = '\0';
    free(reply);
    return rc != 0 ? EXIT_ENVIRONMENT : 0;
}

void inspect_tag(const char tag[4], char text[5])
{
    for (int i = 0; i < 4; i++)
        text[i] = tag[i] > ' ' && tag[i] < 127 ? tag[i] : tag[i] == ' ' ? ' ' : '.';
    text[4] = '\0';
}

static const struct wire_pool_site *find_site(const struct inspection *look, const struct wire_pool_site *like)
{
    for (size_t i = 0; i < look->site_count; i++) {
        const struct wire_pool_site *site = &look->sites[i];

        if (memcmp(&site->key, &like->key, sizeof(site->key)) == 0)
            return site;
    }
    return NULL;
}

static void add_site(struct results_run *run, const struct wire_pool_site *site, int64_t blocks, int64_t bytes)
{
    struct results_site *result;

    if ((blocks == 0 && bytes == 0) || run->site_count == SITES_MAX)
        return;
    result = &run->sites[run->site_count++];
    inspect_tag(site->key.tag, result->tag);
    snprintf(result->file, sizeof(result->file), "%.*s", (int)sizeof(site->file), site->file);
    result->line = site->line;
    result->blocks = blocks;
    result->bytes = bytes;
}

void inspect_compare(const struct inspection *before, const struct inspection *after, struct results_run *run)
{
    run->paged_before = before->machine.paged.live_bytes;
    run->paged_after = after->machine.paged.live_bytes;
    run->blocks_before = before->machine.paged.live_blocks;
    run->blocks_after = after->machine.paged.live_blocks;
    run->site_count = 0;
    for (size_t i = 0; i < after->site_count; i++) {
        const struct wire_pool_site *now = &after->sites[i], *then = find_site(before, now);

        if (now->key.paged)
            add_site(run, now, (int64_t)(now->use.live_blocks - (then != NULL ? then->use.live_blocks : 0)),
                     (int64_t)(now->use.live_bytes - (then != NULL ? then->use.live_bytes : 0)));
    }
    for (size_t i = 0; i < before->site_count; i++) {
        const struct wire_pool_site *then = &before->sites[i];

        if (then->key.paged && find_site(after, then) == NULL)
            add_site(run, then, -(int64_t)then->use.live_blocks, -(int64_t)then->use.live_bytes);
    }
}
