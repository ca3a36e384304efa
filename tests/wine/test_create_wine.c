/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_create_wine.c - the table of creates as Win32 calls: a program under Wine on a machine with smbd behind it.
 * Arguments: the folder with the table, the worker program, the build, and optionally files ("names.table") or ids.
 *
 * A row passes if GetLastError is what NT's is for the row's answer, and the machine's pool is as it was, apart from
 * what Q235425 keeps on SP5. Differences of smbd over libsmbclient and of Wine itself stand in the row; one that is
 * none is a failure. Rows that no Win32 call says are counted by reason.
 *
 * Environment: as winelab.h.
 */
#include "createcall.h"
#include "daemon.h"
#include "files.h"
#include "winelab.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIALECT      "SMB3_11"
#define SP5          "nt4-sp5"
#define ORDER_MAX    (CALL_NAME_UNITS * 4 + 128)
#define ANSWER_MS    60000
#define REASONS_MAX  16
#define OPENED_MAX   8
#define OPEN_BY_NAME FLAG_BACKUP_SEMANTICS /* a state's open minds neither files nor directories */

static struct {
    const char *worker, *build;
    struct create_table table;
    struct smb_fixture fixture;
    struct daemon daemon;
    struct way way; /* to ask what the machine's pool is */
    struct winelab lab;
    struct program program;
    int to, from; /* the program's streams; -1: it does not run */
    struct client other;
    struct client_file opened[OPENED_MAX];
    int opened_count;
    uint64_t blocks;         /* in the machine's pool, between rows */
    bool in_order;           /* the row came to its end */
    struct create_call call; /* the row's, large */
} run = {.to = -1, .from = -1};

/* ---- orders to the program ---- */

static void put_order(const char *order, size_t length)
{
    while (length) {
        ssize_t done = write(run.to, order, length);

        if (done < 0 && errno != EINTR)
            fail_msg("the program takes no order any more: %s", strerror(errno));
        order += done > 0 ? done : 0;
        length -= done > 0 ? (size_t)done : 0;
    }
}

static void get_line(char *line, size_t size)
{
    struct pollfd watch = {.fd = run.from, .events = POLLIN};
    size_t used = 0;

    memset(line, 0, size);
    while (used < size - 1) {
        if (poll(&watch, 1, ANSWER_MS) != 1 || read(run.from, line + used, 1) != 1)
            fail_msg("the program does not answer");
        if (line[used] == '\n')
            break;
        used++;
    }
    line[used] = '\0';
}

static struct create_answer give_order(const char *order, size_t length)
{
    struct create_answer answer;
    char line[64];
    int success;

    put_order(order, length);
    get_line(line, sizeof(line));
    if (sscanf(line, "%d %d", &answer.error, &success) != 2)
        fail_msg("the program answers \"%s\"", line);
    answer.success = success;
    return answer;
}

/* "WORD NAME NUMBER...\n" */
static struct create_answer give_named_order(const char *word, const WCHAR *name, const ULONG *numbers, size_t count)
{
    static char order[ORDER_MAX];
    size_t used = (size_t)snprintf(order, sizeof(order), "%s ", word);

    if (!*name)
        order[used++] = '-';
    for (; *name; name++)
        used += (size_t)snprintf(order + used, sizeof(order) - used, "%04x", *name);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(order + used, sizeof(order) - used, " %x", (unsigned)numbers[i]);
    order[used++] = '\n';
    return give_order(order, used);
}

/* An order that has to succeed. */
static void must(struct create_answer answer, const char *what)
{
    if (!answer.success)
        fail_msg("%s: error %d", what, answer.error);
}

static void order(const char *text)
{
    must(give_order(text, strlen(text)), text);
}

/* ---- the state before a row ---- */

static void hold(const WCHAR *name, const char *how, ULONG flags)
{
    ACCESS_MASK access;
    ULONG share;

    files_access_and_share(how, &access, &share);
    must(give_named_order("hold", name, (ULONG[]){access, share, OPEN_BY_NAME | flags}, 3), "the state's open");
}

static void open_other(const char *how)
{
    const UNICODE_STRING name = NT_STRING(u"t");
    struct nt_create create = {.disposition = FILE_OPEN};

    files_access_and_share(how, &create.access, &create.share);
    assert_int_equal(client_create(&run.other, &name, &create, &run.opened[run.opened_count]), STATUS_SUCCESS);
    run.opened_count++;
}

static void apply(const char *word)
{
    if (files_make(&run.fixture, &run.other, word))
        return;
    if (strncmp(word, "mine:", 5) == 0) {
        hold(u"X:\\t", word + 5, 0);
    } else if (strncmp(word, "y:", 2) == 0) {
        hold(u"Y:\\t", word + 2, 0);
    } else if (strncmp(word, "unc:", 4) == 0) {
        hold(u"\\\\srv\\lab\\t", word + 4, 0);
    } else if (strncmp(word, "other:", 6) == 0) {
        open_other(word + 6);
    } else if (strcmp(word, "doomed") == 0) {
        hold(u"X:\\t", "RD/rwd", FLAG_DELETE_ON_CLOSE);
    } else if (strcmp(word, "pending") == 0) {
        hold(u"X:\\t", "RD/rwd", 0);
        order("delete\n");
    } else {
        fail_msg("no state \"%s\"", word);
    }
}

