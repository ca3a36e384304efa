/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Terminal Server: the drives of the computer that a session's user sits at, \\Client\C: (documented: MetaFrame's
 * notation for them). What MUP knows of names is the machine's, and every session has a client of its own: so
 * \Client\C:\path becomes \Client#2\C:\path before anybody is asked.
 *
 * Documented is no more than Q241392: MUP has a TranslateClientName, and it looks for a character by Wcschr. What it
 * looks for, that every name comes by, and what it makes of a name is our guess. No redirector here has such drives.
 */
#include "mup.h"

#include <ntemu/builds.h>
#include <ntemu/machine.h>
#include <ntemu/trace.h>
#include <stdio.h>
#include <string.h>

static BOOLEAN has_clients;

void MupInitializeClientNames(void)
{
    has_clients = EmuBuildHasSessions(EmuMachineBuild());
}

/* The C library's, of a string that ends in a 0. */
static BOOLEAN find_in_terminated(const WCHAR *string, WCHAR wanted)
{
    while (*string && *string != wanted)
        string++;
    return *string != 0;
}

static BOOLEAN find_in_counted(const UNICODE_STRING *string, WCHAR wanted)
{
    for (ULONG i = 0; i < string->Length / sizeof(WCHAR); i++)
        if (string->Buffer[i] == wanted)
            return TRUE;
    return FALSE;
}

static BOOLEAN names_a_drive(const UNICODE_STRING *name)
{
    /* Q241392: the string that is passed to Wcschr in TranslateClientName is not null-terminated. A file object's name
     * has a length, and nothing behind its last character. Fixed in Terminal Server's Service Pack 5. */
    if (EmuHasDefect(EMU_Q241392))
        return find_in_terminated(name->Buffer, ':');
    return find_in_counted(name, ':');
}

/* "\Client#2", the number being the calling process's session; in characters without the end. */
static USHORT client_of_session(WCHAR client[24])
{
    char text[24];
    int n = snprintf(text, sizeof text, "\\Client#%u", (unsigned)PsGetProcessSessionId(PsGetCurrentProcess()));

    for (int i = 0; i < n; i++)
        client[i] = (WCHAR)text[i];
    return (USHORT)n;
}

NTSTATUS MupTranslateClientName(UNICODE_STRING *Name)
{
    static const UNICODE_STRING word = NT_STRING(u"Client");
    const USHORT replaced = sizeof(WCHAR) + word.Length;
    UNICODE_STRING server, rest;
    WCHAR client[24];
    USHORT bytes;
    ULONG length;
    PWSTR name;

    if (!has_clients || !names_a_drive(Name))
        return STATUS_SUCCESS;
    FsRtlDissectName(*Name, &server, &rest);
    if (!RtlEqualUnicodeString(&server, &word, TRUE))
        return STATUS_SUCCESS;
    bytes = (USHORT)(client_of_session(client) * sizeof(WCHAR));
    length = (ULONG)bytes + Name->Length - replaced;
    if (length > 0xfffc)
        return EMU_DECIDE("Mup", STATUS_NAME_TOO_LONG, "with the session's number");
    name = ExAllocatePoolWithTag(PagedPool, length, MUP_TAG);
    if (!name)
        return EMU_DECIDE("Mup", STATUS_INSUFFICIENT_RESOURCES, "no paged pool for the name of a client's drive");
    memcpy(name, client, bytes);
    memcpy((char *)name + bytes, (char *)Name->Buffer + replaced, Name->Length - replaced);
    ExFreePool(Name->Buffer);
    *Name = (UNICODE_STRING){(USHORT)length, (USHORT)length, name};
    EMU_STEP("Mup", "a drive of the session's client: %wZ", Name);
    return STATUS_SUCCESS;
}
