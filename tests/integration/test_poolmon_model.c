/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test_poolmon_model.c - poolmon's rows, changes, filters and order, without a machine or a screen. */
#include "poolmon_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct given {
    const char *tag;
    uint32_t paged;
    uint64_t site, allocations, frees, bytes;
};

static void look_at(struct pool_model *model, const struct given *rows, size_t count)
{
    struct inspection look = {.sites = calloc(count + 1, sizeof(*look.sites)), .site_count = count};

    assert_non_null(look.sites);
    for (size_t i = 0; i < count; i++) {
        struct wire_pool_site *site = &look.sites[i];

        memcpy(site->key.tag, rows[i].tag, 4);
        site->key.paged = rows[i].paged;
        site->key.site = rows[i].site;
        site->use = (struct wire_pool_use){.allocations = rows[i].allocations,
                                           .frees = rows[i].frees,
                                           .live_blocks = rows[i].allocations - rows[i].frees,
                                           .live_bytes = rows[i].bytes,
                                           .block_bytes = rows[i].bytes + 8,
                                           .peak_bytes = rows[i].bytes + 16};
    }
    pool_model_update(model, &look);
    assert_null(look.sites);
}

#define LOOK(model, rows) look_at(model, rows, sizeof(rows) / sizeof((rows)[0]))

/* Of one tag, two sites in paged pool and one in nonpaged: three rows and four sites. */
static const struct given first[] = {
    {"RdCc", 1, 1, 10, 2, 800}, {"ObNm", 1, 2, 30, 30, 0}, {"RdCc", 1, 3, 5, 0, 900}, {"RdCc", 0, 4, 1, 0, 64}};
static const struct given second[] = {{"RdCc", 1, 3, 6, 0, 1000},
                                      {"RdCc", 1, 1, 20, 2, 1600},
                                      {"ObNm", 1, 2, 45, 44, 7},
                                      {"New ", 0, 5, 3, 1, 20},
                                      {"RdCc", 0, 4, 1, 1, 0}};

static const struct pool_row *row_of(const struct pool_model *model, const char *tag, uint32_t paged)
{
    for (size_t i = 0; i < model->row_count; i++) {
        if (memcmp(model->rows[i].tag, tag, 4) == 0 && model->rows[i].paged == paged)
            return &model->rows[i];
    }
    fail_msg("no row of %s", tag);
    return NULL;
}

static void test_a_row_is_the_sum_of_its_sites(void **state)
{
    struct pool_model model = {0};
    const struct pool_row *row;

    LOOK(&model, first);
    assert_int_equal(model.row_count, 3);
    row = row_of(&model, "RdCc", 1);
    assert_int_equal(row->sites, 2);
    assert_int_equal(row->use.allocations, 15);
    assert_int_equal(row->use.frees, 2);
    assert_int_equal(row->use.live_blocks, 13);
    assert_int_equal(row->use.live_bytes, 1700);
    assert_int_equal(row->use.block_bytes, 1716);
    assert_int_equal(row->use.peak_bytes, 1732);
    assert_int_equal(row->top->key.site, 3);
    assert_int_equal(pool_each(&row->use), 130);
    assert_int_equal(pool_each(&row_of(&model, "ObNm", 1)->use), 0);
    pool_model_free(&model);
}

static void test_changes_are_from_look_to_look(void **state)
{
    struct pool_model model = {0};
    const struct pool_row *row;

    LOOK(&model, first);
    row = row_of(&model, "RdCc", 1);
    assert_true(row->change.allocations == 0 && row->change.bytes == 0);
    LOOK(&model, second);
    row = row_of(&model, "RdCc", 1);
    assert_int_equal(row->change.allocations, 11);
    assert_int_equal(row->change.frees, 0);
    assert_int_equal(row->change.blocks, 11);
    assert_int_equal(row->change.bytes, 900);
    assert_int_equal(row_of(&model, "RdCc", 0)->change.bytes, -64);
    /* What was not there before is new as a whole. */
    assert_int_equal(row_of(&model, "New ", 0)->change.allocations, 3);
    /* Of sites as well, wherever they stand in the list. */
    assert_int_equal(model.site_changes[0].bytes, 100);
    assert_int_equal(model.site_changes[1].bytes, 800);
    LOOK(&model, second);
    assert_int_equal(row_of(&model, "RdCc", 1)->change.allocations, 0);
    pool_model_free(&model);
}

