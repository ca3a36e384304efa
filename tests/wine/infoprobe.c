/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infoprobe.exe - one claim about what a file, its volume and its folder are told and asked, per run, for
 * test_info_wine.c:
 *
 *   infoprobe CLAIM LETTER: [\\server\share]
 *
 * The letter is mapped if a share is given. Each claim works in a folder of its own there, which it makes and leaves:
 * the caller looks at it from outside. Exit status 0: the claim holds; 1: it does not, and standard error says what;
 * 2: no such claim.
 */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

#define UNICODE
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0602
#endif
#define WIN32_NO_STATUS
#include <windows.h>
#include <winioctl.h>
#include <winnetwk.h>
#include <winternl.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>

#include "claim.h"

#ifndef ERROR_NOT_SUPPORTED
#define ERROR_NOT_SUPPORTED 50
#endif

#define CLASS_ALLOCATION 19 /* Wine's kernelbase does not pass FileAllocationInfo on */

static WCHAR letter[] = L"X:";
static const WCHAR *claim = L"";

/* X:\CLAIM\name */
static const WCHAR *at(const WCHAR *name)
{
    static WCHAR paths[8][512];
    static int next;
    WCHAR *path = paths[next++ % 8];

    _snwprintf(path, 512, L"%ls\\%ls%ls%ls", letter, claim, name[0] ? L"\\" : L"", name);
    return path;
}

static HANDLE open_file(const WCHAR *name, DWORD access)
{
    HANDLE file = CreateFileW(at(name), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);

    if (file == INVALID_HANDLE_VALUE)
        failed(__FILE__, __LINE__, "a file cannot be opened", GetLastError());
    return file;
}

