/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_image_wine.c - mappings, images and processes of Win32 programs under Wine: imageprobe's claims, each on both
 * transports and through a relay. After each the machine has no client and no open file, and no copy of a file is left
 * in its folder; at the end nothing is left in it.
 */
#include "daemon.h"
#include "skip.h"
#include "winelab.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct winelab lab;
static struct program program; /* large */

static const char *const claims[] = {
    "mapping", "copy-on-write", "mapping-errors", "writable", "writable-errors",
    "shared",  "library",       "program",        "shell",    "no-program",
    "handle",  "inherit",       "duplicate",      "threads",  "terminated-threads",
    "killed",
};

static int hold(const struct daemon *daemon, const char *claim, const char *transport)
{
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, "tests/wine/imageprobe.exe");
    program.argv[1] = claim;
    program.argv[2] = "X:";
    program.argv[3] = "\\\\mem\\lab";
    program.machine = daemon->folder;
    program.transport = transport;
    if (winelab_run(&lab, &program, 60) && program.status == 0)
        return 1;
    print_error("%s does not hold (%d):\n%s", claim, program.status, program.error);
    return 0;
}

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

static void check_claims(const char *transport)
{
    static const char *const build[] = {"--build", "nt4-sp6", NULL};
    struct daemon daemon;
    struct way way = {0};
    int failed = 0;

    daemon_start(&daemon, build);
    way.client = daemon_connect(&daemon, 0);
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        failed += !hold(&daemon, claims[i], transport);
        await_machine(&way, 1, 0);
        failed += expect_empty(&daemon, "images") + expect_empty(&daemon, "tokens");
    }
    wire_disconnect(way.client);
    if (daemon_stop(&daemon) != 0)
        fail_msg("something is left in the machine");
    assert_int_equal(failed, 0);
}

static void test_claims_hold_over_system_calls(void **state)
{
    check_claims("raw");
}

static void test_claims_hold_over_mapped_regions(void **state)
{
    check_claims("mapped");
}

static void test_claims_hold_through_a_relay(void **state)
{
    daemon_use_relays();
    check_claims("raw");
}

static int open_lab(void **state)
{
    return winelab_open(&lab, getenv("RDRLAB_WIN64_DIR"), getenv("RDRLAB_WINEPREFIXES")) ? 0 : -1;
}

static int close_lab(void **state)
{
    winelab_close(&lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims_hold_over_system_calls),
        cmocka_unit_test(test_claims_hold_over_mapped_regions),
        cmocka_unit_test(test_claims_hold_through_a_relay),
    };
    const char *missing = winelab_missing(getenv("RDRLAB_WIN64_DIR"));

    if (missing)
        return skip_or_fail(missing);
    if (!getenv("RDRLAB_WINEPREFIXES"))
        return skip_or_fail("RDRLAB_WINEPREFIXES is not set");
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
