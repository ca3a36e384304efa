/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands at an address, and all live blocks one by one. Free blocks in threads' lists say themselves that they
 * are. */
#include "exp.h"

#include "ke/irql.h"
#include "special.h"

/* The next header is this many blocks ahead when it is asked for: memory takes that long. */
#define AHEAD 12u

static ULONG mark_of(const ULONG *header, ULONG low)
{
    return header[1] - (EMU_POOL_SEAL_(low, header[0]) - EMU_POOL_LIVE_);
}

static BOOLEAN is_live(const ULONG *header, ULONG low)
{
    ULONG mark = mark_of(header, low);
    return mark == EMU_POOL_LIVE_ || mark == EXP_LIVE_SLOW;
}

static EXP_PLACE find_in_runs(EXP_FOUND *f, ULONG_PTR offset)
{
    ULONG page = (ULONG)((ExpBase + offset - ExpRunsBase(f->Arena)) / PAGE_SIZE);
    EXP_PLACE place = ExpNowhere;

    pthread_mutex_lock(&f->Arena->Lock);
    if (page < f->Arena->RunFrontier) {
        EXP_RUN *run = &f->Arena->Runs[page];
        while (run->State == EXP_RUN_TAIL)
            run--;
        place = run->State == EXP_RUN_LIVE ? ExpLive : ExpFree;
        f->Run = run;
        f->Use = run->Use;
        f->Bytes = run->Bytes;
        f->BlockBytes = (SIZE_T)run->Pages * PAGE_SIZE;
        f->Address = ExpRunsBase(f->Arena) + (ULONG_PTR)(run - f->Arena->Runs) * PAGE_SIZE;
    }
    pthread_mutex_unlock(&f->Arena->Lock);
    return place;
}

/* A link to another free block, or the end of a list. */
static BOOLEAN is_link(const EXP_FOUND *f, ULONG link)
{
    ULONG slab = (ULONG)(ExpOffsetOf(link, ExpClasses[f->Class].Outside) >> EXP_SLAB_SHIFT);

    return !link || (link % 16 == 0 && ExpSlabs[slab].Class == f->Class);
}

EXP_PEEKS static EXP_PLACE read_header(EXP_FOUND *f)
{
    ULONG low = (ULONG)f->Address, size = f->Header[0] & 0xfff;
    ULONG bias = ExpClasses[f->Class].Outside ? EMU_POOL_OUTSIDE_BIAS_ : EMU_POOL_INSIDE_BIAS_;
    SIZE_T room = ExpRoomOf(f->Class);

    if (!is_live(f->Header, low))
        return is_link(f, f->Header[1]) ? ExpFree : ExpCorrupt;
    f->Use = f->Header[0] >> 13;
    f->Bytes = size - bias;
    if (!f->Use || f->Use >= ExpUseCount() || ExpUse(f->Use)->Paged != f->Arena->Paged || size <= bias ||
        f->Bytes > room)
        return ExpCorrupt;
    if (mark_of(f->Header, low) == EMU_POOL_LIVE_)
        return ExpClassFor(f->Bytes) == f->Class ? ExpLive : ExpCorrupt;
    f->Trailer = ExpTrailerOf(f->Address, f->Bytes);
    if ((ULONG_PTR)(f->Trailer + 1) > f->Address + room || f->Trailer->Check != ExpTrailerCheck(f->Address, f->Trailer))
        return ExpCorrupt;
    return ExpLive;
}

static EXP_PLACE find_in_slabs(EXP_FOUND *f, ULONG_PTR offset)
{
    ULONG slab = (ULONG)(offset >> EXP_SLAB_SHIFT), index;
    const EXP_SLAB *s = &ExpSlabs[slab];
    ULONG_PTR first = ExpFirstBlock(slab);
    const EXP_CLASS *k;

    if (slab >= __atomic_load_n(&f->Arena->SlabFrontier[offset >= EXP_HALF], __ATOMIC_RELAXED))
        return ExpNowhere;
    if (!s->Class)
        return ExpFree;
    k = &ExpClasses[s->Class];
    index = (ULONG)(offset - first) / k->BlockBytes;
    if (offset < first || index >= k->Capacity)
        return ExpInside;
    f->Class = s->Class;
    f->BlockBytes = k->BlockBytes;
    f->Address = ExpBase + first + (ULONG_PTR)index * k->BlockBytes;
    if (index >= __atomic_load_n(&s->Fresh, __ATOMIC_RELAXED))
        return ExpFree;
    f->Header = ExpHeaderOf(f->Address - ExpBase);
    /* What begins in the middle of a free block is nothing's header. */
    return ExpBase + offset == f->Address || is_live(f->Header, (ULONG)f->Address) ? read_header(f) : ExpInside;
}

EXP_PLACE ExpFind(PVOID Address, EXP_FOUND *Found)
{
    ULONG_PTR offset = (ULONG_PTR)Address - ExpBase;

    *Found = (EXP_FOUND){.Arena = &ExpArenas[(ULONG)offset >> 31]};
    return offset >= EXP_HALF && (ULONG)offset % (ULONG)(EXP_HALF / 2) >= EXP_RUNS_BYTES ? find_in_runs(Found, offset)
                                                                                         : find_in_slabs(Found, offset);
}

