/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that are elsewhere, and the connections to them. See relay.h. */
#include "relay.h"

#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define WATCH_MS 1000 /* of the keeper, before the machine answers all the same */

struct connection {
    struct remote *remote;
    struct process *process; /* NULL: the relay itself */
    struct connection *next; /* host->lock: of the process's */
};

struct process {
    struct host *host;
    uint32_t number; /* 0 is the relay itself */
    char program[64];
    bool cancelled;                 /* host->lock */
    struct connection *connections; /* host->lock */
};

static struct {
    struct relay_options options;
    struct host *host;
    unsigned char link[sizeof(((struct wire_join *)0)->link)];
    struct connection keeper, closer;
    pthread_mutex_t closer_lock;
    pthread_t thread;
    bool has_thread;
    atomic_bool ending;
    int lost;
    uint32_t letters, serial; /* host->lock */
} relay = {.closer_lock = PTHREAD_MUTEX_INITIALIZER, .lost = -1};

static _Thread_local struct process *my_process;
static _Thread_local struct connection *my_connection;

/* ---- connections ---- */

static void lose(const char *why)
{
    if (!atomic_exchange(&relay.ending, true)) {
        host_error("the machine at %s is lost: %s", relay.options.address, why);
        eventfd_write(relay.lost, 1);
    }
}

static int exchange(struct connection *connection, const void *request, size_t length, int wait_ms, void *reply,
                    size_t *ret_length)
{
    struct wire_header asked, answered;
    int result = remote_send(connection->remote, request, length);

    if (result == 0)
        result = remote_receive(connection->remote, reply, WIRE_MESSAGE_MAX, wait_ms, ret_length);
    if (result != 0)
        return result;
    memcpy(&asked, request, sizeof(asked));
    memcpy(&answered, reply, sizeof(answered));
    return answered.op == asked.op && answered.version == WIRE_VERSION ? 0 : -EPROTO;
}

static int say(char *error, size_t size, int code, const char *words)
{
    snprintf(error, size, "%s: %s", relay.options.address, words);
    return code;
}

static int take_welcome(const unsigned char *reply, size_t length, struct wire_welcome *welcome, char *error,
                        size_t error_size)
{
    struct wire_header header;
    char words[80];

    memcpy(&header, reply, sizeof(header));
    if (header.version != WIRE_VERSION || header.status == (uint32_t)STATUS_REVISION_MISMATCH) {
        snprintf(words, sizeof(words), "the machine speaks wire version %u, and this relay %u",
                 (unsigned)header.version, (unsigned)WIRE_VERSION);
        return say(error, error_size, -EPROTO, words);
    }
    if (header.status != 0) {
        snprintf(words, sizeof(words), "the machine refuses with status 0x%08X", header.status);
        return say(error, error_size, -ECONNREFUSED, words);
    }
    if (header.op != WIRE_JOIN || length != sizeof(header) + sizeof(*welcome))
        return say(error, error_size, -EPROTO, "the machine's welcome makes no sense");
    memcpy(welcome, reply + sizeof(header), sizeof(*welcome));
    welcome->build[sizeof(welcome->build) - 1] = '\0';
    return 0;
}

static int join(struct connection *connection, bool keeper, struct wire_welcome *welcome, char *error,
                size_t error_size)
{
    const struct process *process = connection->process;
    struct {
        struct wire_header header;
        struct wire_join join;
    } message = {.header = {WIRE_MAGIC, WIRE_VERSION, WIRE_JOIN, sizeof(message), 0}};
    unsigned char reply[1024];
    size_t length = 0;
    int result;

    memcpy(message.join.link, relay.link, sizeof(message.join.link));
    message.join.process_id = process ? process->number : 0;
    message.join.keeper = keeper;
    snprintf(message.join.program, sizeof(message.join.program), "%s", process ? process->program : "rdrlab-relay");
    result = remote_send(connection->remote, &message, sizeof(message));
    if (result == 0)
        result = remote_receive(connection->remote, reply, sizeof(reply), relay.options.patience_ms, &length);
    return result == 0 ? take_welcome(reply, length, welcome, error, error_size)
                       : say(error, error_size, result, remote_error(result));
}

