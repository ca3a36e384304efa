/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smbserver.c - the life of a private smbd. See smbserver.h.
 *
 * Three things that smbd does and that shape this file (observed with 4.17):
 *   - At its end the listening process kills its whole process group, so it must lead one of its own: setsid, and
 *     --no-process-group, as --foreground would fail to make one where we already did.
 *   - It listens with SO_REUSEPORT: a second smbd of the same user on the same port starts happily and takes half
 *     of the connections. So a socket of ours, bound with SO_REUSEPORT but not listening, keeps the port for as
 *     long as the server lives, and the pid file must name the process that we started.
 *   - With a pipe as standard input it ends at end of file: its lifeline. The pipe's other end is here only.
 *
 * A second pipe, whose write end every process of the server inherits, tells when the last of them is gone. Looking
 * for their pids could not: where nobody reaps orphans they stay as zombies, and pids are used again.
 */
#include "smbserver.h"
#include "config.h"
#include "process.h"
#include "sessions.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* None of these is how long a thing takes: they end the wait for what does not happen. A system that is busy with other
 * things, or whose disk is, keeps a process waiting for seconds. */
#define READY_TIMEOUT_MS 30000
#define GONE_TIMEOUT_MS  30000 /* once killed; also for a signal to be obeyed */
#define STOP_TIMEOUT_MS  2000  /* to end gently; then it is killed */
#define OLDEST_MAJOR     4
#define OLDEST_MINOR     15

struct smbserver {
    char dir[SMBSERVER_DIR_MAX + 1];
    char smbd[4096];
    char version[64];
    char user[256];
    char password[33];
    char password_file[SMBSERVER_DIR_MAX + 16];
    uint16_t port;
    int lock;        /* DIR/lock.server: one server a folder */
    int reservation; /* bound to the port, never listening */
    int lifeline;    /* write end of the server's standard input; -1: halted */
    int gone;        /* read end; end of file when no process of the server is left; -1: halted */
    pid_t pid;       /* 0: halted */
    pid_t guard;     /* kills stopped sessions should we die; 0: none */
    int guard_pipe;
};

/* ---- what runs, and as whom ---- */

static int find_smbd(struct smbserver *server, const char *wanted, char *error, size_t size)
{
    char output[256], *argv[] = {server->smbd, (char *)"-V", NULL};
    int major, minor, rc;

    if (wanted != NULL && strlen(wanted) < sizeof(server->smbd) && access(wanted, X_OK) == 0) {
        strcpy(server->smbd, wanted);
    } else if (wanted != NULL || smbserver_find_program("smbd", server->smbd, sizeof(server->smbd)) != 0) {
        snprintf(error, size, "smbd not found%s%s: install the package samba", wanted != NULL ? " at " : "",
                 wanted != NULL ? wanted : "");
        return -ENOENT;
    }
    rc = smbserver_run(argv, NULL, output, sizeof(output));
    if (rc != 0 || sscanf(output, "Version %63s", server->version) != 1 ||
        sscanf(server->version, "%d.%d", &major, &minor) != 2) {
        snprintf(error, size, "%s -V does not tell its version: %s", server->smbd, rc < 0 ? strerror(-rc) : output);
        return -ENOTSUP;
    }
    if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR)) {
        snprintf(error, size, "smbd %d.%d is too old: %d.%d or newer", major, minor, OLDEST_MAJOR, OLDEST_MINOR);
        return -ENOTSUP;
    }
    return 0;
}

static int find_user(struct smbserver *server, char *error, size_t size)
{
    struct passwd *found = NULL, entry;
    char buffer[4096];

    if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL ||
        strlen(found->pw_name) >= sizeof(server->user)) {
        snprintf(error, size, "user id %u has no entry in the password database, and smbd serves only users that have",
                 (unsigned)geteuid());
        return -EINVAL;
    }
    strcpy(server->user, found->pw_name);
    return 0;
}

