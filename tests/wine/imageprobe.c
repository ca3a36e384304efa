/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imageprobe.exe - one claim about mappings, images and processes on a mapped drive per run, for test_image_wine.c:
 *
 *   imageprobe CLAIM LETTER: \\server\share [ARGUMENT]
 *
 * The share holds probe.txt ("rdrlab probe\n") and the folder dir. Exit status 0: the claim holds; 1: it does not, and
 * standard error says what; 2: no such claim.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define UNICODE
#include <windows.h>
#include <winnetwk.h>

#include "claim.h"

#define TEXT_ON_SHARE "rdrlab probe\n"
#define TEXT_LENGTH   (sizeof(TEXT_ON_SHARE) - 1)

static WCHAR letter[] = L"X:";
static const WCHAR *remote = L"";
static const WCHAR *argument = L"";

static const WCHAR *on_share(const WCHAR *name)
{
    static WCHAR paths[8][MAX_PATH];
    static int next;
    WCHAR *path = paths[next++ % 8];

    _snwprintf(path, MAX_PATH, L"%ls\\%ls", letter, name);
    return path;
}

static HANDLE open_file(const WCHAR *name, DWORD access, DWORD disposition)
{
    return CreateFileW(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, disposition, 0,
                       NULL);
}

static HANDLE open_probe(DWORD access)
{
    return open_file(on_share(L"probe.txt"), access, OPEN_EXISTING);
}

/* A file of this length on the share; byte i is what byte_at says. */
static unsigned char byte_at(DWORD i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static bool make_file(const WCHAR *name, DWORD length)
{
    HANDLE file = open_file(name, GENERIC_WRITE, CREATE_ALWAYS);
    unsigned char *bytes = malloc(length);
    DWORD done = 0;
    bool good;

    for (DWORD i = 0; i < length; i++)
        bytes[i] = byte_at(i);
    good = file != INVALID_HANDLE_VALUE && WriteFile(file, bytes, length, &done, NULL) && done == length;
    CloseHandle(file);
    free(bytes);
    return good;
}

static bool has_bytes(const unsigned char *view, DWORD length)
{
    for (DWORD i = 0; i < length; i++)
        if (view[i] != byte_at(i))
            return false;
    return true;
}

/* ---- mappings ---- */

/* A file mapped for reading has its content, up to its end, and zeroes behind; also when all handles are closed. */
static void claim_mapping(void)
{
    enum { LENGTH = 200003 };
    HANDLE file, mapping;
    unsigned char *view;
    MEMORY_BASIC_INFORMATION region;

    CHECK(make_file(on_share(L"mapped.bin"), LENGTH));
    file = open_file(on_share(L"mapped.bin"), GENERIC_READ, OPEN_EXISTING);
    CHECK(SetFilePointer(file, 77, NULL, FILE_BEGIN) == 77);
    CHECK((mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL)) != NULL);
    CHECK(SetFilePointer(file, 0, NULL, FILE_CURRENT) == 77);
    CloseHandle(file);
    CHECK((view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0)) != NULL);
    CHECK_ERROR(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0), ERROR_ACCESS_DENIED);
    CloseHandle(mapping);
    CHECK(has_bytes(view, LENGTH));
    CHECK(view[LENGTH] == 0);
    CHECK(VirtualQuery(view, &region, sizeof(region)) && region.Type == MEM_MAPPED);
    CHECK(DeleteFileW(on_share(L"mapped.bin")));
    CHECK(has_bytes(view, LENGTH));
    CHECK(UnmapViewOfFile(view));
}

/* What is written to a copy on write view is the view's only. A part of a file may be mapped. */
static void claim_copy_on_write(void)
{
    HANDLE file, mapping;
    unsigned char *view, *part;

    CHECK(make_file(on_share(L"mapped.bin"), 200000));
    file = open_file(on_share(L"mapped.bin"), GENERIC_READ, OPEN_EXISTING);
    CHECK((mapping = CreateFileMappingW(file, NULL, PAGE_WRITECOPY, 0, 0, NULL)) != NULL);
    CHECK((view = MapViewOfFile(mapping, FILE_MAP_COPY, 0, 0, 0)) != NULL);
    CHECK((part = MapViewOfFile(mapping, FILE_MAP_COPY, 0, 65536, 1000)) != NULL);
    view[65536] = 0xAA;
    part[1] = 0xBB;
    CHECK(part[0] == byte_at(65536) && view[65537] == byte_at(65537));
    CHECK(UnmapViewOfFile(view) && UnmapViewOfFile(part));
    CHECK((view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0)) != NULL && has_bytes(view, 200000));
    CHECK(UnmapViewOfFile(view));
    CloseHandle(mapping);
    CloseHandle(file);
    CHECK(DeleteFileW(on_share(L"mapped.bin")));
}

