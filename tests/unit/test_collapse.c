/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creates that share one open at the server: which do, and that nobody can tell but the server. */
#include "lab.h"

#include <ntemu/trace.h>
#include <pthread.h>
#include <string.h>

#define FILE_NAME u"\\??\\X:\\f.txt"
#define READ      (GENERIC_READ | SYNCHRONIZE)
#define FILE_ONLY (FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT)

static struct lab lab;

static int boot(void **state)
{
    lab_boot(&lab, "nt4-sp6", 0);
    return 0;
}

static int shut_down(void **state)
{
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    lab_shut_down(&lab, 0);
    return 0;
}

static HANDLE open_as(const WCHAR *name, ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options)
{
    HANDLE handle = NULL;

    assert_status(lab_create(name, access, share, disposition, options, &handle), STATUS_SUCCESS);
    return handle;
}

static HANDLE open_it(void)
{
    return open_as(FILE_NAME, READ, 7, FILE_OPEN, FILE_ONLY);
}

static NTSTATUS read_it(HANDLE handle)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[sizeof LAB_TEXT - 1];
    NTSTATUS status = NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &start, NULL);

    if (NT_SUCCESS(status))
        assert_memory_equal(buffer, LAB_TEXT, sizeof buffer);
    return status;
}

static void close_it(HANDLE handle)
{
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static NTSTATUS rename_to(HANDLE handle, const WCHAR *name)
{
    union {
        FILE_RENAME_INFORMATION rename;
        WCHAR room[64];
    } to = {0};
    UNICODE_STRING last;
    IO_STATUS_BLOCK io_status;

    RtlInitUnicodeString(&last, name);
    to.rename.FileNameLength = last.Length;
    memcpy((char *)&to + offsetof(FILE_RENAME_INFORMATION, FileName), last.Buffer, last.Length);
    return NtSetInformationFile(handle, &io_status, &to, sizeof to, FileRenameInformation);
}

/* How many the server has open while both are, after one goes, and after the other. */
static void see_shared(HANDLE a, HANDLE b, unsigned together, unsigned one)
{
    assert_int_equal(smb_mem_open_files(lab.mem), together);
    close_it(a);
    assert_int_equal(smb_mem_open_files(lab.mem), one);
    close_it(b);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
}

static void test_a_second_open_like_the_first_does_not_ask_the_server(void **state)
{
    uint64_t before = smb_backend_count(lab.smb, SMB_CREATE);
    HANDLE a = open_it(), b = open_it();

    assert_int_equal(smb_backend_count(lab.smb, SMB_CREATE), before + 1);
    assert_status(read_it(a), STATUS_SUCCESS);
    close_it(a);
    assert_status(read_it(b), STATUS_SUCCESS);
    assert_int_equal(smb_mem_open_files(lab.mem), 1);
    close_it(b);
    assert_int_equal(smb_backend_count(lab.smb, SMB_CLOSE), before + 1);
}

static void test_what_is_shared_and_what_is_not(void **state)
{
    static const struct {
        ACCESS_MASK access;
        ULONG share, disposition, options;
        unsigned opens; /* at the server, with the first one */
    } rows[] = {
        {READ, 7, FILE_OPEN, FILE_ONLY, 1},
        {READ, 7, FILE_OPEN_IF, FILE_ONLY, 1},
        {READ, 7, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, 1},
        {READ, 7, FILE_OPEN, FILE_ONLY | FILE_SEQUENTIAL_ONLY, 1},
        {FILE_READ_DATA | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY, 1},
        {READ | FILE_WRITE_DATA, 7, FILE_OPEN, FILE_ONLY, 2},
        {READ | DELETE, 7, FILE_OPEN, FILE_ONLY, 2},
        {READ | FILE_WRITE_ATTRIBUTES, 7, FILE_OPEN, FILE_ONLY, 2},
        {READ, 3, FILE_OPEN, FILE_ONLY, 2},
        {READ, 7, FILE_OPEN, FILE_ONLY | FILE_WRITE_THROUGH, 2},
        {READ, 7, FILE_OPEN, FILE_ONLY | FILE_NO_INTERMEDIATE_BUFFERING, 2},
        /* Nothing to be shared: they hold nothing at the server. */
        {FILE_READ_ATTRIBUTES | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY, 1},
        {DELETE | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY, 1},
        {READ_CONTROL | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        HANDLE a = open_it(),
               b = open_as(FILE_NAME, rows[i].access, rows[i].share, rows[i].disposition, rows[i].options);
        if (smb_mem_open_files(lab.mem) != rows[i].opens)
            fail_msg("row %zu: %u opens at the server", i, smb_mem_open_files(lab.mem));
        see_shared(b, a, rows[i].opens, 1);
    }
}

static void test_information_says_opened(void **state)
{
    static const UNICODE_STRING name = NT_STRING(FILE_NAME);
    HANDLE a = open_it(), b;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status = {.Information = 99};

    InitializeObjectAttributes(&attributes, (PUNICODE_STRING)&name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtCreateFile(&b, READ, &attributes, &io_status, NULL, 0, 7, FILE_OPEN_IF, FILE_ONLY, NULL, 0),
                  STATUS_SUCCESS);
    assert_int_equal(io_status.Information, FILE_OPENED);
    see_shared(a, b, 1, 1);
}

static void test_nobody_is_let_in_to_write_to_what_was_made_read_only(void **state)
{
    HANDLE a = open_as(FILE_NAME, FILE_WRITE_DATA | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY), b, c;
    UNICODE_STRING name = NT_STRING(FILE_NAME);
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtCreateFile(&b, FILE_WRITE_DATA | SYNCHRONIZE, &attributes, &io_status, NULL,
                               FILE_ATTRIBUTE_READONLY, 7, FILE_OVERWRITE_IF, FILE_ONLY, NULL, 0),
                  STATUS_SUCCESS);
    assert_status(lab_create(FILE_NAME, FILE_WRITE_DATA | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY, &c),
                  STATUS_ACCESS_DENIED);
    see_shared(a, b, 2, 1);
}

/* It would go on excluding other clients' readers when the writer is gone. */
static void test_an_open_that_can_do_more_is_not_shared(void **state)
{
    HANDLE a = open_as(FILE_NAME, READ | FILE_WRITE_DATA, 7, FILE_OPEN, FILE_ONLY), b = open_it();

    see_shared(a, b, 2, 1);
}

static void test_who_wants_no_data_asks_by_path(void **state)
{
    HANDLE a = open_as(FILE_NAME, FILE_READ_ATTRIBUTES | DELETE | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY);
    FILE_STANDARD_INFORMATION information;
    IO_STATUS_BLOCK io_status;
    uint64_t before = smb_backend_count(lab.smb, SMB_QUERY_PATH);

    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    assert_status(NtQueryInformationFile(a, &io_status, &information, sizeof information, FileStandardInformation),
                  STATUS_SUCCESS);
    assert_int_equal(information.EndOfFile.QuadPart, sizeof LAB_TEXT - 1);
    assert_status(rename_to(a, u"g.txt"), STATUS_SUCCESS);
    assert_status(NtQueryInformationFile(a, &io_status, &information, sizeof information, FileStandardInformation),
                  STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab.smb, SMB_QUERY_PATH), before + 2);
    close_it(a);
}

