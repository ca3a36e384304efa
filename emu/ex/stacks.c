/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who called: the chain of frame pointers, and each stack kept once. */
#include "exp.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 65536u

typedef struct _STACK_RECORD {
    EMU_POOL_STACK Stack;
    ULONG64 Hash;
    struct _STACK_RECORD *Next;
} STACK_RECORD;

static pthread_mutex_t stacks_lock = PTHREAD_MUTEX_INITIALIZER;
static STACK_RECORD *buckets[BUCKETS];

/* As far as the key goes; a chain that comes to its own frames again only repeats them. */
__attribute__((no_sanitize("address", "thread"))) static void walk(const ULONG_PTR *frame, ULONG_PTR end,
                                                                   EMU_POOL_STACK *stack)
{
    const ULONG_PTR first = (ULONG_PTR)frame, room = end - first - 2 * sizeof *frame;

    stack->Depth = 0;
    while (stack->Depth < EMU_POOL_STACK_FRAMES && frame[1]) {
        stack->Frames[stack->Depth++] = (PVOID)frame[1];
        if (frame[0] - first >= room)
            break;
        frame = (const ULONG_PTR *)frame[0];
    }
}

const EMU_POOL_STACK *ExpInternStack(const ULONG_PTR *Frame, ULONG_PTR StackEnd, ULONG64 Hash)
{
    EMU_POOL_STACK stack;
    STACK_RECORD **bucket = &buckets[(Hash ^ Hash >> 32) % BUCKETS], *r;

    walk(Frame, StackEnd, &stack);
    pthread_mutex_lock(&stacks_lock);
    for (r = *bucket; r; r = r->Next)
        if (r->Hash == Hash && r->Stack.Depth == stack.Depth &&
            !memcmp(r->Stack.Frames, stack.Frames, stack.Depth * sizeof(PVOID)))
            break;
    if (!r && (r = calloc(1, sizeof *r))) {
        r->Stack.Depth = stack.Depth;
        memcpy(r->Stack.Frames, stack.Frames, stack.Depth * sizeof(PVOID));
        r->Hash = Hash;
        r->Next = *bucket;
        *bucket = r;
    }
    pthread_mutex_unlock(&stacks_lock);
    return r ? &r->Stack : NULL;
}
