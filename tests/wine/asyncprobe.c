/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asyncprobe.exe - one claim about what may take its time on a mapped drive per run, for test_async_wine.c:
 *
 *   asyncprobe CLAIM LETTER: \\server\share [ARGUMENT]
 *
 * The share holds probe.txt ("rdrlab probe\n") and the folder dir. Exit status 0: the claim holds; 1: it does not, and
 * standard error says what; 2: no such claim.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define UNICODE
#define WIN32_NO_STATUS
#include <windows.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winnetwk.h>

#include "claim.h"

#ifndef ERROR_INVALID_LOCK_RANGE
#define ERROR_INVALID_LOCK_RANGE 307
#endif

#define PATIENCE 50000 /* ms, for what must come; the claim as a whole is given two minutes (claims.c) */

static WCHAR letter[] = L"X:";
static const WCHAR *remote = L"";

static HANDLE open_file(DWORD flags)
{
    WCHAR path[64];
    HANDLE file;

    _snwprintf(path, 64, L"%ls\\probe.txt", letter);
    file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING,
                       flags, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    return file;
}

static bool lock_at(HANDLE file, DWORD flags, DWORD offset, DWORD length)
{
    OVERLAPPED overlapped = {.Offset = offset};

    return LockFileEx(file, flags, 0, length, 0, &overlapped);
}

static bool read_at(HANDLE file, DWORD offset, DWORD length)
{
    char text[64];
    DWORD got;

    return SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN) == offset && ReadFile(file, text, length, &got, NULL);
}

static bool write_at(HANDLE file, DWORD offset, DWORD length)
{
    static const char text[] = "rdrlab probe\n";
    DWORD done;

    return SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN) == offset &&
           WriteFile(file, text + offset, length, &done, NULL) && done == length;
}

/* ---- other processes ---- */

/* Of the name that this run's children know. */
static HANDLE named_event(const WCHAR *name)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, name);

    CHECK(event != NULL);
    return event;
}

static bool await(HANDLE object)
{
    return WaitForSingleObject(object, PATIENCE) == WAIT_OBJECT_0;
}

/* Already: nobody waits for it. */
static bool has_ended(const OVERLAPPED *overlapped)
{
    return WaitForSingleObject(overlapped->hEvent, 0) == WAIT_OBJECT_0;
}

static HANDLE start_child(const WCHAR *claim)
{
    PROCESS_INFORMATION process;
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    WCHAR program[MAX_PATH], command[2 * MAX_PATH];

    GetModuleFileNameW(NULL, program, MAX_PATH);
    _snwprintf(command, ARRAYSIZE(command), L"\"%ls\" %ls %ls %ls child", program, claim, letter, remote);
    if (!CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process)) {
        failed(__FILE__, __LINE__, "no child", GetLastError());
        return NULL;
    }
    CloseHandle(process.hThread);
    return process.hProcess;
}

static void expect_success(HANDLE child)
{
    DWORD status = 0xdead;

    CHECK(await(child) && GetExitCodeProcess(child, &status) && status == 0);
    CloseHandle(child);
}

static void kill_child(HANDLE child)
{
    CHECK(TerminateProcess(child, 9) && await(child));
    CloseHandle(child);
}

/* ---- locks ---- */

static void claim_locks(void)
{
    HANDLE a = open_file(0), b = open_file(0);

    CHECK(LockFile(a, 4, 0, 4, 0));
    CHECK_ERROR(LockFile(b, 7, 0, 4, 0), ERROR_LOCK_VIOLATION);
    CHECK_ERROR(lock_at(b, LOCKFILE_FAIL_IMMEDIATELY, 0, 5), ERROR_LOCK_VIOLATION);
    CHECK(read_at(a, 0, 13) && write_at(a, 0, 13));
    CHECK_ERROR(read_at(b, 0, 5), ERROR_LOCK_VIOLATION);
    CHECK_ERROR(write_at(b, 7, 1), ERROR_LOCK_VIOLATION);
    CHECK(read_at(b, 0, 4) && write_at(b, 8, 4));
    CHECK_ERROR(UnlockFile(b, 4, 0, 4, 0), ERROR_NOT_LOCKED);
    CHECK_ERROR(UnlockFile(a, 4, 0, 3, 0), ERROR_NOT_LOCKED);
    CHECK(UnlockFile(a, 4, 0, 4, 0));
    CHECK_ERROR(UnlockFile(a, 4, 0, 4, 0), ERROR_NOT_LOCKED);
    CHECK(read_at(b, 0, 13) && write_at(b, 0, 13));

    CHECK(lock_at(a, LOCKFILE_FAIL_IMMEDIATELY, 0, 100) && lock_at(b, LOCKFILE_FAIL_IMMEDIATELY, 0, 100));
    CHECK(read_at(a, 0, 13) && read_at(b, 0, 13));
    CHECK_ERROR(write_at(a, 0, 1), ERROR_LOCK_VIOLATION);
    CHECK_ERROR(lock_at(a, LOCKFILE_FAIL_IMMEDIATELY | LOCKFILE_EXCLUSIVE_LOCK, 0, 1), ERROR_LOCK_VIOLATION);
    CloseHandle(b);
    CHECK(UnlockFile(a, 0, 0, 100, 0));
    CHECK(LockFile(a, 0xffffffff, 0x7fffffff, 0xffffffff, 0xffffffff & 0x7fffffff));
    CHECK_ERROR(LockFile(a, 0xffffffff, 0xffffffff, 2, 0), ERROR_INVALID_LOCK_RANGE);
    CloseHandle(a);
}

/* ---- more than a message holds ---- */

