/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dormant files: closed here, and still open at the server, so that an open that asks for the same need not ask the
 * server (documented: DormantFileLimit, so many on a share; CacheFileTimeout, so long). They are closed before anything
 * that they could be in the way of: another open of the file, a rename or delete on the share, the end of the
 * connection, and when the share has too many.
 *
 * NT does so by default, where an oplock tells it that another client wants the file. libsmbclient has no oplocks:
 * others would meet a file that nobody has open. So here files go dormant only if the registry sets DormantFileLimit.
 *
 * A dormant SRV_OPEN has no users and is in its FCB's list; the record holds a reference on both. Whoever takes it off
 * the queue has the record; FCB.Mutex may be held when the queue's lock is taken, not the other way. Who takes it off
 * to close it holds a lock of its own until that is sent, so that nobody who wants it closed goes on before.
 */
#include "rdr.h"

#include <string.h>

static FAST_MUTEX closing; /* held while what is dormant is closed; before any other lock */
static FAST_MUTEX lock;    /* guards what follows */
static PRDR_DORMANT first; /* in the order in which they were closed */
static LONG count;         /* atomic: looked at without the lock. Those that are being closed are in it */

void RdrInitializeDormant(void)
{
    ExInitializeFastMutex(&closing);
    ExInitializeFastMutex(&lock);
    first = NULL;
    count = 0;
}

/* ---- the queue; its lock is held ---- */

static void append(PRDR_DORMANT dormant)
{
    PRDR_DORMANT *link = &first;

    while (*link)
        link = &(*link)->Next;
    *link = dormant;
    dormant->Next = NULL;
    dormant->Queued = TRUE;
    dormant->Fcb->NetRoot->DormantFiles++;
    __atomic_add_fetch(&count, 1, __ATOMIC_RELEASE);
}

static void take_off(PRDR_DORMANT dormant)
{
    PRDR_DORMANT *link = &first;

    while (*link != dormant)
        link = &(*link)->Next;
    *link = dormant->Next;
    dormant->Queued = FALSE;
    dormant->Fcb->NetRoot->DormantFiles--;
}

static PRDR_DORMANT oldest_of(const NET_ROOT *root)
{
    PRDR_DORMANT dormant = first;

    while (dormant && dormant->Fcb->NetRoot != root)
        dormant = dormant->Next;
    return dormant;
}

/* ---- closing what is dormant ---- */

/* It is off the queue. No lock is held but `closing`. */
static void close_dormant(PSRV_OPEN open, PFCB fcb)
{
    ExAcquireFastMutex(&fcb->Mutex);
    RdrCloseSrvOpen(fcb, open);
    ExReleaseFastMutex(&fcb->Mutex);
    RdrDereferenceSrvOpen(open);
    RdrDereferenceFcb(fcb);
    __atomic_sub_fetch(&count, 1, __ATOMIC_RELEASE);
}

/*
 * The share has as many as it may: the oldest makes room.
 *
 * Q228538: with DormantFileLimit = 0 there is none, and the redirector pushed out a record that does not exist. Fixed
 * in Service Pack 6. (What undefined behaviour is to a compiler is an access violation to NT.)
 */
static __attribute__((noinline, no_sanitize("undefined"))) void push_out_oldest(const NET_ROOT *root)
{
    PRDR_DORMANT oldest;
    PSRV_OPEN open;
    PFCB fcb;

    ExAcquireFastMutex(&closing);
    ExAcquireFastMutex(&lock);
    oldest = oldest_of(root);
    if (!oldest && !EmuHasDefect(EMU_Q228538)) {
        ExReleaseFastMutex(&lock);
        ExReleaseFastMutex(&closing);
        return;
    }
    open = *(PSRV_OPEN volatile *)&oldest->SrvOpen; /* NOLINT(clang-analyzer-core.NullDereference): the defect */
    __asm__ volatile("" ::: "memory"); /* the first access is this one's, however a compiler orders the rest */
    fcb = oldest->Fcb;
    take_off(oldest);
    ExReleaseFastMutex(&lock);
    close_dormant(open, fcb);
    ExReleaseFastMutex(&closing);
}

