/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UNC names through MUP: with the redirector alone, and with providers of the test's own, which claim what they are
 * told to and remember what they were asked.
 */
#include "lab.h"

#include <ntemu/builds.h>
#include <ntemu/trace.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "io/iop.h"
#include "mup/mup.h"
#include "rdr/rdr.h"

/* ---- a provider of the test's own ---- */

struct provider {
    PDRIVER_OBJECT driver;
    PDEVICE_OBJECT device;
    HANDLE registration;
    NTSTATUS answer;
    ULONG accepted; /* bytes */
    BOOLEAN pend;
    KEVENT arrived; /* a question that pends has come */
    LONG asked, opened;
    ULONG last; /* which question of all the last one was */
    USHORT name_length;
    WCHAR name[64]; /* of the last create */
};

static struct provider fakes[2];
static ULONG questions;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* threads open and ask at once */

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static struct provider *fake_of(PDEVICE_OBJECT device)
{
    return device == fakes[0].device ? &fakes[0] : &fakes[1];
}

static NTSTATUS NTAPI fake_create(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    struct provider *fake = fake_of(DeviceObject);

    if (!file->FileName.Length)
        return complete(Irp, STATUS_SUCCESS); /* MUP opens the device itself */
    pthread_mutex_lock(&mutex);
    fake->opened++;
    fake->name_length = file->FileName.Length;
    memcpy(fake->name, file->FileName.Buffer, min(file->FileName.Length, sizeof fake->name));
    pthread_mutex_unlock(&mutex);
    return complete(Irp, STATUS_SUCCESS);
}

static void NTAPI cancel_question(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    complete(Irp, STATUS_CANCELLED);
}

static NTSTATUS NTAPI fake_control(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    struct provider *fake = fake_of(DeviceObject);

    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_REDIR_QUERY_PATH || Irp->RequestorMode != KernelMode)
        return complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    pthread_mutex_lock(&mutex);
    fake->asked++;
    fake->last = ++questions;
    pthread_mutex_unlock(&mutex);
    if (fake->pend) {
        IoMarkIrpPending(Irp);
        IoSetCancelRoutine(Irp, cancel_question);
        KeSetEvent(&fake->arrived, 0, FALSE);
        return STATUS_PENDING;
    }
    ((QUERY_PATH_RESPONSE *)Irp->UserBuffer)->LengthAccepted = fake->accepted;
    return complete(Irp, fake->answer);
}

static NTSTATUS NTAPI fake_other(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return complete(Irp, STATUS_SUCCESS);
}

static struct provider *loading;

static NTSTATUS NTAPI fake_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    static UNICODE_STRING names[] = {NT_STRING(u"\\Device\\Fake0"), NT_STRING(u"\\Device\\Fake1")};

    loading->driver = DriverObject;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = fake_create;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = fake_control;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = DriverObject->MajorFunction[IRP_MJ_CLOSE] = fake_other;
    return IoCreateDevice(DriverObject, 0, &names[loading - fakes], FILE_DEVICE_NETWORK_FILE_SYSTEM, 0, FALSE,
                          &loading->device);
}

static struct provider *load_fake(int n, BOOLEAN mailslots)
{
    static UNICODE_STRING drivers[] = {NT_STRING(u"\\FileSystem\\Fake0"), NT_STRING(u"\\FileSystem\\Fake1")},
                          devices[] = {NT_STRING(u"\\Device\\Fake0"), NT_STRING(u"\\Device\\Fake1")};
    struct provider *fake = &fakes[n];

    memset(fake, 0, sizeof *fake);
    fake->answer = STATUS_BAD_NETWORK_PATH;
    KeInitializeEvent(&fake->arrived, SynchronizationEvent, FALSE);
    loading = fake;
    assert_status(IoCreateDriver(&drivers[n], fake_entry), STATUS_SUCCESS);
    assert_status(FsRtlRegisterUncProvider(&fake->registration, &devices[n], mailslots), STATUS_SUCCESS);
    return fake;
}

static void deregister(struct provider *fake)
{
    FsRtlDeregisterUncProvider(fake->registration);
    fake->registration = NULL;
}

static void unload_fake(struct provider *fake)
{
    if (fake->registration)
        deregister(fake);
    IoDeleteDevice(fake->device);
    IoDeleteDriver(fake->driver);
    fake->device = NULL;
}

