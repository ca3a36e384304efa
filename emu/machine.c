/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The composition root: boots the machine layer by layer, and takes it down in reverse, looking what is left. What is
 * in front of the pool (objects, processes) is counted before it is torn down; what the pool itself still holds at the
 * very end was forgotten by somebody.
 */
#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

#include <stdio.h>
#include <string.h>

#include "cm/cmp.h"
#include "ex/exp.h"
#include "ex/special.h"
#include "ex/verifierp.h"
#include "ex/work.h"
#include "io/errorlog.h"
#include "io/iop.h"
#include "ke/kip.h"
#include "ke/thread.h"
#include "mm/mmp.h"
#include "mup/mup.h"
#include "nwrdr/nwrdr.h"
#include "leftovers.h"
#include "ob/obp.h"
#include "ps/psp.h"
#include "rdr/rdr.h"

#define NT4_PAGED_LIMIT    ((SIZE_T)192 << 20) /* documented: Q126401 */
#define NT4_NONPAGED_LIMIT ((SIZE_T)128 << 20) /* documented: Q248747 */
#define SRV_TAG            POOL_TAG('L', 'S', 'w', 'i')

static LONG running; /* atomic */
static char build[EMU_BUILD_NAME_SIZE];
static LONG pool_empty_written[2]; /* atomic: the server has told of nonpaged, paged pool */

const char *EmuMachineBuild(void)
{
    return __atomic_load_n(&running, __ATOMIC_ACQUIRE) ? build : "";
}

/*
 * The server service's complaint. Events 2019 and 2020 have the source Srv and their wording is documented (Q133384,
 * Q272568); that Srv notices by an allocation of its own after somebody else was refused is our guess. Written once.
 */
static void srv_probe(BOOLEAN paged)
{
    static const char *const text[] = {
        "The server was unable to allocate from the system nonpaged pool because the pool was empty.",
        "The server was unable to allocate from the system paged pool because the pool was empty.",
    };
    static _Thread_local BOOLEAN probing;
    PVOID probe;

    if (probing || __atomic_load_n(&pool_empty_written[paged], __ATOMIC_RELAXED))
        return;
    probing = TRUE; /* a refused probe calls here again */
    probe = ExAllocatePoolWithTag(paged ? PagedPool : NonPagedPool, PAGE_SIZE, SRV_TAG);
    probing = FALSE;
    if (probe)
        ExFreePoolWithTag(probe, SRV_TAG);
    else if (!__atomic_exchange_n(&pool_empty_written[paged], 1, __ATOMIC_RELAXED))
        EmuWriteEvent(paged ? 2020 : 2019, 3, "Srv", text[paged]);
}

static NTSTATUS select_build(const EMU_MACHINE_OPTIONS *options, char *error, SIZE_T size)
{
    const char *name = options->Build ? options->Build : "nt4-sp6";

    if (!EmuBuildCheck(name, error, size))
        return STATUS_INVALID_PARAMETER;
    EmuSelectBuild(name);
    for (const char *const *d = options->Defects; d && *d; d++) {
        if (EmuOverrideDefect(*d))
            continue;
        snprintf(error, size,
                 "bad defect override \"%s\"; write Qnnnnnn=on or Qnnnnnn=off for an article of the catalogue", *d);
        return STATUS_INVALID_PARAMETER;
    }
    snprintf(build, sizeof build, "%s", name);
    return STATUS_SUCCESS;
}

static PDRIVER_OBJECT mup, redirector, netware;

static NTSTATUS load_mup(void)
{
    static UNICODE_STRING name = NT_STRING(u"\\FileSystem\\Mup");
    NTSTATUS status = IoCreateDriver(&name, MupDriverEntry);

    if (!NT_SUCCESS(status))
        return status;
    mup = MupDevice->DriverObject;
    return EmuVerifierAddDriver(mup, "mup/*");
}

static NTSTATUS load_redirector(void)
{
    static UNICODE_STRING name = NT_STRING(u"\\FileSystem\\Rdr");
    NTSTATUS status;

    status = IoCreateDriver(&name, RdrDriverEntry);
    if (!NT_SUCCESS(status))
        return status;
    redirector = RdrDevice->DriverObject;
    status = EmuVerifierAddDriver(redirector, "rdr/*");
    return NT_SUCCESS(status) ? RdrStart() : status;
}

