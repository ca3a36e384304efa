/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait.c - waiting for a redirected file: for its event, which NT keeps in the file object. To Wine a token file is
 * always signalled.
 */
#include "fileobject.h"
#include "guard.h"
#include "handle.h"

#define MOST 64 /* MAXIMUM_WAIT_OBJECTS */

static HANDLE waitable(HANDLE handle)
{
    uint64_t token = handle_known_token(handle);
    HANDLE event = token ? fileobject_event(token) : NULL;

    return event ? event : handle;
}

NTSTATUS NTAPI hooked_NtWaitForSingleObject(HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout)
{
    return wine.NtWaitForSingleObject(fileobject_any() ? waitable(handle) : handle, alertable, timeout);
}

NTSTATUS NTAPI hooked_NtWaitForMultipleObjects(ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable,
                                               const LARGE_INTEGER *timeout)
{
    HANDLE objects[MOST];

    if (!fileobject_any() || count > MOST || !guarded_copy(objects, handles, count * sizeof(*objects)))
        return wine.NtWaitForMultipleObjects(count, handles, any, alertable, timeout);
    for (ULONG i = 0; i < count; i++)
        objects[i] = waitable(objects[i]);
    return wine.NtWaitForMultipleObjects(count, objects, any, alertable, timeout);
}
