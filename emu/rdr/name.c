/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names, as rules and nothing else. Which malformed name gives which status is observed (ReactOS's rdbss; smbd for the
 * characters); that a trailing backslash together with FILE_NON_DIRECTORY_FILE is STATUS_OBJECT_NAME_INVALID is
 * documented (MS-FSA 2.1.5.1), and is how CreateFile("X:") comes to fail: see docs/fidelity.md.
 */
#include "rdr.h"

#include <ntemu/trace.h>

#define MAX_COMPONENT 255 /* UTF-16 units; documented: MS-FSCC 2.1.5.2 */

static BOOLEAN is_illegal(WCHAR c)
{
    switch (c) {
    case '"':
    case '*':
    case '/':
    case '<':
    case '>':
    case '?':
    case '|':
        return TRUE;
    default:
        return c < 32;
    }
}

NTSTATUS RdrCheckComponent(const UNICODE_STRING *Component)
{
    USHORT n = Component->Length / sizeof(WCHAR);

    if (!n)
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "an empty component in the path");
    if (n > MAX_COMPONENT)
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "a component of %u characters, %d is the most", n,
                          MAX_COMPONENT);
    for (USHORT i = 0; i < n; i++)
        if (is_illegal(Component->Buffer[i]))
            return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "character U+%04X in \"%wZ\"", Component->Buffer[i],
                              Component);
    if (Component->Buffer[0] == '.' && (n == 1 || (n == 2 && Component->Buffer[1] == '.')))
        return EMU_DECIDE("Rdr", STATUS_OBJECT_PATH_SYNTAX_BAD, "\"%wZ\" in a path: the kernel resolves none",
                          Component);
    return STATUS_SUCCESS;
}

/* Not FsRtlDissectName: that one swallows the second of two backslashes, and with it the empty component between. */
static NTSTATUS check_path(const UNICODE_STRING *path)
{
    USHORT n = path->Length / sizeof(WCHAR), start = 0;
    NTSTATUS status = STATUS_SUCCESS;

    for (USHORT i = 0; n && i <= n && NT_SUCCESS(status); i++) {
        UNICODE_STRING component = {(USHORT)((i - start) * sizeof(WCHAR)), 0, path->Buffer + start};
        if (i < n && path->Buffer[i] != '\\')
            continue;
        status = RdrCheckComponent(&component);
        start = (USHORT)(i + 1);
    }
    return status;
}

static BOOLEAN is_letter(const UNICODE_STRING *s)
{
    WCHAR c = s->Length == 2 * sizeof(WCHAR) && s->Buffer[1] == ':' ? RtlUpcaseUnicodeChar(s->Buffer[0]) : 0;
    return c >= 'A' && c <= 'Z';
}

NTSTATUS RdrParseName(const UNICODE_STRING *Full, ULONG Options, RDR_NAME *Name)
{
    RDR_NAME name = {0};
    UNICODE_STRING rest = *Full, first;
    NTSTATUS status;

    if (!rest.Length || rest.Buffer[0] != '\\')
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "the name does not begin with a backslash");
    FsRtlDissectName(rest, &first, &rest);
    if (is_letter(&first)) {
        name.Letter = RtlUpcaseUnicodeChar(first.Buffer[0]);
        FsRtlDissectName(rest, &first, &rest);
    }
    name.Server = first;
    FsRtlDissectName(rest, &name.Share, &rest);
    if (!name.Server.Length || !name.Share.Length)
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "no server and share in \"%wZ\"", Full);

    /* FsRtlDissectName ate the backslash behind the share: "\server\share\" ends in one although rest is empty. */
    name.TrailingBackslash = Full->Buffer[Full->Length / sizeof(WCHAR) - 1] == '\\';
    if (name.TrailingBackslash && (Options & FILE_NON_DIRECTORY_FILE))
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "trailing backslash with FILE_NON_DIRECTORY_FILE");
    if (rest.Length && rest.Buffer[0] == '\\')
        return EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "two backslashes behind the share");
    if (name.TrailingBackslash && rest.Length)
        rest.Length -= sizeof(WCHAR);
    name.Path = rest;
    status = check_path(&rest);
    if (NT_SUCCESS(status))
        *Name = name;
    return status;
}

/* FNV-1a, over a backslash and a name. */
static ULONGLONG add_name(ULONGLONG hash, const UNICODE_STRING *name)
{
    hash = (hash ^ '\\') * 0x100000001b3;
    for (ULONG i = 0; i < name->Length / sizeof(WCHAR); i++)
        hash = (hash ^ RtlUpcaseUnicodeChar(name->Buffer[i])) * 0x100000001b3;
    return hash;
}

ULONGLONG RdrIndexNumber(const FCB *Fcb, const UNICODE_STRING *Name)
{
    const UNICODE_STRING path = RdrPathOf(Fcb);
    ULONGLONG hash = add_name(0xcbf29ce484222325, &Fcb->NetRoot->SrvCall->Name);

    hash = add_name(hash, &Fcb->NetRoot->Name);
    if (path.Length)
        hash = add_name(hash, &path);
    if (Name)
        hash = add_name(hash, Name);
    return hash ? hash : 1;
}
