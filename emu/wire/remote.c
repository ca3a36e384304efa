/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP, TLS by pre-shared key, messages. See remote.h. */
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDENTITY    "rdrlab"
#define PRIORITY    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK"
#define SECRET_MOST 4096
#define TICK_MS     500 /* a system call on the socket gives up so often, and deadlines are looked at */
#define BACKLOG     64

struct remote {
    gnutls_session_t session;
    gnutls_psk_client_credentials_t client; /* one of the two */
    gnutls_psk_server_credentials_t server;
    struct remote_secret secret;
    int socket, limit_ms;
    bool own_socket;
};

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fail(char *error, size_t size, int code, const char *address, const char *words)
{
    snprintf(error, size, "%s: %s", address, words);
    return code;
}

/* ---- the secret ---- */

int remote_read_secret(const char *path, struct remote_secret *ret_secret, char *error, size_t error_size)
{
    unsigned char text[SECRET_MOST + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = 0;
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

    if (length < 0)
        result = fail(error, error_size, -errno, path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (result == 0 && (length < REMOTE_SECRET_LEAST || length > SECRET_MOST))
        result = fail(error, error_size, -EINVAL, path, "a secret has 32 to 4096 bytes");
    if (result == 0 && gnutls_hash_fast(GNUTLS_DIG_SHA256, text, (size_t)length, ret_secret->key) < 0)
        result = fail(error, error_size, -ENOTSUP, path, "GnuTLS has no SHA-256");
    explicit_bzero(text, sizeof(text));
    return result;
}

/* ---- TLS ---- */

const char *remote_error(int code)
{
    switch (code) {
    case -EKEYREJECTED:
        return "it has another secret, or is no part of rdrlab";
    case -ETIMEDOUT:
        return "it did not answer in time";
    case -ECONNRESET:
        return "it hung up";
    case -EPROTO:
        return "what it sent is no message";
    default:
        return strerror(-code);
    }
}

static int error_of(int code)
{
    switch (code) {
    case GNUTLS_E_TIMEDOUT:
        return -ETIMEDOUT;
    case GNUTLS_E_MEMORY_ERROR:
        return -ENOMEM;
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
    case GNUTLS_E_SESSION_EOF:
        return -ECONNRESET;
    default:
        return -EPROTO;
    }
}

static int give_key(gnutls_session_t session, const char *name, gnutls_datum_t *key)
{
    const struct remote *remote = gnutls_session_get_ptr(session);

    if (strcmp(name, IDENTITY) != 0)
        return -1;
    key->data = gnutls_malloc(sizeof(remote->secret.key));
    if (!key->data)
        return -1;
    memcpy(key->data, remote->secret.key, sizeof(remote->secret.key));
    key->size = sizeof(remote->secret.key);
    return 0;
}

static int set_credentials(struct remote *remote, bool server)
{
    const gnutls_datum_t key = {remote->secret.key, sizeof(remote->secret.key)};
    int result;

    if (server) {
        result = gnutls_psk_allocate_server_credentials(&remote->server);
        if (result < 0)
            return result;
        gnutls_psk_set_server_credentials_function(remote->server, give_key);
        return gnutls_credentials_set(remote->session, GNUTLS_CRD_PSK, remote->server);
    }
    result = gnutls_psk_allocate_client_credentials(&remote->client);
    if (result == 0)
        result = gnutls_psk_set_client_credentials(remote->client, IDENTITY, &key, GNUTLS_PSK_KEY_RAW);
    return result < 0 ? result : gnutls_credentials_set(remote->session, GNUTLS_CRD_PSK, remote->client);
}

static int prepare(struct remote *remote, bool server)
{
    int result =
        gnutls_init(&remote->session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL);

    if (result == 0) {
        gnutls_session_set_ptr(remote->session, remote);
        result = gnutls_priority_set_direct(remote->session, PRIORITY, NULL);
    }
    return result < 0 ? result : set_credentials(remote, server);
}

/* A dead peer is noticed by whoever waits for it; the kernel's own signs of life are for connections at rest. */
static void set_socket(int socket, int limit_ms)
{
    struct timeval tick = {.tv_sec = TICK_MS / 1000, .tv_usec = (suseconds_t)(TICK_MS % 1000) * 1000};
    int on = 1, idle_s = 5, interval_s = 2, probes = 3;
    unsigned unsent_ms = (unsigned)limit_ms;

    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof(tick));
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent_ms, sizeof(unsent_ms));
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static bool is_pause(ssize_t result)
{
    return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED;
}

/* Whatever has no key is turned away here, and only what GnuTLS says of the peer tells why. */
static int shake_hands(struct remote *remote)
{
    int64_t until = milliseconds() + remote->limit_ms;
    int result;

    do
        result = gnutls_handshake(remote->session);
    while ((is_pause(result) || result == GNUTLS_E_WARNING_ALERT_RECEIVED) && milliseconds() < until);
    if (is_pause(result) || result == GNUTLS_E_TIMEDOUT)
        return -ETIMEDOUT;
    if (result < 0) {
        gnutls_alert_send_appropriate(remote->session, result);
        return error_of(result) == -EPROTO ? -EKEYREJECTED : error_of(result);
    }
    if (gnutls_auth_get_type(remote->session) != GNUTLS_CRD_PSK)
        return -EKEYREJECTED;
    return 0;
}

static int establish(int socket, const struct remote_secret *secret, int limit_ms, bool server, struct remote **ret)
{
    struct remote *remote = calloc(1, sizeof(*remote));
    int result;

    if (!remote)
        return -ENOMEM;
    remote->socket = socket;
    remote->limit_ms = limit_ms;
    remote->secret = *secret;
    result = prepare(remote, server);
    if (result < 0) {
        remote_free(remote);
        return -ENOMEM;
    }
    set_socket(socket, limit_ms);
    gnutls_transport_set_int(remote->session, socket);
    result = shake_hands(remote);
    if (result != 0) {
        remote_free(remote);
        return result;
    }
    *ret = remote;
    return 0;
}

void remote_free(struct remote *remote)
{
    if (!remote)
        return;
    if (remote->session)
        gnutls_deinit(remote->session);
    if (remote->client)
        gnutls_psk_free_client_credentials(remote->client);
    if (remote->server)
        gnutls_psk_free_server_credentials(remote->server);
    if (remote->own_socket)
        close(remote->socket);
    explicit_bzero(remote, sizeof(*remote));
    free(remote);
}

int remote_socket(const struct remote *remote)
{
    return remote->socket;
}

int remote_accept(int socket, const struct remote_secret *secret, int limit_ms, struct remote **ret)
{
    return establish(socket, secret, limit_ms, true, ret);
}

/* ---- messages ---- */

/* until: INT64_MAX for ever. */
static int receive_bytes(struct remote *remote, unsigned char *place, size_t count, int64_t until)
{
    ssize_t got;

    while (count > 0) {
        got = gnutls_record_recv(remote->session, place, count);
        if (got > 0) {
            place += got;
            count -= (size_t)got;
        } else if (got == 0)
            return -ECONNRESET;
        else if (!is_pause(got))
            return error_of((int)got);
        else if (milliseconds() >= until)
            return -ETIMEDOUT;
    }
    return 0;
}

int remote_receive(struct remote *remote, void *message, size_t size, int wait_ms, size_t *ret_length)
{
    int64_t until = wait_ms < 0 ? INT64_MAX : milliseconds() + wait_ms;
    struct wire_header header;
    unsigned char *place = message;
    int result;

    /* The first byte may take its time; what follows it comes from a peer that is at work. */
    result = receive_bytes(remote, place, 1, until);
    if (result == 0)
        result = receive_bytes(remote, place + 1, sizeof(header) - 1, milliseconds() + remote->limit_ms);
    if (result != 0)
        return result;
    memcpy(&header, place, sizeof(header));
    if (header.magic != WIRE_MAGIC || header.length < sizeof(header) || header.length > size)
        return -EPROTO;
    result = receive_bytes(remote, place + sizeof(header), header.length - sizeof(header),
                           milliseconds() + remote->limit_ms);
    if (result == 0)
        *ret_length = header.length;
    return result;
}

int remote_send(struct remote *remote, const void *message, size_t length)
{
    int64_t until = milliseconds() + remote->limit_ms;
    const unsigned char *place = message;
    bool again = false;
    ssize_t sent;

    while (length > 0) {
        /* A record that was begun is gone on with by naming none. */
        sent = gnutls_record_send(remote->session, again ? NULL : place, again ? 0 : length);
        again = is_pause(sent);
        if (again && milliseconds() >= until)
            return -ETIMEDOUT;
        if (again)
            continue;
        if (sent < 0)
            return error_of((int)sent);
        place += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* ---- TCP ---- */

/* Cuts "HOST:PORT" in two; host is empty for ":PORT". */
static bool split(const char *address, char host[256], char port[8])
{
    const char *colon = strrchr(address, ':'), *begin = address, *end = colon;
    size_t digits;

    if (!colon)
        return false;
    if (*begin == '[') {
        begin++;
        if (end == address || *--end != ']')
            return false;
    } else if (memchr(begin, ':', (size_t)(end - begin)))
        return false;
    digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || strtoul(colon + 1, NULL, 10) > 65535 ||
        end - begin > 255)
        return false;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    memcpy(port, colon + 1, digits + 1);
    return true;
}

static int look_up(const char *address, bool to_listen, struct addrinfo **ret_list, char *error, size_t error_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0)};
    char host[256], port[8];
    int result;

    if (!split(address, host, port) || (!to_listen && !host[0]))
        return fail(error, error_size, -EINVAL, address, "expected HOST:PORT");
    result = getaddrinfo(host[0] ? host : NULL, port, &hints, ret_list);
    if (result != 0)
        return fail(error, error_size, -EHOSTUNREACH, address, gai_strerror(result));
    return 0;
}

