/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The native client: a SOCK_SEQPACKET connection, and lines through the shared region. */
#include "client.h"

#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HELLO_SECONDS 10

enum {
    STATUS_REVISION_MISMATCH_ = (int)0xC0000059,
    STATUS_TOO_MANY_SESSIONS_ = (int)0xC00000CE,
    STATUS_NOT_SUPPORTED_ = (int)0xC00000BB
};

struct wire_client {
    int socket;
    pthread_mutex_t lock; /* one exchange on the socket at a time */
    struct wire_region *region;
    size_t region_size;
    struct wire_welcome welcome;
    _Alignas(16) unsigned char message[WIRE_MESSAGE_MAX]; /* under lock */
};

struct wire_line {
    struct wire_client *client;
    struct wire_slot *slot;
    struct wire_patience patience;
};

static int fail(char *error, size_t error_size, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(char *error, size_t error_size, int code, const char *format, ...)
{
    va_list arguments;

    if (error && error_size) {
        va_start(arguments, format);
        vsnprintf(error, error_size, format, arguments);
        va_end(arguments);
    }
    return code;
}

/* ---- connecting ---- */

/* By way of /proc/self/fd, since a socket's own address has room for 107 bytes only. */
static int connect_socket(const char *folder, int *ret_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t peer_size = sizeof(peer);
    int folder_fd, fd, result = 0;

    folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", folder_fd);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        result = -errno;
    close(folder_fd);
    if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0)
        result = -errno;
    /* Passwords go over it: not to somebody else's socket that was put in the way. */
    if (result == 0 && peer.uid != geteuid() && peer.uid != 0)
        result = -EACCES;
    if (result != 0) {
        if (fd >= 0)
            close(fd);
        return result;
    }
    *ret_socket = fd;
    return 0;
}

static int receive_with_descriptor(int fd, void *buffer, size_t size, size_t *ret_length, int *ret_descriptor)
{
    struct iovec part = {buffer, size};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t length;

    do
        length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    *ret_descriptor = -1;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item))
        if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS)
            memcpy(ret_descriptor, CMSG_DATA(item), sizeof(int));
    *ret_length = (size_t)length;
    return 0;
}

static int send_hello(struct wire_client *client, const struct wire_options *options)
{
    struct {
        struct wire_header header;
        struct wire_hello hello;
    } message = {.header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = WIRE_HELLO}};

    message.header.length = sizeof(message);
    message.hello.process_id = (uint32_t)getpid();
    if (options) {
        message.hello.session = options->session;
        message.hello.wants_region = options->region != 0;
        if (options->program)
            snprintf(message.hello.program, sizeof(message.hello.program), "%s", options->program);
    }
    if (send(client->socket, &message, sizeof(message), MSG_NOSIGNAL) != (ssize_t)sizeof(message))
        return -errno;
    return 0;
}

