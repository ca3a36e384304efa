/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SRV_CALLs, the entries of the list of servers, and what is known of those that nobody could reach.
 *
 * An entry is kept by its NET_ROOTs; one whose last connect timed out stays without them, until the scavenger finds
 * that FailedConnectTimeout has passed, so that who wants the server again need not wait for the same time-out
 * (documented: Q242528, where the redirector's own context and a program's have an entry each). That a refusal, which
 * comes at once, is not remembered is our guess: that machine is there, and may have begun to listen.
 */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

#define TIMED_OUT (10 * RDR_SECOND) /* our guess; a failure that took less is an answer */

static LIST_ENTRY servers;
static KSPIN_LOCK servers_lock; /* with RdrMutex it guards changes of the list, so either is enough to walk it */

void RdrInitializeServers(void)
{
    InitializeListHead(&servers);
    KeInitializeSpinLock(&servers_lock);
}

BOOLEAN RdrHasServers(void)
{
    return !IsListEmpty(&servers);
}

/* ---- the list; RdrMutex is held ---- */

static PSRV_CALL find(const UNICODE_STRING *name, BOOLEAN system)
{
    for (PLIST_ENTRY e = servers.Flink; e != &servers; e = e->Flink) {
        PSRV_CALL server = CONTAINING_RECORD(e, SRV_CALL, Links);
        if (server->System == system && RtlEqualUnicodeString(&server->Name, name, TRUE))
            return server;
    }
    return NULL;
}

static PSRV_CALL reference(const UNICODE_STRING *name, BOOLEAN system)
{
    PSRV_CALL server = find(name, system);
    KIRQL old;

    if (server) {
        server->References++;
        return server;
    }
    server = ExAllocatePoolWithTag(NonPagedPool, sizeof *server + name->Length, RDR_TAG_SRV_CALL);
    if (!server)
        return NULL;
    memset(server, 0, sizeof *server);
    server->System = system;
    server->References = 1;
    server->Name = (UNICODE_STRING){name->Length, name->Length, (PWSTR)(server + 1)};
    memcpy(server->Name.Buffer, name->Buffer, name->Length);
    old = KeAcquireSpinLockRaiseToDpc(&servers_lock);
    InsertTailList(&servers, &server->Links);
    KeReleaseSpinLock(&servers_lock, old);
    RdrStartTimer();
    return server;
}

PSRV_CALL RdrReferenceServer(const UNICODE_STRING *Name)
{
    return reference(Name, FALSE);
}

void RdrDereferenceServer(PSRV_CALL Server)
{
    KIRQL old;

    if (--Server->References || Server->LastConnectTime)
        return;
    old = KeAcquireSpinLockRaiseToDpc(&servers_lock);
    RemoveEntryList(&Server->Links);
    KeReleaseSpinLock(&servers_lock, old);
    ExFreePoolWithTag(Server, RDR_TAG_SRV_CALL);
}

/* ---- servers that nobody could reach ---- */

static BOOLEAN is_out_of_reach(const UNICODE_STRING *name, BOOLEAN system)
{
    PSRV_CALL server;
    BOOLEAN known;

    ExAcquireFastMutex(&RdrMutex);
    server = find(name, system);
    known = server && server->LastConnectTime;
    ExReleaseFastMutex(&RdrMutex);
    return known;
}

/* 0: it was reached. Without pool for an entry nothing is remembered. */
static void note_connect(const UNICODE_STRING *name, BOOLEAN system, ULONGLONG failed_at)
{
    PSRV_CALL server;

    ExAcquireFastMutex(&RdrMutex);
    server = failed_at ? reference(name, system) : find(name, system);
    if (server) {
        server->LastConnectTime = failed_at;
        if (!failed_at)
            server->References++;
        RdrDereferenceServer(server);
    }
    ExReleaseFastMutex(&RdrMutex);
}

