/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_wine.c - from a Win32 program under Wine to the emulated machine and back. The machine serves \\mem\lab from
 * memory; the way from there to a real server is another test's.
 */
#include "claims.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARE "\\\\mem\\lab"

static struct program program; /* large */

static const char *const sp5[] = {"--build", "nt4-sp5", NULL};
static const char *const sp6[] = {"--build", "nt4-sp6", NULL};

static const char *const names[] = {
    "names",    "unc",      "unc-alone", "bare-letter", "drive",          "connections",
    "write",    "delete",   "rename",    "copy",        "last-error",     "overlapped",
    "refusals", "transmit", "pointers",  "relative",    "long-name",      "duplicate",
    "inherit",  "child",    "threads",   "local",       "freed-provider", "terminated-threads",
    NULL,
};
static const struct claims claims = {"tests/wine/probe.exe", names, {"X:", SHARE}, NULL, NULL};

/* ---- helpers ---- */

static void prepare(const char *exe, const struct daemon *daemon)
{
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, exe);
    program.machine = daemon ? daemon->folder : NULL;
}

static void prepare_probe(const char *claim, const struct daemon *daemon)
{
    claim_prepare(&program, &claims, claim, daemon, NULL);
}

static void prepare_createleak(const struct daemon *daemon, const char *const *options)
{
    int count = 3;

    prepare("tests/wine/createleak.exe", daemon);
    program.argv[1] = "X:";
    program.argv[2] = SHARE;
    while (options && *options)
        program.argv[count++] = *options++;
}

static void run(int seconds)
{
    if (!winelab_run(&lab, &program, seconds))
        fail_msg("%s did not run", program.argv[0]);
}

static void expect_status(int status)
{
    if (program.status != status)
        fail_msg("%s %s: exit status %d, not %d\n%s%s", program.argv[0], program.argv[1] ? program.argv[1] : "",
                 program.status, status, program.output, program.error);
}

static void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in:\n%s", part, text);
}

