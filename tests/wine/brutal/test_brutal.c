/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_brutal.c - Win32 programs on X:, over a machine to a real smbd, while they are killed, or the machine, or what
 * it works with.
 * usage: test_brutal WORKER
 *
 * Environment: as test_wine.c. RDRLAB_SOAK: ten minutes instead of ten seconds.
 */
#include "daemon.h"
#include "smb_fixture.h"
#include "winelab.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define DIALECT   "SMB3_11"
#define PROGRAMS  8
#define ANSWER_MS 60000
/* A call returns within this whatever happens to it; a busy system's delays are in it, and no server's silence. */
#define BOUND_MS         30000
#define SERVER_TIMEOUT_S "60"
/* What a daemon at rest may have grown by: its allocator's arenas. */
#define GROWTH_KB 8192
/* The machine starts its system worker threads when there is something to do for them, these at most. */
#define SYSTEM_WORKERS 9

static const char *worker_program;

/* A Win32 program that takes orders. */
struct player {
    struct program program;
    int to, from;
};

static struct {
    struct smb_fixture fixture;
    char server[32];
    struct daemon daemon;
    struct way way; /* which has X:, and is no program */
    struct winelab lab;
    struct player players[PROGRAMS];
} run;

/* ---- programs ---- */

static void start_player(unsigned number)
{
    static char numbers[PROGRAMS][4];
    struct player *player = &run.players[number];

    snprintf(numbers[number], sizeof(numbers[number]), "%u", number % 100);
    player->program = (struct program){.machine = run.daemon.folder};
    player->program.argv[0] = winelab_program(&run.lab, "tests/wine/brutal/ntsoak.exe");
    player->program.argv[1] = "X:\\soak";
    player->program.argv[2] = numbers[number];
    assert_true(winelab_talk(&run.lab, &player->program, &player->to, &player->from));
}

static void get_line(struct player *player, char *line, size_t size)
{
    struct pollfd watch = {.fd = player->from, .events = POLLIN};
    size_t used = 0;

    while (used < size - 1) {
        if (poll(&watch, 1, ANSWER_MS) != 1 || read(player->from, line + used, 1) != 1) {
            line[used] = '\0';
            fail_msg("the program does not answer: %s", line);
        }
        if (line[used] == '\n')
            break;
        used += line[used] != '\r';
    }
    line[used] = '\0';
}

static void put_order(struct player *player, const char *order)
{
    assert_int_equal(write(player->to, order, strlen(order)), strlen(order));
}

/* The call's error; fails the test if it took too long. */
static unsigned order(unsigned number, const char *text)
{
    struct player *player = &run.players[number];
    unsigned error = ~0u, duration = ~0u;
    char line[512];

    put_order(player, text);
    get_line(player, line, sizeof(line));
    if (sscanf(line, "%u %u", &error, &duration) != 2)
        fail_msg("the program answers \"%s\"", line);
    if (duration > BOUND_MS)
        fail_msg("%.*s: error %u after %u ms", (int)strcspn(text, "\n"), text, error, duration);
    return error;
}

/* Wait for its end; line: what it said last. Returns its exit status. */
static int finish_player(unsigned number, char *line, size_t size)
{
    struct player *player = &run.players[number];

    close(player->to);
    if (line)
        get_line(player, line, size);
    assert_true(winelab_finish(&run.lab, &player->program, 60));
    close(player->from);
    return player->program.status;
}

static void stop_player(unsigned number, unsigned long long *calls)
{
    unsigned long long made = 0;
    char line[512];
    int status = finish_player(number, line, sizeof(line));

    if (status != 0 || sscanf(line, "calls=%llu", &made) != 1)
        fail_msg("program %u ended with %d: %s", number, status, line);
    *calls += made;
}

/* ---- the machine ---- */

static void start_machine(void)
{
    const char *const arguments[] = {"--backend", "smbc",           "--worker", worker_program, "--server",
                                     run.server,  "--dialect",      DIALECT,    "--build",      "nt4-sp6",
                                     "--timeout", SERVER_TIMEOUT_S, NULL};

    if (run.daemon.parent[0])
        daemon_restart(&run.daemon, arguments);
    else
        daemon_start(&run.daemon, arguments);
}

static void widen(const char *text, WCHAR *wide)
{
    do
        *wide++ = (unsigned char)*text;
    while (*text++);
}

static void map_letter(void)
{
    WCHAR user[128], password[128];

    widen(run.fixture.target.user, user);
    widen(run.fixture.target.password, password);
    run.way = (struct way){daemon_connect(&run.daemon, 0), NULL};
    assert_status(way_map(&run.way, LETTER_X, u"\\\\srv\\lab", user, password), STATUS_SUCCESS);
}

static void begin(void)
{
    start_machine();
    map_letter();
}

