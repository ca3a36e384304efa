/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an open file can do, and the drive letters, against the in-memory server. */
#include "lab.h"

#include <pthread.h>
#include <string.h>

static void test_reading_moves_the_position_to_the_end(void **state)
{
    FILE_POSITION_INFORMATION position;
    LARGE_INTEGER offset = {.QuadPart = 7};
    IO_STATUS_BLOCK io_status;
    char buffer[64];
    HANDLE handle;

    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &offset, NULL),
                  STATUS_SUCCESS);
    assert_int_equal(io_status.Information, 5);
    assert_memory_equal(buffer, "bytes", 5);
    assert_status(NtQueryInformationFile(handle, &io_status, &position, sizeof position, FilePositionInformation),
                  STATUS_SUCCESS);
    assert_int_equal(position.CurrentByteOffset.QuadPart, 12);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, 1, NULL, NULL), STATUS_END_OF_FILE);
    position.CurrentByteOffset.QuadPart = 3;
    assert_status(NtSetInformationFile(handle, &io_status, &position, sizeof position, FilePositionInformation),
                  STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, 3, NULL, NULL), STATUS_SUCCESS);
    assert_memory_equal(buffer, "lve", 3);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

enum { OFTEN = 2000 };

struct users { /* of one file: a synchronous handle, an asynchronous one that may delete */
    HANDLE reader, other;
};

static void *read_often(void *argument)
{
    const struct users *users = argument;
    LARGE_INTEGER start = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[4];

    for (int i = 0; i < OFTEN; i++)
        assert_status(NtReadFile(users->reader, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &start, NULL),
                      STATUS_SUCCESS);
    return NULL;
}

static void *set_often(void *argument)
{
    const struct users *users = argument;
    LARGE_INTEGER start = {.QuadPart = 0}, length = {.QuadPart = 1};
    FILE_POSITION_INFORMATION position = {.CurrentByteOffset.QuadPart = 1};
    FILE_DISPOSITION_INFORMATION disposition;
    IO_STATUS_BLOCK io_status;

    for (int i = 0; i < OFTEN; i++) {
        disposition.DoDeleteFile = i % 2 == 0;
        assert_status(NtSetInformationFile(users->other, &io_status, &disposition, sizeof disposition,
                                           FileDispositionInformation),
                      STATUS_SUCCESS);
        assert_status(
            NtSetInformationFile(users->other, &io_status, &position, sizeof position, FilePositionInformation),
            STATUS_SUCCESS);
        assert_status(NtLockFile(users->other, NULL, NULL, NULL, &io_status, &start, &length, NULL, TRUE, FALSE),
                      STATUS_SUCCESS);
        assert_status(NtUnlockFile(users->other, &io_status, &start, &length, NULL), STATUS_SUCCESS);
    }
    return NULL;
}

/* Nobody waits for the others: what is said is what was so at some moment. Mostly for ThreadSanitizer. */
static void test_what_threads_change_is_asked_for_meanwhile(void **state)
{
    const LONGLONG ends = 12;
    union {
        FILE_ALL_INFORMATION all;
        UCHAR room[256];
    } buffer;
    LARGE_INTEGER start = {.QuadPart = 0}, length = {.QuadPart = 1};
    FILE_POSITION_INFORMATION position;
    IO_STATUS_BLOCK io_status;
    pthread_t threads[2];
    struct users users;

    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, 7, FILE_OPEN,
                             FILE_SYNCHRONOUS_IO_NONALERT, &users.reader),
                  STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_READ_DATA | DELETE, 7, FILE_OPEN, 0, &users.other),
                  STATUS_SUCCESS);
    assert_int_equal(pthread_create(&threads[0], NULL, read_often, &users), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, set_often, &users), 0);
    for (int i = 0; i < OFTEN; i++) {
        HANDLE handle = i % 2 ? users.reader : users.other;
        assert_status(NtQueryInformationFile(handle, &io_status, &position, sizeof position, FilePositionInformation),
                      STATUS_SUCCESS);
        assert_in_range(position.CurrentByteOffset.QuadPart, 0, ends);
        assert_status(NtQueryInformationFile(users.reader, &io_status, &buffer, sizeof buffer, FileAllInformation),
                      STATUS_SUCCESS);
        assert_int_equal(buffer.all.StandardInformation.EndOfFile.QuadPart, ends);
        assert_status(NtLockFile(users.other, NULL, NULL, NULL, &io_status, &start, &length, NULL, TRUE, FALSE),
                      STATUS_SUCCESS);
        assert_status(NtUnlockFile(users.other, &io_status, &start, &length, NULL), STATUS_SUCCESS);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_status(NtClose(users.reader), STATUS_SUCCESS);
    assert_status(NtClose(users.other), STATUS_SUCCESS);
}

