/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"
#include "rdr/rdr.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

jmp_buf lab_bug_check_jump;
EMU_BUG_CHECK lab_bug_check;

static void caught(const EMU_BUG_CHECK *bug_check)
{
    lab_bug_check = *bug_check;
    longjmp(lab_bug_check_jump, 1);
}

void lab_catch_bug_checks(int on)
{
    EmuSetBugCheckRoutine(on ? caught : NULL);
}

void lab_restore_irql(KIRQL irql)
{
    if (KeGetCurrentIrql() > irql)
        KeLowerIrql(irql);
    else if (KeGetCurrentIrql() < irql)
        KfRaiseIrql(irql);
}

/* ---- in a process of its own ---- */

static struct {
    EMU_BUG_CHECK bug_check;
    int seen;
} * stopped; /* shared with the child */

static void caught_in_child(const EMU_BUG_CHECK *bug_check)
{
    stopped->bug_check = *bug_check;
    stopped->seen = 1;
    _exit(0);
}

void lab_run_to_bug_check(void (*run)(void *context), void *context)
{
    int status;
    pid_t child;

    stopped = mmap(NULL, sizeof *stopped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stopped, MAP_FAILED);
    child = fork();
    assert_int_not_equal(child, -1);
    if (!child) {
        EmuSetBugCheckRoutine(caught_in_child);
        run(context);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    status = stopped->seen ? status : -1;
    lab_bug_check = stopped->bug_check;
    munmap(stopped, sizeof *stopped);
    if (status)
        fail_msg("the machine was not stopped by a bug check");
}

/* ---- on a system thread ---- */

static sem_t thread_stopped;

static void caught_in_thread(const EMU_BUG_CHECK *bug_check)
{
    lab_bug_check = *bug_check;
    lab_restore_irql(PASSIVE_LEVEL);
    sem_post(&thread_stopped);
    PsTerminateSystemThread(STATUS_UNSUCCESSFUL);
    abort(); /* no system thread: nobody could go on */
}

void lab_catch_threads_bug_check(void)
{
    memset(&lab_bug_check, 0, sizeof lab_bug_check);
    sem_init(&thread_stopped, 0, 0);
    EmuSetBugCheckRoutine(caught_in_thread);
}

void lab_wait_for_bug_check(const char *what)
{
    struct timespec deadline;
    int result;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    do {
        result = sem_timedwait(&thread_stopped, &deadline);
    } while (result != 0 && errno == EINTR);
    EmuSetBugCheckRoutine(NULL);
    if (result != 0)
        fail_msg("%s did not bug check", what);
}

static void add(struct lab *lab, const WCHAR *path, const char *text)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, path);
    assert_status(smb_mem_add(lab->mem, "lab", &name, text, text ? strlen(text) : 0), STATUS_SUCCESS);
}

void lab_boot_options(struct lab *lab, const EMU_MACHINE_OPTIONS *wanted)
{
    EMU_MACHINE_OPTIONS options = *wanted;
    char error[256];

    memset(lab, 0, sizeof *lab);
    lab->mem = smb_mem_backend();
    assert_non_null(lab->mem);
    assert_status(smb_mem_add_share(lab->mem, "mem", 445, "lab", FALSE), STATUS_SUCCESS);
    assert_status(smb_mem_set_user(lab->mem, "lab", "secret"), STATUS_SUCCESS);
    add(lab, u"f.txt", LAB_TEXT);
    add(lab, u"dir", NULL);
    add(lab, u"dir\\g.txt", LAB_TEXT);
    lab->smb = smb_fault_backend(lab->mem);
    assert_non_null(lab->smb);
    options.Smb = lab->smb;
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
}

void lab_boot_unmapped(struct lab *lab, const char *build, SIZE_T paged_limit)
{
    lab_boot_options(lab, &(EMU_MACHINE_OPTIONS){.Build = build, .PagedPoolLimit = paged_limit});
}

void lab_boot(struct lab *lab, const char *build, SIZE_T paged_limit)
{
    lab_boot_unmapped(lab, build, paged_limit);
    lab_map(lab);
}

void lab_map(struct lab *lab)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), user = NT_STRING(u"lab"),
                                password = NT_STRING(u"secret");

    assert_status(EmuUseAdd('X' - 'A', &remote, &user, &password), STATUS_SUCCESS);
    assert_status(EmuPoolTakeSnapshot(&lab->start), STATUS_SUCCESS);
}

