/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rdrlabd: one emulated NT machine, from its folder to its report. */
#include <errno.h>
#include <iconv.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach.h"
#include "audit.h"
#include "folder.h"
#include "host.h"
#include "listener.h"
#include "mappings.h"
#include "memshare.h"
#include "options.h"
#include "peer.h"
#include "region.h"
#include "secret.h"
#include "server.h"
#include "token.h"
#include "wire/channel.h"

enum exit_status { EXIT_CLEAN = 0, EXIT_NO_START = 1, EXIT_OPTION = 2, EXIT_LEFT = 3, EXIT_BUG_CHECK = 4 };

struct daemon {
    struct options options;
    struct folder folder;
    struct host host;
    struct smb_backend *backend;
    struct attachments *attachments;
    struct audit audit;
    int listener, tcp_listener, signals;
    char tcp_address[64]; /* "" without one */
};

/* ---- the bug check ---- */

static int bug_check_bell = -1;
static EMU_BUG_CHECK bug_check; /* these two: written before the bell rings, by the first thread only */
static char bug_check_text[EMU_BUG_CHECK_TEXT];
static int bug_check_told; /* atomic: they are; a bell orders nothing in the eyes of the language */

/* The thread may hold any of the machine's locks: it stays where it is, and the main loop ends the process. */
static void on_bug_check(const EMU_BUG_CHECK *what)
{
    static int first = 1;

    if (__atomic_exchange_n(&first, 0, __ATOMIC_SEQ_CST)) {
        bug_check = *what;
        EmuFormatBugCheck(what, bug_check_text, sizeof(bug_check_text));
        __atomic_store_n(&bug_check_told, 1, __ATOMIC_RELEASE);
        eventfd_write(bug_check_bell, 1);
    }
    for (;;)
        pause();
}

/* ---- starting ---- */

#define NAME_ROOM     (256 * sizeof(WCHAR)) /* --user's bytes as UTF-16 */
#define PASSWORD_ROOM (OPTIONS_PASSWORD_MAX * sizeof(WCHAR))

/* into: room bytes, NULL for no memory; wide's from then on. */
static bool widen(const char *text, void *into, size_t room, UNICODE_STRING *wide)
{
    size_t left = strlen(text), rest = room;
    char *from = (char *)text, *to = into;
    iconv_t converter = iconv_open("UTF-16LE", "UTF-8");
    bool good = to && converter != (iconv_t)-1;

    *wide = (UNICODE_STRING){0, (USHORT)room, into};
    good = good && iconv(converter, &from, &left, &to, &rest) != (size_t)-1;
    if (converter != (iconv_t)-1)
        iconv_close(converter);
    wide->Length = (USHORT)(room - rest);
    return good;
}

static bool read_account(struct daemon *daemon)
{
    const struct options *options = &daemon->options;

    if (options->user && !widen(options->user, malloc(NAME_ROOM), NAME_ROOM, &daemon->host.user)) {
        host_error("--user: is not UTF-8");
        return false;
    }
    if (options->password &&
        !widen(options->password, secret_allocate(PASSWORD_ROOM), PASSWORD_ROOM, &daemon->host.password)) {
        host_error("--password-file: is not UTF-8");
        return false;
    }
    return true;
}

/*
 * Signals come through a descriptor; SIGIO tells of a lease that somebody else's open breaks, which needs no answer.
 * Returns false if the parent has died before it could be told to take this process along.
 */
static bool prepare_process(struct daemon *daemon)
{
    pid_t parent = getppid();
    sigset_t ending;

    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGHUP);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    daemon->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    bug_check_bell = eventfd(0, EFD_CLOEXEC);
    daemon->host.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    region_prepare_process();
    if (daemon->options.die_with_parent) {
        /* A parent with several threads signals several times: with SIGHUP, which stays harmless after the first. */
        prctl(PR_SET_PDEATHSIG, SIGHUP);
        if (getppid() != parent)
            return false;
    }
    if (daemon->signals >= 0 && bug_check_bell >= 0 && daemon->host.kick >= 0)
        return true;
    host_error("cannot start: %s", strerror(errno));
    return false;
}

static bool make_backend(struct daemon *daemon)
{
    const struct options *options = &daemon->options;
    char state[PATH_MAX + sizeof("/samba")];

    if (options->backend == BACKEND_MEM)
        daemon->backend = memshare_backend(options->user, options->password);
    else if (options->backend == BACKEND_LOCKED)
        daemon->backend = memshare_backend("nobody here", "nor this");
    else {
        snprintf(state, sizeof(state), "%s/samba", daemon->folder.path);
        daemon->backend = smb_smbc_backend(options->worker, state);
    }
    if (!daemon->backend)
        host_error("--backend %s: %s", options->backend != BACKEND_SMBC ? "mem" : "smbc", strerror(errno));
    return daemon->backend != NULL;
}

