/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver Verifier: each option provoked, with all four parameters of its bug check; and what it must leave alone. */
#include "lab.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ex/special.h"

#define TAG   POOL_TAG('T', 'e', 's', 't')
#define OTHER POOL_TAG('O', 't', 'h', 'r')

static struct lab lab;

static int boot(void **state)
{
    lab_boot_unmapped(&lab, "nt4-sp6", 0);
    return 0;
}

static int shut_down(void **state)
{
    lab_restore_irql(PASSIVE_LEVEL); /* of a test that failed half way */
    lab_shut_down(&lab, 0);
    return 0;
}

static void set(EMU_VERIFIER_OPTIONS options)
{
    assert_status(EmuVerifierSet(&options), STATUS_SUCCESS);
}

static void set_flags(ULONG flags)
{
    set((EMU_VERIFIER_OPTIONS){.Flags = flags});
}

static EMU_VERIFIER_STATISTICS statistics(void)
{
    EMU_VERIFIER_STATISTICS s;

    EmuVerifierQuery(NULL, &s);
    return s;
}

static void assert_parameters(ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    assert_int_equal(lab_bug_check.Parameters[1], p2);
    assert_int_equal(lab_bug_check.Parameters[2], p3);
    assert_int_equal(lab_bug_check.Parameters[3], p4);
}

/* ---- options ---- */

static void test_options_that_make_no_sense_are_refused_and_change_nothing(void **state)
{
    EMU_VERIFIER_OPTIONS bad = {.Flags = 0x80000000}, now;

    set((EMU_VERIFIER_OPTIONS){.Flags = DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS, .Seed = 7});
    assert_status(EmuVerifierSet(&bad), STATUS_INVALID_PARAMETER);
    bad = (EMU_VERIFIER_OPTIONS){.Probability = 10001};
    assert_status(EmuVerifierSet(&bad), STATUS_INVALID_PARAMETER);
    bad = (EMU_VERIFIER_OPTIONS){.PoolTagOverruns = 2};
    assert_status(EmuVerifierSet(&bad), STATUS_INVALID_PARAMETER);
    bad = (EMU_VERIFIER_OPTIONS){.Flags = 0};
    memset(bad.FaultSites, 'x', sizeof bad.FaultSites);
    assert_status(EmuVerifierSet(&bad), STATUS_INVALID_PARAMETER);
    EmuVerifierQuery(&now, NULL);
    assert_int_equal(now.Flags, DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS);
    assert_int_equal(now.Seed, 7);
    assert_int_equal(now.Probability, EMU_VERIFIER_DEFAULT_PROBABILITY);
}

static void test_without_a_machine_there_is_nothing_to_verify(void **state)
{
    EMU_VERIFIER_OPTIONS options = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING}, now;

    assert_status(EmuVerifierSet(&options), STATUS_INVALID_DEVICE_STATE);
    EmuVerifierQuery(&now, NULL);
    assert_int_equal(now.Flags, 0);
}

static void test_a_machine_boots_verified(void **state)
{
    EMU_VERIFIER_OPTIONS verifier = {.Flags = EMU_VERIFIER_ALL_FLAGS};
    EMU_MACHINE_OPTIONS options = {.Verifier = &verifier};
    EMU_POOL_COUNTS paged, nonpaged;
    char error[256];

    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
    EmuPoolCounts(&paged, &nonpaged);
    /* Booting itself was in special pool: a page a block. */
    assert_int_equal(paged.Pages + nonpaged.Pages, paged.LiveBlocks + nonpaged.LiveBlocks);
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
    verifier.Flags = 0x80000000;
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_INVALID_PARAMETER);
    assert_non_null(strstr(error, "verifier"));
}

