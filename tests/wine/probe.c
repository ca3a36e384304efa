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
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define UNICODE
#define WIN32_NO_STATUS
#include <winsock2.h>
#include <mswsock.h>
#include <windows.h>
#include <winnetwk.h>
#include <winternl.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>

#include "claim.h"

#define TEXT_ON_SHARE "rdrlab probe\n"

static WCHAR letter = 'X';
static const WCHAR *remote = L"";
static const WCHAR *argument = L"";

static const WCHAR *on_share(const WCHAR *name)
{
    static WCHAR paths[8][512];
    static int next;
    WCHAR *path = paths[next++ % 8];

    _snwprintf(path, 512, L"%lc:\\%ls", letter, name);
    return path;
}

/* \\server\share\name; nothing behind the share for NULL. */
static const WCHAR *on_unc(const WCHAR *name)
{
    static WCHAR paths[8][512];
    static int next;
    WCHAR *path = paths[next++ % 8];

    _snwprintf(path, 512, name ? L"%ls\\%ls" : L"%ls", remote, name);
    return path;
}

static HANDLE open_with(const WCHAR *name, DWORD access, DWORD share, DWORD disposition, DWORD flags)
{
    return CreateFileW(name, access, share, NULL, disposition, flags, NULL);
}

static HANDLE open_read(const WCHAR *name)
{
    return open_with(name, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING, 0);
}

/* False, not INVALID_HANDLE_VALUE, for the macros; closes what did open. */
static bool opens(const WCHAR *name, DWORD access, DWORD share)
{
    HANDLE file = open_with(name, access, share, OPEN_EXISTING, 0);

    if (file == INVALID_HANDLE_VALUE)
        return false;
    CloseHandle(file);
    return true;
}

static bool reads_text(HANDLE file)
{
    char text[64] = "";
    DWORD got;

    return SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 && ReadFile(file, text, sizeof(text), &got, NULL) &&
           got == sizeof(TEXT_ON_SHARE) - 1 && memcmp(text, TEXT_ON_SHARE, got) == 0;
}

static bool holds_text(const WCHAR *name)
{
    HANDLE file = open_read(name);
    bool holds = file != INVALID_HANDLE_VALUE && reads_text(file);

    CloseHandle(file);
    return holds;
}

static void *function_of(const WCHAR *module, const char *name)
{
    HMODULE loaded = LoadLibraryW(module);

    return loaded ? (void *)GetProcAddress(loaded, name) : NULL;
}

static DWORD map_letter(WCHAR which)
{
    DWORD(WINAPI * add)
    (NETRESOURCEW *, const WCHAR *, const WCHAR *, DWORD) = function_of(L"mpr.dll", "WNetAddConnection2W");
    WCHAR name[] = {which, ':', 0};
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = name, .lpRemoteName = (WCHAR *)remote};

    return add ? add(&resource, NULL, NULL, 0) : GetLastError();
}

static DWORD unmap_letter(WCHAR which, BOOL force)
{
    DWORD(WINAPI * cancel)(const WCHAR *, DWORD, BOOL) = function_of(L"mpr.dll", "WNetCancelConnection2W");
    WCHAR name[] = {which, ':', 0};

    return cancel ? cancel(name, 0, force) : GetLastError();
}

/* ---- names, errors, drives ---- */

/* Every name gives the error that it gives on Windows NT. */
static void check_names(const WCHAR *(*path)(const WCHAR *name))
{
    static const struct {
        const WCHAR *name;
        DWORD error;
    } table[] = {
        {L"probe.txt", 0},
        {L"PROBE.TXT", 0},
        {L"dir\\..\\probe.txt", 0},
        {L"", ERROR_INVALID_NAME},
        {L"dir", ERROR_ACCESS_DENIED},
        {L"dir\\", ERROR_INVALID_NAME},
        {L"a|b", ERROR_INVALID_NAME},
        {L"a*b", ERROR_INVALID_NAME},
        {L"a?b", ERROR_INVALID_NAME},
        {L"a<b", ERROR_INVALID_NAME},
        {L"a\"b", ERROR_INVALID_NAME},
        {L"a\x01z", ERROR_INVALID_NAME},
        {L"missing.txt", ERROR_FILE_NOT_FOUND},
        {L"missing\\missing.txt", ERROR_PATH_NOT_FOUND},
    };

    for (size_t i = 0; i < ARRAYSIZE(table); i++) {
        DWORD error = opens(path(table[i].name), GENERIC_READ, FILE_SHARE_READ) ? 0 : GetLastError();

        if (error != table[i].error)
            fprintf(stderr, "row %d: error %lu instead of %lu\n", (int)i, error, table[i].error), failures++;
    }
}

