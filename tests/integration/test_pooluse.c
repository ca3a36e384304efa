/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test_pooluse.c - listings of the pool's use that are longer than any message. */
#include "pooluse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ntemu/machine.h>

#define TAGS 1000 /* a use is a row for each tag, also at one call site */
#define ROOM 7

static PVOID blocks[2 * TAGS];

static ULONG tag_of(unsigned number)
{
    return POOL_TAG('t', 'a' + number / 100, '0' + number / 10 % 10, '0' + number % 10);
}

static void allocate(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        blocks[i] = ExAllocatePoolWithTag(PagedPool, 10 + i % 7, tag_of(i));
}

static int boot(void **state)
{
    char error[256];

    return NT_SUCCESS(EmuMachineBoot(NULL, error, sizeof(error))) ? 0 : -1;
}

static int shut_down(void **state)
{
    for (unsigned i = 0; i < 2 * TAGS; i++) {
        if (blocks[i])
            ExFreePoolWithTag(blocks[i], tag_of(i));
        blocks[i] = NULL;
    }
    EmuMachineShutdown(NULL);
    return 0;
}

/* Notes a row of ours; fails on one met before. */
static void check_off(const struct wire_pool_site *site, unsigned char *met)
{
    for (unsigned i = 0; i < 2 * TAGS; i++) {
        ULONG tag = tag_of(i);

        if (memcmp(site->key.tag, &tag, sizeof(tag)) != 0)
            continue;
        assert_int_equal(met[i]++, 0);
        assert_int_equal(site->use.live_bytes, 10 + i % 7);
        assert_true(site->use.block_bytes >= site->use.live_bytes);
        assert_int_equal(site->use.allocations, 1);
        assert_string_equal(site->function, "allocate");
    }
}

static void test_a_long_listing_has_each_row_once_while_rows_appear(void **state)
{
    static unsigned char met[2 * TAGS];
    struct wire_pool_site sites[ROOM];
    struct wire_pool_key after = {0};
    size_t count = 0;
    unsigned more = TAGS;

    allocate(0, TAGS);
    do {
        assert_int_equal(pooluse_sites(&after, sites, ROOM, &count), STATUS_SUCCESS);
        for (size_t i = 0; i < count; i++)
            check_off(&sites[i], met);
        if (count)
            after = sites[count - 1].key;
        if (more < 2 * TAGS)
            allocate(more, more + 1), more++;
    } while (count);
    for (unsigned i = 0; i < TAGS; i++)
        assert_int_equal(met[i], 1);
}

/* No tail calls: each of these is to be in the stack. */
#define STAY(block) __asm__ volatile("" : : "r"(block) : "memory")

static __attribute__((noinline)) PVOID from_here(void)
{
    PVOID block = ExAllocatePoolWithTag(PagedPool, 100, POOL_TAG('S', 't', 'c', 'k'));

    STAY(block);
    return block;
}

static __attribute__((noinline)) PVOID from_there(void)
{
    PVOID block = from_here();

    STAY(block);
    return block;
}

static void test_stacks_of_a_site_add_up_and_have_names(void **state)
{
    struct wire_pool_stacks after = {0};
    struct wire_pool_stack stack;
    struct wire_pool_site site;
    ULONG before = EmuPoolTrack(EMU_POOL_TRACK_STACKS), tag = POOL_TAG('S', 't', 'c', 'k');
    PVOID kept[3] = {from_here(), from_there(), from_here()};
    size_t count;
    unsigned stacks = 0, through_there = 0;
    uint64_t live = 0;

    EmuPoolTrack(before);
    do {
        assert_int_equal(pooluse_sites(&after.key, &site, 1, &count), STATUS_SUCCESS);
        assert_int_equal(count, 1);
        after.key = site.key;
    } while (memcmp(site.key.tag, &tag, sizeof(tag)) != 0);
    for (;;) {
        assert_int_equal(pooluse_stacks(&after, &stack, 1, &count), STATUS_SUCCESS);
        if (count == 0)
            break;
        assert_true(stack.stack > after.stack);
        after.stack = stack.stack;
        stacks++;
        live += stack.use.live_blocks;
        assert_non_null(strstr(stack.frames[0].text, "from_here+0x"));
        assert_non_null(strstr(stack.frames[0].text, "(test_pooluse)"));
        through_there += strstr(stack.frames[1].text, "from_there+0x") != NULL;
    }
    for (int i = 0; i < 3; i++)
        ExFreePoolWithTag(kept[i], tag);
    assert_int_equal(stacks, site.stacks);
    assert_true(stacks >= 2);
    assert_int_equal(live, 3);
    assert_int_equal(through_there, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_long_listing_has_each_row_once_while_rows_appear, boot, shut_down),
        cmocka_unit_test_setup_teardown(test_stacks_of_a_site_add_up_and_have_names, boot, shut_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
