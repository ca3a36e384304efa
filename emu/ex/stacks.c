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

/*
 * Code without frame pointers leaves anything in the register: only what points up the same stack is followed. What is
 * read there is the thread's own, whatever it means.
 */
__attribute__((no_sanitize("address", "thread"))) ULONG64 ExpWalkStack(const ULONG_PTR *Frame, ULONG_PTR StackEnd,
                                                                       EMU_POOL_STACK *Stack)
{
    ULONG64 hash = 0;
    ULONG depth = 0;

    while (depth < EMU_POOL_STACK_FRAMES && Frame[1]) {
        ULONG_PTR left = StackEnd - (ULONG_PTR)Frame - 2 * sizeof *Frame;
        /* Each frame by a factor of its own: no step waits for the one before. */
        hash += Frame[1] * (0x9e3779b97f4a7c15u * (2 * depth + 1));
        Stack->Frames[depth++] = (PVOID)Frame[1];
        if (Frame[0] - (ULONG_PTR)Frame - 1 >= left)
            break;
        Frame = (const ULONG_PTR *)Frame[0];
    }
    Stack->Depth = depth;
    return hash;
}

const EMU_POOL_STACK *ExpInternStack(const EMU_POOL_STACK *Stack, ULONG64 Hash)
{
    STACK_RECORD **bucket = &buckets[(Hash ^ Hash >> 32) % BUCKETS], *r;

    pthread_mutex_lock(&stacks_lock);
    for (r = *bucket; r; r = r->Next)
        if (r->Hash == Hash && r->Stack.Depth == Stack->Depth &&
            !memcmp(r->Stack.Frames, Stack->Frames, Stack->Depth * sizeof(PVOID)))
            break;
    if (!r && (r = calloc(1, sizeof *r))) {
        r->Stack.Depth = Stack->Depth;
        memcpy(r->Stack.Frames, Stack->Frames, Stack->Depth * sizeof(PVOID));
        r->Hash = Hash;
        r->Next = *bucket;
        *bucket = r;
    }
    pthread_mutex_unlock(&stacks_lock);
    return r ? &r->Stack : NULL;
}
