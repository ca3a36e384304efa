/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asyncprobe_completion.c - claims about completion routines and ports. */
#include "asyncprobe.h"

/* ---- completion routines and ports ---- */

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

void claim_completion_routines(void)
{
    HANDLE file = open_probe(FILE_FLAG_OVERLAPPED);
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

void claim_completion_port(void)
{
    HANDLE holder = hold_lock(), file = open_probe(FILE_FLAG_OVERLAPPED), plain = open_probe(0), copy;
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
void claim_listing(void)
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
