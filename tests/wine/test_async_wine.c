/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_async_wine.c - what may take its time, from Win32 programs under Wine: asyncprobe's claims, each on both
 * transports and through a relay. After each the machine has no client and no open file, and at the end nothing is left
 * in it.
 */
#include "daemon.h"
#include "skip.h"
#include "winelab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct winelab lab;
static struct program program; /* large */

static const char *const claims[] = {
    "locks",
    "lock-waits",
    "lock-of-the-killed",
    "killed-while-it-waits",
    "overlapped-lock",
    "cancel",
    "synchronous-cancel",
    "many-wait",
    "end-while-pending",
    "completion-routines",
    "completion-port",
    "pages",
    "directory-changes",
    "synchronous-changes",
    "killed-while-it-watches",
};

static void prepare(const struct daemon *daemon, const char *claim, const char *transport)
{
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, "tests/wine/asyncprobe.exe");
    program.argv[1] = claim;
    program.argv[2] = "X:";
    program.argv[3] = "\\\\mem\\lab";
    program.machine = daemon->folder;
    program.transport = transport;
}

static int hold(const struct daemon *daemon, const char *claim, const char *transport)
{
    prepare(daemon, claim, transport);
    if (winelab_run(&lab, &program, 60) && program.status == 0)
        return 1;
    print_error("%s does not hold (%d):\n%s", claim, program.status, program.error);
    return 0;
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

static void expect_line(int from, const char *expected)
{
    char line[64];
    size_t length = 0;

    while (length < sizeof(line) - 1 && read(from, line + length, 1) == 1 && line[length] != '\n')
        length += line[length] != '\r';
    line[length] = '\0';
    assert_string_equal(line, expected);
}

/* Overlapped reads and writes are pending as long as the machine says nothing. */
static void check_slow_machine(const char *transport)
{
    struct daemon daemon;
    int to, from;

    daemon_start(&daemon, NULL);
    prepare(&daemon, "slow-machine", transport);
    assert_true(winelab_talk(&lab, &program, &to, &from));
    expect_line(from, "ready");
    assert_int_equal(kill(daemon.pid, SIGSTOP), 0);
    assert_int_equal(write(to, "go\n", 3), 3);
    expect_line(from, "pending");
    assert_int_equal(kill(daemon.pid, SIGCONT), 0);
    close(to);
    close(from);
    assert_true(winelab_finish(&lab, &program, 60));
    if (program.status != 0)
        print_error("%s", program.error);
    assert_int_equal(program.status, 0);
    assert_int_equal(daemon_stop(&daemon), 0);
}

static void test_a_slow_machine_makes_overlapped_requests_pend(void **state)
{
    check_slow_machine("raw");
}

static void test_a_slow_machine_makes_them_pend_when_mapped(void **state)
{
    check_slow_machine("mapped");
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
        cmocka_unit_test(test_a_slow_machine_makes_overlapped_requests_pend),
        cmocka_unit_test(test_a_slow_machine_makes_them_pend_when_mapped),
        cmocka_unit_test(test_claims_hold_through_a_relay),
    };
    const char *missing = winelab_missing(getenv("RDRLAB_WIN64_DIR"));

    if (missing)
        return skip_or_fail(missing);
    if (!getenv("RDRLAB_WINEPREFIXES"))
        return skip_or_fail("RDRLAB_WINEPREFIXES is not set");
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
