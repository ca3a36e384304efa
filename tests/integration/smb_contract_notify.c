/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_contract_notify.c - SMB_NOTIFY: what changes in a directory, by whomever. */
#include "smb_contract.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAMES (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME)

/* A connection that watches. */
struct watch {
    struct smb_connection *connection;
    struct smb_pending pending;
    _Alignas(4) unsigned char buffer[8192];
    char seen[1024]; /* "+new|-old|>from|<to|*changed|" */
};

static NTSTATUS ask(struct watch *watch, const WCHAR *path, ULONG filter, BOOLEAN tree, ULONG length)
{
    watch->pending = (struct smb_pending){.request = {.op = SMB_NOTIFY, .path = smb_path(path)}};
    watch->pending.request.in.notify = (struct smb_notify){watch->buffer, length, filter, tree};
    smb_pending_submit(watch->connection, &watch->pending);
    return smb_pending_wait(&watch->pending);
}

static void begin(struct watch *watch, ULONG filter, BOOLEAN tree)
{
    memset(watch, 0, sizeof(*watch));
    watch->connection = smb_fixture_connect(&fixture);
    assert_int_equal(ask(watch, u"watched", filter, tree, sizeof(watch->buffer)), STATUS_SUCCESS);
    assert_int_equal(watch->pending.request.out.io.done, 0);
    /* smbd does not say that it watches, and the session believes it after 50 ms: its system may keep it longer. */
    if (!on_mem())
        sleep(1);
}

static void note(struct watch *watch, const FILE_NOTIFY_INFORMATION *entry)
{
    static const char signs[] = "?+-*><";
    size_t at = strlen(watch->seen);

    assert_in_range(entry->Action, 1, 5);
    watch->seen[at++] = signs[entry->Action];
    for (ULONG i = 0; i < entry->FileNameLength / sizeof(WCHAR) && at < sizeof(watch->seen) - 2; i++)
        watch->seen[at++] = (char)entry->FileName[i];
    strcpy(watch->seen + at, "|");
}

/* Until what has been told ends so. */
static void expect(struct watch *watch, const char *ending)
{
    while (!strstr(watch->seen, ending)) {
        ULONG at = 0;
        const FILE_NOTIFY_INFORMATION *entry;

        assert_int_equal(ask(watch, u"", NAMES, FALSE, sizeof(watch->buffer)), STATUS_SUCCESS);
        assert_int_not_equal(watch->pending.request.out.io.done, 0);
        do {
            entry = (const void *)(watch->buffer + at);
            note(watch, entry);
            at += entry->NextEntryOffset;
        } while (entry->NextEntryOffset);
    }
}