/* What cannot be mapped fails as it does on NT. */
static void claim_mapping_errors(void)
{
    HANDLE file = open_probe(GENERIC_WRITE), folder;

    CHECK_ERROR(CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL), ERROR_ACCESS_DENIED);
    CloseHandle(file);
    file = open_probe(GENERIC_READ);
    CHECK_ERROR(CreateFileMappingW(file, NULL, PAGE_READONLY, 0, TEXT_LENGTH + 1, NULL), ERROR_NOT_ENOUGH_MEMORY);
    CHECK_ERROR(CreateFileMappingW(file, NULL, PAGE_READONLY | SEC_IMAGE, 0, 0, NULL), ERROR_BAD_EXE_FORMAT);
    CHECK_ERROR(CreateFileMappingW(file, NULL, 0x33, 0, 0, NULL), ERROR_INVALID_PARAMETER);
    CloseHandle(file);
    file = open_file(on_share(L"empty"), GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS);
    CHECK_ERROR(CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL), ERROR_FILE_INVALID);
    CloseHandle(file);
    CHECK(DeleteFileW(on_share(L"empty")));
    folder = CreateFileW(on_share(L"dir"), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                         FILE_FLAG_BACKUP_SEMANTICS, NULL);
    CHECK(!CreateFileMappingW(folder, NULL, PAGE_READONLY, 0, 0, NULL));
    CloseHandle(folder);
    /* Wine's own files are Wine's. */
    file = open_file(L"C:\\windows\\win.ini", GENERIC_READ, OPEN_EXISTING);
    CHECK(CloseHandle(CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL)));
    CloseHandle(file);
}

/* ---- mappings for writing ---- */

static unsigned char *map_writable(const WCHAR *name, DWORD size, HANDLE *ret_mapping)
{
    HANDLE file = open_file(name, GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);

    *ret_mapping = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, size, NULL);
    CloseHandle(file);
    return MapViewOfFile(*ret_mapping, FILE_MAP_WRITE, 0, 0, 0);
}

static int byte_of(const WCHAR *name, DWORD offset)
{
    HANDLE file = open_file(name, GENERIC_READ, OPEN_EXISTING);
    unsigned char byte = 0;
    DWORD got = 0;

    SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN);
    ReadFile(file, &byte, 1, &got, NULL);
    CloseHandle(file);
    return got ? byte : -1;
}

/* What is written to a view is in the file when it is flushed or unmapped, and nothing else is. */
static void claim_writable(void)
{
    enum { LENGTH = 200003 };
    HANDLE mapping, file;
    unsigned char *view, *part;
    DWORD done;

    CHECK(make_file(on_share(L"mapped.bin"), LENGTH));
    CHECK((view = map_writable(on_share(L"mapped.bin"), 0, &mapping)) != NULL && has_bytes(view, LENGTH));
    view[0] = 0xA0;
    view[LENGTH - 1] = 0xA1;
    CHECK(FlushViewOfFile(view, 0));
    CHECK(byte_of(on_share(L"mapped.bin"), 0) == 0xA0 && byte_of(on_share(L"mapped.bin"), LENGTH - 1) == 0xA1);
    CHECK(byte_of(on_share(L"mapped.bin"), LENGTH) == -1);

    /* Somebody else writes another page; two views of the section are one memory. */
    file = open_file(on_share(L"mapped.bin"), GENERIC_WRITE, OPEN_EXISTING);
    CHECK(SetFilePointer(file, 40000, NULL, FILE_BEGIN) == 40000 && WriteFile(file, "B", 1, &done, NULL));
    CloseHandle(file);
    CHECK((part = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 131072, 65536)) != NULL);
    part[5] = 0xA2;
    CHECK(view[131077] == 0xA2);
    CHECK(UnmapViewOfFile(part) && byte_of(on_share(L"mapped.bin"), 131077) == 0xA2);
    view[70000] = 0xA3;
    CHECK(CloseHandle(mapping));
    view[70001] = 0xA4;
    CHECK(UnmapViewOfFile(view));
    CHECK(byte_of(on_share(L"mapped.bin"), 70000) == 0xA3 && byte_of(on_share(L"mapped.bin"), 70001) == 0xA4);
    CHECK(byte_of(on_share(L"mapped.bin"), 40000) == 'B');
    CHECK(byte_of(on_share(L"mapped.bin"), 40001) == byte_at(40001));

    /* A larger section makes the file longer; a larger one of the same file sees what is there. */
    CHECK((view = map_writable(on_share(L"mapped.bin"), 300000, &mapping)) != NULL);
    view[299999] = 0xA5;
    CHECK(UnmapViewOfFile(view) && CloseHandle(mapping));
    CHECK(byte_of(on_share(L"mapped.bin"), 299999) == 0xA5 && byte_of(on_share(L"mapped.bin"), 250000) == 0);
    CHECK(byte_of(on_share(L"mapped.bin"), 300000) == -1);
    CHECK(DeleteFileW(on_share(L"mapped.bin")));
}

