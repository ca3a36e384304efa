/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire between a machine and its relays, and who may not speak it: the wrong secret, other versions, garbage,
 * halves of things, things said before. Then deaths, of either side and of the network between, as a stopped process
 * plays it. What a relay does for its clients is tested where the machine's own folder is: the tests of the machine
 * run a second time, through a relay.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire/remote.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LIMIT_MS     30000 /* for what must happen; nothing here measures time */
#define TOO_MANY     40    /* connections; the machine takes 16 strangers */
#define STRANGER_MAX 16

/* Seconds, of machines and relays: where somebody falls silent, as few as a busy system leaves nobody silent for, as
 * what comes before must not end in that time; and elsewhere so many that it is never that. */
#define SHORT "4"
#define LONG  "60"

struct fixture {
    struct daemon machine;
    struct way way; /* an observer in the machine's own folder */
    struct wire_machine before;
    struct remote_secret secret;
    const char *patience;
};

static void begin(struct fixture *fixture, const char *patience)
{
    const char *const arguments[] = {"--peer-timeout", patience, NULL};
    char path[96], error[256];

    fixture->patience = patience;
    daemon_start_listening(&fixture->machine, arguments);
    fixture->way = (struct way){daemon_connect(&fixture->machine, 1), NULL};
    fixture->before = way_machine(&fixture->way);
    snprintf(path, sizeof(path), "%s/secret", fixture->machine.parent);
    assert_int_equal(remote_read_secret(path, &fixture->secret, error, sizeof(error)), 0);
}

/* The last assertion of each test: the machine serves still, and nothing is left in it. */
static void end(struct fixture *fixture)
{
    await_machine(&fixture->way, 1, 0);
    assert_int_equal(way_machine(&fixture->way).handles, fixture->before.handles);
    wire_disconnect(fixture->way.client);
    assert_int_equal(daemon_stop(&fixture->machine), 0);
}

static void start_relay(const struct fixture *fixture, const char *name, struct daemon *relay)
{
    const char *const arguments[] = {"--peer-timeout", fixture->patience, NULL};

    daemon_start_relay(&fixture->machine, name, arguments, relay);
}

static struct way map(const struct daemon *relay, uint32_t letter)
{
    struct way way = {daemon_connect(relay, 1), NULL};