static void make_file(const WCHAR *name, const char *text)
{
    HANDLE file = CreateFileW(at(name), GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD done;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(WriteFile(file, text, (DWORD)strlen(text), &done, NULL));
    CHECK(CloseHandle(file));
}

static bool opens(const WCHAR *name, DWORD access)
{
    HANDLE file = CreateFileW(at(name), access, 0, NULL, OPEN_EXISTING, 0, NULL);

    return file != INVALID_HANDLE_VALUE && CloseHandle(file);
}

static bool holds(const WCHAR *name, const char *text)
{
    HANDLE file = open_file(name, GENERIC_READ);
    char buffer[256];
    DWORD done;
    bool same =
        ReadFile(file, buffer, sizeof(buffer), &done, NULL) && done == strlen(text) && memcmp(buffer, text, done) == 0;

    CloseHandle(file);
    return same;
}

/* ---- times ---- */

static FILETIME time_of(WORD year, WORD millisecond)
{
    SYSTEMTIME system = {year, 3, 0, 14, 15, 9, 26, millisecond};
    FILETIME time;

    SystemTimeToFileTime(&system, &time);
    return time;
}

static bool same_time(FILETIME a, FILETIME b)
{
    return CompareFileTime(&a, &b) == 0;
}

static void claim_times(void)
{
    const FILETIME created = time_of(1997, 0), accessed = time_of(2001, 250), written = time_of(2003, 125);
    FILETIME a, w, keep = {0xffffffff, 0xffffffff};
    WIN32_FILE_ATTRIBUTE_DATA data;
    WIN32_FIND_DATAW found;
    HANDLE file, find;
    DWORD done;

    make_file(L"f", "text");
    file = open_file(L"f", GENERIC_READ | GENERIC_WRITE);
    CHECK(WriteFile(file, "more text", 9, &done, NULL));
    CHECK(SetFileTime(file, &created, &accessed, &written));
    CHECK(GetFileTime(file, NULL, &a, &w));
    CHECK(same_time(a, accessed) && same_time(w, written));
    CHECK(SetFileTime(file, &keep, &keep, NULL));
    CHECK(SetFileTime(file, NULL, NULL, NULL));
    CHECK(CloseHandle(file));
    CHECK(GetFileAttributesExW(at(L"f"), GetFileExInfoStandard, &data));
    CHECK(same_time(data.ftLastWriteTime, written));
    CHECK(data.nFileSizeLow == 9);
    find = FindFirstFileW(at(L"f*"), &found);
    CHECK(find != INVALID_HANDLE_VALUE);
    CHECK(same_time(found.ftLastWriteTime, written));
    CHECK(same_time(found.ftLastAccessTime, accessed));
    CHECK(found.ftCreationTime.dwHighDateTime == 0 || same_time(found.ftCreationTime, created));
    CHECK(FindClose(find));

    CHECK(CreateDirectoryW(at(L"d"), NULL));
    file = open_file(L"d", FILE_WRITE_ATTRIBUTES);
    CHECK(SetFileTime(file, NULL, NULL, &written));
    CHECK(CloseHandle(file));
    CHECK(GetFileAttributesExW(at(L"d"), GetFileExInfoStandard, &data));
    CHECK(same_time(data.ftLastWriteTime, written));

    file = open_file(L"f", GENERIC_READ);
    CHECK_ERROR(SetFileTime(file, NULL, NULL, &created), ERROR_ACCESS_DENIED);
    CHECK(CloseHandle(file));
}

/* ---- attributes ---- */

static void claim_attributes(void)
{
    static const DWORD rows[] = {FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM,
                                 FILE_ATTRIBUTE_ARCHIVE,
                                 FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE};
    WIN32_FIND_DATAW found;
    HANDLE file;

    make_file(L"f", "text");
    CHECK(GetFileAttributesW(at(L"f")) == FILE_ATTRIBUTE_ARCHIVE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        CHECK(SetFileAttributesW(at(L"f"), rows[i]));
        CHECK(GetFileAttributesW(at(L"f")) == rows[i]);
        file = FindFirstFileW(at(L"f"), &found);
        CHECK(file != INVALID_HANDLE_VALUE && found.dwFileAttributes == rows[i]);
        CHECK(FindClose(file));
    }
    CHECK_ERROR(DeleteFileW(at(L"f")), ERROR_ACCESS_DENIED);
    CHECK_ERROR(opens(L"f", GENERIC_WRITE), ERROR_ACCESS_DENIED);
    CHECK(SetFileAttributesW(at(L"f"), FILE_ATTRIBUTE_NORMAL));
    CHECK(GetFileAttributesW(at(L"f")) == FILE_ATTRIBUTE_NORMAL);
    CHECK(DeleteFileW(at(L"f")));
    CHECK_ERROR(SetFileAttributesW(at(L"f"), FILE_ATTRIBUTE_HIDDEN), ERROR_FILE_NOT_FOUND);

    make_file(L"hidden", "text");
    CHECK(SetFileAttributesW(at(L"hidden"), FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM));
    make_file(L"readonly", "text");
    CHECK(SetFileAttributesW(at(L"readonly"), FILE_ATTRIBUTE_READONLY));
}

/* ---- size ---- */

static void claim_size(void)
{
    LARGE_INTEGER size, five = {.QuadPart = 5}, large = {.QuadPart = 1 << 20};
    FILE_ALLOCATION_INFO allocation = {{.QuadPart = 3}};
    FILE_END_OF_FILE_INFO end = {{.QuadPart = 7}};
    IO_STATUS_BLOCK io;
    HANDLE file;
    DWORD high;

    make_file(L"f", "0123456789");
    file = open_file(L"f", GENERIC_READ | GENERIC_WRITE);
    CHECK(SetFilePointerEx(file, five, NULL, FILE_BEGIN));
    CHECK(SetEndOfFile(file));
    CHECK(GetFileSizeEx(file, &size) && size.QuadPart == 5);
    CHECK(SetFilePointerEx(file, large, NULL, FILE_BEGIN));
    CHECK(SetEndOfFile(file));
    CHECK(GetFileSize(file, NULL) == 1 << 20);
    CHECK(SetFileInformationByHandle(file, FileEndOfFileInfo, &end, sizeof(end)));
    CHECK(GetFileSize(file, NULL) == 7);
    CHECK_STATUS(NtSetInformationFile(file, &io, &allocation, sizeof(allocation), CLASS_ALLOCATION), STATUS_SUCCESS);
    CHECK(GetFileSize(file, NULL) == 3);
    CHECK(CloseHandle(file));
    CHECK(holds(L"f", "012"));
    CHECK(GetCompressedFileSizeW(at(L"f"), &high) != INVALID_FILE_SIZE);
    file = open_file(L"f", GENERIC_READ);
    CHECK_ERROR(SetEndOfFile(file), ERROR_ACCESS_DENIED);
    CHECK(CloseHandle(file));
    CHECK(SetFileAttributesW(at(L"f"), FILE_ATTRIBUTE_READONLY));
    CHECK(SetFileAttributesW(at(L"f"), FILE_ATTRIBUTE_NORMAL));
}

/* ---- what a handle tells ---- */

static void claim_handle(void)
{
    BY_HANDLE_FILE_INFORMATION information;
    FILE_BASIC_INFO basic;
    FILE_STANDARD_INFO standard;
    FILE_ATTRIBUTE_TAG_INFO tag;
    FILE_ID_INFO id;
    union {
        FILE_NAME_INFO info;
        WCHAR room[300];
    } name;
    WCHAR path[300], expected[300];
    HANDLE file;

    make_file(L"f", "text");
    file = open_file(L"f", GENERIC_READ);
    CHECK(GetFileInformationByHandle(file, &information));
    CHECK(information.nFileSizeLow == 4 && information.nNumberOfLinks == 1);
    CHECK(information.dwFileAttributes == FILE_ATTRIBUTE_ARCHIVE);
    CHECK(GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof(basic)));
    CHECK(basic.FileAttributes == FILE_ATTRIBUTE_ARCHIVE);
    CHECK(basic.LastWriteTime.HighPart == (LONG)information.ftLastWriteTime.dwHighDateTime);
    CHECK(GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof(standard)));
    CHECK(standard.EndOfFile.QuadPart == 4 && !standard.Directory && !standard.DeletePending);
    CHECK(GetFileInformationByHandleEx(file, FileNameInfo, &name, sizeof(name)));
    CHECK(GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof(tag)));
    CHECK(tag.FileAttributes == FILE_ATTRIBUTE_ARCHIVE && tag.ReparseTag == 0);
    CHECK(GetFileInformationByHandleEx(file, FileIdInfo, &id, sizeof(id)));
    CHECK_ERROR(GetFileInformationByHandleEx(file, FileStandardInfo, &standard, 4), ERROR_BAD_LENGTH);
    CHECK(id.FileId.Identifier[0] == (BYTE)information.nFileIndexLow);
    CHECK(GetFileType(file) == FILE_TYPE_DISK);
    CHECK(GetFinalPathNameByHandleW(file, path, 300, 0) != 0);
    _snwprintf(expected, 300, L"\\\\?\\%ls", at(L"f"));
    CHECK(wcscmp(path, expected) == 0);
    CHECK(CloseHandle(file));
}