/* Who may not write makes no section that does. */
static void claim_writable_errors(void)
{
    HANDLE file = open_probe(GENERIC_READ);

    CHECK_ERROR(CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL), ERROR_ACCESS_DENIED);
    CloseHandle(file);
    file = open_probe(GENERIC_WRITE);
    CHECK_ERROR(CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL), ERROR_ACCESS_DENIED);
    CloseHandle(file);
    file = open_file(on_share(L"empty"), GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS);
    CHECK_ERROR(CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL), ERROR_FILE_INVALID);
    CloseHandle(file);
    CHECK(DeleteFileW(on_share(L"empty")));
}

/* Byte-range locks of another handle do not hold for what is read and written through a mapping. */
static void claim_locked(void)
{
    HANDLE owner, other, mapping;
    unsigned char *view, byte = 0;
    DWORD done;

    CHECK(make_file(on_share(L"locked.bin"), 20000));
    owner = open_file(on_share(L"locked.bin"), GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
    other = open_file(on_share(L"locked.bin"), GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
    CHECK(LockFile(owner, 100, 0, 10000, 0));
    CHECK_ERROR(ReadFile(other, &byte, 1, &done, NULL) && SetFilePointer(other, 100, NULL, FILE_BEGIN) == 100 &&
                    ReadFile(other, &byte, 1, &done, NULL),
                ERROR_LOCK_VIOLATION);
    CHECK((mapping = CreateFileMappingW(other, NULL, PAGE_READWRITE, 0, 0, NULL)) != NULL);
    CHECK((view = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0)) != NULL && has_bytes(view, 20000));
    view[5000] = 0xA6;
    CHECK(FlushViewOfFile(view, 0));
    CHECK(SetFilePointer(owner, 5000, NULL, FILE_BEGIN) == 5000 && ReadFile(owner, &byte, 1, &done, NULL));
    CHECK(byte == 0xA6);
    CHECK(SetFilePointer(other, 0, NULL, FILE_CURRENT) == 100);
    view[6000] = 0xA7;
    CHECK(UnmapViewOfFile(view) && CloseHandle(mapping) && CloseHandle(other));
    CHECK(SetFilePointer(owner, 6000, NULL, FILE_BEGIN) == 6000 && ReadFile(owner, &byte, 1, &done, NULL));
    CHECK(byte == 0xA7);
    CHECK(CloseHandle(owner) && DeleteFileW(on_share(L"locked.bin")));
}

/* ---- images ---- */

static const WCHAR *beside_program(const WCHAR *name)
{
    static WCHAR path[MAX_PATH];

    GetModuleFileNameW(NULL, path, MAX_PATH);
    wcscpy(wcsrchr(path, '\\') + 1, name);
    return path;
}

/* A DLL is loaded from the drive, with one that lies beside it there, and has its name there. */
static void claim_library(void)
{
    int (*user)(int);
    HMODULE library, used;
    WCHAR path[MAX_PATH];
    DWORD error;

    CHECK(CopyFileW(beside_program(L"imageuser.dll"), on_share(L"dir\\imageuser.dll"), FALSE));
    CHECK_ERROR(LoadLibraryW(on_share(L"dir\\no such.dll")), ERROR_MOD_NOT_FOUND);
    LoadLibraryW(L"C:\\windows\\win.ini");
    error = GetLastError();
    CHECK_ERROR(LoadLibraryW(on_share(L"probe.txt")), error);
    CHECK(CopyFileW(beside_program(L"imageused.dll"), on_share(L"dir\\renamed.dll"), FALSE));
    CHECK((used = LoadLibraryW(on_share(L"dir\\renamed.dll"))) != NULL);
    CHECK(GetModuleFileNameW(used, path, MAX_PATH) && _wcsicmp(path, on_share(L"dir\\renamed.dll")) == 0);
    CHECK(GetModuleHandleW(L"renamed.dll") == used);
    CHECK(FreeLibrary(used));
    CHECK(MoveFileW(on_share(L"dir\\renamed.dll"), on_share(L"dir\\imageused.dll")));

    CHECK((library = LoadLibraryExW(on_share(L"dir\\imageuser.dll"), NULL, LOAD_WITH_ALTERED_SEARCH_PATH)) != NULL);
    CHECK((user = (void *)GetProcAddress(library, "image_user")) != NULL && user(5) == 16);
    CHECK(GetModuleFileNameW(library, path, MAX_PATH) && _wcsicmp(path, on_share(L"dir\\imageuser.dll")) == 0);
    used = GetModuleHandleW(L"imageused.dll");
    CHECK(GetModuleFileNameW(used, path, MAX_PATH) && _wcsicmp(path, on_share(L"dir\\imageused.dll")) == 0);
    CHECK(LoadLibraryW(on_share(L"dir\\imageuser.dll")) == library);
    CHECK(FreeLibrary(library) && FreeLibrary(library));
    CHECK(GetModuleHandleW(L"imageused.dll") == NULL);
    CHECK((library = LoadLibraryExW(on_share(L"dir\\imageused.dll"), NULL, LOAD_LIBRARY_AS_DATAFILE)) != NULL);
    CHECK(FreeLibrary(library));
    CHECK(DeleteFileW(on_share(L"dir\\imageuser.dll")) && DeleteFileW(on_share(L"dir\\imageused.dll")));
}

/* ---- programs ---- */

static bool copy_program(const WCHAR *folder)
{
    static const WCHAR *const files[] = {L"imageprog.exe", L"imageuser.dll", L"imageused.dll"};
    bool good = CreateDirectoryW(folder, NULL);
    WCHAR path[MAX_PATH];

    for (size_t i = 0; i < ARRAYSIZE(files); i++) {
        _snwprintf(path, MAX_PATH, L"%ls\\%ls", folder, files[i]);
        good = good && CopyFileW(beside_program(files[i]), path, FALSE);
    }
    return good;
}

static bool remove_folder(const WCHAR *folder)
{
    WCHAR path[MAX_PATH];
    WIN32_FIND_DATAW found;
    HANDLE find;

    _snwprintf(path, MAX_PATH, L"%ls\\*", folder);
    find = FindFirstFileW(path, &found);
    do {
        _snwprintf(path, MAX_PATH, L"%ls\\%ls", folder, found.cFileName);
        if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            DeleteFileW(path);
    } while (FindNextFileW(find, &found));
    FindClose(find);
    return RemoveDirectoryW(folder);
}

/* An inheritable file. */
static HANDLE open_stream(const WCHAR *name, DWORD access, DWORD disposition)
{
    SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), NULL, TRUE};

    return CreateFileW(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE, &inheritable, disposition, 0, NULL);
}

