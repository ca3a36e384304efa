/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is done with one file while the server has not answered: its transfers, creates and renames wait for each other,
 * and writes to its end come one after the other.
 */
#include "opener.h"
#include "rdr/rdr.h"

#include <sched.h>

static int boot(void **state)
{
    lab_boot(&lab, "nt4-sp6", 0);
    return 0;
}

/* ---- its new name ---- */

/* Somebody who does something with the file, or renames it, by a handle of his own. */
struct user {
    PEPROCESS process;
    HANDLE handle;
    const WCHAR *new_name;          /* NULL: does ... */
    NTSTATUS (*use)(HANDLE handle); /* ... this */
    pthread_t thread;
    NTSTATUS status;
};

static NTSTATUS read_start(HANDLE handle)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    char bytes[sizeof LAB_TEXT] = "";
    IO_STATUS_BLOCK done;
    NTSTATUS status = NtReadFile(handle, NULL, NULL, NULL, &done, bytes, sizeof LAB_TEXT - 1, &start, NULL);

    return NT_SUCCESS(status) && strcmp(bytes, LAB_TEXT) != 0 ? STATUS_CRC_ERROR : status;
}

static NTSTATUS rename_to(HANDLE handle, const WCHAR *name)
{
    union {
        FILE_RENAME_INFORMATION information;
        UCHAR bytes[sizeof(FILE_RENAME_INFORMATION) + 64];
    } to = {.information = {.ReplaceIfExists = FALSE}};
    UNICODE_STRING text;
    IO_STATUS_BLOCK done;

    RtlInitUnicodeString(&text, name);
    to.information.FileNameLength = text.Length;
    memcpy(to.information.FileName, text.Buffer, text.Length);
    return NtSetInformationFile(handle, &done, &to, sizeof to, FileRenameInformation);
}

static void *use_it(void *argument)
{
    struct user *user = argument;

    EmuEnterProcess(user->process);
    user->status = user->new_name ? rename_to(user->handle, user->new_name) : user->use(user->handle);
    EmuEnterProcess(NULL);
    return NULL;
}

static void begin_use_for(struct user *user, ACCESS_MASK access, ULONG options)
{
    user->process = EmuCreateProcess(0);
    assert_non_null(user->process);
    EmuEnterProcess(user->process);
    assert_status(lab_create(FILE_NAME, access | SYNCHRONIZE, ALL_SHARED, FILE_OPEN,
                             FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT | options, &user->handle),
                  STATUS_SUCCESS);
    EmuEnterProcess(NULL);
}

static void begin_use(struct user *user, const WCHAR *new_name)
{
    user->new_name = new_name;
    user->use = read_start;
    begin_use_for(user, new_name ? DELETE : READ, 0);
}

static void start_use(struct user *user)
{
    assert_int_equal(pthread_create(&user->thread, NULL, use_it, user), 0);
}

/* ... which must have got so far that the server has it, but for an answer. */
static void start_held(struct user *user, enum smb_op op)
{
    smb_fault_hold(lab.smb, op);
    start_use(user);
    while (!smb_fault_held(lab.smb))
        sched_yield();
}

static void end_use(struct user *user, NTSTATUS expected)
{
    pthread_join(user->thread, NULL);
    assert_status(user->status, expected);
    EmuEnterProcess(user->process);
    assert_status(NtClose(user->handle), STATUS_SUCCESS);
    EmuEnterProcess(NULL);
    EmuDeleteProcess(user->process);
}

static void test_a_read_waits_for_the_file_to_be_renamed(void **state)
{
    struct user reader, renamer;

    begin_use(&reader, NULL);
    begin_use(&renamer, u"renamed.txt");
    start_held(&renamer, SMB_RENAME);
    start_use(&reader); /* the file is closed at the server */
    while (!RdrCountWaiting())
        sched_yield();
    smb_fault_release(lab.smb);
    end_use(&renamer, STATUS_SUCCESS);
    end_use(&reader, STATUS_SUCCESS);
}

static void begin_rename_under_a_read(struct user *reader, struct user *renamer)
{
    begin_use(reader, NULL);
    begin_use(renamer, u"renamed.txt");
    start_held(reader, SMB_READ);
    start_use(renamer);
    while (!RdrCountWaiting())
        sched_yield();
}

