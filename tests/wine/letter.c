/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* letter.c - claims about a mapped letter. See letter.h. */
#include "letter.h"

#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <winnetwk.h>

WCHAR letter[] = L"X:";
const WCHAR *remote = L"", *argument;

static const WCHAR *running;

const WCHAR *on_share(const WCHAR *name)
{
    static WCHAR paths[8][MAX_PATH];
    static int next;
    WCHAR *path = paths[next++ % 8];

    _snwprintf(path, MAX_PATH, L"%ls\\%ls", letter, name);
    return path;
}

HANDLE start_child(const WCHAR *its_argument, void *environment)
{
    PROCESS_INFORMATION process = {0};
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    WCHAR program[MAX_PATH], command[2 * MAX_PATH];

    GetModuleFileNameW(NULL, program, MAX_PATH);
    _snwprintf(command, ARRAYSIZE(command), L"\"%ls\" %ls %ls %ls %ls", program, running, letter, remote, its_argument);
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_UNICODE_ENVIRONMENT, environment, NULL, &startup,
                        &process)) {
        failed(__FILE__, __LINE__, "there is no child", GetLastError());
        return NULL;
    }
    CloseHandle(process.hThread);
    return process.hProcess;
}

DWORD end_child(HANDLE process)
{
    DWORD status = MAXDWORD;

    if (WaitForSingleObject(process, PATIENCE) == WAIT_OBJECT_0)
        GetExitCodeProcess(process, &status);
    CloseHandle(process);
    return status;
}

static void run_mapped(void (*run)(void))
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = letter, .lpRemoteName = (WCHAR *)remote};
    DWORD error = WNetAddConnection2W(&resource, NULL, NULL, 0);

    if (error != NO_ERROR) {
        failed(__FILE__, __LINE__, "the letter is not connected", error);
        return;
    }
    run();
    error = WNetCancelConnection2W(letter, 0, FALSE);
    if (error != NO_ERROR) {
        failed(__FILE__, __LINE__, "the letter is not disconnected", error);
        WNetCancelConnection2W(letter, 0, TRUE); /* the next claim is not to blame */
    }
}

int letter_main(int argc, WCHAR **argv, const struct letter_claim *claims, size_t count)
{
    for (size_t i = 0; argc > 3 && i < count; i++) {
        if (wcscmp(argv[1], claims[i].name) != 0)
            continue;
        running = argv[1];
        letter[0] = argv[2][0];
        remote = argv[3];
        argument = argv[4]; /* NULL-terminated */
        if (argument)
            claims[i].child();
        else
            run_mapped(claims[i].run);
        return failures != 0;
    }
    fprintf(stderr, "usage: PROGRAM CLAIM LETTER: \\\\server\\share\n");
    return 2;
}
