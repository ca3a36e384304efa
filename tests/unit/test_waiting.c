/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Creates that meet while the server has not answered the first: of one file they go to the server one after the other,
 * and to a share that nobody is connected to they connect once.
 */
#include "opener.h"
#include "rdr/rdr.h"

#include <sched.h>

#define OTHER_FILE u"\\??\\X:\\dir\\g.txt"
#define UNC_NAME   u"\\??\\UNC\\mem\\more\\f" /* a share that nobody is connected to */
#define WRITE      (FILE_WRITE_DATA | SYNCHRONIZE)
#define MOST       4

static uint64_t connects; /* to the server, before the test */

static int boot(void **state)
{
    UNICODE_STRING path = NT_STRING(u"f");

    lab_boot(&lab, "nt4-sp6", 0);
    assert_status(smb_mem_add_share(lab.mem, "mem", 445, "more", FALSE), STATUS_SUCCESS);
    assert_status(smb_mem_add(lab.mem, "more", &path, "x", 1), STATUS_SUCCESS);
    connects = smb_backend_count(lab.smb, SMB_TREE_CONNECT);
    return 0;
}

/* MOST of them, of which the first is at the server with this while the others come. */
static void let_several_meet(const WCHAR *name, enum smb_op op)
{
    struct opener openers[MOST];

    for (int i = 0; i < MOST; i++) {
        openers[i] = TO(name, READ, ALL_SHARED);
        if (i)
            opener_begin_waiting(&openers[i]);
        else
            opener_begin_held(&openers[i], op);
    }
    smb_fault_release(lab.smb);
    for (int i = 0; i < MOST; i++)
        opener_end(&openers[i], STATUS_SUCCESS);
    for (int i = 0; i < MOST; i++)
        opener_leave(&openers[i]);
}

/* ---- one file ---- */

static void test_a_create_that_succeeds_counts_for_the_next(void **state)
{
    struct opener first = TO(FILE_NAME, READ, 0), second = TO(FILE_NAME, READ, ALL_SHARED);

    opener_begin_held(&first, SMB_CREATE);
    opener_begin_waiting(&second);
    smb_fault_release(lab.smb);
    opener_end(&first, STATUS_SUCCESS);
    opener_end(&second, STATUS_SHARING_VIOLATION);
    opener_leave(&first);
    opener_leave(&second);
}

static void test_a_create_that_the_server_refuses_counts_for_nobody(void **state)
{
    struct opener first = TO(FILE_NAME, READ, 0), second = first;

    first.disposition = FILE_CREATE;
    opener_begin_held(&first, SMB_CREATE);
    opener_begin_waiting(&second);
    smb_fault_release(lab.smb);
    opener_end(&first, STATUS_OBJECT_NAME_COLLISION);
    opener_end(&second, STATUS_SUCCESS);
    opener_leave(&first);
    opener_leave(&second);
}

static void test_a_create_that_is_cancelled_counts_for_nobody(void **state)
{
    struct opener first = TO(FILE_NAME, READ, 0), second = TO(FILE_NAME, WRITE, 0);

    opener_begin_held(&first, SMB_CREATE);
    opener_begin_waiting(&second);
    EmuCancelProcessIo(first.process);
    opener_end(&first, STATUS_CANCELLED);
    smb_fault_release(lab.smb);
    opener_end(&second, STATUS_SUCCESS);
    opener_leave(&first);
    opener_leave(&second);
}

static void test_who_waits_can_be_cancelled_and_the_others_go_on(void **state)
{
    struct opener first = TO(FILE_NAME, READ, 0), second = TO(FILE_NAME, READ, 0),
                  third = TO(FILE_NAME, READ, ALL_SHARED);

    opener_begin_held(&first, SMB_CREATE);
    opener_begin_waiting(&second);
    opener_begin_waiting(&third);
    EmuCancelProcessIo(second.process);
    opener_end(&second, STATUS_CANCELLED);
    assert_int_equal(RdrCountWaiting(), 1);
    assert_int_equal(smb_fault_held(lab.smb), 1);
    smb_fault_release(lab.smb);
    opener_end(&first, STATUS_SUCCESS);
    opener_end(&third, STATUS_SHARING_VIOLATION);
    opener_leave(&first);
    opener_leave(&second);
    opener_leave(&third);
}

static void test_a_create_waits_for_none_of_another_name(void **state)
{
    struct opener first = TO(FILE_NAME, READ, 0), second = TO(OTHER_FILE, READ, 0);

    opener_begin_held(&first, SMB_CREATE);
    opener_begin(&second);
    while (smb_fault_held(lab.smb) < 2) /* it is at the server, behind the other one */
        sched_yield();
    assert_int_equal(RdrCountWaiting(), 0);
    smb_fault_release(lab.smb);
    opener_end(&first, STATUS_SUCCESS);
    opener_end(&second, STATUS_SUCCESS);
    opener_leave(&first);
    opener_leave(&second);
}