static int make_password(struct smbserver *server)
{
    unsigned char random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(server->password + 2 * i, 3, "%02x", random[i]);
    explicit_bzero(random, sizeof(random));
    return 0;
}

/* pdbedit writes the account database without a privilege, which smbpasswd refuses. */
static int add_user(struct smbserver *server, char *error, size_t size)
{
    char conf[SMBSERVER_DIR_MAX + 16], passdb[SMBSERVER_DIR_MAX + 32], pdbedit[4096], input[80], output[2048];
    char *argv[] = {pdbedit, (char *)"-s", conf, (char *)"-a", (char *)"-t", (char *)"-u", server->user, NULL};
    int rc;

    if (smbserver_find_program("pdbedit", pdbedit, sizeof(pdbedit)) != 0) {
        snprintf(error, size, "pdbedit not found: install the package samba");
        return -ENOENT;
    }
    snprintf(conf, sizeof(conf), "%s/smb.conf", server->dir);
    snprintf(passdb, sizeof(passdb), "%s/private/passdb.tdb", server->dir);
    snprintf(input, sizeof(input), "%s\n%s\n", server->password, server->password);
    unlink(passdb);
    rc = smbserver_run(argv, input, output, sizeof(output));
    explicit_bzero(input, sizeof(input));
    if (rc == 0)
        return 0;
    snprintf(error, size, "pdbedit cannot add the user %s: %s", server->user, rc < 0 ? strerror(-rc) : output);
    return rc < 0 ? rc : -EINVAL;
}

/* ---- the port ---- */

static int bind_loopback(uint16_t port, int option, int *ret_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, rc = 0;
    int fd = smbserver_move_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

    if (fd < 0)
        return -errno;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

static int reserve_port(struct smbserver *server, uint16_t port, char *error, size_t size)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof(address);
    int fd = -1, rc = 0;

    if (port != 0) {
        /* Another server of this user would share the port with us: only a bind without SO_REUSEPORT notices it. */
        rc = bind_loopback(port, SO_REUSEADDR, &fd);
        if (rc == 0)
            close(fd);
    }
    if (rc == 0)
        rc = bind_loopback(port, SO_REUSEPORT, &server->reservation);
    if (rc == 0 && getsockname(server->reservation, (struct sockaddr *)&address, &length) != 0)
        rc = -errno;
    if (rc == -EADDRINUSE)
        snprintf(error, size, "port %u is taken", port);
    else if (rc != 0)
        snprintf(error, size, "cannot have port %u: %s", port, strerror(-rc));
    else
        server->port = ntohs(address.sin_port);
    return rc;
}

/* ---- the sessions ---- */

#define MAX_SESSIONS 256

/*
 * A stopped process does not notice that its server and we are gone. So while there is one, a shell waits for the end
 * of a pipe that only we hold, and then kills what is left of the group; whose number cannot be another's meanwhile.
 */
