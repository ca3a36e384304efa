/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rdrlab-relay: a machine elsewhere, for the programs of this system. From its command line to its end. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "folder.h"
#include "host.h"
#include "region.h"
#include "relay.h"
#include "server.h"
#include "token.h"
#include "wire/channel.h"

enum exit_status { EXIT_DONE = 0, EXIT_NO_START = 1, EXIT_OPTION = 2, EXIT_LOST = 3 };

static const char help[] =
    "rdrlab-relay - a machine on another system, for the programs of this one\n"
    "usage: rdrlab-relay --dir DIR --redirector HOST:PORT --secret-file FILE [OPTION]...\n\n"
    "  --dir DIR                 the folder that RDRLAB_MACHINE is to name; made with mode 0700 if it does not exist\n"
    "  --redirector HOST:PORT    where an rdrlabd listens (its --listen)\n"
    "  --secret-file FILE        the same as there\n"
    "  --peer-timeout SECONDS    until a machine that says nothing is given up; default 10\n"
    "  --ready-fd N              write the socket's path and a line end to this descriptor once listening\n"
    "  --die-with-parent         end when the parent process does\n"
    "  --verbose                 log to stderr; -v\n\n"
    "exit status: 0 it was told to end, 1 could not start, 2 wrong option, 3 the machine was lost\n";

struct options {
    const char *folder, *address, *secret_file;
    double patience_s;
    int ready_fd;
    bool die_with_parent, verbose, help;
};

static bool refuse(const char *option, const char *words)
{
    host_error("%s: %s", option, words);
    return false;
}

static bool read_number(const char *option, double least, double most, double *ret_number)
{
    char *end;

    *ret_number = strtod(optarg, &end);
    if (end == optarg || *end || !isfinite(*ret_number) || *ret_number < least || *ret_number > most)
        return refuse(option, "not such a number");
    return true;
}

static bool take_option(int found, struct options *options, char **argv)
{
    double number;

    switch (found) {
    case 'd':
        options->folder = optarg;
        return true;
    case 'r':
        options->address = optarg;
        return true;
    case 's':
        options->secret_file = optarg;
        return true;
    case 't':
        return read_number("--peer-timeout", 0.1, 3600, &options->patience_s);
    case 'n':
        if (!read_number("--ready-fd", 0, 65535, &number))
            return false;
        options->ready_fd = (int)number;
        return true;
    case 'p':
        options->die_with_parent = true;
        return true;
    case 'v':
        options->verbose = true;
        return true;
    case 'h':
        options->help = true;
        return true;
    default:
        return refuse(argv[optind - 1], found == ':' ? "needs a value" : "no such option; --help lists them");
    }
}

static bool read_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {{"dir", required_argument, NULL, 'd'},
                                          {"redirector", required_argument, NULL, 'r'},
                                          {"secret-file", required_argument, NULL, 's'},
                                          {"peer-timeout", required_argument, NULL, 't'},
                                          {"ready-fd", required_argument, NULL, 'n'},
                                          {"die-with-parent", no_argument, NULL, 'p'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int found;

    *options = (struct options){.patience_s = 10, .ready_fd = -1};
    opterr = 0;
    while ((found = getopt_long(argc, argv, ":vh", names, NULL)) != -1)
        if (!take_option(found, options, argv))
            return false;
    if (options->help)
        return true;
    if (optind < argc)
        return refuse(argv[optind], "no such option; --help lists them");
    if (!options->folder || !options->address || !options->secret_file)
        return refuse("--dir, --redirector and --secret-file", "are required");
    return true;
}

/* ---- the process ---- */

struct relay_process {
    struct options options;
    struct folder folder;
    struct host host;
    struct attachments *attachments;
    int listener, signals, lost;
};

/* Returns false if the parent has died before it could be told to take this process along. */
static bool prepare_process(struct relay_process *process)
{
    pid_t parent = getppid();
    sigset_t ending;

    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN); /* a lease that somebody's open breaks needs no answer */
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGHUP);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    process->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    process->lost = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    process->host.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    region_prepare_process();
    if (process->options.die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            return false;
    }
    if (process->signals >= 0 && process->lost >= 0 && process->host.kick >= 0)
        return true;
    host_error("cannot start: %s", strerror(errno));
    return false;
}

