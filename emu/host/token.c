/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens: the table, the question whether a token's file is open, and closing. See token.h for the idea. */
#include "token.h"

#include "host.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INDEX_BITS   20 /* 1,048,576 open files at once */
#define INDEX_MASK   ((1u << INDEX_BITS) - 1)
#define CHUNK_TOKENS 1024u
#define CHUNKS       ((1u << INDEX_BITS) / CHUNK_TOKENS)
#define NAME_SIZE    17

/* The kernel reports a close a moment before it forgets the opener. A token that still looked open then is looked at
 * again at every drain, and for this long by the thread: far longer than any closing thread is held up. */
#define SUSPECT_MS 10000
#define PAUSE_MS   10

enum token_state {
    TOKEN_FREE,
    TOKEN_MAKING, /* its file is being made */
    TOKEN_OPEN,
    TOKEN_DOOMED,  /* closed by its client, while a service still uses the handle */
    TOKEN_ENDING,  /* in the closing list; what still uses the handle has been told to end */
    TOKEN_WAITING, /* in the closing list */
    TOKEN_CLOSING  /* in the closing list; a thread is in NtClose */
};

struct token {
    uint64_t id;   /* serial number << INDEX_BITS | index; kept while free: the next one has the next serial */
    HANDLE handle; /* NULL: a spare */
    const void *owner;
    uint64_t scope;
    uint32_t users;
    enum token_state state;
    bool with_file, suspect;
    int64_t suspect_since;
    struct token *next, *previous; /* free list (next only), closing list */
    struct token *next_suspect;
    struct token_use *waiting; /* uses that are to be told of the end */
};

struct token_table {
    pthread_mutex_t lock;  /* everything below */
    pthread_cond_t closed; /* a token left the closing list */
    struct token *chunks[CHUNKS];
    uint32_t chunk_count;
    struct token *free_list;
    struct token *closing, *closing_last; /* the oldest and the newest report; last: if there is one */
    struct token *suspects;
    unsigned open_count, spare_count; /* spares are open, too */
    bool rescan;                      /* reports were lost, or a file could not be looked at */
    bool stop;
    uint64_t serial;

    int tokens, held; /* borrowed */
    int inotify, kick;
    pthread_t thread;
    char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
};

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- files ---- */

static void name_of(uint64_t id, char name[NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 15; i >= 0; i--, id >>= 4)
        name[i] = digits[id & 15];
    name[16] = '\0';
}

static uint64_t id_of(const char *name)
{
    uint64_t id = 0;

    if (strlen(name) != 16 || strspn(name, "0123456789abcdef") != 16)
        return 0;
    for (; *name; name++)
        id = id << 4 | (uint64_t)(*name <= '9' ? *name - '0' : *name - 'a' + 10);
    return id;
}

/* Made outside tokens/ and linked into it, so that no report comes of it. */
static NTSTATUS make_file(struct token_table *table, uint64_t id)
{
    char name[NAME_SIZE];
    int error;

    name_of(id, name);
    if (mknodat(table->held, name, S_IFREG | 0600, 0) == 0) {
        if (linkat(table->held, name, table->tokens, name, 0) == 0)
            return STATUS_SUCCESS;
        error = errno;
        unlinkat(table->held, name, 0);
    } else
        error = errno;
    return error == ENOSPC || error == EDQUOT ? STATUS_DISK_FULL : STATUS_INSUFFICIENT_RESOURCES;
}

static void remove_file(struct token_table *table, uint64_t id)
{
    char name[NAME_SIZE];

    name_of(id, name);
    unlinkat(table->tokens, name, 0);
    unlinkat(table->held, name, 0);
}

enum openness { NOBODY_HAS_IT, SOMEBODY_HAS_IT, CANNOT_TELL };

static enum openness ask(int held, const char *name)
{
    int fd = openat(held, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), result, error;

