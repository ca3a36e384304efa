/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* audit.c - what a machine found when it was shut down. See audit.h. */
#include "audit.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(object, key, &value);
    return value;
}

static uint64_t number(struct json_object *object, const char *key)
{
    return (uint64_t)json_object_get_int64(member(object, key));
}

static void add_pool(struct json_object *pool, struct machine_audit *audit)
{
    for (size_t i = 0; i < json_object_array_length(pool); i++) {
        struct json_object *site = json_object_array_get_idx(pool, i);
        const char *which = json_object_get_string(member(site, "pool"));

        if (which != NULL && strcmp(which, "paged") == 0) {
            audit->paged_blocks += number(site, "blocks");
            audit->paged_bytes += number(site, "bytes");
        } else {
            audit->nonpaged_blocks += number(site, "blocks");
            audit->nonpaged_bytes += number(site, "bytes");
        }
    }
}

bool audit_read(const char *path, struct machine_audit *ret_audit)
{
    struct json_object *report = json_object_from_file(path), *left, *pool, *bug_check;
    struct machine_audit audit = {0};
    bool good = false;

    if (report == NULL)
        return false;
    left = member(report, "left");
    bug_check = member(report, "bug_check");
    pool = left != NULL ? member(left, "pool") : NULL;
    if (bug_check != NULL && json_object_is_type(member(bug_check, "code"), json_type_string))
        audit.stop_code = (unsigned)strtoul(json_object_get_string(member(bug_check, "code")), NULL, 0);
    if (pool != NULL && json_object_is_type(pool, json_type_array)) {
        audit.handles = number(left, "handles");
        audit.processes = number(left, "processes");
        audit.objects = number(left, "objects");
        audit.irps = number(left, "irps");
        add_pool(pool, &audit);
        good = true;
    }
    json_object_put(report);
    if (good || audit.stop_code != 0)
        *ret_audit = audit;
    return good || audit.stop_code != 0;
}
