/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * special.h - special pool: a block to a page, between two guard pages, in address space of its own.
 *
 *   guard | data | guard | data | guard ...       slot n: data page 2n+1; the guard before it is slot n-1's after
 *
 * A block lies at the end of its data page (overruns fault at once; up to seven bytes of slop are looked at when it is
 * freed) or at the start (underruns). A freed page is a guard itself until its slot comes round again, oldest first.
 * What is known of a block lies outside: no stray access reaches it.
 */
#ifndef NTEMU_EX_SPECIAL_H
#define NTEMU_EX_SPECIAL_H

#include "exp.h"

#include "ke/fault.h"

#define EXP_SPECIAL_LARGEST                                                                                            \
    (PAGE_SIZE - 16) /* documented: what fits a pool page (Q188831); x64's header is 16 bytes                          \
                      */

#define EXP_SPECIAL_UNDERRUN 1u /* the block lies at the start of its page */
#define EXP_SPECIAL_EXACT    4u /* it ends with its page to the byte, wherever it then begins */
#define EXP_SPECIAL_NT4      2u /* bug checks as NT 4.0's own special pool gave them, not Driver Verifier's */

/*
 * ExpAllocateSpecial - a block of special pool, counted and charged as any other of that pool.
 *   NumberOfBytes  1 to EXP_SPECIAL_LARGEST.
 *   Charged        whose quota gets it back when it is freed; NULL: nobody's.
 *   Returns  NULL when the pool's limit or the host refuses: the caller may then take an ordinary block.
 */
PVOID ExpAllocateSpecial(BOOLEAN Paged, SIZE_T NumberOfBytes, ULONG Use, PEPROCESS Charged, ULONG Flags);

/* Whether an address lies in special pool, whatever is there. Any thread, signal handlers too. */
BOOLEAN ExpIsSpecial(const void *Address);

/* ExpFreeSpecial - of an address in special pool. What is wrong with it is returned; Code 0: the block is free. */
EXP_STOP ExpFreeSpecial(PVOID P, ULONG Tag);

/* The block that an address belongs to, also one that has been freed, also from its guard page. */
typedef struct _EXP_SPECIAL_BLOCK {
    PVOID Address;
    SIZE_T NumberOfBytes;
    ULONG Tag;
    BOOLEAN Paged, Freed;
    const EMU_POOL_SITE *Site;
    EMU_CALL_STACK Allocated, FreedBy;
} EXP_SPECIAL_BLOCK;
BOOLEAN ExpFindSpecial(const void *Address, EXP_SPECIAL_BLOCK *Block);

/* The same as EmuPoolFind gives it: live blocks only. Their ages are not kept. */
BOOLEAN ExpFindLiveSpecial(const void *Address, EMU_POOL_BLOCK *Block);

/* Every live block; see EmuPoolVisit. Returns FALSE when the visitor did. */
BOOLEAN ExpVisitSpecial(EMU_POOL_VISITOR *Visitor, PVOID Context);

/* What a fault at an address of special pool is. KiFaultRetry: nothing is wrong with the address itself. */
KI_FAULT_VERDICT ExpJudgeSpecialFault(KI_FAULT *Fault);

/* Paged special pool out of reach at DISPATCH_LEVEL, or back. With the machine's processor taken. */
void ExpProtectSpecial(BOOLEAN OutOfReach);

/*
 * ExpInitializeSpecial - reserves the address space; once it is there nothing happens. FALSE: the host refuses.
 *   WithoutGuards  protect pages one by one although the kernel has MADV_GUARD_INSTALL: a few ten thousand blocks at
 *                  most, and slower. For tests of that way.
 * ExpShutdownSpecial - gives it back, with all that is in it.
 */
BOOLEAN ExpInitializeSpecial(BOOLEAN WithoutGuards);
void ExpShutdownSpecial(void);
/* Which build's bug checks are given: 6 for nt4-sp6a. */
void ExpSetServicePack(ULONG ServicePack);
/* Whether the kernel's guard pages are used; FALSE before ExpInitializeSpecial. */
BOOLEAN ExpSpecialHasGuards(void);

#endif