static NTSTATUS load_netware(void)
{
    static UNICODE_STRING name = NT_STRING(u"\\FileSystem\\NwRdr");
    NTSTATUS status = IoCreateDriver(&name, NwrDriverEntry);

    if (!NT_SUCCESS(status))
        return status;
    netware = NwrDevice->DriverObject;
    status = EmuVerifierAddDriver(netware, "nwrdr/*");
    return NT_SUCCESS(status) ? NwrStart() : status;
}

static void describe_bug_check(EMU_BUG_CHECK *bug_check)
{
    snprintf(bug_check->Build, sizeof bug_check->Build, "%s", build);
    ExpDescribeBugCheck(bug_check);
}

/*
 * Low resources simulation begins when the machine is up; NT waits for eight minutes (documented), so that it comes up
 * at all. Everything else sees the boot.
 */
static NTSTATUS start_verifier(const EMU_VERIFIER_OPTIONS *wanted, BOOLEAN is_up)
{
    EMU_VERIFIER_OPTIONS options;

    if (!wanted)
        return STATUS_SUCCESS;
    options = *wanted;
    if (!is_up)
        options.Flags &= ~(ULONG)(DRIVER_VERIFIER_INJECT_ALLOCATION_FAILURES | EMU_VERIFIER_SYSTEMATIC_LOW_RESOURCES);
    return EmuVerifierSet(&options);
}

/* NT 4.0's own special pool can be asked for by the registry, too (documented: Q188831). NULL: nothing is. */
static const EMU_VERIFIER_OPTIONS *wanted_verifier(const EMU_MACHINE_OPTIONS *options, EMU_VERIFIER_OPTIONS *merged)
{
    *merged = options->Verifier ? *options->Verifier : (EMU_VERIFIER_OPTIONS){.Flags = 0};
    if (!merged->PoolTag) {
        EmuQueryParameter("PoolTag", &merged->PoolTag);
        if (merged->PoolTag)
            EmuQueryParameter("PoolTagOverruns", &merged->PoolTagOverruns);
    }
    return options->Verifier || merged->PoolTag ? merged : NULL;
}

/* Bytes; 0 in the registry leaves it to NT, and more than the maximum is the maximum (documented: Q126401, Q304101). */
static SIZE_T paged_pool_limit(const EMU_MACHINE_OPTIONS *options)
{
    ULONG size = 0;

    if (options->PagedPoolLimit)
        return options->PagedPoolLimit;
    EmuQueryParameter("PagedPoolSize", &size);
    return size && size < NT4_PAGED_LIMIT ? size : NT4_PAGED_LIMIT;
}

/* What runs by itself. Audit may be NULL. */
static void stop_kernel(EMU_MACHINE_AUDIT *audit)
{
    ULONG items = ExpStopWorkers(), threads = KiStopThreads();
    KI_CLOCK_LEFT left;

    KiStopClock(&left);
    ExpForgetWorkers();
    if (!audit)
        return;
    audit->Threads = threads;
    audit->WorkItems = items;
    audit->Timers = left.Timers;
    audit->Dpcs = left.Dpcs;
}

