/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Byte-range locks. A request that waits has the lock that it will get with it (DriverContext[0]), so that granting it
 * needs no memory. Who takes its cancel routine away, under the spin lock, has the request: a cancel, or a grant.
 */
#include <ntemu/filelock.h>

#include <string.h>

#define TAG_LOCKS POOL_TAG('F', 's', 'L', 'k')

typedef struct _LOCK {
    LIST_ENTRY Links;
    FILE_LOCK_INFO Info;
} LOCK, *PLOCK;

typedef struct _LOCKS { /* FILE_LOCK.LockInformation */
    PFILE_LOCK FileLock;
    KSPIN_LOCK SpinLock; /* guards the lists */
    LIST_ENTRY Granted;  /* LOCKs, in the order in which they were */
    LIST_ENTRY Waiting;  /* IRPs, by Tail.Overlay.ListEntry, in the order in which they came */
} LOCKS, *PLOCKS;

/* What is to be said once the spin lock is free. */
typedef struct _NEWS {
    LIST_ENTRY Gone;     /* LOCKs */
    LIST_ENTRY Finished; /* IRPs that waited, with their status */
} NEWS;

#define LOCK_OF(Irp)    ((Irp)->Tail.Overlay.DriverContext[0])
#define LOCKS_OF(Irp)   ((Irp)->Tail.Overlay.DriverContext[1])
#define CONTEXT_OF(Irp) ((Irp)->Tail.Overlay.DriverContext[2])

/* ---- life ---- */

void NTAPI FsRtlInitializeFileLock(PFILE_LOCK FileLock, PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine,
                                   PUNLOCK_ROUTINE UnlockRoutine)
{
    memset(FileLock, 0, sizeof *FileLock);
    FileLock->CompleteLockIrpRoutine = CompleteLockIrpRoutine;
    FileLock->UnlockRoutine = UnlockRoutine;
}

static void free_lock(PLOCK lock)
{
    ExFreePoolWithTag(lock, TAG_LOCKS);
}

void NTAPI FsRtlUninitializeFileLock(PFILE_LOCK FileLock)
{
    PLOCKS locks = FileLock->LockInformation;

    if (!locks)
        return;
    while (!IsListEmpty(&locks->Granted))
        free_lock(CONTAINING_RECORD(RemoveHeadList(&locks->Granted), LOCK, Links));
    ExFreePoolWithTag(locks, TAG_LOCKS);
    FileLock->LockInformation = NULL;
}

/* Sequentially consistent, as whoever makes the first lock: either a cleanup finds that, or it finds the cleanup. */
static PLOCKS existing_locks(PFILE_LOCK file_lock)
{
    return __atomic_load_n(&file_lock->LockInformation, __ATOMIC_SEQ_CST);
}

/* Two first locks at once both make them; one of the two stays. */
static PLOCKS make_locks(PFILE_LOCK file_lock)
{
    PLOCKS locks = existing_locks(file_lock);
    PVOID none = NULL;

    if (locks)
        return locks;
    locks = ExAllocatePoolWithTag(NonPagedPool, sizeof *locks, TAG_LOCKS);
    if (!locks)
        return NULL;
    locks->FileLock = file_lock;
    KeInitializeSpinLock(&locks->SpinLock);
    InitializeListHead(&locks->Granted);
    InitializeListHead(&locks->Waiting);
    if (__atomic_compare_exchange_n(&file_lock->LockInformation, &none, locks, 0, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&file_lock->FastIoIsQuestionable, TRUE, __ATOMIC_RELAXED);
        return locks;
    }
    ExFreePoolWithTag(locks, TAG_LOCKS);
    return none;
}

/* ---- ranges ---- */

/* Whether all of a range lies before `point`; in this form nothing overflows. */
static BOOLEAN ends_by(ULONGLONG start, ULONGLONG length, ULONGLONG point)
{
    return start <= point && length <= point - start;
}

static BOOLEAN overlap(const FILE_LOCK_INFO *a, const FILE_LOCK_INFO *b)
{
    ULONGLONG a_start = (ULONGLONG)a->StartingByte.QuadPart, b_start = (ULONGLONG)b->StartingByte.QuadPart;

    return !ends_by(a_start, (ULONGLONG)a->Length.QuadPart, b_start) &&
           !ends_by(b_start, (ULONGLONG)b->Length.QuadPart, a_start);
}

