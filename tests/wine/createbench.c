/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createbench.exe - what opens on a mapped drive cost. An ordinary Win32 program, with the C runtime.
 *
 *   createbench LETTER: \\server\share fail FOLDER [ROUNDS [CALLS]]   failing CreateFile of the bare letter, against
 *                                                                    a missing name in an empty local folder, CALLS
 *                                                                    of each in turn (1: call by call)
 *   createbench LETTER: \\server\share open NAME SECONDS             open and close of an existing file
 *   createbench LETTER: \\server\share reopen NAME TIMES             close, then an exclusive open at once
 *   ... /user:NAME anywhere: the password is the first line of standard input
 *
 * Prints one line of fields:
 *   fail rounds=N calls=N letter_us=X local_us=X ratio=X      medians over the rounds; ratio: of the two medians
 *   open opens=N seconds=X rate=X
 *   reopen opens=N violations=N other=N us=X
 * Exit status: 0, 1 wrong usage, 2 not connected, 3 a call did what it must not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define UNICODE
#include <windows.h>
#include <winnetwk.h>

static double now(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER counter;

    if (!frequency.QuadPart)
        QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&counter);
    return (double)counter.QuadPart / (double)frequency.QuadPart;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static HANDLE open_file(const WCHAR *name, DWORD share)
{
    return CreateFileW(name, GENERIC_READ, share, NULL, OPEN_EXISTING, 0, NULL);
}

/* Microseconds per failing call; negative if one did not fail, or not as expected. */
static double time_failures(const WCHAR *name, int calls, DWORD expected)
{
    double start = now();

    for (int i = 0; i < calls; i++)
        if (open_file(name, FILE_SHARE_READ | FILE_SHARE_WRITE) != INVALID_HANDLE_VALUE || GetLastError() != expected)
            return -1;
    return (now() - start) * 1e6 / calls;
}

static int bench_fail(const WCHAR *letter, const WCHAR *folder, int rounds, int calls)
{
    double *on_letter = calloc((size_t)rounds, sizeof(double)), *local = calloc((size_t)rounds, sizeof(double));
    WCHAR missing[MAX_PATH], variable[] = {L'=', letter[0], L':', 0}, root[] = {letter[0], L':', L'\\', 0};
    double letter_us, local_us;

    if (!on_letter || !local || swprintf(missing, MAX_PATH, L"%ls\\missing", folder) < 0)
        return 1;
    SetEnvironmentVariableW(variable, root); /* where a bare letter leads */
    time_failures(letter, calls, ERROR_INVALID_NAME);
    time_failures(missing, calls, ERROR_FILE_NOT_FOUND);
    for (int i = 0; i < rounds; i++) {
        on_letter[i] = time_failures(letter, calls, ERROR_INVALID_NAME);
        local[i] = time_failures(missing, calls, ERROR_FILE_NOT_FOUND);
        if (on_letter[i] < 0 || local[i] < 0) {
            fprintf(stderr, "createbench: %ls opened, or failed otherwise than expected (error %lu)\n",
                    on_letter[i] < 0 ? letter : missing, GetLastError());
            return 3;
        }
    }
    letter_us = median(on_letter, rounds);
    local_us = median(local, rounds);
    printf("fail rounds=%d calls=%d letter_us=%.2f local_us=%.2f ratio=%.3f\n", rounds, calls, letter_us, local_us,
           letter_us / local_us);
    return 0;
}

static int bench_open(const WCHAR *name, double seconds)
{
    double start = now(), end = start;
    int opens = 0;

    while (end - start < seconds) {
        HANDLE file = open_file(name, FILE_SHARE_READ);

        if (file == INVALID_HANDLE_VALUE) {
            fprintf(stderr, "createbench: %ls did not open after %d times (error %lu)\n", name, opens, GetLastError());
            return 3;
        }
        CloseHandle(file);
        opens++;
        end = now();
    }
    printf("open opens=%d seconds=%.3f rate=%.0f\n", opens, end - start, opens / (end - start));
    return 0;
}

static int bench_reopen(const WCHAR *name, int times)
{
    int violations = 0, other = 0;
    double start = now();

    for (int i = 0; i < times; i++) {
        HANDLE file = open_file(name, 0);

        if (file != INVALID_HANDLE_VALUE)
            CloseHandle(file);
        else if (GetLastError() == ERROR_SHARING_VIOLATION)
            violations++;
        else
            other++;
    }
    printf("reopen opens=%d violations=%d other=%d us=%.2f\n", times, violations, other, (now() - start) * 1e6 / times);
    return violations || other ? 3 : 0;
}

static BOOL connect_letter(WCHAR *letter, WCHAR *remote, const WCHAR *user)
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = letter, .lpRemoteName = remote};
    WCHAR password[256] = L"";
    char line[256] = "";
    DWORD error;

    if (user) {
        if (!fgets(line, sizeof(line), stdin)) {
            fprintf(stderr, "createbench: /user needs the password as a line of standard input\n");
            return FALSE;
        }
        line[strcspn(line, "\r\n")] = '\0';
        MultiByteToWideChar(CP_UTF8, 0, line, -1, password, 256);
    }
    error = WNetAddConnection2W(&resource, user ? password : NULL, user, 0);
    if (error)
        fprintf(stderr, "createbench: %ls cannot be connected to %ls (error %lu)\n", letter, remote, error);
    return error == 0;
}

static int bench(int count, WCHAR **argv)
{
    WCHAR path[MAX_PATH];

    if (_wcsicmp(argv[3], L"fail") == 0) {
        int rounds = count > 5 ? _wtoi(argv[5]) : 0, calls = count > 6 ? _wtoi(argv[6]) : 0;

        return bench_fail(argv[1], argv[4], rounds > 0 ? rounds : 20000, calls > 0 ? calls : 1);
    }
    swprintf(path, MAX_PATH, L"%ls\\%ls", argv[1], argv[4]);
    if (_wcsicmp(argv[3], L"open") == 0)
        return bench_open(path, _wtof(argv[5]));
    if (_wcsicmp(argv[3], L"reopen") == 0)
        return bench_reopen(path, _wtoi(argv[5]));
    fprintf(stderr, "createbench: fail, open or reopen is meant, not %ls\n", argv[3]);
    return 1;
}

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    const WCHAR *user = NULL;
    int count = 1, status;
    DWORD error;

    for (int i = 1; i < argc; i++) {
        if (_wcsnicmp(argv[i], L"/user:", 6) == 0)
            user = argv[i] + 6;
        else
            argv[count++] = argv[i];
    }
    if (count < 5 || wcslen(argv[1]) != 2 || (_wcsicmp(argv[3], L"fail") != 0 && count < 6)) {
        fprintf(stderr, "usage: createbench LETTER: \\\\server\\share fail FOLDER [ROUNDS [CALLS]]\n"
                        "       createbench LETTER: \\\\server\\share open NAME SECONDS\n"
                        "       createbench LETTER: \\\\server\\share reopen NAME TIMES\n");
        return 1;
    }
    if (!connect_letter(argv[1], argv[2], user))
        return 2;
    status = bench(count, argv);
    error = WNetCancelConnection2W(argv[1], 0, FALSE);
    if (error)
        fprintf(stderr, "createbench: %ls cannot be disconnected (error %lu)\n", argv[1], error);
    return status;
}
