/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object namespace: the walk from a name to an object, or to the place of a new one.
 *
 * Names compare without case when OBJ_CASE_INSENSITIVE is given.
 * The statuses are those documented for NtOpenFile and friends; which malformed path gives which is observed (ReactOS's
 * and Wine's object tests).
 */
#include "obp.h"

#include <ntemu/builds.h>
#include <ntemu/machine.h>
#include <string.h>

#define MAX_REPARSES 32 /* our guess of NT's bound: links and drivers' reparses in one lookup; a loop ends here */

static POBJECT_DIRECTORY root_directory;
POBJECT_DIRECTORY ObpGlobalDosDevices;

PVOID ObpRootDirectory(void)
{
    return root_directory;
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
static NTSTATUS follow_link(WALK *walk, const OBJECT_SYMBOLIC_LINK *link, const UNICODE_STRING *name)
{
    ULONG length = (ULONG)link->Target.Length + walk->rest.Length;
    PWSTR expanded;

    EMU_STEP("Ob", "link \"%wZ\" -> \"%wZ\"", name, &link->Target);
    if (++walk->reparses > MAX_REPARSES)
        return EMU_DECIDE("Ob", STATUS_OBJECT_NAME_NOT_FOUND, "more than %d links and reparses", MAX_REPARSES);
    if (length > 0xfffc)
        return EMU_DECIDE("Ob", STATUS_NAME_TOO_LONG, "%u bytes with the link's target", length);
    expanded = ExAllocatePoolWithTag(PagedPool, length, OBP_TAG_NAME);
    if (!expanded)
        return EMU_DECIDE("Ob", STATUS_INSUFFICIENT_RESOURCES, "no pool for the name behind the link");
    memcpy(expanded, link->Target.Buffer, link->Target.Length);
    memcpy((char *)expanded + link->Target.Length, walk->rest.Buffer, walk->rest.Length);
    go_on_with(walk, expanded, (USHORT)length);
    return STATUS_SUCCESS;
}

/* A driver put another name in the place of the one it was asked for. Returns STATUS_REPARSE: look that one up. */
static NTSTATUS follow_reparse(WALK *walk, OBP_PARSE *parse)
{
    UNICODE_STRING name = parse->Reparse;
    NTSTATUS status = STATUS_REPARSE;

    RtlZeroMemory(&parse->Reparse, sizeof parse->Reparse);
    EMU_STEP("Ob", "STATUS_REPARSE: on to \"%wZ\"", &name);
    if (++walk->reparses > MAX_REPARSES)
        status = EMU_DECIDE("Ob", STATUS_OBJECT_NAME_NOT_FOUND, "more than %d links and reparses", MAX_REPARSES);
    else if (!name.Length || name.Length % sizeof(WCHAR) || name.Buffer[0] != '\\')
        status = EMU_DECIDE("Ob", STATUS_OBJECT_PATH_SYNTAX_BAD, "the new name has no leading backslash");
    if (status == STATUS_REPARSE)
        go_on_with(walk, name.Buffer, name.Length);
    else if (name.Buffer)
        ExFreePool(name.Buffer);
    return status;
}

/*
 * A directory that was reached by its name: \?? is the calling process's own where sessions have one. What the System
 * process makes there is for all: those are drivers' names.
 */
static POBJECT_DIRECTORY enter_directory(POBJECT_DIRECTORY directory, const OBP_PARSE *parse)
{
    PEPROCESS process;

    if (!directory->PerSession)
        return directory;
    process = PsGetCurrentProcess();
    if (!process || !process->DosDevices || (parse->Insert && process == PsInitialSystemProcess))
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

/* A new name hides one in the directory behind: only a lookup goes on there. */
static POBJECT_HEADER find(POBJECT_DIRECTORY directory, const UNICODE_STRING *name, const OBP_PARSE *parse,
                           BOOLEAN last)
{
    BOOLEAN ignore_case = (parse->Attributes & OBJ_CASE_INSENSITIVE) != 0;
    POBJECT_HEADER header = ObpFindEntry(directory, name, ignore_case);

    if (!header && directory->Shadow && !(last && parse->Insert))
        header = ObpFindEntry(directory->Shadow, name, ignore_case);
    return header;
}

/* Whether the link itself is what is asked for: by OBJ_OPENLINK, or since a link is (observed: ReactOS). */
static BOOLEAN wants_link(const OBP_PARSE *parse)
{
    POBJECT_TYPE wanted = parse->Insert ? parse->Insert->Type : parse->WantedType;

    return wanted == &ObpSymbolicLinkType || (parse->Attributes & OBJ_OPENLINK);
}

/*
 * From a directory to the first object that is not one: *object with a reference, walk->rest what is left for it. A
 * name that is not there is entered for parse->Insert. The lock is held, to change if there is something to insert.
 */
static NTSTATUS walk_directories(WALK *walk, POBJECT_DIRECTORY directory, const OBP_PARSE *parse, PVOID *object)
{
    while (walk->rest.Length) {
        UNICODE_STRING component;
        POBJECT_HEADER header;
        NTSTATUS status;
        if (directory == root_directory && walk->rest.Length == sizeof(WCHAR) && walk->rest.Buffer[0] == '\\') {
            walk->rest.Length = 0;
            break;
        }
        if (!cut_component(&walk->rest, &component))
            return EMU_DECIDE("Ob", STATUS_OBJECT_NAME_INVALID, "empty component in the object's name");
        header = find(directory, &component, parse, !walk->rest.Length);
        if (!header && parse->Insert && !walk->rest.Length) {
            status = ObpInsertEntry(directory, &component, parse->Insert);
            if (!NT_SUCCESS(status))
                return EMU_DECIDE("Ob", status, "no pool for the name \"%wZ\"", &component);
            header = parse->Insert;
        }
        if (!header && walk->rest.Length)
            return EMU_DECIDE("Ob", STATUS_OBJECT_PATH_NOT_FOUND, "no \"%wZ\" in the directory, and \"%wZ\" behind it",
                              &component, &walk->rest);
        if (!header)
            return EMU_DECIDE("Ob", STATUS_OBJECT_NAME_NOT_FOUND, "no \"%wZ\" in the directory", &component);
        if (header->Type == &ObpSymbolicLinkType && (walk->rest.Length || !wants_link(parse))) {
            status = follow_link(walk, ObpBody(header), &component);
            if (!NT_SUCCESS(status))
                return status;
            directory = root_directory;
        } else if (header->Type == &ObpDirectoryType) {
            directory = enter_directory(ObpBody(header), parse);
        } else {
            EMU_STEP("Ob", "%s %wZ takes \"%wZ\"", header->Type->Name, &header->Name, &walk->rest);
            *object = ObpBody(header);
            ObReferenceObject(*object);
            return STATUS_SUCCESS;
        }
    }
    *object = directory;
    ObReferenceObject(directory);
    return STATUS_SUCCESS;
}

/* Hands what is left of the name to the object that was reached. Consumes the reference on `reached`. */
static NTSTATUS finish(PVOID reached, const UNICODE_STRING *rest, OBP_PARSE *parse, PVOID *object)
{
    POBJECT_TYPE type = ObpHeader(reached)->Type;
    NTSTATUS status;

    if (type->Parse && (rest->Length || parse->Packet)) {
        status = type->Parse(reached, rest, parse, object);
    } else if (rest->Length || (parse->WantedType && parse->WantedType != type)) {
        status = EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH,
                            rest->Length ? "a %s has no names below it" : "the object is a %s", type->Name);
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
    PVOID reached = NULL;
    NTSTATUS status;

    do {
        if (ObpHeader(start)->Type == &ObpDirectoryType) {
            ObpLockNamespace(parse->Insert != NULL);
            status = walk_directories(&walk, start, parse, &reached);
            ObpUnlockNamespace(parse->Insert != NULL);
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
        status = EMU_DECIDE("Ob", STATUS_OBJECT_PATH_SYNTAX_BAD, "a relative name with a leading backslash");
        goto exit;
    }
    if (name->Length > 0xfffc - sizeof(WCHAR)) {
        status = EMU_DECIDE("Ob", STATUS_NAME_TOO_LONG, "a relative name of %u bytes", name->Length);
        goto exit;
    }
    path.Length = path.MaximumLength = (USHORT)(name->Length + sizeof(WCHAR));
    path.Buffer = ExAllocatePoolWithTag(PagedPool, path.Length, OBP_TAG_NAME);
    if (!path.Buffer) {
        status = EMU_DECIDE("Ob", STATUS_INSUFFICIENT_RESOURCES, "no pool for a relative name");
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

    /* Documented: WDK, OBJECT_ATTRIBUTES. */
    if (Attributes->Length != sizeof *Attributes || (Attributes->Attributes & ~(ULONG)OBJ_VALID_ATTRIBUTES))
        return EMU_DECIDE("Ob", STATUS_INVALID_PARAMETER, "object attributes 0x%x, length %u", Attributes->Attributes,
                          Attributes->Length);
    if (name.Length % sizeof(WCHAR))
        return EMU_DECIDE("Ob", STATUS_OBJECT_NAME_INVALID, "a name of %u bytes", name.Length);
    if (Attributes->RootDirectory)
        return lookup_relative(Attributes->RootDirectory, &name, Parse, Object);
    if (!name.Length || name.Buffer[0] != '\\')
        return EMU_DECIDE("Ob", STATUS_OBJECT_PATH_SYNTAX_BAD, "\"%wZ\" has no leading backslash", &name);
    return lookup_from(root_directory, &name, Parse, Object);
}

/* ---- new names ---- */

NTSTATUS ObpInsertName(const OBJECT_ATTRIBUTES *Attributes, PVOID Object, PVOID *Found)
{
    OBP_PARSE parse = {.Attributes = Attributes->Attributes, .Insert = ObpHeader(Object)};
    PVOID found;
    NTSTATUS status = ObpLookupName(Attributes, &parse, &found);

    if (!NT_SUCCESS(status))
        return status;
    if (found != Object) {
        if (!(Attributes->Attributes & OBJ_OPENIF))
            status = EMU_DECIDE("Ob", STATUS_OBJECT_NAME_COLLISION, "a %s has this name", ObpHeader(found)->Type->Name);
        else if (ObpHeader(found)->Type != ObpHeader(Object)->Type)
            status = EMU_DECIDE("Ob", STATUS_OBJECT_TYPE_MISMATCH, "a %s has this name", ObpHeader(found)->Type->Name);
        else
            status = STATUS_OBJECT_NAME_EXISTS;
    }
    if (NT_SUCCESS(status))
        *Found = found;
    else
        ObDereferenceObject(found);
    return status;
}

NTSTATUS ObpEnterName(const UNICODE_STRING *Path, PVOID Object)
{
    OBJECT_ATTRIBUTES attributes = {.Length = sizeof attributes,
                                    .ObjectName = (PUNICODE_STRING)Path,
                                    .Attributes = OBJ_CASE_INSENSITIVE | OBJ_PERMANENT};
    PVOID found;
    NTSTATUS status;

    ObpHeader(Object)->Permanent = TRUE;
    status = ObpInsertName(&attributes, Object, &found);
    if (NT_SUCCESS(status))
        ObDereferenceObject(found);
    return status;
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
