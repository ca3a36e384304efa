/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte-range locks through the services of an open file: who may lock what, who must wait, and what locks forbid. */
#include "io/iop.h"
#include "lab.h"
#include "rdr/rdr.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define FILE_NAME u"\\??\\X:\\f.txt"
#define BOTH      (FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE)
#define SHARED    (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define EXCLUSIVE TRUE
#define AT_ONCE   TRUE

static HANDLE open_file(ULONG options)
{
    HANDLE handle;

    assert_status(lab_create(FILE_NAME, BOTH, SHARED, FILE_OPEN, FILE_NON_DIRECTORY_FILE | options, &handle),
                  STATUS_SUCCESS);
    return handle;
}

static NTSTATUS lock_by_key(HANDLE file, ULONGLONG offset, ULONGLONG length, BOOLEAN at_once, BOOLEAN exclusive,
                            ULONG key)
{
    LARGE_INTEGER start = {.QuadPart = (LONGLONG)offset}, count = {.QuadPart = (LONGLONG)length};
    IO_STATUS_BLOCK io_status;

    return NtLockFile(file, NULL, NULL, NULL, &io_status, &start, &count, &key, at_once, exclusive);
}

static NTSTATUS lock(HANDLE file, ULONGLONG offset, ULONGLONG length, BOOLEAN exclusive)
{
    return lock_by_key(file, offset, length, AT_ONCE, exclusive, 0);
}

static NTSTATUS unlock_by_key(HANDLE file, ULONGLONG offset, ULONGLONG length, ULONG key)
{
    LARGE_INTEGER start = {.QuadPart = (LONGLONG)offset}, count = {.QuadPart = (LONGLONG)length};
    IO_STATUS_BLOCK io_status;

    return NtUnlockFile(file, &io_status, &start, &count, &key);
}

static NTSTATUS unlock(HANDLE file, ULONGLONG offset, ULONGLONG length)
{
    return unlock_by_key(file, offset, length, 0);
}

static NTSTATUS read_by_key(HANDLE file, LONGLONG offset, ULONG length, ULONG key)
{
    LARGE_INTEGER at = {.QuadPart = offset};
    IO_STATUS_BLOCK io_status;
    char buffer[16];

    return NtReadFile(file, NULL, NULL, NULL, &io_status, buffer, length, &at, &key);
}

static NTSTATUS write_by_key(HANDLE file, LONGLONG offset, ULONG length, ULONG key)
{
    static const char text[] = LAB_TEXT;
    LARGE_INTEGER at = {.QuadPart = offset};
    IO_STATUS_BLOCK io_status;

    return NtWriteFile(file, NULL, NULL, NULL, &io_status, text + (offset > 0 ? offset : 0), length, &at, &key);
}

/* ---- ranges ---- */

