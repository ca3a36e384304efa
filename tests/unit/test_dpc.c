/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DPCs, the rules of DISPATCH_LEVEL that they run under, semaphores and mutexes. */
#include "lab.h"

#include <pthread.h>
#include <string.h>

#include <ntemu/clock.h>

#define TAG    POOL_TAG('T', 'e', 's', 't')
#define SECOND 10000000LL

/* ---- queue and run ---- */

struct count {
    unsigned runs;
    PVOID argument1, argument2;
};

static void NTAPI count_run(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    struct count *count = context;

    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    count->runs++;
    count->argument1 = argument1;
    count->argument2 = argument2;
}

static void test_a_dpc_runs_at_dispatch_level_as_soon_as_that_may_be(void **state)
{
    struct count count = {0};
    KSPIN_LOCK lock;
    KDPC dpc;
    KIRQL old;

    KeInitializeDpc(&dpc, count_run, &count);
    assert_true(KeInsertQueueDpc(&dpc, &count, &dpc));
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(count.runs, 1);
    assert_ptr_equal(count.argument1, &count);
    assert_ptr_equal(count.argument2, &dpc);
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &old);
    assert_true(KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_false(KeInsertQueueDpc(&dpc, &dpc, NULL)); /* once is enough */
    assert_int_equal(count.runs, 1);
    KeReleaseSpinLock(&lock, old);
    assert_int_equal(count.runs, 2);
    assert_null(count.argument1);
}

static void test_a_dpc_can_be_taken_out_of_its_queue(void **state)
{
    struct count count = {0};
    KDPC dpc;
    KIRQL old;

    KeInitializeDpc(&dpc, count_run, &count);
    assert_false(KeRemoveQueueDpc(&dpc));
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    assert_true(KeRemoveQueueDpc(&dpc));
    KeLowerIrql(old);
    assert_int_equal(count.runs, 0);
}

static void NTAPI free_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    ++*(unsigned *)context;
    ExFreePoolWithTag(dpc, TAG);
}

static void test_a_dpc_may_free_itself(void **state)
{
    unsigned runs = 0;
    PKDPC dpc = ExAllocatePoolWithTag(NonPagedPool, sizeof *dpc, TAG);

    KeInitializeDpc(dpc, free_dpc, &runs);
    KeInsertQueueDpc(dpc, NULL, NULL);
    assert_int_equal(runs, 1);
}

static KDPC left_queued;

static void *queue_and_end(void *argument)
{
    KfRaiseIrql(DISPATCH_LEVEL);
    KeInsertQueueDpc(&left_queued, NULL, NULL);
    return NULL; /* a processor that never lowers its IRQL again */
}

static void test_shutdown_tells_of_dpcs_that_never_ran(void **state)
{
    EMU_MACHINE_AUDIT audit;
    pthread_t thread;

    lab_boot_clock(EmuClockReal);
    KeInitializeDpc(&left_queued, count_run, NULL);
    assert_int_equal(pthread_create(&thread, NULL, queue_and_end, NULL), 0);
    pthread_join(thread, NULL);
    assert_status(EmuMachineShutdown(&audit), STATUS_HANDLES_CLOSED);
    assert_int_equal(audit.Dpcs, 1);
    EmuPoolFreeSnapshot(&audit.Pool);
}

/* ---- paged memory is out of reach ---- */

struct scavenger { /* a driver's, in little: a timer, and a timeout that it keeps in paged pool */
    KTIMER timer;
    KDPC dpc;
    ULONG *timeout;
    ULONGLONG expired;
};

static __attribute__((noinline)) ULONG read_timeout(const ULONG *timeout)
{
    ULONG value = *(const volatile ULONG *)timeout;

    __asm__ volatile("" ::: "memory"); /* no tail call */
    return value;
}

static void NTAPI scavenge(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    struct scavenger *s = context;

    s->expired = KeQueryInterruptTime() + read_timeout(s->timeout);
}

static void begin(struct scavenger *s, POOL_TYPE pool)
{
    memset(s, 0, sizeof *s);
    s->timeout = ExAllocatePoolWithTag(pool, sizeof *s->timeout, TAG);
    *s->timeout = 45;
    KeInitializeTimer(&s->timer);
    KeInitializeDpc(&s->dpc, scavenge, s);
    KeSetTimerEx(&s->timer, (LARGE_INTEGER){.QuadPart = -SECOND}, 1000, &s->dpc);
}

static void end(struct scavenger *s)
{
    KeCancelTimer(&s->timer);
    ExFreePoolWithTag(s->timeout, TAG);
}

static BOOLEAN is_in(const EMU_CALL_STACK *stack, ULONG_PTR function)
{
    for (ULONG i = 0; i < stack->Depth; i++)
        if ((ULONG_PTR)stack->Frames[i] > function && (ULONG_PTR)stack->Frames[i] < function + 256)
            return TRUE;
    return FALSE;
}

static void test_a_timer_that_reads_paged_pool_is_irql_not_less_or_equal(void **state)
{
    EMU_VERIFIER_OPTIONS verifier = {.Flags = DRIVER_VERIFIER_FORCE_IRQL_CHECKING};
    struct scavenger s;

    assert_status(EmuVerifierSet(&verifier), STATUS_SUCCESS);
    begin(&s, PagedPool);
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)s.timeout, EmuClockAdvance(SECOND));
    assert_int_equal(lab_bug_check.Parameters[1], DISPATCH_LEVEL);
    assert_int_equal(lab_bug_check.Parameters[2], 0); /* a read */
    assert_in_range(lab_bug_check.Parameters[3], (ULONG_PTR)read_timeout, (ULONG_PTR)read_timeout + 256);
    assert_int_equal(lab_bug_check.Irql, DISPATCH_LEVEL);
    assert_true(is_in(&lab_bug_check.Stack, (ULONG_PTR)scavenge));
    assert_ptr_equal(lab_bug_check.Block, s.timeout);
    /* The machine of a test goes on. */
    end(&s);
    begin(&s, NonPagedPool);
    assert_status(EmuClockAdvance(SECOND), STATUS_SUCCESS);
    assert_int_equal(s.expired, 2 * SECOND + 45);
    end(&s);
}

