/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon.c - "rdrlab poolmon": in a window, or looks printed one after the other. */
#include "inspect.h"
#include "poolmon_options.h"
#include "poolmon_screen.h"
#include "process.h"
#include "rdrlab.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool wants_window(const struct poolmon_options *options)
{
    return !options->once && !options->sites && options->form == POOL_TEXT && options->count == 0 &&
           options->file == NULL && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static uint64_t looks_wanted(const struct poolmon_options *options)
{
    if (options->count != 0)
        return options->count;
    return options->interval_given && !options->once && options->file == NULL ? UINT64_MAX : 1;
}

static int print_looks(const struct poolmon_options *options, struct wire_client *client, FILE *file)
{
    const uint64_t wanted = looks_wanted(options);
    struct pool_printer printer = {.form = options->form,
                                   .sites = options->sites,
                                   .changes = wanted > 1,
                                   .view = &options->view,
                                   .client = client};
    struct pool_model model = {0};
    int rc = 0;

    for (uint64_t i = 0; i < wanted && rc == 0; i++) {
        struct inspection look;

        if (i > 0 && process_pause((int)options->interval_ms) != 0)
            break;
        rc = inspect(client, &look);
        if (rc != 0)
            break;
        pool_model_update(&model, &look);
        pool_model_arrange(&model, &options->view);
        rc = pool_print(&printer, &model, file);
    }
    pool_model_free(&model);
    return rc == 0 && process_interrupted() ? EXIT_INTERRUPTED : rc;
}

static int print_into_file(const struct poolmon_options *options, struct wire_client *client)
{
    FILE *file = fopen(options->file, "we");
    int rc;

    if (file == NULL)
        return complain(EXIT_ENVIRONMENT, "-n %s: %s", options->file, strerror(errno));
    rc = print_looks(options, client, file);
    if (fclose(file) != 0 && rc == 0)
        rc = complain(EXIT_ENVIRONMENT, "-n %s: %s", options->file, strerror(errno));
    return rc;
}

int command_poolmon(int argc, char **argv)
{
    struct poolmon_options options;
    struct wire_client *client;
    int rc = poolmon_options_read(&options, argc, argv);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect(options.machine, &client);
    if (rc != 0)
        return rc;
    if (wants_window(&options))
        rc = poolmon_screen(client, &options.view, (int)options.interval_ms);
    else if (options.file != NULL)
        rc = print_into_file(&options, client);
    else
        rc = print_looks(&options, client, stdout);
    wire_disconnect(client);
    return rc;
}