/* The number behind a field in the first line that begins so: "after", " pages=". */
static unsigned long long field_of(const char *line_start, const char *field)
{
    const char *line = program.output, *at;

    while (line && strncmp(line, line_start, strlen(line_start)) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    at = line ? strstr(line, field) : NULL;
    if (!at || at > line + strcspn(line, "\n"))
        fail_msg("no \"%s\" in a line \"%s\":\n%s", field, line_start, program.output);
    return strtoull(at + strlen(field), NULL, 10);
}

/* 0: nothing was left in the machine; 3: pool blocks were. */
static void stop_machine(struct daemon *daemon, int expected)
{
    int status = daemon_stop(daemon);

    if (status != expected)
        fail_msg("the machine ended with status %d, not %d", status, expected);
}

static void stop_clean(struct daemon *daemon)
{
    stop_machine(daemon, 0);
}

/* ---- claims about files on the drive ---- */

/* ---- the leak ---- */

static const char *const leak_options[] = {"/opens:2000", "/file:probe.txt", "/text:rdrlab probe",
                                           "/name:X:",    "/disconnect",     NULL};

static struct wire_machine run_leak(const char *const *build, int left, struct wire_machine *before)
{
    struct daemon daemon;
    struct wire_machine after;
    struct way way = {0};

    daemon_start(&daemon, build);
    way.client = daemon_connect(&daemon, 0);
    *before = way_machine(&way);
    prepare_createleak(&daemon, leak_options);
    run(60);
    expect_status(0);
    expect_text(program.output, "\nfile X:\\probe.txt 13 equal\n");
    expect_text(program.output, "\nerror 123 2000\n");
    expect_text(program.output, "\nreopen 0\n");
    await_machine(&way, 1, 0);
    after = way_machine(&way);
    wire_disconnect(way.client);
    stop_machine(&daemon, left);
    return after;
}

static void test_sp5_keeps_pool_for_every_failing_open(void **state)
{
    struct wire_machine before, after = run_leak(sp5, 3, &before);
    unsigned long long grown = (after.paged.live_bytes - before.paged.live_bytes) / 2000;

    assert_true(after.paged.live_blocks - before.paged.live_blocks >= 2000);
    assert_true(grown > 0);
    /* What the program read through Windows' API is the same growth, in pages. */
    assert_true(field_of("after", " pages=") > field_of("before", " pages=") + grown * 2000 / 4096 / 2);
    assert_int_equal(field_of("tag", " blocks="), 2000);
}

static void test_sp6_keeps_nothing(void **state)
{
    struct wire_machine before, after = run_leak(sp6, 0, &before);

    assert_true(after.paged.live_blocks - before.paged.live_blocks < 16);
    assert_int_equal(field_of("after", " pages="), field_of("before", " pages="));
    assert_null(strstr(program.output, "\ntag "));
}

/* With the pool used up a valid open fails too: the article's symptom. */
static void test_sp5_runs_out_of_paged_pool(void **state)
{
    static const char *const build[] = {"--build", "nt4-sp5", "--paged-limit", "4M", NULL};
    static const char *const options[] = {"/opens:1000000", "/file:probe.txt", "/until:1450", "/samples:4", NULL};
    struct daemon daemon;

    daemon_start(&daemon, build);
    prepare_createleak(&daemon, options);
    run(120);
    expect_status(6);
    expect_text(program.output, "\nerror 1450 1\n");
    expect_text(program.output, "\nreopen 1450\n");
    stop_machine(&daemon, 3);
}

static void test_createleak_says_what_is_wrong_with_its_arguments(void **state)
{
    static const struct {
        const char *argv[5];
        int status;
        const char *error;
    } table[] = {
        {{NULL}, 1, "a letter and a share"},
        {{"X:", NULL}, 1, "a letter and a share"},
        {{"XY:", SHARE, NULL}, 1, "not XY:"},
        {{"1:", SHARE, NULL}, 1, "not 1:"},
        {{"X:", "mem", NULL}, 1, "not mem"},
        {{"X:", SHARE, "/opens:0", NULL}, 1, "/opens:0"},
        {{"X:", SHARE, "/opens:4294967296", NULL}, 1, "/opens:"},
        {{"X:", SHARE, "/opens:ten", NULL}, 1, "/opens:ten"},
        {{"X:", SHARE, "/bogus", NULL}, 1, "/bogus"},
        {{"X:", SHARE, "/text:a", NULL}, 1, "/text needs /file"},
        {{"X:", SHARE, "/file:a*b", NULL}, 1, "/file:a*b"},
        {{"X:", SHARE "-missing", NULL}, 2, "error 67"},
        {{"X:", "\\\\nowhere\\lab", NULL}, 2, "error 53"},
        {{"C:", SHARE, NULL}, 2, "error 85"},
        {{"X:", SHARE, "/file:missing", "/disconnect", NULL}, 3, "error 2"},
        {{"X:", SHARE, "/user:somebody", NULL}, 2, "/user needs the password"},
    };
    struct daemon daemon;
    int failed = 0;

    daemon_start(&daemon, sp6);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        prepare("tests/wine/createleak.exe", &daemon);
        for (int j = 0; j < 4 && table[i].argv[j]; j++)
            program.argv[j + 1] = table[i].argv[j];
        run(60);
        if (program.status != table[i].status || !strstr(program.error, table[i].error)) {
            print_error("row %zu: exit status %d, not %d; no \"%s\" in:\n%s", i, program.status, table[i].status,
                        table[i].error, program.error);
            failed++;
        }
    }
    stop_clean(&daemon);
    assert_int_equal(failed, 0);
}

/* ---- sharing and time ---- */

