/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocating, where the fast path ends: a list is empty, a call site is new, a block is large or odd, an option is on.
 */
#include "exp.h"

#include <ntemu/ntifs.h>
#include <string.h>

#include "ke/irql.h"
#include "tracep.h"
#include "verifierp.h"

#undef ExAllocatePool
#undef ExAllocatePoolWithTag

#define CACHE_LINE 64u

static void (*refused_routine)(BOOLEAN paged);
static ULONG64 stamp;    /* atomic: allocations while ages are kept */
static ULONG64 noted[2]; /* atomic: PeakPages at the last look at the peaks */

/* One allocation on its way. */
typedef struct _REQUEST {
    POOL_TYPE Type;
    SIZE_T Bytes;
    ULONG Tag;
    EMU_POOL_SITE *Site; /* NULL: known by its caller's address only */
    const void *Caller;
    const ULONG_PTR *Frame; /* of the routine that was called */
    PEPROCESS Charged;      /* whose quota; NULL: nobody's */
} REQUEST;

void ExpSetRefusedRoutine(void (*Routine)(BOOLEAN Paged))
{
    refused_routine = Routine;
    noted[NonPagedPool] = noted[PagedPool] = 0;
}

ULONG64 ExpStamp(void)
{
    return __atomic_load_n(&stamp, __ATOMIC_RELAXED);
}

/* ---- whose block it is ---- */

static void check_tag(const REQUEST *r)
{
    ULONG_PTR reason = 0x9D;

    for (ULONG i = 0; i < 32; i += 8) {
        ULONG c = r->Tag >> i & 0xff;
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
            reason = 0;
    }
    if (r->Tag == POOL_TAG('B', 'I', 'G', ' '))
        reason = 0x9C;
    if (!r->Tag)
        reason = 0x9B;
    if (reason)
        KeBugCheckEx(BAD_POOL_CALLER, reason, (ULONG_PTR)r->Type, r->Bytes, (ULONG_PTR)r->Caller);
}

static BOOLEAN is_word_of(ULONG64 word, const REQUEST *r)
{
    return (ULONG)word >> 13 && EMU_POOL_IS_WORD_(word, r->Tag, r->Type & 1);
}

/* 0: the host is out of memory. */
static ULONG64 make_word(const REQUEST *r, const EMU_POOL_STACK *stack)
{
    ULONG use;

    check_tag(r);
    use = ExpFindUse(r->Tag, r->Type & 1, r->Site ? (const void *)r->Site : r->Caller, r->Site, stack);
    return use ? (ULONG64)r->Tag << 32 | use << 13 | (ULONG)(r->Type & 1) << 12 : 0;
}

/*
 * What tells a stack, and what is allocated there, from others; the frames themselves are looked at where it is new.
 * Code without frame pointers leaves anything in the register: only what points up the same stack is followed. What is
 * read there is the thread's own, whatever it means. A step's factor takes as long as the step to the next frame.
 */
__attribute__((always_inline, no_sanitize("address", "thread"))) static inline ULONG64
key_of_stack(const ULONG_PTR *frame, ULONG_PTR end, const EMU_POOL_SITE *site, ULONG tag, POOL_TYPE type)
{
    const ULONG_PTR first = (ULONG_PTR)frame, room = end - first - 2 * sizeof *frame;
    ULONG64 key = (ULONG64)(ULONG_PTR)site ^ (ULONG64)tag << 20 ^ type;

#pragma GCC unroll 8
    for (ULONG depth = 0; depth < EMU_POOL_STACK_FRAMES; depth++) {
        key = (key ^ frame[1]) * 0x9e3779b97f4a7c15u;
        if (frame[0] - first >= room)
            break;
        frame = (const ULONG_PTR *)frame[0];
    }
    return key;
}

static EXP_STACK_CACHE *cached_stack(const EXP_THREAD *thread, ULONG64 key)
{
    return &thread->Stacks[key >> 52];
}

