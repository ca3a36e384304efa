/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon_model.c - rows, changes, order. See poolmon_model.h. */
#include "poolmon_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *array_of(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);

    if (memory == NULL)
        abort();
    return memory;
}

uint64_t pool_each(const struct wire_pool_use *use)
{
    return use->live_blocks != 0 ? use->live_bytes / use->live_blocks : 0;
}

/* ---- which tags ---- */

static bool matches(const char *text, const char *end, const char *pattern)
{
    if (*pattern == '\0')
        return text == end;
    if (*pattern == '*')
        return matches(text, end, pattern + 1) || (text != end && matches(text + 1, end, pattern));
    return text != end && (*pattern == '?' || *pattern == *text) && matches(text + 1, end, pattern + 1);
}

bool pool_tag_matches(const char tag[4], const char *pattern)
{
    const char *end = tag + 4;

    while (end > tag && end[-1] == ' ')
        end--;
    return matches(tag, end, pattern) || matches(tag, tag + 4, pattern);
}

static bool any_matches(const char *const *patterns, size_t count, const char tag[4])
{
    for (size_t i = 0; i < count; i++) {
        if (pool_tag_matches(tag, patterns[i]))
            return true;
    }
    return false;
}

bool pool_view_has_pool(const struct pool_view *view, uint32_t paged)
{
    return view->show == POOL_SHOW_BOTH || (view->show == POOL_SHOW_PAGED) == (paged != 0);
}

bool pool_view_has(const struct pool_view *view, const char tag[4], uint32_t paged)
{
    if (!pool_view_has_pool(view, paged))
        return false;
    if (view->only_count != 0 && !any_matches(view->only, view->only_count, tag))
        return false;
    return !any_matches(view->never, view->never_count, tag);
}

bool pool_view_key(struct pool_view *view, int key)
{
    static const char sorts[] = "tafdbm"; /* in the order of enum pool_sort */
    const char *sort = key != '\0' ? strchr(sorts, key) : NULL;

    if (sort != NULL)
        view->sort = (enum pool_sort)(sort - sorts);
    else if (key == 'p')
        view->show = (view->show + 1) % POOL_SHOW_LIMIT;
    else if (key == '(' || key == ')')
        view->by_change = !view->by_change;
    else if (key == 'e')
        view->totals = !view->totals;
    else if (key == 'l')
        view->highlight = !view->highlight;
    else
        return false;
    return true;
}

/* ---- from sites to tags ---- */

static int compare_rows(const void *left, const void *right)
{
    const struct pool_row *a = left, *b = right;
    int tags = memcmp(a->tag, b->tag, sizeof(a->tag));

    return tags != 0 ? tags : (a->paged > b->paged) - (a->paged < b->paged);
}

static void add_use(struct wire_pool_use *sum, const struct wire_pool_use *use)
{
    sum->allocations += use->allocations;
    sum->frees += use->frees;
    sum->live_blocks += use->live_blocks;
    sum->live_bytes += use->live_bytes;
    sum->block_bytes += use->block_bytes;
    sum->peak_bytes += use->peak_bytes;
}

static struct pool_change change_between(const struct wire_pool_use *before, const struct wire_pool_use *after)
{
    return (struct pool_change){.allocations = (int64_t)(after->allocations - before->allocations),
                                .frees = (int64_t)(after->frees - before->frees),
                                .blocks = (int64_t)(after->live_blocks - before->live_blocks),
                                .bytes = (int64_t)(after->live_bytes - before->live_bytes)};
}

/* Each site a row first; then rows of one tag and pool become one. */
static void make_rows(struct pool_model *model)
{
    size_t count = model->look.site_count, kept = 0;
    struct pool_row *rows = array_of(count, sizeof(*rows));

    for (size_t i = 0; i < count; i++) {
        const struct wire_pool_site *site = &model->look.sites[i];

        memcpy(rows[i].tag, site->key.tag, sizeof(rows[i].tag));
        rows[i].paged = site->key.paged;
        rows[i].use = site->use;
        rows[i].sites = 1;
        rows[i].top = site;
    }
    qsort(rows, count, sizeof(*rows), compare_rows);
    for (size_t i = 0; i < count; i++) {
        struct pool_row *row = kept > 0 ? &rows[kept - 1] : NULL;

        if (row == NULL || compare_rows(row, &rows[i]) != 0) {
            rows[kept++] = rows[i];
            continue;
        }
        add_use(&row->use, &rows[i].use);
        row->sites++;
        if (rows[i].top->use.live_bytes > row->top->use.live_bytes)
            row->top = rows[i].top;
    }
    model->rows = rows;
    model->row_count = kept;
}

static int compare_keys(const void *left, const void *right)
{
    const struct wire_pool_site *const *a = left, *const *b = right;

    return memcmp(&(*a)->key, &(*b)->key, sizeof((*a)->key));
}

