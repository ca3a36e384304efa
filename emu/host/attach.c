/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regions in attach/: a thread that waits for someone to open one, and the listening side of a client that has. */
#include "attach.h"

#include "peer.h"
#include "region.h"
#include "service.h"
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define READY        2    /* regions that nobody has claimed, at any time */
#define LOOK_MS      2    /* between looks at the regions, once somebody has opened or closed one */
#define LOOK_ROUNDS  2500 /* for how long: 5 s, and as long as somebody has one open that nobody has claimed */
#define WATCH_NS     2000000
#define LEASE_ROUNDS 25 /* WATCH_NS between: the heart beats every 50 ms */
#define NEW_NAME     "new"

struct entry {
    bool used;            /* a client has it, or spoilt it */
    int fd;               /* used: tells when nobody has the file any longer */
    struct region region; /* not used: to be given to the client that claims it */
};

struct attachments {
    struct host *host;
    int folder; /* borrowed */
    int inotify, stop;
    bool failing; /* said so already */
    pthread_t thread;
    unsigned count; /* entries below, each with a file of its number */
    struct entry entries[HOST_PEERS_MAX];
};

/* Nobody but the machine has the file open or mapped. */
static bool abandoned(const struct region *region)
{
    if (fcntl(region->fd, F_SETLEASE, F_WRLCK) != 0)
        return false;
    fcntl(region->fd, F_SETLEASE, F_UNLCK);
    return true;
}

/* ---- a client's thread ---- */

/* Every claimed slot with something in it gets a runner, for good. */
static bool start_runners(struct peer *peer)
{
    struct wire_region *region = peer->region.map;

    for (unsigned i = 0; i < WIRE_SLOT_COUNT; i++)
        if (!peer->runners[i] && (wire_load(&region->slots[i].owner) || wire_load(&region->slots[i].state)) &&
            !slots_attach(peer, i, true))
            return false;
    return true;
}

static NTSTATUS read_hello(struct peer *peer)
{
    unsigned char copy[sizeof(struct wire_header) + sizeof(struct wire_hello)];
    struct wire_header header;
    struct wire_hello hello;

    memcpy(copy, peer->region.map->handshake, sizeof(copy));
    memcpy(&header, copy, sizeof(header));
    memcpy(&hello, copy + sizeof(header), sizeof(hello));
    if (header.magic == WIRE_MAGIC && header.version != WIRE_VERSION)
        return STATUS_REVISION_MISMATCH;
    if (header.magic != WIRE_MAGIC || header.op != WIRE_HELLO || header.length != sizeof(copy) || header.status)
        return STATUS_INVALID_PARAMETER;
    return peer_greet(peer, &hello);
}

static bool serve_handshake(struct peer *peer)
{
    struct wire_region *region = peer->region.map;
    unsigned char reply[sizeof(struct wire_header) + sizeof(struct wire_welcome)];
    NTSTATUS status = read_hello(peer);
    size_t body = status == STATUS_SUCCESS ? sizeof(struct wire_welcome) : 0;

    memcpy(reply + sizeof(struct wire_header), &peer->host->welcome, body);
    memcpy(region->handshake, reply, service_reply_header(reply, WIRE_HELLO, status, body));
    if (status == STATUS_SUCCESS)
        peer_publish_letters(peer->host);
    wire_store(&region->state, status == STATUS_SUCCESS ? WIRE_REGION_WELCOME : WIRE_REGION_DEAD);
    return status == STATUS_SUCCESS;
}

static void serve_region(struct peer *peer)
{
    struct timespec pause = {.tv_nsec = WATCH_NS};
    unsigned rounds = 0;

    if (!serve_handshake(peer))
        return;
    while (!atomic_load(&peer->stopping) && start_runners(peer)) {
        nanosleep(&pause, NULL);
        if (++rounds < LEASE_ROUNDS)
            continue;
        rounds = 0;
        __atomic_add_fetch(&peer->region.map->heartbeat, 1, __ATOMIC_SEQ_CST);
        if (region_broken(&peer->region) || abandoned(&peer->region))
            return;
    }
}

/* ---- the regions that stand ready ---- */

/* A new file takes the place of the old one at once: clients count up from 0 and stop at the first number missing. */
static bool make_ready(struct attachments *attachments, unsigned number)
{
    struct entry *entry = &attachments->entries[number];
    struct region region;
    char name[16];

    snprintf(name, sizeof(name), "%u", number);
    unlinkat(attachments->folder, NEW_NAME, 0);
    if (!region_create_file(&region, attachments->folder, NEW_NAME))
        return false;
    if (renameat(attachments->folder, NEW_NAME, attachments->folder, name) != 0) {
        region_destroy(&region);
        return false;
    }
    *entry = (struct entry){.used = false, .fd = -1, .region = region};
    return true;
}

/* Lets the client in that has claimed the region, or has it known as dead. The entry stays used until nobody has the
 * file open. Without a descriptor to tell that by, the region cannot be given away at all. */
