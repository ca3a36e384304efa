/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a traced call does in the pool, block by block: only so is a block that it gave back told from an older one. */
#include "tracep.h"

#include <string.h>

/* ---- the blocks that the call has: a hash table, probed linearly ---- */

static ULONG home_of(const void *address)
{
    return (ULONG)(((ULONG64)(ULONG_PTR)address * 0x9e3779b97f4a7c15u) >> 40) % EXP_TRACE_BLOCKS;
}

static ULONG next_place(ULONG place)
{
    return (place + 1) % EXP_TRACE_BLOCKS;
}

/* Where the block is, or the free place where it belongs. */
static ULONG place_of(const EXP_TRACE *t, const void *address)
{
    ULONG place = home_of(address);

    while (t->Blocks[place].Address && t->Blocks[place].Address != address)
        place = next_place(place);
    return place;
}

static BOOLEAN enter(EXP_TRACE *t, const void *address, SIZE_T bytes, ULONG use)
{
    EXP_TRACE_BLOCK *block = &t->Blocks[place_of(t, address)];

    /* The same address once more: another thread freed the block, and the call got it again. */
    if (!block->Address && t->BlockCount++ == EXP_TRACE_BLOCKS / 2) {
        t->BlockCount--;
        return FALSE;
    }
    *block = (EXP_TRACE_BLOCK){address, bytes, use};
    return TRUE;
}

/* Blocks behind a hole move up, unless that would bring one before its home. */
static void take_out(EXP_TRACE *t, ULONG hole)
{
    for (ULONG i = next_place(hole); t->Blocks[i].Address; i = next_place(i)) {
        ULONG home = home_of(t->Blocks[i].Address);
        if ((i - home) % EXP_TRACE_BLOCKS < (i - hole) % EXP_TRACE_BLOCKS)
            continue;
        t->Blocks[hole] = t->Blocks[i];
        hole = i;
    }
    t->Blocks[hole].Address = NULL;
    t->BlockCount--;
}

/* ---- sums ---- */

static void add(EMU_TRACE_SUM *sum, SIZE_T bytes)
{
    sum->Blocks++;
    sum->Bytes += bytes;
}

static void subtract(EMU_TRACE_SUM *sum, SIZE_T bytes)
{
    sum->Blocks--;
    sum->Bytes -= bytes;
}

/* NULL: there is no room. */
static EMU_TRACE_USE *use_of(EXP_TRACE *t, ULONG tag, BOOLEAN paged, const EMU_POOL_SITE *site)
{
    EMU_TRACE_USE *use = t->Uses;

    for (; use < t->Uses + t->Public.UseCount; use++)
        if (use->Site == site && use->Tag == tag && use->Paged == paged)
            return use;
    if (t->Public.UseCount == EXP_TRACE_USES)
        return NULL;
    t->Public.UseCount++;
    *use = (EMU_TRACE_USE){tag, paged, site, {{0}, {0}, {0}, {0}}};
    return use;
}

void ExpTraceTook(const void *Block, ULONG Tag, BOOLEAN Paged, const EMU_POOL_SITE *Site, SIZE_T Bytes)
{
    for (EXP_TRACE *t = ExpTraceOf(EmuTrace_); t; t = t->Outer) {
        EMU_TRACE_USE *use;
        pthread_mutex_lock(&t->Lock);
        use = use_of(t, Tag, Paged, Site);
        if (use && enter(t, Block, Bytes, (ULONG)(use - t->Uses))) {
            EMU_TRACE_SUMS *both[] = {&use->Sums, &t->Public.Pool[Paged].Sums};
            for (ULONG i = 0; i < 2; i++) {
                add(&both[i]->Taken, Bytes);
                add(&both[i]->Kept, Bytes);
            }
        } else {
            t->Public.NotFollowed++;
        }
        pthread_mutex_unlock(&t->Lock);
    }
}

static void give(EXP_TRACE *t, ULONG place, BOOLEAN paged)
{
    const EXP_TRACE_BLOCK *block = &t->Blocks[place];
    EMU_TRACE_SUMS *both[] = {&t->Uses[block->Use].Sums, &t->Public.Pool[paged].Sums};

    for (ULONG i = 0; i < 2; i++) {
        add(&both[i]->Returned, block->Bytes);
        subtract(&both[i]->Kept, block->Bytes);
    }
    take_out(t, place);
}

static void give_older(EXP_TRACE *t, ULONG tag, BOOLEAN paged, const EMU_POOL_SITE *site, SIZE_T bytes)
{
    EMU_TRACE_USE *use = use_of(t, tag, paged, site);

    if (use)
        add(&use->Sums.Older, bytes);
    else
        t->Public.NotFollowed++;
    add(&t->Public.Pool[paged].Sums.Older, bytes);
}

void ExpTraceGave(const void *Block, ULONG Tag, BOOLEAN Paged, const EMU_POOL_SITE *Site, SIZE_T Bytes)
{
    for (EXP_TRACE *t = ExpTraceOf(EmuTrace_); t; t = t->Outer) {
        ULONG place;
        pthread_mutex_lock(&t->Lock);
        place = place_of(t, Block);
        if (t->Blocks[place].Address)
            give(t, place, Paged);
        else
            give_older(t, Tag, Paged, Site, Bytes);
        pthread_mutex_unlock(&t->Lock);
    }
}

void ExpTraceRefused(BOOLEAN Paged)
{
    for (EXP_TRACE *t = ExpTraceOf(EmuTrace_); t; t = t->Outer) {
        pthread_mutex_lock(&t->Lock);
        t->Public.Pool[Paged].Refused++;
        pthread_mutex_unlock(&t->Lock);
    }
}

void ExpTracePages(BOOLEAN Paged, LONG64 Pages)
{
    for (EXP_TRACE *t = ExpTraceOf(EmuTrace_); t; t = t->Outer) {
        pthread_mutex_lock(&t->Lock);
        t->Public.Pool[Paged].Pages += Pages;
        pthread_mutex_unlock(&t->Lock);
    }
}