static void test_close_then_exclusive_open_never_violates_sharing(void **state)
{
    struct daemon daemon;

    daemon_start(&daemon, sp6);
    prepare("tests/wine/createbench.exe", &daemon);
    memcpy(&program.argv[1], (const char *[]){"X:", SHARE, "reopen", "probe.txt", "2000", NULL}, 6 * sizeof(char *));
    run(60);
    expect_status(0);
    assert_int_equal(field_of("reopen", "opens="), 2000);
    assert_int_equal(field_of("reopen", "violations="), 0);
    stop_clean(&daemon);
}

/* The figure is printed, not judged: other tests run beside this one. */
static void test_failing_open_against_a_missing_local_file(void **state)
{
    struct daemon daemon;
    char folder[PATH_MAX];

    snprintf(folder, sizeof(folder), "%.*s/drive_c/empty", PATH_MAX - 32, lab.prefix.dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    daemon_start(&daemon, sp6);
    prepare("tests/wine/createbench.exe", &daemon);
    memcpy(&program.argv[1], (const char *[]){"X:", SHARE, "fail", "C:\\empty", "5000", NULL}, 6 * sizeof(char *));
    run(60);
    expect_status(0);
    print_message("%s", program.output);
    stop_clean(&daemon);
}

/* ---- dying ---- */

static void check_killed_holder(const char *transport)
{
    static const char *const options[] = {"/file:probe.txt", "/opens:1", "/disconnect", NULL};
    struct daemon daemon;
    struct program *holder = calloc(1, sizeof(*holder));
    struct way way = {0};

    assert_non_null(holder);
    daemon_start(&daemon, sp6);
    way.client = daemon_connect(&daemon, 0);
    prepare_probe("hold", &daemon);
    program.transport = transport;
    if (!winelab_start(&lab, &program, 60))
        fail_msg("nobody holds the file");
    *holder = program;
    prepare_createleak(&daemon, options);
    program.argv[1] = "Y:";
    run(60);
    expect_status(3);
    expect_text(program.error, "error 32");
    assert_int_equal(kill(holder->pid, SIGKILL), 0);
    assert_true(winelab_finish(&lab, holder, 60));
    assert_int_equal(holder->status, 128 + SIGKILL);
    await_machine(&way, 1, 0);
    prepare_createleak(&daemon, options);
    program.argv[1] = "Y:";
    run(60);
    expect_status(0);
    wire_disconnect(way.client);
    stop_clean(&daemon);
    free(holder);
}

static void test_killed_program_lets_go_of_its_file(void **state)
{
    check_killed_holder("raw");
}

static void test_killed_program_lets_go_of_its_file_when_mapped(void **state)
{
    check_killed_holder("mapped");
}

static void check_machine_death(const char *transport)
{
    struct daemon daemon;

    daemon_start(&daemon, sp6);
    prepare_probe("until-death", &daemon);
    program.transport = transport;
    if (!winelab_start(&lab, &program, 60))
        fail_msg("nothing runs");
    daemon_kill(&daemon);
    remove_folder(daemon.parent);
    assert_true(winelab_finish(&lab, &program, 60));
    expect_status(0);
}

static void test_dead_machine_is_an_error_and_no_hang(void **state)
{
    check_machine_death("raw");
}

static void test_dead_machine_is_an_error_and_no_hang_when_mapped(void **state)
{
    check_machine_death("mapped");
}

/* ---- without a machine, or with a wrong one ---- */

static void test_without_a_machine_nothing_is_hooked(void **state)
{
    prepare_probe("no-machine", NULL);
    run(60);
    expect_status(0);
    assert_string_equal(program.error, "");
}

static void test_absent_machine_is_no_network(void **state)
{
    prepare_probe("no-network", NULL);
    program.machine = "/tmp/rdrlab-no-such-machine";
    run(60);
    expect_status(0);
    expect_text(program.error, "no machine answers in /tmp/rdrlab-no-such-machine");
    prepare_probe("no-network", NULL);
    program.machine = "relative";
    run(60);
    expect_status(0);
    expect_text(program.error, "absolute");
}

/* Answers one HELLO as a machine of another version would, or with nonsense. */
static pid_t serve_once(const char *path, const void *answer, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), client;
    char message[1024];
    pid_t pid;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    pid = fork();
    assert_true(pid >= 0);
    while (pid == 0) {
        client = accept(listener, NULL, NULL);
        if (client < 0 || recv(client, message, sizeof(message), 0) <= 0 || send(client, answer, size, 0) < 0)
            _exit(1);
        close(client);
    }
    close(listener);
    return pid;
}

