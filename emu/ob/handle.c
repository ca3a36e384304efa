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
    ULONG Attributes; /* OBJ_INHERIT, OBJ_PROTECT_CLOSE */
} HANDLE_ENTRY;

typedef struct _HANDLE_TABLE {
    FAST_MUTEX Mutex; /* guards all below */
    HANDLE_ENTRY *Entries;
    ULONG Capacity, Used, FirstFree; /* FirstFree == Capacity: none */
    BOOLEAN Closed;                  /* the process has ended: no handle is made any more */
} HANDLE_TABLE;

#define KEPT_ATTRIBUTES ((ULONG)(OBJ_INHERIT | OBJ_PROTECT_CLOSE))

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

static PHANDLE_TABLE table_in(PEPROCESS process, HANDLE handle, ULONG *index)
{
    ULONG_PTR value = (ULONG_PTR)handle;
    BOOLEAN kernel = (value & KERNEL_HANDLE_BITS) == KERNEL_HANDLE_BITS;

    if (kernel)
        value &= ~KERNEL_HANDLE_BITS;
    if (!value || value % 4 || value / 4 - 1 >= MAX_CAPACITY)
        return NULL;
    *index = (ULONG)(value / 4 - 1);
    return (kernel ? PsInitialSystemProcess : process)->Handles;
}

static PHANDLE_TABLE table_of(HANDLE handle, ULONG *index)
{
    return table_in(PsGetCurrentProcess(), handle, index);
}

static HANDLE_ENTRY *live_entry(PHANDLE_TABLE table, ULONG index)
{
    return index < table->Capacity && table->Entries[index].Object ? &table->Entries[index] : NULL;
}

/* Guards Owner, and the first and last handle, of exclusive objects. Taken before a table's mutex. */
static FAST_MUTEX exclusive_mutex;

void ObpInitializeHandles(void)
{
    ExInitializeFastMutex(&exclusive_mutex);
}

/*
 * OBJ_EXCLUSIVE: one process has the object open (documented: WDK, for a handle; observed: ReactOS counts by process,
 * and refuses the attribute for an object that was not made with it). The mutex is held.
 */
static NTSTATUS check_exclusive(POBJECT_HEADER header, PEPROCESS process, ULONG attributes)
{
    if (!header->Exclusive)
        return attributes & OBJ_EXCLUSIVE ? EMU_DECIDE("Ob", STATUS_INVALID_PARAMETER,
                                                       "OBJ_EXCLUSIVE for a %s that is not", header->Type->Name)
                                          : STATUS_SUCCESS;
    if (header->HandleCount && header->Owner != process)
        return EMU_DECIDE("Ob", STATUS_ACCESS_DENIED, "another process has the exclusive %s open", header->Type->Name);
    return STATUS_SUCCESS;
}

static void close_object(PVOID object)
{
    POBJECT_HEADER header = ObpHeader(object);
    LONG left;

    if (header->Exclusive)
        ExAcquireFastMutex(&exclusive_mutex);
    left = __atomic_sub_fetch(&header->HandleCount, 1, __ATOMIC_ACQ_REL);
    if (header->Exclusive)
        ExReleaseFastMutex(&exclusive_mutex);
    if (header->Type->Close)
        header->Type->Close(object, left);
    if (!left && header->Directory && !header->Permanent)
        ObpRemoveNameIfUnused(object);
    ObDereferenceObject(object);
}

/* The table's mutex is held. */
static NTSTATUS add_entry(PHANDLE_TABLE table, PVOID object, ACCESS_MASK access, ULONG attributes, ULONG *index)
{
    if (table->Closed)
        return STATUS_PROCESS_IS_TERMINATING;
    if (table->FirstFree == table->Capacity && !grow(table))
        return STATUS_INSUFFICIENT_RESOURCES;
    *index = table->FirstFree;
    table->FirstFree = table->Entries[*index].GrantedAccess;
    ObReferenceObject(object);
    __atomic_fetch_add(&ObpHeader(object)->HandleCount, 1, __ATOMIC_ACQ_REL);
    table->Entries[*index] = (HANDLE_ENTRY){object, access, attributes & KEPT_ATTRIBUTES};
    table->Used++;
    return STATUS_SUCCESS;
}

static NTSTATUS add_to(PHANDLE_TABLE table, PVOID object, ACCESS_MASK access, ULONG attributes, ULONG *index)
{
    NTSTATUS status;

    ExAcquireFastMutex(&table->Mutex);
    status = add_entry(table, object, access, attributes, index);
    ExReleaseFastMutex(&table->Mutex);
    return NT_SUCCESS(status) ? status : EMU_DECIDE("Ob", status, "no handle in the process's table");
}

