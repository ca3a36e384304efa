/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createleak_pool.c - the paged pool, as any Windows program can read it. See createleak_pool.h. */
#include "createleak_pool.h"

#include "createleak_text.h"

#define TAGS_MAX 8192

/* PERFORMANCE_INFORMATION of psapi.h: not of NT 4.0, so looked up. */
struct performance_info {
    DWORD size;
    SIZE_T commit_total, commit_limit, commit_peak, physical_total, physical_available, system_cache;
    SIZE_T kernel_total, kernel_paged, kernel_nonpaged, page_size;
    DWORD handles, processes, threads;
};

struct pool_tag {
    char tag[4];
    ULONG paged_allocs, paged_frees;
    SIZE_T paged_used;
    ULONG nonpaged_allocs, nonpaged_frees;
    SIZE_T nonpaged_used;
};

struct pool_tags {
    ULONG count;
    struct pool_tag tag[TAGS_MAX];
};

/* SystemPerformanceInformation as ULONGs. */
#define CLASS_PERFORMANCE 2
#define WORD_PAGED_POOL   28
#define WORD_PAGED_ALLOCS 30
#define WORD_PAGED_FREES  31
#define CLASS_POOL_TAG    22

static BOOL(WINAPI *get_performance_info)(struct performance_info *, DWORD);
static LONG(WINAPI *query_system_information)(ULONG, void *, ULONG, ULONG *);
static struct pool_tags *tags_before, *tags_after;

/* GetProcAddress, as a type that every function pointer may come from. */
static void *find_function(HMODULE module, const char *name)
{
    return module ? (void *)GetProcAddress(module, name) : NULL;
}

void find_pool_functions(void)
{
    get_performance_info = find_function(GetModuleHandleA("kernel32.dll"), "K32GetPerformanceInfo");
    if (!get_performance_info)
        get_performance_info = find_function(LoadLibraryA("psapi.dll"), "GetPerformanceInfo");
    query_system_information = find_function(GetModuleHandleA("ntdll.dll"), "NtQuerySystemInformation");
    tags_before = VirtualAlloc(NULL, sizeof(*tags_before), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    tags_after = VirtualAlloc(NULL, sizeof(*tags_after), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
}

void read_pages(struct pool *pool)
{
    static ULONG words[256];
    struct performance_info info;
    SYSTEM_INFO system;

    memset(pool, 0, sizeof(*pool));
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    if (get_performance_info && get_performance_info(&info, sizeof(info))) {
        pool->has_info = TRUE;
        pool->info_pages = info.kernel_paged;
        pool->page_size = info.page_size;
    } else {
        GetSystemInfo(&system);
        pool->page_size = system.dwPageSize;
    }
    if (query_system_information && query_system_information(CLASS_PERFORMANCE, words, sizeof(words), NULL) >= 0) {
        pool->has_class2 = TRUE;
        pool->class2_pages = words[WORD_PAGED_POOL];
        pool->allocs = words[WORD_PAGED_ALLOCS];
        pool->frees = words[WORD_PAGED_FREES];
    }
}

/* Without pool tagging NT 4.0 has no class 22, and Windows that refuse it to this user have none for us. */
static void read_tags(struct pool *pool, struct pool_tags *tags)
{
    if (!tags)
        return;
    memset(tags, 0, sizeof(*tags));
    if (!query_system_information || query_system_information(CLASS_POOL_TAG, tags, sizeof(*tags), NULL) < 0)
        return;
    if (tags->count > TAGS_MAX)
        tags->count = TAGS_MAX;
    pool->has_tags = TRUE;
    for (ULONG i = 0; i < tags->count; i++)
        pool->tagged += tags->tag[i].paged_used;
}

BOOL has_pages(const struct pool *pool)
{
    return pool->has_info || pool->has_class2;
}

ULONGLONG pages_of(const struct pool *pool)
{
    return pool->has_info ? pool->info_pages : pool->class2_pages;
}

static void print_pool(const char *when, const struct pool *pool)
{
    put(when);
    put_field(" pages=", has_pages(pool), pages_of(pool));
    put_field(" page_size=", TRUE, pool->page_size);
    put(pool->has_info ? " source=performance_info" : pool->has_class2 ? " source=class2" : " source=-");
    put_field(" class2=", pool->has_class2, pool->class2_pages);
    put_field(" allocs=", pool->has_class2, pool->allocs);
    put_field(" frees=", pool->has_class2, pool->frees);
    put_field(" tagged=", pool->has_tags, pool->tagged);
    print_line();
}

static void read_pool(const char *when, struct pool *pool, struct pool_tags *tags)
{
    read_pages(pool);
    read_tags(pool, tags);
    print_pool(when, pool);
}

static const struct pool_tag *find_tag(const struct pool_tags *tags, const char *tag)
{
    for (ULONG i = 0; i < tags->count; i++) {
        const char *other = tags->tag[i].tag;

        if (other[0] == tag[0] && other[1] == tag[1] && other[2] == tag[2] && other[3] == tag[3])
            return &tags->tag[i];
    }
    return NULL;
}

static void print_grown_tag(void)
{
    static const struct pool_tag none;
    const struct pool_tag *grown = NULL, *grown_before = &none;
    SIZE_T most = 0;

    if (!tags_before || !tags_after)
        return;
    for (ULONG i = 0; i < tags_after->count; i++) {
        const struct pool_tag *now = &tags_after->tag[i];
        const struct pool_tag *then = find_tag(tags_before, now->tag);
        SIZE_T used_then = then ? then->paged_used : 0;

        if (now->paged_used > used_then && now->paged_used - used_then > most) {
            most = now->paged_used - used_then;
            grown = now;
            grown_before = then ? then : &none;
        }
    }
    if (!grown)
        return;
    put("tag ");
    for (int i = 0; i < 4; i++)
        put_char(grown->tag[i] > ' ' && grown->tag[i] < 127 ? grown->tag[i] : '.');
    /* Counts wrap; their difference does not. */
    put_field(" blocks=", TRUE,
              (grown->paged_allocs - grown_before->paged_allocs) - (grown->paged_frees - grown_before->paged_frees));
    put_field(" bytes=", TRUE, most);
    print_line();
}

void read_pool_before(struct pool *pool)
{
    read_pool("before", pool, tags_before);
}

void read_pool_after(struct pool *pool)
{
    read_pool("after", pool, tags_after);
    print_grown_tag();
}
