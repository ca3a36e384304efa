/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_contract_waiting.c - what smb.h promises: many requests at once, and what ends one that is outstanding. */
#include "smb_contract.h"

#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>

#include <cmocka.h>

/* ---- order, many, and from many threads ---- */

static unsigned order_next;
static bool order_kept;

static void on_ordered(struct smb_request *request)
{
    order_kept &= (uintptr_t)request->context == order_next++;
}

static void test_many_outstanding_requests_complete_once_and_in_order(void **state)
{
    enum { COUNT = 100 };
    static struct smb_request requests[COUNT];
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct smb_pending last = {.request = {.op = SMB_QUERY_PATH, .path = smb_path(u"f.txt")}};

    (void)state;
    order_next = 0;
    order_kept = true;
    for (size_t i = 0; i < COUNT; i++) {
        requests[i] = (struct smb_request){.op = SMB_QUERY_PATH, .path = smb_path(i % 2 != 0 ? u"f.txt" : u"no")};
        requests[i].complete = on_ordered;
        requests[i].context = (void *)i;
        smb_submit(connection, &requests[i]);
    }
    smb_pending_submit(connection, &last);
    assert_int_equal(smb_pending_wait(&last), STATUS_SUCCESS);
    assert_int_equal(order_next, COUNT);
    assert_true(order_kept);
    for (size_t i = 0; i < COUNT; i++)
        assert_status_row(i, requests[i].status, i % 2 != 0 ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND);
    smb_disconnect(connection);
}

struct chain {
    struct smb_connection *connection;
    struct smb_request request;
    unsigned left;
    sem_t done;
};

static void on_link(struct smb_request *request)
{
    struct chain *chain = request->context;

    if (--chain->left == 0)
        sem_post(&chain->done);
    else
        smb_submit(chain->connection, request);
}

static void test_a_completion_routine_may_submit(void **state)
{
    struct chain chain = {.connection = smb_fixture_connect(&fixture), .left = 100};

    (void)state;
    sem_init(&chain.done, 0, 0);
    chain.request = (struct smb_request){.op = SMB_QUERY_PATH, .path = smb_path(u"no"), .complete = on_link};
    chain.request.context = &chain;
    smb_submit(chain.connection, &chain.request);
    assert_int_equal(sem_wait(&chain.done), 0);
    smb_disconnect(chain.connection);
}

static void *open_and_close(void *context)
{
    struct smb_connection *connection = context;
    uintptr_t failures = 0;

    for (int i = 0; i < 100; i++) {
        smb_file file = 0;

        if (smb_do_open(connection, u"f.txt", &file) != STATUS_SUCCESS)
            failures++;
        if (i % 3 == 0) {
            failures += smb_do_close(connection, file) != STATUS_SUCCESS;
        } else {
            struct smb_pending close = {.request = {.op = SMB_CLOSE, .file = file}};

            smb_pending_submit(connection, &close);
            failures += smb_do_open(connection, u"no", NULL) != STATUS_OBJECT_NAME_NOT_FOUND;
            while (sem_wait(&close.done) != 0)
                ;
            failures += close.request.status != STATUS_SUCCESS;
        }
    }
    return (void *)failures;
}

static void test_threads_share_a_connection(void **state)
{
    enum { THREADS = 6 };
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, connection), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failures;

        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    smb_disconnect(connection);
}

/* ---- a server that does not answer ---- */