#define BLOCK  200000u
#define BLOCKS 6
#define WHOLE  5000000u /* more than the machine does at once, too */

static HANDLE open_large(DWORD access, DWORD disposition, DWORD flags)
{
    WCHAR path[64];

    _snwprintf(path, 64, L"%ls\\large.bin", letter);
    return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, disposition, flags,
                       NULL);
}

static DWORD WINAPI write_blocks(void *file)
{
    unsigned char *block = malloc(BLOCK);
    DWORD done;

    memset(block, (int)(GetCurrentThreadId() / 4 & 0xff), BLOCK);
    for (int i = 0; i < BLOCKS / 2; i++)
        CHECK(WriteFile(file, block, BLOCK, &done, NULL) && done == BLOCK);
    free(block);
    return 0;
}

/* Blocks of two threads lie one behind the other, whoever came first. */
static void expect_blocks(HANDLE a, HANDLE b)
{
    unsigned char *all = malloc(BLOCK * BLOCKS + 1);
    HANDLE threads[2], file;
    DWORD done;

    threads[0] = CreateThread(NULL, 0, write_blocks, a, 0, NULL);
    threads[1] = CreateThread(NULL, 0, write_blocks, b, 0, NULL);
    CHECK(WaitForMultipleObjects(2, threads, TRUE, 3 * PATIENCE) == WAIT_OBJECT_0);
    CloseHandle(threads[0]);
    CloseHandle(threads[1]);
    file = open_large(GENERIC_READ, OPEN_EXISTING, 0);
    CHECK(ReadFile(file, all, BLOCK * BLOCKS + 1, &done, NULL) && done == BLOCK * BLOCKS);
    for (DWORD i = 0; i < BLOCKS; i++)
        CHECK(memcmp(all + i * BLOCK, all + i * BLOCK + 1, BLOCK - 1) == 0);
    CloseHandle(file);
    free(all);
}

static void claim_large_is_one(void)
{
    HANDLE a = open_large(FILE_APPEND_DATA | SYNCHRONIZE, CREATE_ALWAYS, 0),
           b = open_large(FILE_APPEND_DATA | SYNCHRONIZE, OPEN_EXISTING, 0);

    expect_blocks(a, b);
    CloseHandle(a);
    CloseHandle(b);
    a = open_large(GENERIC_WRITE, CREATE_ALWAYS, 0);
    expect_blocks(a, a); /* one position */
    CloseHandle(a);
}

/* A range that is locked in part is not read or written in part. */
static void claim_large_and_locks(void)
{
    HANDLE a = open_large(GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS, 0),
           b = open_large(GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, 0);
    unsigned char *bytes = calloc(1, WHOLE), first = 0xff;
    DWORD done = 1;

    CHECK(WriteFile(a, bytes, BLOCK, &done, NULL) && done == BLOCK);
    CHECK(LockFile(a, 150000, 0, 1, 0));
    memset(bytes, 1, BLOCK);
    CHECK_ERROR(WriteFile(b, bytes, BLOCK, &done, NULL), ERROR_LOCK_VIOLATION);
    CHECK(done == 0 && SetFilePointer(b, 0, NULL, FILE_CURRENT) == 0);
    CHECK_ERROR(ReadFile(b, bytes, BLOCK, &done, NULL), ERROR_LOCK_VIOLATION);
    CHECK(done == 0 && SetFilePointer(b, 0, NULL, FILE_CURRENT) == 0);
    CHECK(ReadFile(b, &first, 1, &done, NULL) && done == 1 && first == 0);
    CHECK(UnlockFile(a, 150000, 0, 1, 0));
    CHECK(WriteFile(b, bytes, BLOCK, &done, NULL) && done == BLOCK);
    CloseHandle(a);
    CloseHandle(b);
    free(bytes);
}