static void test_patterns(void **state)
{
    static const struct {
        const char *patterns, *text;
        BOOLEAN matches;
    } cases[] = {
        {"", "anything", TRUE},        {" ", "anything", TRUE},
        {"RdCc", "RdCc", TRUE},        {"RdCc", "rdcc", FALSE},
        {"RdCc", "RdC", FALSE},        {"Rd*", "RdCc", TRUE},
        {"Rd*", "Rd", TRUE},           {"*c", "RdCc", TRUE},
        {"*C*", "RdCc", TRUE},         {"R?C?", "RdCc", TRUE},
        {"????", "RdC", FALSE},        {"Test Rd*", "RdCc", TRUE},
        {"Test  Othr", "RdCc", FALSE}, {"rdr/create.c:8?", "rdr/create.c:82", TRUE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (EmuVerifierMatches(cases[i].patterns, cases[i].text) != cases[i].matches)
            fail_msg("row %zu: \"%s\" and \"%s\"", i, cases[i].patterns, cases[i].text);
}

/* ---- rules of every entry ---- */

static void test_allocations_in_the_verifiers_words_and_in_nt4s(void **state)
{
    assert_bug_check(BAD_POOL_CALLER, 0x0, ExAllocatePoolWithTag(PagedPool, 0, TAG));
    assert_parameters(0, PagedPool, 0);
    set_flags(DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0, ExAllocatePoolWithTag(PagedPool, 0, TAG));
    assert_parameters(PASSIVE_LEVEL, PagedPool, 0);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1, ExAllocatePoolWithTag(PagedPool, 24, TAG));
    assert_parameters(DISPATCH_LEVEL, PagedPool, 24);
    KfRaiseIrql(3);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x2, ExAllocatePoolWithTag(NonPagedPool, 24, TAG));
    assert_parameters(3, NonPagedPool, 24);
    KeLowerIrql(PASSIVE_LEVEL);
}

static void test_frees_in_the_verifiers_words(void **state)
{
    /* The neighbour keeps the page they share. */
    char *p = ExAllocatePoolWithTag(PagedPool, 100, TAG), *n = ExAllocatePoolWithTag(NonPagedPool, 100, TAG),
         *neighbour = ExAllocatePoolWithTag(PagedPool, 100, TAG);
    int on_stack;

    set_flags(DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x10, ExFreePoolWithTag(&on_stack, TAG));
    assert_parameters((ULONG_PTR)&on_stack, 0, 0);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x16, ExFreePoolWithTag(p + 16, TAG));
    assert_parameters(0, (ULONG_PTR)p + 16, 0);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x11, ExFreePoolWithTag(p, TAG));
    assert_parameters(DISPATCH_LEVEL, PagedPool, (ULONG_PTR)p);
    KfRaiseIrql(3);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x12, ExFreePoolWithTag(n, TAG));
    assert_parameters(3, NonPagedPool, (ULONG_PTR)n);
    KeLowerIrql(PASSIVE_LEVEL);
    assert_bug_check(BAD_POOL_CALLER, 0xA, ExFreePoolWithTag(p, OTHER));
    assert_parameters((ULONG_PTR)p, TAG, OTHER);
    ExFreePoolWithTag(p, TAG);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x13, ExFreePoolWithTag(p, TAG));
    assert_parameters(0, (ULONG_PTR)p, lab_bug_check.Parameters[3]); /* the header's contents */
    ExFreePoolWithTag(n, TAG);
    ExFreePoolWithTag(neighbour, TAG);
}

static void test_special_pool_and_the_irql_rules_together(void **state)
{
    char *p;

    set_flags(DRIVER_VERIFIER_SPECIAL_POOLING);
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1, ExAllocatePoolWithTag(PagedPool, 40, TAG));
    assert_parameters(DISPATCH_LEVEL, PagedPool, 40);
    assert_bug_check(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, DISPATCH_LEVEL, ExFreePoolWithTag(p, TAG));
    assert_parameters(PagedPool, (ULONG_PTR)p, 0x31);
    KeLowerIrql(PASSIVE_LEVEL);
    ExFreePoolWithTag(p, TAG);
}

static void test_a_spin_lock_above_dispatch_level(void **state)
{
    KSPIN_LOCK spin_lock;

    KeInitializeSpinLock(&spin_lock);
    KfRaiseIrql(3);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x42, KeAcquireSpinLockRaiseToDpc(&spin_lock));
    assert_parameters(3, (ULONG_PTR)&spin_lock, 0);
    KeLowerIrql(PASSIVE_LEVEL);
}

/* ---- low resources simulation ---- */

static __attribute__((noinline)) BOOLEAN refused(ULONG tag)
{
    void *p = ExAllocatePoolWithTag(NonPagedPool, 24, tag);

    if (p)
        ExFreePoolWithTag(p, tag);
    return !p;
}

static ULONG count_refused(ULONG tag, ULONG times)
{
    ULONG n = 0;

    for (ULONG i = 0; i < times; i++)
        n += refused(tag);
    return n;
}

