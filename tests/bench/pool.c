/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One workload over one allocator (pool_allocator.h), and what an operation of it takes:
 *   W1  one hot block of 64 bytes
 *   W2  a create: 5 to 7 blocks of 40 to 520 bytes with 6 tags at 6 places, half of them freed when the operation ends,
 *       half later and in another order
 *   W3  100,000 live blocks of 16 to 2,048 bytes, log-uniform, replaced at random
 *   W4  10 million blocks of 100 bytes that nobody frees; then a report by place, and a visit of each
 *   W5  one thread allocates, another frees
 *   W6  W2 in two threads
 * All that is random is drawn before the clock starts, from a fixed seed.
 *
 * usage: pool WORKLOAD [OPERATIONS [stacks|special]]
 * Prints one line of name=value pairs. Exit status 1 if the pool did not count exactly, 77 if it has no such option.
 */
#include "pool_allocator.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Out of line and not through a pointer: what the compiler would make of a driver's routine. */
#define WORKLOAD __attribute__((noinline))

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double now(void)
{
    return seconds(CLOCK_MONOTONIC);
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    return memory;
}

/* A block that nobody writes to would flatter an allocator that does not touch it either. */
static inline void *touched(void *block)
{
    *(void *volatile *)block = block;
    return block;
}

/* ---- W1 ---- */

static WORKLOAD void hot_pair(uint64_t operations)
{
    for (uint64_t i = 0; i < operations; i++) {
        void *block = touched(ALLOCATE(64, POOL_TAG('H', 'o', 't', '1')));
        FREE(block, POOL_TAG('H', 'o', 't', '1'));
    }
}

/* ---- W2, W6 ---- */

#define FILES      256  /* open at any time */
#define VARIATIONS 4096 /* creates until they repeat; a multiple of FILES */

struct variation {
    uint16_t name_bytes;
    uint8_t buffers; /* 0 to 2 */
    uint8_t file;    /* which open file this one takes the place of */
};

struct file {
    void *object, *name, *fcb;
};

struct creates {
    struct variation variations[VARIATIONS];
    struct file files[FILES];
};

static struct creates *draw_creates(uint64_t seed)
{
    struct creates *c = must(calloc(1, sizeof *c));

    for (unsigned i = 0; i < VARIATIONS; i++) {
        c->variations[i].name_bytes = (uint16_t)(40 + draw(&seed) % 200);
        c->variations[i].buffers = (uint8_t)(draw(&seed) % 3);
        c->variations[i].file = (uint8_t)(i % FILES);
    }
    /* Each round of FILES creates goes through the open files in an order of its own. */
    for (unsigned round = 0; round < VARIATIONS; round += FILES)
        for (unsigned i = FILES - 1; i; i--) {
            struct variation *a = &c->variations[round + i], *b = &c->variations[round + draw(&seed) % (i + 1)];
            uint8_t file = a->file;
            a->file = b->file;
            b->file = file;
        }
    return c;
}

static inline void close_file(struct file *file)
{
    /* A file is closed once before each create in its place: the analyser forgets the creates. */
    FREE(file->name, POOL_TAG('I', 'o', 'N', 'm')); // NOLINT(clang-analyzer-unix.Malloc)
    FREE(file->fcb, POOL_TAG('R', 'd', 'F', 'c'));
    FREE(file->object, POOL_TAG('F', 'i', 'l', 'e'));
}

static inline void create_file(const struct variation *v, struct file *file)
{
    void *irp = touched(ALLOCATE(240, POOL_TAG('I', 'r', 'p', ' '))), *context, *buffers[2];
    unsigned i;

    file->object = touched(ALLOCATE(176, POOL_TAG('F', 'i', 'l', 'e')));
    file->name = touched(ALLOCATE(v->name_bytes, POOL_TAG('I', 'o', 'N', 'm')));
    context = touched(ALLOCATE(328, POOL_TAG('R', 'd', 'C', 'c')));
    file->fcb = touched(ALLOCATE(520, POOL_TAG('R', 'd', 'F', 'c')));
    for (i = 0; i < v->buffers; i++)
        buffers[i] = touched(ALLOCATE(96, POOL_TAG('S', 'm', 'B', 'f')));
    while (i--)
        FREE(buffers[i], POOL_TAG('S', 'm', 'B', 'f'));
    FREE(context, POOL_TAG('R', 'd', 'C', 'c'));
    FREE(irp, POOL_TAG('I', 'r', 'p', ' '));
}

static void open_files(struct creates *c)
{
    for (unsigned i = 0; i < FILES; i++)
        create_file(&c->variations[i], &c->files[i]);
}

static void close_files(struct creates *c)
{
    for (unsigned i = 0; i < FILES; i++)
        close_file(&c->files[i]);
}

static WORKLOAD void create_files(struct creates *c, uint64_t operations)
{
    for (uint64_t i = 0; i < operations; i++) {
        const struct variation *v = &c->variations[i % VARIATIONS];
        struct file *file = &c->files[v->file];
        close_file(file);
        create_file(v, file);
    }
}

