/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frees that no correct program makes: wild, shifted, doubled and foreign pointers, headers written over, contents that
 * look like headers. Each must end in a bug check that says what it was; none may crash, pass in silence, or leave the
 * pool other than it was: after each, every block that is out is still told, and nothing else.
 *
 * usage: test_pool_fuzz [SEED [ATTACK]]   RDRLAB_SOAK: a hundred times as many
 * ATTACK is the number that a failure names: attacks before it are made, none after it.
 */
#include "lab.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TAG    POOL_TAG('F', 'u', 'z', 'z')
#define TAG2   POOL_TAG('F', 'u', 'z', '2')
#define BLOCKS 200
#ifdef __SANITIZE_THREAD__ /* which takes twenty times as long */
#define ATTACKS 400
#else
#define ATTACKS 4000
#endif

static ULONG64 seed = 20031;
static unsigned attacks, attack; /* to make; the one being made */

struct block {
    UCHAR *address;
    SIZE_T bytes;
    UCHAR fill;
    BOOLEAN seen;
};

static struct block blocks[BLOCKS];

static ULONG64 draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static ULONG64 below(ULONG64 limit)
{
    return (draw() >> 8) % limit;
}

static SIZE_T draw_size(void)
{
    switch (below(8)) {
    case 0:
        return PAGE_SIZE - 64 + below(4 * PAGE_SIZE);
    case 1:
    case 2:
        return 1 + below(PAGE_SIZE);
    default:
        return 1 + below(300);
    }
}

static struct block *any_block(void)
{
    return &blocks[below(BLOCKS)];
}

static void allocate(struct block *b)
{
    b->bytes = draw_size();
    b->fill = (UCHAR)draw();
    b->address = ExAllocatePoolWithTag(below(2) ? PagedPool : NonPagedPool, b->bytes, TAG);
    assert_non_null(b->address);
    memset(b->address, b->fill, b->bytes);
}

/* ---- the pool is as it was ---- */

static BOOLEAN see(PVOID Context, const EMU_POOL_BLOCK *Block)
{
    unsigned *strange = Context;

    if (Block->Tag != TAG)
        return TRUE;
    for (unsigned i = 0; i < BLOCKS; i++)
        if (blocks[i].address == Block->Address) {
            *strange += blocks[i].seen || blocks[i].bytes != Block->NumberOfBytes;
            blocks[i].seen = TRUE;
            return TRUE;
        }
    (*strange)++;
    return TRUE;
}

static BOOLEAN is_filled(const struct block *b)
{
    for (SIZE_T i = 0; i < b->bytes; i++)
        if (b->address[i] != b->fill)
            return FALSE;
    return TRUE;
}

static void assert_pool_is_as_it_was(void)
{
    unsigned strange = 0, unseen = 0, changed = 0;

    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i].seen = FALSE;
    EmuPoolVisit(see, &strange);
    for (unsigned i = 0; i < BLOCKS; i++) {
        unseen += !blocks[i].seen;
        changed += !is_filled(&blocks[i]);
    }
    assert_int_equal(strange, 0);
    assert_int_equal(unseen, 0);
    assert_int_equal(changed, 0);
}

/* ---- one attack, and what may come of it ---- */

enum {
    ALREADY_FREE = 1, /* 0xC2/0x7 */
    WRONG_TAG = 2,    /* 0xC2/0xA */
    NO_POOLS = 4,     /* 0xC2/0x46 */
    INSIDE = 8,       /* 0xC2/0x41286 */
    HEADER = 16,      /* 0x19/0x20 */
};

static unsigned verdict_of(const EMU_BUG_CHECK *b)
{
    if (b->Code == BAD_POOL_HEADER)
        return b->Parameters[0] == 0x20 ? HEADER : 0;
    if (b->Code != BAD_POOL_CALLER)
        return 0;
    switch (b->Parameters[0]) {
    case 0x7:
        return ALREADY_FREE;
    case 0xA:
        return WRONG_TAG;
    case 0x46:
        return NO_POOLS;
    case 0x41286:
        return INSIDE;
    default:
        return 0;
    }
}