static void claim_names(void)
{
    check_names(on_share);
}

/* A UNC name reaches what its letter does, and fails as NT's redirector fails it. */
static void claim_unc(void)
{
    WIN32_FIND_DATAW found;
    WCHAR text[MAX_PATH], wanted[MAX_PATH];
    ULARGE_INTEGER total;
    HANDLE file, find;

    check_names(on_unc);
    CHECK_ERROR(opens(on_unc(NULL), GENERIC_READ, FILE_SHARE_READ), ERROR_ACCESS_DENIED);
    CHECK_ERROR(opens(L"\\\\mem", GENERIC_READ, FILE_SHARE_READ), ERROR_BAD_NETPATH);
    CHECK_ERROR(opens(L"\\\\mem\\", GENERIC_READ, FILE_SHARE_READ), ERROR_BAD_NETPATH);
    CHECK_ERROR(opens(L"\\\\nowhere\\lab\\probe.txt", GENERIC_READ, FILE_SHARE_READ), ERROR_BAD_NETPATH);
    CHECK_ERROR(opens(L"\\\\mem\\missing\\probe.txt", GENERIC_READ, FILE_SHARE_READ), ERROR_BAD_NET_NAME);
    CHECK_ERROR(opens(L"\\\\mem\\pipe\\probe", GENERIC_READ, FILE_SHARE_READ), ERROR_NOT_SUPPORTED);
    CHECK_ERROR(opens(L"\\\\.\\pipe\\rdrlab nowhere", GENERIC_READ, 0), ERROR_FILE_NOT_FOUND);
    CHECK(opens(L"\\\\?\\unc\\mem\\lab\\probe.txt", GENERIC_READ, FILE_SHARE_READ));

    file = open_read(on_unc(L"probe.txt"));
    CHECK(file != INVALID_HANDLE_VALUE && reads_text(file));
    _snwprintf(wanted, MAX_PATH, L"\\\\?\\%lc:\\probe.txt", letter);
    CHECK(GetFinalPathNameByHandleW(file, text, MAX_PATH, 0) && _wcsicmp(text, wanted) == 0);
    CHECK_ERROR(opens(on_share(L"probe.txt"), GENERIC_READ, 0), ERROR_SHARING_VIOLATION);
    CloseHandle(file);

    CHECK(GetDriveTypeW(on_unc(L"")) == DRIVE_REMOTE);
    CHECK(GetDiskFreeSpaceExW(on_unc(L""), NULL, &total, NULL) && total.QuadPart);
    CHECK(GetFileAttributesW(on_unc(NULL)) & FILE_ATTRIBUTE_DIRECTORY);
    CHECK(!(GetFileAttributesW(on_unc(L"probe.txt")) & FILE_ATTRIBUTE_DIRECTORY));
    CHECK((find = FindFirstFileW(on_unc(L"prob*"), &found)) != INVALID_HANDLE_VALUE &&
          _wcsicmp(found.cFileName, L"probe.txt") == 0);
    CHECK_ERROR(FindNextFileW(find, &found), ERROR_NO_MORE_FILES);
    FindClose(find);
    CHECK(SetCurrentDirectoryW(on_unc(L"dir")));
    CHECK(opens(L"..\\probe.txt", GENERIC_READ, FILE_SHARE_READ));
    SetCurrentDirectoryW(L"C:\\");
    CHECK_ERROR(MoveFileExW(L"C:\\windows\\win.ini", on_unc(L"win.ini"), 0), ERROR_NOT_SAME_DEVICE);
}

/* Without a letter the redirector connects by itself, and the file has a name. */
static void claim_unc_alone(void)
{
    WCHAR text[MAX_PATH], wanted[MAX_PATH];
    HANDLE file;

    LoadLibraryW(L"mpr.dll"); /* and with it the provider */
    file = open_read(on_unc(L"probe.txt"));
    CHECK(file != INVALID_HANDLE_VALUE && reads_text(file));
    _snwprintf(wanted, MAX_PATH, L"\\\\?\\UNC%ls\\probe.txt", remote + 1);
    CHECK(GetFinalPathNameByHandleW(file, text, MAX_PATH, 0) && _wcsicmp(text, wanted) == 0);
    CHECK(GetFileType(file) == FILE_TYPE_DISK);
    CloseHandle(file);
    CHECK_ERROR(opens(L"\\\\mem\\missing\\probe.txt", GENERIC_READ, FILE_SHARE_READ), ERROR_BAD_NET_NAME);
}

