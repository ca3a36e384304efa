/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wineprefix.c - a private Wine per lab. See wineprefix.h. */
#include "wineprefix.h"
#include "files.h"
#include "process.h"
#include "rdrlab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Counts up when what is done to a fresh prefix changes: an older original is then made anew. */
#define ORIGINAL_RECIPE "3"

/* Where Debian's Wine notes its socket's folder. */
#define SOCKET_NOTE "wineserver"

#define CREATE_TIMEOUT_MS 180000
#define START_TIMEOUT_MS  60000

/* What mpr.dll reads to find network providers, and kernelbase.dll to find performance counters; observed in Wine 8, 9
 * and
 * 10. Name is mandatory there. */
static const char provider_registration[] =
    "REGEDIT4\n\n"
    "[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Control\\NetworkProvider\\Order]\n"
    "\"ProviderOrder\"=\"rdrlabnp\"\n\n"
    "[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\rdrlabnp\\NetworkProvider]\n"
    "\"Name\"=\"Microsoft Windows Network\"\n"
    "\"ProviderPath\"=\"C:\\\\windows\\\\system32\\\\rdrlabnp.dll\"\n\n"
    "[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\rdrlabnp\\Performance]\n"
    "\"Library\"=\"C:\\\\windows\\\\system32\\\\rdrlabnp.dll\"\n"
    "\"Open\"=\"RdrlabPerfOpen\"\n"
    "\"Collect\"=\"RdrlabPerfCollect\"\n"
    "\"Close\"=\"RdrlabPerfClose\"\n"
    "\"Object List\"=\"4\"\n";

static bool version_at_least(const char *found, const char *minimum)
{
    int major = 0, minor = 0, wanted_major = 0, wanted_minor = 0;

    sscanf(found, "%d.%d", &major, &minor);
    sscanf(minimum, "%d.%d", &wanted_major, &wanted_minor);
    return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
}

int wine_find(struct wine *ret_wine)
{
    static const char *const quiet[] = {"WINEDEBUG=-all", NULL};
    struct wine wine = {0};
    char *argv[] = {wine.loader, "--version", NULL};
    int rc;

    if (process_find_program("wine", wine.loader, sizeof(wine.loader)) != 0)
        return complain(EXIT_ENVIRONMENT, "Wine is not installed: no program \"wine\" in PATH");
    if (process_find_program("wineserver", wine.server, sizeof(wine.server)) != 0)
        return complain(EXIT_ENVIRONMENT, "Wine is incomplete: no program \"wineserver\" in PATH beside %s",
                        wine.loader);
    rc = process_output(argv, quiet, wine.full_version, sizeof(wine.full_version));
    wine.full_version[strcspn(wine.full_version, "\r\n")] = '\0';
    if (rc == -EINTR)
        return EXIT_INTERRUPTED;
    if (rc != 0 || strncmp(wine.full_version, "wine-", 5) != 0)
        return complain(EXIT_ENVIRONMENT, "%s does not say which Wine it is (\"%s\")", wine.loader, wine.full_version);
    snprintf(wine.version, sizeof(wine.version), "%.*s", (int)strcspn(wine.full_version, " "), wine.full_version);
    if (!version_at_least(wine.version + 5, WINE_MINIMUM))
        return complain(EXIT_ENVIRONMENT, "%s is %s; Wine " WINE_MINIMUM " or newer is needed", wine.loader,
                        wine.version);
    *ret_wine = wine;
    return 0;
}

/* ---- files ---- */

static int copy_link(const char *from, const char *to)
{
    char target[PATH_MAX];
    ssize_t length = readlink(from, target, sizeof(target) - 1);

    if (length < 0)
        return -errno;
    target[length] = '\0';
    return symlink(target, to) == 0 ? 0 : -errno;
}

