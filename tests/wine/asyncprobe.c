/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asyncprobe.exe - one claim about what may take its time on a mapped drive per run (letter.h), for test_async_wine.c.
 *
 * The share holds probe.txt ("rdrlab probe\n") and the folder dir.
 */
#include "asyncprobe.h"

#include <stdio.h>
#include <wchar.h>

HANDLE open_probe(DWORD flags)
{
    HANDLE file = CreateFileW(on_share(L"probe.txt"), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                              NULL, OPEN_EXISTING, flags, NULL);

    CHECK(file != INVALID_HANDLE_VALUE);
    return file;
}

HANDLE open_directory(DWORD flags)
{
    HANDLE directory =
        CreateFileW(on_share(L"dir"), FILE_LIST_DIRECTORY, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                    OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | flags, NULL);

    CHECK(directory != INVALID_HANDLE_VALUE);
    return directory;
}

const WCHAR *in_directory(const WCHAR *name)
{
    WCHAR path[64];

    _snwprintf(path, 64, L"dir\\%ls", name);
    return on_share(path);
}

bool lock_at(HANDLE file, DWORD flags, DWORD offset, DWORD length)
{
    OVERLAPPED overlapped = {.Offset = offset};

    return LockFileEx(file, flags, 0, length, 0, &overlapped);
}

bool read_at(HANDLE file, DWORD offset, DWORD length)
{
    char text[64];
    DWORD got;

    return SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN) == offset && ReadFile(file, text, length, &got, NULL);
}

bool write_at(HANDLE file, DWORD offset, DWORD length)
{
    static const char text[] = "rdrlab probe\n";
    DWORD done;

    return SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN) == offset &&
           WriteFile(file, text + offset, length, &done, NULL) && done == length;
}

HANDLE named_event(const WCHAR *name)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, name);

    CHECK(event != NULL);
    return event;
}

bool await(HANDLE object)
{
    return WaitForSingleObject(object, PATIENCE) == WAIT_OBJECT_0;
}

bool has_ended(const OVERLAPPED *overlapped)
{
    return WaitForSingleObject(overlapped->hEvent, 0) == WAIT_OBJECT_0;
}

void kill_child(HANDLE child)
{
    CHECK(TerminateProcess(child, 9) && await(child));
    CloseHandle(child);
}

HANDLE hold_lock(void)
{
    HANDLE file = open_probe(0);

    CHECK(LockFile(file, 0, 0, 4, 0));
    return file;
}

bool begin_lock(HANDLE file, OVERLAPPED *overlapped)
{
    return !LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 4, 0, overlapped) && GetLastError() == ERROR_IO_PENDING;
}

static const struct letter_claim claims[] = {
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
    {L"changes-and-messages", claim_changes_and_messages, NULL},
    {L"synchronous-changes", claim_synchronous_changes, NULL},
    {L"killed-while-it-watches", claim_killed_while_it_watches, child_watches},
    {L"slow-machine", claim_slow_machine, NULL},
    {L"slow-server", claim_slow_server, NULL},
};

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    return letter_main(argc, argv, claims, ARRAYSIZE(claims));
}
