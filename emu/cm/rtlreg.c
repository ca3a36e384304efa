/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RtlQueryRegistryValues: a table of what a driver wants to know, asked in one call. */
#include "cmp.h"

#include <string.h>
#include <strings.h>

#define TAG_VALUE POOL_TAG('R', 'q', 'r', 'v')

/* ---- where to look ---- */

static NTSTATUS find(const CMP_KEY *from, PCWSTR path, CMP_KEY **key)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, path);
    while (name.Length && *name.Buffer == '\\') {
        name.Buffer++;
        name.Length -= sizeof(WCHAR);
    }
    *key = CmpFindKey(from, name);
    return *key ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* An absolute path begins with \Registry. */
static NTSTATUS find_absolute(PCWSTR path, CMP_KEY **key)
{
    static const UNICODE_STRING prefix = NT_STRING(u"\\Registry\\");
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, path);
    if (!RtlPrefixUnicodeString(&prefix, &name, TRUE))
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    return find(CmpRoot(), path + prefix.Length / sizeof(WCHAR), key);
}

static NTSTATUS find_below(PCWSTR parent, PCWSTR path, CMP_KEY **key)
{
    CMP_KEY *from;
    NTSTATUS status = find(CmpRoot(), parent, &from);

    return NT_SUCCESS(status) ? find(from, path, key) : status;
}

