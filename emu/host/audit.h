/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* audit.h - the report of a machine's life and of what its shutdown found. */
#ifndef RDRLAB_HOST_AUDIT_H
#define RDRLAB_HOST_AUDIT_H

#include <stdbool.h>

#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

#include "smb/smb.h"

/* What the machine cannot be asked any more once it is down. */
struct audit {
    char build[32];
    char transport[96];
    ULONG64 creates, failed_creates;
    uint64_t clients;                /* ever */
    EMU_POOL_COUNTS paged, nonpaged; /* just before shutdown */
    EMU_BUG_CHECK bug_check;         /* Code 0: none */
    bool shut_down;                  /* machine below is filled */
    EMU_MACHINE_AUDIT machine;
};

/* Reads what a running machine tells. */
void audit_collect(struct audit *audit);

/* Whether nothing was left and nothing stopped the machine. */
bool audit_is_clean(const struct audit *audit);

/*
 * audit_write - the report as JSON, to a file descriptor that stays open.
 *   backend  its requests are counted in the report; NULL: none.
 *   Returns  true, or false with errno set.
 */
bool audit_write(const struct audit *audit, const struct smb_backend *backend, int fd);

#endif
