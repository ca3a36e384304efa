/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who allocates. Call sites and uses get their numbers on first sight and keep them as long as the process lives: a
 * call site remembers its number, and is not asked again after a machine has gone.
 */
#include "exp.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define USE_BUCKETS  65536u
#define SITE_BUCKETS 1024u
#define TAG_OVERFLOW POOL_TAG('O', 'v', 'f', 'l')

typedef struct _SITE_RECORD {
    EMU_POOL_SITE Site; /* with copies of the strings */
    const void *Identity;
    struct _SITE_RECORD *Next;
} SITE_RECORD;

static pthread_mutex_t uses_lock = PTHREAD_MUTEX_INITIALIZER;
static EXP_USE *uses; /* EXP_USES of them, reserved; [0] is none */
static ULONG use_count = 1;
static ULONG use_buckets[USE_BUCKETS];
static SITE_RECORD *site_buckets[SITE_BUCKETS];

void ExpLockUses(void)
{
    pthread_mutex_lock(&uses_lock);
}

void ExpUnlockUses(void)
{
    pthread_mutex_unlock(&uses_lock);
}

static ULONG64 mix(ULONG64 h)
{
    h *= 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

/* ---- call sites ---- */

static void describe_address(const void *address, EMU_POOL_SITE *site)
{
    Dl_info info = {0};

    if (!dladdr(address, &info))
        info.dli_fbase = NULL;
    site->File = info.dli_fname ? info.dli_fname : "?";
    site->Function = info.dli_sname ? info.dli_sname : "?";
    site->Line = info.dli_fbase ? (ULONG)((const char *)address - (const char *)info.dli_fbase) : 0;
}

/* An identity may come again with other contents: a module was unloaded, and another stands in its place. */
static const EMU_POOL_SITE *find_site(const void *identity, const EMU_POOL_SITE *site)
{
    SITE_RECORD **bucket = &site_buckets[mix((ULONG_PTR)identity) % SITE_BUCKETS], *r;
    EMU_POOL_SITE described;

    if (!site) {
        for (r = *bucket; r; r = r->Next)
            if (r->Identity == identity)
                return &r->Site;
        describe_address(identity, &described);
        site = &described;
    }
    for (r = *bucket; r; r = r->Next)
        if (r->Identity == identity && r->Site.Line == site->Line && !strcmp(r->Site.File, site->File) &&
            !strcmp(r->Site.Function, site->Function))
            return &r->Site;
    r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->Identity = identity;
    r->Site = (EMU_POOL_SITE){strdup(site->File), strdup(site->Function), site->Line, 0, 0};
    if (!r->Site.File || !r->Site.Function) {
        free((void *)(ULONG_PTR)r->Site.File);
        free((void *)(ULONG_PTR)r->Site.Function);
        free(r);
        return NULL;
    }
    r->Next = *bucket;
    *bucket = r;
    return &r->Site;
}

/* ---- uses ---- */

static ULONG *bucket_of(ULONG tag, BOOLEAN paged, const EMU_POOL_SITE *site, const EMU_POOL_STACK *stack)
{
    ULONG64 h = mix((ULONG_PTR)site ^ mix((ULONG_PTR)stack ^ mix((ULONG64)tag << 1 | paged)));
    return &use_buckets[h % USE_BUCKETS];
}

static ULONG find_use(ULONG tag, BOOLEAN paged, const EMU_POOL_SITE *site, const EMU_POOL_STACK *stack)
{
    ULONG *bucket = bucket_of(tag, paged, site, stack), i;
    EXP_USE *use;

    for (i = *bucket; i; i = uses[i].HashNext) {
        use = &uses[i];
        if (use->Site == site && use->Tag == tag && use->Paged == paged && use->Stack == stack)
            return i;
    }
    if (use_count == EXP_USES)
        return 0;
    i = use_count;
    use = &uses[i];
    use->Tag = tag;
    use->Paged = paged;
    use->Site = site;
    use->Stack = stack;
    use->HashNext = *bucket;
    *bucket = i;
    __atomic_store_n(&use_count, i + 1, __ATOMIC_RELEASE);
    return i;
}

/* Two places are kept for what has no number of its own. */
static BOOLEAN prepare(void)
{
    static const EMU_POOL_SITE everywhere = {"?", "?", 0, 0, 0};

    if (uses)
        return TRUE;
    uses =
        mmap(NULL, EXP_USES * sizeof *uses, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (uses == MAP_FAILED) {
        uses = NULL;
        return FALSE;
    }
    find_use(TAG_OVERFLOW, FALSE, &everywhere, NULL);
    find_use(TAG_OVERFLOW, TRUE, &everywhere, NULL);
    return TRUE;
}

ULONG ExpFindUse(ULONG Tag, BOOLEAN Paged, const void *Identity, const EMU_POOL_SITE *Site, const EMU_POOL_STACK *Stack)
{
    const EMU_POOL_SITE *site;
    ULONG number = 0;

    ExpLockUses();
    if (prepare()) {
        site = find_site(Identity, Site);
        number = site ? find_use(Tag, Paged, site, Stack) : 0;
        if (!number)
            number = Paged ? 2 : 1;
    }
    ExpUnlockUses();
    return number;
}

EXP_USE *ExpUse(ULONG Number)
{
    return &uses[Number];
}

ULONG ExpUseCount(void)
{
    return __atomic_load_n(&use_count, __ATOMIC_ACQUIRE);
}

/* ---- sums ---- */

static void add(EXP_SUMS *sums, EXP_SUMS more)
{
    sums->Blocks += more.Blocks;
    sums->BlockBytes += more.BlockBytes;
    sums->Bytes += more.Bytes;
}

static EXP_SUMS difference(EXP_SUMS a, EXP_SUMS b)
{
    return (EXP_SUMS){a.Blocks - b.Blocks, a.BlockBytes - b.BlockBytes, a.Bytes - b.Bytes};
}

static BOOLEAN is_more(EXP_SUMS a, EXP_SUMS b)
{
    return (LONG64)a.BlockBytes > (LONG64)b.BlockBytes;
}

EXP_PART ExpPartOf(const EXP_THREAD *Thread, ULONG Use)
{
    const EMU_POOL_THREAD_ *fast = &Thread->Fast;
    /* Peak first: another thread's is then no more than what the others say was live, if it is just growing. */
    ULONG64 most = __atomic_load_n(&fast->Peak[Use], __ATOMIC_ACQUIRE), mark = EMU_POOL_GET_(fast->Mark[Use]);
    ULONG64 allocated = EMU_POOL_GET_(fast->Allocated[Use]), at_peak = EMU_POOL_GET_(fast->PeakAllocated[Use]);
    EXP_PART part = {Thread->Spilled[Use].Allocated, Thread->Spilled[Use].Freed, Thread->Spilled[Use].Peak, FALSE};
    EXP_SUMS before = difference(part.Allocated, part.Freed), peak;

    /* What was freed by then is found as a difference of words, as none of its sums is negative. */
    if (at_peak) {
        peak = difference(ExpUnpack(at_peak), ExpUnpack(at_peak - most));
        add(&peak, before);
        if (is_more(peak, part.Peak))
            part.Peak = peak;
    }
    add(&part.Allocated, ExpUnpack(allocated));
    add(&part.Freed, ExpUnpack(mark - most));
    if (is_more(difference(part.Allocated, part.Freed), part.Peak))
        part.Peak = difference(part.Allocated, part.Freed);
    part.TookPart = part.Allocated.Blocks || part.Freed.Blocks;
    return part;
}

static void bring_home(EXP_THREAD *thread, ULONG use)
{
    EXP_PART part = ExpPartOf(thread, use);

    thread->Spilled[use] = (EXP_SPILLED){part.Allocated, part.Freed, part.Peak};
    EMU_POOL_PUT_(thread->Fast.Allocated[use], 0);
    EMU_POOL_PUT_(thread->Fast.Mark[use], 0);
    EMU_POOL_PUT_(thread->Fast.PeakAllocated[use], 0);
    EMU_POOL_PUT_(thread->Fast.Peak[use], 0);
}

void ExpSpill(EXP_THREAD *Thread, ULONG Use)
{
    ExpLockUses();
    bring_home(Thread, Use);
    ExpUnlockUses();
}

/* A run's bytes do not fit into a word. */
static void count_run(EXP_THREAD *thread, ULONG use, SIZE_T bytes, SIZE_T block_bytes, BOOLEAN freed)
{
    ExpLockUses();
    bring_home(thread, use);
    add(freed ? &thread->Spilled[use].Freed : &thread->Spilled[use].Allocated, (EXP_SUMS){1, block_bytes, bytes});
    bring_home(thread, use);
    ExpUnlockUses();
}

static void note_peak(EMU_POOL_THREAD_ *fast, ULONG use)
{
    ULONG64 allocated = EMU_POOL_GET_(fast->Allocated[use]), most = EMU_POOL_GET_(fast->Peak[use]);

    most += allocated - EMU_POOL_GET_(fast->Mark[use]);
    EMU_POOL_PUT_(fast->Mark[use], allocated);
    EMU_POOL_PUT_(fast->PeakAllocated[use], allocated);
    __atomic_store_n(&fast->Peak[use], most, __ATOMIC_RELEASE);
}

static void count_free(EXP_THREAD *thread, ULONG use, ULONG64 unit)
{
    EMU_POOL_THREAD_ *fast = &thread->Fast;

    if ((LONG64)EMU_POOL_GET_(fast->Mark[use]) < 0)
        ExpSpill(thread, use);
    if (EMU_POOL_GET_(fast->Allocated[use]) > EMU_POOL_GET_(fast->Mark[use]))
        note_peak(fast, use);
    EMU_POOL_PUT_(fast->Mark[use], EMU_POOL_GET_(fast->Mark[use]) + unit);
}

void EmuPoolPassedMark_(EMU_POOL_THREAD_ *Thread, EMU_POOL_LIST_ *List, ULONG Use, ULONG64 Unit)
{
    count_free(CONTAINING_RECORD(Thread, EXP_THREAD, Fast), Use, Unit);
    if (!--List->Room)
        EmuPoolOverflow_(Thread, List);
}

static void count_allocation(EXP_THREAD *thread, ULONG use, ULONG64 unit)
{
    ULONG64 sum = EMU_POOL_GET_(thread->Fast.Allocated[use]) + unit;

    EMU_POOL_PUT_(thread->Fast.Allocated[use], sum);
    if ((LONG64)sum < 0)
        ExpSpill(thread, use);
}

void ExpCount(EXP_THREAD *Thread, ULONG Use, SIZE_T Bytes, SIZE_T BlockBytes, BOOLEAN Freed)
{
    if (Bytes > EMU_POOL_LARGEST_)
        count_run(Thread, Use, Bytes, BlockBytes, Freed);
    else if (Freed)
        count_free(Thread, Use, EMU_POOL_UNIT_(BlockBytes / 16, Bytes));
    else
        count_allocation(Thread, Use, EMU_POOL_UNIT_(BlockBytes / 16, Bytes));
}

void ExpInheritParts(EXP_THREAD *Thread)
{
    for (ULONG i = 1; i < use_count; i++) {
        EXP_PART part = ExpPartOf(Thread, i);
        EMU_POOL_THREAD_ *fast = &Thread->Fast;
        if (EMU_POOL_GET_(fast->Tag[i]))
            EMU_POOL_PUT_(fast->Tag[i], 0);
        if (!part.TookPart)
            continue;
        add(&uses[i].Allocated, part.Allocated);
        add(&uses[i].Freed, part.Freed);
        if (is_more(part.Peak, uses[i].PeakOfGone))
            uses[i].PeakOfGone = part.Peak;
        uses[i].GoneThreads++;
        fast->Allocated[i] = fast->PeakAllocated[i] = 0;
        fast->Mark[i] = fast->Peak[i] = 0;
        Thread->Spilled[i] = (EXP_SPILLED){0};
    }
}

void ExpForgetSums(void)
{
    ExpLockUses();
    for (ULONG i = 1; i < use_count; i++) {
        EXP_USE *use = &uses[i];
        use->Allocated = use->Freed = use->PeakOfGone = use->PeakSeen = (EXP_SUMS){0};
        use->GoneThreads = 0;
    }
    ExpUnlockUses();
}
