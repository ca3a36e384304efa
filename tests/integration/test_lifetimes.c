/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long rdrlabd keeps what a client has: clients that die at every point, files that are closed, handed on and never
 * taken.
 */
#include "machine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/native.h"

/* ---- deaths ---- */

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
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the parent not get to it */
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

    fixture_begin(&fixture, NULL);
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
    fixture_end(&fixture);
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

/* Whether one more client has said something to it, who is not answered. */
static void await_question(int deaf)
{
    struct pollfd watch = {.fd = deaf, .events = POLLIN};

    assert_int_equal(poll(&watch, 1, 20000), 1);
    watch.fd = accept4(deaf, NULL, NULL, SOCK_CLOEXEC); /* stays open for as long as the test */
    assert_true(watch.fd >= 0);
    assert_int_equal(poll(&watch, 1, 20000), 1);
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
        await_question(deaf);
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

    fixture_begin(&fixture, NULL);
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
    fixture_end(&fixture);
}

/* ---- closing ---- */

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

    fixture_begin(&fixture, NULL);
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
    fixture_end(&fixture);
}

static void test_a_token_is_open_as_long_as_anybody_has_its_file_open(void **state)
{
    struct fixture fixture;
    uint64_t token;
    int first, second, copy;

    fixture_begin(&fixture, NULL);
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
    fixture_end(&fixture);
}

/* What is deleted when its handle is closed. */
static int hold_until_closed(struct way *way, const WCHAR *name, ULONG options)
{
    const struct opening opening = {.name = name,
                                    .access = DELETE | SYNCHRONIZE,
                                    .share = 7,
                                    .disposition = FILE_CREATE,
                                    .options = options | FILE_DELETE_ON_CLOSE};
    uint64_t token;

    assert_status(way_open(way, &opening, &token), STATUS_SUCCESS);
    return token_open(way->client, token);
}

static void check_folder(struct way *way, NTSTATUS status)
{
    const struct opening opening = {.name = u"\\??\\X:\\order",
                                    .access = DELETE | SYNCHRONIZE,
                                    .share = 7,
                                    .disposition = FILE_OPEN,
                                    .options = FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE};
    uint64_t token;

    assert_status(way_open(way, &opening, &token), status);
    if (status == STATUS_SUCCESS)
        close(token_open(way->client, token));
}

/* A folder that was closed before the file in it is not empty when its turn comes, and is afterwards. */
static void test_files_are_closed_in_the_order_of_their_programs(void **state)
{
    struct fixture fixture;
    int folder, file;

    fixture_begin(&fixture, NULL);
    folder = hold_until_closed(&fixture.way, u"\\??\\X:\\order", FILE_DIRECTORY_FILE);
    file = hold_until_closed(&fixture.way, u"\\??\\X:\\order\\f", FILE_NON_DIRECTORY_FILE);
    close(folder);
    close(file);
    assert_int_equal(way_machine(&fixture.way).open_tokens, 0);
    check_folder(&fixture.way, STATUS_SUCCESS);
    check_folder(&fixture.way, STATUS_OBJECT_NAME_NOT_FOUND);
    fixture_end(&fixture);
}

/* The machine's own thread is at some of the files when the request comes that waits for all of them. */
static void test_closes_of_a_program_do_not_overtake_each_other(void **state)
{
    struct fixture fixture;

    fixture_begin(&fixture, NULL);
    for (int round = 0; round < 200; round++) {
        int folder = hold_until_closed(&fixture.way, u"\\??\\X:\\order", FILE_DIRECTORY_FILE), files[20];

        for (int i = 0; i < 20; i++) {
            WCHAR name[] = u"\\??\\X:\\order\\a";
            name[sizeof(name) / sizeof(name[0]) - 2] = (WCHAR)(u'a' + i);
            files[i] = hold_until_closed(&fixture.way, name, FILE_NON_DIRECTORY_FILE);
        }
        for (int i = 0; i < 20; i++)
            close(files[i]);
        close(folder);
        check_folder(&fixture.way, STATUS_OBJECT_NAME_NOT_FOUND);
    }
    fixture_end(&fixture);
}

static void test_a_token_without_a_file_is_its_clients_own(void **state)
{
    struct opening opening = {u"\\??\\X:\\probe.txt", GENERIC_READ, 7, FILE_OPEN, 0, WITHOUT_FILE, 0, 0, NULL};
    static struct wire_reply reply;
    struct wire_token flush = {0};
    struct fixture fixture;
    struct way other;

    fixture_begin(&fixture, NULL);
    other = (struct way){daemon_connect(&fixture.daemon, 0), NULL};
    assert_status(way_open(&fixture.way, &opening, &flush.token), STATUS_SUCCESS);
    assert_int_equal(way_call(&other, WIRE_FLUSH, &flush, sizeof(flush), NULL, 0, &reply), 0);
    assert_status((NTSTATUS)reply.status, STATUS_INVALID_HANDLE);
    assert_status(way_close(&other, flush.token), STATUS_INVALID_HANDLE);
    assert_status(way_close(&fixture.way, flush.token), STATUS_SUCCESS);
    assert_status(way_close(&fixture.way, flush.token), STATUS_INVALID_HANDLE);
    wire_disconnect(other.client);
    fixture_end(&fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_killed_client_leaves_nothing_whenever_it_dies),
        cmocka_unit_test(test_a_killed_client_does_not_wait_for_a_server),
        cmocka_unit_test(test_an_inherited_token_outlives_its_opener),
        cmocka_unit_test(test_an_exclusive_open_after_a_close_never_meets_the_old_open),
        cmocka_unit_test(test_a_token_is_open_as_long_as_anybody_has_its_file_open),
        cmocka_unit_test(test_files_are_closed_in_the_order_of_their_programs),
        cmocka_unit_test(test_closes_of_a_program_do_not_overtake_each_other),
        cmocka_unit_test(test_a_token_without_a_file_is_its_clients_own),
    };

    return daemon_main(argc, argv, tests, COUNT(tests), 0);
}
