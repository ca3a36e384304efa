/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Special pool. A slot's state decides who may touch its page and its entry:
 *
 *   SLOT_NEW -> SLOT_OPENING -> SLOT_LIVE -> SLOT_CLOSING -> SLOT_FREED -> SLOT_OPENING ...
 *
 * The step to CLOSING is a compare and exchange: of two frees at once, one frees and the other is told. The lock guards
 * the queue of free slots and nothing else; in particular no page is touched with it held, since a thread that touches
 * paged pool may be parked (ke/irql.h).
 */
#include "special.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ke/irql.h"
#include "ke/stack.h"

#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

#define SLOTS         (1u << 20) /* in each of the two pools: 8 GB of addresses */
#define GUARDED_SLOTS 256u       /* guards are laid for so many slots at once: 2 MB, what one page table maps */
#define RECYCLE_AFTER 16384u     /* a freed block is kept out of reach until so many more have been freed */
#define NO_SLOT       0xffffffffu
#define STACK_FRAMES  8

enum { SLOT_NEW, SLOT_OPENING, SLOT_LIVE, SLOT_CLOSING, SLOT_FREED };

typedef struct _SLOT {
    ULONG State; /* atomic */
    ULONG Use;   /* tag, call site, and for whom it is counted */
    USHORT Bytes;
    UCHAR Flags;
    UCHAR Pattern;
    ULONG NextFree;
    PEPROCESS Charged;
    PVOID Allocated[STACK_FRAMES], FreedBy[STACK_FRAMES]; /* NULL ends */
} SLOT;

typedef struct _SPECIAL {
    PUCHAR Base; /* the first guard page */
    SLOT *Slots;
    pthread_mutex_t Lock;
    ULONG Fresh;                      /* Lock: slots from here on have never been used */
    ULONG FirstFree, LastFree, Freed; /* Lock: the queue */
} SPECIAL;

static SPECIAL specials[2] = {{.Lock = PTHREAD_MUTEX_INITIALIZER}, {.Lock = PTHREAD_MUTEX_INITIALIZER}};
static BOOLEAN has_guards;
static ULONG service_pack; /* of the build that runs */

#define RANGE ((SIZE_T)(2 * SLOTS + 1) * PAGE_SIZE)

/* ---- pages ---- */

static PUCHAR page_of(const SPECIAL *special, ULONG slot)
{
    return special->Base + (SIZE_T)(2 * slot + 1) * PAGE_SIZE;
}

static BOOLEAN kernel_has_guards(PUCHAR page)
{
    return madvise(page, PAGE_SIZE, MADV_GUARD_INSTALL) == 0 && madvise(page, PAGE_SIZE, MADV_GUARD_REMOVE) == 0;
}

static BOOLEAN open_page(PUCHAR page)
{
    if (has_guards)
        return madvise(page, PAGE_SIZE, MADV_GUARD_REMOVE) == 0;
    return mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE) == 0;
}

/* The memory goes back to the system. */
static void close_page(PUCHAR page)
{
    if (has_guards) {
        madvise(page, PAGE_SIZE, MADV_GUARD_INSTALL);
        return;
    }
    mprotect(page, PAGE_SIZE, PROT_NONE);
    madvise(page, PAGE_SIZE, MADV_DONTNEED);
}

static BOOLEAN lay_guards(SPECIAL *special, ULONG first_slot)
{
    if (!has_guards)
        return TRUE;
    return madvise(special->Base + (SIZE_T)2 * first_slot * PAGE_SIZE, (SIZE_T)(2 * GUARDED_SLOTS + 1) * PAGE_SIZE,
                   MADV_GUARD_INSTALL) == 0;
}

/* ---- life ---- */

static BOOLEAN reserve(SPECIAL *special)
{
    PUCHAR base = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SLOT *slots =
        mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED || slots == MAP_FAILED) {
        if (base != MAP_FAILED)
            munmap(base, RANGE);
        if (slots != MAP_FAILED)
            munmap(slots, SLOTS * sizeof *slots);
        return FALSE;
    }
    madvise(base, RANGE, MADV_DONTDUMP);
    special->Fresh = 0;
    special->Freed = 0;
    special->FirstFree = special->LastFree = NO_SLOT;
    special->Slots = slots;
    __atomic_store_n(&special->Base, base, __ATOMIC_RELEASE);
    return TRUE;
}

