/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work items, system threads, resources: on the real clock and on a virtual one. */
#include "lab.h"

#include <stdio.h>
#include <string.h>

#include <ntemu/clock.h>

#define SECOND 10000000LL

static void sleep_for(LONGLONG units)
{
    LARGE_INTEGER interval = {.QuadPart = -units};

    KeDelayExecutionThread(KernelMode, FALSE, &interval);
}

static void wait_for(PVOID object)
{
    assert_status(KeWaitForSingleObject(object, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
}

/* ---- work items ---- */

struct job {
    WORK_QUEUE_ITEM item;
    char name;
    PKEVENT waits_for; /* NULL: for nothing */
    LONGLONG sleeps;
    unsigned again; /* how often it queues itself again */
};

static char done[128];
static LONG done_count; /* atomic */

static void NTAPI do_job(PVOID parameter)
{
    struct job *job = parameter;

    if (KeGetCurrentIrql() != PASSIVE_LEVEL || PsGetCurrentProcess() != EmuSystemProcess())
        job->name = '!';
    if (job->waits_for)
        KeWaitForSingleObject(job->waits_for, Executive, KernelMode, FALSE, NULL);
    if (job->sleeps)
        sleep_for(job->sleeps);
    done[__atomic_fetch_add(&done_count, 1, __ATOMIC_SEQ_CST)] = job->name;
    if (job->again) {
        job->again--;
        ExQueueWorkItem(&job->item, DelayedWorkQueue);
    }
}

static void prepare(struct job *jobs, size_t count)
{
    memset(done, 0, sizeof done);
    done_count = 0;
    memset(jobs, 0, count * sizeof *jobs);
    for (size_t i = 0; i < count; i++) {
        jobs[i].name = (char)('a' + i);
        ExInitializeWorkItem(&jobs[i].item, do_job, &jobs[i]);
    }
}

static void test_items_are_done_in_order_by_the_system_process(void **state)
{
    struct job jobs[4];

    prepare(jobs, 4);
    jobs[1].again = 2;
    for (size_t i = 0; i < 4; i++)
        ExQueueWorkItem(&jobs[i].item, HyperCriticalWorkQueue); /* one worker */
    assert_true(EmuDrainWorkers());
    assert_int_equal(done_count, 6);
    assert_int_equal(done[0], 'a');
    assert_null(strchr(done, '!'));
    ExQueueWorkItem(&jobs[2].item, CriticalWorkQueue); /* and once more */
    assert_true(EmuDrainWorkers());
    assert_int_equal(done[6], 'c');
}

static void NTAPI queue_job(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    struct job *job = context;

    ExQueueWorkItem(&job->item, DelayedWorkQueue);
}

/* As the redirector's scavenger is built: a timer, its DPC, and the work at PASSIVE_LEVEL. */
static void test_a_timers_dpc_queues_work_each_second_of_ten_minutes(void **state)
{
    struct job job;
    KTIMER timer;
    KDPC dpc;

    prepare(&job, 1);
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, queue_job, &job);
    KeSetTimerEx(&timer, (LARGE_INTEGER){.QuadPart = -SECOND}, 6000, &dpc);
    assert_status(EmuClockAdvance(600 * SECOND), STATUS_SUCCESS);
    assert_true(EmuDrainWorkers());
    assert_int_equal(done_count, 100);
    KeCancelTimer(&timer);
}

static void test_an_item_that_waits_is_told_and_ends_with_time(void **state)
{
    struct job jobs[2];

    prepare(jobs, 2);
    jobs[0].sleeps = 60 * SECOND;
    ExQueueWorkItem(&jobs[0].item, DelayedWorkQueue);
    ExQueueWorkItem(&jobs[1].item, DelayedWorkQueue);
    assert_false(EmuDrainWorkers());
    assert_string_equal(done, "");
    assert_status(EmuClockAdvance(59 * SECOND), STATUS_SUCCESS);
    assert_string_equal(done, "");
    assert_status(EmuClockAdvance(SECOND), STATUS_SUCCESS);
    assert_true(EmuDrainWorkers());
    assert_string_equal(done, "ab");
}

static void test_a_queue_gets_more_workers_when_one_waits(void **state)
{
    struct job jobs[2];
    KEVENT event;

    prepare(jobs, 2);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    jobs[0].waits_for = &event;
    ExQueueWorkItem(&jobs[0].item, CriticalWorkQueue);
    ExQueueWorkItem(&jobs[1].item, CriticalWorkQueue);
    assert_false(EmuDrainWorkers());
    assert_string_equal(done, "b");
    KeSetEvent(&event, 0, FALSE);
    assert_true(EmuDrainWorkers());
    assert_string_equal(done, "ba");
}

static void test_an_item_is_queued_once(void **state)
{
    struct job jobs[2];
    KEVENT event;

    prepare(jobs, 2);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    jobs[0].waits_for = &event;
    ExQueueWorkItem(&jobs[0].item, HyperCriticalWorkQueue);
    ExQueueWorkItem(&jobs[1].item, HyperCriticalWorkQueue);
    assert_bug_check(WORKER_INVALID, 1, ExQueueWorkItem(&jobs[1].item, HyperCriticalWorkQueue));
    assert_int_equal(lab_bug_check.Parameters[1], (ULONG_PTR)&jobs[1].item);
    KeSetEvent(&event, 0, FALSE);
    assert_true(EmuDrainWorkers());
}

static void left_behind(EMU_CLOCK clock)
{
    static struct job jobs[2]; /* a thread may look at them until it has been stopped */
    static KEVENT never;
    EMU_MACHINE_AUDIT audit;

    lab_boot_clock(clock);
    prepare(jobs, 2);
    KeInitializeEvent(&never, NotificationEvent, FALSE);
    jobs[0].waits_for = &never;
    ExQueueWorkItem(&jobs[0].item, HyperCriticalWorkQueue);
    ExQueueWorkItem(&jobs[1].item, HyperCriticalWorkQueue);
    assert_status(EmuMachineShutdown(&audit), STATUS_HANDLES_CLOSED);
    assert_int_equal(audit.WorkItems, 2);
    assert_int_equal(audit.Threads, 0);
    EmuPoolFreeSnapshot(&audit.Pool);
    lab_boot_clock(clock); /* and the next machine has workers of its own */
    prepare(jobs, 1);
    ExQueueWorkItem(&jobs[0].item, HyperCriticalWorkQueue);
    assert_true(EmuDrainWorkers());
    assert_string_equal(done, "a");
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
}

static void test_shutdown_tells_of_items_that_are_not_done(void **state)
{
    left_behind(EmuClockReal);
    left_behind(EmuClockVirtual);
}

/* ---- paged memory at DISPATCH_LEVEL, on a worker ---- */

/* The shape of Q252186: the scavenger works through a list under a spin lock, and its timeout is in paged pool. */
static struct {
    KTIMER timer;
    KDPC dpc;
    WORK_QUEUE_ITEM item;
    KSPIN_LOCK lock;
    ULONG *timeout;
    ULONGLONG expires;
} scavenger;

static __attribute__((noinline)) void scavenge_entries(void)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&scavenger.lock);

    scavenger.expires = KeQueryInterruptTime() + *(volatile ULONG *)scavenger.timeout;
    KeReleaseSpinLock(&scavenger.lock, old);
}

