/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keep.c - "--keep" and "rdrlab stop". See keep.h. */
#include "keep.h"
#include "arguments.h"
#include "lab.h"
#include "process.h"
#include "rdrlab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_TIMEOUT_MS 30000

static int exit_status_of(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return EXIT_ENVIRONMENT;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The parent: its child's result, from the pipe or, if it ends without detaching, from its exit. */
static void wait_and_exit(pid_t child, int fd)
{
    unsigned char status;

    /* The child has a session of its own: what the terminal sends, only this process gets. */
    while (process_wait_readable(fd, -1) == -EINTR) {
        kill(child, SIGTERM);
        process_forget_interrupt();
    }
    if (read(fd, &status, 1) == 1)
        _exit(status);
    _exit(exit_status_of(child));
}

int keep_fork(void)
{
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -complain(EXIT_ENVIRONMENT, "--keep: %s", strerror(errno));
    fflush(NULL);
    child = fork();
    if (child < 0)
        return -complain(EXIT_ENVIRONMENT, "--keep: %s", strerror(errno));
    if (child > 0) {
        close(fds[1]);
        wait_and_exit(child, fds[0]);
    }
    close(fds[0]);
    setsid();
    return fds[1];
}

void keep_detach(int fd, int status)
{
    unsigned char byte = (unsigned char)status;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    fflush(NULL);
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i);
    if (write(fd, &byte, 1) != 1)
        process_note_interrupt(); /* nobody is there to learn how it ended: do not stay */
    close(fd);
}

void keep_wait(void)
{
    while (process_wait_readable(-1, -1) != -EINTR)
        ;
}

/* ---- rdrlab stop ---- */

static int stop_lab(const char *dir, bool must_exist)
{
    uint64_t deadline = process_now_ms() + STOP_TIMEOUT_MS;
    char lab_dir[PATH_MAX];
    int owner = lab_owner(dir, lab_dir, sizeof(lab_dir));

    if (owner == -ENOENT)
        return must_exist ? complain(EXIT_ENVIRONMENT, "%s: no machine lives there that --keep left running", dir) : 0;
    if (owner > 0 && kill(owner, SIGTERM) != 0 && errno != ESRCH)
        return complain(EXIT_ENVIRONMENT, "%s: process %d, which keeps it: %s", dir, owner, strerror(errno));
    while (access(lab_dir, F_OK) == 0 && lab_owner(lab_dir, lab_dir, sizeof(lab_dir)) > 0) {
        if (process_now_ms() >= deadline)
            return complain(EXIT_ENVIRONMENT, "%s: process %d does not end", dir, owner);
        if (process_pause(20) != 0)
            return EXIT_INTERRUPTED;
    }
    lab_remove_stale();
    return 0;
}

static void stop_each(const char *dir, void *context)
{
    int rc = lab_is_kept(dir) ? stop_lab(dir, false) : 0;

    if (rc != 0)
        *(int *)context = rc;
}

int command_stop(int argc, char **argv)
{
    static const char help[] =
        "usage: rdrlab stop --machine DIR | --all\n\n"
        "End a machine that --keep left running, its smbd and its Wine, and remove their files.\n\n"
        "  --machine DIR   the machine's folder; default: RDRLAB_MACHINE\n"
        "  --all           every one of this user; and remove what killed commands have left\n";
    static const struct option names[] = {{"machine", required_argument, NULL, 'm'},
                                          {"all", no_argument, NULL, 'a'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const char *machine = getenv("RDRLAB_MACHINE");
    bool all = false;
    int found, rc = 0;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        if (found == 'm')
            machine = optarg;
        else if (found == 'a')
            all = true;
        else if (found == 'h')
            return fputs(help, stdout), 0;
        else
            return argument_refuse("stop", found, argv);
    }
    if (optind < argc)
        return complain(EXIT_USAGE, "stop takes no argument %s", argv[optind]);
    if (all)
        lab_each(stop_each, &rc), lab_remove_stale();
    else if (machine == NULL)
        return complain(EXIT_USAGE, "stop which machine? --machine DIR or --all says");
    else
        rc = stop_lab(machine, true);
    return rc;
}
