/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resources (ERESOURCE). Who releases lets others in; they say afterwards who they are. */
#include <ntemu/wdm.h>

#include <string.h>

#define TAG_OWNERS POOL_TAG('R', 'e', 'T', 'a')
#define GROWTH     4

ERESOURCE_THREAD NTAPI ExGetCurrentResourceThread(void)
{
    static _Thread_local char identity;

    return (ERESOURCE_THREAD)&identity;
}

NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource)
{
    memset(Resource, 0, sizeof *Resource);
    KeInitializeSpinLock(&Resource->SpinLock);
    KeInitializeSemaphore(&Resource->SharedWaiters, 0, MAXLONG);
    KeInitializeEvent(&Resource->ExclusiveWaiters, SynchronizationEvent, FALSE);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource)
{
    if (Resource->Owners)
        ExFreePoolWithTag(Resource->Owners, TAG_OWNERS);
    Resource->Owners = NULL;
    Resource->OwnerCapacity = 0;
    return STATUS_SUCCESS;
}

/* ---- owners; all with the spin lock ---- */

static POWNER_ENTRY find_owner(PERESOURCE resource, ERESOURCE_THREAD thread)
{
    for (ULONG i = 0; i < resource->OwnerCapacity; i++)
        if (resource->Owners[i].OwnerCount && resource->Owners[i].OwnerThread == thread)
            return &resource->Owners[i];
    return NULL;
}

/* A free entry for the thread; NULL: no pool. */
static POWNER_ENTRY reserve_owner(PERESOURCE resource)
{
    SIZE_T size = resource->OwnerCapacity * sizeof(OWNER_ENTRY);
    POWNER_ENTRY more;

    for (ULONG i = 0; i < resource->OwnerCapacity; i++)
        if (!resource->Owners[i].OwnerCount)
            return &resource->Owners[i];
    more = ExAllocatePoolWithTag(NonPagedPool, size + GROWTH * sizeof(OWNER_ENTRY), TAG_OWNERS);
    if (!more)
        return NULL;
    memset(more, 0, size + GROWTH * sizeof(OWNER_ENTRY));
    if (resource->Owners) {
        memcpy(more, resource->Owners, size);
        ExFreePoolWithTag(resource->Owners, TAG_OWNERS);
    }
    resource->Owners = more;
    resource->OwnerCapacity += GROWTH;
    return &more[resource->OwnerCapacity - GROWTH];
}

/* ---- to acquire ---- */

typedef enum _OUTCOME { Got, MustWait, NoMemory } OUTCOME;

static BOOLEAN may_enter(const ERESOURCE *resource, BOOLEAN exclusive)
{
    if (exclusive)
        return !resource->ActiveThreads;
    return !resource->Exclusive && !resource->NumberOfExclusiveWaiters;
}

static OUTCOME try_to_enter(PERESOURCE resource, BOOLEAN exclusive)
{
    POWNER_ENTRY owner = find_owner(resource, ExGetCurrentResourceThread());

    if (owner && (resource->Exclusive || !exclusive)) {
        owner->OwnerCount++;
        return Got;
    }
    if (!may_enter(resource, exclusive))
        return MustWait;
    owner = reserve_owner(resource);
    if (!owner)
        return NoMemory;
    *owner = (OWNER_ENTRY){ExGetCurrentResourceThread(), 1};
    resource->ActiveThreads++;
    resource->Exclusive = exclusive;
    return Got;
}

/* As NT is said to do where a driver cannot be told: later there may be pool. */
static void wait_for_pool(void)
{
    LARGE_INTEGER interval = {.QuadPart = -100000};

    KeDelayExecutionThread(KernelMode, FALSE, &interval);
}

/* Who was let in is counted already. */
static void enter_as_let_in(PERESOURCE resource)
{
    POWNER_ENTRY owner;
    KIRQL old;

    for (;;) {
        old = KeAcquireSpinLockRaiseToDpc(&resource->SpinLock);
        owner = reserve_owner(resource);
        if (owner)
            *owner = (OWNER_ENTRY){ExGetCurrentResourceThread(), 1};
        KeReleaseSpinLock(&resource->SpinLock, old);
        if (owner)
            return;
        wait_for_pool();
    }
}

