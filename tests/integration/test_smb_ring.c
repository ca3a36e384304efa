/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_smb_ring.c - what ring.h says: of a slot's number, which both sides write and a third one waits for, and that
 * the connection believes its worker nothing. This program is its own worker, which lies as LIE in its environment
 * says.
 */
#include "ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- numbers ---- */

/* A worker may be interrupted between its counter and the slot; meanwhile the slot is used again, and given up. */
static void test_a_number_never_goes_back(void **state)
{
    static const uint32_t starts[] = {0, RING_SLOTS, UINT32_MAX - RING_SLOTS + 1};
    static struct ring_slot slot;

    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        const uint32_t late = starts[i] + 1, next = late + RING_SLOTS;

        atomic_store(&slot.finished, starts[i]);
        ring_finish(&slot, next);
        ring_finish(&slot, late);
        assert_int_equal(atomic_load(&slot.finished), next);
        ring_wait_finished(&slot, late);
        ring_wait_finished(&slot, next);
        ring_finish(&slot, next + RING_SLOTS);
        assert_int_equal(atomic_load(&slot.finished), next + RING_SLOTS);
    }
}

/* ---- lies ---- */

enum { LENGTH = 512 }; /* of the buffers that are asked with */

/* An entry of a listing at the payload's start, and one behind it. */
static struct smb_dirent *put_listing(struct ring_slot *slot, ULONG first_name)
{
    static const struct smb_info info;
    ULONG used = 0, last = 0;

    smb_put_dirent(slot->payload, LENGTH, &used, &last, u"aa", first_name, &info);
    smb_put_dirent(slot->payload, LENGTH, &used, &last, u"bb", 4, &info);
    slot->done = used;
    return (struct smb_dirent *)slot->payload;
}

static void tell_the_truth(struct ring_slot *slot)
{
    put_listing(slot, 4);
}

static void end_within_an_entry(struct ring_slot *slot)
{
    put_listing(slot, 4);
    slot->done -= 5;
}

static void end_a_name_within_a_character(struct ring_slot *slot)
{
    put_listing(slot, 3);
}

static void give_a_name_that_is_too_long(struct ring_slot *slot)
{
    put_listing(slot, 4)->name_length = 1u << 30;
}

static void put_the_next_entry_into_this_one(struct ring_slot *slot)
{
    put_listing(slot, 4)->next_offset = 8;
}

static void put_the_next_entry_beyond_the_end(struct ring_slot *slot)
{
    put_listing(slot, 4)->next_offset = 0xFFFFFFF8u;
}

static void give_more_than_was_asked_for(struct ring_slot *slot)
{
    slot->done = LENGTH + 1;
}

static void give_changes_without_an_end(struct ring_slot *slot)
{
    FILE_NOTIFY_INFORMATION change = {.NextEntryOffset = 16, .FileNameLength = 2};

    memcpy(slot->payload, &change, sizeof(change));
    slot->done = 16;
}

static void say_that_it_is_pending(struct ring_slot *slot)
{
    put_listing(slot, 4);
    slot->status = STATUS_PENDING;
}

/* Who reads what has been cut away is killed. */
static void cut_the_ring(struct ring_slot *slot)
{
    put_listing(slot, 4);
    (void)!ftruncate(RING_MEMORY_FD, 0);
}

static const struct lie {
    enum smb_op op;
    void (*tell)(struct ring_slot *slot);
    uint32_t ahead; /* how many requests that there are not have been carried out besides */
    NTSTATUS expected;
} lies[] = {
    {SMB_QUERY_DIRECTORY, tell_the_truth, 0, STATUS_SUCCESS},
    {SMB_QUERY_DIRECTORY, end_within_an_entry, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, end_a_name_within_a_character, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, give_a_name_that_is_too_long, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, put_the_next_entry_into_this_one, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, put_the_next_entry_beyond_the_end, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, give_more_than_was_asked_for, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, tell_the_truth, RING_SLOTS, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, say_that_it_is_pending, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_QUERY_DIRECTORY, cut_the_ring, 0, STATUS_SUCCESS},
    {SMB_READ, give_more_than_was_asked_for, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_WRITE, give_more_than_was_asked_for, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_NOTIFY, give_more_than_was_asked_for, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
    {SMB_NOTIFY, give_changes_without_an_end, 0, STATUS_UNEXPECTED_NETWORK_ERROR},
};

/* The worker: opens go well, and whatever comes then is answered with the lie. */
static int work(const struct lie *lie)
{
    struct ring *ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, RING_MEMORY_FD, 0);
    char byte;

    if (ring == MAP_FAILED)
        return 1;
    for (uint32_t completed = 0; !atomic_load(&ring->stop);) {
        struct ring_slot *slot = &ring->slots[completed % RING_SLOTS];

        if (recv(RING_SOCKET_FD, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
            return 0;
        if (atomic_load(&ring->submitted) == completed) {
            usleep(500);
            continue;
        }
        slot->status = STATUS_SUCCESS;
        slot->result_file = 1;
        if (slot->op == lie->op)
            lie->tell(slot);
        atomic_store(&slot->state, RING_DONE);
        completed++;
        atomic_store(&ring->completed, completed + (slot->op == lie->op ? lie->ahead : 0));
        ring_finish(slot, completed);
        ring_wake_connection(ring, RING_SOCKET_FD);
    }
    return 0;
}

static void ask(struct smb_connection *connection, size_t row)
{
    _Alignas(8) static unsigned char buffer[LENGTH];
    struct smb_request open = {.op = SMB_CREATE}, request = {.op = lies[row].op};
    NTSTATUS status;

    assert_int_equal(smb_perform(connection, &open), STATUS_SUCCESS);
    request.file = open.out.create.file;
    if (request.op == SMB_NOTIFY) {
        request.in.notify.buffer = buffer;
        request.in.notify.length = LENGTH;
        request.in.notify.filter = FILE_NOTIFY_CHANGE_SIZE;
    } else {
        request.in.io.buffer = buffer;
        request.in.io.length = LENGTH;
    }
    status = smb_perform(connection, &request);
    if (status != lies[row].expected)
        fail_msg("row %zu: status %08x, expected %08x", row, (unsigned)status, (unsigned)lies[row].expected);
}

static void test_a_worker_is_believed_nothing(void **state)
{
    static const struct smb_target target = {.host = "nowhere", .share = "none"};
    char folder[] = "/tmp/rdrlab-test.XXXXXX", settings[64], file[80], lie[24];
    struct smb_connection *connection;
    struct smb_backend *backend;

    (void)state;
    assert_non_null(mkdtemp(folder));
    backend = smb_smbc_backend("/proc/self/exe", folder);
    assert_non_null(backend);
    for (size_t row = 0; row < sizeof(lies) / sizeof(lies[0]); row++) {
        snprintf(lie, sizeof(lie), "%zu", row);
        assert_int_equal(setenv("LIE", lie, 1), 0);
        assert_int_equal(smb_connect(backend, &target, &connection), STATUS_SUCCESS);
        ask(connection, row);
        smb_disconnect(connection);
    }
    smb_backend_free(backend);
    snprintf(settings, sizeof(settings), "%s/.smb", folder);
    snprintf(file, sizeof(file), "%s/smb.conf", settings);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(settings), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_never_goes_back),
        cmocka_unit_test(test_a_worker_is_believed_nothing),
    };
    const char *lie = getenv("LIE");

    if (lie != NULL)
        return work(&lies[strtoul(lie, NULL, 10) % (sizeof(lies) / sizeof(lies[0]))]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
