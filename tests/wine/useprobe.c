/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * useprobe.exe - one claim about connections and mpr.dll's view of them per run, for test_use_wine.c:
 *
 *   useprobe CLAIM [USER]
 *
 * X: is \\mem\lab on the machine already, as USER; whoever mapped it was no Win32 program. The share holds probe.txt
 * and the folder dir. Exit status 0: the claim holds; 1: it does not, and standard error says what; 2: no such claim.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define UNICODE
#include <windows.h>
#include <winnetwk.h>
#include <winperf.h>
#include <winternl.h>
#include <psapi.h>
#include <pdh.h>
#include <pdhmsg.h>

#include "claim.h"

#define SHARE    L"\\\\mem\\lab"
#define PROVIDER L"Microsoft Windows Network"

static const WCHAR *user = L"";

/* What a WNet function returns. */
#define CHECK_NET(call, expected)                                                                                      \
    do {                                                                                                               \
        DWORD error_ = (call);                                                                                         \
        if (error_ != (DWORD)(expected))                                                                               \
            failed(__FILE__, __LINE__, #call " is not " #expected, error_);                                            \
    } while (0)

static DWORD map(const WCHAR *local, DWORD flags)
{
    NETRESOURCEW resource = {
        .dwType = RESOURCETYPE_DISK, .lpLocalName = (WCHAR *)local, .lpRemoteName = (WCHAR *)SHARE};

    return WNetAddConnection2W(&resource, L"secret", user, flags);
}

static DWORD connect_to(const WCHAR *remote, const WCHAR *local, const WCHAR *name, DWORD flags)
{
    NETRESOURCEW resource = {
        .dwType = RESOURCETYPE_ANY, .lpLocalName = (WCHAR *)local, .lpRemoteName = (WCHAR *)remote};

    return WNetAddConnection2W(&resource, L"secret", name, flags);
}

static bool has_letter(WCHAR letter)
{
    return GetLogicalDrives() >> (letter - 'A') & 1;
}

/* ---- what Windows shows of a drive that it did not map ---- */

/* In a list of "X:\" and the like. */
static bool is_listed(const WCHAR *list, WCHAR letter)
{
    for (; *list; list += wcslen(list) + 1)
        if (*list == letter)
            return true;
    return false;
}

static void claim_shown(void)
{
    WCHAR text[MAX_PATH], system[MAX_PATH];
    ULARGE_INTEGER available, total, left;
    DWORD length = MAX_PATH, serial, longest, flags;

    CHECK(has_letter('X'));
    CHECK(!has_letter('W'));
    CHECK(GetDriveTypeW(L"X:\\") == DRIVE_REMOTE);
    CHECK(GetDriveTypeW(L"W:\\") == DRIVE_NO_ROOT_DIR);
    CHECK(QueryDosDeviceW(L"X:", text, MAX_PATH) && wcscmp(text, L"\\Device\\LanmanRedirector\\X:\\mem\\lab") == 0);
    CHECK(!QueryDosDeviceW(L"W:", text, MAX_PATH) && GetLastError() == ERROR_FILE_NOT_FOUND);
    CHECK(GetLogicalDriveStringsW(MAX_PATH, text) && is_listed(text, 'X'));
    CHECK_NET(WNetGetConnectionW(L"X:", text, &length), WN_SUCCESS);
    CHECK(_wcsicmp(text, SHARE) == 0);
    length = 4;
    CHECK_NET(WNetGetConnectionW(L"X:", text, &length), WN_MORE_DATA);
    CHECK(length == wcslen(SHARE) + 1);
    CHECK(WNetGetConnectionW(L"W:", text, &length) != WN_SUCCESS);
    CHECK(GetVolumeInformationW(L"X:\\", text, MAX_PATH, &serial, &longest, &flags, system, MAX_PATH));
    CHECK(longest == 255 && system[0]);
    CHECK(GetDiskFreeSpaceExW(L"X:\\", &available, &total, &left));
    CHECK(total.QuadPart && left.QuadPart <= total.QuadPart && available.QuadPart <= left.QuadPart);
}

/* ---- enumerating ---- */

#define ROWS 8
static struct {
    WCHAR local[8], remote[64], provider[64];
    DWORD scope, type, display, usage;
} rows[ROWS];

static WCHAR *copy(WCHAR *to, size_t size, const WCHAR *from)
{
    wcsncpy(to, from ? from : L"-", size - 1);
    return to;
}

/* Fills rows: how many there are. `at_once`: rows asked for in one call. */
static int enumerate(int line, DWORD scope, DWORD type, DWORD usage, NETRESOURCEW *from, DWORD at_once)
{
    static union {
        NETRESOURCEW first;
        char bytes[4096];
    } buffer;
    DWORD count, size, error;
    int total = 0;
    HANDLE handle;

    memset(rows, 0, sizeof(rows));
    error = WNetOpenEnumW(scope, type, usage, from, &handle);
    if (error != WN_SUCCESS) {
        failed(__FILE__, line, "cannot be enumerated", error);
        return 0;
    }
    for (;;) {
        NETRESOURCEW *row = &buffer.first;

        count = at_once;
        size = sizeof(buffer);
        error = WNetEnumResourceW(handle, &count, &buffer, &size);
        if (error != WN_SUCCESS)
            break;
        for (DWORD i = 0; i < count && total < ROWS; i++, row++, total++) {
            copy(rows[total].local, 8, row->lpLocalName);
            copy(rows[total].remote, 64, row->lpRemoteName);
            copy(rows[total].provider, 64, row->lpProvider);
            rows[total].scope = row->dwScope;
            rows[total].type = row->dwType;
            rows[total].display = row->dwDisplayType;
            rows[total].usage = row->dwUsage;
        }
    }
    if (error != WN_NO_MORE_ENTRIES)
        failed(__FILE__, line, "the enumeration does not end well", error);
    CHECK_NET(WNetCloseEnum(handle), WN_SUCCESS);
    return total;
}

#define ENUMERATE(...) enumerate(__LINE__, __VA_ARGS__)
#define ALL            ((DWORD)-1)

/* The machine may remember it all the same. */
static void claim_not_shown(void)
{
    WCHAR text[MAX_PATH];

    CHECK(ENUMERATE(RESOURCE_CONNECTED, RESOURCETYPE_DISK, 0, NULL, ALL) == 0);
    CHECK(!has_letter('X'));
    CHECK(GetDriveTypeW(L"X:\\") == DRIVE_NO_ROOT_DIR);
    CHECK(!QueryDosDeviceW(L"X:", text, MAX_PATH) && GetLastError() == ERROR_FILE_NOT_FOUND);
}

static void claim_connected(void)
{
    static union {
        NETRESOURCEW first;
        char bytes[64];
    } small;
    DWORD count = 1, size = sizeof(small);
    HANDLE handle;

    CHECK_NET(map(L"R:", 0), WN_SUCCESS);
    for (DWORD at_once = 1; at_once <= 2; at_once++) {
        CHECK(ENUMERATE(RESOURCE_CONNECTED, RESOURCETYPE_DISK, 0, NULL, at_once == 2 ? ALL : 1) == 2);
        CHECK(wcscmp(rows[0].local, L"R:") == 0 && wcscmp(rows[1].local, L"X:") == 0);
        CHECK(wcscmp(rows[1].remote, SHARE) == 0 && wcscmp(rows[1].provider, PROVIDER) == 0);
        CHECK(rows[1].scope == RESOURCE_CONNECTED && rows[1].type == RESOURCETYPE_DISK);
        CHECK(rows[1].display == RESOURCEDISPLAYTYPE_SHARE && rows[1].usage == RESOURCEUSAGE_CONNECTABLE);
    }
    CHECK(ENUMERATE(RESOURCE_CONNECTED, RESOURCETYPE_ANY, 0, NULL, ALL) == 2);
    CHECK(ENUMERATE(RESOURCE_CONNECTED, RESOURCETYPE_PRINT, 0, NULL, ALL) == 0);
    CHECK_NET(WNetOpenEnumW(RESOURCE_CONNECTED, RESOURCETYPE_DISK, 0, NULL, &handle), WN_SUCCESS);
    CHECK_NET(WNetEnumResourceW(handle, &count, &small, &size), WN_MORE_DATA);
    CHECK_NET(WNetCloseEnum(handle), WN_SUCCESS);
    CHECK_NET(WNetCancelConnection2W(L"R:", 0, FALSE), WN_SUCCESS);
    CHECK(ENUMERATE(RESOURCE_CONNECTED, RESOURCETYPE_DISK, 0, NULL, ALL) == 1);
}

/* The network, its servers that are in use, their shares. */
static void claim_network(void)
{
    NETRESOURCEW network = {.dwUsage = RESOURCEUSAGE_CONTAINER, .lpProvider = (WCHAR *)PROVIDER},
                 server = {.dwUsage = RESOURCEUSAGE_CONTAINER,
                           .lpProvider = (WCHAR *)PROVIDER,
                           .lpRemoteName = (WCHAR *)L"\\\\MEM"},
                 wrong = server;
    HANDLE handle;

    /* Wine makes connections without a letter for these: they are listed, too. */
    CHECK(GetFileAttributesW(L"\\\\short\\third\\probe.txt") != INVALID_FILE_ATTRIBUTES);
    CHECK(ENUMERATE(RESOURCE_GLOBALNET, RESOURCETYPE_ANY, 0, NULL, ALL) == 1);
    CHECK(wcscmp(rows[0].remote, PROVIDER) == 0 && rows[0].display == RESOURCEDISPLAYTYPE_NETWORK);
    CHECK(ENUMERATE(RESOURCE_GLOBALNET, RESOURCETYPE_ANY, 0, &network, ALL) == 2);
    CHECK(wcscmp(rows[0].remote, L"\\\\mem") == 0 && wcscmp(rows[1].remote, L"\\\\short") == 0);
    CHECK(rows[0].display == RESOURCEDISPLAYTYPE_SERVER && rows[0].usage == RESOURCEUSAGE_CONTAINER);
    CHECK(ENUMERATE(RESOURCE_GLOBALNET, RESOURCETYPE_ANY, RESOURCEUSAGE_CONNECTABLE, &network, ALL) == 0);
    CHECK(ENUMERATE(RESOURCE_GLOBALNET, RESOURCETYPE_DISK, 0, &server, 1) == 1);
    CHECK(wcscmp(rows[0].remote, SHARE) == 0 && wcscmp(rows[0].local, L"-") == 0);
    CHECK(rows[0].display == RESOURCEDISPLAYTYPE_SHARE && rows[0].usage == RESOURCEUSAGE_CONNECTABLE);
    wrong.lpRemoteName = (WCHAR *)L"\\\\nowhere";
    CHECK_NET(WNetOpenEnumW(RESOURCE_GLOBALNET, RESOURCETYPE_ANY, 0, &wrong, &handle), WN_BAD_NETNAME);
    wrong.lpRemoteName = (WCHAR *)SHARE;
    CHECK_NET(WNetOpenEnumW(RESOURCE_GLOBALNET, RESOURCETYPE_ANY, 0, &wrong, &handle), WN_NOT_CONTAINER);
    CHECK(ENUMERATE(RESOURCE_CONTEXT, RESOURCETYPE_ANY, 0, NULL, ALL) == 1);
    CHECK(rows[0].display == RESOURCEDISPLAYTYPE_ROOT);
    CHECK_NET(WNetCancelConnection2W(L"\\\\short\\third", 0, FALSE), WN_SUCCESS);
    CHECK(ENUMERATE(RESOURCE_GLOBALNET, RESOURCETYPE_ANY, 0, &network, ALL) == 1);
}

static void claim_information(void)
{
    static union {
        NETRESOURCEW first;
        char bytes[512];
    } buffer;
    NETRESOURCEW asked = {.lpRemoteName = (WCHAR *)L"\\\\mem\\lab\\dir\\file"};
    DWORD size = sizeof(buffer);
    WCHAR *rest = NULL;

    CHECK_NET(WNetGetResourceInformationW(&asked, &buffer, &size, &rest), WN_SUCCESS);
    CHECK(wcscmp(buffer.first.lpRemoteName, SHARE) == 0 && wcscmp(rest, L"\\dir\\file") == 0);
    CHECK(wcscmp(buffer.first.lpProvider, PROVIDER) == 0 && buffer.first.dwType == RESOURCETYPE_DISK);
    CHECK(buffer.first.dwDisplayType == RESOURCEDISPLAYTYPE_SHARE);
    size = sizeof(NETRESOURCEW) + 8;
    CHECK_NET(WNetGetResourceInformationW(&asked, &buffer, &size, &rest), WN_MORE_DATA);
    CHECK_NET(WNetGetResourceInformationW(&asked, &buffer, &size, &rest), WN_SUCCESS);
    asked.lpRemoteName = (WCHAR *)L"\\\\mem";
    size = sizeof(buffer);
    CHECK_NET(WNetGetResourceInformationW(&asked, &buffer, &size, &rest), WN_SUCCESS);
    CHECK(buffer.first.dwDisplayType == RESOURCEDISPLAYTYPE_SERVER && rest == NULL);
    asked.lpRemoteName = (WCHAR *)L"\\\\mem\\missing\\file";
    CHECK_NET(WNetGetResourceInformationW(&asked, &buffer, &size, &rest), ERROR_BAD_NET_NAME);
    asked.lpRemoteName = (WCHAR *)L"\\\\nowhere\\lab";
    CHECK_NET(WNetGetResourceInformationW(&asked, &buffer, &size, &rest), ERROR_BAD_NETPATH);
    asked.lpRemoteName = (WCHAR *)L"C:\\windows";
    CHECK_NET(WNetGetResourceInformationW(&asked, &buffer, &size, &rest), WN_BAD_NETNAME);
}

/* ---- names and users ---- */

static void claim_universal(void)
{
    union {
        UNIVERSAL_NAME_INFOW universal;
        REMOTE_NAME_INFOW remote;
        UNIVERSAL_NAME_INFOA universal_a;
        REMOTE_NAME_INFOA remote_a;
        char bytes[512];
    } it;
    DWORD size = sizeof(it);

    CHECK_NET(WNetGetUniversalNameW(L"x:\\dir\\not there", UNIVERSAL_NAME_INFO_LEVEL, &it, &size), WN_SUCCESS);
    CHECK(wcscmp(it.universal.lpUniversalName, SHARE L"\\dir\\not there") == 0);
    CHECK_NET(WNetGetUniversalNameW(L"X:\\dir", REMOTE_NAME_INFO_LEVEL, &it, &size), WN_SUCCESS);
    CHECK(wcscmp(it.remote.lpUniversalName, SHARE L"\\dir") == 0);
    CHECK(wcscmp(it.remote.lpConnectionName, SHARE) == 0);
    CHECK(wcscmp(it.remote.lpRemainingPath, L"\\dir") == 0);
    CHECK_NET(WNetGetUniversalNameA("X:\\dir", REMOTE_NAME_INFO_LEVEL, &it, &size), WN_SUCCESS);
    CHECK(strcmp(it.remote_a.lpUniversalName, "\\\\mem\\lab\\dir") == 0);
    CHECK(strcmp(it.remote_a.lpConnectionName, "\\\\mem\\lab") == 0);
    CHECK(strcmp(it.remote_a.lpRemainingPath, "\\dir") == 0);
    size = 18;
    CHECK_NET(WNetGetUniversalNameA("X:\\", UNIVERSAL_NAME_INFO_LEVEL, &it, &size), WN_MORE_DATA);
    CHECK_NET(WNetGetUniversalNameA("X:\\", UNIVERSAL_NAME_INFO_LEVEL, &it, &size), WN_SUCCESS);
    CHECK(strcmp(it.universal_a.lpUniversalName, "\\\\mem\\lab\\") == 0);
    size = sizeof(it);
    CHECK_NET(WNetGetUniversalNameW(L"X:\\", 3, &it, &size), WN_BAD_LEVEL);
    CHECK_NET(WNetGetUniversalNameW(L"C:\\windows", UNIVERSAL_NAME_INFO_LEVEL, &it, &size), WN_NOT_CONNECTED);
    CHECK_NET(WNetGetUniversalNameW(L"windows", UNIVERSAL_NAME_INFO_LEVEL, &it, &size), WN_BAD_LOCALNAME);
    CHECK_NET(WNetGetUniversalNameW(L"X:\\", UNIVERSAL_NAME_INFO_LEVEL, &it, NULL), WN_BAD_POINTER);
}

static void claim_user(void)
{
    WCHAR text[64], me[64];
    char narrow[64];
    DWORD length = 64, mine = 64;

    CHECK_NET(WNetGetUserW(L"X:", text, &length), WN_SUCCESS);
    CHECK(wcscmp(text, user) == 0);
    CHECK_NET(WNetGetUserW(SHARE, text, &length), WN_SUCCESS);
    CHECK(wcscmp(text, user) == 0);
    CHECK_NET(WNetGetUserA("X:", narrow, &length), WN_SUCCESS);
    CHECK(strlen(narrow) == wcslen(user));
    length = 2;
    CHECK_NET(WNetGetUserW(L"X:", text, &length), WN_MORE_DATA);
    CHECK(length == wcslen(user) + 1);
    CHECK_NET(WNetGetUserW(L"W:", text, &length), WN_NOT_CONNECTED);
    length = 64;
    CHECK_NET(WNetGetUserW(NULL, text, &length), WN_SUCCESS);
    CHECK(GetUserNameW(me, &mine) && wcscmp(text, me) == 0);
}

/* ---- mapping ---- */

/* mpr keeps it in the user's part of the registry. */
static void claim_remembered(void)
{
    WCHAR text[64];
    DWORD size = sizeof(text);

    CHECK_NET(map(L"R:", CONNECT_UPDATE_PROFILE), WN_SUCCESS);
    CHECK(RegGetValueW(HKEY_CURRENT_USER, L"Network\\R", L"RemotePath", RRF_RT_REG_SZ, NULL, text, &size) == 0);
    CHECK(wcscmp(text, SHARE) == 0);
    CHECK(ENUMERATE(RESOURCE_REMEMBERED, RESOURCETYPE_DISK, 0, NULL, ALL) == 1);
    CHECK(wcscmp(rows[0].local, L"R:") == 0 && wcscmp(rows[0].remote, SHARE) == 0);
    CHECK_NET(WNetCancelConnection2W(L"R:", 0, FALSE), WN_SUCCESS);
    CHECK(ENUMERATE(RESOURCE_REMEMBERED, RESOURCETYPE_DISK, 0, NULL, ALL) == 1);
    CHECK_NET(map(L"R:", 0), WN_SUCCESS);
    CHECK_NET(WNetCancelConnection2W(L"R:", CONNECT_UPDATE_PROFILE, FALSE), WN_SUCCESS);
    CHECK(ENUMERATE(RESOURCE_REMEMBERED, RESOURCETYPE_DISK, 0, NULL, ALL) == 0);
}

/* Without a letter: for names without one, with who connects. */
static void claim_deviceless(void)
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpRemoteName = (WCHAR *)L"\\\\short\\third"};
    WCHAR text[64];
    DWORD letters = GetLogicalDrives(), length = ARRAYSIZE(text), result = 0;
    HANDLE file;

    CHECK_NET(connect_to(L"\\\\short\\third", NULL, L"bob", 0), WN_SUCCESS);
    CHECK_NET(connect_to(L"\\\\short\\third\\", L"", L"bob", 0), WN_SUCCESS);
    CHECK(GetLogicalDrives() == letters);
    CHECK(ENUMERATE(RESOURCE_CONNECTED, RESOURCETYPE_DISK, 0, NULL, 1) == 2);
    CHECK(wcscmp(rows[0].local, L"X:") == 0 && wcscmp(rows[1].local, L"") == 0);
    CHECK(wcscmp(rows[1].remote, L"\\\\short\\third") == 0 && wcscmp(rows[1].provider, PROVIDER) == 0);
    CHECK(rows[1].scope == RESOURCE_CONNECTED && rows[1].usage == RESOURCEUSAGE_CONNECTABLE);
    CHECK_NET(WNetGetUserW(L"\\\\SHORT\\third", text, &length), WN_SUCCESS);
    CHECK(wcscmp(text, L"bob") == 0);
    length = ARRAYSIZE(text);
    CHECK(WNetGetConnectionW(L"\\\\short\\third", text, &length) != WN_SUCCESS);
    CHECK_NET(connect_to(L"\\\\short\\third", NULL, L"eve", 0), ERROR_SESSION_CREDENTIAL_CONFLICT);
    CHECK_NET(connect_to(SHARE, NULL, L"eve", 0), ERROR_SESSION_CREDENTIAL_CONFLICT); /* X:'s user */
    CHECK_NET(connect_to(L"\\\\mem\\missing", NULL, user, 0), ERROR_BAD_NET_NAME);
    CHECK_NET(connect_to(L"\\\\nowhere\\lab", NULL, NULL, 0), ERROR_BAD_NETPATH);
    CHECK(connect_to(L"\\\\short", NULL, L"bob", 0) != WN_SUCCESS);

    file = CreateFileW(L"\\\\short\\third\\probe.txt", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK_NET(WNetCancelConnection2W(L"\\\\short\\third", 0, FALSE), ERROR_OPEN_FILES);
    CHECK(ReadFile(file, text, 1, &length, NULL) && length == 1);
    CHECK_NET(WNetCancelConnection2W(L"\\\\short\\third", 0, TRUE), WN_SUCCESS);
    CHECK(!ReadFile(file, text, 1, &length, NULL) && GetLastError() == ERROR_UNEXP_NET_ERR);
    CHECK(CloseHandle(file));
    CHECK_NET(WNetCancelConnection2W(L"\\\\short\\third", 0, FALSE), WN_NOT_CONNECTED);

    /* Nothing of it is remembered, whatever is asked for. */
    length = ARRAYSIZE(text);
    CHECK_NET(WNetUseConnectionW(NULL, &resource, L"secret", L"eve", CONNECT_UPDATE_PROFILE, text, &length, &result),
              WN_SUCCESS);
    CHECK(_wcsicmp(text, L"\\\\short\\third") == 0 && result == 0);
    CHECK(ENUMERATE(RESOURCE_REMEMBERED, RESOURCETYPE_DISK, 0, NULL, ALL) == 0);
    CHECK_NET(WNetCancelConnectionW(L"\\\\short\\third", FALSE), WN_SUCCESS);
    CHECK(ENUMERATE(RESOURCE_CONNECTED, RESOURCETYPE_DISK, 0, NULL, ALL) == 1);
}

