/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FCBs: the files of all NET_ROOTs, in buckets by share and path, each with its own lock, so that creates of different
 * files do not wait for each other.
 */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

#define BUCKETS 64u

typedef struct _RDR_BUCKET {
    FAST_MUTEX Mutex; /* guards Fcbs, and their links, counts of references and paths */
    LIST_ENTRY Fcbs;
} __attribute__((aligned(64))) RDR_BUCKET;

static RDR_BUCKET buckets[BUCKETS];

void RdrInitializeFcbs(void)
{
    for (ULONG i = 0; i < BUCKETS; i++) {
        ExInitializeFastMutex(&buckets[i].Mutex);
        InitializeListHead(&buckets[i].Fcbs);
    }
}

static PRDR_BUCKET bucket_of(const NET_ROOT *root, const UNICODE_STRING *path)
{
    ULONG hash = (ULONG)((ULONG_PTR)root >> 4);

    for (ULONG i = 0; i < path->Length / sizeof(WCHAR); i++)
        hash = hash * 31 + RtlUpcaseUnicodeChar(path->Buffer[i]);
    return &buckets[(hash ^ hash >> 8) % BUCKETS];
}

/* Returns with the lock of the bucket that has the FCB: a rename may move it to another one meanwhile. */
static PRDR_BUCKET lock_bucket(const FCB *fcb)
{
    for (;;) {
        PRDR_BUCKET bucket = __atomic_load_n(&fcb->Bucket, __ATOMIC_ACQUIRE);
        ExAcquireFastMutex(&bucket->Mutex);
        if (bucket == __atomic_load_n(&fcb->Bucket, __ATOMIC_RELAXED))
            return bucket;
        ExReleaseFastMutex(&bucket->Mutex);
    }
}

/* The bucket's lock is held. */
static BOOLEAN is_at(const FCB *fcb, const NET_ROOT *root, const UNICODE_STRING *path)
{
    return fcb->NetRoot == root && !fcb->Replaced && RtlEqualUnicodeString(&fcb->Path, path, TRUE);
}

static PFCB make_fcb(PNET_ROOT root, PRDR_BUCKET bucket, const UNICODE_STRING *path)
{
    PFCB fcb = ExAllocatePoolWithTag(NonPagedPool, sizeof *fcb + path->Length, RDR_TAG_FCB);

    if (!fcb)
        return NULL;
    memset(fcb, 0, sizeof *fcb);
    fcb->Bucket = bucket;
    fcb->NetRoot = root;
    ExInitializeFastMutex(&fcb->Mutex);
    FsRtlInitializeFileLock(&fcb->FileLock, NULL, NULL);
    InitializeListHead(&fcb->SrvOpens);
    InitializeListHead(&fcb->Creators);
    InitializeListHead(&fcb->Appenders);
    InitializeListHead(&fcb->Transferrers);
    InitializeListHead(&fcb->Renamers);
    fcb->Path.Buffer = (PWSTR)(fcb + 1);
    fcb->Path.Length = fcb->Path.MaximumLength = path->Length;
    if (path->Length)
        memcpy(fcb->Path.Buffer, path->Buffer, path->Length);
    InsertTailList(&bucket->Fcbs, &fcb->Links);
    return fcb;
}

PFCB RdrReferenceFcb(PNET_ROOT NetRoot, const UNICODE_STRING *Path)
{
    PRDR_BUCKET bucket = bucket_of(NetRoot, Path);
    PFCB fcb = NULL;

    ExAcquireFastMutex(&bucket->Mutex);
    for (PLIST_ENTRY e = bucket->Fcbs.Flink; e != &bucket->Fcbs && !fcb; e = e->Flink) {
        PFCB one = CONTAINING_RECORD(e, FCB, Links);
        if (is_at(one, NetRoot, Path))
            fcb = one;
    }
    if (!fcb)
        fcb = make_fcb(NetRoot, bucket, Path);
    if (fcb)
        fcb->References++;
    ExReleaseFastMutex(&bucket->Mutex);
    return fcb;
}

void RdrHoldFcb(PFCB Fcb)
{
    PRDR_BUCKET bucket = lock_bucket(Fcb);

    Fcb->References++;
    ExReleaseFastMutex(&bucket->Mutex);
}

