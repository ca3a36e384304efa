/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_lost_server.c - the machine's server is killed, stopped or restarted before, during and after what a program
 * asks of it: the program gets an error in bounded time, the next open works, and another server is not waited for.
 * usage: test_lost_server DIALECT [WORKER]
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "smbserver.h"

/* What the machine gives a server: where one is stopped, as little as a server that is well does not need on a busy
 * system; elsewhere so much that nobody is seen to wait for it. */
#define STOPPED_MS 3000
#define WELL_MS    60000
/* A request may need two exchanges, and to connect again needs some more of them; the rest is for a busy system. */
#define BOUND_MS (10 * STOPPED_MS)

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* X: is the first one's, Y: the second's. */
static struct smbserver *servers[2];
static struct smb_backend *smb;
static const char *dialect;
static char top[48];

/* ---- folders and servers ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static const char *path_of(int server, const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%d/share/%s", top, server, name);
    return path;
}

static void write_file(int server, const char *name)
{
    FILE *file = fopen(path_of(server, name), "we");

    assert_non_null(file);
    fputs(LAB_TEXT, file);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(int server, const char *name)
{
    assert_int_equal(remove(path_of(server, name)), 0);
}

static bool on_disk(int server, const char *name)
{
    return access(path_of(server, name), F_OK) == 0;
}

static int skip_or_fail(const char *reason)
{
    const char *require = getenv("RDRLAB_REQUIRE_ALL");

    fprintf(stderr, "%s\n", reason);
    return require != NULL && require[0] != '\0' ? 1 : 77;
}

static int start_server(int number)
{
    char dir[64], share[80], error[4096];
    struct smbserver_options options = {.dir = dir, .share_dir = share};
    int rc;

    snprintf(dir, sizeof dir, "%s/%d", top, number);
    snprintf(share, sizeof share, "%s/share", dir);
    if (mkdir(dir, 0700) != 0 || mkdir(share, 0700) != 0)
        return 1;
    rc = smbserver_start(&options, &servers[number], error, sizeof error);
    if (rc == -ENOENT || rc == -ENOTSUP)
        return skip_or_fail(error);
    if (rc != 0)
        fprintf(stderr, "%s\n", error);
    return rc != 0;
}

static int start(const char *worker)
{
    char state[64];
    int rc;

    snprintf(top, sizeof top, "/tmp/rdrlab-test.XXXXXX");
    if (mkdtemp(top) == NULL)
        return 1;
    rc = start_server(0);
    if (rc == 0)
        rc = start_server(1);
    snprintf(state, sizeof state, "%s/client", top);
    if (rc == 0 && mkdir(state, 0700) != 0)
        rc = 1;
    if (rc == 0) {
        smb = smb_smbc_backend(worker, state);
        if (smb == NULL)
            rc = skip_or_fail("no worker program: built without libsmbclient");
    }
    return rc;
}

static void stop(void)
{
    smb_backend_free(smb);
    smbserver_stop(servers[0]);
    smbserver_stop(servers[1]);
    nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the machine ---- */

static NTSTATUS map(WCHAR letter, const WCHAR *unc, int server)
{
    const char *texts[2] = {smbserver_user(servers[server]), smbserver_password(servers[server])};
    WCHAR buffers[2][128];
    UNICODE_STRING remote, strings[2];

    for (int i = 0; i < 2; i++) {
        size_t length = 0;

        for (; texts[i][length] != '\0'; length++)
            buffers[i][length] = (UCHAR)texts[i][length];
        buffers[i][length] = 0;
        RtlInitUnicodeString(&strings[i], buffers[i]);
    }
    RtlInitUnicodeString(&remote, unc);
    return EmuUseAdd(letter - 'A', &remote, &strings[0], &strings[1]);
}

static void boot(unsigned timeout_ms)
{
    static EMU_SERVER_ADDRESS addresses[2];
    EMU_MACHINE_OPTIONS options = {
        .Smb = smb, .Servers = addresses, .ServerCount = 2, .Dialect = dialect, .SmbTimeoutMs = timeout_ms};
    char error[256];

    for (int i = 0; i < 2; i++)
        addresses[i] = (EMU_SERVER_ADDRESS){
            .Name = i == 0 ? "first" : "second", .Host = "127.0.0.1", .Port = smbserver_port(servers[i])};
    if (EmuMachineBoot(&options, error, sizeof error) != STATUS_SUCCESS)
        fail_msg("%s", error);
    assert_status(map('X', u"\\\\first\\lab", 0), STATUS_SUCCESS);
    assert_status(map('Y', u"\\\\second\\lab", 1), STATUS_SUCCESS);
}

