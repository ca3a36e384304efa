/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mapped transport: for a Wine through which no Linux system call gets. A file of the machine's is the region,
 * and both sides poll, since there is nothing to be woken by.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "report.h"
#include "transport.h"

/* In ms. The machine beats every 100, unless a busy system keeps it waiting: it is given up as soon as by a relay. */
#define HANDSHAKE_PATIENCE 20000
#define HEARTBEAT_PATIENCE 10000
#define YIELDS             32
#define MOST_REGIONS       10000u
#define NAP                5000 /* 100 ns units: 0.5 ms */

static struct wire_region *mapped_region;

static struct {
    uint32_t beat;
    DWORD since, looked; /* ticks: when beat was new, and when we last looked; races between threads do no harm */
} pulse;

static void nap(void)
{
    LARGE_INTEGER time = {.QuadPart = -NAP};

    wine.NtDelayExecution(FALSE, &time);
}

static bool mapped_usable(void)
{
    return true;
}

/* Sharing nothing keeps every other process of this wineserver out of the region, until this one ends. */
static NTSTATUS open_region_file(const WCHAR *folder, unsigned number, HANDLE *ret_file)
{
    WCHAR path[MAX_PATH + 32];
    int length = _snwprintf(path, ARRAYSIZE(path), L"\\??\\unix%ls\\attach\\%u", folder, number);
    UNICODE_STRING name = {(USHORT)(length * sizeof(WCHAR)), (USHORT)(length * sizeof(WCHAR)), path};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;

    for (int i = 0; i < length; i++)
        if (path[i] == '/')
            path[i] = '\\';
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    return wine.NtCreateFile(ret_file, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attributes, &io, NULL, 0, 0,
                             FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
}

static NTSTATUS map_region(HANDLE file, struct wire_region **ret_region)
{
    SIZE_T size = sizeof(struct wire_region);
    PVOID base = NULL;
    HANDLE section;
    NTSTATUS status = wine.NtCreateSection(&section, SECTION_MAP_READ | SECTION_MAP_WRITE | SECTION_QUERY, NULL, NULL,
                                           PAGE_READWRITE, SEC_COMMIT, file);

    if (status != STATUS_SUCCESS)
        return status;
    status = wine.NtMapViewOfSection(section, GetCurrentProcess(), &base, 0, 0, NULL, &size, 2 /* ViewUnmap */, 0,
                                     PAGE_READWRITE);
    wine.NtClose(section);
    if (!NT_SUCCESS(status))
        return status;
    *ret_region = base;
    return STATUS_SUCCESS;
}

/* Ours from here on: not a client's of another wineserver, and not that of one that has just ended. */
static bool claim(struct wire_region *region)
{
    return region->magic == WIRE_MAGIC && wire_claim(&region->state, WIRE_REGION_OPEN, WIRE_REGION_CLAIMED);
}

static NTSTATUS shake_hands(struct wire_region *region, struct wire_welcome *ret_welcome)
{
    DWORD start = GetTickCount();

    client_hello(region->handshake, false);
    wire_store(&region->state, WIRE_REGION_HELLO);
    while (wire_load(&region->state) == WIRE_REGION_HELLO) {
        if (GetTickCount() - start > HANDSHAKE_PATIENCE) {
            report("the machine does not answer");
            return STATUS_IO_TIMEOUT;
        }
        nap();
    }
    return client_check_welcome(region->handshake, sizeof(region->handshake), ret_welcome);
}

/* The first region that nobody has. On success *ret_file stays open as long as the process lives. */
static NTSTATUS find_region(const WCHAR *folder, HANDLE *ret_file, struct wire_region **ret_region)
{
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;

    for (unsigned number = 0; number < MOST_REGIONS; number++) {
        struct wire_region *region;

        status = open_region_file(folder, number, ret_file);
        if (status == STATUS_SHARING_VIOLATION)
            continue;
        if (status == STATUS_SUCCESS) {
            status = map_region(*ret_file, &region);
            if (status == STATUS_SUCCESS && claim(region)) {
                *ret_region = region;
                return STATUS_SUCCESS;
            }
            if (status == STATUS_SUCCESS)
                UnmapViewOfFile(region);
            wine.NtClose(*ret_file);
        }
        if (status != STATUS_SUCCESS)
            break;
    }
    report("no free region in %ls/attach (%08lx): no machine there, or too many programs", folder, status);
    return STATUS_BAD_NETWORK_PATH;
}

static NTSTATUS mapped_open(const WCHAR *folder, struct wire_region **ret_region, struct wire_welcome *ret_welcome)
{
    struct wire_region *region;
    HANDLE file;
    NTSTATUS status = find_region(folder, &file, &region);

    if (status != STATUS_SUCCESS)
        return status;
    status = shake_hands(region, ret_welcome);
    if (status != STATUS_SUCCESS) {
        wine.NtClose(file);
        return status;
    }
    mapped_region = region;
    *ret_region = region;
    return STATUS_SUCCESS;
}

static NTSTATUS mapped_attach(uint32_t slot)
{
    return STATUS_SUCCESS;
}

static void mapped_wake(uint32_t *word)
{
}

static bool machine_has_stopped(void)
{
    uint32_t beat = wire_load(&mapped_region->heartbeat);
    DWORD now = GetTickCount();

    if (wire_load(&mapped_region->state) == WIRE_REGION_DEAD)
        return true;
    /* Nobody looked for a while: what stood still meanwhile is not known. */
    if (beat != pulse.beat || now - pulse.looked > HEARTBEAT_PATIENCE / 2) {
        pulse.beat = beat;
        pulse.since = now;
    }
    pulse.looked = now;
    return now - pulse.since > HEARTBEAT_PATIENCE;
}

static NTSTATUS mapped_sleep(uint32_t *word, uint32_t value, uint32_t milliseconds)
{
    for (int i = 0; i < YIELDS; i++) {
        if (wire_load(word) != value)
            return STATUS_SUCCESS;
        wine.NtYieldExecution();
    }
    nap();
    return wire_load(word) == value && machine_has_stopped() ? STATUS_UNEXPECTED_NETWORK_ERROR : STATUS_SUCCESS;
}

const struct transport mapped_transport = {
    .name = "mapped",
    .usable = mapped_usable,
    .open = mapped_open,
    .attach = mapped_attach,
    .wake = mapped_wake,
    .sleep = mapped_sleep,
};
