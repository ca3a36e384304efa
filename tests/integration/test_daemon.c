/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rdrlabd against what its user can do to it: wrong options and folders, sessions, letters, long runs, and the end.
 */
#include "machine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- options and folders ---- */

static void test_wrong_options_are_refused_in_one_line_that_names_them(void **state)
{
    static const struct {
        const char *arguments[7];
        const char *named;
    } table[] = {
        {{NULL}, "--dir"},
        {{"--dir", ""}, "--dir"},
        {{"--dir"}, "--dir"},
        {{"--nonsense"}, "--nonsense"},
        {{"-x"}, "-x"},
        {{"--dir", "/tmp/x", "word"}, "word"},
        {{"--build", "nt4-sp9", "--dir", "FRESH", "--backend", "mem"}, "nt4-sp9"},
        {{"--build", ""}, "--build"},
        {{"--defect", "Q1"}, "--defect Q1"},
        {{"--defect", "235425=on"}, "--defect"},
        {{"--defect", "Q=on"}, "--defect"},
        {{"--defect", "Q235425=maybe"}, "--defect"},
        {{"--defect", "Q99999999=on", "--dir", "FRESH", "--backend", "mem"}, "Q99999999"},
        {{"--server", "lab"}, "--server"},
        {{"--server", "=host:1"}, "--server"},
        {{"--server", "lab="}, "--server"},
        {{"--server", "lab=host:0"}, "--server"},
        {{"--server", "lab=host:65536"}, "--server"},
        {{"--server", "lab=host:-1"}, "--server"},
        {{"--server", "lab=host:4x"}, "--server"},
        {{"--server", "lab=[::1:445"}, "--server"},
        {{"--server", "a\\b=host:1"}, "--server"},
        {{"--dialect", "SMB4"}, "--dialect"},
        {{"--timeout", "0"}, "--timeout"},
        {{"--timeout", "-1"}, "--timeout"},
        {{"--timeout", "nan"}, "--timeout"},
        {{"--timeout", "5s"}, "--timeout"},
        {{"--timeout", "1e9"}, "--timeout"},
        {{"--paged-limit", ""}, "--paged-limit"},
        {{"--paged-limit", "-1"}, "--paged-limit"},
        {{"--paged-limit", "64Q"}, "--paged-limit"},
        {{"--paged-limit", "64MB"}, "--paged-limit"},
        {{"--paged-limit", "1"}, "--paged-limit"},
        {{"--paged-limit", "99999999999999999999"}, "--paged-limit"},
        {{"--paged-limit", "18014398509481984K"}, "--paged-limit"},
        {{"--backend", "nfs"}, "--backend"},
        {{"--provider", "nobody"}, "--provider"},
        {{"--worker", "/nonexistent/worker"}, "--worker"},
        {{"--user", ""}, "--user"},
        {{"--user", "\xff\xfe", "--dir", "FRESH", "--backend", "mem"}, "--user"},
        {{"--password-file", "/nonexistent/file"}, "--password-file"},
        {{"--password-file", "/"}, "--password-file"},
        {{"--password-file", "/dev/zero"}, "--password-file"},
        {{"--dir", "/tmp/x", "--password-file", "/dev/null"}, "--user"},
        {{"--ready-fd", "x"}, "--ready-fd"},
        {{"--ready-fd", "999"}, "--ready-fd"},
        {{"--ready-fd", "-1"}, "--ready-fd"},
        {{"--report", "/nonexistent/report"}, "--report"},
    };
    char output[2048], parent[] = "/tmp/rdrlab-test-XXXXXX", fresh[64];

    assert_non_null(mkdtemp(parent));
    snprintf(fresh, sizeof(fresh), "%s/machine", parent);
    for (size_t row = 0; row < COUNT(table); row++) {
        const char *arguments[8] = {NULL};
        int status;

        for (int i = 0; i < 7 && table[row].arguments[i]; i++)
            arguments[i] = strcmp(table[row].arguments[i], "FRESH") == 0 ? fresh : table[row].arguments[i];
        status = daemon_run(arguments, output, sizeof(output));
        if (status != 2 && !(status == 1 && strcmp(table[row].named, "--user") == 0))
            fail_msg("row %zu: exit status %d: %s", row, status, output);
        if (!strstr(output, table[row].named) || strchr(output, '\n') != output + strlen(output) - 1)
            fail_msg("row %zu: \"%s\" is not one line with %s in it", row, output, table[row].named);
        if (access(fresh, F_OK) == 0)
            fail_msg("row %zu: the folder was left behind", row);
    }
    assert_int_equal(rmdir(parent), 0);
}