static void test_without_the_option_paged_pool_that_is_there_can_be_read(void **state)
{
    struct scavenger s;

    begin(&s, PagedPool);
    assert_status(EmuClockAdvance(SECOND), STATUS_SUCCESS);
    assert_int_equal(s.expired, SECOND + 45);
    end(&s);
}

static void NTAPI wait_in_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    KeWaitForSingleObject(context, Executive, KernelMode, FALSE, NULL);
}

static void test_a_dpc_must_not_wait(void **state)
{
    KEVENT event;
    KDPC dpc;

    KeInitializeEvent(&event, NotificationEvent, TRUE);
    KeInitializeDpc(&dpc, wait_in_dpc, &event);
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)&event, KeInsertQueueDpc(&dpc, NULL, NULL));
    assert_int_equal(lab_bug_check.Parameters[1], DISPATCH_LEVEL);
}

static void test_spin_locks_at_dispatch_level(void **state)
{
    KSPIN_LOCK lock;
    KIRQL old;

    KeInitializeSpinLock(&lock);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x40, KeAcquireSpinLockAtDpcLevel(&lock));
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x41, KeReleaseSpinLockFromDpcLevel(&lock));
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeAcquireSpinLockAtDpcLevel(&lock);
    assert_int_not_equal(lock, 0);
    KeReleaseSpinLockFromDpcLevel(&lock);
    assert_int_equal(lock, 0);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(old);
}

/* ---- semaphores, mutexes ---- */

static void test_a_semaphore_counts_down_and_up_to_its_limit(void **state)
{
    LARGE_INTEGER none = {.QuadPart = 0};
    KSEMAPHORE semaphore;
    LONG before = 77;

    KeInitializeSemaphore(&semaphore, 1, 3);
    assert_status(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_status(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, &none), STATUS_TIMEOUT);
    assert_int_equal(KeReleaseSemaphore(&semaphore, 0, 2, FALSE), 0);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 2);
    assert_status(EmuReleaseSemaphore(&semaphore, 2, &before), STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    assert_int_equal(before, 77);
    assert_status(EmuReleaseSemaphore(&semaphore, -1, &before), STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_SEMAPHORE_LIMIT_EXCEEDED,
                     KeReleaseSemaphore(&semaphore, 0, 2, FALSE));
    assert_int_equal(KeReadStateSemaphore(&semaphore), 2);
    assert_status(EmuReleaseSemaphore(&semaphore, 1, &before), STATUS_SUCCESS);
    assert_int_equal(before, 2);
}

static KMUTEX mutex;
static unsigned guarded;

static void *count_under_mutex(void *argument)
{
    for (int i = 0; i < 5000; i++) {
        KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, NULL);
        KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, NULL);
        guarded++;
        KeReleaseMutex(&mutex, FALSE);
        KeReleaseMutex(&mutex, FALSE);
    }
    return NULL;
}

static void *release_it(void *argument)
{
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_MUTANT_NOT_OWNED, KeReleaseMutex(&mutex, FALSE));
    return NULL;
}

static void test_a_mutex_excludes_and_knows_its_owner(void **state)
{
    pthread_t threads[3];

    KeInitializeMutex(&mutex, 0);
    guarded = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_under_mutex, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(guarded, 15000);
    assert_int_equal(KeReadStateMutex(&mutex), 1);
    KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(KeReadStateMutex(&mutex), 0);
    assert_int_equal(pthread_create(&threads[0], NULL, release_it, NULL), 0);
    pthread_join(threads[0], NULL);
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), 0);
    assert_bug_check(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)STATUS_MUTANT_NOT_OWNED, KeReleaseMutex(&mutex, FALSE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST_ON(clock, name) cmocka_unit_test_setup_teardown(name, lab_set_up_##clock, lab_tear_down_clock)
        TEST_ON(real, test_a_dpc_runs_at_dispatch_level_as_soon_as_that_may_be),
        TEST_ON(virtual, test_a_dpc_runs_at_dispatch_level_as_soon_as_that_may_be),
        TEST_ON(real, test_a_dpc_can_be_taken_out_of_its_queue),
        TEST_ON(real, test_a_dpc_may_free_itself),
        cmocka_unit_test(test_shutdown_tells_of_dpcs_that_never_ran),
        TEST_ON(virtual, test_a_timer_that_reads_paged_pool_is_irql_not_less_or_equal),
        TEST_ON(virtual, test_without_the_option_paged_pool_that_is_there_can_be_read),
        TEST_ON(real, test_a_dpc_must_not_wait),
        TEST_ON(real, test_spin_locks_at_dispatch_level),
        TEST_ON(real, test_a_semaphore_counts_down_and_up_to_its_limit),
        TEST_ON(virtual, test_a_semaphore_counts_down_and_up_to_its_limit),
        TEST_ON(real, test_a_mutex_excludes_and_knows_its_owner),
        TEST_ON(virtual, test_a_mutex_excludes_and_knows_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
