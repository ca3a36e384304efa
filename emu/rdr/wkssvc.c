/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The workstation service's part: "net use". It connects the tree through the redirector's own door (NtCreateFile with
 * FILE_CREATE_TREE_CONNECTION, credentials as extended attributes), keeps that handle as long as the letter is in use,
 * and points the letter's symbolic link at the share. A connection without a letter is the handle alone.
 *
 * The link's form on NT 4.0, \Device\LanmanRedirector\X:\server\share, is commonly given and unconfirmed by any public
 * source: it is made here and taken apart in name.c, nowhere else.
 */
#include "rdr.h"

#include <stdlib.h>
#include <string.h>

#define DEVICE u"\\Device\\LanmanRedirector"

typedef struct _RDR_USE {
    LIST_ENTRY Links;      /* uses; under use_mutex */
    ULONG Session;         /* whose letter it is: 0 where letters are the machine's */
    ULONG Letter;          /* 0 is A:; EMU_NO_LETTER */
    HANDLE Tree;           /* kernel handle of the tree connection; NULL while it is being made */
    UNICODE_STRING Remote; /* \\server\share; follows the structure */
} RDR_USE, *PRDR_USE;

static FAST_MUTEX use_mutex;
static LIST_ENTRY uses;

void RdrInitializeUses(void)
{
    ExInitializeFastMutex(&use_mutex);
    InitializeListHead(&uses);
}

/* Letters are the machine's on a Workstation, whose processes are all in session 0 (documented: Q180362). */
static ULONG my_session(void)
{
    return PsGetProcessSessionId(PsGetCurrentProcess());
}

/* use_mutex is held. */
static PRDR_USE find_use(ULONG session, ULONG letter)
{
    for (PLIST_ENTRY e = uses.Flink; e != &uses; e = e->Flink) {
        PRDR_USE use = CONTAINING_RECORD(e, RDR_USE, Links);
        if (use->Session == session && use->Letter == letter)
            return use;
    }
    return NULL;
}

/* That of a share without a letter. use_mutex is held. */
static PRDR_USE find_unlettered(ULONG session, const UNICODE_STRING *remote)
{
    for (PLIST_ENTRY e = uses.Flink; e != &uses; e = e->Flink) {
        PRDR_USE use = CONTAINING_RECORD(e, RDR_USE, Links);
        if (use->Session == session && use->Letter == EMU_NO_LETTER &&
            RtlEqualUnicodeString(&use->Remote, remote, TRUE))
            return use;
    }
    return NULL;
}

#define LINK_UNITS 40

static void link_name(const RDR_USE *use, WCHAR buffer[LINK_UNITS], PUNICODE_STRING name)
{
    WCHAR drive[3] = {'\\', (WCHAR)('A' + use->Letter), ':'};
    UNICODE_STRING tail = {sizeof drive, sizeof drive, drive};

    *name = (UNICODE_STRING){0, LINK_UNITS * sizeof(WCHAR), buffer};
    EmuSessionDosDevices(use->Session, name);
    RtlAppendUnicodeStringToString(name, &tail);
}

/* "\Device\LanmanRedirector", "\X:" if there is a letter, and the remote name without its first backslash. Pool; the
 * caller frees. */
