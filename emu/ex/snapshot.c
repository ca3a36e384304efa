/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of the pool's uses, and what changed between two. */
#include "exp.h"

#include <stdlib.h>
#include <string.h>

NTSTATUS EmuPoolTakeSnapshot(EMU_POOL_SNAPSHOT *Snapshot)
{
    EMU_POOL_SNAPSHOT s = {0};

    EmuPoolCounts(&s.Paged, &s.NonPaged);
    ExpLockPool();
    s.Count = ExpUseCount();
    if (s.Count) {
        s.Uses = malloc(s.Count * sizeof *s.Uses);
        for (ULONG i = 0; s.Uses && i < s.Count; i++)
            s.Uses[i] = ExpUse(i)->Public;
    }
    ExpUnlockPool();
    if (s.Count && !s.Uses)
        return STATUS_NO_MEMORY;
    *Snapshot = s;
    return STATUS_SUCCESS;
}

static int larger_live_first(const void *a, const void *b)
{
    const EMU_POOL_USE *x = a, *y = b;
    return (x->LiveBytes < y->LiveBytes) - (x->LiveBytes > y->LiveBytes);
}

/* Uses are only ever added, and keep their index: the same row of both snapshots is the same use. */
NTSTATUS EmuPoolCompare(const EMU_POOL_SNAPSHOT *Before, const EMU_POOL_SNAPSHOT *After, EMU_POOL_SNAPSHOT *Difference)
{
    EMU_POOL_SNAPSHOT d = {.Paged = After->Paged, .NonPaged = After->NonPaged};

    if (After->Count) {
        d.Uses = malloc(After->Count * sizeof *d.Uses);
        if (!d.Uses)
            return STATUS_NO_MEMORY;
    }
    for (ULONG i = 0; i < After->Count; i++) {
        EMU_POOL_USE use = After->Uses[i];
        if (i < Before->Count) {
            use.Allocations -= Before->Uses[i].Allocations;
            use.Frees -= Before->Uses[i].Frees;
            use.LiveBlocks -= Before->Uses[i].LiveBlocks;
            use.LiveBytes -= Before->Uses[i].LiveBytes;
        }
        if (use.Allocations || use.Frees)
            d.Uses[d.Count++] = use;
    }
    if (d.Count)
        qsort(d.Uses, d.Count, sizeof *d.Uses, larger_live_first);
    *Difference = d;
    return STATUS_SUCCESS;
}

void EmuPoolFreeSnapshot(EMU_POOL_SNAPSHOT *Snapshot)
{
    free(Snapshot->Uses);
    Snapshot->Uses = NULL;
    Snapshot->Count = 0;
}

const char *EmuPoolSiteFile(const EMU_POOL_SITE *Site)
{
    const char *file = Site->File;
    const char *emu = strstr(file, "emu/");

    /* A build names its sources relative to wherever it stands: "../../emu/rdr/create.c". */
    while (emu && strstr(emu + 4, "emu/"))
        emu = strstr(emu + 4, "emu/");
    if (emu && (emu == file || emu[-1] == '/'))
        return emu + 4;
    while (!strncmp(file, "../", 3))
        file += 3;
    return file;
}