static void prepare(const struct create_row *row)
{
    char copy[sizeof(row->state)], *rest = copy, *word;

    files_reset(&run.fixture);
    memcpy(copy, row->state, sizeof(copy));
    while ((word = strsep(&rest, ",")) != NULL)
        if (*word)
            apply(word);
}

static void settle(void)
{
    order("settle\n");
    while (run.opened_count)
        client_close(&run.other, &run.opened[--run.opened_count]);
}

/* ---- the pool ---- */

static uint64_t live_blocks(void)
{
    struct wire_machine machine = way_machine(&run.way);

    return machine.paged.live_blocks + machine.nonpaged.live_blocks;
}

/* What was open may be freed a moment later, when the answer to its close comes: before those of the requests behind
 * it. */
static uint64_t settled_blocks(void)
{
    uint64_t least = live_blocks();

    for (int i = 0; i < 100; i++) {
        uint64_t now;

        if (i % 20 == 0)
            order("settle\n");
        now = live_blocks();
        least = now < least ? now : least;
        usleep(1000);
    }
    return least;
}

/* The end of the loop is for a failure only. */
static bool settles_at(uint64_t blocks)
{
    for (int i = 0; i < 10000 && live_blocks() != blocks; i++)
        usleep(1000);
    return live_blocks() == blocks;
}

static uint64_t kept_by(const struct create_row *row)
{
    return strcmp(run.build, SP5) == 0 ? (uint64_t)row->kept : 0;
}

/* ---- the row ---- */

static struct create_answer play(const struct create_call *call)
{
    const ULONG numbers[] = {call->access, call->share, call->creation, call->flags, call->inherit};

    return call->folder ? give_named_order("folder", call->name, NULL, 0)
                        : give_named_order("file", call->name, numbers, sizeof(numbers) / sizeof(*numbers));
}

static bool is_answer(struct create_answer answer, struct create_answer expected)
{
    return answer.success == expected.success && answer.error == expected.error;
}

static void judge(const struct create_row *row, struct create_answer answer)
{
    struct create_answer expected = create_call_answer(&run.table, row, true, true);

    if (!is_answer(answer, expected))
        fail_msg("%s:%d: %s: %s with error %d, expected %s with %d%s", row->file, row->line, row->id,
                 answer.success ? "success" : "failure", answer.error, expected.success ? "success" : "failure",
                 expected.error,
                 is_answer(answer, create_call_answer(&run.table, row, false, false)) ? " (a difference that is none)"
                                                                                      : "");
    if (row->wine.reason[0] && is_answer(expected, create_call_answer(&run.table, row, true, false)))
        fail_msg("%s:%d: %s: wine's difference is none", row->file, row->line, row->id);
}

/* What is left of a create that answered otherwise is no row's business. */
static void judge_then(const struct create_row *row)
{
    if (!row->then[0] || row->wine.reason[0] || (row->smbc.reason[0] && !row->smbc.then))
        return;
    if (files_are(&run.other, row->then) == row->smbc.then)
        fail_msg("%s:%d: %s: t is %s\"%s\" afterwards", row->file, row->line, row->id, row->smbc.then ? "" : "not ",
                 row->then);
}

static void test_row(void **state)
{
    const struct create_row *row = *state;
    struct create_answer answer;

    run.in_order = false;
    assert_null(create_call_of(row, &run.call));
    prepare(row);
    answer = play(&run.call);
    settle();
    judge(row, answer);
    judge_then(row);
    if (!settles_at(run.blocks + kept_by(row)))
        fail_msg("%s:%d: %s: %lld pool blocks are kept, not %d", row->file, row->line, row->id,
                 (long long)(live_blocks() - run.blocks), (int)kept_by(row));
    run.blocks += kept_by(row);
    run.in_order = true;
}

/* After a row that failed the next one needs a world in order. */
static int end_row(void **state)
{
    (void)state;
    if (run.in_order)
        return 0;
    settle();
    run.blocks = settled_blocks();
    return 0;
}

