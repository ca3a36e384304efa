/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Q244922: a server's answer of 36 bytes is taken for one of 40. The block that it is copied to is written beyond. */
#include "lab.h"

#include "rdr/rdr.h"

static struct lab lab;

static const EMU_VERIFIER_OPTIONS nt4 = {.PoolTag = '*', .PoolTagOverruns = 1},
                                  verifier = {.Flags = DRIVER_VERIFIER_SPECIAL_POOLING};

static void boot(const char *build, const EMU_VERIFIER_OPTIONS *options, ULONG left_out)
{
    lab_boot_options(&lab, &(EMU_MACHINE_OPTIONS){.Build = build, .Verifier = options});
    smb_mem_set_left_out(lab.mem, "mem", 445, left_out);
    lab_map(&lab);
}

/* FileBasicInformation of an open file, and of a path. */
static void ask(FILE_BASIC_INFORMATION *of_file, FILE_BASIC_INFORMATION *of_path)
{
    UNICODE_STRING name = NT_STRING(u"\\??\\X:\\f.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtQueryInformationFile(handle, &io_status, of_file, sizeof *of_file, FileBasicInformation),
                  STATUS_SUCCESS);
    assert_int_equal(io_status.Information, sizeof *of_file);
    NtClose(handle);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtQueryAttributesFile(&attributes, of_path), STATUS_SUCCESS);
}

static void boot_and_ask(void *options)
{
    FILE_BASIC_INFORMATION of_file, of_path;

    boot("tse-sp5", options, 4);
    ask(&of_file, &of_path);
}

static void assert_overrun(void)
{
    assert_int_equal(lab_bug_check.Parameters[0] % PAGE_SIZE, 0); /* 0xf6eb8000 in the article */
    assert_int_equal(lab_bug_check.Parameters[0], (ULONG_PTR)lab_bug_check.Block + lab_bug_check.NumberOfBytes);
    assert_int_equal(lab_bug_check.Parameters[1], 1);
    assert_int_equal(lab_bug_check.Tag, RDR_TAG_SMB);
    assert_int_equal(lab_bug_check.NumberOfBytes, 4 + 36);
}

static void test_the_articles_bug_check(void **state)
{
    lab_run_to_bug_check(boot_and_ask, (void *)&nt4);
    assert_int_equal(lab_bug_check.Code, PAGE_FAULT_IN_NONPAGED_AREA);
    assert_overrun();
    assert_int_equal(lab_bug_check.Parameters[2], 0);
    assert_ptr_equal((void *)lab_bug_check.Parameters[3], lab_bug_check.Stack.Frames[0]);
}

static void test_driver_verifier_says_more(void **state)
{
    lab_run_to_bug_check(boot_and_ask, (void *)&verifier);
    assert_int_equal(lab_bug_check.Code, PAGE_FAULT_BEYOND_END_OF_ALLOCATION);
    assert_overrun();
}

static void assert_answered(const char *build, ULONG left_out)
{
    FILE_BASIC_INFORMATION of_file, of_path;

    boot(build, &nt4, left_out);
    ask(&of_file, &of_path);
    assert_int_equal(of_file.FileAttributes, FILE_ATTRIBUTE_ARCHIVE);
    assert_int_equal(of_path.FileAttributes, FILE_ATTRIBUTE_ARCHIVE);
    assert_int_not_equal(of_file.LastWriteTime.QuadPart, 0);
    assert_int_equal(of_file.LastWriteTime.QuadPart, of_path.LastWriteTime.QuadPart);
    lab_shut_down(&lab, 0);
}

static void test_the_fixed_build_takes_either_answer(void **state)
{
    assert_answered("tse-sp6", 0);
    assert_answered("tse-sp6", 4);
}

static void test_the_usual_answer_fits_on_any_build(void **state)
{
    assert_answered("tse-sp5", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_articles_bug_check),
        cmocka_unit_test(test_driver_verifier_says_more),
        cmocka_unit_test(test_the_fixed_build_takes_either_answer),
        cmocka_unit_test(test_the_usual_answer_fits_on_any_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
