/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_contract_loss.c - what smb.h promises: servers and workers that go away, and what is left. */
#include "smb_contract.h"
#include "smb_wire.h"

#include "mem.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a server that goes away ---- */

static void test_a_lost_server_is_connected_anew(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    char buffer[8];
    smb_file file, directory, second;
    ULONG done = 77;

    (void)state;
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(
        smb_do_create(connection, u"dir", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &directory),
        STATUS_SUCCESS);
    smb_fixture_halt(&fixture);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 4, 0, &done), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(done, 77);
    assert_int_equal(smb_do_open(connection, u"f.txt", NULL), STATUS_BAD_NETWORK_PATH);
    assert_int_equal(smb_do_open(connection, u"f.txt", NULL), STATUS_BAD_NETWORK_PATH);
    smb_fixture_restart(&fixture);
    /* At the first attempt, even for a request that must not be sent twice. */
    assert_int_equal(smb_do_create(connection, u"after", READ_WRITE, 0, FILE_CREATE, 0, &second), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 4, 0, &done), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_close(connection, file), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_close(connection, file), STATUS_INVALID_HANDLE);
    assert_int_equal(smb_do_close(connection, directory), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_close(connection, second), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void test_a_restart_between_two_requests_goes_unnoticed(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    smb_file file;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
        assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
        smb_fixture_halt(&fixture);
        smb_fixture_restart(&fixture);
    }
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

/* Have smbd close the share for everybody who is connected to it, as an administrator does. */
static void close_share(void)
{
    char conf[128], *argv[] = {"smbcontrol", "-s", conf, "smbd", "close-share", "lab", NULL};
    pid_t pid;
    int status;

    snprintf(conf, sizeof(conf), "%s/smb.conf", smbserver_dir(fixture.server));
    assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_a_share_that_the_server_closes_is_connected_anew(void **state)
{
    struct smb_request look = {.op = SMB_QUERY_PATH, .path = smb_path(u"f.txt")};
    struct smb_connection *connection;
    const uint64_t start = smb_now_ms();
    char buffer[8];
    smb_file file;
    ULONG done;

    (void)state;
    if (on_mem())
        skip();
    connection = smb_fixture_connect(&fixture);
    for (int by_file = 0; by_file < 2; by_file++) {
        assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
        close_share();
        /* The server has been told, and does it in its own time. */
        while ((by_file ? smb_do_io(connection, SMB_READ, file, buffer, 4, 0, &done)
                        : smb_perform(connection, &look)) == STATUS_SUCCESS) {
            assert_true(smb_now_ms() - start < 30000);
            usleep(1000);
        }
        if (!by_file)
            assert_int_equal(look.status, STATUS_CONNECTION_DISCONNECTED);
        assert_int_equal(smb_perform(connection, &look), STATUS_SUCCESS);
        assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 4, 0, &done), STATUS_CONNECTION_DISCONNECTED);
        assert_int_equal(smb_do_close(connection, file), STATUS_CONNECTION_DISCONNECTED);
        assert_int_equal(smb_perform(connection, &look), STATUS_SUCCESS);
    }
    smb_disconnect(connection);
}