/* The bare letter is the letter's current directory: at the root, the name that cannot be. (Elsewhere it is another
 * name on Windows; Wine adds a backslash to any, so that the error is the same.) */
static void claim_bare_letter(void)
{
    WCHAR bare[] = {letter, ':', 0}, variable[] = {'=', letter, ':', 0};

    SetEnvironmentVariableW(variable, on_share(L""));
    CHECK_ERROR(opens(bare, GENERIC_READ, FILE_SHARE_READ), ERROR_INVALID_NAME);
}

/* What Windows shows of a network drive and of a file on it. */
static void claim_drive(void)
{
    DWORD(WINAPI * get_connection)(const WCHAR *, WCHAR *, DWORD *) = function_of(L"mpr.dll", "WNetGetConnectionW");
    WCHAR bare[] = {letter, ':', 0}, text[MAX_PATH], wanted[MAX_PATH];
    WIN32_FILE_ATTRIBUTE_DATA attributes;
    BY_HANDLE_FILE_INFORMATION information;
    WIN32_FIND_DATAW found;
    DWORD length = MAX_PATH, serial;
    HANDLE file = open_read(on_share(L"probe.txt")), find;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(GetDriveTypeW(on_share(L"")) == DRIVE_REMOTE);
    CHECK(GetLogicalDrives() >> (letter - 'A') & 1);
    CHECK(get_connection(bare, text, &length) == 0 && _wcsicmp(text, remote) == 0);
    CHECK(GetVolumeInformationW(on_share(L""), text, MAX_PATH, &serial, NULL, NULL, NULL, 0));
    CHECK(GetFileType(file) == FILE_TYPE_DISK);
    CHECK(GetFileSize(file, NULL) == sizeof(TEXT_ON_SHARE) - 1);
    CHECK(GetFileInformationByHandle(file, &information) && information.nFileSizeLow == sizeof(TEXT_ON_SHARE) - 1);
    _snwprintf(wanted, MAX_PATH, L"\\\\?\\%lc:\\probe.txt", letter);
    CHECK(GetFinalPathNameByHandleW(file, text, MAX_PATH, 0) && _wcsicmp(text, wanted) == 0);
    CHECK(WaitForSingleObject(file, 0) == WAIT_OBJECT_0);
    CHECK(!(GetFileAttributesW(on_share(L"probe.txt")) & FILE_ATTRIBUTE_DIRECTORY));
    CHECK(GetFileAttributesW(on_share(L"dir")) & FILE_ATTRIBUTE_DIRECTORY);
    CHECK(GetFileAttributesExW(on_share(L"probe.txt"), GetFileExInfoStandard, &attributes) &&
          attributes.nFileSizeLow == sizeof(TEXT_ON_SHARE) - 1);
    CHECK((find = FindFirstFileW(on_share(L"prob*"), &found)) != INVALID_HANDLE_VALUE &&
          _wcsicmp(found.cFileName, L"probe.txt") == 0);
    CHECK_ERROR(FindNextFileW(find, &found), ERROR_NO_MORE_FILES);
    FindClose(find);
    CHECK(SetCurrentDirectoryW(on_share(L"")) && GetCurrentDirectoryW(MAX_PATH, text) == 3);
    CHECK(opens(L"probe.txt", GENERIC_READ, FILE_SHARE_READ));
    CHECK_ERROR(opens(L"pro|be", GENERIC_READ, FILE_SHARE_READ), ERROR_INVALID_NAME);
    SetCurrentDirectoryW(L"C:\\");
    CloseHandle(file);
}

/* A connection is made once, seen, refused twice, and undone. */
static void claim_connections(void)
{
    WCHAR good[MAX_PATH];
    HANDLE file;

    CHECK(map_letter(letter) == ERROR_ALREADY_ASSIGNED);
    CHECK(map_letter('C') == ERROR_ALREADY_ASSIGNED);
    CHECK(map_letter('1') == ERROR_BAD_DEVICE);
    wcscpy(good, remote);
    remote = L"\\\\";
    CHECK(map_letter('R') == ERROR_BAD_NET_NAME);
    remote = L"no-share";
    CHECK(map_letter('R') == ERROR_BAD_NET_NAME);
    remote = L"\\\\mem\\missing";
    CHECK(map_letter('R') == ERROR_BAD_NET_NAME);
    remote = good;
    CHECK(GetDriveTypeW(L"R:\\") == DRIVE_NO_ROOT_DIR);
    CHECK(unmap_letter('R', FALSE) == ERROR_NOT_CONNECTED);
    CHECK((file = open_read(on_share(L"probe.txt"))) != INVALID_HANDLE_VALUE);
    CHECK(unmap_letter(letter, FALSE) == ERROR_OPEN_FILES);
    CHECK(reads_text(file));
    CHECK(unmap_letter(letter, TRUE) == 0);
    CHECK(!reads_text(file));
    CHECK(CloseHandle(file));
    CHECK(map_letter(letter) == 0);
    CHECK(unmap_letter(letter, FALSE) == 0);
    CHECK_ERROR(opens(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ), ERROR_FILE_NOT_FOUND);
    CHECK(!(GetLogicalDrives() >> (letter - 'A') & 1));
}

