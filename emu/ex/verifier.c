/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver Verifier: the options, and what each does to an allocation, a free, an unload, a page fault. */
#include "verifierp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ke/irql.h"
#include "ke/stack.h"
#include "special.h"

#define DRIVERS   16
#define SITE_TEXT 160
#define RETRIES   64 /* of one instruction at one address, while nobody keeps paged memory from it */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* all below */
static BOOLEAN has_machine;
static EMU_VERIFIER_OPTIONS options;
static ULONG64 random_state;
static ULONG64 failed_deliberately;

/* What systematic low resources simulation has done with. Open addressing; an entry without a Site is free. */
static EMU_VERIFIER_SITE *failed_sites;
static ULONG failed_count, failed_capacity; /* a power of two */

static struct {
    PDRIVER_OBJECT driver;
    char sites[EMU_VERIFIER_PATTERN];
} drivers[DRIVERS];

/* Atomic, since every allocation reads or writes them. */
static ULONG flags;
static ULONG64 attempted, succeeded, succeeded_special;

static ULONG current_flags(void)
{
    return __atomic_load_n(&flags, __ATOMIC_RELAXED);
}

/* ---- patterns ---- */

/* * stands for any number of characters, ? for one. */
static BOOLEAN matches(const char *pattern, SIZE_T length, const char *text)
{
    if (!length)
        return !*text;
    if (*pattern == '*')
        return matches(pattern + 1, length - 1, text) || (*text && matches(pattern, length, text + 1));
    return *text && (*pattern == '?' || *pattern == *text) && matches(pattern + 1, length - 1, text + 1);
}

BOOLEAN EmuVerifierMatches(const char *Patterns, const char *Text)
{
    BOOLEAN any = FALSE;

    for (const char *p = Patterns; *p;) {
        SIZE_T length = strcspn(p, " ");
        if (length && matches(p, length, Text))
            return TRUE;
        any = any || length;
        p += length + (p[length] == ' ');
    }
    return !any;
}

static BOOLEAN tag_matches(const char *patterns, ULONG tag)
{
    char text[5];

    memcpy(text, &tag, 4);
    text[4] = 0;
    return EmuVerifierMatches(patterns, text);
}

static BOOLEAN site_matches(const char *patterns, const EMU_POOL_SITE *site)
{
    char text[SITE_TEXT];

    snprintf(text, sizeof text, "%s:%u", EmuPoolSiteFile(site), site->Line);
    if (EmuVerifierMatches(patterns, text))
        return TRUE;
    return EmuVerifierMatches(patterns, EmuPoolSiteFile(site));
}

/*
 * NT 4.0's PoolTag. A value below a page is a size, but for 0x2A, which is "*" (documented as an example: so sizes of
 * 42 bytes cannot be asked for; that the border is a page is our guess). A "*" ends the tag, a "?" is any character.
 */
static BOOLEAN nt4_matches(ULONG mask, ULONG tag, SIZE_T bytes)
{
    if (mask < PAGE_SIZE && mask != '*')
        return bytes == mask;
    for (int i = 0; i < 4; i++) {
        UCHAR wanted = (UCHAR)(mask >> 8 * i), found = (UCHAR)(tag >> 8 * i);
        if (wanted == '*')
            return TRUE;
        if (wanted != '?' && wanted != found)
            return FALSE;
    }
    return TRUE;
}

/* ---- low resources simulation ---- */