static void claim_large_comes_back(void)
{
    HANDLE file = open_large(GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS, FILE_FLAG_OVERLAPPED);
    OVERLAPPED at = {.Offset = 3, .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    unsigned char *out = malloc(WHOLE), *in = malloc(WHOLE + 1);
    DWORD done = 0;

    for (DWORD i = 0; i < WHOLE; i++)
        out[i] = (unsigned char)(i * 7 + i / 251);
    CHECK(WriteFile(file, out, WHOLE, NULL, &at) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(file, &at, &done, TRUE) && done == WHOLE);
    CHECK(ReadFile(file, in, WHOLE + 1, NULL, &at) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(file, &at, &done, TRUE) && done == WHOLE && memcmp(in, out, WHOLE) == 0);
    at.Offset = WHOLE + 3 - 70000;
    CHECK(ReadFile(file, in, WHOLE, NULL, &at) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(file, &at, &done, TRUE) && done == 70000 && memcmp(in, out + WHOLE - 70000, 70000) == 0);
    CHECK_ERROR(WriteFile(file, (void *)16, 200000, NULL, &at), ERROR_NOACCESS);
    CloseHandle(file);
    CloseHandle(at.hEvent);
    free(out);
    free(in);
}

static void claim_large(void)
{
    claim_large_is_one();
    claim_large_and_locks();
    claim_large_comes_back();
}

/* ---- locks that last ---- */

/* The child has the lock until it is told to give it back, or is killed. */
static void child_holds(void)
{
    HANDLE file = open_file(0);

    CHECK(LockFile(file, 0, 0, 4, 0));
    CHECK(SetEvent(named_event(L"asyncprobe locked")));
    CHECK(await(named_event(L"asyncprobe go")));
    CHECK(SetEvent(named_event(L"asyncprobe going")));
    CHECK(UnlockFile(file, 0, 0, 4, 0));
    CloseHandle(file);
}

static HANDLE going;

static DWORD WINAPI wait_for_lock(void *parameter)
{
    HANDLE file = open_file(0);

    CHECK(lock_at(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4));
    CHECK(WaitForSingleObject(going, 0) == WAIT_OBJECT_0);
    CHECK(UnlockFile(file, 0, 0, 4, 0));
    CloseHandle(file);
    return 0;
}

/* A blocking lock is granted when the other process has unlocked, and not before. */
static void claim_lock_waits(void)
{
    HANDLE locked = named_event(L"asyncprobe locked"), go = named_event(L"asyncprobe go"), child, thread;
    HANDLE file = open_file(0);

    going = named_event(L"asyncprobe going");
    child = start_child(L"lock-waits");
    CHECK(await(locked));
    CHECK_ERROR(LockFile(file, 0, 0, 1, 0), ERROR_LOCK_VIOLATION);
    CHECK_ERROR(read_at(file, 0, 1), ERROR_LOCK_VIOLATION);
    thread = CreateThread(NULL, 0, wait_for_lock, NULL, 0, NULL);
    CHECK(WaitForSingleObject(thread, 100) == WAIT_TIMEOUT);
    CHECK(SetEvent(go) && await(thread));
    expect_success(child);
    CloseHandle(file);
}

/* ... or has been killed. */
static void claim_lock_of_the_killed(void)
{
    HANDLE locked = named_event(L"asyncprobe locked"), child = start_child(L"lock-of-the-killed"), thread;

    going = named_event(L"asyncprobe going");
    CHECK(await(locked));
    thread = CreateThread(NULL, 0, wait_for_lock, NULL, 0, NULL);
    CHECK(WaitForSingleObject(thread, 100) == WAIT_TIMEOUT);
    CHECK(SetEvent(going));
    kill_child(child);
    CHECK(await(thread));
}

static void child_waits(void)
{
    HANDLE file = open_file(0);

    CHECK(SetEvent(named_event(L"asyncprobe locked")));
    lock_at(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4);
}

/* Who is killed while he waits gets nothing, and is in nobody's way. */
static void claim_killed_while_it_waits(void)
{
    HANDLE locked = named_event(L"asyncprobe locked"), file = open_file(0), child;

    CHECK(LockFile(file, 0, 0, 4, 0));
    child = start_child(L"killed-while-it-waits");
    CHECK(await(locked));
    CHECK(WaitForSingleObject(child, 100) == WAIT_TIMEOUT);
    kill_child(child);
    CHECK(UnlockFile(file, 0, 0, 4, 0));
    CHECK(lock_at(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4));
    CloseHandle(file);
}

/* ---- overlapped requests ---- */

/* A lock that is in the way of every other at its place, until it is closed or unlocked. */
static HANDLE hold_lock(void)
{
    HANDLE file = open_file(0);

    CHECK(LockFile(file, 0, 0, 4, 0));
    return file;
}

static bool begin_lock(HANDLE file, OVERLAPPED *overlapped)
{
    return !LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4, 0, overlapped) && GetLastError() == ERROR_IO_PENDING;
}