static void release(SPECIAL *special)
{
    if (!special->Base)
        return;
    munmap(special->Base, RANGE);
    munmap(special->Slots, SLOTS * sizeof *special->Slots);
    special->Slots = NULL;
    __atomic_store_n(&special->Base, NULL, __ATOMIC_RELEASE);
}

BOOLEAN ExpInitializeSpecial(BOOLEAN WithoutGuards)
{
    if (specials[0].Base && specials[1].Base)
        return TRUE;
    if (!reserve(&specials[NonPagedPool]) || !reserve(&specials[PagedPool])) {
        ExpShutdownSpecial();
        return FALSE;
    }
    has_guards = !WithoutGuards && kernel_has_guards(specials[0].Base);
    for (int i = 0; i < 2 && !has_guards; i++)
        mprotect(specials[i].Base, RANGE, PROT_NONE);
    return TRUE;
}

void ExpShutdownSpecial(void)
{
    release(&specials[NonPagedPool]);
    release(&specials[PagedPool]);
    has_guards = FALSE;
}

void ExpSetServicePack(ULONG ServicePack)
{
    service_pack = ServicePack;
}

BOOLEAN ExpSpecialHasGuards(void)
{
    return has_guards;
}

/* ---- slots ---- */

static ULONG take_slot(SPECIAL *special)
{
    ULONG slot = NO_SLOT;

    pthread_mutex_lock(&special->Lock);
    if (special->Freed && (special->Freed > RECYCLE_AFTER || special->Fresh == SLOTS)) {
        slot = special->FirstFree;
        special->FirstFree = special->Slots[slot].NextFree;
        special->Freed--;
    } else if (special->Fresh < SLOTS && (special->Fresh % GUARDED_SLOTS || lay_guards(special, special->Fresh))) {
        slot = special->Fresh++;
    }
    pthread_mutex_unlock(&special->Lock);
    return slot;
}

static void queue_slot(SPECIAL *special, ULONG slot)
{
    pthread_mutex_lock(&special->Lock);
    special->Slots[slot].NextFree = NO_SLOT;
    if (special->Freed++)
        special->Slots[special->LastFree].NextFree = slot;
    else
        special->FirstFree = slot;
    special->LastFree = slot;
    pthread_mutex_unlock(&special->Lock);
}

static SPECIAL *special_of(const void *address)
{
    for (int i = 0; i < 2; i++) {
        PUCHAR base = __atomic_load_n(&specials[i].Base, __ATOMIC_ACQUIRE);
        if (base && (PUCHAR)address >= base && (PUCHAR)address < base + RANGE)
            return &specials[i];
    }
    return NULL;
}

BOOLEAN ExpIsSpecial(const void *Address)
{
    return special_of(Address) != NULL;
}

static ULONG state_of(const SLOT *slot)
{
    return __atomic_load_n(&slot->State, __ATOMIC_ACQUIRE);
}

static ULONG tag_of(const SLOT *slot)
{
    return ExpUse(slot->Use)->Tag;
}

static SIZE_T rounded(const SLOT *slot)
{
    return ((SIZE_T)slot->Bytes + 7) & ~(SIZE_T)7;
}

static PUCHAR block_of(const SPECIAL *special, ULONG slot)
{
    const SLOT *s = &special->Slots[slot];
    SIZE_T bytes = s->Flags & EXP_SPECIAL_EXACT ? s->Bytes : rounded(s);

    return page_of(special, slot) + (s->Flags & EXP_SPECIAL_UNDERRUN ? 0 : PAGE_SIZE - bytes);
}

/*
 * The slot that an access belongs to. A guard page has two neighbours: the one behind whose end, or before whose start,
 * a block lies next to it; a live one before one that is not.
 */
static ULONG slot_of(const SPECIAL *special, const void *address)
{
    ULONG page = (ULONG)((SIZE_T)((PUCHAR)address - special->Base) / PAGE_SIZE), before, after;
    const SLOT *left, *right;

    if (page % 2)
        return page / 2;
    before = page ? page / 2 - 1 : 0;
    after = page / 2 < SLOTS ? page / 2 : SLOTS - 1;
    left = &special->Slots[before];
    right = &special->Slots[after];
    if (state_of(right) != SLOT_NEW && right->Flags & EXP_SPECIAL_UNDERRUN &&
        (state_of(left) != SLOT_LIVE || left->Flags & EXP_SPECIAL_UNDERRUN))
        return after;
    return before;
}