/* Folders are made, what lies below drive_c/windows is linked to, everything else is copied. */
static int copy_tree(const char *from, const char *to, bool below_windows)
{
    char source[PATH_MAX], target[PATH_MAX];
    struct dirent *entry;
    DIR *dir = opendir(from);
    int rc = 0;

    if (dir == NULL)
        return -errno;
    if (mkdir(to, 0700) != 0)
        rc = -errno;
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            strcmp(entry->d_name, SOCKET_NOTE) == 0)
            continue;
        if ((size_t)snprintf(source, sizeof(source), "%s/%s", from, entry->d_name) >= sizeof(source) ||
            (size_t)snprintf(target, sizeof(target), "%s/%s", to, entry->d_name) >= sizeof(target))
            rc = -ENAMETOOLONG;
        else if (lstat(source, &info) != 0)
            rc = -errno;
        else if (S_ISDIR(info.st_mode))
            rc = copy_tree(source, target, below_windows || strcmp(entry->d_name, "windows") == 0);
        else if (S_ISLNK(info.st_mode))
            rc = copy_link(source, target);
        else if (S_ISREG(info.st_mode) && below_windows)
            rc = symlink(source, target) == 0 ? 0 : -errno;
        else if (S_ISREG(info.st_mode))
            rc = file_copy(source, target);
    }
    closedir(dir);
    return rc;
}

/* ---- running ---- */

static void add_variable(struct wineprefix *prefix, const char *variable)
{
    prefix->environment[prefix->environment_count++] = variable;
    prefix->environment[prefix->environment_count] = NULL;
}

static void set_environment(struct wineprefix *prefix)
{
    const char *debug = getenv("RDRLAB_WINEDEBUG");

    snprintf(prefix->variables[0], sizeof(prefix->variables[0]), "WINEPREFIX=%s", prefix->dir);
    snprintf(prefix->variables[1], sizeof(prefix->variables[1]), "WINEDEBUG=%s", debug != NULL ? debug : "-all");
    add_variable(prefix, prefix->variables[0]);
    add_variable(prefix, prefix->variables[1]);
    /* No Mono, no Gecko, no menu entries: none is needed, and each would ask or download. */
    add_variable(prefix, "WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=d");
    add_variable(prefix, "WINEARCH=win64");
    add_variable(prefix, "DISPLAY");
    add_variable(prefix, "WAYLAND_DISPLAY");
    add_variable(prefix, "WINESERVER");
    add_variable(prefix, "WINELOADER");
    /* Debian 13's wineserver dies of a TMPDIR (observed with Wine 10.0: "free(): invalid pointer"). */
    add_variable(prefix, "TMPDIR");
}

static int run_in(const struct wineprefix *prefix, char *const argv[], int log, int timeout_ms)
{
    struct process_spec spec = {.argv = argv,
                                .environment = prefix->environment,
                                .in = -1,
                                .out = log,
                                .err = log,
                                .keep = -1,
                                .own_group = true};
    int status, rc;

    rc = process_run(&spec, timeout_ms, &status);
    if (rc == -EINTR)
        return EXIT_INTERRUPTED;
    if (rc == -ETIMEDOUT)
        return complain(EXIT_ENVIRONMENT, "\"%s %s\" has not come to an end within %d s in %s", argv[0],
                        argv[1] != NULL ? argv[1] : "", timeout_ms / 1000, prefix->dir);
    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "%s: %s", argv[0], strerror(-rc));
    if (status != 0)
        return complain(EXIT_ENVIRONMENT, "\"%s %s\" failed with exit status %d in %s", argv[0],
                        argv[1] != NULL ? argv[1] : "", status, prefix->dir);
    return 0;
}

void wineprefix_remove_socket(const char *dir)
{
    char path[PATH_MAX + 16], name[64] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/" SOCKET_NOTE, dir);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fscanf(file, "%63s", name) != 1 || strncmp(name, "wine-", 5) != 0 || strchr(name, '/') != NULL)
        name[0] = '\0';
    fclose(file);
    unlink(path);
    if (name[0] == '\0')
        return;
    snprintf(path, sizeof(path), "/tmp/%s", name);
    tree_remove(path);
}

/*
 * Can it be connected to? A client that comes before would start a server of its own, which nobody waits for. Packagers
 * put the socket into different folders, but it is always the server's current one.
 */
static bool server_answers(pid_t server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers;

    if (fd < 0)
        return false;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/%d/cwd/socket", (int)server);
    answers = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return answers;
}