static void test_tags_match_patterns(void **state)
{
    static const struct {
        const char *tag, *pattern;
        bool matches;
    } rows[] = {
        {"RdCc", "RdCc", true},   {"RdCc", "rdcc", false}, {"RdCc", "Rd", false},      {"RdCc", "Rd*", true},
        {"RdCc", "*", true},      {"RdCc", "*Cc", true},   {"RdCc", "R??c", true},     {"RdCc", "R?c", false},
        {"RdCc", "*d*c", true},   {"RdCc", "*x*", false},  {"Io  ", "Io", true},       {"Io  ", "Io  ", true},
        {"Io  ", "I?", true},     {"Io  ", "I???", true},  {"Io  ", "I??????", false}, {"RdCc", "RdCc*", true},
        {"[x]\\", "[x]\\", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (pool_tag_matches(rows[i].tag, rows[i].pattern) != rows[i].matches)
            fail_msg("row %zu: %s %s", i, rows[i].tag, rows[i].pattern);
    }
}

static void expect_shown(struct pool_model *model, const struct pool_view *view, const char *expected)
{
    char text[64] = "", row[8];

    pool_model_arrange(model, view);
    for (size_t i = 0; i < model->shown_count; i++) {
        snprintf(row, sizeof(row), "%s%.2s%c", i > 0 ? " " : "", model->shown[i]->tag,
                 model->shown[i]->paged ? 'P' : 'N');
        strcat(text, row);
    }
    assert_string_equal(text, expected);
}

static void test_views_filter_and_order(void **state)
{
    static const struct {
        const char *keys, *shown;
    } rows[] = {
        {"", "NeN ObP RdN RdP"},   {"p", "NeN RdN"},           {"pp", "ObP RdP"},         {"ppp", "NeN ObP RdN RdP"},
        {"a", "ObP RdP NeN RdN"},  {"f", "ObP RdP NeN RdN"},   {"d", "RdP NeN ObP RdN"},  {"b", "RdP NeN ObP RdN"},
        {"m", "RdP NeN ObP RdN"},  {"bt", "NeN ObP RdN RdP"},  {"a(", "ObP RdP NeN RdN"}, {"b(", "RdP NeN ObP RdN"},
        {"f(", "ObP NeN RdN RdP"}, {"f()", "ObP RdP NeN RdN"}, {"d(", "RdP NeN ObP RdN"},
    };
    struct pool_model model = {0};
    struct pool_view view;

    LOOK(&model, first);
    LOOK(&model, second);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        view = (struct pool_view){0};
        for (const char *key = rows[i].keys; *key != '\0'; key++)
            assert_true(pool_view_key(&view, *key));
        expect_shown(&model, &view, rows[i].shown);
    }
    view = (struct pool_view){.only = {"Rd*", "Ob??"}, .only_count = 2, .never = {"*m"}, .never_count = 1};
    expect_shown(&model, &view, "RdN RdP");
    assert_int_equal(pool_model_total(&model, 1).use.live_bytes, 2600);
    assert_int_equal(pool_model_total(&model, 0).change.bytes, -64);
    assert_false(pool_view_key(&view, 'z'));
    assert_false(pool_view_key(&view, '\0'));
    pool_model_free(&model);
}

static void test_an_empty_machine_is_an_empty_list(void **state)
{
    struct pool_model model = {0};
    struct pool_view view = {0};

    look_at(&model, NULL, 0);
    look_at(&model, NULL, 0);
    pool_model_arrange(&model, &view);
    assert_int_equal(model.shown_count, 0);
    pool_model_free(&model);
}

static void test_numbers_fit_their_column(void **state)
{
    static const struct {
        int64_t number;
        int width;
        const char *text;
    } rows[] = {{0, 4, "0"},          {9999, 4, "9999"},         {10000, 4, "9K"},          {-999, 4, "-999"},
                {-1000, 4, "-.9K"},   {10485759, 8, "10485759"}, {104857600, 8, "102400K"}, {104857600, 4, "100M"},
                {INT64_MAX, 4, "7E"}, {1023 * 1024, 4, ".9M"}};
    char text[32];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(pool_number(rows[i].number, rows[i].width, text), rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_is_the_sum_of_its_sites),
        cmocka_unit_test(test_changes_are_from_look_to_look),
        cmocka_unit_test(test_tags_match_patterns),
        cmocka_unit_test(test_views_filter_and_order),
        cmocka_unit_test(test_an_empty_machine_is_an_empty_list),
        cmocka_unit_test(test_numbers_fit_their_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
