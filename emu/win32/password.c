/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* password.c - of the programs that connect letters. Arguments and the environment, which others can read, have none.
 */
#include <string.h>
#include <wchar.h>

#include "password.h"

#define LINE_MOST     (4 * PASSWORD_MOST)
#define ECHO_PATIENCE 200 /* ms */

static HANDLE open_file(const WCHAR *name)
{
    WCHAR path[MAX_PATH + 16] = L"\\\\?\\unix";

    if (name[0] != '/')
        return CreateFileW(name, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (wcslen(name) >= MAX_PATH) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return INVALID_HANDLE_VALUE;
    }
    wcscat(path, name);
    for (WCHAR *at = path + 8; *at; at++)
        if (*at == '/')
            *at = '\\';
    return CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
}

/* Byte by byte: what is behind the line may be somebody else's to read. */
static DWORD read_line(HANDLE file, char line[LINE_MOST])
{
    DWORD length = 0, got;

    for (;; length++) {
        if (length == LINE_MOST)
            return ERROR_INVALID_DATA;
        if (!ReadFile(file, line + length, 1, &got, NULL)) {
            if (GetLastError() != ERROR_BROKEN_PIPE)
                return GetLastError();
            got = 0;
        }
        if (got == 0 || line[length] == '\n')
            break;
    }
    if (length && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    return 0;
}

DWORD password_from_file(const WCHAR *name, WCHAR password[PASSWORD_MOST])
{
    HANDLE file = wcscmp(name, L"-") == 0 ? GetStdHandle(STD_INPUT_HANDLE) : open_file(name);
    char line[LINE_MOST];
    DWORD error;

    if (file == INVALID_HANDLE_VALUE || !file)
        return GetLastError();
    error = read_line(file, line);
    if (wcscmp(name, L"-") != 0)
        CloseHandle(file);
    if (error == 0 && !MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, line, -1, password, PASSWORD_MOST))
        error = ERROR_INVALID_DATA;
    SecureZeroMemory(line, sizeof(line));
    return error;
}

/* ---- the console ---- */

static HANDLE console = INVALID_HANDLE_VALUE;
static DWORD console_mode;
static volatile LONG cancelled;

/* On a thread of its own; whoever reads is still waiting for a line, which the console ends. */
static BOOL WINAPI on_control(DWORD event)
{
    InterlockedExchange(&cancelled, 1);
    SetConsoleMode(console, console_mode);
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

static DWORD read_silently(WCHAR password[PASSWORD_MOST])
{
    DWORD got = 0, error = 0;

    if (!ReadConsoleW(console, password, PASSWORD_MOST - 1, &got, NULL))
        error = GetLastError();
    if (cancelled)
        return ERROR_CANCELLED;
    if (error)
        return error;
    password[got] = '\0';
    if (!wcspbrk(password, L"\r\n"))
        return got == 0 ? ERROR_CANCELLED : ERROR_INVALID_DATA;
    password[wcscspn(password, L"\r\n")] = '\0';
    return 0;
}

DWORD password_from_console(const WCHAR *prompt, WCHAR password[PASSWORD_MOST])
{
    HANDLE screen = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                                OPEN_EXISTING, 0, NULL);
    DWORD error, written;
    INPUT_RECORD record;

    console = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                          OPEN_EXISTING, 0, NULL);
    if (screen == INVALID_HANDLE_VALUE || console == INVALID_HANDLE_VALUE || !GetConsoleMode(console, &console_mode)) {
        error = ERROR_INVALID_HANDLE;
    } else {
        SetConsoleCtrlHandler(on_control, TRUE);
        SetConsoleMode(console, (console_mode | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT) & ~ENABLE_ECHO_INPUT);
        /* Wine turns a terminal's own echo off when somebody first looks for input, on a thread that tells nobody when
         * it has. So the prompt, which invites to type, comes a little later. */
        PeekConsoleInputW(console, &record, 1, &written);
        Sleep(ECHO_PATIENCE);
        WriteConsoleW(screen, prompt, (DWORD)wcslen(prompt), &written, NULL);
        error = read_silently(password);
        SetConsoleMode(console, console_mode);
        SetConsoleCtrlHandler(on_control, FALSE);
        WriteConsoleW(screen, L"\r\n", 2, &written, NULL);
    }
    if (screen != INVALID_HANDLE_VALUE)
        CloseHandle(screen);
    if (console != INVALID_HANDLE_VALUE)
        CloseHandle(console);
    return error;
}
