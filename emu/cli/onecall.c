/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* onecall.c - one failing call more, traced: who decided, and what it kept. See repro.h. */
#include "createfile.h"
#include "elsewhere.h"
#include "follow.h"
#include "rdrlab.h"
#include "repro.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* Who called, in brackets, is this command: of no interest. */
static void tidy(char *text)
{
    char *end = text[0] == '[' ? strstr(text, "] ") : NULL;

    if (end != NULL)
        memmove(text, end + 2, strlen(end + 2) + 1);
}

static uint64_t number(struct json_object *object, const char *const *path)
{
    for (; *path != NULL; path++) {
        if (!json_object_object_get_ex(object, *path, &object))
            return 0;
    }
    return (uint64_t)json_object_get_int64(object);
}

/* What the call has kept, the machine's audit will find. */
static void count_kept(const char *json, struct subject *subject)
{
    struct json_object *trace = json_tokener_parse(json);

    subject->kept_blocks += number(trace, (const char *const[]){"create", "pool", "paged", "kept", "blocks", NULL});
    subject->kept_bytes += number(trace, (const char *const[]){"create", "pool", "paged", "kept", "bytes", NULL});
    json_object_put(trace);
}

static int call(struct subject *subject, struct results_run *run, FILE *text, FILE *json)
{
    struct wire_create request = createfile_request;
    WCHAR buffer[CREATEFILE_NAME_MAX];
    UNICODE_STRING name;

    request.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE; /* as createleak.exe */
    if (!createfile_name(run->shape, buffer, &name))
        return complain(EXIT_USAGE, "--name %.60s: no UTF-8, or too long", run->shape);
    for (size_t i = 0; i < name.Length / sizeof(WCHAR); i++)
        buffer[i] = buffer[i] == '/' ? '\\' : buffer[i]; /* as kernelbase does */
    return follow_create(subject->client, &request, name.Buffer, name.Length, text, json);
}

int repro_trace(const struct lab *lab, struct subject *subject, struct results_run *run)
{
    size_t text_size, json_size;
    FILE *text = open_memstream(&run->trace_text, &text_size);
    FILE *json = open_memstream(&run->trace_json, &json_size);
    char share[64];
    int rc = text != NULL && json != NULL ? 0 : complain(EXIT_ENVIRONMENT, "out of memory"), disconnected;

    lab_share_name(lab, share, sizeof(share));
    if (rc == 0)
        rc = elsewhere_connect(subject->client, run->letter, share);
    if (rc == 0) {
        rc = call(subject, run, text, json);
        disconnected = elsewhere_disconnect(subject->client, run->letter);
        rc = rc != 0 ? rc : disconnected;
    }
    if (text != NULL)
        fclose(text);
    if (json != NULL)
        fclose(json);
    if (rc != 0)
        return rc;
    tidy(run->trace_text);
    count_kept(run->trace_json, subject);
    return 0;
}
