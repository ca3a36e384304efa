/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending.c - requests that helper threads wait for.
 *
 * A place for each, with a helper that ends when nothing has come for a while: it must not keep a process alive for
 * longer whose own threads have all ended. Places are not the heap's: see copy.c.
 */
#include <string.h>

#include "request.h"

#include "fileobject.h"
#include "guard.h"

#define IDLE_MS  1000 /* a helper without work */
#define WATCH_MS 100  /* between two looks whether the thread that asked is still there */
#define STACK    65536

enum place_state { FREE, CLAIMED, RUNNING, DONE };

struct place {
    uint32_t state; /* atomic, enum place_state; FREE to CLAIMED by compare and exchange */
    /* the claimant's */
    uint32_t helper; /* its thread id; 0: none */
    HANDLE work;     /* synchronization events, made once */
    HANDLE done, taken;
    /* whoever the state says */
    struct request request;
    uint32_t number; /* atomic: of the request, while it is RUNNING; 0 otherwise */
    uint32_t thread; /* that asked */
    HANDLE thread_handle;
    bool synchronous;
    NTSTATUS status;
    bool telling; /* atomic: the program is being told of the result */
};

static struct place places[PENDING_MOST];
static uint32_t tellers; /* atomic: places that are telling */

static bool wait_for(HANDLE object, int64_t milliseconds)
{
    LARGE_INTEGER time = {.QuadPart = -milliseconds * 10000};

    return wine.NtWaitForSingleObject(object, FALSE, &time) == STATUS_WAIT_0;
}

static HANDLE duplicate(HANDLE handle)
{
    HANDLE copy;

    return NT_SUCCESS(wine.NtDuplicateObject(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, 0,
                                             DUPLICATE_SAME_ACCESS))
               ? copy
               : NULL;
}

/* ---- cancelling ---- */

static NTSTATUS send_cancel(uint32_t number)
{
    struct wire_cancel cancel = {number, 0};
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_CANCEL);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &cancel, sizeof(cancel));
    status = call_exchange(&call, sizeof(cancel), 0);
    call_end(&call);
    return status;
}

static bool is_running(const struct place *place, uint32_t number)
{
    return wire_load(&place->number) == number;
}

static void nap(void)
{
    LARGE_INTEGER time = {.QuadPart = -5000};

    wine.NtDelayExecution(FALSE, &time);
}

static void serve(struct place *place);

/* While DLLs are told that the process ends, its other threads have been ended already, and helpers are such. What a
 * helper cannot do any longer, who waits for it does. */
static void wait_for_helper(struct place *place)
{
    if (!RtlDllShutdownInProgress()) {
        nap();
    } else if (!place->request.begun) { /* it was ended behind the reply */
        wire_store(&place->number, 0);
    } else if (call_wait(&place->request.call, 0)) {
        call_give(&place->request.call, GetCurrentThreadId());
        serve(place);
    } else {
        nap();
    }
}

/* The machine may not have taken the request from its slot yet, or be about to answer it: then it knows of none. */
static void cancel(struct place *place, uint32_t number)
{
    wire_store(&place->request.cancelled, number);
    while (is_running(place, number) && send_cancel(number) == STATUS_NOT_FOUND)
        wait_for_helper(place);
}

unsigned request_cancel(uint64_t token, uint32_t thread, PIO_STATUS_BLOCK io, bool wait)
{
    uint32_t numbers[PENDING_MOST] = {0};
    unsigned count = 0;

    for (int i = 0; i < PENDING_MOST; i++) {
        struct place *place = &places[i];
        uint32_t number = wire_load(&place->number);

        if (!number || (token && place->request.token != token) || (thread && place->thread != thread) ||
            (io && place->request.io != io) || !is_running(place, number))
            continue;
        numbers[i] = number;
        count++;
        cancel(place, number);
    }
    for (int i = 0; wait && i < PENDING_MOST; i++)
        while (numbers[i] && is_running(&places[i], numbers[i]))
            wait_for_helper(&places[i]);
    return count;
}

/* The number of its request, if the close of the token ends that; 0: it has none such. */
static uint32_t ends_with(const struct place *place, uint64_t token)
{
    uint32_t number = wire_load(&place->number);
    bool ends = number && place->request.token == token && place->request.may_last;

    return ends && is_running(place, number) ? number : 0;
}

bool request_waits(uint64_t token)
{
    for (int i = 0; i < PENDING_MOST; i++)
        if (ends_with(&places[i], token))
            return true;
    return false;
}

void request_await_end(uint64_t token)
{
    uint32_t number;

    for (int i = 0; i < PENDING_MOST; i++)
        if ((number = ends_with(&places[i], token)) != 0)
            while (is_running(&places[i], number))
                wait_for_helper(&places[i]);
}

bool request_cancel_call(uint32_t thread)
{
    uint32_t number = call_awaited(thread);

    if (!number)
        return false;
    while (send_cancel(number) == STATUS_NOT_FOUND) {
        if (call_awaited(thread) != number)
            return false;
        nap();
    }
    return true;
}

/* ---- helpers ---- */

static NTSTATUS run(struct place *place)
{
    struct request *request = &place->request;
    NTSTATUS status;

    while ((status = request_run(request, WATCH_MS)) == STATUS_PENDING)
        if (wait_for(place->thread_handle, 0)) { /* it has ended; its requests do, too */
            wire_store(&request->cancelled, request->number);
            send_cancel(request->number);
        }
    return status;
}

/* The thread that asked takes the result, unless it has ended. In NT it ends only after its requests: what one has got
 * before the helper saw that, nobody knows of. */
