/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Freeing, where the fast path ends: an option is on, the block is large or odd, or the free is wrong. */
#include "exp.h"

#include <ntemu/ntifs.h>

#include "ke/irql.h"
#include "special.h"
#include "tracep.h"
#include "verifierp.h"

#undef ExFreePool
#undef ExFreePoolWithTag

static void give_back(EXP_THREAD *thread, const EXP_FOUND *f)
{
    PEPROCESS charged = f->Run ? f->Run->Charged : f->Trailer ? f->Trailer->Charged : NULL;
    EMU_POOL_LIST_ *list;

    ExpCount(thread, f->Use, f->Bytes, f->BlockBytes, TRUE);
    if (charged)
        PsReturnPoolQuota(charged, f->Arena->Paged ? PagedPool : NonPagedPool, f->Bytes);
    if (ExpSlowReasons() & EXP_SLOW_CHECKER)
        ExpTellFreed((PVOID)f->Address, f->Bytes, f->Run ? f->BlockBytes : ExpRoomOf(f->Class));
    if (f->Run) {
        ExpFreeRun(f->Arena, (PVOID)f->Address);
        return;
    }
    list = ExpListOf(thread, f->Arena->Paged, f->Class);
    f->Header[1] = list->Head;
    list->Head = (ULONG)f->Address;
    if (!--list->Room)
        EmuPoolOverflow_(&thread->Fast, list);
}

/* What a free of this address means. */
static EXP_STOP look(PVOID p, ULONG tag, EXP_FOUND *f)
{
    ULONG_PTR address = (ULONG_PTR)p;
    KIRQL irql = KeGetCurrentIrql();
    BOOLEAN paged;

    if (!ExpIsInArena(p) || ExpSlowReasons() & EXP_SLOW_CLOSED)
        return (EXP_STOP){BAD_POOL_CALLER, 0x46, address, 0, 0};
    paged = (BOOLEAN)((ULONG)address >> 31);
    if (irql > (paged ? APC_LEVEL : DISPATCH_LEVEL))
        return (EXP_STOP){BAD_POOL_CALLER, 0x9, irql, paged, address};
    switch (ExpFind(p, f)) {
    case ExpNowhere:
        return (EXP_STOP){BAD_POOL_CALLER, 0x46, address, 0, 0};
    case ExpFree:
        return (EXP_STOP){BAD_POOL_CALLER, 0x7, 0, f->Header ? *f->Header : 0, address};
    case ExpInside:
        return (EXP_STOP){BAD_POOL_CALLER, 0x41286, address, 0, 0};
    case ExpCorrupt:
        return (EXP_STOP){BAD_POOL_HEADER, 0x20, (ULONG_PTR)f->Header, f->Address + f->BlockBytes, f->BlockBytes};
    case ExpLive:
        break;
    }
    if (address != f->Address)
        return (EXP_STOP){BAD_POOL_CALLER, 0x41286, address, 0, 0};
    if (tag && ExpUse(f->Use)->Tag != tag)
        return (EXP_STOP){BAD_POOL_CALLER, 0xA, address, ExpUse(f->Use)->Tag, tag};
    return (EXP_STOP){0};
}

static EXP_STOP release_special(PVOID p, ULONG tag)
{
    EMU_POOL_BLOCK block;
    BOOLEAN traced = EmuTrace_ && ExpFindLiveSpecial(p, &block);
    EXP_STOP stop = ExpFreeSpecial(p, tag);

    if (traced && !stop.Code)
        ExpTraceGave(p, block.Tag, block.Paged, block.Site, block.NumberOfBytes);
    return stop;
}

static EXP_STOP release(EXP_THREAD *thread, PVOID p, ULONG tag)
{
    EXP_FOUND found = {0};
    EXP_STOP stop;

    if (ExpIsSpecial(p))
        return release_special(p, tag);
    stop = look(p, tag, &found);
    if (stop.Code)
        return stop;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without a thread the pool is closed, and look() said so */
    EMU_POOL_PUT_(thread->Fast.Tag[found.Use], ExpUse(found.Use)->Tag);
    if (EmuTrace_)
        ExpTraceGave(p, ExpUse(found.Use)->Tag, found.Arena->Paged, ExpUse(found.Use)->Site, found.Bytes);
    give_back(thread, &found);
    return stop;
}

__attribute__((noinline)) void NTAPI EmuPoolFreeAt_(PVOID P, ULONG Tag)
{
    EXP_THREAD *thread;
    BOOLEAN processor;
    EXP_STOP stop;

    if (EmuPoolGive_(EMU_POOL_GET_(EmuPoolFreer_), P, Tag))
        return;
    thread = ExpSlowReasons() & EXP_SLOW_CLOSED ? NULL : ExpCurrentThread();
    processor = KeGetCurrentIrql() <= APC_LEVEL && KiEnterProcessor();
    stop = release(thread, P, Tag);
    if (thread)
        ExpBackToFast(thread);
    KiLeaveProcessor(processor);
    if (!stop.Code)
        return;
    stop = ExpVerifierStop(stop);
    KeBugCheckEx(stop.Code, stop.P1, stop.P2, stop.P3, stop.P4);
}

void NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    if (!EMU_POOL_LIKELY_(EmuPoolGive_(EMU_POOL_GET_(EmuPoolFreer_), P, Tag)))
        EmuPoolFreeAt_(P, Tag);
}

void NTAPI ExFreePool(PVOID P)
{
    if (!EMU_POOL_LIKELY_(EmuPoolGive_(EMU_POOL_GET_(EmuPoolFreer_), P, 0)))
        EmuPoolFreeAt_(P, 0);
}