static BOOLEAN same_owner(const FILE_LOCK_INFO *a, const FILE_LOCK_INFO *b)
{
    return a->FileObject == b->FileObject && a->ProcessId == b->ProcessId && a->Key == b->Key;
}

static BOOLEAN same_range(const FILE_LOCK_INFO *a, const FILE_LOCK_INFO *b)
{
    return a->StartingByte.QuadPart == b->StartingByte.QuadPart && a->Length.QuadPart == b->Length.QuadPart;
}

/* The spin lock is held. */
static BOOLEAN can_lock(const LOCKS *locks, const FILE_LOCK_INFO *wanted)
{
    for (PLIST_ENTRY e = locks->Granted.Flink; e != &locks->Granted; e = e->Flink) {
        const FILE_LOCK_INFO *held = &CONTAINING_RECORD(e, LOCK, Links)->Info;
        if (!overlap(held, wanted))
            continue;
        if (wanted->ExclusiveLock || (held->ExclusiveLock && !same_owner(held, wanted)))
            return FALSE;
    }
    return TRUE;
}

static BOOLEAN can_transfer(PFILE_LOCK file_lock, const FILE_LOCK_INFO *range, BOOLEAN write)
{
    PLOCKS locks = existing_locks(file_lock);
    BOOLEAN can = TRUE;
    KIRQL irql;

    if (!locks || !range->Length.QuadPart)
        return TRUE;
    KeAcquireSpinLock(&locks->SpinLock, &irql);
    for (PLIST_ENTRY e = locks->Granted.Flink; e != &locks->Granted && can; e = e->Flink) {
        const FILE_LOCK_INFO *held = &CONTAINING_RECORD(e, LOCK, Links)->Info;
        if (overlap(held, range))
            can = held->ExclusiveLock ? same_owner(held, range) : !write;
    }
    KeReleaseSpinLock(&locks->SpinLock, irql);
    return can;
}

BOOLEAN NTAPI FsRtlFastCheckLockForRead(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
                                        ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId)
{
    const FILE_LOCK_INFO range = {*StartingByte, *Length, FALSE, Key, FileObject, ProcessId, {{0}}};

    return can_transfer(FileLock, &range, FALSE);
}

BOOLEAN NTAPI FsRtlFastCheckLockForWrite(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
                                         ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId)
{
    const FILE_LOCK_INFO range = {*StartingByte, *Length, FALSE, Key, FileObject, ProcessId, {{0}}};

    return can_transfer(FileLock, &range, TRUE);
}

/* Reads and writes have one layout (documented). */
static BOOLEAN can_do(PFILE_LOCK file_lock, PIRP irp, BOOLEAN write)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    const FILE_LOCK_INFO range = {.StartingByte = stack->Parameters.Read.ByteOffset,
                                  .Length.QuadPart = stack->Parameters.Read.Length,
                                  .Key = stack->Parameters.Read.Key,
                                  .FileObject = stack->FileObject,
                                  .ProcessId = IoGetRequestorProcess(irp)};

    return can_transfer(file_lock, &range, write);
}

BOOLEAN NTAPI FsRtlCheckLockForReadAccess(PFILE_LOCK FileLock, PIRP Irp)
{
    return can_do(FileLock, Irp, FALSE);
}

BOOLEAN NTAPI FsRtlCheckLockForWriteAccess(PFILE_LOCK FileLock, PIRP Irp)
{
    return can_do(FileLock, Irp, TRUE);
}

/* ---- what has happened ---- */

static void begin(NEWS *news)
{
    InitializeListHead(&news->Gone);
    InitializeListHead(&news->Finished);
}