static int map_region(struct wire_client *client, int descriptor)
{
    void *map;

    if (client->welcome.region_size != sizeof(struct wire_region))
        return -EPROTO;
    map = mmap(NULL, sizeof(struct wire_region), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (map == MAP_FAILED)
        return -errno;
    client->region = map;
    client->region_size = sizeof(struct wire_region);
    if (client->region->magic != WIRE_MAGIC || client->region->slot_count != WIRE_SLOT_COUNT)
        return -EPROTO;
    return 0;
}

static int read_welcome(struct wire_client *client, const char *folder, const struct wire_options *options, char *error,
                        size_t error_size)
{
    struct timeval patience = {.tv_sec = HELLO_SECONDS}, forever = {0};
    struct wire_header header = {0};
    size_t length = 0;
    int descriptor = -1, result;

    setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    result = receive_with_descriptor(client->socket, client->message, sizeof(client->message), &length, &descriptor);
    setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
    if (result == -ETIMEDOUT)
        return fail(error, error_size, result, "the machine in %s does not answer", folder);
    if (result != 0 || length < sizeof(header)) {
        result = result ? result : -ECONNRESET;
        fail(error, error_size, result, "the machine in %s hung up: %s", folder, strerror(-result));
        goto exit;
    }
    memcpy(&header, client->message, sizeof(header));
    result = -EPROTO;
    if (header.magic != WIRE_MAGIC || header.op != WIRE_HELLO) {
        fail(error, error_size, result, "what listens in %s is not an rdrlab machine", folder);
        goto exit;
    }
    if (header.version != WIRE_VERSION || header.status == (uint32_t)STATUS_REVISION_MISMATCH_) {
        fail(error, error_size, result, "the machine in %s speaks wire version %u, this program version %u", folder,
             header.version, WIRE_VERSION);
        goto exit;
    }
    if (header.status == (uint32_t)STATUS_NOT_SUPPORTED_ && options && options->session) {
        result = -EOPNOTSUPP;
        fail(
            error, error_size, result,
            "the machine in %s has no session %u: only builds of Terminal Server (tse-*) have sessions, and a relay is "
            "one itself",
            folder, options->session);
        goto exit;
    }
    if (header.status != 0) {
        result = header.status == (uint32_t)STATUS_TOO_MANY_SESSIONS_ ? -EUSERS : -ECONNREFUSED;
        fail(error, error_size, result, "the machine in %s refuses this client with status 0x%08X", folder,
             header.status);
        goto exit;
    }
    if (header.length != length || length != sizeof(header) + sizeof(client->welcome)) {
        fail(error, error_size, result, "the machine in %s sent a welcome of %zu bytes", folder, length);
        goto exit;
    }
    memcpy(&client->welcome, client->message + sizeof(header), sizeof(client->welcome));
    result = 0;
    if (options && options->region) {
        result = descriptor >= 0 ? map_region(client, descriptor) : -EPROTO;
        if (result != 0)
            fail(error, error_size, result, "the machine in %s gave no usable shared region: %s", folder,
                 strerror(-result));
    }

exit:
    if (descriptor >= 0)
        close(descriptor);
    return result;
}

static int explain_connect(int code, const char *folder, char *error, size_t error_size)
{
    switch (code) {
    case -ENOENT:
    case -ENOTDIR:
        return fail(error, error_size, -ENOENT, "there is no machine in %s", folder);
    case -ECONNREFUSED:
        return fail(error, error_size, code, "the machine in %s is gone", folder);
    case -EACCES:
    case -EPERM:
        return fail(error, error_size, -EACCES, "the machine in %s is another user's", folder);
    default:
        return fail(error, error_size, code, "cannot reach the machine in %s: %s", folder, strerror(-code));
    }
}

int wire_connect(const char *folder, const struct wire_options *options, struct wire_client **ret_client, char *error,
                 size_t error_size)
{
    struct wire_client *client;
    int result;

    if (!folder)
        folder = getenv("RDRLAB_MACHINE");
    if (!folder || !*folder)
        return fail(error, error_size, -ENOENT, "no machine was named: RDRLAB_MACHINE is not set");
    client = calloc(1, sizeof(*client));
    if (!client)
        return fail(error, error_size, -ENOMEM, "out of memory");
    client->socket = -1;
    pthread_mutex_init(&client->lock, NULL);

    result = connect_socket(folder, &client->socket);
    if (result != 0) {
        explain_connect(result, folder, error, error_size);
        result = result == -ENOTDIR ? -ENOENT : result == -EPERM ? -EACCES : result;
        goto exit;
    }
    result = send_hello(client, options);
    /* A machine that is full answers before it is asked and hangs up: the reply still stands to be read. */
    if (result != 0 && result != -EPIPE) {
        fail(error, error_size, result, "the machine in %s hung up: %s", folder, strerror(-result));
        goto exit;
    }
    result = read_welcome(client, folder, options, error, error_size);

exit:
    if (result != 0) {
        wire_disconnect(client);
        return result;
    }
    *ret_client = client;
    return 0;
}

void wire_disconnect(struct wire_client *client)
{
    if (!client)
        return;
    if (client->region)
        munmap(client->region, client->region_size);
    if (client->socket >= 0)
        close(client->socket);
    pthread_mutex_destroy(&client->lock);
    explicit_bzero(client->message, sizeof(client->message));
    free(client);
}

const struct wire_welcome *wire_welcome_of(const struct wire_client *client)
{
    return &client->welcome;
}

int wire_socket_of(const struct wire_client *client)
{
    return client->socket;
}

struct wire_region *wire_region_of(const struct wire_client *client)
{
    return client->region;
}

uint32_t wire_letters(const struct wire_client *client)
{
    return client->region ? wire_load(&client->region->letters) : 0;
}

/* ---- messages ---- */

static void build_message(unsigned char *message, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
                          size_t data_size)
{
    struct wire_header header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = op};

    header.length = (uint32_t)(sizeof(header) + fixed_size + data_size);
    memcpy(message, &header, sizeof(header));
    if (fixed_size)
        memcpy(message + sizeof(header), fixed, fixed_size);
    if (data_size)
        memcpy(message + sizeof(header) + fixed_size, data, data_size);
}

static int check_size(size_t fixed_size, size_t data_size)
{
    size_t room = WIRE_MESSAGE_MAX - sizeof(struct wire_header);

    return fixed_size > room || data_size > room - fixed_size ? -EMSGSIZE : 0;
}

