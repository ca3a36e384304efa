/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time, timers and timed waits, on the real clock and on virtual ones. */
#include "lab.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <ntemu/clock.h>

#define MS     10000LL
#define SECOND 10000000LL
#define MINUTE (60 * SECOND)

static LARGE_INTEGER in(LONGLONG units)
{
    return (LARGE_INTEGER){.QuadPart = -units};
}

static LONGLONG system_time(void)
{
    LARGE_INTEGER now;

    KeQuerySystemTime(&now);
    return now.QuadPart;
}

static void advance(LONGLONG units)
{
    assert_status(EmuClockAdvance(units), STATUS_SUCCESS);
}

/* What happened, as text: "a@100 " is timer a's DPC at 100 ms. */
static char happened[512];

struct alarm {
    char name;
    KTIMER timer;
    KDPC dpc;
};

static void note(char name)
{
    size_t used = strlen(happened);

    snprintf(happened + used, sizeof happened - used, "%c@%llu ", name,
             (unsigned long long)(KeQueryInterruptTime() / MS));
}

static void NTAPI ring(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    struct alarm *alarm = context;

    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_ptr_equal(dpc, &alarm->dpc);
    note(alarm->name);
}

static void prepare(struct alarm *alarms, size_t count)
{
    happened[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        alarms[i].name = (char)('a' + i);
        KeInitializeTimer(&alarms[i].timer);
        KeInitializeDpc(&alarms[i].dpc, ring, &alarms[i]);
    }
}

/* ---- a virtual clock ---- */

static void test_virtual_time_stands_still_until_it_is_advanced(void **state)
{
    EMU_CLOCK_STATE clock;
    LARGE_INTEGER ticks;

    assert_int_equal(system_time(), EMU_CLOCK_START);
    assert_int_equal(KeQueryInterruptTime(), 0);
    advance(90 * SECOND);
    assert_int_equal(system_time(), EMU_CLOCK_START + 90 * SECOND);
    assert_int_equal(KeQueryInterruptTime(), 90 * SECOND);
    KeQueryTickCount(&ticks);
    assert_int_equal(ticks.QuadPart * KeQueryTimeIncrement(), 90 * SECOND);
    EmuClockQuery(&clock);
    assert_int_equal(clock.Kind, EmuClockVirtual);
    assert_int_equal(clock.InterruptTime, 90 * SECOND);
    assert_int_equal(clock.NextDue, -1);
    assert_status(EmuClockAdvance(-1), STATUS_INVALID_PARAMETER);
    assert_status(EmuClockAdvance(INT64_MAX), STATUS_INVALID_PARAMETER);
    assert_status(EmuClockAdvanceToNext(NULL), STATUS_NO_MORE_ENTRIES);
}

static void test_what_is_due_happens_in_order_and_at_its_time(void **state)
{
    struct alarm alarms[5];
    LARGE_INTEGER absolute = {.QuadPart = EMU_CLOCK_START + 200 * MS};

    prepare(alarms, 5);
    KeSetTimer(&alarms[0].timer, in(300 * MS), &alarms[0].dpc);
    KeSetTimer(&alarms[1].timer, in(100 * MS), &alarms[1].dpc);
    KeSetTimer(&alarms[2].timer, absolute, &alarms[2].dpc);
    KeSetTimer(&alarms[3].timer, in(100 * MS), &alarms[3].dpc);
    KeSetTimerEx(&alarms[4].timer, in(50 * MS), 100, &alarms[4].dpc);
    advance(99 * MS);
    assert_string_equal(happened, "e@50 ");
    advance(251 * MS);
    assert_string_equal(happened, "e@50 b@100 d@100 e@150 c@200 e@250 a@300 e@350 ");
    assert_true(KeCancelTimer(&alarms[4].timer));
    advance(MINUTE);
    assert_string_equal(happened, "e@50 b@100 d@100 e@150 c@200 e@250 a@300 e@350 ");
}

static void test_of_one_due_time_the_first_set_is_first_also_when_it_is_periodic(void **state)
{
    struct alarm alarms[3];

    prepare(alarms, 3);
    KeSetTimerEx(&alarms[0].timer, in(10 * MS), 10, &alarms[0].dpc);
    KeSetTimerEx(&alarms[1].timer, in(10 * MS), 20, &alarms[1].dpc);
    KeSetTimer(&alarms[2].timer, in(30 * MS), &alarms[2].dpc);
    advance(30 * MS);
    assert_string_equal(happened, "a@10 b@10 a@20 c@30 b@30 a@30 ");
    KeCancelTimer(&alarms[0].timer);
    KeCancelTimer(&alarms[1].timer);
}

