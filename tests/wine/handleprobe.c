/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handleprobe.exe - one claim about handles of a mapped drive, how they go from process to process and how they end,
 * per run (letter.h), for test_handles_wine.c.
 *
 * The share holds probe.txt ("rdrlab probe\n") and the folder dir. A claim's child writes to the handle that it is
 * given.
 */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

#include "letter.h"

#define PROBE  "rdrlab probe\n"
#define LENGTH 13u

static HANDLE open_probe(DWORD flags)
{
    HANDLE file = CreateFileW(on_share(L"probe.txt"), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                              NULL, OPEN_EXISTING, flags, NULL);

    CHECK(file != INVALID_HANDLE_VALUE);
    return file;
}

static HANDLE new_file(const WCHAR *name, DWORD flags)
{
    HANDLE file = CreateFileW(on_share(name), GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, flags, NULL);

    CHECK(file != INVALID_HANDLE_VALUE);
    return file;
}

static bool reads_text(HANDLE file)
{
    char text[LENGTH];
    DWORD got;

    return SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 && ReadFile(file, text, LENGTH, &got, NULL) &&
           got == LENGTH && memcmp(text, PROBE, LENGTH) == 0;
}

/* ---- a child ---- */

struct child {
    HANDLE process;
    HANDLE from; /* what it writes to */
    HANDLE go;   /* what it waits for */
};

static void begin_child(struct child *child, void *environment)
{
    SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof(inheritable), .bInheritHandle = TRUE};
    WCHAR number[24];
    HANDLE to;

    CHECK(CreatePipe(&child->from, &to, &inheritable, 0));
    child->go = CreateEventW(NULL, TRUE, FALSE, L"handleprobe go");
    _snwprintf(number, ARRAYSIZE(number), L"%Iu", (ULONG_PTR)to);
    child->process = start_child(number, environment);
    CloseHandle(to);
}

static void expect_success(struct child *child)
{
    SetEvent(child->go);
    CHECK(end_child(child->process) == 0);
    CloseHandle(child->from);
    CloseHandle(child->go);
}

/* Of the child, and its own no longer. */
static HANDLE take_handle(const struct child *child, HANDLE *ret_there)
{
    HANDLE here = NULL;
    DWORD got;

    CHECK(ReadFile(child->from, ret_there, sizeof(*ret_there), &got, NULL) && got == sizeof(*ret_there));
    CHECK(DuplicateHandle(child->process, *ret_there, GetCurrentProcess(), &here, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    return here;
}

/* In the child: to be taken. */
static void offer(HANDLE handle)
{
    HANDLE to_parent = (HANDLE)(ULONG_PTR)wcstoul(argument, NULL, 10);
    HANDLE go = OpenEventW(SYNCHRONIZE, FALSE, L"handleprobe go");
    DWORD done;

    CHECK(WriteFile(to_parent, &handle, sizeof(handle), &done, NULL));
    CHECK(WaitForSingleObject(go, PATIENCE) == WAIT_OBJECT_0);
    CloseHandle(go);
}

/* ---- from process to process ---- */

/* A child has the letters also if its parent has made up an environment for it. */
static void claim_environment(void)
{
    WCHAR environment[64 + MAX_PATH] = L"NAME=value\0SystemRoot=";
    struct child child;

    GetWindowsDirectoryW(environment + wcslen(L"NAME=value") + 1 + wcslen(L"SystemRoot="), MAX_PATH);
    begin_child(&child, environment);
    expect_success(&child);
}

static void child_with_environment(void)
{
    WCHAR value[16] = L"";
    HANDLE file;

    CHECK(GetEnvironmentVariableW(L"NAME", value, 16) == 5 && wcscmp(value, L"value") == 0);
    file = open_probe(0);
    CHECK(reads_text(file));
    CloseHandle(file);
}

/* Of a handle that another process has taken away nothing is left: its value is that of whatever has it next. */
static void claim_taken(void)
{
    struct child child;
    HANDLE there, here;

    begin_child(&child, NULL);
    here = take_handle(&child, &there);
    CHECK(reads_text(here));
    expect_success(&child);
    CloseHandle(here);
}

static void child_is_taken_from(void)
{
    HANDLE file = open_probe(0), ends[16];
    char text[LENGTH];
    bool again = false;
    DWORD done;

    CHECK(reads_text(file));
    offer(file);
    for (unsigned i = 0; i < ARRAYSIZE(ends); i += 2) {
        CHECK(CreatePipe(&ends[i], &ends[i + 1], NULL, 0));
        again = again || ends[i] == file || ends[i + 1] == file;
        CHECK(WriteFile(ends[i + 1], "through a pipe", LENGTH, &done, NULL) && done == LENGTH);
        CHECK(ReadFile(ends[i], text, LENGTH, &done, NULL) && done == LENGTH &&
              memcmp(text, "through a pipe", LENGTH) == 0);
    }
    CHECK(again);
}

/* ... as it is of a redirected file's handle that the other process gives. */
static void claim_given(void)
{
    HANDLE file = open_probe(0), there, here, given = NULL;
    struct child child;

    begin_child(&child, NULL);
    here = take_handle(&child, &there);
    CHECK(DuplicateHandle(GetCurrentProcess(), file, child.process, &given, 0, FALSE, DUPLICATE_SAME_ACCESS));
    CHECK(given == there);
    expect_success(&child);
    CloseHandle(here);
    CloseHandle(file);
}

static void child_is_given(void)
{
    WCHAR path[MAX_PATH];
    HANDLE file;
    char text[2];
    DWORD got;

    GetModuleFileNameW(NULL, path, MAX_PATH);
    file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(ReadFile(file, text, 2, &got, NULL) && got == 2 && memcmp(text, "MZ", 2) == 0);
    offer(file);
    CHECK(reads_text(file));
    CloseHandle(file);
}

static bool starts_in(const WCHAR *directory, WCHAR *command)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;

    return CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, directory, &startup, &process);
}

