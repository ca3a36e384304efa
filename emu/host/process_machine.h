/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process_machine.h - a process of the machine in this process, for one client or for several connections of one. */
#ifndef RDRLAB_HOST_PROCESS_MACHINE_H
#define RDRLAB_HOST_PROCESS_MACHINE_H

#include "process.h"

struct process {
    PEPROCESS machine;
    uint32_t number;      /* of a link's: the relay's name for it */
    unsigned users;       /* host->lock: connections that act as it */
    struct process *next; /* host->lock: of a link's */
};

/* NULL: no memory. */
struct process *process_create(ULONG session);
void process_delete(struct process *process);

#endif