static int connect_as(struct connection *connection, struct process *process, bool keeper, struct wire_welcome *welcome,
                      char *error, size_t error_size)
{
    int result = remote_connect(relay.options.address, &relay.options.secret, relay.options.patience_ms,
                                &connection->remote, error, error_size);

    connection->process = process;
    return result == 0 ? join(connection, keeper, welcome, error, error_size) : result;
}

static void disconnect(struct connection *connection)
{
    remote_free(connection->remote);
    connection->remote = NULL;
}

/* ---- the calling thread's ---- */

static void forget_mine(void)
{
    struct connection **place;

    if (!my_connection)
        return;
    pthread_mutex_lock(&relay.host->lock);
    for (place = &my_process->connections; *place != my_connection; place = &(*place)->next)
        ;
    *place = my_connection->next;
    pthread_mutex_unlock(&relay.host->lock);
    disconnect(my_connection);
    free(my_connection);
    my_connection = NULL;
}

/* One thread after the other: the machine hangs up on more strangers than it bears at once (listener.h). */
static bool knock(struct connection *connection)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    struct wire_welcome welcome;
    char error[512];
    int result;

    pthread_mutex_lock(&turn);
    result = connect_as(connection, my_process, false, &welcome, error, sizeof(error));
    pthread_mutex_unlock(&turn);
    if (result != 0)
        host_error("\"%s\" gets no connection: %s", my_process->program, error);
    return result == 0;
}

/* A client that is cancelled meanwhile gets none. */
static bool have_mine(void)
{
    struct connection *connection;
    bool wanted;

    if (my_connection)
        return true;
    connection = calloc(1, sizeof(*connection));
    if (!connection)
        return false;
    if (!knock(connection)) {
        disconnect(connection);
        free(connection);
        return false;
    }
    my_connection = connection;
    pthread_mutex_lock(&relay.host->lock);
    connection->next = my_process->connections;
    my_process->connections = connection;
    wanted = !my_process->cancelled;
    pthread_mutex_unlock(&relay.host->lock);
    return wanted;
}

size_t relay_exchange(const void *request, size_t length, void *reply)
{
    size_t got = 0;
    bool cancelled;
    int result;

    if (!have_mine())
        return 0;
    /* However long it takes the machine: the keeper watches whether it lives. */
    result = exchange(my_connection, request, length, -1, reply, &got);
    if (result == 0)
        return got;
    pthread_mutex_lock(&relay.host->lock);
    cancelled = my_process->cancelled;
    pthread_mutex_unlock(&relay.host->lock);
    if (!cancelled)
        lose(remote_error(result));
    return 0;
}

/* ---- process.h ---- */

NTSTATUS process_open(struct peer *peer, ULONG session, struct process **ret_process)
{
    struct process *process;

    if (session)
        return STATUS_NOT_SUPPORTED;
    process = calloc(1, sizeof(*process));
    if (!process)
        return STATUS_INSUFFICIENT_RESOURCES;
    process->host = peer->host;
    process->number = (uint32_t)peer->number;
    snprintf(process->program, sizeof(process->program), "%s", peer->program);
    *ret_process = process;
    return STATUS_SUCCESS;
}

void process_close(struct peer *peer, struct process *process)
{
    free(process);
}

void process_enter(struct process *process)
{
    if (process != my_process)
        forget_mine();
    my_process = process;
}

/* The machine cancels what a connection waits for when it hears that no more requests come, and answers it still. */
void process_cancel(struct process *process)
{
    process->cancelled = true;
    for (struct connection *connection = process->connections; connection; connection = connection->next)
        shutdown(remote_socket(connection->remote), SHUT_WR);
}

uint32_t process_letters(struct process *process)
{
    return relay.letters;
}

void process_close_handle(HANDLE handle)
{
    struct {
        struct wire_header header;
        struct wire_token token;
    } message = {{WIRE_MAGIC, WIRE_VERSION, WIRE_CLOSE, sizeof(message), 0}, {(uint64_t)(uintptr_t)handle}};
    static unsigned char reply[WIRE_MESSAGE_MAX]; /* closer_lock */
    size_t length;
    int result;

    pthread_mutex_lock(&relay.closer_lock);
    result = atomic_load(&relay.ending) ? 0 : exchange(&relay.closer, &message, sizeof(message), -1, reply, &length);
    pthread_mutex_unlock(&relay.closer_lock);
    if (result != 0)
        lose(remote_error(result));
}

