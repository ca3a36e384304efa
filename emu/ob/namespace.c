/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object namespace: directories, symbolic links, and the walk from a name to an object.
 *
 * A directory holds a reference on each object it names. Names compare without case when OBJ_CASE_INSENSITIVE is given.
 * The statuses are those documented for NtOpenFile and friends; which malformed path gives which is observed (ReactOS's
 * and Wine's object tests).
 */
#include "obp.h"

#include <ntemu/builds.h>
#include <ntemu/machine.h>
#include <pthread.h>
#include <string.h>

#define MAX_REPARSES 32 /* our guess of NT's bound: links and drivers' reparses in one lookup; a loop ends here */

/* NT: an executive resource, shared by lookups. */
static pthread_rwlock_t namespace_lock = PTHREAD_RWLOCK_INITIALIZER;
static POBJECT_DIRECTORY root_directory;
POBJECT_DIRECTORY ObpGlobalDosDevices;

static void delete_link(PVOID object);

OBJECT_TYPE ObpDirectoryType = {.Name = "Directory", .PoolType = PagedPool, .Tag = OBP_TAG_DIRECTORY};
OBJECT_TYPE ObpSymbolicLinkType = {
    .Name = "SymbolicLink", .PoolType = PagedPool, .Tag = OBP_TAG_LINK, .Delete = delete_link};

static void delete_link(PVOID object)
{
    POBJECT_SYMBOLIC_LINK link = object;

    if (link->Target.Buffer)
        ExFreePoolWithTag(link->Target.Buffer, OBP_TAG_LINK);
}

static ULONG bucket_of(const UNICODE_STRING *name)
{
    ULONG hash = 0;

    for (ULONG i = 0; i < name->Length / sizeof(WCHAR); i++)
        hash = hash * 37 + RtlUpcaseUnicodeChar(name->Buffer[i]);
    return hash % OBP_BUCKETS;
}

static POBJECT_HEADER find_entry(POBJECT_DIRECTORY directory, const UNICODE_STRING *name, BOOLEAN ignore_case)
{
    for (POBJECT_HEADER h = directory->Buckets[bucket_of(name)]; h; h = h->NextInBucket)
        if (RtlEqualUnicodeString(&h->Name, name, ignore_case))
            return h;
    return NULL;
}

/* As find_entry, and then in the directory behind this one. */
static POBJECT_HEADER look_up(POBJECT_DIRECTORY directory, const UNICODE_STRING *name, BOOLEAN ignore_case)
{
    POBJECT_HEADER header = find_entry(directory, name, ignore_case);

    if (!header && directory->Shadow)
        header = find_entry(directory->Shadow, name, ignore_case);
    return header;
}

/*
 * A directory that was reached by its name: \?? is the calling process's own where sessions have one. What the System
 * process makes there is for all: those are drivers' names.
 */
static POBJECT_DIRECTORY enter_directory(POBJECT_HEADER header, BOOLEAN to_make)
{
    POBJECT_DIRECTORY directory = ObpBody(header);
    PEPROCESS process;

    if (!directory->PerSession)
        return directory;
    process = PsGetCurrentProcess();
    if (!process || !process->DosDevices || (to_make && process == PsInitialSystemProcess))
        return ObpGlobalDosDevices;
    return process->DosDevices;
}

/* "\a\b": the component "a" is cut off, "\b" stays. FALSE: the path does not begin with a backslash and a name. */
static BOOLEAN cut_component(UNICODE_STRING *path, UNICODE_STRING *component)
{
    USHORT n = path->Length / sizeof(WCHAR), end = 1;

    if (!n || path->Buffer[0] != '\\')
        return FALSE;
    while (end < n && path->Buffer[end] != '\\')
        end++;
    component->Buffer = path->Buffer + 1;
    component->Length = component->MaximumLength = (USHORT)((end - 1) * sizeof(WCHAR));
    path->Buffer += end;
    path->Length = (USHORT)(path->Length - end * sizeof(WCHAR));
    return component->Length != 0;
}

/* ---- making and removing names ---- */

/* The directory that is to hold the last component. The lock is held. */
static NTSTATUS find_parent(const UNICODE_STRING *path, POBJECT_DIRECTORY *directory, UNICODE_STRING *last)
{
    UNICODE_STRING rest = *path;
    POBJECT_DIRECTORY d = root_directory;

    for (;;) {
        POBJECT_HEADER h;
        if (!cut_component(&rest, last))
            return STATUS_OBJECT_PATH_SYNTAX_BAD;
        if (!rest.Length)
            break;
        h = find_entry(d, last, TRUE);
        if (!h || h->Type != &ObpDirectoryType)
            return STATUS_OBJECT_PATH_NOT_FOUND;
        d = enter_directory(h, TRUE);
    }
    *directory = d;
    return STATUS_SUCCESS;
}

NTSTATUS ObpEnterName(const UNICODE_STRING *Path, PVOID Object)
{
    POBJECT_HEADER header = ObpHeader(Object);
    POBJECT_DIRECTORY directory;
    UNICODE_STRING last;
    PWSTR name;
    NTSTATUS status;
    ULONG bucket;

    pthread_rwlock_wrlock(&namespace_lock);
    status = find_parent(Path, &directory, &last);
    if (!NT_SUCCESS(status))
        goto exit;
    if (find_entry(directory, &last, TRUE)) {
        status = STATUS_OBJECT_NAME_COLLISION;
        goto exit;
    }
    name = ExAllocatePoolWithTag(PagedPool, last.Length, OBP_TAG_NAME);
    if (!name) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    memcpy(name, last.Buffer, last.Length);
    header->Name.Buffer = name;
    header->Name.Length = header->Name.MaximumLength = last.Length;
    header->Directory = directory;
    bucket = bucket_of(&last);
    header->NextInBucket = directory->Buckets[bucket];
    directory->Buckets[bucket] = header;
    ObReferenceObject(Object);
exit:
    pthread_rwlock_unlock(&namespace_lock);
    return status;
}

void ObpRemoveName(PVOID Object)
{
    POBJECT_HEADER header = ObpHeader(Object), *link;
    PWSTR name;

    pthread_rwlock_wrlock(&namespace_lock);
    if (!header->Directory) {
        pthread_rwlock_unlock(&namespace_lock);
        return;
    }
    for (link = &header->Directory->Buckets[bucket_of(&header->Name)]; *link != header; link = &(*link)->NextInBucket)
        ;
    *link = header->NextInBucket;
    header->Directory = NULL;
    name = header->Name.Buffer;
    RtlZeroMemory(&header->Name, sizeof header->Name);
    pthread_rwlock_unlock(&namespace_lock);

    ExFreePoolWithTag(name, OBP_TAG_NAME);
    ObDereferenceObject(Object);
}

NTSTATUS ObpCreateDirectory(const UNICODE_STRING *Path, POBJECT_DIRECTORY *Directory)
{
    PVOID directory;
    NTSTATUS status = ObpCreateObject(&ObpDirectoryType, sizeof(OBJECT_DIRECTORY), &directory);

    if (!NT_SUCCESS(status))
        return status;
    status = ObpEnterName(Path, directory);
    if (NT_SUCCESS(status) && Directory)
        *Directory = directory;
    else
        ObDereferenceObject(directory);
    return status;
}

ULONG ObpDirectoryEntries(POBJECT_DIRECTORY Directory)
{
    ULONG count = 0;

    pthread_rwlock_rdlock(&namespace_lock);
    for (ULONG i = 0; i < OBP_BUCKETS; i++)
        for (POBJECT_HEADER h = Directory->Buckets[i]; h; h = h->NextInBucket)
            count++;
    pthread_rwlock_unlock(&namespace_lock);
    return count;
}

NTSTATUS ObpCreateSymbolicLink(const UNICODE_STRING *Path, const UNICODE_STRING *Target)
{
    POBJECT_SYMBOLIC_LINK link;
    PVOID object;
    NTSTATUS status;

    if (!Target->Length || Target->Buffer[0] != '\\')
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    status = ObpCreateObject(&ObpSymbolicLinkType, sizeof *link, &object);
    if (!NT_SUCCESS(status))
        return status;
    link = object;
    link->Target.Buffer = ExAllocatePoolWithTag(PagedPool, Target->Length, OBP_TAG_LINK);
    if (!link->Target.Buffer) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    memcpy(link->Target.Buffer, Target->Buffer, Target->Length);
    link->Target.Length = link->Target.MaximumLength = Target->Length;
    status = ObpEnterName(Path, link);
exit:
    ObDereferenceObject(link);
    return status;
}

NTSTATUS ObpDeleteSymbolicLink(const UNICODE_STRING *Path)
{
    POBJECT_DIRECTORY directory;
    POBJECT_HEADER header = NULL;
    UNICODE_STRING last;
    NTSTATUS status;

    pthread_rwlock_rdlock(&namespace_lock);
    status = find_parent(Path, &directory, &last);
    if (NT_SUCCESS(status)) {
        header = find_entry(directory, &last, TRUE);
        if (!header)
            status = STATUS_OBJECT_NAME_NOT_FOUND;
        else if (header->Type != &ObpSymbolicLinkType)
            status = STATUS_OBJECT_TYPE_MISMATCH;
        else
            ObReferenceObject(ObpBody(header));
    }
    pthread_rwlock_unlock(&namespace_lock);
    if (!NT_SUCCESS(status))
        return status;
    ObpRemoveName(ObpBody(header));
    ObDereferenceObject(ObpBody(header));
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName)
{
    return ObpCreateSymbolicLink(SymbolicLinkName, DeviceName);
}

NTSTATUS NTAPI IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName)
{
    return ObpDeleteSymbolicLink(SymbolicLinkName);
}

