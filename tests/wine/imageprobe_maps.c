/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* imageprobe_maps.c - claims about files that are mapped. */
#include "imageprobe.h"

/* ---- for reading ---- */

/* A file mapped for reading has its content, up to its end, and zeroes behind; also when all handles are closed. */
void claim_mapping(void)
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
void claim_copy_on_write(void)
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

typedef LONG(NTAPI *create_section)(HANDLE *, ACCESS_MASK, void *, LARGE_INTEGER *, ULONG, ULONG, HANDLE);

/* The service's status, and no handle: CreateFileMapping returns what it finds there. */
static LONG status_without_section(HANDLE file, ULONG protection)
{
    create_section create = (create_section)(void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtCreateSection");
    HANDLE section = INVALID_HANDLE_VALUE;
    LONG status = create(&section, SECTION_MAP_READ, NULL, NULL, protection, SEC_COMMIT, file);

    CHECK(section == NULL);
    return status;
}

/* What cannot be mapped fails as it does on NT. */
void claim_mapping_errors(void)
{
    HANDLE file = open_probe(GENERIC_WRITE), folder;

    CHECK_STATUS(status_without_section(file, PAGE_READONLY), STATUS_ACCESS_DENIED);
    CHECK_STATUS(status_without_section(file, PAGE_READWRITE), STATUS_ACCESS_DENIED);
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

/* ---- for writing ---- */

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
void claim_writable(void)
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

static bool write_at(HANDLE file, const void *bytes, DWORD length, DWORD offset)
{
    OVERLAPPED overlapped = {.Offset = offset};
    DWORD done;

    return WriteFile(file, bytes, length, &done, &overlapped) && done == length;
}

/* Views and the services for the same file meet, without a flush: what is written is in every view of this process,
 * and what a view has changed is read. */
void claim_coherent(void)
{
    enum { LENGTH = 300000 };
    static char many[150000];
    HANDLE file, end, mapping, writing;
    const unsigned char *view;
    unsigned char *writable, byte = 0;
    DWORD done;

    CHECK(make_file(on_share(L"mapped.bin"), LENGTH));
    file = open_file(on_share(L"mapped.bin"), GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
    CHECK((mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL)) != NULL);
    CHECK((view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0)) != NULL);
    CloseHandle(mapping);
    CHECK(write_at(file, "one", 3, 70000) && memcmp(view + 70000, "one", 3) == 0);
    CHECK(view[69999] == byte_at(69999) && view[70003] == byte_at(70003));
    CHECK((writable = map_writable(on_share(L"mapped.bin"), 0, &writing)) != NULL);

    /* At the position; by another handle; in several messages; at the end. */
    CHECK(SetFilePointer(file, 500, NULL, FILE_BEGIN) == 500 && WriteFile(file, "two", 3, &done, NULL));
    CHECK(memcmp(view + 500, "two", 3) == 0 && memcmp(writable + 500, "two", 3) == 0);
    memset(many, 'm', sizeof(many));
    CHECK(write_at(file, many, sizeof(many), 100001) && view[100000] == byte_at(100000));
    CHECK(memcmp(view + 100001, many, sizeof(many)) == 0 && view[250001] == byte_at(250001));
    end = open_file(on_share(L"mapped.bin"), FILE_APPEND_DATA | SYNCHRONIZE, OPEN_EXISTING);
    CHECK(write_at(end, "end", 3, 0) && view[0] == byte_at(0) && writable[0] == byte_at(0));
    CloseHandle(end);

    writable[600] = 0xD0;
    SetFilePointer(file, 600, NULL, FILE_BEGIN);
    CHECK(ReadFile(file, &byte, 1, &done, NULL) && byte == 0xD0);
    CHECK(write_at(file, "x", 1, 601));
    CHECK(UnmapViewOfFile(writable) && CloseHandle(writing) && UnmapViewOfFile(view));
    CloseHandle(file);
    CHECK(byte_of(on_share(L"mapped.bin"), 600) == 0xD0 && byte_of(on_share(L"mapped.bin"), 601) == 'x');
    CHECK(byte_of(on_share(L"mapped.bin"), 70001) == 'n' && byte_of(on_share(L"mapped.bin"), LENGTH + 2) == 'd');
    CHECK(byte_of(on_share(L"mapped.bin"), 250000) == 'm' && byte_of(on_share(L"mapped.bin"), 502) == 'o');
    CHECK(DeleteFileW(on_share(L"mapped.bin")));
}

typedef LONG(NTAPI *map_view_ex)(HANDLE, HANDLE, void *, const LARGE_INTEGER *, SIZE_T *, ULONG, ULONG, void *, ULONG);
typedef LONG(NTAPI *unmap_view_ex)(HANDLE, void *, ULONG);

/* A view is one whatever service makes and unmakes it, and whichever handle names the process. */
void claim_view_services(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    map_view_ex map = (map_view_ex)(void *)GetProcAddress(ntdll, "NtMapViewOfSectionEx");
    unmap_view_ex unmap = (unmap_view_ex)(void *)GetProcAddress(ntdll, "NtUnmapViewOfSectionEx");
    HANDLE processes[2] = {GetCurrentProcess(), OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId())};
    HANDLE mapping;

    CHECK(make_file(on_share(L"mapped.bin"), 100000));
    for (int i = 0; i < 2; i++) {
        unsigned char *first = map_writable(on_share(L"mapped.bin"), 0, &mapping), *view = NULL;
        unsigned char value = (unsigned char)(0xB0 + i);
        SIZE_T size = 0;

        CHECK_STATUS(map(mapping, processes[i], &view, NULL, &size, 0, PAGE_READWRITE, NULL, 0), STATUS_SUCCESS);
        CHECK(UnmapViewOfFile(first) && CloseHandle(mapping));
        view[5] = value;
        CHECK(FlushViewOfFile(view, 0) && byte_of(on_share(L"mapped.bin"), 5) == value);
        view[70000] = value;
        CHECK_STATUS(unmap(processes[i], view, 0), STATUS_SUCCESS);
        CHECK(byte_of(on_share(L"mapped.bin"), 70000) == value);
    }
    CHECK(DeleteFileW(on_share(L"mapped.bin")));
    CloseHandle(processes[1]);
}