static ULONG64 word_of_stack(EXP_THREAD *thread, const REQUEST *r)
{
    ULONG64 key = key_of_stack(r->Frame, thread->StackEnd, r->Site, r->Tag, r->Type & 1);
    EXP_STACK_CACHE *c;

    if (!thread->Stacks)
        thread->Stacks = ExpMakeStackCache();
    if (!thread->Stacks)
        return make_word(r, NULL);
    c = cached_stack(thread, key);
    if (c->Key == key && is_word_of(c->Word, r))
        return c->Word;
    c->Word = make_word(r, ExpInternStack(r->Frame, thread->StackEnd, key));
    c->Key = key;
    return c->Word;
}

static ULONG64 word_of_site(const REQUEST *r)
{
    ULONG64 word = __atomic_load_n(&r->Site->Word_, __ATOMIC_RELAXED);

    if (is_word_of(word, r))
        return word;
    word = make_word(r, NULL);
    __atomic_store_n(&r->Site->Word_, word, __ATOMIC_RELAXED);
    __atomic_store_n(&r->Site->Use_, (ULONG)word >> 13, __ATOMIC_RELEASE);
    return word;
}

static EMU_POOL_CALLER_ *caller_entry(EMU_POOL_THREAD_ *thread, const void *address)
{
    ULONG_PTR a = (ULONG_PTR)address;
    return &thread->Callers[(a ^ a >> 8) % EMU_POOL_CALLERS_];
}

static ULONG64 word_of_caller(EXP_THREAD *thread, const REQUEST *r)
{
    EMU_POOL_CALLER_ *c = caller_entry(&thread->Fast, r->Caller);

    if (c->Address != r->Caller || !is_word_of(c->Word, r)) {
        c->Word = make_word(r, NULL);
        c->Address = r->Caller;
    }
    return c->Word;
}

static ULONG64 word_of(EXP_THREAD *thread, const REQUEST *r)
{
    ULONG64 word;

    if (ExpSlowReasons() & EXP_SLOW_STACKS)
        word = word_of_stack(thread, r);
    else
        word = r->Site ? word_of_site(r) : word_of_caller(thread, r);
    if (thread->Fast.Tag[(ULONG)word >> 13] != r->Tag)
        EMU_POOL_PUT_(thread->Fast.Tag[(ULONG)word >> 13], r->Tag);
    return word;
}

/* ---- taking a block ---- */

static ULONG64 next_stamp(void)
{
    return ExpSlowReasons() & EXP_SLOW_AGES ? __atomic_fetch_add(&stamp, 1, __ATOMIC_RELAXED) : EMU_POOL_AGE_UNKNOWN;
}

static void tell(PVOID p, SIZE_T bytes, SIZE_T room)
{
    if (ExpSlowReasons() & EXP_SLOW_CHECKER)
        ExpTellAllocated(p, bytes, room);
}

static void *take_run(EXP_THREAD *thread, const REQUEST *r, ULONG use)
{
    EXP_ARENA *arena = &ExpArenas[r->Type & 1];
    void *p = ExpAllocateRun(arena, r->Bytes, use);
    EXP_RUN *run;

    if (!p)
        return NULL;
    run = ExpRunOf(arena, p);
    run->Charged = r->Charged;
    run->Stamp = next_stamp();
    tell(p, r->Bytes, (SIZE_T)run->Pages * PAGE_SIZE);
    ExpCount(thread, use, r->Bytes, (SIZE_T)run->Pages * PAGE_SIZE, FALSE);
    return p;
}

/* A block with a trailer: its size does not tell its list. */
static void *take_odd(EXP_THREAD *thread, const REQUEST *r, ULONG64 word)
{
    SIZE_T bytes = ((r->Bytes + 7) & ~(SIZE_T)7) + sizeof(EXP_TRAILER);
    ULONG class, low, *header;
    EMU_POOL_LIST_ *list;
    EXP_TRAILER *trailer;
    ULONG_PTR p;

    if (bytes > EMU_POOL_LARGEST_)
        return take_run(thread, r, (ULONG)word >> 13);
    class = ExpClassFor(bytes);
    if (r->Type & 4)
        while (!ExpClasses[class].Outside || ExpClasses[class].BlockBytes % CACHE_LINE)
            class ++;
    list = ExpListOf(thread, r->Type & 1, class);
    if (!list->Head && !ExpFillList(thread, list))
        return NULL;
    low = list->Head;
    p = ExpBase + ExpOffsetOf(low, ExpClasses[class].Outside);
    header = ExpHeaderOf(p - ExpBase);
    list->Head = header[1];
    list->Room++;
    header[0] =
        (ULONG)word + (ULONG)r->Bytes + (ExpClasses[class].Outside ? EMU_POOL_OUTSIDE_BIAS_ : EMU_POOL_INSIDE_BIAS_);
    header[1] = EMU_POOL_SEAL_(low, header[0]) - EMU_POOL_LIVE_ + EXP_LIVE_SLOW;
    trailer = ExpTrailerOf(p, r->Bytes);
    if (ExpSlowReasons() & EXP_SLOW_CHECKER)
        ExpTellTrailer(trailer, sizeof *trailer);
    *trailer = (EXP_TRAILER){next_stamp(), r->Charged, 0};
    trailer->Check = ExpTrailerCheck(p, trailer);
    tell((PVOID)p, r->Bytes, (r->Bytes + 7) & ~(SIZE_T)7);
    ExpCount(thread, (ULONG)word >> 13, r->Bytes, ExpClasses[class].BlockBytes, FALSE);
    return (void *)p;
}