/* ---- allocating ---- */

static BOOLEAN charge_page(BOOLEAN paged)
{
    BOOLEAN room;

    pthread_mutex_lock(&ExpArenas[paged].Lock);
    room = ExpChargePages(&ExpArenas[paged], 1);
    pthread_mutex_unlock(&ExpArenas[paged].Lock);
    return room;
}

static void return_page(BOOLEAN paged)
{
    pthread_mutex_lock(&ExpArenas[paged].Lock);
    ExpReturnPages(&ExpArenas[paged], 1);
    pthread_mutex_unlock(&ExpArenas[paged].Lock);
}

static void fill_slot(SLOT *slot, SIZE_T bytes, ULONG use, PEPROCESS charged, ULONG flags)
{
    slot->Bytes = (USHORT)bytes;
    slot->Use = use;
    slot->Charged = charged;
    slot->Flags = (UCHAR)flags;
    slot->Pattern = (UCHAR)(slot->Pattern % 127 * 2 + 3); /* another one each time; never zero */
    KiCaptureStack(1, slot->Allocated, STACK_FRAMES);
    slot->FreedBy[0] = NULL;
}

PVOID ExpAllocateSpecial(BOOLEAN Paged, SIZE_T NumberOfBytes, ULONG Use, PEPROCESS Charged, ULONG Flags)
{
    SPECIAL *special = &specials[Paged];
    PUCHAR page;
    ULONG slot;

    if (!special->Base || !NumberOfBytes || NumberOfBytes > EXP_SPECIAL_LARGEST || !charge_page(Paged))
        return NULL;
    slot = take_slot(special);
    if (slot == NO_SLOT)
        goto uncharge;
    page = page_of(special, slot);
    __atomic_store_n(&special->Slots[slot].State, SLOT_OPENING, __ATOMIC_RELEASE);
    if (!open_page(page))
        goto unqueue;
    fill_slot(&special->Slots[slot], NumberOfBytes, Use, Charged, Flags);
    memset(page, special->Slots[slot].Pattern, PAGE_SIZE);
    ExpCount(ExpCurrentThread(), Use, NumberOfBytes, PAGE_SIZE, FALSE);
    __atomic_store_n(&special->Slots[slot].State, SLOT_LIVE, __ATOMIC_RELEASE);
    return block_of(special, slot);
unqueue:
    __atomic_store_n(&special->Slots[slot].State, SLOT_FREED, __ATOMIC_RELEASE);
    queue_slot(special, slot);
uncharge:
    return_page(Paged);
    return NULL;
}

/* ---- freeing ---- */

/* The first byte from start on that is not the pattern; NULL: all are. */
static PUCHAR first_other(PUCHAR start, PUCHAR end, UCHAR pattern)
{
    if (start == end || (*start == pattern && !memcmp(start, start + 1, (SIZE_T)(end - start) - 1)))
        return NULL;
    while (*start == pattern)
        start++;
    return start;
}

static EXP_STOP corrupted(const SLOT *slot, PUCHAR block, PUCHAR where, BOOLEAN behind)
{
    UCHAR difference = *where ^ slot->Pattern;
    BOOLEAN single_bit = !(difference & (difference - 1));

    if (slot->Flags & EXP_SPECIAL_NT4) /* the code is documented (Q188831), its parameters are our guess */
        return (EXP_STOP){MEMORY_MANAGEMENT, (ULONG_PTR)block, (ULONG_PTR)where, slot->Bytes, tag_of(slot)};
    return (EXP_STOP){SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)block, (ULONG_PTR)where, 0,
                      behind       ? 0x24
                      : single_bit ? 0x32
                                   : 0x23};
}

/* The rest of the page: what lies behind the block, then what lies before it. */
static EXP_STOP check_page(const SLOT *slot, PUCHAR page, PUCHAR block)
{
    PUCHAR other = first_other(block + slot->Bytes, page + PAGE_SIZE, slot->Pattern);

    if (other)
        return corrupted(slot, block, other, TRUE);
    other = first_other(page, block, slot->Pattern);
    return other ? corrupted(slot, block, other, FALSE) : (EXP_STOP){0};
}

static EXP_STOP not_allocated(const SLOT *slot, PVOID p)
{
    if (slot->Flags & EXP_SPECIAL_NT4)
        return (EXP_STOP){BAD_POOL_CALLER, 0x7, 0, tag_of(slot), (ULONG_PTR)p};
    return (EXP_STOP){SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p, 0, 0, 0x20};
}