void RdrDereferenceFcb(PFCB Fcb)
{
    PRDR_BUCKET bucket = lock_bucket(Fcb);
    BOOLEAN last = !--Fcb->References;

    if (last)
        RemoveEntryList(&Fcb->Links);
    ExReleaseFastMutex(&bucket->Mutex);
    if (!last)
        return;
    FsRtlUninitializeFileLock(&Fcb->FileLock);
    while (Fcb->Paths) {
        PRDR_PATH path = Fcb->Paths;
        Fcb->Paths = path->Next;
        RdrFreePath(path);
    }
    ExFreePoolWithTag(Fcb, RDR_TAG_FCB);
}

/* ---- one create at a time, and none during a rename; FCB.Mutex is held for what is static ---- */

/* The next create's turn, if it may go on: nobody comes in between. */
static void wake_creator(PFCB fcb)
{
    if (fcb->Creating || fcb->Renames || !RdrWakeFirst(&fcb->Creators, STATUS_SUCCESS))
        return;
    fcb->Creating = TRUE;
    fcb->Transfers++;
}

static void end_transfer(PFCB fcb)
{
    if (!--fcb->Transfers)
        fcb->Renaming = RdrWakeFirst(&fcb->Renamers, STATUS_SUCCESS);
}

NTSTATUS RdrBeginCreate(PIRP Irp, PFCB Fcb)
{
    NTSTATUS status = STATUS_SUCCESS;

    ExAcquireFastMutex(&Fcb->Mutex);
    if (Fcb->Creating || Fcb->Renames) {
        EMU_STEP("Rdr", "waiting: another create, or a rename, of the file has no answer yet");
        status = RdrWait(Irp, &Fcb->Creators, &Fcb->Mutex);
    } else {
        Fcb->Creating = TRUE;
        Fcb->Transfers++;
    }
    ExReleaseFastMutex(&Fcb->Mutex);
    return status;
}

void RdrEndCreate(PFCB Fcb)
{
    Fcb->Creating = FALSE;
    end_transfer(Fcb);
    wake_creator(Fcb);
}

/* ---- one write to the end at a time ---- */

NTSTATUS RdrBeginAppend(PIRP Irp, PFCB Fcb)
{
    NTSTATUS status = STATUS_SUCCESS;

    ExAcquireFastMutex(&Fcb->Mutex);
    if (Fcb->Appending) {
        EMU_STEP("Rdr", "waiting: another write to the end has no answer yet");
        status = RdrWait(Irp, &Fcb->Appenders, &Fcb->Mutex);
    }
    if (NT_SUCCESS(status))
        Fcb->Appending = TRUE;
    ExReleaseFastMutex(&Fcb->Mutex);
    return status;
}

void RdrEndAppend(PFCB Fcb)
{
    ExAcquireFastMutex(&Fcb->Mutex);
    Fcb->Appending = RdrWakeFirst(&Fcb->Appenders, STATUS_SUCCESS);
    ExReleaseFastMutex(&Fcb->Mutex);
}

/* ---- transfers and renames, one or the other ---- */

/* Who is woken has been counted already. */
NTSTATUS RdrBeginTransfer(PIRP Irp, PFCB Fcb)
{
    NTSTATUS status = STATUS_SUCCESS;

    ExAcquireFastMutex(&Fcb->Mutex);
    if (Fcb->Renames) {
        EMU_STEP("Rdr", "waiting: the file is being renamed");
        status = RdrWait(Irp, &Fcb->Transferrers, &Fcb->Mutex);
    } else {
        Fcb->Transfers++;
    }
    ExReleaseFastMutex(&Fcb->Mutex);
    return status;
}

void RdrEndTransfer(PFCB Fcb)
{
    ExAcquireFastMutex(&Fcb->Mutex);
    end_transfer(Fcb);
    ExReleaseFastMutex(&Fcb->Mutex);
}

/* Under the mutex. */
static void forget_rename(PFCB fcb)
{
    if (--fcb->Renames)
        return;
    while (RdrWakeFirst(&fcb->Transferrers, STATUS_SUCCESS))
        fcb->Transfers++;
    wake_creator(fcb);
}

