/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.h - which layer decided the status of a call, and why; and what the call took of the pool.
 *
 * Code that originates a status says so with EMU_DECIDE, and what it passes on the way with EMU_STEP. A thread that
 * traces collects both, and every block it allocates or frees, until its trace ends. docs/trace.md shows how to read
 * one.
 *
 * What belongs to a call: what its thread does between EmuTraceBegin and EmuTraceEnd, at whatever depth, and what other
 * threads do in the completion or the cancelling of a request that the redirector sent for it. Not what a driver hands
 * to a thread of its own (unless it uses EmuTraceCarry), nor what completes after the call has returned: a block that
 * is then still in use counts as kept. Entries of a lookaside list count when the list takes them from the pool.
 *
 * A trace needs no pool and changes nothing that it looks at: the traced thread goes the pool's slow way, which takes
 * the same blocks from the same lists. Other threads do not notice. Off, EMU_DECIDE and EMU_STEP cost the load of one
 * thread-local pointer and a branch.
 */
#ifndef NTEMU_TRACE_H
#define NTEMU_TRACE_H

#include <ntemu/nt.h>
#include <ntemu/pool.h>

/* A place in the source that says something. */
typedef struct _EMU_TRACE_PLACE {
    const char *Layer; /* "Ob", "Io", "Mm", "Mup", "Rdr", "Smb", or a driver's own short name */
    const char *File, *Function;
    ULONG Line;
} EMU_TRACE_PLACE;

typedef enum _EMU_TRACE_KIND {
    EmuTraceCall,    /* a service was called with these parameters */
    EmuTraceStep,    /* something that decides nothing */
    EmuTraceDecision /* a status was decided here */
} EMU_TRACE_KIND;

typedef struct _EMU_TRACE_EVENT {
    EMU_TRACE_KIND Kind;
    const EMU_TRACE_PLACE *Place;
    NTSTATUS Status;  /* of a decision */
    const char *Text; /* UTF-8; control characters are replaced by their pictures (U+2400 and on) */
} EMU_TRACE_EVENT;

typedef struct _EMU_TRACE_SUM {
    ULONG64 Blocks, Bytes; /* bytes as asked for */
} EMU_TRACE_SUM;

/* What the call did in one pool, or of it for one tag and call site. */
typedef struct _EMU_TRACE_SUMS {
    EMU_TRACE_SUM Taken;    /* blocks that the call allocated */
    EMU_TRACE_SUM Returned; /* those of them that it freed */
    EMU_TRACE_SUM Kept;     /* those that it did not: Taken less Returned */
    EMU_TRACE_SUM Older;    /* blocks from before the call that it freed */
} EMU_TRACE_SUMS;

typedef struct _EMU_TRACE_USE {
    ULONG Tag;
    BOOLEAN Paged;
    const EMU_POOL_SITE *Site; /* where the blocks were allocated; lives as long as the process */
    EMU_TRACE_SUMS Sums;
} EMU_TRACE_USE;

typedef struct _EMU_TRACE_POOL {
    EMU_TRACE_SUMS Sums;
    ULONG64 Refused; /* allocations that failed */
    LONG64 Pages;    /* that the pool was granted for the call, less those it gave back in it */
} EMU_TRACE_POOL;

/* A trace; all is valid from its end until it begins anew or is freed. */
typedef struct _EMU_TRACE {
    NTSTATUS Status;               /* as told to EmuTraceEnd */
    const EMU_TRACE_EVENT *Events; /* EventCount of them, in order */
    ULONG EventCount;
    ULONG EventsDropped;       /* there was no room for these */
    ULONG UnderWay;            /* requests sent for the call that were not complete when it ended */
    EMU_TRACE_POOL Pool[2];    /* by POOL_TYPE: NonPagedPool, PagedPool */
    const EMU_TRACE_USE *Uses; /* UseCount of them, in the order of their first block */
    ULONG UseCount;
    ULONG64 NotFollowed; /* blocks for which there was no room: if it is not 0, Returned and Older are not exact */
} EMU_TRACE, *PEMU_TRACE;

/*
 * EmuTraceBegin - the calling thread traces from now on.
 *   Trace    in: NULL, or a trace that has ended, which is used again. Out: the trace; the caller owns it until
 *            EmuTraceFree.
 *   Returns  STATUS_SUCCESS, STATUS_NO_MEMORY (of the host; *Trace is as it was).
 * Traces nest: what happens in an inner one is in the outer as well. Any IRQL.
 */
NTSTATUS EmuTraceBegin(PEMU_TRACE *Trace);

/*
 * EmuTraceEnd - ends the calling thread's innermost trace, which must be Trace. Status is the call's, for the report.
 * Waits for threads that are just completing a request for the call. IRQL < DISPATCH_LEVEL.
 */
void EmuTraceEnd(PEMU_TRACE Trace, NTSTATUS Status);

/* EmuTraceFree - accepts NULL. The trace must have ended. */
void EmuTraceFree(PEMU_TRACE Trace);

/*
 * EmuTraceDecider - the event that decided: the last decision of the trace's Status. NULL: nobody said so (a success
 * needs no decider).
 */
const EMU_TRACE_EVENT *EmuTraceDecider(const EMU_TRACE *Trace);