static void check_wrong_machine(const void *answer, size_t size, const char *said)
{
    char folder[] = "/tmp/rdrlab-wine-XXXXXX", path[64];
    pid_t server;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    server = serve_once(path, answer, size);
    prepare_probe("no-network", NULL);
    program.machine = folder;
    run(60);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    remove_folder(folder);
    expect_status(0);
    expect_text(program.error, said);
}

static void test_machine_of_another_version_is_named(void **state)
{
    struct wire_header answer = {WIRE_MAGIC, WIRE_VERSION + 8, WIRE_HELLO, sizeof(answer), STATUS_REVISION_MISMATCH};

    char words[96];

    snprintf(words, sizeof(words), "speaks version %d of the protocol, this provider version %d", WIRE_VERSION + 8,
             WIRE_VERSION);
    check_wrong_machine(&answer, sizeof(answer), words);
}

static void test_nonsense_from_the_socket_is_no_machine(void **state)
{
    check_wrong_machine("GET / HTTP/1.0\r\n\r\n", 18, "is not the folder of an rdrlab machine");
}

static void test_unknown_wine_is_refused_by_name(void **state)
{
    struct daemon daemon;

    daemon_start(&daemon, sp6);
    prepare_probe("unknown-stub", &daemon);
    run(60);
    expect_status(0);
    expect_text(program.error, "unknown Wine (");
    expect_text(program.error, "NtQueryEaFile is 4c 8b d1 b8");
    stop_clean(&daemon);
}

/* ---- rdrlabrun ---- */

static void test_launcher_passes_everything_through(void **state)
{
    const char *probe = winelab_program(&lab, "tests/wine/probe.exe");
    struct daemon daemon;

    daemon_start(&daemon, sp6);
    prepare("emu/win32/rdrlabrun.exe", &daemon);
    memcpy(&program.argv[1],
           (const char *[]){"/map:X:=//mem/lab", probe, "arguments", "a b", "", "c\"d", "e\\", "f\\ g\\", "\xc3\xa4",
                            NULL},
           10 * sizeof(char *));
    program.input = "first\nsecond\n";
    run(60);
    expect_status(42);
    expect_text(program.output, "[a b]\n[]\n[c\"d]\n[e\\]\n[f\\ g\\]\n");
    expect_text(program.output, "<first\n<second\n");
    /* A program that has never heard of networks, on the letter that is mapped now. */
    prepare("emu/win32/rdrlabrun.exe", &daemon);
    memcpy(&program.argv[1], (const char *[]){"cmd", "/c", "type X:\\probe.txt & exit 7", NULL}, 4 * sizeof(char *));
    run(60);
    expect_status(7);
    assert_string_equal(program.output, "rdrlab probe\n");
    stop_clean(&daemon);
}

