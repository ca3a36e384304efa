/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_CREATE: \server\share\path becomes \Device\Redirector\server\share\path, whoever's it is, and the object
 * manager begins anew with that (STATUS_REPARSE; observed: ReactOS mup).
 */
#include "mup.h"

#include <ntemu/builds.h>
#include <ntemu/trace.h>
#include <string.h>

/*
 * What a redirector may say to a path that is not its own, from what says least on (which statuses: documented,
 * IOCTL_REDIR_QUERY_PATH). That failures have an order, that of two which are not listed the last is kept, and that a
 * refused logon says more than a name that another redirector does not know: documented, Q281312. The order of the
 * others is our guess: the further a redirector came, the more it says. What is not listed stands before a refusal.
 */
static const NTSTATUS by_severity[] = {
    STATUS_UNSUCCESSFUL,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_REDIRECTOR_NOT_STARTED,
    STATUS_BAD_NETWORK_PATH,
    STATUS_BAD_NETWORK_NAME,
    STATUS_SUCCESS /* all others */,
    STATUS_ACCESS_DENIED,
    STATUS_LOGON_FAILURE,
};
#define SEVERITIES (sizeof by_severity / sizeof *by_severity)

/* Q281312: a refused logon was not listed, nor was STATUS_BAD_NETWORK_NAME, by which the next provider masked it. */
static BOOLEAN is_listed(NTSTATUS status)
{
    return !EmuHasDefect(EMU_Q281312) || (status != STATUS_LOGON_FAILURE && status != STATUS_BAD_NETWORK_NAME);
}

static ULONG severity(NTSTATUS status)
{
    ULONG others = 0;

    for (ULONG i = 0; i < SEVERITIES; i++) {
        if (by_severity[i] == status && is_listed(status))
            return i;
        if (by_severity[i] == STATUS_SUCCESS)
            others = i;
    }
    return others;
}

NTSTATUS MupWorseStatus(NTSTATUS First, NTSTATUS Second)
{
    return severity(Second) >= severity(First) ? Second : First;
}

/* \server\mailslot\...: only redirectors that said they had mailslots are asked. */
static BOOLEAN is_mailslot(const UNICODE_STRING *name)
{
    static const UNICODE_STRING mailslot = NT_STRING(u"mailslot");
    UNICODE_STRING server, second, rest;

    FsRtlDissectName(*name, &server, &rest);
    FsRtlDissectName(rest, &second, &rest);
    return RtlEqualUnicodeString(&second, &mailslot, TRUE);
}

/*
 * Asks all, one after the other, and takes the first that claims the name: all are waited for, also behind one that has
 * claimed it (documented: Q171386).
 */
static NTSTATUS ask_all(PIRP create, const UNICODE_STRING *name, PMUP_PROVIDER *ret_provider)
{
    BOOLEAN mailslot = is_mailslot(name);
    NTSTATUS failure = STATUS_SUCCESS;
    PMUP_PROVIDER found = NULL;
    UNICODE_STRING prefix = *name;

    for (PMUP_PROVIDER p = MupNextProvider(NULL); p; p = MupNextProvider(p)) {
        USHORT accepted;
        NTSTATUS status;
        if (mailslot && !p->Mailslots)
            continue;
        status = MupAsk(create, p, name, &accepted);
        EMU_STEP("Mup", "%wZ about %wZ: %08x", &p->Name, name, status);
        if (status == STATUS_CANCELLED) {
            MupDereferenceProvider(p);
            failure = status;
            break;
        }
        if (!NT_SUCCESS(status)) {
            failure = failure ? MupWorseStatus(failure, status) : status;
        } else if (!found) {
            MupReferenceProvider(p);
            found = p;
            prefix.Length = accepted;
        }
    }
    if (found && failure == STATUS_CANCELLED) {
        MupDereferenceProvider(found);
        return failure;
    }
    if (!found)
        return failure ? EMU_DECIDE("Mup", failure, "no redirector claims %wZ: the failure that says most", name)
                       : EMU_DECIDE("Mup", STATUS_BAD_NETWORK_PATH, "there is no redirector to ask for %wZ", name);
    MupRememberPrefix(&prefix, found);
    *ret_provider = found;
    return STATUS_SUCCESS;
}

static NTSTATUS resolve(PIRP create, const UNICODE_STRING *name, PMUP_PROVIDER *ret_provider)
{
    *ret_provider = MupFindPrefix(name);
    return *ret_provider ? STATUS_SUCCESS : ask_all(create, name, ret_provider);
}

/* The redirector's device in front of the name. */
static NTSTATUS reroute(PFILE_OBJECT file, const UNICODE_STRING *device)
{
    ULONG length = (ULONG)device->Length + file->FileName.Length;
    PWSTR name;

    if (length > 0xfffc)
        return EMU_DECIDE("Mup", STATUS_NAME_TOO_LONG, "with %wZ in front", device);
    name = ExAllocatePoolWithTag(PagedPool, length, MUP_TAG);
    if (!name)
        return EMU_DECIDE("Mup", STATUS_INSUFFICIENT_RESOURCES, "no paged pool for the new name");
    memcpy(name, device->Buffer, device->Length);
    memcpy((char *)name + device->Length, file->FileName.Buffer, file->FileName.Length);
    ExFreePool(file->FileName.Buffer);
    file->FileName = (UNICODE_STRING){(USHORT)length, (USHORT)length, name};
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI MupFsdCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PMUP_PROVIDER provider;
    NTSTATUS status;

    if (file->RelatedFileObject) /* nothing is below MUP itself; observed: ReactOS mup, of an empty name */
        return MupCompleteIrp(Irp, EMU_DECIDE("Mup", STATUS_INVALID_DEVICE_REQUEST, "relative to MUP itself"), 0);
    if (!file->FileName.Length)
        return MupCompleteIrp(Irp, STATUS_SUCCESS, FILE_OPENED);
    status = MupTranslateClientName(&file->FileName);
    if (NT_SUCCESS(status))
        status = resolve(Irp, &file->FileName, &provider);
    if (!NT_SUCCESS(status))
        return MupCompleteIrp(Irp, status, 0);
    status = reroute(file, &provider->Name);
    if (NT_SUCCESS(status)) {
        EMU_STEP("Mup", "%wZ has it: look up %wZ", &provider->Name, &file->FileName);
        status = STATUS_REPARSE;
    }
    MupDereferenceProvider(provider);
    return MupCompleteIrp(Irp, status, IO_REPARSE); /* which is 0, as what goes with an error is */
}