static void test_letters_and_unc_names_share(void **state)
{
    HANDLE a = open_it(), b = open_as(u"\\??\\UNC\\MEM\\lab\\F.TXT", READ, 7, FILE_OPEN, FILE_ONLY);

    assert_status(read_it(b), STATUS_SUCCESS);
    see_shared(a, b, 1, 1);
}

static void test_directories_are_not_shared(void **state)
{
    HANDLE a = open_as(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY | SYNCHRONIZE, 7, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT);
    HANDLE b = open_as(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY | SYNCHRONIZE, 7, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT);

    see_shared(a, b, 2, 1);
}

static void test_each_handle_has_its_own_place(void **state)
{
    HANDLE a = open_it(), b = open_it();
    IO_STATUS_BLOCK io_status;
    char buffer[6];

    for (int i = 0; i < 2; i++) {
        assert_status(NtReadFile(i ? b : a, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, NULL, NULL),
                      STATUS_SUCCESS);
        assert_memory_equal(buffer, "twelve", 6);
    }
    see_shared(a, b, 1, 1);
}

static void test_the_last_cleanup_closes_at_the_server(void **state)
{
    HANDLE a = open_it();
    PVOID file;

    assert_status(ObReferenceObjectByHandle(a, 0, NULL, KernelMode, &file, NULL), STATUS_SUCCESS);
    close_it(a);
    assert_int_equal(smb_mem_open_files(lab.mem), 0); /* IRP_MJ_CLOSE is still to come */
    assert_status(lab_create(FILE_NAME, READ | FILE_WRITE_DATA, 0, FILE_OPEN, FILE_ONLY, &a), STATUS_SUCCESS);
    close_it(a);
    ObDereferenceObject(file);
}

static void test_an_open_from_before_a_loss_is_not_shared(void **state)
{
    HANDLE a = open_it(), b;

    smb_mem_set_running(lab.mem, "mem", 445, FALSE);
    smb_mem_set_running(lab.mem, "mem", 445, TRUE);
    assert_status(read_it(a), STATUS_CONNECTION_DISCONNECTED);
    b = open_it();
    assert_status(read_it(b), STATUS_SUCCESS);
    assert_status(read_it(a), STATUS_CONNECTION_DISCONNECTED);
    close_it(a);
    close_it(b);
}

static void test_a_rename_takes_all_opens_along(void **state)
{
    HANDLE a = open_it(), b = open_it(),
           writer = open_as(FILE_NAME, FILE_WRITE_DATA | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY);
    HANDLE renamer = open_as(FILE_NAME, DELETE | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY), c;
    uint64_t creates = smb_backend_count(lab.smb, SMB_CREATE);

    assert_status(rename_to(renamer, u"g.txt"), STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab.smb, SMB_CREATE), creates + 2); /* the renamer has nothing open there */
    assert_status(read_it(a), STATUS_SUCCESS);
    assert_status(read_it(b), STATUS_SUCCESS);
    c = open_as(u"\\??\\X:\\g.txt", READ, 7, FILE_OPEN, FILE_ONLY);
    assert_int_equal(smb_mem_open_files(lab.mem), 2); /* the readers share one still */
    close_it(a);
    close_it(b);
    close_it(c);
    close_it(writer);
    close_it(renamer);
}

