/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* secret.h - memory for a password that stays: in no core file, and, as far as the system allows, not swapped out. */
#ifndef RDRLAB_HOST_SECRET_H
#define RDRLAB_HOST_SECRET_H

#include <stddef.h>

/* Zeroed, whole pages; NULL: no memory. */
void *secret_allocate(size_t size);

/* Wipes it. size as for secret_allocate. Accepts NULL. */
void secret_free(void *secret, size_t size);

#endif
