/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * poolfast.h - the fast path of the pool, inlined into its callers by pool.h. Nothing here is for direct use; names end
 * in an underscore. docs/pool.md has the pictures and the figures.
 *
 * A thread allocates from and frees to lists of its own, one for each size of block in each pool, and counts in a table
 * of its own, indexed by the use (tag, pool, call site). Neither is written by another thread, so nothing is locked,
 * atomic or shared.
 *
 * Every option that costs something (the verifier, fault injection, stacks, a raised IRQL, a memory checker) is
 * switched on by pointing EmuPoolThread_, and EmuPoolFreer_ if it is about frees as well, at EmuPoolSlow_: its lists
 * are empty, and no address is in its arenas, so that both paths below end in a call of the pool proper. An option that
 * is off costs nothing.
 *
 *   header of a live block   | use: 19 bits | paged: 1 | bytes asked for + 23: 12 |  address + 8 * the former + 5  |
 *   header of a free one     | as it was when it was live                         |  next free block               |
 *
 * Both words are 32 bits, and so much is kept of addresses. The sum in the second is what tells a block from what only
 * looks like one, or was written over; as blocks are 16 bytes aligned, a link never looks live. Up to EMU_POOL_INSIDE_
 * bytes the header is the 8 bytes before the block. Above, where the header of a block that has long been cold would
 * cost a cache miss, it lies outside, in a shadow of the arena: 8 bytes for each 256. Its size is then kept + 15.
 * Either way the upper 8 bits of the size are the granules of 16 that the block takes.
 */
#ifndef NTEMU_POOLFAST_H
#define NTEMU_POOLFAST_H

#define EMU_POOL_INSIDE_       1016u /* bytes: the largest block with its header in front of it */
#define EMU_POOL_INSIDE_BIAS_  23u   /* 8 for the header, 15 to round up */
#define EMU_POOL_OUTSIDE_BIAS_ 15u
#define EMU_POOL_LARGEST_      4072u /* bytes: the largest block that a list holds */
#define EMU_POOL_LISTS_        256u  /* of one pool: by granules with the header inside; from 80 on outside, by Class */
#define EMU_POOL_OUTSIDE_LIST_ 80u
#define EMU_POOL_LIVE_         5u /* the mark of a live block that may be freed without a look */
#define EMU_POOL_CALLERS_      256u
#define EMU_POOL_USES_         (1u << 19)

typedef struct _EMU_POOL_LIST_ {
    ULONG Head;   /* low 32 bits of the first free block's address; 0: none */
    ULONG Room;   /* frees until the list is too long */
    ULONG64 Unit; /* what a free takes off Live, but for the size in the header */
} EMU_POOL_LIST_;

typedef struct _EMU_POOL_CALLER_ {
    const void *Address; /* where the exported function is called from */
    ULONG64 Word;        /* as EMU_POOL_SITE.Word_ */
} EMU_POOL_CALLER_;

/*
 * Allocated, by use, is what this thread allocated: three sums in one word, so that one addition does:
 *
 *   | granules taken by blocks: 20 bits | blocks: 20 bits | bytes asked for: 24 bits |
 *
 * Mark is what Allocated must pass for a new peak: the most that was live, and what has been freed. So an addition
 * counts a free as well, and a peak is found by one comparison: before a free, as only then it can have stopped to
 * grow. What was freed is Mark less Peak. No sum outgrows its bits before the first makes Allocated or Mark negative,
 * which the same comparison finds; that is the time to bring all to the use's own. The tables lie apart by more than a
 * multiple of a page, so that the words of one use do not compete for one cache set.
 */
typedef struct _EMU_POOL_THREAD_ {
    ULONG_PTR Base;   /* of the arena; 4 GiB above, of blocks with the header outside. EmuPoolSlow_: see there */
    ULONG_PTR Shadow; /* headers outside */
    UCHAR Class[256]; /* by granules: the list of blocks with the header outside */
    EMU_POOL_LIST_ Lists[2 * EMU_POOL_LISTS_];
    EMU_POOL_CALLER_ Callers[EMU_POOL_CALLERS_];
    /* EmuPoolSlow_ ends here. */
    ULONG64 Allocated[EMU_POOL_USES_ + 24];
    ULONG64 Mark[EMU_POOL_USES_ + 40];
    ULONG64 Peak[EMU_POOL_USES_ + 72];          /* others read it first, so it is written last */
    ULONG64 PeakAllocated[EMU_POOL_USES_ + 24]; /* Allocated when so much was live */
    ULONG Tag[EMU_POOL_USES_];                  /* 0 until this thread has been through the pool proper for the use */
} EMU_POOL_THREAD_;

/* Where the calling thread allocates, and where it frees to: its own, or EmuPoolSlow_. */
extern __thread EMU_POOL_THREAD_ *EmuPoolThread_ __attribute__((tls_model("initial-exec")));
extern __thread EMU_POOL_THREAD_ *EmuPoolFreer_ __attribute__((tls_model("initial-exec")));
extern const ULONG_PTR EmuPoolSlow_[];

