/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* casesmbd.c - what a private smbd has open, as its own smbstatus says. */
#include "caserun.h"
#include "process.h"
#include "smbserver.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_SIZE 65536

static int64_t count(struct json_object *status, const char *key)
{
    struct json_object *entries;

    return json_object_object_get_ex(status, key, &entries) ? (int64_t)json_object_object_length(entries) : -1;
}

bool case_ask_smbd(const struct lab *lab, struct case_step *step)
{
    char program[PATH_MAX], config[PATH_MAX], *text;
    char *argv[] = {program, "--json", "-s", config, NULL};
    struct json_object *status = NULL;

    if (lab->smbd == NULL || process_find_program("smbstatus", program, sizeof(program)) != 0)
        return false;
    text = malloc(TEXT_SIZE);
    snprintf(config, sizeof(config), "%s/smb.conf", smbserver_dir(lab->smbd));
    if (text != NULL && process_output(argv, NULL, text, TEXT_SIZE) == 0)
        status = json_tokener_parse(text);
    free(text);
    if (status == NULL)
        return false;
    step->sessions = count(status, "sessions");
    step->trees = count(status, "tcons");
    step->files = count(status, "open_files");
    json_object_put(status);
    if (step->files < 0) /* not root */
        step->files = smbserver_open_files(lab->smbd, lab->share_dir);
    return true;
}
