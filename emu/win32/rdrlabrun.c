/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rdrlabrun.exe - runs a program on the machine that RDRLAB_MACHINE names, also one that never loads mpr.dll.
 *
 *   rdrlabrun [/map:X:=\\server\share] [/user:NAME] [/in:DIRECTORY] PROGRAM [ARGUMENT...]
 *
 * The program begins in that directory, which may be on the letter, or else in ours. It gets the rest of the command
 * line as it stands, this process's standard streams, and its exit status becomes ours. A password comes from the file
 * that RDRLAB_PASSWORD_FILE names (a Linux path), never from arguments, which everybody can read.
 *
 * Exit status of its own: 125 (wrong usage, no machine, the letter cannot be connected, the DLL is not loaded), 127
 * (no such program).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "inject.h"
#include "password.h"
#include "remembered.h"

#define EXIT_OWN        125
#define EXIT_NO_PROGRAM 127

#ifndef CP_UNIXCP
#define CP_UNIXCP 65010
#endif

struct request {
    WCHAR letter[3];
    WCHAR remote[512];
    WCHAR user[256];
    WCHAR password[PASSWORD_MOST];
    WCHAR directory[MAX_PATH]; /* "": ours */
    bool has_user, has_password;
    WCHAR *command; /* the program and its arguments, as they were given */
};

static const char usage[] = "usage: rdrlabrun [/map:X:=\\\\server\\share] [/user:NAME] [/in:DIRECTORY] PROGRAM "
                            "[ARGUMENT...]\n"
                            "environment: RDRLAB_MACHINE (the machine's folder), RDRLAB_PASSWORD_FILE\n";

/* ---- the command line ---- */

/* Past one argument and the blanks behind it, by the rules of CommandLineToArgvW for what we need of them: quotes. */
static WCHAR *next_argument(WCHAR *at, WCHAR *value, size_t size)
{
    bool quoted = false;
    size_t length = 0;

    for (; *at && (quoted || (*at != ' ' && *at != '\t')); at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (length + 1 < size)
            value[length++] = *at;
    }
    value[length] = '\0';
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

/* Slashes are taken for backslashes: fewer of them get lost in shells. */
static bool parse_map(const WCHAR *value, struct request *request)
{
    size_t length = wcslen(value);

    if (length < 4 || value[1] != ':' || value[2] != '=' || length - 3 >= ARRAYSIZE(request->remote))
        return false;
    request->letter[0] = value[0];
    request->letter[1] = ':';
    wcscpy(request->remote, value + 3);
    for (WCHAR *at = request->remote; *at; at++)
        if (*at == '/')
            *at = '\\';
    return true;
}

static bool parse_command_line(struct request *request)
{
    WCHAR argument[1024];
    WCHAR *at = next_argument(GetCommandLineW(), argument, ARRAYSIZE(argument)); /* ourselves */

    for (;;) {
        WCHAR *rest = next_argument(at, argument, ARRAYSIZE(argument));

        if (_wcsnicmp(argument, L"/map:", 5) == 0) {
            if (!parse_map(argument + 5, request)) {
                fprintf(stderr, "rdrlabrun: %ls: /map:X:=\\\\server\\share is meant\n", argument);
                return false;
            }
        } else if (_wcsnicmp(argument, L"/user:", 6) == 0) {
            request->has_user = true;
            wcsncpy(request->user, argument + 6, ARRAYSIZE(request->user) - 1);
        } else if (_wcsnicmp(argument, L"/in:", 4) == 0) {
            wcsncpy(request->directory, argument + 4, ARRAYSIZE(request->directory) - 1);
        } else {
            break;
        }
        at = rest;
    }
    if (!*at) {
        fputs(usage, stderr);
        return false;
    }
    request->command = at;
    return true;
}

/* ---- connecting ---- */

static bool read_password(struct request *request)
{
    WCHAR variable[MAX_PATH];
    DWORD length = GetEnvironmentVariableW(L"RDRLAB_PASSWORD_FILE", variable, MAX_PATH), error;

    if (length == 0)
        return true;
    if (length >= MAX_PATH || variable[0] != '/') {
        fprintf(stderr, "rdrlabrun: RDRLAB_PASSWORD_FILE must be an absolute Linux path\n");
        return false;
    }
    error = password_from_file(variable, request->password);
    if (error == ERROR_INVALID_DATA)
        fprintf(stderr, "rdrlabrun: the first line of %ls is no password of at most %d UTF-8 characters\n", variable,
                PASSWORD_MOST - 1);
    else if (error)
        fprintf(stderr, "rdrlabrun: RDRLAB_PASSWORD_FILE=%ls cannot be read (error %lu)\n", variable, error);
    request->has_password = !error;
    return !error;
}

/* Straight to the provider, so that it need not be registered in this prefix. */
static DWORD add_connection(HMODULE provider, WCHAR *local, WCHAR *remote, WCHAR *password, WCHAR *user)
{
    DWORD(WINAPI * add)
    (HWND, NETRESOURCEW *, WCHAR *, WCHAR *, DWORD) = (void *)GetProcAddress(provider, "NPAddConnection3");
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = local, .lpRemoteName = remote};

    return add(NULL, &resource, password, user, 0);
}

