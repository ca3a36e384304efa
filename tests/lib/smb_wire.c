/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_wire.c - a relay that counts SMB requests. See smb_wire.h. */
#include "smb_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PAIRS 32
#define CHUNK     65536u

#define STOP 's'
#define CUT  'c'

/* The client's half of a connection: NetBIOS session messages, of which only the beginnings matter. */
struct parser {
    unsigned char head[4 + 64]; /* the message's length, and its first SMB header */
    uint32_t have;              /* bytes of this message seen so far, length included */
    uint32_t next;              /* where in the message the next header begins, from the message's length on */
};

struct pair {
    int client, server; /* -1: free */
    unsigned number;    /* which one it was */
    struct parser parser;
};

struct smb_wire {
    pthread_t thread;
    int listener, orders[2]; /* a pipe of single bytes: STOP or CUT */
    unsigned accepted, to_cut;
    sem_t cut; /* an order was carried out */
    uint16_t port, server_port;
    struct pair pairs[MAX_PAIRS];
    pthread_mutex_t lock; /* guards counts */
    struct smb_wire_counts counts;
};

static void count(struct smb_wire *wire, bool echo, bool create, bool close)
{
    pthread_mutex_lock(&wire->lock);
    wire->counts.all += !echo;
    wire->counts.echoes += echo;
    wire->counts.creates += create;
    wire->counts.closes += close;
    pthread_mutex_unlock(&wire->lock);
}

/* A whole header is in head + 4. Count it; set where the next one of a compound is, or that there is none. */
static void count_header(struct smb_wire *wire, struct parser *parser)
{
    const unsigned char *header = parser->head + 4;
    uint32_t next = 0;

    if (memcmp(header, "\xFFSMB", 4) == 0) {
        count(wire, header[4] == 0x2B, header[4] == 0xA2, header[4] == 0x04);
    } else if (memcmp(header, "\xFESMB", 4) == 0) {
        unsigned command = header[12] | header[13] << 8;

        count(wire, command == 13, command == 5, command == 6);
        next = header[20] | header[21] << 8 | header[22] << 16 | (uint32_t)header[23] << 24;
    }
    parser->next = next != 0 ? parser->next + next : UINT32_MAX;
}

static void parse(struct smb_wire *wire, struct parser *parser, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint32_t length, at;

        if (parser->have < 4) {
            parser->head[parser->have++] = data[i];
            parser->next = 0;
            continue;
        }
        length = parser->head[1] << 16 | parser->head[2] << 8 | parser->head[3];
        at = parser->have++ - 4;
        if (at >= parser->next && at - parser->next < 64) {
            parser->head[4 + (at - parser->next)] = data[i];
            /* SMB1 requests may be shorter than an SMB2 header; what counts is within 32 bytes. */
            if (at - parser->next == 31)
                count_header(wire, parser);
        }
        if (at + 1 == length)
            parser->have = 0;
    }
}

static int connect_loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void accept_client(struct smb_wire *wire)
{
    int client = accept4(wire->listener, NULL, NULL, SOCK_CLOEXEC), one = 1, server;

    if (client < 0)
        return;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    server = connect_loopback(wire->server_port);
    for (int i = 0; i < MAX_PAIRS && server >= 0; i++) {
        if (wire->pairs[i].client < 0) {
            wire->pairs[i] = (struct pair){.client = client, .server = server, .number = wire->accepted++};
            return;
        }
    }
    close(client);
    if (server >= 0)
        close(server);
}

static void close_pair(struct pair *pair)
{
    close(pair->client);
    close(pair->server);
    pair->client = pair->server = -1;
}

static void cut(struct smb_wire *wire)
{
    for (int i = 0; i < MAX_PAIRS; i++) {
        if (wire->pairs[i].client >= 0 && wire->pairs[i].number == wire->to_cut)
            close_pair(&wire->pairs[i]);
    }
    sem_post(&wire->cut);
}