static int start_server(struct wineprefix *prefix, int log)
{
    uint64_t deadline = process_now_ms() + START_TIMEOUT_MS;
    char *argv[] = {prefix->wine.server, "-f", "-p", NULL};
    /* SIGINT makes it end every process under it first; after SIGTERM Wine's services would stay, observed with 8.0. */
    struct process_spec spec = {.argv = argv,
                                .environment = prefix->environment,
                                .in = -1,
                                .out = log,
                                .err = log,
                                .keep = -1,
                                .own_group = true,
                                .death_signal = SIGINT};
    int rc = process_start(&spec, &prefix->server);

    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "%s: %s", prefix->wine.server, strerror(-rc));
    while (!server_answers(prefix->server)) {
        if (process_peek(prefix->server) >= 0)
            return complain(EXIT_ENVIRONMENT, "%s for %s ended with exit status %d", prefix->wine.server, prefix->dir,
                            process_peek(prefix->server));
        if (process_now_ms() >= deadline)
            return complain(EXIT_ENVIRONMENT, "%s for %s does not answer", prefix->wine.server, prefix->dir);
        if (process_pause(1) != 0)
            return EXIT_INTERRUPTED;
    }
    prefix->answered = true;
    return 0;
}

/* It ends every process of the prefix first, and saves the registry. */
static void ask_server_to_end(const struct wineprefix *prefix)
{
    char *argv[] = {(char *)prefix->wine.server, "-k", NULL};
    struct process_spec spec = {.argv = argv,
                                .environment = prefix->environment,
                                .in = -1,
                                .out = -1,
                                .err = -1,
                                .keep = -1,
                                .own_group = true};
    uint64_t deadline = process_now_ms() + 10000;
    pid_t killer;

    if (process_start(&spec, &killer) != 0)
        return;
    while (process_peek(prefix->server) < 0 && process_now_ms() < deadline)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    process_stop(killer, 1000);
}

void wineprefix_close(struct wineprefix *prefix)
{
    if (prefix->server > 0) {
        if (prefix->answered)
            ask_server_to_end(prefix);
        process_stop(prefix->server, 3000);
        wineprefix_remove_socket(prefix->dir);
    }
    prefix->server = 0;
    prefix->answered = false;
}

/* ---- the original ---- */

static bool is_complete(const char *path, const struct wine *wine)
{
    char ready[PATH_MAX], line[sizeof(wine->full_version) + 32] = "", wanted[sizeof(line)];
    FILE *file;

    snprintf(ready, sizeof(ready), "%.*s/rdrlab", PATH_MAX - 16, path);
    snprintf(wanted, sizeof(wanted), "%s " ORIGINAL_RECIPE "\n", wine->full_version);
    file = fopen(ready, "re");
    if (file == NULL)
        return false;
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    fclose(file);
    return strcmp(line, wanted) == 0;
}

static int prepare_original(struct wineprefix *prefix, const char *folder)
{
    char registration[PATH_MAX], registration_w[PATH_MAX + 8], path[PATH_MAX + 32], text[256];
    char *boot[] = {prefix->wine.loader, "wineboot", "-i", NULL};
    char *import[] = {prefix->wine.loader, "regedit", "/S", registration_w, NULL};
    int log, rc;

    snprintf(path, sizeof(path), "%s/create.log", folder);
    log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    snprintf(registration, sizeof(registration), "%.*s/provider.reg", PATH_MAX - 32, folder);
    wine_path(registration, registration_w, sizeof(registration_w));
    rc = file_write(registration, provider_registration);
    if (log < 0 || rc != 0) {
        rc = complain(EXIT_ENVIRONMENT, "%s: cannot write there: %s", folder, strerror(log < 0 ? errno : -rc));
        goto exit;
    }
    if (mkdir(prefix->dir, 0700) != 0) {
        rc = complain(EXIT_ENVIRONMENT, "%s: %s", prefix->dir, strerror(errno));
        goto exit;
    }
    rc = start_server(prefix, log);
    if (rc == 0)
        rc = run_in(prefix, boot, log, CREATE_TIMEOUT_MS);
    if (rc == 0)
        rc = run_in(prefix, import, log, START_TIMEOUT_MS);
    wineprefix_close(prefix);
    if (rc != 0)
        goto exit;
    /* Wine would otherwise update copies when its package changes, writing through the links into the original. */
    snprintf(path, sizeof(path), "%s/.update-timestamp", prefix->dir);
    rc = file_write(path, "disable\n");
    if (rc == 0) {
        snprintf(path, sizeof(path), "%s/rdrlab", prefix->dir);
        snprintf(text, sizeof(text), "%s " ORIGINAL_RECIPE "\n", prefix->wine.full_version);
        rc = file_write(path, text);
    }
    if (rc != 0)
        rc = complain(EXIT_ENVIRONMENT, "%s: %s", path, strerror(-rc));
exit:
    if (log >= 0)
        close(log);
    return rc;
}