static void must_bug_check(const char *what, void *pointer, ULONG tag, unsigned allowed)
{
    volatile BOOLEAN returned = FALSE;

    lab_catch_bug_checks(1);
    if (!setjmp(lab_bug_check_jump)) {
        ExFreePoolWithTag(pointer, tag);
        returned = TRUE;
    }
    lab_catch_bug_checks(0);
    if (returned)
        fail_msg("%s: the free of %p passed in silence", what, pointer);
    if (!(verdict_of(&lab_bug_check) & allowed))
        fail_msg("%s: the free of %p is bug check 0x%X (0x%lX,0x%lX,0x%lX,0x%lX)", what, pointer, lab_bug_check.Code,
                 (unsigned long)lab_bug_check.Parameters[0], (unsigned long)lab_bug_check.Parameters[1],
                 (unsigned long)lab_bug_check.Parameters[2], (unsigned long)lab_bug_check.Parameters[3]);
}

/* A tag that would have been right, or none at all. */
static ULONG any_tag(void)
{
    return below(2) ? TAG : 0;
}

static void free_wild(void)
{
    static const ULONG64 known[] = {0,
                                    1,
                                    8,
                                    0xfff,
                                    0x1000,
                                    0xdeadbeef,
                                    ~0ull,
                                    ~0xfull,
                                    0x8000000000000000,
                                    0x7fffffffffff,
                                    0x800000000000,
                                    0xffff800000000000};
    ULONG64 pointer = below(2) ? known[below(sizeof known / sizeof *known)] : draw() >> below(64);

    must_bug_check("wild", (void *)(ULONG_PTR)pointer, any_tag(), NO_POOLS);
}

/* Near a block, but not in it: other blocks, free ones, the pool's own data, pages never granted. */
static void free_astray(void)
{
    ULONG_PTR start = (ULONG_PTR)any_block()->address, pointer;

    while (TRUE) {
        ULONG64 distance = 1 + (draw() >> 8) % ((ULONG64)1 << (4 + below(27)));
        BOOLEAN is_block = FALSE;
        pointer = below(2) ? start + distance : start - distance;
        if (below(2))
            pointer &= ~(ULONG_PTR)15;
        for (unsigned i = 0; i < BLOCKS; i++)
            is_block |= (ULONG_PTR)blocks[i].address == pointer;
        if (!is_block)
            break;
    }
    must_bug_check("astray", (void *)pointer, TAG, ALREADY_FREE | NO_POOLS | INSIDE | HEADER | WRONG_TAG);
}

static void free_shifted(void)
{
    struct block *b = any_block();
    SIZE_T shift;

    if (b->bytes < 2)
        return;
    shift = 1 + below(b->bytes - 1);
    if (below(2) && b->bytes > 16)
        shift = (1 + below((b->bytes - 1) / 16)) * 16;
    must_bug_check("shifted", b->address + shift, any_tag(), INSIDE);
}

static void *free_in_another_thread(void *argument)
{
    ExFreePoolWithTag(argument, TAG);
    return NULL;
}

/* Some blocks, here or in another thread, and then each of them again: the one freed last and those before it. */
static void free_doubled(void)
{
    unsigned first = (unsigned)below(BLOCKS - 4), count = 1 + (unsigned)below(4);
    pthread_t thread;

    for (unsigned i = first; i < first + count; i++) {
        if (below(4)) {
            ExFreePoolWithTag(blocks[i].address, TAG);
            continue;
        }
        assert_int_equal(pthread_create(&thread, NULL, free_in_another_thread, blocks[i].address), 0);
        pthread_join(thread, NULL);
    }
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = first; i < first + count; i++)
            must_bug_check("doubled", blocks[i].address, any_tag(), ALREADY_FREE);
    for (unsigned i = first; i < first + count; i++)
        allocate(&blocks[i]);
}