static void start_guard(struct smbserver *server)
{
    char group[16], *argv[] = {(char *)"sh", (char *)"-c", (char *)"read line || kill -9 -$0", group, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int fds[2];

    if (server->guard != 0 || pipe2(fds, O_CLOEXEC) != 0)
        return;
    for (int i = 0; i < 2; i++)
        fds[i] = smbserver_move_fd(fds[i]);
    snprintf(group, sizeof(group), "%d", (int)server->pid);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, fds[0], 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    if (posix_spawn(&server->guard, "/bin/sh", &actions, &attributes, argv, environ) == 0) {
        server->guard_pipe = fds[1];
    } else {
        server->guard = 0;
        close(fds[1]);
    }
    close(fds[0]);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
}

static void end_guard(struct smbserver *server)
{
    if (server->guard == 0)
        return;
    kill(server->guard, SIGKILL);
    while (waitpid(server->guard, NULL, 0) < 0 && errno == EINTR)
        ;
    close(server->guard_pipe);
    server->guard = 0;
}

static bool has_obeyed(pid_t pid, int number)
{
    struct smbserver_process process;

    if (!smbserver_read_process(pid, &process) || process.state == 'Z' || process.state == 'X')
        return true;
    if (number == SIGSTOP)
        return process.state == 'T';
    return number == SIGCONT && process.state != 'T';
}

int smbserver_signal(struct smbserver *server, enum smbserver_signal signal)
{
    static const int numbers[] = {SIGSTOP, SIGCONT, SIGKILL};
    uint64_t deadline = smbserver_now_ms() + GONE_TIMEOUT_MS;
    int number = numbers[signal], count;
    pid_t sessions[MAX_SESSIONS];

    if (server->pid == 0)
        return 0;
    if (signal == SMBSERVER_PAUSE_SESSIONS)
        start_guard(server);
    count = smbserver_find_sessions(server->pid, server->port, sessions, MAX_SESSIONS);
    for (int i = 0; i < count; i++)
        kill(sessions[i], number);
    for (int i = 0; i < count; i++) {
        while (!has_obeyed(sessions[i], number) && smbserver_now_ms() < deadline)
            smbserver_pause_ms(1);
    }
    if (signal != SMBSERVER_PAUSE_SESSIONS)
        end_guard(server);
    return count;
}

int smbserver_open_files(const struct smbserver *server, const char *folder)
{
    pid_t sessions[MAX_SESSIONS];
    int count = 0, files = 0, all = 0;

    if (server->pid != 0)
        count = smbserver_find_sessions(server->pid, server->port, sessions, MAX_SESSIONS);
    for (int i = 0; i < count && files >= 0; i++) {
        files = smbserver_files_of(sessions[i], folder);
        all += files;
    }
    return files < 0 ? -1 : all;
}

/* ---- starting ---- */

static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    /* WNOWAIT: as long as nobody has reaped it, its process group's number cannot become another's. */
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

static pid_t read_pid_file(const struct smbserver *server)
{
    char path[SMBSERVER_DIR_MAX + 32];
    int pid = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/pid/smbd.pid", server->dir);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid;
}

static void append_log_tail(const struct smbserver *server, const char *name, char *error, size_t size)
{
    char path[SMBSERVER_DIR_MAX + 32], text[701];
    size_t used = strlen(error);
    ssize_t length;
    off_t end;
    int fd;

    snprintf(path, sizeof(path), "%s/log/%s", server->dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    end = lseek(fd, 0, SEEK_END);
    lseek(fd, end > 700 ? end - 700 : 0, SEEK_SET);
    length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length <= 0 || used >= size)
        return;
    text[length] = '\0';
    snprintf(error + used, size - used, "\n%s:\n%s", path, text);
}

static int spawn_smbd(struct smbserver *server, int input, int output, int last)
{
    char conf[SMBSERVER_DIR_MAX + 16], log[SMBSERVER_DIR_MAX + 16];
    char *argv[] = {
        server->smbd, (char *)"--foreground", (char *)"--no-process-group", (char *)"-l", log, (char *)"-s", conf,
        NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    int rc;

    snprintf(conf, sizeof(conf), "%s/smb.conf", server->dir);
    snprintf(log, sizeof(log), "%s/log", server->dir);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGCHLD);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    posix_spawn_file_actions_adddup2(&actions, last, 3);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    rc = posix_spawn(&server->pid, server->smbd, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0)
        server->pid = 0;
    return -rc;
}

/*
 * Whether smbd's change-notify helper has registered itself. Before it has, a tree connect fails with NO_MEMORY
 * (observed with 4.17: the session looks the helper up in names.tdb, which launch removed, under this name). The
 * listening process makes the file before it listens: a version that then has none keeps its helpers' names elsewhere.
 */
static bool has_notify_daemon(const struct smbserver *server)
{
    static const char name[] = "notify-daemon";
    char path[SMBSERVER_DIR_MAX + 32], content[65536];
    ssize_t length;
    int fd;

    snprintf(path, sizeof(path), "%s/lock/names.tdb", server->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    length = read(fd, content, sizeof(content));
    close(fd);
    return length > 0 && memmem(content, (size_t)length, name, sizeof(name) - 1) != NULL;
}

static int wait_until_ready(struct smbserver *server, char *error, size_t size)
{
    uint64_t deadline = smbserver_now_ms() + READY_TIMEOUT_MS;

    for (;;) {
        bool ended = has_ended(server->pid);

        if (!ended && read_pid_file(server) == server->pid && smbserver_is_listening(server->port) &&
            has_notify_daemon(server))
            return 0;
        if (ended || smbserver_now_ms() > deadline) {
            snprintf(error, size, "smbd %s %s on port %u", server->version,
                     ended ? "ended instead of listening" : "is not ready within half a minute", server->port);
            append_log_tail(server, "smbd.out", error, size);
            append_log_tail(server, "log.smbd", error, size);
            return ended ? -ECHILD : -ETIMEDOUT;
        }
        smbserver_pause_ms(2);
    }
}

/* Start the processes over an existing configuration, and wait for them. */
static int launch(struct smbserver *server, char *error, size_t size)
{
    int input[2] = {-1, -1}, last[2] = {-1, -1}, output = -1, rc = 0;
    char path[SMBSERVER_DIR_MAX + 32];

    snprintf(path, sizeof(path), "%s/pid/smbd.pid", server->dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lock/names.tdb", server->dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/log/smbd.out", server->dir);
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(last, O_CLOEXEC) != 0)
        rc = -errno;
    output = smbserver_move_fd(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    for (int i = 0; i < 2; i++) {
        input[i] = smbserver_move_fd(input[i]);
        last[i] = smbserver_move_fd(last[i]);
    }
    if (rc == 0 && (output < 0 || input[0] < 0 || input[1] < 0 || last[0] < 0 || last[1] < 0))
        rc = -errno;
    if (rc == 0)
        rc = spawn_smbd(server, input[0], output, last[1]);
    if (rc != 0) {
        snprintf(error, size, "cannot start %s: %s", server->smbd, strerror(-rc));
    } else {
        server->lifeline = input[1];
        server->gone = last[0];
        input[1] = last[0] = -1;
    }
    for (int i = 0; i < 2; i++) {
        if (input[i] >= 0)
            close(input[i]);
        if (last[i] >= 0)
            close(last[i]);
    }
    if (output >= 0)
        close(output);
    if (rc != 0)
        return rc;
    rc = wait_until_ready(server, error, size);
    if (rc != 0)
        smbserver_halt(server);
    return rc;
}

/* ---- stopping ---- */

static void wait_for_end(pid_t pid, unsigned timeout_ms)
{
    uint64_t deadline = smbserver_now_ms() + timeout_ms;

    while (!has_ended(pid) && smbserver_now_ms() < deadline)
        smbserver_pause_ms(1);
}

static bool is_dead(const struct smbserver_process *process, void *context)
{
    bool *all_dead = context;

    *all_dead = process->state == 'Z' || process->state == 'X';
    return *all_dead;
}

static void wait_until_gone(const struct smbserver *server)
{
    struct pollfd p = {.fd = server->gone, .events = POLLIN};
    uint64_t deadline = smbserver_now_ms() + GONE_TIMEOUT_MS;
    bool all_dead;

    /* Nobody writes to it: the only event is the end of the last writer. */
    while (poll(&p, 1, GONE_TIMEOUT_MS) < 0 && errno == EINTR)
        ;
    /* A process closes its files a moment before it can be reaped. */
    do {
        all_dead = true;
        smbserver_each_process(server->pid, is_dead, &all_dead);
    } while (!all_dead && smbserver_now_ms() < deadline);
}

static void end_processes(struct smbserver *server, bool gently)
{
    if (server->pid == 0)
        return;
    if (gently) {
        kill(server->pid, SIGTERM);
        wait_for_end(server->pid, STOP_TIMEOUT_MS);
    }
    end_guard(server);
    /* A stopped session outlives SIGTERM. The group is still ours: its leader has not been reaped. */
    killpg(server->pid, SIGKILL);
    wait_until_gone(server);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    /* Where this process is a subreaper, the sessions have become its children. */
    while (waitpid(-server->pid, NULL, WNOHANG) > 0)
        ;
    close(server->lifeline);
    close(server->gone);
    server->lifeline = server->gone = -1;
    server->pid = 0;
}

void smbserver_halt(struct smbserver *server)
{
    end_processes(server, false);
}

void smbserver_stop(struct smbserver *server)
{
    if (server == NULL)
        return;
    end_processes(server, true);
    if (server->reservation >= 0)
        close(server->reservation);
    if (server->lock >= 0)
        close(server->lock);
    explicit_bzero(server->password, sizeof(server->password));
    free(server);
}

/* ---- the whole ---- */

static int lock_folder(struct smbserver *server, char *error, size_t size)
{
    char path[SMBSERVER_DIR_MAX + 16];

    snprintf(path, sizeof(path), "%s/lock.server", server->dir);
    server->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (server->lock < 0) {
        int saved = errno;

        snprintf(error, size, "cannot write in the server's folder %s: %s", server->dir, strerror(saved));
        return -saved;
    }
    if (flock(server->lock, LOCK_EX | LOCK_NB) != 0) {
        snprintf(error, size, "another server uses the folder %s", server->dir);
        return -EBUSY;
    }
    return 0;
}

int smbserver_start(const struct smbserver_options *options, struct smbserver **ret_server, char *error, size_t size)
{
    struct smbserver *server;
    int rc = smbserver_check_options(options, error, size);

    if (rc != 0)
        return rc;
    server = calloc(1, sizeof(*server));
    if (server == NULL) {
        snprintf(error, size, "out of memory");
        return -ENOMEM;
    }
    server->lock = server->reservation = server->lifeline = server->gone = -1;
    snprintf(server->dir, sizeof(server->dir), "%s", options->dir);
    snprintf(server->password_file, sizeof(server->password_file), "%s/password", options->dir);
    rc = find_user(server, error, size);
    if (rc == 0)
        rc = find_smbd(server, options->smbd, error, size);
    if (rc == 0)
        rc = lock_folder(server, error, size);
    if (rc == 0)
        rc = reserve_port(server, options->port, error, size);
    if (rc == 0) {
        rc = make_password(server);
        if (rc != 0)
            snprintf(error, size, "no random numbers: %s", strerror(-rc));
    }
    if (rc == 0)
        rc = smbserver_write_config(options, server->port, server->user, server->password, error, size);
    if (rc == 0)
        rc = add_user(server, error, size);
    if (rc == 0)
        rc = launch(server, error, size);
    if (rc != 0) {
        smbserver_stop(server);
        return rc;
    }
    *ret_server = server;
    return 0;
}

int smbserver_restart(struct smbserver *server, char *error, size_t size)
{
    smbserver_halt(server);
    return launch(server, error, size);
}

/* ---- accessors ---- */

uint16_t smbserver_port(const struct smbserver *server)
{
    return server->port;
}

const char *smbserver_user(const struct smbserver *server)
{
    return server->user;
}

const char *smbserver_password(const struct smbserver *server)
{
    return server->password;
}

const char *smbserver_password_file(const struct smbserver *server)
{
    return server->password_file;
}

const char *smbserver_version(const struct smbserver *server)
{
    return server->version;
}

const char *smbserver_dir(const struct smbserver *server)
{
    return server->dir;
}

pid_t smbserver_pid(const struct smbserver *server)
{
    return server->pid;
}