static void *take_block(EXP_THREAD *thread, const REQUEST *r, ULONG64 word)
{
    ULONG class = ExpClassFor(r->Bytes);
    EMU_POOL_LIST_ *list = ExpListOf(thread, r->Type & 1, class);
    void *p;

    if (!list->Head && !ExpFillList(thread, list))
        return NULL;
    p = EmuPoolTake_(&thread->Fast, r->Type & 1, r->Bytes, word, (ULONG)word >> 13, r->Tag, r->Site);
    tell(p, r->Bytes, ExpRoomOf(class));
    return p;
}

static void *take(EXP_THREAD *thread, const REQUEST *r, ULONG64 word)
{
    if (r->Bytes > EMU_POOL_LARGEST_)
        return take_run(thread, r, (ULONG)word >> 13);
    if (r->Type & 4 || r->Charged || ExpSlowReasons() & EXP_SLOW_AGES)
        return take_odd(thread, r, word);
    return take_block(thread, r, word);
}

static void look_at_peaks(BOOLEAN paged)
{
    ULONG64 peak = __atomic_load_n(&ExpArenas[paged].PeakPages, __ATOMIC_RELAXED);
    ULONG64 last = __atomic_load_n(&noted[paged], __ATOMIC_RELAXED);

    if (peak <= last + last / 16)
        return;
    __atomic_store_n(&noted[paged], peak, __ATOMIC_RELAXED);
    ExpNotePeaks();
}

static BOOLEAN must_succeed(POOL_TYPE type)
{
    return type == NonPagedPoolMustSucceed || type == NonPagedPoolCacheAlignedMustS;
}

/* NULL: the limit is reached. */
static void *take_or_trim(EXP_THREAD *thread, const REQUEST *r, ULONG64 word)
{
    void *p = take(thread, r, word);

    if (p || r->Bytes > ExpArenas[r->Type & 1].LimitPages * PAGE_SIZE)
        return p;
    EmuPoolTrim(); /* what is free in lists may be all that it takes */
    return take(thread, r, word);
}

static void *take_unless_refused(EXP_THREAD *thread, const REQUEST *r, ULONG64 word)
{
    ULONG reasons = ExpSlowReasons();
    PVOID special;

    if (!word || (!must_succeed(r->Type) && reasons & EXP_SLOW_FAILURES && ExpFailsOnDemand()))
        return NULL;
    if (reasons & EXP_SLOW_VERIFIER &&
        ExpVerifyAllocation(r->Type, r->Bytes, (ULONG)word >> 13, r->Charged, must_succeed(r->Type), &special))
        return special;
    return take_or_trim(thread, r, word);
}

