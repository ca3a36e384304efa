/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A trace's life, the threads that work for it, and what they say. */
#include "tracep.h"

#include <stdlib.h>
#include <string.h>

#include "exp.h"

#define CARRIED_MAX 256u
/* Kept free of steps, so that there is room for what was decided. */
#define EVENTS_FOR_DECISIONS 32u
#define TEXT_FOR_DECISIONS   (4 * EXP_TRACE_LINE)

__thread PEMU_TRACE EmuTrace_;

/* ---- life ---- */

static void forget(EXP_TRACE *t)
{
    memset(&t->Public, 0, sizeof t->Public);
    if (t->BlockCount)
        memset(t->Blocks, 0, sizeof t->Blocks);
    t->BlockCount = 0;
    t->TextUsed = 0;
    t->Public.Events = t->Events;
    t->Public.Uses = t->Uses;
}

NTSTATUS EmuTraceBegin(PEMU_TRACE *Trace)
{
    EXP_TRACE *t = *Trace ? ExpTraceOf(*Trace) : calloc(1, sizeof *t);

    if (!t)
        return STATUS_NO_MEMORY;
    if (!*Trace) {
        pthread_mutex_init(&t->Lock, NULL);
        pthread_cond_init(&t->Left, NULL);
        *Trace = &t->Public;
    }
    forget(t);
    t->Outer = EmuTrace_ ? ExpTraceOf(EmuTrace_) : NULL;
    EmuTrace_ = &t->Public;
    ExpGoSlow();
    return STATUS_SUCCESS;
}

void EmuTraceFree(PEMU_TRACE Trace)
{
    EXP_TRACE *t = Trace ? ExpTraceOf(Trace) : NULL;

    if (!t)
        return;
    pthread_cond_destroy(&t->Left);
    pthread_mutex_destroy(&t->Lock);
    free(t);
}

/* ---- other threads ---- */

static struct {
    const void *Key;
    EXP_TRACE *Trace;
} carried[CARRIED_MAX];
static pthread_mutex_t carried_lock = PTHREAD_MUTEX_INITIALIZER;
ULONG EmuTraceCarried_; /* of the entries; written under the lock */

static void set_entry(ULONG index, const void *key, EXP_TRACE *trace)
{
    carried[index].Key = key;
    carried[index].Trace = trace;
    __atomic_add_fetch(&EmuTraceCarried_, trace ? 1 : -1, __ATOMIC_SEQ_CST);
}

/* CARRIED_MAX: there is none. */
static ULONG find_entry(const void *key)
{
    ULONG i = 0;

    while (i < CARRIED_MAX && carried[i].Key != key)
        i++;
    return i;
}

void EmuTraceCarry_(const void *Key)
{
    ULONG i;

    pthread_mutex_lock(&carried_lock);
    i = find_entry(NULL);
    if (i < CARRIED_MAX)
        set_entry(i, Key, ExpTraceOf(EmuTrace_));
    pthread_mutex_unlock(&carried_lock);
}

static EXP_TRACE *take_carried(const void *key)
{
    EXP_TRACE *trace = NULL;
    ULONG i;

    pthread_mutex_lock(&carried_lock);
    i = find_entry(key);
    if (i < CARRIED_MAX) {
        trace = carried[i].Trace;
        set_entry(i, NULL, NULL);
        pthread_mutex_lock(&trace->Lock);
        trace->Threads++;
        pthread_mutex_unlock(&trace->Lock);
    }
    pthread_mutex_unlock(&carried_lock);
    return trace;
}

EMU_TRACE_TURN EmuTraceResume_(const void *Key)
{
    EXP_TRACE *trace = take_carried(Key);
    EMU_TRACE_TURN turn = {trace ? &trace->Public : NULL, EmuTrace_};

    /* The call's own thread may be within another trace by now: that one has the former around it, and all goes there.
     */
    for (EXP_TRACE *t = EmuTrace_ ? ExpTraceOf(EmuTrace_) : NULL; t; t = t->Outer)
        if (t == trace)
            return turn;
    if (trace) {
        EmuTrace_ = &trace->Public;
        ExpGoSlow();
    }
    return turn;
}

