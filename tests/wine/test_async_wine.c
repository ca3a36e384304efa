/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_async_wine.c - what may take its time, from Win32 programs under Wine: asyncprobe's claims, each on both
 * transports and through a relay. After each the machine has no client and no open file, and at the end nothing is left
 * in it. With a dialect and a worker as arguments: what waits for a smbd that does not answer for a while.
 */
#include "claims.h"
#include "smb_fixture.h"

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

static struct smb_fixture fixture;
static const char *worker;

static void test_what_waits_for_a_server_is_cancelled(void **state)
{
    static const struct claims over_smbd = {"tests/wine/asyncprobe.exe", NULL, {"X:", "\\\\srv\\lab"}, NULL, NULL};
    static struct program program; /* large */
    char server[32];
    const char *const arguments[] = {"--backend",
                                     "smbc",
                                     "--worker",
                                     worker,
                                     "--server",
                                     server,
                                     "--dialect",
                                     fixture.peer,
                                     "--user",
                                     smbserver_user(fixture.server),
                                     "--password-file",
                                     smbserver_password_file(fixture.server),
                                     "--timeout", /* the server is silent for as long as the program takes */
                                     "120",
                                     NULL};
    struct daemon daemon;
    int to, from;

    snprintf(server, sizeof(server), "srv=127.0.0.1:%u", fixture.target.port);
    smb_fixture_add(&fixture, "probe.txt", "rdrlab probe\n");
    smb_fixture_add(&fixture, "dir", NULL);
    daemon_start(&daemon, arguments);
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

static int run_over_smbd(const char *dialect)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_waits_for_a_server_is_cancelled),
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
        CLAIMS_TEST(test_claims_hold_over_system_calls, &claims),
        CLAIMS_TEST(test_claims_hold_over_mapped_regions, &claims),
        cmocka_unit_test(test_a_slow_machine_makes_overlapped_requests_pend),
        cmocka_unit_test(test_a_slow_machine_makes_them_pend_when_mapped),
        CLAIMS_TEST(test_claims_hold_through_a_relay, &claims),
    };
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    if (argc > 2) {
        worker = argv[2];
        return run_over_smbd(argv[1]);
    }
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
