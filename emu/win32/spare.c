/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spare.c - the store of spare tokens: a few that were offered, fewer that are open. */
#include "spare.h"

#include "handle.h"

#define READY_MAX   2u
#define OFFERED_MAX 4u

static struct {
    LONG busy; /* interlocked: guards the rest; nobody waits for it */
    unsigned ready_count, offered_count;
    struct spare ready[READY_MAX];
    uint64_t offered[OFFERED_MAX];
} store;

static bool enter(void)
{
    return InterlockedExchange(&store.busy, 1) == 0;
}

static void leave(void)
{
    InterlockedExchange(&store.busy, 0);
}

bool spare_fits(ULONG object_flags, ULONG options)
{
    return !(object_flags & OBJ_INHERIT) && (options & FILE_SYNCHRONOUS_IO_NONALERT);
}

struct spare spare_take(bool *ret_want)
{
    struct spare spare = {NULL, 0};

    *ret_want = false;
    if (!enter())
        return spare;
    if (store.ready_count)
        spare = store.ready[--store.ready_count];
    *ret_want = store.ready_count + store.offered_count < READY_MAX;
    leave();
    return spare;
}

void spare_put_back(const struct spare *spare)
{
    bool kept = false;

    if (!spare->token)
        return;
    if (enter()) {
        kept = store.ready_count < READY_MAX;
        if (kept)
            store.ready[store.ready_count++] = *spare;
        leave();
    }
    if (!kept)
        hooked_NtClose(spare->handle);
}

void spare_offered(uint64_t token)
{
    if (!token || !enter())
        return;
    if (store.offered_count < OFFERED_MAX)
        store.offered[store.offered_count++] = token;
    leave();
}

void spare_prepare(void)
{
    struct spare spare = {NULL, 0};

    if (!enter())
        return;
    if (store.offered_count && store.ready_count < READY_MAX)
        spare.token = store.offered[--store.offered_count];
    leave();
    if (spare.token && handle_open_token(spare.token, 0, FILE_SYNCHRONOUS_IO_NONALERT, &spare.handle) == STATUS_SUCCESS)
        spare_put_back(&spare);
}
