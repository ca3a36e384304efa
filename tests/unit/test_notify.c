/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What NtNotifyChangeDirectoryFile tells of a directory, and how it ends. */
#include "lab.h"
#include "rdr/rdr.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define DIRECTORY u"\\??\\X:\\dir"
#define SHARED    (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define NAMES     (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME)

/* A request in a thread of its own. */
struct asker {
    HANDLE directory;
    ULONG length;
    BOOLEAN tree;
    ULONG number;
    PEPROCESS process;
    pthread_t thread;
    NTSTATUS status;
    IO_STATUS_BLOCK io_status;
    __attribute__((aligned(4))) UCHAR buffer[16384];
};

static HANDLE open_directory(ULONG attributes)
{
    UNICODE_STRING name = NT_STRING(DIRECTORY);
    OBJECT_ATTRIBUTES object;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    InitializeObjectAttributes(&object, &name, OBJ_CASE_INSENSITIVE | attributes, NULL, NULL);
    assert_status(NtOpenFile(&handle, FILE_LIST_DIRECTORY, &object, &io_status, SHARED, FILE_DIRECTORY_FILE),
                  STATUS_SUCCESS);
    return handle;
}

static NTSTATUS ask(struct asker *a)
{
    a->status = NtNotifyChangeDirectoryFile(a->directory, NULL, NULL, NULL, &a->io_status, a->buffer, a->length, NAMES,
                                            a->tree);
    return a->status;
}

static void *ask_in_thread(void *argument)
{
    struct asker *a = argument;
    EMU_REQUEST request;

    EmuEnterProcess(a->process);
    EmuBeginRequest(&request, a->number);
    ask(a);
    EmuEndRequest(&request);
    EmuEnterProcess(NULL);
    return NULL;
}

/* ... until it waits. */
static void begin(struct asker *a)
{
    ULONG before = RdrCountNotifyWaiting();

    assert_int_equal(pthread_create(&a->thread, NULL, ask_in_thread, a), 0);
    while (RdrCountNotifyWaiting() == before)
        sched_yield();
}

static void end(struct asker *a, NTSTATUS expected)
{
    pthread_join(a->thread, NULL);
    assert_status(a->status, expected);
}

/* The last thing that was told, and how many there were. */
static void expect_last(const struct asker *a, ULONG count, ULONG action, const WCHAR *name)
{
    const FILE_NOTIFY_INFORMATION *entry = (const void *)a->buffer;
    UNICODE_STRING wanted;

    RtlInitUnicodeString(&wanted, name);
    assert_int_not_equal(a->io_status.Information, 0);
    for (; entry->NextEntryOffset; count--)
        entry = (const void *)((const UCHAR *)entry + entry->NextEntryOffset);
    assert_int_equal(count, 1);
    assert_int_equal(entry->Action, action);
    assert_int_equal(entry->FileNameLength, wanted.Length);
    assert_memory_equal(entry->FileName, name, wanted.Length);
}