static void test_a_rename_waits_for_the_file_to_be_read(void **state)
{
    struct user reader, renamer;

    begin_rename_under_a_read(&reader, &renamer);
    smb_fault_release(lab.smb);
    end_use(&reader, STATUS_SUCCESS);
    end_use(&renamer, STATUS_SUCCESS);
}

static void test_a_rename_that_is_cancelled_at_the_server_comes_to_its_end(void **state)
{
    struct user reader, renamer;

    begin_use(&reader, NULL);
    begin_use(&renamer, u"renamed.txt");
    start_held(&renamer, SMB_RENAME);
    EmuCancelProcessIo(renamer.process);
    smb_fault_release(lab.smb);
    end_use(&renamer, STATUS_SUCCESS);
    start_use(&reader); /* it is open at the server again */
    end_use(&reader, STATUS_SUCCESS);
}

static void test_a_rename_that_is_cancelled_while_it_waits_holds_nobody_up(void **state)
{
    struct user reader, renamer, another;

    begin_use(&another, NULL);
    begin_rename_under_a_read(&reader, &renamer);
    EmuCancelProcessIo(renamer.process);
    end_use(&renamer, STATUS_CANCELLED);
    smb_fault_release(lab.smb);
    end_use(&reader, STATUS_SUCCESS);
    start_use(&another);
    end_use(&another, STATUS_SUCCESS);
}

static void test_renames_of_one_file_come_one_behind_the_other(void **state)
{
    struct opener late = TO(u"\\??\\X:\\second.txt", READ, ALL_SHARED);
    struct user reader, first, second;

    begin_use(&reader, NULL);
    begin_use(&first, u"first.txt");
    begin_use(&second, u"second.txt");
    start_held(&first, SMB_RENAME);
    start_use(&second);
    while (!RdrCountWaiting() && smb_fault_held(lab.smb) == 1)
        sched_yield();
    assert_int_equal(smb_fault_held(lab.smb), 1);
    smb_fault_release(lab.smb);
    end_use(&first, STATUS_SUCCESS);
    end_use(&second, STATUS_SUCCESS);
    start_use(&reader); /* nobody has lost the file, and it has the second name */
    end_use(&reader, STATUS_SUCCESS);
    opener_begin(&late);
    opener_end(&late, STATUS_SUCCESS);
    opener_leave(&late);
}

static NTSTATUS set_times(HANDLE handle)
{
    FILE_BASIC_INFORMATION basic = {.LastWriteTime.QuadPart = 125911584000000000};
    IO_STATUS_BLOCK done;

    return NtSetInformationFile(handle, &done, &basic, sizeof basic, FileBasicInformation);
}

static NTSTATUS set_end(HANDLE handle)
{
    FILE_END_OF_FILE_INFORMATION end = {.EndOfFile.QuadPart = 3};
    IO_STATUS_BLOCK done;

    return NtSetInformationFile(handle, &done, &end, sizeof end, FileEndOfFileInformation);
}

static NTSTATUS set_allocation(HANDLE handle)
{
    FILE_ALLOCATION_INFORMATION allocation = {.AllocationSize.QuadPart = 2};
    IO_STATUS_BLOCK done;

    return NtSetInformationFile(handle, &done, &allocation, sizeof allocation, FileAllocationInformation);
}

static NTSTATUS query_times(HANDLE handle)
{
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK done;

    return NtQueryInformationFile(handle, &done, &basic, sizeof basic, FileBasicInformation);
}

static NTSTATUS mark(HANDLE handle)
{
    FILE_DISPOSITION_INFORMATION disposition = {.DoDeleteFile = TRUE};
    IO_STATUS_BLOCK done;

    return NtSetInformationFile(handle, &done, &disposition, sizeof disposition, FileDispositionInformation);
}