/* Until it runs a child is as empty as Windows makes it; then it has the letters, and begins in its folder there, which
 * must be one. */
static void claim_suspended(void)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    WCHAR program[MAX_PATH], command[2 * MAX_PATH];
    PROCESS_INFORMATION process = {0};
    MEMORY_BASIC_INFORMATION memory;
    DWORD status = 0xdead;

    GetModuleFileNameW(NULL, program, MAX_PATH);
    _snwprintf(command, ARRAYSIZE(command), L"\"%ls\" suspended %ls %ls 0", program, letter, remote);
    CHECK(
        CreateProcessW(NULL, command, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, on_share(L"dir"), &startup, &process));
    CHECK(VirtualQueryEx(process.hProcess, GetModuleHandleW(L"kernel32"), &memory, sizeof(memory)) == sizeof(memory) &&
          memory.State == MEM_FREE);
    CHECK(ResumeThread(process.hThread) == 1);
    CHECK(WaitForSingleObject(process.hProcess, PATIENCE) == WAIT_OBJECT_0 &&
          GetExitCodeProcess(process.hProcess, &status) && status == 0);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    CHECK_ERROR(starts_in(on_share(L"none"), command), ERROR_DIRECTORY);
    CHECK_ERROR(starts_in(on_share(L"probe.txt"), command), ERROR_DIRECTORY);
}

static void child_begins(void)
{
    WCHAR directory[MAX_PATH];
    HANDLE file;

    CHECK(GetCurrentDirectoryW(MAX_PATH, directory) && wcscmp(directory, on_share(L"dir")) == 0);
    file = CreateFileW(L"..\\probe.txt", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(reads_text(file));
    CloseHandle(file);
}

/* ---- how handles end ---- */

static void check_packet(HANDLE port, OVERLAPPED *overlapped, DWORD error)
{
    OVERLAPPED *got = NULL;
    ULONG_PTR key = 0;
    DWORD bytes;
    DWORD found = GetQueuedCompletionStatus(port, &bytes, &key, &got, PATIENCE) ? 0 : GetLastError();

    CHECK(found == error);
    CHECK(key == 77 && got == overlapped);
}

/* Who closes a file with a request on it is told by the port what has become of that. */
static void claim_closed_while_it_waits(void)
{
    HANDLE holder = open_probe(0), file = open_probe(FILE_FLAG_OVERLAPPED);
    HANDLE port = CreateIoCompletionPort(file, NULL, 77, 0);
    OVERLAPPED overlapped = {0};

    CHECK(LockFile(holder, 0, 0, 4, 0));
    CHECK_ERROR(LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4, 0, &overlapped), ERROR_IO_PENDING);
    CHECK(CloseHandle(file));
    check_packet(port, &overlapped, ERROR_OPERATION_ABORTED);
    CloseHandle(holder);
    CloseHandle(port);
}

/* ... and after that the file is closed, whatever was waiting. */
static void claim_closed_at_once(void)
{
    for (int i = 0; i < 50; i++) {
        HANDLE holder = open_probe(0), file = open_probe(FILE_FLAG_OVERLAPPED);
        OVERLAPPED overlapped = {0};

        CHECK(LockFile(holder, 0, 0, 4, 0));
        CHECK_ERROR(LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4, 0, &overlapped), ERROR_IO_PENDING);
        CHECK(CloseHandle(file) && CloseHandle(holder));
        file = CreateFileW(on_share(L"probe.txt"), GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
        CHECK(file != INVALID_HANDLE_VALUE);
        CloseHandle(file);
    }
}