/* splitmix64: our own sequence, so that a seed means the same everywhere. */
static ULONG64 next_random(void)
{
    ULONG64 z = random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static ULONG64 hash_stack(PVOID *frames, ULONG depth)
{
    ULONG64 h = 0xcbf29ce484222325u;

    for (ULONG i = 0; i < depth; i++)
        h = (h ^ (ULONG64)(ULONG_PTR)frames[i]) * 0x100000001b3u;
    return h | 1;
}

static EMU_VERIFIER_SITE *find_failed(EMU_VERIFIER_SITE *table, ULONG capacity, const EMU_VERIFIER_SITE *site)
{
    ULONG64 h = ((ULONG64)(ULONG_PTR)site->Site >> 4) * 0x9e3779b97f4a7c15u ^ site->Stack ^ (ULONG64)site->Tag << 32;

    for (ULONG i = (ULONG)(h >> 32);; i++) {
        EMU_VERIFIER_SITE *entry = &table[i & (capacity - 1)];
        if (!entry->Site || (entry->Site == site->Site && entry->Stack == site->Stack && entry->Tag == site->Tag))
            return entry;
    }
}

static BOOLEAN make_room(void)
{
    ULONG capacity = failed_capacity ? failed_capacity * 2 : 256;
    EMU_VERIFIER_SITE *larger;

    if (failed_count * 2 < failed_capacity)
        return TRUE;
    larger = calloc(capacity, sizeof *larger);
    if (!larger)
        return FALSE;
    for (ULONG i = 0; i < failed_capacity; i++)
        if (failed_sites[i].Site)
            *find_failed(larger, capacity, &failed_sites[i]) = failed_sites[i];
    free(failed_sites);
    failed_sites = larger;
    failed_capacity = capacity;
    return TRUE;
}

/* TRUE the first time only. */
static BOOLEAN fails_this_site(const EMU_POOL_SITE *site, ULONG tag, ULONG64 stack)
{
    EMU_VERIFIER_SITE key = {site, tag, stack}, *entry;

    if (!make_room())
        return FALSE;
    entry = find_failed(failed_sites, failed_capacity, &key);
    if (entry->Site)
        return FALSE;
    *entry = key;
    failed_count++;
    return TRUE;
}

static BOOLEAN injects_failure(ULONG tag, const EMU_POOL_SITE *site, ULONG64 stack)
{
    BOOLEAN fails = FALSE;

    if (!tag_matches(options.FaultTags, tag) || !site_matches(options.FaultSites, site))
        return FALSE;
    if (options.Flags & EMU_VERIFIER_SYSTEMATIC_LOW_RESOURCES)
        fails = fails_this_site(site, tag, stack);
    if (options.Flags & DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES)
        fails = fails || next_random() % 10000 < options.Probability;
    failed_deliberately += fails;
    return fails;
}

/* ---- allocations ---- */

void ExpCheckAllocation(POOL_TYPE Type, SIZE_T Bytes)
{
    KIRQL irql = KeGetCurrentIrql();
    BOOLEAN verified = current_flags() != 0, paged = Type & 1;

    if (!Bytes && verified)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0, irql, (ULONG_PTR)Type, 0);
    if (!Bytes)
        KeBugCheckEx(BAD_POOL_CALLER, 0x0, 0, (ULONG_PTR)Type, 0);
    if (irql <= (paged ? APC_LEVEL : DISPATCH_LEVEL))
        return;
    if (verified)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, paged ? 0x1 : 0x2, irql, (ULONG_PTR)Type, Bytes);
    KeBugCheckEx(BAD_POOL_CALLER, 0x8, irql, (ULONG_PTR)Type, Bytes);
}

/* Whether special pool wants it, and how. */
static BOOLEAN is_for_special_pool(SIZE_T bytes, ULONG tag, ULONG *how)
{
    if (bytes > EXP_SPECIAL_LARGEST)
        return FALSE;
    *how = options.Exact ? EXP_SPECIAL_EXACT : 0;
    if (options.PoolTag && nt4_matches(options.PoolTag, tag, bytes)) {
        *how |= EXP_SPECIAL_NT4 | (options.PoolTagOverruns ? 0 : EXP_SPECIAL_UNDERRUN);
        return TRUE;
    }
    *how |= options.Underruns ? EXP_SPECIAL_UNDERRUN : 0;
    return options.Flags & DRIVER_VERIFIER_SPECIAL_POOLING && tag_matches(options.SpecialTags, tag);
}

BOOLEAN ExpVerifyAllocation(POOL_TYPE Type, SIZE_T Bytes, ULONG Use, PEPROCESS Charged, BOOLEAN MustSucceed,
                            PVOID *Block)
{
    const EMU_POOL_SITE *site = ExpUse(Use)->Site;
    PVOID frames[EMU_BUG_CHECK_FRAMES] = {NULL};
    BOOLEAN fails, special;
    ULONG64 stack;
    ULONG how;

    *Block = NULL;
    KiKeepWatch();
    stack = hash_stack(frames, KiCaptureStack(1, frames, EMU_BUG_CHECK_FRAMES));
    pthread_mutex_lock(&lock);
    fails = !MustSucceed && injects_failure(ExpUse(Use)->Tag, site, options.ByStack ? stack : 0);
    special = !fails && is_for_special_pool(Bytes, ExpUse(Use)->Tag, &how);
    pthread_mutex_unlock(&lock);
    if (!special)
        return fails;
    *Block = ExpAllocateSpecial(Type & 1, Bytes, Use, Charged, how);
    if (*Block)
        __atomic_fetch_add(&succeeded_special, 1, __ATOMIC_RELAXED);
    return *Block != NULL;
}