/* ---- NT's classes, as Win32 programs with ntdll ask them ---- */

static void claim_classes(void)
{
    static const struct {
        ULONG class, least;
        NTSTATUS file, directory;
    } rows[] = {
        {4, 40, STATUS_SUCCESS, STATUS_SUCCESS},                             /* basic */
        {5, 24, STATUS_SUCCESS, STATUS_SUCCESS},                             /* standard */
        {6, 8, STATUS_SUCCESS, STATUS_SUCCESS},                              /* internal */
        {7, 4, STATUS_SUCCESS, STATUS_SUCCESS},                              /* EA */
        {8, 4, STATUS_SUCCESS, STATUS_SUCCESS},                              /* access */
        {9, 8, STATUS_SUCCESS, STATUS_SUCCESS},                              /* name */
        {14, 8, STATUS_SUCCESS, STATUS_SUCCESS},                             /* position */
        {16, 4, STATUS_SUCCESS, STATUS_SUCCESS},                             /* mode */
        {17, 4, STATUS_SUCCESS, STATUS_SUCCESS},                             /* alignment */
        {18, 104, STATUS_SUCCESS, STATUS_SUCCESS},                           /* all */
        {21, 8, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND}, /* alternate name */
        {22, 0, STATUS_SUCCESS, STATUS_SUCCESS},                             /* stream */
        {28, 16, STATUS_SUCCESS, STATUS_SUCCESS},                            /* compression */
        {34, 56, STATUS_SUCCESS, STATUS_SUCCESS},                            /* network open */
        {35, 8, STATUS_SUCCESS, STATUS_SUCCESS},                             /* attribute tag */
        {48, 8, STATUS_SUCCESS, STATUS_SUCCESS},                             /* normalized name */
        {59, 24, STATUS_SUCCESS, STATUS_SUCCESS},                            /* id */
        {68, 72, STATUS_SUCCESS, STATUS_SUCCESS},                            /* stat */
        {71, 4, STATUS_SUCCESS, STATUS_SUCCESS},                             /* case sensitive */
        {20, 0, (NTSTATUS)STATUS_INVALID_INFO_CLASS, (NTSTATUS)STATUS_INVALID_INFO_CLASS},
    };
    _Alignas(8) char buffer[1024];
    IO_STATUS_BLOCK io;
    HANDLE file, directory;

    make_file(L"f", "text");
    file = open_file(L"f", GENERIC_READ | FILE_READ_ATTRIBUTES);
    directory = open_file(L"", GENERIC_READ);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        NTSTATUS of_file = NtQueryInformationFile(file, &io, buffer, sizeof(buffer), rows[i].class), of_directory, few;

        of_directory = NtQueryInformationFile(directory, &io, buffer, sizeof(buffer), rows[i].class);
        few = rows[i].least ? NtQueryInformationFile(file, &io, buffer, rows[i].least - 1, rows[i].class)
                            : (NTSTATUS)STATUS_INFO_LENGTH_MISMATCH;
        if (of_file != rows[i].file || of_directory != rows[i].directory ||
            few != (NTSTATUS)STATUS_INFO_LENGTH_MISMATCH) {
            fprintf(stderr, "infoprobe.c: class %lu: file %lx, directory %lx, with a byte too little %lx\n",
                    rows[i].class, of_file, of_directory, few);
            failures++;
        }
    }
    CHECK(CloseHandle(directory));
    CHECK(CloseHandle(file));
}

