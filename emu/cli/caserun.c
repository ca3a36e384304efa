/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See caserun.h. */
#include "caserun.h"
#include "catalogue.h"
#include "elsewhere.h"
#include "files.h"
#include "process.h"
#include "rdrlab.h"
#include "switches.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT_SIZE 16384

/* ---- what is there before ---- */

static int write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        return complain(EXIT_ENVIRONMENT, "%s: %s", path, strerror(errno));
    return 0;
}

/* A share as the case wants it: what another one has left there goes. */
static int prepare_share(const struct case_run *run)
{
    struct json_object *files = catalogue_member(run->a_case, "reproduction.files");
    char path[PATH_MAX + NAME_MAX + 2];
    DIR *folder;
    int rc = 0;

    if (run->lab->smbd != NULL && (folder = opendir(run->lab->share_dir)) != NULL) {
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            snprintf(path, sizeof(path), "%s/%s", run->lab->share_dir, entry->d_name);
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                tree_remove(path);
        }
        closedir(folder);
    }
    if (files == NULL)
        return 0;
    json_object_object_foreach(files, name, text)
    {
        if (rc != 0)
            break;
        snprintf(path, sizeof(path), "%s/%s", run->lab->share_dir, name);
        rc = run->lab->smbd != NULL
                 ? write_file(path, json_object_get_string(text))
                 : elsewhere_write(run->look, 'W', run->lab->share_name, name, json_object_get_string(text));
    }
    return rc;
}

static int write_registry(const struct case_run *run, char *path, size_t size)
{
    struct json_object *lines = catalogue_member(run->a_case, "reproduction.registry");
    FILE *file;

    if (lines == NULL)
        return 0;
    snprintf(path, size, "%s/case.reg", run->lab->dir);
    file = fopen(path, "we");
    for (size_t i = 0; file != NULL && i < json_object_array_length(lines); i++)
        fprintf(file, "%s\n", json_object_get_string(json_object_array_get_idx(lines, i)));
    if (file == NULL || fclose(file) != 0)
        return complain(EXIT_ENVIRONMENT, "%s: %s", path, strerror(errno));
    return 0;
}

static const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static int boot(struct case_run *run)
{
    static unsigned serial;
    struct json_object *reproduction = catalogue_member(run->a_case, "reproduction");
    struct json_object *providers = catalogue_member(reproduction, "providers");
    char folder[32], registry[PATH_MAX] = "";
    struct switches switches;
    struct machine_options options = {
        .build = run->side->build,
        .verifier = text_or_null(catalogue_text(reproduction, "verifier")),
        .clock = text_or_null(catalogue_text(reproduction, "clock")),
        .provider = providers != NULL ? json_object_get_string(json_object_array_get_idx(providers, 0)) : NULL,
        .locked = strcmp(catalogue_text(reproduction, "server"), "locked") == 0,
        .folder = folder};
    int rc;

    snprintf(folder, sizeof(folder), "machine%u", ++serial);
    switches_alone(run->side->build, catalogue_text(run->a_case, "number"), run->side->defect, &switches);
    options.defects = switches.defects;
    rc = write_registry(run, registry, sizeof(registry));
    options.registry = text_or_null(registry);
    if (rc == 0)
        rc = machine_boot(run->lab, &options, &run->machine);
    if (rc == 0)
        rc = inspect_connect(run->machine.dir, &run->look);
    return rc;
}

/* ---- how it ended ---- */

static void read_bug_check(struct case_run *run)
{
    char path[sizeof(run->machine.dir) + 16];
    struct case_side *side = run->side;
    const char *stop;
    size_t length;
    FILE *file;

    snprintf(path, sizeof(path), "%s/bugcheck.txt", run->machine.dir);
    file = fopen(path, "re");
    side->report = calloc(1, REPORT_SIZE);
    if (file == NULL || side->report == NULL) {
        if (file != NULL)
            fclose(file);
        return;
    }
    length = fread(side->report, 1, REPORT_SIZE - 1, file);
    side->report[length] = '\0';
    fclose(file);
    stop = strstr(side->report, "*** STOP: ");
    side->stopped = true;
    if (stop != NULL)
        sscanf(stop, "*** STOP: %" SCNx32 " (%" SCNx64 ",%" SCNx64 ",%" SCNx64 ",%" SCNx64 ")", &side->code,
               &side->parameters[0], &side->parameters[1], &side->parameters[2], &side->parameters[3]);
}

/* The report is there before any client hears of the bug check; the machine itself may answer a little longer. */
static bool has_stopped(const struct case_run *run)
{
    char path[sizeof(run->machine.dir) + 16];

    snprintf(path, sizeof(path), "%s/bugcheck.txt", run->machine.dir);
    return access(path, F_OK) == 0;
}

static int do_steps(struct case_run *run)
{
    struct json_object *steps = catalogue_member(run->a_case, "reproduction.steps");
    struct case_side *side = run->side;
    int rc = 0;

    for (size_t i = 0; i < json_object_array_length(steps) && i < CASE_STEPS && rc == 0; i++) {
        struct case_step *step = &side->steps[side->step_count++];
        rc = case_step_run(run, json_object_array_get_idx(steps, i), step);
        if (rc == 0 && has_stopped(run)) {
            step->done = false;
            rc = -ECONNRESET;
        }
    }
    return rc;
}

int case_run(struct lab *lab, struct json_object *a_case, struct case_side *side)
{
    struct case_run run = {.lab = lab, .a_case = a_case, .side = side};
    struct json_object *session = catalogue_member(a_case, "reproduction.session");
    uint64_t started = process_now_ms();
    int rc = boot(&run);

    if (rc == 0)
        rc = prepare_share(&run);
    if (rc == 0)
        rc = case_caller_open(lab, &run.machine, session != NULL ? (uint32_t)json_object_get_int(session) : 0,
                              &run.caller);
    if (rc == 0)
        rc = do_steps(&run);
    case_caller_close(run.caller);
    wire_disconnect(run.look);
    machine_shut_down_quietly(&run.machine, &side->audit);
    if (run.machine.dir[0] != '\0')
        read_bug_check(&run);
    side->took = (double)(process_now_ms() - started) / 1000;
    if (rc == -ECONNRESET && !side->stopped)
        rc = complain(EXIT_ENVIRONMENT, "%s: the %s machine or its program has gone, without a bug check",
                      catalogue_text(a_case, "number"), side->build);
    else if (rc == -ECONNRESET)
        rc = 0;
    if (rc == 0)
        case_judge(a_case, side);
    return rc;
}

void case_side_free(struct case_side *side)
{
    free(side->report);
    side->report = NULL;
}
