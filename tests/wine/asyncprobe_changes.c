/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asyncprobe_changes.c - claims about changes in a directory that are told. */
#include "asyncprobe.h"

#include <stdio.h>
#include <wchar.h>

#define NAMES (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME)

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

void claim_directory_changes(void)
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

/* A change is waited for together with messages, and with an event that is set meanwhile. */
void claim_changes_and_messages(void)
{
    DWORD(WINAPI * wait)
    (DWORD, const HANDLE *, BOOL, DWORD, DWORD) =
        (void *)GetProcAddress(LoadLibraryW(L"user32.dll"), "MsgWaitForMultipleObjects");
    HANDLE find = FindFirstChangeNotificationW(in_directory(L""), FALSE, NAMES),
           event = CreateEventW(NULL, TRUE, FALSE, NULL);

    CHECK(wait(1, &find, FALSE, 50, 0) == WAIT_TIMEOUT);
    CHECK(SignalObjectAndWait(event, find, 50, FALSE) == WAIT_TIMEOUT && await(event));
    make_file(L"a");
    CHECK(wait(1, &find, FALSE, PATIENCE, 0) == WAIT_OBJECT_0);
    CHECK(SignalObjectAndWait(event, find, 0, FALSE) == WAIT_OBJECT_0);
    CHECK(FindCloseChangeNotification(find) && DeleteFileW(in_directory(L"a")));
    CloseHandle(event);
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
void claim_synchronous_changes(void)
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

void child_watches(void)
{
    static _Alignas(4) char buffer[1024];
    static OVERLAPPED overlapped;
    HANDLE directory = open_directory(FILE_FLAG_OVERLAPPED);

    CHECK(begin_watch(directory, buffer, sizeof(buffer), &overlapped));
    CHECK(SetEvent(named_event(L"asyncprobe locked")));
    Sleep(INFINITE);
}

void claim_killed_while_it_watches(void)
{
    HANDLE begun = named_event(L"asyncprobe locked"), child = start_child(L"child", NULL);

    CHECK(await(begun));
    kill_child(child);
    make_file(L"a");
    CHECK(DeleteFileW(in_directory(L"a")));
}