typedef struct _WHICH {
    const NET_ROOT *Root; /* NULL: all */
    const FCB *Fcb;       /* NULL: whatever is on the share, in other sessions, too; else these, and this one's */
    ULONGLONG Until;      /* closed by then */
} WHICH;

static BOOLEAN is_meant(const RDR_DORMANT *dormant, const WHICH *which)
{
    const NET_ROOT *a = dormant->Fcb->NetRoot, *b = which->Root;

    if (dormant->Since > which->Until)
        return FALSE;
    if (!b)
        return TRUE;
    if (which->Fcb && a == b)
        return dormant->Fcb == which->Fcb;
    return a == b || (a->SrvCall == b->SrvCall && RtlEqualUnicodeString(&a->Name, &b->Name, TRUE));
}

static void close_all(const WHICH *which)
{
    ExAcquireFastMutex(&closing);
    for (;;) {
        PRDR_DORMANT dormant;
        PSRV_OPEN open = NULL;
        PFCB fcb = NULL;
        ExAcquireFastMutex(&lock);
        for (dormant = first; dormant && !is_meant(dormant, which);)
            dormant = dormant->Next;
        if (dormant) {
            open = dormant->SrvOpen;
            fcb = dormant->Fcb;
            take_off(dormant);
        }
        ExReleaseFastMutex(&lock);
        if (!open)
            break;
        close_dormant(open, fcb);
    }
    ExReleaseFastMutex(&closing);
}

static BOOLEAN is_none(void)
{
    return !__atomic_load_n(&count, __ATOMIC_ACQUIRE);
}

void RdrCloseDormantFiles(const NET_ROOT *NetRoot, const FCB *Fcb)
{
    if (!is_none())
        close_all(&(const WHICH){NetRoot, Fcb, UINT64_MAX});
}

void RdrScavengeDormantFiles(ULONG Seconds)
{
    const ULONGLONG now = KeQueryInterruptTime(), time = Seconds * RDR_SECOND;

    if (!is_none() && now >= time)
        close_all(&(const WHICH){NULL, NULL, now - time});
}

/* ---- going dormant, and coming back ---- */

BOOLEAN RdrMakeRoomForDormant(PFCB Fcb, const SRV_OPEN *SrvOpen)
{
    BOOLEAN full;

    if (!RdrParameters->KeepDormantFiles || !(SrvOpen->Access & RDR_DATA) || SrvOpen->Directory)
        return FALSE;
    ExAcquireFastMutex(&lock);
    full = Fcb->NetRoot->DormantFiles >= RdrParameters->DormantFileLimit;
    ExReleaseFastMutex(&lock);
    if (full)
        push_out_oldest(Fcb->NetRoot);
    RdrHoldFcb(Fcb);
    return TRUE;
}

BOOLEAN RdrLeaveDormant(PFCB Fcb, PSRV_OPEN SrvOpen)
{
    PRDR_DORMANT dormant = &SrvOpen->Dormant;
    BOOLEAN stays = SrvOpen->File && SrvOpen->Users == 1 && !SrvOpen->Away && !SrvOpen->Lost && !Fcb->DeletePending &&
                    !Fcb->Renames && !SrvOpen->WriteTime && !(SrvOpen->Options & FILE_DELETE_ON_CLOSE);

    if (!stays)
        return FALSE;
    ExAcquireFastMutex(&lock);
    stays = Fcb->NetRoot->DormantFiles < RdrParameters->DormantFileLimit;
    if (stays) {
        *dormant = (RDR_DORMANT){.SrvOpen = SrvOpen, .Fcb = Fcb, .Since = KeQueryInterruptTime()};
        __atomic_add_fetch(&SrvOpen->References, 1, __ATOMIC_RELAXED);
        SrvOpen->Users = 0;
        append(dormant);
    }
    ExReleaseFastMutex(&lock);
    return stays;
}

BOOLEAN RdrWakeDormant(PSRV_OPEN SrvOpen)
{
    BOOLEAN is_mine;

    ExAcquireFastMutex(&lock);
    is_mine = SrvOpen->Dormant.Queued;
    if (is_mine) {
        take_off(&SrvOpen->Dormant);
        __atomic_sub_fetch(&count, 1, __ATOMIC_RELEASE);
    }
    ExReleaseFastMutex(&lock);
    return is_mine;
}