static void claim(struct provider *fake, const WCHAR *prefix)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, prefix);
    fake->answer = STATUS_SUCCESS;
    fake->accepted = name.Length;
}

/* ---- the machine ---- */

static LONGLONG now; /* atomic */

static LONGLONG test_clock(void)
{
    return __atomic_load_n(&now, __ATOMIC_RELAXED);
}

static void let_pass(LONGLONG time)
{
    __atomic_add_fetch(&now, time, __ATOMIC_RELAXED);
}

static struct lab lab;

static int boot(void **state)
{
    now = 1000;
    questions = 0;
    MupClock = test_clock;
    lab_boot(&lab, "nt4-sp6", 0);
    return 0;
}

static int shut_down(void **state)
{
    for (int i = 0; i < 2; i++)
        if (fakes[i].device)
            unload_fake(&fakes[i]);
    lab_shut_down(&lab, 0);
    return 0;
}

static void open_and_close(const WCHAR *name)
{
    HANDLE handle;

    assert_status(lab_open(name, &handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void assert_refused(const WCHAR *name, NTSTATUS expected)
{
    HANDLE handle = (HANDLE)99;

    assert_status(lab_open(name, &handle), expected);
    assert_ptr_equal(handle, (HANDLE)99);
}

static void assert_opened_as(const struct provider *fake, const WCHAR *name)
{
    UNICODE_STRING expected;

    RtlInitUnicodeString(&expected, name);
    assert_int_equal(fake->name_length, expected.Length);
    assert_memory_equal(fake->name, expected.Buffer, expected.Length);
}

/* ---- with the redirector alone ---- */

static void test_a_unc_name_opens_what_the_letter_opens(void **state)
{
    char text[32];
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    assert_status(lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &handle), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io_status, text, sizeof text, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(io_status.Information, strlen(LAB_TEXT));
    assert_memory_equal(text, LAB_TEXT, strlen(LAB_TEXT));
    assert_status(NtClose(handle), STATUS_SUCCESS);
    open_and_close(u"\\DosDevices\\unc\\MEM\\Lab\\DIR\\g.txt");
    open_and_close(u"\\Device\\Mup\\mem\\lab\\f.txt");
    open_and_close(u"\\Device\\LanmanRedirector\\mem\\lab\\f.txt");
}

static void test_the_redirector_judges_what_is_behind_the_share(void **state)
{
    HANDLE handle;

    assert_refused(u"\\??\\UNC\\mem\\lab\\missing", STATUS_OBJECT_NAME_NOT_FOUND);
    assert_refused(u"\\??\\UNC\\mem\\lab\\missing\\f.txt", STATUS_OBJECT_PATH_NOT_FOUND);
    assert_refused(u"\\??\\UNC\\mem\\lab\\a|b", STATUS_OBJECT_NAME_INVALID);
    assert_refused(u"\\??\\UNC\\mem\\lab\\dir", STATUS_FILE_IS_A_DIRECTORY);
    assert_refused(u"\\??\\UNC\\mem\\lab\\", STATUS_OBJECT_NAME_INVALID);
    for (int i = 0; i < 2; i++) {
        assert_status(lab_create(i ? u"\\??\\UNC\\mem\\lab\\" : u"\\??\\UNC\\mem\\lab", FILE_LIST_DIRECTORY,
                                 FILE_SHARE_READ, FILE_OPEN, FILE_DIRECTORY_FILE, &handle),
                      STATUS_SUCCESS);
        assert_status(NtClose(handle), STATUS_SUCCESS);
    }
}

static void test_a_relative_open_goes_on_from_a_unc_handle(void **state)
{
    UNICODE_STRING name = NT_STRING(u"g.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE directory, file;

    assert_status(lab_create(u"\\??\\UNC\\mem\\lab\\dir", FILE_LIST_DIRECTORY, FILE_SHARE_READ, FILE_OPEN,
                             FILE_DIRECTORY_FILE, &directory),
                  STATUS_SUCCESS);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, directory, NULL);
    assert_status(NtOpenFile(&file, FILE_READ_DATA, &attributes, &io_status, FILE_SHARE_READ, 0), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(NtClose(directory), STATUS_SUCCESS);
}

static void test_attributes_are_asked_for_by_unc_name(void **state)
{
    UNICODE_STRING name = NT_STRING(u"\\??\\UNC\\mem\\lab\\f.txt");
    FILE_NETWORK_OPEN_INFORMATION information = {0};
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_status(NtQueryFullAttributesFile(&attributes, &information), STATUS_SUCCESS);
    assert_int_equal(information.EndOfFile.QuadPart, strlen(LAB_TEXT));
}

/* MUP's own device, and names that lead to no share. */
static void test_names_without_a_share(void **state)
{
    UNICODE_STRING names[] = {NT_STRING(u""), NT_STRING(u"mem\\lab\\f.txt")};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE mup, handle;

    open_and_close(u"\\Device\\Mup");
    open_and_close(u"\\??\\UNC");
    assert_refused(u"\\??\\UNC\\", STATUS_BAD_NETWORK_PATH);
    assert_refused(u"\\??\\UNC\\mem", STATUS_BAD_NETWORK_PATH);
    assert_refused(u"\\??\\UNC\\mem\\", STATUS_BAD_NETWORK_PATH);
    assert_refused(u"\\??\\UNC\\\\lab\\f.txt", STATUS_BAD_NETWORK_PATH);
    assert_refused(u"\\??\\UNC\\mem\\mailslot\\m", STATUS_BAD_NETWORK_PATH);
    assert_refused(u"\\??\\UNC\\mem\\pipe\\p", STATUS_NOT_SUPPORTED);
    assert_refused(u"\\??\\UNC\\mem\\ipc$\\p", STATUS_NOT_SUPPORTED);

    assert_status(lab_open(u"\\Device\\Mup", &mup), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        InitializeObjectAttributes(&attributes, &names[i], OBJ_CASE_INSENSITIVE, mup, NULL);
        assert_status(NtOpenFile(&handle, FILE_READ_DATA, &attributes, &io_status, 0, 0),
                      STATUS_INVALID_DEVICE_REQUEST);
    }
    assert_status(NtClose(mup), STATUS_SUCCESS);
}

static void test_without_a_redirector_there_is_no_network_path(void **state)
{
    RdrStop();
    assert_refused(u"\\??\\UNC\\mem\\lab\\f.txt", STATUS_BAD_NETWORK_PATH);
    open_and_close(u"\\??\\X:\\f.txt"); /* letters bypass MUP */
}

static void test_the_longest_name_that_does_not_fit_behind_the_device(void **state)
{
    static WCHAR name[32766];
    const WCHAR prefix[] = u"\\Device\\Mup\\mem\\lab\\";
    HANDLE handle;

    memcpy(name, prefix, sizeof prefix);
    for (size_t i = sizeof prefix / sizeof(WCHAR) - 1; i < 32765; i++)
        name[i] = 'a';
    assert_status(lab_open(name, &handle), STATUS_NAME_TOO_LONG);
}

static void test_a_program_may_not_ask_for_prefixes(void **state)
{
    union {
        QUERY_PATH_REQUEST request;
        UCHAR room[offsetof(QUERY_PATH_REQUEST, FilePathName) + sizeof u"\\mem\\lab" - 2];
    } question = {.request = {.PathNameLength = sizeof u"\\mem\\lab" - 2}};
    static const struct {
        KPROCESSOR_MODE mode;
        ULONG input, output;
        NTSTATUS expected;
    } rows[] = {
        {KernelMode, sizeof question, sizeof(QUERY_PATH_RESPONSE), STATUS_SUCCESS},
        {UserMode, sizeof question, sizeof(QUERY_PATH_RESPONSE), STATUS_INVALID_DEVICE_REQUEST},
        {KernelMode, sizeof question - 2, sizeof(QUERY_PATH_RESPONSE), STATUS_INVALID_PARAMETER},
        {KernelMode, 8, sizeof(QUERY_PATH_RESPONSE), STATUS_INVALID_PARAMETER},
        {KernelMode, sizeof question, 2, STATUS_INVALID_PARAMETER},
    };

    memcpy(question.room + offsetof(QUERY_PATH_REQUEST, FilePathName), u"\\mem\\lab", sizeof u"\\mem\\lab" - 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        QUERY_PATH_RESPONSE response = {0};
        PIRP irp = IoAllocateIrp(1, FALSE);
        PIO_STACK_LOCATION stack = IoGetNextIrpStackLocation(irp);
        irp->Flags = IRP_SYNCHRONOUS_API;
        irp->RequestorMode = rows[i].mode;
        irp->UserBuffer = &response;
        stack->MajorFunction = IRP_MJ_DEVICE_CONTROL;
        stack->Parameters.DeviceIoControl.IoControlCode = IOCTL_REDIR_QUERY_PATH;
        stack->Parameters.DeviceIoControl.Type3InputBuffer = &question;
        stack->Parameters.DeviceIoControl.InputBufferLength = rows[i].input;
        stack->Parameters.DeviceIoControl.OutputBufferLength = rows[i].output;
        IoCallDriver(RdrDevice, irp);
        assert_status(irp->IoStatus.Status, rows[i].expected);
        assert_int_equal(response.LengthAccepted, NT_SUCCESS(rows[i].expected) ? sizeof u"\\mem\\lab" - 2 : 0);
        IoFreeIrp(irp);
    }
}

/* ---- several providers ---- */

static void test_the_file_is_opened_by_whoever_claims_it(void **state)
{
    struct provider *fake = load_fake(0, FALSE);

    claim(fake, u"\\other\\share");
    open_and_close(u"\\??\\UNC\\other\\share\\a\\b");
    assert_opened_as(fake, u"\\other\\share\\a\\b");
    open_and_close(u"\\??\\UNC\\other\\share");
    assert_opened_as(fake, u"\\other\\share");
    assert_int_equal(fake->opened, 2);
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt"); /* the redirector's: it registered first */
    assert_int_equal(fake->opened, 2);
}

static void test_all_are_asked_in_their_order_and_the_first_that_claims_has_it(void **state)
{
    struct provider *first = load_fake(0, FALSE), *second = load_fake(1, FALSE);

    claim(first, u"\\other\\share");
    claim(second, u"\\other\\share");
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    assert_int_equal(first->last, 1);
    assert_int_equal(second->last, 2);
    assert_int_equal(first->opened, 1);
    assert_int_equal(second->opened, 0);
}

static void test_a_claim_is_a_prefix_in_whole_components(void **state)
{
    static const ULONG wrong[] = {0, 1, 2, 5, 2 * 8, 2 * 11, 2 * 40, 0xffffffff};
    struct provider *fake = load_fake(0, FALSE);

    fake->answer = STATUS_SUCCESS;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fake->accepted = wrong[i];
        assert_refused(u"\\??\\UNC\\other\\share\\f", STATUS_BAD_NETWORK_PATH);
    }
    fake->accepted = sizeof u"\\other" - 2; /* a server as a whole */
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    open_and_close(u"\\??\\UNC\\OTHER\\second\\f");
    assert_int_equal(fake->asked, sizeof wrong / sizeof *wrong + 1);
}

/* Q281312: what a later provider says must not mask what says more. */
static void test_of_the_failures_the_one_that_says_most_is_returned(void **state)
{
    static const NTSTATUS rows[][3] = {
        {STATUS_LOGON_FAILURE, STATUS_BAD_NETWORK_NAME, STATUS_LOGON_FAILURE},
        {STATUS_BAD_NETWORK_NAME, STATUS_LOGON_FAILURE, STATUS_LOGON_FAILURE},
        {STATUS_ACCESS_DENIED, STATUS_BAD_NETWORK_PATH, STATUS_ACCESS_DENIED},
        {STATUS_LOGON_FAILURE, STATUS_ACCESS_DENIED, STATUS_LOGON_FAILURE},
        {STATUS_BAD_NETWORK_PATH, STATUS_BAD_NETWORK_NAME, STATUS_BAD_NETWORK_NAME},
        {STATUS_BAD_NETWORK_NAME, STATUS_INSUFFICIENT_RESOURCES, STATUS_INSUFFICIENT_RESOURCES},
        {STATUS_INVALID_PARAMETER, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER},
        {STATUS_REDIRECTOR_NOT_STARTED, STATUS_UNSUCCESSFUL, STATUS_REDIRECTOR_NOT_STARTED},
        {STATUS_IO_TIMEOUT, STATUS_NETWORK_BUSY, STATUS_NETWORK_BUSY}, /* neither is listed: the last */
    };
    struct provider *first, *second;

    RdrStop();
    assert_true(EmuOverrideDefect("Q281312=off"));
    first = load_fake(0, FALSE);
    second = load_fake(1, FALSE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        first->answer = rows[i][0];
        second->answer = rows[i][1];
        assert_refused(u"\\??\\UNC\\other\\share\\f", rows[i][2]);
    }
}

static void test_mailslots_are_for_those_who_have_them(void **state)
{
    struct provider *without = load_fake(0, FALSE), *with = load_fake(1, TRUE);

    claim(without, u"\\other\\mailslot");
    claim(with, u"\\other\\mailslot");
    open_and_close(u"\\??\\UNC\\other\\MailSlot\\m");
    assert_int_equal(without->asked, 0);
    assert_int_equal(with->opened, 1);
}

static void test_a_device_that_is_not_there_can_not_register(void **state)
{
    UNICODE_STRING name = NT_STRING(u"\\Device\\Nobody");
    HANDLE handle = (HANDLE)99;

    assert_status(FsRtlRegisterUncProvider(&handle, &name, FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_ptr_equal(handle, (HANDLE)99);
}

static void test_a_trace_says_that_mup_decided(void **state)
{
    PEMU_TRACE trace = NULL;
    HANDLE handle;

    load_fake(0, FALSE)->answer = STATUS_LOGON_FAILURE;
    assert_status(EmuTraceBegin(&trace), STATUS_SUCCESS);
    EmuTraceEnd(trace, lab_open(u"\\??\\UNC\\other\\share\\f", &handle));
    assert_status(trace->Status, STATUS_LOGON_FAILURE);
    assert_non_null(EmuTraceDecider(trace));
    assert_string_equal(EmuTraceDecider(trace)->Place->Layer, "Mup");
    assert_int_equal(EmuTraceKept(trace).Blocks, 0);
    EmuTraceFree(trace);
}

/* ---- the drives of a session's client ---- */

static void test_a_clients_drive_is_its_sessions(void **state)
{
    struct provider *fake;
    PEPROCESS process;

    lab_boot(&lab, "tse-sp5", 0);
    process = EmuCreateProcess(12);
    fake = load_fake(0, FALSE);
    claim(fake, u"\\Client#0\\C:");
    open_and_close(u"\\??\\UNC\\client\\C:\\f");
    assert_opened_as(fake, u"\\Client#0\\C:\\f");
    EmuEnterProcess(process);
    claim(fake, u"\\Client#12\\C:");
    open_and_close(u"\\??\\UNC\\Client\\C:");
    assert_opened_as(fake, u"\\Client#12\\C:");
    EmuEnterProcess(EmuSystemProcess());
    EmuDeleteProcess(process);
    unload_fake(fake);
    lab_shut_down(&lab, 0);
}

static void test_other_names_stay_as_they_are(void **state)
{
    struct provider *fake;

    lab_boot(&lab, "tse-sp5", 0);
    fake = load_fake(0, FALSE);
    claim(fake, u"\\Client\\share");
    open_and_close(u"\\??\\UNC\\Client\\share\\f");
    assert_opened_as(fake, u"\\Client\\share\\f");
    claim(fake, u"\\Clients\\C:");
    open_and_close(u"\\??\\UNC\\Clients\\C:\\f");
    assert_opened_as(fake, u"\\Clients\\C:\\f");
    unload_fake(fake);
    lab_shut_down(&lab, 0);
    lab_boot(&lab, "nt4-sp6", 0); /* no sessions, no clients */
    fake = load_fake(0, FALSE);
    claim(fake, u"\\Client\\C:");
    open_and_close(u"\\??\\UNC\\Client\\C:\\f");
    assert_opened_as(fake, u"\\Client\\C:\\f");
    unload_fake(fake);
    lab_shut_down(&lab, 0);
}

/* ---- the prefix table ---- */

static void test_a_prefix_is_known_for_a_quarter_of_an_hour(void **state)
{
    struct provider *fake = load_fake(0, FALSE);

    claim(fake, u"\\other\\share");
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    assert_int_equal(fake->asked, 1);
    open_and_close(u"\\??\\UNC\\Other\\SHARE\\g");
    let_pass(MUP_PREFIX_LIFETIME - 1);
    open_and_close(u"\\??\\UNC\\other\\share\\f"); /* does not prolong it */
    assert_int_equal(fake->asked, 1);
    let_pass(1);
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    assert_int_equal(fake->asked, 2);
    open_and_close(u"\\??\\UNC\\other\\share");
    assert_int_equal(fake->asked, 2);
}

static void test_another_share_is_another_prefix(void **state)
{
    struct provider *fake = load_fake(0, FALSE);

    claim(fake, u"\\other\\share");
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    open_and_close(u"\\??\\UNC\\other\\shar2\\f");
    claim(fake, u"\\other\\share2");
    open_and_close(u"\\??\\UNC\\other\\share2\\f");
    assert_int_equal(fake->asked, 3);
}

static void test_a_failure_is_not_remembered(void **state)
{
    struct provider *fake = load_fake(0, FALSE);

    assert_refused(u"\\??\\UNC\\other\\share\\f", STATUS_BAD_NETWORK_PATH);
    claim(fake, u"\\other\\share");
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    assert_int_equal(fake->asked, 2);
}

static void test_the_prefixes_of_a_provider_go_with_it(void **state)
{
    struct provider *first = load_fake(0, FALSE), *second = load_fake(1, FALSE);

    claim(first, u"\\other\\share");
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    claim(second, u"\\other\\share");
    deregister(first);
    open_and_close(u"\\??\\UNC\\other\\share\\f");
    assert_int_equal(first->opened, 1);
    assert_int_equal(second->opened, 1);
}

/* ---- connecting ---- */

static void boot_unmapped(const char *build)
{
    now = 1000;
    MupClock = test_clock;
    lab_boot_unmapped(&lab, build, 0);
    assert_status(smb_mem_add_share(lab.mem, "mem", 445, "two", FALSE), STATUS_SUCCESS);
}

static NTSTATUS use(ULONG letter, const WCHAR *remote)
{
    static const UNICODE_STRING user = NT_STRING(u"lab"), password = NT_STRING(u"secret");
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, remote);
    return EmuUseAdd(letter, &name, &user, &password);
}

/* \\mem\two has no file, but opens at its root. */
static NTSTATUS open_root(const WCHAR *name)
{
    HANDLE handle;
    NTSTATUS status = lab_create(name, FILE_LIST_DIRECTORY, FILE_SHARE_READ, FILE_OPEN, FILE_DIRECTORY_FILE, &handle);

    if (NT_SUCCESS(status))
        NtClose(handle);
    return status;
}

static void test_a_share_is_connected_as_who_is_connected_to_its_server(void **state)
{
    boot_unmapped("nt4-sp6");
    assert_refused(u"\\??\\UNC\\mem\\lab\\f.txt", STATUS_LOGON_FAILURE); /* anonymous: this server asks who it is */
    assert_status(use('X' - 'A', u"\\\\mem\\lab"), STATUS_SUCCESS);
    assert_status(open_root(u"\\??\\UNC\\mem\\two"), STATUS_SUCCESS);
    assert_status(open_root(u"\\Device\\LanmanRedirector\\mem\\two"), STATUS_SUCCESS);
    assert_refused(u"\\??\\UNC\\mem\\three\\f.txt", STATUS_BAD_NETWORK_NAME);
    assert_refused(u"\\??\\UNC\\nowhere\\lab\\f.txt", STATUS_BAD_NETWORK_PATH);
    lab_shut_down(&lab, 0);
}

/* The prefix table knows \\mem\lab for a while longer than the connection lives. */
static void test_a_known_prefix_whose_connection_went_connects_anew(void **state)
{
    boot_unmapped("nt4-sp6");
    assert_status(use('X' - 'A', u"\\\\mem\\lab"), STATUS_SUCCESS);
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    assert_status(EmuUseDelete('X' - 'A', TRUE), STATUS_SUCCESS);
    assert_status(use('Y' - 'A', u"\\\\mem\\two"), STATUS_SUCCESS);
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    lab_shut_down(&lab, 0);
}

/* Names are a session's on Terminal Server, and so is who one is to a server. */
static void test_a_connection_is_its_sessions(void **state)
{
    PEPROCESS first, second;

    boot_unmapped("tse-sp6");
    first = EmuCreateProcess(1);
    second = EmuCreateProcess(2);
    EmuEnterProcess(first);
    assert_status(use('X' - 'A', u"\\\\mem\\lab"), STATUS_SUCCESS);
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    EmuEnterProcess(second);
    assert_refused(u"\\??\\UNC\\mem\\lab\\f.txt", STATUS_LOGON_FAILURE);
    assert_status(use('X' - 'A', u"\\\\mem\\two"), STATUS_SUCCESS);
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    assert_status(EmuUseDelete('X' - 'A', TRUE), STATUS_SUCCESS);
    EmuEnterProcess(first);
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    assert_status(EmuUseDelete('X' - 'A', TRUE), STATUS_SUCCESS);
    EmuEnterProcess(EmuSystemProcess());
    EmuDeleteProcess(first);
    EmuDeleteProcess(second);
    lab_shut_down(&lab, 0);
}

/* ---- cancelling, memory, threads ---- */

struct opener {
    PEPROCESS process;
    NTSTATUS status;
};

static void *open_in_process(void *argument)
{
    struct opener *opener = argument;
    HANDLE handle;

    EmuEnterProcess(opener->process);
    opener->status = lab_open(u"\\??\\UNC\\other\\share\\f", &handle);
    if (NT_SUCCESS(opener->status))
        NtClose(handle);
    EmuEnterProcess(NULL);
    return NULL;
}

static void test_a_question_is_cancelled_with_the_create_that_asks(void **state)
{
    struct provider *first = load_fake(0, FALSE), *second = load_fake(1, FALSE);
    struct opener opener = {.process = EmuCreateProcess(0)};
    pthread_t thread;

    first->pend = TRUE;
    claim(second, u"\\other\\share");
    assert_int_equal(pthread_create(&thread, NULL, open_in_process, &opener), 0);
    KeWaitForSingleObject(&first->arrived, Executive, KernelMode, FALSE, NULL);
    EmuCancelProcessIo(opener.process);
    pthread_join(thread, NULL);
    assert_status(opener.status, STATUS_CANCELLED);
    assert_int_equal(second->asked, 0);
    open_in_process(&opener); /* it is dying: not even asked */
    assert_status(opener.status, STATUS_CANCELLED);
    assert_int_equal(first->asked, 1);
    EmuDeleteProcess(opener.process);
}

/* The redirector is connecting to a server that does not answer; another server's share is opened meanwhile. */
static void test_a_create_that_waits_for_a_connection_is_cancelled(void **state)
{
    struct opener opener;
    pthread_t thread;

    assert_status(smb_mem_add_share(lab.mem, "other", 445, "share", FALSE), STATUS_SUCCESS);
    opener.process = EmuCreateProcess(0);
    smb_fault_hold(lab.smb, SMB_TREE_CONNECT);
    assert_int_equal(pthread_create(&thread, NULL, open_in_process, &opener), 0);
    while (!smb_fault_held(lab.smb))
        sched_yield();
    open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
    EmuCancelProcessIo(opener.process);
    pthread_join(thread, NULL);
    assert_status(opener.status, STATUS_CANCELLED);
    smb_fault_release(lab.smb);
    EmuDeleteProcess(opener.process);
}

static void test_every_failing_allocation_leaves_nothing(void **state)
{
    ULONG64 before;
    HANDLE handle;

    for (int known = 0; known < 2; known++) {
        let_pass(MUP_PREFIX_LIFETIME);
        if (known)
            open_and_close(u"\\??\\UNC\\mem\\lab\\f.txt");
        else
            assert_refused(u"\\??\\UNC\\mem\\", STATUS_BAD_NETWORK_PATH); /* forgets the prefix */
        before = lab_live_blocks();
        for (unsigned n = 1;; n++) {
            NTSTATUS status;
            if (!known) {
                let_pass(MUP_PREFIX_LIFETIME);
                assert_refused(u"\\??\\UNC\\mem\\", STATUS_BAD_NETWORK_PATH);
            }
            EmuPoolFailAllocations(n, UINT64_MAX);
            status = lab_open(u"\\??\\UNC\\mem\\lab\\f.txt", &handle);
            EmuPoolFailAllocations(0, 0);
            if (NT_SUCCESS(status)) {
                assert_true(n > 5);
                NtClose(handle);
                break;
            }
            assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
            if (!known) {
                let_pass(MUP_PREFIX_LIFETIME);
                assert_refused(u"\\??\\UNC\\mem\\", STATUS_BAD_NETWORK_PATH);
            }
            assert_int_equal(lab_live_blocks(), before);
        }
    }
}

static void test_a_registration_without_memory_leaves_nothing(void **state)
{
    UNICODE_STRING device = NT_STRING(u"\\Device\\LanmanRedirector");
    ULONG64 before = lab_live_blocks();
    HANDLE handle;

    for (unsigned n = 1;; n++) {
        NTSTATUS status;
        EmuPoolFailAllocations(n, UINT64_MAX);
        status = FsRtlRegisterUncProvider(&handle, &device, FALSE);
        EmuPoolFailAllocations(0, 0);
        if (NT_SUCCESS(status))
            break;
        assert_status(status, STATUS_INSUFFICIENT_RESOURCES);
        assert_int_equal(lab_live_blocks(), before);
    }
    FsRtlDeregisterUncProvider(handle);
    assert_int_equal(lab_live_blocks(), before);
}

static void *open_often(void *argument)
{
    HANDLE handle;

    EmuEnterProcess(argument);
    for (int i = 0; i < 2000; i++) {
        NTSTATUS status = lab_open(i % 2 ? u"\\??\\UNC\\mem\\lab\\f.txt" : u"\\??\\UNC\\other\\share\\f", &handle);
        if (NT_SUCCESS(status))
            NtClose(handle);
        else
            assert_status(status, STATUS_BAD_NETWORK_PATH);
    }
    EmuEnterProcess(NULL);
    return NULL;
}

static void test_providers_come_and_go_while_names_are_opened(void **state)
{
    UNICODE_STRING device = NT_STRING(u"\\Device\\Fake0");
    struct provider *fake = load_fake(0, FALSE);
    PEPROCESS process = EmuCreateProcess(0);
    pthread_t threads[3];

    claim(fake, u"\\other\\share");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_often, process), 0);
    for (int i = 0; i < 200; i++) {
        deregister(fake);
        assert_status(FsRtlRegisterUncProvider(&fake->registration, &device, FALSE), STATUS_SUCCESS);
        let_pass(MUP_PREFIX_LIFETIME / 16);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    EmuDeleteProcess(process);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, shut_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_unc_name_opens_what_the_letter_opens),
        TEST(test_the_redirector_judges_what_is_behind_the_share),
        TEST(test_a_relative_open_goes_on_from_a_unc_handle),
        TEST(test_attributes_are_asked_for_by_unc_name),
        TEST(test_names_without_a_share),
        TEST(test_without_a_redirector_there_is_no_network_path),
        TEST(test_the_longest_name_that_does_not_fit_behind_the_device),
        TEST(test_a_program_may_not_ask_for_prefixes),
        TEST(test_the_file_is_opened_by_whoever_claims_it),
        TEST(test_all_are_asked_in_their_order_and_the_first_that_claims_has_it),
        TEST(test_a_claim_is_a_prefix_in_whole_components),
        TEST(test_of_the_failures_the_one_that_says_most_is_returned),
        TEST(test_mailslots_are_for_those_who_have_them),
        TEST(test_a_device_that_is_not_there_can_not_register),
        TEST(test_a_trace_says_that_mup_decided),
        cmocka_unit_test(test_a_clients_drive_is_its_sessions),
        cmocka_unit_test(test_other_names_stay_as_they_are),
        TEST(test_a_prefix_is_known_for_a_quarter_of_an_hour),
        TEST(test_another_share_is_another_prefix),
        TEST(test_a_failure_is_not_remembered),
        TEST(test_the_prefixes_of_a_provider_go_with_it),
        cmocka_unit_test(test_a_share_is_connected_as_who_is_connected_to_its_server),
        cmocka_unit_test(test_a_known_prefix_whose_connection_went_connects_anew),
        cmocka_unit_test(test_a_connection_is_its_sessions),
        TEST(test_a_create_that_waits_for_a_connection_is_cancelled),
        TEST(test_a_question_is_cancelled_with_the_create_that_asks),
        TEST(test_every_failing_allocation_leaves_nothing),
        TEST(test_a_registration_without_memory_leaves_nothing),
        TEST(test_providers_come_and_go_while_names_are_opened),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