/* ---- volume ---- */

static void claim_volume(void)
{
    WCHAR root[] = {letter[0], ':', '\\', 0}, label[64], system[64];
    DWORD serial, component, flags, sectors, bytes, free_units, units;
    ULARGE_INTEGER available, total, free_bytes;

    CHECK(GetVolumeInformationW(root, label, 64, &serial, &component, &flags, system, 64));
    CHECK(component == 255 && label[0] && wcscmp(system, L"NTFS") == 0);
    CHECK(flags & FILE_CASE_PRESERVED_NAMES);
    CHECK(GetDiskFreeSpaceExW(root, &available, &total, &free_bytes));
    CHECK(total.QuadPart >= free_bytes.QuadPart && free_bytes.QuadPart >= available.QuadPart && available.QuadPart > 0);
    CHECK(GetDiskFreeSpaceW(root, &sectors, &bytes, &free_units, &units));
    CHECK((ULONGLONG)sectors * bytes * units == total.QuadPart || units == 0x7fffffff || units != 0);
    CHECK(GetDiskFreeSpaceExW(at(L""), &available, NULL, NULL));
    CHECK_ERROR(SetVolumeLabelW(root, L"other"), ERROR_ACCESS_DENIED);
    CHECK(GetDriveTypeW(root) == DRIVE_REMOTE);
}

