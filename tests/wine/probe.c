/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.exe - one claim about files on a mapped drive per run, for test_wine.c:
 *
 *   probe CLAIM [LETTER: \\server\share] [ARGUMENT]
 *
 * The share holds probe.txt ("rdrlab probe\n") and the folder dir. A letter is mapped here with mpr looked up at run
 * time, so that a child of this program has the network provider only if it was given to it.
 * Exit status 0: the claim holds; 1: it does not, and standard error says what; 2: no such claim.
 */
#include "probe.h"

#include <stdio.h>
#include <wchar.h>
#include <winnetwk.h>

WCHAR letter = 'X';
const WCHAR *remote = L"";
const WCHAR *argument = L"";

const WCHAR *on_share(const WCHAR *name)
{
    static WCHAR paths[8][512];
    static int next;
    WCHAR *path = paths[next++ % 8];

    _snwprintf(path, 512, L"%lc:\\%ls", letter, name);
    return path;
}

const WCHAR *on_unc(const WCHAR *name)
{
    static WCHAR paths[8][512];
    static int next;
    WCHAR *path = paths[next++ % 8];

    _snwprintf(path, 512, name ? L"%ls\\%ls" : L"%ls", remote, name);
    return path;
}

HANDLE open_with(const WCHAR *name, DWORD access, DWORD share, DWORD disposition, DWORD flags)
{
    return CreateFileW(name, access, share, NULL, disposition, flags, NULL);
}

HANDLE open_read(const WCHAR *name)
{
    return open_with(name, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING, 0);
}

bool opens(const WCHAR *name, DWORD access, DWORD share)
{
    HANDLE file = open_with(name, access, share, OPEN_EXISTING, 0);

    if (file == INVALID_HANDLE_VALUE)
        return false;
    CloseHandle(file);
    return true;
}

bool reads_text(HANDLE file)
{
    char text[64] = "";
    DWORD got;

    return SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 && ReadFile(file, text, sizeof(text), &got, NULL) &&
           got == sizeof(TEXT_ON_SHARE) - 1 && memcmp(text, TEXT_ON_SHARE, got) == 0;
}

void *function_of(const WCHAR *module, const char *name)
{
    HMODULE loaded = LoadLibraryW(module);

    return loaded ? (void *)GetProcAddress(loaded, name) : NULL;
}

DWORD map_letter(WCHAR which)
{
    DWORD(WINAPI * add)
    (NETRESOURCEW *, const WCHAR *, const WCHAR *, DWORD) = function_of(L"mpr.dll", "WNetAddConnection2W");
    WCHAR name[] = {which, ':', 0};
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = name, .lpRemoteName = (WCHAR *)remote};

    return add ? add(&resource, NULL, NULL, 0) : GetLastError();
}

DWORD unmap_letter(WCHAR which, BOOL force)
{
    DWORD(WINAPI * cancel)(const WCHAR *, DWORD, BOOL) = function_of(L"mpr.dll", "WNetCancelConnection2W");
    WCHAR name[] = {which, ':', 0};

    return cancel ? cancel(name, 0, force) : GetLastError();
}

/* ---- Wine's own files ---- */

