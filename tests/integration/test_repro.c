/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_repro.c - "rdrlab repro" and "rdrlab run" whole: Wine, machines, a private smbd. Needs all of them.
 *
 * Arguments: the build folder of the Windows half. RDRLAB_SOAK in the environment: full counts.
 */
#include "command.h"
#include "files.h"
#include "process.h"
#include "wineprefix.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

static struct command command;
static char folder[64]; /* TMPDIR of every command: labs live in it, and must be gone afterwards */
static char variable[96];
static const char *const environment[] = {variable, "RDRLAB_MACHINE", NULL};

static bool soaking(void)
{
    const char *soak = getenv("RDRLAB_SOAK");

    return soak != NULL && soak[0] != '\0';
}

/* testbed prints such lines at the end of a long run. */
static void print_figures(void)
{
    char *rest = command.out, *line;

    if (!soaking())
        return;
    while ((line = strsep(&rest, "\n")) != NULL)
        printf("soak: %s\n", line);
    fflush(stdout);
}

static int count_entries(void)
{
    DIR *dir = opendir(folder);
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2;
}

/* Processes whose command line or environment names the folder. */
static int count_processes(void)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        static char text[131072];
        char path[300];
        size_t length = 0;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || atoi(entry->d_name) == (int)getpid())
            continue;
        for (int i = 0; i < 2; i++) {
            FILE *file;

            snprintf(path, sizeof(path), "/proc/%s/%s", entry->d_name, i == 0 ? "cmdline" : "environ");
            file = fopen(path, "re");
            length += file != NULL ? fread(text + length, 1, sizeof(text) - length, file) : 0;
            if (file != NULL)
                fclose(file);
        }
        count += memmem(text, length, folder, strlen(folder)) != NULL;
    }
    closedir(dir);
    return count;
}

static void check_nothing_is_left(void)
{
    /* What a killed command leaves running ends by itself, a little later; half a minute is for what does not. */
    for (int i = 0; i < 1500 && count_processes() != 0; i++)
        process_pause(20);
    assert_int_equal(count_processes(), 0);
    assert_int_equal(count_entries(), 0);
}

static void rdrlab(const char *const *arguments, int seconds)
{
    const char *argv[40] = {RDRLAB};

    for (int i = 0; arguments[i] != NULL; i++)
        argv[i + 1] = arguments[i];
    run_command(&command, argv, environment, seconds);
}

#define RDRLAB_RUN(seconds, ...) rdrlab((const char *const[]){__VA_ARGS__, NULL}, seconds)

/* ---- repro ---- */

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no key \"%s\"", key);
    return value;
}

static int64_t number(struct json_object *object, const char *key)
{
    return json_object_get_int64(member(object, key));
}

/* One call more, and what it kept is what each of the others kept. */
static void check_trace(struct json_object *trace, int64_t blocks, int64_t bytes)
{
    struct json_object *kept = member(member(member(trace, "pool"), "paged"), "kept");

    assert_string_equal(json_object_get_string(member(trace, "status_name")), "STATUS_OBJECT_NAME_INVALID");
    assert_string_equal(json_object_get_string(member(member(trace, "decided_by"), "layer")), "Rdr");
    assert_int_equal(number(kept, "blocks"), blocks);
    assert_int_equal(number(kept, "bytes"), bytes);
}

static void check_run(struct json_object *run, int64_t opens)
{
    const char *build = json_object_get_string(member(run, "build"));
    bool leaks = strstr(build, "sp6") == NULL;
    struct json_object *sites = member(run, "sites");
    int64_t blocks = number(run, "leaked_blocks"), bytes = number(run, "leaked_bytes");

    if (number(run, "opens") != opens || number(member(run, "errors"), "123") != opens)
        fail_msg("%s: not every call failed with 123", build);
    if (strcmp(json_object_get_string(member(run, "verdict")), leaks ? "leaks" : "clean") != 0)
        fail_msg("%s: the verdict is %s", build, json_object_get_string(member(run, "verdict")));
    assert_int_equal(number(run, "paged_after") - number(run, "paged_before"), bytes);
    assert_int_equal(blocks, leaks ? opens : 0);
    check_trace(member(run, "trace"), blocks / opens, bytes / opens);
    assert_int_equal(json_object_array_length(sites), leaks ? 1 : 0);
    if (leaks) {
        struct json_object *site = json_object_array_get_idx(sites, 0);
        int64_t pages = number(run, "pages_after") - number(run, "pages_before");

        assert_string_equal(json_object_get_string(member(site, "file")), "rdr/create.c");
        assert_int_equal(number(site, "blocks"), opens);
        assert_int_equal(number(site, "bytes"), bytes);
        /* As many pages as the bytes need, give or take the free blocks that wait in the pool's lists. */
        if (pages < bytes / 4096 - 16 || pages > bytes / 4096 * 9 / 8 + 16)
            fail_msg("%s: %lld pages for %lld bytes", build, (long long)pages, (long long)bytes);
    } else {
        assert_true(number(run, "pages_after") <= number(run, "pages_before") + 16);
    }
}

