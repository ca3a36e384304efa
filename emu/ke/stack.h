/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stack.h - who called, by frame pointers: cheap enough for every allocation. */
#ifndef NTEMU_KE_STACK_H
#define NTEMU_KE_STACK_H

#include <ntemu/nt.h>

/*
 * KiCaptureStack - return addresses of the calling thread, the caller's own first.
 *   Skip     innermost frames to leave out: 0 begins with the return address of KiCaptureStack's caller.
 *   Frames   out, Count of them; the rest is set to NULL.
 *   Returns  how many there are. A function built without a frame pointer ends the walk or hides its caller; it never
 *            leads the walk off the thread's stack.
 */
ULONG KiCaptureStack(ULONG Skip, PVOID *Frames, ULONG Count);

#endif
