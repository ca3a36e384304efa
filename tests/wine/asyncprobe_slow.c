/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asyncprobe_slow.c - claims about a machine and a server that do not answer for a while: the test stops them when it
 * reads "ready". */
#include "asyncprobe.h"

#include <stdio.h>
#include <wchar.h>

/* ---- the machine ---- */

static void say(const char *line)
{
    printf("%s\n", line);
    fflush(stdout);
}

void claim_slow_machine(void)
{
    enum { SIZE = 300000 };
    static char out[SIZE], in[SIZE];
    OVERLAPPED write = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)}, read = {.Offset = 7};
    HANDLE file = open_probe(FILE_FLAG_OVERLAPPED), big;
    char line[16];
    DWORD bytes;

    memset(out, 'x', SIZE);
    big = CreateFileW(on_share(L"big"), GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
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

/* ---- the server ---- */

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
    HANDLE file =
        CreateFileW(on_share(name), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    CloseHandle(file);
    return 0;
}

static DWORD WINAPI look_in_vain(void *name)
{
    return GetFileAttributesW(on_share(name)) != INVALID_FILE_ATTRIBUTES ? 0 : GetLastError();
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
void claim_slow_server(void)
{
    HANDLE file = open_probe(0);
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