/* What is already locked at 10, ten bytes long, by another file object; and whether another lock meets it. */
static void test_ranges_meet_where_they_have_a_byte_in_common(void **state)
{
    static const struct {
        ULONGLONG offset, length;
        BOOLEAN meets;
    } table[] = {
        {0, 10, FALSE},          {0, 11, TRUE},     {19, 1, TRUE},     {20, 1, FALSE},
        {12, 3, TRUE},           {0, 100, TRUE},    {10, 10, TRUE},    {10, 0, FALSE},
        {15, 0, TRUE},           {20, 0, FALSE},    {0, 0, FALSE},     {0, ~0ULL, TRUE},
        {20, ~0ULL - 20, FALSE}, {~0ULL, 1, FALSE}, {~0ULL, 0, FALSE}, {19, ~0ULL - 18, TRUE},
    };
    HANDLE a = open_file(0), b = open_file(0);

    assert_status(lock(a, 10, 10, EXCLUSIVE), STATUS_SUCCESS);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        NTSTATUS status = lock(b, table[i].offset, table[i].length, EXCLUSIVE);
        if (status != (table[i].meets ? STATUS_LOCK_NOT_GRANTED : STATUS_SUCCESS))
            fail_msg("row %zu: %s", i, status_name(status));
        if (NT_SUCCESS(status))
            assert_status(unlock(b, table[i].offset, table[i].length), STATUS_SUCCESS);
    }
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_a_range_ends_within_64_bits(void **state)
{
    HANDLE file = open_file(0);

    assert_status(lock(file, ~0ULL, 2, EXCLUSIVE), STATUS_INVALID_LOCK_RANGE);
    assert_status(lock(file, 2, ~0ULL, EXCLUSIVE), STATUS_INVALID_LOCK_RANGE);
    assert_status(lock(file, 1, ~0ULL, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static void test_an_empty_lock_shuts_its_place_within_others(void **state)
{
    HANDLE a = open_file(0), b = open_file(0);

    assert_status(lock(a, 10, 0, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock(b, 5, 10, EXCLUSIVE), STATUS_LOCK_NOT_GRANTED);
    assert_status(lock(b, 10, 10, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock(b, 0, 10, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock(b, 10, 0, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(read_by_key(b, 9, 2, 0), STATUS_FILE_LOCK_CONFLICT);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(read_by_key(b, 9, 2, 0), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

/* ---- owners ---- */

static void test_shared_locks_share_and_exclusive_ones_do_not(void **state)
{
    HANDLE a = open_file(0), b = open_file(0);

    assert_status(lock(a, 0, 4, !EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock(b, 0, 4, !EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock(b, 0, 4, EXCLUSIVE), STATUS_LOCK_NOT_GRANTED);
    assert_status(unlock(a, 0, 4), STATUS_SUCCESS);
    assert_status(lock(b, 0, 4, EXCLUSIVE), STATUS_LOCK_NOT_GRANTED); /* its own is in the way */
    assert_status(unlock(b, 0, 4), STATUS_SUCCESS);
    assert_status(lock(b, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock(b, 0, 4, EXCLUSIVE), STATUS_LOCK_NOT_GRANTED);
    assert_status(lock(a, 0, 4, !EXCLUSIVE), STATUS_LOCK_NOT_GRANTED);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_an_owner_adds_a_shared_lock_and_gives_back_the_exclusive_one_first(void **state)
{
    HANDLE a = open_file(0), b = open_file(0);

    assert_status(lock(a, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock(a, 0, 4, !EXCLUSIVE), STATUS_SUCCESS);
    assert_status(write_by_key(a, 0, 4, 0), STATUS_FILE_LOCK_CONFLICT);
    assert_status(read_by_key(a, 0, 4, 0), STATUS_SUCCESS);
    assert_status(lock(b, 0, 4, !EXCLUSIVE), STATUS_LOCK_NOT_GRANTED);
    assert_status(unlock(a, 0, 4), STATUS_SUCCESS);
    assert_status(lock(b, 0, 4, !EXCLUSIVE), STATUS_SUCCESS);
    assert_status(unlock(a, 0, 4), STATUS_SUCCESS);
    assert_status(unlock(a, 0, 4), STATUS_RANGE_NOT_LOCKED);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_only_the_same_range_and_key_are_unlocked(void **state)
{
    HANDLE a = open_file(0), b = open_file(0);

    assert_status(unlock(a, 0, 4), STATUS_RANGE_NOT_LOCKED);
    assert_status(lock_by_key(a, 0, 4, AT_ONCE, EXCLUSIVE, 7), STATUS_SUCCESS);
    assert_status(unlock(a, 0, 4), STATUS_RANGE_NOT_LOCKED);
    assert_status(unlock_by_key(a, 0, 3, 7), STATUS_RANGE_NOT_LOCKED);
    assert_status(unlock_by_key(a, 1, 4, 7), STATUS_RANGE_NOT_LOCKED);
    assert_status(unlock_by_key(b, 0, 4, 7), STATUS_RANGE_NOT_LOCKED);
    assert_status(unlock_by_key(a, 0, 4, 7), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_the_key_is_a_part_of_the_owner(void **state)
{
    HANDLE file = open_file(0);

    assert_status(lock_by_key(file, 0, 4, AT_ONCE, EXCLUSIVE, 7), STATUS_SUCCESS);
    assert_status(lock_by_key(file, 0, 4, AT_ONCE, !EXCLUSIVE, 8), STATUS_LOCK_NOT_GRANTED);
    assert_status(read_by_key(file, 0, 4, 8), STATUS_FILE_LOCK_CONFLICT);
    assert_status(read_by_key(file, 0, 4, 7), STATUS_SUCCESS);
    assert_status(write_by_key(file, 0, 4, 8), STATUS_FILE_LOCK_CONFLICT);
    assert_status(write_by_key(file, 0, 4, 7), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

/* Kernel handles are every process's; the lock is that of the process that took it. */
static void test_so_is_the_process(void **state)
{
    PEPROCESS process = EmuCreateProcess(0);
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name = NT_STRING(FILE_NAME);
    IO_STATUS_BLOCK io_status;
    HANDLE file;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    assert_status(NtCreateFile(&file, BOTH, &attributes, &io_status, NULL, 0, SHARED, FILE_OPEN, 0, NULL, 0),
                  STATUS_SUCCESS);
    assert_status(lock(file, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    EmuEnterProcess(process);
    assert_status(read_by_key(file, 0, 4, 0), STATUS_FILE_LOCK_CONFLICT);
    assert_status(unlock(file, 0, 4), STATUS_RANGE_NOT_LOCKED);
    assert_status(lock(file, 4, 4, EXCLUSIVE), STATUS_SUCCESS);
    EmuEnterProcess(NULL);
    assert_status(unlock(file, 0, 4), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS); /* the other process's lock goes with it */
    file = open_file(0);
    assert_status(lock(file, 0, 100, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
    EmuDeleteProcess(process);
}

static void test_a_handle_that_may_not_touch_data_locks_nothing(void **state)
{
    HANDLE file;

    assert_status(lab_create(FILE_NAME, FILE_READ_ATTRIBUTES, SHARED, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_status(lock(file, 0, 4, !EXCLUSIVE), STATUS_ACCESS_DENIED);
    assert_status(unlock(file, 0, 4), STATUS_ACCESS_DENIED);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(lab_create(FILE_NAME, FILE_READ_DATA, SHARED, FILE_OPEN, 0, &file), STATUS_SUCCESS);
    assert_status(lock(file, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_status(lab_create(u"\\??\\X:\\dir", FILE_LIST_DIRECTORY, SHARED, FILE_OPEN, FILE_DIRECTORY_FILE, &file),
                  STATUS_SUCCESS);
    assert_status(lock(file, 0, 4, EXCLUSIVE), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

/* ---- reading and writing ---- */

static void test_locks_are_mandatory_for_others(void **state)
{
    struct lab *lab = *state;
    HANDLE a = open_file(0), b = open_file(0);

    assert_int_equal(smb_mem_open_files(lab->mem), 1); /* one open at the server, two file objects */
    assert_status(lock(a, 4, 4, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(read_by_key(b, 0, 4, 0), STATUS_SUCCESS);
    assert_status(read_by_key(b, 0, 5, 0), STATUS_FILE_LOCK_CONFLICT);
    assert_status(write_by_key(b, 8, 4, 0), STATUS_SUCCESS);
    assert_status(write_by_key(b, 7, 1, 0), STATUS_FILE_LOCK_CONFLICT);
    assert_status(write_by_key(a, 0, 12, 0), STATUS_SUCCESS);
    assert_status(unlock(a, 4, 4), STATUS_SUCCESS);
    assert_status(lock(a, 4, 4, !EXCLUSIVE), STATUS_SUCCESS);
    assert_status(read_by_key(b, 0, 12, 0), STATUS_SUCCESS);
    assert_status(write_by_key(b, 4, 1, 0), STATUS_FILE_LOCK_CONFLICT);
    assert_status(write_by_key(a, 4, 1, 0), STATUS_FILE_LOCK_CONFLICT);
    assert_status(read_by_key(b, 4, 0, 0), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(write_by_key(b, 4, 1, 0), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

static void test_a_write_to_the_end_meets_the_locks_there(void **state)
{
    LARGE_INTEGER end = {.u = {FILE_WRITE_TO_END_OF_FILE, -1}};
    HANDLE a = open_file(0), b = open_file(0);
    IO_STATUS_BLOCK io_status;

    assert_status(lock(a, 12, 1, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(NtWriteFile(b, NULL, NULL, NULL, &io_status, "x", 1, &end, NULL), STATUS_FILE_LOCK_CONFLICT);
    assert_status(NtWriteFile(a, NULL, NULL, NULL, &io_status, "x", 1, &end, NULL), STATUS_SUCCESS);
    assert_status(NtWriteFile(b, NULL, NULL, NULL, &io_status, "x", 1, &end, NULL), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

/* ---- waiting ---- */

struct waiter {
    HANDLE file;
    ULONGLONG offset, length;
    BOOLEAN exclusive;
    PEPROCESS process; /* NULL: the test's own */
    ULONG number;      /* of the request */
    pthread_t thread;
    NTSTATUS status;
    LONG done; /* atomic */
};

static void *wait_for_lock(void *argument)
{
    struct waiter *w = argument;
    EMU_REQUEST request;

    EmuEnterProcess(w->process);
    EmuBeginRequest(&request, w->number);
    w->status = lock_by_key(w->file, w->offset, w->length, !AT_ONCE, w->exclusive, 0);
    EmuEndRequest(&request);
    EmuEnterProcess(NULL);
    __atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Until so many lock requests wait for the file. */
static void await_waiting(HANDLE file, unsigned count)
{
    PVOID object;

    assert_status(ObReferenceObjectByHandle(file, 0, *IoFileObjectType, KernelMode, &object, NULL), STATUS_SUCCESS);
    while (EmuFileLockWaiters(&((PFCB)((PFILE_OBJECT)object)->FsContext)->FileLock) != count)
        sched_yield();
    ObDereferenceObject(object);
}

static void begin(struct waiter *w, unsigned count)
{
    assert_int_equal(pthread_create(&w->thread, NULL, wait_for_lock, w), 0);
    await_waiting(w->file, count);
}

static void end(struct waiter *w, NTSTATUS expected)
{
    pthread_join(w->thread, NULL);
    assert_status(w->status, expected);
}

static void test_who_waits_gets_the_lock_when_it_is_free(void **state)
{
    HANDLE a = open_file(0), b = open_file(0);
    struct waiter waiter = {.file = b, .offset = 2, .length = 4, .exclusive = EXCLUSIVE};

    assert_status(lock(a, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    begin(&waiter, 1);
    assert_status(unlock(a, 0, 4), STATUS_SUCCESS);
    end(&waiter, STATUS_SUCCESS);
    assert_status(lock(a, 5, 1, !EXCLUSIVE), STATUS_LOCK_NOT_GRANTED);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
}

/* The first in the queue gets it, and who comes behind waits for that one; two that are shared go together. */
static void test_those_who_wait_are_served_in_their_order(void **state)
{
    HANDLE files[4] = {open_file(0), open_file(0), open_file(0), open_file(0)};
    struct waiter waiters[3] = {{.file = files[1], .length = 4, .exclusive = EXCLUSIVE},
                                {.file = files[2], .length = 4},
                                {.file = files[3], .length = 4}};

    assert_status(lock(files[0], 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    for (unsigned i = 0; i < 3; i++)
        begin(&waiters[i], i + 1);
    assert_status(unlock(files[0], 0, 4), STATUS_SUCCESS);
    end(&waiters[0], STATUS_SUCCESS);
    await_waiting(files[0], 2);
    assert_int_equal(__atomic_load_n(&waiters[1].done, __ATOMIC_ACQUIRE), 0);
    assert_status(NtClose(files[1]), STATUS_SUCCESS); /* closing unlocks as well */
    end(&waiters[1], STATUS_SUCCESS);
    end(&waiters[2], STATUS_SUCCESS);
    for (unsigned i = 0; i < 4; i++)
        if (i != 1)
            assert_status(NtClose(files[i]), STATUS_SUCCESS);
}

static void test_a_request_ends_with_the_last_handle_of_its_file(void **state)
{
    HANDLE a = open_file(0), b = open_file(0), c = open_file(0);
    struct waiter first = {.file = b, .length = 4, .exclusive = EXCLUSIVE}, second = first;

    second.file = c;
    assert_status(lock(a, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    begin(&first, 1);
    begin(&second, 2);
    assert_status(NtClose(b), STATUS_SUCCESS);
    end(&first, STATUS_CANCELLED);
    await_waiting(c, 1);
    assert_status(NtClose(a), STATUS_SUCCESS);
    end(&second, STATUS_SUCCESS);
    assert_status(NtClose(c), STATUS_SUCCESS);
}

/* A thread that has the file object still, and asks when another one has closed the last handle. */
static PIRP build_lock(PFILE_OBJECT file, UCHAR flags, PLARGE_INTEGER length)
{
    PIO_STACK_LOCATION stack;
    PIRP irp = IopBuildRequest(file, IRP_MJ_LOCK_CONTROL, &stack);

    assert_non_null(irp);
    stack->MinorFunction = IRP_MN_LOCK;
    stack->Flags = flags;
    stack->Parameters.LockControl.Length = length;
    return irp;
}

static NTSTATUS lock_file_object(PFILE_OBJECT file, UCHAR flags)
{
    LARGE_INTEGER length = {.QuadPart = 4};
    IO_STATUS_BLOCK io_status;

    return IopSend(file, build_lock(file, flags, &length), &io_status);
}

/* ... and got past the redirector's own look before. */
static void assert_locks_refuse(PFILE_OBJECT file)
{
    LARGE_INTEGER length = {.QuadPart = 4};
    PIRP irp = build_lock(file, 0, &length);
    FILE_LOCK locks;

    FsRtlInitializeFileLock(&locks, NULL, NULL);
    irp->CurrentLocation--; /* as IoCallDriver does */
    irp->Tail.Overlay.CurrentStackLocation--;
    assert_status(FsRtlProcessFileLock(&locks, irp, NULL), STATUS_FILE_CLOSED);
    FsRtlUninitializeFileLock(&locks);
    IoFreeIrp(irp);
}

static void test_a_lock_that_comes_behind_the_last_handle_is_none(void **state)
{
    HANDLE a = open_file(0), b = open_file(0);
    PVOID object;

    assert_status(ObReferenceObjectByHandle(a, 0, *IoFileObjectType, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(lock_file_object(object, SL_FAIL_IMMEDIATELY | SL_EXCLUSIVE_LOCK), STATUS_FILE_CLOSED);
    assert_status(lock(b, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    assert_status(lock_file_object(object, SL_EXCLUSIVE_LOCK), STATUS_FILE_CLOSED); /* nor does it wait */
    assert_locks_refuse(object);
    assert_status(NtClose(b), STATUS_SUCCESS);
    ObDereferenceObject(object);
}

/* However the two race: what is granted is given back. */
static void test_a_lock_that_races_with_the_last_handle_is_none_afterwards(void **state)
{
    HANDLE witness = open_file(0);

    for (int i = 0; i < 300; i++) {
        struct waiter waiter = {.file = open_file(0), .length = 4, .exclusive = EXCLUSIVE};
        assert_int_equal(pthread_create(&waiter.thread, NULL, wait_for_lock, &waiter), 0);
        for (int j = 0; j < i % 30; j++)
            sched_yield();
        assert_status(NtClose(waiter.file), STATUS_SUCCESS);
        pthread_join(waiter.thread, NULL);
        if (waiter.status != STATUS_INVALID_HANDLE && waiter.status != STATUS_FILE_CLOSED)
            assert_status(waiter.status, STATUS_SUCCESS);
        assert_status(lock(witness, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
        assert_status(unlock(witness, 0, 4), STATUS_SUCCESS);
    }
    assert_status(NtClose(witness), STATUS_SUCCESS);
}

static HANDLE open_kernel_file(void)
{
    UNICODE_STRING name = NT_STRING(FILE_NAME);
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE file;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    assert_status(NtCreateFile(&file, BOTH, &attributes, &io_status, NULL, 0, SHARED, FILE_OPEN, 0, NULL, 0),
                  STATUS_SUCCESS);
    return file;
}

static void test_the_requests_of_a_process_that_ends_are_cancelled(void **state)
{
    PEPROCESS process = EmuCreateProcess(0);
    HANDLE a = open_file(0), b = open_kernel_file();
    struct waiter waiter = {.file = b, .length = 4, .exclusive = EXCLUSIVE, .process = process};

    assert_status(lock(a, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    begin(&waiter, 1);
    EmuCancelProcessIo(process);
    end(&waiter, STATUS_CANCELLED);
    /* And what such a process asks for later does not begin to wait. */
    EmuEnterProcess(process);
    assert_status(lock_by_key(b, 0, 4, !AT_ONCE, EXCLUSIVE, 0), STATUS_CANCELLED);
    EmuEnterProcess(NULL);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
    EmuDeleteProcess(process);
}

static void test_one_request_is_cancelled_by_its_number(void **state)
{
    HANDLE a = open_file(0), b = open_file(0), c = open_file(0);
    struct waiter first = {.file = b, .length = 4, .exclusive = EXCLUSIVE, .number = 7}, second = first;
    PEPROCESS mine = PsGetCurrentProcess(), other = EmuCreateProcess(0);
    EMU_REQUEST request;

    second.number = 8;
    second.file = c;
    assert_status(lock(a, 0, 4, EXCLUSIVE), STATUS_SUCCESS);
    begin(&first, 1);
    begin(&second, 2);
    assert_status(EmuCancelRequestByNumber(mine, 9), STATUS_NOT_FOUND);
    assert_status(EmuCancelRequestByNumber(other, 7), STATUS_NOT_FOUND);
    assert_status(EmuCancelRequestByNumber(mine, 7), STATUS_SUCCESS);
    end(&first, STATUS_CANCELLED);
    assert_status(EmuCancelRequestByNumber(mine, 7), STATUS_NOT_FOUND);
    await_waiting(b, 1);
    assert_status(unlock(a, 0, 4), STATUS_SUCCESS);
    end(&second, STATUS_SUCCESS);
    /* A cancel that comes before the request has asked for anything is not lost. */
    EmuBeginRequest(&request, 7);
    assert_status(EmuCancelRequestByNumber(mine, 7), STATUS_SUCCESS);
    assert_status(lock_by_key(a, 0, 4, !AT_ONCE, EXCLUSIVE, 0), STATUS_CANCELLED);
    EmuEndRequest(&request);
    assert_status(NtClose(a), STATUS_SUCCESS);
    assert_status(NtClose(b), STATUS_SUCCESS);
    assert_status(NtClose(c), STATUS_SUCCESS);
    EmuDeleteProcess(other);
}

/* ---- grants and cancels that race ---- */

enum { RACERS = 3, ROUNDS = 300 };

struct racer {
    PEPROCESS process;
    HANDLE file;
    pthread_t thread;
    unsigned granted, cancelled;
};

static LONG holders; /* atomic: of the one range */

static void *race(void *argument)
{
    struct racer *r = argument;

    for (int i = 0; i < ROUNDS; i++) {
        NTSTATUS status;
        r->process = EmuCreateProcess(0);
        EmuEnterProcess(r->process);
        if (i % 3 == 0)
            EmuCancelProcessIo(r->process);
        status = lock_by_key(r->file, 0, 4, !AT_ONCE, EXCLUSIVE, 0);
        if (NT_SUCCESS(status)) {
            if (__atomic_add_fetch(&holders, 1, __ATOMIC_SEQ_CST) != 1)
                abort();
            __atomic_sub_fetch(&holders, 1, __ATOMIC_SEQ_CST);
            if (unlock(r->file, 0, 4) != STATUS_SUCCESS)
                abort();
            r->granted++;
        } else if (status == STATUS_CANCELLED) {
            r->cancelled++;
        }
        EmuEnterProcess(NULL);
        EmuDeleteProcess(r->process);
    }
    return NULL;
}

static void test_one_has_an_exclusive_lock_however_they_race(void **state)
{
    struct racer racers[RACERS] = {0};

    for (int i = 0; i < RACERS; i++) {
        racers[i].file = open_kernel_file();
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_int_equal(racers[i].granted + racers[i].cancelled, ROUNDS);
        assert_true(racers[i].granted >= ROUNDS - (ROUNDS + 2) / 3);
        assert_status(NtClose(racers[i].file), STATUS_SUCCESS);
    }
}

/* ---- the package by itself: what no service asks for ---- */

static unsigned told; /* of locks that went */

static void NTAPI count_unlocked(PVOID Context, PFILE_LOCK_INFO FileLockInfo)
{
    told += *(const unsigned *)Context;
}

static NTSTATUS NTAPI keep_irp(PVOID Context, PIRP Irp)
{
    return Irp->IoStatus.Status; /* its owner frees it */
}

static NTSTATUS control(PFILE_LOCK locks, PFILE_OBJECT file, UCHAR minor, LONGLONG offset, ULONG key)
{
    LARGE_INTEGER length = {.QuadPart = 4};
    PIRP irp = IoAllocateIrp(1, FALSE);
    unsigned weight = 1;
    NTSTATUS status;

    assert_non_null(irp);
    irp->CurrentLocation--;
    irp->Tail.Overlay.CurrentStackLocation--;
    *IoGetCurrentIrpStackLocation(irp) = (IO_STACK_LOCATION){
        .MajorFunction = IRP_MJ_LOCK_CONTROL,
        .MinorFunction = minor,
        .Flags = SL_EXCLUSIVE_LOCK | SL_FAIL_IMMEDIATELY,
        .Parameters.LockControl = {.Length = &length, .Key = key, .ByteOffset.QuadPart = offset},
        .FileObject = file,
    };
    status = FsRtlProcessFileLock(locks, irp, &weight);
    assert_status(irp->IoStatus.Status, status);
    IoFreeIrp(irp);
    return status;
}

static void test_all_locks_of_a_file_object_or_of_a_key_go_at_once(void **state)
{
    FILE_OBJECT a = {0}, b = {0};
    FILE_LOCK locks;

    told = 0;
    FsRtlInitializeFileLock(&locks, keep_irp, count_unlocked);
    assert_status(control(&locks, &a, IRP_MN_UNLOCK_ALL, 0, 0), STATUS_RANGE_NOT_LOCKED);
    for (ULONG i = 0; i < 6; i++)
        assert_status(control(&locks, i < 4 ? &a : &b, IRP_MN_LOCK, 10 * i, i % 2), STATUS_SUCCESS);
    assert_true(locks.FastIoIsQuestionable);
    assert_status(control(&locks, &b, IRP_MN_LOCK, 0, 0), STATUS_LOCK_NOT_GRANTED);
    assert_status(control(&locks, &a, IRP_MN_UNLOCK_ALL_BY_KEY, 0, 1), STATUS_SUCCESS);
    assert_int_equal(told, 2);
    assert_status(control(&locks, &a, IRP_MN_UNLOCK_SINGLE, 10, 1), STATUS_RANGE_NOT_LOCKED);
    assert_status(control(&locks, &a, IRP_MN_UNLOCK_ALL, 0, 0), STATUS_SUCCESS);
    assert_int_equal(told, 4);
    assert_status(control(&locks, &a, IRP_MN_LOCK, 0, 0), STATUS_SUCCESS);
    assert_status(control(&locks, &a, 0x7f, 0, 0), STATUS_INVALID_DEVICE_REQUEST);
    FsRtlUninitializeFileLock(&locks); /* frees three */
    FsRtlUninitializeFileLock(&locks);
}

static void test_a_lock_that_finds_no_pool_takes_none(void **state)
{
    HANDLE file = open_file(0);
    NTSTATUS status;
    ULONG64 n = 0;

    do {
        const ULONG64 before = lab_live_blocks();
        EmuPoolFailAllocations(++n, 1);
        status = lock(file, 0, 4, EXCLUSIVE);
        EmuPoolFailAllocations(0, 0);
        /* What the first lock of a file needs beside itself stays with the file. */
        if (!NT_SUCCESS(status))
            assert_int_equal(lab_live_blocks(), before + (n == 3));
    } while (status == STATUS_INSUFFICIENT_RESOURCES);
    assert_status(status, STATUS_SUCCESS);
    assert_int_equal(n, 4);
    assert_status(unlock(file, 0, 4), STATUS_SUCCESS);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_set_up, lab_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_ranges_meet_where_they_have_a_byte_in_common),
        TEST(test_a_range_ends_within_64_bits),
        TEST(test_an_empty_lock_shuts_its_place_within_others),
        TEST(test_shared_locks_share_and_exclusive_ones_do_not),
        TEST(test_an_owner_adds_a_shared_lock_and_gives_back_the_exclusive_one_first),
        TEST(test_only_the_same_range_and_key_are_unlocked),
        TEST(test_the_key_is_a_part_of_the_owner),
        TEST(test_so_is_the_process),
        TEST(test_a_handle_that_may_not_touch_data_locks_nothing),
        TEST(test_locks_are_mandatory_for_others),
        TEST(test_a_write_to_the_end_meets_the_locks_there),
        TEST(test_who_waits_gets_the_lock_when_it_is_free),
        TEST(test_those_who_wait_are_served_in_their_order),
        TEST(test_a_request_ends_with_the_last_handle_of_its_file),
        TEST(test_a_lock_that_comes_behind_the_last_handle_is_none),
        TEST(test_a_lock_that_races_with_the_last_handle_is_none_afterwards),
        TEST(test_the_requests_of_a_process_that_ends_are_cancelled),
        TEST(test_one_request_is_cancelled_by_its_number),
        TEST(test_one_has_an_exclusive_lock_however_they_race),
        TEST(test_all_locks_of_a_file_object_or_of_a_key_go_at_once),
        TEST(test_a_lock_that_finds_no_pool_takes_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