/* Move what is there. False: one end is gone. */
static bool relay(struct smb_wire *wire, struct pair *pair, bool from_client)
{
    unsigned char buffer[CHUNK];
    ssize_t got = recv(from_client ? pair->client : pair->server, buffer, sizeof(buffer), 0);

    if (got <= 0)
        return false;
    if (from_client)
        parse(wire, &pair->parser, buffer, (size_t)got);
    for (ssize_t sent = 0; sent < got;) {
        ssize_t n = send(from_client ? pair->server : pair->client, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        sent += n;
    }
    return true;
}

static void *relay_thread(void *context)
{
    struct smb_wire *wire = context;

    for (;;) {
        struct pollfd p[2 + 2 * MAX_PAIRS];
        char order;

        p[0] = (struct pollfd){.fd = wire->orders[0], .events = POLLIN};
        p[1] = (struct pollfd){.fd = wire->listener, .events = POLLIN};
        for (int i = 0; i < MAX_PAIRS; i++) {
            p[2 + 2 * i] = (struct pollfd){.fd = wire->pairs[i].client, .events = POLLIN};
            p[3 + 2 * i] = (struct pollfd){.fd = wire->pairs[i].server, .events = POLLIN};
        }
        if (poll(p, 2 + 2 * MAX_PAIRS, -1) < 0)
            continue;
        if (p[0].revents != 0) {
            if (read(wire->orders[0], &order, 1) != 1 || order == STOP)
                return NULL;
            cut(wire);
            continue;
        }
        for (int i = 0; i < MAX_PAIRS; i++) {
            struct pair *pair = &wire->pairs[i];

            if (pair->client >= 0 && ((p[2 + 2 * i].revents != 0 && !relay(wire, pair, true)) ||
                                      (p[3 + 2 * i].revents != 0 && !relay(wire, pair, false))))
                close_pair(pair);
        }
        if (p[1].revents != 0)
            accept_client(wire);
    }
}

struct smb_wire *smb_wire_start(uint16_t server_port)
{
    struct smb_wire *wire = calloc(1, sizeof(*wire));
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);

    if (wire == NULL)
        return NULL;
    for (int i = 0; i < MAX_PAIRS; i++)
        wire->pairs[i].client = wire->pairs[i].server = -1;
    wire->server_port = server_port;
    pthread_mutex_init(&wire->lock, NULL);
    sem_init(&wire->cut, 0, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wire->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->listener < 0 || bind(wire->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(wire->listener, 16) != 0 || getsockname(wire->listener, (struct sockaddr *)&address, &length) != 0 ||
        pipe2(wire->orders, O_CLOEXEC) != 0 || pthread_create(&wire->thread, NULL, relay_thread, wire) != 0) {
        if (wire->listener >= 0)
            close(wire->listener);
        free(wire);
        return NULL;
    }
    wire->port = ntohs(address.sin_port);
    return wire;
}

uint16_t smb_wire_port(const struct smb_wire *wire)
{
    return wire->port;
}

struct smb_wire_counts smb_wire_read(struct smb_wire *wire)
{
    struct smb_wire_counts counts;

    pthread_mutex_lock(&wire->lock);
    counts = wire->counts;
    pthread_mutex_unlock(&wire->lock);
    return counts;
}

static void order(struct smb_wire *wire, char what)
{
    (void)!write(wire->orders[1], &what, 1);
}

void smb_wire_cut(struct smb_wire *wire, unsigned number)
{
    wire->to_cut = number;
    order(wire, CUT);
    while (sem_wait(&wire->cut) != 0)
        ;
}

void smb_wire_stop(struct smb_wire *wire)
{
    order(wire, STOP);
    pthread_join(wire->thread, NULL);
    for (int i = 0; i < MAX_PAIRS; i++) {
        if (wire->pairs[i].client >= 0)
            close_pair(&wire->pairs[i]);
    }
    close(wire->listener);
    close(wire->orders[0]);
    close(wire->orders[1]);
    sem_destroy(&wire->cut);
    pthread_mutex_destroy(&wire->lock);
    free(wire);
}
