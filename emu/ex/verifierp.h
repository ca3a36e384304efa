/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verifierp.h - where the pool and the I/O manager ask the verifier. All of it does nothing while no option is on. */
#ifndef NTEMU_EX_VERIFIERP_H
#define NTEMU_EX_VERIFIERP_H

#include <ntemu/verifier.h>

#include "exp.h"

#include "ke/fault.h"

/* The rules of an allocation, by NT 4.0's codes or, with the verifier on, by its own. Raises the bug check. */
void ExpCheckAllocation(POOL_TYPE Type, SIZE_T Bytes);

/*
 * ExpVerifyAllocation - what the verifier does with an allocation.
 *   Charged  whose quota it is charged to; NULL: nobody's.
 *   Block    out: a block of special pool, or NULL.
 *   Returns  TRUE: *Block is the answer; NULL means that the allocation is to be refused. FALSE: an ordinary block.
 */
BOOLEAN ExpVerifyAllocation(POOL_TYPE Type, SIZE_T Bytes, ULONG Use, PEPROCESS Charged, BOOLEAN MustSucceed,
                            PVOID *Block);
/* What became of it in the end. */
void ExpVerifierSawAllocation(BOOLEAN Succeeded);

/* What is wrong with a free, as the verifier says it. */
EXP_STOP ExpVerifierStop(EXP_STOP Stop);

/* IoDeleteDriver, behind DriverUnload. Raises the bug check. */
void ExpVerifyUnload(PDRIVER_OBJECT Driver);

/* What the pool and the verifier know of a bug check. */
void ExpDescribeBugCheck(EMU_BUG_CHECK *BugCheck);

/* Around the life of a machine. */
void ExpInitializeVerifier(void);
void ExpShutdownVerifier(void);

#endif
