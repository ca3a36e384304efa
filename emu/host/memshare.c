/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Servers in memory, so that a machine can be tried and tested without smbd: \\mem\lab; \\short\third, which leaves the
 * padding of basic information away; and \\dead, which nobody answers for.
 */
#include "memshare.h"

#include <ntemu/clock.h>
#include <ntemu/ntifs.h>
#include <string.h>

#include "smb/fault.h"
#include "smb/mem.h"

#define TIME_OUT 505000000LL /* 50.5 s: "about 50 seconds for each unsuccessful attempted connection" (Q242528) */

/* Of the machine's time, which stands still while a server is asked. */
static void time_out(void)
{
    LARGE_INTEGER interval = {.QuadPart = -TIME_OUT};

    EmuClockRelease();
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    EmuClockHold();
}

static struct smb_backend *add_dead_server(struct smb_backend *backend)
{
    struct smb_backend *all = smb_fault_backend(backend);

    if (all)
        smb_fault_unreachable(all, "dead", time_out);
    else
        smb_backend_free(backend);
    return all;
}

struct smb_backend *memshare_backend(const char *user, const char *password)
{
    static const char text[] = "rdrlab probe\n";
    UNICODE_STRING file = NT_STRING(u"probe.txt"), folder = NT_STRING(u"dir");
    struct smb_backend *backend = smb_mem_backend();

    if (!backend)
        return NULL;
    if ((user && smb_mem_set_user(backend, user, password ? password : "") != STATUS_SUCCESS) ||
        smb_mem_add_share(backend, "mem", 0, "lab", FALSE) != STATUS_SUCCESS ||
        smb_mem_add_share(backend, "short", 0, "third", FALSE) != STATUS_SUCCESS ||
        smb_mem_add(backend, "third", &file, text, strlen(text)) != STATUS_SUCCESS ||
        smb_mem_add(backend, "lab", &file, text, strlen(text)) != STATUS_SUCCESS ||
        smb_mem_add(backend, "lab", &folder, NULL, 0) != STATUS_SUCCESS) {
        smb_backend_free(backend);
        return NULL;
    }
    smb_mem_set_left_out(backend, "short", 0, 4);
    return add_dead_server(backend);
}