/* ---- the walk ---- */

typedef struct _WALK {
    UNICODE_STRING rest; /* what is still to be resolved; points into the caller's name or into expanded */
    PWSTR expanded;      /* the name after the last symbolic link or reparse: pool, a driver's may have any tag */
    ULONG reparses;
} WALK;

static void go_on_with(WALK *walk, PWSTR name, USHORT length)
{
    if (walk->expanded)
        ExFreePool(walk->expanded);
    walk->expanded = name;
    walk->rest.Buffer = name;
    walk->rest.Length = walk->rest.MaximumLength = length;
}

/* The link's target takes the place of all that led to the link. */
static NTSTATUS follow_link(WALK *walk, const OBJECT_SYMBOLIC_LINK *link)
{
    ULONG length = (ULONG)link->Target.Length + walk->rest.Length;
    PWSTR name;

    if (++walk->reparses > MAX_REPARSES)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (length > 0xfffc)
        return STATUS_NAME_TOO_LONG;
    name = ExAllocatePoolWithTag(PagedPool, length, OBP_TAG_NAME);
    if (!name)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(name, link->Target.Buffer, link->Target.Length);
    memcpy((char *)name + link->Target.Length, walk->rest.Buffer, walk->rest.Length);
    go_on_with(walk, name, (USHORT)length);
    return STATUS_SUCCESS;
}