/* Nothing is open, anywhere, and the machine's own audit agrees. */
static void end(void)
{
    await_machine(&run.way, 1, 0);
    for (int i = 0; i < 6000 && smbserver_open_files(run.fixture.server, run.fixture.share_dir) > 0; i++)
        usleep(5000);
    assert_int_equal(smbserver_open_files(run.fixture.server, run.fixture.share_dir), 0);
    wire_disconnect(run.way.client);
    assert_int_equal(daemon_stop(&run.daemon), 0);
    run.daemon = (struct daemon){0};
}

/* ---- what a process has ---- */

struct possessions {
    long memory_kb, threads;
    int descriptors;
};

static long status_field(pid_t pid, const char *field)
{
    char path[64], line[256];
    long value = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtol(line + strlen(field), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static int count_descriptors(pid_t pid)
{
    char path[64];
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static struct possessions look_at(pid_t pid)
{
    return (struct possessions){status_field(pid, "VmRSS:"), status_field(pid, "Threads:"), count_descriptors(pid)};
}

/* Children of the daemon; returns how many. */
static int find_workers(pid_t *pids, int max)
{
    struct dirent *entry;
    DIR *dir = opendir("/proc");
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && status_field(pid, "PPid:") == run.daemon.pid && count < max)
            pids[count++] = pid;
    }
    closedir(dir);
    return count;
}

/* Threads that serve a client end a moment after it; so many remain. */
static struct possessions settle(pid_t pid, const struct possessions *before)
{
    struct possessions now = look_at(pid);

    for (int i = 0; i < 6000 && (now.threads > before->threads || now.descriptors > before->descriptors); i++) {
        usleep(5000);
        now = look_at(pid);
    }
    return now;
}

static void compare(const char *who, const struct possessions *before, const struct possessions *after)
{
    printf("%s%s: memory %ld -> %ld KB, threads at most %ld, %ld, descriptors %d -> %d\n",
           getenv("RDRLAB_SOAK") ? "soak: " : "", who, before->memory_kb, after->memory_kb, before->threads,
           after->threads, before->descriptors, after->descriptors);
    fflush(stdout);
    assert_true(after->threads <= before->threads);
    assert_true(after->descriptors <= before->descriptors);
    assert_true(after->memory_kb <= before->memory_kb + GROWTH_KB);
}

/* ---- programs that are killed ---- */

static void start_all(void)
{
    for (unsigned i = 0; i < PROGRAMS; i++)
        start_player(i);
    for (unsigned i = 0; i < PROGRAMS; i++)
        assert_int_equal(order(i, "work\n"), 0);
}

static unsigned long long stop_all(void)
{
    unsigned long long calls = 0;

    for (unsigned i = 0; i < PROGRAMS; i++)
        stop_player(i, &calls);
    return calls;
}

/* By turns as Linux kills, and as Windows does. */
static void kill_player(unsigned number, unsigned turn)
{
    if (turn % 2)
        put_order(&run.players[number], "terminate\n");
    else
        assert_int_equal(kill(run.players[number].program.pid, SIGKILL), 0);
    assert_int_equal(finish_player(number, NULL, 0), turn % 2 ? 9 : 128 + SIGKILL);
}

static void test_killed_programs_leave_nothing(void **state)
{
    const uint64_t seconds = getenv("RDRLAB_SOAK") ? 600 : 10;
    struct possessions before[2], after[2];
    unsigned long long calls = 0;
    unsigned kills = 0;
    uint64_t until;
    pid_t worker;

    (void)state;
    begin();
    /* What a machine keeps once it has been used is no leak. */
    start_all();
    sleep(2);
    stop_all();
    await_machine(&run.way, 1, 0);
    sleep(1);
    assert_int_equal(find_workers(&worker, 1), 1);
    before[0] = look_at(run.daemon.pid);
    before[0].threads += SYSTEM_WORKERS;
    before[1] = look_at(worker);

    start_all();
    until = process_now_ms() + seconds * 1000;
    while (process_now_ms() < until) {
        unsigned number = kills % PROGRAMS;

        sleep(1);
        kill_player(number, kills + kills / PROGRAMS); /* every program in both ways */
        kills++;
        start_player(number);
        assert_int_equal(order(number, "work\n"), 0);
    }
    calls = stop_all();
    await_machine(&run.way, 1, 0);
    after[0] = settle(run.daemon.pid, &before[0]);
    after[1] = settle(worker, &before[1]);
    printf("%s%u programs killed; those that were not made %llu calls\n", getenv("RDRLAB_SOAK") ? "soak: " : "", kills,
           calls);
    compare("daemon", &before[0], &after[0]);
    compare("worker", &before[1], &after[1]);
    end();
}

/* ---- a machine that is killed ---- */

/* What Wine makes of STATUS_UNEXPECTED_NETWORK_ERROR: the machine is gone. */
#define ERROR_UNEXPECTED_NETWORK 59

static void test_killed_machine_is_an_error_and_a_new_one_is_clean(void **state)
{
    pid_t workers[4];
    int count;

    (void)state;
    begin();
    for (unsigned i = 0; i < 4; i++)
        start_player(i);
    assert_int_equal(order(0, "hold\n"), 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(order(i, "work\n"), 0);
    sleep(1);
    count = find_workers(workers, 4);
    assert_int_equal(count, 1);
    daemon_crash(&run.daemon);
    wire_disconnect(run.way.client);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(order(i, "failure\n"), ERROR_UNEXPECTED_NETWORK);
    assert_int_equal(order(0, "use\n"), ERROR_UNEXPECTED_NETWORK);
    assert_int_equal(order(0, "open\n"), ERROR_UNEXPECTED_NETWORK);
    assert_int_equal(order(0, "drop\n"), 0);
    for (unsigned i = 0; i < 4; i++)
        finish_player(i, NULL, 0);
    for (int i = 0; i < 6000 && kill(workers[0], 0) == 0; i++)
        usleep(5000);
    assert_int_equal(kill(workers[0], 0), -1);

    begin();
    start_player(0);
    assert_int_equal(order(0, "hold\n"), 0);
    assert_int_equal(order(0, "use\n"), 0);
    assert_int_equal(order(0, "open\n"), 0);
    assert_int_equal(order(0, "drop\n"), 0);
    assert_int_equal(finish_player(0, NULL, 0), 0);
    end();
}

/* ---- what the machine works with ---- */

/* Open handles are lost, and say so at every use; what is opened afterwards is not. */
static void check_lost_connection(void)
{
    unsigned error;

    error = order(0, "use\n");
    printf("a lost connection is error %u\n", error);
    assert_true(error != 0);
    assert_true(order(0, "use\n") != 0);
    for (int i = 0; i < 20 && (error = order(0, "open\n")) != 0; i++)
        usleep(100000);
    assert_int_equal(error, 0);
    assert_true(order(0, "use\n") != 0);
    assert_int_equal(order(0, "drop\n"), 0);
    assert_int_equal(order(0, "hold\n"), 0);
    assert_int_equal(order(0, "use\n"), 0);
    assert_int_equal(order(0, "drop\n"), 0);
    assert_int_equal(finish_player(0, NULL, 0), 0);
    end();
}

static void hold_one(void)
{
    begin();
    start_player(0);
    assert_int_equal(order(0, "hold\n"), 0);
    assert_int_equal(order(0, "use\n"), 0);
}

static void test_killed_worker_loses_its_files_and_no_others(void **state)
{
    pid_t worker = 0;

    (void)state;
    hold_one();
    assert_int_equal(find_workers(&worker, 1), 1);
    assert_int_equal(kill(worker, SIGKILL), 0);
    check_lost_connection();
}

static void test_killed_session_loses_its_files_and_no_others(void **state)
{
    (void)state;
    hold_one();
    assert_true(smbserver_signal(run.fixture.server, SMBSERVER_KILL_SESSIONS) > 0);
    check_lost_connection();
}

/* ---- main ---- */

static int start_world(void **state)
{
    (void)state;
    if (smb_fixture_start(&run.fixture, DIALECT, worker_program) != 0)
        return -1;
    snprintf(run.server, sizeof(run.server), "srv=127.0.0.1:%u", run.fixture.target.port);
    return winelab_open(&run.lab) ? 0 : -1;
}

static int stop_world(void **state)
{
    (void)state;
    winelab_close(&run.lab);
    smb_fixture_stop(&run.fixture);
    return 0;
}

/* After a test that failed: the next one has a machine of its own. */
static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PROGRAMS; i++)
        if (run.players[i].program.pid > 0)
            process_stop(run.players[i].program.pid, 0);
    memset(run.players, 0, sizeof(run.players));
    if (run.daemon.parent[0])
        daemon_kill(&run.daemon);
    run.daemon = (struct daemon){0};
    return 0;
}

/* Found out before CMocka, which knows no exit status 77. */
static int try_peers(void)
{
    struct smb_fixture fixture;
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    rc = smb_fixture_start(&fixture, DIALECT, worker_program);
    if (rc == 0)
        smb_fixture_stop(&fixture);
    return rc;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_killed_programs_leave_nothing, tear_down),
        cmocka_unit_test_teardown(test_killed_machine_is_an_error_and_a_new_one_is_clean, tear_down),
        cmocka_unit_test_teardown(test_killed_worker_loses_its_files_and_no_others, tear_down),
        cmocka_unit_test_teardown(test_killed_session_loses_its_files_and_no_others, tear_down),
    };
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: %s WORKER\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    worker_program = argv[1];
    rc = try_peers();
    if (rc != 0)
        return rc;
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    return cmocka_run_group_tests(tests, start_world, stop_world) != 0;
}