/* The next free letter from Z: downwards, which is Wine's. */
static void claim_redirected(void)
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpRemoteName = (WCHAR *)SHARE};
    DWORD length = 8, result = 0;
    WCHAR text[8] = L"";

    CHECK_NET(WNetUseConnectionW(NULL, &resource, L"secret", user, CONNECT_REDIRECT, text, &length, &result),
              WN_SUCCESS);
    CHECK(wcscmp(text, L"Y:") == 0 && result == CONNECT_LOCALDRIVE && has_letter('Y'));
    CHECK_NET(WNetCancelConnection2W(L"Y:", 0, FALSE), WN_SUCCESS);
    CHECK(!has_letter('Y'));
}

static void claim_open_files(void)
{
    HANDLE file = CreateFileW(L"X:\\probe.txt", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    char text[16];
    DWORD got;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK_NET(WNetCancelConnection2W(L"X:", 0, FALSE), ERROR_OPEN_FILES);
    CHECK(ReadFile(file, text, 1, &got, NULL) && got == 1);
    CHECK_NET(WNetCancelConnection2W(L"X:", 0, TRUE), WN_SUCCESS);
    CHECK(!ReadFile(file, text, 1, &got, NULL) && GetLastError() == ERROR_UNEXP_NET_ERR);
    CHECK(!has_letter('X'));
    CHECK(CloseHandle(file));
    CHECK_NET(WNetCancelConnection2W(L"X:", 0, FALSE), WN_NOT_CONNECTED);
    CHECK_NET(map(L"X:", 0), WN_SUCCESS);
}

/* ---- the pool ---- */

static NTSTATUS query_system(ULONG class, void *buffer, ULONG length, ULONG *ret_length)
{
    NTSTATUS(WINAPI * query)
    (ULONG, PVOID, ULONG, PULONG) = (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation");

    return query(class, buffer, length, ret_length);
}

static void print_pages(void)
{
    PERFORMANCE_INFORMATION information = {.cb = sizeof(information)};
    ULONG words[128] = {0}, length;

    CHECK(GetPerformanceInfo(&information, sizeof(information)));
    CHECK(query_system(2, words, sizeof(words), &length) == 0);
    printf("psapi %lu %lu\n", (ULONG)information.KernelPaged, (ULONG)information.KernelNonpaged);
    printf("class2 %lu %lu %lu %lu %lu %lu\n", words[28], words[29], words[30], words[31], words[32], words[33]);
}

/* By tag, x64's layout. */
static void print_tags(void)
{
    static struct {
        ULONG count, pad;
        struct {
            ULONG tag, paged_allocs, paged_frees, pad;
            SIZE_T paged_used;
            ULONG nonpaged_allocs, nonpaged_frees;
            SIZE_T nonpaged_used;
        } tags[512];
    } all;
    ULONG length;

    CHECK(query_system(22, &all, 8, &length) == (NTSTATUS)0xC0000004 && length > 8);
    CHECK(query_system(22, &all, sizeof(all), &length) == 0);
    for (ULONG i = 0; i < all.count && i < 512; i++)
        printf("tag %08lx %lu %lu %llu %lu %lu %llu\n", all.tags[i].tag, all.tags[i].paged_allocs,
               all.tags[i].paged_frees, (unsigned long long)all.tags[i].paged_used, all.tags[i].nonpaged_allocs,
               all.tags[i].nonpaged_frees, (unsigned long long)all.tags[i].nonpaged_used);
}

static const PERF_OBJECT_TYPE *find_object(const PERF_DATA_BLOCK *data, DWORD title)
{
    const PERF_OBJECT_TYPE *object = (const void *)((const char *)data + data->HeaderLength);

    for (DWORD i = 0; i < data->NumObjectTypes; i++) {
        if (object->ObjectNameTitleIndex == title)
            return object;
        object = (const void *)((const char *)object + object->TotalByteLength);
    }
    return NULL;
}

static DWORD counter_of(const PERF_OBJECT_TYPE *object, DWORD title)
{
    const PERF_COUNTER_DEFINITION *definition = (const void *)((const char *)object + object->HeaderLength);
    const char *block = (const char *)object + object->DefinitionLength;

    for (DWORD i = 0; i < object->NumCounters; i++) {
        if (definition->CounterNameTitleIndex == title && definition->CounterType == PERF_COUNTER_RAWCOUNT)
            return *(const DWORD *)(block + definition->CounterOffset);
        definition = (const void *)((const char *)definition + definition->ByteLength);
    }
    return MAXDWORD;
}

static void print_counters(const WCHAR *query)
{
    static union {
        PERF_DATA_BLOCK block;
        char bytes[65536];
    } data;
    const PERF_OBJECT_TYPE *memory;
    DWORD size = sizeof(data), type;

    CHECK(RegQueryValueExW(HKEY_PERFORMANCE_DATA, query, NULL, &type, (BYTE *)&data, &size) == ERROR_SUCCESS);
    RegCloseKey(HKEY_PERFORMANCE_DATA);
    CHECK((memory = find_object(&data.block, 4)) != NULL);
    if (memory)
        printf("counters %lu %lu %lu %lu\n", counter_of(memory, 56), counter_of(memory, 58), counter_of(memory, 60),
               counter_of(memory, 64));
    size = sizeof(data.block) + 16;
    CHECK(RegQueryValueExW(HKEY_PERFORMANCE_DATA, query, NULL, &type, (BYTE *)&data, &size) == ERROR_MORE_DATA);
    size = sizeof(data);
    CHECK(RegQueryValueExW(HKEY_PERFORMANCE_DATA, L"2", NULL, &type, (BYTE *)&data, &size) == ERROR_SUCCESS);
    CHECK(!find_object(&data.block, 4));
}

/* Wine's pdh.dll has a list of counters of its own, and no way to add to it: this says when that has changed. */
static void check_pdh(void)
{
    HQUERY query;
    HCOUNTER counter;

    CHECK(PdhOpenQueryW(NULL, 0, &query) == ERROR_SUCCESS);
    CHECK(PdhAddCounterW(query, L"\\Memory\\Pool Paged Bytes", 0, &counter) == (LONG)PDH_CSTATUS_NO_COUNTER);
    CHECK(PdhAddCounterW(query, L"\\System\\System Up Time", 0, &counter) == ERROR_SUCCESS);
    PdhCloseQuery(query);
}

/* All that is said of the pool, for each line that is read. */
static void claim_pool(void)
{
    char line[16];

    check_pdh();
    CHECK(GetFileAttributesW(L"X:\\probe.txt") != INVALID_FILE_ATTRIBUTES);
    while (fgets(line, sizeof(line), stdin)) {
        print_pages();
        print_tags();
        print_counters(L"Global");
        print_counters(L"230 4");
        puts("end");
        fflush(stdout);
    }
}

/* Where the letter leads now, for each line that is read. */
static void claim_leads(void)
{
    WCHAR target[MAX_PATH];
    char line[16];

    while (fgets(line, sizeof(line), stdin)) {
        printf("%ls\n", QueryDosDeviceW(L"X:", target, MAX_PATH) ? target : L"nowhere");
        fflush(stdout);
    }
}

static const struct {
    const WCHAR *name;
    void (*run)(void);
} claims[] = {
    {L"shown", claim_shown},
    {L"not-shown", claim_not_shown},
    {L"connected", claim_connected},
    {L"network", claim_network},
    {L"information", claim_information},
    {L"universal", claim_universal},
    {L"user", claim_user},
    {L"remembered", claim_remembered},
    {L"redirected", claim_redirected},
    {L"deviceless", claim_deviceless},
    {L"open-files", claim_open_files},
    {L"leads", claim_leads},
    {L"pool", claim_pool},
};

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    if (argc > 2)
        user = argv[2];
    for (size_t i = 0; argc > 1 && i < ARRAYSIZE(claims); i++) {
        if (wcscmp(argv[1], claims[i].name) != 0)
            continue;
        claims[i].run();
        return failures ? 1 : 0;
    }
    fprintf(stderr, "usage: useprobe CLAIM [USER]\n");
    return 2;
}