void EmuTraceLeave_(EMU_TRACE_TURN Turn)
{
    EXP_TRACE *t = ExpTraceOf(Turn.Trace);

    EmuTrace_ = Turn.Before;
    pthread_mutex_lock(&t->Lock);
    t->Threads--;
    pthread_cond_broadcast(&t->Left);
    pthread_mutex_unlock(&t->Lock);
}

static ULONG forget_carried(EXP_TRACE *trace)
{
    ULONG count = 0;

    pthread_mutex_lock(&carried_lock);
    for (ULONG i = 0; i < CARRIED_MAX; i++)
        if (carried[i].Trace == trace) {
            set_entry(i, NULL, NULL);
            count++;
        }
    pthread_mutex_unlock(&carried_lock);
    return count;
}

void EmuTraceEnd(PEMU_TRACE Trace, NTSTATUS Status)
{
    EXP_TRACE *t = ExpTraceOf(Trace);

    EmuTrace_ = t->Outer ? &t->Outer->Public : NULL;
    Trace->UnderWay = __atomic_load_n(&EmuTraceCarried_, __ATOMIC_SEQ_CST) ? forget_carried(t) : 0;
    pthread_mutex_lock(&t->Lock);
    while (t->Threads)
        pthread_cond_wait(&t->Left, &t->Lock);
    pthread_mutex_unlock(&t->Lock);
    Trace->Status = Status;
}

/* ---- what they say ---- */

static void append(EXP_TRACE *t, EMU_TRACE_KIND kind, const EMU_TRACE_PLACE *place, NTSTATUS status, const char *text,
                   SIZE_T length)
{
    BOOLEAN decides = kind == EmuTraceDecision;
    ULONG events = EXP_TRACE_EVENTS - (decides ? 0 : EVENTS_FOR_DECISIONS);
    SIZE_T room = EXP_TRACE_TEXT - (decides ? 0 : TEXT_FOR_DECISIONS);
    char *copy;

    pthread_mutex_lock(&t->Lock);
    if (t->Public.EventCount >= events || t->TextUsed + length + 1 > room) {
        t->Public.EventsDropped++;
    } else {
        copy = t->Text + t->TextUsed;
        memcpy(copy, text, length + 1);
        t->TextUsed += (ULONG)length + 1;
        t->Events[t->Public.EventCount++] = (EMU_TRACE_EVENT){kind, place, status, copy};
    }
    pthread_mutex_unlock(&t->Lock);
}

static void say(EMU_TRACE_KIND kind, const EMU_TRACE_PLACE *place, NTSTATUS status, const char *format,
                va_list arguments)
{
    char text[EXP_TRACE_LINE];
    SIZE_T length = ExpTraceFormat(text, sizeof text, format, arguments);

    for (EXP_TRACE *t = ExpTraceOf(EmuTrace_); t; t = t->Outer)
        append(t, kind, place, status, text, length);
}

void EmuTraceDecide_(const EMU_TRACE_PLACE *Place, NTSTATUS Status, const char *Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    say(EmuTraceDecision, Place, Status, Format, arguments);
    va_end(arguments);
}

void EmuTraceSay_(EMU_TRACE_KIND Kind, const EMU_TRACE_PLACE *Place, const char *Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    say(Kind, Place, STATUS_SUCCESS, Format, arguments);
    va_end(arguments);
}

/* ---- looking ---- */

const EMU_TRACE_EVENT *EmuTraceDecider(const EMU_TRACE *Trace)
{
    for (ULONG i = Trace->EventCount; i--;)
        if (Trace->Events[i].Kind == EmuTraceDecision && Trace->Events[i].Status == Trace->Status)
            return &Trace->Events[i];
    return NULL;
}

EMU_TRACE_SUM EmuTraceKept(const EMU_TRACE *Trace)
{
    const EMU_TRACE_SUM *nonpaged = &Trace->Pool[NonPagedPool].Sums.Kept, *paged = &Trace->Pool[PagedPool].Sums.Kept;

    return (EMU_TRACE_SUM){nonpaged->Blocks + paged->Blocks, nonpaged->Bytes + paged->Bytes};
}
