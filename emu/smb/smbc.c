/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smbc.c - libsmbclient in worker processes: this side. See smb.h for the contract, ring.h for the channel.
 *
 * A connection has one worker process and one thread. The thread takes results out of the ring and calls the
 * completion routines; it lives as long as the connection, and waits while there is no worker. The worker is started
 * with the connection, and again by the first request after it died.
 *
 * One lock guards a connection. The completion routines run without it. The worker's pid, socket and mapping change
 * only under it, so whoever holds it may ring and signal without meeting a closed descriptor or somebody else's pid.
 */
#include "ring.h"
#include "name.h"
#include "smb_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_TIMEOUT_S 1

/* Where a request is, in backend.state. */
enum place {
    NOWHERE, /* completed */
    WAITING, /* in the queue, for a free slot */
    IN_RING  /* in slot backend.id % RING_SLOTS */
};

struct smbc_backend {
    struct smb_backend base;
    char *worker_path;
    char *home; /* "HOME=" and the state folder */
};

struct smbc_connection {
    struct smb_connection base;
    pthread_t thread;
    struct ring_hello *hello;      /* in a page of its own that no dump has; never changes */
    struct ring_patience patience; /* the thread's */

    pthread_mutex_t lock;   /* guards the rest */
    pthread_cond_t changed; /* a worker came or went, or stopping was set */
    BOOLEAN stopping;
    struct smb_queue waiting;
    pid_t pid; /* 0: no worker, and what follows means nothing */
    int socket;
    struct ring *ring;
    uint32_t generation; /* counts workers; the upper half of every file's id */
    uint32_t submitted, harvested;
    unsigned visitors; /* threads that look into the ring without the lock: it must not be unmapped */
    BOOLEAN ending;    /* the worker is gone, the visitors are not yet: nothing more goes into the ring */
    struct smb_request *requests[RING_SLOTS]; /* NULL: cancelled meanwhile */
};

/* ---- starting and ending a worker; lock held ---- */

static int move_fd(int fd)
{
    int moved;

    if (fd < 0)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    close(fd);
    return moved;
}

/* The caller's environment, but with libsmbclient's own HOME. */
static char **make_environment(const struct smbc_backend *backend)
{
    size_t count = 0, used = 0;
    char **copy;

    while (environ[count] != NULL)
        count++;
    copy = calloc(count + 2, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "HOME=", 5) != 0)
            copy[used++] = environ[i];
    }
    copy[used] = backend->home;
    return copy;
}

static int spawn_worker(const struct smbc_backend *backend, int socket, int memory, pid_t *ret_pid)
{
    char name[] = "rdrlab-smbworker", *argv[] = {name, NULL};
    char **environment = make_environment(backend);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int rc;

    if (environment == NULL)
        return ENOMEM;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, socket, RING_SOCKET_FD);
    posix_spawn_file_actions_adddup2(&actions, memory, RING_MEMORY_FD);
    /* Its own process group: an interrupt from the terminal is for us, and the worker follows when we end. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    rc = posix_spawn(ret_pid, backend->worker_path, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return rc;
}

static BOOLEAN start_worker(struct smbc_connection *connection)
{
    int pair[2] = {-1, -1}, memory = -1;
    struct ring *ring = MAP_FAILED;
    BOOLEAN started = FALSE;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return FALSE;
    pair[1] = move_fd(pair[1]);
    memory = move_fd(memfd_create("rdrlab-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    /* Sealed, as a worker that cut it off would kill us. */
    if (pair[1] < 0 || memory < 0 || ftruncate(memory, sizeof(struct ring)) != 0 ||
        fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        goto exit;
    ring = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (ring == MAP_FAILED)
        goto exit;
    /* Before the worker runs: the socket holds it, and there is no moment without the message. */
    if (send(pair[0], connection->hello, sizeof(*connection->hello), MSG_NOSIGNAL) !=
            (ssize_t)sizeof(*connection->hello) ||
        spawn_worker((struct smbc_backend *)connection->base.backend, pair[1], memory, &connection->pid) != 0) {
        connection->pid = 0;
        goto exit;
    }
    connection->socket = pair[0];
    connection->ring = ring;
    connection->generation++;
    connection->submitted = connection->harvested = 0;
    memset(connection->requests, 0, sizeof(connection->requests));
    pair[0] = -1;
    ring = MAP_FAILED;
    started = TRUE;
    pthread_cond_broadcast(&connection->changed);
exit:
    if (ring != MAP_FAILED)
        munmap(ring, sizeof(struct ring));
    if (memory >= 0)
        close(memory);
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
    }
    return started;
}

