/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracep.h - inside a trace.
 *   trace.c      its life, the threads that work for it, what they say
 *   tracepool.c  what they do in the pool
 *   tracetext.c  texts
 *   tracejson.c  the same for programs
 *
 * A trace is one block of host memory of fixed size: what finds no room is counted. Its lock guards all of it, and
 * nobody who holds it waits for another or touches the pool, so it may be taken at any IRQL.
 */
#ifndef NTEMU_EX_TRACEP_H
#define NTEMU_EX_TRACEP_H

#include <ntemu/trace.h>
#include <pthread.h>

#define EXP_TRACE_EVENTS 256u
#define EXP_TRACE_TEXT   32768u /* bytes, of all events */
#define EXP_TRACE_LINE   1024u  /* bytes, of one event */
#define EXP_TRACE_USES   256u
#define EXP_TRACE_BLOCKS 4096u /* a power of two; at most half of them are used */

/* A block that the call took and has not given back. */
typedef struct _EXP_TRACE_BLOCK {
    const void *Address; /* NULL: the place is free */
    SIZE_T Bytes;
    ULONG Use; /* index into Uses */
} EXP_TRACE_BLOCK;

typedef struct _EXP_TRACE {
    EMU_TRACE Public;
    struct _EXP_TRACE *Outer; /* of the thread that began it */
    pthread_mutex_t Lock;
    pthread_cond_t Left;
    ULONG Threads; /* others that are at work for it */
    EMU_TRACE_EVENT Events[EXP_TRACE_EVENTS];
    ULONG TextUsed;
    char Text[EXP_TRACE_TEXT];
    EMU_TRACE_USE Uses[EXP_TRACE_USES];
    ULONG BlockCount;
    EXP_TRACE_BLOCK Blocks[EXP_TRACE_BLOCKS];
} EXP_TRACE;

static inline EXP_TRACE *ExpTraceOf(PEMU_TRACE Trace)
{
    return CONTAINING_RECORD(Trace, EXP_TRACE, Public);
}

/* ---- tracepool.c: called by the pool on a thread that traces ---- */

void ExpTraceTook(const void *Block, ULONG Tag, BOOLEAN Paged, const EMU_POOL_SITE *Site, SIZE_T Bytes);
void ExpTraceGave(const void *Block, ULONG Tag, BOOLEAN Paged, const EMU_POOL_SITE *Site, SIZE_T Bytes);
void ExpTraceRefused(BOOLEAN Paged);
void ExpTracePages(BOOLEAN Paged, LONG64 Pages);

/* ---- tracetext.c ---- */

/* vsnprintf with %wZ; cut to Size at the end of a character, with control characters made visible. Returns the length.
 */
SIZE_T ExpTraceFormat(char *Text, SIZE_T Size, const char *Format, va_list Arguments);

/* Text that grows to Size, and is measured beyond. */
typedef struct _EXP_LINES {
    char *Text;
    SIZE_T Size;
    SIZE_T Length; /* also of what found no room */
} EXP_LINES;
void ExpPrint(EXP_LINES *Lines, const char *Format, ...) __attribute__((format(printf, 2, 3)));

/* "rdr/name.c" of a place. */
const char *ExpPlaceFile(const EMU_TRACE_PLACE *Place);

#endif
