/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_smbserver.c - the private smbd: it starts, it ends with whoever started it, and it says what is wrong.
 * usage: test_smbserver PROGRAM   (rdrlab-smbserver)
 */
#include "smbserver.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_MS 30000 /* for what must happen; nothing here measures time */

static const char *program;
static char top[32]; /* everything is below it; removed at the end */

/* ---- helpers ---- */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A new pair of folders: the server's, and the shared one inside it. */
static void make_folders(char *dir, char *share)
{
    static unsigned count;

    snprintf(dir, 48, "%s/%u", top, count++);
    snprintf(share, 64, "%s/share", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(share, 0700), 0);
}

static struct smbserver *start(char *dir, char *share)
{
    struct smbserver_options options = {.dir = dir, .share_dir = share};
    struct smbserver *server = NULL;
    char error[4096] = "";

    make_folders(dir, share);
    if (smbserver_start(&options, &server, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return server;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool listens(uint16_t port)
{
    int fd = connect_to(port);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Processes of a group that are more than zombies nobody has reaped. */
static int living(pid_t group)
{
    struct dirent *entry;
    DIR *dir = opendir("/proc");
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[300], name[64], state;
        int pid, parent, its_group;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        if (atoi(entry->d_name) <= 0 || (file = fopen(path, "re")) == NULL)
            continue;
        if (fscanf(file, "%d (%63[^)]) %c %d %d", &pid, name, &state, &parent, &its_group) == 5 && its_group == group &&
            state != 'Z' && state != 'X')
            count++;
        fclose(file);
    }
    closedir(dir);
    return count;
}

/* A smbclient would need a package of its own: what is asked here is only whether a session process exists. */
static void wait_for_sessions(struct smbserver *server, int wanted)
{
    uint64_t deadline = now_ms() + LIMIT_MS;

    while (smbserver_signal(server, SMBSERVER_RESUME_SESSIONS) != wanted) {
        if (now_ms() > deadline)
            fail_msg("there are never %d sessions", wanted);
        usleep(2000);
    }
}

/* ---- life ---- */

static void test_start_and_stop_leave_nothing(void **state)
{
    char dir[48], share[64];
    struct smbserver *server = start(dir, share);
    uint16_t port = smbserver_port(server);
    pid_t pid = smbserver_pid(server);
    struct stat st;

    (void)state;
    print_message("peer: smbd %s as uid %u\n", smbserver_version(server), (unsigned)geteuid());
    assert_true(listens(port));
    assert_true(living(pid) >= 1);
    assert_int_equal(getpgid(pid), pid);
    assert_int_equal(strlen(smbserver_password(server)), 32);
    assert_int_equal(stat(smbserver_password_file(server), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 33);
    smbserver_stop(server);
    assert_int_equal(living(pid), 0);
    assert_false(listens(port));
    smbserver_stop(NULL);
}

static void test_the_same_folder_serves_again(void **state)
{
    char dir[48], share[64], error[4096];
    struct smbserver *server = start(dir, share);
    struct smbserver_options options = {.dir = dir, .share_dir = share};

    (void)state;
    smbserver_stop(server);
    assert_int_equal(smbserver_start(&options, &server, error, sizeof(error)), 0);
    assert_true(listens(smbserver_port(server)));
    smbserver_stop(server);
}

static void test_two_in_parallel_do_not_meet(void **state)
{
    char dir[48], share[64], other_dir[48], other_share[64];
    struct smbserver *server = start(dir, share), *other = start(other_dir, other_share);

    (void)state;
    assert_int_not_equal(smbserver_port(server), smbserver_port(other));
    assert_string_not_equal(smbserver_password(server), smbserver_password(other));
    smbserver_stop(server);
    assert_true(listens(smbserver_port(other)));
    smbserver_stop(other);
}

static void test_restart_keeps_the_port(void **state)
{
    char dir[48], share[64], error[4096] = "";
    struct smbserver *server = start(dir, share);
    uint16_t port = smbserver_port(server);
    pid_t pid = smbserver_pid(server);

    (void)state;
    smbserver_halt(server);
    assert_int_equal(smbserver_pid(server), 0);
    assert_int_equal(living(pid), 0);
    assert_false(listens(port));
    smbserver_halt(server);
    assert_int_equal(smbserver_signal(server, SMBSERVER_KILL_SESSIONS), 0);
    assert_int_equal(smbserver_restart(server, error, sizeof(error)), 0);
    assert_int_equal(smbserver_port(server), port);
    assert_true(listens(port));
    assert_int_equal(smbserver_restart(server, error, sizeof(error)), 0);
    assert_true(listens(port));
    smbserver_stop(server);
}

static void test_sessions_stop_go_on_and_die_alone(void **state)
{
    char dir[48], share[64], byte;
    struct smbserver *server = start(dir, share);
    struct pollfd p = {.events = POLLIN};

    (void)state;
    assert_int_equal(smbserver_signal(server, SMBSERVER_RESUME_SESSIONS), 0);
    p.fd = connect_to(smbserver_port(server));
    assert_true(p.fd >= 0);
    wait_for_sessions(server, 1);
    assert_int_equal(smbserver_signal(server, SMBSERVER_PAUSE_SESSIONS), 1);
    assert_int_equal(smbserver_signal(server, SMBSERVER_RESUME_SESSIONS), 1);
    assert_int_equal(smbserver_signal(server, SMBSERVER_PAUSE_SESSIONS), 1);
    assert_int_equal(smbserver_signal(server, SMBSERVER_KILL_SESSIONS), 1);
    assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
    assert_true(recv(p.fd, &byte, 1, 0) <= 0);
    close(p.fd);
    assert_true(listens(smbserver_port(server)));
    smbserver_stop(server);
}

static void test_a_stopped_session_does_not_outlive_the_server(void **state)
{
    char dir[48], share[64];
    struct smbserver *server = start(dir, share);
    pid_t pid = smbserver_pid(server);
    int fd = connect_to(smbserver_port(server));

    (void)state;
    assert_true(fd >= 0);
    while (smbserver_signal(server, SMBSERVER_PAUSE_SESSIONS) == 0)
        usleep(2000);
    smbserver_stop(server);
    assert_int_equal(living(pid), 0);
    close(fd);
}

static void test_a_subreaper_is_left_no_zombies(void **state)
{
    char dir[48], share[64];
    struct smbserver *server;
    int fd;

    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    server = start(dir, share);
    fd = connect_to(smbserver_port(server));
    wait_for_sessions(server, fd >= 0 ? 1 : 0);
    smbserver_stop(server);
    close(fd);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

/* ---- the program, and its death ---- */

struct child {
    pid_t pid;
    int input, output;
    uint16_t port;
};

static void start_program(struct child *child, const char *share)
{
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)share, NULL};
    posix_spawn_file_actions_t actions;
    int input[2], output[2];
    unsigned port = 0;
    char text[512] = "";
    size_t length = 0;

    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], 0);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    setenv("TMPDIR", top, 1);
    assert_int_equal(posix_spawn(&child->pid, program, &actions, NULL, argv, environ), 0);
    unsetenv("TMPDIR");
    posix_spawn_file_actions_destroy(&actions);
    close(input[0]);
    close(output[1]);
    child->input = input[1];
    child->output = output[0];
    while (strstr(text, "version ") == NULL) {
        ssize_t got = read(child->output, text + length, sizeof(text) - 1 - length);

        if (got <= 0)
            fail_msg("%s ended early", program);
        length += (size_t)got;
        text[length] = '\0';
    }
    assert_int_equal(sscanf(text, "port %u\nuser ", &port), 1);
    child->port = (uint16_t)port;
}

static void wait_until_silent(uint16_t port)
{
    uint64_t deadline = now_ms() + LIMIT_MS;

    while (listens(port)) {
        if (now_ms() > deadline)
            fail_msg("port %u does not cease to answer", port);
        usleep(2000);
    }
}

static void test_the_program_ends_as_asked(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, 0};
    char dir[48], share[64];

