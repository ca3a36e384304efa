/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* imageprobe_images.c - claims about libraries and programs that lie on the drive. */
#include "imageprobe.h"

#include <stdio.h>
#include <wchar.h>

/* ---- libraries ---- */

/* A DLL is loaded from the drive, with one that lies beside it there, and has its name there. */
void claim_library(void)
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
void claim_program(void)
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
void claim_shell(void)
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

#define TYPE    L".rdlabdoc"
#define COMMAND L"RdlabDocument\\shell\\open\\command"

static bool set_class(const WCHAR *key, const WCHAR *value)
{
    return RegSetKeyValueW(HKEY_CLASSES_ROOT, key, NULL, REG_SZ, value, (DWORD)((wcslen(value) + 1) * sizeof(WCHAR))) ==
           ERROR_SUCCESS;
}

/* The exit status of what it starts, or 10000 and its error. */
static DWORD execute(const WCHAR *file, const WCHAR *parameters, const WCHAR *directory)
{
    /* Looked up, as it takes half of Windows with it, which the other claims do not need. */
    BOOL(WINAPI * shell_execute)
    (SHELLEXECUTEINFOW *) = (void *)GetProcAddress(LoadLibraryW(L"shell32.dll"), "ShellExecuteExW");
    SHELLEXECUTEINFOW info = {.cbSize = sizeof(info),
                              .fMask = SEE_MASK_NOCLOSEPROCESS | SEE_MASK_FLAG_NO_UI,
                              .lpFile = file,
                              .lpParameters = parameters,
                              .lpDirectory = directory,
                              .nShow = SW_HIDE};
    DWORD status = 9999;

    if (!shell_execute(&info))
        return 10000 + GetLastError();
    WaitForSingleObject(info.hProcess, 30000);
    GetExitCodeProcess(info.hProcess, &status);
    CloseHandle(info.hProcess);
    return status;
}

/* The shell starts programs of the drive, by their names there and by the working directory, and those that documents
 * of the drive belong to. */
void claim_execute(void)
{
    CHECK(copy_program(on_share(L"prog")));
    CHECK(put_text(on_share(L"prog\\a b" TYPE), "text"));
    CHECK(put_text(on_share(L"prog\\script.cmd"), "@exit 9\n"));
    CHECK(set_class(TYPE, L"RdlabDocument") && set_class(COMMAND, L"X:\\prog\\imageprog.exe \"%1\""));
    CHECK(execute(on_share(L"prog\\imageprog.exe"), L"\"a b\"", NULL) == 7);
    CHECK(execute(on_share(L"prog\\imageprog"), NULL, on_share(L"dir")) == 7);
    CHECK(execute(L"imageprog.exe", NULL, on_share(L"prog")) == 7);
    CHECK(execute(on_share(L"prog\\script.cmd"), NULL, NULL) == 9);
    CHECK(execute(on_share(L"prog\\a b" TYPE), NULL, NULL) == 7);
    CHECK(execute(L"a b" TYPE, NULL, on_share(L"prog")) == 7);
    CHECK(execute(on_share(L"prog\\none.exe"), NULL, NULL) == 10000 + ERROR_FILE_NOT_FOUND);
    CHECK(execute(on_share(L"prog\\none" TYPE), NULL, NULL) == 10000 + ERROR_FILE_NOT_FOUND);
    CHECK(RegDeleteTreeW(HKEY_CLASSES_ROOT, L"RdlabDocument") == ERROR_SUCCESS);
    CHECK(RegDeleteTreeW(HKEY_CLASSES_ROOT, TYPE) == ERROR_SUCCESS);
    CHECK(remove_folder(on_share(L"prog")));
}

/* \\server\share\name. One of 4 buffers, used in turn. */
static const WCHAR *by_unc(const WCHAR *name)
{
    static WCHAR paths[4][MAX_PATH];
    static int next;
    WCHAR *path = paths[next++ % 4];

    _snwprintf(path, MAX_PATH, L"%ls\\%ls", remote, name);
    return path;
}

/* ... and by UNC name, whatever of it has one. */
void claim_execute_unc(void)
{
    WCHAR command[MAX_PATH];

    CHECK(copy_program(on_share(L"prog")));
    CHECK(put_text(on_share(L"prog\\a b" TYPE), "text"));
    CHECK(put_text(on_share(L"prog\\script.cmd"), "@exit 9\n"));
    _snwprintf(command, MAX_PATH, L"%ls \"%%1\"", by_unc(L"prog\\imageprog.exe"));
    CHECK(set_class(TYPE, L"RdlabDocument") && set_class(COMMAND, command));
    CHECK(execute(by_unc(L"prog\\imageprog.exe"), L"\"a b\"", NULL) == 7);
    CHECK(execute(by_unc(L"prog\\imageprog"), NULL, by_unc(L"dir")) == 7);
    CHECK(execute(L"imageprog.exe", NULL, by_unc(L"prog")) == 7);
    CHECK(execute(by_unc(L"prog\\script.cmd"), NULL, NULL) == 9);
    CHECK(execute(by_unc(L"prog\\a b" TYPE), NULL, NULL) == 7);
    CHECK(execute(L"a b" TYPE, NULL, by_unc(L"prog")) == 7);
    CHECK(execute(by_unc(L"prog\\none.exe"), NULL, NULL) == 10000 + ERROR_FILE_NOT_FOUND);
    CHECK(execute(by_unc(L"prog\\none" TYPE), NULL, NULL) == 10000 + ERROR_FILE_NOT_FOUND);
    CHECK(RegDeleteTreeW(HKEY_CLASSES_ROOT, L"RdlabDocument") == ERROR_SUCCESS);
    CHECK(RegDeleteTreeW(HKEY_CLASSES_ROOT, TYPE) == ERROR_SUCCESS);
    CHECK(remove_folder(on_share(L"prog")));
}

static bool begins(const WCHAR *program, const WCHAR *directory)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;

    if (!CreateProcessW(program, NULL, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, directory, &startup, &process))
        return false;
    TerminateProcess(process.hProcess, 0);
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    return true;
}

/* A 32-bit program is not started on the drive, in a directory there or with streams there: it would not find them.
 * Elsewhere it is. */
void claim_other_bits(void)
{
    WCHAR folder[MAX_PATH] = L"", program[2 * MAX_PATH];

    GetEnvironmentVariableW(L"RDRLAB_WIN32_DIR", folder, MAX_PATH);
    _snwprintf(program, 2 * MAX_PATH, L"Z:%ls/tests/wine/imageprog.exe", folder);
    CHECK(CopyFileW(program, on_share(L"other.exe"), FALSE));
    CHECK(put_text(on_share(L"in.txt"), "first\n"));
    CHECK_ERROR(begins(on_share(L"other.exe"), L"C:\\"), ERROR_BAD_EXE_FORMAT);
    CHECK_ERROR(begins(program, on_share(L"dir")), ERROR_BAD_EXE_FORMAT);
    CHECK(run(program, L"x", L"C:\\") == 10000 + ERROR_BAD_EXE_FORMAT);
    CHECK(begins(program, L"C:\\"));
    CHECK(DeleteFileW(on_share(L"other.exe")));
    CHECK(DeleteFileW(on_share(L"in.txt")) && DeleteFileW(on_share(L"out.txt")));
}

/* What is no program fails as it does anywhere. */
void claim_no_program(void)
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