    if (fd < 0)
        return CANNOT_TELL;
    result = fcntl(fd, F_SETLEASE, F_WRLCK);
    error = errno;
    close(fd); /* and the lease with it */
    if (result == 0)
        return NOBODY_HAS_IT;
    return error == EAGAIN ? SOMEBODY_HAS_IT : CANNOT_TELL;
}

static enum openness ask_token(struct token_table *table, const struct token *token)
{
    char name[NAME_SIZE];
    enum openness answer;

    name_of(token->id, name);
    answer = ask(table->held, name);
    if (answer == CANNOT_TELL)
        table->rescan = true;
    return answer;
}

/* Not every file system grants leases; the means must be known to work before anybody relies on them. */
static bool self_test(struct token_table *table)
{
    static const char name[] = "self-test";
    bool good = false;
    int fd;

    if (mknodat(table->held, name, S_IFREG | 0600, 0) != 0)
        return false;
    if (linkat(table->held, name, table->tokens, name, 0) == 0) {
        fd = openat(table->tokens, name, O_RDWR | O_CLOEXEC);
        good = fd >= 0 && ask(table->held, name) == SOMEBODY_HAS_IT;
        if (fd >= 0)
            close(fd);
        good = good && ask(table->held, name) == NOBODY_HAS_IT;
        fd = openat(table->tokens, name, O_RDONLY | O_CLOEXEC);
        good = good && fd >= 0 && ask(table->held, name) == SOMEBODY_HAS_IT;
        if (fd >= 0)
            close(fd);
        unlinkat(table->tokens, name, 0);
    }
    unlinkat(table->held, name, 0);
    return good && read(table->inotify, table->events, sizeof(table->events)) > 0;
}

/* ---- the table (all with the lock held) ---- */

static struct token *find(struct token_table *table, uint64_t id)
{
    uint32_t index = (uint32_t)id & INDEX_MASK;
    struct token *token;

    if (index / CHUNK_TOKENS >= table->chunk_count)
        return NULL;
    token = &table->chunks[index / CHUNK_TOKENS][index % CHUNK_TOKENS];
    return token->id == id && token->state != TOKEN_FREE ? token : NULL;
}

static bool add_chunk(struct token_table *table)
{
    struct token *chunk;
    uint32_t first = table->chunk_count * CHUNK_TOKENS;

    if (table->chunk_count == CHUNKS)
        return false;
    chunk = calloc(CHUNK_TOKENS, sizeof(*chunk));
    if (!chunk)
        return false;
    for (uint32_t i = CHUNK_TOKENS; i-- > 0;) {
        chunk[i].id = first + i;
        chunk[i].next = table->free_list;
        table->free_list = &chunk[i];
    }
    table->chunks[table->chunk_count++] = chunk;
    return true;
}

static struct token *take_free(struct token_table *table)
{
    struct token *token;

    if (!table->free_list && !add_chunk(table))
        return NULL;
    token = table->free_list;
    table->free_list = token->next;
    token->next = NULL;
    token->id = table->serial++ << INDEX_BITS | (token->id & INDEX_MASK);
    table->open_count++;
    return token;
}

static void give_back(struct token_table *table, struct token *token)
{
    if (!token->handle)
        table->spare_count--;
    token->state = TOKEN_FREE;
    token->next = table->free_list;
    token->previous = NULL;
    table->free_list = token;
    table->open_count--;
}

typedef void token_visitor(struct token_table *table, struct token *token, const void *context);

static void visit_open(struct token_table *table, token_visitor *visit, const void *context)
{
    for (uint32_t chunk = 0; chunk < table->chunk_count; chunk++)
        for (uint32_t i = 0; i < CHUNK_TOKENS; i++)
            if (table->chunks[chunk][i].state == TOKEN_OPEN)
                visit(table, &table->chunks[chunk][i], context);
}

/* ---- closing (all with the lock held) ---- */

static void forget_suspect(struct token_table *table, struct token *token)
{
    struct token **link = &table->suspects;

    if (!token->suspect)
        return;
    while (*link != token)
        link = &(*link)->next_suspect;
    *link = token->next_suspect;
    token->suspect = false;
}