static void test_who_cannot_be_opened_again_has_lost_it(void **state)
{
    HANDLE a = open_it(), b = open_it(), renamer = open_as(FILE_NAME, DELETE | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY), c;

    smb_fault_fail(lab.smb, SMB_CREATE, 1, 1, STATUS_ACCESS_DENIED);
    assert_status(rename_to(renamer, u"g.txt"), STATUS_SUCCESS);
    assert_status(read_it(a), STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(read_it(b), STATUS_UNEXPECTED_NETWORK_ERROR);
    c = open_as(u"\\??\\X:\\g.txt", READ, 7, FILE_OPEN, FILE_ONLY); /* not onto what is lost */
    assert_status(read_it(c), STATUS_SUCCESS);
    close_it(a);
    close_it(b);
    close_it(c);
    close_it(renamer);
}

static void test_a_refused_rename_leaves_all_open(void **state)
{
    HANDLE a = open_it(), renamer = open_as(FILE_NAME, DELETE | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY);

    smb_fault_fail(lab.smb, SMB_RENAME, 1, 1, STATUS_ACCESS_DENIED);
    assert_status(rename_to(renamer, u"g.txt"), STATUS_ACCESS_DENIED);
    assert_status(read_it(a), STATUS_SUCCESS);
    see_shared(renamer, a, 1, 1);
}

static void test_nothing_is_shared_of_what_is_to_be_deleted(void **state)
{
    FILE_DISPOSITION_INFORMATION delete = {TRUE};
    HANDLE a = open_it(), b = open_it(), c = open_as(FILE_NAME, DELETE | SYNCHRONIZE, 7, FILE_OPEN, FILE_ONLY);
    IO_STATUS_BLOCK io_status;

    assert_status(NtSetInformationFile(c, &io_status, &delete, sizeof delete, FileDispositionInformation),
                  STATUS_SUCCESS);
    close_it(c);
    assert_status(lab_create(FILE_NAME, READ, 7, FILE_OPEN, FILE_ONLY, &c), STATUS_DELETE_PENDING);
    assert_status(read_it(a), STATUS_SUCCESS);
    close_it(a);
    assert_status(read_it(b), STATUS_SUCCESS);
    close_it(b);
    assert_status(lab_create(FILE_NAME, READ, 7, FILE_OPEN, FILE_ONLY, &c), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_trace_says_so(void **state)
{
    HANDLE a = open_it(), b = NULL;
    PEMU_TRACE trace = NULL;
    BOOLEAN told = FALSE;

    assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
    EmuTraceEnd(trace, lab_create(FILE_NAME, READ, 7, FILE_OPEN, FILE_ONLY, &b));
    for (ULONG i = 0; i < trace->EventCount; i++)
        told |= strncmp(trace->Events[i].Text, "collapsed", 9) == 0;
    assert_true(told);
    EmuTraceFree(trace);
    see_shared(a, b, 1, 1);
}

static void *open_and_close(void *context)
{
    HANDLE handle;

    for (int i = 0; i < 3000; i++)
        if (NT_SUCCESS(lab_create(FILE_NAME, READ, 7, FILE_OPEN, FILE_ONLY, &handle))) {
            if (NT_SUCCESS(read_it(handle)))
                __atomic_add_fetch((unsigned *)context, 1, __ATOMIC_RELAXED);
            NtClose(handle);
        }
    return NULL;
}

static void test_threads_share_and_part(void **state)
{
    pthread_t threads[4];
    unsigned read = 0;

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &read), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(read, 4 * 3000);
}

#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAB(test_a_second_open_like_the_first_does_not_ask_the_server),
        WITH_LAB(test_what_is_shared_and_what_is_not),
        WITH_LAB(test_information_says_opened),
        WITH_LAB(test_nobody_is_let_in_to_write_to_what_was_made_read_only),
        WITH_LAB(test_an_open_that_can_do_more_is_not_shared),
        WITH_LAB(test_who_wants_no_data_asks_by_path),
        WITH_LAB(test_letters_and_unc_names_share),
        WITH_LAB(test_directories_are_not_shared),
        WITH_LAB(test_each_handle_has_its_own_place),
        WITH_LAB(test_the_last_cleanup_closes_at_the_server),
        WITH_LAB(test_an_open_from_before_a_loss_is_not_shared),
        WITH_LAB(test_a_rename_takes_all_opens_along),
        WITH_LAB(test_who_cannot_be_opened_again_has_lost_it),
        WITH_LAB(test_a_refused_rename_leaves_all_open),
        WITH_LAB(test_nothing_is_shared_of_what_is_to_be_deleted),
        WITH_LAB(test_a_trace_says_so),
        WITH_LAB(test_threads_share_and_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