/* What is done by the name is done by the new one, and what is done by what is open, when it is open again. */
static void test_what_a_rename_holds_up_finds_the_file(void **state)
{
    static const struct {
        NTSTATUS (*use)(HANDLE handle);
        ACCESS_MASK access;
    } uses[] = {
        {set_times, FILE_WRITE_ATTRIBUTES},
        {set_end, FILE_WRITE_DATA},
        {set_allocation, FILE_WRITE_DATA},
        {query_times, FILE_READ_ATTRIBUTES},
        {query_times, FILE_READ_ATTRIBUTES | FILE_READ_DATA},
        {mark, DELETE},
    };
    enum { USES = sizeof uses / sizeof *uses };
    struct user users[USES], renamer;

    for (int i = 0; i < USES; i++) {
        users[i] = (struct user){.use = uses[i].use};
        begin_use_for(&users[i], uses[i].access, 0);
    }
    begin_use(&renamer, u"renamed.txt");
    start_held(&renamer, SMB_RENAME);
    for (ULONG i = 0; i < USES; i++) {
        start_use(&users[i]);
        while (RdrCountWaiting() == i && smb_fault_held(lab.smb) == 1)
            sched_yield();
    }
    smb_fault_release(lab.smb);
    end_use(&renamer, STATUS_SUCCESS);
    for (int i = 0; i < USES; i++)
        end_use(&users[i], STATUS_SUCCESS);
}

/* A name is the file's before anybody whom the rename held up looks at it. */
static void test_a_query_finds_the_file_however_it_races_with_renames(void **state)
{
    struct user asker = {.use = query_times}, renamer;

    begin_use_for(&asker, FILE_READ_ATTRIBUTES, 0);
    begin_use(&renamer, u"renamed.txt");
    for (int i = 0; i < 200; i++) {
        renamer.new_name = i % 2 ? u"f.txt" : u"renamed.txt";
        start_use(&renamer);
        start_use(&asker);
        pthread_join(renamer.thread, NULL);
        pthread_join(asker.thread, NULL);
        assert_status(renamer.status, STATUS_SUCCESS);
        assert_status(asker.status, STATUS_SUCCESS);
    }
    start_use(&renamer);
    end_use(&renamer, STATUS_SUCCESS);
    start_use(&asker);
    end_use(&asker, STATUS_SUCCESS);
}

/* The name that it waited for is another file's then, or a new one's: nothing that is done to that is done to this. */
static void test_a_create_during_a_rename_is_of_the_file_that_has_the_name_then(void **state)
{
    struct opener made = {.name = FILE_NAME,
                          .access = DELETE | FILE_READ_DATA | SYNCHRONIZE,
                          .share = ALL_SHARED,
                          .disposition = FILE_OPEN_IF},
                  late = TO(FILE_NAME, READ, ALL_SHARED);
    struct user renamer, reader;

    begin_use(&reader, NULL);
    begin_use(&renamer, u"renamed.txt");
    smb_fault_hold(lab.smb, SMB_RENAME);
    start_use(&renamer);
    while (!smb_fault_held(lab.smb))
        sched_yield();
    opener_begin(&made);
    while (!RdrCountWaiting() && smb_fault_held(lab.smb) == 1)
        sched_yield();
    smb_fault_release(lab.smb);
    opener_end(&made, STATUS_SUCCESS);
    end_use(&renamer, STATUS_SUCCESS);
    EmuEnterProcess(made.process);
    assert_status(mark(made.handle), STATUS_SUCCESS);
    EmuEnterProcess(NULL);
    opener_leave(&made);
    start_use(&reader); /* whose file is as it was */
    end_use(&reader, STATUS_SUCCESS);
    opener_begin(&late);
    opener_end(&late, STATUS_OBJECT_NAME_NOT_FOUND);
    opener_leave(&late);
    late.name = u"\\??\\X:\\renamed.txt";
    opener_begin(&late);
    opener_end(&late, STATUS_SUCCESS);
    opener_leave(&late);
}

static void *close_it(void *argument)
{
    struct user *user = argument;

    EmuEnterProcess(user->process);
    user->status = NtClose(user->handle);
    EmuEnterProcess(NULL);
    return NULL;
}

/* ... while something is held at the server, which then is released. */
static void close_meanwhile(struct user *user)
{
    assert_int_equal(pthread_create(&user->thread, NULL, close_it, user), 0);
    while (!RdrCountWaiting() && smb_fault_held(lab.smb) == 1)
        sched_yield();
    smb_fault_release(lab.smb);
    pthread_join(user->thread, NULL);
    assert_status(user->status, STATUS_SUCCESS);
}

