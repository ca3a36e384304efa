/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parameters of a create as text, and back. */
#include <ntemu/createtext.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct _VALUE_NAME {
    ULONG Value;
    const char *Name;
} VALUE_NAME;

static const VALUE_NAME access_names[] = {
    {GENERIC_READ, "GENERIC_READ"},
    {GENERIC_WRITE, "GENERIC_WRITE"},
    {GENERIC_EXECUTE, "GENERIC_EXECUTE"},
    {GENERIC_ALL, "GENERIC_ALL"},
    {MAXIMUM_ALLOWED, "MAXIMUM_ALLOWED"},
    {ACCESS_SYSTEM_SECURITY, "ACCESS_SYSTEM_SECURITY"},
    {FILE_READ_DATA, "READ_DATA"},
    {FILE_WRITE_DATA, "WRITE_DATA"},
    {FILE_APPEND_DATA, "APPEND_DATA"},
    {FILE_EXECUTE, "EXECUTE"},
    {FILE_READ_ATTRIBUTES, "READ_ATTRIBUTES"},
    {FILE_WRITE_ATTRIBUTES, "WRITE_ATTRIBUTES"},
    {FILE_READ_EA, "READ_EA"},
    {FILE_WRITE_EA, "WRITE_EA"},
    {FILE_DELETE_CHILD, "DELETE_CHILD"},
    {DELETE, "DELETE"},
    {READ_CONTROL, "READ_CONTROL"},
    {WRITE_DAC, "WRITE_DAC"},
    {WRITE_OWNER, "WRITE_OWNER"},
    {SYNCHRONIZE, "SYNCHRONIZE"},
};

static const VALUE_NAME share_names[] = {
    {FILE_SHARE_READ, "READ"},
    {FILE_SHARE_WRITE, "WRITE"},
    {FILE_SHARE_DELETE, "DELETE"},
};

static const VALUE_NAME disposition_names[] = {
    {FILE_SUPERSEDE, "SUPERSEDE"}, {FILE_OPEN, "OPEN"},           {FILE_CREATE, "CREATE"},
    {FILE_OPEN_IF, "OPEN_IF"},     {FILE_OVERWRITE, "OVERWRITE"}, {FILE_OVERWRITE_IF, "OVERWRITE_IF"},
};

static const VALUE_NAME option_names[] = {
    {FILE_DIRECTORY_FILE, "DIRECTORY_FILE"},
    {FILE_NON_DIRECTORY_FILE, "NON_DIRECTORY_FILE"},
    {FILE_WRITE_THROUGH, "WRITE_THROUGH"},
    {FILE_SEQUENTIAL_ONLY, "SEQUENTIAL_ONLY"},
    {FILE_RANDOM_ACCESS, "RANDOM_ACCESS"},
    {FILE_NO_INTERMEDIATE_BUFFERING, "NO_INTERMEDIATE_BUFFERING"},
    {FILE_SYNCHRONOUS_IO_ALERT, "SYNCHRONOUS_IO_ALERT"},
    {FILE_SYNCHRONOUS_IO_NONALERT, "SYNCHRONOUS_IO_NONALERT"},
    {FILE_CREATE_TREE_CONNECTION, "CREATE_TREE_CONNECTION"},
    {FILE_COMPLETE_IF_OPLOCKED, "COMPLETE_IF_OPLOCKED"},
    {FILE_NO_EA_KNOWLEDGE, "NO_EA_KNOWLEDGE"},
    {FILE_OPEN_FOR_RECOVERY, "OPEN_FOR_RECOVERY"},
    {FILE_DELETE_ON_CLOSE, "DELETE_ON_CLOSE"},
    {FILE_OPEN_BY_FILE_ID, "OPEN_BY_FILE_ID"},
    {FILE_OPEN_FOR_BACKUP_INTENT, "OPEN_FOR_BACKUP_INTENT"},
    {FILE_NO_COMPRESSION, "NO_COMPRESSION"},
    {FILE_RESERVE_OPFILTER, "RESERVE_OPFILTER"},
    {FILE_OPEN_REPARSE_POINT, "OPEN_REPARSE_POINT"},
    {FILE_OPEN_OFFLINE_FILE, "OPEN_OFFLINE_FILE"},
    {FILE_OPEN_FOR_FREE_SPACE_QUERY, "OPEN_FOR_FREE_SPACE_QUERY"},
};

static const VALUE_NAME attribute_names[] = {
    {FILE_ATTRIBUTE_READONLY, "READONLY"},   {FILE_ATTRIBUTE_HIDDEN, "HIDDEN"},
    {FILE_ATTRIBUTE_SYSTEM, "SYSTEM"},       {FILE_ATTRIBUTE_DIRECTORY, "DIRECTORY"},
    {FILE_ATTRIBUTE_ARCHIVE, "ARCHIVE"},     {FILE_ATTRIBUTE_NORMAL, "NORMAL"},
    {FILE_ATTRIBUTE_TEMPORARY, "TEMPORARY"}, {FILE_ATTRIBUTE_COMPRESSED, "COMPRESSED"},
    {FILE_ATTRIBUTE_OFFLINE, "OFFLINE"},
};