static NTSTATUS device_path(ULONG letter, const UNICODE_STRING *remote, PUNICODE_STRING path)
{
    WCHAR drive[3] = {'\\', (WCHAR)('A' + letter), ':'};
    const UNICODE_STRING parts[] = {NT_STRING(DEVICE),
                                    {letter == EMU_NO_LETTER ? 0 : sizeof drive, sizeof drive, drive},
                                    {(USHORT)(remote->Length - sizeof(WCHAR)), 0, remote->Buffer + 1}};
    ULONG length = parts[0].Length + parts[1].Length + parts[2].Length;

    if (length > 0xfffc)
        return STATUS_NAME_TOO_LONG;
    path->Buffer = ExAllocatePoolWithTag(PagedPool, length, RDR_TAG_USE);
    if (!path->Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    path->Length = 0;
    path->MaximumLength = (USHORT)length;
    for (ULONG i = 0; i < 3; i++)
        RtlAppendUnicodeStringToString(path, &parts[i]);
    return STATUS_SUCCESS;
}

static ULONG put_ea(PUCHAR buffer, const char *name, const UNICODE_STRING *value, BOOLEAN last)
{
    FILE_FULL_EA_INFORMATION *ea = (FILE_FULL_EA_INFORMATION *)buffer;
    ULONG n = (ULONG)strlen(name), length;

    length = ((ULONG)offsetof(FILE_FULL_EA_INFORMATION, EaName) + n + 1 + value->Length + 3) & ~3u;
    memset(ea, 0, length);
    ea->NextEntryOffset = last ? 0 : length;
    ea->EaNameLength = (UCHAR)n;
    ea->EaValueLength = value->Length;
    memcpy(ea->EaName, name, n + 1);
    if (value->Length)
        memcpy(ea->EaName + n + 1, value->Buffer, value->Length);
    return length;
}

#define MAX_CREDENTIAL 512 /* bytes; NT's user names and passwords end at 256 characters (documented: lmcons.h) */

static NTSTATUS connect_tree(UNICODE_STRING *path, const UNICODE_STRING *user, const UNICODE_STRING *password,
                             HANDLE *tree)
{
    static const UNICODE_STRING none = {0};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    __attribute__((aligned(8))) UCHAR ea[2 * (MAX_CREDENTIAL + 32)];
    ULONG length;
    NTSTATUS status;

    if ((user && user->Length > MAX_CREDENTIAL) || (password && password->Length > MAX_CREDENTIAL))
        return STATUS_INVALID_PARAMETER;
    user = user && user->Length ? user : &none;
    password = password && password->Length ? password : &none;
    length = put_ea(ea, "UserName", user, FALSE);
    length += put_ea(ea + length, "Password", password, TRUE);
    InitializeObjectAttributes(&attributes, path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    status = NtCreateFile(tree, SYNCHRONIZE, &attributes, &io_status, NULL, 0,
                          FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN_IF,
                          FILE_CREATE_TREE_CONNECTION | FILE_SYNCHRONOUS_IO_NONALERT, ea, length);
    explicit_bzero(ea, sizeof ea);
    return status;
}

static BOOLEAN is_unc(const UNICODE_STRING *remote)
{
    return remote->Length >= 5 * sizeof(WCHAR) && remote->Length <= 0x7ffe && remote->Buffer[0] == '\\' &&
           remote->Buffer[1] == '\\' && remote->Buffer[2] != '\\';
}

static PRDR_USE allocate_use(ULONG session, ULONG letter, const UNICODE_STRING *remote)
{
    PRDR_USE use = ExAllocatePoolWithTag(PagedPool, sizeof *use + remote->Length, RDR_TAG_USE);

    if (!use)
        return NULL;
    memset(use, 0, sizeof *use);
    use->Session = session;
    use->Letter = letter;
    use->Remote.Buffer = (PWSTR)(use + 1);
    use->Remote.Length = use->Remote.MaximumLength = remote->Length;
    memcpy(use->Remote.Buffer, remote->Buffer, remote->Length);
    return use;
}

static void delete_link(PRDR_USE use)
{
    WCHAR link_buffer[LINK_UNITS];
    UNICODE_STRING link;

    link_name(use, link_buffer, &link);
    IoDeleteSymbolicLink(&link);
}

/* The use is in no list any more, and its link is gone. */
static void end_use(PRDR_USE use)
{
    NtClose(use->Tree); /* NOLINT(clang-analyzer-core.NullDereference): it was in the list */
    ExFreePoolWithTag(use, RDR_TAG_USE);
}

/* The tree, and the link if there is a letter. */
static NTSTATUS connect_use(PRDR_USE use, const UNICODE_STRING *user, const UNICODE_STRING *password, HANDLE *tree)
{
    WCHAR link_buffer[LINK_UNITS];
    UNICODE_STRING path, link;
    NTSTATUS status = device_path(use->Letter, &use->Remote, &path);

    if (!NT_SUCCESS(status))
        return status;
    status = connect_tree(&path, user, password, tree);
    if (NT_SUCCESS(status) && use->Letter != EMU_NO_LETTER) {
        link_name(use, link_buffer, &link);
        status = IoCreateSymbolicLink(&link, &path);
        if (!NT_SUCCESS(status))
            NtClose(*tree);
    }
    ExFreePoolWithTag(path.Buffer, RDR_TAG_USE);
    return status;
}

/* The entry is made first and holds the letter while the server is asked. */
static NTSTATUS add_letter(PRDR_USE use, const UNICODE_STRING *user, const UNICODE_STRING *password)
{
    HANDLE tree;
    BOOLEAN taken;
    NTSTATUS status;

    ExAcquireFastMutex(&use_mutex);
    taken = find_use(use->Session, use->Letter) != NULL;
    if (!taken)
        InsertTailList(&uses, &use->Links);
    ExReleaseFastMutex(&use_mutex);
    if (taken)
        return STATUS_OBJECT_NAME_COLLISION;
    status = connect_use(use, user, password, &tree);
    ExAcquireFastMutex(&use_mutex);
    if (NT_SUCCESS(status))
        use->Tree = tree;
    else
        RemoveEntryList(&use->Links);
    ExReleaseFastMutex(&use_mutex);
    return status;
}

/* A second one to the share has proved its credentials, and goes. */
static NTSTATUS add_unlettered(PRDR_USE use, const UNICODE_STRING *user, const UNICODE_STRING *password)
{
    NTSTATUS status = connect_use(use, user, password, &use->Tree);
    BOOLEAN there;

    if (!NT_SUCCESS(status))
        return status;
    ExAcquireFastMutex(&use_mutex);
    there = find_unlettered(use->Session, &use->Remote) != NULL;
    if (!there)
        InsertTailList(&uses, &use->Links);
    ExReleaseFastMutex(&use_mutex);
    if (there)
        end_use(use);
    return STATUS_SUCCESS;
}

NTSTATUS EmuUseAdd(ULONG Letter, const UNICODE_STRING *Remote, const UNICODE_STRING *User,
                   const UNICODE_STRING *Password)
{
    PRDR_USE use;
    NTSTATUS status;

    if (Letter > EMU_NO_LETTER)
        return STATUS_INVALID_PARAMETER;
    if (!is_unc(Remote))
        return STATUS_BAD_NETWORK_PATH;
    use = allocate_use(my_session(), Letter, Remote);
    if (!use)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = Letter == EMU_NO_LETTER ? add_unlettered(use, User, Password) : add_letter(use, User, Password);
    if (!NT_SUCCESS(status)) {
        ExFreePoolWithTag(use, RDR_TAG_USE);
        RdrReapConnections();
    }
    return status;
}

/* As RdrDisconnectTree. */
static NTSTATUS take_leave(PRDR_USE use, BOOLEAN force)
{
    NTSTATUS status;
    PVOID file;

    if (!NT_SUCCESS(ObReferenceObjectByHandle(use->Tree, 0, *IoFileObjectType, KernelMode, &file, NULL)))
        return STATUS_SUCCESS;
    status = RdrDisconnectTree(file, force);
    ObDereferenceObject(file);
    return status;
}

/* Takes it out of the list. use_mutex is held. */
static NTSTATUS remove_use(PRDR_USE use, BOOLEAN force)
{
    NTSTATUS status = use && use->Tree ? take_leave(use, force) : STATUS_OBJECT_NAME_NOT_FOUND;

    if (!NT_SUCCESS(status))
        return status;
    if (use->Letter != EMU_NO_LETTER)
        delete_link(use); /* before the letter is free: whoever takes it next makes the link anew */
    RemoveEntryList(&use->Links);
    return STATUS_SUCCESS;
}

NTSTATUS EmuUseDelete(ULONG Letter, BOOLEAN Force)
{
    NTSTATUS status;
    PRDR_USE use;

    ExAcquireFastMutex(&use_mutex);
    use = Letter < EMU_NO_LETTER ? find_use(my_session(), Letter) : NULL;
    status = remove_use(use, Force);
    ExReleaseFastMutex(&use_mutex);
    if (NT_SUCCESS(status))
        end_use(use);
    return status;
}

NTSTATUS EmuUseDeleteUnlettered(const UNICODE_STRING *Remote, BOOLEAN Force)
{
    UNICODE_STRING name;
    RDR_NAME share;
    NTSTATUS status;
    PRDR_USE use;

    if (!is_unc(Remote))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    ExAcquireFastMutex(&use_mutex);
    use = find_unlettered(my_session(), Remote);
    status = remove_use(use, Force);
    ExReleaseFastMutex(&use_mutex);
    if (NT_SUCCESS(status))
        end_use(use);
    if (use)
        return status;
    name = (UNICODE_STRING){(USHORT)(Remote->Length - sizeof(WCHAR)), 0, Remote->Buffer + 1};
    if (!NT_SUCCESS(RdrParseName(&name, 0, &share)) || share.Path.Length || share.TrailingBackslash)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    return RdrDisconnectImplicit(&share, Force);
}

NTSTATUS EmuUseQuery(ULONG Letter, UNICODE_STRING *Remote)
{
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    PRDR_USE use;

    ExAcquireFastMutex(&use_mutex);
    use = Letter < EMU_NO_LETTER ? find_use(my_session(), Letter) : NULL;
    if (use && use->Tree) {
        status = use->Remote.Length <= Remote->MaximumLength ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
        if (NT_SUCCESS(status))
            RtlCopyUnicodeString(Remote, &use->Remote);
    }
    ExReleaseFastMutex(&use_mutex);
    return status;
}

/* The session's first use at or behind a letter. use_mutex is held. */
static PRDR_USE next_use(ULONG session, ULONG letter)
{
    for (; letter < EMU_NO_LETTER; letter++) {
        PRDR_USE use = find_use(session, letter);
        if (use)
            return use;
    }
    return NULL;
}

/* use_mutex is held. */
static NTSTATUS describe(PRDR_USE use, EMU_USE *ret, UNICODE_STRING *remote, UNICODE_STRING *user)
{
    NTSTATUS status = STATUS_SUCCESS;
    PVOID file;

    if (use->Remote.Length > remote->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyUnicodeString(remote, &use->Remote);
    if (use->Tree && NT_SUCCESS(ObReferenceObjectByHandle(use->Tree, 0, *IoFileObjectType, KernelMode, &file, NULL))) {
        status = RdrQueryTree(file, ret, user);
        ObDereferenceObject(file);
    } else {
        user->Length = 0;
        ret->Status = EmuUseConnecting;
        ret->OpenFiles = 0;
    }
    return status;
}

NTSTATUS EmuUseEnumerate(ULONG First, EMU_USE *Use, UNICODE_STRING *Remote, UNICODE_STRING *User)
{
    NTSTATUS status = STATUS_SUCCESS;
    PRDR_USE use;

    ExAcquireFastMutex(&use_mutex);
    use = next_use(my_session(), First);
    if (use) {
        Use->Number = Use->Letter = use->Letter;
        status = describe(use, Use, Remote, User);
    }
    ExReleaseFastMutex(&use_mutex);
    if (use)
        return status;
    Use->Letter = EMU_NO_LETTER;
    Use->Number = First > EMU_NO_LETTER ? First : EMU_NO_LETTER;
    return RdrQueryUnlettered(Use->Number - EMU_NO_LETTER, Use, Remote, User);
}

ULONG EmuUseLetters(void)
{
    ULONG letters = 0, session = my_session();

    ExAcquireFastMutex(&use_mutex);
    for (PLIST_ENTRY e = uses.Flink; e != &uses; e = e->Flink) {
        PRDR_USE use = CONTAINING_RECORD(e, RDR_USE, Links);
        if (use->Tree && use->Session == session && use->Letter != EMU_NO_LETTER)
            letters |= 1u << use->Letter;
    }
    ExReleaseFastMutex(&use_mutex);
    return letters;
}

void RdrShutdownUses(void)
{
    while (!IsListEmpty(&uses)) {
        PRDR_USE use = CONTAINING_RECORD(RemoveHeadList(&uses), RDR_USE, Links);
        if (use->Letter != EMU_NO_LETTER)
            delete_link(use);
        end_use(use);
    }
}