/* "Bytes calculated" is what the address would mean: from there to the end of the page. */
static EXP_STOP bad_address(const SLOT *slot, PVOID p)
{
    if (slot->Flags & EXP_SPECIAL_NT4)
        return (EXP_STOP){BAD_POOL_CALLER, 0x41286, (ULONG_PTR)p, 0, 0};
    return (EXP_STOP){SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, (ULONG_PTR)p, slot->Bytes,
                      PAGE_SIZE - (ULONG_PTR)p % PAGE_SIZE, slot->Flags & EXP_SPECIAL_UNDERRUN ? 0x22 : 0x21};
}

static EXP_STOP check_irql(const SLOT *slot, BOOLEAN paged, PVOID p)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql <= (paged ? APC_LEVEL : DISPATCH_LEVEL))
        return (EXP_STOP){0};
    if (slot->Flags & EXP_SPECIAL_NT4)
        return (EXP_STOP){BAD_POOL_CALLER, 0x9, irql, paged, (ULONG_PTR)p};
    return (EXP_STOP){SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, irql, paged, (ULONG_PTR)p, 0x31};
}

/* Everything but whether somebody else frees it at this moment. */
static EXP_STOP check_free(const SPECIAL *special, ULONG index, PVOID p, ULONG tag)
{
    const SLOT *slot = &special->Slots[index];
    PUCHAR block = block_of(special, index);
    EXP_STOP stop;

    if (state_of(slot) != SLOT_LIVE)
        return not_allocated(slot, p);
    if (p != block)
        return bad_address(slot, p);
    stop = check_irql(slot, special == &specials[PagedPool], p);
    if (stop.Code)
        return stop;
    if (tag && tag != tag_of(slot))
        return (EXP_STOP){BAD_POOL_CALLER, 0xA, (ULONG_PTR)p, tag_of(slot), tag};
    return check_page(slot, page_of(special, index), block);
}