static void check_report(const char *path, size_t runs, int64_t opens, const char *dialect)
{
    struct json_object *report = json_object_from_file(path);
    struct json_object *array;

    assert_non_null(report);
    assert_true(json_object_get_boolean(member(report, "pass")));
    assert_string_equal(json_object_get_string(member(report, "case")), "Q235425");
    assert_string_equal(json_object_get_string(member(report, "client")), "createleak.exe");
    assert_int_equal(strncmp(json_object_get_string(member(report, "wine")), "wine-", 5), 0);
    assert_string_equal(json_object_get_string(member(report, "dialect")), dialect);
    array = member(report, "runs");
    assert_int_equal(json_object_array_length(array), runs);
    for (size_t i = 0; i < runs; i++)
        check_run(json_object_array_get_idx(array, i), opens);
    json_object_put(report);
}

static void test_every_build_leaks_or_is_clean_as_documented(void **state)
{
    const char *opens = soaking() ? "1000000" : "500";
    char json[96], chart[96], image[112];
    struct stat info;

    (void)state;
    snprintf(json, sizeof(json), "%s/report.json", folder);
    snprintf(chart, sizeof(chart), "%s/chart", folder);
    RDRLAB_RUN(1200, "repro", "--build", "nt4-sp4", "--build", "nt4-sp5", "--build", "nt4-sp6", "--build", "nt4-sp6a",
               "--build", "tse-sp4", "--build", "tse-sp5", "--build", "tse-sp6", "--name", "X:", "--name", "X:\\a|b",
               "--name", "X:\\a*b", "--opens", opens, "--paged-limit", soaking() ? "4096" : "192", "--json", json,
               "--chart", chart);
    if (command.status != 0)
        fail_msg("status %d: %s%s", command.status, command.out, command.err);
    print_figures();
    assert_non_null(strstr(command.out, "nt4-sp5, one call more:\nNtCreateFile \"\\??\\X:\\\"  access "));
    check_report(json, 21, atoll(opens), "SMB3_11");
    snprintf(image, sizeof(image), "%s.png", chart);
    assert_int_equal(stat(image, &info), 0);
    assert_true(info.st_size > 10000);
    unlink(image);
    snprintf(image, sizeof(image), "%s.svg", chart);
    assert_int_equal(stat(image, &info), 0);
    unlink(image);
    unlink(json);
    check_nothing_is_left();
}

static void test_old_dialect_is_spoken_when_asked_for(void **state)
{
    char json[96];

    (void)state;
    snprintf(json, sizeof(json), "%s/report.json", folder);
    RDRLAB_RUN(120, "repro", "--name", "X:", "--opens", "200", "--dialect", "NT1", "--json", json);
    assert_int_equal(command.status, 0);
    check_report(json, 2, 200, "NT1");
    unlink(json);
    check_nothing_is_left();
}

static void test_exhausted_machine_refuses_and_logs_event_2020(void **state)
{
    (void)state;
    RDRLAB_RUN(600, "repro", "--exhaust", "--paged-limit", soaking() ? "192" : "4");
    if (command.status != 0)
        fail_msg("status %d: %s%s", command.status, command.out, command.err);
    assert_non_null(strstr(command.out, "CreateFile(\"X:\") fails with 1450 (ERROR_NO_SYSTEM_RESOURCES)"));
    assert_non_null(strstr(command.out, "event log: 2020 Srv: "));
    assert_non_null(strstr(command.out, "a valid file: error 1450"));
    assert_non_null(strstr(command.out, "nt4-sp6: "));
    print_figures();
    check_nothing_is_left();
}

static void test_name_that_opens_is_not_as_expected(void **state)
{
    (void)state;
    RDRLAB_RUN(120, "repro", "--build", "nt4-sp6", "--name", "X:\\probe.txt", "--opens", "20");
    assert_int_equal(command.status, 1);
    assert_non_null(strstr(command.out, "NOT AS EXPECTED: nt4-sp6 CreateFile(\"X:\\probe.txt\"): createleak.exe could "
                                        "open the name"));
    assert_non_null(strstr(command.out, "0 of 20 calls failed with error 123"));
    check_nothing_is_left();
}