static void test_a_timer_tells_whether_it_was_set_and_is_signalled(void **state)
{
    LARGE_INTEGER none = {.QuadPart = 0};
    struct alarm alarm;

    prepare(&alarm, 1);
    assert_false(KeSetTimer(&alarm.timer, in(SECOND), &alarm.dpc));
    assert_true(KeSetTimer(&alarm.timer, in(2 * SECOND), &alarm.dpc));
    advance(SECOND);
    assert_string_equal(happened, "");
    assert_false(KeReadStateTimer(&alarm.timer));
    assert_true(KeCancelTimer(&alarm.timer));
    assert_false(KeCancelTimer(&alarm.timer));
    KeSetTimer(&alarm.timer, in(SECOND), NULL);
    advance(SECOND);
    assert_true(KeReadStateTimer(&alarm.timer));
    assert_false(KeCancelTimer(&alarm.timer));
    /* A notification timer stays signalled; a synchronization timer is taken. */
    assert_status(KeWaitForSingleObject(&alarm.timer, Executive, KernelMode, FALSE, &none), STATUS_SUCCESS);
    assert_status(KeWaitForSingleObject(&alarm.timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_false(KeSetTimer(&alarm.timer, in(SECOND), NULL));
    assert_status(KeWaitForSingleObject(&alarm.timer, Executive, KernelMode, FALSE, &none), STATUS_TIMEOUT);
    KeCancelTimer(&alarm.timer);
    KeInitializeTimerEx(&alarm.timer, SynchronizationTimer);
    KeSetTimer(&alarm.timer, in(1), NULL);
    advance(1);
    assert_status(KeWaitForSingleObject(&alarm.timer, Executive, KernelMode, FALSE, &none), STATUS_SUCCESS);
    assert_status(KeWaitForSingleObject(&alarm.timer, Executive, KernelMode, FALSE, &none), STATUS_TIMEOUT);
}

static void test_a_due_time_that_has_come_expires_at_once(void **state)
{
    struct alarm alarm;
    KIRQL old;

    prepare(&alarm, 1);
    advance(SECOND);
    KeSetTimer(&alarm.timer, (LARGE_INTEGER){.QuadPart = 0}, &alarm.dpc);
    assert_true(KeReadStateTimer(&alarm.timer));
    assert_string_equal(happened, "a@1000 ");
    /* At DISPATCH_LEVEL its DPC waits until the IRQL is lowered. */
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeSetTimer(&alarm.timer, (LARGE_INTEGER){.QuadPart = EMU_CLOCK_START}, &alarm.dpc);
    assert_string_equal(happened, "a@1000 ");
    KeLowerIrql(old);
    assert_string_equal(happened, "a@1000 a@1000 ");
}

static void NTAPI set_again(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    struct alarm *alarm = context;

    note(alarm->name);
    if (KeQueryInterruptTime() < (ULONGLONG)(100 * MS))
        KeSetTimer(&alarm->timer, in(30 * MS), &alarm->dpc);
}

static void test_a_dpc_sets_its_timer_again_and_one_advance_runs_them_all(void **state)
{
    struct alarm alarm;

    prepare(&alarm, 1);
    KeInitializeDpc(&alarm.dpc, set_again, &alarm);
    KeSetTimer(&alarm.timer, in(30 * MS), &alarm.dpc);
    advance(10 * MINUTE);
    assert_string_equal(happened, "a@30 a@60 a@90 a@120 ");
}

static void test_to_the_next_thing_due(void **state)
{
    struct alarm alarms[2];
    LONGLONG passed;

    prepare(alarms, 2);
    KeSetTimer(&alarms[0].timer, in(20 * MINUTE), &alarms[0].dpc);
    KeSetTimer(&alarms[1].timer, in(MINUTE), &alarms[1].dpc);
    assert_status(EmuClockAdvanceToNext(&passed), STATUS_SUCCESS);
    assert_int_equal(passed, MINUTE);
    assert_status(EmuClockAdvanceToNext(&passed), STATUS_SUCCESS);
    assert_int_equal(passed, 19 * MINUTE);
    assert_status(EmuClockAdvanceToNext(&passed), STATUS_NO_MORE_ENTRIES);
    assert_string_equal(happened, "b@60000 a@1200000 ");
}

/* ---- threads on a virtual clock ---- */

struct sleeper {
    char name;
    LONGLONG interval;
    unsigned times;
    pthread_t thread;
};

static pthread_mutex_t notes = PTHREAD_MUTEX_INITIALIZER;

static void *sleep_and_note(void *argument)
{
    struct sleeper *sleeper = argument;
    LARGE_INTEGER interval = in(sleeper->interval);

    EmuClockEnterThread();
    EmuClockRelease();
    for (unsigned i = 0; i < sleeper->times; i++) {
        KeDelayExecutionThread(KernelMode, FALSE, &interval);
        pthread_mutex_lock(&notes);
        note(sleeper->name);
        pthread_mutex_unlock(&notes);
    }
    EmuClockLeaveThread();
    return NULL;
}

static void start(struct sleeper *sleeper)
{
    EmuClockHold(); /* until it has entered */
    assert_int_equal(pthread_create(&sleeper->thread, NULL, sleep_and_note, sleeper), 0);
}

static void test_threads_wake_in_order_and_each_waits_again_before_time_goes_on(void **state)
{
    struct sleeper sleepers[] = {{.name = 'x', .interval = 30 * MS, .times = 4},
                                 {.name = 'y', .interval = 50 * MS, .times = 2}};

    happened[0] = '\0';
    start(&sleepers[0]);
    start(&sleepers[1]);
    advance(SECOND);
    assert_string_equal(happened, "x@30 y@50 x@60 x@90 y@100 x@120 ");
    for (size_t i = 0; i < 2; i++)
        pthread_join(sleepers[i].thread, NULL);
}

struct wait {
    PVOID object;
    LONGLONG timeout; /* 0: for ever */
    NTSTATUS status;
    ULONGLONG ended;
    pthread_t thread;
};

static void *wait_for_it(void *argument)
{
    struct wait *wait = argument;
    LARGE_INTEGER timeout = in(wait->timeout);

    EmuClockEnterThread();
    EmuClockRelease();
    wait->status = KeWaitForSingleObject(wait->object, Executive, KernelMode, FALSE, wait->timeout ? &timeout : NULL);
    wait->ended = KeQueryInterruptTime();
    EmuClockLeaveThread();
    return NULL;
}

static void start_waits(struct wait *waits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        EmuClockHold();
        assert_int_equal(pthread_create(&waits[i].thread, NULL, wait_for_it, &waits[i]), 0);
        advance(0); /* until it waits */
    }
}

static void join_waits(struct wait *waits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(waits[i].thread, NULL);
}

static void test_a_wait_ends_by_virtual_time_or_by_its_object(void **state)
{
    struct wait waits[3];
    KTIMER timer;
    KEVENT event;

    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    KeInitializeTimer(&timer);
    waits[0] = (struct wait){.object = &event, .timeout = 5 * MINUTE};
    waits[1] = (struct wait){.object = &event, .timeout = 10 * MINUTE};
    waits[2] = (struct wait){.object = &timer};
    KeSetTimer(&timer, in(7 * MINUTE), NULL);
    start_waits(waits, 3);
    advance(6 * MINUTE);
    KeSetEvent(&event, 0, FALSE);
    advance(2 * MINUTE);
    join_waits(waits, 3);
    assert_status(waits[0].status, STATUS_TIMEOUT);
    assert_int_equal(waits[0].ended, 5 * MINUTE);
    assert_status(waits[1].status, STATUS_SUCCESS);
    assert_int_equal(waits[1].ended, 6 * MINUTE);
    assert_status(waits[2].status, STATUS_SUCCESS);
    assert_int_equal(waits[2].ended, 7 * MINUTE);
}

static void test_on_a_virtual_clock_setting_satisfies_who_waits_whatever_comes_next(void **state)
{
    struct wait waits[2];
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    waits[0] = waits[1] = (struct wait){.object = &event};
    start_waits(waits, 2);
    KeSetEvent(&event, 0, FALSE);
    KeResetEvent(&event);
    join_waits(waits, 2);
    assert_status(waits[0].status, STATUS_SUCCESS);
    assert_status(waits[1].status, STATUS_SUCCESS);
    assert_int_equal(KeReadStateEvent(&event), 0);
}

static void test_a_hold_keeps_time_from_passing(void **state)
{
    EMU_CLOCK_STATE clock;
    struct wait wait;
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    wait = (struct wait){.object = &event, .timeout = SECOND};
    EmuClockHold();
    assert_int_equal(pthread_create(&wait.thread, NULL, wait_for_it, &wait), 0);
    advance(0);
    EmuClockHold();
    EmuClockQuery(&clock);
    assert_int_equal(clock.Busy, 1);
    assert_int_equal(clock.TimedWaits, 1);
    assert_int_equal(clock.NextDue, SECOND);
    EmuClockRelease();
    advance(SECOND);
    join_waits(&wait, 1);
    EmuClockQuery(&clock);
    assert_int_equal(clock.Busy, 0);
    assert_int_equal(clock.Expirations, 1);
}

/* ---- the idle clock ---- */

static void test_the_idle_clock_jumps_when_everybody_waits(void **state)
{
    struct sleeper sleeper = {.name = 'x', .interval = 7 * SECOND, .times = 3};
    LARGE_INTEGER timeout = in(20 * MINUTE);
    KEVENT never;

    happened[0] = '\0';
    KeInitializeEvent(&never, NotificationEvent, FALSE);
    EmuClockEnterThread();
    start(&sleeper);
    assert_status(KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &timeout), STATUS_TIMEOUT);
    assert_int_equal(KeQueryInterruptTime(), 20 * MINUTE);
    EmuClockLeaveThread();
    pthread_join(sleeper.thread, NULL);
    assert_string_equal(happened, "x@7000 x@14000 x@21000 ");
}

