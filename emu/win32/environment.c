/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "client.h"
#include "environment.h"

/* Characters in front of the empty string that ends it. */
static SIZE_T length_of(const WCHAR *block)
{
    const WCHAR *at = block;

    while (*at)
        at += wcslen(at) + 1;
    return (SIZE_T)(at - block);
}

static bool names_machine(const WCHAR *block)
{
    static const WCHAR name[] = L"RDRLAB_MACHINE=";

    for (; *block; block += wcslen(block) + 1)
        if (_wcsnicmp(block, name, ARRAYSIZE(name) - 1) == 0)
            return true;
    return false;
}

WCHAR *environment_complete(const WCHAR *block, SIZE_T *ret_bytes)
{
    const WCHAR *own = client_environment();
    SIZE_T length = length_of(block), own_length = length_of(own);
    SIZE_T bytes = (length + own_length + 1) * sizeof(WCHAR);
    WCHAR *complete;

    if (names_machine(block))
        return NULL;
    complete = VirtualAlloc(NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!complete)
        return NULL;
    memcpy(complete, block, length * sizeof(WCHAR));
    memcpy(complete + length, own, own_length * sizeof(WCHAR));
    *ret_bytes = bytes;
    return complete;
}