void ExpVerifierSawAllocation(BOOLEAN Succeeded)
{
    __atomic_fetch_add(&attempted, 1, __ATOMIC_RELAXED);
    if (Succeeded)
        __atomic_fetch_add(&succeeded, 1, __ATOMIC_RELAXED);
}

/* ---- frees ---- */

EXP_STOP ExpVerifierStop(EXP_STOP Stop)
{
    const ULONG code = DRIVER_VERIFIER_DETECTED_VIOLATION;

    if (!current_flags() || Stop.Code != BAD_POOL_CALLER)
        return Stop;
    switch (Stop.P1) {
    case 0x7: /* the header itself is the pool's; its contents tell the tag */
        return (EXP_STOP){code, 0x13, 0, Stop.P4, Stop.P3};
    case 0x9:
        return (EXP_STOP){code, Stop.P3 & 1 ? 0x11 : 0x12, Stop.P2, Stop.P3, Stop.P4};
    case 0x46:
        return (EXP_STOP){code, 0x10, Stop.P2, 0, 0};
    case 0x41286:
        return (EXP_STOP){code, 0x16, 0, Stop.P2, 0};
    default:
        return Stop;
    }
}

/* ---- unload ---- */

NTSTATUS EmuVerifierAddDriver(PDRIVER_OBJECT Driver, const char *Sites)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    int entry = -1;

    if (strlen(Sites) >= EMU_VERIFIER_PATTERN)
        return STATUS_INVALID_PARAMETER;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < DRIVERS; i++)
        if (drivers[i].driver == Driver || (entry < 0 && !drivers[i].driver))
            entry = i;
    if (entry >= 0) {
        drivers[entry].driver = Driver;
        strcpy(drivers[entry].sites, Sites);
        status = STATUS_SUCCESS;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static BOOLEAN forget_driver(PDRIVER_OBJECT driver, char sites[EMU_VERIFIER_PATTERN])
{
    BOOLEAN known = FALSE;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < DRIVERS; i++)
        if (drivers[i].driver == driver) {
            strcpy(sites, drivers[i].sites);
            drivers[i].driver = NULL;
            known = TRUE;
        }
    pthread_mutex_unlock(&lock);
    return known;
}

void ExpVerifyUnload(PDRIVER_OBJECT Driver)
{
    char sites[EMU_VERIFIER_PATTERN];
    EMU_POOL_SNAPSHOT pool;
    ULONG64 left = 0;

    if (!forget_driver(Driver, sites) || !(current_flags() & DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS) ||
        !NT_SUCCESS(EmuPoolTakeSnapshot(&pool)))
        return;
    for (ULONG i = 0; i < pool.Count; i++)
        if (pool.Uses[i].LiveBlocks > 0 && site_matches(sites, pool.Uses[i].Site))
            left += (ULONG64)pool.Uses[i].LiveBlocks;
    EmuPoolFreeSnapshot(&pool);
    if (left)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x62, (ULONG_PTR)&Driver->DriverName, 0, left);
}

/* ---- page faults ---- */

/*
 * An address in paged pool that is as it must be was out of reach because somebody was at DISPATCH_LEVEL: this thread,
 * which is the bug check, or another one, whose end is waited for. By the time the signal arrives it may have gone.
 */
static KI_FAULT_VERDICT judge_paged(KI_FAULT *fault)
{
    static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
        PVOID address, instruction;
        ULONG times;
    } last;

    if (KiPagedIsOutOfReach()) {
        fault->Code = IRQL_NOT_LESS_OR_EQUAL;
        fault->Parameters[0] = (ULONG_PTR)fault->Address;
        fault->Parameters[1] = KeGetCurrentIrql();
        fault->Parameters[2] = fault->Write;
        fault->Parameters[3] = (ULONG_PTR)fault->InstructionPointer;
        return KiFaultStop;
    }
    if (KiPark()) {
        last.times = 0;
        return KiFaultRetry;
    }
    if (last.address != fault->Address || last.instruction != fault->InstructionPointer)
        last.times = 0;
    last.address = fault->Address;
    last.instruction = fault->InstructionPointer;
    return ++last.times < RETRIES ? KiFaultRetry : KiFaultNotOurs;
}

#define NO_ACCESS 0x10000 /* documented: the first 64 KB of addresses are nobody's */