static NTSTATUS add_exclusive(PEPROCESS process, PVOID object, ACCESS_MASK access, ULONG attributes, ULONG *index)
{
    NTSTATUS status;

    ExAcquireFastMutex(&exclusive_mutex);
    status = check_exclusive(ObpHeader(object), process, attributes);
    if (NT_SUCCESS(status))
        status = add_to(process->Handles, object, access, attributes, index);
    if (NT_SUCCESS(status))
        ObpHeader(object)->Owner = process;
    ExReleaseFastMutex(&exclusive_mutex);
    return status;
}

static NTSTATUS create_handle_in(PEPROCESS process, PVOID object, ACCESS_MASK access, ULONG attributes, HANDLE *handle)
{
    ULONG_PTR value;
    ULONG index;
    NTSTATUS status = ObpHeader(object)->Exclusive || (attributes & OBJ_EXCLUSIVE)
                          ? add_exclusive(process, object, access, attributes, &index)
                          : add_to(process->Handles, object, access, attributes, &index);

    if (!NT_SUCCESS(status))
        return status;
    value = (ULONG_PTR)(index + 1) * 4;
    *handle = (HANDLE)(attributes & OBJ_KERNEL_HANDLE ? value | KERNEL_HANDLE_BITS : value);
    return STATUS_SUCCESS;
}

NTSTATUS ObpCreateHandle(PVOID Object, ACCESS_MASK GrantedAccess, ULONG Attributes, HANDLE *Handle)
{
    return create_handle_in(Attributes & OBJ_KERNEL_HANDLE ? PsInitialSystemProcess : PsGetCurrentProcess(), Object,
                            GrantedAccess, Attributes, Handle);
}

/* The calling process by its pseudo handle. */
static NTSTATUS reference_myself(POBJECT_TYPE type, PVOID *object, POBJECT_HANDLE_INFORMATION information)
{
    if (type && type != &ObpProcessType)
        return EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH, "the pseudo handle of a Process");
    *object = PsGetCurrentProcess();
    ObReferenceObject(*object);
    if (information)
        *information = (OBJECT_HANDLE_INFORMATION){0, PROCESS_ALL_ACCESS};
    return STATUS_SUCCESS;
}

static NTSTATUS reference_in(PEPROCESS process, HANDLE handle, ACCESS_MASK access, POBJECT_TYPE type,
                             KPROCESSOR_MODE mode, PVOID *object, POBJECT_HANDLE_INFORMATION information)
{
    ULONG index;
    PHANDLE_TABLE table = table_in(process, handle, &index);
    NTSTATUS status = STATUS_SUCCESS;
    HANDLE_ENTRY *entry;

    if (!table)
        return EMU_DECIDE("Ob", STATUS_INVALID_HANDLE, "%p can be no handle", handle);
    ExAcquireFastMutex(&table->Mutex);
    entry = live_entry(table, index);
    if (!entry) {
        status = EMU_DECIDE("Ob", STATUS_INVALID_HANDLE, "handle %p is not open", handle);
    } else if (type && ObpHeader(entry->Object)->Type != type) {
        status = EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH, "handle %p is a %s's", handle,
                            ObpHeader(entry->Object)->Type->Name);
    } else if (mode == UserMode && (access & ~entry->GrantedAccess)) {
        status = EMU_DECIDE("Ob", STATUS_ACCESS_DENIED, "handle %p grants 0x%x, needed is 0x%x", handle,
                            entry->GrantedAccess, access);
    } else {
        *object = entry->Object;
        ObReferenceObject(*object);
        if (information)
            *information = (OBJECT_HANDLE_INFORMATION){entry->Attributes, entry->GrantedAccess};
    }
    ExReleaseFastMutex(&table->Mutex);
    return status;
}

NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                         KPROCESSOR_MODE AccessMode, PVOID *Object,
                                         POBJECT_HANDLE_INFORMATION HandleInformation)
{
    if (Handle == NtCurrentProcess())
        return reference_myself(ObjectType, Object, HandleInformation);
    return reference_in(PsGetCurrentProcess(), Handle, DesiredAccess, ObjectType, AccessMode, Object,
                        HandleInformation);
}

/* ---- closing ---- */

