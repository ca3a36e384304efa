/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smbdclaims.c - claims over a smbd. See smbdclaims.h. */
#include "smbdclaims.h"

#include <stdio.h>

struct smb_fixture fixture;
static const char *worker;

void start_over_smbd(struct daemon *daemon)
{
    char server[32];
    const char *const arguments[] = {"--backend",
                                     "smbc",
                                     "--worker",
                                     worker,
                                     "--server",
                                     server,
                                     "--dialect",
                                     fixture.peer,
                                     "--build",
                                     "nt4-sp6",
                                     "--user",
                                     smbserver_user(fixture.server),
                                     "--timeout",
                                     "120", /* a server may be silent for as long as a program takes */
                                     "--password-file",
                                     smbserver_password_file(fixture.server),
                                     NULL};

    snprintf(server, sizeof(server), "srv=127.0.0.1:%u", fixture.target.port);
    daemon_start(daemon, arguments);
}

int run_over_smbd(char **argv, CMUnitTestFunction test)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test)};
    int rc = winelab_try();

    worker = argv[1];
    if (rc == 0)
        rc = smb_fixture_start(&fixture, argv[0], worker);
    if (rc != 0)
        return rc;
    smb_fixture_add(&fixture, "probe.txt", "rdrlab probe\n");
    smb_fixture_add(&fixture, "dir", NULL);
    rc = cmocka_run_group_tests(tests, open_lab, close_lab);
    smb_fixture_stop(&fixture);
    return rc;
}