/* The pool proper, by the ways into it. */
PVOID NTAPI EmuPoolAllocateAt_(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EMU_POOL_SITE *Site);
void NTAPI EmuPoolFreeAt_(PVOID P, ULONG Tag);
PVOID EmuPoolCount_(EMU_POOL_THREAD_ *Thread, PVOID P, SIZE_T NumberOfBytes, ULONG Tag, EMU_POOL_SITE *Site);
/* Before a block of Unit that is on its list again is counted: there is a new peak, or Mark is negative. */
void EmuPoolPassedMark_(EMU_POOL_THREAD_ *Thread, EMU_POOL_LIST_ *List, ULONG Use, ULONG64 Unit);
/* List's Room is used up. */
void EmuPoolOverflow_(EMU_POOL_THREAD_ *Thread, EMU_POOL_LIST_ *List);

/* gcc says so by macros, clang by features. */
#if defined(__SANITIZE_ADDRESS__)
#define EMU_POOL_ADDRESS_SANITIZED_
#elif defined(__SANITIZE_THREAD__)
#define EMU_POOL_THREAD_SANITIZED_
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_POOL_ADDRESS_SANITIZED_
#elif __has_feature(thread_sanitizer)
#define EMU_POOL_THREAD_SANITIZED_
#endif
#endif

/* What others read while its owner writes it: plain moves, and only ThreadSanitizer needs to be told. */
#ifdef EMU_POOL_THREAD_SANITIZED_
#define EMU_POOL_GET_(x)    __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define EMU_POOL_PUT_(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#else
#define EMU_POOL_GET_(x)    (x)
#define EMU_POOL_PUT_(x, v) ((x) = (v))
#endif

#define EMU_POOL_INLINE_    static inline __attribute__((always_inline))
#define EMU_POOL_LIKELY_(x) __builtin_expect(!!(x), 1)

/* Keeps a compiler from moving x and its neighbour as one pair: a load of one half would wait for both. */
#define EMU_POOL_APART_(x) __asm__("" : "+m"(x))

/* What a block of so many granules adds to Allocated. */
#define EMU_POOL_UNIT_(Granules, Bytes) ((ULONG64)(Granules) << 44 | 1u << 24 | (ULONG64)(Bytes))

/* The second word of a live block's header. */
#define EMU_POOL_SEAL_(Low, Word) ((Low) + (Word)*8 + EMU_POOL_LIVE_)

/* A place's word, if it is the one for this tag and pool; it has only one if both are constants, or none yet. */
#define EMU_POOL_IS_WORD_(Word, Tag, PoolType)                                                                         \
    (((Word) & ~(ULONG64)0xffffefff) == ((ULONG64)(Tag) << 32 | (ULONG64)(PoolType) << 12))

EMU_POOL_INLINE_ ULONG EmuPoolSize_(SIZE_T Bytes)
{
    return (ULONG)Bytes + (Bytes <= EMU_POOL_INSIDE_ ? EMU_POOL_INSIDE_BIAS_ : EMU_POOL_OUTSIDE_BIAS_);
}

/* The list for so many bytes, at most EMU_POOL_LARGEST_. */
EMU_POOL_INLINE_ EMU_POOL_LIST_ *EmuPoolListFor_(EMU_POOL_THREAD_ *Thread, POOL_TYPE PoolType, SIZE_T Bytes)
{
    ULONG Granules = EmuPoolSize_(Bytes) >> 4;

    return &Thread->Lists[(ULONG)PoolType * EMU_POOL_LISTS_ +
                          (Bytes <= EMU_POOL_INSIDE_ ? Granules : (ULONG)Thread->Class[Granules])];
}

/*
 * A block off the thread's list, counted for Word's use; NULL if the list is empty. A place that never allocated, or is
 * just about to have done so for the first time, counts for use 0, whose word is negative from the start.
 */
EMU_POOL_INLINE_ PVOID EmuPoolTake_(EMU_POOL_THREAD_ *Thread, POOL_TYPE PoolType, SIZE_T Bytes, ULONG64 Word,
                                    ULONG64 Use, ULONG Tag, EMU_POOL_SITE *Site)
{
    const BOOLEAN Inside = Bytes <= EMU_POOL_INSIDE_;
    const ULONG Size = EmuPoolSize_(Bytes);
    EMU_POOL_LIST_ *List = EmuPoolListFor_(Thread, PoolType, Bytes);
    ULONG Low = List->Head, *Header;
    ULONG_PTR P;
    ULONG64 Unit, Sum;

    if (!EMU_POOL_LIKELY_(Low))
        return NULL;
    P = Thread->Base + Low + (Inside ? 0 : (ULONG_PTR)1 << 32);
    Header = (ULONG *)(Inside ? P - 8 : Thread->Shadow + (ULONG_PTR)(Low >> 8) * 8);
    List->Head = Header[1];
    EMU_POOL_APART_(List->Head);
    List->Room++;
    Header[0] = (ULONG)Word + Size;
    Header[1] = EMU_POOL_SEAL_((ULONG)P, (ULONG)Word + Size);
    Unit = Inside ? EMU_POOL_UNIT_(Size >> 4, Bytes) : List->Unit + Size;
    Sum = EMU_POOL_GET_(Thread->Allocated[Use]) + Unit;
    EMU_POOL_PUT_(Thread->Allocated[Use], Sum);
    if (!EMU_POOL_LIKELY_((LONG64)Sum >= 0))
        return EmuPoolCount_(Thread, (PVOID)P, Bytes, Tag, Site);
    if (!P)
        __builtin_unreachable();
    return (PVOID)P;
}

