/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine of its own that a bug check stops, while clients are busy with it and while it shuts down: every client is
 * told at once, the report is in the machine's folder, and rdrlab says so. And the verifier and the clock of a live
 * machine.
 */
#include "daemon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANUALLY_INITIATED_CRASH 0xE2

static struct daemon machine;
static char report[16384];

static struct way start(const char *const *arguments)
{
    struct way way;

    daemon_start(&machine, arguments);
    way = (struct way){daemon_connect(&machine, 1), NULL};
    assert_status(way_map(&way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    return way;
}

/* rdrlab COMMAND --machine ...; returns its exit status, its output is in `report`. */
static int rdrlab(const char *command, const char *options)
{
    char line[512];
    FILE *pipe;
    size_t length;

    snprintf(line, sizeof(line), "'%s' %s --machine '%s' %s 2>&1", RDRLAB, command, machine.folder, options);
    pipe = popen(line, "re"); // NOLINT(cert-env33-c): the line is the test's own
    assert_non_null(pipe);
    length = fread(report, 1, sizeof(report) - 1, pipe);
    report[length] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void assert_reported(const char *text)
{
    if (!strstr(report, text))
        fail_msg("there is no \"%s\" in:\n%s", text, report);
}

/* ---- a crash while clients are busy ---- */

struct busy {
    struct way way;
    pthread_t thread;
    int calls; /* atomic */
    int end;   /* what the last call gave */
};

static void *be_busy(void *argument)
{
    struct busy *busy = argument;
    struct wire_create request = {.object_flags = 0x40,
                                  .desired_access = GENERIC_READ,
                                  .share_access = 7,
                                  .disposition = FILE_OPEN,
                                  .name_length = 32};
    struct wire_reply *reply = calloc(1, sizeof(*reply));

    do
        busy->end = way_call(&busy->way, WIRE_CREATE, &request, sizeof(request), u"\\??\\X:\\probe.txt", 32, reply);
    while (busy->end == 0 && __atomic_add_fetch(&busy->calls, 1, __ATOMIC_SEQ_CST));
    free(reply);
    return NULL;
}

static void await_calls(const struct busy *busy)
{
    while (!__atomic_load_n(&busy->calls, __ATOMIC_SEQ_CST))
        usleep(1000);
}

static void test_a_bug_check_ends_every_call_and_leaves_its_report(void **state)
{
    static const struct wire_crash request = {.code = MANUALLY_INITIATED_CRASH};
    struct wire_reply *reply = calloc(1, sizeof(*reply));
    struct busy busy[4] = {0};
    struct way way = start(NULL);

    for (int i = 0; i < 4; i++) {
        busy[i].way.client = daemon_connect(&machine, 1);
        if (i % 2)
            assert_int_equal(wire_line_open(busy[i].way.client, &busy[i].way.line), 0);
        assert_int_equal(pthread_create(&busy[i].thread, NULL, be_busy, &busy[i]), 0);
        await_calls(&busy[i]);
    }
    assert_int_equal(way_call(&way, WIRE_CRASH, &request, sizeof(request), NULL, 0, reply), -ECONNRESET);
    for (int i = 0; i < 4; i++) {
        pthread_join(busy[i].thread, NULL);
        assert_int_equal(busy[i].end, -ECONNRESET);
        if (busy[i].way.line)
            wire_line_close(busy[i].way.line);
        wire_disconnect(busy[i].way.client);
    }
    wire_disconnect(way.client);
    free(reply);
    assert_int_equal(rdrlab("poolmon", "--once"), 3);
    assert_reported("was stopped by a bug check");
    assert_reported("bugcheck.txt");
    assert_int_equal(daemon_wait_bug_check(&machine, report, sizeof(report)), 4);
    assert_reported("*** STOP: 0x000000E2 (0x0000000000000000,");
    assert_reported("MANUALLY_INITIATED_CRASH");
    assert_reported("build nt4-sp6  irql 0");
    assert_reported("service_crash");
}

static void test_a_stray_message_does_not_stop_a_machine(void **state)
{
    static const struct wire_crash request = {.code = 0};
    struct wire_reply *reply = calloc(1, sizeof(*reply));
    struct way way = start(NULL);

    assert_int_equal(way_call(&way, WIRE_CRASH, &request, sizeof(request), NULL, 0, reply), 0);
    assert_status((NTSTATUS)reply->status, STATUS_INVALID_PARAMETER);
    free(reply);
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&machine), 0);
}

static void test_rdrlab_crash_stops_a_machine(void **state)
{
    struct way way = start(NULL);

    assert_int_equal(rdrlab("crash", ""), 0);
    wire_disconnect(way.client);
    assert_int_equal(daemon_wait_bug_check(&machine, report, sizeof(report)), 4);
    assert_reported("0x000000E2");
}

/* ---- a bug check while it shuts down: the redirector's leak, found by pool tracking ---- */

static const struct opening bare = {.name = u"\\??\\X:\\",
                                    .access = GENERIC_READ | SYNCHRONIZE,
                                    .disposition = FILE_OPEN,
                                    .options = FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE};

static int leak_and_stop(const char *build, int opens)
{
    const char *arguments[] = {"--build", build, "--verifier", "0x8", NULL};
    struct way way = start(arguments);
    uint64_t token;

    for (int i = 0; i < opens; i++)
        assert_status(way_open(&way, &bare, &token), STATUS_OBJECT_NAME_INVALID);
    wire_disconnect(way.client);
    assert_int_equal(kill(machine.pid, SIGTERM), 0);
    return daemon_wait_bug_check(&machine, report, sizeof(report));
}

static void test_unloading_with_pool_left_stops_the_machine_that_shuts_down(void **state)
{
    char count[64];

    assert_int_equal(leak_and_stop("nt4-sp5", 17), 4);
    assert_reported("*** STOP: 0x000000C4 (0x0000000000000062,");
    snprintf(count, sizeof(count), ",0x%016X)", 17);
    assert_reported(count);
    assert_reported("driver \\FileSystem\\Rdr");
    assert_reported("IoDeleteDriver");
    assert_int_equal(leak_and_stop("nt4-sp6", 17), 0);
}

/* ---- the verifier of a live machine ---- */

static void test_the_verifier_is_set_and_asked_on_a_live_machine(void **state)
{
    struct way way = start(NULL);
    uint64_t token;

    assert_int_equal(rdrlab("verifier", ""), 0);
    assert_reported("0x0,faults=600\n");
    assert_int_equal(rdrlab("verifier", "--flags 0x4 --faults 10000 --tags 'RdC*'"), 0);
    assert_reported("0x4,faults=10000,tags=RdC*\n");
    assert_status(way_open_read(&way, u"\\??\\X:\\probe.txt", &token), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(rdrlab("verifier", ""), 0);
    assert_reported("AllocationsFailedDeliberately    1\n");
    assert_int_equal(rdrlab("verifier", "--flags 0x99"), 2);
    assert_reported("known flags");
    assert_int_equal(rdrlab("verifier", "--pool-tag 'Rd*' --overruns 0"), 0);
    assert_reported("pooltag=0x2A6452,overruns=0");
    assert_status(way_open(&way, &bare, &token), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(rdrlab("verifier", ""), 0);
    assert_reported("AllocationsSucceededSpecialPool  1");
    assert_int_equal(rdrlab("verifier", "--flags 0"), 0);
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&machine), 0);
}

static void test_a_verified_machine_serves_as_any_other(void **state)
{
    const char *arguments[] = {"--verifier", "0xb", NULL};
    struct way way = start(arguments);
    uint64_t token;

    for (int i = 0; i < 50; i++) {
        assert_status(way_open_read(&way, u"\\??\\X:\\nosuch.txt", &token), STATUS_OBJECT_NAME_NOT_FOUND);
        assert_status(way_open(&way, &bare, &token), STATUS_OBJECT_NAME_INVALID);
    }
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&machine), 0);
}