/* message is a whole reply of at most `length` bytes. */
static int take_reply(const unsigned char *message, size_t length, uint16_t op, struct wire_reply *reply)
{
    struct wire_header header;

    memcpy(&header, message, sizeof(header));
    if (header.magic != WIRE_MAGIC || header.op != op || header.length < sizeof(header) || header.length > length)
        return -EPROTO;
    reply->status = header.status;
    reply->length = header.length - (uint32_t)sizeof(header);
    memcpy(reply->body, message + sizeof(header), reply->length);
    return 0;
}

static int exchange(struct wire_client *client, size_t size, ssize_t *ret_length)
{
    ssize_t length;

    do
        length = send(client->socket, client->message, size, MSG_NOSIGNAL);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno == EPIPE ? -ECONNRESET : -errno;
    do
        length = recv(client->socket, client->message, sizeof(client->message), 0);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    if (length == 0)
        return -ECONNRESET;
    *ret_length = length;
    return length < (ssize_t)sizeof(struct wire_header) ? -EPROTO : 0;
}

int wire_call(struct wire_client *client, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
              size_t data_size, struct wire_reply *reply)
{
    ssize_t length = 0;
    int result = check_size(fixed_size, data_size);

    if (result != 0)
        return result;
    pthread_mutex_lock(&client->lock);
    build_message(client->message, op, fixed, fixed_size, data, data_size);
    result = exchange(client, sizeof(struct wire_header) + fixed_size + data_size, &length);
    if (result == 0)
        result = take_reply(client->message, (size_t)length, op, reply);
    pthread_mutex_unlock(&client->lock);
    return result;
}

/* ---- lines through the region ---- */

static int send_attach(struct wire_client *client, uint32_t slot)
{
    struct {
        struct wire_header header;
        struct wire_attach_slot attach;
    } message = {.header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = WIRE_ATTACH_SLOT}, .attach = {slot, 0}};

    message.header.length = sizeof(message);
    if (send(client->socket, &message, sizeof(message), MSG_NOSIGNAL) != (ssize_t)sizeof(message))
        return -ECONNRESET;
    return 0;
}

int wire_line_open(struct wire_client *client, struct wire_line **ret_line)
{
    struct wire_line *line;
    uint32_t me = (uint32_t)syscall(SYS_gettid), slot;
    int result;

    if (!client->region)
        return -ENOTSUP;
    for (slot = 0; slot < WIRE_SLOT_COUNT; slot++)
        if (wire_claim(&client->region->slots[slot].owner, 0, me))
            break;
    if (slot == WIRE_SLOT_COUNT)
        return -EBUSY;
    line = calloc(1, sizeof(*line));
    result = line ? send_attach(client, slot) : -ENOMEM;
    if (result != 0) {
        wire_store(&client->region->slots[slot].owner, 0);
        free(line);
        return result;
    }
    line->client = client;
    line->slot = &client->region->slots[slot];
    line->patience = wire_patience_new();
    *ret_line = line;
    return 0;
}

void wire_line_close(struct wire_line *line)
{
    if (!line)
        return;
    wire_store(&line->slot->owner, 0);
    free(line);
}

/* Waits until state is no longer REQUEST. A machine that was killed wakes nobody: its socket is looked at. */
static int await_reply(struct wire_line *line)
{
    struct pollfd watch = {.fd = line->client->socket, .events = POLLRDHUP};
    struct wire_slot *slot = line->slot;
    int slept_in_vain;

    while (!wire_spin(&line->patience, &slot->state, WIRE_REQUEST)) {
        wire_store(&slot->client_waits, 1);
        slept_in_vain = wire_sleep(&slot->state, WIRE_REQUEST, 200);
        wire_store(&slot->client_waits, 0);
        if (wire_load(&slot->state) != WIRE_REQUEST)
            break;
        if (slept_in_vain && poll(&watch, 1, 0) == 1)
            return -ECONNRESET;
    }
    return wire_load(&slot->state) == WIRE_REPLY ? 0 : -ECONNRESET;
}

int wire_line_call(struct wire_line *line, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
                   size_t data_size, struct wire_reply *reply)
{
    struct wire_slot *slot = line->slot;
    int result = check_size(fixed_size, data_size);

    if (result != 0)
        return result;
    if (wire_load(&slot->state) == WIRE_DEAD)
        return -ECONNRESET;
    build_message(slot->message, op, fixed, fixed_size, data, data_size);
    wire_store(&slot->state, WIRE_REQUEST);
    if (wire_load(&slot->machine_waits))
        wire_wake(&slot->state);
    result = await_reply(line);
    if (result != 0)
        return result;
    result = take_reply(slot->message, sizeof(slot->message), op, reply);
    wire_store(&slot->state, WIRE_IDLE);
    return result;
}