static int set_up(void **state)
{
    (void)state;
    write_file(0, "f.txt");
    write_file(0, "victim");
    write_file(1, "f.txt");
    boot(WELL_MS);
    return 0;
}

static int set_up_stopped(void **state)
{
    (void)state;
    write_file(0, "f.txt");
    write_file(1, "f.txt");
    boot(STOPPED_MS);
    return 0;
}

static int tear_down(void **state)
{
    EMU_MACHINE_AUDIT audit;
    NTSTATUS status = EmuMachineShutdown(&audit);

    (void)state;
    for (ULONG i = 0; i < audit.Pool.Count; i++)
        print_error("left: %.4s %ld blocks %s:%u\n", (const char *)&audit.Pool.Uses[i].Tag,
                    (long)audit.Pool.Uses[i].LiveBlocks, EmuPoolSiteFile(audit.Pool.Uses[i].Site),
                    audit.Pool.Uses[i].Site->Line);
    EmuPoolFreeSnapshot(&audit.Pool);
    assert_status(status, STATUS_SUCCESS);
    return 0;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- what a program asks ---- */

enum operation { CONNECT, OPEN, ASK, READ, CLOSE, DELETE_AND_CLOSE, RENAME, OPERATIONS };

static const char *const operation_names[OPERATIONS] = {
    "connect a tree", "open", "open for attributes", "read", "close", "delete on close", "rename"};

struct asked {
    enum operation operation;
    HANDLE handle; /* of X:\f.txt, or of X:\victim for those that change it */
    PEPROCESS process;
    NTSTATUS status;
    uint64_t elapsed_ms;
    _Atomic bool done;
};

static NTSTATUS open_file(const WCHAR *name, HANDLE *handle)
{
    return lab_create(name, GENERIC_READ, SHARE_ALL, FILE_OPEN, FILE_NON_DIRECTORY_FILE, handle);
}

static NTSTATUS open_and_close(const WCHAR *name)
{
    HANDLE handle;
    NTSTATUS status = open_file(name, &handle);

    return NT_SUCCESS(status) ? NtClose(handle) : status;
}

static NTSTATUS ask_attributes(void)
{
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &handle);

    return NT_SUCCESS(status) ? NtClose(handle) : status;
}

static NTSTATUS read_file(HANDLE handle)
{
    LARGE_INTEGER offset = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[16];

    return NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &offset, NULL);
}

static NTSTATUS rename_file(HANDLE handle)
{
    static const WCHAR target[] = u"renamed";
    union {
        FILE_RENAME_INFORMATION rename;
        UCHAR room[sizeof(FILE_RENAME_INFORMATION) + sizeof target];
    } information;
    IO_STATUS_BLOCK io_status;

    memset(&information, 0, sizeof information);
    information.rename.ReplaceIfExists = TRUE;
    information.rename.FileNameLength = sizeof target - sizeof(WCHAR);
    memcpy(information.rename.FileName, target, sizeof target - sizeof(WCHAR));
    return NtSetInformationFile(handle, &io_status, &information,
                                (ULONG)(offsetof(FILE_RENAME_INFORMATION, FileName) + sizeof target - sizeof(WCHAR)),
                                FileRenameInformation);
}

/* The handle that the operation begins with, while the server is well. */
static void prepare(struct asked *asked)
{
    const ACCESS_MASK access = GENERIC_READ | DELETE;

    if (asked->operation == READ || asked->operation == CLOSE)
        assert_status(open_file(u"\\??\\X:\\f.txt", &asked->handle), STATUS_SUCCESS);
    if (asked->operation == DELETE_AND_CLOSE)
        assert_status(
            lab_create(u"\\??\\X:\\victim", access, SHARE_ALL, FILE_OPEN, FILE_DELETE_ON_CLOSE, &asked->handle),
            STATUS_SUCCESS);
    if (asked->operation == RENAME)
        assert_status(lab_create(u"\\??\\X:\\victim", access, SHARE_ALL, FILE_OPEN, 0, &asked->handle), STATUS_SUCCESS);
}

