/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes where the machine is: the kernel's own. */
#include "process_machine.h"

#include "link.h"

#include <stdlib.h>

struct process *process_create(ULONG session)
{
    struct process *process = calloc(1, sizeof(*process));

    if (!process)
        return NULL;
    process->machine = EmuCreateProcess(session);
    if (process->machine)
        return process;
    free(process);
    return NULL;
}

void process_delete(struct process *process)
{
    EmuDeleteProcess(process->machine);
    free(process);
}

NTSTATUS process_open(struct peer *peer, ULONG session, struct process **ret_process)
{
    struct process *process;

    if (session && !EmuBuildHasSessions(EmuMachineBuild()))
        return STATUS_NOT_SUPPORTED;
    process = process_create(session);
    if (!process)
        return STATUS_INSUFFICIENT_RESOURCES;
    *ret_process = process;
    return STATUS_SUCCESS;
}

void process_close(struct peer *peer, struct process *process)
{
    if (!process)
        return;
    if (peer->owner == peer)
        process_delete(process);
    else
        link_leave(peer, process);
}

void process_enter(struct process *process)
{
    EmuEnterProcess(process ? process->machine : NULL);
}

void process_cancel(struct process *process)
{
    EmuCancelProcessIo(process->machine);
}

uint32_t process_letters(struct process *process)
{
    PEPROCESS mine = EmuEnterProcess(process->machine);
    uint32_t letters = EmuUseLetters();

    EmuEnterProcess(mine);
    return letters;
}

void process_close_handle(HANDLE handle)
{
    NtClose(handle);
}