static NTSTATUS complete(PFILE_LOCK file_lock, PVOID context, PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    if (file_lock->CompleteLockIrpRoutine)
        return file_lock->CompleteLockIrpRoutine(context, irp);
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static void tell(PFILE_LOCK file_lock, PVOID context, NEWS *news)
{
    while (!IsListEmpty(&news->Gone)) {
        PLOCK lock = CONTAINING_RECORD(RemoveHeadList(&news->Gone), LOCK, Links);
        if (file_lock->UnlockRoutine)
            file_lock->UnlockRoutine(context, &lock->Info);
        free_lock(lock);
    }
    while (!IsListEmpty(&news->Finished)) {
        PIRP irp = CONTAINING_RECORD(RemoveHeadList(&news->Finished), IRP, Tail.Overlay.ListEntry);
        complete(file_lock, CONTEXT_OF(irp), irp, irp->IoStatus.Status);
    }
}

/* The request is the caller's from here on, unless a cancel has it already. The spin lock is held. */
static BOOLEAN take_waiter(PIRP irp, NTSTATUS status, NEWS *news)
{
    if (!IoSetCancelRoutine(irp, NULL))
        return FALSE;
    irp->IoStatus.Status = status;
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    InsertTailList(&news->Finished, &irp->Tail.Overlay.ListEntry);
    return TRUE;
}

/* A lock has gone. The spin lock is held. */
static void grant_waiters(PLOCKS locks, NEWS *news)
{
    PLIST_ENTRY next;

    for (PLIST_ENTRY e = locks->Waiting.Flink; e != &locks->Waiting; e = next) {
        PIRP irp = CONTAINING_RECORD(e, IRP, Tail.Overlay.ListEntry);
        PLOCK lock = LOCK_OF(irp);
        next = e->Flink;
        if (can_lock(locks, &lock->Info) && take_waiter(irp, STATUS_SUCCESS, news))
            InsertTailList(&locks->Granted, &lock->Links);
    }
}

/* ---- locking ---- */

static void NTAPI cancel_waiter(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PLOCKS locks = LOCKS_OF(Irp);
    KIRQL irql;

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&locks->SpinLock, &irql);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&locks->SpinLock, irql);
    free_lock(LOCK_OF(Irp));
    complete(locks->FileLock, CONTEXT_OF(Irp), Irp, STATUS_CANCELLED);
}

/* STATUS_PENDING: the request may be somebody else's as soon as the spin lock, which is held, is free. */
static NTSTATUS wait(PLOCKS locks, PIRP irp, PLOCK lock, PVOID context)
{
    LOCK_OF(irp) = lock;
    LOCKS_OF(irp) = locks;
    CONTEXT_OF(irp) = context;
    InsertTailList(&locks->Waiting, &irp->Tail.Overlay.ListEntry);
    IoSetCancelRoutine(irp, cancel_waiter);
    /* Cancelled before: nobody else would look again. */
    if (__atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) && IoSetCancelRoutine(irp, NULL)) {
        RemoveEntryList(&irp->Tail.Overlay.ListEntry);
        return STATUS_CANCELLED;
    }
    IoMarkIrpPending(irp);
    return STATUS_PENDING;
}

static FILE_LOCK_INFO requested_range(PIRP irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    FILE_LOCK_INFO info = {.StartingByte = stack->Parameters.LockControl.ByteOffset,
                           .Length = *stack->Parameters.LockControl.Length,
                           .ExclusiveLock = (stack->Flags & SL_EXCLUSIVE_LOCK) != 0,
                           .Key = stack->Parameters.LockControl.Key,
                           .FileObject = stack->FileObject,
                           .ProcessId = IoGetRequestorProcess(irp)};

    info.EndingByte.QuadPart = (LONGLONG)((ULONGLONG)info.StartingByte.QuadPart + (ULONGLONG)info.Length.QuadPart - 1);
    return info;
}

/* Documented: MS-FSA 2.1.5.8. */
static BOOLEAN is_range(const FILE_LOCK_INFO *info)
{
    return !info->Length.QuadPart || (ULONGLONG)info->EndingByte.QuadPart >= (ULONGLONG)info->StartingByte.QuadPart;
}

static BOOLEAN is_cleaned_up(const FILE_OBJECT *file)
{
    return (__atomic_load_n(&file->Flags, __ATOMIC_SEQ_CST) & FO_CLEANUP_COMPLETE) != 0;
}

static NTSTATUS enter(PLOCKS locks, PIRP irp, PLOCK lock, PVOID context)
{
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    KeAcquireSpinLock(&locks->SpinLock, &irql);
    if (is_cleaned_up(lock->Info.FileObject)) /* nobody would unlock it */
        status = STATUS_FILE_CLOSED;
    else if (can_lock(locks, &lock->Info))
        InsertTailList(&locks->Granted, &lock->Links);
    else if (IoGetCurrentIrpStackLocation(irp)->Flags & SL_FAIL_IMMEDIATELY)
        status = STATUS_LOCK_NOT_GRANTED;
    else
        status = wait(locks, irp, lock, context);
    KeReleaseSpinLock(&locks->SpinLock, irql);
    return status;
}

