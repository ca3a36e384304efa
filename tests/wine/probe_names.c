/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe_names.c - claims about names, their errors, drives and connections. */
#include "probe.h"

#include <stdio.h>
#include <wchar.h>

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

void claim_names(void)
{
    check_names(on_share);
}

/* A UNC name reaches what its letter does, and fails as NT's redirector fails it. */
void claim_unc(void)
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

/* What GetFinalPathNameByHandle says of a share's root, which is no root without its last backslash. */
static bool root_is_called(const WCHAR *root, DWORD flags, const WCHAR *wanted)
{
    HANDLE directory = CreateFileW(root, 0, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    WCHAR text[MAX_PATH];
    bool named = GetFinalPathNameByHandleW(directory, text, MAX_PATH, flags);

    CloseHandle(directory);
    return named && _wcsicmp(text, wanted) == 0;
}

/* Without a letter the redirector connects by itself, and the file has a name. */
void claim_unc_alone(void)
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
    _snwprintf(wanted, MAX_PATH, L"\\\\?\\UNC%ls\\", remote + 1);
    CHECK(root_is_called(on_unc(L""), 0, wanted));
    CHECK_ERROR(opens(L"\\\\mem\\missing\\probe.txt", GENERIC_READ, FILE_SHARE_READ), ERROR_BAD_NET_NAME);
}

/* The bare letter is the letter's current directory: at the root, the name that cannot be. (Elsewhere it is another
 * name on Windows; Wine adds a backslash to any, so that the error is the same.) */
void claim_bare_letter(void)
{
    WCHAR bare[] = {letter, ':', 0}, variable[] = {'=', letter, ':', 0};

    SetEnvironmentVariableW(variable, on_share(L""));
    CHECK_ERROR(opens(bare, GENERIC_READ, FILE_SHARE_READ), ERROR_INVALID_NAME);
}

/* What Windows shows of a network drive and of a file on it. */
void claim_drive(void)
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
    _snwprintf(wanted, MAX_PATH, L"\\\\?\\%lc:\\", letter);
    CHECK(root_is_called(on_share(L""), 0, wanted));
    CHECK(root_is_called(on_share(L""), VOLUME_NAME_NONE, L"\\"));
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
void claim_connections(void)
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
