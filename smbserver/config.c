/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.c - what a private smbd finds on disk.
 *
 * The settings that are not self-explanatory:
 *   interfaces = 127.0.0.1/8     "lo" would listen on ::1 too, which the port's reservation does not cover
 *   map to guest = Never         an unknown user is a logon failure, not a guest
 *   host msdfs = no              spares every client three requests while it connects, and NT 4.0 had no DFS root here
 *   unix extensions = no         an NT server has none, and clients take other paths when they see them
 *   case sensitive = no          the default asks NT1 clients, and libsmbclient says that names are
 *   server multi channel = no    one client, one connection
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_folder(const char *what, const char *path, size_t max, char *error, size_t size)
{
    struct stat st;

    if (path == NULL || path[0] == '\0') {
        snprintf(error, size, "no %s given", what);
        return -EINVAL;
    }
    if (strlen(path) > max) {
        snprintf(error, size, "the %s is too long (%zu bytes, at most %zu): %s", what, strlen(path), max, path);
        return -EINVAL;
    }
    /* smb.conf expands %, trims spaces and quotes, and continues a line after a backslash. */
    if (path[0] != '/' || strpbrk(path, "%\n\r\"\\") != NULL || path[strlen(path) - 1] == ' ') {
        snprintf(error, size, "the %s must be an absolute path that smb.conf can hold, without %% \" \\: %s", what,
                 path);
        return -EINVAL;
    }
    if (stat(path, &st) != 0) {
        int saved = errno;

        snprintf(error, size, "the %s %s: %s", what, path, strerror(saved));
        return -saved;
    }
    if (!S_ISDIR(st.st_mode)) {
        snprintf(error, size, "the %s is not a folder: %s", what, path);
        return -ENOTDIR;
    }
    return 0;
}

static int check_protocol(const char *protocol, char *error, size_t size)
{
    static const char *const known[] = {"NT1",     "SMB2_02", "SMB2_10", "SMB2",     "SMB3_00", "SMB3_02",
                                        "SMB3_11", "SMB3",    "CORE",    "COREPLUS", "LANMAN1", "LANMAN2"};

    if (protocol == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], protocol) == 0)
            return 0;
    }
    snprintf(error, size, "unknown dialect \"%s\": NT1, SMB2_02, SMB2_10, SMB3_00, SMB3_02 or SMB3_11", protocol);
    return -EINVAL;
}

int smbserver_check_options(const struct smbserver_options *options, char *error, size_t size)
{
    int rc;

    rc = check_folder("server's folder", options->dir, SMBSERVER_DIR_MAX, error, size);
    if (rc == 0)
        rc = check_folder("shared folder", options->share_dir, 4000, error, size);
    if (rc == 0)
        rc = check_protocol(options->min_protocol, error, size);
    if (rc == 0)
        rc = check_protocol(options->max_protocol, error, size);
    if (rc == 0 && options->max_open_files != 0 && options->max_open_files < 200) {
        snprintf(error, size, "max open files %u: smbd ends at once below about 100; at least 200",
                 options->max_open_files);
        rc = -EINVAL;
    }
    return rc;
}

static int write_password(const char *dir, const char *password)
{
    char path[SMBSERVER_DIR_MAX + 16];
    int fd, rc = 0;

    snprintf(path, sizeof(path), "%s/password", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    /* The file may be an older one of ours, with any mode. */
    if (fchmod(fd, 0600) != 0 || dprintf(fd, "%s\n", password) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

static int write_smb_conf(const struct smbserver_options *options, uint16_t port, const char *user)
{
    char path[SMBSERVER_DIR_MAX + 16];
    const char *dir = options->dir;
    FILE *file;
    int rc = 0;

    snprintf(path, sizeof(path), "%s/smb.conf", dir);
    file = fopen(path, "we");
    if (file == NULL)
        return -errno;
    fprintf(file,
            "[global]\n"
            "server role = standalone server\n"
            "security = user\n"
            "workgroup = TESTBED\n"
            "netbios name = TESTSRV\n"
            "interfaces = 127.0.0.1/8\n"
            "bind interfaces only = yes\n"
            "smb ports = %u\n"
            "disable netbios = yes\n"
            "disable spoolss = yes\n"
            "load printers = no\n"
            "printcap name = /dev/null\n"
            "printing = bsd\n"
            "usershare path =\n"
            "log level = 1\n"
            "max log size = 0\n"
            "map to guest = Never\n"
            "guest account = %s\n"
            "host msdfs = no\n"
            "unix extensions = no\n"
            "case sensitive = no\n"
            "stat cache = no\n" /* it gives a new file the spelling of one that is gone */
            "server multi channel support = no\n"
            "server smb encrypt = off\n"
            "server min protocol = %s\n"
            "server max protocol = %s\n",
            port, user, options->min_protocol != NULL ? options->min_protocol : "NT1",
            options->max_protocol != NULL ? options->max_protocol : "SMB3_11");
    fprintf(file,
            "passdb backend = tdbsam:%s/private/passdb.tdb\n"
            "private dir = %s/private\n"
            "lock directory = %s/lock\n"
            "state directory = %s/state\n"
            "cache directory = %s/cache\n"
            "pid directory = %s/pid\n"
            "ncalrpc dir = %s/ncalrpc\n"
            "binddns dir = %s/private\n"
            "log file = %s/log/log.%%m\n",
            dir, dir, dir, dir, dir, dir, dir, dir, dir);
    if (options->max_open_files != 0)
        fprintf(file, "max open files = %u\n", options->max_open_files);
    if (options->extra != NULL)
        fputs(options->extra, file);
    for (int i = 0; i < 2; i++)
        fprintf(file, "[%s]\npath = %s\nread only = %s\nguest ok = no\nvalid users = %s\n", i == 0 ? "lab" : "ro",
                options->share_dir, i == 0 ? "no" : "yes", user);
    if (ferror(file))
        rc = -EIO;
    if (fclose(file) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

int smbserver_write_config(const struct smbserver_options *options, uint16_t port, const char *user,
                           const char *password, char *error, size_t size)
{
    static const char *const folders[] = {"private", "lock", "state", "cache", "pid", "ncalrpc", "log"};
    char path[SMBSERVER_DIR_MAX + 16];
    int rc = 0;

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && rc == 0; i++) {
        snprintf(path, sizeof(path), "%s/%s", options->dir, folders[i]);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            rc = -errno;
    }
    if (rc == 0)
        rc = write_password(options->dir, password);
    if (rc == 0)
        rc = write_smb_conf(options, port, user);
    if (rc != 0)
        snprintf(error, size, "cannot write the server's files below %s: %s", options->dir, strerror(-rc));
    return rc;
}