static void check_waiting(bool with_event)
{
    HANDLE holder = hold_lock(), file = open_file(FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped = {.hEvent = with_event ? CreateEventW(NULL, TRUE, TRUE, NULL) : NULL};
    HANDLE object = with_event ? overlapped.hEvent : file;
    DWORD bytes;

    CHECK(begin_lock(file, &overlapped));
    CHECK(overlapped.Internal == STATUS_PENDING);
    CHECK(WaitForSingleObject(object, 50) == WAIT_TIMEOUT);
    CHECK(WaitForMultipleObjects(1, &object, TRUE, 0) == WAIT_TIMEOUT);
    CHECK_ERROR(GetOverlappedResult(file, &overlapped, &bytes, FALSE), ERROR_IO_INCOMPLETE);
    CHECK(UnlockFile(holder, 0, 0, 4, 0));
    CHECK(GetOverlappedResult(file, &overlapped, &bytes, TRUE) && overlapped.Internal == 0);
    CHECK(WaitForMultipleObjects(1, &object, FALSE, PATIENCE) == WAIT_OBJECT_0);
    CHECK_ERROR(LockFile(holder, 0, 0, 1, 0), ERROR_LOCK_VIOLATION);
    CHECK(UnlockFile(file, 0, 0, 4, 0));
    CloseHandle(file);
    CloseHandle(holder);
}

static void claim_overlapped_lock(void)
{
    check_waiting(true);
    check_waiting(false);
}

/* Who sees in the status block that a request has ended may begin the next one with it: that one's event is not set by
 * what ended. */
static void claim_reuse(void)
{
    HANDLE holder = open_file(0), file = open_file(FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    DWORD bytes;

    for (int i = 0; i < 200; i++) {
        CHECK(LockFile(holder, 0, 0, 4, 0) && begin_lock(file, &overlapped) && UnlockFile(holder, 0, 0, 4, 0));
        while (*(volatile ULONG_PTR *)&overlapped.Internal == STATUS_PENDING)
            ;
        CHECK(begin_lock(file, &overlapped)); /* its own is in its way */
        CHECK(WaitForSingleObject(overlapped.hEvent, 0) == WAIT_TIMEOUT && overlapped.Internal == STATUS_PENDING);
        CHECK(UnlockFile(file, 0, 0, 4, 0) && GetOverlappedResult(file, &overlapped, &bytes, TRUE));
        CHECK(UnlockFile(file, 0, 0, 4, 0));
    }
    CloseHandle(file);
    CloseHandle(holder);
}

static DWORD WINAPI begin_and_end(void *parameter)
{
    OVERLAPPED **overlapped = parameter;

    CHECK(begin_lock(*(HANDLE *)overlapped[0], overlapped[1]));
    return 0;
}

/* CancelIo ends the calling thread's requests, CancelIoEx one or all, closing the file those on it, the end of a thread
 * its own; and each completes as cancelled. */
static void claim_cancel(void)
{
    HANDLE holder = hold_lock(), file = open_file(FILE_FLAG_OVERLAPPED), thread;
    OVERLAPPED a = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    OVERLAPPED b = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    void *both[2] = {&file, &b};
    DWORD bytes;

    CHECK(CancelIo(file));
    CHECK_ERROR(CancelIoEx(file, NULL), ERROR_NOT_FOUND);
    CHECK(begin_lock(file, &a) && begin_lock(file, &b));
    CHECK_ERROR(CancelIoEx(file, (OVERLAPPED *)&bytes), ERROR_NOT_FOUND);
    CHECK(CancelIoEx(file, &a));
    CHECK_ERROR(GetOverlappedResult(file, &a, &bytes, TRUE), ERROR_OPERATION_ABORTED);
    CHECK_ERROR(GetOverlappedResult(file, &b, &bytes, FALSE), ERROR_IO_INCOMPLETE);
    CHECK(begin_lock(file, &a));
    CHECK(CancelIo(file));
    CHECK_ERROR(GetOverlappedResult(file, &a, &bytes, FALSE), ERROR_OPERATION_ABORTED);
    CHECK_ERROR(GetOverlappedResult(file, &b, &bytes, FALSE), ERROR_OPERATION_ABORTED);

    CHECK(begin_lock(file, &a));
    thread = CreateThread(NULL, 0, begin_and_end, both, 0, NULL);
    CHECK(await(thread) && await(b.hEvent));
    CHECK_ERROR(GetOverlappedResult(file, &b, &bytes, FALSE), ERROR_OPERATION_ABORTED);
    CHECK_ERROR(GetOverlappedResult(file, &a, &bytes, FALSE), ERROR_IO_INCOMPLETE);
    CloseHandle(file);
    CHECK(has_ended(&a) && (LONG)a.Internal == (LONG)STATUS_CANCELLED);
    CHECK(UnlockFile(holder, 0, 0, 4, 0) && LockFile(holder, 0, 0, 4, 0));
    CloseHandle(holder);
}

static DWORD WINAPI lock_in_vain(void *parameter)
{
    HANDLE file = open_file(0);
    DWORD error;

    SetEvent(parameter);
    error = lock_at(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4) ? 0 : GetLastError();
    CloseHandle(file);
    return error;
}

/* A thread that waits for a lock is woken by CancelSynchronousIo; one that is terminated does not get it later. */
static void claim_synchronous_cancel(void)
{
    HANDLE holder = hold_lock(), begun = CreateEventW(NULL, FALSE, FALSE, NULL), thread;
    DWORD error = 0, tries = 0;

    thread = CreateThread(NULL, 0, lock_in_vain, begun, CREATE_SUSPENDED, NULL);
    CHECK_ERROR(CancelSynchronousIo(thread), ERROR_NOT_FOUND);
    CHECK(ResumeThread(thread) == 1);
    CHECK(await(begun));
    while (!CancelSynchronousIo(thread) && tries++ < PATIENCE)
        Sleep(1); /* it may not have got so far */
    CHECK(await(thread) && GetExitCodeThread(thread, &error) && error == ERROR_OPERATION_ABORTED);
    thread = CreateThread(NULL, 0, lock_in_vain, begun, 0, NULL);
    CHECK(await(begun));
    Sleep(100);
    CHECK(TerminateThread(thread, 0) && await(thread));
    Sleep(400);
    CHECK(UnlockFile(holder, 0, 0, 4, 0));
    CHECK(LockFile(holder, 0, 0, 4, 0));
    CloseHandle(holder);
}

/* More than can be handed over: those beyond wait within their service, and something else can still be done. */
static DWORD WINAPI lock_and_count(void *parameter)
{
    HANDLE file = open_file(FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    DWORD bytes;

    if (LockFileEx(file, 0, 0, 4, 0, &overlapped) ||
        (GetLastError() == ERROR_IO_PENDING && GetOverlappedResult(file, &overlapped, &bytes, TRUE)))
        InterlockedIncrement(parameter);
    CloseHandle(file);
    CloseHandle(overlapped.hEvent);
    return 0;
}

static void claim_many_wait(void)
{
    HANDLE holder = hold_lock(), threads[50];
    LONG granted = 0;

    for (int i = 0; i < 50; i++)
        threads[i] = CreateThread(NULL, 65536, lock_and_count, &granted, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    Sleep(300);
    CHECK(read_at(holder, 0, 13) && granted == 0);
    CHECK(UnlockFile(holder, 0, 0, 4, 0));
    CHECK(WaitForMultipleObjects(50, threads, TRUE, PATIENCE) != WAIT_TIMEOUT);
    CHECK(granted == 50);
    CloseHandle(holder);
}

static HANDLE left; /* a child's, with a lock pending */
static OVERLAPPED left_pending;

/* What a thread keeps is given back as the process ends, like a DLL's: its other threads have been ended by then. */
static void NTAPI cancel_left(void *parameter)
{
    DWORD bytes;

    (void)parameter;
    if (CancelIo(left) && has_ended(&left_pending) && !GetOverlappedResult(left, &left_pending, &bytes, FALSE) &&
        GetLastError() == ERROR_OPERATION_ABORTED && CloseHandle(left))
        SetEvent(named_event(L"asyncprobe locked"));
}

static void child_cancels_at_its_end(void)
{
    left_pending.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    left = open_file(FILE_FLAG_OVERLAPPED);
    CHECK(begin_lock(left, &left_pending));
    CHECK(FlsSetValue(FlsAlloc(cancel_left), left));
}

static void claim_cancel_while_it_ends(void)
{
    HANDLE holder = hold_lock(), cancelled = named_event(L"asyncprobe locked");

    expect_success(start_child(L"cancel-while-it-ends"));
    CHECK(WaitForSingleObject(cancelled, 0) == WAIT_OBJECT_0);
    CloseHandle(holder);
}

static void child_ends(void)
{
    static OVERLAPPED overlapped;
    HANDLE file = open_file(FILE_FLAG_OVERLAPPED);

    overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    CHECK(begin_lock(file, &overlapped));
}

/* A process ends although requests of it are pending. */
static void claim_end_while_pending(void)
{
    HANDLE holder = hold_lock();

    expect_success(start_child(L"end-while-pending"));
    CHECK(UnlockFile(holder, 0, 0, 4, 0));
    CHECK(LockFile(holder, 0, 0, 4, 0));
    CloseHandle(holder);
}

/* ---- completion routines, ports, pages ---- */

static struct {
    DWORD error, bytes, thread;
    OVERLAPPED *overlapped;
    int calls;
} completed;

static VOID CALLBACK note_completion(DWORD error, DWORD bytes, OVERLAPPED *overlapped)
{
    completed.error = error;
    completed.bytes = bytes;
    completed.thread = GetCurrentThreadId();
    completed.overlapped = overlapped;
    completed.calls++;
}

static bool sleep_for_completion(void)
{
    return SleepEx(PATIENCE, TRUE) == WAIT_IO_COMPLETION && completed.thread == GetCurrentThreadId();
}

static void claim_completion_routines(void)
{
    HANDLE file = open_file(FILE_FLAG_OVERLAPPED);
    OVERLAPPED read = {.Offset = 7}, write = {.Offset = 0};
    char text[16] = "";

    CHECK(ReadFileEx(file, text, 5, &read, note_completion));
    CHECK(completed.calls == 0); /* not before the thread lets it */
    CHECK(sleep_for_completion() && completed.calls == 1 && completed.overlapped == &read);
    CHECK(completed.error == 0 && completed.bytes == 5 && memcmp(text, "probe", 5) == 0);
    CHECK(WriteFileEx(file, "rdrlab", 6, &write, note_completion));
    CHECK(sleep_for_completion() && completed.calls == 2 && completed.bytes == 6 && completed.overlapped == &write);
    read.Offset = 1000;
    CHECK_ERROR(ReadFileEx(file, text, 5, &read, note_completion), ERROR_HANDLE_EOF);
    CHECK(SleepEx(0, TRUE) == 0 && completed.calls == 2);
    CloseHandle(file);
}

static bool next_packet(HANDLE port, DWORD timeout, ULONG_PTR key, OVERLAPPED *overlapped, DWORD expected)
{
    OVERLAPPED *got = NULL;
    ULONG_PTR its_key = 0;
    DWORD bytes = 0;

    return GetQueuedCompletionStatus(port, &bytes, &its_key, &got, timeout) && its_key == key && got == overlapped &&
           bytes == expected;
}

static void claim_completion_port(void)
{
    HANDLE holder = hold_lock(), file = open_file(FILE_FLAG_OVERLAPPED), plain = open_file(0), copy;
    HANDLE port = CreateIoCompletionPort(file, NULL, 77, 0);
    OVERLAPPED a = {.Offset = 7}, b = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)}, *got;
    ULONG_PTR key;
    char text[16];
    DWORD bytes;

    CHECK(port != NULL);
    CHECK_ERROR(CreateIoCompletionPort(file, port, 78, 0), ERROR_INVALID_PARAMETER);
    CHECK_ERROR(CreateIoCompletionPort(plain, port, 78, 0), ERROR_INVALID_PARAMETER);
    CHECK_ERROR(ReadFileEx(file, text, 5, &a, note_completion), ERROR_INVALID_PARAMETER);
    CHECK(ReadFile(file, text, 5, NULL, &a) || GetLastError() == ERROR_IO_PENDING);
    CHECK(next_packet(port, PATIENCE, 77, &a, 5));
    /* An event with its low bit set wants no packet. */
    a.hEvent = (HANDLE)((ULONG_PTR)b.hEvent | 1);
    CHECK(ReadFile(file, text, 5, NULL, &a) || GetLastError() == ERROR_IO_PENDING);
    CHECK(await(b.hEvent));
    a.hEvent = NULL;
    /* By another handle of the same file object. */
    CHECK(DuplicateHandle(GetCurrentProcess(), file, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    CHECK(CloseHandle(file));
    CHECK(begin_lock(copy, &b));
    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &got, 50) && got == NULL);
    CHECK(UnlockFile(holder, 0, 0, 4, 0));
    CHECK(next_packet(port, PATIENCE, 77, &b, 0));
    CHECK(UnlockFile(copy, 0, 0, 4, 0) && LockFile(holder, 0, 0, 4, 0));
    CHECK(begin_lock(copy, &b) && CancelIoEx(copy, &b));
    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &got, PATIENCE) && GetLastError() == ERROR_OPERATION_ABORTED &&
          got == &b && key == 77);
    CHECK(SetFileCompletionNotificationModes(copy, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    if (ReadFile(copy, text, 5, NULL, &a))
        CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &got, 50) && got == NULL);
    CloseHandle(copy);
    CloseHandle(plain);
    CloseHandle(holder);
}

