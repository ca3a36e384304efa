/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_json.c - results for programs. See report_json.h. */
#include "report_json.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
    json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

static struct json_object *errors_object(const struct results_run *run)
{
    struct json_object *errors = json_object_new_object();
    char code[16];

    for (size_t i = 0; i < run->error_count; i++) {
        snprintf(code, sizeof(code), "%" PRIu32, run->errors[i].code);
        add_number(errors, code, run->errors[i].count);
    }
    return errors;
}

static struct json_object *sites_array(const struct results_run *run)
{
    struct json_object *sites = json_object_new_array();

    for (size_t i = 0; i < run->site_count; i++) {
        struct json_object *site = json_object_new_object();

        add_text(site, "tag", run->sites[i].tag);
        add_text(site, "file", run->sites[i].file);
        add_number(site, "line", run->sites[i].line);
        json_object_object_add(site, "blocks", json_object_new_int64(run->sites[i].blocks));
        json_object_object_add(site, "bytes", json_object_new_int64(run->sites[i].bytes));
        json_object_array_add(sites, site);
    }
    return sites;
}

static struct json_object *clients_array(const struct results_run *run)
{
    struct json_object *clients = json_object_new_array();

    for (size_t i = 0; i < run->client_count; i++) {
        struct json_object *client = json_object_new_object();

        add_text(client, "name", run->clients[i].name);
        add_number(client, "opens", run->clients[i].opens);
        json_object_object_add(client, "seconds", json_object_new_double(run->clients[i].seconds));
        json_object_array_add(clients, client);
    }
    return clients;
}

/* The create of a trace, as docs/trace.md has its members. */
static void add_trace(struct json_object *object, const char *json)
{
    struct json_object *trace = json_tokener_parse(json), *create = NULL;

    if (json_object_object_get_ex(trace, "create", &create))
        json_object_object_add(object, "trace", json_object_get(create));
    json_object_put(trace);
}

static struct json_object *run_object(const struct results_run *run)
{
    struct json_object *object = json_object_new_object();

    add_text(object, "build", run->build);
    add_text(object, "shape", run->shape);
    add_number(object, "opens", run->opens);
    json_object_object_add(object, "errors", errors_object(run));
    if (run->client_count > 0)
        json_object_object_add(object, "clients", clients_array(run));
    add_number(object, "paged_before", run->paged_before);
    add_number(object, "paged_after", run->paged_after);
    add_number(object, "pages_before", run->pages_before);
    add_number(object, "pages_after", run->pages_after);
    add_number(object, "leaked_blocks", run->blocks_after - run->blocks_before);
    add_number(object, "leaked_bytes", run->paged_after - run->paged_before);
    json_object_object_add(object, "sites", sites_array(run));
    if (run->trace_json != NULL)
        add_trace(object, run->trace_json);
    add_text(object, "verdict", verdict_name(run->verdict));
    json_object_object_add(object, "seconds", json_object_new_double(run->seconds));
    return object;
}

static struct json_object *results_object(const struct results *results)
{
    struct json_object *object = json_object_new_object(), *runs = json_object_new_array();

    add_text(object, "case", "Q235425");
    json_object_object_add(object, "pass", json_object_new_boolean(results_pass(results)));
    add_text(object, "client", results->client);
    add_text(object, "wine", results->wine);
    add_text(object, "samba", results->samba);
    add_text(object, "dialect", results->dialect);
    for (size_t i = 0; i < results->run_count; i++)
        json_object_array_add(runs, run_object(&results->runs[i]));
    json_object_object_add(object, "runs", runs);
    return object;
}

int report_json(const char *path, const struct results *results)
{
    struct json_object *object = results_object(results);
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    char part[PATH_MAX];
    FILE *file = stdout;
    int rc = 0;

    snprintf(part, sizeof(part), "%.*s.part", PATH_MAX - 8, path);
    if (strcmp(path, "-") != 0)
        file = fopen(part, "we");
    if (file == NULL) {
        rc = -errno;
        goto exit;
    }
    if (fprintf(file, "%s\n", text) < 0 || fflush(file) != 0)
        rc = -errno;
    if (file != stdout) {
        if (fclose(file) != 0 && rc == 0)
            rc = -errno;
        if (rc == 0 && rename(part, path) != 0)
            rc = -errno;
        if (rc != 0)
            unlink(part);
    }
exit:
    json_object_put(object);
    return rc;
}