NTSTATUS RdrBeginRename(PIRP Irp, PFCB Fcb)
{
    NTSTATUS status = STATUS_SUCCESS;

    ExAcquireFastMutex(&Fcb->Mutex);
    Fcb->Renames++;
    if (Fcb->Transfers || Fcb->Renaming) {
        EMU_STEP("Rdr", "waiting: the file is being read, written or renamed");
        status = RdrWait(Irp, &Fcb->Renamers, &Fcb->Mutex);
        if (!NT_SUCCESS(status))
            forget_rename(Fcb);
    } else {
        Fcb->Renaming = TRUE;
    }
    ExReleaseFastMutex(&Fcb->Mutex);
    return status;
}

void RdrEndRename(PFCB Fcb)
{
    ExAcquireFastMutex(&Fcb->Mutex);
    Fcb->Renaming = RdrWakeFirst(&Fcb->Renamers, STATUS_SUCCESS);
    forget_rename(Fcb);
    ExReleaseFastMutex(&Fcb->Mutex);
}

/* ---- paths ---- */

UNICODE_STRING RdrPathOf(const FCB *Fcb)
{
    PRDR_BUCKET bucket = lock_bucket(Fcb);
    UNICODE_STRING path = Fcb->Path;

    ExReleaseFastMutex(&bucket->Mutex);
    return path;
}

BOOLEAN RdrHasPath(const FCB *Fcb, const UNICODE_STRING *Path)
{
    PRDR_BUCKET bucket = lock_bucket(Fcb);
    BOOLEAN has = is_at(Fcb, Fcb->NetRoot, Path);

    ExReleaseFastMutex(&bucket->Mutex);
    return has;
}

PRDR_PATH RdrAllocatePath(ULONG Length)
{
    PRDR_PATH path = ExAllocatePoolWithTag(NonPagedPool, sizeof *path + Length, RDR_TAG_FCB);

    if (path)
        *path = (RDR_PATH){.Name = {0, (USHORT)Length, (PWSTR)(path + 1)}};
    return path;
}

void RdrFreePath(PRDR_PATH Path)
{
    ExFreePoolWithTag(Path, RDR_TAG_FCB);
}

/* In no bucket for a moment; whoever has the FCB finds it by its pointer, and waits for the lock. Nobody else moves it:
 * it is the caller's turn to rename. Who waits for a turn on the FCB that had the name will look for another one. */
void RdrSetPath(PFCB Fcb, PRDR_PATH Path, PFCB Replaced)
{
    PRDR_BUCKET to = bucket_of(Fcb->NetRoot, &Path->Name), from = lock_bucket(Fcb);

    RemoveEntryList(&Fcb->Links);
    Path->Next = Fcb->Paths;
    Fcb->Paths = Path;
    Fcb->Path = Path->Name;
    __atomic_store_n(&Fcb->Bucket, to, __ATOMIC_RELEASE);
    ExReleaseFastMutex(&from->Mutex);
    ExAcquireFastMutex(&to->Mutex);
    if (Replaced)
        Replaced->Replaced = TRUE;
    InsertTailList(&to->Fcbs, &Fcb->Links);
    ExReleaseFastMutex(&to->Mutex);
}

/* ---- what else is open ---- */

/* Also through another connection to the share, of another session. A bucket's lock is held. */
static BOOLEAN is_below(const FCB *fcb, const FCB *its, const UNICODE_STRING *directory)
{
    const NET_ROOT *a = fcb->NetRoot, *b = its->NetRoot;
    const UNICODE_STRING *path = &fcb->Path;
    UNICODE_STRING start = {directory->Length, directory->Length, path->Buffer};

    return path->Length > directory->Length && path->Buffer[directory->Length / sizeof(WCHAR)] == '\\' &&
           RtlEqualUnicodeString(directory, &start, TRUE) && a->SrvCall == b->SrvCall &&
           RtlEqualUnicodeString(&a->Name, &b->Name, TRUE);
}

BOOLEAN RdrIsOpenBelow(const FCB *Directory, const FCB *Except)
{
    UNICODE_STRING path = RdrPathOf(Directory);
    BOOLEAN found = FALSE;

    for (ULONG i = 0; i < BUCKETS && !found; i++) {
        ExAcquireFastMutex(&buckets[i].Mutex);
        for (PLIST_ENTRY e = buckets[i].Fcbs.Flink; e != &buckets[i].Fcbs && !found; e = e->Flink) {
            const FCB *fcb = CONTAINING_RECORD(e, FCB, Links);
            found = fcb != Except && is_below(fcb, Directory, &path);
        }
        ExReleaseFastMutex(&buckets[i].Mutex);
    }
    return found;
}