static void NTAPI timer_work(PVOID parameter)
{
    scavenge_entries();
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static void NTAPI queue_timer_work(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    ExQueueWorkItem(&scavenger.item, CriticalWorkQueue);
}

static BOOLEAN is_in(const EMU_CALL_STACK *stack, ULONG_PTR function)
{
    for (ULONG i = 0; i < stack->Depth; i++)
        if ((ULONG_PTR)stack->Frames[i] > function && (ULONG_PTR)stack->Frames[i] < function + 256)
            return TRUE;
    return FALSE;
}

static void test_a_worker_that_reads_paged_pool_under_a_spin_lock(void **state)
{
    EMU_VERIFIER_OPTIONS verifier = {.Flags = DRIVER_VERIFIER_FORCE_IRQL_CHECKING};
    EMU_MACHINE_AUDIT audit;

    lab_boot_clock(EmuClockVirtual);
    assert_status(EmuVerifierSet(&verifier), STATUS_SUCCESS);
    scavenger.timeout = ExAllocatePoolWithTag(PagedPool, sizeof(ULONG), POOL_TAG('T', 'e', 's', 't'));
    KeInitializeSpinLock(&scavenger.lock);
    KeInitializeTimer(&scavenger.timer);
    KeInitializeDpc(&scavenger.dpc, queue_timer_work, NULL);
    ExInitializeWorkItem(&scavenger.item, timer_work, NULL);
    KeSetTimer(&scavenger.timer, (LARGE_INTEGER){.QuadPart = -SECOND}, &scavenger.dpc);
    assert_threads_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)scavenger.timeout,
                             assert_status(EmuClockAdvance(SECOND), STATUS_SUCCESS));
    assert_int_equal(lab_bug_check.Parameters[1], DISPATCH_LEVEL);
    assert_int_equal(lab_bug_check.Parameters[2], 0); /* a read */
    assert_in_range(lab_bug_check.Parameters[3], (ULONG_PTR)scavenge_entries, (ULONG_PTR)scavenge_entries + 256);
    assert_true(is_in(&lab_bug_check.Stack, (ULONG_PTR)timer_work));
    assert_false(EmuDrainWorkers());
    ExFreePoolWithTag(scavenger.timeout, POOL_TAG('T', 'e', 's', 't'));
    assert_status(EmuMachineShutdown(&audit), STATUS_HANDLES_CLOSED);
    assert_int_equal(audit.WorkItems, 1);
    EmuPoolFreeSnapshot(&audit.Pool);
}