static void free_foreign(void)
{
    static int in_data;
    int on_stack;
    void *page, *heap;

    switch (below(6)) {
    case 0:
        heap = malloc(1 + below(10000));
        must_bug_check("foreign, malloc", heap, any_tag(), NO_POOLS);
        free(heap);
        break;
    case 1:
        must_bug_check("foreign, stack", &on_stack, any_tag(), NO_POOLS);
        break;
    case 2:
        must_bug_check("foreign, data", &in_data, any_tag(), NO_POOLS);
        break;
    case 3:
        must_bug_check("foreign, code", (void *)(ULONG_PTR)free_foreign, any_tag(), NO_POOLS);
        break;
    case 4:
        must_bug_check("foreign, text of the C library", (void *)(ULONG_PTR)&printf, any_tag(), NO_POOLS);
        break;
    default:
        page = mmap(NULL, PAGE_SIZE, below(2) ? PROT_NONE : PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(page, MAP_FAILED);
        must_bug_check("foreign, pages of the system", page, any_tag(), NO_POOLS);
        munmap(page, PAGE_SIZE);
        break;
    }
}

static void free_with_the_wrong_tag(void)
{
    must_bug_check("wrong tag", any_block()->address, TAG2, WRONG_TAG);
}

/* Blocks as small as these have their header in the 8 bytes before them. */
#define LARGEST_WITH_HEADER 240
#define HEADER_BYTES        8

static BOOLEAN count_one(PVOID Context, const EMU_POOL_BLOCK *Block)
{
    ++*(unsigned *)Context;
    return TRUE;
}

/* What an overrun of the block before does, an underrun, a stray bit, or a memset gone wrong. */
static void write_over(UCHAR *header)
{
    SIZE_T bytes = 1 + below(HEADER_BYTES);
    UCHAR value = (UCHAR)(below(2) ? draw() : below(2) * 0xff);

    switch (below(4)) {
    case 0:
        memset(header, value, bytes);
        break;
    case 1:
        memset(header + HEADER_BYTES - bytes, value, bytes);
        break;
    case 2:
        header[below(HEADER_BYTES)] ^= (UCHAR)(1 << below(8));
        break;
    default:
        for (SIZE_T i = 0; i < HEADER_BYTES; i++)
            header[i] = (UCHAR)draw();
        break;
    }
}

static void free_with_header_written_over(void)
{
    struct block *b = any_block();
    UCHAR saved[HEADER_BYTES], *header = b->address - HEADER_BYTES;
    unsigned blocks_seen = 0;

    if (b->bytes > LARGEST_WITH_HEADER)
        return;
    memcpy(saved, header, sizeof saved);
    write_over(header);
    if (memcmp(saved, header, sizeof saved) != 0) {
        EmuPoolVisit(count_one, &blocks_seen); /* must not stumble over it */
        assert_in_range(blocks_seen, BLOCKS - 1, 10 * BLOCKS);
        must_bug_check("header written over", b->address, any_tag(), HEADER | ALREADY_FREE | WRONG_TAG);
    }
    memcpy(header, saved, sizeof saved);
}

/* What lies in a block may be a copy of a header. */
static void free_imitation(void)
{
    struct block *b = any_block();
    const struct block *model = any_block();

    if (b->bytes < 48 || model->bytes > LARGEST_WITH_HEADER || model == b)
        return;
    for (SIZE_T at = 16; at + 16 <= b->bytes; at += 16)
        memcpy(b->address + at + 16 - HEADER_BYTES, model->address - HEADER_BYTES, HEADER_BYTES);
    for (SIZE_T at = 32; at < b->bytes; at += 16 * (1 + below(8)))
        must_bug_check("imitated header", b->address + at, any_tag(), INSIDE);
    memset(b->address, b->fill, b->bytes);
}

/* ---- all of them ---- */

static void replace_some(void)
{
    struct block *b = any_block();

    ExFreePoolWithTag(b->address, TAG);
    allocate(b);
}

static void make_one_attack(void)
{
    static void (*const kinds[])(void) = {
        free_wild,
        free_astray,
        free_shifted,
        free_doubled,
        free_foreign,
        free_with_the_wrong_tag,
        free_with_header_written_over,
        free_imitation,
    };

    kinds[below(sizeof kinds / sizeof *kinds)]();
    assert_pool_is_as_it_was();
    replace_some();
}

static void test_a_bad_free_is_a_bug_check_and_changes_nothing(void **state)
{
    print_message("seed %llu, %u attacks\n", (unsigned long long)seed, attacks);
    for (unsigned i = 0; i < BLOCKS; i++)
        allocate(&blocks[i]);
    for (attack = 1; attack <= attacks; attack++)
        make_one_attack();
    for (unsigned i = 0; i < BLOCKS; i++)
        ExFreePoolWithTag(blocks[i].address, TAG);
}

static int boot(void **state)
{
    static struct lab lab;

    lab_boot_unmapped(&lab, "nt4-sp6", 0);
    *state = &lab;
    return 0;
}

/* Also after a crash: its number is all that is needed to see it again. */
static int shut_down(void **state)
{
    if (attack <= attacks)
        print_error("stopped at attack %u\n", attack);
    else
        lab_shut_down(*state, 0);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_bad_free_is_a_bug_check_and_changes_nothing, boot, shut_down),
    };
    const char *soak = getenv("RDRLAB_SOAK");

    attacks = soak && *soak ? 100 * ATTACKS : ATTACKS;
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 0);
    if (argc > 2)
        attacks = (unsigned)strtoul(argv[2], NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
