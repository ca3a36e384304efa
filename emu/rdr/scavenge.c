/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The redirector's timer: what has not been used for long is given up. A periodic timer's DPC queues a work item, and a
 * worker does the work at PASSIVE_LEVEL (documented: Q252186's stack, a worker thread, RdrTimer,
 * RdrScavengeServerEntries). The period is our guess; so is that there is no timer while there are no servers.
 */
#include "rdr.h"

#include <string.h>

#define PERIOD 10 /* seconds */

static KTIMER timer;
static KDPC dpc;
static WORK_QUEUE_ITEM item;
static LONG queued;             /* atomic: the item is, or is being done */
static BOOLEAN is_set, stopped; /* RdrMutex */

PRDR_PARAMETERS RdrParameters;

void NTAPI RdrTimer(PVOID Parameter)
{
    const ULONG keep = RdrParameters->KeepConn, cache = RdrParameters->CacheFileTimeout;

    RdrScavengeServerEntries();
    RdrScavengeDormantFiles(cache);
    RdrScavengeConnections(keep);
    RdrReapConnections();
    ExAcquireFastMutex(&RdrMutex);
    if (is_set && !RdrHasServers()) {
        KeCancelTimer(&timer);
        is_set = FALSE;
    }
    ExReleaseFastMutex(&RdrMutex);
    __atomic_store_n(&queued, 0, __ATOMIC_RELEASE);
}

/* A tick that comes while the last one's work goes on is let pass. */
static void NTAPI queue_work(PKDPC Dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    if (!__atomic_exchange_n(&queued, 1, __ATOMIC_ACQUIRE))
        ExQueueWorkItem(&item, DelayedWorkQueue);
}

/* RdrMutex is held. */
void RdrStartTimer(void)
{
    if (is_set || stopped)
        return;
    is_set = TRUE;
    KeSetTimerEx(&timer, (LARGE_INTEGER){.QuadPart = -(LONGLONG)(PERIOD * RDR_SECOND)}, PERIOD * 1000, &dpc);
}

/* Whether the registry has it, whatever its default. */
static BOOLEAN is_set_in_registry(PCWSTR name)
{
    ULONG value;
    RTL_QUERY_REGISTRY_TABLE table[] = {
        {NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED, (PWSTR)name, &value, REG_NONE, NULL, 0},
        {0},
    };

    return NT_SUCCESS(
        RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, u"LanmanWorkstation\\Parameters", table, NULL, NULL));
}

NTSTATUS RdrInitializeTimer(void)
{
    is_set = stopped = FALSE;
    queued = 0;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, queue_work, NULL);
    ExInitializeWorkItem(&item, RdrTimer, NULL);
    RdrParameters = ExAllocatePoolWithTag(PagedPool, sizeof *RdrParameters, RDR_TAG_PARAMETERS);
    if (!RdrParameters)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(RdrParameters, 0, sizeof *RdrParameters);
    EmuQueryParameter("KeepConn", &RdrParameters->KeepConn);
    EmuQueryParameter("FailedConnectTimeout", &RdrParameters->FailedConnectTimeout);
    EmuQueryParameter("CacheFileTimeout", &RdrParameters->CacheFileTimeout);
    EmuQueryParameter("DormantFileLimit", &RdrParameters->DormantFileLimit);
    RdrParameters->KeepDormantFiles = is_set_in_registry(u"DormantFileLimit");
    return STATUS_SUCCESS;
}

void RdrStopTimer(void)
{
    ExAcquireFastMutex(&RdrMutex);
    stopped = TRUE;
    if (is_set)
        KeCancelTimer(&timer);
    is_set = FALSE;
    ExReleaseFastMutex(&RdrMutex);
    KeRemoveQueueDpc(&dpc);
}

void RdrForgetTimer(void)
{
    if (__atomic_load_n(&queued, __ATOMIC_ACQUIRE))
        EmuDrainWorkers();
    ExFreePoolWithTag(RdrParameters, RDR_TAG_PARAMETERS);
    RdrParameters = NULL;
}
