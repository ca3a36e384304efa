/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_async_wine.c - what may take its time, from Win32 programs under Wine: asyncprobe's claims, each on both
 * transports and through a relay. After each the machine has no client and no open file, and at the end nothing is left
 * in it. With a dialect and a worker as arguments: what waits for a smbd that does not answer for a while.
 */
#include "smbdclaims.h"

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
    "reuse",
    "cancel",
    "synchronous-cancel",
    "many-wait",
    "end-while-pending",
    "cancel-while-it-ends",
    "completion-routines",
    "completion-port",
    "listing",
    "pages",
    "directory-changes",
    "changes-and-messages",
    "synchronous-changes",
    "killed-while-it-watches",
    NULL,
};
static const struct claims claims = {"tests/wine/asyncprobe.exe", names, {"X:", "\\\\mem\\lab"}, NULL, NULL};

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

/* ---- over smbd ---- */

static void test_what_waits_for_a_server_is_cancelled(void **state)
{
    static const struct claims over_smbd = {"tests/wine/asyncprobe.exe", NULL, {"X:", "\\\\srv\\lab"}, NULL, NULL};
    static struct program program; /* large */
    struct daemon daemon;
    int to, from;

    start_over_smbd(&daemon);
    claim_prepare(&program, &over_smbd, "slow-server", &daemon, "raw");
    assert_true(winelab_talk(&lab, &program, &to, &from));
    expect_line(from, "ready");
    smb_fixture_pause(&fixture);
    assert_int_equal(write(to, "go\n", 3), 3);
    expect_line(from, "cancelled");
    smb_fixture_resume(&fixture);
    assert_int_equal(write(to, "go\n", 3), 3);
    close(to);
    close(from);
    assert_true(winelab_finish(&lab, &program, 60));
    if (program.status != 0)
        fail_msg("%s", program.error);
    assert_int_equal(daemon_stop(&daemon), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_a_slow_machine_makes_overlapped_requests_pend),
        cmocka_unit_test(test_a_slow_machine_makes_them_pend_when_mapped),
    };

    if (argc > 2)
        return run_over_smbd(argv + 1, test_what_waits_for_a_server_is_cancelled);
    return claims_main(&claims, others, sizeof(others) / sizeof(others[0]));
}