static void test_allocations_fail_with_the_probability_asked_for(void **state)
{
    EMU_VERIFIER_STATISTICS s;

    set_flags(DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES);
    assert_in_range(count_refused(TAG, 10000), 500, 700); /* 6 %; a fixed seed: the same in every run */
    set((EMU_VERIFIER_OPTIONS){.Flags = DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES, .Probability = 10000});
    assert_int_equal(count_refused(TAG, 100), 100);
    s = statistics();
    assert_int_equal(s.AllocationsAttempted, 100);
    assert_int_equal(s.AllocationsSucceeded, 0);
    assert_int_equal(s.AllocationsFailed, 100);
    assert_int_equal(s.AllocationsFailedDeliberately, 100);
    set_flags(0);
    assert_int_equal(count_refused(TAG, 100), 0);
}

static void test_a_seed_makes_failures_repeatable(void **state)
{
    /* By tag: the first refusal has the server allocate, to see whether the pool is empty. */
    EMU_VERIFIER_OPTIONS options = {
        .Flags = DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES, .Probability = 5000, .FaultTags = "Test"};
    ULONG64 patterns[3] = {0};

    for (int run = 0; run < 3; run++) {
        options.Seed = run == 2 ? 12 : 11;
        set(options);
        for (int i = 0; i < 64; i++)
            patterns[run] = patterns[run] << 1 | refused(TAG);
    }
    assert_true(patterns[0] == patterns[1]);
    assert_true(patterns[0] != patterns[2]);
}

static void test_failures_keep_to_their_tags_and_sites(void **state)
{
    EMU_VERIFIER_OPTIONS options = {.Flags = DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES, .Probability = 10000};
    void *p;
    ULONG line;

    strcpy(options.FaultTags, "T?st X*");
    set(options);
    assert_true(refused(TAG));
    assert_false(refused(OTHER));
    options.FaultTags[0] = 0;
    strcpy(options.FaultSites, "rdr/* ob/object.c");
    set(options);
    assert_false(refused(TAG));
    options.FaultTags[0] = 0;
    line = __LINE__ + 3;
    snprintf(options.FaultSites, sizeof options.FaultSites, "*test_verifier.c:%u", line);
    set(options);
    assert_null(ExAllocatePoolWithTag(PagedPool, 8, TAG));
    p = ExAllocatePoolWithTag(PagedPool, 8, TAG);
    assert_non_null(p);
    ExFreePoolWithTag(p, TAG);
}

static void test_must_succeed_is_spared(void **state)
{
    void *p;

    set((EMU_VERIFIER_OPTIONS){.Flags = DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES, .Probability = 10000});
    p = ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 24, TAG);
    assert_non_null(p);
    ExFreePoolWithTag(p, TAG);
}

static void test_systematic_fails_each_site_once_and_tells_which(void **state)
{
    EMU_VERIFIER_OPTIONS options = {.Flags = EMU_VERIFIER_SYSTEMATIC_LOW_RESOURCES, .FaultTags = "Test"};
    EMU_VERIFIER_SITE done[4];
    void *p[3];

    set(options);
    for (int i = 0; i < 3; i++)
        p[i] = ExAllocatePoolWithTag(NonPagedPool, 24, TAG);
    assert_null(p[0]);
    assert_non_null(p[1]);
    assert_non_null(p[2]);
    ExFreePoolWithTag(p[1], TAG);
    ExFreePoolWithTag(p[2], TAG);
    assert_true(refused(TAG));
    assert_false(refused(TAG));
    assert_int_equal(EmuVerifierSitesFailed(0, done, 4), 2);
    assert_int_equal(statistics().SitesFailed, 2);
    assert_int_equal(done[0].Tag, TAG);
    assert_ptr_not_equal(done[0].Site, done[1].Site);
    set(options); /* set again: from the beginning */
    assert_true(refused(TAG));
}

static __attribute__((noinline)) BOOLEAN refused_by_another_way(void)
{
    BOOLEAN r = refused(TAG);

    __asm__ volatile("" ::: "memory"); /* no tail call: the frame is what counts */
    return r;
}

static void test_systematic_by_stack_fails_each_way_to_a_site(void **state)
{
    ULONG direct = 0, around = 0;

    set((EMU_VERIFIER_OPTIONS){.Flags = EMU_VERIFIER_SYSTEMATIC_LOW_RESOURCES, .ByStack = TRUE});
    /* volatile: a loop that is unrolled has several places, and so several stacks. */
    for (volatile int i = 0; i < 5; i++)
        direct += refused(TAG);
    for (volatile int i = 0; i < 5; i++)
        around += refused_by_another_way();
    assert_int_equal(direct, 1);
    assert_int_equal(around, 1);
}

