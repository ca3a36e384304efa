/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handout.h - which token a client gets for a file that was opened for it. */
#ifndef RDRLAB_HOST_HANDOUT_H
#define RDRLAB_HOST_HANDOUT_H

#include "peer.h"

/*
 * handout_token - the client's spare if it is any good, else a new token. Statuses as token_add: after an error the
 * handle is still the caller's.
 */
NTSTATUS handout_token(struct peer *peer, const struct wire_create *request, HANDLE handle, uint64_t scope,
                       uint64_t *ret_token);

/* Offers a spare; ret_token is left alone if there is none to be had. */
void handout_spare(struct peer *peer, uint64_t *ret_token);

#endif
