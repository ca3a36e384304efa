/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_ntdiffer.c - the same random Win32 calls in a local folder and on X:, over a machine to a real smbd.
 * usage: test_ntdiffer WORKER [ntdiffer's options]
 *        test_ntdiffer document            print docs/win32-differences.md
 *        test_ntdiffer documented FILE     whether it is that
 *
 * Environment: as test_wine.c. RDRLAB_SOAK: a million calls, and an explanation that served not once is a failure.
 */
#include "daemon.h"
#include "differ.h"
#include "smb_fixture.h"
#include "winelab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIALECT       "SMB3_11"
#define DOCUMENT_MAX  65536
#define OPTIONS_MAX   7
#define SHORT_SECONDS 240
#define SOAK_SECONDS  7200

static struct {
    const char *worker;
    char *const *options;
    struct smb_fixture fixture;
    struct daemon daemon;
    struct winelab lab;
    struct program program; /* large */
} run;

/* What was green stays green; the long form looks for what is new. */
#define SHORT_SEED "235425"

static bool soaks(void)
{
    return getenv("RDRLAB_SOAK") != NULL;
}

static void prepare(void)
{
    static char user[128];
    int count = 0;

    snprintf(user, sizeof(user), "/user:%s", run.fixture.target.user);
    run.program.argv[count++] = winelab_program(&run.lab, "emu/win32/rdrlabrun.exe");
    run.program.argv[count++] = "/map:X:=//srv/lab";
    run.program.argv[count++] = user;
    run.program.argv[count++] = winelab_program(&run.lab, "tests/wine/differ/ntdiffer.exe");
    run.program.argv[count++] = "C:\\differ";
    run.program.argv[count++] = "X:\\differ";
    if (*run.options) {
        for (int i = 0; i < OPTIONS_MAX && run.options[i]; i++)
            run.program.argv[count++] = run.options[i];
    } else {
        run.program.argv[count++] = "--threads";
        run.program.argv[count++] = soaks() ? "4" : "2";
        run.program.argv[count++] = "--calls";
        run.program.argv[count++] = soaks() ? "1000000" : "20000";
        if (soaks()) {
            run.program.argv[count++] = "--soak";
        } else {
            run.program.argv[count++] = "--seed";
            run.program.argv[count++] = SHORT_SEED;
        }
    }
    run.program.machine = run.daemon.folder;
    run.program.password_file = smbserver_password_file(run.fixture.server);
}

static void test_every_difference_is_explained(void **state)
{
    (void)state;
    prepare();
    assert_true(winelab_run(&run.lab, &run.program, soaks() ? SOAK_SECONDS : SHORT_SECONDS));
    fputs(run.program.output, stdout); /* more than CMocka prints at once */
    fputs(run.program.error, stderr);
    assert_int_equal(run.program.status, 0);
}

/* Everything was closed and removed. */
static void test_nothing_is_left(void **state)
{
    struct way way = {daemon_connect(&run.daemon, 0), NULL};

    (void)state;
    await_machine(&way, 1, 0);
    wire_disconnect(way.client);
    assert_int_equal(smbserver_open_files(run.fixture.server, run.fixture.share_dir), 0);
}

static int start_world(void **state)
{
    char server[32];
    const char *const arguments[] = {"--backend", "smbc",  "--worker", run.worker, "--server", server,
                                     "--dialect", DIALECT, "--build",  "nt4-sp6",  NULL};

    (void)state;
    if (smb_fixture_start(&run.fixture, DIALECT, run.worker) != 0)
        return -1;
    snprintf(server, sizeof(server), "srv=127.0.0.1:%u", run.fixture.target.port);
    daemon_start(&run.daemon, arguments);
    return winelab_open(&run.lab) ? 0 : -1;
}

static int stop_world(void **state)
{
    int status = -1;

    (void)state;
    winelab_close(&run.lab);
    if (run.daemon.pid)
        status = daemon_stop(&run.daemon);
    if (run.fixture.server)
        smb_fixture_stop(&run.fixture);
    return status == 0 ? 0 : -1;
}

/* Found out before CMocka, which knows no exit status 77. */
static int try_peers(void)
{
    struct smb_fixture fixture;
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    rc = smb_fixture_start(&fixture, DIALECT, run.worker);
    if (rc == 0)
        smb_fixture_stop(&fixture);
    return rc;
}

/* ---- the document ---- */

static int check_document(const char *path)
{
    static char is[DOCUMENT_MAX], should_be[DOCUMENT_MAX];
    FILE *file = fopen(path, "re");

    if (file) {
        is[fread(is, 1, sizeof(is) - 1, file)] = '\0';
        fclose(file);
    }
    explanations_document(should_be, sizeof(should_be));
    if (strcmp(is, should_be) == 0)
        return 0;
    fprintf(stderr, "%s is stale: test_ntdiffer document makes it\n", path);
    return 1;
}

static int print_document(void)
{
    static char text[DOCUMENT_MAX];

    explanations_document(text, sizeof(text));
    return fputs(text, stdout) < 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_difference_is_explained),
        cmocka_unit_test(test_nothing_is_left),
    };
    int rc;

    if (argc == 2 && strcmp(argv[1], "document") == 0)
        return print_document();
    if (argc == 3 && strcmp(argv[1], "documented") == 0)
        return check_document(argv[2]);
    if (argc < 2 || argc > 2 + OPTIONS_MAX) {
        fprintf(stderr, "usage: %s WORKER [OPTIONS OF NTDIFFER] | document | documented FILE\n", argv[0]);
        return 2;
    }
    run.worker = argv[1];
    run.options = argv + 2;
    rc = try_peers();
    if (rc != 0)
        return rc;
    return cmocka_run_group_tests(tests, start_world, stop_world) != 0;
}