/* What nobody handles in kernel mode is a bug check (documented: 0x1E; Q228538 has its parameters). */
static KI_FAULT_VERDICT judge_null(KI_FAULT *fault)
{
    fault->Code = KMODE_EXCEPTION_NOT_HANDLED;
    fault->Parameters[0] = (ULONG)STATUS_ACCESS_VIOLATION;
    fault->Parameters[1] = (ULONG_PTR)fault->InstructionPointer;
    fault->Parameters[2] = fault->Write;
    fault->Parameters[3] = (ULONG_PTR)fault->Address;
    return KiFaultStop;
}

static KI_FAULT_VERDICT judge(KI_FAULT *Fault)
{
    KI_FAULT_VERDICT verdict = KiFaultNotOurs;

    if ((ULONG_PTR)Fault->Address < NO_ACCESS)
        return judge_null(Fault);
    if (ExpIsSpecial(Fault->Address))
        verdict = ExpJudgeSpecialFault(Fault);
    else if (ExpIsInArena(Fault->Address) && (ULONG)(ULONG_PTR)Fault->Address >> 31)
        verdict = KiFaultRetry;
    return verdict == KiFaultRetry ? judge_paged(Fault) : verdict;
}

static void protect(BOOLEAN OutOfReach)
{
    if (OutOfReach)
        KiKeepWatch();
    ExpProtectPagedPool(OutOfReach);
    ExpProtectSpecial(OutOfReach);
}

/* ---- options ---- */

static BOOLEAN is_terminated(const char pattern[EMU_VERIFIER_PATTERN])
{
    return memchr(pattern, 0, EMU_VERIFIER_PATTERN) != NULL;
}

static BOOLEAN are_valid(const EMU_VERIFIER_OPTIONS *o)
{
    return !(o->Flags & ~(ULONG)EMU_VERIFIER_ALL_FLAGS) && o->Probability <= 10000 && o->PoolTagOverruns <= 1 &&
           is_terminated(o->FaultTags) && is_terminated(o->FaultSites) && is_terminated(o->SpecialTags);
}

static void forget_failed_sites(void)
{
    free(failed_sites);
    failed_sites = NULL;
    failed_count = failed_capacity = 0;
}

static void take_options(const EMU_VERIFIER_OPTIONS *o)
{
    pthread_mutex_lock(&lock);
    options = *o;
    if (!options.Probability)
        options.Probability = EMU_VERIFIER_DEFAULT_PROBABILITY;
    random_state = options.Seed;
    failed_deliberately = 0;
    __atomic_store_n(&attempted, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&succeeded, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&succeeded_special, 0, __ATOMIC_RELAXED);
    forget_failed_sites();
    __atomic_store_n(&flags, options.Flags, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&lock);
}

NTSTATUS EmuVerifierSet(const EMU_VERIFIER_OPTIONS *Options)
{
    BOOLEAN special = Options->Flags & DRIVER_VERIFIER_SPECIAL_POOLING || Options->PoolTag,
            irql = (Options->Flags & DRIVER_VERIFIER_FORCE_IRQL_CHECKING) != 0;

    if (!are_valid(Options))
        return STATUS_INVALID_PARAMETER;
    if (!has_machine)
        return STATUS_INVALID_DEVICE_STATE;
    if (special && !ExpInitializeSpecial(FALSE))
        return STATUS_NO_MEMORY;
    KiSetIrqlChecking(NULL);
    take_options(Options);
    KiCountIrqls(Options->Flags != 0);
    if (irql)
        KiSetIrqlChecking(protect);
    ExpSetSlow(EXP_SLOW_VERIFIER, Options->Flags || Options->PoolTag);
    return STATUS_SUCCESS;
}

void EmuVerifierQuery(EMU_VERIFIER_OPTIONS *Options, EMU_VERIFIER_STATISTICS *Statistics)
{
    EMU_VERIFIER_STATISTICS s = {0};

    pthread_mutex_lock(&lock);
    if (Options)
        *Options = options;
    s.AllocationsFailedDeliberately = failed_deliberately;
    s.SitesFailed = failed_count;
    pthread_mutex_unlock(&lock);
    if (!Statistics)
        return;
    s.AllocationsSucceeded = __atomic_load_n(&succeeded, __ATOMIC_RELAXED);
    s.AllocationsAttempted = __atomic_load_n(&attempted, __ATOMIC_RELAXED);
    s.AllocationsFailed = s.AllocationsAttempted - s.AllocationsSucceeded;
    s.AllocationsSucceededSpecialPool = __atomic_load_n(&succeeded_special, __ATOMIC_RELAXED);
    s.GuardPages = ExpSpecialHasGuards();
    KiIrqlCounts(&s.RaiseIrqls, &s.AcquireSpinLocks, &s.TrimRequests);
    *Statistics = s;
}