static int lock_folder(const char *folder)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%.*s/lock", PATH_MAX - 16, folder);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    /* Not a blocking flock: an interrupt must end the wait. */
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (process_pause(50) != 0) {
            close(fd);
            return -EINTR;
        }
    }
    return fd;
}

int wineprefix_original(const struct wine *wine, const char *folder, char *path, size_t size)
{
    struct wineprefix prefix = {.wine = *wine};
    int lock, rc = 0;

    /* What says that it is complete is written last: with that, the folder may well be read-only. */
    snprintf(path, size, "%.*s/%s", PATH_MAX - 128, folder, wine->version);
    if (is_complete(path, wine))
        return 0;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return complain(EXIT_ENVIRONMENT, "%s: cannot make the folder for the Wine prefix: %s", folder,
                        strerror(errno));
    /* Wine refuses a prefix in somebody else's folder, in several lines. */
    if (access(folder, W_OK) != 0)
        return complain(EXIT_ENVIRONMENT, "%s: no Wine prefix can be made there: %s", folder, strerror(errno));
    lock = lock_folder(folder);
    if (lock == -EINTR)
        return EXIT_INTERRUPTED;
    if (lock < 0)
        return complain(EXIT_ENVIRONMENT, "%s: cannot be locked: %s", folder, strerror(-lock));
    snprintf(prefix.dir, sizeof(prefix.dir), "%.*s/%s", PATH_MAX - 128, folder, wine->version);
    if (!is_complete(prefix.dir, wine)) {
        tree_remove(prefix.dir);
        set_environment(&prefix);
        rc = prepare_original(&prefix, folder);
        if (rc != 0)
            tree_remove(prefix.dir);
    }
    close(lock);
    if (rc == 0)
        snprintf(path, size, "%s", prefix.dir);
    return rc;
}

/* ---- copies ---- */

void wineprefix_attach(struct wineprefix *prefix, const struct wine *wine, const char *dir)
{
    *prefix = (struct wineprefix){.wine = *wine};
    snprintf(prefix->dir, sizeof(prefix->dir), "%s", dir);
    set_environment(prefix);
}

int wineprefix_open(struct wineprefix *prefix, const struct wine *wine, const char *original, const char *dir,
                    const struct places *places, int log)
{
    /* Any program would do: the first one makes Wine start its services, which inherit its output. */
    char *argv[] = {prefix->wine.loader, "cmd", "/c", "exit", NULL};
    char provider[PATH_MAX + 64];
    int rc;

    wineprefix_attach(prefix, wine, dir);
    rc = copy_tree(original, dir, false);
    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "%s cannot be copied to %s: %s", original, dir, strerror(-rc));
    snprintf(provider, sizeof(provider), "%s/drive_c/windows/system32/rdrlabnp.dll", dir);
    rc = file_copy(places->provider, provider);
    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "%s cannot be copied to %s: %s", places->provider, provider, strerror(-rc));
    rc = start_server(prefix, log);
    if (rc == 0)
        rc = run_in(prefix, argv, log, START_TIMEOUT_MS);
    return rc;
}

void wine_path(const char *path, char *win32, size_t size)
{
    snprintf(win32, size, "Z:%s", path);
    for (char *c = win32; *c != '\0'; c++) {
        if (*c == '/')
            *c = '\\';
    }
}
