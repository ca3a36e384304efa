/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_ntclient.c - the tests' client with true NTSTATUS, against a private smbd: what it asks arrives as it was asked.
 * usage: test_ntclient DIALECT
 */
#include "ntclient.h"
#include "smb_fixture.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static struct smb_fixture fixture;
static struct nt_client *client;

static struct nt_client_target target(void)
{
    return (struct nt_client_target){.port = smbserver_port(fixture.server),
                                     .share = "lab",
                                     .user = smbserver_user(fixture.server),
                                     .password = smbserver_password(fixture.server),
                                     .dialect = fixture.peer};
}

static NTSTATUS create(const WCHAR *path, ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options,
                       struct nt_opened *ret_opened)
{
    const UNICODE_STRING name = smb_path(path);
    const struct nt_create parameters = {
        .access = access, .share = share, .disposition = disposition, .options = options};

    return nt_client_create(client, &name, &parameters, ret_opened);
}

static bool on_disk(const char *name, struct stat *ret_st)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", fixture.share_dir, name);
    return stat(path, ret_st) == 0;
}

static int set_up(void **state)
{
    const struct nt_client_target good = target();

    (void)state;
    return nt_client_connect(&good, &client) != STATUS_SUCCESS;
}

static int tear_down(void **state)
{
    (void)state;
    nt_client_disconnect(client);
    return 0;
}

static void test_connecting_tells_what_the_server_said(void **state)
{
    struct nt_client_target bad = target();
    struct nt_client *none = NULL;

    (void)state;
    bad.password = "wrong";
    assert_int_equal(nt_client_connect(&bad, &none), STATUS_LOGON_FAILURE);
    bad = target();
    bad.share = "nowhere";
    assert_int_equal(nt_client_connect(&bad, &none), STATUS_BAD_NETWORK_NAME);
    bad = target();
    bad.dialect = "SMB9";
    assert_int_equal(nt_client_connect(&bad, &none), STATUS_NOT_SUPPORTED);
    assert_null(none);
    nt_client_disconnect(NULL);
}