/* A driver put another name in the place of the one it was asked for. Returns STATUS_REPARSE: look that one up. */
static NTSTATUS follow_reparse(WALK *walk, OBP_PARSE *parse)
{
    UNICODE_STRING name = parse->Reparse;
    NTSTATUS status = STATUS_REPARSE;

    RtlZeroMemory(&parse->Reparse, sizeof parse->Reparse);
    if (++walk->reparses > MAX_REPARSES)
        status = STATUS_OBJECT_NAME_NOT_FOUND;
    else if (!name.Length || name.Length % sizeof(WCHAR) || name.Buffer[0] != '\\')
        status = STATUS_OBJECT_PATH_SYNTAX_BAD;
    if (status == STATUS_REPARSE)
        go_on_with(walk, name.Buffer, name.Length);
    else if (name.Buffer)
        ExFreePool(name.Buffer);
    return status;
}

/* From a directory to the first object that is not one: *object with a reference, walk->rest what is left for it. */
static NTSTATUS walk_directories(WALK *walk, POBJECT_DIRECTORY start, const OBP_PARSE *parse, PVOID *object)
{
    POBJECT_DIRECTORY directory = start;
    NTSTATUS status = STATUS_SUCCESS;

    pthread_rwlock_rdlock(&namespace_lock);
    while (walk->rest.Length) {
        UNICODE_STRING component;
        POBJECT_HEADER header;
        if (directory == root_directory && walk->rest.Length == sizeof(WCHAR) && walk->rest.Buffer[0] == '\\') {
            walk->rest.Length = 0;
            break;
        }
        if (!cut_component(&walk->rest, &component)) {
            status = STATUS_OBJECT_NAME_INVALID;
            goto exit;
        }
        header = look_up(directory, &component, (parse->Attributes & OBJ_CASE_INSENSITIVE) != 0);
        if (!header) {
            status = walk->rest.Length ? STATUS_OBJECT_PATH_NOT_FOUND : STATUS_OBJECT_NAME_NOT_FOUND;
            goto exit;
        }
        if (header->Type == &ObpSymbolicLinkType && (walk->rest.Length || !(parse->Attributes & OBJ_OPENLINK))) {
            status = follow_link(walk, ObpBody(header));
            if (!NT_SUCCESS(status))
                goto exit;
            directory = root_directory;
        } else if (header->Type == &ObpDirectoryType) {
            directory = enter_directory(header, FALSE);
        } else {
            *object = ObpBody(header);
            ObReferenceObject(*object);
            goto exit;
        }
    }
    *object = directory;
    ObReferenceObject(directory);
exit:
    pthread_rwlock_unlock(&namespace_lock);
    return status;
}

