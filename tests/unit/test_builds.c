/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <string.h>

static void test_q235425_is_in_exactly_the_builds_before_service_pack_6(void **state)
{
    static const struct {
        const char *build;
        bool has;
    } rows[] = {{"nt3.51-sp5", false}, {"nt4-sp2", true}, {"nt4-sp4", true}, {"nt4-sp5", true}, {"nt4-sp6", false},
                {"nt4-sp6a", false},   {"tse-sp4", true}, {"tse-sp5", true}, {"tse-sp6", false}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(EmuBuildExists(rows[i].build));
        if (EmuBuildHasDefect(rows[i].build, "Q235425") != rows[i].has)
            fail_msg("row %zu: %s", i, rows[i].build);
    }
    assert_false(EmuBuildHasDefect("nt4-sp5", "Q000000"));
    assert_false(EmuBuildHasDefect("nt5", "Q235425"));
}

static void test_every_span_is_of_builds_of_one_line_in_their_order(void **state)
{
    for (int d = 0; d < EMU_DEFECT_COUNT; d++)
        for (size_t i = 0; i < EMU_PRODUCT_LINES && EmuDefects[d].Spans[i].Introduced; i++) {
            const EMU_DEFECT_SPAN *span = &EmuDefects[d].Spans[i];
            if (!EmuBuildHasDefect(span->Introduced, EmuDefects[d].Article))
                fail_msg("%s is not in %s", EmuDefects[d].Article, span->Introduced);
            if (span->FixedIn &&
                (!EmuBuildExists(span->FixedIn) || EmuBuildHasDefect(span->FixedIn, EmuDefects[d].Article)))
                fail_msg("%s is not fixed in %s", EmuDefects[d].Article, span->FixedIn);
        }
}

static void test_a_wrong_name_says_what_is_wrong(void **state)
{
    static const struct {
        const char *build, *says;
    } rows[] = {
        {"", "no build \"\"; there are nt3.51-sp5 nt4-sp2"},
        {"nt5", "no build \"nt5\"; there are"},
        {"nt4", "no build \"nt4\""},
        {"nt4-sp", "no build \"nt4-sp\""},
        {"nt4-sp6+Q000000", "no article \"Q000000\" in the catalogue"},
        {"nt4-sp6+", "no article \"\" in the catalogue"},
        {"nt4-sp6+Q235425", "nt4-sp6 has nothing that Q235425 would fix"},
        {"nt4-sp5+Q235425", "the article Q235425 has no hotfix"},
        {"nt4-sp5+Q000000+Q000000+Q000000", "no article"},
        {"nt4-sp5+Q000000+Q000000+Q000000+", "longer than 31 characters"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char error[512] = "";
        if (EmuBuildCheck(rows[i].build, error, sizeof error) || !strstr(error, rows[i].says))
            fail_msg("row %zu: %s", i, error);
        assert_false(EmuBuildExists(rows[i].build));
        assert_false(EmuSelectBuild(rows[i].build));
    }
}

static void test_an_override_beats_the_build_and_a_bad_one_is_refused(void **state)
{
    assert_true(EmuSelectBuild("nt4-sp6"));
    assert_false(EmuHasDefect(EMU_Q235425));
    assert_true(EmuOverrideDefect("Q235425=on"));
    assert_true(EmuHasDefect(EMU_Q235425));
    assert_true(EmuOverrideDefect("Q235425=off"));
    assert_false(EmuHasDefect(EMU_Q235425));
    assert_false(EmuOverrideDefect("Q235425"));
    assert_false(EmuOverrideDefect("Q235425=maybe"));
    assert_false(EmuOverrideDefect("Q23542=on"));
    assert_false(EmuOverrideDefect("Q2354255=on"));
}

static void test_a_wrong_build_is_refused_with_the_list(void **state)
{
    EMU_MACHINE_OPTIONS options = {.Build = "nt4-sp9"};
    char error[256];

    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_INVALID_PARAMETER);
    assert_non_null(strstr(error, "no build \"nt4-sp9\""));
    assert_non_null(strstr(error, "tse-sp6"));
}

static void test_one_machine_per_process(void **state)
{
    struct lab lab;
    char error[256];

    lab_boot_unmapped(&lab, "nt4-sp5", 0);
    assert_string_equal(EmuMachineBuild(), "nt4-sp5");
    assert_status(EmuMachineBoot(NULL, error, sizeof error), STATUS_DEVICE_ALREADY_ATTACHED);
    assert_non_null(strstr(error, "nt4-sp5"));
    lab_shut_down(&lab, 0);
    assert_string_equal(EmuMachineBuild(), "");
    assert_status(EmuMachineShutdown(NULL), STATUS_INVALID_DEVICE_STATE);
}

static void test_a_pool_too_small_to_boot_is_an_error_and_leaves_nothing(void **state)
{
    EMU_MACHINE_OPTIONS options = {.PagedPoolLimit = PAGE_SIZE};
    char error[256];

    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_INSUFFICIENT_RESOURCES);
    assert_non_null(strstr(error, "too small"));
    options = (EMU_MACHINE_OPTIONS){.NonPagedPoolLimit = PAGE_SIZE};
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_INSUFFICIENT_RESOURCES);
    assert_non_null(strstr(error, "4 KB nonpaged"));
    options.NonPagedPoolLimit = 0;
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: nothing has booted in this process before. */
        cmocka_unit_test(test_a_pool_too_small_to_boot_is_an_error_and_leaves_nothing),
        cmocka_unit_test(test_q235425_is_in_exactly_the_builds_before_service_pack_6),
        cmocka_unit_test(test_every_span_is_of_builds_of_one_line_in_their_order),
        cmocka_unit_test(test_a_wrong_name_says_what_is_wrong),
        cmocka_unit_test(test_an_override_beats_the_build_and_a_bad_one_is_refused),
        cmocka_unit_test(test_a_wrong_build_is_refused_with_the_list),
        cmocka_unit_test(test_one_machine_per_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