static void test_a_session_killed_under_a_request_is_a_disconnection(void **state)
{
    struct smb_connection *connection;
    struct wired wired;
    struct smb_pending held;
    smb_file file;

    (void)state;
    if (on_mem())
        skip();
    connect_wired(&wired);
    connection = wired.connection;
    smb_fixture_pause(&fixture);
    held.request = smb_create_request(u"f.txt", READ_WRITE, 0, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
    smb_pending_submit(connection, &held);
    await_request(&wired);
    smbserver_signal(fixture.server, SMBSERVER_KILL_SESSIONS);
    assert_int_equal(smb_pending_wait(&held), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    disconnect_wired(&wired);
}

/* ---- the worker ---- */

static void test_a_killed_worker_is_replaced(void **state)
{
    struct smb_connection *connection;
    struct smb_pending held, behind;
    pid_t worker;
    smb_file old, file;

    (void)state;
    if (on_mem())
        skip();
    connection = connect_with_worker(&worker);
    assert_int_equal(smb_do_open(connection, u"f.txt", &old), STATUS_SUCCESS);
    smb_fixture_pause(&fixture);
    held.request = smb_create_request(u"f.txt", READ_WRITE, 0, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
    behind.request = (struct smb_request){.op = SMB_CLOSE, .file = old};
    smb_pending_submit(connection, &held);
    smb_pending_submit(connection, &behind);
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(smb_pending_wait(&held), STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_int_equal(smb_pending_wait(&behind), STATUS_UNEXPECTED_NETWORK_ERROR);
    smb_fixture_resume(&fixture);
    assert_int_equal(smb_do_close(connection, old), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, old), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
    assert_false(is_running(worker));
}

static void test_a_worker_killed_under_performers_lets_them_go(void **state)
{
    enum { THREADS = 4 };
    struct performer performers[THREADS] = {0};
    pthread_t threads[THREADS];
    struct smb_connection *connection;
    uint64_t before = smb_backend_count(fixture.backend, SMB_CREATE);
    pid_t worker;
    smb_file file;

    (void)state;
    if (on_mem())
        skip();
    connection = connect_with_worker(&worker);
    smb_fixture_pause(&fixture);
    for (int i = 0; i < THREADS; i++) {
        performers[i].connection = connection;
        performers[i].request = smb_create_request(u"f.txt", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
        assert_int_equal(pthread_create(&threads[i], NULL, perform_in_thread, &performers[i]), 0);
    }
    await_submitted(SMB_CREATE, before + THREADS); /* one that came later would find a worker that is gone */
    usleep(50000); /* they are counted when they begin; from there to the ring is a moment */
    assert_int_equal(kill(worker, SIGKILL), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_status_row(i, performers[i].request.status, STATUS_UNEXPECTED_NETWORK_ERROR);
    }
    smb_fixture_resume(&fixture);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void test_a_program_that_is_no_worker_is_noticed(void **state)
{
    struct smb_request request = {.op = SMB_TREE_CONNECT};
    struct smb_connection *connection;
    struct smb_pending pending = {.request = {.op = SMB_TREE_CONNECT}};
    struct smb_backend *backend;

    (void)state;
    assert_null(smb_smbc_backend("/nowhere/at/all", fixture.dir));
    assert_int_equal(errno, ENOENT);
    assert_null(smb_smbc_backend("/bin/true", "/nowhere/at/all"));
    assert_int_equal(errno, ENOENT);
    backend = smb_smbc_backend("/bin/true", fixture.dir);
    assert_non_null(backend);
    assert_int_equal(smb_connect(backend, &fixture.target, &connection), STATUS_SUCCESS);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(smb_perform(connection, &request), STATUS_UNEXPECTED_NETWORK_ERROR);
        smb_pending_submit(connection, &pending);
        assert_int_equal(smb_pending_wait(&pending), STATUS_UNEXPECTED_NETWORK_ERROR);
    }
    smb_disconnect(connection);
    smb_backend_free(backend);
    /* A file that cannot be run passes for a program until it is started. */
    backend = smb_smbc_backend("/bin", fixture.dir);
    assert_non_null(backend);
    assert_int_equal(smb_connect(backend, &fixture.target, &connection), STATUS_INSUFFICIENT_RESOURCES);
    smb_backend_free(backend);
}

/* Whether a file of /proc has the text in it. Fails the test if it cannot be read, unless the kernel forbids that. */
static bool file_contains(const char *path, const char *text, bool *ret_forbidden)
{
    static char content[1 << 16];
    FILE *file = fopen(path, "re");
    size_t length, wanted = strlen(text);
    bool found = false;

    *ret_forbidden = file == NULL && (errno == EACCES || errno == EPERM);
    if (*ret_forbidden)
        return false;
    if (file == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    length = fread(content, 1, sizeof(content), file);
    fclose(file);
    for (size_t i = 0; i + wanted <= length && !found; i++)
        found = memcmp(content + i, text, wanted) == 0;
    return found;
}

static void test_the_password_is_in_no_argument_and_no_environment(void **state)
{
    struct smb_connection *connection;
    bool forbidden;
    pid_t worker;
    char path[64];

    (void)state;
    if (on_mem())
        skip();
    connection = connect_with_worker(&worker);
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)worker);
    assert_true(file_contains(path, "rdrlab-smbworker", &forbidden)); /* it is the right file, and it is read */
    assert_false(file_contains(path, fixture.target.password, &forbidden));
    /*
     * The worker has made itself undumpable, so its environment is for nobody without CAP_SYS_PTRACE: an ordinary user,
     * and root in a container, are forbidden to open it, which is more than is claimed. Who may, looks. Opening it
     * tells: access() goes by the mode bits, and those are root's.
     */
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)worker);
    assert_false(file_contains(path, fixture.target.password, &forbidden));
    if (!forbidden)
        assert_true(file_contains(path, "HOME=", &forbidden));
    print_message("the worker's environment: %s\n", forbidden ? "not to be read at all" : "read");
    smb_disconnect(connection);
}

/* ---- the wire ---- */

static void test_open_and_close_are_one_create_and_one_close(void **state)
{
    enum { COUNT = 20 };
    struct smb_wire_counts before, after;
    struct smb_connection *connection;
    struct smb_target target = fixture.target;
    struct smb_wire *wire;
    smb_file file;

    (void)state;
    if (on_mem())
        skip();
    wire = smb_wire_start(fixture.target.port);
    assert_non_null(wire);
    target.port = smb_wire_port(wire);
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_SUCCESS);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    before = smb_wire_read(wire);
    assert_true(before.all >= 4);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
        assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
        assert_int_equal(smb_do_open(connection, u"no", NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    }
    after = smb_wire_read(wire);
    assert_int_equal(after.closes - before.closes, COUNT);
    assert_int_equal(after.creates - before.creates, 2 * COUNT);
    assert_int_equal(after.all - before.all, 3 * COUNT);
    /* What cannot be sent is not. */
    assert_int_equal(smb_do_open(connection, u"a\xD83D", NULL), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(smb_wire_read(wire).all, after.all);
    smb_disconnect(connection);
    smb_wire_stop(wire);
}
/* ---- nothing left ---- */

static void test_disconnect_closes_every_file(void **state)
{
    struct smb_connection *connection, *other;
    pid_t worker = 0;
    smb_file file;

    (void)state;
    connection = on_mem() ? smb_fixture_connect(&fixture) : connect_with_worker(&worker);
    for (int i = 0; i < 10; i++)
        assert_int_equal(smb_do_create(connection, u"f.txt", READ_WRITE, SHARE_BOTH, FILE_OPEN, 0, &file), 0);
    smb_disconnect(connection);
    other = smb_fixture_connect(&fixture);
    assert_int_equal(smb_do_create(other, u"f.txt", READ_WRITE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    smb_disconnect(other);
    smb_disconnect(NULL);
    if (!on_mem())
        assert_false(is_running(worker));
    else
        assert_int_equal(smb_mem_open_files(fixture.mem), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_share_that_the_server_closes_is_connected_anew),
    cmocka_unit_test(test_a_session_killed_under_a_request_is_a_disconnection),
    cmocka_unit_test(test_a_killed_worker_is_replaced),
    cmocka_unit_test(test_a_worker_killed_under_performers_lets_them_go),
    cmocka_unit_test(test_a_program_that_is_no_worker_is_noticed),
    cmocka_unit_test(test_the_password_is_in_no_argument_and_no_environment),
    cmocka_unit_test(test_open_and_close_are_one_create_and_one_close),
    cmocka_unit_test(test_a_lost_server_is_connected_anew),
    cmocka_unit_test(test_a_restart_between_two_requests_goes_unnoticed),
    cmocka_unit_test(test_disconnect_closes_every_file),
};

const struct contract_group contract_loss = {"loss", tests, sizeof tests / sizeof *tests};