/* ---- system threads ---- */

static void NTAPI end_at_once(PVOID context)
{
    *(unsigned *)context += 1;
    PsTerminateSystemThread(STATUS_SUCCESS);
    *(unsigned *)context += 100;
}

static void NTAPI wait_for_context(PVOID context)
{
    KeWaitForSingleObject(context, Executive, KernelMode, FALSE, NULL);
}

static PVOID start_thread(PKSTART_ROUTINE routine, PVOID context)
{
    HANDLE handle;
    PVOID thread;

    assert_status(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, routine, context), STATUS_SUCCESS);
    assert_status(ObReferenceObjectByHandle(handle, SYNCHRONIZE, *PsThreadType, KernelMode, &thread, NULL),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return thread;
}

static void test_a_thread_is_signalled_when_it_has_ended(void **state)
{
    LARGE_INTEGER none = {.QuadPart = 0};
    unsigned runs = 0;
    KEVENT event;
    PVOID thread = start_thread(end_at_once, &runs);

    wait_for(thread);
    assert_int_equal(runs, 1);
    ObDereferenceObject(thread);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    thread = start_thread(wait_for_context, &event);
    assert_status(KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, &none), STATUS_TIMEOUT);
    KeSetEvent(&event, 0, FALSE);
    wait_for(thread);
    wait_for(thread); /* it stays signalled */
    ObDereferenceObject(thread);
    assert_status(PsTerminateSystemThread(STATUS_SUCCESS), STATUS_INVALID_PARAMETER);
}

static void test_without_pool_there_is_no_thread(void **state)
{
    HANDLE handle = (HANDLE)77;
    unsigned runs = 0;

    assert_status(PsCreateSystemThread(&handle, 0, NULL, handle, NULL, end_at_once, &runs), STATUS_NOT_SUPPORTED);
    EmuPoolFailAllocations(1, 1);
    assert_status(PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, end_at_once, &runs),
                  STATUS_INSUFFICIENT_RESOURCES);
    EmuPoolFailAllocations(0, 0);
    assert_ptr_equal(handle, (HANDLE)77);
    assert_int_equal(runs, 0);
}

