/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imageprobe.exe - one claim about mappings, images and processes on a mapped drive per run (letter.h), for
 * test_image_wine.c.
 *
 * The share holds probe.txt ("rdrlab probe\n") and the folder dir.
 */
#include "imageprobe.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

HANDLE open_file(const WCHAR *name, DWORD access, DWORD disposition)
{
    return CreateFileW(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, disposition, 0,
                       NULL);
}

HANDLE open_probe(DWORD access)
{
    return open_file(on_share(L"probe.txt"), access, OPEN_EXISTING);
}

unsigned char byte_at(DWORD i)
{
    return (unsigned char)(i * 7 + i / 251);
}

bool make_file(const WCHAR *name, DWORD length)
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

bool has_bytes(const unsigned char *view, DWORD length)
{
    for (DWORD i = 0; i < length; i++)
        if (view[i] != byte_at(i))
            return false;
    return true;
}

const WCHAR *beside_program(const WCHAR *name)
{
    static WCHAR path[MAX_PATH];

    GetModuleFileNameW(NULL, path, MAX_PATH);
    wcscpy(wcsrchr(path, '\\') + 1, name);
    return path;
}

HANDLE open_stream(const WCHAR *name, DWORD access, DWORD disposition)
{
    SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), NULL, TRUE};

    return CreateFileW(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE, &inheritable, disposition, 0, NULL);
}

const char *content(const WCHAR *name)
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

bool put_text(const WCHAR *name, const char *text)
{
    HANDLE file = open_file(name, GENERIC_WRITE, CREATE_ALWAYS);
    DWORD done;

    return WriteFile(file, text, (DWORD)strlen(text), &done, NULL) && CloseHandle(file);
}

bool reads(HANDLE file, const char *expected)
{
    char text[64];
    DWORD got, length = (DWORD)strlen(expected);

    return ReadFile(file, text, length, &got, NULL) && got == length && memcmp(text, expected, length) == 0;
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
    CHECK((child = start_child(number(file), NULL)) != NULL);
    CloseHandle(file);
    CHECK_ERROR(DeleteFileW(on_share(L"shared.txt")), ERROR_SHARING_VIOLATION);
    SetEvent(go);
    CHECK(end_child(child) == 0);
    CHECK(strcmp(content(on_share(L"shared.txt")), "parent child end") == 0);
    CHECK(DeleteFileW(on_share(L"shared.txt")));
    CloseHandle(go);
}

static void child_inherited(void)
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
    HANDLE file = open_probe(GENERIC_READ), child = start_child(L"0", NULL), there = NULL, here = NULL;
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

static void child_duplicated(void)
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

/* Threads that are terminated while they use a file leave it to the others. It is read by an offset: what the last of
 * them had asked for may still be carried out, and then moves the position. */
static void claim_terminated_threads(void)
{
    HANDLE file = open_probe(GENERIC_READ);
    char text[TEXT_LENGTH];
    OVERLAPPED at = {0};
    DWORD got;

    for (int i = 0; i < 40; i++) {
        LONG before = thread_rounds;
        HANDLE thread = CreateThread(NULL, 0, read_for_ever, file, 0, NULL);

        while (InterlockedCompareExchange(&thread_rounds, 0, -1) < before + 2)
            Sleep(0);
        TerminateThread(thread, 0);
        WaitForSingleObject(thread, 10000);
        CloseHandle(thread);
    }
    CHECK(ReadFile(file, text, TEXT_LENGTH, &got, &at) && got == TEXT_LENGTH);
    CHECK(memcmp(text, TEXT_ON_SHARE, TEXT_LENGTH) == 0);
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

static const struct letter_claim claims[] = {
    {L"mapping", claim_mapping, NULL},
    {L"copy-on-write", claim_copy_on_write, NULL},
    {L"mapping-errors", claim_mapping_errors, NULL},
    {L"writable", claim_writable, NULL},
    {L"coherent", claim_coherent, NULL},
    {L"view-services", claim_view_services, NULL},
    {L"writable-errors", claim_writable_errors, NULL},
    {L"locked", claim_locked, NULL},
    {L"shared", claim_shared, child_sharing},
    {L"library", claim_library, NULL},
    {L"program", claim_program, NULL},
    {L"shell", claim_shell, NULL},
    {L"execute", claim_execute, NULL},
    {L"execute-unc", claim_execute_unc, NULL},
    {L"other-bits", claim_other_bits, NULL},
    {L"no-program", claim_no_program, NULL},
    {L"handle", claim_handle, NULL},
    {L"inherit", claim_inherit, child_inherited},
    {L"duplicate", claim_duplicate, child_duplicated},
    {L"threads", claim_threads, NULL},
    {L"terminated-threads", claim_terminated_threads, NULL},
    {L"killed", claim_killed, NULL},
};

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    return letter_main(argc, argv, claims, ARRAYSIZE(claims));
}
