/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_connect.c - libsmbclient's connection: when there has to be one, whether it still stands, and its end.
 */
#include "session_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* How long a look at the connection's socket is good for. A server that went away for less is noticed the usual way. */
#define LOOK_INTERVAL_NS 2000000u

BOOLEAN session_is_loss(NTSTATUS status)
{
    return status == STATUS_CONNECTION_DISCONNECTED || status == STATUS_IO_TIMEOUT;
}

BOOLEAN session_is_alive(struct session *session)
{
    struct pollfd p = {.fd = session->socket, .events = POLLRDHUP};
    uint64_t now = ring_clock();
    struct stat st;

    if (!session->connected)
        return FALSE;
    /* Not found when it was looked for: libsmbclient will have to notice by itself. The same within a burst. */
    if (session->socket < 0 || now - session->looked < LOOK_INTERVAL_NS)
        return TRUE;
    session->looked = now;
    if (poll(&p, 1, 0) == 0 && fstat(session->socket, &st) == 0 && st.st_ino == session->socket_inode)
        return TRUE;
    session->connected = FALSE;
    session->stale = TRUE;
    return FALSE;
}

/*
 * To leave the share. After a request that timed out: an answer that comes late is one to nothing, and libsmbclient
 * then fails whatever it is asked next (STATUS_INVALID_NETWORK_RESPONSE). And when the server has closed the share or
 * the session under us, which libsmbclient would go on to ask for.
 */
void session_drop_connection(struct session *session)
{
    struct stat st;

    if (session->connected && session->socket >= 0 && fstat(session->socket, &st) == 0 &&
        st.st_ino == session->socket_inode)
        (void)shutdown(session->socket, SHUT_RDWR);
}

/* Find the socket that libsmbclient has just connected. It has no function to ask for it. */
static void find_socket(struct session *session)
{
    session->socket = -1;
    for (int fd = RING_SOCKET_FD + 1; fd < 256; fd++) {
        struct pollfd p = {.fd = fd, .events = POLLRDHUP};
        struct sockaddr_in6 peer = {0};
        socklen_t length = sizeof(peer);
        struct stat st;

        /* The port is at the same place in both families' addresses. */
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
            (peer.sin6_family == AF_INET || peer.sin6_family == AF_INET6) &&
            ntohs(peer.sin6_port) == session->hello.port && poll(&p, 1, 0) == 0 && fstat(fd, &st) == 0) {
            session->socket = fd;
            session->socket_inode = st.st_ino;
        }
    }
}

/* Whether a failing call leaves its status in the log. A name that is not UTF-8 fails without a packet. */
static void test_statuses(struct session *session)
{
    SMBCFILE *handle = NULL;

    session->tested = TRUE;
    strcpy(session->url, session->root);
    strcat(session->url, "%FF");
    if (session_open_url(session, session->url, O_RDONLY, &handle) == STATUS_SUCCESS)
        session_close_handle(session, handle);
    else
        session->statuses_logged = session->log.status != STATUS_SUCCESS;
}

static NTSTATUS try_to_connect(struct session *session)
{
    struct stat st;
    NTSTATUS status;

    session_begin_call(session);
    if (smbc_getFunctionStat(session->context)(session->context, session->root, &st) == 0)
        return STATUS_SUCCESS;
    /* The tree stands, and only its root may not be looked at: that is for the requests to find out. */
    if (session->log.tree && session->log.status != STATUS_SUCCESS)
        return STATUS_SUCCESS;
    status = smb_status_of_connect(&session->log, errno);
    if (session->log.connect == STATUS_SUCCESS && session->log.status == STATUS_SUCCESS)
        session->mapped = status;
    return status;
}

NTSTATUS session_connect(struct session *session)
{
    NTSTATUS status;

    if (session_is_alive(session))
        return STATUS_SUCCESS;
    session_free_setter(session); /* its socket must not be found below */
    smbc_setDebug(session->context, SMB_LOG_LEVEL_CONNECTING);
    status = try_to_connect(session);
    /* The first call on a connection that was lost may be spent on finding that out. */
    if (status == STATUS_CONNECTION_DISCONNECTED && session->stale)
        status = try_to_connect(session);
    session->stale = FALSE;
    smbc_setDebug(session->context, SMB_LOG_LEVEL_CALLS);
    if (status != STATUS_SUCCESS)
        return status;
    find_socket(session);
    session->connected = TRUE;
    session->spoiled = FALSE;
    session->looked = 0;
    session->connection++;
    if (!session->tested)
        test_statuses(session);
    return STATUS_SUCCESS;
}
