/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_contract_set.c - what smb.h promises: a file's size, times and attributes are set. */
#include "smb_contract.h"
#include "smb_wire.h"

#include <limits.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define AT_1998 125444736000000000LL /* on a whole second */
#define AT_2001 126444736001234560LL /* on a whole microsecond */
#define AT_2004 127444736006543210LL

#define ALL_KEPT (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE)

static NTSTATUS set_open(struct smb_connection *connection, const WCHAR *path, smb_file file, LONGLONG creation,
                         LONGLONG access, LONGLONG write, ULONG attributes)
{
    struct smb_request request = {.op = SMB_SET_BASIC, .path = smb_path(path), .file = file};

    request.in.basic = (struct smb_basic){creation, access, write, attributes};
    return smb_perform(connection, &request);
}

static NTSTATUS set_basic(struct smb_connection *connection, const WCHAR *path, LONGLONG creation, LONGLONG access,
                          LONGLONG write, ULONG attributes)
{
    return set_open(connection, path, 0, creation, access, write, attributes);
}

static NTSTATUS set_size(struct smb_connection *connection, smb_file file, ULONGLONG size)
{
    struct smb_request request = {.op = SMB_SET_SIZE, .file = file};

    request.in.size = size;
    return smb_perform(connection, &request);
}

static struct smb_info query(struct smb_connection *connection, const WCHAR *path)
{
    struct smb_request request = {.op = SMB_QUERY_PATH, .path = smb_path(path)};

    assert_int_equal(smb_perform(connection, &request), STATUS_SUCCESS);
    return request.out.info;
}

/* As the listing of its directory, which holds nothing else, tells it: only that has all of it on every peer. */
static struct smb_info listed(struct smb_connection *connection, const WCHAR *directory)
{
    _Alignas(8) unsigned char buffer[1024];
    smb_file file;
    ULONG done;

