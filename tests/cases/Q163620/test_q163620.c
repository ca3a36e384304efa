/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q163620: a path is put into a query's request whatever its length. The request's block is written beyond. */
#include "lab.h"

#include <string.h>

#include "rdr/rdr.h"

#define LONGEST 2021u /* characters, relative to the share: what fits into a request of 4,080 bytes */

static struct lab lab;

static const EMU_VERIFIER_OPTIONS nt4 = {.PoolTag = '*', .PoolTagOverruns = 1},
                                  verifier = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING};

/* ---- nested directories on X: ---- */

#define PREFIX u"\\??\\X:\\"
#define WIDTH  200 /* of a component */

static WCHAR name[4096];

/* The name of a directory whose path has so many characters; all above it are made, and it is. */
static const WCHAR *make_directory(size_t characters)
{
    size_t n = sizeof PREFIX / sizeof(WCHAR) - 1, end = n + characters;
    HANDLE handle;

    memcpy(name, PREFIX, sizeof PREFIX);
    while (n < end) {
        size_t width = end - n <= WIDTH + 1 ? end - n : WIDTH;
        for (size_t i = 0; i < width; i++)
            name[n++] = 'd';
        name[n] = 0;
        assert_status(lab_create(name, FILE_LIST_DIRECTORY | SYNCHRONIZE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                 FILE_OPEN_IF, FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, &handle),
                      STATUS_SUCCESS);
        NtClose(handle);
        if (n < end)
            name[n++] = '\\';
    }
    return name;
}

static NTSTATUS query(const WCHAR *path, FILE_BASIC_INFORMATION *basic)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING string;

    RtlInitUnicodeString(&string, path);
    InitializeObjectAttributes(&attributes, &string, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtQueryAttributesFile(&attributes, basic);
}

static void boot(const char *build, const EMU_VERIFIER_OPTIONS *options)
{
    lab_boot_options(&lab, &(EMU_MACHINE_OPTIONS){.Build = build, .Verifier = options});
    lab_map(&lab);
}

/* ---- the defect ---- */

struct question {
    const EMU_VERIFIER_OPTIONS *verifier;
    size_t characters;
};

static void boot_and_query(void *context)
{
    const struct question *question = context;
    FILE_BASIC_INFORMATION basic;

    boot("nt4-sp2", question->verifier);
    query(make_directory(question->characters), &basic);
}

static void test_the_articles_bug_check(void **state)
{
    static const size_t characters[] = {LONGEST + 1, LONGEST + 2, 3000};

    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
        struct question question = {&nt4, characters[i]};
        lab_run_to_bug_check(boot_and_query, &question);
        assert_int_equal(lab_bug_check.Code, PAGE_FAULT_IN_NONPAGED_AREA);
        assert_int_equal(lab_bug_check.Parameters[0] % PAGE_SIZE, 0); /* 0xff737000 in the article: it will vary */
        assert_int_equal(lab_bug_check.Parameters[0], (ULONG_PTR)lab_bug_check.Block + lab_bug_check.NumberOfBytes);
        assert_int_equal(lab_bug_check.Parameters[1], 1); /* the last three should always be the same */
        assert_int_equal(lab_bug_check.Parameters[2], 1);
        assert_int_equal(lab_bug_check.Parameters[3], 0);
        assert_int_equal(lab_bug_check.Tag, RDR_TAG_SMB);
        assert_false(lab_bug_check.Paged);
    }
}

static void test_driver_verifier_says_more(void **state)
{
    struct question question = {&verifier, LONGEST + 1};

    lab_run_to_bug_check(boot_and_query, &question);
    assert_int_equal(lab_bug_check.Code, PAGE_FAULT_BEYOND_END_OF_ALLOCATION);
    assert_int_equal(lab_bug_check.Parameters[1], 1);
    assert_int_equal(lab_bug_check.Tag, RDR_TAG_SMB);
}

/* ---- the fix, and what fits ---- */

static void assert_answered(const WCHAR *path)
{
    FILE_BASIC_INFORMATION basic;

    assert_status(query(path, &basic), STATUS_SUCCESS);
    assert_int_equal(basic.FileAttributes, FILE_ATTRIBUTE_DIRECTORY);
}

static void test_what_fits_is_asked_on_either_build(void **state)
{
    static const char *const builds[] = {"nt4-sp2", "nt4-sp3"};

    for (int i = 0; i < 2; i++) {
        boot(builds[i], &nt4);
        assert_answered(u"\\??\\X:\\");
        assert_answered(u"\\??\\X:\\dir");
        assert_answered(make_directory(LONGEST));
        lab_shut_down(&lab, 0);
    }
}

static void test_the_fixed_build_refuses_a_path_that_does_not_fit(void **state)
{
    const EMU_VERIFIER_OPTIONS *const options[] = {&nt4, &verifier};
    FILE_BASIC_INFORMATION basic = {.FileAttributes = 99};
    uint64_t before;

    for (int i = 0; i < 2; i++) {
        boot("nt4-sp3", options[i]);
        before = smb_backend_count(lab.smb, SMB_QUERY_PATH);
        assert_status(query(make_directory(LONGEST + 1), &basic), STATUS_NAME_TOO_LONG);
        assert_int_equal(basic.FileAttributes, 99);
        assert_int_equal(smb_backend_count(lab.smb, SMB_QUERY_PATH), before);
        assert_answered(u"\\??\\X:\\dir");
        lab_shut_down(&lab, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_articles_bug_check),
        cmocka_unit_test(test_driver_verifier_says_more),
        cmocka_unit_test(test_what_fits_is_asked_on_either_build),
        cmocka_unit_test(test_the_fixed_build_refuses_a_path_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
