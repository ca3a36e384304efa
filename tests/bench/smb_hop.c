/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smb_hop - open and close of a file on an smbd: through the smbc backend, and through the machine with it, against a
 * plain libsmbclient loop (openloop) on the same smbd. All of them run where this program is let run (taskset).
 *
 *   smb_hop OPENLOOP [DIALECT [ROUNDS [SECONDS]]]
 *
 * ROUNDS interleaved rounds of SECONDS each; the ratios are medians of a round's own ratios, as a machine that is also
 * used by others changes from one second to the next. Beside them, what a pair takes of all processors, in everybody
 * who has part in it: on one processor that would be the ratio, if nobody else used it.
 */
#include "smb_fixture.h"

#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROUNDS 101

struct loop {
    const char *name;
    double rates[MAX_ROUNDS], ratios[MAX_ROUNDS]; /* pairs a second, and against the plain loop's of the same round */
    double costs[MAX_ROUNDS];                     /* processor time of everybody for a pair, in microseconds */
};

struct bare {
    pid_t pid;
    FILE *to, *from;
};

static struct smb_fixture fixture;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_close(struct smb_request *request)
{
    free(request);
}

/* As the redirector does it: wait for the open, not for the close. */
static BOOLEAN by_backend(struct smb_connection *connection)
{
    struct smb_request create = smb_create_request(u"f.txt", FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, 0);
    struct smb_request *close = calloc(1, sizeof(*close));

    if (close == NULL || smb_perform(connection, &create) != STATUS_SUCCESS) {
        free(close);
        return FALSE;
    }
    close->op = SMB_CLOSE;
    close->file = create.out.create.file;
    close->complete = on_close;
    smb_submit(connection, close);
    return TRUE;
}

static BOOLEAN by_machine(struct smb_connection *connection)
{
    UNICODE_STRING path = NT_STRING(u"\\??\\X:\\f.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;
    HANDLE handle;

    (void)connection;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtCreateFile(&handle, FILE_GENERIC_READ, &attributes, &io_status, NULL, FILE_ATTRIBUTE_NORMAL,
                        FILE_SHARE_READ, FILE_OPEN, FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL,
                        0) == STATUS_SUCCESS &&
           NtClose(handle) == STATUS_SUCCESS;
}

/* ---- processor time ---- */

static double spent_by(pid_t pid)
{
    unsigned long long nanoseconds = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    file = fopen(path, "re");
    if (file != NULL && fscanf(file, "%llu", &nanoseconds) != 1)
        nanoseconds = 0;
    if (file != NULL)
        fclose(file);
    return (double)nanoseconds / 1e3;
}

/* By this process, its children (openloop, the workers) and the server, so far, in microseconds. */
static double spent_by_all(void)
{
    double spent = 0;
    struct timespec own;
    struct dirent *entry;
    DIR *dir = opendir("/proc");

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    spent = (double)own.tv_sec * 1e6 + (double)own.tv_nsec / 1e3;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int parent = 0, group = 0, pid = atoi(entry->d_name);
        char path[64];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (pid <= 0 || (file = fopen(path, "re")) == NULL)
            continue;
        if (fscanf(file, "%*d (%*[^)]) %*c %d %d", &parent, &group) == 2 &&
            (parent == getpid() || group == smbserver_pid(fixture.server)))
            spent += spent_by(pid);
        fclose(file);
    }
    if (dir != NULL)
        closedir(dir);
    return spent;
}

/* ---- the loops: how many pairs; 0: one failed ---- */

static long run_bare(struct bare *bare, double seconds)
{
    long pairs = 0;

    (void)seconds;
    fputs("\n", bare->to);
    fflush(bare->to);
    return fscanf(bare->from, " open opens=%ld seconds=%*f rate=%*f", &pairs) == 1 ? pairs : 0;
}

static long run_pairs(BOOLEAN (*open_and_close)(struct smb_connection *connection), struct smb_connection *connection,
                      double seconds)
{
    double start = now();
    long pairs = 0;

    do {
        if (!open_and_close(connection))
            return 0;
        pairs++;
    } while (now() - start < seconds);
    return pairs;
}