static void test_cancel_completes_at_once_and_undoes_the_open(void **state)
{
    struct smb_connection *connection, *other = smb_fixture_connect(&fixture);
    struct smb_pending held, behind;
    struct wired wired;
    NTSTATUS status;
    smb_file file;

    (void)state;
    connect_wired(&wired);
    connection = wired.connection;
    smb_fixture_pause(&fixture);
    held.request = smb_create_request(u"f.txt", READ_WRITE, 0, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
    behind.request = smb_create_request(u"f.txt", READ_WRITE, 0, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
    smb_pending_submit(connection, &held);
    smb_pending_submit(connection, &behind);
    await_request(&wired);
    /* The server says nothing until it is told to go on: who waited for it would be waited for in vain. */
    smb_cancel(connection, &held.request);
    assert_int_equal(smb_pending_wait(&held), STATUS_CANCELLED);
    smb_cancel(connection, &behind.request);
    assert_int_equal(smb_pending_wait(&behind), STATUS_CANCELLED);
    smb_cancel(connection, &held.request); /* completed already: nothing happens */
    smb_fixture_resume(&fixture);
    /* If the cancelled open were still open, this exclusive one would be refused. Behind it on the same connection,
     * in order; then from another one. */
    status = smb_do_create(connection, u"f.txt", READ_WRITE, 0, FILE_OPEN, 0, &file);
    assert_int_equal(status, STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(other, u"f.txt", READ_WRITE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(other, file), STATUS_SUCCESS);
    assert_int_equal(held.completions, 1);
    assert_int_equal(behind.completions, 1);
    disconnect_wired(&wired);
    smb_disconnect(other);
}

static void test_cancel_ends_a_perform(void **state)
{
    struct performer performer = {0};
    struct wired wired;
    uint64_t before = smb_backend_count(fixture.backend, SMB_CREATE);
    pthread_t thread;

    (void)state;
    connect_wired(&wired);
    performer.connection = wired.connection;
    smb_fixture_pause(&fixture);
    performer.request = smb_create_request(u"f.txt", READ_WRITE, 0, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
    assert_int_equal(pthread_create(&thread, NULL, perform_in_thread, &performer), 0);
    await_submitted(SMB_CREATE, before + 1);
    await_request(&wired);
    assert_false(performer.returned);
    smb_cancel(performer.connection, &performer.request);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(performer.request.status, STATUS_CANCELLED);
    smb_fixture_resume(&fixture);
    disconnect_wired(&wired);
}

static void test_disconnect_completes_what_is_outstanding(void **state)
{
    enum { COUNT = 40 };
    static struct smb_pending pendings[COUNT];
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    uint64_t start;

    (void)state;
    smb_fixture_pause(&fixture);
    for (int i = 0; i < COUNT; i++) {
        pendings[i].request = smb_create_request(u"f.txt", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
        smb_pending_submit(connection, &pendings[i]);
    }
    start = smb_now_ms();
    smb_disconnect(connection);
    assert_true(smb_now_ms() - start < fixture.target.timeout_ms / 2); /* a second, and what a busy system adds */
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(pendings[i].completions, 1);
        assert_status_row(i, pendings[i].request.status, STATUS_CONNECTION_DISCONNECTED);
    }
    smb_fixture_resume(&fixture);
}

static void test_a_server_that_never_answers_times_out(void **state)
{
    struct smb_connection *connection;
    struct smb_target target = fixture.target;
    uint64_t start;
    smb_file file;

    (void)state;
    if (on_mem())
        skip();
    target.timeout_ms = 5000; /* so long, the open before must not take, however busy the system */
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_SUCCESS);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    smb_fixture_pause(&fixture);
    start = smb_now_ms();
    assert_int_equal(smb_do_open(connection, u"f.txt", NULL), STATUS_IO_TIMEOUT);
    assert_in_range(smb_now_ms() - start, 4500, 18000); /* libsmbclient's own would be 20 s */
    smb_fixture_resume(&fixture);
    smb_disconnect(connection);
}
/* ---- the fault backend ---- */

static void test_faults_come_where_they_were_asked_for(void **state)
{
    struct smb_connection *connection;
    smb_file file;

    (void)state;
    if (!on_mem())
        skip();
    connection = smb_fixture_connect(&fixture);
    smb_fault_fail(fixture.backend, SMB_CREATE, 2, 2, STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(smb_do_open(connection, u"no", NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(smb_do_open(connection, u"f.txt", NULL), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(smb_do_open(connection, u"f.txt", NULL), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(smb_fault_failed(fixture.backend), 2);
    smb_disconnect(connection);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_many_outstanding_requests_complete_once_and_in_order),
    cmocka_unit_test(test_a_completion_routine_may_submit),
    cmocka_unit_test(test_threads_share_a_connection),
    cmocka_unit_test(test_cancel_completes_at_once_and_undoes_the_open),
    cmocka_unit_test(test_cancel_ends_a_perform),
    cmocka_unit_test(test_disconnect_completes_what_is_outstanding),
    cmocka_unit_test(test_a_server_that_never_answers_times_out),
    cmocka_unit_test(test_faults_come_where_they_were_asked_for),
};

const struct contract_group contract_waiting = {"waiting", tests, sizeof tests / sizeof *tests};
