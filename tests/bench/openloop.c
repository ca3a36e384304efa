/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * openloop - open and close a file on a share through plain libsmbclient, for some seconds: what the redirector is
 * measured against. GPL because it links libsmbclient.
 *
 *   openloop smb://HOST:PORT/SHARE/FILE USER PASSWORD_FILE SECONDS [DIALECT [again]]
 *
 * Prints "open opens=N seconds=X rate=X", as createbench.exe does. With "again" it says "ready" when it has connected,
 * and then does so once for every line that it is given.
 */
#include <fcntl.h>
#include <libsmbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char password[256];
static const char *user;

static void authenticate(SMBCCTX *context, const char *server, const char *share, char *workgroup, int workgroup_size,
                         char *name, int name_size, char *secret, int secret_size)
{
    snprintf(name, (size_t)name_size, "%s", user);
    snprintf(secret, (size_t)secret_size, "%s", password);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_and_close(SMBCCTX *context, const char *url)
{
    SMBCFILE *file = smbc_getFunctionOpen(context)(context, url, O_RDONLY, 0);

    return file && smbc_getFunctionClose(context)(context, file) == 0;
}

static int read_password(const char *path)
{
    FILE *file = fopen(path, "r");

    if (!file || !fgets(password, sizeof password, file)) {
        perror(path);
        return 0;
    }
    fclose(file);
    password[strcspn(password, "\n")] = 0;
    return 1;
}

static int loop(SMBCCTX *context, const char *url, double limit)
{
    double start = now(), seconds;
    long opens = 0;

    for (; now() - start < limit; opens++)
        if (!open_and_close(context, url)) {
            perror(url);
            return 1;
        }
    seconds = now() - start;
    printf("open opens=%ld seconds=%.3f rate=%.0f\n", opens, seconds, (double)opens / seconds);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    const char *dialect = argc > 5 ? argv[5] : "SMB3_11";
    int again = argc > 6 && strcmp(argv[6], "again") == 0, rc;
    SMBCCTX *context;
    char line[8];

    if (argc < 5) {
        fprintf(stderr, "usage: openloop smb://HOST:PORT/SHARE/FILE USER PASSWORD_FILE SECONDS [DIALECT [again]]\n");
        return 2;
    }
    user = argv[2];
    if (!read_password(argv[3]))
        return 2;
    context = smbc_new_context();
    if (!context)
        return 1;
    smbc_setFunctionAuthDataWithContext(context, authenticate);
    smbc_setOptionNoAutoAnonymousLogin(context, 1);
    smbc_setOptionProtocols(context, dialect, dialect);
    if (!smbc_init_context(context) || !open_and_close(context, argv[1])) {
        perror(argv[1]);
        return 1;
    }
    if (again) {
        puts("ready");
        fflush(stdout);
    }
    do
        rc = again && !fgets(line, sizeof line, stdin) ? -1 : loop(context, argv[1], atof(argv[4]));
    while (again && rc == 0);
    smbc_free_context(context, 1);
    return rc > 0;
}