EMU_POOL_INLINE_ BOOLEAN EmuPoolPut_(EMU_POOL_THREAD_ *Thread, ULONG Low, ULONG *Header, ULONG Tag,
                                     const BOOLEAN Inside)
{
    ULONG64 Word = Header[0], Use = Word >> 13, Mark, Unit;
    EMU_POOL_LIST_ *List;
    ULONG Own;

    if (!EMU_POOL_LIKELY_(Header[1] == EMU_POOL_SEAL_(Low, (ULONG)Word)))
        return FALSE;
    Own = Thread->Tag[Use];
    if (!EMU_POOL_LIKELY_(Tag && Own == Tag) && (Tag || !Own))
        return FALSE;
    if (Inside)
        List = (EMU_POOL_LIST_ *)((char *)Thread->Lists + (Word & 0x1ff0));
    else
        List = &Thread->Lists[(Word >> 12 & 1) * EMU_POOL_LISTS_ + Thread->Class[(Word & 0xfff) >> 4]];
    Header[1] = List->Head;
    List->Head = Low;
    EMU_POOL_APART_(List->Head);
    Unit = List->Unit + (Word & 0xfff);
    Mark = EMU_POOL_GET_(Thread->Mark[Use]);
    if (!EMU_POOL_LIKELY_((LONG64)EMU_POOL_GET_(Thread->Allocated[Use]) <= (LONG64)Mark)) {
        EmuPoolPassedMark_(Thread, List, (ULONG)Use, Unit);
        return TRUE;
    }
    EMU_POOL_PUT_(Thread->Mark[Use], Mark + Unit);
    if (!EMU_POOL_LIKELY_(--List->Room))
        EmuPoolOverflow_(Thread, List);
    return TRUE;
}

/* Gives a block to the thread's list if there is nothing to say against it; FALSE: the pool proper has to look. */
EMU_POOL_INLINE_ BOOLEAN EmuPoolGive_(EMU_POOL_THREAD_ *Thread, PVOID P, ULONG Tag)
{
    ULONG_PTR Half = ((ULONG_PTR)P - Thread->Base) >> 32;
    ULONG Low = (ULONG)(ULONG_PTR)P;

    if (Half == 0)
        return EmuPoolPut_(Thread, Low, (ULONG *)((ULONG_PTR)P - 8), Tag, TRUE);
    if (Half == 1)
        return EmuPoolPut_(Thread, Low, (ULONG *)(Thread->Shadow + (ULONG_PTR)(Low >> 8) * 8), Tag, FALSE);
    return FALSE;
}

/* Whether a place has one tag and pool, as it is written there: in a static initializer, as an optimizer that unrolls a
 * loop makes constants of what was none, and the copies still share the place's site. */
#define EMU_POOL_SETTLED_(PoolType, Tag)                                                                               \
    __extension__({                                                                                                    \
        static const BOOLEAN Settled_ __attribute__((__unused__)) =                                                    \
            __builtin_constant_p(Tag) && __builtin_constant_p(PoolType);                                               \
        Settled_;                                                                                                      \
    })

EMU_POOL_INLINE_ PVOID EmuPoolAllocate_(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, EMU_POOL_SITE *Site,
                                        BOOLEAN Settled)
{
    ULONG64 Use = __atomic_load_n(&Site->Use_, __ATOMIC_ACQUIRE);
    ULONG64 Word = __atomic_load_n(&Site->Word_, __ATOMIC_RELAXED);
    PVOID P;

    /* Where they are constants there is one use, or none yet; elsewhere the last one may have been another. */
    if (PoolType <= PagedPool && NumberOfBytes - 1 < EMU_POOL_LARGEST_ &&
        (Settled || EMU_POOL_LIKELY_(EMU_POOL_IS_WORD_(Word, Tag, PoolType)))) {
        P = EmuPoolTake_(EmuPoolThread_, PoolType, NumberOfBytes, Word, Settled ? Use : (ULONG)Word >> 13, Tag, Site);
        if (EMU_POOL_LIKELY_(P))
            return P;
    }
    return EmuPoolAllocateAt_(PoolType, NumberOfBytes, Tag, Site);
}

/* What has its header outside is worth a call. */
EMU_POOL_INLINE_ void EmuPoolFree_(PVOID P, ULONG Tag)
{
    EMU_POOL_THREAD_ *Thread = EmuPoolFreer_;

    if (!EMU_POOL_LIKELY_(!(((ULONG_PTR)P - Thread->Base) >> 32) &&
                          EmuPoolPut_(Thread, (ULONG)(ULONG_PTR)P, (ULONG *)((ULONG_PTR)P - 8), Tag, TRUE)))
        EmuPoolFreeAt_(P, Tag);
}

#endif
