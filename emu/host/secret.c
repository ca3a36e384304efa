/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See secret.h. */
#include "secret.h"

#include <string.h>
#include <sys/mman.h>

void *secret_allocate(size_t size)
{
    void *secret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (secret == MAP_FAILED)
        return NULL;
    (void)madvise(secret, size, MADV_DONTDUMP);
    (void)mlock(secret, size);
    return secret;
}

void secret_free(void *secret, size_t size)
{
    if (!secret)
        return;
    explicit_bzero(secret, size);
    munmap(secret, size);
}
