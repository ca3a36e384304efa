/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at the sums: what threads have counted and what has been brought to the uses, added up. No block is visited.
 */
#include "exp.h"

#include <stdlib.h>
#include <string.h>

static ULONG64 peak_bytes[2]; /* of the pools; with the lock of the uses */
static ULONG64 failures[2];   /* atomic */

typedef struct _GATHERING {
    EMU_POOL_USE *Uses; /* by number */
    EXP_SUMS *Peaks;    /* the most that one thread had live */
    ULONG *Threads;     /* that took part in each */
    ULONG Count;
} GATHERING;

static void add_part(EMU_POOL_USE *use, EXP_SUMS allocated, EXP_SUMS freed)
{
    use->Allocations += allocated.Blocks;
    use->Frees += freed.Blocks;
    use->LiveBytes += (LONG64)(allocated.Bytes - freed.Bytes);
    use->LiveBlockBytes += (LONG64)(allocated.BlockBytes - freed.BlockBytes);
}

static void gather_thread(EXP_THREAD *thread, void *context)
{
    GATHERING *g = context;

    for (ULONG i = 1; i < g->Count; i++) {
        EXP_PART part = ExpPartOf(thread, i);
        if (!part.TookPart)
            continue;
        add_part(&g->Uses[i], part.Allocated, part.Freed);
        g->Threads[i]++;
        if (part.Peak.BlockBytes > g->Peaks[i].BlockBytes)
            g->Peaks[i] = part.Peak;
    }
}

static void gather_use(GATHERING *g, ULONG i)
{
    const EXP_USE *u = ExpUse(i);
    EMU_POOL_USE *use = &g->Uses[i];

    *use = (EMU_POOL_USE){.Number = i, .Tag = u->Tag, .Paged = u->Paged, .Site = u->Site, .Stack = u->Stack};
    add_part(use, u->Allocated, u->Freed);
    g->Threads[i] = u->GoneThreads;
    g->Peaks[i] = u->PeakOfGone;
}

/*
 * A use's peak is exact while one thread does it all. With several it is the most that was live at a look: a thread's
 * own peak then says little, as it may free what others allocated.
 */
static void settle_use(GATHERING *g, ULONG i)
{
    EMU_POOL_USE *use = &g->Uses[i];
    EXP_USE *u = ExpUse(i);
    EXP_SUMS live, peak;

    use->LiveBlocks = (LONG64)(use->Allocations - use->Frees);
    use->PeakIsExact = g->Threads[i] <= 1;
    live = (EXP_SUMS){(ULONG64)use->LiveBlocks, (ULONG64)use->LiveBlockBytes, (ULONG64)use->LiveBytes};
    peak = use->PeakIsExact ? g->Peaks[i] : u->PeakSeen;
    if (use->LiveBlockBytes > (LONG64)peak.BlockBytes)
        peak = live;
    use->PeakBlocks = peak.Blocks;
    use->PeakBytes = peak.Bytes;
    u->PeakSeen = peak;
}

static void count_pool(EMU_POOL_COUNTS *counts, const EMU_POOL_USE *uses, ULONG count, BOOLEAN paged)
{
    EXP_ARENA *arena = &ExpArenas[paged];

    *counts = (EMU_POOL_COUNTS){.Failures = __atomic_load_n(&failures[paged], __ATOMIC_RELAXED)};
    for (ULONG i = 1; i < count; i++)
        if (uses[i].Paged == paged) {
            counts->Allocations += uses[i].Allocations;
            counts->Frees += uses[i].Frees;
            counts->LiveBytes += (ULONG64)uses[i].LiveBytes;
            counts->LiveBlockBytes += (ULONG64)uses[i].LiveBlockBytes;
        }
    counts->LiveBlocks = counts->Allocations - counts->Frees;
    if ((LONG64)counts->LiveBytes > 0 && counts->LiveBytes > peak_bytes[paged])
        peak_bytes[paged] = counts->LiveBytes;
    counts->PeakBytes = peak_bytes[paged];
    pthread_mutex_lock(&arena->Lock);
    counts->Pages = arena->Pages;
    counts->PeakPages = arena->PeakPages;
    counts->LimitPages = arena->LimitPages;
    counts->TrimPages = arena->TrimPages;
    counts->Trims = arena->Trims;
    pthread_mutex_unlock(&arena->Lock);
}