static void claim_pages(void)
{
    enum { PAGES = 20, PAGE = 4096 };
    FILE_SEGMENT_ELEMENT segments[PAGES + 1] = {{0}};
    unsigned char *memory = VirtualAlloc(NULL, PAGES * PAGE, MEM_COMMIT, PAGE_READWRITE), *again;
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    HANDLE file;
    WCHAR path[64];
    DWORD bytes, i;

    _snwprintf(path, 64, L"%ls\\pages", letter);
    file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                       FILE_FLAG_OVERLAPPED | FILE_FLAG_NO_BUFFERING | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    CHECK(file != INVALID_HANDLE_VALUE && memory);
    for (i = 0; i < PAGES * PAGE; i++)
        memory[i] = (unsigned char)(i * 31 >> 4);
    for (i = 0; i < PAGES; i++)
        segments[i].Buffer = memory + (PAGES - 1 - i) * PAGE; /* backwards */
    CHECK(WriteFileGather(file, segments, PAGES * PAGE, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(file, &overlapped, &bytes, TRUE) && bytes == PAGES * PAGE);
    again = VirtualAlloc(NULL, PAGES * PAGE, MEM_COMMIT, PAGE_READWRITE);
    for (i = 0; i < PAGES; i++)
        segments[i].Buffer = again + (PAGES - 1 - i) * PAGE;
    CHECK(ReadFileScatter(file, segments, PAGES * PAGE, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(file, &overlapped, &bytes, TRUE) && bytes == PAGES * PAGE);
    CHECK(memcmp(memory, again, PAGES * PAGE) == 0);
    CHECK(ReadFile(file, again, PAGE, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(file, &overlapped, &bytes, TRUE) &&
          memcmp(again, memory + (PAGES - 1) * PAGE, PAGE) == 0);
    CloseHandle(file);
    file = open_file(0);
    CHECK_ERROR(ReadFileScatter(file, segments, PAGE, NULL, &overlapped), ERROR_INVALID_PARAMETER);
    CloseHandle(file);
}

/* ---- changes in a directory ---- */

#define NAMES (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME)

static const WCHAR *in_directory(const WCHAR *name)
{
    static WCHAR paths[4][64];
    static int next;
    WCHAR *path = paths[next++ % 4];

    _snwprintf(path, 64, L"%ls\\dir%ls%ls", letter, name[0] ? L"\\" : L"", name);
    return path;
}

static HANDLE open_directory(DWORD flags)
{
    HANDLE directory =
        CreateFileW(in_directory(L""), FILE_LIST_DIRECTORY, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | flags, NULL);

    CHECK(directory != INVALID_HANDLE_VALUE);
    return directory;
}

static void make_file(const WCHAR *name)
{
    HANDLE file = CreateFileW(in_directory(name), GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);

    CHECK(file != INVALID_HANDLE_VALUE);
    CloseHandle(file);
}

/* Whether the changes are these, "+name" or "-name", ... each. */
static bool tells(const void *buffer, DWORD bytes, const WCHAR *expected)
{
    static const WCHAR signs[] = L"?+-*><";
    const FILE_NOTIFY_INFORMATION *entry = buffer;
    WCHAR told[256] = L"";

    for (; bytes; entry = (const void *)((const char *)entry + entry->NextEntryOffset)) {
        size_t at = wcslen(told);

        _snwprintf(told + at, 256 - at, L"%lc%.*ls", signs[entry->Action % 6],
                   (int)(entry->FileNameLength / sizeof(WCHAR)), entry->FileName);
        if (!entry->NextEntryOffset)
            break;
    }
    if (wcscmp(told, expected) != 0)
        fprintf(stderr, "told \"%ls\", not \"%ls\"\n", told, expected);
    return wcscmp(told, expected) == 0;
}

static bool begin_watch(HANDLE directory, void *buffer, DWORD size, OVERLAPPED *overlapped)
{
    return ReadDirectoryChangesW(directory, buffer, size, FALSE, NAMES, NULL, overlapped, NULL);
}

static void claim_directory_changes(void)
{
    static _Alignas(4) char buffer[4096];
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)}, bare = {0}, *got;
    HANDLE directory = open_directory(FILE_FLAG_OVERLAPPED), port, find;
    ULONG_PTR key;
    DWORD bytes;

    CHECK(begin_watch(directory, buffer, sizeof(buffer), &overlapped));
    CHECK_ERROR(GetOverlappedResult(directory, &overlapped, &bytes, FALSE), ERROR_IO_INCOMPLETE);
    make_file(L"a");
    CHECK(GetOverlappedResult(directory, &overlapped, &bytes, TRUE) && tells(buffer, bytes, L"+a"));
    /* What happens between two calls is told by the next one. */
    CHECK(MoveFileW(in_directory(L"a"), in_directory(L"b")));
    CHECK(begin_watch(directory, buffer, sizeof(buffer), &bare));
    CHECK(GetOverlappedResult(directory, &bare, &bytes, TRUE) && tells(buffer, bytes, L">a<b"));
    CHECK(begin_watch(directory, buffer, sizeof(buffer), &bare) && CancelIo(directory));
    CHECK_ERROR(GetOverlappedResult(directory, &bare, &bytes, TRUE), ERROR_OPERATION_ABORTED);
    CHECK(DeleteFileW(in_directory(L"b")));
    port = CreateIoCompletionPort(directory, NULL, 5, 0);
    CHECK(port && begin_watch(directory, buffer, sizeof(buffer), &bare));
    CHECK(GetQueuedCompletionStatus(port, &bytes, &key, &got, PATIENCE) && key == 5 && got == &bare &&
          tells(buffer, bytes, L"-b"));
    /* Too small a buffer: look for yourself. */
    CHECK(begin_watch(directory, buffer, 4, &overlapped));
    make_file(L"c");
    CHECK_ERROR(GetOverlappedResult(directory, &overlapped, &bytes, TRUE), ERROR_NOTIFY_ENUM_DIR);
    CHECK(overlapped.InternalHigh == 0);
    CHECK(begin_watch(directory, buffer, sizeof(buffer), &overlapped));
    CloseHandle(directory);
    CHECK(has_ended(&overlapped));

    find = FindFirstChangeNotificationW(in_directory(L""), FALSE, NAMES);
    CHECK(find != INVALID_HANDLE_VALUE && WaitForSingleObject(find, 50) == WAIT_TIMEOUT);
    CHECK(DeleteFileW(in_directory(L"c")));
    CHECK(await(find) && FindNextChangeNotification(find) && FindCloseChangeNotification(find));
}

static HANDLE watched;

static DWORD WINAPI watch_synchronously(void *parameter)
{
    static _Alignas(4) char buffer[1024];
    DWORD bytes;

    SetEvent(parameter);
    return ReadDirectoryChangesW(watched, buffer, sizeof(buffer), FALSE, NAMES, &bytes, NULL, NULL) &&
           tells(buffer, bytes, L"+a");
}

/* On a handle for synchronous I/O the call returns when something has changed. */
static void claim_synchronous_changes(void)
{
    HANDLE begun = CreateEventW(NULL, FALSE, FALSE, NULL), thread;
    DWORD told = 0;

    watched = open_directory(0);
    thread = CreateThread(NULL, 0, watch_synchronously, begun, 0, NULL);
    CHECK(await(begun));
    CHECK(WaitForSingleObject(thread, 500) == WAIT_TIMEOUT); /* and it watches by now */
    make_file(L"a");
    CHECK(await(thread) && GetExitCodeThread(thread, &told) && told);
    CHECK(DeleteFileW(in_directory(L"a")));
    CloseHandle(watched);
}

static void child_watches(void)
{
    static _Alignas(4) char buffer[1024];
    static OVERLAPPED overlapped;
    HANDLE directory = open_directory(FILE_FLAG_OVERLAPPED);

    CHECK(begin_watch(directory, buffer, sizeof(buffer), &overlapped));
    CHECK(SetEvent(named_event(L"asyncprobe locked")));
    Sleep(INFINITE);
}

static void claim_killed_while_it_watches(void)
{
    HANDLE begun = named_event(L"asyncprobe locked"), child = start_child(L"killed-while-it-watches");

    CHECK(await(begun));
    kill_child(child);
    make_file(L"a");
    CHECK(DeleteFileW(in_directory(L"a")));
}

/* ---- a machine that does not answer for a while: the test stops it when it reads "ready" ---- */

static void say(const char *line)
{
    printf("%s\n", line);
    fflush(stdout);
}

static void claim_slow_machine(void)
{
    enum { SIZE = 300000 };
    static char out[SIZE], in[SIZE];
    OVERLAPPED write = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)}, read = {.Offset = 7};
    HANDLE file = open_file(FILE_FLAG_OVERLAPPED), big;
    WCHAR path[64];
    char line[16];
    DWORD bytes;

    memset(out, 'x', SIZE);
    _snwprintf(path, 64, L"%ls\\big", letter);
    big = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                      FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    CHECK(big != INVALID_HANDLE_VALUE);
    say("ready");
    CHECK(fgets(line, sizeof(line), stdin));
    CHECK_ERROR(ReadFile(file, in, 5, NULL, &read), ERROR_IO_PENDING);
    CHECK_ERROR(WriteFile(big, out, SIZE, NULL, &write), ERROR_IO_PENDING);
    CHECK(WaitForSingleObject(write.hEvent, 0) == WAIT_TIMEOUT && WaitForSingleObject(file, 0) == WAIT_TIMEOUT);
    say("pending");
    CHECK(GetOverlappedResult(file, &read, &bytes, TRUE) && bytes == 5 && memcmp(in, "probe", 5) == 0);
    CHECK(GetOverlappedResult(big, &write, &bytes, TRUE) && bytes == SIZE);
    CHECK(ReadFile(big, in, SIZE, NULL, &write) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(big, &write, &bytes, TRUE) && bytes == SIZE && memcmp(in, out, SIZE) == 0);
    CloseHandle(big);
    CloseHandle(file);
}

