/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - rdrlab-smbserver: a private smbd over a folder, until SIGTERM, SIGINT or the end of standard input.
 *
 * Prints, each on a line of its own: port N, user NAME, password-file PATH, version V. Then it only waits.
 * Exit status: 0 after a stop, 1 if the server could not start or died, 2 for wrong arguments.
 */
#include "smbserver.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: rdrlab-smbserver [OPTION...] DIR\n"
    "Serve the folder DIR with a private smbd on 127.0.0.1, as the shares \"lab\" and \"ro\",\n"
    "until SIGTERM, SIGINT or the end of standard input.\n"
    "  --port N              TCP port (a free one)\n"
    "  --state FOLDER        where the server keeps its files (a new folder below TMPDIR, removed at the end)\n"
    "  --min-protocol NAME   NT1, SMB2_02, SMB2_10, SMB3_00, SMB3_02 or SMB3_11 (NT1)\n"
    "  --max-protocol NAME   (SMB3_11)\n"
    "  --smbd FILE           the program (the one in PATH or in /usr/sbin)\n";

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

/* A terminal, a pipe or a socket is a parent that can go away; /dev/null or a file says nothing by its end. */
static bool input_is_a_parent(void)
{
    struct stat st;

    return fstat(0, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(0));
}

/* Returns the exit status. */
static int wait_for_the_end(const struct smbserver *server, int signals)
{
    struct pollfd p[2] = {{.fd = signals, .events = POLLIN}, {.fd = input_is_a_parent() ? 0 : -1, .events = POLLIN}};
    struct signalfd_siginfo info;
    char discard[256];

    for (;;) {
        if (poll(p, 2, -1) < 0)
            continue;
        if ((p[0].revents & POLLIN) && read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
            siginfo_t ended = {0};

            if (info.ssi_signo != SIGCHLD)
                return 0;
            if (waitid(P_PID, (id_t)smbserver_pid(server), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                ended.si_pid != 0) {
                fprintf(stderr, "rdrlab-smbserver: smbd has ended by itself; see %s/log\n", smbserver_dir(server));
                return 1;
            }
        }
        if (p[1].revents != 0 && read(0, discard, sizeof(discard)) <= 0)
            return 0;
    }
}

static bool parse_arguments(int argc, char **argv, struct smbserver_options *options)
{
    static const struct option longs[] = {{"port", required_argument, NULL, 'p'},
                                          {"state", required_argument, NULL, 's'},
                                          {"min-protocol", required_argument, NULL, 'm'},
                                          {"max-protocol", required_argument, NULL, 'M'},
                                          {"smbd", required_argument, NULL, 'x'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    unsigned long port;
    char *end;
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 'p':
            errno = 0;
            port = strtoul(optarg, &end, 10);
            if (errno != 0 || end == optarg || *end != '\0' || port == 0 || port > 65535) {
                fprintf(stderr, "rdrlab-smbserver: no such port: %s\n", optarg);
                return false;
            }
            options->port = (uint16_t)port;
            break;
        case 's':
            options->dir = optarg;
            break;
        case 'm':
            options->min_protocol = optarg;
            break;
        case 'M':
            options->max_protocol = optarg;
            break;
        case 'x':
            options->smbd = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            return false;
        }
    }
    if (optind + 1 != argc)
        return false;
    options->share_dir = argv[optind];
    return true;
}

int main(int argc, char **argv)
{
    struct smbserver_options options = {0};
    char state[64] = "", error[4096] = "", *share;
    struct smbserver *server;
    int signals, status = 1;
    sigset_t mask;

    if (!parse_arguments(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    share = realpath(options.share_dir, NULL);
    if (share == NULL) {
        fprintf(stderr, "rdrlab-smbserver: %s: %s\n", options.share_dir, strerror(errno));
        return 1;
    }
    options.share_dir = share;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signals = signalfd(-1, &mask, SFD_CLOEXEC);
    if (options.dir == NULL) {
        const char *tmp = getenv("TMPDIR");

        if (tmp == NULL || tmp[0] != '/' || strlen(tmp) > 40)
            tmp = "/tmp";
        snprintf(state, sizeof(state), "%s/rdrlab-smbd.XXXXXX", tmp);
        options.dir = mkdtemp(state);
    }
    if (signals < 0 || options.dir == NULL) {
        fprintf(stderr, "rdrlab-smbserver: cannot prepare: %s\n", strerror(errno));
        goto exit;
    }
    if (smbserver_start(&options, &server, error, sizeof(error)) != 0) {
        fprintf(stderr, "rdrlab-smbserver: %s\n", error);
        goto exit;
    }
    printf("port %u\nuser %s\npassword-file %s\nversion %s\n", smbserver_port(server), smbserver_user(server),
           smbserver_password_file(server), smbserver_version(server));
    fflush(stdout);
    status = wait_for_the_end(server, signals);
    smbserver_stop(server);
exit:
    if (state[0] != '\0' && options.dir != NULL)
        nftw(options.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (signals >= 0)
        close(signals);
    free(share);
    return status;
}
