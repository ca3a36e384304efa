/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "guard.h"
#include "handle.h"
#include "target.h"

#define LETTER_NAME_LENGTH 6 /* \??\X: */

bool target_letter_redirected(const WCHAR *name, size_t bytes)
{
    WCHAR start[LETTER_NAME_LENGTH + 1];

    if (bytes < LETTER_NAME_LENGTH * sizeof(WCHAR))
        return false;
    start[LETTER_NAME_LENGTH] = '\\';
    if (!guarded_copy(start, name, bytes < sizeof(start) ? LETTER_NAME_LENGTH * sizeof(WCHAR) : sizeof(start)))
        return false;
    return start[0] == '\\' && start[1] == '?' && start[2] == '?' && start[3] == '\\' && start[5] == ':' &&
           start[6] == '\\' && client_redirects(start[4]);
}

bool target_redirected(const OBJECT_ATTRIBUTES *attributes, struct target *ret_target)
{
    OBJECT_ATTRIBUTES object;
    UNICODE_STRING name = {0};
    uint64_t root = 0;

    if (!attributes || !guarded_copy(&object, attributes, sizeof(object)) || object.Length != sizeof(object))
        return false;
    if (object.ObjectName && !guarded_copy(&name, object.ObjectName, sizeof(name)))
        return false;
    if (object.RootDirectory)
        root = handle_token(object.RootDirectory);
    else if (!target_letter_redirected(name.Buffer, name.Length))
        return false;
    if (object.RootDirectory && !root)
        return false;
    ret_target->root_token = root;
    ret_target->object_flags = object.Attributes;
    ret_target->name = name;
    return true;
}

NTSTATUS target_copy_name(const struct target *target, unsigned char *to)
{
    if (target->name.Length > 65534)
        return STATUS_NAME_TOO_LONG;
    return guarded_copy(to, target->name.Buffer, target->name.Length) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}
