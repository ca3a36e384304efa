/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spare.h - token files opened ahead of time, while a create waits for its server: see wire_created in wire.h.
 *
 * Only for the handles that nearly every program asks for: not inheritable, synchronous. All others open their token's
 * file when the create has succeeded. A thread that finds the store in use goes without.
 */
#ifndef RDRLAB_SPARE_H
#define RDRLAB_SPARE_H

#include "services.h"

struct spare {
    HANDLE handle;
    uint64_t token; /* 0: none */
};

/* Whether a create with these attributes and options can use one. */
bool spare_fits(ULONG object_flags, ULONG options);

/* Takes one out; token 0 if there is none. *ret_want: whether the machine should offer another. */
struct spare spare_take(bool *ret_want);

/* What was taken and not used goes back, or is closed. */
void spare_put_back(const struct spare *spare);

/* A token that the machine has offered. */
void spare_offered(uint64_t token);

/* Opens an offered token's file, if there is one and room for it. */
void spare_prepare(void);

#endif