static void find_site_changes(struct pool_model *model, const struct inspection *before)
{
    const struct wire_pool_site **known = array_of(before->site_count, sizeof(*known));

    for (size_t i = 0; i < before->site_count; i++)
        known[i] = &before->sites[i];
    qsort(known, before->site_count, sizeof(*known), compare_keys);
    for (size_t i = 0; i < model->look.site_count; i++) {
        const struct wire_pool_site *site = &model->look.sites[i];
        const struct wire_pool_site **then = bsearch(&site, known, before->site_count, sizeof(*known), compare_keys);

        model->site_changes[i] =
            change_between(then != NULL ? &(*then)->use : &(const struct wire_pool_use){0}, &site->use);
    }
    free(known);
}

static void find_row_changes(struct pool_model *model, const struct pool_model *before)
{
    for (size_t i = 0; i < model->row_count; i++) {
        struct pool_row *row = &model->rows[i];
        const struct pool_row *then = bsearch(row, before->rows, before->row_count, sizeof(*row), compare_rows);

        row->change = change_between(then != NULL ? &then->use : &(const struct wire_pool_use){0}, &row->use);
    }
}

void pool_model_update(struct pool_model *model, struct inspection *look)
{
    struct pool_model before = *model;

    *model = (struct pool_model){.look = *look, .looks = before.looks + 1};
    *look = (struct inspection){0};
    model->site_changes = array_of(model->look.site_count, sizeof(*model->site_changes));
    make_rows(model);
    if (before.looks > 0) {
        find_site_changes(model, &before.look);
        find_row_changes(model, &before);
    }
    pool_model_free(&before);
}

void pool_model_free(struct pool_model *model)
{
    inspection_free(&model->look);
    free(model->site_changes);
    free(model->rows);
    free(model->shown);
    *model = (struct pool_model){0};
}

/* ---- the order ---- */

static int64_t sort_value(const struct pool_row *row, const struct pool_view *view)
{
    switch (view->sort) {
    case POOL_BY_ALLOCS:
        return view->by_change ? row->change.allocations : (int64_t)row->use.allocations;
    case POOL_BY_FREES:
        return view->by_change ? row->change.frees : (int64_t)row->use.frees;
    case POOL_BY_DIFF:
        return (int64_t)row->use.live_blocks;
    case POOL_BY_BYTES:
        return view->by_change ? row->change.bytes : (int64_t)row->use.live_bytes;
    case POOL_BY_EACH:
        return (int64_t)pool_each(&row->use);
    case POOL_BY_TAG:
        break;
    }
    return 0;
}

static int compare_shown(const void *left, const void *right, void *view)
{
    const struct pool_row *a = *(const struct pool_row *const *)left, *b = *(const struct pool_row *const *)right;
    int64_t value_a = sort_value(a, view), value_b = sort_value(b, view);

    return value_a != value_b ? (value_a < value_b ? 1 : -1) : compare_rows(a, b);
}

void pool_model_arrange(struct pool_model *model, const struct pool_view *view)
{
    free(model->shown);
    model->shown = array_of(model->row_count, sizeof(const struct pool_row *));
    model->shown_count = 0;
    for (size_t i = 0; i < model->row_count; i++) {
        if (pool_view_has(view, model->rows[i].tag, model->rows[i].paged))
            model->shown[model->shown_count++] = &model->rows[i];
    }
    qsort_r(model->shown, model->shown_count, sizeof(*model->shown), compare_shown, (void *)view);
}

struct pool_row pool_model_total(const struct pool_model *model, uint32_t paged)
{
    struct pool_row total = {.tag = "\0\0\0", .paged = paged};

    for (size_t i = 0; i < model->shown_count; i++) {
        const struct pool_row *row = model->shown[i];

        if (row->paged != paged)
            continue;
        add_use(&total.use, &row->use);
        total.change.allocations += row->change.allocations;
        total.change.frees += row->change.frees;
        total.change.blocks += row->change.blocks;
        total.change.bytes += row->change.bytes;
        total.sites += row->sites;
    }
    return total;
}

const char *pool_number(int64_t number, int width, char text[32])
{
    static const char units[] = "KMGTPE";
    int length = snprintf(text, 32, "%" PRId64, number);

    for (int i = 0; length > width && units[i] != '\0'; i++) {
        int tenths = (int)(number % 1024 * 10 / 1024);

        number /= 1024;
        /* 1000 in four columns with a sign, and 1023K without: nothing before the point. */
        if (number == 0)
            length = snprintf(text, 32, "%s.%d%c", tenths < 0 ? "-" : "", abs(tenths), units[i]);
        else
            length = snprintf(text, 32, "%" PRId64 "%c", number, units[i]);
    }
    return text;
}