/* Runs it with standard input and output on the share: in.txt, out.txt. Returns its exit status. */
static DWORD run(const WCHAR *application, const WCHAR *command, const WCHAR *directory)
{
    STARTUPINFOW startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process;
    WCHAR line[1024];
    DWORD status = 9999;

    wcscpy(line, command);
    startup.hStdInput = open_stream(on_share(L"in.txt"), GENERIC_READ, OPEN_EXISTING);
    startup.hStdOutput = open_stream(on_share(L"out.txt"), GENERIC_WRITE, CREATE_ALWAYS);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (CreateProcessW(application, line, NULL, NULL, TRUE, 0, NULL, directory, &startup, &process)) {
        WaitForSingleObject(process.hProcess, 30000);
        GetExitCodeProcess(process.hProcess, &status);
        CloseHandle(process.hProcess);
        CloseHandle(process.hThread);
    } else {
        status = 10000 + GetLastError();
    }
    CloseHandle(startup.hStdInput);
    CloseHandle(startup.hStdOutput);
    return status;
}

/* The whole of a small text file, without carriage returns. */
static const char *content(const WCHAR *name)
{
    static char text[4096];
    HANDLE file = open_file(name, GENERIC_READ, OPEN_EXISTING);
    DWORD got = 0, kept = 0;

    ReadFile(file, text, sizeof(text) - 1, &got, NULL);
    CloseHandle(file);
    for (DWORD i = 0; i < got; i++)
        if (text[i] != '\r')
            text[kept++] = text[i];
    text[kept] = '\0';
    return text;
}

static bool put_text(const WCHAR *name, const char *text)
{
    HANDLE file = open_file(name, GENERIC_WRITE, CREATE_ALWAYS);
    DWORD done;

    return WriteFile(file, text, (DWORD)strlen(text), &done, NULL) && CloseHandle(file);
}

static void check_output(int line, const char *expected)
{
    const char *text = content(on_share(L"out.txt"));

    if (strcmp(text, expected) != 0) {
        failed(__FILE__, line, "the program said otherwise", 0);
        fprintf(stderr, "---- it said:\n%s---- and not:\n%s", text, expected);
    }
}

/* A program runs from the drive with its DLLs beside it, under its own name there, and is given what it was started
 * with. */
static void claim_program(void)
{
    SetEnvironmentVariableW(L"IMAGEPROG", L"a value");
    CHECK(put_text(on_share(L"in.txt"), "first\nsecond\n"));
    CHECK(copy_program(on_share(L"prog")));
    CHECK(run(on_share(L"prog\\imageprog.exe"), L"zero \"one two\" three", L"C:\\windows") == 7);
    check_output(__LINE__, "module X:\\prog\\imageprog.exe\ndirectory C:\\windows\n"
                           "argument zero\nargument one two\nargument three\nvariable a value\n"
                           "library X:\\prog\\imageuser.dll 16\nresource resource\ntls 1 42\ninput first\n");
    CHECK(run(NULL, L"X:\\prog\\imageprog", L"X:\\dir") == 7);
    check_output(__LINE__, "module X:\\prog\\imageprog.exe\ndirectory X:\\dir\n"
                           "argument X:\\prog\\imageprog\nvariable a value\n"
                           "library X:\\prog\\imageuser.dll 16\nresource resource\ntls 1 42\ninput first\n");
    CHECK(remove_folder(on_share(L"prog")));
    CHECK(DeleteFileW(on_share(L"in.txt")) && DeleteFileW(on_share(L"out.txt")));
}

