/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drives.c - NtOpenDirectoryObject and NtOpenSymbolicLinkObject: the letters where GetLogicalDrives and QueryDosDevice
 * look.
 *
 * The links are the wineserver's, who knows nothing of the machine: letters come and go by "rdrlab use" and by other
 * prefixes. So they are brought up to date before anybody looks. Opening a file does not need them.
 */
#include <string.h>

#include "client.h"
#include "drives.h"
#include "guard.h"
#include "info.h"

#define DEVICE_PREFIX L"\\Device\\LanmanRedirector\\"
#define PREFIX_LENGTH (ARRAYSIZE(DEVICE_PREFIX) - 1)
#define TARGET_LENGTH 1024

#define LINK_QUERY 1u /* SYMBOLIC_LINK_QUERY */
#define LINK_ALL   0xf0001u

#define UNKNOWN 0x80000000u /* not a set of letters */

static uint32_t shown = UNKNOWN;

struct link {
    WCHAR name[16], target[TARGET_LENGTH];
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES attributes;
};

static void name_link(struct link *link, ULONG letter)
{
    wcscpy(link->name, L"\\DosDevices\\X:");
    link->name[12] = (WCHAR)('A' + letter);
    link->string = (UNICODE_STRING){14 * sizeof(WCHAR), 14 * sizeof(WCHAR), link->name};
    link->attributes = (OBJECT_ATTRIBUTES){
        .Length = sizeof(link->attributes), .ObjectName = &link->string, .Attributes = OBJ_CASE_INSENSITIVE};
}

/* Where the letter leads in Wine. False: nowhere, and target is empty. */
static bool read_link(struct link *link)
{
    UNICODE_STRING target = {0, sizeof(link->target) - sizeof(WCHAR), link->target};
    NTSTATUS status;
    HANDLE handle;

    link->target[0] = '\0';
    if (!NT_SUCCESS(wine.NtOpenSymbolicLinkObject(&handle, LINK_QUERY, &link->attributes)))
        return false;
    status = wine.NtQuerySymbolicLinkObject(handle, &target, NULL);
    wine.NtClose(handle);
    link->target[NT_SUCCESS(status) ? target.Length / sizeof(WCHAR) : 0] = '\0';
    return true;
}

static void remove_link(const struct link *link)
{
    HANDLE handle;

    if (!NT_SUCCESS(wine.NtOpenSymbolicLinkObject(&handle, DELETE, (OBJECT_ATTRIBUTES *)&link->attributes)))
        return;
    wine.NtMakeTemporaryObject(handle);
    wine.NtClose(handle);
}

static void make_link(struct link *link, WCHAR *text)
{
    UNICODE_STRING target = {(USHORT)(wcslen(text) * sizeof(WCHAR)), (USHORT)(wcslen(text) * sizeof(WCHAR)), text};
    HANDLE handle;

    link->attributes.Attributes |= OBJ_PERMANENT | OBJ_OPENIF;
    if (NT_SUCCESS(wine.NtCreateSymbolicLinkObject(&handle, LINK_ALL, &link->attributes, &target)))
        wine.NtClose(handle);
}

/* \Device\LanmanRedirector\X:\server\share. False: the letter is gone by now, or its share's name too long to show. */
static bool wanted_target(ULONG letter, WCHAR target[TARGET_LENGTH])
{
    WCHAR *at = target + PREFIX_LENGTH + 2, remote[TARGET_LENGTH - PREFIX_LENGTH - 3];
    size_t bytes;

    if (info_connection(letter, remote, sizeof(remote), &bytes) != STATUS_SUCCESS || bytes < 2 * sizeof(WCHAR))
        return false;
    memcpy(target, DEVICE_PREFIX, sizeof(DEVICE_PREFIX));
    target[PREFIX_LENGTH] = (WCHAR)('A' + letter);
    target[PREFIX_LENGTH + 1] = ':';
    memcpy(at, remote + 1, bytes - sizeof(WCHAR));
    at[bytes / sizeof(WCHAR) - 1] = '\0';
    return true;
}

/* What is Wine's own stays. */
static void show_letter(ULONG letter, bool redirected)
{
    WCHAR target[TARGET_LENGTH];
    struct link link;
    bool exists, ours;

    name_link(&link, letter);
    exists = read_link(&link);
    ours = exists && wcsncmp(link.target, DEVICE_PREFIX, PREFIX_LENGTH) == 0;
    redirected = redirected && wanted_target(letter, target);
    if (ours && (!redirected || wcscmp(link.target, target) != 0)) {
        remove_link(&link);
        exists = false;
    }
    if (redirected && !exists)
        make_link(&link, target);
}

void drives_show(void)
{
    uint32_t letters = client_letters(), before = wire_load(&shown);

    if (letters == before)
        return;
    for (ULONG letter = 0; letter < WIRE_LETTERS; letter++)
        if (before == UNKNOWN || ((letters ^ before) >> letter & 1))
            show_letter(letter, letters >> letter & 1);
    wire_store(&shown, letters);
}

/* ---- who looks there ---- */

static bool begins(const WCHAR *name, size_t length, const WCHAR *prefix)
{
    size_t count = wcslen(prefix);

    return length >= count && CompareStringOrdinal(name, (int)count, prefix, (int)count, TRUE) == CSTR_EQUAL;
}

/* What an open is about: the folder of links, one letter's link there, or neither. */
enum about { NOTHING, FOLDER, LETTER };

static enum about about_letter(WCHAR c, ULONG *ret_letter)
{
    if (c >= 'a' && c <= 'z')
        c -= 'a' - 'A';
    *ret_letter = (ULONG)(c - 'A');
    return c >= 'A' && c <= 'Z' ? LETTER : FOLDER;
}

/* An object in \DosDevices or \??, or one of them itself. */
static enum about look_at_name(const OBJECT_ATTRIBUTES *attributes, ULONG *ret_letter)
{
    OBJECT_ATTRIBUTES copy;
    UNICODE_STRING string;
    WCHAR name[16];
    size_t length;

    if (!guarded_copy(&copy, attributes, sizeof(copy)) || !copy.ObjectName ||
        !guarded_copy(&string, copy.ObjectName, sizeof(string)))
        return NOTHING;
    length = string.Length / sizeof(WCHAR) < ARRAYSIZE(name) ? string.Length / sizeof(WCHAR) : ARRAYSIZE(name);
    if (!guarded_copy(name, string.Buffer, length * sizeof(WCHAR)))
        return NOTHING;
    if (copy.RootDirectory ? length != 2 || name[1] != ':'
                           : !begins(name, length, L"\\DosDevices") && !begins(name, length, L"\\??"))
        return NOTHING;
    return length >= 2 && name[length - 1] == ':' ? about_letter(name[length - 2], ret_letter) : FOLDER;
}

NTSTATUS NTAPI hooked_NtOpenDirectoryObject(PHANDLE ret_directory, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes)
{
    ULONG letter;

    if (look_at_name(attributes, &letter) != NOTHING)
        drives_show();
    return wine.NtOpenDirectoryObject(ret_directory, access, attributes);
}

/* A letter that is there as before may lead elsewhere by now, so who asks for its link has it read anew. */
NTSTATUS NTAPI hooked_NtOpenSymbolicLinkObject(PHANDLE ret_link, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes)
{
    ULONG letter;

    switch (look_at_name(attributes, &letter)) {
    case LETTER:
        show_letter(letter, client_redirects((WCHAR)('A' + letter)));
        break;
    case FOLDER:
        drives_show();
        break;
    case NOTHING:
        break;
    }
    return wine.NtOpenSymbolicLinkObject(ret_link, access, attributes);
}
