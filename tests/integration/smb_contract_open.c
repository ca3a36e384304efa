/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_contract_open.c - what smb.h promises: connecting, and what an open gives. */
#include "smb_contract.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- connecting ---- */

static void test_tree_connect_tells_what_is_wrong(void **state)
{
    static const struct {
        const char *share, *user, *password;
        bool dead_port;
        NTSTATUS expected;
    } rows[] = {
        {"lab", NULL, NULL, false, STATUS_SUCCESS},
        {"ro", NULL, NULL, false, STATUS_SUCCESS},
        {"LAB", NULL, NULL, false, STATUS_SUCCESS},
        {"nosuch", NULL, NULL, false, STATUS_BAD_NETWORK_NAME},
        {"lab", NULL, "wrong", false, STATUS_LOGON_FAILURE},
        {"lab", NULL, "", false, STATUS_LOGON_FAILURE},
        {"lab", "nobody-here", "wrong", false, STATUS_LOGON_FAILURE},
        {"nosuch", NULL, "wrong", false, STATUS_LOGON_FAILURE},
        {"lab", NULL, NULL, true, STATUS_BAD_NETWORK_PATH},
        {"nosuch", NULL, "wrong", true, STATUS_BAD_NETWORK_PATH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smb_request request = {.op = SMB_TREE_CONNECT};
        struct smb_target target = fixture.target;
        struct smb_connection *connection;

        target.share = rows[i].share;
        if (rows[i].user != NULL)
            target.user = rows[i].user;
        if (rows[i].password != NULL)
            target.password = rows[i].password;
        if (rows[i].dead_port)
            target.port = 1; /* nobody listens below 1024 in a test's network, and root is not needed to ask */
        assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_SUCCESS);
        assert_status_row(i, smb_perform(connection, &request), rows[i].expected);
        smb_disconnect(connection);
    }
}

static void test_a_target_that_cannot_be_one_is_refused(void **state)
{
    char too_long[400];
    struct smb_connection *connection = (void *)&fixture;
    struct smb_target target = fixture.target;

    (void)state;
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    target.host = "";
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_INVALID_PARAMETER);
    target = fixture.target;
    target.share = NULL;
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_INVALID_PARAMETER);
    target = fixture.target;
    target.dialect = "SMB9";
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_INVALID_PARAMETER);
    target = fixture.target;
    target.password = too_long;
    if (!on_mem())
        assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_INVALID_PARAMETER);
    assert_ptr_equal(connection, &fixture);
}

static void test_description_names_the_peer(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    char text[128];

    (void)state;
    smb_describe(connection, text, sizeof(text));
    print_message("peer: %s%s%s\n", text, on_mem() ? "" : ", smbd ", on_mem() ? "" : smbserver_version(fixture.server));
    assert_non_null(strstr(text, on_mem() ? "memory" : fixture.peer));
    assert_null(strstr(text, "errno"));
    smb_disconnect(connection);
}

static void test_every_dialect_serves(void **state)
{
    static const char *const dialects[] = {NULL, "NT1", "SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"};

    (void)state;
    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        struct smb_target target = fixture.target;
        struct smb_connection *connection;
        smb_file file;

        target.dialect = dialects[i];
        assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_SUCCESS);
        assert_status_row(i, smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
        assert_status_row(i, smb_do_open(connection, u"a?b", NULL), STATUS_OBJECT_NAME_INVALID);
        assert_status_row(i, smb_do_close(connection, file), STATUS_SUCCESS);
        smb_disconnect(connection);
    }
}

