/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connections.h - what this process's session is connected to, as the machine lists it. */
#ifndef RDRLAB_CONNECTIONS_H
#define RDRLAB_CONNECTIONS_H

#include <stddef.h>

#include "services.h"

struct connection {
    WCHAR letter;  /* 'X'; 0: connected for a name without one */
    WCHAR *remote; /* \\server\share */
    WCHAR *user;   /* "": anonymous */
    size_t server; /* characters of remote up to the end of the server's name */
};

struct connections {
    struct connection *rows;
    size_t count;
    void *text; /* what remote points into */
};

/*
 * connections_list - all of them at this moment.
 *   ret_list  out on success. Free with connections_free.
 *   Returns   STATUS_SUCCESS, STATUS_NO_MEMORY, call_begin's and call_exchange's.
 */
NTSTATUS connections_list(struct connections *ret_list);
void connections_free(struct connections *list);

#endif