/* A handle that cannot be closed stays what it is. */
static void claim_protected(void)
{
    HANDLE file = new_file(L"protected", FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE);
    HANDLE port = CreateIoCompletionPort(file, NULL, 77, 0);
    OVERLAPPED overlapped = {0};
    HANDLE copy;

    CHECK(SetHandleInformation(file, HANDLE_FLAG_PROTECT_FROM_CLOSE, HANDLE_FLAG_PROTECT_FROM_CLOSE));
    CHECK_ERROR(CloseHandle(file), ERROR_INVALID_HANDLE);
    CHECK(GetFileSize(file, NULL) == 0);
    CHECK(DuplicateHandle(GetCurrentProcess(), file, GetCurrentProcess(), &copy, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    CHECK(CloseHandle(copy));
    CHECK(WriteFile(file, PROBE, LENGTH, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    check_packet(port, &overlapped, 0);
    CHECK(SetHandleInformation(file, HANDLE_FLAG_PROTECT_FROM_CLOSE, 0));
    CHECK(CloseHandle(file));
    CloseHandle(port);
}

/* Maps a new file and changes it through the mapping, of which the caller has the view. */
static char *map_and_change(HANDLE file, HANDLE *ret_section)
{
    char *view;
    DWORD done;

    CHECK(WriteFile(file, "............", LENGTH, &done, NULL));
    *ret_section = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    view = MapViewOfFile(*ret_section, FILE_MAP_WRITE, 0, 0, 0);
    CHECK(view != NULL);
    if (view)
        memcpy(view, PROBE, LENGTH);
    return view;
}

/* Nobody else has it open, and it is what was written. */
static void check_and_remove(const WCHAR *name)
{
    HANDLE file = CreateFileW(on_share(name), GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);

    CHECK(file != INVALID_HANDLE_VALUE && reads_text(file));
    CloseHandle(file);
    CHECK(DeleteFileW(on_share(name)));
}

/* A section that cannot be closed stays one, and what it is mapped by is written back. */
static void claim_protected_section(void)
{
    HANDLE file = new_file(L"kept", 0), section, copy;
    char *view = map_and_change(file, &section);

    CHECK(SetHandleInformation(section, HANDLE_FLAG_PROTECT_FROM_CLOSE, HANDLE_FLAG_PROTECT_FROM_CLOSE));
    CHECK_ERROR(CloseHandle(section), ERROR_INVALID_HANDLE);
    CHECK(DuplicateHandle(GetCurrentProcess(), section, GetCurrentProcess(), &copy, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    CHECK(CloseHandle(copy) && UnmapViewOfFile(view));
    CHECK((view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0)) != NULL);
    view[0] = '?';
    CHECK(FlushViewOfFile(view, 0) && !reads_text(file));
    view[0] = PROBE[0];
    CHECK(SetHandleInformation(section, HANDLE_FLAG_PROTECT_FROM_CLOSE, 0));
    CHECK(CloseHandle(section) && UnmapViewOfFile(view) && CloseHandle(file));
    check_and_remove(L"kept");
}

/* A section whose handle becomes another one ends with that. */
static void claim_section_moves(void)
{
    HANDLE file = new_file(L"section", 0), section, moved = NULL;
    char *view = map_and_change(file, &section);

    CHECK(DuplicateHandle(GetCurrentProcess(), section, GetCurrentProcess(), &moved, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    CHECK(UnmapViewOfFile(view) && CloseHandle(moved) && CloseHandle(file));
    check_and_remove(L"section");
}

/* A process that terminates itself ends as one that does it by the handle of another would, but loses nothing. */
static void claim_ends_itself(void)
{
    struct child child;

    begin_child(&child, NULL);
    expect_success(&child);
    check_and_remove(L"ended");
}

static void child_ends_itself(void)
{
    HANDLE process = OpenProcess(PROCESS_TERMINATE | PROCESS_QUERY_INFORMATION, FALSE, GetCurrentProcessId()), section;

    map_and_change(new_file(L"ended", 0), &section);
    if (!failures)
        TerminateProcess(process, 0);
}

/* ---- main ---- */

static const struct letter_claim claims[] = {
    {L"environment", claim_environment, child_with_environment},
    {L"taken", claim_taken, child_is_taken_from},
    {L"given", claim_given, child_is_given},
    {L"suspended", claim_suspended, child_begins},
    {L"closed-while-it-waits", claim_closed_while_it_waits, NULL},
    {L"closed-at-once", claim_closed_at_once, NULL},
    {L"protected", claim_protected, NULL},
    {L"protected-section", claim_protected_section, NULL},
    {L"section-moves", claim_section_moves, NULL},
    {L"ends-itself", claim_ends_itself, child_ends_itself},
};

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    return letter_main(argc, argv, claims, ARRAYSIZE(claims));
}
