/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_use_wine.c - drive letters as Win32 programs see them, whoever maps them. The machine serves \\mem\lab from
 * memory.
 *
 * Environment: as test_wine.c.
 */
#include "daemon.h"
#include "skip.h"
#include "winelab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct winelab lab;
static struct program program; /* large */

static const char *const sp6[] = {"--build", "nt4-sp6", NULL};

static bool holds(const struct daemon *daemon, const char *claim, const char *transport)
{
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, "tests/wine/useprobe.exe");
    program.argv[1] = claim;
    program.argv[2] = "alice";
    program.machine = daemon->folder;
    program.transport = transport;
    if (winelab_run(&lab, &program, 60) && program.status == 0)
        return true;
    print_error("%s does not hold (%d):\n%s", claim, program.status, program.error);
    return false;
}

static void check_claims(const char *transport)
{
    static const char *const claims[] = {"shown", "connected",  "network",    "information", "universal",
                                         "user",  "remembered", "redirected", "open-files"};
    struct daemon daemon;
    struct way way = {0};
    int failed = 0;

    daemon_start(&daemon, sp6);
    way.client = daemon_connect(&daemon, 0);
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        assert_status(way_map(&way, LETTER_X, u"\\\\mem\\lab", u"alice", u"secret"), STATUS_SUCCESS);
        failed += !holds(&daemon, claims[i], transport);
        assert_status(way_unmap(&way, LETTER_X, 1), STATUS_SUCCESS);
    }
    failed += !holds(&daemon, "not-shown", transport);
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&daemon), 0);
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

/* ---- main ---- */

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
    };
    const char *missing = winelab_missing(getenv("RDRLAB_WIN64_DIR"));

    if (missing)
        return skip_or_fail(missing);
    if (!getenv("RDRLAB_WINEPREFIXES"))
        return skip_or_fail("RDRLAB_WINEPREFIXES is not set");
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