/* ---- keep and stop ---- */

static void test_kept_machine_can_be_looked_at_used_and_stopped(void **state)
{
    char dir[128] = "", *found;

    (void)state;
    RDRLAB_RUN(120, "repro", "--keep", "--build", "nt4-sp5", "--name", "X:", "--opens", "100");
    assert_int_equal(command.status, 0);
    found = strstr(command.out, "poolmon --once --machine ");
    assert_non_null(found);
    assert_int_equal(sscanf(found, "poolmon --once --machine %127s", dir), 1);
    RDRLAB_RUN(20, "poolmon", "--once", "--machine", dir);
    assert_int_equal(command.status, 0);
    assert_non_null(strstr(command.out, "nt4-sp5"));
    assert_non_null(strstr(command.out, "rdr/create.c:"));
    RDRLAB_RUN(20, "events", "--machine", dir);
    assert_int_equal(command.status, 0);
    /* Twice: the second finds the letter mapped as it wants it. */
    for (int i = 0; i < 2; i++) {
        RDRLAB_RUN(60, "run", "--machine", dir, "--", "cmd", "/c", "dir /b X:\\");
        assert_int_equal(command.status, 0);
        assert_string_equal(command.out, "probe.txt\r\n");
    }
    RDRLAB_RUN(60, "stop", "--machine", dir);
    assert_int_equal(command.status, 0);
    check_nothing_is_left();
    RDRLAB_RUN(60, "stop", "--machine", dir);
    assert_int_equal(command.status, 3);
}

/* ---- run ---- */

static void test_run_passes_streams_arguments_and_status_through(void **state)
{
    char share[96], path[128];

    (void)state;
    snprintf(share, sizeof(share), "%s/share", folder);
    assert_int_equal(mkdir(share, 0700), 0);
    snprintf(path, sizeof(path), "%s/hello.txt", share);
    assert_int_equal(file_write(path, "from the share\r\n"), 0);
    RDRLAB_RUN(60, "run", "--build", "nt4-sp5", "--share", share, "--letter", "q", "--", "cmd", "/c",
               "type Q:\\hello.txt && echo on stderr>&2 && copy Q:\\hello.txt Q:\\copy.txt >nul && exit 7");
    if (command.status != 7)
        fail_msg("status %d: %s%s", command.status, command.out, command.err);
    assert_string_equal(command.out, "from the share\r\n");
    assert_non_null(strstr(command.err, "on stderr"));
    snprintf(path, sizeof(path), "%s/copy.txt", share);
    file_last_line(path, path, sizeof(path));
    assert_string_equal(path, "from the share");
    tree_remove(share);
    check_nothing_is_left();
}

static void test_run_on_a_taken_port_says_so(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[16];

    (void)state;
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
    RDRLAB_RUN(60, "run", "--port", port, "--", "cmd", "/c", "exit");
    close(fd);
    assert_int_equal(command.status, 3);
    if (strstr(command.err, port) == NULL)
        fail_msg("the port is not named: %s", command.err);
    check_nothing_is_left();
}

static void test_run_with_a_wrong_password_says_so(void **state)
{
    char file[96];

    (void)state;
    snprintf(file, sizeof(file), "%s/password", folder);
    assert_int_equal(file_write(file, "not the password\n"), 0);
    RDRLAB_RUN(60, "run", "--user", "nobody-of-that-name", "--password-file", file, "--", "cmd", "/c", "exit");
    unlink(file);
    assert_int_equal(command.status, 125);
    /* ERROR_LOGON_FAILURE or ERROR_INVALID_PASSWORD */
    if (strstr(command.err, "error 1326") == NULL && strstr(command.err, "error 86") == NULL)
        fail_msg("%s", command.err);
    check_nothing_is_left();
}

static void test_program_that_does_not_exist_is_named(void **state)
{
    (void)state;
    RDRLAB_RUN(60, "run", "--", "/nowhere/program.exe");
    assert_int_equal(command.status, 3);
    assert_non_null(strstr(command.err, "/nowhere/program.exe: No such file"));
    check_nothing_is_left();
}

