/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * world.h - what a row of the table of creates happens in: a machine with three letters on the server "srv" (X: and Y:
 * on the share lab, R: on the read-only ro), another client of the same server, and files in the state that the row
 * asks for.
 *
 * With the server in memory each row gets a world of its own, whose end is a machine's shutdown with its audit. With
 * smbd the world stays and is put in order between rows.
 */
#ifndef RDRLAB_TESTS_CREATE_WORLD_H
#define RDRLAB_TESTS_CREATE_WORLD_H

#include "files.h"
#include "table.h"

#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

#define WORLD_OPENED 8 /* files that a state may hold open */

struct world {
    struct smb_fixture fixture;
    struct client other; /* connected when somebody asks for it */
    struct client_file other_opened[WORLD_OPENED];
    HANDLE opened[WORLD_OPENED];
    int other_count, count;
    bool running;
};

/* Brings server and machine up. Returns what smb_fixture_start returns. */
int world_start(struct world *world, const char *peer, const char *worker, const char *build);
/* Ends both, and fails the test unless the machine kept exactly `blocks` pool blocks and nothing else. */
void world_stop(struct world *world, int blocks);

/* Ends what a row that failed has left, without a further word. */
void world_abandon(struct world *world);

/* Makes the files anew (smbd), and what the words of row->state say. Fails the test if that cannot be. */
void world_prepare(struct world *world, const struct create_row *row);
/* Closes what world_prepare opened, and waits until the server has closed it too. */
void world_settle(struct world *world);

/* The row's NtCreateFile. */
NTSTATUS world_create(const struct create_row *row, HANDLE *file, IO_STATUS_BLOCK *io);

/* What the file t has become, in the words of the column "then". */
bool world_is(struct world *world, const char *then);

#endif
