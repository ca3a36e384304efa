/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The main loop never waits for a server or a client: it accepts, sees clients die while their threads are inside a
 * service, and frees what is left of them. A client over the socket is served by its own thread.
 */
#include "server.h"

#include "service.h"
#include "slots.h"
#include "wire/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STOPPING_TICK_MS 20

int server_listen(const struct folder *folder, char *error, size_t error_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    /* By way of /proc/self/fd, since a socket's own address has room for 107 bytes only. */
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", folder->fd);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        fchmodat(folder->fd, "socket", 0600, 0) == 0 && listen(fd, 64) == 0)
        return fd;
    snprintf(error, error_size, "%s/socket: %s", folder->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- a client's thread ---- */

/* False: the client is gone, or said nothing that could be a message. */
static bool receive(struct peer *peer, struct service_buffers *buffers, size_t *ret_length)
{
    ssize_t length;

    if (peer->remote)
        return remote_receive(peer->remote, buffers->request, sizeof(buffers->request), peer->patience_ms,
                              ret_length) == 0;
    do
        length = recv(peer->socket, buffers->request, sizeof(buffers->request), MSG_TRUNC);
    while (length < 0 && errno == EINTR);
    if (length < (ssize_t)sizeof(struct wire_header) || length > (ssize_t)sizeof(buffers->request))
        return false;
    *ret_length = (size_t)length;
    return true;
}

static bool send_reply(struct peer *peer, const void *reply, size_t length)
{
    ssize_t sent;

    if (peer->remote) {
        if (remote_send(peer->remote, reply, length) == 0)
            return true;
        /* The relay may not know of a file that it has open now: only the end of the link closes it. */
        peer_hang_up(peer->host, peer->owner);
        return false;
    }
    do
        sent = send(peer->socket, reply, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)length;
}

static bool send_welcome(struct peer *peer, const void *reply, size_t length)
{
    struct iovec part = {(void *)reply, length};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (peer->region.map) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        control.align = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.align), &peer->region.fd, sizeof(int));
    }
    return sendmsg(peer->socket, &message, MSG_NOSIGNAL) == (ssize_t)length;
}

static NTSTATUS greet_with_region(struct peer *peer, const struct wire_hello *hello)
{
    struct region region;
    NTSTATUS status = peer_greet(peer, hello);

    if (status != STATUS_SUCCESS || !hello->wants_region)
        return status;
    if (!region_create(&region))
        return STATUS_INSUFFICIENT_RESOURCES;
    pthread_mutex_lock(&peer->host->lock);
    peer->region = region;
    pthread_mutex_unlock(&peer->host->lock);
    peer_publish_letters(peer->host);
    return STATUS_SUCCESS;
}

/* The first message. True: the client has been welcomed. */
static bool serve_hello(struct peer *peer, struct service_buffers *buffers)
{
    const struct wire_hello *hello = (const void *)(buffers->request + sizeof(struct wire_header));
    struct wire_header header;
    NTSTATUS status;
    size_t length;

    if (!receive(peer, buffers, &length))
        return false;
    memcpy(&header, buffers->request, sizeof(header));
    if (header.magic != WIRE_MAGIC)
        return false;
    if (header.version != WIRE_VERSION)
        status = STATUS_REVISION_MISMATCH;
    else if (header.op != WIRE_HELLO)
        status = STATUS_INVALID_DEVICE_STATE;
    else if (header.length != length || length != sizeof(header) + sizeof(*hello) || header.status)
        status = STATUS_INVALID_PARAMETER;
    else
        status = greet_with_region(peer, hello);

    if (status != STATUS_SUCCESS) {
        host_log(peer->host, "client %llu: refused with status 0x%08X", (unsigned long long)peer->number,
                 (unsigned)status);
        send_reply(peer, buffers->reply, service_reply_header(buffers->reply, header.op, status, 0));
        return false;
    }
    memcpy(buffers->reply + sizeof(header), &peer->host->welcome, sizeof(peer->host->welcome));
    length = service_reply_header(buffers->reply, WIRE_HELLO, status, sizeof(peer->host->welcome));
    return send_welcome(peer, buffers->reply, length);
}

/* WIRE_ATTACH_SLOT has no reply: a client that gets it wrong is hung up on. */
static bool serve_attach(struct peer *peer, const struct service_buffers *buffers, size_t length)
{
    struct wire_header header;
    struct wire_attach_slot attach;

    memcpy(&header, buffers->request, sizeof(header));
    if (length != sizeof(header) + sizeof(attach) || header.length != length || header.magic != WIRE_MAGIC ||
        header.version != WIRE_VERSION || header.status)
        return false;
    memcpy(&attach, buffers->request + sizeof(header), sizeof(attach));
    return slots_attach(peer, attach.slot, false);
}

bool server_serve_message(struct peer *peer, struct service_buffers *buffers)
{
    struct wire_header header;
    size_t length;

    if (!receive(peer, buffers, &length) || atomic_load(&peer->stopping))
        return false;
    memcpy(&header, buffers->request, sizeof(header));
    if (header.op == WIRE_ATTACH_SLOT && !peer->remote)
        return serve_attach(peer, buffers, length);
    length = service_serve(peer, buffers, length);
    return length && send_reply(peer, buffers->reply, length);
}

