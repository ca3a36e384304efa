/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_create_table.c - every row of the table of creates, played on a machine. Arguments: the folder with the table, a
 * peer (smb_fixture.h), the worker program or "-", and optionally the build, and the files ("names.table") or ids to
 * play.
 *
 * A row passes if the machine gives NT's answer and the pool is as it was, apart from what Q235425 keeps on SP5; over
 * smbd, a row that names a difference passes if it differs in just that way, and fails if it does not differ.
 */
#include "world.h"

#include <ntemu/builds.h>

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    const char *peer, *worker, *build;
    struct create_table table;
    struct world world;
    int kept; /* blocks since the machine was booted */
} run;

static bool is_mem(void)
{
    return strncmp(run.peer, "mem", 3) == 0;
}

/* Where the server keeps nobody from anything, only what this machine itself has open counts. */
static bool is_played_on(const char *peer, const struct create_row *row)
{
    return strcmp(peer, "mem-shares-all") != 0 || !strstr(row->state, "other:");
}

static ULONG64 live_blocks(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
    return paged.LiveBlocks + nonpaged.LiveBlocks;
}

/* What was open may be freed a moment later, when the answer to its close comes. */
static bool settles_at(ULONG64 blocks)
{
    for (int i = 0; i < 1000 && live_blocks() > blocks; i++)
        usleep(1000);
    return live_blocks() <= blocks;
}

/* How this peer differs in the row; its reason is "" if it does not. */
static const struct create_difference *difference_of(const struct create_row *row)
{
    static const struct create_difference none;

    if (strcmp(run.peer, "mem-shares-all") == 0 && strcmp(row->smbc.reason, "not-nt") == 0)
        return &row->smbc; /* a server's answer, and this one is not NT either */
    if (is_mem())
        return &none;
    return strcmp(run.peer, "NT1") == 0 && row->nt1.reason[0] ? &row->nt1 : &row->smbc;
}

/* What the row is to answer here. */
static struct create_difference expected_of(const struct create_row *row)
{
    const struct create_difference *difference = difference_of(row);

    if (difference->reason[0] && !difference->then)
        return *difference;
    return (struct create_difference){.status = row->status, .information = row->information};
}

/* Empty if the answer is the one expected, else what is wrong with it. */
static const char *judge(const struct create_row *row, NTSTATUS status, ULONG information)
{
    struct create_difference expected = expected_of(row);
    static char text[200];

    if (!NT_SUCCESS(status))
        information = 0;
    if (status == expected.status && (!NT_SUCCESS(status) || information == expected.information))
        return "";
    snprintf(text, sizeof text, "%s:%d: %s: %s %s, expected %s %s%s", row->file, row->line, row->id,
             create_status_name(&run.table, status), NT_SUCCESS(status) ? create_information_name(information) : "",
             create_status_name(&run.table, expected.status),
             NT_SUCCESS(expected.status) ? create_information_name(expected.information) : "",
             expected.reason[0] && status == row->status ? "(a difference that is none)" : "");
    return text;
}

/* Returns whether the row was played to its end; what is wrong is in *complaint. */
static void play(const struct create_row *row, const char **complaint)
{
    HANDLE no_handle = (HANDLE)(uintptr_t)0x5a5a;
    const IO_STATUS_BLOCK untouched = {{STATUS_NOT_SUPPORTED}, 0x5a5a5a5a};
    IO_STATUS_BLOCK io = untouched;
    HANDLE file = no_handle;
    NTSTATUS status = world_create(row, &file, &io);

    *complaint = judge(row, status, (ULONG)io.Information);
    if (NT_SUCCESS(status)) {
        if (io.Status != status && !**complaint)
            *complaint = "the status block has another status";
        NtClose(file);
    } else if (file != no_handle && !**complaint) {
        *complaint = "a create that failed has written to its caller's handle";
    } else if (!**complaint && !row->ea[0] &&
               (io.Status != untouched.Status || io.Information != untouched.Information)) {
        /* Where in a list of extended attributes it is wrong is told there (WDK, ZwCreateFile). */
        *complaint = "a create that failed has written to its caller's status block";
    }
}