static BOOLEAN start_bare(struct bare *bare, const char *program, double seconds)
{
    int to[2], from[2];
    char url[128], time[16], ready[8] = "";

    snprintf(url, sizeof(url), "smb://127.0.0.1:%u/lab/f.txt", fixture.target.port);
    snprintf(time, sizeof(time), "%.3f", seconds);
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        return FALSE;
    bare->pid = fork();
    if (bare->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        execl(program, program, url, fixture.target.user, smbserver_password_file(fixture.server), time, fixture.peer,
              "again", (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    bare->to = fdopen(to[1], "w");
    bare->from = fdopen(from[0], "r");
    return bare->pid > 0 && bare->to != NULL && bare->from != NULL && fscanf(bare->from, "%7s", ready) == 1;
}

static void stop_bare(struct bare *bare)
{
    fclose(bare->to);
    fclose(bare->from);
    waitpid(bare->pid, NULL, 0);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare);
    return values[count / 2];
}

static int compare_loops(const char *program, int rounds, double seconds)
{
    static struct loop loops[] = {{.name = "libsmbclient"}, {.name = "backend"}, {.name = "machine"}};
    struct smb_connection *connection = smb_fixture_connect(&fixture);
    struct bare bare;
    cpu_set_t set;
    int rc = 0;

    sched_getaffinity(0, sizeof(set), &set);
    if (!start_bare(&bare, program, seconds))
        return 1;
    for (int round = 0; round < rounds && rc == 0; round++) {
        for (int i = 0; i < 3; i++) {
            double spent = spent_by_all(), start = now(), passed;
            long pairs = i == 0   ? run_bare(&bare, seconds)
                         : i == 1 ? run_pairs(by_backend, connection, seconds)
                                  : run_pairs(by_machine, connection, seconds);

            passed = now() - start;
            rc |= pairs == 0;
            loops[i].rates[round] = (double)pairs / passed;
            loops[i].costs[round] = (spent_by_all() - spent) / (double)pairs;
            loops[i].ratios[round] = loops[i].rates[round] / loops[0].rates[round];
        }
    }
    for (int i = 0; i < 3 && rc == 0; i++)
        printf("%-7s processors=%d %-12s ratio=%.2f rate=%.0f/s us_of_processors=%.0f\n", fixture.peer, CPU_COUNT(&set),
               loops[i].name, median(loops[i].ratios, rounds), median(loops[i].rates, rounds),
               median(loops[i].costs, rounds));
    stop_bare(&bare);
    smb_disconnect(connection);
    return rc;
}

static int with_machine(const char *program, int rounds, double seconds)
{
    const EMU_SERVER_ADDRESS server = {"srv", "127.0.0.1", fixture.target.port};
    const EMU_MACHINE_OPTIONS options = {
        .Smb = fixture.backend, .Servers = &server, .ServerCount = 1, .Dialect = fixture.peer};
    static const UNICODE_STRING remote = NT_STRING(u"\\\\srv\\lab");
    UNICODE_STRING user, password;
    WCHAR text[2][256] = {{0}};
    char error[256];
    int rc = 1;

    for (int i = 0; i < 255 && fixture.target.user[i] != 0; i++)
        text[0][i] = (unsigned char)fixture.target.user[i];
    for (int i = 0; i < 255 && fixture.target.password[i] != 0; i++)
        text[1][i] = (unsigned char)fixture.target.password[i];
    RtlInitUnicodeString(&user, text[0]);
    RtlInitUnicodeString(&password, text[1]);
    if (EmuMachineBoot(&options, error, sizeof(error)) != STATUS_SUCCESS) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    if (EmuUseAdd('X' - 'A', &remote, &user, &password) == STATUS_SUCCESS)
        rc = compare_loops(program, rounds, seconds);
    EmuMachineShutdown(NULL);
    return rc;
}

int main(int argc, char **argv)
{
    int rounds = argc > 3 ? atoi(argv[3]) : 15, rc;
    double seconds = argc > 4 ? atof(argv[4]) : 0.4;

    if (argc < 2 || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: smb_hop OPENLOOP [DIALECT [ROUNDS [SECONDS]]]\n");
        return 2;
    }
    rc = smb_fixture_start(&fixture, argc > 2 ? argv[2] : "SMB3_11", NULL);
    if (rc != 0)
        return rc;
    smb_fixture_add(&fixture, "f.txt", "twelve bytes");
    rc = with_machine(argv[1], rounds, seconds);
    smb_fixture_stop(&fixture);
    return rc;
}
