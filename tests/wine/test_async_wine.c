/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_async_wine.c - what may take its time, from Win32 programs under Wine: asyncprobe's claims, each on both
 * transports and through a relay. After each the machine has no client and no open file, and at the end nothing is left
 * in it.
 */
#include "claims.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const names[] = {
    "locks",
    "large",
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
    "listing",
    "pages",
    "directory-changes",
    "synchronous-changes",
    "killed-while-it-watches",
    NULL,
};
static const struct claims claims = {"tests/wine/asyncprobe.exe", names, {"X:", "\\\\mem\\lab"}, NULL, NULL};

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
    static struct program program; /* large */
    struct daemon daemon;
    int to, from, status;

    daemon_start(&daemon, NULL);
    claim_prepare(&program, &claims, "slow-machine", &daemon, transport);
    assert_true(winelab_talk(&lab, &program, &to, &from));
    expect_line(from, "ready");
    assert_int_equal(kill(daemon.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(daemon.pid, &status, WUNTRACED), daemon.pid); /* all of its threads */
    assert_true(WIFSTOPPED(status));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIMS_TEST(test_claims_hold_over_system_calls, &claims),
        CLAIMS_TEST(test_claims_hold_over_mapped_regions, &claims),
        cmocka_unit_test(test_a_slow_machine_makes_overlapped_requests_pend),
        cmocka_unit_test(test_a_slow_machine_makes_them_pend_when_mapped),
        CLAIMS_TEST(test_claims_hold_through_a_relay, &claims),
    };
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
