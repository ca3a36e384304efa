/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createleak_pool.h - the paged pool, as any Windows program can read it. createleak.c describes what is printed. */
#ifndef RDRLAB_TESTS_CREATELEAK_POOL_H
#define RDRLAB_TESTS_CREATELEAK_POOL_H

#include <windows.h>

struct pool {
    BOOL has_info, has_class2, has_tags;
    ULONGLONG info_pages, page_size;
    ULONG class2_pages, allocs, frees;
    ULONGLONG tagged;
};

/* Once, and before all others: what is younger than NT 4.0 is looked up. */
void find_pool_functions(void);

/* The pages alone, and nothing is printed. */
void read_pages(struct pool *pool);
BOOL has_pages(const struct pool *pool);
ULONGLONG pages_of(const struct pool *pool);

/* Pages, counts and tags, printed as a line "before" or "after"; after, with the tag that has grown most. */
void read_pool_before(struct pool *pool);
void read_pool_after(struct pool *pool);

#endif