EXP_PEEKS static void describe(EMU_POOL_BLOCK *block, const EXP_FOUND *f)
{
    const EXP_USE *use = ExpUse(f->Use);
    ULONG64 stamp = f->Run ? f->Run->Stamp : f->Trailer ? f->Trailer->Stamp : EMU_POOL_AGE_UNKNOWN;

    *block = (EMU_POOL_BLOCK){
        (PVOID)f->Address, f->Bytes,  f->BlockBytes, use->Tag,
        use->Paged,        use->Site, use->Stack,    stamp == EMU_POOL_AGE_UNKNOWN ? stamp : ExpStamp() - stamp};
}

static BOOLEAN find_live(PVOID address, EMU_POOL_BLOCK *block)
{
    EXP_FOUND found;

    if (!ExpIsInArena(address) || ExpSlowReasons() & EXP_SLOW_CLOSED || ExpFind(address, &found) != ExpLive ||
        (ULONG_PTR)address >= found.Address + found.Bytes)
        return FALSE;
    describe(block, &found);
    return TRUE;
}

BOOLEAN EmuPoolFind(PVOID Address, EMU_POOL_BLOCK *Block)
{
    BOOLEAN processor = KiEnterProcessor(), found;

    found = ExpIsSpecial(Address) ? ExpFindLiveSpecial(Address, Block) : find_live(Address, Block);
    KiLeaveProcessor(processor);
    return found;
}

static BOOLEAN visit_odd(ULONG_PTR address, EMU_POOL_VISITOR *visitor, PVOID context)
{
    EMU_POOL_BLOCK block;
    EXP_FOUND found;

    if (ExpFind((PVOID)address, &found) != ExpLive)
        return TRUE;
    describe(&block, &found);
    return visitor(context, &block);
}

static BOOLEAN visit_slab(ULONG slab, EMU_POOL_VISITOR *visitor, PVOID context)
{
    const EXP_SLAB *s = &ExpSlabs[slab];
    const EXP_CLASS *k = &ExpClasses[s->Class];
    ULONG bias = k->Outside ? EMU_POOL_OUTSIDE_BIAS_ : EMU_POOL_INSIDE_BIAS_, last_use = 0;
    ULONG_PTR offset = ExpFirstBlock(slab);
    EMU_POOL_BLOCK block = {.BlockBytes = k->BlockBytes, .Age = EMU_POOL_AGE_UNKNOWN};

    for (ULONG i = 0; i < s->Fresh; i++, offset += k->BlockBytes) {
        const ULONG *header = ExpHeaderOf(offset);
        ULONG mark = mark_of(header, (ULONG)offset), use = header[0] >> 13;

        __builtin_prefetch(ExpHeaderOf(offset + (ULONG_PTR)AHEAD * k->BlockBytes));
        if (mark == EMU_POOL_LIVE_ && use) {
            /* Neighbours mostly are of one use. */
            if (use != last_use) {
                const EXP_USE *u = ExpUse(last_use = use);
                block.Tag = u->Tag;
                block.Paged = u->Paged;
                block.Site = u->Site;
                block.Stack = u->Stack;
            }
            block.Address = (PVOID)(ExpBase + offset);
            block.NumberOfBytes = (header[0] & 0xfff) - bias;
            if (!visitor(context, &block))
                return FALSE;
        } else if (mark == EXP_LIVE_SLOW && !visit_odd(ExpBase + offset, visitor, context)) {
            return FALSE;
        }
    }
    return TRUE;
}

static BOOLEAN visit_runs(EXP_ARENA *arena, EMU_POOL_VISITOR *visitor, PVOID context)
{
    for (ULONG page = 0; page < arena->RunFrontier; page++) {
        EMU_POOL_BLOCK block;
        if (arena->Runs[page].State == EXP_RUN_LIVE &&
            find_live((PVOID)(ExpRunsBase(arena) + (ULONG_PTR)page * PAGE_SIZE), &block) && !visitor(context, &block))
            return FALSE;
    }
    return TRUE;
}

static BOOLEAN visit_slabs(const EXP_ARENA *arena, BOOLEAN outside, EMU_POOL_VISITOR *visitor, PVOID context)
{
    for (ULONG slab = ExpFirstSlab(arena, outside) + 1; slab < arena->SlabFrontier[outside]; slab++)
        if (ExpSlabs[slab].Class && !visit_slab(slab, visitor, context))
            return FALSE;
    return TRUE;
}

static void visit_all(EMU_POOL_VISITOR *visitor, PVOID context)
{
    for (ULONG pool = 0; pool < 2; pool++)
        if (!visit_slabs(&ExpArenas[pool], FALSE, visitor, context) ||
            !visit_slabs(&ExpArenas[pool], TRUE, visitor, context) || !visit_runs(&ExpArenas[pool], visitor, context))
            return;
    ExpVisitSpecial(visitor, context);
}

void EmuPoolVisit(EMU_POOL_VISITOR *Visitor, PVOID Context)
{
    BOOLEAN processor;

    if (ExpSlowReasons() & EXP_SLOW_CLOSED)
        return;
    processor = KiEnterProcessor();
    visit_all(Visitor, Context);
    KiLeaveProcessor(processor);
}