NTSTATUS EmuMachineBoot(const EMU_MACHINE_OPTIONS *Options, char *Error, SIZE_T ErrorSize)
{
    static const EMU_MACHINE_OPTIONS defaults;
    const EMU_MACHINE_OPTIONS *o = Options ? Options : &defaults;
    SIZE_T paged, nonpaged = o->NonPagedPoolLimit ? o->NonPagedPoolLimit : NT4_NONPAGED_LIMIT;
    const EMU_VERIFIER_OPTIONS *verifier;
    EMU_VERIFIER_OPTIONS merged;
    LONG no = 0;
    NTSTATUS status;

    if (ErrorSize)
        Error[0] = 0;
    if (!__atomic_compare_exchange_n(&running, &no, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        snprintf(Error, ErrorSize, "a machine (%s) runs in this process already", build);
        return STATUS_DEVICE_ALREADY_ATTACHED;
    }
    status = select_build(o, Error, ErrorSize);
    if (!NT_SUCCESS(status))
        goto fail;
    status = CmpFillRegistry(o->Registry, o->RegistryFile, Error, ErrorSize);
    if (!NT_SUCCESS(status))
        goto fail;
    KiStartClock(o->Clock, o->ClockStart ? o->ClockStart : EMU_CLOCK_START);
    RdrInitializeConnections(o);
    RdrInitializeUses();
    MmpInitializeSections();
    IopClearEventLog();
    pool_empty_written[0] = pool_empty_written[1] = 0;
    paged = paged_pool_limit(o);
    verifier = wanted_verifier(o, &merged);
    status = ExpInitializePool(paged, nonpaged, srv_probe);
    if (!NT_SUCCESS(status))
        goto fail_host;
    ExpInitializeVerifier();
    ExpSetServicePack(EmuBuildServicePack(build));
    KiSetDescribeRoutine(describe_bug_check);
    status = start_verifier(verifier, FALSE);
    if (!NT_SUCCESS(status))
        goto fail_verifier;
    status = ObpInitializeProcesses();
    if (NT_SUCCESS(status)) {
        EmuEnterProcess(EmuSystemProcess());
        status = ObpInitializeNamespace();
    }
    if (NT_SUCCESS(status))
        status = CmpCreateRoot();
    if (NT_SUCCESS(status))
        status = load_mup();
    if (NT_SUCCESS(status))
        status = load_redirector();
    if (NT_SUCCESS(status) && o->NetWare)
        status = load_netware();
    if (NT_SUCCESS(status))
        status = start_verifier(verifier, TRUE);
    if (NT_SUCCESS(status))
        return STATUS_SUCCESS;
    snprintf(Error, ErrorSize, "the pools (%lu KB paged, %lu KB nonpaged) are too small to boot",
             (unsigned long)(paged >> 10), (unsigned long)(nonpaged >> 10));
    EmuMachineShutdown(NULL);
    return status;
fail_verifier:
    snprintf(Error, ErrorSize,
             status == STATUS_INVALID_PARAMETER ? "the verifier knows no such options"
                                                : "the host gave no address space for special pool");
    ExpShutdownVerifier();
    ExpShutdownPool();
    goto fail;
fail_host:
    snprintf(Error, ErrorSize, "the host gave no address space for the pools");
fail:
    stop_kernel(NULL);
    CmpForgetRegistry();
    __atomic_store_n(&running, 0, __ATOMIC_SEQ_CST);
    return status;
}

/* Only rows with something alive. */
static void keep_live_rows(EMU_POOL_SNAPSHOT *s)
{
    ULONG n = 0;

    for (ULONG i = 0; i < s->Count; i++)
        if (s->Uses[i].LiveBlocks)
            s->Uses[n++] = s->Uses[i];
    s->Count = n;
}

NTSTATUS EmuMachineShutdown(EMU_MACHINE_AUDIT *Audit)
{
    EMU_MACHINE_AUDIT audit = {0};
    EMU_POOL_COUNTS paged, nonpaged;
    BOOLEAN blocks_left;

    if (!__atomic_load_n(&running, __ATOMIC_SEQ_CST))
        return STATUS_INVALID_DEVICE_STATE;
    EmuEnterProcess(NULL);
    if (EmuSystemProcess()) {
        RdrShutdownUses();
        NwrStop();
        RdrStop();
        audit.Processes = ObpProcessCount();
        EmupNoteHandles(&audit);
        ObpShutdownProcesses();
    }
    if (netware)
        IoDeleteDriver(netware);
    if (redirector)
        IoDeleteDriver(redirector);
    if (mup)
        IoDeleteDriver(mup);
    netware = redirector = mup = NULL;
    stop_kernel(&audit);
    ObpDeleteSystemProcess();
    CmpDeleteRoot();
    ObpShutdownNamespace();
    EmupNoteObjects(&audit);
    audit.Irps = IopIrpCount();
    EmuPoolCounts(&paged, &nonpaged);
    blocks_left = paged.LiveBlocks || nonpaged.LiveBlocks;
    /* Without memory for the rows the counts still tell. */
    if (!NT_SUCCESS(EmuPoolTakeSnapshot(&audit.Pool)))
        audit.Pool = (EMU_POOL_SNAPSHOT){.Paged = paged, .NonPaged = nonpaged};
    keep_live_rows(&audit.Pool);
    ExpShutdownVerifier();
    ExpShutdownPool();
    EmupForgetObjects();
    IopForgetIrps();
    CmpForgetRegistry();
    __atomic_store_n(&running, 0, __ATOMIC_SEQ_CST);

    if (Audit)
        *Audit = audit;
    else
        EmuPoolFreeSnapshot(&audit.Pool);
    if (blocks_left)
        return STATUS_MEMORY_NOT_ALLOCATED;
    return audit.Handles || audit.Processes || audit.Threads || audit.WorkItems || audit.Timers || audit.Dpcs
               ? STATUS_HANDLES_CLOSED
               : STATUS_SUCCESS;
}