static bool connect_letter(HMODULE provider, struct request *request)
{
    DWORD error;

    if (!read_password(request))
        return false;
    error = add_connection(provider, request->letter, request->remote, request->has_password ? request->password : NULL,
                           request->has_user ? request->user : NULL);
    SecureZeroMemory(request->password, sizeof(request->password));
    if (error)
        fprintf(stderr, "rdrlabrun: %ls cannot be connected to %ls: error %lu\n", request->letter, request->remote,
                error);
    return error == 0;
}

/* What the user's registry remembers is connected as at logon: one that is not is no reason to stay away. */
static void connect_remembered(WCHAR *local, WCHAR *remote, void *provider)
{
    DWORD error = add_connection(provider, local, remote, NULL, NULL);

    if (error && error != ERROR_ALREADY_ASSIGNED)
        fprintf(stderr, "rdrlabrun: %ls cannot be connected to %ls again: error %lu\n", local, remote, error);
}

/* ---- the provider ---- */

/* The registered one if there is one, so that mpr finds it loaded already; else the one beside this program. */
static void find_provider(WCHAR *path)
{
    static const WCHAR key[] = L"System\\CurrentControlSet\\Services\\rdrlabnp\\NetworkProvider";
    WCHAR value[MAX_PATH], *end;
    DWORD size = sizeof(value);

    if (RegGetValueW(HKEY_LOCAL_MACHINE, key, L"ProviderPath", RRF_RT_REG_SZ | RRF_RT_REG_EXPAND_SZ, NULL, value,
                     &size) == ERROR_SUCCESS &&
        GetFileAttributesW(value) != INVALID_FILE_ATTRIBUTES) {
        wcscpy(path, value);
        return;
    }
    GetModuleFileNameW(NULL, path, MAX_PATH - 16);
    end = wcsrchr(path, '\\');
    wcscpy(end ? end + 1 : path, L"rdrlabnp.dll");
}

static HMODULE load_provider(const WCHAR *path)
{
    HMODULE provider = LoadLibraryW(path);
    DWORD(WINAPI * get_caps)(DWORD) = provider ? (void *)GetProcAddress(provider, "NPGetCaps") : NULL;

    if (!get_caps) {
        fprintf(stderr, "rdrlabrun: %ls cannot be loaded (error %lu)\n", path, GetLastError());
        return NULL;
    }
    if (!get_caps(12 /* WNNC_START */)) {
        fprintf(stderr, "rdrlabrun: %s\n",
                GetEnvironmentVariableW(L"RDRLAB_MACHINE", NULL, 0)
                    ? "redirected drives are not available"
                    : "RDRLAB_MACHINE is not set: no machine to run on");
        return NULL;
    }
    return provider;
}

