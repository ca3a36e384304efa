/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * region.h - shared regions (channel.h) from the machine's side.
 *
 * The other side may be hostile. A region given over a socket is a memfd sealed against shrinking; one in attach/ is a
 * plain file, which its client can cut short while the machine reads it. The bus error that follows is caught, and
 * the region becomes private zero pages, which region_broken then tells.
 */
#ifndef RDRLAB_HOST_REGION_H
#define RDRLAB_HOST_REGION_H

#include <stdbool.h>

#include "wire/channel.h"

struct region {
    struct wire_region *map; /* NULL: none */
    int fd;
    unsigned place; /* the bus error handler's */
};

/* Installs the bus error handler: once, before the first region. */
void region_prepare_process(void);

/*
 * region_create, region_create_file - map a new region, filled in so that clients recognise it.
 *   folder, name  of a new file, mode 0600.
 *   Returns  true, or false with errno set and region->map NULL.
 */
bool region_create(struct region *region);
bool region_create_file(struct region *region, int folder, const char *name);

/* Unmaps and closes; no thread may use it any longer. Accepts a region without a map. */
void region_destroy(struct region *region);

/* Whether the region has been torn away under the machine. */
bool region_broken(const struct region *region);

#endif
