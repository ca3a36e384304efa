/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * poolmon_model.h - what poolmon shows: rows by tag, their changes from look to look, which of them and in what order.
 * Nothing here knows of a screen.
 */
#ifndef RDRLAB_POOLMON_MODEL_H
#define RDRLAB_POOLMON_MODEL_H

#include <stdbool.h>

#include "inspect.h"

#define POOL_PATTERNS_MAX 32

enum pool_show { POOL_SHOW_BOTH, POOL_SHOW_NONPAGED, POOL_SHOW_PAGED, POOL_SHOW_LIMIT };

enum pool_sort { POOL_BY_TAG, POOL_BY_ALLOCS, POOL_BY_FREES, POOL_BY_DIFF, POOL_BY_BYTES, POOL_BY_EACH };

/* What one asks for. All zero is Microsoft's default: both pools, by tag. */
struct pool_view {
    enum pool_show show;
    enum pool_sort sort;
    bool by_change; /* by the change of what is sorted by, if it is allocs, frees or bytes */
    bool totals;
    bool highlight;
    const char *only[POOL_PATTERNS_MAX]; /* any of them, unless there is none */
    const char *never[POOL_PATTERNS_MAX];
    size_t only_count, never_count;
};

/* Since the look before; nothing in the first look. */
struct pool_change {
    int64_t allocations, frees, blocks, bytes;
};

/* A tag in one pool. */
struct pool_row {
    char tag[4];
    uint32_t paged;
    struct wire_pool_use use;
    struct pool_change change;
    unsigned sites;
    const struct wire_pool_site *top; /* the site with the most live bytes */
};

struct pool_model {
    struct inspection look;
    struct pool_change *site_changes; /* of look.sites, in their order */
    struct pool_row *rows;            /* all of them, by tag */
    size_t row_count;
    const struct pool_row **shown; /* those a view shows, in its order */
    size_t shown_count;
    unsigned looks;
};

/* Take a look over: it belongs to the model from now on. A zeroed model has had none. Out of memory ends the program.
 */
void pool_model_update(struct pool_model *model, struct inspection *look);

/* Fill `shown`. After each update and after each change of the view. */
void pool_model_arrange(struct pool_model *model, const struct pool_view *view);

void pool_model_free(struct pool_model *model);

/* Whether a tag matches a pattern: '*' any number of characters, '?' one; case counts. Spaces at a tag's end may be
 * left out. */
bool pool_tag_matches(const char tag[4], const char *pattern);

/* Whether the view shows this pool at all. */
bool pool_view_has_pool(const struct pool_view *view, uint32_t paged);

/* Whether the view shows this tag of this pool. */
bool pool_view_has(const struct pool_view *view, const char tag[4], uint32_t paged);

/* Live bytes by live blocks, 0 without any. */
uint64_t pool_each(const struct wire_pool_use *use);

/* What Microsoft's key of that letter does: p t a f d b m e l ( ). Returns false for any other. */
bool pool_view_key(struct pool_view *view, int key);

/* Sum over the shown rows of one pool. */
struct pool_row pool_model_total(const struct pool_model *model, uint32_t paged);

/* A number in so many columns: exact if it fits, otherwise in K (1024), M, G ..., cut and not rounded. */
const char *pool_number(int64_t number, int width, char text[32]);

#endif
