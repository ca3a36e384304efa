/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - a client of the fixture's server that hides nothing, whichever server that is: smb.h on the one in memory,
 * the tests' own client (ntclient.h) on smbd. Each is a session of its own.
 */
#ifndef RDRLAB_TESTS_CREATE_CLIENT_H
#define RDRLAB_TESTS_CREATE_CLIENT_H

#include "ntclient.h"
#include "smb_fixture.h"

struct client {
    struct smb_connection *mem; /* one of the two */
    struct nt_client *smbd;
};

struct client_file {
    smb_file mem;
    struct nt_file smbd;
    ULONG action, attributes; /* FILE_OPENED...; of the file */
    ULONGLONG size;
};

/* Connects to "lab" or "ro", or fails the test. */
void client_connect(struct client *client, const struct smb_fixture *fixture, const char *share);
/* Accepts one that was never connected. */
void client_disconnect(struct client *client);

/* One create, as it is given. *file only on success. */
NTSTATUS client_create(struct client *client, const UNICODE_STRING *path, const struct nt_create *create,
                       struct client_file *file);
void client_close(struct client *client, const struct client_file *file);
/* Orders the deletion of what is open, to happen with the last close. The one in memory wants the path for it. */
NTSTATUS client_delete(struct client *client, const struct client_file *file, const UNICODE_STRING *path);

#endif
