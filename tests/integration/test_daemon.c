/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rdrlabd against everything its clients and its user can do to it: wrong options and folders, other versions, garbage,
 * deaths at every point. Whatever happened, the machine then still serves, has kept no client, token or handle, and
 * shuts down clean.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire/native.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    struct daemon daemon;
    struct way way; /* an observer over the socket */
    struct wire_machine before;
};

static void begin(struct fixture *fixture, const char *const *arguments)
{
    daemon_start(&fixture->daemon, arguments);
    fixture->way = (struct way){daemon_connect(&fixture->daemon, 1), NULL};
    assert_status(way_map(&fixture->way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    fixture->before = way_machine(&fixture->way);
}

/* The last assertion of each test: nothing left, in the machine and of it. */
static void end(struct fixture *fixture)
{
    await_machine(&fixture->way, 1, 0);
    assert_int_equal(way_machine(&fixture->way).handles, fixture->before.handles);
    wire_disconnect(fixture->way.client);
    assert_int_equal(daemon_stop(&fixture->daemon), 0);
}

/* ---- options and folders ------------------------------------------------------------------------------------------
 */

static void test_wrong_options_are_refused_in_one_line_that_names_them(void **state)
{
    static const struct {
        const char *arguments[7];
        const char *named;
    } table[] = {
        {{NULL}, "--dir"},
        {{"--dir", ""}, "--dir"},
        {{"--dir"}, "--dir"},
        {{"--nonsense"}, "--nonsense"},
        {{"-x"}, "-x"},
        {{"--dir", "/tmp/x", "word"}, "word"},
        {{"--build", "nt4-sp9", "--dir", "FRESH", "--backend", "mem"}, "nt4-sp9"},
        {{"--build", ""}, "--build"},
        {{"--defect", "Q1"}, "--defect Q1"},
        {{"--defect", "235425=on"}, "--defect"},
        {{"--defect", "Q=on"}, "--defect"},
        {{"--defect", "Q235425=maybe"}, "--defect"},
        {{"--defect", "Q99999999=on", "--dir", "FRESH", "--backend", "mem"}, "Q99999999"},
        {{"--server", "lab"}, "--server"},
        {{"--server", "=host:1"}, "--server"},
        {{"--server", "lab="}, "--server"},
        {{"--server", "lab=host:0"}, "--server"},
        {{"--server", "lab=host:65536"}, "--server"},
        {{"--server", "lab=host:-1"}, "--server"},
        {{"--server", "lab=host:4x"}, "--server"},
        {{"--server", "lab=[::1:445"}, "--server"},
        {{"--server", "a\\b=host:1"}, "--server"},
        {{"--dialect", "SMB4"}, "--dialect"},
        {{"--timeout", "0"}, "--timeout"},
        {{"--timeout", "-1"}, "--timeout"},
        {{"--timeout", "nan"}, "--timeout"},
        {{"--timeout", "5s"}, "--timeout"},
        {{"--timeout", "1e9"}, "--timeout"},
        {{"--paged-limit", ""}, "--paged-limit"},
        {{"--paged-limit", "-1"}, "--paged-limit"},
        {{"--paged-limit", "64Q"}, "--paged-limit"},
        {{"--paged-limit", "64MB"}, "--paged-limit"},
        {{"--paged-limit", "1"}, "--paged-limit"},
        {{"--paged-limit", "99999999999999999999"}, "--paged-limit"},
        {{"--paged-limit", "18014398509481984K"}, "--paged-limit"},
        {{"--backend", "nfs"}, "--backend"},
        {{"--provider", "nobody"}, "--provider"},
        {{"--worker", "/nonexistent/worker"}, "--worker"},
        {{"--user", ""}, "--user"},
        {{"--user", "\xff\xfe", "--dir", "FRESH", "--backend", "mem"}, "--user"},
        {{"--password-file", "/nonexistent/file"}, "--password-file"},
        {{"--password-file", "/"}, "--password-file"},
        {{"--password-file", "/dev/zero"}, "--password-file"},
        {{"--dir", "/tmp/x", "--password-file", "/dev/null"}, "--user"},
        {{"--ready-fd", "x"}, "--ready-fd"},
        {{"--ready-fd", "999"}, "--ready-fd"},
        {{"--ready-fd", "-1"}, "--ready-fd"},
        {{"--report", "/nonexistent/report"}, "--report"},
    };
    char output[2048], parent[] = "/tmp/rdrlab-test-XXXXXX", fresh[64];

    assert_non_null(mkdtemp(parent));
    snprintf(fresh, sizeof(fresh), "%s/machine", parent);
    for (size_t row = 0; row < COUNT(table); row++) {
        const char *arguments[8] = {NULL};
        int status;

        for (int i = 0; i < 7 && table[row].arguments[i]; i++)
            arguments[i] = strcmp(table[row].arguments[i], "FRESH") == 0 ? fresh : table[row].arguments[i];
        status = daemon_run(arguments, output, sizeof(output));
        if (status != 2 && !(status == 1 && strcmp(table[row].named, "--user") == 0))
            fail_msg("row %zu: exit status %d: %s", row, status, output);
        if (!strstr(output, table[row].named) || strchr(output, '\n') != output + strlen(output) - 1)
            fail_msg("row %zu: \"%s\" is not one line with %s in it", row, output, table[row].named);
        if (access(fresh, F_OK) == 0)
            fail_msg("row %zu: the folder was left behind", row);
    }
    assert_int_equal(rmdir(parent), 0);
}

static void test_folder_must_be_private_and_vacant(void **state)
{
    static const char *const needles[] = {"0700", "0700", "Not a directory", "No such file", "longer"};
    const char *arguments[] = {"--backend", "mem", "--dir", NULL, NULL};
    char parent[] = "/tmp/rdrlab-test-XXXXXX", paths[5][300], output[2048];
    int status;

    assert_non_null(mkdtemp(parent));
    snprintf(paths[0], sizeof(paths[0]), "%s/open", parent);
    assert_int_equal(mkdir(paths[0], 0700) | chmod(paths[0], 0755), 0);
    snprintf(paths[1], sizeof(paths[1]), "%s/sticky", parent);
    assert_int_equal(mkdir(paths[1], 0700) | chmod(paths[1], 01700), 0);
    snprintf(paths[2], sizeof(paths[2]), "%s/file", parent);
    close(open(paths[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
    snprintf(paths[3], sizeof(paths[3]), "%s/missing/machine", parent);
    snprintf(paths[4], sizeof(paths[4]), "%s/%0200d", parent, 0);
    for (size_t row = 0; row < COUNT(paths); row++) {
        arguments[3] = paths[row];
        status = daemon_run(arguments, output, sizeof(output));
        if (status != 1 || !strstr(output, needles[row]))
            fail_msg("row %zu: exit status %d: %s", row, status, output);
    }
    if (geteuid() == 0) {
        assert_int_equal(chmod(paths[0], 0700) | chown(paths[0], 65534, 65534), 0);
        arguments[3] = paths[0];
        assert_int_equal(daemon_run(arguments, output, sizeof(output)), 1);
        assert_non_null(strstr(output, "belongs to user 65534"));
    }
    assert_int_equal(rmdir(paths[0]) | rmdir(paths[1]) | unlink(paths[2]), 0);
    assert_int_equal(rmdir(parent), 0);
}

static void test_a_live_machine_keeps_its_folder_and_a_killed_one_does_not(void **state)
{
    const char *arguments[] = {"--backend", "mem", "--dir", NULL, NULL};
    struct fixture fixture;
    struct daemon second;
    char output[2048];

    begin(&fixture, NULL);
    arguments[3] = fixture.daemon.folder;
    assert_int_equal(daemon_run(arguments, output, sizeof(output)), 1);
    assert_non_null(strstr(output, "lives in it already"));
    way_machine(&fixture.way);

    kill(fixture.daemon.pid, SIGKILL);
    waitpid(fixture.daemon.pid, NULL, 0);
    wire_disconnect(fixture.way.client);
    second = fixture.daemon;
    second.pid = fork();
    if (second.pid == 0) {
        execl(RDRLABD, RDRLABD, "--backend", "mem", "--die-with-parent", "--dir", second.folder, NULL);
        _exit(127);
    }
    fixture.way.client = NULL;
    for (int i = 0; i < 2000 && !fixture.way.client; i++) {
        usleep(5000);
        wire_connect(second.folder, NULL, &fixture.way.client, NULL, 0);
    }
    assert_non_null(fixture.way.client);
    wire_disconnect(fixture.way.client);
    assert_int_equal(kill(second.pid, SIGTERM), 0);
    assert_int_equal(waitpid(second.pid, NULL, 0), second.pid);
    /* It had not made the folder, so it leaves it, empty. */
    assert_int_equal(rmdir(second.folder), 0);
    second.pid = fixture.daemon.pid;
    daemon_kill(&second);
}

static struct wire_client *join_session(const struct fixture *fixture, uint32_t session)
{
    const struct wire_options options = {.program = "test", .session = session, .region = 1};
    struct wire_client *client;
    char error[512];

    if (wire_connect(fixture->daemon.folder, &options, &client, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return client;
}

static void test_each_session_of_a_terminal_server_has_its_own_letters(void **state)
{
    static const char *const arguments[] = {"--build", "tse-sp5", NULL};
    static const struct wire_options too_high = {.session = WIRE_SESSION_MOST + 1}, one = {.session = 1};
    struct wire_client *client = NULL;
    struct fixture fixture;
    struct way first = {0}, second = {0};
    uint64_t token;
    char error[512];

    begin(&fixture, arguments);
    if (daemon_uses_relays()) {
        assert_int_equal(wire_connect(fixture.daemon.folder, &one, &client, error, sizeof(error)), -EOPNOTSUPP);
        end(&fixture);
        return;
    }
    first.client = join_session(&fixture, 1);
    second.client = join_session(&fixture, 2);
    assert_int_equal(wire_letters(first.client), 0);
    assert_status(way_open_read(&first, u"\\??\\X:\\f.txt", &token), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(way_map(&first, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(wire_letters(first.client), 1u << LETTER_X);
    assert_int_equal(wire_letters(second.client), 0);
    assert_status(way_unmap(&second, LETTER_X, 1), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(way_unmap(&fixture.way, LETTER_X, 0), STATUS_SUCCESS);
    assert_int_equal(wire_letters(fixture.way.client), 0);
    assert_int_equal(wire_letters(first.client), 1u << LETTER_X);
    wire_disconnect(second.client);
    assert_int_not_equal(wire_connect(fixture.daemon.folder, &too_high, &client, error, sizeof(error)), 0);
    /* The letter outlives its session's programs. */
    wire_disconnect(first.client);
    await_machine(&fixture.way, 1, 0);
    first.client = join_session(&fixture, 1);
    assert_int_equal(wire_letters(first.client), 1u << LETTER_X);
    assert_status(way_unmap(&first, LETTER_X, 0), STATUS_SUCCESS);
    wire_disconnect(first.client);
    assert_status(way_map(&fixture.way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    end(&fixture);
}

static void test_a_workstation_has_no_sessions(void **state)
{
    static const struct wire_options one = {.session = 1};
    struct wire_client *client = NULL;
    struct fixture fixture;
    char error[512];

    begin(&fixture, NULL);
    assert_int_equal(wire_connect(fixture.daemon.folder, &one, &client, error, sizeof(error)), -EOPNOTSUPP);
    assert_non_null(strstr(error, "no session 1"));
    end(&fixture);
}

static void test_two_machines_live_side_by_side(void **state)
{
    static const char *const builds[2][3] = {{"--build", "nt4-sp5", NULL}, {"--build", "tse-sp6", NULL}};
    struct fixture fixtures[2];

    for (int i = 0; i < 2; i++)
        begin(&fixtures[i], builds[i]);
    for (int i = 0; i < 2; i++)
        assert_string_equal(way_machine(&fixtures[i].way).build, builds[i][1]);
    assert_status(way_unmap(&fixtures[0].way, LETTER_X, 0), STATUS_SUCCESS);
    assert_int_equal(wire_letters(fixtures[0].way.client), 0);
    assert_int_equal(wire_letters(fixtures[1].way.client), 1u << LETTER_X);
    assert_status(way_map(&fixtures[0].way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++)
        end(&fixtures[i]);
}

/* ---- hello --------------------------------------------------------------------------------------------------------
 */

static int raw_connect(const struct daemon *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 20};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", daemon->folder);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

struct hello_message {
    struct wire_header header;
    struct wire_hello hello;
};

static struct hello_message good_hello(void)
{
    struct hello_message message = {.header = {WIRE_MAGIC, WIRE_VERSION, WIRE_HELLO, sizeof(message), 0}};

    strcpy(message.hello.program, "raw");
    return message;
}

/* Says hello, expects a status; with an error, the machine hangs up after it. */
static void expect_hello(const struct daemon *daemon, const void *message, size_t size, NTSTATUS status)
{
    struct wire_header header = {0};
    unsigned char reply[1024];
    int fd = raw_connect(daemon);

    assert_int_equal(send(fd, message, size, MSG_NOSIGNAL), size);
    assert_true(recv(fd, reply, sizeof(reply), 0) >= (ssize_t)sizeof(header));
    memcpy(&header, reply, sizeof(header));
    assert_int_equal(header.magic, WIRE_MAGIC);
    assert_int_equal(header.version, WIRE_VERSION);
    assert_int_equal(header.status, (uint32_t)status);
    if (status != STATUS_SUCCESS)
        assert_true(recv(fd, reply, sizeof(reply), 0) <= 0);
    close(fd);
}

static void test_hello_is_checked(void **state)
{
    struct hello_message message;
    struct fixture fixture;

    begin(&fixture, NULL);
    message = good_hello();
    expect_hello(&fixture.daemon, &message, sizeof(message), STATUS_SUCCESS);
    message.header.version = WIRE_VERSION + 1;
    expect_hello(&fixture.daemon, &message, sizeof(message), STATUS_REVISION_MISMATCH);
    message = good_hello();
    message.header.op = WIRE_MACHINE;
    expect_hello(&fixture.daemon, &message, sizeof(message), STATUS_INVALID_DEVICE_STATE);
    message = good_hello();
    message.hello.wants_region = 2;
    expect_hello(&fixture.daemon, &message, sizeof(message), STATUS_INVALID_PARAMETER);
    message = good_hello();
    message.header.length--;
    expect_hello(&fixture.daemon, &message, sizeof(message), STATUS_INVALID_PARAMETER);
    message = good_hello();
    memset(message.hello.program, 'p', sizeof(message.hello.program)); /* no terminator */
    expect_hello(&fixture.daemon, &message, sizeof(message), STATUS_SUCCESS);
    end(&fixture);
}

static void test_a_client_too_many_is_told_so(void **state)
{
    struct wire_client *clients[128] = {NULL}, *extra = NULL;
    struct fixture fixture;
    char error[256];
    int count = 0;

    begin(&fixture, NULL);
    while (count < 127)
        clients[count++] = daemon_connect(&fixture.daemon, 0);
    assert_int_equal(wire_connect(fixture.daemon.folder, NULL, &extra, error, sizeof(error)), -EUSERS);
    assert_null(extra);
    way_machine(&fixture.way);
    while (count > 0)
        wire_disconnect(clients[--count]);
    end(&fixture);
}

/* ---- garbage ------------------------------------------------------------------------------------------------------
 */

static void expect_hang_up(int fd)
{
    unsigned char reply[WIRE_MESSAGE_MAX];
    struct timeval patience = {.tv_sec = 20};
    ssize_t got;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    got = recv(fd, reply, sizeof(reply), 0);
    if (got > 0 || (got < 0 && errno != ECONNRESET))
        fail_msg("no hang-up, but %zd (%s)", got, strerror(errno));
}

static int greeted(const struct daemon *daemon)
{
    struct hello_message message = good_hello();
    unsigned char reply[1024];
    int fd = raw_connect(daemon);

    assert_int_equal(send(fd, &message, sizeof(message), MSG_NOSIGNAL), sizeof(message));
    assert_true(recv(fd, reply, sizeof(reply), 0) > 0);
    return fd;
}

static void test_a_message_without_sense_is_hung_up_on(void **state)
{
    static unsigned char huge[WIRE_MESSAGE_MAX + 100];
    static const struct {
        size_t size;
        struct wire_header header;
    } table[] = {
        {0, {0}},
        {1, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 1, 0}},
        {15, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 15, 0}},
        {16, {WIRE_MAGIC ^ 1, WIRE_VERSION, WIRE_MACHINE, 16, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION + 1, WIRE_MACHINE, 16, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 0, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 15, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 17, 0}},
        {17, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 16, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 0xffffffff, 0}},
        {sizeof(huge), {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, sizeof(huge), 0}},
        {WIRE_MESSAGE_MAX + 1, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, WIRE_MESSAGE_MAX + 1, 0}},
        /* WIRE_ATTACH_SLOT, which has no reply to complain in: no region; too short; no such slot */
        {24, {WIRE_MAGIC, WIRE_VERSION, WIRE_ATTACH_SLOT, 24, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_ATTACH_SLOT, 16, 0}},
    };
    struct fixture fixture;
    int fd;

    begin(&fixture, NULL);
    for (size_t row = 0; row < COUNT(table); row++) {
        for (int greet = 0; greet < 2; greet++) {
            fd = greet ? greeted(&fixture.daemon) : raw_connect(&fixture.daemon);
            memcpy(huge, &table[row].header, sizeof(table[row].header));
            assert_int_equal(send(fd, huge, table[row].size, MSG_NOSIGNAL), table[row].size);
            /* Before the hello, what has the right magic is answered first. */
            if (greet)
                expect_hang_up(fd);
            close(fd);
        }
        way_machine(&fixture.way);
    }
    end(&fixture);
}

static void test_an_odd_request_gets_an_error_and_no_hang_up(void **state)
{
    static unsigned char bytes[WIRE_DATA_MAX];
    static const struct {
        uint16_t op;
        uint32_t fixed[16]; /* as words */
        size_t fixed_size, data_size;
        NTSTATUS status;
    } table[] = {
        {0, {0}, 0, 0, STATUS_INVALID_DEVICE_REQUEST},
        {WIRE_OP_LIMIT, {0}, 0, 0, STATUS_INVALID_DEVICE_REQUEST},
        {0xffff, {0}, 0, 100, STATUS_INVALID_DEVICE_REQUEST},
        {WIRE_HELLO, {0}, sizeof(struct wire_hello), 0, STATUS_INVALID_DEVICE_REQUEST},
        {WIRE_CREATE, {0}, 0, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0}, 63, 0, STATUS_INVALID_PARAMETER},
        /* root, allocation, flags, access, attributes, share, disposition, options, name_length, no_token_file,
         * spare, want_spare */
        {WIRE_CREATE, {0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 7, 0}, 64, 7, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 8, 0}, 64, 6, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 8, 0}, 64, 10, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 0xfffffff8, 0}, 64, 8, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 65536, 0}, 64, 65536, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0, 0xffffffff, 0, 0, 0, 1, 0, 8, 0}, 64, 8, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0x80000000, 0x40, 0, 0, 0, 1, 0, 8, 0}, 64, 8, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 8, 2}, 64, 8, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 8, 0, 0, 0, 2}, 64, 8, STATUS_INVALID_PARAMETER},
        {WIRE_CREATE, {77, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 8, 0}, 64, 8, STATUS_INVALID_HANDLE},
        {WIRE_CLOSE, {0, 0}, 8, 0, STATUS_INVALID_HANDLE},
        {WIRE_CLOSE, {0xffffffff, 0xffffffff}, 8, 0, STATUS_INVALID_HANDLE},
        {WIRE_CLOSE, {0, 0}, 8, 1, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_ATTRIBUTES, {0, 0, 0x40, 9}, 16, 9, STATUS_INVALID_PARAMETER},
        {WIRE_READ, {1, 0, 0, 0, 0, 0}, 24, 0, STATUS_INVALID_HANDLE},
        {WIRE_READ, {1, 0, 0, 0, 65537, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_READ, {1, 0, 0, 0, 8, 0}, 24, 8, STATUS_INVALID_PARAMETER},
        {WIRE_READ, {1, 0, 0xffffffff, 0xffffffff, 8, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_WRITE, {1, 0, 0, 0, 8, 0}, 24, 7, STATUS_INVALID_PARAMETER},
        {WIRE_WRITE, {1, 0, 0, 0x80000000, 8, 0}, 24, 8, STATUS_INVALID_PARAMETER},
        {WIRE_FLUSH, {9, 9}, 8, 0, STATUS_INVALID_HANDLE},
        {WIRE_QUERY_FILE, {9, 9, 5, 0xffffffff}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_SET_FILE, {9, 9, 5, 8}, 16, 9, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_VOLUME, {9, 9, 5, 8}, 16, 0, STATUS_INVALID_HANDLE},
        {WIRE_QUERY_DIRECTORY, {9, 9, 3, 64, 0, 3}, 24, 3, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_DIRECTORY, {9, 9, 3, 64, 4, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_SYSTEM, {2, 65537, 8, 0}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_SYSTEM, {2, 312, 5, 0}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_SYSTEM, {5, 312, 8, 0}, 16, 0, STATUS_INVALID_INFO_CLASS},
        {WIRE_QUERY_SYSTEM, {0xffffffff, 312, 8, 0}, 16, 0, STATUS_INVALID_INFO_CLASS},
        /* letter, remote, user, password, has_password */
        {WIRE_ADD_CONNECTION, {26, 0, 0, 0, 0, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_ADD_CONNECTION, {0xffffffff, 0, 0, 0, 0, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_ADD_CONNECTION, {3, 0x80000000, 0x80000000, 0, 0, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_ADD_CONNECTION, {3, 7, 1, 0, 0, 0}, 24, 8, STATUS_INVALID_PARAMETER},
        {WIRE_ADD_CONNECTION, {3, 0, 0, 8, 0, 0}, 24, 8, STATUS_INVALID_PARAMETER},
        {WIRE_ADD_CONNECTION, {3, 0, 0, 0, 2, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_ADD_CONNECTION, {3, 0, 0, 0, 0, 0}, 24, 0, STATUS_BAD_NETWORK_PATH},
        {WIRE_ADD_CONNECTION, {3, 0, 0, 0, 0, 2}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_ADD_CONNECTION, {LETTER_X, 8, 0, 0, 0, 0}, 24, 8, STATUS_BAD_NETWORK_PATH},
        {WIRE_CANCEL_CONNECTION, {26, 0}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CANCEL_CONNECTION, {3, 0}, 8, 0, STATUS_OBJECT_NAME_NOT_FOUND},
        {WIRE_CANCEL_CONNECTION, {3, 3}, 8, 0, STATUS_OBJECT_NAME_NOT_FOUND},
        {WIRE_CANCEL_CONNECTION, {3, 4}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_GET_CONNECTION, {26, 0}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_GET_CONNECTION, {3, 0}, 8, 0, STATUS_OBJECT_NAME_NOT_FOUND},
        {WIRE_MACHINE, {0}, 0, 1, STATUS_INVALID_PARAMETER},
        {WIRE_POOL_SITES, {0}, 0, 0, STATUS_INVALID_PARAMETER},
        {WIRE_POOL_SITES, {0}, 15, 0, STATUS_INVALID_PARAMETER},
        {WIRE_POOL_SITES, {0}, 16, 1, STATUS_INVALID_PARAMETER},
        {WIRE_POOL_STACKS, {0}, 23, 0, STATUS_INVALID_PARAMETER},
        {WIRE_POOL_STACKS, {0}, 24, 1, STATUS_INVALID_PARAMETER},
        {WIRE_EVENTS, {0}, 0, 1, STATUS_INVALID_PARAMETER},
        {WIRE_VERIFIER, {1, 0}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_VERIFIER, {0xffffffff, 0}, 8, 8, STATUS_INVALID_PARAMETER},
        {WIRE_CRASH, {0, 0}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CRASH, {0xe2, 0}, 8, 1, STATUS_INVALID_PARAMETER},
        {WIRE_FOLLOW, {0}, 15, 0, STATUS_INVALID_PARAMETER},
        {WIRE_FOLLOW, {0}, 16, 1, STATUS_INVALID_PARAMETER},
        {WIRE_FOLLOW, {0, 0, 8, 0}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_FOLLOW, {0, 0, 0, 1}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_LOCK, {0}, 31, 0, STATUS_INVALID_PARAMETER},
        {WIRE_LOCK, {9, 9, 0, 0, 1, 0, 0, 4}, 32, 0, STATUS_INVALID_PARAMETER},
        {WIRE_LOCK, {9, 9, 0, 0, 1, 0, 0, 3}, 32, 1, STATUS_INVALID_PARAMETER},
        {WIRE_LOCK, {9, 9, 0, 0, 1, 0, 0, 3}, 32, 0, STATUS_INVALID_HANDLE},
        {WIRE_CONTROL, {0}, 23, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CONTROL, {9, 9, 0x900a8, 8, 0, 0}, 24, 7, STATUS_INVALID_PARAMETER},
        {WIRE_CONTROL, {9, 9, 0x900a8, 0, 65537, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CONTROL, {9, 9, 0x900a8, 0, 0, 2}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CONTROL, {9, 9, 0x100004, 0, 0, 0}, 24, 0, STATUS_INVALID_DEVICE_REQUEST}, /* MUP's */
        {WIRE_CONTROL, {9, 9, 0x900a8, 8, 65536, 0}, 24, 8, STATUS_INVALID_HANDLE},
        {WIRE_QUERY_EA, {0}, 23, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_EA, {9, 9, 8, 8, 0, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_EA, {9, 9, 65537, 0, 0, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_EA, {9, 9, 8, 0, 0, 8}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_EA, {9, 9, 8, 0, 0, 7}, 24, 0, STATUS_INVALID_HANDLE},
        {WIRE_SET_EA, {9, 9, 1, 8}, 16, 8, STATUS_INVALID_PARAMETER},
        {WIRE_SET_EA, {9, 9, 0, 8}, 16, 9, STATUS_INVALID_PARAMETER},
        {WIRE_SET_EA, {9, 9, 0, 8}, 16, 8, STATUS_INVALID_HANDLE},
        {WIRE_QUERY_SECURITY, {9, 9, 7, 65537}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_SECURITY, {9, 9, 7, 8}, 16, 1, STATUS_INVALID_PARAMETER},
        {WIRE_QUERY_SECURITY, {9, 9, 7, 8}, 16, 0, STATUS_INVALID_HANDLE},
        {WIRE_SET_SECURITY, {9, 9, 4, 8}, 16, 7, STATUS_INVALID_PARAMETER},
        {WIRE_SET_SECURITY, {9, 9, 4, 8}, 16, 8, STATUS_INVALID_HANDLE},
        {WIRE_SET_VOLUME, {9, 9, 2, 8}, 16, 9, STATUS_INVALID_PARAMETER},
        {WIRE_SET_VOLUME, {9, 9, 2, 8}, 16, 8, STATUS_INVALID_HANDLE},
        {WIRE_UNLOCK, {0}, 31, 0, STATUS_INVALID_PARAMETER},
        {WIRE_UNLOCK, {9, 9, 0, 0, 1, 0, 0, 1}, 32, 0, STATUS_INVALID_PARAMETER},
        {WIRE_UNLOCK, {9, 9, 0, 0, 1, 0, 0, 0}, 32, 0, STATUS_INVALID_HANDLE},
        {WIRE_NOTIFY, {0}, 23, 0, STATUS_INVALID_PARAMETER},
        {WIRE_NOTIFY, {9, 9, 65537, 1, 0, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_NOTIFY, {9, 9, 64, 1, 4, 0}, 24, 0, STATUS_INVALID_PARAMETER},
        {WIRE_NOTIFY, {9, 9, 64, 1, 1, 0}, 24, 1, STATUS_INVALID_PARAMETER},
        {WIRE_NOTIFY, {9, 9, 64, 1, 1, 0}, 24, 0, STATUS_INVALID_HANDLE},
        {WIRE_LOST_HANDLES, {0}, 0, 1, STATUS_INVALID_PARAMETER},
        {WIRE_LOST_HANDLES, {0}, 0, 0, STATUS_SUCCESS},
        {WIRE_CANCEL, {0}, 7, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CANCEL, {0, 0}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CANCEL, {1, 1}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CANCEL, {1, 0}, 8, 0, STATUS_NOT_FOUND},
        {WIRE_CLOCK, {0}, 15, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CLOCK, {WIRE_CLOCK_ASK}, 16, 1, STATUS_INVALID_PARAMETER},
        {WIRE_CLOCK, {3}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CLOCK, {WIRE_CLOCK_ASK, 1}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CLOCK, {WIRE_CLOCK_ASK, 0, 1}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CLOCK, {WIRE_CLOCK_ADVANCE, 0, 0, 0xffffffff}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_CLOCK, {WIRE_CLOCK_ADVANCE, 0, 0, 0x7fffffff}, 16, 0, STATUS_INVALID_PARAMETER},
        {WIRE_LIST_CONNECTIONS, {0}, 7, 0, STATUS_INVALID_PARAMETER},
        {WIRE_LIST_CONNECTIONS, {0}, 8, 1, STATUS_INVALID_PARAMETER},
        {WIRE_LIST_CONNECTIONS, {0, 1}, 8, 0, STATUS_INVALID_PARAMETER},
        {WIRE_LIST_CONNECTIONS, {0xffffffff, 0}, 8, 0, STATUS_SUCCESS},
    };
    static struct wire_reply reply;
    struct fixture fixture;
    struct way ways[2];

    begin(&fixture, NULL);
    ways[0] = ways[1] = fixture.way;
    assert_int_equal(wire_line_open(fixture.way.client, &ways[1].line), 0);
    for (size_t row = 0; row < COUNT(table); row++) {
        for (int way = 0; way < 2; way++) {
            int result = way_call(&ways[way], table[row].op, table[row].fixed, table[row].fixed_size, bytes,
                                  table[row].data_size, &reply);
            if (result != 0 || reply.status != (uint32_t)table[row].status)
                fail_msg("row %zu, way %d: result %d, status 0x%08X and not 0x%08X", row, way, result, reply.status,
                         (unsigned)table[row].status);
        }
    }
    wire_line_close(ways[1].line);
    end(&fixture);
}

/* In parts as well, and with the files that a client has open. */
static void test_letters_are_listed(void **state)
{
    static struct wire_reply reply;
    const struct wire_add_connection remembered = {.letter = 1, .remote_length = 18, .remember = 1};
    struct wire_list_connections request = {0};
    struct wire_connection row[2];
    struct fixture fixture;
    uint64_t token;

    begin(&fixture, NULL);
    assert_status(way_map(&fixture.way, 1, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    assert_status(way_open_read(&fixture.way, u"\\??\\X:\\probe.txt", &token), STATUS_SUCCESS);
    assert_int_equal(wire_call(fixture.way.client, WIRE_LIST_CONNECTIONS, &request, 8, NULL, 0, &reply), 0);
    assert_int_equal(reply.length, sizeof(struct wire_done) + 2 * (sizeof(row[0]) + 24));
    memcpy(&row[0], reply.body + sizeof(struct wire_done), sizeof(row[0]));
    memcpy(&row[1], reply.body + sizeof(struct wire_done) + row[0].length, sizeof(row[1]));
    assert_int_equal(row[0].letter, 1);
    assert_int_equal(row[0].open_files, 0);
    assert_int_equal(row[1].letter, LETTER_X);
    assert_int_equal(row[1].status, WIRE_USE_OK);
    assert_int_equal(row[1].open_files, 1);
    assert_int_equal(row[1].remote_length, 18);
    assert_int_equal(row[1].user_length, 0);
    assert_memory_equal(reply.body + reply.length - 24, u"\\\\mem\\lab\0\0\0", 24);
    request.first = row[0].number + 1;
    assert_int_equal(wire_call(fixture.way.client, WIRE_LIST_CONNECTIONS, &request, 8, NULL, 0, &reply), 0);
    assert_int_equal(reply.length, sizeof(struct wire_done) + sizeof(row[0]) + 24);
    request.first = row[1].number + 1;
    assert_int_equal(wire_call(fixture.way.client, WIRE_LIST_CONNECTIONS, &request, 8, NULL, 0, &reply), 0);
    assert_int_equal(reply.length, sizeof(struct wire_done));
    assert_status(way_close(&fixture.way, token), STATUS_SUCCESS);
    assert_status(way_unmap(&fixture.way, 1, 0), STATUS_SUCCESS);
    if (daemon_uses_relays()) { /* whose letters end with it */
        assert_int_equal(wire_call(fixture.way.client, WIRE_ADD_CONNECTION, &remembered, sizeof(remembered),
                                   u"\\\\mem\\lab", 18, &reply),
                         0);
        assert_status((NTSTATUS)reply.status, STATUS_NOT_SUPPORTED);
    }
    end(&fixture);
}

static void test_a_name_of_40000_characters_is_refused_without_harm(void **state)
{
    static WCHAR name[40001];
    static struct wire_reply reply;
    struct wire_create request = {.object_flags = 0x40, .desired_access = GENERIC_READ, .disposition = FILE_OPEN};
    struct fixture fixture;
    uint64_t token;

    begin(&fixture, NULL);
    for (int i = 0; i < 40000; i++)
        name[i] = i == 0 ? '\\' : 'n';
    request.name_length = 80000;
    assert_int_equal(wire_call(fixture.way.client, WIRE_CREATE, &request, sizeof(request), name, 80000, &reply),
                     -EMSGSIZE);
    /* As long as a message allows, and as long as a counted string allows */
    memcpy(name, u"\\??\\X:\\", 14);
    name[32767] = 0;
    assert_status(way_open_read(&fixture.way, name, &token), STATUS_NAME_TOO_LONG); /* X: stands for more than that */
    name[32000] = 0;
    assert_status(way_open_read(&fixture.way, name, &token), STATUS_OBJECT_NAME_INVALID);
    assert_status(way_open_read(&fixture.way, u"\\??\\X:\\probe.txt", &token), STATUS_SUCCESS);
    assert_status(way_close(&fixture.way, token), STATUS_SUCCESS);
    end(&fixture);
}

/* SplitMix64: the same everywhere from the same seed. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t chosen_seed(void)
{
    const char *given = getenv("RDRLAB_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003u ^ (uint64_t)getpid();

    print_message("RDRLAB_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Half plausible: small numbers, real names and live tokens among noise. */
static size_t random_payload(uint64_t *seed, unsigned char *bytes, uint64_t token)
{
    static const WCHAR name[] = u"\\??\\X:\\probe.txt";
    size_t size = next_random(seed) % (next_random(seed) % 64 ? 128 : WIRE_DATA_MAX), at;

    for (size_t i = 0; i < size; i++)
        bytes[i] = next_random(seed) % 3 ? 0 : (unsigned char)next_random(seed);
    if (size >= 8 && next_random(seed) % 2)
        memcpy(bytes, &token, 8);
    if (size >= 48 + sizeof(name) && next_random(seed) % 2) {
        uint32_t length = sizeof(name) - sizeof(WCHAR);
        at = next_random(seed) % 2 ? 40 : 12;
        memcpy(bytes + at, &length, sizeof(length));
        memcpy(bytes + (at == 40 ? 48 : 16), name, length);
        size = (at == 40 ? 48 : 16) + length;
        if (at == 40)
            memset(bytes, 0, 16);
    }
    return size;
}

static void test_random_requests_do_no_harm(void **state)
{
    static unsigned char bytes[WIRE_DATA_MAX];
    static struct wire_reply reply;
    uint64_t seed = chosen_seed(), token;
    int rounds = getenv("RDRLAB_SOAK") ? 1000000 : 20000;
    struct fixture fixture;
    struct way ways[2];

    begin(&fixture, NULL);
    ways[0] = ways[1] = (struct way){daemon_connect(&fixture.daemon, 1), NULL};
    assert_int_equal(wire_line_open(ways[1].client, &ways[1].line), 0);
    assert_status(way_open_read(ways, u"\\??\\X:\\probe.txt", &token), STATUS_SUCCESS);
    for (int i = 0; i < rounds; i++) {
        uint16_t op = (uint16_t)(WIRE_CREATE + next_random(&seed) % (WIRE_OP_LIMIT - WIRE_CREATE));
        size_t size = random_payload(&seed, bytes, token);
        int result;

        if (op == WIRE_NOTIFY && size >= sizeof(struct wire_notify))
            bytes[offsetof(struct wire_notify, flags)] |= WIRE_WATCH_NOW;
        if (op == WIRE_LOCK && size >= sizeof(struct wire_range))
            bytes[offsetof(struct wire_range, flags)] |= WIRE_LOCK_FAIL_IMMEDIATELY; /* nobody would unlock */
        result = way_call(&ways[i & 1], op, NULL, 0, bytes, size, &reply);
        if (result != 0)
            fail_msg("round %d, operation %u: %s", i, op, strerror(-result));
        if (op == WIRE_CLOSE || op == WIRE_CANCEL_CONNECTION) {
            way_map(ways, LETTER_X, u"\\\\mem\\lab", NULL, NULL);
            way_open_read(ways, u"\\??\\X:\\probe.txt", &token);
        }
    }
    wire_line_close(ways[1].line);
    wire_disconnect(ways[0].client);
    await_machine(&fixture.way, 1, 0);
    for (uint32_t letter = 0; letter < 26; letter++)
        way_unmap(&fixture.way, letter, 1);
    wire_disconnect(fixture.way.client);
    assert_int_equal(daemon_stop(&fixture.daemon), 0);
}

static void test_a_slot_with_a_broken_header_loses_the_client_its_connection(void **state)
{
    struct fixture fixture;
    struct way victim;
    struct wire_region *region;
    struct hello_message message = good_hello();
    struct wire_reply *reply = calloc(1, sizeof(*reply));

    begin(&fixture, NULL);
    for (uint32_t length = 0; length < 4; length++) {
        static const uint32_t lengths[] = {0, 15, WIRE_MESSAGE_MAX + 1, 0xffffffff};
        victim = (struct way){daemon_connect(&fixture.daemon, 1), NULL};
        assert_int_equal(wire_line_open(victim.client, &victim.line), 0);
        assert_int_equal(way_call(&victim, WIRE_MACHINE, NULL, 0, NULL, 0, reply), 0);
        region = wire_region_of(victim.client);
        message.header.length = lengths[length];
        memcpy(region->slots[0].message, &message, sizeof(message));
        wire_store(&region->slots[0].state, WIRE_REQUEST);
        wire_wake(&region->slots[0].state);
        expect_hang_up(wire_socket_of(victim.client));
        assert_int_equal(way_call(&victim, WIRE_MACHINE, NULL, 0, NULL, 0, reply), -ECONNRESET);
        wire_line_close(victim.line);
        wire_disconnect(victim.client);
    }
    free(reply);
    end(&fixture);
}

/* A client that writes all over its region, states and all, while it is served. */
static void test_scribbling_over_a_region_does_no_harm(void **state)
{
    uint64_t seed = chosen_seed();
    struct fixture fixture;

    begin(&fixture, NULL);
    for (int i = 0; i < 20; i++) {
        struct wire_client *client = daemon_connect(&fixture.daemon, 1);
        struct wire_line *lines[4] = {NULL};
        uint32_t *words = (uint32_t *)(void *)wire_region_of(client);

        for (size_t k = 0; k < COUNT(lines); k++)
            assert_int_equal(wire_line_open(client, &lines[k]), 0);
        for (int k = 0; k < 20000; k++) {
            size_t slot = next_random(&seed) % 4, word = next_random(&seed) % 40;
            size_t at = (4096 + slot * sizeof(struct wire_slot)) / 4 + word;
            __atomic_store_n(&words[at], (uint32_t)(next_random(&seed) % 4), __ATOMIC_SEQ_CST);
        }
        for (size_t k = 0; k < COUNT(lines); k++)
            wire_line_close(lines[k]);
        wire_disconnect(client);
    }
    end(&fixture);
}

/* ---- deaths -------------------------------------------------------------------------------------------------------
 */

enum death {
    BEFORE_HELLO,
    HALF_A_HELLO,
    AFTER_HELLO,
    WITH_A_SLOT,
    REQUEST_IN_SLOT,
    REQUEST_UNREAD_ON_SOCKET,
    AFTER_CREATE,
    AFTER_CREATE_WITHOUT_FILE,
    WITH_TOKEN_OPEN,
    WITH_TOKEN_OPEN_TWICE,
    IN_A_LOOP_OF_CREATES,
    DEATHS
};

/* In the child. Ends by SIGKILL of its own at the point wanted. */
static void live_until(const struct daemon *daemon, enum death death)
{
    static struct wire_create request = {.object_flags = 0x40, .desired_access = GENERIC_READ, .disposition = 1};
    static struct wire_reply reply;
    struct hello_message hello = good_hello();
    struct wire_region *region;
    struct way way = {NULL, NULL};
    uint64_t token = 0;

    if (death == BEFORE_HELLO || death == HALF_A_HELLO) {
        int fd = raw_connect(daemon);
        if (death == HALF_A_HELLO)
            send(fd, &hello, 20, MSG_NOSIGNAL);
        raise(SIGKILL);
    }
    way.client = daemon_connect(daemon, 1);
    if (death == AFTER_HELLO)
        raise(SIGKILL);
    if (death == REQUEST_UNREAD_ON_SOCKET) {
        hello.header.op = WIRE_MACHINE;
        hello.header.length = sizeof(hello.header);
        for (int i = 0; i < 50; i++)
            send(wire_socket_of(way.client), &hello, sizeof(hello.header), MSG_NOSIGNAL | MSG_DONTWAIT);
        raise(SIGKILL);
    }
    if (death == AFTER_CREATE_WITHOUT_FILE) {
        struct opening opening = {u"\\??\\X:\\probe.txt", GENERIC_READ, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
        way_open(&way, &opening, &token);
        raise(SIGKILL);
    }
    wire_line_open(way.client, &way.line);
    if (death == WITH_A_SLOT)
        raise(SIGKILL);
    way_open_read(&way, u"\\??\\X:\\probe.txt", &token);
    if (death == AFTER_CREATE)
        raise(SIGKILL);
    token_open(way.client, token);
    if (death == WITH_TOKEN_OPEN_TWICE)
        token_open(way.client, token);
    if (death == REQUEST_IN_SLOT) {
        region = wire_region_of(way.client);
        hello.header.op = WIRE_CREATE;
        hello.header.length = sizeof(hello.header) + sizeof(request) + 32;
        request.name_length = 32;
        memcpy(region->slots[0].message, &hello.header, sizeof(hello.header));
        memcpy(region->slots[0].message + sizeof(hello.header), &request, sizeof(request));
        memcpy(region->slots[0].message + sizeof(hello.header) + sizeof(request), u"\\??\\X:\\probe.txt", 32);
        wire_store(&region->slots[0].state, WIRE_REQUEST);
        wire_wake(&region->slots[0].state);
        raise(SIGKILL);
    }
    if (death == IN_A_LOOP_OF_CREATES) {
        alarm(1); /* should the parent not get to it */
        for (;;)
            if (way_call(&way, WIRE_CREATE, &request, sizeof(request), NULL, 0, &reply) == 0)
                way_open_read(&way, u"\\??\\X:\\probe.txt", &token);
    }
    raise(SIGKILL);
}

static void test_a_killed_client_leaves_nothing_whenever_it_dies(void **state)
{
    struct fixture fixture;
    int status;

    begin(&fixture, NULL);
    for (int death = 0; death < DEATHS; death++) {
        for (int round = 0; round < 3; round++) {
            pid_t pid = fork();
            if (pid == 0) {
                live_until(&fixture.daemon, (enum death)death);
                _exit(99);
            }
            if (death == IN_A_LOOP_OF_CREATES) {
                usleep(20000 + 7000 * (unsigned)round);
                kill(pid, SIGKILL);
            }
            assert_int_equal(waitpid(pid, &status, 0), pid);
            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("death %d: the client ended with 0x%x", death, status);
            await_machine(&fixture.way, 1, 0);
            if (way_machine(&fixture.way).handles != fixture.before.handles)
                fail_msg("death %d left a handle", death);
        }
    }
    end(&fixture);
}

/* Listens, takes connections in, and never says a word. Returns the port. */
static int deaf_server(int *ret_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size) | listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_fd = fd;
    return ntohs(address.sin_port);
}

/* In a child: fails no test when the machine hangs up. */
static void hang_in_a_connect(const struct way *way)
{
    static const WCHAR remote[] = u"\\\\deaf\\lab";
    static struct wire_reply reply;
    struct wire_add_connection request = {.letter = 3, .remote_length = sizeof(remote) - sizeof(WCHAR)};

    way_call(way, WIRE_ADD_CONNECTION, &request, sizeof(request), remote, request.remote_length, &reply);
}

/* Death with a request at a server that does not answer: what waits is cancelled, not waited for. */
static void test_a_killed_client_does_not_wait_for_a_server(void **state)
{
    char server[64];
    const char *arguments[] = {"--backend", "smbc", "--worker", SMBWORKER, "--timeout", "60", "--server", server, NULL};
    struct fixture fixture = {0};
    int deaf, port;
    pid_t pid;

    if (access(SMBWORKER, X_OK) != 0) {
        if (getenv("RDRLAB_REQUIRE_ALL") && *getenv("RDRLAB_REQUIRE_ALL"))
            fail_msg("%s: %s", SMBWORKER, strerror(errno));
        print_message("no libsmbclient worker: %s\n", SMBWORKER);
        skip();
    }
    port = deaf_server(&deaf);
    snprintf(server, sizeof(server), "deaf=127.0.0.1:%d", port);
    daemon_start(&fixture.daemon, arguments);
    fixture.way = (struct way){daemon_connect(&fixture.daemon, 1), NULL};
    for (int with_line = 0; with_line < 3; with_line++) {
        pid = fork();
        if (pid == 0) {
            struct way way = {daemon_connect(&fixture.daemon, 1), NULL};
            if (with_line)
                wire_line_open(way.client, &way.line);
            hang_in_a_connect(&way);
            _exit(1);
        }
        await_machine(&fixture.way, 2, 0);
        usleep(200000); /* long enough for the request to be at the server */
        if (with_line == 2)
            break;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        await_machine(&fixture.way, 1, 0);
    }
    /* And so does the machine itself. */
    wire_disconnect(fixture.way.client);
    assert_int_equal(daemon_stop(&fixture.daemon), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(deaf);
}

static void test_an_inherited_token_outlives_its_opener(void **state)
{
    static struct wire_reply reply;
    struct wire_io read_request = {.length = 100};
    struct fixture fixture;
    uint64_t token;
    int ends[2], back[2];
    char byte = 0;
    pid_t opener;

    begin(&fixture, NULL);
    assert_int_equal(pipe(ends) | pipe(back), 0);
    opener = fork();
    if (opener == 0) {
        struct way way = {daemon_connect(&fixture.daemon, 0), NULL};
        int fd;
        way_open_read(&way, u"\\??\\X:\\probe.txt", &token);
        fd = token_open(way.client, token);
        if (fork() == 0) { /* the heir: has nothing but the descriptor */
            close(wire_socket_of(way.client));
            close(ends[1]);
            (void)!write(back[1], &token, sizeof(token));
            (void)!read(ends[0], &byte, 1);
            close(fd);
            _exit(0);
        }
        raise(SIGKILL);
    }
    waitpid(opener, NULL, 0);
    assert_int_equal(read(back[0], &token, sizeof(token)), sizeof(token));
    await_machine(&fixture.way, 1, 1);
    usleep(50000); /* time for the machine to make the mistake in */
    await_machine(&fixture.way, 1, 1);
    /* Anybody who has the token may use it: the heir would. */
    read_request.token = token;
    assert_int_equal(wire_call(fixture.way.client, WIRE_READ, &read_request, sizeof(read_request), NULL, 0, &reply), 0);
    assert_status((NTSTATUS)reply.status, STATUS_SUCCESS);
    assert_memory_equal(reply.body + sizeof(struct wire_done), "rdrlab probe\n", 13);
    close(ends[0]);
    close(ends[1]); /* the heir ends */
    await_machine(&fixture.way, 1, 0);
    close(back[0]);
    close(back[1]);
    end(&fixture);
}

/* ---- closing ------------------------------------------------------------------------------------------------------
 */

static void test_an_exclusive_open_after_a_close_never_meets_the_old_open(void **state)
{
    struct opening exclusive = {.name = u"\\??\\X:\\probe.txt",
                                .access = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE,
                                .disposition = FILE_OPEN,
                                .options = FILE_SYNCHRONOUS_IO_NONALERT};
    int rounds = getenv("RDRLAB_SOAK") ? 10000 : 1000, fd;
    struct fixture fixture;
    struct way ways[3];
    uint64_t token, other;

    begin(&fixture, NULL);
    ways[0] = ways[1] = fixture.way;
    assert_int_equal(wire_line_open(fixture.way.client, &ways[1].line), 0);
    ways[2] = (struct way){daemon_connect(&fixture.daemon, 1), NULL};
    assert_int_equal(wire_line_open(ways[2].client, &ways[2].line), 0);
    for (int i = 0; i < rounds; i++) {
        NTSTATUS status = way_open(&ways[i % 3], &exclusive, &token);
        if (status != STATUS_SUCCESS)
            fail_msg("round %d: status 0x%08X", i, (unsigned)status);
        fd = token_open(fixture.way.client, token);
        if (i % 50 == 0)
            assert_status(way_open(&ways[(i + 1) % 3], &exclusive, &other), STATUS_SHARING_VIOLATION);
        close(fd);
    }
    wire_line_close(ways[2].line);
    wire_line_close(ways[1].line);
    wire_disconnect(ways[2].client);
    end(&fixture);
}

static void test_a_token_is_open_as_long_as_anybody_has_its_file_open(void **state)
{
    struct fixture fixture;
    uint64_t token;
    int first, second, copy;

    begin(&fixture, NULL);
    assert_status(way_open_read(&fixture.way, u"\\??\\X:\\probe.txt", &token), STATUS_SUCCESS);
    first = token_open(fixture.way.client, token);
    second = token_open(fixture.way.client, token); /* the two reports may be merged into one */
    copy = dup(second);
    close(first);
    way_machine(&fixture.way);
    close(second);
    assert_int_equal(way_machine(&fixture.way).open_tokens, 1);
    assert_status(way_close(&fixture.way, token), STATUS_HANDLE_NOT_CLOSABLE);
    close(copy);
    assert_int_equal(way_machine(&fixture.way).open_tokens, 0);
    assert_status(way_close(&fixture.way, token), STATUS_INVALID_HANDLE);
    end(&fixture);
}

/* What goes with its handle: a folder that was closed before the file in it is not empty when its turn comes. */
static void test_files_are_closed_in_the_order_of_their_programs(void **state)
{
    const struct opening folder = {u"\\??\\X:\\order",
                                   DELETE | SYNCHRONIZE,
                                   7,
                                   FILE_CREATE,
                                   FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE,
                                   0,
                                   0,
                                   0,
                                   NULL},
                         file = {u"\\??\\X:\\order\\f",
                                 DELETE | SYNCHRONIZE,
                                 7,
                                 FILE_CREATE,
                                 FILE_NON_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE,
                                 0,
                                 0,
                                 0,
                                 NULL};
    struct opening again = folder;
    struct fixture fixture;
    uint64_t tokens[2], token;
    int first, second;

    begin(&fixture, NULL);
    assert_status(way_open(&fixture.way, &folder, &tokens[0]), STATUS_SUCCESS);
    assert_status(way_open(&fixture.way, &file, &tokens[1]), STATUS_SUCCESS);
    first = token_open(fixture.way.client, tokens[0]);
    second = token_open(fixture.way.client, tokens[1]);
    close(first);
    close(second);
    assert_int_equal(way_machine(&fixture.way).open_tokens, 0);
    again.disposition = FILE_OPEN; /* and is empty now, so that it goes */
    assert_status(way_open(&fixture.way, &again, &token), STATUS_SUCCESS);
    close(token_open(fixture.way.client, token));
    assert_status(way_open(&fixture.way, &again, &token), STATUS_OBJECT_NAME_NOT_FOUND);
    end(&fixture);
}

static void test_a_token_without_a_file_is_its_clients_own(void **state)
{
    struct opening opening = {u"\\??\\X:\\probe.txt", GENERIC_READ, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
    static struct wire_reply reply;
    struct wire_token flush = {0};
    struct fixture fixture;
    struct way other;

    begin(&fixture, NULL);
    other = (struct way){daemon_connect(&fixture.daemon, 0), NULL};
    assert_status(way_open(&fixture.way, &opening, &flush.token), STATUS_SUCCESS);
    assert_int_equal(way_call(&other, WIRE_FLUSH, &flush, sizeof(flush), NULL, 0, &reply), 0);
    assert_status((NTSTATUS)reply.status, STATUS_INVALID_HANDLE);
    assert_status(way_close(&other, flush.token), STATUS_INVALID_HANDLE);
    assert_status(way_close(&fixture.way, flush.token), STATUS_SUCCESS);
    assert_status(way_close(&fixture.way, flush.token), STATUS_INVALID_HANDLE);
    wire_disconnect(other.client);
    end(&fixture);
}

/* ---- long runs and the end ----------------------------------------------------------------------------------------
 */

static long resident_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

static void test_failing_creates_take_no_memory(void **state)
{
    int rounds = getenv("RDRLAB_SOAK") ? 1000000 : 100000;
    struct fixture fixture;
    struct way way;
    uint64_t token;
    long before, after;

    begin(&fixture, NULL);
    way = fixture.way;
    assert_int_equal(wire_line_open(way.client, &way.line), 0);
    for (int i = 0; i < 1000; i++)
        assert_status(way_open_read(&way, u"\\??\\X:\\a|b", &token), STATUS_OBJECT_NAME_INVALID);
    before = resident_kib(fixture.daemon.pid);
    for (int i = 0; i < rounds; i++)
        assert_status(way_open_read(&way, u"\\??\\X:\\a|b", &token), STATUS_OBJECT_NAME_INVALID);
    after = resident_kib(fixture.daemon.pid);
    print_message("%d failing creates: %ld KiB resident before, %ld after\n", rounds, before, after);
    assert_true(after - before <= 1024);
    wire_line_close(way.line);
    end(&fixture);
}

static void test_what_a_defect_left_is_in_the_report(void **state)
{
    const char *arguments[] = {"--build", "nt4-sp5", "--report", NULL, NULL};
    struct opening bare = {.name = u"\\??\\X:\\",
                           .access = GENERIC_READ | SYNCHRONIZE,
                           .disposition = FILE_OPEN,
                           .options = FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE};
    char path[] = "/tmp/rdrlab-report-XXXXXX";
    static char text[65536];
    struct fixture fixture;
    uint64_t token;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    arguments[3] = path;
    begin(&fixture, arguments);
    for (int i = 0; i < 123; i++)
        assert_status(way_open(&fixture.way, &bare, &token), STATUS_OBJECT_NAME_INVALID);
    wire_disconnect(fixture.way.client);
    assert_int_equal(daemon_stop(&fixture.daemon), 3);
    text[read(fd, text, sizeof(text) - 1)] = '\0';
    assert_non_null(strstr(text, "\"clean\":false"));
    assert_non_null(strstr(text, "\"blocks\":123"));
    assert_non_null(strstr(text, "rdr/create.c"));
    close(fd);
    unlink(path);
}

struct busy {
    struct way way;
    pthread_t thread;
    int calls; /* atomic */
};

static void *be_busy(void *argument)
{
    struct busy *busy = argument;
    struct wire_create request = {.object_flags = 0x40,
                                  .desired_access = GENERIC_READ,
                                  .share_access = 7,
                                  .disposition = FILE_OPEN,
                                  .name_length = 32};
    struct wire_reply *reply = calloc(1, sizeof(*reply));

    while (way_call(&busy->way, WIRE_CREATE, &request, sizeof(request), u"\\??\\X:\\probe.txt", 32, reply) == 0)
        __atomic_fetch_add(&busy->calls, 1, __ATOMIC_SEQ_CST);
    free(reply);
    return NULL;
}

static void test_sigterm_while_busy_ends_in_order(void **state)
{
    struct busy busy[6] = {0};
    struct fixture fixture;

    begin(&fixture, NULL);
    for (size_t i = 0; i < COUNT(busy); i++) {
        busy[i].way.client = daemon_connect(&fixture.daemon, 1);
        if (i % 2)
            assert_int_equal(wire_line_open(busy[i].way.client, &busy[i].way.line), 0);
        assert_int_equal(pthread_create(&busy[i].thread, NULL, be_busy, &busy[i]), 0);
    }
    /* Every one of them, however late the system lets it begin. */
    for (size_t i = 0; i < COUNT(busy); i++)
        for (int tries = 0; __atomic_load_n(&busy[i].calls, __ATOMIC_SEQ_CST) == 0; tries++) {
            assert_true(tries < 10000);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    assert_int_equal(daemon_stop(&fixture.daemon), 0);
    for (size_t i = 0; i < COUNT(busy); i++) {
        pthread_join(busy[i].thread, NULL);
        wire_line_close(busy[i].way.line);
        wire_disconnect(busy[i].way.client);
    }
    wire_disconnect(fixture.way.client);
}

static void test_it_dies_with_its_parent_if_told_to(void **state)
{
    struct daemon daemon;
    int ends[2];
    pid_t parent;

    assert_int_equal(pipe(ends), 0);
    parent = fork();
    if (parent == 0) {
        daemon_start(&daemon, NULL);
        (void)!write(ends[1], &daemon, sizeof(daemon));
        raise(SIGKILL);
    }
    waitpid(parent, NULL, 0);
    assert_int_equal(read(ends[0], &daemon, sizeof(daemon)), sizeof(daemon));
    for (int i = 0; i < 2000 && access(daemon.folder, F_OK) == 0; i++)
        usleep(5000);
    if (rmdir(daemon.parent) != 0)
        fail_msg("%s: %s", daemon.parent, strerror(errno));
    close(ends[0]);
    close(ends[1]);
}

#define OWN_TESTS 5

/* A failed assertion jumps to the next test. In a forked client that would be a second run of it, in a process that is
 * killed before it has tidied up: there, to fail is to end. */
static void fail_by_abort(void)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1);
}

int main(int argc, char **argv)
{
    /* What is true of a relay as well comes last. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_options_are_refused_in_one_line_that_names_them),
        cmocka_unit_test(test_folder_must_be_private_and_vacant),
        cmocka_unit_test(test_a_live_machine_keeps_its_folder_and_a_killed_one_does_not),
        cmocka_unit_test(test_it_dies_with_its_parent_if_told_to),
        cmocka_unit_test(test_failing_creates_take_no_memory),
        cmocka_unit_test(test_each_session_of_a_terminal_server_has_its_own_letters),
        cmocka_unit_test(test_a_workstation_has_no_sessions),
        cmocka_unit_test(test_two_machines_live_side_by_side),
        cmocka_unit_test(test_hello_is_checked),
        cmocka_unit_test(test_a_client_too_many_is_told_so),
        cmocka_unit_test(test_a_message_without_sense_is_hung_up_on),
        cmocka_unit_test(test_an_odd_request_gets_an_error_and_no_hang_up),
        cmocka_unit_test(test_letters_are_listed),
        cmocka_unit_test(test_a_name_of_40000_characters_is_refused_without_harm),
        cmocka_unit_test(test_random_requests_do_no_harm),
        cmocka_unit_test(test_a_slot_with_a_broken_header_loses_the_client_its_connection),
        cmocka_unit_test(test_scribbling_over_a_region_does_no_harm),
        cmocka_unit_test(test_a_killed_client_leaves_nothing_whenever_it_dies),
        cmocka_unit_test(test_a_killed_client_does_not_wait_for_a_server),
        cmocka_unit_test(test_an_inherited_token_outlives_its_opener),
        cmocka_unit_test(test_an_exclusive_open_after_a_close_never_meets_the_old_open),
        cmocka_unit_test(test_a_token_is_open_as_long_as_anybody_has_its_file_open),
        cmocka_unit_test(test_files_are_closed_in_the_order_of_their_programs),
        cmocka_unit_test(test_a_token_without_a_file_is_its_clients_own),
        cmocka_unit_test(test_what_a_defect_left_is_in_the_report),
        cmocka_unit_test(test_sigterm_while_busy_ends_in_order),
    };

    pthread_atfork(NULL, NULL, fail_by_abort);
    if (argc > 1 && strcmp(argv[1], "relay") == 0) {
        daemon_use_relays();
        return _cmocka_run_group_tests("relay", tests + OWN_TESTS, COUNT(tests) - OWN_TESTS, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