void lab_shut_down(struct lab *lab, unsigned blocks)
{
    EMU_MACHINE_AUDIT audit;
    NTSTATUS status = EmuMachineShutdown(&audit);
    ULONG64 left = audit.Pool.Paged.LiveBlocks + audit.Pool.NonPaged.LiveBlocks;

    for (ULONG i = 0; left != blocks && i < audit.Pool.Count; i++) {
        const EMU_POOL_USE *u = &audit.Pool.Uses[i];
        print_error("left: %.4s %ld blocks %ld bytes %s:%u %s\n", (const char *)&u->Tag, (long)u->LiveBlocks,
                    (long)u->LiveBytes, EmuPoolSiteFile(u->Site), u->Site->Line, u->Site->Function);
    }
    for (ULONG i = 0; i < audit.Handles && i < EMU_LEFT_MOST; i++) {
        const EMU_LEFT_HANDLE *h = &audit.Left[i];
        print_error("left open: process %u handle %#lx %s \"%s\" access %#x\n", h->ProcessId, (unsigned long)h->Handle,
                    h->Type, h->Name, h->GrantedAccess);
    }
    for (ULONG i = 0; i < EMU_LEFT_MOST && audit.LeftObjects[i].References; i++)
        print_error("still referenced: %s \"%s\", %u times\n", audit.LeftObjects[i].Type, audit.LeftObjects[i].Name,
                    audit.LeftObjects[i].References);
    EmuPoolFreeSnapshot(&audit.Pool);
    EmuPoolFreeSnapshot(&lab->start);
    smb_backend_free(lab->smb);
    assert_int_equal(left, blocks);
    assert_int_equal(audit.Irps, 0);
    assert_int_equal(audit.Objects, 0);
    assert_int_equal(audit.Handles, 0);
    assert_int_equal(audit.Processes, 0);
    assert_status(status, blocks ? STATUS_MEMORY_NOT_ALLOCATED : STATUS_SUCCESS);
}

/* What does not ask for a build is to hold on all of them. */
static const char *build_of_tests(void)
{
    const char *build = getenv("RDRLAB_TEST_BUILD");

    return build ? build : "nt4-sp6";
}

int lab_set_up(void **state)
{
    static struct lab lab;

    lab_boot(&lab, build_of_tests(), 0);
    *state = &lab;
    return 0;
}

int lab_set_up_pool(void **state)
{
    static struct lab lab;

    lab_boot_unmapped(&lab, build_of_tests(), (SIZE_T)8 << 20);
    *state = &lab;
    return 0;
}

/* What Q235425 keeps of creates with a wrong name is its own test's matter. */
static unsigned kept_by_creates(void)
{
    EMU_POOL_SNAPSHOT now;
    unsigned blocks = 0;

    if (!EmuHasDefect(EMU_Q235425))
        return 0;
    assert_status(EmuPoolTakeSnapshot(&now), STATUS_SUCCESS);
    for (ULONG i = 0; i < now.Count; i++)
        if (now.Uses[i].Tag == POOL_TAG('R', 'd', 'C', 'c'))
            blocks += (unsigned)now.Uses[i].LiveBlocks;
    EmuPoolFreeSnapshot(&now);
    return blocks;
}

int lab_tear_down(void **state)
{
    lab_shut_down(*state, kept_by_creates());
    return 0;
}

void lab_boot_clock(EMU_CLOCK clock)
{
    EMU_MACHINE_OPTIONS options = {.Clock = clock};
    char error[256];

    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
}

int lab_set_up_real(void **state)
{
    lab_boot_clock(EmuClockReal);
    return 0;
}

int lab_set_up_virtual(void **state)
{
    lab_boot_clock(EmuClockVirtual);
    return 0;
}

int lab_set_up_idle(void **state)
{
    lab_boot_clock(EmuClockVirtualIdle);
    return 0;
}

int lab_tear_down_clock(void **state)
{
    lab_restore_irql(PASSIVE_LEVEL); /* of a test that failed half way */
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
    return 0;
}

NTSTATUS lab_create(const WCHAR *name, ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options,
                    HANDLE *handle)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    UNICODE_STRING path;

    RtlInitUnicodeString(&path, name);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtCreateFile(handle, access | SYNCHRONIZE, &attributes, &io_status, NULL, FILE_ATTRIBUTE_NORMAL, share,
                        disposition, options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

NTSTATUS lab_open(const WCHAR *name, HANDLE *handle)
{
    return lab_create(name, GENERIC_READ, FILE_SHARE_READ, FILE_OPEN, FILE_NON_DIRECTORY_FILE, handle);
}

NTSTATUS lab_open_to_write(const WCHAR *name, HANDLE *handle)
{
    return lab_create(name, GENERIC_READ | GENERIC_WRITE, 0, FILE_OPEN_IF, FILE_NON_DIRECTORY_FILE, handle);
}

/* ---- a filter ---- */

static PDEVICE_OBJECT filter, below;

static NTSTATUS NTAPI pass_asynchronously(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    Irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(below, Irp);
}

static NTSTATUS NTAPI filter_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        DriverObject->MajorFunction[i] = pass_asynchronously;
    return IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_NETWORK_FILE_SYSTEM, 0, FALSE, &filter);
}

