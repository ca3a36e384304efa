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
#include <wchar.h>

#define UNICODE
#include <windows.h>
#include <winnetwk.h>

#ifndef ERROR_INVALID_LOCK_RANGE
#define ERROR_INVALID_LOCK_RANGE 307
#endif

#define PATIENCE 20000 /* ms, for what must come */

static WCHAR letter[] = L"X:";
static const WCHAR *remote = L"";
static int failures;

static void failed(int line, const char *what, DWORD error)
{
    fprintf(stderr, "asyncprobe.c:%d: %s (error %lu)\n", line, what, error);
    failures++;
}

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        SetLastError(0xdead);                                                                                          \
        if (!(condition))                                                                                              \
            failed(__LINE__, #condition, GetLastError());                                                              \
    } while (0)

/* That a call fails, and with which error. */
#define CHECK_ERROR(call, expected)                                                                                    \
    do {                                                                                                               \
        DWORD error_;                                                                                                  \
        SetLastError(0xdead);                                                                                          \
        if (call)                                                                                                      \
            failed(__LINE__, #call " succeeded", 0);                                                                   \
        else if ((error_ = GetLastError()) != (DWORD)(expected))                                                       \
            failed(__LINE__, #call " fails, not with " #expected, error_);                                             \
    } while (0)

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

static HANDLE start_child(const WCHAR *claim)
{
    PROCESS_INFORMATION process;
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    WCHAR program[MAX_PATH], command[2 * MAX_PATH];

    GetModuleFileNameW(NULL, program, MAX_PATH);
    _snwprintf(command, ARRAYSIZE(command), L"\"%ls\" %ls %ls %ls child", program, claim, letter, remote);
    if (!CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process)) {
        failed(__LINE__, "no child", GetLastError());
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

/* ---- main ---- */

static const struct {
    const WCHAR *name;
    void (*run)(void);
    void (*child)(void); /* NULL: has none */
} claims[] = {
    {L"locks", claim_locks, NULL},
    {L"lock-waits", claim_lock_waits, child_holds},
    {L"lock-of-the-killed", claim_lock_of_the_killed, child_holds},
    {L"killed-while-it-waits", claim_killed_while_it_waits, child_waits},
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
            failed(__LINE__, "the letter is not connected", error);
        else
            (child ? claims[i].child : claims[i].run)();
        if (!child)
            WNetCancelConnection2W(letter, 0, TRUE);
        return failures ? 1 : 0;
    }
    fprintf(stderr, "usage: asyncprobe CLAIM LETTER: \\\\server\\share\n");
    return 2;
}
