/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_info_wine.c - what files, volumes and folders are told and asked by Win32 programs under Wine: infoprobe's
 * claims. Over the server in memory on both transports and through a relay; over smbd, with a look at the files
 * themselves. At the end nothing is left in the machine.
 *
 *   test_info_wine
 *   test_info_wine DIALECT WORKER
 */
#include "smbdclaims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char *const names[] = {
    "times",    "attributes", "size",    "handle",  "classes", "volume", "streams",
    "security", "copy",       "listing", "control", "mapped",  NULL,
};

/* ---- over the server in memory ---- */

static void map(const struct way *way)
{
    assert_status(way_map(way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
}

static int unmap(const struct daemon *daemon, const struct way *way)
{
    (void)daemon;
    assert_status(way_unmap(way, LETTER_X, 0), STATUS_SUCCESS);
    return 0;
}

static const struct claims in_memory = {"tests/wine/infoprobe.exe", names, {"X:"}, map, unmap};

/* ---- over smbd ---- */

static void read_share_file(const char *name, char *text, size_t size)
{
    char path[256];
    size_t length;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", fixture.share_dir, name);
    file = fopen(path, "re");
    if (!file)
        fail_msg("there is no %s", path);
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
}

static void expect_file(const char *name, const char *expected)
{
    char text[256];

    read_share_file(name, text, sizeof(text));
    assert_string_equal(text, expected);
}

static time_t write_time_of(const char *name)
{
    char path[256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", fixture.share_dir, name);
    if (stat(path, &st) != 0)
        fail_msg("there is no %s", path);
    return st.st_mtime;
}

/* What the claims have left there. */
static void check_files(void)
{
    struct tm written = {.tm_year = 103, .tm_mon = 2, .tm_mday = 14, .tm_hour = 15, .tm_min = 9, .tm_sec = 26};

    expect_file("times/f", "more text");
    assert_int_equal(write_time_of("times/f"), timegm(&written));
    assert_int_equal(write_time_of("times/d"), timegm(&written));
    expect_file("size/f", "012");
    expect_file("copy/f", "text");
    expect_file("copy/other", "new");
    expect_file("copy/backup", "text");
    assert_int_equal(write_time_of("copy/backup"), timegm(&written));
}

static void test_claims_hold_over_smbd(void **state)
{
    static const struct claims claims = {"tests/wine/infoprobe.exe", names, {"X:"}, NULL, NULL};
    struct daemon daemon;
    struct way way = {0};
    int failed;

    (void)state;
    start_over_smbd(&daemon);
    way.client = daemon_connect(&daemon, 0);
    assert_status(way_map(&way, LETTER_X, u"\\\\srv\\lab", NULL, NULL), STATUS_SUCCESS);
    failed = claims_that_fail(&claims, &daemon, &way, "raw");
    assert_status(way_unmap(&way, LETTER_X, 0), STATUS_SUCCESS);
    wire_disconnect(way.client);
    if (daemon_stop(&daemon) != 0)
        fail_msg("something is left in the machine");
    assert_int_equal(failed, 0);
    check_files();
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return run_over_smbd(argv + 1, test_claims_hold_over_smbd);
    return claims_main(&in_memory, NULL, 0);
}