static void suspect(struct token_table *table, struct token *token)
{
    token->suspect_since = milliseconds();
    if (token->suspect)
        return;
    token->suspect = true;
    token->next_suspect = table->suspects;
    table->suspects = token;
}

/* Behind the others: programs close what depends on each other in an order, a folder's last file before the folder. */
static void list_for_closing(struct token_table *table, struct token *token)
{
    struct token **link = &table->closing;

    token->previous = NULL;
    token->next = NULL;
    if (table->closing) {
        token->previous = table->closing_last;
        link = &table->closing_last->next;
    }
    *link = token;
    table->closing_last = token;
}

static void unlist(struct token_table *table, struct token *token)
{
    if (token->next)
        token->next->previous = token->previous;
    else
        table->closing_last = token->previous;
    *(token->previous ? &token->previous->next : &table->closing) = token->next;
}

static void forget_waiting(struct token *token, const struct token_use *use)
{
    struct token_use **link = &token->waiting;

    while (*link && *link != use)
        link = &(*link)->next_waiting;
    if (*link)
        *link = use->next_waiting;
}

static void end_use(struct token *token, struct token_use *use)
{
    if (!use->end(use->context))
        return;
    forget_waiting(token, use);
    use->token = NULL;
    token->users--;
}

static void end_waiting(struct token *token)
{
    struct token_use *use = token->waiting, *next;

    for (; use; use = next) {
        next = use->next_waiting;
        end_use(token, use);
    }
}

static bool only_waits(const struct token *token)
{
    uint32_t waiting = 0;

    for (const struct token_use *use = token->waiting; use; use = use->next_waiting)
        waiting++;
    return waiting == token->users;
}

/* The client is done with it, and somebody who used it may be, too. */
static void settle(struct token_table *table, struct token *token)
{
    if (token->state == TOKEN_DOOMED && only_waits(token)) {
        list_for_closing(table, token);
        token->state = TOKEN_ENDING;
    }
    if (token->state == TOKEN_ENDING && token->users == 0)
        token->state = TOKEN_WAITING;
}

/* The client is done with it. */
static void doom(struct token_table *table, struct token *token)
{
    forget_suspect(table, token);
    if (token->with_file)
        remove_file(table, token->id);
    end_waiting(token);
    token->state = TOKEN_DOOMED;
    settle(table, token);
}

/* After a report of a close. */
static void reconsider(struct token_table *table, struct token *token)
{
    if (ask_token(table, token) == NOBODY_HAS_IT)
        doom(table, token);
    else
        suspect(table, token);
}

/* After lost reports: a token that nobody has open may have been closed, or not opened yet. Only where its client has
 * gone is it certain; otherwise it waits for that. */
static void reconsider_unreported(struct token_table *table, struct token *token, const void *context)
{
    if (token->with_file && !token->owner && ask_token(table, token) == NOBODY_HAS_IT)
        doom(table, token);
}

static void reconsider_suspects(struct token_table *table)
{
    struct token *token = table->suspects, *next;
    int64_t now = token ? milliseconds() : 0;

    for (; token; token = next) {
        next = token->next_suspect;
        if (ask_token(table, token) == NOBODY_HAS_IT)
            doom(table, token);
        else if (now - token->suspect_since > SUSPECT_MS)
            forget_suspect(table, token);
    }
}

static void take_report(struct token_table *table, const struct inotify_event *event)
{
    struct token *token;

    if (event->mask & IN_Q_OVERFLOW) {
        host_error("more than the kernel keeps of reports about token files was lost: files may stay open until their "
                   "clients end");
        table->rescan = true;
        return;
    }
    token = event->len ? find(table, id_of(event->name)) : NULL;
    if (token && token->state == TOKEN_OPEN && token->with_file)
        reconsider(table, token);
}

