/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filebench.exe - what reading, writing and listing in a folder cost. An ordinary Win32 program, with the C runtime.
 * The folder is one of a redirected drive or a local one; tests/bench/fileloop.c does the same with libsmbclient.
 *
 *   filebench FOLDER WHAT=COUNT...
 *     write=N    write N blocks of 64 KiB to a new file, one after the other
 *     read=N     read that file's first N blocks, one after the other
 *     random=N   read 4 KiB at N places of it
 *     list=N     list the folder "many", which must have N files, with their times and sizes
 *     small=N    open, read and close N files of it, one after the other
 *     unpack=N   make N files in folders of 50 as an archiver does: create, write, set the time, close, set attributes.
 *                Then, without being timed, the last one is looked at, and all are deleted
 *     remove=1   delete the file that was written
 *
 * Prints a line for each: "WHAT count=N seconds=X rate=X", the rate in MiB, reads, names or files a second.
 * Exit status: 0, 1 wrong usage, 3 a call did what it must not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define UNICODE
#include <windows.h>

#define BLOCK  65536u
#define SMALL  4096u
#define FILE_0 L"big.bin"

/* What is unpacked: sizes from 500 bytes to 6,800, as sources have them, and one time for all. */
#define IN_A_FOLDER      50
#define UNPACKED_SIZE(i) (500u + (unsigned)(i) % 64 * 100)
static const FILETIME unpacked_time = {0x2D566000, 0x01C4A7AE}; /* 2004-10-01 12:00:00 */

static WCHAR folder[MAX_PATH];
static unsigned char buffer[BLOCK];

static double now(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER counter;

    if (!frequency.QuadPart)
        QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&counter);
    return (double)counter.QuadPart / (double)frequency.QuadPart;
}

static int fail(const char *what)
{
    fprintf(stderr, "filebench: %s in %ls: error %lu\n", what, folder, GetLastError());
    return 3;
}

static void tell(const char *what, int count, double start, double amount)
{
    double seconds = now() - start;

    printf("%s count=%d seconds=%.3f rate=%.1f\n", what, count, seconds, amount / seconds);
}

static HANDLE open_big(DWORD access, DWORD disposition)
{
    WCHAR path[MAX_PATH];

    swprintf(path, MAX_PATH, L"%ls\\" FILE_0, folder);
    return CreateFileW(path, access, FILE_SHARE_READ, NULL, disposition, 0, NULL);
}

static int do_write(int blocks)
{
    HANDLE file = open_big(GENERIC_WRITE, CREATE_ALWAYS);
    double start = now();
    DWORD done;

    if (file == INVALID_HANDLE_VALUE)
        return fail("create");
    for (int i = 0; i < blocks; i++) {
        memset(buffer, i, 16); /* no two blocks alike */
        if (!WriteFile(file, buffer, BLOCK, &done, NULL) || done != BLOCK)
            return fail("write");
    }
    if (!CloseHandle(file))
        return fail("close");
    tell("write", blocks, start, blocks / 16.0);
    return 0;
}

static int do_read(int blocks)
{
    HANDLE file = open_big(GENERIC_READ, OPEN_EXISTING);
    double start = now();
    DWORD done;

    if (file == INVALID_HANDLE_VALUE)
        return fail("open");
    for (int i = 0; i < blocks; i++)
        if (!ReadFile(file, buffer, BLOCK, &done, NULL) || done != BLOCK || buffer[0] != (unsigned char)i)
            return fail("read");
    CloseHandle(file);
    tell("read", blocks, start, blocks / 16.0);
    return 0;
}

static int do_random(int count)
{
    HANDLE file = open_big(GENERIC_READ, OPEN_EXISTING);
    LARGE_INTEGER size;
    unsigned place = 1;
    double start;
    DWORD done;

    if (file == INVALID_HANDLE_VALUE || !GetFileSizeEx(file, &size))
        return fail("open");
    start = now();
    for (int i = 0; i < count; i++) {
        OVERLAPPED at = {0};

        place = place * 1664525 + 1013904223;
        at.Offset = (DWORD)((place >> 4) % (size.QuadPart / SMALL) * SMALL);
        if (!ReadFile(file, buffer, SMALL, &done, &at) || done != SMALL)
            return fail("read at random");
    }
    CloseHandle(file);
    tell("random", count, start, count);
    return 0;
}

static int do_list(int count)
{
    WIN32_FIND_DATAW found;
    double start = now();
    WCHAR path[MAX_PATH];
    int names = 0;
    HANDLE find;

    swprintf(path, MAX_PATH, L"%ls\\many\\*", folder);
    find = FindFirstFileW(path, &found);
    if (find == INVALID_HANDLE_VALUE)
        return fail("list");
    do
        names += found.cFileName[0] != L'.';
    while (FindNextFileW(find, &found));
    FindClose(find);
    if (names != count) {
        fprintf(stderr, "filebench: %d names in %ls\\many, and not %d\n", names, folder, count);
        return 3;
    }
    tell("list", count, start, count);
    return 0;
}