/* What is left of a create that answered otherwise is no row's business. */
static bool is_as_told_afterwards(const struct create_row *row)
{
    const struct create_difference *difference = difference_of(row);

    if (!row->then[0] || (difference->reason[0] && !difference->then))
        return true;
    return world_is(&run.world, row->then) != difference->then;
}

static int kept_by(const struct create_row *row)
{
    return EmuBuildHasDefect(run.build, "Q235425") ? row->kept : 0;
}

static void test_row(void **state)
{
    const struct create_row *row = *state;
    const char *complaint;
    ULONG64 before = 0;
    bool then;

    if (is_mem())
        assert_int_equal(world_start(&run.world, run.peer, run.worker, run.build), 0);
    else
        before = live_blocks();
    world_prepare(&run.world, row);
    play(row, &complaint);
    world_settle(&run.world);
    then = is_as_told_afterwards(row);
    if (is_mem()) {
        world_stop(&run.world, kept_by(row));
    } else {
        run.kept += kept_by(row);
        if (!*complaint && !settles_at(before + (unsigned)kept_by(row)))
            complaint = "pool blocks are left";
    }
    if (*complaint)
        fail_msg("%s", complaint);
    if (!then)
        fail_msg("%s:%d: %s: t is %s\"%s\" afterwards", row->file, row->line, row->id,
                 difference_of(row)->then ? "" : "not ", row->then);
}

/* Also of a row that failed: the next one needs a world in order. */
static int end_row(void **state)
{
    (void)state;
    if (is_mem())
        world_abandon(&run.world);
    else
        world_settle(&run.world);
    return 0;
}

static int start_world(void **state)
{
    (void)state;
    return is_mem() ? 0 : world_start(&run.world, run.peer, run.worker, run.build);
}

static int stop_world(void **state)
{
    (void)state;
    if (!is_mem())
        world_stop(&run.world, run.kept);
    return 0;
}

static bool is_wanted(const struct create_row *row, char **wanted)
{
    if (strcmp(row->by, "Win32") == 0 || !is_played_on(run.peer, row))
        return false;
    if (!*wanted)
        return true;
    for (; *wanted; wanted++)
        if (strcmp(*wanted, row->file) == 0 || strcmp(*wanted, row->id) == 0)
            return true;
    return false;
}

/* Without a server nothing can be played: found out before CMocka, which knows no exit status 77. */
static int try_peer(void)
{
    struct smb_fixture fixture;
    int rc = smb_fixture_start(&fixture, run.peer, run.worker);

    if (rc == 0)
        smb_fixture_stop(&fixture);
    return rc;
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests;
    size_t count = 0;
    int rc;

    if (argc < 4) {
        fprintf(stderr, "usage: %s FOLDER PEER WORKER|- [BUILD [FILE|ID]...]\n", argv[0]);
        return 2;
    }
    run.peer = argv[2];
    run.worker = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
    run.build = argc > 4 ? argv[4] : "nt4-sp6";
    if (!create_table_read(&run.table, argv[1]))
        return 1;
    rc = try_peer();
    if (rc != 0)
        return rc;
    tests = calloc(run.table.count, sizeof *tests);
    if (!tests)
        return 1;
    for (size_t i = 0; i < run.table.count; i++) {
        struct create_row *row = &run.table.rows[i];
        if (is_wanted(row, argc > 5 ? argv + 5 : argv + argc))
            tests[count++] = (struct CMUnitTest){row->id, test_row, NULL, end_row, row};
    }
    rc = _cmocka_run_group_tests(run.peer, tests, count, start_world, stop_world);
    free(tests);
    create_table_free(&run.table);
    return rc != 0;
}
