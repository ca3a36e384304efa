/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smbdclaims.h - claims of a Win32 program on a machine whose server is a smbd. \\srv\lab there has probe.txt and the
 * folder dir, as the share in memory does.
 */
#ifndef RDRLAB_TESTS_SMBDCLAIMS_H
#define RDRLAB_TESTS_SMBDCLAIMS_H

#include "claims.h"
#include "smb_fixture.h"

/* The smbd, while the test runs. */
extern struct smb_fixture fixture;

/* A machine whose own account is the smbd's user. */
void start_over_smbd(struct daemon *daemon);

/* run_over_smbd - the test, over a smbd of its own. argv: DIALECT WORKER. Returns what main returns. */
int run_over_smbd(char **argv, CMUnitTestFunction test);

#endif
