/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pooluse.h - the pool's use as wire.h tells it: by call site, and by stack, in parts that fit a message. */
#ifndef RDRLAB_HOST_POOLUSE_H
#define RDRLAB_HOST_POOLUSE_H

#include <ntemu/pool.h>

#include "wire/wire.h"

/*
 * pooluse_sites - the first rows behind a key, in the order of the keys.
 *   after      in. All zero: from the beginning. It need not be a row's.
 *   sites      out: room for `room` of them.
 *   ret_count  out: 0 at the end.
 *   Returns    STATUS_SUCCESS, STATUS_NO_MEMORY (of the host).
 */
NTSTATUS pooluse_sites(const struct wire_pool_key *after, struct wire_pool_site *sites, size_t room, size_t *ret_count);

/* The same with the stacks of one row. */
NTSTATUS pooluse_stacks(const struct wire_pool_stacks *after, struct wire_pool_stack *stacks, size_t room,
                        size_t *ret_count);

#endif
