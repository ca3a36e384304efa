/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who uses the pool: call sites interned once, counters by (tag, pool, site). All under the pool's lock. */
#include "exp.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

static EXP_USE *uses;
static ULONG use_count, use_capacity;
static ULONG buckets[BUCKETS]; /* index + 1 of the first use */

/* Sites made up for return addresses. They outlive machines: a machine's report may be read after it is gone. */
static struct address_site {
    EMU_POOL_SITE site;
    const void *address;
    struct address_site *next;
} * address_sites;

static ULONG bucket_of(ULONG tag, BOOLEAN paged, const EMU_POOL_SITE *site)
{
    ULONG64 h = ((ULONG64)(ULONG_PTR)site >> 4) * 0x9e3779b97f4a7c15u ^ (ULONG64)tag * 0xff51afd7ed558ccdu ^ paged;
    return (ULONG)(h >> 40) % BUCKETS;
}

static BOOLEAN is_use(ULONG index, ULONG tag, BOOLEAN paged, const EMU_POOL_SITE *site)
{
    const EMU_POOL_USE *use = &uses[index].Public;
    return use->Site == site && use->Tag == tag && use->Paged == paged;
}

static ULONG add_use(ULONG tag, BOOLEAN paged, EMU_POOL_SITE *site)
{
    ULONG bucket = bucket_of(tag, paged, site);

    if (use_count == use_capacity) {
        ULONG capacity = use_capacity ? use_capacity * 2 : 256;
        EXP_USE *larger = realloc(uses, capacity * sizeof *larger);
        if (!larger)
            return EXP_NO_PAGE;
        uses = larger;
        use_capacity = capacity;
    }
    memset(&uses[use_count], 0, sizeof *uses);
    uses[use_count].Public.Tag = tag;
    uses[use_count].Public.Paged = paged;
    uses[use_count].Public.Site = site;
    uses[use_count].HashNext = buckets[bucket];
    buckets[bucket] = ++use_count;
    return use_count - 1;
}

ULONG ExpFindUse(ULONG Tag, BOOLEAN Paged, EMU_POOL_SITE *Site)
{
    ULONG i = Site->Id;

    /* Id is a hint: a site may use several tags, and it outlives a machine. */
    if (i && i <= use_count && is_use(i - 1, Tag, Paged, Site))
        return i - 1;
    for (i = buckets[bucket_of(Tag, Paged, Site)]; i; i = uses[i - 1].HashNext)
        if (is_use(i - 1, Tag, Paged, Site))
            break;
    i = i ? i - 1 : add_use(Tag, Paged, Site);
    if (i != EXP_NO_PAGE)
        Site->Id = i + 1;
    return i;
}

EXP_USE *ExpUse(ULONG Index)
{
    return &uses[Index];
}

ULONG ExpUseCount(void)
{
    return use_count;
}

void ExpForgetUses(void)
{
    free(uses);
    uses = NULL;
    use_count = use_capacity = 0;
    memset(buckets, 0, sizeof buckets);
}

EMU_POOL_SITE *ExpSiteOfAddress(const void *ReturnAddress)
{
    struct address_site *s;
    Dl_info info;

    for (s = address_sites; s; s = s->next)
        if (s->address == ReturnAddress)
            return &s->site;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->address = ReturnAddress;
    if (dladdr(ReturnAddress, &info)) {
        s->site.File = info.dli_fname ? info.dli_fname : "?";
        s->site.Function = info.dli_sname ? info.dli_sname : "?";
        s->site.Line = (ULONG)((const char *)ReturnAddress - (const char *)info.dli_fbase);
    } else {
        s->site.File = s->site.Function = "?";
    }
    s->next = address_sites;
    address_sites = s;
    return &s->site;
}
