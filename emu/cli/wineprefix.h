/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wineprefix.h - a private Wine per lab: a prefix made once per Wine version, and cheap copies of it.
 *
 * A prefix takes Wine some ten seconds to make. Labs get copies whose builtin files are symbolic links into the
 * original: a copy is ready in milliseconds, and drive letters, registry and processes of two labs never meet.
 * Every copy has a wineserver of its own, a child of this process, so that everything under Wine ends with it.
 */
#ifndef RDRLAB_WINEPREFIX_H
#define RDRLAB_WINEPREFIX_H

#include "places.h"

#include <stdbool.h>
#include <sys/types.h>

#define WINE_MINIMUM "8.0"

struct wine {
    char loader[PATH_MAX];  /* the program "wine" */
    char server[PATH_MAX];  /* the program "wineserver" */
    char version[64];       /* as it says itself: "wine-8.0" */
    char full_version[128]; /* with the packager's addition: "wine-8.0 (Debian 8.0~repack-4)" */
};

struct wineprefix {
    struct wine wine;
    char dir[PATH_MAX];
    pid_t server;  /* 0: none runs */
    bool answered; /* it has served, so that it can be asked to end */
    char variables[4][PATH_MAX + 32];
    const char *environment[13]; /* for process_spec, NULL-terminated; the last free places are the caller's */
    size_t environment_count;
};

/* Find Wine and its version. Returns 0, or an exit status having complained (none, or older than WINE_MINIMUM). */
int wine_find(struct wine *ret_wine);

/*
 * wineprefix_original - path of the original prefix, made first if it is not there (under a lock: several processes
 * may want it at once). The network provider is registered in it.
 *   Returns 0, or an exit status having complained.
 */
int wineprefix_original(const struct wine *wine, const char *folder, char *path, size_t size);

/*
 * wineprefix_open - copy the original to dir (which must not exist, below a folder of the caller's user), put the
 * provider in, start its wineserver and Wine's services, with their output in log (an open descriptor).
 *   Returns 0, or an exit status having complained. wineprefix_close in every case.
 */
int wineprefix_open(struct wineprefix *prefix, const struct wine *wine, const char *original, const char *dir,
                    const struct places *places, int log);

/* Use a copy that another process has opened: environment is filled in, nothing is started, nothing to close. */
void wineprefix_attach(struct wineprefix *prefix, const struct wine *wine, const char *dir);

/* End everything that runs in it. Accepts one that was never opened, zeroed. The files stay. */
void wineprefix_close(struct wineprefix *prefix);

/*
 * wineprefix_remove_socket - for a prefix whose server is gone. Debian's Wine makes a folder in /tmp for the server's
 * socket, notes its name in the prefix, and leaves it there for ever; wineprefix_close does this itself.
 */
void wineprefix_remove_socket(const char *dir);

/* "/home/a/b.exe" as a Win32 program sees it: "Z:\home\a\b.exe". */
void wine_path(const char *path, char *win32, size_t size);

#endif