/* The program that renames it has died: what goes is the file, and not the name that it had. */
static void test_a_file_whose_last_handle_goes_during_a_rename_is_deleted_by_its_new_name(void **state)
{
    struct user renamer = {.new_name = u"renamed.txt"}, closer;
    struct opener late = TO(u"\\??\\X:\\renamed.txt", READ, ALL_SHARED);

    begin_use_for(&renamer, DELETE, FILE_DELETE_ON_CLOSE);
    start_held(&renamer, SMB_RENAME);
    closer = renamer;
    close_meanwhile(&closer);
    pthread_join(renamer.thread, NULL);
    assert_status(renamer.status, STATUS_SUCCESS);
    EmuDeleteProcess(renamer.process);
    opener_begin(&late);
    opener_end(&late, STATUS_OBJECT_NAME_NOT_FOUND);
    opener_leave(&late);
}

/* Who opens it meanwhile has opened what is not to go yet: it goes with that handle. */
static void test_a_file_whose_last_handle_goes_during_a_create_goes_with_what_that_opens(void **state)
{
    struct opener opener = TO(FILE_NAME, READ, ALL_SHARED);
    const uint64_t before = smb_backend_count(lab.smb, SMB_DELETE);
    struct user deleter = {.new_name = NULL};

    begin_use_for(&deleter, DELETE, FILE_DELETE_ON_CLOSE);
    opener_begin_held(&opener, SMB_CREATE);
    close_meanwhile(&deleter);
    EmuDeleteProcess(deleter.process);
    opener_end(&opener, STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab.smb, SMB_DELETE), before); /* to which its open shares no deleting */
    opener_leave(&opener);
    assert_int_equal(smb_backend_count(lab.smb, SMB_DELETE), before + 1);
    opener_begin(&opener);
    opener_end(&opener, STATUS_OBJECT_NAME_NOT_FOUND);
    opener_leave(&opener);
}

/* Another thread has closed the handle while the server was asked whether the file may go. */
static void test_a_mark_that_comes_behind_the_last_handle_is_none(void **state)
{
    struct opener late = TO(FILE_NAME, READ, ALL_SHARED);
    struct user reader, marker = {.use = mark};

    begin_use(&reader, NULL);
    begin_use_for(&marker, DELETE, 0);
    start_held(&marker, SMB_QUERY_PATH);
    EmuEnterProcess(marker.process);
    assert_status(NtClose(marker.handle), STATUS_SUCCESS);
    EmuEnterProcess(NULL);
    smb_fault_release(lab.smb);
    pthread_join(marker.thread, NULL);
    assert_status(marker.status, STATUS_FILE_CLOSED);
    EmuDeleteProcess(marker.process);
    start_use(&reader);
    end_use(&reader, STATUS_SUCCESS);
    opener_begin(&late);
    opener_end(&late, STATUS_SUCCESS);
    opener_leave(&late);
}

/* ---- its end ---- */

struct appender {
    HANDLE handle; /* opened by the test, in the process */
    PEPROCESS process;
    char byte;
    pthread_t thread;
    NTSTATUS status;
};

#define APPENDED 5 /* bytes at a time */

static void *append_it(void *argument)
{
    struct appender *a = argument;
    char bytes[APPENDED];
    IO_STATUS_BLOCK done;

    memset(bytes, a->byte, sizeof bytes);
    EmuEnterProcess(a->process);
    a->status = NtWriteFile(a->handle, NULL, NULL, NULL, &done, bytes, sizeof bytes, NULL, NULL);
    EmuEnterProcess(NULL);
    return NULL;
}

static void open_to_append(struct appender *a, char byte)
{
    a->byte = byte;
    a->process = EmuCreateProcess(0);
    assert_non_null(a->process);
    EmuEnterProcess(a->process);
    assert_status(lab_create(FILE_NAME, FILE_APPEND_DATA | SYNCHRONIZE, ALL_SHARED, FILE_OPEN,
                             FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, &a->handle),
                  STATUS_SUCCESS);
    EmuEnterProcess(NULL);
}

