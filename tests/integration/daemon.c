/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting, asking and stopping a real rdrlabd. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 40
#define DAEMON_SECRET "a secret of rdrlab's tests, 32 bytes and more"

/* ---- what a failed test leaves: cmocka jumps out of it ---- */

#define STARTED_MAX 64

static struct daemon started[STARTED_MAX]; /* no parent: none */
static pid_t owner;                        /* forked clients are not to clean up */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    remove(path); /* whoever was the machine's client may be faster: that must not end the walk */
    return 0;
}

/* The walk itself ends early if a folder goes, or something comes, under it: then again. */
static void remove_tree(const char *path)
{
    struct timespec moment = {.tv_nsec = 5000000};

    for (int i = 0; i < 400; i++) {
        nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        if (access(path, F_OK) != 0)
            return;
        nanosleep(&moment, NULL);
    }
    fprintf(stderr, "%s was left behind\n", path);
}

/* Once it has been waited for, its number may be another process's. */
static void end_now(pid_t pid)
{
    if (waitpid(pid, NULL, WNOHANG) == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

static void clean_up(struct daemon *daemon)
{
    if (daemon->pid)
        end_now(daemon->pid);
    if (daemon->behind)
        end_now(daemon->behind);
    remove_tree(daemon->parent);
}

static void clean_up_all(void)
{
    if (getpid() != owner)
        return;
    for (size_t i = 0; i < STARTED_MAX; i++)
        if (started[i].parent[0])
            clean_up(&started[i]);
}

/* The row that has this folder, or else a free one. */
static struct daemon *row_for(const struct daemon *daemon)
{
    struct daemon *free_row = NULL;

    for (size_t i = STARTED_MAX; i-- > 0;) {
        if (started[i].parent[0] == '\0')
            free_row = &started[i];
        else if (strcmp(started[i].folder, daemon->folder) == 0)
            return &started[i];
    }
    return free_row;
}

/* First without a process, so that also the folder of one that does not start goes; then with it. */
static void remember(const struct daemon *daemon)
{
    struct daemon *row = row_for(daemon);

    if (owner == 0) {
        owner = getpid();
        atexit(clean_up_all);
    }
    assert_non_null(row);
    *row = *daemon;
}

static void forget(const struct daemon *daemon)
{
    for (size_t i = 0; i < STARTED_MAX; i++)
        if (strcmp(started[i].parent, daemon->parent) == 0)
            started[i].parent[0] = '\0';
}

/* ---- the process ---- */

static pid_t spawn(const char *program, const char *const *arguments, int ready, int error)
{
    const char *all[ARGUMENTS_MAX] = {program};
    char number[12];
    pid_t pid;
    int count = 1;

    while (arguments && *arguments)
        all[count++] = *arguments++;
    if (ready >= 0) {
        snprintf(number, sizeof(number), "%d", ready);
        all[count++] = "--ready-fd";
        all[count++] = number;
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (error >= 0)
            dup2(error, STDERR_FILENO);
        execv(program, (char **)all);
        _exit(127);
    }
    return pid;
}

static int status_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int daemon_run(const char *const *arguments, char *output, size_t size)
{
    struct pollfd watch = {.events = POLLIN};
    size_t length = 0;
    int ends[2], status;
    ssize_t got = 1;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = spawn(RDRLABD, arguments, -1, ends[1]);
    close(ends[1]);
    watch.fd = ends[0];
    while (got > 0 && length < size - 1) {
        if (poll(&watch, 1, 20000) != 1) { /* it runs, although it should not */
            kill(pid, SIGTERM);
            break;
        }
        got = read(ends[0], output + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    output[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status_of(status);
}

/* Starts one and waits until it listens; what it says then. */
static pid_t start(const char *program, const char *const *arguments, char *line, size_t size)
{
    struct pollfd watch = {.events = POLLIN};
    int ends[2];
    ssize_t length;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    pid = spawn(program, arguments, ends[1], -1);
    close(ends[1]);
    watch.fd = ends[0];
    assert_int_equal(poll(&watch, 1, 20000), 1);
    length = read(ends[0], line, size - 1);
    close(ends[0]);
    if (length <= 0) {
        waitpid(pid, NULL, 0);
        fail_msg("%s ended before it listened", program);
    }
    line[length] = '\0';
    return pid;
}

static void start_machine(struct daemon *daemon, const char *const *first, const char *const *arguments, char *line,
                          size_t size)
{
    const char *all[ARGUMENTS_MAX] = {"--backend", "mem", "--die-with-parent", "--dir", daemon->folder};
    int count = 5;

    while (first && *first)
        all[count++] = *first++;
    while (arguments && *arguments)
        all[count++] = *arguments++;
    daemon->pid = start(RDRLABD, all, line, size);
    remember(daemon);
}

static void make_parent(struct daemon *daemon)
{
    *daemon = (struct daemon){0};
    snprintf(daemon->parent, sizeof(daemon->parent), "/tmp/rdrlab-test-XXXXXX");
    assert_non_null(mkdtemp(daemon->parent));
    snprintf(daemon->folder, sizeof(daemon->folder), "%s/machine", daemon->parent);
    remember(daemon);
}

void daemon_start_listening(struct daemon *daemon, const char *const *arguments)
{
    char secret[96], line[PATH_MAX + 96], *address;
    const char *const listening[] = {"--listen", "127.0.0.1:0", "--secret-file", secret, NULL};
    FILE *file;

    make_parent(daemon);
    snprintf(secret, sizeof(secret), "%s/secret", daemon->parent);
    file = fopen(secret, "wx");
    assert_non_null(file);
    fputs(DAEMON_SECRET "\n", file);
    fclose(file);
    start_machine(daemon, listening, arguments, line, sizeof(line));
    address = strchr(line, '\n');
    assert_non_null(address);
    address++;
    address[strcspn(address, "\n")] = '\0';
    snprintf(daemon->address, sizeof(daemon->address), "%s", address);
}

void daemon_start_relay(const struct daemon *machine, const char *name, const char *const *arguments,
                        struct daemon *relay)
{
    char secret[96], line[PATH_MAX];
    const char *all[ARGUMENTS_MAX] = {"--die-with-parent", "--dir",         relay->folder, "--redirector",
                                      machine->address,    "--secret-file", secret};
    int count = 7;

    assert_true(strlen(name) < 15);
    *relay = (struct daemon){0};
    snprintf(secret, sizeof(secret), "%s/secret", machine->parent);
    snprintf(relay->parent, sizeof(relay->parent), "%s", machine->parent);
    snprintf(relay->folder, sizeof(relay->folder), "%.64s/%.14s", machine->parent, name);
    while (arguments && *arguments)
        all[count++] = *arguments++;
    relay->pid = start(RELAY, all, line, sizeof(line));
    remember(relay);
}

static int through_relays;

void daemon_use_relays(void)
{
    through_relays = 1;
}

int daemon_uses_relays(void)
{
    return through_relays;
}

void daemon_start(struct daemon *daemon, const char *const *arguments)
{
    struct daemon relay;
    char line[PATH_MAX + 96];

    if (!through_relays) {
        make_parent(daemon);
        start_machine(daemon, NULL, arguments, line, sizeof(line));
        return;
    }
    daemon_start_listening(daemon, arguments);
    daemon_start_relay(daemon, "relay", NULL, &relay);
    daemon->behind = daemon->pid;
    daemon->pid = relay.pid;
    memcpy(daemon->folder, relay.folder, sizeof(daemon->folder));
}

/* The status as waitpid gives it. */
static int await_end(struct daemon *daemon, pid_t pid)
{
    struct timespec moment = {.tv_nsec = 5000000};
    int status = 0;
    pid_t done = 0;

    for (int i = 0; i < 4000 && done == 0; i++) {
        done = waitpid(pid, &status, WNOHANG);
        if (done == 0)
            nanosleep(&moment, NULL);
    }
    if (done != pid) {
        daemon_kill(daemon);
        fail_msg("process %d did not end within 20 s", (int)pid);
    }
    return status;
}

int daemon_stop_relay(struct daemon *relay)
{
    int status;

    assert_int_equal(kill(relay->pid, SIGTERM), 0);
    status = status_of(await_end(relay, relay->pid));
    if (access(relay->folder, F_OK) == 0)
        fail_msg("%s was left behind", relay->folder);
    daemon_forget_relay(relay);
    return status;
}

void daemon_forget_relay(struct daemon *relay)
{
    for (size_t i = 0; i < STARTED_MAX; i++)
        if (started[i].pid == relay->pid)
            started[i].parent[0] = '\0';
    remove_tree(relay->folder);
}

static void remove_secret(const struct daemon *daemon)
{
    char secret[96];

    snprintf(secret, sizeof(secret), "%s/secret", daemon->parent);
    unlink(secret);
}

int daemon_wait(struct daemon *daemon)
{
    int status = status_of(await_end(daemon, daemon->pid));

    if (daemon->restarted && rmdir(daemon->folder) != 0)
        fail_msg("%s is not empty", daemon->folder);
    if (access(daemon->folder, F_OK) == 0)
        fail_msg("%s was left behind", daemon->folder);
    if (daemon->behind) {
        if (status != 0)
            fail_msg("the relay ended with exit status %d", status);
        assert_int_equal(kill(daemon->behind, SIGTERM), 0);
        status = status_of(await_end(daemon, daemon->behind));
    }
    remove_secret(daemon);
    assert_int_equal(rmdir(daemon->parent), 0);
    forget(daemon);
    return status;
}

int daemon_wait_bug_check(struct daemon *daemon, char *text, size_t size)
{
    int status = await_end(daemon, daemon->pid);
    char path[sizeof(daemon->folder) + 16];
    FILE *file;

    snprintf(path, sizeof(path), "%s/bugcheck.txt", daemon->folder);
    file = fopen(path, "re");
    text[file ? fread(text, 1, size - 1, file) : 0] = '\0';
    if (file) {
        fclose(file);
        unlink(path);
        if (rmdir(daemon->folder) != 0)
            fail_msg("%s holds more than bugcheck.txt", daemon->folder);
    }
    remove_secret(daemon);
    if (rmdir(daemon->parent) != 0)
        fail_msg("%s was left behind", daemon->folder);
    forget(daemon);
    return status_of(status);
}

int daemon_stop(struct daemon *daemon)
{
    assert_int_equal(kill(daemon->pid, SIGTERM), 0);
    return daemon_wait(daemon);
}

void daemon_crash(struct daemon *daemon)
{
    end_now(daemon->pid);
    daemon->pid = 0;
    remember(daemon);
}

void daemon_restart(struct daemon *daemon, const char *const *arguments)
{
    char line[PATH_MAX + 96];

    daemon->restarted = 1;
    start_machine(daemon, NULL, arguments, line, sizeof(line));
}

void daemon_kill(struct daemon *daemon)
{
    clean_up(daemon);
    forget(daemon);
    if (access(daemon->parent, F_OK) == 0)
        fail_msg("%s was left behind", daemon->parent);
}

struct wire_client *daemon_connect(const struct daemon *daemon, int with_region)
{
    struct wire_options options = {.program = "test", .region = with_region};
    struct wire_client *client = NULL;
    char error[256];

    if (wire_connect(daemon->folder, &options, &client, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return client;
}

/* ---- requests ---- */

size_t utf16_bytes(const WCHAR *text)
{
    size_t length = 0;

    while (text && text[length])
        length++;
    return length * sizeof(WCHAR);
}

int way_call(const struct way *way, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
             size_t data_size, struct wire_reply *reply)
{
    if (way->line)
        return wire_line_call(way->line, op, fixed, fixed_size, data, data_size, reply);
    return wire_call(way->client, op, fixed, fixed_size, data, data_size, reply);
}

static NTSTATUS call(const struct way *way, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
                     size_t data_size, struct wire_reply *reply)
{
    int result = way_call(way, op, fixed, fixed_size, data, data_size, reply);

    if (result != 0)
        fail_msg("operation %u: %s", op, strerror(-result));
    return (NTSTATUS)reply->status;
}

NTSTATUS way_map(const struct way *way, uint32_t letter, const WCHAR *remote, const WCHAR *user, const WCHAR *password)
{
    struct wire_add_connection request = {
        .letter = letter,
        .remote_length = (uint32_t)utf16_bytes(remote),
        .user_length = (uint32_t)utf16_bytes(user),
        .password_length = (uint32_t)utf16_bytes(password),
        .has_password = password != NULL,
    };
    static struct wire_reply reply;
    unsigned char data[1024], *place = data;

    assert_true(request.remote_length + request.user_length + request.password_length <= sizeof(data));
    memcpy(place, remote, request.remote_length);
    place += request.remote_length;
    if (user)
        memcpy(place, user, request.user_length);
    place += request.user_length;
    if (password)
        memcpy(place, password, request.password_length);
    place += request.password_length;
    return call(way, WIRE_ADD_CONNECTION, &request, sizeof(request), data, (size_t)(place - data), &reply);
}

NTSTATUS way_unmap(const struct way *way, uint32_t letter, int force)
{
    struct wire_cancel_connection request = {.letter = letter, .force = (uint32_t)force};
    static struct wire_reply reply;

    return call(way, WIRE_CANCEL_CONNECTION, &request, sizeof(request), NULL, 0, &reply);
}

NTSTATUS way_open(const struct way *way, const struct opening *opening, uint64_t *token)
{
    static _Thread_local struct wire_reply reply;
    struct wire_create request = {
        .root_token = opening->root,
        .object_flags = OBJ_CASE_INSENSITIVE,
        .desired_access = opening->access,
        .share_access = opening->share,
        .disposition = opening->disposition,
        .options = opening->options,
        .name_length = (uint32_t)utf16_bytes(opening->name),
        .no_token_file = opening->no_token_file,
        .spare_token = opening->spare,
        .want_spare = opening->offered != NULL,
    };
    struct wire_created created;
    NTSTATUS status;

    status = call(way, WIRE_CREATE, &request, sizeof(request), opening->name, request.name_length, &reply);
    assert_int_equal(reply.length, sizeof(created));
    memcpy(&created, reply.body, sizeof(created));
    assert_int_equal(created.token != 0, NT_SUCCESS(status));
    if (opening->offered)
        *opening->offered = created.spare_token;
    else
        assert_int_equal(created.spare_token, 0);
    if (NT_SUCCESS(status))
        *token = created.token;
    return status;
}

NTSTATUS way_open_read(const struct way *way, const WCHAR *name, uint64_t *token)
{
    struct opening opening = {
        .name = name,
        .access = GENERIC_READ | SYNCHRONIZE,
        .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
        .disposition = FILE_OPEN,
        .options = FILE_SYNCHRONOUS_IO_NONALERT,
    };

    return way_open(way, &opening, token);
}

NTSTATUS way_close(const struct way *way, uint64_t token)
{
    static _Thread_local struct wire_reply reply;
    struct wire_token request = {token};

    return call(way, WIRE_CLOSE, &request, sizeof(request), NULL, 0, &reply);
}

struct wire_machine way_machine(const struct way *way)
{
    static _Thread_local struct wire_reply reply;
    struct wire_machine machine;

    assert_status(call(way, WIRE_MACHINE, NULL, 0, NULL, 0, &reply), STATUS_SUCCESS);
    assert_int_equal(reply.length, sizeof(machine));
    memcpy(&machine, reply.body, sizeof(machine));
    return machine;
}

int token_open(const struct wire_client *client, uint64_t token)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%016llx", wire_welcome_of(client)->token_folder, (unsigned long long)token);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return fd;
}

void await_machine(const struct way *way, uint32_t clients, uint32_t tokens)
{
    struct timespec moment = {.tv_nsec = 2000000};
    struct wire_machine machine = {0};

    clients += (uint32_t)through_relays;
    for (int i = 0; i < 15000; i++) {
        machine = way_machine(way);
        if (machine.clients == clients && machine.open_tokens == tokens)
            return;
        nanosleep(&moment, NULL);
    }
    fail_msg("the machine has %u clients and %u open tokens, not %u and %u", machine.clients, machine.open_tokens,
             clients, tokens);
}

/* ---- main ---- */

/* A failed assertion jumps to the next test. In a forked client that would be a second run of it, in a process that is
 * killed before it has tidied up: there, to fail is to end. */
static void fail_by_abort(void)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1);
}

int daemon_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count, size_t own)
{
    size_t left_out = 0;

    pthread_atfork(NULL, NULL, fail_by_abort);
    if (argc > 1 && strcmp(argv[1], "relay") == 0) {
        daemon_use_relays();
        left_out = own;
    }
    return _cmocka_run_group_tests(argv[0], tests + left_out, count - left_out, NULL, NULL);
}