static void make(const WCHAR *name)
{
    HANDLE handle;

    assert_status(lab_create(name, FILE_WRITE_DATA, SHARED, FILE_CREATE, 0, &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_who_waits_is_told_of_the_next_change(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};

    begin(&a);
    make(u"\\??\\X:\\dir\\new");
    end(&a, STATUS_SUCCESS);
    expect_last(&a, 1, FILE_ACTION_ADDED, u"new");
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

static void test_what_changes_between_two_requests_is_kept(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};

    begin(&a);
    make(u"\\??\\X:\\dir\\one");
    end(&a, STATUS_SUCCESS);
    make(u"\\??\\X:\\dir\\two");
    make(u"\\??\\X:\\dir\\three");
    assert_status(ask(&a), STATUS_SUCCESS);
    expect_last(&a, 2, FILE_ACTION_ADDED, u"three");
    begin(&a); /* and told once */
    make(u"\\??\\X:\\dir\\four");
    end(&a, STATUS_SUCCESS);
    expect_last(&a, 1, FILE_ACTION_ADDED, u"four");
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

/* Of the pool's memory, nobody sees what was there before. */
static void test_what_is_between_two_changes_is_nothing(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = 200};
    const ULONG fixed = offsetof(FILE_NOTIFY_INFORMATION, FileName);

    for (int i = 0; i < 64; i++) { /* whatever block the watch gets */
        PVOID block = ExAllocatePoolWithTag(NonPagedPool, 16600 + 8 * (SIZE_T)i, POOL_TAG('T', 'e', 's', 't'));
        assert_non_null(block);
        memset(block, 0xee, 16600 + 8 * (SIZE_T)i);
        ExFreePoolWithTag(block, POOL_TAG('T', 'e', 's', 't'));
    }
    begin(&a);
    make(u"\\??\\X:\\dir\\x");
    end(&a, STATUS_SUCCESS);
    make(u"\\??\\X:\\dir\\one");
    make(u"\\??\\X:\\dir\\two");
    memset(a.buffer, 0x77, sizeof a.buffer);
    assert_status(ask(&a), STATUS_SUCCESS);
    expect_last(&a, 2, FILE_ACTION_ADDED, u"two");
    assert_int_equal(a.buffer[fixed + 6] | a.buffer[fixed + 7], 0);
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

static void test_more_than_there_is_room_for_is_said_to_be_so(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = 64};

    begin(&a);
    make(u"\\??\\X:\\dir\\x");
    end(&a, STATUS_SUCCESS);
    for (int i = 0; i < 4; i++) { /* more than the first request had room for */
        WCHAR name[] = u"\\??\\X:\\dir\\a file's name 0";
        name[sizeof name / sizeof *name - 2] = (WCHAR)('0' + i);
        make(name);
    }
    a.io_status.Information = 77;
    assert_status(ask(&a), STATUS_NOTIFY_ENUM_DIR);
    assert_int_equal(a.io_status.Information, 0);
    begin(&a);
    make(u"\\??\\X:\\dir\\y");
    end(&a, STATUS_SUCCESS);
    expect_last(&a, 1, FILE_ACTION_ADDED, u"y");
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

static void test_a_request_that_is_cancelled_loses_nothing(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer, .number = 7}, b = a;

    b.number = 8;
    begin(&a);
    begin(&b);
    assert_status(EmuCancelRequestByNumber(PsGetCurrentProcess(), 7), STATUS_SUCCESS);
    end(&a, STATUS_CANCELLED);
    make(u"\\??\\X:\\dir\\new");
    end(&b, STATUS_SUCCESS);
    make(u"\\??\\X:\\dir\\newer");
    assert_status(ask(&a), STATUS_SUCCESS);
    expect_last(&a, 1, FILE_ACTION_ADDED, u"newer");
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

static void test_the_last_handle_ends_it(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};

    begin(&a);
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
    end(&a, STATUS_NOTIFY_CLEANUP);
    assert_int_equal(a.io_status.Information, 0);
}

static void test_a_process_that_ends_is_not_kept_waiting(void **state)
{
    struct asker a = {.directory = open_directory(OBJ_KERNEL_HANDLE), .length = sizeof a.buffer};

    a.process = EmuCreateProcess(0);
    begin(&a);
    EmuCancelProcessIo(a.process);
    end(&a, STATUS_CANCELLED);
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
    EmuDeleteProcess(a.process);
}

static void test_a_server_that_is_lost_ends_it(void **state)
{
    struct lab *lab = *state;
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};

    begin(&a);
    smb_mem_set_running(lab->mem, "mem", 445, FALSE);
    end(&a, STATUS_CONNECTION_DISCONNECTED);
    smb_mem_set_running(lab->mem, "mem", 445, TRUE);
    assert_status(ask(&a), STATUS_CONNECTION_DISCONNECTED);
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

static void test_what_cannot_be_watched_is_refused(void **state)
{
    struct lab *lab = *state;
    struct asker a = {.length = sizeof a.buffer};
    HANDLE file;

    assert_status(lab_open(u"\\??\\X:\\f.txt", &file), STATUS_SUCCESS);
    a.directory = file;
    assert_status(ask(&a), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(file), STATUS_SUCCESS);
    a.directory = open_directory(0);
    assert_status(NtNotifyChangeDirectoryFile(a.directory, NULL, NULL, NULL, &a.io_status, a.buffer, 64, 0, FALSE),
                  STATUS_INVALID_PARAMETER);
    assert_status(NtNotifyChangeDirectoryFile(a.directory, NULL, NULL, NULL, &a.io_status, a.buffer, 64, 0x1000, FALSE),
                  STATUS_INVALID_PARAMETER);
    smb_fault_fail(lab->smb, SMB_NOTIFY, 1, 1, STATUS_ACCESS_DENIED);
    assert_status(ask(&a), STATUS_ACCESS_DENIED);
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

static void test_what_could_not_be_watched_is_asked_for_again(void **state)
{
    struct lab *lab = *state;
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};

    smb_fault_fail(lab->smb, SMB_NOTIFY, 1, 2, STATUS_IO_TIMEOUT);
    assert_status(ask(&a), STATUS_IO_TIMEOUT);
    assert_status(ask(&a), STATUS_IO_TIMEOUT);
    begin(&a);
    make(u"\\??\\X:\\dir\\new");
    end(&a, STATUS_SUCCESS);
    expect_last(&a, 1, FILE_ACTION_ADDED, u"new");
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

/* Each watch is a connection: there is an end to them, of which those that failed are no part. */
static void test_there_is_an_end_to_watches(void **state)
{
    static struct asker many[16];
    struct lab *lab = *state;
    struct asker a = {.length = sizeof a.buffer};
    HANDLE failed[16];

    smb_fault_fail(lab->smb, SMB_NOTIFY, 1, 16, STATUS_ACCESS_DENIED);
    for (int i = 0; i < 16; i++) {
        a.directory = failed[i] = open_directory(0);
        assert_status(ask(&a), STATUS_ACCESS_DENIED);
    }
    for (int i = 0; i < 16; i++) {
        many[i] = (struct asker){.directory = open_directory(0), .length = 64};
        begin(&many[i]);
    }
    assert_status(ask(&a), STATUS_INSUFFICIENT_RESOURCES);
    assert_status(NtClose(many[0].directory), STATUS_SUCCESS);
    end(&many[0], STATUS_NOTIFY_CLEANUP);
    begin(&a);
    for (int i = 0; i < 16; i++)
        assert_status(NtClose(failed[i]), STATUS_SUCCESS);
    end(&a, STATUS_NOTIFY_CLEANUP);
    for (int i = 1; i < 16; i++) {
        assert_status(NtClose(many[i].directory), STATUS_SUCCESS);
        end(&many[i], STATUS_NOTIFY_CLEANUP);
    }
}

static void test_no_pool_for_a_watch_leaves_nothing(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};
    const ULONG64 before = lab_live_blocks();

    for (ULONG64 n = 1; n <= 3; n++) {
        EmuPoolFailAllocations(n, 1);
        assert_status(ask(&a), STATUS_INSUFFICIENT_RESOURCES);
        EmuPoolFailAllocations(0, 0);
        assert_int_equal(lab_live_blocks(), before + (n == 3)); /* the watch itself, for the next request */
    }
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

/* ---- askers, changes and closes that race ---- */

static void *make_often(void *argument)
{
    for (int i = 0; i < 200; i++) {
        WCHAR name[] = u"\\??\\X:\\dir\\race 000";
        for (int digit = 0, n = i; digit < 3; digit++, n /= 10)
            name[sizeof name / sizeof *name - 2 - digit] = (WCHAR)('0' + n % 10);
        make(name);
    }
    return NULL;
}

static void test_nothing_is_lost_or_told_twice_however_they_race(void **state)
{
    struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};
    ULONG told = 0;
    pthread_t maker;

    begin(&a);
    assert_int_equal(pthread_create(&maker, NULL, make_often, NULL), 0);
    end(&a, STATUS_SUCCESS);
    for (;;) {
        const FILE_NOTIFY_INFORMATION *entry = (const void *)a.buffer;
        for (told++; entry->NextEntryOffset; told++)
            entry = (const void *)((const UCHAR *)entry + entry->NextEntryOffset);
        if (told >= 200)
            break;
        assert_status(ask(&a), STATUS_SUCCESS);
    }
    pthread_join(maker, NULL);
    assert_int_equal(told, 200);
    assert_status(NtClose(a.directory), STATUS_SUCCESS);
}

static void test_closes_that_race_with_changes_end_every_request(void **state)
{
    pthread_t maker;

    assert_int_equal(pthread_create(&maker, NULL, make_often, NULL), 0);
    for (int i = 0; i < 50; i++) {
        struct asker a = {.directory = open_directory(0), .length = sizeof a.buffer};
        assert_int_equal(pthread_create(&a.thread, NULL, ask_in_thread, &a), 0);
        if (i % 2)
            sched_yield();
        assert_status(NtClose(a.directory), STATUS_SUCCESS);
        pthread_join(a.thread, NULL);
        assert_true(a.status == STATUS_SUCCESS || a.status == STATUS_NOTIFY_CLEANUP ||
                    a.status == STATUS_INVALID_HANDLE || a.status == STATUS_NOTIFY_ENUM_DIR);
    }
    pthread_join(maker, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_set_up, lab_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_who_waits_is_told_of_the_next_change),
        TEST(test_what_changes_between_two_requests_is_kept),
        TEST(test_what_is_between_two_changes_is_nothing),
        TEST(test_more_than_there_is_room_for_is_said_to_be_so),
        TEST(test_a_request_that_is_cancelled_loses_nothing),
        TEST(test_the_last_handle_ends_it),
        TEST(test_a_process_that_ends_is_not_kept_waiting),
        TEST(test_a_server_that_is_lost_ends_it),
        TEST(test_what_cannot_be_watched_is_refused),
        TEST(test_what_could_not_be_watched_is_asked_for_again),
        TEST(test_there_is_an_end_to_watches),
        TEST(test_no_pool_for_a_watch_leaves_nothing),
        TEST(test_nothing_is_lost_or_told_twice_however_they_race),
        TEST(test_closes_that_race_with_changes_end_every_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
