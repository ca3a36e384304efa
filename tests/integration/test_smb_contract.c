/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_smb_contract.c - what smb.h promises, on whatever peer the command line names (see smb_fixture.h).
 * usage: test_smb_contract PEER [WORKER]
 *
 * The claims are the same for every peer. Where a test needs what only one kind of peer has (a worker process to
 * kill, a wire to count on), it skips on the other and says so.
 */
#include "smb_contract.h"
#include "smb_wire.h"

#include "fault.h"

#include <setjmp.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

struct smb_fixture fixture;

void assert_status_row(size_t row, NTSTATUS actual, NTSTATUS expected)
{
    if (actual != expected)
        fail_msg("row %zu: status %08x, expected %08x", row, (unsigned)actual, (unsigned)expected);
}

bool on_mem(void)
{
    return fixture.mem != NULL;
}

struct smb_connection *connect_with_worker(pid_t *ret_worker)
{
    struct smb_connection *connection;
    pid_t before[64], after[64];
    int old = smb_fixture_workers(before, 64), all;

    connection = smb_fixture_connect(&fixture);
    all = smb_fixture_workers(after, 64);
    *ret_worker = 0;
    for (int i = 0; i < all; i++) {
        bool is_old = false;

        for (int j = 0; j < old; j++)
            is_old |= before[j] == after[i];
        if (!is_old)
            *ret_worker = after[i];
    }
    assert_int_not_equal(*ret_worker, 0);
    return connection;
}

bool is_running(pid_t worker)
{
    pid_t all[64];
    int count = smb_fixture_workers(all, 64);
    bool found = false;

    for (int i = 0; i < count; i++)
        found |= all[i] == worker;
    return found;
}

void await_submitted(enum smb_op op, uint64_t count)
{
    const uint64_t start = smb_now_ms();

    while (smb_backend_count(fixture.backend, op) < count || (on_mem() && smb_fault_held(fixture.backend) == 0)) {
        if (smb_now_ms() - start > 30000)
            fail_msg("%u requests (op %d) were submitted in all after 30 seconds, and not %u",
                     (unsigned)smb_backend_count(fixture.backend, op), op, (unsigned)count);
        usleep(1000);
    }
}

static unsigned asked(const struct wired *wired)
{
    struct smb_wire_counts counts = smb_wire_read(wired->wire);

    return counts.all + counts.echoes;
}

void connect_wired(struct wired *wired)
{
    struct smb_request request = {.op = SMB_TREE_CONNECT};
    struct smb_target target = fixture.target;

    *wired = (struct wired){0};
    if (!on_mem()) {
        wired->wire = smb_wire_start(fixture.target.port);
        assert_non_null(wired->wire);
        target.port = smb_wire_port(wired->wire);
    }
    assert_int_equal(smb_connect(fixture.backend, &target, &wired->connection), STATUS_SUCCESS);
    assert_int_equal(smb_perform(wired->connection, &request), STATUS_SUCCESS);
    wired->seen = wired->wire != NULL ? asked(wired) : 0;
}

void await_request(struct wired *wired)
{
    const uint64_t start = smb_now_ms();

    while (wired->wire != NULL && asked(wired) == wired->seen) {
        assert_true(smb_now_ms() - start < 30000);
        usleep(1000);
    }
    wired->seen = wired->wire != NULL ? asked(wired) : 0;
}

void disconnect_wired(struct wired *wired)
{
    smb_disconnect(wired->connection);
    if (wired->wire != NULL)
        smb_wire_stop(wired->wire);
}

void *perform_in_thread(void *context)
{
    struct performer *performer = context;

    smb_perform(performer->connection, &performer->request);
    performer->returned = true;
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct contract_group *const groups[] = {&contract_open,    &contract_files,  &contract_set,
                                                          &contract_waiting, &contract_notify, &contract_loss};
    int failed = 0;
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: test_smb_contract PEER [WORKER]\n");
        return 2;
    }
    rc = smb_fixture_start(&fixture, argv[1], argc > 2 ? argv[2] : NULL);
    if (rc != 0)
        return rc;
    smb_fixture_add(&fixture, "f.txt", "hello, world");
    smb_fixture_add(&fixture, "dir", NULL);
    smb_fixture_add(&fixture, "watched", NULL);
    smb_fixture_add(&fixture, "watched/sub", NULL);
    smb_fixture_add(&fixture, "list", NULL);
    smb_fixture_add(&fixture, "list/one", "1");
    smb_fixture_add(&fixture, "list/Two.TXT", "22");
    smb_fixture_add(&fixture, "list/sub", NULL);
    smb_fixture_add(&fixture, "list/\xC3\xA4\xE2\x82\xAC \xF0\x9F\x98\x80", "");
    smb_fixture_add(&fixture, "list/100%", "");
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        failed |= _cmocka_run_group_tests(groups[i]->name, groups[i]->tests, groups[i]->count, NULL, NULL);
    smb_fixture_stop(&fixture);
    return failed != 0 ? 1 : 0;
}
