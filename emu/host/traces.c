/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The traces of clients' creates: a ring of texts, and who may still want them. See traces.h. */
#include "traces.h"

#include <ntemu/ntifs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "service.h"

#define RING_SIZE 512u
#define TEXT_MOST ((size_t)16384) /* bytes of one text */
#define LEASE_MS  30000 /* a reader that its system keeps waiting is one still: what it missed, nobody would tell it */

struct entry {
    char *text, *json;   /* each with its terminator; json has its braces */
    const void *process; /* whose: only compared */
    bool failed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the ring */
static struct entry ring[RING_SIZE];
static uint64_t next_number = 1;      /* of the next trace; trace n is ring[n % RING_SIZE] */
static _Atomic long long lease_until; /* host_milliseconds; 0: nobody follows */

PEMU_TRACE traces_begin(void)
{
    long long until = atomic_load_explicit(&lease_until, memory_order_relaxed);
    PEMU_TRACE trace = NULL;

    if (until == 0)
        return NULL;
    if (host_milliseconds() > until) {
        atomic_compare_exchange_strong(&lease_until, &until, 0);
        return NULL;
    }
    return EmuTraceBegin(&trace) == STATUS_SUCCESS ? trace : NULL;
}

/* Printable ASCII that needs no escape in JSON. */
static void plain_program(const struct peer *peer, char program[64])
{
    snprintf(program, 64, "%s", peer->program);
    for (char *p = program; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            *p = '?';
}

/* malloc'ed; NULL without memory, or if it is too long: half a trace in JSON would be none. */
static char *json_of(const EMU_TRACE *trace, const struct peer *peer, const char *program)
{
    size_t length = EmuTraceJson(trace, NULL, 0), used;
    char *text = length < 2 * TEXT_MOST ? malloc(length + 160) : NULL;

    if (text == NULL)
        return NULL;
    used = (size_t)sprintf(text, "{\"program\":\"%s\",\"pid\":%d,\"create\":", program, (int)peer->pid);
    used += EmuTraceJson(trace, text + used, length + 1);
    strcpy(text + used, "}\n");
    return text;
}

static char *text_of(const EMU_TRACE *trace, const struct peer *peer, const char *program)
{
    size_t length = EmuTraceText(trace, NULL, 0), used;
    char *text = malloc((length < TEXT_MOST ? length : TEXT_MOST) + 160);

    if (text == NULL)
        return NULL;
    used = (size_t)sprintf(text, "[%s %d] ", program, (int)peer->pid);
    EmuTraceText(trace, text + used, (length < TEXT_MOST ? length : TEXT_MOST) + 1);
    /* Whole lines, and so whole characters. */
    if (length > TEXT_MOST)
        strrchr(text, '\n')[1] = '\0';
    return text;
}

void traces_end(PEMU_TRACE trace, NTSTATUS status, const struct peer *peer)
{
    struct entry entry = {.process = PsGetCurrentProcess(), .failed = !NT_SUCCESS(status)}, old;
    char program[64];

    if (trace == NULL)
        return;
    EmuTraceEnd(trace, status);
    plain_program(peer, program);
    entry.text = text_of(trace, peer, program);
    entry.json = json_of(trace, peer, program);
    EmuTraceFree(trace);
    pthread_mutex_lock(&lock);
    old = ring[next_number % RING_SIZE];
    ring[next_number++ % RING_SIZE] = entry;
    pthread_mutex_unlock(&lock);
    free(old.text);
    free(old.json);
}

static const char *wanted(const struct entry *entry, uint32_t flags)
{
    if ((flags & WIRE_FOLLOW_FAILED && !entry->failed) ||
        (flags & WIRE_FOLLOW_MINE && entry->process != PsGetCurrentProcess()))
        return NULL;
    return flags & WIRE_FOLLOW_JSON ? entry->json : entry->text;
}

/* Whole traces from number on, as many as fit behind followed. */
static void copy_traces(struct wire_followed *followed, uint64_t number, uint32_t flags, char *text)
{
    pthread_mutex_lock(&lock);
    if (number == 0 || number > next_number)
        number = next_number;
    if (next_number > RING_SIZE && number < next_number - RING_SIZE) {
        followed->dropped = next_number - RING_SIZE - number;
        number = next_number - RING_SIZE;
    }
    for (; number < next_number; number++) {
        const char *one = wanted(&ring[number % RING_SIZE], flags);
        size_t length = one != NULL ? strlen(one) : 0;
        if (length > WIRE_DATA_MAX - followed->length)
            break;
        if (length > 0)
            memcpy(text + followed->length, one, length); /* NOLINT(bugprone-not-null-terminated-result): counted */
        followed->length += (uint32_t)length;
    }
    followed->next = number;
    pthread_mutex_unlock(&lock);
}

NTSTATUS service_follow(struct call *call)
{
    const struct wire_follow *request = call->fixed;
    struct wire_followed *followed = (struct wire_followed *)call->reply;

    if (call->data_length || request->pad ||
        request->flags & ~(uint32_t)(WIRE_FOLLOW_JSON | WIRE_FOLLOW_FAILED | WIRE_FOLLOW_MINE))
        return STATUS_INVALID_PARAMETER;
    atomic_store(&lease_until, host_milliseconds() + LEASE_MS);
    *followed = (struct wire_followed){0};
    copy_traces(followed, request->next, request->flags, (char *)(followed + 1));
    call->reply_length = (uint32_t)sizeof(*followed) + followed->length;
    return STATUS_SUCCESS;
}
