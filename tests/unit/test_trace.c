/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The trace of a call: what was said, what the pool gave, and that nobody notices. */
#include "lab.h"

#include "rdr/rdr.h"

#include <ntemu/cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define TAG POOL_TAG('T', 'r', 'T', 's')

static int begin(void **state)
{
    char error[128];

    return EmuMachineBoot(NULL, error, sizeof error) == STATUS_SUCCESS ? 0 : -1;
}

static int end(void **state)
{
    return EmuMachineShutdown(NULL) == STATUS_SUCCESS ? 0 : -1;
}

static PVOID take(POOL_TYPE type, SIZE_T bytes)
{
    PVOID p = ExAllocatePoolWithTag(type, bytes, TAG);

    assert_non_null(p);
    return p;
}

static void give(PVOID p)
{
    ExFreePoolWithTag(p, TAG);
}

static PEMU_TRACE start(void)
{
    PEMU_TRACE trace = NULL;

    assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
    return trace;
}

static void assert_sum(const EMU_TRACE_SUM *sum, ULONG64 blocks, ULONG64 bytes)
{
    assert_int_equal(sum->Blocks, blocks);
    assert_int_equal(sum->Bytes, bytes);
}

/* ---- what is said ---- */

static int asked;

static int ask(void)
{
    return ++asked;
}

static void test_off_it_is_the_status_and_no_argument_is_evaluated(void **state)
{
    asked = 0;
    assert_status(EMU_DECIDE("Tst", STATUS_NOT_FOUND, "%d", ask()), STATUS_NOT_FOUND);
    EMU_STEP("Tst", "%d", ask());
    assert_int_equal(asked, 0);
}

static void test_events_come_in_order_and_the_last_decision_of_the_status_counts(void **state)
{
    PEMU_TRACE trace = start();
    const EMU_TRACE_EVENT *decider;

    EMU_CALL("Tst", "with %d", 1);
    EMU_STEP("Tst", "a step");
    assert_status(EMU_DECIDE("One", STATUS_NOT_FOUND, "first"), STATUS_NOT_FOUND);
    assert_status(EMU_DECIDE("Two", STATUS_ACCESS_DENIED, "second"), STATUS_ACCESS_DENIED);
    EmuTraceEnd(trace, STATUS_NOT_FOUND);
    assert_int_equal(trace->EventCount, 4);
    assert_string_equal(trace->Events[0].Text, "with 1");
    assert_int_equal(trace->Events[1].Kind, EmuTraceStep);
    decider = EmuTraceDecider(trace);
    assert_non_null(decider);
    assert_string_equal(decider->Place->Layer, "One");
    assert_string_equal(decider->Place->Function, __func__);
    EmuTraceFree(trace);
}

static void test_a_status_that_nobody_decided_has_no_decider(void **state)
{
    PEMU_TRACE trace = start();

    EMU_DECIDE("One", STATUS_NOT_FOUND, "first");
    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_null(EmuTraceDecider(trace));
    EmuTraceFree(trace);
}

static const char *said(PEMU_TRACE trace, const WCHAR *characters, USHORT units)
{
    UNICODE_STRING name = {(USHORT)(units * sizeof(WCHAR)), 0, (WCHAR *)characters};

    EMU_STEP("Tst", "%s \"%wZ\" %04x %llu%% %c", "is", &name, 0xabu, 1ull << 40, '!');
    return trace->Events[trace->EventCount - 1].Text;
}