static void make_file(struct smb_connection *connection, const WCHAR *path)
{
    smb_file file;

    assert_int_equal(
        smb_do_create(connection, path, READ_WRITE, SHARE_ALL, FILE_CREATE, FILE_NON_DIRECTORY_FILE, &file),
        STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
}

static void change(struct smb_connection *connection, enum smb_op op, const WCHAR *path, const WCHAR *target)
{
    struct smb_pending pending = {.request = {.op = op, .path = smb_path(path)}};

    if (op == SMB_RENAME)
        pending.request.in.rename = (struct smb_rename){smb_path(target), FALSE};
    if (op == SMB_SET_BASIC)
        pending.request.in.basic = (struct smb_basic){.attributes = FILE_ATTRIBUTE_HIDDEN};
    smb_pending_submit(connection, &pending);
    assert_int_equal(smb_pending_wait(&pending), STATUS_SUCCESS);
}

static void test_names_that_come_go_and_change_are_told(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct watch watch;

    (void)state;
    begin(&watch, NAMES, FALSE);
    make_file(connection, u"watched\\a");
    expect(&watch, "+a|");
    make_file(connection, u"watched\\sub\\deep"); /* below, and not wanted */
    change(connection, SMB_RENAME, u"watched\\a", u"watched\\b");
    expect(&watch, ">a|<b|");
    change(connection, SMB_DELETE, u"watched\\b", NULL);
    expect(&watch, "-b|");
    change(connection, SMB_DELETE, u"watched\\sub\\deep", NULL);
    assert_string_equal(watch.seen, "+a|>a|<b|-b|");
    smb_disconnect(watch.connection);
    smb_disconnect(connection);
}

static void test_the_tree_below_is_told_with_paths(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct watch watch;

    (void)state;
    begin(&watch, NAMES, TRUE);
    make_file(connection, u"watched\\sub\\deep");
    expect(&watch, "+sub\\deep|");
    change(connection, SMB_DELETE, u"watched\\sub\\deep", NULL);
    expect(&watch, "-sub\\deep|");
    smb_disconnect(watch.connection);
    smb_disconnect(connection);
}

/* What happens while nobody asks is told to the next one who does. */
static void test_nothing_is_lost_between_two_requests(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct watch watch;

    (void)state;
    begin(&watch, NAMES, FALSE);
    make_file(connection, u"watched\\one");
    make_file(connection, u"watched\\two");
    change(connection, SMB_DELETE, u"watched\\one", NULL);
    change(connection, SMB_DELETE, u"watched\\two", NULL);
    expect(&watch, "-two|");
    assert_string_equal(watch.seen, "+one|+two|-one|-two|");
    smb_disconnect(watch.connection);
    smb_disconnect(connection);
}

static void test_only_what_the_filter_says_is_told(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct watch watch;

    (void)state;
    begin(&watch, FILE_NOTIFY_CHANGE_ATTRIBUTES, FALSE);
    make_file(connection, u"watched\\a");
    change(connection, SMB_SET_BASIC, u"watched\\a", NULL);
    expect(&watch, "*a|");
    assert_null(strchr(watch.seen, '+'));
    change(connection, SMB_DELETE, u"watched\\a", NULL);
    smb_disconnect(watch.connection);
    smb_disconnect(connection);
}

static void test_more_than_fits_is_said_to_be_so(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct watch watch;

    (void)state;
    begin(&watch, NAMES, FALSE);
    make_file(connection, u"watched\\a name that does not fit");
    assert_int_equal(ask(&watch, u"", NAMES, FALSE, 16), STATUS_NOTIFY_ENUM_DIR);
    assert_int_equal(watch.pending.request.out.io.done, 0);
    change(connection, SMB_DELETE, u"watched\\a name that does not fit", NULL);
    expect(&watch, "-a name that does not fit|");
    smb_disconnect(watch.connection);
    smb_disconnect(connection);
}

static void test_what_cannot_be_watched_is_refused(void **state)
{
    struct watch watch = {.connection = smb_fixture_connect(&fixture)};

    (void)state;
    assert_int_equal(ask(&watch, u"watched", 0, FALSE, 1024), STATUS_INVALID_PARAMETER);
    assert_int_equal(ask(&watch, u"watched", NAMES, FALSE, SMB_MAX_IO + 1), STATUS_INVALID_PARAMETER);
    assert_int_equal(ask(&watch, u"no", NAMES, FALSE, 1024), STATUS_OBJECT_NAME_NOT_FOUND);
    smb_disconnect(watch.connection);
}

static void test_a_watch_ends_with_its_connection(void **state)
{
    struct watch watch;
    uint64_t start;

    (void)state;
    begin(&watch, NAMES, FALSE);
    watch.pending = (struct smb_pending){.request = {.op = SMB_NOTIFY}};
    watch.pending.request.in.notify = (struct smb_notify){watch.buffer, sizeof(watch.buffer), NAMES, FALSE};
    smb_pending_submit(watch.connection, &watch.pending);
    start = smb_now_ms();
    smb_disconnect(watch.connection);
    assert_true(smb_now_ms() - start < fixture.target.timeout_ms / 2); /* a second, and what a busy system adds */
    assert_int_equal(watch.pending.completions, 1);
    assert_int_equal(watch.pending.request.status, STATUS_CONNECTION_DISCONNECTED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_names_that_come_go_and_change_are_told),
    cmocka_unit_test(test_the_tree_below_is_told_with_paths),
    cmocka_unit_test(test_nothing_is_lost_between_two_requests),
    cmocka_unit_test(test_only_what_the_filter_says_is_told),
    cmocka_unit_test(test_more_than_fits_is_said_to_be_so),
    cmocka_unit_test(test_what_cannot_be_watched_is_refused),
    cmocka_unit_test(test_a_watch_ends_with_its_connection),
};

const struct contract_group contract_notify = {"notify", tests, sizeof tests / sizeof *tests};