/* ---- listing ---- */

typedef struct {
    LONG_PTR status;
    ULONG_PTR information;
} status_block;

typedef void(WINAPI *io_apc)(void *context, status_block *io, ULONG reserved);

typedef LONG(WINAPI *query_directory)(HANDLE file, HANDLE event, io_apc apc, void *context, status_block *io,
                                      void *buffer, ULONG length, int class, BOOLEAN single, void *pattern,
                                      BOOLEAN restart);

static struct {
    void *context;
    status_block *io;
} listed;

static void WINAPI note_listing(void *context, status_block *io, ULONG reserved)
{
    listed.context = context;
    listed.io = io;
}

/* Listing tells an APC, a port and an event of itself, though the service has the names when it returns. */
static void claim_listing(void)
{
    query_directory list =
        (query_directory)(void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryDirectoryFile");
    HANDLE directory = open_directory(FILE_FLAG_OVERLAPPED), event = CreateEventW(NULL, TRUE, FALSE, NULL), port;
    static ULONG_PTR names[128]; /* aligned */
    status_block io = {0};
    OVERLAPPED *overlapped;
    ULONG_PTR key;
    DWORD bytes;

    CHECK_STATUS(list(directory, NULL, note_listing, names, &io, names, sizeof(names), 1, TRUE, NULL, TRUE),
                 STATUS_SUCCESS);
    CHECK(!listed.io && io.status == STATUS_SUCCESS && io.information);
    CHECK(SleepEx(0, TRUE) == WAIT_IO_COMPLETION && listed.context == names && listed.io == &io);
    CHECK_STATUS(list(directory, event, NULL, NULL, &io, names, sizeof(names), 1, TRUE, NULL, FALSE), STATUS_SUCCESS);
    CHECK(WaitForSingleObject(event, 0) == WAIT_OBJECT_0);
    CHECK((port = CreateIoCompletionPort(directory, NULL, 7, 0)) != NULL);
    CHECK_STATUS(list(directory, NULL, NULL, &io, &io, names, sizeof(names), 1, TRUE, NULL, TRUE), STATUS_SUCCESS);
    CHECK(GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 0) && key == 7 && overlapped == (void *)&io &&
          bytes == io.information);
    CHECK_STATUS(list(directory, NULL, note_listing, names, &io, names, sizeof(names), 1, TRUE, NULL, TRUE),
                 STATUS_INVALID_PARAMETER);
    CloseHandle(directory);
    CloseHandle(event);
    CloseHandle(port);
}