/* TRUE: it timed out. Otherwise *status is the answer. */
static BOOLEAN times_out(PIRP irp, PNET_ROOT root, BOOLEAN system, NTSTATUS *status)
{
    struct smb_request request = {.op = SMB_TREE_CONNECT};
    const ULONGLONG start = KeQueryInterruptTime();
    ULONGLONG end;

    RdrCountConnect();
    *status = RdrPerform(irp, root, &request);
    end = KeQueryInterruptTime();
    if (*status == STATUS_BAD_NETWORK_PATH && end - start >= TIMED_OUT) {
        note_connect(&root->SrvCall->Name, system, end);
        return TRUE;
    }
    if (NT_SUCCESS(*status)) {
        note_connect(&root->SrvCall->Name, TRUE, 0);
        note_connect(&root->SrvCall->Name, FALSE, 0);
    }
    return FALSE;
}

NTSTATUS RdrReachServer(PIRP Irp, PNET_ROOT NetRoot)
{
    const UNICODE_STRING *name = &NetRoot->SrvCall->Name;
    NTSTATUS status;

    do {
        if (!is_out_of_reach(name, TRUE) && !times_out(Irp, NetRoot, TRUE, &status))
            return status;
        /*
         * Q242528: the program's context did not look for the entry of the redirector's own, and tried once more. By
         * the time that it had failed, too, the scavenger might have freed the first entry; then all began again, until
         * both were found. Fixed: the second attempt finds the entry.
         */
        if (!EmuHasDefect(EMU_Q242528))
            break;
        if (!is_out_of_reach(name, FALSE) && !times_out(Irp, NetRoot, FALSE, &status))
            return status;
    } while (!is_out_of_reach(name, TRUE));
    return EMU_DECIDE("Rdr", STATUS_BAD_NETWORK_PATH, "nobody has answered at \\\\%wZ of late", name);
}

/* ---- the scavenger ---- */

/* The server was not reached then, and that is to be forgotten. */
static BOOLEAN has_expired(const SRV_CALL *server, ULONGLONG timeout, ULONGLONG now)
{
    return server->LastConnectTime && server->LastConnectTime + timeout * RDR_SECOND <= now;
}

__attribute__((noinline)) void RdrScavengeServerEntries(void)
{
    const ULONGLONG now = KeQueryInterruptTime();
    const ULONG resident = RdrParameters->FailedConnectTimeout;
    /*
     * Q252186: the timeout was read where it is, in paged pool, at DISPATCH_LEVEL: a page fault there, which there is
     * once the page has been trimmed, is bug check 0xA. Fixed in Service Pack 6 of Terminal Server.
     */
    const volatile ULONG *timeout = EmuHasDefect(EMU_Q252186) ? &RdrParameters->FailedConnectTimeout : &resident;
    LIST_ENTRY expired;
    KIRQL old;

    InitializeListHead(&expired);
    ExAcquireFastMutex(&RdrMutex);
    old = KeAcquireSpinLockRaiseToDpc(&servers_lock);
    for (PLIST_ENTRY e = servers.Flink, next; e != &servers; e = next) {
        PSRV_CALL server = CONTAINING_RECORD(e, SRV_CALL, Links);
        next = e->Flink;
        if (!has_expired(server, *timeout, now))
            continue;
        server->LastConnectTime = 0;
        if (!server->References) {
            RemoveEntryList(e);
            InsertTailList(&expired, e);
        }
    }
    KeReleaseSpinLock(&servers_lock, old);
    ExReleaseFastMutex(&RdrMutex);
    while (!IsListEmpty(&expired))
        ExFreePoolWithTag(CONTAINING_RECORD(RemoveHeadList(&expired), SRV_CALL, Links), RDR_TAG_SRV_CALL);
}

void RdrForgetServers(void)
{
    while (!IsListEmpty(&servers))
        ExFreePoolWithTag(CONTAINING_RECORD(RemoveHeadList(&servers), SRV_CALL, Links), RDR_TAG_SRV_CALL);
}
