/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q252186 in process: an idle machine with a drive letter, and time that passes. */
#include "lab.h"

#include "rdr/rdr.h"

#define MINUTE (60 * 10000000LL)

static const EMU_VERIFIER_OPTIONS irql_checking = {.Flags = DRIVER_VERIFIER_FORCE_IRQL_CHECKING};

static void idle(struct lab *lab, const char *build, const EMU_VERIFIER_OPTIONS *verifier)
{
    lab_boot_options(lab, &(EMU_MACHINE_OPTIONS){.Build = build, .Clock = EmuClockVirtual, .Verifier = verifier});
    lab_map(lab);
    assert_status(EmuClockAdvance(20 * MINUTE), STATUS_SUCCESS);
}

static void idle_on_sp5(void *context)
{
    struct lab lab;

    idle(&lab, "tse-sp5", &irql_checking);
}

static BOOLEAN is_in(ULONG frame, ULONG_PTR function)
{
    const ULONG_PTR at = (ULONG_PTR)lab_bug_check.Stack.Frames[frame];

    return at > function && at < function + 1024;
}

static void test_sp5_stops_when_the_scavenger_comes(void **state)
{
    lab_run_to_bug_check(idle_on_sp5, NULL);
    assert_int_equal(lab_bug_check.Code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(lab_bug_check.Parameters[1], DISPATCH_LEVEL);
    assert_int_equal(lab_bug_check.Parameters[2], 0); /* a read */
    assert_int_equal(lab_bug_check.Parameters[3], lab_bug_check.Stack.Frames[0]);
    assert_true(is_in(0, (ULONG_PTR)RdrScavengeServerEntries));
    assert_true(is_in(1, (ULONG_PTR)RdrTimer));
}

/* NT reads what is in memory, too, at whatever IRQL: only a page that has been trimmed is out of reach. */
static void test_sp5_goes_on_while_the_page_is_there(void **state)
{
    struct lab lab;

    idle(&lab, "tse-sp5", NULL);
    lab_shut_down(&lab, 0);
}

static void test_sp6_reads_it_before(void **state)
{
    struct lab lab;

    idle(&lab, "tse-sp6", &irql_checking);
    lab_shut_down(&lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sp5_stops_when_the_scavenger_comes),
        cmocka_unit_test(test_sp5_goes_on_while_the_page_is_there),
        cmocka_unit_test(test_sp6_reads_it_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
