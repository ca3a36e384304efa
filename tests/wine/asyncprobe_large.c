/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asyncprobe_large.c - claims about transfers of more than a message holds, and of pages. */
#include "asyncprobe.h"

#include <stdlib.h>

/* ---- more than a message holds ---- */

#define BLOCK  200000u
#define BLOCKS 6
#define WHOLE  5000000u /* more than the machine does at once, too */

static HANDLE open_large(DWORD access, DWORD disposition, DWORD flags)
{
    return CreateFileW(on_share(L"large.bin"), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                       disposition, flags, NULL);
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

void claim_large(void)
{
    claim_large_is_one();
    claim_large_and_locks();
    claim_large_comes_back();
}

/* ---- pages ---- */

void claim_pages(void)
{
    enum { PAGES = 20, PAGE = 4096 };
    FILE_SEGMENT_ELEMENT segments[PAGES + 1] = {{0}};
    unsigned char *memory = VirtualAlloc(NULL, PAGES * PAGE, MEM_COMMIT, PAGE_READWRITE), *again;
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    HANDLE file;
    DWORD bytes, i;

    file = CreateFileW(on_share(L"pages"), GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
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
    file = open_probe(0);
    CHECK_ERROR(ReadFileScatter(file, segments, PAGE, NULL, &overlapped), ERROR_INVALID_PARAMETER);
    CloseHandle(file);
}