#define PROGRAM_SAID(directory, name)                                                                                  \
    "module X:\\prog\\imageprog.exe\ndirectory " directory "\nargument " name "\nargument a b\nvariable \n"            \
    "library X:\\prog\\imageuser.dll 16\nresource resource\ntls 1 42\n"

/* The command interpreter runs programs and scripts of the drive, by their full names and by the working directory, and
 * its redirections reach them. */
static void claim_shell(void)
{
    CHECK(put_text(on_share(L"in.txt"), "first\n"));
    CHECK(copy_program(on_share(L"prog")));
    CHECK(run(NULL, L"cmd /c X:\\prog\\imageprog.exe \"a b\"", NULL) == 7);
    CHECK(strstr(content(on_share(L"out.txt")), "module X:\\prog\\imageprog.exe\n"));
    CHECK(run(NULL, L"cmd /c imageprog \"a b\"", L"X:\\prog") == 7);
    check_output(__LINE__, PROGRAM_SAID("X:\\prog", "imageprog") "input first\n");
    CHECK(SetCurrentDirectoryW(on_share(L"prog")));
    CHECK(run(NULL, L"cmd /c imageprog \"a b\" < nul > ..\\dir\\redirected.txt", NULL) == 7);
    CHECK(strcmp(content(on_share(L"dir\\redirected.txt")), PROGRAM_SAID("X:\\prog", "imageprog")) == 0);
    CHECK(put_text(L"script.cmd", "@imageprog \"a b\" >>%1\n@echo after>>%1\n@exit 9\n"));
    CHECK(run(NULL, L"X:\\prog\\script.cmd ..\\dir\\redirected.txt", NULL) == 9);
    CHECK(strcmp(content(on_share(L"dir\\redirected.txt")), PROGRAM_SAID("X:\\prog", "imageprog") PROGRAM_SAID(
                                                                "X:\\prog", "imageprog") "input first\nafter\n") == 0);
    SetCurrentDirectoryW(L"C:\\");
    CHECK(DeleteFileW(on_share(L"dir\\redirected.txt")));
    CHECK(remove_folder(on_share(L"prog")));
    CHECK(DeleteFileW(on_share(L"in.txt")) && DeleteFileW(on_share(L"out.txt")));
}

/* What is no program fails as it does anywhere. */
static void claim_no_program(void)
{
    CHECK(put_text(on_share(L"in.txt"), "first\n"));
    CHECK(run(on_share(L"no such.exe"), L"x", NULL) == 10000 + ERROR_FILE_NOT_FOUND);
    CHECK(run(on_share(L"no such\\no such.exe"), L"x", NULL) == 10000 + ERROR_PATH_NOT_FOUND);
    CHECK(run(on_share(L"probe.txt"), L"x", NULL) == 10000 + ERROR_BAD_EXE_FORMAT);
    CHECK(run(on_share(L"dir"), L"x", NULL) == 10000 + ERROR_ACCESS_DENIED);
    CHECK(CopyFileW(beside_program(L"imageused.dll"), on_share(L"library.exe"), FALSE));
    CHECK(run(on_share(L"library.exe"), L"x", NULL) == 10000 + ERROR_BAD_EXE_FORMAT);
    /* Without what it needs beside it: it is started, and ends with the status that says so. */
    CHECK(CopyFileW(beside_program(L"imageprog.exe"), on_share(L"alone.exe"), FALSE));
    CHECK(run(on_share(L"alone.exe"), L"x", NULL) == 0xC0000135);
    CHECK(DeleteFileW(on_share(L"alone.exe")) && DeleteFileW(on_share(L"library.exe")));
    CHECK(DeleteFileW(on_share(L"in.txt")) && DeleteFileW(on_share(L"out.txt")));
}

/* ---- handles ---- */

typedef NTSTATUS(NTAPI *query_object)(HANDLE, ULONG, void *, ULONG, ULONG *);