/* ---- letters ---- */

static void fill_watch(unsigned char *message, uint32_t serial, uint32_t patience)
{
    struct wire_header header = {WIRE_MAGIC, WIRE_VERSION, WIRE_WATCH_LETTERS, 0, 0};
    struct wire_watch watch = {serial, patience};

    header.length = sizeof(header) + sizeof(watch);
    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), &watch, sizeof(watch));
}

/* An older answer than one known already changes nothing: connections may overtake each other. */
static void take_letters(struct host *host, const unsigned char *reply, size_t length)
{
    struct wire_letters letters;
    bool newer;

    if (length < sizeof(struct wire_header) + sizeof(letters))
        return;
    memcpy(&letters, reply + sizeof(struct wire_header), sizeof(letters));
    pthread_mutex_lock(&host->lock);
    newer = (int32_t)(letters.serial - relay.serial) >= 0;
    if (newer) {
        relay.letters = letters.letters;
        relay.serial = letters.serial;
    }
    pthread_mutex_unlock(&host->lock);
    if (newer)
        peer_publish_letters(host);
}

#define WATCH_SIZE (sizeof(struct wire_header) + sizeof(struct wire_watch))

void relay_learn_letters(struct host *host)
{
    unsigned char request[WATCH_SIZE], *reply = malloc(WIRE_MESSAGE_MAX);
    size_t length;

    fill_watch(request, 0, 0);
    length = reply ? relay_exchange(request, sizeof(request), reply) : 0;
    if (length)
        take_letters(host, reply, length);
    free(reply);
}

static void *keeper_thread(void *argument)
{
    static unsigned char reply[WIRE_MESSAGE_MAX];
    unsigned char request[WATCH_SIZE];
    struct host *host = argument;
    size_t length = 0;
    uint32_t serial;
    int result = 0;

    while (!atomic_load(&relay.ending)) {
        pthread_mutex_lock(&host->lock);
        serial = relay.serial;
        pthread_mutex_unlock(&host->lock);
        fill_watch(request, serial, WATCH_MS);
        result = exchange(&relay.keeper, request, sizeof(request), relay.options.patience_ms, reply, &length);
        if (result != 0)
            break;
        take_letters(host, reply, length);
    }
    if (result != 0)
        lose(remote_error(result));
    return NULL;
}

/* ---- the link ---- */

int relay_open(struct host *host, const struct relay_options *options, int lost, char *error, size_t error_size)
{
    struct wire_welcome welcome = {0};
    int result;

    relay.options = *options;
    relay.host = host;
    relay.lost = lost;
    if (getrandom(relay.link, sizeof(relay.link), 0) != (ssize_t)sizeof(relay.link))
        return say(error, error_size, -errno, "there are no random numbers here");
    result = connect_as(&relay.keeper, NULL, true, &welcome, error, error_size);
    if (result == 0)
        result = connect_as(&relay.closer, NULL, false, &welcome, error, error_size);
    if (result != 0)
        return result;
    memcpy(host->welcome.build, welcome.build, sizeof(host->welcome.build));
    relay.has_thread = pthread_create(&relay.thread, NULL, keeper_thread, host) == 0;
    return relay.has_thread ? 0 : say(error, error_size, -EAGAIN, "no thread for it");
}

/* Clients wait for answers that will not come: their connections are ended, not only half of them. */
void relay_give_up(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    for (struct peer *peer = host->peers; peer; peer = peer->next)
        for (struct connection *connection = peer->process ? peer->process->connections : NULL; connection;
             connection = connection->next)
            shutdown(remote_socket(connection->remote), SHUT_RDWR);
    pthread_mutex_unlock(&host->lock);
    if (relay.closer.remote)
        shutdown(remote_socket(relay.closer.remote), SHUT_RDWR);
}

void relay_close(void)
{
    atomic_store(&relay.ending, true);
    if (relay.has_thread) {
        shutdown(remote_socket(relay.keeper.remote), SHUT_RDWR);
        pthread_join(relay.thread, NULL);
    }
    disconnect(&relay.closer);
    disconnect(&relay.keeper);
    explicit_bzero(&relay.options.secret, sizeof(relay.options.secret));
}
