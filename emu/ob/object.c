/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects: a header with two counts before a body; opened, named, asked and made temporary in the same way for all. */
#include "obp.h"

#include <sched.h>
#include <string.h>

NTSTATUS ObpCreateObject(POBJECT_TYPE Type, SIZE_T BodySize, PVOID *Object)
{
    POBJECT_HEADER header = ExAllocatePoolWithTag(Type->PoolType, sizeof *header + BodySize, Type->Tag);

    if (!header)
        return EMU_DECIDE("Ob", STATUS_INSUFFICIENT_RESOURCES, "no pool for a %s object", Type->Name);
    memset(header, 0, sizeof *header + BodySize);
    header->PointerCount = 1;
    header->Type = Type;
    ObpCount(&Type->Count, 1);
    *Object = ObpBody(header);
    return STATUS_SUCCESS;
}

/* ---- references ---- */

#define TAG_SPREAD POOL_TAG('O', 'b', 'S', 'p')

/* A slot's lock is held for a few instructions, by few threads, and almost always by none. */
typedef struct _OBP_SPREAD {
    struct {
        UCHAR Locked; /* atomic */
        BOOLEAN Gathered;
        LONG Count; /* of the references taken less those given back by threads of the slot */
    } __attribute__((aligned(64))) Slots[OBP_SLOTS];
} OBP_SPREAD;

static void lock_slot(OBP_SPREAD *spread, ULONG i)
{
    while (__atomic_exchange_n(&spread->Slots[i].Locked, 1, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void unlock_slot(OBP_SPREAD *spread, ULONG i)
{
    __atomic_store_n(&spread->Slots[i].Locked, 0, __ATOMIC_RELEASE);
}

/* FALSE: the object's own count is the one by now. */
static BOOLEAN count_spread(OBP_SPREAD *spread, LONG change)
{
    ULONG slot = ObpOwnSlot();
    BOOLEAN here;

    lock_slot(spread, slot);
    here = !spread->Slots[slot].Gathered;
    if (here)
        spread->Slots[slot].Count += change;
    unlock_slot(spread, slot);
    return here;
}

NTSTATUS ObpSpreadReferences(PVOID Object)
{
    OBP_SPREAD *spread = ExAllocatePoolWithTag(NonPagedPoolCacheAligned, sizeof *spread, TAG_SPREAD);

    if (!spread)
        return EMU_DECIDE("Ob", STATUS_INSUFFICIENT_RESOURCES, "no pool to count references in");
    memset(spread, 0, sizeof *spread);
    ObpHeader(Object)->Spread = spread;
    return STATUS_SUCCESS;
}

/* With all slots locked nobody counts anywhere; who comes then finds that the count is the object's. */
void ObpGatherReferences(PVOID Object)
{
    OBP_SPREAD *spread = ObpHeader(Object)->Spread;

    if (!spread)
        return;
    for (ULONG i = 0; i < OBP_SLOTS; i++)
        lock_slot(spread, i);
    for (ULONG i = 0; i < OBP_SLOTS; i++) {
        __atomic_fetch_add(&ObpHeader(Object)->PointerCount, spread->Slots[i].Count, __ATOMIC_RELAXED);
        spread->Slots[i].Count = 0;
        spread->Slots[i].Gathered = TRUE;
    }
    for (ULONG i = 0; i < OBP_SLOTS; i++)
        unlock_slot(spread, i);
}

LONG_PTR NTAPI ObfReferenceObject(PVOID Object)
{
    POBJECT_HEADER header = ObpHeader(Object);

    if (header->Spread && count_spread(header->Spread, 1))
        return 1;
    return __atomic_add_fetch(&header->PointerCount, 1, __ATOMIC_RELAXED);
}

LONG_PTR NTAPI ObfDereferenceObject(PVOID Object)
{
    POBJECT_HEADER header = ObpHeader(Object);
    POBJECT_TYPE type = header->Type;
    LONG left;

    if (header->Spread && count_spread(header->Spread, -1))
        return 1;
    left = __atomic_sub_fetch(&header->PointerCount, 1, __ATOMIC_ACQ_REL);
    if (left < 0)
        KeBugCheckEx(REFERENCE_BY_POINTER, (ULONG_PTR)type, (ULONG_PTR)Object, 0, (ULONG_PTR)left);
    if (left)
        return left;
    if (type->Delete)
        type->Delete(Object);
    if (header->Spread)
        ExFreePoolWithTag(header->Spread, TAG_SPREAD);
    ExFreePoolWithTag(header, type->Tag);
    ObpCount(&type->Count, -1);
    return 0;
}

NTSTATUS NTAPI ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                          KPROCESSOR_MODE AccessMode)
{
    POBJECT_TYPE type = ObpHeader(Object)->Type;

    if (ObjectType != type && (ObjectType || AccessMode == UserMode))
        return EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH, "the object is a %s", type->Name);
    ObReferenceObject(Object);
    return STATUS_SUCCESS;
}

/* ---- opening ---- */

ACCESS_MASK ObpMapAccess(const OBJECT_TYPE *Type, ACCESS_MASK Access)
{
    const GENERIC_MAPPING *m = &Type->GenericMapping;

    if (Access & GENERIC_READ)
        Access |= m->GenericRead;
    if (Access & GENERIC_WRITE)
        Access |= m->GenericWrite;
    if (Access & GENERIC_EXECUTE)
        Access |= m->GenericExecute;
    if (Access & (GENERIC_ALL | MAXIMUM_ALLOWED)) /* there are no security descriptors: all is allowed */
        Access |= m->GenericAll;
    return Access & ~(ACCESS_MASK)(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL | MAXIMUM_ALLOWED);
}

NTSTATUS ObpOpenObject(const OBJECT_ATTRIBUTES *Attributes, POBJECT_TYPE Type, ACCESS_MASK Access, HANDLE *Handle)
{
    OBP_PARSE parse = {.DesiredAccess = Access, .WantedType = Type};
    PVOID object;
    NTSTATUS status;

    if (!Attributes)
        return EMU_DECIDE("Ob", STATUS_INVALID_PARAMETER, "no object attributes");
    parse.Attributes = Attributes->Attributes;
    status = ObpLookupName(Attributes, &parse, &object);
    if (!NT_SUCCESS(status))
        return status;
    status = ObpCreateHandle(object, ObpMapAccess(Type, Access), Attributes->Attributes, Handle);
    ObDereferenceObject(object);
    return status;
}

NTSTATUS NTAPI ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                                     ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                     PHANDLE Handle)
{
    POBJECT_TYPE type = ObpHeader(Object)->Type;

    if (ObjectType && ObjectType != type)
        return EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH, "the object is a %s", type->Name);
    return ObpCreateHandle(Object, ObpMapAccess(type, DesiredAccess), HandleAttributes, Handle);
}