static void test_wrong_options_are_refused(void **state)
{
    static const struct {
        const char *text, *named;
    } table[] = {
        {"0x80", "0x80"},         {"faults=0", "faults=0"},     {"faults=10001", "faults=10001"},
        {"0x4,tagz=R", "tagz=R"}, {"pooltag=Rdccc", "pooltag"}, {"overruns=2", "overruns=2"},
        {"seed=x", "seed=x"},     {"nonsense", "nonsense"},     {"bystack=1", "bystack=1"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *arguments[] = {"--dir", "/tmp/rdrlab-never-made", "--verifier", table[i].text, NULL};
        assert_int_equal(daemon_run(arguments, report, sizeof(report)), 2);
        assert_reported("--verifier");
        assert_reported(table[i].named);
    }
}

/* ---- the clock of a live machine ---- */

static void test_time_passes_on_a_virtual_clock_when_somebody_says_so(void **state)
{
    const char *arguments[] = {"--clock", "virtual", NULL};
    struct way way = start(arguments);
    uint64_t token;

    assert_int_equal(rdrlab("clock", ""), 0);
    assert_reported("clock        virtual\ntime         1999-01-01 00:00:00.000 UTC\nsince boot   0.000 s\n"
                    "next due     in 10.000 s\n"); /* the redirector's timer, as there is a letter */
    assert_status(way_open_read(&way, u"\\??\\X:\\probe.txt", &token), STATUS_SUCCESS);
    assert_int_equal(rdrlab("clock", "--advance 90.5m"), 0);
    assert_reported("time         1999-01-01 01:30:30.000 UTC\nsince boot   5430.000 s\n");
    assert_int_equal(rdrlab("clock", "--next"), 0);
    assert_reported("since boot   5440.000 s\n");
    assert_status(way_close(&way, token), STATUS_SUCCESS);
    assert_status(way_unmap(&way, LETTER_X, 0), STATUS_SUCCESS);
    assert_int_equal(rdrlab("clock", "--next"), 0); /* and finds no server */
    assert_int_equal(rdrlab("clock", "--next"), 1);
    assert_reported("nothing is due on the machine");
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&machine), 0);
}

static void test_nobody_advances_a_real_clock(void **state)
{
    struct way way = start(NULL);

    assert_int_equal(rdrlab("clock", ""), 0);
    assert_reported("clock        real\n");
    assert_int_equal(rdrlab("clock", "--advance 1s"), 1);
    assert_reported("the machine's clock is the real one");
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&machine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bug_check_ends_every_call_and_leaves_its_report),
        cmocka_unit_test(test_a_stray_message_does_not_stop_a_machine),
        cmocka_unit_test(test_rdrlab_crash_stops_a_machine),
        cmocka_unit_test(test_unloading_with_pool_left_stops_the_machine_that_shuts_down),
        cmocka_unit_test(test_the_verifier_is_set_and_asked_on_a_live_machine),
        cmocka_unit_test(test_a_verified_machine_serves_as_any_other),
        cmocka_unit_test(test_wrong_options_are_refused),
        cmocka_unit_test(test_time_passes_on_a_virtual_clock_when_somebody_says_so),
        cmocka_unit_test(test_nobody_advances_a_real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
