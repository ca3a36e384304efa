/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DPCs: one list, and each thread takes its own from it. */
#include "kip.h"

#include <string.h>

_Thread_local ULONG KiDpcsQueued __attribute__((tls_model("initial-exec")));

static LIST_ENTRY queue = {&queue, &queue}; /* KDPC.DpcListEntry; dispatcher lock */

void NTAPI KeInitializeDpc(PKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    memset(Dpc, 0, sizeof *Dpc);
    Dpc->DeferredRoutine = DeferredRoutine;
    Dpc->DeferredContext = DeferredContext;
}

void KiQueueDpc(PKDPC Dpc, PVOID Argument1, PVOID Argument2)
{
    Dpc->SystemArgument1 = Argument1;
    Dpc->SystemArgument2 = Argument2;
    Dpc->DpcData = KiThreadIdentity();
    InsertTailList(&queue, &Dpc->DpcListEntry);
    KiDpcsQueued = 1;
}

BOOLEAN NTAPI KeInsertQueueDpc(PKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    BOOLEAN entered = KiLockDispatcher(), inserted = !Dpc->DpcData;

    if (inserted)
        KiQueueDpc(Dpc, SystemArgument1, SystemArgument2);
    KiUnlockDispatcher(entered);
    if (inserted && KeGetCurrentIrql() < DISPATCH_LEVEL)
        KiRunDpcs();
    return inserted;
}

static void take_out(PKDPC dpc)
{
    RemoveEntryList(&dpc->DpcListEntry); /* NOLINT(clang-analyzer-core.NullDereference): it is queued */
    dpc->DpcData = NULL;
}

BOOLEAN NTAPI KeRemoveQueueDpc(PKDPC Dpc)
{
    BOOLEAN entered = KiLockDispatcher(), removed = Dpc->DpcData != NULL;

    if (removed)
        take_out(Dpc);
    KiUnlockDispatcher(entered);
    return removed;
}

/* A copy: the routine may free the DPC. */
static PKDPC take_mine(KDPC *copy)
{
    BOOLEAN entered = KiLockDispatcher();
    PKDPC found = NULL;

    for (PLIST_ENTRY e = queue.Flink; e != &queue && !found; e = e->Flink) {
        PKDPC dpc = CONTAINING_RECORD(e, KDPC, DpcListEntry);
        if (dpc->DpcData == KiThreadIdentity())
            found = dpc;
    }
    if (found) {
        take_out(found);
        *copy = *found;
    } else {
        KiDpcsQueued = 0;
    }
    KiUnlockDispatcher(entered);
    return found;
}

void KiRunDpcs(void)
{
    KIRQL old = KfRaiseIrql(DISPATCH_LEVEL);
    PKDPC dpc;
    KDPC copy;

    while ((dpc = take_mine(&copy)) != NULL)
        copy.DeferredRoutine(dpc, copy.DeferredContext, copy.SystemArgument1, copy.SystemArgument2);
    KeLowerIrql(old);
}

ULONG KiForgetDpcs(void)
{
    ULONG count = 0;

    while (queue.Flink != &queue) {
        take_out(CONTAINING_RECORD(queue.Flink, KDPC, DpcListEntry));
        count++;
    }
    return count;
}