NTSTATUS ObpInsertObject(PVOID Object, const OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access, HANDLE *Handle)
{
    POBJECT_TYPE type = ObpHeader(Object)->Type;
    ULONG flags = Attributes ? Attributes->Attributes : 0;
    NTSTATUS status = STATUS_SUCCESS, made;
    PVOID found = Object;

    ObpHeader(Object)->Permanent = (flags & OBJ_PERMANENT) != 0;
    ObpHeader(Object)->Exclusive = (flags & OBJ_EXCLUSIVE) != 0;
    ObReferenceObject(found);
    if (Attributes && (Attributes->RootDirectory || (Attributes->ObjectName && Attributes->ObjectName->Length))) {
        ObDereferenceObject(found);
        status = ObpInsertName(Attributes, Object, &found);
    }
    if (NT_SUCCESS(status)) {
        made = ObpCreateHandle(found, ObpMapAccess(type, Access), flags, Handle);
        if (!NT_SUCCESS(made))
            status = made;
        if (!NT_SUCCESS(made) && found == Object)
            ObpRemoveName(found);
        ObDereferenceObject(found);
    }
    ObDereferenceObject(Object);
    return status;
}

NTSTATUS NTAPI NtMakeTemporaryObject(HANDLE Handle)
{
    PVOID object;
    NTSTATUS status = ObReferenceObjectByHandle(Handle, DELETE, NULL, UserMode, &object, NULL);

    if (!NT_SUCCESS(status))
        return status;
    ObpLockNamespace(TRUE);
    ObpHeader(object)->Permanent = FALSE;
    ObpUnlockNamespace(TRUE);
    ObpRemoveNameIfUnused(object);
    ObDereferenceObject(object);
    return STATUS_SUCCESS;
}

/* ---- asking ---- */

/* Bytes of the name; with a buffer, whose end is at `end`, it is written there backwards. The lock is held. */
static ULONG full_name(PVOID object, char *end)
{
    UNICODE_STRING tail = {0};
    ULONG bytes = 0;

    if (ObpHeader(object)->Type->Base) {
        object = ObpHeader(object)->Type->Base(object, &tail);
        bytes = tail.Length;
        if (end && bytes)
            memcpy(end - bytes, tail.Buffer, bytes);
    }
    if (object && object == ObpRootDirectory()) {
        bytes += sizeof(WCHAR);
        if (end)
            memcpy(end - bytes, u"\\", sizeof(WCHAR));
    }
    for (; object && ObpHeader(object)->Directory; object = ObpHeader(object)->Directory) {
        const UNICODE_STRING *name = &ObpHeader(object)->Name;
        bytes += name->Length + (ULONG)sizeof(WCHAR);
        if (end) {
            memcpy(end - bytes + sizeof(WCHAR), name->Buffer, name->Length);
            memcpy(end - bytes, u"\\", sizeof(WCHAR));
        }
    }
    return bytes;
}