    assert_status(way_map(&way, letter, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    return way;
}

/* ---- TCP and TLS by hand ---- */

static int port_of(const char *address)
{
    return atoi(strrchr(address, ':') + 1);
}

static int tcp_connect(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = LIMIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

/* Reads until the other side hangs up; fails if it does not. */
static void expect_hang_up(int fd)
{
    char bytes[4096];
    ssize_t got;

    do
        got = recv(fd, bytes, sizeof(bytes), 0);
    while (got > 0 || (got < 0 && errno == EINTR)); /* with a time limit recv is not restarted by itself */
    if (got < 0 && errno != ECONNRESET)
        fail_msg("no hang-up: %s", strerror(errno));
    close(fd);
}

static struct remote *connect_with(const struct fixture *fixture, const struct remote_secret *secret)
{
    struct remote *remote = NULL;
    char error[256];

    if (remote_connect(fixture->machine.address, secret, LIMIT_MS, &remote, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return remote;
}

struct join_message {
    struct wire_header header;
    struct wire_join join;
};

static struct join_message good_join(void)
{
    struct join_message message = {.header = {WIRE_MAGIC, WIRE_VERSION, WIRE_JOIN, sizeof(message), 0}};

    memcpy(message.join.link, "0123456789abcdef", sizeof(message.join.link));
    message.join.keeper = 1;
    strcpy(message.join.program, "by hand");
    return message;
}

/* Says it; expects a status, and after an error a hang-up. */
static void expect_join(struct remote *remote, const void *message, size_t size, NTSTATUS status)
{
    struct wire_header header;
    unsigned char reply[1024];
    size_t length = 0;

    assert_int_equal(remote_send(remote, message, size), 0);
    assert_int_equal(remote_receive(remote, reply, sizeof(reply), LIMIT_MS, &length), 0);
    memcpy(&header, reply, sizeof(header));
    assert_int_equal(header.version, WIRE_VERSION);
    assert_int_equal(header.status, (uint32_t)status);
    if (status != STATUS_SUCCESS)
        assert_int_equal(remote_receive(remote, reply, sizeof(reply), LIMIT_MS, &length), -ECONNRESET);
}

static struct remote *join_by_hand(const struct fixture *fixture)
{
    struct join_message message = good_join();
    struct remote *remote = connect_with(fixture, &fixture->secret);

    expect_join(remote, &message, sizeof(message), STATUS_SUCCESS);
    return remote;
}

/* ---- refusals ---- */

static void test_a_relay_is_refused_for_its_secret(void **state)
{
    struct remote_secret other = {"any other key, of 32 bytes......"};
    struct remote *remote = NULL;
    struct fixture fixture;
    char error[256] = "";

    begin(&fixture, LONG);
    /* In TLS 1.3 the client speaks last: that it is refused it may learn only from what it reads next. */
    if (remote_connect(fixture.machine.address, &other, LIMIT_MS, &remote, error, sizeof(error)) == 0) {
        unsigned char reply[64];
        size_t length;
        assert_int_not_equal(remote_receive(remote, reply, sizeof(reply), LIMIT_MS, &length), 0);
        remote_free(remote);
    } else
        assert_non_null(strstr(error, "another secret"));
    end(&fixture);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int run_relay(const char *const *arguments, char *output, size_t size)
{
    int ends[2], status;
    size_t length = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        execv(RELAY, (char **)arguments);
        _exit(127);
    }
    close(ends[1]);
    while (length < size - 1 && (got = read(ends[0], output + length, size - 1 - length)) > 0)
        length += (size_t)got;
    output[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void test_a_relay_that_cannot_start_says_why_in_one_line(void **state)
{
    char folder[96], secret[96], address[64], output[1024];
    const struct {
        const char *secret, *address;
        int status;
        const char *words;
    } table[] = {
        {"short", NULL, 1, "32 to 4096 bytes"},
        {"another secret, and long enough to be one", NULL, 1, "another secret"},
        {"another secret, and long enough to be one", "127.0.0.1:1", 1, "refused"},
        {"another secret, and long enough to be one", "127.0.0.1", 1, "HOST:PORT"},
        {"another secret, and long enough to be one", "no.such.host.invalid:1", 1, "no.such.host.invalid"},
    };
    const char *arguments[] = {RELAY,           "--dir", folder,           "--redirector", address,
                               "--secret-file", secret,  "--peer-timeout", LONG,           NULL};
    const char *none[] = {RELAY, "--dir", folder, NULL};
    struct fixture fixture;

    begin(&fixture, LONG);
    snprintf(folder, sizeof(folder), "%s/relay", fixture.machine.parent);
    snprintf(secret, sizeof(secret), "%s/other", fixture.machine.parent);
    for (size_t i = 0; i < COUNT(table); i++) {
        write_file(secret, table[i].secret);
        snprintf(address, sizeof(address), "%s", table[i].address ? table[i].address : fixture.machine.address);
        assert_int_equal(run_relay(arguments, output, sizeof(output)), table[i].status);
        if (!strstr(output, table[i].words) || strchr(output, '\n') != output + strlen(output) - 1)
            fail_msg("row %zu: \"%s\" is not one line with \"%s\"", i, output, table[i].words);
        assert_int_not_equal(access(folder, F_OK), 0);
    }
    unlink(secret);
    assert_int_equal(run_relay(none, output, sizeof(output)), 2);
    end(&fixture);
}

static void test_a_join_is_checked(void **state)
{
    struct remote *remote, *keeper;
    struct join_message message;
    struct fixture fixture;

    begin(&fixture, LONG);
    message = good_join();
    message.header.version = WIRE_VERSION + 1;
    expect_join(remote = connect_with(&fixture, &fixture.secret), &message, sizeof(message), STATUS_REVISION_MISMATCH);
    remote_free(remote);
    message = good_join();
    message.header.op = WIRE_HELLO;
    expect_join(remote = connect_with(&fixture, &fixture.secret), &message, sizeof(message),
                STATUS_INVALID_DEVICE_STATE);
    remote_free(remote);
    message = good_join();
    message.header.length--;
    expect_join(remote = connect_with(&fixture, &fixture.secret), &message, sizeof(message) - 1,
                STATUS_INVALID_PARAMETER);
    remote_free(remote);
    message = good_join();
    message.join.keeper = 2;
    expect_join(remote = connect_with(&fixture, &fixture.secret), &message, sizeof(message), STATUS_INVALID_PARAMETER);
    remote_free(remote);
    message = good_join();
    message.join.keeper = 0; /* of no link that there is */
    expect_join(remote = connect_with(&fixture, &fixture.secret), &message, sizeof(message), STATUS_CONNECTION_INVALID);
    remote_free(remote);
    message = good_join();
    keeper = join_by_hand(&fixture);
    expect_join(remote = connect_with(&fixture, &fixture.secret), &message, sizeof(message), STATUS_CONNECTION_INVALID);
    remote_free(remote);
    remote_free(keeper);
    end(&fixture);
}

static void test_garbage_is_hung_up_on(void **state)
{
    static const char *const words[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x16\x03\x01\x02\x00",
                                        "RDLB\x01\x00\x01\x00", "\xfeSMB@", ""};
    unsigned char noise[300];
    uint32_t seed = getenv("RDRLAB_SOAK") ? (uint32_t)time(NULL) : 235425; /* what was green stays green */
    struct fixture fixture;

    begin(&fixture, SHORT);
    print_message("RDRLAB_SEED=%u\n", seed);
    for (size_t i = 0; i < COUNT(words); i++) {
        int fd = tcp_connect(port_of(fixture.machine.address));
        send(fd, words[i], strlen(words[i]), MSG_NOSIGNAL);
        expect_hang_up(fd);
    }
    for (int round = 0; round < 50; round++) {
        int fd = tcp_connect(port_of(fixture.machine.address));
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
        if (round % 2)
            memcpy(noise, "\x16\x03\x01\x01\x00\x01", 6); /* as TLS begins */
        send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        expect_hang_up(fd);
    }
    end(&fixture);
}

static void test_messages_that_make_no_sense_end_the_link(void **state)
{
    static unsigned char huge[WIRE_MESSAGE_MAX + 100];
    static const struct {
        size_t size;
        struct wire_header header;
    } table[] = {
        {16, {WIRE_MAGIC ^ 1, WIRE_VERSION, WIRE_MACHINE, 16, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION + 1, WIRE_MACHINE, 16, 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 15, 0}},
        {sizeof(huge), {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, sizeof(huge), 0}},
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, UINT32_MAX, 0}},
        {5, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 16, 0}},   /* and then nothing */
        {16, {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, 500, 0}}, /* and then nothing */
    };
    unsigned char reply[1024];
    struct fixture fixture;
    size_t length;

    begin(&fixture, SHORT);
    for (size_t i = 0; i < COUNT(table); i++) {
        struct remote *remote = join_by_hand(&fixture);
        int result;
        memcpy(huge, &table[i].header, sizeof(table[i].header));
        remote_send(remote, huge, table[i].size);
        result = remote_receive(remote, reply, sizeof(reply), LIMIT_MS, &length);
        if (result != -ECONNRESET)
            fail_msg("row %zu: %s", i, result ? strerror(-result) : "an answer");
        remote_free(remote);
        await_machine(&fixture.way, 1, 0);
    }
    end(&fixture);
}

static void test_a_file_of_its_own_is_no_relays(void **state)
{
    static unsigned char message[sizeof(struct wire_header) + sizeof(struct wire_create)], reply[WIRE_MESSAGE_MAX];
    struct wire_header header = {WIRE_MAGIC, WIRE_VERSION, WIRE_CREATE, sizeof(message), 0};
    struct wire_create create = {.disposition = FILE_OPEN};
    struct fixture fixture;
    struct remote *remote;
    size_t length;

    begin(&fixture, LONG);
    remote = join_by_hand(&fixture);
    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), &create, sizeof(create));
    assert_int_equal(remote_send(remote, message, sizeof(message)), 0);
    assert_int_equal(remote_receive(remote, reply, sizeof(reply), LIMIT_MS, &length), 0);
    memcpy(&header, reply, sizeof(header));
    assert_status((NTSTATUS)header.status, STATUS_INVALID_PARAMETER);
    remote_free(remote);
    end(&fixture);
}

/* ---- time ---- */

/* A handshake is to be over in time however busily it is spun out. */
static void test_a_slow_handshake_is_hung_up_on(void **state)
{
    unsigned char hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03};
    struct pollfd watch = {.events = POLLIN | POLLRDHUP};
    struct fixture fixture;
    unsigned i = 0;

    begin(&fixture, SHORT);
    watch.fd = tcp_connect(port_of(fixture.machine.address));
    for (; i < LIMIT_MS / 100; i++) {
        send(watch.fd, &hello[i < sizeof(hello) ? i : sizeof(hello) - 1], 1, MSG_NOSIGNAL);
        if (poll(&watch, 1, 100) == 1)
            break;
    }
    assert_true(i < LIMIT_MS / 100);
    close(watch.fd);
    end(&fixture);
}

static void test_strangers_are_bounded_and_keep_nobody_out_for_long(void **state)
{
    int fds[TOO_MANY], refused = 0;
    struct fixture fixture;
    struct daemon relay;
    char byte;

    begin(&fixture, SHORT);
    for (int i = 0; i < TOO_MANY; i++)
        fds[i] = tcp_connect(port_of(fixture.machine.address));
    /* Those beyond the bound are hung up on one by one; the others have until the patience is over. */
    for (int i = STRANGER_MAX; i < TOO_MANY; i++)
        refused += recv(fds[i], &byte, 1, 0) <= 0;
    assert_int_equal(refused, TOO_MANY - STRANGER_MAX);
    way_machine(&fixture.way);
    for (int i = 0; i < TOO_MANY; i++)
        expect_hang_up(fds[i]);
    start_relay(&fixture, "relay", &relay);
    assert_int_equal(daemon_stop_relay(&relay), 0);
    end(&fixture);
}

static void test_a_keeper_that_says_nothing_loses_its_link(void **state)
{
    struct join_message line = good_join();
    struct remote *keeper, *other;
    unsigned char reply[64];
    struct fixture fixture;
    size_t length;

    begin(&fixture, SHORT);
    keeper = join_by_hand(&fixture);
    line.join.keeper = 0;
    line.join.process_id = 7;
    expect_join(other = connect_with(&fixture, &fixture.secret), &line, sizeof(line), STATUS_SUCCESS);
    /* Not the one that only waits for its next request: the link as a whole is over. */
    assert_int_equal(remote_receive(other, reply, sizeof(reply), LIMIT_MS, &length), -ECONNRESET);
    assert_int_equal(remote_receive(keeper, reply, sizeof(reply), LIMIT_MS, &length), -ECONNRESET);
    remote_free(other);
    remote_free(keeper);
    end(&fixture);
}

/* ---- saying it again ---- */

/* Passes one connection on, and keeps what the client has said. */
struct recorder {
    int listener, port, machine_port;
    unsigned char said[16384];
    size_t length;
};

static void *record(void *argument)
{
    struct recorder *recorder = argument;
    struct pollfd watch[2] = {{.events = POLLIN}, {.events = POLLIN}};
    unsigned char bytes[4096];
    ssize_t got;

    watch[0].fd = accept(recorder->listener, NULL, NULL);
    watch[1].fd = tcp_connect(recorder->machine_port);
    while (poll(watch, 2, LIMIT_MS) > 0) {
        int from = watch[0].revents ? 0 : 1;
        got = recv(watch[from].fd, bytes, sizeof(bytes), 0);
        if (got <= 0)
            break;
        if (from == 0 && recorder->length + (size_t)got <= sizeof(recorder->said)) {
            memcpy(recorder->said + recorder->length, bytes, (size_t)got);
            recorder->length += (size_t)got;
        }
        if (send(watch[1 - from].fd, bytes, (size_t)got, MSG_NOSIGNAL) != got)
            break;
    }
    close(watch[0].fd);
    close(watch[1].fd);
    return NULL;
}

static void test_what_was_said_once_is_nothing_the_second_time(void **state)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    static struct recorder recorder;
    struct join_message message = good_join();
    socklen_t size = sizeof(own);
    struct remote *remote = NULL;
    struct fixture fixture;
    char address[32], error[256];
    pthread_t thread;
    int fd;