    assert_int_equal(
        smb_do_create(connection, directory, FILE_READ_DATA, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &file), 0);
    assert_int_equal(smb_do_io(connection, SMB_QUERY_DIRECTORY, file, buffer, sizeof buffer, 0, &done), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    return ((const struct smb_dirent *)buffer)->info;
}

static void make_file(struct smb_connection *connection, const WCHAR *path)
{
    smb_file file;
    ULONG done;

    assert_int_equal(smb_do_create(connection, path, READ_WRITE, 0, FILE_CREATE, 0, &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_WRITE, file, (void *)"0123456789", 10, 0, &done), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
}

static void test_a_size_is_set(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    char buffer[32];
    smb_file file;
    ULONG done;

    (void)state;
    make_file(connection, u"size.bin");
    assert_int_equal(smb_do_create(connection, u"size.bin", READ_WRITE, SHARE_BOTH, FILE_OPEN, 0, &file), 0);
    assert_int_equal(set_size(connection, file, 4), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"size.bin").end_of_file, 4);
    assert_int_equal(set_size(connection, file, 20), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, sizeof buffer, 0, &done), STATUS_SUCCESS);
    assert_int_equal(done, 20);
    assert_memory_equal(buffer, "0123\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    assert_int_equal(set_size(connection, file, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"size.bin").end_of_file, 0);
    assert_int_equal(set_size(connection, file, 1ull << 63), STATUS_INVALID_PARAMETER);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(set_size(connection, file, 0), STATUS_INVALID_HANDLE);
    assert_int_equal(smb_do_open(connection, u"size.bin", &file), STATUS_SUCCESS);
    assert_int_equal(set_size(connection, file, 4), STATUS_ACCESS_DENIED);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(connection, u"dir", FILE_READ_DATA, 0, FILE_OPEN, FILE_DIRECTORY_FILE, &file), 0);
    assert_int_equal(set_size(connection, file, 4), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void test_times_are_set_one_by_one(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct smb_info info;
    smb_file directory;

    (void)state;
    assert_int_equal(
        smb_do_create(connection, u"times", FILE_READ_DATA, 0, FILE_CREATE, FILE_DIRECTORY_FILE, &directory), 0);
    assert_int_equal(smb_do_close(connection, directory), STATUS_SUCCESS);
    make_file(connection, u"times\\f");
    assert_int_equal(set_basic(connection, u"times\\f", 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"times\\f").last_write_time, AT_2001);
    assert_int_equal(set_basic(connection, u"times\\f", 0, AT_2004, 0, 0), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"times\\f", AT_1998, 0, 0, 0), STATUS_SUCCESS);
    info = listed(connection, u"times");
    if (strcmp(fixture.peer, "NT1") != 0) /* libsmbclient tells it nowhere there */
        assert_int_equal(info.creation_time, AT_1998);
    assert_int_equal(info.last_access_time, AT_2004);
    assert_int_equal(info.last_write_time, AT_2001);
    /* Nothing else has changed. */
    assert_int_equal(info.attributes, FILE_ATTRIBUTE_ARCHIVE);
    assert_int_equal(info.end_of_file, 10);
    assert_int_equal(set_basic(connection, u"times\\f", 0, 0, 0, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"times\\f").last_write_time, AT_2001);
    assert_int_equal(set_basic(connection, u"times", 0, AT_1998, AT_2004, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"times").last_write_time, AT_2004);
    smb_disconnect(connection);
}

static void test_attributes_are_set_and_survive_times(void **state)
{
    static const ULONG rows[] = {ALL_KEPT, FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM,
                                 FILE_ATTRIBUTE_ARCHIVE};
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct smb_info before;

    (void)state;
    make_file(connection, u"attributes");
    assert_int_equal(set_basic(connection, u"attributes", 0, 0, AT_1998, 0), STATUS_SUCCESS);
    before = query(connection, u"attributes");
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        assert_status_row(row, set_basic(connection, u"attributes", 0, 0, 0, rows[row]), STATUS_SUCCESS);
        assert_int_equal(query(connection, u"attributes").attributes, rows[row]);
        assert_int_equal(query(connection, u"attributes").last_write_time, before.last_write_time);
        assert_status_row(row, set_basic(connection, u"attributes", 0, AT_2004, AT_2001, 0), STATUS_SUCCESS);
        assert_int_equal(query(connection, u"attributes").attributes, rows[row]);
        assert_status_row(row, set_basic(connection, u"attributes", 0, AT_2004, AT_1998, rows[row]), STATUS_SUCCESS);
        assert_int_equal(query(connection, u"attributes").attributes, rows[row]);
    }
    assert_int_equal(set_basic(connection, u"attributes", 0, 0, 0, FILE_ATTRIBUTE_NORMAL), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"attributes").attributes & ALL_KEPT, 0);
    smb_disconnect(connection);
}

