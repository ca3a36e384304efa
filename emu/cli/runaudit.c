/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* runaudit.c - what programs have left on a machine. See runaudit.h. */
#include "runaudit.h"
#include "audit.h"
#include "inspect.h"
#include "lab.h"
#include "process.h"
#include "rdrlab.h"

#include <inttypes.h>

/* Wine ends a program's last process, and with it the connection to the machine, a moment after its exit status is
 * known: on a busy system a long one. */
#define END_TIMEOUT_MS 20000

static int look(struct wire_client *client, struct wire_machine *machine)
{
    struct inspection inspection;
    int rc = inspect(client, &inspection);

    if (rc == 0) {
        *machine = inspection.machine;
        inspection_free(&inspection);
    }
    return rc;
}

/* We are a client, too. */
static int check_programs(const char *machine_dir)
{
    uint64_t deadline = process_now_ms() + END_TIMEOUT_MS;
    struct wire_machine machine = {0};
    struct wire_client *client;
    int rc = inspect_connect(machine_dir, &client);

    if (rc != 0)
        return rc;
    do {
        rc = look(client, &machine);
    } while (rc == 0 && (machine.clients > 1 || machine.open_tokens > 0) && process_now_ms() < deadline &&
             process_pause(5) == 0);
    wire_disconnect(client);
    if (rc == 0 && (machine.clients > 1 || machine.open_tokens > 0))
        rc = complain(EXIT_NOT_AS_EXPECTED, "--audit: %u processes and %u open files are still there",
                      machine.clients - 1, machine.open_tokens);
    return rc;
}

int run_audit(struct machine *machine)
{
    struct machine_audit audit;
    int rc, found;

    if (machine->pid <= 0)
        return 0;
    found = check_programs(machine->dir);
    rc = machine_shut_down(machine, &audit);
    if (rc != 0)
        return rc;
    if (audit.stop_code != 0)
        return EXIT_NOT_AS_EXPECTED; /* which has been told */
    if (audit.handles + audit.processes + audit.objects + audit.irps != 0)
        found = complain(EXIT_NOT_AS_EXPECTED,
                         "--audit: at shutdown there were %" PRIu64 " handles, %" PRIu64 " processes, %" PRIu64
                         " objects and %" PRIu64 " IRPs left",
                         audit.handles, audit.processes, audit.objects, audit.irps);
    if (audit.paged_blocks + audit.nonpaged_blocks != 0)
        found = complain(EXIT_NOT_AS_EXPECTED,
                         "--audit: at shutdown there were %" PRIu64 " B of paged pool in %" PRIu64
                         " blocks and %" PRIu64 " B of nonpaged in %" PRIu64 " blocks left",
                         audit.paged_bytes, audit.paged_blocks, audit.nonpaged_bytes, audit.nonpaged_blocks);
    return found;
}
