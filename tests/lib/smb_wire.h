/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smb_wire.h - a relay in front of an SMB server that counts what clients ask it, so that a test can say how many
 * requests something really takes. Knows SMB1 and SMB2+, compounds included; sessions must not be encrypted.
 */
#ifndef TESTS_SMB_WIRE_H
#define TESTS_SMB_WIRE_H

#include <stdbool.h>
#include <stdint.h>

struct smb_wire;

/* Requests by kind, whatever the dialect calls them. Echo and KeepAlive are not counted in all, but for themselves. */
struct smb_wire_counts {
    unsigned all, creates, closes, echoes;
};

/* Start relaying from a free port of 127.0.0.1 to server_port there. NULL: it cannot (errno says). */
struct smb_wire *smb_wire_start(uint16_t server_port);
uint16_t smb_wire_port(const struct smb_wire *wire);

/* What has passed since the start. A request that was answered has been counted. */
struct smb_wire_counts smb_wire_read(struct smb_wire *wire);

/* End a connection, if it stands: the one that was made as number, from 0 on. Both ends know when this returns. */
void smb_wire_cut(struct smb_wire *wire, unsigned number);

void smb_wire_stop(struct smb_wire *wire);

#endif