static void close_appender(struct appender *a)
{
    EmuEnterProcess(a->process);
    assert_status(NtClose(a->handle), STATUS_SUCCESS);
    EmuEnterProcess(NULL);
    EmuDeleteProcess(a->process);
}

/* The first has asked for the end and has no answer; the others wait for it. */
static void begin_appends(struct appender appenders[], int count)
{
    for (int i = 0; i < count; i++)
        open_to_append(&appenders[i], (char)('a' + i));
    smb_fault_hold(lab.smb, SMB_QUERY_FILE);
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&appenders[i].thread, NULL, append_it, &appenders[i]), 0);
        while (i ? RdrCountWaiting() < (ULONG)i && smb_fault_held(lab.smb) == 1 : !smb_fault_held(lab.smb))
            sched_yield();
        assert_int_equal(smb_fault_held(lab.smb), 1);
    }
}

static void end_append(struct appender *a, NTSTATUS expected)
{
    pthread_join(a->thread, NULL);
    assert_status(a->status, expected);
}

/* What is behind the file's first bytes. */
static void assert_appended(const char *expected)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    char bytes[256] = "";
    IO_STATUS_BLOCK done;
    HANDLE handle;

    assert_status(lab_create(FILE_NAME, READ, ALL_SHARED, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &handle),
                  STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &done, bytes, sizeof bytes - 1, &start, NULL), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_true(done.Information >= strlen(expected));
    assert_string_equal(bytes + done.Information - strlen(expected), expected);
}

static void test_writes_to_the_end_come_one_behind_the_other(void **state)
{
    struct appender appenders[3];

    begin_appends(appenders, 3);
    smb_fault_release(lab.smb);
    for (int i = 0; i < 3; i++)
        end_append(&appenders[i], STATUS_SUCCESS);
    assert_appended("aaaaabbbbbccccc");
    for (int i = 0; i < 3; i++)
        close_appender(&appenders[i]);
}

static void test_a_write_to_the_end_that_is_cancelled_lets_the_next_one_go_on(void **state)
{
    struct appender appenders[3];

    begin_appends(appenders, 3);
    EmuCancelProcessIo(appenders[1].process);
    end_append(&appenders[1], STATUS_CANCELLED);
    EmuCancelProcessIo(appenders[0].process);
    end_append(&appenders[0], STATUS_CANCELLED);
    smb_fault_release(lab.smb);
    end_append(&appenders[2], STATUS_SUCCESS);
    assert_appended("ccccc");
    for (int i = 0; i < 3; i++)
        close_appender(&appenders[i]);
}

static void test_a_write_to_the_end_that_fails_lets_the_next_one_go_on(void **state)
{
    struct appender appenders[2];

    smb_fault_fail(lab.smb, SMB_WRITE, 1, 1, STATUS_DISK_FULL);
    begin_appends(appenders, 2);
    smb_fault_release(lab.smb);
    end_append(&appenders[0], STATUS_DISK_FULL);
    end_append(&appenders[1], STATUS_SUCCESS);
    assert_appended("bbbbb");
    for (int i = 0; i < 2; i++)
        close_appender(&appenders[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, shut_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_read_waits_for_the_file_to_be_renamed),
        TEST(test_a_rename_waits_for_the_file_to_be_read),
        TEST(test_a_rename_that_is_cancelled_at_the_server_comes_to_its_end),
        TEST(test_a_rename_that_is_cancelled_while_it_waits_holds_nobody_up),
        TEST(test_renames_of_one_file_come_one_behind_the_other),
        TEST(test_what_a_rename_holds_up_finds_the_file),
        TEST(test_a_query_finds_the_file_however_it_races_with_renames),
        TEST(test_a_create_during_a_rename_is_of_the_file_that_has_the_name_then),
        TEST(test_a_file_whose_last_handle_goes_during_a_rename_is_deleted_by_its_new_name),
        TEST(test_a_file_whose_last_handle_goes_during_a_create_goes_with_what_that_opens),
        TEST(test_a_mark_that_comes_behind_the_last_handle_is_none),
        TEST(test_writes_to_the_end_come_one_behind_the_other),
        TEST(test_a_write_to_the_end_that_is_cancelled_lets_the_next_one_go_on),
        TEST(test_a_write_to_the_end_that_fails_lets_the_next_one_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