static void collect(struct token_table *table)
{
    ssize_t length;

    if (table->suspects)
        reconsider_suspects(table);
    while ((length = read(table->inotify, table->events, sizeof(table->events))) > 0) {
        for (char *place = table->events; place < table->events + length;) {
            const struct inotify_event *event = (const void *)place;
            take_report(table, event);
            place += sizeof(*event) + event->len;
        }
    }
    if (table->rescan) {
        table->rescan = false;
        visit_open(table, reconsider_unreported, NULL);
    }
}

static bool scopes_meet(uint64_t left, uint64_t right)
{
    return left == right || left == 0 || right == 0;
}

static struct token *find_listed(const struct token_table *table, uint64_t scope, enum token_state state)
{
    for (struct token *token = table->closing; token; token = token->next)
        if (token->state == state && scopes_meet(token->scope, scope))
            return token;
    return NULL;
}

static bool is_under_way(const struct token_table *table, uint64_t scope)
{
    return find_listed(table, scope, TOKEN_CLOSING) || find_listed(table, scope, TOKEN_ENDING);
}

/* Whether a file that its client has closed before, on the same server, is only now being closed. */
static bool would_overtake(const struct token_table *table, const struct token *token)
{
    for (const struct token *other = table->closing; other != token; other = other->next)
        if (other->state != TOKEN_WAITING && other->owner == token->owner && other->scope == token->scope)
            return true;
    return false;
}

static struct token *next_to_close(const struct token_table *table, uint64_t scope)
{
    for (struct token *token = table->closing; token; token = token->next)
        if (token->state == TOKEN_WAITING && scopes_meet(token->scope, scope) && !would_overtake(table, token))
            return token;
    return NULL;
}

/*
 * NtClose of each token waiting in the scope. The lock is not held meanwhile: a close may wait for a server. A token
 * that would overtake is left to the thread that it would overtake, whose scope meets its own.
 */
static void close_listed(struct token_table *table, uint64_t scope)
{
    struct token *token;

    while ((token = next_to_close(table, scope)) != NULL) {
        token->state = TOKEN_CLOSING;
        pthread_mutex_unlock(&table->lock);
        if (token->handle)
            process_close_handle(token->handle);
        pthread_mutex_lock(&table->lock);
        unlist(table, token);
        give_back(table, token);
        pthread_cond_broadcast(&table->closed);
    }
}

static void wait_closed(struct token_table *table, int64_t until)
{
    struct timespec time = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    pthread_cond_timedwait(&table->closed, &table->lock, &time);
}

static bool given_up(const atomic_bool *give_up)
{
    return give_up && atomic_load(give_up);
}

void token_drain(struct token_table *table, token_scope_routine *scope_of, const void *context,
                 const atomic_bool *give_up)
{
    bool closing;
    uint64_t scope;

    pthread_mutex_lock(&table->lock);
    collect(table);
    closing = table->closing != NULL;
    pthread_mutex_unlock(&table->lock);
    if (!closing)
        return;

    scope = scope_of(context);
    pthread_mutex_lock(&table->lock);
    do {
        close_listed(table, scope);
        if (find_listed(table, 0, TOKEN_WAITING))
            eventfd_write(table->kick, 1);
        while (is_under_way(table, scope) && !given_up(give_up))
            wait_closed(table, milliseconds() + 50);
    } while (find_listed(table, scope, TOKEN_WAITING) && !given_up(give_up));
    pthread_mutex_unlock(&table->lock);
}

void token_drain_all(struct token_table *table)
{
    int64_t until = milliseconds() + 500;

    pthread_mutex_lock(&table->lock);
    collect(table);
    if (table->closing)
        eventfd_write(table->kick, 1);
    while (table->closing && milliseconds() < until)
        wait_closed(table, until);
    pthread_mutex_unlock(&table->lock);
}

/*
 * Closes what no request has closed: a program that closes its last file and goes on elsewhere, or dies. It rests
 * between two rounds, for a client in a loop of opens and closes would wake it each time for nothing.
 */
