/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_smb_server.c - what the server in memory knows and libsmbclient cannot ask for: deleting on close, superseding,
 * attributes, access masks; and many threads at once. What it has in common with smbd is in test_smb_contract.c, what
 * NtCreateFile makes of it in tests/create.
 */
#include "smb_fixture.h"
#include "mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define READ_WRITE (FILE_READ_DATA | FILE_WRITE_DATA)
#define SHARE_ALL  (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static struct smb_fixture fixture;
static struct smb_connection *connection;

static int set_up(void **state)
{
    (void)state;
    if (smb_fixture_start(&fixture, "mem", NULL) != 0)
        return 1;
    connection = smb_fixture_connect(&fixture);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    smb_disconnect(connection);
    assert_int_equal(smb_mem_open_files(fixture.mem), 0);
    smb_fixture_stop(&fixture);
    return 0;
}

static NTSTATUS create(const WCHAR *path, ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options,
                       ULONG attributes, smb_file *file)
{
    struct smb_request request = smb_create_request(path, access, share, disposition, options);
    NTSTATUS status;

    request.in.create.attributes = attributes;
    status = smb_perform(connection, &request);
    *file = status == STATUS_SUCCESS ? request.out.create.file : 0;
    return status;
}

/* The same, closed at once. */
static NTSTATUS touch(const WCHAR *path, ACCESS_MASK access, ULONG disposition, ULONG options, ULONG attributes)
{
    smb_file file;
    NTSTATUS status = create(path, access, SHARE_ALL, disposition, options, attributes, &file);

    if (status == STATUS_SUCCESS)
        assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    return status;
}

static NTSTATUS query(const WCHAR *path, struct smb_info *info)
{
    struct smb_request request = {.op = SMB_QUERY_PATH, .path = smb_path(path)};
    NTSTATUS status = smb_perform(connection, &request);

    if (status == STATUS_SUCCESS)
        *info = request.out.info;
    return status;
}

