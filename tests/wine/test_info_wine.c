/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_info_wine.c - what files, volumes and folders are told and asked by Win32 programs under Wine: infoprobe's
 * claims. Over the server in memory on both transports and through a relay; over smbd, with a look at the files
 * themselves. At the end nothing is left in the machine.
 *
 *   test_info_wine
 *   test_info_wine DIALECT WORKER
 */
#include "daemon.h"
#include "skip.h"
#include "smb_fixture.h"
#include "winelab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static struct winelab lab;
static struct program program; /* large */
static struct smb_fixture fixture;
static const char *worker;

static const char *const claims[] = {
    "times", "attributes", "size", "handle", "classes", "volume", "streams", "security", "copy", "listing", "control",
};

static int hold(const struct daemon *daemon, const char *claim, const char *transport)
{
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, "tests/wine/infoprobe.exe");
    program.argv[1] = claim;
    program.argv[2] = "X:";
    program.machine = daemon->folder;
    program.transport = transport;
    if (winelab_run(&lab, &program, 60) && program.status == 0)
        return 1;
    print_error("%s does not hold (%d):\n%s", claim, program.status, program.error);
    return 0;
}

static int hold_all(const struct daemon *daemon, struct way *way, const char *transport)
{
    int failed = 0;

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        failed += !hold(daemon, claims[i], transport);
        await_machine(way, 1, 0);
    }
    return failed;
}

/* ---- over the server in memory ---- */

static void check_claims(const char *transport)
{
    static const char *const build[] = {"--build", "nt4-sp6", NULL};
    struct daemon daemon;
    struct way way = {0};
    int failed;

    daemon_start(&daemon, build);
    way.client = daemon_connect(&daemon, 0);
    assert_status(way_map(&way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    failed = hold_all(&daemon, &way, transport);
    assert_status(way_unmap(&way, LETTER_X, 0), STATUS_SUCCESS);
    wire_disconnect(way.client);
    if (daemon_stop(&daemon) != 0)
        fail_msg("something is left in the machine");
    assert_int_equal(failed, 0);
}

static void test_claims_hold_over_system_calls(void **state)
{
    (void)state;
    check_claims("raw");
}

static void test_claims_hold_over_mapped_regions(void **state)
{
    (void)state;
    check_claims("mapped");
}

static void test_claims_hold_through_a_relay(void **state)
{
    (void)state;
    daemon_use_relays();
    check_claims("raw");
}

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

static void to_utf16(WCHAR *to, const char *from)
{
    do
        *to++ = (unsigned char)*from;
    while (*from++);
}

static void test_claims_hold_over_smbd(void **state)
{
    char server[32];
    const char *const arguments[] = {"--backend", "smbc",       "--worker", worker,    "--server", server,
                                     "--dialect", fixture.peer, "--build",  "nt4-sp6", NULL};
    WCHAR user[256], password[256];
    struct daemon daemon;
    struct way way = {0};
    int failed;

    (void)state;
    snprintf(server, sizeof(server), "srv=127.0.0.1:%u", fixture.target.port);
    to_utf16(user, fixture.target.user);
    to_utf16(password, fixture.target.password);
    daemon_start(&daemon, arguments);
    way.client = daemon_connect(&daemon, 0);
    assert_status(way_map(&way, LETTER_X, u"\\\\srv\\lab", user, password), STATUS_SUCCESS);
    failed = hold_all(&daemon, &way, "raw");
    assert_status(way_unmap(&way, LETTER_X, 0), STATUS_SUCCESS);
    wire_disconnect(way.client);
    if (daemon_stop(&daemon) != 0)
        fail_msg("something is left in the machine");
    assert_int_equal(failed, 0);
    check_files();
}

static int open_lab(void **state)
{
    (void)state;
    return winelab_open(&lab, getenv("RDRLAB_WIN64_DIR"), getenv("RDRLAB_WINEPREFIXES")) ? 0 : -1;
}

static int close_lab(void **state)
{
    (void)state;
    winelab_close(&lab);
    return 0;
}

static int run_over_smbd(const char *dialect)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims_hold_over_smbd),
    };
    int rc = smb_fixture_start(&fixture, dialect, worker);

    if (rc != 0)
        return rc;
    rc = cmocka_run_group_tests(tests, open_lab, close_lab);
    smb_fixture_stop(&fixture);
    return rc;
}

int main(int argc, char **argv)
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
    if (argc > 2) {
        worker = argv[2];
        return run_over_smbd(argv[1]);
    }
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
