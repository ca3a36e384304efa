/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directory objects: names and what they stand for. An entry holds a reference on its object, and on the directory that
 * it is in; a temporary object loses its name with its last handle (documented: WDK, ZwMakeTemporaryObject).
 */
#include "obp.h"

#include <pthread.h>
#include <string.h>

OBJECT_TYPE ObpDirectoryType = {
    .Name = "Directory",
    .PoolType = PagedPool,
    .Tag = OBP_TAG_DIRECTORY,
    .GenericMapping = {STANDARD_RIGHTS_READ | DIRECTORY_QUERY | DIRECTORY_TRAVERSE,
                       STANDARD_RIGHTS_WRITE | DIRECTORY_CREATE_OBJECT | DIRECTORY_CREATE_SUBDIRECTORY,
                       STANDARD_RIGHTS_EXECUTE | DIRECTORY_QUERY | DIRECTORY_TRAVERSE, DIRECTORY_ALL_ACCESS},
};

/* ---- the namespace's lock ---- */

/*
 * NT has an executive resource. Lookups come from every thread all the time and changes hardly ever: a lookup takes one
 * of several locks, that of its thread, and shares no cache line with others; a change takes them all.
 */
static struct {
    pthread_mutex_t mutex;
} __attribute__((aligned(64))) locks[OBP_SLOTS] = {[0 ... OBP_SLOTS - 1] = {PTHREAD_MUTEX_INITIALIZER}};

void ObpLockNamespace(BOOLEAN Change)
{
    if (!Change)
        pthread_mutex_lock(&locks[ObpOwnSlot()].mutex);
    for (ULONG i = 0; Change && i < OBP_SLOTS; i++)
        pthread_mutex_lock(&locks[i].mutex);
}

void ObpUnlockNamespace(BOOLEAN Change)
{
    if (!Change)
        pthread_mutex_unlock(&locks[ObpOwnSlot()].mutex);
    for (ULONG i = OBP_SLOTS; Change && i > 0; i--)
        pthread_mutex_unlock(&locks[i - 1].mutex);
}

/* ---- entries; the lock is held ---- */

/* Names that are equal but for case have one bucket: ASCII letters lose the bit, and other letters count as one. */
static ULONG bucket_of(const UNICODE_STRING *name)
{
    ULONG hash = 0;

    for (ULONG i = 0; i < name->Length / sizeof(WCHAR); i++)
        hash = hash * 37 + (name->Buffer[i] < 0x80 ? name->Buffer[i] & 0xdfu : 0x80u);
    return hash % OBP_BUCKETS;
}

POBJECT_HEADER ObpFindEntry(POBJECT_DIRECTORY Directory, const UNICODE_STRING *Name, BOOLEAN IgnoreCase)
{
    for (POBJECT_HEADER h = Directory->Buckets[bucket_of(Name)]; h; h = h->NextInBucket)
        if (RtlEqualUnicodeString(&h->Name, Name, IgnoreCase))
            return h;
    return NULL;
}

NTSTATUS ObpInsertEntry(POBJECT_DIRECTORY Directory, const UNICODE_STRING *Name, POBJECT_HEADER Header)
{
    ULONG bucket = bucket_of(Name);
    PWSTR name = ExAllocatePoolWithTag(PagedPool, Name->Length, OBP_TAG_NAME);

    if (!name)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(name, Name->Buffer, Name->Length);
    Header->Name.Buffer = name;
    Header->Name.Length = Header->Name.MaximumLength = Name->Length;
    Header->Directory = Directory;
    Header->NextInBucket = Directory->Buckets[bucket];
    Directory->Buckets[bucket] = Header;
    ObReferenceObject(ObpBody(Header));
    ObReferenceObject(Directory);
    return STATUS_SUCCESS;
}

static void remove_entry(POBJECT_HEADER header)
{
    POBJECT_HEADER *link = &header->Directory->Buckets[bucket_of(&header->Name)];

    while (*link != header)
        link = &(*link)->NextInBucket;
    *link = header->NextInBucket;
    header->Directory = NULL;
    RtlZeroMemory(&header->Name, sizeof header->Name);
}

static void remove_name(PVOID object, BOOLEAN only_if_unused)
{
    POBJECT_HEADER header = ObpHeader(object);
    POBJECT_DIRECTORY directory;
    PWSTR name = NULL;

    ObpLockNamespace(TRUE);
    directory = header->Directory;
    if (directory && (!only_if_unused || !header->HandleCount)) {
        name = header->Name.Buffer;
        remove_entry(header);
    }
    ObpUnlockNamespace(TRUE);
    if (!name)
        return;
    ExFreePoolWithTag(name, OBP_TAG_NAME);
    ObDereferenceObject(object);
    ObDereferenceObject(directory);
}

void ObpRemoveName(PVOID Object)
{
    remove_name(Object, FALSE);
}

void ObpRemoveNameIfUnused(PVOID Object)
{
    remove_name(Object, TRUE);
}

ULONG ObpDirectoryEntries(POBJECT_DIRECTORY Directory)
{
    ULONG count = 0;

    ObpLockNamespace(FALSE);
    for (ULONG i = 0; i < OBP_BUCKETS; i++)
        for (POBJECT_HEADER h = Directory->Buckets[i]; h; h = h->NextInBucket)
            count++;
    ObpUnlockNamespace(FALSE);
    return count;
}

