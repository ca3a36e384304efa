/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leftovers.h - what a machine that shuts down finds of handles and objects, by name. */
#ifndef NTEMU_LEFTOVERS_H
#define NTEMU_LEFTOVERS_H

#include <ntemu/machine.h>

/* Handles, Left: before processes are run down. */
void EmupNoteHandles(EMU_MACHINE_AUDIT *Audit);
/* Objects, LeftObjects: when every handle is closed and the namespace is gone, and the pool still there. */
void EmupNoteObjects(EMU_MACHINE_AUDIT *Audit);
/* The pool is gone with whatever was left in it: the next machine counts from zero. */
void EmupForgetObjects(void);

#endif