static bool begin_link(struct relay_process *process)
{
    struct relay_options options = {.address = process->options.address,
                                    .patience_ms = (int)(process->options.patience_s * 1000)};
    char error[PATH_MAX + 256];
    bool good = false;

    if (remote_read_secret(process->options.secret_file, &options.secret, error, sizeof(error)) != 0)
        host_error("--secret-file %s", error);
    else if (relay_open(&process->host, &options, process->lost, error, sizeof(error)) != 0)
        host_error("--redirector %s", error);
    else
        good = true;
    explicit_bzero(&options.secret, sizeof(options.secret));
    return good;
}

/* The machine's welcome stands in host->welcome already; the rest of it is this system's. */
static bool open_for_clients(struct relay_process *process)
{
    struct wire_welcome *welcome = &process->host.welcome;
    char error[PATH_MAX + 256];

    welcome->machine_pid = (uint32_t)getpid();
    welcome->slot_count = WIRE_SLOT_COUNT;
    welcome->region_size = sizeof(struct wire_region);
    snprintf(welcome->token_folder, sizeof(welcome->token_folder), "%.180s/tokens", process->folder.path);
    process->attachments = attach_start(&process->host, process->folder.attach, error, sizeof(error));
    if (process->attachments)
        process->listener = server_listen(&process->folder, error, sizeof(error));
    if (process->listener < 0)
        host_error("--dir %s: %s", process->options.folder, error);
    return process->listener >= 0;
}

static void tell_ready(const struct relay_process *process)
{
    char line[PATH_MAX + 16];
    int length = snprintf(line, sizeof(line), "%s/socket\n", process->folder.path);

    host_log(&process->host, "%s at %s is to be had in %s", process->host.welcome.build, process->options.address,
             process->folder.path);
    if (process->options.ready_fd < 0)
        return;
    if (write(process->options.ready_fd, line, (size_t)length) != length)
        host_error("--ready-fd %d: %s", process->options.ready_fd, strerror(errno));
    close(process->options.ready_fd);
}

static enum exit_status serve(struct relay_process *process)
{
    const struct server_door doors[SERVER_DOORS] = {{process->listener, server_accept}, {-1, NULL}};
    bool told;

    tell_ready(process);
    told = server_run(&process->host, doors, process->signals, process->lost);
    if (!told)
        relay_give_up(&process->host);
    return told ? EXIT_DONE : EXIT_LOST;
}

static enum exit_status run(struct relay_process *process)
{
    char error[PATH_MAX + 256];
    enum exit_status status = EXIT_NO_START;

    if (!prepare_process(process))
        return EXIT_NO_START;
    if (!folder_open(&process->folder, process->options.folder, error, sizeof(error))) {
        host_error("%s", error);
        return EXIT_NO_START;
    }
    process->host.tokens = token_table_create(process->folder.tokens, process->folder.held, error, sizeof(error));
    if (!process->host.tokens)
        host_error("--dir %s: %s", process->options.folder, error);
    else if (begin_link(process) && open_for_clients(process))
        status = serve(process);
    if (process->listener >= 0)
        close(process->listener);
    attach_stop(process->attachments);
    server_disconnect_all(&process->host);
    token_table_destroy(process->host.tokens);
    relay_close();
    folder_remove(&process->folder);
    return status;
}

int main(int argc, char **argv)
{
    static struct relay_process process = {.folder = {.fd = -1}, .listener = -1};

    host_prepare(&process.host);
    if (!read_options(&process.options, argc, argv))
        return EXIT_OPTION;
    if (process.options.help) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    process.host.verbose = process.options.verbose;
    return run(&process);
}
