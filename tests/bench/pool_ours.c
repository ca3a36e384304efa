/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool_allocator.h"

#include <ntemu/machine.h>
#include <ntemu/verifier.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long live_at_boot;

static unsigned long long live(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
    return paged.LiveBlocks + nonpaged.LiveBlocks;
}

void ours_boot(void)
{
    const EMU_MACHINE_OPTIONS options = {.PagedPoolLimit = (SIZE_T)2 << 30, .NonPagedPoolLimit = (SIZE_T)256 << 20};
    char error[256];

    if (EmuMachineBoot(&options, error, sizeof error) != STATUS_SUCCESS) {
        fprintf(stderr, "no machine: %s\n", error);
        exit(1);
    }
    live_at_boot = live();
}

int ours_option(const char *name)
{
    if (!strcmp(name, "stacks")) {
        EmuPoolTrack(EMU_POOL_TRACK_STACKS);
        return 1;
    }
    if (!strcmp(name, "special")) {
        const EMU_VERIFIER_OPTIONS special = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING};
        return NT_SUCCESS(EmuVerifierSet(&special));
    }
    return 0;
}

unsigned long long ours_live(void)
{
    return live() - live_at_boot;
}

unsigned long long ours_pages(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
    return paged.Pages + nonpaged.Pages;
}

struct walk {
    unsigned tag;
    unsigned long long blocks;
};

static BOOLEAN count_block(PVOID Context, const EMU_POOL_BLOCK *Block)
{
    struct walk *walk = Context;

    walk->blocks += Block->Tag == walk->tag;
    return TRUE;
}

static unsigned long long report(unsigned tag)
{
    EMU_POOL_SNAPSHOT snapshot;
    unsigned long long blocks = 0;

    if (EmuPoolTakeSnapshot(&snapshot) != STATUS_SUCCESS)
        exit(1);
    for (ULONG i = 0; i < snapshot.Count; i++)
        if (snapshot.Uses[i].Tag == tag)
            blocks += (unsigned long long)snapshot.Uses[i].LiveBlocks;
    EmuPoolFreeSnapshot(&snapshot);
    return blocks;
}

struct ours_look ours_look(unsigned tag)
{
    struct ours_look look = {.report = 1e9, .walk = 1e9};

    for (int i = 0; i < 5; i++) {
        double start = now(), taken;
        look.reported = report(tag);
        taken = now() - start;
        if (taken < look.report)
            look.report = taken;
    }
    for (int i = 0; i < 3; i++) {
        struct walk walk = {.tag = tag};
        double start = now(), taken;
        EmuPoolVisit(count_block, &walk);
        taken = now() - start;
        look.walked = walk.blocks;
        if (taken < look.walk)
            look.walk = taken;
    }
    return look;
}
