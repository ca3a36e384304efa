/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handle tables. Entry i has handle 4 * (i + 1). A handle made with OBJ_KERNEL_HANDLE lives in the System process's
 * table, has bit 31 and all above set, and is good in every process (documented from Windows 2000 on; NT 4.0 has no
 * such handles: the machine's host uses them for files that outlive their opener).
 */
#include "obp.h"

#include <string.h>

#define KERNEL_HANDLE_BITS (~(ULONG_PTR)0x7fffffff)
#define FIRST_CAPACITY     64u
#define MAX_CAPACITY       (1u << 24)

typedef struct _HANDLE_ENTRY {
    PVOID Object; /* NULL: free, and GrantedAccess is the next free entry's index */
    ACCESS_MASK GrantedAccess;
    ULONG Attributes;
} HANDLE_ENTRY;

typedef struct _HANDLE_TABLE {
    FAST_MUTEX Mutex; /* guards all below */
    HANDLE_ENTRY *Entries;
    ULONG Capacity, Used, FirstFree; /* FirstFree == Capacity: none */
} HANDLE_TABLE;

PHANDLE_TABLE ObpCreateHandleTable(void)
{
    PHANDLE_TABLE table = ExAllocatePoolWithTag(NonPagedPool, sizeof *table, OBP_TAG_HANDLES);

    if (!table)
        return NULL;
    memset(table, 0, sizeof *table);
    ExInitializeFastMutex(&table->Mutex);
    return table;
}

static BOOLEAN grow(PHANDLE_TABLE table)
{
    ULONG capacity = table->Capacity ? table->Capacity * 2 : FIRST_CAPACITY;
    HANDLE_ENTRY *entries;

    if (capacity > MAX_CAPACITY)
        return FALSE;
    entries = ExAllocatePoolWithTag(PagedPool, capacity * sizeof *entries, OBP_TAG_HANDLES);
    if (!entries)
        return FALSE;
    if (table->Entries) {
        memcpy(entries, table->Entries, table->Capacity * sizeof *entries);
        ExFreePoolWithTag(table->Entries, OBP_TAG_HANDLES);
    }
    for (ULONG i = table->Capacity; i < capacity; i++)
        entries[i] = (HANDLE_ENTRY){.GrantedAccess = i + 1};
    table->FirstFree = table->Capacity;
    table->Entries = entries;
    table->Capacity = capacity;
    return TRUE;
}

static PHANDLE_TABLE table_of(HANDLE handle, ULONG *index)
{
    ULONG_PTR value = (ULONG_PTR)handle;
    BOOLEAN kernel = (value & KERNEL_HANDLE_BITS) == KERNEL_HANDLE_BITS;

    if (kernel)
        value &= ~KERNEL_HANDLE_BITS;
    if (!value || value % 4 || value / 4 - 1 >= MAX_CAPACITY)
        return NULL;
    *index = (ULONG)(value / 4 - 1);
    return ObpHandleTableOf(kernel ? OBJ_KERNEL_HANDLE : 0);
}

static HANDLE_ENTRY *live_entry(PHANDLE_TABLE table, ULONG index)
{
    return index < table->Capacity && table->Entries[index].Object ? &table->Entries[index] : NULL;
}

NTSTATUS ObpCreateHandle(PVOID Object, ACCESS_MASK GrantedAccess, ULONG Attributes, HANDLE *Handle)
{
    PHANDLE_TABLE table = ObpHandleTableOf(Attributes);
    ULONG_PTR value;
    ULONG index;

    ExAcquireFastMutex(&table->Mutex);
    if (table->FirstFree == table->Capacity && !grow(table)) {
        ExReleaseFastMutex(&table->Mutex);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    index = table->FirstFree;
    table->FirstFree = table->Entries[index].GrantedAccess;
    ObReferenceObject(Object);
    __atomic_fetch_add(&ObpHeader(Object)->HandleCount, 1, __ATOMIC_ACQ_REL);
    table->Entries[index] = (HANDLE_ENTRY){Object, GrantedAccess, Attributes};
    table->Used++;
    ExReleaseFastMutex(&table->Mutex);

    value = (ULONG_PTR)(index + 1) * 4;
    *Handle = (HANDLE)(Attributes & OBJ_KERNEL_HANDLE ? value | KERNEL_HANDLE_BITS : value);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                         KPROCESSOR_MODE AccessMode, PVOID *Object,
                                         POBJECT_HANDLE_INFORMATION HandleInformation)
{
    ULONG index;
    PHANDLE_TABLE table = table_of(Handle, &index);
    HANDLE_ENTRY *entry;
    NTSTATUS status = STATUS_SUCCESS;

    if (!table)
        return STATUS_INVALID_HANDLE;
    ExAcquireFastMutex(&table->Mutex);
    entry = live_entry(table, index);
    if (!entry) {
        status = STATUS_INVALID_HANDLE;
    } else if (ObjectType && ObpHeader(entry->Object)->Type != ObjectType) {
        status = STATUS_OBJECT_TYPE_MISMATCH;
    } else if (AccessMode == UserMode && (DesiredAccess & ~entry->GrantedAccess)) {
        status = STATUS_ACCESS_DENIED;
    } else {
        *Object = entry->Object;
        ObReferenceObject(*Object);
        if (HandleInformation)
            *HandleInformation = (OBJECT_HANDLE_INFORMATION){entry->Attributes, entry->GrantedAccess};
    }
    ExReleaseFastMutex(&table->Mutex);
    return status;
}

static void close_object(PVOID object)
{
    POBJECT_TYPE type = ObpHeader(object)->Type;
    LONG left = __atomic_sub_fetch(&ObpHeader(object)->HandleCount, 1, __ATOMIC_ACQ_REL);

    if (type->Close)
        type->Close(object, left);
    ObDereferenceObject(object);
}

/* Takes the entry out of the table; the caller then owns its reference and handle count. */
static PVOID take_entry(PHANDLE_TABLE table, ULONG index)
{
    HANDLE_ENTRY *entry;
    PVOID object = NULL;

    ExAcquireFastMutex(&table->Mutex);
    entry = live_entry(table, index);
    if (entry) {
        object = entry->Object;
        *entry = (HANDLE_ENTRY){.GrantedAccess = table->FirstFree};
        table->FirstFree = index;
        table->Used--;
    }
    ExReleaseFastMutex(&table->Mutex);
    return object;
}

NTSTATUS NTAPI NtClose(HANDLE Handle)
{
    ULONG index;
    PHANDLE_TABLE table = table_of(Handle, &index);
    PVOID object = table ? take_entry(table, index) : NULL;

    if (!object)
        return STATUS_INVALID_HANDLE;
    close_object(object);
    return STATUS_SUCCESS;
}

ULONG ObpHandleCountOf(PHANDLE_TABLE Table)
{
    ULONG used;

    ExAcquireFastMutex(&Table->Mutex);
    used = Table->Used;
    ExReleaseFastMutex(&Table->Mutex);
    return used;
}

void ObpDeleteHandleTable(PHANDLE_TABLE Table)
{
    if (!Table)
        return;
    for (ULONG i = 0; i < Table->Capacity; i++) {
        PVOID object = take_entry(Table, i);
        if (object)
            close_object(object);
    }
    if (Table->Entries)
        ExFreePoolWithTag(Table->Entries, OBP_TAG_HANDLES);
    ExFreePoolWithTag(Table, OBP_TAG_HANDLES);
}