static void serve_socket(struct peer *peer)
{
    struct service_buffers *buffers = calloc(1, sizeof(*buffers));
    struct ucred who = {0};
    socklen_t size = sizeof(who);

    getsockopt(peer->socket, SOL_SOCKET, SO_PEERCRED, &who, &size);
    peer->pid = who.pid;
    if (buffers && serve_hello(peer, buffers))
        while (server_serve_message(peer, buffers))
            ;
    if (buffers)
        parts_end(&buffers->parts);
    free(buffers);
}

/* ---- the main loop ---- */

/*
 * An answer to a question not asked yet: the client reads it in place of its welcome. A hello left unread would have
 * Linux tell the client of a reset instead, so it is read; and none can come after.
 */
static void turn_away(int fd, NTSTATUS status)
{
    unsigned char reply[sizeof(struct wire_header)], unread[64];
    size_t length = service_reply_header(reply, WIRE_HELLO, status, 0);

    if (send(fd, reply, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        host_error("a client could not be told that it was turned away: %s", strerror(errno));
    shutdown(fd, SHUT_RDWR);
    while (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
        ;
    close(fd);
}

void server_accept(struct host *host, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct ucred who;
    socklen_t size = sizeof(who);

    if (fd < 0) {
        /* Without a descriptor to spare the client stays in the queue: not to be looked for without a break. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            poll(NULL, 0, STOPPING_TICK_MS);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.uid != geteuid()) {
        turn_away(fd, STATUS_ACCESS_DENIED);
        return;
    }
    if (!peer_add(host, fd, NULL, NULL, serve_socket)) {
        host_error("a client was turned away: there are %d already, or no memory", HOST_PEERS_MAX);
        turn_away(fd, STATUS_TOO_MANY_SESSIONS);
    }
}

/*
 * A client may die while its thread is inside a service: the hang-up is seen here, and the service cancelled. One that
 * was to say who it is by now is hung up on.
 */
static unsigned watch_peers(struct host *host, struct pollfd *watch, struct peer **watched, bool *ret_waiting)
{
    long long now = host_milliseconds(), deadline;
    unsigned count = 0;

    pthread_mutex_lock(&host->lock);
    for (struct peer *peer = host->peers; peer; peer = peer->next) {
        if (peer->socket < 0 || atomic_load(&peer->stopping))
            continue;
        deadline = atomic_load(&peer->deadline);
        if (deadline && deadline <= now)
            shutdown(peer->socket, SHUT_RDWR);
        *ret_waiting |= deadline != 0;
        watch[count] = (struct pollfd){.fd = peer->socket, .events = POLLRDHUP};
        watched[count++] = peer;
    }
    pthread_mutex_unlock(&host->lock);
    return count;
}

enum { WATCH_SIGNALS, WATCH_FAILURE, WATCH_KICK, WATCH_DOORS, WATCH_PEERS = WATCH_DOORS + SERVER_DOORS };

/* One round. The peers looked at stay valid: only peer_reap frees, at the beginning of the next. */
static void run_round(struct host *host, struct pollfd watch[WATCH_PEERS + HOST_PEERS_MAX])
{
    struct peer *watched[HOST_PEERS_MAX];
    bool in_motion = peer_reap(host) > 0;
    eventfd_t ignored;
    unsigned count = watch_peers(host, watch + WATCH_PEERS, watched, &in_motion);

    if (poll(watch, WATCH_PEERS + count, in_motion ? STOPPING_TICK_MS : -1) <= 0)
        return;
    if (watch[WATCH_KICK].revents)
        eventfd_read(host->kick, &ignored);
    for (unsigned i = 0; i < count; i++)
        if (watch[WATCH_PEERS + i].revents & (POLLRDHUP | POLLHUP | POLLERR))
            peer_stop(watched[i]);
}

bool server_run(struct host *host, const struct server_door doors[SERVER_DOORS], int signals, int failure)
{
    struct pollfd watch[WATCH_PEERS + HOST_PEERS_MAX] = {
        [WATCH_SIGNALS] = {.fd = signals, .events = POLLIN},
        [WATCH_FAILURE] = {.fd = failure, .events = POLLIN},
        [WATCH_KICK] = {.fd = host->kick, .events = POLLIN},
    };

    for (int i = 0; i < SERVER_DOORS; i++)
        watch[WATCH_DOORS + i] = (struct pollfd){.fd = doors[i].listener, .events = POLLIN};
    for (;;) {
        for (int i = 0; i < WATCH_PEERS; i++)
            watch[i].revents = 0;
        run_round(host, watch);
        if (watch[WATCH_FAILURE].revents)
            return false;
        if (watch[WATCH_SIGNALS].revents)
            return true;
        for (int i = 0; i < SERVER_DOORS; i++)
            if (watch[WATCH_DOORS + i].revents)
                doors[i].accept(host, doors[i].listener);
    }
}

void server_disconnect_all(struct host *host)
{
    struct pollfd kick = {.fd = host->kick, .events = POLLIN};
    eventfd_t ignored;

    peer_stop_all(host);
    while (peer_reap(host) > 0) {
        poll(&kick, 1, STOPPING_TICK_MS);
        eventfd_read(host->kick, &ignored);
    }
}
