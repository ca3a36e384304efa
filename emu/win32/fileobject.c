/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fileobject.c - events and completion ports of file objects. Entries are not the heap's: see copy.c. */
#include "fileobject.h"

#define MOST    4096u
#define BUCKETS 256u

struct entry {
    uint64_t token;
    HANDLE event, port; /* ours; NULL: none */
    ULONG_PTR key;
    uint32_t flags;
    unsigned pending; /* requests that have begun */
    bool closed;      /* no handle is left: it goes with the last of them */
    struct entry *next;
};

static struct {
    SRWLOCK lock; /* guards all; entries are few and calls under it short */
    LONG count;
    unsigned used; /* of store; those that were freed are in free_list */
    struct entry *free_list;
    struct entry *buckets[BUCKETS];
    struct entry store[MOST];
} files;

bool fileobject_any(void)
{
    return __atomic_load_n(&files.count, __ATOMIC_RELAXED) != 0;
}

static struct entry **place_of(uint64_t token)
{
    struct entry **place = &files.buckets[(token ^ token >> 20) % BUCKETS];

    while (*place && (*place)->token != token)
        place = &(*place)->next;
    return place;
}

/* With the lock; NULL: there are too many. */
static struct entry *have_entry(uint64_t token)
{
    struct entry **place = place_of(token), *entry = *place;

    if (entry)
        return entry;
    entry = files.free_list;
    if (entry)
        files.free_list = entry->next;
    else if (files.used < MOST)
        entry = &files.store[files.used++];
    else
        return NULL;
    *entry = (struct entry){.token = token};
    *place = entry;
    files.count++;
    return entry;
}

NTSTATUS fileobject_set_port(uint64_t token, HANDLE port, ULONG_PTR key)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    struct entry *entry;

    AcquireSRWLockExclusive(&files.lock);
    entry = have_entry(token);
    if (entry && entry->port)
        status = STATUS_INVALID_PARAMETER;
    else if (entry)
        status = wine.NtDuplicateObject(GetCurrentProcess(), port, GetCurrentProcess(), &entry->port, 0, 0,
                                        DUPLICATE_SAME_ACCESS);
    if (NT_SUCCESS(status))
        entry->key = key;
    ReleaseSRWLockExclusive(&files.lock);
    return status;
}

bool fileobject_has_port(uint64_t token)
{
    const struct entry *entry;
    bool has;

    if (!fileobject_any())
        return false;
    AcquireSRWLockShared(&files.lock);
    entry = *place_of(token);
    has = entry && entry->port;
    ReleaseSRWLockShared(&files.lock);
    return has;
}

NTSTATUS fileobject_set_flags(uint64_t token, uint32_t flags)
{
    struct entry *entry;

    if (flags & ~(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS_ | FILE_SKIP_SET_EVENT_ON_HANDLE_))
        return STATUS_INVALID_PARAMETER;
    AcquireSRWLockExclusive(&files.lock);
    entry = have_entry(token);
    if (entry)
        entry->flags |= flags;
    ReleaseSRWLockExclusive(&files.lock);
    return entry ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static HANDLE make_event(void)
{
    OBJECT_ATTRIBUTES attributes = {.Length = sizeof(attributes)};
    HANDLE event;

    return NT_SUCCESS(wine.NtCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, 0 /* NotificationEvent */, FALSE))
               ? event
               : NULL;
}

void fileobject_begin(uint64_t token, bool own_event)
{
    struct entry *entry;

    AcquireSRWLockExclusive(&files.lock);
    entry = have_entry(token);
    if (entry) {
        entry->pending++;
        if (!own_event && entry->event)
            wine.NtResetEvent(entry->event, NULL);
        else if (!own_event)
            entry->event = make_event();
    }
    ReleaseSRWLockExclusive(&files.lock);
}

/* With the lock. Its handles are the caller's to close, without it. */
static void remove_entry(struct entry **place, HANDLE handles[2])
{
    struct entry *entry = *place;

    handles[0] = entry->event;
    handles[1] = entry->port;
    *place = entry->next;
    entry->next = files.free_list;
    files.free_list = entry;
    files.count--;
}

static void close_both(HANDLE handles[2])
{
    for (int i = 0; i < 2; i++)
        if (handles[i])
            wine.NtClose(handles[i]);
}

static void end_pending(uint64_t token)
{
    HANDLE handles[2] = {NULL, NULL};
    struct entry **place;

    AcquireSRWLockExclusive(&files.lock);
    place = place_of(token);
    if (*place && (*place)->pending && --(*place)->pending == 0 && (*place)->closed)
        remove_entry(place, handles);
    ReleaseSRWLockExclusive(&files.lock);
    close_both(handles);
}

void fileobject_complete(uint64_t token, PVOID context, NTSTATUS status, uint64_t information, bool at_once,
                         bool own_event)
{
    const struct entry *entry;

    if (!fileobject_any())
        return;
    AcquireSRWLockShared(&files.lock);
    entry = *place_of(token);
    if (entry && entry->event && !own_event && !(entry->flags & FILE_SKIP_SET_EVENT_ON_HANDLE_))
        wine.NtSetEvent(entry->event, NULL);
    if (entry && entry->port && context && !(at_once && (entry->flags & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS_)))
        wine.NtSetIoCompletion(entry->port, entry->key, (ULONG_PTR)context, status, (SIZE_T)information);
    ReleaseSRWLockShared(&files.lock);
    if (!at_once)
        end_pending(token);
}

HANDLE fileobject_event(uint64_t token)
{
    const struct entry *entry;
    HANDLE event;

    AcquireSRWLockShared(&files.lock);
    entry = *place_of(token);
    event = entry ? entry->event : NULL;
    ReleaseSRWLockShared(&files.lock);
    return event;
}

void fileobject_forget(uint64_t token)
{
    HANDLE handles[2] = {NULL, NULL};
    struct entry **place;

    AcquireSRWLockExclusive(&files.lock);
    place = place_of(token);
    if (*place && (*place)->pending)
        (*place)->closed = true;
    else if (*place)
        remove_entry(place, handles);
    ReleaseSRWLockExclusive(&files.lock);
    close_both(handles);
}