/* ---- the program ---- */

/* A Linux path as the program's name: /home/a/b.exe. */
static WCHAR *translate_program(WCHAR *command)
{
    WCHAR *(CDECL * get_dos_name)(const char *) =
        (void *)GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "wine_get_dos_file_name");
    WCHAR program[1024], *rest, *dos, *whole;
    char path[3 * 1024];
    size_t size;

    rest = next_argument(command, program, ARRAYSIZE(program));
    if (program[0] != '/' || !get_dos_name ||
        !WideCharToMultiByte(CP_UNIXCP, 0, program, -1, path, sizeof(path), NULL, NULL))
        return command;
    dos = get_dos_name(path);
    if (!dos)
        return command;
    size = wcslen(dos) + wcslen(rest) + 8;
    whole = HeapAlloc(GetProcessHeap(), 0, size * sizeof(WCHAR));
    if (whole)
        _snwprintf(whole, size, L"\"%ls\"%ls%ls", dos, *rest ? L" " : L"", rest);
    HeapFree(GetProcessHeap(), 0, dos);
    return whole ? whole : command;
}

/* The console sends Ctrl+C to the program too: it decides, we wait for it. */
static BOOL WINAPI ignore_control(DWORD event)
{
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

/* A process whose imports are not all there ends as soon as it has a thread, which the DLL is loaded on. */
static void explain_failure(HANDLE process, const WCHAR *command, const WCHAR *provider_path)
{
    DWORD status = 0;

    if (!inject_possible(process)) {
        fprintf(stderr, "rdrlabrun: %ls does not run on a machine: it is a 32-bit program\n", command);
        return;
    }
    if (WaitForSingleObject(process, 0) == WAIT_OBJECT_0)
        GetExitCodeProcess(process, &status);
    if (status == (DWORD)STATUS_DLL_NOT_FOUND)
        fprintf(stderr, "rdrlabrun: %ls does not start: a DLL that it needs is not in this Wine\n", command);
    else if (status == (DWORD)STATUS_ENTRYPOINT_NOT_FOUND)
        fprintf(stderr, "rdrlabrun: %ls does not start: a function that it needs is not in this Wine's DLLs\n",
                command);
    else
        fprintf(stderr, "rdrlabrun: %ls does not load into %ls\n", provider_path, command);
}

static int run(WCHAR *command, const WCHAR *directory, const WCHAR *provider_path)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    DWORD status = EXIT_OWN;

    if (*directory && !SetCurrentDirectoryW(directory)) {
        fprintf(stderr, "rdrlabrun: %ls is no directory to begin in (error %lu)\n", directory, GetLastError());
        return EXIT_OWN;
    }
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, &process)) {
        fprintf(stderr, "rdrlabrun: %ls cannot be started (error %lu)\n", command, GetLastError());
        return EXIT_NO_PROGRAM;
    }
    /* With the provider loaded here its own hook has done it already; then this finds it there. */
    if (!inject_possible(process.hProcess) || !inject_library(process.hProcess, provider_path)) {
        explain_failure(process.hProcess, command, provider_path);
        TerminateProcess(process.hProcess, EXIT_OWN);
    } else {
        SetConsoleCtrlHandler(ignore_control, TRUE);
        ResumeThread(process.hThread);
        WaitForSingleObject(process.hProcess, INFINITE);
        GetExitCodeProcess(process.hProcess, &status);
    }
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return (int)status;
}

int wmain(void);

int wmain(void)
{
    static struct request request;
    WCHAR provider_path[MAX_PATH];
    HMODULE provider;

    if (!parse_command_line(&request))
        return EXIT_OWN;
    find_provider(provider_path);
    provider = load_provider(provider_path);
    if (!provider || (request.letter[0] && !connect_letter(provider, &request)))
        return EXIT_OWN;
    remembered_each(connect_remembered, provider);
    return run(translate_program(request.command), request.directory, provider_path);
}
