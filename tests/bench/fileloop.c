/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fileloop - reads, writes and lists in a folder of a share through plain libsmbclient: what the redirected drive is
 * measured against, and the same as tests/wine/filebench.c does there. GPL because it links libsmbclient.
 *
 *   fileloop smb://HOST:PORT/SHARE[/FOLDER] USER PASSWORD_FILE DIALECT WHAT=COUNT...
 *
 * WHAT and the output as in filebench.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#define BLOCK 65536u
#define SMALL 4096u

/* As in filebench.c. */
#define IN_A_FOLDER      50
#define UNPACKED_SIZE(i) (500u + (unsigned)(i) % 64 * 100)
#define UNPACKED_TIME    1096632000

static SMBCCTX *context;
static const char *folder, *user;
static char password[256], url[4096];
static unsigned char buffer[BLOCK];

static void authenticate(SMBCCTX *smb, const char *server, const char *share, char *workgroup, int workgroup_size,
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

static int fail(const char *what)
{
    fprintf(stderr, "fileloop: %s %s: %s\n", what, url, strerror(errno));
    return 3;
}

static void tell(const char *what, int count, double start, double amount)
{
    double seconds = now() - start;

    printf("%s count=%d seconds=%.3f rate=%.1f\n", what, count, seconds, amount / seconds);
}

static SMBCFILE *open_big(int flags)
{
    snprintf(url, sizeof url, "%s/big.bin", folder);
    return smbc_getFunctionOpen(context)(context, url, flags, 0666);
}

static void close_file(SMBCFILE *file)
{
    smbc_getFunctionClose(context)(context, file);
}

static int do_write(int blocks)
{
    SMBCFILE *file = open_big(O_WRONLY | O_CREAT | O_TRUNC);
    double start = now();

    if (!file)
        return fail("create");
    for (int i = 0; i < blocks; i++) {
        memset(buffer, i, 16);
        if (smbc_getFunctionWrite(context)(context, file, buffer, BLOCK) != BLOCK)
            return fail("write");
    }
    close_file(file);
    tell("write", blocks, start, blocks / 16.0);
    return 0;
}

static int do_read(int blocks)
{
    SMBCFILE *file = open_big(O_RDONLY);
    double start = now();

    if (!file)
        return fail("open");
    for (int i = 0; i < blocks; i++)
        if (smbc_getFunctionRead(context)(context, file, buffer, BLOCK) != BLOCK || buffer[0] != (unsigned char)i)
            return fail("read");
    close_file(file);
    tell("read", blocks, start, blocks / 16.0);
    return 0;
}

static int do_random(int count)
{
    SMBCFILE *file = open_big(O_RDONLY);
    unsigned place = 1;
    struct stat st;
    double start;

    if (!file || smbc_getFunctionFstat(context)(context, file, &st) != 0)
        return fail("open");
    start = now();
    for (int i = 0; i < count; i++) {
        off_t at;

        place = place * 1664525 + 1013904223;
        at = (place >> 4) % (st.st_size / SMALL) * SMALL;
        if (smbc_getFunctionLseek(context)(context, file, at, SEEK_SET) != at ||
            smbc_getFunctionRead(context)(context, file, buffer, SMALL) != SMALL)
            return fail("read at random");
    }
    close_file(file);
    tell("random", count, start, count);
    return 0;
}

static int do_list(int count)
{
    double start = now();
    SMBCFILE *listing;
    struct stat st;
    int names = 0;
    const struct libsmb_file_info *found;

    snprintf(url, sizeof url, "%s/many", folder);
    listing = smbc_getFunctionOpendir(context)(context, url);
    if (!listing)
        return fail("list");
    while ((found = smbc_getFunctionReaddirPlus2(context)(context, listing, &st)))
        names += found->name[0] != '.';
    smbc_getFunctionClosedir(context)(context, listing);
    if (names != count) {
        fprintf(stderr, "fileloop: %d names in %s, and not %d\n", names, url, count);
        return 3;
    }
    tell("list", count, start, count);
    return 0;
}

static int do_small(int count)
{
    double start = now();

    for (int i = 0; i < count; i++) {
        SMBCFILE *file;

        snprintf(url, sizeof url, "%s/many/f%05d", folder, i);
        file = smbc_getFunctionOpen(context)(context, url, O_RDONLY, 0);
        if (!file || smbc_getFunctionRead(context)(context, file, buffer, SMALL) <= 0)
            return fail("small file");
        close_file(file);
    }
    tell("small", count, start, count);
    return 0;
}

/* As in filebench.c; into url. */
static const char *unpacked(int i, bool is_folder)
{
    if (i < 0)
        snprintf(url, sizeof url, "%s/unpacked", folder);
    else if (is_folder)
        snprintf(url, sizeof url, "%s/unpacked/d%03d", folder, i / IN_A_FOLDER);
    else
        snprintf(url, sizeof url, "%s/unpacked/d%03d/f%05d.txt", folder, i / IN_A_FOLDER, i);
    return url;
}

/* The time goes before the attributes, as smbc_utimes takes those away: 0700 is FILE_ATTRIBUTE_ARCHIVE. */
static bool unpack_file(int i)
{
    SMBCFILE *file = smbc_getFunctionOpen(context)(context, unpacked(i, false), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    struct timeval times[2] = {{.tv_sec = UNPACKED_TIME}, {.tv_sec = UNPACKED_TIME}};
    bool ok;

    if (!file)
        return false;
    ok = smbc_getFunctionWrite(context)(context, file, buffer, UNPACKED_SIZE(i)) == (ssize_t)UNPACKED_SIZE(i);
    return smbc_getFunctionClose(context)(context, file) == 0 && ok &&
           smbc_getFunctionUtimes(context)(context, url, times) == 0 &&
           smbc_getFunctionChmod(context)(context, url, 0700) == 0;
}

static bool is_unpacked(int i)
{
    struct stat st;

    return smbc_getFunctionStat(context)(context, unpacked(i, false), &st) == 0 && st.st_size == UNPACKED_SIZE(i) &&
           st.st_mtime == UNPACKED_TIME && (st.st_mode & S_IXUSR);
}

static bool delete_unpacked(int count)
{
    bool ok = true;

    for (int i = 0; i < count && ok; i++)
        ok = smbc_getFunctionUnlink(context)(context, unpacked(i, false)) == 0;
    for (int i = 0; i < count && ok; i += IN_A_FOLDER)
        ok = smbc_getFunctionRmdir(context)(context, unpacked(i, true)) == 0;
    return ok && smbc_getFunctionRmdir(context)(context, unpacked(-1, true)) == 0;
}

static int do_unpack(int count)
{
    double start = now();

    if (smbc_getFunctionMkdir(context)(context, unpacked(-1, true), 0777) != 0)
        return fail("folder");
    for (int i = 0; i < count; i++)
        if ((i % IN_A_FOLDER == 0 && smbc_getFunctionMkdir(context)(context, unpacked(i, true), 0777) != 0) ||
            !unpack_file(i))
            return fail("unpack");
    tell("unpack", count, start, count);
    if (!is_unpacked(count - 1))
        return fail("what was unpacked");
    return delete_unpacked(count) ? 0 : fail("delete what was unpacked");
}

static int do_remove(int count)
{
    snprintf(url, sizeof url, "%s/big.bin", folder);
    return count && smbc_getFunctionUnlink(context)(context, url) == 0 ? 0 : fail("delete");
}

static const struct {
    const char *name;
    int (*run)(int count);
} what[] = {
    {"write", do_write}, {"read", do_read},     {"random", do_random}, {"list", do_list},
    {"small", do_small}, {"unpack", do_unpack}, {"remove", do_remove},
};

static int run(const char *argument)
{
    size_t length = strcspn(argument, "=");
    int count = argument[length] ? atoi(argument + length + 1) : 0;

    for (size_t i = 0; count > 0 && i < sizeof what / sizeof *what; i++)
        if (strlen(what[i].name) == length && strncmp(argument, what[i].name, length) == 0)
            return what[i].run(count);
    fprintf(stderr, "fileloop: write=N, read=N, random=N, list=N, small=N, unpack=N or remove=1 is meant, not %s\n",
            argument);
    return 1;
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

int main(int argc, char **argv)
{
    struct stat st;
    int status = 0;

    if (argc < 6) {
        fprintf(stderr, "usage: fileloop smb://HOST:PORT/SHARE[/FOLDER] USER PASSWORD_FILE DIALECT WHAT=COUNT...\n");
        return 1;
    }
    folder = argv[1];
    user = argv[2];
    if (!read_password(argv[3]))
        return 1;
    context = smbc_new_context();
    if (!context)
        return 1;
    smbc_setFunctionAuthDataWithContext(context, authenticate);
    smbc_setOptionNoAutoAnonymousLogin(context, 1);
    smbc_setOptionProtocols(context, argv[4], argv[4]);
    snprintf(url, sizeof url, "%s", folder);
    if (!smbc_init_context(context) || smbc_getFunctionStat(context)(context, url, &st) != 0)
        return fail("connect");
    for (int i = 5; i < argc && status == 0; i++)
        status = run(argv[i]);
    smbc_free_context(context, 1);
    return status;
}