static void *closing_thread(void *argument)
{
    struct token_table *table = argument;
    struct pollfd watch[2] = {{.fd = table->kick, .events = POLLIN}, {.fd = table->inotify, .events = POLLIN}};
    eventfd_t ignored;
    bool suspects = false, stop;

    process_enter(NULL);
    do {
        poll(watch, 2, suspects ? PAUSE_MS : -1);
        eventfd_read(table->kick, &ignored);
        pthread_mutex_lock(&table->lock);
        collect(table);
        close_listed(table, 0);
        suspects = table->suspects != NULL;
        stop = table->stop;
        pthread_mutex_unlock(&table->lock);
        if (!stop)
            poll(watch, 1, PAUSE_MS);
    } while (!stop);
    process_enter(NULL);
    return NULL;
}

/* ---- the public rest ---- */

struct token_table *token_table_create(int tokens_folder, int held_folder, char *error, size_t error_size)
{
    struct token_table *table = calloc(1, sizeof(*table));
    pthread_condattr_t clock;
    char path[40];
    uint32_t random = 0;

    if (!table) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    table->tokens = tokens_folder;
    table->held = held_folder;
    pthread_mutex_init(&table->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&table->closed, &clock);
    pthread_condattr_destroy(&clock);
    /* A client of a machine that is no more should not hit upon a token of this one. */
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = (uint32_t)milliseconds();
    table->serial = ((uint64_t)random << 8) + 1;
    table->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    table->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", tokens_folder);
    if (table->kick < 0 || table->inotify < 0 || inotify_add_watch(table->inotify, path, IN_CLOSE) < 0) {
        snprintf(error, error_size, "cannot watch the token files: %s", strerror(errno));
        goto failed;
    }
    if (!self_test(table)) {
        snprintf(error, error_size,
                 "its file system cannot tell who has a token file open (leases and inotify); "
                 "choose a folder in /dev/shm or $XDG_RUNTIME_DIR");
        goto failed;
    }
    if (pthread_create(&table->thread, NULL, closing_thread, table) != 0) {
        snprintf(error, error_size, "cannot start a thread");
        goto failed;
    }
    return table;

failed:
    if (table->inotify >= 0)
        close(table->inotify);
    if (table->kick >= 0)
        close(table->kick);
    free(table);
    return NULL;
}

static void doom_visitor(struct token_table *table, struct token *token, const void *context)
{
    doom(table, token);
}