static void test_who_has_the_file_open_does_not_matter(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture), *other = smb_fixture_connect(&fixture);
    smb_file file;
    ULONG done;

    (void)state;
    make_file(connection, u"open");
    assert_int_equal(smb_do_create(connection, u"open", READ_WRITE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_int_equal(set_basic(other, u"open", 0, 0, AT_2001, FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"open", 0, AT_1998, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"open").last_write_time, AT_2001);
    assert_int_equal(smb_do_io(connection, SMB_WRITE, file, (void *)"x", 1, 0, &done), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_true(query(connection, u"open").last_write_time > AT_2004);
    smb_disconnect(other);
    smb_disconnect(connection);
}

static void test_what_is_open_may_be_asked_for_what_stays(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture), *other = smb_fixture_connect(&fixture);
    smb_file file, foreign;
    ULONG done;

    (void)state;
    make_file(connection, u"stays");
    assert_int_equal(set_basic(connection, u"stays", 0, 0, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(connection, u"stays", READ_WRITE, SHARE_BOTH, FILE_OPEN, 0, &file), 0);
    assert_int_equal(set_open(connection, u"stays", file, 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"stays").attributes, FILE_ATTRIBUTE_HIDDEN);
    assert_int_equal(smb_do_io(connection, SMB_WRITE, file, (void *)"x", 1, 0, &done), STATUS_SUCCESS);
    assert_int_equal(set_open(connection, u"stays", file, 0, AT_2004, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(set_open(connection, u"stays", file, 0, 0, AT_1998, 0), STATUS_SUCCESS); /* closed: by the path */
    assert_int_equal(query(connection, u"stays").attributes & FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_HIDDEN);
    assert_int_equal(query(connection, u"stays").last_access_time, AT_2004);
    assert_int_equal(query(connection, u"stays").last_write_time, AT_1998);
    /* What is open at another path, or on another connection, is not asked. */
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_open(other, u"f.txt", &foreign), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"stays", 0, 0, 0, FILE_ATTRIBUTE_SYSTEM), STATUS_SUCCESS);
    assert_int_equal(set_open(connection, u"stays", file, 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(set_open(connection, u"stays", foreign, 0, 0, AT_1998, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"stays").attributes, FILE_ATTRIBUTE_SYSTEM);
    assert_int_equal(smb_do_close(other, foreign), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(other);
    smb_disconnect(connection);
}

/* Times are set twice about a close; what else happens to the file in between is not set back. */
static void test_what_others_do_between_two_settings_stays(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture), *other = smb_fixture_connect(&fixture);
    smb_file file;
    ULONG done;

    (void)state;
    make_file(connection, u"between");
    assert_int_equal(set_basic(connection, u"between", 0, AT_2004, AT_2001, FILE_ATTRIBUTE_HIDDEN), STATUS_SUCCESS);
    assert_int_equal(set_basic(other, u"between", 0, 0, 0, FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
    usleep(SMB_LEFT_ALONE_MS * 1000);
    assert_int_equal(set_basic(connection, u"between", 0, 0, AT_1998, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"between").attributes, FILE_ATTRIBUTE_READONLY);
    /* The same connection's own are noticed however soon they come. */
    assert_int_equal(set_basic(connection, u"between", 0, 0, AT_2001, FILE_ATTRIBUTE_HIDDEN), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"between", 0, 0, 0, FILE_ATTRIBUTE_SYSTEM), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"between", 0, 0, AT_1998, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"between").attributes, FILE_ATTRIBUTE_SYSTEM);
    assert_int_equal(smb_do_create(connection, u"between", READ_WRITE, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"between", 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_WRITE, file, (void *)"x", 1, 0, &done), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"between", 0, AT_1998, 0, 0), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    /* A server marks what is written; the one in memory does not. */
    assert_int_equal(query(connection, u"between").attributes,
                     FILE_ATTRIBUTE_SYSTEM | (on_mem() ? 0 : FILE_ATTRIBUTE_ARCHIVE));
    smb_disconnect(other);
    smb_disconnect(connection);
}

static NTSTATUS delete (struct smb_connection *connection, const WCHAR *path)
{
    struct smb_request request = {.op = SMB_DELETE, .path = smb_path(path)};

    return smb_perform(connection, &request);
}

static NTSTATUS open_for_attributes(struct smb_connection *connection, const WCHAR *path, ULONG options)
{
    smb_file file;
    NTSTATUS status =
        smb_do_create(connection, path, FILE_WRITE_ATTRIBUTES | SYNCHRONIZE, SHARE_ALL, FILE_OPEN, options, &file);

    return status == STATUS_SUCCESS ? smb_do_close(connection, file) : status;
}

/* That its times have just been set does not make up for looking. */
static void test_a_file_that_has_just_been_set_is_looked_at_all_the_same(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture), *other = smb_fixture_connect(&fixture);
    smb_file file;

    (void)state;
    make_file(connection, u"just set");
    assert_int_equal(set_basic(connection, u"just set", 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(open_for_attributes(connection, u"just set", 0), STATUS_SUCCESS);
    assert_int_equal(open_for_attributes(connection, u"just set", FILE_NON_DIRECTORY_FILE), STATUS_SUCCESS);
    assert_int_equal(open_for_attributes(connection, u"just set", FILE_DIRECTORY_FILE), STATUS_NOT_A_DIRECTORY);
    assert_int_equal(set_basic(connection, u"just set", 0, 0, AT_2004, 0), STATUS_SUCCESS);
    assert_int_equal(delete (other, u"just set"), STATUS_SUCCESS);
    assert_int_equal(open_for_attributes(connection, u"just set", 0), STATUS_OBJECT_NAME_NOT_FOUND);
    make_file(connection, u"just set");
    assert_int_equal(set_basic(connection, u"just set", 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(delete (other, u"just set"), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(other, u"just set", FILE_READ_DATA, 0, FILE_CREATE, FILE_DIRECTORY_FILE, &file),
                     STATUS_SUCCESS);
    assert_int_equal(smb_do_close(other, file), STATUS_SUCCESS);
    assert_int_equal(open_for_attributes(connection, u"just set", FILE_NON_DIRECTORY_FILE), STATUS_FILE_IS_A_DIRECTORY);
    assert_int_equal(open_for_attributes(connection, u"just set", 0), STATUS_SUCCESS);
    smb_disconnect(other);
    smb_disconnect(connection);
}

/* What an archiver does when it unpacks a file, through a redirector. */
static void unpack(struct smb_connection *connection, const WCHAR *path)
{
    smb_file file;
    ULONG done;

    assert_int_equal(smb_do_create(connection, path, FILE_WRITE_DATA, FILE_SHARE_READ, FILE_OVERWRITE_IF, 0, &file), 0);
    assert_int_equal(smb_do_io(connection, SMB_WRITE, file, (void *)"x", 1, 0, &done), STATUS_SUCCESS);
    assert_int_equal(set_open(connection, path, file, 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(set_open(connection, path, 0, 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(open_for_attributes(connection, path, 0), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, path, 0, 0, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_SUCCESS);
}

/*
 * Create, write, close; what is asked for once; times, and attributes, which go with them, twice; that the file is
 * there; attributes. In SMB 2 and 3 each of these but the first three opens the file and closes it.
 */
static void test_unpacking_asks_for_nothing_twice(void **state)
{
    static const WCHAR *const paths[] = {u"unpack 1", u"unpack 2"};
    const bool old = strcmp(fixture.peer, "NT1") == 0;
    unsigned before, after, least = UINT_MAX;
    struct smb_target target = fixture.target;
    struct smb_connection *connection;
    struct smb_wire *wire;

    (void)state;
    if (on_mem())
        skip();
    wire = smb_wire_start(fixture.target.port);
    assert_non_null(wire);
    target.port = smb_wire_port(wire);
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_SUCCESS);
    /* On a busy system it takes longer than a backend takes the file for left alone. */
    for (int i = 0; i < 20; i++) {
        before = smb_wire_read(wire).all;
        unpack(connection, paths[i % 2]);
        after = smb_wire_read(wire).all;
        least = after - before < least ? after - before : least;
        assert_int_equal(delete (connection, paths[i % 2]), STATUS_SUCCESS);
    }
    assert_int_equal(least, old ? 10 : 22);
    unpack(connection, u"unpack 2");
    assert_int_equal(query(connection, u"unpack 2").attributes, FILE_ATTRIBUTE_HIDDEN);
    assert_int_equal(query(connection, u"unpack 2").last_write_time, AT_2001);
    smb_disconnect(connection);
    smb_wire_stop(wire);
}

/* One failure must not be the end of exact times on a connection. */
static void test_what_cannot_be_set_is_told_and_costs_nothing_else(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture), *read_only;
    struct smb_target target = fixture.target;
    NTSTATUS status;

    (void)state;
    make_file(connection, u"good");
    assert_int_equal(set_basic(connection, u"none", 0, 0, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(set_basic(connection, u"none", 0, 0, AT_1998, 0), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(set_basic(connection, u"none\\f", 0, 0, AT_1998, 0), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_int_equal(set_basic(connection, u"a|b", 0, 0, AT_1998, 0), STATUS_OBJECT_NAME_INVALID);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(set_basic(connection, u"good", 0, AT_2004, AT_2001, FILE_ATTRIBUTE_READONLY), STATUS_SUCCESS);
        assert_int_equal(query(connection, u"good").last_write_time, AT_2001);
        assert_int_equal(query(connection, u"good").attributes, FILE_ATTRIBUTE_READONLY);
        assert_int_equal(set_basic(connection, u"none", 0, 0, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_OBJECT_NAME_NOT_FOUND);
    }
    target.share = "ro";
    assert_int_equal(smb_connect(fixture.backend, &target, &read_only), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        status = set_basic(read_only, u"f.txt", 0, 0, i != 0 ? AT_1998 : 0, FILE_ATTRIBUTE_HIDDEN);
        assert_true(status == STATUS_ACCESS_DENIED || status == STATUS_MEDIA_WRITE_PROTECTED);
    }
    assert_true(query(read_only, u"f.txt").last_write_time > AT_2004);
    smb_disconnect(read_only);
    smb_disconnect(connection);
}

/* After the failure, times are set on a connection of their own, which is not to be taken for the one made anew. */
static void test_what_is_opened_after_a_loss_and_a_failure_stays_open(void **state)
{
    struct smb_connection *connection;
    struct wired wired;
    char buffer[8];
    smb_file file;
    ULONG done;

    (void)state;
    if (on_mem())
        skip();
    connect_wired(&wired);
    connection = wired.connection;
    make_file(connection, u"two ways");
    assert_int_equal(set_basic(connection, u"none", 0, 0, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(set_basic(connection, u"two ways", 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    smb_wire_cut(wired.wire, 0);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 4, 0, &done), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_close(connection, file), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 4, 0, &done), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    disconnect_wired(&wired);
}

/* Nor does the first one go with it. */
static void test_what_is_open_stays_so_when_the_way_for_times_is_lost(void **state)
{
    struct smb_connection *connection;
    struct wired wired;
    char buffer[8];
    smb_file file;
    ULONG done;

    (void)state;
    if (on_mem())
        skip();
    connect_wired(&wired);
    connection = wired.connection;
    make_file(connection, u"way lost");
    assert_int_equal(set_basic(connection, u"none", 0, 0, 0, FILE_ATTRIBUTE_HIDDEN), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(set_basic(connection, u"way lost", 0, 0, AT_2001, 0), STATUS_SUCCESS);
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    smb_wire_cut(wired.wire, 1);
    assert_int_equal(set_basic(connection, u"way lost", 0, 0, AT_1998, 0), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 4, 0, &done), STATUS_SUCCESS);
    assert_int_equal(set_basic(connection, u"way lost", 0, 0, AT_1998, 0), STATUS_SUCCESS);
    assert_int_equal(query(connection, u"way lost").last_write_time, AT_1998);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    disconnect_wired(&wired);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_size_is_set),
    cmocka_unit_test(test_times_are_set_one_by_one),
    cmocka_unit_test(test_attributes_are_set_and_survive_times),
    cmocka_unit_test(test_who_has_the_file_open_does_not_matter),
    cmocka_unit_test(test_what_is_open_may_be_asked_for_what_stays),
    cmocka_unit_test(test_what_others_do_between_two_settings_stays),
    cmocka_unit_test(test_a_file_that_has_just_been_set_is_looked_at_all_the_same),
    cmocka_unit_test(test_unpacking_asks_for_nothing_twice),
    cmocka_unit_test(test_what_cannot_be_set_is_told_and_costs_nothing_else),
    cmocka_unit_test(test_what_is_open_stays_so_when_the_way_for_times_is_lost),
    cmocka_unit_test(test_what_is_opened_after_a_loss_and_a_failure_stays_open),
};

const struct contract_group contract_set = {"set", tests, sizeof tests / sizeof *tests};
