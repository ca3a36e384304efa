/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createtable.exe - Win32 calls that a test orders one by one, for test_create_wine.c. An order is a line of standard
 * input, its answer a line of standard output, "ERROR 1" if the call succeeded and "ERROR 0" if it failed, where ERROR
 * is GetLastError() afterwards. Numbers are hexadecimal in orders, NAME is a name's UTF-16 units, four digits each.
 *
 *   connect LETTER: \\server\share USER PASSWORD
 *   file NAME ACCESS SHARE CREATION FLAGS INHERIT   CreateFileW, and CloseHandle at once
 *   folder NAME                                     CreateDirectoryW
 *   hold NAME ACCESS SHARE FLAGS                    CreateFileW with OPEN_EXISTING, which stays open
 *   delete                                          what was held last shall be deleted
 *   status STATUS                                   RtlNtStatusToDosError: its answer is the ERROR
 *   settle                                          close all that is held, and wait until the server has done so
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define UNICODE
#include <windows.h>
#include <winnetwk.h>
#include <winternl.h>

#define NAME_UNITS 33000
#define HELD_MAX   8

static char line[NAME_UNITS * 4 + 128];
static HANDLE held[HELD_MAX];
static int held_count;
static WCHAR roots[HELD_MAX][4]; /* of the letters connected */
static int root_count;

static char *next_word(void)
{
    return strtok(NULL, " ");
}

static DWORD next_number(void)
{
    const char *word = next_word();

    return word ? (DWORD)strtoul(word, NULL, 16) : 0;
}

/* One buffer. An empty name is given as "-". */
static const WCHAR *next_name(void)
{
    static WCHAR name[NAME_UNITS];
    const char *word = next_word();
    size_t length = 0;

    for (; word && strlen(word) >= 4 && length < NAME_UNITS - 1; word += 4) {
        char digits[5] = {word[0], word[1], word[2], word[3], 0};

        name[length++] = (WCHAR)strtoul(digits, NULL, 16);
    }
    name[length] = 0;
    return name;
}

static const WCHAR *next_wide(WCHAR *buffer, int size)
{
    const char *word = next_word();

    buffer[0] = 0;
    if (word)
        MultiByteToWideChar(CP_UTF8, 0, word, -1, buffer, size);
    return buffer;
}

static void answer(BOOL success, DWORD error)
{
    printf("%lu %d\n", error, success ? 1 : 0);
    fflush(stdout);
}

static void order_connect(void)
{
    WCHAR letter[8], remote[128], user[64], password[64];
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = letter, .lpRemoteName = remote};
    DWORD error;

    next_wide(letter, ARRAYSIZE(letter));
    next_wide(remote, ARRAYSIZE(remote));
    next_wide(user, ARRAYSIZE(user));
    next_wide(password, ARRAYSIZE(password));
    error = WNetAddConnection2W(&resource, password, user, 0);
    if (error == 0 && root_count < HELD_MAX)
        _snwprintf(roots[root_count++], ARRAYSIZE(roots[0]), L"%lc:\\", letter[0]);
    answer(error == 0, error);
}

/* The error is put to where no call's answer is taken for it. */
static void order_file(void)
{
    SECURITY_ATTRIBUTES security = {.nLength = sizeof(security)};
    const WCHAR *name = next_name();
    DWORD access = next_number(), share = next_number(), creation = next_number(), flags = next_number(), error;
    HANDLE file;

    security.bInheritHandle = next_number() != 0;
    SetLastError(0xdead);
    file = CreateFileW(name, access, share, &security, creation, flags, NULL);
    error = GetLastError();
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    answer(file != INVALID_HANDLE_VALUE, error);
}

/* CreateDirectoryW leaves the error of a success alone. */
static void order_folder(void)
{
    const WCHAR *name = next_name();
    BOOL made;

    SetLastError(0);
    made = CreateDirectoryW(name, NULL);
    answer(made, GetLastError());
}

static void order_hold(void)
{
    const WCHAR *name = next_name();
    DWORD access = next_number(), share = next_number(), flags = next_number(), error;
    HANDLE file = CreateFileW(name, access, share, NULL, OPEN_EXISTING, flags, NULL);

    error = GetLastError();
    if (file != INVALID_HANDLE_VALUE && held_count < HELD_MAX)
        held[held_count++] = file;
    answer(file != INVALID_HANDLE_VALUE, error);
}

static void order_delete(void)
{
    FILE_DISPOSITION_INFO disposition = {TRUE};
    BOOL done = held_count > 0 && SetFileInformationByHandle(held[held_count - 1], FileDispositionInfo, &disposition,
                                                             sizeof(disposition));

    answer(done, GetLastError());
}

static void order_status(void)
{
    answer(TRUE, RtlNtStatusToDosError((NTSTATUS)next_number()));
}

/* Closes are not waited for, but what comes behind them on the same connection is. */
static void order_settle(void)
{
    BOOL done = TRUE;

    while (held_count)
        done = CloseHandle(held[--held_count]) && done;
    for (int i = 0; i < root_count; i++)
        done = GetFileAttributesW(roots[i]) != INVALID_FILE_ATTRIBUTES && done;
    answer(done, GetLastError());
}

int main(void)
{
    static const struct {
        const char *word;
        void (*run)(void);
    } orders[] = {
        {"connect", order_connect}, {"file", order_file},     {"folder", order_folder}, {"hold", order_hold},
        {"delete", order_delete},   {"settle", order_settle}, {"status", order_status},
    };

    while (fgets(line, sizeof(line), stdin)) {
        const char *word;
        size_t i;

        line[strcspn(line, "\r\n")] = 0;
        word = strtok(line, " ");
        for (i = 0; i < ARRAYSIZE(orders) && (!word || strcmp(word, orders[i].word) != 0); i++)
            continue;
        if (i == ARRAYSIZE(orders)) {
            fprintf(stderr, "createtable: no order %s\n", word ? word : "");
            return 1;
        }
        orders[i].run();
    }
    return 0;
}