/* All uses by number, and the pools' counts. FALSE: the host is out of memory. Uses are the caller's to free. */
static BOOLEAN gather(GATHERING *g, EMU_POOL_COUNTS *paged, EMU_POOL_COUNTS *nonpaged)
{
    BOOLEAN ok;

    g->Count = ExpUseCount();
    g->Uses = malloc(g->Count * sizeof *g->Uses);
    g->Peaks = malloc(g->Count * sizeof *g->Peaks);
    g->Threads = malloc(g->Count * sizeof *g->Threads);
    ok = g->Uses && g->Peaks && g->Threads;
    if (ok) {
        ExpLockThreads();
        ExpLockUses();
        for (ULONG i = 1; i < g->Count; i++)
            gather_use(g, i);
        ExpForEachThread(gather_thread, g);
        for (ULONG i = 1; i < g->Count; i++)
            settle_use(g, i);
        count_pool(paged, g->Uses, g->Count, TRUE);
        count_pool(nonpaged, g->Uses, g->Count, FALSE);
        ExpUnlockUses();
        ExpUnlockThreads();
    } else {
        free(g->Uses);
    }
    free(g->Peaks);
    free(g->Threads);
    return ok;
}

void EmuPoolCounts(EMU_POOL_COUNTS *Paged, EMU_POOL_COUNTS *NonPaged)
{
    GATHERING g;

    *Paged = *NonPaged = (EMU_POOL_COUNTS){0};
    if (gather(&g, Paged, NonPaged))
        free(g.Uses);
}

NTSTATUS EmuPoolTakeSnapshot(EMU_POOL_SNAPSHOT *Snapshot)
{
    EMU_POOL_SNAPSHOT s = {0};
    GATHERING g;

    if (!gather(&g, &s.Paged, &s.NonPaged))
        return STATUS_NO_MEMORY;
    s.Uses = g.Uses;
    for (ULONG i = 1; i < g.Count; i++)
        if (g.Uses[i].Allocations || g.Uses[i].Frees)
            s.Uses[s.Count++] = g.Uses[i];
    *Snapshot = s;
    return STATUS_SUCCESS;
}

static int larger_live_first(const void *a, const void *b)
{
    const EMU_POOL_USE *x = a, *y = b;
    return x->LiveBytes != y->LiveBytes ? (x->LiveBytes < y->LiveBytes ? 1 : -1)
                                        : (x->Number > y->Number) - (x->Number < y->Number);
}

NTSTATUS EmuPoolCompare(const EMU_POOL_SNAPSHOT *Before, const EMU_POOL_SNAPSHOT *After, EMU_POOL_SNAPSHOT *Difference)
{
    EMU_POOL_SNAPSHOT d = {.Paged = After->Paged, .NonPaged = After->NonPaged};

    d.Uses = calloc(After->Count + 1, sizeof *d.Uses);
    if (!d.Uses)
        return STATUS_NO_MEMORY;
    for (ULONG i = 0, b = 0; i < After->Count; i++) {
        EMU_POOL_USE use = After->Uses[i];
        /* Both are in the order of the uses' numbers. */
        while (b < Before->Count && Before->Uses[b].Number < use.Number)
            b++;
        if (b < Before->Count && Before->Uses[b].Number == use.Number) {
            use.Allocations -= Before->Uses[b].Allocations;
            use.Frees -= Before->Uses[b].Frees;
            use.LiveBlocks -= Before->Uses[b].LiveBlocks;
            use.LiveBytes -= Before->Uses[b].LiveBytes;
            use.LiveBlockBytes -= Before->Uses[b].LiveBlockBytes;
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

void ExpNotePeaks(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
}

void ExpCountFailure(BOOLEAN Paged)
{
    __atomic_fetch_add(&failures[Paged], 1, __ATOMIC_RELAXED);
}

void ExpForgetPeaks(void)
{
    for (ULONG i = 0; i < 2; i++) {
        __atomic_store_n(&failures[i], 0, __ATOMIC_RELAXED);
        peak_bytes[i] = 0;
    }
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