    (void)state;
    make_folders(dir, share);
    for (size_t i = 0; i < 3; i++) {
        struct child child;
        int status;

        start_program(&child, share);
        assert_true(listens(child.port));
        if (signals[i] != 0)
            kill(child.pid, signals[i]);
        close(child.input);
        assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("row %zu: status %x", i, (unsigned)status);
        assert_false(listens(child.port));
        close(child.output);
    }
}

static void test_no_server_outlives_a_killed_owner(void **state)
{
    char dir[48], share[64];
    struct child child;

    (void)state;
    make_folders(dir, share);
    start_program(&child, share);
    assert_true(listens(child.port));
    kill(child.pid, SIGKILL);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    wait_until_silent(child.port);
    close(child.input);
    close(child.output);
}

static void test_no_stopped_session_outlives_a_killed_owner(void **state)
{
    char dir[48], share[64];
    uint64_t deadline;
    pid_t owner, group = 0;
    int pipes[2];
    uint16_t port = 0;

    (void)state;
    make_folders(dir, share);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    owner = fork();
    assert_true(owner >= 0);
    if (owner == 0) {
        struct smbserver_options options = {.dir = dir, .share_dir = share};
        struct smbserver *server;
        char error[4096];

        if (smbserver_start(&options, &server, error, sizeof(error)) != 0)
            _exit(1);
        port = smbserver_port(server);
        group = smbserver_pid(server);
        if (connect_to(port) < 0)
            _exit(1);
        while (smbserver_signal(server, SMBSERVER_PAUSE_SESSIONS) == 0)
            usleep(2000);
        (void)!write(pipes[1], &group, sizeof(group));
        pause();
        _exit(0);
    }
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &group, sizeof(group)), sizeof(group));
    assert_true(living(group) >= 2);
    kill(owner, SIGKILL);
    assert_int_equal(waitpid(owner, NULL, 0), owner);
    deadline = now_ms() + LIMIT_MS;
    while (living(group) != 0) {
        if (now_ms() > deadline)
            fail_msg("%d processes are left", living(group));
        usleep(2000);
    }
    close(pipes[0]);
}

