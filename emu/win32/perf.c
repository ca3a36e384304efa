/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * perf.c - the pool as HKEY_PERFORMANCE_DATA has it: the object "Memory" with the four counters of the pool.
 *
 * Wine asks the DLLs that are registered below Services\NAME\Performance, and has none of its own. Object and counters
 * are known by their indices in the list of titles of Windows' own counters (Perflib\009), which are the same on every
 * Windows. What is counted is what NtQuerySystemInformation says.
 */
#include <string.h>

#include "services.h"
#include <winperf.h>

#include "client.h"
#include "guard.h"
#include "provider.h"

#define OTHER_COPY(name) ((__typeof__(name) *)(void *)GetProcAddress(provider_other_copy(), #name))

#define TITLE_MEMORY      4
#define PAGE_BYTES        4096
#define CLASS_PERFORMANCE 2

/* SYSTEM_PERFORMANCE_INFORMATION as ULONGs, and room for what later Windows has behind them. */
enum { PAGED_PAGES = 28, NONPAGED_PAGES, PAGED_ALLOCS, PAGED_FREES, NONPAGED_ALLOCS, PERFORMANCE_WORDS = 128 };

static const struct {
    DWORD title, word, unit;
} counters[] = {
    {56, PAGED_PAGES, PAGE_BYTES}, {58, NONPAGED_PAGES, PAGE_BYTES}, {60, PAGED_ALLOCS, 1}, {64, NONPAGED_ALLOCS, 1}};
#define COUNTERS ARRAYSIZE(counters)

struct memory {
    PERF_OBJECT_TYPE object;
    PERF_COUNTER_DEFINITION definitions[COUNTERS];
    PERF_COUNTER_BLOCK block;
    DWORD values[COUNTERS];
    DWORD pad;
};

DWORD APIENTRY RdrlabPerfOpen(LPWSTR names);
DWORD APIENTRY RdrlabPerfCollect(LPWSTR query, LPVOID *data, LPDWORD bytes, LPDWORD objects);
DWORD APIENTRY RdrlabPerfClose(void);

/*
 * Wine 8 counts the header twice: what it hands a collector is that much behind the place where readers look, and where
 * by its own lengths the data is. Only the first collector's place can be told to be so, by the header before it.
 */
static void *right_place(char *place)
{
    PERF_DATA_BLOCK header;
    char *start = place - sizeof(header);

    for (size_t back = 0; back < 64; back += 8) { /* the system's name lies between */
        if (guarded_copy(&header, start - sizeof(header) - back, sizeof(header)) &&
            memcmp(header.Signature, L"PERF", sizeof(header.Signature)) == 0 &&
            header.HeaderLength == sizeof(header) + back)
            return start;
    }
    return place;
}

DWORD APIENTRY RdrlabPerfOpen(LPWSTR names)
{
    return ERROR_SUCCESS;
}

DWORD APIENTRY RdrlabPerfClose(void)
{
    return ERROR_SUCCESS;
}

/* "Global", or a list of titles' indices. */
static bool is_asked(const WCHAR *query)
{
    if (!query || !query[0] || _wcsicmp(query, L"Global") == 0)
        return true;
    for (;;) {
        WCHAR *end;
        unsigned long title = wcstoul(query, &end, 10);

        if (end == query)
            return false;
        if (title == TITLE_MEMORY)
            return true;
        query = end;
    }
}

static bool read_pool(ULONG words[PERFORMANCE_WORDS])
{
    NTSTATUS(NTAPI * query)
    (ULONG, PVOID, ULONG, PULONG) = (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation");
    ULONG length;

    return provider_available() && client_connect(false) == STATUS_SUCCESS &&
           NT_SUCCESS(query(CLASS_PERFORMANCE, words, PERFORMANCE_WORDS * sizeof(ULONG), &length));
}

static void fill(struct memory *memory, const ULONG words[PERFORMANCE_WORDS])
{
    LARGE_INTEGER now, frequency;

    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    memset(memory, 0, sizeof(*memory));
    memory->object = (PERF_OBJECT_TYPE){.TotalByteLength = sizeof(*memory),
                                        .DefinitionLength = offsetof(struct memory, block),
                                        .HeaderLength = sizeof(memory->object),
                                        .ObjectNameTitleIndex = TITLE_MEMORY,
                                        .ObjectHelpTitleIndex = TITLE_MEMORY + 1,
                                        .DetailLevel = PERF_DETAIL_NOVICE,
                                        .NumCounters = COUNTERS,
                                        .NumInstances = PERF_NO_INSTANCES,
                                        .PerfTime = now,
                                        .PerfFreq = frequency};
    memory->block.ByteLength = sizeof(*memory) - offsetof(struct memory, block);
    for (size_t i = 0; i < COUNTERS; i++) {
        memory->definitions[i] =
            (PERF_COUNTER_DEFINITION){.ByteLength = sizeof(memory->definitions[i]),
                                      .CounterNameTitleIndex = counters[i].title,
                                      .CounterHelpTitleIndex = counters[i].title + 1,
                                      .DetailLevel = PERF_DETAIL_NOVICE,
                                      .CounterType = PERF_COUNTER_RAWCOUNT,
                                      .CounterSize = sizeof(DWORD),
                                      .CounterOffset = (DWORD)(offsetof(struct memory, values[0]) -
                                                               offsetof(struct memory, block) + i * sizeof(DWORD))};
        memory->values[i] = words[counters[i].word] * counters[i].unit;
    }
}

DWORD APIENTRY RdrlabPerfCollect(LPWSTR query, LPVOID *data, LPDWORD bytes, LPDWORD objects)
{
    ULONG words[PERFORMANCE_WORDS];
    DWORD room = *bytes;

    if (provider_other_copy())
        return OTHER_COPY(RdrlabPerfCollect)(query, data, bytes, objects);
    *bytes = *objects = 0;
    if (!is_asked(query) || !read_pool(words))
        return ERROR_SUCCESS;
    if (room < sizeof(struct memory))
        return ERROR_MORE_DATA;
    fill(right_place(*data), words);
    *data = (char *)*data + sizeof(struct memory);
    *bytes = sizeof(struct memory);
    *objects = 1;
    return ERROR_SUCCESS;
}
