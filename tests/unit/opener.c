/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* opener.c - creates in threads. See opener.h. */
#include "opener.h"

#include "rdr/rdr.h"

#include <sched.h>

struct lab lab;

static void *open_it(void *argument)
{
    struct opener *opener = argument;

    EmuEnterProcess(opener->process);
    opener->status = lab_create(opener->name, opener->access, opener->share, opener->disposition,
                                FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, &opener->handle);
    EmuEnterProcess(NULL);
    return NULL;
}

void opener_begin(struct opener *opener)
{
    opener->process = EmuCreateProcess(0);
    assert_non_null(opener->process);
    assert_int_equal(pthread_create(&opener->thread, NULL, open_it, opener), 0);
}

void opener_begin_held(struct opener *opener, enum smb_op op)
{
    smb_fault_hold(lab.smb, op);
    opener_begin(opener);
    while (!smb_fault_held(lab.smb))
        sched_yield();
}

void opener_begin_waiting(struct opener *opener)
{
    const ULONG before = RdrCountWaiting();

    opener_begin(opener);
    while (RdrCountWaiting() == before)
        sched_yield();
    assert_int_equal(smb_fault_held(lab.smb), 1); /* nothing of it is at the server */
}

void opener_end(struct opener *opener, NTSTATUS expected)
{
    pthread_join(opener->thread, NULL);
    assert_status(opener->status, expected);
}

void opener_leave(struct opener *opener)
{
    EmuEnterProcess(opener->process);
    if (NT_SUCCESS(opener->status))
        assert_status(NtClose(opener->handle), STATUS_SUCCESS);
    EmuEnterProcess(NULL);
    EmuDeleteProcess(opener->process);
}

int shut_down(void **state)
{
    assert_int_equal(RdrCountWaiting(), 0);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    lab_shut_down(&lab, 0);
    return 0;
}