/* Hands what is left of the name to the object that was reached. Consumes the reference on `reached`. */
static NTSTATUS finish(PVOID reached, const UNICODE_STRING *rest, OBP_PARSE *parse, PVOID *object)
{
    POBJECT_TYPE type = ObpHeader(reached)->Type;
    NTSTATUS status;

    if (type->Parse && (rest->Length || parse->Packet)) {
        status = type->Parse(reached, rest, parse, object);
    } else if (rest->Length || (parse->WantedType && parse->WantedType != type)) {
        status = STATUS_OBJECT_TYPE_MISMATCH;
    } else {
        *object = reached;
        return STATUS_SUCCESS;
    }
    ObDereferenceObject(reached);
    return status;
}

/* From a directory, or from an object that parses: as often as a parse procedure says where to begin again. */
static NTSTATUS lookup_from(PVOID start, const UNICODE_STRING *name, OBP_PARSE *parse, PVOID *object)
{
    WALK walk = {.rest = *name};
    PVOID reached;
    NTSTATUS status;

    do {
        if (ObpHeader(start)->Type == &ObpDirectoryType) {
            status = walk_directories(&walk, start, parse, &reached);
        } else {
            ObReferenceObject(start);
            reached = start;
            status = STATUS_SUCCESS;
        }
        if (NT_SUCCESS(status))
            status = finish(reached, &walk.rest, parse, object);
        if (status == STATUS_REPARSE)
            status = follow_reparse(&walk, parse);
        start = root_directory;
    } while (status == STATUS_REPARSE);
    if (walk.expanded)
        ExFreePool(walk.expanded);
    return status;
}