    begin(&fixture, LONG);
    recorder = (struct recorder){.machine_port = port_of(fixture.machine.address)};
    recorder.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(recorder.listener, (struct sockaddr *)&own, size) | listen(recorder.listener, 1), 0);
    getsockname(recorder.listener, (struct sockaddr *)&own, &size);
    assert_int_equal(pthread_create(&thread, NULL, record, &recorder), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(own.sin_port));
    assert_int_equal(remote_connect(address, &fixture.secret, LIMIT_MS, &remote, error, sizeof(error)), 0);
    expect_join(remote, &message, sizeof(message), STATUS_SUCCESS);
    remote_free(remote);
    pthread_join(thread, NULL);
    close(recorder.listener);
    await_machine(&fixture.way, 1, 0);

    assert_true(recorder.length > sizeof(message));
    fd = tcp_connect(recorder.machine_port);
    assert_int_equal(send(fd, recorder.said, recorder.length, MSG_NOSIGNAL), (ssize_t)recorder.length);
    assert_int_equal(way_machine(&fixture.way).clients, 1);
    expect_hang_up(fd);
    assert_int_equal(way_machine(&fixture.way).clients, 1);
    end(&fixture);
}

/* ---- what a link owns ---- */

static void await_letters(const struct wire_client *client, uint32_t letters)
{
    for (int i = 0; i < LIMIT_MS / 2 && wire_letters(client) != letters; i++)
        usleep(2000);
    assert_int_equal(wire_letters(client), letters);
}

