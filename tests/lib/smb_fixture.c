/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smb_fixture.c - a backend of smb.h with a server behind it. See smb_fixture.h. */
#include "smb_fixture.h"

#include "fault.h"
#include "mem.h"
#include "name.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MEM_PORT     4455
#define MEM_USER     "tester"
#define MEM_PASSWORD "correct horse"

uint64_t smb_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the peers ---- */

static int skip_or_fail(const char *reason)
{
    const char *require = getenv("RDRLAB_REQUIRE_ALL");

    fprintf(stderr, "%s\n", reason);
    return require != NULL && require[0] != '\0' ? 1 : 77;
}

static int start_mem(struct smb_fixture *fixture)
{
    fixture->mem = smb_mem_backend();
    if (fixture->mem == NULL || smb_mem_set_user(fixture->mem, MEM_USER, MEM_PASSWORD) != STATUS_SUCCESS ||
        smb_mem_add_share(fixture->mem, "127.0.0.1", MEM_PORT, "lab", FALSE) != STATUS_SUCCESS ||
        smb_mem_add_share(fixture->mem, "127.0.0.1", MEM_PORT, "ro", TRUE) != STATUS_SUCCESS)
        return 1;
    if (strcmp(fixture->peer, "mem-shares-all") == 0)
        smb_mem_share_all(fixture->mem);
    fixture->backend = smb_fault_backend(fixture->mem);
    fixture->target.port = MEM_PORT;
    fixture->target.user = MEM_USER;
    fixture->target.password = MEM_PASSWORD;
    return fixture->backend != NULL ? 0 : 1;
}

