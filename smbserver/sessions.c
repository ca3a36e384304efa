/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sessions.c - which processes of a private smbd serve a connected client. See sessions.h.
 *
 * smbd's helpers are children of the listening process, too, and name themselves only after they have come to life.
 * What makes a session is its connection, so that is what is looked for: the kernel's list of connections gives the
 * sockets' inodes, and a session has one of them open.
 */
#include "sessions.h"
#include "process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_LISTEN 0x0Au /* as /proc/net/tcp has it */
#define MAX_SOCKETS  256

struct search {
    pid_t server;
    unsigned long inodes[MAX_SOCKETS];
    int inode_count;
    pid_t *pids;
    int count, max;
};

/* Read the sockets of 127.0.0.1:port: the listening one only, or all but that. Returns how many. */
static int read_sockets(uint16_t port, bool listening, unsigned long *inodes, int max)
{
    FILE *file = fopen("/proc/net/tcp", "re");
    unsigned address, its_port, state;
    unsigned long inode;
    char line[256];
    int count = 0;

    if (file == NULL)
        return 0;
    while (count < max && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, " %*u: %8X:%4X %*8X:%*4X %2X %*s %*s %*s %*s %*s %lu", &address, &its_port, &state, &inode) ==
                4 &&
            address == htonl(INADDR_LOOPBACK) && its_port == port && (state == STATE_LISTEN) == listening && inode != 0)
            inodes[count++] = inode;
    }
    fclose(file);
    return count;
}

bool smbserver_is_listening(uint16_t port)
{
    unsigned long inode;

    return read_sockets(port, true, &inode, 1) == 1;
}

/* What each open file of a process is, as the kernel names it, until `look` has seen enough. False: it cannot be
 * known. */
static bool each_open(pid_t pid, bool (*look)(const char *path, const char *target, void *context), void *context)
{
    char path[300], target[PATH_MAX];
    struct dirent *entry;
    bool more = true;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (dir == NULL)
        return errno == ENOENT || errno == ESRCH; /* it has ended, and has none */
    while (more && (entry = readdir(dir)) != NULL) {
        ssize_t length;

        snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, entry->d_name);
        length = readlink(path, target, sizeof(target) - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        more = look(path, target, context);
    }
    closedir(dir);
    return true;
}

struct socket_search {
    const struct search *sockets;
    bool found;
};

static bool is_no_connection(const char *path, const char *target, void *context)
{
    struct socket_search *search = context;
    unsigned long inode;

    (void)path;
    if (sscanf(target, "socket:[%lu]", &inode) != 1)
        return true;
    for (int i = 0; i < search->sockets->inode_count && !search->found; i++)
        search->found = search->sockets->inodes[i] == inode;
    return !search->found;
}

static bool holds_a_connection(const struct search *sockets, pid_t pid)
{
    struct socket_search search = {.sockets = sockets};

    return each_open(pid, is_no_connection, &search) && search.found;
}

static bool collect(const struct smbserver_process *process, void *context)
{
    struct search *search = context;

    if (process->pid != search->server && process->state != 'Z' && holds_a_connection(search, process->pid))
        search->pids[search->count++] = process->pid;
    return search->count < search->max;
}

int smbserver_find_sessions(pid_t server, uint16_t port, pid_t *pids, int max)
{
    struct search search = {.server = server, .pids = pids, .max = max};

    search.inode_count = read_sockets(port, false, search.inodes, MAX_SOCKETS);
    if (search.inode_count != 0 && max > 0)
        smbserver_each_process(server, collect, &search);
    return search.count;
}

struct file_count {
    const char *folder;
    int count;
};

static bool count_file(const char *path, const char *target, void *context)
{
    struct file_count *files = context;
    size_t length = strlen(files->folder);
    struct stat st;

    if (strncmp(target, files->folder, length) == 0 && target[length] == '/' && stat(path, &st) == 0)
        files->count += S_ISREG(st.st_mode);
    return true;
}

int smbserver_files_of(pid_t pid, const char *folder)
{
    struct file_count files = {.folder = folder};

    return each_open(pid, count_file, &files) ? files.count : -1;
}