/* What a handle is and may do, and the name of its file in each form. */
static void claim_handle(void)
{
    query_object query = (query_object)(void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryObject");
    HANDLE file = open_probe(GENERIC_READ), writer = open_probe(FILE_WRITE_DATA | SYNCHRONIZE);
    struct {
        ULONG attributes, access, handles, pointers, more[10];
    } basic;
    struct {
        USHORT length, room;
        WCHAR *text;
        WCHAR more[64];
    } type;
    WCHAR text[MAX_PATH], wanted[MAX_PATH];

    CHECK(query(file, 0, &basic, sizeof(basic), NULL) == 0 && basic.access == FILE_GENERIC_READ);
    CHECK(query(writer, 0, &basic, sizeof(basic), NULL) == 0 &&
          basic.access == (FILE_WRITE_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE));
    CHECK(query(file, 2, &type, sizeof(type), NULL) == 0 && wcscmp(type.text, L"File") == 0);
    CloseHandle(writer);

    _snwprintf(wanted, MAX_PATH, L"\\\\?\\%ls\\probe.txt", letter);
    CHECK(GetFinalPathNameByHandleW(file, text, MAX_PATH, VOLUME_NAME_DOS) && _wcsicmp(text, wanted) == 0);
    CHECK(GetFinalPathNameByHandleW(file, text, MAX_PATH, FILE_NAME_OPENED) && _wcsicmp(text, wanted) == 0);
    CHECK(GetFinalPathNameByHandleW(file, text, MAX_PATH, VOLUME_NAME_NONE) && _wcsicmp(text, L"\\probe.txt") == 0);
    CHECK(GetFinalPathNameByHandleW(file, text, 5, VOLUME_NAME_DOS) == wcslen(wanted) + 1);
    CHECK(!GetFinalPathNameByHandleW(file, text, MAX_PATH, VOLUME_NAME_GUID));
    CHECK(GetFinalPathNameByHandleW(file, text, MAX_PATH, VOLUME_NAME_NT) && wcsncmp(text, L"\\Device\\", 8) == 0);
    CloseHandle(file);
}

static HANDLE start_child(const WCHAR *claim, const WCHAR *extra)
{
    WCHAR path[MAX_PATH], command[1024];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;

    GetModuleFileNameW(NULL, path, MAX_PATH);
    _snwprintf(command, 1024, L"\"%ls\" %ls %ls %ls %ls", path, claim, letter, remote, extra);
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
        return NULL;
    CloseHandle(process.hThread);
    return process.hProcess;
}

static DWORD end_child(HANDLE process)
{
    DWORD status = 9999;

    WaitForSingleObject(process, 30000);
    GetExitCodeProcess(process, &status);
    CloseHandle(process);
    return status;
}

static bool reads(HANDLE file, const char *expected)
{
    char text[64];
    DWORD got, length = (DWORD)strlen(expected);

    return ReadFile(file, text, length, &got, NULL) && got == length && memcmp(text, expected, length) == 0;
}

/* Two processes that map a file for writing see each other's changes; the end of one writes back, also what it never
 * flushed; of one that is killed, what it flushed is there. */
static void claim_shared(void)
{
    HANDLE go = CreateEventW(NULL, FALSE, FALSE, L"imageprobe go"),
           back = CreateEventW(NULL, FALSE, FALSE, L"imageprobe back"), mapping, child;
    volatile unsigned char *view;

    CHECK(make_file(on_share(L"shared.bin"), 50000));
    CHECK((view = map_writable(on_share(L"shared.bin"), 0, &mapping)) != NULL);
    view[7] = 0xC0;
    CHECK((child = start_child(L"sharing", L"1")) != NULL);
    CHECK(WaitForSingleObject(back, 30000) == WAIT_OBJECT_0);
    CHECK(view[20000] == 0xC1);
    view[8] = 0xC2;
    SetEvent(go);
    CHECK(end_child(child) == 0);
    CHECK(byte_of(on_share(L"shared.bin"), 20000) == 0xC1 && byte_of(on_share(L"shared.bin"), 30000) == 0xC3);
    CHECK(UnmapViewOfFile((void *)view) && CloseHandle(mapping));
    CHECK(byte_of(on_share(L"shared.bin"), 7) == 0xC0 && byte_of(on_share(L"shared.bin"), 8) == 0xC2);

    CHECK((child = start_child(L"sharing", L"2")) != NULL);
    CHECK(WaitForSingleObject(back, 30000) == WAIT_OBJECT_0);
    TerminateProcess(child, 5);
    CHECK(end_child(child) == 5);
    CHECK(byte_of(on_share(L"shared.bin"), 40000) == 0xC4);
    for (int tries = 0; tries < 1000 && !DeleteFileW(on_share(L"shared.bin")); tries++)
        Sleep(10); /* the killed one */
    CloseHandle(go);
    CloseHandle(back);
}

static void claim_sharing(void)
{
    HANDLE go = OpenEventW(SYNCHRONIZE, FALSE, L"imageprobe go"),
           back = OpenEventW(EVENT_MODIFY_STATE, FALSE, L"imageprobe back"), mapping;
    volatile unsigned char *view = map_writable(on_share(L"shared.bin"), 0, &mapping);

    CHECK(view != NULL);
    if (argument[0] == '1') {
        CHECK(view[7] == 0xC0);
        view[20000] = 0xC1;
        SetEvent(back);
        CHECK(WaitForSingleObject(go, 30000) == WAIT_OBJECT_0);
        CHECK(view[8] == 0xC2);
        view[30000] = 0xC3;
        return;
    }
    view[40000] = 0xC4;
    CHECK(FlushViewOfFile((void *)view, 0));
    view[40001] = 0xC5;
    SetEvent(back);
    Sleep(30000);
}

static HANDLE argument_handle(void)
{
    return (HANDLE)(ULONG_PTR)wcstoul(argument, NULL, 10);
}

static const WCHAR *number(HANDLE handle)
{
    static WCHAR text[32];

    _snwprintf(text, 32, L"%lu", (DWORD)(ULONG_PTR)handle);
    return text;
}

/* Parent and child write by one inherited handle, one behind the other; the child's is the last to be closed. */
static void claim_inherit(void)
{
    HANDLE file = open_stream(on_share(L"shared.txt"), GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS), child;
    HANDLE go = CreateEventW(NULL, TRUE, FALSE, L"imageprobe go");
    DWORD done;

    CHECK(WriteFile(file, "parent ", 7, &done, NULL));
    CHECK((child = start_child(L"inherited", number(file))) != NULL);
    CloseHandle(file);
    CHECK_ERROR(DeleteFileW(on_share(L"shared.txt")), ERROR_SHARING_VIOLATION);
    SetEvent(go);
    CHECK(end_child(child) == 0);
    CHECK(strcmp(content(on_share(L"shared.txt")), "parent child end") == 0);
    CHECK(DeleteFileW(on_share(L"shared.txt")));
    CloseHandle(go);
}

static void claim_inherited(void)
{
    HANDLE file = argument_handle(), go = OpenEventW(SYNCHRONIZE, FALSE, L"imageprobe go");
    DWORD done;

    CHECK(WaitForSingleObject(go, 30000) == WAIT_OBJECT_0);
    CHECK(SetFilePointer(file, 0, NULL, FILE_CURRENT) == 7);
    CHECK(WriteFile(file, "child ", 6, &done, NULL));
    CHECK(SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 && reads(file, "parent child "));
    CHECK(WriteFile(file, "end", 3, &done, NULL));
}

/* A handle goes to another process and another one comes back, by DuplicateHandle; either may outlive its opener. */
static void claim_duplicate(void)
{
    HANDLE go = CreateEventW(NULL, FALSE, FALSE, L"imageprobe go"),
           back = CreateEventW(NULL, FALSE, FALSE, L"imageprobe back");
    HANDLE file = open_probe(GENERIC_READ), child = start_child(L"duplicated", L"0"), there = NULL, here = NULL;
    HANDLE region = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, L"imageprobe region");
    volatile DWORD *numbers = MapViewOfFile(region, FILE_MAP_ALL_ACCESS, 0, 0, 0);

    CHECK(reads(file, "rdrlab "));
    CHECK(DuplicateHandle(GetCurrentProcess(), file, child, &there, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    CHECK(!reads(file, "probe"));
    numbers[0] = (DWORD)(ULONG_PTR)there;
    SetEvent(go);
    CHECK(WaitForSingleObject(back, 30000) == WAIT_OBJECT_0);
    CHECK(DuplicateHandle(child, (HANDLE)(ULONG_PTR)numbers[1], GetCurrentProcess(), &here, 0, FALSE,
                          DUPLICATE_SAME_ACCESS));
    CHECK(TerminateProcess(child, 5) && end_child(child) == 5);
    CHECK(reads(here, "twice"));
    CHECK(GetFileType(here) == FILE_TYPE_DISK);
    CHECK(CloseHandle(here));
    UnmapViewOfFile((void *)numbers);
    CloseHandle(region);
    CloseHandle(go);
    CloseHandle(back);
    for (int tries = 0; tries < 1000 && !DeleteFileW(on_share(L"twice.txt")); tries++)
        Sleep(10); /* its killed opener */
    CHECK(GetFileAttributesW(on_share(L"twice.txt")) == INVALID_FILE_ATTRIBUTES);
}

static void claim_duplicated(void)
{
    HANDLE go = OpenEventW(SYNCHRONIZE, FALSE, L"imageprobe go"),
           back = OpenEventW(EVENT_MODIFY_STATE, FALSE, L"imageprobe back");
    HANDLE region = NULL;
    volatile DWORD *numbers;
    HANDLE file;

    CHECK(WaitForSingleObject(go, 30000) == WAIT_OBJECT_0);
    region = OpenFileMappingW(FILE_MAP_ALL_ACCESS, FALSE, L"imageprobe region");
    numbers = MapViewOfFile(region, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    CHECK(reads((HANDLE)(ULONG_PTR)numbers[0], "probe"));
    CHECK(put_text(on_share(L"twice.txt"), "once twice"));
    file = open_file(on_share(L"twice.txt"), GENERIC_READ, OPEN_EXISTING);
    CHECK(reads(file, "once "));
    numbers[1] = (DWORD)(ULONG_PTR)file;
    SetEvent(back);
    Sleep(30000);
}

/* ---- threads ---- */

static LONG thread_errors, thread_rounds;

/* Opens, writes, reads, maps and closes a file of its own, and loads a library that all threads do. */
static DWORD WINAPI use_files(void *parameter)
{
    WCHAR path[MAX_PATH];

    _snwprintf(path, MAX_PATH, L"%ls\\thread%u.bin", letter, (unsigned)(ULONG_PTR)parameter);
    for (int i = 0; i < 20; i++) {
        DWORD length = 1000 + (DWORD)i * 3777;
        HANDLE file, mapping;
        unsigned char *view = NULL;
        HMODULE library;

        if (!make_file(path, length))
            InterlockedIncrement(&thread_errors);
        file = open_file(path, GENERIC_READ, OPEN_EXISTING);
        mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
        CloseHandle(file);
        view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
        CloseHandle(mapping);
        if (!view || !has_bytes(view, length) || !UnmapViewOfFile(view))
            InterlockedIncrement(&thread_errors);
        library = LoadLibraryW(on_share(L"dir\\imageused.dll"));
        if (!library || !GetProcAddress(library, "image_used") || !FreeLibrary(library))
            InterlockedIncrement(&thread_errors);
        InterlockedIncrement(&thread_rounds);
    }
    if (!DeleteFileW(path))
        InterlockedIncrement(&thread_errors);
    return 0;
}

static void claim_threads(void)
{
    HANDLE threads[8];

    CHECK(CopyFileW(beside_program(L"imageused.dll"), on_share(L"dir\\imageused.dll"), FALSE));
    for (int i = 0; i < 8; i++)
        threads[i] = CreateThread(NULL, 0, use_files, (void *)(ULONG_PTR)i, 0, NULL);
    CHECK(WaitForMultipleObjects(8, threads, TRUE, 60000) == WAIT_OBJECT_0);
    for (int i = 0; i < 8; i++)
        CloseHandle(threads[i]);
    CHECK(thread_errors == 0 && thread_rounds == 160);
    CHECK(DeleteFileW(on_share(L"dir\\imageused.dll")));
}

/* Reads for ever, without heap and loader. Not opening: Wine's own services keep locks of a thread that is terminated
 * in them, for any file. */
static DWORD WINAPI read_for_ever(void *parameter)
{
    HANDLE file = parameter;
    char text[TEXT_LENGTH];

    for (;;) {
        OVERLAPPED at = {0};
        DWORD got;

        if (!ReadFile(file, text, TEXT_LENGTH, &got, &at) || memcmp(text, TEXT_ON_SHARE, TEXT_LENGTH) != 0)
            InterlockedIncrement(&thread_errors);
        InterlockedIncrement(&thread_rounds);
    }
    return 0;
}

/* Threads that are terminated while they use a file leave it to the others. */
static void claim_terminated_threads(void)
{
    HANDLE file = open_probe(GENERIC_READ);

    for (int i = 0; i < 40; i++) {
        LONG before = thread_rounds;
        HANDLE thread = CreateThread(NULL, 0, read_for_ever, file, 0, NULL);

        while (InterlockedCompareExchange(&thread_rounds, 0, -1) < before + 2)
            Sleep(0);
        TerminateThread(thread, 0);
        WaitForSingleObject(thread, 10000);
        CloseHandle(thread);
    }
    CHECK(SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 && reads(file, TEXT_ON_SHARE));
    CloseHandle(file);
    claim_mapping();
    CHECK(thread_errors == 0);
}

/* Dies with a file and a library mapped. */
static void claim_killed(void)
{
    HANDLE file = open_probe(GENERIC_READ), mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    const char *view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);

    CHECK(view && memcmp(view, TEXT_ON_SHARE, TEXT_LENGTH) == 0);
    TerminateProcess(GetCurrentProcess(), failures ? 1 : 0);
}

static const struct {
    const WCHAR *name;
    void (*run)(void);
    bool unmapped; /* a child's: the letter is there already */
} claims[] = {
    {L"mapping", claim_mapping, false},
    {L"copy-on-write", claim_copy_on_write, false},
    {L"mapping-errors", claim_mapping_errors, false},
    {L"writable", claim_writable, false},
    {L"writable-errors", claim_writable_errors, false},
    {L"locked", claim_locked, false},
    {L"shared", claim_shared, false},
    {L"sharing", claim_sharing, true},
    {L"library", claim_library, false},
    {L"program", claim_program, false},
    {L"shell", claim_shell, false},
    {L"no-program", claim_no_program, false},
    {L"handle", claim_handle, false},
    {L"inherit", claim_inherit, false},
    {L"inherited", claim_inherited, true},
    {L"duplicate", claim_duplicate, false},
    {L"duplicated", claim_duplicated, true},
    {L"threads", claim_threads, false},
    {L"terminated-threads", claim_terminated_threads, false},
    {L"killed", claim_killed, false},
};

static DWORD map_letter(void)
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = letter, .lpRemoteName = (WCHAR *)remote};

    return WNetAddConnection2W(&resource, NULL, NULL, 0);
}

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    for (size_t i = 0; argc > 3 && i < ARRAYSIZE(claims); i++) {
        if (wcscmp(argv[1], claims[i].name) != 0)
            continue;
        letter[0] = argv[2][0];
        remote = argv[3];
        argument = argc > 4 ? argv[4] : L"";
        if (!claims[i].unmapped)
            CHECK(map_letter() == 0);
        claims[i].run();
        if (!claims[i].unmapped)
            CHECK(WNetCancelConnection2W(letter, 0, FALSE) == 0);
        return failures != 0;
    }
    fprintf(stderr, "usage: imageprobe CLAIM LETTER: \\\\server\\share [ARGUMENT]\n");
    return 2;
}
