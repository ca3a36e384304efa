/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - other programs: start, wait with a deadline, end. See process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Written to by the handler and never read: once readable, always readable. */
static int interrupt_pipe[2] = {-1, -1};
static volatile sig_atomic_t interrupted;

void process_note_interrupt(void)
{
    int saved = errno;

    interrupted = 1;
    if (write(interrupt_pipe[1], "!", 1) < 0)
        errno = 0; /* full: it is readable all the same */
    errno = saved;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    process_note_interrupt();
}

void process_watch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool process_interrupted(void)
{
    return interrupted != 0;
}

void process_forget_interrupt(void)
{
    char spare[64];

    interrupted = 0;
    while (read(interrupt_pipe[0], spare, sizeof(spare)) > 0)
        ;
}

uint64_t process_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int process_wait_readable(int fd, int timeout_ms)
{
    uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : process_now_ms() + (uint64_t)timeout_ms;

    for (;;) {
        struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = interrupt_pipe[0], .events = POLLIN}};
        uint64_t now = process_now_ms();
        int rest = -1, count;

        if (deadline != UINT64_MAX)
            rest = now >= deadline ? 0 : (int)(deadline - now);
        count = poll(p, 2, rest);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (p[1].revents != 0 && count > 0)
            return -EINTR;
        if (p[0].revents != 0 && count > 0)
            return 0;
        if (count == 0)
            return -ETIMEDOUT;
    }
}

int process_pause(int ms)
{
    int rc = process_wait_readable(-1, ms);

    return rc == -ETIMEDOUT ? 0 : rc;
}

static void change_environment(const char *const *changes)
{
    for (; changes != NULL && *changes != NULL; changes++) {
        if (strchr(*changes, '=') != NULL)
            putenv((char *)*changes);
        else
            unsetenv(*changes);
    }
}

/* In the child: becomes the program, or reports errno through `report`. */
static void become(const struct process_spec *spec, pid_t parent, int report)
{
    const int wanted[3] = {spec->in, spec->out, spec->err};
    struct sigaction action = {.sa_handler = SIG_DFL};
    int fds[3], error;

    for (int i = 1; i < NSIG; i++)
        sigaction(i, &action, NULL);
    if (spec->own_session)
        setsid();
    else if (spec->own_group)
        setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, spec->death_signal != 0 ? spec->death_signal : SIGTERM);
    if (getppid() != parent)
        _exit(127);
    /* First out of the way of 0 to 2, as one of them may be wanted under another of these numbers. */
    for (int i = 0; i < 3; i++) {
        int fd = wanted[i] >= 0 ? wanted[i] : open("/dev/null", O_RDWR | O_CLOEXEC);

        fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        if (fds[i] < 0)
            goto fail;
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(fds[i], i) < 0)
            goto fail;
    }
    if (spec->keep > 2)
        fcntl(spec->keep, F_SETFD, 0);
    change_environment(spec->environment);
    if (spec->directory != NULL && chdir(spec->directory) != 0)
        goto fail;
    execvp(spec->argv[0], spec->argv);
fail:
    error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

int process_start(const struct process_spec *spec, pid_t *ret_pid)
{
    pid_t parent = getpid(), pid;
    int report[2], error = 0;
    ssize_t got;

    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    pid = fork();
    if (pid < 0) {
        error = errno;
        close(report[0]);
        close(report[1]);
        return -error;
    }
    if (pid == 0) {
        /* Out of the way of what the program gets as 0 to 2 and keep. */
        int moved = fcntl(report[1], F_DUPFD_CLOEXEC, 20);

        become(spec, parent, moved);
    }
    close(report[1]);
    do {
        got = read(report[0], &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == (ssize_t)sizeof(error)) {
        waitpid(pid, NULL, 0);
        return -error;
    }
    *ret_pid = pid;
    return 0;
}

static int decode_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int process_wait(pid_t pid, int timeout_ms, int *ret_status)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int status, rc;

    if (fd < 0)
        return -errno;
    rc = process_wait_readable(fd, timeout_ms);
    close(fd);
    if (rc != 0)
        return rc;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    *ret_status = decode_status(status);
    return 0;
}