/* Blocks and bytes that the call kept, of both pools. */
EMU_TRACE_SUM EmuTraceKept(const EMU_TRACE *Trace);

/*
 * EmuTraceText - the whole trace as lines of text, each ending in a newline: the call, its steps, the status and who
 * decided it, what the pool gave. At most Size bytes with the terminator.
 *   Returns  the length it has or would have, without the terminator, as snprintf does.
 */
SIZE_T EmuTraceText(const EMU_TRACE *Trace, char *Text, SIZE_T Size);

/* EmuTraceJson - the same as one JSON object on one line, without a newline; docs/trace.md has its members. */
SIZE_T EmuTraceJson(const EMU_TRACE *Trace, char *Text, SIZE_T Size);

/*
 * EmuTraceCarry - work for the calling thread's trace, if it has one, goes on elsewhere under Key, an address that the
 * other thread will know. EmuTraceResume makes the calling thread work for the trace that Key was carried for, once,
 * until it calls EmuTraceLeave with what that returned. All three do nothing where nothing was carried. Any IRQL.
 */
typedef struct _EMU_TRACE_TURN {
    PEMU_TRACE Trace;  /* NULL: none */
    PEMU_TRACE Before; /* what the thread traced */
} EMU_TRACE_TURN;
static inline void EmuTraceCarry(const void *Key);
static inline EMU_TRACE_TURN EmuTraceResume(const void *Key);
static inline void EmuTraceLeave(EMU_TRACE_TURN Turn);

/*
 * EmuStatusName - "STATUS_OBJECT_NAME_INVALID" (documented: ntstatus.h, as Wine has it), for those that occur here;
 * NULL for others. RtlNtStatusToDosError knows the same ones.
 */
const char *EmuStatusName(NTSTATUS Status);

/* ---- how to say something ---- */

/*
 * EMU_DECIDE - "Layer decides this Status, for this reason". An expression whose value is Status.
 * EMU_STEP   - something on the way. EMU_CALL: a service was entered with these parameters. Statements.
 *   Format   printf's, and %wZ for a PCUNICODE_STRING; no %n, no *. Followed by its arguments, which are evaluated only
 *            while the thread traces.
 * Any IRQL at which the arguments may be read. A call's text begins with the name of the service.
 * EMU_TRACING - whether the calling thread traces, where something has to be prepared.
 */
#define EMU_TRACING() EMU_TRACING_
/* The value is Status itself, not what EmuTraceDecide_ makes of it: a reader and an analyser see that it is an error.
 */
#define EMU_DECIDE(Layer, Status, ...)                                                                                 \
    __extension__({                                                                                                    \
        const NTSTATUS Status_ = (Status);                                                                             \
        if (EMU_TRACING_)                                                                                              \
            EmuTraceDecide_(EMU_TRACE_HERE_(Layer), Status_, __VA_ARGS__);                                             \
        Status_;                                                                                                       \
    })
#define EMU_STEP(Layer, ...) (EMU_TRACING_ ? EmuTraceSay_(EmuTraceStep, EMU_TRACE_HERE_(Layer), __VA_ARGS__) : (void)0)
#define EMU_CALL(Layer, ...) (EMU_TRACING_ ? EmuTraceSay_(EmuTraceCall, EMU_TRACE_HERE_(Layer), __VA_ARGS__) : (void)0)

/* ---- nothing below is for direct use ---- */

extern __thread PEMU_TRACE EmuTrace_ __attribute__((tls_model("initial-exec"))); /* the innermost; NULL: none */
extern ULONG EmuTraceCarried_;                                                   /* atomic: keys under way */

#define EMU_TRACING_ __builtin_expect(EmuTrace_ != NULL, 0)
#define EMU_TRACE_HERE_(Layer)                                                                                         \
    __extension__({                                                                                                    \
        static const EMU_TRACE_PLACE Place_ = {Layer, __FILE__, __func__, __LINE__};                                   \
        &Place_;                                                                                                       \
    })

__attribute__((cold)) void EmuTraceDecide_(const EMU_TRACE_PLACE *Place, NTSTATUS Status, const char *Format, ...);
__attribute__((cold)) void EmuTraceSay_(EMU_TRACE_KIND Kind, const EMU_TRACE_PLACE *Place, const char *Format, ...);
__attribute__((cold)) void EmuTraceCarry_(const void *Key);
__attribute__((cold)) EMU_TRACE_TURN EmuTraceResume_(const void *Key);
__attribute__((cold)) void EmuTraceLeave_(EMU_TRACE_TURN Turn);

static inline void EmuTraceCarry(const void *Key)
{
    if (EMU_TRACING_)
        EmuTraceCarry_(Key);
}

static inline EMU_TRACE_TURN EmuTraceResume(const void *Key)
{
    EMU_TRACE_TURN none = {NULL, NULL};

    return __builtin_expect(__atomic_load_n(&EmuTraceCarried_, __ATOMIC_RELAXED) != 0, 0) ? EmuTraceResume_(Key) : none;
}

static inline void EmuTraceLeave(EMU_TRACE_TURN Turn)
{
    if (__builtin_expect(Turn.Trace != NULL, 0))
        EmuTraceLeave_(Turn);
}

#endif
