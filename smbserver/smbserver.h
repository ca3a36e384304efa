/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smbserver.h - a private smbd over a folder, for as long as this process wants it.
 *
 * The server listens on 127.0.0.1 only, writes only below its own folder, knows one user (the one who runs it, with
 * a random password) and needs no privilege. It cannot outlive its owner: it ends when its standard input does, and
 * only this process holds the other end. Do not fork without exec while one runs, or the child holds it too.
 *
 * Shares: "lab" is the folder, read and write; "ro" is the same folder, read only. Both ask for the password.
 * As root, the session's user is root too and mode bits deny nothing: provoke access errors through "ro".
 *
 * Threads: one server belongs to one thread at a time; different servers do not touch each other.
 */
#ifndef SMBSERVER_H
#define SMBSERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct smbserver;

/* Strings are copied. Only dir and share_dir must be given. */
struct smbserver_options {
    const char *dir; /* existing private folder for the server's state, at most 64 bytes long: sockets live in it */
    const char *share_dir;    /* existing folder to share */
    uint16_t port;            /* TCP port, host byte order; 0: a free one */
    const char *min_protocol; /* "NT1" .. "SMB3_11"; NULL: "NT1" */
    const char *max_protocol; /* NULL: "SMB3_11" */
    unsigned max_open_files;  /* 0: smbd's own limit; otherwise at least 200, as smbd asserts about 100 of its own */
    const char *extra;        /* further lines for [global], each ended by '\n'; NULL: none */
    const char *smbd;         /* the program; NULL: looked up in PATH, then /usr/sbin, /usr/local/sbin */
};

/*
 * smbserver_start - start a server and wait until it accepts connections, at most half a minute.
 *   ret_server  out, only on success. Ends with smbserver_stop.
 *   error       out, only on failure: one or more lines for a person, cut to size.
 *   Returns     0, or a negative errno: -ENOENT no smbd (or pdbedit) or no such folder, -EADDRINUSE the port is
 *               taken, -ENOTSUP smbd is older than 4.15, -EINVAL unusable options or a user without a passwd entry,
 *               -ETIMEDOUT, -ECHILD smbd ended at once (its log is in error), or what a system call said.
 */
int smbserver_start(const struct smbserver_options *options, struct smbserver **ret_server, char *error, size_t size);

/* End every process of the server, wait until none is left, free it. Accepts NULL. The files in dir stay. */
void smbserver_stop(struct smbserver *server);

/* Kill the server's processes without warning and keep its port reserved; smbserver_restart brings it back. */
void smbserver_halt(struct smbserver *server);

/* Start it anew on the same port, over the same folders; halts it first if it runs. Returns as smbserver_start. */
int smbserver_restart(struct smbserver *server, char *error, size_t size);

enum smbserver_signal {
    SMBSERVER_PAUSE_SESSIONS, /* stop the processes that serve connected clients; new clients are still accepted */
    SMBSERVER_RESUME_SESSIONS,
    SMBSERVER_KILL_SESSIONS /* the clients lose their connections, the server lives */
};

/* Signal the session processes and wait, at most a second, until they have obeyed. Returns how many there were. */
int smbserver_signal(struct smbserver *server, enum smbserver_signal signal);

/*
 * Regular files below a folder that the session processes have open, or -1 if the kernel does not say. smbstatus, which
 * knows more, works for root only.
 */
int smbserver_open_files(const struct smbserver *server, const char *folder);

/* What the server is; the strings live as long as it does. */
uint16_t smbserver_port(const struct smbserver *server);
const char *smbserver_user(const struct smbserver *server);
const char *smbserver_password(const struct smbserver *server);
const char *smbserver_password_file(const struct smbserver *server); /* mode 0600; the password and a newline */
const char *smbserver_version(const struct smbserver *server);       /* as smbd -V says: "4.17.12-Debian" */
const char *smbserver_dir(const struct smbserver *server);
pid_t smbserver_pid(
    const struct smbserver *server); /* the listening process, leader of its own process group; 0: halted */

#endif