static int run_program(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    int status;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_the_program_refuses_bad_arguments(void **state)
{
    char name[] = "rdrlab-smbserver", nowhere[] = "/nowhere/at/all", port[] = "--port", bad[] = "70000", word[] = "x1",
         dialect[] = "--max-protocol", no_dialect[] = "SMB9", unknown[] = "--what", tmp[] = "/tmp";
    char *const rows[][5] = {
        {name, NULL},
        {name, nowhere, NULL},
        {name, port, bad, tmp, NULL},
        {name, port, word, tmp, NULL},
        {name, dialect, no_dialect, tmp, NULL},
        {name, unknown, tmp, NULL},
    };
    static const int expected[] = {2, 1, 2, 2, 1, 2};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        int status;

        status = run_program(rows[i]);

        if (status != expected[i])
            fail_msg("row %zu: exit status %d, expected %d", i, status, expected[i]);
    }
}

/* ---- what is wrong ---- */

static void expect_refusal(const struct smbserver_options *options, int expected, const char *words)
{
    struct smbserver *server = (void *)top;
    char error[4096] = "";
    int rc = smbserver_start(options, &server, error, sizeof(error));

    if (rc == 0)
        fail_msg("it started, where \"%s\" was expected", words);
    if (rc != expected || strstr(error, words) == NULL)
        fail_msg("%d \"%s\", expected %d \"%s\"", rc, error, expected, words);
    assert_ptr_equal(server, top);
}

static void test_a_taken_port_is_said_to_be(void **state)
{
    char dir[48], share[64], other_dir[48], other_share[64], words[64];
    struct smbserver *server = start(dir, share);
    struct smbserver_options options = {.dir = other_dir, .share_dir = other_share, .port = smbserver_port(server)};

    (void)state;
    make_folders(other_dir, other_share);
    snprintf(words, sizeof(words), "port %u is taken", options.port);
    expect_refusal(&options, -EADDRINUSE, words);
    /* Halted, the port is still the server's. */
    smbserver_halt(server);
    expect_refusal(&options, -EADDRINUSE, words);
    smbserver_stop(server);
}

static void test_a_given_port_is_used(void **state)
{
    char dir[48], share[64], error[4096] = "";
    struct smbserver *server = start(dir, share);
    struct smbserver_options options = {.dir = dir, .share_dir = share, .port = smbserver_port(server)};

    (void)state;
    smbserver_stop(server);
    /* Free a moment ago; if somebody else has it now, that is the other test's subject. */
    if (smbserver_start(&options, &server, error, sizeof(error)) == -EADDRINUSE)
        skip();
    assert_int_equal(smbserver_port(server), options.port);
    smbserver_stop(server);
}

