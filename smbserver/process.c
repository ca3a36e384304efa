/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - finding, running and watching other programs. See process.h. */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN_TIMEOUT_MS 30000 /* for one that hangs */

uint64_t smbserver_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void smbserver_pause_ms(unsigned ms)
{
    struct timespec delay = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&delay, NULL);
}

int smbserver_move_fd(int fd)
{
    int moved;

    if (fd < 0)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    close(fd);
    return moved;
}

int smbserver_find_program(const char *name, char *path, size_t size)
{
    /* An ordinary user's PATH has no sbin on Debian. */
    static const char usual[] = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/local/samba/sbin:"
                                "/usr/local/samba/bin";
    const char *lists[] = {getenv("PATH"), usual};
    char candidate[4096];

    for (size_t i = 0; i < 2; i++) {
        const char *from = lists[i];

        while (from != NULL && *from != '\0') {
            size_t length = strcspn(from, ":");

            snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, from, name);
            if (length != 0 && strlen(candidate) < size && access(candidate, X_OK) == 0) {
                strcpy(path, candidate);
                return 0;
            }
            from += length;
            from += strspn(from, ":");
        }
    }
    return -ENOENT;
}

/* Collect output until its end. Returns 0 or -ETIMEDOUT. */
static int read_output(int fd, char *output, size_t size)
{
    uint64_t deadline = smbserver_now_ms() + RUN_TIMEOUT_MS;
    size_t length = 0;
    char spare[512];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = smbserver_now_ms();
        ssize_t got;

        if (now >= deadline || poll(&p, 1, (int)(deadline - now)) == 0)
            return -ETIMEDOUT;
        if (length + 1 < size)
            got = read(fd, output + length, size - 1 - length);
        else
            got = read(fd, spare, sizeof(spare));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        if (length + 1 < size)
            length += (size_t)got;
        output[length] = '\0';
    }
}

static int spawn_piped(char *const argv[], int input, int output, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int rc;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    rc = posix_spawn(ret_pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

int smbserver_run(char *const argv[], const char *input, char *output, size_t size)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    size_t length = input != NULL ? strlen(input) : 0;
    int status = 0, rc;
    pid_t pid;

    output[0] = '\0';
    if (length > 4096)
        return -E2BIG;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        rc = -errno;
        goto exit;
    }
    for (int i = 0; i < 2; i++) {
        in[i] = smbserver_move_fd(in[i]);
        out[i] = smbserver_move_fd(out[i]);
    }
    if (in[0] < 0 || in[1] < 0 || out[0] < 0 || out[1] < 0) {
        rc = -EMFILE;
        goto exit;
    }
    if (length != 0 && write(in[1], input, length) != (ssize_t)length) {
        rc = -EIO;
        goto exit;
    }
    close(in[1]);
    in[1] = -1;
    rc = spawn_piped(argv, in[0], out[1], &pid);
    if (rc != 0)
        goto exit;
    close(out[1]);
    out[1] = -1;
    rc = read_output(out[0], output, size);
    if (rc != 0)
        killpg(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == 0)
        rc = WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
exit:
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0)
            close(in[i]);
        if (out[i] >= 0)
            close(out[i]);
    }
    return rc;
}

bool smbserver_read_process(pid_t pid, struct smbserver_process *ret_process)
{
    struct smbserver_process process = {.pid = pid};
    char path[64], text[512], *name, *end;
    int parent, group;
    ssize_t length;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    /* The name may hold anything, a ')' too: it ends at the last one. */
    name = strchr(text, '(');
    end = strrchr(text, ')');
    if (name == NULL || end == NULL || sscanf(end + 1, " %c %d %d", &process.state, &parent, &group) != 3)
        return false;
    *end = '\0';
    snprintf(process.name, sizeof(process.name), "%s", name + 1);
    process.parent = parent;
    process.group = group;
    *ret_process = process;
    return true;
}

void smbserver_each_process(pid_t group, bool (*fn)(const struct smbserver_process *process, void *context),
                            void *context)
{
    struct smbserver_process process;
    struct dirent *entry;
    DIR *dir = opendir("/proc");
    bool more = true;

    if (dir == NULL)
        return;
    while (more && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (pid > 0 && smbserver_read_process(pid, &process) && process.group == group)
            more = fn(&process, context);
    }
    closedir(dir);
}
