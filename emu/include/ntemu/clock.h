/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.h - the machine's clock, real or driven. docs/clock.md has the picture and examples.
 *
 * On a virtual clock nothing happens by itself: time stands still until somebody advances it. Then what is due happens
 * in order of due time, and of what was set first; and before each next thing, the threads that the last one woke run
 * until they wait again. Which threads that are is counted: the machine's system threads and workers always, others
 * between EmuClockEnterThread and EmuClockLeaveThread. So a run of minutes takes no longer than its work, and two runs
 * do the same.
 */
#ifndef NTEMU_CLOCK_H
#define NTEMU_CLOCK_H

#include <ntemu/nt.h>

typedef enum _EMU_CLOCK {
    EmuClockReal,       /* the host's */
    EmuClockVirtual,    /* stands still until EmuClockAdvance or EmuClockAdvanceToNext */
    EmuClockVirtualIdle /* besides, jumps to what is due next when a thread that is not a system thread waits, and every
                         * thread that counts waits too */
} EMU_CLOCK;

/* Where a virtual clock begins: 1 January 1999, 00:00 UTC. */
#define EMU_CLOCK_START 125596224000000000LL

typedef struct _EMU_CLOCK_STATE {
    EMU_CLOCK Kind;
    LONGLONG SystemTime;    /* 100 ns since 1601 */
    LONGLONG InterruptTime; /* 100 ns since boot */
    LONGLONG NextDue;       /* InterruptTime of what is due next; -1: nothing is */
    ULONG Timers;           /* set */
    ULONG TimedWaits;       /* waits with a timeout on a virtual clock, and delays */
    ULONG Busy;             /* threads that count and run, and holds; virtual clock only */
    ULONG64 Expirations;    /* timers and timed waits that ended by time, since boot */
} EMU_CLOCK_STATE;

/* EmuClockQuery - any IRQL. */
void EmuClockQuery(EMU_CLOCK_STATE *State);

/*
 * EmuClockAdvance        lets Time (100 ns units) pass: runs everything that becomes due, then returns. DPCs run on the
 *                        calling thread. Waits first until no counted thread runs.
 * EmuClockAdvanceToNext  as far as the next thing that is due. *Passed, out, may be NULL: how much time that was.
 *   IRQL      < DISPATCH_LEVEL, else bug check 0xA.
 *   Returns   STATUS_SUCCESS; STATUS_INVALID_DEVICE_STATE (the clock is real); STATUS_INVALID_PARAMETER (time below 0);
 *             EmuClockAdvanceToNext also STATUS_NO_MORE_ENTRIES (nothing is due, ever).
 */
NTSTATUS EmuClockAdvance(LONGLONG Time);
NTSTATUS EmuClockAdvanceToNext(LONGLONG *Passed);

/*
 * EmuClockEnterThread, EmuClockLeaveThread - between them the calling thread counts: a virtual clock stands still while
 * it runs. It must not wait then for anything that a virtual clock does not know of (pthread_join, a socket), unless in
 * a hold's stead it has left. No nesting. Nothing on a real clock. Whoever starts a thread and then advances the clock
 * should take a hold until the thread has entered.
 */
void EmuClockEnterThread(void);
void EmuClockLeaveThread(void);

/* EmuClockHold, EmuClockRelease - something outside of the machine is under way (a request to a real server): a virtual
 * clock stands still. Any thread, any IRQL; nests; the release may be another thread's. Nothing on a real clock. */
void EmuClockHold(void);
void EmuClockRelease(void);

#endif
