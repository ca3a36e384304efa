/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree of keys, in host memory. */
#include "cmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CMP_KEY root = {.Name = NT_STRING(u"Registry")};

CMP_KEY *CmpRoot(void)
{
    return &root;
}

/* ---- looking ---- */

static CMP_KEY *find_child(const CMP_KEY *key, const UNICODE_STRING *name)
{
    for (CMP_KEY *child = key->Children; child; child = child->Next)
        if (RtlEqualUnicodeString(&child->Name, name, TRUE))
            return child;
    return NULL;
}

CMP_KEY *CmpFindKey(const CMP_KEY *From, UNICODE_STRING Path)
{
    UNICODE_STRING name;

    while (Path.Length && From) {
        FsRtlDissectName(Path, &name, &Path);
        From = find_child(From, &name);
    }
    return (CMP_KEY *)From;
}

const CMP_VALUE *CmpFindValue(const CMP_KEY *Key, const UNICODE_STRING *Name)
{
    for (const CMP_VALUE *value = Key->Values; value; value = value->Next)
        if (RtlEqualUnicodeString(&value->Name, Name, TRUE))
            return value;
    return NULL;
}

/* ---- filling; FALSE: no memory ---- */

static BOOLEAN copy_ascii(UNICODE_STRING *to, const char *text, size_t length)
{
    to->Buffer = malloc((length + 1) * sizeof(WCHAR));
    if (!to->Buffer)
        return FALSE;
    for (size_t i = 0; i < length; i++)
        to->Buffer[i] = (WCHAR)(unsigned char)text[i];
    to->Buffer[length] = 0;
    to->Length = (USHORT)(length * sizeof(WCHAR));
    to->MaximumLength = (USHORT)(to->Length + sizeof(WCHAR));
    return TRUE;
}

static CMP_KEY *make_child(CMP_KEY *key, const char *text, size_t length)
{
    CMP_KEY *child = calloc(1, sizeof *child), *known;

    if (!child || !copy_ascii(&child->Name, text, length)) {
        free(child);
        return NULL;
    }
    known = find_child(key, &child->Name);
    if (known) {
        free(child->Name.Buffer);
        free(child);
        return known;
    }
    child->Next = key->Children;
    key->Children = child;
    return child;
}

/* Path below \Registry\Machine. */
static CMP_KEY *make_key(const char *path)
{
    CMP_KEY *key = make_child(&root, "Machine", 7);

    while (key && *path) {
        size_t length = strcspn(path, "\\");
        key = make_child(key, path, length);
        path += length + (path[length] == '\\');
    }
    return key;
}

static BOOLEAN set_data(CMP_VALUE *value, const EMU_REGISTRY_SETTING *setting)
{
    UNICODE_STRING text;

    free(value->Data);
    value->Data = NULL;
    value->Type = setting->Type;
    if (setting->Type == REG_SZ) {
        if (!copy_ascii(&text, setting->Text, strlen(setting->Text)))
            return FALSE;
        value->Data = (UCHAR *)text.Buffer;
        value->Length = text.MaximumLength;
        return TRUE;
    }
    value->Length = sizeof(ULONG);
    value->Data = malloc(value->Length);
    if (value->Data)
        memcpy(value->Data, &setting->Number, sizeof(ULONG));
    return value->Data != NULL;
}

static CMP_VALUE *append_value(CMP_KEY *key, const char *name)
{
    CMP_VALUE **link = &key->Values, *value = calloc(1, sizeof *value);

    if (!value || !copy_ascii(&value->Name, name, strlen(name))) {
        free(value);
        return NULL;
    }
    while (*link && !RtlEqualUnicodeString(&(*link)->Name, &value->Name, TRUE))
        link = &(*link)->Next;
    if (*link) { /* set again: the later one is it */
        free(value->Name.Buffer);
        free(value);
    } else {
        *link = value;
    }
    return *link;
}

static BOOLEAN set(const EMU_REGISTRY_SETTING *setting)
{
    CMP_KEY *key = make_key(setting->Key);
    CMP_VALUE *value = key ? append_value(key, setting->Name) : NULL;

    return value && set_data(value, setting);
}

static NTSTATUS fill_from_file(const char *file, char *error, SIZE_T size)
{
    EMU_REGISTRY_SETTING *settings;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG count;

    if (!EmuRegistryReadFile(file, &settings, &count, error, size))
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++)
        if (!set(&settings[i]))
            status = STATUS_NO_MEMORY;
    free(settings);
    return status;
}

NTSTATUS CmpFillRegistry(const char *const *Settings, const char *File, char *Error, SIZE_T ErrorSize)
{
    EMU_REGISTRY_SETTING setting;
    NTSTATUS status;

    for (const EMU_REGISTRY_PARAMETER *p = EmuRegistryParameters(); p->Name; p++)
        if (!make_key(p->Key))
            return STATUS_NO_MEMORY;
    status = File ? fill_from_file(File, Error, ErrorSize) : STATUS_SUCCESS;
    for (const char *const *text = Settings; text && *text && NT_SUCCESS(status); text++) {
        if (!EmuRegistryParse(*text, &setting, Error, ErrorSize))
            return STATUS_INVALID_PARAMETER;
        if (!set(&setting))
            status = STATUS_NO_MEMORY;
    }
    return status;
}

/* ---- forgetting ---- */

static void free_values(CMP_KEY *key)
{
    while (key->Values) {
        CMP_VALUE *value = key->Values;
        key->Values = value->Next;
        free(value->Name.Buffer);
        free(value->Data);
        free(value);
    }
}

/* As deep as the longest key has components. */
static void free_children(CMP_KEY *key)
{
    while (key->Children) {
        CMP_KEY *child = key->Children;
        key->Children = child->Next;
        free_children(child);
        free_values(child);
        free(child->Name.Buffer);
        free(child);
    }
}

void CmpForgetRegistry(void)
{
    free_children(&root);
}
