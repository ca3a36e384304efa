/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Servers in memory, so that a machine can be tried and tested without smbd: \\mem\lab, and \\short\third, which leaves
 * the padding of basic information away.
 */
#include "memshare.h"

#include "smb/mem.h"

#include <string.h>

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
    return backend;
}
