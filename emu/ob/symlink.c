/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Symbolic link objects. How they are followed is the walk's (namespace.c). */
#include "obp.h"

#include <string.h>

static void delete_link(PVOID object)
{
    POBJECT_SYMBOLIC_LINK link = object;

    if (link->Target.Buffer)
        ExFreePoolWithTag(link->Target.Buffer, OBP_TAG_LINK);
}

OBJECT_TYPE ObpSymbolicLinkType = {
    .Name = "SymbolicLink",
    .PoolType = PagedPool,
    .Tag = OBP_TAG_LINK,
    .GenericMapping = {STANDARD_RIGHTS_READ | SYMBOLIC_LINK_QUERY, STANDARD_RIGHTS_WRITE,
                       STANDARD_RIGHTS_EXECUTE | SYMBOLIC_LINK_QUERY, SYMBOLIC_LINK_ALL_ACCESS},
    .Delete = delete_link,
};

static NTSTATUS make_link(const UNICODE_STRING *target, PVOID *ret_link)
{
    POBJECT_SYMBOLIC_LINK link;
    PVOID object;
    NTSTATUS status;

    if (!target->Length || target->Length % sizeof(WCHAR))
        return EMU_DECIDE("Ob", STATUS_INVALID_PARAMETER, "a link's target has %u bytes", target->Length);
    if (target->Buffer[0] != '\\')
        return EMU_DECIDE("Ob", STATUS_OBJECT_PATH_SYNTAX_BAD, "link target \"%wZ\" has no leading backslash", target);
    status = ObpCreateObject(&ObpSymbolicLinkType, sizeof *link, &object);
    if (!NT_SUCCESS(status))
        return status;
    link = object;
    link->Target.Buffer = ExAllocatePoolWithTag(PagedPool, target->Length, OBP_TAG_LINK);
    if (!link->Target.Buffer) {
        ObDereferenceObject(link);
        return EMU_DECIDE("Ob", STATUS_INSUFFICIENT_RESOURCES, "no pool for a link's target");
    }
    memcpy(link->Target.Buffer, target->Buffer, target->Length);
    link->Target.Length = link->Target.MaximumLength = target->Length;
    *ret_link = link;
    return STATUS_SUCCESS;
}

NTSTATUS ObpCreateSymbolicLink(const UNICODE_STRING *Path, const UNICODE_STRING *Target)
{
    PVOID link;
    NTSTATUS status = make_link(Target, &link);

    if (!NT_SUCCESS(status))
        return status;
    status = ObpEnterName(Path, link);
    ObDereferenceObject(link);
    return status;
}

NTSTATUS ObpDeleteSymbolicLink(const UNICODE_STRING *Path)
{
    OBJECT_ATTRIBUTES attributes = {.Length = sizeof attributes,
                                    .ObjectName = (PUNICODE_STRING)Path,
                                    .Attributes = OBJ_CASE_INSENSITIVE | OBJ_OPENLINK};
    OBP_PARSE parse = {.Attributes = attributes.Attributes, .WantedType = &ObpSymbolicLinkType};
    PVOID link;
    NTSTATUS status = ObpLookupName(&attributes, &parse, &link);

    if (!NT_SUCCESS(status))
        return status;
    ObpRemoveName(link);
    ObDereferenceObject(link);
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

/* ---- services ---- */

NTSTATUS NTAPI NtCreateSymbolicLinkObject(PHANDLE LinkHandle, ACCESS_MASK DesiredAccess,
                                          POBJECT_ATTRIBUTES ObjectAttributes, PUNICODE_STRING LinkTarget)
{
    PVOID link;
    NTSTATUS status = make_link(LinkTarget, &link);

    return NT_SUCCESS(status) ? ObpInsertObject(link, ObjectAttributes, DesiredAccess, LinkHandle) : status;
}

NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE LinkHandle, ACCESS_MASK DesiredAccess,
                                        const OBJECT_ATTRIBUTES *ObjectAttributes)
{
    return ObpOpenObject(ObjectAttributes, &ObpSymbolicLinkType, DesiredAccess, LinkHandle);
}

NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE LinkHandle, PUNICODE_STRING LinkTarget, PULONG ReturnedLength)
{
    POBJECT_SYMBOLIC_LINK link;
    PVOID object;
    NTSTATUS status =
        ObReferenceObjectByHandle(LinkHandle, SYMBOLIC_LINK_QUERY, &ObpSymbolicLinkType, UserMode, &object, NULL);

    if (!NT_SUCCESS(status))
        return status;
    link = object;
    if (ReturnedLength)
        *ReturnedLength = link->Target.Length;
    if (link->Target.Length > LinkTarget->MaximumLength)
        status = EMU_DECIDE("Ob", STATUS_BUFFER_TOO_SMALL, "the target takes %u bytes", link->Target.Length);
    else
        RtlCopyUnicodeString(LinkTarget, &link->Target);
    ObDereferenceObject(link);
    return status;
}