static NTSTATUS carry_out(struct asked *asked)
{
    HANDLE handle = asked->handle;
    NTSTATUS status;

    switch (asked->operation) {
    case CONNECT:
        status = map('Z', u"\\\\first\\ro", 0); /* a share of its own, so that there is something to ask */
        return NT_SUCCESS(status) ? EmuUseDelete('Z' - 'A', FALSE) : status;
    case OPEN:
        return open_and_close(u"\\??\\X:\\f.txt");
    case ASK:
        return ask_attributes();
    case READ:
        status = read_file(handle);
        assert_status(NtClose(handle), STATUS_SUCCESS);
        return status;
    case RENAME:
        status = rename_file(handle);
        assert_status(NtClose(handle), STATUS_SUCCESS);
        return status;
    default:
        return NtClose(handle);
    }
}

static void *ask(void *context)
{
    struct asked *asked = context;
    const uint64_t started = now_ms();

    EmuEnterProcess(asked->process != NULL ? asked->process : EmuSystemProcess());
    asked->status = carry_out(asked);
    asked->elapsed_ms = now_ms() - started;
    asked->done = true;
    EmuEnterProcess(NULL);
    return NULL;
}

/* ---- what becomes of the server ---- */

enum fault { KILLED, STOPPED, RESTARTED, FAULTS };

static const char *const fault_names[FAULTS] = {"killed", "stopped", "restarted"};

static void pause_server(void)
{
    smbserver_signal(servers[0], SMBSERVER_PAUSE_SESSIONS);
    assert_int_equal(kill(smbserver_pid(servers[0]), SIGSTOP), 0); /* nor does it take new clients */
}

static void resume_server(void)
{
    assert_int_equal(kill(smbserver_pid(servers[0]), SIGCONT), 0);
    smbserver_signal(servers[0], SMBSERVER_RESUME_SESSIONS);
}

static void restart_server(void)
{
    char error[4096] = "";

    if (smbserver_restart(servers[0], error, sizeof error) != 0)
        fail_msg("%s", error);
}

static void hit(enum fault fault)
{
    if (fault == STOPPED)
        pause_server();
    else if (fault == KILLED)
        smbserver_halt(servers[0]);
    else
        restart_server();
}

static void mend(enum fault fault)
{
    if (fault == STOPPED)
        resume_server();
    else if (fault == KILLED)
        restart_server();
}

/* A close waits for nobody: the last one may still be on its way, and be what the server is asked. It answers in order,
 * and of attributes alone no file is left to close. */
static void settle(void)
{
    assert_status(ask_attributes(), STATUS_SUCCESS);
}

static void check_bound(const struct asked *asked, const char *moment, enum fault fault)
{
    print_message("%s %s: %s is %s (0x%08x) after %u ms\n", fault_names[fault], moment,
                  operation_names[asked->operation], status_name(asked->status), (unsigned)asked->status,
                  (unsigned)asked->elapsed_ms);
    if (asked->elapsed_ms > BOUND_MS)
        fail_msg("%u ms", (unsigned)asked->elapsed_ms);
}

/* What was said of a rename is so. */
static void check_renamed(NTSTATUS status)
{
    const bool renamed = on_disk(0, "renamed");

    assert_int_equal(renamed, status == STATUS_SUCCESS);
    assert_int_not_equal(renamed, on_disk(0, "victim"));
    if (renamed)
        remove_file(0, "renamed");
}

/* ---- before ---- */