/* ---- W3 ---- */

#define LIVE         100000
#define REPLACEMENTS (1u << 20) /* until they repeat */

struct replacement {
    uint32_t slot;
    uint32_t bytes;
};

static uint32_t draw_size(uint64_t *seed)
{
    return (uint32_t)(16 * exp2(7 * (double)(draw(seed) >> 11) / (double)(UINT64_C(1) << 53)));
}

static WORKLOAD void replace(void **live, const struct replacement *replacements, uint64_t operations)
{
    for (uint64_t i = 0; i < operations; i++) {
        const struct replacement *r = &replacements[i % REPLACEMENTS];
        FREE(live[r->slot], POOL_TAG('L', 'i', 'v', 'e'));
        live[r->slot] = touched(ALLOCATE(r->bytes, POOL_TAG('L', 'i', 'v', 'e')));
    }
}

/* ---- W4 ---- */

#define TAG_LEAK   POOL_TAG('L', 'e', 'a', 'k')
#define LEAK_BYTES 100

static WORKLOAD void leak(uint64_t operations)
{
    for (uint64_t i = 0; i < operations; i++)
        touched(ALLOCATE(LEAK_BYTES, TAG_LEAK));
}

static uint64_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
        exit(1);
    fclose(f);
    return (uint64_t)resident * 4096;
}

/* ---- W5 ---- */

#define RING  4096
#define BATCH 64 /* blocks told to the other thread at once; divides RING, and the operations are rounded up to it */

struct ring {
    _Alignas(128) _Atomic uint64_t produced;
    _Alignas(128) _Atomic uint64_t consumed;
    _Alignas(128) void *blocks[RING];
    uint64_t operations;
};

/* Another program may have the peer's processor. */
static uint64_t wait_beyond(_Atomic uint64_t *counter, uint64_t than)
{
    uint64_t value;

    for (unsigned spins = 0; (value = atomic_load_explicit(counter, memory_order_acquire)) <= than; spins++)
        if (spins > 1000)
            sched_yield();
        else
            __builtin_ia32_pause();
    return value;
}

static WORKLOAD void produce(struct ring *ring)
{
    uint64_t room = RING;

    for (uint64_t i = 0; i < ring->operations; i++) {
        if (i == room)
            room = wait_beyond(&ring->consumed, i - RING) + RING;
        ring->blocks[i % RING] = touched(ALLOCATE(128, POOL_TAG('R', 'i', 'n', 'g')));
        if (i % BATCH == BATCH - 1)
            atomic_store_explicit(&ring->produced, i + 1, memory_order_release);
    }
}

static WORKLOAD void *consume(void *argument)
{
    struct ring *ring = argument;
    uint64_t ready = 0;

    for (uint64_t i = 0; i < ring->operations; i++) {
        if (i == ready)
            ready = wait_beyond(&ring->produced, i);
        FREE(ring->blocks[i % RING], POOL_TAG('R', 'i', 'n', 'g'));
        if (i % BATCH == BATCH - 1)
            atomic_store_explicit(&ring->consumed, i + 1, memory_order_release);
    }
    return NULL;
}

/* ---- running them ---- */

struct stopwatch {
    double wall, processor;
};