static enum exit_status boot(struct daemon *daemon)
{
    const struct options *options = &daemon->options;
    EMU_MACHINE_OPTIONS machine = {
        .Build = options->build,
        .Defects = options->defects,
        .PagedPoolLimit = options->paged_limit,
        .Smb = daemon->backend,
        .Servers = options->servers,
        .ServerCount = options->server_count,
        .Dialect = options->dialect,
        .SmbTimeoutMs = options->timeout_ms,
        .Verifier = &options->verifier,
        .RegistryFile = options->registry,
        .Clock = options->clock,
        .NetWare = options->netware,
    };
    char error[512] = "";
    NTSTATUS status;

    if (options->stacks)
        EmuPoolTrack(EMU_POOL_TRACK_STACKS);
    status = EmuMachineBoot(&machine, error, sizeof(error));
    if (NT_SUCCESS(status)) {
        EmuSetBugCheckRoutine(on_bug_check);
        return EXIT_CLEAN;
    }
    host_error("the machine does not boot: %s (status 0x%08X)", error, (unsigned)status);
    return status == STATUS_INVALID_PARAMETER ? EXIT_OPTION : EXIT_NO_START;
}

static void fill_welcome(struct daemon *daemon)
{
    struct wire_welcome *welcome = &daemon->host.welcome;

    welcome->machine_pid = (uint32_t)getpid();
    welcome->slot_count = WIRE_SLOT_COUNT;
    welcome->region_size = sizeof(struct wire_region);
    snprintf(welcome->build, sizeof(welcome->build), "%s", EmuMachineBuild());
    snprintf(welcome->token_folder, sizeof(welcome->token_folder), "%.180s/tokens", daemon->folder.path);
}

static bool open_for_relays(struct daemon *daemon)
{
    const struct options *options = &daemon->options;
    struct remote_secret secret;
    char error[PATH_MAX + 256];

    if (!options->listen)
        return true;
    if (remote_read_secret(options->secret_file, &secret, error, sizeof(error)) != 0) {
        host_error("--secret-file %s", error);
        return false;
    }
    daemon->tcp_listener = listener_open(options->listen, &secret, (int)options->peer_timeout_ms, daemon->tcp_address,
                                         sizeof(daemon->tcp_address), error, sizeof(error));
    explicit_bzero(&secret, sizeof(secret));
    if (daemon->tcp_listener < 0)
        host_error("--listen %s", error);
    return daemon->tcp_listener >= 0;
}

/* On a booted machine. */
static bool open_for_clients(struct daemon *daemon)
{
    char error[PATH_MAX + 256];

    fill_welcome(daemon);
    daemon->host.tokens = token_table_create(daemon->folder.tokens, daemon->folder.held, error, sizeof(error));
    if (!daemon->host.tokens) {
        host_error("--dir %s: %s", daemon->options.folder, error);
        return false;
    }
    daemon->host.mappings = mappings_open(&daemon->host, daemon->folder.fd);
    if (!daemon->host.mappings) {
        host_error("--dir %s: out of memory", daemon->options.folder);
        return false;
    }
    daemon->attachments = attach_start(&daemon->host, daemon->folder.attach, error, sizeof(error));
    if (!daemon->attachments) {
        host_error("--dir %s: %s", daemon->options.folder, error);
        return false;
    }
    daemon->listener = server_listen(&daemon->folder, error, sizeof(error));
    if (daemon->listener < 0) {
        host_error("--dir %s: %s", daemon->options.folder, error);
        return false;
    }
    return open_for_relays(daemon);
}

static void tell_ready(const struct daemon *daemon)
{
    char line[PATH_MAX + 96];
    int length = snprintf(line, sizeof(line), "%s/socket\n%s%s", daemon->folder.path, daemon->tcp_address,
                          daemon->tcp_address[0] ? "\n" : "");

    host_log(&daemon->host, "%s listens in %s%s%s", EmuMachineBuild(), daemon->folder.path,
             daemon->tcp_address[0] ? " and at " : "", daemon->tcp_address);
    if (daemon->options.ready_fd < 0)
        return;
    if (write(daemon->options.ready_fd, line, (size_t)length) != length)
        host_error("--ready-fd %d: %s", daemon->options.ready_fd, strerror(errno));
    close(daemon->options.ready_fd);
}

/* ---- ending ---- */

/* From now on SIGTERM and SIGINT do what they do elsewhere; the first one is taken, or it would do so now. */
static void let_signals_kill(const struct daemon *daemon)
{
    struct signalfd_siginfo taken;
    sigset_t ending;

    if (read(daemon->signals, &taken, sizeof(taken)) > 0)
        host_log(&daemon->host, "signal %u from process %u", taken.ssi_signo, taken.ssi_pid);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_UNBLOCK, &ending, NULL);
}

static void write_report(struct daemon *daemon)
{
    daemon->audit.clients = daemon->host.peers_ever;
    if (daemon->options.report_fd >= 0 && !audit_write(&daemon->audit, daemon->backend, daemon->options.report_fd))
        host_error("--report: %s", strerror(errno));
}