static void threads_left_behind(EMU_CLOCK clock)
{
    static KEVENT never;
    EMU_MACHINE_AUDIT audit;
    HANDLE handle;

    lab_boot_clock(clock);
    KeInitializeEvent(&never, NotificationEvent, FALSE);
    for (int i = 0; i < 3; i++) {
        assert_status(PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, wait_for_context, &never), STATUS_SUCCESS);
        NtClose(handle);
    }
    assert_status(EmuMachineShutdown(&audit), STATUS_HANDLES_CLOSED);
    assert_int_equal(audit.Threads, 3);
    assert_int_equal(audit.Objects, 0);
    assert_int_equal(audit.Pool.NonPaged.LiveBlocks, 0);
    EmuPoolFreeSnapshot(&audit.Pool);
}

static void test_shutdown_ends_threads_where_they_wait_and_tells(void **state)
{
    threads_left_behind(EmuClockReal);
    threads_left_behind(EmuClockVirtual);
}

/* ---- resources ---- */

static ERESOURCE resource;
static LONG readers_now, writers_now, readers_most, rounds; /* atomic */

static void NTAPI read_it(PVOID context)
{
    for (int i = 0; i < 50; i++) {
        ExAcquireResourceSharedLite(&resource, TRUE);
        LONG now = __atomic_add_fetch(&readers_now, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&writers_now, __ATOMIC_SEQ_CST))
            __atomic_store_n(&rounds, -1000000, __ATOMIC_SEQ_CST);
        if (now > __atomic_load_n(&readers_most, __ATOMIC_SEQ_CST))
            __atomic_store_n(&readers_most, now, __ATOMIC_SEQ_CST);
        sleep_for(1000);
        __atomic_sub_fetch(&readers_now, 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_SEQ_CST);
        ExReleaseResourceLite(&resource);
    }
}

static void NTAPI write_it(PVOID context)
{
    for (int i = 0; i < 50; i++) {
        ExAcquireResourceExclusiveLite(&resource, TRUE);
        ExAcquireResourceSharedLite(&resource, TRUE);
        if (__atomic_add_fetch(&writers_now, 1, __ATOMIC_SEQ_CST) != 1 ||
            __atomic_load_n(&readers_now, __ATOMIC_SEQ_CST))
            __atomic_store_n(&rounds, -1000000, __ATOMIC_SEQ_CST);
        sleep_for(1000);
        __atomic_sub_fetch(&writers_now, 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_SEQ_CST);
        ExReleaseResourceLite(&resource);
        ExReleaseResourceLite(&resource);
    }
}

static void test_readers_share_and_writers_exclude(void **state)
{
    PVOID threads[5];

    readers_most = rounds = 0;
    ExInitializeResourceLite(&resource);
    for (int i = 0; i < 5; i++)
        threads[i] = start_thread(i < 3 ? read_it : write_it, NULL);
    assert_status(EmuClockAdvance(SECOND), strcmp(*state, "virtual") ? STATUS_INVALID_DEVICE_STATE : STATUS_SUCCESS);
    for (int i = 0; i < 5; i++) {
        wait_for(threads[i]);
        ObDereferenceObject(threads[i]);
    }
    assert_int_equal(rounds, 250);
    assert_true(readers_most > 1);
    assert_int_equal(resource.ActiveThreads, 0);
    ExDeleteResourceLite(&resource);
}

static void NTAPI try_it(PVOID context)
{
    unsigned *got = context;

    if (ExAcquireResourceSharedLite(&resource, FALSE)) {
        *got |= 1;
        ExReleaseResourceLite(&resource);
    }
    if (ExAcquireResourceExclusiveLite(&resource, FALSE)) {
        *got |= 2;
        ExReleaseResourceLite(&resource);
    }
}

static unsigned what_another_gets(void)
{
    unsigned got = 0;
    PVOID thread = start_thread(try_it, &got);

    wait_for(thread);
    ObDereferenceObject(thread);
    return got;
}