/* What everybody waits for is over, for one reason or another: let the visitors see it. */
static void finish_slot(struct smbc_connection *connection, uint32_t number)
{
    ring_finish(&connection->ring->slots[number % RING_SLOTS], number + 1);
}

static void end_worker(struct smbc_connection *connection)
{
    kill(connection->pid, SIGKILL);
    while (waitpid(connection->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    connection->pid = 0;
    close(connection->socket);
    munmap(connection->ring, sizeof(struct ring));
    connection->ring = NULL;
    pthread_cond_broadcast(&connection->changed);
}

/* ---- requests and slots; lock held ---- */

static BOOLEAN is_by_file(enum smb_op op)
{
    return op == SMB_CLOSE || op == SMB_READ || op == SMB_WRITE || op == SMB_FLUSH || op == SMB_QUERY_FILE ||
           op == SMB_QUERY_DIRECTORY || op == SMB_SET_SIZE;
}

static void put_path(struct ring_slot *slot, const UNICODE_STRING *path)
{
    slot->length = path->Length;
    if (slot->length != 0)
        memcpy(slot->payload, path->Buffer, slot->length);
}

static void fill_slot(struct smbc_connection *connection, struct smb_request *request, BOOLEAN waited)
{
    uint32_t index = connection->submitted % RING_SLOTS;
    struct ring_slot *slot = &connection->ring->slots[index];

    slot->op = request->op;
    slot->file = request->file & UINT32_MAX;
    slot->length = slot->target_length = 0;
    switch (request->op) {
    case SMB_CREATE:
        slot->access = request->in.create.access;
        slot->share_access = request->in.create.share_access;
        slot->disposition = request->in.create.disposition;
        slot->options = request->in.create.options;
        slot->attributes = request->in.create.attributes;
        /* fall through */
    case SMB_QUERY_PATH:
        put_path(slot, &request->path);
        break;
    case SMB_SET_SIZE:
        slot->offset = request->in.size;
        break;
    case SMB_SET_BASIC:
        slot->basic = request->in.basic;
        put_path(slot, &request->path);
        break;
    case SMB_NOTIFY:
        slot->filter = request->in.notify.filter;
        slot->tree = request->in.notify.tree;
        slot->room = request->in.notify.length;
        put_path(slot, &request->path);
        break;
    case SMB_DELETE:
        slot->directory = request->in.remove.directory;
        put_path(slot, &request->path);
        break;
    case SMB_RENAME:
        slot->replace = request->in.rename.replace;
        put_path(slot, &request->path);
        slot->target_length = request->in.rename.target.Length;
        if (slot->target_length != 0)
            memcpy(slot->payload + slot->length, request->in.rename.target.Buffer, slot->target_length);
        break;
    case SMB_READ:
    case SMB_WRITE:
    case SMB_QUERY_DIRECTORY:
        slot->length = request->in.io.length;
        slot->offset = request->in.io.offset;
        slot->restart = request->in.io.restart;
        if (request->op == SMB_WRITE && slot->length != 0)
            memcpy(slot->payload, request->in.io.buffer, slot->length);
        break;
    default:
        break;
    }
    slot->waited = waited;
    atomic_store_explicit(&slot->state, RING_READY, memory_order_relaxed);
    connection->requests[index] = request;
    request->backend.state = IN_RING;
    request->backend.id = connection->submitted++;
    atomic_store(&connection->ring->submitted, connection->submitted);
}

static void fill_from_queue(struct smbc_connection *connection)
{
    struct smb_request *request;

    while (connection->submitted - connection->harvested < RING_SLOTS &&
           (request = smb_queue_take(&connection->waiting)) != NULL)
        fill_slot(connection, request, FALSE);
}

/* Everything that is outstanding, in order, taken out of ring and queue. */
static struct smb_queue take_outstanding(struct smbc_connection *connection)
{
    struct smb_queue all = {0};
    struct smb_request *request;

    for (uint32_t i = connection->harvested; connection->ring != NULL && i != connection->submitted; i++) {
        request = connection->requests[i % RING_SLOTS];
        connection->requests[i % RING_SLOTS] = NULL;
        finish_slot(connection, i);
        if (request != NULL) {
            request->backend.state = NOWHERE;
            smb_queue_put(&all, request);
        }
    }
    while ((request = smb_queue_take(&connection->waiting)) != NULL) {
        request->backend.state = NOWHERE;
        smb_queue_put(&all, request);
    }
    return all;
}

static void complete_all(struct smb_queue *queue, NTSTATUS status)
{
    struct smb_request *request;

    while ((request = smb_queue_take(queue)) != NULL)
        smb_complete(request, status);
}

/* ---- results; lock held ---- */

/* Whether a listing is what smb_dirent promises. It is our copy: the worker cannot change it any more. */
static BOOLEAN is_listing(const unsigned char *buffer, ULONG size)
{
    ULONG at = 0;

    for (;;) {
        const struct smb_dirent *entry = (const struct smb_dirent *)(buffer + at);

        if (size - at < sizeof(*entry) || size - at - sizeof(*entry) < entry->name_length ||
            entry->name_length % sizeof(WCHAR) != 0)
            return FALSE;
        if (entry->next_offset == 0)
            return TRUE;
        if (entry->next_offset % 8 != 0 || entry->next_offset < sizeof(*entry) + entry->name_length ||
            entry->next_offset >= size - at)
            return FALSE;
        at += entry->next_offset;
    }
}

static BOOLEAN is_change_list(const unsigned char *buffer, ULONG size)
{
    const ULONG fixed = offsetof(FILE_NOTIFY_INFORMATION, FileName);
    FILE_NOTIFY_INFORMATION entry;

    for (ULONG at = 0; size != 0; at += entry.NextEntryOffset) {
        if (size - at < fixed)
            return FALSE;
        memcpy(&entry, buffer + at, fixed);
        if (size - at - fixed < entry.FileNameLength || entry.FileNameLength % sizeof(WCHAR) != 0)
            return FALSE;
        if (entry.NextEntryOffset == 0)
            return TRUE;
        if (entry.NextEntryOffset % 4 != 0 || entry.NextEntryOffset < fixed + entry.FileNameLength ||
            entry.NextEntryOffset >= size - at)
            return FALSE;
    }
    return TRUE;
}

/* Take a result out of a slot, believing nothing of it. Returns the status for the request. */
static NTSTATUS take_result(const struct smbc_connection *connection, const struct ring_slot *slot,
                            struct smb_request *request)
{
    NTSTATUS status = slot->status;
    ULONG done = slot->done;

    request->origin = (enum smb_origin)slot->origin;
    if (status < 0)
        return status;
    if (status != STATUS_SUCCESS && (status != STATUS_NOTIFY_ENUM_DIR || request->op != SMB_NOTIFY))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    switch (request->op) {
    case SMB_CREATE:
        request->out.create.access = slot->access;
        request->out.create.file = (uint64_t)connection->generation << 32 | (slot->result_file & UINT32_MAX);
        request->out.create.action = slot->action;
        request->out.create.info = slot->info;
        break;
    case SMB_READ:
    case SMB_WRITE:
    case SMB_QUERY_DIRECTORY:
        if (done > request->in.io.length)
            return STATUS_UNEXPECTED_NETWORK_ERROR;
        if (request->op != SMB_WRITE && done != 0)
            memcpy(request->in.io.buffer, slot->payload, done);
        if (request->op == SMB_QUERY_DIRECTORY && !is_listing(request->in.io.buffer, done))
            return STATUS_UNEXPECTED_NETWORK_ERROR;
        request->out.io.done = done;
        break;
    case SMB_NOTIFY:
        if (done > request->in.notify.length)
            return STATUS_UNEXPECTED_NETWORK_ERROR;
        if (done != 0)
            memcpy(request->in.notify.buffer, slot->payload, done);
        if (!is_change_list(request->in.notify.buffer, done))
            return STATUS_UNEXPECTED_NETWORK_ERROR;
        request->out.io.done = done;
        break;
    case SMB_QUERY_PATH:
    case SMB_QUERY_FILE:
        request->out.info = slot->info;
        break;
    case SMB_QUERY_VOLUME:
        request->out.volume = slot->volume;
        break;
    default:
        break;
    }
    return status;
}

/* ---- the connection's thread ---- */

/* Complete what the worker has done. Returns FALSE if the ring cannot be right. */
static BOOLEAN harvest(struct smbc_connection *connection)
{
    for (;;) {
        struct smb_request *request;
        uint32_t index, ready;
        NTSTATUS status = STATUS_SUCCESS;

        pthread_mutex_lock(&connection->lock);
        ready = connection->ending ? 0 : atomic_load(&connection->ring->completed) - connection->harvested;
        if (ready == 0 || ready > connection->submitted - connection->harvested) {
            pthread_mutex_unlock(&connection->lock);
            return ready == 0;
        }
        index = connection->harvested % RING_SLOTS;
        request = connection->requests[index];
        connection->requests[index] = NULL;
        if (request != NULL) {
            status = take_result(connection, &connection->ring->slots[index], request);
            request->backend.state = NOWHERE;
        }
        connection->harvested++;
        if (connection->waiting.first != NULL) {
            fill_from_queue(connection);
            ring_wake_worker(connection->ring);
        }
        pthread_mutex_unlock(&connection->lock);
        if (request != NULL)
            smb_complete(request, status);
    }
}

static uint32_t get_harvested(struct smbc_connection *connection)
{
    uint32_t harvested;

    pthread_mutex_lock(&connection->lock);
    harvested = connection->harvested;
    pthread_mutex_unlock(&connection->lock);
    return harvested;
}

/* Wait until the worker has done something. Returns FALSE when it is gone. Only this thread ends a worker, so its
 * socket and ring stay without the lock. */
static BOOLEAN wait_for_worker(struct smbc_connection *connection, struct ring *ring, int socket)
{
    struct pollfd p = {.fd = socket, .events = POLLIN};
    uint32_t harvested = get_harvested(connection);
    BOOLEAN alive = TRUE;
    char bells[8];

    if (atomic_load(&ring->submitted) != harvested && ring_spin(&connection->patience, &ring->completed, harvested))
        return TRUE;
    atomic_store(&ring->connection_sleeps, 1);
    if (atomic_load(&ring->completed) == harvested && poll(&p, 1, -1) > 0)
        alive = recv(socket, bells, sizeof(bells), MSG_DONTWAIT) > 0 || (p.revents & ~POLLIN) == 0;
    atomic_store_explicit(&ring->connection_sleeps, 0, memory_order_relaxed);
    return alive;
}

static void serve_worker(struct smbc_connection *connection)
{
    while (harvest(connection)) {
        if (!wait_for_worker(connection, connection->ring, connection->socket)) {
            /* What it had done before it died is done. */
            harvest(connection);
            return;
        }
    }
}

/* After the worker's end. Lock held on entry and exit, not in between. */
static void bury_worker(struct smbc_connection *connection)
{
    struct smb_queue lost, hopeless = {0};

    connection->ending = TRUE;
    lost = take_outstanding(connection);
    while (connection->visitors != 0)
        pthread_cond_wait(&connection->changed, &connection->lock);
    end_worker(connection);
    connection->ending = FALSE;
    /* What came in while the visitors left is the next worker's. */
    if (connection->waiting.first != NULL) {
        if (start_worker(connection))
            fill_from_queue(connection);
        else
            hopeless = take_outstanding(connection);
    }
    pthread_mutex_unlock(&connection->lock);
    complete_all(&lost, STATUS_UNEXPECTED_NETWORK_ERROR);
    complete_all(&hopeless, STATUS_INSUFFICIENT_RESOURCES);
    pthread_mutex_lock(&connection->lock);
}

static void *connection_thread(void *context)
{
    struct smbc_connection *connection = context;

    pthread_mutex_lock(&connection->lock);
    for (;;) {
        while (connection->pid == 0 && !connection->stopping)
            pthread_cond_wait(&connection->changed, &connection->lock);
        if (connection->pid == 0)
            break;
        pthread_mutex_unlock(&connection->lock);
        serve_worker(connection);
        pthread_mutex_lock(&connection->lock);
        bury_worker(connection);
    }
    pthread_mutex_unlock(&connection->lock);
    return NULL;
}

/* ---- operations ---- */

/* What can be said without the worker; STATUS_PENDING: ask it. Lock held. */
static NTSTATUS check_request(struct smbc_connection *connection, const struct smb_request *request)
{
    uint32_t generation = (uint32_t)(request->file >> 32);

    if (connection->stopping)
        return STATUS_CONNECTION_DISCONNECTED;
    if ((request->op == SMB_READ || request->op == SMB_WRITE || request->op == SMB_QUERY_DIRECTORY) &&
        request->in.io.length > SMB_MAX_IO)
        return STATUS_INVALID_PARAMETER;
    if (request->op == SMB_NOTIFY && (request->in.notify.length > SMB_MAX_IO || request->in.notify.filter == 0))
        return STATUS_INVALID_PARAMETER;
    if (is_by_file(request->op)) {
        if (generation == 0 || generation > connection->generation)
            return STATUS_INVALID_HANDLE;
        if (generation != connection->generation || connection->pid == 0 || connection->ending)
            return STATUS_CONNECTION_DISCONNECTED;
    }
    if (connection->pid == 0 && !start_worker(connection))
        return STATUS_INSUFFICIENT_RESOURCES;
    return STATUS_PENDING;
}

/* Take a request in. Returns the slot if it got one at once and a waiting thread may therefore look into it; that
 * thread is a visitor then, until leave_ring. */
static struct ring_slot *accept_request(struct smbc_connection *connection, struct smb_request *request, BOOLEAN waited,
                                        uint32_t *number)
{
    struct ring_slot *slot = NULL;
    NTSTATUS status;

    pthread_mutex_lock(&connection->lock);
    status = check_request(connection, request);
    if (status != STATUS_PENDING) {
        request->backend.state = NOWHERE;
    } else if (!connection->ending && connection->waiting.first == NULL &&
               connection->submitted - connection->harvested < RING_SLOTS) {
        *number = connection->submitted;
        slot = &connection->ring->slots[*number % RING_SLOTS];
        fill_slot(connection, request, waited);
        if (waited)
            connection->visitors++;
        ring_wake_worker(connection->ring);
    } else {
        request->backend.state = WAITING;
        smb_queue_put(&connection->waiting, request);
    }
    pthread_mutex_unlock(&connection->lock);
    if (status != STATUS_PENDING)
        smb_complete(request, status);
    return slot;
}

static void smbc_submit(struct smb_connection *base, struct smb_request *request)
{
    uint32_t number;

    (void)accept_request((struct smbc_connection *)base, request, FALSE, &number);
}

/* The ring makes no sense. The thread will see the worker's end, and complete everything. */
static void abandon_worker(struct smbc_connection *connection)
{
    pthread_mutex_lock(&connection->lock);
    if (connection->pid != 0)
        kill(connection->pid, SIGKILL);
    pthread_mutex_unlock(&connection->lock);
}

static void leave_ring(struct smbc_connection *connection)
{
    pthread_mutex_lock(&connection->lock);
    if (--connection->visitors == 0 && connection->ending)
        pthread_cond_broadcast(&connection->changed);
    pthread_mutex_unlock(&connection->lock);
}

static void smbc_perform(struct smb_connection *base, struct smb_request *request)
{
    struct smbc_connection *connection = (struct smbc_connection *)base;
    struct ring_slot *slot;
    uint32_t number;

    slot = accept_request(connection, request, TRUE, &number);
    if (slot == NULL)
        return;
    ring_wait_finished(slot, number + 1);
    if (!harvest(connection))
        abandon_worker(connection);
    leave_ring(connection);
}

static void smbc_cancel(struct smb_connection *base, struct smb_request *request)
{
    struct smbc_connection *connection = (struct smbc_connection *)base;
    BOOLEAN cancelled = FALSE;
    uint32_t ready = RING_READY, taken = RING_TAKEN;

    pthread_mutex_lock(&connection->lock);
    if (request->backend.state == WAITING) {
        cancelled = smb_queue_remove(&connection->waiting, request);
    } else if (request->backend.state == IN_RING) {
        uint32_t index = (uint32_t)request->backend.id % RING_SLOTS;
        struct ring_slot *slot = &connection->ring->slots[index];

        /* Neither: the worker has just finished it, and the thread is about to complete it. */
        cancelled = atomic_compare_exchange_strong(&slot->state, &ready, RING_CANCELLED) ||
                    atomic_compare_exchange_strong(&slot->state, &taken, RING_ABANDONED);
        if (cancelled) {
            connection->requests[index] = NULL;
            finish_slot(connection, (uint32_t)request->backend.id);
        }
    }
    if (cancelled)
        request->backend.state = NOWHERE;
    pthread_mutex_unlock(&connection->lock);
    if (cancelled)
        smb_complete(request, STATUS_CANCELLED);
}

static void smbc_describe(struct smb_connection *base, char *text, size_t size)
{
    struct smbc_connection *connection = (struct smbc_connection *)base;

    pthread_mutex_lock(&connection->lock);
    if (connection->pid != 0 && connection->ring->description[0] != '\0')
        snprintf(text, size, "%.*s", (int)sizeof(connection->ring->description), connection->ring->description);
    else
        snprintf(text, size, "libsmbclient, not connected");
    pthread_mutex_unlock(&connection->lock);
}

/* ---- life of a connection ---- */

static BOOLEAN copy_string(char *to, size_t size, const char *from)
{
    WCHAR scratch[HELLO_STRING];
    BOOLEAN fits;

    if (from == NULL)
        from = "";
    fits = strlen(from) < size && (from[0] == '\0' || smb_name_from_utf8(from, scratch) != 0);
    explicit_bzero(scratch, sizeof(scratch)); /* it may be the password */
    if (fits)
        strcpy(to, from);
    return fits;
}

static struct ring_hello *make_hello(const struct smb_target *target, NTSTATUS *status)
{
    struct ring_hello *hello = mmap(NULL, sizeof(*hello), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const struct ring_hello *like = target->like != NULL ? ((const struct smbc_connection *)target->like)->hello : NULL;

    if (hello == MAP_FAILED) {
        *status = STATUS_INSUFFICIENT_RESOURCES;
        return NULL;
    }
    /* Best effort both: an unprivileged process may lock little memory. */
    (void)mlock(hello, sizeof(*hello));
    (void)madvise(hello, sizeof(*hello), MADV_DONTDUMP);
    hello->version = RING_VERSION;
    hello->timeout_ms = target->timeout_ms != 0 ? target->timeout_ms : 20000;
    hello->port = target->port != 0 ? target->port : 445;
    if (copy_string(hello->host, sizeof(hello->host), target->host) &&
        copy_string(hello->share, sizeof(hello->share), target->share) &&
        copy_string(hello->user, sizeof(hello->user), like != NULL ? like->user : target->user) &&
        copy_string(hello->domain, sizeof(hello->domain), like != NULL ? like->domain : target->domain) &&
        copy_string(hello->password, sizeof(hello->password), like != NULL ? like->password : target->password) &&
        copy_string(hello->dialect, sizeof(hello->dialect), target->dialect))
        return hello;
    explicit_bzero(hello, sizeof(*hello));
    munmap(hello, sizeof(*hello));
    *status = STATUS_INVALID_PARAMETER;
    return NULL;
}

static void free_connection(struct smbc_connection *connection)
{
    explicit_bzero(connection->hello, sizeof(*connection->hello));
    munmap(connection->hello, sizeof(*connection->hello));
    pthread_cond_destroy(&connection->changed);
    pthread_mutex_destroy(&connection->lock);
    free(connection);
}

static BOOLEAN start_thread(struct smbc_connection *connection)
{
    sigset_t all, before;
    int rc;

    /* The signals are the process's, not this thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = pthread_create(&connection->thread, NULL, connection_thread, connection);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

static NTSTATUS smbc_connect(struct smb_backend *backend, const struct smb_target *target,
                             struct smb_connection **ret_connection)
{
    struct smbc_connection *connection = calloc(1, sizeof(*connection));
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    pthread_condattr_t monotonic;
    BOOLEAN started;

    if (connection == NULL)
        return status;
    connection->hello = make_hello(target, &status);
    if (connection->hello == NULL) {
        free(connection);
        return status;
    }
    connection->base.backend = backend;
    pthread_mutex_init(&connection->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&connection->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    /* Now, so that libsmbclient is loaded and ready by the time of the first request. */
    pthread_mutex_lock(&connection->lock);
    started = start_worker(connection);
    pthread_mutex_unlock(&connection->lock);
    if (!started || !start_thread(connection)) {
        if (started)
            end_worker(connection);
        free_connection(connection);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *ret_connection = &connection->base;
    return STATUS_SUCCESS;
}

static void smbc_disconnect(struct smb_connection *base)
{
    struct smbc_connection *connection = (struct smbc_connection *)base;
    struct smb_queue outstanding;
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += STOP_TIMEOUT_S;
    pthread_mutex_lock(&connection->lock);
    connection->stopping = TRUE;
    outstanding = take_outstanding(connection);
    if (connection->pid != 0) {
        atomic_store(&connection->ring->stop, 1);
        ring_wake_worker(connection->ring);
    }
    pthread_cond_broadcast(&connection->changed);
    pthread_mutex_unlock(&connection->lock);
    complete_all(&outstanding, STATUS_CONNECTION_DISCONNECTED);

    /* It closes its files and ends, and the thread sees that. Unless a server keeps it waiting. */
    pthread_mutex_lock(&connection->lock);
    while (connection->pid != 0 &&
           pthread_cond_timedwait(&connection->changed, &connection->lock, &deadline) != ETIMEDOUT)
        ;
    if (connection->pid != 0)
        kill(connection->pid, SIGKILL);
    pthread_mutex_unlock(&connection->lock);
    pthread_join(connection->thread, NULL);
    free_connection(connection);
}

/* ---- the backend ---- */

/* A program of the build uses the worker of the build, an installed one the installed one. */
static const char *default_worker(void)
{
    static const char build_root[] = SMBWORKER_BUILD_ROOT "/";
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length > 0 && strncmp(self, build_root, strlen(build_root)) == 0)
        return SMBWORKER_BUILT;
    return SMBWORKER_INSTALLED;
}

/*
 * libsmbclient reads $HOME/.smb/smb.conf and, only if there is none, the machine's. Ours makes it independent of the
 * machine: old dialects allowed, no broadcasts, and its caches beside it. "map" lets the attributes that smbc_chmod
 * takes for mode bits through.
 */
static int write_smb_conf(const char *state_dir)
{
    char *path = NULL, *temporary = NULL;
    FILE *file = NULL;
    int rc = -1;

    if (asprintf(&path, "%s/.smb", state_dir) < 0)
        return -1;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        goto exit;
    free(path);
    path = NULL;
    if (asprintf(&path, "%s/.smb/smb.conf", state_dir) < 0 || asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0)
        goto exit;
    file = fopen(temporary, "we");
    if (file == NULL)
        goto exit;
    fprintf(file,
            "[global]\n"
            "client min protocol = NT1\n"
            "client max protocol = SMB3_11\n"
            "name resolve order = host\n"
            "disable netbios = yes\n"
            "map hidden = yes\n"
            "map system = yes\n"
            "lock directory = %s/.smb\n"
            "state directory = %s/.smb\n"
            "cache directory = %s/.smb\n"
            "private dir = %s/.smb\n",
            state_dir, state_dir, state_dir, state_dir);
    rc = ferror(file) ? -1 : 0;
    if (fclose(file) != 0)
        rc = -1;
    /* Another backend over the same folder may be reading it: never half a file. */
    if (rc == 0)
        rc = rename(temporary, path);
    if (rc != 0)
        unlink(temporary);
exit:
    free(temporary);
    free(path);
    return rc;
}

static void smbc_free(struct smb_backend *base)
{
    struct smbc_backend *backend = (struct smbc_backend *)base;

    free(backend->worker_path);
    free(backend->home);
    free(backend);
}

static const struct smb_backend_ops smbc_ops = {
    .connect = smbc_connect,
    .submit = smbc_submit,
    .perform = smbc_perform,
    .cancel = smbc_cancel,
    .disconnect = smbc_disconnect,
    .describe = smbc_describe,
    .free = smbc_free,
};

struct smb_backend *smb_smbc_backend(const char *worker_path, const char *state_dir)
{
    struct smbc_backend *backend;

    if (worker_path == NULL)
        worker_path = default_worker();
    if (access(worker_path, X_OK) != 0 || write_smb_conf(state_dir) != 0)
        return NULL;
    backend = smb_new_aligned(sizeof(*backend));
    if (backend == NULL)
        return NULL;
    backend->base.ops = &smbc_ops;
    backend->worker_path = strdup(worker_path);
    if (backend->worker_path == NULL || asprintf(&backend->home, "HOME=%s", state_dir) < 0) {
        free(backend->worker_path);
        free(backend);
        return NULL;
    }
    return &backend->base;
}
