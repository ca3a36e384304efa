/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine has a row for each (site, tag, pool, stack); a listing has one for each (site, tag, pool). */
#include "pooluse.h"

#include "symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wire_pool_key key_of(const EMU_POOL_USE *use)
{
    struct wire_pool_key key = {.site = (uint64_t)(ULONG_PTR)use->Site, .paged = use->Paged != 0};

    memcpy(key.tag, &use->Tag, sizeof(key.tag));
    return key;
}

static uint64_t stack_of(const EMU_POOL_USE *use)
{
    return (uint64_t)(ULONG_PTR)use->Stack;
}

static int compare_keys(const struct wire_pool_key *a, const struct wire_pool_key *b)
{
    int tags = memcmp(a->tag, b->tag, sizeof(a->tag));

    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    return tags != 0 ? tags : (a->paged > b->paged) - (a->paged < b->paged);
}

static int in_order(const void *left, const void *right)
{
    const EMU_POOL_USE *a = left, *b = right;
    struct wire_pool_key key_a = key_of(a), key_b = key_of(b);
    int keys = compare_keys(&key_a, &key_b);

    return keys != 0 ? keys : (stack_of(a) > stack_of(b)) - (stack_of(a) < stack_of(b));
}

static NTSTATUS take_in_order(EMU_POOL_SNAPSHOT *snapshot)
{
    NTSTATUS status = EmuPoolTakeSnapshot(snapshot);

    if (NT_SUCCESS(status) && snapshot->Count)
        qsort(snapshot->Uses, snapshot->Count, sizeof(*snapshot->Uses), in_order);
    return status;
}

static void add_use(struct wire_pool_use *sum, const EMU_POOL_USE *use)
{
    sum->allocations += use->Allocations;
    sum->frees += use->Frees;
    sum->live_blocks += (uint64_t)use->LiveBlocks;
    sum->live_bytes += (uint64_t)use->LiveBytes;
    sum->block_bytes += (uint64_t)use->LiveBlockBytes;
    sum->peak_bytes += use->PeakBytes;
}

/* Of what is too long, the end: folders are worth less than the file's name. */
static void copy_end(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);

    if (length < size)
        memcpy(to, from, length + 1);
    else
        snprintf(to, size, "...%s", from + length - (size - 4));
}

static struct wire_pool_site site_of(const EMU_POOL_USE *use)
{
    struct wire_pool_site site = {.key = key_of(use), .line = use->Site->Line};

    copy_end(site.file, sizeof(site.file), EmuPoolSiteFile(use->Site));
    snprintf(site.function, sizeof(site.function), "%s", use->Site->Function ? use->Site->Function : "");
    return site;
}

NTSTATUS pooluse_sites(const struct wire_pool_key *after, struct wire_pool_site *sites, size_t room, size_t *ret_count)
{
    EMU_POOL_SNAPSHOT snapshot;
    size_t count = 0;
    NTSTATUS status = take_in_order(&snapshot);

    if (!NT_SUCCESS(status))
        return status;
    for (ULONG i = 0; i < snapshot.Count; i++) {
        const EMU_POOL_USE *use = &snapshot.Uses[i];
        struct wire_pool_key key = key_of(use);

        if (compare_keys(&key, after) <= 0)
            continue;
        if (count == 0 || compare_keys(&key, &sites[count - 1].key) != 0) {
            if (count == room)
                break;
            sites[count++] = site_of(use);
        }
        add_use(&sites[count - 1].use, use);
        sites[count - 1].stacks += use->Stack != NULL;
    }
    EmuPoolFreeSnapshot(&snapshot);
    *ret_count = count;
    return STATUS_SUCCESS;
}

_Static_assert(EMU_POOL_STACK_FRAMES <= WIRE_STACK_FRAMES, "a stack fits into a message");

static struct wire_pool_stack describe_stack(struct symbols *symbols, const EMU_POOL_USE *use)
{
    struct wire_pool_stack stack = {.stack = stack_of(use)};

    add_use(&stack.use, use);
    while (stack.depth < use->Stack->Depth) {
        uint64_t address = (uint64_t)(ULONG_PTR)use->Stack->Frames[stack.depth];

        stack.frames[stack.depth].address = address;
        symbols_describe(symbols, address, stack.frames[stack.depth].text, sizeof(stack.frames[0].text));
        stack.depth++;
    }
    return stack;
}

NTSTATUS pooluse_stacks(const struct wire_pool_stacks *after, struct wire_pool_stack *stacks, size_t room,
                        size_t *ret_count)
{
    struct symbols *symbols = NULL;
    EMU_POOL_SNAPSHOT snapshot;
    size_t count = 0;
    NTSTATUS status = take_in_order(&snapshot);

    if (!NT_SUCCESS(status))
        return status;
    for (ULONG i = 0; i < snapshot.Count && count < room; i++) {
        const EMU_POOL_USE *use = &snapshot.Uses[i];
        struct wire_pool_key key = key_of(use);

        if (!use->Stack || stack_of(use) <= after->stack || compare_keys(&key, &after->key) != 0)
            continue;
        if (!symbols)
            symbols = symbols_open();
        stacks[count++] = describe_stack(symbols, use);
    }
    symbols_close(symbols);
    EmuPoolFreeSnapshot(&snapshot);
    *ret_count = count;
    return STATUS_SUCCESS;
}