static void test_programs_that_are_too_old_are_refused_by_their_version(void **state)
{
    static const struct {
        const char *name, *script, *says;
    } rows[] = {
        {"wine", "#!/bin/sh\necho 'wine-6.0.3 (Debian 6.0.3~repack-1)'\n",
         "is wine-6.0.3; Wine 8.0 or newer is needed"},
        {"wine", "#!/bin/sh\necho hello\n", "does not say which Wine it is (\"hello\")"},
        {"smbd", "#!/bin/sh\necho Version 4.13.13-Debian\n", "smbd 4.13 is too old: 4.15 or newer"},
    };
    char bin[96], path[128], variable_path[160];
    const char *argv[] = {RDRLAB, "run", "--", "cmd", "/c", "exit", NULL};
    const char *const old[] = {variable, variable_path, NULL};

    (void)state;
    snprintf(bin, sizeof(bin), "%s/bin", folder);
    snprintf(variable_path, sizeof(variable_path), "PATH=%s:/usr/bin:/bin", bin);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(mkdir(bin, 0700), 0);
        snprintf(path, sizeof(path), "%s/%s", bin, rows[i].name);
        assert_int_equal(file_write(path, rows[i].script), 0);
        chmod(path, 0700);
        run_command(&command, argv, old, 60);
        tree_remove(bin);
        if (command.status != 3 || strstr(command.err, rows[i].says) == NULL)
            fail_msg("row %zu: status %d: %s", i, command.status, command.err);
        check_nothing_is_left();
    }
}

/* ---- interrupts ---- */

static void interrupt_after(int signal_number, const char *word)
{
    const char *argv[] = {RDRLAB, "repro", "--build", "nt4-sp6", "--opens", "4000000000", NULL};
    FILE *out = tmpfile(), *err = tmpfile();
    char text[4096] = "";
    pid_t pid;

    assert_true(out != NULL && err != NULL);
    pid = start_command(argv, environment, fileno(out), fileno(err));
    for (int i = 0; i < 3000 && strstr(text, word) == NULL; i++) {
        ssize_t length;

        process_pause(10);
        length = pread(fileno(err), text, sizeof(text) - 1, 0);
        text[length > 0 ? length : 0] = '\0';
    }
    kill(pid, signal_number);
    finish_command(&command, pid, fileno(out), fileno(err), 60);
    fclose(out);
    fclose(err);
}

static void test_interrupt_at_any_moment_leaves_nothing(void **state)
{
    static const char *const moments[] = {"starting", "booting", "CreateFile"};

    (void)state;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        interrupt_after(i % 2 == 0 ? SIGTERM : SIGINT, moments[i]);
        if (command.status != 130)
            fail_msg("row %zu: status %d: %s", i, command.status, command.err);
        check_nothing_is_left();
    }
}

static void test_killed_command_leaves_only_files_that_stop_removes(void **state)
{
    (void)state;
    interrupt_after(SIGKILL, "CreateFile");
    assert_int_equal(command.status, 128 + SIGKILL);
    for (int i = 0; i < 1500 && count_processes() != 0; i++)
        process_pause(20);
    assert_int_equal(count_processes(), 0);
    assert_true(count_entries() > 0);
    RDRLAB_RUN(30, "stop", "--all");
    assert_int_equal(command.status, 0);
    check_nothing_is_left();
}

/* Starts one of the daemons; `line`: the last that it says once it listens. */
static pid_t start_daemon(const char *const *arguments, char *line, size_t size)
{
    const char *argv[24] = {NULL};
    char number[16];
    int ready[2], count = 0;
    struct process_spec spec = {.argv = (char *const *)argv, .in = -1, .out = -1, .err = 2};
    struct line_reader reader;
    char *text;
    pid_t pid;

    while (*arguments != NULL)
        argv[count++] = *arguments++;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    snprintf(number, sizeof(number), "%d", ready[1]);
    argv[count++] = "--ready-fd";
    argv[count++] = number;
    spec.keep = ready[1];
    assert_int_equal(process_start(&spec, &pid), 0);
    close(ready[1]);
    reader = (struct line_reader){.fd = ready[0]};
    line[0] = '\0';
    while (line_read(&reader, 20000, &text) > 0)
        snprintf(line, size, "%s", text);
    close(ready[0]);
    assert_true(line[0] != '\0');
    return pid;
}

static int64_t opens_of(const char *path)
{
    struct json_object *report = json_object_from_file(path), *runs, *opens;
    int64_t number;

    assert_non_null(report);
    assert_true(json_object_object_get_ex(report, "runs", &runs));
    assert_true(json_object_object_get_ex(json_object_array_get_idx(runs, 0), "opens", &opens));
    number = json_object_get_int64(opens);
    json_object_put(report);
    return number;
}