static BOOLEAN acquire(PERESOURCE resource, BOOLEAN exclusive, BOOLEAN wait)
{
    OUTCOME outcome;
    KIRQL old;

    for (;;) {
        old = KeAcquireSpinLockRaiseToDpc(&resource->SpinLock);
        outcome = try_to_enter(resource, exclusive);
        if (outcome == MustWait && wait) {
            ++*(exclusive ? &resource->NumberOfExclusiveWaiters : &resource->NumberOfSharedWaiters);
            resource->ContentionCount++;
        }
        KeReleaseSpinLock(&resource->SpinLock, old);
        if (outcome != NoMemory || !wait)
            break;
        wait_for_pool();
    }
    if (outcome == Got || !wait)
        return outcome == Got;
    KeWaitForSingleObject(exclusive ? (PVOID)&resource->ExclusiveWaiters : (PVOID)&resource->SharedWaiters, Executive,
                          KernelMode, FALSE, NULL);
    enter_as_let_in(resource);
    return TRUE;
}

BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait)
{
    return acquire(Resource, TRUE, Wait);
}

BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait)
{
    return acquire(Resource, FALSE, Wait);
}

/* ---- to release ---- */

/* With the spin lock: counts in who may come now. Readers: how many; a writer: TRUE. */
static void choose_next(PERESOURCE resource, ULONG *readers, BOOLEAN *writer)
{
    *readers = 0;
    *writer = FALSE;
    if (resource->NumberOfSharedWaiters && (resource->Exclusive || !resource->NumberOfExclusiveWaiters)) {
        *readers = resource->NumberOfSharedWaiters;
        resource->NumberOfSharedWaiters = 0;
        resource->Exclusive = FALSE;
        resource->ActiveThreads += *readers;
    } else if (!resource->ActiveThreads && resource->NumberOfExclusiveWaiters) {
        *writer = TRUE;
        resource->NumberOfExclusiveWaiters--;
        resource->Exclusive = TRUE;
        resource->ActiveThreads = 1;
    }
}

static void let_in(PERESOURCE resource, ULONG readers, BOOLEAN writer)
{
    if (readers)
        KeReleaseSemaphore(&resource->SharedWaiters, 0, (LONG)readers, FALSE);
    if (writer)
        KeSetEvent(&resource->ExclusiveWaiters, 0, FALSE);
}

void NTAPI ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&Resource->SpinLock);
    POWNER_ENTRY owner = find_owner(Resource, ResourceThreadId);
    BOOLEAN writer = FALSE;
    ULONG readers = 0;

    if (!owner) {
        KeReleaseSpinLock(&Resource->SpinLock, old);
        KeBugCheckEx(RESOURCE_NOT_OWNED, (ULONG_PTR)Resource, ResourceThreadId, 0, 0);
    }
    /* cppcheck-suppress nullPointerRedundantCheck ; a bug check does not return */
    if (!--owner->OwnerCount && !--Resource->ActiveThreads) {
        choose_next(Resource, &readers, &writer);
        if (!readers && !writer)
            Resource->Exclusive = FALSE;
    }
    KeReleaseSpinLock(&Resource->SpinLock, old);
    let_in(Resource, readers, writer);
}

void NTAPI ExReleaseResourceLite(PERESOURCE Resource)
{
    ExReleaseResourceForThreadLite(Resource, ExGetCurrentResourceThread());
}

void NTAPI ExConvertExclusiveToSharedLite(PERESOURCE Resource)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&Resource->SpinLock);
    BOOLEAN writer = FALSE, mine = Resource->Exclusive && find_owner(Resource, ExGetCurrentResourceThread());
    ULONG readers = 0;

    if (mine) {
        choose_next(Resource, &readers, &writer);
        Resource->Exclusive = FALSE;
    }
    KeReleaseSpinLock(&Resource->SpinLock, old);
    if (!mine)
        KeBugCheckEx(RESOURCE_NOT_OWNED, (ULONG_PTR)Resource, ExGetCurrentResourceThread(), 0, 0);
    let_in(Resource, readers, writer);
}

/* ---- to ask ---- */

ULONG NTAPI ExIsResourceAcquiredSharedLite(PERESOURCE Resource)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&Resource->SpinLock);
    POWNER_ENTRY owner = find_owner(Resource, ExGetCurrentResourceThread());
    ULONG count = owner ? owner->OwnerCount : 0;

    KeReleaseSpinLock(&Resource->SpinLock, old);
    return count;
}

BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource)
{
    KIRQL old = KeAcquireSpinLockRaiseToDpc(&Resource->SpinLock);
    BOOLEAN mine = Resource->Exclusive && find_owner(Resource, ExGetCurrentResourceThread());

    KeReleaseSpinLock(&Resource->SpinLock, old);
    return mine;
}