static void test_a_large_transfer_goes_in_pieces_and_comes_back_whole(void **state)
{
    static UCHAR out[3 * SMB_MAX_IO + 100], in[sizeof out + 50];
    LARGE_INTEGER start = {.QuadPart = 0}, end = {.u = {FILE_WRITE_TO_END_OF_FILE, -1}};
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (UCHAR)(i * 31 >> 3);
    assert_status(lab_open_to_write(u"\\??\\X:\\big", &handle), STATUS_SUCCESS);
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io_status, out, sizeof out, &start, NULL), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, sizeof out);
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io_status, "tail", 4, &end, NULL), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, in, sizeof in, &start, NULL), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, sizeof out + 4);
    assert_memory_equal(in, out, sizeof out);
    assert_memory_equal(in + sizeof out, "tail", 4);
    assert_status(NtFlushBuffersFile(handle, &io_status), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_what_a_handle_may_not_do_is_denied_and_never_done_otherwise(void **state)
{
    LARGE_INTEGER start = {.QuadPart = 0};
    struct lab *lab = *state;
    IO_STATUS_BLOCK io_status = {{0x5a}, 0x5a};
    char buffer[32];
    HANDLE handle;

    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_READ_DATA, 7, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io_status, "x", 1, &start, NULL), STATUS_ACCESS_DENIED);
    assert_status(NtFlushBuffersFile(handle, &io_status), STATUS_ACCESS_DENIED);
    assert_int_equal(io_status.Information, 0x5a);
    assert_status(NtClose(handle), STATUS_SUCCESS);

    /* Only appending: to the end, whatever offset is given. */
    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_APPEND_DATA, 7, FILE_OPEN, 0, &handle), STATUS_SUCCESS);
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io_status, "!", 1, &start, NULL), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, 1, &start, NULL), STATUS_ACCESS_DENIED);
    assert_status(NtClose(handle), STATUS_SUCCESS);

    /* A write that the *server* denies is denied. */
    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    smb_fault_fail(lab->smb, SMB_WRITE, 1, 1, STATUS_ACCESS_DENIED);
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io_status, "ABCD", 4, &start, NULL), STATUS_ACCESS_DENIED);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &start, NULL),
                  STATUS_SUCCESS);
    assert_int_equal(io_status.Information, strlen(LAB_TEXT "!"));
    assert_memory_equal(buffer, LAB_TEXT "!", strlen(LAB_TEXT "!"));
    start.QuadPart = MAXLONGLONG;
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, 2, &start, NULL), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_information_of_a_file(void **state)
{
    FILE_STANDARD_INFORMATION standard;
    FILE_NETWORK_OPEN_INFORMATION open;
    FILE_BASIC_INFORMATION basic;
    struct {
        FILE_NAME_INFORMATION info;
        WCHAR rest[32];
    } name;
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING path = NT_STRING(u"\\??\\X:\\dir\\g.txt");
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    assert_status(lab_open(path.Buffer, &handle), STATUS_SUCCESS);
    assert_status(NtQueryInformationFile(handle, &io_status, &standard, sizeof standard, FileStandardInformation),
                  STATUS_SUCCESS);
    assert_int_equal(standard.EndOfFile.QuadPart, strlen(LAB_TEXT));
    assert_false(standard.Directory);
    assert_status(NtQueryInformationFile(handle, &io_status, &name, sizeof name, FileNameInformation), STATUS_SUCCESS);
    assert_int_equal(name.info.FileNameLength, 18 * sizeof(WCHAR));
    assert_memory_equal(name.info.FileName, u"\\mem\\lab\\dir\\g.txt", 18 * sizeof(WCHAR));
    assert_status(NtQueryInformationFile(handle, &io_status, &name, 12, FileNameInformation), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(io_status.Information, 12);
    assert_status(NtQueryInformationFile(handle, &io_status, &basic, 4, FileBasicInformation),
                  STATUS_INFO_LENGTH_MISMATCH);
    assert_status(NtQueryInformationFile(handle, &io_status, &basic, sizeof basic, (FILE_INFORMATION_CLASS)199),
                  STATUS_INVALID_INFO_CLASS);
    assert_status(NtQueryInformationFile(handle, &io_status, &name, sizeof name, FileCompletionInformation),
                  STATUS_INVALID_INFO_CLASS);
    assert_status(NtClose(handle), STATUS_SUCCESS);

    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtQueryFullAttributesFile(&attributes, &open), STATUS_SUCCESS);
    assert_int_equal(open.EndOfFile.QuadPart, strlen(LAB_TEXT));
    RtlInitUnicodeString(&path, u"\\??\\X:\\dir");
    assert_status(NtQueryAttributesFile(&attributes, &basic), STATUS_SUCCESS);
    assert_true(basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY);
    RtlInitUnicodeString(&path, u"\\??\\X:\\none");
    assert_status(NtQueryAttributesFile(&attributes, &basic), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_information_of_the_volume(void **state)
{
    FILE_FS_DEVICE_INFORMATION device;
    FILE_FS_SIZE_INFORMATION size;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    assert_status(lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    assert_status(NtQueryVolumeInformationFile(handle, &io_status, &device, sizeof device, FileFsDeviceInformation),
                  STATUS_SUCCESS);
    assert_true(device.Characteristics & FILE_REMOTE_DEVICE);
    assert_status(NtQueryVolumeInformationFile(handle, &io_status, &size, sizeof size, FileFsSizeInformation),
                  STATUS_SUCCESS);
    assert_true(size.TotalAllocationUnits.QuadPart > 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* Lists \dir-like handle; returns the entries' number, names joined by '|'. */
static ULONG list(HANDLE handle, const WCHAR *pattern, BOOLEAN restart, BOOLEAN single, ULONG length, char *names)
{
    __attribute__((aligned(8))) UCHAR buffer[4096];
    BOOLEAN first = restart;
    UNICODE_STRING expression;
    IO_STATUS_BLOCK io_status;
    ULONG count = 0;

    RtlInitUnicodeString(&expression, pattern);
    names[0] = 0;
    for (;;) {
        const FILE_BOTH_DIRECTORY_INFORMATION *e = (const void *)buffer;
        NTSTATUS status = NtQueryDirectoryFile(handle, NULL, NULL, NULL, &io_status, buffer, length,
                                               FileBothDirectoryInformation, single, &expression, first);
        if (status == STATUS_NO_MORE_FILES || (status == STATUS_NO_SUCH_FILE && !count))
            return count;
        assert_status(status, STATUS_SUCCESS);
        for (;;) {
            size_t n = strlen(names);
            for (ULONG i = 0; i < e->FileNameLength / 2; i++)
                names[n++] = (char)e->FileName[i];
            strcpy(names + n, "|");
            count++;
            if (!e->NextEntryOffset)
                break;
            e = (const void *)((const UCHAR *)e + e->NextEntryOffset);
        }
        first = FALSE;
    }
}

static void test_a_directory_lists_by_pattern_restarts_and_resumes(void **state)
{
    IO_STATUS_BLOCK io_status;
    char names[512];
    HANDLE handle;

    assert_status(lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    assert_int_equal(list(handle, u"<.txt", FALSE, FALSE, 4096, names), 1);
    assert_string_equal(names, "f.txt|");
    assert_int_equal(list(handle, u"nosuch*", TRUE, FALSE, 4096, names), 0);
    assert_int_equal(list(handle, u"*.*", TRUE, FALSE, 4096, names), 4);
    assert_non_null(strstr(names, "dir|"));
    assert_memory_equal(names, ".|..|", 5);
    /* One entry at a time, and in buffers with room for one only, gives the same list. */
    char one[512], small[512];
    list(handle, u"*", TRUE, TRUE, 4096, one);
    list(handle, u"*", TRUE, FALSE, 120, small);
    assert_string_equal(one, names);
    assert_string_equal(small, names);
    assert_status(NtQueryDirectoryFile(handle, NULL, NULL, NULL, &io_status, names, 8, FileBothDirectoryInformation,
                                       FALSE, NULL, TRUE),
                  STATUS_INFO_LENGTH_MISMATCH);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static NTSTATUS query_once(HANDLE handle, const WCHAR *pattern, BOOLEAN restart, ULONG length)
{
    __attribute__((aligned(8))) UCHAR buffer[4096];
    UNICODE_STRING expression;
    IO_STATUS_BLOCK io_status;

    RtlInitUnicodeString(&expression, pattern);
    return NtQueryDirectoryFile(handle, NULL, NULL, NULL, &io_status, buffer, length, FileBothDirectoryInformation,
                                TRUE, &expression, restart);
}

static void test_the_dots_have_the_directorys_times(void **state)
{
    struct {
        FILE_DIRECTORY_INFORMATION entry;
        WCHAR rest[16];
    } dot;
    FILE_BASIC_INFORMATION basic = {.LastWriteTime.QuadPart = 126444736001234567LL};
    UNICODE_STRING all = NT_STRING(u"*"), one = NT_STRING(u"g*");
    struct lab *lab = *state;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    uint64_t before;

    assert_status(lab_create(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY | FILE_WRITE_ATTRIBUTES, 7, FILE_OPEN, 0, &handle),
                  STATUS_SUCCESS);
    assert_status(NtSetInformationFile(handle, &io_status, &basic, sizeof basic, FileBasicInformation), STATUS_SUCCESS);
    for (int dots = 1; dots <= 2; dots++) {
        assert_status(NtQueryDirectoryFile(handle, NULL, NULL, NULL, &io_status, &dot, sizeof dot,
                                           FileDirectoryInformation, TRUE, &all, FALSE),
                      STATUS_SUCCESS);
        assert_int_equal(dot.entry.FileNameLength, dots * sizeof(WCHAR));
        assert_int_equal(dot.entry.LastWriteTime.QuadPart, basic.LastWriteTime.QuadPart);
    }
    before = smb_backend_count(lab->smb, SMB_QUERY_PATH); /* who lists no dots asks for none */
    assert_status(NtQueryDirectoryFile(handle, NULL, NULL, NULL, &io_status, &dot, sizeof dot, FileDirectoryInformation,
                                       TRUE, &one, TRUE),
                  STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab->smb, SMB_QUERY_PATH), before);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_nothing_found_is_an_error_of_the_first_query_only(void **state)
{
    ULONG fixed = (ULONG)offsetof(FILE_BOTH_DIRECTORY_INFORMATION, FileName);
    struct lab *lab = *state;
    HANDLE handle;

    assert_status(lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    assert_status(query_once(handle, u"nosuch", FALSE, 4096), STATUS_NO_SUCH_FILE);
    assert_status(query_once(handle, u"nosuch", FALSE, 4096), STATUS_NO_MORE_FILES);
    assert_status(query_once(handle, u"f.txt", TRUE, fixed + 2), STATUS_BUFFER_OVERFLOW);
    /* A restart that the server never saw is still owed. */
    assert_status(query_once(handle, u"f.txt", TRUE, 4096), STATUS_SUCCESS);
    assert_status(query_once(handle, u"f.txt", FALSE, 4096), STATUS_NO_MORE_FILES);
    smb_fault_fail(lab->smb, SMB_QUERY_DIRECTORY, 1, 1, STATUS_IO_TIMEOUT);
    assert_status(query_once(handle, u"f.txt", TRUE, 4096), STATUS_IO_TIMEOUT);
    assert_status(query_once(handle, u"f.txt", FALSE, 4096), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static NTSTATUS look_for(const WCHAR *directory, const WCHAR *name)
{
    NTSTATUS status;
    HANDLE handle;

    assert_status(lab_create(directory, FILE_LIST_DIRECTORY, 7, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    status = query_once(handle, name, FALSE, 4096);
    if (!NT_SUCCESS(status))
        assert_status(query_once(handle, name, FALSE, 4096), STATUS_NO_MORE_FILES);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

/* Who looks for names that are not there has no directory listed for each. */
static void test_a_name_that_will_not_be_there_is_asked_for_alone(void **state)
{
    struct lab *lab = *state;
    uint64_t lists, queries;
    HANDLE handle;

    assert_status(look_for(u"\\??\\X:\\", u"nosuch"), STATUS_NO_SUCH_FILE);
    lists = smb_backend_count(lab->smb, SMB_QUERY_DIRECTORY);
    queries = smb_backend_count(lab->smb, SMB_QUERY_PATH);
    assert_status(look_for(u"\\??\\X:\\", u"nosuch"), STATUS_NO_SUCH_FILE);
    assert_status(look_for(u"\\??\\X:\\dir", u"nosuch"), STATUS_NO_SUCH_FILE);
    assert_int_equal(smb_backend_count(lab->smb, SMB_QUERY_DIRECTORY), lists);
    assert_int_equal(smb_backend_count(lab->smb, SMB_QUERY_PATH), queries + 2);
    /* What else the server may say is no answer: it is listed, or not. */
    assert_status(look_for(u"\\??\\X:\\", u"no/such"), STATUS_NO_SUCH_FILE);
    smb_fault_fail(lab->smb, SMB_QUERY_PATH, 1, 1, STATUS_ACCESS_DENIED);
    assert_status(look_for(u"\\??\\X:\\", u"f.txt"), STATUS_SUCCESS);
    /* It was there: the next one is listed at once. */
    queries = smb_backend_count(lab->smb, SMB_QUERY_PATH);
    assert_status(look_for(u"\\??\\X:\\", u"F.TXT"), STATUS_SUCCESS);
    assert_int_equal(smb_backend_count(lab->smb, SMB_QUERY_PATH), queries);
    /* A scan that begins anew looks anew, with another name or the same. */
    assert_status(look_for(u"\\??\\X:\\", u"nosuch"), STATUS_NO_SUCH_FILE);
    assert_status(lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, 7, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
                  STATUS_SUCCESS);
    assert_status(query_once(handle, u"nosuch", FALSE, 4096), STATUS_NO_SUCH_FILE);
    assert_status(query_once(handle, u"f.txt", TRUE, 4096), STATUS_SUCCESS);
    assert_status(query_once(handle, u".", TRUE, 4096), STATUS_SUCCESS);
    assert_status(query_once(handle, u"*", TRUE, 4096), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void *list_often(void *argument)
{
    for (int i = 0; i < OFTEN; i++)
        query_once(argument, u"*", i % 3 == 0, 4096);
    return NULL;
}

static void test_two_threads_list_one_asynchronous_handle(void **state)
{
    UNICODE_STRING path = NT_STRING(u"\\??\\X:\\");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    pthread_t thread;
    HANDLE handle;

    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtOpenFile(&handle, FILE_LIST_DIRECTORY, &attributes, &io_status, 7, FILE_DIRECTORY_FILE),
                  STATUS_SUCCESS);
    assert_int_equal(pthread_create(&thread, NULL, list_often, handle), 0);
    list_often(handle);
    pthread_join(thread, NULL);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void test_creating_what_somebody_has_open_is_a_collision(void **state)
{
    HANDLE a, b;

    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\f.txt", GENERIC_WRITE, 0, FILE_CREATE, 0, &b), STATUS_OBJECT_NAME_COLLISION);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\new\\", GENERIC_WRITE, 0, FILE_CREATE, 0, &b), STATUS_OBJECT_NAME_INVALID);
    assert_status(lab_create(u"\\??\\X:\\new\\", FILE_LIST_DIRECTORY, 7, FILE_CREATE, FILE_DIRECTORY_FILE, &b),
                  STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_share_access_holds_until_the_last_close(void **state)
{
    HANDLE a, b;

    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\X:\\F.TXT", &b), STATUS_SHARING_VIOLATION);
    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_READ_ATTRIBUTES, 0, FILE_OPEN, 0, &b), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    for (int i = 0; i < 1000; i++) {
        assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
        assert_status(NtClose(a), STATUS_SUCCESS);
    }
    /* Also while somebody else keeps the file's FCB alive. */
    assert_status(lab_create(u"\\??\\X:\\f.txt", FILE_READ_ATTRIBUTES, 0, FILE_OPEN, 0, &b), STATUS_SUCCESS);
    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(lab_open_to_write(u"\\??\\X:\\f.txt", &a), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static NTSTATUS use(char letter, const WCHAR *remote, const WCHAR *user, const WCHAR *password)
{
    UNICODE_STRING r, u, p;

    RtlInitUnicodeString(&r, remote);
    RtlInitUnicodeString(&u, user);
    RtlInitUnicodeString(&p, password);
    return EmuUseAdd((ULONG)(letter - 'A'), &r, &u, &p);
}

static void test_mapping_a_letter_proves_server_share_and_credentials(void **state)
{
    WCHAR buffer[32];
    UNICODE_STRING remote = {0, sizeof buffer, buffer}, want = NT_STRING(u"\\\\mem\\lab");

    assert_int_equal(EmuUseLetters(), 1u << ('X' - 'A'));
    assert_status(use('X', u"\\\\mem\\lab", u"lab", u"secret"), STATUS_OBJECT_NAME_COLLISION);
    assert_status(use('Y', u"\\\\mem\\none", u"lab", u"secret"), STATUS_BAD_NETWORK_NAME);
    assert_status(use('Y', u"\\\\nowhere\\lab", u"lab", u"secret"), STATUS_BAD_NETWORK_PATH);
    assert_status(use('Y', u"\\\\mem\\lab", u"other", u"secret"), STATUS_NETWORK_CREDENTIAL_CONFLICT);
    assert_status(use('Y', u"\\\\mem\\lab", u"lab", u"wrong"), STATUS_LOGON_FAILURE);
    assert_status(use('Y', u"mem\\lab", u"lab", u"secret"), STATUS_BAD_NETWORK_PATH);
    assert_status(use('Y', u"\\\\mem", u"lab", u"secret"), STATUS_OBJECT_NAME_INVALID);
    assert_status(use('Y', u"\\\\mem\\lab\\dir", u"lab", u"secret"), STATUS_OBJECT_NAME_INVALID);
    assert_status(use('Y', u"\\\\mem\\lab\\", u"lab", u"secret"), STATUS_OBJECT_NAME_INVALID);
    assert_status(EmuUseAdd(EMU_NO_LETTER + 1, &want, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_status(EmuUseAdd('Y' - 'A', &want, NULL, NULL), STATUS_NETWORK_CREDENTIAL_CONFLICT); /* anonymous */
    assert_int_equal(EmuUseLetters(), 1u << ('X' - 'A'));
    assert_status(EmuUseQuery('X' - 'A', &remote), STATUS_SUCCESS);
    assert_true(RtlEqualUnicodeString(&remote, &want, FALSE));
    assert_status(EmuUseQuery('Y' - 'A', &remote), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(EmuUseDelete('Y' - 'A', FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_unmapping_minds_open_files_unless_forced(void **state)
{
    IO_STATUS_BLOCK io_status;
    char buffer[4];
    HANDLE handle;

    /* An open that failed is none, wherever it failed. */
    assert_status(lab_open(u"\\??\\X:\\missing", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(lab_open(u"\\??\\X:\\", &handle), STATUS_OBJECT_NAME_INVALID);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    assert_status(use('X', u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);

    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_FILES_OPEN);
    assert_status(EmuUseDelete('X' - 'A', TRUE), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, 4, NULL, NULL),
                  STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(use('X', u"\\\\mem\\lab", u"lab", u"secret"), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    /* By force where Q214563 minds what the cache holds. */
    assert_status(EmuUseDelete('X' - 'A', EmuHasDefect(EMU_Q214563)), STATUS_SUCCESS);
    assert_int_equal(EmuUseLetters(), 0);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_OBJECT_PATH_NOT_FOUND);
}

struct opener {
    PEPROCESS process;
    NTSTATUS status;
};

static void *open_f(void *argument)
{
    struct opener *o = argument;
    HANDLE handle;

    EmuEnterProcess(o->process);
    o->status = lab_open(u"\\??\\X:\\f.txt", &handle);
    if (NT_SUCCESS(o->status))
        NtClose(handle);
    EmuEnterProcess(NULL);
    return NULL;
}

static void test_unmapping_minds_a_create_in_progress(void **state)
{
    struct opener o = {EmuCreateProcess(0), STATUS_SUCCESS};
    struct lab *lab = *state;
    LARGE_INTEGER a_millisecond = {.QuadPart = -10000};
    pthread_t thread;
    KEVENT never;

    KeInitializeEvent(&never, NotificationEvent, FALSE);
    smb_fault_hold(lab->smb, SMB_CREATE);
    assert_int_equal(pthread_create(&thread, NULL, open_f, &o), 0);
    for (int tries = 0; !smb_fault_held(lab->smb) && tries < 10000; tries++)
        KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &a_millisecond);
    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_FILES_OPEN);
    assert_status(EmuUseDelete('X' - 'A', TRUE), STATUS_SUCCESS);
    /* The letter is free, and another user's: the old connection lives on only for the create. */
    assert_status(use('X', u"\\\\mem\\lab", u"lab", u"wrong"), STATUS_LOGON_FAILURE);
    smb_fault_release(lab->smb);
    pthread_join(thread, NULL);
    EmuDeleteProcess(o.process);
    assert_status(o.status, STATUS_SUCCESS);
}

static void test_every_failing_allocation_of_a_mapping_leaves_nothing(void **state)
{
    ULONG64 before;
    unsigned n;

    assert_status(EmuUseDelete('X' - 'A', FALSE), STATUS_SUCCESS);
    before = lab_live_blocks();
    for (n = 1; n < 100; n++) {
        NTSTATUS status;
        ULONG64 failures;
        EmuPoolFailAllocations(n, 1);
        status = use('X', u"\\\\mem\\lab", u"lab", u"secret");
        failures = EmuPoolFailedAllocations();
        EmuPoolFailAllocations(0, 0);
        if (!failures) {
            assert_status(status, STATUS_SUCCESS);
            break;
        }
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        if (lab_live_blocks() != before)
            fail_msg("allocation %u: %ld blocks kept", n, (long)(lab_live_blocks() - before));
    }
    assert_in_range(n, 8, 99);
}

static void test_what_the_processes_leave_open_is_counted_and_closed(void **state)
{
    struct lab lab;
    EMU_MACHINE_AUDIT audit;
    HANDLE handle;

    lab_boot(&lab, "nt4-sp6", 0);
    assert_status(lab_open(u"\\??\\X:\\f.txt", &handle), STATUS_SUCCESS);
    EmuPoolFreeSnapshot(&lab.start);
    assert_status(EmuMachineShutdown(&audit), STATUS_HANDLES_CLOSED);
    assert_int_equal(audit.Handles, 1);
    assert_ptr_equal(audit.Left[0].Handle, handle);
    assert_int_equal(audit.Left[0].ProcessId, 4);
    assert_string_equal(audit.Left[0].Type, "File");
    assert_string_equal(audit.Left[0].Name, "\\Device\\LanmanRedirector\\X:\\mem\\lab\\f.txt");
    assert_int_equal(audit.Objects, 0);
    EmuPoolFreeSnapshot(&audit.Pool);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    smb_backend_free(lab.smb);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_reading_moves_the_position_to_the_end),
        FILE_TEST(test_what_threads_change_is_asked_for_meanwhile),
        FILE_TEST(test_a_large_transfer_goes_in_pieces_and_comes_back_whole),
        FILE_TEST(test_what_a_handle_may_not_do_is_denied_and_never_done_otherwise),
        FILE_TEST(test_information_of_a_file),
        FILE_TEST(test_information_of_the_volume),
        FILE_TEST(test_a_directory_lists_by_pattern_restarts_and_resumes),
        FILE_TEST(test_the_dots_have_the_directorys_times),
        FILE_TEST(test_nothing_found_is_an_error_of_the_first_query_only),
        FILE_TEST(test_a_name_that_will_not_be_there_is_asked_for_alone),
        FILE_TEST(test_two_threads_list_one_asynchronous_handle),
        FILE_TEST(test_creating_what_somebody_has_open_is_a_collision),
        FILE_TEST(test_share_access_holds_until_the_last_close),
        FILE_TEST(test_mapping_a_letter_proves_server_share_and_credentials),
        FILE_TEST(test_unmapping_minds_open_files_unless_forced),
        FILE_TEST(test_unmapping_minds_a_create_in_progress),
        FILE_TEST(test_every_failing_allocation_of_a_mapping_leaves_nothing),
        cmocka_unit_test(test_what_the_processes_leave_open_is_counted_and_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