static void test_folder_must_be_private_and_vacant(void **state)
{
    static const char *const needles[] = {"0700", "0700", "Not a directory", "No such file", "longer"};
    const char *arguments[] = {"--backend", "mem", "--dir", NULL, NULL};
    char parent[] = "/tmp/rdrlab-test-XXXXXX", paths[5][300], output[2048];
    int status;

    assert_non_null(mkdtemp(parent));
    snprintf(paths[0], sizeof(paths[0]), "%s/open", parent);
    assert_int_equal(mkdir(paths[0], 0700) | chmod(paths[0], 0755), 0);
    snprintf(paths[1], sizeof(paths[1]), "%s/sticky", parent);
    assert_int_equal(mkdir(paths[1], 0700) | chmod(paths[1], 01700), 0);
    snprintf(paths[2], sizeof(paths[2]), "%s/file", parent);
    close(open(paths[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
    snprintf(paths[3], sizeof(paths[3]), "%s/missing/machine", parent);
    snprintf(paths[4], sizeof(paths[4]), "%s/%0200d", parent, 0);
    for (size_t row = 0; row < COUNT(paths); row++) {
        arguments[3] = paths[row];
        status = daemon_run(arguments, output, sizeof(output));
        if (status != 1 || !strstr(output, needles[row]))
            fail_msg("row %zu: exit status %d: %s", row, status, output);
    }
    if (geteuid() == 0) {
        assert_int_equal(chmod(paths[0], 0700) | chown(paths[0], 65534, 65534), 0);
        arguments[3] = paths[0];
        assert_int_equal(daemon_run(arguments, output, sizeof(output)), 1);
        assert_non_null(strstr(output, "belongs to user 65534"));
    }
    assert_int_equal(rmdir(paths[0]) | rmdir(paths[1]) | unlink(paths[2]), 0);
    assert_int_equal(rmdir(parent), 0);
}

static void test_a_live_machine_keeps_its_folder_and_a_killed_one_does_not(void **state)
{
    const char *arguments[] = {"--backend", "mem", "--dir", NULL, NULL};
    struct fixture fixture;
    struct daemon second;
    char output[2048];

    fixture_begin(&fixture, NULL);
    arguments[3] = fixture.daemon.folder;
    assert_int_equal(daemon_run(arguments, output, sizeof(output)), 1);
    assert_non_null(strstr(output, "lives in it already"));
    way_machine(&fixture.way);

    kill(fixture.daemon.pid, SIGKILL);
    waitpid(fixture.daemon.pid, NULL, 0);
    wire_disconnect(fixture.way.client);
    second = fixture.daemon;
    second.pid = fork();
    if (second.pid == 0) {
        execl(RDRLABD, RDRLABD, "--backend", "mem", "--die-with-parent", "--dir", second.folder, NULL);
        _exit(127);
    }
    fixture.way.client = NULL;
    for (int i = 0; i < 2000 && !fixture.way.client; i++) {
        usleep(5000);
        wire_connect(second.folder, NULL, &fixture.way.client, NULL, 0);
    }
    assert_non_null(fixture.way.client);
    wire_disconnect(fixture.way.client);
    assert_int_equal(kill(second.pid, SIGTERM), 0);
    assert_int_equal(waitpid(second.pid, NULL, 0), second.pid);
    /* It had not made the folder, so it leaves it, empty. */
    assert_int_equal(rmdir(second.folder), 0);
    second.pid = fixture.daemon.pid;
    daemon_kill(&second);
}

static struct wire_client *join_session(const struct fixture *fixture, uint32_t session)
{
    const struct wire_options options = {.program = "test", .session = session, .region = 1};
    struct wire_client *client;
    char error[512];

    if (wire_connect(fixture->daemon.folder, &options, &client, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return client;
}

static void test_each_session_of_a_terminal_server_has_its_own_letters(void **state)
{
    static const char *const arguments[] = {"--build", "tse-sp5", NULL};
    static const struct wire_options too_high = {.session = WIRE_SESSION_MOST + 1}, one = {.session = 1};
    struct wire_client *client = NULL;
    struct fixture fixture;
    struct way first = {0}, second = {0};
    uint64_t token;
    char error[512];

    fixture_begin(&fixture, arguments);
    if (daemon_uses_relays()) {
        assert_int_equal(wire_connect(fixture.daemon.folder, &one, &client, error, sizeof(error)), -EOPNOTSUPP);
        fixture_end(&fixture);
        return;
    }
    first.client = join_session(&fixture, 1);
    second.client = join_session(&fixture, 2);
    assert_int_equal(wire_letters(first.client), 0);
    assert_status(way_open_read(&first, u"\\??\\X:\\f.txt", &token), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(way_map(&first, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(wire_letters(first.client), 1u << LETTER_X);
    assert_int_equal(wire_letters(second.client), 0);
    assert_status(way_unmap(&second, LETTER_X, 1), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(way_unmap(&fixture.way, LETTER_X, 0), STATUS_SUCCESS);
    assert_int_equal(wire_letters(fixture.way.client), 0);
    assert_int_equal(wire_letters(first.client), 1u << LETTER_X);
    wire_disconnect(second.client);
    assert_int_not_equal(wire_connect(fixture.daemon.folder, &too_high, &client, error, sizeof(error)), 0);
    /* The letter outlives its session's programs. */
    wire_disconnect(first.client);
    await_machine(&fixture.way, 1, 0);
    first.client = join_session(&fixture, 1);
    assert_int_equal(wire_letters(first.client), 1u << LETTER_X);
    assert_status(way_unmap(&first, LETTER_X, 0), STATUS_SUCCESS);
    wire_disconnect(first.client);
    assert_status(way_map(&fixture.way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    fixture_end(&fixture);
}

static void test_a_workstation_has_no_sessions(void **state)
{
    static const struct wire_options one = {.session = 1};
    struct wire_client *client = NULL;
    struct fixture fixture;
    char error[512];

    fixture_begin(&fixture, NULL);
    assert_int_equal(wire_connect(fixture.daemon.folder, &one, &client, error, sizeof(error)), -EOPNOTSUPP);
    assert_non_null(strstr(error, "no session 1"));
    fixture_end(&fixture);
}

static void test_two_machines_live_side_by_side(void **state)
{
    static const char *const builds[2][3] = {{"--build", "nt4-sp5", NULL}, {"--build", "tse-sp6", NULL}};
    struct fixture fixtures[2];

    for (int i = 0; i < 2; i++)
        fixture_begin(&fixtures[i], builds[i]);
    for (int i = 0; i < 2; i++)
        assert_string_equal(way_machine(&fixtures[i].way).build, builds[i][1]);
    assert_status(way_unmap(&fixtures[0].way, LETTER_X, 0), STATUS_SUCCESS);
    assert_int_equal(wire_letters(fixtures[0].way.client), 0);
    assert_int_equal(wire_letters(fixtures[1].way.client), 1u << LETTER_X);
    assert_status(way_map(&fixtures[0].way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++)
        fixture_end(&fixtures[i]);
}

/* ---- letters ---- */

/* In parts as well, and with the files that a client has open. */
static void test_letters_are_listed(void **state)
{
    static struct wire_reply reply;
    const struct wire_add_connection remembered = {.letter = 1, .remote_length = 18, .remember = 1};
    struct wire_list_connections request = {0};
    struct wire_connection row[2];
    struct fixture fixture;
    uint64_t token;

    fixture_begin(&fixture, NULL);
    assert_status(way_map(&fixture.way, 1, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    assert_status(way_open_read(&fixture.way, u"\\??\\X:\\probe.txt", &token), STATUS_SUCCESS);
    assert_int_equal(wire_call(fixture.way.client, WIRE_LIST_CONNECTIONS, &request, 8, NULL, 0, &reply), 0);
    assert_int_equal(reply.length, sizeof(struct wire_done) + 2 * (sizeof(row[0]) + 24));
    memcpy(&row[0], reply.body + sizeof(struct wire_done), sizeof(row[0]));
    memcpy(&row[1], reply.body + sizeof(struct wire_done) + row[0].length, sizeof(row[1]));
    assert_int_equal(row[0].letter, 1);
    assert_int_equal(row[0].open_files, 0);
    assert_int_equal(row[1].letter, LETTER_X);
    assert_int_equal(row[1].status, WIRE_USE_OK);
    assert_int_equal(row[1].open_files, 1);
    assert_int_equal(row[1].remote_length, 18);
    assert_int_equal(row[1].user_length, 0);
    assert_memory_equal(reply.body + reply.length - 24, u"\\\\mem\\lab\0\0\0", 24);
    request.first = row[0].number + 1;
    assert_int_equal(wire_call(fixture.way.client, WIRE_LIST_CONNECTIONS, &request, 8, NULL, 0, &reply), 0);
    assert_int_equal(reply.length, sizeof(struct wire_done) + sizeof(row[0]) + 24);
    request.first = row[1].number + 1;
    assert_int_equal(wire_call(fixture.way.client, WIRE_LIST_CONNECTIONS, &request, 8, NULL, 0, &reply), 0);
    assert_int_equal(reply.length, sizeof(struct wire_done));
    assert_status(way_close(&fixture.way, token), STATUS_SUCCESS);
    assert_status(way_unmap(&fixture.way, 1, 0), STATUS_SUCCESS);
    if (daemon_uses_relays()) { /* whose letters end with it */
        assert_int_equal(wire_call(fixture.way.client, WIRE_ADD_CONNECTION, &remembered, sizeof(remembered),
                                   u"\\\\mem\\lab", 18, &reply),
                         0);
        assert_status((NTSTATUS)reply.status, STATUS_NOT_SUPPORTED);
    }
    fixture_end(&fixture);
}

/* ---- long runs and the end ---- */

static long resident_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

/* By how much the machine is larger after so many. */
static long grow(const struct fixture *fixture, const struct way *way, int creates)
{
    long before = resident_kib(fixture->daemon.pid), after;
    uint64_t token;

    for (int i = 0; i < creates; i++)
        assert_status(way_open_read(way, u"\\??\\X:\\a|b", &token), STATUS_OBJECT_NAME_INVALID);
    after = resident_kib(fixture->daemon.pid);
    print_message("%d failing creates: %ld KiB resident before, %ld after\n", creates, before, after);
    return after - before;
}

/* What is kept of each create is kept in every round. What only fills up, such as a thread's stack, an arena or
 * ThreadSanitizer's history of a thread, is full sooner or later, and later where the machine's threads take turns. */
static void test_failing_creates_take_no_memory(void **state)
{
    int creates = getenv("RDRLAB_SOAK") ? 1000000 : 100000, rounds = 0;
    struct fixture fixture;
    struct way way;

    fixture_begin(&fixture, NULL);
    way = fixture.way;
    assert_int_equal(wire_line_open(way.client, &way.line), 0);
    while (grow(&fixture, &way, creates) > 1024)
        assert_true(++rounds < 6);
    wire_line_close(way.line);
    fixture_end(&fixture);
}

static void test_what_a_defect_left_is_in_the_report(void **state)
{
    const char *arguments[] = {"--build", "nt4-sp5", "--report", NULL, NULL};
    struct opening bare = {.name = u"\\??\\X:\\",
                           .access = GENERIC_READ | SYNCHRONIZE,
                           .disposition = FILE_OPEN,
                           .options = FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE};
    char path[] = "/tmp/rdrlab-report-XXXXXX";
    static char text[65536];
    struct fixture fixture;
    uint64_t token;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    arguments[3] = path;
    fixture_begin(&fixture, arguments);
    for (int i = 0; i < 123; i++)
        assert_status(way_open(&fixture.way, &bare, &token), STATUS_OBJECT_NAME_INVALID);
    wire_disconnect(fixture.way.client);
    assert_int_equal(daemon_stop(&fixture.daemon), 3);
    text[read(fd, text, sizeof(text) - 1)] = '\0';
    assert_non_null(strstr(text, "\"clean\":false"));
    assert_non_null(strstr(text, "\"blocks\":123"));
    assert_non_null(strstr(text, "rdr/create.c"));
    close(fd);
    unlink(path);
}

struct busy {
    struct way way;
    pthread_t thread;
    int calls; /* atomic */
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

    while (way_call(&busy->way, WIRE_CREATE, &request, sizeof(request), u"\\??\\X:\\probe.txt", 32, reply) == 0)
        __atomic_fetch_add(&busy->calls, 1, __ATOMIC_SEQ_CST);
    free(reply);
    return NULL;
}

static void test_sigterm_while_busy_ends_in_order(void **state)
{
    struct busy busy[6] = {0};
    struct fixture fixture;

    fixture_begin(&fixture, NULL);
    for (size_t i = 0; i < COUNT(busy); i++) {
        busy[i].way.client = daemon_connect(&fixture.daemon, 1);
        if (i % 2)
            assert_int_equal(wire_line_open(busy[i].way.client, &busy[i].way.line), 0);
        assert_int_equal(pthread_create(&busy[i].thread, NULL, be_busy, &busy[i]), 0);
    }
    /* Every one of them, however late the system lets it begin. */
    for (size_t i = 0; i < COUNT(busy); i++)
        for (int tries = 0; __atomic_load_n(&busy[i].calls, __ATOMIC_SEQ_CST) == 0; tries++) {
            assert_true(tries < 10000);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    assert_int_equal(daemon_stop(&fixture.daemon), 0);
    for (size_t i = 0; i < COUNT(busy); i++) {
        pthread_join(busy[i].thread, NULL);
        wire_line_close(busy[i].way.line);
        wire_disconnect(busy[i].way.client);
    }
    wire_disconnect(fixture.way.client);
}

static void test_it_dies_with_its_parent_if_told_to(void **state)
{
    struct daemon daemon;
    int ends[2];
    pid_t parent;

    assert_int_equal(pipe(ends), 0);
    parent = fork();
    if (parent == 0) {
        daemon_start(&daemon, NULL);
        (void)!write(ends[1], &daemon, sizeof(daemon));
        raise(SIGKILL);
    }
    waitpid(parent, NULL, 0);
    assert_int_equal(read(ends[0], &daemon, sizeof(daemon)), sizeof(daemon));
    for (int i = 0; i < 2000 && access(daemon.folder, F_OK) == 0; i++)
        usleep(5000);
    if (rmdir(daemon.parent) != 0)
        fail_msg("%s: %s", daemon.parent, strerror(errno));
    close(ends[0]);
    close(ends[1]);
}

#define OWN_TESTS 5

int main(int argc, char **argv)
{
    /* What is true of a relay as well comes last. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_options_are_refused_in_one_line_that_names_them),
        cmocka_unit_test(test_folder_must_be_private_and_vacant),
        cmocka_unit_test(test_a_live_machine_keeps_its_folder_and_a_killed_one_does_not),
        cmocka_unit_test(test_it_dies_with_its_parent_if_told_to),
        cmocka_unit_test(test_failing_creates_take_no_memory),
        cmocka_unit_test(test_each_session_of_a_terminal_server_has_its_own_letters),
        cmocka_unit_test(test_a_workstation_has_no_sessions),
        cmocka_unit_test(test_two_machines_live_side_by_side),
        cmocka_unit_test(test_letters_are_listed),
        cmocka_unit_test(test_what_a_defect_left_is_in_the_report),
        cmocka_unit_test(test_sigterm_while_busy_ends_in_order),
    };

    return daemon_main(argc, argv, tests, COUNT(tests), OWN_TESTS);
}