EXP_STOP ExpFreeSpecial(PVOID P, ULONG Tag)
{
    SPECIAL *special = special_of(P);
    BOOLEAN paged = special == &specials[PagedPool];
    ULONG index = slot_of(special, P), live = SLOT_LIVE;
    SLOT *slot = &special->Slots[index];
    EXP_STOP stop = check_free(special, index, P, Tag);

    if (stop.Code)
        return stop;
    if (!__atomic_compare_exchange_n(&slot->State, &live, SLOT_CLOSING, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return not_allocated(slot, P);
    KiCaptureStack(1, slot->FreedBy, STACK_FRAMES);
    close_page(page_of(special, index));
    ExpCount(ExpCurrentThread(), slot->Use, slot->Bytes, PAGE_SIZE, TRUE);
    return_page(paged);
    if (slot->Charged)
        PsReturnPoolQuota(slot->Charged, paged ? PagedPool : NonPagedPool, slot->Bytes);
    __atomic_store_n(&slot->State, SLOT_FREED, __ATOMIC_RELEASE);
    queue_slot(special, index);
    return (EXP_STOP){0};
}

/* ---- looking in ---- */

static void copy_stack(EMU_CALL_STACK *to, const PVOID from[STACK_FRAMES])
{
    for (to->Depth = 0; to->Depth < STACK_FRAMES && from[to->Depth]; to->Depth++)
        to->Frames[to->Depth] = from[to->Depth];
}

BOOLEAN ExpFindSpecial(const void *Address, EXP_SPECIAL_BLOCK *Block)
{
    const SPECIAL *special = special_of(Address);
    const SLOT *slot;
    ULONG index;

    if (!special)
        return FALSE;
    index = slot_of(special, Address);
    slot = &special->Slots[index];
    if (state_of(slot) == SLOT_NEW)
        return FALSE;
    memset(Block, 0, sizeof *Block);
    Block->Address = block_of(special, index);
    Block->NumberOfBytes = slot->Bytes;
    Block->Tag = tag_of(slot);
    Block->Paged = special == &specials[PagedPool];
    Block->Freed = state_of(slot) != SLOT_LIVE;
    Block->Site = ExpUse(slot->Use)->Site;
    copy_stack(&Block->Allocated, slot->Allocated);
    copy_stack(&Block->FreedBy, slot->FreedBy);
    return TRUE;
}

static BOOLEAN describe_live(const SPECIAL *special, ULONG index, EMU_POOL_BLOCK *block)
{
    const SLOT *slot = &special->Slots[index];
    const EXP_USE *use = ExpUse(slot->Use);

    if (state_of(slot) != SLOT_LIVE)
        return FALSE;
    *block = (EMU_POOL_BLOCK){.Address = block_of(special, index),
                              .NumberOfBytes = slot->Bytes,
                              .BlockBytes = PAGE_SIZE,
                              .Tag = use->Tag,
                              .Paged = use->Paged,
                              .Site = use->Site,
                              .Stack = use->Stack,
                              .Age = EMU_POOL_AGE_UNKNOWN};
    return TRUE;
}

BOOLEAN ExpFindLiveSpecial(const void *Address, EMU_POOL_BLOCK *Block)
{
    const SPECIAL *special = special_of(Address);

    return special && describe_live(special, slot_of(special, Address), Block) &&
           (ULONG_PTR)Address - (ULONG_PTR)Block->Address < Block->NumberOfBytes;
}

BOOLEAN ExpVisitSpecial(EMU_POOL_VISITOR *Visitor, PVOID Context)
{
    EMU_POOL_BLOCK block;

    for (int i = 0; i < 2; i++)
        for (ULONG n = 0; specials[i].Base && n < specials[i].Fresh; n++)
            if (describe_live(&specials[i], n, &block) && !Visitor(Context, &block))
                return FALSE;
    return TRUE;
}

/* ---- faults ---- */

KI_FAULT_VERDICT ExpJudgeSpecialFault(KI_FAULT *Fault)
{
    const SPECIAL *special = special_of(Fault->Address);
    ULONG index = slot_of(special, Fault->Address), state;
    const SLOT *slot = &special->Slots[index];
    ULONG_PTR page = (ULONG_PTR)page_of(special, index), address = (ULONG_PTR)Fault->Address;

    state = state_of(slot);
    if (address >= page && address < page + PAGE_SIZE && (state == SLOT_LIVE || state == SLOT_OPENING))
        return KiFaultRetry;
    if (slot->Flags & EXP_SPECIAL_NT4 && KeGetCurrentIrql() >= DISPATCH_LEVEL) {
        /* Documented: every page fault is that at raised IRQL (Q188831). */
        Fault->Code = IRQL_NOT_LESS_OR_EQUAL;
        Fault->Parameters[1] = KeGetCurrentIrql();
        Fault->Parameters[2] = Fault->Write;
        Fault->Parameters[3] = (ULONG_PTR)Fault->InstructionPointer;
    } else if (slot->Flags & EXP_SPECIAL_NT4) {
        /* The last two are documented as 1 and 0 before Service Pack 4 (Q163620), 0 and 0 in it (Q241392), 0 and an
         * address in the kernel's code in Service Pack 5 (Q244922). That it goes by service packs is our guess. */
        Fault->Code = PAGE_FAULT_IN_NONPAGED_AREA;
        Fault->Parameters[1] = Fault->Write;
        Fault->Parameters[2] = service_pack < 4;
        Fault->Parameters[3] = service_pack < 5 ? 0 : (ULONG_PTR)Fault->InstructionPointer;
    } else {
        Fault->Code = state == SLOT_LIVE ? PAGE_FAULT_BEYOND_END_OF_ALLOCATION : PAGE_FAULT_IN_FREED_SPECIAL_POOL;
        Fault->Parameters[1] = Fault->Write;
        Fault->Parameters[2] = (ULONG_PTR)Fault->InstructionPointer;
        Fault->Parameters[3] = 0;
    }
    Fault->Parameters[0] = address;
    return KiFaultStop;
}

/* Without guards the pages' own protection has to be put back one by one. */
void ExpProtectSpecial(BOOLEAN OutOfReach)
{
    SPECIAL *special = &specials[PagedPool];

    if (!special->Base)
        return;
    if (OutOfReach || has_guards) {
        mprotect(special->Base, RANGE, OutOfReach ? PROT_NONE : PROT_READ | PROT_WRITE);
        return;
    }
    for (ULONG n = 0; n < special->Fresh; n++)
        if (state_of(&special->Slots[n]) == SLOT_LIVE || state_of(&special->Slots[n]) == SLOT_OPENING)
            mprotect(page_of(special, n), PAGE_SIZE, PROT_READ | PROT_WRITE);
}