/* ---- files ---- */

/* What is written is read back, in one transfer larger than a message as well. */
static void claim_write(void)
{
    enum { SIZE = 300000 };
    unsigned char *out = malloc(SIZE), *in = calloc(1, SIZE);
    HANDLE file = open_with(on_share(L"written.bin"), GENERIC_READ | GENERIC_WRITE, 0, CREATE_ALWAYS, 0);
    WIN32_FILE_ATTRIBUTE_DATA attributes;
    OVERLAPPED at = {.Offset = 10};
    DWORD done;

    for (int i = 0; i < SIZE; i++)
        out[i] = (unsigned char)(i * 7 + i / 251);
    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(WriteFile(file, out, SIZE, &done, NULL) && done == SIZE);
    CHECK(SetFilePointer(file, 0, NULL, FILE_CURRENT) == SIZE);
    CHECK(FlushFileBuffers(file));
    CHECK(SetFilePointer(file, 1, NULL, FILE_BEGIN) == 1);
    CHECK(ReadFile(file, in, SIZE, &done, NULL) && done == SIZE - 1 && memcmp(in, out + 1, SIZE - 1) == 0);
    CHECK(ReadFile(file, in, 1, &done, NULL) && done == 0);
    CHECK(ReadFile(file, in, SIZE - 10, &done, &at) && done == SIZE - 10 && memcmp(in, out + 10, SIZE - 10) == 0);
    CHECK(CloseHandle(file));
    CHECK_ERROR(CloseHandle(file), ERROR_INVALID_HANDLE);
    CHECK(GetFileAttributesExW(on_share(L"written.bin"), GetFileExInfoStandard, &attributes) &&
          attributes.nFileSizeLow == SIZE);
    free(out);
    free(in);
}

static bool make_file(const WCHAR *name)
{
    HANDLE file = open_with(name, GENERIC_WRITE, 0, CREATE_NEW, 0);
    DWORD done;

    return file != INVALID_HANDLE_VALUE && WriteFile(file, TEXT_ON_SHARE, sizeof(TEXT_ON_SHARE) - 1, &done, NULL) &&
           CloseHandle(file);
}

static bool is_gone(const WCHAR *name)
{
    return GetFileAttributesW(name) == INVALID_FILE_ATTRIBUTES && GetLastError() == ERROR_FILE_NOT_FOUND;
}

