/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The prefix table: which \server\share is whose, so that the redirectors need not be asked for each file. An entry's
 * time begins when it is entered and is not prolonged by use (documented: IOCTL_REDIR_QUERY_PATH_EX, of the same
 * table's successor).
 */
#include "mup.h"

#include <string.h>

typedef struct _MUP_PREFIX {
    LIST_ENTRY Links;
    PMUP_PROVIDER Provider; /* with a reference */
    LONGLONG Expires;
    UNICODE_STRING Name; /* follows the structure */
} MUP_PREFIX, *PMUP_PREFIX;

static LIST_ENTRY prefixes; /* under MupMutex; oldest first */

static LONGLONG system_time(void)
{
    LARGE_INTEGER now;

    KeQuerySystemTime(&now);
    return now.QuadPart;
}

LONGLONG (*MupClock)(void) = system_time;

void MupInitializePrefixes(void)
{
    InitializeListHead(&prefixes);
}

/* Its provider's registration has a reference too, so this is never the last one. MupMutex is held. */
static void forget(PMUP_PREFIX prefix)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an entry of a list has neighbours */
    RemoveEntryList(&prefix->Links);
    prefix->Provider->References--;
    ExFreePoolWithTag(prefix, MUP_TAG);
}

void MupForgetPrefixesOf(PMUP_PROVIDER Provider)
{
    for (PLIST_ENTRY e = prefixes.Flink, next; e != &prefixes; e = next) {
        PMUP_PREFIX prefix = CONTAINING_RECORD(e, MUP_PREFIX, Links);
        next = e->Flink;
        if (!Provider || prefix->Provider == Provider)
            forget(prefix);
    }
}

void MupForgetPrefixes(void)
{
    ExAcquireFastMutex(&MupMutex);
    MupForgetPrefixesOf(NULL);
    ExReleaseFastMutex(&MupMutex);
}

/* All live as long, so those that are over are at the front. MupMutex is held. */
static void forget_expired(void)
{
    LONGLONG now = MupClock();

    while (!IsListEmpty(&prefixes)) {
        PMUP_PREFIX oldest = CONTAINING_RECORD(prefixes.Flink, MUP_PREFIX, Links);
        if (oldest->Expires > now)
            return;
        forget(oldest);
    }
}

static BOOLEAN leads_to(const UNICODE_STRING *prefix, const UNICODE_STRING *name)
{
    UNICODE_STRING start = *name;

    if (prefix->Length > name->Length)
        return FALSE;
    start.Length = prefix->Length;
    return RtlEqualUnicodeString(prefix, &start, TRUE) &&
           (name->Length == prefix->Length || name->Buffer[prefix->Length / sizeof(WCHAR)] == '\\');
}

PMUP_PROVIDER MupFindPrefix(const UNICODE_STRING *Name)
{
    PMUP_PREFIX longest = NULL;
    PMUP_PROVIDER provider = NULL;

    ExAcquireFastMutex(&MupMutex);
    forget_expired();
    for (PLIST_ENTRY e = prefixes.Flink; e != &prefixes; e = e->Flink) {
        PMUP_PREFIX prefix = CONTAINING_RECORD(e, MUP_PREFIX, Links);
        if (leads_to(&prefix->Name, Name) && (!longest || prefix->Name.Length > longest->Name.Length))
            longest = prefix;
    }
    if (longest) {
        provider = longest->Provider;
        provider->References++;
    }
    ExReleaseFastMutex(&MupMutex);
    return provider;
}

/* MupMutex is held. */
static BOOLEAN is_known(const UNICODE_STRING *name)
{
    for (PLIST_ENTRY e = prefixes.Flink; e != &prefixes; e = e->Flink)
        if (RtlEqualUnicodeString(&CONTAINING_RECORD(e, MUP_PREFIX, Links)->Name, name, TRUE))
            return TRUE;
    return FALSE;
}

void MupRememberPrefix(const UNICODE_STRING *Prefix, PMUP_PROVIDER Provider)
{
    PMUP_PREFIX prefix = ExAllocatePoolWithTag(PagedPool, sizeof *prefix + Prefix->Length, MUP_TAG);
    BOOLEAN entered;

    if (!prefix)
        return;
    prefix->Provider = Provider;
    prefix->Name.Buffer = (PWSTR)(prefix + 1);
    prefix->Name.Length = prefix->Name.MaximumLength = Prefix->Length;
    memcpy(prefix->Name.Buffer, Prefix->Buffer, Prefix->Length);

    ExAcquireFastMutex(&MupMutex);
    forget_expired();
    /* Another create may have been asking at the same time; and the provider may have gone since it answered. */
    entered = !IsListEmpty(&Provider->Links) && !is_known(Prefix);
    if (entered) {
        prefix->Expires = MupClock() + MUP_PREFIX_LIFETIME;
        Provider->References++;
        InsertTailList(&prefixes, &prefix->Links);
    }
    ExReleaseFastMutex(&MupMutex);
    if (!entered)
        ExFreePoolWithTag(prefix, MUP_TAG);
}