static void test_every_disposition_has_its_status_and_action(void **state)
{
    static const struct {
        ULONG disposition;
        NTSTATUS absent, present;
        ULONG created, opened;
    } rows[] = {
        {FILE_OPEN, STATUS_OBJECT_NAME_NOT_FOUND, 0, 0, FILE_OPENED},
        {FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, FILE_CREATED, 0},
        {FILE_OPEN_IF, 0, 0, FILE_CREATED, FILE_OPENED},
        {FILE_OVERWRITE, STATUS_OBJECT_NAME_NOT_FOUND, 0, 0, FILE_OVERWRITTEN},
        {FILE_OVERWRITE_IF, 0, 0, FILE_CREATED, FILE_OVERWRITTEN},
        {FILE_SUPERSEDE, 0, 0, FILE_CREATED, FILE_SUPERSEDED},
        {9, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nt_opened opened = {.action = 99};
        NTSTATUS status = create(u"there", FILE_READ_DATA, SHARE_ALL, rows[i].disposition, 0, &opened);

        print_message("disposition %u: %08x %u", rows[i].disposition, (unsigned)status, (unsigned)opened.action);
        assert_int_equal(status, rows[i].present);
        assert_int_equal(opened.action, status == 0 ? rows[i].opened : 99);
        if (status == 0)
            assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
        opened.action = 99;
        status =
            create(u"absent", FILE_READ_DATA | DELETE, SHARE_ALL, rows[i].disposition, FILE_DELETE_ON_CLOSE, &opened);
        print_message(", absent: %08x %u\n", (unsigned)status, (unsigned)opened.action);
        assert_int_equal(status, rows[i].absent);
        assert_int_equal(opened.action, status == 0 ? rows[i].created : 99);
        if (status == 0)
            assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
    }
}

static void test_sharing_and_access_arrive_exactly(void **state)
{
    struct nt_opened first, second;

    (void)state;
    assert_int_equal(create(u"f.txt", FILE_READ_DATA, FILE_SHARE_READ | FILE_SHARE_DELETE, FILE_OPEN, 0, &first), 0);
    assert_int_equal(create(u"f.txt", DELETE, FILE_SHARE_READ, FILE_OPEN, 0, &second), STATUS_SUCCESS);
    assert_int_equal(nt_client_close(client, &second.file), STATUS_SUCCESS);
    assert_int_equal(create(u"f.txt", DELETE, 0, FILE_OPEN, 0, &second), STATUS_SHARING_VIOLATION);
    assert_int_equal(create(u"f.txt", FILE_WRITE_DATA, SHARE_ALL, FILE_OPEN, 0, &second), STATUS_SHARING_VIOLATION);
    assert_int_equal(create(u"f.txt", FILE_READ_ATTRIBUTES, 0, FILE_OPEN, 0, &second), STATUS_SUCCESS);
    assert_int_equal(nt_client_close(client, &second.file), STATUS_SUCCESS);
    assert_int_equal(nt_client_close(client, &first.file), STATUS_SUCCESS);
    assert_int_not_equal(nt_client_close(client, &first.file), STATUS_SUCCESS);
}

static void test_options_and_names_are_the_servers_to_judge(void **state)
{
    static const struct {
        const WCHAR *name;
        ULONG options;
        NTSTATUS expected;
    } rows[] = {
        {u"dir", FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY},
        {u"f.txt", FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY},
        {u"dir", FILE_DIRECTORY_FILE, STATUS_SUCCESS},
        {u"", 0, STATUS_SUCCESS},
        {u"a|b", 0, STATUS_OBJECT_NAME_INVALID},
        {u"no\\x", 0, STATUS_OBJECT_PATH_NOT_FOUND},
        {u"f.txt\\x", 0, STATUS_OBJECT_PATH_NOT_FOUND},
        {u"F.TXT", 0, STATUS_SUCCESS},
        {u"..\\f.txt", 0, STATUS_OBJECT_PATH_SYNTAX_BAD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nt_opened opened;
        NTSTATUS status = create(rows[i].name, FILE_READ_DATA, SHARE_ALL, FILE_OPEN, rows[i].options, &opened);

        if (status != rows[i].expected)
            fail_msg("row %zu: %08x, not %08x", i, (unsigned)status, (unsigned)rows[i].expected);
        if (status == STATUS_SUCCESS)
            assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
    }
}

static void test_a_file_opens_with_what_it_is(void **state)
{
    const UNICODE_STRING name = smb_path(u"new");
    const struct nt_create parameters = {
        .access = FILE_READ_DATA | DELETE,
        .disposition = FILE_CREATE,
        .options = FILE_DELETE_ON_CLOSE,
        .attributes = FILE_ATTRIBUTE_HIDDEN,
        .allocation_size = 1 << 20,
    };
    struct nt_opened opened;
    struct stat st;

    (void)state;
    assert_int_equal(create(u"f.txt", FILE_READ_DATA, 0, FILE_OPEN, 0, &opened), STATUS_SUCCESS);
    assert_int_equal(opened.end_of_file, 12);
    assert_int_equal(opened.attributes & FILE_ATTRIBUTE_DIRECTORY, 0);
    assert_true(on_disk("f.txt", &st));
    assert_int_equal(opened.last_write_time / 10000000 - 11644473600, st.st_mtime);
    assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
    assert_int_equal(create(u"dir", FILE_READ_DATA, 0, FILE_OPEN, 0, &opened), STATUS_SUCCESS);
    assert_int_equal(opened.attributes & FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_DIRECTORY);
    assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
    assert_int_equal(nt_client_create(client, &name, &parameters, &opened), STATUS_SUCCESS);
    assert_int_equal(opened.attributes & FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_HIDDEN);
    assert_true(opened.allocation_size >= 1 << 20);
    assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
    assert_false(on_disk("new", &st));
}

static void test_deleting_and_renaming_by_handle(void **state)
{
    const UNICODE_STRING taken = smb_path(u"f.txt"), away = smb_path(u"renamed.longer than before");
    struct nt_opened opened;
    struct stat st;

    (void)state;
    assert_int_equal(create(u"mine", DELETE | FILE_WRITE_DATA, SHARE_ALL, FILE_CREATE, 0, &opened), STATUS_SUCCESS);
    assert_int_equal(nt_client_rename(client, &opened.file, &taken, FALSE), STATUS_OBJECT_NAME_COLLISION);
    assert_int_equal(nt_client_rename(client, &opened.file, &away, FALSE), STATUS_SUCCESS);
    assert_true(on_disk("renamed.longer than before", &st));
    assert_int_equal(nt_client_set_disposition(client, &opened.file, TRUE), STATUS_SUCCESS);
    assert_int_equal(nt_client_set_disposition(client, &opened.file, FALSE), STATUS_SUCCESS);
    assert_int_equal(nt_client_set_disposition(client, &opened.file, TRUE), STATUS_SUCCESS);
    assert_true(on_disk("renamed.longer than before", &st));
    assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
    assert_false(on_disk("renamed.longer than before", &st));
    assert_int_equal(create(u"f.txt", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &opened), STATUS_SUCCESS);
    assert_int_equal(nt_client_set_disposition(client, &opened.file, TRUE), STATUS_ACCESS_DENIED);
    assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
}

static void test_long_names_and_names_too_long_for_here(void **state)
{
    static WCHAR text[20001];
    UNICODE_STRING name = {.Buffer = text};
    const struct nt_create parameters = {.access = FILE_READ_DATA, .disposition = FILE_OPEN};
    struct nt_opened opened;

    (void)state;
    for (size_t i = 0; i < 20000; i++)
        text[i] = i % 100 == 99 ? '\\' : 'a';
    name.Length = 16000 * 2 - 2;
    assert_int_equal(nt_client_create(client, &name, &parameters, &opened), STATUS_OBJECT_PATH_NOT_FOUND);
    name.Length = 20000 * 2;
    assert_int_equal(nt_client_create(client, &name, &parameters, &opened), STATUS_NAME_TOO_LONG);
    assert_int_equal(create(u"f.txt", FILE_READ_DATA, 0, FILE_OPEN, 0, &opened), STATUS_SUCCESS);
}

static void test_a_lost_server_stays_lost(void **state)
{
    struct nt_opened opened;

    (void)state;
    assert_true(smbserver_signal(fixture.server, SMBSERVER_KILL_SESSIONS) > 0);
    assert_int_equal(create(u"f.txt", FILE_READ_DATA, 0, FILE_OPEN, 0, &opened), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(create(u"f.txt", FILE_READ_DATA, 0, FILE_OPEN, 0, &opened), STATUS_CONNECTION_DISCONNECTED);
}

static void test_it_is_fast_enough_for_long_sequences(void **state)
{
    enum { COUNT = 2000 };
    uint64_t start = smb_now_ms();

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        struct nt_opened opened;

        assert_int_equal(create(u"f.txt", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &opened), STATUS_SUCCESS);
        assert_int_equal(nt_client_close(client, &opened.file), STATUS_SUCCESS);
    }
    print_message("%d creates and closes in %u ms\n", COUNT, (unsigned)(smb_now_ms() - start));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connecting_tells_what_the_server_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_disposition_has_its_status_and_action, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sharing_and_access_arrive_exactly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_options_and_names_are_the_servers_to_judge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_opens_with_what_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deleting_and_renaming_by_handle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_names_and_names_too_long_for_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_server_stays_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_fast_enough_for_long_sequences, set_up, tear_down),
    };
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: test_ntclient DIALECT\n");
        return 2;
    }
    rc = smb_fixture_start(&fixture, argv[1], NULL);
    if (rc != 0)
        return rc;
    smb_fixture_add(&fixture, "f.txt", "twelve bytes");
    smb_fixture_add(&fixture, "there", "");
    smb_fixture_add(&fixture, "dir", NULL);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    smb_fixture_stop(&fixture);
    return rc != 0 ? 1 : 0;
}