/* ---- a server that does not answer for a while: the test stops it when it reads "ready" ---- */

static DWORD WINAPI read_in_vain(void *file)
{
    return read_at(file, 0, 5) ? 0 : GetLastError();
}

static DWORD WINAPI write_in_vain(void *file)
{
    return write_at(file, 0, 13) ? 0 : GetLastError();
}

static DWORD WINAPI open_in_vain(void *name)
{
    WCHAR path[64];
    HANDLE file;

    _snwprintf(path, 64, L"%ls\\%ls", letter, name);
    file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    CloseHandle(file);
    return 0;
}

static DWORD WINAPI look_in_vain(void *name)
{
    WCHAR path[64];

    _snwprintf(path, 64, L"%ls\\%ls", letter, name);
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES ? 0 : GetLastError();
}

static void cancel_thread(LPTHREAD_START_ROUTINE routine, void *parameter)
{
    HANDLE thread = CreateThread(NULL, 0, routine, parameter, 0, NULL);
    DWORD error = 0, tries = 0;

    /* It may not have got so far, and what does not wait for the server is done when it is cancelled. */
    while (WaitForSingleObject(thread, 1) == WAIT_TIMEOUT && tries++ < PATIENCE)
        CancelSynchronousIo(thread);
    CHECK(GetExitCodeThread(thread, &error) && error == ERROR_OPERATION_ABORTED);
    CloseHandle(thread);
}

