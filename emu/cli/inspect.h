/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inspect.h - a live machine's own numbers, through its socket. */
#ifndef RDRLAB_INSPECT_H
#define RDRLAB_INSPECT_H

#include <stdlib.h>

#include "wire/client.h"

#include "results.h"

/* One look at a machine. */
struct inspection {
    struct wire_machine machine;
    struct wire_pool_site *sites; /* malloc'ed; all that ever allocated, largest live bytes first */
    size_t site_count;
};

/* Connect to the machine of a folder (NULL: RDRLAB_MACHINE). Returns 0, or an exit status having complained. */
int inspect_connect(const char *folder, struct wire_client **ret_client);
/* The same as a process of a session. */
int inspect_connect_session(const char *folder, uint32_t session, struct wire_client **ret_client);

/* Look. Free with inspection_free. Returns 0, or an exit status having complained. */
int inspect(struct wire_client *client, struct inspection *ret_inspection);
static inline void inspection_free(struct inspection *inspection)
{
    free(inspection->sites);
    *inspection = (struct inspection){0};
}

/* The same without a complaint: error, of size bytes, gets the sentence. */
int inspect_quietly(struct wire_client *client, struct inspection *ret_inspection, char *error, size_t size);

/* The stacks of one site, malloc'ed, largest live bytes first; none unless the machine keeps them. As above. */
int inspect_stacks(struct wire_client *client, const struct wire_pool_key *key, struct wire_pool_stack **ret_stacks,
                   size_t *ret_count, char *error, size_t size);

/* The event log, malloc'ed. Returns 0, or an exit status having complained. */
int inspect_events(struct wire_client *client, struct wire_event **ret_events, size_t *ret_count);

/* What a letter is mapped to, "" if it is free. Returns 0, or an exit status having complained. */
int inspect_letter(struct wire_client *client, char letter, char *remote, size_t size);

/* Tag as text, five bytes: what cannot be printed becomes '.'. */
void inspect_tag(const char tag[4], char text[5]);

/*
 * inspect_compare - fill run's figures of the machine from two looks: paged pool only.
 */
void inspect_compare(const struct inspection *before, const struct inspection *after, struct results_run *run);

#endif