void remote_name(const struct sockaddr *address, unsigned length, char *text, size_t size)
{
    char host[64], port[8];

    if (getnameinfo(address, length, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(text, size, "?");
    else
        snprintf(text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int remote_listen(const char *address, char *bound, size_t bound_size, char *error, size_t error_size)
{
    struct addrinfo *list = NULL;
    struct sockaddr_storage own;
    socklen_t length = sizeof(own);
    int result = look_up(address, true, &list, error, error_size), fd, on = 1;

    if (result != 0)
        return result;
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &length) != 0) {
        result = fail(error, error_size, -errno, address, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = result;
    } else
        remote_name((struct sockaddr *)&own, length, bound, bound_size);
    freeaddrinfo(list);
    return fd;
}

/* 0 or a negative errno; the socket is made blocking again. */
static int connect_within(int fd, const struct addrinfo *to, int limit_ms)
{
    struct pollfd watch = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof(int);
    int error = 0;

    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            return -errno;
        if (poll(&watch, 1, limit_ms) != 1)
            return -ETIMEDOUT;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error)
            return -(error ? error : errno);
    }
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0 ? 0 : -errno;
}

int remote_connect(const char *address, const struct remote_secret *secret, int limit_ms, struct remote **ret,
                   char *error, size_t error_size)
{
    struct addrinfo *list = NULL;
    int result = look_up(address, false, &list, error, error_size), fd = -1;

    if (result != 0)
        return result;
    result = -EHOSTUNREACH;
    for (struct addrinfo *to = list; to && result != 0; to = to->ai_next) {
        fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        result = fd >= 0 ? connect_within(fd, to, limit_ms) : -errno;
        if (result != 0 && fd >= 0)
            close(fd);
    }
    freeaddrinfo(list);
    if (result == 0) {
        result = establish(fd, secret, limit_ms, false, ret);
        if (result == 0)
            (*ret)->own_socket = true;
        else
            close(fd);
    }
    return result == 0 ? 0 : fail(error, error_size, result, address, remote_error(result));
}
