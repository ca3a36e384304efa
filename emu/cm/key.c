/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key objects, and what can be asked of them. */
#include "cmp.h"

#include <string.h>

#define TAG_KEY POOL_TAG('C', 'm', 'K', 'y')

typedef struct _CMP_KEY_OBJECT {
    CMP_KEY *Key;
} CMP_KEY_OBJECT;

static NTSTATUS parse_key(PVOID ParseObject, const UNICODE_STRING *RemainingName, OBP_PARSE *Context, PVOID *Object);

OBJECT_TYPE CmpKeyType = {
    .Name = "Key",
    .PoolType = PagedPool,
    .Tag = TAG_KEY,
    .GenericMapping = {.GenericRead = KEY_READ,
                       .GenericWrite = KEY_WRITE,
                       .GenericExecute = KEY_EXECUTE,
                       .GenericAll = KEY_ALL_ACCESS},
    .Parse = parse_key,
};
static POBJECT_TYPE key_type = &CmpKeyType;
POBJECT_TYPE *CmKeyObjectType = &key_type;

static CMP_KEY_OBJECT *root_object;

static NTSTATUS create_object(CMP_KEY *key, PVOID *object)
{
    NTSTATUS status = ObpCreateObject(&CmpKeyType, sizeof(CMP_KEY_OBJECT), object);

    if (NT_SUCCESS(status))
        ((CMP_KEY_OBJECT *)*object)->Key = key;
    return status;
}

static NTSTATUS parse_key(PVOID ParseObject, const UNICODE_STRING *RemainingName, OBP_PARSE *Context, PVOID *Object)
{
    CMP_KEY *key = CmpFindKey(((CMP_KEY_OBJECT *)ParseObject)->Key, *RemainingName);

    if (Context->WantedType && Context->WantedType != &CmpKeyType)
        return STATUS_OBJECT_TYPE_MISMATCH;
    return key ? create_object(key, Object) : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS CmpCreateRoot(void)
{
    static const UNICODE_STRING name = NT_STRING(u"\\Registry");
    PVOID object;
    NTSTATUS status = create_object(CmpRoot(), &object);

    if (!NT_SUCCESS(status))
        return status;
    root_object = object;
    status = ObpEnterName(&name, object);
    if (!NT_SUCCESS(status))
        CmpDeleteRoot();
    return status;
}

void CmpDeleteRoot(void)
{
    if (!root_object)
        return;
    ObpRemoveName(root_object);
    ObDereferenceObject(root_object);
    root_object = NULL;
}

NTSTATUS CmpKeyOfHandle(HANDLE Handle, CMP_KEY **Key)
{
    PVOID object;
    NTSTATUS status = ObReferenceObjectByHandle(Handle, KEY_QUERY_VALUE, &CmpKeyType, KernelMode, &object, NULL);

    if (!NT_SUCCESS(status))
        return status;
    *Key = ((CMP_KEY_OBJECT *)object)->Key;
    ObDereferenceObject(object);
    return status;
}

NTSTATUS NTAPI NtOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, const OBJECT_ATTRIBUTES *ObjectAttributes)
{
    OBP_PARSE parse = {
        .Attributes = ObjectAttributes->Attributes, .DesiredAccess = DesiredAccess, .WantedType = &CmpKeyType};
    PVOID object;
    NTSTATUS status = ObpLookupName(ObjectAttributes, &parse, &object);

    if (!NT_SUCCESS(status))
        return status;
    status = ObpCreateHandle(object, DesiredAccess, ObjectAttributes->Attributes, KeyHandle);
    ObDereferenceObject(object);
    return status;
}

/* ---- values ---- */

/* What one of the three classes is made of: a fixed part, then the name, the data, or both. */
struct answer {
    ULONG fixed, name_at, data_at, total; /* 0: without it */
};

static ULONG aligned(ULONG bytes)
{
    return (bytes + 7) & ~7u;
}

static BOOLEAN lay_out(KEY_VALUE_INFORMATION_CLASS class, const CMP_VALUE *value, struct answer *a)
{
    ULONG name = value->Name.Length;

    switch (class) {
    case KeyValueBasicInformation:
        a->fixed = a->name_at = offsetof(KEY_VALUE_BASIC_INFORMATION, Name);
        a->data_at = 0;
        a->total = a->name_at + name;
        return TRUE;
    case KeyValueFullInformation:
        a->fixed = a->name_at = offsetof(KEY_VALUE_FULL_INFORMATION, Name);
        a->data_at = aligned(a->name_at + name);
        a->total = a->data_at + value->Length;
        return TRUE;
    case KeyValuePartialInformation:
        a->fixed = a->data_at = offsetof(KEY_VALUE_PARTIAL_INFORMATION, Data);
        a->name_at = 0;
        a->total = a->data_at + value->Length;
        return TRUE;
    default:
        return FALSE;
    }
}

static void write_fixed(KEY_VALUE_INFORMATION_CLASS class, const CMP_VALUE *value, const struct answer *a,
                        UCHAR *buffer)
{
    KEY_VALUE_BASIC_INFORMATION basic = {.Type = value->Type, .NameLength = value->Name.Length};
    KEY_VALUE_FULL_INFORMATION full = {
        .Type = value->Type, .DataOffset = a->data_at, .DataLength = value->Length, .NameLength = value->Name.Length};
    KEY_VALUE_PARTIAL_INFORMATION partial = {.Type = value->Type, .DataLength = value->Length};
    const void *from = class == KeyValueBasicInformation  ? (const void *)&basic
                       : class == KeyValueFullInformation ? (const void *)&full
                                                          : (const void *)&partial;

    memcpy(buffer, from, a->fixed);
}

static void write_part(UCHAR *buffer, ULONG size, ULONG at, const void *part, ULONG length)
{
    if (at && at < size)
        memcpy(buffer + at, part, length < size - at ? length : size - at);
}

static NTSTATUS answer(const CMP_VALUE *value, KEY_VALUE_INFORMATION_CLASS class, UCHAR *buffer, ULONG size,
                       ULONG *needed)
{
    struct answer a;

    if (!lay_out(class, value, &a))
        return STATUS_INVALID_PARAMETER;
    *needed = a.total;
    if (size < a.fixed)
        return STATUS_BUFFER_TOO_SMALL;
    write_fixed(class, value, &a, buffer);
    write_part(buffer, size, a.name_at, value->Name.Buffer, value->Name.Length);
    write_part(buffer, size, a.data_at, value->Data, value->Length);
    return size < a.total ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQueryValueKey(HANDLE KeyHandle, const UNICODE_STRING *ValueName, KEY_VALUE_INFORMATION_CLASS Class,
                               void *KeyValueInformation, DWORD Length, DWORD *ResultLength)
{
    const CMP_VALUE *value;
    CMP_KEY *key;
    NTSTATUS status = CmpKeyOfHandle(KeyHandle, &key);

    if (!NT_SUCCESS(status))
        return status;
    value = CmpFindValue(key, ValueName);
    return value ? answer(value, Class, KeyValueInformation, Length, (ULONG *)ResultLength)
                 : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS NTAPI NtEnumerateValueKey(HANDLE KeyHandle, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class,
                                   PVOID KeyValueInformation, ULONG Length, PULONG ResultLength)
{
    const CMP_VALUE *value;
    CMP_KEY *key;
    NTSTATUS status = CmpKeyOfHandle(KeyHandle, &key);

    if (!NT_SUCCESS(status))
        return status;
    value = key->Values;
    while (value && Index--)
        value = value->Next;
    return value ? answer(value, Class, KeyValueInformation, Length, ResultLength) : STATUS_NO_MORE_ENTRIES;
}
