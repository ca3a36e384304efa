/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q242528 in process: CreateFile of a name on a server that nobody answers for, in the machine's time. */
#include "lab.h"

#define SECOND  10000000LL
#define SP5     "tse-sp5"
#define HOTFIX  "tse-sp5+Q242528"
#define ATTEMPT (50 * SECOND + SECOND / 2) /* "about 50 seconds" */

static void time_out(void)
{
    LARGE_INTEGER interval = {.QuadPart = -ATTEMPT};

    EmuClockRelease(); /* who asks the server holds the clock */
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    EmuClockHold();
}

static void boot(struct lab *lab, const char *build, const char *setting)
{
    const char *const registry[] = {setting, NULL};

    lab_boot_options(lab, &(EMU_MACHINE_OPTIONS){.Build = build, .Clock = EmuClockVirtualIdle, .Registry = registry});
    smb_fault_unreachable(lab->smb, "dead", time_out);
}

struct attempt {
    LONGLONG seconds;
    uint64_t connects;
};

static struct attempt open_dead(struct lab *lab)
{
    const uint64_t connects = smb_backend_count(lab->smb, SMB_TREE_CONNECT);
    const ULONGLONG start = KeQueryInterruptTime();
    HANDLE handle;

    assert_status(lab_open(u"\\??\\UNC\\dead\\lab\\f.txt", &handle), STATUS_BAD_NETWORK_PATH);
    return (struct attempt){.seconds = (LONGLONG)(KeQueryInterruptTime() - start) / SECOND,
                            .connects = smb_backend_count(lab->smb, SMB_TREE_CONNECT) - connects};
}

/* How long depends on when the scavenger comes, so on when it begins. */
static void test_sp5_takes_from_90_seconds_to_20_minutes(void **state)
{
    LONGLONG least = 1000000, most = 0;

    for (int second = 0; second < 10; second++) {
        struct attempt attempt;
        struct lab lab;
        boot(&lab, SP5, NULL);
        lab_map(&lab); /* there is a server, so there is a timer */
        assert_status(EmuClockAdvance(second * SECOND), STATUS_SUCCESS);
        attempt = open_dead(&lab);
        assert_in_range(attempt.seconds, 90, 20 * 60);
        assert_in_range(attempt.connects, 2, 24);
        least = attempt.seconds < least ? attempt.seconds : least;
        most = attempt.seconds > most ? attempt.seconds : most;
        lab_shut_down(&lab, 0);
    }
    assert_in_range(least, 90, 120);
    assert_in_range(most, 5 * 60, 20 * 60);
}

static void test_the_hotfix_takes_one_attempt(void **state)
{
    struct attempt attempt;
    struct lab lab;

    boot(&lab, HOTFIX, NULL);
    attempt = open_dead(&lab);
    assert_int_equal(attempt.seconds, ATTEMPT / SECOND);
    assert_int_equal(attempt.connects, 1);
    lab_shut_down(&lab, 0);
}

/* "Does not really solve the problem, but avoids it." */
static void test_the_workaround_takes_two_attempts(void **state)
{
    struct attempt attempt;
    struct lab lab;

    boot(&lab, SP5, "Rdr\\Parameters\\FailedConnectTimeout=dword:0x80");
    for (int second = 0; second < 10; second++) {
        attempt = open_dead(&lab);
        assert_int_equal(attempt.seconds, 2 * ATTEMPT / SECOND);
        assert_int_equal(attempt.connects, 2);
        assert_status(EmuClockAdvance((200 + second) * SECOND), STATUS_SUCCESS);
    }
    lab_shut_down(&lab, 0);
}

static void test_the_next_open_fails_at_once_until_the_entry_has_expired(void **state)
{
    static const char *const builds[] = {SP5, HOTFIX, "nt4-sp6"};

    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        struct attempt attempt;
        EMU_CLOCK_STATE clock;
        struct lab lab;
        boot(&lab, builds[i], NULL);
        open_dead(&lab);
        attempt = open_dead(&lab);
        assert_int_equal(attempt.seconds, 0);
        assert_int_equal(attempt.connects, 0);
        assert_status(EmuClockAdvance(200 * SECOND), STATUS_SUCCESS);
        EmuClockQuery(&clock);
        assert_int_equal(clock.Timers, 0); /* nothing is left to scavenge */
        assert_true(open_dead(&lab).connects > 0);
        lab_shut_down(&lab, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sp5_takes_from_90_seconds_to_20_minutes),
        cmocka_unit_test(test_the_hotfix_takes_one_attempt),
        cmocka_unit_test(test_the_workaround_takes_two_attempts),
        cmocka_unit_test(test_the_next_open_fails_at_once_until_the_entry_has_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