static void test_names_are_utf8_with_control_characters_made_visible(void **state)
{
    static WCHAR endless[5000];
    PEMU_TRACE trace = start();
    const char *text;

    assert_string_equal(said(trace, u"\\??\\X:", 6), "is \"\\??\\X:\" 00ab 1099511627776% !");
    assert_string_equal(said(trace, u"", 0), "is \"\" 00ab 1099511627776% !");
    assert_string_equal(said(trace, u"a\x1b\x7fz", 4), u8"is \"a\u241b\u2421z\" 00ab 1099511627776% !");
    assert_string_equal(said(trace, u"\xe4\xd83d\xde00", 3), u8"is \"\u00e4\U0001F600\" 00ab 1099511627776% !");
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
        endless[i] = 0x20ac;
    text = said(trace, endless, sizeof endless / sizeof *endless);
    assert_true(strlen(text) > 1000 && strlen(text) < 1024);
    assert_string_equal(text + strlen(text) - 6, u8"\u20ac..."); /* cut between characters */
    EmuTraceEnd(trace, STATUS_SUCCESS);
    EmuTraceFree(trace);
}

static void test_many_steps_leave_room_for_the_decision(void **state)
{
    PEMU_TRACE trace = start();

    for (int i = 0; i < 10000; i++)
        EMU_STEP("Tst", "step %d", i);
    EMU_DECIDE("Tst", STATUS_NOT_FOUND, "at last");
    EmuTraceEnd(trace, STATUS_NOT_FOUND);
    assert_int_equal(trace->EventCount + trace->EventsDropped, 10001);
    assert_string_equal(EmuTraceDecider(trace)->Text, "at last");
    EmuTraceFree(trace);
}

/* ---- the pool ---- */

static void test_what_was_taken_given_back_and_kept(void **state)
{
    PVOID older = take(PagedPool, 7), kept, nonpaged;
    PEMU_TRACE trace = start();

    give(take(PagedPool, 100));
    kept = take(PagedPool, 396);
    give(older);
    nonpaged = take(NonPagedPool, 5000);
    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_sum(&trace->Pool[PagedPool].Sums.Taken, 2, 496);
    assert_sum(&trace->Pool[PagedPool].Sums.Returned, 1, 100);
    assert_sum(&trace->Pool[PagedPool].Sums.Kept, 1, 396);
    assert_sum(&trace->Pool[PagedPool].Sums.Older, 1, 7);
    assert_sum(&trace->Pool[NonPagedPool].Sums.Taken, 1, 5000);
    assert_sum(&trace->Pool[NonPagedPool].Sums.Kept, 1, 5000);
    assert_int_equal(trace->Pool[NonPagedPool].Pages, 2);
    assert_sum(&(EMU_TRACE_SUM){EmuTraceKept(trace).Blocks, EmuTraceKept(trace).Bytes}, 2, 5396);
    assert_int_equal(trace->UseCount, 2);
    assert_int_equal(trace->Uses[0].Tag, TAG);
    assert_string_equal(trace->Uses[0].Site->Function, "take");
    assert_int_equal(trace->NotFollowed, 0);
    give(kept);
    give(nonpaged);
    EmuTraceFree(trace);
}

static void test_every_way_into_the_pool_is_seen(void **state)
{
    PEMU_TRACE trace = start();
    PVOID blocks[] = {
        (ExAllocatePoolWithTag)(PagedPool, 10, TAG), ExAllocatePoolWithQuotaTag(PagedPool, 10, TAG),
        ExAllocatePool2(POOL_FLAG_PAGED, 10, TAG),   ExAllocatePoolWithTag(PagedPoolCacheAligned, 10, TAG),
        ExAllocatePoolWithTag(PagedPool, 2000, TAG),
    };

    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_sum(&trace->Pool[PagedPool].Sums.Kept, 5, 2040);
    assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        (ExFreePoolWithTag)(blocks[i], TAG);
    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_sum(&trace->Pool[PagedPool].Sums.Older, 5, 2040);
    assert_sum(&trace->Pool[PagedPool].Sums.Taken, 0, 0);
    EmuTraceFree(trace);
}

