/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_contract_files.c - what smb.h promises: data, queries, deleting and renaming. */
#include "smb_contract.h"
#include "smb_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- data ---- */

static void test_read_gives_what_was_written(void **state)
{
    enum { SIZE = 150000 };
    static unsigned char written[SIZE], read[SIZE];
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    smb_file file;
    ULONG done;

    (void)state;
    for (int i = 0; i < SIZE; i++)
        written[i] = (unsigned char)(i * 7 + i / 251);
    assert_int_equal(smb_do_create(connection, u"data.bin", READ_WRITE, 0, FILE_OVERWRITE_IF, 0, &file),
                     STATUS_SUCCESS);
    for (ULONG at = 0; at < SIZE; at += done) {
        assert_int_equal(smb_do_io(connection, SMB_WRITE, file, written + at,
                                   SIZE - at < SMB_MAX_IO ? SIZE - at : SMB_MAX_IO, at, &done),
                         STATUS_SUCCESS);
        assert_true(done > 0);
    }
    for (ULONG at = 0; at < SIZE; at += done) {
        assert_int_equal(
            smb_do_io(connection, SMB_READ, file, read + at, SIZE - at < 40000 ? SIZE - at : 40000, at, &done),
            STATUS_SUCCESS);
        assert_true(done > 0);
    }
    assert_memory_equal(written, read, SIZE);
    done = 77;
    assert_int_equal(smb_do_io(connection, SMB_READ, file, read, 10, SIZE, &done), STATUS_END_OF_FILE);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, read, 10, 1ull << 40, &done), STATUS_END_OF_FILE);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, read, SMB_MAX_IO + 1, 0, &done), STATUS_INVALID_PARAMETER);
    assert_int_equal(done, 77);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, read, 10, SIZE - 4, &done), STATUS_SUCCESS);
    assert_int_equal(done, 4);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, read, 0, 0, &done), STATUS_SUCCESS);
    assert_int_equal(done, 0);
    assert_int_equal(smb_do_io(connection, SMB_FLUSH, file, NULL, 0, 0, &done), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void test_access_limits_what_a_file_is_good_for(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    char buffer[8] = "x";
    smb_file file;
    ULONG done;

    (void)state;
    assert_int_equal(smb_do_open(connection, u"f.txt", &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_WRITE, file, buffer, 1, 0, &done), STATUS_ACCESS_DENIED);
    assert_int_equal(smb_do_io(connection, SMB_QUERY_DIRECTORY, file, buffer, 8, 0, &done), STATUS_INVALID_PARAMETER);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(connection, u"f.txt", FILE_WRITE_DATA, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 1, 0, &done), STATUS_ACCESS_DENIED);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(connection, u"f.txt", FILE_READ_ATTRIBUTES, 0, FILE_OPEN, 0, &file), 0);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 1, 0, &done), STATUS_ACCESS_DENIED);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(smb_do_create(connection, u"dir", FILE_READ_DATA, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_int_equal(smb_do_io(connection, SMB_READ, file, buffer, 1, 0, &done), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

/* ---- queries ---- */

static void test_query_tells_size_kind_and_time(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct smb_request query = {.op = SMB_QUERY_PATH, .path = smb_path(u"f.txt")};
    struct smb_request volume = {.op = SMB_QUERY_VOLUME};
    const LONGLONG year_2020 = 132223104000000000LL;

    (void)state;
    assert_int_equal(smb_perform(connection, &query), STATUS_SUCCESS);
    assert_true(query.out.info.complete);
    assert_int_equal(query.out.info.end_of_file, 12);
    assert_int_equal(query.out.info.attributes & FILE_ATTRIBUTE_DIRECTORY, 0);
    assert_int_not_equal(query.out.info.attributes, 0);
    assert_true(query.out.info.last_write_time > year_2020);
    query.path = smb_path(u"dir");
    assert_int_equal(smb_perform(connection, &query), STATUS_SUCCESS);
    assert_int_not_equal(query.out.info.attributes & FILE_ATTRIBUTE_DIRECTORY, 0);
    query.path = smb_path(u"");
    assert_int_equal(smb_perform(connection, &query), STATUS_SUCCESS);
    assert_int_not_equal(query.out.info.attributes & FILE_ATTRIBUTE_DIRECTORY, 0);
    query.path = smb_path(u"no");
    assert_int_equal(smb_perform(connection, &query), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(query.origin, on_mem() ? SMB_ORIGIN_ANSWER : SMB_ORIGIN_LOG);
    assert_int_equal(smb_perform(connection, &volume), STATUS_SUCCESS);
    assert_true(volume.out.volume.total_units >= volume.out.volume.free_units);
    assert_true(volume.out.volume.total_units > 0);
    assert_true(volume.out.volume.bytes_per_sector >= 512);
    assert_true(volume.out.volume.sectors_per_unit >= 1);
    smb_disconnect(connection);
}

static bool has_name(const struct smb_dirent *entry, const WCHAR *name)
{
    UNICODE_STRING wanted = smb_path(name);

    return entry->name_length == wanted.Length && memcmp(entry + 1, name, wanted.Length) == 0;
}

static void test_listing_gives_every_entry_once(void **state)
{
    static const WCHAR *const names[] = {u"one", u"Two.TXT", u"sub", u"\u00e4\u20ac \U0001F600", u"100%"};
    static const ULONG sizes[] = {4096, 200};
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    _Alignas(8) unsigned char buffer[4096];
    smb_file file;
    ULONG done;

    (void)state;
    assert_int_equal(
        smb_do_create(connection, u"list", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &file), 0);
    assert_int_equal(smb_do_io(connection, SMB_QUERY_DIRECTORY, file, buffer, 40, 0, &done), STATUS_BUFFER_TOO_SMALL);
    for (size_t round = 0; round < 2; round++) {
        unsigned seen[5] = {0}, total = 0;
        struct smb_request request = {.op = SMB_QUERY_DIRECTORY, .file = file};
        NTSTATUS status;

        request.in.io.buffer = buffer;
        request.in.io.length = sizes[round];
        request.in.io.restart = round != 0;
        while ((status = smb_perform(connection, &request)) == STATUS_SUCCESS) {
            const struct smb_dirent *entry = (const struct smb_dirent *)buffer;

            request.in.io.restart = FALSE;
            for (;; entry = (const struct smb_dirent *)((const char *)entry + entry->next_offset)) {
                total++;
                for (size_t i = 0; i < 5; i++)
                    seen[i] += has_name(entry, names[i]);
                if (has_name(entry, u"one"))
                    assert_int_equal(entry->info.end_of_file, 1);
                assert_int_equal((entry->info.attributes & FILE_ATTRIBUTE_DIRECTORY) != 0, has_name(entry, u"sub"));
                if (entry->next_offset == 0)
                    break;
            }
        }
        assert_int_equal(status, STATUS_NO_MORE_FILES);
        assert_int_equal(total, 5);
        for (size_t i = 0; i < 5; i++) {
            if (seen[i] != 1)
                fail_msg("round %zu: name %zu was listed %u times", round, i, seen[i]);
        }
        assert_int_equal(smb_perform(connection, &request), STATUS_NO_MORE_FILES);
    }
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    assert_int_equal(
        smb_do_create(connection, u"list\\sub", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &file), 0);
    assert_int_equal(smb_do_io(connection, SMB_QUERY_DIRECTORY, file, buffer, 4096, 0, &done), STATUS_NO_MORE_FILES);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    smb_disconnect(connection);
}

/* What a listing has given out may be deleted before it goes on, as whoever empties a directory does. */
static void test_a_listing_goes_on_when_what_it_gave_is_gone(void **state)
{
    enum { COUNT = 30 };
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct smb_request gone = {.op = SMB_DELETE, .path = smb_path(u"emptied"), .in.remove.directory = TRUE};
    _Alignas(8) unsigned char buffer[600];
    unsigned listed = 0;
    NTSTATUS status;
    WCHAR name[32];
    smb_file directory, file;
    ULONG done;

    (void)state;
    assert_int_equal(
        smb_do_create(connection, u"emptied", FILE_READ_DATA, SHARE_ALL, FILE_CREATE, FILE_DIRECTORY_FILE, &directory),
        STATUS_SUCCESS);
    for (unsigned i = 0; i < COUNT; i++) {
        memcpy(name, u"emptied\\ ", 10 * sizeof(WCHAR));
        name[8] = (WCHAR)(u'\u3042' + i);
        assert_int_equal(smb_do_create(connection, name, FILE_WRITE_DATA, 0, FILE_CREATE, 0, &file), STATUS_SUCCESS);
        assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    }
    while ((status = smb_do_io(connection, SMB_QUERY_DIRECTORY, directory, buffer, sizeof(buffer), 0, &done)) ==
           STATUS_SUCCESS) {
        const struct smb_dirent *entry = (const struct smb_dirent *)buffer;

        for (;; entry = (const struct smb_dirent *)((const char *)entry + entry->next_offset)) {
            struct smb_request delete = {.op = SMB_DELETE};

            memcpy(name + 8, entry + 1, entry->name_length);
            delete.path = (UNICODE_STRING){.Length = (USHORT)(16 + entry->name_length), .Buffer = name};
            assert_int_equal(smb_perform(connection, &delete), STATUS_SUCCESS);
            listed++;
            if (entry->next_offset == 0)
                break;
        }
    }
    assert_int_equal(status, STATUS_NO_MORE_FILES);
    assert_int_equal(listed, COUNT);
    assert_int_equal(smb_do_close(connection, directory), STATUS_SUCCESS);
    assert_int_equal(smb_perform(connection, &gone), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void test_names_arrive_as_they_are(void **state)
{
    static const struct {
        const WCHAR *name;
        const char *utf8;
    } rows[] = {
        {u"plain", "plain"},
        {u"\u00e4\u00f6\u00fc", "\xC3\xA4\xC3\xB6\xC3\xBC"},
        {u"\u20ac", "\xE2\x82\xAC"},
        {u"\U0001F600\U0010FFFD", "\xF0\x9F\x98\x80\xF4\x8F\xBF\xBD"},
        {u"100% sure#1", "100% sure#1"},
        {u"%41", "%41"},
        {u"a&b=c;d+e,f@g", "a&b=c;d+e,f@g"},
        {u"[x]{y}~'`!$^", "[x]{y}~'`!$^"},
        {u" lead", " lead"},
        {u"\uFF1F", "\xEF\xBC\x9F"},
    };
    struct smb_connection *connection = smb_fixture_connect(&fixture);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        smb_file file;

        assert_status_row(i, smb_do_create(connection, rows[i].name, READ_WRITE, 0, FILE_CREATE, 0, &file), 0);
        assert_status_row(i, smb_do_close(connection, file), STATUS_SUCCESS);
        if (!on_mem()) {
            char path[200];

            snprintf(path, sizeof(path), "%s/%s", fixture.share_dir, rows[i].utf8);
            if (access(path, F_OK) != 0)
                fail_msg("row %zu: the server has no %s", i, path);
        }
        assert_status_row(i, smb_do_open(connection, rows[i].name, &file), STATUS_SUCCESS);
        assert_status_row(i, smb_do_close(connection, file), STATUS_SUCCESS);
    }
    smb_disconnect(connection);
}

static void test_a_name_of_32000_characters_is_only_not_there(void **state)
{
    enum { LENGTH = 32000 };
    static WCHAR name[LENGTH + 1];
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    NTSTATUS status;

    (void)state;
    for (int i = 0; i < LENGTH; i++)
        name[i] = i % 100 == 99 ? '\\' : 0x20AC;
    name[LENGTH] = 0;
    name[LENGTH - 1] = 'x';
    status = smb_do_open(connection, name, NULL);
    assert_true(status == STATUS_OBJECT_PATH_NOT_FOUND || status == STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(smb_do_open(connection, u"nothing", NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    smb_disconnect(connection);
}

/* ---- deleting and renaming ---- */

static NTSTATUS do_delete(struct smb_connection *connection, const WCHAR *path, BOOLEAN directory)
{
    struct smb_request request = {.op = SMB_DELETE, .path = smb_path(path)};

    request.in.remove.directory = directory;
    return smb_perform(connection, &request);
}

/* In SMB 2 and 3: whether it is a file, an open with FILE_DELETE_ON_CLOSE, and its close. */
static void test_to_delete_a_file_asks_for_little(void **state)
{
    const unsigned expected = strcmp(fixture.peer, "NT1") == 0 ? 1 : 3;
    struct wired wired;
    unsigned before;
    smb_file file;

    (void)state;
    if (on_mem())
        skip();
    connect_wired(&wired);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(smb_do_create(wired.connection, u"little", FILE_WRITE_DATA, 0, FILE_CREATE, 0, &file), 0);
        assert_int_equal(smb_do_close(wired.connection, file), STATUS_SUCCESS);
        before = smb_wire_read(wired.wire).all;
        assert_int_equal(do_delete(wired.connection, u"little", FALSE), STATUS_SUCCESS);
        assert_int_equal(smb_wire_read(wired.wire).all - before, expected);
    }
    disconnect_wired(&wired);
}

static NTSTATUS do_rename(struct smb_connection *connection, const WCHAR *path, const WCHAR *target, BOOLEAN replace)
{
    struct smb_request request = {.op = SMB_RENAME, .path = smb_path(path)};

    request.in.rename.target = smb_path(target);
    request.in.rename.replace = replace;
    return smb_perform(connection, &request);
}

/* Make a file of one character, the first of its name, or a directory, and close it. */
static void make(struct smb_connection *connection, const WCHAR *path, ULONG options, ULONG attributes)
{
    struct smb_request request = smb_create_request(path, READ_WRITE, 0, FILE_CREATE, options);
    size_t last = smb_path(path).Length / 2;
    char mark;
    ULONG done;

    while (last > 0 && path[last - 1] != '\\')
        last--;
    mark = (char)path[last];
    request.in.create.attributes = attributes;
    assert_int_equal(smb_perform(connection, &request), STATUS_SUCCESS);
    if ((options & FILE_DIRECTORY_FILE) == 0)
        assert_int_equal(smb_do_io(connection, SMB_WRITE, request.out.create.file, &mark, 1, 0, &done), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, request.out.create.file), STATUS_SUCCESS);
}

/* The character that make wrote into what is now called path; 0: there is none. */
static char mark_of(struct smb_connection *connection, const WCHAR *path)
{
    char mark = 0;
    smb_file file;
    ULONG done;

    if (smb_do_open(connection, path, &file) != STATUS_SUCCESS)
        return 0;
    assert_int_equal(smb_do_io(connection, SMB_READ, file, &mark, 1, 0, &done), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(connection, file), STATUS_SUCCESS);
    return mark;
}

static NTSTATUS kind_of(struct smb_connection *connection, const WCHAR *path)
{
    struct smb_request query = {.op = SMB_QUERY_PATH, .path = smb_path(path)};

    return smb_perform(connection, &query);
}

static void make_scene(struct smb_connection *connection)
{
    make(connection, u"x", FILE_DIRECTORY_FILE, 0);
    make(connection, u"x\\empty", FILE_DIRECTORY_FILE, 0);
    make(connection, u"x\\full", FILE_DIRECTORY_FILE, 0);
    make(connection, u"x\\full\\in", 0, 0);
    make(connection, u"x\\a", 0, 0);
    make(connection, u"x\\b", 0, 0);
    make(connection, u"x\\ro", 0, FILE_ATTRIBUTE_READONLY);
}

/* What a row may have left. A read-only file goes where a rename cannot follow: nothing here deletes it. */
static void clear_scene(struct smb_connection *connection)
{
    static const WCHAR *const names[] = {u"x\\full\\in", u"x\\full\\new", u"x\\full\\b", u"x\\full",
                                         u"x\\empty",    u"x\\new\\in",   u"x\\new",     u"x\\B",
                                         u"x\\a",        u"x\\b",         u"x\\ro"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (do_delete(connection, names[i], FALSE) == STATUS_FILE_IS_A_DIRECTORY)
            (void)do_delete(connection, names[i], TRUE);
    }
    if (!on_mem()) {
        char path[128];

        snprintf(path, sizeof(path), "%s/x/ro", fixture.share_dir);
        remove(path);
        snprintf(path, sizeof(path), "%s/x/new", fixture.share_dir);
        remove(path);
        assert_int_equal(do_delete(connection, u"x", TRUE), STATUS_SUCCESS);
    }
}

static void test_delete_table(void **state)
{
    static const struct {
        const WCHAR *path;
        BOOLEAN directory;
        NTSTATUS status, after; /* of a query of the path afterwards */
    } rows[] = {
        {u"x\\a", FALSE, STATUS_SUCCESS, STATUS_OBJECT_NAME_NOT_FOUND},
        {u"\\x\\A", FALSE, STATUS_SUCCESS, STATUS_OBJECT_NAME_NOT_FOUND},
        {u"x\\empty", TRUE, STATUS_SUCCESS, STATUS_OBJECT_NAME_NOT_FOUND},
        {u"x\\full", TRUE, STATUS_DIRECTORY_NOT_EMPTY, STATUS_SUCCESS},
        {u"x\\a", TRUE, STATUS_NOT_A_DIRECTORY, STATUS_SUCCESS},
        {u"x\\empty", FALSE, STATUS_FILE_IS_A_DIRECTORY, STATUS_SUCCESS},
        {u"x\\full", FALSE, STATUS_FILE_IS_A_DIRECTORY, STATUS_SUCCESS},
        {u"x\\ro", FALSE, STATUS_CANNOT_DELETE, STATUS_SUCCESS},
        {u"x\\ro", TRUE, STATUS_NOT_A_DIRECTORY, STATUS_SUCCESS},
        {u"x\\no", FALSE, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND},
        {u"x\\no", TRUE, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND},
        {u"x\\no\\a", FALSE, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND},
        {u"x\\no\\a", TRUE, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND},
        {u"x\\a\\b", FALSE, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND},
        {u"x\\a?b", FALSE, STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_NAME_INVALID},
        {u"x\\a*b", TRUE, STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_NAME_INVALID},
        {u"", TRUE, STATUS_CANNOT_DELETE, STATUS_SUCCESS},
        {u"\\", FALSE, STATUS_FILE_IS_A_DIRECTORY, STATUS_SUCCESS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smb_connection *connection;
        struct smb_fixture own = fixture;

        if (on_mem())
            assert_int_equal(smb_fixture_start(&own, "mem", NULL), 0);
        connection = smb_fixture_connect(&own);
        make_scene(connection);
        assert_status_row(i, do_delete(connection, rows[i].path, rows[i].directory), rows[i].status);
        assert_status_row(i, kind_of(connection, rows[i].path), rows[i].after);
        clear_scene(connection);
        smb_disconnect(connection);
        if (on_mem())
            smb_fixture_stop(&own);
    }
}

static void test_rename_table(void **state)
{
    static const struct {
        const WCHAR *path, *target;
        BOOLEAN replace;
        NTSTATUS status;
        char mark; /* what the target has afterwards; 0: no file, or not looked at */
    } rows[] = {
        {u"x\\a", u"x\\new", FALSE, STATUS_SUCCESS, 'a'},
        {u"\\x\\a", u"\\x\\full\\new", TRUE, STATUS_SUCCESS, 'a'},
        {u"x\\b", u"x\\B", FALSE, STATUS_SUCCESS, 'b'},
        {u"x\\a", u"\\x\\a", FALSE, STATUS_SUCCESS, 'a'},
        {u"x\\full", u"x\\new", FALSE, STATUS_SUCCESS, 0},
        {u"x\\ro", u"x\\new", FALSE, STATUS_SUCCESS, 'r'},
        {u"x\\a", u"x\\b", FALSE, STATUS_OBJECT_NAME_COLLISION, 'b'},
        {u"x\\a", u"x\\b", TRUE, STATUS_SUCCESS, 'a'},
        {u"x\\a", u"x\\empty", FALSE, STATUS_OBJECT_NAME_COLLISION, 0},
        {u"x\\a", u"x\\empty", TRUE, STATUS_ACCESS_DENIED, 0},
        {u"x\\a", u"x\\ro", FALSE, STATUS_OBJECT_NAME_COLLISION, 'r'},
        {u"x\\a", u"x\\ro", TRUE, STATUS_ACCESS_DENIED, 'r'},
        {u"x\\no", u"x\\new", FALSE, STATUS_OBJECT_NAME_NOT_FOUND, 0},
        {u"x\\no", u"x\\b", TRUE, STATUS_OBJECT_NAME_NOT_FOUND, 'b'},
        {u"x\\no\\a", u"x\\new", FALSE, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {u"x\\a", u"x\\no\\new", FALSE, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {u"x\\a", u"x\\b\\new", FALSE, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {u"x\\a", u"x\\n?w", FALSE, STATUS_OBJECT_NAME_INVALID, 0},
        {u"x\\a?b", u"x\\new", FALSE, STATUS_OBJECT_NAME_INVALID, 0},
        {u"x\\full", u"x\\full\\new", FALSE, STATUS_SHARING_VIOLATION, 0},
        {u"", u"x\\new", FALSE, STATUS_INVALID_PARAMETER, 0},
        {u"x\\a", u"", FALSE, STATUS_OBJECT_NAME_COLLISION, 0},
        {u"x\\a", u"\\", TRUE, STATUS_ACCESS_DENIED, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool same = i == 3;
        struct smb_connection *connection;
        struct smb_fixture own = fixture;
        NTSTATUS status;

        if (on_mem())
            assert_int_equal(smb_fixture_start(&own, "mem", NULL), 0);
        connection = smb_fixture_connect(&own);
        make_scene(connection);
        status = do_rename(connection, rows[i].path, rows[i].target, rows[i].replace);
        assert_status_row(i, status, rows[i].status);
        if (rows[i].mark != 0 && mark_of(connection, rows[i].target) != rows[i].mark)
            fail_msg("row %zu: the target is another file", i);
        if (status == STATUS_SUCCESS && !same && i != 2)
            assert_status_row(i, kind_of(connection, rows[i].path), STATUS_OBJECT_NAME_NOT_FOUND);
        clear_scene(connection);
        smb_disconnect(connection);
        if (on_mem())
            smb_fixture_stop(&own);
    }
}

/* The new name finds the file itself, on a server that takes no notice of case, and is not to be made room for. */
static void test_a_name_in_other_case_is_no_collision(void **state)
{
    static const struct {
        const WCHAR *path, *target;
    } rows[] = {
        {u"case", u"CASE"},
        {u"\u00e4", u"\u00c4"}, /* Latin-1 */
        {u"\u044f\u0439", u"\u042f\u0419"},
        {u"\u03c9", u"\u03a9"},
        {u"\u0151", u"\u0150"}, /* Latin Extended-A */
    };
    struct smb_connection *connection = smb_fixture_connect(&fixture);

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const WCHAR *path = rows[i / 2].path, *target = rows[i / 2].target;

        make(connection, path, FILE_NON_DIRECTORY_FILE, 0);
        assert_status_row(i, do_rename(connection, path, target, i % 2 != 0), STATUS_SUCCESS);
        assert_int_equal(mark_of(connection, target), (char)path[0]);
        assert_status_row(i, do_delete(connection, target, FALSE), STATUS_SUCCESS);
        assert_status_row(i, kind_of(connection, path), STATUS_OBJECT_NAME_NOT_FOUND);
    }
    smb_disconnect(connection);
}

static void test_an_open_file_is_neither_deleted_nor_renamed(void **state)
{
    struct smb_connection *connection = smb_fixture_connect(&fixture), *other = smb_fixture_connect(&fixture);
    smb_file file;

    (void)state;
    make(connection, u"held", 0, 0);
    make(connection, u"free", 0, 0);
    assert_int_equal(smb_do_create(other, u"held", FILE_READ_DATA, SHARE_BOTH, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_int_equal(do_delete(connection, u"held", FALSE), STATUS_SHARING_VIOLATION);
    assert_int_equal(do_rename(connection, u"held", u"moved", FALSE), STATUS_SHARING_VIOLATION);
    assert_int_equal(do_rename(connection, u"free", u"held", TRUE), STATUS_ACCESS_DENIED);
    assert_int_equal(smb_do_close(other, file), STATUS_SUCCESS);
    assert_int_equal(mark_of(connection, u"held"), 'h');
    assert_int_equal(mark_of(connection, u"free"), 'f');
    /* An open for attributes is in nobody's way. */
    assert_int_equal(smb_do_create(other, u"held", FILE_READ_ATTRIBUTES, 0, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_int_equal(do_rename(connection, u"held", u"moved", FALSE), STATUS_SUCCESS);
    assert_int_equal(do_delete(connection, u"moved", FALSE), STATUS_SUCCESS);
    assert_int_equal(smb_do_close(other, file), STATUS_SUCCESS);
    assert_int_equal(kind_of(connection, u"moved"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(do_delete(connection, u"free", FALSE), STATUS_SUCCESS);
    smb_disconnect(connection);
    smb_disconnect(other);
}

/* The server is there again for what follows the first question, and must not be asked what was not answered. */
static void test_a_session_killed_under_a_rename_destroys_nothing(void **state)
{
    struct wired wired;
    struct smb_pending held = {.request = {.op = SMB_RENAME, .path = smb_path(u"source")}};

    (void)state;
    if (on_mem())
        skip();
    connect_wired(&wired);
    make(wired.connection, u"source", 0, 0);
    make(wired.connection, u"target", 0, 0);
    held.request.in.rename.target = smb_path(u"target");
    smb_fixture_pause(&fixture);
    smb_pending_submit(wired.connection, &held);
    await_request(&wired);
    smbserver_signal(fixture.server, SMBSERVER_KILL_SESSIONS);
    assert_int_equal(smb_pending_wait(&held), STATUS_CONNECTION_DISCONNECTED);
    assert_int_equal(mark_of(wired.connection, u"source"), 's');
    assert_int_equal(mark_of(wired.connection, u"target"), 't');
    assert_int_equal(do_delete(wired.connection, u"source", FALSE), STATUS_SUCCESS);
    assert_int_equal(do_delete(wired.connection, u"target", FALSE), STATUS_SUCCESS);
    disconnect_wired(&wired);
}

/* smbd has two words for it, and which one it says depends on the dialect and the request. */
static bool is_refusal(NTSTATUS status)
{
    return status == STATUS_ACCESS_DENIED || (!on_mem() && status == STATUS_MEDIA_WRITE_PROTECTED);
}

static void test_a_read_only_share_keeps_its_files(void **state)
{
    struct smb_target target = fixture.target;
    struct smb_connection *connection;

    (void)state;
    target.share = "ro";
    assert_int_equal(smb_connect(fixture.backend, &target, &connection), STATUS_SUCCESS);
    assert_true(is_refusal(do_delete(connection, u"f.txt", FALSE)));
    assert_true(is_refusal(do_delete(connection, u"list\\sub", TRUE)));
    assert_true(is_refusal(do_rename(connection, u"f.txt", u"g.txt", FALSE)));
    assert_int_equal(kind_of(connection, u"f.txt"), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_read_gives_what_was_written),
    cmocka_unit_test(test_access_limits_what_a_file_is_good_for),
    cmocka_unit_test(test_query_tells_size_kind_and_time),
    cmocka_unit_test(test_listing_gives_every_entry_once),
    cmocka_unit_test(test_a_listing_goes_on_when_what_it_gave_is_gone),
    cmocka_unit_test(test_names_arrive_as_they_are),
    cmocka_unit_test(test_a_name_of_32000_characters_is_only_not_there),
    cmocka_unit_test(test_delete_table),
    cmocka_unit_test(test_rename_table),
    cmocka_unit_test(test_to_delete_a_file_asks_for_little),
    cmocka_unit_test(test_a_name_in_other_case_is_no_collision),
    cmocka_unit_test(test_an_open_file_is_neither_deleted_nor_renamed),
    cmocka_unit_test(test_a_session_killed_under_a_rename_destroys_nothing),
    cmocka_unit_test(test_a_read_only_share_keeps_its_files),
};

const struct contract_group contract_files = {"files", tests, sizeof tests / sizeof *tests};
