/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_faults.c - whatever a program does on a share, with the n-th allocation refused, or it and all that follow, or
 * the n-th request to the server failed, for every n: the status is one that says so, and at the machine's shutdown
 * nothing is left. On a build with Q235425, what that leaves is, and nothing else.
 */
#include "lab.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static struct lab lab;

/* ---- what a program does; each leaves no handle, and gives the first status that is no success ---- */

static NTSTATUS open_with(const WCHAR *name, ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options)
{
    HANDLE handle;
    NTSTATUS status = lab_create(name, access, share, disposition, options, &handle);

    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS opens(void)
{
    return open_with(u"\\??\\X:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
}

static NTSTATUS opens_for_attributes(void)
{
    return open_with(u"\\??\\X:\\f.txt", FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS opens_a_directory(void)
{
    return open_with(u"\\??\\X:\\dir\\", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE);
}

static NTSTATUS creates(void)
{
    return open_with(u"\\??\\X:\\new", GENERIC_WRITE, 0, FILE_OPEN_IF, FILE_NON_DIRECTORY_FILE);
}

static NTSTATUS overwrites(void)
{
    return open_with(u"\\??\\X:\\f.txt", GENERIC_WRITE, 0, FILE_OVERWRITE_IF, 0);
}

static NTSTATUS supersedes(void)
{
    return open_with(u"\\??\\X:\\f.txt", GENERIC_WRITE, 0, FILE_SUPERSEDE, 0);
}

static NTSTATUS misses_a_name(void)
{
    return open_with(u"\\??\\X:\\missing", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS misses_a_path(void)
{
    return open_with(u"\\??\\X:\\missing\\x", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS misses_a_letter(void)
{
    return open_with(u"\\??\\Q:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS gives_an_illegal_name(void)
{
    return open_with(u"\\??\\X:\\a|b", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS opens_the_root_as_a_file(void)
{
    return open_with(u"\\??\\X:\\", GENERIC_READ, SHARE_ALL, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
}

static NTSTATUS gives_a_name_with_dots(void)
{
    return open_with(u"\\??\\X:\\dir\\..\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS creates_what_there_is(void)
{
    return open_with(u"\\??\\X:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_CREATE, 0);
}

static NTSTATUS opens_a_directory_as_a_file(void)
{
    return open_with(u"\\??\\X:\\dir", GENERIC_READ, SHARE_ALL, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
}

static NTSTATUS opens_a_file_as_a_directory(void)
{
    return open_with(u"\\??\\X:\\f.txt", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE);
}

static NTSTATUS opens_what_is_not_shared(void)
{
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", GENERIC_READ, 0, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = opens();
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS opens_twice(void)
{
    HANDLE handle;
    NTSTATUS status =
        lab_create(u"\\??\\X:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, FILE_NON_DIRECTORY_FILE, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = opens();
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS opens_below_a_directory(void)
{
    static UNICODE_STRING name = NT_STRING(u"g.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE directory, handle;
    NTSTATUS status =
        lab_create(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &directory);

    if (!NT_SUCCESS(status))
        return status;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, directory, NULL);
    status = NtOpenFile(&handle, GENERIC_READ | SYNCHRONIZE, &attributes, &io_status, SHARE_ALL,
                        FILE_SYNCHRONOUS_IO_NONALERT);
    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(directory), STATUS_SUCCESS);
    return status;
}

static NTSTATUS opens_by_unc(void)
{
    return open_with(u"\\??\\UNC\\mem\\lab\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS gives_an_illegal_unc_name(void)
{
    return open_with(u"\\??\\UNC\\mem\\lab\\a|b", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS gives_a_unc_name_of_no_share(void)
{
    return open_with(u"\\??\\UNC\\mem\\none\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
}

static NTSTATUS connects(void)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), user = NT_STRING(u"lab"),
                                password = NT_STRING(u"secret");
    NTSTATUS status = EmuUseAdd('Z' - 'A', &remote, &user, &password);

    if (!NT_SUCCESS(status))
        return status;
    status = open_with(u"\\??\\Z:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0);
    for (int tries = 0; EmuUseDelete('Z' - 'A', TRUE) != STATUS_SUCCESS; tries++)
        assert_int_equal(tries, 0); /* for want of memory, once */
    return status;
}

static NTSTATUS connects_to_no_share(void)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\none"), user = NT_STRING(u"lab"),
                                password = NT_STRING(u"secret");

    return EmuUseAdd('Z' - 'A', &remote, &user, &password);
}

static NTSTATUS asks(void)
{
    static UNICODE_STRING name = NT_STRING(u"\\??\\X:\\f.txt");
    FILE_NETWORK_OPEN_INFORMATION information;
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtQueryFullAttributesFile(&attributes, &information);
}

static NTSTATUS lists(void)
{
    HANDLE directory;
    NTSTATUS status =
        lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &directory);

    if (!NT_SUCCESS(status))
        return status;
    while (NT_SUCCESS(status)) {
        ULONGLONG buffer[128];
        IO_STATUS_BLOCK io_status;

        status = NtQueryDirectoryFile(directory, NULL, NULL, NULL, &io_status, buffer, sizeof buffer,
                                      FileDirectoryInformation, TRUE, NULL, FALSE);
    }
    assert_status(NtClose(directory), STATUS_SUCCESS);
    return status;
}

static NTSTATUS reads_and_writes(void)
{
    LARGE_INTEGER offset = {.QuadPart = 0};
    IO_STATUS_BLOCK io_status;
    char buffer[4];
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", GENERIC_READ | GENERIC_WRITE, 0, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtReadFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &offset, NULL);
    if (NT_SUCCESS(status))
        status = NtWriteFile(handle, NULL, NULL, NULL, &io_status, buffer, sizeof buffer, &offset, NULL);
    if (NT_SUCCESS(status))
        status = NtFlushBuffersFile(handle, &io_status);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS reads_and_writes_pages(void)
{
    IO_STATUS_BLOCK io_status;
    char buffer[4];
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", GENERIC_READ | GENERIC_WRITE, 0, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = EmuReadPages(handle, &io_status, buffer, sizeof buffer, 0);
    if (NT_SUCCESS(status))
        status = EmuWritePages(handle, &io_status, buffer, sizeof buffer, 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS deletes_on_close(void)
{
    return open_with(u"\\??\\X:\\gone", GENERIC_WRITE | DELETE, 0, FILE_OPEN_IF, FILE_DELETE_ON_CLOSE);
}

/* Makes a file, does that with it, and closes it. */
static NTSTATUS set_on_new_file(FILE_INFORMATION_CLASS class, void *information, ULONG length)
{
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\fresh", GENERIC_READ | DELETE, SHARE_ALL, FILE_OPEN_IF, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtSetInformationFile(handle, &io_status, information, length, class);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS deletes(void)
{
    FILE_DISPOSITION_INFORMATION disposition = {.DoDeleteFile = TRUE};

    return set_on_new_file(FileDispositionInformation, &disposition, sizeof disposition);
}

static NTSTATUS rename_to(const WCHAR *target, BOOLEAN replace)
{
    union {
        FILE_RENAME_INFORMATION rename;
        UCHAR room[sizeof(FILE_RENAME_INFORMATION) + 100];
    } information = {.rename = {.ReplaceIfExists = replace}};
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, target);
    information.rename.FileNameLength = name.Length;
    memcpy(information.rename.FileName, name.Buffer, name.Length);
    return set_on_new_file(FileRenameInformation, &information,
                           (ULONG)offsetof(FILE_RENAME_INFORMATION, FileName) + name.Length);
}

static NTSTATUS renames(void)
{
    return rename_to(u"elsewhere", TRUE);
}

static NTSTATUS renames_by_a_whole_name(void)
{
    return rename_to(u"\\??\\X:\\dir\\elsewhere", TRUE);
}

static NTSTATUS renames_to_what_there_is(void)
{
    return rename_to(u"f.txt", FALSE);
}

static NTSTATUS renames_to_an_illegal_name(void)
{
    return rename_to(u"\\??\\X:\\a|b", FALSE);
}

static NTSTATUS deletes_by_name(void)
{
    UNICODE_STRING name = NT_STRING(u"\\??\\X:\\fresh");
    OBJECT_ATTRIBUTES attributes;
    NTSTATUS status = open_with(u"\\??\\X:\\fresh", GENERIC_WRITE, SHARE_ALL, FILE_OPEN_IF, FILE_NON_DIRECTORY_FILE);

    if (!NT_SUCCESS(status))
        return status;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtDeleteFile(&attributes);
}

/* The others go on with the file wherever it is. */
static NTSTATUS renames_what_is_open_thrice(void)
{
    HANDLE handles[2] = {NULL, NULL};
    NTSTATUS status =
        lab_create(u"\\??\\X:\\fresh", GENERIC_READ | GENERIC_WRITE, SHARE_ALL, FILE_OPEN_IF, 0, &handles[0]);

    if (NT_SUCCESS(status))
        status = lab_create(u"\\??\\X:\\fresh", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0, &handles[1]);
    if (NT_SUCCESS(status))
        status = renames();
    for (int i = 0; i < 2; i++) {
        if (handles[i] != NULL)
            assert_status(NtClose(handles[i]), STATUS_SUCCESS);
    }
    return status;
}

/* What else can be done with an open file; all that does not change it, and what does. */
static NTSTATUS locks_and_unlocks(void)
{
    LARGE_INTEGER offset = {.QuadPart = 2}, length = {.QuadPart = 4};
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtLockFile(handle, NULL, NULL, NULL, &io_status, &offset, &length, NULL, TRUE, TRUE);
    if (NT_SUCCESS(status))
        status = NtUnlockFile(handle, &io_status, &offset, &length, NULL);
    if (NT_SUCCESS(status)) /* stays locked */
        status = NtLockFile(handle, NULL, NULL, NULL, &io_status, &offset, &length, NULL, TRUE, FALSE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS appends(void)
{
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\log", FILE_APPEND_DATA | SYNCHRONIZE, SHARE_ALL, FILE_OPEN_IF, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtWriteFile(handle, NULL, NULL, NULL, &io_status, "x", 1, NULL, NULL);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS query_of(FILE_INFORMATION_CLASS class)
{
    ULONGLONG buffer[64];
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtQueryInformationFile(handle, &io_status, buffer, sizeof buffer, class);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS asks_for_everything(void)
{
    return query_of(FileAllInformation);
}

static NTSTATUS asks_for_streams(void)
{
    return query_of(FileStreamInformation);
}

static NTSTATUS asks_by_name(void)
{
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtQueryInformationFile(handle, &io_status, &basic, sizeof basic, FileBasicInformation);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS asks_for_the_volume(void)
{
    FILE_FS_SIZE_INFORMATION size;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status =
        lab_create(u"\\??\\X:\\", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtQueryVolumeInformationFile(handle, &io_status, &size, sizeof size, FileFsSizeInformation);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS sets_on_a_file(FILE_INFORMATION_CLASS class, void *information, ULONG length)
{
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\fresh", GENERIC_WRITE, SHARE_ALL, FILE_OPEN_IF, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtSetInformationFile(handle, &io_status, information, length, class);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS sets_times(void)
{
    FILE_BASIC_INFORMATION basic = {.LastWriteTime.QuadPart = 125911584000000000};

    return sets_on_a_file(FileBasicInformation, &basic, sizeof basic);
}

static NTSTATUS sets_the_end(void)
{
    FILE_END_OF_FILE_INFORMATION end = {.EndOfFile.QuadPart = 5};

    return sets_on_a_file(FileEndOfFileInformation, &end, sizeof end);
}

static NTSTATUS sets_the_allocation(void)
{
    FILE_ALLOCATION_INFORMATION allocation = {.AllocationSize.QuadPart = 0};

    return sets_on_a_file(FileAllocationInformation, &allocation, sizeof allocation);
}

static NTSTATUS sends_a_control_code(void)
{
    UCHAR bytes[16] = {0};
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtFsControlFile(handle, NULL, NULL, NULL, &io_status, 0x900a8, bytes, sizeof bytes, bytes, sizeof bytes);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS asks_for_extended_attributes(void)
{
    static UCHAR list[] = {0, 0, 0, 0, 1, 'a', 0, 0}; /* FILE_GET_EA_INFORMATION */
    UCHAR bytes[64];
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", FILE_READ_EA | SYNCHRONIZE, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtQueryEaFile(handle, &io_status, bytes, sizeof bytes, TRUE, list, sizeof list, NULL, FALSE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS sets_extended_attributes(void)
{
    UCHAR list[] = {0, 0, 0, 0, 0, 1, 1, 0, 'a', 0, 'b', 0}; /* FILE_FULL_EA_INFORMATION */
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", FILE_WRITE_EA | SYNCHRONIZE, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtSetEaFile(handle, &io_status, list, sizeof list);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS asks_for_security_and_sets_it(void)
{
    UCHAR descriptor[64];
    ULONG needed;
    HANDLE handle;
    NTSTATUS status = lab_create(u"\\??\\X:\\f.txt", READ_CONTROL | WRITE_DAC, SHARE_ALL, FILE_OPEN, 0, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtQuerySecurityObject(handle, OWNER_SECURITY_INFORMATION, descriptor, sizeof descriptor, &needed);
    if (NT_SUCCESS(status))
        status = NtSetSecurityObject(handle, DACL_SECURITY_INFORMATION, descriptor);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS sets_the_label(void)
{
    ULONG label[2] = {sizeof(WCHAR), 'x'};
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status =
        lab_create(u"\\??\\X:\\", FILE_ADD_FILE | SYNCHRONIZE, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtSetVolumeInformationFile(handle, &io_status, label, sizeof label, FileFsLabelInformation);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

/* Whatever becomes of the first request, the second meets the same watch. Neither waits. */
static NTSTATUS watches(void)
{
    UCHAR bytes[200];
    IO_STATUS_BLOCK io_status;
    HANDLE handle = NULL;
    NTSTATUS status =
        lab_create(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, FILE_DIRECTORY_FILE, &handle);

    for (int i = 0; NT_SUCCESS(status) && i < 2; i++) {
        EMU_REQUEST request;
        EmuBeginRequest(&request, 1);
        EmuCancelRequest(&request);
        status = NtNotifyChangeDirectoryFile(handle, NULL, NULL, NULL, &io_status, bytes, sizeof bytes,
                                             FILE_NOTIFY_CHANGE_FILE_NAME, TRUE);
        EmuEndRequest(&request);
        if (i == 0 && status == STATUS_CANCELLED)
            status = STATUS_SUCCESS;
    }
    if (handle)
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static NTSTATUS deletes_a_directory(void)
{
    FILE_DISPOSITION_INFORMATION disposition = {.DoDeleteFile = TRUE};
    IO_STATUS_BLOCK io_status;
    HANDLE handle;
    NTSTATUS status =
        lab_create(u"\\??\\X:\\made", DELETE | SYNCHRONIZE, SHARE_ALL, FILE_OPEN_IF, FILE_DIRECTORY_FILE, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = NtSetInformationFile(handle, &io_status, &disposition, sizeof disposition, FileDispositionInformation);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

/* No letter leads there: the first open connects, with what X: was connected with. */
static NTSTATUS opens_a_share_without_letter(void)
{
    NTSTATUS status = smb_mem_add_share(lab.mem, "mem", 445, "free", FALSE);

    assert_true(status == STATUS_SUCCESS || status == STATUS_OBJECT_NAME_COLLISION);
    return open_with(u"\\??\\UNC\\mem\\free\\fresh", GENERIC_WRITE, SHARE_ALL, FILE_OPEN_IF, 0);
}

/* In a process of its own, which is told to die while the server does not answer. */
struct dying {
    PEPROCESS process;
    NTSTATUS status;
    _Atomic BOOLEAN done;
};

static void *open_in_process(void *context)
{
    struct dying *dying = context;

    EmuEnterProcess(dying->process);
    dying->status = opens();
    EmuEnterProcess(NULL);
    dying->done = TRUE;
    return NULL;
}

static NTSTATUS is_cancelled(void)
{
    struct dying dying = {.process = EmuCreateProcess(0)};
    pthread_t thread;

    if (dying.process == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    smb_fault_hold(lab.smb, SMB_CREATE);
    assert_int_equal(pthread_create(&thread, NULL, open_in_process, &dying), 0);
    while (smb_fault_held(lab.smb) == 0 && !dying.done)
        sched_yield();
    EmuCancelProcessIo(dying.process);
    assert_int_equal(pthread_join(thread, NULL), 0);
    smb_fault_release(lab.smb);
    EmuDeleteProcess(dying.process);
    return dying.status;
}

/* ---- the loops ---- */

static const struct operation {
    const char *name;
    NTSTATUS (*run)(void);
    NTSTATUS expected;
    unsigned leaked; /* blocks, of a run that ends as expected, on a build with Q235425 */
} operations[] = {
#define OPERATION(run, ...)                                                                                            \
    {                                                                                                                  \
#run, run, __VA_ARGS__                                                                                         \
    }
    OPERATION(opens, STATUS_SUCCESS, 0),
    OPERATION(opens_for_attributes, STATUS_SUCCESS, 0),
    OPERATION(opens_a_directory, STATUS_SUCCESS, 0),
    OPERATION(creates, STATUS_SUCCESS, 0),
    OPERATION(overwrites, STATUS_SUCCESS, 0),
    OPERATION(supersedes, STATUS_SUCCESS, 0),
    OPERATION(misses_a_name, STATUS_OBJECT_NAME_NOT_FOUND, 0),
    OPERATION(misses_a_path, STATUS_OBJECT_PATH_NOT_FOUND, 0),
    OPERATION(misses_a_letter, STATUS_OBJECT_PATH_NOT_FOUND, 0),
    OPERATION(gives_an_illegal_name, STATUS_OBJECT_NAME_INVALID, 1),
    OPERATION(opens_the_root_as_a_file, STATUS_OBJECT_NAME_INVALID, 1),
    OPERATION(gives_a_name_with_dots, STATUS_OBJECT_PATH_SYNTAX_BAD, 0),
    OPERATION(creates_what_there_is, STATUS_OBJECT_NAME_COLLISION, 0),
    OPERATION(opens_a_directory_as_a_file, STATUS_FILE_IS_A_DIRECTORY, 0),
    OPERATION(opens_a_file_as_a_directory, STATUS_NOT_A_DIRECTORY, 0),
    OPERATION(opens_what_is_not_shared, STATUS_SHARING_VIOLATION, 0),
    OPERATION(opens_twice, STATUS_SUCCESS, 0),
    OPERATION(opens_below_a_directory, STATUS_SUCCESS, 0),
    OPERATION(opens_by_unc, STATUS_SUCCESS, 0),
    OPERATION(gives_an_illegal_unc_name, STATUS_OBJECT_NAME_INVALID, 1),
    OPERATION(gives_a_unc_name_of_no_share, STATUS_BAD_NETWORK_NAME, 0),
    OPERATION(connects, STATUS_SUCCESS, 0),
    OPERATION(connects_to_no_share, STATUS_BAD_NETWORK_NAME, 0),
    OPERATION(asks, STATUS_SUCCESS, 0),
    OPERATION(lists, STATUS_NO_MORE_FILES, 0),
    OPERATION(reads_and_writes, STATUS_SUCCESS, 0),
    OPERATION(reads_and_writes_pages, STATUS_SUCCESS, 0),
    OPERATION(deletes_on_close, STATUS_SUCCESS, 0),
    OPERATION(deletes, STATUS_SUCCESS, 0),
    OPERATION(renames, STATUS_SUCCESS, 0),
    OPERATION(renames_by_a_whole_name, STATUS_SUCCESS, 0),
    OPERATION(renames_to_what_there_is, STATUS_OBJECT_NAME_COLLISION, 0),
    OPERATION(renames_to_an_illegal_name, STATUS_OBJECT_NAME_INVALID, 0),
    OPERATION(renames_what_is_open_thrice, STATUS_SUCCESS, 0),
    OPERATION(deletes_by_name, STATUS_SUCCESS, 0),
    OPERATION(opens_a_share_without_letter, STATUS_SUCCESS, 0),
    OPERATION(is_cancelled, STATUS_CANCELLED, 0),
    OPERATION(locks_and_unlocks, STATUS_SUCCESS, 0),
    OPERATION(appends, STATUS_SUCCESS, 0),
    OPERATION(asks_for_everything, STATUS_SUCCESS, 0),
    OPERATION(asks_for_streams, STATUS_SUCCESS, 0),
    OPERATION(asks_by_name, STATUS_SUCCESS, 0),
    OPERATION(asks_for_the_volume, STATUS_SUCCESS, 0),
    OPERATION(sets_times, STATUS_SUCCESS, 0),
    OPERATION(sets_the_end, STATUS_SUCCESS, 0),
    OPERATION(sets_the_allocation, STATUS_SUCCESS, 0),
    OPERATION(sends_a_control_code, STATUS_NOT_A_REPARSE_POINT, 0),
    OPERATION(asks_for_extended_attributes, STATUS_NO_EAS_ON_FILE, 0),
    OPERATION(sets_extended_attributes, STATUS_EAS_NOT_SUPPORTED, 0),
    OPERATION(asks_for_security_and_sets_it, STATUS_SUCCESS, 0),
    OPERATION(sets_the_label, STATUS_NOT_SUPPORTED, 0),
    OPERATION(watches, STATUS_CANCELLED, 0),
    OPERATION(deletes_a_directory, STATUS_SUCCESS, 0),
#undef OPERATION
};
#define OPERATIONS (sizeof operations / sizeof *operations)

/* For the report of a failure; NULL: nothing runs. */
static const char *running, *fault;
static unsigned running_n;

static int report(void **state)
{
    (void)state;
    if (running != NULL)
        print_error("it was: %s, %s %u\n", running, fault, running_n);
    running = NULL;
    return 0;
}

static void begin(const struct operation *operation, const char *build, const char *what, unsigned n)
{
    running = operation->name;
    fault = what;
    running_n = n;
    lab_boot(&lab, build, 0);
}

static const char *const builds[] = {"nt4-sp6", "nt4-sp5"};

static void check(const struct operation *operation, NTSTATUS status, NTSTATUS injected)
{
    if (status != injected)
        assert_status(status, operation->expected);
}

static void shut_down(const char *build, unsigned leaked)
{
    lab_shut_down(&lab, strcmp(build, "nt4-sp5") == 0 ? leaked : 0);
    running = NULL;
}

/* One run on a machine of its own, then another without a fault. FALSE: the fault was not reached. */
static BOOLEAN run_with_allocations_refused(const struct operation *operation, const char *build, unsigned n,
                                            ULONG64 times)
{
    unsigned leaked = operation->leaked;
    ULONG64 failed;
    NTSTATUS status;

    begin(operation, build, times == 1 ? "allocation" : "allocations from", n);
    EmuPoolFailAllocations(n, times);
    status = operation->run();
    failed = EmuPoolFailedAllocations();
    EmuPoolFailAllocations(0, 0);
    check(operation, status, failed != 0 ? STATUS_INSUFFICIENT_RESOURCES : operation->expected);
    if (status == operation->expected)
        leaked += operation->leaked;
    assert_status(operation->run(), operation->expected);
    shut_down(build, leaked);
    return failed != 0;
}

static void test_every_allocation_refused(void **state)
{
    unsigned runs = 0;

    (void)state;
    for (size_t b = 0; b < sizeof builds / sizeof *builds; b++) {
        for (size_t i = 0; i < OPERATIONS; i++) {
            for (unsigned n = 1; run_with_allocations_refused(&operations[i], builds[b], n, 1); n++)
                runs++;
            for (unsigned n = 1; run_with_allocations_refused(&operations[i], builds[b], n, UINT64_MAX); n++)
                runs++;
        }
    }
    print_message("%u runs with a fault\n", runs);
}

static BOOLEAN run_with_a_request_failed(const struct operation *operation, const char *build, unsigned n,
                                         NTSTATUS injected)
{
    unsigned failed;
    NTSTATUS status;

    begin(operation, build, "request", n);
    smb_fault_fail(lab.smb, SMB_ANY_OP, n, 1, injected);
    status = operation->run();
    failed = smb_fault_failed(lab.smb);
    smb_fault_fail(lab.smb, SMB_ANY_OP, 1, 0, STATUS_SUCCESS);
    check(operation, status, failed != 0 ? injected : operation->expected);
    /* Of another file: the server may still have the first one open, as a close that failed did not reach it. */
    assert_status(open_with(u"\\??\\X:\\dir\\g.txt", GENERIC_READ, SHARE_ALL, FILE_OPEN, 0), STATUS_SUCCESS);
    shut_down(build, status == operation->expected ? operation->leaked : 0);
    return failed != 0;
}

static void test_every_request_failed(void **state)
{
    static const NTSTATUS statuses[] = {STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT,
                                        STATUS_INSUFFICIENT_RESOURCES, STATUS_ACCESS_DENIED};
    unsigned runs = 0;

    (void)state;
    for (size_t s = 0; s < sizeof statuses / sizeof *statuses; s++) {
        for (size_t i = 0; i < OPERATIONS; i++) {
            const char *build = builds[s % 2];

            for (unsigned n = 1; run_with_a_request_failed(&operations[i], build, n, statuses[s]); n++)
                runs++;
        }
    }
    print_message("%u runs with a fault\n", runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_allocation_refused, report),
        cmocka_unit_test_teardown(test_every_request_failed, report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