static void test_delete_on_close_waits_for_the_last_close(void **state)
{
    struct smb_info info;
    smb_file doomed, other;

    (void)state;
    assert_int_equal(create(u"f", READ_WRITE | DELETE, SHARE_ALL, FILE_CREATE, FILE_DELETE_ON_CLOSE, 0, &doomed), 0);
    assert_int_equal(create(u"F", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, 0, &other), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, doomed), STATUS_SUCCESS);
    assert_int_equal(touch(u"f", FILE_READ_DATA, FILE_OPEN, 0, 0), STATUS_DELETE_PENDING);
    assert_int_equal(touch(u"f", FILE_READ_DATA, FILE_CREATE, 0, 0), STATUS_DELETE_PENDING);
    assert_int_equal(smb_do_close(connection, other), STATUS_SUCCESS);
    assert_int_equal(query(u"f", &info), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_directory_with_something_in_it_survives_delete_on_close(void **state)
{
    const ULONG options = FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE;
    struct smb_info info;
    smb_file directory;

    (void)state;
    assert_int_equal(create(u"d", DELETE, SHARE_ALL, FILE_CREATE, options, 0, &directory), STATUS_SUCCESS);
    assert_int_equal(touch(u"d\\f", FILE_WRITE_DATA, FILE_CREATE, 0, 0), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, directory), STATUS_SUCCESS);
    assert_int_equal(query(u"d\\f", &info), STATUS_SUCCESS);
    assert_int_equal(touch(u"d\\f", DELETE, FILE_OPEN, FILE_DELETE_ON_CLOSE, 0), STATUS_SUCCESS);
    assert_int_equal(touch(u"d", DELETE, FILE_OPEN, options, 0), STATUS_SUCCESS);
    assert_int_equal(query(u"d", &info), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_nothing_is_made_in_a_directory_that_is_going(void **state)
{
    struct smb_request request = {.op = SMB_DELETE, .path = smb_path(u"d")};
    smb_file directory;

    (void)state;
    assert_int_equal(create(u"d", FILE_READ_DATA, SHARE_ALL, FILE_CREATE, FILE_DIRECTORY_FILE, 0, &directory), 0);
    request.in.remove.directory = TRUE;
    assert_int_equal(smb_perform(connection, &request), STATUS_SUCCESS);
    assert_int_equal(touch(u"d\\f", FILE_WRITE_DATA, FILE_CREATE, 0, 0), STATUS_DELETE_PENDING);
    assert_int_equal(smb_do_close(connection, directory), STATUS_SUCCESS);
    assert_int_equal(touch(u"d\\f", FILE_WRITE_DATA, FILE_CREATE, 0, 0), STATUS_OBJECT_PATH_NOT_FOUND);
}

static void test_a_superseded_file_is_another_file(void **state)
{
    struct smb_info before = {0}, after = {0};

    (void)state;
    assert_int_equal(touch(u"f", READ_WRITE, FILE_CREATE, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_SUCCESS);
    assert_int_equal(query(u"f", &before), STATUS_SUCCESS);
    assert_int_equal(touch(u"f", READ_WRITE, FILE_OVERWRITE, 0, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM), 0);
    assert_int_equal(query(u"f", &after), STATUS_SUCCESS);
    assert_int_equal(after.index_number, before.index_number);
    assert_int_equal(after.attributes, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE);
    assert_int_equal(touch(u"f", READ_WRITE, FILE_SUPERSEDE, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_ACCESS_DENIED);
    assert_int_equal(touch(u"g", READ_WRITE, FILE_CREATE, 0, 0), STATUS_SUCCESS);
    assert_int_equal(query(u"g", &before), STATUS_SUCCESS);
    assert_int_equal(touch(u"g", READ_WRITE, FILE_SUPERSEDE, 0, FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
    assert_int_equal(query(u"g", &after), STATUS_SUCCESS);
    assert_int_not_equal(after.index_number, before.index_number);
    assert_int_equal(after.attributes, FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_ARCHIVE);
}

static void test_superseding_needs_what_deleting_needs(void **state)
{
    smb_file file, second;

    (void)state;
    assert_int_equal(create(u"f", FILE_READ_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_CREATE, 0, 0, &file), 0);
    assert_int_equal(create(u"f", FILE_READ_DATA, SHARE_ALL, FILE_SUPERSEDE, 0, 0, &second), STATUS_SHARING_VIOLATION);
    assert_int_equal(create(u"f", FILE_READ_DATA, SHARE_ALL, FILE_OVERWRITE, 0, 0, &second), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, second), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
}

static void test_access_table(void **state)
{
    static const struct {
        ULONG attributes; /* of the file */
        ACCESS_MASK access;
        ULONG options;
        NTSTATUS expected;
    } rows[] = {
        {0, 0, 0, STATUS_ACCESS_DENIED},
        {0, 0x00000200, 0, STATUS_ACCESS_DENIED},
        {0, SYNCHRONIZE, 0, STATUS_SUCCESS},
        {0, WRITE_DAC | WRITE_OWNER | READ_CONTROL, 0, STATUS_SUCCESS},
        {0, ACCESS_SYSTEM_SECURITY, 0, STATUS_PRIVILEGE_NOT_HELD},
        {0, GENERIC_ALL, 0, STATUS_SUCCESS},
        {0, FILE_READ_DATA, FILE_DELETE_ON_CLOSE, STATUS_INVALID_PARAMETER},
        {0, GENERIC_ALL, FILE_DELETE_ON_CLOSE, STATUS_INVALID_PARAMETER},
        {FILE_ATTRIBUTE_READONLY, FILE_READ_DATA, 0, STATUS_SUCCESS},
        {FILE_ATTRIBUTE_READONLY, DELETE, 0, STATUS_SUCCESS},
        {FILE_ATTRIBUTE_READONLY, FILE_WRITE_ATTRIBUTES, 0, STATUS_SUCCESS},
        {FILE_ATTRIBUTE_READONLY, MAXIMUM_ALLOWED, 0, STATUS_SUCCESS},
        {FILE_ATTRIBUTE_READONLY, FILE_WRITE_DATA, 0, STATUS_ACCESS_DENIED},
        {FILE_ATTRIBUTE_READONLY, FILE_APPEND_DATA, 0, STATUS_ACCESS_DENIED},
        {FILE_ATTRIBUTE_READONLY, GENERIC_WRITE, 0, STATUS_ACCESS_DENIED},
        {FILE_ATTRIBUTE_READONLY, DELETE, FILE_DELETE_ON_CLOSE, STATUS_CANNOT_DELETE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const WCHAR *name = rows[i].attributes != 0 ? u"ro" : u"rw";
        NTSTATUS status;

        (void)touch(name, READ_WRITE, FILE_CREATE, 0, rows[i].attributes);
        status = touch(name, rows[i].access, FILE_OPEN, rows[i].options, 0);
        if (status != rows[i].expected)
            fail_msg("row %zu: status %08x, expected %08x", i, (unsigned)status, (unsigned)rows[i].expected);
    }
}

static void test_maximum_allowed_is_what_is_not_forbidden(void **state)
{
    char buffer[1] = {'x'};
    smb_file file, second;
    ULONG done;

    (void)state;
    assert_int_equal(touch(u"ro", READ_WRITE, FILE_CREATE, 0, FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
    assert_int_equal(create(u"ro", MAXIMUM_ALLOWED, SHARE_ALL, FILE_OPEN, 0, 0, &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_WRITE, file, buffer, 1, 0, &done), STATUS_ACCESS_DENIED);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 0, 0, &done), STATUS_SUCCESS);
    /* It wants everything, so it excludes whoever does not share that. */
    assert_int_equal(create(u"ro", FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, 0, 0, &second),
                     STATUS_SHARING_VIOLATION);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
}

/* ---- many threads ---- */

enum { THREADS = 6, TURNS = 400 };

struct turn {
    struct smb_connection *connection;
    unsigned number;
    unsigned failures;
};

/* Names of a thread's own and one of all, in a directory that grows and shrinks: what is done to the former succeeds.
 */
static void *take_turns(void *context)
{
    struct turn *turn = context;
    WCHAR own[] = u"many\\a0000", moved[] = u"many\\b0000";

    own[6] = moved[6] = (WCHAR)('0' + turn->number);
    for (unsigned i = 0; i < TURNS; i++) {
        struct smb_request rename = {.op = SMB_RENAME}, delete = {.op = SMB_DELETE};
        smb_file file = 0;

        for (int digit = 0; digit < 3; digit++)
            own[7 + digit] = moved[7 + digit] = (WCHAR)('0' + i / (digit == 0 ? 100 : digit == 1 ? 10 : 1) % 10);
        turn->failures += smb_do_create(turn->connection, own, READ_WRITE, 0, FILE_CREATE, 0, &file) != STATUS_SUCCESS;
        turn->failures += smb_do_close(turn->connection, file) != STATUS_SUCCESS;
        if (smb_do_create(turn->connection, u"many\\all", READ_WRITE | DELETE, SHARE_ALL, FILE_OPEN_IF,
                          i % 3 == 0 ? FILE_DELETE_ON_CLOSE : 0, &file) == STATUS_SUCCESS)
            turn->failures += smb_do_close(turn->connection, file) != STATUS_SUCCESS;
        rename.path = smb_path(own);
        rename.in.rename.target = delete.path = smb_path(moved);
        turn->failures += smb_perform(turn->connection, &rename) != STATUS_SUCCESS;
        if (i % 2 == 0)
            turn->failures += smb_perform(turn->connection, &delete) != STATUS_SUCCESS;
    }
    return NULL;
}

/* How many entries a directory has, and how many of them are called "all". */
static unsigned count_entries(smb_file directory, unsigned *called_all)
{
    static _Alignas(8) unsigned char buffer[SMB_MAX_IO];
    unsigned count = 0;
    ULONG done;

    *called_all = 0;
    while (smb_do_io(connection, SMB_QUERY_DIRECTORY, directory, buffer, sizeof(buffer), 0, &done) == STATUS_SUCCESS) {
        const struct smb_dirent *entry = (const struct smb_dirent *)buffer;

        for (;; entry = (const struct smb_dirent *)((const char *)entry + entry->next_offset)) {
            count++;
            *called_all += entry->name_length == 6 && memcmp(entry + 1, u"all", 6) == 0;
            if (entry->next_offset == 0)
                break;
        }
    }
    return count;
}

static void test_threads_do_not_disturb_each_other(void **state)
{
    pthread_t threads[THREADS];
    struct turn turns[THREADS] = {{0}};
    unsigned count, called_all;
    smb_file directory;

    (void)state;
    assert_int_equal(create(u"many", FILE_READ_DATA, SHARE_ALL, FILE_CREATE, FILE_DIRECTORY_FILE, 0, &directory), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        turns[i].connection = i % 2 != 0 ? connection : smb_fixture_connect(&fixture);
        turns[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &turns[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(turns[i].failures, 0);
        if (turns[i].connection != connection)
            smb_disconnect(turns[i].connection);
    }
    count = count_entries(directory, &called_all);
    assert_true(called_all <= 1);
    assert_int_equal(count - called_all, THREADS * TURNS / 2);
    assert_int_equal(smb_do_close(connection, directory), STATUS_SUCCESS);
}

int main(void)
{
#define RULE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RULE(test_delete_on_close_waits_for_the_last_close),
        RULE(test_a_directory_with_something_in_it_survives_delete_on_close),
        RULE(test_nothing_is_made_in_a_directory_that_is_going),
        RULE(test_a_superseded_file_is_another_file),
        RULE(test_superseding_needs_what_deleting_needs),
        RULE(test_access_table),
        RULE(test_maximum_allowed_is_what_is_not_forbidden),
        RULE(test_threads_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