/* ---- streams ---- */

static void claim_streams(void)
{
    WIN32_FIND_STREAM_DATA data;
    HANDLE find;

    make_file(L"f", "text");
    find = FindFirstStreamW(at(L"f"), FindStreamInfoStandard, &data, 0);
    if (find != INVALID_HANDLE_VALUE) {
        CHECK(wcscmp(data.cStreamName, L"::$DATA") == 0 && data.StreamSize.QuadPart == 4);
        CHECK_ERROR(FindNextStreamW(find, &data), ERROR_HANDLE_EOF);
        FindClose(find);
    }
}

/* ---- security ---- */

static void claim_security(void)
{
    _Alignas(8) char buffer[4096];
    PSECURITY_DESCRIPTOR descriptor = buffer;
    DWORD needed = 0, needed2;
    BOOL defaulted, present;
    PSID owner, group;
    PACL dacl;

    make_file(L"f", "text");
    CHECK_ERROR(GetFileSecurityW(at(L"f"), OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, NULL, 0, &needed),
                ERROR_INSUFFICIENT_BUFFER);
    CHECK(needed > 20 && needed <= sizeof(buffer));
    CHECK(GetFileSecurityW(at(L"f"), OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, descriptor, sizeof(buffer),
                           &needed2));
    CHECK(IsValidSecurityDescriptor(descriptor));
    CHECK(GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) && owner && IsValidSid(owner));
    CHECK(GetSecurityDescriptorGroup(descriptor, &group, &defaulted) && !group);
    CHECK(GetSecurityDescriptorDacl(descriptor, &present, &dacl, &defaulted) && present && !dacl);
    CHECK(needed == needed2);
    CHECK(SetFileSecurityW(at(L"f"), DACL_SECURITY_INFORMATION, descriptor));
    CHECK_ERROR(GetFileSecurityW(at(L"none"), DACL_SECURITY_INFORMATION, descriptor, sizeof(buffer), &needed),
                ERROR_FILE_NOT_FOUND);
}

/* ---- copying and moving ---- */

static void claim_copy(void)
{
    const FILETIME written = time_of(2003, 125);
    WIN32_FILE_ATTRIBUTE_DATA from, to;
    HANDLE file;

    make_file(L"f", "text");
    file = open_file(L"f", FILE_WRITE_ATTRIBUTES);
    CHECK(SetFileTime(file, NULL, NULL, &written));
    CHECK(CloseHandle(file));
    CHECK(SetFileAttributesW(at(L"f"), FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE));
    CHECK(CopyFileW(at(L"f"), at(L"copy"), TRUE));
    CHECK(holds(L"copy", "text"));
    CHECK(GetFileAttributesExW(at(L"f"), GetFileExInfoStandard, &from));
    CHECK(GetFileAttributesExW(at(L"copy"), GetFileExInfoStandard, &to));
    CHECK(from.dwFileAttributes == to.dwFileAttributes);
    CHECK(same_time(to.ftLastWriteTime, written));
    CHECK_ERROR(CopyFileW(at(L"f"), at(L"copy"), TRUE), ERROR_FILE_EXISTS);
    CHECK(SetFileAttributesW(at(L"copy"), FILE_ATTRIBUTE_NORMAL));
    CHECK(CopyFileExW(at(L"f"), at(L"copy"), NULL, NULL, NULL, 0));
    CHECK(MoveFileExW(at(L"copy"), at(L"moved"), 0));
    CHECK(GetFileAttributesW(at(L"copy")) == INVALID_FILE_ATTRIBUTES);
    make_file(L"other", "other");
    CHECK_ERROR(MoveFileExW(at(L"moved"), at(L"other"), 0), ERROR_ALREADY_EXISTS);
    CHECK(MoveFileExW(at(L"moved"), at(L"other"), MOVEFILE_REPLACE_EXISTING));
    CHECK(holds(L"other", "text"));
    make_file(L"new", "new");
    CHECK(ReplaceFileW(at(L"other"), at(L"new"), at(L"backup"), 0, NULL, NULL));
    CHECK(holds(L"other", "new"));
    CHECK(holds(L"backup", "text"));
    CHECK(GetFileAttributesW(at(L"new")) == INVALID_FILE_ATTRIBUTES);
    CHECK_ERROR(CreateHardLinkW(at(L"link"), at(L"other"), NULL), ERROR_NOT_SUPPORTED);
}

