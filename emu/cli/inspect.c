/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inspect.c - a live machine's own numbers. See inspect.h. */
#include "inspect.h"
#include "process.h"
#include "rdrlab.h"

#include <limits.h>
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
    static const struct wire_options options = {.program = "rdrlab"};
    char error[512] = "";

    if (folder == NULL && getenv("RDRLAB_MACHINE") == NULL)
        return complain(EXIT_USAGE, "which machine? --machine DIR, or RDRLAB_MACHINE in the environment, says");
    if (wire_connect(folder, &options, ret_client, error, sizeof(error)) == 0)
        return 0;
    if (tell_bug_check(folder != NULL ? folder : getenv("RDRLAB_MACHINE")))
        return EXIT_ENVIRONMENT;
    return complain(EXIT_ENVIRONMENT, "%s", error);
}

/* A request without anything in it; the reply's array, malloc'ed, after a fixed part of fixed_size bytes. */
static int ask(struct wire_client *client, uint16_t op, size_t fixed_size, void *fixed, size_t entry_size,
               void **ret_entries, size_t *ret_count)
{
    struct wire_reply *reply = malloc(sizeof(*reply));
    size_t count = 0;
    void *entries = NULL;
    int rc;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    rc = wire_call(client, op, NULL, 0, NULL, 0, reply);
    if (rc != 0) {
        rc = complain(EXIT_ENVIRONMENT, "the machine does not answer: %s", strerror(-rc));
        goto exit;
    }
    if (reply->status != 0 || reply->length < fixed_size) {
        rc = complain(EXIT_ENVIRONMENT, "the machine refuses request %u with status 0x%08X (%u bytes)", op,
                      reply->status, reply->length);
        goto exit;
    }
    if (fixed != NULL)
        memcpy(fixed, reply->body, fixed_size);
    if (ret_entries != NULL) {
        count = (reply->length - fixed_size) / entry_size;
        entries = malloc(count * entry_size + 1);
        if (entries == NULL) {
            rc = complain(EXIT_ENVIRONMENT, "out of memory");
            goto exit;
        }
        memcpy(entries, reply->body + fixed_size, count * entry_size);
        *ret_entries = entries;
        *ret_count = count;
    }
exit:
    free(reply);
    return rc;
}

int inspect(struct wire_client *client, struct inspection *ret_inspection)
{
    struct inspection look = {0};
    void *sites = NULL;
    int rc = ask(client, WIRE_MACHINE, sizeof(look.machine), &look.machine, 1, NULL, NULL);

    if (rc == 0)
        rc =
            ask(client, WIRE_POOL_SITES, sizeof(struct wire_done), NULL, sizeof(*look.sites), &sites, &look.site_count);
    look.sites = sites;
    if (rc == 0)
        *ret_inspection = look;
    return rc;
}

void inspection_free(struct inspection *inspection)
{
    free(inspection->sites);
    *inspection = (struct inspection){0};
}

int inspect_events(struct wire_client *client, struct wire_event **ret_events, size_t *ret_count)
{
    void *events = NULL;
    size_t count = 0;
    int rc = ask(client, WIRE_EVENTS, sizeof(struct wire_done), NULL, sizeof(**ret_events), &events, &count);

    if (rc != 0)
        return rc;
    *ret_events = events;
    *ret_count = count;
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

        if (memcmp(site->tag, like->tag, 4) == 0 && site->paged == like->paged && site->line == like->line &&
            strncmp(site->file, like->file, sizeof(site->file)) == 0)
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
    inspect_tag(site->tag, result->tag);
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

        if (now->paged)
            add_site(run, now, (int64_t)(now->live_blocks - (then != NULL ? then->live_blocks : 0)),
                     (int64_t)(now->live_bytes - (then != NULL ? then->live_bytes : 0)));
    }
    for (size_t i = 0; i < before->site_count; i++) {
        const struct wire_pool_site *then = &before->sites[i];

        if (then->paged && find_site(after, then) == NULL)
            add_site(run, then, -(int64_t)then->live_blocks, -(int64_t)then->live_bytes);
    }
}