/* Takes the entry out of the table; the caller then owns its reference and handle count. */
static NTSTATUS take_entry(PHANDLE_TABLE table, ULONG index, BOOLEAN force, PVOID *object)
{
    NTSTATUS status = STATUS_SUCCESS;
    HANDLE_ENTRY *entry;

    ExAcquireFastMutex(&table->Mutex);
    entry = live_entry(table, index);
    if (!entry) {
        status = STATUS_INVALID_HANDLE;
    } else if ((entry->Attributes & OBJ_PROTECT_CLOSE) && !force) {
        status = STATUS_HANDLE_NOT_CLOSABLE;
    } else {
        *object = entry->Object;
        *entry = (HANDLE_ENTRY){.GrantedAccess = table->FirstFree};
        table->FirstFree = index;
        table->Used--;
    }
    ExReleaseFastMutex(&table->Mutex);
    return status;
}

static NTSTATUS close_in(PEPROCESS process, HANDLE handle)
{
    ULONG index;
    PHANDLE_TABLE table = table_in(process, handle, &index);
    PVOID object;
    NTSTATUS status = table ? take_entry(table, index, FALSE, &object) : STATUS_INVALID_HANDLE;

    if (!NT_SUCCESS(status))
        return EMU_DECIDE("Ob", status, "handle %p", handle);
    close_object(object);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtClose(HANDLE Handle)
{
    return Handle == NtCurrentProcess() ? STATUS_SUCCESS : close_in(PsGetCurrentProcess(), Handle);
}

ULONG ObpHandleCountOf(PHANDLE_TABLE Table)
{
    ULONG used;

    ExAcquireFastMutex(&Table->Mutex);
    used = Table->Used;
    ExReleaseFastMutex(&Table->Mutex);
    return used;
}

void ObpCloseHandles(PHANDLE_TABLE Table)
{
    HANDLE_ENTRY *entries;

    ExAcquireFastMutex(&Table->Mutex);
    Table->Closed = TRUE;
    ExReleaseFastMutex(&Table->Mutex);
    for (ULONG i = 0; i < Table->Capacity; i++) {
        PVOID object;
        if (NT_SUCCESS(take_entry(Table, i, TRUE, &object)))
            close_object(object);
    }
    ExAcquireFastMutex(&Table->Mutex);
    entries = Table->Entries;
    Table->Entries = NULL;
    Table->Capacity = Table->FirstFree = 0;
    ExReleaseFastMutex(&Table->Mutex);
    if (entries)
        ExFreePoolWithTag(entries, OBP_TAG_HANDLES);
}

void ObpDeleteHandleTable(PHANDLE_TABLE Table)
{
    if (Table)
        ExFreePoolWithTag(Table, OBP_TAG_HANDLES);
}

/* ---- handles of other processes ---- */

static void inherit_entries(PHANDLE_TABLE table, const HANDLE_TABLE *from)
{
    table->FirstFree = table->Capacity;
    for (ULONG i = from->Capacity; i-- > 0;) {
        const HANDLE_ENTRY *entry = &from->Entries[i];
        if (!entry->Object || !(entry->Attributes & OBJ_INHERIT)) {
            table->Entries[i] = (HANDLE_ENTRY){.GrantedAccess = table->FirstFree};
            table->FirstFree = i;
            continue;
        }
        ObReferenceObject(entry->Object);
        __atomic_fetch_add(&ObpHeader(entry->Object)->HandleCount, 1, __ATOMIC_ACQ_REL);
        table->Entries[i] = *entry;
        table->Used++;
    }
}

/* An inherited handle has the value that it has in the parent (documented: Win32, handle inheritance). */
NTSTATUS ObpInheritHandles(PHANDLE_TABLE Table, PHANDLE_TABLE Parent)
{
    NTSTATUS status = STATUS_SUCCESS;

    ExAcquireFastMutex(&Parent->Mutex);
    if (Parent->Capacity) {
        Table->Entries = ExAllocatePoolWithTag(PagedPool, Parent->Capacity * sizeof *Table->Entries, OBP_TAG_HANDLES);
        Table->Capacity = Table->Entries ? Parent->Capacity : 0;
        status = Table->Entries ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (Table->Capacity)
        inherit_entries(Table, Parent);
    ExReleaseFastMutex(&Parent->Mutex);
    return status;
}

typedef struct _DUPLICATION {
    PEPROCESS source;
    HANDLE handle;
    ACCESS_MASK access;
    ULONG attributes, options;
} DUPLICATION;

static NTSTATUS duplicate(const DUPLICATION *d, HANDLE target_process, HANDLE *target)
{
    OBJECT_HANDLE_INFORMATION information;
    PVOID object, process;
    HANDLE made;
    NTSTATUS status = d->handle == NtCurrentProcess()
                          ? reference_myself(NULL, &object, &information)
                          : reference_in(d->source, d->handle, 0, NULL, KernelMode, &object, &information);

    if (!NT_SUCCESS(status))
        return status;
    status = ObReferenceObjectByHandle(target_process, PROCESS_DUP_HANDLE, &ObpProcessType, UserMode, &process, NULL);
    if (NT_SUCCESS(status)) {
        ACCESS_MASK access = d->options & DUPLICATE_SAME_ACCESS ? information.GrantedAccess
                                                                : ObpMapAccess(ObpHeader(object)->Type, d->access);
        ULONG attributes =
            d->options & DUPLICATE_SAME_ATTRIBUTES ? information.HandleAttributes : d->attributes & KEPT_ATTRIBUTES;
        status = create_handle_in(process, object, access, attributes, &made);
        ObDereferenceObject(process);
    }
    if (NT_SUCCESS(status) && target)
        *target = made;
    ObDereferenceObject(object);
    return status;
}

NTSTATUS NTAPI NtDuplicateObject(HANDLE SourceProcessHandle, HANDLE SourceHandle, HANDLE TargetProcessHandle,
                                 PHANDLE TargetHandle, ACCESS_MASK DesiredAccess, ULONG HandleAttributes, ULONG Options)
{
    DUPLICATION d = {NULL, SourceHandle, DesiredAccess, HandleAttributes, Options};
    NTSTATUS status = STATUS_SUCCESS, closed;
    PVOID source;

    if ((Options & ~(ULONG)(DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES)) ||
        (HandleAttributes & ~(KEPT_ATTRIBUTES | OBJ_VALID_ATTRIBUTES)))
        return EMU_DECIDE("Ob", STATUS_INVALID_PARAMETER, "options 0x%x, attributes 0x%x", Options, HandleAttributes);
    status =
        ObReferenceObjectByHandle(SourceProcessHandle, PROCESS_DUP_HANDLE, &ObpProcessType, UserMode, &source, NULL);
    if (!NT_SUCCESS(status))
        return status;
    d.source = source;
    /* Without a target process only the source is closed (documented: WDK, ZwDuplicateObject). */
    if (TargetProcessHandle || !(Options & DUPLICATE_CLOSE_SOURCE))
        status = duplicate(&d, TargetProcessHandle, TargetHandle);
    /* The source is closed whatever became of the duplicate (documented: Win32, DuplicateHandle). */
    if ((Options & DUPLICATE_CLOSE_SOURCE) && SourceHandle != NtCurrentProcess()) {
        closed = close_in(source, SourceHandle);
        if (NT_SUCCESS(status) && !TargetProcessHandle)
            status = closed;
    }
    ObDereferenceObject(source);
    return status;
}

/* ---- a handle's own attributes ---- */

NTSTATUS NTAPI NtSetInformationObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass,
                                      PVOID ObjectInformation, ULONG ObjectInformationLength)
{
    const EMU_HANDLE_FLAGS *data = ObjectInformation;
    NTSTATUS status = STATUS_INVALID_HANDLE;
    HANDLE_ENTRY *entry;
    PHANDLE_TABLE table;
    ULONG index;

    if (ObjectInformationClass != EMU_OBJECT_HANDLE_FLAG_INFORMATION)
        return EMU_DECIDE("Ob", STATUS_INVALID_INFO_CLASS, "class %d cannot be set", (int)ObjectInformationClass);
    if (ObjectInformationLength != sizeof *data)
        return EMU_DECIDE("Ob", STATUS_INFO_LENGTH_MISMATCH, "%u bytes", ObjectInformationLength);
    table = table_of(Handle, &index);
    if (table) {
        ExAcquireFastMutex(&table->Mutex);
        entry = live_entry(table, index);
        if (entry) {
            entry->Attributes = (data->Inherit ? OBJ_INHERIT : 0) | (data->ProtectFromClose ? OBJ_PROTECT_CLOSE : 0);
            status = STATUS_SUCCESS;
        }
        ExReleaseFastMutex(&table->Mutex);
    }
    return NT_SUCCESS(status) ? status : EMU_DECIDE("Ob", status, "handle %p", Handle);
}

/* ---- what is open ---- */

PVOID ObpNextHandle(PHANDLE_TABLE Table, ULONG *Index, HANDLE *Handle, ACCESS_MASK *GrantedAccess)
{
    PVOID object = NULL;

    ExAcquireFastMutex(&Table->Mutex);
    for (; !object && *Index < Table->Capacity; ++*Index)
        if (Table->Entries[*Index].Object) {
            object = Table->Entries[*Index].Object;
            *Handle = (HANDLE)((ULONG_PTR)(*Index + 1) * 4);
            *GrantedAccess = Table->Entries[*Index].GrantedAccess;
            ObReferenceObject(object);
        }
    ExReleaseFastMutex(&Table->Mutex);
    return object;
}