static void test_stacks_and_special_pool_are_no_way_around_it(void **state)
{
    EMU_VERIFIER_OPTIONS special = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING}, off = {.Flags = 0};
    PEMU_TRACE trace;
    PVOID older;

    EmuPoolTrack(EMU_POOL_TRACK_STACKS);
    give(take(PagedPool, 50)); /* the stack is known from here on */
    trace = start();
    give(take(PagedPool, 50));
    EmuTraceEnd(trace, STATUS_SUCCESS);
    EmuPoolTrack(0);
    assert_sum(&trace->Pool[PagedPool].Sums.Returned, 1, 50);

    assert_status(EmuVerifierSet(&special), STATUS_SUCCESS);
    older = take(PagedPool, 60);
    assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
    give(take(PagedPool, 50));
    give(older);
    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_status(EmuVerifierSet(&off), STATUS_SUCCESS);
    assert_sum(&trace->Pool[PagedPool].Sums.Returned, 1, 50);
    assert_sum(&trace->Pool[PagedPool].Sums.Older, 1, 60);
    EmuTraceFree(trace);
}

static void test_a_refused_allocation_is_counted(void **state)
{
    PEMU_TRACE trace = start();

    EmuPoolFailAllocations(1, 1);
    assert_null(ExAllocatePoolWithTag(PagedPool, 10, TAG));
    EmuPoolFailAllocations(0, 0);
    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_int_equal(trace->Pool[PagedPool].Refused, 1);
    assert_int_equal(EmuTraceKept(trace).Blocks, 0); /* the entry for the event log was taken and given back */
    EmuTraceFree(trace);
}

static void test_an_outer_trace_has_what_the_inner_one_has(void **state)
{
    PEMU_TRACE outer = start(), inner = start();
    PVOID p = take(PagedPool, 30);

    EMU_STEP("Tst", "inside");
    EmuTraceEnd(inner, STATUS_SUCCESS);
    give(p);
    EmuTraceEnd(outer, STATUS_SUCCESS);
    assert_sum(&inner->Pool[PagedPool].Sums.Kept, 1, 30);
    assert_sum(&outer->Pool[PagedPool].Sums.Returned, 1, 30);
    assert_int_equal(outer->EventCount, 1);
    EmuTraceFree(inner);
    EmuTraceFree(outer);
}

static void test_the_fast_path_is_back_afterwards(void **state)
{
    EMU_POOL_THREAD_ *fast;
    PEMU_TRACE trace;

    give(take(PagedPool, 10));
    fast = EmuPoolThread_;
    trace = start();
    give(take(PagedPool, 10));
    assert_ptr_equal(EmuPoolThread_, (const void *)EmuPoolSlow_); /* under a checker it is so always */
    EmuTraceEnd(trace, STATUS_SUCCESS);
    give(take(PagedPool, 10));
    give(take(PagedPool, 10));
    assert_ptr_equal(EmuPoolThread_, fast);
    assert_ptr_equal(EmuPoolFreer_, fast);
    EmuTraceFree(trace);
}

static void test_blocks_beyond_its_room_are_counted_and_said(void **state)
{
    enum { MANY = 5000 };
    static PVOID blocks[MANY];
    PEMU_TRACE trace = start();
    char text[1000];

    for (int i = 0; i < MANY; i++)
        blocks[i] = take(PagedPool, 16);
    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_int_equal(trace->Pool[PagedPool].Sums.Kept.Blocks + trace->NotFollowed, MANY);
    assert_true(trace->NotFollowed > 0);
    EmuTraceText(trace, text, sizeof text);
    assert_non_null(strstr(text, "not exact"));
    for (int i = 0; i < MANY; i++)
        give(blocks[i]);
    EmuTraceFree(trace);
}

