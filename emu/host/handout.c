/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens for clients: theirs already, new, or for later. */
#include "handout.h"

#include "token.h"

/* A client that throws its spares away gets no more of them; its creates go on without. */
#define SPARES_MAX 64u

NTSTATUS handout_token(struct peer *peer, const struct wire_create *request, HANDLE handle, uint64_t scope,
                       uint64_t *ret_token)
{
    struct token_table *tokens = peer->host->tokens;

    if (request->spare_token && !request->no_token_file &&
        token_bind(tokens, request->spare_token, handle, peer->owner, scope) == STATUS_SUCCESS) {
        atomic_fetch_sub(&peer->spares, 1);
        *ret_token = request->spare_token;
        return STATUS_SUCCESS;
    }
    return token_add(tokens, handle, peer->owner, scope, !request->no_token_file, ret_token);
}

void handout_spare(struct peer *peer, uint64_t *ret_token)
{
    if (atomic_fetch_add(&peer->spares, 1) >= SPARES_MAX ||
        token_offer(peer->host->tokens, peer->owner, ret_token) != STATUS_SUCCESS)
        atomic_fetch_sub(&peer->spares, 1);
}