/* The machine's locks may be held for good: nothing of it is called any more, and exit handlers are not run. Nor are a
 * sanitizer's, which _exit would run: no thread can be joined here, and it would call that a leak. */
static _Noreturn void end_stopped(struct daemon *daemon)
{
    if (__atomic_load_n(&bug_check_told, __ATOMIC_ACQUIRE))
        daemon->audit.bug_check = bug_check;
    snprintf(daemon->audit.build, sizeof(daemon->audit.build), "%s", daemon->host.welcome.build);
    if (!folder_write_bug_check(&daemon->folder, bug_check_text))
        host_error("%s/bugcheck.txt: %s", daemon->folder.path, strerror(errno));
    peer_abandon_all(&daemon->host);
    write_report(daemon);
    fputs(bug_check_text, stderr);
    host_error("the machine has stopped; this report is in %s/bugcheck.txt", daemon->folder.path);
    folder_remove(&daemon->folder);
    syscall(SYS_exit_group, EXIT_BUG_CHECK);
    __builtin_unreachable();
}

/* A bug check during shutdown would otherwise hang it, since the main loop no longer runs. */
static void *end_stopped_thread(void *argument)
{
    eventfd_t ignored;

    eventfd_read(bug_check_bell, &ignored);
    end_stopped(argument);
}

static enum exit_status shut_down(struct daemon *daemon)
{
    EMU_MACHINE_AUDIT *found = &daemon->audit.machine;
    pthread_t watcher;
    bool watched;

    host_log(&daemon->host, "shutting down");
    close(daemon->listener);
    if (daemon->tcp_listener >= 0)
        close(daemon->tcp_listener);
    let_signals_kill(daemon);
    watched = pthread_create(&watcher, NULL, end_stopped_thread, daemon) == 0;
    attach_stop(daemon->attachments);
    server_disconnect_all(&daemon->host);
    mappings_close(daemon->host.mappings);
    token_table_destroy(daemon->host.tokens);
    audit_collect(&daemon->audit);
    EmuMachineShutdown(found);
    if (watched) {
        pthread_cancel(watcher);
        pthread_join(watcher, NULL);
    }
    daemon->audit.shut_down = true;
    write_report(daemon);
    if (audit_is_clean(&daemon->audit))
        return EXIT_CLEAN;
    host_error("left at shutdown: %u handles, %u processes, %u objects, %u IRPs, pool blocks of %u call sites",
               found->Handles, found->Processes, found->Objects, found->Irps, found->Pool.Count);
    return EXIT_LEFT;
}

/* ---- main ---- */

/* What a start that failed half way has made; the machine's audit is of no interest then. */
static void undo_start(struct daemon *daemon, bool booted)
{
    attach_stop(daemon->attachments);
    mappings_close(daemon->host.mappings);
    token_table_destroy(daemon->host.tokens);
    if (booted)
        EmuMachineShutdown(NULL);
}

static enum exit_status run(struct daemon *daemon)
{
    char error[PATH_MAX + 256];
    enum exit_status status = EXIT_NO_START;

    if (!prepare_process(daemon) || !read_account(daemon))
        return EXIT_NO_START;
    if (!folder_open(&daemon->folder, daemon->options.folder, error, sizeof(error))) {
        host_error("%s", error);
        return EXIT_NO_START;
    }
    if (make_backend(daemon))
        status = boot(daemon);
    if (status == EXIT_CLEAN && !open_for_clients(daemon)) {
        undo_start(daemon, true);
        status = EXIT_NO_START;
    } else if (status == EXIT_CLEAN) {
        const struct server_door doors[SERVER_DOORS] = {{daemon->listener, server_accept},
                                                        {daemon->tcp_listener, listener_accept}};

        tell_ready(daemon);
        if (!server_run(&daemon->host, doors, daemon->signals, bug_check_bell))
            end_stopped(daemon);
        status = shut_down(daemon);
    }
    smb_backend_free(daemon->backend);
    folder_remove(&daemon->folder);
    return status;
}

int main(int argc, char **argv)
{
    static struct daemon daemon = {.folder = {.fd = -1}, .listener = -1, .tcp_listener = -1};
    char error[PATH_MAX + 256];
    enum exit_status status;

    host_prepare(&daemon.host);
    if (!options_read(&daemon.options, argc, argv, error, sizeof(error))) {
        host_error("%s", error);
        options_free(&daemon.options);
        return EXIT_OPTION;
    }
    if (daemon.options.help) {
        options_print_help(stdout);
        options_free(&daemon.options);
        return EXIT_CLEAN;
    }
    daemon.host.verbose = daemon.options.verbose;
    status = run(&daemon);
    secret_free(daemon.host.password.Buffer, PASSWORD_ROOM);
    free(daemon.host.user.Buffer);
    if (daemon.audit.shut_down)
        EmuPoolFreeSnapshot(&daemon.audit.machine.Pool);
    options_free(&daemon.options);
    return status;
}
