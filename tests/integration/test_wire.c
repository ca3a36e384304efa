/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire from a client's side: connecting, every operation over the socket and through a slot alike, and several
 * threads at once.
 */
#include "daemon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/channel.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    struct daemon daemon;
    struct way ways[2]; /* over the socket, through a slot */
    uint32_t handles;
};

static void begin(struct fixture *fixture, const char *const *arguments)
{
    fixture->handles = 0;
    daemon_start(&fixture->daemon, arguments);
    fixture->ways[0] = (struct way){daemon_connect(&fixture->daemon, 1), NULL};
    fixture->ways[1] = fixture->ways[0];
    assert_int_equal(wire_line_open(fixture->ways[0].client, &fixture->ways[1].line), 0);
}

static void begin_mapped(struct fixture *fixture)
{
    begin(fixture, NULL);
    assert_status(way_map(&fixture->ways[0], LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    fixture->handles = way_machine(&fixture->ways[0]).handles;
}

static void end(struct fixture *fixture)
{
    await_machine(&fixture->ways[0], 1, 0);
    if (fixture->handles)
        assert_int_equal(way_machine(&fixture->ways[0]).handles, fixture->handles);
    wire_line_close(fixture->ways[1].line);
    wire_disconnect(fixture->ways[0].client);
    assert_int_equal(daemon_stop(&fixture->daemon), 0);
}

/* ---- connecting ---- */

static void expect_no_connection(const char *folder, int code, const char *words)
{
    struct wire_client *client = (struct wire_client *)(void *)&client;
    char error[256] = "";

    assert_int_equal(wire_connect(folder, NULL, &client, error, sizeof(error)), code);
    assert_ptr_equal(client, &client); /* left alone */
    if (!strstr(error, words))
        fail_msg("\"%s\" does not say \"%s\"", error, words);
}

static void test_where_no_machine_lives_the_error_says_so(void **state)
{
    struct fixture fixture;
    struct daemon dead;

    unsetenv("RDRLAB_MACHINE");
    expect_no_connection(NULL, -ENOENT, "RDRLAB_MACHINE");
    expect_no_connection("/nonexistent/folder", -ENOENT, "no machine");
    expect_no_connection("/dev/null", -ENOENT, "no machine");
    expect_no_connection("/dev/shm", -ENOENT, "no machine");
    begin(&fixture, NULL);
    wire_line_close(fixture.ways[1].line);
    wire_disconnect(fixture.ways[0].client);
    dead = fixture.daemon;
    kill(dead.pid, SIGKILL);
    waitid(P_PID, (id_t)dead.pid, NULL, WEXITED | WNOWAIT);
    expect_no_connection(dead.folder, -ECONNREFUSED, "is gone");
    daemon_kill(&dead);
}

static void test_the_environment_names_the_machine(void **state)
{
    struct wire_client *client = NULL;
    struct fixture fixture;

    begin(&fixture, NULL);
    setenv("RDRLAB_MACHINE", fixture.daemon.folder, 1);
    assert_int_equal(wire_connect(NULL, NULL, &client, NULL, 0), 0);
    unsetenv("RDRLAB_MACHINE");
    assert_string_equal(wire_welcome_of(client)->build, "nt4-sp6");
    assert_int_equal(wire_welcome_of(client)->machine_pid, fixture.daemon.pid);
    wire_disconnect(client);
    end(&fixture);
}

static void test_the_folder_is_private_and_the_socket_too(void **state)
{
    struct fixture fixture;
    struct stat status;
    char path[160];

    begin(&fixture, NULL);
    assert_int_equal(stat(fixture.daemon.folder, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    snprintf(path, sizeof(path), "%s/socket", fixture.daemon.folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    snprintf(path, sizeof(path), "%s/attach/0", fixture.daemon.folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    end(&fixture);
}

static void test_a_machine_that_dies_fails_the_call_in_progress_and_later_ones(void **state)
{
    static struct wire_reply reply;
    struct fixture fixture;

    begin(&fixture, NULL);
    kill(fixture.daemon.pid, SIGKILL);
    assert_int_equal(way_call(&fixture.ways[1], WIRE_MACHINE, NULL, 0, NULL, 0, &reply), -ECONNRESET);
    assert_int_equal(way_call(&fixture.ways[0], WIRE_MACHINE, NULL, 0, NULL, 0, &reply), -ECONNRESET);
    wire_line_close(fixture.ways[1].line);
    wire_disconnect(fixture.ways[0].client);
    daemon_kill(&fixture.daemon);
}

/* ---- letters and accounts ---- */

static void expect_connection(const struct way *way, uint32_t letter, NTSTATUS status, const WCHAR *remote)
{
    static struct wire_reply reply;
    struct wire_letter request = {letter, 0};
    struct wire_done done;

    assert_int_equal(way_call(way, WIRE_GET_CONNECTION, &request, sizeof(request), NULL, 0, &reply), 0);
    assert_status((NTSTATUS)reply.status, status);
    if (status != STATUS_SUCCESS) {
        assert_int_equal(reply.length, 0);
        return;
    }
    memcpy(&done, reply.body, sizeof(done));
    assert_int_equal(done.information, utf16_bytes(remote));
    assert_int_equal(reply.length, sizeof(done) + done.information);
    assert_memory_equal(reply.body + sizeof(done), remote, done.information);
}

static void test_letters_are_mapped_and_every_region_shows_them(void **state)
{
    struct wire_client *other;
    struct fixture fixture;
    struct way *way;

    begin(&fixture, NULL);
    other = daemon_connect(&fixture.daemon, 1);
    for (int i = 0; i < 2; i++) {
        way = &fixture.ways[i];
        expect_connection(way, LETTER_X, STATUS_OBJECT_NAME_NOT_FOUND, NULL);
        assert_status(way_map(way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
        assert_int_equal(wire_letters(other), 1u << LETTER_X);
        assert_status(way_map(way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_OBJECT_NAME_COLLISION);
        assert_status(way_map(way, LETTER_X - 1, u"\\\\mem\\other", NULL, NULL), STATUS_BAD_NETWORK_NAME);
        assert_status(way_map(way, LETTER_X - 1, u"\\\\nowhere\\lab", NULL, NULL), STATUS_BAD_NETWORK_PATH);
        expect_connection(way, LETTER_X, STATUS_SUCCESS, u"\\\\mem\\lab");
        assert_int_equal(wire_letters(other), 1u << LETTER_X);
        assert_status(way_unmap(way, LETTER_X, 0), STATUS_SUCCESS);
        assert_int_equal(wire_letters(other), 0);
    }
    wire_disconnect(other);
    end(&fixture);
}

static void test_a_letter_in_use_stays_unless_forced(void **state)
{
    struct opening opening = {u"\\??\\X:\\probe.txt", GENERIC_READ, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
    struct fixture fixture;
    uint64_t token;

    begin(&fixture, NULL);
    assert_status(way_map(&fixture.ways[0], LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    assert_status(way_open(&fixture.ways[0], &opening, &token), STATUS_SUCCESS);
    assert_status(way_unmap(&fixture.ways[0], LETTER_X, 0), STATUS_FILES_OPEN);
    assert_status(way_unmap(&fixture.ways[0], LETTER_X, 1), STATUS_SUCCESS);
    assert_status(way_close(&fixture.ways[0], token), STATUS_SUCCESS);
    end(&fixture);
}

static void test_the_machines_account_stands_in_for_what_a_client_leaves_out(void **state)
{
    static const struct {
        const WCHAR *user, *password;
        NTSTATUS status;
    } table[] = {
        {NULL, NULL, STATUS_SUCCESS},
        {u"lab", NULL, STATUS_SUCCESS},
        {u"lab", u"s3cret \u00e4", STATUS_SUCCESS},
        {NULL, u"s3cret \u00e4", STATUS_SUCCESS},
        {u"lab", u"wrong", STATUS_LOGON_FAILURE},
        {u"lab", u"", STATUS_LOGON_FAILURE},
        {NULL, u"wrong", STATUS_LOGON_FAILURE},
        {u"other", NULL, STATUS_LOGON_FAILURE},
    };
    char path[] = "/tmp/rdrlab-password-XXXXXX";
    const char *arguments[] = {"--user", "lab", "--password-file", path, NULL};
    struct fixture fixture;
    int fd = mkstemp(path);
    NTSTATUS status;

    assert_int_equal(write(fd, "s3cret \xc3\xa4\n", 10), 10);
    close(fd);
    begin(&fixture, arguments);
    unlink(path);
    for (size_t row = 0; row < COUNT(table); row++) {
        status = way_map(&fixture.ways[row % 2], 3, u"\\\\mem\\lab", table[row].user, table[row].password);
        if (status != table[row].status)
            fail_msg("row %zu: status 0x%08X", row, (unsigned)status);
        if (status == STATUS_SUCCESS)
            assert_status(way_unmap(&fixture.ways[0], 3, 0), STATUS_SUCCESS);
    }
    end(&fixture);
}

/* ---- files ---- */

static NTSTATUS ask(const struct way *way, uint16_t op, const void *fixed, size_t size, struct wire_reply *reply)
{
    int result = way_call(way, op, fixed, size, NULL, 0, reply);

    if (result != 0)
        fail_msg("operation %u: %s", op, strerror(-result));
    return (NTSTATUS)reply->status;
}

static uint64_t information_of(const struct wire_reply *reply)
{
    struct wire_done done;

    assert_true(reply->length >= sizeof(done));
    memcpy(&done, reply->body, sizeof(done));
    return done.information;
}

static const unsigned char *bytes_of(const struct wire_reply *reply)
{
    return reply->body + sizeof(struct wire_done);
}

static void use_a_file(const struct way *way, const WCHAR *name)
{
    static struct wire_reply reply;
    struct opening opening = {name,
                              GENERIC_READ | GENERIC_WRITE | DELETE | SYNCHRONIZE,
                              7,
                              FILE_CREATE,
                              FILE_SYNCHRONOUS_IO_NONALERT,
                              WITHOUT_FILE,
                              0,
                              0,
                              NULL};
    struct wire_io io = {.offset = 0};
    struct wire_information query = {.information_class = FileStandardInformation, .length = 24};
    struct wire_token flush;
    FILE_STANDARD_INFORMATION standard;
    uint64_t token;

    assert_status(way_open(way, &opening, &token), STATUS_SUCCESS);
    io.token = query.token = flush.token = token;
    io.length = 5;
    assert_int_equal(way_call(way, WIRE_WRITE, &io, sizeof(io), "hello", 5, &reply), 0);
    assert_status((NTSTATUS)reply.status, STATUS_SUCCESS);
    assert_int_equal(information_of(&reply), 5);
    assert_int_equal(reply.length, sizeof(struct wire_done));
    io.offset = WIRE_OFFSET_APPEND;
    assert_int_equal(way_call(way, WIRE_WRITE, &io, sizeof(io), "world", 5, &reply), 0);
    assert_status((NTSTATUS)reply.status, STATUS_SUCCESS);
    assert_status(ask(way, WIRE_FLUSH, &flush, sizeof(flush), &reply), STATUS_SUCCESS);
    io.offset = 3;
    io.length = 100;
    assert_status(ask(way, WIRE_READ, &io, sizeof(io), &reply), STATUS_SUCCESS);
    assert_int_equal(information_of(&reply), 7);
    assert_memory_equal(bytes_of(&reply), "loworld", 7);
    io.offset = WIRE_OFFSET_CURRENT;
    assert_status(ask(way, WIRE_READ, &io, sizeof(io), &reply), STATUS_END_OF_FILE);
    assert_int_equal(reply.length, 0);
    assert_status(ask(way, WIRE_QUERY_FILE, &query, sizeof(query), &reply), STATUS_SUCCESS);
    assert_int_equal(information_of(&reply), sizeof(standard));
    memcpy(&standard, bytes_of(&reply), sizeof(standard));
    assert_int_equal(standard.EndOfFile.QuadPart, 10);
    query.length = 4;
    assert_status(ask(way, WIRE_QUERY_FILE, &query, sizeof(query), &reply), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(way_close(way, token), STATUS_SUCCESS);
}

static void test_a_file_is_written_and_read_both_ways(void **state)
{
    struct fixture fixture;

    begin_mapped(&fixture);
    use_a_file(&fixture.ways[0], u"\\??\\X:\\by-socket.txt");
    use_a_file(&fixture.ways[1], u"\\??\\X:\\by-slot.txt");
    end(&fixture);
}

/* Of a token that may be mapped so; a lock of another token's does not hold. */
static void use_pages(const struct way *way, ACCESS_MASK access, NTSTATUS writing)
{
    static struct wire_reply reply;
    struct opening opening = {u"\\??\\X:\\probe.txt", access, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
    struct wire_range lock = {.length = 4, .flags = WIRE_LOCK_EXCLUSIVE};
    struct wire_io io = {.length = 2};

    assert_status(way_open(way, &opening, &io.token), STATUS_SUCCESS);
    assert_status(way_open(way, &opening, &lock.token), STATUS_SUCCESS);
    assert_status(ask(way, WIRE_LOCK, &lock, sizeof(lock), &reply), STATUS_SUCCESS);
    assert_status(ask(way, WIRE_READ, &io, sizeof(io), &reply), STATUS_FILE_LOCK_CONFLICT);
    assert_status(ask(way, WIRE_READ_PAGES, &io, sizeof(io), &reply), STATUS_SUCCESS);
    assert_int_equal(information_of(&reply), 2);
    assert_memory_equal(bytes_of(&reply), "rd", 2);
    assert_int_equal(way_call(way, WIRE_WRITE_PAGES, &io, sizeof(io), "rd", 2, &reply), 0);
    assert_status((NTSTATUS)reply.status, writing);
    assert_int_equal(reply.length, writing == STATUS_SUCCESS ? sizeof(struct wire_done) : 0);
    assert_status(way_close(way, lock.token), STATUS_SUCCESS);
    assert_status(way_close(way, io.token), STATUS_SUCCESS);
}

static void test_pages_go_past_locks_as_far_as_a_mapping_would(void **state)
{
    struct fixture fixture;

    begin_mapped(&fixture);
    for (int i = 0; i < 2; i++) {
        use_pages(&fixture.ways[i], FILE_READ_DATA | FILE_WRITE_DATA, STATUS_SUCCESS);
        use_pages(&fixture.ways[i], FILE_READ_DATA, STATUS_ACCESS_DENIED);
    }
    end(&fixture);
}

static NTSTATUS cut_off(const struct way *way, uint64_t token)
{
    static struct wire_reply reply;
    struct wire_information set = {token, FileEndOfFileInformation, sizeof(int64_t)};
    int64_t nothing = 0;

    assert_int_equal(way_call(way, WIRE_SET_FILE, &set, sizeof(set), &nothing, sizeof(nothing), &reply), 0);
    return (NTSTATUS)reply.status;
}

/* A section's token is no file's, and nobody can name anything by it. */
static void misuse_section(const struct way *way, uint64_t section)
{
    static struct wire_reply reply;
    struct opening below = {u"f", GENERIC_READ, 7, FILE_OPEN, 0, WITHOUT_FILE, section, 0, NULL};
    struct wire_create_section again = {section, 0, PAGE_READONLY, SEC_COMMIT, 1, 0};
    struct wire_io io = {.token = section, .length = 2};
    uint64_t token;

    assert_status(ask(way, WIRE_READ, &io, sizeof(io), &reply), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(ask(way, WIRE_READ_PAGES, &io, sizeof(io), &reply), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(cut_off(way, section), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(ask(way, WIRE_CREATE_SECTION, &again, sizeof(again), &reply), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(way_open(way, &below, &token), STATUS_OBJECT_TYPE_MISMATCH);
}

static uint64_t make_section(const struct way *way, uint64_t file)
{
    static struct wire_reply reply;
    struct wire_create_section create = {file, 0, PAGE_READONLY, SEC_COMMIT, 1, 0};
    struct wire_token section;

    assert_status(ask(way, WIRE_CREATE_SECTION, &create, sizeof(create), &reply), STATUS_SUCCESS);
    assert_int_equal(reply.length, sizeof(section));
    memcpy(&section, reply.body, sizeof(section));
    return section.token;
}

static void use_section(const struct way *way)
{
    static struct wire_reply reply;
    struct opening opening = {
        u"\\??\\X:\\probe.txt", GENERIC_READ | GENERIC_WRITE, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
    uint64_t file, section;

    assert_status(way_open(way, &opening, &file), STATUS_SUCCESS);
    section = make_section(way, file);
    assert_status(cut_off(way, file), STATUS_USER_MAPPED_FILE);
    misuse_section(way, section);
    assert_status(way_close(way, file), STATUS_SUCCESS);
    opening.disposition = FILE_OVERWRITE;
    assert_status(way_open(way, &opening, &file), STATUS_USER_MAPPED_FILE);
    assert_status(way_close(way, section), STATUS_SUCCESS);
    opening.disposition = FILE_OPEN;
    assert_status(way_open(way, &opening, &file), STATUS_SUCCESS);
    section = make_section(way, file);
    assert_status(ask(way, WIRE_END_SECTIONS, NULL, 0, &reply), STATUS_SUCCESS);
    assert_status(cut_off(way, file), STATUS_SUCCESS);
    assert_status(way_close(way, section), STATUS_SUCCESS);
    assert_status(way_close(way, file), STATUS_SUCCESS);
}

static void test_a_section_keeps_its_file_as_it_is(void **state)
{
    struct fixture fixture;

    for (int i = 0; i < 2; i++) {
        begin_mapped(&fixture);
        use_section(&fixture.ways[i]);
        end(&fixture);
    }
}

static void test_the_largest_transfer_fits(void **state)
{
    static unsigned char data[WIRE_DATA_MAX];
    static struct wire_reply reply;
    struct opening opening = {
        u"\\??\\X:\\large.bin", GENERIC_READ | GENERIC_WRITE, 7, FILE_CREATE, 0, WITHOUT_FILE, 0, 0, NULL};
    struct wire_io io = {.length = WIRE_DATA_MAX};
    struct fixture fixture;

    begin_mapped(&fixture);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    assert_status(way_open(&fixture.ways[0], &opening, &io.token), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(way_call(&fixture.ways[i], WIRE_WRITE, &io, sizeof(io), data, sizeof(data), &reply), 0);
        assert_status((NTSTATUS)reply.status, STATUS_SUCCESS);
        assert_int_equal(information_of(&reply), sizeof(data));
        assert_status(ask(&fixture.ways[i], WIRE_READ, &io, sizeof(io), &reply), STATUS_SUCCESS);
        assert_int_equal(information_of(&reply), sizeof(data));
        assert_memory_equal(bytes_of(&reply), data, sizeof(data));
    }
    assert_status(way_close(&fixture.ways[0], io.token), STATUS_SUCCESS);
    end(&fixture);
}

static NTSTATUS transfer(const struct way *way, uint16_t op, const void *fixed, size_t size, const unsigned char *data,
                         size_t bytes, struct wire_reply *reply)
{
    assert_int_equal(way_call(way, op, fixed, size, data, bytes, reply), 0);
    return (NTSTATUS)reply->status;
}

/* Written at an offset and to the end, and read, each in one request of the machine's. */
static void use_parts(const struct way *way, const WCHAR *name)
{
    enum { LENGTH = 2 * WIRE_DATA_MAX + 1000 };
    static unsigned char data[LENGTH];
    static struct wire_reply reply;
    struct opening opening = {name, GENERIC_READ | GENERIC_WRITE, 7, FILE_CREATE, 0, WITHOUT_FILE, 0, 0, NULL};
    struct wire_io io = {.length = LENGTH};
    struct wire_part part = {.length = LENGTH};

    for (size_t i = 0; i < LENGTH; i++)
        data[i] = (unsigned char)(i * 7 + i / 253);
    assert_status(way_open(way, &opening, &io.token), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        for (part.offset = 0; part.offset < 2 * WIRE_DATA_MAX; part.offset += WIRE_DATA_MAX)
            assert_status(transfer(way, WIRE_PUT_PART, &part, sizeof(part), data + part.offset, WIRE_DATA_MAX, &reply),
                          STATUS_SUCCESS);
        io.offset = i ? WIRE_OFFSET_APPEND : 0;
        assert_status(transfer(way, WIRE_WRITE, &io, sizeof(io), data + part.offset, 1000, &reply), STATUS_SUCCESS);
        assert_int_equal(information_of(&reply), LENGTH);
        assert_int_equal(reply.length, sizeof(struct wire_done));
    }
    io.offset = LENGTH + 1000;
    assert_status(ask(way, WIRE_READ, &io, sizeof(io), &reply), STATUS_SUCCESS);
    assert_int_equal(information_of(&reply), LENGTH - 1000);
    assert_int_equal(reply.length, sizeof(struct wire_done) + WIRE_DATA_MAX);
    assert_memory_equal(bytes_of(&reply), data + 1000, WIRE_DATA_MAX);
    part = (struct wire_part){WIRE_DATA_MAX, LENGTH - 1000};
    assert_status(ask(way, WIRE_GET_PART, &part, sizeof(part), &reply), STATUS_SUCCESS);
    assert_int_equal(information_of(&reply), WIRE_DATA_MAX);
    assert_memory_equal(bytes_of(&reply), data + 1000 + WIRE_DATA_MAX, WIRE_DATA_MAX);
    assert_status(ask(way, WIRE_GET_PART, &part, sizeof(part), &reply), STATUS_INVALID_PARAMETER); /* once */
    io.offset = 2 * LENGTH - 70000;
    assert_status(ask(way, WIRE_READ, &io, sizeof(io), &reply), STATUS_SUCCESS);
    part = (struct wire_part){WIRE_DATA_MAX, 70000};
    assert_status(ask(way, WIRE_GET_PART, &part, sizeof(part), &reply), STATUS_SUCCESS);
    assert_int_equal(information_of(&reply), 70000 - WIRE_DATA_MAX);
    assert_memory_equal(bytes_of(&reply), data + LENGTH - 70000 + WIRE_DATA_MAX, 70000 - WIRE_DATA_MAX);
    part.offset = 70000;
    assert_status(ask(way, WIRE_GET_PART, &part, sizeof(part), &reply), STATUS_INVALID_PARAMETER); /* that was all */
    io.offset = 2 * LENGTH;
    assert_status(ask(way, WIRE_READ, &io, sizeof(io), &reply), STATUS_END_OF_FILE);
    assert_status(way_close(way, io.token), STATUS_SUCCESS);
}

static void test_a_transfer_of_many_messages_is_one_request(void **state)
{
    struct fixture fixture;

    begin_mapped(&fixture);
    use_parts(&fixture.ways[0], u"\\??\\X:\\parts-by-socket.bin");
    use_parts(&fixture.ways[1], u"\\??\\X:\\parts-by-slot.bin");
    end(&fixture);
}

/* As much as is asked for is kept room for, and given back, however little there is to read. */
static void test_large_reads_of_a_small_file_take_no_room_away(void **state)
{
    struct opening opening = {
        u"\\??\\X:\\small.bin", GENERIC_READ | GENERIC_WRITE, 7, FILE_CREATE, 0, WITHOUT_FILE, 0, 0, NULL};
    struct wire_io io = {.length = 5};
    static struct wire_reply reply;
    struct fixture fixture;

    begin_mapped(&fixture);
    assert_status(way_open(&fixture.ways[0], &opening, &io.token), STATUS_SUCCESS);
    assert_status(transfer(&fixture.ways[0], WIRE_WRITE, &io, sizeof(io), (const unsigned char *)"small", 5, &reply),
                  STATUS_SUCCESS);
    io.length = WIRE_TRANSFER_MAX;
    for (unsigned i = 0; i < 2 * (1u << 30) / WIRE_TRANSFER_MAX; i++) { /* twice what all clients may have at a time */
        assert_status(ask(&fixture.ways[i % 2], WIRE_READ, &io, sizeof(io), &reply), STATUS_SUCCESS);
        assert_int_equal(information_of(&reply), 5);
    }
    assert_status(way_close(&fixture.ways[0], io.token), STATUS_SUCCESS);
    end(&fixture);
}

static void test_a_spare_token_takes_the_next_file(void **state)
{
    struct fixture fixture;
    const struct way *way = &fixture.ways[0];
    uint64_t offered = 0, second = 0, token, other;
    struct opening opening = {.name = u"\\??\\X:\\missing",
                              .access = GENERIC_READ | SYNCHRONIZE,
                              .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              .disposition = FILE_OPEN,
                              .options = FILE_SYNCHRONOUS_IO_NONALERT,
                              .offered = &offered};
    int file;

    begin_mapped(&fixture);
    assert_status(way_open(way, &opening, &token), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_not_equal(offered, 0); /* with every status */
    file = token_open(way->client, offered);
    await_machine(way, 1, 0); /* a spare is no open file */
    opening.name = u"\\??\\X:\\probe.txt";
    opening.spare = offered;
    opening.offered = &second;
    assert_status(way_open(way, &opening, &token), STATUS_SUCCESS);
    assert_int_equal(token, offered);
    assert_int_not_equal(second, 0);
    await_machine(way, 1, 1);

    /* Taken, invented, and closed spares are passed over. */
    opening.offered = NULL;
    assert_status(way_open(way, &opening, &other), STATUS_SUCCESS);
    assert_int_not_equal(other, token);
    assert_status(way_close(way, other), STATUS_SUCCESS);
    opening.spare = 0x123456789abcdefu;
    assert_status(way_open(way, &opening, &other), STATUS_SUCCESS);
    assert_status(way_close(way, other), STATUS_SUCCESS);
    close(token_open(way->client, second));
    await_machine(way, 1, 1);
    opening.spare = second;
    assert_status(way_open(way, &opening, &other), STATUS_SUCCESS);
    assert_int_not_equal(other, second);
    assert_status(way_close(way, other), STATUS_SUCCESS);

    close(file);
    await_machine(way, 1, 0);
    end(&fixture);
}

static void test_a_client_that_throws_its_spares_away_gets_no_more(void **state)
{
    struct fixture fixture;
    const struct way *way = &fixture.ways[0];
    uint64_t offered, token;
    struct opening opening = {.name = u"\\??\\X:\\missing",
                              .access = GENERIC_READ | SYNCHRONIZE,
                              .disposition = FILE_OPEN,
                              .options = FILE_SYNCHRONOUS_IO_NONALERT,
                              .offered = &offered};
    unsigned offers = 0;

    begin_mapped(&fixture);
    for (int i = 0; i < 200; i++) {
        assert_status(way_open(way, &opening, &token), STATUS_OBJECT_NAME_NOT_FOUND);
        offers += offered != 0;
    }
    assert_int_equal(offers, 64);
    end(&fixture);
}

static void test_names_relative_to_an_open_folder_are_found(void **state)
{
    struct opening folder = {u"\\??\\X:\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, FILE_DIRECTORY_FILE, WITHOUT_FILE, 0, 0,
                             NULL};
    struct opening file = {u"probe.txt", GENERIC_READ, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
    struct fixture fixture;
    uint64_t root, token;

    begin_mapped(&fixture);
    assert_status(way_open(&fixture.ways[0], &folder, &root), STATUS_SUCCESS);
    file.root = root;
    assert_status(way_open(&fixture.ways[1], &file, &token), STATUS_SUCCESS);
    assert_status(way_close(&fixture.ways[1], token), STATUS_SUCCESS);
    assert_status(way_close(&fixture.ways[0], root), STATUS_SUCCESS);
    assert_status(way_open(&fixture.ways[1], &file, &token), STATUS_INVALID_HANDLE);
    end(&fixture);
}

/* A UNC name and a letter lead to one file: what the one has closed, the other may open. */
static void test_a_unc_name_and_a_letter_are_one_share(void **state)
{
    struct opening alone = {u"\\??\\UNC\\mem\\lab\\probe.txt", GENERIC_READ, 0, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
    struct fixture fixture;
    uint64_t token, other = 77;
    int file;

    begin_mapped(&fixture);
    for (int i = 0; i < 2; i++) {
        const struct way *way = &fixture.ways[i], *another = &fixture.ways[1 - i];
        assert_status(way_open(way, &alone, &token), STATUS_SUCCESS);
        assert_status(way_open_read(another, u"\\??\\X:\\probe.txt", &other), STATUS_SHARING_VIOLATION);
        assert_status(way_open_read(another, u"\\??\\unc\\MEM\\lab\\probe.txt", &other), STATUS_SHARING_VIOLATION);
        assert_status(way_close(way, token), STATUS_SUCCESS);
        for (int j = 0; j < 50; j++) {
            assert_status(way_open_read(way, u"\\??\\UNC\\mem\\lab\\probe.txt", &token), STATUS_SUCCESS);
            file = token_open(way->client, token);
            assert_true(file >= 0);
            close(file);
            alone.name = u"\\??\\X:\\probe.txt";
            assert_status(way_open(another, &alone, &other), STATUS_SUCCESS);
            alone.name = u"\\??\\UNC\\mem\\lab\\probe.txt";
            assert_status(way_close(another, other), STATUS_SUCCESS);
        }
    }
    end(&fixture);
}

static void test_attributes_come_without_an_open_file(void **state)
{
    static const WCHAR name[] = u"\\??\\X:\\probe.txt";
    static struct wire_reply reply;
    struct wire_query_attributes request = {.object_flags = OBJ_CASE_INSENSITIVE,
                                            .name_length = sizeof(name) - sizeof(WCHAR)};
    struct wire_attributes attributes;
    struct fixture fixture;

    begin_mapped(&fixture);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(way_call(&fixture.ways[i], WIRE_QUERY_ATTRIBUTES, &request, sizeof(request), name,
                                  request.name_length, &reply),
                         0);
        assert_status((NTSTATUS)reply.status, STATUS_SUCCESS);
        assert_int_equal(reply.length, sizeof(attributes));
        memcpy(&attributes, reply.body, sizeof(attributes));
        assert_int_equal(attributes.end_of_file, 13);
        assert_int_equal(attributes.attributes & FILE_ATTRIBUTE_DIRECTORY, 0);
    }
    end(&fixture);
}

static void test_a_folder_lists_what_is_in_it(void **state)
{
    static struct wire_reply reply;
    struct opening folder = {u"\\??\\X:\\", FILE_LIST_DIRECTORY | SYNCHRONIZE, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0,
                             NULL};
    struct wire_query_directory query = {
        .information_class = FileNamesInformation, .length = 4096, .flags = WIRE_RESTART_SCAN, .pattern_length = 10};
    FILE_NAMES_INFORMATION found;
    struct fixture fixture;

    begin_mapped(&fixture);
    folder.options = FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT;
    assert_status(way_open(&fixture.ways[0], &folder, &query.token), STATUS_SUCCESS);
    assert_int_equal(way_call(&fixture.ways[1], WIRE_QUERY_DIRECTORY, &query, sizeof(query), u"pro*t", 10, &reply), 0);
    assert_status((NTSTATUS)reply.status, STATUS_SUCCESS);
    memcpy(&found, bytes_of(&reply), sizeof(found));
    assert_int_equal(found.NextEntryOffset, 0);
    assert_int_equal(found.FileNameLength, 18);
    assert_memory_equal(bytes_of(&reply) + offsetof(FILE_NAMES_INFORMATION, FileName), u"probe.txt", 18);
    query.flags = 0;
    query.pattern_length = 0;
    assert_status(ask(&fixture.ways[1], WIRE_QUERY_DIRECTORY, &query, sizeof(query), &reply), STATUS_NO_MORE_FILES);
    assert_int_equal(information_of(&reply), 0);
    assert_status(way_close(&fixture.ways[0], query.token), STATUS_SUCCESS);
    end(&fixture);
}

/* ---- the machine about itself ---- */

static NTSTATUS query_system(const struct way *way, uint32_t class, uint32_t length, uint32_t pointer_size,
                             struct wire_reply *reply)
{
    struct wire_query_system request = {class, length, pointer_size, 0};

    return ask(way, WIRE_QUERY_SYSTEM, &request, sizeof(request), reply);
}

static void test_pool_tags_read_the_same_in_both_word_sizes(void **state)
{
    static struct wire_reply wide, narrow;
    struct fixture fixture;
    uint32_t count, narrow_count, left[8], right[7];
    uint64_t used;

    begin_mapped(&fixture);
    for (int i = 0; i < 2; i++) {
        assert_status(query_system(&fixture.ways[i], 22, 65536, 8, &wide), STATUS_SUCCESS);
        assert_status(query_system(&fixture.ways[i], 22, 65536, 4, &narrow), STATUS_SUCCESS);
        memcpy(&count, bytes_of(&wide), 4);
        memcpy(&narrow_count, bytes_of(&narrow), 4);
        assert_true(count > 0);
        assert_int_equal(count, narrow_count);
        assert_int_equal(information_of(&wide), 8 + 40 * count);
        assert_int_equal(information_of(&narrow), 4 + 28 * count);
        for (uint32_t tag = 0; tag < count; tag++) {
            memcpy(left, bytes_of(&wide) + 8 + 40 * tag, 16);
            memcpy(&used, bytes_of(&wide) + 8 + 40 * tag + 16, 8);
            memcpy(right, bytes_of(&narrow) + 4 + 28 * tag, 28);
            assert_memory_equal(left, right, 12);
            assert_int_equal(used, right[3]);
        }
        /* A byte too few, and exactly enough */
        assert_status(query_system(&fixture.ways[i], 22, 4 + 28 * count - 1, 4, &narrow), STATUS_INFO_LENGTH_MISMATCH);
        assert_int_equal(information_of(&narrow), 4 + 28 * count);
        assert_int_equal(narrow.length, sizeof(struct wire_done));
        assert_status(query_system(&fixture.ways[i], 22, 4 + 28 * count, 4, &narrow), STATUS_SUCCESS);
        assert_status(query_system(&fixture.ways[i], 22, 8 + 40 * count - 1, 8, &wide), STATUS_INFO_LENGTH_MISMATCH);
        assert_int_equal(information_of(&wide), 8 + 40 * count);
    }
    end(&fixture);
}

static void test_pool_pages_are_the_machines(void **state)
{
    static struct wire_reply reply;
    struct fixture fixture;
    struct wire_machine machine;
    uint32_t pages;

    begin_mapped(&fixture);
    for (uint32_t size = 4; size <= 8; size += 4) {
        assert_status(query_system(&fixture.ways[0], 2, 1024, size, &reply), STATUS_SUCCESS);
        machine = way_machine(&fixture.ways[0]);
        memcpy(&pages, bytes_of(&reply) + offsetof(SYSTEM_PERFORMANCE_INFORMATION, PagedPoolUsage), 4);
        assert_int_equal(pages, machine.paged.pages);
        assert_status(query_system(&fixture.ways[0], 2, 8, size, &reply), STATUS_INFO_LENGTH_MISMATCH);
        assert_true(information_of(&reply) >= 312);
    }
    end(&fixture);
}

static void test_the_machine_counts_creates_and_events(void **state)
{
    static struct wire_reply reply;
    struct wire_machine before, after;
    struct fixture fixture;
    uint64_t token;

    begin_mapped(&fixture);
    before = way_machine(&fixture.ways[1]);
    assert_string_equal(before.build, "nt4-sp6");
    assert_non_null(strstr(before.transport, "memory"));
    assert_status(way_open_read(&fixture.ways[0], u"\\??\\X:\\a|b", &token), STATUS_OBJECT_NAME_INVALID);
    after = way_machine(&fixture.ways[0]);
    assert_int_equal(after.creates, before.creates + 1);
    assert_int_equal(after.failed_creates, before.failed_creates + 1);
    assert_int_equal(after.paged.live_bytes, before.paged.live_bytes);
    assert_int_equal(after.clients, 1 + daemon_uses_relays());
    assert_int_equal(after.stopped, 0);

    assert_status(ask(&fixture.ways[0], WIRE_EVENTS, NULL, 0, &reply), STATUS_SUCCESS);
    assert_int_equal(information_of(&reply) % sizeof(struct wire_event), 0);
    end(&fixture);
}

static struct wire_pool_site site_at(const struct wire_reply *reply, size_t index)
{
    struct wire_pool_site site;

    assert_true((index + 1) * sizeof(site) <= information_of(reply));
    memcpy(&site, bytes_of(reply) + index * sizeof(site), sizeof(site));
    return site;
}

static void test_pool_sites_come_part_by_part_and_end(void **state)
{
    static struct wire_reply whole, rest;
    struct wire_pool_key after = {0};
    struct fixture fixture;
    size_t count;

    begin_mapped(&fixture);
    assert_int_equal(way_call(&fixture.ways[1], WIRE_POOL_SITES, &after, sizeof(after), NULL, 0, &whole), 0);
    assert_int_equal(information_of(&whole) % sizeof(struct wire_pool_site), 0);
    count = information_of(&whole) / sizeof(struct wire_pool_site);
    assert_true(count > 3);
    /* Behind each row's key there is what followed it. */
    for (size_t i = 0; i < count; i++) {
        struct wire_pool_site site = site_at(&whole, i);

        assert_true(site.file[0] != '\0' && site.line > 0 && site.key.site != 0);
        assert_true(site.use.block_bytes >= site.use.live_bytes && site.use.peak_bytes >= site.use.live_bytes);
        assert_int_equal(site.stacks, 0);
        assert_int_equal(way_call(&fixture.ways[0], WIRE_POOL_SITES, &site.key, sizeof(site.key), NULL, 0, &rest), 0);
        assert_int_equal(information_of(&rest), (count - i - 1) * sizeof(site));
        if (i + 1 < count) {
            struct wire_pool_site next = site_at(&whole, i + 1), first = site_at(&rest, 0);

            assert_memory_equal(&first.key, &next.key, sizeof(next.key));
        }
    }
    end(&fixture);
}

static void test_stacks_are_told_where_they_are_kept(void **state)
{
    static const char *const arguments[] = {"--stacks", NULL};
    static struct wire_reply reply;
    struct wire_pool_stacks request = {0};
    struct wire_pool_stack stack;
    struct wire_pool_site site;
    struct daemon daemon;
    struct way way = {0};
    uint64_t live = 0;

    daemon_start(&daemon, arguments);
    way.client = daemon_connect(&daemon, 0);
    assert_int_equal(way_call(&way, WIRE_POOL_SITES, &request.key, sizeof(request.key), NULL, 0, &reply), 0);
    site = site_at(&reply, 0);
    assert_true(site.stacks > 0);
    request.key = site.key;
    assert_int_equal(way_call(&way, WIRE_POOL_STACKS, &request, sizeof(request), NULL, 0, &reply), 0);
    assert_int_equal(information_of(&reply), site.stacks * sizeof(stack));
    for (uint32_t i = 0; i < site.stacks; i++) {
        memcpy(&stack, bytes_of(&reply) + i * sizeof(stack), sizeof(stack));
        assert_true(stack.stack > request.stack && stack.depth > 1 && stack.depth <= WIRE_STACK_FRAMES);
        /* The innermost frame is the function that the site is in, or what that was inlined into. */
        assert_non_null(strstr(stack.frames[0].text, "(rdrlabd)"));
        request.stack = stack.stack;
        live += stack.use.live_bytes;
    }
    assert_int_equal(live, site.use.live_bytes);
    assert_int_equal(way_call(&way, WIRE_POOL_STACKS, &request, sizeof(request), NULL, 0, &reply), 0);
    assert_int_equal(information_of(&reply), 0);
    request.key.site++;
    assert_int_equal(way_call(&way, WIRE_POOL_STACKS, &request, sizeof(request), NULL, 0, &reply), 0);
    assert_int_equal(information_of(&reply), 0);
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&daemon), 0);
}

/* ---- several threads ---- */

struct worker {
    pthread_t thread;
    struct way way;
    int sharing_violations, opens, failures;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct opening opening = {u"\\??\\X:\\probe.txt", GENERIC_READ, 7, FILE_OPEN, 0, 0, 0, 0, NULL};
    uint64_t token;
    int fd;

    if (wire_line_open(worker->way.client, &worker->way.line) != 0)
        return NULL;
    for (int i = 0; i < 500; i++) {
        opening.no_token_file = i % 2;
        if (way_open(&worker->way, &opening, &token) != STATUS_SUCCESS) {
            worker->failures++;
            continue;
        }
        worker->opens++;
        if (opening.no_token_file)
            worker->failures += way_close(&worker->way, token) != STATUS_SUCCESS;
        else {
            fd = token_open(worker->way.client, token);
            close(fd);
        }
        worker->failures += way_open_read(&worker->way, u"\\??\\X:\\a|b", &token) != STATUS_OBJECT_NAME_INVALID;
    }
    wire_line_close(worker->way.line);
    return NULL;
}

static void test_threads_share_a_connection_each_on_its_line(void **state)
{
    struct worker workers[6] = {0};
    struct fixture fixture;

    begin_mapped(&fixture);
    for (size_t i = 0; i < COUNT(workers); i++) {
        workers[i].way.client = fixture.ways[0].client;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].opens, 500);
        assert_int_equal(workers[i].failures, 0);
    }
    end(&fixture);
}

static void test_there_are_64_lines_and_each_can_be_had_again(void **state)
{
    struct wire_line *lines[WIRE_SLOT_COUNT] = {NULL}, *extra = NULL;
    struct fixture fixture;

    begin(&fixture, NULL);
    for (unsigned i = 1; i < WIRE_SLOT_COUNT; i++)
        assert_int_equal(wire_line_open(fixture.ways[0].client, &lines[i]), 0);
    assert_int_equal(wire_line_open(fixture.ways[0].client, &extra), -EBUSY);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i < WIRE_SLOT_COUNT; i++) {
            struct way way = {fixture.ways[0].client, lines[i]};
            way_machine(&way);
            wire_line_close(lines[i]);
            assert_int_equal(wire_line_open(fixture.ways[0].client, &lines[i]), 0);
        }
    }
    for (unsigned i = 1; i < WIRE_SLOT_COUNT; i++)
        wire_line_close(lines[i]);
    end(&fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_no_machine_lives_the_error_says_so),
        cmocka_unit_test(test_the_environment_names_the_machine),
        cmocka_unit_test(test_the_folder_is_private_and_the_socket_too),
        cmocka_unit_test(test_a_machine_that_dies_fails_the_call_in_progress_and_later_ones),
        cmocka_unit_test(test_letters_are_mapped_and_every_region_shows_them),
        cmocka_unit_test(test_a_letter_in_use_stays_unless_forced),
        cmocka_unit_test(test_the_machines_account_stands_in_for_what_a_client_leaves_out),
        cmocka_unit_test(test_a_file_is_written_and_read_both_ways),
        cmocka_unit_test(test_pages_go_past_locks_as_far_as_a_mapping_would),
        cmocka_unit_test(test_a_section_keeps_its_file_as_it_is),
        cmocka_unit_test(test_the_largest_transfer_fits),
        cmocka_unit_test(test_a_transfer_of_many_messages_is_one_request),
        cmocka_unit_test(test_large_reads_of_a_small_file_take_no_room_away),
        cmocka_unit_test(test_a_spare_token_takes_the_next_file),
        cmocka_unit_test(test_a_client_that_throws_its_spares_away_gets_no_more),
        cmocka_unit_test(test_names_relative_to_an_open_folder_are_found),
        cmocka_unit_test(test_a_unc_name_and_a_letter_are_one_share),
        cmocka_unit_test(test_attributes_come_without_an_open_file),
        cmocka_unit_test(test_a_folder_lists_what_is_in_it),
        cmocka_unit_test(test_pool_tags_read_the_same_in_both_word_sizes),
        cmocka_unit_test(test_pool_pages_are_the_machines),
        cmocka_unit_test(test_the_machine_counts_creates_and_events),
        cmocka_unit_test(test_pool_sites_come_part_by_part_and_end),
        cmocka_unit_test(test_stacks_are_told_where_they_are_kept),
        cmocka_unit_test(test_threads_share_a_connection_each_on_its_line),
        cmocka_unit_test(test_there_are_64_lines_and_each_can_be_had_again),
    };

    return daemon_main(argc, argv, tests, COUNT(tests), 0);
}
