/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Renaming: where a name leads, what is refused, and what becomes of a file object whose file was renamed under it. */
#include "lab.h"
#include "rdr/rdr.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define F         u"\\??\\X:\\f.txt"

static struct lab lab;

static int boot(void **state)
{
    lab_boot(&lab, "nt4-sp6", 0);
    return 0;
}

static int shut_down(void **state)
{
    lab_shut_down(&lab, 0);
    return 0;
}

static HANDLE open_for(const WCHAR *name, ACCESS_MASK access)
{
    HANDLE handle = NULL;

    assert_status(lab_create(name, access, SHARE_ALL, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    return handle;
}

static NTSTATUS rename_to(HANDLE file, HANDLE root, const WCHAR *name, BOOLEAN replace)
{
    struct {
        FILE_RENAME_INFORMATION information;
        WCHAR more[300];
    } buffer = {.information = {.RootDirectory = root}};
    IO_STATUS_BLOCK io_status;
    UNICODE_STRING text;

    buffer.information.ReplaceIfExists = replace;
    RtlInitUnicodeString(&text, name);
    buffer.information.FileNameLength = text.Length;
    memcpy((char *)&buffer + offsetof(FILE_RENAME_INFORMATION, FileName), text.Buffer, text.Length);
    return NtSetInformationFile(file, &io_status, &buffer,
                                (ULONG)offsetof(FILE_RENAME_INFORMATION, FileName) + text.Length,
                                FileRenameInformation);
}

static NTSTATUS try_open(const WCHAR *name)
{
    HANDLE handle;
    NTSTATUS status = lab_create(name, FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static void assert_reads(HANDLE handle)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char text[32];

    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, text, sizeof text, &start, NULL), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, strlen(LAB_TEXT));
    assert_memory_equal(text, LAB_TEXT, strlen(LAB_TEXT));
}

static void assert_named(HANDLE handle, const WCHAR *expected)
{
    struct {
        FILE_NAME_INFORMATION information;
        WCHAR more[64];
    } name;
    IO_STATUS_BLOCK io_status;
    UNICODE_STRING text;

    RtlInitUnicodeString(&text, expected);
    assert_status(NtQueryInformationFile(handle, &io_status, &name, sizeof name, FileNameInformation), STATUS_SUCCESS);
    assert_int_equal(name.information.FileNameLength, text.Length);
    assert_memory_equal((char *)&name + offsetof(FILE_NAME_INFORMATION, FileName), text.Buffer, text.Length);
}

static void test_a_name_leads_into_the_files_directory_into_another_or_from_the_root(void **state)
{
    HANDLE file = open_for(F, DELETE | FILE_READ_DATA), directory = open_for(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY);

    assert_status(rename_to(file, NULL, u"second.txt", FALSE), STATUS_SUCCESS);
    assert_status(try_open(F), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(try_open(u"\\??\\X:\\second.txt"), STATUS_SUCCESS);
    assert_named(file, u"\\mem\\lab\\second.txt");
    assert_status(rename_to(file, directory, u"third.txt", FALSE), STATUS_SUCCESS);
    assert_named(file, u"\\mem\\lab\\dir\\third.txt");
    assert_status(rename_to(file, NULL, u"\\??\\UNC\\mem\\lab\\dir\\fourth.txt", FALSE), STATUS_SUCCESS);
    assert_status(rename_to(file, NULL, u"\\??\\X:\\FOURTH.txt", FALSE), STATUS_SUCCESS);
    assert_status(rename_to(file, NULL, u"Fourth.txt", FALSE), STATUS_SUCCESS);
    assert_reads(file);
    assert_status(try_open(u"\\??\\X:\\dir\\fourth.txt"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(NtClose(directory), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\fourth.txt"), STATUS_SUCCESS);
}

static void test_what_is_refused_changes_nothing(void **state)
{
    static const struct {
        const WCHAR *name;
        BOOLEAN replace;
        NTSTATUS expected;
    } rows[] = {
        {u"\\??\\X:\\dir\\g.txt", FALSE, STATUS_OBJECT_NAME_COLLISION},
        {u"\\??\\X:\\dir", TRUE, STATUS_ACCESS_DENIED},
        {u"\\??\\X:\\missing\\f.txt", FALSE, STATUS_OBJECT_PATH_NOT_FOUND},
        {u"\\??\\X:\\dir\\g.txt\\f.txt", FALSE, STATUS_OBJECT_PATH_NOT_FOUND},
        {u"a|b", FALSE, STATUS_OBJECT_NAME_INVALID},
        {u"dir\\b", FALSE, STATUS_OBJECT_NAME_INVALID},
        {u"..", FALSE, STATUS_OBJECT_PATH_SYNTAX_BAD},
        {u"\\??\\X:\\b\\", FALSE, STATUS_OBJECT_NAME_INVALID},
        {u"\\??\\UNC\\mem\\two\\f.txt", FALSE, STATUS_NOT_SAME_DEVICE},
        {u"\\??\\UNC\\nowhere\\two\\f.txt", FALSE, STATUS_BAD_NETWORK_PATH},
    };
    HANDLE file = open_for(F, DELETE | FILE_READ_DATA), root = open_for(u"\\??\\X:\\", DELETE);

    assert_status(smb_mem_add_share(lab.mem, "mem", 445, "two", FALSE), STATUS_SUCCESS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        NTSTATUS status = rename_to(file, NULL, rows[i].name, rows[i].replace);
        if (status != rows[i].expected)
            print_error("row %zu\n", i);
        assert_status(status, rows[i].expected);
        assert_named(file, u"\\mem\\lab\\f.txt");
        assert_reads(file);
    }
    assert_status(rename_to(root, NULL, u"b", FALSE), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(root), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
    file = open_for(F, FILE_READ_DATA);
    assert_status(rename_to(file, NULL, u"b", FALSE), STATUS_ACCESS_DENIED);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_a_file_takes_the_place_of_one_that_is_not_open(void **state)
{
    HANDLE file = open_for(F, DELETE | FILE_READ_DATA), target = open_for(u"\\??\\X:\\dir\\g.txt", FILE_READ_DATA);

    assert_status(rename_to(file, NULL, u"\\??\\X:\\dir\\g.txt", TRUE), STATUS_ACCESS_DENIED);
    assert_status(NtClose(target), STATUS_SUCCESS);
    assert_status(rename_to(file, NULL, u"\\??\\X:\\dir\\g.txt", TRUE), STATUS_SUCCESS);
    assert_named(file, u"\\mem\\lab\\dir\\g.txt");
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(try_open(F), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_directory_is_renamed_when_nothing_below_it_is_open(void **state)
{
    HANDLE directory = open_for(u"\\??\\X:\\dir", DELETE | FILE_LIST_DIRECTORY),
           file = open_for(u"\\??\\X:\\dir\\g.txt", FILE_READ_DATA);

    smb_fault_fail(lab.smb, SMB_RENAME, 1, 1, STATUS_IO_TIMEOUT); /* the server, which knows less, is not asked */
    assert_status(rename_to(directory, NULL, u"other", FALSE), STATUS_ACCESS_DENIED);
    smb_fault_fail(lab.smb, SMB_RENAME, 1, 0, STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(rename_to(directory, NULL, u"\\??\\X:\\other\\", FALSE), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\other\\g.txt"), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\dir"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(NtClose(directory), STATUS_SUCCESS);
}

/* The share access of the renamed file is looked for where it is now, and its name is free. */
/* The name of the next entry, FALSE: there is none. Entries are told apart by their last three digits. */
static BOOLEAN list_next(HANDLE directory, BOOLEAN seen[1000], BOOLEAN restart)
{
    struct {
        FILE_NAMES_INFORMATION information;
        WCHAR more[64];
    } buffer;
    const WCHAR *name = (const WCHAR *)((char *)&buffer + offsetof(FILE_NAMES_INFORMATION, FileName));
    IO_STATUS_BLOCK io_status;
    NTSTATUS status = NtQueryDirectoryFile(directory, NULL, NULL, NULL, &io_status, &buffer, sizeof buffer,
                                           FileNamesInformation, TRUE, NULL, restart);
    ULONG length = buffer.information.FileNameLength / sizeof(WCHAR), number;

    if (status == STATUS_NO_MORE_FILES)
        return FALSE;
    assert_status(status, STATUS_SUCCESS);
    if (length < 12) /* dots, and g.txt */
        return TRUE;
    number = (ULONG)((name[length - 3] - '0') * 100 + (name[length - 2] - '0') * 10 + name[length - 1] - '0');
    assert_false(seen[number]); /* once is enough */
    seen[number] = TRUE;
    return TRUE;
}

/* More entries than the server is asked for at once. */
static void test_a_directory_that_is_renamed_is_listed_on_from_where_it_was(void **state)
{
    enum { FILES = 700 };
    HANDLE lister, renamer;
    BOOLEAN seen[1000] = {FALSE};

    for (int i = 0; i < FILES; i++) {
        WCHAR path[] = u"dir\\an entry 000";
        UNICODE_STRING text = {sizeof path - sizeof *path, sizeof path, path};
        for (int j = 0, n = i; j < 3; j++, n /= 10)
            path[sizeof path / sizeof *path - 2 - j] = (WCHAR)('0' + n % 10);
        assert_status(smb_mem_add(lab.mem, "lab", &text, "", 0), STATUS_SUCCESS);
    }
    lister = open_for(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY);
    renamer = open_for(u"\\??\\X:\\dir", DELETE);
    for (int i = 0; i < 400; i++)
        assert_true(list_next(lister, seen, FALSE));
    assert_status(rename_to(renamer, NULL, u"moved", FALSE), STATUS_SUCCESS);
    for (int i = 0; i < 100; i++)
        assert_true(list_next(lister, seen, FALSE));
    assert_status(rename_to(renamer, NULL, u"dir", FALSE), STATUS_SUCCESS);
    while (list_next(lister, seen, FALSE))
        ;
    for (int i = 0; i < FILES; i++)
        assert_true(seen[i]);
    memset(seen, 0, sizeof seen);
    for (BOOLEAN first = TRUE; list_next(lister, seen, first); first = FALSE)
        ;
    assert_true(seen[FILES - 1]);
    assert_status(NtClose(lister), STATUS_SUCCESS);
    assert_status(NtClose(renamer), STATUS_SUCCESS);
}

static void test_a_renamed_file_is_open_under_its_new_name(void **state)
{
    HANDLE file, handle;

    assert_status(lab_create(F, DELETE | FILE_READ_DATA, FILE_SHARE_DELETE, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_status(rename_to(file, NULL, u"b.txt", FALSE), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\b.txt", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &handle),
                  STATUS_SHARING_VIOLATION);
    assert_status(lab_create(F, FILE_READ_DATA, 0, FILE_CREATE, 0, &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

/* Close, rename, open again: whichever fails, the file object knows where it stands. */
static void test_a_server_that_fails_in_between(void **state)
{
    IO_STATUS_BLOCK io_status;
    LARGE_INTEGER start = {.QuadPart = 0};
    HANDLE file = open_for(F, DELETE | FILE_READ_DATA);
    char byte;

    smb_fault_fail(lab.smb, SMB_RENAME, 1, 1, STATUS_SHARING_VIOLATION);
    assert_status(rename_to(file, NULL, u"b.txt", FALSE), STATUS_SHARING_VIOLATION);
    assert_named(file, u"\\mem\\lab\\f.txt");
    assert_reads(file);
    smb_fault_fail(lab.smb, SMB_CREATE, 1, 1, STATUS_ACCESS_DENIED);
    assert_status(rename_to(file, NULL, u"b.txt", FALSE), STATUS_SUCCESS);
    assert_status(NtReadFile(file, NULL, NULL, NULL, &io_status, &byte, 1, &start, NULL),
                  STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\b.txt"), STATUS_SUCCESS);
}

/* ---- beside creates of the new name, and other renames ---- */

struct renamer {
    HANDLE file;
    const WCHAR *name;
    BOOLEAN replace;
    NTSTATUS status;
    pthread_t thread;
};

static void *rename_in_thread(void *argument)
{
    struct renamer *r = argument;

    r->status = rename_to(r->file, NULL, r->name, r->replace);
    return NULL;
}

static void begin_rename(struct renamer *r)
{
    assert_int_equal(pthread_create(&r->thread, NULL, rename_in_thread, r), 0);
}

struct opener {
    NTSTATUS status;
    HANDLE handle;
    pthread_t thread;
};

static void *open_alone(void *argument)
{
    struct opener *o = argument;

    o->status = lab_create(u"\\??\\X:\\b.txt", FILE_READ_DATA, 0, FILE_OPEN_IF, 0, &o->handle);
    return NULL;
}

static void begin_open(struct opener *o)
{
    assert_int_equal(pthread_create(&o->thread, NULL, open_alone, o), 0);
}

static void wait_for_waiting(ULONG count)
{
    while (RdrCountWaiting() < count)
        sched_yield();
}

static void wait_for_held(unsigned count)
{
    while (smb_fault_held(lab.smb) < count)
        sched_yield();
}

static void test_a_create_of_the_new_name_meets_the_files_share_access(void **state)
{
    HANDLE file = open_for(F, DELETE | FILE_READ_DATA);
    struct renamer r = {.file = file, .name = u"b.txt"};
    struct opener o = {0};

    smb_fault_hold(lab.smb, SMB_RENAME);
    begin_rename(&r);
    wait_for_held(1);
    begin_open(&o);
    wait_for_waiting(1);
    smb_fault_release(lab.smb);
    pthread_join(r.thread, NULL);
    pthread_join(o.thread, NULL);
    assert_status(r.status, STATUS_SUCCESS);
    assert_status(o.status, STATUS_SHARING_VIOLATION);
    assert_reads(file);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_a_rename_waits_for_a_create_of_the_new_name(void **state)
{
    HANDLE file = open_for(F, DELETE | FILE_READ_DATA);
    struct renamer r = {.file = file, .name = u"b.txt"};
    struct opener o = {0};

    smb_fault_hold(lab.smb, SMB_CREATE);
    begin_open(&o);
    wait_for_held(1);
    begin_rename(&r);
    wait_for_waiting(1);
    smb_fault_release(lab.smb);
    pthread_join(r.thread, NULL);
    pthread_join(o.thread, NULL);
    assert_status(o.status, STATUS_SUCCESS);
    assert_status(r.status, STATUS_OBJECT_NAME_COLLISION);
    assert_named(file, u"\\mem\\lab\\f.txt");
    assert_status(NtClose(o.handle), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void *read_in_thread(void *file)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char byte;

    NtReadFile(file, NULL, NULL, NULL, &io_status, &byte, 1, &start, NULL);
    return NULL;
}

/* Both have been waiting for their file to be read before either is renamed. */
static void test_renames_to_each_others_names_do_not_wait_for_each_other(void **state)
{
    HANDLE files[] = {open_for(F, DELETE | FILE_READ_DATA), NULL};
    struct renamer renamers[] = {{.file = files[0], .name = u"b.txt"}, {.name = u"f.txt"}};
    pthread_t readers[2];

    assert_status(lab_create(u"\\??\\X:\\b.txt", DELETE | FILE_READ_DATA, SHARE_ALL, FILE_CREATE, 0, &files[1]),
                  STATUS_SUCCESS);
    renamers[1].file = files[1];
    smb_fault_hold(lab.smb, SMB_READ);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_in_thread, files[i]), 0);
    wait_for_held(2);
    for (ULONG i = 0; i < 2; i++) {
        begin_rename(&renamers[i]);
        wait_for_waiting(i + 1);
    }
    smb_fault_release(lab.smb);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
        pthread_join(renamers[i].thread, NULL);
        assert_status(renamers[i].status, STATUS_OBJECT_NAME_COLLISION);
        assert_status(NtClose(files[i]), STATUS_SUCCESS);
    }
}

static void *close_in_thread(void *handle)
{
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return NULL;
}

static void test_a_file_that_is_closed_before_its_turn_is_not_renamed(void **state)
{
    HANDLE file = open_for(F, DELETE);
    struct renamer r = {.file = file, .name = u"b.txt"};
    struct opener o = {0};
    pthread_t closer;

    smb_fault_hold(lab.smb, SMB_CREATE);
    begin_open(&o);
    wait_for_held(1);
    begin_rename(&r);
    wait_for_waiting(1);
    assert_int_equal(pthread_create(&closer, NULL, close_in_thread, file), 0);
    pthread_join(closer, NULL);
    smb_fault_release(lab.smb);
    pthread_join(r.thread, NULL);
    pthread_join(o.thread, NULL);
    assert_status(r.status, STATUS_FILE_CLOSED);
    assert_status(o.status, STATUS_SUCCESS);
    assert_status(NtClose(o.handle), STATUS_SUCCESS);
    assert_status(try_open(F), STATUS_SUCCESS);
}

static void *open_as_directory(void *unused)
{
    HANDLE handle;

    assert_status(
        lab_create(u"\\??\\X:\\b.txt", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
        STATUS_NOT_A_DIRECTORY);
    return NULL;
}

/* It is deleted by its name, behind a rename that has waited longer for a create of that name. */
static void test_what_is_about_to_be_deleted_is_not_replaced(void **state)
{
    struct renamer r = {.file = open_for(F, DELETE), .name = u"b.txt", .replace = TRUE};
    pthread_t opener, closer;
    HANDLE goes;

    assert_status(lab_create(u"\\??\\X:\\b.txt", DELETE, SHARE_ALL, FILE_CREATE, FILE_DELETE_ON_CLOSE, &goes),
                  STATUS_SUCCESS);
    smb_fault_hold(lab.smb, SMB_CREATE);
    assert_int_equal(pthread_create(&opener, NULL, open_as_directory, NULL), 0);
    wait_for_held(1);
    begin_rename(&r);
    wait_for_waiting(1);
    assert_int_equal(pthread_create(&closer, NULL, close_in_thread, goes), 0);
    wait_for_waiting(2);
    smb_fault_release(lab.smb);
    pthread_join(opener, NULL);
    pthread_join(closer, NULL);
    pthread_join(r.thread, NULL);
    assert_status(r.status, STATUS_ACCESS_DENIED);
    assert_status(NtClose(r.file), STATUS_SUCCESS);
    assert_status(try_open(F), STATUS_SUCCESS);
    assert_status(try_open(u"\\??\\X:\\b.txt"), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* The directory of the new name is opened by a create, which keeps on such a build what creates of invalid names keep
 * (Q235425). */
static void test_a_new_name_whose_directory_is_no_name_keeps_what_a_create_keeps(void **state)
{
    static const struct {
        const char *build;
        unsigned kept;
    } rows[] = {{"nt4-sp5", 1}, {"nt4-sp6", 0}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        HANDLE file;
        lab_boot(&lab, rows[i].build, 0);
        file = open_for(F, DELETE | FILE_READ_DATA);
        assert_status(rename_to(file, NULL, u"\\??\\X:\\dir\\\\g.txt", FALSE), STATUS_OBJECT_NAME_INVALID);
        assert_reads(file);
        assert_status(NtClose(file), STATUS_SUCCESS);
        lab_shut_down(&lab, rows[i].kept);
    }
}

static void test_every_failing_allocation_leaves_nothing(void **state)
{
    HANDLE file = open_for(F, DELETE | FILE_READ_DATA);
    ULONG64 before = lab_live_blocks();

    for (unsigned n = 1;; n++) {
        NTSTATUS status;
        EmuPoolFailAllocations(n, UINT64_MAX);
        status = rename_to(file, NULL, u"\\??\\X:\\dir\\b.txt", FALSE);
        EmuPoolFailAllocations(0, 0);
        assert_reads(file);
        if (NT_SUCCESS(status))
            break;
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        assert_int_equal(lab_live_blocks(), before);
    }
    assert_status(NtClose(file), STATUS_SUCCESS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, shut_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_name_leads_into_the_files_directory_into_another_or_from_the_root),
        TEST(test_what_is_refused_changes_nothing),
        TEST(test_a_file_takes_the_place_of_one_that_is_not_open),
        TEST(test_a_directory_is_renamed_when_nothing_below_it_is_open),
        TEST(test_a_directory_that_is_renamed_is_listed_on_from_where_it_was),
        TEST(test_a_renamed_file_is_open_under_its_new_name),
        TEST(test_a_server_that_fails_in_between),
        TEST(test_a_create_of_the_new_name_meets_the_files_share_access),
        TEST(test_a_rename_waits_for_a_create_of_the_new_name),
        TEST(test_renames_to_each_others_names_do_not_wait_for_each_other),
        TEST(test_a_file_that_is_closed_before_its_turn_is_not_renamed),
        TEST(test_what_is_about_to_be_deleted_is_not_replaced),
        cmocka_unit_test(test_a_new_name_whose_directory_is_no_name_keeps_what_a_create_keeps),
        TEST(test_every_failing_allocation_leaves_nothing),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