static PVOID allocate(const REQUEST *r)
{
    BOOLEAN paged = r->Type & 1, processor;
    EXP_THREAD *thread;
    ULONG64 word;
    PVOID p = NULL;

    ExpCheckAllocation(r->Type, r->Bytes);
    if (ExpSlowReasons() & EXP_SLOW_CLOSED)
        return NULL;
    thread = ExpCurrentThread();
    if (thread) {
        word = word_of(thread, r);
        processor = paged && KiEnterProcessor();
        p = take_unless_refused(thread, r, word);
        if (p && EmuTrace_)
            ExpTraceTook(p, r->Tag, paged, ExpUse((ULONG)word >> 13)->Site, r->Bytes);
        KiLeaveProcessor(processor);
        ExpBackToFast(thread);
        look_at_peaks(paged);
    }
    if (ExpSlowReasons() & EXP_SLOW_VERIFIER)
        ExpVerifierSawAllocation(p != NULL);
    if (p)
        return p;
    ExpCountFailure(paged);
    if (EmuTrace_)
        ExpTraceRefused(paged);
    if (must_succeed(r->Type))
        KeBugCheckEx(MUST_SUCCEED_POOL_EMPTY, r->Bytes, ExpArenas[NonPagedPool].Pages, 0, 0);
    if (refused_routine)
        refused_routine(paged);
    return NULL;
}

/*
 * A word turned negative. Either the sums are full; or the place never allocated before, and its block was counted for
 * use 0: it goes back, and the allocation begins anew.
 */
PVOID EmuPoolCount_(EMU_POOL_THREAD_ *Thread, PVOID P, SIZE_T NumberOfBytes, ULONG Tag, EMU_POOL_SITE *Site)
{
    EXP_THREAD *thread = CONTAINING_RECORD(Thread, EXP_THREAD, Fast);
    ULONG *header = ExpHeaderOf((ULONG_PTR)P - ExpBase), low = (ULONG)(ULONG_PTR)P;
    POOL_TYPE type = low >> 31 ? PagedPool : NonPagedPool;
    EMU_POOL_LIST_ *list = ExpListOf(thread, type == PagedPool, ExpClassFor(NumberOfBytes));

    if (Thread->Allocated[0] == EXP_NEVER_ALLOCATED) {
        ExpSpill(thread, header[0] >> 13);
        return P;
    }
    Thread->Allocated[0] = EXP_NEVER_ALLOCATED;
    header[1] = list->Head;
    list->Head = low;
    list->Room--;
    return EmuPoolAllocateAt_(type, NumberOfBytes, Tag, Site);
}

/* ---- NT's entry points ---- */

#define FRAME ((const ULONG_PTR *)__builtin_frame_address(0))

/*
 * Stacks are kept and nothing else is on: not much more than the fast path and the walk. NULL: there is more to do.
 */
__attribute__((always_inline)) static inline PVOID allocate_with_stack(POOL_TYPE type, SIZE_T bytes, ULONG tag,
                                                                       EMU_POOL_SITE *site, const ULONG_PTR *frame)
{
    EXP_THREAD *thread = ExpKnownThread();
    EXP_STACK_CACHE *c;
    ULONG64 key;

    if (ExpSlowReasons() != EXP_SLOW_STACKS || !thread || EmuTrace_ || KeGetCurrentIrql() > APC_LEVEL ||
        type > PagedPool || bytes - 1 >= EMU_POOL_LARGEST_ || !thread->Stacks)
        return NULL;
    key = key_of_stack(frame, thread->StackEnd, site, tag, type);
    c = cached_stack(thread, key);
    if (c->Key != key || !EMU_POOL_IS_WORD_(c->Word, tag, type))
        return NULL;
    return EmuPoolTake_(&thread->Fast, type, bytes, c->Word, (ULONG)c->Word >> 13, tag, site);
}

/* Not inlined, so that who calls it saves no registers for it. */
static __attribute__((noinline)) PVOID allocate_at(POOL_TYPE type, SIZE_T bytes, ULONG tag, EMU_POOL_SITE *site,
                                                   const void *caller, const ULONG_PTR *frame)
{
    REQUEST r = {type, bytes, tag, site, caller, frame, NULL};

    return allocate(&r);
}

__attribute__((noinline)) PVOID NTAPI EmuPoolAllocateAt_(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                                         EMU_POOL_SITE *Site)
{
    PVOID p = allocate_with_stack(PoolType, NumberOfBytes, Tag, Site, FRAME);

    return EMU_POOL_LIKELY_(p) ? p
                               : allocate_at(PoolType, NumberOfBytes, Tag, Site, __builtin_return_address(0), FRAME);
}

