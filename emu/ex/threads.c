/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread's part of the pool: made at its first call, given back at its end. And the switch between the fast path and
 * the slow one.
 *
 * Any thread may send all others to the slow path: it says so in ExpSlow_, then points their pointers there. Only
 * a thread itself goes back, when it is on the slow path and finds that nothing keeps it there; it looks once more
 * after that. The barrier between is the sender's alone (membarrier), so that the look costs nothing.
 */
#include "exp.h"

#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ke/irql.h"
#include "tracep.h"

/*
 * The beginning of an EMU_POOL_THREAD_, all that is read of it. No address is within 8 GiB of this Base, and no wild
 * pointer that is likelier than others: 0x8000000000000000 is one.
 */
const ULONG_PTR EmuPoolSlow_[offsetof(EMU_POOL_THREAD_, Allocated) / sizeof(ULONG_PTR)] = {0x9e3779b900000000};
#define SLOW ((EMU_POOL_THREAD_ *)(ULONG_PTR)EmuPoolSlow_)

__thread EMU_POOL_THREAD_ *EmuPoolThread_ = SLOW, *EmuPoolFreer_ = SLOW;
ULONG ExpSlow_ = EXP_SLOW_CLOSED;

static __thread EXP_THREAD *current __attribute__((tls_model("initial-exec")));
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static EXP_THREAD *threads; /* living ones */
static EXP_THREAD *gone;    /* structures to be used again; their sums are zero. Next */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

void ExpLockThreads(void)
{
    pthread_mutex_lock(&list_lock);
}

void ExpUnlockThreads(void)
{
    pthread_mutex_unlock(&list_lock);
}

void ExpForEachThread(void (*Visit)(EXP_THREAD *Thread, void *Context), void *Context)
{
    for (EXP_THREAD *t = threads; t; t = t->Next)
        Visit(t, Context);
}

/* ---- lists ---- */

static ULONG class_of(const EXP_THREAD *thread, const EMU_POOL_LIST_ *list)
{
    return (ULONG)(list - thread->Fast.Lists) % EMU_POOL_LISTS_;
}

static EXP_ARENA *arena_of(const EXP_THREAD *thread, const EMU_POOL_LIST_ *list)
{
    return &ExpArenas[(list - thread->Fast.Lists) / EMU_POOL_LISTS_];
}

static EXP_CHAIN *spare_of(EXP_THREAD *thread, const EMU_POOL_LIST_ *list)
{
    return &thread->Spare[list - thread->Fast.Lists];
}

static void set_list(EXP_THREAD *thread, EMU_POOL_LIST_ *list, EXP_CHAIN chain)
{
    list->Head = chain.Head;
    /* One more than a chain is long: a list that overflows keeps one block and passes a whole chain on. */
    list->Room = ExpClasses[class_of(thread, list)].Batch + 1 - chain.Blocks;
}

static void prepare_lists(EXP_THREAD *thread)
{
    RtlZeroMemory(thread->Spare, sizeof thread->Spare);
    for (ULONG i = 0; i < 2 * EMU_POOL_LISTS_; i++) {
        const EXP_CLASS *k = &ExpClasses[i % EMU_POOL_LISTS_];
        ULONG bias = k->Outside ? EMU_POOL_OUTSIDE_BIAS_ : EMU_POOL_INSIDE_BIAS_;
        thread->Fast.Lists[i].Unit = EMU_POOL_UNIT_(k->BlockBytes / 16, 0) - bias;
        set_list(thread, &thread->Fast.Lists[i], (EXP_CHAIN){0});
    }
}

BOOLEAN ExpFillList(EXP_THREAD *Thread, EMU_POOL_LIST_ *List)
{
    EXP_CHAIN *spare = spare_of(Thread, List), chain = *spare;

    if (chain.Blocks)
        *spare = (EXP_CHAIN){0};
    else
        chain = ExpTakeChain(arena_of(Thread, List), class_of(Thread, List));
    if (!chain.Blocks)
        return FALSE;
    set_list(Thread, List, chain);
    return TRUE;
}

void EmuPoolOverflow_(EMU_POOL_THREAD_ *Thread, EMU_POOL_LIST_ *List)
{
    EXP_THREAD *thread = CONTAINING_RECORD(Thread, EXP_THREAD, Fast);
    ULONG class = class_of(thread, List), top = List->Head;
    ULONG *header = ExpHeaderOf(ExpOffsetOf(top, ExpClasses[class].Outside));
    EXP_CHAIN full = {header[1], ExpClasses[class].Batch}, *spare = spare_of(thread, List);

    header[1] = 0;
    set_list(thread, List, (EXP_CHAIN){top, 1});
    ExpGiveChain(arena_of(thread, List), class, *spare, FALSE);
    *spare = full;
}

void ExpEmptyLists(EXP_THREAD *Thread)
{
    ULONG end = KeGetCurrentIrql() <= APC_LEVEL ? 2 * EMU_POOL_LISTS_ : EMU_POOL_LISTS_;

    for (ULONG i = 0; i < end; i++) {
        EMU_POOL_LIST_ *list = &Thread->Fast.Lists[i];
        EXP_CHAIN chain = {list->Head, ExpClasses[i % EMU_POOL_LISTS_].Batch + 1 - list->Room};
        ExpGiveChain(arena_of(Thread, list), i % EMU_POOL_LISTS_, chain, TRUE);
        ExpGiveChain(arena_of(Thread, list), i % EMU_POOL_LISTS_, Thread->Spare[i], TRUE);
        Thread->Spare[i] = (EXP_CHAIN){0};
        set_list(Thread, list, (EXP_CHAIN){0});
    }
}