static void test_letters_are_known_on_every_side_and_go_with_their_link(void **state)
{
    const uint32_t x = 1u << LETTER_X, y = 1u << (LETTER_X + 1);
    struct daemon relays[2];
    struct fixture fixture;
    struct way ways[2];

    begin(&fixture, LONG);
    for (int i = 0; i < 2; i++) {
        start_relay(&fixture, i ? "second" : "first", &relays[i]);
        ways[i] = map(&relays[i], LETTER_X + (uint32_t)i);
        assert_true(wire_letters(ways[i].client) & (i ? y : x)); /* at once where it was asked for */
    }
    for (int i = 0; i < 2; i++)
        await_letters(ways[i].client, x | y);
    assert_int_equal(wire_letters(fixture.way.client), x | y);
    assert_status(way_map(&ways[1], LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_OBJECT_NAME_COLLISION);
    wire_disconnect(ways[0].client);
    assert_int_equal(daemon_stop_relay(&relays[0]), 0);
    await_letters(ways[1].client, y);
    assert_status(way_unmap(&ways[1], LETTER_X + 1, 0), STATUS_SUCCESS);
    assert_int_equal(wire_letters(ways[1].client), 0);
    wire_disconnect(ways[1].client);
    assert_int_equal(daemon_stop_relay(&relays[1]), 0);
    assert_int_equal(wire_letters(fixture.way.client), 0);
    end(&fixture);
}

static size_t list_bytes(const struct way *way)
{
    static struct wire_reply reply;
    const struct wire_list_connections all = {0};

    assert_int_equal(way_call(way, WIRE_LIST_CONNECTIONS, &all, sizeof(all), NULL, 0, &reply), 0);
    return reply.length - sizeof(struct wire_done);
}

/* A connection without a letter is whose who made it last. */
static void test_connections_without_a_letter_go_with_their_link(void **state)
{
    struct daemon relays[2];
    struct fixture fixture;
    struct way ways[2];

    begin(&fixture, LONG);
    for (int i = 0; i < 2; i++) {
        start_relay(&fixture, i ? "second" : "first", &relays[i]);
        ways[i] = map(&relays[i], WIRE_NO_LETTER);
    }
    assert_true(list_bytes(&fixture.way) != 0);
    for (int i = 0; i < 2; i++) {
        wire_disconnect(ways[i].client);
        assert_int_equal(daemon_stop_relay(&relays[i]), 0);
        if (i == 0) { /* once the machine has done with the first one's link */
            await_machine(&fixture.way, 3, 0);
            assert_true(list_bytes(&fixture.way) != 0);
        }
    }
    await_machine(&fixture.way, 1, 0);
    for (int i = 0; i < LIMIT_MS / 2 && list_bytes(&fixture.way) != 0; i++)
        usleep(2000);
    assert_int_equal(list_bytes(&fixture.way), 0);
    end(&fixture);
}

static void test_relays_share_files_as_programs_do(void **state)
{
    struct opening exclusive = {.name = u"\\??\\X:\\probe.txt",
                                .access = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE,
                                .disposition = FILE_OPEN,
                                .options = FILE_SYNCHRONOUS_IO_NONALERT};
    struct daemon relays[2];
    struct fixture fixture;
    struct way ways[2];
    uint64_t token, other;
    int fd;

    begin(&fixture, LONG);
    for (int i = 0; i < 2; i++)
        start_relay(&fixture, i ? "second" : "first", &relays[i]);
    ways[0] = map(&relays[0], LETTER_X);
    ways[1] = (struct way){daemon_connect(&relays[1], 1), NULL};
    assert_status(way_open(&ways[0], &exclusive, &token), STATUS_SUCCESS);
    fd = token_open(ways[0].client, token);
    assert_status(way_open(&ways[1], &exclusive, &other), STATUS_SHARING_VIOLATION);
    close(fd);
    way_machine(&ways[0]); /* whatever it asks: by then the file is closed everywhere */
    assert_status(way_open(&ways[1], &exclusive, &other), STATUS_SUCCESS);
    assert_int_equal(way_machine(&ways[1]).open_tokens, 1);
    for (int i = 0; i < 2; i++) {
        wire_disconnect(ways[i].client);
        assert_int_equal(daemon_stop_relay(&relays[i]), 0);
    }
    end(&fixture);
}

static pthread_barrier_t together;

static void *ask_first(void *argument)
{
    static _Thread_local struct wire_reply reply;
    const struct way *way = argument;

    pthread_barrier_wait(&together);
    return (void *)(intptr_t)way_call(way, WIRE_MACHINE, NULL, 0, NULL, 0, &reply);
}

/* Each needs a connection of its own, and the machine lets few at its door at once. */
static void test_threads_that_ask_at_once_are_all_answered(void **state)
{
    enum { THREADS = 60 };
    struct way ways[THREADS];
    pthread_t threads[THREADS];
    struct fixture fixture;
    struct daemon relay;
    void *result;

    begin(&fixture, LONG);
    start_relay(&fixture, "relay", &relay);
    ways[0].client = daemon_connect(&relay, 1);
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        ways[i].client = ways[0].client;
        assert_int_equal(wire_line_open(ways[i].client, &ways[i].line), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, ask_first, &ways[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
        wire_line_close(ways[i].line);
    }
    pthread_barrier_destroy(&together);
    wire_disconnect(ways[0].client);
    assert_int_equal(daemon_stop_relay(&relay), 0);
    end(&fixture);
}

/* ---- deaths ---- */

static void expect_closed_after(void (*what)(struct daemon *relay), const char *patience)
{
    struct fixture fixture;
    struct daemon relay;
    struct way way;
    uint64_t token;

    begin(&fixture, patience);
    start_relay(&fixture, "relay", &relay);
    way = map(&relay, LETTER_X);
    assert_status(way_open_read(&way, u"\\??\\X:\\probe.txt", &token), STATUS_SUCCESS);
    token_open(way.client, token);
    assert_int_equal(way_machine(&fixture.way).open_tokens, 1);
    what(&relay);
    await_machine(&fixture.way, 1, 0);
    await_letters(fixture.way.client, 0);
    wire_disconnect(way.client);
    kill(relay.pid, SIGCONT);
    kill(relay.pid, SIGKILL);
    waitpid(relay.pid, NULL, 0);
    daemon_forget_relay(&relay);
    end(&fixture);
}

static void kill_it(struct daemon *relay)
{
    kill(relay->pid, SIGKILL);
}

/* The network, or its system, is gone: no end of a connection is ever seen. */
static void stop_it(struct daemon *relay)
{
    kill(relay->pid, SIGSTOP);
}

static void test_a_killed_relays_files_are_closed(void **state)
{
    expect_closed_after(kill_it, LONG);
}

static void test_a_silent_relays_files_are_closed(void **state)
{
    expect_closed_after(stop_it, SHORT);
}

static void expect_lost(int signal, const char *patience)
{
    static struct wire_reply reply;
    struct fixture fixture;
    struct daemon relay;
    struct way way;
    int status;

    begin(&fixture, patience);
    start_relay(&fixture, "relay", &relay);
    way = map(&relay, LETTER_X);
    kill(fixture.machine.pid, signal);
    /* The call in progress fails as soon as the relay knows, and the relay ends. */
    while (way_call(&way, WIRE_MACHINE, NULL, 0, NULL, 0, &reply) == 0)
        ;
    assert_int_equal(waitpid(relay.pid, &status, 0), relay.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_int_not_equal(access(relay.folder, F_OK), 0);
    daemon_forget_relay(&relay);
    wire_disconnect(way.client);
    wire_disconnect(fixture.way.client);
    daemon_kill(&fixture.machine);
}

static void test_a_machine_that_dies_ends_its_relays(void **state)
{
    expect_lost(SIGKILL, LONG);
}

static void test_a_machine_that_falls_silent_ends_its_relays(void **state)
{
    expect_lost(SIGSTOP, SHORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_relay_is_refused_for_its_secret),
        cmocka_unit_test(test_a_relay_that_cannot_start_says_why_in_one_line),
        cmocka_unit_test(test_a_join_is_checked),
        cmocka_unit_test(test_garbage_is_hung_up_on),
        cmocka_unit_test(test_messages_that_make_no_sense_end_the_link),
        cmocka_unit_test(test_a_file_of_its_own_is_no_relays),
        cmocka_unit_test(test_a_slow_handshake_is_hung_up_on),
        cmocka_unit_test(test_strangers_are_bounded_and_keep_nobody_out_for_long),
        cmocka_unit_test(test_a_keeper_that_says_nothing_loses_its_link),
        cmocka_unit_test(test_what_was_said_once_is_nothing_the_second_time),
        cmocka_unit_test(test_letters_are_known_on_every_side_and_go_with_their_link),
        cmocka_unit_test(test_connections_without_a_letter_go_with_their_link),
        cmocka_unit_test(test_relays_share_files_as_programs_do),
        cmocka_unit_test(test_threads_that_ask_at_once_are_all_answered),
        cmocka_unit_test(test_a_killed_relays_files_are_closed),
        cmocka_unit_test(test_a_silent_relays_files_are_closed),
        cmocka_unit_test(test_a_machine_that_dies_ends_its_relays),
        cmocka_unit_test(test_a_machine_that_falls_silent_ends_its_relays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