static void check_delete(const WCHAR *(*path)(const WCHAR *name))
{
    const DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE file;

    CHECK(make_file(path(L"gone.txt")));
    CHECK(DeleteFileW(path(L"gone.txt")));
    CHECK(is_gone(path(L"gone.txt")));
    CHECK_ERROR(DeleteFileW(path(L"gone.txt")), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR(DeleteFileW(path(L"missing\\gone.txt")), ERROR_PATH_NOT_FOUND);
    CHECK_ERROR(DeleteFileW(path(L"a|b")), ERROR_INVALID_NAME);
    CHECK_ERROR(DeleteFileW(path(L"dir")), ERROR_ACCESS_DENIED);

    CHECK(make_file(path(L"held.txt")));
    file = open_read(path(L"held.txt"));
    CHECK_ERROR(DeleteFileW(path(L"held.txt")), ERROR_SHARING_VIOLATION);
    CloseHandle(file);
    file = open_with(path(L"held.txt"), GENERIC_READ, share_all, OPEN_EXISTING, 0);
    CHECK(DeleteFileW(path(L"held.txt")));
    CHECK_ERROR(opens(path(L"held.txt"), GENERIC_READ, share_all), ERROR_ACCESS_DENIED);
    CHECK(reads_text(file));
    CloseHandle(file);
    CHECK(is_gone(path(L"held.txt")));

    file = open_with(path(L"temporary"), GENERIC_WRITE, 0, CREATE_NEW, FILE_FLAG_DELETE_ON_CLOSE);
    CHECK(file != INVALID_HANDLE_VALUE);
    CloseHandle(file);
    CHECK(is_gone(path(L"temporary")));

    CHECK(CreateDirectoryW(path(L"folder"), NULL));
    CHECK(make_file(path(L"folder\\inside")));
    CHECK_ERROR(RemoveDirectoryW(path(L"folder")), ERROR_DIR_NOT_EMPTY);
    CHECK(DeleteFileW(path(L"folder\\inside")));
    CHECK(RemoveDirectoryW(path(L"folder")));
    CHECK(is_gone(path(L"folder")));
    CHECK_ERROR(RemoveDirectoryW(path(L"folder")), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR(RemoveDirectoryW(path(L"probe.txt")), ERROR_DIRECTORY);
}

/* Files and directories are deleted by name, by the handle that says so, and not before the last handle is closed. */
static void claim_delete(void)
{
    check_delete(on_share);
    check_delete(on_unc);
}

static void check_rename(const WCHAR *(*path)(const WCHAR *name))
{
    CHECK(make_file(path(L"old.txt")));
    CHECK(MoveFileExW(path(L"old.txt"), path(L"new.txt"), 0));
    CHECK(is_gone(path(L"old.txt")));
    CHECK(make_file(path(L"old.txt")));
    CHECK_ERROR(MoveFileExW(path(L"old.txt"), path(L"new.txt"), 0), ERROR_ALREADY_EXISTS);
    CHECK(MoveFileExW(path(L"old.txt"), path(L"new.txt"), MOVEFILE_REPLACE_EXISTING));
    CHECK_ERROR(MoveFileExW(path(L"old.txt"), path(L"new.txt"), 0), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR(MoveFileExW(path(L"new.txt"), path(L"missing\\new.txt"), 0), ERROR_PATH_NOT_FOUND);
    CHECK_ERROR(MoveFileExW(path(L"new.txt"), path(L"a|b"), 0), ERROR_INVALID_NAME);
    CHECK_ERROR(MoveFileExW(path(L"new.txt"), L"C:\\new.txt", 0), ERROR_NOT_SAME_DEVICE);
    CHECK(MoveFileExW(path(L"new.txt"), path(L"dir\\new.txt"), 0));
    CHECK(is_gone(path(L"new.txt")));
    CHECK(DeleteFileW(path(L"dir\\new.txt")));

    CHECK(CreateDirectoryW(path(L"folder"), NULL));
    CHECK(make_file(path(L"folder\\inside")));
    CHECK(MoveFileExW(path(L"folder"), path(L"renamed"), 0));
    CHECK(is_gone(path(L"folder")));
    CHECK(DeleteFileW(path(L"renamed\\inside")));
    CHECK(RemoveDirectoryW(path(L"renamed")));
}

/* Files are renamed within their share, by letter and by UNC name, and from one to the other; elsewhere they are
 * copied. */
static void claim_rename(void)
{
    check_rename(on_share);
    check_rename(on_unc);
    CHECK(make_file(on_share(L"old.txt")));
    CHECK(MoveFileExW(on_share(L"old.txt"), on_unc(L"new.txt"), 0));
    CHECK(MoveFileExW(on_unc(L"new.txt"), L"C:\\rdrlab moved.txt", MOVEFILE_COPY_ALLOWED));
    CHECK(is_gone(on_share(L"new.txt")));
    CHECK(DeleteFileW(L"C:\\rdrlab moved.txt"));
}

/* Onto itself, by whatever name, nothing is copied and nothing is lost. */
static void claim_copy(void)
{
    CHECK(CopyFileW(on_share(L"probe.txt"), on_share(L"copy.txt"), TRUE));
    CHECK_ERROR(CopyFileW(on_share(L"probe.txt"), on_share(L"copy.txt"), TRUE), ERROR_FILE_EXISTS);
    CHECK_ERROR(CopyFileW(on_share(L"copy.txt"), on_share(L"copy.txt"), FALSE), ERROR_SHARING_VIOLATION);
    CHECK_ERROR(CopyFileW(on_share(L"copy.txt"), on_share(L"COPY.TXT"), FALSE), ERROR_SHARING_VIOLATION);
    CHECK_ERROR(CopyFileW(on_unc(L"copy.txt"), on_share(L"copy.txt"), FALSE), ERROR_SHARING_VIOLATION);
    CHECK(holds_text(on_share(L"copy.txt")));
    CHECK(DeleteFileW(on_share(L"copy.txt")));
}

/* A service that succeeds leaves the last error alone, as every NT service does. */
static void claim_last_error(void)
{
    HANDLE file = open_read(on_share(L"probe.txt"));
    char byte;
    DWORD got;

    SetLastError(77);
    ReadFile(file, &byte, 1, &got, NULL);
    CloseHandle(file);
    if (GetLastError() != 77)
        failed(__FILE__, __LINE__, "the last error changed", GetLastError());
}

static void claim_overlapped(void)
{
    HANDLE file = open_with(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING, FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped = {.Offset = 7, .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    char text[16] = "";
    DWORD got = 0;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(ReadFile(file, text, 5, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(WaitForSingleObject(overlapped.hEvent, 0) == WAIT_OBJECT_0);
    CHECK(GetOverlappedResult(file, &overlapped, &got, FALSE) && got == 5 && memcmp(text, "probe", 5) == 0);
    overlapped.Offset = 1000;
    CHECK_ERROR(ReadFile(file, text, 5, NULL, &overlapped), ERROR_HANDLE_EOF);
    CloseHandle(file);
}

/* What the machine has not is refused, and the file stays as it is. */
static void claim_refusals(void)
{
    HANDLE file = open_with(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING,
                            FILE_FLAG_OVERLAPPED);
    HANDLE folder =
        open_with(on_share(L"dir"), GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    char buffer[512];
    DWORD got;

    CHECK(file != INVALID_HANDLE_VALUE && folder != INVALID_HANDLE_VALUE);
    CHECK_ERROR(DeviceIoControl(file, 0x900c0, NULL, 0, buffer, sizeof(buffer), &got, NULL), ERROR_INVALID_FUNCTION);
    CloseHandle(folder);
    CloseHandle(file);
    file = open_read(on_share(L"probe.txt"));
    CHECK(reads_text(file));
    CloseHandle(file);
}

/* Sending a redirected file down a socket is refused; it must not send the token file, which is empty. */
static void claim_transmit(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof(address);
    HANDLE file = open_read(on_share(L"probe.txt"));
    SOCKET listener, client, server;
    WSADATA data;

    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    CHECK(connect(client, (struct sockaddr *)&address, size) == 0);
    CHECK((server = accept(listener, NULL, NULL)) != INVALID_SOCKET);
    CHECK(!TransmitFile(client, file, 0, 0, NULL, NULL, 0));
    closesocket(server);
    closesocket(client);
    closesocket(listener);
    CloseHandle(file);
}

/* ---- the NT services themselves ---- */

typedef NTSTATUS(NTAPI *create_service)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, LARGE_INTEGER *,
                                        ULONG, ULONG, ULONG, ULONG, void *, ULONG);
typedef NTSTATUS(NTAPI *read_service)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *, ULONG, LARGE_INTEGER *,
                                      ULONG *);

static NTSTATUS nt_create(HANDLE *file, HANDLE root, WCHAR *text, USHORT bytes, ULONG options)
{
    static create_service service;
    UNICODE_STRING name = {.Length = bytes, .MaximumLength = bytes, .Buffer = text};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;

    if (!service)
        service = function_of(L"ntdll.dll", "NtCreateFile");
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, root, NULL);
    return service(file, GENERIC_READ | SYNCHRONIZE, &attributes, &io, NULL, 0, FILE_SHARE_READ, FILE_OPEN, options,
                   NULL, 0);
}

/* A bad pointer is a status, in the process of the caller too. */
static void claim_pointers(void)
{
    read_service read = function_of(L"ntdll.dll", "NtReadFile");
    WCHAR path[] = L"\\??\\X:\\probe.txt";
    HANDLE file = NULL;
    IO_STATUS_BLOCK io;
    void *bad = VirtualAlloc(NULL, 4096, MEM_RESERVE, PAGE_NOACCESS);

    path[4] = letter;
    CHECK_STATUS(nt_create(&file, NULL, bad, 40, FILE_SYNCHRONOUS_IO_NONALERT), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(nt_create(bad, NULL, path, sizeof(path) - 2, FILE_SYNCHRONOUS_IO_NONALERT), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(nt_create(&file, NULL, path, sizeof(path) - 2, FILE_SYNCHRONOUS_IO_NONALERT), STATUS_SUCCESS);
    CHECK_STATUS(read(file, NULL, NULL, NULL, &io, bad, 5, NULL, NULL), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(read(file, NULL, NULL, NULL, bad, path, 5, NULL, NULL), STATUS_ACCESS_VIOLATION);
    CHECK(CloseHandle(file));
    /* The open that could not be told of was closed again: nobody holds the file. */
    CHECK(opens(on_share(L"probe.txt"), GENERIC_READ, 0));
}

/* A name relative to a directory handle is the machine's when the directory is. */
static void claim_relative(void)
{
    WCHAR root_name[] = L"\\??\\X:\\", folder_name[] = L"\\??\\C:\\", name[] = L"probe.txt", wrong[] = L"a|b";
    HANDLE root = NULL, folder = NULL, file = NULL;

    root_name[4] = letter;
    CHECK_STATUS(nt_create(&root, NULL, root_name, sizeof(root_name) - 2, FILE_SYNCHRONOUS_IO_NONALERT),
                 STATUS_SUCCESS);
    CHECK_STATUS(nt_create(&file, root, name, sizeof(name) - 2, FILE_SYNCHRONOUS_IO_NONALERT), STATUS_SUCCESS);
    CHECK(reads_text(file));
    CloseHandle(file);
    CHECK_STATUS(nt_create(&file, root, wrong, sizeof(wrong) - 2, 0), STATUS_OBJECT_NAME_INVALID);
    CHECK_STATUS(nt_create(&folder, NULL, folder_name, sizeof(folder_name) - 2, 0), STATUS_SUCCESS);
    CHECK_STATUS(nt_create(&file, folder, name, sizeof(name) - 2, 0), STATUS_OBJECT_NAME_NOT_FOUND);
    CloseHandle(folder);
    CloseHandle(root);
}

/* A name of 32,700 characters is refused, not cut, and harms nothing. */
static void claim_long_name(void)
{
    enum { LENGTH = 32700 };
    WCHAR *name = malloc(LENGTH * sizeof(WCHAR));
    WCHAR start[] = L"\\??\\X:\\";
    HANDLE file;

    start[4] = letter;
    for (int i = 0; i < LENGTH; i++)
        name[i] = i < 7 ? start[i] : 'a';
    CHECK(NT_ERROR(nt_create(&file, NULL, name, LENGTH * sizeof(WCHAR), 0)));
    for (int i = 300; i < LENGTH; i += 200)
        name[i] = '\\';
    CHECK(NT_ERROR(nt_create(&file, NULL, name, LENGTH * sizeof(WCHAR), 0)));
    CHECK(opens(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ));
    free(name);
}

/* ---- handles that travel ---- */

/* A duplicate is the same open file: it reads on where the first one stopped, and keeps the file open. */
static void claim_duplicate(void)
{
    HANDLE file = open_with(on_share(L"probe.txt"), GENERIC_READ, 0, OPEN_EXISTING, 0), copy = NULL, moved = NULL;
    char text[16] = "";
    DWORD got;

    CHECK(ReadFile(file, text, 7, &got, NULL) && got == 7);
    CHECK(DuplicateHandle(GetCurrentProcess(), file, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    CHECK(CloseHandle(file));
    CHECK_ERROR(ReadFile(file, text, 1, &got, NULL), ERROR_INVALID_HANDLE);
    CHECK(ReadFile(copy, text, 5, &got, NULL) && got == 5 && memcmp(text, "probe", 5) == 0);
    CHECK_ERROR(opens(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ), ERROR_SHARING_VIOLATION);
    CHECK(DuplicateHandle(GetCurrentProcess(), copy, GetCurrentProcess(), &moved, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    CHECK(reads_text(moved));
    CHECK(CloseHandle(moved));
    CHECK(opens(on_share(L"probe.txt"), GENERIC_READ, 0));
}

static DWORD run_child(const WCHAR *claim, const WCHAR *extra, BOOL inherit)
{
    WCHAR path[MAX_PATH], command[1024];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    DWORD status = 99;

    GetModuleFileNameW(NULL, path, MAX_PATH);
    _snwprintf(command, 1024, L"\"%ls\" %ls %lc: - %ls", path, claim, letter, extra);
    if (!CreateProcessW(NULL, command, NULL, NULL, inherit, 0, NULL, NULL, &startup, &process))
        return 98;
    WaitForSingleObject(process.hProcess, 30000);
    GetExitCodeProcess(process.hProcess, &status);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return status;
}

/* An inherited handle works in the child, which shares the file's position, and outlives the parent's. */
static void claim_inherit(void)
{
    SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), NULL, TRUE};
    HANDLE file = CreateFileW(on_share(L"probe.txt"), GENERIC_READ, 0, &inheritable, OPEN_EXISTING, 0, NULL);
    WCHAR number[32];
    char text[16] = "";
    DWORD got;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(ReadFile(file, text, 7, &got, NULL) && got == 7);
    _snwprintf(number, 32, L"%lu", (DWORD)(ULONG_PTR)file);
    CHECK(run_child(L"inherited", number, TRUE) == 0);
    CHECK(ReadFile(file, text, 16, &got, NULL) && got == 1 && text[0] == '\n');
    CloseHandle(file);
}

static void claim_inherited(void)
{
    HANDLE file = (HANDLE)(ULONG_PTR)wcstoul(argument, NULL, 10);
    WCHAR path[MAX_PATH];
    char text[16] = "";
    DWORD got;

    CHECK(ReadFile(file, text, 5, &got, NULL) && got == 5 && memcmp(text, "probe", 5) == 0);
    CHECK(GetFileType(file) == FILE_TYPE_DISK);
    CHECK(GetFinalPathNameByHandleW(file, path, MAX_PATH, 0) && path[4] == letter);
    CHECK_ERROR(opens(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ), ERROR_SHARING_VIOLATION);
}

/* A child that never asked for a network sees the drive; so does its child. */
static void claim_child(void)
{
    CHECK(run_child(L"is-child", L"1", FALSE) == 0);
}

static void claim_is_child(void)
{
    HANDLE file = open_read(on_share(L"probe.txt"));

    CHECK(GetModuleHandleW(L"mpr.dll") == NULL);
    CHECK(file != INVALID_HANDLE_VALUE && reads_text(file));
    CloseHandle(file);
    if (argument[0] == '1')
        CHECK(run_child(L"is-child", L"0", FALSE) == 0);
}

/* ---- threads ---- */

static LONG thread_errors;

static DWORD WINAPI open_often(void *parameter)
{
    for (int i = 0; i < 200; i++) {
        HANDLE file = open_read(on_share(L"probe.txt"));

        if (file == INVALID_HANDLE_VALUE || !reads_text(file) || !CloseHandle(file))
            InterlockedIncrement(&thread_errors);
        if (opens(L"C:\\no such file", GENERIC_READ, 0) || GetLastError() != ERROR_FILE_NOT_FOUND)
            InterlockedIncrement(&thread_errors);
    }
    return 0;
}

/* More threads than the region has slots. */
static void claim_threads(void)
{
    enum { THREADS = 100 };
    HANDLE threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        threads[i] = CreateThread(NULL, 0, open_often, NULL, 0, NULL);
    for (int i = 0; i < THREADS; i++) {
        WaitForSingleObject(threads[i], INFINITE);
        CloseHandle(threads[i]);
    }
    CHECK(thread_errors == 0);
}

/* Without the heap, whose lock a terminated thread would keep. */
static LONG calls_made;

static DWORD WINAPI fail_for_ever(void *parameter)
{
    WCHAR name[] = L"\\??\\X:\\a|b";
    HANDLE file;

    name[4] = letter;
    while (thread_errors >= 0) {
        nt_create(&file, NULL, name, sizeof(name) - sizeof(WCHAR), 0);
        InterlockedIncrement(&calls_made);
    }
    return 0;
}

/* Threads terminated inside a call leave the rest of the process working. Not while they start: then they would keep
 * the loader's lock. */
static void claim_terminated_threads(void)
{
    for (int i = 0; i < 100; i++) {
        LONG before = calls_made;
        HANDLE thread = CreateThread(NULL, 0, fail_for_ever, NULL, 0, NULL);

        while (InterlockedCompareExchange(&calls_made, 0, -1) < before + 3)
            Sleep(0);
        TerminateThread(thread, 0);
        WaitForSingleObject(thread, 10000);
        CloseHandle(thread);
    }
    thread_errors = 0;
    open_often(NULL);
    CHECK(thread_errors == 0);
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

/* Opens until the machine dies: then says with which error, within a second. */
static void claim_until_death(void)
{
    HANDLE file = open_read(on_share(L"probe.txt"));
    DWORD error, got, start;
    char byte;

    CHECK(file != INVALID_HANDLE_VALUE);
    puts("looping");
    fflush(stdout);
    do {
        start = GetTickCount();
        error = opens(on_share(L"a|b"), GENERIC_READ, 0) ? 0 : GetLastError();
    } while (error == ERROR_INVALID_NAME);
    if (error != ERROR_UNEXP_NET_ERR || GetTickCount() - start > 5000)
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