static const VALUE_NAME object_names[] = {
    {OBJ_INHERIT, "INHERIT"},
    {OBJ_PERMANENT, "PERMANENT"},
    {OBJ_EXCLUSIVE, "EXCLUSIVE"},
    {OBJ_CASE_INSENSITIVE, "CASE_INSENSITIVE"},
    {OBJ_OPENIF, "OPENIF"},
    {OBJ_OPENLINK, "OPENLINK"},
    {OBJ_KERNEL_HANDLE, "KERNEL_HANDLE"},
};

#define FIELD(names, bits, prefix)                                                                                     \
    {                                                                                                                  \
        (names), sizeof(names) / sizeof(*(names)), (bits), prefix                                                      \
    }
static const struct {
    const VALUE_NAME *Names;
    SIZE_T Count;
    BOOLEAN Bits; /* FALSE: exactly one of them */
    const char *Prefix;
} fields[] = {
    [EmuCreateAccess] = FIELD(access_names, TRUE, "FILE_"),
    [EmuCreateShare] = FIELD(share_names, TRUE, "FILE_SHARE_"),
    [EmuCreateDisposition] = FIELD(disposition_names, FALSE, "FILE_"),
    [EmuCreateOptions] = FIELD(option_names, TRUE, "FILE_"),
    [EmuCreateAttributes] = FIELD(attribute_names, TRUE, "FILE_ATTRIBUTE_"),
    [EmuCreateObject] = FIELD(object_names, TRUE, "OBJ_"),
};

const char *EmuCreateText(EMU_CREATE_FIELD Field, ULONG Value, char Text[EMU_CREATE_TEXT])
{
    SIZE_T used = 0;

    Text[0] = 0;
    for (SIZE_T i = 0; i < fields[Field].Count; i++) {
        const VALUE_NAME *n = &fields[Field].Names[i];
        if (fields[Field].Bits ? (Value & n->Value) != n->Value : Value != n->Value)
            continue;
        used += (SIZE_T)snprintf(Text + used, EMU_CREATE_TEXT - used, "%s%s", used ? "|" : "", n->Name);
        if (!fields[Field].Bits)
            return Text;
        Value &= ~n->Value;
    }
    if (Value)
        snprintf(Text + used, EMU_CREATE_TEXT - used, "%s0x%x", used ? "|" : "", Value);
    else if (!used)
        strcpy(Text, "none");
    return Text;
}

static BOOLEAN parse_number(const char *text, ULONG *value)
{
    char *end;
    unsigned long long n;

    errno = 0;
    n = strtoull(text, &end, 0);
    if (*text < '0' || *text > '9' || *end || errno || n > 0xffffffffu)
        return FALSE;
    *value = (ULONG)n;
    return TRUE;
}

static BOOLEAN parse_one(EMU_CREATE_FIELD field, const char *text, ULONG *value)
{
    const char *prefix = fields[field].Prefix;
    const char *rest = strncasecmp(text, prefix, strlen(prefix)) ? text : text + strlen(prefix);

    for (SIZE_T i = 0; i < fields[field].Count; i++)
        if (!strcasecmp(fields[field].Names[i].Name, rest) || !strcasecmp(fields[field].Names[i].Name, text)) {
            *value = fields[field].Names[i].Value;
            return TRUE;
        }
    if (!strcasecmp(text, "none")) {
        *value = 0;
        return TRUE;
    }
    return parse_number(text, value);
}

BOOLEAN EmuCreateParse(EMU_CREATE_FIELD Field, const char *Text, ULONG *Value)
{
    ULONG value = 0, parts = 0, one;
    char part[64];

    for (const char *p = Text;; p++) {
        SIZE_T length = strcspn(p, "|,+");
        if (length >= sizeof part)
            return FALSE;
        memcpy(part, p, length);
        part[length] = 0;
        if (!parse_one(Field, part, &one) || (parts++ && !fields[Field].Bits))
            return FALSE;
        value |= one;
        p += length;
        if (!*p)
            break;
    }
    *Value = value;
    return TRUE;
}

const char *EmuCreateNames(EMU_CREATE_FIELD Field, char *Text, SIZE_T Size)
{
    SIZE_T used = 0;

    for (SIZE_T i = 0; i < fields[Field].Count && used < Size; i++)
        used += (SIZE_T)snprintf(Text + used, Size - used, "%s%s", i ? ", " : "", fields[Field].Names[i].Name);
    return Text;
}
