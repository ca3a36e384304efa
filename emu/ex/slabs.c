/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slabs: 16 KiB of blocks of one size. Threads take free blocks from here, and bring them back, in chains of a fixed
 * length; a chain on its way from one thread to another is passed on as it is, which costs one lock and no look at its
 * blocks. Only when too many chains wait are their blocks sorted back to their slabs, and an empty slab goes.
 */
#include "exp.h"

#include <string.h>

#define LARGEST_CHAIN 64u
#define CHAIN_BYTES   16384u  /* a chain is shorter where its blocks are large */
#define WAITING_BYTES 262144u /* chains that may wait, by what they hold */
#define WAITING_MOST  32u

typedef struct _CENTRAL {
    pthread_mutex_t Lock; /* guards the rest, and the slabs of the class */
    ULONG Partial;        /* slabs with a free block */
    ULONG Waiting, MayWait;
    EXP_CHAIN Chains[WAITING_MOST];
} __attribute__((aligned(64))) CENTRAL;

EXP_CLASS ExpClasses[EMU_POOL_LISTS_];
ULONG ExpClassEnd;
UCHAR ExpClassOf[256];
static CENTRAL centrals[2][EMU_POOL_LISTS_];

/* ---- classes ---- */

static void make_central(CENTRAL *c, const EXP_CLASS *k)
{
    ULONG wait = WAITING_BYTES / (k->BlockBytes * k->Batch);

    pthread_mutex_init(&c->Lock, NULL);
    c->Partial = EXP_NONE;
    c->MayWait = wait > WAITING_MOST ? WAITING_MOST : wait < 4 ? 4 : wait;
}

static void make_class(ULONG class, ULONG bytes, BOOLEAN outside)
{
    EXP_CLASS *k = &ExpClasses[class];

    k->BlockBytes = bytes;
    k->Outside = outside;
    k->Capacity = (EXP_SLAB_BYTES - (outside ? 0 : 8)) / bytes;
    k->Batch = CHAIN_BYTES / bytes > LARGEST_CHAIN ? LARGEST_CHAIN : CHAIN_BYTES / bytes;
    make_central(&centrals[NonPagedPool][class], k);
    make_central(&centrals[PagedPool][class], k);
    ExpClassEnd = class + 1;
}

/* Every 16 bytes with the header inside; above, what divides a slab with the least waste. */
void ExpMakeClasses(void)
{
    ULONG class;

    for (ULONG bytes = 16; bytes <= EMU_POOL_INSIDE_ + 8; bytes += 16)
        make_class(bytes / 16, bytes, FALSE);
    ExpClassEnd = EMU_POOL_OUTSIDE_LIST_;
    for (ULONG blocks = EXP_SLAB_BYTES / (EMU_POOL_INSIDE_ + 8); blocks >= 4; blocks--)
        make_class(ExpClassEnd, EXP_SLAB_BYTES / blocks & ~15u, TRUE);
    class = EMU_POOL_OUTSIDE_LIST_;
    for (ULONG granules = 0; granules < 256; granules++) {
        while (ExpClasses[class].BlockBytes < granules * 16)
            class ++;
        ExpClassOf[granules] = (UCHAR) class;
    }
}

void ExpForgetSlabs(void)
{
    for (ULONG pool = 0; pool < 2; pool++)
        for (ULONG class = 1; class < ExpClassEnd; class ++) {
            centrals[pool][class].Partial = EXP_NONE;
            centrals[pool][class].Waiting = 0;
        }
}

/* ---- a slab's own list; with the lock of its class ---- */

static void link_partial(CENTRAL *c, ULONG slab)
{
    EXP_SLAB *s = &ExpSlabs[slab];

    s->Prev = EXP_NONE;
    s->Next = c->Partial;
    if (s->Next != EXP_NONE)
        ExpSlabs[s->Next].Prev = slab;
    c->Partial = slab;
}

static void unlink_partial(CENTRAL *c, ULONG slab)
{
    EXP_SLAB *s = &ExpSlabs[slab];

    if (s->Prev != EXP_NONE)
        ExpSlabs[s->Prev].Next = s->Next;
    else
        c->Partial = s->Next;
    if (s->Next != EXP_NONE)
        ExpSlabs[s->Next].Prev = s->Prev;
}

static void link_free(const EXP_CLASS *k, ULONG low, ULONG next)
{
    ExpHeaderOf(ExpOffsetOf(low, k->Outside))[1] = next;
}

static ULONG next_free(const EXP_CLASS *k, ULONG low)
{
    return ExpHeaderOf(ExpOffsetOf(low, k->Outside))[1];
}

