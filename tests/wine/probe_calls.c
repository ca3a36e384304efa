/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe_calls.c - claims about who calls, and how: the NT services themselves, other processes, many threads. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

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
void claim_pointers(void)
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
void claim_relative(void)
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
void claim_long_name(void)
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
void claim_duplicate(void)
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
void claim_inherit(void)
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

void claim_inherited(void)
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
void claim_child(void)
{
    CHECK(run_child(L"is-child", L"1", FALSE) == 0);
}

void claim_is_child(void)
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
void claim_threads(void)
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
void claim_terminated_threads(void)
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