static NTSTATUS lock_range(PFILE_LOCK file_lock, PIRP irp, PVOID context)
{
    const FILE_LOCK_INFO info = requested_range(irp);
    PLOCKS locks;
    PLOCK lock;
    NTSTATUS status;

    if (!is_range(&info))
        return complete(file_lock, context, irp, STATUS_INVALID_LOCK_RANGE);
    locks = make_locks(file_lock);
    lock = locks ? ExAllocatePoolWithTag(NonPagedPool, sizeof *lock, TAG_LOCKS) : NULL;
    if (!lock)
        return complete(file_lock, context, irp, STATUS_INSUFFICIENT_RESOURCES);
    lock->Info = info;
    status = enter(locks, irp, lock, context);
    if (status == STATUS_PENDING)
        return status;
    if (!NT_SUCCESS(status))
        free_lock(lock);
    return complete(file_lock, context, irp, status);
}

/* ---- unlocking ---- */

typedef BOOLEAN MATCHES(const FILE_LOCK_INFO *held, const FILE_LOCK_INFO *asked);

static BOOLEAN by_file_and_process(const FILE_LOCK_INFO *held, const FILE_LOCK_INFO *asked)
{
    return held->FileObject == asked->FileObject && held->ProcessId == asked->ProcessId;
}

static BOOLEAN by_file(const FILE_LOCK_INFO *held, const FILE_LOCK_INFO *asked)
{
    return held->FileObject == asked->FileObject;
}

static void release(PLOCK lock, NEWS *news)
{
    RemoveEntryList(&lock->Links);
    InsertTailList(&news->Gone, &lock->Links);
}

/* The spin lock is held. */
static void release_all(PLOCKS locks, MATCHES *matches, const FILE_LOCK_INFO *asked, NEWS *news)
{
    PLIST_ENTRY next;

    for (PLIST_ENTRY e = locks->Granted.Flink; e != &locks->Granted; e = next) {
        PLOCK lock = CONTAINING_RECORD(e, LOCK, Links);
        next = e->Flink;
        if (matches(&lock->Info, asked))
            release(lock, news);
    }
}

static NTSTATUS unlock_all(PFILE_LOCK file_lock, MATCHES *matches, const FILE_LOCK_INFO *asked, PVOID context)
{
    PLOCKS locks = existing_locks(file_lock);
    NTSTATUS status;
    KIRQL irql;
    NEWS news;

    if (!locks)
        return STATUS_RANGE_NOT_LOCKED;
    begin(&news);
    KeAcquireSpinLock(&locks->SpinLock, &irql);
    release_all(locks, matches, asked, &news);
    grant_waiters(locks, &news);
    KeReleaseSpinLock(&locks->SpinLock, irql);
    status = IsListEmpty(&news.Gone) ? STATUS_RANGE_NOT_LOCKED : STATUS_SUCCESS;
    tell(file_lock, context, &news);
    return status;
}

NTSTATUS NTAPI FsRtlFastUnlockAll(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS Process, PVOID Context)
{
    const FILE_LOCK_INFO asked = {.FileObject = FileObject, .ProcessId = Process};

    return unlock_all(FileLock, by_file_and_process, &asked, Context);
}

NTSTATUS NTAPI FsRtlFastUnlockAllByKey(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS Process, ULONG Key,
                                       PVOID Context)
{
    const FILE_LOCK_INFO asked = {.FileObject = FileObject, .ProcessId = Process, .Key = Key};

    return unlock_all(FileLock, same_owner, &asked, Context);
}

/* Documented: LockFileEx ("the first unlock operation unlocks the exclusive lock"). The spin lock is held. */
static PLOCK find_exact(const LOCKS *locks, const FILE_LOCK_INFO *asked)
{
    PLOCK found = NULL;

    for (PLIST_ENTRY e = locks->Granted.Flink; e != &locks->Granted; e = e->Flink) {
        PLOCK lock = CONTAINING_RECORD(e, LOCK, Links);
        if (same_owner(&lock->Info, asked) && same_range(&lock->Info, asked) &&
            (!found || (lock->Info.ExclusiveLock && !found->Info.ExclusiveLock)))
            found = lock;
    }
    return found;
}