/* ---- listing ---- */

static void claim_listing(void)
{
    static const WCHAR *const names[] = {L"a.txt", L"b.txt", L"c", L"d.e.txt", L"noext"};
    static const struct {
        const WCHAR *pattern;
        int count;
    } rows[] = {{L"*", 7},  {L"*.*", 7},      {L"*.txt", 3}, {L"?.txt", 2},
                {L"n*", 1}, {L"??????.*", 7}, {L"C", 1},     {L"*.e.*", 1}};
    WIN32_FIND_DATAW found;
    HANDLE find;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        make_file(names[i], "text");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int count = 0;

        find = FindFirstFileW(at(rows[i].pattern), &found);
        if (find != INVALID_HANDLE_VALUE)
            do
                count++;
            while (FindNextFileW(find, &found));
        FindClose(find);
        if (count != rows[i].count) {
            fprintf(stderr, "infoprobe.c: %ls: %d names, not %d\n", rows[i].pattern, count, rows[i].count);
            failures++;
        }
    }
    CHECK_ERROR((find = FindFirstFileW(at(L"x*"), &found)) != INVALID_HANDLE_VALUE, ERROR_FILE_NOT_FOUND);
    find = FindFirstFileExW(at(L"*.txt"), FindExInfoBasic, &found, FindExSearchNameMatch, NULL, 0);
    CHECK(find != INVALID_HANDLE_VALUE && !found.cAlternateFileName[0]);
    CHECK(FindClose(find));
}

/* ---- control ---- */

NTSTATUS NTAPI NtQueryEaFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, BOOLEAN, PVOID, ULONG, PULONG, BOOLEAN);
NTSTATUS NTAPI NtSetEaFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG);

static DWORD control(HANDLE file, DWORD code)
{
    char buffer[1024] = {0};
    DWORD done;

    SetLastError(0);
    return DeviceIoControl(file, code, buffer, sizeof(buffer), buffer, sizeof(buffer), &done, NULL) ? 0
                                                                                                    : GetLastError();
}

static void claim_control(void)
{
    _Alignas(8) char buffer[256] = {0};
    IO_STATUS_BLOCK io;
    HANDLE file;

    make_file(L"f", "text");
    file = open_file(L"f", GENERIC_READ | GENERIC_WRITE);
    CHECK(control(file, FSCTL_GET_REPARSE_POINT) == ERROR_NOT_A_REPARSE_POINT);
    CHECK(control(file, FSCTL_SET_SPARSE) == ERROR_INVALID_FUNCTION);
    CHECK(control(file, FSCTL_GET_COMPRESSION) == ERROR_INVALID_FUNCTION);
    CHECK(control(file, FSCTL_QUERY_ALLOCATED_RANGES) == ERROR_INVALID_FUNCTION);
    CHECK(control(file, FSCTL_REQUEST_OPLOCK_LEVEL_1) == ERROR_INVALID_FUNCTION);
    CHECK(control(file, FSCTL_GET_OBJECT_ID) == 0); /* not by the machine: CopyFile of Wine needs it */
    CHECK(control(file, IOCTL_DISK_GET_LENGTH_INFO) == ERROR_INVALID_FUNCTION);
    CHECK_STATUS(NtQueryEaFile(file, &io, buffer, sizeof(buffer), FALSE, NULL, 0, NULL, TRUE), STATUS_NO_EAS_ON_FILE);
    memcpy(buffer, "\0\0\0\0\0\1\1\0A", 10); /* FILE_FULL_EA_INFORMATION: "A", one byte of value */
    CHECK_STATUS(NtSetEaFile(file, &io, buffer, 12), STATUS_EAS_NOT_SUPPORTED);
    CHECK_STATUS(NtSetVolumeInformationFile(file, &io, buffer, 12, 2), STATUS_NOT_SUPPORTED);
    CHECK(CloseHandle(file));
    file = open_file(L"f", GENERIC_READ);
    CHECK(control(file, FSCTL_SET_COMPRESSION) == ERROR_ACCESS_DENIED);
    CHECK(CloseHandle(file));
}