void lab_hide_waiting(void)
{
    static UNICODE_STRING name = NT_STRING(u"\\Driver\\Filter");

    assert_status(IoCreateDriver(&name, filter_entry), STATUS_SUCCESS);
    below = IoAttachDeviceToDeviceStack(filter, RdrDevice);
    assert_non_null(below);
}

void lab_show_waiting(void)
{
    PDRIVER_OBJECT driver = filter->DriverObject;

    IoDetachDevice(below);
    IoDeleteDevice(filter);
    IoDeleteDriver(driver);
}

ULONG lab_kept_since(EMU_POOL_SNAPSHOT *before, EMU_POOL_USE *row)
{
    EMU_POOL_SNAPSHOT after, difference;
    ULONG rows = 0;

    assert_status(EmuPoolTakeSnapshot(&after), STATUS_SUCCESS);
    assert_status(EmuPoolCompare(before, &after, &difference), STATUS_SUCCESS);
    for (ULONG i = 0; i < difference.Count; i++)
        if (difference.Uses[i].LiveBlocks && !rows++)
            *row = difference.Uses[i];
    EmuPoolFreeSnapshot(&after);
    EmuPoolFreeSnapshot(&difference);
    return rows;
}

ULONG64 lab_live_blocks(void)
{
    EMU_POOL_COUNTS paged, nonpaged;

    EmuPoolCounts(&paged, &nonpaged);
    return paged.LiveBlocks + nonpaged.LiveBlocks;
}

const char *status_name(NTSTATUS status)
{
    static const struct {
        NTSTATUS status;
        const char *name;
    } names[] = {
#define NAME(s) {s, #s}
        NAME(STATUS_SUCCESS),
        NAME(STATUS_PENDING),
        NAME(STATUS_BUFFER_OVERFLOW),
        NAME(STATUS_NO_MORE_FILES),
        NAME(STATUS_INVALID_PARAMETER),
        NAME(STATUS_NO_SUCH_FILE),
        NAME(STATUS_INVALID_DEVICE_REQUEST),
        NAME(STATUS_END_OF_FILE),
        NAME(STATUS_ACCESS_DENIED),
        NAME(STATUS_BUFFER_TOO_SMALL),
        NAME(STATUS_OBJECT_TYPE_MISMATCH),
        NAME(STATUS_OBJECT_NAME_INVALID),
        NAME(STATUS_OBJECT_NAME_NOT_FOUND),
        NAME(STATUS_OBJECT_NAME_COLLISION),
        NAME(STATUS_OBJECT_PATH_INVALID),
        NAME(STATUS_OBJECT_PATH_NOT_FOUND),
        NAME(STATUS_OBJECT_PATH_SYNTAX_BAD),
        NAME(STATUS_SHARING_VIOLATION),
        NAME(STATUS_LOGON_FAILURE),
        NAME(STATUS_INSUFFICIENT_RESOURCES),
        NAME(STATUS_FILE_IS_A_DIRECTORY),
        NAME(STATUS_NOT_SUPPORTED),
        NAME(STATUS_BAD_NETWORK_PATH),
        NAME(STATUS_UNEXPECTED_NETWORK_ERROR),
        NAME(STATUS_BAD_NETWORK_NAME),
        NAME(STATUS_NOT_A_DIRECTORY),
        NAME(STATUS_NAME_TOO_LONG),
        NAME(STATUS_CANCELLED),
        NAME(STATUS_CONNECTION_IN_USE),
        NAME(STATUS_FILES_OPEN),
        NAME(STATUS_CONNECTION_DISCONNECTED),
        NAME(STATUS_NETWORK_CREDENTIAL_CONFLICT),
        NAME(STATUS_INVALID_HANDLE),
        NAME(STATUS_INFO_LENGTH_MISMATCH),
        NAME(STATUS_MEMORY_NOT_ALLOCATED),
        NAME(STATUS_HANDLES_CLOSED),
        NAME(STATUS_INVALID_INFO_CLASS),
        NAME(STATUS_EA_LIST_INCONSISTENT),
        NAME(STATUS_IO_TIMEOUT),
        NAME(STATUS_TIMEOUT),
#undef NAME
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status)
            return names[i].name;
    return "another status";
}

void assert_status_at(NTSTATUS actual, NTSTATUS expected, const char *what, const char *file, int line)
{
    if (actual == expected)
        return;
    print_error("%s:%d: %s is %s (0x%08x), expected %s (0x%08x)\n", file, line, what, status_name(actual),
                (unsigned)actual, status_name(expected), (unsigned)expected);
    fail();
}
