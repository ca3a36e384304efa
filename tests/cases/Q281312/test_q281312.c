/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q281312: with two providers, a refused logon is masked by what the second one says. */
#include "lab.h"

static struct lab lab;

#define DEFECT "nt4-sp6a"
#define FIXED  "nt4-sp6a+Q281312"

/* Without a letter: nobody has said who he is, and the server lets nobody in that is nobody. */
static void boot(const char *build, BOOLEAN second_provider)
{
    lab_boot_options(&lab, &(EMU_MACHINE_OPTIONS){.Build = build, .NetWare = second_provider});
}

static NTSTATUS open_and_close(const WCHAR *name)
{
    HANDLE handle;
    NTSTATUS status = lab_open(name, &handle);

    if (NT_SUCCESS(status))
        NtClose(handle);
    return status;
}

static void test_the_next_providers_error_masks_the_refused_logon(void **state)
{
    boot(DEFECT, TRUE);
    assert_status(open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt"), STATUS_BAD_NETWORK_NAME);
    lab_shut_down(&lab, 0);
}

static void test_the_fixed_build_says_that_the_logon_was_refused(void **state)
{
    boot(FIXED, TRUE);
    assert_status(open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt"), STATUS_LOGON_FAILURE);
    lab_shut_down(&lab, 0);
}

static void test_with_one_provider_nothing_masks_it(void **state)
{
    for (int i = 0; i < 2; i++) {
        boot(i ? DEFECT : FIXED, FALSE);
        assert_status(open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt"), STATUS_LOGON_FAILURE);
        lab_shut_down(&lab, 0);
    }
}

/* A name that the first provider claims is opened, whatever the second says. */
static void test_two_providers_open_what_one_does(void **state)
{
    for (int i = 0; i < 2; i++) {
        boot(i ? DEFECT : FIXED, TRUE);
        lab_map(&lab);
        assert_status(open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt"), STATUS_SUCCESS);
        assert_status(open_and_close(u"\\??\\X:\\f.txt"), STATUS_SUCCESS);
        assert_status(open_and_close(u"\\Device\\NwRdr\\mem\\lab\\f.txt"), STATUS_BAD_NETWORK_NAME);
        lab_shut_down(&lab, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_providers_error_masks_the_refused_logon),
        cmocka_unit_test(test_the_fixed_build_says_that_the_logon_was_refused),
        cmocka_unit_test(test_with_one_provider_nothing_masks_it),
        cmocka_unit_test(test_two_providers_open_what_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