NTSTATUS NTAPI ObQueryNameString(PVOID Object, POBJECT_NAME_INFORMATION ObjectNameInfo, ULONG Length,
                                 PULONG ReturnLength)
{
    NTSTATUS status = STATUS_SUCCESS;
    ULONG bytes, need;

    ObpLockNamespace(FALSE);
    bytes = full_name(Object, NULL);
    need = (ULONG)sizeof *ObjectNameInfo + (bytes ? bytes + (ULONG)sizeof(WCHAR) : 0);
    if (need > Length) {
        status = Length < sizeof *ObjectNameInfo ? STATUS_INFO_LENGTH_MISMATCH : STATUS_BUFFER_OVERFLOW;
    } else {
        memset(ObjectNameInfo, 0, need);
        if (bytes && bytes <= 0xfffc) {
            ObjectNameInfo->Name.Buffer = (PWSTR)(ObjectNameInfo + 1);
            ObjectNameInfo->Name.Length = (USHORT)bytes;
            ObjectNameInfo->Name.MaximumLength = (USHORT)(bytes + sizeof(WCHAR));
            full_name(Object, (char *)ObjectNameInfo->Name.Buffer + bytes);
        }
    }
    ObpUnlockNamespace(FALSE);
    *ReturnLength = need;
    return status;
}

static NTSTATUS query_type(const OBJECT_TYPE *type, POBJECT_TYPE_INFORMATION information, ULONG length, ULONG *need)
{
    ULONG units = (ULONG)strlen(type->Name);

    *need = (ULONG)sizeof *information + (units + 1) * (ULONG)sizeof(WCHAR);
    if (length < *need)
        return STATUS_INFO_LENGTH_MISMATCH;
    memset(information, 0, *need);
    information->TypeName.Buffer = (PWSTR)(information + 1);
    information->TypeName.Length = (USHORT)(units * sizeof(WCHAR));
    information->TypeName.MaximumLength = (USHORT)(information->TypeName.Length + sizeof(WCHAR));
    for (ULONG i = 0; i < units; i++)
        information->TypeName.Buffer[i] = (WCHAR)type->Name[i];
    information->TotalNumberOfObjects = (ULONG)ObpSum(&type->Count);
    return STATUS_SUCCESS;
}

static NTSTATUS query_basic(PVOID object, const OBJECT_HANDLE_INFORMATION *handle, POBJECT_BASIC_INFORMATION basic,
                            ULONG length, ULONG *need)
{
    const OBJECT_HEADER *header = ObpHeader(object);

    *need = sizeof *basic;
    if (length != sizeof *basic)
        return STATUS_INFO_LENGTH_MISMATCH;
    memset(basic, 0, sizeof *basic);
    basic->Attributes =
        handle->HandleAttributes | (header->Permanent ? OBJ_PERMANENT : 0) | (header->Exclusive ? OBJ_EXCLUSIVE : 0);
    basic->GrantedAccess = handle->GrantedAccess;
    basic->HandleCount = (ULONG)__atomic_load_n(&header->HandleCount, __ATOMIC_RELAXED);
    basic->PointerCount = (ULONG)__atomic_load_n(&header->PointerCount, __ATOMIC_RELAXED) - 1; /* not this call's */
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass, PVOID ObjectInformation,
                             ULONG ObjectInformationLength, PULONG ReturnLength)
{
    OBJECT_HANDLE_INFORMATION handle;
    EMU_HANDLE_FLAGS *data = ObjectInformation;
    ULONG need = 0;
    PVOID object;
    NTSTATUS status = ObReferenceObjectByHandle(Handle, 0, NULL, UserMode, &object, &handle);

    if (!NT_SUCCESS(status))
        return status;
    switch (ObjectInformationClass) {
    case ObjectBasicInformation:
        status = query_basic(object, &handle, ObjectInformation, ObjectInformationLength, &need);
        break;
    case ObjectNameInformation:
        status = ObQueryNameString(object, ObjectInformation, ObjectInformationLength, &need);
        break;
    case ObjectTypeInformation:
        status = query_type(ObpHeader(object)->Type, ObjectInformation, ObjectInformationLength, &need);
        break;
    case EMU_OBJECT_HANDLE_FLAG_INFORMATION:
        need = sizeof *data;
        status = ObjectInformationLength == need ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
        if (NT_SUCCESS(status)) {
            data->Inherit = (handle.HandleAttributes & OBJ_INHERIT) != 0;
            data->ProtectFromClose = (handle.HandleAttributes & OBJ_PROTECT_CLOSE) != 0;
        }
        break;
    default:
        status = STATUS_INVALID_INFO_CLASS;
    }
    ObDereferenceObject(object);
    if (ReturnLength)
        *ReturnLength = need;
    return NT_SUCCESS(status) ? status
                              : EMU_DECIDE("Ob", status, "class %d, %u bytes", (int)ObjectInformationClass, need);
}
