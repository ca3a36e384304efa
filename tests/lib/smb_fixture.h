/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smb_fixture.h - a backend of smb.h with a server behind it, for tests that run on several peers.
 *
 * Peers: "mem" is the server in memory behind a fault backend, and "mem-shares-all" the same without share modes, so
 * that whoever keeps to them does it by himself; the name of a dialect ("NT1", "SMB3_11") is a private
 * smbd that is reached in that dialect. Both serve the shares "lab" and "ro" (the same files) to one user.
 */
#ifndef TESTS_SMB_FIXTURE_H
#define TESTS_SMB_FIXTURE_H

#include "smb.h"
#include "smbserver.h"

#include <semaphore.h>
#include <stdbool.h>

struct smb_fixture {
    const char *peer;
    struct smb_backend *backend;
    struct smb_backend *mem;  /* what backend wraps; NULL for smbd */
    struct smbserver *server; /* NULL for mem */
    char dir[48];             /* removed at the end */
    char share_dir[64];       /* smbd's share */
    struct smb_target target; /* good credentials, share "lab"; timeout 8 s */
};

/*
 * smb_fixture_start - bring a peer up.
 *   worker   the worker program; NULL: the build's
 *   Returns  0; or what the test program shall exit with, after saying why on stderr: 77 for a missing peer, or 1 if
 *            RDRLAB_REQUIRE_ALL is set, or for anything else that went wrong.
 */
int smb_fixture_start(struct smb_fixture *fixture, const char *peer, const char *worker);
/* The same with lines for smb.conf's [global] section; NULL: none. */
int smb_fixture_start_with(struct smb_fixture *fixture, const char *peer, const char *worker, const char *settings);
void smb_fixture_stop(struct smb_fixture *fixture);

/* Put a file (or a folder: data NULL) on the share behind the server's back. path is UTF-8, with '/'. */
void smb_fixture_add(struct smb_fixture *fixture, const char *path, const char *data);

/* Take the server down and bring it back, with the same files at the same port. */
void smb_fixture_halt(struct smb_fixture *fixture);
void smb_fixture_restart(struct smb_fixture *fixture);

/* Let the server answer nobody, and let it answer again. Connections stand meanwhile. */
void smb_fixture_pause(struct smb_fixture *fixture);
void smb_fixture_resume(struct smb_fixture *fixture);

/* Connect to the fixture's target, tree connect included. Fails the test if that fails. */
struct smb_connection *smb_fixture_connect(struct smb_fixture *fixture);

/* The worker processes of this process, at most max of them; returns how many. */
int smb_fixture_workers(pid_t *pids, int max);

/* A request that is not waited for here, and what became of it. */
struct smb_pending {
    struct smb_request request;
    sem_t done;
    _Atomic unsigned completions;
};

void smb_pending_submit(struct smb_connection *connection, struct smb_pending *pending);
/* Wait for it; fails the test after 30 seconds, or if it completes twice. Returns its status. */
NTSTATUS smb_pending_wait(struct smb_pending *pending);

/* Make requests out of u"" literals. The path must be terminated. */
UNICODE_STRING smb_path(const WCHAR *path);
struct smb_request smb_create_request(const WCHAR *path, ACCESS_MASK access, ULONG share, ULONG disposition,
                                      ULONG options);

/* One request each, waited for. ret_file may be NULL where the create is expected to fail. */
NTSTATUS smb_do_create(struct smb_connection *connection, const WCHAR *path, ACCESS_MASK access, ULONG share,
                       ULONG disposition, ULONG options, smb_file *ret_file);
NTSTATUS smb_do_open(struct smb_connection *connection, const WCHAR *path, smb_file *ret_file); /* for reading */
NTSTATUS smb_do_close(struct smb_connection *connection, smb_file file);
NTSTATUS smb_do_io(struct smb_connection *connection, enum smb_op op, smb_file file, void *buffer, ULONG length,
                   ULONGLONG offset, ULONG *ret_done);

/* Milliseconds of a clock that never jumps. */
uint64_t smb_now_ms(void);

#endif