/* ---- the whole create path with each of its allocations failing once ---- */

static void use_a_share(void)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), user = NT_STRING(u"lab"),
                                password = NT_STRING(u"secret");
    static const WCHAR *const names[] = {u"\\??\\X:\\f.txt", u"\\??\\X:\\", u"\\??\\X:\\dir\\nosuch"};
    char buffer[64];
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    if (!NT_SUCCESS(EmuUseAdd('X' - 'A', &remote, &user, &password)))
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!NT_SUCCESS(lab_open(names[i], &handle)))
            continue;
        NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, NULL, NULL);
        NtClose(handle);
    }
    EmuUseDelete('X' - 'A', TRUE);
}

/* Returns how many rounds it took until one met no failure. */
static ULONG use_until_all_have_failed(void)
{
    ULONG rounds = 0;
    ULONG64 before, after = 0;

    do {
        before = after;
        use_a_share();
        after = statistics().AllocationsFailedDeliberately;
        assert_in_range(++rounds, 1, 500);
    } while (after != before);
    return rounds;
}

static void test_each_allocation_of_the_create_path_fails_once_and_nothing_stays(void **state)
{
    EMU_VERIFIER_STATISTICS s;

    set_flags(EMU_VERIFIER_SYSTEMATIC_LOW_RESOURCES | DRIVER_VERIFIER_SPECIAL_POOLING |
              DRIVER_VERIFIER_FORCE_IRQL_CHECKING | DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS);
    use_until_all_have_failed();
    s = statistics();
    assert_in_range(s.SitesFailed, 10, 200);
    assert_int_equal(s.AllocationsFailedDeliberately, s.SitesFailed);
    /* shut_down: no block, handle, object or IRP is left, and unloading found the redirector's pool empty. */
}

/* ---- force IRQL checking ---- */

static __attribute__((noinline)) char read_byte(volatile char *p)
{
    return *p;
}

static __attribute__((noinline)) void write_byte(volatile char *p)
{
    *p = 1;
}

static void assert_paged_touch(char *p, KIRQL irql)
{
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)p, read_byte(p));
    assert_parameters(irql, 0, (ULONG_PTR)lab_bug_check.Stack.Frames[0]);
    assert_in_range(lab_bug_check.Parameters[3], (ULONG_PTR)read_byte, (ULONG_PTR)read_byte + 256);
    assert_bug_check(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)p, write_byte(p));
    assert_parameters(irql, 1, (ULONG_PTR)lab_bug_check.Stack.Frames[0]);
    assert_in_range(lab_bug_check.Parameters[3], (ULONG_PTR)write_byte, (ULONG_PTR)write_byte + 256);
    assert_int_equal(lab_bug_check.Irql, irql);
    assert_int_equal(lab_bug_check.Tag, TAG);
}

static void paged_is_out_of_reach(ULONG flags)
{
    char *small, *large, *nonpaged;
    KSPIN_LOCK spin_lock;
    KIRQL old;

    set_flags(DRIVER_VERIFIER_FORCE_IRQL_CHECKING | flags);
    small = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    large = ExAllocatePoolWithTag(PagedPool, 3 * PAGE_SIZE, TAG);
    nonpaged = ExAllocatePoolWithTag(NonPagedPool, 40, TAG);
    write_byte(small);
    KfRaiseIrql(APC_LEVEL);
    write_byte(small);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_paged_touch(small, DISPATCH_LEVEL);
    assert_paged_touch(large + 2 * PAGE_SIZE, DISPATCH_LEVEL);
    KfRaiseIrql(3);
    assert_paged_touch(small, 3);
    KeLowerIrql(DISPATCH_LEVEL);
    assert_paged_touch(small, DISPATCH_LEVEL);
    write_byte(nonpaged);
    ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPool, 40, TAG), TAG);
    KeLowerIrql(APC_LEVEL);
    assert_int_equal(read_byte(small), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    KeInitializeSpinLock(&spin_lock);
    KeAcquireSpinLock(&spin_lock, &old);
    assert_paged_touch(small, DISPATCH_LEVEL);
    KeReleaseSpinLock(&spin_lock, old);
    assert_int_equal(read_byte(small), 1);
    ExFreePoolWithTag(small, TAG);
    ExFreePoolWithTag(large, TAG);
    ExFreePoolWithTag(nonpaged, TAG);
}