/* ---- what is mapped ---- */

static HANDLE open_to_change(const WCHAR *name)
{
    return open_file(name, GENERIC_READ | GENERIC_WRITE | DELETE);
}

static DWORD cut_off(const WCHAR *name, LONG size)
{
    HANDLE file = open_to_change(name);
    DWORD error = NO_ERROR;

    SetFilePointer(file, size, NULL, FILE_BEGIN);
    if (!SetEndOfFile(file))
        error = GetLastError();
    CHECK(CloseHandle(file));
    return error;
}

static DWORD overwrite(const WCHAR *name, DWORD disposition)
{
    HANDLE file = CreateFileW(at(name), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              disposition, 0, NULL);

    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    CHECK(CloseHandle(file));
    return NO_ERROR;
}

static DWORD mark(const WCHAR *name, BOOLEAN delete)
{
    FILE_DISPOSITION_INFO disposition = {delete};
    HANDLE file = open_to_change(name);
    DWORD error = NO_ERROR;

    if (!SetFileInformationByHandle(file, FileDispositionInfo, &disposition, sizeof(disposition)))
        error = GetLastError();
    CHECK(CloseHandle(file));
    return error;
}

static void expect_untouchable(const WCHAR *name)
{
    CHECK(cut_off(name, 3) == ERROR_USER_MAPPED_FILE);
    CHECK(cut_off(name, 9) == NO_ERROR);
    CHECK(overwrite(name, CREATE_ALWAYS) == ERROR_USER_MAPPED_FILE);
    CHECK(overwrite(name, TRUNCATE_EXISTING) == ERROR_USER_MAPPED_FILE);
    CHECK(overwrite(name, OPEN_EXISTING) == NO_ERROR);
    CHECK(mark(name, TRUE) == ERROR_ACCESS_DENIED); /* CANNOT_DELETE */
}

/* A view of it all, without a handle of file or section. */
static const char *map_view(const WCHAR *name, DWORD protection, DWORD access)
{
    HANDLE file = open_to_change(name), section = CreateFileMappingW(file, NULL, protection, 0, 0, NULL);
    const char *view;

    CHECK(section != NULL);
    view = MapViewOfFile(section, access, 0, 0, 0);
    CHECK(view != NULL);
    CHECK(CloseHandle(file));
    CHECK(CloseHandle(section));
    return view;
}

/* What claim_mapped starts: ends with a view. */
static void claim_holder(void)
{
    claim = L"mapped";
    CHECK(map_view(L"f", PAGE_READONLY, FILE_MAP_READ) != NULL);
}

/* Who has waited for a process finds nothing of its views. */
static void hold_in_a_process(void)
{
    WCHAR program[MAX_PATH], line[MAX_PATH + 32];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    DWORD code = 77;

    GetModuleFileNameW(NULL, program, MAX_PATH);
    _snwprintf(line, MAX_PATH + 32, L"\"%ls\" holder %ls", program, letter);
    if (!CreateProcessW(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process)) {
        failed(__FILE__, __LINE__, "the program does not start again", GetLastError());
        return;
    }
    CHECK(WaitForSingleObject(process.hProcess, INFINITE) == WAIT_OBJECT_0);
    CHECK(cut_off(L"f", 9) == NO_ERROR);
    CHECK(overwrite(L"f", CREATE_ALWAYS) == NO_ERROR);
    CHECK(GetExitCodeProcess(process.hProcess, &code) && code == 0);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
}