static int start_smbd(struct smb_fixture *fixture, const char *worker, const char *settings)
{
    struct smbserver_options options = {.dir = fixture->dir, .share_dir = fixture->share_dir, .extra = settings};
    char state[64], error[4096];
    int rc;

    rc = smbserver_start(&options, &fixture->server, error, sizeof(error));
    if (rc == -ENOENT || rc == -ENOTSUP)
        return skip_or_fail(error);
    if (rc != 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    snprintf(state, sizeof(state), "%s/client", fixture->dir);
    if (mkdir(state, 0700) != 0)
        return 1;
    fixture->backend = smb_smbc_backend(worker, state);
    if (fixture->backend == NULL)
        return skip_or_fail("no worker program: built without libsmbclient");
    fixture->target.port = smbserver_port(fixture->server);
    fixture->target.user = smbserver_user(fixture->server);
    fixture->target.password = smbserver_password(fixture->server);
    fixture->target.dialect = fixture->peer;
    return 0;
}

int smb_fixture_start_with(struct smb_fixture *fixture, const char *peer, const char *worker, const char *settings)
{
    int rc;

    memset(fixture, 0, sizeof(*fixture));
    fixture->peer = peer;
    fixture->target.host = "127.0.0.1";
    fixture->target.share = "lab";
    fixture->target.timeout_ms = 60000; /* longer than any wait for what is not to wait for the server */
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/rdrlab-test.XXXXXX");
    if (mkdtemp(fixture->dir) == NULL) {
        perror(fixture->dir);
        return 1;
    }
    snprintf(fixture->share_dir, sizeof(fixture->share_dir), "%s/share", fixture->dir);
    if (mkdir(fixture->share_dir, 0700) != 0)
        rc = 1;
    else if (strncmp(peer, "mem", 3) == 0)
        rc = start_mem(fixture);
    else
        rc = start_smbd(fixture, worker, settings);
    if (rc != 0)
        smb_fixture_stop(fixture);
    return rc;
}

int smb_fixture_start(struct smb_fixture *fixture, const char *peer, const char *worker)
{
    return smb_fixture_start_with(fixture, peer, worker, NULL);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void smb_fixture_stop(struct smb_fixture *fixture)
{
    smb_backend_free(fixture->backend);
    if (fixture->backend == NULL)
        smb_backend_free(fixture->mem);
    smbserver_stop(fixture->server);
    nftw(fixture->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void smb_fixture_add(struct smb_fixture *fixture, const char *path, const char *data)
{
    if (fixture->mem != NULL) {
        WCHAR name[512];
        UNICODE_STRING string = {.Buffer = name};

        string.Length = (USHORT)smb_name_from_utf8(path, name);
        for (int i = 0; i < string.Length / 2; i++) {
            if (name[i] == '/')
                name[i] = '\\';
        }
        assert_int_equal(smb_mem_add(fixture->mem, "lab", &string, data, data != NULL ? strlen(data) : 0),
                         STATUS_SUCCESS);
        assert_int_equal(smb_mem_add(fixture->mem, "ro", &string, data, data != NULL ? strlen(data) : 0),
                         STATUS_SUCCESS);
    } else {
        char full[600];
        FILE *file;

        snprintf(full, sizeof(full), "%s/%s", fixture->share_dir, path);
        if (data == NULL) {
            assert_int_equal(mkdir(full, 0755), 0);
            return;
        }
        file = fopen(full, "we");
        assert_non_null(file);
        fputs(data, file);
        assert_int_equal(fclose(file), 0);
    }
}

void smb_fixture_halt(struct smb_fixture *fixture)
{
    if (fixture->mem != NULL)
        smb_mem_set_running(fixture->mem, fixture->target.host, fixture->target.port, FALSE);
    else
        smbserver_halt(fixture->server);
}

void smb_fixture_restart(struct smb_fixture *fixture)
{
    char error[4096] = "";

    if (fixture->mem != NULL)
        smb_mem_set_running(fixture->mem, fixture->target.host, fixture->target.port, TRUE);
    else if (smbserver_restart(fixture->server, error, sizeof(error)) != 0)
        fail_msg("%s", error);
}

void smb_fixture_pause(struct smb_fixture *fixture)
{
    if (fixture->mem != NULL)
        smb_fault_hold(fixture->backend, SMB_ANY_OP);
    else
        assert_true(smbserver_signal(fixture->server, SMBSERVER_PAUSE_SESSIONS) > 0);
}

void smb_fixture_resume(struct smb_fixture *fixture)
{
    if (fixture->mem != NULL)
        smb_fault_release(fixture->backend);
    else
        smbserver_signal(fixture->server, SMBSERVER_RESUME_SESSIONS);
}

struct smb_connection *smb_fixture_connect(struct smb_fixture *fixture)
{
    struct smb_request request = {.op = SMB_TREE_CONNECT};
    struct smb_connection *connection = NULL;

    assert_int_equal(smb_connect(fixture->backend, &fixture->target, &connection), STATUS_SUCCESS);
    assert_int_equal(smb_perform(connection, &request), STATUS_SUCCESS);
    return connection;
}

int smb_fixture_workers(pid_t *pids, int max)
{
    struct dirent *entry;
    DIR *dir = opendir("/proc");
    int count = 0;

    assert_non_null(dir);
    while (count < max && (entry = readdir(dir)) != NULL) {
        char path[300], name[64], state;
        FILE *file;
        int pid, parent;

        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        if (atoi(entry->d_name) <= 0 || (file = fopen(path, "re")) == NULL)
            continue;
        if (fscanf(file, "%d (%63[^)]) %c %d", &pid, name, &state, &parent) == 4 && parent == getpid() &&
            state != 'Z' && strncmp(name, "rdrlab-smbworker", 15) == 0)
            pids[count++] = pid;
        fclose(file);
    }
    closedir(dir);
    return count;
}

/* ---- requests ---- */

static void on_pending(struct smb_request *request)
{
    struct smb_pending *pending = request->context;

    pending->completions++;
    sem_post(&pending->done);
}

void smb_pending_submit(struct smb_connection *connection, struct smb_pending *pending)
{
    sem_init(&pending->done, 0, 0);
    pending->completions = 0;
    pending->request.complete = on_pending;
    pending->request.context = pending;
    smb_submit(connection, &pending->request);
}

NTSTATUS smb_pending_wait(struct smb_pending *pending)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    while (sem_timedwait(&pending->done, &deadline) != 0) {
        if (errno == ETIMEDOUT)
            fail_msg("a request (op %d) did not complete within 30 seconds", pending->request.op);
    }
    assert_int_equal(pending->completions, 1);
    return pending->request.status;
}

UNICODE_STRING smb_path(const WCHAR *path)
{
    UNICODE_STRING string = {.Buffer = (WCHAR *)(uintptr_t)path};

    while (path[string.Length / 2] != 0)
        string.Length += 2;
    string.MaximumLength = string.Length;
    return string;
}

struct smb_request smb_create_request(const WCHAR *path, ACCESS_MASK access, ULONG share, ULONG disposition,
                                      ULONG options)
{
    struct smb_request request = {.op = SMB_CREATE, .path = smb_path(path)};

    request.in.create.access = access;
    request.in.create.share_access = share;
    request.in.create.disposition = disposition;
    request.in.create.options = options;
    return request;
}

NTSTATUS smb_do_create(struct smb_connection *connection, const WCHAR *path, ACCESS_MASK access, ULONG share,
                       ULONG disposition, ULONG options, smb_file *ret_file)
{
    struct smb_request request = smb_create_request(path, access, share, disposition, options);
    NTSTATUS status = smb_perform(connection, &request);

    if (status == STATUS_SUCCESS) {
        assert_non_null(ret_file);
        *ret_file = request.out.create.file;
    }
    return status;
}

NTSTATUS smb_do_open(struct smb_connection *connection, const WCHAR *path, smb_file *ret_file)
{
    return smb_do_create(connection, path, FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, FILE_NON_DIRECTORY_FILE,
                         ret_file);
}

NTSTATUS smb_do_close(struct smb_connection *connection, smb_file file)
{
    struct smb_request request = {.op = SMB_CLOSE, .file = file};

    return smb_perform(connection, &request);
}

NTSTATUS smb_do_io(struct smb_connection *connection, enum smb_op op, smb_file file, void *buffer, ULONG length,
                   ULONGLONG offset, ULONG *ret_done)
{
    struct smb_request request = {.op = op, .file = file};
    NTSTATUS status;

    request.in.io.buffer = buffer;
    request.in.io.length = length;
    request.in.io.offset = offset;
    status = smb_perform(connection, &request);
    if (status == STATUS_SUCCESS)
        *ret_done = request.out.io.done;
    return status;
}