static void test_paged_pool_is_out_of_reach_at_dispatch_level(void **state)
{
    paged_is_out_of_reach(0);
    assert_in_range(statistics().TrimRequests, 2, 100);
    assert_in_range(statistics().AcquireSpinLocks, 1, 1);
}

static void test_paged_special_pool_too(void **state)
{
    paged_is_out_of_reach(DRIVER_VERIFIER_SPECIAL_POOLING);
}

static void test_without_the_option_a_touch_goes_unnoticed(void **state)
{
    char *p = ExAllocatePoolWithTag(PagedPool, 40, TAG);

    set_flags(DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS);
    KfRaiseIrql(DISPATCH_LEVEL);
    write_byte(p);
    KeLowerIrql(PASSIVE_LEVEL);
    ExFreePoolWithTag(p, TAG);
}

struct toucher {
    char *paged;
    LONG about_to, done; /* atomic */
};

static void *touch(void *argument)
{
    struct toucher *toucher = argument;

    __atomic_store_n(&toucher->about_to, 1, __ATOMIC_SEQ_CST);
    write_byte(toucher->paged);
    __atomic_store_n(&toucher->done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void test_another_thread_is_parked_until_the_irql_is_lowered(void **state)
{
    struct toucher toucher = {0};
    struct timespec a_moment = {.tv_nsec = 20000000};
    pthread_t thread;

    set_flags(DRIVER_VERIFIER_FORCE_IRQL_CHECKING);
    toucher.paged = ExAllocatePoolWithTag(PagedPool, 40, TAG);
    KfRaiseIrql(DISPATCH_LEVEL);
    assert_int_equal(pthread_create(&thread, NULL, touch, &toucher), 0);
    while (!__atomic_load_n(&toucher.about_to, __ATOMIC_SEQ_CST))
        ;
    nanosleep(&a_moment, NULL); /* time to fail: what is asserted holds however long it is */
    assert_int_equal(__atomic_load_n(&toucher.done, __ATOMIC_SEQ_CST), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    pthread_join(thread, NULL);
    assert_int_equal(toucher.paged[0], 1);
    ExFreePoolWithTag(toucher.paged, TAG);
}

#define ROUNDS 1500

static KSPIN_LOCK shared_lock;
static ULONG shared_count;

static void *use_both_pools(void *argument)
{
    char *paged, *nonpaged;
    KIRQL old;

    for (int i = 0; i < ROUNDS; i++) {
        paged = ExAllocatePoolWithTag(PagedPool, (SIZE_T)(8 + i % 300), TAG);
        *paged = (char)i;
        KeAcquireSpinLock(&shared_lock, &old);
        shared_count++;
        nonpaged = ExAllocatePoolWithTag(NonPagedPool, (SIZE_T)(8 + i % 300), TAG);
        *nonpaged = 1;
        ExFreePoolWithTag(nonpaged, TAG);
        KeReleaseSpinLock(&shared_lock, old);
        if (*paged != (char)i)
            return argument;
        ExFreePoolWithTag(paged, TAG);
    }
    return NULL;
}

static void threads_take_turns(ULONG flags)
{
    static char failure;
    pthread_t threads[4];
    void *failed;

    set_flags(flags);
    KeInitializeSpinLock(&shared_lock);
    shared_count = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_both_pools, &failure), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(shared_count, 4 * ROUNDS);
}

static void test_threads_of_paged_and_raised_work_do_not_stand_in_each_others_way(void **state)
{
    threads_take_turns(DRIVER_VERIFIER_FORCE_IRQL_CHECKING);
    threads_take_turns(DRIVER_VERIFIER_FORCE_IRQL_CHECKING | DRIVER_VERIFIER_SPECIAL_POOLING);
}

/* ---- pool tracking ---- */

static PDRIVER_OBJECT careless;
static void *kept[2];

static void NTAPI forget_nothing(PDRIVER_OBJECT DriverObject)
{
}

static void NTAPI free_all(PDRIVER_OBJECT DriverObject)
{
    for (int i = 0; i < 2; i++)
        if (kept[i])
            ExFreePool(kept[i]);
    kept[0] = kept[1] = NULL;
}

static NTSTATUS NTAPI careless_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    careless = DriverObject;
    DriverObject->DriverUnload = forget_nothing;
    kept[0] = ExAllocatePoolWithTag(PagedPool, 24, TAG);
    kept[1] = ExAllocatePoolWithTag(NonPagedPool, 24, OTHER);
    return EmuVerifierAddDriver(DriverObject, "*test_verifier.c");
}

static void load_careless_driver(ULONG flags)
{
    static UNICODE_STRING name = NT_STRING(u"\\Careless");

    set_flags(flags);
    assert_status(IoCreateDriver(&name, careless_entry), STATUS_SUCCESS);
}

static void test_a_driver_that_unloads_with_pool_left_stops_the_machine(void **state)
{
    char text[EMU_BUG_CHECK_TEXT];

    load_careless_driver(DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x62, IoDeleteDriver(careless));
    assert_parameters((ULONG_PTR)&careless->DriverName, 0, 2);
    assert_string_equal(lab_bug_check.Driver, "\\Careless");
    EmuFormatBugCheck(&lab_bug_check, text, sizeof text);
    assert_non_null(strstr(text, "driver \\Careless"));
    careless->DriverUnload = free_all; /* the driver is forgotten by now: a machine stops once */
    IoDeleteDriver(careless);
}

static void test_a_driver_that_frees_all_unloads(void **state)
{
    load_careless_driver(DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS);
    careless->DriverUnload = free_all;
    IoDeleteDriver(careless);
}

static void test_without_pool_tracking_nobody_looks(void **state)
{
    load_careless_driver(DRIVER_VERIFIER_FORCE_IRQL_CHECKING);
    IoDeleteDriver(careless);
    free_all(NULL);
}

static void test_the_redirectors_leak_is_found_when_it_unloads(void **state)
{
    EMU_VERIFIER_OPTIONS verifier = {.Flags = DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS};
    HANDLE handle;

    lab_boot(&lab, "nt4-sp5", 0);
    assert_status(EmuVerifierSet(&verifier), STATUS_SUCCESS);
    for (int i = 0; i < 3; i++)
        assert_status(lab_open(u"\\??\\X:\\", &handle), STATUS_OBJECT_NAME_INVALID);
    assert_bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x62, EmuMachineShutdown(NULL));
    assert_string_equal(lab_bug_check.Driver, "\\FileSystem\\Rdr");
    assert_int_equal(lab_bug_check.Parameters[3], 3);
}