static void test_those_who_waited_share_the_open_that_they_waited_for(void **state)
{
    const uint64_t before = smb_backend_count(lab.smb, SMB_CREATE);

    let_several_meet(FILE_NAME, SMB_CREATE);
    assert_int_equal(smb_backend_count(lab.smb, SMB_CREATE), before + 1);
}

/* ---- one share ---- */

static void test_creates_that_want_the_same_share_connect_once(void **state)
{
    let_several_meet(UNC_NAME, SMB_TREE_CONNECT);
    assert_int_equal(smb_backend_count(lab.smb, SMB_TREE_CONNECT), connects + 1);
}

static void test_who_waits_for_a_connection_can_be_cancelled(void **state)
{
    struct opener first = TO(UNC_NAME, READ, ALL_SHARED), second = first;

    opener_begin_held(&first, SMB_TREE_CONNECT);
    opener_begin_waiting(&second);
    EmuCancelProcessIo(second.process);
    opener_end(&second, STATUS_CANCELLED);
    smb_fault_release(lab.smb);
    opener_end(&first, STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab.smb, SMB_TREE_CONNECT), connects + 1);
    opener_leave(&first);
    opener_leave(&second);
}

static void test_who_connects_can_be_cancelled_and_the_next_one_connects(void **state)
{
    struct opener first = TO(UNC_NAME, READ, ALL_SHARED), second = first, third = first;

    opener_begin_held(&first, SMB_TREE_CONNECT);
    opener_begin_waiting(&second);
    opener_begin_waiting(&third);
    EmuCancelProcessIo(first.process);
    opener_end(&first, STATUS_CANCELLED);
    smb_fault_release(lab.smb);
    opener_end(&second, STATUS_SUCCESS);
    opener_end(&third, STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab.smb, SMB_TREE_CONNECT), connects + 2);
    opener_leave(&first);
    opener_leave(&second);
    opener_leave(&third);
}

static void test_a_connect_that_fails_fails_all_who_waited_for_it(void **state)
{
    struct opener first = TO(u"\\??\\UNC\\mem\\none\\f", READ, ALL_SHARED), second = first, third = first;

    opener_begin_held(&first, SMB_TREE_CONNECT);
    opener_begin_waiting(&second);
    opener_begin_waiting(&third);
    smb_fault_release(lab.smb);
    opener_end(&first, STATUS_BAD_NETWORK_NAME);
    opener_end(&second, STATUS_BAD_NETWORK_NAME);
    opener_end(&third, STATUS_BAD_NETWORK_NAME);
    assert_int_equal(smb_backend_count(lab.smb, SMB_TREE_CONNECT), connects + 1);
    opener_leave(&first);
    opener_leave(&second);
    opener_leave(&third);
}

static void test_another_server_is_connected_to_meanwhile(void **state)
{
    struct opener first = TO(UNC_NAME, READ, ALL_SHARED), second = TO(u"\\??\\UNC\\other\\share\\f", READ, ALL_SHARED);

    assert_status(smb_mem_add_share(lab.mem, "other", 445, "share", FALSE), STATUS_SUCCESS);
    opener_begin_held(&first, SMB_TREE_CONNECT);
    opener_begin(&second);
    while (smb_fault_held(lab.smb) < 2)
        sched_yield();
    assert_int_equal(RdrCountWaiting(), 0);
    smb_fault_release(lab.smb);
    opener_end(&first, STATUS_SUCCESS);
    opener_end(&second, STATUS_LOGON_FAILURE); /* as nobody: what it is there for has been seen */
    opener_leave(&first);
    opener_leave(&second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, shut_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_create_that_succeeds_counts_for_the_next),
        TEST(test_a_create_that_the_server_refuses_counts_for_nobody),
        TEST(test_a_create_that_is_cancelled_counts_for_nobody),
        TEST(test_who_waits_can_be_cancelled_and_the_others_go_on),
        TEST(test_a_create_waits_for_none_of_another_name),
        TEST(test_those_who_waited_share_the_open_that_they_waited_for),
        TEST(test_creates_that_want_the_same_share_connect_once),
        TEST(test_who_waits_for_a_connection_can_be_cancelled),
        TEST(test_who_connects_can_be_cancelled_and_the_next_one_connects),
        TEST(test_a_connect_that_fails_fails_all_who_waited_for_it),
        TEST(test_another_server_is_connected_to_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