/* The errors of statuses.table are those of ntdll, also where no row comes to them. */
static void test_errors_of_statuses(void **state)
{
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < run.table.status_count; i++) {
        const struct create_status *status = &run.table.statuses[i];
        char text[32];
        int error;

        snprintf(text, sizeof(text), "status %x\n", (unsigned)status->value);
        error = give_order(text, strlen(text)).error;
        if (error != status->error) {
            print_error("statuses.table: %s is error %d, not %d\n", status->name, error, status->error);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* ---- the world ---- */

static void connect_letter(char letter, const char *share)
{
    char text[256];

    snprintf(text, sizeof(text), "connect %c: \\\\srv\\%s %s %s\n", letter, share, run.fixture.target.user,
             run.fixture.target.password);
    must(give_order(text, strlen(text)), share);
}

/* The first UNC name of a share makes connections that stay: a row shall find them. So does the first file. */
static void make_what_stays(void)
{
    static const WCHAR *const names[] = {u"\\\\srv\\lab\\file.txt", u"\\\\srv\\ro\\file.txt", u"X:\\file.txt"};

    files_reset(&run.fixture);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        hold(names[i], "R/r", 0);
    order("settle\n");
}

static int start_world(void **state)
{
    char server[32];
    const char *const arguments[] = {"--backend", "smbc",  "--worker", run.worker, "--server", server,
                                     "--dialect", DIALECT, "--build",  run.build,  NULL};

    (void)state;
    if (smb_fixture_start(&run.fixture, DIALECT, run.worker) != 0)
        return -1;
    client_connect(&run.other, &run.fixture, "lab");
    snprintf(server, sizeof(server), "srv=127.0.0.1:%u", run.fixture.target.port);
    daemon_start(&run.daemon, arguments);
    run.way = (struct way){daemon_connect(&run.daemon, 0), NULL};
    if (!winelab_open(&run.lab))
        return -1;
    run.program.argv[0] = winelab_program(&run.lab, "tests/wine/createtable.exe");
    run.program.machine = run.daemon.folder;
    if (!winelab_talk(&run.lab, &run.program, &run.to, &run.from))
        return -1;
    connect_letter('X', "lab");
    connect_letter('Y', "lab");
    connect_letter('R', "ro");
    make_what_stays();
    run.blocks = settled_blocks();
    return 0;
}

static int stop_world(void **state)
{
    bool ended = false;
    int status = -1;

    (void)state;
    if (run.to >= 0) {
        close(run.to);
        ended = winelab_finish(&run.lab, &run.program, 30);
        close(run.from);
    }
    winelab_close(&run.lab);
    client_disconnect(&run.other);
    if (run.way.client) {
        await_machine(&run.way, 1, 0);
        wire_disconnect(run.way.client);
    }
    if (run.daemon.pid)
        status = daemon_stop(&run.daemon);
    if (run.fixture.server)
        smb_fixture_stop(&run.fixture);
    if (*run.program.error)
        print_error("%s", run.program.error);
    return ended && run.program.status == 0 && status == (strcmp(run.build, SP5) == 0 ? 3 : 0) ? 0 : -1;
}

/* ---- which rows ---- */

static struct {
    const char *reason;
    int rows;
} skipped[REASONS_MAX];

static void count_skipped(const char *reason)
{
    for (size_t i = 0; i < REASONS_MAX; i++) {
        if (!skipped[i].reason)
            skipped[i].reason = reason;
        if (strcmp(skipped[i].reason, reason) == 0) {
            skipped[i].rows++;
            return;
        }
    }
}

static void print_skipped(size_t played)
{
    printf("%zu rows are Win32 calls. No Win32 call says:\n", played);
    for (size_t i = 0; i < REASONS_MAX && skipped[i].reason; i++)
        printf("%5d rows: %s\n", skipped[i].rows, skipped[i].reason);
    fflush(stdout);
}

static bool is_wanted(const struct create_row *row, char **wanted)
{
    if (!*wanted)
        return true;
    for (; *wanted; wanted++)
        if (strcmp(*wanted, row->file) == 0 || strcmp(*wanted, row->id) == 0)
            return true;
    return false;
}

static size_t choose(char **wanted, struct CMUnitTest *tests)
{
    size_t count = 0;

    for (size_t i = 0; i < run.table.count; i++) {
        struct create_row *row = &run.table.rows[i];
        const char *reason = is_wanted(row, wanted) ? create_call_of(row, &run.call) : NULL;

        if (reason)
            count_skipped(reason);
        else if (is_wanted(row, wanted))
            tests[count++] = (struct CMUnitTest){row->id, test_row, NULL, end_row, row};
    }
    print_skipped(count);
    return count;
}

/* Found out before CMocka, which knows no exit status 77. */
static int try_peers(void)
{
    struct smb_fixture fixture;
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    rc = smb_fixture_start(&fixture, DIALECT, run.worker);
    if (rc == 0)
        smb_fixture_stop(&fixture);
    return rc;
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests;
    int rc;

    if (argc < 4) {
        fprintf(stderr, "usage: %s FOLDER WORKER BUILD [FILE|ID]...\n", argv[0]);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN); /* a program that has died is told by what it does not answer */
    run.worker = argv[2];
    run.build = argv[3];
    rc = try_peers();
    if (rc != 0)
        return rc;
    if (!create_table_read(&run.table, argv[1]))
        return 1;
    tests = calloc(run.table.count + 1, sizeof(*tests));
    if (!tests)
        return 1;
    tests[0] = (struct CMUnitTest)cmocka_unit_test(test_errors_of_statuses);
    rc = _cmocka_run_group_tests("create wine", tests, 1 + choose(argv + 4, tests + 1), start_world, stop_world);
    free(tests);
    create_table_free(&run.table);
    return rc != 0;
}