static void test_a_request_by_path_connects_by_itself(void **state)
{
    struct smb_connection *connection;
    smb_file file;

    (void)state;
    assert_int_equal(smb_connect(fixture.backend, &fixture.target, &connection), STATUS_SUCCESS);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

/* ---- create ---- */

/* Who has made files by these dispositions may be expected to make more, which must change no answer. */
static void make_files(struct smb_connection *connection)
{
    static const ULONG dispositions[] = {FILE_OPEN_IF, FILE_OVERWRITE_IF, FILE_SUPERSEDE};

    for (size_t i = 0; i < sizeof dispositions / sizeof *dispositions; i++) {
        struct smb_request remove = {.op = SMB_DELETE, .path = smb_path(u"made")};
        smb_file file;

        assert_status_row(i, smb_do_create(connection, u"made", READ_WRITE, 0, dispositions[i], 0, &file), 0);
        assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
        assert_int_equal(smb_perform(connection, &remove), STATUS_SUCCESS);
    }
}

/* maker: NULL, or the connection for all of it, which makes files before each row. */
static void check_create_table(struct smb_connection *maker)
{
    static const struct {
        const WCHAR *path;
        ACCESS_MASK access;
        ULONG disposition, options;
        NTSTATUS status;
        ULONG action;
    } rows[] = {
        /* what exists */
        {u"f.txt", FILE_READ_DATA, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {u"\\f.txt", FILE_READ_DATA, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {u"F.TXT", FILE_READ_DATA, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"f.txt", READ_WRITE, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"f.txt", FILE_WRITE_DATA, FILE_OPEN_IF, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"f.txt", FILE_APPEND_DATA, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"f.txt", FILE_EXECUTE, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"f.txt", FILE_READ_ATTRIBUTES, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"f.txt", DELETE, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {u"f.txt", FILE_READ_DATA, FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, 0},
        {u"f.txt", FILE_READ_ATTRIBUTES, FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, 0},
        {u"f.txt", READ_WRITE, FILE_OVERWRITE, 0, STATUS_SUCCESS, FILE_OVERWRITTEN},
        {u"f.txt", READ_WRITE, FILE_OVERWRITE_IF, 0, STATUS_SUCCESS, FILE_OVERWRITTEN},
        {u"f.txt", READ_WRITE, FILE_SUPERSEDE, 0, STATUS_SUCCESS, FILE_SUPERSEDED},
        {u"f.txt", FILE_READ_DATA, FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY, 0},
        {u"f.txt", FILE_READ_DATA, FILE_OPEN_IF, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY, 0},
        {u"f.txt", FILE_READ_DATA, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_OBJECT_NAME_COLLISION, 0},
        /* what does not */
        {u"new", FILE_READ_DATA, FILE_OPEN, 0, STATUS_OBJECT_NAME_NOT_FOUND, 0},
        {u"new", FILE_READ_ATTRIBUTES, FILE_OPEN, 0, STATUS_OBJECT_NAME_NOT_FOUND, 0},
        {u"new", FILE_READ_DATA, FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_OBJECT_NAME_NOT_FOUND, 0},
        {u"new", READ_WRITE, FILE_OVERWRITE, 0, STATUS_OBJECT_NAME_NOT_FOUND, 0},
        {u"new", READ_WRITE, FILE_CREATE, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {u"new", FILE_READ_DATA, FILE_CREATE, 0, STATUS_SUCCESS, FILE_CREATED},
        {u"new", FILE_READ_ATTRIBUTES, FILE_CREATE, 0, STATUS_SUCCESS, FILE_CREATED},
        {u"new", FILE_READ_ATTRIBUTES, FILE_OPEN_IF, 0, STATUS_SUCCESS, FILE_CREATED},
        {u"new", READ_WRITE, FILE_OPEN_IF, 0, STATUS_SUCCESS, FILE_CREATED},
        {u"new", READ_WRITE, FILE_OVERWRITE_IF, 0, STATUS_SUCCESS, FILE_CREATED},
        {u"new", READ_WRITE, FILE_SUPERSEDE, 0, STATUS_SUCCESS, FILE_CREATED},
        {u"new", FILE_READ_DATA, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {u"new", FILE_READ_DATA, FILE_OPEN_IF, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {u"dir\\new", READ_WRITE, FILE_CREATE, 0, STATUS_SUCCESS, FILE_CREATED},
        {u"no\\new", READ_WRITE, FILE_CREATE, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {u"no\\new", FILE_READ_DATA, FILE_OPEN, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {u"no\\new", FILE_READ_ATTRIBUTES, FILE_OPEN, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {u"no\\new", FILE_READ_DATA, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {u"f.txt\\new", READ_WRITE, FILE_CREATE, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        /* directories */
        {u"dir", FILE_READ_DATA, FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {u"dir", FILE_READ_DATA, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"dir", FILE_READ_ATTRIBUTES, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"dir", FILE_READ_DATA, FILE_OPEN_IF, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {u"dir", FILE_READ_DATA, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {u"dir", FILE_READ_ATTRIBUTES, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {u"dir", READ_WRITE, FILE_OVERWRITE_IF, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {u"dir", FILE_READ_DATA, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_OBJECT_NAME_COLLISION, 0},
        {u"dir", READ_WRITE, FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, 0},
        {u"", FILE_READ_DATA, FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {u"\\", FILE_READ_DATA, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {u"", FILE_READ_DATA, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {u"", FILE_READ_DATA, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_OBJECT_NAME_COLLISION, 0},
        /* what makes no sense */
        {u"f.txt", FILE_READ_DATA, 6, 0, STATUS_INVALID_PARAMETER, 0},
        {u"dir", FILE_READ_DATA, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE, STATUS_INVALID_PARAMETER, 0},
        {u"dir", FILE_READ_DATA, FILE_OVERWRITE, FILE_DIRECTORY_FILE, STATUS_INVALID_PARAMETER, 0},
        /* names that no server takes; syntax before existence */
        {u"a?b", FILE_READ_DATA, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {u"a*b", READ_WRITE, FILE_CREATE, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {u"no\\a|b", FILE_READ_DATA, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {u"a\"b", FILE_READ_DATA, FILE_OPEN_IF, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {u"a/b", FILE_READ_DATA, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {u"a\xD83D"
         u"b",
         FILE_READ_DATA, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {u"a\xDE00", FILE_READ_DATA, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smb_request request;
        struct smb_connection *connection;
        struct smb_fixture own;
        bool is_directory = (rows[i].options & FILE_DIRECTORY_FILE) != 0 || rows[i].path[0] == 'd' ||
                            rows[i].path[0] == 0 || rows[i].path[1] == 0;

        /* A share of its own for every row on mem; on smbd the names are reused, so clean up by hand. */
        if (on_mem()) {
            assert_int_equal(smb_fixture_start(&own, "mem", NULL), 0);
            smb_fixture_add(&own, "f.txt", "hello, world");
            smb_fixture_add(&own, "dir", NULL);
        } else {
            char path[128];

            own = fixture;
            snprintf(path, sizeof(path), "%s/new", fixture.share_dir);
            remove(path);
            snprintf(path, sizeof(path), "%s/dir/new", fixture.share_dir);
            remove(path);
        }
        connection = maker != NULL ? maker : smb_fixture_connect(&own);
        if (maker != NULL)
            make_files(maker);
        request = smb_create_request(rows[i].path, rows[i].access, SHARE_ALL, rows[i].disposition, rows[i].options);
        request.out.create.file = NO_FILE;
        assert_status_row(i, smb_perform(connection, &request), rows[i].status);
        if (rows[i].status != STATUS_SUCCESS) {
            assert_int_equal(request.out.create.file, NO_FILE);
        } else {
            if (request.out.create.action != rows[i].action)
                fail_msg("row %zu: action %u, expected %u", i, request.out.create.action, rows[i].action);
            if (((request.out.create.info.attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) !=
                (is_directory && !(rows[i].path[0] == 'd' && rows[i].path[3] == '\\')))
                fail_msg("row %zu: attributes %08x", i, request.out.create.info.attributes);
            assert_status_row(i, smb_do_close(connection, request.out.create.file), STATUS_SUCCESS);
        }
        if (maker == NULL)
            smb_disconnect(connection);
        if (on_mem())
            smb_fixture_stop(&own);
    }
    if (!on_mem()) {
        char path[128];

        snprintf(path, sizeof(path), "%s/dir/new", fixture.share_dir);
        remove(path);
        smb_fixture_add(&fixture, "f.txt", "hello, world");
    }
}

static void test_create_table(void **state)
{
    (void)state;
    check_create_table(NULL);
}

static void test_create_table_after_files_were_made(void **state)
{
    struct smb_connection *connection;

    (void)state;
    if (on_mem()) /* it expects nothing, and has a share of its own for each row */
        skip();
    connection = smb_fixture_connect(&fixture);
    check_create_table(connection);
    smb_disconnect(connection);
}

static void test_overwriting_truncates(void **state)
{
    static const ULONG dispositions[] = {FILE_OVERWRITE, FILE_OVERWRITE_IF, FILE_SUPERSEDE};
    struct smb_connection *connection = smb_fixture_connect(&fixture);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct smb_request query = {.op = SMB_QUERY_FILE};
        char text[] = "something";
        smb_file file;
        ULONG done;

        assert_status_row(i, smb_do_create(connection, u"over.txt", READ_WRITE, 0, FILE_OPEN_IF, 0, &file), 0);
        assert_status_row(i, smb_do_io(connection, SMB_WRITE, file, text, 9, 0, &done), STATUS_SUCCESS);
        assert_status_row(i, smb_do_close(connection, file), STATUS_SUCCESS);
        assert_status_row(i, smb_do_create(connection, u"over.txt", READ_WRITE, 0, dispositions[i], 0, &file), 0);
        query.file = file;
        assert_status_row(i, smb_perform(connection, &query), STATUS_SUCCESS);
        assert_true(query.out.info.complete);
        assert_int_equal(query.out.info.end_of_file, 0);
        assert_status_row(i, smb_do_close(connection, file), STATUS_SUCCESS);
    }
    smb_disconnect(connection);
}

static void test_an_open_alone_knows_no_more_than_the_kind(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct smb_request request =
        smb_create_request(u"f.txt", FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, FILE_NON_DIRECTORY_FILE);

    (void)state;
    assert_int_equal(smb_perform(connection, &request), STATUS_SUCCESS);
    assert_false(request.out.create.info.complete);
    assert_int_equal(request.out.create.info.attributes & FILE_ATTRIBUTE_DIRECTORY, 0);
    assert_int_equal(smb_do_close(connection, request.out.create.file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void test_read_only_share_denies_writing(void **state)
{
    struct smb_target target = fixture.target;
    struct smb_connection *connection;
    smb_file file;

    (void)state;
    target.share = "ro";
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_SUCCESS);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(connection, u"f.txt", READ_WRITE, SHARE_BOTH, FILE_OPEN, 0, NULL),
                     STATUS_ACCESS_DENIED);
    assert_int_equal(smb_do_create(connection, u"new", READ_WRITE, SHARE_BOTH, FILE_CREATE, 0, NULL),
                     STATUS_ACCESS_DENIED);
    smb_disconnect(connection);
}

static void test_sharing_table(void **state)
{
    static const struct {
        ACCESS_MASK first_access;
        ULONG first_share;
        ACCESS_MASK second_access;
        ULONG second_share;
        NTSTATUS expected;
    } rows[] = {
        {FILE_READ_DATA, SHARE_BOTH, FILE_READ_DATA, SHARE_BOTH, STATUS_SUCCESS},
        {READ_WRITE, SHARE_BOTH, READ_WRITE, SHARE_BOTH, STATUS_SUCCESS},
        {FILE_READ_DATA, FILE_SHARE_READ, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SUCCESS},
        {FILE_READ_DATA, 0, FILE_READ_ATTRIBUTES, 0, STATUS_SUCCESS},
        {FILE_READ_DATA, 0, FILE_READ_DATA, SHARE_BOTH, STATUS_SHARING_VIOLATION},
        {READ_WRITE, SHARE_BOTH, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SHARING_VIOLATION},
        /* One second each in NT1, where smbd holds the answer: the rest is for the others. */
        {FILE_READ_DATA, FILE_SHARE_READ, FILE_WRITE_DATA, SHARE_BOTH, STATUS_SHARING_VIOLATION},
        {FILE_WRITE_DATA, FILE_SHARE_WRITE, FILE_READ_DATA, SHARE_BOTH, STATUS_SHARING_VIOLATION},
        {FILE_READ_DATA, FILE_SHARE_WRITE, FILE_READ_DATA, SHARE_BOTH, STATUS_SHARING_VIOLATION},
    };
    size_t count = sizeof(rows) / sizeof(rows[0]) - (strcmp(fixture.peer, "NT1") == 0 ? 3 : 0);
    struct smb_connection *first = smb_fixture_connect(&fixture), *second = smb_fixture_connect(&fixture);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        smb_file a, b = NO_FILE;
        NTSTATUS status;

        assert_status_row(
            i, smb_do_create(first, u"f.txt", rows[i].first_access, rows[i].first_share, FILE_OPEN, 0, &a), 0);
        /* Every other row through the same connection: who asks does not matter. */
        status = smb_do_create(i % 2 != 0 ? first : second, u"f.txt", rows[i].second_access, rows[i].second_share,
                               FILE_OPEN, 0, &b);
        assert_status_row(i, status, rows[i].expected);
        if (status == STATUS_SUCCESS)
            assert_status_row(i, smb_do_close(i % 2 != 0 ? first : second, b), STATUS_SUCCESS);
        assert_status_row(i, smb_do_close(first, a), STATUS_SUCCESS);
    }
    smb_disconnect(first);
    smb_disconnect(second);
}

static void test_close_then_exclusive_open_needs_no_waiting(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    smb_file file;

    (void)state;
    assert_int_equal(smb_do_create(connection, u"f.txt", READ_WRITE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    for (int i = 0; i < 300; i++) {
        struct smb_pending close = {.request = {.op = SMB_CLOSE, .file = file}};

        smb_pending_submit(connection, &close);
        assert_int_equal(smb_do_create(connection, u"f.txt", READ_WRITE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
        assert_int_equal(smb_pending_wait(&close), STATUS_SUCCESS);
    }
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void test_an_id_that_is_no_file_is_refused(void **state)
{
    static const enum smb_op ops[] = {SMB_CLOSE, SMB_READ, SMB_WRITE, SMB_FLUSH, SMB_QUERY_FILE, SMB_QUERY_DIRECTORY};
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    smb_file file, files[3] = {0, UINT64_MAX};
    char buffer[8];

    (void)state;
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    files[2] = file;
    for (size_t i = 0; i < 3 * 6; i++) {
        struct smb_request request = {.op = ops[i / 3], .file = files[i % 3]};

        request.in.io.buffer = buffer;
        request.in.io.length = sizeof(buffer);
        assert_status_row(i, smb_perform(connection, &request), STATUS_INVALID_HANDLE);
    }
    smb_disconnect(connection);
}

static void test_an_operation_that_does_not_exist_is_refused(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct smb_request request = {.op = SMB_OP_COUNT};

    (void)state;
    assert_int_equal(smb_perform(connection, &request), STATUS_INVALID_PARAMETER);
    smb_disconnect(connection);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_description_names_the_peer),
    cmocka_unit_test(test_tree_connect_tells_what_is_wrong),
    cmocka_unit_test(test_a_target_that_cannot_be_one_is_refused),
    cmocka_unit_test(test_every_dialect_serves),
    cmocka_unit_test(test_a_request_by_path_connects_by_itself),
    cmocka_unit_test(test_create_table),
    cmocka_unit_test(test_create_table_after_files_were_made),
    cmocka_unit_test(test_overwriting_truncates),
    cmocka_unit_test(test_an_open_alone_knows_no_more_than_the_kind),
    cmocka_unit_test(test_read_only_share_denies_writing),
    cmocka_unit_test(test_sharing_table),
    cmocka_unit_test(test_close_then_exclusive_open_needs_no_waiting),
    cmocka_unit_test(test_an_id_that_is_no_file_is_refused),
    cmocka_unit_test(test_an_operation_that_does_not_exist_is_refused),
};

const struct contract_group contract_open = {"open", tests, sizeof tests / sizeof *tests};
