/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.c - whole files and trees. See files.h. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

int file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t length = strlen(text);
    ssize_t written;

    if (fd < 0)
        return -errno;
    errno = 0;
    written = write(fd, text, length);
    if (close(fd) != 0 || written != (ssize_t)length)
        return errno != 0 ? -errno : -EIO;
    return 0;
}

int file_copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, rc = 0;
    struct stat info;
    ssize_t sent = 1;

    if (in < 0 || fstat(in, &info) != 0) {
        rc = -errno;
        goto exit;
    }
    unlink(to);
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, info.st_mode & 0777);
    if (out < 0) {
        rc = -errno;
        goto exit;
    }
    while (sent > 0)
        sent = sendfile(out, in, NULL, 1 << 20);
    if (sent < 0)
        rc = -errno;
exit:
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

void file_last_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[512];

    text[0] = '\0';
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0')
            snprintf(text, size, "%s", line);
    }
    if (file != NULL)
        fclose(file);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    remove(path); /* what cannot be removed stays: the rest still goes */
    return 0;
}

void tree_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
