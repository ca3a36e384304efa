/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting, asking and stopping a real rdrlabd. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 40

/* ---- what a failed test leaves: cmocka jumps out of it
 * ---------------------------------------------------------------- */

#define STARTED_MAX 64

static struct daemon started[STARTED_MAX]; /* pid 0: none */
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

static void clean_up(struct daemon *daemon)
{
    /* Once it has been waited for, its number may be another process's. */
    if (waitpid(daemon->pid, NULL, WNOHANG) == 0) {
        kill(daemon->pid, SIGKILL);
        waitpid(daemon->pid, NULL, 0);
    }
    remove_tree(daemon->parent);
}

static void clean_up_all(void)
{
    if (getpid() != owner)
        return;
    for (size_t i = 0; i < STARTED_MAX; i++)
        if (started[i].pid)
            clean_up(&started[i]);
}

static void remember(const struct daemon *daemon)
{
    if (owner == 0) {
        owner = getpid();
        atexit(clean_up_all);
    }
    for (size_t i = 0; i < STARTED_MAX; i++) {
        if (started[i].pid == 0) {
            started[i] = *daemon;
            return;
        }
    }
}

static void forget(const struct daemon *daemon)
{
    for (size_t i = 0; i < STARTED_MAX; i++)
        if (started[i].pid && strcmp(started[i].parent, daemon->parent) == 0)
            started[i].pid = 0;
}

/* ---- the process --------------------------------------------------------------------------------------------------
 */

static pid_t spawn(const char *const *arguments, int ready, int error)
{
    const char *all[ARGUMENTS_MAX] = {RDRLABD};
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
        execv(RDRLABD, (char **)all);
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
    pid = spawn(arguments, -1, ends[1]);
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

void daemon_start(struct daemon *daemon, const char *const *arguments)
{
    const char *all[ARGUMENTS_MAX] = {"--backend", "mem", "--die-with-parent", "--dir", daemon->folder};
    struct pollfd watch = {.events = POLLIN};
    char line[PATH_MAX];
    int ends[2], count = 5;

    snprintf(daemon->parent, sizeof(daemon->parent), "/tmp/rdrlab-test-XXXXXX");
    assert_non_null(mkdtemp(daemon->parent));
    snprintf(daemon->folder, sizeof(daemon->folder), "%s/machine", daemon->parent);
    while (arguments && *arguments)
        all[count++] = *arguments++;
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    daemon->pid = spawn(all, ends[1], -1);
    remember(daemon);
    close(ends[1]);
    watch.fd = ends[0];
    assert_int_equal(poll(&watch, 1, 20000), 1);
    if (read(ends[0], line, sizeof(line)) <= 0)
        fail_msg("rdrlabd ended before it listened");
    close(ends[0]);
}

/* The status as waitpid gives it. */
static int await_end(struct daemon *daemon)
{
    struct timespec moment = {.tv_nsec = 5000000};
    int status = 0;
    pid_t done = 0;

    for (int i = 0; i < 4000 && done == 0; i++) {
        done = waitpid(daemon->pid, &status, WNOHANG);
        if (done == 0)
            nanosleep(&moment, NULL);
    }
    if (done != daemon->pid) {
        daemon_kill(daemon);
        fail_msg("rdrlabd did not end within 20 s");
    }
    return status;
}

int daemon_wait(struct daemon *daemon)
{
    int status = await_end(daemon);

    if (access(daemon->folder, F_OK) == 0)
        fail_msg("%s was left behind", daemon->folder);
    assert_int_equal(rmdir(daemon->parent), 0);
    forget(daemon);
    return status_of(status);
}

int daemon_wait_bug_check(struct daemon *daemon, char *text, size_t size)
{
    int status = await_end(daemon);
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

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

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
    struct wire_letter request = {letter, force != 0};
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

    for (int i = 0; i < 5000; i++) {
        machine = way_machine(way);
        if (machine.clients == clients && machine.open_tokens == tokens)
            return;
        nanosleep(&moment, NULL);
    }
    fail_msg("the machine has %u clients and %u open tokens, not %u and %u", machine.clients, machine.open_tokens,
             clients, tokens);
}