static void test_who_has_a_resource_and_how_often(void **state)
{
    ExInitializeResourceLite(&resource);
    assert_int_equal(what_another_gets(), 3);
    assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
    assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
    assert_int_equal(what_another_gets(), 0);
    assert_true(ExIsResourceAcquiredExclusiveLite(&resource));
    assert_int_equal(ExIsResourceAcquiredSharedLite(&resource), 2);
    ExConvertExclusiveToSharedLite(&resource);
    assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
    assert_int_equal(what_another_gets(), 1);
    assert_false(ExAcquireResourceExclusiveLite(&resource, FALSE));
    ExReleaseResourceForThreadLite(&resource, ExGetCurrentResourceThread());
    ExReleaseResourceLite(&resource);
    assert_int_equal(what_another_gets(), 3);
    assert_bug_check(RESOURCE_NOT_OWNED, (ULONG_PTR)&resource, ExReleaseResourceLite(&resource));
    assert_bug_check(RESOURCE_NOT_OWNED, (ULONG_PTR)&resource, ExConvertExclusiveToSharedLite(&resource));
    ExDeleteResourceLite(&resource);
}

/* A reader has it, a writer waits: a second reader waits behind the writer, and is let in when that one is done. */
static char order[16];

static void NTAPI write_and_note(PVOID context)
{
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    strcat(order, "w");
    ExReleaseResourceLite(&resource);
}

static void NTAPI read_and_note(PVOID context)
{
    ExAcquireResourceSharedLite(&resource, TRUE);
    strcat(order, "r");
    ExReleaseResourceLite(&resource);
}

static void test_a_waiting_writer_is_not_starved(void **state)
{
    PVOID threads[2];

    order[0] = '\0';
    ExInitializeResourceLite(&resource);
    ExAcquireResourceSharedLite(&resource, TRUE);
    threads[0] = start_thread(write_and_note, NULL);
    EmuClockAdvance(0); /* until it waits */
    threads[1] = start_thread(read_and_note, NULL);
    EmuClockAdvance(0);
    assert_int_equal(resource.NumberOfExclusiveWaiters, 1);
    assert_int_equal(resource.NumberOfSharedWaiters, 1);
    assert_true(ExAcquireResourceSharedLite(&resource, FALSE)); /* again: that is not a new reader */
    ExReleaseResourceLite(&resource);
    ExReleaseResourceLite(&resource);
    for (int i = 0; i < 2; i++) {
        wait_for(threads[i]);
        ObDereferenceObject(threads[i]);
    }
    assert_string_equal(order, "wr");
    ExDeleteResourceLite(&resource);
}

static int set_up_named_real(void **state)
{
    *state = "real";
    return lab_set_up_real(NULL);
}

static int set_up_named_virtual(void **state)
{
    *state = "virtual";
    return lab_set_up_virtual(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST_ON(clock, name)  cmocka_unit_test_setup_teardown(name, lab_set_up_##clock, lab_tear_down_clock)
#define NAMED_ON(clock, name) cmocka_unit_test_setup_teardown(name, set_up_named_##clock, lab_tear_down_clock)
        TEST_ON(real, test_items_are_done_in_order_by_the_system_process),
        TEST_ON(virtual, test_items_are_done_in_order_by_the_system_process),
        TEST_ON(virtual, test_a_timers_dpc_queues_work_each_second_of_ten_minutes),
        TEST_ON(virtual, test_an_item_that_waits_is_told_and_ends_with_time),
        TEST_ON(real, test_a_queue_gets_more_workers_when_one_waits),
        TEST_ON(real, test_an_item_is_queued_once),
        cmocka_unit_test(test_shutdown_tells_of_items_that_are_not_done),
        cmocka_unit_test(test_a_worker_that_reads_paged_pool_under_a_spin_lock),
        TEST_ON(real, test_a_thread_is_signalled_when_it_has_ended),
        TEST_ON(virtual, test_a_thread_is_signalled_when_it_has_ended),
        TEST_ON(real, test_without_pool_there_is_no_thread),
        cmocka_unit_test(test_shutdown_ends_threads_where_they_wait_and_tells),
        NAMED_ON(real, test_readers_share_and_writers_exclude),
        NAMED_ON(virtual, test_readers_share_and_writers_exclude),
        TEST_ON(real, test_who_has_a_resource_and_how_often),
        TEST_ON(virtual, test_a_waiting_writer_is_not_starved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