static void test_launcher_says_what_is_wrong(void **state)
{
    static const struct {
        const char *argv[4];
        bool machine;
        int status;
        const char *error;
    } table[] = {
        {{NULL}, true, 125, "usage:"},
        {{"/map:X", "cmd", NULL}, true, 125, "/map:X:="},
        {{"/map:X:=//mem/missing", "cmd", NULL}, true, 125, "error 67"},
        {{"no such program.exe", NULL}, true, 127, "cannot be started (error 2)"},
        {{"cmd", NULL}, false, 125, "RDRLAB_MACHINE is not set"},
    };
    char other[PATH_MAX];
    struct daemon daemon;
    int failed = 0;

    daemon_start(&daemon, sp6);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        prepare("emu/win32/rdrlabrun.exe", table[i].machine ? &daemon : NULL);
        for (int j = 0; j < 3 && table[i].argv[j]; j++)
            program.argv[j + 1] = table[i].argv[j];
        run(60);
        if (program.status != table[i].status || !strstr(program.error, table[i].error)) {
            print_error("row %zu: exit status %d, not %d; no \"%s\" in:\n%s", i, program.status, table[i].status,
                        table[i].error, program.error);
            failed++;
        }
    }
    prepare("emu/win32/rdrlabrun.exe", &daemon);
    snprintf(other, sizeof(other), "%s/tests/wine/imageprog.exe", getenv("RDRLAB_WIN32_DIR"));
    program.argv[1] = other;
    run(60);
    expect_status(125);
    assert_non_null(strstr(program.error, "does not run on a machine: it is a 32-bit program"));
    stop_clean(&daemon);
    assert_int_equal(failed, 0);
}

static void write_line(const char *path, const char *line)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fprintf(file, "%s\n", line);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

/* The machine's account is one user's; a wrong password is refused, and not taken for a guest. */
static void test_passwords_arrive(void **state)
{
    char right[PATH_MAX], wrong[PATH_MAX];
    const char *const account[] = {"--build", "nt4-sp6", "--user", "alice", "--password-file", right, NULL};
    static const char *const options[] = {"/user:alice", "/opens:1", "/disconnect", NULL};
    struct daemon daemon;

    snprintf(right, sizeof(right), "%s/right", lab.folder);
    snprintf(wrong, sizeof(wrong), "%s/wrong", lab.folder);
    write_line(right, "s\xc3\xa4same \"1|2");
    write_line(wrong, "other");
    daemon_start(&daemon, account);

    prepare_createleak(&daemon, options);
    program.input = "s\xc3\xa4same \"1|2\n";
    run(60);
    expect_status(0);
    prepare_createleak(&daemon, options);
    program.input = "other\n";
    run(60);
    expect_status(2);

    prepare("emu/win32/rdrlabrun.exe", &daemon);
    memcpy(&program.argv[1], (const char *[]){"/map:X:=//mem/lab", "/user:alice", "cmd", "/c", "exit 3", NULL},
           6 * sizeof(char *));
    program.password_file = wrong;
    run(60);
    expect_status(125);
    program.password_file = right;
    run(60);
    expect_status(3);
    stop_clean(&daemon);
}

/* ---- main ---- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIMS_TEST(test_claims_hold_over_system_calls, &claims),
        CLAIMS_TEST(test_claims_hold_over_mapped_regions, &claims),
        cmocka_unit_test(test_sp5_keeps_pool_for_every_failing_open),
        cmocka_unit_test(test_sp6_keeps_nothing),
        cmocka_unit_test(test_sp5_runs_out_of_paged_pool),
        cmocka_unit_test(test_createleak_says_what_is_wrong_with_its_arguments),
        cmocka_unit_test(test_close_then_exclusive_open_never_violates_sharing),
        cmocka_unit_test(test_failing_open_against_a_missing_local_file),
        cmocka_unit_test(test_killed_program_lets_go_of_its_file),
        cmocka_unit_test(test_killed_program_lets_go_of_its_file_when_mapped),
        cmocka_unit_test(test_dead_machine_is_an_error_and_no_hang),
        cmocka_unit_test(test_dead_machine_is_an_error_and_no_hang_when_mapped),
        cmocka_unit_test(test_without_a_machine_nothing_is_hooked),
        cmocka_unit_test(test_absent_machine_is_no_network),
        cmocka_unit_test(test_machine_of_another_version_is_named),
        cmocka_unit_test(test_nonsense_from_the_socket_is_no_machine),
        cmocka_unit_test(test_unknown_wine_is_refused_by_name),
        cmocka_unit_test(test_launcher_passes_everything_through),
        cmocka_unit_test(test_launcher_says_what_is_wrong),
        cmocka_unit_test(test_passwords_arrive),
    };
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
