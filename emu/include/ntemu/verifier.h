/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verifier.h - Driver Verifier for the emulated machine, and NT 4.0's own special pool. docs/verifier.md says what each
 * option finds, with which bug check, and where it differs from NT.
 *
 * What the real verifier does to the drivers it is told of, this one does to the whole machine.
 */
#ifndef NTEMU_VERIFIER_H
#define NTEMU_VERIFIER_H

#include <ntemu/pool.h>

struct _DRIVER_OBJECT;

/* Bits of Flags: documented (verifier.exe /flags; the DDK's DRIVER_VERIFIER_ names). */
#define DRIVER_VERIFIER_SPECIAL_POOLING            0x00000001
#define DRIVER_VERIFIER_FORCE_IRQL_CHECKING        0x00000002
#define DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES 0x00000004
#define DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS     0x00000008
#define EMU_VERIFIER_SYSTEMATIC_LOW_RESOURCES      0x00040000 /* documented bit; the DDK has no name for it */
#define EMU_VERIFIER_ALL_FLAGS                                                                                         \
    (DRIVER_VERIFIER_SPECIAL_POOLING | DRIVER_VERIFIER_FORCE_IRQL_CHECKING |                                           \
     DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES | DRIVER_VERIFIER_TRACK_POOL_ALLOCATIONS |                             \
     EMU_VERIFIER_SYSTEMATIC_LOW_RESOURCES)

#define EMU_VERIFIER_DEFAULT_PROBABILITY 600 /* in 1/10,000: documented, 6 % */
#define EMU_VERIFIER_PATTERN             64

typedef struct _EMU_VERIFIER_OPTIONS {
    ULONG Flags;
    /* Low resources simulation, random or systematic. Patterns: several, separated by spaces, with * and ?; tags
     * compare with case. "" or all zero is everything. Sites are "rdr/create.c" or "rdr/create.c:82". */
    ULONG Probability; /* 1 to 10,000; 0: the default */
    ULONG64 Seed;      /* the same seed and the same calls: the same failures */
    char FaultTags[EMU_VERIFIER_PATTERN], FaultSites[EMU_VERIFIER_PATTERN];
    BOOLEAN ByStack; /* systematic: each call stack once, and not only each call site */
    /* Special pool of the verifier. */
    char SpecialTags[EMU_VERIFIER_PATTERN];
    BOOLEAN Underruns; /* blocks at the start of their pages */
    /* NT 4.0 SP4's special pool, as its registry values say it (documented: Q188831). Independent of Flags; a block
     * that both would take is NT 4.0's. */
    ULONG PoolTag;         /* 0: off. A tag with * and ?, in memory order ("*" is 0x2A); or a size below a page */
    ULONG PoolTagOverruns; /* 1: blocks at the end of their pages, 0: at the start */
    /* Both: a block ends with its page to the byte, so that not one can be read behind it unseen; NT leaves up to
     * seven. It may then begin at an odd address. For tags of strings and buffers; structures want to be aligned. */
    BOOLEAN Exact;
} EMU_VERIFIER_OPTIONS;

/* Counted since the options were set. Names as "verifier /query" and the debugger's !verifier show them. */
typedef struct _EMU_VERIFIER_STATISTICS {
    ULONG64 RaiseIrqls, AcquireSpinLocks;
    ULONG64 TrimRequests; /* times that paged memory was put out of reach */
    ULONG64 AllocationsAttempted, AllocationsSucceeded, AllocationsFailed;
    ULONG64 AllocationsSucceededSpecialPool;
    ULONG64 AllocationsFailedDeliberately; /* "faults injected" */
    ULONG SitesFailed;                     /* systematic: sites or stacks that are done */
    BOOLEAN GuardPages; /* special pool has the kernel's guard pages: no limit of blocks but memory */
} EMU_VERIFIER_STATISTICS;

/*
 * EmuVerifierSet - what is verified from now on; all zero ends it. Blocks that are in special pool stay there.
 *   IRQL      PASSIVE_LEVEL, on a running machine.
 *   Returns   STATUS_SUCCESS; STATUS_INVALID_PARAMETER (an unknown flag, a probability over 10,000, a pattern without
 *             its end, PoolTagOverruns over 1); STATUS_INVALID_DEVICE_STATE (no machine);
 *             STATUS_NO_MEMORY (the host has no address space for special pool).
 */
NTSTATUS EmuVerifierSet(const EMU_VERIFIER_OPTIONS *Options);

/* EmuVerifierQuery - either may be NULL. All zero without a machine. */
void EmuVerifierQuery(EMU_VERIFIER_OPTIONS *Options, EMU_VERIFIER_STATISTICS *Statistics);

/* One that systematic low resources simulation has failed. */
typedef struct _EMU_VERIFIER_SITE {
    const EMU_POOL_SITE *Site;
    ULONG Tag;
    ULONG64 Stack; /* ByStack: a hash of the call stack, else 0 */
} EMU_VERIFIER_SITE;

/* EmuVerifierSitesFailed - copies up to Count from First on; returns how many there are in all. */
ULONG EmuVerifierSitesFailed(ULONG First, EMU_VERIFIER_SITE *Sites, ULONG Count);

/*
 * EmuVerifierAddDriver - which pool is a driver's: that of call sites matching Sites ("rdr/?*", as FaultSites). With
 * pool tracking on, IoDeleteDriver bug checks 0xC4/0x62 if any of it is left behind DriverUnload. The real verifier
 * knows a driver's calls by its import table; all code of this machine is one image, so it has to be said. Driver   a
 * DRIVER_OBJECT, not referenced; forgotten when it is deleted. Saying it again replaces Sites. Returns  STATUS_SUCCESS,
 * STATUS_INVALID_PARAMETER (too long a pattern), STATUS_INSUFFICIENT_RESOURCES (16 drivers).
 */
NTSTATUS EmuVerifierAddDriver(struct _DRIVER_OBJECT *Driver, const char *Sites);

/*
 * The options as text, "0x5,faults=1000,tags=Rd*": the flags as a number, then any of faults=PROBABILITY, tags=,
 * sites=, seed=, bystack, special=TAGS, underruns, exact, pooltag=VALUE (0x2A, or characters: Rd*), overruns=0|1 (1
 * unless said). EmuVerifierParse   FALSE: Error says in one line what is wrong; Options is unchanged. EmuVerifierFormat
 * EMU_VERIFIER_TEXT bytes hold any.
 */
#define EMU_VERIFIER_TEXT 384
BOOLEAN EmuVerifierParse(const char *Text, EMU_VERIFIER_OPTIONS *Options, char *Error, SIZE_T ErrorSize);
void EmuVerifierFormat(const EMU_VERIFIER_OPTIONS *Options, char *Text, SIZE_T Size);

/* Whether a text matches one of the patterns, as FaultSites does. */
BOOLEAN EmuVerifierMatches(const char *Patterns, const char *Text);

#endif