static ULONG new_slab(EXP_ARENA *arena, ULONG class)
{
    const EXP_CLASS *k = &ExpClasses[class];
    ULONG slab = ExpTakeSlab(arena, k->Outside);

    if (slab == EXP_NONE)
        return EXP_NONE;
    ExpSlabs[slab] = (EXP_SLAB){.FreeBlocks = (USHORT)k->Capacity, .Class = (UCHAR) class};
    link_partial(&centrals[arena->Paged][class], slab);
    return slab;
}

/* Takes up to Blocks of the slab's free blocks in front of the chain. */
static EXP_CHAIN take_from(ULONG slab, ULONG blocks, EXP_CHAIN chain)
{
    EXP_SLAB *s = &ExpSlabs[slab];
    const EXP_CLASS *k = &ExpClasses[s->Class];

    if (blocks > s->FreeBlocks)
        blocks = s->FreeBlocks;
    s->FreeBlocks -= (USHORT)blocks;
    chain.Blocks += blocks;
    for (; blocks && s->Free; blocks--) {
        ULONG low = s->Free;
        s->Free = next_free(k, low);
        link_free(k, low, chain.Head);
        chain.Head = low;
    }
    if (blocks) {
        ULONG low = (ULONG)ExpFirstBlock(slab) + s->Fresh * k->BlockBytes, first = low;
        __atomic_store_n(&s->Fresh, (USHORT)(s->Fresh + blocks), __ATOMIC_RELAXED);
        for (; blocks > 1; blocks--, low += k->BlockBytes)
            link_free(k, low, low + k->BlockBytes);
        link_free(k, low, chain.Head);
        chain.Head = first;
    }
    return chain;
}

EXP_CHAIN ExpTakeChain(EXP_ARENA *Arena, ULONG Class)
{
    CENTRAL *c = &centrals[Arena->Paged][Class];
    ULONG batch = ExpClasses[Class].Batch;
    EXP_CHAIN chain = {0};

    pthread_mutex_lock(&c->Lock);
    if (c->Waiting) {
        chain = c->Chains[--c->Waiting];
    } else {
        while (chain.Blocks < batch) {
            ULONG slab = c->Partial;
            if (slab == EXP_NONE && chain.Blocks)
                break;
            if (slab == EXP_NONE)
                slab = new_slab(Arena, Class);
            if (slab == EXP_NONE)
                break;
            chain = take_from(slab, batch - chain.Blocks, chain);
            if (!ExpSlabs[slab].FreeBlocks)
                unlink_partial(c, slab);
        }
    }
    pthread_mutex_unlock(&c->Lock);
    return chain;
}

static void give_block(EXP_ARENA *arena, CENTRAL *c, const EXP_CLASS *k, ULONG low)
{
    ULONG slab = (ULONG)(ExpOffsetOf(low, k->Outside) >> EXP_SLAB_SHIFT);
    EXP_SLAB *s = &ExpSlabs[slab];

    link_free(k, low, s->Free);
    s->Free = low;
    if (!s->FreeBlocks++)
        link_partial(c, slab);
    if (s->FreeBlocks == k->Capacity) {
        unlink_partial(c, slab);
        s->Class = 0;
        ExpReturnSlab(arena, slab);
    }
}

static void give_to_slabs(EXP_ARENA *arena, CENTRAL *c, const EXP_CLASS *k, EXP_CHAIN chain)
{
    while (chain.Head) {
        ULONG low = chain.Head;
        chain.Head = next_free(k, low);
        give_block(arena, c, k, low);
    }
}

void ExpGiveChain(EXP_ARENA *Arena, ULONG Class, EXP_CHAIN Chain, BOOLEAN ToSlabs)
{
    CENTRAL *c = &centrals[Arena->Paged][Class];

    if (!Chain.Blocks)
        return;
    pthread_mutex_lock(&c->Lock);
    if (!ToSlabs && c->Waiting < c->MayWait)
        c->Chains[c->Waiting++] = Chain;
    else
        give_to_slabs(Arena, c, &ExpClasses[Class], Chain);
    pthread_mutex_unlock(&c->Lock);
}

void ExpTrimChains(EXP_ARENA *Arena)
{
    for (ULONG class = 1; class < ExpClassEnd; class ++) {
        CENTRAL *c = &centrals[Arena->Paged][class];
        if (!ExpClasses[class].BlockBytes)
            continue;
        pthread_mutex_lock(&c->Lock);
        while (c->Waiting)
            give_to_slabs(Arena, c, &ExpClasses[class], c->Chains[--c->Waiting]);
        pthread_mutex_unlock(&c->Lock);
    }
}