static void NTAPI set_event(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    KeSetEvent(context, 0, FALSE);
}

static void test_the_idle_clock_runs_dpcs_until_the_wait_is_over_and_no_further(void **state)
{
    struct alarm alarms[2];
    LARGE_INTEGER timeout = in(30 * MINUTE);
    KTIMER timer;
    KEVENT event;
    KDPC dpc;

    prepare(alarms, 2);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, set_event, &event);
    KeSetTimerEx(&alarms[0].timer, in(5 * MINUTE), 5 * 60 * 1000, &alarms[0].dpc);
    KeSetTimer(&timer, in(11 * MINUTE), &dpc);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout), STATUS_SUCCESS);
    assert_int_equal(KeQueryInterruptTime(), 11 * MINUTE);
    assert_string_equal(happened, "a@300000 a@600000 ");
    KeCancelTimer(&alarms[0].timer);
}

static void NTAPI wait_in_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    KeWaitForSingleObject(context, Executive, KernelMode, FALSE, NULL);
}

static void test_a_wait_that_a_bug_check_cut_off_is_forgotten(void **state)
{
    LARGE_INTEGER timeout = in(MINUTE);
    EMU_CLOCK_STATE clock;
    KTIMER timer;
    KEVENT event;
    KDPC dpc;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, wait_in_dpc, &event);
    EmuClockEnterThread();
    KeSetTimer(&timer, in(SECOND), &dpc);
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)&event,
                     KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout));
    timeout = in(SECOND);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout), STATUS_TIMEOUT);
    EmuClockQuery(&clock);
    assert_int_equal(clock.InterruptTime, 2 * SECOND);
    assert_int_equal(clock.TimedWaits, 0);
    assert_int_equal(clock.Busy, 1);
    EmuClockLeaveThread();
}

