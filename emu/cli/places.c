/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* places.c - where this program finds the others. See places.h. */
#include "places.h"
#include "rdrlab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder that holds the program which runs; "" if the kernel does not say. */
static void own_folder(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);

    folder[length > 0 ? length : 0] = '\0';
    if (strrchr(folder, '/') != NULL)
        *strrchr(folder, '/') = '\0';
}

static int want(const char *path, const char *what)
{
    if (access(path, R_OK) == 0)
        return 0;
    return complain(EXIT_ENVIRONMENT, "%s is not there: %s: %s (\"testbed setup\" builds it)", what, path,
                    strerror(errno));
}

int places_find(struct places *ret_places)
{
    struct places places = {0};
    const char *daemon = getenv("RDRLAB_DAEMON"), *win64 = getenv("RDRLAB_WIN64");
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char own[PATH_MAX - 128], windows[PATH_MAX - 64];
    bool installed;

    own_folder(own, sizeof(own));
    installed = strncmp(own, RDRLAB_BUILD_ROOT "/", strlen(RDRLAB_BUILD_ROOT) + 1) != 0;
    if (win64 != NULL)
        snprintf(windows, sizeof(windows), "%s", win64);
    else if (installed)
        snprintf(windows, sizeof(windows), "%s/../lib/rdrlab/win64", own);
    else
        snprintf(windows, sizeof(windows), "%s", RDRLAB_WIN64_DIR);

    if (daemon != NULL)
        snprintf(places.daemon, sizeof(places.daemon), "%s", daemon);
    else
        snprintf(places.daemon, sizeof(places.daemon), "%s%s/rdrlabd", own, installed ? "" : "/../host");
    snprintf(places.provider, sizeof(places.provider), "%s%s/rdrlabnp.dll", windows, installed ? "" : "/emu/win32");
    snprintf(places.launcher, sizeof(places.launcher), "%s%s/rdrlabrun.exe", windows, installed ? "" : "/emu/win32");
    snprintf(places.createleak, sizeof(places.createleak), "%s%s/createleak.exe", windows,
             installed ? "" : "/tests/wine");
    snprintf(places.casesteps, sizeof(places.casesteps), "%s%s/casesteps.exe", windows, installed ? "" : "/tests/wine");
    if (!installed) {
        snprintf(places.wineprefixes, sizeof(places.wineprefixes), "%s/wineprefix", RDRLAB_BUILD_ROOT);
        snprintf(places.results, sizeof(places.results), "%s/results", RDRLAB_BUILD_ROOT);
    } else if (cache != NULL && cache[0] == '/') {
        snprintf(places.wineprefixes, sizeof(places.wineprefixes), "%s/rdrlab", cache);
        snprintf(places.results, sizeof(places.results), ".");
    } else {
        snprintf(places.wineprefixes, sizeof(places.wineprefixes), "%s/.cache/rdrlab", home != NULL ? home : "");
        snprintf(places.results, sizeof(places.results), ".");
    }
    *ret_places = places;
    return 0;
}

int places_want_windows(const struct places *places)
{
    int rc = want(places->provider, "the network provider");

    if (rc == 0)
        rc = want(places->launcher, "the launcher");
    if (rc == 0)
        rc = want(places->createleak, "the client program");
    return rc;
}

int places_want_daemon(const struct places *places)
{
    return want(places->daemon, "the machine's program");
}
