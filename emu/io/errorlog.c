/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine's event log: a bounded list in host memory, the oldest go first. NT's drivers write entries that the
 * event log service collects; only the outcome is emulated.
 */
#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "errorlog.h"

#define CAPACITY 256u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static EMU_EVENT events[CAPACITY];
static ULONG event_count; /* ever written since boot */

void EmuWriteEvent(ULONG Id, ULONG Severity, const char *Source, const char *Text)
{
    EMU_EVENT *e;
    LARGE_INTEGER now;

    KeQuerySystemTime(&now);
    pthread_mutex_lock(&lock);
    e = &events[event_count++ % CAPACITY];
    memset(e, 0, sizeof *e);
    e->Time = now.QuadPart;
    e->Id = Id;
    e->Severity = Severity;
    snprintf(e->Source, sizeof e->Source, "%s", Source);
    snprintf(e->Text, sizeof e->Text, "%s", Text);
    pthread_mutex_unlock(&lock);
}

ULONG EmuReadEvents(ULONG First, EMU_EVENT *Events, ULONG Count)
{
    ULONG kept, n;

    pthread_mutex_lock(&lock);
    kept = event_count < CAPACITY ? event_count : CAPACITY;
    for (n = 0; n < Count && First < kept && n < kept - First; n++)
        Events[n] = events[(event_count - kept + First + n) % CAPACITY];
    pthread_mutex_unlock(&lock);
    return kept;
}

void IopClearEventLog(void)
{
    pthread_mutex_lock(&lock);
    event_count = 0;
    pthread_mutex_unlock(&lock);
}
