/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_image_wine.c - mappings, images and processes of Win32 programs under Wine: imageprobe's claims, each on both
 * transports and through a relay. After each the machine has no client and no open file, and no copy of a file is left
 * in its folder; at the end nothing is left in it.
 */
#include "claims.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {
    "mapping",
    "copy-on-write",
    "mapping-errors",
    "writable",
    "coherent",
    "view-services",
    "writable-errors",
    "locked",
    "shared",
    "library",
    "program",
    "shell",
    "execute",
    "execute-unc",
    "other-bits",
    "no-program",
    "handle",
    "inherit",
    "duplicate",
    "threads",
    "terminated-threads",
    "killed",
    NULL,
};

static int count_entries(const char *path)
{
    struct dirent *entry;
    DIR *folder = opendir(path);
    int count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* Of a program that has ended, Wine's server closes the files a moment later. */
static int expect_empty(const struct daemon *daemon, const char *name)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", daemon->folder, name);
    for (int tries = 0; tries < 2000; tries++) {
        if (count_entries(path) == 0)
            return 0;
        nanosleep(&moment, NULL);
    }
    print_error("%s/ holds %d files\n", name, count_entries(path));
    return 1;
}

static int expect_no_copies(const struct daemon *daemon, const struct way *way)
{
    return expect_empty(daemon, "images") + expect_empty(daemon, "tokens");
}

static const struct claims claims = {
    "tests/wine/imageprobe.exe", names, {"X:", "\\\\mem\\lab"}, NULL, expect_no_copies};

int main(void)
{
    return claims_main(&claims, NULL, 0);
}
