/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_watch.c - changes in a directory, in libsmbclient's words. smbc_notify opens the directory, asks for changes
 * again and again, and closes it when its callback wants no more; it calls that also when nothing has changed for a
 * while. The callback may take its time: meanwhile the server keeps what changes.
 */
#include "session_private.h"
#include "name.h"
#include "smb_backend.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS 50 /* how soon the first one says that the server watches, and the end is noticed */

struct watch {
    struct session_watcher *watcher;
    struct ring_slot *slot; /* in hand; NULL: no more is wanted */
    BOOLEAN begun;
};

static void put_changes(struct ring_slot *slot, const struct smbc_notify_callback_action *changes, size_t count)
{
    uint32_t room = slot->room <= RING_PAYLOAD ? slot->room : RING_PAYLOAD;
    ULONG used = 0, last = 0;

    for (size_t i = 0; i < count; i++) {
        WCHAR *name = malloc((strlen(changes[i].filename) + 1) * sizeof(WCHAR));
        ULONG length = name != NULL ? smb_name_from_utf8(changes[i].filename, name) : 0;
        BOOLEAN fits;

        for (ULONG j = 0; j < length / sizeof(WCHAR); j++)
            if (name[j] == '/')
                name[j] = '\\';
        fits = length != 0 && smb_put_change(slot->payload, room, &used, &last, changes[i].action, name, length);
        free(name);
        if (!fits) {
            slot->done = 0;
            slot->status = STATUS_NOTIFY_ENUM_DIR;
            return;
        }
    }
    slot->done = used;
}

static int on_changes(const struct smbc_notify_callback_action *changes, size_t count, void *context)
{
    struct watch *watch = context;

    if (!watch->begun) {
        watch->begun = TRUE;
        watch->slot = watch->watcher->answer(watch->watcher, STATUS_SUCCESS);
    }
    if (watch->slot == NULL || !watch->watcher->goes_on(watch->watcher))
        return 1;
    if (count == 0)
        return 0;
    watch->slot->status = STATUS_SUCCESS;
    put_changes(watch->slot, changes, count);
    watch->slot = watch->watcher->answer(watch->watcher, watch->slot->status);
    return watch->slot == NULL;
}

NTSTATUS session_watch(struct session *session, struct ring_slot *slot, struct session_watcher *watcher)
{
    struct watch watch = {.watcher = watcher, .slot = slot};
    SMBCFILE *directory;
    NTSTATUS status = session_connect(session);

    slot->done = 0;
    if (status == STATUS_SUCCESS)
        status = session_make_url(session, slot->payload, slot->length, session->url);
    if (status != STATUS_SUCCESS)
        return status;
    session_begin_call(session);
    directory = smbc_getFunctionOpendir(session->context)(session->context, session->url);
    if (directory == NULL)
        return session_failed_call(session);
    session_begin_call(session);
    if (smbc_getFunctionNotify(session->context)(session->context, directory, slot->tree != 0, slot->filter, TICK_MS,
                                                 on_changes, &watch) != 0)
        status = session_failed_call(session);
    smbc_getFunctionClosedir(session->context)(session->context, directory);
    if (status == STATUS_SUCCESS)
        status = STATUS_CANCELLED;
    return status;
}