int process_peek(pid_t pid)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid)
        return -1;
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int process_stop(pid_t pid, int grace_ms)
{
    uint64_t deadline = process_now_ms() + (uint64_t)grace_ms;
    int status = 0;

    if (pid <= 0)
        return 0;
    kill(pid, SIGTERM);
    /* Not process_wait: this is clean-up, and goes on after an interrupt. */
    while (process_peek(pid) < 0) {
        struct timespec delay = {.tv_nsec = 2000000};

        if (process_now_ms() >= deadline) {
            kill(pid, SIGKILL);
            break;
        }
        nanosleep(&delay, NULL);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return 0;
    }
    return decode_status(status);
}

int process_run(const struct process_spec *spec, int timeout_ms, int *ret_status)
{
    pid_t pid;
    int rc = process_start(spec, &pid);

    if (rc != 0)
        return rc;
    rc = process_wait(pid, timeout_ms, ret_status);
    if (rc != 0)
        process_stop(pid, 2000);
    return rc;
}

int line_read(struct line_reader *reader, int timeout_ms, char **ret_line)
{
    uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : process_now_ms() + (uint64_t)timeout_ms;

    memmove(reader->buffer, reader->buffer + reader->consumed, reader->length - reader->consumed);
    reader->length -= reader->consumed;
    reader->consumed = 0;
    for (;;) {
        char *end = memchr(reader->buffer, '\n', reader->length);
        uint64_t now = process_now_ms();
        ssize_t got;
        int rc;

        if (end != NULL || reader->length == sizeof(reader->buffer) - 1 || (reader->ended && reader->length != 0)) {
            if (end == NULL)
                end = reader->buffer + reader->length;
            reader->consumed = (size_t)(end - reader->buffer) + (end < reader->buffer + reader->length ? 1 : 0);
            *end = '\0';
            if (end > reader->buffer && end[-1] == '\r')
                end[-1] = '\0';
            *ret_line = reader->buffer;
            return 1;
        }
        if (reader->ended)
            return 0;
        rc = process_wait_readable(reader->fd, deadline == UINT64_MAX ? -1
                                               : now >= deadline      ? 0
                                                                      : (int)(deadline - now));
        if (rc != 0)
            return rc;
        got = read(reader->fd, reader->buffer + reader->length, sizeof(reader->buffer) - 1 - reader->length);
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (got == 0)
            reader->ended = true;
        if (got > 0)
            reader->length += (size_t)got;
    }
}

/* A folder may be searched, which access calls X_OK. */
static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int process_find_program(const char *name, char *path, size_t size)
{
    const char *lists[] = {getenv("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"};
    char candidate[PATH_MAX];

    for (size_t i = 0; i < 2; i++) {
        const char *from = lists[i];

        while (from != NULL && *from != '\0') {
            size_t length = strcspn(from, ":");

            snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, from, name);
            if (length != 0 && strlen(candidate) < size && is_program(candidate)) {
                strcpy(path, candidate);
                return 0;
            }
            from += length;
            from += strspn(from, ":");
        }
    }
    return -ENOENT;
}

int process_output(char *const argv[], const char *const environment[], char *text, size_t size)
{
    struct process_spec spec = {
        .argv = argv, .environment = environment, .in = -1, .err = -1, .keep = -1, .own_group = true};
    uint64_t deadline = process_now_ms() + 10000;
    size_t length = 0;
    int out[2], rc, status;
    ssize_t got = 1;
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) != 0)
        return -errno;
    spec.out = out[1];
    rc = process_start(&spec, &pid);
    close(out[1]);
    if (rc != 0) {
        close(out[0]);
        return rc;
    }
    while (rc == 0 && got > 0 && length + 1 < size) {
        uint64_t now = process_now_ms();

        rc = process_wait_readable(out[0], now < deadline ? (int)(deadline - now) : 0);
        got = rc == 0 ? read(out[0], text + length, size - 1 - length) : 0;
        length += got > 0 ? (size_t)got : 0;
    }
    close(out[0]);
    text[length] = '\0';
    /* NOLINTBEGIN(clang-analyzer-core.CallAndMessage): a failed process_start did not return 0, as errno is not 0 */
    if (rc != 0 || process_wait(pid, 10000, &status) != 0)
        process_stop(pid, 1000);
    /* NOLINTEND(clang-analyzer-core.CallAndMessage) */
    return rc;
}
