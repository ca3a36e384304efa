/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See catalogue.h. */
#include "catalogue.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ntemu/builds.h>

size_t catalogue_count(void)
{
    size_t count = 0;

    while (catalogue_texts[count] != NULL)
        count++;
    return count;
}

struct json_object *catalogue_at(size_t index)
{
    static struct json_object *cases[EMU_DEFECT_COUNT];

    if (cases[index] == NULL)
        cases[index] = json_tokener_parse(catalogue_texts[index]);
    if (cases[index] == NULL)
        abort(); /* it was written by a program that has read it */
    return cases[index];
}

struct json_object *catalogue_find(const char *number)
{
    for (size_t i = 0; i < catalogue_count(); i++) {
        if (strcmp(EmuDefects[i].Article, number) == 0)
            return catalogue_at(i);
    }
    return NULL;
}

bool catalogue_is_number(const char *text)
{
    return text[0] == 'Q' && strlen(text) == 7 && strspn(text + 1, "0123456789") == 6;
}

struct json_object *catalogue_member(struct json_object *object, const char *path)
{
    char name[64];

    while (object != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        struct json_object *next = NULL;
        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        json_object_object_get_ex(object, name, &next);
        object = next;
        path += length + (path[length] == '.');
    }
    return object;
}

const char *catalogue_text(struct json_object *object, const char *path)
{
    struct json_object *value = catalogue_member(object, path);

    return value != NULL && json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

void catalogue_builds(struct json_object *a_case, char *text, size_t size)
{
    const char *number = catalogue_text(a_case, "number"), *first = NULL, *last = NULL;

    text[0] = '\0';
    if (strcmp(catalogue_text(a_case, "switched"), "number") == 0) {
        snprintf(text, size, "by number");
        return;
    }
    for (const char *const *name = EmuBuildNames();; name++) {
        bool has = *name != NULL && EmuBuildHasDefect(*name, number);
        size_t line = has ? (size_t)(strrchr(*name, '-') - *name) : 0, used = strlen(text);
        if (first != NULL && (!has || strncmp(first, *name, line + 1) != 0)) {
            snprintf(text + used, size - used, "%s%s%s%s", used > 0 ? ", " : "", first, last != first ? ".." : "",
                     last != first ? strrchr(last, '-') + 1 : "");
            first = NULL;
        }
        if (has && first == NULL)
            first = *name;
        last = *name;
        if (*name == NULL)
            break;
    }
}