/* Who may not write makes no section that does. */
void claim_writable_errors(void)
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
void claim_locked(void)
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

/* ---- by two processes ---- */

static bool is_gone(const WCHAR *name)
{
    for (int tries = 0; tries < 1000; tries++) {
        if (GetFileAttributesW(name) == INVALID_FILE_ATTRIBUTES && GetLastError() == ERROR_FILE_NOT_FOUND)
            return true;
        Sleep(10);
    }
    return false;
}

/* Two processes that map a file for writing see each other's changes; the end of one writes back, also what it never
 * flushed; of one that is killed, what it flushed is there. */
void claim_shared(void)
{
    HANDLE go = CreateEventW(NULL, FALSE, FALSE, L"imageprobe go"),
           back = CreateEventW(NULL, FALSE, FALSE, L"imageprobe back"), mapping, child;
    volatile unsigned char *view;

    CHECK(make_file(on_share(L"shared.bin"), 50000));
    CHECK((view = map_writable(on_share(L"shared.bin"), 0, &mapping)) != NULL);
    view[7] = 0xC0;
    CHECK((child = start_child(L"1", NULL)) != NULL);
    CHECK(WaitForSingleObject(back, 30000) == WAIT_OBJECT_0);
    CHECK(view[20000] == 0xC1);
    view[8] = 0xC2;
    SetEvent(go);
    CHECK(end_child(child) == 0);
    CHECK(byte_of(on_share(L"shared.bin"), 20000) == 0xC1 && byte_of(on_share(L"shared.bin"), 30000) == 0xC3);
    CHECK(UnmapViewOfFile((void *)view) && CloseHandle(mapping));
    CHECK(byte_of(on_share(L"shared.bin"), 7) == 0xC0 && byte_of(on_share(L"shared.bin"), 8) == 0xC2);

    CHECK((child = start_child(L"2", NULL)) != NULL);
    CHECK(WaitForSingleObject(back, 30000) == WAIT_OBJECT_0);
    TerminateProcess(child, 5);
    CHECK(end_child(child) == 5);
    CHECK(byte_of(on_share(L"shared.bin"), 40000) == 0xC4);
    CHECK(DeleteFileW(on_share(L"shared.bin")));
    CHECK(is_gone(on_share(L"shared.bin"))); /* before the letter goes: the killed one has it open for a moment */
    CloseHandle(go);
    CloseHandle(back);
}

void child_sharing(void)
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