void token_table_destroy(struct token_table *table)
{
    if (!table)
        return;
    pthread_mutex_lock(&table->lock);
    visit_open(table, doom_visitor, NULL);
    table->stop = true;
    pthread_mutex_unlock(&table->lock);
    eventfd_write(table->kick, 1);
    pthread_join(table->thread, NULL);
    for (uint32_t chunk = 0; chunk < table->chunk_count; chunk++)
        free(table->chunks[chunk]);
    close(table->inotify);
    close(table->kick);
    pthread_cond_destroy(&table->closed);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

unsigned token_count(struct token_table *table)
{
    unsigned count;

    pthread_mutex_lock(&table->lock);
    count = table->open_count - table->spare_count;
    pthread_mutex_unlock(&table->lock);
    return count;
}

NTSTATUS token_add(struct token_table *table, HANDLE handle, const void *owner, uint64_t scope, bool with_file,
                   uint64_t *ret_token)
{
    struct token *token;
    NTSTATUS status = STATUS_SUCCESS;
    uint64_t id;

    pthread_mutex_lock(&table->lock);
    token = take_free(table);
    if (token) {
        id = token->id;
        *token = (struct token){.id = id, .handle = handle, .owner = owner, .scope = scope, .with_file = with_file};
        token->state = with_file ? TOKEN_MAKING : TOKEN_OPEN;
        if (!handle)
            table->spare_count++;
    }
    pthread_mutex_unlock(&table->lock);
    if (!token)
        return STATUS_TOO_MANY_OPENED_FILES;
    if (with_file) {
        status = make_file(table, id);
        pthread_mutex_lock(&table->lock);
        if (status == STATUS_SUCCESS)
            token->state = TOKEN_OPEN;
        else
            give_back(table, token);
        pthread_mutex_unlock(&table->lock);
    }
    if (status == STATUS_SUCCESS)
        *ret_token = id;
    return status;
}

NTSTATUS token_offer(struct token_table *table, const void *owner, uint64_t *ret_token)
{
    return token_add(table, NULL, owner, 0, true, ret_token);
}

NTSTATUS token_bind(struct token_table *table, uint64_t token_id, HANDLE handle, const void *owner, uint64_t scope)
{
    NTSTATUS status = STATUS_INVALID_HANDLE;
    struct token *token;

    pthread_mutex_lock(&table->lock);
    token = find(table, token_id);
    if (token && token->state == TOKEN_OPEN && !token->handle && token->owner == owner) {
        token->handle = handle;
        token->scope = scope;
        table->spare_count--;
        status = STATUS_SUCCESS;
    }
    pthread_mutex_unlock(&table->lock);
    return status;
}

NTSTATUS token_use(struct token_table *table, uint64_t token_id, const void *user, struct token_use *use)
{
    NTSTATUS status = STATUS_INVALID_HANDLE;
    struct token *token;

    pthread_mutex_lock(&table->lock);
    token = find(table, token_id);
    if (token && token->state == TOKEN_OPEN && token->handle && (token->with_file || token->owner == user)) {
        token->users++;
        *use = (struct token_use){.handle = token->handle, .scope = token->scope, .token = token};
        status = STATUS_SUCCESS;
    }
    pthread_mutex_unlock(&table->lock);
    return status;
}

/* The lock is held. */
static void end_of_use(struct token_table *table, struct token *token)
{
    token->users--;
    settle(table, token);
    if (token->state == TOKEN_WAITING)
        close_listed(table, token->scope);
}

void token_release(struct token_table *table, struct token_use *use)
{
    struct token *token;

    if (!use->token && !use->end)
        return;
    pthread_mutex_lock(&table->lock);
    token = use->token; /* of one that waits, others may have ended it */
    use->token = NULL;
    if (token) {
        forget_waiting(token, use);
        end_of_use(table, token);
    }
    pthread_mutex_unlock(&table->lock);
}

void token_use_waits(struct token_table *table, struct token_use *use, bool (*end)(void *context), void *context)
{
    struct token *token;

    pthread_mutex_lock(&table->lock);
    token = use->token;
    if (token) {
        use->end = end;
        use->context = context;
        use->next_waiting = token->waiting;
        token->waiting = use;
        if (token->state == TOKEN_DOOMED) {
            end_use(token, use);
            settle(table, token);
            if (token->state == TOKEN_WAITING)
                close_listed(table, token->scope);
        }
    }
    pthread_mutex_unlock(&table->lock);
}

NTSTATUS token_close(struct token_table *table, uint64_t token_id, const void *user)
{
    NTSTATUS status = STATUS_SUCCESS;
    struct token *token;

    pthread_mutex_lock(&table->lock);
    token = find(table, token_id);
    if (!token || token->state != TOKEN_OPEN || token->owner != user)
        status = STATUS_INVALID_HANDLE;
    else if (token->with_file && ask_token(table, token) != NOBODY_HAS_IT)
        status = STATUS_HANDLE_NOT_CLOSABLE;
    else {
        doom(table, token);
        close_listed(table, token->scope);
    }
    pthread_mutex_unlock(&table->lock);
    return status;
}

static void leave_owner(struct token_table *table, struct token *token, const void *owner)
{
    if (token->owner != owner)
        return;
    token->owner = NULL;
    if (!token->with_file || ask_token(table, token) == NOBODY_HAS_IT)
        doom(table, token);
}

void token_owner_gone(struct token_table *table, const void *owner)
{
    pthread_mutex_lock(&table->lock);
    visit_open(table, leave_owner, owner);
    if (table->closing)
        eventfd_write(table->kick, 1);
    pthread_mutex_unlock(&table->lock);
}