ULONG EmuVerifierSitesFailed(ULONG First, EMU_VERIFIER_SITE *Sites, ULONG Count)
{
    ULONG seen = 0;

    pthread_mutex_lock(&lock);
    for (ULONG i = 0; i < failed_capacity; i++) {
        if (!failed_sites[i].Site)
            continue;
        if (seen >= First && seen - First < Count)
            Sites[seen - First] = failed_sites[i];
        seen++;
    }
    pthread_mutex_unlock(&lock);
    return seen;
}

/* ---- bug checks ---- */

static void copy_stack(EMU_CALL_STACK *to, const EMU_POOL_STACK *from)
{
    to->Depth = from ? from->Depth : 0;
    for (ULONG i = 0; i < to->Depth; i++)
        to->Frames[i] = from->Frames[i];
}

static BOOLEAN find_ordinary(PVOID address, EXP_SPECIAL_BLOCK *found)
{
    EMU_POOL_BLOCK block;

    if (!EmuPoolFind(address, &block))
        return FALSE;
    *found = (EXP_SPECIAL_BLOCK){.Address = block.Address,
                                 .NumberOfBytes = block.NumberOfBytes,
                                 .Tag = block.Tag,
                                 .Paged = block.Paged,
                                 .Site = block.Site};
    copy_stack(&found->Allocated, block.Stack);
    return TRUE;
}

static BOOLEAN describe_block(EMU_BUG_CHECK *bug_check, PVOID address)
{
    EXP_SPECIAL_BLOCK block;

    if (!ExpFindSpecial(address, &block) && !find_ordinary(address, &block))
        return FALSE;
    bug_check->Block = block.Address;
    bug_check->NumberOfBytes = block.NumberOfBytes;
    bug_check->Tag = block.Tag;
    bug_check->Paged = block.Paged;
    bug_check->Freed = block.Freed;
    bug_check->Site = block.Site;
    bug_check->Allocated = block.Allocated;
    bug_check->FreedBy = block.FreedBy;
    return TRUE;
}

static BOOLEAN is_about_pool(ULONG code)
{
    switch (code) {
    case IRQL_NOT_LESS_OR_EQUAL:
    case BAD_POOL_HEADER:
    case MEMORY_MANAGEMENT:
    case PAGE_FAULT_IN_NONPAGED_AREA:
    case SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION:
    case BAD_POOL_CALLER:
    case DRIVER_VERIFIER_DETECTED_VIOLATION:
    case PAGE_FAULT_IN_FREED_SPECIAL_POOL:
    case PAGE_FAULT_BEYOND_END_OF_ALLOCATION:
        return TRUE;
    default:
        return FALSE;
    }
}

void ExpDescribeBugCheck(EMU_BUG_CHECK *BugCheck)
{
    if (BugCheck->Code == DRIVER_VERIFIER_DETECTED_VIOLATION && BugCheck->Parameters[0] == 0x62) {
        const UNICODE_STRING *name = (const UNICODE_STRING *)BugCheck->Parameters[1];
        for (ULONG i = 0; i < name->Length / sizeof(WCHAR) && i < sizeof BugCheck->Driver - 1; i++)
            BugCheck->Driver[i] = name->Buffer[i] < 0x80 ? (char)name->Buffer[i] : '?';
        return;
    }
    for (int i = 0; i < 4 && is_about_pool(BugCheck->Code); i++)
        if (describe_block(BugCheck, (PVOID)BugCheck->Parameters[i]))
            return;
}

void ExpInitializeVerifier(void)
{
    static const EMU_VERIFIER_OPTIONS none;

    take_options(&none);
    KiWatchFaults(judge);
    has_machine = TRUE;
}

void ExpShutdownVerifier(void)
{
    static const EMU_VERIFIER_OPTIONS none;

    KiSetIrqlChecking(NULL);
    KiCountIrqls(FALSE);
    take_options(&none);
    options = none;
    ExpSetSlow(EXP_SLOW_VERIFIER, FALSE);
    KiWatchFaults(NULL);
    ExpShutdownSpecial();
    memset(drivers, 0, sizeof drivers);
    has_machine = FALSE;
}
