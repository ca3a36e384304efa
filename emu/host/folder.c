/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's folder. The lock, not the socket's presence, says that a machine lives. */
#include "folder.h"

#include "wire/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME      "machine.lock"
#define BUG_CHECK_NAME "bugcheck.txt"
#define REMOVE_TRIES   1000

static const char *const subfolders[] = {"tokens", "held", "attach", "images", "samba"};
#define SUBFOLDERS (sizeof(subfolders) / sizeof(subfolders[0]))

static void remove_tree(int parent, const char *name);

static void remove_entries(int fd, DIR *listing)
{
    struct dirent *entry;

    while ((entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) != 0 && (errno == EISDIR || errno == EPERM))
            remove_tree(fd, entry->d_name);
    }
}

/*
 * Removes everything below the folder `name` of parent, and it. Follows no symbolic link. In a machine that a bug check
 * stopped, threads may still be making files there: then again, until the folder is gone and they cannot.
 */
static void remove_tree(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;

    if (!listing) {
        if (fd >= 0)
            close(fd);
        unlinkat(parent, name, 0);
        return;
    }
    for (int tries = 0; tries < REMOVE_TRIES; tries++) {
        remove_entries(fd, listing);
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY)
            break;
        rewinddir(listing);
    }
    closedir(listing);
}

static void clear(int fd)
{
    unlinkat(fd, "socket", 0);
    for (size_t i = 0; i < SUBFOLDERS; i++)
        remove_tree(fd, subfolders[i]);
}

/*
 * Takes the lock. A machine that ends removes the file while it holds the lock, so a lock on a file that has lost its
 * name meanwhile protects nothing: then again. 0 or a negative errno.
 */
static int take_lock(int folder)
{
    struct stat by_name, by_fd;
    int fd, error;

    for (;;) {
        fd = openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            error = errno;
            close(fd);
            return -error;
        }
        if (fstat(fd, &by_fd) == 0 && fstatat(folder, LOCK_NAME, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
            by_fd.st_ino == by_name.st_ino)
            return fd;
        close(fd);
    }
}

static bool check_owner(const struct folder *folder, const char *path, char *error, size_t error_size)
{
    struct stat status;

    if (fstat(folder->fd, &status) != 0) {
        snprintf(error, error_size, "--dir %s: %s", path, strerror(errno));
        return false;
    }
    if (status.st_uid != geteuid()) {
        snprintf(error, error_size, "--dir %s: belongs to user %u, not to this one", path, (unsigned)status.st_uid);
        return false;
    }
    if ((status.st_mode & 07777) != 0700) {
        snprintf(error, error_size, "--dir %s: has mode %04o and must have 0700", path,
                 (unsigned)status.st_mode & 07777);
        return false;
    }
    return true;
}

static int make_subfolder(const struct folder *folder, const char *name)
{
    if (mkdirat(folder->fd, name, 0700) != 0)
        return -1;
    return openat(folder->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool fill(struct folder *folder, const char *path, char *error, size_t error_size)
{
    clear(folder->fd);
    unlinkat(folder->fd, BUG_CHECK_NAME, 0);
    folder->tokens = make_subfolder(folder, "tokens");
    if (folder->tokens >= 0)
        folder->held = make_subfolder(folder, "held");
    if (folder->held >= 0)
        folder->attach = make_subfolder(folder, "attach");
    if (folder->attach >= 0 && mkdirat(folder->fd, "images", 0700) == 0 && mkdirat(folder->fd, "samba", 0700) == 0)
        return true;
    snprintf(error, error_size, "--dir %s: cannot be written: %s", path, strerror(errno));
    return false;
}

bool folder_open(struct folder *folder, const char *path, char *error, size_t error_size)
{
    *folder = (struct folder){.fd = -1, .lock = -1, .tokens = -1, .held = -1, .attach = -1};
    folder->created = mkdir(path, 0700) == 0;
    if (!folder->created && errno != EEXIST) {
        snprintf(error, error_size, "--dir %s: %s", path, strerror(errno));
        return false;
    }
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0 || !realpath(path, folder->path)) {
        snprintf(error, error_size, "--dir %s: %s", path, strerror(errno));
        goto failed;
    }
    if (strlen(folder->path) + sizeof("/tokens") > sizeof(((struct wire_welcome *)0)->token_folder)) {
        snprintf(error, error_size, "--dir %s: the path is longer than clients can be told", path);
        goto failed;
    }
    if (!check_owner(folder, path, error, error_size))
        goto failed;
    folder->lock = take_lock(folder->fd);
    if (folder->lock < 0) {
        if (folder->lock == -EWOULDBLOCK)
            snprintf(error, error_size, "--dir %s: a machine lives in it already", path);
        else
            snprintf(error, error_size, "--dir %s: %s", path, strerror(-folder->lock));
        goto failed;
    }
    if (fill(folder, path, error, error_size))
        return true;

failed:
    /* Without the lock nothing in it is ours to remove. */
    if (folder->lock >= 0)
        folder_remove(folder);
    else {
        if (folder->fd >= 0)
            close(folder->fd);
        if (folder->created)
            rmdir(path);
    }
    folder->fd = -1;
    return false;
}

bool folder_write_bug_check(const struct folder *folder, const char *text)
{
    int fd = openat(folder->fd, BUG_CHECK_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return good;
}

void folder_remove(struct folder *folder)
{
    if (folder->fd < 0)
        return;
    clear(folder->fd);
    unlinkat(folder->fd, LOCK_NAME, 0);
    if (folder->created)
        rmdir(folder->path);
    if (folder->tokens >= 0)
        close(folder->tokens);
    if (folder->held >= 0)
        close(folder->held);
    if (folder->attach >= 0)
        close(folder->attach);
    close(folder->lock);
    close(folder->fd);
    *folder = (struct folder){.fd = -1, .lock = -1, .tokens = -1, .held = -1, .attach = -1};
}
