/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parts.h"

#include <stdatomic.h>
#include <stdlib.h>

static _Atomic uint64_t in_use;

bool parts_begin(struct parts *parts, uint32_t length)
{
    parts_end(parts);
    if (atomic_fetch_add(&in_use, length) + length <= PARTS_MOST)
        parts->bytes = malloc(length);
    if (!parts->bytes) {
        atomic_fetch_sub(&in_use, length);
        return false;
    }
    parts->room = parts->length = length;
    return true;
}

void parts_end(struct parts *parts)
{
    if (parts->bytes)
        atomic_fetch_sub(&in_use, parts->room);
    free(parts->bytes);
    *parts = (struct parts){0};
}
