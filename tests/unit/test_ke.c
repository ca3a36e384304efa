/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <pthread.h>

static LARGE_INTEGER relative(LONGLONG milliseconds)
{
    return (LARGE_INTEGER){.QuadPart = -milliseconds * 10000};
}

static void test_a_notification_event_stays_and_a_synchronization_event_lets_one_through(void **state)
{
    LARGE_INTEGER none = {.QuadPart = 0};
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, TRUE);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &none), STATUS_SUCCESS);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &none), STATUS_SUCCESS);
    assert_int_equal(KeResetEvent(&event), 1);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &none), STATUS_TIMEOUT);
    assert_int_equal(KeSetEvent(&event, 0, FALSE), 0);
    assert_int_equal(KeSetEvent(&event, 0, FALSE), 1);
    KeInitializeEvent(&event, SynchronizationEvent, TRUE);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_int_equal(KeReadStateEvent(&event), 0);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &none), STATUS_TIMEOUT);
}

static void test_timeouts_are_relative_or_absolute_and_end(void **state)
{
    LARGE_INTEGER timeout = relative(20), before, after;
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeQuerySystemTime(&before);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout), STATUS_TIMEOUT);
    KeQuerySystemTime(&after);
    assert_true(after.QuadPart - before.QuadPart >= 190000);
    timeout.QuadPart = after.QuadPart + 100000;
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout), STATUS_TIMEOUT);
    timeout.QuadPart = 1; /* long ago */
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout), STATUS_TIMEOUT);
}

static void *set_soon(void *argument)
{
    LARGE_INTEGER timeout = relative(10);
    KEVENT never;

    KeInitializeEvent(&never, NotificationEvent, FALSE);
    KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &timeout);
    KeSetEvent(argument, 0, FALSE);
    return NULL;
}

static void test_a_waiter_with_the_longest_timeout_sleeps_until_the_event(void **state)
{
    LARGE_INTEGER timeout = {.QuadPart = INT64_MIN};
    pthread_t thread;
    KEVENT event;

    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    assert_int_equal(pthread_create(&thread, NULL, set_soon, &event), 0);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout), STATUS_SUCCESS);
    pthread_join(thread, NULL);
}

static void test_irql_rules_stop_the_machine(void **state)
{
    KSPIN_LOCK lock;
    FAST_MUTEX mutex;
    KEVENT event;
    KIRQL old;

    KeInitializeSpinLock(&lock);
    ExInitializeFastMutex(&mutex);
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(old, PASSIVE_LEVEL);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x30, KfRaiseIrql(APC_LEVEL));
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x33, ExAcquireFastMutex(&mutex));
    /* Also when the event is signalled: it must not depend on luck. */
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)&event,
                     KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL));
    KeLowerIrql(old);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31, KeLowerIrql(DISPATCH_LEVEL));
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x32, KeReleaseSpinLock(&lock, PASSIVE_LEVEL));
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x34, ExReleaseFastMutex(&mutex));
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static struct {
    KSPIN_LOCK lock;
    FAST_MUTEX mutex;
    unsigned by_lock, by_mutex;
} shared;

#define ROUNDS 20000

static void *count_up(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        KIRQL old = KeAcquireSpinLockRaiseToDpc(&shared.lock);
        shared.by_lock++;
        KeReleaseSpinLock(&shared.lock, old);
        ExAcquireFastMutex(&shared.mutex);
        shared.by_mutex++;
        ExReleaseFastMutex(&shared.mutex);
    }
    return NULL;
}

static void test_locks_exclude(void **state)
{
    pthread_t threads[4];

    KeInitializeSpinLock(&shared.lock);
    ExInitializeFastMutex(&shared.mutex);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.by_lock, 4 * ROUNDS);
    assert_int_equal(shared.by_mutex, 4 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_notification_event_stays_and_a_synchronization_event_lets_one_through),
        cmocka_unit_test(test_timeouts_are_relative_or_absolute_and_end),
        cmocka_unit_test(test_a_waiter_with_the_longest_timeout_sleeps_until_the_event),
        cmocka_unit_test(test_irql_rules_stop_the_machine),
        cmocka_unit_test(test_locks_exclude),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
