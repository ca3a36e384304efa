/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The redirectors that have registered, in the order in which they did. */
#include "mup.h"

#include <string.h>

FAST_MUTEX MupMutex;

static LIST_ENTRY providers;

void MupInitializeProviders(void)
{
    ExInitializeFastMutex(&MupMutex);
    InitializeListHead(&providers);
}

static PMUP_PROVIDER allocate_provider(const UNICODE_STRING *name)
{
    PMUP_PROVIDER provider = ExAllocatePoolWithTag(PagedPool, sizeof *provider + name->Length, MUP_TAG);

    if (!provider)
        return NULL;
    memset(provider, 0, sizeof *provider);
    provider->References = 1;
    provider->Name.Buffer = (PWSTR)(provider + 1);
    provider->Name.Length = provider->Name.MaximumLength = name->Length;
    memcpy(provider->Name.Buffer, name->Buffer, name->Length);
    return provider;
}

NTSTATUS MupRegister(const UNICODE_STRING *DeviceName, BOOLEAN Mailslots, PMUP_PROVIDER *Provider)
{
    PMUP_PROVIDER provider = allocate_provider(DeviceName);
    PDEVICE_OBJECT device;
    NTSTATUS status;

    if (!provider)
        return STATUS_INSUFFICIENT_RESOURCES;
    provider->Mailslots = Mailslots;
    status = IoGetDeviceObjectPointer(&provider->Name, FILE_READ_ATTRIBUTES, &provider->FileObject, &device);
    if (!NT_SUCCESS(status)) {
        ExFreePoolWithTag(provider, MUP_TAG);
        return status;
    }
    ExAcquireFastMutex(&MupMutex);
    InsertTailList(&providers, &provider->Links);
    ExReleaseFastMutex(&MupMutex);
    *Provider = provider;
    return STATUS_SUCCESS;
}

void MupReferenceProvider(PMUP_PROVIDER Provider)
{
    ExAcquireFastMutex(&MupMutex);
    Provider->References++;
    ExReleaseFastMutex(&MupMutex);
}

void MupDereferenceProvider(PMUP_PROVIDER Provider)
{
    BOOLEAN last;

    ExAcquireFastMutex(&MupMutex);
    last = !--Provider->References;
    ExReleaseFastMutex(&MupMutex);
    if (!last)
        return;
    ObDereferenceObject(Provider->FileObject);
    ExFreePoolWithTag(Provider, MUP_TAG);
}

void MupDeregister(PMUP_PROVIDER Provider)
{
    ExAcquireFastMutex(&MupMutex);
    RemoveEntryList(&Provider->Links);
    InitializeListHead(&Provider->Links); /* whoever is asking it now finds nobody behind it */
    MupForgetPrefixesOf(Provider);
    ExReleaseFastMutex(&MupMutex);
    MupDereferenceProvider(Provider);
}

PMUP_PROVIDER MupNextProvider(PMUP_PROVIDER Previous)
{
    PMUP_PROVIDER next = NULL;
    PLIST_ENTRY e;

    ExAcquireFastMutex(&MupMutex);
    e = Previous ? Previous->Links.Flink : providers.Flink;
    if (e != &providers && (!Previous || e != &Previous->Links)) {
        next = CONTAINING_RECORD(e, MUP_PROVIDER, Links);
        next->References++;
    }
    ExReleaseFastMutex(&MupMutex);
    if (Previous)
        MupDereferenceProvider(Previous);
    return next;
}
