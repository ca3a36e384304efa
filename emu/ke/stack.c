/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stack.h"

#include <pthread.h>

struct frame {
    const struct frame *caller;
    PVOID return_address;
};

/* Where this thread's stack ends: asked once, since the answer for the main thread is read from /proc. */
static ULONG_PTR stack_end(void)
{
    static _Thread_local ULONG_PTR end;
    pthread_attr_t attributes;
    void *base;
    size_t size;

    if (end)
        return end;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return end = 1;
    if (pthread_attr_getstack(&attributes, &base, &size) == 0)
        end = (ULONG_PTR)base + size;
    pthread_attr_destroy(&attributes);
    return end;
}

/* ASan may keep locals elsewhere, but frames are always on the real stack, each above the one before. */
__attribute__((noinline)) ULONG KiCaptureStack(ULONG Skip, PVOID *Frames, ULONG Count)
{
    const struct frame *frame = __builtin_frame_address(0);
    ULONG_PTR end = stack_end(), at;
    ULONG n = 0;

    frame = frame->caller; /* this function's own return address is in its caller */
    while (n < Count) {
        at = (ULONG_PTR)frame;
        if (at <= (ULONG_PTR)__builtin_frame_address(0) || at % sizeof(PVOID) || at + sizeof *frame > end ||
            !frame->return_address)
            break;
        if (Skip)
            Skip--;
        else
            Frames[n++] = frame->return_address;
        if ((ULONG_PTR)frame->caller <= at)
            break;
        frame = frame->caller;
    }
    for (ULONG i = n; i < Count; i++)
        Frames[i] = NULL;
    return n;
}