/* Whatever a thread waits for ends, and the server goes on as if nothing had been. */
static void claim_slow_server(void)
{
    HANDLE file = open_file(0);
    char line[16];

    say("ready");
    CHECK(fgets(line, sizeof(line), stdin));
    cancel_thread(read_in_vain, file);
    cancel_thread(write_in_vain, file);
    cancel_thread(open_in_vain, L"other.txt");
    cancel_thread(look_in_vain, L"dir");
    say("cancelled");
    CHECK(fgets(line, sizeof(line), stdin));
    CHECK(read_at(file, 0, 13) && write_at(file, 0, 13));
    CHECK(open_in_vain(L"probe.txt") == 0 && open_in_vain(L"other.txt") == ERROR_FILE_NOT_FOUND);
    CloseHandle(file);
}

/* ---- main ---- */

static const struct {
    const WCHAR *name;
    void (*run)(void);
    void (*child)(void); /* NULL: has none */
} claims[] = {
    {L"locks", claim_locks, NULL},
    {L"large", claim_large, NULL},
    {L"lock-waits", claim_lock_waits, child_holds},
    {L"lock-of-the-killed", claim_lock_of_the_killed, child_holds},
    {L"killed-while-it-waits", claim_killed_while_it_waits, child_waits},
    {L"overlapped-lock", claim_overlapped_lock, NULL},
    {L"reuse", claim_reuse, NULL},
    {L"cancel", claim_cancel, NULL},
    {L"synchronous-cancel", claim_synchronous_cancel, NULL},
    {L"many-wait", claim_many_wait, NULL},
    {L"end-while-pending", claim_end_while_pending, child_ends},
    {L"cancel-while-it-ends", claim_cancel_while_it_ends, child_cancels_at_its_end},
    {L"completion-routines", claim_completion_routines, NULL},
    {L"completion-port", claim_completion_port, NULL},
    {L"listing", claim_listing, NULL},
    {L"pages", claim_pages, NULL},
    {L"directory-changes", claim_directory_changes, NULL},
    {L"synchronous-changes", claim_synchronous_changes, NULL},
    {L"killed-while-it-watches", claim_killed_while_it_watches, child_watches},
    {L"slow-machine", claim_slow_machine, NULL},
    {L"slow-server", claim_slow_server, NULL},
};

static DWORD map_letter(void)
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = letter, .lpRemoteName = (WCHAR *)remote};

    return WNetAddConnection2W(&resource, NULL, NULL, 0);
}

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    bool child = argc > 4;
    DWORD error;

    for (size_t i = 0; argc > 3 && i < ARRAYSIZE(claims); i++) {
        if (wcscmp(argv[1], claims[i].name) != 0)
            continue;
        letter[0] = argv[2][0];
        remote = argv[3];
        error = child ? 0 : map_letter();
        if (error)
            failed(__FILE__, __LINE__, "the letter is not connected", error);
        else
            (child ? claims[i].child : claims[i].run)();
        if (!child)
            WNetCancelConnection2W(letter, 0, TRUE);
        return failures ? 1 : 0;
    }
    fprintf(stderr, "usage: asyncprobe CLAIM LETTER: \\\\server\\share\n");
    return 2;
}