static int do_small(int count)
{
    double start = now();
    WCHAR path[MAX_PATH];
    HANDLE file;
    DWORD done;

    for (int i = 0; i < count; i++) {
        swprintf(path, MAX_PATH, L"%ls\\many\\f%05d", folder, i);
        file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
        if (file == INVALID_HANDLE_VALUE || !ReadFile(file, buffer, SMALL, &done, NULL) || !done)
            return fail("small file");
        CloseHandle(file);
    }
    tell("small", count, start, count);
    return 0;
}

/* Path of the i-th unpacked file, or with is_folder of the one that it is in; i below 0: the one that all are in. */
static const WCHAR *unpacked(int i, BOOL is_folder)
{
    static WCHAR path[MAX_PATH];

    if (i < 0)
        swprintf(path, MAX_PATH, L"%ls\\unpacked", folder);
    else if (is_folder)
        swprintf(path, MAX_PATH, L"%ls\\unpacked\\d%03d", folder, i / IN_A_FOLDER);
    else
        swprintf(path, MAX_PATH, L"%ls\\unpacked\\d%03d\\f%05d.txt", folder, i / IN_A_FOLDER, i);
    return path;
}

static BOOL unpack_file(int i)
{
    HANDLE file = CreateFileW(unpacked(i, FALSE), GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD done;
    BOOL ok;

    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    ok = WriteFile(file, buffer, UNPACKED_SIZE(i), &done, NULL) && done == UNPACKED_SIZE(i) &&
         SetFileTime(file, NULL, NULL, &unpacked_time);
    return CloseHandle(file) && ok && SetFileAttributesW(unpacked(i, FALSE), FILE_ATTRIBUTE_ARCHIVE);
}

static BOOL is_unpacked(int i)
{
    WIN32_FILE_ATTRIBUTE_DATA found;

    return GetFileAttributesExW(unpacked(i, FALSE), GetFileExInfoStandard, &found) &&
           found.nFileSizeLow == UNPACKED_SIZE(i) && (found.dwFileAttributes & FILE_ATTRIBUTE_ARCHIVE) &&
           CompareFileTime(&found.ftLastWriteTime, &unpacked_time) == 0;
}

static BOOL delete_unpacked(int count)
{
    BOOL ok = TRUE;

    for (int i = 0; i < count && ok; i++)
        ok = DeleteFileW(unpacked(i, FALSE));
    for (int i = 0; i < count && ok; i += IN_A_FOLDER)
        ok = RemoveDirectoryW(unpacked(i, TRUE));
    return ok && RemoveDirectoryW(unpacked(-1, TRUE));
}

static int do_unpack(int count)
{
    double start = now();

    if (!CreateDirectoryW(unpacked(-1, TRUE), NULL))
        return fail("folder");
    for (int i = 0; i < count; i++)
        if ((i % IN_A_FOLDER == 0 && !CreateDirectoryW(unpacked(i, TRUE), NULL)) || !unpack_file(i))
            return fail("unpack");
    tell("unpack", count, start, count);
    if (!is_unpacked(count - 1))
        return fail("what was unpacked");
    return delete_unpacked(count) ? 0 : fail("delete what was unpacked");
}

static int do_remove(int count)
{
    WCHAR path[MAX_PATH];

    swprintf(path, MAX_PATH, L"%ls\\" FILE_0, folder);
    return count && DeleteFileW(path) ? 0 : fail("delete");
}

static const struct {
    const WCHAR *name;
    int (*run)(int count);
} what[] = {
    {L"write", do_write}, {L"read", do_read},     {L"random", do_random}, {L"list", do_list},
    {L"small", do_small}, {L"unpack", do_unpack}, {L"remove", do_remove},
};

static int run(WCHAR *argument)
{
    WCHAR *equals = wcschr(argument, L'=');
    int count = equals ? _wtoi(equals + 1) : 0;

    for (size_t i = 0; count > 0 && i < sizeof(what) / sizeof(what[0]); i++)
        if (wcslen(what[i].name) == (size_t)(equals - argument) &&
            wcsncmp(argument, what[i].name, (size_t)(equals - argument)) == 0)
            return what[i].run(count);
    fprintf(stderr, "filebench: write=N, read=N, random=N, list=N, small=N, unpack=N or remove=1 is meant, not %ls\n",
            argument);
    return 1;
}

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    int status = 0;

    if (argc < 3 || wcslen(argv[1]) > MAX_PATH - 32) {
        fprintf(stderr, "usage: filebench FOLDER WHAT=COUNT...\n");
        return 1;
    }
    wcscpy(folder, argv[1]);
    for (int i = 2; i < argc && status == 0; i++)
        status = run(argv[i]);
    return status;
}
