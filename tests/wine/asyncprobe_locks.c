/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asyncprobe_locks.c - claims about byte-range locks, and requests that wait for one. */
#include "asyncprobe.h"

#ifndef ERROR_INVALID_LOCK_RANGE
#define ERROR_INVALID_LOCK_RANGE 307
#endif

/* ---- locks ---- */

void claim_locks(void)
{
    HANDLE a = open_probe(0), b = open_probe(0);

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

/* ---- locks that last ---- */

/* The child has the lock until it is told to give it back, or is killed. */
void child_holds(void)
{
    HANDLE file = open_probe(0);

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
    HANDLE file = open_probe(0);

    CHECK(lock_at(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4));
    CHECK(WaitForSingleObject(going, 0) == WAIT_OBJECT_0);
    CHECK(UnlockFile(file, 0, 0, 4, 0));
    CloseHandle(file);
    return 0;
}

/* A blocking lock is granted when the other process has unlocked, and not before. */
void claim_lock_waits(void)
{
    HANDLE locked = named_event(L"asyncprobe locked"), go = named_event(L"asyncprobe go"), child, thread;
    HANDLE file = open_probe(0);

    going = named_event(L"asyncprobe going");
    child = start_child(L"child", NULL);
    CHECK(await(locked));
    CHECK_ERROR(LockFile(file, 0, 0, 1, 0), ERROR_LOCK_VIOLATION);
    CHECK_ERROR(read_at(file, 0, 1), ERROR_LOCK_VIOLATION);
    thread = CreateThread(NULL, 0, wait_for_lock, NULL, 0, NULL);
    CHECK(WaitForSingleObject(thread, 100) == WAIT_TIMEOUT);
    CHECK(SetEvent(go) && await(thread));
    CHECK(end_child(child) == 0);
    CloseHandle(file);
}

/* ... or has been killed. */
void claim_lock_of_the_killed(void)
{
    HANDLE locked = named_event(L"asyncprobe locked"), child = start_child(L"child", NULL), thread;

    going = named_event(L"asyncprobe going");
    CHECK(await(locked));
    thread = CreateThread(NULL, 0, wait_for_lock, NULL, 0, NULL);
    CHECK(WaitForSingleObject(thread, 100) == WAIT_TIMEOUT);
    CHECK(SetEvent(going));
    kill_child(child);
    CHECK(await(thread));
}

void child_waits(void)
{
    HANDLE file = open_probe(0);

    CHECK(SetEvent(named_event(L"asyncprobe locked")));
    lock_at(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4);
}

/* Who is killed while he waits gets nothing, and is in nobody's way. */
void claim_killed_while_it_waits(void)
{
    HANDLE locked = named_event(L"asyncprobe locked"), file = open_probe(0), child;

    CHECK(LockFile(file, 0, 0, 4, 0));
    child = start_child(L"child", NULL);
    CHECK(await(locked));
    CHECK(WaitForSingleObject(child, 100) == WAIT_TIMEOUT);
    kill_child(child);
    CHECK(UnlockFile(file, 0, 0, 4, 0));
    CHECK(lock_at(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4));
    CloseHandle(file);
}

/* ---- overlapped requests ---- */

static void check_waiting(bool with_event)
{
    HANDLE holder = hold_lock(), file = open_probe(FILE_FLAG_OVERLAPPED);
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

void claim_overlapped_lock(void)
{
    check_waiting(true);
    check_waiting(false);
}

/* Who sees in the status block that a request has ended may begin the next one with it: that one's event is not set by
 * what ended. */
void claim_reuse(void)
{
    HANDLE holder = open_probe(0), file = open_probe(FILE_FLAG_OVERLAPPED);
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
void claim_cancel(void)
{
    HANDLE holder = hold_lock(), file = open_probe(FILE_FLAG_OVERLAPPED), thread;
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

static HANDLE in_vain;

static DWORD WINAPI lock_in_vain(void *parameter)
{
    SetEvent(parameter);
    return lock_at(in_vain, LOCKFILE_EXCLUSIVE_LOCK, 0, 4) ? 0 : GetLastError();
}

/* A thread that waits for a lock is woken by CancelSynchronousIo; one that is terminated does not keep it. */
void claim_synchronous_cancel(void)
{
    HANDLE holder = hold_lock(), begun = CreateEventW(NULL, FALSE, FALSE, NULL), thread;
    DWORD error = 0, tries = 0;

    in_vain = open_probe(0);
    thread = CreateThread(NULL, 0, lock_in_vain, begun, CREATE_SUSPENDED, NULL);
    CHECK_ERROR(CancelSynchronousIo(thread), ERROR_NOT_FOUND);
    CHECK(ResumeThread(thread) == 1);
    CHECK(await(begun));
    while (!CancelSynchronousIo(thread) && tries++ < PATIENCE)
        Sleep(1); /* it may not have got so far */
    CHECK(await(thread) && GetExitCodeThread(thread, &error) && error == ERROR_OPERATION_ABORTED);
    CloseHandle(thread);
    /* Whether the lock is free before or after it is known that the thread has ended. */
    for (DWORD later = 0; later <= 400; later += 400) {
        thread = CreateThread(NULL, 0, lock_in_vain, begun, 0, NULL);
        CHECK(await(begun));
        Sleep(100);
        CHECK(TerminateThread(thread, 0) && await(thread));
        Sleep(later);
        CHECK(UnlockFile(holder, 0, 0, 4, 0));
        for (tries = 0; !LockFile(holder, 0, 0, 4, 0) && tries < PATIENCE; tries++)
            Sleep(1);
        CHECK(tries < PATIENCE);
        CloseHandle(thread);
    }
    CloseHandle(holder);
    CloseHandle(in_vain);
}

/* More than can be handed over: those beyond wait within their service, and something else can still be done. */
static DWORD WINAPI lock_and_count(void *parameter)
{
    HANDLE file = open_probe(FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    DWORD bytes;

    if (LockFileEx(file, 0, 0, 4, 0, &overlapped) ||
        (GetLastError() == ERROR_IO_PENDING && GetOverlappedResult(file, &overlapped, &bytes, TRUE)))
        InterlockedIncrement(parameter);
    CloseHandle(file);
    CloseHandle(overlapped.hEvent);
    return 0;
}

void claim_many_wait(void)
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

void child_cancels_at_its_end(void)
{
    left_pending.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    left = open_probe(FILE_FLAG_OVERLAPPED);
    CHECK(begin_lock(left, &left_pending));
    CHECK(FlsSetValue(FlsAlloc(cancel_left), left));
}

void claim_cancel_while_it_ends(void)
{
    HANDLE holder = hold_lock(), cancelled = named_event(L"asyncprobe locked");

    CHECK(end_child(start_child(L"child", NULL)) == 0);
    CHECK(WaitForSingleObject(cancelled, 0) == WAIT_OBJECT_0);
    CloseHandle(holder);
}

void child_ends(void)
{
    static OVERLAPPED overlapped;
    HANDLE file = open_probe(FILE_FLAG_OVERLAPPED);

    overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    CHECK(begin_lock(file, &overlapped));
}

/* A process ends although requests of it are pending. */
void claim_end_while_pending(void)
{
    HANDLE holder = hold_lock();

    CHECK(end_child(start_child(L"child", NULL)) == 0);
    CHECK(UnlockFile(holder, 0, 0, 4, 0));
    CHECK(LockFile(holder, 0, 0, 4, 0));
    CloseHandle(holder);
}