/* ---- fast mutexes ---- */

/* One thread holds the mutex while it waits for time; another waits for the mutex. */
static FAST_MUTEX guarded;

static void *hold_mutex(void *argument)
{
    LARGE_INTEGER interval = in(MINUTE);

    EmuClockEnterThread();
    EmuClockRelease();
    ExAcquireFastMutex(&guarded);
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    *(ULONGLONG *)argument = KeQueryInterruptTime();
    ExReleaseFastMutex(&guarded);
    EmuClockLeaveThread();
    return NULL;
}

static void test_who_waits_for_a_fast_mutex_does_not_hold_the_clock(void **state)
{
    pthread_t threads[2];
    ULONGLONG ended[2];

    ExInitializeFastMutex(&guarded);
    for (int i = 0; i < 2; i++) {
        EmuClockHold();
        assert_int_equal(pthread_create(&threads[i], NULL, hold_mutex, &ended[i]), 0);
        advance(0); /* until it waits */
    }
    advance(3 * MINUTE);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(ended[0], MINUTE);
    assert_int_equal(ended[1], 2 * MINUTE);
}

/* ---- the real clock ---- */

static void test_the_real_clock_runs_timers_by_itself(void **state)
{
    struct alarm alarms[2];
    LARGE_INTEGER long_time = in(MINUTE);
    LONGLONG before = system_time();

    prepare(alarms, 2);
    KeSetTimerEx(&alarms[0].timer, in(20 * MS), 10, NULL);
    KeSetTimer(&alarms[1].timer, in(60 * MS), NULL);
    assert_status(KeWaitForSingleObject(&alarms[1].timer, Executive, KernelMode, FALSE, &long_time), STATUS_SUCCESS);
    assert_true(system_time() - before >= 60 * MS);
    assert_true(KeReadStateTimer(&alarms[0].timer));
    assert_true(KeCancelTimer(&alarms[0].timer));
    assert_status(EmuClockAdvance(1), STATUS_INVALID_DEVICE_STATE);
}

