/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "guard.h"
#include "handle.h"
#include "target.h"

#define LETTER_NAME_LENGTH 6 /* \??\X: */
#define UNC_NAME_LENGTH    9 /* \??\UNC\ and what must be behind it */

/* "X:", and then nothing or a backslash. */
static bool is_letter(const WCHAR *name, size_t length)
{
    return length >= LETTER_NAME_LENGTH && name[5] == ':' && (length == LETTER_NAME_LENGTH || name[6] == '\\') &&
           client_redirects(name[4]);
}

static bool is_unc(const WCHAR *name, size_t length)
{
    return length >= UNC_NAME_LENGTH && (name[4] | 0x20) == 'u' && (name[5] | 0x20) == 'n' && (name[6] | 0x20) == 'c' &&
           name[7] == '\\' && client_connect(false) == STATUS_SUCCESS;
}

bool target_name_redirected(const WCHAR *name, size_t bytes)
{
    WCHAR start[UNC_NAME_LENGTH];
    size_t length = bytes / sizeof(WCHAR);

    if (length > UNC_NAME_LENGTH)
        length = UNC_NAME_LENGTH;
    if (length < LETTER_NAME_LENGTH || !guarded_copy(start, name, length * sizeof(WCHAR)))
        return false;
    return start[0] == '\\' && start[1] == '?' && start[2] == '?' && start[3] == '\\' &&
           (is_letter(start, length) || is_unc(start, length));
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
    else if (!target_name_redirected(name.Buffer, name.Length))
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