/* Beside a plain record: the table of blocks loses and mixes up none of them, in whatever order they go. */
static void test_random_orders_of_freeing_are_followed(void **state)
{
    enum { LIVE = 3600, ROUNDS = 100000 }; /* half of them live: nearly all that a trace follows */
    static struct {
        PVOID p;
        SIZE_T bytes;
    } record[LIVE];
    PEMU_TRACE trace = start();
    ULONG64 seed = 1, taken = 0, bytes = 0, live = 0, live_bytes = 0;

    memset(record, 0, sizeof record);
    for (int i = 0; i < ROUNDS; i++) {
        ULONG n;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        n = (ULONG)(seed >> 33) % LIVE;
        if (record[n].p) {
            give(record[n].p);
            live--;
            live_bytes -= record[n].bytes;
            record[n].p = NULL;
        } else {
            record[n].bytes = 1 + (seed >> 50) % 200;
            record[n].p = take(PagedPool, record[n].bytes);
            taken++;
            bytes += record[n].bytes;
            live++;
            live_bytes += record[n].bytes;
        }
    }
    EmuTraceEnd(trace, STATUS_SUCCESS);
    assert_sum(&trace->Pool[PagedPool].Sums.Taken, taken, bytes);
    assert_sum(&trace->Pool[PagedPool].Sums.Kept, live, live_bytes);
    assert_sum(&trace->Pool[PagedPool].Sums.Older, 0, 0);
    for (int i = 0; i < LIVE; i++)
        if (record[i].p)
            give(record[i].p);
    EmuTraceFree(trace);
}

/* ---- other threads ---- */

static int stop;

static void *bustle(void *context)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        give(take(PagedPool, 64));
    return NULL;
}

