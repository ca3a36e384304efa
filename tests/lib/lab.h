/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lab.h - a machine in process for CMocka tests: the in-memory server behind it, X: mapped to \\mem\lab, and assertions
 * that print names. The share holds f.txt ("twelve bytes"), dir\ and dir\g.txt.
 */
#ifndef RDRLAB_TESTS_LAB_H
#define RDRLAB_TESTS_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

#include "smb/fault.h"
#include "smb/mem.h"

struct lab {
    struct smb_backend *mem; /* the server */
    struct smb_backend *smb; /* the fault decorator over it: what the machine talks through */
    EMU_POOL_SNAPSHOT start; /* taken when X: was mapped */
};

#define LAB_TEXT "twelve bytes"

/* Boots; fails the test on any error. limit 0: NT 4.0's. */
void lab_boot(struct lab *lab, const char *build, SIZE_T paged_limit);
/* Shuts down and fails the test unless exactly `blocks` pool blocks are left, and no handle and no process; prints what
 * is. */
void lab_shut_down(struct lab *lab, unsigned blocks);
/* The same without a drive letter. */
void lab_boot_unmapped(struct lab *lab, const char *build, SIZE_T paged_limit);
/* The same with any options; Smb is the lab's. lab_map maps X:. */
void lab_boot_options(struct lab *lab, const EMU_MACHINE_OPTIONS *options);
void lab_map(struct lab *lab);

/* The same as fixtures of CMocka: NT 4.0 SP6, or the build that RDRLAB_TEST_BUILD names, with X:, or without a letter
 * and with 8 MiB of paged pool. *state is the lab; nothing may be left. */
int lab_set_up(void **state);
int lab_set_up_pool(void **state);
int lab_tear_down(void **state);

/* A machine without a server, on a clock. */
void lab_boot_clock(EMU_CLOCK clock);
int lab_set_up_real(void **state);
int lab_set_up_virtual(void **state);
int lab_set_up_idle(void **state);
int lab_tear_down_clock(void **state);

/* One NtCreateFile by name, u"\\??\\X:\\f.txt"; *handle only on success. */
NTSTATUS lab_create(const WCHAR *name, ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options,
                    HANDLE *handle);
/* CreateFileW(name, GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING) as kernelbase says it. */
NTSTATUS lab_open(const WCHAR *name, HANDLE *handle);
NTSTATUS lab_open_to_write(const WCHAR *name, HANDLE *handle);

/* A filter over the redirector hides that callers wait: their requests then complete on whatever thread has the answer.
 * It must be gone before shutdown. */
void lab_hide_waiting(void);
void lab_show_waiting(void);

const char *status_name(NTSTATUS status);

#define assert_status(actual, expected) assert_status_at(actual, expected, #actual, __FILE__, __LINE__)
void assert_status_at(NTSTATUS actual, NTSTATUS expected, const char *what, const char *file, int line);

/* What is kept since a snapshot, as one row: the count of rows with something kept is returned, the first in *row. */
ULONG lab_kept_since(EMU_POOL_SNAPSHOT *before, EMU_POOL_USE *row);

/* Live blocks of the pool, all of them. */
ULONG64 lab_live_blocks(void);

/* Runs a statement that must bug check with this code and first parameter. What it had locked stays locked; the
 * thread's IRQL is put back. */
extern jmp_buf lab_bug_check_jump;
extern EMU_BUG_CHECK lab_bug_check;
void lab_catch_bug_checks(int on);
void lab_restore_irql(KIRQL irql);
#define assert_bug_check(code, p1, statement)                                                                          \
    do {                                                                                                               \
        const KIRQL irql_ = KeGetCurrentIrql();                                                                        \
        lab_catch_bug_checks(1);                                                                                       \
        if (!setjmp(lab_bug_check_jump)) {                                                                             \
            statement;                                                                                                 \
            lab_catch_bug_checks(0);                                                                                   \
            fail_msg("%s did not bug check", #statement);                                                              \
        }                                                                                                              \
        lab_catch_bug_checks(0);                                                                                       \
        lab_restore_irql(irql_);                                                                                       \
        assert_int_equal(lab_bug_check.Code, code);                                                                    \
        assert_int_equal(lab_bug_check.Parameters[0], p1);                                                             \
    } while (0)

/* Runs a machine, which `run` boots, in a process of its own to the bug check that stops it, and fails the test if
 * there is none: what a call had taken when it was stopped is nobody's to give back. Then lab_bug_check tells of it;
 * its addresses are good here, too, since both processes are one image. */
void lab_run_to_bug_check(void (*run)(void *context), void *context);

/* The same for a bug check on a system thread or a worker, which the statement brings about: waits for it. The thread
 * ends there; of a worker, shutdown then tells that its item is not done. */
void lab_catch_threads_bug_check(void);
void lab_wait_for_bug_check(const char *what);
#define assert_threads_bug_check(code, p1, statement)                                                                  \
    do {                                                                                                               \
        lab_catch_threads_bug_check();                                                                                 \
        statement;                                                                                                     \
        lab_wait_for_bug_check(#statement);                                                                            \
        assert_int_equal(lab_bug_check.Code, code);                                                                    \
        assert_int_equal(lab_bug_check.Parameters[0], p1);                                                             \
    } while (0)

#endif