/* ---- services ---- */

NTSTATUS ObpCreateDirectory(const UNICODE_STRING *Path, POBJECT_DIRECTORY *Directory)
{
    PVOID directory;
    NTSTATUS status = ObpCreateObject(&ObpDirectoryType, sizeof(OBJECT_DIRECTORY), &directory);

    if (!NT_SUCCESS(status))
        return status;
    status = ObpEnterName(Path, directory);
    if (NT_SUCCESS(status) && Directory)
        *Directory = directory;
    else
        ObDereferenceObject(directory);
    return status;
}

NTSTATUS NTAPI NtCreateDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess,
                                       POBJECT_ATTRIBUTES ObjectAttributes)
{
    PVOID directory;
    NTSTATUS status = ObpCreateObject(&ObpDirectoryType, sizeof(OBJECT_DIRECTORY), &directory);

    return NT_SUCCESS(status) ? ObpInsertObject(directory, ObjectAttributes, DesiredAccess, DirectoryHandle) : status;
}

NTSTATUS NTAPI NtOpenDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess,
                                     const OBJECT_ATTRIBUTES *ObjectAttributes)
{
    return ObpOpenObject(ObjectAttributes, &ObpDirectoryType, DesiredAccess, DirectoryHandle);
}

static POBJECT_HEADER entry_at(const OBJECT_DIRECTORY *directory, ULONG index)
{
    for (ULONG i = 0; i < OBP_BUCKETS; i++)
        for (POBJECT_HEADER h = directory->Buckets[i]; h; h = h->NextInBucket)
            if (!index--)
                return h;
    return NULL;
}

/* An entry's strings, with terminators, as the listing has them. */
static ULONG text_bytes(const OBJECT_HEADER *header)
{
    return header->Name.Length + ((ULONG)strlen(header->Type->Name) + 2) * (ULONG)sizeof(WCHAR);
}

static void put_text(UNICODE_STRING *string, WCHAR **text, const UNICODE_STRING *wide, const char *narrow)
{
    ULONG units = wide ? wide->Length / sizeof(WCHAR) : (ULONG)strlen(narrow);

    string->Buffer = *text;
    string->Length = (USHORT)(units * sizeof(WCHAR));
    string->MaximumLength = (USHORT)(string->Length + sizeof(WCHAR));
    for (ULONG i = 0; i < units; i++)
        (*text)[i] = wide ? wide->Buffer[i] : (WCHAR)narrow[i];
    (*text)[units] = 0;
    *text += units + 1;
}

/*
 * Fills an array of entries that ends in an empty one, with the strings behind it (observed: Wine's and ReactOS's
 * tests). The lock is held; Entries is how many fit.
 */
static ULONG list(const OBJECT_DIRECTORY *directory, ULONG first, PDIRECTORY_BASIC_INFORMATION info, ULONG entries)
{
    WCHAR *text = (WCHAR *)(info + entries + 1);

    for (ULONG i = 0; i < entries; i++) {
        const OBJECT_HEADER *header = entry_at(directory, first + i);
        put_text(&info[i].ObjectName, &text, &header->Name, "");
        put_text(&info[i].ObjectTypeName, &text, NULL, header->Type->Name);
    }
    memset(&info[entries], 0, sizeof info[entries]);
    return (ULONG)((char *)text - (char *)info);
}

static NTSTATUS query(const OBJECT_DIRECTORY *directory, PDIRECTORY_BASIC_INFORMATION info, ULONG length, ULONG most,
                      ULONG *context, ULONG *bytes)
{
    ULONG entries = 0, used = sizeof *info;
    const OBJECT_HEADER *next = entry_at(directory, *context);

    if (!next)
        return EMU_DECIDE("Ob", STATUS_NO_MORE_ENTRIES, "the directory has no entry %u", *context);
    while (next && entries < most && used + sizeof *info + text_bytes(next) <= length) {
        used += (ULONG)sizeof *info + text_bytes(next);
        next = entry_at(directory, *context + ++entries);
    }
    if (!entries) {
        *bytes = used + (ULONG)sizeof *info + text_bytes(next);
        return EMU_DECIDE("Ob", STATUS_BUFFER_TOO_SMALL, "the next entry takes %u bytes", *bytes);
    }
    *bytes = list(directory, *context, info, entries);
    *context += entries;
    return next && most > 1 ? STATUS_MORE_ENTRIES : STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE DirectoryHandle, PDIRECTORY_BASIC_INFORMATION Buffer, ULONG Length,
                                      BOOLEAN ReturnSingleEntry, BOOLEAN RestartScan, PULONG Context,
                                      PULONG ReturnLength)
{
    ULONG context = RestartScan ? 0 : *Context, bytes = 0;
    PVOID directory;
    NTSTATUS status =
        ObReferenceObjectByHandle(DirectoryHandle, DIRECTORY_QUERY, &ObpDirectoryType, UserMode, &directory, NULL);

    if (!NT_SUCCESS(status))
        return status;
    ObpLockNamespace(FALSE);
    status = query(directory, Buffer, Length, ReturnSingleEntry ? 1 : MAXLONG, &context, &bytes);
    ObpUnlockNamespace(FALSE);
    if (NT_SUCCESS(status))
        *Context = context;
    if (ReturnLength)
        *ReturnLength = bytes;
    ObDereferenceObject(directory);
    return status;
}