static NTSTATUS find_start(ULONG relative_to, PCWSTR path, CMP_KEY **key)
{
    if (relative_to & RTL_REGISTRY_HANDLE)
        return CmpKeyOfHandle((HANDLE)(ULONG_PTR)path, key);
    switch (relative_to & ~RTL_REGISTRY_OPTIONAL) {
    case RTL_REGISTRY_ABSOLUTE:
        return find_absolute(path, key);
    case RTL_REGISTRY_SERVICES:
        return find_below(u"Machine\\System\\CurrentControlSet\\Services", path, key);
    case RTL_REGISTRY_CONTROL:
        return find_below(u"Machine\\System\\CurrentControlSet\\Control", path, key);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

NTSTATUS NTAPI RtlCheckRegistryKey(ULONG RelativeTo, PWSTR Path)
{
    CMP_KEY *key;

    return find_start(RelativeTo, Path, &key);
}

/* ---- what to do with a value ---- */

static NTSTATUS store_string(const CMP_VALUE *value, PUNICODE_STRING to)
{
    if (!to->Buffer) {
        to->Buffer = ExAllocatePoolWithTag(PagedPool, value->Length, TAG_VALUE);
        if (!to->Buffer)
            return STATUS_INSUFFICIENT_RESOURCES;
        to->MaximumLength = (USHORT)value->Length;
    } else if (value->Length > to->MaximumLength) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    memcpy(to->Buffer, value->Data, value->Length);
    to->Length = (USHORT)(value->Length - sizeof(WCHAR));
    return STATUS_SUCCESS;
}

static NTSTATUS store_direct(const CMP_VALUE *value, PVOID to)
{
    if (value->Type == REG_SZ)
        return store_string(value, to);
    if (value->Type != REG_DWORD || value->Length != sizeof(ULONG))
        return STATUS_OBJECT_TYPE_MISMATCH;
    memcpy(to, value->Data, sizeof(ULONG));
    return STATUS_SUCCESS;
}

static NTSTATUS hand_over(const CMP_VALUE *value, const RTL_QUERY_REGISTRY_TABLE *entry, PVOID context)
{
    if (entry->Flags & RTL_QUERY_REGISTRY_DIRECT)
        return store_direct(value, entry->EntryContext);
    return entry->QueryRoutine(value->Name.Buffer, value->Type, value->Data, value->Length, context,
                               entry->EntryContext);
}

/* The size of a string's default may be given as 0: then it is terminated. */
static NTSTATUS hand_over_default(const RTL_QUERY_REGISTRY_TABLE *entry, PVOID context)
{
    CMP_VALUE value = {.Type = entry->DefaultType, .Length = entry->DefaultLength, .Data = entry->DefaultData};

    if (entry->DefaultType == REG_NONE)
        return STATUS_SUCCESS;
    RtlInitUnicodeString(&value.Name, entry->Name);
    if (!value.Length && value.Type == REG_SZ) {
        UNICODE_STRING text;
        RtlInitUnicodeString(&text, entry->DefaultData);
        value.Length = text.Length + sizeof(WCHAR);
    } else if (!value.Length && value.Type == REG_DWORD) {
        value.Length = sizeof(ULONG);
    }
    return hand_over(&value, entry, context);
}

static NTSTATUS query_all(const CMP_KEY *key, const RTL_QUERY_REGISTRY_TABLE *entry, PVOID context)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (!key->Values && entry->Flags & RTL_QUERY_REGISTRY_REQUIRED)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    for (const CMP_VALUE *value = key->Values; value && NT_SUCCESS(status); value = value->Next)
        status = hand_over(value, entry, context);
    return status;
}

static NTSTATUS query_one(const CMP_KEY *key, const RTL_QUERY_REGISTRY_TABLE *entry, PVOID context)
{
    const CMP_VALUE *value;
    UNICODE_STRING name;

    if (entry->Flags & RTL_QUERY_REGISTRY_NOVALUE)
        return entry->QueryRoutine ? entry->QueryRoutine(NULL, REG_NONE, NULL, 0, context, entry->EntryContext)
                                   : STATUS_INVALID_PARAMETER;
    if (!entry->Name)
        return query_all(key, entry, context);
    RtlInitUnicodeString(&name, entry->Name);
    value = CmpFindValue(key, &name);
    if (value)
        return hand_over(value, entry, context);
    return entry->Flags & RTL_QUERY_REGISTRY_REQUIRED ? STATUS_OBJECT_NAME_NOT_FOUND
                                                      : hand_over_default(entry, context);
}

static BOOLEAN is_sound(const RTL_QUERY_REGISTRY_TABLE *entry)
{
    static const ULONG known = RTL_QUERY_REGISTRY_SUBKEY | RTL_QUERY_REGISTRY_TOPKEY | RTL_QUERY_REGISTRY_REQUIRED |
                               RTL_QUERY_REGISTRY_NOVALUE | RTL_QUERY_REGISTRY_NOEXPAND | RTL_QUERY_REGISTRY_DIRECT;

    if (entry->Flags & ~known)
        return FALSE;
    if (entry->Flags & RTL_QUERY_REGISTRY_DIRECT)
        return entry->Name && entry->EntryContext && !entry->QueryRoutine &&
               !(entry->Flags & (RTL_QUERY_REGISTRY_SUBKEY | RTL_QUERY_REGISTRY_NOVALUE));
    if (entry->Flags & RTL_QUERY_REGISTRY_SUBKEY)
        return entry->Name != NULL;
    return entry->QueryRoutine != NULL;
}

/* A missing subkey is passed over with what is asked of it, unless it is required. */
static NTSTATUS enter_subkey(const CMP_KEY *top, const RTL_QUERY_REGISTRY_TABLE *entry, const CMP_KEY **key)
{
    CMP_KEY *found;
    NTSTATUS status = find(top, entry->Name, &found);

    *key = NT_SUCCESS(status) ? found : NULL;
    return NT_SUCCESS(status) || entry->Flags & RTL_QUERY_REGISTRY_REQUIRED ? status : STATUS_SUCCESS;
}

static NTSTATUS query_table(const CMP_KEY *top, const RTL_QUERY_REGISTRY_TABLE *entry, PVOID context)
{
    const CMP_KEY *key = top;
    NTSTATUS status = STATUS_SUCCESS;

    for (; NT_SUCCESS(status) && (entry->QueryRoutine || entry->Name); entry++) {
        if (!is_sound(entry))
            return STATUS_INVALID_PARAMETER;
        if (entry->Flags & (RTL_QUERY_REGISTRY_TOPKEY | RTL_QUERY_REGISTRY_SUBKEY))
            key = top;
        if (entry->Flags & RTL_QUERY_REGISTRY_SUBKEY) {
            status = enter_subkey(top, entry, &key);
            if (NT_SUCCESS(status) && key && entry->QueryRoutine)
                status = query_all(key, entry, context);
        } else if (key) {
            status = query_one(key, entry, context);
        }
    }
    return status;
}

NTSTATUS NTAPI RtlQueryRegistryValues(ULONG RelativeTo, PCWSTR Path, PRTL_QUERY_REGISTRY_TABLE QueryTable,
                                      PVOID Context, PVOID Environment)
{
    static const CMP_KEY nothing;
    CMP_KEY *key;
    NTSTATUS status = find_start(RelativeTo, Path, &key);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND && RelativeTo & RTL_REGISTRY_OPTIONAL)
        return query_table(&nothing, QueryTable, Context);
    return NT_SUCCESS(status) ? query_table(key, QueryTable, Context) : status;
}

/* ---- documented parameters ---- */

static void widen(const char *text, WCHAR *wide, SIZE_T size)
{
    SIZE_T i = 0;

    for (; text[i] && i + 1 < size; i++)
        wide[i] = (WCHAR)(unsigned char)text[i];
    wide[i] = 0;
}

NTSTATUS EmuQueryParameter(const char *Name, ULONG *Value)
{
    const EMU_REGISTRY_PARAMETER *p = EmuRegistryParameters();
    WCHAR key[EMU_REGISTRY_KEY], name[EMU_REGISTRY_NAME];
    RTL_QUERY_REGISTRY_TABLE table[2] = {{.Flags = RTL_QUERY_REGISTRY_DIRECT, .Name = name, .EntryContext = Value}};
    CMP_KEY *found;

    while (p->Name && (p->Type != REG_DWORD || strcasecmp(p->Name, Name) != 0))
        p++;
    if (!p->Name)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    *Value = p->Default;
    widen(p->Key, key, sizeof key / sizeof *key);
    widen(p->Name, name, sizeof name / sizeof *name);
    return NT_SUCCESS(find_below(u"Machine", key, &found)) ? query_table(found, table, NULL) : STATUS_SUCCESS;
}
