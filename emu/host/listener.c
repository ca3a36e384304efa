/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Relays: from the knock to the first message. What follows is server.c's. */
#include "listener.h"

#include "link.h"
#include "server.h"
#include "service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    struct remote_secret secret;
    int patience_ms;
    atomic_uint strangers; /* connections that have not joined a link yet */
} door;

int listener_open(const char *address, const struct remote_secret *secret, int patience_ms, char *bound,
                  size_t bound_size, char *error, size_t error_size)
{
    door.secret = *secret;
    door.patience_ms = patience_ms;
    return remote_listen(address, bound, bound_size, error, error_size);
}

/* ---- a relay's connection, on its thread ---- */

static NTSTATUS check_join(const struct wire_header *header, size_t length)
{
    if (header->version != WIRE_VERSION)
        return STATUS_REVISION_MISMATCH;
    if (header->op != WIRE_JOIN)
        return STATUS_INVALID_DEVICE_STATE;
    return length == sizeof(*header) + sizeof(struct wire_join) && header->status == 0 ? STATUS_SUCCESS
                                                                                       : STATUS_INVALID_PARAMETER;
}

static bool send_answer(struct peer *peer, struct service_buffers *buffers, NTSTATUS status)
{
    struct wire_welcome welcome = peer->host->welcome;
    size_t size = status == STATUS_SUCCESS ? sizeof(welcome) : 0;

    /* What is only of use in the machine's own folder. */
    welcome.region_size = 0;
    memset(welcome.token_folder, 0, sizeof(welcome.token_folder));
    memcpy(buffers->reply + sizeof(struct wire_header), &welcome, size);
    return remote_send(peer->remote, buffers->reply, service_reply_header(buffers->reply, WIRE_JOIN, status, size)) ==
           0;
}

/* Whoever was hung up on because the time was over has not hung up himself. */
static const char *reason(struct peer *peer, int result)
{
    return remote_error(host_milliseconds() >= atomic_load(&peer->deadline) ? -ETIMEDOUT : result);
}

static bool join(struct peer *peer, struct service_buffers *buffers)
{
    const struct wire_join *request = (const void *)(buffers->request + sizeof(struct wire_header));
    struct process *process = NULL;
    struct wire_header header;
    size_t length;
    NTSTATUS status;
    int result = remote_receive(peer->remote, buffers->request, sizeof(buffers->request), door.patience_ms, &length);

    if (result != 0) {
        host_error("refused %s: %s", peer->from, reason(peer, result));
        return false;
    }
    memcpy(&header, buffers->request, sizeof(header));
    status = check_join(&header, length);
    if (status == STATUS_REVISION_MISMATCH)
        host_error("refused %s: it speaks wire version %u, and this is %u", peer->from, header.version, WIRE_VERSION);
    else if (status == STATUS_SUCCESS)
        status = link_join(peer, request, &process);
    if (status == STATUS_SUCCESS)
        peer_run_as(peer, process);
    else if (status != STATUS_REVISION_MISMATCH)
        host_error("refused %s: status 0x%08X", peer->from, (unsigned)status);
    return send_answer(peer, buffers, status) && status == STATUS_SUCCESS;
}

static bool let_in(struct peer *peer, struct service_buffers *buffers)
{
    struct remote *remote;
    int result = remote_accept(peer->socket, &door.secret, door.patience_ms, &remote);

    if (result != 0) {
        host_error("refused %s: %s", peer->from, reason(peer, result));
        return false;
    }
    pthread_mutex_lock(&peer->host->lock);
    peer->remote = remote;
    pthread_mutex_unlock(&peer->host->lock);
    return join(peer, buffers);
}

static void serve_remote(struct peer *peer)
{
    struct service_buffers *buffers = calloc(1, sizeof(*buffers));
    bool joined;

    /* GnuTLS counts from byte to byte; the main loop keeps this. */
    atomic_store(&peer->deadline, host_milliseconds() + door.patience_ms);
    host_kick(peer->host);
    joined = buffers && let_in(peer, buffers);
    atomic_fetch_sub(&door.strangers, 1);
    atomic_store(&peer->deadline, 0);
    peer->patience_ms = peer->keeper ? door.patience_ms : -1;
    if (joined)
        while (server_serve_message(peer, buffers))
            ;
    if (buffers)
        parts_end(&buffers->parts);
    free(buffers);
    pthread_mutex_lock(&peer->host->lock);
    remote_free(peer->remote);
    peer->remote = NULL;
    pthread_mutex_unlock(&peer->host->lock);
}

/* ---- the door ---- */

void listener_accept(struct host *host, int listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    int fd = accept4(listener, (struct sockaddr *)&address, &length, SOCK_CLOEXEC);
    char who[64];

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            usleep(20000); /* it stays in the queue: not to be looked for without a break */
        return;
    }
    remote_name((struct sockaddr *)&address, length, who, sizeof(who));
    if (atomic_fetch_add(&door.strangers, 1) < LISTENER_STRANGERS_MAX && peer_add(host, fd, NULL, who, serve_remote))
        return;
    atomic_fetch_sub(&door.strangers, 1);
    host_error("refused %s: there are too many connections", who);
    close(fd);
}
