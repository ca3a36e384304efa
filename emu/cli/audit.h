/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* audit.h - what a machine found when it was shut down, as rdrlabd --report wrote it. */
#ifndef RDRLAB_AUDIT_H
#define RDRLAB_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

struct machine_audit {
    int exit_status; /* rdrlabd's */
    uint64_t handles, processes, objects, irps;
    uint64_t paged_blocks, paged_bytes; /* still allocated */
    uint64_t nonpaged_blocks, nonpaged_bytes;
    unsigned stop_code; /* bug check, or 0 */
};

/* False: there is no such file, or it is no report. */
bool audit_read(const char *path, struct machine_audit *ret_audit);

#endif
