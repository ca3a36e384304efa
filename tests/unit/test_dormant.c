/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dormant files: closed here, open at the server, and in nobody's way. */
#include "lab.h"
#include "rdr/rdr.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define SECOND 10000000LL
#define LIMIT  "LanmanWorkstation\\Parameters\\DormantFileLimit=dword:"

static void boot(struct lab *lab, const char *setting)
{
    const char *const registry[] = {setting, NULL};

    lab_boot_options(lab, &(EMU_MACHINE_OPTIONS){.Build = "nt4-sp6", .Clock = EmuClockVirtual, .Registry = registry});
    lab_map(lab);
}

static void open_and_close(const WCHAR *name)
{
    HANDLE handle;

    assert_status(lab_open(name, &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void make(const WCHAR *name)
{
    HANDLE handle;

    assert_status(lab_create(name, GENERIC_READ | SYNCHRONIZE, FILE_SHARE_READ, FILE_CREATE,
                             FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_none_unless_the_registry_says_so(void **state)
{
    struct lab lab;

    boot(&lab, NULL);
    open_and_close(u"\\??\\X:\\f.txt");
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

static void test_it_is_reused_and_then_closed(void **state)
{
    struct lab lab;

    boot(&lab, LIMIT "45");
    for (int i = 0; i < 10; i++)
        open_and_close(u"\\??\\X:\\f.txt");
    assert_int_equal(smb_backend_count(lab.smb, SMB_CREATE), 1);
    assert_int_equal(smb_mem_open_files(lab.mem), 1);
    assert_status(EmuClockAdvance(20 * SECOND), STATUS_SUCCESS);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    open_and_close(u"\\??\\X:\\f.txt");
    lab_shut_down(&lab, 0);
}

static void test_the_oldest_makes_room(void **state)
{
    struct lab lab;

    boot(&lab, LIMIT "2");
    make(u"\\??\\X:\\a");
    make(u"\\??\\X:\\b");
    make(u"\\??\\X:\\c");
    assert_int_equal(smb_mem_open_files(lab.mem), 2);
    lab_shut_down(&lab, 0);
}

static void test_what_it_would_be_in_the_way_of_closes_it(void **state)
{
    struct lab lab;
    HANDLE handle;

    boot(&lab, LIMIT "45");
    open_and_close(u"\\??\\X:\\f.txt");
    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\f.txt", DELETE | SYNCHRONIZE, 0, FILE_OPEN,
                             FILE_SYNCHRONOUS_IO_NONALERT | FILE_DELETE_ON_CLOSE, &handle),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    open_and_close(u"\\??\\X:\\dir\\g.txt");
    assert_int_equal(smb_mem_open_files(lab.mem), 1);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

static void *rename_it(void *handle)
{
    struct {
        FILE_RENAME_INFORMATION information;
        WCHAR more[8];
    } buffer = {.information.FileNameLength = 2 * sizeof(WCHAR)};
    IO_STATUS_BLOCK io_status;

    memcpy((char *)&buffer + offsetof(FILE_RENAME_INFORMATION, FileName), u"f2", 2 * sizeof(WCHAR));
    assert_status(NtSetInformationFile(handle, &io_status, &buffer, sizeof buffer, FileRenameInformation),
                  STATUS_SUCCESS);
    return NULL;
}

static void *read_it(void *handle)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char byte;

    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, &byte, 1, &start, NULL), STATUS_SUCCESS);
    return NULL;
}

/* The last handle that reads it goes while the rename waits for that handle's read. */
static void test_none_becomes_so_while_the_file_is_renamed(void **state)
{
    HANDLE renamed, read;
    pthread_t reader, renamer;
    struct lab lab;

    boot(&lab, LIMIT "45");
    assert_status(lab_create(u"\\??\\X:\\f.txt", DELETE, FILE_SHARE_READ | FILE_SHARE_DELETE, FILE_OPEN, 0, &renamed),
                  STATUS_SUCCESS);
    assert_status(
        lab_create(u"\\??\\X:\\f.txt", FILE_READ_DATA, FILE_SHARE_READ | FILE_SHARE_DELETE, FILE_OPEN, 0, &read),
        STATUS_SUCCESS);
    smb_fault_hold(lab.smb, SMB_READ);
    assert_int_equal(pthread_create(&reader, NULL, read_it, read), 0);
    while (!smb_fault_held(lab.smb))
        sched_yield();
    assert_int_equal(pthread_create(&renamer, NULL, rename_it, renamed), 0);
    while (!RdrCountWaiting())
        sched_yield();
    assert_status(NtClose(read), STATUS_SUCCESS);
    smb_fault_release(lab.smb);
    pthread_join(reader, NULL);
    pthread_join(renamer, NULL);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    assert_status(NtClose(renamed), STATUS_SUCCESS);
    lab_shut_down(&lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_unless_the_registry_says_so),
        cmocka_unit_test(test_it_is_reused_and_then_closed),
        cmocka_unit_test(test_the_oldest_makes_room),
        cmocka_unit_test(test_what_it_would_be_in_the_way_of_closes_it),
        cmocka_unit_test(test_none_becomes_so_while_the_file_is_renamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