static void test_what_other_threads_do_is_not_the_calls(void **state)
{
    pthread_t threads[3];
    PEMU_TRACE trace = NULL;

    __atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bustle, NULL), 0);
    for (int i = 0; i < 200; i++) {
        PVOID kept;
        assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
        give(take(PagedPool, 64));
        kept = take(PagedPool, 64);
        EmuTraceEnd(trace, STATUS_SUCCESS);
        give(kept);
        assert_sum(&trace->Pool[PagedPool].Sums.Taken, 2, 128);
        assert_sum(&trace->Pool[PagedPool].Sums.Kept, 1, 64);
        assert_sum(&trace->Pool[PagedPool].Sums.Older, 0, 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    EmuTraceFree(trace);
}

static void *complete(void *context)
{
    EMU_TRACE_TURN turn = EmuTraceResume(context);

    EMU_DECIDE("Far", STATUS_NOT_FOUND, "elsewhere");
    give(context);
    EmuTraceLeave(turn);
    return NULL;
}

static void test_work_that_was_carried_to_another_thread_belongs_to_the_call(void **state)
{
    PEMU_TRACE trace = start();
    PVOID p = take(PagedPool, 90);
    pthread_t thread;

    EmuTraceCarry(p);
    assert_int_equal(pthread_create(&thread, NULL, complete, p), 0);
    pthread_join(thread, NULL);
    EmuTraceEnd(trace, STATUS_NOT_FOUND);
    assert_sum(&trace->Pool[PagedPool].Sums.Returned, 1, 90);
    assert_string_equal(EmuTraceDecider(trace)->Place->Layer, "Far");
    assert_int_equal(trace->UnderWay, 0);
    EmuTraceFree(trace);
}

static void test_what_is_still_under_way_at_the_end_counts_as_kept(void **state)
{
    PEMU_TRACE trace = start();
    PVOID p = take(PagedPool, 90);
    pthread_t thread;

    EmuTraceCarry(p);
    EmuTraceEnd(trace, STATUS_PENDING);
    assert_int_equal(trace->UnderWay, 1);
    assert_sum(&trace->Pool[PagedPool].Sums.Kept, 1, 90);
    EmuTraceFree(trace);
    assert_int_equal(pthread_create(&thread, NULL, complete, p), 0); /* touches no trace */
    pthread_join(thread, NULL);
}

/* ---- a create ---- */

static void test_a_failing_create_keeps_on_sp5_what_it_gives_back_on_sp6(void **state)
{
    static const struct {
        const char *build;
        ULONG64 blocks;
    } rows[] = {{"nt4-sp5", 1}, {"nt4-sp6", 0}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        PEMU_TRACE trace;
        struct lab lab;
        HANDLE handle;
        lab_boot(&lab, rows[i].build, 0);
        trace = start();
        EmuTraceEnd(trace, lab_open(u"\\??\\X:\\", &handle));
        assert_status(trace->Status, STATUS_OBJECT_NAME_INVALID);
        assert_int_equal(EmuTraceKept(trace).Blocks, rows[i].blocks);
        assert_int_equal(trace->Pool[NonPagedPool].Sums.Kept.Blocks, 0);
        for (ULONG n = 0; n < trace->UseCount; n++)
            if (trace->Uses[n].Sums.Kept.Blocks)
                assert_int_equal(trace->Uses[n].Tag, POOL_TAG('R', 'd', 'C', 'c'));
        EmuTraceFree(trace);
        lab_shut_down(&lab, (unsigned)rows[i].blocks);
    }
}

/* What was told of the call in this order, other things in between: a layer, and how the text begins. */
struct told {
    const char *layer, *text;
};

static void assert_told(const EMU_TRACE *trace, const struct told *told, size_t count)
{
    size_t next = 0;

    for (ULONG i = 0; i < trace->EventCount && next < count; i++)
        if (!strcmp(trace->Events[i].Place->Layer, told[next].layer) &&
            !strncmp(trace->Events[i].Text, told[next].text, strlen(told[next].text)))
            next++;
    if (next < count)
        fail_msg("nobody of \"%s\" said \"%s\", after %zu others", told[next].layer, told[next].text, next);
}
#define ASSERT_TOLD(trace, ...)                                                                                        \
    assert_told(trace, (const struct told[])__VA_ARGS__, sizeof(struct told[]) __VA_ARGS__ / sizeof(struct told))

static void test_a_create_is_followed_through_mup(void **state)
{
    PEMU_TRACE trace;
    struct lab lab;
    HANDLE handle;

    lab_boot(&lab, "nt4-sp6", 0);
    for (int known = 0; known < 2; known++) {
        trace = start();
        EmuTraceEnd(trace, lab_open(u"\\??\\UNC\\mem\\lab\\missing", &handle));
        assert_status(trace->Status, STATUS_OBJECT_NAME_NOT_FOUND);
        ASSERT_TOLD(trace, {{"Ob", "link \"UNC\""},
                            {"Io", "IRP_MJ_CREATE to \\FileSystem\\Mup"},
                            {"Mup", "\\Device\\LanmanRedirector"},
                            {"Ob", "STATUS_REPARSE: on to \"\\Device\\LanmanRedirector\\mem\\lab\\missing\""},
                            {"Io", "IRP_MJ_CREATE to \\FileSystem\\Rdr"},
                            {"Rdr", "connection to \\\\mem\\lab found"},
                            {"Smb", "create"}});
        assert_string_equal(EmuTraceDecider(trace)->Place->Layer, "Smb");
        assert_int_equal(EmuTraceKept(trace).Blocks, known ? 0 : 1); /* the prefix, which MUP has learned */
        EmuTraceFree(trace);
    }
    lab_shut_down(&lab, 0);
}

struct traced {
    const WCHAR *name;
    ULONG disposition;
    PEPROCESS process;
    pthread_t thread;
    PEMU_TRACE trace;
};

static void *trace_it(void *argument)
{
    struct traced *traced = argument;
    HANDLE handle;

    EmuEnterProcess(traced->process);
    traced->trace = start();
    EmuTraceEnd(traced->trace, lab_create(traced->name, FILE_READ_DATA, 0, traced->disposition, 0, &handle));
    if (NT_SUCCESS(traced->trace->Status))
        NtClose(handle);
    EmuEnterProcess(NULL);
    return NULL;
}

static void begin_traced(struct traced *traced)
{
    traced->process = EmuCreateProcess(0);
    assert_non_null(traced->process);
    assert_int_equal(pthread_create(&traced->thread, NULL, trace_it, traced), 0);
}

static void end_traced(struct traced *traced, NTSTATUS status)
{
    pthread_join(traced->thread, NULL);
    assert_status(traced->trace->Status, status);
    EmuDeleteProcess(traced->process);
}

static void begin_held(struct lab *lab, struct traced *traced)
{
    smb_fault_hold(lab->smb, SMB_CREATE);
    begin_traced(traced);
    while (!smb_fault_held(lab->smb))
        sched_yield();
}

/* The server's answer, and what follows from it, come on this test's thread. */
static void test_a_create_that_pends_is_followed_to_the_thread_that_completes_it(void **state)
{
    struct traced refused = {.name = u"\\??\\X:\\missing", .disposition = FILE_OPEN};
    struct lab lab;

    lab_boot(&lab, "nt4-sp6", 0);
    lab_hide_waiting();
    begin_held(&lab, &refused);
    smb_fault_release(lab.smb);
    end_traced(&refused, STATUS_OBJECT_NAME_NOT_FOUND);
    ASSERT_TOLD(
        refused.trace,
        {{"Io", "IRP_MJ_CREATE to \\FileSystem\\Rdr"}, {"Rdr", "create \"missing\" to the server"}, {"Smb", "create"}});
    assert_string_equal(EmuTraceDecider(refused.trace)->Place->Layer, "Smb");
    assert_int_equal(EmuTraceKept(refused.trace).Blocks, 0); /* freed over there, and counted */
    EmuTraceFree(refused.trace);
    lab_show_waiting();
    lab_shut_down(&lab, 0);
}

static void test_a_create_that_waits_for_another_says_so(void **state)
{
    struct traced first = {.name = u"\\??\\X:\\f.txt", .disposition = FILE_CREATE},
                  second = {.name = u"\\??\\X:\\f.txt", .disposition = FILE_OPEN}, cancelled = second;
    struct lab lab;

    lab_boot(&lab, "nt4-sp6", 0);
    begin_held(&lab, &first);
    begin_traced(&cancelled);
    while (RdrCountWaiting() < 1)
        sched_yield();
    begin_traced(&second);
    while (RdrCountWaiting() < 2)
        sched_yield();
    EmuCancelProcessIo(cancelled.process);
    end_traced(&cancelled, STATUS_CANCELLED);
    assert_string_equal(EmuTraceDecider(cancelled.trace)->Place->Layer, "Rdr");
    smb_fault_release(lab.smb);
    end_traced(&first, STATUS_OBJECT_NAME_COLLISION);
    end_traced(&second, STATUS_SUCCESS);
    ASSERT_TOLD(second.trace, {{"Rdr", "waiting: another create"},
                               {"Rdr", "create \"f.txt\" to the server"},
                               {"Smb", "create: the server says success"}});
    EmuTraceFree(cancelled.trace);
    EmuTraceFree(first.trace);
    EmuTraceFree(second.trace);
    lab_shut_down(&lab, 0);
}

static void test_assertions_about_a_call(void **state)
{
    struct lab lab;
    HANDLE handle;

    lab_boot(&lab, "nt4-sp5", 0);
    assert_status(emu_assert_decided("Rdr", STATUS_OBJECT_NAME_INVALID, lab_open(u"\\??\\X:\\", &handle)),
                  STATUS_OBJECT_NAME_INVALID);
    emu_assert_decided("Ob", STATUS_OBJECT_NAME_NOT_FOUND, lab_open(u"\\??\\Q:", &handle));
    emu_assert_keeps(1, EMU_ANY_COUNT, lab_open(u"\\??\\X:\\a|b", &handle));
    emu_assert_no_leak(lab_open(u"\\??\\X:\\no such file", &handle));
    lab_shut_down(&lab, 2);
}

static void test_what_an_assertion_says_of_a_call_that_is_not_as_expected(void **state)
{
    static const struct {
        EMU_EXPECTED expected;
        const char *said;
    } rows[] = {
        {{NULL, STATUS_SUCCESS, EMU_ANY_COUNT, EMU_ANY_COUNT}, "status"},
        {{"Io", EMU_ANY_STATUS, EMU_ANY_COUNT, EMU_ANY_COUNT}, "layer"},
        {{NULL, EMU_ANY_STATUS, 0, EMU_ANY_COUNT}, "blocks"},
        {{NULL, EMU_ANY_STATUS, 1, 49}, "bytes"},
    };
    PEMU_TRACE trace = start();
    PVOID p = take(PagedPool, 50);

    EMU_DECIDE("Tst", STATUS_NOT_FOUND, "so");
    EmuTraceEnd(trace, STATUS_NOT_FOUND);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_non_null(strstr(EmuUnexpected(trace, &rows[i].expected), rows[i].said));
    assert_null(EmuUnexpected(trace, &(EMU_EXPECTED){"Tst", STATUS_NOT_FOUND, 1, 50}));
    EmuTraceFree(trace);
    give(p);
}

static void test_the_text_of_a_failing_create(void **state)
{
    static const char *const parts[] = {
        "NtCreateFile \"\\??\\X:\\\"",
        "NON_DIRECTORY_FILE|SYNCHRONOUS_IO_NONALERT",
        "link \"X:\" -> \"\\Device\\LanmanRedirector\\",
        "Rdr  trailing backslash with FILE_NON_DIRECTORY_FILE -> STATUS_OBJECT_NAME_INVALID",
        "STATUS_OBJECT_NAME_INVALID (C0000033), error 123; decided by Rdr, rdr/name.c:",
        "kept 1: ",
        "paged RdCc rdr/create.c:",
    };
    PEMU_TRACE trace = NULL;
    struct lab lab;
    HANDLE handle;
    char text[4096], little[10];
    SIZE_T length;

    lab_boot(&lab, "nt4-sp5", 0);
    assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
    EmuTraceEnd(trace, lab_open(u"\\??\\X:\\", &handle));
    length = EmuTraceText(trace, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_int_equal(EmuTraceText(trace, little, sizeof little), length);
    assert_memory_equal(little, text, sizeof little - 1);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("no \"%s\" in:\n%s", parts[i], text);
    EmuTraceFree(trace);
    lab_shut_down(&lab, 1);
}

/* The machine's pool after some opens, each in a trace or none. */
static void pool_after_opens(BOOLEAN traced, EMU_POOL_SNAPSHOT *snapshot)
{
    static const WCHAR *const names[] = {u"\\??\\X:\\", u"\\??\\X:\\f.txt", u"\\??\\X:\\dir\\g.txt", u"\\??\\X:\\no"};
    PEMU_TRACE trace = NULL;
    struct lab lab;

    lab_boot(&lab, "nt4-sp5", 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        HANDLE handle = NULL;
        if (traced)
            assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
        if (NT_SUCCESS(lab_open(names[i], &handle)))
            NtClose(handle);
        if (traced)
            EmuTraceEnd(trace, STATUS_SUCCESS);
    }
    assert_status(EmuPoolTakeSnapshot(snapshot), STATUS_SUCCESS);
    EmuTraceFree(trace);
    lab_shut_down(&lab, 1);
}

static void test_the_pool_is_the_same_with_and_without(void **state)
{
    EMU_POOL_SNAPSHOT without, with;

    pool_after_opens(FALSE, &without);
    pool_after_opens(TRUE, &with);
    assert_int_equal(with.Count, without.Count);
    assert_int_equal(with.Paged.Allocations, without.Paged.Allocations);
    assert_int_equal(with.NonPaged.Allocations, without.NonPaged.Allocations);
    assert_int_equal(with.Paged.LiveBlockBytes, without.Paged.LiveBlockBytes);
    assert_int_equal(with.Paged.Pages, without.Paged.Pages);
    assert_int_equal(with.NonPaged.Pages, without.NonPaged.Pages);
    for (ULONG i = 0; i < with.Count; i++) {
        assert_int_equal(with.Uses[i].Number, without.Uses[i].Number);
        assert_int_equal(with.Uses[i].Allocations, without.Uses[i].Allocations);
        assert_int_equal(with.Uses[i].Frees, without.Uses[i].Frees);
        assert_int_equal(with.Uses[i].LiveBlockBytes, without.Uses[i].LiveBlockBytes);
    }
    EmuPoolFreeSnapshot(&with);
    EmuPoolFreeSnapshot(&without);
}

/* ---- names of statuses ---- */

static void test_statuses_have_names_and_errors(void **state)
{
    assert_string_equal(EmuStatusName(STATUS_SUCCESS), "STATUS_SUCCESS");
    assert_string_equal(EmuStatusName(STATUS_NOT_A_REPARSE_POINT), "STATUS_NOT_A_REPARSE_POINT");
    assert_string_equal(EmuStatusName(STATUS_OBJECT_NAME_INVALID), "STATUS_OBJECT_NAME_INVALID");
    assert_null(EmuStatusName((NTSTATUS)0xC0FFEE00));
    assert_int_equal(RtlNtStatusToDosError(STATUS_OBJECT_NAME_INVALID), 123);
    assert_int_equal(RtlNtStatusToDosError(STATUS_SUCCESS), 0);
    assert_int_equal(RtlNtStatusToDosError((NTSTATUS)0xC0FFEE00), 317);
}

#define IN_A_MACHINE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_MACHINE(test_off_it_is_the_status_and_no_argument_is_evaluated),
        IN_A_MACHINE(test_events_come_in_order_and_the_last_decision_of_the_status_counts),
        IN_A_MACHINE(test_a_status_that_nobody_decided_has_no_decider),
        IN_A_MACHINE(test_names_are_utf8_with_control_characters_made_visible),
        IN_A_MACHINE(test_many_steps_leave_room_for_the_decision),
        IN_A_MACHINE(test_what_was_taken_given_back_and_kept),
        IN_A_MACHINE(test_every_way_into_the_pool_is_seen),
        IN_A_MACHINE(test_stacks_and_special_pool_are_no_way_around_it),
        IN_A_MACHINE(test_a_refused_allocation_is_counted),
        IN_A_MACHINE(test_an_outer_trace_has_what_the_inner_one_has),
        IN_A_MACHINE(test_the_fast_path_is_back_afterwards),
        IN_A_MACHINE(test_blocks_beyond_its_room_are_counted_and_said),
        IN_A_MACHINE(test_random_orders_of_freeing_are_followed),
        IN_A_MACHINE(test_what_other_threads_do_is_not_the_calls),
        IN_A_MACHINE(test_work_that_was_carried_to_another_thread_belongs_to_the_call),
        IN_A_MACHINE(test_what_is_still_under_way_at_the_end_counts_as_kept),
        cmocka_unit_test(test_a_failing_create_keeps_on_sp5_what_it_gives_back_on_sp6),
        cmocka_unit_test(test_a_create_is_followed_through_mup),
        cmocka_unit_test(test_a_create_that_pends_is_followed_to_the_thread_that_completes_it),
        cmocka_unit_test(test_a_create_that_waits_for_another_says_so),
        cmocka_unit_test(test_assertions_about_a_call),
        IN_A_MACHINE(test_what_an_assertion_says_of_a_call_that_is_not_as_expected),
        cmocka_unit_test(test_the_text_of_a_failing_create),
        cmocka_unit_test(test_the_pool_is_the_same_with_and_without),
        cmocka_unit_test(test_statuses_have_names_and_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