/* Two commands, each a client of one machine that neither of them has booted, by way of a relay. */
static void test_several_clients_call_together_on_a_machine_elsewhere(void **state)
{
    char machine[96], relay[96], secret[96], meeting[96], json[2][160], chart[2][160], address[64], line[PATH_MAX];
    const char *machine_arguments[] = {
        RDRLABD,    "--backend",   "mem",           "--build", "nt4-sp5",           "--dir", machine,
        "--listen", "127.0.0.1:0", "--secret-file", secret,    "--die-with-parent", NULL};
    const char *relay_arguments[] = {
        RELAY, "--dir", relay, "--redirector", address, "--secret-file", secret, "--die-with-parent", NULL};
    int out[2], err[2];
    pid_t machine_pid, relay_pid, pids[2];

    (void)state;
    snprintf(machine, sizeof(machine), "%s/machine", folder);
    snprintf(relay, sizeof(relay), "%s/relay", folder);
    snprintf(secret, sizeof(secret), "%s/secret", folder);
    snprintf(meeting, sizeof(meeting), "%s/meeting", folder);
    assert_int_equal(file_write(secret, "what the two daemons of this test share"), 0);
    assert_int_equal(mkdir(meeting, 0700), 0);
    machine_pid = start_daemon(machine_arguments, address, sizeof(address));
    relay_pid = start_daemon(relay_arguments, line, sizeof(line));
    for (int i = 0; i < 2; i++) {
        const char *argv[] = {RDRLAB,    "repro", "--machine",  relay,    "--share", "\\\\mem\\lab",
                              "--opens", "300",   "--together", meeting,  "--of",    "2",
                              "--json",  json[i], "--chart",    chart[i], NULL};

        snprintf(json[i], sizeof(json[i]), "%s/%d.json", meeting, i);
        snprintf(chart[i], sizeof(chart[i]), "%s/chart%d", meeting, i);
        out[i] = memfd_create("out", MFD_CLOEXEC);
        err[i] = memfd_create("err", MFD_CLOEXEC);
        pids[i] = start_command(argv, environment, out[i], err[i]);
    }
    for (int i = 0; i < 2; i++) {
        finish_command(&command, pids[i], out[i], err[i], 120);
        close(out[i]);
        close(err[i]);
        if (command.status != 0)
            fail_msg("client %d: exit status %d: %s%s", i, command.status, command.out, command.err);
        assert_non_null(strstr(command.out, "2 clients at once, 600 opens"));
        assert_int_equal(opens_of(json[i]), 600);
    }
    assert_int_equal(process_stop(relay_pid, 30000), 0);
    assert_int_equal(process_stop(machine_pid, 30000), 3); /* the leak */
    tree_remove(meeting);
    unlink(secret);
    check_nothing_is_left();
}

static int make_tmpdir(void **state)
{
    (void)state;
    make_folder(folder);
    snprintf(variable, sizeof(variable), "TMPDIR=%s", folder);
    return 0;
}

static int remove_tmpdir(void **state)
{
    (void)state;
    RDRLAB_RUN(60, "stop", "--all"); /* what a failed test has kept */
    tree_remove(folder);
    return 0;
}

int main(int argc, char **argv)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_tmpdir, remove_tmpdir)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(test_every_build_leaks_or_is_clean_as_documented),
        IN_A_FOLDER(test_old_dialect_is_spoken_when_asked_for),
        IN_A_FOLDER(test_exhausted_machine_refuses_and_logs_event_2020),
        IN_A_FOLDER(test_name_that_opens_is_not_as_expected),
        IN_A_FOLDER(test_kept_machine_can_be_looked_at_used_and_stopped),
        IN_A_FOLDER(test_several_clients_call_together_on_a_machine_elsewhere),
        IN_A_FOLDER(test_run_passes_streams_arguments_and_status_through),
        IN_A_FOLDER(test_run_on_a_taken_port_says_so),
        IN_A_FOLDER(test_run_with_a_wrong_password_says_so),
        IN_A_FOLDER(test_program_that_does_not_exist_is_named),
        IN_A_FOLDER(test_programs_that_are_too_old_are_refused_by_their_version),
        IN_A_FOLDER(test_interrupt_at_any_moment_leaves_nothing),
        IN_A_FOLDER(test_killed_command_leaves_only_files_that_stop_removes),
    };
    char path[PATH_MAX];

    if (argc < 2 || argv[1][0] == '\0')
        return skip_or_fail("no build folder of the Windows half is given: meson option win64_dir");
    snprintf(path, sizeof(path), "%s/tests/wine/createleak.exe", argv[1]);
    if (access(path, R_OK) != 0)
        return skip_or_fail("the Windows half is not built: createleak.exe");
    if (process_find_program("wine", path, sizeof(path)) != 0 ||
        process_find_program("smbd", path, sizeof(path)) != 0 ||
        process_find_program("gnuplot", path, sizeof(path)) != 0)
        return skip_or_fail("wine, smbd or gnuplot is not installed");
    process_watch_interrupts();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