static void test_the_real_clocks_dpc_wakes_a_waiter(void **state)
{
    LARGE_INTEGER timeout = in(MINUTE);
    KTIMER timer;
    KEVENT event;
    KDPC dpc;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, set_event, &event);
    KeSetTimer(&timer, in(5 * MS), &dpc);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout), STATUS_SUCCESS);
}

static void test_a_delay_is_at_least_as_long_as_it_says(void **state)
{
    LARGE_INTEGER interval = in(20 * MS), none = {.QuadPart = 0};
    LONGLONG before = system_time();

    assert_status(KeDelayExecutionThread(KernelMode, FALSE, &none), STATUS_SUCCESS);
    assert_status(KeDelayExecutionThread(KernelMode, FALSE, &interval), STATUS_SUCCESS);
    assert_true(system_time() - before >= 20 * MS);
}

/* ---- what is left, and rules ---- */

static void left_behind(EMU_CLOCK clock)
{
    struct alarm alarms[2];
    EMU_MACHINE_AUDIT audit;

    lab_boot_clock(clock);
    prepare(alarms, 2);
    KeSetTimer(&alarms[0].timer, in(MINUTE), NULL);
    KeSetTimerEx(&alarms[1].timer, in(2 * MINUTE), 1000, NULL);
    assert_status(EmuMachineShutdown(&audit), STATUS_HANDLES_CLOSED);
    assert_int_equal(audit.Timers, 2);
    EmuPoolFreeSnapshot(&audit.Pool);
    lab_boot_clock(clock); /* and the next machine knows nothing of it */
    assert_false(KeCancelTimer(&alarms[0].timer));
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
}

static void test_shutdown_tells_of_timers_that_are_set(void **state)
{
    left_behind(EmuClockReal);
    left_behind(EmuClockVirtual);
}

static void test_nobody_waits_or_advances_at_dispatch_level(void **state)
{
    LARGE_INTEGER interval = in(SECOND);
    KIRQL old;

    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)&interval,
                     KeDelayExecutionThread(KernelMode, FALSE, &interval));
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, 0, EmuClockAdvance(1));
    KeLowerIrql(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST_ON(clock, name) cmocka_unit_test_setup_teardown(name, lab_set_up_##clock, lab_tear_down_clock)
        TEST_ON(virtual, test_virtual_time_stands_still_until_it_is_advanced),
        TEST_ON(virtual, test_what_is_due_happens_in_order_and_at_its_time),
        TEST_ON(virtual, test_of_one_due_time_the_first_set_is_first_also_when_it_is_periodic),
        TEST_ON(virtual, test_a_timer_tells_whether_it_was_set_and_is_signalled),
        TEST_ON(virtual, test_a_due_time_that_has_come_expires_at_once),
        TEST_ON(virtual, test_a_dpc_sets_its_timer_again_and_one_advance_runs_them_all),
        TEST_ON(virtual, test_to_the_next_thing_due),
        TEST_ON(virtual, test_threads_wake_in_order_and_each_waits_again_before_time_goes_on),
        TEST_ON(virtual, test_a_wait_ends_by_virtual_time_or_by_its_object),
        TEST_ON(virtual, test_on_a_virtual_clock_setting_satisfies_who_waits_whatever_comes_next),
        TEST_ON(virtual, test_a_hold_keeps_time_from_passing),
        TEST_ON(idle, test_the_idle_clock_jumps_when_everybody_waits),
        TEST_ON(idle, test_the_idle_clock_runs_dpcs_until_the_wait_is_over_and_no_further),
        TEST_ON(idle, test_a_wait_that_a_bug_check_cut_off_is_forgotten),
        TEST_ON(virtual, test_who_waits_for_a_fast_mutex_does_not_hold_the_clock),
        TEST_ON(real, test_the_real_clock_runs_timers_by_itself),
        TEST_ON(real, test_the_real_clocks_dpc_wakes_a_waiter),
        TEST_ON(real, test_a_delay_is_at_least_as_long_as_it_says),
        TEST_ON(virtual, test_nobody_waits_or_advances_at_dispatch_level),
        cmocka_unit_test(test_shutdown_tells_of_timers_that_are_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