static void check_before(enum operation operation, enum fault fault, NTSTATUS expected)
{
    struct asked asked = {.operation = operation};

    prepare(&asked);
    settle();
    hit(fault);
    ask(&asked);
    EmuEnterProcess(EmuSystemProcess());
    check_bound(&asked, "before", fault);
    assert_status(asked.status, expected);
    mend(fault);
    assert_status(open_and_close(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
    if (operation == RENAME)
        check_renamed(asked.status);
}

static void check_all_before(enum fault fault)
{
    static const NTSTATUS expected[OPERATIONS][FAULTS] = {
        [CONNECT] = {STATUS_BAD_NETWORK_PATH, STATUS_IO_TIMEOUT, STATUS_SUCCESS},
        [OPEN] = {STATUS_BAD_NETWORK_PATH, STATUS_IO_TIMEOUT, STATUS_SUCCESS},
        [ASK] = {STATUS_BAD_NETWORK_PATH, STATUS_IO_TIMEOUT, STATUS_SUCCESS},
        [READ] = {STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT, STATUS_CONNECTION_DISCONNECTED},
        /* Nobody is told of what becomes of a close. */
        [CLOSE] = {STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
        [DELETE_AND_CLOSE] = {STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
        [RENAME] = {STATUS_BAD_NETWORK_PATH, STATUS_IO_TIMEOUT, STATUS_SUCCESS},
    };

    for (int operation = 0; operation < OPERATIONS; operation++) {
        write_file(0, "victim");
        check_before((enum operation)operation, fault, expected[operation][fault]);
    }
}

static void test_after_it_was_killed(void **state)
{
    (void)state;
    check_all_before(KILLED);
}

static void test_after_it_was_stopped(void **state)
{
    (void)state;
    check_all_before(STOPPED);
}

static void test_after_it_was_restarted(void **state)
{
    (void)state;
    check_all_before(RESTARTED);
}

/* ---- during: the server has the request and does not answer, and then that happens ---- */

/* Whether a client's bytes wait at the first server, which is stopped and does not read them. */
static bool is_being_asked(void)
{
    const unsigned server_port = smbserver_port(servers[0]);
    FILE *file = fopen("/proc/net/tcp", "re");
    bool asked = false;
    char line[256];

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned port, state, unread;

        asked |= sscanf(line, " %*u: %*x:%x %*x:%*x %x %*x:%x", &port, &state, &unread) == 3 && port == server_port &&
                 state == 1 && unread > 0;
    }
    fclose(file);
    return asked;
}

/* Returns when the server has the question, and does not answer. */
static void ask_a_stopped_server(struct asked *asked, pthread_t *thread)
{
    settle();
    pause_server();
    assert_int_equal(pthread_create(thread, NULL, ask, asked), 0);
    for (int i = 0; i < 10000 && !is_being_asked(); i++)
        usleep(1000);
    assert_true(is_being_asked());
}

/* The server is asked to close the file first, which nobody is told of; whether a server is there for the rename that
 * follows is a matter of moments. */
static void check_rename_during(NTSTATUS status, enum fault fault)
{
    if (fault == STOPPED)
        assert_status(status, STATUS_IO_TIMEOUT);
    else if (status != STATUS_BAD_NETWORK_PATH && status != STATUS_CONNECTION_DISCONNECTED)
        assert_status(status, fault == RESTARTED ? STATUS_SUCCESS : STATUS_BAD_NETWORK_PATH);
}

static void check_during(enum operation operation, enum fault fault, NTSTATUS expected)
{
    struct asked asked = {.operation = operation};
    pthread_t thread;

    prepare(&asked);
    ask_a_stopped_server(&asked, &thread);
    if (fault != STOPPED)
        hit(fault);
    assert_int_equal(pthread_join(thread, NULL), 0);
    check_bound(&asked, "during", fault);
    if (operation == RENAME)
        check_rename_during(asked.status, fault);
    else
        assert_status(asked.status, expected);
    mend(fault);
    assert_status(open_and_close(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
    if (operation == RENAME)
        check_renamed(asked.status);
}

static void check_all_during(enum fault fault)
{
    static const struct {
        enum operation operation;
        NTSTATUS killed, stopped, restarted;
    } rows[] = {
        {OPEN, STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT, STATUS_CONNECTION_DISCONNECTED},
        {ASK, STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT, STATUS_CONNECTION_DISCONNECTED},
        {READ, STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT, STATUS_CONNECTION_DISCONNECTED},
        {CLOSE, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
        {DELETE_AND_CLOSE, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
        {RENAME, 0, 0, 0}, /* see check_rename_during */
        {CONNECT, STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT, STATUS_CONNECTION_DISCONNECTED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(0, "victim");
        check_during(rows[i].operation, fault,
                     fault == KILLED    ? rows[i].killed
                     : fault == STOPPED ? rows[i].stopped
                                        : rows[i].restarted);
    }
}

static void test_while_it_is_killed(void **state)
{
    (void)state;
    check_all_during(KILLED);
}

static void test_while_it_is_stopped(void **state)
{
    (void)state;
    check_all_during(STOPPED);
}

static void test_while_it_is_restarted(void **state)
{
    (void)state;
    check_all_during(RESTARTED);
}

/* ---- after: a file is open, and is lost ---- */

static void check_after(enum fault fault)
{
    HANDLE old, fresh;

    assert_status(open_file(u"\\??\\X:\\f.txt", &old), STATUS_SUCCESS);
    assert_status(read_file(old), STATUS_SUCCESS);
    hit(fault);
    mend(fault);
    if (fault == STOPPED) {
        assert_status(read_file(old), STATUS_SUCCESS);
    } else {
        assert_status(read_file(old), STATUS_CONNECTION_DISCONNECTED);
        assert_status(read_file(old), STATUS_CONNECTION_DISCONNECTED);
    }
    assert_status(open_file(u"\\??\\X:\\f.txt", &fresh), STATUS_SUCCESS);
    assert_status(read_file(fresh), STATUS_SUCCESS);
    assert_status(NtClose(old), STATUS_SUCCESS);
    assert_status(read_file(fresh), STATUS_SUCCESS);
    assert_status(NtClose(fresh), STATUS_SUCCESS);
}

static void test_after(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULTS; fault++)
        check_after((enum fault)fault);
}

/* ---- what does not happen is not half done ---- */

static void test_a_delete_that_did_not_reach_the_server_leaves_the_file(void **state)
{
    struct asked asked = {.operation = DELETE_AND_CLOSE};

    (void)state;
    prepare(&asked);
    hit(KILLED);
    assert_status(NtClose(asked.handle), STATUS_SUCCESS);
    mend(KILLED);
    assert_status(open_and_close(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
    assert_true(on_disk(0, "victim"));
    assert_status(open_and_close(u"\\??\\X:\\victim"), STATUS_SUCCESS);
}

/* ---- others ---- */

static void test_another_server_is_not_waited_for(void **state)
{
    struct asked asked = {.operation = OPEN};
    pthread_t thread;

    (void)state;
    ask_a_stopped_server(&asked, &thread);
    for (int i = 0; i < 20; i++)
        assert_status(open_and_close(u"\\??\\Y:\\f.txt"), STATUS_SUCCESS);
    assert_false(asked.done); /* all that time the other one was still asked */
    resume_server();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_status(asked.status, STATUS_SUCCESS);
}

static void test_a_lost_server_does_not_lose_another(void **state)
{
    HANDLE handle;

    (void)state;
    assert_status(open_file(u"\\??\\Y:\\f.txt", &handle), STATUS_SUCCESS);
    smbserver_halt(servers[0]);
    assert_int_not_equal(open_and_close(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
    assert_status(read_file(handle), STATUS_SUCCESS);
    assert_status(open_and_close(u"\\??\\Y:\\f.txt"), STATUS_SUCCESS);
    restart_server();
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(open_and_close(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
}

/* Cancelled, and not timed out: a stopped server is not waited for. */
static void test_a_pending_open_can_be_cancelled(void **state)
{
    struct asked asked = {.operation = OPEN, .process = EmuCreateProcess(0)};
    pthread_t thread;

    (void)state;
    assert_non_null(asked.process);
    ask_a_stopped_server(&asked, &thread);
    EmuCancelProcessIo(asked.process);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_status(asked.status, STATUS_CANCELLED);
    EmuDeleteProcess(asked.process);
    resume_server();
    assert_status(open_and_close(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_after_it_was_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after_it_was_stopped, set_up_stopped, tear_down),
        cmocka_unit_test_setup_teardown(test_after_it_was_restarted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_it_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_it_is_stopped, set_up_stopped, tear_down),
        cmocka_unit_test_setup_teardown(test_while_it_is_restarted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_delete_that_did_not_reach_the_server_leaves_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_server_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_server_does_not_lose_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pending_open_can_be_cancelled, set_up, tear_down),
    };
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: test_lost_server DIALECT [WORKER]\n");
        return 2;
    }
    dialect = argv[1];
    rc = start(argc > 2 ? argv[2] : NULL);
    if (rc == 0)
        rc = cmocka_run_group_tests(tests, NULL, NULL) != 0;
    stop();
    return rc;
}