#define VERIFIER_TEST(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VERIFIER_TEST(test_options_that_make_no_sense_are_refused_and_change_nothing),
        cmocka_unit_test(test_without_a_machine_there_is_nothing_to_verify),
        cmocka_unit_test(test_a_machine_boots_verified),
        cmocka_unit_test(test_patterns),
        VERIFIER_TEST(test_allocations_in_the_verifiers_words_and_in_nt4s),
        VERIFIER_TEST(test_frees_in_the_verifiers_words),
        VERIFIER_TEST(test_special_pool_and_the_irql_rules_together),
        VERIFIER_TEST(test_a_spin_lock_above_dispatch_level),
        VERIFIER_TEST(test_allocations_fail_with_the_probability_asked_for),
        VERIFIER_TEST(test_a_seed_makes_failures_repeatable),
        VERIFIER_TEST(test_failures_keep_to_their_tags_and_sites),
        VERIFIER_TEST(test_must_succeed_is_spared),
        VERIFIER_TEST(test_systematic_fails_each_site_once_and_tells_which),
        VERIFIER_TEST(test_systematic_by_stack_fails_each_way_to_a_site),
        VERIFIER_TEST(test_each_allocation_of_the_create_path_fails_once_and_nothing_stays),
        VERIFIER_TEST(test_paged_pool_is_out_of_reach_at_dispatch_level),
        VERIFIER_TEST(test_paged_special_pool_too),
        VERIFIER_TEST(test_without_the_option_a_touch_goes_unnoticed),
        VERIFIER_TEST(test_another_thread_is_parked_until_the_irql_is_lowered),
        VERIFIER_TEST(test_threads_of_paged_and_raised_work_do_not_stand_in_each_others_way),
        VERIFIER_TEST(test_a_driver_that_unloads_with_pool_left_stops_the_machine),
        VERIFIER_TEST(test_a_driver_that_frees_all_unloads),
        VERIFIER_TEST(test_without_pool_tracking_nobody_looks),
        /* Last: its machine has stopped for good. */
        cmocka_unit_test(test_the_redirectors_leak_is_found_when_it_unloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
