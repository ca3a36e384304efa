/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See createfile.h. */
#include "createfile.h"

#include <stdio.h>
#include <string.h>

#include "smb/name.h"

const struct wire_create createfile_request = {.object_flags = OBJ_CASE_INSENSITIVE,
                                               .desired_access = GENERIC_READ | SYNCHRONIZE | FILE_READ_ATTRIBUTES,
                                               .share_access = FILE_SHARE_READ,
                                               .disposition = FILE_OPEN,
                                               .options = FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT};

bool createfile_utf16(const char *text, WCHAR *buffer, UNICODE_STRING *ret_string)
{
    ULONG length = strlen(text) < CREATEFILE_NAME_MAX - 1 ? smb_name_from_utf8(text, buffer) : 0;

    *ret_string = (UNICODE_STRING){(USHORT)length, (USHORT)length, buffer};
    return length != 0;
}

bool createfile_name(const char *name, WCHAR *buffer, UNICODE_STRING *ret_name)
{
    char text[CREATEFILE_NAME_MAX];
    int n;

    if (strncmp(name, "\\??\\", 4) == 0 || strncmp(name, "\\Device", 7) == 0)
        n = snprintf(text, sizeof(text), "%s", name);
    else if (strncmp(name, "\\\\", 2) == 0)
        n = snprintf(text, sizeof(text), "\\??\\UNC\\%s", name + 2);
    else
        n = snprintf(text, sizeof(text), "\\??\\%s%s", name, strlen(name) == 2 && name[1] == ':' ? "\\" : "");
    return n > 0 && (size_t)n < sizeof(text) && createfile_utf16(text, buffer, ret_name);
}