static bool give_away(struct attachments *attachments, struct entry *entry, bool dead)
{
    struct wire_region *map = entry->region.map;
    int fd = fcntl(entry->region.fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return false;
    if (dead || !peer_add(attachments->host, -1, &entry->region, NULL, serve_region)) {
        wire_store(&map->state, WIRE_REGION_DEAD);
        region_destroy(&entry->region);
    }
    *entry = (struct entry){.used = true, .fd = fd, .region = {.fd = -1}};
    return true;
}

static bool abandoned_descriptor(int fd)
{
    return abandoned(&(struct region){.fd = fd});
}

static void look_at_ready(struct attachments *attachments, struct entry *entry)
{
    uint32_t state = wire_load(&entry->region.map->state);
    bool broken = region_broken(&entry->region);

    if (state == WIRE_REGION_OPEN && !broken)
        return;
    /* A client in CLAIMED is still writing its hello, unless it has died over it. */
    if (state == WIRE_REGION_CLAIMED && !broken && !abandoned(&entry->region))
        return;
    give_away(attachments, entry, broken || state != WIRE_REGION_HELLO);
}

static bool look_at(struct attachments *attachments, unsigned number)
{
    struct entry *entry = &attachments->entries[number];
    int fd = entry->fd;

    if (!entry->used) {
        look_at_ready(attachments, entry);
        return true;
    }
    if (!abandoned_descriptor(fd))
        return true;
    if (!make_ready(attachments, number))
        return false;
    close(fd);
    return true;
}

/* True: READY regions are there to be claimed, as far as clients are to be had at all. */
static bool look_at_all(struct attachments *attachments)
{
    unsigned ready = 0;
    bool good = true;

    for (unsigned i = 0; i < attachments->count; i++) {
        good &= look_at(attachments, i);
        ready += !attachments->entries[i].used;
    }
    for (; good && ready < READY && attachments->count < HOST_PEERS_MAX; ready++) {
        good = make_ready(attachments, attachments->count);
        attachments->count += good;
    }
    return good;
}

/* Whether somebody is about to claim a region: his system may keep him from it for a while. */
static bool is_visited(const struct attachments *attachments)
{
    for (unsigned i = 0; i < attachments->count; i++)
        if (!attachments->entries[i].used && !abandoned(&attachments->entries[i].region))
            return true;
    return false;
}

static void *attach_thread(void *argument)
{
    struct attachments *attachments = argument;
    struct pollfd watch[2] = {{.fd = attachments->stop, .events = POLLIN},
                              {.fd = attachments->inotify, .events = POLLIN}};
    char reports[4096];
    unsigned rounds = 0;

    for (;;) {
        if (poll(watch, 2, rounds ? LOOK_MS : -1) < 0)
            continue;
        if (watch[0].revents)
            return NULL;
        if (rounds > 0 && --rounds == 0 && is_visited(attachments))
            rounds = LOOK_ROUNDS;
        if (watch[1].revents) {
            rounds = LOOK_ROUNDS;
            while (read(attachments->inotify, reports, sizeof(reports)) > 0)
                ;
        }
        if (look_at_all(attachments))
            attachments->failing = false;
        else if (!attachments->failing) {
            attachments->failing = true;
            host_error("no further client can attach without a socket: %s", strerror(errno));
        }
    }
}

static void release(struct attachments *attachments)
{
    for (unsigned i = 0; i < attachments->count; i++) {
        struct entry *entry = &attachments->entries[i];
        if (entry->used) {
            close(entry->fd);
            continue;
        }
        wire_store(&entry->region.map->state, WIRE_REGION_DEAD);
        region_destroy(&entry->region);
    }
    if (attachments->inotify >= 0)
        close(attachments->inotify);
    if (attachments->stop >= 0)
        close(attachments->stop);
    free(attachments);
}

struct attachments *attach_start(struct host *host, int folder, char *error, size_t error_size)
{
    struct attachments *attachments = calloc(1, sizeof(*attachments));
    char path[40];

    if (!attachments) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    attachments->host = host;
    attachments->folder = folder;
    attachments->stop = eventfd(0, EFD_CLOEXEC);
    attachments->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", folder);
    if (attachments->stop >= 0 && attachments->inotify >= 0 && look_at_all(attachments) &&
        inotify_add_watch(attachments->inotify, path, IN_OPEN | IN_CLOSE) >= 0) {
        errno = pthread_create(&attachments->thread, NULL, attach_thread, attachments);
        if (errno == 0)
            return attachments;
    }
    snprintf(error, error_size, "cannot prepare for clients without sockets: %s", strerror(errno));
    release(attachments);
    return NULL;
}

void attach_stop(struct attachments *attachments)
{
    if (!attachments)
        return;
    eventfd_write(attachments->stop, 1);
    pthread_join(attachments->thread, NULL);
    release(attachments);
}