static void write_script(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static void test_bad_options_are_said_to_be(void **state)
{
    char dir[48], share[64], script[80], file[80];
    struct smbserver_options good = {.dir = dir, .share_dir = share}, options;

    (void)state;
    make_folders(dir, share);
    snprintf(script, sizeof(script), "%s/fake", dir);
    snprintf(file, sizeof(file), "%s/file", dir);
    write_script(file, "");

    options = good;
    options.smbd = "/nowhere/smbd";
    expect_refusal(&options, -ENOENT, "install the package samba");
    options.smbd = script;
    write_script(script, "#!/bin/sh\necho Version 4.13.0-test\n");
    expect_refusal(&options, -ENOTSUP, "smbd 4.13 is too old: 4.15 or newer");
    write_script(script, "#!/bin/sh\necho hello\n");
    expect_refusal(&options, -ENOTSUP, "does not tell its version");
    write_script(script, "#!/bin/sh\n[ \"$1\" = -V ] && echo Version 9.9.9 && exit\necho out of order >&2; exit 1\n");
    expect_refusal(&options, -ECHILD, "out of order");

    options = good;
    options.dir = "/nowhere/at/all";
    expect_refusal(&options, -ENOENT, "/nowhere/at/all");
    options.dir = "/tmp/0123456789012345678901234567890123456789012345678901234567890123456789";
    expect_refusal(&options, -EINVAL, "too long");
    options.dir = NULL;
    expect_refusal(&options, -EINVAL, "folder");
    options = good;
    options.share_dir = "/nowhere/at/all";
    expect_refusal(&options, -ENOENT, "/nowhere/at/all");
    options.share_dir = "relative";
    expect_refusal(&options, -EINVAL, "absolute");
    options.share_dir = "/tmp/%U";
    expect_refusal(&options, -EINVAL, "absolute");
    options.share_dir = file;
    expect_refusal(&options, -ENOTDIR, "not a folder");
    options = good;
    options.min_protocol = "SMB9";
    expect_refusal(&options, -EINVAL, "SMB9");
    options = good;
    options.max_open_files = 50;
    expect_refusal(&options, -EINVAL, "max open files");
}

static void test_one_server_a_folder(void **state)
{
    char dir[48], share[64];
    struct smbserver *server = start(dir, share);
    struct smbserver_options options = {.dir = dir, .share_dir = share};

    (void)state;
    expect_refusal(&options, -EBUSY, "another server");
    smbserver_stop(server);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_and_stop_leave_nothing),
        cmocka_unit_test(test_the_same_folder_serves_again),
        cmocka_unit_test(test_two_in_parallel_do_not_meet),
        cmocka_unit_test(test_restart_keeps_the_port),
        cmocka_unit_test(test_sessions_stop_go_on_and_die_alone),
        cmocka_unit_test(test_a_stopped_session_does_not_outlive_the_server),
        cmocka_unit_test(test_a_subreaper_is_left_no_zombies),
        cmocka_unit_test(test_the_program_ends_as_asked),
        cmocka_unit_test(test_no_server_outlives_a_killed_owner),
        cmocka_unit_test(test_no_stopped_session_outlives_a_killed_owner),
        cmocka_unit_test(test_the_program_refuses_bad_arguments),
        cmocka_unit_test(test_a_taken_port_is_said_to_be),
        cmocka_unit_test(test_a_given_port_is_used),
        cmocka_unit_test(test_bad_options_are_said_to_be),
        cmocka_unit_test(test_one_server_a_folder),
    };
    char dir[48], share[64], error[4096] = "";
    struct smbserver_options options = {.dir = dir, .share_dir = share};
    struct smbserver *server;
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: test_smbserver PROGRAM\n");
        return 2;
    }
    program = argv[1];
    snprintf(top, sizeof(top), "/tmp/rdrlab-srv.XXXXXX");
    if (mkdtemp(top) == NULL) {
        perror(top);
        return 1;
    }
    make_folders(dir, share);
    rc = smbserver_start(&options, &server, error, sizeof(error));
    if (rc == 0) {
        smbserver_stop(server);
        rc = cmocka_run_group_tests(tests, NULL, NULL) != 0 ? 1 : 0;
    } else {
        const char *require = getenv("RDRLAB_REQUIRE_ALL");

        fprintf(stderr, "%s\n", error);
        rc = (rc == -ENOENT || rc == -ENOTSUP) && (require == NULL || require[0] == '\0') ? 77 : 1;
    }
    nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return rc;
}