/* A local file can do all that a redirected one is refused. */
static void claim_local(void)
{
    const WCHAR *path = L"C:\\probe local.bin";
    HANDLE file = open_with(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, CREATE_ALWAYS,
                            FILE_FLAG_DELETE_ON_CLOSE | FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    HANDLE mapping, port;
    DWORD done;

    CHECK(WriteFile(file, "local", 5, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(file, &overlapped, &done, TRUE) && done == 5);
    CHECK(LockFile(file, 0, 0, 1, 0) && UnlockFile(file, 0, 0, 1, 0));
    CHECK((mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL)) != NULL);
    CHECK((port = CreateIoCompletionPort(file, NULL, 1, 0)) != NULL);
    CHECK_ERROR(MoveFileExW(L"C:\\windows\\win.ini", on_share(L"win.ini"), 0), ERROR_NOT_SAME_DEVICE);
    CloseHandle(mapping);
    CloseHandle(port);
    CloseHandle(file);
}

/* ---- the provider ---- */

/* mpr frees its providers with itself; the hooks stay. */
static void claim_freed_provider(void)
{
    HMODULE mpr = GetModuleHandleW(L"mpr.dll");

    for (int i = 0; i < 8 && GetModuleHandleW(L"mpr.dll"); i++)
        FreeLibrary(mpr);
    CHECK(GetModuleHandleW(L"rdrlabnp.dll") != NULL);
    CHECK(opens(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ));
}

/* A stub that is not as expected is named, nothing is changed, and connecting says that there is no network. */
static void claim_unknown_stub(void)
{
    BYTE *stub = function_of(L"ntdll.dll", "NtQueryEaFile"), *create = function_of(L"ntdll.dll", "NtCreateFile");
    BYTE before[16];
    DWORD protection;

    CHECK(VirtualProtect(stub, 32, PAGE_EXECUTE_READWRITE, &protection));
    stub[16] ^= 1;
    memcpy(before, create, sizeof(before));
    CHECK(map_letter(letter) == ERROR_NO_NETWORK);
    CHECK(memcmp(before, create, sizeof(before)) == 0);
}

/* A process without a machine has no hooks. */
static void claim_no_machine(void)
{
    BYTE *create = function_of(L"ntdll.dll", "NtCreateFile");

    CHECK(map_letter(letter) == ERROR_NO_NETWORK);
    CHECK(create[0] == 0x4c);
}

static void claim_no_network(void)
{
    CHECK(map_letter(letter) == ERROR_NO_NETWORK);
    CHECK_ERROR(opens(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ), ERROR_FILE_NOT_FOUND);
}

/* What rdrlabrun passes on: arguments, standard input, standard output, the exit status. */
static int arguments_after;
static WCHAR **all_arguments;

static void claim_arguments(void)
{
    char line[256];

    for (int i = arguments_after; all_arguments[i]; i++)
        printf("[%ls]\n", all_arguments[i]);
    while (fgets(line, sizeof(line), stdin))
        printf("<%s", line);
    failures = 42;
}

/* ---- dying ---- */

/* Holds the file until it is killed. */
static void claim_hold(void)
{
    HANDLE file = open_with(on_share(L"probe.txt"), GENERIC_READ, 0, OPEN_EXISTING, 0);

    CHECK(file != INVALID_HANDLE_VALUE);
    puts("holding");
    fflush(stdout);
    Sleep(INFINITE);
}

/* Opens until the machine dies: then says with which error. */
static void claim_until_death(void)
{
    HANDLE file = open_read(on_share(L"probe.txt"));
    DWORD error, got;
    char byte;

    CHECK(file != INVALID_HANDLE_VALUE);
    puts("looping");
    fflush(stdout);
    do
        error = opens(on_share(L"a|b"), GENERIC_READ, 0) ? 0 : GetLastError();
    while (error == ERROR_INVALID_NAME);
    if (error != ERROR_UNEXP_NET_ERR)
        failed(__FILE__, __LINE__, "opening after the machine's death", error);
    CHECK_ERROR(ReadFile(file, &byte, 1, &got, NULL), ERROR_UNEXP_NET_ERR);
    CHECK(CloseHandle(file));
    CHECK(!opens(L"C:\\no such file", GENERIC_READ, 0));
}

static const struct {
    const WCHAR *name;
    void (*run)(void);
    bool unmapped; /* the claim maps for itself, or is a child of one that did */
} claims[] = {
    {L"names", claim_names, false},
    {L"unc", claim_unc, false},
    {L"unc-alone", claim_unc_alone, true},
    {L"bare-letter", claim_bare_letter, false},
    {L"drive", claim_drive, false},
    {L"connections", claim_connections, false},
    {L"write", claim_write, false},
    {L"delete", claim_delete, false},
    {L"rename", claim_rename, false},
    {L"copy", claim_copy, false},
    {L"last-error", claim_last_error, false},
    {L"overlapped", claim_overlapped, false},
    {L"refusals", claim_refusals, false},
    {L"transmit", claim_transmit, false},
    {L"pointers", claim_pointers, false},
    {L"relative", claim_relative, false},
    {L"long-name", claim_long_name, false},
    {L"duplicate", claim_duplicate, false},
    {L"inherit", claim_inherit, false},
    {L"inherited", claim_inherited, true},
    {L"child", claim_child, false},
    {L"is-child", claim_is_child, true},
    {L"threads", claim_threads, false},
    {L"terminated-threads", claim_terminated_threads, false},
    {L"local", claim_local, false},
    {L"freed-provider", claim_freed_provider, false},
    {L"unknown-stub", claim_unknown_stub, true},
    {L"no-machine", claim_no_machine, true},
    {L"no-network", claim_no_network, true},
    {L"arguments", claim_arguments, true},
    {L"hold", claim_hold, false},
    {L"until-death", claim_until_death, false},
};

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    DWORD error;

    if (argc > 3) {
        letter = argv[2][0];
        remote = argv[3];
    }
    if (argc > 4)
        argument = argv[4];
    all_arguments = argv;
    arguments_after = argc < 2 ? argc : 2;
    for (size_t i = 0; argc > 1 && i < ARRAYSIZE(claims); i++) {
        if (wcscmp(argv[1], claims[i].name) != 0)
            continue;
        error = claims[i].unmapped ? 0 : map_letter(letter);
        if (error) {
            failed(__FILE__, __LINE__, "the letter is not connected", error);
        } else {
            claims[i].run();
            if (!claims[i].unmapped)
                unmap_letter(letter, TRUE);
        }
        return failures == 42 ? 42 : failures ? 1 : 0;
    }
    fprintf(stderr, "usage: probe CLAIM LETTER: \\\\server\\share\n");
    return 2;
}