/* This program's own file, as a library would be. */
static void map_an_image(void)
{
    WCHAR program[MAX_PATH];
    HANDLE file, section;

    GetModuleFileNameW(NULL, program, MAX_PATH);
    CHECK(CopyFileW(program, at(L"image"), TRUE));
    file = open_file(L"image", GENERIC_READ | GENERIC_EXECUTE);
    section = CreateFileMappingW(file, NULL, PAGE_READONLY | SEC_IMAGE, 0, 0, NULL);
    CHECK(section != NULL);
    CHECK(CloseHandle(file));
    CHECK(overwrite(L"image", OPEN_EXISTING) == ERROR_SHARING_VIOLATION);
    CHECK(!DeleteFileW(at(L"image")) && GetLastError() == ERROR_ACCESS_DENIED);
    CHECK(CloseHandle(open_file(L"image", GENERIC_READ)));
    CHECK(CloseHandle(section));
    CHECK(overwrite(L"image", OPEN_EXISTING) == NO_ERROR);
    CHECK(DeleteFileW(at(L"image")));
}

static void claim_mapped(void)
{
    const char *view;
    HANDLE file, section;

    make_file(L"f", "some text");
    file = open_to_change(L"f");
    section = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    CHECK(section != NULL);
    expect_untouchable(L"f");
    CHECK(CloseHandle(section));
    CHECK(cut_off(L"f", 9) == NO_ERROR);
    CHECK(CloseHandle(file));
    view = map_view(L"f", PAGE_READONLY, FILE_MAP_READ);
    CHECK(view && memcmp(view, "some text", 9) == 0);
    expect_untouchable(L"f");
    CHECK(UnmapViewOfFile(view));
    view = map_view(L"f", PAGE_READWRITE, FILE_MAP_WRITE);
    expect_untouchable(L"f");
    CHECK(UnmapViewOfFile(view));
    CHECK(cut_off(L"f", 3) == NO_ERROR);
    hold_in_a_process();
    map_an_image();
    CHECK(mark(L"f", TRUE) == NO_ERROR);
}

static const struct {
    const WCHAR *name;
    void (*run)(void);
} claims[] = {
    {L"times", claim_times},     {L"attributes", claim_attributes}, {L"size", claim_size},
    {L"handle", claim_handle},   {L"classes", claim_classes},       {L"volume", claim_volume},
    {L"streams", claim_streams}, {L"security", claim_security},     {L"copy", claim_copy},
    {L"listing", claim_listing}, {L"control", claim_control},       {L"mapped", claim_mapped},
    {L"holder", claim_holder},
};

static bool map(const WCHAR *remote)
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = letter, .lpRemoteName = (WCHAR *)remote};
    DWORD error = WNetAddConnection2W(&resource, NULL, NULL, 0);

    if (error != NO_ERROR)
        failed(__FILE__, __LINE__, "the letter cannot be mapped", error);
    return error == NO_ERROR;
}

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    if (argc < 3)
        return 2;
    letter[0] = argv[2][0];
    claim = argv[1];
    for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++) {
        if (wcscmp(claims[i].name, claim) != 0)
            continue;
        if (argc > 3 && !map(argv[3]))
            return 1;
        CHECK(CreateDirectoryW(at(L""), NULL));
        claims[i].run();
        if (argc > 3)
            WNetCancelConnection2W(letter, 0, TRUE);
        return failures != 0;
    }
    fprintf(stderr, "infoprobe: no such claim\n");
    return 2;
}