/* Relative to a directory object the name has no leading backslash; relative to a file the file's driver decides. */
static NTSTATUS lookup_relative(HANDLE root, const UNICODE_STRING *name, OBP_PARSE *parse, PVOID *object)
{
    UNICODE_STRING path = {0};
    PVOID start;
    NTSTATUS status;

    status = ObReferenceObjectByHandle(root, 0, NULL, UserMode, &start, NULL);
    if (!NT_SUCCESS(status))
        return status;
    if (ObpHeader(start)->Type != &ObpDirectoryType || !name->Length) {
        status = lookup_from(start, name, parse, object);
        goto exit;
    }
    if (name->Buffer[0] == '\\') {
        status = STATUS_OBJECT_PATH_SYNTAX_BAD;
        goto exit;
    }
    if (name->Length > 0xfffc - sizeof(WCHAR)) {
        status = STATUS_NAME_TOO_LONG;
        goto exit;
    }
    path.Length = path.MaximumLength = (USHORT)(name->Length + sizeof(WCHAR));
    path.Buffer = ExAllocatePoolWithTag(PagedPool, path.Length, OBP_TAG_NAME);
    if (!path.Buffer) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    path.Buffer[0] = '\\';
    memcpy(path.Buffer + 1, name->Buffer, name->Length);
    status = lookup_from(start, &path, parse, object);
    ExFreePoolWithTag(path.Buffer, OBP_TAG_NAME);
exit:
    ObDereferenceObject(start);
    return status;
}

NTSTATUS ObpLookupName(const OBJECT_ATTRIBUTES *Attributes, OBP_PARSE *Parse, PVOID *Object)
{
    UNICODE_STRING empty = {0}, name = Attributes->ObjectName ? *Attributes->ObjectName : empty;

    if (name.Length % sizeof(WCHAR))
        return STATUS_OBJECT_NAME_INVALID;
    if (Attributes->RootDirectory)
        return lookup_relative(Attributes->RootDirectory, &name, Parse, Object);
    if (!name.Length || name.Buffer[0] != '\\')
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    return lookup_from(root_directory, &name, Parse, Object);
}

/* ---- life of the namespace ---- */

/* Where each session has a \??, the name stands for the caller's, and the machine's own has another. */
static NTSTATUS create_dos_devices(void)
{
    static const UNICODE_STRING name = NT_STRING(u"\\??"), global_name = NT_STRING(u"\\GLOBAL??");
    BOOLEAN sessions = EmuBuildHasSessions(EmuMachineBuild());
    POBJECT_DIRECTORY marker;
    NTSTATUS status = ObpCreateDirectory(sessions ? &global_name : &name, &ObpGlobalDosDevices);

    if (!NT_SUCCESS(status))
        return status;
    ObDereferenceObject(ObpGlobalDosDevices); /* its name keeps it */
    if (!sessions)
        return STATUS_SUCCESS;
    status = ObpCreateDirectory(&name, &marker);
    if (!NT_SUCCESS(status))
        return status;
    marker->PerSession = TRUE;
    ObDereferenceObject(marker);
    return STATUS_SUCCESS;
}

NTSTATUS ObpInitializeNamespace(void)
{
    static const UNICODE_STRING directories[] = {NT_STRING(u"\\Device"), NT_STRING(u"\\Driver"),
                                                 NT_STRING(u"\\FileSystem")};
    static const UNICODE_STRING dos_devices = NT_STRING(u"\\DosDevices"), target = NT_STRING(u"\\??");
    PVOID root;
    NTSTATUS status = ObpCreateObject(&ObpDirectoryType, sizeof(OBJECT_DIRECTORY), &root);

    if (!NT_SUCCESS(status))
        return status;
    root_directory = root;
    for (ULONG i = 0; NT_SUCCESS(status) && i < sizeof directories / sizeof *directories; i++)
        status = ObpCreateDirectory(&directories[i], NULL);
    if (NT_SUCCESS(status))
        status = create_dos_devices();
    if (NT_SUCCESS(status))
        status = ObpCreateSymbolicLink(&dos_devices, &target);
    if (NT_SUCCESS(status))
        status = ObpInitializeSessions();
    return status;
}

static void empty_directory(POBJECT_DIRECTORY directory)
{
    for (ULONG i = 0; i < OBP_BUCKETS; i++)
        while (directory->Buckets[i]) {
            POBJECT_HEADER header = directory->Buckets[i];
            if (header->Type == &ObpDirectoryType)
                empty_directory(ObpBody(header));
            ObpRemoveName(ObpBody(header));
        }
}

void ObpShutdownNamespace(void)
{
    if (!root_directory)
        return;
    ObpShutdownSessions();
    empty_directory(root_directory);
    ObDereferenceObject(root_directory);
    root_directory = NULL;
}