/* Not inlined, so that the fast path of the exported function saves no registers for it. */
static __attribute__((noinline)) PVOID allocate_for(POOL_TYPE type, SIZE_T bytes, ULONG tag, const void *caller)
{
    PVOID p = allocate_with_stack(type, bytes, tag, NULL, FRAME);

    return EMU_POOL_LIKELY_(p) ? p : allocate_at(type, bytes, tag, NULL, caller, FRAME);
}

PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    const void *caller = __builtin_return_address(0);
    EMU_POOL_THREAD_ *thread = EMU_POOL_GET_(EmuPoolThread_);
    const EMU_POOL_CALLER_ *c = caller_entry(thread, caller);

    if (EMU_POOL_LIKELY_(c->Address == caller && PoolType <= PagedPool && NumberOfBytes - 1 < EMU_POOL_LARGEST_ &&
                         EMU_POOL_IS_WORD_(c->Word, Tag, PoolType) &&
                         EmuPoolListFor_(thread, PoolType, NumberOfBytes)->Head))
        return EmuPoolTake_(thread, PoolType, NumberOfBytes, c->Word, (ULONG)c->Word >> 13, Tag, NULL);
    return allocate_for(PoolType, NumberOfBytes, Tag, caller);
}

PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return allocate_for(PoolType, NumberOfBytes, POOL_TAG_NONE, __builtin_return_address(0));
}

/* What an exception that nobody handles is in kernel mode. */
static DECLSPEC_NORETURN void raise_status(NTSTATUS status, const void *caller)
{
    KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)status, (ULONG_PTR)caller, 0, 0);
}

static PVOID allocate_with_quota(const REQUEST *request, BOOLEAN raise)
{
    REQUEST r = *request;
    PEPROCESS process = PsGetCurrentProcess();
    NTSTATUS status = STATUS_SUCCESS;
    PVOID p = NULL;

    if (process && process != PsInitialSystemProcess) {
        status = PsChargeProcessPoolQuota(process, r.Type, r.Bytes);
        r.Charged = NT_SUCCESS(status) ? process : NULL;
    }
    if (NT_SUCCESS(status)) {
        p = allocate(&r);
        status = STATUS_INSUFFICIENT_RESOURCES;
        if (!p && r.Charged)
            PsReturnPoolQuota(process, r.Type, r.Bytes);
    }
    if (!p && raise)
        raise_status(status, r.Caller);
    return p;
}

PVOID NTAPI ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    REQUEST r = {PoolType & ~POOL_QUOTA_FAIL_INSTEAD_OF_RAISE,
                 NumberOfBytes,
                 Tag,
                 NULL,
                 __builtin_return_address(0),
                 FRAME,
                 NULL};

    return allocate_with_quota(&r, !(PoolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE));
}

PVOID NTAPI ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    REQUEST r = {PoolType & ~POOL_QUOTA_FAIL_INSTEAD_OF_RAISE,
                 NumberOfBytes,
                 POOL_TAG_NONE,
                 NULL,
                 __builtin_return_address(0),
                 FRAME,
                 NULL};

    return allocate_with_quota(&r, !(PoolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE));
}

PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    const POOL_FLAGS pools = POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;
    const POOL_FLAGS known =
        pools | POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_RAISE_ON_FAILURE;
    REQUEST r = {NonPagedPool, NumberOfBytes, Tag, NULL, __builtin_return_address(0), FRAME, NULL};
    PVOID p;

    if (Flags & ~known || __builtin_popcountll(Flags & pools) != 1) {
        if (Flags & POOL_FLAG_RAISE_ON_FAILURE)
            raise_status(STATUS_INVALID_PARAMETER, r.Caller);
        return NULL;
    }
    if (Flags & POOL_FLAG_PAGED)
        r.Type = PagedPool;
    if (Flags & POOL_FLAG_CACHE_ALIGNED)
        r.Type |= NonPagedPoolCacheAligned;
    p = Flags & POOL_FLAG_USE_QUOTA ? allocate_with_quota(&r, (Flags & POOL_FLAG_RAISE_ON_FAILURE) != 0) : allocate(&r);
    if (!p && Flags & POOL_FLAG_RAISE_ON_FAILURE)
        raise_status(STATUS_INSUFFICIENT_RESOURCES, r.Caller);
    if (p && !(Flags & POOL_FLAG_UNINITIALIZED))
        memset(p, 0, NumberOfBytes);
    return p;
}
