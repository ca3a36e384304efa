/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_create_reasons.c - what reasons.table says of libsmbclient, shown: the same is asked of one smbd by libsmbclient
 * (smb.h) and by a client that hides nothing, and they do not get the same. Arguments: a dialect, the worker program.
 */
#include "files.h"
#include "smb_wire.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
/* In NT1 smbd would wait a second whether who has it open goes away. */
#define SETTINGS "defer sharing violations = no\n"
#define FILE_TXT u"file.txt"

static struct smb_fixture fixture;
static struct smb_connection *smbc;
static struct client direct;

static NTSTATUS ask_directly(struct client *client, const WCHAR *path, const struct nt_create *create,
                             ULONG *attributes)
{
    const UNICODE_STRING name = smb_path(path);
    struct client_file file;
    NTSTATUS status = client_create(client, &name, create, &file);

    if (NT_SUCCESS(status)) {
        if (attributes)
            *attributes = file.attributes;
        client_close(client, &file);
    }
    return status;
}

static NTSTATUS create_by_smbc(const WCHAR *path, const struct nt_create *create, smb_file *file)
{
    struct smb_request request =
        smb_create_request(path, create->access, create->share, create->disposition, create->options);
    NTSTATUS status;

    request.in.create.attributes = create->attributes;
    status = smb_perform(smbc, &request);
    if (NT_SUCCESS(status))
        *file = request.out.create.file;
    return status;
}

static NTSTATUS ask_by_smbc(const WCHAR *path, const struct nt_create *create)
{
    smb_file file;
    NTSTATUS status = create_by_smbc(path, create, &file);

    if (NT_SUCCESS(status))
        smb_do_close(smbc, file);
    return status;
}

static ULONG attributes_of(const WCHAR *path)
{
    const struct nt_create look = {.access = FILE_READ_ATTRIBUTES, .share = SHARE_ALL, .disposition = FILE_OPEN};
    ULONG attributes = 0;

    assert_int_equal(ask_directly(&direct, path, &look, &attributes), STATUS_SUCCESS);
    return attributes;
}

/* Whether who has file.txt open has it for what others would have to share with this bit. */
static bool is_used(ULONG share)
{
    const struct nt_create probe = {.access = FILE_READ_DATA, .share = SHARE_ALL & ~share, .disposition = FILE_OPEN};
    NTSTATUS status = ask_directly(&direct, FILE_TXT, &probe, NULL);

    if (status != STATUS_SHARING_VIOLATION)
        assert_int_equal(status, STATUS_SUCCESS);
    return status == STATUS_SHARING_VIOLATION;
}

/* ---- access ---- */