static struct stopwatch start(void)
{
    return (struct stopwatch){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static void tell(const char *workload, struct stopwatch since, uint64_t operations)
{
    struct stopwatch end = start();

    printf("workload=%s operations=%llu wall=%.3f cpu=%.3f", workload, (unsigned long long)operations,
           (end.wall - since.wall) * 1e9 / (double)operations,
           (end.processor - since.processor) * 1e9 / (double)operations);
}

/* Every workload but W4 has freed what it allocated. */
static int nothing_left(void)
{
#if POOL_BENCH_OURS
    unsigned long long live = ours_live();

    printf(" live=%llu", live);
    if (live) {
        fprintf(stderr, "%llu blocks are live that the workload has freed\n", live);
        return 0;
    }
#endif
    return 1;
}

static void run_w1(uint64_t operations)
{
    struct stopwatch since;

    hot_pair(operations / 10);
    since = start();
    hot_pair(operations);
    tell("W1", since, operations);
}

static void run_w2(uint64_t operations)
{
    struct creates *c = draw_creates(88172645463325252u);
    struct stopwatch since;

    open_files(c);
    create_files(c, operations / 10);
    since = start();
    create_files(c, operations);
    tell("W2", since, operations);
    close_files(c);
    free(c);
}

static void run_w3(uint64_t operations)
{
    uint64_t seed = 88172645463325252u;
    struct replacement *replacements = must(calloc(REPLACEMENTS, sizeof *replacements));
    void **live = must(calloc(LIVE, sizeof *live));
    struct stopwatch since;

    for (unsigned i = 0; i < REPLACEMENTS; i++)
        replacements[i] = (struct replacement){(uint32_t)(draw(&seed) % LIVE), draw_size(&seed)};
    for (unsigned i = 0; i < LIVE; i++)
        live[i] = touched(ALLOCATE(draw_size(&seed), POOL_TAG('L', 'i', 'v', 'e')));
    replace(live, replacements, operations / 10);
    since = start();
    replace(live, replacements, operations);
    tell("W3", since, operations);
    printf(" resident=%llu", (unsigned long long)resident_bytes());
    for (unsigned i = 0; i < LIVE; i++)
        FREE(live[i], POOL_TAG('L', 'i', 'v', 'e'));
    free(live);
    free(replacements);
}

static int run_w4(uint64_t operations)
{
    uint64_t resident;
    struct stopwatch since;
#if POOL_BENCH_OURS
    unsigned long long pages = ours_pages();
    struct ours_look look;
#endif

    resident = resident_bytes();
    since = start();
    leak(operations);
    tell("W4", since, operations);
    printf(" resident_over=%.2f", (double)(resident_bytes() - resident) / (double)operations - LEAK_BYTES);
#if POOL_BENCH_OURS
    printf(" pages_over=%.2f", (double)(ours_pages() - pages) * 4096 / (double)operations - LEAK_BYTES);
    look = ours_look(TAG_LEAK);
    printf(" report_ms=%.4f walk_ms=%.2f reported=%llu walked=%llu\n", look.report * 1e3, look.walk * 1e3,
           look.reported, look.walked);
    if (look.reported != operations || look.walked != operations) {
        fprintf(stderr, "%llu blocks are live, %llu reported, %llu walked\n", (unsigned long long)operations,
                look.reported, look.walked);
        return 0;
    }
#else
    printf("\n");
#endif
    return 1;
}

static void ring_of(uint64_t operations)
{
    static struct ring ring;
    pthread_t consumer;

    ring.operations = (operations + BATCH - 1) / BATCH * BATCH;
    atomic_store(&ring.produced, 0);
    atomic_store(&ring.consumed, 0);
    if (pthread_create(&consumer, NULL, consume, &ring))
        exit(1);
    produce(&ring);
    pthread_join(consumer, NULL);
}

static void run_w5(uint64_t operations)
{
    struct stopwatch since;

    ring_of(operations / 10);
    since = start();
    ring_of(operations);
    tell("W5", since, operations);
}

struct creator {
    pthread_t thread;
    pthread_barrier_t *barrier;
    struct creates *creates;
    uint64_t operations;
};

static void *create_in_thread(void *argument)
{
    struct creator *creator = argument;

    open_files(creator->creates);
    create_files(creator->creates, creator->operations / 10);
    pthread_barrier_wait(creator->barrier); /* everybody is warm */
    create_files(creator->creates, creator->operations);
    pthread_barrier_wait(creator->barrier); /* everybody is done */
    close_files(creator->creates);
    return NULL;
}

static void run_w6(uint64_t operations)
{
    struct creator creators[2];
    pthread_barrier_t barrier;
    struct stopwatch since;

    pthread_barrier_init(&barrier, NULL, 3);
    for (unsigned i = 0; i < 2; i++) {
        creators[i] = (struct creator){
            .barrier = &barrier, .creates = draw_creates(88172645463325252u + i), .operations = operations};
        if (pthread_create(&creators[i].thread, NULL, create_in_thread, &creators[i]))
            exit(1);
    }
    pthread_barrier_wait(&barrier);
    since = start();
    pthread_barrier_wait(&barrier);
    tell("W6", since, operations);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(creators[i].thread, NULL);
        free(creators[i].creates);
    }
    pthread_barrier_destroy(&barrier);
}

static const struct {
    const char *name;
    void (*run)(uint64_t operations);
    uint64_t operations;
} workloads[] = {
    {"W1", run_w1, 20000000}, {"W2", run_w2, 2000000}, {"W3", run_w3, 3000000},
    {"W4", NULL, 10000000},   {"W5", run_w5, 5000000}, {"W6", run_w6, 2000000},
};

/* A driver's routine is called through layers: what walks the stack at each allocation must find about 12 frames. */
#define LAYERS 5

static WORKLOAD void through_layers(unsigned layers, void (*run)(uint64_t operations), uint64_t operations)
{
    if (layers)
        through_layers(layers - 1, run, operations);
    else
        run(operations);
    __asm__ volatile(""); /* no tail call, which would leave no frame */
}

static int run(const char *name, uint64_t operations)
{
    for (unsigned i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(workloads[i].name, name) != 0)
            continue;
        if (!operations)
            operations = workloads[i].operations;
        if (!workloads[i].run)
            return run_w4(operations) ? 0 : 1;
        through_layers(LAYERS, workloads[i].run, operations);
        if (!nothing_left())
            return 1;
        printf("\n");
        return 0;
    }
    fprintf(stderr, "no workload %s; there are W1 to W6\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: pool WORKLOAD [OPERATIONS [stacks|special]]\n");
        return 2;
    }
#if POOL_BENCH_OURS
    ours_boot();
    if (argc > 3 && !ours_option(argv[3])) {
        fprintf(stderr, "this pool has no option %s\n", argv[3]);
        return 77;
    }
#endif
    return run(argv[1], argc > 2 ? strtoull(argv[2], NULL, 10) : 0);
}