/* ---- the way to the slow path and back ---- */

/* These are about allocations alone. */
#define FREES_AS_EVER (EXP_SLOW_FAILURES | EXP_SLOW_STACKS | EXP_SLOW_AGES)

static void go_slow(EXP_THREAD *thread, ULONG reasons)
{
    if (reasons)
        __atomic_store_n(thread->Pointer, SLOW, __ATOMIC_RELAXED);
    if (reasons & ~FREES_AS_EVER)
        __atomic_store_n(thread->Freer, SLOW, __ATOMIC_RELAXED);
}

void ExpSetSlow(ULONG Reason, BOOLEAN On)
{
    if (!On) {
        __atomic_fetch_and(&ExpSlow_, ~Reason, __ATOMIC_SEQ_CST);
        return;
    }
    __atomic_fetch_or(&ExpSlow_, Reason, __ATOMIC_SEQ_CST);
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    ExpLockThreads();
    for (EXP_THREAD *t = threads; t; t = t->Next)
        go_slow(t, Reason);
    ExpUnlockThreads();
}

void ExpGoSlow(void)
{
    EMU_POOL_PUT_(EmuPoolThread_, SLOW);
    EMU_POOL_PUT_(EmuPoolFreer_, SLOW);
}

void ExpBackToFast(EXP_THREAD *Thread)
{
    ULONG reasons = ExpSlowReasons();

    if (KeGetCurrentIrql() > APC_LEVEL || EmuTrace_)
        return;
    if (!reasons)
        __atomic_store_n(Thread->Pointer, &Thread->Fast, __ATOMIC_RELAXED);
    if (!(reasons & ~FREES_AS_EVER))
        __atomic_store_n(Thread->Freer, &Thread->Fast, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    go_slow(Thread, ExpSlowReasons());
}

/* ---- beginning and end ---- */

static void leave(void *context)
{
    EXP_THREAD *thread = context;
    BOOLEAN processor = KiEnterProcessor(); /* others need the lock of the list also at DISPATCH_LEVEL */

    go_slow(thread, EXP_SLOW_CLOSED);
    current = NULL;
    ExpLockThreads();
    if (!(ExpSlowReasons() & EXP_SLOW_CLOSED))
        ExpEmptyLists(thread);
    ExpLockUses();
    ExpInheritParts(thread);
    ExpUnlockUses();
    if (thread->Prev)
        thread->Prev->Next = thread->Next;
    else
        threads = thread->Next;
    if (thread->Next)
        thread->Next->Prev = thread->Prev;
    thread->Next = gone;
    gone = thread;
    ExpUnlockThreads();
    KiLeaveProcessor(processor);
}

static void prepare(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    pthread_key_create(&key, leave);
}

static ULONG_PTR end_of_stack(void)
{
    pthread_attr_t attributes;
    void *start = NULL;
    size_t size = 0;

    if (!pthread_getattr_np(pthread_self(), &attributes)) {
        pthread_attr_getstack(&attributes, &start, &size);
        pthread_attr_destroy(&attributes);
    }
    return (ULONG_PTR)start + size;
}

static EXP_THREAD *make_thread(void)
{
    EXP_THREAD *thread = gone;

    if (thread) {
        gone = thread->Next;
        return thread;
    }
    thread = mmap(NULL, sizeof *thread, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return thread == MAP_FAILED ? NULL : thread;
}

static EXP_THREAD *enter(void)
{
    EXP_THREAD *thread;

    pthread_once(&once, prepare);
    ExpLockThreads();
    thread = make_thread();
    if (thread) {
        thread->Pointer = &EmuPoolThread_;
        thread->Freer = &EmuPoolFreer_;
        thread->StackEnd = end_of_stack();
        thread->Fast.Base = ExpBase;
        thread->Fast.Shadow = ExpShadow;
        thread->Fast.Allocated[0] = EXP_NEVER_ALLOCATED; /* a place that never allocated counts here, once */
        memcpy(thread->Fast.Class, ExpClassOf, sizeof ExpClassOf);
        prepare_lists(thread);
        thread->Prev = NULL;
        thread->Next = threads;
        if (threads)
            threads->Prev = thread;
        threads = thread;
    }
    ExpUnlockThreads();
    current = thread;
    if (thread)
        pthread_setspecific(key, thread);
    return thread;
}

EXP_THREAD *ExpKnownThread(void)
{
    return current;
}

EXP_THREAD *ExpCurrentThread(void)
{
    return current ? current : enter();
}

EXP_STACK_CACHE *ExpMakeStackCache(void)
{
    /* Not from the heap: its only reference is in memory where no leak checker looks. */
    void *p = mmap(NULL, EXP_STACK_CACHE_SIZE * sizeof(EXP_STACK_CACHE), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void ExpForgetThreads(void)
{
    ExpLockThreads();
    ExpLockUses();
    for (EXP_THREAD *t = threads; t; t = t->Next) {
        prepare_lists(t);
        ExpInheritParts(t);
        memset(t->Fast.Callers, 0, sizeof t->Fast.Callers);
    }
    ExpUnlockUses();
    ExpUnlockThreads();
}