static void give_result(struct place *place)
{
    const struct request *request = &place->request;

    wire_store(&place->number, 0);
    wire_store(&place->state, DONE);
    wine.NtSetEvent(place->done, NULL);
    while (!wait_for(place->taken, WATCH_MS))
        if (wait_for(place->thread_handle, 0) && wire_claim(&place->state, DONE, CLAIMED)) {
            if (place->status == STATUS_SUCCESS && request->kind->undo)
                request->kind->undo(request);
            return;
        }
}

static void tell(struct place *place)
{
    struct request *request = &place->request;

    __atomic_add_fetch(&tellers, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&place->telling, true, __ATOMIC_SEQ_CST);
    request_tell(request, place->status, false, place->thread_handle);
    if (request->event)
        wine.NtClose(request->event);
    __atomic_store_n(&place->telling, false, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&tellers, 1, __ATOMIC_SEQ_CST);
}

void pending_settle(const IO_STATUS_BLOCK *io)
{
    if (__atomic_load_n(&tellers, __ATOMIC_SEQ_CST) == 0)
        return;
    for (int i = 0; i < PENDING_MOST; i++)
        while (__atomic_load_n(&places[i].telling, __ATOMIC_SEQ_CST) && places[i].request.io == io)
            nap();
}

static void serve(struct place *place)
{
    struct request *request = &place->request;

    place->status = run(place);
    if (request->memory)
        VirtualFree(request->memory, 0, MEM_RELEASE);
    if (place->synchronous) {
        give_result(place);
    } else {
        tell(place);
        wire_store(&place->number, 0);
    }
    wine.NtClose(place->thread_handle);
    wire_store(&place->state, FREE);
}

static bool await_work(struct place *place)
{
    while (!wait_for(place->work, IDLE_MS)) {
        if (!wire_claim(&place->state, FREE, CLAIMED))
            continue; /* work is on its way */
        place->helper = 0;
        wire_store(&place->state, FREE);
        return false;
    }
    return true;
}

static DWORD WINAPI help(void *parameter)
{
    struct place *place = parameter;

    do
        serve(place);
    while (await_work(place));
    return 0;
}

/* ---- handing over ---- */

/* One that has a helper already, if there is. */
static struct place *claim_place(void)
{
    for (int idle = 1; idle >= 0; idle--)
        for (int i = 0; i < PENDING_MOST; i++)
            if ((__atomic_load_n(&places[i].helper, __ATOMIC_RELAXED) != 0 || !idle) &&
                wire_claim(&places[i].state, FREE, CLAIMED))
                return &places[i];
    return NULL;
}

static bool have_events(struct place *place)
{
    if (!place->work)
        place->work = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (!place->done)
        place->done = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (!place->taken)
        place->taken = CreateEventW(NULL, FALSE, FALSE, NULL);
    return place->work && place->done && place->taken;
}

/* A new helper's thread, suspended; NULL with *ret_good if there is one already. */
static HANDLE new_helper(struct place *place, bool *ret_good)
{
    HANDLE thread = NULL;
    DWORD id;

    *ret_good = true;
    if (place->helper)
        return NULL;
    thread = CreateThread(NULL, STACK, help, place, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    *ret_good = thread != NULL;
    if (thread)
        __atomic_store_n(&place->helper, id, __ATOMIC_RELAXED);
    return thread;
}

static bool fill(struct place *place, const struct request *request, bool synchronous)
{
    place->request = *request;
    place->thread = GetCurrentThreadId();
    place->synchronous = synchronous;
    /* Left by who ended before he took his result. */
    wine.NtResetEvent(place->done, NULL);
    wine.NtResetEvent(place->taken, NULL);
    place->thread_handle = duplicate(GetCurrentThread());
    if (!place->thread_handle)
        return false;
    if (synchronous || !request->event)
        return true;
    place->request.event = duplicate(request->event); /* the program may close its own */
    if (place->request.event)
        return true;
    wine.NtClose(place->thread_handle);
    return false;
}

/* In NT the status says so as long as nothing else is known; programs look at it (GetOverlappedResult). */
static void say_pending(const struct request *request)
{
    guarded_status(request->io, STATUS_PENDING, 0);
    fileobject_begin(request->token, request->event != NULL);
}

static NTSTATUS await_result(struct place *place, struct request *request)
{
    NTSTATUS status;

    wine.NtWaitForSingleObject(place->done, FALSE, NULL);
    status = place->status;
    request->information = place->request.information;
    request->memory = NULL;
    wine.NtSetEvent(place->taken, NULL);
    return status;
}

bool pending_hand_over(struct request *request, bool synchronous, NTSTATUS *ret_status)
{
    struct place *place = claim_place();
    HANDLE new_thread;
    bool good;

    if (!place)
        return false;
    good = have_events(place) && fill(place, request, synchronous);
    if (good) {
        new_thread = new_helper(place, &good);
        if (!good) {
            wine.NtClose(place->thread_handle);
            if (!synchronous && place->request.event)
                wine.NtClose(place->request.event);
        }
    }
    if (!good) {
        wire_store(&place->state, FREE);
        return false;
    }
    if (!synchronous)
        say_pending(request);
    call_give(&place->request.call, place->helper);
    wire_store(&place->state, RUNNING);
    wire_store(&place->number, request->number);
    if (new_thread) {
        ResumeThread(new_thread);
        wine.NtClose(new_thread);
    } else {
        wine.NtSetEvent(place->work, NULL);
    }
    *ret_status = synchronous ? await_result(place, request) : STATUS_PENDING;
    return true;
}