static void test_access_without_data(void **state)
{
    static const ACCESS_MASK accesses[] = {FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES, DELETE, WRITE_DAC};
    const struct nt_create alone = {.access = FILE_READ_DATA | FILE_WRITE_DATA, .disposition = FILE_OPEN},
                           for_delete = {.access = DELETE, .disposition = FILE_OPEN};
    const UNICODE_STRING name = smb_path(FILE_TXT);
    struct client_file held;
    struct client other;
    smb_file file;

    (void)state;
    for (size_t i = 0; i < sizeof accesses / sizeof *accesses; i++) {
        assert_int_equal(smb_do_create(smbc, FILE_TXT, accesses[i], 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
        assert_int_equal(ask_directly(&direct, FILE_TXT, &alone, NULL), STATUS_SUCCESS);
        smb_do_close(smbc, file);
    }
    client_connect(&other, &fixture, "lab");
    assert_int_equal(client_create(&other, &name, &for_delete, &held), STATUS_SUCCESS);
    assert_int_equal(ask_directly(&direct, FILE_TXT, &alone, NULL), STATUS_SHARING_VIOLATION);
    client_close(&other, &held);
    client_disconnect(&other);
}

static void test_access_masks(void **state)
{
    static const struct {
        ACCESS_MASK access;
        bool reads, writes;
    } rows[] = {
        {FILE_READ_DATA, true, false},
        {FILE_EXECUTE, true, false},
        {FILE_READ_DATA | DELETE, true, false},
        {FILE_WRITE_DATA, false, true},
        {FILE_APPEND_DATA, false, true},
        {FILE_WRITE_DATA | DELETE, false, true},
        {FILE_READ_DATA | FILE_WRITE_DATA, true, true},
        {FILE_ALL_ACCESS, true, true},
    };
    smb_file file;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(smb_do_create(smbc, FILE_TXT, rows[i].access, SHARE_ALL, FILE_OPEN, 0, &file), STATUS_SUCCESS);
        assert_int_equal(is_used(FILE_SHARE_READ), rows[i].reads);
        assert_int_equal(is_used(FILE_SHARE_WRITE), rows[i].writes);
        assert_false(is_used(FILE_SHARE_DELETE));
        smb_do_close(smbc, file);
    }
}

/* On a share that may only be read. */
static void test_access_is_not_asked_for(void **state)
{
    const struct nt_create to_change = {.access = FILE_WRITE_ATTRIBUTES, .share = SHARE_ALL, .disposition = FILE_OPEN};
    struct smb_fixture read_only = fixture;
    struct smb_connection *connection;
    struct client client;
    smb_file file;

    (void)state;
    read_only.target.share = "ro";
    connection = smb_fixture_connect(&read_only);
    assert_int_equal(smb_do_create(connection, FILE_TXT, FILE_WRITE_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &file),
                     STATUS_SUCCESS);
    smb_do_close(connection, file);
    smb_disconnect(connection);
    client_connect(&client, &fixture, "ro");
    assert_int_equal(ask_directly(&client, FILE_TXT, &to_change, NULL), STATUS_ACCESS_DENIED);
    client_disconnect(&client);
}

/* ---- options ---- */

static void test_option_non_directory(void **state)
{
    struct nt_create overwrite = {.access = FILE_READ_DATA, .share = SHARE_ALL, .disposition = FILE_OVERWRITE};

    (void)state;
    assert_int_equal(ask_by_smbc(u"dir", &overwrite), STATUS_FILE_IS_A_DIRECTORY);
    assert_int_not_equal(ask_directly(&direct, u"dir", &overwrite, NULL), STATUS_FILE_IS_A_DIRECTORY);
    overwrite.options = FILE_NON_DIRECTORY_FILE;
    assert_int_equal(ask_directly(&direct, u"dir", &overwrite, NULL), STATUS_FILE_IS_A_DIRECTORY);
}

static void test_no_other_option(void **state)
{
    const struct nt_create remove = {.access = FILE_READ_DATA | DELETE,
                                     .share = SHARE_ALL,
                                     .disposition = FILE_OPEN,
                                     .options = FILE_NON_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE};

    (void)state;
    assert_int_equal(ask_by_smbc(FILE_TXT, &remove), STATUS_SUCCESS);
    assert_int_equal(ask_directly(&direct, FILE_TXT, &remove, NULL), STATUS_SUCCESS);
    assert_int_equal(ask_directly(&direct, FILE_TXT, &remove, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* ---- attributes ---- */

/* Requests that a new file with these attributes takes of libsmbclient, its close not counted. */
static unsigned requests_for(struct smb_wire *wire, const WCHAR *path, ULONG attributes)
{
    const struct nt_create new_file = {.access = FILE_WRITE_DATA,
                                       .share = SHARE_ALL,
                                       .disposition = FILE_CREATE,
                                       .options = FILE_NON_DIRECTORY_FILE,
                                       .attributes = attributes};
    unsigned before = smb_wire_read(wire).all, requests;
    smb_file file = 0;

    assert_int_equal(create_by_smbc(path, &new_file, &file), STATUS_SUCCESS);
    requests = smb_wire_read(wire).all - before;
    smb_do_close(smbc, file);
    assert_int_equal(attributes_of(path) & FILE_ATTRIBUTE_READONLY, attributes & FILE_ATTRIBUTE_READONLY);
    return requests;
}

static void test_attributes_are_set_later(void **state)
{
    struct smb_wire *wire = smb_wire_start(fixture.target.port);
    struct smb_fixture relayed = fixture;
    struct smb_connection *connection = smbc;
    unsigned plain, read_only;

    (void)state;
    assert_non_null(wire);
    relayed.target.port = smb_wire_port(wire);
    smbc = smb_fixture_connect(&relayed);
    plain = requests_for(wire, u"plain", FILE_ATTRIBUTE_NORMAL);
    read_only = requests_for(wire, u"t", FILE_ATTRIBUTE_READONLY);
    smb_disconnect(smbc);
    smbc = connection;
    smb_wire_stop(wire);
    assert_true(read_only > plain);
}

/* A hidden file may be overwritten by who says that it is to be hidden: too late for that. */
static void test_attributes_are_late_for_a_rule(void **state)
{
    const struct nt_create overwrite = {.access = FILE_WRITE_DATA,
                                        .share = SHARE_ALL,
                                        .disposition = FILE_OVERWRITE,
                                        .options = FILE_NON_DIRECTORY_FILE,
                                        .attributes = FILE_ATTRIBUTE_HIDDEN};

    (void)state;
    assert_true(files_make(&fixture, &direct, "file+H"));
    assert_int_equal(ask_by_smbc(u"t", &overwrite), STATUS_ACCESS_DENIED);
    assert_int_equal(ask_directly(&direct, u"t", &overwrite, NULL), STATUS_SUCCESS);
}

static void test_attributes_of_directories(void **state)
{
    const struct nt_create new_directory = {.access = FILE_READ_DATA,
                                            .share = SHARE_ALL,
                                            .disposition = FILE_CREATE,
                                            .options = FILE_DIRECTORY_FILE,
                                            .attributes = FILE_ATTRIBUTE_HIDDEN};

    (void)state;
    assert_int_equal(ask_by_smbc(u"t", &new_directory), STATUS_SUCCESS);
    assert_int_equal(attributes_of(u"t") & FILE_ATTRIBUTE_HIDDEN, 0);
    assert_int_equal(ask_directly(&direct, u"t2", &new_directory, NULL), STATUS_SUCCESS);
    assert_int_not_equal(attributes_of(u"t2") & FILE_ATTRIBUTE_HIDDEN, 0);
}

/* ---- directories ---- */

/* On a share that may only be read: whether it is a create decides what smbd says. */
static void test_mkdir(void **state)
{
    const struct nt_create new_directory = {
        .access = FILE_READ_DATA, .share = SHARE_ALL, .disposition = FILE_CREATE, .options = FILE_DIRECTORY_FILE};
    bool by_command = strcmp(fixture.peer, "NT1") == 0;
    struct smb_connection *connection = smbc;
    struct smb_fixture read_only = fixture;
    struct client client;

    (void)state;
    read_only.target.share = "ro";
    smbc = smb_fixture_connect(&read_only);
    assert_int_equal(ask_by_smbc(u"t", &new_directory),
                     by_command ? STATUS_MEDIA_WRITE_PROTECTED : STATUS_ACCESS_DENIED);
    assert_int_equal(ask_by_smbc(u"dir", &new_directory),
                     by_command ? STATUS_MEDIA_WRITE_PROTECTED : STATUS_OBJECT_NAME_COLLISION);
    smb_disconnect(smbc);
    smbc = connection;
    client_connect(&client, &fixture, "ro");
    assert_int_equal(ask_directly(&client, u"t", &new_directory, NULL), STATUS_ACCESS_DENIED);
    assert_int_equal(ask_directly(&client, u"dir", &new_directory, NULL), STATUS_OBJECT_NAME_COLLISION);
    client_disconnect(&client);
}

static int begin(void **state)
{
    (void)state;
    files_reset(&fixture);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_access_without_data, begin),
        cmocka_unit_test_setup(test_access_masks, begin),
        cmocka_unit_test_setup(test_access_is_not_asked_for, begin),
        cmocka_unit_test_setup(test_option_non_directory, begin),
        cmocka_unit_test_setup(test_no_other_option, begin),
        cmocka_unit_test_setup(test_attributes_are_set_later, begin),
        cmocka_unit_test_setup(test_attributes_are_late_for_a_rule, begin),
        cmocka_unit_test_setup(test_attributes_of_directories, begin),
        cmocka_unit_test_setup(test_mkdir, begin),
    };
    int rc;

    if (argc != 3) {
        fprintf(stderr, "usage: %s DIALECT WORKER\n", argv[0]);
        return 2;
    }
    rc = smb_fixture_start_with(&fixture, argv[1], argv[2], SETTINGS);
    if (rc != 0)
        return rc;
    smbc = smb_fixture_connect(&fixture);
    client_connect(&direct, &fixture, "lab");
    rc = cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
    client_disconnect(&direct);
    smb_disconnect(smbc);
    smb_fixture_stop(&fixture);
    return rc != 0;
}
