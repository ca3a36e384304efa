/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lab.c - one lab: smbd, Wine, machines. See lab.h. */
#include "lab.h"
#include "audit.h"
#include "files.h"
#include "process.h"
#include "rdrlab.h"
#include "smbserver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#define FOLDER_PREFIX "rdrlab-"
#define SERVER_NAME   "127.0.0.1"
#define OWN_SHARE     "\\\\" SERVER_NAME "\\lab"
#define MEMORY_SHARE  "\\\\mem\\lab"

#define LEAST_ROOM ((uint64_t)512 << 20) /* a share without a folder of its own lives there too */

#define BOOT_TIMEOUT_MS     30000 /* for one that hangs */
#define SHUTDOWN_TIMEOUT_MS 20000

/* A token file is made for every open: on tmpfs that takes a microsecond, on a disk's file system fifty. */
static bool is_roomy_memory(const char *folder)
{
    struct statfs fs;

    return access(folder, W_OK | X_OK) == 0 && statfs(folder, &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
           (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= LEAST_ROOM;
}

/* The folder's path is part of socket names, of which the kernel takes 107 bytes. */
static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");

    if (folder != NULL && folder[0] == '/' && strlen(folder) <= 40)
        return folder;
    return is_roomy_memory("/dev/shm") ? "/dev/shm" : "/tmp";
}

/* ---- the folder and who owns it ---- */

static int make_folder(struct lab *lab)
{
    char path[sizeof(lab->dir) + 16], text[32];

    snprintf(lab->dir, sizeof(lab->dir), "%s/" FOLDER_PREFIX "XXXXXX", temporary_folder());
    if (mkdtemp(lab->dir) == NULL) {
        int error = errno;

        lab->dir[0] = '\0';
        return complain(EXIT_ENVIRONMENT, "%s: cannot make a folder there: %s", temporary_folder(), strerror(error));
    }
    snprintf(path, sizeof(path), "%s/owner", lab->dir);
    lab->owner = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (lab->owner < 0 || flock(lab->owner, LOCK_EX | LOCK_NB) != 0 ||
        write(lab->owner, text, strlen(text)) != (ssize_t)strlen(text))
        return complain(EXIT_ENVIRONMENT, "%s: %s", path, strerror(errno));
    snprintf(path, sizeof(path), "%s/wine.log", lab->dir);
    lab->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (lab->log < 0)
        return complain(EXIT_ENVIRONMENT, "%s: %s", path, strerror(errno));
    return 0;
}

int lab_owner(const char *dir, char *lab_dir, size_t size)
{
    char path[PATH_MAX], real[PATH_MAX - 16], *slash;
    int pid = -ENOENT, fd = -1;
    FILE *file;

    if (realpath(dir, real) == NULL)
        return -ENOENT;
    snprintf(path, sizeof(path), "%s/owner", real);
    fd = open(path, O_RDWR | O_CLOEXEC);
    slash = strrchr(real, '/');
    if (fd < 0 && slash != NULL && slash != real) {
        *slash = '\0'; /* of a machine: the lab is the folder around it */
        snprintf(path, sizeof(path), "%s/owner", real);
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    if (fd < 0)
        return -ENOENT;
    snprintf(lab_dir, size, "%s", real);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        close(fd);
        return 0;
    }
    file = fdopen(fd, "r");
    if (file == NULL || fscanf(file, "%d", &pid) != 1)
        pid = -ENOENT;
    if (file != NULL)
        fclose(file);
    else
        close(fd);
    return pid;
}

void lab_mark_kept(const struct lab *lab)
{
    char path[sizeof(lab->dir) + 16];
    int fd;

    snprintf(path, sizeof(path), "%s/kept", lab->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

bool lab_is_kept(const char *lab_dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%.*s/kept", PATH_MAX - 16, lab_dir);
    return access(path, F_OK) == 0;
}

static void each_in(const char *folder, void (*fn)(const char *dir, void *context), void *context)
{
    DIR *dir = opendir(folder);
    char path[PATH_MAX];
    struct dirent *entry;
    struct stat info;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, FOLDER_PREFIX, strlen(FOLDER_PREFIX)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == getuid())
            fn(path, context);
    }
    closedir(dir);
}

void lab_each(void (*fn)(const char *dir, void *context), void *context)
{
    const char *folder = temporary_folder();

    each_in(folder, fn, context);
    /* How much room there is decides between these two, and may have changed. */
    if (strcmp(folder, "/tmp") == 0)
        each_in("/dev/shm", fn, context);
    else if (strcmp(folder, "/dev/shm") == 0)
        each_in("/tmp", fn, context);
}

static void remove_if_stale(const char *dir, void *context)
{
    char lab_dir[PATH_MAX], prefix[PATH_MAX + 16];

    if (lab_owner(dir, lab_dir, sizeof(lab_dir)) == 0) {
        snprintf(prefix, sizeof(prefix), "%s/prefix", lab_dir);
        wineprefix_remove_socket(prefix);
        tree_remove(lab_dir);
        ++*(unsigned *)context;
    }
}

unsigned lab_remove_stale(void)
{
    unsigned count = 0;

    lab_each(remove_if_stale, &count);
    return count;
}

/* ---- smbd ---- */

static int check_share(const char *dir)
{
    struct stat info;

    if (stat(dir, &info) != 0)
        return complain(EXIT_ENVIRONMENT, "the folder to share, %s: %s", dir, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return complain(EXIT_ENVIRONMENT, "the folder to share, %s: not a folder", dir);
    if (access(dir, R_OK | X_OK) != 0)
        return complain(EXIT_ENVIRONMENT, "the folder to share, %s: %s", dir, strerror(errno));
    return 0;
}

static int start_smbd(struct lab *lab)
{
    char dir[sizeof(lab->dir) + 8], error[1024] = "";
    struct smbserver_options options = {.dir = dir,
                                        .share_dir = lab->share_dir,
                                        .port = lab->options.port,
                                        .min_protocol = lab->options.dialect,
                                        .max_protocol = lab->options.dialect};

    snprintf(dir, sizeof(dir), "%s/smbd", lab->dir);
    if (lab->options.share_dir != NULL && realpath(lab->options.share_dir, lab->share_dir) == NULL)
        return complain(EXIT_ENVIRONMENT, "the folder to share, %s: %s", lab->options.share_dir, strerror(errno));
    if (lab->options.share_dir == NULL)
        snprintf(lab->share_dir, sizeof(lab->share_dir), "%s/share", lab->dir);
    if (mkdir(dir, 0700) != 0 || (lab->options.share_dir == NULL && mkdir(lab->share_dir, 0700) != 0))
        return complain(EXIT_ENVIRONMENT, "%s: %s", lab->dir, strerror(errno));
    if (smbserver_start(&options, &lab->smbd, error, sizeof(error)) != 0) {
        for (char *c = error; *c != '\0'; c++)
            *c = *c == '\n' ? ' ' : *c;
        return complain(EXIT_ENVIRONMENT, "smbd over %s: %s", lab->share_dir, error);
    }
    snprintf(lab->share_name, sizeof(lab->share_name), OWN_SHARE);
    return 0;
}

void lab_share_name(const struct lab *lab, char *name, size_t size)
{
    snprintf(name, size, "%s", lab->share_name);
}

void lab_samba_version(const struct lab *lab, char *version, size_t size)
{
    const char *full = lab->smbd != NULL ? smbserver_version(lab->smbd) : "";

    snprintf(version, size, "%.*s", (int)strcspn(full, "-"), full);
}

/* ---- the lab ---- */

static int open_wine(struct lab *lab)
{
    char original[PATH_MAX], prefix[sizeof(lab->dir) + 8];
    struct wine wine;
    int rc = wine_find(&wine);

    if (rc == 0)
        rc = wineprefix_original(&wine, lab->places.wineprefixes, original, sizeof(original));
    snprintf(prefix, sizeof(prefix), "%s/prefix", lab->dir);
    if (rc == 0)
        rc = wineprefix_open(&lab->prefix, &wine, original, prefix, &lab->places, lab->log);
    return rc;
}

int lab_open(struct lab *lab, const struct lab_options *options)
{
    int rc;

    *lab = (struct lab){.options = *options, .owner = -1, .log = -1};
    rc = options->share_dir != NULL ? check_share(options->share_dir) : 0;
    if (rc == 0)
        rc = places_find(&lab->places);
    if (rc == 0 && !options->no_wine)
        rc = places_want_windows(&lab->places);
    if (rc == 0 && options->machine == NULL)
        rc = places_want_daemon(&lab->places);
    if (rc == 0)
        rc = make_folder(lab);
    if (options->machine != NULL)
        snprintf(lab->share_name, sizeof(lab->share_name), "%s", options->share);
    else if (options->no_server)
        snprintf(lab->share_name, sizeof(lab->share_name), MEMORY_SHARE);
    else if (rc == 0)
        rc = start_smbd(lab);
    if (rc == 0 && !options->no_wine)
        rc = open_wine(lab);
    if (rc == 0 && process_interrupted())
        rc = EXIT_INTERRUPTED;
    return rc;
}

void lab_close(struct lab *lab)
{
    bool was_interrupted = process_interrupted();

    process_forget_interrupt();
    wineprefix_close(&lab->prefix);
    smbserver_stop(lab->smbd);
    lab->smbd = NULL;
    if (lab->dir[0] != '\0') {
        tree_remove(lab->dir);
        if (lab->owner >= 0)
            close(lab->owner);
        if (lab->log >= 0)
            close(lab->log);
    }
    lab->dir[0] = '\0';
    if (was_interrupted)
        process_note_interrupt();
}

/* ---- machines ---- */

static void name_machine(struct machine *machine, const struct lab *lab, const char *build, const char *folder,
                         const char *password_file)
{
    *machine = (struct machine){.lab = lab};
    snprintf(machine->build, sizeof(machine->build), "%s", build);
    snprintf(machine->dir, sizeof(machine->dir), "%s/%s", lab->dir, folder);
    snprintf(machine->variable, sizeof(machine->variable), "RDRLAB_MACHINE=%s", machine->dir);
    if (password_file[0] != '\0')
        machine_use_password(machine, password_file);
    else /* without a value, this takes the variable away */
        snprintf(machine->password_variable, sizeof(machine->password_variable), "RDRLAB_PASSWORD_FILE");
}

void machine_use_password(struct machine *machine, const char *file)
{
    char real[PATH_MAX];

    snprintf(machine->password_variable, sizeof(machine->password_variable), "RDRLAB_PASSWORD_FILE=%s",
             realpath(file, real) != NULL ? real : file);
}

void machine_use_session(struct machine *machine, uint32_t session)
{
    snprintf(machine->session_variable, sizeof(machine->session_variable), "RDRLAB_SESSION=%u", session);
}

int lab_attach(struct lab *lab, const char *machine_dir, struct machine *machine)
{
    char dir[PATH_MAX], real[PATH_MAX], path[sizeof(lab->dir) + 32];
    struct wine wine;
    int rc;

    *lab = (struct lab){.owner = -1, .log = -1};
    if (lab_owner(machine_dir, dir, sizeof(dir)) <= 0 || realpath(machine_dir, real) == NULL ||
        strlen(dir) >= sizeof(lab->dir) || strcmp(real, dir) == 0)
        return complain(EXIT_ENVIRONMENT, "%s: no machine lives there that --keep left running", machine_dir);
    snprintf(lab->dir, sizeof(lab->dir), "%s", dir);
    snprintf(lab->share_name, sizeof(lab->share_name), OWN_SHARE);
    rc = places_find(&lab->places);
    if (rc == 0)
        rc = places_want_windows(&lab->places);
    if (rc == 0)
        rc = wine_find(&wine);
    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "%s/prefix", lab->dir);
    wineprefix_attach(&lab->prefix, &wine, path);
    snprintf(path, sizeof(path), "%s/smbd/password", lab->dir);
    name_machine(machine, lab, strrchr(real, '/') + 1, strrchr(real, '/') + 1, path);
    return 0;
}

static int wait_until_ready(struct machine *machine, int ready, const char *log)
{
    struct line_reader reader = {.fd = ready};
    char *line, last[512];
    int rc = line_read(&reader, BOOT_TIMEOUT_MS, &line);

    if (rc > 0)
        return 0;
    if (rc == -EINTR)
        return EXIT_INTERRUPTED;
    file_last_line(log, last, sizeof(last));
    return complain(EXIT_ENVIRONMENT, "the %s machine %s: %s", machine->build,
                    rc == -ETIMEDOUT ? "does not get ready within 10 s" : "ended while it booted", last);
}

/* Somebody else's: it has been booted, and is not shut down here. */
static int use_machine(struct machine *machine, const char *dir)
{
    char real[PATH_MAX];

    if (realpath(dir, real) == NULL || strlen(real) >= sizeof(machine->dir))
        return complain(EXIT_ENVIRONMENT, "--machine %s: %s", dir, strerror(errno));
    snprintf(machine->dir, sizeof(machine->dir), "%s", real);
    snprintf(machine->variable, sizeof(machine->variable), "RDRLAB_MACHINE=%s", real);
    return 0;
}

int machine_boot(struct lab *lab, const struct machine_options *options, struct machine *machine)
{
    char server[64], limit[32], ready_number[16], report[sizeof(machine->dir) + 16], log[sizeof(report)];
    char *argv[48 + 2 * MACHINE_DEFECTS], *build = machine->build;
    int ready[2] = {-1, -1}, errors = -1, argc = 0, rc;
    struct process_spec spec = {.argv = argv, .in = -1, .out = -1, .own_group = true};

    if (lab->options.machine != NULL) {
        name_machine(machine, lab, options->build, options->build, "");
        return use_machine(machine, lab->options.machine);
    }
    name_machine(machine, lab, options->build, options->folder != NULL ? options->folder : options->build,
                 lab->smbd != NULL ? smbserver_password_file(lab->smbd) : "");
    snprintf(report, sizeof(report), "%s.report", machine->dir);
    snprintf(log, sizeof(log), "%s.log", machine->dir);
    snprintf(limit, sizeof(limit), "%lluM", (unsigned long long)options->paged_limit_mb);

    errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (errors < 0 || pipe2(ready, O_CLOEXEC) != 0) {
        rc = complain(EXIT_ENVIRONMENT, "%s: %s", log, strerror(errno));
        goto exit;
    }
    snprintf(ready_number, sizeof(ready_number), "%d", ready[1]);
    argv[argc++] = lab->places.daemon;
    argv[argc++] = "--die-with-parent";
    argv[argc++] = "--build", argv[argc++] = build;
    argv[argc++] = "--dir", argv[argc++] = machine->dir;
    if (lab->smbd != NULL) {
        snprintf(server, sizeof(server), SERVER_NAME "=127.0.0.1:%u", smbserver_port(lab->smbd));
        argv[argc++] = "--server", argv[argc++] = server;
        argv[argc++] = "--user", argv[argc++] = (char *)smbserver_user(lab->smbd);
        argv[argc++] = "--password-file", argv[argc++] = (char *)smbserver_password_file(lab->smbd);
    } else {
        argv[argc++] = "--backend", argv[argc++] = options->locked ? "locked" : "mem";
    }
    argv[argc++] = "--report", argv[argc++] = report;
    argv[argc++] = "--ready-fd", argv[argc++] = ready_number;
    if (lab->options.dialect != NULL)
        argv[argc++] = "--dialect", argv[argc++] = (char *)lab->options.dialect;
    if (options->paged_limit_mb != 0)
        argv[argc++] = "--paged-limit", argv[argc++] = limit;
    if (options->verifier != NULL)
        argv[argc++] = "--verifier", argv[argc++] = (char *)options->verifier;
    if (options->registry != NULL)
        argv[argc++] = "--registry", argv[argc++] = (char *)options->registry;
    if (options->clock != NULL)
        argv[argc++] = "--clock", argv[argc++] = (char *)options->clock;
    if (options->provider != NULL)
        argv[argc++] = "--provider", argv[argc++] = (char *)options->provider;
    for (const char *const *defect = options->defects; defect != NULL && *defect != NULL; defect++)
        argv[argc++] = "--defect", argv[argc++] = (char *)*defect;
    if (lab->options.stacks)
        argv[argc++] = "--stacks";
    if (lab->options.verbose)
        argv[argc++] = "--verbose";
    argv[argc] = NULL;
    spec.err = errors;
    spec.keep = ready[1];
    rc = process_start(&spec, &machine->pid);
    if (rc != 0) {
        rc = complain(EXIT_ENVIRONMENT, "%s: %s", lab->places.daemon, strerror(-rc));
        goto exit;
    }
    close(ready[1]);
    ready[1] = -1;
    rc = wait_until_ready(machine, ready[0], log);
exit:
    for (int i = 0; i < 2; i++) {
        if (ready[i] >= 0)
            close(ready[i]);
    }
    if (errors >= 0)
        close(errors);
    return rc;
}

/* The lab's folder goes; what the machine has to say about its end is kept. Returns whether there was a bug check. */
static bool keep_bug_check(const struct machine *machine)
{
    char from[sizeof(machine->dir) + 16], to[PATH_MAX + 64], text[8192];
    FILE *file;
    size_t length;

    snprintf(from, sizeof(from), "%s/bugcheck.txt", machine->dir);
    file = fopen(from, "re");
    if (file == NULL)
        return false;
    length = fread(text, 1, sizeof(text), file);
    fclose(file);
    mkdir(machine->lab->places.results, 0755);
    snprintf(to, sizeof(to), "%s/bugcheck-%s.txt", machine->lab->places.results, machine->build);
    file = fopen(to, "we");
    if (file == NULL || fwrite(text, 1, length, file) != length || fclose(file) != 0)
        complain(EXIT_ENVIRONMENT, "%s: %s", to, strerror(errno));
    complain(EXIT_NOT_AS_EXPECTED, "the %s machine was stopped by a bug check; its report is in %s", machine->build,
             to);
    return true;
}

int machine_shut_down(struct machine *machine, struct machine_audit *ret_audit)
{
    struct machine_audit audit = {0};
    char report[sizeof(machine->dir) + 16], last[512];
    bool stopped;
    int status;

    if (machine->pid <= 0)
        return 0;
    status = process_stop(machine->pid, SHUTDOWN_TIMEOUT_MS);
    machine->pid = 0;
    stopped = keep_bug_check(machine);
    if (ret_audit == NULL)
        return stopped ? EXIT_NOT_AS_EXPECTED : 0;
    snprintf(report, sizeof(report), "%s.report", machine->dir);
    if (!audit_read(report, &audit)) {
        snprintf(report, sizeof(report), "%s.log", machine->dir);
        file_last_line(report, last, sizeof(last));
        return complain(EXIT_ENVIRONMENT, "the %s machine left no report of its shutdown (exit status %d): %s",
                        machine->build, status, last);
    }
    audit.exit_status = status;
    *ret_audit = audit;
    return 0;
}

int machine_shut_down_quietly(struct machine *machine, struct machine_audit *ret_audit)
{
    char report[sizeof(machine->dir) + 16];

    *ret_audit = (struct machine_audit){0};
    if (machine->pid <= 0)
        return 0;
    ret_audit->exit_status = process_stop(machine->pid, SHUTDOWN_TIMEOUT_MS);
    machine->pid = 0;
    snprintf(report, sizeof(report), "%s.report", machine->dir);
    audit_read(report, ret_audit);
    return 0;
}

int lab_start_program(const struct lab *lab, const struct machine *machine, char *const argv[], int in, int out,
                      int err, bool own_group, pid_t *ret_pid)
{
    const char *environment[16];
    char *line[512];
    size_t count = 0;
    struct process_spec spec = {
        .environment = environment, .in = in, .out = out, .err = err, .keep = -1, .own_group = own_group};
    int argc = 0, rc;

    for (; lab->prefix.environment[count] != NULL; count++)
        environment[count] = lab->prefix.environment[count];
    environment[count++] = machine->variable;
    environment[count++] = machine->password_variable;
    if (machine->session_variable[0] != '\0')
        environment[count++] = machine->session_variable;
    environment[count] = NULL;
    line[argc++] = (char *)lab->prefix.wine.loader;
    for (; *argv != NULL; argv++) {
        if ((size_t)argc == sizeof(line) / sizeof(line[0]) - 1)
            return complain(EXIT_USAGE, "more than %d arguments for a program", argc);
        line[argc++] = *argv;
    }
    line[argc] = NULL;
    spec.argv = line;
    rc = process_start(&spec, ret_pid);
    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "%s: %s", line[0], strerror(-rc));
    return 0;
}