NTSTATUS NTAPI FsRtlFastUnlockSingle(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset,
                                     PLARGE_INTEGER Length, PEPROCESS Process, ULONG Key, PVOID Context,
                                     BOOLEAN AlreadySynchronized)
{
    const FILE_LOCK_INFO asked = {*FileOffset, *Length, FALSE, Key, FileObject, Process, {{0}}};
    PLOCKS locks = existing_locks(FileLock);
    PLOCK lock;
    KIRQL irql;
    NEWS news;

    if (!locks)
        return STATUS_RANGE_NOT_LOCKED;
    begin(&news);
    KeAcquireSpinLock(&locks->SpinLock, &irql);
    lock = find_exact(locks, &asked);
    if (lock) {
        release(lock, &news);
        grant_waiters(locks, &news);
    }
    KeReleaseSpinLock(&locks->SpinLock, irql);
    tell(FileLock, Context, &news);
    return lock ? STATUS_SUCCESS : STATUS_RANGE_NOT_LOCKED;
}

/* The spin lock is held. */
static void cancel_waiters(PLOCKS locks, const FILE_OBJECT *file, NEWS *news)
{
    PLIST_ENTRY next;

    for (PLIST_ENTRY e = locks->Waiting.Flink; e != &locks->Waiting; e = next) {
        PIRP irp = CONTAINING_RECORD(e, IRP, Tail.Overlay.ListEntry);
        next = e->Flink;
        if (IoGetCurrentIrpStackLocation(irp)->FileObject == file && take_waiter(irp, STATUS_CANCELLED, news))
            free_lock(LOCK_OF(irp));
    }
}

void EmuFileLockCleanup(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PVOID Context)
{
    const FILE_LOCK_INFO asked = {.FileObject = FileObject};
    PLOCKS locks = existing_locks(FileLock);
    KIRQL irql;
    NEWS news;

    if (!locks)
        return;
    begin(&news);
    KeAcquireSpinLock(&locks->SpinLock, &irql);
    cancel_waiters(locks, FileObject, &news);
    release_all(locks, by_file, &asked, &news);
    grant_waiters(locks, &news);
    KeReleaseSpinLock(&locks->SpinLock, irql);
    tell(FileLock, Context, &news);
}

ULONG EmuFileLockWaiters(PFILE_LOCK FileLock)
{
    PLOCKS locks = existing_locks(FileLock);
    ULONG count = 0;
    KIRQL irql;

    if (!locks)
        return 0;
    KeAcquireSpinLock(&locks->SpinLock, &irql);
    for (PLIST_ENTRY e = locks->Waiting.Flink; e != &locks->Waiting; e = e->Flink)
        count++;
    KeReleaseSpinLock(&locks->SpinLock, irql);
    return count;
}

/* ---- the request ---- */

static NTSTATUS unlock(PFILE_LOCK file_lock, PIRP irp, PVOID context)
{
    FILE_LOCK_INFO asked = requested_range(irp);

    return FsRtlFastUnlockSingle(file_lock, asked.FileObject, &asked.StartingByte, &asked.Length, asked.ProcessId,
                                 asked.Key, context, FALSE);
}

NTSTATUS NTAPI FsRtlProcessFileLock(PFILE_LOCK FileLock, PIRP Irp, PVOID Context)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(Irp);
    PEPROCESS process = IoGetRequestorProcess(Irp);
    NTSTATUS status;

    switch (stack->MinorFunction) {
    case IRP_MN_LOCK:
        return lock_range(FileLock, Irp, Context);
    case IRP_MN_UNLOCK_SINGLE:
        status = unlock(FileLock, Irp, Context);
        break;
    case IRP_MN_UNLOCK_ALL:
        status = FsRtlFastUnlockAll(FileLock, stack->FileObject, process, Context);
        break;
    case IRP_MN_UNLOCK_ALL_BY_KEY:
        status =
            FsRtlFastUnlockAllByKey(FileLock, stack->FileObject, process, stack->Parameters.LockControl.Key, Context);
        break;
    default:
        status = STATUS_INVALID_DEVICE_REQUEST;
    }
    return complete(FileLock, Context, Irp, status);
}
